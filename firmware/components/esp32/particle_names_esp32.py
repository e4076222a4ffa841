# Written by `make mip`.
# ruff: noqa
# Nobody imports or calls this: what it names is in flash; looked up, it takes no memory.


def names():
    import particle.ota
    import particle.ota.esp32_ab
    import particle.ota.firmware

    esp32_ab
    firmware
    ota
