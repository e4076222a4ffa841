"""The key files of a board: looked at, checked, replaced. No private key leaves it."""

from particle_tools.on_board._common import open_place

_DEVICE = {"device.ec.der": "udp", "device.rsa.der": "tcp"}
_SERVER = ("server.ec.der", "server.rsa.der")


def run(file=None, content=None):
    """Return by name [public key as hex of DER or None, what is wrong or None].

    file, content: what to store instead, if it differs; then the result is whether it did.
    """
    store = open_place()
    if file:
        if store.read(file) == content:
            return False
        store.erase(1)  # a session is of two keys
        store.write(file, content)
        return True
    out = {}
    for each in _DEVICE:
        out[each] = _device(store, each)
    for each in _SERVER:
        out[each] = _server(store, each)
    return out


def _device(store, name):
    from binascii import hexlify

    from particle.store.keygen import public

    try:
        found = public(store, _DEVICE[name])
        if found and name == "device.ec.der":
            from particle.crypto import p256
            from particle.store.keys_ec import ec_private

            d, point = ec_private(store.read(name))
            steps = p256.public(d)
            while True:
                try:
                    next(steps)
                except StopIteration as end:
                    if end.value != point:
                        return [None, "its halves do not belong together"]
                    break
        return [hexlify(found).decode() if found else None, None]
    except ImportError:
        return [None, "this transport is not installed"] if store.read(name) else [None, None]
    except (OSError, ValueError) as e:
        return [None, getattr(e, "text", None) or str(e)]


def _server(store, name):
    from binascii import hexlify

    try:
        found = store.read(name)
    except OSError as e:
        return [None, getattr(e, "text", None) or str(e)]
    return [hexlify(found).decode() if found else None, None]
