"""A sample of the damaged messages of update_mutated.py; `make soak` has more."""

import update_mutated


def test_messages():
    begun, complete = update_mutated.run(400, 7)
    assert begun > 5, (begun, complete)
