"""Firmware is reproducible: nothing of the place, the time or an earlier build is in it."""

import json
import os

from other_place import OtherPlace
from particle_tools import packing
from particle_tools.firmware import build, sources, toolchain
from silicon import cortex_m3


def test_same_bytes_elsewhere(need, tmp_path):
    """A copy of the tree in another folder, another path of MicroPython, no earlier objects."""
    need(cortex_m3.NAME, cortex_m3.available(), cortex_m3.COMMAND)
    here = build.build("QEMU_M3", out=tmp_path)
    (tmp_path / "micro").symlink_to(sources.fetch())
    said = OtherPlace(tmp_path).run(
        "particle_tools",
        *("firmware", "build", "QEMU_M3", "--fresh", "--json"),
        *("--micropython", str(tmp_path / "micro")),
        seconds=600,
    )
    there = json.loads(said)
    assert os.path.samefile(
        os.path.dirname(there["elf"]), tmp_path / "another-place/build/firmware/QEMU_M3"
    )
    assert (here.sha256, here.modules) == (there["sha256"], there["modules"])
    assert toolchain.version() and sum(here.modules.values()) < here.text


def test_every_module_is_frozen(need):
    need(cortex_m3.NAME, cortex_m3.available(), cortex_m3.COMMAND)
    modules = cortex_m3.image().modules
    assert {name for names in packing.COMPONENTS.values() for name in names} <= set(modules)


def test_nothing_to_do_the_second_time(need, tmp_path):
    need(cortex_m3.NAME, cortex_m3.available(), cortex_m3.COMMAND)
    said = []
    first = build.build("QEMU_M3", out=tmp_path)
    assert build.build("QEMU_M3", out=tmp_path, progress=said.append) == first
    assert not any(text.startswith("compiling") for text in said)
