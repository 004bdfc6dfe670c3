"""`grad`, `vjp`, `stop_gradient`, `value`, `custom_gradient` and their kin, from their words."""

import dataclasses
import functools
import threading
import warnings
from collections import OrderedDict, namedtuple

import numpy as np
import pytest
import scipy.optimize

import gradtape as gt
from gradtape.errors import DTypeError, GradientWarning, GradtapeError, ShapeError
from tests.words.differences import check, close, slope

Pair = namedtuple("Pair", "a b")


@dataclasses.dataclass
class Weights:
    w: np.ndarray
    b: float
    layers: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Frozen:
    w: float


def total(tree):
    """Sum of squares of every number in a tree of ours."""
    if isinstance(tree, dict):
        return sum(total(v) for v in tree.values())
    if isinstance(tree, list | tuple):
        return sum(total(v) for v in tree)
    if dataclasses.is_dataclass(tree):
        return sum(total(getattr(tree, f.name)) for f in dataclasses.fields(tree))
    return np.sum(tree**2)


def test_trees_come_back_in_their_own_structure():
    x = np.array([1.0, 2.0])
    for tree in (
        {"b": x, "a": {"c": 3.0}},
        OrderedDict(z=1.0, a=x),
        [x, [2.0, (x, 3.0)]],
        (x,),
        Pair(x, {"k": 2.0}),
        Weights(x, 2.0, [3.0, x]),
        Frozen(4.0),
        np.float32(3.0),
        (),
        {"empty": [], "x": x},
    ):
        g = gt.grad(lambda t: total(t) + 0.0)(tree)
        assert type(g) is type(tree) or np.isscalar(tree)
        close(total(g), 4 * total(tree))
        if isinstance(tree, dict):
            assert list(g) == list(tree)


def test_the_same_array_in_two_places_gets_two_gradients():
    x = np.array([1.0, 2.0])
    g = gt.grad(lambda p: np.sum(p["a"] * p["b"] ** 2))({"a": x, "b": x})
    np.testing.assert_array_equal(g["a"], x**2)
    np.testing.assert_array_equal(g["b"], 2 * x * x)
    g["a"][:] = 0
    assert g["b"][0] == 2 and x[0] == 1


def test_argnums_in_every_form():
    def f(x, y, *, k=1.0):
        return k * x * y**2

    assert gt.grad(f)(2.0, 3.0) == 9
    assert gt.grad(f, 1)(2.0, 3.0) == 12
    assert gt.grad(f, argnums=-1)(2.0, 3.0, k=2.0) == 24
    assert gt.grad(f, argnums=(1, 0))(2.0, 3.0) == (12, 9)
    assert gt.grad(f, argnums=[0])(2.0, 3.0) == (9,)
    assert gt.grad(f, argnums=(0, 0, 1))(2.0, 3.0) == (9, 9, 12)
    assert gt.grad(f, argnums=np.int64(1))(2.0, 3.0) == 12
    assert gt.grad(f, argnums=())(2.0, 3.0) == ()
    for wrong, error in ((2, ShapeError), (-3, ShapeError), ("x", DTypeError), (None, DTypeError)):
        with pytest.raises(error, match="argnums"):
            gt.grad(f, argnums=wrong)(2.0, 3.0)
    with pytest.raises(ShapeError, match="position"):
        gt.grad(f)(x=2.0, y=3.0)


def test_other_arguments_pass_through_untouched():
    seen = []

    def f(x, name, n, array, *, option):
        seen.append((name, n, array, option))
        return x * n + array.sum()

    array = np.array([1, 2])
    assert gt.grad(f)(2.0, "name", 3, array, option=None) == 3
    assert seen == [("name", 3, array, None)] and seen[0][2] is array


def test_results_are_plain_for_plain_and_tensors_for_tensors():
    f = lambda x: np.sum(x**2)  # noqa: E731
    value, g = gt.value_and_grad(f)(np.array([1.0, 2.0]))
    assert type(g) is np.ndarray and isinstance(value, np.float64)
    value, g = gt.value_and_grad(f)(2.0)
    assert isinstance(g, float) and isinstance(value, float)
    value, g = gt.value_and_grad(f)(gt.array([1.0, 2.0]))
    assert type(g) is gt.Tensor and type(value) is gt.Tensor
    assert isinstance(
        gt.grad(lambda x, c: np.sum(x * c))(np.ones(2), gt.array([1.0, 2.0])), gt.Tensor
    )
    with gt.GradientTape():
        assert isinstance(gt.grad(f)(np.array([1.0])), gt.Tensor)
    g = gt.grad(f)(np.array([1.0, 2.0]))
    g += 1  # it is the user's
    assert g.flags.writeable and g.flags.owndata


