from collections.abc import Iterable

from .coap import Message, Writer

_Data = str | bytes | bytearray | memoryview

def hello(
    w: Writer,
    type: int,
    mid: int,
    device: tuple[int, int, int, int],
    sizes: tuple[int, int, int, int],
    device_id: bytes = b"",
) -> bytes: ...
def describe_app(functions: Iterable[str], variables: Iterable[tuple[str, int]]) -> bytes: ...
def event(
    w: Writer, type: int, mid: int, name: str, data: _Data, ctype: int = 0, ttl: int = 60
) -> bytes: ...
def encode(kind: int, value: bool | int | float | str | bytes) -> bytes: ...
def answer(
    w: Writer,
    type: int,
    code: int,
    mid: int,
    token: int = -1,
    payload: bytes | None = None,
    ctype: int | None = None,
) -> bytes: ...
def request(
    w: Writer,
    type: int,
    code: int,
    mid: int,
    token: int | bytes,
    path: bytes,
    name: str | bytes | None = None,
    ctype: int | None = None,
    query: str | bytes | None = None,
    body: str | bytes | None = None,
    age: int | None = None,
) -> bytes: ...
def time_answer(m: Message) -> int | None: ...
