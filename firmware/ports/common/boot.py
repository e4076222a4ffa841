"""Frozen, so that no `boot.py` of the file system is run before the boot stage."""
