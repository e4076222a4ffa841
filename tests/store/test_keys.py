"""Key files that are missing, damaged or do not fit (DESIGN 5, store; cloud-protocol 1.1)."""

from particle.errors import ConfigError
from particle.store.keys import RsaKeys
from support import drive, raises
from tcp_peer import field

ID = field("device_id")


class Files:
    """A store with these files."""

    def __init__(self, **changed):
        self.files = {
            "server.rsa.der": field("server_public_key_der"),
            "device.rsa.der": field("device_private_key_der"),
        }
        for name in changed:
            self.files[name + ".rsa.der"] = changed[name]

    def read(self, name):
        return self.files[name]


def test_good_keys():
    for private in ("device_private_key_der", "device_private_key_slot_612"):
        keys = RsaKeys(Files(device=field(private)), ID)
        assert keys.device_id == ID
        assert keys.public == field("device_public_key_der")
        assert keys.server == field("server_public_key_der")
        got = drive(keys.rsa_decrypt(field("encrypted_credentials")))
        assert got == field("credentials")


def refused(stage, name, **files):
    e = raises(ConfigError, RsaKeys, Files(**files), ID)
    assert e.stage == stage and name in str(e), str(e)
    assert "provision" in str(e)


def test_missing_and_empty():
    refused("server key", "server.rsa.der: missing", server=None)
    refused("server key", "server.rsa.der: missing or empty", server=b"")
    refused("device key", "device.rsa.der: missing", device=None)


def test_truncated_and_damaged():
    good = field("device_private_key_der")
    for n in range(1, len(good), 40):
        refused("device key", "device.rsa.der: ", device=good[:n])
    for at in range(0, len(good) - 1, 13):
        bad = good[:at] + bytes([good[at] ^ 0x10]) + good[at + 1 :]
        refused("device key", "device.rsa.der", device=bad)
    server = field("server_public_key_der")
    for n in range(1, len(server), 20):
        refused("server key", "server.rsa.der: ", server=server[:n])
    refused("server key", "server.rsa.der: ", server=b"-----BEGIN PUBLIC KEY-----\n")


def test_wrong_sizes():
    refused("server key", "not RSA-2048", server=field("device_public_key_der"))
    refused("device key", "not RSA-1024", device=field("server_private_key_pkcs1_der"))
