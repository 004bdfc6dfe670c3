"""The problems: mixtures, cameras, hands, sequences, and derivatives inside of functions."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from bench.cases import Arrays, gmm_data, gmm_triangle
from bench.npbench.kernels import Random, kernel

SUITE = "gradbench"
objective = partial(kernel, suite=SUITE, is_objective=True)
residuals = partial(kernel, suite=SUITE)


def log_sum_exp(xp: Any, x: Any) -> Any:
    top = xp.max(x, axis=-1, keepdims=True)
    return xp.log(xp.sum(xp.exp(x - top), axis=-1)) + top[..., 0]


@objective("log-likelihood of a mixture of 25 Gaussians in 10 dimensions, 1000 points",
           lambda rng: gmm_data(), constants=("x",))  # fmt: skip
def gmm(xp: Any, alphas: Any, means: Any, icf: Any, x: Any) -> Any:
    n, d = x.shape
    rows, columns = gmm_triangle(d)
    places = np.zeros((d, d), np.intp)
    places[rows, columns] = np.arange(1, len(rows) + 1)
    q, below = icf[:, :d], icf[:, d:]
    empty = xp.array(np.zeros((len(alphas), 1)))
    padded = xp.concatenate([empty, below], axis=1)
    factor = padded[:, xp.array(places)]
    centered = x[:, None] - means
    turned = xp.einsum("kij,nkj->nki", factor, centered)
    scaled = xp.exp(q) * centered + turned
    inner = alphas + xp.sum(q, axis=1) - 0.5 * xp.sum(scaled**2, axis=2)
    prior = 0.5 * (xp.sum(xp.exp(q) ** 2) + xp.sum(below**2))
    return xp.sum(log_sum_exp(xp, inner)) - n * log_sum_exp(xp, alphas) + prior


CAMERAS, POINTS, SEEN = 8, 120, 400


def _views(rng: Random) -> Arrays:
    cameras = np.zeros((CAMERAS, 11))
    cameras[:, :3] = rng.uniform(-0.3, 0.3, (CAMERAS, 3))
    cameras[:, 3:5] = rng.uniform(-0.5, 0.5, (CAMERAS, 2))
    cameras[:, 5] = -5.0
    cameras[:, 6] = rng.uniform(0.8, 1.2, CAMERAS)
    cameras[:, 9:] = rng.uniform(-0.05, 0.05, (CAMERAS, 2))
    return {
        "cameras": cameras,
        "points": rng.uniform(-1.0, 1.0, (POINTS, 3)),
        "weights": rng.uniform(0.5, 1.5, SEEN),
        "seen": rng.uniform(-0.3, 0.3, (SEEN, 2)),
    }


@residuals("bundle adjustment: reprojection of points into cameras with distortion",
           _views, constants=("seen",))  # fmt: skip
def ba(xp: Any, cameras: Any, points: Any, weights: Any, seen: Any) -> Any:
    rng = np.random.default_rng(5)
    camera = cameras[xp.array(rng.integers(0, CAMERAS, SEEN))]
    point = points[xp.array(rng.integers(0, POINTS, SEEN))]
    # Rodrigues' formula
    axis, moved = camera[:, :3], point - camera[:, 3:6]
    square = xp.sum(axis**2, axis=1, keepdims=True)
    angle = xp.sqrt(square)
    axis = axis / angle
    cross = xp.stack([
        axis[:, 1] * moved[:, 2] - axis[:, 2] * moved[:, 1],
        axis[:, 2] * moved[:, 0] - axis[:, 0] * moved[:, 2],
        axis[:, 0] * moved[:, 1] - axis[:, 1] * moved[:, 0],
    ], axis=1)  # fmt: skip
    along = xp.sum(axis * moved, axis=1, keepdims=True) * (1.0 - xp.cos(angle))
    turned = moved * xp.cos(angle) + cross * xp.sin(angle) + axis * along
    flat = turned[:, :2] / turned[:, 2:]
    radius = xp.sum(flat**2, axis=1, keepdims=True)
    bent = flat * (1.0 + camera[:, 9:10] * radius + camera[:, 10:] * radius**2)
    errors = weights[:, None] * (bent * camera[:, 6:7] + camera[:, 7:9] - seen)
    return errors, 1.0 - weights**2


FINGERS, BONES, SKIN = 5, 3, 200


def _hand(rng: Random) -> Arrays:
    shares = rng.random((SKIN, 1 + FINGERS * BONES)) ** 4
    return {
        "pose": rng.uniform(-0.4, 0.4, 6 + FINGERS * 4),
        "skin": rng.uniform(-1.0, 1.0, (SKIN, 3)),
        "shares": shares / shares.sum(1, keepdims=True),
        "seen": rng.uniform(-1.0, 1.0, (SKIN, 3)),
    }


def _turn(xp: Any, angle: Any, axis: int) -> Any:
    """The rotation about an axis."""
    unit = np.eye(3)
    first, second = np.delete(unit, axis, 0)
    flat = np.outer(first, first) + np.outer(second, second)
    around = np.outer(second, first) - np.outer(first, second)
    kept = xp.array(np.outer(unit[axis], unit[axis]))
    return kept + xp.cos(angle) * xp.array(flat) + xp.sin(angle) * xp.array(around)


@residuals("hand tracking: a skin on the bones of five fingers against points that were seen",
           _hand, constants=("skin", "shares", "seen"))  # fmt: skip
def ht(xp: Any, pose: Any, skin: Any, shares: Any, seen: Any) -> Any:
    wrist = _turn(xp, pose[0], 0) @ _turn(xp, pose[1], 1) @ _turn(xp, pose[2], 2)
    bones = [(wrist, pose[3:6])]
    for finger in range(FINGERS):
        rotation, start = wrist, pose[3:6]
        angles = pose[6 + 4 * finger : 10 + 4 * finger]
        offset = np.array([0.3 * (finger - 2), 1.0, 0.0])
        for bone in range(BONES):
            start = start + rotation @ xp.array(offset)
            rotation = rotation @ _turn(xp, angles[bone + 1], 0)
            if bone == 0:
                rotation = rotation @ _turn(xp, angles[0], 2)
            bones.append((rotation, start))
            offset = np.array([0.0, 0.4, 0.0])
    total: Any = 0.0
    for i, (rotation, start) in enumerate(bones):
        total = total + shares[:, i : i + 1] * (skin @ rotation.T + start)
    return total - seen


LAYERS, WIDTH, TURNS = 2, 14, 20


def _sequence(rng: Random) -> Arrays:
    return {
        "main": rng.uniform(-1.0, 1.0, (2 * LAYERS, 4 * WIDTH)),
        "extra": rng.uniform(-1.0, 1.0, (3, WIDTH)),
        "state": rng.uniform(-1.0, 1.0, (2 * LAYERS, WIDTH)),
        "sequence": rng.uniform(0.0, 1.0, (TURNS, WIDTH)),
    }


@objective("a network of two LSTM layers over a sequence", _sequence,
           constants=("state", "sequence"))  # fmt: skip
def lstm(xp: Any, main: Any, extra: Any, state: Any, sequence: Any) -> Any:
    def sigmoid(x: Any) -> Any:
        return 1.0 / (1.0 + xp.exp(-x))

    hidden = [state[2 * i] for i in range(LAYERS)]
    cell = [state[2 * i + 1] for i in range(LAYERS)]
    total: Any = 0.0
    for turn in range(TURNS - 1):
        x = sequence[turn] * extra[0]
        for i in range(LAYERS):
            w, b, n = main[2 * i], main[2 * i + 1], WIDTH
            forget = sigmoid(x * w[:n] + b[:n])
            enter = sigmoid(x * w[n : 2 * n] + b[n : 2 * n])
            leave = sigmoid(hidden[i] * w[2 * n : 3 * n] + b[2 * n : 3 * n])
            change = xp.tanh(hidden[i] * w[3 * n :] + b[3 * n :])
            cell[i] = cell[i] * forget + enter * change
            hidden[i] = leave * xp.tanh(cell[i])
            x = hidden[i]
        guess = x * extra[1] + extra[2]
        guess = guess - xp.log(xp.sum(xp.exp(guess)) + 2.0)
        total = total + xp.sum(sequence[turn + 1] * guess)
    return -total / ((TURNS - 1) * WIDTH)


@residuals("60 variables, each driven by the one before, by Runge and Kutta's method",
           lambda rng: {"x": rng.uniform(0.5, 1.5, 60)})  # fmt: skip
def ode(xp: Any, x: Any) -> Any:
    one = xp.array(np.ones(1))
    h, y = 1.0 / 20, xp.array(np.zeros(60))

    def slope(y: Any) -> Any:
        return x * xp.concatenate([one, y[:-1]])

    for _ in range(20):
        k1 = slope(y)
        k2 = slope(y + 0.5 * h * k1)
        k3 = slope(y + 0.5 * h * k2)
        k4 = slope(y + h * k3)
        y = y + h / 6 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
    return y


@objective("the cost of 10 means for 1000 points in 5 dimensions",
           lambda rng: {"points": rng.random((1000, 5)), "means": rng.random((10, 5))},
           constants=("points",))  # fmt: skip
def kmeans(xp: Any, points: Any, means: Any) -> Any:
    apart = xp.sum((points[:, None] - means) ** 2, axis=2)
    return -xp.sum(xp.max(-apart, axis=1))


def _minors(rows: list[list[Any]]) -> Any:
    if len(rows) == 1:
        return rows[0][0]
    total: Any = 0.0
    for column, entry in enumerate(rows[0]):
        rest = [row[:column] + row[column + 1 :] for row in rows[1:]]
        part = entry * _minors(rest)
        total = total + part if column % 2 == 0 else total - part
    return total


@objective("the determinant of a matrix of order 5 by its minors",
           lambda rng: {"a": rng.standard_normal((5, 5))})  # fmt: skip
def det(xp: Any, a: Any) -> Any:
    return _minors([[a[i, j] for j in range(5)] for i in range(5)])


@objective("least squares of a polynomial of degree 15 against a step, 2000 points",
           lambda rng: {"x": rng.uniform(-1.0, 1.0, 16)})  # fmt: skip
def llsq(xp: Any, x: Any) -> Any:
    t = np.linspace(-1.0, 1.0, 2000)
    error = xp.array(np.sign(t)) - xp.array(np.vander(t, 16, increasing=True)) @ x
    return 0.5 * xp.sum(error**2)


RATE, ASCENTS, DESCENTS = 0.1, 8, 3


@objective("a saddle: descent over the end of an ascent, both by gradients inside",
           lambda rng: {"start": np.array([1.0, 1.0, 0.5, 0.7])})  # fmt: skip
def saddle(xp: Any, start: Any) -> Any:
    def f(p: Any, q: Any) -> Any:
        return p[0] ** 2 + p[1] ** 2 - q[0] ** 2 - q[1] ** 2 + 0.1 * xp.sum(p**2 * q**2)

    def most(p: Any) -> Any:
        q = start[2:]
        for _ in range(ASCENTS):
            up = xp.grad(lambda q: f(p, q), lambda q: -2.0 * q + 0.2 * p**2 * q)
            q = q + RATE * up(q)
        return q

    def least(p: Any) -> Any:
        return f(p, most(p))

    def least_slope(p: Any) -> Any:  # for those who have no derivatives
        q, path = start[2:], []
        for _ in range(ASCENTS):
            path.append(q)
            q = q + RATE * (-2.0 * q + 0.2 * p**2 * q)
        ct, slope = -2.0 * q + 0.2 * p**2 * q, 2.0 * p + 0.2 * p * q**2
        for before in reversed(path):
            slope = slope + ct * RATE * 0.4 * p * before
            ct = ct * (1.0 + RATE * (-2.0 + 0.2 * p**2))
        return slope

    p, down = start[:2], xp.grad(least, least_slope)
    for _ in range(DESCENTS):
        p = p - RATE * down(p)
    return least(p)


STEP, FLIGHT = 0.8, 41  # of time; until the ground


@objective("a charged particle: where it hits the ground, by the field's gradient",
           lambda rng: {"w": np.array([0.3])})  # fmt: skip
def particle(xp: Any, w: Any) -> Any:
    fixed = xp.array(np.array([10.0, 0.0]))
    moving = xp.concatenate([xp.array(np.array([10.0])), 10.0 - w])

    def potential(x: Any) -> Any:
        return sum(1.0 / xp.sqrt(xp.sum((x - charge) ** 2)) for charge in (moving, fixed))

    def slope(x: Any) -> Any:  # for those who have no derivatives
        return sum(-(x - c) * xp.sum((x - c) ** 2) ** -1.5 for c in (moving, fixed))

    field = xp.grad(potential, slope)
    x, v = xp.array(np.array([0.0, 8.0])), xp.array(np.array([0.75, 0.0]))
    for _ in range(FLIGHT):
        a = -field(x)
        x = x + STEP * v
        v = v + STEP * a
    hit = x - x[1] / v[1] * v
    return hit[0] ** 2
