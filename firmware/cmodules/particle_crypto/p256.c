// P-256 with numbers of eight 32-bit words, in the form of Montgomery (x is kept as x * 2**256).

#include <string.h>

#include "p256.h"

#if !PARTICLE_CRYPTO_MBEDTLS

#define WORDS (8)
#define TEETH_PER_STEP (16) // doublings and additions of the comb
#define WINDOWS_PER_STEP (8) // four doublings and an addition each

// .stage of a work area; 0 is one that has ended
enum { ENDED, FIXED, MULTIPLES, VARIABLE, AFFINE };

typedef p256_number_t number_t;
typedef p256_point_t point_t;

static const number_t prime = {
    0xffffffff, 0xffffffff, 0xffffffff, 0x00000000, 0x00000000, 0x00000000, 0x00000001, 0xffffffff,
};
static const number_t order = {
    0xfc632551, 0xf3b9cac2, 0xa7179e84, 0xbce6faad, 0xffffffff, 0xffffffff, 0x00000000, 0xffffffff,
};
#define ORDER_INVERSE (0xee00bc4f) // -1 / order modulo 2**32

// In the form of Montgomery: 1 and 2**256 modulo prime, the curve's b, 2**256 modulo order
static const number_t one = {
    0x00000001, 0x00000000, 0x00000000, 0xffffffff, 0xffffffff, 0xffffffff, 0xfffffffe, 0x00000000,
};
static const number_t prime_square = {
    0x00000003, 0x00000000, 0xffffffff, 0xfffffffb, 0xfffffffe, 0xffffffff, 0xfffffffd, 0x00000004,
};
static const number_t curve_b = {
    0x29c4bddf, 0xd89cdf62, 0x78843090, 0xacf005cd, 0xf7212ed6, 0xe5a220ab, 0x04874834, 0xdc30061d,
};
static const number_t order_square = {
    0xbe79eea2, 0x83244c95, 0x49bd6fa6, 0x4699799c, 0x2b6bec59, 0x2845b239, 0xf3d95620, 0x66e12d94,
};

// Big-endian bytes, at any address
static void load(uint32_t *r, const uint8_t *bytes) {
    for (int i = WORDS - 1; i >= 0; i--, bytes += 4) {
        r[i] = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    }
}

static void store(uint8_t *bytes, const uint32_t *a) {
    for (int i = WORDS - 1; i >= 0; i--, bytes += 4) {
        bytes[0] = a[i] >> 24;
        bytes[1] = a[i] >> 16;
        bytes[2] = a[i] >> 8;
        bytes[3] = a[i];
    }
}

static void copy(uint32_t *r, const uint32_t *a) {
    for (int i = 0; i < WORDS; i++) {
        r[i] = a[i];
    }
}

static bool is_zero(const uint32_t *a) {
    uint32_t any = 0;
    for (int i = 0; i < WORDS; i++) {
        any |= a[i];
    }
    return !any;
}

// The compiler is not to find out that a mask is one of two values and to branch.
static inline uint32_t mask(uint32_t bit) {
    uint32_t m = -bit;
    __asm ("" : "+r" (m));
    return m;
}

