"""`particle-mp firmware pack|sign|inspect|keys`: what it makes a board takes, and bad input."""

import io
import json
import subprocess
import zipfile

import pytest

from device_suite import start
from particle.errors import UpdateError
from particle.ota.bundle import Bundle
from particle.ota.sink import Folder, Head
from particle.wire.module import user_slots
from particle_tools import cli, interpreter
from particle_tools.errors import UserError
from particle_tools.images import bundles, files, modules
from unpacked import unpack

ABOUT = {"board": "UNIX_SIM", "platform": 3, "product": 3, "abi": 2822, "client": 65536}


@pytest.fixture
def app(tmp_path, monkeypatch):
    """Make a folder of an application and two keys; be where they are."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app/lib").mkdir(parents=True)
    (tmp_path / "app/app.py").write_text("import valve\nprint(valve.x)\n")
    (tmp_path / "app/lib/valve.py").write_text("x = 1\n")
    (tmp_path / "app/data.json").write_text("{}" * 2000)
    (tmp_path / "app/.hidden").write_text("no")
    firmware("keys", "k.pem", "--new", "p256", "--public", "k.der")
    return tmp_path


def firmware(*words):
    """Run the verb, which must be content."""
    assert cli.main(["firmware", *map(str, words)]) == 0


def pack(*words, version=3, key="k.pem", out="a.bin"):
    options = ["--key", key] if key else []
    firmware(
        *("pack", "app", "--board", "UNIX_SIM", "--version", version, "-o", out), *options, *words
    )


def refusal(capsys, *words):
    """Run the verb, which must refuse in one line; return it."""
    capsys.readouterr()
    assert cli.main(["firmware", *map(str, words)]) == 1
    found = capsys.readouterr()
    assert not found.out and found.err.count("\n") == 1, found
    return found.err


def install(folder, data, slot="a", active=None, key="k.der", about=ABOUT):
    """Unpack an image as a board does; return the slot's files and the module."""
    (folder / "image").write_bytes(data)
    path = str(folder / slot)
    keys = [(folder / key).read_bytes()]
    head = Head(path + ".head")
    bundle = Bundle(head, Folder(path), about, keys, 0, active and str(folder / active))
    steps = unpack(str(folder / "image"), len(data), bundle, 3, user_slots(3))
    while True:
        try:
            next(steps)
        except StopIteration as done:
            below = [p for p in (folder / slot).rglob("*") if p.is_file()]
            names = {p.relative_to(folder / slot).as_posix(): p.read_bytes() for p in below}
            return names, done.value


