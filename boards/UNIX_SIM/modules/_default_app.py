"""What a simulated board runs when it has no main.py: a function, two variables, an event."""

import time

import particle

_MINUTE_MS = 60000


def echo(text):
    """Print the text and return its length."""
    print("echo", text)
    return len(text)


def uptime():
    """Return the seconds since this boot."""
    return time.ticks_diff(time.ticks_ms(), started) // 1000


def until(due):
    """Return a condition: the ticks `due` have come."""
    return lambda: time.ticks_diff(time.ticks_ms(), due) >= 0


started = time.ticks_ms()
particle.function("echo", echo)
particle.variable("uptime", uptime)
particle.variable("temp", 21.5)
particle.connect()
while True:
    particle.publish("sim/alive", uptime())
    particle.wait_until(until(time.ticks_add(time.ticks_ms(), _MINUTE_MS)))
    particle.wait_until(particle.connected)
