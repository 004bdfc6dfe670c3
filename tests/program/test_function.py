"""`@gt.function`: signatures, Variables, derivatives through programs, what is said."""

import enum
import gc
import pickle
import threading
from dataclasses import dataclass

import numpy as np
import pytest

import gradtape as gt
from gradtape.core.tree import flatten
from gradtape.errors import (
    DTypeError,
    TracingError,
    TracingWarning,
)

X = np.array([0.3, -1.2, 0.7])
FACTOR = 2.0
RNG = np.random.default_rng(0)


def counted(f, **options):
    """A compiled function and the list that grows with each of its traces."""
    traces = []

    def run(*args, **kwargs):
        traces.append(args)
        return f(*args, **kwargs)

    run.__name__ = "run"
    return gt.function(run, **options), traces


# ------------------------------------------------------------------------------- signatures


def test_the_function_runs_once_for_each_signature():
    f, traces = counted(lambda x: np.sum(np.sin(x)))
    for x in (X, X * 2, X[:2], X.astype(np.float32), X.astype(np.float32), X[:2] + 1):
        assert f(x) == pytest.approx(np.sum(np.sin(x)), rel=1e-6)
    assert len(traces) == 3


def test_floats_are_inputs_and_weak_and_integers_are_static():
    f, traces = counted(lambda x, a, n: x * a**n)
    single = X.astype(np.float32)
    for a, n in ((0.5, 2), (0.25, 2), (0.5, 3)):
        found = f(single, a, n)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, single * np.float32(a) ** n, rtol=1e-6)
    assert len(traces) == 2


def test_text_none_enums_and_truth_values_are_static():
    class Mode(enum.Enum):
        SUM = 1
        MEAN = 2

    def f(x, mode, name=None, flag=False):
        y = x.sum() if mode is Mode.SUM else x.mean()
        return -y if name == "minus" or flag else y

    g, traces = counted(f)
    assert g(X, Mode.SUM) == X.sum()
    assert g(X, Mode.MEAN) == X.mean()
    assert g(X, Mode.SUM, name="minus") == -X.sum()
    assert g(X, Mode.SUM, flag=True) == -X.sum()
    assert g(X, Mode.SUM) == X.sum()
    assert len(traces) == 4


def test_static_argnames_make_an_argument_static_by_position_and_by_name():
    f = gt.function(lambda x, power: x ** int(power), static_argnames="power")
    np.testing.assert_allclose(f(X, 2.0), X**2)
    np.testing.assert_allclose(f(X, power=3.0), X**3)


def test_static_argnames_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="has no argument 'y'"):
        gt.function(lambda x: x, static_argnames="y")
    f = gt.function(lambda x, k: x, static_argnames=("k",))
    with pytest.raises(DTypeError, match="'k' is list, which has no hash"):
        f(X, [1])


def test_trees_go_in_and_out():
    @dataclass
    class Pair:
        a: object
        b: object

    @gt.function
    def f(tree):
        return {"sum": tree["p"].a + tree["p"].b, "n": 3, "list": [tree["q"][0] * 2, None, "text"]}

    out = f({"p": Pair(X, 1.0), "q": (X,)})
    np.testing.assert_array_equal(out["sum"], X + 1)
    np.testing.assert_array_equal(out["list"][0], X * 2)
    assert (out["n"], out["list"][1:]) == (3, [None, "text"])


def test_another_structure_is_another_signature():
    f, traces = counted(lambda d: sum(d.values()))
    assert f({"a": X, "b": X})[0] == 0.6
    assert f({"a": X})[0] == 0.3
    assert len(traces) == 2


def test_numbers_from_outside_are_guarded():
    factor = 2.0

    @gt.function
    def f(x):
        return x * factor * FACTOR

    np.testing.assert_array_equal(f(X), X * 4)
    factor = 3.0
    np.testing.assert_array_equal(f(X), X * 6)


