"""The tutorial's regression as a TensorFlow script: runs under TensorFlow and under gradtape.

    python examples/tutorial_tensorflow.py                      # with TensorFlow installed
    gradtape run --tensorflow examples/tutorial_tensorflow.py   # without it

Options: --no-plots writes no pictures, --out FOLDER says where they go, --history FILE writes
every cost and coefficient as CSV with all their digits.
"""

import argparse
from pathlib import Path

import numpy as np
import tensorflow as tf

EPOCHS = 70
LEARNING_RATE = 0.001


class Line:
    """y = a + b x."""

    def __init__(self):
        self.a = tf.Variable(initial_value=0, dtype=tf.float32)
        self.b = tf.Variable(initial_value=0, dtype=tf.float32)

    def __call__(self, x):
        x = tf.convert_to_tensor(x, dtype=tf.float32)
        return tf.add(self.a, tf.multiply(self.b, x))


def loss(y_true, y_pred):
    return tf.reduce_sum(tf.square(tf.subtract(y_true, y_pred)))


def train(model, x, y, learning_rate):
    with tf.GradientTape() as tape:
        cost = loss(y, model(x))
    d_a, d_b = tape.gradient(cost, [model.a, model.b])
    model.a.assign_sub(d_a * learning_rate)
    model.b.assign_sub(d_b * learning_rate)


def make_data():
    rng = np.random.default_rng(1)
    x = rng.uniform(0.0, 1.0, size=200)
    return x, 0.3 + 0.5 * x + rng.normal(0.0, 0.3, size=200)


def draw(model, x, y, history, out):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), constrained_layout=True)
    left.scatter(x, y, s=16, alpha=0.45, linewidths=0, color="#35618f", label="data")
    for epoch in range(0, EPOCHS, 10):
        _, a, b = history[epoch]
        left.plot([0, 1], [a, a + b], color="#edae49", linewidth=1)
    left.plot(x, model(x), color="#d1495b", linewidth=2, label=f"epoch {EPOCHS}")  # a Tensor
    left.set(title="The line, every tenth epoch", xlabel="x", ylabel="y")
    left.legend(frameon=False)
    right.plot([cost for cost, _, _ in history], color="#d1495b", linewidth=2)
    right.set(title="Loss", xlabel="epoch", ylabel="sum of squares", ylim=(0, None))
    out.mkdir(parents=True, exist_ok=True)
    figure.savefig(out / "tutorial-tensorflow.png", dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--no-plots", action="store_true")
    parser.add_argument("--out", type=Path, default=Path())
    parser.add_argument("--history", type=Path)
    arguments = parser.parse_args()

    x, y = make_data()
    model = Line()
    history = []
    for epoch in range(EPOCHS):
        cost = loss(y, model(x))  # a float64 array beside a float32 tensor
        history.append((float(cost), float(model.a), float(model.b)))
        print("Epoch: %d, Loss: %0.2f" % (epoch, cost))  # noqa: UP031
        train(model, x, y, LEARNING_RATE)
    print("a = %0.4f, b = %0.4f" % (model.a.numpy(), model.b.numpy()))  # noqa: UP031
    if arguments.history:
        lines = ["cost,a,b", *(",".join(map(repr, row)) for row in history)]
        arguments.history.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if not arguments.no_plots:
        draw(model, x, y, history, arguments.out)


if __name__ == "__main__":
    main()
