"""Our handshake beside mbedTLS's own on the same processor: what Python costs is known."""

import pytest

from bench import channel_heap, mbedtls_m3
from silicon import cortex_m3


@pytest.fixture(autouse=True)
def _there(need):
    need(cortex_m3.NAME, cortex_m3.available(), cortex_m3.COMMAND)


def test_their_handshake():
    found = mbedtls_m3.handshake(1280)
    assert found["suite"] == "TLS-ECDHE-ECDSA-WITH-AES-128-CCM-8"
    assert found["datagrams"] == 6
    assert found["ready"] < found["after"] < found["peak"] < 12_000
    # 159 M instructions are ours
    assert 40_000_000 < found["instructions"] < 70_000_000


def test_our_channel_keeps_less_than_stock_buffers():
    sizes = {figure.key: figure.value for figure in channel_heap.measure()}
    assert sizes["heap32_channel_steady"] < sizes["heap32_channel_handshake"] < 20
