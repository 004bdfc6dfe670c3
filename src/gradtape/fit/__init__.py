"""The room of `gradtape fit`: models fitted to tables by descent, every derivative from the tape.

May import the rooms below it (`verdict`, `tape`, `core`, `errors`). The libraries it stands on
(pandas, pyarrow, formulaic, matplotlib, tqdm: the extra `fit`; SciPy) are imported only when a
function needs them. Read `run.py` first: it is the order of the work. Then `specify` (what was
asked), `design` (a table as numbers), `objective` (the cost and its derivatives), `descent` (the
loop) and `result` (what is said of its end).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# public name -> module that defines it; loaded when first used
_SURFACE = {
    "Fit": "api",
    "regress": "api",
    "FitError": "problems",
    "TapeClassifier": "estimators",
    "TapeRegressor": "estimators",
    "load_model": "predict",
}
__all__ = sorted(_SURFACE)

if TYPE_CHECKING:
    from .api import Fit as Fit
    from .api import regress as regress
    from .estimators import TapeClassifier as TapeClassifier
    from .estimators import TapeRegressor as TapeRegressor
    from .predict import load_model as load_model
    from .problems import FitError as FitError


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _SURFACE:
        return getattr(import_module(f".{_SURFACE[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
