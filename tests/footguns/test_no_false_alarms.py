"""Healthy programs that take values out while a tape records: nothing is said of any of them.

Each computes a loss of two parameters whose gradient is complete. It is compared with central
differences, so that a program that is not healthy after all cannot stand here.
"""

import collections
import csv
import dataclasses
import io
import json
import logging
import math
import time
import types
import warnings

import numpy as np
import pandas as pd
import pytest
from tqdm import tqdm

import gradtape as gt
from tests.tape import other_module

rng = np.random.default_rng(11)
DATA = rng.normal(size=(12, 2))
TARGET = DATA @ [1.5, -0.5] + 0.1 * rng.normal(size=12)
LABELS = (TARGET > 0).astype(float)
HISTORY = []
BEST = math.inf


def squares(x):
    return np.sum((DATA @ x - TARGET) ** 2)


def printed(x):
    loss = squares(x)
    print(float(loss), "at", float(x[0]))
    return loss


def formatted(x):
    loss = squares(x)
    text = f"{float(loss):.3f} {loss.item()!r} {x.numpy()}" + "%.2f" % float(loss)  # noqa: UP031
    text += f"{float(loss):.2f}" + str(float(x[0])) + repr(x.tolist())
    return loss + 0.0 * len(text)


def logged(x):
    loss = squares(x)
    logging.getLogger("nobody").info("loss %s of %s", float(loss), x.numpy())
    return loss * 2.0


def appended_to_a_history(x):
    history = []
    y = x
    for _ in range(3):
        y = y - 0.01 * (y - 1.0)
        history.append(float(squares(y)))
    assert len(history) == 3
    return squares(y) / len(history)


def appended_to_a_global_history(x):
    loss = squares(x)
    HISTORY.append(float(loss))
    return loss / max(len(HISTORY), 1) * len(HISTORY)


def smallest_loss_so_far(x):
    best, y = math.inf, x
    for _ in range(3):
        y = y * 0.9
        best = min(best, float(squares(y)))
    assert best < math.inf
    return squares(y)


def global_best(x):
    global BEST
    loss = squares(x)
    if float(loss) < BEST:
        BEST = float(loss)
    return loss


def plotted(x):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots()
    y = DATA @ x
    axes.plot(np.asarray(y))
    axes.scatter(y.numpy(), TARGET)
    axes.set_title(f"{float(x[0])}")
    plt.close(figure)
    return np.sum((y - TARGET) ** 2)


def early_stopping(x):
    y = x
    for _ in range(5):
        y = y * 0.9
        if float(squares(y)) < 1e-3:
            break
    return squares(y)


def stops_when_it_no_longer_falls(x):
    y, before = x, math.inf
    for _ in range(4):
        y = 0.9 * y
        now = float(squares(y))
        if abs(before - now) < 1e-9:
            break
        before = now
    return squares(y)


def accuracy(x):
    z = DATA @ x
    accuracy = np.mean((np.asarray(z) > 0) == LABELS)
    assert 0.0 <= accuracy <= 1.0
    return np.mean(np.logaddexp(0.0, z) - LABELS * z)


def confusion(x):
    z = DATA @ x
    predicted = np.round(1 / (1 + np.exp(-z.numpy())))
    table = np.zeros((2, 2), int)
    for p, label in zip(predicted, LABELS, strict=True):
        table[int(p), int(label)] += 1
    assert table.sum() == len(LABELS)
    return np.mean(np.logaddexp(0.0, z) - LABELS * z)


def learning_rate_of_the_norm(x):
    loss = squares(x)
    rate = 0.1 / (1.0 + float(np.linalg.norm(x)))
    schedule = {"rate": rate, "steps": 3}
    assert schedule["rate"] > 0
    return loss


def rate_chosen_by_the_loss(x):
    loss = squares(x)
    rate = 0.1 if float(loss) > 1.0 else 0.01
    return loss * rate


def integer_for_an_index(x):
    k = int(abs(float(x[0])) * 2) % 2
    return x[k] * x[1 - k] + DATA[k] @ x


def index_of_the_largest(x):
    z = DATA @ x
    k = np.argmax(np.asarray(z))
    order = np.argsort(z.numpy())
    return z[k] ** 2 + np.sum(z[order[:3]])


def checked_for_finiteness(x):
    loss = squares(x)
    assert np.isfinite(float(loss))
    assert not math.isnan(loss)
    assert np.all(np.isfinite(np.asarray(x)))
    return loss


def checked_by_numpy_testing(x):
    z = DATA @ x
    np.testing.assert_allclose(np.asarray(z), DATA @ x.numpy())
    return np.sum((z - TARGET) ** 2)


