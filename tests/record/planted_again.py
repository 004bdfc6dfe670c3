"""One thing wrong in each, written after the rules stood; the line `# here` is to be named."""

import numpy as np

import gradtape as gt
import gradtape.tf as tf
from tests.record.healthy_scripts import Adam


def _data(seed, n=200, k=3):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, k))
    return rng, x, x @ rng.normal(size=k) + rng.normal(0, 0.1, n)


def rms_prop_too_high():
    rng, x, y = _data(1)
    w1 = gt.Variable(rng.normal(size=(3, 12)) * 0.5, name="w1")
    w2 = gt.Variable(rng.normal(size=12) * 0.3, name="w2")
    s = [0.0, 0.0]
    for _ in range(100):
        with gt.GradientTape() as tape:
            loss = np.mean((np.maximum(x @ w1, 0) @ w2 - y) ** 2)
        for i, (v, g) in enumerate(zip((w1, w2), tape.gradient(loss, [w1, w2]), strict=True)):
            s[i] = 0.9 * s[i] + 0.1 * g.numpy() ** 2
            v.assign(v - 2.0 * g / (np.sqrt(s[i]) + 1e-8))  # here


def batches_without_momentum_too_high():
    rng, x, y = _data(2, 320, 6)
    w = gt.Variable(np.zeros(6), name="w")
    with np.errstate(all="ignore"):
        for _epoch in range(6):
            for rows in np.split(rng.permutation(320), 20):
                with gt.GradientTape() as tape:
                    loss = np.mean(np.square(x[rows] @ w - y[rows]))
                grad = tape.gradient(loss, w)
                w.assign(w - 1.0 * grad)  # here


def logistic_rate_a_thousandth():
    _, x, score = _data(3)
    y = (score > 0) * 1.0
    w, b = gt.Variable(np.zeros(3), name="w"), gt.Variable(0.0, name="b")
    for _ in range(200):
        with gt.GradientTape() as tape:
            z = x @ w + b
            loss = np.mean(np.logaddexp(0, z) - y * z)
        dw, db = tape.gradient(loss, [w, b])
        w.assign_sub(1e-5 * dw)  # here
        b.assign_sub(1e-5 * db)


def dead_leaky_that_is_not():
    rng, x, y = _data(4)
    w1 = gt.Variable(rng.normal(size=(3, 16)), name="w1")
    b1 = gt.Variable(np.full(16, -30.0), name="b1")
    w2 = gt.Variable(rng.normal(size=16), name="w2")
    for _ in range(40):
        with gt.GradientTape() as tape:
            z = x @ w1 + b1
            hidden = 0.5 * (z + np.abs(z))  # here
            loss = np.mean((hidden @ w2 - y) ** 2)
        for v, g in zip((w1, b1, w2), tape.gradient(loss, [w1, b1, w2]), strict=True):
            v.assign_sub(0.05 * g)


def dead_in_batches():
    rng, x, y = _data(5, 320)
    w1 = gt.Variable(rng.normal(size=(3, 16)), name="w1")
    b1 = gt.Variable(np.full(16, -14.0), name="b1")
    w2 = gt.Variable(rng.normal(size=16), name="w2")
    adam = Adam([w1, b1, w2], 0.001)
    for _ in range(60):
        rows = rng.integers(0, 320, 32)
        with gt.GradientTape() as tape:
            h = np.where(x[rows] @ w1 + b1 < 0, 0, x[rows] @ w1 + b1)  # here
            loss = np.mean((h @ w2 - y[rows]) ** 2)
        adam.apply(tape.gradient(loss, [w1, b1, w2]))


def saturated_output_with_square_cost():
    rng, x, score = _data(6)
    y = (score > 0) * 1.0
    w = gt.Variable(rng.normal(size=3), name="w")
    b = gt.Variable(40.0, name="b")
    for _ in range(60):
        with gt.GradientTape() as tape:
            p = 1 / (1 + np.exp(-(x @ w + b)))  # here
            loss = np.mean((p - y) ** 2)
        dw, db = tape.gradient(loss, [w, b])
        w.assign_sub(0.1 * dw)
        b.assign_sub(0.1 * db)


def saturated_layers_in_batches():
    rng, x, y = _data(7, 320)
    x = 1000 * x
    w1 = gt.Variable(rng.normal(size=(3, 16)), name="w1")
    w2 = gt.Variable(rng.normal(size=16) * 0.1, name="w2")
    for _ in range(80):
        rows = rng.integers(0, 320, 40)
        with gt.GradientTape() as tape:
            h = np.tanh(x[rows] @ w1)  # here
            loss = np.mean((h @ w2 - y[rows]) ** 2)
        for v, g in zip((w1, w2), tape.gradient(loss, [w1, w2]), strict=True):
            v.assign_sub(0.02 * g)


