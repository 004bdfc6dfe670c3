"""What the dialect says of control flow, `tf.function` and custom gradients names `tf`.

Each row is a mistake, what the message begins with, and what its remedy has.
"""

import re
import warnings

import numpy as np
import pytest

import gradtape.tf as tf
from gradtape.errors import TracingWarning

x = tf.constant([1.0, 2.0])
v = tf.Variable([1.0, 2.0])


def graphed(f):
    """`f` as a tf.function, called with x."""
    return lambda: tf.function(f)(x)


def gradient(f, **options):
    def run(*_):
        with tf.GradientTape(**options) as tape:
            y = f(v)
        return tape.gradient(y, v)

    return run


def ruled(f):
    return gradient(lambda v: tf.custom_gradient(f)(v))


def doubled(i, c):
    return i + 1, tf.concat([c, c], 0)


def wide(i, c):
    return i + 1, tf.cast(c, tf.float64)


def few(i, c):
    return i < 3


def positive(x):
    return tf.reduce_sum(x) > 0


EAGER = "tf.function: <lambda> runs eagerly: "
# (what is called, how it begins, what the last line has)
SAID = {
    "branches of other shapes": (
        graphed(lambda x: tf.cond(positive(x), lambda: x, lambda: x[0])),
        EAGER + "tf.cond: true_fn and false_fn return results of different shapes",
        "same structure and shapes from both"),
    "branches of other structure": (
        graphed(lambda x: tf.cond(positive(x), lambda: (x, x), lambda: x)),
        EAGER + "tf.cond: true_fn and false_fn return results of different structure",
        "same structure and shapes from both"),
    "cases of other shapes": (
        graphed(lambda x: tf.case([(positive(x), lambda: x)], default=lambda: x[0])),
        EAGER + "tf.cond: ", "same structure and shapes"),
    "a predicate of two": (
        lambda: tf.cond(x > 0, lambda: x, lambda: x), "The truth value", "tf.reduce_any"),
    "a predicate of two, compiled": (
        graphed(lambda x: tf.cond(x > 0, lambda: x, lambda: x)), "The truth value",
        "tf.reduce_any"),
    "no functions": (lambda: tf.cond(True, 1, 2), "'true_fn' must be callable", "lambda"),
    "a loop that changes a shape": (
        graphed(lambda x: tf.while_loop(few, doubled, [0, x])),
        EAGER + "tf.while_loop: part 1 of the carry is float32[2] before and float32[4]",
        "tf.reshape"),
    "a loop that changes a dtype": (
        graphed(lambda x: tf.while_loop(few, wide, [0, x])),
        EAGER + "tf.while_loop: part 1 of the carry is float32[2] before and float64[2]",
        "tf.cast(x, tf.float32)"),
    "a loop that loses a variable": (
        graphed(lambda x: tf.while_loop(few, lambda i, c: (i + 1,), [0, x])),
        "The body returned 1 values for 2 loop variables", "all of them"),
    "a condition of two": (
        lambda: tf.while_loop(lambda c: c < 3.0, lambda c: c + 1.0, [x]), "The truth value",
        "tf.reduce_any"),
    "rows of other shapes": (
        lambda: tf.map_fn(lambda r: tf.zeros(int(r)), x),
        "tf.map_fn: a turn gave (1,) to stack, turn 1 gave (2,)", "same shape in every turn"),
    "rows of other structure": (
        lambda: tf.map_fn(lambda r: (r, r) if float(r) > 1 else r, x),
        "tf.map_fn: a turn gave float32[] to stack, another", "same structure"),
    "rows of other shapes, vectorized": (
        lambda: tf.vectorized_map(lambda r: tf.zeros(int(r)), x),
        "tf.vectorized_map: a turn gave", "same shape"),
    "rows of another dtype": (
        lambda: tf.map_fn(lambda r: tf.cast(r, tf.int32), x), "map_fn: fn gives int32",
        "fn_output_signature=tf.int32"),
    "states of another shape": (
        lambda: tf.scan(lambda a, r: tf.stack([a, r]), x), "tf.scan: a state has shape (2,)",
        "initializer"),
    "states of another dtype": (
        graphed(lambda x: tf.scan(lambda a, r: tf.cast(a, tf.float64), x)),
        EAGER + "tf.scan: part 0 of the carry", "tf.cast(x, tf.float32)"),
    "states of another structure": (
        lambda: tf.scan(lambda a, r: (a, a), x), "tf.scan: the carry is", "Return a carry"),
    "a fold of another structure": (
        lambda: tf.foldl(lambda a, r: (a, a), x), "tf.foldl: the carry is", "Return a carry"),
    "a fold of another dtype": (
        graphed(lambda x: tf.foldr(lambda a, r: tf.cast(a, tf.float64), x)),
        EAGER + "tf.foldr: part 0 of the carry", "tf.cast(x, tf.float32)"),
    "a rule that is none": (
        lambda: tf.custom_gradient(lambda a: a)(x), "tf.custom_gradient: <lambda> returned",
        "return y, grad_fn"),
    "a rule that is none, compiled": (
        graphed(lambda x: tf.custom_gradient(lambda a: a)(x)),
        "tf.custom_gradient: <lambda> returned", "return y, grad_fn"),
    "a gradient of another shape": (
        ruled(lambda a: (tf.reduce_sum(a), lambda ct: tf.ones(3))),
        "tf.custom_gradient: gradient 0 has shape (3,)", "shape of the input"),
    "a gradient too many": (
        ruled(lambda a: (a * a, lambda ct: (ct, ct))),
        "custom_gradient function expected to return 1 gradients", "Return one for each"),
    "passed through another shape": (
        gradient(lambda v: tf.grad_pass_through(lambda a: a[:1])(v)),
        "tf.grad_pass_through: the argument has shape (2,), the result (1,)", "keeps the shape"),
    "an if over a tensor": (
        graphed(lambda x: x if x[0] > 0 else -x), EAGER + "bool of a value", "tf.cond"),
    "a value that is read": (
        graphed(lambda x: x * float(x[0])), EAGER + "float of a value", "outside of the function"),
    "an array of NumPy's": (
        graphed(lambda x: x * x.numpy()), EAGER + "array of a value", "outside of the function"),
    "many shapes": (
        lambda: [f := tf.function(lambda x: x), [f(tf.zeros(n)) for n in range(1, 7)]],
        "tf.function: <lambda> is traced for the 5th time", "tf.constant(n)"),
    "numbers of np.random": (
        graphed(lambda x: x * np.random.rand()),  # noqa: NPY002 what scripts have
        "tf.function: <lambda> drew random numbers",
        "tf.random.normal([n])"),
}  # fmt: skip


def told(call):
    """Everything that is raised, or warned of."""
    found = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            call()
        except Exception as error:
            found.append(error)
    for warning in caught:
        assert warning.filename == __file__, "the user's line"
    return [*found, *(warning.message for warning in caught)]


@pytest.mark.parametrize("name", SAID)
def test_what_is_said_names_the_dialect(name):
    call, begins, remedy = SAID[name]
    found = told(call)
    assert found
    for said in map(str, found):
        fact, cause, last = said.splitlines()
        assert not re.search(r"\b(gt|np)\.(?!random)", fact + last), said
        assert "test_control_words.py" in cause or "tensor has shape" in cause, said
        for each in re.findall(r"\btf\.[a-z_][\w.]*\w", fact + last):
            eval(each)
    said = str(found[0])
    assert said.startswith(begins), said
    assert remedy in said.splitlines()[2], said


def test_refusals_are_of_tensorflows_classes():
    for name in ("rows of other shapes", "states of another shape", "a fold of another structure"):
        with pytest.raises(tf.errors.InvalidArgumentError):
            SAID[name][0]()
    with pytest.warns(TracingWarning):
        assert SAID["a loop that changes a shape"][0]()[1].shape == (16,)
