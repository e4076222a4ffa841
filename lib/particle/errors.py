"""Errors an application can meet, with Device OS numbers (device-api section 12).

Every error names the stage at which it happened (DESIGN decision 10), and for
the stages of a connection the text says what to do next.
"""

BUSY = -110
NOT_SUPPORTED = -120
NOT_ALLOWED = -130
CANCELLED = -140
ABORTED = -150
TIMEOUT = -160
NOT_FOUND = -170
TOO_LARGE = -190
LIMIT_EXCEEDED = -200
END_OF_STREAM = -201
INVALID_STATE = -210
IO = -220
FILE = -225
NETWORK = -230
PROTOCOL = -240
INTERNAL = -250
NO_MEMORY = -260
INVALID_ARGUMENT = -270
BAD_DATA = -280
COAP_RESET = -1002
COAP_TIMEOUT = -1003
COAP_4XX = -1100
COAP_5XX = -1132

# What a newcomer does next, by the stage of the connection that failed.
_REMEDY = {
    "link": "no network: check Wi-Fi credentials or cable",
    "DNS": "server name not found: check the DNS server and particle.server()",
    "port": "server not reachable: check address, port and firewall",
    "transport": "connection broken off: is this a Particle cloud port of this transport?",
    "server key": "the server's key is not the stored one: provision again or check the address",
    "device key": "refused: register this board's key with `particle keys send`, check its id",
    "cloud": "the cloud does not answer",
}


class Error(OSError):
    """Report a failed operation: `errno` is the Device OS number, `stage` where it failed."""

    def __init__(self, code, text="", stage=None):
        text = text or _REMEDY.get(stage, "error")
        super().__init__(code, text)
        self.stage = stage
        self.text = text

    def __str__(self):
        return "%s%s (%d)" % (self.stage + ": " if self.stage else "", self.text, self.args[0])


class AuthError(Error):
    """Keys or identity were refused."""


class ProtocolError(Error):
    """The peer broke the protocol."""


class Disconnected(Error):
    """The connection went away while an operation waited for it."""


class UpdateError(Error):
    """An update could not be verified, stored or handed off."""


class QueueFull(Error):
    """No room for another message; nothing was queued."""


class ConfigError(Error):
    """The configuration is missing or wrong; raised before any I/O on the network."""


def failure(stage, code):
    """Return the exception that describes a connection which went down at `stage`."""
    kind = Error
    if stage in ("server key", "device key"):
        kind = AuthError
    elif code == PROTOCOL:
        kind = ProtocolError
    return kind(code, "", stage)
