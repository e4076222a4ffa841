"""Updates over a link of 32 kB/s and 100 ms, what they write to flash and take of the heap.

The link is on a fake clock, with the real sender of the cloud and the real client at its ends. A
share counts the bytes of the image alone; the link carries IPv4 and UDP headers too.
"""

import hashlib
import json
import os
import statistics
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

import device_suite
from bench.figures import Figure
from particle_tools import ROOT, interpreter
from particle_tools.images import bundles, files, signing
from silicon import cortex_m3

_HEAP_APP = Path(__file__).with_name("updates_heap_app.py")
HEAP_GOAL = 8192
_SECRET = 0x1234567890ABCDEF  # of a key that means nothing
_LINK = "32 kB/s, round trip 100 ms; image of 1 MB"
# key, loss, options of a sender, goal, note
_SHARES = (
    ("ota_share", 0.0, {}, 0.9, "version 3, chunks of 1136 bytes"),
    ("ota_share_loss_10", 0.1, {}, 0.68, "a tenth of all datagrams is lost, mean of 4 runs"),
    ("ota_share_512", 0.0, {"chunk": 512}, None, "chunks of 512 bytes"),
    ("ota_share_512_loss_10", 0.1, {"chunk": 512}, None, "chunks of 512 bytes, a tenth is lost"),
    ("ota_share_older", 0.0, {"older": True}, None, "the older protocol, over the same link"),
)


def measure() -> list[Figure]:
    """Measure what can be measured here; the heap needs the emulated Cortex-M3."""
    figures = []
    for key, loss, options, goal, note in _SHARES:
        whole, chunks = _shares(loss, options)
        note += f"; {_LINK}; with start and finish"
        if not options.get("older"):
            note += f", the chunks alone {chunks:.3f}"
        figures.append(Figure(key, round(whole, 3), "", note, goal))
    two, twenty = _written()
    note = "application of 200 kB in two files, into its slot on littlefs with pages of 256 bytes"
    figures.append(Figure("ota_flash_bytes_per_byte", two, "", note, 1.05))
    note = "the same in twenty files: each costs two entries of a folder"
    figures.append(Figure("ota_flash_bytes_per_byte_files", twenty, "", note))
    if cortex_m3.available():
        code, data = heap()
        note = "beyond the connection of a board with an application, into a slot; chunks of"
        note += " 512 bytes (see ota_share_512), four kept;"
        note += " Cortex-M3, code frozen: its modules and classes count"
        figures.append(Figure("heap32_ota", code + data, "bytes", note, HEAP_GOAL))
        note = "of these what the update itself takes, without modules and classes"
        figures.append(Figure("heap32_ota_data", data, "bytes", note, HEAP_GOAL))
    return figures


def _shares(loss: float, options: dict) -> list[float]:
    path = os.pathsep.join(["tests/shims/cpython", "lib", "tests", "firmware/boot"])
    done = subprocess.run(
        [sys.executable, "-m", "bench.updates_app", json.dumps([loss, options])],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
        timeout=600,
        check=True,
    )
    rows = json.loads(done.stdout.splitlines()[-1])
    return [statistics.mean(column) for column in zip(*rows, strict=True)]


def _written() -> list[float]:
    argv = [*interpreter.find(), "-X", "heapsize=32m"]
    done = device_suite.start(argv, "tests/bench/updates_flash_app.py", seconds=100)
    if done.returncode:
        raise RuntimeError(done.stdout)
    return [round(float(word), 4) for word in done.stdout.split()[-2:]]


def heap() -> list[int]:
    """Return the bytes of an update's modules and classes, and the most of all its data."""
    rom = cortex_m3.helpers(_HEAP_APP) | {"app.mpy": cortex_m3.compiled(_HEAP_APP)}
    name = "coap-messages.json"
    rom["vectors/" + name] = (cortex_m3.TESTS / "vectors" / name).read_bytes()
    key = ec.derive_private_key(_SECRET, ec.SECP256R1())
    data = rom["image.bin"] = _application(key)
    given = hashlib.sha256(data).digest(), signing.der(key.public_key())
    said = cortex_m3.run(f"import app; app.measure{given}", rom, seconds=300, seed=bytes(32))
    return [int(word) for word in said.split()]


def _application(key: ec.EllipticCurvePrivateKey) -> bytes:
    facts = bundles.Facts(
        board="UNIX_SIM", platform=3, product=3, version=2, floor=0, abi=6, client=65536
    )
    content = {f"lib/part{n}.py": bytes([n]) * 6000 for n in range(4)}
    made = bundles.make(facts, content).signed(key)
    # always the same numbers: what is calculated with them takes as much memory as they are long
    digest = hashlib.sha256(made.head).digest()
    prehashed = utils.Prehashed(hashes.SHA256())
    der = key.sign(digest, ec.ECDSA(prehashed, deterministic_signing=True))
    signature = b"".join(n.to_bytes(32, "big") for n in utils.decode_dss_signature(der))
    return files.pack(replace(made, signature=signature))


if __name__ == "__main__":
    for figure in measure():
        print(figure.key, figure.value, figure.goal, figure.note)
