"""What the board runs in test_client_on_cortex_m3: one of each, then off."""

import particle

calls = []


def answer(argument):
    """Note the call and answer with its length."""
    calls.append(argument)
    return len(argument)


particle.function("answer", answer)
particle.variable("level", lambda: 42)
particle.connect(60)
assert particle.publish("m3/here", "1", ack=True, timeout=30)
assert particle.wait_until(lambda: calls, 60), "nobody called"
print("called with", calls[0])
