"""The internet sockets of a process and its descendants, as the kernel sees them (Linux)."""

import os
from dataclasses import dataclass
from pathlib import Path

_PROTOCOLS = ("tcp", "tcp6", "udp", "udp6", "raw", "raw6")
_LISTEN = "0A"
_ESTABLISHED = "01"


@dataclass(frozen=True)
class Socket:
    """One socket; ports are numbers, state the kernel's two digits."""

    protocol: str
    local_port: int
    remote_port: int
    state: str

    @property
    def listens(self):
        """Tell whether anybody could connect to it."""
        return self.state == _LISTEN

    @property
    def connected(self):
        """Tell whether it has one peer; a UDP socket without one takes data from anybody."""
        return self.state == _ESTABLISHED


def family(pid):
    """Return the process and its descendants that live now."""
    found = [pid]
    for parent in found:
        try:
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += [int(p) for p in (task / "children").read_text().split()]
        except OSError:
            continue  # it ended meanwhile
    return found


def sockets(pids):
    """Return the internet sockets that these processes hold."""
    inodes = set()
    for pid in pids:
        inodes |= {h[8:-1] for h in _handles(pid) if h.startswith("socket:[")}
    found = []
    for protocol in _PROTOCOLS if inodes else ():
        for line in Path(f"/proc/net/{protocol}").read_text().splitlines()[1:]:
            words = line.split()
            if words[9] in inodes:
                ports = [int(words[n].rpartition(":")[2], 16) for n in (1, 2)]
                found.append(Socket(protocol, *ports, words[3]))
    return found


def _handles(pid):
    try:
        files = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return
    for file in files:
        try:
            yield os.readlink(file)
        except OSError:
            continue  # closed meanwhile
