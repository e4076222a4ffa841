"""Reads public_names.txt: kinds of public names, signatures and event bits."""

import re
from pathlib import Path

_TEXT = Path(__file__).with_name("public_names.txt").read_text(encoding="utf-8")


def _part(title: str) -> list[str]:
    body = _TEXT.split(f"[{title}]\n", 1)[1].split("\n[", 1)[0]
    return [line for line in body.splitlines() if line.strip()]


def _kinds() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    kind = ""
    for line in _part("names"):
        if line[0] != " ":
            kind, _, line = line.partition(" ")
        found.setdefault(kind, []).extend(line.split(" and ")[0].split())
    return found


def _signatures() -> dict[str, str]:
    text = " ; ".join(line.split("  ")[0] for line in _part("signatures"))
    pattern = r"(?:^|[;|] (?:await )?)(\w+)(\([^)]*\))"
    return {
        name: _canonical(args) for name, args in re.findall(pattern, text) if '"key"' not in args
    }


def _canonical(args: str) -> str:
    # `prefix=""` of the specification, as inspect.signature prints it
    return args.replace('"', "'")


#: System events: name -> bit mask.
EVENTS = {name: 1 << int(bit) for name, bit in (line.split() for line in _part("events"))}
#: verbs, values, objects, classes, errors, flags -> names.
KINDS = _kinds() | {"events": list(EVENTS)}
#: Documented signatures: verb -> `(arguments)`.
SIGNATURES = _signatures() | {
    # documented in the tables of the specification instead of its block of signatures
    "can_publish": "(size=0)",
    "set_disconnect_options": "(*, graceful=False, timeout=30, clear_session=False)",
}
ALL = {name for names in KINDS.values() for name in names}
