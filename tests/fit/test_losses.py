"""The table of losses: values, derivatives by the tape, deviances, and what cannot be typed."""

import numpy as np
import pytest

from gradtape.fit.losses import LOSSES, NLL_NAMES, choose_loss
from gradtape.fit.models import LinearModel
from gradtape.fit.objective import Objective
from gradtape.fit.problems import FitError
from gradtape.fit.rows import Block, MemoryRows

RNG = np.random.default_rng(0)
X = np.column_stack([np.ones(12), RNG.normal(size=(12, 2))])
LABELS = {
    "any": RNG.normal(size=12),
    "binary": (RNG.random(12) > 0.5).astype(float),
    "count": RNG.poisson(2.0, 12).astype(float),
}
TYPED = [*LOSSES, "huber:0.4", *(f"nll:{name}" for name in NLL_NAMES), "nll:abs(y - mu)**1.5"]


def objective(typed, weights=None):
    loss = choose_loss(typed)
    y = np.abs(LABELS["any"]) if typed == "nll:exponential" else LABELS[loss.labels]
    rows = MemoryRows(Block(X, y, weights))
    total = len(y) if weights is None else weights.sum()
    return Objective(LinearModel(("a", "b", "c")), loss, rows, 1.0 if loss.is_sum else total)


def point(made):
    return np.random.default_rng(3).normal(size=made.count) * 0.3


def differences(f, u, h):
    steps = np.eye(len(u)) * h
    return np.array([(f(u + step) - f(u - step)) / (2 * h) for step in steps])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("typed", TYPED)
def test_gradient_and_hessian_are_those_of_the_value(typed, weighted):
    made = objective(typed, np.arange(1.0, 13.0) if weighted else None)
    u = point(made)
    _, gradient = made.cost_and_gradient(u)
    np.testing.assert_allclose(gradient, differences(made.cost, u, 1e-6), rtol=1e-6, atol=1e-8)
    slope = differences(lambda v: made.cost_and_gradient(v)[1], u, 1e-6)
    np.testing.assert_allclose(made.hessian(u), slope, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("typed", TYPED)
def test_the_hessian_by_predictions_is_that_of_nested_tapes(typed):
    made = objective(typed)
    u = point(made)
    (block,) = made.rows.blocks()
    nested = made._nested(u, block)
    np.testing.assert_allclose(made.hessian(u), 0.5 * (nested + nested.T), rtol=1e-10, atol=1e-13)


def test_values():
    y, z = LABELS["any"], X @ [0.5, 1.0, -1.0]
    b, n = LABELS["binary"], LABELS["count"]
    p, rate = 1 / (1 + np.exp(-z)), np.exp(z)
    r = np.abs(y - z)
    expected = {
        "mse": r**2,
        "sse": r**2,
        "mae": r,
        "huber:0.4": np.where(r < 0.4, r**2 / 2, 0.4 * (r - 0.2)),
        "logistic": -b * np.log(p) - (1 - b) * np.log(1 - p),
    }
    for typed, value in expected.items():
        loss = choose_loss(typed)
        labels = LABELS[loss.labels]
        np.testing.assert_allclose(loss.value(labels, z), value, rtol=1e-12, atol=1e-14)
    poisson, logistic = LOSSES["poisson"], LOSSES["logistic"]
    deviance = 2 * (np.where(n > 0, n * np.log(np.where(n > 0, n, 1) / rate), 0) - n + rate)
    np.testing.assert_allclose(poisson.value(n, z), deviance / 2, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(poisson.deviance(n, rate), deviance, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(logistic.deviance(b, p), 2 * expected["logistic"], rtol=1e-12)
    np.testing.assert_allclose(logistic.link.mean(z), p, rtol=1e-12)
    np.testing.assert_allclose(poisson.link.mean(z), rate, rtol=1e-12)


def test_named_likelihoods_are_densities():
    from scipy import stats

    y, mu, s = LABELS["any"], X @ [0.1, 0.2, 0.3], np.log(0.7)
    distributions = {
        "normal": stats.norm,
        "laplace": stats.laplace,
        "logistic-errors": stats.logistic,
    }
    for name, distribution in distributions.items():
        value = choose_loss(f"nll:{name}").value(y, mu, s)
        np.testing.assert_allclose(value, -distribution.logpdf(y, mu, 0.7), rtol=1e-12)
    value = choose_loss("nll:exponential").value(np.abs(y), mu)
    np.testing.assert_allclose(value, -stats.expon.logpdf(np.abs(y), scale=np.exp(mu)), rtol=1e-12)


def test_extreme_predictions_do_not_overflow():
    logistic = LOSSES["logistic"]
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        np.testing.assert_array_equal(
            logistic.value(np.array([0.0, 1.0]), np.array([800.0, -800.0])), [800.0, 800.0]
        )
        np.testing.assert_array_equal(logistic.link.mean(np.array([-800.0, 800.0])), [0.0, 1.0])


@pytest.mark.parametrize(
    ("typed", "match"),
    [
        ("msee", r"There is no loss 'msee'.\nThe losses are mse, sse, .*\nDid you mean"),
        ("logit", "Did you mean logistic"),
        ("zzz", "Type one of these: --loss mse"),
        ("mse:3", "There is no loss 'mse:3'"),
        ("nll:", "There is no loss 'nll:'"),
        ("huber:-1", r"'-1' is not a number above 0.\n.*\nType --loss huber:1.5"),
        ("huber:x", "'x' is not a number"),
        ("nll:norml", r"There is no loss 'nll:norml'.\n.*\nDid you mean normal"),
        ("nll:y - m", "'m' is neither a column nor a parameter.\n.*\nDid you mean mu"),
        ("nll:(y - mu)**2/sigma", r"'sigma' is neither.*\n.*\nGive each parameter a start: --init"),
        ("nll:y**2", "does not use mu"),
        ("nll:__import__('os')", "function __import__ is not on its list"),
    ],
)
def test_what_cannot_be_typed(typed, match):
    with pytest.raises(FitError, match=match):
        choose_loss(typed)


@pytest.mark.parametrize("typed", ["mse", "huber:0.30000000000000004", "nll:normal"])
def test_typed_gives_the_same_loss_again(typed):
    assert choose_loss(typed).typed == typed
