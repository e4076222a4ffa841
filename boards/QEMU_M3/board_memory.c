// A heap that is full when a test says so: module _memory.

#include "py/gc.h"
#include "py/runtime.h"

static uint32_t count, first, last;

static bool full(void) {
    count++;
    return count >= first && count <= last;
}

void *__real_gc_alloc(size_t bytes, unsigned int flags);
void *__wrap_gc_alloc(size_t bytes, unsigned int flags) {
    return full() ? NULL : __real_gc_alloc(bytes, flags);
}

void *__real_gc_realloc(void *old, size_t bytes, bool move);
void *__wrap_gc_realloc(void *old, size_t bytes, bool move) {
    return full() ? NULL : __real_gc_realloc(old, bytes, move);
}

// fail([n, [times]]): the nth allocation from now on fails and the times - 1 after it, by default
// one; without n none. Returns the number of allocations since it was called before.
static mp_obj_t memory_fail(size_t n_args, const mp_obj_t *args) {
    uint32_t before = count;
    count = 0;
    first = n_args > 0 ? mp_obj_get_int(args[0]) : 1;
    last = n_args > 1 ? first + mp_obj_get_int(args[1]) - 1 : n_args > 0 ? first : 0;
    return MP_OBJ_NEW_SMALL_INT(before);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(memory_fail_obj, 0, 2, memory_fail);

static const mp_rom_map_elem_t memory_globals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR__memory) },
    { MP_ROM_QSTR(MP_QSTR_fail), MP_ROM_PTR(&memory_fail_obj) },
};
static MP_DEFINE_CONST_DICT(memory_globals, memory_globals_table);

const mp_obj_module_t memory_module = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&memory_globals,
};

MP_REGISTER_MODULE(MP_QSTR__memory, memory_module);
