"""A cotangent of exactly 0 has no say, whatever stands behind it: NaN, infinity, a singular slope.

The property, of every card with an op_case line: one element of an operand is spoilt, the results
that notice it get the cotangent 0, and every gradient is that of the clean operands.
"""

from __future__ import annotations

import threading
import warnings

import numpy as np
import pytest

import gradtape as gt
from gradtape.core.alerts import alerts, beware, calm
from gradtape.core.registry import CARDS, HOOKS
from gradtape.core.state import Recorder, next_key, pop, push
from gradtape.core.sweep import backward
from gradtape.core.tensor import Tensor, new_tensor
from gradtape.testing import Run
from tests.op_lines import lines

pytestmark = pytest.mark.slow  # as a file

# Sums of products in which an element meets some results of its row alone.
CONTRACTING = {"convolve", "correlate", "cross"}
# LAPACK refuses NaN and may never come back from infinity: there is no result to differentiate.
REFUSING = {"svdvals", "singular factors", "cholesky"}
LINES = [line for line in lines() if not line.cards & (CONTRACTING | REFUSING)]
MODULES = sorted({line.module for line in LINES})


def spoilt(module):
    """(line, Spoilt) of every line of a test module, with NaN and with infinity."""
    for line in LINES:
        if line.module == module:
            for bad in (np.nan, np.inf):
                yield line, Spoilt(line, bad)


def plain(x):
    return np.asarray(gt.value(x))


class Spoilt:
    """Pairs of runs of a line, clean and with one spoilt element, and cotangents for both."""

    def __init__(self, line, bad):
        self.case = line.case
        self.bad = bad
        self.rng = np.random.default_rng(5)

    def __iter__(self):
        for label, operands, kwargs in self.examples():
            wrt = self.case._wrt(operands)
            clean = self.run(operands, kwargs, wrt)
            for i in wrt:
                if np.size(operands[i]) < 2:
                    continue
                spoilt = list(operands)
                spoilt[i] = np.array(operands[i])
                spoilt[i].reshape(-1)[self.rng.integers(spoilt[i].size)] = self.bad
                try:
                    run = self.run(spoilt, kwargs, wrt)
                except ValueError:  # refused: a quantile, a bin
                    continue
                if [o.shape for o in run.outs] != [o.shape for o in clean.outs]:
                    continue
                cts = self.cotangents(clean, run)
                if cts is not None:
                    yield f"{label}, operand {i} with {self.bad}", clean, run, cts, wrt

    def examples(self):
        yield from self.case.examples()
        if self.case.complex:
            for label, *call in self.case.examples(np.complex128):
                yield f"complex {label}", *call

    def run(self, operands, kwargs, wrt):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what NumPy finds in the data
            run = Run(self.case.function, operands, kwargs, wrt)
        run.again = self.case.function, operands, kwargs, wrt
        return run

    def cotangents(self, clean, run):
        """0 where a result noticed; None where none did, or all."""
        kept = {}
        for o, c in zip(run.outs, clean.outs, strict=True):
            if o.dtype.kind in "fc":
                a, b = plain(o), plain(c)
                same = np.isclose(a, b, rtol=1e-13, atol=0) & np.isfinite(a) & np.isfinite(b)
                kept[o.shape] = same & kept.get(o.shape, True)
        whole = [kept[o.shape] for o in run.outs if o.shape in kept]
        if all(np.all(k) for k in whole) or not any(np.any(k) for k in whole):
            return None
        return [
            np.where(kept[o.shape], self.rng.normal(size=o.shape), 0.0)[()]
            if o.dtype.kind in "fc"
            else None
            for o in run.outs
        ]


def agree(label, found, expected):
    for f, e in zip(found, expected, strict=True):
        np.testing.assert_allclose(plain(f), plain(e), rtol=1e-9, atol=1e-12, err_msg=label)


@pytest.mark.parametrize("module", MODULES)
def test_what_only_dropped_results_notice_has_no_say(module):
    for _, pairs in spoilt(module):
        for label, clean, run, cts, _ in pairs:
            agree(label, run.vjp(cts), clean.vjp(cts))


