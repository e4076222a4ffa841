"""P-256 key files that are missing or damaged (DESIGN 5, store; cloud-protocol 2.2)."""

from binascii import a2b_base64

from particle.crypto import p256
from particle.errors import ConfigError
from particle.store import keys_ec
from particle.store.keys_ec import EcKeys
from support import drive, raises, session_lines

ID = bytes(range(12))


def pem(name):
    """Return the DER of a key in the head of the recorded session."""
    text = next(session_lines())[name]
    return a2b_base64("".join(text.split("\n")[1:-2]))


DEVICE = pem("device_private_key_sec1_pem")
SERVER = keys_ec.ec_spki(keys_ec.ec_private(pem("server_private_key_sec1_pem"))[1])


class Files:
    """A store with these files."""

    def __init__(self, **changed):
        self.files = {"server.ec.der": SERVER, "device.ec.der": DEVICE}
        for name in changed:
            self.files[name + ".ec.der"] = changed[name]

    def read(self, name):
        return self.files[name]


def test_good_keys():
    for padding in (b"", bytes(71), b"\xff" * 71):
        keys = EcKeys(Files(device=DEVICE + padding, server=SERVER + padding), ID)
        assert keys.device_id == ID
        assert keys.server == SERVER and len(keys.public) == 91
        r, s = drive(keys.sign(bytes(32)))
        assert drive(p256.verify(keys_ec.ec_public(keys.public), bytes(32), r, s))


def test_each_key_is_named_when_it_is_bad():
    for stage, name, good in (("server key", "server", SERVER), ("device key", "device", DEVICE)):
        swapped = DEVICE if good is SERVER else SERVER
        for bad in (None, b"", good[:-1], good + b"\x01", b"\x31" + good[1:], swapped, b"PEM"):
            e = raises(ConfigError, EcKeys, Files(**{name: bad}), ID)
            assert not bad or "no P-256 key as DER: provision" in str(e), e
            assert e.stage == stage and name + ".ec.der" in str(e), str(e)
            assert "provision" in str(e)
