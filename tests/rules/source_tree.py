"""What the rule tests read: the project's files and their syntax trees."""

import ast
import functools
import gc
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIB = ROOT / "lib" / "particle"


def device_files() -> list[Path]:
    """List the Python files that run on a device."""
    return sorted(
        path
        for folder in ("lib", "boards", "firmware")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "manifest.py"
    )


def host_files() -> list[Path]:
    """List the Python files that run on the host."""
    return sorted((ROOT / "tools").rglob("*.py"))


def tracked() -> list[Path]:
    """List the files under version control that exist, plus new ones that are not ignored."""
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in sorted(done.stdout.split("\0")) if (ROOT / name).is_file()]


@functools.cache
def tree(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    found = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    # The library collects garbage at every handshake, and would walk all trees each time.
    gc.freeze()
    return found


def module_name(path: Path) -> str:
    """Return `wire/coap` for lib/particle/wire/coap.py."""
    return path.relative_to(LIB).with_suffix("").as_posix()


def imports(path: Path) -> set[str]:
    """Return every module that a file imports, anywhere in it, with dots as written.

    Relative imports are resolved against the package of the file; names imported
    from a package are added as `package.name`, for they may be modules.
    """
    package = ".".join(path.relative_to(_top(path)).parent.parts)
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "__import__"
            and isinstance(node.args[0], ast.Constant)
        ):
            found.add(node.args[0].value)
    return found


def _top(path: Path) -> Path:
    for folder in (ROOT / "lib", ROOT / "tools"):
        if path.is_relative_to(folder):
            return folder
    return path.parent


def where(path: Path, node: ast.AST) -> str:
    """Return `file:line` for a message."""
    return f"{path.relative_to(ROOT)}:{node.lineno}"
