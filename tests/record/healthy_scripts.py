"""Training loops with nothing wrong, of thirty kinds unlike those of `healthy.py`.

Noise, plateaus, schedules, odd units, several gradients a step, games of two networks: what looks
like a fault to a rule that knows only smooth descents. Each takes a generator.
"""

import numpy as np

import gradtape as gt
import gradtape.tf as tf


def _linear(rng, n=200, k=3, noise=0.2):
    x = rng.normal(size=(n, k))
    return x, x @ rng.normal(size=k) + rng.normal() + rng.normal(0, noise, n)


class Adam:
    """Adam by hand, with decoupled weight decay."""

    def __init__(self, variables, rate=0.01, decay=0.0):
        self.variables, self.rate, self.decay, self.t = variables, rate, decay, 0
        self.m = [np.zeros(v.shape) for v in variables]
        self.s = [np.zeros(v.shape) for v in variables]

    def apply(self, gradients):
        self.t += 1
        for i, (v, g) in enumerate(zip(self.variables, gradients, strict=True)):
            g = g.numpy()
            self.m[i] = 0.9 * self.m[i] + 0.1 * g
            self.s[i] = 0.999 * self.s[i] + 0.001 * g * g
            hat = self.m[i] / (1 - 0.9**self.t)
            hat = hat / (np.sqrt(self.s[i] / (1 - 0.999**self.t)) + 1e-8)
            v.assign_sub(self.rate * (hat + self.decay * v.numpy()))


def _net(rng, *widths, gain=1.0):
    return [gt.Variable(rng.normal(0, gain * np.sqrt(2 / (a + b)), (a, b)), name=f"w{i}")
            for i, (a, b) in enumerate(zip(widths, widths[1:], strict=False))]  # fmt: skip


def noisy_sgd_of_single_rows(rng):
    x, y = _linear(rng, noise=1.0)
    w, b = gt.Variable(np.zeros(3), name="w"), gt.Variable(0.0, name="b")
    for i in rng.integers(0, 200, 300):
        with gt.GradientTape() as tape:
            loss = (x[i] @ w + b - y[i]) ** 2
        dw, db = tape.gradient(loss, [w, b])
        w.assign_sub(0.02 * dw)
        b.assign_sub(0.02 * db)


def stopped_early_by_validation(rng):
    x, y = _linear(rng, 240)
    weights = _net(rng, 3, 16, 1)
    best, patience = np.inf, 0
    for _epoch in range(150):
        with gt.GradientTape() as tape:
            prediction = (np.tanh(x[:180] @ weights[0]) @ weights[1])[:, 0]
            loss = np.mean((prediction - y[:180]) ** 2)
        for v, g in zip(weights, tape.gradient(loss, weights), strict=True):
            v.assign_sub(0.1 * g)
        hidden = np.tanh(x[180:] @ weights[0].numpy())
        held_out = np.mean(((hidden @ weights[1].numpy())[:, 0] - y[180:]) ** 2)
        patience = 0 if held_out < best - 1e-3 else patience + 1
        best = min(best, held_out)
        if patience == 5:
            break


def validation_rows_in_one_pass(rng):
    x, y = _linear(rng, 200)
    w, b = gt.Variable(np.zeros(3), name="w"), gt.Variable(0.0, name="b")
    train = np.arange(200) < 140
    for _ in range(60):
        with gt.GradientTape() as tape:
            prediction = x @ w + b
            loss = np.mean((prediction[train] - y[train]) ** 2)
        dw, db = tape.gradient(loss, [w, b])
        w.assign_sub(0.1 * dw)
        b.assign_sub(0.1 * db)


def warm_up_and_cosine(rng):
    x, y = _linear(rng, 256)
    weights = _net(rng, 3, 24, 1)
    for step in range(200):
        rows = rng.integers(0, 256, 64)
        rate = 0.1 * min(1.0, (step + 1) / 50) * 0.5 * (1 + np.cos(np.pi * step / 200))
        with gt.GradientTape() as tape:
            hidden = np.maximum(x[rows] @ weights[0], 0)
            loss = np.mean(((hidden @ weights[1])[:, 0] - y[rows]) ** 2)
        for v, g in zip(weights, tape.gradient(loss, weights), strict=True):
            v.assign_sub(rate * g)


