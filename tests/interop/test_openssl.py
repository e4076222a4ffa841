"""OpenSSL, which nobody here wrote, against the device's RSA, DER and AES (cloud-protocol 1)."""

import shutil
import subprocess

import pytest

from particle.crypto import der, rsa
from particle.session.aes_tcp import Tcp
from support import drive, rng

_DIGEST = bytes(range(20))


@pytest.fixture
def openssl(need):
    """Give a function that runs `openssl ARGUMENTS` and returns its output."""
    program = shutil.which("openssl")
    need("OpenSSL", program, "apt-get install openssl")

    def run(*arguments, data=b""):
        done = subprocess.run(
            [program, *arguments], input=data, capture_output=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    return run


@pytest.fixture(params=[1024, 2048])
def keys(openssl, request, tmp_path):
    """Make a key with OpenSSL; give (private DER, public DER), paths."""
    private, public = tmp_path / "private.der", tmp_path / "public.der"
    pem = openssl("genrsa", "-traditional", str(request.param))
    private.write_bytes(openssl("rsa", "-outform", "DER", "-traditional", data=pem))
    public.write_bytes(openssl("rsa", "-pubout", "-outform", "DER", data=pem))
    return private, public


def test_keys_made_by_openssl_are_read(keys):
    private, public = keys
    key = der.rsa_private(private.read_bytes())
    assert rsa.pair_test(key, public.read_bytes())
    if key[0] >> 1024 == 0:  # a device's own key
        assert der.rsa_spki(key[0]) == public.read_bytes()


def test_openssl_decrypts_what_the_device_encrypts(openssl, keys):
    private, public = keys
    n, e = der.rsa_public(public.read_bytes())
    block = drive(rsa.encrypt(n, e, b"nonce and id", rng(7)))
    arguments = ("pkeyutl", "-decrypt", "-keyform", "DER", "-inkey", str(private))
    assert openssl(*arguments, data=block) == b"nonce and id"


def test_the_device_decrypts_what_openssl_encrypts(openssl, keys):
    private, public = keys
    arguments = ("-encrypt", "-pubin", "-keyform", "DER", "-inkey", str(public))
    block = openssl("pkeyutl", *arguments, data=b"session key of the cloud")
    key = der.rsa_private(private.read_bytes())
    assert drive(rsa.decrypt(key, block)) == b"session key of the cloud"


def test_the_device_checks_a_signature_without_digest_info(openssl, keys):
    private, public = keys
    arguments = ("pkeyutl", "-sign", "-keyform", "DER", "-inkey", str(private))
    signature = openssl(*arguments, data=_DIGEST)
    n, e = der.rsa_public(public.read_bytes())
    assert drive(rsa.verify(n, e, signature, _DIGEST)) is True
    assert drive(rsa.verify(n, e, signature, bytes(20))) is False


def test_aes_cbc(openssl):
    key, iv, text = bytes(range(16)), bytes(range(16, 32)), b"0123456789abcdef" * 3
    arguments = ("enc", "-aes-128-cbc", "-K", key.hex(), "-iv", iv.hex())
    cipher = openssl(*arguments, data=text)
    channel = Tcp(None, None, None)
    channel._key, channel._iv_out = key, iv
    channel.out[2 : 2 + len(text)] = text
    channel.seal(len(text))
    assert bytes(channel.out[: channel.transmit(0)]) == bytes((0, len(cipher))) + cipher
