"""Whether the op_case lines of a card notice a fault in it."""

import functools
import itertools
import re
import signal
import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

from gradtape.core.state import state
from tests.mutation.faults import Fault, NotApplicable, clear_caches
from tests.op_lines import Line, card_of, lines_by_card

SECONDS = 90  # a fault may make a loop endless


def lines_of(card: str) -> list[Line]:
    """The card's own lines: those that call its function or have its name, else all through it."""
    through = lines_by_card().get(card, ())
    own = [
        line for line in through
        if card_of(line.case.function) == card
        or re.split(r"[^\w.]", line.case.name)[0] == card
    ]  # fmt: skip
    return own or list(through)


@contextmanager
def _limit() -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@functools.cache
def _passes(line: Line) -> None:
    """Fail if a line fails without any fault: then it notices nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        line.case.check()


def noticed(fault: Fault) -> str:
    """How the first line that fails under `fault` fails; "" if none does.

    Raises
    ------
    NotApplicable
        If the fault changes no code.
    """
    tried = dict.fromkeys(x for card in (fault.card, *fault.others) for x in lines_of(card))
    assert tried, f"no line runs through {fault.card}"
    for line in tried:
        _passes(line)
    with fault.seed(), warnings.catch_warnings(), _limit():
        warnings.simplefilter("error")
        try:
            for line in tried:
                line.case.check()
        except Exception as error:  # any failure is what a reader of the test run would see
            return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        finally:
            state.tapes, state.tape = (), None
            clear_caches()
    return ""


def draw(faults: list[Fault], count: int, seed: int) -> list[Fault]:
    """`count` faults, card by card in turn, so that every family has its share.

    Which of a card's faults come first is a matter of their texts alone: a change to one card
    leaves the faults drawn for the others as they are.
    """
    piles: dict[str, list[Fault]] = defaultdict(list)
    for fault in sorted(faults, key=lambda f: sha256(f"{seed} {f}".encode()).digest()):
        piles[fault.card].append(fault)
    rounds = itertools.zip_longest(*(piles[card] for card in sorted(piles)))
    return list(itertools.islice((f for turn in rounds for f in turn if f), count))


__all__ = ["NotApplicable", "draw", "lines_of", "noticed"]
