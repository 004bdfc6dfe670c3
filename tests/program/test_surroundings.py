"""What a compiled function takes from outside: another value, function or array is traced anew."""

import dataclasses
import functools
import types

import numpy as np
import pytest

import gradtape as gt
from gradtape.errors import TracingWarning

X = np.array([1.0, 2.0, 3.0])
K = H = M = None


class Holder:
    def __init__(self, **kwargs):
        vars(self).update(kwargs)


@pytest.fixture(autouse=True)
def _globals():
    global K, H, M
    before = K, H, M
    yield
    K, H, M = before


def check(f, factor):
    np.testing.assert_array_equal(np.asarray(f(X)), X * factor)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (2.0, 3.0), (2.0, np.array(3.0)), (np.array(2.0), 3), (np.float64(2), np.float64(3)),
        (np.array(2.0), np.array(3.0)), (np.array([2.0]), np.array(3.0)),
        (gt.Variable(2.0), gt.Variable(3.0)), (gt.array(2.0), gt.array(3.0)),
    ],
)  # fmt: skip
def test_a_name_that_means_something_else_now(first, second):
    global K
    f = gt.function(lambda x: x * K)
    for K in (first, second, first):
        check(f, np.asarray(K))
    inner = first
    f = gt.function(lambda x: x * inner)
    for inner in (first, second, first):
        check(f, np.asarray(inner))


def test_a_function_that_was_defined_anew():
    global H
    f = gt.function(lambda x: H(x))
    inner = gt.function(lambda x: x * 4)
    for H, factor in ((lambda x: x * 2, 2), (lambda x: x * 3, 3), (inner, 4)):  # noqa: B007
        check(f, factor)


def test_numbers_of_a_function_that_was_defined_anew():
    global H, K
    H = lambda x: x * 2  # noqa: E731
    f = gt.function(lambda x: H(x))
    check(f, 2)
    K = 5.0
    H = lambda x: x * K  # noqa: E731
    check(f, 5)
    K = 6.0
    check(f, 6)


def test_attributes_of_objects_classes_and_modules():
    global M
    M = types.ModuleType("users")

    class Class:
        k = 2.0

    deep = Holder(part=Holder(k=2.0))
    M.k = 2.0
    M.f = lambda x: x * 2
    by_object = gt.function(lambda x: x * deep.part.k)
    by_class = gt.function(lambda x: x * Class.k)
    by_module = gt.function(lambda x: M.f(x * M.k))
    by_name = gt.function(lambda x: x * getattr(deep.part, "k"))  # noqa: B009
    for f, factor in ((by_object, 2), (by_class, 2), (by_module, 4), (by_name, 2)):
        check(f, factor)
    deep.part.k = Class.k = M.k = 3.0
    M.f = lambda x: x * 5
    for f, factor in ((by_object, 3), (by_class, 3), (by_module, 15), (by_name, 3)):
        check(f, factor)


def test_methods_and_objects_that_are_called():
    class Model:
        k = 2.0

        def __call__(self, x):
            return x * self.k * self.rate

        @property
        def rate(self):
            return self.rates[0]

        @gt.function
        def decorated(self, x):
            return self(x)

    model = Model()
    model.rates = [1.0]
    ways = [gt.function(model), gt.function(model.__call__), gt.function(lambda x: model(x)),
            model.decorated]  # fmt: skip
    for f in ways:
        check(f, 2)
    model.k = 3.0  # hides the one of the class
    for f in ways:
        check(f, 3)
    model.rates[0] = 2.0
    for f in ways:
        check(f, 6)


def test_slots_dataclasses_partials_and_defaults():
    @dataclasses.dataclass(slots=True)
    class Slots:
        k: float

    s, d, kept = Slots(2.0), {"k": 2.0}, [2.0]
    ways = [
        gt.function(lambda x: x * s.k),
        gt.function(functools.partial(lambda d, x: x * d["k"], d)),
        gt.function(lambda x, kept=kept: x * kept[0]),
    ]
    for f in ways:
        check(f, 2)
    s.k = d["k"] = kept[0] = 3.0
    for f in ways:
        check(f, 3)


