"""Bytes that each frozen module takes in the flash of a board."""

import re
import subprocess
from pathlib import Path

from particle_tools import packing

#: What all modules share: names, lengths and hashes of identifiers.
NAMES = "(names)"
ASYNCIO = "(asyncio)"
STAGE = "(boot stage)"
BOARD = "(board)"

# mpy-tool names the parts of a module KIND_MODULE_REST, with "_" for "/".
_PART = re.compile(
    "(?:fun_data|proto_fun|const_obj|const_qstr_table_data|const_obj_table_data|children"
    "|frozen_module)_(.*)"
)
_STAGE_PARTS = ("particle_boot_", "particle_files_")


def measure(frozen_content: Path) -> dict[str, int]:
    """Return module (`wire/coap`) -> bytes from the object file that holds all frozen code."""
    modules = {module for names in packing.COMPONENTS.values() for module in names}
    ours = {"particle_" + module.replace("/", "_") + "_": module for module in modules}
    longest = sorted(ours, key=len, reverse=True)
    sizes: dict[str, int] = {}
    for line in _output("nm", "-S", str(frozen_content)).splitlines():
        fields = line.split()
        match = _PART.match(fields[-1])
        if match is None or len(fields) != 4:
            continue
        name = match[1] + "_"
        found = next((ours[prefix] for prefix in longest if name.startswith(prefix)), None)
        if found is None:
            found = ASYNCIO if "asyncio" in name else BOARD
            if name.startswith(_STAGE_PARTS):
                found = STAGE
        sizes[found] = sizes.get(found, 0) + int(fields[1], 16)
    text, data = _output("size", str(frozen_content)).splitlines()[1].split()[:2]
    sizes[NAMES] = int(text) + int(data) - sum(sizes.values())
    return dict(sorted(sizes.items()))


def _output(tool: str, *arguments: str) -> str:
    command = ["arm-none-eabi-" + tool, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
