"""`particle-mp firmware`: one line for each thing that is missing."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pexpect
import pytest

from particle_tools import ROOT, cache
from particle_tools.firmware import qemu
from particle_tools.local import wait_for


def firmware(*arguments, **environment):
    """Run the verb and return (exit status, stderr)."""
    done = subprocess.run(
        [sys.executable, "-m", "particle_tools", "firmware", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_unknown_board():
    status, said = firmware("build", "TOASTER")
    assert (status, said.count("\n")) == (1, 1)
    assert "TOASTER: no such board" in said


@pytest.mark.parametrize(
    ("name", "says"),
    [("ESP32_GENERIC", "Build in boards/ESP32_GENERIC/board.md"), ("UNIX_SIM", "particle-mp sim")],
)
def test_boards_that_others_build(name, says):
    status, said = firmware("build", name)
    assert (status, said.count("\n")) == (1, 1)
    assert says in said


def test_missing_tools(tmp_path):
    status, said = firmware("build", "QEMU_M3", PATH=str(tmp_path))
    assert (status, said.count("\n")) == (1, 1)
    assert "apt-get install gcc-arm-none-eabi make" in said


def tools(folder: Path) -> str:
    """Make tools that only exist and return a PATH of them."""
    for name in ("arm-none-eabi-gcc", "make"):
        (folder / name).write_text("#!/bin/sh\nexit 0\n")
        (folder / name).chmod(0o755)
    return str(folder)


@pytest.mark.parametrize("there", [(), ("py/mkrules.mk", "lib/mbedtls/README.md")])
def test_not_a_source_tree(tmp_path, there):
    for name in there:
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    arguments = ("build", "QEMU_M3", "--micropython", str(tmp_path))
    status, said = firmware(*arguments, PATH=tools(tmp_path))
    assert (status, said.count("\n")) == (1, 1)
    wrong = "lib/mbedtls is empty" if there else "not a MicroPython source tree"
    assert f"--micropython {tmp_path}: {wrong}" in said


def stub(tmp_path, *lines):
    """Make a source tree and tools that build by running `lines` of shell; return the options.

    `$BUILD` and `$OUT` are where objects belong; the compiler tells its version only.
    """
    tree = tmp_path / "micropython"
    for name in ("py/mkrules.mk", "lib/mbedtls/library/aes.c"):
        (tree / name).parent.mkdir(parents=True)
        (tree / name).touch()
    folder = tmp_path / "bin"
    folder.mkdir()
    text = "#!/bin/sh\n" + "".join(line + "\n" for line in lines)
    for name, said in (("arm-none-eabi-gcc", "#!/bin/sh\necho stub 1.0\n"), ("make", text)):
        (folder / name).write_text(said)
        (folder / name).chmod(0o755)
    options = ("build", "QEMU_M3", "--micropython", str(tree))
    environment = {
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    return options, environment


def test_what_the_compiler_says_is_one_line(tmp_path):
    options, environment = stub(
        tmp_path,
        "echo CC one.c",
        "echo 'two.c:7:1: error: no such thing'",
        "echo make: '***' 1",
        "exit 2",
    )
    assert firmware(*options, **environment) == (
        1,
        "particle-mp firmware: building QEMU_M3: two.c:7:1: error: no such thing\n",
    )


def test_progress_is_for_terminals(tmp_path):
    options, environment = stub(tmp_path, "echo CC one.c", "echo CC two.c", "echo sorry", "exit 2")
    child = pexpect.spawn(
        sys.executable,
        ["-m", "particle_tools", "firmware", *options],
        cwd=str(ROOT),
        env=os.environ | environment,
        timeout=20,
        encoding="utf-8",
    )
    child.expect_exact("fetching MicroPython")
    child.expect_exact("compiling, 1 files")
    child.expect_exact("compiling, 2 files")
    # the line is empty again before the result
    child.expect_exact("\r\x1b[Kparticle-mp firmware: building QEMU_M3: sorry")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 1
    said = firmware(*options, **environment)[1]
    assert "compiling" not in said and said.count("\n") == 1


def test_interrupted(tmp_path):
    """^C ends it and what it started, with one line; the next build is not hindered."""
    options, environment = stub(tmp_path, "echo CC one.c", "echo $$ > $0.pid", "exec sleep 60")
    process = subprocess.Popen(
        [sys.executable, "-m", "particle_tools", "firmware", *options],
        cwd=ROOT,
        env=os.environ | environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # whoever started the tests in the background ignores it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    noted = tmp_path / "bin" / "make.pid"
    assert wait_for(lambda: noted.exists() and noted.read_text(), 30)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=30)[1]
    assert process.returncode == 130 and "Traceback" not in said
    assert wait_for(lambda: not Path(f"/proc/{int(noted.read_text())}").exists(), 30)
    (tmp_path / "bin" / "make").write_text("#!/bin/sh\necho again; exit 2\n")
    assert firmware(*options, **environment)[1].endswith("building QEMU_M3: again\n")


def test_two_at_once_wait_for_each_other(tmp_path):
    # what one of them compiles the other must not: mkdir fails when it is there
    options, environment = stub(
        tmp_path, "mkdir $0.busy || exit 3", "sleep 1", "rmdir $0.busy", "echo both; exit 2"
    )
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(firmware, *options, **environment) for _ in range(2)]
        for run in runs:
            assert run.result()[1].endswith("building QEMU_M3: both\n")


def test_names_with_spaces(tmp_path):
    cache_home = str(tmp_path / "a cache")
    status, said = firmware("build", "QEMU_M3", XDG_CACHE_HOME=cache_home)
    assert (status, said.count("\n")) == (1, 1)
    assert "make cannot build where a name has a space" in said


def test_no_way_to_fetch_the_sources(tmp_path):
    """An empty cache, and an apt that knows no source."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "apt-get").write_text("#!/bin/sh\necho E: no network >&2; exit 100\n")
    (folder / "apt-get").chmod(0o755)
    path = f"{folder}{os.pathsep}{tools(folder)}{os.pathsep}{os.environ['PATH']}"
    status, said = firmware("build", "QEMU_M3", PATH=path, XDG_CACHE_HOME=str(tmp_path / "c"))
    assert (status, said.count("\n")) == (1, 1)
    assert "MicroPython's sources: " in said and "or use --micropython DIR" in said