def test_items_of_containers():
    d, numbers, arrays = {"k": 2.0}, [1.0, 1.0], [np.array(2.0)]
    ways = [
        gt.function(lambda x: x * d["k"]), gt.function(lambda x: x * d.get("k")),
        gt.function(lambda x: x * sum(numbers)), gt.function(lambda x: sum(x * a for a in arrays)),
    ]  # fmt: skip
    for f in ways:
        check(f, 2)
    d["k"] = 3.0
    numbers.append(1.0)
    arrays[0] = np.array(3.0)
    for f in ways:
        check(f, 3)
    arrays.append(np.array(1.0))
    check(ways[3], 4)


def test_objects_among_the_arguments():
    holder = Holder(k=[2.0], f=lambda x: x)
    f = gt.function(lambda x, h: h.f(x * h.k[0]))
    np.testing.assert_array_equal(f(X, holder), X * 2)
    holder.k[0] = 3.0
    np.testing.assert_array_equal(f(X, holder), X * 3)
    holder.f = lambda x: x * 2
    np.testing.assert_array_equal(f(X, holder), X * 6)
    np.testing.assert_array_equal(f(X, Holder(k=(1.0,), f=np.negative)), -X)


def test_minus_zero_and_types_count():
    global K
    f = gt.function(lambda x: np.copysign(x, K))
    g = gt.function(
        lambda x, n: np.copysign(x, n[0]), static_argnames="n"
    )  # fmt: skip
    for K, sign in ((0.0, 1), (-0.0, -1), (0.0, 1)):
        check(f, sign)
        np.testing.assert_array_equal(g(X, (K,)), sign * X)
    kind = gt.function(lambda x, n: x * n[0], static_argnames="n")
    ints = np.array([1, 2])
    assert [kind(ints, (n,)).dtype.kind for n in (1, 1.0, True, 1.0)] == ["i", "f", "i", "f"]


def test_what_a_trace_changes_itself_is_no_new_signature():
    traces, counts, number = [], {"n": 0}, 0

    class Model:
        w = None

        def __init__(self):
            self.n = 0

        @gt.function
        def __call__(self, x):
            nonlocal number
            if self.w is None:
                self.w = 2.0
            traces.append(1)
            counts["n"] += 1
            number += 1
            self.n += 1
            return x * self.w

    model = Model()
    for _ in range(3):
        check(model, 2)
        np.testing.assert_array_equal(model(X[:2]), X[:2] * 2)
    assert (len(traces), counts["n"], number, model.n) == (2, 2, 2, 2)
    model.w = 3.0  # what was made at first use is looked at still
    check(model, 3)


def test_the_same_value_again_is_no_trace():
    global K
    traces = []
    f = gt.function(lambda x: (traces.append(1), x * K)[1])
    for _ in range(3):
        K = float("2.5")
        check(f, 2.5)
    assert len(traces) == 1


def test_the_fifth_trace_says_what_changed_outside():
    global K
    f = gt.function(lambda x: x * K)
    for K in range(4):
        check(f, K)
    K = 4
    with pytest.warns(TracingWarning, match="K, which it takes from outside, became another"):
        check(f, 4)


def test_classes_of_code_without_a_module_are_looked_into():
    """As `exec(code, {})` makes them: they say that they are of builtins, or of no module."""
    names = {"np": np}
    exec(
        "class Named:\n    scale = 1.0\nMade = type('Made', (), {'scale': 1.0})\n"
        "one = Made()\ndef f(x): return x * Named.scale + Made.scale + one.scale",
        names,
    )
    f, x = gt.function(names["f"]), np.ones(2)
    assert f(x).tolist() == [3, 3]
    names["Named"].scale = 10.0
    assert f(x).tolist() == [12, 12]
    names["Made"].scale = 2.0
    assert f(x).tolist() == [14, 14]
    names["one"].scale = 5.0
    assert f(x).tolist() == [17, 17]
