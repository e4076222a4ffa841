// P-256 with the elliptic curves of the mbedTLS that the port links: no code of its own in flash,
// several times the instructions of p256.c, memory from the heap, and one long step.

#include "p256.h"

#if PARTICLE_CRYPTO_MBEDTLS

#include <string.h>

#include "mbedtls/ecp.h"
#include "mbedtls/platform_util.h"
#include "mbedtls/sha256.h"

#if !defined(MBEDTLS_ECP_DP_SECP256R1_ENABLED) || !defined(MBEDTLS_SHA256_C)
#error "PARTICLE_CRYPTO_MBEDTLS needs MBEDTLS_ECP_DP_SECP256R1_ENABLED and MBEDTLS_SHA256_C"
#endif
#if !defined(MBEDTLS_ECP_NIST_OPTIM)
#error "MBEDTLS_ECP_NIST_OPTIM is off: mbedTLS would be slower than Python; #define it in the board's mbedtls_config_board.h"
#endif

#include "py/runtime.h"

// Numbers that blind a calculation come from its secrets: an attacker knows neither.
typedef struct {
    uint8_t seed[P256_BYTES];
    uint32_t count;
} blinding_t;

static int blinding(void *state, unsigned char *out, size_t n) {
    blinding_t *b = state;
    uint8_t block[P256_BYTES];
    while (n) {
        size_t some = n < sizeof(block) ? n : sizeof(block);
        b->count++;
        int error = mbedtls_sha256((const unsigned char *)b, sizeof(*b), block, 0);
        if (error) {
            return error;
        }
        memcpy(out, block, some);
        out += some;
        n -= some;
    }
    return 0;
}

static void check(int error) {
    if (error == MBEDTLS_ERR_MPI_ALLOC_FAILED || error == MBEDTLS_ERR_ECP_ALLOC_FAILED) {
        mp_raise_type(&mp_type_MemoryError);
    }
    if (error) {
        mp_raise_msg(&mp_type_RuntimeError, MP_ERROR_TEXT("mbedtls"));
    }
}

// -> whether it is one; `error` for lack of memory
static int load_point(const mbedtls_ecp_group *group, mbedtls_ecp_point *point, const uint8_t *q) {
    uint8_t text[1 + 2 * P256_BYTES] = {4};
    memcpy(text + 1, q, 2 * P256_BYTES);
    int error = mbedtls_ecp_point_read_binary(group, point, text, sizeof(text));
    return error ? error : mbedtls_ecp_check_pubkey(group, point);
}

bool p256_start(p256_work_t *work, const uint8_t *k, const uint8_t *u, const uint8_t *q, const uint8_t *comb) {
    (void)comb;
    static const uint8_t zero[P256_BYTES];
    memset(work, 0, sizeof(*work));
    memcpy(work->k, k, P256_BYTES);
    memcpy(work->u, u, P256_BYTES);
    if (q == NULL) {
        return memcmp(u, zero, P256_BYTES) == 0;
    }
    memcpy(work->q, q, 2 * P256_BYTES);
    mbedtls_ecp_group group;
    mbedtls_ecp_point point;
    mbedtls_ecp_group_init(&group);
    mbedtls_ecp_point_init(&point);
    int error = mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_SECP256R1);
    if (!error) {
        error = load_point(&group, &point, q);
    }
    mbedtls_ecp_point_free(&point);
    mbedtls_ecp_group_free(&group);
    if (error == MBEDTLS_ERR_ECP_INVALID_KEY || error == MBEDTLS_ERR_ECP_BAD_INPUT_DATA) {
        return false;
    }
    check(error);
    return true;
}

