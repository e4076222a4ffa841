from collections.abc import Callable

from ..wire.dtls_handshake import Handshake
from ..wire.dtls_record import Records
from .dtls import Dtls, _Keys

class StandardHandshake(Handshake):
    own: bytes | None
    rfc: bool
    certified: bool
    def __init__(self, random: bytes, pinned: bytes, own: bytes | None) -> None: ...

class StandardRecords(Records):
    def __init__(self, shake: StandardHandshake, pad: int) -> None: ...

class Standard(Dtls):
    def __init__(
        self,
        keys: _Keys,
        saved: bytes | None,
        rng: Callable[[int], bytes],
        size: int = 1152,
        own: bytes | None = b"",
        pad: int = 0,
    ) -> None: ...
    def close(self, now: int) -> None: ...
