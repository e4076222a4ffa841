"""Failures that a user caused and can mend."""

import errno

_FULL = (errno.ENOSPC, errno.EDQUOT)


class UserError(Exception):
    """A mistake to report as one line on stderr with exit status 1, without a traceback."""


def reason(error: OSError) -> str:
    """Say what the computer refused, and what to do where its disk is full."""
    remedy = ": make room on that disk" if error.errno in _FULL else ""
    return f"{error.strerror or error}{remedy}"