// sum = k*G + u*Q; neither mbedtls_ecp_mul nor mbedtls_ecp_muladd takes 0
static int multiply(mbedtls_ecp_group *group, mbedtls_ecp_point *sum, mbedtls_ecp_point *q,
    mbedtls_mpi *k, mbedtls_mpi *u, p256_work_t *work) {
    bool fixed, variable;
    int error;
    if ((error = mbedtls_mpi_read_binary(k, work->k, P256_BYTES))
        || (error = mbedtls_mpi_read_binary(u, work->u, P256_BYTES))) {
        return error;
    }
    fixed = mbedtls_mpi_cmp_int(k, 0) != 0;
    variable = mbedtls_mpi_cmp_int(u, 0) != 0;
    if (!fixed && !variable) {
        return mbedtls_ecp_set_zero(sum);
    }
    if (variable && (error = load_point(group, q, work->q))) {
        return error;
    }
    if (fixed && variable) { // a signature is checked: nothing is secret
        return mbedtls_ecp_muladd(group, sum, k, &group->G, u, q);
    }
    blinding_t state = {.count = 0};
    if ((error = mbedtls_sha256((const unsigned char *)work, sizeof(*work), state.seed, 0))) {
        return error;
    }
    error = mbedtls_ecp_mul(group, sum, fixed ? k : u, fixed ? &group->G : q, blinding, &state);
    mbedtls_platform_zeroize(&state, sizeof(state));
    return error;
}

bool p256_step(p256_work_t *work, uint8_t *out) {
    mbedtls_ecp_group group;
    mbedtls_ecp_point sum, q;
    mbedtls_mpi k, u;
    mbedtls_ecp_group_init(&group);
    mbedtls_ecp_point_init(&sum);
    mbedtls_ecp_point_init(&q);
    mbedtls_mpi_init(&k);
    mbedtls_mpi_init(&u);
    memset(out, 0, 2 * P256_BYTES + 1);
    int error = mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_SECP256R1);
    if (!error) {
        error = multiply(&group, &sum, &q, &k, &u, work);
    }
    if (!error && !mbedtls_ecp_is_zero(&sum)) {
        uint8_t text[1 + 2 * P256_BYTES];
        size_t n;
        error = mbedtls_ecp_point_write_binary(&group, &sum, MBEDTLS_ECP_PF_UNCOMPRESSED, &n, text, sizeof(text));
        memcpy(out, text + 1, 2 * P256_BYTES);
        out[2 * P256_BYTES] = 1;
    }
    mbedtls_mpi_free(&u);
    mbedtls_mpi_free(&k);
    mbedtls_ecp_point_free(&q);
    mbedtls_ecp_point_free(&sum);
    mbedtls_ecp_group_free(&group);
    mbedtls_platform_zeroize(work, sizeof(*work));
    check(error);
    return true;
}

// a = a * b modulo the order
static int multiply_order(mbedtls_mpi *a, const mbedtls_mpi *b, const mbedtls_ecp_group *group) {
    int error = mbedtls_mpi_mul_mpi(a, a, b);
    return error ? error : mbedtls_mpi_mod_mpi(a, a, &group->N);
}

void p256_quotient(uint8_t *out, const uint8_t *z, const uint8_t *r, const uint8_t *d, const uint8_t *k) {
    mbedtls_ecp_group group;
    mbedtls_mpi a, b, t;
    blinding_t state = {.count = 0};
    mbedtls_ecp_group_init(&group);
    mbedtls_mpi_init(&a);
    mbedtls_mpi_init(&b);
    mbedtls_mpi_init(&t);
    int error;
    memcpy(state.seed, k, P256_BYTES);
    // (z + r*d) * t / (k*t): the inversion takes different times for different numbers
    if (!(error = mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_SECP256R1))
        && !(error = mbedtls_mpi_fill_random(&t, P256_BYTES - 1, blinding, &state))
        && !(error = mbedtls_mpi_read_binary(&a, d, P256_BYTES))
        && !(error = mbedtls_mpi_read_binary(&b, r, P256_BYTES))
        && !(error = multiply_order(&a, &b, &group))
        && !(error = mbedtls_mpi_read_binary(&b, z, P256_BYTES))
        && !(error = mbedtls_mpi_add_mpi(&a, &a, &b))
        && !(error = multiply_order(&a, &t, &group))
        && !(error = mbedtls_mpi_read_binary(&b, k, P256_BYTES))
        && !(error = multiply_order(&b, &t, &group))
        && !(error = mbedtls_mpi_inv_mod(&b, &b, &group.N))
        && !(error = multiply_order(&a, &b, &group))) {
        error = mbedtls_mpi_write_binary(&a, out, P256_BYTES);
    }
    mbedtls_mpi_free(&t);
    mbedtls_mpi_free(&b);
    mbedtls_mpi_free(&a);
    mbedtls_ecp_group_free(&group);
    mbedtls_platform_zeroize(&state, sizeof(state));
    check(error);
}

#endif
