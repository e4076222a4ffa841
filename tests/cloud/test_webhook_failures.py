"""Targets of webhooks that hang, lie or are not there: each ends in a hook-error that says why.

The cloud's time stands still but for what a test lets pass.
"""

import datetime
import gzip
import ipaddress
import socket
import ssl
from contextlib import suppress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from cloud.hook_target import Target, ok
from cloud.running import new_ec_key

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def cloud(held):
    return held


def error_of(account, url, **fields):
    """Make a hook, trigger it and return the text of its hook-error."""
    account.hook("x", url, **fields)
    account.publish("x")
    (event,) = account.heard.wait("hook-error/")
    assert event[0] == "hook-error/x/0"
    assert account.heard.named("hook-response/") == []
    return event[1]


def test_status(account, target):
    target.answer = ok(b"gone", 404)
    assert error_of(account, target.url) == f"error status 404 from {HOST}"
    assert [name for name, _ in account.heard.named("hook-")] == [
        "hook-sent/x",
        "hook-error/x/0",
    ]


def test_one_that_hangs(held, account, target):
    target.answer = target.hang
    hook_id = account.hook("x", target.url)
    account.publish("x")
    target.requests(1)
    held.pass_time(19.9)
    assert account.heard.named("hook-error/") == []
    held.pass_time(0.2)
    text = f"no answer from {HOST} within 20 s"
    assert account.heard.wait("hook-error/") == [("hook-error/x/0", text)]
    assert account.counters(hook_id)["last_error"] == text


def test_one_that_answers_byte_by_byte(held, account, target):
    def drip(connection, got):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not target.released.wait(0.01):
            connection.sendall(b"x")

    target.answer = drip
    account.hook("x", target.url)
    account.publish("x")
    target.requests(1)
    for _ in range(21):
        held.pass_time(1)
    text = f"no answer from {HOST} within 20 s"
    assert account.heard.wait("hook-error/") == [("hook-error/x/0", text)]


@pytest.mark.parametrize(
    "sent",
    [b"", b"HTTP/1.1 200 OK\r\nContent-", ok(b"x" * 1000)[:-1], b"HTTP/1.1 100 Continue\r\n\r\n"],
)
def test_one_that_closes_early(account, target, sent):
    target.answer = sent
    text = f"{HOST} closed the connection before its answer was complete"
    assert error_of(account, target.url) == text


@pytest.mark.parametrize(
    "sent",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Y: z\r\n" * 2000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    ],
)
def test_one_that_does_not_speak_http(account, target, sent):
    def answer(connection, got):
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):  # a reset would overtake what was sent
            pass

    target.answer = answer
    text = error_of(account, target.url)
    assert text.startswith(f"{HOST} does not answer in HTTP"), text


@pytest.mark.parametrize("head", ["Content-Length: 5000000", "Transfer-Encoding: chunked"])
def test_five_megabytes(account, target, head):
    sent = []

    def flood(connection, got):
        connection.sendall(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode())
        block = b"1000\r\n" + b"x" * 4096 + b"\r\n"
        with suppress(OSError):
            for _ in range(1220):
                connection.sendall(block)
                sent.append(len(block))

    target.answer = flood
    text = f"the answer of {HOST} is larger than 102400 bytes"
    assert error_of(account, target.url) == text


