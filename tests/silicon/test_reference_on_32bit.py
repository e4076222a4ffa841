"""The device's cryptography against published vectors, where small integers have 31 bits."""

import pytest

from reference import check
from silicon import debian32


@pytest.mark.parametrize("group", check.GROUPS)
def test_on_32_bit(need, group, tmp_path):
    argv = debian32.find()
    need("32-bit MicroPython (Debian i386)", argv, debian32.COMMAND)
    assert check.compare(argv, check.GROUPS[group](), tmp_path)