def test_every_card_is_among_them():
    exercised = {
        name
        for module in MODULES
        for line, pairs in spoilt(module)
        if any(True for _ in pairs)
        for name in line.cards
    }
    cards = {n for n, c in CARDS.items() if c.kind in ("elementwise", "linear", "primitive")}
    assert cards - exercised == CONTRACTING | REFUSING


def second(run, cts, directions):
    """(gradients, their derivative along `directions`), the sweep recorded by an outer tape."""
    function, operands, kwargs, wrt = run.again
    outer = Recorder()
    keyed = list(operands)
    for i in wrt:
        keyed[i] = new_tensor(operands[i], next_key())
        outer.tracked.add(keyed[i].key)
        outer.leaves[keyed[i].key] = None
    push(outer)
    try:
        first = Run(function, keyed, kwargs, wrt).vjp(cts)
        total = 0.0
        for g, d in zip(first, directions, strict=True):
            total = total + np.sum(np.where(d != 0, g * d, 0.0))
    finally:
        pop(outer)
    found = {}
    if isinstance(total, Tensor) and total.key:
        found[total.key] = np.ones(())[()]
        backward(outer, found, {keyed[i].key for i in wrt}, False)
    return first, [found.get(keyed[i].key, np.zeros(np.shape(operands[i]))) for i in wrt]


@pytest.mark.parametrize("module", MODULES)
def test_a_nan_that_is_missing_in_the_results_is_missing_in_the_gradients(module):
    """A NaN that an operation computes, and the line under test drops: no cotangent is 0 before."""
    for line, pairs in spoilt(module):
        for label, operands, kwargs in pairs.examples():
            wrt = line.case._wrt(operands)
            for i in wrt:
                for n in range(min(np.size(operands[i]), 8)):
                    slopes = np.ones(np.shape(operands[i]))
                    slopes.reshape(-1)[n] = np.nan
                    label = f"{label}, element {n} of {i}"
                    check_dropped(label, line, operands, kwargs, wrt, i, slopes)


def check_dropped(label, line, operands, kwargs, wrt, i, slopes):
    def function(*args, **kwargs):
        return line.case.function(*args[:i], args[i] * slopes[()], *args[i + 1 :], **kwargs)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            run = Run(function, operands, kwargs, wrt)
        except ValueError:  # refused
            return
    if all(np.isfinite(plain(o)).all() for o in run.outs):
        cts = [np.ones_like(plain(o))[()] if o.dtype.kind in "fc" else None for o in run.outs]
        found = run.vjp(cts)[wrt.index(i)]
        assert np.isfinite(plain(found)).all(), f"{label}: {found}"
        assert plain(found)[np.isnan(slopes)] == 0, label


@pytest.mark.parametrize("module", MODULES)
def test_nor_in_a_second_derivative(module):
    for line, pairs in spoilt(module):
        if "second" in line.case.skip:
            continue
        for label, clean, run, cts, wrt in pairs:
            rng = np.random.default_rng(1)
            directions = [rng.normal(size=np.shape(run.again[1][i])) for i in wrt]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found, expected = (second(r, cts, directions) for r in (run, clean))
            agree(label, found[0], expected[0])
            agree(f"second derivative: {label}", found[1], expected[1])


@pytest.mark.parametrize("module", MODULES)
def test_a_tangent_of_zero_has_no_say_either(module):
    for _, pairs in spoilt(module):
        for label, clean, run, cts, _ in pairs:
            noticed = [None if ct is None else np.where(ct == 0, 1.0, 0.0)[()] for ct in cts]
            # tangents only of what feeds results that did not notice and no other, in either run:
            # what feeds what can depend on the values
            feeding = zip(clean.vjp(cts), clean.vjp(noticed), run.vjp(noticed), strict=True)
            rng = np.random.default_rng(1)
            tangents = []
            for kept, a, b in feeding:
                apart = (plain(kept) != 0) & (plain(a) == 0) & (plain(b) == 0)
                tangents.append(np.where(apart, rng.normal(size=a.shape), 0.0)[()])
            agree(label, run.jvp(tangents), clean.jvp(tangents))


# ----------------------------------------------------------- where a sweep becomes careful, and not

