"""`socket` of the unix port; what belongs to the board's access point is on the host's loopback.

A host has no 192.168.0.1, and ports below 1024 are not for everybody. DIR/radio.json says where
they are instead, for a socket that is bound at the address of the access point:

    {"ap": {"address": "127.0.0.1", "ports": {"80": 8081, "53": 5353, "5609": 5609}}}

These are the defaults; a port that is not named keeps its number.
"""

import json
import sys

import _sim
import usocket
from usocket import *  # noqa: F403

_ADDRESS = "127.0.0.1"
_PORTS = {"80": 8081, "53": 5353}


def getaddrinfo(host, port, *more):
    """Return a list of (family, type, protocol, name, address), with one element here."""
    if port and host == _access_point():
        try:
            ap = json.loads(_sim.read("radio.json") or b"{}").get("ap", {})
        except ValueError:
            ap = {}  # half written by hand
        host = ap.get("address", _ADDRESS)
        port = ap.get("ports", _PORTS).get(str(port), port)
    return usocket.getaddrinfo(host, port, *more)


def _access_point():
    # -> the address of the access point, None while it is off
    network = sys.modules.get("network")
    if network is None:
        return None
    wlan = network.WLAN(network.WLAN.IF_AP)
    return wlan.ifconfig()[0] if wlan.active() else None
