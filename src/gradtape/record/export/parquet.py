"""Parquet: the scalars of a run twice, long (step, name, value) and wide (one row a step)."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import RunError, three_part
from ..reader import Reader

__all__ = ["write"]


def write(reader: Reader, target: Path) -> list[Path]:
    """Write `scalars.parquet` and `steps.parquet` into the folder `target`.

    Columns have the names and the order of `Reader.history`. NaN stays NaN; what was not recorded
    is null. Raises RunError where pyarrow is not installed.
    """
    pa, parquet = _pyarrow()
    with reader.session():
        columns = reader.history_columns()
        series = [column.name for column in columns.values()]
        steps, matrix = reader.table(series)
        present = reader.present(series)
    names = list(columns)
    steps = steps.astype(np.int64)
    target.mkdir(parents=True, exist_ok=True)

    wide = {"step": pa.array(steps)}
    for i, name in enumerate(names):
        wide[name] = pa.array(np.ascontiguousarray(matrix[:, i]), mask=~present[:, i])
    paths = [target / "scalars.parquet", target / "steps.parquet"]
    parquet.write_table(pa.table(wide), paths[1])

    parts = [present[:, i] for i in range(len(names))]
    counts = [int(part.sum()) for part in parts]
    codes = np.repeat(np.arange(len(names), dtype=np.int32), counts)
    nothing = [np.empty(0)]
    long = pa.table(
        {
            "step": pa.array(np.concatenate([*(steps[part] for part in parts), steps[:0]])),
            "name": pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(names, pa.string())),
            "value": pa.array(
                np.concatenate([*(matrix[part, i] for i, part in enumerate(parts)), *nothing])
            ),
        }
    )
    parquet.write_table(long, paths[0])
    return paths


def _pyarrow() -> tuple[Any, Any]:
    try:
        pa, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise RunError(
            three_part(
                "export: pyarrow is not installed.",
                "It writes Parquet files.",
                'Install it: pip install "gradtape[fit]"',
            )
        ) from None
    return pa, parquet
