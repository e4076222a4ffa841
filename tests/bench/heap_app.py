"""What must fit the heap: connect, one acknowledged publish, one function call."""

import sys

import particle

called = []


def answer(argument):
    """Note the call and answer it."""
    called.append(argument)
    return len(argument)


particle.function("answer", answer)
particle.connect(5)
if not particle.publish("heap/ready", "1", ack=True, timeout=5):
    sys.exit(2)
if not particle.wait_until(lambda: called, 5):
    sys.exit(3)
print("complete")
