# Written by `make mip`.
# ruff: noqa
# Nobody imports or calls this: what it names is in flash; looked up, it takes no memory.


def names():
    import particle.persisted
    import particle.session
    import particle.session.kept
    import particle.store
    import particle.store.queue

    kept
    persisted
    queue
    session
    store
