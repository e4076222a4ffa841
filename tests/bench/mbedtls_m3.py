"""mbedTLS's own handshake on the emulated Cortex-M3, beside ours: the same suite and curve, both
sides proven, a cookie, a connection ID. It cannot do raw keys: two small certificates stand in.

    PYTHONPATH=tests .venv/bin/python -m bench.mbedtls_m3
"""

import datetime
import json
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.figures import Figure
from particle_tools import ROOT
from particle_tools.firmware import sources, toolchain
from silicon import cortex_m3

_PLACE = Path(__file__).with_name("mbedtls")
_LINKER = ROOT / "boards" / "QEMU_M3" / "mps2.ld"
_SMALL, _STOCK = 1280, 16384  # longest record content in bytes: as ours, as it comes
_CPU = ["-mcpu=cortex-m3", "-mthumb", "-Os", "-ffunction-sections", "-fdata-sections"]


def measure() -> list[Figure]:
    """Count with buffers as small as ours and with stock ones; [] when there is no compiler."""
    if not cortex_m3.available():
        return []
    small, stock = handshake(_SMALL), handshake(_STOCK)
    note = (
        f"C, {small['suite']}, client proven too; {small['bytes']} bytes in"
        f" {small['datagrams']} datagrams; longest call {small['longest']}"
    )
    heap = "client, sum of its blocks and structures;"
    return [
        Figure("m3_mbedtls_handshake", small["instructions"], "instr", note),
        Figure(
            "heap32_mbedtls_handshake",
            round(small["peak"] / 1024, 1),
            "KiB",
            f"{heap} records of {_SMALL} bytes, {small['blocks']} blocks",
        ),
        Figure(
            "heap32_mbedtls_steady",
            round(small["after"] / 1024, 1),
            "KiB",
            f"{heap} records of {_SMALL} bytes",
        ),
        Figure(
            "heap32_mbedtls_stock",
            round(stock["peak"] / 1024, 1),
            "KiB",
            f"{heap} records of {_STOCK} bytes, its default",
        ),
    ]


def handshake(content: int) -> dict:
    """Build and run the handshake with records of `content` bytes; return what it printed.

    Raises RuntimeError when it does not compile or does not end.
    """
    with tempfile.TemporaryDirectory(prefix="particle-mbedtls-") as name:
        work = Path(name)
        (work / "keys.h").write_text(_keys())
        elf = _build(work, content)
        command = [toolchain.EMULATOR, "-machine", "mps2-an385", "-nographic", "-monitor", "none"]
        command += ["-semihosting", "-serial", "stdio", "-icount", "shift=0,sleep=off"]
        said = _run([*command, "-kernel", str(elf)], work)
    try:
        return json.loads(said)
    except ValueError:
        raise RuntimeError(f"mbedTLS's handshake: {said}") from None


def _build(work: Path, content: int) -> Path:
    mbedtls = sources.find() / "lib" / "mbedtls"
    flags = [*_CPU, "-I", str(mbedtls / "include"), "-I", str(_PLACE), "-I", str(work)]
    flags += ['-DMBEDTLS_CONFIG_FILE="handshake_config.h"', f"-DCONTENT={content}"]

    def compiled(source: Path) -> str:
        target = work / (source.stem + ".o")
        _run([toolchain.COMPILER, *flags, "-c", str(source), "-o", str(target)], work)
        return str(target)

    files = [*sorted((mbedtls / "library").glob("*.c")), _PLACE / "handshake.c"]
    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(compiled, files))
    elf = work / "handshake.elf"
    linker = ["-nostartfiles", "--specs=nosys.specs", "-T", str(_LINKER), "-Wl,--gc-sections"]
    _run([toolchain.COMPILER, *_CPU, *linker, *objects, "-o", str(elf)], work)
    return elf


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stdout[-2000:]}")
    return done.stdout


# C arrays of a self-signed certificate and a key for each side, the same ones each time.
def _keys() -> str:
    text = ""
    for number, side in enumerate(("server", "client"), 1):
        key = ec.derive_private_key(0x1234567 << 200 | number, ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, side)])
        start = datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone.utc)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(number)
            .not_valid_before(start)
            .not_valid_after(start.replace(year=2045))
            .sign(key, hashes.SHA256())
        )
        der = serialization.Encoding.DER
        form, plain = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        parts = {
            "crt": certificate.public_bytes(der),
            "key": key.private_bytes(der, form, plain),
        }
        for part, data in parts.items():
            octets = ",".join(map(str, data))
            text += f"static const unsigned char {side}_{part}[] = {{{octets}}};\n"
    return text


if __name__ == "__main__":
    print(json.dumps({size: handshake(size) for size in (_SMALL, _STOCK)}, indent=2))
