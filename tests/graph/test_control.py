"""Control flow: the same values and derivatives as Python's, eagerly and compiled."""

import tracemalloc

import numpy as np
import pytest

import gradtape as gt
from gradtape.errors import DTypeError, ShapeError
from gradtape.graph import loops

X = np.array([0.3, -1.2, 0.7])


def derivatives(f, x, order):
    """Values of `f` and its first `order` derivatives, summed in between."""
    found = [f(x)]
    for _ in range(order):
        f = gt.grad(lambda x, f=f: np.sum(f(x) ** 2))
        found.append(f(x))
    return found


def same(f, x=X, order=2):
    """`f` gives the same eagerly, compiled, and with its gradients taken inside and outside."""
    eager = derivatives(f, x, order)
    for made in (
        derivatives(gt.function(f, backend="numpy"), x, order),
        [
            gt.function(lambda x, n=n: derivatives(f, x, n)[-1], backend="numpy")(x)
            for n in range(order + 1)
        ],
    ):
        for e, c in zip(eager, made, strict=True):
            np.testing.assert_allclose(c, e, rtol=1e-11, atol=1e-13)
    return eager


# ---------------------------------------------------------------------------------------- cond


@pytest.mark.parametrize("x", [X, -X])
def test_cond_computes_one_branch_with_its_derivatives(x):
    def f(x):
        return gt.cond(np.sum(x) > 0, lambda: np.sin(x) * 2.0, lambda: x**3)

    value, *_ = same(f, x)
    np.testing.assert_allclose(value, x**3 if x.sum() < 0 else np.sin(x) * 2)


def test_cond_hands_operands_and_takes_trees_from_both():
    def f(x):
        tree = gt.cond(x[0] > 0, lambda a, b: {"p": a, "q": (b, 1.0)}, lambda a, b: {
            "p": b, "q": (a, 2.0)}, x * 2.0, x + 1.0)  # fmt: skip
        return tree["p"] * tree["q"][0] + tree["q"][1]

    same(f, X)
    same(f, -X)


def test_cond_does_not_compute_what_is_not_taken():
    f = gt.function(lambda x, i: gt.cond(i[0] < 3, lambda: x[i[0]], lambda: x[0] * 0.0))
    assert f(X, np.array([1])) == -1.2
    assert f(X, np.array([7])) == 0.0


def test_cond_may_assign_variables_in_either_branch():
    a, b = gt.Variable(1.0), gt.Variable(2.0)

    def yes():
        a.assign_add(10.0)
        return a * 1.0

    def no():
        b.assign(a * 5.0)
        return b * 1.0

    f = gt.function(lambda x: gt.cond(x > 0, yes, no))
    assert float(f(1.0)) == 11.0
    assert (float(a), float(b)) == (11.0, 2.0)
    assert float(f(-1.0)) == 55.0
    assert (float(a), float(b)) == (11.0, 55.0)


def test_cond_leads_derivatives_to_variables():
    w = gt.Variable(X)

    def f(x):
        return np.sum(gt.cond(x[0] > 0, lambda: w * x, lambda: w - x))

    def gradient(f):
        with gt.GradientTape() as tape:
            y = f(X)
        return tape.gradient(y, w).numpy()

    np.testing.assert_array_equal(gradient(gt.function(f)), gradient(f))


def test_cond_nests():
    def f(x):
        return gt.cond(
            x[0] > 0,
            lambda: gt.cond(x[1] > 0, lambda: x * 2.0, lambda: x * x * 3.0),
            lambda: -x,
        )

    for x in (X, -X, np.abs(X)):
        same(f, x)


def test_cond_with_results_of_two_dtypes_gives_the_wider():
    def f(x):
        return gt.cond(x[0] > 0, lambda: x.astype(np.float32), lambda: x)

    assert gt.function(f)(X).dtype == np.float64


@pytest.mark.parametrize(
    ("f", "said"),
    [
        (lambda x: gt.cond(x > 0, lambda: x, lambda: x), r"shape \(3,\)(.|\n)*np.where"),
        (lambda x: gt.cond(x[0] > 0, lambda: x, lambda: x[:2]), "different shapes"),
        (lambda x: gt.cond(x[0] > 0, lambda: (x, x), lambda: [x, x]), "different structure"),
    ],
)
def test_cond_refuses_what_cannot_be_one_result(f, said):
    with pytest.raises(ShapeError, match=said):
        gt.function(f)(X)


