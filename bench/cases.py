"""The table of cases: what is computed, on which data, and how exact the answer must be.

A case states its data (made from a fixed seed, so every worker makes the same) and a float64
reference written out by hand, with no tape in it. Each library's own version of a case lives in
`libs/<library>.py` under the same name. To add a case: one entry in `CASES`, one function per
library; a library without the function shows up in the table as "not written".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
Run = Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class Outcome:
    """One expected output: its float64 value, and what it was before the step.

    The error of an updated weight is measured against the size of the update, not of the weight,
    so that a wrong gradient cannot hide behind a small learning rate. With `repeats` the output is
    one of a single axis in which the value stands that often, one after the other.
    """

    value: NDArray[Any] | np.floating[Any]
    before: NDArray[Any] | float = 0.0
    repeats: int = 1


Reference = dict[str, Outcome]


@dataclass(frozen=True)
class Case:
    """A timed case: `data` feeds the libraries, `reference` says what they must answer.

    `against` names the only peers that have it; all have it where it is empty.
    """

    name: str
    title: str
    data: Callable[[], Arrays]
    reference: Callable[[Arrays], Reference]
    tolerance: float
    against: tuple[str, ...] = ()


def worst_error(answer: Arrays, reference: Reference) -> float:
    """Return the largest error of any output, relative to that output's largest change.

    A missing or misshapen output counts as infinitely wrong, and so does a NaN.
    """
    worst = 0.0
    for name, expected in reference.items():
        got = answer.get(name)
        value, times = expected.value, expected.repeats
        shape = value.shape if times == 1 else (times * value.size,)
        if got is None or got.shape != shape:
            return float("inf")
        scale = float(np.max(np.abs(value - expected.before))) or 1.0
        for part in got.reshape(times, *value.shape):
            error = float(np.max(np.abs(part.astype(np.float64) - value))) / scale
            worst = max(worst, error if error == error else float("inf"))
    return worst


def _float64(data: Arrays) -> dict[str, NDArray[np.float64]]:
    return {name: np.asarray(array, np.float64) for name, array in data.items()}


def _wide(data: Arrays) -> dict[str, NDArray[Any]]:
    """Return float32 as float64 and float64 as longdouble: a reference is more exact than both."""
    return {
        name: np.asarray(array, np.longdouble if array.dtype == np.float64 else np.float64)
        for name, array in data.items()
    }


# --- tutorial: one step of the regression y = a + b x ------------------------------------------

TUTORIAL_RATE = 0.001


def tutorial_data() -> Arrays:
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, 200)
    y = 0.3 + 0.5 * x + rng.normal(0, 0.3, 200)
    return {"x": x.astype(np.float32), "y": y.astype(np.float32)}


def dialect_data() -> Arrays:
    """The tutorial's numbers as its TensorFlow script has them: float64 arrays."""
    return _float64(tutorial_data())


def dialect_reference(data: Arrays) -> Reference:
    return {name: tutorial_reference(data)[name] for name in ("a", "b")}


def tutorial_reference(data: Arrays) -> Reference:
    d = _wide(data)
    # a = b = 0, so the residual is y itself.
    return {
        "loss": Outcome(np.sum(d["y"] ** 2)),
        "a": Outcome(TUTORIAL_RATE * 2 * np.sum(d["y"])),
        "b": Outcome(TUTORIAL_RATE * 2 * np.sum(d["y"] * d["x"])),
    }


# --- chain: 600 scalar operations ---------------------------------------------------------------

CHAIN_LENGTH = 300


def chain_data() -> Arrays:
    return {"s": np.asarray(0.5, np.float32)}


def chain_reference(data: Arrays) -> Reference:
    z = np.asarray(data["s"], np.float64)
    slope = np.ones_like(z)
    for _ in range(CHAIN_LENGTH):
        slope *= np.cos(z) * 1.001
        z = np.sin(z) * 1.001
    return {"value": Outcome(np.asarray(z)), "gradient": Outcome(np.asarray(slope))}


# --- mlp: 784-512-512-10, softmax cross entropy, plain gradient descent -------------------------

MLP_RATE = 0.1
MLP_SIZES = (784, 512, 512, 10)
MLP_BATCH = 128


def mlp_data(batch: int = MLP_BATCH) -> Arrays:
    rng = np.random.default_rng(0)
    data: Arrays = {
        "x": rng.random((batch, MLP_SIZES[0]), np.float32),
        "labels": rng.integers(0, MLP_SIZES[-1], batch),
    }
    for i, (fan_in, fan_out) in enumerate(zip(MLP_SIZES, MLP_SIZES[1:], strict=False), start=1):
        scale = np.float32(np.sqrt(2 / fan_in))
        data[f"w{i}"] = rng.standard_normal((fan_in, fan_out), np.float32) * scale
        data[f"b{i}"] = np.zeros(fan_out, np.float32)
    return data


