"""A board without AES, or without the component of its transport, says so and what to do."""

import os
import subprocess

import pytest

from particle_tools import ROOT, interpreter

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
    assert said == "ImportError more: install the component repl"


def test_without_anything_else():
    """What is no part of ours is not explained."""
    assert connect("hashlib", "udp").startswith("ImportError no module named 'hashlib'")
