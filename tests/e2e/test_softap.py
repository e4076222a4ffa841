"""From the board's own access point to the cloud, by the commands of docs/setup.md."""

import json
import re
import shlex

import ports
from particle_tools import ROOT, cli

_PROGRAM = """
import particle
particle.setup.start()
particle.wait_until(particle.connected)
particle.publish("online", str(particle.wifi.ssid))
while particle.cloud._store.get(4) != b"1":
    particle.process()
particle.publish("claimed")
particle.run()
"""


def commands(cloud):
    """Return the command lines of the guide as lists of words, for this cloud."""
    text = (ROOT / "docs/setup.md").read_text()
    first, *lines = re.search(r"```shell\n(.*?)```", text, re.DOTALL)[1].splitlines()
    assert first.startswith("CLOUD=")
    given = f"--cloud {cloud.url} --user {cloud.user}"
    found = [shlex.split(line.replace("$CLOUD", given)) for line in lines]
    assert all(words[0] == "particle-mp" for words in found)
    return [words[1:] for words in found]


def test_from_access_point_to_cloud(desk, cloud, events, tmp_path, capsys):
    places = {name: ports.take() for name in ("80", "53", "5609")}
    home = {"ssid": "MyNetwork", "password": "correct horse"}
    air = {"networks": [home], "scan_ms": 50, "join_ms": 20, "address_ms": 20}
    air["ap"] = {"address": "127.0.0.1", "ports": places}
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "radio.json").write_text(json.dumps(air))
    where = ["--address", "127.0.0.1", "--port", str(places["5609"])]
    where += ["--pages", str(places["80"])]
    listed, joined = commands(cloud)
    joined[joined.index("MyNetwork")] = "MyNetwork:correct horse"  # nobody types here
    with desk.may_listen():
        board = desk.board(_PROGRAM, "new", transport="udp")
        board.said("setup: join the network")
        assert cli.main([*listed, *where]) == 0
        assert capsys.readouterr().out.split() == ["-60", "dBm", "wpa2", "MyNetwork"]
        status = cli.main([*joined, *where, "--json"])
        said = capsys.readouterr()
        assert status == 0, said.err
        report = json.loads(said.out)
        assert report["device_id"] == board.device_id and report["online"]
        assert report["joined"]["ssid"] == "MyNetwork" and report["claim_code"] == "stored"
        assert events.wait("online", 60)["data"] == "b'MyNetwork'"
        events.wait("claimed", 60)
    assert "Traceback" not in board.output()
