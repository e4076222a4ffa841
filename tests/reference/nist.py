"""Cases from files of NIST's validation programme, as PyPI's `cryptography-vectors` brings them.

A case is `(function of runner.py, arguments, expected text)`.
"""

import hashlib
from collections.abc import Iterator

import cryptography_vectors

Case = tuple[str, tuple, str]
_FIPS = "asymmetric/ECDSA/FIPS_186-3/"
_KAS = "asymmetric/ECDH/KASValidityTest_ECCStaticUnified_NOKC_ZZOnly_"


def key_pairs() -> Iterator[Case]:
    """Private keys and their public keys."""
    for one in _blocks(_FIPS + "KeyPair.rsp", "P-256"):
        if "Qx" in one:
            yield "public", (one["d"],), _point(one["Qx"], one["Qy"])


def public_keys() -> Iterator[Case]:
    """Points, some of them not on the curve or with coordinates that are too large."""
    for one in _blocks(_FIPS + "PKV.rsp", "P-256"):
        good = one["Result"][0] == "P"
        yield "ecdh", ("1", _point(one["Qx"], one["Qy"])), one["Qx"] if good else "refused"


def shared_secrets() -> Iterator[Case]:
    """Key agreement, with points and results that were changed."""
    for role in ("init", "resp"):
        for one in _blocks(f"{_KAS}{role}.fax", "EC - SHA256"):
            arguments = (one["dsIUT"], _point(one["QsCAVSx"], one["QsCAVSy"]))
            reason = one["Result"].partition("(")[2].split()[0]
            if reason in ("1", "2"):  # the other side's point
                yield "ecdh", arguments, "refused"
            elif reason in ("0", "13"):
                yield "ecdh", arguments, one["Z"]


def made_signatures() -> Iterator[Case]:
    """Signatures with a given nonce."""
    for name, hashed in _hashes():
        for one in _blocks(_FIPS + "SigGen.txt", f"P-256,{name}"):
            yield "sign", (one["d"], hashed(one), one["k"]), _numbers(one)


def checked_signatures() -> Iterator[Case]:
    """Signatures, most of which were changed."""
    for name, hashed in _hashes():
        for one in _blocks(_FIPS + "SigVer.rsp", f"P-256,{name}"):
            point = _point(one["Qx"], one["Qy"])
            good = str(one["Result"][0] == "P")
            yield "verify", (point, hashed(one), one["R"], one["S"]), good


def hmacs() -> Iterator[Case]:
    """RFC 4231, but for its keys that are longer than a block."""
    for one in _blocks("HMAC/rfc-4231-sha256.txt", None):
        if len(one["Key"]) <= 128:
            yield "hmac", (one["Key"], one["Msg"]), one["MD"]


def ccm_texts() -> Iterator[Case]:
    """AES-128-CCM with 12-byte nonces; the tags of NIST's cases are longer than ours."""
    for one in _blocks("ciphers/AES/CCM/VNT128.rsp", "Nlen = 12"):
        for fast in (False, True):
            # the last 8 bytes of what is printed are the tag
            arguments = (fast, one["Key"], one["Nonce"], one["Adata"], one["Payload"])
            yield "seal", arguments, one["CT"][: len(one["Payload"])] + "*" * 16


def _blocks(name: str, section: str | None) -> Iterator[dict[str, str]]:
    # `name = value` lines between empty ones; what stands above the blocks counts for all.
    inside = section is None
    common: dict[str, str] = {}
    block: dict[str, str] = {}
    with cryptography_vectors.open_vector_file(name, "r") as file:
        for line in [*file, ""]:
            text = line.strip()
            if text.startswith("["):
                inside = text == f"[{section}]" or inside and text.startswith("[B.")
            elif inside and "=" in text:
                key, _, value = text.partition("=")
                block[key.strip()] = value.strip()
            elif not text and block:
                if set(block) <= {"Key"}:
                    common = block
                else:
                    yield common | block
                block = {}


def _hashes():
    # (name in the files, function from a block to the digest: its left 32 bytes, or zeros before)
    for name in ("SHA-1", "SHA-224", "SHA-256", "SHA-384", "SHA-512"):
        algorithm = name.replace("-", "").lower()

        def hashed(one, algorithm=algorithm):
            digest = hashlib.new(algorithm, bytes.fromhex(one["Msg"])).digest()
            return digest[:32].rjust(32, b"\x00").hex()

        yield name, hashed


def _point(x: str, y: str) -> str:
    # A coordinate of more than 32 bytes gives a point of the wrong length.
    return "04" + "".join(text.zfill(len(text) + len(text) % 2) for text in (x, y))


def _numbers(one: dict[str, str]) -> str:
    return f"{int(one['R'], 16):x} {int(one['S'], 16):x}"
