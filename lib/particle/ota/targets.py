"""Where updates of a board go: the target that its profile names (DESIGN 5, OTA).

A target takes one file at a time: `begin`, `write`, `pause`, `verify`, `finish`, `discard` as
`Staging` has them, with `stored`, `size`, `resumed` and `resets`. Only the one that a board has is
loaded.
"""

import sys

from micropython import const

from ..errors import UpdateError

# Error numbers of Device OS (errors.py)
_NOT_SUPPORTED = const(-120)

_UNKNOWN = const(0xFFFF)  # id of a product


def target(client, board, root, image, boot):
    """Build the target of `board`; raises `UpdateError` with the reason when it has none.

    root: folder for what is stored. image: as of `Staging`. boot: the boot stage that has chosen
    what runs, None without one.
    """
    kind = getattr(board, "OTA", "none")
    build = _KINDS.get(kind)
    if not build:
        raise _none("this board takes no updates (OTA = %s)" % kind)
    if not boot:
        raise _none("not chosen by the boot stage: start without main.py")
    try:
        return build(client, board, root, image, boot)
    except ImportError as e:
        raise _none("not installed: the component for OTA = %s (%s)" % (kind, e)) from None


def _none(text):
    return UpdateError(_NOT_SUPPORTED, text)


def about(client, board):
    """Give what a bundle for this board has to say of it, as of `Manifest.check`."""
    from .. import version_number

    platform = client._values["platform_id"]
    product = client._values["product_id"]
    return {
        "board": getattr(board, "NAME", sys.platform),
        "platform": platform,
        "product": platform if product == _UNKNOWN else product,
        "abi": getattr(sys.implementation, "_mpy", 0),
        "client": version_number,
    }


def _esp32_ab(client, board, root, image, boot):
    from .esp32_ab import Esp32Ab, unusable

    apps = _app_ab(client, board, root, image, boot)
    return _both(client, board, apps, unusable(), Esp32Ab)


def _mboot(client, board, root, image, boot):
    from .mboot import Mboot

    apps = _app_ab(client, board, root, image, boot)
    own = boot.firmware
    reason = None if own else "the part of the boot stage for mboot is missing"
    return _both(client, board, apps, reason, lambda *args: Mboot(own, *args))


def _both(client, board, apps, reason, build):
    # applications, and whole firmwares unless there is a reason not to
    from ..wire.module import Image
    from .layers import PLACE, Layers

    if reason:
        print("update: applications only:", reason)
        return apps
    facts = about(client, board)
    # the firmware brings its own; what it runs is checked with the first start
    facts["abi"] = None
    platform = facts["platform"]

    def whole(size, function):
        return Image(size, platform, {PLACE: (0, 0xFFFFFFFF)})

    root = apps._root
    return Layers(root, apps, build(root, whole, facts, apps._keys, platform))


def _app_ab(*args):
    from .app_slots import AppSlots

    return AppSlots(*_slots(*args))


def _app_romfs(client, board, *args):
    from .romfs_slots import RomfsSlots

    return RomfsSlots(board, *_slots(client, board, *args))


def _slots(client, board, root, image, boot):
    from ..wire.module import user_slots
    from .signed import keys

    facts = about(client, board)
    platform = facts["platform"]
    end = boot.slot  # of the names in the slot that runs
    runs = "ab".find(end[1:]) if end else None
    signers = keys(board, client._store)
    return root, image, facts, signers, platform, user_slots(platform), runs


_KINDS = {
    "app-ab": _app_ab,
    "app-romfs": _app_romfs,
    "esp32-ab": _esp32_ab,
    "mboot": _mboot,
}
