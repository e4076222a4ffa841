# Written by `make mip`.
# ruff: noqa
# Nobody imports or calls this: what it names is in flash; looked up, it takes no memory.


def names():
    import particle.client
    import particle.errors
    import particle.net
    import particle.net.dns
    import particle.net.sockets
    import particle.operation
    import particle.session
    import particle.session.conn
    import particle.session.messaging
    import particle.store
    import particle.store.container
    import particle.wire
    import particle.wire.coap
    import particle.wire.messages

    particle.can_publish
    particle.clear_session
    particle.config
    particle.connect
    particle.connected
    particle.diagnose
    particle.disconnect
    particle.disconnected
    particle.events
    particle.flush
    particle.function
    particle.get_ip
    particle.get_name
    particle.get_random
    particle.keep_alive
    particle.process
    particle.publish_vitals
    particle.run
    particle.run_forever
    particle.server
    particle.set_disconnect_options
    particle.subscribe
    particle.sync_time
    particle.sync_time_pending
    particle.time_synced_last
    particle.unsubscribe
    particle.usage
    particle.variable
    particle.wait_until
