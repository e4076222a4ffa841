"""The server's key as handshakes use it."""

from __future__ import annotations

from datetime import datetime, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from particle_tools.cloud.dtls.handshake import Identity
from particle_tools.cloud.keys import ServerKeys, spki_der

_FROM = datetime(2020, 1, 1, tzinfo=timezone.utc)
_UNTIL = datetime(2120, 1, 1, tzinfo=timezone.utc)


def identity_of(keys: ServerKeys, *, standard: bool = False) -> Identity:
    """Return the P-256 identity; the standard dialect gets a certificate made for the occasion."""
    certificate = None
    if standard:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "local cloud")])
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
        builder = builder.public_key(keys.ec.public_key()).serial_number(1)
        builder = builder.not_valid_before(_FROM).not_valid_after(_UNTIL)
        certificate = builder.sign(keys.ec, hashes.SHA256()).public_bytes(Encoding.DER)
    return Identity(keys.ec, spki_der(keys.ec.public_key()), certificate)
