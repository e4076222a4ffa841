"""Many boards of a table, several at a time; a line of JSON for each, whatever becomes of it."""

from __future__ import annotations

import csv
import io
import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from particle_tools.errors import UserError
from particle_tools.progress import Progress
from particle_tools.provisioning import networks
from particle_tools.provisioning.registry import Registry
from particle_tools.provisioning.steps import Order, Provisioner, failed
from particle_tools.sim.first_start import address

MOST_JOBS = 64
_COLUMNS = ("port", "name", "transport", "server", "product", "ssid", "password")
_AS_IT_IS = ("ssid", "password")  # blanks at the ends belong to it
_MOST_BYTES = 10_000_000

Row = tuple[str, Order | UserError]


def read(path: Path, order: Order) -> list[Row]:
    """Return (port, order) of each line, with UserError for a line that cannot be meant.

    order: what holds where a line says nothing. Raises UserError for the table as a whole.
    """
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"--batch {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"--batch {path}: it is no UTF-8") from None
    if len(data) > _MOST_BYTES:
        raise UserError(f"--batch {path}: it is larger than {_MOST_BYTES} bytes")
    if "\0" in text:
        raise UserError(f"--batch {path}: there is a NUL in it")
    try:
        table = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        names = [name.strip().lower() for name in table.fieldnames or ()]
        lines = [(table.line_num, line) for line in table]
    except csv.Error as error:
        raise UserError(f"--batch {path}: {error}") from None
    unknown = [name for name in names if name not in _COLUMNS]
    if "port" not in names or unknown or len(set(names)) < len(names):
        wrong = f"unknown column {unknown[0]!r}" if unknown else "no column `port`, or one twice"
        raise UserError(f"--batch {path}: {wrong}: columns are {', '.join(_COLUMNS)}")
    rows: list[Row] = []
    for number, line in lines:
        values = dict(zip(names, line.values(), strict=False))
        if None in line or any(value is None for value in values.values()):
            raise UserError(f"--batch {path}: line {number} has not {len(names)} columns")
        for name in set(values).difference(_AS_IT_IS):
            values[name] = values[name].strip()
        rows.append(_row(number, values, order))
    ports = [port for port, _ in rows if port]
    twice = sorted({port for port in ports if ports.count(port) > 1})
    if twice:
        raise UserError(f"--batch {path}: port {twice[0]} is there twice")
    if not rows:
        raise UserError(f"--batch {path}: no boards in it")
    return rows


def _row(number: int, values: dict[str, str], order: Order) -> Row:
    port = values["port"]
    try:
        return port, _order(port, values, order)
    except UserError as error:
        return port, UserError(f"line {number}: {error}")


def _order(port: str, values: dict[str, str], order: Order) -> Order:
    changes: dict[str, Any] = {}
    if not port:
        raise UserError("no port")
    if values.get("name"):
        changes["name"] = values["name"]
    if values.get("transport"):
        if values["transport"] not in ("udp", "tcp"):
            raise UserError(f"transport {values['transport']}: expected udp or tcp")
        changes["transport"] = values["transport"]
    if values.get("server"):
        address(values["server"])
        changes["server"] = values["server"]
    if values.get("product"):
        if not (values["product"].isascii() and values["product"].isdigit()):
            raise UserError(f"product {values['product']}: expected a number")
        changes["product"] = int(values["product"])
    if values.get("ssid"):
        changes["networks"] = [networks.network(values["ssid"], values.get("password", ""))]
    elif values.get("password"):
        raise UserError("a password without ssid")
    return replace(order, **changes)


def run(registry: Registry, rows: list[Row], jobs: int, progress: Progress, out: TextIO) -> int:
    """Provision the boards; print a line for each as it is done; 1 if one of them failed."""
    lock = threading.Lock()
    done: list[bool] = []

    def show(port: str, text: str) -> None:
        with lock:
            progress.show(f"{len(done)} of {len(rows)} done; {os.path.basename(port)}: {text}")

    worker = Provisioner(registry, show)

    def one(row: Row) -> None:
        report = _report(worker.run, *row)
        with lock:
            progress.clear()
            print(json.dumps(report), file=out, flush=True)
            done.append(report["ok"])

    pool = ThreadPoolExecutor(jobs)
    try:
        list(pool.map(one, rows))
    except KeyboardInterrupt:
        # what runs ends by itself, a board at a time; the others are not begun
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()
    return 0 if all(done) else 1


def _report(
    provision: Callable[[str, Order], dict[str, Any]], port: str, order: Order | UserError
) -> dict[str, Any]:
    if isinstance(order, UserError):
        return failed(port, order, "arguments")
    try:
        return provision(port, order)
    except UserError as error:
        return failed(port, error)
    except Exception as error:  # one board's trouble must not stop the others
        return failed(port, UserError(f"{type(error).__name__}: {error}"), "tools")