def plateau_of_xor(rng):
    x = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    y = np.array([0.0, 1, 1, 0])
    w1 = gt.Variable(rng.normal(size=(2, 8)), name="w1")
    b1 = gt.Variable(np.zeros(8), name="b1")
    w2 = gt.Variable(rng.normal(size=8) * 0.5, name="w2")
    b2 = gt.Variable(0.0, name="b2")
    variables = [w1, b1, w2, b2]
    for _ in range(600):
        with gt.GradientTape() as tape:
            z = np.tanh(x @ w1 + b1) @ w2 + b2
            loss = np.mean(np.logaddexp(0.0, z) - y * z)
        for v, g in zip(variables, tape.gradient(loss, variables), strict=True):
            v.assign_sub(0.3 * g)


def five_points(rng):
    t = np.array([0.0, 1, 2, 3, 4])
    y = 2.0 - 0.3 * t + rng.normal(0, 0.05, 5)
    a, b = gt.Variable(0.0, name="a"), gt.Variable(0.0, name="b")
    for _ in range(150):
        with gt.GradientTape() as tape:
            loss = np.sum((a + b * t - y) ** 2)
        da, db = tape.gradient(loss, [a, b])
        a -= 0.02 * da
        b -= 0.02 * db


def one_class_in_fifty(rng):
    x = rng.normal(size=(400, 2))
    y = (rng.random(400) < 0.02).astype(float)
    x[y > 0] += 2.5
    w, b = gt.Variable(np.zeros(2), name="w"), gt.Variable(-2.0, name="b")
    for _ in range(150):
        with gt.GradientTape() as tape:
            z = x @ w + b
            loss = np.mean(np.where(y > 0, 10.0, 1.0) * (np.logaddexp(0.0, z) - y * z))
        dw, db = tape.gradient(loss, [w, b])
        w.assign_sub(0.3 * dw)
        b.assign_sub(0.3 * db)


def adversaries(rng):
    shift, scale = gt.Variable(0.0, name="shift"), gt.Variable(1.0, name="scale")
    critic = [gt.Variable(rng.normal(size=(1, 8)), name="c1"),
              gt.Variable(rng.normal(size=(8, 1)) * 0.3, name="c2")]  # fmt: skip
    for _ in range(100):
        real, noise = rng.normal(3.0, 0.5, (64, 1)), rng.normal(size=(64, 1))
        with gt.GradientTape() as tape:
            fake = (shift.numpy() + scale.numpy() * noise)
            d_real = np.tanh(real @ critic[0]) @ critic[1]
            d_fake = np.tanh(fake @ critic[0]) @ critic[1]
            d_loss = np.mean(np.logaddexp(0, -d_real)) + np.mean(np.logaddexp(0, d_fake))
        for v, g in zip(critic, tape.gradient(d_loss, critic), strict=True):
            v.assign_sub(0.1 * g)
        with gt.GradientTape() as tape:
            made = shift + scale * noise
            score = np.tanh(made @ critic[0].numpy()) @ critic[1].numpy()
            g_loss = np.mean(np.logaddexp(0, -score))
        for v, g in zip((shift, scale), tape.gradient(g_loss, [shift, scale]), strict=True):
            v.assign_sub(0.05 * g)


def autoencoder(rng):
    codes = rng.normal(size=(200, 2))
    x = np.tanh(codes @ rng.normal(size=(2, 8))) + rng.normal(0, 0.05, (200, 8))
    encode, decode = _net(rng, 8, 2), _net(rng, 2, 8)
    adam = Adam(encode + decode, 0.02)
    for _ in range(200):
        with gt.GradientTape() as tape:
            back = np.tanh(x @ encode[0]) @ decode[0]
            loss = np.mean((back - x) ** 2)
        adam.apply(tape.gradient(loss, adam.variables))


def recurrent(rng):
    t = np.linspace(0, 20, 60)
    series = np.sin(t)[None, :] * rng.uniform(0.5, 1.5, (40, 1)) + rng.normal(0, 0.02, (40, 60))
    inputs, target = series[:, :12], series[:, 12]
    u = gt.Variable(rng.normal(size=(1, 10)) * 0.5, name="u")
    w = gt.Variable(rng.normal(size=(10, 10)) * 0.25, name="w")
    v = gt.Variable(rng.normal(size=10) * 0.3, name="v")
    adam = Adam([u, w, v], 0.01)
    for _ in range(100):
        with gt.GradientTape() as tape:
            h = np.zeros((40, 10))
            for k in range(12):
                h = np.tanh(inputs[:, k : k + 1] @ u + h @ w)
            loss = np.mean((h @ v - target) ** 2)
        adam.apply(tape.gradient(loss, [u, w, v]))


