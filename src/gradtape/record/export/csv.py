"""CSV: the history of a run, one row a step; every float with all its digits."""

from __future__ import annotations

from pathlib import Path

from ..reader import Reader

__all__ = ["write"]


def write(reader: Reader, target: Path) -> list[Path]:
    """Write `Reader.history()` as CSV; NaN is `nan`, a value that was not recorded is empty."""
    with reader.session():
        frame = reader.history()
        present = reader.present([column.name for column in reader.history_columns().values()])
    for i, name in enumerate(frame.columns):
        is_nan = frame[name].isna().to_numpy() & present[:, i]
        if is_nan.any():  # pandas writes NaN as it writes what is missing: as nothing
            frame[name] = frame[name].astype(object).mask(is_nan, "nan")
    target.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(target)
    return [target]
