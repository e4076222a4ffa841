"""The server's half of a full handshake, from the hello with the right cookie to both Finished.

Works on handshake messages; records, numbers and repetition are the link's. The Particle dialect
sends no Certificate: the server's key is pinned in the device (cloud-protocol 2.2). The standard
dialect, for peers nobody here wrote, sends one (2.9).
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from particle_tools.cloud.dtls import keys as dtls_keys
from particle_tools.cloud.dtls import messages
from particle_tools.cloud.dtls.fragments import Reassembly, parse_fragments
from particle_tools.cloud.dtls.messages import ClientHello, Malformed, Message
from particle_tools.cloud.refusals import DEVICE_KEY, TRANSPORT

HANDSHAKE_FAILURE, BAD_CERTIFICATE, ACCESS_DENIED = 40, 42, 49
DECODE_ERROR, DECRYPT_ERROR, UNEXPECTED_MESSAGE = 50, 51, 10

_EMPTY_RENEGOTIATION = b"\0"
_UNCOMPRESSED = b"\x01\x00"
_RAW_KEY = bytes([messages.RAW_KEY])


class Fatal(Exception):
    """The handshake cannot go on: the alert to send, the stage and the reason to record."""

    def __init__(self, alert: int, stage: str, reason: str) -> None:
        super().__init__(reason)
        self.alert = alert
        self.stage = stage
        self.reason = reason


@dataclass(frozen=True)
class Identity:
    """The server's key; `certificate` (X.509 DER) makes it speak the standard dialect."""

    key: ec.EllipticCurvePrivateKey
    spki: bytes
    certificate: bytes | None = None


