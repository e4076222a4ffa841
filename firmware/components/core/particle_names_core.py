# Written by `make mip`.
# ruff: noqa
# Nobody imports or calls this: what it names is in flash; looked up, it takes no memory.


def names():
    import particle.client
    import particle.errors
    import particle.net
    import particle.net.dns
    import particle.net.host
    import particle.net.sockets
    import particle.operation
    import particle.optional
    import particle.runtime
    import particle.runtime.board
    import particle.runtime.names
    import particle.runtime.prompt
    import particle.runtime.rules
    import particle.runtime.system
    import particle.session
    import particle.session.aes_tcp
    import particle.session.conn
    import particle.session.messaging
    import particle.session.resume
    import particle.store
    import particle.store.container
    import particle.store.keys
    import particle.store.keys_ec
    import particle.values
    import particle.verbs
    import particle.wire
    import particle.wire.coap
    import particle.wire.goodbye
    import particle.wire.messages

    aes_tcp
    board
    client
    coap
    conn
    container
    dns
    errors
    goodbye
    host
    keys
    keys_ec
    messages
    messaging
    names
    net
    operation
    optional
    prompt
    resume
    rules
    runtime
    session
    sockets
    store
    system
    values
    verbs
    wire
