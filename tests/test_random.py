"""`gt.random`: NumPy's numbers, drawn at each call, the same eager and compiled."""

import copy
import pickle
import threading

import numpy as np
import pytest

import gradtape as gt

X = np.arange(3.0)

CALLS = {
    "random": ((3,), {}),
    "standard_normal": (((2, 3),), {}),
    "normal": ((1.0, 2.0, (2, 2)), {}),
    "uniform": ((-1.0, 3.0, 4), {}),
    "exponential": ((2.0, 3), {}),
    "integers": ((2, 9, 5), {}),
    "poisson": ((3.5, 4), {}),
    "permutation": ((7,), {}),
    "choice": ((6, (2, 3)), {}),
}
MORE = [
    ("random", (), {}),
    ("random", (4, np.float32), {}),
    ("standard_normal", (4,), {"dtype": np.float32}),
    ("normal", (np.array([0.0, 5.0]), 2.0), {}),
    ("uniform", (), {"size": ()}),
    ("integers", (4,), {}),
    ("integers", (0, 200, 5), {"dtype": np.uint8, "endpoint": True}),
    ("integers", (np.array([1, 5]), 9), {}),
    ("poisson", (np.array([1.0, 5.0]),), {}),
    ("permutation", (np.arange(6.0),), {}),
    ("permutation", (np.arange(6.0).reshape(3, 2),), {}),
    ("permutation", (np.arange(6.0).reshape(2, 3),), {"axis": 1}),
    ("choice", (np.arange(5.0), 3), {"replace": False}),
    ("choice", (3, 4), {"p": np.array([0.2, 0.3, 0.5])}),
    ("choice", (np.arange(8.0).reshape(4, 2), 3), {}),
    *((name, *call) for name, call in CALLS.items()),
]


def close(a, b):
    """The same numbers; shifting and scaling may round differently from NumPy's C code."""
    assert np.shape(a) == np.shape(b)
    assert a.dtype == b.dtype
    if a.dtype.kind == "f":
        np.testing.assert_allclose(a, b, rtol=4 * np.finfo(a.dtype).eps)
    else:
        np.testing.assert_array_equal(a, b)


# ------------------------------------------------------------------------ the numbers


@pytest.mark.parametrize(("name", "args", "kwargs"), MORE)
def test_the_numbers_are_numpys(name, args, kwargs):
    ours, numpys = gt.random.default_rng(3), np.random.default_rng(3)
    for _ in range(3):
        found = getattr(ours, name)(*args, **kwargs)
        assert not isinstance(found, gt.Tensor)
        close(np.asarray(found), np.asarray(getattr(numpys, name)(*args, **kwargs)))


@pytest.mark.parametrize(("name", "args", "kwargs"), MORE)
def test_a_compiled_function_draws_what_eager_mode_draws(name, args, kwargs):
    def f(x):
        first = getattr(gt.random, name)(*args, **kwargs)
        return first, x + gt.random.normal(size=3)

    compiled = gt.function(f)
    gt.random.seed(8)
    expected = [f(X) for _ in range(3)]
    gt.random.seed(8)
    found = [compiled(X) for _ in range(3)]
    for pair, other in zip(found, expected, strict=True):
        for a, b in zip(pair, other, strict=True):
            close(np.asarray(a), np.asarray(b))
    assert len(compiled.programs) == 1
    assert not np.array_equal(found[0][1], found[1][1])  # anew at each call
    # and eager mode goes on where the program stopped
    after = gt.random.random()
    gt.random.seed(8)
    for _ in range(3):
        f(X)
    assert gt.random.random() == after


def test_bernoulli_is_true_as_often_as_it_should():
    rng = gt.random.default_rng(0)
    found = rng.bernoulli(np.array([0.0, 0.25, 1.0]), (100_000, 3)).mean(axis=0)
    np.testing.assert_allclose(found, [0.0, 0.25, 1.0], atol=5 * np.sqrt(0.25 * 0.75 / 1e5))


def test_traced_parameters_are_operands():
    given = np.int64(2), np.int64(50), np.array([1.0, 9.0]), np.array([0.2, 0.5, 0.3])
    f = gt.function(lambda low, n, lam, p: (
        gt.random.integers(low, n, 4), gt.random.poisson(lam), gt.random.choice(3, 4, p=p),
    ))  # fmt: skip
    gt.random.seed(1)
    found = f(*given)
    rng = np.random.default_rng(1)
    low, n, lam, p = given
    for a, b in zip(found, (rng.integers(low, n, 4), rng.poisson(lam), rng.choice(3, 4, p=p)),
                    strict=True):  # fmt: skip
        np.testing.assert_array_equal(a, b)


