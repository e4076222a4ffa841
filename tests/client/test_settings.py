"""The configuration record (DESIGN 5, store)."""

import json

from particle import client
from particle.errors import ConfigError
from particle.runtime.rules import check, check_stored
from particle.verbs import config
from support import raises


class Board:
    PLATFORM_ID = 3
    TRANSPORT = "tcp"


class Files:
    def __init__(self, data=None):
        self.data = data

    def read(self, name):
        assert name == "config.json"
        return self.data

    def write(self, name, data):
        self.data = data


def load(record):
    return client.load(Files(json.dumps(record).encode()), Board)


def test_defaults_and_stored_values():
    v = client.load(Files(), Board)
    assert v["platform_id"] == 3 and v["transport"] == "tcp" and "server" not in v
    v = load({"v": 1, "server": "10.0.0.1", "port": 5683, "device_id": "e0" * 12})
    assert v["server"] == "10.0.0.1" and v["port"] == 5683 and v["device_id"] == "e0" * 12


def test_round_trip_keeps_what_it_does_not_know():
    files = Files(b'{"v": 1, "later": [1, 2], "server": "a.b"}')
    v = client.load(files, Board)

    class Client:
        _conn = None
        _store = files
        _values = v

    config(Client, port=5000)
    assert json.loads(files.data)["later"] == [1, 2]
    assert client.load(files, Board) == Client._values == config(Client)
    assert config(Client, "port") == 5000 and config(Client, "later") == [1, 2]
    assert config(Client, "keep_alive") is None
    e = raises(ConfigError, config, Client, "sever")
    assert "unknown setting 'sever'" in str(e) and "server" in str(e)


def test_damaged_and_newer_files_are_kept():
    for data in (b"", b"{", b"[1]", b"null", b"{}", b"\xff\xfe", b'{"v": 2}', b'{"v": null}'):
        files = Files(data)
        e = raises(ConfigError, client.load, files, Board)
        assert "config.json" in str(e) and e.stage == "store"
        assert files.data == data


def test_wrong_values():
    for key, value in (
        ("port", 0),
        ("port", 65536),
        ("port", "5683"),
        ("port", True),
        ("server", ""),
        ("server", "x" * 64),
        ("server", "10.0.0.1:5684"),
        ("server", "http://10.0.0.1"),
        ("server", "a b"),
        ("server", "\u00fc.example"),
        ("device_id", b"e0" * 12),
        ("transport", "tls"),
        ("device_id", "12"),
        ("device_id", "g" * 24),
        ("limits", "1000"),
        ("auto_connect", 1),
        ("colour", "red"),
    ):
        e = raises(ConfigError, check, key, value)
        assert key in str(e)


def test_stored_values_that_cannot_be_used():
    for values in ({"port": "5683"}, {"server": 7}, {"keep_alive": None}, {"device_id": "e"}):
        e = raises(ConfigError, check_stored, values)
        assert e.stage == "store" and "config.json: " + list(values)[0] in str(e)
    check_stored({"port": 5683, "later": [1, 2]})


def test_right_values():
    assert check("device_id", "E0" * 12) == "e0" * 12
    assert check("port", 5683) == 5683
    assert check("auto_connect", True) is True
