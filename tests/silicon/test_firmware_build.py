"""Firmware is reproducible: nothing of the place, the time or an earlier build is in it."""

from particle_tools.firmware import build, toolchain
from silicon import cortex_m3


def test_same_bytes_again(need, tmp_path):
    need(cortex_m3.NAME, cortex_m3.available(), cortex_m3.COMMAND)
    fresh = build.build("QEMU_M3", out=tmp_path / "fresh", fresh=True)
    again = build.build("QEMU_M3", out=tmp_path / "again")
    assert fresh.sha256 == again.sha256
    assert fresh.modules == again.modules
    assert toolchain.version() and sum(again.modules.values()) < again.text


def test_nothing_to_do_the_second_time(need, tmp_path):
    need(cortex_m3.NAME, cortex_m3.available(), cortex_m3.COMMAND)
    said = []
    first = build.build("QEMU_M3", out=tmp_path)
    assert build.build("QEMU_M3", out=tmp_path, progress=said.append) == first
    assert not any(text.startswith("compiling") for text in said)
