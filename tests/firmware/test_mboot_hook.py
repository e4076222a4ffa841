"""The hook in mboot, compiled for this host, does what the simulated board's does
(boards/UNIX_SIM/modules/_mboot.py).
"""

import ctypes
import itertools
import shutil
import subprocess

import pytest

import fake_mboot
from particle_tools import ROOT

SOURCE = ROOT / "firmware" / "ports" / "stm32" / "particle_mboot.c"
FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-O2", "-shared", "-fPIC")


@pytest.fixture
def hook(need, tmp_path):
    """Give the functions of the hook."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    need("a C compiler for the hook in mboot", bool(compiler), "apt-get install gcc")
    out = tmp_path / "hook.so"
    subprocess.run([compiler, *FLAGS, "-o", str(out), str(SOURCE)], check=True, timeout=60)
    return ctypes.CDLL(str(out))


def test_it_decides_as_the_fake_does(hook):
    words = [0, 0xFFFFFFFF, 0x50540000, 0x50550103]
    words += [fake_mboot.order(s, t) for s, t in itertools.product(range(1, 7), range(5))]
    for word, status, valid in itertools.product(words, (0, 1, 0xFFFFFF2B), (False, True)):
        order, second = ctypes.c_uint32(word), ctypes.c_uint32(status)
        what = hook.particle_mboot_decide(ctypes.byref(order), ctypes.byref(second), int(valid))
        registers = [word, status]
        assert fake_mboot.decide(registers, valid) == what, (hex(word), status, valid)
        assert registers == [order.value, second.value], (hex(word), status, valid)


def test_it_knows_an_application(hook):
    words = (0, 0x20020000, 0x20020001, 0x08008001, 0x08008000, 0x08FFFFFF, 0xFF008001, 0xFFFFFFFF)
    for stack, start in itertools.product(words, words):
        found = hook.particle_mboot_valid(ctypes.c_uint32(stack), ctypes.c_uint32(start))
        assert bool(found) == fake_mboot.valid(stack, start), (hex(stack), hex(start))
    assert hook.particle_mboot_valid(0x20020000, 0x08008001)
    assert not hook.particle_mboot_valid(0xFFFFFFFF, 0xFFFFFFFF)


def test_it_knows_what_is_tried(hook):
    words = [fake_mboot.order(s, t) for s, t in itertools.product(range(7), range(4))]
    for word in (*words, 0x200, 0x50550200, 0x51540200, 0xFFFFFFFF):
        assert bool(hook.particle_mboot_tried(ctypes.c_uint32(word))) == fake_mboot.tried(word)
    assert fake_mboot.tried(fake_mboot.order(2, 0))


def test_it_starts_the_watchdog(hook):
    """As the reference manuals say: start, unlock, divide by 256, 4096 steps, feed."""
    registers = (ctypes.c_uint32 * 4)()
    hook.particle_mboot_watch(registers)
    assert list(registers) == [0xAAAA, 6, 0xFFF, 0]
    # a clock that does not run keeps nothing waiting
    registers[3] = 3
    hook.particle_mboot_watch(registers)
    assert list(registers) == [0xAAAA, 6, 0xFFF, 3]


def test_it_tells_mboot_what_to_load(hook):
    size = hook.particle_mboot_elements
    size.restype = ctypes.c_size_t
    for what in (fake_mboot.PROGRAM, fake_mboot.PROGRAM_OLD):
        buffer = ctypes.create_string_buffer(1024)
        *place, register = fake_mboot.MBOOT
        place.append(register + 4)
        n = size(buffer, what, *(ctypes.c_uint32(each) for each in place))
        assert buffer.raw[:n] == fake_mboot.elements(what, fake_mboot.MBOOT)
        assert not any(buffer.raw[n:])
