"""Fifty training loops with nothing wrong: ten kinds, five seeds of each."""

import numpy as np

import gradtape as gt


def _steps(count, variables, cost, rate):
    for _ in range(count):
        with gt.GradientTape() as tape:
            loss = cost()
        for v, g in zip(variables, tape.gradient(loss, variables), strict=True):
            v.assign_sub(rate * g)


def line(rng):
    x = rng.uniform(-1.0, 1.0, 100)
    y = rng.normal() + rng.normal() * x + rng.normal(0, 0.2, 100)
    a, b = gt.Variable(0.0, name="a"), gt.Variable(0.0, name="b")
    _steps(150, [a, b], lambda: np.mean((y - (a + b * x)) ** 2), 0.3)


def plane(rng):
    x = rng.normal(size=(150, 4))
    y = x @ rng.normal(size=4) + rng.normal(0, 0.3, 150)
    w, b = gt.Variable(np.zeros(4), name="w"), gt.Variable(0.0, name="b")
    _steps(100, [w, b], lambda: np.mean((x @ w + b - y) ** 2), 0.2)


def cubic(rng):
    x = rng.uniform(-1, 1, 120)
    y = np.sin(2 * x) + rng.normal(0, 0.1, 120)
    c = gt.Variable(np.zeros(4), name="c")
    powers = np.stack([x**k for k in range(4)], axis=1)
    _steps(400, [c], lambda: np.mean((powers @ c - y) ** 2), 0.4)


def logistic(rng):
    x = rng.normal(size=(200, 3))
    y = (x @ rng.normal(size=3) + rng.normal(0, 0.5, 200) > 0).astype(float)
    w, b = gt.Variable(np.zeros(3), name="w"), gt.Variable(0.0, name="b")

    def cost():
        z = x @ w + b
        return np.mean(np.logaddexp(0.0, z) - y * z)

    _steps(200, [w, b], cost, 1.0)


def tanh_net(rng):
    x = rng.normal(size=(150, 2))
    y = np.sin(x[:, 0]) + 0.5 * x[:, 1]
    w1 = gt.Variable(rng.normal(size=(2, 12)) * 0.7, name="w1")
    b1 = gt.Variable(np.zeros(12), name="b1")
    w2 = gt.Variable(rng.normal(size=12) * 0.3, name="w2")
    _steps(250, [w1, b1, w2], lambda: np.mean((np.tanh(x @ w1 + b1) @ w2 - y) ** 2), 0.1)


def relu_net(rng):
    x = rng.normal(size=(150, 2))
    y = np.abs(x[:, 0]) - 0.3 * x[:, 1]
    w1 = gt.Variable(rng.normal(size=(2, 16)) * 0.8, name="w1")
    b1 = gt.Variable(np.zeros(16), name="b1")
    w2 = gt.Variable(rng.normal(size=16) * 0.3, name="w2")
    _steps(250, [w1, b1, w2],
           lambda: np.mean((np.maximum(x @ w1 + b1, 0.0) @ w2 - y) ** 2), 0.05)  # fmt: skip


def softmax(rng):
    centres = rng.normal(size=(3, 2)) * 2
    labels = rng.integers(0, 3, 150)
    x = centres[labels] + rng.normal(size=(150, 2)) * 0.7
    onehot = np.eye(3)[labels]
    w, b = gt.Variable(np.zeros((2, 3)), name="w"), gt.Variable(np.zeros(3), name="b")

    def cost():
        z = x @ w + b
        shifted = z - np.max(z, axis=1, keepdims=True)
        return np.mean(np.log(np.sum(np.exp(shifted), axis=1)) - np.sum(shifted * onehot, axis=1))

    _steps(150, [w, b], cost, 0.5)


def minibatches(rng):
    x = rng.normal(size=(320, 3))
    y = x @ rng.normal(size=3) + rng.normal(0, 0.3, 320)
    w = gt.Variable(np.zeros(3), name="w")
    for _ in range(8):
        order = rng.permutation(320)
        for k in range(0, 320, 32):
            rows = order[k : k + 32]
            with gt.GradientTape() as tape:
                loss = np.mean((x[rows] @ w - y[rows]) ** 2)
            w.assign_sub(0.05 * tape.gradient(loss, w))


def momentum(rng):
    x = rng.normal(size=(150, 3))
    y = np.exp(0.3 * (x @ rng.normal(size=3))) + rng.normal(0, 0.05, 150)
    w, b = gt.Variable(np.zeros(3), name="w"), gt.Variable(0.0, name="b")
    speed = [0.0, 0.0]
    for _ in range(150):
        with gt.GradientTape() as tape:
            loss = np.mean((np.exp(x @ w + b) - y) ** 2)
        for i, g in enumerate(tape.gradient(loss, [w, b])):
            speed[i] = 0.8 * speed[i] - 0.02 * g.numpy()
            (w, b)[i].assign_add(speed[i])


def adam(rng):
    x = rng.uniform(-1, 1, size=(150, 2))
    y = np.cos(2 * x[:, 0]) * x[:, 1]
    w1 = gt.Variable(rng.normal(size=(2, 10)), name="w1")
    w2 = gt.Variable(rng.normal(size=10) * 0.3, name="w2")
    first = [np.zeros((2, 10)), np.zeros(10)]
    second = [np.zeros((2, 10)), np.zeros(10)]
    for step in range(1, 201):
        with gt.GradientTape() as tape:
            loss = np.mean((np.tanh(x @ w1) @ w2 - y) ** 2)
        for i, g in enumerate(tape.gradient(loss, [w1, w2])):
            g = g.numpy()
            first[i] = 0.9 * first[i] + 0.1 * g
            second[i] = 0.99 * second[i] + 0.01 * g * g
            rise = first[i] / (1 - 0.9**step) / (np.sqrt(second[i] / (1 - 0.99**step)) + 1e-8)
            (w1, w2)[i].assign_sub(0.01 * rise)


KINDS = (line, plane, cubic, logistic, tanh_net, relu_net, softmax, minibatches, momentum, adam)
