# `_particle_crypto` in the firmware of ports with cmake (esp32, rp2):
# USER_C_MODULES=.../firmware/cmodules/particle_crypto/micropython.cmake
# -DPARTICLE_CRYPTO_MBEDTLS=1: multiply with the mbedTLS that the port links.
add_library(usermod_particle_crypto INTERFACE)
target_sources(usermod_particle_crypto INTERFACE
    ${CMAKE_CURRENT_LIST_DIR}/module.c
    ${CMAKE_CURRENT_LIST_DIR}/p256.c
    ${CMAKE_CURRENT_LIST_DIR}/p256_field.c
    ${CMAKE_CURRENT_LIST_DIR}/p256_mbedtls.c
    ${CMAKE_CURRENT_LIST_DIR}/ccm.c
)
set_source_files_properties(
    ${CMAKE_CURRENT_LIST_DIR}/p256.c ${CMAKE_CURRENT_LIST_DIR}/p256_field.c
    PROPERTIES COMPILE_OPTIONS -O2
)
target_include_directories(usermod_particle_crypto INTERFACE ${CMAKE_CURRENT_LIST_DIR})
if(PARTICLE_CRYPTO_MBEDTLS)
    target_compile_definitions(usermod_particle_crypto INTERFACE PARTICLE_CRYPTO_MBEDTLS=1)
endif()
target_link_libraries(usermod INTERFACE usermod_particle_crypto)
