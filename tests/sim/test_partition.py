"""The simulated ESP32 does what esp-idf documents, and what it writes is what others read."""

import json
import subprocess
import sys

import pytest
from esp_idf_defs.app_description import AppDescription
from esp_idf_defs.otadata import OtaDataSelectEntry, OtaImageState
from esp_idf_defs.partitions import PartitionTable
from esptool.bin_image import (
    ELFSection,
    ESP32C3FirmwareImage,
    ESP32FirmwareImage,
    LoadFirmwareImage,
)
from mp_image_tool_esp32 import ota_update

from particle_tools.errors import UserError
from particle_tools.images import esp_image
from particle_tools.sim import esp32
from ram_esp32 import OTA, OTADATA, SLOT, TABLE, Chip, Panic, Partition, image
from ram_flash import Cut

NEW, _, VALID = range(3)


def board(*images):
    """Return a chip with these images in its slots."""
    chip = Chip()
    for at, data in zip(OTA, images, strict=False):
        chip.put(at, data)
    return chip


def records(chip):
    """Return what another reader finds in otadata: (sequence, state) or None."""
    found = [OtaDataSelectEntry.from_bytes(chip.get(OTADATA + n, 32)) for n in (0, 4096)]
    return [each and (each.seq, each.ota_state) for each in found]


def error(call, *args):
    """Return the arguments of the OSError that a call raises."""
    with pytest.raises(OSError) as caught:
        call(*args)
    return caught.value.args


def test_first_start_writes_a_record():
    chip = board(image(b"one"))
    assert chip.start() == "ota_0"
    assert records(chip) == [(1, OtaImageState.VALID), None]
    assert chip.start() == "ota_0" and chip.flash.operations == 2


def test_update_that_is_confirmed():
    chip = board(image(b"one"), image(b"two"))
    chip.start()
    spare = Partition(Partition.RUNNING).get_next_update()
    assert spare.info() == (0, 0x11, OTA[1], SLOT, "ota_1", False)
    spare.set_boot()
    assert records(chip) == [(1, OtaImageState.VALID), (2, OtaImageState.NEW)]
    assert Partition(Partition.BOOT).info() == spare.info()
    assert Partition(Partition.RUNNING).info()[4] == "ota_0"
    assert chip.start() == "ota_1"
    assert records(chip)[1] == (2, OtaImageState.PENDING_VERIFY)
    Partition.mark_app_valid_cancel_rollback()
    assert records(chip)[1] == (2, OtaImageState.VALID)
    assert chip.start() == "ota_1"
    # and back again: the sequence goes on in the other sector
    Partition("ota_0").set_boot()
    assert records(chip) == [(3, OtaImageState.NEW), (2, OtaImageState.VALID)]
    assert chip.start() == "ota_0"


def test_a_third_reader_finds_the_same():
    chip = board(image(b"one"), image(b"two"))
    chip.start()
    Partition("ota_1").set_boot()
    sectors = [chip.get(OTADATA + n, 32) for n in (0, 4096)]
    # it counts what was confirmed only
    assert [ota_update.ota_sequence_number(each) for each in sectors] == [1, 0]
    assert sectors == [ota_update.ota_record(1, VALID), ota_update.ota_record(2, NEW)]


def test_update_that_is_not_confirmed_has_one_start():
    chip = board(image(b"one"), image(b"two"))
    chip.start()
    Partition("ota_1").set_boot()
    assert [chip.start() for _ in range(3)] == ["ota_1", "ota_0", "ota_0"]
    assert records(chip) == [(1, OtaImageState.VALID), (2, OtaImageState.ABORTED)]
    # the same slot again: a sequence that is free
    Partition("ota_1").set_boot()
    assert records(chip)[1] == (2, OtaImageState.NEW)


def test_image_that_is_damaged_is_not_taken():
    good = image(b"two" * 100)
    for at in (0, 1, 12, 30, 200, len(good) - 33, len(good) - 1):
        bad = bytearray(good)
        bad[at] ^= 0x40
        chip = board(image(b"one"), bytes(bad))
        chip.start()
        before = records(chip)
        assert error(Partition("ota_1").set_boot) == (-5379, "ESP_ERR_OTA_VALIDATE_FAILED"), at
        assert records(chip) == before
    assert error(Partition("otadata").set_boot)[0] == -5379


def test_image_for_another_chip_is_not_taken():
    chip = board(image(b"one"), image(b"two", chip=5))
    chip.start()
    assert error(Partition("ota_1").set_boot)[0] == -5379


def test_image_that_was_damaged_later_is_passed_over(capsys):
    chip = board(image(b"one"), image(b"two"))
    chip.start()
    Partition("ota_1").set_boot()
    chip.start()
    Partition.mark_app_valid_cancel_rollback()
    chip.put(OTA[1] + 40, b"x")
    assert chip.start() == "ota_0"
    assert "ota_1 is not bootable" in capsys.readouterr().out
    chip.put(OTA[0], b"x")
    assert chip.start() is None
    assert "No bootable app partitions" in capsys.readouterr().out


