"""The boot stage as it is frozen into a firmware, on a Cortex-M3: it starts the application that a
record names, tries another one three times and goes back.
"""

from particle_tools.firmware import qemu
from silicon import cortex_m3

INSTALL = b"""
import machine
from particle.ota.bootrecord import BootRecord
from slot_files import install

root = "/flash/pt"
good = b"import machine, sys\\nprint('application 1', sys.path)\\nmachine.reset()\\n"
record = BootRecord(root)
digest = install(root + "/a", 1, {"app.py": good})
record.version = 1
record.digest = digest
record.save()
bad = b"print('begin')\\nraise ValueError('on purpose')\\n"
record.hand_off(1, 2, install(root + "/b", 2, {"app.py": bad}))
machine.reset()
"""


def test_a_frozen_stage(need, tmp_path):
    need(cortex_m3.NAME, cortex_m3.available(), cortex_m3.COMMAND)
    helper = cortex_m3.compiled(cortex_m3.TESTS / "slot_files.py")
    files = {"main.py": INSTALL, "slot_files.mpy": helper}
    elf = cortex_m3.image().elf
    memory = tmp_path / "psram"
    assert qemu.run(elf, files, memory=memory) == ""
    for _ in range(3):
        said = qemu.run(elf, {}, memory=memory)
        assert said.startswith("begin") and "ValueError: on purpose" in said
    for _ in range(2):
        said = qemu.run(elf, {}, memory=memory).strip()
        assert said == "application 1 ['.frozen', '/flash/pt/a', '/flash/pt/a/lib']"
