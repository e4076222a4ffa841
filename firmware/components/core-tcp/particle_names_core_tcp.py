# Written by `make mip`.
# ruff: noqa
# Nobody imports or calls this: what it names is in flash; looked up, it takes no memory.


def names():
    import particle.crypto
    import particle.crypto.der
    import particle.crypto.rsa
    import particle.session
    import particle.session.aes_tcp
    import particle.store
    import particle.store.keys

    aes_tcp
    crypto
    der
    keys
    rsa
    session
    store