def test_confirming_between_set_boot_and_the_reset_confirms_what_never_ran():
    # the trap: what counts is confirmed, not what runs
    chip = board(image(b"one"), image(b"two"))
    chip.start()
    Partition("ota_1").set_boot()
    Partition.mark_app_valid_cancel_rollback()
    assert records(chip)[1] == (2, OtaImageState.VALID)


def test_nothing_guards_the_only_good_image_while_another_is_tried():
    chip = board(image(b"one"), image(b"two"))
    chip.start()
    Partition("ota_1").set_boot()
    chip.start()
    spare = Partition(Partition.RUNNING).get_next_update()
    spare.writeblocks(0, bytes(4096))
    assert chip.start() == "ota_1"  # it was given up, but there is nothing else


def test_without_otadata_or_a_record():
    chip = Chip(partitions=[each for each in TABLE if each[0] != "otadata"])
    chip.put(OTA[0], image(b"one"))
    assert chip.start() == "ota_0"
    name = "ESP_ERR_NOT_FOUND"
    assert error(Partition.mark_app_valid_cancel_rollback) == (-261, name)
    assert error(Partition("ota_0").set_boot) == (-261, name)
    assert error(Partition, Partition.BOOT) == (2,)
    factory = [("factory", 0, 0, OTA[0], SLOT), TABLE[1]]
    chip = Chip(partitions=factory)
    chip.put(OTA[0], image(b"one"))
    assert chip.start() == "factory"
    assert records(chip) == [None, None]
    # -ESP_FAIL
    assert error(Partition.mark_app_valid_cancel_rollback) == (1, "ESP_FAIL")
    assert error(Partition(Partition.RUNNING).get_next_update) == (2,)