def test_numbers_of_a_global_are_guarded_in_functions_that_are_called(monkeypatch):
    f = gt.function(lambda x: _times(x))
    np.testing.assert_array_equal(f(X), X * 2)
    monkeypatch.setitem(globals(), "FACTOR", 5.0)
    np.testing.assert_array_equal(f(X), X * 5)


def _times(x):
    return x * FACTOR


def test_methods_and_the_numbers_of_their_object():
    class Model:
        def __init__(self):
            self.rate = 2.0
            self.w = gt.Variable(X)

        @gt.function
        def __call__(self, x):
            return np.sum(self.w * x) * self.rate

    first, second = Model(), Model()
    second.w.assign(X * 2)
    assert float(first(X)) == pytest.approx(2 * X @ X)
    assert float(second(X)) == pytest.approx(4 * X @ X)
    first.rate = 3.0
    assert float(first(X)) == pytest.approx(3 * X @ X)


def test_arrays_from_outside_are_read_at_each_call():
    held = np.ones(3)
    f = gt.function(lambda x: x * held)
    np.testing.assert_array_equal(f(X), X)
    held[:] = 3.0
    np.testing.assert_array_equal(f(X), X * 3)


def test_results_are_plain_where_everything_was():
    f = gt.function(lambda x: (x + 1.0, x.sum()))
    y, total = f(X)
    assert type(y) is np.ndarray
    assert type(total) is np.float64
    y, total = f(gt.array(X))
    assert isinstance(y, gt.Tensor)
    assert isinstance(total, gt.Tensor)


def test_results_share_no_memory_with_what_went_in():
    held = np.ones(3)
    f = gt.function(lambda x: (x, x[::-1], held, np.reshape(x, (3, 1))))
    for y in f(X):
        assert not np.shares_memory(y, X)
        assert not np.shares_memory(y, held)
        y[...] = 7.0


def test_the_fifth_trace_says_what_changed():
    f = gt.function(lambda x: x.sum())
    for n in range(1, 5):
        f(np.ones(n))
    with pytest.warns(TracingWarning, match=r"5th time: float64\[4\] became float64\[5\]"):
        f(np.ones(5))
    f(np.ones(6))


@pytest.mark.parametrize("draw", [lambda: np.random.normal(), lambda: RNG.normal()])  # noqa: NPY002
def test_random_numbers_drawn_while_tracing_are_told(draw):
    f = gt.function(lambda x: x + draw())
    with pytest.warns(TracingWarning, match="drew random numbers(.|\n)*rng.normal"):
        f(X)


def test_a_branch_on_a_traced_number_names_line_origin_and_remedy():
    @gt.function
    def f(x):
        total = x.sum()
        if total > 0:
            return x
        return -x

    with pytest.raises(TracingError, match="np.where") as caught:
        f(X)
    fact, cause, remedy = str(caught.value).splitlines()
    assert "bool" in fact
    assert cause.count("test_function.py") == 2
    assert "if total > 0" in cause
    assert "np.where" in remedy


def test_an_unknown_backend_is_refused():
    with pytest.raises(ValueError, match="no backend 'cuda'"):
        gt.function(backend="cuda")


# ------------------------------------------------------------------------------- Variables


def make_step(w, b):
    def step(x, y, rate):
        with gt.GradientTape() as tape:
            loss = np.sum((w * x + b - y) ** 2)
        for v, g in zip((w, b), tape.gradient(loss, [w, b]), strict=True):
            v.assign_sub(rate * g)
        return loss

    return step


def test_a_training_step_is_the_eager_one():
    eager, compiled = ((gt.Variable([1.0, 2.0, 3.0]), gt.Variable(0.5)) for _ in range(2))
    step, fast = make_step(*eager), gt.function(make_step(*compiled))
    for _ in range(5):
        # its sums go in an order of their own
        assert float(step(X, X * 2, 0.1)) == pytest.approx(float(fast(X, X * 2, 0.1)), rel=1e-14)
    for v, w in zip(eager, compiled, strict=True):
        np.testing.assert_allclose(v.value, w.value, rtol=1e-14)


