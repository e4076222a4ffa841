"""Instructions of `_particle_crypto` on the emulated Cortex-M3, against those of Python.

PYTHONPATH=tests .venv/bin/python -m bench.c_module
"""

import json

from bench import instructions
from bench.figures import Figure, table
from bench.instructions import Counted
from particle_tools.firmware import build, natmod
from reference.nist import Case
from silicon import cortex_m3

_FILES = [path for path in instructions.default_files() if path.stem in ("ec", "dtls")]
_MBEDTLS = ("PARTICLE_CRYPTO_MBEDTLS=1",)

#: Case -> how many times fewer instructions than Python it has to take.
GOALS = {"p256_ecdh": 3, "p256_public": 8, "dtls_handshake_compact": 4}


def native_mpy(arch: str = "armv7m") -> dict:
    """Return the arguments of `cortex_m3.run_unit_tests` and `count` for stock firmware."""
    return {"more": {f"{natmod.NAME}.mpy": natmod.build(arch)}}


def native_mpy_armv6m() -> dict:
    """Return those for the code of a smaller core, which this one runs too."""
    return native_mpy("armv6m")


def user_module() -> dict:
    """Return those of a firmware that holds the module."""
    return {"elf": build.build("QEMU_M3", c_modules=True).elf}


def over_mbedtls() -> dict:
    """Return those of a firmware whose module multiplies with mbedTLS."""
    return {"elf": build.build("QEMU_M3", c_modules=True, variables=_MBEDTLS).elf}


FORMS = {
    "native_mpy": native_mpy,
    "native_mpy_armv6m": native_mpy_armv6m,
    "user_module": user_module,
    "over_mbedtls": over_mbedtls,
}


def count(**form) -> dict[str, Counted]:
    """Count the cases of the transport over UDP with a form of the module, or without."""
    counted, failed = instructions.count(_FILES, **form)
    assert not failed, failed
    return {one.key: one for one in counted}


def reference(cases: list[Case], elf: str | None = None, more: dict | None = None) -> list[str]:
    """Return what tests/reference/runner.py prints for cases on the board."""
    lines = "".join(json.dumps([name, *args]) + "\n" for name, args, _ in cases)
    runner = cortex_m3.TESTS / "reference" / "runner.py"
    files = {
        **(more or {}),
        **cortex_m3.helpers(runner),
        "runner.mpy": cortex_m3.compiled(runner),
        "cases.jsonl": lines.encode(),
    }
    said = cortex_m3.run("import runner; runner.main('/tests/cases.jsonl')", files, elf)
    return said.splitlines()


def measure() -> list[Figure]:
    """Count all forms; an empty list when there is nothing to count with."""
    if not cortex_m3.available():
        return []
    python = count()
    figures = [
        Figure(f"native_mpy_{arch}_bytes", len(natmod.build(arch)), "bytes")
        for arch in natmod.ARCHITECTURES
        if not natmod.missing(arch)
    ]
    for name, form in FORMS.items():
        c = count(**form())
        for key in (*GOALS, "p256_sign", "p256_verify", "record_open_small", "record_seal_small"):
            one = c[key]
            times = f"{python[key].total / one.total:.1f} times fewer than Python"
            note = f"{times}; {one.slices} slices, longest {one.longest}"
            figures.append(Figure(f"m3_{name}_{key}", one.total, "instr", note))
        if name in ("native_mpy", "user_module"):
            for key, goal in GOALS.items():
                fewer = round(python[key].total / c[key].total, 1)
                figures.append(Figure(f"{name}_{key}_fewer", fewer, "times", "than Python", goal))
    return figures


if __name__ == "__main__":
    print(table(measure()))
