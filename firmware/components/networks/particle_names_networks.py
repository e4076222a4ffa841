# Written by `make mip`.
# ruff: noqa
# Nobody imports or calls this: what it names is in flash; looked up, it takes no memory.


def names():
    import particle.store
    import particle.store.access
    import particle.store.enterprise
    import particle.store.networks
    import particle.store.nvs
    import particle.store.pair
    import particle.store.place
    import particle.store.sealed

    access
    enterprise
    networks
    nvs
    pair
    place
    sealed
    store
