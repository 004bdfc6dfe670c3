"""One thing wrong in each, as users write them: rates, units, variables, NaN.

Optimizers by hand, mini-batches, float32, compiled steps, classes, the TensorFlow dialect. The line
that is to be named ends with `# here`. Loops whose data or cost are wrong: `planted_data.py`.
"""

import math

import numpy as np

import gradtape as gt
import gradtape.tf as tf


def _table(seed, n=200, k=3, dtype=float):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, k)).astype(dtype)
    return rng, x, (x @ rng.normal(size=k) + rng.normal(0, 0.1, n)).astype(dtype)


class Perceptron:
    """Two layers; what is between them is given."""

    def __init__(self, rng, inputs, hidden, between, bias=0.0, scale=1.0):
        self.w1 = gt.Variable(rng.normal(0, scale / np.sqrt(inputs), (inputs, hidden)), name="w1")
        self.b1 = gt.Variable(np.full(hidden, bias), name="b1")
        self.w2 = gt.Variable(rng.normal(0, 0.3, (hidden, 1)), name="w2")
        self.between = between

    @property
    def variables(self):
        return [self.w1, self.b1, self.w2]

    def __call__(self, x):
        return (self.between(x @ self.w1 + self.b1) @ self.w2)[:, 0]


def _fit(model, x, y, steps, rate):
    for _ in range(steps):
        with gt.GradientTape() as tape:
            loss = np.mean((model(x) - y) ** 2)
        gradients = tape.gradient(loss, model.variables)
        for variable, gradient in zip(model.variables, gradients, strict=True):
            variable.assign_sub(rate * gradient)


# ------------------------------------------------------------------------- learning rate too high


def momentum_in_batches_too_high():
    rng, x, y = _table(1, 256)
    w = gt.Variable(np.zeros(3), name="w")
    velocity = np.zeros(3)
    with np.errstate(all="ignore"):
        for _epoch in range(12):
            order = rng.permutation(len(x))
            for i in range(0, len(x), 32):
                batch = order[i : i + 32]
                with gt.GradientTape() as tape:
                    loss = np.mean((x[batch] @ w - y[batch]) ** 2)
                velocity = 0.9 * velocity - 2.5 * tape.gradient(loss, w).numpy()
                w.assign_add(velocity)  # here


def compiled_float32_too_high():
    _, x, y = _table(2, dtype=np.float32)
    w = gt.Variable(np.zeros(3, np.float32), name="w")
    b = gt.Variable(np.float32(0.0), name="b")

    @gt.function
    def train_step(x, y):
        with gt.GradientTape() as tape:
            error = x @ w + b - y
            loss = np.mean(error * error)
        dw, db = tape.gradient(loss, [w, b])
        w.assign_sub(np.float32(1.4) * dw)  # here
        b.assign_sub(np.float32(1.4) * db)
        return loss

    with np.errstate(all="ignore"):
        for _ in range(60):
            train_step(x, y)


def tensorflow_script_too_high():
    _, x, y = _table(3, dtype=np.float32)
    w = tf.Variable(tf.zeros([3, 1]), name="w")
    x, y = tf.constant(x), tf.constant(y[:, None])
    with np.errstate(all="ignore"):
        for _ in range(50):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(tf.matmul(x, w) - y))
            grad = tape.gradient(loss, w)
            w.assign_sub(1.7 * grad)  # here


def adam_that_jumps_about():
    rng, x, y = _table(4)
    model = Perceptron(rng, 3, 16, np.tanh)
    m = [np.zeros(v.shape) for v in model.variables]
    s = [np.zeros(v.shape) for v in model.variables]
    for t in range(1, 121):
        with gt.GradientTape() as tape:
            loss = np.mean((model(x) - y) ** 2)
        for i, g in enumerate(tape.gradient(loss, model.variables)):
            m[i] = 0.9 * m[i] + 0.1 * g.numpy()
            s[i] = 0.999 * s[i] + 0.001 * g.numpy() ** 2
            hat = m[i] / (1 - 0.9**t) / (np.sqrt(s[i] / (1 - 0.999**t)) + 1e-8)
            model.variables[i].assign_sub(3.0 * hat)  # here


def exponential_fit_too_high():
    rng = np.random.default_rng(5)
    t = np.linspace(0, 4, 60)
    measured = 3.0 * np.exp(-0.8 * t) + rng.normal(0, 0.02, 60)
    amplitude, decay = gt.Variable(1.0, name="amplitude"), gt.Variable(0.1, name="decay")
    with np.errstate(all="ignore"):
        for _step in range(100):
            with gt.GradientTape() as tape:
                loss = np.sum((amplitude * np.exp(-decay * t) - measured) ** 2)
            da, dd = tape.gradient(loss, (amplitude, decay))
            amplitude -= 0.2 * da  # here
            decay -= 0.2 * dd