GAPS = np.array([1.0, np.nan, 3.0])


def test_a_cotangent_of_zero_that_the_user_gives():
    with gt.GradientTape(persistent=True) as tape:
        x = tape.watch(np.ones(3))
        y = (x * GAPS) ** 2
    expected = [2.0, 0.0, 36.0]
    np.testing.assert_array_equal(tape.gradient(y, x, output_gradients=[1.0, 0.0, 2.0]), expected)
    _, pull = gt.vjp(lambda x: (x * GAPS) ** 2, np.ones(3))
    np.testing.assert_array_equal(pull(np.array([1.0, 0.0, 2.0]))[0], expected)
    with tape:
        scalar = x[1] * 2.0
    assert tape.gradient(scalar, x, output_gradients=0.0).tolist() == [0.0, 0.0, 0.0]


def test_what_is_taken_stays_nan():
    """Only a cotangent of exactly 0 wins; a NaN that has a say is not hidden."""
    f = {
        "elementwise": lambda x: np.sum(((x * GAPS) ** 2)[:2]),
        "general": lambda x: np.sum(np.prod((x * GAPS) * np.ones((2, 1)), axis=1)[:1]),
        "product": lambda x: np.sum((np.ones((2, 3)) @ (x * GAPS))[:1]),
    }
    assert np.isnan(gt.grad(f["elementwise"])(np.ones(3))).tolist() == [False, True, False]
    assert np.isnan(gt.grad(f["general"])(np.ones(3))).all()
    assert np.isnan(gt.grad(f["product"])(np.ones(3))).tolist() == [False, True, False]


def test_a_sweep_is_careful_to_its_end_and_no_longer():
    seen = []

    @gt.custom_gradient
    def look(x):
        def back(ct):
            seen.append(bool(alerts))
            return ct

        return x * 1.0, back

    x = np.ones(3)
    gt.grad(lambda x: np.sum(look(x) * 2.0))(x)
    gt.grad(lambda x: np.sum((look(x) * 2.0)[1:]))(x)
    assert seen == [False, True] and not alerts
    with pytest.raises(gt.errors.ShapeError):
        gt.grad(lambda x: np.sum(wrong(x)[1:]))(x)
    assert not alerts


def test_a_training_step_is_careful_to_its_end_and_no_longer():
    x = gt.Variable(np.ones(3))
    with gt.GradientTape() as tape:
        loss = np.sum(((x * GAPS) ** 2)[[0, 2]])
    assert tape.gradient(loss, [x])[0].tolist() == [2.0, 0.0, 18.0]
    assert not alerts


def test_what_was_invalid_in_a_sweep_has_no_say_in_the_next():
    """Here infinity minus infinity, of two cotangents of one array: no product follows it."""
    x, wide = gt.Variable(np.array([np.nan, -0.0, 1.0])), np.array([np.inf, 1.0, 1.0])

    def gradient(function):
        with np.errstate(all="ignore"), gt.GradientTape() as tape:
            loss = np.sum(function(x))
        return tape.gradient(loss, x).numpy()

    first = gradient(lambda x: x * (x * 0.5))
    assert np.isnan(gradient(lambda x: x * wide - x * wide)[0])
    assert not alerts
    np.testing.assert_array_equal(np.signbit(gradient(lambda x: x * (x * 0.5))), np.signbit(first))


@gt.custom_gradient
def wrong(x):
    return x * 1.0, lambda ct: np.ones(7)


def test_a_sweep_inside_a_rule_leaves_the_outer_one_careful():
    @gt.custom_gradient
    def inside(x):
        return x * 1.0, lambda ct: ct + gt.grad(lambda t: np.sum(t[1:]))(np.ones(3)) * 0.0

    found = gt.grad(lambda x: np.sum(inside((x * GAPS) ** 2)[[0, 2]]))(np.ones(3))
    np.testing.assert_array_equal(found, [2.0, 0.0, 18.0])


def test_a_rule_of_the_user_can_choose():
    @gt.custom_gradient
    def first(x):
        return gt.value(x)[0], lambda ct: np.array([1.0, 0.0, 0.0]) * ct

    np.testing.assert_array_equal(gt.grad(lambda x: first((x * GAPS) ** 2))(np.ones(3)), [2, 0, 0])


