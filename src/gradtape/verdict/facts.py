"""The four facts of a verdict: frozen numbers, and `str` of each is a sentence or two."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from html import escape

__all__ = [
    "CLOSED_FORM",
    "GRADIENT_TOLERANCE",
    "TOLERANCE",
    "Coefficient",
    "Convergence",
    "FastPhase",
    "LowestCost",
    "Scale",
    "Standstill",
    "Verdict",
    "about",
]

TOLERANCE = 1e-3
"""Converged: every coefficient agrees with its closed form to three digits."""

CLOSED_FORM = "the closed form"

GRADIENT_TOLERANCE = 1e-6
"""Converged, where no closed form is known: the gradient fell to this share of its largest norm."""


@dataclass(frozen=True)
class Scale:
    """How a series counts, for the words.

    Attributes
    ----------
    unit : str
        What one entry is: an epoch of `gradtape fit`, a step of a recorded run.
    rises : bool
        The series is a gain that is made larger: what is said of the lowest is said of the highest.
    window : int
        The costs are noisy, and means over so many of them are looked at; 0 for costs that are one
        function of the parameters.
    count : int
        How many entries there are; of one alone little can be said.
    is_cut : bool
        After these the cost was not finite any more.
    """

    unit: str = "epoch"
    rises: bool = False
    window: int = 0
    count: int = 2
    is_cut: bool = False

    @property
    def last(self) -> str:
        """The last entry that is looked at."""
        return f"last finite {self.unit}" if self.is_cut else f"last {self.unit}"

    @property
    def means(self) -> str:
        """What is looked at in place of noisy costs."""
        return f"mean over {self.window} {self.unit}s"


@dataclass(frozen=True)
class FastPhase:
    """Where the fast phase of the cost ended.

    Attributes
    ----------
    end : int or None
        The last epoch that lowered the cost by at least 1 % of the steepest epoch's decrease.
        None when that epoch is the last of the run (the phase goes on) or the cost never fell.
    share : float
        The part of the run's whole decrease (first cost to lowest cost) done by then; nan when
        the cost never fell.
    """

    end: int | None
    share: float
    scale: Scale = Scale()

    def __str__(self) -> str:
        unit, rises = self.scale.unit, self.scale.rises
        change, did = ("increase", "raised") if rises else ("decrease", "lowered")
        what = f"the {self.scale.means}" if self.scale.window else "the cost"
        if self.scale.count == 1:
            return f"not known: there is one {unit} alone."
        if math.isnan(self.share):
            if self.scale.window:
                way = "rose" if rises else "fell"
                return f"there was none: {what} never {way} beyond its noise."
            way = "rose above" if rises else "fell below"
            return f"there was none: the cost never {way} its first value."
        if self.end is None:
            last = f"last {self.scale.window} {unit}s" if self.scale.window else f"last {unit}"
            return f"had not ended when the run did: the {last} still {did} the cost markedly."
        share = _percent(min(self.share, 1.0))
        if self.scale.window:
            return (
                f"ended about {unit} {self.end}, with {share} of the whole {change} of {what} done:"
                f" after it, none {did} it beyond its noise and by 1 % of the steepest."
            )
        return (
            f"ended at {unit} {self.end}, with {share} of the whole "
            f"{change} done. No later {unit} {did} the cost by even 1 % of the steepest step."
        )


@dataclass(frozen=True)
class Standstill:
    """From which epoch the cost, as it is printed, no longer changed.

    Attributes
    ----------
    start : int or None
        First epoch whose printed cost is that of every later epoch; None when the printed cost
        still changed at the last epoch, or there was only one.
    printed : str
        The printed cost of the last epoch.
    epochs : int
        For how many epochs at the end it was this one.
    scale : Scale
    mean : float or None
        Of noisy costs, the mean at the end; `start` is then where the mean came to stand still.
    """

    start: int | None
    printed: str
    epochs: int
    scale: Scale = Scale()
    mean: float | None = None

    def __str__(self) -> str:
        unit = self.scale.unit
        if self.scale.window:
            since = "still changed at the end" if self.start is None else (
                f"has not changed beyond its noise since {unit} {self.start}"
            )  # fmt: skip
            return (
                f"{self.printed} at the last {unit}, but it is noisy: the {self.scale.means} is"
                f" {self.mean:.4g} at the end, and {since}."
            )
        # A cost that diverged can have hundreds of digits.
        printed = self.printed if len(self.printed) < 20 else f"{float(self.printed):.3g}"
        if self.scale.count == 1:
            return f"{printed}."
        if self.start is None:
            return f"{printed}, still changing at the {self.scale.last}."
        return f"{printed}, unchanged from {unit} {self.start} on: the last {self.epochs} {unit}s."


@dataclass(frozen=True)
class LowestCost:
    """The epoch of the lowest cost.

    Attributes
    ----------
    epoch : int
        The first epoch with the lowest cost.
    cost : float
        That cost.
    last_epoch : int
        The last epoch with a finite cost.
    above : float
        By how much the last cost is above the lowest (below the highest, of a gain); of noisy
        costs, the last mean above the lowest, 0 within the noise.
    is_rounding : bool
        The last cost differs from the lowest by no more than rounding explains.
    scale : Scale
    mean, mean_epoch : float or None, int
        Of noisy costs, the lowest mean, and the last epoch that it is taken over.
    """

    epoch: int
    cost: float
    last_epoch: int
    above: float
    is_rounding: bool
    scale: Scale = Scale()
    mean: float | None = None
    mean_epoch: int = 0

    def __str__(self) -> str:
        unit, rises = self.scale.unit, self.scale.rises
        where = f"{self.cost:.6g} at {unit} {self.epoch}"
        side, most = ("below", "highest") if rises else ("above", "lowest")
        if self.scale.window:
            end = "the last one"
            if self.mean_epoch != self.last_epoch:
                how = f"is {self.above:.3g} {side} it" if self.above else "equals it within noise"
                end = f"that of the end {how}"
            return (
                f"{where} alone, which noise may have made. The {most} {self.scale.means} is"
                f" {self.mean:.4g}, about {unit} {self.mean_epoch}; {end}."
            )
        if self.epoch == self.last_epoch:
            return f"{where}, the last one."
        if self.is_rounding:
            return f"{where}; the last {unit}, {self.last_epoch}, equals it within rounding."
        return f"{where}; the {self.scale.last}, {self.last_epoch}, is {self.above:.3g} {side} it."


@dataclass(frozen=True)
class Coefficient:
    """A coefficient beside its closed form, and how far apart they are.

    Attributes
    ----------
    name : str
        As the caller named it.
    value, closed_form : float
        Where the run ended, and where the cost is lowest.
    distance : float
        `|value - closed_form|` over the size that counts for this coefficient: its closed form,
        unless the caller gave another scale.
    reference : str
        What is meant by the closed form, in the words of a sentence.
    """

    name: str
    value: float
    closed_form: float
    distance: float
    reference: str = CLOSED_FORM

    def __str__(self) -> str:
        return (
            f"{self.name} is {self.value:.4g} where {self.reference} is {self.closed_form:.4g}: "
            f"{_percent(self.distance)} away"
        )


@dataclass(frozen=True)
class Convergence:
    """Whether the run has converged, by which numbers, and what is left to do if not.

    Attributes
    ----------
    converged : bool
        True when the step is stable and the farthest coefficient is within `tolerance` of its
        closed form; where no closed form is known, when the gradient norm fell to a millionth of
        its largest value.
    gradient_norm : float
        At the last epoch.
    gradient_share : float
        The same over the largest gradient norm of the run.
    farthest : Coefficient or None
        The coefficient farthest from its closed form; None when no closed form was given.
    stability : float or None
        Learning rate times the largest eigenvalue of the Hessian. Gradient descent on a quadratic
        cost multiplies the error along an eigenvector by `1 - learning_rate * eigenvalue` at each
        epoch: it overshoots above 1 and grows without bound above 2.
    epochs_to_go : int or None
        About how many more epochs bring the run to convergence; 0 when it is there, None when it
        does not get there this way.
    tolerance : float
        The distance that counts as converged.
    diverged_at : int or None
        The first epoch whose cost is not finite.
    stands_still_from : int or None
        The epoch from which the printed cost stands still.
    obstacle : str
        Why this is no minimum, whatever the gradient says; "" if nothing is known against it.
    """

    converged: bool
    gradient_norm: float
    gradient_share: float
    farthest: Coefficient | None
    stability: float | None
    epochs_to_go: int | None
    tolerance: float
    diverged_at: int | None
    stands_still_from: int | None
    obstacle: str = ""
    scale: Scale = Scale()

    def __str__(self) -> str:
        parts = [self._answer(), self._gradient()]
        if self.stability is not None:
            parts.append(self._step())
        is_known = self.scale.count > 1 and self.diverged_at is None and not self._is_noisy
        if not self.converged and not self.obstacle and is_known:
            parts.append(self._remaining())
        return " ".join(parts)

    @property
    def _is_noisy(self) -> bool:
        return bool(self.scale.window) and self.diverged_at is None

    def _answer(self) -> str:
        unit = self.scale.unit
        if self.diverged_at is not None:
            return f"NO, diverged: the cost is not finite from {unit} {self.diverged_at} on."
        if self._is_noisy and not self.converged:
            since = self.stands_still_from
            why = (
                "the costs are noisy, as those of mini-batches are, so that their gradient does not"
                f" vanish; the {self.scale.means}"
            )
            if since is None:
                return f"NOT SEEN: {why} still changed at the end."
            return f"NOT SEEN: {why} has stood still since {unit} {since}."
        if self.converged:
            if self.farthest is None:
                return "yes."
            return (
                f"yes: every coefficient agrees with {self.farthest.reference} to "
                f"{_magnitude(self.farthest.distance)} of its size."
            )
        if self.obstacle:
            return f"NO: {self.obstacle}."
        detail = "the gradient has not vanished" if self.farthest is None else str(self.farthest)
        if self.stands_still_from is not None:
            return f"NO, although the printed cost stands still: {detail}."
        return f"NO: {detail}."

    def _gradient(self) -> str:
        if self.gradient_share > 0.999:
            return f"The gradient norm is {self.gradient_norm:.3g}, the largest of the run."
        return (
            f"The gradient norm is {self.gradient_norm:.3g}, {_percent(self.gradient_share)} "
            "of the largest in the run."
        )

    def _step(self) -> str:
        assert self.stability is not None
        fact = f"Learning rate x largest eigenvalue is {self.stability:.3g}"
        if self.stability >= 2:
            return f"{fact}: unstable, it must be below 2."
        if self.stability > 1:
            return f"{fact}: stable (below 2), but each step overshoots along the steepest axis."
        return f"{fact}: stable (below 2)."

    def _remaining(self) -> str:
        unit = self.scale.unit
        if self.epochs_to_go is None:
            if self.stability is not None and self.stability >= 2:
                return f"More {unit}s do not help; a smaller learning rate does."
            return f"The run is not getting nearer, so how many more {unit}s it needs is not known."
        reference = CLOSED_FORM if self.farthest is None else self.farthest.reference
        its = "its closed form" if reference == CLOSED_FORM else reference
        goal = (
            f"until the gradient is {GRADIENT_TOLERANCE:g} of its largest"
            if self.farthest is None
            else f"until every coefficient is within {_percent(self.tolerance)} of {its}"
        )
        return f"It needs about {about(self.epochs_to_go):,} more {unit}s {goal}."


@dataclass(frozen=True)
class Verdict:
    """Four separate facts about a run; `str` of it is the text that is printed.

    Attributes
    ----------
    fast_phase : FastPhase
        Where the fast phase of the cost ended.
    standstill : Standstill
        From which epoch the printed cost no longer changed.
    lowest : LowestCost
        The epoch of the lowest cost.
    convergence : Convergence
        Whether the run has converged, and about how many more epochs it needs if not.
    missing : str
        What the run does not hold, where the facts are those of a part of it; "" for a whole one.
    note : str
        What else has to be known to read the facts; "" if nothing.
    """

    fast_phase: FastPhase
    standstill: Standstill
    lowest: LowestCost
    convergence: Convergence
    missing: str = ""
    note: str = ""

    @property
    def text(self) -> str:
        """The four facts as four paragraphs of plain text, at most 96 columns wide."""
        return "\n".join(
            textwrap.fill(
                fact,
                width=96,
                initial_indent=f"  {name + ':':<14}",
                subsequent_indent=" " * 16,
                break_long_words=False,
                break_on_hyphens=False,
            )
            for name, fact in self._facts
        )

    @property
    def _facts(self) -> list[tuple[str, str]]:
        """What each fact is called, and its sentences."""
        facts: list[tuple[str, object]] = [
            ("Fast phase", self.fast_phase),
            ("Printed cost", self.standstill),
            ("Highest cost" if self.lowest.scale.rises else "Lowest cost", self.lowest),
            ("Converged", self.convergence),
        ]
        if self.missing:
            facts.append(("Incomplete", self.missing))
        if self.note:
            facts.append(("Note", self.note))
        return [(name, str(fact)) for name, fact in facts]

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        rows = (f"<dt><b>{name}</b></dt><dd>{escape(fact)}</dd>" for name, fact in self._facts)
        return f"<dl>{''.join(rows)}</dl>"


def _percent(share: float) -> str:
    """The share in per cent, with three digits and never a rounding up to a false 100 %."""
    percent = 100 * share
    if 99 < percent < 100:
        digits = min(9, max(1, math.ceil(-math.log10(100 - percent))))
        return f"{math.floor(percent * 10**digits) / 10**digits:.{digits}f} %"
    if percent >= 1e5:
        return f"{share:.1e} times its size"
    return f"{percent:,.0f} %" if percent >= 1000 else f"{percent:.3g} %"


def _magnitude(share: float) -> str:
    return "the last digit" if share < 1e-15 else f"{share:.1g}"


def about(count: int) -> int:
    """Return the count rounded up to two digits: what the word "about" may claim.

    >>> about(187), about(7)
    (190, 7)
    """
    unit: int = 10 ** max(0, len(str(count)) - 2)
    return -(-count // unit) * unit