# -------------------------------------------------------------------------- learning rate too low


def batches_too_low():
    rng, x, y = _table(6, 320)
    w, b = gt.Variable(np.zeros(3), name="w"), gt.Variable(0.0, name="b")
    for _epoch in range(15):
        order = rng.permutation(len(x))
        for rows in np.split(order, 10):
            with gt.GradientTape() as tape:
                loss = np.mean((x[rows] @ w + b - y[rows]) ** 2)
            grads = tape.gradient(loss, [w, b])
            w.assign_sub(1e-6 * grads[0])  # here
            b.assign_sub(1e-6 * grads[1])


def adam_too_low():
    rng, x, y = _table(7)
    model = Perceptron(rng, 3, 8, np.tanh)
    m = [np.zeros(v.shape) for v in model.variables]
    s = [np.zeros(v.shape) for v in model.variables]
    for t in range(1, 151):
        with gt.GradientTape() as tape:
            loss = np.mean((model(x) - y) ** 2)
        for i, g in enumerate(tape.gradient(loss, model.variables)):
            m[i] = 0.9 * m[i] + 0.1 * g.numpy()
            s[i] = 0.999 * s[i] + 0.001 * g.numpy() ** 2
            hat = m[i] / (1 - 0.9**t) / (np.sqrt(s[i] / (1 - 0.999**t)) + 1e-8)
            model.variables[i].assign_sub(1e-7 * hat)  # here


def compiled_too_low():
    _, x, y = _table(8, dtype=np.float32)
    w = gt.Variable(np.zeros(3, np.float32), name="w")

    @gt.function
    def train_step():
        with gt.GradientTape() as tape:
            loss = np.mean(np.square(x @ w - y))
        w.assign_sub(np.float32(1e-5) * tape.gradient(loss, w))  # here

    for _ in range(150):
        train_step()


def classifier_with_momentum_too_low():
    rng, x, score = _table(9)
    y = (score > 0).astype(float)
    w = gt.Variable(rng.normal(size=3) * 0.1, name="w")
    speed = 0.0
    for _ in range(120):
        with gt.GradientTape() as tape:
            p = 1 / (1 + np.exp(-(x @ w)))
            loss = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
        speed = 0.9 * speed + tape.gradient(loss, w).numpy()
        w.assign_sub(1e-6 * speed)  # here


# ------------------------------------------------------------------------------------- dead units


def dead_where():
    rng, x, y = _table(10)

    def between(z):
        return np.where(z > 0, z, 0.0)  # here

    _fit(Perceptron(rng, 3, 24, between, bias=-12.0), x, y, 60, 0.05)


def dead_product_with_a_mask():
    rng, x, y = _table(11)

    def relu(z):
        return z * (z > 0)  # here

    _fit(Perceptron(rng, 3, 24, relu, bias=-9.0), x, y, 60, 0.05)


def dead_in_tensorflow():
    rng, x, y = _table(12, dtype=np.float32)
    w1 = tf.Variable(rng.normal(size=(3, 20)).astype(np.float32))
    b1 = tf.Variable(tf.fill([20], -15.0))
    w2 = tf.Variable(rng.normal(size=(20, 1)).astype(np.float32))
    targets = tf.constant(y[:, None])
    for _ in range(60):
        with tf.GradientTape() as tape:
            hidden = tf.nn.relu(tf.matmul(tf.constant(x), w1) + b1)  # here
            loss = tf.reduce_mean((tf.matmul(hidden, w2) - targets) ** 2)
        for v, g in zip([w1, b1, w2], tape.gradient(loss, [w1, b1, w2]), strict=True):
            v.assign_sub(0.05 * g)


def died_in_the_first_step():
    rng, x, y = _table(13)
    x = np.abs(x)
    y = 8.0 + x @ np.array([0.5, -0.3, 0.2])
    w1 = gt.Variable(np.abs(rng.normal(size=(3, 12))), name="w1")
    w2 = gt.Variable(np.abs(rng.normal(size=12)), name="w2")
    b2 = gt.Variable(60.0, name="b2")
    for _ in range(80):
        with gt.GradientTape() as tape:
            h = np.maximum(0.0, x @ w1)  # here
            loss = np.mean((h @ w2 + b2 - y) ** 2)
        for v, g in zip((w1, w2, b2), tape.gradient(loss, [w1, w2, b2]), strict=True):
            v.assign_sub(0.05 * g)


