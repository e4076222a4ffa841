"""An update goes on when the cloud was killed, from where the device says it is."""

import pytest

from cloud.ota_device import (
    CHUNK_INDEX,
    accept,
    acknowledge,
    chunks,
    description,
    digest,
    ended,
    finish,
    image,
    reaches,
    running,
    separate,
    take,
    upload,
    value,
)
from cloud.running import provision_ec
from cloud.test_udp_kill import quick  # noqa: F401 - a fixture
from cloud.test_uploads import queue

OLD, NEW = image(600, 27), image(6000, 28)
COUNT = 12


@pytest.fixture
def device(quick, ec_key):  # noqa: F811
    device_id = provision_ec(quick.api, ec_key)
    with running(quick, ec_key, device_id, OLD) as found:
        yield found


def restart(quick):  # noqa: F811
    quick.kill()
    quick.start()


def test_killed_at_every_stage(quick, device):  # noqa: F811
    upload(quick.api, device.id, NEW)
    take(device, "S")
    restart(quick)
    accept(device, take(device, "S"))  # the device is still online, and it still waits
    for _ in range(4):
        take(device, "C")
    acknowledge(device, 4)
    restart(quick)
    accept(device, take(device, "S"), offset=4 * 512)
    assert value(take(device, "C"), CHUNK_INDEX) == 1
    device.inbox.clear()
    acknowledge(device, 0)
    restart(quick)
    accept(device, take(device, "S"), offset=2000)
    assert chunks(device, 8, 512) == NEW[2000:]
    take(device, "F")
    restart(quick)
    answer_describe(device, OLD)
    accept(device, take(device, "S"), offset=len(NEW))
    finish(device)
    reaches(quick.api, device.id, phase="applied")
    restart(quick)
    answer_describe(device, NEW)
    assert ended(quick.api, device.id) == ("success", None)
    assert len(queue(quick.api, device.id)) == 1


def answer_describe(device, runs):
    """Say on request what runs."""
    ask = take(device, "d")
    assert ask.all(15) == [b"\x01"]
    device.acknowledge(ask)
    separate(device, 0x45, ask.token, [(12, b"\x2a")], description(digest(runs)))