def eight_sigmoids_in_tensorflow():
    rng, x, y = _data(8)
    x, y = tf.constant(x, tf.float32), tf.constant(y[:, None], tf.float32)
    widths = [3] + [10] * 8 + [1]
    weights = [tf.Variable(rng.normal(0, 1 / np.sqrt(a), (a, b)).astype(np.float32))
               for a, b in zip(widths, widths[1:], strict=False)]  # fmt: skip
    for _ in range(60):
        with tf.GradientTape() as tape:
            h = x
            for w in weights[:-1]:
                h = tf.nn.sigmoid(tf.matmul(h, w))  # here
            loss = tf.reduce_mean(tf.square(tf.matmul(h, weights[-1]) - y))
        for w, g in zip(weights, tape.gradient(loss, weights), strict=True):
            w.assign_sub(0.05 * g)


def int_of_a_variable():
    t = np.linspace(0, 1, 50)
    y = np.interp(t - 0.2, t, np.sin(6 * t))
    shift, gain = gt.Variable(0.05, name="shift"), gt.Variable(0.5, name="gain")
    for _ in range(40):
        with gt.GradientTape() as tape:
            moved = np.interp(t - shift.numpy(), t, np.sin(6 * t)) * gain  # here
            loss = np.mean((moved - y) ** 2)
        ds, dg = tape.gradient(loss, [shift, gain])
        if ds is not None:
            shift.assign_sub(0.1 * ds)
        gain.assign_sub(0.1 * dg)


def nan_in_the_data():
    _, x, y = _data(10)
    x[17, 1] = np.nan
    w = gt.Variable(np.zeros(3), name="w")
    for _ in range(20):
        with gt.GradientTape() as tape:
            loss = np.mean((x @ w - y) ** 2)  # here
        w.assign_sub(0.1 * tape.gradient(loss, w))


def square_root_below_zero():
    rng = np.random.default_rng(11)
    x = rng.uniform(0.1, 1, 80)
    a = gt.Variable(0.05, name="a")
    with np.errstate(all="ignore"):
        for _ in range(60):
            with gt.GradientTape() as tape:
                loss = np.mean(np.sqrt(a + x - 0.1))  # here
            a.assign_sub(0.05 * tape.gradient(loss, a))


def wine_unscaled_with_classes():
    rng = np.random.default_rng(12)
    labels = rng.integers(0, 2, 150)
    x = np.column_stack([rng.normal(12 + labels, 0.5), rng.normal(700 + 300 * labels, 200),
                         rng.normal(2 + labels, 0.5), rng.normal(0.4, 0.1, 150)])  # fmt: skip
    w, b = gt.Variable(np.zeros(4), name="w"), gt.Variable(0.0, name="b")
    for _ in range(250):
        with gt.GradientTape() as tape:
            z = x @ w + b  # here
            loss = np.mean(np.logaddexp(0, z) - labels * z)
        dw, db = tape.gradient(loss, [w, b])
        w.assign_sub(1e-6 * dw)
        b.assign_sub(1e-6 * db)


def shuffled_once_then_batches():
    rng, x, y = _data(13, 320)
    y = rng.permutation(y)
    w1 = gt.Variable(rng.normal(size=(3, 8)), name="w1")
    w2 = gt.Variable(rng.normal(size=8) * 0.3, name="w2")
    for _epoch in range(12):
        order = rng.permutation(320)
        for k in range(0, 320, 32):
            rows = order[k : k + 32]
            with gt.GradientTape() as tape:
                out = np.tanh(x[rows] @ w1) @ w2
                loss = np.mean((out - y[rows]) ** 2)  # here
            for v, g in zip((w1, w2), tape.gradient(loss, [w1, w2]), strict=True):
                v.assign_sub(0.05 * g)


def one_batch_of_the_prediction():
    _, x, y = _data(14, 128)
    w, b = gt.Variable(np.zeros(3), name="w"), gt.Variable(0.0, name="b")
    size = 32
    for _ in range(60):
        with gt.GradientTape() as tape:
            out = b + x @ w
            residual = out[0:size] - y[0:size]  # here
            loss = np.dot(residual, residual) / size
        dw, db = tape.gradient(loss, [w, b])
        w.assign_sub(0.1 * dw)
        b.assign_sub(0.1 * db)


