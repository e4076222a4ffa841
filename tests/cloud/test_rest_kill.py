"""kill -9 of the cloud while people edit: what was answered with 200 is there afterwards."""

import contextlib
import http.client
import random
import sqlite3
import threading
import time
from contextlib import closing

import pytest

from cloud.device import random_id
from cloud.running import USER, Api, new_ec_key, provision_ec
from cloud.test_udp_kill import quick

__all__ = ["quick"]  # the fixture

_EDITORS = 4
_KEY = new_ec_key()


class Editor:
    """Edits a device, tokens and claim codes of its own, and knows what was answered.

    What was asked for when the cloud was killed may have happened or not: `asked` tells.
    """

    def __init__(self, url, token, source):
        self.api = Api(url, token)
        self.source = source
        self.id = provision_ec(self.api, _KEY)
        self.fields = self.shown()  # None: what they are is not known
        self.mine = True
        self.devices = {self.id}
        self.tokens = {}  # token -> valid
        self.codes = set()
        self.asked = None
        self.answered = 0
        self.steps = [self.rename, self.annotate, self.own, self.register, self.code, self.token]

    def work(self):
        """Edit until the cloud is gone."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            while True:
                self.source.choice(self.steps)()
                self.asked = None
                self.answered += 1

    def _ask(self, *request):
        self.asked = request
        status, body = self.api(*request)
        assert status == 200, (request, status, body)
        return body

    def rename(self):
        self._change("name", f"{self.id[:6]} {self.answered}")

    def annotate(self):
        self._change("notes", "note " * self.source.randrange(1, 500))

    def _change(self, field, value):
        if self.mine:
            self._ask("PUT", f"/v1/devices/{self.id}", {field: value})
            self.fields[field] = value

    def own(self):
        if self.mine:
            self._ask("DELETE", f"/v1/devices/{self.id}")
            self.fields = None
        else:
            self._ask("POST", "/v1/devices", {"id": self.id})
        self.mine = not self.mine
        if self.mine:
            self.fields = self.shown()

    def register(self):
        self.asked = ("POST", "/v1/provisioning")
        self.devices.add(provision_ec(self.api, _KEY, random_id()))

    def code(self):
        self.codes.add(self._ask("POST", "/v1/device_claims", {})["claim_code"])

    def token(self):
        live = [token for token, valid in self.tokens.items() if valid]
        if live and self.source.random() < 0.7:
            token = self.source.choice(live)
            self._ask("DELETE", f"/v1/access_tokens/{token}")
            self.tokens[token] = False
        else:
            grant = {"grant_type": "password", "username": USER[0], "password": USER[1]}
            self.tokens[self._ask("POST", "/oauth/token", grant)["access_token"]] = True

    def shown(self):
        body = self.api("GET", f"/v1/devices/{self.id}")[1]
        return {field: body[field] for field in ("name", "notes")}

    def check(self, listed, codes):
        """Compare with the cloud after its restart, and go on from what it says."""
        method, path, *rest = self.asked or ("", "")
        found = listed.get(self.id)
        if path == f"/v1/devices/{self.id}" and method == "PUT":
            self.fields |= {f: v for f, v in rest[0].items() if found[f] == v}
        elif path in (f"/v1/devices/{self.id}", "/v1/devices"):
            self.mine = found is not None
        assert (found is not None) is self.mine
        if not self.mine:
            self.fields = None
        elif self.fields is None:
            self.fields = self.shown()
        assert not self.mine or self.shown() == self.fields
        assert self.devices - {self.id} <= set(listed)
        assert self.codes <= codes
        for token, valid in self.tokens.items():
            status = Api(self.api.url, token)("GET", "/v1/access_tokens/current")[0]
            if path.endswith(token):
                self.tokens[token] = status == 200
            else:
                assert status == (200 if valid else 401)
        self.asked = None


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kills", [6, pytest.param(300, marks=pytest.mark.soak)])
def test_what_was_answered_is_there_after_each_kill(quick, tmp_path, kills):
    seed = time.time_ns()
    print("seed", seed)
    source = random.Random(seed)
    api = quick.api
    editors = [Editor(api.url, api.token, random.Random(source.random())) for _ in range(_EDITORS)]
    for _ in range(kills):
        threads = [threading.Thread(target=editor.work) for editor in editors]
        for thread in threads:
            thread.start()
        time.sleep(source.uniform(0.0, 0.1))
        quick.kill()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
        quick.start()
        listed = {device["id"]: device for device in api("GET", "/v1/devices")[1]}
        with closing(sqlite3.connect(tmp_path / "d" / "cloud.db")) as db:
            codes = {row[0] for row in db.execute("SELECT code FROM claim_codes")}
            assert db.execute("PRAGMA quick_check").fetchone()[0] == "ok"
        for editor in editors:
            editor.check(listed, codes)
    answered = sum(editor.answered for editor in editors)
    print(f"{kills} kills, {answered} edits")
    assert answered