def test_reading_and_writing():
    chip = board(image(b"one"))
    chip.start()
    spare = Partition("ota_1")
    spare.writeblocks(1, b"\x0f" * 4096)
    spare.writeblocks(1, b"\xf5", 7)  # bits are only cleared
    data = bytearray(3)
    spare.readblocks(1, data, 6)
    assert data == b"\x0f\x05\x0f"
    spare.writeblocks(1, b"\xaa" * 4096)
    assert chip.get(OTA[1] + 4096, 4096) == b"\xaa" * 4096
    assert spare.ioctl(6, 1) == 0
    assert chip.get(OTA[1] + 4096, 4096) == b"\xff" * 4096
    assert [spare.ioctl(op, 0) for op in (1, 2, 3, 4, 5, 9)] == [0, 0, 0, SLOT // 4096, 4096, None]
    assert error(spare.writeblocks, 0, b"x" * 100)[0] == -260
    assert error(spare.writeblocks, SLOT // 4096, b"x" * 4096)[0] == -260
    assert error(spare.readblocks, SLOT // 4096 + 1, data)[0] == -258
    assert error(spare.ioctl, 6, SLOT // 4096)[0] == -260
    assert error(Partition, "none") == (2,)
    with pytest.raises(ValueError):
        Partition(2)
    assert repr(spare).startswith("<Partition type=0, subtype=17, address=131072, size=16384,")
    labels = [each.info()[4] for each in Partition.find(Partition.TYPE_DATA)]
    assert labels == ["nvs", "otadata"]
    assert Partition.find(0, 0x11)[0].info()[4] == Partition.find(label="ota_1")[0].info()[4]


def test_writing_into_what_runs_is_a_panic():
    chip = board(image(b"one"))
    chip.start()
    own = Partition(Partition.RUNNING)
    for call in (lambda: own.writeblocks(0, bytes(4096)), lambda: own.ioctl(6, 0)):
        with pytest.raises(Panic):
            call()
    assert chip.start() == "ota_0"


def test_power_fails_in_each_operation():
    # what ota-and-boot 3.2 lists; set_boot, the mark, the confirmation, the mark of what failed
    def life(chip, confirm):
        ran = [chip.start()]
        if ran == ["ota_0"] and chip.states()[1] is None:
            Partition("ota_1").set_boot()
            ran.append(chip.start())
        if confirm and ran[-1] == "ota_1":
            Partition.mark_app_valid_cancel_rollback()
        return ran + [chip.start()]

    for confirm in (True, False):
        plain = board(image(b"one"), image(b"two"))
        assert life(plain, confirm)[-1] == ("ota_1" if confirm else "ota_0")
        for cut in range(1, plain.flash.operations + 1):
            for tear in range(4):
                chip = board(image(b"one"), image(b"two"))
                chip.flash._cut, chip.flash._tear = cut, tear
                with pytest.raises(Cut):
                    life(chip, confirm)
                chip.flash._cut = chip.flash._dead = 0
                chip.flash._dead = False
                # one of both, always; and never the new one unconfirmed for a second time
                found = [chip.start() for _ in range(3)]
                assert set(found) <= {"ota_0", "ota_1"} and found[1] == found[2], (cut, tear)


def test_others_read_what_the_host_makes(tmp_path):
    data = esp_image.make(b"\xd2\xcd\x31\x00" * 100, "1.2.3")
    path = tmp_path / "firmware.bin"
    path.write_bytes(data)
    found = LoadFirmwareImage("esp32", str(path))
    assert found.checksum == found.calculate_checksum()
    assert found.stored_digest == found.calc_digest and found.chip_id == 0
    assert [(s.addr, len(s.data)) for s in found.segments][0][0] == 0x3F400020
    described = AppDescription.from_bytes_or_none(data[32 : 32 + 256])
    assert (described.version, described.project_name) == ("1.2.3", "micropython")
    parts = PartitionTable.from_binary(esp32.table().ljust(0xC00, b"\xff"))
    parts.verify()
    assert {p.name: (p.type, p.subtype, p.offset, p.size) for p in parts} == esp32.PARTITIONS


@pytest.mark.parametrize("kind", [ESP32FirmwareImage, ESP32C3FirmwareImage])
def test_the_host_and_the_bootloader_read_what_others_make(tmp_path, kind):
    made = kind()
    made.segments = [ELFSection(b"code", 0x40380000, bytes(range(256)) * 3, 0)]
    path = tmp_path / "other.bin"
    made.append_digest = True
    made.save(str(path))
    data = path.read_bytes()
    found = esp_image.read(data)
    assert found.chip == made.ROM_LOADER.IMAGE_CHIP_ID and found.size == len(data)
    assert found.name == made.ROM_LOADER.CHIP_NAME
    chip = Chip(partitions=[*TABLE[:-1], ("ota_1", 0, 0x11, OTA[1], 16 * SLOT)])
    chip.put(OTA[0], image(b"one"))
    chip.put(OTA[1], data)
    chip.start()
    chip.chip_id = found.chip
    Partition("ota_1").set_boot()
    chip.chip_id = found.chip + 1
    assert error(Partition("ota_1").set_boot)[0] == -5379
    for cut in (0, 20, 30, 100, len(data) - 33, len(data) - 1):
        with pytest.raises(UserError):
            esp_image.read(data[:cut])
    for at in (0, 200, len(data) - 1):
        with pytest.raises(UserError):
            esp_image.read(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


_PROGRAM = """
import esp32, json, machine, sys
running = esp32.Partition(esp32.Partition.RUNNING)
try:
    import extra
    text = extra.TEXT
except ImportError:
    text = None
print(json.dumps([running.info()[4], machine.reset_cause(), text]))
"""


def test_simulated_board_starts_what_is_in_its_partitions(bench, tmp_path):
    made = bench.board()
    folder = tmp_path / "frozen"
    folder.mkdir()
    (folder / "extra.py").write_text("TEXT = 'from the firmware'\n")
    esp32.make(made, esp32.firmware(folder, "1"))
    # a soft reset is none for the bootloader: a firmware that is tried stays
    once = "\nimport os\nif 'once' not in os.listdir():\n    open('once', 'w').close()\n    {}\n"
    soft = once.format("machine.soft_reset()")
    status, lines = bench.run(made, _PROGRAM + soft)
    assert status == 0
    assert [json.loads(line) for line in lines] == [
        ["ota_0", 1, "from the firmware"],
        ["ota_0", 5, "from the firmware"],
    ]
    flash = bytearray((made.path / "esp32.img").read_bytes())
    second = esp32.firmware(None, "2")
    at = esp32.PARTITIONS["ota_1"][2]
    flash[at : at + len(second)] = second
    (made.path / "esp32.img").write_bytes(flash)
    hand_off = "esp32.Partition('ota_1').set_boot()\nmachine.reset()\n"
    program = (
        _PROGRAM
        + "if running.info()[4] == 'ota_0' and machine.reset_cause() == 1:\n    "
        + (hand_off.replace("\n", "\n    "))
    )
    status, lines = bench.run(made, program)
    assert [json.loads(line) for line in lines] == [
        ["ota_0", 1, "from the firmware"],
        ["ota_1", 2, None],
    ]
    # it was not confirmed
    assert json.loads(bench.run(made, _PROGRAM)[1][0])[0] == "ota_0"
    # both changes of otadata are operations that --cut counts
    status, lines = bench.run(made, program, "--cut", "2:none")
    assert (status, len(lines)) == (80, 1)


def test_a_board_is_an_esp32_from_its_first_start(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(_PROGRAM)
    argv = [sys.executable, "-m", "particle_tools", "sim", "--data", str(tmp_path / "board")]
    for words in (["--blank", "--esp32"], []):
        done = subprocess.run(
            [*argv, *words, "--script", str(program)],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert json.loads(done.stdout) == ["ota_0", 1, None], done.stderr
