"""A device on the UDP gateway: what every message does."""


def test_walk(cloud, api, ec_key, udp_id):
    with cloud.udp_device(ec_key, udp_id).connect() as device:
        device.describe(["f"], {"v": 2})
        assert device.publish("hello", b"1").code == 0
        device.ping()
