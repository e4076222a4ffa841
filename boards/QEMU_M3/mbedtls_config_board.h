// The parts of mbedTLS that MicroPython's cryptolib and hashlib use, chosen as in its own
// extmod/mbedtls/mbedtls_config_common.h.

#define MBEDTLS_AES_C
#define MBEDTLS_AES_ROM_TABLES
#define MBEDTLS_CIPHER_MODE_CBC
#define MBEDTLS_MD5_C
#define MBEDTLS_SHA1_C
#define MBEDTLS_SHA224_C
#define MBEDTLS_SHA256_C