# ------------------------------------------------------------------------ control flow


def loops(x):
    def turn(carry, row):
        noise = gt.random.normal(size=3)
        return carry * noise + row, gt.random.integers(0, 100, 2)

    def nested(i, carry):
        return gt.fori_loop(0, 2, lambda _, c: c + gt.random.random(3), carry) * 1.0

    carry, drawn = gt.scan(turn, x, np.arange(12.0).reshape(4, 3))
    carry = gt.fori_loop(0, 3, nested, carry)
    count, carry = gt.while_loop(
        lambda s: s[0] < 3, lambda s: (s[0] + 1, s[1] + gt.random.uniform(size=3)), (0, carry)
    )
    chosen = gt.cond(carry.sum() > 0, lambda: gt.random.random(), lambda: gt.random.normal())
    return carry, drawn, chosen


def test_loops_and_branches_draw_as_in_eager_mode():
    f = gt.function(loops)
    for seed in (1, 2, 3, 4):
        gt.random.seed(seed)
        expected = [*loops(X), *loops(X), gt.random.random()]
        gt.random.seed(seed)
        found = [*f(X), *f(X), gt.random.random()]
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)


def test_a_loop_carries_what_it_assigns_to_variables():
    def f(x):
        def turn(carry, row):
            w.assign_add(row * carry)
            return carry + w[0], w * 2.0

        found = gt.scan(turn, x, np.arange(6.0).reshape(2, 3))
        gt.while_loop(lambda i: i < 3, lambda i: (w.assign_sub(0.5), i + 1)[1], 0)
        return found[0], found[1], w + 0.0

    def results(run):
        w.assign(np.ones(3))
        with gt.GradientTape() as tape:
            loss = sum(np.sum(np.sin(part)) for part in run(X))
        return loss, tape.gradient(loss, w), w.value.copy()

    w = gt.Variable(np.ones(3))
    expected, found = results(f), results(gt.function(f))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-12)


def test_a_condition_with_an_effect_is_refused():
    f = gt.function(lambda x: gt.while_loop(
        lambda c: gt.random.random() > 0.5, lambda c: c + 1.0, x))  # fmt: skip
    with pytest.raises(gt.errors.TracingError, match="condition has an effect(.|\n)*in the body"):
        f(X)


# ------------------------------------------------------------------------ derivatives


def noisy_loss(x):
    scale = np.sum(x**2)
    noise = gt.random.normal(x, scale, 3)
    noise = noise + gt.random.uniform(0.0, x) + gt.random.exponential(x)
    mask = gt.random.bernoulli(0.5, 3)

    def turn(carry, row):
        return carry * (1.0 + 0.1 * gt.random.normal(size=3)) + row, None

    return np.sum(np.where(mask, noise, 0.5 * noise) * gt.scan(turn, x, np.ones((2, 3)))[0])


def seeded(f, *args):
    gt.random.seed(12)
    return f(*args)


def test_gradients_lead_to_shift_and_scale_and_numbers_are_constants():
    step = 1e-6
    numeric = [
        (seeded(noisy_loss, X + 1 + step * e) - seeded(noisy_loss, X + 1 - step * e)) / (2 * step)
        for e in np.eye(3)
    ]
    np.testing.assert_allclose(seeded(gt.grad(noisy_loss), X + 1), numeric, rtol=1e-6)


@pytest.mark.parametrize("how", ["inside", "outside", "both"])
def test_a_compiled_gradient_computes_with_the_numbers_of_its_call(how):
    compiled = {
        "inside": gt.function(lambda x: gt.value_and_grad(noisy_loss)(x)),
        "outside": gt.value_and_grad(gt.function(noisy_loss)),
        "both": gt.function(lambda x: gt.value_and_grad(gt.function(noisy_loss))(x)),
    }[how]
    gt.random.seed(5)
    expected = [gt.value_and_grad(noisy_loss)(X + 1) for _ in range(3)]
    gt.random.seed(5)
    for (value, grad), (a, b) in zip([compiled(X + 1) for _ in range(3)], expected, strict=True):
        np.testing.assert_allclose(value, a, rtol=1e-12)
        np.testing.assert_allclose(grad, b, rtol=1e-12)


def test_a_draw_is_no_path_and_says_so():
    with gt.GradientTape() as tape:
        p = tape.watch(0.5)
        loss = np.sum(gt.random.bernoulli(p, 3) * 2.0)
    with pytest.warns(gt.errors.GradientWarning, match="random.bernoulli"):
        assert tape.gradient(loss, p) is None


