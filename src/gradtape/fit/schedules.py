"""How the learning rate goes down in the course of a run.

A schedule is an entry of `SCHEDULES`: from the epoch, the number of epochs and its own numbers to
what the rate is multiplied by. It is typed as its name and its numbers: `step:100,0.5`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import three_part
from .problems import FitError, did_you_mean

__all__ = ["SCHEDULES", "Schedule", "choose_schedule"]


@dataclass(frozen=True)
class Kind:
    """A kind of schedule.

    Attributes
    ----------
    share : callable
        From epoch, epochs and numbers to the share of the rate.
    numbers : tuple of (str, float)
        What its numbers are called, and what they are when they are not typed.
    needs_end : bool
        Whether it must know how many epochs there will be.
    """

    share: Callable[..., float]
    numbers: tuple[tuple[str, float], ...] = ()
    needs_end: bool = False


SCHEDULES = {
    "constant": Kind(lambda epoch, epochs: 1.0),
    "linear": Kind(lambda epoch, epochs: 1.0 - epoch / epochs, (), True),
    "cosine": Kind(lambda epoch, epochs: 0.5 + 0.5 * math.cos(math.pi * epoch / epochs), (), True),
    "exponential": Kind(lambda epoch, epochs, factor: factor**epoch, (("FACTOR", 0.99),)),
    "inverse": Kind(
        lambda epoch, epochs, half: 1.0 / (1.0 + epoch / half), (("HALVED_AT", 100.0),)
    ),
    "step": Kind(
        lambda epoch, epochs, every, factor: factor ** (epoch // every),
        (("EVERY", 100.0), ("FACTOR", 0.5)),
    ),
}


@dataclass(frozen=True)
class Schedule:
    """A schedule with its numbers.

    >>> choose_schedule("step:10,0.1").rate(2.0, 25, 100)
    0.02
    """

    name: str
    numbers: tuple[float, ...] = ()

    @property
    def is_constant(self) -> bool:
        """Whether the rate stays what it is."""
        return self.name == "constant"

    @property
    def needs_end(self) -> bool:
        """Whether it must know how many epochs there will be."""
        return SCHEDULES[self.name].needs_end

    @property
    def typed(self) -> str:
        """What is typed to get it again."""
        return f"{self.name}:{','.join(f'{n:g}' for n in self.numbers)}".rstrip(":")

    def rate(self, rate: float, epoch: int, epochs: int) -> float:
        """Return the rate of the update that ends this epoch and begins the next."""
        return rate * SCHEDULES[self.name].share(epoch, epochs, *self.numbers)


def choose_schedule(typed: str) -> Schedule:
    """Return the schedule that was typed.

    Raises
    ------
    FitError
        For a name that is not there (with the nearest), and numbers that do not fit.
    """
    name, _, text = (part.strip() for part in typed.partition(":"))
    if name not in SCHEDULES:
        raise FitError(
            three_part(
                f"There is no schedule {name!r}.",
                f"The schedules are {', '.join(map(_form, SCHEDULES))}.",
                did_you_mean(name, SCHEDULES) or "Type one of these: --schedule cosine",
            )
        )
    kind = SCHEDULES[name]
    try:
        given = [float(part) for part in text.split(",")] if text else []
    except ValueError:
        given = [math.nan]
    usable = all(math.isfinite(number) and number > 0 for number in given)
    if not usable or len(given) > len(kind.numbers):
        raise FitError(
            three_part(
                f"--schedule {typed}: {text!r} does not fit {name}.",
                f"It is typed as {_form(name)}, with numbers above 0.",
                f"Type --schedule {name}",
            )
        )
    defaults = [value for _, value in kind.numbers]
    return Schedule(name, tuple(given + defaults[len(given) :]))


def _form(name: str) -> str:
    words = ",".join(word for word, _ in SCHEDULES[name].numbers)
    return f"{name}:{words}" if words else name
