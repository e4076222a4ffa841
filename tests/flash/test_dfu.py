"""STM32 boards: DfuSe images are checked here, dfu-util writes and reads them.

There is no such board and no USB here: `dfu-util` is a program of the test's with the arguments
and the output of 0.11, whose device is a folder.
"""

import json
import os
import random
import struct
import sys
import zlib

import pytest

from particle_tools.cli import main
from particle_tools.flash import dfu

BANNER = b"MicroPython v1.27.0 on 2025-12-09; PYBD-SF6W with STM32F767IIK\0"
FLASH = BANNER + bytes(range(256)) * 20
QSPI = b"more of it" * 30
MEMORY = "@Internal Flash  /0x08000000/04*032Kg,01*128Kg,07*256Kg/0x90000000/512*4Kg"
LINE = (
    'Found DFU: [f055:9800] ver=0200, devnum={n}, cfg=1, intf=0, path="1-{n}", alt=0,'
    ' name="{memory}", serial="3365356E{n}"'
)
TOOL = """\
#!{python}
import json, sys
from pathlib import Path

place = Path({place!r})
arguments = sys.argv[1:]
options = dict(zip(arguments[::2], arguments[1::2])) if arguments != ["-l"] else {{}}
with open(place / "said.jsonl", "a") as log:
    print(json.dumps(arguments), file=log)
if (place / "fails").exists() and (place / "fails").read_text() in options:
    print("dfu-util: Lost device after RESET?", file=sys.stderr)
    sys.exit(74)
if arguments == ["-l"]:
    print((place / "devices").read_text())
elif "-D" in options:
    (place / "file").write_bytes(Path(options["-D"]).read_bytes())
else:
    address = options["-s"].split(":")[0]
    Path(options["-U"]).write_bytes((place / address).read_bytes())
"""


def dfuse(elements):
    """Return an image in ST's format."""
    parts = b"".join(struct.pack("<II", a, len(d)) + d for a, d in elements)
    target = struct.pack("<6sBI255sII", b"Target", 0, 1, b"ST...", len(parts), len(elements))
    size = 11 + len(target) + len(parts)
    body = struct.pack("<5sBIB", b"DfuSe", 1, size, 1) + target + parts
    body += struct.pack("<HHHH3sB", 0, 0x9800, 0xF055, 0x011A, b"UFD", 16)
    return body + struct.pack("<I", ~zlib.crc32(body) & 0xFFFFFFFF)


ELEMENTS = [(0x08008000, FLASH), (0x90000000, QSPI)]


@pytest.fixture
def image(tmp_path):
    """Give `image(data)` -> file; without data a good one."""

    def make(data=None):
        path = tmp_path / "firmware.dfu"
        path.write_bytes(dfuse(ELEMENTS) if data is None else data)
        return path

    return make


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """Give the folder of a `dfu-util` on PATH; one board is there."""
    place = tmp_path / "tool"
    place.mkdir()
    program = place / "dfu-util"
    program.write_text(TOOL.format(python=sys.executable, place=str(place)))
    program.chmod(0o755)
    (place / "devices").write_text(LINE.format(n=5, memory=MEMORY))
    for address, data in ELEMENTS:
        (place / hex(address)).write_bytes(data)
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    return place


