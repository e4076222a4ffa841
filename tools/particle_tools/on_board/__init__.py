"""Programs that the host sends to a board's raw REPL; they run there, with the library.

Each file has `run(...)`, which returns what JSON can say, and may `say("progress", percent)`.
`_common` is sent in front of it. No secret is ever printed.
"""

import ast
import functools
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent
_BARE = (ast.Module, ast.FunctionDef, ast.ClassDef)


def program(name: str, **arguments: Any) -> str:
    """Return the source that runs `name` with these arguments: texts, bytes, numbers, lists."""
    return f"{_source(name)}\nanswer(run, {ascii(arguments)})\n"


@functools.cache
def _source(name: str) -> str:
    # without comments and docstrings, which would take the board's memory
    parts = []
    for part in ("_common", name):
        tree = ast.parse((_FOLDER / f"{part}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, _BARE) and ast.get_docstring(node) is not None:
                del node.body[0]
        tree.body = [node for node in tree.body if not _of_common(node)]
        parts.append(ast.unparse(tree))
    return "\n".join(parts)


def _of_common(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == f"{__name__}._common"
