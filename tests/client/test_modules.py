"""The application that an update brought, in the description that the cloud is given."""

import json

from fake_cloud import make, settle
from particle.updating import Updating
from particle.wire.module import Image


def record(name="argon_user.bin"):
    """Return what is kept of a golden module."""
    with open("tests/vectors/modules/" + name, "rb") as file:
        data = file.read()
    image = Image(len(data))
    image.feed(data)
    return image.modules[0].record()


def described(kept):
    """Return what a board says of its system that has this in its store."""
    c, link = make()
    c._store.files["module"] = kept
    c.connect(timeout=30, background=False)
    c.wait_until(lambda: False, 0.1)
    return [m.payload for m in link.take("d") if m.query == b"\x01"]


def test_an_installed_application_is_described():
    (text,) = described(record())
    found = json.loads(text)
    assert found["p"] == 12
    assert [(m["f"], m["n"], m["v"]) for m in found["m"]] == [("s", "1", 6200), ("u", "2", 6)]
    assert len(found["m"][1]["u"]) == 64


def test_a_damaged_record_does_not_keep_a_board_away():
    assert described(b"?") == [b'{"p":6,"m":[]}']
    assert described(None) == [b'{"p":6,"m":[]}']


class Target:
    """What has kept an asset."""

    resets = False

    def finish(self):
        return "assets/cat.txt"


def test_an_asset_that_came_is_told_at_once():
    c, link = make()
    c.connect(timeout=30, background=False)
    c.wait_until(lambda: False, 0.1)
    link.take("d")
    c._store.files["module"] = record("argon_user_assets.bin")
    updating = Updating(c)
    updating.target = Target()
    updating.complete()
    settle(c, link, lambda: [m for m in link.heard if m.path == "d"])
    (m,) = link.take("d")
    needed = json.loads(m.payload)["m"][1]["asset_dependencies"]
    assert [each["name"] for each in needed] == ["cat.txt", "water.bin"]
    assert not c.more.reset_pending