def progress_bar(x):
    y = x
    bar = tqdm(range(3), file=io.StringIO())
    for _ in bar:
        y = y * 0.9
        bar.set_postfix(loss=float(squares(y)), norm=f"{float(np.linalg.norm(y)):.2f}")
    return squares(y)


def rows_of_a_table(x):
    rows, y = [], x
    for epoch in range(3):
        y = y * 0.9
        rows.append({"epoch": epoch, "loss": float(squares(y)), "a": float(y[0])})
    table = pd.DataFrame(rows)
    assert table["loss"].mean() >= 0
    return squares(y)


def row_of_a_frame(x):
    table = pd.DataFrame(columns=["loss", "a"], dtype=float)
    loss = squares(x)
    table.loc[0] = [float(loss), float(x[0])]
    return loss


def written_as_csv(x):
    out = csv.writer(io.StringIO())
    loss = squares(x)
    out.writerow([float(loss), *x.tolist()])
    return loss


def written_as_json(x):
    loss = squares(x)
    record = json.dumps({"loss": float(loss), "x": x.tolist()})
    return loss * bool(record)


def line_search(x):
    start = float(squares(x))
    step = 1.0
    while float(squares(x * (1.0 - step))) > start and step > 1e-3:
        step *= 0.5
    return squares(x * (1.0 - step))


def bisection_on_floats(x):
    low, high = 0.0, 1.0
    for _ in range(6):
        middle = (low + high) / 2
        if float(squares(middle * x)) > float(squares(x)):
            high = middle
        else:
            low = middle
    return squares(x) + low


def scaled_by_constants_from_value(x):
    scale = float(np.max(np.abs(gt.value(x))))
    centre = gt.value(np.mean(x))
    return squares(x) + 0.0 * scale * centre


def scaled_data(x):
    centred = (DATA - DATA.mean(axis=0)) / DATA.std(axis=0)
    loss = np.sum((centred @ x - TARGET) ** 2)
    HISTORY.append(float(loss))
    return loss + np.sum((centred @ x) ** 2) * 0.1


def stopped_gradient(x):
    weight = 2.0 * gt.value(x[0])
    frozen = gt.stop_gradient(x * 2.0)
    return squares(x) + 0.0 * weight * np.sum(frozen)


def tuple_with_a_metric(x):
    def forward(x):
        loss = squares(x)
        return loss, float(loss), 0.25

    loss, shown, weight = forward(x)
    assert shown >= 0
    return loss * weight


def dict_with_a_metric(x):
    def forward(x):
        loss = squares(x)
        return {"loss": loss, "shown": float(loss), "weight": 0.25}

    out = forward(x)
    return out["loss"] * out["weight"]


@dataclasses.dataclass
class Outcome:
    loss: gt.Tensor
    shown: float
    weight: float


def dataclass_with_a_metric(x):
    loss = squares(x)
    out = Outcome(loss=loss, shown=float(loss), weight=0.25)
    return out.loss * out.weight


def named_tuple_with_a_metric(x):
    Row = collections.namedtuple("Row", "loss shown weight")
    loss = squares(x)
    row = Row(loss=loss, shown=float(loss), weight=0.25)
    return row.loss * row.weight


class Trainer:
    def __init__(self):
        self.last = 0.0
        self.weight = 0.25
        self.offsets = np.array([0.5, -0.5])
        self.log = []

    def loss(self, x):
        loss = squares(x + self.offsets) * self.weight
        self.last = float(loss)
        self.log.append(self.last)
        return loss + self.penalty(x)

    def penalty(self, x):
        return self.weight * np.sum(x**2)


def function_that_chooses_by_a_loss(x):
    rate = other_module.schedule(float(squares(x)))
    return squares(x) * rate


def meter_beside_a_constant(x):
    meter = other_module.Meter()
    meter.update(float(squares(x)))
    assert meter.average >= 0
    return squares(x) * meter.weight + np.sum(x) / meter.count


def layer_that_only_shows_a_number(x):
    def layer(v, shown, weight):
        print(f"{shown:.2f}")
        return v * weight

    y = layer(x, float(squares(x)), 0.5)
    weight = layer(np.array([0.5, 0.25]), float(squares(x)), 2.0)
    return squares(y * weight)


def object_that_was_given_a_number(x):
    class Report:
        def __init__(self, shown):
            self.shown = shown
            self.weight = 0.25

        def scaled(self, v):
            return v * self.weight

        def lines(self):
            return [f"{self.shown}"]

    report = Report(float(squares(x)))
    assert report.lines()
    return squares(report.scaled(x)) + squares(x * report.weight)


def method_that_keeps_the_last_loss(x):
    trainer = Trainer()
    first = trainer.loss(x)
    second = trainer.loss(x * 0.5)
    assert trainer.last == trainer.log[-1]
    return first + second * trainer.weight


