"""MicroPython manifests of the components, for those who build firmware of their own.

`firmware/components/NAME/manifest.py` freezes what `mip` installs from the component's
`package.json`. A board's manifest says

    add_library("particle", ".../firmware/components")
    require("core-udp", library="particle")

Beside it lies a module of names, frozen too: what modules and verbs are looked up by MicroPython
keeps in memory, 40 bytes each, unless frozen code has it. They are written from
`packing.COMPONENTS`: `python -m particle_tools.firmware.manifests`.
"""

import ast
import sys
from pathlib import Path

from particle_tools import ROOT, packing

FOLDER = ROOT / "firmware" / "components"

#: What components have in common, so that two of them can be frozen together.
SHARED = "core"
#: All of them.
ALL = "all"

_HEAD = "# Written by `make mip`.\n"
_PACKAGE = "particle.__init__"
_VERBS = "runtime/prompt"  # where their names are
_NAMES = """# ruff: noqa
# Nobody imports or calls this: what it names is in flash; looked up, it takes no memory.


def names():
"""
_WHAT = {
    SHARED: "Particle device cloud: what both transports need",
    ALL: "Particle device cloud: everything",
}


def texts() -> dict[str, str]:
    """Return file below `FOLDER` -> its text."""
    complete = packing.complete()
    found = _files(SHARED, [], packing.CORE)
    for name in complete:
        own = [module for module in packing.COMPONENTS[name] if module not in packing.CORE]
        needs = [SHARED] if len(own) < len(packing.COMPONENTS[name]) else []
        found |= _files(name, needs, own)
    return found | _files(ALL, complete, [])


def write(folder: Path = FOLDER) -> None:
    """Write all files below `folder`."""
    for name, text in texts().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def names_module(component: str) -> str:
    """Return the name of the module that holds the names of a component."""
    return "particle_names_" + component.replace("-", "_")


def _files(name: str, needs: list[str], modules: list[str]) -> dict[str, str]:
    files = {f"{name}/manifest.py": _text(name, needs, modules)}
    if modules:
        files[f"{name}/{names_module(name)}.py"] = _names(modules)
    return files


def _verbs() -> list[str]:
    # the words of the loop in which the module makes them
    tree = ast.parse(packing.source(_VERBS).read_text("utf-8"))
    (loop,) = (node for node in tree.body[-1].body if isinstance(node, ast.For))
    (words,) = (node.value for node in ast.walk(loop.iter) if isinstance(node, ast.Constant))
    return words.split()


def _imports(module: str) -> set[str]:
    # dotted; also what need not be installed
    dotted = f"particle.{module}".replace("/", ".").split(".")
    found = set()
    for node in ast.walk(ast.parse(packing.source(module).read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level and node.module:
            found.add(".".join([*dotted[: -node.level], node.module]))
    return found


def _names(modules: list[str]) -> str:
    dotted = {f"particle/{module}".replace("/", ".") for module in modules} - {_PACKAGE}
    if "client" in modules:
        # the only one that works while most of what it imports is not there
        dotted |= {name for module in modules for name in _imports(module)}
    dotted |= {name.rpartition(".")[0] for name in dotted} - {"particle", ""}
    lines = [f"    import {name}\n" for name in sorted(dotted)]
    # a module is an attribute of its package
    lines += ["\n", *(f"    {name}\n" for name in sorted({n.rpartition(".")[2] for n in dotted}))]
    if _VERBS in modules:
        lines += ["\n", *(f"    particle.{verb}\n" for verb in sorted(_verbs()))]
    return _HEAD + _NAMES + "".join(lines)


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
            f'module("{names_module(name)}.py")\n'
        )
    return "".join(lines)


if __name__ == "__main__":
    write()
    sys.exit(0)
