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
_KINDS = const(("app-ab", "app-romfs", "esp32-ab", "mboot"))


def target(client, board, root, image, boot):
    """Build the target of `board`; raises `UpdateError` with the reason when it has none.

    root: folder for what is stored. image: as of `Staging`. boot: the boot stage that has chosen
    what runs, None without one.
    """
    kind = getattr(board, "OTA", "none")
    if kind not in _KINDS:
        raise _none("this board takes no updates (OTA = %s)" % kind)
    if not boot:
        raise _none("not chosen by the boot stage: start without main.py")
    facts = about(client, board)
    try:
        apps = _apps(kind, client, board, root, image, boot, facts)
        if kind == "esp32-ab":
            from .esp32_ab import Esp32Ab, unusable

            return _both(apps, root, facts, unusable(), Esp32Ab)
        if kind == "mboot":
            from .mboot import Mboot

            own = boot.firmware
            reason = None if own else "the part of the boot stage for mboot is missing"
            return _both(apps, root, facts, reason, lambda *args: Mboot(own, *args))
        return apps
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


def _apps(kind, client, board, root, image, boot, facts):
    from ..wire.module import user_slots
    from .signed import keys

    platform = facts["platform"]
    end = boot.slot  # of the names in the slot that runs
    runs = "ab".find(end[1:]) if end else None
    signers = keys(board, client._store)
    args = root, image, facts, signers, platform, user_slots(platform), runs
    if kind == "app-romfs":
        from .romfs_slots import RomfsSlots

        return RomfsSlots(board, *args)
    from .app_slots import AppSlots

    return AppSlots(*args)


def _both(apps, root, facts, reason, build):
    # applications, and whole firmwares unless there is a reason not to
    from ..wire.module import Image
    from .layers import PLACE, Layers

    if reason:
        print("update: applications only:", reason)
        return apps
    platform = facts["platform"]
    facts = dict(facts)
    # the firmware brings its own; what it runs is checked with the first start
    facts["abi"] = None

    def whole(size, function):
        return Image(size, platform, {PLACE: (0, 0xFFFFFFFF)})

    return Layers(root, apps, build(root, whole, facts, apps._keys, platform))
