// `_particle_crypto` as a module of the firmware.

#include "py/runtime.h"

#include "module.h"

static const mp_rom_map_elem_t globals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR__particle_crypto) },
    { MP_ROM_QSTR(MP_QSTR_start), MP_ROM_PTR(&start_obj) },
    { MP_ROM_QSTR(MP_QSTR_step), MP_ROM_PTR(&step_obj) },
    { MP_ROM_QSTR(MP_QSTR_quotient), MP_ROM_PTR(&quotient_obj) },
    { MP_ROM_QSTR(MP_QSTR_aes), MP_ROM_PTR(&aes_obj) },
    { MP_ROM_QSTR(MP_QSTR_ccm), MP_ROM_PTR(&ccm_obj) },
};
static MP_DEFINE_CONST_DICT(globals, globals_table);

const mp_obj_module_t particle_crypto_module = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&globals,
};

MP_REGISTER_MODULE(MP_QSTR__particle_crypto, particle_crypto_module);
