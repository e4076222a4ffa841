# Written by `make mip`.
# ruff: noqa
# Nobody imports or calls this: what it names is in flash; looked up, it takes no memory.


def names():
    import particle.ota
    import particle.ota.app_slots
    import particle.ota.assets
    import particle.ota.bootrecord
    import particle.ota.record
    import particle.ota.rescue
    import particle.ota.trial

    app_slots
    assets
    bootrecord
    ota
    record
    rescue
    trial
