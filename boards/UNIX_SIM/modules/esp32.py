"""`esp32` of the simulated board: `NVS`, and `Partition` on one with the partitions of an ESP32
(MicroPython docs, library esp32; nvs of esp-idf).

Imitated: names of at most 15 characters, room counted in entries of 32 bytes of a partition of
16 KiB whose last page is kept free, blobs that are written before their old version goes, a
buffer that is too small, values of another type that are not found, numbers of the errors. What
was set counts at once, as with esp-idf 5; `commit` has nothing left to do. Not imitated: pages
and wear. Every change is an operation for the supervisor's --cut. What is left of a key that was
being written is worse than with esp-idf: the old value, nothing, half of the new one, all of it.

The content is in DIR/nvs.json: namespace -> key -> number, or text of hex digits for a blob.
"""

import json
from binascii import hexlify, unhexlify

import _esp32_flash
import _partition
import _sim
from micropython import const

Partition = _partition.Partition
if _sim.there(_esp32_flash.FILE):
    _partition.chip = _esp32_flash.Chip()
    _partition.running = _esp32_flash.running()

_FILE = "nvs.json"
_LONGEST = const(15)
_ENTRIES = const(378)  # of three pages
_MOST = const(11990)  # bytes of a blob: 97.6 % of the partition less 4000
_CHUNK = const(4000)  # bytes of a blob in one page

_ERRORS = {
    0x1102: "ESP_ERR_NVS_NOT_FOUND",
    0x1105: "ESP_ERR_NVS_NOT_ENOUGH_SPACE",
    0x1106: "ESP_ERR_NVS_INVALID_NAME",
    0x1109: "ESP_ERR_NVS_KEY_TOO_LONG",
    0x110C: "ESP_ERR_NVS_INVALID_LENGTH",
    0x110E: "ESP_ERR_NVS_VALUE_TOO_LONG",
}


def _fail(code):
    raise OSError(-code, _ERRORS[code])


def _name(text):
    if not isinstance(text, str):
        raise TypeError("can't convert '%s' object to str implicitly" % type(text).__name__)
    if not text:
        _fail(0x1106)
    if len(text.encode()) > _LONGEST:
        _fail(0x1109)
    return text


def _entries(value):
    if isinstance(value, int):
        return 1
    n = len(value) // 2
    return 1 + (n + _CHUNK - 1) // _CHUNK + (n + 31) // 32


class NVS:
    """NVS(namespace): numbers and blobs that survive the loss of power."""

    def __init__(self, namespace):
        self._namespace = _name(namespace)
        if namespace not in self._read():
            self._change({})

    def __repr__(self):
        return "<NVS namespace>"

    def _read(self):
        return json.loads(_sim.read(_FILE) or b"{}")

    def _write(self, values):
        everything = self._read()
        everything[self._namespace] = values
        _sim.write(_FILE, json.dumps(everything).encode())

    def _change(self, values, key=None):
        # the power may fail in it; key: which one is new, or goes
        tear = _sim.chip.other()
        if tear in (1, 2) and key:
            value = values.get(key)
            if tear == 2 and isinstance(value, str):
                values[key] = value[: len(value) // 4 * 2]
            else:
                values.pop(key, None)
        if tear != 0:
            self._write(values)
        if tear is not None:
            _sim.die(_sim.POWER_CUT)

    def _values(self):
        return self._read()[self._namespace]

    def _set(self, key, value):
        key = _name(key)
        used = len(self._read())
        for values in self._read().values():
            used += sum([_entries(old) for old in values.values()])
        if used + _entries(value) > _ENTRIES:
            _fail(0x1105)
        values = self._values()
        values[key] = value
        self._change(values, key)

    def _get(self, key, kind):
        value = self._values().get(_name(key))
        if not isinstance(value, kind):
            _fail(0x1102)
        return value

    def set_i32(self, key, value):
        """Store a number of 32 bits with its sign."""
        if not -1 <= value >> 31 <= 0:
            raise OverflowError("overflow converting long int to machine word")
        self._set(key, value)

    def get_i32(self, key):
        """Return the number of `key`; raise OSError -0x1102 when there is none."""
        return self._get(key, int)

    def set_blob(self, key, value):
        """Store bytes."""
        if len(value) > _MOST:
            _fail(0x110E)
        self._set(key, hexlify(value).decode())

    def get_blob(self, key, buffer):
        """Read the bytes of `key` into `buffer` and return how many; -0x110c if too many."""
        value = unhexlify(self._get(key, str))
        if len(value) > len(buffer):
            _fail(0x110C)
        buffer[: len(value)] = value
        return len(value)

    def erase_key(self, key):
        """Forget `key`; raise OSError -0x1102 when there is none."""
        values = self._values()
        if _name(key) not in values:
            _fail(0x1102)
        del values[key]
        self._change(values, key)

    def commit(self):
        """Have what was set on flash: it is there already."""