def test_variables_are_read_at_each_call():
    w = gt.Variable(2.0)
    f = gt.function(lambda x: x * w)
    assert f(X).tolist() == (X * 2).tolist()
    w.assign(3.0)
    assert f(X).tolist() == (X * 3).tolist()


def test_an_exception_while_tracing_leaves_variables_alone():
    w = gt.Variable([1.0, 2.0, 3.0])

    @gt.function
    def f(x):
        w.assign_add(x)
        raise KeyError("later")

    with pytest.raises(KeyError):
        f(X)
    assert w.value.tolist() == [1.0, 2.0, 3.0]


def test_an_exception_in_the_program_leaves_variables_alone():
    w = gt.Variable([1.0, 2.0, 3.0])

    @gt.function
    def f(x, i):
        w.assign_add(x)
        return x[i]

    f(X, np.array([1]))
    before = w.value.tolist()
    with pytest.raises(IndexError):
        f(X, np.array([5]))
    assert w.value.tolist() == before


def test_an_assigned_array_is_not_the_callers():
    w = gt.Variable(np.zeros(3))
    x = X.copy()
    f = gt.function(lambda x: w.assign(x))
    f(x)
    x[:] = 9.0
    assert w.value.tolist() == X.tolist()


def test_an_assignment_that_does_not_fit_is_refused_while_tracing():
    w = gt.Variable(np.zeros(3))
    with pytest.raises(ValueError, match="does not fit"):
        gt.function(lambda x: w.assign(x))(np.zeros(4))
    assert w.value.tolist() == [0.0, 0.0, 0.0]


# ------------------------------------------------------------------------------- derivatives


def loss(x):
    return np.sum(np.sin(x * 2) ** 3)


def test_a_program_is_one_record_of_a_tape_outside():
    f = gt.function(loss)
    x = gt.array(X)
    with gt.GradientTape() as tape:
        tape.watch(x)
        y = f(x) * 2.0
    assert len(tape._recorder.ops) == 3  # the program, its result, the product
    np.testing.assert_allclose(tape.gradient(y, x).numpy(), 2 * gt.grad(loss)(X), rtol=1e-13)


def test_higher_derivatives_go_through_a_program():
    def nested(f, order):
        return f if not order else gt.grad(lambda x: np.sum(nested(f, order - 1)(x) ** 2))

    for order in (1, 2, 3):
        np.testing.assert_allclose(
            nested(gt.function(loss), order)(X), nested(loss, order)(X), rtol=1e-11
        )


def test_a_gradient_may_be_compiled_around_and_inside():
    expected = gt.grad(loss)(X)
    np.testing.assert_allclose(gt.function(gt.grad(loss))(X), expected, rtol=1e-13)
    np.testing.assert_allclose(gt.function(gt.grad(gt.function(loss)))(X), expected, rtol=1e-13)


def test_the_backward_program_is_traced_once():
    f = gt.function(loss)
    g = gt.grad(f)
    g(X)
    (program,) = f.programs.values()
    graph = program.traced.graph
    assert [node.op.name for node in graph.nodes] == ["multiply", "sin", "power_of_number", "sum"]
    before = g(X)
    np.testing.assert_array_equal(g(X), before)


def test_variables_and_tensors_from_outside_have_gradients_through_a_program():
    w, outside = gt.Variable(X), gt.array(X * 2)
    f = gt.function(lambda x: np.sum(w * outside * x))
    with gt.GradientTape() as tape:
        tape.watch(outside)
        y = f(X)
    gw, g = tape.gradient(y, [w, outside])
    np.testing.assert_allclose(gw.numpy(), 2 * X * X)
    np.testing.assert_allclose(g.numpy(), X * X)


def test_several_outputs_and_integers_among_them():
    @gt.function
    def f(x):
        return x * 2.0, np.argmax(x), np.sum(x**2)

    x = gt.array(X)
    with gt.GradientTape() as tape:
        tape.watch(x)
        a, at, b = f(x)
        y = a[at] + b
    assert int(at) == 2
    np.testing.assert_allclose(tape.gradient(y, x).numpy(), 2 * X + [0, 0, 2])