def test_a_board_takes_what_was_packed(app):
    pack()
    found, module = install(app, (app / "a.bin").read_bytes())
    assert set(found) == {"app.mpy", "lib/valve.mpy", "data.json", "manifest"}
    assert found["data.json"] == b"{}" * 2000
    assert (module.product_id, module.product_version) == (3, 3)
    done = subprocess.run(
        [*interpreter.find(), "-c", "import app"],
        cwd=app / "a",
        env={"MICROPYPATH": f"{app / 'a'}:{app / 'a/lib'}"},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.stdout == "1\n", done


def test_packing_the_same_gives_the_same_but_for_the_signature(app):
    pack(key=None)
    pack(key=None, out="b.bin")
    assert (app / "a.bin").read_bytes() == (app / "b.bin").read_bytes()


def test_delta_and_deflate(app):
    pack()
    first = (app / "a.bin").read_bytes()
    before, _ = install(app, first)
    (app / "app/lib/valve.py").write_text("x = 2\n")
    (app / "app/more.py").write_text("y = 1\n")
    for options in ((), ("--deflate",), ("--deflate", "12")):
        pack("--delta", "a.bin", *options, version=4, out="b.bin")
        data = (app / "b.bin").read_bytes()
        assert len(data) < len(first) - 3000
        found, _ = install(app, data, f"b{len(options)}{options[-1:]}", "a")
        assert set(found) == set(before) | {"more.mpy"}
        assert found["data.json"] == before["data.json"]
        assert found["lib/valve.mpy"] != before["lib/valve.mpy"]
    pack("--deflate", "9", version=4, out="c.bin")
    assert len((app / "c.bin").read_bytes()) < 1500
    found, _ = install(app, (app / "c.bin").read_bytes(), "c")
    assert found["data.json"] == before["data.json"]


def test_two_kinds_of_keys(app):
    firmware("keys", "r.pem", "--new", "rsa2048", "--public", "r.der")
    pack(key=None)
    with pytest.raises(UpdateError, match="not signed"):
        install(app, (app / "a.bin").read_bytes())
    for key in ("r", "k"):
        firmware("sign", "a.bin", "--key", f"{key}.pem")
        firmware("inspect", "a.bin", "--key", f"{key}.der")
        found, _ = install(app, (app / "a.bin").read_bytes(), key, key=f"{key}.der")
        assert "manifest" in found


def test_the_board_of_micropython_takes_it_too(app):
    firmware("keys", "r.pem", "--new", "rsa2048", "--public", "r.der")
    for key in ("k", "r"):
        pack("--deflate", key=f"{key}.pem", out=f"{key}.bin")
        done = start(
            interpreter.find(),
            *("tests/unpack_image.py", str(app / f"{key}.bin"), str(app / f"{key}.der")),
            str(app / f"slot-{key}"),
            seconds=60,
        )
        assert done.stdout.endswith("installed 5 2\n"), done.stdout
        slot = app / f"slot-{key}"
        assert (slot / "data.json").read_text() == "{}" * 2000 and (slot / "manifest").exists()


def test_assets_travel_in_a_zip(app, capsys):
    (app / "cat.txt").write_text("cat" * 100)
    pack("--asset", "cat.txt", out="a.zip")
    with zipfile.ZipFile("a.zip") as archive:
        assert archive.read("assets/cat.txt") == b"cat" * 100
        data = archive.read("application.bin")
    assert [name for _, name in install(app, data)[1].assets()] == [b"cat.txt"]
    # which assets belong to it is signed
    bundle = files.parse(data).bundle.pack()
    for other in ({}, {"cat.txt": b"dog"}, {"dog.txt": b"cat" * 100}):
        changed = modules.application(bundle, 3, 3, 3, other)
        with pytest.raises(UpdateError, match="assets"):
            install(app, changed, "x")
        with pytest.raises(UserError, match="assets"):
            files.parse(changed)
    firmware("sign", "a.zip", "--key", "k.pem")
    capsys.readouterr()
    firmware("inspect", "a.zip", "--json")
    assert json.loads(capsys.readouterr().out)["assets"] == {"cat.txt": True}
    (app / "bare.bin").write_bytes(data)
    assert "sign the ZIP" in refusal(capsys, "sign", "bare.bin", "--key", "k.pem")


def test_a_zip_among_the_files_of_an_application(app):
    with zipfile.ZipFile(app / "app/fonts.zip", "w") as archive:
        archive.writestr("fonts.txt", "abc")
    pack("--asset", "app/data.json", out="a.zip")
    pack(out="b.bin")
    assert zipfile.is_zipfile(app / "b.bin")
    for name in ("a.zip", "b.bin"):
        firmware("inspect", name, "--key", "k.der")
    found, _ = install(app, (app / "b.bin").read_bytes())
    assert found["fonts.zip"] == (app / "app/fonts.zip").read_bytes()


def test_inspect_reads_any_module(capsys):
    for path in sorted(modules_of_the_specification()):
        firmware("inspect", path)
        assert "module: function" in capsys.readouterr().out


def modules_of_the_specification():
    from particle_tools import ROOT

    for path in (ROOT / "tests/vectors/modules").glob("*.bin"):
        if path.stem not in ("bad_crc", "bad_sha_good_crc", "truncated", "micropython_app_user"):
            yield path


def test_a_compressed_module_is_looked_into(app, capsys):
    pack()
    packed = modules.compress((app / "a.bin").read_bytes(), 10)
    (app / "packed.bin").write_bytes(packed)
    capsys.readouterr()
    firmware("inspect", "packed.bin", "--key", "k.pem", "--json")
    assert json.loads(capsys.readouterr().out)["bundle"]["facts"]["version"] == 3
    assert "manifest" in install(app, packed)[0]


def test_bad_words(app, capsys):
    base = ("pack", "app", "--board", "UNIX_SIM", "--version", "3")
    assert "is no folder" in refusal(capsys, "pack", "none", *base[2:])
    assert "--platform" in refusal(capsys, "pack", "app", "--board", "NONE", "--version", 1)
    assert "--version" in refusal(capsys, *base[:-1], 65535)
    assert "--floor" in refusal(capsys, *base, "--floor", 4)
    assert "--deflate" in refusal(capsys, *base, "--deflate", 15)
    assert "--client" in refusal(capsys, *base, "--client", "new")
    assert "no.pem" in refusal(capsys, *base, "--key", "no.pem")
    assert "no private key" in refusal(capsys, *base, "--key", "k.der")
    assert "asset" in refusal(capsys, *base, "--asset", "none")
    assert "no firmware module" in refusal(capsys, *base, "--delta", "k.der")
    assert "never replaced" in refusal(capsys, "keys", "k.pem", "--new", "p256")
    assert "no firmware module" in refusal(capsys, "inspect", "app/app.py")
    assert "knows no processor z80" in refusal(capsys, *base, "--arch", "z80")
    (app / "app/app.py").write_text("x = 1\ndef :\n")
    assert "SyntaxError: invalid syntax in line 2" in refusal(capsys, *base)
    (app / "app/app.py").unlink()
    assert "no app.py" in refusal(capsys, *base)


def test_files_that_no_board_takes(app, capsys):
    base = ("pack", "app", "--board", "UNIX_SIM", "--version", "3")
    bad = app / "app/a:b"
    bad.write_text("x")
    assert "a:b" in refusal(capsys, *base)
    bad.unlink()
    (app / "app/out").symlink_to("/etc/hostname")
    assert "leads out" in refusal(capsys, *base)
    (app / "app/out").unlink()
    (app / "app/valve.mpy").write_bytes(b"old")
    assert "no .mpy" in refusal(capsys, *base)
    (app / "app/valve.mpy").unlink()
    (app / "app/app.mpy").write_bytes(b"x")
    assert "twice" in refusal(capsys, *base)
    with pytest.raises(UserError, match="256"):
        facts = bundles.Facts("B", 3, 3, 1, 0, 6, 0)
        bundles.make(facts, {f"f{i}": b"" for i in range(257)})


@pytest.mark.parametrize("name", ["manifest", "manifest.new", "content"])
def test_folders_of_names_that_boards_use_themselves(app, capsys, name):
    file = app / "app" / name / "x"
    file.parent.mkdir()
    file.write_text("x")
    words = ("pack", "app", "--board", "UNIX_SIM", "--version", 1, "-o", "a.bin")
    assert f"'{name}/x': no board takes" in refusal(capsys, *words)
    # further down they are as good as any
    file.parent.rename(app / "app/lib" / name)
    firmware(*words)


def test_native_code_is_for_one_processor(app):
    (app / "app/fast.py").write_text(
        "import micropython\n@micropython.native\ndef f():\n    pass\n"
    )
    pack("--arch", "armv7emsp")
    with pytest.raises(UpdateError, match="ABI"):
        install(app, (app / "a.bin").read_bytes())
    pack("--arch", "x64")
    assert "fast.mpy" in install(app, (app / "a.bin").read_bytes(), "x")[0]


def test_damaged_bundles_are_refused_by_the_host(app):
    pack()
    module = files.read(app / "a.bin").module
    for at in range(0, len(module.payload), 7):
        payload = bytearray(module.payload)
        payload[at] ^= 0x21
        data = modules.build(module.prefix, bytes(payload), module.suffix)
        try:
            bundle = files.parse(data).bundle
        except UserError:
            continue
        # what can still be read has a signature that does not fit, or is none of ours
        assert bundle is None or bundle.pack() == bytes(payload)


def test_a_zip_with_damaged_data_is_one_clear_error(app, capsys):
    pack()
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write("a.bin")
    data = bytearray(whole.getvalue())
    at = data.index(b"a.bin") + 40
    data[at : at + 8] = b"\xff" * 8
    (app / "a.zip").write_bytes(data)
    assert "damaged" in refusal(capsys, "inspect", "a.zip")
