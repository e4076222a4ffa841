"""Packing: what mip installs is complete, small-named and the same on every machine."""

import json
import subprocess

from other_place import OtherPlace
from particle_tools import interpreter, packing


def test_same_input_same_bytes(tmp_path):
    packing.build_packages(tmp_path / "a")
    OtherPlace(tmp_path).run("particle_tools.packing", str(tmp_path / "b"))
    assert packing.digest(tmp_path / "a") == packing.digest(tmp_path / "b")


def test_every_package_names_files_that_exist(tmp_path):
    built = packing.build_packages(tmp_path)
    assert set(built) == set(packing.complete())
    for path in tmp_path.rglob("package.json"):
        package = json.loads(path.read_text())
        assert package["urls"] and not package["deps"], path
        for target, url in package["urls"]:
            assert target.startswith("particle/")
            assert target.endswith((".mpy", "portal.html.gz"))
            assert (path.parent / url).is_file()


def test_an_index_has_every_component_and_what_it_needs(tmp_path):
    """What `mip install --index` reads: files by hash, other packages by name."""
    built = packing.build_packages(tmp_path)
    folder = tmp_path / "package" / str(packing.MPY_VERSION)
    assert {path.name for path in folder.iterdir()} == {*built, packing.EVERYTHING}
    for path in folder.rglob("*.json"):
        package = json.loads(path.read_text())
        files = dict(package["hashes"])
        name = path.parent.name
        assert {*files} == (set().union(*built.values()) if name not in built else {*built[name]})
        for target, digits in files.items():
            data = (tmp_path / "file" / digits[:2] / digits).read_bytes()
            assert packing.file_hash(data) == digits
            assert not target.endswith(".mpy") or data[:2] == bytes(
                (ord("M"), packing.MPY_VERSION)
            )
        for need, version in package["deps"]:
            assert (folder / need / f"{version}.json").is_file()
    # a core and a link belong to the board, everything else comes along
    assert reached("portal") >= {"softap", "setup", "wifi", "networks", "keygen", "repl"}
    assert reached("slots") == {"slots", "ota", "images", "safe", "repl"}


def reached(name):
    """Return the components that come with one."""
    return {name}.union(*(reached(need) for need in packing.NEEDS.get(name, ())))


def test_an_index_holds_nothing_of_the_one_before(tmp_path):
    for data in (b"one", b"two"):
        packing.write_index(tmp_path, {"a": {"particle/x.mpy": data, "particle/y.mpy": b"y"}}, "7")
    files = {path.read_bytes() for path in (tmp_path / "file").rglob("*") if path.is_file()}
    assert files == {b"two", b"y"}
    names = {path.name for path in (tmp_path / "package").rglob("*.json")}
    assert names == {"7.json", "latest.json"}


def test_packed_library_imports_without_sources(tmp_path):
    packing.build_packages(tmp_path)
    for name in packing.complete():
        done = subprocess.run(
            [*interpreter.find(), "-c", "import particle; print(particle.version)"],
            cwd=tmp_path / name,
            env={"MICROPYPATH": f"{tmp_path / name}:.frozen"},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert done.stdout.strip(), done


def test_only_the_bare_file_name_is_stored():
    data = packing.compile_module(packing.source("wire/coap"))
    assert b"coap" in data and b"coap.py" not in data
    assert b"wire/coap" not in data
    assert str(packing.ROOT).encode() not in data


def test_packed_code_knows_nothing_of_const(tmp_path):
    source = tmp_path / "mine.py"
    source.write_text("from micropython import const\n\n_A = const(6)\nprint(_A)\n1 / 0\n")
    (tmp_path / "mine.mpy").write_bytes(packing.compile_module(source))
    source.unlink()
    argv = [*interpreter.find(), "-c", "import sys, mine"]
    done = subprocess.run(
        argv, cwd=tmp_path, env={"MICROPYPATH": "."}, capture_output=True, timeout=20, check=False
    )
    printed = done.stdout + done.stderr  # ports differ in where tracebacks go
    assert printed.startswith(b"6") and b"line 5" in printed and b"ZeroDivisionError" in printed
    assert b"micropython" not in (tmp_path / "mine.mpy").read_bytes()


def test_package_of_the_sources_is_current():
    """`mip install` from the project's folder or repository reads package.json in the root."""
    assert (packing.ROOT / "package.json").read_bytes() == packing.sources_package(), "make mip"
