"""A sample of the damaged input of dtls_mutated.py; `make soak` has 100 000 of each."""

import dtls_mutated


def test_records():
    assert dtls_mutated.records(300, 1) > 50


def test_handshake_messages():
    assert dtls_mutated.handshake(300, 2) > 30


def test_channel():
    ends = dtls_mutated.channel(300, 3)
    assert len(ends) > 5, ends
