configure_file(${MICROPY_BOARD_DIR}/sdkconfig.ota ${CMAKE_BINARY_DIR}/sdkconfig.ota @ONLY)

list(APPEND SDKCONFIG_DEFAULTS ${CMAKE_BINARY_DIR}/sdkconfig.ota)

list(APPEND MICROPY_DEF_BOARD
    MICROPY_HW_BOARD_NAME="ESP32C3 module with OTA"
)

set(MICROPY_FROZEN_MANIFEST ${MICROPY_BOARD_DIR}/manifest_ota.py)
