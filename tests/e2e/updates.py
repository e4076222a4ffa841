"""Applications to send over the air, signed, and boards that run what was sent."""

from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric import ec

from e2e.desk import store
from particle_tools.images import bundles, files, signing

KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
GOOD = """
import particle
particle.variable("version", {version})
particle.function("square", lambda text: int(text) ** 2)
particle.connect(60)
print("application {version} is connected")
particle.run()
"""


def bundle(version, source=GOOD, key=KEY, **facts):
    """Return a signed bundle; {version} in the source is replaced."""
    given = {"board": "UNIX_SIM", "platform": 3, "product": 3, "version": version}
    given |= {"floor": 0, "abi": 6, "client": 0x10000}
    content = {"app.py": source.replace("{version}", str(version)).encode()}
    made = bundles.make(bundles.Facts(**(given | facts)), content)
    return made.signed(key) if key else made


def image(version, source=GOOD, key=KEY, **facts):
    """Return the file to flash."""
    return files.pack(bundle(version, source, key, **facts))


def tampered(version):
    """Return a file with another content than was signed, and everything else right."""
    good = bundle(version)
    return files.pack(replace(good, content=good.content.replace(b"square", b"evil  ")))


def start(desk, transport, scale=1):
    """Return a board with a key for updates that has no application yet."""
    folder = desk.made(transport=transport)
    store(folder, "update.0.der", signing.der(KEY.public_key()))
    return desk.board(None, options=("--time-scale", str(scale)))
