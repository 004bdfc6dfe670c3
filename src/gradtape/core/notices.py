"""NumPy's RuntimeWarnings at the user's line: of means of nothing, all-NaN slices and their kin."""

from __future__ import annotations

import warnings
from typing import Any

from .positions import user_frame


def warn_here(message: Warning | str, category: type[Warning] = RuntimeWarning) -> None:
    """Warn at the user's line, however many calls are in between."""
    frame = user_frame()
    warnings.warn_explicit(
        message,
        category,
        frame.f_code.co_filename,
        frame.f_lineno,
        module=frame.f_globals.get("__name__") or "unknown",
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )


def warning_here(function: Any, *args: Any, **kwargs: Any) -> Any:
    """`function(*args, **kwargs)`, whose warnings NumPy would place at our line.

    For what warns by its nature: each call replaces the process's filters for its time.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function(*args, **kwargs)
    for warning in caught:
        warn_here(warning.message, warning.category)
    return result
