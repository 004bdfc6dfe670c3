"""The short ways of tracing give what the long ways give."""

import subprocess
import sys
import warnings

import numpy as np
import pytest

import gradtape as gt
from gradtape.core.aval import Aval, aval_of
from gradtape.core.registry import CARDS
from gradtape.graph import fits, known, shapes
from gradtape.graph import quick as short
from gradtape.graph.ir import Plain
from gradtape.graph.printing import show
from gradtape.graph.trace import Trace, trace

X = Aval((4, 3), np.dtype(np.float64))
SINGLE = Aval((3,), np.dtype(np.float32))
WHOLE = Aval((4, 1), np.dtype(np.int64))
WEAK = [Aval((), np.dtype(kind), True) for kind in (float, int)]


def pullback(f):
    def both(*args):
        with gt.GradientTape() as tape:
            tape.watch(args)
            value = f(*args)
        return value, tape.gradient(value, args)

    return both


def numbers(x, y):
    return np.sum(2 * np.sin(x) * 1.5 - x**2 / 3 + np.float32(2) * y)


def masks(x, y):
    return np.sum(np.where(x > 0, x * y, np.maximum(x, 0) + np.abs(-y)))


def lost(x, y):
    with gt.GradientTape() as other:
        z = np.exp(x) * y  # `other` follows neither
    return np.sum(z + np.floor(z) * x), other.gradient(z, [x])


def twice(x, y):
    return pullback(lambda x, y: np.sum(pullback(numbers)(x, y)[1][0] ** 2))(x, y)


def mapped(x, y):
    return gt.vmap(lambda row: np.sum(np.tanh(row) * row))(x), y


@pytest.mark.parametrize("f", [pullback(numbers), pullback(masks), lost, twice, mapped])
def test_elementwise_operations_give_the_graph_of_the_long_way(f, monkeypatch):
    def made():
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            traced, result = trace(f, [X, SINGLE], "f")
        positions = [node.position for node in traced.graph.nodes]
        return show(traced.graph), positions, [str(w.message) for w in said], repr(result)

    short._results.clear()
    first = made()
    assert short._results
    monkeypatch.setattr(Trace, "quick", lambda *_: None)
    assert made() == first


def test_what_a_tape_says_of_a_lost_history_is_that_of_the_long_way(monkeypatch):
    def f(x):
        y = np.sin(x) * x
        with gt.GradientTape() as tape:
            tape.watch(x)
            z = np.sum(y * y)
        said.append(str(tape.explain(z, x)))
        return z

    said = []
    trace(f, [SINGLE], "f")
    monkeypatch.setattr(Trace, "quick", lambda *_: None)
    trace(f, [SINGLE], "f")
    assert said[0] == said[1]


@pytest.mark.parametrize("ufunc", [np.isnan, np.subtract, np.greater_equal, np.logical_and,
                                   np.divide, np.equal, np.sqrt, np.power])  # fmt: skip
def test_a_ufunc_gives_the_type_that_it_gives_for_stand_ins(ufunc):
    kinds = [X, SINGLE, WHOLE, *WEAK]
    for pair in [(a,) for a in kinds] if ufunc.nin == 1 else [(a, b) for a in kinds for b in kinds]:
        try:
            expected = aval_of(ufunc(*map(fits.stand_in, pair)))
        except ValueError:
            expected = None  # NumPy is asked, and says why
        found = shapes._of_ufunc(Plain(ufunc.__name__, ufunc), pair, {})
        assert found == expected, pair


def test_a_ufunc_of_many_numbers_is_not_run_while_tracing(monkeypatch):
    monkeypatch.setattr(shapes, "stand_in", None)
    op = Plain("isnan", np.isnan)
    huge = shapes.Value(Aval((1 << 40,), np.dtype(np.float64)))
    assert shapes.avals_of(op, [huge], {}, 1) == (Aval((1 << 40,), np.dtype(bool)),)