class Handshake:
    """One handshake. `cid` is what the client shall put into its records if it asks for one."""

    def __init__(self, identity: Identity, hello: Message, offer: ClientHello, cid: bytes) -> None:
        """Answer the hello. Raises Fatal if nothing in common is offered."""
        self._identity = identity
        self._hello = hello
        self._offer = offer
        self._transcript = hello.encode()
        self._number = hello.number
        self._reassembly = Reassembly(hello.number + 1)
        self._ephemeral = dtls_keys.Ephemeral()
        self._server_random = secrets.token_bytes(messages.RANDOM)
        self._master = b""
        self._certificate: bytes | None = None  # the key the client named, not proven yet
        self._expected = messages.CERTIFICATE
        self.spki = b""  # the key the client has proven
        self.key_block: bytes | None = None  # there once the client's key exchange has come
        self.finished: Message | None = None  # ours, once the client's was right
        self.repeated = False  # the client has sent a flight again: so must we
        try:
            self._choose(cid)
        except Malformed as error:
            raise Fatal(DECODE_ERROR, TRANSPORT, f"the ClientHello: {error}") from error
        self.opening = self._opening()

    # The answer to the hello.

    def _choose(self, cid: bytes) -> None:
        offer, standard = self._offer, self._identity.certificate is not None
        if messages.SUITE not in offer.suites:
            raise Fatal(HANDSHAKE_FAILURE, TRANSPORT, "the suite C0AE is not offered")
        if not messages.curve_offered(offer):
            raise Fatal(HANDSHAKE_FAILURE, TRANSPORT, "the curve P-256 is not offered")
        if not messages.signature_offered(offer):
            raise Fatal(HANDSHAKE_FAILURE, TRANSPORT, "ECDSA with SHA-256 is not offered")
        self.raw_client = offer.listed(messages.CLIENT_CERTIFICATE, 1, messages.RAW_KEY)
        self.raw_server = offer.listed(messages.SERVER_CERTIFICATE, 1, messages.RAW_KEY)
        if not self.raw_client and not standard:
            raise Fatal(HANDSHAKE_FAILURE, TRANSPORT, "the client offers no raw key")
        self.standard_cid = standard and messages.CID_RFC9146 in offer.extensions
        extension = messages.CID_RFC9146 if self.standard_cid else messages.CID_PARTICLE
        wanted = offer.cid(extension)
        self.cid = b"" if wanted is None else cid
        self.client_cid = wanted or b""
        self._cid_extension = extension

    def _opening(self) -> list[Message]:
        parameters = messages.key_exchange_parameters(self._ephemeral.point)
        signed = self._offer.random + self._server_random + parameters
        bodies = [
            (
                messages.SERVER_HELLO,
                messages.server_hello(self._server_random, self._extensions()),
            )
        ]
        if self._identity.certificate is not None:
            bodies.append((messages.CERTIFICATE, self._own_certificate()))
        bodies += [
            (
                messages.SERVER_KEY_EXCHANGE,
                messages.server_key_exchange(
                    parameters, dtls_keys.sign(self._identity.key, signed)
                ),
            ),
            (messages.CERTIFICATE_REQUEST, messages.CERTIFICATE_REQUEST_BODY),
            (messages.SERVER_HELLO_DONE, b""),
        ]
        flight = [Message(kind, self._number + i, body) for i, (kind, body) in enumerate(bodies)]
        self._number += len(flight)
        for message in flight:
            self._transcript += message.encode()
        return flight

    def _extensions(self) -> list[tuple[int, bytes]]:
        offered = self._offer.extensions
        chosen = []
        if messages.SCSV in self._offer.suites or messages.RENEGOTIATION in offered:
            chosen.append((messages.RENEGOTIATION, _EMPTY_RENEGOTIATION))
        if self.raw_client:
            chosen.append((messages.CLIENT_CERTIFICATE, _RAW_KEY))
        if self.raw_server:
            chosen.append((messages.SERVER_CERTIFICATE, _RAW_KEY))
        if messages.POINT_FORMATS in offered:
            chosen.append((messages.POINT_FORMATS, _UNCOMPRESSED))
        if self.cid:
            chosen.append((self._cid_extension, bytes([len(self.cid)]) + self.cid))
        return chosen

    def _own_certificate(self) -> bytes:
        if self.raw_server:
            return messages.raw_key_certificate(self._identity.spki)
        assert self._identity.certificate is not None
        return messages.x509_certificate(self._identity.certificate)

    def answers(self, hello: Message) -> bool:
        """Tell whether this is the handshake of that very hello."""
        return hello == self._hello

    # What the client sends then.

    def feed(self, content: bytes, *, protected: bool) -> None:
        """Take the content of a handshake record. Raises Fatal.

        Fragments may come in any order, again, and several in one record. What is no fragment is
        ignored unless it is protected: it need not be the client's.
        """
        try:
            self._collect(content, protected)
        except Malformed as error:
            if protected:
                raise _undecodable(error) from error
        try:
            while (message := self._next()) is not None:
                self._take(message)
        except Malformed as error:
            raise _undecodable(error) from error

    def _collect(self, content: bytes, protected: bool) -> None:
        for fragment in parse_fragments(content):
            if fragment.number < self._reassembly.number:
                self._old(fragment.kind, fragment.number, fragment.data, protected)
            elif protected == (fragment.kind == messages.FINISHED):
                # Only a Finished is protected, and only a protected one is believed.
                self._reassembly.add(fragment, protected=protected)

    def _next(self) -> Message | None:
        return self._reassembly.take(protected=self._expected == messages.FINISHED)

    def _old(self, kind: int, number: int, data: bytes, protected: bool) -> None:
        # The last message of a client's flight calls for our flight again. What needs no key
        # must be the whole hello: a few bytes from anywhere may not trigger a large answer.
        if number == self._hello.number:
            self.repeated |= data == self._hello.body and self.finished is None
        elif kind == messages.FINISHED and protected:
            self.repeated = True

    def _take(self, message: Message) -> None:
        if message.kind != self._expected:
            raise Fatal(
                UNEXPECTED_MESSAGE,
                TRANSPORT,
                f"handshake message {message.kind} where {self._expected} was next",
            )
        _STEPS[message.kind](self, message)
        self._transcript += message.encode()
        if self.finished is not None:
            self._transcript = b""

    def _client_certificate(self, message: Message) -> None:
        try:
            if self.raw_client:
                spki = messages.parse_raw_key(message.body)
                self._certificate = dtls_keys.checked_spki(spki) if spki else None
            else:
                certificate = messages.parse_x509(message.body)
                self._certificate = (
                    dtls_keys.certificate_spki(certificate) if certificate else None
                )
        except ValueError as error:
            raise Fatal(
                BAD_CERTIFICATE, DEVICE_KEY, f"the client's certificate: {error}"
            ) from error
        if self._certificate is None and self._identity.certificate is None:
            raise Fatal(HANDSHAKE_FAILURE, DEVICE_KEY, "the client sent no key")
        self._expected = messages.CLIENT_KEY_EXCHANGE

    def _client_key_exchange(self, message: Message) -> None:
        try:
            premaster = self._ephemeral.agree(messages.parse_client_key_exchange(message.body))
        except ValueError as error:
            raise Fatal(DECODE_ERROR, TRANSPORT, f"the client's point: {error}") from error
        randoms = self._offer.random, self._server_random
        self._master = dtls_keys.master_secret(premaster, *randoms)
        self.key_block = dtls_keys.key_block(self._master, *randoms)
        named = self._certificate is not None
        self._expected = messages.CERTIFICATE_VERIFY if named else messages.FINISHED

    def _certificate_verify(self, message: Message) -> None:
        signature = messages.parse_certificate_verify(message.body)
        assert self._certificate is not None
        if not dtls_keys.verify(self._certificate, signature, self._transcript):
            raise Fatal(DECRYPT_ERROR, DEVICE_KEY, "the client does not have the key it showed")
        self.spki = self._certificate
        self._expected = messages.FINISHED

    def _client_finished(self, message: Message) -> None:
        expected = dtls_keys.verify_data(self._master, b"client finished", self._transcript)
        if not hmac.compare_digest(expected, message.body):
            raise Fatal(DECRYPT_ERROR, TRANSPORT, "the client's Finished is wrong")
        data = dtls_keys.verify_data(
            self._master, b"server finished", self._transcript + message.encode()
        )
        self.finished = Message(messages.FINISHED, self._number, data)
        self._expected = -1


def _undecodable(error: Malformed) -> Fatal:
    return Fatal(DECODE_ERROR, TRANSPORT, f"the client's flight: {error}")


_STEPS = {
    messages.CERTIFICATE: Handshake._client_certificate,
    messages.CLIENT_KEY_EXCHANGE: Handshake._client_key_exchange,
    messages.CERTIFICATE_VERIFY: Handshake._certificate_verify,
    messages.FINISHED: Handshake._client_finished,
}
