"""The verb and what it works on."""

from e2e.conftest import cloud  # noqa: F401
from flash.fixtures import chip, flash, images, refused  # noqa: F401
