#include "boards/PYBD_SF6/board_init.c"

#if BUILDING_MBOOT
#include "../../firmware/ports/stm32/particle_mboot.c"

void particle_mboot_board_init(uint32_t *initial_r0) {
    mboot_board_early_init();
    particle_mboot_early_init(initial_r0);
}
#endif
