"""The boot stage as it is frozen into a firmware, on a Cortex-M3: it starts the application that a
record names, tries another one three times and goes back to the one whose signature is right.
What else is on the flash is not run.
"""

from e2e.updates import KEY, bundle
from particle_tools.firmware import qemu
from particle_tools.images import signing
from silicon import cortex_m3

GOOD = "import machine, sys\nprint('application 1', sys.path)\nmachine.reset()\n"

INSTALL = b"""
import machine
import os
from particle.ota.bootrecord import BootRecord
from slot_files import install, put

root = "/flash/pt"
record = BootRecord(root)
record.version = 1
bad = b"print('begin')\\nraise ValueError('on purpose')\\n"
record.hand_off(1, 2, install(root + "/b", 2, {"app.py": bad}))
install(root + "/a", 1, {})
for source, name in (("app", "a/app.py"), ("manifest", "a/manifest"), ("key", "update.0.der")):
    with open("/rom/" + source, "rb") as f:
        put(root + "/" + name, f.read())
os.mkdir("/flash/lib")
for name in ("main", "app", "os", "time", "json", "machine", "particle", "particle_boot"):
    for folder in ("/flash/", "/flash/lib/"):
        put(folder + name + ".py", b"print('stray')")
machine.reset()
"""


def test_a_frozen_stage(need, tmp_path):
    need(cortex_m3.NAME, cortex_m3.available(), cortex_m3.COMMAND)
    helper = cortex_m3.compiled(cortex_m3.TESTS / "slot_files.py")
    app = bundle(1, GOOD, board="QEMU_M3")
    about = app.pack()[: -len(GOOD)]
    files = {"main.py": INSTALL, "slot_files.mpy": helper, "app": GOOD.encode()}
    files |= {"manifest": about, "key": signing.der(KEY.public_key())}
    elf = cortex_m3.image().elf
    memory = tmp_path / "psram"
    assert qemu.run(elf, files, memory=memory) == ""
    for _ in range(3):
        said = qemu.run(elf, {}, memory=memory)
        assert said.startswith("begin") and "ValueError: on purpose" in said
    for _ in range(2):
        said = qemu.run(elf, {}, memory=memory).strip()
        assert said == "application 1 ['.frozen', '/flash/pt/a', '/flash/pt/a/lib']"
