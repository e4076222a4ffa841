# Written by `make mip`.
metadata(description="Particle device cloud: component repl", license="MIT")
package(
    "particle",
    files=[
        "optional.py",
        "runtime/background.py",
        "runtime/board.py",
        "runtime/clock.py",
        "runtime/coroutine.py",
        "runtime/diagnose.py",
        "runtime/events.py",
        "runtime/help.py",
        "runtime/installed.py",
        "runtime/limiter.py",
        "runtime/names.py",
        "runtime/remedy.py",
        "runtime/rules.py",
        "runtime/stream.py",
        "runtime/system.py",
        "runtime/talk.py",
        "runtime/vitals.py",
        "tasks.py",
        "verbs.py",
        "wire/goodbye.py",
    ],
    base_path="../../../lib",
)
