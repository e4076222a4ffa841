"""A cloud of which only the REST calls of a first start exist (rest-api 2, 3, 6, 15.3)."""

import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from Crypto.PublicKey import ECC, RSA

USER = "ann@example.com:secret:with colon"
_TOKEN = "0123456789" * 4
_RSA = RSA.generate(2048).public_key().export_key("DER")


class FakeRest:
    """Serve on a free loopback port. `calls` lists "METHOD path" in order.

    foreign: ids of somebody else's devices. before: called with the number of each call before
    it is answered. broken: path prefix -> (status, body) to answer instead.
    """

    def __init__(self):
        self.calls = []
        self.keys = {}
        self.claimed = []
        self.foreign = set()
        self.broken = {}
        self.before = None
        self.ec = True
        self.rsa_key = _RSA
        self.ec_key = ECC.generate(curve="P-256").public_key().export_key(format="DER")
        self.info = {"host": "127.0.0.1", "tcp_port": 5683, "udp_port": 5684, "version": "1"}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request):
        """Answer one request."""
        path, _, query = request.path.partition("?")
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        self.calls.append(f"{request.command} {path}")
        if self.before:
            self.before(len(self.calls))
        status, content = next(
            (v for k, v in self.broken.items() if path.startswith(k)), (None, None)
        )
        if status is None:
            status, content = self._result(
                path, dict(urllib.parse.parse_qsl(query)), body, request
            )
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
        try:
            request.send_response(status)
            request.send_header("Content-Length", str(len(content)))
            request.end_headers()
            request.wfile.write(content)
        except OSError:
            pass  # the client was killed

    def _result(self, path, query, body, request):
        if path == "/oauth/token":
            form = dict(urllib.parse.parse_qsl(body.decode()))
            if f"{form['username']}:{form['password']}" != USER:
                text = "User credentials are invalid"
                return 400, {"error": "invalid_grant", "error_description": text}
            return 200, {"access_token": _TOKEN, "token_type": "bearer"}
        if path == "/local/v1/info":
            return 200, self.info
        if path == "/local/v1/server-key":
            if query["alg"] == "ec" and not self.ec:
                return 404, {"error": "no such key"}
            return 200, self.rsa_key if query["alg"] == "rsa" else self.ec_key
        if request.headers.get("Authorization") != f"Bearer {_TOKEN}":
            return 401, {"error": "invalid_token"}
        values = json.loads(body)
        if path.startswith("/v1/provisioning/"):
            if values["deviceID"] in self.foreign:
                return 403, {"error": "Permission Denied", "info": "not yours"}
            self.keys[values["deviceID"], values["algorithm"]] = values["publicKey"]
            return 200, {"ok": True}
        if path == "/v1/devices":
            if values["id"] in self.foreign:
                return 403, {"ok": False, "errors": ["That belongs to someone else."]}
            self.claimed.append(values["id"])
            return 200, {"ok": True}
        return 404, {"error": "not found"}
