# Written by `make mip`.
# ruff: noqa
# Nobody imports or calls this: what it names is in flash; looked up, it takes no memory.


def names():
    import particle.net
    import particle.net.ping
    import particle.net.wifi
    import particle.wireless

    net
    ping
    wifi
    wireless
