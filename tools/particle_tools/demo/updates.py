"""Steps of the demo: applications over the air, one that is well and one that is not."""

import time
from typing import Any

from particle_tools.demo.stage import Stage, Told, check
from particle_tools.images import applications, bundles, files, signing
from particle_tools.local import SimulatedBoard, wait_for
from particle_tools.sim import image

_LIMIT = 40  # seconds
_CLIENT = 0x00010000  # the least version of the library, 0.1.0
_GOOD = """
import particle
particle.variable("version", {version})
particle.connect()
particle.run()
"""
_BAD = 'raise RuntimeError("version 2 does not work")\n'


def update(stage: Stage) -> Told:
    """The board has an application sent to it, signed; it is tried and kept."""
    stage.board.stop()
    key = signing.make(stage.folder / "updates.pem", "p256")
    known = {"/pt/update.0.der": signing.der(key.public_key())}
    image.write(stage.folder / "board" / "flash.img", known)
    _boot(stage)
    device = stage.board.device_id
    data = _image(stage, 1, _GOOD)
    before = stage.api.usage(device)
    begin = time.monotonic()
    stage.api.flash(device, data)
    found = _flashed(stage)
    check(found == "success", f"the update ended with {found}")
    check(wait_for(lambda: _version(stage) == 1, _LIMIT), "the new application does not run")
    check(_kept(stage, 1), "the new application was not kept")
    seconds = round(time.monotonic() - begin, 1)
    after = stage.api.usage(device)
    down = after["datagram_down"] - before["datagram_down"]
    return Told(
        f"an application over the air: {len(data)} bytes, signed; tried, found well and kept"
        f" after {seconds} s",
        {"update_bytes": len(data), "update_s": seconds, "update_datagram_bytes": down},
    )


def bad_update(stage: Stage) -> Told:
    """An application that fails is tried three times and given up; the cloud is told why."""
    stage.api.flash(stage.board.device_id, _image(stage, 2, _BAD))
    told = ""
    while not told.startswith("update_rollback"):
        told = stage.events.wait("spark/device/last_reset", _LIMIT)["data"] or ""
    check(wait_for(lambda: _version(stage) == 1, _LIMIT), "the old application does not run")
    return Told(
        f'one that does not work: the old one is back, and the board says "{told}"',
        {"rollback": told},
    )


def _boot(stage: Stage) -> None:
    # without a program: the boot stage chooses the application
    stage.board = SimulatedBoard(stage.folder / "board", stage.cloud, transport=None)
    stage.running.append(stage.board)

    def described() -> bool:
        device = stage.api.device(stage.board.device_id)
        return device["online"] and device["functions"] == ["echo"]

    check(wait_for(described, _LIMIT), "the board did not come online")


def _image(stage: Stage, version: int, source: str) -> bytes:
    folder = stage.folder / f"version-{version}"
    folder.mkdir()
    (folder / "app.py").write_text(source.format(version=version))
    content = applications.files(folder)
    abi = applications.abi(content)
    platform = applications.platform_of("UNIX_SIM") or 0
    facts = bundles.Facts("UNIX_SIM", platform, platform, version, 0, abi, _CLIENT)
    key = signing.private(stage.folder / "updates.pem")
    return files.pack(bundles.make(facts, content).signed(key))


def _flashed(stage: Stage) -> str:
    while True:
        data = stage.events.wait("spark/flash/status", _LIMIT)["data"].strip()
        if data != "started":
            return data


def _version(stage: Stage) -> Any:
    device = stage.api.device(stage.board.device_id)
    if not device["online"] or "version" not in device["variables"]:
        return None
    return stage.api.read(stage.board.device_id, "version")


def _kept(stage: Stage, version: int) -> bool:
    line = f"update: version {version} is kept"
    return bool(wait_for(lambda: line in stage.board.lines(), _LIMIT))
