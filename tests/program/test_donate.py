"""`gt.function(donate=...)`: results in the memory of arguments, never at the price of a number."""

import numpy as np
import pytest

import gradtape as gt
from gradtape.errors import DonatedError

pytest.importorskip("llvmlite")
RNG = np.random.default_rng(0)


def same(a, b):
    return a.__array_interface__["data"][0] == b.__array_interface__["data"][0]


# ------------------------------------------------------------------------------- what is reused


@pytest.mark.parametrize("donate", ["x", 0, ("x",), [0], ("g", "x")])
@pytest.mark.parametrize("shape", [(7,), (3, 5), (300_000,)])
@pytest.mark.parametrize("dtype", ["f4", "f8", "i8"])
def test_a_result_is_the_donated_array(donate, shape, dtype):
    f = gt.function(lambda x, g: x - 2 * g, donate=donate)
    x, g = (RNG.normal(size=shape) * 9).astype(dtype), (RNG.normal(size=shape) * 9).astype(dtype)
    for _ in range(3):
        expected, held = x - 2 * g, g.copy()
        given = x
        x = f(x, g)
        assert x is given
        np.testing.assert_array_equal(x, expected)
        if "g" not in np.ravel(donate):
            np.testing.assert_array_equal(g, held)


def test_trees_and_keywords_are_given_away_leaf_by_leaf():
    @gt.function(donate="state")
    def f(lr, *, state):
        return {"a": state["a"] * lr, "b": (np.exp(state["b"]), state["n"])}

    state = {"a": np.ones((3, 4)), "b": np.zeros(5), "n": 3}
    found = f(0.5, state=state)
    assert found["a"] is state["a"] and found["b"][0] is state["b"] and found["b"][1] == 3
    assert found["a"].tolist() == [[0.5] * 4] * 3 and found["b"][0].tolist() == [1.0] * 5


def test_without_donate_nothing_is_written():
    f = gt.function(lambda x: x * 2.0)
    x = np.ones(300_000)
    for _ in range(3):
        assert not same(f(x), x)
        assert (x == 1.0).all()


def test_a_donated_array_of_another_shape_or_dtype_is_left():
    x = np.ones(4)
    f = gt.function(lambda x: (x.astype("f4"), x[:2] * 2.0), donate="x")
    single, part = f(x)
    assert single.tolist() == [1.0] * 4 and part.tolist() == [2.0] * 2 and x.tolist() == [1.0] * 4


# ------------------------------------------------------------------------------- right numbers

SQUARE = RNG.normal(size=(60, 60))
LONG = RNG.normal(size=(4000, 50))
WEIGHT = RNG.normal(size=50)
ORDER = RNG.permutation(60)