def test_scipys_optimizers_take_the_functions_as_they_are():
    def rosenbrock(x):
        return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    both = gt.value_and_grad(rosenbrock)
    found = scipy.optimize.minimize(both, np.zeros(4), jac=True, method="BFGS")
    np.testing.assert_allclose(found.x, 1.0, atol=1e-5)
    found = scipy.optimize.minimize(
        rosenbrock, np.zeros(3), jac=gt.grad(rosenbrock), method="L-BFGS-B"
    )
    np.testing.assert_allclose(found.x, 1.0, atol=1e-3)
    assert scipy.optimize.check_grad(rosenbrock, gt.grad(rosenbrock), np.array([0.3, 0.7])) < 1e-5


def test_has_aux():
    def f(x):
        y = x * 2
        return np.sum(y**2), {"y": y, "name": "a"}

    g, aux = gt.grad(f, has_aux=True)(np.array([1.0]))
    assert g.tolist() == [8] and type(aux["y"]) is np.ndarray and aux["name"] == "a"
    (value, aux), g = gt.value_and_grad(f, has_aux=True)(np.array([1.0]))
    assert value == 4 and g.tolist() == [8]
    out, pull, aux = gt.vjp(f, np.array([1.0]), has_aux=True)
    assert out == 4 and pull(1.0)[0].tolist() == [8] and aux["y"].tolist() == [2]
    with pytest.raises(DTypeError, match="has_aux"):
        gt.grad(lambda x: x, has_aux=True)(1.0)


@pytest.mark.parametrize(
    "f, x, error, words",
    [
        (lambda x: x, np.ones(2), ShapeError, r"(?s)jacobian.*|\.sum\(\)"),
        (lambda x: (x, x), 1.0, ShapeError, "tuple"),
        (lambda x: None, 1.0, DTypeError, "return"),
        (lambda x: x * 1j, 1.0, DTypeError, "complex"),
        (lambda x: x * 2, 1, DTypeError, r"1\.0 in place of 1"),
        (lambda x: x, np.array([1, 2]), DTypeError, "astype"),
        (lambda x: x, True, DTypeError, "bool"),
        (lambda x: x["a"], {"a": 3}, DTypeError, r"\['a'\]"),
        (lambda x: x, "text", DTypeError, "no gradient"),
    ],
)
def test_mistakes_are_refused_in_three_parts(f, x, error, words):
    with pytest.raises(error, match=words) as caught:
        gt.grad(f)(x)
    assert len(str(caught.value).split("\n")) >= 3


def test_an_error_in_the_function_is_the_users_own_and_leaves_no_tape_behind():
    def f(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        gt.grad(f)(1.0)
    assert type(gt.grad(lambda x: x * x)(3.0)) is not gt.Tensor


def test_a_function_that_does_not_depend_gives_zeros_and_says_so():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert gt.grad(lambda x: 3.0)(np.ones(2)).tolist() == [0, 0]
    with pytest.warns(GradientWarning, match="no path"):
        gt.grad(lambda x: np.floor(x) * 2.0)(1.5)


# -- higher orders --------------------------------------------------------------------------------


def test_derivatives_of_every_order():
    f = np.sin
    for expected in (np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x), np.sin, np.cos):
        f = gt.grad(f)
        assert abs(f(0.7) - expected(0.7)) < 1e-14


def test_no_confusion_of_nested_derivatives_of_one_name():
    """d/dx (x * d/dy (x + y)) is 1, not 2: Siskind and Pearlmutter's perturbation confusion."""
    assert gt.grad(lambda x: x * gt.grad(lambda y: x + y)(1.0))(1.0) == 1
    inner = gt.grad(lambda x: x * gt.grad(lambda y: x * y * y)(x))
    assert inner(3.0) == 3 * 2 * 9  # d/dx of x * (x * 2x) = 2x^3
    assert gt.grad(lambda x: gt.grad(lambda x: gt.grad(lambda y: x * y**3)(x))(x))(2.0) == 9 * 2 * 2


def test_hessian_by_rows_is_symmetric_and_right():
    def f(x):
        return np.sum(np.exp(x[:-1] * x[1:])) + np.prod(x) + np.linalg.norm(x)

    x = np.array([0.5, -0.3, 1.2])
    rows = [gt.grad(lambda x, i=i: gt.grad(f)(x)[i])(x) for i in range(3)]
    np.testing.assert_allclose(rows, np.transpose(rows), rtol=1e-13)
    for i in range(3):
        close(rows[i], slope(lambda x, i=i: gt.grad(f)(x)[i], (x,), 0))


