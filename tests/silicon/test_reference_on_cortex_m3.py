"""The device's cryptography in Python against published vectors, on the emulated Cortex-M3."""

import pytest

from bench import c_module
from reference import check
from silicon import cortex_m3

_CASES = 24  # at once


@pytest.mark.parametrize("group", check.GROUPS)
def test_on_cortex_m3(need, group):
    need(cortex_m3.NAME, cortex_m3.available(), cortex_m3.COMMAND)
    cases = list(check.GROUPS[group]())
    for at in range(0, len(cases), _CASES):
        some = cases[at : at + _CASES]
        assert check.differences(some, c_module.reference(some)) == []