CASES = {
    "reversed": lambda x: x + x[::-1],
    "transposed": lambda x: x + x.T,
    "both axes": lambda x: np.exp(x).T * x + x[::-1, ::-1],
    "gathered": lambda x: x[ORDER] + x,
    "sum": lambda x: x - x.sum(),
    "row sums": lambda x: x - x.sum(axis=1, keepdims=True) + x.sum(axis=0),
    "softmax": lambda x: (e := np.exp(x - x.max(axis=1, keepdims=True))) / e.sum(1, keepdims=True),
    "product": lambda x: x @ x + x,
    "product of itself turned": lambda x: x.T @ x,
    "product, then in place": lambda x: x - 0.1 * (x @ np.tanh(x)),
    "running": lambda x: np.cumsum(x, axis=0) + np.cumsum(x, axis=1),
    "two results": lambda x: (x + 1.0, x * 2.0, x - x.mean()),
    "again and again": lambda x: np.sin(np.exp(np.tanh(x) + x) - x) * np.tanh(x[::-1] + x),
    "by numpy before": lambda x: np.sort(x, axis=0) + x,
    "by numpy after": lambda x: np.sort(x * 2.0, axis=1) + x,
    "a view by numpy": lambda x: np.fft.fft(x.T).real + x,
    "joined": lambda x: np.concatenate([x[30:], x[:30]]) * x,
    "written": lambda x: np.where(x > 0, x.T, x) + np.roll(x, 1, axis=0),
    "gradient": lambda x: x - 0.1 * gt.grad(lambda y: np.sum(np.tanh(y @ y)))(x),
    "the argument itself": lambda x: (x, x + 1.0),
    "broadcast": lambda x: x + x[0] + x[:, :1],
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("shape", [(60, 60), (300, 300)])
def test_numbers_are_those_without_donation(name, shape):
    f = CASES[name]
    if name in ("gathered", "joined") and shape != (60, 60):
        f = {"gathered": lambda x: x[ORDER * 5] + x[:60], "joined": lambda x: x * 2.0}[name]
    x = RNG.normal(size=shape) * 0.1
    expected = gt.function(f)(x.copy())
    donating = gt.function(f, donate="x")
    for _ in range(2):
        found = donating(x.copy())
        for a, b in zip(np.atleast_1d(found), np.atleast_1d(expected), strict=True):
            np.testing.assert_array_equal(a, b)


def test_rows_that_run_together_are_right():
    def f(x, w):
        z = x @ w
        d = np.tanh(z) - 0.5
        return x - 0.01 * d[:, None] * w, x.T @ d

    plain, donating = gt.function(f), gt.function(f, donate=("x", "w"))
    for a, b in zip(plain(LONG, WEIGHT), donating(LONG.copy(), WEIGHT.copy()), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("threads", [1, 2])
def test_parts_on_several_threads_are_right(threads):
    f = gt.function(lambda x: np.tanh(np.exp(x)) * x, donate="x", threads=threads)
    x = RNG.normal(size=500_000)
    expected = np.tanh(np.exp(x)) * x
    given = x
    assert f(x) is given
    np.testing.assert_allclose(x, expected, rtol=1e-14)


def test_variables_and_captured_arrays_beside_it():
    w, table = gt.Variable(np.ones(1000)), RNG.normal(size=1000)

    @gt.function(donate="x")
    def f(x):
        w.assign_sub(0.5 * x)
        return x + w + table

    x = np.ones(1000)
    found = f(x)
    np.testing.assert_array_equal(found.value, 1.0 + 0.5 + table)
    np.testing.assert_array_equal(gt.value(w), np.full(1000, 0.5))


def test_a_zero_cotangent_wins_over_missing_data_with_donation_too():
    x, seen = RNG.normal(size=(6, 4)), np.array([1, 1, 0, 1, 1, 1], bool)
    x[2, 1] = np.nan

    def f(w, x):
        return w - 0.1 * gt.grad(lambda w: np.sum(np.where(seen, x @ w, 0.0) ** 2))(w)

    expected = f(np.ones(4), x)
    assert np.isfinite(expected).all()
    for donate in ((), "w", ("w", "x")):
        found = gt.function(f, donate=donate)(np.ones(4), x.copy())
        np.testing.assert_allclose(found, expected)


# ------------------------------------------------------------------------------- afterwards


def test_a_donated_tensor_raises_when_it_is_read():
    f = gt.function(lambda x: x * 2.0, donate="x")
    t = gt.array(np.ones(3))
    assert f(t).value.tolist() == [2.0] * 3
    for read in (lambda: t + 1.0, lambda: np.sin(t), lambda: t[0], lambda: t.numpy(),
                 lambda: np.asarray(t), lambda: t.shape, lambda: f(t), lambda: float(t[0]),
                 lambda: t.sum()):  # fmt: skip
        with pytest.raises(DonatedError, match=r"donated to <lambda>\.\nIt was passed at test_don"):
            read()
    assert repr(t) == "<Tensor, donated to <lambda>>"


def test_a_call_that_fails_has_taken_it_too():
    @gt.function(donate="x")
    def f(x):
        return np.linalg.cholesky(x * 1.0)

    t = gt.array(-np.eye(3))
    with pytest.raises(np.linalg.LinAlgError):
        f(t)
    with pytest.raises(DonatedError):
        t.sum()


def test_one_argument_after_another():
    f = gt.function(lambda x: x * 2.0, donate="x")
    t = gt.array(np.ones(50_000))
    memory = t.value.__array_interface__["data"][0]
    for _ in range(5):
        t = f(t)
    assert t.value[0] == 32.0 and t.value.__array_interface__["data"][0] == memory


# ------------------------------------------------------------------------------- what is refused


def refused(x, match, *more, **options):
    f = gt.function(lambda x, *more: x * 2.0, donate="x")
    with pytest.raises(ValueError, match=r"cannot be given away[\s\S]*" + match):
        f(x, *more)


def test_what_is_not_the_callers_own_is_refused():
    x = np.ones((4, 4))
    refused(x[1:], r"an array float64\[3,4\][\s\S]*view[\s\S]*x\.copy\(\)")
    refused(x.T, "view")
    fixed = np.ones(3)
    fixed.flags.writeable = False
    refused(fixed, "read-only")
    refused(x, "same memory by another argument", x)
    refused(x, "same memory by another argument", x[0])


def test_what_something_else_holds_is_refused():
    t = gt.array(np.ones((3, 3)))
    view = t[1:]
    refused(view, "view")
    refused(t, "another name holds its value too")
    u = gt.array(np.ones(3))
    with gt.GradientTape() as tape:
        tape.watch(u)
        refused(u, "A tape follows it, whose gradient needs its value")
        loss = np.sum(np.exp(u) * u)
    refused(u, "A tape's record")
    np.testing.assert_allclose(tape.gradient(loss, u).value, 2 * np.e)


def test_an_array_that_the_function_captures_is_refused():
    x = np.ones(5)
    f = gt.function(lambda y: y + x, donate="y")
    with pytest.raises(ValueError, match="same memory by another argument or Variable"):
        f(x)


@pytest.mark.parametrize("donate", ["z", 3, -1, True, ("x", "z")])
def test_arguments_that_are_not_there_are_refused(donate):
    with pytest.raises(ValueError, match=r"no argument .*\n.*donate=[\s\S]*arguments are x, y"):
        gt.function(lambda x, y: x, donate=donate)


def test_numbers_have_nothing_to_give():
    f = gt.function(lambda x, y: x * y, donate=("x", "y"))
    assert f(2.0, np.float64(3.0)) == 6.0


def test_where_a_tape_records_results_have_memory_of_their_own():
    f = gt.function(lambda x, w: np.sum(x * w), donate="x")
    w, x = gt.Variable(np.ones(3)), np.array([1.0, 2.0, 3.0])
    with gt.GradientTape() as tape:
        loss = f(x, w)
    assert tape.gradient(loss, w).value.tolist() == [1.0, 2.0, 3.0]


# ------------------------------------------------------------------------------- beside the rest


def test_kept_programs_donate_and_reports_do_not(tmp_path):
    before = gt.config.current
    try:
        gt.configure(cache_folder=str(tmp_path / "programs"))

        def f(x):
            return x * 2.0

        for _ in range(2):
            x = np.ones(20)
            g = gt.function(f, cache=True, donate="x")
            assert g(x) is x and x[0] == 2.0
            g.report(x)
            assert (x == 2.0).all()
        x = np.ones(20)
        assert gt.function(f, cache=True)(x) is not x and x[0] == 1.0
    finally:
        gt.config.current = before


def test_numpys_backend_takes_the_option_and_gives_the_numbers():
    f = gt.function(lambda x: x * 2.0, donate="x", backend="numpy")
    assert f(np.ones(3)).tolist() == [2.0] * 3