def test_a_mixed_derivative_through_an_inner_optimum():
    """Gradient descent inside a function, differentiated through all its steps."""
    data = np.array([1.0, 2.0, 4.0])

    def outer(log_rate):
        w = np.zeros(())
        for _ in range(5):
            w = w - np.exp(log_rate) * gt.grad(lambda w: np.mean((w - data) ** 2))(
                w + 0.0 * log_rate
            )
        return (w - 3.0) ** 2

    check(outer, np.array(-1.5), second=False)


def test_transforms_tapes_and_variables_mix():
    v = gt.Variable(2.0)

    def f(x):
        return x**2 * v

    with gt.GradientTape() as tape:
        y = gt.grad(f)(v)  # 2 v * v, the second v read inside
    assert float(tape.gradient(y, v)) == 4 * 2.0
    with gt.GradientTape() as tape:
        x = tape.watch(3.0)
        value, slope_ = gt.value_and_grad(f)(x)
        loss = value * slope_  # x^2 v * 2 x v
    gx, gv = tape.gradient(loss, [x, v])
    assert (float(gx), float(gv)) == (6 * 9 * 4, 4 * 27 * 2)
    assert gt.grad(lambda x: f(x) + v * 0.0)(3.0) == 12  # a Variable read in a plain call


def test_composition_with_functools_and_methods():
    class Model:
        def __init__(self):
            self.scale = 2.0

        def loss(self, w, x):
            return self.scale * np.sum(w * x)

        @functools.cached_property
        def slope(self):
            return gt.grad(self.loss)

    model = Model()
    assert model.slope(np.ones(2), np.array([3.0, 4.0])).tolist() == [6, 8]
    assert gt.grad(functools.partial(model.loss, x=np.array([1.0, 2.0])))(np.ones(2)).tolist() == [
        2,
        4,
    ]
    named = gt.grad(model.loss)
    assert named.__name__ == "loss"


def test_each_thread_differentiates_on_its_own():
    found = {}

    def work(n):
        for _ in range(50):
            found[n] = gt.grad(lambda x: x**n)(2.0)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(2, 6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert found == {n: n * 2.0 ** (n - 1) for n in range(2, 6)}


# -- vjp ------------------------------------------------------------------------------------------


def test_vjp_is_the_transpose_of_the_jacobian():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(3, 4))

    def f(x, y):
        return {"p": np.tanh(a @ x) * y, "q": x[:2] * y}

    x, y = rng.normal(size=4), 0.7
    out, pull = gt.vjp(f, x, y)
    ct = {"p": rng.normal(size=3), "q": rng.normal(size=2)}
    gx, gy = pull(ct)

    def weighted(x, y):
        out = f(x, y)
        return np.sum(ct["p"] * out["p"]) + np.sum(ct["q"] * out["q"])

    close(gx, slope(weighted, (x, y), 0))
    close(gy, slope(weighted, (x, y), 1))
    again = pull(ct)  # it can be called again
    np.testing.assert_array_equal(again[0], gx)
    assert not np.shares_memory(again[0], gx)
    assert type(out["p"]) is np.ndarray


def test_vjp_refuses_what_does_not_fit():
    out, pull = gt.vjp(lambda x: {"a": x, "b": x * 2}, np.ones(3))
    for wrong in (
        np.ones(3),
        {"a": np.ones(3)},
        {"a": np.ones(3), "b": np.ones(2)},
        {"a": np.ones(3), "b": 1.0},
        None,
    ):
        with pytest.raises(GradtapeError):
            pull(wrong)
    with pytest.raises(DTypeError):
        gt.vjp(lambda x: x, 1)


def test_vjp_of_complex_results_takes_complex_cotangents():
    z = np.array([1 + 2j, 0.5 - 1j])
    out, pull = gt.vjp(lambda z: z**2, z)
    np.testing.assert_allclose(pull(np.array([1.0 + 0j, 1j]))[0], np.conj(2 * z) * [1, 1j])
    out, pull = gt.vjp(lambda x: np.exp(1j * x), 0.3)
    assert np.isrealobj(pull(1j)[0])
    np.testing.assert_allclose(pull(1j)[0], np.cos(0.3))


# -- stop_gradient and value ----------------------------------------------------------------------


