"""Thirty further kinds of training loops with nothing wrong, written after the rules stood.

Attention, gates, graphs, games of masks, gradients that are gathered or asked for twice: held out
while the rules of a diagnosis were made. Of sixty such runs eleven drew an alarm at first, from
six kinds; the rules have been mended since.
"""

import numpy as np

import gradtape as gt
import gradtape.tf as tf
from tests.record.healthy_scripts import Adam


def _data(rng, n=160, k=3, noise=0.2):
    x = rng.normal(size=(n, k))
    return x, x @ rng.normal(size=k) + rng.normal(0, noise, n)


def _train(cost, variables, steps, rate):
    for _ in range(steps):
        with gt.GradientTape() as tape:
            loss = cost()
        for v, g in zip(variables, tape.gradient(loss, variables), strict=True):
            v.assign_sub(rate * g)


def _adam(cost, variables, steps, rate):
    adam = Adam(variables, rate)
    for _ in range(steps):
        with gt.GradientTape() as tape:
            loss = cost()
        adam.apply(tape.gradient(loss, variables))


def accumulated_gradients(rng):
    x, y = _data(rng)
    w = gt.Variable(np.zeros(3), name="w")
    for _ in range(40):
        total = np.zeros(3)
        for part in np.split(rng.permutation(160), 4):
            with gt.GradientTape() as tape:
                loss = np.mean((x[part] @ w - y[part]) ** 2)
            total += tape.gradient(loss, w).numpy()
        w.assign_sub(0.1 * total / 4)


def sharpness_aware(rng):
    x, y = _data(rng)
    w = gt.Variable(np.zeros(3), name="w")
    for _ in range(60):
        with gt.GradientTape() as tape:
            loss = np.mean((x @ w - y) ** 2)
        g = tape.gradient(loss, w).numpy()
        away = 0.05 * g / (np.linalg.norm(g) + 1e-12)
        w.assign_add(away)
        with gt.GradientTape() as tape:
            loss = np.mean((x @ w - y) ** 2)
        there = tape.gradient(loss, w)
        w.assign_sub(away)
        w.assign_sub(0.1 * there)


def triplets(rng):
    labels = rng.integers(0, 4, 120)
    x = rng.normal(size=(4, 6))[labels] + rng.normal(0, 0.4, (120, 6))
    w = gt.Variable(rng.normal(size=(6, 2)) * 0.4, name="w")
    for _ in range(100):
        a = rng.integers(0, 120, 40)
        p = np.array([rng.choice(np.flatnonzero(labels == labels[i])) for i in a])
        n = np.array([rng.choice(np.flatnonzero(labels != labels[i])) for i in a])
        with gt.GradientTape() as tape:
            e = x @ w
            near, far = np.sum((e[a] - e[p]) ** 2, axis=1), np.sum((e[a] - e[n]) ** 2, axis=1)
            loss = np.mean(np.maximum(near - far + 1.0, 0.0))
        w.assign_sub(0.05 * tape.gradient(loss, w))


def ratings_with_a_mask(rng):
    true = rng.normal(size=(25, 2)) @ rng.normal(size=(2, 18))
    mask = (rng.random((25, 18)) < 0.4).astype(float)
    u = gt.Variable(rng.normal(size=(25, 2)) * 0.5, name="u")
    v = gt.Variable(rng.normal(size=(2, 18)) * 0.5, name="v")
    _adam(lambda: np.sum(mask * (u @ v - true) ** 2) / mask.sum(), [u, v], 150, 0.05)


def semi_supervised_graph(rng):
    labels = np.repeat([0, 1], 40)
    links = (rng.random((80, 80)) < np.where(labels[:, None] == labels, 0.15, 0.02)) + np.eye(80)
    links = links / links.sum(axis=1, keepdims=True)
    x = rng.normal(size=(80, 5)) + labels[:, None] * 0.5
    rows = rng.permutation(80)[:12]
    onehot = np.eye(2)[labels]
    w1 = gt.Variable(rng.normal(size=(5, 8)) * 0.5, name="w1")
    w2 = gt.Variable(rng.normal(size=(8, 2)) * 0.5, name="w2")

    def cost():
        z = links @ np.maximum(links @ x @ w1, 0) @ w2
        logp = z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))
        return -np.mean(np.sum(onehot[rows] * logp[rows], axis=1))

    _train(cost, [w1, w2], 80, 0.3)


