"""A simulated board in listening mode that nobody has provisioned, with what is in its air."""

import json
import time
from binascii import unhexlify
from pathlib import Path

import ports
from particle_tools.sim import image
from particle_tools.sim.board_dir import BoardDir
from process_sockets import family, sockets
from sim.boards import Sim

VECTORS = json.loads(Path("tests/vectors/setup-softap.json").read_text())
DEVICE_ID = "3200200018473335313231ef"
_SECONDS = 60

# The application goes on meanwhile: it prints what the board knows as soon as it has changed.
_PROGRAM = """
import json
import time
import particle
from particle.store.enterprise import certificates

def text(octets):
    try:
        return octets and octets.decode()
    except UnicodeError:
        return repr(octets)

def known():
    found = {}
    networks = particle.wifi._networks
    for n in particle.wifi.credentials():
        f = found[text(n.ssid)] = {"security": n.security, "hidden": n.hidden, "eap": n.eap}
        f.update({"password": text(networks.password(n.ssid)), "static": n.static})
        if n.eap:
            f.update({"identity": text(n.identity), "outer_identity": text(n.outer_identity)})
            files = certificates(networks.store, n)
            f.update({name: text(files[name]) for name in files})
    return json.dumps([found, text(particle.cloud._store.get(4))])

particle.setup.start(wait=False)
shown = None
turns = 0
again = time.ticks_ms()
while particle.setup.active():
    particle.process()
    time.sleep_ms(2)
    turns += 1
    if time.ticks_diff(time.ticks_ms(), again) > 50:
        again = time.ticks_ms()
        now = known()
        if now != shown:
            shown = now
            print("knows", now)
print("setup is over", turns)
while not particle.wifi.ready():
    particle.process()
    if particle.setup.active():
        print("listens again", particle.setup.mode.join)
        break
    time.sleep_ms(10)
print("ends", particle.wifi)
while True:
    particle.process()
    time.sleep_ms(20)
"""


class SetupBoard:
    """One board. air: the networks it hears. key: None for a board that has no RSA key."""

    def __init__(self, folder, air, key=VECTORS["test_key"]["private_key_der_pkcs1"], **values):
        board = BoardDir(folder / "board")
        board.path.mkdir(parents=True)
        board.unique_id(DEVICE_ID)
        self.radio = board.path / "radio.json"
        self.ports = {name: ports.take() for name in ("80", "53", "5609")}
        ap = {"address": "127.0.0.1", "ports": self.ports}
        # MicroPython's json does not join the halves of an escaped character
        text = json.dumps({"networks": air, "ap": ap, "scan_ms": 20, **values}, ensure_ascii=False)
        self.radio.write_text(text)
        files = {"/boot.py": b""}
        if key:
            files["/pt/device.rsa.der"] = unhexlify(key)
        image.write(board.flash, files)
        script = folder / "program.py"
        script.write_text(_PROGRAM)
        self._sim = Sim(board, "--script", script)
        self.says("setup: join the network")

    @property
    def pid(self):
        """Return the id of its process, whose children are the board."""
        return self._sim.process.pid

    @property
    def tcp(self):
        """Return the port of the TCP protocol."""
        return self.ports["5609"]

    @property
    def http(self):
        """Return the port of the HTTP server."""
        return self.ports["80"]

    def says(self, text):
        """Return the first line of the console that contains `text`, waiting for it."""
        return self._sim.wait_for(text)

    def lines(self):
        """Return what it has printed so far."""
        return list(self._sim.lines)

    def knows(self, fits):
        """Return (networks, claim code) that the board knows once fits(networks, code)."""
        end = time.monotonic() + _SECONDS
        while True:
            found = [line for line in self.lines() if line.startswith("knows ")]
            networks, code = json.loads(found[-1][6:]) if found else ({}, None)
            if found and fits(networks, code):
                return networks, code
            assert time.monotonic() < end, self.lines()
            time.sleep(0.02)

    def listeners(self):
        """Return the ports of the access point at which the board has sockets."""
        wanted = set(self.ports.values())
        return {
            s.local_port for s in sockets(family(self.pid)) if s.listens or s.local_port in wanted
        }

    def close(self):
        """Switch it off."""
        self._sim.close()
