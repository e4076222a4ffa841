// Points of P-256 and their multiples.

#include "p256.h"

#if !PARTICLE_CRYPTO_MBEDTLS

#include <string.h>

#include "p256_field.h"

#define TEETH_PER_STEP (16) // doublings and additions of the comb
#define WINDOWS_PER_STEP (8) // four doublings and an addition each

// .stage of a work area; 0 is one that has ended
enum { ENDED, FIXED, MULTIPLES, VARIABLE, AFFINE };

typedef p256_point_t point_t;

// In the form of Montgomery: 1 and the curve's b
static const number_t one = {
    0x00000001, 0x00000000, 0x00000000, 0xffffffff, 0xffffffff, 0xffffffff, 0xfffffffe, 0x00000000,
};
static const number_t curve_b = {
    0x29c4bddf, 0xd89cdf62, 0x78843090, 0xacf005cd, 0xf7212ed6, 0xe5a220ab, 0x04874834, 0xdc30061d,
};

static void double_point(point_t *p) {
    number_t w, g, b, a;
    p256_square(w, p->z);
    p256_multiply(p->z, p->z, p->y);
    p256_add(p->z, p->z, p->z);
    p256_square(g, p->y);
    p256_multiply(b, p->x, g);
    p256_add(b, b, b);
    p256_add(b, b, b);
    p256_add(a, p->x, w);
    p256_subtract(w, p->x, w);
    p256_multiply(a, a, w);
    p256_add(w, a, a);
    p256_add(a, a, w);
    p256_square(p->x, a);
    p256_subtract(p->x, p->x, b);
    p256_subtract(p->x, p->x, b);
    p256_subtract(b, b, p->x);
    p256_add(g, g, g);
    p256_square(g, g);
    p256_add(g, g, g);
    p256_multiply(a, a, b);
    p256_subtract(p->y, a, g);
}

// p = p + q. flat: q->z is 1. Only sums that are practically never met, and infinity, which the
// sums of a secret number do not meet on their way, take another path.
static void add_point(point_t *p, const point_t *q, bool flat) {
    number_t u, s, h, w;
    if (p256_is_zero(p->z)) {
        *p = *q;
        return;
    }
    if (p256_is_zero(q->z)) {
        return;
    }
    p256_square(w, p->z);
    p256_multiply(u, q->x, w);
    p256_multiply(w, w, p->z);
    p256_multiply(s, q->y, w);
    if (!flat) {
        p256_square(w, q->z);
        p256_multiply(p->x, p->x, w);
        p256_multiply(w, w, q->z);
        p256_multiply(p->y, p->y, w);
        p256_multiply(p->z, p->z, q->z);
    }
    p256_subtract(h, u, p->x);
    p256_subtract(s, s, p->y);
    if (p256_is_zero(h)) {
        if (p256_is_zero(s)) {
            *p = *q;
            double_point(p);
        } else {
            memset(p, 0, sizeof(*p));
        }
        return;
    }
    p256_multiply(p->z, p->z, h);
    p256_square(w, h);
    p256_multiply(u, p->x, w);
    p256_multiply(w, w, h);
    p256_multiply(p->y, p->y, w);
    p256_square(p->x, s);
    p256_subtract(p->x, p->x, w);
    p256_subtract(p->x, p->x, u);
    p256_subtract(p->x, p->x, u);
    p256_subtract(u, u, p->x);
    p256_multiply(u, u, s);
    p256_subtract(p->y, u, p->y);
}

// k, or k - order if k is even, is the sum of 2**i for the set bits of r and -2**i for the others.
static void recode(uint32_t *r, const uint32_t *k) {
    number_t t, less;
    uint32_t even = ~k[0] & 1;
    p256_copy(t, k);
    p256_subtract_words(less, k, p256_order);
    p256_choose(t, less, p256_mask(even));
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
        uint32_t m = p256_mask((((i ^ index) - 1) >> 31) & 1);
        p256_choose(r->x, table[i].x, m);
        p256_choose(r->y, table[i].y, m);
        p256_choose(r->z, table[i].z, m);
    }
    p256_subtract_words(minus, p256_prime, r->y); // y is never 0
    p256_choose(r->y, minus, p256_mask(plus ^ 1));
}

// The comb's next digit: one bit from each quarter of the number.
static uint32_t tooth(const uint32_t *digits, int i) {
    uint32_t d = 0;
    for (int at = i + 192; at >= 0; at -= 64) {
        d = d << 1 | (digits[at >> 5] >> (at & 31) & 1);
    }
    return d;
}

// Whether the coordinates are below the prime and y**2 = x**3 - 3*x + b
static bool load_point(point_t *p, const uint8_t *bytes) {
    number_t a, b;
    for (int i = 0; i < 2; i++) {
        p256_load(a, bytes + P256_BYTES * i);
        if (!p256_subtract_words(b, a, p256_prime)) {
            return false;
        }
    }
    p256_to_field(p->x, bytes);
    p256_to_field(p->y, bytes + P256_BYTES);
    p256_copy(p->z, one);
    p256_square(a, p->x);
    for (int i = 0; i < 3; i++) {
        p256_subtract(a, a, one);
    }
    p256_multiply(a, a, p->x);
    p256_add(a, a, curve_b);
    p256_square(b, p->y);
    p256_subtract(a, a, b);
    return p256_is_zero(a);
}

static void next_stage(p256_work_t *w) {
    w->stage = w->stage == FIXED && !p256_is_zero(w->u) ? MULTIPLES : AFFINE;
}

bool p256_start(p256_work_t *w, const uint8_t *k, const uint8_t *u, const uint8_t *q, const uint8_t *comb) {
    memset(w, 0, sizeof(*w));
    p256_load(w->u, u);
    if (q == NULL ? !p256_is_zero(w->u) : !load_point(&w->q, q)) {
        return false;
    }
    number_t n;
    p256_load(n, k);
    w->stage = FIXED;
    if (p256_is_zero(n)) {
        next_stage(w);
        return true;
    }
    recode(w->digits, n);
    w->left = 64;
    for (int i = 0; i < 8; i++) {
        p256_to_field(w->table[i].x, comb + 64 * i);
        p256_to_field(w->table[i].y, comb + 64 * i + 32);
        p256_copy(w->table[i].z, one);
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
    p256_load(plain, unit);
    add_point(&w->sum, &w->fixed, false);
    out[2 * P256_BYTES] = !p256_is_zero(w->sum.z);
    p256_invert(z, w->sum.z);
    p256_square(t, z);
    p256_multiply(z, z, t);
    p256_multiply(t, t, plain);
    p256_multiply(z, z, plain);
    p256_multiply(t, t, w->sum.x);
    p256_multiply(z, z, w->sum.y);
    p256_store(out, t);
    p256_store(out + P256_BYTES, z);
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

#endif
