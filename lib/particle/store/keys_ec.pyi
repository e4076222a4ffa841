from collections.abc import Generator
from typing import Protocol

class _Store(Protocol):
    def read(self, name: str) -> bytes | None: ...

class EcKeys:
    device_id: bytes
    public: bytes
    server: bytes
    def __init__(self, store: _Store, device_id: bytes) -> None: ...
    def sign(self, digest: bytes) -> Generator[None, None, tuple[int, int]]: ...