def object_that_keeps_a_loss_beside_constants(x):
    state = types.SimpleNamespace(loss=0.0, weight=0.25)
    state.loss = float(squares(x))
    return squares(x) * state.weight + squares(x * state.weight)


def dict_that_keeps_a_loss_beside_constants(x):
    state = {"loss": 0.0, "weight": np.array([0.25, 0.5])}
    state["loss"] = float(squares(x))
    return squares(x * state["weight"])


def list_that_keeps_a_loss_beside_constants(x):
    state = [0.0, 0.25]
    state[0] = float(squares(x))
    return squares(x) * state[1]


def callback(x):
    seen = []

    def report(step, value, z):
        seen.append((step, value))
        return z

    y = x
    for step in range(2):
        y = report(step, float(squares(y)), y * 0.9)
    return squares(y)


def counted(x):
    z = DATA @ x
    positive = np.count_nonzero(np.asarray(z) > 0)
    return np.sum(z**2) / max(positive, 1)


def size_of_an_array_taken_out(x):
    z = DATA @ x
    plain = np.asarray(z)
    return np.sum(z**2) / len(plain) + np.sum(z) / plain.shape[0] + np.mean(z) * plain.size


def mask_from_an_array_taken_out(x):
    z = DATA @ x
    plain = z.numpy()
    mask = (plain > 0) & (plain < 1.0)
    return np.sum(z * mask) + np.sum(z[plain < 0] ** 2) + np.sum(np.where(plain > 0, z, 0.5 * z))


def sign_of_an_array_taken_out(x):
    return np.sum(np.sign(x.numpy()) * x) + squares(x)


def zeros_of_its_shape(x):
    plain = x.numpy()
    start = np.zeros_like(plain)
    return squares(x - start) + np.sum(np.ones(plain.shape) * x)


def reused_buffer(x):
    buffer = np.zeros(2)
    buffer[:] = x
    shown = buffer.sum()
    buffer[:] = 0.25
    return np.sum(x * buffer) + squares(x) * bool(shown)


def bound_anew(x):
    s = float(squares(x))
    assert s >= 0
    s = 0.25
    return squares(x) * s


def deleted(x):
    s = float(squares(x))
    del s
    s = 0.75
    return squares(x) * s


def loop_variable_used_again(x):
    for s in x.tolist():
        assert math.isfinite(s)
    total = 0.0
    for s in (0.25, 0.5):
        total = total + s * squares(x)
    return total


def timed(x):
    started = time.perf_counter()
    loss = squares(x)
    seconds = time.perf_counter() - started
    rate = float(loss) / (seconds + 1e-9)
    assert rate >= 0
    return loss * 0.5


def moving_average(x):
    average, y = 0.0, x
    for _ in range(3):
        y = y * 0.9
        average = 0.9 * average + 0.1 * float(squares(y))
    assert average >= 0
    return squares(y)


def root_mean_square_by_math(x):
    loss = squares(x)
    errors = [math.sqrt(loss / len(TARGET))]
    HISTORY.append(math.log1p(errors[-1]))
    return loss


def compared_with_another_run(x):
    other = float(squares(x * 0.5))
    return squares(x) if other < 1e9 else squares(x * 2.0)


def sorted_by_loss(x):
    starts = [np.array([0.5, 0.25]), np.array([0.0, 1.5])]
    best = min(starts, key=lambda s: float(squares(x + s)))
    return squares(x + best)


def best_of_a_grid(x):
    starts = [np.array([0.5, 0.25]), np.array([0.0, 1.5])]
    tried = [(float(squares(x + s)), i, s) for i, s in enumerate(starts)]
    best = min(tried)[2]
    worst = sorted(tried, reverse=True)[0][2]
    return squares(x + best) + squares(x * worst)


def best_of_a_dict(x):
    starts = {"a": np.array([0.5, 0.25]), "b": np.array([0.0, 1.5])}
    losses = {name: float(squares(x + s)) for name, s in starts.items()}
    best = min(losses, key=losses.get)
    return squares(x + starts[best])


def best_in_a_loop(x):
    best, lowest = np.zeros(2), math.inf
    for start in (np.array([0.5, 0.25]), np.array([0.0, 1.5])):
        now = float(squares(x + start))
        if now < lowest:
            lowest, best = now, start
    return squares(x + best)


def policy_gradient(x):
    """The action is drawn from what the parameters say; the reward is that of the action."""
    logits = DATA[:3] @ x
    p = np.exp(logits - np.max(logits))
    p = p / np.sum(p)
    action = np.random.default_rng(3).choice(3, p=np.asarray(p))
    reward = [1.0, 0.25, -0.5][action]
    baseline = np.mean([1.0, 0.25, -0.5])
    return -np.log(p[action]) * (reward - baseline)