def attention(rng):
    tokens = rng.normal(size=(30, 6, 8))
    target = tokens[:, 2] @ rng.normal(size=8)
    future = np.triu(np.full((6, 6), -1e9), 1)
    q, k, v = (gt.Variable(rng.normal(size=(8, 8)) * 0.35, name=n) for n in "qkv")
    out = gt.Variable(rng.normal(size=8) * 0.35, name="out")

    def cost():
        scores = tokens @ q @ np.swapaxes(tokens @ k, 1, 2) / np.sqrt(8) + future
        e = np.exp(scores - np.max(scores, axis=2, keepdims=True))
        mixed = e / np.sum(e, axis=2, keepdims=True) @ (tokens @ v)
        return np.mean((mixed[:, -1] @ out - target) ** 2)

    _adam(cost, [q, k, v, out], 80, 0.01)


def gated_recurrence(rng):
    series = rng.normal(size=(40, 10))
    target = np.mean(series[:, -4:], axis=1)
    w = gt.Variable(rng.normal(size=(7, 24)) * 0.4, name="w")
    b = gt.Variable(np.zeros(24), name="b")
    out = gt.Variable(rng.normal(size=6) * 0.4, name="out")

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    def cost():
        h, c = np.zeros((40, 6)), np.zeros((40, 6))
        for t in range(10):
            z = np.concatenate([series[:, t : t + 1], h], axis=1) @ w + b
            i, f, o = sigmoid(z[:, :6]), sigmoid(z[:, 6:12] + 1), sigmoid(z[:, 12:18])
            c = f * c + i * np.tanh(z[:, 18:])
            h = o * np.tanh(c)
        return np.mean((h @ out - target) ** 2)

    _adam(cost, [w, b, out], 50, 0.02)


def differential_equation(rng):
    t = np.linspace(0, 2, 30)[:, None]
    w1 = gt.Variable(rng.normal(size=(1, 12)), name="w1")
    b1 = gt.Variable(rng.normal(size=12), name="b1")
    w2 = gt.Variable(rng.normal(size=(12, 1)) * 0.3, name="w2")

    def cost():
        h = np.tanh(t @ w1 + b1)
        y, slope = 1 + t * (h @ w2), h @ w2 + t * (((1 - h**2) * w1) @ w2)
        return np.mean((slope + y) ** 2)

    _adam(cost, [w1, b1, w2], 150, 0.02)


def ninetieth_percentile(rng):
    x, y = _data(rng, noise=1.0)
    w, b = gt.Variable(np.zeros(3), name="w"), gt.Variable(0.0, name="b")

    def cost():
        r = y - (x @ w + b)
        return np.mean(np.where(r > 0, 0.9 * r, -0.1 * r))

    _train(cost, [w, b], 200, 0.3)


def curriculum(rng):
    x, y = _data(rng)
    order = np.argsort(np.abs(y))
    x, y = x[order], y[order]
    w = gt.Variable(np.zeros(3), name="w")
    for step in range(120):
        known = 40 + step
        with gt.GradientTape() as tape:
            loss = np.mean((x[:known] @ w - y[:known]) ** 2)
        w.assign_sub(0.1 * tape.gradient(loss, w))


def cyclic_rate(rng):
    x, y = _data(rng, noise=0.5)
    w = gt.Variable(np.zeros(3), name="w")
    for step in range(200):
        rows = rng.integers(0, 160, 16)
        with gt.GradientTape() as tape:
            loss = np.mean((x[rows] @ w - y[rows]) ** 2)
        w.assign_sub((0.01 + 0.15 * abs((step / 20) % 2 - 1)) * tape.gradient(loss, w))


def clipped_gradients_in_tensorflow(rng):
    x, y = _data(rng)
    x, y = tf.constant(x, tf.float32), tf.constant(y[:, None], tf.float32)
    w1 = tf.Variable(rng.normal(size=(3, 16)).astype(np.float32) * 0.5)
    w2 = tf.Variable(rng.normal(size=(16, 1)).astype(np.float32) * 0.3)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(tf.nn.elu(x @ w1) @ w2 - y))
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, [w1, w2]), 1.0)
        for v, g in zip([w1, w2], gradients, strict=True):
            v.assign_sub(0.1 * g)

    for _ in range(120):
        step()


def soft_thresholds(rng):
    x = rng.normal(size=(100, 20))
    y = x[:, :3] @ [2.0, -1.0, 0.5] + rng.normal(0, 0.1, 100)
    w = gt.Variable(np.zeros(20), name="w")
    for _ in range(150):
        with gt.GradientTape() as tape:
            loss = np.mean((x @ w - y) ** 2)
        z = w.numpy() - 0.2 * tape.gradient(loss, w).numpy()
        w.assign(np.sign(z) * np.maximum(np.abs(z) - 0.02, 0))