def nanometres(rng):
    z = np.linspace(0, 500e-9, 80)
    signal = 3e-9 * np.exp(-z / 120e-9) + rng.normal(0, 2e-11, 80)
    log_length = gt.Variable(np.log(80e-9), name="log_length")
    amplitude = gt.Variable(1.0, name="amplitude")
    for _ in range(200):
        with gt.GradientTape() as tape:
            model = amplitude * 1e-9 * np.exp(-z / np.exp(log_length))
            loss = np.mean(((model - signal) / 2e-11) ** 2)
        dl, da = tape.gradient(loss, [log_length, amplitude])
        log_length -= 1e-4 * dl
        amplitude -= 1e-4 * da


def gigahertz(rng):
    f = np.linspace(1e9, 3e9, 100)
    centre, width = gt.Variable(1.9e9, name="centre"), gt.Variable(0.4e9, name="width")
    gain = 1 / (1 + ((f - 2.0e9) / 0.3e9) ** 2) + rng.normal(0, 0.01, 100)
    for _ in range(150):
        with gt.GradientTape() as tape:
            loss = np.mean((1 / (1 + ((f - centre) / width) ** 2) - gain) ** 2)
        dc, dw = tape.gradient(loss, [centre, width])
        centre -= 2e17 * dc
        width -= 2e17 * dw


def single_precision(rng):
    x, y = (part.astype(np.float32) for part in _linear(rng, 300))
    w = gt.Variable(np.zeros(3, np.float32), name="w")
    b = gt.Variable(np.float32(0), name="b")

    @gt.function
    def step(x, y):
        with gt.GradientTape() as tape:
            loss = np.mean((x @ w + b - y) ** 2)
        dw, db = tape.gradient(loss, [w, b])
        w.assign_sub(np.float32(0.1) * dw)
        b.assign_sub(np.float32(0.1) * db)
        return loss

    for _ in range(200):
        step(x, y)


def weight_decay(rng):
    x, y = _linear(rng, 120, 8)
    w = gt.Variable(rng.normal(size=8), name="w")
    for _ in range(150):
        with gt.GradientTape() as tape:
            loss = np.mean((x @ w - y) ** 2) + 0.1 * np.sum(w**2)
        w.assign_sub(0.1 * tape.gradient(loss, w))


def a_frozen_feature_layer(rng):
    x, y = _linear(rng)
    features = gt.Variable(rng.normal(size=(3, 40)), name="features", trainable=False)
    w = gt.Variable(np.zeros(40), name="w")
    for _ in range(150):
        with gt.GradientTape() as tape:
            loss = np.mean((np.tanh(x @ features) @ w - y) ** 2)
        w.assign_sub(0.05 * tape.gradient(loss, w))


def embeddings(rng):
    users, items = rng.integers(0, 30, 600), rng.integers(0, 20, 600)
    p, q = rng.normal(size=(30, 3)), rng.normal(size=(20, 3))
    rating = np.sum(p[users] * q[items], axis=1) + rng.normal(0, 0.1, 600)
    u = gt.Variable(rng.normal(size=(30, 3)) * 0.3, name="u")
    v = gt.Variable(rng.normal(size=(20, 3)) * 0.3, name="v")
    adam = Adam([u, v], 0.03)
    for _ in range(120):
        rows = rng.integers(0, 600, 100)
        with gt.GradientTape() as tape:
            guess = np.sum(u[users[rows]] * v[items[rows]], axis=1)
            loss = np.mean((guess - rating[rows]) ** 2)
        adam.apply(tape.gradient(loss, [u, v]))


def newton(rng):
    x, y = _linear(rng, 150, 2, 0.5)
    y = (y > np.median(y)).astype(float)
    w = gt.Variable(np.zeros(2), name="w")
    for _ in range(12):
        with gt.GradientTape() as tape:
            z = x @ w
            loss = np.mean(np.logaddexp(0.0, z) - y * z) + 0.01 * np.sum(w * w)
        p = 1 / (1 + np.exp(-(x @ w.numpy())))
        hessian = (x.T * (p * (1 - p))) @ x / len(x) + 0.02 * np.eye(2)
        w.assign_sub(np.linalg.solve(hessian, tape.gradient(loss, w).numpy()))


