from typing import Final

CON: Final = 0
NON: Final = 1
ACK: Final = 2
RST: Final = 3

GET: Final = 0x01
POST: Final = 0x02
PUT: Final = 0x03
CHANGED: Final = 0x44
BAD_REQUEST: Final = 0x80
NOT_FOUND: Final = 0x84

URI_PATH: Final = 11
CONTENT_FORMAT: Final = 12
URI_QUERY: Final = 15

_Buffer = bytes | bytearray | memoryview

class Message:
    buf: _Buffer
    at: int
    type: int
    code: int
    mid: int
    tkl: int
    token: int
    token_at: int
    payload_at: int
    payload_n: int
    path: int
    opt_at: int
    opt_n: int
    def __init__(self) -> None: ...
    def parse(self, buf: _Buffer, at: int, n: int) -> bool: ...
    def find(self, number: int, nth: int = 0) -> bool: ...
    def uint(self, number: int, default: int = 0) -> int: ...
    def name(self, skip: int = 1) -> str | None: ...
    def query(self) -> bytes: ...

class Writer:
    buf: bytearray | memoryview
    n: int
    def __init__(self, buf: bytearray | memoryview) -> None: ...
    def begin(self, type: int, code: int, mid: int, token: int | bytes = -1) -> None: ...
    def option(self, number: int, value: bytes) -> None: ...
    def uint(self, number: int, value: int) -> None: ...
    def payload(self, data: _Buffer | None) -> None: ...
    def done(self) -> bytes: ...