def kernel_on_every_point(rng):
    x = np.sort(rng.uniform(-3, 3, 70))
    y = np.sin(2 * x) + rng.normal(0, 0.1, 70)
    log_width = gt.Variable(0.0, name="log_width")
    a = gt.Variable(np.zeros(70), name="a")

    def cost():
        basis = np.exp(-((x[:, None] - x) ** 2) / np.exp(log_width))
        return np.mean((basis @ a - y) ** 2) + 1e-3 * np.sum(a**2)

    _adam(cost, [log_width, a], 150, 0.05)


def gaussian_process(rng):
    x = np.sort(rng.uniform(0, 5, 30))
    y = np.sin(x) + rng.normal(0, 0.1, 30)
    square = (x[:, None] - x[None, :]) ** 2
    scale, noise = gt.Variable(0.0, name="scale"), gt.Variable(-2.0, name="noise")

    def cost():
        k = np.exp(-0.5 * square / np.exp(scale)) + np.exp(noise) * np.eye(30)
        low = np.linalg.cholesky(k)
        return 0.5 * y @ np.linalg.solve(k, y) + np.sum(np.log(np.diagonal(low)))

    _adam(cost, [scale, noise], 80, 0.05)


def fine_tuning(rng):
    x, y = _data(rng, 320)
    first = np.linalg.lstsq(x, y, rcond=None)[0]
    w = gt.Variable(first + 0.1 * rng.normal(size=3), name="w")
    b = gt.Variable(0.3, name="b")
    for _ in range(5):
        for rows in np.split(rng.permutation(320), 10):
            with gt.GradientTape() as tape:
                loss = np.mean((x[rows] @ w + b - y[rows]) ** 2)
            for v, g in zip((w, b), tape.gradient(loss, [w, b]), strict=True):
                v.assign_sub(0.02 * g)


def first_steps_of_a_deep_network(rng):
    x, y = _data(rng)
    widths = [3, 16, 16, 16, 16, 16, 1]
    weights = [gt.Variable(rng.normal(0, 1 / np.sqrt(a), (a, b)), name=f"w{a}{i}")
               for i, (a, b) in enumerate(zip(widths, widths[1:], strict=False))]  # fmt: skip

    def cost():
        h = x
        for w in weights[:-1]:
            h = np.tanh(h @ w)
        return np.mean(((h @ weights[-1])[:, 0] - y) ** 2)

    _adam(cost, weights, 25, 1e-3)


def counts(rng):
    x, _ = _data(rng)
    seen = rng.poisson(np.exp(4 + x @ [0.3, -0.2, 0.1]))
    w, b = gt.Variable(np.zeros(3), name="w"), gt.Variable(3.0, name="b")
    _train(lambda: np.mean(np.exp(x @ w + b) - seen * (x @ w + b)), [w, b], 120, 0.005)


def huber(rng):
    x, y = _data(rng)
    y[::10] += 20
    w = gt.Variable(np.zeros(3), name="w")

    def cost():
        r = np.abs(x @ w - y)
        return np.mean(np.where(r < 1, 0.5 * r**2, r - 0.5))

    _train(cost, [w], 120, 0.3)


def shortest_path(rng):
    middle = gt.Variable(np.linspace([0.0, 0], [1, 1], 20)[1:-1] + rng.normal(0, 0.1, (18, 2)),
                         name="middle")  # fmt: skip
    ends = np.zeros((1, 2)), np.ones((1, 2))

    def cost():
        path = np.concatenate([ends[0], middle, ends[1]])
        steps = path[1:] - path[:-1]
        return np.sum(np.sum(steps**2, axis=1) * (1 + path[1:, 0] ** 2))

    _train(cost, [middle], 200, 0.1)


def labels_with_much_noise(rng):
    x, y = _data(rng, 300)
    y = (y > 0).astype(float)
    wrong = rng.random(300) < 0.3
    y[wrong] = 1 - y[wrong]
    w = gt.Variable(np.zeros(3), name="w")
    _train(lambda: np.mean(np.logaddexp(0, x @ w) - y * (x @ w)), [w], 100, 0.5)


def one_feature_of_forty(rng):
    x = rng.normal(size=(200, 40))
    y = x[:, 7] + rng.normal(0, 1.0, 200)
    w = gt.Variable(np.zeros(40), name="w")
    _train(lambda: np.mean((x @ w - y) ** 2) + 0.05 * np.sum(w**2), [w], 100, 0.1)


