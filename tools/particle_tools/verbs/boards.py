"""`particle-mp boards`: which boards there are, what was tried, how they are updated."""

import argparse
import json

from particle_tools.boards import catalogue, report
from particle_tools.errors import UserError

HELP = "list the boards: what was tried on them, where things lie, how they are updated"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    parser.add_argument(
        "board",
        nargs="?",
        metavar="BOARD",
        help="everything about one: NAME, NAME-VARIANT, or a folder of your own",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON: an object, or a list")
    form.add_argument("--markdown", action="store_true", help="print the table of the README")


def run(args: argparse.Namespace) -> int:
    """Print them."""
    if args.board is not None:
        if args.markdown:
            raise UserError("--markdown: it is a table of all boards")
        board = catalogue.find(args.board)
        print(json.dumps(report.facts(board)) if args.json else report.details(board))
        return 0
    boards = catalogue.every()
    if args.json:
        print(json.dumps([report.facts(board) for board in boards]))
    else:
        print(report.markdown(boards) if args.markdown else report.overview(boards))
    return 0
