"""The manifests freeze what mip installs, as MicroPython's own reader of manifests sees it."""

import importlib.util

import pytest

from particle_tools import packing
from particle_tools.firmware import manifests, sources

TARGET = "particle/{}.py".format


def test_they_are_those_of_the_components():
    written = {
        path.parent.name: path.read_text() for path in manifests.FOLDER.glob("*/manifest.py")
    }
    assert written == manifests.texts(), "make mip"


def frozen(need, *statements):
    """Return what a board's manifest with these statements freezes, target -> source."""
    need("MicroPython's sources", sources.fetched(), "make fetch")
    path = sources.fetch() / "tools" / "manifestfile.py"
    spec = importlib.util.spec_from_file_location("manifestfile", path)
    reader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reader)
    manifest = reader.ManifestFile(
        reader.MODE_FREEZE, {"HERE": str(manifests.FOLDER), "MPY_LIB_DIR": ""}
    )
    manifest.execute('add_library("particle", "$(HERE)")\n' + "\n".join(statements))
    files = manifest.files()
    targets = [file.target_path for file in files]
    assert len(targets) == len(set(targets)), "a module twice: it would not link"
    # what a version in the metadata adds to every file
    assert not any(file.metadata.version for file in files)
    return {file.target_path: file.full_path for file in files}


@pytest.mark.parametrize("component", packing.complete())
def test_a_component_alone(need, component):
    found = frozen(need, f'require("{component}", library="particle")')
    assert set(found) == set(map(TARGET, packing.COMPONENTS[component]))
    for target, source in found.items():
        with open(source) as file:
            assert file.read() == (packing.LIB / target).read_text()


def test_without_the_library_named(need):
    found = frozen(need, 'include("$(HERE)/core-udp")')
    assert set(found) == set(map(TARGET, packing.COMPONENTS["core-udp"]))


def test_all_together(need):
    names = [f'require("{name}", library="particle")' for name in packing.complete()]
    every = {TARGET(m) for name in packing.complete() for m in packing.COMPONENTS[name]}
    assert set(frozen(need, *names)) == every
    assert set(frozen(need, 'require("all", library="particle")', *names)) == every
