"""The device unit tests on an emulated Cortex-M3, the library frozen into the firmware."""

import time

import pytest

import device_suite
from silicon import cortex_m3


@pytest.fixture
def board(need):
    """Give the runner of unit-test files."""
    need(cortex_m3.NAME, cortex_m3.available(), cortex_m3.COMMAND)
    return cortex_m3


def test_the_library_is_frozen(board):
    ask = "import particle.client; print(sys.platform, sys.maxsize, particle.client.__file__)"
    assert board.run(ask, {}) == "qemu 2147483647 particle/client.py\n"


def test_time_passes(board):
    ask = "import time; t = time.ticks_ms(); time.sleep_ms(500); print(time.ticks_ms() - t)"
    began = time.monotonic()
    told = int(board.run(ask, {}))
    assert 499 <= told <= 1000 * (time.monotonic() - began)
    assert int(board.run(ask, {}, counting=True)) in (500, 501, 502)


def test_heap_is_a_switch(board):
    for heap in (40_000, 100_000):
        free = int(board.run("import gc; print(gc.mem_free() + gc.mem_alloc())", {}, heap=heap))
        assert 0.9 * heap < free < heap


# what needs a socket that others can send to cannot run here
@pytest.mark.parametrize("file", [f for f in device_suite.FILES if "test_sockets" not in f])
def test_on_cortex_m3(board, file):
    board.run_unit_tests(file)
