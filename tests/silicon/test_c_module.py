"""`_particle_crypto` in both forms: built for all cores, run and counted on the Cortex-M3."""

import subprocess

import pytest

from bench import c_module
from cmodule import natmods
from particle_tools.firmware import natmod, sources
from reference import check
from silicon import cortex_m3

_CASES = 60  # of a group of vectors at once
_CRYPTO = ("tests/crypto/test_p256.py", "tests/crypto/test_ccm.py", natmods.CHECKS)
_SLICE = 2_000_000
# How an .mpy names its machine
_ARMV7M = 5
_ARMV7EMSP = 7


@pytest.fixture(params=c_module.FORMS)
def board(need, request):
    """Give the arguments that put one form on the board."""
    need(cortex_m3.NAME, cortex_m3.available(), cortex_m3.COMMAND)
    return c_module.FORMS[request.param]()


@pytest.mark.parametrize("arch", natmod.ARCHITECTURES)
def test_native_mpy(need, arch):
    made = natmods.have(need, arch)
    assert made[:2] == b"M\x06"
    assert len(made) < 11_000
    assert natmod.build(arch) == made


@pytest.mark.parametrize("file", natmods.FILES)
def test_unit_tests_with_the_native_mpy(need, file):
    need(cortex_m3.NAME, cortex_m3.available(), cortex_m3.COMMAND)
    cortex_m3.run_unit_tests(file, **c_module.native_mpy())


@pytest.mark.parametrize("file", _CRYPTO)
def test_both_forms(board, file):
    cortex_m3.run_unit_tests(file, **board)


@pytest.mark.parametrize("file", _CRYPTO)
def test_code_for_cortex_m4(need, file):
    need(cortex_m3.NAME, cortex_m3.available(), cortex_m3.COMMAND)
    made = bytearray(natmods.have(need, "armv7emsp"))
    assert made[2] >> 2 == _ARMV7EMSP
    made[2] = _ARMV7M << 2 | made[2] & 3  # the firmware was built for the core without an FPU
    cortex_m3.run_unit_tests(file, more={f"{natmod.NAME}.mpy": made}, machine="mps2-an386")


@pytest.mark.parametrize("group", check.GROUPS)
def test_vectors(board, group):
    cases = list(check.GROUPS[group]())
    for at in range(0, len(cases), _CASES):
        some = cases[at : at + _CASES]
        assert check.differences(some, c_module.reference(some, **board)) == []


def test_fewer_instructions_than_python(need):
    need(cortex_m3.NAME, cortex_m3.available(), cortex_m3.COMMAND)
    python = c_module.count()
    for name in ("native_mpy", "native_mpy_armv6m", "user_module"):
        c = c_module.count(**c_module.FORMS[name]())
        # code for the core without long multiplication cannot take as much less of this one's
        goals = {"p256_ecdh": 3} if name == "native_mpy_armv6m" else c_module.GOALS
        for key, times in goals.items():
            assert python[key].total >= times * c[key].total, f"{name}: {key}"
        assert {one.key: one.longest for one in c.values() if one.longest > _SLICE} == {}
        assert c["record_open_small"].allocated == 0


@pytest.mark.parametrize("optim", [True, False])
def test_mbedtls_without_its_fast_curves_is_refused(need, optim):
    need(cortex_m3.NAME, cortex_m3.available(), cortex_m3.COMMAND)
    board = cortex_m3.TESTS.parent / "boards" / "QEMU_M3"
    source = cortex_m3.TESTS.parent / "firmware/cmodules/particle_crypto/p256_mbedtls.c"
    done = subprocess.run(
        [
            *("arm-none-eabi-gcc", "-E", "-mcpu=cortex-m3", f"-I{board}", str(source)),
            f"-I{sources.find()}/lib/mbedtls/include",
            '-DMBEDTLS_CONFIG_FILE="mbedtls_config_board.h"',
            *("-DQEMU_M3_ECP=1", "-DPARTICLE_CRYPTO_MBEDTLS=1"),
            f"-DQEMU_M3_WITHOUT_NIST_OPTIM={int(not optim)}",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ('#error "MBEDTLS_ECP_NIST_OPTIM is off' in done.stderr) is not optim
    assert done.returncode, "the rest needs MicroPython's headers"