def line_search(rng):
    x, y = _linear(rng, 100)
    w = gt.Variable(np.zeros(3), name="w")

    def cost(at):
        return np.mean(np.sqrt(1 + (x @ at - y) ** 2))

    with np.errstate(all="ignore"):
        for _ in range(25):
            with gt.GradientTape() as tape:
                loss = cost(w)
            slope = tape.gradient(loss, w).numpy()
            here, value, t = w.numpy().copy(), float(loss), 4.0
            while True:
                w.assign(here - t * slope)
                with gt.GradientTape() as tape:
                    trial = cost(w)
                tape.gradient(trial, w)
                if float(trial) <= value - 1e-4 * t * slope @ slope or t < 1e-6:
                    break
                t /= 2


def dropout(rng):
    x, y = _linear(rng)
    weights = _net(rng, 3, 32, 1)
    adam = Adam(weights, 0.01)
    for _ in range(150):
        keep = (rng.random((200, 32)) < 0.5) / 0.5
        with gt.GradientTape() as tape:
            hidden = np.maximum(x @ weights[0], 0) * keep
            loss = np.mean(((hidden @ weights[1])[:, 0] - y) ** 2)
        adam.apply(tape.gradient(loss, weights))


def missing_targets(rng):
    x, y = _linear(rng)
    seen = rng.random(200) < 0.6
    y = np.where(seen, y, 0.0)
    w, b = gt.Variable(np.zeros(3), name="w"), gt.Variable(0.0, name="b")
    for _ in range(100):
        with gt.GradientTape() as tape:
            loss = np.sum(seen * (x @ w + b - y) ** 2) / seen.sum()
        dw, db = tape.gradient(loss, [w, b])
        w.assign_sub(0.1 * dw)
        b.assign_sub(0.1 * db)


def hinge(rng):
    x, y = _linear(rng)
    y = np.sign(y - np.median(y) + 1e-9)
    w, b = gt.Variable(rng.normal(size=3), name="w"), gt.Variable(0.0, name="b")
    for step in range(150):
        with gt.GradientTape() as tape:
            loss = np.mean(np.maximum(0.0, 1 - y * (x @ w + b))) + 1e-3 * np.sum(w * w)
        dw, db = tape.gradient(loss, [w, b])
        w.assign_sub(0.5 / np.sqrt(1 + step) * dw)
        b.assign_sub(0.5 / np.sqrt(1 + step) * db)


def likelihood_made_larger(rng):
    counts = rng.poisson(4.0, 150)
    rate = gt.Variable(1.0, name="rate")
    for _ in range(100):
        with gt.GradientTape() as tape:
            likelihood = np.mean(counts * np.log(rate) - rate)
        rate += 0.5 * tape.gradient(likelihood, rate)


def orbit_sampled_every_tenth_step(rng):
    times = np.arange(120) * 0.05
    measured = np.cos(1.7 * times[::10]) + rng.normal(0, 0.01, 12)
    omega2 = gt.Variable(2.4, name="omega2")
    for _ in range(40):
        with gt.GradientTape() as tape:
            q, p, path = 1.0, 0.0, []
            for _t in times:
                path.append(q * np.ones(()))
                p = p - 0.05 * omega2 * q
                q = q + 0.05 * p
            loss = np.mean((np.stack(path)[::10] - measured) ** 2)
        omega2 -= 0.05 * tape.gradient(loss, omega2)


def next_value_of_a_series(rng):
    series = np.zeros(160)
    for k in range(2, 160):
        series[k] = 1.2 * series[k - 1] - 0.5 * series[k - 2] + rng.normal(0, 0.3)
    lags = np.stack([series[1:-1], series[:-2]], axis=1)
    w = gt.Variable(np.zeros(2), name="w")
    for _ in range(120):
        with gt.GradientTape() as tape:
            forecast = lags @ w
            loss = np.mean((forecast[10:] - series[12:]) ** 2)
        w.assign_sub(0.3 * tape.gradient(loss, w))


