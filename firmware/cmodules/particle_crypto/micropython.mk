# `_particle_crypto` in the firmware of ports with make: USER_C_MODULES=.../firmware/cmodules
# PARTICLE_CRYPTO_MBEDTLS=1: multiply with the mbedTLS that the port links.
PARTICLE_CRYPTO_MBEDTLS ?= 0
PARTICLE_CRYPTO_DIR := $(USERMOD_DIR)

CFLAGS_USERMOD += -DPARTICLE_CRYPTO_MBEDTLS=$(PARTICLE_CRYPTO_MBEDTLS)
SRC_USERMOD_C += $(PARTICLE_CRYPTO_DIR)/module.c
SRC_USERMOD_LIB_C += $(addprefix $(PARTICLE_CRYPTO_DIR)/, p256.c p256_field.c p256_mbedtls.c ccm.c)

# behind the port's -Os
$(addprefix $(BUILD)/particle_crypto/, p256.o p256_field.o): CFLAGS += -O2
