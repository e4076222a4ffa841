"""A board without AES, or without the component of its transport, says so and what to do."""

import json
import os
import subprocess

import pytest

from particle_tools import ROOT, interpreter, packing

_NO_AES = "this firmware has no cryptolib: use UDP and the C module, docs/c-module.md"


def connect(absent, transport):
    """Return what `connect` raises on a board without some modules."""
    done = subprocess.run(
        [*interpreter.find(), "tests/firmware/missing_app.py", absent, transport],
        cwd=ROOT,
        env=os.environ | {"MICROPYPATH": "lib:.frozen"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=20,
        check=False,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_without_cryptolib(transport):
    said = connect("cryptolib,_particle_crypto", transport)
    assert said == f"ConfigError -120 transport {_NO_AES}"
    assert (ROOT / "docs" / "c-module.md").exists()


def test_without_the_component():
    said = connect("particle.session.aes_tcp", "tcp")
    assert said.startswith("ConfigError -120 transport no module named 'particle.session.aes_tcp'")
    assert "install the component of this transport" in said


def test_without_the_verbs_for_people():
    said = connect("particle.optional", "udp")
    assert said == "AttributeError more: install the component repl"


def test_without_anything_else():
    """What is no part of ours is not explained."""
    assert connect("hashlib", "udp").startswith("ImportError no module named 'hashlib'")


def shown(folder, components, profile):
    """Return dir(particle) of a board with some components, and whether it can be asked."""
    packing.install(folder, components)
    if profile:
        (folder / "particle_board.py").write_text(profile)
    code = (
        "import json, particle\n"
        "print(json.dumps([dir(particle), hasattr(particle, 'usage'), hasattr(particle, 'no')]))"
    )
    done = subprocess.run(
        [*interpreter.find(), "-c", code],
        cwd=folder,
        env={"MICROPYPATH": f"{folder}:.frozen"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done
    names, usage, no = json.loads(done.stdout)
    assert not no
    return {*names}, usage


@pytest.mark.parametrize("core", ["core-udp", "core-tcp"])
def test_a_core_alone_shows_what_it_has(core, tmp_path):
    """`dir` asks for every name there is: what is not installed is not there, and no error."""
    profile = f"PLATFORM_ID = 6\nTRANSPORT = 'udp'\nSTORE_ROOT = '{tmp_path}/pt'\n"
    names, usage = shown(tmp_path, [core], profile)
    assert names > {"Cloud", "Error", "cloud", "connect", "publish", "subscribe", "version"}
    assert not usage


def test_a_core_without_a_profile_shows_what_it_has(tmp_path):
    names, usage = shown(tmp_path, ["core-udp"], None)
    assert names > {"Cloud", "Error", "version"}
    assert not usage and "connect" not in names


def test_the_verbs_alone_show_no_objects_of_other_components(tmp_path):
    profile = (
        "PLATFORM_ID = 6\nTRANSPORT = 'udp'\nSTORE = 'littlefs'\n"
        f"STORE_ROOT = '{tmp_path}/pt'\nNET = 'host'\n"
    )
    (tmp_path / "pt").mkdir()
    (tmp_path / "pt" / "config.json").write_text(json.dumps({"v": 1, "device_id": "3a" * 12}))
    names, usage = shown(tmp_path, ["core-udp", "repl"], profile)
    assert usage and names > {"Cloud", "connect", "diagnose", "time"}
    assert not names & {"led", "setup", "system", "wifi"}
