# Written by `make mip`.
# ruff: noqa
# Nobody imports or calls this: what it names is in flash; looked up, it takes no memory.


def names():
    import particle.listening
    import particle.setup
    import particle.setup.button
    import particle.setup.mode

    button
    listening
    mode
    setup
