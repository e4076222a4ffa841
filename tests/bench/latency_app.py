"""The board's application while time is measured: its own round trips are its events."""

import time

import particle


def wait(ms):
    """Serve the connection for `ms` milliseconds."""
    end = time.ticks_add(time.ticks_ms(), ms)
    particle.wait_until(lambda: time.ticks_diff(time.ticks_ms(), end) >= 0)


particle.function("echo", len)
particle.connect()
wait(500)
last = None
for _ in range(21):
    begin = time.ticks_us()
    particle.publish("round/trip" if last is not None else "round/first", last, ack=True).wait(5)
    last = time.ticks_diff(time.ticks_us(), begin) / 1000
    wait(400)
particle.run()
