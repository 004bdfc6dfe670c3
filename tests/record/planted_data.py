"""Loops whose inputs, targets or cost are wrong; what is to be named ends with `# here`."""

import numpy as np

import gradtape as gt
import gradtape.tf as tf


def _table(seed, n=200, k=3):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, k))
    return rng, x, x @ rng.normal(size=k) + rng.normal(0, 0.1, n)


def _houses(seed, n=256):
    rng = np.random.default_rng(seed)
    x = np.column_stack([
        rng.integers(1, 6, n), rng.uniform(400, 3500, n), rng.uniform(0, 1, n),
        rng.integers(1900, 2020, n),
    ]).astype(float)  # fmt: skip
    return rng, x, x @ [0.3, 0.002, 1.0, 0.01] - 18 + rng.normal(0, 0.2, n)


def _descend(cost, variables, steps, rate):
    for _ in range(steps):
        with gt.GradientTape() as tape:
            loss = cost()
        for v, g in zip(variables, tape.gradient(loss, variables), strict=True):
            v.assign_sub(rate * g)


# --------------------------------------------------------------------------------- unscaled inputs


def houses_in_batches():
    rng, x, y = _houses(1)
    w, b = gt.Variable(np.zeros(4), name="w"), gt.Variable(0.0, name="b")
    for _epoch in range(20):
        order = rng.permutation(len(x))
        for rows in np.split(order, 8):
            with gt.GradientTape() as tape:
                prediction = x[rows] @ w + b  # here
                loss = np.mean((prediction - y[rows]) ** 2)
            dw, db = tape.gradient(loss, [w, b])
            w.assign_sub(8e-8 * dw)
            b.assign_sub(8e-8 * db)


def years():
    rng = np.random.default_rng(2)
    year = rng.integers(1950, 2025, 90).astype(float)
    warming = 0.02 * (year - 1950) + rng.normal(0, 0.1, 90)
    slope, start = gt.Variable(0.0, name="slope"), gt.Variable(0.0, name="start")

    def cost():
        trend = start + slope * year  # here
        return np.mean((trend - warming) ** 2)

    _descend(cost, [slope, start], 300, 1e-7)


class Regression:
    """A linear model with a step of its own."""

    def __init__(self, features):
        self.weights = gt.Variable(np.zeros(features), name="weights")
        self.bias = gt.Variable(0.0, name="bias")

    def forward(self, x):
        return self.bias + np.dot(x, self.weights)  # here

    @gt.function
    def train(self, x, y):
        with gt.GradientTape() as tape:
            loss = np.mean(np.square(self.forward(x) - y))
        dw, db = tape.gradient(loss, [self.weights, self.bias])
        self.weights.assign_sub(1e-7 * dw)
        self.bias.assign_sub(1e-7 * db)
        return loss


def houses_in_a_class():
    _, x, y = _houses(3)
    model = Regression(4)
    for _ in range(200):
        model.train(x, y)


houses_in_a_class.marked = Regression


def houses_in_tensorflow():
    _, x, y = _houses(4)
    x, y = tf.constant(x, tf.float32), tf.constant(y, tf.float32)
    w, b = tf.Variable(tf.zeros([4, 1])), tf.Variable(tf.zeros([1]))
    for _epoch in range(200):
        with tf.GradientTape() as tape:
            guess = tf.matmul(x, w) + b  # here
            loss = tf.reduce_mean(tf.square(guess[:, 0] - y))
        dw, db = tape.gradient(loss, [w, b])
        w.assign_sub(1e-7 * dw)
        b.assign_sub(1e-7 * db)


# ------------------------------------------------------------------ labels shuffled against inputs


def batches_shuffled_apart():
    rng, x, y = _table(5, 320)
    w = gt.Variable(np.zeros(3), name="w")
    for _epoch in range(10):
        xs, ys = rng.permutation(x), rng.permutation(y)
        for k in range(0, len(x), 40):
            with gt.GradientTape() as tape:
                loss = np.mean((xs[k : k + 40] @ w - ys[k : k + 40]) ** 2)  # here
            w.assign_sub(0.02 * tape.gradient(loss, w))


def sorted_alone():
    rng = np.random.default_rng(6)
    x = rng.uniform(-2, 2, 150)
    y = np.sin(2 * x) + rng.normal(0, 0.1, 150)
    x.sort()
    c = gt.Variable(np.zeros(5), name="c")
    powers = np.stack([(x / 2) ** k for k in range(5)], axis=1)
    _descend(lambda: np.mean((powers @ c - y) ** 2), [c], 120, 0.3)  # here


def classes_in_tensorflow_shuffled():
    rng = np.random.default_rng(7)
    labels = rng.integers(0, 3, 240)
    x = (rng.normal(size=(240, 2)) + 2.5 * np.eye(3, 2)[labels]).astype(np.float32)
    rng.shuffle(labels)
    w, b = tf.Variable(tf.zeros([2, 3])), tf.Variable(tf.zeros([3]))
    for _ in range(80):
        with tf.GradientTape() as tape:
            logits = tf.matmul(x, w) + b
            entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)  # here
            loss = tf.reduce_mean(entropy)
        for v, g in zip([w, b], tape.gradient(loss, [w, b]), strict=True):
            v.assign_sub(0.2 * g)


def off_by_one():
    _, x, y = _table(8, 180)
    w = gt.Variable(np.zeros(3), name="w")
    x, y = x[:-1], y[1:]

    @gt.function
    def step():
        with gt.GradientTape() as tape:
            loss = np.mean((x @ w - y) ** 2)  # here
        w.assign_sub(0.1 * tape.gradient(loss, w))

    for _ in range(80):
        step()