def said(tool):
    """Return the arguments of every call."""
    return [json.loads(line) for line in (tool / "said.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("port", ["usb", "1-5", "3365356E5"])
def test_written_and_read_back(flash, tool, image, port):
    path = image()
    status, report, err = flash("PYBD_SF6", "--port", port, "--firmware", path)
    assert (status, err) == (0, "") and report["firmware"] == "1.27.0" and report["verified"]
    assert (tool / "file").read_bytes() == path.read_bytes()
    listed, written, *read = said(tool)
    assert listed == ["-l"] and written == ["-a", "0", "-p", "1-5", "-D", str(path)]
    # the last one lets the board start
    parts = [f"{a:#x}:{len(d)}" for a, d in ELEMENTS]
    assert [command[5] for command in read] == [parts[0], f"{parts[1]}:leave"]


def test_what_was_written_is_something_else(refused, tool, image):
    (tool / hex(0x90000000)).write_bytes(QSPI[:-1] + b"?")
    line = refused("PYBD_SF6", "--port", "usb", "--firmware", image())
    assert line.startswith("0x90000000 does not read back as written, the board is not complete")


@pytest.mark.parametrize(("option", "what"), [("-D", "writing"), ("-U", "reading back")])
def test_unplugged(refused, tool, image, option, what):
    (tool / "fails").write_text(option)
    line = refused("PYBD_SF6", "--port", "usb", "--firmware", image())
    assert line == (
        f"dfu-util: {what} failed (dfu-util: Lost device after RESET?): connect the board as a DFU"
        " device and repeat"
    )


@pytest.mark.parametrize(
    ("devices", "port", "says"),
    [
        ("", "usb", "usb: no DFU device: hold USR (PYBD) or BOOT0 while you press RESET"),
        (LINE.format(n=5, memory=MEMORY), "1-6", "1-6: no DFU device"),
        (
            "\n".join(LINE.format(n=n, memory=MEMORY) for n in (5, 6)),
            "usb",
            "usb: more than one DFU device: --port one of 1-5, 1-6",
        ),
        (
            LINE.format(n=5, memory="@Internal Flash  /0x08000000/04*016Kg"),
            "usb",
            "has no room for 300 bytes at 0x90000000: it is no PYBD_SF6, nothing was written",
        ),
    ],
)
def test_device_that_is_not_the_one(refused, tool, image, devices, port, says):
    (tool / "devices").write_text(devices)
    assert says in refused("PYBD_SF6", "--port", port, "--firmware", image())
    assert said(tool) == [["-l"]]


def test_tool_is_missing(refused, image, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    line = refused("PYBD_SF6", "--port", "usb", "--firmware", image())
    assert line == "dfu-util is missing: install it (apt install dfu-util, brew install dfu-util)"


def test_every_bit_of_an_image_is_looked_at(image, tmp_path):
    """A flipped bit is found wherever it is, and so is a file that is cut short."""
    data = dfuse([(0x08008000, b"abcdef")])
    assert dfu.parse(tmp_path, data) == [(0x08008000, b"abcdef")]
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 1
        for wrong in (bytes(damaged), data[:at]):
            with pytest.raises(Exception, match="no DfuSe image, or a damaged one"):
                dfu.parse(tmp_path, wrong)


@pytest.mark.parametrize("change", [(5, 2), (6, 0), (10, 2), (281, 9), (290, 255), (11, 0)])
def test_image_with_a_right_crc_and_wrong_contents(refused, image, change):
    at, value = change
    data = bytearray(dfuse(ELEMENTS))
    data[at] = value
    data[-4:] = struct.pack("<I", ~zlib.crc32(data[:-4]) & 0xFFFFFFFF)
    line = refused("PYBD_SF6", "--port", "usb", "--firmware", image(bytes(data)))
    assert "no DfuSe image, or a damaged one" in line


def packed(elements, chunk=2048):
    """Return the chunks of an image as mboot_pack_dfu.py lays them out, with noise in them."""
    chunks = []
    for address, data in elements:
        for at in range(0, len(data), chunk):
            secret = bytes(36) + random.Random(at).randbytes(len(data[at : at + chunk]))
            chunks.append((2, address + at, secret))
    chunks.append((1, chunks[-1][1] + chunk, bytes(8 + 64)))
    return [
        (address, struct.pack("<BBBBII", 1, form, 0, 0, address, len(body)) + body + bytes(64))
        for form, address, body in chunks
    ]


def test_packed_image(flash, tool, image, capsys):
    """Its version cannot be read, and mboot reads nothing back: both are said."""
    # the signature of the whole is for an address behind the last memory
    elements = packed([(0x08008000, FLASH), (0x901FF800, QSPI)])
    path = image(dfuse(elements))
    status, report, err = flash("PYBD_SF6", "--port", "usb", "--firmware", path)
    assert (status, err) == (0, "")
    assert (report["packed"], report["firmware"], report["verified"]) == (True, None, False)
    assert [command[-1] for command in said(tool)] == ["-l", str(path)]
    assert main(["flash", "PYBD_SF6", "--port", "usb", "--firmware", str(path)]) == 0
    out = capsys.readouterr().out
    assert "firmware   packed for mboot, its version cannot be read\n" in out
    assert "it cannot be read back: press RESET" in out
    assert main(["flash", "PYBD_SF6", "--firmware", str(path), "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("PYBD_SF6: packed for mboot") and "verify" not in out


def test_chunk_of_a_packed_image_that_is_wrong(refused, image):
    elements = packed([(0x08008000, bytes(100))])
    elements[0] = (elements[0][0] + 4, elements[0][1])
    line = refused("PYBD_SF6", "--port", "usb", "--firmware", image(dfuse(elements)))
    assert "no version of MicroPython in it" in line


@pytest.mark.parametrize(
    ("elements", "says"),
    [
        ([ELEMENTS[0], (0x08008100, QSPI)], "two of its elements are for 0x8008100: get it again"),
        ([(0x08000000, FLASH)], "it would replace the boot loader, which is at 0x8000000"),
        ([(0x08004000, FLASH)], "it would replace the boot loader"),
        ([(0x90000000, FLASH)], "nothing in it is for the internal flash of PYBD_SF6"),
        ([], "nothing in it is for the internal flash of PYBD_SF6"),
        (packed([(0x90000000, FLASH)]), "nothing in it is for the internal flash of PYBD_SF6"),
        (packed([(0x08000000, FLASH)]), "it would replace the boot loader"),
    ],
)
def test_places_of_an_image(refused, tool, image, elements, says):
    path = image(dfuse(elements))
    assert says in refused("PYBD_SF6", "--port", "usb", "--firmware", path)
    assert not (tool / "said.jsonl").exists()


def test_image_of_another_micropython(refused, image):
    old = dfuse([(0x08008000, BANNER.replace(b"1.27", b"1.20"))])
    line = refused("PYBD_SF6", "--port", "usb", "--firmware", image(old))
    assert "it is MicroPython 1.20.0" in line
