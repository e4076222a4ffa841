"""What to do next, by the stage at which a connection failed (DESIGN decision 10)."""

from micropython import const

from ..errors import AuthError, ConfigError, Error, ProtocolError

_PROTOCOL = const(-240)
_TIMEOUT = const(-160)
_NOT_SUPPORTED = const(-120)
_NO_MEMORY = const(-260)

_REFUSED = const(
    "refused by the cloud: register this board's key with `particle keys send`, "
    "check its id and the server key"
)

# the stages of a connection, one after the other
TEXTS = (
    ("link", "no network: check Wi-Fi credentials or cable"),
    ("address", "connection failed"),
    ("DNS", "server name not found: check the DNS server and particle.server()"),
    ("port", "server not reachable: check address, port and firewall"),
    ("transport", "connection broken off: is this a cloud port of this transport?"),
    ("server key", "not the cloud this board was provisioned for: check address and server key"),
    ("device key", _REFUSED),
    ("cloud", "the cloud does not answer: is it overloaded, or the network broken?"),
)


def failure(stage, code):
    """Return the exception for a connection that went down at `stage`, with the remedy."""
    kind = Error
    if "key" in stage:
        kind = AuthError
    elif code == _PROTOCOL:
        kind = ProtocolError
    text = dict(TEXTS).get(stage, "connection failed")
    if code == _NO_MEMORY:
        return Error(code, "a step was cut off: memory ran out, or Ctrl-C", stage)
    if stage == "cloud" and code != _TIMEOUT:
        text = "the connection broke off; it is tried again"
        if code == _PROTOCOL:
            text = "the cloud sent what cannot be read; the connection is tried again"
    return kind(code, text, stage)


def missing(e):
    """Raise `ConfigError` with the remedy when `e` tells of a part that a board may lack."""
    text = str(e)
    if "cryptolib" in text:
        text = "this firmware has no cryptolib: use UDP and the C module, docs/c-module.md"
    elif "particle." in text:
        text += ": install the component of this transport"
    else:
        return
    raise ConfigError(_NOT_SUPPORTED, text, "transport")