def test_rows_that_are_drawn_have_gradients():
    x = np.arange(6.0).reshape(3, 2)

    def f(x):
        return np.sum(gt.random.permutation(x)[0] * 2.0) + np.sum(gt.random.choice(x, 5))

    gt.random.seed(0)
    grad = gt.grad(f)(x)
    assert grad.sum() == 2 * 2 + 5 * 2
    gt.random.seed(0)
    np.testing.assert_array_equal(gt.function(gt.grad(f))(x), grad)


def test_forward_mode_draws_once():
    gt.random.seed(4)
    value, tangent = gt.jvp(lambda x: x * gt.random.normal(size=3), (X,), (np.ones(3),))
    numbers = np.random.default_rng(4).normal(size=3)
    np.testing.assert_allclose(value, X * numbers)
    np.testing.assert_allclose(tangent, numbers)


def test_checkpoint_computes_again_with_the_same_numbers(capsys):
    def block(x):
        gt.print("block")
        return np.sin(x * gt.random.normal(size=3))

    for kind in (gt.checkpoint, gt.recompute_grad):
        gt.random.seed(6)
        expected = gt.grad(lambda x: np.sum(block(x)))(X)
        gt.random.seed(6)
        found = gt.grad(lambda x, kind=kind: np.sum(kind(block)(x)))(X)
        np.testing.assert_allclose(found, expected)
        gt.random.seed(6)
        compiled = gt.function(gt.grad(lambda x, kind=kind: np.sum(kind(block)(x))))
        np.testing.assert_allclose(compiled(X), expected)
    assert capsys.readouterr().out == "block\n" * 6


# ------------------------------------------------------------------------ vmap


@pytest.mark.parametrize("compiled", [None, "inside", "outside", "both"])
def test_each_example_of_vmap_draws_for_itself(compiled):
    def f(x, lam):
        return x + gt.random.normal(size=2), gt.random.poisson(lam), gt.random.permutation(3)

    f = gt.function(f) if compiled in ("inside", "both") else f

    def run(xs, lams):
        return gt.vmap(f)(xs, lams)

    xs, lams = np.arange(8.0).reshape(4, 2), np.array([0.5, 5.0, 50.0, 500.0])
    gt.random.seed(2)
    noise, counts, orders = (gt.function(run) if compiled in ("outside", "both") else run)(xs, lams)
    rng = np.random.default_rng(2)
    np.testing.assert_allclose(noise, xs + rng.normal(size=(4, 2)))
    np.testing.assert_array_equal(counts, [rng.poisson(lam) for lam in lams])
    np.testing.assert_array_equal(orders, [rng.permutation(3) for _ in range(4)])


def in_turns(x):
    return gt.fori_loop(0, 3, lambda i, c: c * x + gt.random.normal(), 0.0)


def stacked(x):
    return gt.scan(lambda c, t: (c + t, gt.random.normal(x, t)), 0.0, np.arange(1.0, 4.0))[1].sum()


def until(x):
    return gt.while_loop(lambda c: c < 3.0, lambda c: c + gt.random.uniform(0.5, 1.0), x)


def chosen(x):
    return gt.cond(
        x > 0.5, lambda: x + gt.random.normal(), lambda: x * gt.random.poisson(1.0 - x)
    )  # fmt: skip


def the_same_way(x):
    return gt.cond(np.all(np.ones(2) > 0), lambda: x * gt.random.normal(), lambda: x)


def again(x):
    return gt.checkpoint(lambda x: np.sin(x * gt.random.normal()))(x)


def a_loop_again(x):
    def step(c, _):
        return np.sin(c * gt.random.normal() + x), None

    return gt.checkpoint(lambda x: gt.scan(step, x, None, length=2)[0])(x)


def a_choice_in_turns(x):
    def turn(_, c):
        return gt.cond(c > 1.5, lambda: c - gt.random.random(), lambda: c + gt.random.normal())

    return gt.fori_loop(0, 2, turn, x)


def as_many_turns(x):
    count = gt.stop_gradient(x).astype(int)
    return gt.fori_loop(0, count, lambda i, c: c * gt.random.normal(), x)


EXAMPLES = np.array([0.25, 1.2, 2.4, 3.5])


