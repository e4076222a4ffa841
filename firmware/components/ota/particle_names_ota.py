# Written by `make mip`.
# ruff: noqa
# Nobody imports or calls this: what it names is in flash; looked up, it takes no memory.


def names():
    import particle.ota
    import particle.ota.direct
    import particle.ota.staging
    import particle.ota.targets
    import particle.session
    import particle.session.chunked
    import particle.session.transfer
    import particle.session.update
    import particle.updating
    import particle.wire
    import particle.wire.ota

    chunked
    direct
    ota
    session
    staging
    targets
    transfer
    update
    updating
    wire
