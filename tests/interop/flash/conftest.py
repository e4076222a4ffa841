"""The verb and what it works on."""

from flash.fixtures import chip, flash, images, refused  # noqa: F401
