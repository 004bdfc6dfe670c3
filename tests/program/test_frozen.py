"""Draws of `np.random` that a trace would freeze are told, wherever the generator comes from."""

import copy
import functools
import pickle
import random
import types
import warnings

import numpy as np
import pytest

import gradtape as gt
from gradtape.errors import TracingWarning

X = np.zeros(2)
RNG = np.random.default_rng(0)
LEGACY = np.random.RandomState(0)
DRAW = RNG.normal
TABLE = {"rngs": [np.random.default_rng(1)]}
OTHER = types.ModuleType("other_settings")
OTHER.RNG = np.random.default_rng(2)


class Model:
    def __init__(self):
        self.parts = {"noise": types.SimpleNamespace(rng=np.random.default_rng(3))}

    def noisy(self, x):
        return x + self.parts["noise"].rng.normal()

    def __call__(self, x):
        return self.noisy(x)


class Slots:
    __slots__ = ("rng",)

    def __init__(self):
        self.rng = np.random.RandomState(1)


class OfAClass:
    rng = np.random.default_rng(7)


MODEL, SLOTS = Model(), Slots()
BITS = np.random.PCG64(8)


def helper():
    return RNG.normal()


def made_with_a_cell():
    rng = np.random.default_rng(4)
    return lambda x: x + rng.normal()


def with_default(x, rng=np.random.default_rng(5)):  # noqa: B008 - the case in question
    return x + rng.normal()


def calling_a_compiled_one():
    inner = gt.function(made_with_a_cell())
    return lambda x: inner(x)


WHERE = {
    "the global generator": lambda x: x + np.random.normal(),  # noqa: NPY002
    "the global RandomState": lambda x: x + LEGACY.normal(),
    "a global": lambda x: x + RNG.normal(),
    "a bound method": lambda x: x + DRAW(),
    "a container": lambda x: x + TABLE["rngs"][0].normal(),
    "a module": lambda x: x + OTHER.RNG.normal(),
    "a function that it calls": lambda x: x + helper(),
    "a closure": made_with_a_cell(),
    "a default": with_default,
    "a partial": functools.partial(with_default, rng=np.random.default_rng(6)),
    "an attribute of self": MODEL.noisy,
    "an object that is called": MODEL,
    "an object with slots": lambda x: x + SLOTS.rng.normal(),
    "a class": lambda x: x + OfAClass.rng.normal(),
    "bits alone": lambda x: x + np.random.Generator(BITS).normal(),
    "a compiled function that it calls": calling_a_compiled_one(),
    "Python's random": lambda x: x + random.random(),
}


@pytest.mark.parametrize("where", WHERE)
def test_a_draw_while_tracing_is_told(where):
    f = gt.function(WHERE[where])
    with pytest.warns(TracingWarning, match=r"drew random numbers(.|\n)*gt.random.normal") as seen:
        first = f(X)
    assert len(seen) == 1
    np.testing.assert_array_equal(f(X), first)  # frozen, as the warning says


@pytest.mark.parametrize("wrap", [lambda r: r, lambda r: {"rng": [r]}, lambda r: (1, r)])
@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState])
def test_a_generator_among_the_arguments_is_seen(make, wrap):
    def draw(tree):
        while not hasattr(tree, "normal"):
            tree = tree["rng"] if isinstance(tree, dict) else tree[-1]
        return tree.normal()

    f = gt.function(lambda x, tree: x + draw(tree))
    with pytest.warns(TracingWarning, match="Generator|RandomState"):
        f(X, wrap(make(0)))


def test_what_is_only_there_and_not_drawn_from_is_silent():
    def f(x, rng):
        return x + len(TABLE) + (0 if RNG is None else 1)

    gt.function(f)(X, np.random.default_rng(0))


def test_gt_random_is_silent():
    gt.function(lambda x: x + gt.random.normal(size=2))(X)


def test_each_trace_is_looked_at():
    f = gt.function(lambda x: x + (RNG.normal() if x.size > 2 else 0.0))
    f(X)
    with pytest.warns(TracingWarning, match="drew random numbers"):
        f(np.zeros(3))


def test_what_holds_itself_is_looked_at_once():
    model = Model()
    model.parts["model"] = model
    with pytest.warns(TracingWarning, match="drew random numbers") as seen:
        gt.function(model.noisy)(X)
    assert str(seen[0].message).count("Generator") == 1


@pytest.mark.parametrize(
    "make",
    [
        np.random.default_rng,
        np.random.RandomState,
        lambda *seed: np.random.Generator(np.random.PCG64(*seed)),
    ],
)
def test_a_generator_that_is_made_inside(make):
    """Without a seed it draws anew at each call in eager mode; with one it never does."""
    before = np.random.bit_generator.randbits
    with pytest.warns(TracingWarning, match=r"made inside without a seed(.|\n)*gt.random.normal"):
        gt.function(lambda x: x + make().normal(size=2))(np.ones(2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gt.function(lambda x: x + make(3).normal(size=2))(np.ones(2))
        make().normal()
    assert np.random.bit_generator.randbits is before


def test_copies_of_generators_and_seeds_of_another_name_are_silent():
    legacy, fixed = np.random.RandomState, np.random.default_rng(3)
    for f in (
        lambda x: x + legacy(3).normal(),
        lambda x: x + copy.deepcopy(fixed).normal(),
        lambda x: x + pickle.loads(pickle.dumps(fixed)).normal(),
    ):
        np.testing.assert_array_equal(gt.function(f)(X), f(X))
    with pytest.warns(TracingWarning, match="without a seed"):
        gt.function(lambda x: x + legacy().normal())(X)
    none = None
    with pytest.warns(TracingWarning, match="without a seed"):
        gt.function(lambda x: x + np.random.default_rng(none).normal())(X)


def test_what_numpy_draws_its_seeds_with_is_put_back_when_a_trace_fails():
    before = np.random.bit_generator.randbits
    with pytest.raises(ZeroDivisionError):
        gt.function(lambda x: x / (1 // 0))(1.0)
    assert np.random.bit_generator.randbits is before