def test_memory_keeps_the_flash(tmp_path):
    psram = tmp_path / "psram"
    qemu.prepare(psram, {"main.py": b"pass\n"}, 0, bytes(32))
    with psram.open("r+b") as file:
        file.seek(qemu.FLASH_AT)
        file.write(b"kept")
    qemu.prepare(psram, {"a/b.py": b"x", "a/c/d.py": b"y"}, 65536, b"s" * 32)
    data = psram.read_bytes()
    assert len(data) == 16 << 20
    assert data[:40] == b"PT30\x00\x00\x01\x00" + b"s" * 32
    assert data[qemu.ROM_AT :][:3] == b"\xd2\xcd\x31"
    assert data[qemu.FLASH_AT :][:4] == b"kept"


def test_too_many_files(tmp_path):
    with pytest.raises(ValueError):
        qemu.prepare(tmp_path / "psram", {"x": bytes(qemu.FLASH_AT)}, 0, bytes(32))


def test_old_objects_are_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for age, name in enumerate(("new", "older", "old", "used")):
        with cache.locked(f"objects/board-{name}") as work:
            (work / "file").touch()
        os.utime(work, (1000 - age, 1000 - age))
    (work.parent / "other-board").mkdir()
    with cache.locked("objects/board-used"):
        os.utime(work, (1, 1))
        cache.prune("objects/board-", 2)
    left = {path.name for path in work.parent.iterdir() if path.is_dir()}
    assert left == {"board-new", "board-older", "board-used", "other-board"}
