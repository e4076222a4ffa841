"""Our DTLS server, told to speak the standard dialect, with clients nobody here wrote.

Source: cloud-protocol 2.9. Each completes a handshake in which it proves its key, sends a Hello
and a publish over it, and is answered.
"""

import shutil
import time

import pytest

from cloud.running import USER, Api, Running, provision_ec
from cloud.udp_device import hello_payload
from interop import dtls_clients
from interop.dtls_clients import CERTIFICATE, make_key
from interop.dtls_programs import MBEDTLS_CLIENT
from particle_tools.cloud.settings import Settings

PUBLISH = bytes.fromhex("40020002b1450178ff31")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    folder = tmp_path_factory.mktemp("standard")
    running = Running(Settings(data=folder / "d", user=USER, standard_dtls=True))
    running.folder = folder
    yield running
    running.stop()


@pytest.fixture
def device_id(need, cloud):
    need("OpenSSL", shutil.which("openssl"), "apt-get install openssl")
    return provision_ec(Api(cloud.url).login(), make_key(cloud.folder))


def converse(cloud, client, device_id):
    """Hello and publish through the client, then its end."""
    client.say(b"\x40\x02\x00\x01\xb1h\xff" + hello_payload(device_id))
    assert client.wait_text(bytes.fromhex("60000001")), cloud.services.refusals.recent()
    client.say(PUBLISH)
    assert client.wait_text(bytes.fromhex("60000002"))
    session = cloud.services.sessions.get(device_id)
    assert session is not None and session.channel.transport == "udp"
    client.leave()
    assert cloud.last_end(device_id) == "the device closed the DTLS session"


def test_gnutls_with_raw_keys(need, cloud, start, device_id):
    need("GnuTLS", shutil.which("gnutls-cli"), "apt-get install gnutls-bin")
    converse(cloud, start(dtls_clients.gnutls, cloud.folder, cloud.udp_port), device_id)


def test_openssl_with_certificates(cloud, start, device_id):
    client = start(dtls_clients.openssl, cloud.folder, cloud.udp_port, *CERTIFICATE)
    converse(cloud, client, device_id)


def test_openssl_with_a_small_mtu(cloud, start, device_id):
    """Its flight comes in fragments."""
    options = [*CERTIFICATE, "-mtu", "256"]
    client = start(dtls_clients.openssl, cloud.folder, cloud.udp_port, *options)
    converse(cloud, client, device_id)


def test_openssl_without_a_key_is_no_device(cloud, start, device_id):
    client = start(dtls_clients.openssl, cloud.folder, cloud.udp_port)
    client.say(b"\x40\x02\x00\x01\xb1h\xff" + hello_payload(device_id))
    refusal = wait_for_refusal(cloud, device_id)
    assert (refusal.stage, refusal.reason) == ("device key", "the device showed no key")


def wait_for_refusal(cloud, device_id):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        for refusal in cloud.services.refusals.recent():
            if refusal.device_id == device_id:
                return refusal
        time.sleep(0.02)
    raise AssertionError("no refusal")


@pytest.mark.parametrize("form", MBEDTLS_CLIENT.FORMS)
@pytest.mark.parametrize("own", ["", "c1c2c3c4"])
def test_mbedtls_with_connection_ids(need, cloud, start, device_id, form, own):
    """Extension 54 of RFC 9146, and 254 with the draft's authenticated data."""
    program = MBEDTLS_CLIENT.find(form)
    need("mbedTLS client", program, MBEDTLS_CLIENT.COMMAND)
    client = start(dtls_clients.mbedtls, program, cloud.folder, cloud.udp_port, f"cid_val={own}")
    link = wait_for_data(cloud)
    connection = link.dtls.connection
    assert connection.standard == (form == "rfc9146") and len(connection.cid) == 8
    assert connection.peer_cid == bytes.fromhex(own)
    cloud.call(link.dtls.write, b"answer of the cloud")
    cloud.call(link.flush)
    assert client.wait_text(b"answer of the cloud")  # it prints all at once, when it ends
    assert b"Use of Connection ID has been negotiated" in client.text
    end = time.monotonic() + 30
    while not link.ended:  # by its close_notify
        assert time.monotonic() < end
        time.sleep(0.02)


def wait_for_data(cloud):
    """Return the link whose client has sent something after its Finished."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        for link in list(cloud.cloud._udp._handshaking.values()):
            connection = link.dtls.connection
            if not link.kept and connection is not None and connection.window.top > 0:
                return link
        time.sleep(0.02)
    raise AssertionError(cloud.services.refusals.recent())