# ---------------------------------------------------------------------------------------- scan


def test_scan_is_the_loop_with_its_derivatives():
    def f(x):
        def step(carry, x):
            carry = np.sin(carry) * x + 0.5
            return carry, carry * x

        carry, ys = gt.scan(step, x[1], x)
        return ys * carry

    same(f, order=3)


@pytest.mark.parametrize("reverse", [False, True])
def test_scan_over_trees_and_what_is_around_it(reverse):
    w = np.array([[0.3, 0.1, -0.2], [0.5, -0.4, 0.2], [0.1, 0.2, 0.3]])
    numbers = np.arange(4)

    def f(x):
        def step(carry, turn):
            a, b = carry
            new = np.tanh(w @ a + turn["x"] * x) + b
            return (new, b * 0.9), {"y": new.sum() * turn["n"], "none": None}

        xs = {"x": np.outer([1.0, 2.0, 3.0, 4.0], [1.0, 1.0, 1.0]) * x, "n": numbers}
        (a, b), ys = gt.scan(step, (x, x * 2.0), xs, reverse=reverse)
        assert ys["none"] is None
        return a + b + ys["y"].sum()

    same(f)


def test_scan_without_xs():
    def f(x):
        return gt.scan(lambda c, _: (c * x, c), np.ones(3), length=4)

    for g in (f, gt.function(f)):
        carry, ys = g(X)
        np.testing.assert_allclose(carry, X**4)
        np.testing.assert_allclose(ys, [X**0, X, X**2, X**3])
    same(lambda x: f(x)[0])


def test_scan_of_no_turns():
    f = gt.function(lambda x: gt.scan(lambda c, y: (c * y, c), x, np.zeros((0, 3))))
    carry, ys = f(X)
    np.testing.assert_array_equal(carry, X)
    assert ys.shape == (0, 3)


def test_scan_is_one_node_however_long():
    f = gt.function(lambda x: gt.scan(lambda c, y: (c + y, c), x[0], x)[0])
    assert f.graph(np.zeros(1000)).count(" = ") == 2


@pytest.mark.parametrize(
    ("f", "error", "said"),
    [
        (lambda x: gt.scan(lambda c, y: (c, y), x, {"a": x, "b": x[:2]}), ShapeError, "turns"),
        (lambda x: gt.scan(lambda c, y: (c, y), x), ShapeError, "turns"),
        (lambda x: gt.scan(lambda c, y: (c[:2], y), x, x), ShapeError, "part 0 of the carry"),
        (lambda x: gt.scan(lambda c, y: (c * 0.5, y), np.int64(1), x), DTypeError,
         "int64.*float64"),
        (lambda x: gt.scan(lambda c, y: c, x, x), DTypeError, "returned Tensor, no pair"),
    ],
)
def test_scan_refuses(f, error, said):
    with pytest.raises(error, match=said):
        gt.function(f)(X)


def test_scan_refuses_a_single_result_in_eager_mode_too():
    with pytest.raises(DTypeError, match=r"no pair(.|\n)*return carry, None"):
        gt.scan(lambda c, y: c, X, X)


def test_a_loop_carries_the_variables_that_it_assigns():
    w = gt.Variable(1.0)

    def step(c, x):
        w.assign_add(x)
        return c + w, x

    found, _ = gt.function(lambda x: gt.scan(step, 0.0, x))(X)
    assert float(w) == pytest.approx(1.0 + X.sum())
    assert float(found) == pytest.approx(np.cumsum(X).sum() + 3.0)


# --------------------------------------------------------------------------------------- loops


def test_fori_loop_is_pythons_for():
    def f(x):
        return gt.fori_loop(1, 4, lambda i, c: np.sin(c) * i + x, x)

    same(f)


def test_fori_loop_with_a_bound_that_is_not_known():
    f = gt.function(lambda x, n: gt.fori_loop(0, n, lambda i, c: c * x + i, np.ones(3)))
    eager = gt.fori_loop(0, 4, lambda i, c: c * X + i, np.ones(3))
    np.testing.assert_allclose(f(X, np.array(4)), eager)
    np.testing.assert_allclose(f(X, np.array(0)), np.ones(3))


