"""What all programs on a board have in common; `@pt` marks their lines among others."""

import json


def say(kind, value):
    """Send one line to the host."""
    print("@pt " + json.dumps([kind, value]))


def profile():
    """Return the board's profile, the generic one if it has none."""
    try:
        import particle_board
    except ImportError:
        from particle.runtime import board

        return board
    return particle_board


def open_place():
    """Return the store of the board; raises on FAT."""
    from particle.store.place import open_store

    return open_store(profile())


def answer(run, arguments):
    """Run a program and send its result, or what went wrong."""
    try:
        say("result", run(**arguments))
    except Exception as e:
        text = getattr(e, "text", None) or str(e)
        say("error", [type(e).__name__, getattr(e, "stage", None), text])
