"""`particle-mp demo`: a local cloud, a simulated board, and what passes between them."""

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from particle_tools.errors import UserError

HELP = "start a local cloud and a simulated board, and show with numbers what they do"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")


def run(args: argparse.Namespace) -> int:
    """Tell the story; 0 only if the cloud confirmed every step."""
    from particle_tools.demo.story import STEPS, Stage

    folder = Path(tempfile.mkdtemp(prefix="particle-demo-"))
    stage = Stage(folder)
    begin = time.monotonic()
    steps = []
    problem = None
    try:
        for number, step in enumerate(STEPS, 1):
            started = time.monotonic()
            try:
                told = step(stage)
            except UserError as error:
                problem = f"step {number} ({step.__name__}): {error}"
                steps.append({"name": step.__name__, "ok": False, "problem": str(error)})
                break
            seconds = round(time.monotonic() - started, 1)
            print(f"{number}  {told.text}  [{seconds} s]", flush=True)
            steps.append(
                {"name": step.__name__, "ok": True, "seconds": seconds, "facts": told.facts}
            )
    except KeyboardInterrupt:
        stage.close()
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        stage.close()
    seconds = round(time.monotonic() - begin, 1)
    if problem:
        _explain(problem, stage, folder)
    else:
        shutil.rmtree(folder, ignore_errors=True)
        print(f"All {len(steps)} steps confirmed by the cloud in {seconds} s.")
    if args.json:
        print(json.dumps({"ok": problem is None, "seconds": seconds, "steps": steps}))
    return 1 if problem else 0


def _explain(problem: str, stage, folder: Path) -> None:
    print(f"particle-mp demo: {problem}", file=sys.stderr)
    for child in stage.running:
        lines = child.output().splitlines()[-5:]
        if lines:
            print(f"  {child.log}:", *lines, sep="\n    ", file=sys.stderr)
    print(f"  everything is kept in {folder}", file=sys.stderr)
