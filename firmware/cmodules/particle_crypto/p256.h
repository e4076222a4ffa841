// Multiples of points of P-256 (FIPS 186-4, SEC 1) in steps of bounded length.
//
// No memory, no library: everything lies in a work area of the caller's. What a multiplication
// does and which addresses it touches do not depend on the numbers it is given.

#ifndef PARTICLE_CRYPTO_P256_H
#define PARTICLE_CRYPTO_P256_H

#include <stdbool.h>
#include <stdint.h>

#define P256_BYTES (32)

#if PARTICLE_CRYPTO_MBEDTLS

typedef struct {
    uint8_t k[P256_BYTES], u[P256_BYTES], q[2 * P256_BYTES];
} p256_work_t;

#else

typedef uint32_t p256_number_t[8]; // least significant word first

typedef struct {
    p256_number_t x, y, z; // (x/z**2, y/z**3); z = 0 is infinity
} p256_point_t;

typedef struct {
    p256_point_t sum, fixed, q, table[8];
    p256_number_t digits, u;
    uint8_t left; // digits that are still to be done
    uint8_t stage;
} p256_work_t;

#endif

// Prepare k*G + u*Q. All numbers are big-endian; k and u below the order, Q is x || y and may be
// missing if u = 0. comb: the points of crypto/p256.py. False: Q is not on the curve.
bool p256_start(p256_work_t *work, const uint8_t *k, const uint8_t *u, const uint8_t *q, const uint8_t *comb);

// Go on; true when x || y || z is in `out`, 65 bytes, with z = 0 for infinity and otherwise 1. The
// work area is zeros then.
bool p256_step(p256_work_t *work, uint8_t *out);

// The second half of a signature, (z + r*d) / k modulo the order; r, d and k are below the order.
void p256_quotient(uint8_t *out, const uint8_t *z, const uint8_t *r, const uint8_t *d, const uint8_t *k);

#endif
