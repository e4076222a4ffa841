"""Packages on a board: found by name, upgraded, removed, and what goes wrong meanwhile."""

import contextlib
import functools
import http.server
import re
import socket
import subprocess
import sys
import threading

import pytest

from e2e.mpremote import mpremote, refused
from particle_tools import packing
from sim.boards import Bench

_FULL = """
import os
try:
    while True:
        with open("/flash/fill", "ab") as f:
            f.write(bytes(4096))
except OSError:
    pass
print(os.stat("/flash/fill")[6])
"""


@pytest.fixture
def port(tmp_path):
    """Give the serial port of a board as from the shop, with a file of its store."""
    bench = Bench(tmp_path)
    sim = bench.start(bench.board({"/pt/config.json": "{}"}), None, "--pty")
    yield sim.wait_for("serial ").split()[1]
    bench.close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(folder):
    """Serve a folder over HTTP; give its URL."""
    handler = functools.partial(_Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def done(said):
    """Return the names of the files that mpremote has written, and of those it found there."""
    return re.findall(r"Installing: .*/(\S+)", said), re.findall(r"Exists: .*/(\S+)", said)


# Little is printed: a board throws away what a reader on a busy machine takes too late.
_FILES = """
import os
from binascii import hexlify
from hashlib import sha256
def below(folder):
    for name in os.listdir(folder):
        path = folder + "/" + name
        if os.stat(path)[0] & 0x4000:
            below(path)
        else:
            with open(path, "rb") as f:
                found[path] = hexlify(sha256(f.read()).digest()).decode()[:16]
found = {}
below("/flash")
print(found)
"""


def files(port, *first):
    """Run a command of mpremote; return what it printed, and path -> hash of all files then."""
    said = mpremote(port, *first, *(["+"] if first else []), "exec", _FILES)
    said, _, found = said.rstrip().rpartition("\n")
    return said, eval(found)


def test_by_name_from_the_cloud(cloud, port):
    index = ("mip", "install", "--index", cloud.url + "/mip")
    written, there = done(mpremote(port, *index, "host", "backup"))
    assert (sorted(written), there) == (["backup.mpy", "host.mpy", "retained.mpy"], [])
    written, there = done(mpremote(port, *index, "backup"))
    assert (written, sorted(there)) == ([], ["backup.mpy", "retained.mpy"])
    assert "Package not found" in refused(port, *index, "backup@0.0.9")


def test_what_a_component_needs_comes_along(port, tmp_path):
    parts = {"led": {"particle/led.mpy": b"l"}, "repl": {"particle/verbs.mpy": b"v"}}
    packing.write_index(tmp_path, parts)
    with served(tmp_path) as url:
        said = mpremote(port, "mip", "install", "--index", url, f"led@{packing.__version__}")
    assert sorted(done(said)[0]) == ["led.mpy", "verbs.mpy"]


def test_an_upgrade_replaces_only_what_changed(port, tmp_path):
    parts = {"particle/a.mpy": b"a1", "particle/b/c.mpy": b"c1"}
    with served(tmp_path) as url:
        index = ("mip", "install", "--index", url, "part")
        packing.write_index(tmp_path, {"part": parts}, "1.0.0")
        assert done(mpremote(port, *index)) == (["a.mpy", "c.mpy"], [])
        parts["particle/b/c.mpy"] = b"c2"
        packing.write_index(tmp_path, {"part": parts}, "1.0.1")
        said, found = files(port, *index)
        assert done(said) == (["c.mpy"], ["a.mpy"])
    assert found["/flash/lib/particle/a.mpy"] == packing.file_hash(b"a1")
    assert found["/flash/lib/particle/b/c.mpy"] == packing.file_hash(b"c2")


def test_removal_leaves_nothing_but_what_the_board_knows(cloud, port):
    _, before = files(port)
    assert "/flash/pt/config.json" in before
    _, found = files(port, "mip", "install", f"{cloud.url}/mip/backup/package.json")
    assert len(found) == len(before) + 2
    _, found = files(port, "fs", "rm", "-r", ":lib/particle")
    assert found == before


def test_a_package_that_is_not_there(cloud, port):
    for package in ("nothing", f"{cloud.url}/mip/nothing/package.json"):
        said = refused(port, "mip", "install", "--index", cloud.url + "/mip", package)
        assert re.search(r"Package not found: \S+/nothing\b", said)
        assert "Installing:" not in said


def test_a_cloud_that_is_gone_in_the_middle(port, tmp_path):
    parts = {f"particle/{name}.mpy": bytes(600) + name.encode() for name in "abc"}
    packing.write_index(tmp_path, {"part": parts}, "1.0.0")
    digits = packing.file_hash(parts["particle/b.mpy"])
    lost = tmp_path / "file" / digits[:2] / digits
    kept = lost.read_bytes()
    lost.unlink()
    with served(tmp_path) as url:
        index = ("mip", "install", "--index", url, "part")
        said = refused(port, *index)
        assert "File not found" in said and "Package may be partially installed" in said
        assert done(said)[0] == ["a.mpy"]
        lost.write_bytes(kept)
        assert done(mpremote(port, *index)) == (["b.mpy", "c.mpy"], ["a.mpy"])
    # and before the beginning: an address where nobody listens
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        assert "refused" in refused(port, "mip", "install", "--index", url, "part")


def test_killed_in_the_middle_and_repeated(port, tmp_path):
    parts = {f"particle/{n}.mpy": bytes(range(256)) * 8 + b"%d" % n for n in range(5)}
    packing.write_index(tmp_path, {"part": parts}, "1.0.0")
    with served(tmp_path) as url:
        index = ("mip", "install", "--index", url, "part")
        process = subprocess.Popen(
            [sys.executable, "-um", "mpremote", "connect", port, "resume", *index],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for line in process.stdout:
            if b"2.mpy" in line:
                break
        process.kill()
        process.wait()
        process.stdout.close()
        said, found = files(port, *index)
        written, there = done(said)
        assert there[:2] == ["0.mpy", "1.mpy"] and len(written) + len(there) == len(parts)
    assert all(found[f"/flash/lib/{path}"] == packing.file_hash(parts[path]) for path in parts)


def test_a_board_that_is_full(port, tmp_path):
    parts = {f"particle/{n}.mpy": bytes(range(256)) * 40 + b"%d" % n for n in range(3)}
    packing.write_index(tmp_path, {"part": parts}, "1.0.0")
    assert int(mpremote(port, "exec", _FULL)) > 900_000
    with served(tmp_path) as url:
        index = ("mip", "install", "--index", url, "part")
        said = refused(port, *index)
        assert "OSError: [Errno 28]" in said  # ENOSPC, in mpremote's words
        _, found = files(port, "fs", "rm", ":fill", "+", *index)
    assert all(found[f"/flash/lib/{path}"] == packing.file_hash(parts[path]) for path in parts)
    assert found["/flash/pt/config.json"] == packing.file_hash(b"{}")
