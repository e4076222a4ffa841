"""What a board is and has."""

from particle_tools.on_board._common import json, open_place, profile


def run():
    """Return facts; what cannot be read is told in `problems`, as [stage, text].

    usable: the store can be opened.
    """
    import os
    import sys

    import particle

    board = profile()
    out = {
        "library": particle.version,
        "name": getattr(board, "NAME", None),
        "platform": sys.platform,
        "micropython": list(sys.implementation.version[:3]),
        "net": board.NET,
        "transport": board.TRANSPORT,
        "platform_id": board.PLATFORM_ID,
        "store": getattr(board, "STORE", "littlefs"),
        "problems": [],
        "usable": False,
        "config": {},
        "networks": [],
        "claim_code": False,
        "free": None,
        "files": {},
    }
    problems = out["problems"]

    def tell(e, what):
        problems.append([getattr(e, "stage", None) or what, getattr(e, "text", None) or str(e)])

    try:
        store = open_place()
    except (OSError, ValueError) as e:
        tell(e, "store")
        store = None
    if store:
        out["usable"] = True
        _look_into(store, out, tell)
        if store.root:
            try:
                room = os.statvfs(store.root if store.root[:1] == "/" else "")
                out["free"] = room[0] * room[3]
            except OSError:
                pass
    given = out["config"].get("device_id") if isinstance(out["config"], dict) else None
    out["id_from"] = "config.json"
    if not given:
        from particle.runtime.board import device_id

        try:
            given = device_id()
            out["id_from"] = "machine.unique_id"
        except OSError as e:
            tell(e, "id")
    out["device_id"] = given
    return out


def _look_into(store, out, tell):
    try:
        data = store.read("config.json")
        if data is not None:
            try:
                out["config"] = json.loads(data)
                version = out["config"].get("v")
            except (ValueError, AttributeError):
                out["config"], version = {}, None
            if version != 1:
                newer = isinstance(version, int) and version > 1
                text = "of a newer version: update the library" if newer else "damaged"
                out["problems"].append(["store", "config.json is " + text])
        from particle.store.access import claim_code

        out["claim_code"] = bool(claim_code(store))
    except OSError as e:
        tell(e, "store")
    try:
        from binascii import hexlify

        from particle.store.networks import Networks

        for network in Networks(store):
            out["networks"].append([hexlify(network.ssid).decode(), network.security])
    except OSError as e:
        tell(e, "store")
    for kind in (1, 3):  # session, access point
        try:
            store.get(kind)
        except OSError as e:
            tell(e, "store")
    out["files"] = _keys(store, tell)


def _keys(store, tell):
    from binascii import hexlify

    found = {}
    for name in ("server.ec.der", "server.rsa.der"):
        try:
            data = store.read(name)
        except OSError as e:
            tell(e, "store")
            continue
        if data:
            found[name] = hexlify(data).decode()
    return found
