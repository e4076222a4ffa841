#include "../../firmware/ports/nrf/uf2_board.c"
