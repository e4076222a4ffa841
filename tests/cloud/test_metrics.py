"""/metrics: what Prometheus reads is what has happened, and not for everybody."""

from __future__ import annotations

import dataclasses
import http.client

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cloud.device import TestDevice
from cloud.running import USER, Api, Running
from particle_tools.cloud.settings import Settings
from particle_tools.local import wait_for


def read(api):
    """Return {(sample name, label values in alphabetical order): value}."""
    status, body = api("GET", "/metrics")
    assert status == 200, body
    assert api.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(body.decode())
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def test_totals_are_what_happened(cloud, api, keys, device_id, ec_key, udp_id):
    for session in api("GET", "/local/v1/sessions")[1]:  # of other tests
        api("POST", f"/local/v1/devices/{session['id']}/offline")
    before = read(api)

    def grown(*key):
        key = (key[0], *sorted(key[1:]))
        return read(api).get(key, 0) - before.get(key, 0)

    online = "particle_cloud_devices_online"
    with (
        cloud.device(keys[0], device_id).connect() as tcp,
        cloud.udp_device(ec_key, udp_id) as udp,
    ):
        udp.connect()
        tcp.ping()
        udp.publish("x", b"12345")
        # devices of other tests may be on their way out
        assert wait_for(lambda: read(api)[online, "tcp"] == read(api)[online, "udp"] == 1, 30)
        assert grown("particle_cloud_handshakes_total") == 2
        assert grown("particle_cloud_messages_total", "ping", "up") == 1
        assert grown("particle_cloud_messages_total", "event", "up") == 1
        assert grown("particle_cloud_message_bytes_total", "event", "up") == 4 + 2 + 2 + 6
        assert grown("particle_cloud_operations_total", "up") == 1
        sizes = "particle_cloud_transport_bytes_total"
        assert grown(sizes, "udp", "up") == sum(udp.up)
        assert grown(sizes, "udp", "down") == sum(udp.down)
        assert grown(sizes, "tcp", "up") == tcp.bytes_up
        assert grown(sizes, "tcp", "down") == tcp.bytes_down
    assert wait_for(lambda: read(api)[online, "tcp"] == 0, 30)
    assert grown("particle_cloud_commit_seconds_count") > 0
    requests = "particle_cloud_http_requests_total"
    assert grown(requests, "GET", "/metrics", "200") > 0
    # when the devices were heard last is written after their sessions
    assert wait_for(lambda: read(api)["particle_cloud_queue_depth", "database"] == 0, 30)


def test_refusals_by_stage(cloud, api, keys):
    before = read(api).get(("particle_cloud_refusals_total", "id"), 0)
    with TestDevice(cloud.tcp_port, cloud.server_key, keys[0], "ab" * 12) as device:
        device.send_raw(device.client_message(device.recv_exactly(40)))
        assert device.ended()
    assert wait_for(lambda: read(api)["particle_cloud_refusals_total", "id"] == before + 1, 30)


def test_nothing_in_it_names_anybody(cloud, api, anonymous, keys, device_id):
    with cloud.device(keys[0], device_id).connect():
        api("GET", f"/v1/devices/{device_id}")
        api("DELETE", f"/v1/access_tokens/{'ab' * 20}")
        anonymous("GET", "/no/such/path")
        text = api("GET", "/metrics")[1].decode()
    for secret in (device_id, api.token, "ab" * 20, USER[0], "/no/such"):
        assert secret not in text
    assert 'route="/v1/devices/{device}"' in text and 'route="unknown"' in text


def test_a_token_is_wanted(cloud, anonymous):
    assert anonymous("GET", "/metrics")[0] == 400
    assert Api(cloud.url, "0" * 40)("GET", "/metrics")[0] == 401


@pytest.mark.parametrize(("who", "status"), [("open", 200), ("off", 404)])
def test_the_operator_decides_who_reads(tmp_path, who, status):
    settings = Settings(data=tmp_path / "d", user=USER)
    running = Running(dataclasses.replace(settings, metrics=who))
    try:
        assert Api(running.url)("GET", "/metrics")[0] == status
    finally:
        running.stop()


def test_streams_are_counted(cloud, api):
    connection = http.client.HTTPConnection(*cloud.url[7:].split(":"), timeout=30)
    connection.request(
        "GET", "/v1/devices/events", headers={"Authorization": f"Bearer {api.token}"}
    )
    assert connection.getresponse().status == 200
    assert read(api)["particle_cloud_event_streams",] == 1
    connection.close()
    assert wait_for(lambda: _published(api) == 0, 60)


def _published(api):
    # the end of a reader is noticed when something is sent to it
    api("POST", "/v1/devices/events", {"name": "x", "data": ""})
    return read(api)["particle_cloud_event_streams",]
