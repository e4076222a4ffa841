"""Addresses and tokens that cannot be meant, and answers that are cut off: one line each."""

import socket
import threading

import pytest

from particle_tools.cli import main
from particle_tools.errors import UserError
from particle_tools.local import Api

_CUT_OFF = b"HTTP/1.1 %s\r\nContent-Length: 100\r\n\r\n{"


def refused(capsys, *arguments):
    """Run a verb that ends with status 1; return its one line."""
    assert main(arguments) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("particle-mp ")
    return err


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/ü",
        "http://127.0.0.1:1/a b",
        "http://127.0.0.1:abc",
        "http://127.0.0.1:-1",
        "http://127.0.0.1:99999",
        "http://a..b",
        f"http://{'a' * 70}.example",
        "http://[::1",
    ],
)
def test_urls_that_are_none(url, tmp_path, capsys):
    line = refused(capsys, "keys", "server", "--dir", str(tmp_path), "--cloud", url)
    assert f"--cloud {url}: expected a URL such as" in line


@pytest.mark.parametrize("token", ["a\nb", "ü€", "", " "])
def test_tokens_that_are_none(token):
    with pytest.raises(UserError, match="--token"):
        Api("http://127.0.0.1:1").use(token)


@pytest.mark.parametrize("http", [False, True])
@pytest.mark.parametrize("host", ["a..b", "a" * 70])
def test_boards_that_no_name_can_have(host, http, capsys):
    more = ["--http"] if http else []
    line = refused(capsys, "setup", "softap", "--address", host, "--list", *more)
    assert host in line and "join the network of the board" in line


@pytest.fixture
def answers():
    """Give `answers(bytes)` -> URL of a server that gives them to everybody, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held = []

        def serve():
            while True:
                try:
                    there, _ = server.accept()
                except OSError:
                    return
                with there:
                    there.recv(65536)
                    there.sendall(held[0])

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()

        def say(answer):
            held.append(answer)
            return "http://127.0.0.1:%d" % server.getsockname()[1]

        yield say
        server.shutdown(socket.SHUT_RDWR)
        thread.join(30)


@pytest.mark.parametrize("status", [b"200 OK", b"500 No"])
def test_an_answer_that_is_cut_off(status, answers, tmp_path, capsys):
    url = answers(_CUT_OFF % status)
    assert url in refused(capsys, "keys", "server", "--dir", str(tmp_path), "--cloud", url)


def test_a_name_that_is_no_text_is_sent_as_it_is(answers):
    """As the shell gives bytes that are no UTF-8."""
    url = answers(b"HTTP/1.1 400 No\r\nContent-Length: 2\r\n\r\n{}")
    with pytest.raises(UserError, match="refuses"):
        Api(url).login("a\udcff:b\udcff")
