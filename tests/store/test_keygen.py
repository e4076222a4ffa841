"""Keys made on the device are keys that others read; what is there is never replaced."""

import sys

from particle.crypto import p256, rsa
from particle.crypto.der import rsa_private, rsa_public
from particle.crypto.rsagen import generate
from particle.errors import ConfigError
from particle.store.keygen import make, public
from particle.store.keys import RsaKeys
from particle.store.keys_ec import EcKeys, ec_private
from store_places import places
from support import drive, raises, rng


def test_ec_key():
    for _, store, _ in places("ec"):
        assert public(store, "udp") is None
        shown = list(make(store, "udp", rng(5)))
        assert shown == sorted(shown) and shown[0] >= 0 and shown[-1] < 100
        spki = public(store, "udp")
        data = store.read("device.ec.der")
        assert len(data) == 121 and len(spki) == 91
        d, point = ec_private(data)
        assert drive(p256.public(d)) == point and spki[-65:] == point
        assert list(make(store, "udp", rng(6))) == [] and store.read("device.ec.der") == data
        store.write("server.ec.der", spki)
        assert EcKeys(store, bytes(12)).public == spki
        store.write("device.ec.der", data[:-1])
        for wrong in (public, lambda s, t: list(make(s, t, rng(7)))):
            e = raises(ConfigError, wrong, store, "udp")
            assert e.stage == "device key" and "remove" in str(e)
        assert store.read("device.ec.der") == data[:-1]


if sys.platform != "qemu":  # minutes on an emulated processor; slices are counted in tests/bench

    def test_rsa_key():
        _, store, _ = next(places("rsa"))
        shown = list(make(store, "tcp", rng(3)))
        assert shown == sorted(shown) and shown[-1] < 100
        data = store.read("device.rsa.der")
        key = rsa_private(data)
        n, e, d, p, q, dp, dq, qinv = key
        assert n >> 1023 == 1 and e == 65537 and p > q and p * q == n
        assert rsa.pair_test(key, public(store, "tcp"))
        assert rsa_public(public(store, "tcp")) == (n, e)
        block = drive(rsa.encrypt(n, e, b"message", rng(9)))
        assert drive(rsa.decrypt(key, block)) == b"message"
        assert pow(pow(5, d, n), e, n) == 5
        assert list(make(store, "tcp", rng(4))) == [] and store.read("device.rsa.der") == data
        store.write("server.rsa.der", public(store, "tcp"))
        raises(ConfigError, RsaKeys, store, bytes(12))  # its key has 2048 bits

    def test_no_random_bytes():
        for byte in (b"\x00", b"\xff", b"\x55"):
            raises(ValueError, drive, generate(lambda n: byte * n, [0]))  # noqa: B023
