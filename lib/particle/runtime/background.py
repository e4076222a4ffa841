"""Service while the prompt is free: a timer schedules the client's step (DESIGN 5, servicing)."""

from micropython import const, schedule

_PERIOD_MS = const(50)


def start(step):
    """Return a running timer that calls `step()` outside interrupts, None without `Timer`."""
    try:
        from machine import Timer
    except ImportError:
        return None

    def run(_):
        step()

    def fire(_):
        try:
            schedule(run, None)
        except RuntimeError:
            pass  # the queue is full: the next one serves

    for number in (-1, 0):  # rp2 has the virtual timer only, esp32 the hardware ones only
        try:
            timer = Timer(number)
            timer.init(period=_PERIOD_MS, mode=Timer.PERIODIC, callback=fire)
            return timer
        except ValueError:
            pass
    return None
