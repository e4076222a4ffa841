"""What a slow, failing or looping webhook may cost: queues, retries, sleep, pace (rest-api 8).

The cloud's time stands still but for what a test lets pass.
"""

import re

import pytest

from cloud.device import CON, pack
from cloud.hook_target import eventually, ok
from cloud.running import Restarted, provision, provision_ec
from particle_tools.cloud.events import Event
from particle_tools.cloud.settings import Limits

SLEEPING = "Sleeping, too many errors, please wait and try again"
LIMITS = Limits(hook_queue=8, hook_rate=5.0)
AT_ONCE = 4


@pytest.fixture(scope="module")
def held(held_cloud):
    return held_cloud(limits=LIMITS)


@pytest.fixture(scope="module")
def cloud(held):
    return held


def settled(account, hook_id, **counters):
    """Wait until the counters of a hook are these."""
    eventually(lambda: account.counters(hook_id).items() >= counters.items())


def test_a_failure_that_may_pass_is_tried_again(held, account, target):
    target.answer = ok(b"", 503)
    hook_id = account.hook("r", target.url)
    account.publish("r", "5")
    text = "error status 503 from 127.0.0.1"
    assert account.heard.wait("hook-error/r") == [("hook-error/r/0", text)]
    held.pass_time(29)
    assert len(target.got) == 1
    held.pass_time(2)
    account.heard.wait("hook-error/r", 2)
    held.pass_time(58)
    assert len(target.got) == 2
    target.answer = ok(b"at last")
    held.pass_time(4)
    assert account.heard.wait("hook-response/r") == [("hook-response/r/0", "at last")]
    forms = [got.form() for got in target.got]
    assert forms[0] == forms[1] == forms[2] and forms[0]["data"] == "5"
    settled(account, hook_id, triggered=1, sent=3, failed=2, retried=2, succeeded=1, waiting=0)


def test_it_is_given_up_after_the_third_time(held, account, target):
    target.answer = ok(b"", 500)
    hook_id = account.hook("g", target.url)
    account.publish("g")
    for count, wait in ((1, 31), (2, 61), (3, 200)):
        account.heard.wait("hook-error/g", count)
        held.pass_time(wait, 10)
    settled(account, hook_id, sent=3, failed=3, retried=2, waiting=0)


def test_what_will_not_pass_is_not_tried_again(held, account, target):
    target.answer = ok(b"", 400)
    hook_id = account.hook("n", target.url)
    account.publish("n")
    account.heard.wait("hook-error/n")
    held.pass_time(100, 10)
    settled(account, hook_id, sent=1, failed=1, retried=0, waiting=0)


def test_after_ten_errors_it_sleeps(held, account, target):
    target.answer = ok(b"", 404)
    hook_id = account.hook("ten", target.url)  # nothing that spark/status begins with
    for count in range(1, 11):
        account.publish("ten")
        account.heard.wait("hook-error/ten", count)
    for _ in range(5):
        account.publish("ten")
    assert account.heard.wait("hook-error/ten", 11)[10] == ("hook-error/ten/0", SLEEPING)
    settled(account, hook_id, triggered=15, sent=10, failed=10, skipped=5)
    assert len(account.heard.named("hook-error/ten")) == 11  # of five in one moment one is told
    held.pass_time(61, 10)
    account.publish("ten")  # one finds out
    account.heard.wait("hook-error/ten", 12)
    account.publish("ten")
    settled(account, hook_id, sent=11, skipped=6)
    target.answer = ok()
    held.pass_time(61, 10)
    account.publish("ten")
    account.heard.wait("hook-response/ten", 1)
    account.publish("ten")
    account.heard.wait("hook-response/ten", 2)
    settled(account, hook_id, sent=13, failed=11, succeeded=2)


def test_an_edit_wakes_it(held, account, target):
    target.answer = ok(b"", 404)
    hook_id = account.hook("w", target.url)
    for count in range(1, 11):
        account.publish("w")
        account.heard.wait("hook-error/w", count)
    target.answer = ok()
    account.api("PUT", f"/v1/webhooks/{hook_id}", {"name": "mended"})
    account.publish("w")
    account.heard.wait("hook-response/w")


