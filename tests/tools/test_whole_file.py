"""Files of the tools: whole or as they were, keys for nobody else, nothing left behind."""

import os
import resource
import subprocess
import sys

import pytest

from particle_tools import whole_file
from particle_tools.cli import main
from particle_tools.errors import UserError

_LIMIT = 64  # bytes that a file may have: a disk that is full


def run(*arguments, limit=None):
    """Run `particle-mp ARGUMENTS`; limit: bytes that a file may have."""

    def narrow():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.run(
        [sys.executable, "-m", "particle_tools", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=narrow if limit else None,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )


@pytest.fixture
def pt(tmp_path):
    """Give a folder with the keys of a device."""
    folder = tmp_path / "pt"
    assert main(["keys", "make", "--dir", str(folder)]) == 0
    return folder


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_full_disk_leaves_what_was_there(pt, tmp_path):
    image, exported, signing = tmp_path / "image", tmp_path / "key.pem", tmp_path / "sign.pem"
    assert run("keys", "export-dct", pt, image).returncode == 0
    other = tmp_path / "other"
    assert run("keys", "make", "--dir", other).returncode == 0
    exported.write_bytes(b"of another device")
    before = [contents(folder) for folder in (pt, other, tmp_path)]
    for arguments in (
        ("keys", "import-dct", image, other, "--force"),
        ("keys", "export-dct", pt, image),
        ("keys", "export", "--dir", pt, "device.ec", exported, "--private"),
        ("keys", "make", "--dir", pt, "--transport", "tcp"),
        ("keys", "import", "--dir", other, pt / "device.ec.der", "--force"),
        ("firmware", "keys", signing, "--new", "p256"),
    ):
        done = run(*arguments, limit=_LIMIT)
        assert (done.returncode, done.stdout) == (1, ""), arguments
        assert "File too large" in done.stderr and done.stderr.count("\n") == 1
        assert before == [contents(folder) for folder in (pt, other, tmp_path)], arguments


def test_a_private_key_is_for_its_owner_whatever_was_there(pt, tmp_path):
    path = tmp_path / "key.pem"
    path.touch(0o644)
    path.chmod(0o644)
    (pt / "device.rsa.der.new").touch()
    (pt / "device.rsa.der.new").chmod(0o644)
    assert main(["keys", "export", "--dir", str(pt), "device.ec", str(path), "--private"]) == 0
    assert main(["keys", "make", "--dir", str(pt), "--transport", "tcp"]) == 0
    assert path.stat().st_mode & 0o77 == 0 and path.read_bytes().startswith(b"-----BEGIN")
    assert (pt / "device.rsa.der").stat().st_mode & 0o77 == 0
    assert not (pt / "device.rsa.der.new").exists()


def test_a_key_is_not_overwritten_by_what_is_made_of_it(pt, tmp_path):
    key, app = tmp_path / "sign.pem", tmp_path / "app"
    app.mkdir()
    (app / "app.py").write_text("x = 1\n")
    assert main(["firmware", "keys", str(key), "--new", "p256"]) == 0
    update = tmp_path / "update.bin"
    pack = ("firmware", "pack", app, "--board", "UNIX_SIM", "--version", 1)
    assert run(*pack, "-o", update).returncode == 0
    before = key.read_bytes(), contents(pt)
    own = pt / "device.ec.der"
    for arguments, named in (
        (("keys", "export", "--dir", pt, "device.ec", own), own),
        (("firmware", "keys", key, "--public", key), key),
        ((*pack, "--key", key, "-o", key), key),
        (("firmware", "sign", update, "--key", key, "-o", tmp_path / "app/../sign.pem"), key),
    ):
        done = run(*arguments)
        assert done.returncode == 1 and done.stderr.count("\n") == 1, arguments
        assert named.name in done.stderr and "another name" in done.stderr
        assert (key.read_bytes(), contents(pt)) == before, arguments


def test_import_dct_where_it_cannot(pt, tmp_path):
    image, file, taken = tmp_path / "image", tmp_path / "file", tmp_path / "taken"
    assert main(["keys", "export-dct", str(pt), str(image)]) == 0
    file.touch()
    (taken / "device.ec.der").mkdir(parents=True)
    for folder in (file, file / "below", taken):
        for force in ((), ("--force",)):
            done = run("keys", "import-dct", image, folder, *force)
            assert (done.returncode, done.stdout) == (1, "")
            assert str(folder) in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("action", [["make"], ["import-dct", "IMAGE"]])
def test_a_folder_without_a_name_gets_no_keys(action, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    where = ["--dir", ""] if action == ["make"] else [""]
    with pytest.raises(SystemExit) as ended:
        main(["keys", *action, *where])
    assert ended.value.code == 1 and "the name of a folder is missing" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_links_and_devices_stay_what_they_are(pt, tmp_path):
    link, place = tmp_path / "link.bin", tmp_path / "place.bin"
    place.write_bytes(b"old")
    link.symlink_to(place)
    whole_file.write(link, b"new")
    assert link.is_symlink() and place.read_bytes() == b"new"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    whole_file.write(pipe, b"through")
    assert os.read(reader, 99) == b"through" and pipe.is_fifo()
    os.close(reader)
    with pytest.raises(UserError, match="Is a directory"):
        whole_file.write(tmp_path, b"")
    left = ["link.bin", "pipe", "place.bin", "pt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == left
