"""Failures that a user caused and can mend."""


class UserError(Exception):
    """A mistake to report as one line on stderr with exit status 1, without a traceback."""
