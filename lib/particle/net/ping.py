"""Whether a host answers: ICMP echo (RFC 792) over a raw socket, where a port has them."""

import struct

from micropython import const

from ..errors import Error

_NOT_SUPPORTED = const(-120)  # Device OS

_ICMP = const(1)  # protocol
_ECHO = const(8)  # types
_REPLY = const(0)
_HEAD = const(">BBHHH")  # type, code, checksum, identifier, sequence number
_TICKS = const(0x3FFFFFFF)


def checksum(data):
    """Return the sum of RFC 1071 over data of even length, which is 0 when it holds its own."""
    total = 0
    for i in range(0, len(data), 2):
        total += data[i] << 8 | data[i + 1]
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def request(mark, number):
    """Return an echo request; mark: 8 bytes that the answer has, too."""
    head = struct.pack(_HEAD, _ECHO, 0, 0, mark[0] << 8 | mark[1], number)
    total = checksum(head + mark)
    return struct.pack(_HEAD, _ECHO, 0, total, mark[0] << 8 | mark[1], number) + mark


def answers(packet, mark, number):
    """Tell whether a packet, with its IP header, is the answer to that request."""
    if len(packet) < 20:
        return False
    body = packet[(packet[0] & 15) * 4 :]
    if len(body) != 16 or checksum(body):
        return False
    kind, code, _, _, found = struct.unpack(_HEAD, body[:8])
    return (kind, code, found) == (_REPLY, 0, number) and body[8:] == mark


def ping(address, tries, timeout_ms, ticks, rng, socket=None):
    """Yield while it waits, return how many of `tries` requests were answered in their time.

    address: as text. ticks: function that gives the time in ms. rng(n) gives random bytes.
    Raises `Error(NOT_SUPPORTED)` when the port has no raw sockets, or not for this program.
    """
    if socket is None:
        import socket
    try:
        s = socket.socket(socket.AF_INET, socket.SOCK_RAW, _ICMP)
    except (AttributeError, OSError):
        raise Error(_NOT_SUPPORTED, "no raw sockets here", "link") from None
    count = 0
    try:
        s.setblocking(False)
        where = socket.getaddrinfo(address, 0)[0][-1]
        for number in range(tries):
            mark = rng(8)
            start = ticks()
            try:
                s.sendto(request(mark, number), where)
            except OSError:
                pass  # no way there: that is no answer
            while (ticks() - start) & _TICKS < timeout_ms:
                yield
                try:
                    if answers(s.recv(256), mark, number):
                        count += 1
                        break
                except OSError:
                    pass  # nothing yet
    finally:
        s.close()
    return count
