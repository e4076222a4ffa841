"""A board in setup mode, with what is in its air, and the cloud that it is to reach."""

import json

import ports
from interop.boards import eventually
from particle_tools.local import SimulatedBoard
from process_sockets import family, sockets

HOME = {"ssid": "Home", "password": "correct horse", "rssi": -50, "channel": 6}
ATTACK = "<script>top.hit=1</script>"
# placeholders of texts and of what replaces them
MARKS = "%2 $& %1 {{js}}"
AIR = [
    {"ssid": "Cafe", "security": "open", "rssi": -75},
    HOME | {"rssi": -85, "bssid": "020000000001"},
    HOME,
    {"ssid": ATTACK, "password": "12345678", "rssi": -66},
    {"ssid": '"><img src=x onerror=hit=1>', "password": "12345678", "rssi": -71},
    {"ssid": MARKS, "password": "12345678", "rssi": -73},
    {"ssid": "Corp", "security": "wpa2-enterprise", "rssi": -78},
    {"ssid": "Caf\u00e9 \\ \u96f6", "password": "12345678", "rssi": -62},
    {"ssid": "Attic", "password": "in the dark", "rssi": -60, "hidden": True},
]

_PROGRAM = """
import particle
particle.setup.start()
print("setup is over")
particle.wait_until(particle.connected)
print("online", particle.wifi.ssid, particle.wifi.local_ip)
while True:
    particle.wait_until(lambda: False, 60)
"""


def places():
    """Return ports of the loopback for what an access point serves, for one board at a time."""
    return {name: ports.take() for name in ("80", "53", "5609")}


class Board(SimulatedBoard):
    """A new board of a cloud's user, listening at `places`.

    options: of the `sim` command. air: more of what is in radio.json.
    """

    def __init__(self, folder, cloud, places, transport="tcp", options=(), **air):
        self._folder = folder / "board"
        self._folder.mkdir(parents=True)
        self._ports = places
        self._cloud = cloud
        self.hears(AIR, **air)
        script = folder / "program.py"
        script.write_text(_PROGRAM)
        self._start = {"script": script, "transport": transport, "options": options}
        super().__init__(self._folder, cloud, **self._start)
        self.says("setup: join the network")

    def cut_power(self):
        """Switch it off and on."""
        self.kill()
        super().__init__(self._folder, self._cloud, **self._start)

    def hears(self, air, **values):
        """Change what is in the air."""
        ap = {"address": "127.0.0.1", "ports": self._ports}
        text = json.dumps({"networks": air, "ap": ap, "join_ms": 400, **values})
        new = self._folder / "radio.json.new"
        new.write_text(text)
        new.rename(self._folder / "radio.json")

    def says(self, text):
        """Return the first whole line of the console that contains `text`, waiting for it."""
        found = eventually(lambda: [line for line in self.lines() if text in line] or self._dead())
        assert found is not self, self.output()
        return found[0]

    def _dead(self):
        return None if self.alive() else self

    def listeners(self):
        """Return the ports on which anything of this board listens."""
        mine = set(self._ports.values())
        found = sockets(family(self.process.pid))
        return {s.local_port for s in found if s.listens or s.local_port in mine}

    def online(self, ssid):
        """Wait until setup is over: nothing listens, and it is in the cloud by way of `ssid`."""
        assert f"online b'{ssid}'" in self.says("online ")
        assert self.listeners() == set()
        api = self._cloud.api()
        eventually(lambda: api.device(self.device_id)["online"])