def test_while_loop_and_its_first_derivative():
    w = gt.array([1.1, 1.5, 1.2])

    def f(x):
        carry = gt.while_loop(
            lambda c: c[0].sum() < 50.0, lambda c: (c[0] * w + x * x, c[1] + 1), (np.abs(x), 0)
        )
        return carry[0] * carry[1]

    same(f, order=1)


def power(x):
    """x ** 4 at 2.0, x ** 2 at 3.0."""
    return gt.while_loop(lambda c: c < 9.0, lambda c: c * x, x)


@pytest.mark.parametrize("slots", [2, 64])  # four turns: in two segments, in one
def test_a_while_loop_has_derivatives_of_every_order(slots, monkeypatch):
    monkeypatch.setattr(loops, "SLOTS", slots)
    monkeypatch.setattr(loops, "ENOUGH", 4)
    f = gt.function(power, backend="numpy")
    g, inside = f, power
    for expected in (32.0, 48.0, 48.0, 24.0):
        g, inside = gt.grad(g), gt.grad(inside)
        assert g(2.0) == expected
        assert gt.function(inside, backend="numpy")(2.0) == expected


@pytest.mark.parametrize("slots", [2, 3, 5, 64])  # five levels, three, two, one
@pytest.mark.parametrize("turns", [0, 1, 3, 4, 5, 8, 9, 10, 23])
def test_segments_of_a_while_loop(turns, slots, monkeypatch):
    monkeypatch.setattr(loops, "SLOTS", slots)
    monkeypatch.setattr(loops, "ENOUGH", 23)
    w = gt.array([1.1, 1.5, 1.2])

    def f(x):
        c, i = gt.while_loop(
            lambda c: c[1] < turns, lambda c: (np.sin(c[0] * w) + x * c[1], c[1] + 1), (x, 0)
        )
        return np.sum(c * i + c)

    found, expected = gt.grad(gt.function(f, backend="numpy")), gt.grad(f)
    np.testing.assert_allclose(found(X), expected(X), rtol=1e-12)
    if turns in (0, 5) and slots in (2, 64):
        second = [gt.grad(lambda x, g=g: np.sum(g(x) ** 2)) for g in (found, expected)]
        np.testing.assert_allclose(second[0](X), second[1](X), rtol=1e-11)


def test_examples_of_a_while_loop_have_gradients_over_their_own_turns():
    x = np.array([1.5, 2.0, 3.0, 10.0])  # 5, 3, 1 and no turns
    expected = [gt.grad(power)(v) for v in x]
    assert expected == [pytest.approx(6 * 1.5**5), 32.0, 6.0, 1.0]
    for way in (lambda f: f, lambda f: gt.function(f, backend="numpy")):
        np.testing.assert_allclose(way(gt.vmap(gt.grad(power)))(x), expected, rtol=1e-14)
        np.testing.assert_allclose(gt.vmap(gt.grad(way(power)))(x), expected, rtol=1e-14)
        np.testing.assert_allclose(
            gt.grad(lambda x, way=way: np.sum(way(gt.vmap(power))(x)))(x), expected, rtol=1e-14
        )


def test_what_prints_in_a_while_loop_prints_once(capsys):
    def f(x):
        def turn(c):
            gt.print("turn")
            return c * x

        return gt.while_loop(lambda c: c < 9.0, turn, x)

    assert gt.grad(gt.function(f, backend="numpy"))(2.0) == 32.0
    assert capsys.readouterr().out == "turn\n" * 3


def test_the_memory_of_a_while_loops_gradient():
    x = np.linspace(0.1, 0.9, 4000)

    def peak(turns):
        def f(x):
            def turn(c):
                return np.sin(c[0]) * x, c[1] + 1

            return np.sum(gt.while_loop(lambda c: c[1] < turns, turn, (x, 0))[0])

        g = gt.grad(gt.function(f, backend="numpy"))
        g(x)
        tracemalloc.start()
        try:
            g(x)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    many = peak(600)
    assert many < 1.05 * peak(200)
    assert many < 4 * loops.FEWEST * x.nbytes  # of each of three levels, and one more


