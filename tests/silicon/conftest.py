"""Time for tests of emulated processors: on a busy host they take ten times what they take alone.

The first test of a checkout also builds its firmware.
"""

from pathlib import Path

import pytest

_SECONDS = 900
_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(_HERE) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(_SECONDS))
