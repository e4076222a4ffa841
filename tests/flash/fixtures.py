"""Fixtures: the verb as a function, images that it accepts, and a mock chip."""

import json

import pytest

from flash import esp_images
from flash.mock_board import MockBoard
from particle_tools.cli import main


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """Give `images(chip, **changes)` -> file of a complete image, made once."""
    folder = tmp_path_factory.mktemp("images")
    made = {}

    def image(chip="esp32", **changes):
        key = (chip, *sorted(changes.items()))
        if key not in made:
            path = folder / f"{chip}-{len(made)}.bin"
            path.write_bytes(esp_images.make(folder, chip, **changes))
            made[key] = path
        return made[key]

    return image


@pytest.fixture
def chip(tmp_path):
    """Give `chip(name, megabytes, blocks)` -> a mock board with blank flash."""
    made = []

    def start(name="esp32", *more):
        made.append(MockBoard(tmp_path, name, *more))
        return made[-1]

    yield start
    for board in made:
        board.kill()


@pytest.fixture
def flash(capsys):
    """Give `flash(*arguments)` -> (status, report or None, what was on stderr)."""

    def run(*arguments):
        status = main(["flash", *map(str, arguments), "--json"])
        out, err = capsys.readouterr()
        return status, json.loads(out) if out else None, err

    return run


@pytest.fixture
def refused(flash):
    """Give `refused(*arguments)` -> the one line of a refusal."""

    def run(*arguments):
        status, report, err = flash(*arguments)
        assert (status, report) == (1, None)
        assert err.startswith("particle-mp flash: ") and err.count("\n") == 1
        return err.removeprefix("particle-mp flash: ").rstrip("\n")

    return run
