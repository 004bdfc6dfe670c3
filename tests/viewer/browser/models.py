"""Models that browser tests record: a line, a classifier, three inputs, a long tape."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import gradtape as gt

RNG = np.random.default_rng(5)
X = RNG.uniform(4, 25, 40)
Y = 3.9 * X - 17 + RNG.normal(0, 12, 40)
FALLING = -2 * Y
ANGLE = RNG.uniform(0, 2 * np.pi, 90)
RADIUS = np.repeat([0.6, 2.0], 45)
PLACES = np.c_[RADIUS * np.cos(ANGLE), RADIUS * np.sin(ANGLE)] + RNG.normal(0, 0.2, (90, 2))
CLASS = np.repeat([0.0, 1.0], 45)
ROWS = RNG.normal(size=(60, 3))
TARGET = ROWS @ [2.0, -1.0, 0.5] + 4 + RNG.normal(0, 0.3, 60)


def model(x, slope, intercept):
    return slope * x + intercept


def mean_square(prediction, y):
    return np.mean(np.square(prediction - y))


def line(folder: Path, steps: int = 40, rate: float = 1e-3) -> None:
    slope, intercept = gt.Variable(0.0, name="slope"), gt.Variable(0.0, name="intercept")
    with np.errstate(all="ignore"), gt.Recording(folder, progress=False) as run:
        for _ in run.steps(steps):
            with gt.GradientTape() as tape:
                cost = mean_square(model(X, slope, intercept), Y)
            gradients = tape.gradient(cost, [slope, intercept])
            slope.assign_sub(rate * gradients[0])
            intercept.assign_sub(rate * gradients[1])


def rings(folder: Path, steps: int = 60) -> None:
    rng = np.random.default_rng(1)
    w1 = gt.Variable(rng.normal(size=(2, 6)), name="w1")
    b1, w2 = gt.Variable(np.zeros(6), name="b1"), gt.Variable(rng.normal(size=6), name="w2")
    b2 = gt.Variable(0.0, name="b2")
    with gt.Recording(folder, progress=False) as run:
        for _ in run.steps(steps):
            with gt.GradientTape() as tape:
                p = 1 / (1 + np.exp(-(np.tanh(PLACES @ w1 + b1) @ w2 + b2)))
                cost = -np.mean(CLASS * np.log(p) + (1 - CLASS) * np.log(1 - p))
            variables = [w1, b1, w2, b2]
            for variable, gradient in zip(variables, tape.gradient(cost, variables), strict=True):
                variable.assign_sub(0.5 * gradient)


def three(folder: Path, steps: int = 40) -> None:
    """Three classes, told apart by softmax."""
    which = np.arange(len(PLACES)) % 3
    places = PLACES * 0.3 + np.array([[0.0, 0.0], [3.0, 1.0], [1.0, 3.0]])[which]
    single = np.eye(3)[which]
    w, b = gt.Variable(np.zeros((2, 3)), name="w"), gt.Variable(np.zeros(3), name="b")
    with gt.Recording(folder, progress=False) as run:
        for _ in run.steps(steps):
            with gt.GradientTape() as tape:
                powers = np.exp(places @ w + b)
                p = powers / np.sum(powers, axis=1, keepdims=True)
                cost = -np.mean(np.sum(single * np.log(p), axis=1))
            for variable, gradient in zip([w, b], tape.gradient(cost, [w, b]), strict=True):
                variable.assign_sub(0.5 * gradient)


def plane(folder: Path, steps: int = 30) -> None:
    w, b = gt.Variable(np.zeros(3), name="w"), gt.Variable(0.0, name="b")
    scale = gt.Variable(np.ones((2, 3, 4, 5)), name="scale")
    with gt.Recording(folder, progress=False) as run:
        for _ in run.steps(steps):
            with gt.GradientTape() as tape:
                cost = mean_square(ROWS @ w + b, TARGET) + np.sum(np.square(scale)) * 1e-3
            gradients = tape.gradient(cost, [w, b, scale])
            for variable, gradient in zip([w, b, scale], gradients, strict=True):
                variable.assign_sub(0.05 * gradient)


def cell(h, v):
    h = np.tanh(h * v)
    h = h + 0.1 * np.sin(h)
    return h - np.mean(h) * 0.5


def deep(folder: Path, cells: int = 250) -> None:
    """Eight operations a cell: two thousand of them."""
    v = gt.Variable(1.2, name="v")
    with gt.Recording(folder, progress=False) as run:
        for _ in run.steps(2):
            with gt.GradientTape() as tape:
                h = np.linspace(0, 1, 5)
                for _ in range(cells):
                    h = cell(h, v)
                cost = np.sum(np.square(h))
            v.assign_sub(0.01 * tape.gradient(cost, v))


def pair(folder: Path, steps: int = 12) -> None:
    """Two networks, each with a cost of its own, in one step."""
    up, down = gt.Variable(0.0, name="up"), gt.Variable(0.0, name="down")
    with gt.Recording(folder, progress=False) as run:
        for _ in run.steps(steps):
            with gt.GradientTape() as first:
                loss_up = np.mean((up * X - Y) ** 2)
            with gt.GradientTape() as second:
                loss_down = np.mean((down * X - FALLING) ** 2)
            d_up, d_down = first.gradient(loss_up, up), second.gradient(loss_down, down)
            up.assign_sub(1e-3 * d_up)
            down.assign_sub(1e-3 * d_down)


ALL = (line, rings, three, plane, deep, pair)
