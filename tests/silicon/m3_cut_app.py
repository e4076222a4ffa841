"""What the board runs until its power is cut in test_client_on_cortex_m3."""

import particle

particle.connect(60)
while True:
    particle.publish("m3/again", "1", ack=True, timeout=60)
    particle.wait_until(lambda: False, 0.3)
