"""What a run found: one row per case and peer, judged against the bars. Nothing is left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.stats import Ratio, Spread


@dataclass(frozen=True)
class Row:
    """One case against one peer.

    `status` is "ok", or which side gives no number that counts: "peer failed", "ours failed",
    "both failed", "wrong answer (ours)", "wrong answer (peer)"; `reason` then says why. The
    errors are relative to a float64 reference; None where a case has no answer to check.
    `busy` is the largest share of the machine that other processes held before a round; `threads`
    are those of both sides.
    """

    case: str
    title: str
    peer: str
    mode: str
    unit: str
    ours: Spread | None = None
    theirs: Spread | None = None
    ratio: Ratio | None = None
    our_error: float | None = None
    peer_error: float | None = None
    tolerance: float | None = None
    busy: float | None = None
    status: str = "ok"
    reason: str = ""
    threads: int = 2


@dataclass(frozen=True)
class Bar:
    """What must be reached: ours / `against` <= `limit`.

    Or, in milliseconds, a difference, ours - theirs <= `limit`, or a time, ours <= `limit`.
    `against` is a peer's name, or "fastest eager peer" for whichever that is in the run.
    """

    case: str
    limit: float
    against: str
    is_difference: bool = False
    is_time: bool = False

    @property
    def text(self) -> str:
        if self.is_time:
            return f"<= {self.limit:g} ms"
        if self.is_difference:
            return f"<= {self.limit:g} ms over {self.against}"
        return f"<= {self.limit:g} x {self.against}"


FASTEST = "fastest eager peer"

BARS: tuple[Bar, ...] = (
    Bar("tutorial", 0.45, FASTEST),
    Bar("dialect", 0.06, "tensorflow"),
    Bar("chain", 0.3, FASTEST),
    Bar("mlp", 1.1, "torch"),
    Bar("logistic", 1.2, "torch"),
    Bar("elementwise", 1.0, "torch"),
    Bar("sin50-10", 0.5, "torch"),
    Bar("hessian-200", 0.5, "torch"),
    Bar("jacobian-64", 1.0, "torch"),
    Bar("gmm", 0.8, "torch"),
    Bar("import", 0.1, "tensorflow"),
    Bar("import-dialect", 0.05, "tensorflow"),
    Bar("import-over-numpy", 60.0, "numpy", is_difference=True),
    Bar("script", 0.15, "tensorflow"),
    Bar("bfgs-200", 0.1, "scipy 2-point"),
    Bar("fit-cars", 1500.0, "statsmodels script", is_time=True),
    Bar("mlp-memory-growth", 1.0, "torch"),
    Bar("mlp-memory-peak", 1.0, "torch"),
)


@dataclass(frozen=True)
class Verdict:
    """Whether a bar is met: "met", "met by the minima only", "missed" or "not measured".

    `peer` is the row that decided; `reached` and `reached_by_median` are in the bar's own measure;
    `threads` are those of the rows that were looked at.
    """

    bar: Bar
    met: str
    peer: str = ""
    reached: float | None = None
    reached_by_median: float | None = None
    threads: int = 2


def _deciding(bar: Bar, rows: Iterable[Row]) -> Row | None:
    """Return the row that the bar looks at, if it was measured on the peer's side."""
    candidates = [
        row
        for row in rows
        if row.case == bar.case and row.theirs is not None and row.status != "wrong answer (peer)"
    ]
    if bar.against == FASTEST:
        eager = [row for row in candidates if row.mode == "eager"]
        return min(eager, key=lambda row: row.theirs.minimum, default=None)  # type: ignore[union-attr]
    return next((row for row in candidates if row.peer == bar.against), None)


def judge(bar: Bar, rows: Sequence[Row]) -> Verdict:
    """Return whether `rows` meet `bar`; a failing or wrong answer of ours misses it."""
    row = _deciding(bar, rows)
    threads = rows[0].threads if rows else 2
    if row is None:
        return Verdict(bar, "not measured", threads=threads)
    if row.status != "ok" or row.ours is None or row.theirs is None or row.ratio is None:
        return Verdict(bar, "missed", row.peer, threads=threads)
    if bar.is_time:
        reached, by_median = row.ours.minimum, row.ours.median
    elif bar.is_difference:
        reached = row.ours.minimum - row.theirs.minimum
        by_median = row.ours.median - row.theirs.median
    else:
        reached, by_median = row.ratio.of_minima, row.ratio.median
    if reached > bar.limit:
        met = "missed"
    elif by_median > bar.limit:
        met = "met by the minima only"
    else:
        met = "met"
    return Verdict(bar, met, row.peer, reached, by_median, threads)


def judge_all(rows: Sequence[Row]) -> list[Verdict]:
    """Return the verdict on every bar whose case is among `rows`, at each number of threads."""
    found = []
    for bar in BARS:
        same = [row for row in rows if row.case == bar.case]
        for threads in sorted({row.threads for row in same}, reverse=True):
            found.append(judge(bar, [row for row in same if row.threads == threads]))
    return found
