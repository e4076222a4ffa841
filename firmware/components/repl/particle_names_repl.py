# Written by `make mip`.
# ruff: noqa
# Nobody imports or calls this: what it names is in flash; looked up, it takes no memory.


def names():
    import particle.optional
    import particle.runtime
    import particle.runtime.background
    import particle.runtime.board
    import particle.runtime.clock
    import particle.runtime.diagnose
    import particle.runtime.events
    import particle.runtime.help
    import particle.runtime.installed
    import particle.runtime.limiter
    import particle.runtime.names
    import particle.runtime.prompt
    import particle.runtime.remedy
    import particle.runtime.rules
    import particle.runtime.stream
    import particle.runtime.system
    import particle.runtime.talk
    import particle.runtime.vitals
    import particle.tasks
    import particle.verbs
    import particle.wire
    import particle.wire.goodbye

    background
    board
    clock
    diagnose
    events
    goodbye
    help
    installed
    limiter
    names
    optional
    prompt
    remedy
    rules
    runtime
    stream
    system
    talk
    tasks
    verbs
    vitals
    wire

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