def dead_clip_compiled():
    rng, x, y = _table(14)
    w1 = gt.Variable(rng.normal(size=(3, 16)), name="w1")
    b1 = gt.Variable(np.full(16, -10.0), name="b1")
    w2 = gt.Variable(rng.normal(size=16), name="w2")

    @gt.function
    def step():
        with gt.GradientTape() as tape:
            h = np.clip(x @ w1 + b1, 0.0, None)  # here
            loss = np.mean((h @ w2 - y) ** 2)
        d1, db, d2 = tape.gradient(loss, [w1, b1, w2])
        w1.assign_sub(0.05 * d1)
        b1.assign_sub(0.05 * db)
        w2.assign_sub(0.05 * d2)

    for _ in range(60):
        step()


# --------------------------------------------------------------------------------- saturated units


def saturated_by_pixels():
    rng = np.random.default_rng(15)
    pixels = rng.integers(0, 256, (120, 16)).astype(float)
    y = (pixels.mean(axis=1) > 127.5) * 2.0 - 1.0

    def between(z):
        return np.tanh(z)  # here

    _fit(Perceptron(rng, 16, 12, between, scale=4.0), pixels, y, 60, 0.01)


def saturated_half_tanh():
    rng, x, y = _table(16)
    w1 = gt.Variable(rng.normal(0, 300, (3, 12)), name="w1")
    w2 = gt.Variable(rng.normal(0, 0.1, 12), name="w2")
    for _ in range(60):
        with gt.GradientTape() as tape:
            z = x @ w1
            hidden = 0.5 * (1.0 + np.tanh(0.5 * z))  # here
            loss = np.mean((hidden @ w2 - y) ** 2)
        d1, d2 = tape.gradient(loss, [w1, w2])
        w1.assign_sub(0.02 * d1)
        w2.assign_sub(0.02 * d2)


def saturated_in_tensorflow():
    rng, x, y = _table(17, dtype=np.float32)
    w1 = tf.Variable((400 * rng.normal(size=(3, 12))).astype(np.float32))
    w2 = tf.Variable((0.1 * rng.normal(size=(12, 1))).astype(np.float32))
    for _ in range(60):
        with tf.GradientTape() as tape:
            hidden = tf.sigmoid(x @ w1)  # here
            loss = tf.reduce_mean(tf.square((hidden @ w2)[:, 0] - y))
        g1, g2 = tape.gradient(loss, [w1, w2])
        w1.assign_sub(0.02 * g1)
        w2.assign_sub(0.02 * g2)


def saturated_exp_over_one_plus_exp():
    rng, x, y = _table(18)

    def sigmoid(z):
        e = np.exp(np.clip(z, -300, 300))
        return e / (1 + e)  # here

    _fit(Perceptron(rng, 3, 12, sigmoid, scale=600.0), x, y, 60, 0.02)


def _deep(rng, widths, scale):
    return [gt.Variable(rng.normal(0, scale / np.sqrt(a), (a, b)), name=f"w{i}")
            for i, (a, b) in enumerate(zip(widths, widths[1:], strict=False))]  # fmt: skip


def deep_sigmoids_vanish():
    rng, x, y = _table(19)
    weights = _deep(rng, [3] + [12] * 10 + [1], 1.0)
    for _ in range(80):
        with gt.GradientTape() as tape:
            h = x
            for w in weights[:-1]:
                h = 1.0 / (1.0 + np.exp(-(h @ w)))  # here
            loss = np.mean(((h @ weights[-1])[:, 0] - y) ** 2)
        for w, g in zip(weights, tape.gradient(loss, weights), strict=True):
            w.assign_sub(0.05 * g)


def deep_tanh_vanishes():
    rng, x, y = _table(20)
    weights = _deep(rng, [3] + [16] * 9 + [1], 0.2)
    for _ in range(80):
        with gt.GradientTape() as tape:
            h = x
            for w in weights[:-1]:
                h = np.tanh(h @ w)  # here
            loss = np.mean(((h @ weights[-1])[:, 0] - y) ** 2)
        for w, g in zip(weights, tape.gradient(loss, weights), strict=True):
            w.assign_sub(0.05 * g)


