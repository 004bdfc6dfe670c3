"""Runs in JSON: a line in the list of runs, a run as a whole, and what differs between several."""

from __future__ import annotations

import dataclasses
import difflib
import threading
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import numpy as np

from .shelf import Shelved

__all__ = ["Costs", "compare", "line", "sources", "whole"]

MOST_LINES, MOST_DIFFERENCES = 5_000, 4_000
"""Lines of a source file that are compared, and of differences that are told."""

META = ("level", "seed", "argv", "script", "python", "packages", "git", "every", "durability")
"""What of a run's circumstances is compared beside what the user configured."""


class Costs:
    """The lowest cost of each run so far, so that a list of runs does not read them whole."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._best: dict[str, tuple[int, float]] = {}

    def best(self, id: str, reader: Any) -> float | None:
        """Return the lowest finite cost of a run, None if it has none."""
        last = reader.last
        with self._lock:
            seen, best = self._best.get(id, (-1, np.inf))
        if last is not None and last > seen:
            _, values = reader.series("cost", seen + 1, None)
            finite = values[np.isfinite(values)]
            best = min(best, float(finite.min())) if finite.size else best
            with self._lock:
                self._best[id] = (int(last), best)
        return best if np.isfinite(best) else None


def line(run: Shelved, reader: Any, costs: Costs) -> dict[str, Any]:
    """Return what the list of runs says of one."""
    meta = reader.meta()
    names = {column.name for column in reader.columns()}
    cost = best = None
    if "cost" in names and reader.last is not None:
        cost = reader.row(reader.last).get("cost")
        best = costs.best(run.id, reader)
    return {
        "id": run.id,
        "name": meta.get("name") or run.name,
        "status": reader.status(),
        "steps": reader.count(),
        "created": meta.get("created"),
        "cost": cost,
        "best": best,
        "parent": run.parent,
    }


def whole(run: Shelved, reader: Any) -> dict[str, Any]:
    """Return everything about a run but its numbers."""
    meta = reader.meta()
    return {
        "id": run.id,
        "name": meta.get("name") or run.name,
        "status": reader.status(),
        "version": reader.version(),
        "meta": meta,
        "columns": [_fields(column) for column in reader.columns()],
        "tags": [_fields(tag) for tag in reader.tags()],
        "first": reader.first,
        "last": reader.last,
        "count": reader.count(),
        "roles": meta.get("roles") or {},
        "structures": reader.structures(),
        "sources": sources(reader),
    }


def sources(reader: Any) -> list[dict[str, Any]]:
    """Return the source files that a run holds, each with its number."""
    return [{"id": i, "file": str(file)} for i, file in enumerate(reader.sources(), 1)]


def compare(runs: Sequence[tuple[Shelved, Any]]) -> dict[str, Any]:
    """Return what the configurations and the code of runs have that is not the same in all.

    `config`: key and a value per run, None where it has none. `code`: for each run but the first,
    the files that differ from those of the first, as unified differences.
    """
    flat = []
    for _, reader in runs:
        meta = reader.meta()
        known = {key: meta[key] for key in META if meta.get(key) is not None}
        flat.append({**_flat("", known), **_flat("", meta.get("config") or {})})
    keys = dict.fromkeys(key for each in flat for key in each)
    rows = [{"key": key, "values": [each.get(key) for each in flat]} for key in keys]
    differing = [row for row in rows if any(value != row["values"][0] for value in row["values"])]
    return {"config": differing, "code": _code(runs) if len(runs) > 1 else []}


def _flat(prefix: str, value: Any) -> dict[str, Any]:
    if isinstance(value, dict) and value:
        found: dict[str, Any] = {}
        for key, item in value.items():
            found.update(_flat(f"{prefix}.{key}" if prefix else str(key), item))
        return found
    return {prefix: value}


def _code(runs: Sequence[tuple[Shelved, Any]]) -> list[dict[str, Any]]:
    (_, base), *others = runs
    texts = _texts(base)
    found = []
    for run, reader in others:
        theirs = _texts(reader)
        for file in dict.fromkeys([*texts, *theirs]):
            old, new = texts.get(file, ""), theirs.get(file, "")
            if old == new:
                continue
            lines = difflib.unified_diff(
                old.splitlines()[:MOST_LINES], new.splitlines()[:MOST_LINES],
                file, file, lineterm="",
            )  # fmt: skip
            told = [text for text, _ in zip(lines, range(MOST_DIFFERENCES), strict=False)]
            found.append({"file": file, "run": run.id, "diff": "\n".join(told)})
    return found


def _texts(reader: Any) -> dict[str, str]:
    """The source files of a run by their names: the same file may lie elsewhere in another run."""
    return {PurePath(str(file)).name: reader.source(file) for file in reader.sources()}


def _fields(record: Any) -> dict[str, Any]:
    """A record of the reader's as a dict, whatever class it is of."""
    if isinstance(record, dict):
        return record
    if dataclasses.is_dataclass(record) and not isinstance(record, type):
        return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
    named: dict[str, Any] = record._asdict()
    return named
