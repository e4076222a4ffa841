// Numbers of eight 32-bit words, and arithmetic modulo the prime of P-256 in the form of Montgomery
// (x is kept as x * 2**256). Results may lie where operands do.

#ifndef PARTICLE_CRYPTO_P256_FIELD_H
#define PARTICLE_CRYPTO_P256_FIELD_H

#include "p256.h"

#define WORDS (8)

typedef p256_number_t number_t;

// In a native .mpy they are reached without a table of addresses.
#pragma GCC visibility push(hidden)

extern const number_t p256_prime, p256_order;

// r = a - b; gives the borrow
uint32_t p256_subtract_words(uint32_t *r, const uint32_t *a, const uint32_t *b);

// Modulo the prime. p256_multiply: r = a * b / 2**256. p256_invert: r = 1 / a in the same form.
void p256_add(uint32_t *r, const uint32_t *a, const uint32_t *b);
void p256_subtract(uint32_t *r, const uint32_t *a, const uint32_t *b);
void p256_multiply(uint32_t *r, const uint32_t *a, const uint32_t *b);
void p256_invert(uint32_t *r, const uint32_t *a);

// Big-endian bytes, at any address; p256_to_field brings them into the form of Montgomery
void p256_load(uint32_t *r, const uint8_t *bytes);
void p256_to_field(uint32_t *r, const uint8_t *bytes);
void p256_store(uint8_t *bytes, const uint32_t *a);

#pragma GCC visibility pop

static inline void p256_square(uint32_t *r, const uint32_t *a) {
    p256_multiply(r, a, a);
}

static inline void p256_copy(uint32_t *r, const uint32_t *a) {
    for (int i = 0; i < WORDS; i++) {
        r[i] = a[i];
    }
}

static inline bool p256_is_zero(const uint32_t *a) {
    uint32_t any = 0;
    for (int i = 0; i < WORDS; i++) {
        any |= a[i];
    }
    return !any;
}

// The compiler is not to find out that a mask is one of two values and to branch.
static inline uint32_t p256_mask(uint32_t bit) {
    uint32_t m = -bit;
    __asm ("" : "+r" (m));
    return m;
}

// r = mask ? a : r
static inline void p256_choose(uint32_t *r, const uint32_t *a, uint32_t m) {
    #pragma GCC unroll 8
    for (int i = 0; i < WORDS; i++) {
        r[i] ^= (r[i] ^ a[i]) & m;
    }
}

#endif