def deep_relu_explodes():
    rng, x, y = _table(21)
    weights = _deep(rng, [3] + [32] * 10 + [1], 6.0)
    with np.errstate(all="ignore"):
        for _ in range(20):
            with gt.GradientTape() as tape:
                h = x
                for w in weights[:-1]:
                    h = np.maximum(h @ w, 0.0)  # here
                loss = np.mean(((h @ weights[-1])[:, 0] - y) ** 2)
            for w, g in zip(weights, tape.gradient(loss, weights), strict=True):
                w.assign_sub(1e-4 * g)


# --------------------------------------------------------------------- values that left the tape


def through_numpy():
    _, x, y = _table(22)
    w = gt.Variable(np.ones(3), name="w")
    scale = gt.Variable(0.5, name="scale")
    for _ in range(40):
        with gt.GradientTape() as tape:
            prediction = (x @ w).numpy() * scale  # here
            loss = np.mean((prediction - y) ** 2)
        dw, ds = tape.gradient(loss, [w, scale])
        if dw is not None:
            w.assign_sub(0.1 * dw)
        scale.assign_sub(0.1 * ds)


def through_math():
    rng = np.random.default_rng(23)
    t = np.linspace(0, 6, 80)
    y = np.sin(t + 0.4) + rng.normal(0, 0.05, 80)
    phase, gain = gt.Variable(0.1, name="phase"), gt.Variable(0.5, name="gain")
    for _ in range(50):
        with gt.GradientTape() as tape:
            model = gain * (np.sin(t) * math.cos(phase) + np.cos(t) * math.sin(phase))  # here
            loss = np.mean((model - y) ** 2)
        dp, dg = tape.gradient(loss, [phase, gain])
        if dp is not None:
            phase.assign_sub(0.1 * dp)
        gain.assign_sub(0.1 * dg)


def through_a_list():
    _, x, y = _table(24)
    a, b = gt.Variable(0.1, name="a"), gt.Variable(0.2, name="b")
    offset = gt.Variable(0.0, name="offset")
    for _ in range(40):
        with gt.GradientTape() as tape:
            weights = np.array([a.numpy(), b.numpy(), 1.0])  # here
            loss = np.mean((x @ weights + offset - y) ** 2)
        for v, g in zip((a, b, offset), tape.gradient(loss, [a, b, offset]), strict=True):
            if g is not None:
                v.assign_sub(0.1 * g)


def tensorflow_through_numpy():
    _, x, y = _table(25, dtype=np.float32)
    w, b = tf.Variable(tf.ones([3, 1])), tf.Variable(0.0)
    for _ in range(40):
        with tf.GradientTape() as tape:
            hidden = np.tanh(tf.matmul(x, w).numpy())  # here
            loss = tf.reduce_mean((tf.constant(hidden)[:, 0] + b - y) ** 2)
        dw, db = tape.gradient(loss, [w, b])
        if dw is not None:
            w.assign_sub(0.1 * dw)
        b.assign_sub(0.1 * db)


# ---------------------------------------------------------------------- never watched, never used


def a_constant_that_was_meant_to_learn():
    _, x, y = _table(26, dtype=np.float32)
    w, b = tf.Variable(tf.zeros([3])), tf.constant(0.3)
    for _ in range(40):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((tf.linalg.matvec(x, w) + b - y) ** 2)
        dw, db = tape.gradient(loss, [w, b])  # here
        w.assign_sub(0.1 * dw)
        if db is not None:
            b = b - 0.1 * db


def a_bias_that_the_model_forgot():
    _, x, y = _table(27)
    w, b = gt.Variable(np.zeros(3), name="w"), gt.Variable(0.0, name="b")  # here
    for _ in range(40):
        with gt.GradientTape() as tape:
            loss = np.mean((x @ w - y) ** 2)
        dw, db = tape.gradient(loss, [w, b])
        w.assign_sub(0.1 * dw)
        if db is not None:
            b.assign_sub(0.1 * db)


def a_frozen_layer():
    rng, x, y = _table(28)
    w1 = gt.Variable(rng.normal(size=(3, 8)), trainable=False, name="w1")  # here
    w2 = gt.Variable(rng.normal(size=8), name="w2")
    for _ in range(40):
        with gt.GradientTape() as tape:
            loss = np.mean((np.tanh(x @ w1) @ w2 - y) ** 2)
        gradients = tape.gradient(loss, [w1, w2])
        for v, g in zip([w1, w2], gradients, strict=True):
            if g is not None:
                v.assign_sub(0.1 * g)


# ----------------------------------------------------------------------------------- not finite


