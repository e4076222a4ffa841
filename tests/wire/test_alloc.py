"""Reading a received message must not touch the heap (DESIGN 6); counts only on MicroPython."""

import micropython

from particle.wire.coap import Message
from support import vectors


def read(m, buf, n):
    if not m.parse(buf, 3, n):
        return -9
    x = m.type + m.code + m.mid + m.tkl + m.token + m.path + m.payload_at + m.payload_n
    for number in (4, 11, 12, 14, 15, 23, 27):
        if m.find(number):
            x += m.opt_at + m.opt_n
        if m.find(number, 1):
            x += m.opt_at
    return x + m.uint(12) + m.uint(23, -1) + m.uint(27, -1)


def test_parse_find_and_uint_allocate_nothing():
    m = Message()
    micropython.heap_lock()
    micropython.heap_unlock()
    for case in vectors("coap-messages.json")["coap"]:
        data = bytearray(b"\x00\x00\x00" + bytes.fromhex(case["hex"]))
        size = len(data) - 3
        assert read(m, data, size) > -9
        cut = -1
        micropython.heap_lock()
        try:
            read(m, data, size)
            for n in range(min(size, 40)):
                cut = n
                read(m, data, n)
        finally:
            micropython.heap_unlock()
        assert cut >= 3


def test_a_message_is_clean_from_the_start():
    data = bytes.fromhex("4102000231b164112a3101ff01")
    m = Message()
    micropython.heap_lock()
    try:
        ok = m.parse(data, 0, len(data)) and m.find(12) and m.uint(15) == 1
    finally:
        micropython.heap_unlock()
    assert ok