def weights_of_which_half_are_zero():
    _, x, y = _data(15, 120)
    weights = np.repeat([1.0, 0.0], 60)
    w = gt.Variable(np.zeros(3), name="w")
    for _ in range(60):
        with gt.GradientTape() as tape:
            loss = np.average((x @ w - y) ** 2, weights=weights)  # here
        w.assign_sub(0.1 * tape.gradient(loss, w))


def boolean_rows():
    _, x, y = _data(16, 120)
    good = np.arange(120) % 3 == 0
    w1 = gt.Variable(np.eye(3), name="w1")
    w2 = gt.Variable(np.zeros((3, 1)), name="w2")
    for _ in range(60):
        with gt.GradientTape() as tape:
            out = (x @ w1 @ w2)[:, 0]
            loss = np.mean((out[good] - y[good]) ** 2)  # here
        for v, g in zip((w1, w2), tape.gradient(loss, [w1, w2]), strict=True):
            v.assign_sub(0.1 * g)


def samples_in_columns():
    _, x, y = _data(17, 100)
    x = x.T.copy()
    w = gt.Variable(np.zeros((1, 3)), name="w")
    for _ in range(60):
        with gt.GradientTape() as tape:
            out = w @ x
            loss = np.mean((out[0, :50] - y[:50]) ** 2)  # here
        w.assign_sub(0.1 * tape.gradient(loss, w))


def mean_of_absolute_table():
    _, x, y = _data(18, 90)
    w = gt.Variable(np.zeros((3, 1)), name="w")

    @gt.function
    def step(x, y):
        with gt.GradientTape() as tape:
            loss = np.mean(np.abs(y - x @ w))  # here
        w.assign_sub(0.05 * tape.gradient(loss, w))

    for _ in range(60):
        step(x, y)


def column_divided_by_a_row():
    rng, x, y = _data(19, 90)
    y = np.abs(y) + 1
    w = gt.Variable(np.zeros((3, 1)), name="w")
    for _ in range(60):
        with gt.GradientTape() as tape:
            relative = (x @ w + 1) / y  # here
            loss = np.mean((relative - 1) ** 2)
        w.assign_sub(0.05 * tape.gradient(loss, w))


def parameters_in_a_plain_array():
    _, x, y = _data(20, 90)
    w = np.zeros(3)
    slope = gt.grad(lambda w: np.mean((x @ w - y) ** 2))
    mean = np.zeros(3)
    for _ in range(60):
        down = slope(w)
        mean = 0.9 * mean + 0.1 * down
        w = np.array([a - 1e-5 * g for a, g in zip(w, down, strict=True)])  # here


def a_constant_that_was_never_watched():
    _, x, y = _data(21, 90)
    w = np.zeros(3)
    for _ in range(10):
        weights = gt.Tensor(w)
        with gt.GradientTape() as tape:
            loss = np.mean((x @ weights - y) ** 2)
        w = w - 0.1 * (tape.gradient(loss, weights) or 0.0)  # here


def classes_shuffled_in_batches():
    rng, x, _ = _data(22, 300, 2)
    y = np.eye(3)[rng.permutation(np.digitize(x[:, 0], [-0.5, 0.5]))]
    w = gt.Variable(rng.normal(0, 0.1, (2, 3)), name="w")
    for _ in range(40):
        rows = rng.choice(300, 32, replace=False)
        with gt.GradientTape() as tape:
            score = x[rows] @ w
            total = np.log(np.sum(np.exp(score), axis=1))
            loss = np.mean(total - np.sum(score * y[rows], axis=1))  # here
        w.assign_sub(0.1 * tape.gradient(loss, w))


AGAIN = {
    parameters_in_a_plain_array: "learning rate too low",
    a_constant_that_was_never_watched: "never watched",
    classes_shuffled_in_batches: "labels unrelated",
    rms_prop_too_high: "learning rate too high",
    batches_without_momentum_too_high: "learning rate too high",
    logistic_rate_a_thousandth: "learning rate too low",
    dead_leaky_that_is_not: "dead units",
    dead_in_batches: "dead units",
    saturated_output_with_square_cost: "saturated units",
    saturated_layers_in_batches: "saturated units",
    eight_sigmoids_in_tensorflow: "vanishing gradient",
    int_of_a_variable: "value left the tape",
    nan_in_the_data: "not finite",
    square_root_below_zero: "not finite",
    wine_unscaled_with_classes: "unscaled inputs",
    shuffled_once_then_batches: "labels unrelated",
    one_batch_of_the_prediction: "output ignored",
    weights_of_which_half_are_zero: "output ignored",
    boolean_rows: "output ignored",
    samples_in_columns: "output ignored",
    mean_of_absolute_table: "broadcast",
    column_divided_by_a_row: "broadcast",
}