def mlp_reference(data: Arrays) -> Reference:
    d = _wide(data)
    layers = range(1, len(MLP_SIZES))
    inputs, h = [], d["x"]
    for i in layers:
        inputs.append(h)
        z = h @ d[f"w{i}"] + d[f"b{i}"]
        h = np.maximum(z, 0)
    shifted = z - z.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    picked = (np.arange(len(z)), data["labels"].astype(np.intp))
    out: Reference = {"loss": Outcome(-np.mean(log_p[picked]))}
    ct = np.exp(log_p)
    ct[picked] -= 1
    ct /= len(z)
    for i in reversed(layers):
        h, w, b = inputs[i - 1], d[f"w{i}"], d[f"b{i}"]
        out[f"w{i}"] = Outcome(w - MLP_RATE * (h.T @ ct), w)
        out[f"b{i}"] = Outcome(b - MLP_RATE * ct.sum(axis=0), b)
        ct = (ct @ w.T) * (h > 0)
    return out


# --- logistic: 1M x 20 --------------------------------------------------------------------------


def logistic_data() -> Arrays:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1_000_000, 20), np.float32)
    w = rng.standard_normal(20, np.float32)
    y = (rng.random(1_000_000, np.float32) < 1 / (1 + np.exp(-(x @ w)))).astype(np.float32)
    return {"x": x, "y": y, "w": (0.5 * w).astype(np.float32)}


def logistic_reference(data: Arrays) -> Reference:
    d = _wide(data)
    z = d["x"] @ d["w"]
    loss = np.mean(np.logaddexp(0, z) - d["y"] * z)
    gradient = d["x"].T @ (1 / (1 + np.exp(-z)) - d["y"]) / len(z)
    return {"value": Outcome(loss), "gradient": Outcome(gradient)}


# --- elementwise: sum(tanh(e) * exp(-e * e)) on 4M ----------------------------------------------


def elementwise_data() -> Arrays:
    rng = np.random.default_rng(0)
    return {"e": rng.standard_normal(4_000_000, np.float32)}


def elementwise_reference(data: Arrays) -> Reference:
    e = _wide(data)["e"]
    t, g = np.tanh(e), np.exp(-e * e)
    # The sum of an odd function over symmetric data nearly cancels: its error is measured against
    # what was added up, by naming a `before` that far away.
    value, magnitude = np.sum(t * g), np.sum(np.abs(t * g))
    return {
        "value": Outcome(value, value - magnitude),
        "gradient": Outcome(g * (1 - t * t - 2 * e * t)),
    }


# --- sin50: 50 times sin(x) * 1.01 + 0.1, then the sum ------------------------------------------

SIN_LENGTH = 50


def _sin_data(n: int) -> Callable[[], Arrays]:
    return lambda: {"x": np.linspace(-2.0, 2.0, n)}


def sin_reference(data: Arrays) -> Reference:
    z = _wide(data)["x"]
    slope = np.ones_like(z)
    for _ in range(SIN_LENGTH):
        slope = slope * np.cos(z) * 1.01
        z = np.sin(z) * 1.01 + 0.1
    return {"value": Outcome(np.sum(z)), "gradient": Outcome(slope)}


# --- hessian: of the Rosenbrock function -------------------------------------------------------


def hessian_data() -> Arrays:
    return {"x": np.random.default_rng(0).uniform(-1.5, 1.5, 200)}


def hessian_reference(data: Arrays) -> Reference:
    x = _wide(data)["x"]
    h = np.zeros((x.size, x.size), x.dtype)
    here = np.arange(x.size - 1)
    h[here, here] += 2 - 400 * (x[1:] - 3 * x[:-1] ** 2)
    h[here + 1, here + 1] += 200
    h[here, here + 1] = h[here + 1, here] = -400 * x[:-1]
    return {"hessian": Outcome(h)}


# --- jacobian: of tanh(A tanh(A x)) -------------------------------------------------------------


def jacobian_data() -> Arrays:
    rng = np.random.default_rng(0)
    return {"a": rng.standard_normal((64, 64)) / 8, "x": rng.standard_normal(64)}


def jacobian_reference(data: Arrays) -> Reference:
    d = _wide(data)
    inner = np.tanh(d["a"] @ d["x"])
    outer = np.tanh(d["a"] @ inner)
    slopes = (1 - outer**2)[:, None] * d["a"] * (1 - inner**2)
    return {"value": Outcome(outer), "jacobian": Outcome(slopes @ d["a"])}


# --- gmm: the log-likelihood of a Gaussian mixture ----------------------------------------------

