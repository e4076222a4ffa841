class Records:
    moved: bool
    block: bytes
    cid: bytes
    own: bytes
    hi: int
    lo: int
    top_hi: int
    top_lo: int
    window: bytearray
    type: int
    epoch: int
    at: int
    n: int
    def __init__(self, pad: int = 0) -> None: ...
    def keys(
        self, block: bytes, cid: bytes = b"", own: bytes = b"", fast: bool | None = None
    ) -> None: ...
    def head(self) -> int: ...
    def plain(self, kind: int, buf: bytearray, at: int, data: bytes) -> int: ...
    def seal(self, kind: int, buf: bytearray, at: int, n: int) -> int: ...
    def open(self, buf: bytearray, at: int, end: int) -> int: ...
