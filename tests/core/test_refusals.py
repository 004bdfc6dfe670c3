"""What NumPy refuses: our three parts, at the user's line, in a class that NumPy's users catch."""

import re
import warnings

import numpy as np
import pytest

import gradtape as gt
from gradtape.core import refusals
from gradtape.errors import DTypeError, GradtapeError, ShapeError

W = gt.Variable([1.0, 2.0, 3.0], name="w")
X = gt.array([1.0, 2.0, 3.0])
M = gt.array(np.ones((2, 3)))
FOUR = np.ones(4)
NOTHING = gt.array(np.zeros(0))
WHOLE = gt.array([2, 3])


def plus(x, y):
    x += y


# (what a user does, the class, and what fact, cause and remedy say)
CASES = [
    # operators and ufuncs: every way to the same closure
    (lambda: W + FOUR, ShapeError, r"add: float64\[3\] \('w'\) and float64\[4\]",
     "Axis -1 is 3 long", r"x\[:, None\]"),
    (lambda: FOUR * X, ShapeError, "multiply: .* do not broadcast", "Axis -1", "None"),
    (lambda: np.add(FOUR, X), ShapeError, "add: .* do not broadcast", "Axis -1", "None"),
    (lambda: np.add(FOUR, X, dtype=float), ShapeError, "add: .* do not", "Axis -1", "None"),
    (lambda: X < FOUR, ShapeError, "less: .* do not broadcast", "Axis -1", "None"),
    (lambda: X // FOUR, ShapeError, "floor_divide: .* do not broadcast", "Axis -1", "None"),
    (lambda: X**FOUR, ShapeError, "power: .* do not broadcast", "Axis -1", "None"),
    (lambda: plus(gt.array([1.0, 2.0]), X), ShapeError, "add: .* do not", "Axis -1", "None"),
    (lambda: np.where(X > 0, X, FOUR), ShapeError, "where: shapes", r"\(3,\).*\(4,\)", "None"),
    (lambda: X.astype(complex) % 2, DTypeError, "remainder: .* complex128", "", r"np\.real"),
    (lambda: X & X, DTypeError, "bitwise_and: it is not defined for float64", "", "astype"),
    (lambda: ~X, DTypeError, "invert: it is not defined for float64", "", r"astype\(int\)"),
    (lambda: -gt.array([True]), DTypeError, "negative: .* bool", "", r"astype\(int\)"),
    (lambda: gt.array([1], np.uint8) + 300, OverflowError, "add: .*300.*uint8", "", r"np\.add"),
    (lambda: WHOLE**-1, ValueError, "power: int64 .* negative power", "no integer", "astype"),
    # axes
    (lambda: np.sum(M, axis=2), np.exceptions.AxisError, r"sum: axis 2 .* float64\[2,3\]",
     "from 0 to 1", "axis=1"),
    (lambda: M.mean(axis=-3), IndexError, "mean: axis -3", "from 0 to 1", "axis=1"),
    (lambda: np.add.reduce(M, axis=4), ShapeError, "add.reduce: axis 4", "from 0", "axis=1"),
    (lambda: np.median(M, axis=2), ValueError, "median: axis 2", "from 0 to 1", "axis=1"),
    (lambda: np.argmax(M, axis=3), IndexError, "argmax: axis 3", "from 0 to 1", "axis=1"),
    (lambda: np.linalg.norm(M, axis=4), IndexError, r"linalg.norm: axis 4", "from", "axis=1"),
    (lambda: np.sum(gt.array(1.0), axis=1), IndexError, "sum: axis 1", "no axes", "Leave axis="),
    (lambda: np.flip(M, 3), IndexError, "flip: axis 3", "from 0 to 1", "axis=1"),
    (lambda: gt.numpy.sum([X, X], axis=4), IndexError, "sum: axis 4", "from 0 to 1", "axis=1"),
    (lambda: np.sum(M, axis=(0, 0)), ShapeError, "sum: an axis is named twice", "", "once"),
    # shapes
    (lambda: M.reshape(4), ShapeError, r"reshape: cannot reshape .* into shape \(4,\)",
     "6 elements", r"reshape\(-1\)"),
    (lambda: np.reshape(M, (-1, -1)), ShapeError, "reshape: cannot", "6 elements", "reshape"),
    (lambda: np.squeeze(M, 0), ShapeError, "squeeze: an axis to drop", "length 1", "squeeze"),
    (lambda: np.concatenate([X, M]), ShapeError, "concatenate: the arrays do not fit",
     r"\[float64\[3\], float64\[2,3\]\]", "None"),
    (lambda: np.broadcast_to(X, (4,)), ShapeError, "broadcast_to", r"\(3,\)", "reshape"),
    # indices
    (lambda: X[7], IndexError, r"Indexing float64\[3\] with \[7\]", "", "Keep to the shape"),
    (lambda: W[7], ShapeError, r"Indexing float64\[3\] with \[7\]", "", "Keep to the shape"),
    (lambda: np.delete(X, 9), IndexError, "delete: index 9", "", "Keep to the shape"),
    (lambda: X.item(9), IndexError, "item: index 9", "", "Keep to the shape"),
    # dtypes
    (lambda: X.astype("nonsense"), DTypeError, "astype: 'nonsense' is no dtype", "", "float64"),
    (lambda: np.sum(X, dtype="nonsense"), TypeError, "sum: 'nonsense' is no", "", "float64"),
    (lambda: gt.zeros(2, "nonsense"), DTypeError, "zeros: 'nonsense' is no", "", "float64"),
    (lambda: gt.array([1.0], "nonsense"), DTypeError, "array: 'nonsense'", "", "float64"),
    (lambda: gt.Variable(1.0, dtype="nonsense"), DTypeError, "Variable: 'nonsense'", "", "float64"),
    # creation
    (lambda: gt.zeros(-1), ValueError, "zeros: a length is negative", "", "shape"),
    (lambda: gt.ones((2, "a")), TypeError, "ones: ", "", "help|Convert"),
    (lambda: gt.array([[1.0], [1.0, 2.0]]), ValueError, "array: .* different shapes", "", "Pad"),
    (lambda: gt.arange(0, 1, 0), ZeroDivisionError, "arange: ", "", r"help\(np\.arange"),
    # nothing to take
    (lambda: np.max(NOTHING), ValueError, r"max: there is nothing .* float64\[0\]", "no elements",
     r"np\.max\(x, initial=-np\.inf\)"),
    (lambda: NOTHING.min(), ShapeError, "min: there is nothing", "", r"initial=np\.inf"),
    (lambda: np.argmax(NOTHING), ValueError, "argmax: there is nothing", "", r"x\.size"),
    # matrices
    (lambda: np.linalg.det(M), np.linalg.LinAlgError, r"det: .*2,3\] is no square", "", "T @"),
    # one number
    (lambda: float(X), TypeError, r"float: float64\[3\] is not a single number", "", r"np\.sum"),
    (lambda: int(X), TypeError, "int: .* not a single number", "", r"x\[0\]"),
    (lambda: complex(X), TypeError, "complex: .* not a single number", "", r"x\[0\]"),
    (lambda: bool(X), ValueError, "bool: the truth value", "", r"np\.any"),
    (lambda: len(gt.array(1.0)), TypeError, "len: a 0-d Tensor has no length", "", "atleast_1d"),
    (lambda: [1, 2][X], TypeError, r"operator.index: float64\[3\] is no index", "", "int"),
    (lambda: X.item(), ValueError, r"item: float64\[3\] is not a single", "", r"x\.tolist"),
    # what is no array at all
    (lambda: gt.stack([]), ShapeError, "stack: there is nothing to join", "no arr", r"gt\.stack"),
    (lambda: gt.concatenate([]), ValueError, "concatenate: there is nothing", "", r"gt\.conc"),
    (lambda: X[[[1, 2], [0]]], ValueError, "index: .* different shapes", "rows", "Pad"),
    (lambda: f"{X:.2f}", TypeError, r"format: float64\[3\] takes no", "single", "array2string"),
    (lambda: f"{W:.2f}", TypeError, r"format: .*'w'", "single", "array2string"),
    (lambda: f"{X[0]:d}", ValueError, "format: ", "", "print"),
    (lambda: X < "text", DTypeError, "less: an operand is text", "'text'", "float"),
    (lambda: np.equal(X, "text"), DTypeError, "equal: an operand is text", "", "float"),
    (lambda: gt.Variable([1.0, 2.0]).assign([[1.0], [2.0, 3.0]]), ShapeError,
     "assign: .* different shapes", "rows", "Pad"),
    # without a card
    (lambda: np.linalg.qr(X), np.linalg.LinAlgError, "linalg.qr: ", "", r"help\(np\.linalg\.qr\)"),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(CASES)))