# ------------------------------------------------------------------------------ a part is ignored


def first_half():
    _, x, y = _table(9, 100)
    w, b = gt.Variable(np.zeros(3), name="w"), gt.Variable(0.0, name="b")
    n = len(x)
    for _ in range(60):
        with gt.GradientTape() as tape:
            pred = x @ w + b
            loss = np.mean((pred[: n // 2] - y[: n // 2]) ** 2)  # here
        dw, db = tape.gradient(loss, [w, b])
        w.assign_sub(0.1 * dw)
        b.assign_sub(0.1 * db)


def every_second():
    _, x, y = _table(10, 120)
    w = gt.Variable(np.zeros(3), name="w")

    @gt.function
    def step():
        with gt.GradientTape() as tape:
            pred = x @ w
            loss = np.mean(np.abs(pred[::2] - y[::2]))  # here
        w.assign_sub(0.05 * tape.gradient(loss, w))

    for _ in range(60):
        step()


def a_mask_of_zeros():
    rng, x, y = _table(11, 120)
    mask = (np.arange(120) < 80).astype(float)
    w1 = gt.Variable(rng.normal(size=(3, 8)) * 0.5, name="w1")
    w2 = gt.Variable(rng.normal(size=8) * 0.5, name="w2")

    def cost():
        residual = np.tanh(x @ w1) @ w2 - y
        return np.sum(mask * residual**2) / len(y)  # here

    _descend(cost, [w1, w2], 60, 0.1)


def a_column_of_three_in_a_compiled_step():
    rng = np.random.default_rng(12)
    x = rng.normal(size=(90, 4))
    y = x @ rng.normal(size=(4, 3))
    w = gt.Variable(np.zeros((4, 3)), name="w")

    @gt.function
    def step():
        with gt.GradientTape() as tape:
            out = x @ w
            loss = np.mean((out[:, :2] - y[:, :2]) ** 2)  # here
        w.assign_sub(0.1 * tape.gradient(loss, w))

    for _ in range(60):
        step()


def tensorflow_first_rows():
    _, x, y = _table(13, 100)
    x, y = tf.constant(x, tf.float32), tf.constant(y, tf.float32)
    w = tf.Variable(tf.zeros([3, 1]))
    for _ in range(60):
        with tf.GradientTape() as tape:
            out = tf.matmul(x, w)[:, 0]
            loss = tf.reduce_mean((out[:40] - y[:40]) ** 2)  # here
        w.assign_sub(0.1 * tape.gradient(loss, w))


def rows_that_are_picked():
    _, x, y = _table(14, 100)
    w = gt.Variable(np.zeros(3), name="w")
    rows = np.arange(0, 60)
    _descend(lambda: np.mean(((x @ w)[rows] - y[rows]) ** 2), [w], 60, 0.1)  # here


# ------------------------------------------------------------------------------- n x n by broadcast


def sum_of_a_loss_vector():
    _, x, y = _table(15, 80)
    w, b = gt.Variable(np.zeros((3, 1)), name="w"), gt.Variable(np.zeros(1), name="b")
    for _ in range(60):
        with gt.GradientTape() as tape:
            pred = x @ w + b
            loss_vector = (pred - y) ** 2  # here
            loss = np.sum(loss_vector) / len(y)
        dw, db = tape.gradient(loss, [w, b])
        w.assign_sub(1e-3 * dw)
        b.assign_sub(1e-3 * db)


def cross_entropy_of_a_table():
    _, x, score = _table(16, 80)
    y = (score > 0).astype(int)
    w = gt.Variable(np.zeros((3, 1)), name="w")
    for _ in range(60):
        with gt.GradientTape() as tape:
            p = 1 / (1 + np.exp(-x @ w))
            loss = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))  # here
        w.assign_sub(0.5 * tape.gradient(loss, w))


def column_of_targets():
    _, x, y = _table(17, 80)
    y = y.reshape(-1, 1).astype(np.float32)
    x = x.astype(np.float32)
    w = gt.Variable(np.zeros(3, np.float32), name="w")

    def mse(prediction, target):
        return np.mean(np.square(target - prediction))  # here

    _descend(lambda: mse(np.dot(x, w), y), [w], 60, 0.1)


def tensorflow_batches_as_tables():
    rng, x, y = _table(18, 160)
    w = tf.Variable(tf.zeros([3, 1], tf.float64))

    @tf.function
    def train_step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(tf.matmul(x, w) - y))  # here
        w.assign_sub(0.05 * tape.gradient(loss, w))
        return loss

    for _epoch in range(10):
        order = rng.permutation(160)
        for k in range(0, 160, 40):
            rows = order[k : k + 40]
            train_step(tf.constant(x[rows]), tf.constant(y[rows]))


DATA_AND_COST = {
    houses_in_batches: "unscaled inputs",
    years: "unscaled inputs",
    houses_in_a_class: "unscaled inputs",
    houses_in_tensorflow: "unscaled inputs",
    batches_shuffled_apart: "labels unrelated",
    sorted_alone: "labels unrelated",
    classes_in_tensorflow_shuffled: "labels unrelated",
    off_by_one: "labels unrelated",
    first_half: "output ignored",
    every_second: "output ignored",
    a_mask_of_zeros: "output ignored",
    a_column_of_three_in_a_compiled_step: "output ignored",
    tensorflow_first_rows: "output ignored",
    rows_that_are_picked: "output ignored",
    sum_of_a_loss_vector: "broadcast",
    cross_entropy_of_a_table: "broadcast",
    column_of_targets: "broadcast",
    tensorflow_batches_as_tables: "broadcast",
}
