"""Ports for whoever must know his before he listens, or wants the same one again.

What the system gives (port 0) is of the range for outgoing connections: once closed, it may be
anybody's. These are below that range, and one process of the tests at a time has each.
"""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_COUNT = 10000
_ENOUGH = 100
_TRIES = 1000
_lock = None  # a file; byte N of it is locked by the process that has port N
_taken = set()
_dialled = set()  # (port called, own port) of UDP sockets


def take():
    """Return a port, free for TCP and UDP, that is ours until this process ends.

    Raises RuntimeError when all are in use.
    """
    numbers = _numbers()
    for port in random.SystemRandom().sample(numbers, len(numbers)):
        if port not in _taken and _locked(port) and _free(port):
            _taken.add(port)
            return port
    raise RuntimeError(f"no port of {numbers.start} to {numbers.stop - 1} is free")


def options(*names):
    """Return options for `particle-mp cloud` that give it such ports, of "tcp", "udp", "http"."""
    return [word for name in names for word in (f"--{name}-port", str(take()))]


def dial(port, host="127.0.0.1"):
    """Return a UDP socket of ours on `host`, connected to `port` here, from a new port.

    A cloud goes on sending to whom it believes connected: a port that was used for it before may
    be sent what is for another. Raises RuntimeError when there is no new one.
    """
    refused = []
    try:
        for _ in range(_TRIES):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind((host, 0))
            pair = (port, sock.getsockname()[1])
            if pair not in _dialled:
                _dialled.add(pair)
                sock.connect(("127.0.0.1", port))
                return sock
            refused.append(sock)  # open until we have one, or it would be given again
    finally:
        for sock in refused:
            sock.close()
    raise RuntimeError(f"every port was used to call {port} before")


def _numbers():
    try:
        outgoing = int(_RANGE.read_text().split()[0])
    except OSError:
        outgoing = 30000  # no Linux; the others begin at 49152
    found = range(max(1024, outgoing - _COUNT), outgoing)
    # a host without room there: the lock still keeps our processes apart
    return found if len(found) >= _ENOUGH else range(20000, 20000 + _COUNT)


def _locked(port):
    global _lock
    if _lock is None:
        path = Path(tempfile.gettempdir(), f"particle-mp-ports-{os.getuid()}")
        _lock = path.open("ab")
    try:
        fcntl.lockf(_lock, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


def _free(port):
    # no SO_REUSEADDR: a port on which connections have just ended is in use, too
    try:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET, kind) as s:
                s.bind(("", port))
    except OSError:
        return False
    return True