def test_compressed_data_is_not_unpacked(account, target):
    # A few kilobytes can be a gigabyte; a target that compresses unasked is passed on as it is.
    packed = gzip.compress(bytes(1_000_000), mtime=0)
    target.answer = ok(packed, 200, "Content-Encoding: gzip")
    account.hook("x", target.url)
    account.publish("x")
    assert len(account.heard.wait("hook-response/x/", 2)) == -(-len(packed) // 512)
    assert target.got[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(account, target, status):
    elsewhere = Target()
    try:
        target.answer = ok(b"", status, f"Location: {elsewhere.url}")
        text = f"error status {status} from {HOST}: redirects are not followed"
        assert error_of(account, target.url) == text
        assert elsewhere.got == []
    finally:
        elsewhere.close()


def test_nobody_there(account):
    with socket.socket() as bound:  # a port that nobody else can listen on
        bound.bind((HOST, 0))
        text = error_of(account, f"http://{HOST}:{bound.getsockname()[1]}/")
    assert text == f"cannot connect to {HOST}: Connection refused"


def test_a_name_that_is_not_found(account, monkeypatch):
    real = socket.getaddrinfo

    def look_up(host, *args, **more):
        if host == "nowhere.test":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    text = error_of(account, "http://nowhere.test/")
    assert text == "nowhere.test was not found: Name or service not known"


def test_a_name_that_leads_where_no_hook_may_go(account, monkeypatch):
    real = socket.getaddrinfo

    def look_up(host, *args, **more):
        return real("169.254.169.254" if host == "good.test" else host, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    text = error_of(account, "http://good.test/latest/meta-data")
    assert account.heard.named("hook-sent/") == []
    assert text == "good.test is not among the hosts that webhooks may reach"


def test_a_name_is_looked_up(account, target):
    account.hook("x", target.url.replace(HOST, "localhost"))
    for count in (1, 2):  # looked up, then known
        account.publish("x")
        assert target.requests(count)[-1].headers["host"] == f"localhost:{target.port}"
        account.heard.wait("hook-response/x", count)
        assert len(account.heard.named("hook-sent/")) == count


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("{{{PARTICLE_EVENT_NAME}}}", "x is not a URL of http or https"),
        ("http://{{gone}}/", "http:/// is not a URL"),
        ("http://x:{{PARTICLE_EVENT_NAME}}/", "http://x:x/ is not a URL"),
        ("http://169.254.169.254/{{gone}}", "169.254.169.254 is not among the hosts"),
        ("http://[fe80::1]/{{gone}}", "fe80::1 is not among the hosts"),
        ("http://0.0.0.0/{{gone}}", "0.0.0.0 is not among the hosts"),
        ("http://0/", "0 is no host"),  # the system takes it for 0.0.0.0
    ],
)
def test_urls_that_cannot_be_used(account, url, text):
    assert error_of(account, url).startswith(text)
    assert account.heard.named("hook-sent/") == []  # nothing was


def test_data_that_cannot_be_sent(account, target):
    account.hook("bad", target.url, headers={"X-Value": "{{{v}}}"}, body="{{{v}}}")
    account.publish("bad", '{"v": "a\\r\\nInjected: yes"}')
    text = "the header X-Value has characters that no header can have"
    assert account.heard.wait("hook-error/bad")[0][1] == text
    account.publish("bad", '{"v": "\\ud800"}')
    assert account.heard.wait("hook-error/bad", 2)[1][1] in (text, "the data is not valid Unicode")
    assert target.got == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Give an ssl context with a certificate for 127.0.0.1 that nobody has signed."""
    key = new_ec_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime(2020, 1, 1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=36500))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), False
        )
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def test_certificates(account, certificate):
    target = Target(certificate)
    try:
        text = error_of(account, target.url)
        assert text.startswith(f"the certificate of {HOST} is not valid: self")
        assert target.got == []
        account.hook("lax", target.url, rejectUnauthorized=False)
        account.publish("lax", "5")
        assert target.requests(1)[0].form()["data"] == "5"
        account.heard.wait("hook-response/lax")
    finally:
        target.close()


def test_tls_with_one_that_has_none(account, target):
    plain = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    server = socket.create_server((HOST, 0))
    with server:
        account.hook("x", f"https://{HOST}:{server.getsockname()[1]}/", rejectUnauthorized=False)
        account.publish("x")
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(plain)
            (event,) = account.heard.wait("hook-error/x")
    assert event[1].startswith(f"no TLS with {HOST}")