def test_a_slow_hook_keeps_a_few_events_and_delays_nobody(held, account, target, keys):
    """Time stands still: whatever is answered here did not wait for the hook."""
    target.answer = target.hang
    hook_id = account.hook("slow", target.url)
    device_id = provision(account.api, keys[0])
    with held.device(keys[0], device_id).connect() as device:
        for n in range(50):
            device.publish("slow", b"%d" % n, CON)  # returns with the acknowledgement
        held.call(flood, held, account.id, "slow", 2950)
        device.publish("still", b"", CON)
    target.requests(AT_ONCE)
    settled(account, hook_id, triggered=3000, sent=AT_ONCE, waiting=8, dropped=3000 - 8 - AT_ONCE)
    text = account.api("GET", "/metrics")[1].decode()
    assert 'particle_cloud_queue_depth{queue="webhooks"} 8.0' in text
    total = re.search(r'particle_cloud_webhook_events_total{outcome="dropped"} (.*)', text)
    assert float(total[1]) >= 2988
    (dropped,) = account.heard.named("hook-error/slow")
    assert dropped[1].startswith("too many events wait")
    assert target.most == AT_ONCE
    target.answer = ok()
    target.release()
    account.hook("other", target.url)
    account.publish("other")
    account.heard.wait("hook-response/other")


def flood(cloud, owner, name, count):
    """Publish events to a user."""
    for _ in range(count):
        cloud.services.bus.publish(Event(name, b"x" * 1000, "api", owner, 0.0))


def test_deleting_a_hook_breaks_its_requests_off(held, account, target):
    target.answer = lambda connection, got: target.got.append(connection.recv(1))
    hook_id = account.hook("d", target.url)
    account.publish("d")
    target.requests(1)
    assert account.api("DELETE", f"/v1/webhooks/{hook_id}")[0] == 200
    assert target.requests(2)[1] == b""  # closed by the cloud
    assert account.heard.named("hook-error/d") == []


def test_disabling_a_hook_stops_what_waits(held, account, target):
    target.answer = target.hang
    hook_id = account.hook("off", target.url)
    for _ in range(6):
        account.publish("off")
    target.requests(AT_ONCE)
    account.api("PUT", f"/v1/webhooks/{hook_id}", {"disabled": True})
    target.release()
    held.pass_time(21)
    settled(account, hook_id, sent=AT_ONCE, skipped=2)
    assert len(target.got) == AT_ONCE


def test_a_loop_through_the_cloud_does_not_run_away(held, account):
    """Two hooks publish what triggers both: without a pace they would never end."""
    body = {"name": "loop", "data": "again", "access_token": account.api.token}
    url = f"{held.url}/v1/devices/events"
    hooks = [account.hook("loop", url, json=body, noDefaults=True) for _ in range(2)]
    account.publish("loop")
    burst = 4 * LIMITS.hook_rate  # and no more until time passes
    for hook_id in hooks:
        eventually(lambda hook_id=hook_id: account.counters(hook_id)["sent"] >= burst)
    held.pass_time(2)
    found = [account.counters(hook_id) for hook_id in hooks]
    assert all(burst <= c["sent"] <= burst + 2 * LIMITS.hook_rate + AT_ONCE for c in found)
    assert all(c["waiting"] <= 8 for c in found)


def test_many_parts_wait_for_a_device_that_acknowledges_slowly(held, account, target, ec_key):
    target.answer = ok(b"0123456789abcdef" * 3200)
    account.hook("long", target.url)
    device_id = provision_ec(account.api, ec_key)
    with held.udp_device(ec_key, device_id) as device:
        device.connect()
        device.subscribe("hook-response/long")
        device.send(pack(CON, 2, device.next_mid(), options=[(11, b"E"), (11, b"long")]))
        numbers = {}  # a dict: in the order in which they came, repeated ones once
        while len(numbers) < 100:
            message = device.recv(0.1)
            if message is None:
                held.pass_time(0.3, 0.3)
            elif message.path[:1] == ["E"] and message.payload:
                device.acknowledge(message)
                numbers[int(message.path[-1])] = True
        assert sorted(numbers) == list(range(100))
    assert len(account.heard.wait("hook-response/long", 100)) == 100


def test_what_is_on_its_way_ends_with_the_cloud(tmp_path, target):
    restarted = Restarted(tmp_path / "d")
    try:
        restarted.api("POST", "/v1/webhooks", {"event": "e", "url": target.url})
        target.answer = target.hang
        for _ in range(6):
            restarted.api("POST", "/v1/devices/events", {"name": "e", "data": "old"})
        target.requests(AT_ONCE)
        restarted.start()
        target.clear()
        restarted.api("POST", "/v1/devices/events", {"name": "e", "data": "new"})
        assert [got.form()["data"] for got in target.requests(1)] == ["new"]
        (hook,) = restarted.api("GET", "/v1/webhooks")[1]
        counters = restarted.api("GET", f"/v1/webhooks/{hook['id']}")[1]["webhook"]["counters"]
        assert counters["triggered"] == 1
    finally:
        restarted.cloud.stop()
