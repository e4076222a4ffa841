"""The device's DTLS channel with the local cloud: two implementations of the same text."""

import concurrent.futures
import secrets
import shutil

import pytest

import dtls_device
import ports

_OPEN = [["STAGE", "transport", None], ["OPEN", False, None]]
_INTERPRETERS = pytest.mark.parametrize("micropython", [False, True], ids=["cpython", "unix"])
_PROFILES = pytest.mark.parametrize("profile", [0, 1], ids=["compact", "device-os"])


class Device:
    """A device of the user, and what it is to say first."""

    def __init__(self, folder, api):
        self.folder = folder
        self.id = secrets.token_hex(12)
        dtls_device.make_keys(folder)
        api.provision(self.id, (folder / "device.pub.pem").read_text(), "ecc")
        api.claim(self.id)
        (folder / "server.ec.der").write_bytes(api.server_key("ec"))

    def messages(self, first=1):
        """Return a Hello and two pings, each answered by one datagram."""
        tail = "000c" + self.id + "18380480001000000200"
        hello = "4002%04xb168ff" % first + "0003000100360003" + tail
        return [hello] + ["4000%04x" % (first + i) for i in (1, 2)]


@pytest.fixture(scope="module")
def device(tmp_path_factory, api):
    return Device(tmp_path_factory.mktemp("device"), api)


def run(device, cloud, micropython=False, **options):
    options = {"say": device.messages(), "answers": 3} | options
    return dtls_device.run(device.folder, cloud.ready["udp_port"], micropython, **options)


@_INTERPRETERS
@_PROFILES
def test_handshake_and_data(cloud, api, device, profile, micropython):
    found = run(device, cloud, micropython, profile=profile)
    assert found["events"] == _OPEN
    assert found["got"][0].startswith("60") and found["got"][0][4:8] == "0001"
    assert len(bytes.fromhex(found["cid"])) == 8 and found["own"] == ""
    assert api.device(device.id)["last_handshake_at"]
    # the handshake without what was said behind it
    up, down = found["up"][:3], found["down"][:3]
    if profile:
        assert up[:2] == [116, 132] and sum(up) + sum(down) <= 1150
    else:
        up[2] -= 29 + len(device.messages()[0]) // 2 + 9
        assert up[:2] == [108, 124] and sum(up) + sum(down) <= 1095


@_PROFILES
def test_a_lost_datagram_is_repaired(cloud, api, tmp_path, profile):
    def lose(lost):
        ((way, (index,)),) = lost.items()
        folder = tmp_path / f"{way}-{index}"
        folder.mkdir()
        options = {"profile": profile, "seconds": 15} | lost
        if profile == 0 and index == 2:
            # what was said behind Finished is for the connection to repeat
            options |= {"say": [], "answers": 0, "settle": True}
        found = run(Device(folder, api), cloud, **options)
        assert found["events"] == _OPEN, lost
        assert len(found["got"]) == options.get("answers", 3), lost

    with concurrent.futures.ThreadPoolExecutor() as pool:  # each waits 3 s for its repetition
        list(pool.map(lose, [{way: [n]} for way in ("drop", "ignore") for n in range(3)]))


def test_another_cloud_is_named(cloud, device, tmp_path):
    dtls_device.make_keys(tmp_path)
    shutil.copy(device.folder / "device.ec.der", tmp_path)
    found = dtls_device.run(tmp_path, cloud.ready["udp_port"])
    assert found["events"][-1] == ["DOWN", "server key", -130]


@_PROFILES
def test_a_device_the_cloud_does_not_know(cloud, device, tmp_path, profile):
    dtls_device.make_keys(tmp_path)
    shutil.copy(device.folder / "server.ec.der", tmp_path)
    port = cloud.ready["udp_port"]
    options = {"say": device.messages(), "answers": 1, "profile": profile}
    found = dtls_device.run(tmp_path, port, **options)
    assert found["events"][-1] == ["DOWN", "device key", -130]


def test_nobody_there(device):
    found = dtls_device.run(device.folder, ports.take(), seconds=5)
    assert found["events"][-1] == ["DOWN", "port", -230]
