"""Bytes and datagrams of a DTLS handshake between the device's channel and the local cloud."""

import secrets
from pathlib import Path

import dtls_device
from bench import local
from bench.figures import Figure

_RUNS = 100  # signatures vary in length: the largest of these counts


def measure() -> list[Figure]:
    """Count both profiles; the goals are those of the compact one."""
    with local.cloud() as (folder, cloud):
        api = cloud.api()
        device_id = secrets.token_hex(12)
        dtls_device.make_keys(folder)
        api.provision(device_id, (folder / "device.pub.pem").read_text(), "ecc")
        api.claim(device_id)
        (folder / "server.ec.der").write_bytes(api.server_key("ec"))
        port = cloud.ready["udp_port"]
        compact, full = (_run(folder, port, profile) for profile in (0, 1))
    payload, datagrams, example = compact
    device_os, count, other = full
    return [
        Figure("handshake_payload_bytes", payload, "bytes", f"compact: {example}", 1095),
        Figure("handshake_datagrams", datagrams, "", "compact, both directions", 6),
        Figure("handshake_device_os_payload_bytes", device_os, "bytes", f"device-os: {other}"),
        Figure("handshake_device_os_datagrams", count, "", "device-os, both directions"),
    ]


def _run(folder: Path, port: int, profile: int) -> tuple[int, int, str]:
    found = dtls_device.run(folder, port, profile=profile, settle=True, runs=_RUNS)
    # each flight is answered; where a busy host was late, the device has sent one again
    once = [(up, down) for up, down in found["runs"] if len(up) == len(down)]
    if len(once) < _RUNS // 2:
        raise RuntimeError(f"{len(once)} of {_RUNS} handshakes without a flight sent again")
    sizes = [sum(up) + sum(down) for up, down in once]
    up, down = once[sizes.index(max(sizes))]
    turns = [n for pair in zip(up, down, strict=True) for n in pair]
    return max(sizes), max(len(u) + len(d) for u, d in once), " + ".join(map(str, turns))
