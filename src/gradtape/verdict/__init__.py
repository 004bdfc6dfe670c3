"""What a finished series of costs and gradients says: phases, standstill, lowest cost, convergence.

Pure: numbers in, a frozen dataclass out. Nothing here reads a tape, a file or a clock, so that the
recorder, `gradtape fit` and a user's own loop all get the same words for the same numbers. Read
`judge.py` first; `facts.py` has the words, `noise.py` what can be said of noisy costs. It may
import `errors`.
"""

from .facts import (
    CLOSED_FORM,
    TOLERANCE,
    Coefficient,
    Convergence,
    FastPhase,
    LowestCost,
    Scale,
    Standstill,
    Verdict,
    about,
)
from .judge import judge, relative_distances
from .noise import is_noisy

__all__ = [
    "CLOSED_FORM",
    "TOLERANCE",
    "Coefficient",
    "Convergence",
    "FastPhase",
    "LowestCost",
    "Scale",
    "Standstill",
    "Verdict",
    "about",
    "is_noisy",
    "judge",
    "relative_distances",
]
