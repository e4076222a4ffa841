"""Ports of the tests: nobody else's, neither here nor in another process."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

import ports

TESTS = Path(__file__).resolve().parents[1]
TAKE = "import ports; print(*(ports.take() for _ in range(20)), flush=True); input()"


def test_no_port_is_given_twice():
    commands = [[sys.executable, "-c", TAKE]] * 2
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "cwd": TESTS, "text": True}
    others = [subprocess.Popen(command, **pipes) for command in commands]
    found = [ports.take() for _ in range(20)]
    for other in others:
        found += [int(word) for word in other.stdout.readline().split()]
    for other in others:
        other.communicate("\n", timeout=30)
    assert len(found) == len(set(found)) == 60


def test_a_port_in_use_is_not_given():
    numbers = [ports.take() for _ in range(3)]
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with socket.create_server(("127.0.0.1", numbers[0])), udp:
        udp.bind(("127.0.0.1", numbers[1]))
        assert [ports._free(n) for n in numbers] == [False, False, True]


def test_below_the_ports_of_outgoing_connections(monkeypatch, tmp_path):
    for text, expected in (
        ("32768\t60999\n", range(22768, 32768)),
        ("40000 40400\n", range(30000, 40000)),
        ("1024 65535\n", range(20000, 30000)),
    ):
        (tmp_path / "range").write_text(text)
        monkeypatch.setattr(ports, "_RANGE", tmp_path / "range")
        assert ports._numbers() == expected
    monkeypatch.setattr(ports, "_RANGE", tmp_path / "none")
    assert ports._numbers() == range(20000, 30000)


def test_no_call_from_a_port_that_called_before(monkeypatch):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        number = server.getsockname()[1]
        with ports.dial(number) as first:
            again = [first.getsockname()[1]]

        class Same(socket.socket):
            """The system gives the port that was closed last."""

            def bind(self, address):
                super().bind((address[0], again.pop() if again else 0))

        old = again[0]
        monkeypatch.setattr(socket, "socket", Same)
        with ports.dial(number) as second:
            assert second.getsockname()[1] != old and not again
        monkeypatch.setattr(ports, "_dialled", {(number, n) for n in range(65536)})
        monkeypatch.setattr(ports, "_TRIES", 5)
        with pytest.raises(RuntimeError, match="every port"):
            ports.dial(number)
