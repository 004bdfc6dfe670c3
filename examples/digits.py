"""A two-layer network that reads handwritten digits, in NumPy, through the tape.

    python examples/digits.py

scikit-learn's 1,797 real digits, 8 x 8 pixels (E. Alpaydin and C. Kaynak, Optical Recognition of
Handwritten Digits, UCI Machine Learning Repository, 1998); a quarter of them is kept for the test.
"""

import time

import numpy as np
from sklearn.datasets import load_digits

import gradtape as gt

SEED = 0
HIDDEN = 64
EPOCHS = 40
BATCH = 32
LEARNING_RATE = 0.1
MOMENTUM = 0.9


def make_data(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    digits = load_digits()
    order = rng.permutation(len(digits.target))
    pixels, labels = digits.data[order] / 16.0, digits.target[order]
    kept = len(labels) // 4
    return pixels[kept:], labels[kept:], pixels[:kept], labels[:kept]


class Network:
    """64 pixels -> HIDDEN rectified units -> 10 scores."""

    def __init__(self, rng: np.random.Generator) -> None:
        # He and others (2015): a variance of 2 / inputs keeps rectified signals at their size.
        self.w1 = gt.Variable(rng.normal(0.0, np.sqrt(2 / 64), (64, HIDDEN)), name="w1")
        self.b1 = gt.Variable(np.zeros(HIDDEN), name="b1")
        self.w2 = gt.Variable(rng.normal(0.0, np.sqrt(2 / HIDDEN), (HIDDEN, 10)), name="w2")
        self.b2 = gt.Variable(np.zeros(10), name="b2")

    @property
    def variables(self) -> list[gt.Variable]:
        return [self.w1, self.b1, self.w2, self.b2]

    def __call__(self, x: np.ndarray) -> gt.Tensor:
        hidden = np.maximum(x @ self.w1 + self.b1, 0.0)
        return hidden @ self.w2 + self.b2


def cross_entropy(scores: gt.Tensor, labels: np.ndarray) -> gt.Tensor:
    """Mean of -log softmax(scores)[label]; scores are shifted so that exp cannot overflow."""
    shifted = scores - np.max(scores, axis=1, keepdims=True)
    log_total = np.log(np.sum(np.exp(shifted), axis=1))
    return np.mean(log_total - shifted[np.arange(len(labels)), labels])


def accuracy(network: Network, x: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(np.argmax(network(x).numpy(), axis=1) == labels))


def main() -> float:
    started = time.perf_counter()
    rng = np.random.default_rng(SEED)
    x, labels, x_test, labels_test = make_data(rng)
    network = Network(rng)
    velocity = [np.zeros(variable.shape) for variable in network.variables]
    for epoch in range(EPOCHS):
        losses = []
        for batch in np.array_split(rng.permutation(len(labels)), len(labels) // BATCH):
            with gt.GradientTape() as tape:
                loss = cross_entropy(network(x[batch]), labels[batch])
            gradients = tape.gradient(loss, network.variables)
            losses.append(float(loss))
            for variable, v, gradient in zip(network.variables, velocity, gradients, strict=True):
                v *= MOMENTUM
                v -= LEARNING_RATE * gradient.numpy()
                variable.assign_add(v)
        if epoch % 5 == 4:
            print(
                f"Epoch: {epoch + 1}, Loss: {np.mean(losses):.4f}, "
                f"Test accuracy: {100 * accuracy(network, x_test, labels_test):.2f} %"
            )
    reached = accuracy(network, x_test, labels_test)
    print(
        f"{100 * reached:.2f} % of {len(labels_test)} test digits read correctly, "
        f"after {time.perf_counter() - started:.1f} s."
    )
    return reached


if __name__ == "__main__":
    main()
