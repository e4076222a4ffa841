"""On a 32-bit MicroPython: setup mode with many visitors, and what it keeps of the heap meanwhile.

The heap counts without what importing takes: that is the code, which is frozen or not. The first
line printed tells the ports; the last one the bytes of data when nobody is there, and at most.
"""

import gc
import socket
import sys
import time

import softap_world
from particle.setup import (
    mode,
    portal,
    softap,
    softap_commands,
    softap_configure,
    softap_dns,
    softap_http,
    softap_json,
    softap_key,
    softap_server,
    softap_tcp,
)

_CODE = (mode, portal, softap_commands, softap_configure, softap_dns, softap_http, softap_json)
_CODE += (softap_key, softap_server, softap_tcp)


class _Network:
    # MicroPython's module `network`, the access point on the loopback
    AP_IF = 1
    STAT_GOT_IP = 1010

    def WLAN(self, interface):
        return self

    def active(self, on):
        pass

    def config(self, **values):
        pass

    def ifconfig(self, values=None):
        return ("127.0.0.1",)


class _World(softap_world.World):
    join = None
    timeout = 0

    def try_join(self, now, ssid=None):
        self.join = "joining"


def _places(ports):
    # the ports that softAP knows -> those of this host
    real = socket.getaddrinfo

    class Moved:
        AF_INET = socket.AF_INET
        SOCK_STREAM = socket.SOCK_STREAM
        SOCK_DGRAM = socket.SOCK_DGRAM
        SOL_SOCKET = socket.SOL_SOCKET
        SO_REUSEADDR = socket.SO_REUSEADDR
        socket = socket.socket

        def getaddrinfo(self, host, port):
            return real(host, ports[port])

    softap_server.socket = softap_dns.socket = Moved()


def _used():
    gc.collect()
    return gc.mem_alloc()


def serve(tcp, http, dns, seconds=60):
    """Listen until somebody asked for connect-ap."""
    _places({5609: tcp, 80: http, 53: dns})
    heard = [
        softap_world.Heard(b"A network of thirty-two bytes %02d" % i, -40 - i) for i in range(20)
    ]
    world = _World(*heard)
    before = _used()
    door = softap.Door(world.ports, _Network())
    door.open(0)
    idle = most = _used() - before
    print("open")
    begin = time.ticks_ms()
    while True:
        now = time.ticks_diff(time.ticks_ms(), begin)
        said = door.step(now)
        most = max(most, _used() - before)
        if said == "connect" or now > seconds * 1000:
            break
        time.sleep_ms(1)
    door.close()
    print(said, idle, most)


if __name__ == "__main__":
    serve(*[int(n) for n in sys.argv[1:]])