// r = mask ? a : r
static void choose(uint32_t *r, const uint32_t *a, uint32_t m) {
    #pragma GCC unroll 8
    for (int i = 0; i < WORDS; i++) {
        r[i] ^= (r[i] ^ a[i]) & m;
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
static uint32_t subtract_words(uint32_t *r, const uint32_t *a, const uint32_t *b) {
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

static uint32_t subtract_words(uint32_t *r, const uint32_t *a, const uint32_t *b) {
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
    uint32_t borrow = subtract_words(less, r, modulus);
    choose(r, less, mask(carry | (borrow ^ 1)));
}

static void add(uint32_t *r, const uint32_t *a, const uint32_t *b) {
    reduce_once(r, add_words(r, a, b), prime);
}

static void subtract(uint32_t *r, const uint32_t *a, const uint32_t *b) {
    number_t more;
    uint32_t borrow = subtract_words(r, a, b);
    add_words(more, r, prime);
    choose(r, more, mask(borrow));
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
static void __attribute__((noinline)) multiply(uint32_t *r, const uint32_t *a, const uint32_t *b) {
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
    reduce_once(r, c, prime);
}

static void square(uint32_t *r, const uint32_t *a) {
    multiply(r, a, a);
}

// r = a * b / 2**256 modulo order
static void multiply_order(uint32_t *r, const uint32_t *a, const uint32_t *b) {
    uint32_t t[2 * WORDS];
    multiply_long(t, a, b);
    uint32_t carry = 0;
    for (int i = 0; i < WORDS; i++) {
        uint64_t c = (uint64_t)add_row(t + i, t[i] * ORDER_INVERSE, order) + t[i + WORDS] + carry;
        t[i + WORDS] = c;
        carry = c >> 32;
    }
    copy(r, t + WORDS);
    reduce_once(r, carry, order);
}

static void multiply_either(uint32_t *r, const uint32_t *a, const uint32_t *b, bool field) {
    if (field) {
        multiply(r, a, b);
    } else {
        multiply_order(r, a, b);
    }
}

// r = 1 / a, as a ** (modulus - 2); the exponent is no secret
static void invert(uint32_t *r, const uint32_t *a, bool field) {
    const uint32_t *modulus = field ? prime : order;
    number_t t;
    copy(t, a);
    for (int i = 254; i >= 0; i--) {
        uint32_t word = i < 32 ? modulus[0] - 2 : modulus[i >> 5];
        multiply_either(t, t, t, field);
        if (word >> (i & 31) & 1) {
            multiply_either(t, t, a, field);
        }
    }
    copy(r, t);
}

static void double_point(point_t *p) {
    number_t w, g, b, a;
    square(w, p->z);
    multiply(p->z, p->z, p->y);
    add(p->z, p->z, p->z);
    square(g, p->y);
    multiply(b, p->x, g);
    add(b, b, b);
    add(b, b, b);
    add(a, p->x, w);
    subtract(w, p->x, w);
    multiply(a, a, w);
    add(w, a, a);
    add(a, a, w);
    square(p->x, a);
    subtract(p->x, p->x, b);
    subtract(p->x, p->x, b);
    subtract(b, b, p->x);
    add(g, g, g);
    square(g, g);
    add(g, g, g);
    multiply(a, a, b);
    subtract(p->y, a, g);
}

// p = p + q. flat: q->z is 1. Only sums that are practically never met, and infinity, which the
// sums of a secret number do not meet on their way, take another path.
static void add_point(point_t *p, const point_t *q, bool flat) {
    number_t u, s, h, w;
    if (is_zero(p->z)) {
        *p = *q;
        return;
    }
    if (is_zero(q->z)) {
        return;
    }
    square(w, p->z);
    multiply(u, q->x, w);
    multiply(w, w, p->z);
    multiply(s, q->y, w);
    if (!flat) {
        square(w, q->z);
        multiply(p->x, p->x, w);
        multiply(w, w, q->z);
        multiply(p->y, p->y, w);
        multiply(p->z, p->z, q->z);
    }
    subtract(h, u, p->x);
    subtract(s, s, p->y);
    if (is_zero(h)) {
        if (is_zero(s)) {
            *p = *q;
            double_point(p);
        } else {
            memset(p, 0, sizeof(*p));
        }
        return;
    }
    multiply(p->z, p->z, h);
    square(w, h);
    multiply(u, p->x, w);
    multiply(w, w, h);
    multiply(p->y, p->y, w);
    square(p->x, s);
    subtract(p->x, p->x, w);
    subtract(p->x, p->x, u);
    subtract(p->x, p->x, u);
    subtract(u, u, p->x);
    multiply(u, u, s);
    subtract(p->y, u, p->y);
}

// k, or k - order if k is even, is the sum of 2**i for the set bits of r and -2**i for the others.
static void recode(uint32_t *r, const uint32_t *k) {
    number_t t, less;
    uint32_t even = ~k[0] & 1;
    copy(t, k);
    subtract_words(less, k, order);
    choose(t, less, mask(even));
    // 2**256 - 1 more: that is 1 less, and what is carried is what the order has taken
    uint32_t top = even ^ 1;
    for (uint32_t i = 0, borrow = 1; i < WORDS; i++) {
        uint32_t word = t[i];
        t[i] = word - borrow;
        borrow &= word == 0;
    }
    for (int i = 0; i < WORDS; i++) {
        r[i] = t[i] >> 1 | (i < WORDS - 1 ? t[i + 1] : top) << 31;
    }
}

// r = table[digit & 7], or minus table[~digit & 7] if digit < 8; all eight are read
static void pick(point_t *r, const point_t *table, uint32_t digit) {
    uint32_t plus = digit >> 3;
    uint32_t index = (digit ^ (plus - 1)) & 7;
    number_t minus;
    memset(r, 0, sizeof(*r));
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t m = mask((((i ^ index) - 1) >> 31) & 1);
        choose(r->x, table[i].x, m);
        choose(r->y, table[i].y, m);
        choose(r->z, table[i].z, m);
    }
    subtract_words(minus, prime, r->y); // y is never 0
    choose(r->y, minus, mask(plus ^ 1));
}

// The comb's next digit: one bit from each quarter of the number.
static uint32_t tooth(const uint32_t *digits, int i) {
    uint32_t d = 0;
    for (int at = i + 192; at >= 0; at -= 64) {
        d = d << 1 | (digits[at >> 5] >> (at & 31) & 1);
    }
    return d;
}

static void to_field(uint32_t *r, const uint8_t *bytes) {
    load(r, bytes);
    multiply(r, r, prime_square);
}

// Whether the coordinates are below the prime and y**2 = x**3 - 3*x + b
static bool load_point(point_t *p, const uint8_t *bytes) {
    number_t a, b;
    for (int i = 0; i < 2; i++) {
        load(a, bytes + P256_BYTES * i);
        if (!subtract_words(b, a, prime)) {
            return false;
        }
    }
    to_field(p->x, bytes);
    to_field(p->y, bytes + P256_BYTES);
    copy(p->z, one);
    square(a, p->x);
    for (int i = 0; i < 3; i++) {
        subtract(a, a, one);
    }
    multiply(a, a, p->x);
    add(a, a, curve_b);
    square(b, p->y);
    subtract(a, a, b);
    return is_zero(a);
}

static void next_stage(p256_work_t *w) {
    w->stage = w->stage == FIXED && !is_zero(w->u) ? MULTIPLES : AFFINE;
}

bool p256_start(p256_work_t *w, const uint8_t *k, const uint8_t *u, const uint8_t *q, const uint8_t *comb) {
    memset(w, 0, sizeof(*w));
    load(w->u, u);
    if (q == NULL ? !is_zero(w->u) : !load_point(&w->q, q)) {
        return false;
    }
    number_t n;
    load(n, k);
    w->stage = FIXED;
    if (is_zero(n)) {
        next_stage(w);
        return true;
    }
    recode(w->digits, n);
    w->left = 64;
    for (int i = 0; i < 8; i++) {
        to_field(w->table[i].x, comb + 64 * i);
        to_field(w->table[i].y, comb + 64 * i + 32);
        copy(w->table[i].z, one);
    }
    return true;
}

// The odd multiples q, 3*q .. 15*q
static void multiples(p256_work_t *w) {
    w->fixed = w->sum;
    w->sum = w->q;
    double_point(&w->sum);
    w->table[0] = w->q;
    for (int i = 1; i < 8; i++) {
        w->table[i] = w->table[i - 1];
        add_point(&w->table[i], &w->sum, false);
    }
    recode(w->digits, w->u);
    w->left = 64;
    w->stage = VARIABLE;
}

static void digits(p256_work_t *w, bool comb) {
    point_t p;
    for (int n = comb ? TEETH_PER_STEP : WINDOWS_PER_STEP; n > 0 && w->left; n--) {
        bool first = w->left-- == 64;
        uint32_t i = w->left;
        pick(&p, w->table, comb ? tooth(w->digits, i) : w->digits[i >> 3] >> (i & 7) * 4 & 15);
        if (first) {
            w->sum = p;
            continue;
        }
        for (int j = comb ? 1 : 4; j > 0; j--) {
            double_point(&w->sum);
        }
        add_point(&w->sum, &p, comb);
    }
    if (!w->left) {
        next_stage(w);
    }
}

static void affine(p256_work_t *w, uint8_t *out) {
    static const uint8_t unit[P256_BYTES] = {[P256_BYTES - 1] = 1};
    number_t plain, z, t;
    load(plain, unit);
    add_point(&w->sum, &w->fixed, false);
    out[2 * P256_BYTES] = !is_zero(w->sum.z);
    invert(z, w->sum.z, true);
    square(t, z);
    multiply(z, z, t);
    multiply(t, t, plain);
    multiply(z, z, plain);
    multiply(t, t, w->sum.x);
    multiply(z, z, w->sum.y);
    store(out, t);
    store(out + P256_BYTES, z);
    memset(w, 0, sizeof(*w));
}

bool p256_step(p256_work_t *w, uint8_t *out) {
    switch (w->stage) {
        case FIXED:
        case VARIABLE:
            if (w->left > 64) {
                w->left = 64;
            }
            digits(w, w->stage == FIXED);
            return false;
        case MULTIPLES:
            multiples(w);
            return false;
        default:
            affine(w, out);
            return true;
    }
}

void p256_quotient(uint8_t *out, const uint8_t *z, const uint8_t *r, const uint8_t *d, const uint8_t *k) {
    number_t a, b;
    load(a, d);
    multiply_order(a, a, order_square);
    load(b, r);
    multiply_order(a, a, b);
    load(b, z);
    reduce_once(b, 0, order);
    reduce_once(a, add_words(a, a, b), order);
    load(b, k);
    multiply_order(b, b, order_square);
    invert(b, b, false);
    multiply_order(a, a, b);
    store(out, a);
}

#endif
