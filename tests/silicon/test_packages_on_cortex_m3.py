"""The library from the cloud's index onto the emulated Cortex-M3, by mpremote over its socket."""

import re
import subprocess

import pytest

from e2e.mpremote import mpremote, refused, run
from particle_tools import packing
from particle_tools.firmware import qemu
from particle_tools.firmware.bridge import Bridge
from particle_tools.local import LocalCloud, wait_for
from silicon import cortex_m3
from silicon.m3_board import M3Board
from silicon.serial_socket import SerialSocket

_ID = "3a" * 12
# What is installed instead of what is frozen into this firmware.
_ALONE = "import os, sys; os.chdir('/'); sys.path[:] = ['', '/flash/lib', '.frozen']; "
_USE = (
    "import particle; print(particle.__file__); particle.connect(60);"
    " print(bool(particle.publish('installed', 'yes', ack=True, timeout=60))); os.chdir('/flash')"
)


@pytest.fixture
def cloud(need, tmp_path):
    """Give a running cloud."""
    need(cortex_m3.NAME, cortex_m3.available(), cortex_m3.COMMAND)
    cloud = LocalCloud(tmp_path)
    yield cloud
    cloud.stop()


@pytest.fixture
def port(cloud, tmp_path):
    """Give the URL of the prompt of a board that is a device of the cloud's."""
    psram = M3Board(tmp_path / "board", cloud, _ID, "udp").psram
    with Bridge() as bridge, SerialSocket() as prompt:
        qemu.prepare(psram, {}, 0, bytes(range(32)))
        elf = cortex_m3.image().elf
        words = qemu.command(elf, psram, [prompt.serial, bridge.serial])
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL)
        try:
            assert wait_for(lambda: run(prompt.url, "exec", "pass")[0] == 0, 100)
            yield prompt.url
        finally:
            process.kill()
            process.wait()


@pytest.mark.timeout(900)
def test_from_the_index_from_a_folder_and_away_again(cloud, port, tmp_path):
    index = ("mip", "install", "--index", cloud.url + "/mip")
    before = mpremote(port, "fs", "ls", ":pt")
    said = mpremote(port, *index, "core-udp", "host")
    files = len(packing.COMPONENTS["core-udp"]) + len(packing.COMPONENTS["host"])
    assert said.count("Installing: ") == files
    file, published = mpremote(port, "exec", _ALONE + _USE).splitlines()[-2:]
    assert (file, published) == ("/flash/lib/particle/__init__.mpy", "True")
    # again: only what was damaged meanwhile
    damage = "with open('/flash/lib/particle/net/host.mpy', 'ab') as f: f.write(b'x')"
    mpremote(port, "exec", damage)
    for written in (["host.mpy"], []):
        said = mpremote(port, *index, "host")
        assert re.findall(r"Installing: .*/(.*)", said) == written
    assert "Exists: /flash/lib/particle/net/host.mpy" in said
    packing.build_packages(tmp_path / "mip")
    said = mpremote(port, "mip", "install", "./package.json", cwd=tmp_path / "mip" / "backup")
    assert sorted(re.findall(r"Installing: .*/(.*)", said)) == ["backup.mpy", "retained.mpy"]
    assert "Package not found" in refused(port, *index, "nothing")
    mpremote(port, "fs", "rm", "-r", ":lib/particle")
    assert mpremote(port, "fs", "ls", ":lib").split("\n")[1:] == [""]
    after = mpremote(port, "fs", "ls", ":pt")
    assert names(after) >= names(before) >= {"device.ec.der", "server.ec.der", "config.json"}


def names(listing):
    """Return the names of files that `fs ls` shows."""
    return {line.split()[1] for line in listing.splitlines()[1:]}
