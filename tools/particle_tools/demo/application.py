"""What the demo's board runs as main.py: public names only, as anybody would write it."""

import time

import particle


def count_boots():
    """Return the number of this boot, kept on the board's flash."""
    try:
        with open("boots") as file:
            boots = int(file.read()) + 1
    except (OSError, ValueError):
        boots = 1
    with open("boots", "w") as file:
        file.write(str(boots))
    return boots


@particle.function("door")
def set_door(argument):
    """Open or close the door; return how often it was moved."""
    door.value = argument
    moves.value += 1
    return moves.value


@particle.subscribe("greeting")
def on_greeting(name, data):
    """Remember what somebody published."""
    greeting.value = data


def second(due):
    """Return a condition that holds from the ticks `due` on."""
    return lambda: time.ticks_diff(time.ticks_ms(), due) >= 0


door = particle.variable("door", "closed")
greeting = particle.variable("greeting", "")
moves = particle.variable("moves", 0)
particle.variable("boots", count_boots())
particle.variable("temp", 21.5)
particle.variable("locked", True)
particle.connect()
turn = 0
while True:
    particle.publish("demo/tick", str(turn % 10))
    turn += 1
    particle.wait_until(second(time.ticks_add(time.ticks_ms(), 500)))
    particle.wait_until(particle.connected)
