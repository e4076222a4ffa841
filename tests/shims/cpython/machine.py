"""MicroPython's module `machine` for CPython runs: what every port has, no pins.

The faithful stand-in is the simulated board's; this one only lets device files
be imported and their use of an absent peripheral be seen.
"""

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5


def unique_id():
    """Return six fixed bytes."""
    return b"\x02cpyth"


def reset_cause():
    """Report a power-on."""
    return PWRON_RESET


def reset():
    """End the process with the simulated board's exit code for a reset."""
    raise SystemExit(77)


def soft_reset():
    """End the process normally, as MicroPython's unix port does."""
    raise SystemExit(0)


def idle():
    """Do nothing."""


def freq():
    """Return a typical clock frequency in Hz."""
    return 240_000_000
