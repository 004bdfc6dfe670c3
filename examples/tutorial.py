"""The tutorial's regression: y = a + b x by gradient descent, and what its cost does not tell.

    python examples/tutorial.py              # prints every epoch, writes three pictures
    python examples/tutorial.py --no-plots   # prints only

    gradtape run --record --view examples/tutorial.py --no-plots
    gradtape run --record --view examples/tutorial.py --no-plots --learning-rate 0.1 --epochs 300

200 points, x ~ U(0, 1), y = 0.3 + 0.5 x + N(0, 0.3); 70 epochs at learning rate 0.001. Near the
end the printed loss no longer changes, and the slope is still nine per cent from its value: the
verdict at the end says so.
"""

import argparse
from pathlib import Path

import numpy as np

import gradtape as gt
from gradtape.verdict import Verdict, judge

SEED = 1
EPOCHS = 70
LEARNING_RATE = 0.001


def make_data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(SEED)
    x = rng.uniform(0.0, 1.0, size=200)
    return x, 0.3 + 0.5 * x + rng.normal(0.0, 0.3, size=200)


class Line:
    """y = a + b x; both coefficients start at 0."""

    def __init__(self) -> None:
        self.a = gt.Variable(0.0, name="a")
        self.b = gt.Variable(0.0, name="b")

    def __call__(self, x: np.ndarray) -> gt.Tensor:
        return self.a + self.b * x


def sum_of_squares(y: np.ndarray, prediction: gt.Tensor) -> gt.Tensor:
    return np.sum((y - prediction) ** 2)


def train(
    x: np.ndarray, y: np.ndarray, epochs: int = EPOCHS, learning_rate: float = LEARNING_RATE
) -> tuple[list[float], list[float], list[list[float]]]:
    """The loss, the norm of its gradient, and the coefficients, at each epoch."""
    model = Line()
    losses, norms, coefficients = [], [], []
    for epoch in range(epochs):
        with gt.GradientTape() as tape:
            loss = sum_of_squares(y, model(x))
        d_a, d_b = tape.gradient(loss, [model.a, model.b])
        losses.append(float(loss))
        norms.append(float(np.hypot(d_a, d_b)))
        coefficients.append([float(model.a), float(model.b)])
        print(f"Epoch: {epoch}, Loss: {losses[-1]:0.2f}")
        model.a -= learning_rate * d_a
        model.b -= learning_rate * d_b
    return losses, norms, coefficients


def verdict_on(
    x: np.ndarray,
    y: np.ndarray,
    losses: list[float],
    norms: list[float],
    coefficients: list,
    learning_rate: float = LEARNING_RATE,
) -> Verdict:
    X = np.column_stack([np.ones_like(x), x])
    return judge(
        losses,
        norms,
        learning_rate=learning_rate,
        largest_eigenvalue=np.linalg.eigvalsh(2 * X.T @ X)[-1],  # the Hessian of the loss
        coefficients=coefficients,
        closed_form=np.linalg.lstsq(X, y)[0],
        names=["intercept a", "slope b"],
    )


def draw(
    x: np.ndarray, y: np.ndarray, losses: list[float], coefficients: np.ndarray, out: Path
) -> list[Path]:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams |= {
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#e6e9ed",
        "figure.figsize": (7.2, 4.6),
        "figure.constrained_layout.use": True,
        "savefig.dpi": 150,
    }
    closed = np.linalg.lstsq(np.column_stack([np.ones_like(x), x]), y)[0]
    ends = np.array([0.0, 1.0])
    colors = matplotlib.colors.LinearSegmentedColormap.from_list(
        "epochs", ["#f7dfa5", "#edae49", "#d1495b"]
    )

    lines, axes = plt.subplots()
    axes.scatter(x, y, s=18, color="#35618f", alpha=0.45, linewidths=0)
    for epoch, (a, b) in enumerate(coefficients):
        axes.plot(ends, a + b * ends, color=colors(epoch / len(coefficients)), linewidth=1.0)
    axes.plot(ends, closed[0] + closed[1] * ends, "--", color="#1d2733", label="closed form")
    norm = matplotlib.colors.Normalize(0, len(coefficients) - 1)
    epochs = matplotlib.cm.ScalarMappable(norm, colors)
    lines.colorbar(epochs, ax=axes, label="epoch", pad=0.02).outline.set_visible(False)
    axes.set(title="The line of each epoch", xlabel="x", ylabel="y")
    axes.legend(frameon=False)

    cost, axes = plt.subplots()
    axes.plot(losses, color="#d1495b", linewidth=2)
    axes.set(title="Loss", xlabel="epoch", ylabel="sum of squares", ylim=(0, None))

    both, axes = plt.subplots()
    for values, value, name, color in zip(
        coefficients.T, closed, ["intercept a", "slope b"], ["#35618f", "#d1495b"], strict=True
    ):
        axes.plot(values, color=color, linewidth=2, label=name)
        axes.axhline(value, color=color, linewidth=1, linestyle=(0, (5, 4)))
    axes.plot([], [], color="#66717d", linewidth=1, linestyle=(0, (5, 4)), label="closed form")
    axes.set(title="Coefficients", xlabel="epoch", ylabel="value")
    axes.legend(frameon=False, loc="lower right")

    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for figure, name in ((lines, "lines"), (cost, "cost"), (both, "coefficients")):
        paths.append(out / f"tutorial-{name}.png")
        figure.savefig(paths[-1])
        plt.close(figure)
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--learning-rate", type=float, default=LEARNING_RATE)
    parser.add_argument("--no-plots", action="store_true", help="write no pictures")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the pictures")
    arguments = parser.parse_args()

    x, y = make_data()
    rate = arguments.learning_rate
    losses, norms, coefficients = train(x, y, arguments.epochs, rate)
    print(f"\nVerdict\n{verdict_on(x, y, losses, norms, coefficients, rate)}")
    if not arguments.no_plots:
        paths = draw(x, y, losses, np.array(coefficients), arguments.out)
        print(f"\nWritten: {', '.join(map(str, paths))}")


if __name__ == "__main__":
    main()
