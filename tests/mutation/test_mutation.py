"""Seeded faults in the cards are noticed by their op_case lines: at least 95 of 100.

Run by .ci/slow, whose report has the figures that this prints. Signs, terms, factors, operands,
unbroadcasts, constants and functions are changed in the source of the rules (`written`), and
whole rules are negated, scaled, dropped and exchanged (`whole`), over all cards with a rule.
"""

import collections

import numpy as np
import pytest

from gradtape.core.registry import CARDS
from tests.mutation.check import draw, lines_of, noticed
from tests.mutation.equivalent import EQUIVALENT, why_equivalent
from tests.mutation.faults import Fault, NotApplicable, whole_faults, written_faults
from tests.ops.test_inside import of

# How many of each sort are drawn, card by card in turn.
COUNTS = {"written": 900, "whole": 1500}
BAR = 0.95
FAULTS = {"written": written_faults, "whole": whole_faults}


def table(rows, head):
    """Rows as text with aligned columns."""
    rows = [head, *rows]
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(head))]
    return "\n".join(
        "  ".join(str(x).ljust(w) for x, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


@pytest.mark.exhaustive
@pytest.mark.parametrize("sort", FAULTS)
def test_seeded_faults_are_noticed(sort):
    drawn = draw(FAULTS[sort](), COUNTS[sort], seed=1)
    assert len(drawn) >= 200
    caught, missed = collections.Counter(), collections.Counter()
    survivors, unlike = [], collections.Counter()
    for fault in drawn:
        try:
            how = noticed(fault)
        except NotApplicable as reason:
            unlike[str(reason)] += 1
            continue
        if how:
            caught[fault.kind] += 1
        elif why := why_equivalent(str(fault)):
            unlike[why] += 1
        else:
            missed[fault.kind] += 1
            survivors.append(str(fault))
    counted = caught.total() + missed.total()
    share = caught.total() / counted
    print(f"\n{sort} faults, over {len({f.card for f in drawn})} cards:")
    kinds = sorted({*caught, *missed})
    rows = [(kind, caught[kind] + missed[kind], caught[kind]) for kind in kinds]
    print(table([*rows, ("all", counted, caught.total())], ("kind", "seeded", "noticed")))
    print(f"noticed: {share:.1%}; the bar is {BAR:.0%}")
    print(f"\nNot counted, because they change nothing ({unlike.total()}):")
    print(table([(n, why) for why, n in unlike.most_common()], ("", "reason")))
    print(f"\nNot noticed ({len(survivors)}):")
    print("\n".join(sorted(survivors)))
    assert counted >= 200
    assert share >= BAR


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
    first = draw(faults, 300, seed=1)
    assert [str(f) for f in first] == [str(f) for f in draw(faults[::-1], 300, seed=1)]
    assert len({f.card for f in first}) == len({f.card for f in faults})
    assert all(isinstance(f, Fault) for f in first)


def test_reasons_are_sentences_about_something():
    assert all(len(why.split()) >= 4 for why in EQUIVALENT.values())
    assert why_equivalent("sin (vjp), sign: partial 0 negated") == ""


def test_cards_without_a_function_can_be_called():
    line = of("sum_all")
    assert line["reference"](np.ones(3)) == 3.0