# The objective of Srajer, Kukelova and Fitzgibbon, A benchmark of selected algorithmic
# differentiation tools (2018), with gamma = 1 and m = 0 in the Wishart prior, whose constant is
# left out. A covariance is inverted and factored: exp(icf[:, :d]) is the diagonal of Q, the rest
# of a row of icf its lower triangle, column by column.

GMM_DIMENSION, GMM_COMPONENTS, GMM_POINTS = 10, 25, 1000


def gmm_triangle(d: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of what lies below a diagonal, column by column."""
    columns, rows = np.triu_indices(d, 1)
    return rows, columns


def gmm_data() -> Arrays:
    rng = np.random.default_rng(0)
    d, k = GMM_DIMENSION, GMM_COMPONENTS
    return {
        "alphas": rng.standard_normal(k),
        "means": rng.random((k, d)),
        "icf": rng.standard_normal((k, d * (d + 1) // 2)),
        "x": rng.standard_normal((GMM_POINTS, d)),
    }


def gmm_reference(data: Arrays) -> Reference:
    v = _wide(data)
    alphas, means, icf, x = v["alphas"], v["means"], v["icf"], v["x"]
    n, d = x.shape
    pi = 4 * np.arctan(np.ones((), x.dtype))
    rows, columns = gmm_triangle(d)
    q, below = icf[:, :d], icf[:, d:]
    factor = np.zeros((len(alphas), d, d), x.dtype)
    factor[:, range(d), range(d)] = np.exp(q)
    factor[:, rows, columns] = below
    centered = (x[:, None] - means).transpose(1, 0, 2)
    scaled = centered @ factor.transpose(0, 2, 1)
    inner = (alphas + q.sum(1))[:, None] - 0.5 * (scaled**2).sum(2)
    top = inner.max(0)
    total = top + np.log(np.exp(inner - top).sum(0))
    weights = np.exp(alphas - alphas.max())
    prior = 0.5 * (np.exp(2 * q).sum() + (below**2).sum())
    share = np.exp(inner - total)
    ct = -share[:, :, None] * scaled
    ct_factor = ct.transpose(0, 2, 1) @ centered
    ct_q = share.sum(1)[:, None] + ct_factor[:, range(d), range(d)] * np.exp(q) + np.exp(2 * q)
    return {
        "value": Outcome(
            np.asarray(
                total.sum()
                - n * (alphas.max() + np.log(weights.sum()) + 0.5 * d * np.log(2 * pi))
                + prior
            )
        ),
        "alphas": Outcome(share.sum(1) - n * weights / weights.sum()),
        "means": Outcome(-(ct @ factor).sum(1)),
        "icf": Outcome(np.concatenate([ct_q, ct_factor[:, rows, columns] + below], axis=1)),
    }


CASES: tuple[Case, ...] = (
    Case(
        "tutorial",
        "tutorial step: 200 points, SSE, gradient, two updates (float32)",
        tutorial_data,
        tutorial_reference,
        1e-5,
    ),
    Case(
        "dialect",
        "the step of examples/tutorial_tensorflow.py, ours through gradtape.tf (float32)",
        dialect_data,
        dialect_reference,
        1e-5,
        against=("tensorflow",),
    ),
    Case(
        "chain",
        "600-op scalar chain: sin(z) * 1.001, 300 times, gradient (float32)",
        chain_data,
        chain_reference,
        1e-4,
    ),
    Case(
        "mlp",
        "MLP step: 784-512-512-10, batch 128, cross entropy, update (float32)",
        mlp_data,
        mlp_reference,
        1e-3,
    ),
    Case(
        "logistic",
        "logistic regression: 1M x 20, value and gradient (float32)",
        logistic_data,
        logistic_reference,
        1e-3,
    ),
    Case(
        "elementwise",
        "sum(tanh(e) * exp(-e * e)): 4M, value and gradient (float32)",
        elementwise_data,
        elementwise_reference,
        1e-5,
    ),
    *(
        Case(
            f"sin50-{n}",
            f"50 x sin(x) * 1.01 + 0.1, sum: n = {n}, value and gradient (float64)",
            _sin_data(n),
            sin_reference,
            1e-10,
        )
        for n in (10, 1000, 100_000)
    ),
    Case(
        "hessian-200",
        "dense Hessian of the 200-d Rosenbrock function (float64)",
        hessian_data,
        hessian_reference,
        1e-12,
        against=("torch", "tensorflow", "jax", "autograd"),  # mygrad has first derivatives alone
    ),
    Case(
        "jacobian-64",
        "64 x 64 Jacobian of tanh(A tanh(A x)) (float64)",
        jacobian_data,
        jacobian_reference,
        1e-12,
    ),
    Case(
        "gmm",
        "GMM log-likelihood, d = 10, k = 25, n = 1000, value and gradient (float64)",
        gmm_data,
        gmm_reference,
        1e-10,
    ),
)

BY_NAME = {case.name: case for case in CASES}
