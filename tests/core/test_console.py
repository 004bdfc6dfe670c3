"""`gt.print`: at once in eager mode, at each call of a program, in order."""

import io

import numpy as np
import pytest

import gradtape as gt

X = np.array([1.0, -2.0])


def said(capsys):
    return capsys.readouterr().out.splitlines()


def body(x):
    gt.print("x", x)

    def turn(carry, row):
        gt.print("turn", row, end=";\n")
        return gt.cond(carry[0] > 3, lambda: shown("large", carry), lambda: carry + row), None

    out, _ = gt.scan(turn, x, np.arange(3.0))
    count, out = gt.while_loop(lambda s: s[0] < 2, lambda s: (shown("i", s[0]) + 1, s[1]), (0, out))
    gt.print({"end": [out.sum(), "text", 1.5]}, sep="-")
    return np.sum(out**2)


def shown(text, x):
    gt.print(text, x)
    return x


EXPECTED = [
    "x [ 1. -2.]", "turn 0.0;", "turn 1.0;", "turn 2.0;", "i 0", "i 1",
]  # fmt: skip


@pytest.mark.parametrize("wrap", [lambda f: f, gt.function], ids=["eager", "compiled"])
def test_prints_at_each_call_in_order(capsys, wrap):
    f = wrap(body)
    for _ in range(2):
        f(X)
        assert said(capsys) == [*EXPECTED, "{'end': [np.float64(5.0), 'text', 1.5]}"]
    f(X * 4)
    assert said(capsys)[:4] == ["x [ 4. -8.]", "turn 0.0;", "large [ 4. -8.]", "turn 1.0;"]


@pytest.mark.parametrize(
    "run",
    [
        gt.grad(body),
        gt.function(gt.grad(body)),
        gt.grad(gt.function(body)),
        gt.function(lambda x: gt.grad(gt.function(body))(x)),
    ],
    ids=["eager", "inside", "outside", "both"],
)
def test_what_a_gradient_computes_again_is_silent(capsys, run):
    for _ in range(2):
        run(X)
        assert said(capsys) == [*EXPECTED, "{'end': [np.float64(5.0), 'text', 1.5]}"]


def test_the_second_derivative_is_silent_too(capsys):
    f = gt.function(lambda x: (gt.print("f", x), np.sum(x**3))[1])
    found = gt.grad(lambda x: np.sum(gt.grad(f)(x)))(X)
    np.testing.assert_allclose(found, 6 * X)
    assert said(capsys) == ["f [ 1. -2.]"]


def test_values_are_shown_as_numpy_shows_them(capsys):
    w = gt.Variable([1.0, 2.0])

    @gt.function
    def f(x, n):
        gt.print(x[0], n, w, [x], (n, "a"), None)
        w.assign_add(x)
        gt.print(w)
        return x

    f(X, 3)
    assert said(capsys) == [f"{X[0]} 3 {w.value - X} [{X!r}] (3, 'a') None", str(w.value)]


def test_printing_is_no_exit_and_breaks_no_gradient(capsys):
    with gt.GradientTape(strict=True) as tape:
        x = tape.watch(X)
        gt.print(x)
        loss = np.sum(x**2)
    np.testing.assert_array_equal(tape.gradient(loss, x), 2 * X)
    assert said(capsys) == [str(X)]


def test_file_and_flush_and_the_stdout_of_the_moment(capsys):
    file = io.StringIO()
    f = gt.function(lambda x: (gt.print("a", x, file=file, flush=True), x)[1])
    f(1.5)
    f(2.5)
    assert file.getvalue() == "a 1.5\na 2.5\n"
    assert said(capsys) == []


@pytest.mark.parametrize("inner", [lambda f: f, gt.function], ids=["eager", "compiled"])
@pytest.mark.parametrize("wrap", [lambda f: f, gt.function], ids=["eager", "compiled"])
def test_vmap_prints_for_each_example(capsys, wrap, inner):
    f = inner(lambda x: (gt.print("x", x), x)[1])
    wrap(lambda xs: gt.vmap(f)(xs))(np.arange(3.0))
    assert said(capsys) == ["x 0.0", "x 1.0", "x 2.0"]
    wrap(lambda xs: gt.vmap(lambda x: x + inner(lambda: (gt.print("x", x), 0.0)[1])())(xs))(X[:2])
    assert said(capsys) == [f"x {x}" for x in X[:2]]


@pytest.mark.parametrize("inner", [lambda f: f, gt.function], ids=["eager", "compiled"])
def test_forward_mode_prints_once(capsys, inner):
    gt.jvp(inner(lambda x: (gt.print(x), x * 2)[1]), (X,), (X,))
    assert said(capsys) == [str(X)]


def test_a_print_before_an_error_is_seen(capsys):
    @gt.function
    def f(x):
        gt.print("before")
        return np.linalg.inv(x)

    with pytest.raises(np.linalg.LinAlgError):
        f(np.zeros((2, 2)))
    assert said(capsys) == ["before"]
