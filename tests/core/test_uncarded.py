"""NumPy functions without a card: every result says so when a gradient has to pass through it."""

import numpy as np
import pytest

import gradtape as gt
from gradtape.core.registry import CARDS, FUNCTIONS
from gradtape.errors import UnsupportedOperationError

MATRIX = np.array([[2.0, 0.3], [0.3, 1.0]])
SEVERAL = {
    "eigh": lambda x: np.linalg.eigh(x)[0],
    "eigh vectors": lambda x: np.linalg.eigh(x).eigenvectors,
    "eig": lambda x: np.real(np.linalg.eig(x)[0]),
    "svd": lambda x: np.linalg.svd(x)[1],
    "qr": lambda x: np.linalg.qr(x).R,
    "lstsq": lambda x: np.linalg.lstsq(x, np.ones(2), rcond=None)[0],
    "lstsq of Tensors on both sides": lambda x: np.linalg.lstsq(x, x[0], rcond=None)[0],
}


@pytest.fixture(autouse=True)
def without_cards(monkeypatch):
    """Cards that these functions may get later are taken away."""
    for function in (np.linalg.eigh, np.linalg.eig, np.linalg.svd, np.linalg.qr, np.linalg.lstsq):
        monkeypatch.delitem(FUNCTIONS, function, raising=False)


@pytest.mark.parametrize("name", SEVERAL)
def test_one_of_several_results_raises_where_a_gradient_needs_it(name):
    x, w = gt.Variable(MATRIX), gt.Variable(2.0)
    with gt.GradientTape(persistent=True) as tape:
        y = np.sum(SEVERAL[name](x))
        z = y * w + np.sum(x)
    function = name.split()[0]
    for target in (y, z):
        assert tape.explain(target, x).kind == "no rule"
        with pytest.raises(UnsupportedOperationError, match=rf"(?s){function}\(.*test_uncarded"):
            tape.gradient(target, x)
    assert float(tape.gradient(z, w)) == pytest.approx(float(y))


def test_results_keep_their_types_and_values():
    x = gt.Variable(MATRIX)
    with gt.GradientTape():
        found = np.linalg.eigh(x)
        solution, residuals, rank, singular = np.linalg.lstsq(x, np.ones(2), rcond=None)
    expected = np.linalg.eigh(MATRIX)
    assert type(found) is type(expected)
    for f, e in zip(found, expected, strict=True):
        np.testing.assert_array_equal(f.read(), e)
    assert int(rank) == 2 and residuals.shape == (0,) and singular.shape == (2,)
    np.testing.assert_allclose(solution.read(), np.linalg.solve(MATRIX, np.ones(2)))


def test_a_ufunc_of_another_package_takes_no_card_away():
    """As scipy.special's `erf` and `expm1` are named like cards."""
    other = np.linalg._umath_linalg.det
    card = CARDS["det"]
    x = gt.Variable(MATRIX)
    with gt.GradientTape() as tape:
        y = other(x)
    assert CARDS["det"] is card
    with pytest.raises(UnsupportedOperationError, match=r"det\("):
        tape.gradient(y, x)


def test_nor_does_a_rule_of_the_users():
    cards = {name: CARDS[name] for name in ("median", "erf")}

    @gt.custom_gradient
    def median(x):
        return np.max(x), lambda ct: ct * np.ones(3)

    @gt.custom_jvp
    def erf(x):
        return 2.0 * x

    @erf.defjvp
    def _(primals, tangents):
        return 2.0 * primals[0], 2.0 * tangents[0]

    x = np.ones(3)
    gt.grad(lambda x: median(erf(x)))(x)
    assert {name: CARDS[name] for name in cards} == cards
