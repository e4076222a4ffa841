"""Firmwares to send over the air, and boards whose firmware can be replaced."""

from dataclasses import replace

from e2e.desk import store
from e2e.updates import KEY
from particle_tools.images import bundles, files, signing
from particle_tools.sim import esp32, stm32
from particle_tools.sim.board_dir import BoardDir
from slot_files import manifest, record

#: What is kept when it was told so; it says which firmware it runs on.
APP = """
import particle
from brand import NUMBER

told = []

def health():
    return NUMBER < 2 or told

cloud = particle.Cloud(server="127.0.0.1", port=1) if NUMBER == 4 else particle.cloud
cloud.variable("firmware", NUMBER)
cloud.function("well", lambda text: told.append(1) or 1)
try:
    cloud.connect(0 if NUMBER == 4 else 60)
except particle.Error:
    pass  # it goes on trying
cloud.run()
"""
GOOD = "NUMBER = {version}\n"
CRASHING = "raise ValueError('on purpose')\n"
HANGING = "while True:\n    pass\n"


def image(folder, version, source=GOOD, chip=0):
    """Return a firmware with a module of its own."""
    return esp32.firmware(_frozen(folder, version, source), f"1.0.{version}", chip)


def _frozen(folder, version, source):
    folder = folder / "frozen"
    folder.mkdir(exist_ok=True)
    (folder / "brand.py").write_text(source.replace("{version}", str(version)))
    return folder


def bundle(content, version, key=KEY, name="firmware.bin", **facts):
    """Return a signed bundle of a firmware."""
    given = {"board": "UNIX_SIM", "platform": 3, "product": 3, "version": version}
    given |= {"floor": 0, "abi": 6, "client": 0x10000}
    return bundles.make(bundles.Facts(**(given | facts)), {name: content}).signed(key)


def update(folder, version, source=GOOD, chip=0, key=KEY, **facts):
    """Return the file to flash."""
    return files.pack(bundle(image(folder, version, source, chip), version, key, **facts))


def packed(folder, version, source=GOOD, key=KEY, damage=False):
    """Return the file to flash of a firmware for mboot; damage: mboot itself refuses it."""
    content = stm32.firmware(_frozen(folder, version, source))
    if damage:
        content = content[:-1] + bytes([content[-1] ^ 1])
    return files.pack(bundle(content, version, key, "firmware.pack.dfu"))


def tampered(folder, version):
    """Return a file with another firmware than was signed, and everything else right."""
    good = bundle(image(folder, version), version)
    other = image(folder, version, GOOD + "# evil\nEVIL = 1\n")[: len(good.content)]
    return files.pack(replace(good, content=other.ljust(len(good.content), b"\0")))


def start(desk, transport, scale=1):
    """Return a board with an application, and a firmware that came with it."""
    folder = _made(desk, transport)
    esp32.make(BoardDir(folder), image(desk.folder, 0))
    return desk.board(None, options=("--time-scale", str(scale)))


def start_mboot(desk, transport, scale=1):
    """Return such a board with mboot."""
    board = BoardDir(_made(desk, transport))
    stock = stm32.firmware(_frozen(desk.folder, 0, GOOD))
    stm32.make(board, stock)
    stm32.stock(board, stock)
    return desk.board(None, options=("--time-scale", str(scale)))


def _made(desk, transport):
    folder = desk.made(transport=transport)
    store(folder, "update.0.der", signing.der(KEY.public_key()))
    app = {"app.py": APP.encode()}
    store(folder, "a/app.py", app["app.py"])
    store(folder, "a/manifest", manifest(1, app))
    store(folder, "boot.rec", record(1, manifest(1, app)))
    return folder
