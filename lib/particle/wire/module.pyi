from collections.abc import Callable

_Buffer = bytes | bytearray | memoryview
_Slots = dict[tuple[int, int, int], tuple[int, int]]
_Extensions = list[tuple[int, bytes]]

class Refused(ValueError):
    code: int
    def __init__(self, code: int, text: str) -> None: ...

def user_slots(platform_id: int) -> _Slots: ...

class Module:
    prefix: bytes
    offset: int
    start: int
    end: int
    mcu: int
    flags: int
    version: int
    platform_id: int
    function: int
    index: int
    dep1: tuple[int, int, int]
    dep2: tuple[int, int, int]
    size: int
    prefix_size: int
    prefix_extensions: _Extensions
    suffix_extensions: _Extensions
    suffix_size: int | None
    product_id: int | None
    product_version: int | None
    sha256: bytes | None
    crc32: bytes | None
    sha256_ok: bool
    crc32_ok: bool
    payload_at: int
    payload_size: int | None
    packed: tuple[int, int, int, int] | None
    checked: int
    passed: int
    def __init__(self, offset: int, prefix: bytes) -> None: ...
    def assets(self) -> list[tuple[bytes, bytes]]: ...
    def record(self) -> bytes: ...
    def asset(self) -> tuple[bytes, bytes] | None: ...

def recorded(data: bytes) -> Module: ...

class Image:
    size: int
    at: int
    modules: list[Module]
    text: str
    def __init__(
        self,
        size: int,
        platform_id: int | None = None,
        slots: _Slots | None = None,
        installed: dict[tuple[int, int], int] | None = None,
        sink: Callable[[memoryview], object] | None = None,
    ) -> None: ...
    def feed(self, data: _Buffer) -> None: ...
    def ends(self, n: int) -> None: ...
    def error(self) -> int: ...
    def finish(self) -> int: ...