def test_other_threads_do_not_end_it():
    beware()
    try:
        other = threading.Thread(target=lambda: gt.grad(lambda x: np.sum(x[1:]))(np.ones(3)))
        other.start()
        other.join()
        assert alerts
    finally:
        calm()
    assert not alerts


@pytest.mark.parametrize(
    "f",
    [
        lambda u: np.sum(u + np.ones((0, 3))),
        lambda u: np.sum(np.sum(u + np.ones((0, 3)), axis=0)),
        lambda u: np.sum(np.sum(u * np.ones((2, 3)), axis=1, where=np.isfinite(GAPS))),
        lambda u: np.sum(np.piecewise(
            u, [u < np.inf, np.isnan(GAPS)], [lambda t: t * 2.0, lambda t: t * 0 + 1.0]
        )[[0, 2]]),
        lambda u: np.sum(overwritten(u)),
        lambda u: np.sum(np.real(HOOKS["op:from_parts"](np.ones(3), u))),
    ],
)  # fmt: skip
def test_what_drops_an_entry(f):
    found = gt.grad(lambda x: f((x * GAPS) ** 2))(np.ones(3))
    assert np.isfinite(found).all() and found[1] == 0


def overwritten(u):
    """Two pieces overlap at the gap; the second one, which no NaN enters, counts."""
    pieces = [lambda t: u * 1.0, lambda t: np.ones(1)]
    return np.piecewise(np.ones(3) * u[0], [np.ones(3, bool), np.isnan(GAPS)], pieces)


def test_multiplying_by_zero_reaches_rules_inside_which_infinity_stands():
    """No rule dropped an entry here: what is looked at is what an invalid operation made."""
    x = np.array([[1.0, 2.0], [np.inf, 3.0]])
    weights = np.array([1.0, 0.0])
    for f in (
        lambda x: np.minimum(np.prod(x, axis=1), 9.0),
        lambda x: np.minimum(np.einsum("ij,ij->i", x, x), 9.0),
        lambda x: np.minimum(np.linalg.norm(x, axis=1), 9.0),
    ):
        with np.errstate(all="ignore"):
            found = gt.grad(lambda x, f=f: np.sum(f(x) * weights))(x)
            alone = gt.grad(lambda x, f=f: np.sum(f(x)))(x[:1])
        np.testing.assert_allclose(found, [alone[0], [0.0, 0.0]])


def test_the_documented_limit_and_its_remedy():
    """An element of a convolution meets some results of its row alone: NaN, as in NumPy itself."""
    kernel = np.array([1.0, 2.0])
    dropped = gt.grad(lambda k: np.sum(np.convolve(GAPS, k)[:1]))(kernel)
    assert np.isnan(dropped).all()
    filled = np.where(np.isnan(GAPS), 0.0, GAPS)
    assert gt.grad(lambda k: np.sum(np.convolve(filled, k)[:1]))(kernel).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("reduce", [np.mean, np.prod, np.std, np.max, np.linalg.norm, np.cumsum])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_batch_has_the_axes_of_its_example(reduce, axis):
    """An axis of one example was looked up among those of the batch: refused, or other rows."""
    rng = np.random.default_rng(0)
    xs, rs = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 5))
    ts = np.ones((2, 3, 4))
    xs[0, 1, 2] = np.nan
    ts[0, :, 2] = 0

    def moved(x, r, t):
        return gt.jvp(lambda x: gt.vmap(lambda one: reduce(x * one, axis=axis))(r), (x,), (t,))[1]

    def one_by_one(x, r, t):
        ones = [lambda x, one=one: reduce(x * one, axis=axis) for one in r]
        return [gt.jvp(f, (x,), (t,))[1] for f in ones]

    with np.errstate(all="ignore"):
        want = np.array([one_by_one(*each) for each in zip(xs, rs, ts, strict=True)])
        np.testing.assert_allclose(gt.vmap(moved)(xs, rs, ts), want)
        np.testing.assert_allclose(gt.function(gt.vmap(moved))(xs, rs, ts), want)
