"""The configuration file: every setting, and one line for what is wrong."""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from pathlib import Path

import pytest

from particle_tools.cli import main
from particle_tools.cloud import config_file
from particle_tools.cloud.settings import Limits, Logs, Metering, Plan, Rates, Settings
from particle_tools.errors import UserError
from particle_tools.verbs import cloud

_BOB = "bob@example.com"
FULL = """
data = "/var/lib/cloud"
host = "::1"
tcp_port = 0
http_port = 65535
lan = true
time_scale = 2
metrics = "open"

[limits]
data = 16384
idle_s = 60

[plan]
name = "growth"
blocks = 2
grace_days = 0.5

[metering]
asked = 0

[rates]
strict = true

[log]
format = "json"

[[users]]
name = "ann@example.com"
password = "secret \\"one\\""

[[users]]
name = "bob@example.com"
password = "two"
"""


@pytest.fixture
def write(tmp_path):
    def write(text, mode=0o600):
        path = tmp_path / "cloud.toml"
        path.write_text(text)
        path.chmod(mode)
        return path

    return write


def failure(path):
    with pytest.raises(UserError) as caught:
        config_file.load(path)
    text = str(caught.value)
    assert "\n" not in text and text.startswith(str(path))
    return text


def test_everything_is_taken(write):
    assert Settings(**config_file.load(write(FULL))) == Settings(
        data=Path("/var/lib/cloud"),
        host="::1",
        http_port=65535,
        lan=True,
        time_scale=2.0,
        metrics="open",
        limits=Limits(data=16384, idle_s=60.0),
        plan=Plan("growth", blocks=2, grace_days=0.5),
        metering=Metering(asked=0),
        rates=Rates(strict=True),
        log=Logs(format="json"),
        users=(("ann@example.com", 'secret "one"'), ("bob@example.com", "two")),
    )


def test_an_empty_file_changes_nothing(write):
    assert config_file.load(write("")) == {}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("tcp_prot = 1", ["tcp_prot", "tcp_port", "limits"]),
        ("[limits]\nfoo = 1", ["limits.foo", "idle_s"]),
        ("[limit]\ndata = 1", ["limit", "limits"]),
        ("limits = 3", ["limits", "table"]),
        ("tcp_port = 65536", ["tcp_port", "65536", "from 0 to 65535"]),
        ("tcp_port = -1", ["tcp_port", "from 0"]),
        ('tcp_port = "5683"', ["tcp_port", "'5683'", "a whole number"]),
        ("tcp_port = true", ["tcp_port", "True", "a whole number"]),
        ("tcp_port = 1.0", ["tcp_port", "a whole number"]),
        ("time_scale = nan", ["time_scale", "a number from 1e-06 to 1000000"]),
        ("lan = 1", ["lan", "true or false"]),
        ("host = 7", ["host", "a text"]),
        ('host = ""', ["host", "a text that is not empty"]),
        ("webhook_hosts = 'x'", ["webhook_hosts", "a list of texts"]),
        ("webhook_hosts = ['x', 1]", ["webhook_hosts", "a list of texts"]),
        ("standard_dtls = true", ["unknown key standard_dtls"]),
        ("[limits]\nidle_s = 0", ["limits.idle_s", "from 0.001"]),
        ("[limits]\nbody = 0", ["limits.body", "from 1"]),
        ("[limits]\ndata = 20000", ["limits.data", "from 1 to 16384"]),
        ('[plan]\nname = "gold"', ["plan.name", "'gold'", "'off', 'free', 'growth'"]),
        ("[metering]\nasked = 1", ["metering.asked", "one of 0, 2"]),
        ("[metering]\nasked = false", ["metering.asked", "False", "one of 0, 2"]),
        ('[log]\nlevel = "loud"', ["log.level", "'debug', 'info'"]),
        ('metrics = "all"', ["metrics", "'token', 'open', 'off'"]),
        ('users = ["ann"]', ["[[users]]", "name and password"]),
        ("users = 1", ["[[users]]"]),
        ('[[users]]\nname = "ann"', ["[[users]]", "password"]),
        ('[[users]]\nname = "ann"\npassword = 1', ["users.password", "text"]),
        ('[[users]]\nname = "ann"\npassword = "(hidden)"', ["users.password"]),
        ("tcp_port = \n", ["line 1"]),
        ("lan = 1\nlan = 2\n", ["line 2"]),
    ],
)
def test_what_is_wrong_is_said_in_one_line(write, text, names):
    line = failure(write(text))
    for name in names:
        assert name in line


def test_files_that_cannot_be_read(tmp_path, write):
    assert "No such file" in failure(tmp_path / "none.toml")
    path = write("")
    path.write_bytes(b'host = "\xff"')
    assert "utf-8" in failure(path)
    assert failure(tmp_path)


def test_passwords_are_for_the_owner_only(write):
    assert "chmod 600" in failure(write(FULL, 0o644))
    assert config_file.load(write("lan = true", 0o644)) == {"lan": True}


def printed(capsys, *options):
    assert main(["cloud", "--print-config", *options]) == 0
    return capsys.readouterr().out


def test_what_is_printed_is_a_file(write, capsys):
    text = printed(capsys, "--config", str(write(FULL)))
    assert "secret" not in text and text.count("(hidden)") == 2
    settings = Settings(**config_file.load(write(FULL)))
    begin = text.index("users = [")
    again = text[:begin] + text[text.index("]\n", begin) + 2 :]
    expected = dataclasses.replace(settings, users=(), udp_port=5684)
    assert Settings(**config_file.load(write(again))) == expected


def test_options_win(write, capsys):
    path = write('data = "/a"\nhttp_port = 81\n[plan]\nname = "free"\nblocks = 3\n')
    text = printed(
        capsys,
        *("--config", str(path), "--data", "/b", "--udp-port", "0", "--plan", "growth"),
        *("--strict-limits", "--log-level", "info", "--log-format", "json", "--lan"),
    )
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(text)
        file.flush()
        settings = Settings(**config_file.load(Path(file.name)))
    assert settings == Settings(
        data=Path("/b"),
        tcp_port=5683,
        udp_port=0,
        http_port=81,
        lan=True,
        plan=Plan("growth", blocks=3),
        rates=Rates(strict=True),
        log=Logs("json", "info"),
    )


def test_several_users(write):
    """Each --user counts; of one name the option wins, and then the last one."""
    parser = argparse.ArgumentParser()
    cloud.add_arguments(parser)
    options = ["--config", str(write(FULL)), "--user", "me@local:1", "--user", "you@local:2"]
    settings = cloud._settings(parser.parse_args(options))
    assert settings.user == ("me@local", "1")
    assert [name for name, _ in settings.users] == ["you@local", "ann@example.com", _BOB]
    settings = cloud._settings(parser.parse_args([*options, "--user", f"{_BOB}:3"]))
    assert settings.users[1:] == ((_BOB, "3"), ("ann@example.com", 'secret "one"'))


def test_data_is_needed_from_somewhere(write, capsys):
    assert main(["cloud", "--config", str(write(""))]) == 1
    assert "--data DIR is missing" in capsys.readouterr().err
