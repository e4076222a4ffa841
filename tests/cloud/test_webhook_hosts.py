"""Where webhooks may go: the setting `webhook_hosts`."""

import pytest

from cloud.hook_target import Account, Target
from cloud.running import USER, Api, Running
from particle_tools.cloud.server import Cloud
from particle_tools.cloud.settings import Settings
from particle_tools.cloud.webhooks.hosts import Allowed
from particle_tools.errors import UserError


@pytest.mark.parametrize(
    ("entries", "allowed", "refused"),
    [
        (
            ("*",),
            ["127.0.0.1", "10.1.2.3", "8.8.8.8", "::1", "2001:db8::1"],
            ["169.254.169.254", "fe80::1", "fe80::1%eth0", "224.0.0.1", "0.0.0.0", "::", "ff02::1",
             "::ffff:169.254.169.254"],
        ),
        ((), [], ["127.0.0.1", "8.8.8.8"]),
        (("127.0.0.0/8", "::1"), ["127.0.0.1", "127.9.9.9", "::1"], ["10.0.0.1", "::2"]),
        (("*", "169.254.169.254"), ["169.254.169.254", "8.8.8.8"], ["169.254.169.253"]),
        (("10.0.0.0/8",), ["10.0.0.1", "::ffff:10.0.0.1"], ["::ffff:11.0.0.1"]),
    ],
)  # fmt: skip
def test_addresses(entries, allowed, refused):
    found = Allowed(entries)
    assert [a for a in allowed if not found.by_address(a)] == []
    assert [a for a in refused if found.by_address(a)] == []


def test_names():
    found = Allowed(("Example.com", "*.lab.test"))
    allowed = ["example.com", "EXAMPLE.COM.", "a.lab.test", "b.a.lab.test"]
    refused = ["lab.test", "xexample.com", "a.example.com", "alab.test", "localhost"]
    assert [name for name in allowed if not found.by_name(name)] == []
    assert [name for name in refused if found.by_name(name)] == []
    assert not found.by_address("127.0.0.1")


@pytest.mark.parametrize("entry", ["", "*.", "a b", "http://x/", "10.0.0.0/99"])
def test_entries_that_mean_nothing(tmp_path, entry):
    with pytest.raises(UserError, match="webhook_hosts"):
        Cloud(Settings(data=tmp_path / "d", webhook_hosts=(entry,)))


def test_a_cloud_keeps_to_it(tmp_path):
    target = Target()
    settings = Settings(data=tmp_path / "d", user=USER, webhook_hosts=("localhost", "10.0.0.0/8"))
    running = Running(settings)
    try:
        account = Account(running, Api(running.url).login(), USER)
        text = "url: 127.0.0.1 is not among the hosts that webhooks may reach"
        status, body = account.api("POST", "/v1/webhooks", {"event": "x", "url": target.url})
        assert (status, body["error"]) == (400, text)
        literal = account.hook("literal", target.url + "{{gone}}")
        account.publish("literal")
        text = "127.0.0.1 is not among the hosts that webhooks may reach"
        assert account.heard.wait("hook-error/literal")[0][1] == text
        counters = account.counters(literal)
        assert (counters["triggered"], counters["sent"], counters["failed"]) == (1, 0, 1)
        path = f"/v1/webhooks/{literal}"
        assert account.api("PUT", path, {"url": target.url})[0] == 400
        assert account.api("PUT", path, {"name": "still"})[0] == 200
        # The system reads these as 127.0.0.1.
        for host in ("2130706433", "127.1", "0x7f000001", "[::ffff:127.0.0.1]"):
            account.hook("odd", f"http://{host}:{target.port}/{{{{gone}}}}")
        account.publish("odd")
        account.heard.wait("hook-error/odd", 4)
        assert target.got == [] and account.heard.named("hook-sent/") == []
        account.hook("named", f"http://localhost:{target.port}/")
        account.publish("named")
        target.requests(1)
        account.close()
    finally:
        running.stop()
        target.close()
