"""One measured number with what it means, and the table they make."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A number under its key of build/bench.json; `goal` is what it is held against.

    A `partial` figure is of something that is not all written yet; it is kept apart.
    """

    key: str
    value: float
    unit: str
    note: str = ""
    goal: float | None = None
    partial: bool = False


def table(figures: list[Figure]) -> str:
    """Return the figures as aligned text, one line each."""
    width = max((len(figure.key) for figure in figures), default=0)
    lines = []
    for figure in figures:
        goal = "" if figure.goal is None else f"goal {figure.goal:g}"
        value = f"{figure.value:>10.10g} {figure.unit:6} {goal:12}"
        partial = "PARTIAL, " if figure.partial else ""
        lines.append(f"{figure.key:{width}}  {value} {partial}{figure.note}")
    return "\n".join(line.rstrip() for line in lines)


def record(figures: list[Figure]) -> dict:
    """Return the content of build/bench.json: key -> value, partial ones below `partial`."""
    whole = {figure.key: figure.value for figure in figures if not figure.partial}
    return whole | {"partial": {f.key: f.value for f in figures if f.partial}}
