"""Whether a board's store can still be written."""

from particle_tools.on_board._common import open_place


def run():
    """Write a file, read it back and remove it; return the writes that this took."""
    store = open_place()
    content = b"doctor" * 40
    store.write("doctor", content)
    kept = store.read("doctor") == content
    store.remove("doctor")
    if not kept:
        raise OSError("what was written is not what is read")
    return store.wear()
