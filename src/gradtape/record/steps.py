"""Steps: where one training step ends and the next begins, told from gradients and assignments.

A step runs from the first record after the previous step to its last assignment to a Variable.
That is known only when the next step begins, so the question is asked at each gradient call: is
this still the step in which something has been assigned, or the next one? It is the next one if

- the call asks for a Variable that has been assigned since the step began, or
- calls at this place have begun a step before, and what has been assigned is read by its tape (so
  gradients may be added up in Variables, too), or
- the step before was made of other calls only, and a second loop has begun.

So a loop of two networks (gradient of D, update D, gradient of G, update G) counts once, a
persistent tape that is asked twice counts once, and gradients that are accumulated before one
update count once. A gradient inside another tape belongs to that tape's step. With no Variable,
each outermost gradient call is a step. Where the user counts (`run.steps`), nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Set

__all__ = ["Steps"]


class Steps:
    """Counts the steps of a loop.

    Attributes
    ----------
    number : int
        The step that is running, from 0.
    is_explicit : bool
        Whether the user says where steps begin.
    ends : bool
        Whether the user said that the step has ended, and the next has not begun.
    changed : set of int
        Keys of the Variables that have been assigned since the step began.
    last : int
        The newest record that a gradient call of this step has looked at.

    Examples
    --------
    >>> steps = Steps()
    >>> for turn in range(3):
    ...     if steps.begins("train.py:7", {1}, first=10 * turn, has_variables=True):
    ...         steps.advance()
    ...     steps.joined("train.py:7", True, last=10 * turn + 5)
    ...     steps.changed.add(1)
    >>> steps.number
    2
    """

    __slots__ = ("changed", "ends", "is_explicit", "last", "number", "_before", "_calls",
                 "_openers", "_seen", "_uses_variables")  # fmt: skip

    def __init__(self) -> None:
        self.number = 0
        self.is_explicit = False
        self.ends = False
        self.changed: set[int] = set()
        self._before = 0  # how many gradient calls the step before had
        self._calls: list[Hashable] = []  # the gradient calls of this step, in their order
        self._openers: set[Hashable] = set()
        self._seen: set[Hashable] = set()
        self.last = 0
        self._uses_variables = False

    def begins(
        self, call: Hashable, keys: Set[int], first: int, has_variables: bool,
        read: Container[int] | None = None,
    ) -> bool:  # fmt: skip
        """Whether a gradient call belongs to a step after this one.

        Parameters
        ----------
        call : hashable
            Where it is called and what it asks for.
        keys : set of int
            Keys of the sources.
        first : int
            Key of the first record of its tape.
        has_variables : bool
            Whether the tape follows a Variable.
        read : container of int, optional
            Keys of what the tape follows from the beginning, where that is known.
        """
        if self.is_explicit:
            return self.ends
        if not self._calls:
            return False
        if not has_variables and not self._uses_variables:
            return True
        if not self.changed or first <= self.last:
            return False
        if not self.changed.isdisjoint(keys):
            return True
        if call in self._openers:
            return not keys or read is None or any(key in read for key in self.changed)
        return self.number >= 2 and call not in self._seen

    def joined(self, call: Hashable, has_variables: bool, last: int) -> None:
        """A gradient call is part of this step; `last` is the key of its newest record."""
        self._calls.append(call)
        self._seen.add(call)
        self._uses_variables = self._uses_variables or has_variables
        if last > self.last:
            self.last = last

    def advance(self) -> None:
        """The next step begins."""
        self.number += 1
        self.ends = False
        self._openers.update(self._calls[:1])
        self.changed.clear()
        self._before = len(self._calls)
        self._calls.clear()

    @property
    def is_empty(self) -> bool:
        """Whether the step that is running has seen no gradient call."""
        return not self._calls

    @property
    def is_over(self) -> bool:
        """Whether what is recorded now, of which no gradient has been asked, is the next step.

        It is not where nothing has been assigned yet, or the step before had more gradients.
        """
        if self.is_explicit or not self._calls:
            return False
        return bool(self.changed or not self._uses_variables) and len(self._calls) >= self._before

    @property
    def is_complete(self) -> bool:
        """Whether the step that is running may end here, if the loop ends here.

        It has assigned a Variable, or needs none, or it is the first, or one more turn of a loop
        that has run before: the loop was left between gradient and update.
        """
        if not self._calls:
            return False
        if self.changed or not self._uses_variables or self.is_explicit:
            return True
        return self.number == 0 or self._calls[0] in self._openers