def fast_wave(rng):
    x = np.sort(rng.uniform(0, 1, 90))
    y = np.sin(25 * x) + rng.normal(0, 0.1, 90)
    a, f = gt.Variable(0.5, name="a"), gt.Variable(24.5, name="f")
    _adam(lambda: np.mean((a * np.sin(f * x) - y) ** 2), [a, f], 120, 0.02)


def parity(rng):
    bits = np.array(np.meshgrid(*[[-1.0, 1.0]] * 6)).reshape(6, -1).T
    y = np.prod(bits, axis=1)
    w1 = gt.Variable(rng.normal(size=(6, 32)) * 0.6, name="w1")
    b1 = gt.Variable(rng.normal(size=32) * 0.5, name="b1")
    w2 = gt.Variable(rng.normal(size=32) * 0.3, name="w2")
    _adam(lambda: np.mean((np.tanh(bits @ w1 + b1) @ w2 - y) ** 2), [w1, b1, w2], 200, 0.02)


def two_tasks(rng):
    x, y = _data(rng)
    side = (x[:, 0] > 0).astype(float)
    body = gt.Variable(rng.normal(size=(3, 10)) * 0.5, name="body")
    heads = gt.Variable(rng.normal(size=(10, 2)) * 0.3, name="heads")

    def cost():
        out = np.tanh(x @ body) @ heads
        entropy = np.logaddexp(0, out[:, 1]) - side * out[:, 1]
        return np.mean((out[:, 0] - y) ** 2) + np.mean(entropy)

    _train(cost, [body, heads], 120, 0.1)


def mean_and_spread(rng):
    x, y = _data(rng)
    w = gt.Variable(np.zeros((3, 2)), name="w")

    def cost():
        out = x @ w
        return np.mean(0.5 * (out[:, 0] - y) ** 2 * np.exp(-out[:, 1]) + 0.5 * out[:, 1])

    _adam(cost, [w], 120, 0.03)


def pruned(rng):
    x, y = _data(rng)
    keep = rng.random((3, 20)) < 0.5
    keep[:, 0] = True
    w1 = gt.Variable(rng.normal(size=(3, 20)), name="w1")
    w2 = gt.Variable(rng.normal(size=20) * 0.3, name="w2")
    _train(lambda: np.mean((np.tanh(x @ (w1 * keep)) @ w2 - y) ** 2), [w1, w2], 120, 0.1)


def annealed_temperature(rng):
    x, y = _data(rng)
    w = gt.Variable(rng.normal(size=3) * 0.1, name="w")
    y = (y > 0).astype(float)
    for step in range(120):
        t = 5.0 * 0.97**step + 0.5
        with gt.GradientTape() as tape:
            z = x @ w / t
            loss = np.mean(np.logaddexp(0, z) - y * z)
        w.assign_sub(1.0 * tape.gradient(loss, w))


def wide_columns_solved_by_newton(rng):
    x = np.column_stack([rng.uniform(0, 3000, 80), rng.uniform(0, 1, 80), np.ones(80)])
    y = x @ [0.01, 2.0, 1.0] + rng.normal(0, 0.1, 80)
    w = gt.Variable(np.zeros(3), name="w")
    for _ in range(12):
        with gt.GradientTape() as tape:
            loss = np.mean((x @ w - y) ** 2)
        w.assign_sub(np.linalg.solve(2 * x.T @ x / 80, tape.gradient(loss, w).numpy()))


def resumed_classifier(rng):
    x, y = _data(rng, noise=0.0)
    y = (y > 0).astype(float)
    best = np.linalg.lstsq(x, 2 * y - 1, rcond=None)[0]
    w = gt.Variable(60 * best, name="w")

    def cost():
        p = np.clip(1 / (1 + np.exp(-(x @ w))), 1e-9, 1 - 1e-9)
        return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))

    _train(cost, [w], 60, 1.0)


MODELS = (
    accumulated_gradients, sharpness_aware, triplets, ratings_with_a_mask, semi_supervised_graph,
    attention, gated_recurrence, differential_equation, ninetieth_percentile, curriculum,
    cyclic_rate, clipped_gradients_in_tensorflow, soft_thresholds, kernel_on_every_point,
    gaussian_process, fine_tuning, first_steps_of_a_deep_network, counts, huber, shortest_path,
    labels_with_much_noise, one_feature_of_forty, fast_wave, parity, two_tasks, mean_and_spread,
    pruned, annealed_temperature, wide_columns_solved_by_newton, resumed_classifier,
)  # fmt: skip
