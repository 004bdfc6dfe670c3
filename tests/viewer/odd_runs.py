"""Recorded runs of odd shapes, one function each: what a user's script may do that few do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import gradtape as gt
from gradtape.record.pack import pack
from gradtape.record.writer import Writer

ROOT = Path(__file__).resolve().parents[2]
ODD: dict[str, Callable[[Path], Any]] = {}
WEIRD = [
    "<script>alert(1)</script>", "\u202egnp.exe", 'a"b\'c`d', "x" * 3000, "a,b\\,c", "a/b", "", " ",
    "ä 日本 🎉", "line\nbreak\ttab", "NaN", "%s%n{0}", "\x00nul", "$x^2_$",
]  # fmt: skip


def odd(make: Callable[[Path], Any]) -> Callable[[Path], Any]:
    ODD[make.__name__] = make
    return make


def train(
    folder: Path, cost: Callable[[], Any], variables: list[Any], steps: int = 4, **options: Any
) -> gt.Recording:
    """Record so many steps of gradient descent on what `cost` computes."""
    with gt.Recording(folder, progress=False, **options) as run, np.errstate(all="ignore"):
        for _ in range(steps):
            with gt.GradientTape() as tape:
                value = cost()
            found = tape.gradient(value, variables)
            for variable, gradient in zip(variables, found, strict=True):
                if gradient is not None:
                    variable.assign_sub(0.1 * gradient)
    return run


def line(folder: Path, steps: int = 4, scale: float = 1.0, **options: Any) -> gt.Recording:
    a, b = gt.Variable(0.0, name="a"), gt.Variable(0.0, name="b")
    x, y = np.linspace(0, 1, 12), scale * np.linspace(1, 2, 12)
    return train(folder, lambda: np.mean((a * x + b - y) ** 2), [a, b], steps, **options)


# -- how much there is ----------------------------------------------------------------------------


@odd
def nothing(folder):
    with gt.Recording(folder, progress=False):
        pass


@odd
def one_step(folder):
    line(folder, steps=1)


@odd
def only_logs(folder):
    with gt.Recording(folder, progress=False) as run:
        for k in run.steps(5):
            run.log(accuracy=k / 5, val_loss=np.nan)


@odd
def only_validation(folder):
    with gt.Recording(folder, progress=False) as run:
        for k in run.steps(3):
            run.log(val_cost=1.0 / (k + 1))


@odd
def logs_at_some_steps(folder):
    a = gt.Variable(1.0, name="a")
    with gt.Recording(folder, progress=False) as run:
        for k in run.steps(9):
            with gt.GradientTape() as tape:
                cost = a * a
            a.assign_sub(0.1 * tape.gradient(cost, a))
            if k % 4 == 0:
                run.log(val_loss=float(k), other=np.inf)


@odd
def steps_without_a_gradient(folder):
    with gt.Recording(folder, progress=False) as run:
        for _ in run.steps(5):
            run.note("nothing happened")


@odd
def no_variables(folder):
    with gt.Recording(folder, progress=False):
        x = np.linspace(0, 1, 7)
        for k in range(4):
            gt.grad(lambda w: np.sum((w * x - 1) ** 2))(float(k))


@odd
def no_variables_arrays(folder):
    with gt.Recording(folder, progress=False):
        w = np.ones((3, 2))
        for _ in range(4):
            w = w - 0.1 * gt.grad(lambda w: np.sum(w**2))(w)


@odd
def three_hundred_variables(folder):
    many = [gt.Variable(np.float64(k), name=f"v{k}") for k in range(300)]
    train(folder, lambda: sum((v - 1) ** 2 for v in many), many, steps=3)


@odd
def thousands_of_structures(folder):
    a = gt.Variable(1.0, name="a")
    with gt.Recording(folder, progress=False):
        for k in range(1500):
            with gt.GradientTape() as tape:
                cost = a * a
                for bit in range(11):
                    cost = np.sin(cost) if k >> bit & 1 else np.cos(cost)
            a.assign_sub(0.01 * tape.gradient(cost, a))


@odd
def deep(folder):
    a = gt.Variable(0.5, name="a")

    def cost():
        z = a * np.linspace(0, 1, 5)
        for _ in range(1000):
            z = z + 0.001 * np.sin(z)
        return np.sum(z)

    train(folder, cost, [a], steps=2)


# -- what the numbers are -------------------------------------------------------------------------


@odd
def nan_everywhere(folder):
    a = gt.Variable(np.nan, name="a")
    x, y = np.full(8, np.nan), np.full(8, np.nan)
    train(folder, lambda: np.mean((a * x - y) ** 2), [a])


@odd
def infinities(folder):
    a = gt.Variable(np.inf, name="a")
    train(folder, lambda: np.sum(a * np.array([np.inf, -np.inf, 0.0])), [a])


@odd
def diverging(folder):
    a = gt.Variable(1.0, name="a")
    x = np.linspace(1, 50, 9)
    train(folder, lambda: np.mean((a * x) ** 2), [a], steps=150)


@odd
def huge_numbers(folder):
    line(folder, scale=1e300)


@odd
def huge_parameters(folder):
    w = gt.Variable(np.linspace(1e200, 1e201, 6), name="w")
    train(folder, lambda: np.sum(w * w / 1e200), [w], steps=6)


@odd
def parameters_at_the_edge(folder):
    w = gt.Variable(np.linspace(1e308, 1.5e308, 6), name="w")
    train(folder, lambda: np.sum(w * w / 1e305 / 1e305), [w], steps=6)


@odd
def tiny_numbers(folder):
    line(folder, scale=5e-324)


@odd
def constant_cost(folder):
    a = gt.Variable(1.0, name="a")
    train(folder, lambda: 0.0 * a + 3.0, [a])


@odd
def whole_numbers(folder):
    a = gt.Variable(1.0, name="a")
    x, y = np.arange(6), np.arange(6) * 2
    train(folder, lambda: np.sum((a * x - y) ** 2), [a])


@odd
def complex_numbers(folder):
    a = gt.Variable(1.0 + 1.0j, name="a")
    w = gt.Variable(np.ones(3, complex), name="w")
    x = np.exp(1j * np.linspace(0, 3, 5))
    train(folder, lambda: np.sum(np.abs(a * x - 1) ** 2) + np.sum(np.abs(w - 1j) ** 2), [a, w])


@odd
def single_precision(folder):
    w = gt.Variable(np.ones((3, 2), np.float32), name="w")
    x, y = np.ones((5, 3), np.float32), np.ones((5, 2), np.float32)
    train(folder, lambda: np.mean((x @ w - y) ** 2), [w])


@odd
def half_precision(folder):
    w = gt.Variable(np.ones(3, np.float16), name="w")
    train(folder, lambda: np.sum((w - np.ones(3, np.float16)) ** 2), [w])


@odd
def truths(folder):
    a = gt.Variable(np.linspace(-1, 1, 9), name="a")
    train(folder, lambda: np.sum(np.where(np.arange(9) % 2 == 0, a, 0.1 * a) ** 2), [a])


# -- what shape things have -----------------------------------------------------------------------


@odd
def numbers_alone(folder):
    a = gt.Variable(0.0, name="a")
    train(folder, lambda: (a * np.float64(3.0) - np.array(1.0)) ** 2, [a])


@odd
def many_axes(folder):
    rng = np.random.default_rng(0)
    w = gt.Variable(rng.normal(size=(2, 3, 2, 3, 2)), name="w")
    x, y = rng.normal(size=(2, 3, 2, 3, 2)), rng.normal(size=(2, 3, 2, 3, 2))
    train(folder, lambda: np.mean((w * x - y) ** 2), [w])


@odd
def images(folder):
    rng = np.random.default_rng(1)
    w = gt.Variable(rng.normal(size=(16, 3)), name="w")
    x, y = rng.normal(size=(10, 4, 4)), np.arange(10) % 3

    def cost():
        scores = x.reshape(10, 16) @ w
        return np.mean(np.log(np.sum(np.exp(scores), axis=1)) - scores[np.arange(10), y])

    train(folder, cost, [w])


@odd
def nothing_in_arrays(folder):
    a, w = gt.Variable(1.0, name="a"), gt.Variable(np.zeros((0, 3)), name="w")
    x, y = np.zeros(0), np.zeros(0)
    train(folder, lambda: np.sum((a * x - y) ** 2) + np.sum(w**2), [a, w])


@odd
def nothing_in_any_variable(folder):
    w, v = gt.Variable(np.zeros((0, 3)), name="w"), gt.Variable(np.zeros(0), name="v")
    train(folder, lambda: np.sum(w**2) + np.sum(v**2), [w, v])


@odd
def no_rows(folder):
    w = gt.Variable(np.ones((2, 3)), name="w")
    x, y = np.zeros((0, 2)), np.zeros((0, 3))
    train(folder, lambda: np.sum(np.abs(x @ w - y)), [w])


@odd
def no_columns(folder):
    w, b = gt.Variable(np.ones((0, 3)), name="w"), gt.Variable(np.zeros(3), name="b")
    x, y = np.zeros((5, 0)), np.ones((5, 3))
    train(folder, lambda: np.sum((x @ w + b - y) ** 2), [w, b])


@odd
def no_rows_of_classes(folder):
    w = gt.Variable(np.ones((2, 3)), name="w")
    x, y = np.zeros((0, 2)), np.zeros(0, int)
    train(folder, lambda: np.sum((x @ w)[np.arange(0), y]), [w])


@odd
def one_entry(folder):
    w = gt.Variable(np.zeros((1, 1, 1)), name="w")
    train(folder, lambda: np.sum((w * np.ones((5, 1, 1)) - 1) ** 2), [w])


@odd
def one_row(folder):
    w = gt.Variable(np.zeros(2), name="w")
    x, y = np.array([[1.0, 2.0]]), np.array([1.0])
    train(folder, lambda: np.mean((x @ w - y) ** 2), [w])


@odd
def one_class(folder):
    w = gt.Variable(np.ones(2), name="w")
    x, y = np.random.default_rng(2).normal(size=(20, 2)), np.zeros(20)
    train(folder, lambda: -np.mean((1 - y) * np.log(1 - 1 / (1 + np.exp(-(x @ w))))), [w])


@odd
def same_rows(folder):
    w = gt.Variable(np.ones((2, 3)), name="w")
    x, y = np.ones((20, 2)), np.arange(20) % 3

    def cost():
        scores = x @ w
        return np.mean(np.log(np.sum(np.exp(scores), axis=1)) - scores[np.arange(20), y])

    train(folder, cost, [w])


@odd
def shapes_that_change(folder):
    w = gt.Variable(np.ones(3), name="w")
    rng = np.random.default_rng(3)
    with gt.Recording(folder, progress=False):
        for n in (5, 1, 7, 2):
            x, y = rng.normal(size=(n, 3)), rng.normal(size=n)
            with gt.GradientTape() as tape:
                cost = np.mean((x @ w - y) ** 2)
            w.assign_sub(0.1 * tape.gradient(cost, w))


@odd
def cost_with_an_axis(folder):
    w = gt.Variable(np.ones(3), name="w")
    train(folder, lambda: (w - 1) ** 2, [w])


@odd
def two_costs(folder):
    a, b = gt.Variable(1.0, name="a"), gt.Variable(2.0, name="b")
    x = np.linspace(0, 1, 6)
    with gt.Recording(folder, progress=False):
        for _ in range(5):
            for v in (a, b):
                with gt.GradientTape() as tape:
                    cost = np.mean((v * x - 1) ** 2)
                v.assign_sub(0.1 * tape.gradient(cost, v))


@odd
def no_gradient_arrives(folder):
    a, b = gt.Variable(1.0, name="a"), gt.Variable(2.0, name="b")
    train(folder, lambda: a * float(b), [a, b])


# -- what things are called -----------------------------------------------------------------------


@odd
def weird_names(folder):
    many = [gt.Variable(float(k), name=name) for k, name in enumerate(WEIRD)]
    train(folder, lambda: sum((v - 1) ** 2 for v in many), many)


@odd
def weird_arrays(folder):
    many = [gt.Variable(np.full(3, float(k)), name=name) for k, name in enumerate(WEIRD)]
    train(folder, lambda: sum(np.sum((v - 1) ** 2) for v in many), many)


@odd
def weird_logs(folder):
    with gt.Recording(folder, progress=False) as run:
        run.config({name: {name: name, "n": float("nan")} for name in WEIRD})
        for k in run.steps(3):
            run.log(**{name[:1000] or "empty": float(k) for name in WEIRD})
            run.note(WEIRD[k])


# -- how it was recorded --------------------------------------------------------------------------


@odd
def every_third(folder):
    line(folder, steps=11, every=3)


@odd
def every_hundredth_of_five(folder):
    line(folder, steps=5, every=100)


@odd
def scalars(folder):
    line(folder, level="scalars")


@odd
def full(folder):
    line(folder, level="full")


@odd
def failed(folder):
    try:
        with gt.Recording(folder, progress=False) as run:
            for k in run.steps(5):
                run.log(k=k)
                if k == 2:
                    raise ValueError("<b>" + "x" * 10_000)
    except ValueError:
        pass


@odd
def failed_at_once(folder):
    try:
        with gt.Recording(folder, progress=False):
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass


@odd
def killed(folder):
    script = f"""
