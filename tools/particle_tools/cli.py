"""`particle-mp VERB ...`: finds the verbs and turns user errors into one line.

A verb is a module `particle_tools.verbs.NAME` with `HELP` (one line),
`add_arguments(parser)` and `run(args) -> int`. A new verb is a new file.
"""

import argparse
import contextlib
import importlib
import io
import os
import pkgutil
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import NoReturn

from particle_tools import __version__, verbs
from particle_tools.errors import UserError, reason


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
    if isinstance(sys.stdout, io.TextIOWrapper):
        # a name that the terminal's encoding lacks is no reason to end after the work
        sys.stdout.reconfigure(errors="backslashreplace")
    who = " ".join(["particle-mp", *names]) if len(names) == 1 else "particle-mp"
    try:
        with _ending():
            args = build_parser(names).parse_args(argv)
            status = args.run(args) or 0
            _flush()
    except _Ended as ended:
        return 128 + ended.number
    except UserError as error:
        return _refused(f"{who}: {error}")
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        _forget_output()
        return 1
    except OSError as error:
        # of the computer it runs on: a full disk, a folder that is a file, no permission
        name = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        status = _refused(f"{who}: {name}{reason(error)}")
        _forget_output()
    return status


class _Ended(KeyboardInterrupt):
    """Somebody asked the process to end: what Ctrl-C cleans up is cleaned up."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextlib.contextmanager
def _ending() -> Iterator[None]:
    # children and folders with keys must not be left by SIGTERM or a terminal that is closed
    ended = False

    def end(number: int, _frame: object) -> None:
        nonlocal ended
        if not ended:  # `timeout` sends it twice, the second would end the cleaning up
            ended = True
            raise _Ended(number)

    taken = []
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) == signal.SIG_DFL:  # else nohup, or a caller's
                signal.signal(number, end)
                taken.append(number)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def _flush() -> None:
    # at the end of the process nobody would say what happened
    if sys.stdout is not None:
        sys.stdout.flush()


def _forget_output() -> None:
    # what cannot be written is not tried once more when the process ends
    with contextlib.suppress(AttributeError, OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refused(line: str) -> int:
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr)
    return 1