def tensorflow_digits(rng):
    labels = rng.integers(0, 4, 300)
    x = (rng.normal(size=(4, 12)))[labels] + rng.normal(0, 0.8, (300, 12))
    data = tf.constant(x, tf.float32)
    w1 = tf.Variable(rng.normal(size=(12, 24)).astype(np.float32) * 0.3)
    w2 = tf.Variable(rng.normal(size=(24, 4)).astype(np.float32) * 0.3)
    for _epoch in range(6):
        order = rng.permutation(300)
        for k in range(0, 300, 30):
            rows = order[k : k + 30]
            with tf.GradientTape() as tape:
                logits = tf.nn.relu(tf.gather(data, rows) @ w1) @ w2
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(
                    labels=labels[rows], logits=logits))  # fmt: skip
            for v, g in zip((w1, w2), tape.gradient(loss, [w1, w2]), strict=True):
                v.assign_sub(0.2 * g)


def deep_with_skips(rng):
    x, y = _linear(rng)
    lift, out = _net(rng, 3, 16)[0], _net(rng, 16, 1)[0]
    blocks = [gt.Variable(rng.normal(0, 0.1, (16, 16)), name=f"block{i}") for i in range(8)]
    adam = Adam([lift, *blocks, out], 0.005)
    for _ in range(80):
        with gt.GradientTape() as tape:
            h = x @ lift
            for block in blocks:
                h = h + np.tanh(h @ block)
            loss = np.mean(((h @ out)[:, 0] - y) ** 2)
        adam.apply(tape.gradient(loss, adam.variables))


def deep_relu_well_drawn(rng):
    x, y = _linear(rng)
    widths = [3, 24, 24, 24, 24, 24, 24, 1]
    weights = [gt.Variable(rng.normal(0, np.sqrt(2 / a), (a, b)), name=f"w{i}")
               for i, (a, b) in enumerate(zip(widths, widths[1:], strict=False))]  # fmt: skip
    adam = Adam(weights, 0.003, 0.01)
    for _ in range(100):
        with gt.GradientTape() as tape:
            h = x
            for w in weights[:-1]:
                h = np.maximum(h @ w, 0.0)
            loss = np.mean(((h @ weights[-1])[:, 0] - y) ** 2)
        adam.apply(tape.gradient(loss, weights))


def variational(rng):
    x, y = _linear(rng, 80, 2, 0.3)
    mean, log_std = gt.Variable(np.zeros(2), name="mean"), gt.Variable(np.full(2, -1.0), name="s")
    adam = Adam([mean, log_std], 0.03)
    for step in range(150):
        noise = rng.normal(size=(8, 2))
        weight = min(1.0, step / 60)
        with gt.GradientTape() as tape:
            w = mean + np.exp(log_std) * noise
            fit = np.mean(np.sum((x @ w.T - y[:, None]) ** 2, axis=0)) / 0.18
            prior = np.sum(0.5 * (mean**2 + np.exp(2 * log_std)) - log_std)
            loss = fit + weight * prior
        adam.apply(tape.gradient(loss, [mean, log_std]))


def policy_gradient(rng):
    pays = np.array([0.2, 0.5, 0.8])
    preference = gt.Variable(np.zeros(3), name="preference")
    for _ in range(100):
        p = np.exp(preference.numpy()) / np.sum(np.exp(preference.numpy()))
        arms = rng.choice(3, 64, p=p)
        reward = (rng.random(64) < pays[arms]) - 0.5
        with gt.GradientTape() as tape:
            log_p = preference - np.log(np.sum(np.exp(preference)))
            loss = -np.mean(log_p[arms] * reward)
        preference.assign_sub(0.5 * tape.gradient(loss, preference))


def resumed_at_the_minimum(rng):
    x, y = _linear(rng, 300)
    design = np.column_stack([x, np.ones(300)])
    w = gt.Variable(np.linalg.lstsq(design, y, rcond=None)[0], name="w")
    for _ in range(80):
        rows = rng.integers(0, 300, 50)
        with gt.GradientTape() as tape:
            loss = np.mean((design[rows] @ w - y[rows]) ** 2)
        w.assign_sub(0.01 * tape.gradient(loss, w))


SCRIPTS = (
    noisy_sgd_of_single_rows, stopped_early_by_validation, validation_rows_in_one_pass,
    warm_up_and_cosine, plateau_of_xor, five_points, one_class_in_fifty, adversaries, autoencoder,
    recurrent, nanometres, gigahertz, single_precision, weight_decay, a_frozen_feature_layer,
    embeddings, newton, line_search, dropout, missing_targets, hinge, likelihood_made_larger,
    orbit_sampled_every_tenth_step, next_value_of_a_series, tensorflow_digits, deep_with_skips,
    deep_relu_well_drawn, variational, policy_gradient, resumed_at_the_minimum,
)  # fmt: skip
