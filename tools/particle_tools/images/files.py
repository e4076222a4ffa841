"""Update files as users have them: a module around a bundle, or a ZIP of it and its assets."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from particle_tools import zipped
from particle_tools.errors import UserError
from particle_tools.images import bundles, modules, whole
from particle_tools.images.bundles import Bundle

_ASSETS = "assets/"
_LARGEST = 1 << 25
_OURS = (modules.USER, modules.NCP)  # functions of modules that a bundle may be in
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same input gives the same file


@dataclass(frozen=True)
class Update:
    """What one file holds. bundle: None when the module is none of ours."""

    modules: list[modules.Module]
    bundle: Bundle | None
    assets: dict[str, bytes] = field(default_factory=dict)

    @property
    def module(self) -> modules.Module:
        """Return the last module, the one that counts."""
        return self.modules[-1]


def read(path: Path) -> Update:
    """Read an update file. Raises UserError when it is none, or damaged."""
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= _LARGEST else b""
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    if size > _LARGEST:
        raise UserError(f"{path} has {size} bytes, no update is larger than {_LARGEST}")
    try:
        return parse(data)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def parse(data: bytes) -> Update:
    """Take the bytes of an update file apart. Raises UserError."""
    assets: dict[str, bytes] = {}
    if zipped.is_zip(data):
        data, assets = _unzipped(data)
    found = modules.parse(data)
    last = found[-1]
    if last.packed and last.prefix.function == modules.USER:
        # what is inside is the complete module
        last = modules.parse(last.content)[-1]
        found = [*found[:-1], last]
    bundle = None
    if last.prefix.function in _OURS and last.payload.startswith(b"MPAB"):
        bundle = bundles.parse(last.payload)
        if bundle.facts.assets != tuple(sorted_assets(last)):
            raise UserError("its assets are not those that were signed")
    update = Update(found, bundle, assets)
    for name, digest in last.assets().items() if assets else ():
        if hashlib.sha256(assets.get(name, b"")).digest() != digest:
            raise UserError(f"the asset {name} is missing or not the one the application needs")
    return update


def sorted_assets(module: modules.Module) -> list[tuple[bytes, str]]:
    """Return (SHA-256, name) of the assets of a module in the order of their names."""
    return [(digest, name) for name, digest in sorted(module.assets().items())]


def pack(bundle: Bundle, assets: dict[str, bytes] | None = None) -> bytes:
    """Return the update file of a bundle: a module, or a ZIP when there are assets."""
    facts = bundle.facts
    about = bundle.pack(), facts.platform, facts.product, facts.version
    kind = whole.kind_of([each.path for each in bundle.entries])
    if kind and kind.function == modules.NCP:
        return modules.firmware(*about)
    data = modules.application(*about, assets)
    if not assets:
        return data
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        members = {"application.bin": data}
        members |= {_ASSETS + name: content for name, content in assets.items()}
        for name, content in members.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return out.getvalue()


def _unzipped(data: bytes) -> tuple[bytes, dict[str, bytes]]:
    application = None
    assets: dict[str, bytes] = {}
    try:
        for path, content in zipped.members(data, _LARGEST):
            name = path.removeprefix(_ASSETS)
            if "/" in name or name in assets:
                raise UserError(f"the bundle holds a strange file: {name}")
            if path.startswith(_ASSETS):
                assets[name] = content
            elif application is None:
                application = content
            else:
                raise UserError("the bundle holds more than one application")
    except (zipped.Damaged, zipped.TooMany, zipped.TooLarge) as error:
        raise UserError(str(error)) from None
    if application is None:
        raise UserError("the bundle holds no application")
    return application, assets
