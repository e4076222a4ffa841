"""What the system says of its firmware modules and assets: protobuf, or the older JSON
(cloud-protocol 4.2, ota-and-boot 1.10).
"""

import binascii
import struct

from micropython import const

from .module import recorded, user_slots

_OCTETS = const(42)  # content format of protobuf
_SYSTEM = const(4)  # functions
_USER = const(5)
_NCP = const(7)
_LETTERS = const("nrbmsu_ca_")  # of the functions
_PASSED = const(0x1E)

# Fields of FirmwareModule
_TYPE = const(1)
_INDEX = const(2)
_VERSION = const(3)
_MAX_SIZE = const(5)
_CHECKED = const(6)
_PASSED_FLAGS = const(7)
_HASH = const(8)
_DEPENDENCY = const(9)
_ASSET_DEPENDENCY = const(10)
_SIZE = const(11)


def installed(record, level, largest, text, assets=(), firmware=None):
    """Describe what a board has: (body, content format) of the system Describe.

    record: of the application (`Module.record`), None without one. level: of Device OS that is
    spoken. largest: bytes of an image where the platform sets no limit. text: JSON, for TCP.
    assets: (SHA-256, name, bytes) of those that are stored. firmware: (platform, version) of one
    that can be replaced. Raises ValueError when the record is damaged.
    """
    modules = [(_SYSTEM, 1, level, 0, _PASSED, None, (), (), 0)]
    if firmware:
        platform, version = firmware
        modules.append((_NCP, 1, version, largest, _PASSED, None, (), (), 0))
    if record:
        m = recorded(record)
        platform = m.platform_id
        first, last = user_slots(platform).get((m.function, m.index, m.mcu), (0, 0))
        room = last - first
        if not 0 < room < 1 << 30:
            room = largest
        needs = [dep for dep in (m.dep1, m.dep2) if dep[0]]
        app = m.function, m.index, m.version, room, m.passed, m.sha256, needs, m.assets(), m.size
        modules.append(app)
    if text:
        return _json(platform, modules, assets), None
    return protobuf(modules, assets), _OCTETS


def protobuf(modules, assets=()):
    """Give a SystemDescribe.

    modules: (function, index, version, largest size, validity flags, SHA-256, dependencies,
    assets needed, size), 0 or None for what is not known. assets: as for `installed`.
    """
    out = b""
    for function, index, version, room, flags, digest, needs, wanted, size in modules:
        m = _uint(_TYPE, function) + _uint(_INDEX, index) + _uint(_VERSION, version)
        m += _uint(_MAX_SIZE, room)
        if flags:
            m += struct.pack("<BIBI", _CHECKED << 3 | 5, _PASSED, _PASSED_FLAGS << 3 | 5, flags)
        if digest and function == _USER:
            m += _octets(_HASH, digest)
        for need in needs:
            m += _octets(_DEPENDENCY, b"".join([_uint(1 + i, need[i]) for i in range(3)]))
        for content, name in wanted:
            m += _octets(_ASSET_DEPENDENCY, _octets(1, content) + _octets(2, name))
        out += _octets(1, m + _uint(_SIZE, size))
    for content, name, size in assets:
        out += _octets(5, _octets(1, content) + _octets(2, name) + _uint(3, size))
    return out


def _json(platform_id, modules, assets):
    # what it says of assets was never a part of Particle's JSON; their servers do not mind
    out = []
    for function, index, version, room, flags, digest, needs, wanted, _ in modules:
        m = '{"s":%d,"l":"m","vc":%d,"vv":%d,' % (room, flags and _PASSED, flags)
        if digest and function == _USER:
            m += '"u":"%s",' % binascii.hexlify(digest).decode()
        d = ",".join(["{%s}" % _names(*need) for need in needs])
        m += '%s,"d":[%s]' % (_names(function, index, version), d)
        if wanted:
            m += ',"asset_dependencies":' + _assets(wanted)
        out.append(m + "}")
    text = '{"p":%d,"m":[%s]' % (platform_id, ",".join(out))
    if assets:
        text += ',"assets":' + _assets(assets)
    return (text + "}").encode()


def _assets(every):
    # the names are those of files, without quotes (wire/manifest.py)
    found = []
    for each in every:
        size = ',"size":%d' % each[2] if len(each) > 2 else ""
        name = each[1].decode()
        found.append(
            '{"hash":"%s","name":"%s"%s}' % (binascii.hexlify(each[0]).decode(), name, size)
        )
    return "[%s]" % ",".join(found)


def _names(function, index, version):
    return '"f":"%s","n":"%d","v":%d' % (_LETTERS[function], index, version)


def _uint(field, value):
    # what is 0 is left out
    return bytes((field << 3,)) + _varint(value) if value else b""


def _octets(field, value):
    return bytes((field << 3 | 2,)) + _varint(len(value)) + value


def _varint(value):
    out = b""
    while value > 127:
        out += bytes((value & 127 | 128,))
        value >>= 7
    return out + bytes((value,))
