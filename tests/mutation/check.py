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
from tests.mutation.equivalent import why_equivalent
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


@functools.cache
def verdict(fault: Fault) -> str:
    """How `fault` is noticed; "" if it is not; "none: " and the reason if it is no fault."""
    try:
        how = noticed(fault)
    except NotApplicable as reason:
        return f"none: {reason}"
    why = "" if how else why_equivalent(str(fault))
    return f"none: {why}" if why else how


def order(faults: list[Fault], seed: int) -> list[Fault]:
    """The faults as `seed` draws them: card by card in turn, so that every family has its share.

    A fault's place within its card, and a card's within a turn, are a matter of their texts alone:
    a change to one card leaves what is drawn of the others as it is.
    """

    def key(thing: object) -> bytes:
        return sha256(f"{seed} {thing}".encode()).digest()

    piles: dict[str, list[Fault]] = defaultdict(list)
    for fault in sorted(faults, key=key):
        piles[fault.card].append(fault)
    turns = itertools.zip_longest(*(piles[card] for card in sorted(piles, key=key)))
    return [fault for turn in turns for fault in turn if fault]


__all__ = ["NotApplicable", "lines_of", "noticed", "order", "verdict"]