def test_a_refusal_has_three_parts_and_numpys_class(number):
    mistake, cls, fact, cause, remedy = CASES[number]
    with pytest.raises(cls) as raised:
        mistake()
    assert isinstance(raised.value, GradtapeError)
    assert raised.value.__suppress_context__  # NumPy's own is not shown above ours
    first, second, last = str(raised.value).splitlines()
    assert re.search(fact, first), first
    assert re.search(r"(Called|Indexed) at test_refusals\.py:\d+", second), second
    assert re.search(cause, second), second
    assert re.search(remedy, last), last


@pytest.mark.parametrize(("builtin", "ours"), refusals._CLASSES.items())
def test_a_class_is_the_builtin_it_stands_for(builtin, ours):
    assert issubclass(ours, builtin) and issubclass(ours, GradtapeError)


@pytest.mark.parametrize(
    ("a", "b", "as_said"),
    [
        ((2, 3), (2,), lambda x, y: x + np.reshape(y, (2, 1))),
        ((2,), (2, 3), lambda x, y: np.reshape(x, (2, 1)) + y),
        ((2, 3), (3, 2), lambda x, y: x + np.transpose(y)),
        ((3,), (4,), lambda x, y: x[:, None] + y),
    ],
)
def test_the_remedy_for_a_broadcast_works(a, b, as_said):
    x, y = gt.array(np.ones(a)), gt.array(np.ones(b))
    with pytest.raises(ShapeError) as raised:
        x + y
    said = str(raised.value).splitlines()[-1]
    assert as_said(x, y).ndim >= max(len(a), len(b))
    for code in ("np.reshape(y, (2, 1))", "np.reshape(x, (2, 1))", "np.transpose(y)", "x[:, None]"):
        if code in said:
            other = y if code.startswith(("np.reshape(x", "x[")) else x
            eval(code, {"np": np, "x": x, "y": y}) + other
            return
    pytest.fail(f"no code in {said!r}")


