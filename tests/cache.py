"""The cache of third-party tools, under the name the tests know."""

from particle_tools.cache import folder, install

__all__ = ["folder", "install"]
