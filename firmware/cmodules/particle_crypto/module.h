// The functions of `_particle_crypto`, for a module of the firmware and for a native .mpy alike.
// The includer has MicroPython's API: py/runtime.h or py/dynruntime.h.

#include "ccm.h"
#include "p256.h"

static uint8_t *bytes_of(mp_obj_t object, size_t n, mp_uint_t flags) {
    mp_buffer_info_t info;
    mp_get_buffer_raise(object, &info, flags);
    if (info.len < n) {
        mp_raise_ValueError(MP_ERROR_TEXT("too short"));
    }
    return info.buf;
}

// start(k, u, q, comb) -> work area of k*G + u*Q; q is 64 bytes or None. Raises ValueError.
static mp_obj_t start(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    const uint8_t *k = bytes_of(args[0], P256_BYTES, MP_BUFFER_READ);
    const uint8_t *u = bytes_of(args[1], P256_BYTES, MP_BUFFER_READ);
    const uint8_t *q = NULL;
    if (args[2] != mp_const_none) {
        q = bytes_of(args[2], 2 * P256_BYTES, MP_BUFFER_READ);
    }
    const uint8_t *comb = bytes_of(args[3], 16 * P256_BYTES, MP_BUFFER_READ);
    p256_work_t *work = m_malloc(sizeof(*work));
    if (!p256_start(work, k, u, q, comb)) {
        mp_raise_ValueError(MP_ERROR_TEXT("point"));
    }
    return mp_obj_new_bytearray_by_ref(sizeof(*work), work);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(start_obj, 4, 4, start);

// step(work) -> None while there is more to do, then x, y and whether it is a point: 65 bytes
static mp_obj_t step(mp_obj_t work) {
    uint8_t out[2 * P256_BYTES + 1];
    if (!p256_step((p256_work_t *)bytes_of(work, sizeof(p256_work_t), MP_BUFFER_RW), out)) {
        return mp_const_none;
    }
    return mp_obj_new_bytes(out, sizeof(out));
}
static MP_DEFINE_CONST_FUN_OBJ_1(step_obj, step);

// quotient(z, r, d, k) -> (z + r*d) / k modulo the order, all 32 bytes
static mp_obj_t quotient(size_t n_args, const mp_obj_t *args) {
    const uint8_t *in[4];
    uint8_t out[P256_BYTES];
    for (size_t i = 0; i < n_args; i++) {
        in[i] = bytes_of(args[i], P256_BYTES, MP_BUFFER_READ);
    }
    p256_quotient(out, in[0], in[1], in[2], in[3]);
    return mp_obj_new_bytes(out, sizeof(out));
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(quotient_obj, 4, 4, quotient);

// aes(key) -> what ccm() takes
static mp_obj_t aes(mp_obj_t key) {
    aes_key_t *expanded = m_malloc(sizeof(*expanded));
    aes_expand(expanded, bytes_of(key, 16, MP_BUFFER_READ));
    return mp_obj_new_bytearray_by_ref(sizeof(*expanded), expanded);
}
static MP_DEFINE_CONST_FUN_OBJ_1(aes_obj, aes);

// ccm(key, mac, nonce, aad, aad_n, buf, at, n, opening): encrypt or decrypt buf[at:at+n]; mac
// begins with the tag then. Allocates nothing.
static mp_obj_t ccm(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    size_t aad_n = mp_obj_get_int(args[4]);
    size_t at = mp_obj_get_int(args[6]);
    size_t n = mp_obj_get_int(args[7]);
    if ((aad_n | at | n) >> 16) {
        mp_raise_ValueError(MP_ERROR_TEXT("too long"));
    }
    const aes_key_t *key = (aes_key_t *)bytes_of(args[0], sizeof(*key), MP_BUFFER_READ);
    uint8_t *mac = bytes_of(args[1], 16, MP_BUFFER_RW);
    const uint8_t *nonce = bytes_of(args[2], 12, MP_BUFFER_READ);
    const uint8_t *aad = bytes_of(args[3], aad_n, MP_BUFFER_READ);
    uint8_t *data = bytes_of(args[5], at + n, MP_BUFFER_RW) + at;
    ccm_run(key, mac, nonce, aad, aad_n, data, n, mp_obj_is_true(args[8]));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(ccm_obj, 9, 9, ccm);
