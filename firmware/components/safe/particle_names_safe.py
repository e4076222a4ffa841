# Written by `make mip`.
# ruff: noqa
# Nobody imports or calls this: what it names is in flash; looked up, it takes no memory.


def names():
    import particle.runtime
    import particle.runtime.control
    import particle.runtime.power

    control
    power
    runtime
