# Written by `make mip`.
# ruff: noqa
# Nobody imports or calls this: what it names is in flash; looked up, it takes no memory.


def names():
    import particle.optional
    import particle.runtime
    import particle.runtime.background
    import particle.runtime.board
    import particle.runtime.clock
    import particle.runtime.coroutine
    import particle.runtime.diagnose
    import particle.runtime.events
    import particle.runtime.help
    import particle.runtime.installed
    import particle.runtime.limiter
    import particle.runtime.names
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
