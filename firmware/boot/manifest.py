# ruff: noqa: F821  the names belong to MicroPython's makemanifest
# include(".../firmware/boot/manifest.py", romfs=True) where OTA = "app-romfs"; firmware=True where
# the firmware can be replaced too (OTA = "esp32-ab", "mboot")
metadata(description="The boot stage of a board with two applications", license="MIT")
options.defaults(romfs=False, firmware=False)
freeze(".", ("main.py", "particle_boot.py"))
freeze(".", "particle_rom.py" if options.romfs else "particle_files.py")
if options.firmware:
    freeze(".", "particle_firmware.py")
