"""Who a device on UDP is: its first message must be a Hello that fits the key of the handshake.

The handshake proves a key and no id; the id is in the Hello (cloud-protocol 0, 4.1).
"""

from __future__ import annotations

from particle_tools.cloud import coap
from particle_tools.cloud.coap import Message
from particle_tools.cloud.devices import Device, Devices
from particle_tools.cloud.hello import Hello
from particle_tools.cloud.refusals import DEVICE_KEY, ID, TRANSPORT, Refused

_ID = 12


def read_hello(message: Message) -> Hello:
    """Read the first message of a session. Raises Refused."""
    if message.code != coap.POST or message.path != ("h",):
        raise Refused(TRANSPORT, "the first message was not a Hello")
    try:
        hello = Hello.parse(message.payload)
    except ValueError as error:
        raise Refused(TRANSPORT, str(error)) from error
    if len(hello.device_id) != _ID:
        raise Refused(TRANSPORT, "the Hello has no device id")
    return hello


def identify(devices: Devices, hello: Hello, spki: bytes) -> Device:
    """Return the device a Hello names if the handshake's key is registered for it.

    Raises Refused.
    """
    device_id = hello.device_id.hex()
    device = devices.get(device_id)
    if device is None:
        raise Refused(ID, "no device with this id is registered", device_id)
    registered = devices.key(device_id, "ec")
    if registered is None:
        raise Refused(DEVICE_KEY, "no P-256 key is registered for this device", device_id)
    if not spki:
        raise Refused(DEVICE_KEY, "the device showed no key", device_id)
    if registered != spki:
        raise Refused(DEVICE_KEY, "the device's key is not the registered one", device_id)
    return device
