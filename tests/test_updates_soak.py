"""Damaged messages of updates, many of them: a sample is in tests/session."""

import pytest

import update_mutated


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(8))
def test_damaged_messages(seed):
    begun, _ = update_mutated.run(20_000, seed)
    assert begun > 1000
