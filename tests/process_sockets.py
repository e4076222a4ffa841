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
    return list(_found(_inodes(pids)).values())


class Watch:
    """Looks again and again for sockets of processes to which somebody could connect.

    The kernel takes milliseconds to list all there are: it is asked only for what is new.
    """

    def __init__(self):
        self._harmless = set()  # inodes of what can never listen any more

    def listening(self, pids):
        """Return the sockets that listen now, and those for raw packets."""
        new = _inodes(pids) - self._harmless
        if not new:
            return []
        found = _found(new)
        never = {i for i, one in found.items() if one.connected or one.protocol[:3] == "udp"}
        self._harmless |= never | new & _local()
        return [one for one in found.values() if one.listens or one.protocol[:3] == "raw"]


def _inodes(pids):
    return {h[8:-1] for pid in pids for h in _handles(pid) if h.startswith("socket:[")}


def _found(inodes):
    found = {}
    for protocol in _PROTOCOLS if inodes else ():
        for line in Path(f"/proc/net/{protocol}").read_text().splitlines()[1:]:
            words = line.split()
            if words[9] in inodes:
                ports = [int(words[n].rpartition(":")[2], 16) for n in (1, 2)]
                found[words[9]] = Socket(protocol, *ports, words[3])
    return found


def _local():
    # of sockets within this machine, which pairs of processes have
    return {line.split()[6] for line in Path("/proc/net/unix").read_text().splitlines()[1:]}


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
