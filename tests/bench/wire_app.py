"""The board's application while bytes are counted: the registrations of the transcripts."""

import time

import particle


def wait(ms):
    """Serve the connection for `ms` milliseconds."""
    end = time.ticks_add(time.ticks_ms(), ms)
    particle.wait_until(lambda: time.ticks_diff(time.ticks_ms(), end) >= 0)


particle.function("setCounter", lambda argument: 1)
particle.variable("counter", 1)
particle.variable("temp", 21.5)
particle.variable("text", "hello")
for prefix in ("vdev/in", "alarm", "config"):
    particle.subscribe(prefix, print)
particle.connect()
wait(4000)
for turn in range(5):
    particle.publish("vdev/tick", str(turn), ack=False)
    wait(700)
wait(3000)
for turn in range(5):
    particle.publish("vdev/tick", str(turn), ack=True)
    wait(700)
particle.run()
