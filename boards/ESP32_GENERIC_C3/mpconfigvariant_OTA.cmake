configure_file(${MICROPY_BOARD_DIR}/sdkconfig.ota ${CMAKE_BINARY_DIR}/sdkconfig.ota @ONLY)

# With Bluetooth and the library a slot would be too small.
list(REMOVE_ITEM SDKCONFIG_DEFAULTS boards/sdkconfig.ble)
list(APPEND SDKCONFIG_DEFAULTS ${CMAKE_BINARY_DIR}/sdkconfig.ota)

list(APPEND MICROPY_DEF_BOARD
    MICROPY_HW_BOARD_NAME="ESP32C3 module with OTA"
    MICROPY_PY_BLUETOOTH=0
)

set(MICROPY_FROZEN_MANIFEST ${MICROPY_BOARD_DIR}/manifest_ota.py)
