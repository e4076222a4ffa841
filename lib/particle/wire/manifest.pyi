class Header:
    window: int
    kind: int
    key_id: bytes
    manifest: int
    content: int
    signature: int
    def __init__(self, data: bytes | bytearray) -> None: ...

class Manifest:
    facts: dict[str, int | bytes]
    files: int
    kept: int
    total: int
    content: int
    assets: list[tuple[bytes, bytes]]
    def __init__(self) -> None: ...
    def line(self, line: bytes) -> tuple[bytes, int, bytes, str] | None: ...
    def check(self, about: dict[str, int | str], floor: int, room: int | None) -> None: ...

def checked_path(path: bytes) -> str: ...
