"""The Wi-Fi networks that a board is to know."""

from particle_tools.on_board._common import open_place


def run(networks):
    """Store what differs, the first in front; return [[SSID, what was done, who had to go]].

    networks: keyword arguments of `Networks.add`. What was done: "added", "changed" or None;
    SSIDs are hex.
    """
    from binascii import hexlify

    from particle.store.networks import Networks

    known = Networks(open_place())
    out = []
    for wanted in reversed(networks):
        wanted = dict(wanted)
        ssid = wanted.pop("ssid")
        password = wanted.pop("password", None)
        found = _find(known, ssid)
        dropped = None
        done = "changed" if found else "added"
        if found and _same(known, found, password, wanted):
            done = None
        else:
            dropped = known.add(ssid, password, **wanted)
        out.insert(0, [hexlify(ssid).decode(), done, dropped and hexlify(dropped).decode()])
    # one that was known has kept its place
    first = networks[0]["ssid"]
    if next(iter(known)).ssid != first:
        known.used(first)
        out[0][1] = out[0][1] or "changed"
    return out


def _find(known, ssid):
    try:
        for network in known:
            if network.ssid == ssid:
                return network
    except OSError as e:
        if "damaged" not in str(e):  # adding replaces it
            raise
    return None


def _same(known, found, password, wanted):
    # whether adding it would change nothing
    if known.password(found.ssid) != (password or None):
        return False
    eap = wanted.get("eap")
    security = wanted.get("security")
    if security is None:
        security = 5 if eap else 255 if password else 0
    static = wanted.get("static")
    same = (
        found.security == security
        and found.hidden == bool(wanted.get("hidden"))
        and found.channel == (wanted.get("channel") or 0)
        and found.cipher == (wanted.get("cipher") or 0)
        and found.static == (tuple(static) if static else None)
        and found.eap == {None: 0, "tls": 13, "peap": 25}.get(eap)
    )
    if not same or not eap:
        return same
    from particle.store.enterprise import certificates

    try:
        files = certificates(known.store, found)
    except OSError as e:
        if "damaged" not in str(e):
            raise
        return False
    outer = wanted.get("outer_identity") or b"anonymous"
    return (
        found.identity == wanted.get("identity")
        and found.outer_identity == outer
        and all(files[name] == (wanted.get(name) or b"") for name in files)
    )
