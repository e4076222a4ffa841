"""Values on the command line that more than one verb takes."""

import argparse
from pathlib import Path


def folder(text: str) -> Path:
    """Take the name of a folder; empty would be the current one, which nobody means."""
    if not text.strip():
        raise argparse.ArgumentTypeError("the name of a folder is missing")
    return Path(text)


def user(text: str) -> tuple[str, str]:
    """Take NAME:PASSWORD; both may have spaces, neither may be blank."""
    name, _, password = text.partition(":")
    if not name.strip() or not password.strip():
        raise argparse.ArgumentTypeError("a user is NAME:PASSWORD")
    return name, password