@pytest.mark.parametrize(("name", "avals", "params"), [
    ("sum", [X], {"axis": 1, "keepdims": False}),
    ("sum", [X], {"axis": (0, -1), "keepdims": True}),
    ("sum", [X], {"axis": 2, "keepdims": False}),
    ("sum", [X], {"axis": (1, -1), "keepdims": False}),
    ("max", [Aval((0, 3), X.dtype)], {"axis": 0, "keepdims": False}),
    ("mean", [X], {"axis": None, "keepdims": False}),
    ("matmul", [X, SINGLE], {}),
    ("matmul", [X, X], {}),
    ("matmul", [SINGLE, X], {}),
    ("matmul", [Aval((2, 4, 3), X.dtype), Aval((5, 3, 4), X.dtype)], {}),
    ("matmul", [Aval((2, 4, 3), X.dtype), SINGLE], {}),
    ("matmul", [X, WEAK[0]], {}),
    ("reshape", [X], {"shape": (12,), "order": "C"}),
    ("reshape", [X], {"shape": (13,), "order": "C"}),
    ("reshape", [X], {"shape": (-3, -4), "order": "C"}),
    ("transpose", [X], {"axes": (1, 0)}),
    ("transpose", [X], {"axes": (1, 1)}),
    ("broadcast_to", [SINGLE], {"shape": (2, 3)}),
    ("broadcast_to", [SINGLE], {"shape": (3, 2)}),
    ("getitem", [X], {"index": slice(0, 99)}),
    ("getitem", [X], {"index": (slice(None), 7)}),
    ("getitem", [Aval((), X.dtype)], {"index": slice(0, 1)}),
    ("setitem", [X, SINGLE], {"index": slice(0, 3)}),
    ("setitem", [X, Aval((2, 4), X.dtype)], {"index": slice(None, None, 2)}),
    ("setitem", [X, Aval((2, 4), X.dtype)], {"index": slice(0, 3)}),
    ("setitem", [X, Aval((1, 1, 4), X.dtype)], {"index": slice(0, 3)}),
    ("setitem", [X, WEAK[0]], {"index": slice(5, 2)}),
    ("setitem", [X, SINGLE], {"index": slice(0, 3, 0)}),
    ("setitem", [X, SINGLE], {"index": slice(0.5, 3)}),
    ("setitem", [Aval((), X.dtype), WEAK[0]], {"index": slice(0, 3)}),
    ("add_at", [X, X], {"index": slice(None, None, -1)}),
    ("add_at", [X, Aval((2, 4), X.dtype)], {"index": slice(1, None)}),
    ("add_at", [X, Aval((3,), X.dtype)], {"index": slice(1, None)}),
    ("add_at", [WHOLE, Aval(WHOLE.shape, X.dtype)], {"index": slice(None)}),
    ("scatter_add", [Aval((2, 4), X.dtype)], {"shape": (3, 4), "index": slice(1, None)}),
    ("scatter_add", [Aval((2, 4), X.dtype)], {"shape": (3, 4), "index": slice(None)}),
    ("scatter_add", [X], {"shape": (), "index": slice(None)}),
])  # fmt: skip
def test_what_fits_at_a_glance_fits_when_it_is_tried(name, avals, params, monkeypatch):
    def outcome():
        fits._known.clear()
        try:
            fits.check(CARDS[name], tuple(avals), params)
        except (ValueError, TypeError, IndexError) as error:
            return type(error), str(error).splitlines()[0]
        return None

    found = outcome()
    monkeypatch.setattr(fits, "_AT_A_GLANCE", {})
    assert outcome() == found


def test_slices_are_seen_at_a_glance(monkeypatch):
    tried = []
    monkeypatch.setattr(fits, "_error", lambda *given: tried.append(given))
    monkeypatch.setattr(fits, "_known", set())
    line = Aval((7,), X.dtype)
    trace(gt.hessian(lambda x: np.sum((x[1:] - x[:-1] ** 2) ** 2)), [line], "f")
    assert not tried


def test_a_number_seen_as_many_is_computed_once():
    x = np.broadcast_to(np.float32(3.0), (1 << 30, 2))
    found = known.computed(CARDS["divide"], (x, np.float32(7.0)), {})
    assert found.shape == x.shape and not any(found.strides)
    assert found[0, 0] == np.float32(3.0) / np.float32(7.0)
    rows = np.broadcast_to(np.arange(4.0)[:, None], (4, 2000))
    found = known.computed(CARDS["subtract"], (rows, np.ones(2000)), {})
    assert np.array_equal(found, rows - np.ones(2000))


def test_slices_of_an_array_that_was_made_while_tracing_are_constants():
    def f(x):
        ones = np.ones(5)
        return x * ones[1:] + x * ones[:-1] + x * ones[::-1][1:]

    made, _ = trace(f, [Aval((4,), X.dtype)], "f")
    assert made.sources == [None]


def test_slices_of_an_array_that_somebody_holds_are_read_at_each_call():
    held = np.ones(5)[1:]  # nobody has the whole

    @gt.function
    def f(x):
        return x * held + x * held[::-1] + x * held[:]

    x = np.arange(4.0)
    assert np.array_equal(f(x), 3 * x)
    held[0] = 3.0
    assert np.array_equal(f(x), x * held + x * held[::-1] + x * held)


def test_a_first_call_imports_nothing_of_ours():
    code = """
import sys
import numpy as np
import gradtape as gt

w = gt.Variable([1.0, 2.0])

@gt.function
def step(x):
    with gt.GradientTape() as tape:
        loss = np.sum((w * x) ** 2)
    w.assign_sub(0.1 * tape.gradient(loss, w))
    return loss

before = set(sys.modules)
step(np.ones(2))
print(sorted(name for name in set(sys.modules) - before if name.startswith("gradtape")))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
