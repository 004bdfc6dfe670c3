"""A value of a program that is written into a plain array: refused, with what works instead."""

import re

import numpy as np
import pytest

import gradtape as gt
import gradtape.tf as tf
from gradtape.errors import GradientWarning, TracingError, TracingWarning

X = np.array([1.0, 2.0, 3.0])
ROWS = np.array([0, 1, 1])


def into(write, shape=3):
    """A function that makes a plain array and lets `write(array, x)` fill it."""

    def f(x):
        array = np.zeros(shape)
        write(array, x)
        return array

    return f


def _element(a, x):
    a[0] = x[0]


def _element_added(a, x):
    a[0] += x[0]


def _slice(a, x):
    a[1:] = x[1:]


def _slice_added(a, x):
    a[1:] += x[1:]


def _added(x):
    total = np.zeros(3)
    total += x
    return total


FOLLOWED = r"gt\.zeros"
# name: (what is written, how the message begins, what the remedy has, what the remedy says)
WRITTEN = {
    "full_like": (lambda x: np.full_like(X, x[0]), r"np\.full_like: ", r"gt\.full\(x\.shape",
                  lambda x: gt.full(X.shape, x[0])),
    "full_like of rows": (lambda x: np.full_like(X, x), r"np\.full_like: ", r"gt\.full\(x\.shape",
                          lambda x: gt.full(X.shape, x)),
    "nan_to_num": (lambda x: np.nan_to_num(X, nan=x[0]), r"np\.nan_to_num: ", r"np\.where",
                   lambda x: np.where(np.isnan(X), x[0], X)),
    "full": (lambda x: np.full(3, x[0]), "array of ", r"gt\.full\(", lambda x: gt.full(3, x[0])),
    "pad": (lambda x: np.pad(X, 1, constant_values=x[0]), "array of ", r"np\.pad\(gt\.array\(x\)",
            lambda x: np.pad(gt.array(X), 1, constant_values=x[0])),
    "piecewise": (lambda x: np.piecewise(X, [X > 1], [lambda v: v * x[0], 0.0]), "array of ",
                  r"np\.select", lambda x: np.select([X > 1], [X * x[0]])),
    "copyto": (into(lambda a, x: np.copyto(a, x)), r"np\.copyto: ", FOLLOWED, None),
    "put": (into(lambda a, x: np.put(a, [0], x[0])), r"np\.put: ", FOLLOWED, None),
    "place": (into(lambda a, x: np.place(a, a == 0, x)), r"np\.place: ", FOLLOWED, None),
    "putmask": (into(lambda a, x: np.putmask(a, a == 0, x)), r"np\.putmask: ", FOLLOWED, None),
    "put_along_axis": (into(lambda a, x: np.put_along_axis(a, ROWS[:1], x[0], 0)),
                       r"np\.put_along_axis: ", FOLLOWED, None),
    "fill_diagonal": (into(lambda a, x: np.fill_diagonal(a, x), (3, 3)), "array of ", FOLLOWED,
                      None),
    "add.at": (into(lambda a, x: np.add.at(a, ROWS, x)), r"np\.add\.at: ", FOLLOWED, None),
    "fill": (into(lambda a, x: a.fill(x[0])), "float of ", r"gt\.full\(", None),
    "an element": (into(_element), "float of ", FOLLOWED, None),
    "an element that is added": (into(_element_added), "float of ", FOLLOWED, None),
    "a slice": (into(_slice), "array of ", FOLLOWED, None),
    "a slice that is added": (into(_slice_added), "out=: ", r"y = np\.add\(a, b\)", None),
    "a sum": (_added, "out=: ", r"y = np\.add\(a, b\)", lambda x: np.add(np.zeros(3), x)),
    "out=": (into(lambda a, x: np.multiply(x, 2.0, out=a)), "out=: ", r"gt\.empty", None),
    "out= of a reduction": (into(lambda a, x: np.sum(x, out=a), ()), "out=: ", r"gt\.empty", None),
    "fromiter": (lambda x: np.fromiter((v for v in x), float), "float of ", r"gt\.array\(\[",
                 lambda x: gt.array(list(x))),
    "a list": (lambda x: np.array([x[0], x[1]]), "array of ", r"gt\.array\(",
               lambda x: gt.array([x[0], x[1]])),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("derived", [lambda f: f, gt.grad], ids=["value", "gradient"])
def test_it_is_refused_in_three_parts(name, derived):
    write, fact, remedy, _ = WRITTEN[name]
    with pytest.raises(TracingError) as caught:
        gt.function(derived(lambda x: np.sum(write(x))))(X)
    said = str(caught.value).splitlines()
    assert len(said) == 3
    assert re.match(fact, said[0])
    assert "not known while tracing" in said[0]
    assert re.match(r"(Asked for|Written) at test_written_while_tracing\.py:\d+; ", said[1])
    assert re.search(remedy, said[2])


@pytest.mark.filterwarnings("ignore::gradtape.errors.GradientWarning")
@pytest.mark.parametrize("name", [name for name in WRITTEN if WRITTEN[name][3] is not None])
def test_what_the_remedy_says_is_the_same_and_has_a_gradient(name):
    write, *_, instead = WRITTEN[name]
    np.testing.assert_array_equal(gt.function(instead)(X), write(X))
    found = gt.function(gt.grad(lambda x: np.sum(instead(x))))(X)
    np.testing.assert_allclose(found, gt.grad(lambda x: np.sum(instead(x)))(X))


@pytest.mark.parametrize("name", ["full_like", "nan_to_num"])
def test_eagerly_the_gradient_names_the_function_that_was_called(name):
    write, _, remedy, _ = WRITTEN[name]
    with pytest.warns(GradientWarning, match=rf"np\.{name}\((.|\n)*{remedy}"):
        gt.grad(lambda x: np.sum(write(x)))(X)


def test_what_works_with_tensors_and_plain_arrays():
    """`np.where`, `np.clip` and their like see a Tensor in any operand."""
    for f in (
        lambda x: np.where(X > 1.5, x, X),
        lambda x: np.where(X > 1.5, X, x[0]),
        lambda x: np.clip(X, x[0], 2.5),
        lambda x: np.select([X > 1.5], [x], 0.0),
        lambda x: np.full_like(gt.array(X), x[0]),
        lambda x: np.append(X, x),
    ):
        np.testing.assert_array_equal(gt.function(f)(X), f(X))
        g = gt.grad(lambda x, f=f: np.sum(f(x)))
        np.testing.assert_array_equal(gt.function(g)(X), g(X))


def test_an_error_of_the_users_stays_what_it_is():
    def f(x):
        raise ValueError("mine") from KeyError("other")

    with pytest.raises(ValueError, match="^mine$") as caught:
        gt.function(f)(X)
    assert isinstance(caught.value.__cause__, KeyError)


def test_in_the_dialect_the_function_runs_eagerly_and_says_why():
    @tf.function
    def f(x):
        a = np.zeros(3)
        a[0] = x[0]
        return tf.constant(a)

    with pytest.warns(TracingWarning, match="runs eagerly: float of a value that is not known"):
        found = f(tf.constant([5.0, 1.0]))
    np.testing.assert_array_equal(found.numpy(), [5.0, 0.0, 0.0])


@pytest.mark.parametrize("backend", ["numpy", "llvm"])
@pytest.mark.parametrize(
    "write",
    [
        lambda y, x: np.putmask(y, x > 0.5, 5.0),
        lambda y, x: np.putmask(y, x > 0.5, x[:2] * 3),
        lambda y, x: np.place(y, x > 0.5, x[:1]),
        lambda y, x: np.copyto(y, x * 2, where=x > 0.5),
    ],
)
def test_writing_into_a_tensor_where_a_mask_holds_that_is_not_known(write, backend):
    def f(x):
        y = gt.zeros(3) + 1
        write(y, x)
        return y * x

    compiled = gt.function(f, backend=backend)
    for x in (X, -X, X[::-1].copy()):
        np.testing.assert_array_equal(compiled(x), f(x))
        slope = gt.function(gt.grad(lambda x: np.sum(f(x))), backend=backend)(x)
        np.testing.assert_allclose(slope, gt.grad(lambda x: np.sum(f(x)))(x))


@pytest.mark.parametrize(
    "write",
    [
        lambda a, x: np.putmask(a, x > 1, 5.0),
        lambda a, x: np.place(a, x > 1, [5.0]),
        lambda a, x: np.copyto(a, 5.0, where=x > 1),
        lambda a, x: np.put(a, np.argsort(x), 5.0),
    ],
)
def test_a_plain_array_has_no_place_that_is_not_known(write):
    def f(x):
        a = np.zeros(3)
        write(a, x)
        return a + x

    with pytest.raises(TracingError, match=r"where it writes is not known(.|\n)*np\.where\(mask"):
        gt.function(f)(X)


def test_a_text_with_a_format_is_refused_while_tracing():
    with pytest.raises(TracingError) as caught:
        gt.function(lambda x: (f"{x[0]:.3f}", x)[1])(X)
    said = str(caught.value).splitlines()
    assert said[0] == "format '.3f' of a value that is not known while tracing: float64[]."
    assert said[1].startswith("Asked for at test_written_while_tracing.py:")
    assert 'gt.print("x =", x)' in said[2]
    assert gt.function(lambda x: (f"{x[0]}", x)[0])(X) == "<traced float64[]>"
    with pytest.raises(TracingError, match=r"float of(.|\n)*gt\.print"):
        gt.function(lambda x: ("%.3f" % x[0], x)[1])(X)  # noqa: UP031
