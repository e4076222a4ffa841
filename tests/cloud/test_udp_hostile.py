"""What somebody who writes from a device's address, or from many ports, cannot spoil."""

import pytest

from cloud.dtls_client import plain_record
from cloud.test_udp_abuse import no_errors  # noqa: F401 - for every test of this file

FORGED = {
    "an unfinished message in the Finished's place": b"\x63\0\0\2\0\5\0\0\0\0\0\1x",
    "a whole message in the Finished's place": b"\x63\0\0\1\0\5\0\0\0\0\0\1x",
    "another length of the Certificate": b"\x0b\0\0\2\0\2\0\0\0\0\0\1x",
    "another kind in the Certificate's place": b"\x10\0\0\x5e\0\2\0\0\0\0\0\1x",
    "another content of the Certificate": b"\x0b\0\0\x5e\0\2\0\0\0\0\0\1x",
    "one byte": b"x",
    "a cut message": b"\x0b\0\0\x5e\0\2\0\0\0\0\0\x5ex",
    "more than the message": b"\x0b\0\0\1\0\2\0\0\1\0\0\1x",
    "a huge message": b"\x0b\xff\xff\xff\0\2\0\0\0\0\0\1x",
}


@pytest.mark.parametrize("fragment", [None, 40])
@pytest.mark.parametrize("name", FORGED)
def test_a_forged_record_does_not_end_a_handshake(cloud, ec_key, udp_id, name, fragment):
    with cloud.udp_device(ec_key, udp_id, fragment=fragment) as device:
        client = device.client
        waiting = client.start()
        for _ in range(2):
            device.send_raw(waiting[0])
            waiting, _ = client.datagram(device.recv_raw())
        device.send_raw(plain_record(22, 9, FORGED[name]))
        for datagram in waiting:
            device.send_raw(datagram)
        client.datagram(device.recv_raw(1) or b"")
        if not client.done:  # a device repeats its flight
            device.send_raw(b"".join(client.flight()))
            client.datagram(device.recv_raw())
        assert client.done
        device.hello()
