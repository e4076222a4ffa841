"""A simulated board in setup mode among visitors that mean no good: real sockets, real time."""

import contextlib
import json
import random
import socket
import time
import urllib.request

import pytest

from process_sockets import family, sockets
from setup_board import VECTORS, SetupBoard

AIR = [{"ssid": "HomeWiFi", "password": "correct horse", "channel": 6}]
_LIMIT_S = 60
_CONFIGURE = next(e for e in VECTORS["exchanges"] if e["name"] == "configure-ap WPA2")


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """Give a board that all of them visit."""
    found = SetupBoard(tmp_path_factory.mktemp("hostile"), AIR)
    yield found
    found.close()


@pytest.fixture
def visit(board):
    """Give visit(protocol) -> a connection, which ends with the test."""
    with contextlib.ExitStack() as all_of_them:

        def one(protocol="http"):
            port = board.http if protocol == "http" else board.tcp
            s = socket.create_connection(("127.0.0.1", port), _LIMIT_S)
            return all_of_them.enter_context(s)

        yield one


def rest(s):
    """Return what comes until the board ends the connection."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while True:
            piece = s.recv(65536)
            if not piece:
                break
            data += piece
    return data


def works(board):
    """Assert that somebody else is served, by both protocols and the name server."""
    with urllib.request.urlopen(
        f"http://127.0.0.1:{board.http}/version", timeout=_LIMIT_S
    ) as answer:
        assert json.load(answer) == {"v": 2}
    with socket.create_connection(("127.0.0.1", board.tcp), _LIMIT_S) as s:
        s.sendall(b"version\n0\n\n")
        assert rest(s) == b'\n\n{"v":2}'
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(_LIMIT_S)
        s.sendto(bytes.fromhex(VECTORS["dns"]["query"]), ("127.0.0.1", board.ports["53"]))
        assert s.recv(512).hex() == VECTORS["dns"]["reply"]


def test_silent_and_slow_ones(board, visit):
    for protocol in ("http", "tcp"):
        slow = [visit(protocol) for _ in range(7)]
        for s in slow[::2]:
            s.sendall(b"GET /ver" if protocol == "http" else b"configure-ap\n9")
        works(board)
        for s in slow[::2]:
            # one octet now and then is no request either; it may have been sent away before
            with contextlib.suppress(OSError):
                s.sendall(b"0")
        works(board)


def test_fifty_that_ask_at_once(board, visit):
    asked = []
    for n in range(50):
        asked.append(visit("http" if n & 1 else "tcp"))
        request = b"GET /version HTTP/1.1\r\n\r\n" if n & 1 else b"version\n0\n\n"
        asked[-1].sendall(request)
    for n, s in enumerate(asked):
        s.settimeout(_LIMIT_S)
        answer = rest(s)
        assert b'{"v":2}' in answer, (n, answer)


def test_too_much(board, visit):
    text = b'{"ssid":"' + b"x" * 65536 + b'"}'
    s = visit("http")
    s.sendall(b"POST /configure-ap HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
    assert rest(s).startswith(b"HTTP/1.1 413 ")
    s = visit("tcp")
    s.sendall(b"configure-ap\n%d\n\n" % len(text) + text)
    assert rest(s) == b"\n\n"
    s = visit("http")
    s.sendall(b"POST /set HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n{")
    works(board)


def test_those_who_leave_in_the_middle(board, visit):
    request = _CONFIGURE["http_request"].encode()
    rng = random.Random(5609)
    for _ in range(12):
        s = visit("http")
        s.sendall(request[: rng.randrange(len(request))])
        if rng.random() < 0.5:
            # a reset, not an end
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        s.close()
    works(board)


def test_noise(board, visit):
    rng = random.Random(80)
    for protocol in ("http", "tcp") * 10:
        s = visit(protocol)
        with contextlib.suppress(OSError):
            s.sendall(rng.randbytes(rng.randrange(1, 3000)))
            s.shutdown(socket.SHUT_WR)
            rest(s)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for _ in range(50):
            s.sendto(rng.randbytes(rng.randrange(1, 300)), ("127.0.0.1", board.ports["53"]))
    works(board)


def test_the_application_goes_on_and_nothing_is_left(tmp_path, visit):
    board = SetupBoard(tmp_path, AIR)
    try:
        silent = [socket.create_connection(("127.0.0.1", board.http)) for _ in range(6)]
        with socket.create_connection(("127.0.0.1", board.tcp), _LIMIT_S) as s:
            s.sendall(_CONFIGURE["tcp_request"].encode())
            assert rest(s) == b'\n\n{"r":0}'
        with socket.create_connection(("127.0.0.1", board.tcp), _LIMIT_S) as s:
            s.sendall(b'connect-ap\n9\n\n{"idx":0}')
            assert rest(s) == b'\n\n{"r":0}'
        assert int(board.says("setup is over").split()[-1]) > 10
        assert "b'HomeWiFi'" in board.says("ends")
        assert board.listeners() == set()
        for s in silent:
            s.close()
    finally:
        board.close()


def test_a_board_holds_few_sockets(board, visit):
    for _ in range(7):
        visit("http")
        visit("tcp")
    end = time.monotonic() + _LIMIT_S
    while time.monotonic() < end:
        found = [s for s in sockets(family(board.pid)) if not s.listens]
        if len(found) <= 9:  # four visitors of each server, and the name server's
            return
        time.sleep(0.05)
    raise AssertionError(found)
