// AES-128 and, with it, CCM with an 8-byte tag and a 12-byte nonce (FIPS 197, RFC 3610).

#ifndef PARTICLE_CRYPTO_CCM_H
#define PARTICLE_CRYPTO_CCM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t words[44];
} aes_key_t;

void aes_expand(aes_key_t *key, const uint8_t *bytes);

// Encrypt (or decrypt if `opening`) data[:n] in place; the first 8 bytes of mac[:16] are the tag.
void ccm_run(const aes_key_t *key, uint8_t *mac, const uint8_t *nonce,
    const uint8_t *aad, size_t aad_n, uint8_t *data, size_t n, bool opening);

#endif
