# Written by `make mip`.
# ruff: noqa
# Nobody imports or calls this: what it names is in flash; looked up, it takes no memory.


def names():
    import particle.ota
    import particle.ota.bundle
    import particle.ota.signed
    import particle.ota.sink
    import particle.ota.slots
    import particle.wire
    import particle.wire.describe
    import particle.wire.manifest
    import particle.wire.module

    bundle
    describe
    manifest
    module
    ota
    signed
    sink
    slots
    wire