def softmax_that_overflows():
    rng = np.random.default_rng(29)
    labels = rng.integers(0, 3, 150)
    x = (rng.normal(size=(150, 4)) + labels[:, None]).astype(np.float32)
    onehot = np.eye(3, dtype=np.float32)[labels]
    w = gt.Variable(rng.normal(size=(4, 3)).astype(np.float32), name="w")
    with np.errstate(all="ignore"):
        for step in range(60):
            batch = rng.integers(0, 150, 50)
            with gt.GradientTape() as tape:
                e = np.exp((1 + step) * (x[batch] @ w))  # here
                p = e / np.sum(e, axis=1, keepdims=True)
                loss = -np.mean(np.sum(onehot[batch] * np.log(p), axis=1))
            w.assign_sub(np.float32(0.1) * tape.gradient(loss, w))


def distance_of_nothing():
    rng = np.random.default_rng(30)
    points = rng.normal(size=(40, 2))
    centre = gt.Variable(points[3], name="centre")
    with np.errstate(all="ignore"):
        for _ in range(30):
            with gt.GradientTape() as tape:
                d = np.sqrt(np.sum((points - centre) ** 2, axis=1))  # here
                loss = np.mean(d)
            centre.assign_sub(0.1 * tape.gradient(loss, centre))


def standardised_constant_column():
    _, x, y = _table(31)
    x[:, 1] = 4.0
    w = gt.Variable(np.zeros(3), name="w")
    gain = gt.Variable(np.ones(3), name="gain")
    with np.errstate(all="ignore"):
        for _ in range(20):
            with gt.GradientTape() as tape:
                z = gain * x
                z = (z - np.mean(z, axis=0)) / np.std(z, axis=0)  # here
                loss = np.mean((z @ w - y) ** 2)
            dw, dg = tape.gradient(loss, [w, gain])
            w.assign_sub(0.1 * dw)
            gain.assign_sub(0.1 * dg)


def power_of_a_negative_number():
    rng = np.random.default_rng(32)
    x = rng.uniform(0.2, 1.0, 60)
    p, shift = gt.Variable(1.5, name="p"), gt.Variable(0.0, name="shift")
    with np.errstate(all="ignore"):
        for _ in range(60):
            with gt.GradientTape() as tape:
                loss = np.mean(((x - shift) ** p + 2.0) ** 2)  # here
            dp, ds = tape.gradient(loss, [p, shift])
            p.assign_sub(0.05 * dp)
            shift.assign_sub(0.05 * ds)


def tensorflow_log_of_zero():
    rng, x, score = _table(33, dtype=np.float32)
    y = tf.constant((score > 0).astype(np.float32))
    w = tf.Variable(rng.normal(size=3).astype(np.float32))
    with np.errstate(all="ignore"):
        for _ in range(100):
            with tf.GradientTape() as tape:
                p = tf.sigmoid(40.0 * tf.linalg.matvec(x, w))
                loss = -tf.reduce_mean(y * tf.math.log(p) + (1 - y) * tf.math.log(1 - p))  # here
            w.assign_sub(0.1 * tape.gradient(loss, w))


RATES_UNITS_AND_VARIABLES = {
    momentum_in_batches_too_high: "learning rate too high",
    compiled_float32_too_high: "learning rate too high",
    tensorflow_script_too_high: "learning rate too high",
    adam_that_jumps_about: "learning rate too high",
    exponential_fit_too_high: "learning rate too high",
    batches_too_low: "learning rate too low",
    adam_too_low: "learning rate too low",
    compiled_too_low: "learning rate too low",
    classifier_with_momentum_too_low: "learning rate too low",
    dead_where: "dead units",
    dead_product_with_a_mask: "dead units",
    dead_in_tensorflow: "dead units",
    died_in_the_first_step: "dead units",
    dead_clip_compiled: "dead units",
    saturated_by_pixels: "saturated units",
    saturated_half_tanh: "saturated units",
    saturated_in_tensorflow: "saturated units",
    saturated_exp_over_one_plus_exp: "saturated units",
    deep_sigmoids_vanish: "vanishing gradient",
    deep_tanh_vanishes: "vanishing gradient",
    deep_relu_explodes: "exploding gradient",
    through_numpy: "value left the tape",
    through_math: "value left the tape",
    through_a_list: "value left the tape",
    tensorflow_through_numpy: "value left the tape",
    a_constant_that_was_meant_to_learn: "never watched",
    a_bias_that_the_model_forgot: "never watched",
    a_frozen_layer: "never watched",
    softmax_that_overflows: "not finite",
    distance_of_nothing: "not finite",
    standardised_constant_column: "not finite",
    power_of_a_negative_number: "not finite",
    tensorflow_log_of_zero: "not finite",
}