import os, numpy as np, gradtape as gt
a = gt.Variable(0.0, name="a")
with gt.Recording({str(folder)!r}, progress=False) as run:
    for k in range(20):
        with gt.GradientTape() as tape:
            cost = np.mean((a * np.arange(5.0) - 1) ** 2)
        a.assign_sub(0.01 * tape.gradient(cost, a))
    import time; time.sleep(0.2)
    os._exit(9)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    subprocess.run([sys.executable, "-c", script], env=environment, timeout=120)


@odd
def still_open(folder):
    writer = Writer(folder)
    column = writer.column("cost", "cost")
    writer.rows(writer.layout([column]), np.array([[0.0, 1.0], [1.0, np.nan]]))
    writer.flush()
    return writer


@odd
def packed(folder):
    made = folder.parent / "unpacked" / "line"
    line(made, steps=6)
    pack(made, folder.with_suffix(".gtrun"))


@odd
def wrong_roles(folder):
    a = gt.Variable(1.0, name="a")
    x = np.linspace(0, 1, 6)
    with gt.Recording(folder, progress=False) as run:
        for _ in range(3):
            with gt.GradientTape() as tape:
                cost = np.sum((a * x - 1) ** 2)
            run.roles(x="input/9", y="input/nonsense", prediction="value/a")
            a.assign_sub(0.1 * tape.gradient(cost, a))


@odd
def compiled(folder):
    a = gt.Variable(0.0, name="a")
    x, y = np.linspace(0, 1, 8), np.linspace(1, 2, 8)

    @gt.function
    def step(x, y):
        with gt.GradientTape() as tape:
            cost = np.mean((a * x - y) ** 2)
        a.assign_sub(0.1 * tape.gradient(cost, a))
        return cost

    with gt.Recording(folder, progress=False):
        for _ in range(4):
            step(x, y)
