"""MicroPython manifests of the components, for those who build firmware of their own.

`firmware/components/NAME/manifest.py` freezes what `mip` installs from the component's
`package.json`. A board's manifest says

    add_library("particle", ".../firmware/components")
    require("core-udp", library="particle")

They are written from `packing.COMPONENTS`: `python -m particle_tools.firmware.manifests`.
"""

import sys
from pathlib import Path

from particle_tools import ROOT, packing

FOLDER = ROOT / "firmware" / "components"

#: What components have in common, so that two of them can be frozen together.
SHARED = "core"
#: All of them.
ALL = "all"

_HEAD = "# Written by `make mip`.\n"
_WHAT = {
    SHARED: "Particle device cloud: what both transports need",
    ALL: "Particle device cloud: everything",
}


def texts() -> dict[str, str]:
    """Return component -> text of its manifest."""
    complete = packing.complete()
    found = {SHARED: _text(SHARED, [], packing.CORE)}
    for name in complete:
        own = [module for module in packing.COMPONENTS[name] if module not in packing.CORE]
        needs = [SHARED] if len(own) < len(packing.COMPONENTS[name]) else []
        found[name] = _text(name, needs, own)
    found[ALL] = _text(ALL, complete, [])
    return found


def write(folder: Path = FOLDER) -> None:
    """Write all manifests below `folder`."""
    for name, text in texts().items():
        path = folder / name / "manifest.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _text(name: str, needs: list[str], modules: list[str]) -> str:
    # No `version`: makemanifest would write it into every file, which costs flash and memory.
    what = _WHAT.get(name, f"Particle device cloud: component {name}")
    lines = [_HEAD, f'metadata(description="{what}", license="MIT")\n']
    if needs:
        lines.append('add_library("particle", "..")\n')
        lines += [f'require("{other}", library="particle")\n' for other in needs]
    if modules:
        files = "".join(f'        "{module}.py",\n' for module in sorted(modules))
        lines.append(
            'package(\n    "particle",\n    files=[\n'
            f'{files}    ],\n    base_path="../../../lib",\n)\n'
        )
    return "".join(lines)


if __name__ == "__main__":
    write()
    sys.exit(0)
