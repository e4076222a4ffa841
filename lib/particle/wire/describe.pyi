from collections.abc import Iterable

_Dependency = tuple[int, int, int]
_Asset = tuple[bytes, bytes, int]
_Described = tuple[
    int,
    int,
    int,
    int,
    int,
    bytes | None,
    Iterable[_Dependency],
    Iterable[tuple[bytes, bytes]],
    int,
]

def installed(
    record: bytes | None,
    level: int,
    largest: int,
    text: bool,
    assets: Iterable[_Asset] = (),
    firmware: tuple[int, int] | None = None,
) -> tuple[bytes, int | None]: ...
def protobuf(modules: Iterable[_Described], assets: Iterable[_Asset] = ()) -> bytes: ...