@pytest.mark.parametrize("backend", ["numpy", "llvm"])
def test_a_while_loop_of_more_turns_than_its_gradient_can_keep_says_so(backend, monkeypatch):
    monkeypatch.setattr(loops, "SLOTS", 2)
    monkeypatch.setattr(loops, "ENOUGH", 3)
    if backend == "llvm":
        pytest.importorskip("llvmlite")
    f = gt.function(power, backend=backend)
    assert gt.grad(f)(2.0) == 32.0 and gt.grad(f)(10.0) == 1.0  # three turns, none
    assert gt.grad(f)(1.7) == pytest.approx(5 * 1.7**4)  # four, all that two levels of two keep
    with pytest.raises(ShapeError, match="more than 2 carries(.|\n)*Their(.|\n)*Carry less"):
        gt.grad(f)(1.5)
    assert f(1.5) == 1.5**6


def test_gradients_inside_loops():
    """Gradient descent as a loop: each turn takes a gradient."""

    def f(x):
        loss = lambda p: np.sum((p * p - x) ** 2)  # noqa: E731
        return gt.fori_loop(0, 5, lambda i, p: p - 0.05 * gt.grad(loss)(p), np.ones(3))

    same(f, order=1)


def test_a_scan_of_no_turns_has_rows_of_the_shape_that_they_would_have():
    def turn(c, x):
        return c + x, {"a": np.stack([c, x]), "none": None}

    def f(x):
        return gt.scan(turn, x, np.zeros(0))

    for made in (f, gt.function(f, backend="numpy")):
        carry, ys = made(2.0)
        assert carry == 2.0 and ys["none"] is None
        assert ys["a"].shape == (0, 2) and ys["a"].dtype == np.float64
    assert gt.grad(lambda x: f(x)[0] + np.sum(f(x)[1]["a"]))(2.0) == 1.0


def test_none_among_what_a_scan_goes_over_is_none_in_every_turn():
    def turn(c, x):
        assert x["b"] is None
        return c + x["a"], None

    def f(x):
        return gt.scan(turn, 0.0, {"a": x, "b": None})[0]

    assert f(X) == gt.function(f, backend="numpy")(X) == np.sum(X)


@pytest.mark.parametrize("turn", [lambda c: {"b": c["a"]}, lambda c: c["a"], lambda c: (c, c)])
def test_a_carry_of_another_structure_is_refused(turn):
    for f in (
        lambda x: gt.while_loop(lambda c: c["a"] < 3, turn, {"a": x}),
        lambda x: gt.scan(lambda c, _: (turn(c), None), {"a": x}, length=2),
    ):
        with pytest.raises(ShapeError, match=r"the carry is \{'a': float64\[\]\} before"):
            gt.function(f, backend="numpy")(1.0)


def test_rows_of_different_structure_are_refused():
    with pytest.raises(ShapeError, match="a turn gave .* to stack, another"):
        gt.scan(lambda c, x: (c + 1, {"a": x} if c < 1 else {"b": x}), 0.0, X)


def test_branches_of_different_structure_are_shown():
    f = gt.function(lambda x: gt.cond(x > 0, lambda: {"a": x}, lambda: {"b": x}), backend="numpy")
    with pytest.raises(ShapeError, match=r"\{'a': float64\[\]\} and \{'b': float64\[\]\}"):
        f(1.0)


def test_a_variable_is_assigned_a_number_in_a_branch_and_in_a_loop():
    v = gt.Variable(2.0)

    def f(x):
        gt.cond(x > 0, lambda: v.assign(x), lambda: v.assign(1.0))
        return gt.fori_loop(0, 2, lambda _, c: (v.assign_add(x), c)[1], x)

    for made in (f, gt.function(f, backend="numpy"), gt.function(f)):
        assert made(3.0) == 3.0 and v.numpy() == 9.0
        assert isinstance(v.value, np.float64)


def test_the_numbers_of_many_turns_are_not_kept():
    def f(x, n):
        return gt.fori_loop(5, n + 5, lambda i, c: c * 0.999 + np.sin(i * x), x)

    g = gt.function(f, static_argnames="n")
    expected, slope = gt.value_and_grad(f)(0.3, 6000)
    value, found = gt.value_and_grad(g)(0.3, 6000)
    np.testing.assert_allclose([value, found], [expected, slope], rtol=1e-9)
    assert "[6000]" not in g.graph(0.3, 6000)
    with pytest.raises(DTypeError, match="fori_loop: part 0 of the carry is float32"):
        gt.function(lambda x: gt.fori_loop(0, 10**9, lambda i, c: c * np.sin(i), x))(np.float32(1))
