"""Seeded faults in the cards are noticed by their op_case lines: at least 95 of 100.

Run by .ci/slow, whose report has the figures that this prints. Signs, terms, factors, operands,
unbroadcasts, constants and functions are changed in the source of the rules (`written`), and
whole rules are negated, scaled, dropped and exchanged (`whole`), over all cards with a rule.

The lines were strengthened by looking at faults that the seeds of TRAINING draw, and others. What
HELD_OUT draws was left out while that was done, and drawn once at the end: its share is what to
expect of a fault that nobody has thought of. A new HELD_OUT is due whenever lines are written
because of what this one shows.
"""

import collections
import re

import numpy as np
import pytest

from gradtape.core.registry import CARDS
from tests.mutation.check import lines_of, noticed, order, verdict
from tests.mutation.equivalent import EQUIVALENT, why_equivalent
from tests.mutation.faults import Fault, NotApplicable, whole_faults, written_faults
from tests.ops.test_inside import of

pytestmark = pytest.mark.slow  # as a file

TRAINING, HELD_OUT = (1, 2, 3, 4, 20261125), 65537
FOUR = ("sign", "dropped term", "swapped operands", "missing unbroadcast")
# row -> (its kinds, None for all; how many faults are counted; the share that must be noticed)
ROWS = {"four kinds": (FOUR, 200, 0.95), "all kinds": (None, 400, 0.95)}


def table(rows, head):
    """Rows as text with aligned columns."""
    rows = [head, *rows]
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(head))]
    return "\n".join(
        "  ".join(str(x).ljust(w) for x, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def population(row):
    """The faults of a row."""
    kinds = ROWS[row][0]
    return [f for f in written_faults() + whole_faults() if kinds is None or f.kind in kinds]


@pytest.mark.exhaustive
@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("seed", [*TRAINING, HELD_OUT])
def test_seeded_faults_are_noticed(seed, row):
    _, count, bar = ROWS[row]
    faults = population(row)
    seen, missed = collections.Counter(), collections.Counter()
    survivors, unlike, cards = [], collections.Counter(), set()
    for fault in order(faults, seed):
        how = verdict(fault)
        if how.startswith("none: "):
            unlike[how.removeprefix("none: ")] += 1
            continue
        cards.add(fault.card)
        (seen if how else missed)[fault.kind] += 1
        if not how:
            survivors.append(str(fault))
        if seen.total() + missed.total() == count:
            break
    share = seen.total() / count
    which = "held out" if seed == HELD_OUT else "training"
    print(f"\n{row}, seed {seed} ({which}), over {len(cards)} cards of {len(faults)} faults:")
    kinds = sorted({*seen, *missed})
    rows = [(kind, seen[kind] + missed[kind], seen[kind]) for kind in kinds]
    print(table([*rows, ("all", count, seen.total())], ("kind", "seeded", "noticed")))
    print(f"noticed: {share:.1%}; the bar is {bar:.0%}")
    if unlike:
        print(f"\nNot counted, because they change nothing ({unlike.total()}):")
        print(table([(n, why) for why, n in unlike.most_common()], ("", "reason")))
    print(f"\nNot noticed ({len(survivors)}):")
    print("\n".join(sorted(survivors)))
    assert seen.total() + missed.total() == count
    assert share >= bar


# ------------------------------------------------------- the check itself, in the fast suite


def test_every_card_with_rules_has_faults():
    cards = {fault.card for fault in whole_faults()}
    assert cards == {
        name for name, card in CARDS.items()
        if card.vjps is not None and card.kind in ("elementwise", "linear", "primitive")
    }  # fmt: skip
    assert {"gradient", "pad", "interp", "multi_dot"} <= {fault.card for fault in written_faults()}


def test_a_fault_is_there_and_goes_again():
    """`add` has the numbers 1 and 1 as partials, `sin` a lambda, `reshape` a transpose."""
    found = [
        next(f for f in whole_faults() if f.card == "add" and f.text == "partial 1 negated"),
        next(f for f in whole_faults() if f.card == "reshape" and f.text.endswith("is negated")),
        next(f for f in written_faults() if f.card == "sin" and f.kind == "wrong function"),
    ]
    for fault in found:
        assert noticed(fault).startswith("AssertionError")
        for line in lines_of(fault.card):
            line.case.check()


def test_a_fault_in_the_fast_path_is_noticed_there():
    fault = next(
        f for f in whole_faults() if str(f) == "multiply (vjp), missing unbroadcast: of operand 0"
    )
    assert "shape" in noticed(fault)


def test_a_change_of_nothing_is_none():
    fault = next(f for f in written_faults() if "np.broadcast_shapes(" in f.text
                 and f.kind == "swapped operands")  # fmt: skip
    with pytest.raises(NotApplicable, match="either order"):
        noticed(fault)


def test_a_line_that_fails_by_itself_is_no_witness(monkeypatch):
    """Otherwise every fault would count as noticed."""
    from tests.mutation import check

    def broken(self):
        raise AssertionError("broken")

    line = lines_of("tanh")[0]
    monkeypatch.setattr(type(line.case), "check", broken)
    check._passes.cache_clear()
    fault = next(f for f in whole_faults() if f.card == "tanh")
    with pytest.raises(AssertionError, match="broken"):
        noticed(fault)


def test_the_draw_is_the_same_every_time_and_covers_every_card():
    faults = whole_faults()
    cards = {f.card for f in faults}
    drawn = order(faults, 1)
    assert [str(f) for f in drawn] == [str(f) for f in order(faults[::-1], 1)]
    assert {f.card for f in drawn[: len(cards)]} == cards
    assert sorted(map(str, drawn)) == sorted(map(str, faults))
    assert all(isinstance(f, Fault) for f in drawn)


def test_the_seeds_draw_different_faults():
    """Of the four kinds the held-out seed draws some hundred faults that no other seed draws.

    How many depends on the population, which changes with every rule: 100 of 200, give or take.
    """
    count = ROWS["four kinds"][1]
    drawn = {s: {str(f) for f in order(population("four kinds"), s)[:count]}
             for s in (*TRAINING, HELD_OUT)}  # fmt: skip
    others = set().union(*(drawn[s] for s in TRAINING))
    assert len(others) > 2.5 * count
    assert len(drawn[HELD_OUT] - others) > 0.4 * count


def test_no_two_faults_have_one_name():
    names = [str(f) for f in written_faults() + whole_faults()]
    assert len(names) == len(set(names))


def test_every_reason_is_of_a_fault_that_is_drawn():
    """A pattern that fits nothing is of a rule that was rewritten: it may excuse what comes."""
    names = [str(f) for f in written_faults() + whole_faults()]
    assert [p for p in EQUIVALENT if not any(re.search(p, name) for name in names)] == []


def test_reasons_are_sentences_about_something():
    assert all(len(why.split()) >= 4 for why in EQUIVALENT.values())
    assert why_equivalent("sin (vjp), sign: partial 0 negated") == ""


def test_cards_without_a_function_can_be_called():
    line = of("sum_all")
    assert line["reference"](np.ones(3)) == 3.0
