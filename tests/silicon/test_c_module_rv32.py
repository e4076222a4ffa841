"""`_particle_crypto` for rv32imc on a board that has no cryptolib, under stock MicroPython."""

from pathlib import Path

import pytest

from cmodule import natmods
from particle_tools import packing
from particle_tools.firmware import natmod
from silicon import cortex_m3, virt_rv32

_ROOT = cortex_m3.TESTS.parent
_MAIN = """
import gc, sys
module = __import__("%s")
passed = failed = 0
for test in sorted(dir(module)):
    if test.startswith("test_"):
        gc.collect()
        try:
            getattr(module, test)()
            passed += 1
        except Exception as error:
            failed += 1
            print("FAILED", test)
            sys.print_exception(error)
print(passed, "passed,", failed, "failed")
"""


def files(test=None):
    """Return the device's cryptography alone: this port lacks what the client needs."""
    modules = ("ccm", "native", "p256", "prf")
    found = {
        f"particle/crypto/{name}.mpy": packing.compile_module(packing.source("crypto/" + name))
        for name in modules
    }
    if test:
        path = _ROOT / test
        found |= cortex_m3.helpers(path) | {path.stem + ".mpy": cortex_m3.compiled(path)}
        vectors = cortex_m3.TESTS / "vectors" / "coap-messages.json"
        found["vectors/coap-messages.json"] = vectors.read_bytes()
    return found


@pytest.mark.timeout(700)  # the first one builds a firmware
@pytest.mark.parametrize(
    "file", ["tests/crypto/test_p256.py", "tests/crypto/test_ccm.py", natmods.CHECKS]
)
def test_unit_tests(need, file):
    need(virt_rv32.NAME, virt_rv32.available(), virt_rv32.COMMAND)
    module = {f"{natmod.NAME}.mpy": natmods.have(need, "rv32imc")}
    said = virt_rv32.run(_MAIN % Path(file).stem, files(file) | module)
    passed = said.splitlines()[-2]
    assert passed.endswith(" passed, 0 failed") and passed[0] != "0", said


def test_without_the_module_and_cryptolib(need):
    need(virt_rv32.NAME, virt_rv32.available(), virt_rv32.COMMAND)
    said = virt_rv32.run(
        "try:\n    import particle.crypto.ccm\nexcept ImportError as error:\n    print(error)",
        files(),
    )
    assert said.splitlines() == ["no module named 'cryptolib'", "-- ended"]
