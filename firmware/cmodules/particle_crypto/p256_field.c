// Arithmetic modulo the prime and the order of P-256, in the form of Montgomery.

#include "p256.h"

#if !PARTICLE_CRYPTO_MBEDTLS

#include "p256_field.h"

const number_t p256_prime = {
    0xffffffff, 0xffffffff, 0xffffffff, 0x00000000, 0x00000000, 0x00000000, 0x00000001, 0xffffffff,
};
const number_t p256_order = {
    0xfc632551, 0xf3b9cac2, 0xa7179e84, 0xbce6faad, 0xffffffff, 0xffffffff, 0x00000000, 0xffffffff,
};
#define ORDER_INVERSE (0xee00bc4f) // -1 / order modulo 2**32

// 2**512 modulo the prime and modulo the order: a product with it brings a number into the form
static const number_t prime_square = {
    0x00000003, 0x00000000, 0xffffffff, 0xfffffffb, 0xfffffffe, 0xffffffff, 0xfffffffd, 0x00000004,
};
static const number_t order_square = {
    0xbe79eea2, 0x83244c95, 0x49bd6fa6, 0x4699799c, 0x2b6bec59, 0x2845b239, 0xf3d95620, 0x66e12d94,
};

void p256_load(uint32_t *r, const uint8_t *bytes) {
    for (int i = WORDS - 1; i >= 0; i--, bytes += 4) {
        r[i] = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    }
}

void p256_store(uint8_t *bytes, const uint32_t *a) {
    for (int i = WORDS - 1; i >= 0; i--, bytes += 4) {
        bytes[0] = a[i] >> 24;
        bytes[1] = a[i] >> 16;
        bytes[2] = a[i] >> 8;
        bytes[3] = a[i];
    }
}

#if defined(__thumb__)

// Chains of carries, which C does not know: a third of the instructions. The same on all cores.
#define WORD(op, at) \
    "ldr %[x], [%[a], #" at "]\n" \
    "ldr %[y], [%[b], #" at "]\n" \
    op " %[x], %[x], %[y]\n" \
    "str %[x], [%[r], #" at "]\n"
#define CHAIN(first, next) \
    ".syntax unified\n" WORD(first, "0") WORD(next, "4") WORD(next, "8") WORD(next, "12") \
    WORD(next, "16") WORD(next, "20") WORD(next, "24") WORD(next, "28")
#define OPERANDS \
    [x] "=&l" (x), [y] "=&l" (y) : [r] "l" (r), [a] "l" (a), [b] "l" (b) : "cc", "memory"

// r = a + b; gives the carry
static uint32_t add_words(uint32_t *r, const uint32_t *a, const uint32_t *b) {
    uint32_t x, y;
    __asm volatile (CHAIN("adds", "adcs") "movs %[x], #0\n" "adcs %[x], %[x]\n" : OPERANDS);
    return x;
}

// r = a - b; gives the borrow
uint32_t p256_subtract_words(uint32_t *r, const uint32_t *a, const uint32_t *b) {
    uint32_t x, y;
    __asm volatile (CHAIN("subs", "sbcs") "sbcs %[x], %[x]\n" : OPERANDS);
    return -x;
}

#else

static uint32_t add_words(uint32_t *r, const uint32_t *a, const uint32_t *b) {
    uint64_t t = 0;
    for (int i = 0; i < WORDS; i++) {
        t = (t >> 32) + a[i] + b[i];
        r[i] = t;
    }
    return t >> 32;
}

uint32_t p256_subtract_words(uint32_t *r, const uint32_t *a, const uint32_t *b) {
    uint64_t t = 0;
    for (int i = 0; i < WORDS; i++) {
        t = (uint64_t)a[i] - b[i] - (t >> 63);
        r[i] = t;
    }
    return t >> 63;
}

#endif

// r = carry * 2**256 + r, which is below 2 * modulus, modulo it
static void reduce_once(uint32_t *r, uint32_t carry, const uint32_t *modulus) {
    number_t less;
    uint32_t borrow = p256_subtract_words(less, r, modulus);
    p256_choose(r, less, p256_mask(carry | (borrow ^ 1)));
}

void p256_add(uint32_t *r, const uint32_t *a, const uint32_t *b) {
    reduce_once(r, add_words(r, a, b), p256_prime);
}

void p256_subtract(uint32_t *r, const uint32_t *a, const uint32_t *b) {
    number_t more;
    uint32_t borrow = p256_subtract_words(r, a, b);
    add_words(more, r, p256_prime);
    p256_choose(r, more, p256_mask(borrow));
}

#if defined(__ARM_ARCH_6M__)