def test_an_argument_that_has_no_part_gets_none():
    f = gt.function(lambda x, y: np.sum(x))
    x, y = gt.array(X), gt.array(X)
    with gt.GradientTape() as tape:
        tape.watch(x)
        tape.watch(y)
        z = f(x, y)
    gx, gy = tape.gradient(z, [x, y], unconnected_gradients="none")
    assert gx.tolist() == [1.0, 1.0, 1.0]
    assert gy is None


def test_a_read_after_an_assignment_is_connected_to_the_variable_alone():
    def step(w, x):
        w.assign(x * 3.0)
        return np.sum(w * x)

    def gradients(f):
        w, x = gt.Variable(X), gt.array(X)
        with gt.GradientTape() as tape:
            tape.watch(x)
            y = f(w, x)
        return [g.tolist() for g in tape.gradient(y, [w, x])]

    assert gradients(gt.function(step)) == gradients(step)


def test_complex_arguments_have_gradients_through_a_program():
    def f(z):
        return np.sum(np.abs(z * z) ** 2)

    z = X + 1j * X[::-1]
    np.testing.assert_allclose(gt.grad(gt.function(f))(z), gt.grad(f)(z), rtol=1e-13)


# ------------------------------------------------------------------------------- the rest


def test_programs_run_in_several_threads_at_once():
    f = gt.function(lambda x: np.sum(np.sin(x) ** 2))
    expected = f(X)
    found = []
    threads = [
        threading.Thread(target=lambda: found.extend(f(X) for _ in range(50))) for _ in range(4)
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert found == [expected] * 200


def test_tracing_in_one_thread_is_not_seen_by_another():
    inside, done, seen = threading.Event(), threading.Event(), []

    def slow(x):
        inside.set()
        done.wait(5)
        return x * 2.0

    thread = threading.Thread(target=lambda: seen.append(gt.function(slow)(X)))
    thread.start()
    assert inside.wait(5)
    assert (gt.array(X) * 2.0).tolist() == (X * 2).tolist()
    done.set()
    thread.join()
    np.testing.assert_array_equal(seen[0], X * 2)


def test_calls_leave_nothing_for_the_garbage_collector():
    f = gt.function(loss)
    g = gt.grad(f)
    g(X)
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            g(X)
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_the_graph_is_text():
    f = gt.function(lambda x: np.sum(x * 2.0))
    assert f.graph(X).splitlines()[1:3] == [
        "  v0: float64[3] = multiply(x0, 2.0)",
        "  v1: float64[] = sum(v0) {axis=None, keepdims=False}",
    ]


@pytest.mark.parametrize("backend", ["numpy", "llvm"])
def test_results_that_are_known_while_tracing_are_plain(backend):
    functions = [
        lambda x: gt.jacobian(lambda y: y * 2.0)(x),
        lambda x: gt.vmap(lambda _: 3.0)(x),
        lambda x: [(x, gt.array([1.0, 2.0])), {"a": gt.array([1.0]) * 2}],
        lambda x: gt.hessian(lambda p: np.sum(p["a"]) * p["b"])({"a": x, "b": 1.0}),
    ]
    for f in functions:
        made = gt.function(f, backend=backend)
        for _ in range(2):
            found = flatten(made(X))[0]
            assert not any(isinstance(leaf, gt.Tensor) for leaf in found)
            found[0][...] = 7.0  # the caller's own
        for leaf, plain in zip(flatten(made(X))[0], flatten(f(X))[0], strict=True):
            np.testing.assert_array_equal(leaf, plain)


@pytest.mark.parametrize("wrap", [lambda t: t, lambda t: [(t,), t], lambda t: ((t,),) * 2])
def test_a_tensor_of_the_users_is_read_at_each_call_where_it_is_a_result(wrap):
    t = gt.array([1.0, 2.0])
    made = gt.function(lambda x: wrap(t), backend="numpy")
    for n in (5.0, 6.0):
        t[0] = n
        found = flatten(made(1.0))[0]
        assert all(isinstance(leaf, gt.Tensor) and leaf[0] == n for leaf in found)


@pytest.mark.parametrize("backend", ["numpy", "llvm"])
def test_a_python_float_that_is_returned_or_assigned(backend):
    w = gt.Variable(2.0)
    both = gt.function(lambda x: (x, w * x), backend=backend)
    for _ in range(2):
        same, product = both(1.0)
        assert repr(same) == "Tensor(1., shape=(), dtype=float64)" and product == 2.0
    assert gt.function(lambda x: x, backend=backend)(1.0) == 1.0
    assign = gt.function(lambda x: w.assign(x), backend=backend)
    for n in (3.0, 4.0):
        assign(n)
        assert isinstance(w.value, np.float64) and w.value == n


@pytest.mark.parametrize("backend", ["numpy", "llvm"])
def test_indices_that_are_arguments_in_forward_mode(backend):
    def written(x, i, v):
        y = gt.array(x) * 1.0
        y[i] = v
        return y

    ones, i = np.ones(3), np.array([2, 0])
    functions = [
        lambda x, i: gt.jvp(lambda x: x[i] * 2.0, (x,), (ones,))[1],
        lambda x, i: gt.jvp(lambda x: written(x, i, 5.0), (x,), (ones,))[1],
        lambda x, i: gt.jvp(lambda v: written(x, i, v), (x[:2],), (ones[:2],))[1],
        lambda x, i: gt.jacobian(lambda x: x[i] ** 2, mode="forward")(x),
        lambda x, i: gt.hessian(lambda x: np.sum(x[i] ** 3), mode="forward")(x),
        lambda x, i: gt.hvp(lambda x: np.sum(written(x, i, x[0] * 2.0) ** 3), (x,), (ones,)),
        lambda x, i: gt.linearize(lambda x: x[i] ** 2, x)[1](ones),
    ]
    for f in functions:
        made = gt.function(f, backend=backend)
        np.testing.assert_allclose(made(X, i), f(X, i), rtol=1e-14)


def test_full_like():
    def f(x):
        return np.full_like(x, 2.0), np.full_like(x, x[0]), np.full_like(x, x[1], dtype="f4")

    expected = [np.full(3, 2.0), np.full(3, X[0]), np.full(3, X[1], "f4")]
    for found in (
        gt.function(f, backend="numpy")(X),
        [part[0] for part in gt.vmap(f)(X[None])],
        gt.jvp(f, (X,), (X,))[0],
    ):
        for part, right in zip(found, expected, strict=True):
            np.testing.assert_array_equal(part, right)
            assert part.dtype == right.dtype


@pytest.mark.parametrize("backend", ["numpy", "llvm"])
def test_results_that_numpy_gives_as_named_tuples(backend):
    a = np.diag([3.0, 2.0, 1.0])
    for f in (lambda a: np.linalg.svd(a)[1], lambda a: np.linalg.eigh(a)[0] * 2.0):
        np.testing.assert_allclose(gt.function(f, backend=backend)(a), f(a), rtol=1e-14)


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.dtype("f8").newbyteorder("="),
        lambda: np.dtype("f8", metadata={"unit": "m"}),
        lambda: pickle.loads(pickle.dumps(np.ones(2))).dtype,
    ],
)
@pytest.mark.parametrize("turned", [True, False])
def test_a_dtype_is_known_by_what_it_says(turned, make):
    """NumPy makes dtypes that are equal and not the same object, and builtins compare objects."""
    other = make()
    assert other == np.float64 and other is not np.dtype("f8")
    x = np.linspace(0.0, 1.0, 7)
    y, z = x.copy().view(other), np.repeat(x, 2)[::2]
    f = gt.function(lambda x, y: (np.exp(x) * y, np.sum(x)))
    first, then = ((y, y), (x, x)) if turned else ((x, x), (y, y))
    for args in (first, then, (x, y), (y, z), (z, y), (z, z)):
        product, total = f(*args)
        np.testing.assert_allclose(product, np.exp(x) * x, rtol=1e-15)
        assert product.dtype is np.dtype("f8") and np.isclose(total, np.sum(x))