def test_stop_gradient_cuts_and_says_nothing():
    def f(x):
        return np.sum(x * gt.stop_gradient(x) + gt.stop_gradient({"a": x})["a"])

    x = np.array([1.0, 2.0])
    np.testing.assert_array_equal(gt.grad(f)(x), x)
    assert f(x) == 8  # and works on plain arrays
    np.testing.assert_array_equal(gt.grad(gt.grad(lambda x: x * gt.stop_gradient(x) ** 2))(2.0), 0)


def test_a_straight_through_estimator():
    def quantised(x):
        return x + gt.stop_gradient(np.round(x) - x)

    value, g = gt.value_and_grad(lambda x: np.sum(quantised(x) ** 2))(np.array([0.6, 1.2]))
    assert value == 2 and g.tolist() == [2, 2]


def test_value_is_for_looking_and_not_an_exit():
    shown = []

    def f(x):
        shown.append(f"{gt.value(x * 2):.1f}")
        return x * 2

    with gt.GradientTape(strict=True) as tape:
        x = tape.watch(2.0)
        y = f(x) * gt.value(x)
    assert shown == ["4.0"] and float(tape.gradient(y, x)) == 4
    tree = gt.value({"a": x, "b": 3, "c": [np.ones(1)]})
    assert isinstance(tree["a"], np.generic) and tree["b"] == 3 and type(tree["c"][0]) is np.ndarray


# -- custom_gradient ------------------------------------------------------------------------------


def test_custom_gradients_replace_and_compose():
    @gt.custom_gradient
    def clipped(x):
        return x * 1.0, lambda ct: np.clip(ct, -1, 1)

    assert gt.grad(lambda x: np.sum(5 * clipped(x) ** 2))(np.array([1.0, 0.05])).tolist() == [
        1,
        0.5,
    ]

    @gt.custom_gradient
    def product(a, b):
        return a * b, lambda ct: (ct * b, ct * a)

    check(
        lambda a, b: np.sum(np.sin(product(a, b)) * a), np.array([0.3, 0.7]), np.array([1.2, -0.4])
    )


def test_custom_gradient_of_a_root_by_the_implicit_function_theorem():
    @gt.custom_gradient
    def root(a):  # x with x + exp(x) = a
        x = 0.0 * gt.value(a)
        for _ in range(50):
            x = x - (x + np.exp(x) - gt.value(a)) / (1 + np.exp(x))
        return x, lambda ct: ct / (1 + np.exp(x))

    a = np.array([1.0, 2.5])
    g = gt.grad(lambda a: np.sum(root(a) ** 2))(a)
    close(g, slope(lambda a: gt.value(np.sum(root(a) ** 2)), (a,), 0))


def test_custom_gradient_with_trees_keywords_and_several_outputs():
    @gt.custom_gradient
    def f(p, x, *, k):
        return (p["w"] * x * k, p["b"] + x), lambda c, d: (
            {"w": c * x * k, "b": d},
            c * p["w"] * k + d,
        )

    def loss(p, x):
        a, b = f(p, x, k=3.0)
        return a * b

    g = gt.grad(loss, argnums=(0, 1))({"w": 2.0, "b": 0.5}, 1.5)
    expected = gt.grad(lambda p, x: p["w"] * x * 3 * (p["b"] + x), argnums=(0, 1))(
        {"w": 2.0, "b": 0.5}, 1.5
    )
    assert g == expected


def test_custom_gradient_with_variables():
    w = gt.Variable(3.0, name="w")

    @gt.custom_gradient
    def f(x):
        return x * w, lambda ct, variables=None: (ct * 100.0, [ct * 1000.0 for _ in variables])

    with gt.GradientTape() as tape:
        x = tape.watch(2.0)
        y = f(x)
    assert [float(g) for g in tape.gradient(y, [x, w])] == [100, 1000]

    @gt.custom_gradient
    def forgets(x):
        return x * w, lambda ct: ct

    with gt.GradientTape() as tape, pytest.raises(TypeError, match="variables"):
        forgets(tape.watch(2.0))


def test_wrong_custom_gradients_are_refused():
    x = np.array([1.0, 2.0])

    def make(rule):
        f = gt.custom_gradient(lambda x, y: (x * y, rule))
        return gt.grad(lambda x: np.sum(f(x, 2.0)))

    with pytest.raises(ValueError, match="2"):
        make(lambda ct: ct)(x)
    with pytest.raises(ValueError, match="3"):
        make(lambda ct: (ct, ct, ct))(x)
    with pytest.raises(ValueError, match="shape"):
        make(lambda ct: (ct[:1], np.sum(ct)))(x)
    with pytest.raises(TypeError):
        gt.custom_gradient(lambda x: x)(x)
    with pytest.warns(GradientWarning):
        make(lambda ct: (None, None))(x)
