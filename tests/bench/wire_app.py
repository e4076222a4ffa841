"""The board's application while bytes are counted: the registrations of the transcripts."""

import os
import time

import particle


def wait(ms):
    """Serve the connection for `ms` milliseconds."""
    end = time.ticks_add(time.ticks_ms(), ms)
    particle.wait_until(lambda: time.ticks_diff(time.ticks_ms(), end) >= 0)


def over_tcp():
    """Publish five times without and five times with an acknowledgement."""
    wait(4000)
    for turn in range(5):
        particle.publish("vdev/tick", str(turn), ack=False)
        wait(700)
    wait(3000)
    for turn in range(5):
        particle.publish("vdev/tick", str(turn), ack=True)
        wait(700)


def over_udp():
    """Connect twice at the first boot; publish once and say when it was acknowledged."""
    if "booted" not in os.listdir():
        open("booted", "w").close()
        wait(4000)
        # once more: the reason of the last reset is told only once
        particle.disconnect(clear_session=True)
        particle.connect()
        wait(4000)
    if particle.publish("vdev/tick", "1", ack=True):
        print("acknowledged")


particle.function("setCounter", lambda argument: 1)
particle.variable("counter", 1)
particle.variable("temp", 21.5)
particle.variable("text", "hello")
for prefix in ("vdev/in", "alarm", "config"):
    particle.subscribe(prefix, print)
particle.connect()
over_udp() if particle.config()["transport"] == "udp" else over_tcp()
particle.run()
