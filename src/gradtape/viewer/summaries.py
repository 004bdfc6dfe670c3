"""Runs in JSON: a run as a whole, and what differs between several."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from ..record.panels import validation_of
from .shelf import Shelved

__all__ = ["compare", "whole"]

MOST_LINES, MOST_DIFFERENCES, MOST_WHOLE = 5_000, 4_000, 40
"""Lines of a source file that are compared, and of differences that are told."""

META = ("level", "seed", "argv", "script", "python", "packages", "git", "every", "durability")
"""What of a run's circumstances is compared beside what the user configured."""


def whole(run: Shelved, reader: Any) -> dict[str, Any]:
    """Return everything about a run but its numbers."""
    meta = reader.meta()
    labels = {column.name: label for label, column in reader.history_columns().items()}
    return {
        "id": run.id,
        "name": meta.get("name") or run.name,
        "status": reader.status(),
        "lost": str(reader.lost() or ""),
        "version": reader.version(),
        "meta": meta,
        "columns": [
            {**dataclasses.asdict(column), "label": labels[column.name]}
            for column in reader.columns()
        ],
        "tags": [dataclasses.asdict(tag) for tag in reader.tags()],
        "first": reader.first,
        "last": reader.last,
        "count": reader.count(),
        "validation": validation_of(reader),
        "roles": meta.get("roles") or {},
        "structures": reader.structures(),
        "costs": [
            {**dataclasses.asdict(cost), "column": cost.column,
             "structures": reader.structures(cost.number)}
            for cost in reader.costs()
        ],
        "sources": [{"id": number, "file": file} for number, file in reader.sources()],
    }


def compare(runs: Sequence[tuple[Shelved, Any]]) -> dict[str, Any]:
    """Return what the configurations and the code of runs have that is not the same in all.

    `config`: key and a value per run, None where it has none. `code`: for each run but the first,
    the files that differ from those of the first, as unified differences; of a longer file that
    one of the two has not, how long it is.
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
            count = len((old or new).splitlines())
            if not (file in texts and file in theirs) and count > MOST_WHOLE:
                whole = f"{'-' if old else '+'}the whole file: {count:,} lines"
                found.append({"file": file, "run": run.id, "diff": whole})
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
    return {PurePath(file).name: reader.source(number) for number, file in reader.sources()}
