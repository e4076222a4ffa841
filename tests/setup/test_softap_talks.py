"""What a visitor of softAP sends, byte by byte: where it ends, and that finding that is cheap."""

import particle.setup.softap_http as http
import particle.setup.softap_server as server
import particle.setup.softap_tcp as tcp
from particle.setup.softap_json import Ending
from softap_world import World, ask

WHOLE = (b"{}", b'{"a":"}"}', b"nonsense}", b"x", b'{"a":[{},"\\\\"]}', b'{"\\"":{}}', b'"{"')
PARTS = (b"{", b'{"a":"}', b'{"a":"\\"}', b'{"a":{}', b'"\\\\\\"', b'{"a":[}', b'{"')


class Looked:
    """Bytes that count how often one of them is looked at."""

    def __init__(self, content):
        self.content = content
        self.come = self.looks = 0

    def __len__(self):
        return self.come

    def __getitem__(self, at):
        assert at < self.come
        self.looks += 1
        return self.content[at]

    def find(self, what, start):
        """Do as bytes."""
        at = self.content.find(what, start, self.come)
        self.looks += (self.come if at < 0 else at + 1) - start
        return at


def test_where_it_ends():
    for body in WHOLE + PARTS:
        for step in range(1, len(body) + 1):
            ending = Ending()
            for end in list(range(0, len(body), step)) + [len(body)]:
                reached = ending.reached(body[:end])
            assert reached == (body in WHOLE), (body, step)
            assert ending.reached(body) == reached


def test_each_byte_is_looked_at_once():
    for content in (
        b'{"crt":"' + b"x" * 3000 + b'"}',
        b'{"crt":"' + b"}" * 3000 + b'"}',
        b"}" * 3000,
        b'{"crt":"' + b"\\" * 3000 + b'"}',
        b'{"crt":"' + b'\\"' * 1500 + b'"}',
    ):
        body = Looked(content)
        ending = Ending()
        while body.come < len(content):
            body.come += 1
            ending.reached(body)
        assert body.looks <= 4 * len(content), (content[:20], body.looks)
        assert ending.reached(body)


class Counting(Ending):
    """Counts the bytes that it was not asked about before."""

    bytes = 0

    def reached(self, body):
        """Do as the real one."""
        Counting.bytes += len(body) - self._at
        return super().reached(body)


def test_talks_ask_on_from_where_they_were():
    body = b'{"k":"' + b"}" * 1000 + b'","v":""}'
    requests = (
        (b"set\n1\n\n", lambda commands: tcp.TcpTalk(commands)),
        (
            b"POST /set HTTP/1.1\r\nContent-Length: 1\r\n\r\n",
            lambda commands: http.HttpTalk(http.Site(commands)),
        ),
    )
    for head, talk in requests:
        Counting.bytes = 0
        server.Ending = Counting
        try:
            assert b'{"r":-1}' in ask(talk, World().commands(), head + body, 1)
        finally:
            server.Ending = Ending
        assert Counting.bytes == len(body)


def test_header_lines_have_an_end():
    # 1000 bytes of them; then nobody is listened to any more, and nothing is done
    for lines, answered in ((b"x" * 998, True), (b"x" * 1001, False), (b"x\n" * 501, False)):
        for pieces in (1, 300, None):
            request = b"version\n0\n" + lines
            talk = tcp.TcpTalk(World().commands())
            for at in range(0, len(request), pieces or len(request)):
                part = request[at : at + (pieces or len(request))]
                talk.feed(part, len(part))
            if answered:
                assert talk.answer() is None
                talk.feed(b"\n\n", 2)
            said = talk.answer()
            assert said is not None and b"".join(list(said)) == (
                b'\n\n{"v":2}' if answered else b""
            )