def drawn_by_hand(f, xs, rng):
    """What the examples of a function above draw: turn by turn, in a turn one after the other."""
    if f is in_turns:
        c = np.zeros(4)
        for _ in range(3):
            c = c * xs + rng.normal(size=4)
        return c
    if f is stacked:
        return sum(rng.normal(xs, t) for t in (1.0, 2.0, 3.0))
    if f is until:
        c = xs.copy()
        while (c < 3.0).any():
            for i in np.flatnonzero(c < 3.0):
                c[i] += rng.uniform(0.5, 1.0)
        return c
    if f is chosen:
        c = xs.copy()
        for i in np.flatnonzero(xs > 0.5):
            c[i] += rng.normal()
        for i in np.flatnonzero(xs <= 0.5):
            c[i] *= rng.poisson(1.0 - xs[i])
        return c
    if f is the_same_way:
        return xs * rng.normal(size=4)
    if f is again:
        return np.sin(xs * rng.normal(size=4))
    if f is a_loop_again:
        c = np.sin(xs * rng.normal(size=4) + xs)
        return np.sin(c * rng.normal(size=4) + xs)
    if f is a_choice_in_turns:
        c = xs.copy()
        for _ in range(2):
            is_large = c > 1.5
            for i in np.flatnonzero(is_large):
                c[i] -= rng.random()
            for i in np.flatnonzero(~is_large):
                c[i] += rng.normal()
        return c
    c = xs.copy()
    for turn in range(3):
        for i in np.flatnonzero(xs.astype(int) > turn):
            c[i] *= rng.normal()
    return c


