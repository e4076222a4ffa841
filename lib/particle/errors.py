"""Errors an application can meet, with Device OS numbers as `errno` (device-api section 12).

Every error names the stage at which it happened (DESIGN decision 10). The numbers used are
NOT_SUPPORTED -120, NOT_ALLOWED -130, ABORTED -150, TIMEOUT -160, NOT_FOUND -170, TOO_LARGE -190,
LIMIT_EXCEEDED -200, END_OF_STREAM -201, INVALID_STATE -210, FILE -225, NETWORK -230,
PROTOCOL -240, INVALID_ARGUMENT -270, BAD_DATA -280, COAP_RESET -1002, COAP_4XX -1100 and
COAP_5XX -1132; each file has those it raises as private constants, which cost a board nothing.
"""


class Error(OSError):
    """Report a failed operation: `errno` is the Device OS number, `stage` where it failed."""

    def __init__(self, code, text="", stage=None):
        # a traceback of MicroPython shows the arguments, not str(): they tell the stage too
        super().__init__(code, stage + ": " + text if stage else text)
        self.stage = stage
        self.text = text

    def __str__(self):
        return "%s (%d)" % (self.args[1], self.args[0])


# They are made when somebody asks for them: a board has 100 bytes more for each.
_OTHERS = (
    "AuthError",  # keys or identity were refused
    "ProtocolError",  # the peer broke the protocol
    "Disconnected",  # the connection went while one waited for it
    "UpdateError",  # it could not be verified, stored or handed off
    "QueueFull",  # no room for another message; nothing was queued
    "ConfigError",  # missing or wrong; raised before any network I/O
)


def __getattr__(name):
    if name not in _OTHERS:
        raise AttributeError(name)
    kind = globals()[name] = type(name, (Error,), {})
    return kind