def test_large_operands_are_refused_alike():
    x, y = gt.Variable(np.ones(300_000)), np.ones(300_001)
    for mistake in (lambda: x * y, lambda: y * x, lambda: x - y):
        with pytest.raises(ShapeError, match=r"(?s)do not broadcast.*test_refusals\.py"):
            mistake()


def test_a_refusal_inside_a_tape_records_nothing_and_the_tape_goes_on():
    with gt.GradientTape() as tape:
        with pytest.raises(ShapeError):
            W * FOUR
        loss = np.sum(W * W)
    np.testing.assert_array_equal(tape.gradient(loss, W).numpy(), 2 * W.numpy())


def test_what_a_function_of_the_users_raises_stays_as_it_is():
    def fails(_):
        raise ValueError("broadcast together")

    with pytest.raises(ValueError, match="^broadcast together$"):
        np.apply_along_axis(fails, 0, M)


def test_a_strict_tapes_error_stays_the_cause():
    y = np.zeros(3)
    with gt.GradientTape(strict=True), pytest.raises(ValueError, match="sequence") as raised:
        y[0] = W[0]
    assert isinstance(raised.value.__cause__, gt.errors.ExitError)


def test_floating_point_errors_are_numpys():
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError, match="divide by zero"):
        X / np.zeros(3)


def test_warnings_of_nothing_point_at_the_users_line():
    for function in (np.mean, np.var, np.std, np.median, np.nanmean):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            function(NOTHING)
        said = [w for w in caught if not str(w.message).startswith("invalid value")]
        assert said, function
        assert {w.filename for w in said} == {__file__}, (function, said[0].filename)


@pytest.mark.parametrize(
    ("changes", "fact"),
    [({"nonsense": 1}, "no setting 'nonsense'"), ({"threads": "two"}, "threads='two'"),
     ({"copy_limit": -1}, "copy_limit=-1")],
)  # fmt: skip
def test_settings_that_are_none_are_refused(changes, fact):
    before = gt.config.current
    with pytest.raises(DTypeError, match=f"{fact}[\\s\\S]*gt\\.configure"):
        gt.configure(**changes)
    assert gt.config.current is before


@pytest.mark.parametrize(
    ("given", "remedy"),
    [((3,), r"np\.broadcast_to\(ct, \(2, 3\)\)"), ((3, 2), r"np\.reshape\(ct, \(2, 3\)\)"),
     ((4,), r"np\.ones\(\(2, 3\)\)")],
)  # fmt: skip
def test_the_remedy_for_output_gradients_is_code_that_works(given, remedy):
    x = gt.Variable(np.ones((2, 3)))
    with gt.GradientTape(persistent=True) as tape:
        y = x * x
    ct = np.ones(given)
    with pytest.raises(ShapeError, match=remedy) as raised:
        tape.gradient(y, x, output_gradients=ct)
    code = re.search(r"np\.\w+\((?:[^()]|\([^()]*\))*\)", str(raised.value))
    fixed = eval(code[0], {"np": np, "ct": ct})
    np.testing.assert_array_equal(tape.gradient(y, x, output_gradients=fixed).numpy(), 2.0)
