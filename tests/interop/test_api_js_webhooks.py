"""particle-api-js 11 and 12 make, list and delete webhooks of our cloud (rest-api 8)."""

import pytest

from cloud.hook_target import Heard, Target, ok
from cloud.running import USER, Running
from interop import api_js, node
from interop.api_js import Client, Refused
from particle_tools.cloud.settings import Settings


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    running = Running(Settings(data=tmp_path_factory.mktemp("cloud") / "data", user=USER))
    yield running
    running.stop()


@pytest.fixture(params=api_js.VERSIONS)
def client(request, need, cloud):
    """Give a client of each version and a token."""
    packages = api_js.PACKAGES.find()
    need("particle-api-js (npm)", packages, node.COMMAND)
    found = Client(packages, request.param, cloud.url)
    found.auth = found.call("login", username=USER[0], password=USER[1])["access_token"]
    yield found
    found.close()


@pytest.fixture
def target():
    found = Target()
    yield found
    found.close()


@pytest.fixture
def heard(cloud):
    found = Heard(cloud, cloud.call(cloud.services.accounts.find, USER[0]).id)
    yield found
    found.close()


def test_webhooks(client, target, heard):
    auth = client.auth
    target.answer = ok(b'{"it": "worked"}')
    made = client.call(
        "createWebhook",
        event="order",
        url=target.url,
        rejectUnauthorized=False,
        noDefaults=True,
        hook={
            "method": "PUT",
            "auth": {"username": "u", "password": "{{who}}"},
            "headers": {"X-Who": "{{who}}"},
            "query": {"q": "{{who}}"},
            "json": {"who": "{{{who}}}"},
            "responseTemplate": "{{it}}",
            "responseEvent": "done",
            "errorResponseEvent": "failed",
        },
        auth=auth,
    )
    assert made["ok"] is True and made["event"] == "order" and made["url"] == target.url
    assert made["hookUrl"].endswith(f"/v1/webhooks/{made['id']}")
    (listed,) = client.call("listWebhooks", auth=auth)
    assert (listed["id"], listed["requestType"]) == (made["id"], "PUT")
    client.call("publishEvent", name="order/1", data='{"who": "ann"}', isPrivate=True, auth=auth)
    assert heard.wait("done") == [("done/0", "worked")]
    (got,) = target.got
    assert (got.method, got.headers["x-who"], got.query) == ("PUT", "ann", {"q": "ann"})
    assert (got.json(), got.account()) == ({"who": "ann"}, "u:ann")
    target.answer = ok(b"", 404)
    client.call("publishEvent", name="order", data='{"who": "ü"}', isPrivate=True, auth=auth)
    assert heard.wait("failed") == [("failed/0", "error status 404 from 127.0.0.1")]
    assert client.call("deleteWebhook", hookId=made["id"], auth=auth) == {"ok": True}
    assert client.call("listWebhooks", auth=auth) == []


def test_one_for_a_device_that_is_not_mine(client):
    with pytest.raises(Refused, match="didn't recognize") as caught:
        client.call("createWebhook", event="x", url="http://x/", device="f" * 24, auth=client.auth)
    assert caught.value.status == 403


def test_integrations(client, target):
    auth = client.auth
    settings = {"url": target.url, "requestType": "GET", "name": "mine"}
    made = client.call("createIntegration", event="x", settings=settings, auth=auth)
    client.call(
        "editIntegration",
        integrationId=made["id"],
        event="y",
        settings={"noDefaults": True},
        auth=auth,
    )
    (listed,) = client.call("listIntegrations", auth=auth)
    assert (listed["id"], listed["event"]) == (made["id"], "y")
    assert (listed["url"], listed["requestType"], listed["name"]) == (target.url, "GET", "mine")
    client.call("publishEvent", name="y", data="5", isPrivate=True, auth=auth)
    (got,) = target.requests(1)
    assert (got.method, got.query) == ("GET", {})
    client.call("deleteIntegration", integrationId=made["id"], auth=auth)
    assert client.call("listIntegrations", auth=auth) == []


def test_refusals_are_shown(client):
    auth = client.auth
    with pytest.raises(Refused, match="url begins with http") as caught:
        client.call("createWebhook", event="x", url="ftp://x", auth=auth)
    assert caught.value.status == 400
    with pytest.raises(Refused, match="Webhook not found") as caught:
        client.call("deleteWebhook", hookId="0" * 24, auth=auth)
    assert caught.value.status == 404
