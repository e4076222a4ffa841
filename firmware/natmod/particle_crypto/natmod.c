// `_particle_crypto` as a native .mpy.

#include "py/dynruntime.h"

#include "module.h"

// What the compiler makes of copies of structures
void *memcpy(void *to, const void *from, size_t n) {
    return mp_fun_table.memmove_(to, from, n);
}

void *memset(void *at, int value, size_t n) {
    return mp_fun_table.memset_(at, value, n);
}

mp_obj_t mpy_init(mp_obj_fun_bc_t *self, size_t n_args, size_t n_kw, mp_obj_t *args) {
    MP_DYNRUNTIME_INIT_ENTRY
    mp_store_global(MP_QSTR_start, MP_OBJ_FROM_PTR(&start_obj));
    mp_store_global(MP_QSTR_step, MP_OBJ_FROM_PTR(&step_obj));
    mp_store_global(MP_QSTR_quotient, MP_OBJ_FROM_PTR(&quotient_obj));
    mp_store_global(MP_QSTR_aes, MP_OBJ_FROM_PTR(&aes_obj));
    mp_store_global(MP_QSTR_ccm, MP_OBJ_FROM_PTR(&ccm_obj));
    MP_DYNRUNTIME_INIT_EXIT
}