def predictions_beside_data(x):
    table = pd.DataFrame({"y": TARGET, "a": DATA[:, 0], "b": DATA[:, 1]})
    z = table["a"].to_numpy() * x[0] + table["b"].to_numpy() * x[1]
    table["prediction"] = z.numpy()
    named = pd.DataFrame({"y": TARGET, "prediction": z.numpy()}).assign(error=np.asarray(z))
    assert named["error"].size == len(TARGET)
    return np.sum((z - table["y"].to_numpy()) ** 2) + np.sum(z * named["y"].to_numpy())


def error_message(x):
    loss = squares(x)
    try:
        if float(loss) < 0:
            raise ValueError(f"negative: {float(loss)}")
    except ValueError:
        raise
    return loss


def rounded_for_a_bin(x):
    z = DATA @ x
    bins = np.digitize(z.numpy(), [-1.0, 0.0, 1.0])
    weights = np.array([0.5, 1.0, 1.5, 2.0])[bins]
    return np.sum(weights * z)


def random_numbers_of_a_seed(x):
    noise = np.random.default_rng(int(abs(float(x[0])) * 0)).normal(size=2)
    return squares(x + noise)


def snapshot(x):
    best = None
    y = x
    for _ in range(3):
        y = y * 0.9
        if best is None or float(squares(y)) < best[0]:
            best = (float(squares(y)), y.numpy().copy())
    assert best[1].shape == (2,)
    return squares(y)


def checkpoint(x):
    loss = squares(x)
    state = {"x": x.numpy().copy(), "loss": float(loss)}
    np.savez(io.BytesIO(), **state)
    return loss


def gradient_norm_is_only_shown(x):
    loss = squares(x)
    with gt.GradientTape() as inner:
        v = gt.Variable(x.numpy())
        inner_loss = squares(v)
    norm = float(np.linalg.norm(inner.gradient(inner_loss, v)))
    print(norm)
    return loss


HEALTHY = [
    value for name, value in list(globals().items())
    if isinstance(value, types.FunctionType) and value.__module__ == __name__ and name != "squares"
]  # fmt: skip


@pytest.mark.parametrize("program", HEALTHY, ids=lambda f: f.__name__)
def test_nothing_is_said(program):
    start = np.array([0.375, 1.25])
    x = gt.Variable(start)
    for persistent in (False, True):
        with gt.GradientTape(persistent=persistent) as tape:
            loss = program(x)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = tape.gradient(loss, x)
        np.testing.assert_allclose(found, central_differences(program, start), rtol=1e-5, atol=1e-5)
        assert tape.explain(loss, x).kind in ("connected", "zero")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(gt.grad(program)(start), found)


def central_differences(program, x, h=1e-6):
    slopes = []
    for i in range(len(x)):
        e = np.eye(len(x))[i] * h
        up, down = (float(program(gt.array(x + s * e))) for s in (1, -1))
        slopes.append((up - down) / (2 * h))
    return np.array(slopes)


def test_a_training_loop_that_takes_everything_out():
    """One tape a step, and everything that people print, keep and plot."""
    w = gt.Variable([0.0, 0.0])
    history, best, rate = [], math.inf, 0.01
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for epoch in tqdm(range(30), file=io.StringIO()):
            with gt.GradientTape() as tape:
                z = DATA @ w
                loss = np.mean((z - TARGET) ** 2)
                history.append(float(loss))
                average = sum(history) / len(history)
                best = min(best, average)
                print(epoch, float(loss), best, np.mean((np.asarray(z) > 0) == (TARGET > 0)))
            gradient = tape.gradient(loss, w)
            norm = float(np.linalg.norm(gradient))
            rate = 0.1 / (1.0 + norm)
            w.assign_sub(rate * gradient)
    assert history[-1] < 0.5 * history[0]


def test_a_training_loop_inside_one_tape():
    """The steps themselves are recorded, and the rate does not depend on what left."""
    x = gt.Variable([0.375, 1.25])
    with gt.GradientTape() as tape:
        y, losses = x, []
        for step in range(4):
            loss = squares(y)
            losses.append(float(loss))
            print(f"{step}: {losses[-1]}")
            y = y - 0.01 * 2.0 * (DATA.T @ (DATA @ y - TARGET))
        loss = squares(y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = tape.gradient(loss, x)
    step = np.eye(2) - 0.02 * DATA.T @ DATA
    end = np.asarray(y)
    expected = np.linalg.matrix_power(step, 4) @ (2 * DATA.T @ (DATA @ end - TARGET))
    np.testing.assert_allclose(found, expected, rtol=1e-10)