@pytest.mark.parametrize("compiled", [None, "numpy", "llvm"])
@pytest.mark.parametrize(
    "f",
    [
        in_turns, stacked, until, chosen, the_same_way, again, a_loop_again, a_choice_in_turns,
        as_many_turns,
    ],
)  # fmt: skip
def test_examples_draw_for_themselves_in_loops_and_branches(f, compiled):
    """Also a gradient: every example is differentiated with the numbers that it drew."""

    def way(g):
        return g if compiled is None else gt.function(g, backend=compiled)

    rng = np.random.default_rng(7)
    expected = drawn_by_hand(f, EXAMPLES, rng)
    gt.random.seed(7)
    np.testing.assert_allclose(way(gt.vmap(f))(EXAMPLES), expected, rtol=1e-12)
    assert gt.random.random() == rng.random()  # who takes no part has drawn nothing
    h = 1e-6
    up, down = (
        drawn_by_hand(f, EXAMPLES + d, np.random.default_rng(7)) for d in (h, -h)
    )  # fmt: skip
    for grad in (
        gt.vmap(gt.grad(f)),
        gt.grad(lambda xs: np.sum(gt.vmap(f)(xs))),
        lambda xs: gt.jvp(gt.vmap(f), (xs,), (np.ones(4),))[1],
    ):
        gt.random.seed(7)
        slopes = way(grad)(EXAMPLES)

        expected = (up - down) / (2 * h)
        np.testing.assert_allclose(slopes, expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("compiled", [None, "numpy", "llvm"])
def test_examples_print_for_themselves_in_loops_and_branches(compiled, capsys):
    """Who has ended, or goes the other way, prints nothing; a gradient prints nothing again."""

    def way(g):
        return g if compiled is None else gt.function(g, backend=compiled)

    def printing(x):
        gt.print("turn", x)
        return x * 2.0

    def loop(x):
        return gt.while_loop(lambda c: c < 4.0, printing, x)

    def branch(x):
        return gt.cond(x > 1.5, lambda: printing(x), lambda: x)

    def every(x):
        return gt.scan(lambda c, _: (c, printing(x)), 0.0, None, length=2)[1].sum()

    def kept(x):
        return gt.checkpoint(printing)(x)

    lines = {
        loop: "1.0 2.0 3.0 2.0", branch: "2.0 3.0", every: "1.0 2.0 3.0 1.0 2.0 3.0",
        kept: "1.0 2.0 3.0",
    }  # fmt: skip
    xs = np.array([1.0, 2.0, 3.0])
    for f, printed in lines.items():
        expected = "".join(f"turn {x}\n" for x in printed.split())
        for g in (gt.vmap(f), gt.vmap(gt.grad(f)), gt.grad(lambda xs, f=f: gt.vmap(f)(xs).sum())):
            way(g)(xs)
            assert capsys.readouterr().out == expected, f.__name__


@pytest.mark.parametrize("compiled", [None, "numpy", "llvm"])
def test_loops_in_two_vmaps_and_a_vmap_in_a_loop(compiled):
    def way(g):
        return g if compiled is None else gt.function(g, backend=compiled)

    def walk(x, y):
        return gt.while_loop(lambda c: c < y, lambda c: c + gt.random.random(), x)

    xs, ys = np.array([0.0, 1.0, 2.0]), np.array([1.5, 2.5])
    rng, expected = np.random.default_rng(1), np.broadcast_to(xs, (2, 3)).copy()
    while (expected < ys[:, None]).any():
        for i, j in zip(*np.nonzero(expected < ys[:, None]), strict=True):
            expected[i, j] += rng.random()
    gt.random.seed(1)
    found = way(lambda ys: gt.vmap(lambda y: gt.vmap(lambda x: walk(x, y))(xs))(ys))(ys)
    np.testing.assert_allclose(found, expected)

    def noisy(x):
        return gt.vmap(lambda t: t * gt.random.normal())(x * np.ones(2)).sum()

    rng, expected = np.random.default_rng(1), xs.copy()
    for _ in range(2):
        expected = (expected[:, None] * rng.normal(size=(3, 2))).sum(axis=1)
    gt.random.seed(1)
    found = way(gt.vmap(lambda x: gt.fori_loop(0, 2, lambda i, c: noisy(c), x)))(xs)
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_checkpoint_around_a_loop_draws_the_same_numbers_again(compiled):
    def loop(x):
        def step(c, _):
            return np.sin(c * gt.random.normal(size=3)), None

        return gt.checkpoint(lambda x: gt.scan(step, x, None, length=2)[0])(x)

    def f(x):
        return np.sum(gt.checkpoint(lambda x: loop(x) * gt.random.normal(size=3))(x))

    def by_hand(x):
        rng = np.random.default_rng(6)
        for _ in range(2):
            x = np.sin(x * rng.normal(size=3))
        return np.sum(x * rng.normal(size=3))

    gt.random.seed(6)
    found = (gt.function(gt.grad(f)) if compiled else gt.grad(f))(X)
    np.testing.assert_allclose(found, gt.grad(by_hand)(X))


def test_nested_vmap_and_derivatives_inside_it():
    def inner(x, y):
        return gt.grad(lambda x: np.sum(x * gt.random.normal(size=2)) * y)(x)

    gt.random.seed(3)
    found = gt.vmap(lambda y: gt.vmap(lambda x: inner(x, y))(np.ones((3, 2))))(np.array([1.0, 2.0]))
    numbers = np.random.default_rng(3).normal(size=(2, 3, 2))
    np.testing.assert_allclose(found, numbers * np.array([1.0, 2.0])[:, None, None])


# ------------------------------------------------------------------------ states and threads


def test_a_generator_is_copied_and_pickled_with_its_state():
    rng = gt.random.default_rng(1)
    rng.random(5)
    for other in (copy.deepcopy(rng), pickle.loads(pickle.dumps(rng))):
        assert other.random() == copy.deepcopy(rng).random()


def test_a_call_that_raises_has_drawn_nothing():
    def f(x, i):
        return gt.random.random() + np.linalg.inv(x)[0, 0] * i

    compiled = gt.function(f)
    gt.random.seed(1)
    compiled(np.eye(2), 1.0)
    with pytest.raises(np.linalg.LinAlgError):
        compiled(np.zeros((2, 2)), 1.0)
    second = gt.random.random()
    assert second == np.random.default_rng(1).random(2)[1]


def test_seeding_inside_a_compiled_function_seeds_at_each_call():
    @gt.function
    def f(x):
        gt.random.seed(3)
        return x + gt.random.random()

    assert f(0.0) == f(0.0) == np.random.default_rng(3).random()


@pytest.mark.parametrize("compiled", [False, True])
def test_threads_get_each_number_once(compiled):
    rng = gt.random.default_rng(0)
    draw = gt.function(lambda x: x + rng.random(2)) if compiled else lambda x: x + rng.random(2)
    draw(0.0)
    found = []

    def run():
        for _ in range(200):
            found.append(np.asarray(draw(0.0)))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    expected = np.random.default_rng(0).random((801, 2))[1:]
    np.testing.assert_array_equal(np.sort(np.array(found), axis=0), np.sort(expected, axis=0))


# ------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: gt.random.random((2, -1)), ValueError, "negative length"),
        (lambda: gt.random.random("ab"), TypeError, "is no shape"),
        (lambda: gt.random.random(2, np.float16), TypeError, "float16(.|\n)*astype"),
        (lambda: gt.random.normal(0.0, -1.0), ValueError, "scale is negative"),
        (lambda: gt.random.normal(np.zeros(3), 1.0, 2), ValueError, "do not fit"),
        (lambda: gt.random.permutation(np.zeros((2, 2)), 5), ValueError, "no axis 5"),
        (lambda: gt.random.integers(5, 5), ValueError, "random.integers"),
        (lambda: gt.random.choice(3, 2, p=[0.1, 0.1, 0.1]), ValueError, "random.choice"),
        (lambda: gt.random.default_rng(-1), ValueError, "default_rng"),
    ],
)
def test_refusals(call, error, match):
    with pytest.raises(error, match=match):
        call()
