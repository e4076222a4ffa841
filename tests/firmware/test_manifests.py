"""The manifests freeze what mip installs, as MicroPython's own reader of manifests sees it."""

import importlib.util

import pytest

from particle_tools import packing
from particle_tools.firmware import manifests, sources

TARGET = "particle/{}.py".format


def test_they_are_those_of_the_components():
    written = {
        path.relative_to(manifests.FOLDER).as_posix(): path.read_text()
        for path in manifests.FOLDER.glob("*/*.py")
    }
    assert written == manifests.texts(), "make mip"


def targets(component):
    """Return what is frozen for a component: its modules, and the names of what it knows."""
    modules = packing.COMPONENTS[component]
    found = {TARGET(module) for module in modules}
    if set(modules) & set(packing.CORE):
        found.add(manifests.names_module(manifests.SHARED) + ".py")
    if set(modules) - set(packing.CORE):
        found.add(manifests.names_module(component) + ".py")
    return found


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
    assert set(found) == targets(component)
    for target in map(TARGET, packing.COMPONENTS[component]):
        with open(found[target]) as file:
            assert file.read() == (packing.LIB / target).read_text()


def test_without_the_library_named(need):
    found = frozen(need, 'include("$(HERE)/core-udp")')
    assert set(found) == targets("core-udp")


def test_all_together(need):
    names = [f'require("{name}", library="particle")' for name in packing.complete()]
    every = set().union(*map(targets, packing.complete()))
    assert set(frozen(need, *names)) == every
    assert set(frozen(need, 'require("all", library="particle")', *names)) == every


def test_what_is_looked_up_has_its_name_in_flash():
    texts = manifests.texts()
    for component in packing.complete():
        text = "".join(texts[target] for target in texts if target.startswith(component + "/"))
        text += texts["core/particle_names_core.py"]
        for module in packing.COMPONENTS[component]:
            dotted = "particle." + module.replace("/", ".")
            assert module == "__init__" or f"    import {dotted}\n" in text
    assert "    particle.can_publish\n" in texts["repl/particle_names_repl.py"]
    # also of what is looked for and not there, and by itself
    assert "    import particle.optional\n" in texts["core/particle_names_core.py"]
    assert "    container\n" in texts["core/particle_names_core.py"]
