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
        assert package["urls"], path
        for target, url in package["urls"]:
            assert target.startswith("particle/")
            assert target.endswith((".mpy", "portal.html.gz"))
            assert (path.parent / url).is_file()


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
