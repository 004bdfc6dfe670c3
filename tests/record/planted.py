"""Training loops with one thing wrong in each; the line that is to be named ends with `# here`."""

import numpy as np

import gradtape as gt


def _line(seed=0, n=100):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.0, 1.0, n)
    return x, 0.3 + 0.5 * x + rng.normal(0.0, 0.1, n)


def _blobs(seed=0, n=200):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    return x, (x[:, 0] * x[:, 1] > 0).astype(float)


def learning_rate_too_high():
    x, y = _line()
    a, b = gt.Variable(0.0, name="a"), gt.Variable(0.0, name="b")
    for _ in range(40):
        with gt.GradientTape() as tape:
            loss = np.sum((y - (a + b * x)) ** 2)
        da, db = tape.gradient(loss, [a, b])
        a -= 0.012 * da  # here
        b -= 0.012 * db


def learning_rate_far_too_high():
    x, y = _line()
    w = gt.Variable([0.0, 0.0], name="w")
    with np.errstate(all="ignore"):
        for _ in range(400):
            with gt.GradientTape() as tape:
                loss = np.mean((y - (w[0] + w[1] * x)) ** 2)
            w -= 3.0 * tape.gradient(loss, w)  # here


def learning_rate_too_low():
    x, y = _line()
    a, b = gt.Variable(0.0, name="a"), gt.Variable(0.0, name="b")
    for _ in range(100):
        with gt.GradientTape() as tape:
            loss = np.mean((y - (a + b * x)) ** 2)
        da, db = tape.gradient(loss, [a, b])
        a -= 1e-5 * da  # here
        b -= 1e-5 * db


def dead_relu():
    x, y = _blobs()
    rng = np.random.default_rng(1)
    w1 = gt.Variable(rng.normal(size=(2, 16)), name="w1")
    b1 = gt.Variable(np.full(16, -20.0), name="b1")
    w2 = gt.Variable(rng.normal(size=16) * 0.3, name="w2")
    b2 = gt.Variable(0.0, name="b2")
    for _ in range(60):
        with gt.GradientTape() as tape:
            hidden = np.maximum(x @ w1 + b1, 0.0)  # here
            loss = np.mean((hidden @ w2 + b2 - y) ** 2)
        for v, g in zip((w1, b1, w2, b2), tape.gradient(loss, [w1, b1, w2, b2]), strict=True):
            v.assign_sub(0.1 * g)


def saturated_sigmoid():
    x, y = _blobs()
    rng = np.random.default_rng(2)
    w1 = gt.Variable(rng.normal(size=(2, 16)), name="w1")
    w2 = gt.Variable(rng.normal(size=16) * 0.1, name="w2")
    with np.errstate(over="ignore"):
        for _ in range(60):
            with gt.GradientTape() as tape:
                hidden = 1.0 / (1.0 + np.exp(-(500.0 * x) @ w1))  # here
                loss = np.mean((hidden @ w2 - y) ** 2)
            g1, g2 = tape.gradient(loss, [w1, w2])
            w1.assign_sub(0.01 * g1)
            w2.assign_sub(0.01 * g2)


def value_came_back():
    x, y = _line()
    a, b = gt.Variable(0.0, name="a"), gt.Variable(0.0, name="b")
    for _ in range(60):
        with gt.GradientTape() as tape:
            slope = float(b)  # here
            loss = np.mean((y - (a + slope * b * x)) ** 2)
        da, db = tape.gradient(loss, [a, b])
        a -= 0.5 * da
        b -= 0.5 * db


def never_watched():
    x, y = _line()
    a = gt.Variable(0.0, name="a")
    b = gt.Variable(0.4, name="b", trainable=False)  # here
    for _ in range(60):
        with gt.GradientTape() as tape:
            loss = np.mean((y - (a + b * x)) ** 2)
        da, db = tape.gradient(loss, [a, b])
        a -= 0.5 * da
        if db is not None:
            b -= 0.5 * db


def nan_from_log():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(100, 2))
    y = (x[:, 0] > 0).astype(float)
    w = gt.Variable(np.zeros(2), name="w")
    with np.errstate(all="ignore"):
        for _ in range(200):
            with gt.GradientTape() as tape:
                p = 0.5 + x @ w
                loss = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))  # here
            w.assign_sub(0.2 * tape.gradient(loss, w))


def nan_from_division():
    rng = np.random.default_rng(4)
    x = rng.normal(size=50)
    x[7] = 0.0
    w = gt.Variable(1.0, name="w")
    with np.errstate(all="ignore"):
        for _ in range(20):
            with gt.GradientTape() as tape:
                ratio = (w * x) / x  # here
                loss = np.mean((ratio - 2.0) ** 2)
            w.assign_sub(0.1 * tape.gradient(loss, w))


def unscaled_inputs():
    rng = np.random.default_rng(5)
    n = 120
    x = np.column_stack([rng.uniform(0, 1, n), rng.uniform(500, 4000, n), rng.uniform(0, 5, n)])
    y = x @ [2.0, 0.001, -1.0] + 0.5 + rng.normal(0, 0.1, n)
    w, b = gt.Variable(np.zeros(3), name="w"), gt.Variable(0.0, name="b")
    for _ in range(300):
        with gt.GradientTape() as tape:
            prediction = x @ w + b  # here
            loss = np.mean((prediction - y) ** 2)
        gw, gb = tape.gradient(loss, [w, b])
        w.assign_sub(1e-7 * gw)
        b.assign_sub(1e-7 * gb)


def labels_shuffled():
    x, y = _blobs(n=300)
    rng = np.random.default_rng(60)
    targets = rng.permutation(y)
    w1 = gt.Variable(rng.normal(size=(2, 16)), name="w1")
    w2 = gt.Variable(rng.normal(size=16) * 0.3, name="w2")
    for _ in range(100):
        with gt.GradientTape() as tape:
            prediction = np.tanh(x @ w1) @ w2
            loss = np.mean((prediction - targets) ** 2)  # here
        g1, g2 = tape.gradient(loss, [w1, w2])
        w1.assign_sub(0.05 * g1)
        w2.assign_sub(0.05 * g2)


def output_ignored():
    rng = np.random.default_rng(7)
    x = rng.normal(size=(80, 3))
    y = x @ rng.normal(size=(3, 2))
    w = gt.Variable(rng.normal(size=(3, 2)), name="w")
    for _ in range(100):
        with gt.GradientTape() as tape:
            prediction = x @ w
            loss = np.mean((prediction[:, 0] - y[:, 0]) ** 2)  # here
        w.assign_sub(0.2 * tape.gradient(loss, w))


def compared_as_a_table():
    rng = np.random.default_rng(8)
    x = rng.normal(size=(80, 3))
    y = x @ np.array([1.0, -2.0, 0.5])
    w = gt.Variable(np.zeros((3, 1)), name="w")
    for _ in range(100):
        with gt.GradientTape() as tape:
            loss = np.mean((x @ w - y) ** 2)  # here
        w.assign_sub(0.2 * tape.gradient(loss, w))


PLANTED = {
    learning_rate_too_high: "learning rate too high",
    learning_rate_far_too_high: "learning rate too high",
    learning_rate_too_low: "learning rate too low",
    dead_relu: "dead units",
    saturated_sigmoid: "saturated units",
    value_came_back: "value left the tape",
    never_watched: "never watched",
    nan_from_log: "not finite",
    nan_from_division: "not finite",
    unscaled_inputs: "unscaled inputs",
    labels_shuffled: "labels unrelated",
    output_ignored: "output ignored",
    compared_as_a_table: "broadcast",
}
