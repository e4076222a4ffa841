// Included by extmod/modmachine.c: the port's functions and a clock that can be set.

#include "ports/qemu/modmachine.c"
#include "shared/timeutils/timeutils.h"

static const mp_obj_base_t rtc_singleton = {&board_rtc_type};

static mp_obj_t rtc_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 0, 0, false);
    return MP_OBJ_FROM_PTR(&rtc_singleton);
}

// datetime([(year, month, day, weekday, hours, minutes, seconds, subseconds)])
static mp_obj_t rtc_datetime(size_t n_args, const mp_obj_t *args) {
    if (n_args == 1) {
        timeutils_struct_time_t tm;
        timeutils_seconds_since_epoch_to_struct_time(board_seconds(), &tm);
        mp_obj_t tuple[8] = {
            MP_OBJ_NEW_SMALL_INT(tm.tm_year), MP_OBJ_NEW_SMALL_INT(tm.tm_mon),
            MP_OBJ_NEW_SMALL_INT(tm.tm_mday), MP_OBJ_NEW_SMALL_INT(tm.tm_wday),
            MP_OBJ_NEW_SMALL_INT(tm.tm_hour), MP_OBJ_NEW_SMALL_INT(tm.tm_min),
            MP_OBJ_NEW_SMALL_INT(tm.tm_sec), MP_OBJ_NEW_SMALL_INT(0),
        };
        return mp_obj_new_tuple(8, tuple);
    }
    mp_obj_t *t;
    mp_obj_get_array_fixed_n(args[1], 8, &t);
    board_set_seconds(timeutils_seconds_since_epoch(mp_obj_get_int(t[0]), mp_obj_get_int(t[1]),
        mp_obj_get_int(t[2]), mp_obj_get_int(t[4]), mp_obj_get_int(t[5]), mp_obj_get_int(t[6])));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(rtc_datetime_obj, 1, 2, rtc_datetime);

static const mp_rom_map_elem_t rtc_locals_table[] = {
    { MP_ROM_QSTR(MP_QSTR_datetime), MP_ROM_PTR(&rtc_datetime_obj) },
};
static MP_DEFINE_CONST_DICT(rtc_locals, rtc_locals_table);

MP_DEFINE_CONST_OBJ_TYPE(
    board_rtc_type, MP_QSTR_RTC, MP_TYPE_FLAG_NONE, make_new, rtc_make_new, locals_dict, &rtc_locals
    );
