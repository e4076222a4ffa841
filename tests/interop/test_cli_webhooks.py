"""Webhooks that particle-cli makes, at work: templates, products, refusals (rest-api 8)."""

import json

import pytest

from cloud.hook_target import Account, Target, ok
from cloud.running import USER, Api, Running
from interop import node, particle_cli
from interop.particle_cli import Cli
from particle_tools.cloud.settings import Settings

# As `particle help webhook create` shows it, with what it leaves empty.
TEMPLATE = {
    "event": "order",
    "requestType": "PUT",
    "form": None,
    "json": {"who": "{{{who}}}", "at": "{{PARTICLE_PUBLISHED_AT}}"},
    "body": None,
    "headers": {"X-Who": "{{who}}"},
    "query": {"of": "{{PARTICLE_EVENT_NAME}}"},
    "auth": {"username": "u", "password": "p"},
    "responseTemplate": "{{list.1.name}}",
    "responseTopic": "{{who}}/done",
    "rejectUnauthorized": "false",
    "noDefaults": True,
}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    running = Running(Settings(data=tmp_path_factory.mktemp("cloud") / "data", user=USER))
    yield running
    running.stop()


@pytest.fixture
def account(cloud):
    found = Account(cloud, Api(cloud.url).login(), USER)
    yield found
    found.close()


@pytest.fixture
def cli(need, cloud, account, tmp_path):
    """Give the tool with the user logged in."""
    packages = particle_cli.PACKAGES.find()
    need("particle-cli (npm)", packages, node.COMMAND)
    found = Cli(packages, tmp_path / "home")
    folder = tmp_path / "home" / ".particle"
    folder.mkdir()
    settings = {"apiUrl": cloud.url, "access_token": account.api.token, "username": USER[0]}
    (folder / "particle.config.json").write_text(json.dumps(settings))
    return found


@pytest.fixture
def target():
    found = Target()
    yield found
    found.close()


def made(text):
    """Return the id of a webhook that was made."""
    start, _, hook_id = text.strip().rpartition(" ")
    assert start.endswith("Successfully created webhook with ID"), text
    return hook_id


def test_a_template_file_at_work(cli, account, target, tmp_path):
    file = tmp_path / "hook.json"
    file.write_text(json.dumps({**TEMPLATE, "url": target.url}))
    hook_id = made(cli("webhook", "create", file))
    target.answer = ok(b'{"list": [{"name": "a"}, {"name": "b"}]}')
    cli("publish", "order/1", '{"who": "ann"}')
    assert account.heard.wait("ann/done") == [("ann/done/0", "b")]
    (got,) = target.got
    assert (got.method, got.query, got.account()) == ("PUT", {"of": "order/1"}, "u:p")
    assert got.headers["x-who"] == "ann" and got.json()["who"] == "ann" and len(got.json()) == 2
    text = cli("webhook", "list")
    assert hook_id in text and target.url in text and '"order"' in text
    cli("webhook", "delete", hook_id)
    assert account.api("GET", "/v1/webhooks") == (200, [])


def test_a_hook_of_a_product(cli, account, target):
    product = account.product("Lamp")
    hook_id = made(cli("webhook", "create", "p", target.url, "--product", product))
    assert hook_id in cli("webhook", "list", "--product", "lamp")
    assert "Found 0" in cli("webhook", "list")
    cli("publish", "p", "5", "--product", product)
    assert target.requests(1)[0].form()["data"] == "5"
    cli("webhook", "delete", hook_id, "--product", product)
    assert account.api("GET", f"/v1/products/{product}/webhooks") == (200, [])


def test_refusals_are_shown(cli, tmp_path):
    file = tmp_path / "hook.json"
    file.write_text(json.dumps({**TEMPLATE, "url": "ftp://x"}))
    assert "url begins with http" in cli("webhook", "create", file, fails=True)
    assert "Webhook not found" in cli("webhook", "delete", "0" * 24, fails=True)
    text = cli("webhook", "create", "e", "http://x/", "f" * 24, fails=True)
    assert "didn't recognize that device" in text
