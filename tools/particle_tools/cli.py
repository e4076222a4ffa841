"""`particle-mp VERB ...`: finds the verbs and turns user errors into one line.

A verb is a module `particle_tools.verbs.NAME` with `HELP` (one line),
`add_arguments(parser)` and `run(args) -> int`. A new verb is a new file.
"""

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from typing import NoReturn

from particle_tools import __version__, verbs
from particle_tools.errors import UserError


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line and status 1 like those of the verbs (DESIGN 4)."""

    def error(self, message: str) -> NoReturn:
        """End the process."""
        self.exit(1, f"{self.prog}: {' '.join(message.split())}: see {self.prog} --help\n")


def verb_names() -> list[str]:
    """List the verbs that exist, in alphabetical order."""
    return sorted(m.name for m in pkgutil.iter_modules(verbs.__path__))


def build_parser(names: Sequence[str]) -> argparse.ArgumentParser:
    """Make the parser for the verbs in `names`; each adds its own arguments."""
    parser = _Parser(
        prog="particle-mp",
        description="Local cloud, simulated board and tools for MicroPython devices.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name in names:
        module = importlib.import_module(f"{verbs.__name__}.{name}")
        sub = commands.add_parser(name, help=module.HELP, description=module.HELP)
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return the process's exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    names = verb_names()
    # Only the verb asked for is imported: each brings its own heavy libraries.
    if argv and argv[0] in names:
        names = [argv[0]]
    args = build_parser(names).parse_args(argv)
    try:
        return args.run(args) or 0
    except UserError as error:
        print(f"particle-mp {args.verb}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1