// This core has no long multiplication, and compilers make three times as much of its halves.
// c:t[j] = f * b[j] + t[j] + c
#define STEP(j) \
    __asm (".syntax unified\n" \
        "mov %[x], %[b]\n" \
        "ldr %[x], [%[x], %[at]]\n" \
        "uxth %[y], %[x]\n" \
        "lsrs %[x], %[x], #16\n" \
        "mov %[z], %[y]\n" \
        "muls %[z], %[low], %[z]\n" \
        "muls %[y], %[high], %[y]\n" \
        "mov %[w], %[x]\n" \
        "muls %[w], %[low], %[w]\n" \
        "muls %[x], %[high], %[x]\n" \
        "adds %[y], %[y], %[w]\n" \
        "movs %[w], #0\n" \
        "adcs %[w], %[w]\n" \
        "lsls %[w], %[w], #16\n" \
        "adds %[x], %[x], %[w]\n" \
        "lsls %[w], %[y], #16\n" \
        "lsrs %[y], %[y], #16\n" \
        "adds %[z], %[z], %[w]\n" \
        "adcs %[x], %[y]\n" \
        "mov %[w], %[c]\n" \
        "adds %[z], %[z], %[w]\n" \
        "movs %[w], #0\n" \
        "adcs %[x], %[w]\n" \
        "ldr %[y], [%[t], %[at]]\n" \
        "adds %[z], %[z], %[y]\n" \
        "adcs %[x], %[w]\n" \
        "str %[z], [%[t], %[at]]\n" \
        "mov %[c], %[x]\n" \
        : [c] "+r" (c), [w] "=&l" (w), [x] "=&l" (x), [y] "=&l" (y), [z] "=&l" (z) \
        : [b] "r" (b), [t] "l" (t), [low] "l" (low), [high] "l" (high), [at] "i" (4 * (j)) \
        : "cc", "memory")

// t += f * b; gives the carry
static uint32_t add_row(uint32_t *t, uint32_t f, const uint32_t *b) {
    uint32_t low = f & 0xffff, high = f >> 16, c = 0, w, x, y, z;
    STEP(0);
    STEP(1);
    STEP(2);
    STEP(3);
    STEP(4);
    STEP(5);
    STEP(6);
    STEP(7);
    return c;
}

#else

// t += f * b; gives the carry
static inline uint32_t add_row(uint32_t *t, uint32_t f, const uint32_t *b) {
    uint64_t c = 0;
    #pragma GCC unroll 8
    for (int j = 0; j < WORDS; j++) {
        c = (uint64_t)f * b[j] + t[j] + (c >> 32);
        t[j] = c;
    }
    return c >> 32;
}

#endif

// t = a * b, 16 words
static void __attribute__((noinline)) multiply_long(uint32_t *t, const uint32_t *a, const uint32_t *b) {
    for (int i = 0; i < WORDS; i++) {
        t[i] = 0;
    }
    for (int i = 0; i < WORDS; i++) {
        t[i + WORDS] = add_row(t + i, a[i], b);
    }
}

// r = a * b / 2**256 modulo prime
void p256_multiply(uint32_t *r, const uint32_t *a, const uint32_t *b) {
    uint32_t t[2 * WORDS];
    multiply_long(t, a, b);
    // prime = 2**256 - 2**224 + 2**192 + 2**96 - 1: adding t[i] * prime * 2**(32*i) clears word i
    // and needs no multiplication.
    int64_t c = 0;
    #pragma GCC unroll 16
    for (int i = 0; i < 2 * WORDS; i++) {
        c += t[i];
        if (i >= 3 && i < 3 + WORDS) {
            c += t[i - 3];
        }
        if (i >= 6 && i < 6 + WORDS) {
            c += t[i - 6];
        }
        if (i >= 7 && i < 7 + WORDS) {
            c -= t[i - 7];
        }
        if (i >= 8) {
            c += t[i - 8];
            r[i - 8] = c;
        } else {
            t[i] = c;
        }
        c = c >> 32;
    }
    reduce_once(r, c, p256_prime);
}

void p256_to_field(uint32_t *r, const uint8_t *bytes) {
    p256_load(r, bytes);
    p256_multiply(r, r, prime_square);
}

// r = a * b / 2**256 modulo order
static void multiply_order(uint32_t *r, const uint32_t *a, const uint32_t *b) {
    uint32_t t[2 * WORDS];
    multiply_long(t, a, b);
    uint32_t carry = 0;
    for (int i = 0; i < WORDS; i++) {
        uint64_t c = (uint64_t)add_row(t + i, t[i] * ORDER_INVERSE, p256_order) + t[i + WORDS] + carry;
        t[i + WORDS] = c;
        carry = c >> 32;
    }
    p256_copy(r, t + WORDS);
    reduce_once(r, carry, p256_order);
}

static void multiply_either(uint32_t *r, const uint32_t *a, const uint32_t *b, bool field) {
    if (field) {
        p256_multiply(r, a, b);
    } else {
        multiply_order(r, a, b);
    }
}

// r = 1 / a, as a ** (modulus - 2); the exponent is no secret
static void invert(uint32_t *r, const uint32_t *a, bool field) {
    const uint32_t *modulus = field ? p256_prime : p256_order;
    number_t t;
    p256_copy(t, a);
    for (int i = 254; i >= 0; i--) {
        uint32_t word = i < 32 ? modulus[0] - 2 : modulus[i >> 5];
        multiply_either(t, t, t, field);
        if (word >> (i & 31) & 1) {
            multiply_either(t, t, a, field);
        }
    }
    p256_copy(r, t);
}

void p256_invert(uint32_t *r, const uint32_t *a) {
    invert(r, a, true);
}

void p256_quotient(uint8_t *out, const uint8_t *z, const uint8_t *r, const uint8_t *d, const uint8_t *k) {
    number_t a, b;
    p256_load(a, d);
    multiply_order(a, a, order_square);
    p256_load(b, r);
    multiply_order(a, a, b);
    p256_load(b, z);
    reduce_once(b, 0, p256_order);
    reduce_once(a, add_words(a, a, b), p256_order);
    p256_load(b, k);
    multiply_order(b, b, order_square);
    invert(b, b, false);
    multiply_order(a, a, b);
    p256_store(out, a);
}

#endif
