"""What to do next, by the stage at which a connection failed (DESIGN decision 10)."""

from micropython import const

from ..errors import AuthError, Error, ProtocolError

_PROTOCOL = const(-240)

TEXTS = {
    "link": "no network: check Wi-Fi credentials or cable",
    "DNS": "server name not found: check the DNS server and particle.server()",
    "port": "server not reachable: check address, port and firewall",
    "transport": "connection broken off: is this a cloud port of this transport?",
    "server key": "not the cloud this board was provisioned for: check address and server key",
    "device key": "refused by the cloud: register this board's key with `particle keys send`, "
    "check its id and the server key",
    "cloud": "the cloud does not answer",
}


def failure(stage, code):
    """Return the exception for a connection that went down at `stage`, with the remedy."""
    kind = Error
    if "key" in stage:
        kind = AuthError
    elif code == _PROTOCOL:
        kind = ProtocolError
    return kind(code, TEXTS.get(stage, "connection failed"), stage)
