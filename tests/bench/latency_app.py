"""The board's application while time is measured; what it measures itself it tells as events."""

import time

import particle


def wait(ms):
    """Serve the connection for `ms` milliseconds."""
    end = time.ticks_add(time.ticks_ms(), ms)
    particle.wait_until(lambda: time.ticks_diff(time.ticks_ms(), end) >= 0)


def flood(name, data):
    """Take one of many events; keep when the first and the last came, and how many after it."""
    now = time.ticks_us()
    first, _, after = seen or (now, now, -1)
    seen[:] = first, now, after + 1


seen = []
particle.function("echo", len)
particle.function("flooded", lambda text: seen[2] if seen else 0)
particle.function("flood_us", lambda text: time.ticks_diff(seen[1], seen[0]))
particle.subscribe("flood", flood)
particle.connect()
wait(500)
last = None
for _ in range(21):
    begin = time.ticks_us()
    particle.publish("round/trip" if last is not None else "round/first", last, ack=True).wait(5)
    last = time.ticks_diff(time.ticks_us(), begin) / 1000
    wait(400)
# as many as the device's limiter lets through
wait(1000)
begin = time.ticks_ms()
count = 0
while time.ticks_diff(time.ticks_ms(), begin) < 5000:
    if particle.can_publish():
        particle.publish("often", ack=True)
        count += 1
    particle.process()
rate = count * 1000 / time.ticks_diff(time.ticks_ms(), begin)
wait(1000)
particle.publish("publish/rate", rate, ack=True)
particle.run()
