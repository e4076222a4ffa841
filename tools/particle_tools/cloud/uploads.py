"""Files that come by multipart/form-data, with or without a length (rest-api 1, 5)."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field

from aiohttp import BodyPartReader

from particle_tools.cloud import catalogue
from particle_tools.cloud.catalogue import ApiError
from particle_tools.cloud.rest import Ask

_PIECE = 64 * 1024
_FIELD_BYTES = 64 * 1024
_PARTS = 100
_SEPARATORS = re.compile(r"[/\\]")
_NAME_CHARACTERS = 255


@dataclass(frozen=True)
class Upload:
    """What came: files as (name without folders, content) in their order, and text fields."""

    files: list[tuple[str, bytes]] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)


def is_upload(ask: Ask) -> bool:
    """Tell whether the body is multipart/form-data."""
    return ask.http.content_type == "multipart/form-data"


async def receive(ask: Ask, limit: int) -> Upload:
    """Read the body; `limit` bytes are the most. Raises ApiError 400, 408 or 413."""
    found = Upload()
    size = parts = 0
    try:
        reader = await ask.http.multipart()
        while (part := await _wait(ask, reader.next())) is not None:
            if not isinstance(part, BodyPartReader):
                raise ValueError("parts within parts")
            parts += 1  # not what is found: many may have one name
            if parts > _PARTS:
                raise catalogue.bad_request(f"An upload has at most {_PARTS} parts")
            is_file = part.filename is not None
            content = bytearray()
            while piece := await _wait(ask, part.read_chunk(_PIECE)):
                content += piece
                size += len(piece)
                if size > limit or (not is_file and len(content) > _FIELD_BYTES):
                    raise ApiError(413, {"ok": False, "error": "The upload is too large"})
            if is_file:
                found.files.append((_base(part.filename or ""), bytes(content)))
            elif part.name:
                found.fields[part.name] = content.decode()
    except (ValueError, LookupError, AssertionError, RuntimeError) as error:
        raise catalogue.bad_request("The body is not valid multipart/form-data") from error
    found.fields.pop("access_token", None)
    return found


async def _wait(ask: Ask, awaitable):
    try:
        return await ask.services.clock.wait_for(awaitable, ask.limits.body_s)
    except asyncio.TimeoutError as error:
        raise catalogue.timed_out() from error


def _base(name: str) -> str:
    # Clients send the whole path of the file.
    base = "".join(c for c in _SEPARATORS.split(name)[-1] if c.isprintable())
    return base[:_NAME_CHARACTERS] or "file"
