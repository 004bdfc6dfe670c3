"""What op_case looks for, each by an operation with that one mistake."""

import numpy as np
import pytest

import gradtape as gt
from gradtape.core.cards import elementwise, primitive
from gradtape.core.dispatch import apply
from gradtape.core.registry import CARDS, load
from gradtape.testing import op_case


@pytest.fixture(autouse=True)
def _no_card_stays():
    load()
    before = dict(CARDS)
    yield
    CARDS.clear()
    CARDS.update(before)


def call_of(card, **params):
    return lambda *operands: apply(card, operands, params)


def fails(function, reference, match, **options):
    with pytest.raises(AssertionError, match=match):
        op_case(function, name="wrong", nin=options.pop("nin", 1), reference=reference,
                **options).check()  # fmt: skip


def of_two(**rules):
    """A product with some rules of its own."""
    right = {
        "vjp": lambda i, ct, out, x, y: ct * (y if i == 0 else x),
        "jvp": lambda i, t, out, x, y: t * (y if i == 0 else x),
        "shape": lambda x, y: x,
        "batch": lambda size, operands, axes: (
            np.multiply(*(x if a is None else np.moveaxis(x, a, 0)
                          for x, a in zip(operands, axes, strict=True))), 0),
    }  # fmt: skip
    return primitive(None, name="wrong product", impl=np.multiply, arity=2, **{**right, **rules})


NO_GRADIENT = dict.fromkeys(
    ("vjp", "jvp", "second", "float32", "kinks", "traced"), "no gradient here"
)
PAIR = {"nin": 2, "calls": [((3,), (3,))]}


def test_the_product_without_a_mistake_passes():
    skip = {"variants": "its rules are for operands of one shape"}
    op_case(call_of(of_two()), name="right", reference=np.multiply, skip=skip, **PAIR).check()


def test_an_operand_that_the_tape_should_have_kept():
    card = of_two(keep={0: (1,), 1: (1,)})
    with pytest.raises(Exception, match="Aval"):
        op_case(call_of(card), reference=np.multiply, **PAIR).check()


def test_a_rule_that_minds_how_the_cotangent_lies_in_memory():
    def vjp(i, ct, out, x, y):
        factor = 2 if 0 in np.asarray(gt.value(ct)).strides else 1
        return ct * factor * (y if i == 0 else x)

    fails(call_of(of_two(vjp=vjp)), np.multiply, "cotangent with other strides", **PAIR)


def test_a_batching_rule_that_forgets_an_operand_without_gradient():
    def batch(size, operands, axes):
        x, y = operands
        return np.multiply(np.moveaxis(x, axes[0], 0) if axes[0] is not None else x, y), 0

    fails(call_of(of_two(batch=batch)), np.multiply, "batch rule, batch at", wrt=[0], **PAIR)


def test_a_batching_rule_of_a_step_that_exchanges_the_entries():
    """Scaling an operand moves no sign: the entries of the batch must differ in more."""
    card = primitive(
        None, name="wrong sign", impl=np.sign, arity=1, vjp=lambda ct, _out, _x: 0 * ct,
        jvp=lambda t, _out, _x: 0 * t, shape=lambda x: x,
        batch=lambda _size, x, axes: (np.flip(np.sign(x[0]), axes[0]), axes[0]),
    )  # fmt: skip
    fails(call_of(card), np.sign, "batch rule", skip={"kinks": "a step"})


def square_by(inner):
    """The square, whose vjp calls the card `inner` for its slope 2x."""
    return primitive(
        None, name="outer square", impl=np.square,
        vjp=lambda ct, _out, x: ct * apply(inner, (x,), {}),
        jvp=lambda t, _out, x: 2 * t * x, shape=lambda x: x,
        batch=lambda size, operands, axes: (np.square(operands[0]), axes[0]),
    )  # fmt: skip


def test_a_jvp_that_is_wrong_in_the_second_derivative_alone():
    """The derivative of the square, as a card that only the vjp of the first one calls."""
    inner = primitive(
        None, name="wrong double", impl=lambda x: 2 * x, vjp=lambda ct, _out, _x: 2 * ct,
        jvp=lambda t, _out, _x: 3 * t, shape=lambda x: x,
        batch=lambda size, operands, axes: (2 * operands[0], axes[0]),
    )  # fmt: skip
    outer = square_by(inner)
    fails(call_of(outer), np.square, "forward over backward|its vjp gives", calls=[(3,)])


