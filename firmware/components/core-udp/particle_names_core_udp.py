# Written by `make mip`.
# ruff: noqa
# Nobody imports or calls this: what it names is in flash; looked up, it takes no memory.


def names():
    import particle.crypto
    import particle.crypto.ccm
    import particle.crypto.p256
    import particle.crypto.prf
    import particle.session
    import particle.session.dtls
    import particle.session.resume
    import particle.store
    import particle.store.keys_ec
    import particle.wire
    import particle.wire.dtls_handshake
    import particle.wire.dtls_record

    ccm
    crypto
    dtls
    dtls_handshake
    dtls_record
    keys_ec
    p256
    prf
    resume
    session
    store
    wire