def test_a_shape_rule_that_is_wrong_in_the_second_derivative_alone():
    inner = primitive(
        None, name="wrong double", impl=lambda x: 2 * x, vjp=lambda ct, _out, _x: 2 * ct,
        jvp=lambda t, _out, _x: 2 * t, shape=lambda x: type(x)((*x.shape, 1), x.dtype),
        batch=lambda size, operands, axes: (2 * operands[0], axes[0]),
    )  # fmt: skip
    outer = square_by(inner)
    fails(call_of(outer), np.square, "recorded backwards: wrong double: shape rule", calls=[(3,)])


def test_a_kink_with_a_slope_of_neither_side():
    card = elementwise(
        None, lambda _out, x: np.where(x == 0, 5.0, np.sign(x)), name="wrong abs", impl=np.abs
    )
    fails(call_of(card), np.abs, "along element 0 the slopes of both sides are", calls=[(3,)])


def test_a_kink_outside_the_domain_is_met_too():
    card = elementwise(
        None, lambda _out, x: np.where(x == 0, 5.0, np.sign(x)), name="wrong abs", impl=np.abs
    )
    fails(call_of(card), np.abs, "along element 0 the slopes of both sides are", calls=[()],
          domain=(0.5, 2))  # fmt: skip


def test_a_derivative_that_is_nan_where_the_function_is_smooth():
    card = elementwise(
        None, lambda _out, x: 2 * x * x / x, name="wrong square", impl=np.square
    )
    fails(call_of(card), np.square, "the slopes of both sides are|jvp gives nan", calls=[(3,)])


def of_plain(function):
    """An operation whose value is computed by `function` of plain arrays."""
    return lambda x: gt.array(function(gt.value(x)))


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (lambda x: np.nan_to_num(np.max(x)), "with a NaN"),
        (lambda x: np.max(x) * 1.0, "of integers: dtype float64, NumPy gives int64"),
        (lambda x: np.max(x, initial=-9.0), "nothing along the first axis: NumPy refuses"),
        (lambda x: (np.min if x.ndim == 2 else np.max)(x), "with one more axis"),
        (lambda x: np.max(x, axis=0), "0-d|one more axis"),
        (lambda x: np.max(x) if x.size != 1 else 0.0 * x.sum(), "without its first axis"),
    ],
)
def test_a_value_that_is_not_numpys_for_another_operand(wrong, match):
    fails(of_plain(wrong), np.max, match, calls=[(3,)], wrt=[0],
          skip=NO_GRADIENT)  # fmt: skip


def test_an_axis_that_does_not_exist_must_be_refused():
    def wrong(x, axis=None):
        return gt.array(np.max(gt.value(x), axis=axis if axis != 9 else 0))

    fails(wrong, np.max, "axis=9: NumPy refuses, AxisError", calls=[(2, 3)], kwargs=[{"axis": 1}],
          skip=NO_GRADIENT)  # fmt: skip


def test_a_warning_of_numpys_must_be_given():
    def wrong(x):
        value = gt.value(x)
        return gt.array(np.mean(value) if np.size(value) else np.nan)

    fails(wrong, np.mean, "Mean of empty slice", calls=[(3,)],
          skip=NO_GRADIENT)  # fmt: skip


def test_a_slot_that_does_not_exist_cannot_be_skipped():
    with pytest.raises(AssertionError, match="unknown slots"):
        op_case(np.sin, skip={"kink": "misspelt"})


def test_a_single_change_can_be_skipped():
    wrong = of_plain(lambda x: np.nan_to_num(np.max(x)))
    meant = {"variants: operand 0 with a NaN": "it is meant", "variants: operand 0 of NaN": "too"}
    op_case(wrong, nin=1, calls=[(3,)], wrt=[0], reference=np.max,
            skip=NO_GRADIENT | meant).check()  # fmt: skip


def test_a_call_that_numpy_refuses_must_be_refused():
    """And what is said to be refused must be."""

    def lax(condition, x):
        return np.take(x, np.flatnonzero(condition), axis=None)

    options = {"nin": 2, "calls": [([True, False], (2,))]}
    fails(lax, np.compress, "NumPy refuses, .*1-d array.*; we give", **options,
          refused=[([[True, False]], (2,), {})])  # fmt: skip
    fails(lax, np.compress, "wrong.*: NumPy does not refuse it", **options,
          refused=[([False, True], (2,), {})])  # fmt: skip
