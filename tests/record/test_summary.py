"""The verdict of recorded runs is that of `judge` on the same costs and gradients."""

import math

import numpy as np
import pytest

import gradtape as gt
from gradtape.errors import RunError
from gradtape.record.reader import Reader
from gradtape.record.summary import learning_rate, verdict
from gradtape.record.writer import Writer
from gradtape.verdict import judge
from tests.record.making import recorded

RNG = np.random.default_rng(3)
X = RNG.uniform(4, 25, 50).round()
Y = 3.9 * X - 17.6 + RNG.normal(0, 15, 50)


def line(folder, steps=70, rate=1e-3, **options):
    a, b = gt.Variable(0.0, name="intercept"), gt.Variable(0.0, name="slope")

    def loss(_):
        return np.sum((Y - (a + b * X)) ** 2) / (2 * len(X))

    return recorded(folder, loss, [a, b], steps, rate, **options)


def by_hand(steps, rate):
    """Costs and gradient norms of the same descent, written out in NumPy."""
    a = b = 0.0
    costs, norms, values = [], [], []
    with np.errstate(all="ignore"):
        for _ in range(steps):
            error = a + b * X - Y
            costs.append(np.sum(error**2) / 100)
            da, db = error.mean(), (error * X).mean()
            norms.append(math.hypot(da, db))
            values.append([a, b])
            a, b = a - rate * da, b - rate * db
    return costs, norms, values


def test_the_four_facts_are_those_of_the_series(tmp_path):
    found = verdict(line(tmp_path / "run"))
    costs, norms, values = by_hand(70, 1e-3)
    expected = judge(
        costs, norms, learning_rate=1e-3, coefficients=values, names=["intercept", "slope"],
        closed_form=np.polyfit(X, Y, 1)[::-1], reference="the minimum of the recorded cost",
    )  # fmt: skip
    assert found.fast_phase.end == expected.fast_phase.end
    assert found.standstill == expected.standstill
    assert found.lowest.epoch == expected.lowest.epoch
    assert found.convergence.gradient_norm == pytest.approx(expected.convergence.gradient_norm)
    assert str(found.convergence) == str(expected.convergence)


def test_of_the_tutorial_the_cost_stands_still_and_it_has_not_converged(tmp_path):
    found = verdict(line(tmp_path / "run", 400))
    assert found.convergence.converged is False
    assert "NO" in str(found)


def test_norms_of_arrays_and_numbers_are_taken_together(tmp_path):
    w, b = gt.Variable(np.zeros(2), name="w"), gt.Variable(0.0, name="b")
    inputs = RNG.normal(size=(50, 2))
    run = recorded(tmp_path / "run", lambda _: np.mean((inputs @ w + b - Y) ** 2), [w, b], 5, 0.01)
    norms = []
    for step in range(5):
        row = run.row(step)
        gradient = run.array("grad/w", step)[0]
        norms.append(np.linalg.norm([*gradient, row["grad/b"]]))
    assert verdict(run).convergence.gradient_norm == pytest.approx(norms[-1])


def test_a_run_that_diverges_is_said_to(tmp_path):
    found = verdict(line(tmp_path / "run", 200, 0.1))
    costs, norms, _ = by_hand(200, 0.1)
    finite = np.isfinite(costs) & np.isfinite(norms)
    assert found.convergence.diverged_at == int(np.argmin(finite))
    assert "diverged" in str(found)


def test_a_gradient_that_is_none_counts_as_nothing(tmp_path):
    writer = Writer(tmp_path / "run")
    names = ["cost", "value/a", "grad/a", "value/b", "grad/b"]
    layout = writer.layout([writer.column(n, "value") for n in names])
    rows = np.array([[k, 2.0 - k / 10, 1, 3.0, 1, np.nan] for k in range(5)])
    writer.rows(layout, rows)
    writer.close("finished")
    assert verdict(Reader(tmp_path / "run")).convergence.gradient_norm == 3.0


def test_without_costs_or_a_finite_beginning_it_refuses(tmp_path):
    Writer(tmp_path / "one").close("finished")
    with pytest.raises(RunError, match="no cost with gradients"):
        verdict(Reader(tmp_path / "one"))
    writer = Writer(tmp_path / "two")
    layout = writer.layout([writer.column(n, "value") for n in ("cost", "value/a", "grad/a")])
    writer.rows(layout, np.array([[0.0, np.nan, 1.0, 1.0]]))
    writer.close("finished")
    with pytest.raises(RunError, match="not finite at the first step"):
        verdict(Reader(tmp_path / "two"))


def test_the_learning_rate_is_what_the_updates_tell(tmp_path):
    assert learning_rate(line(tmp_path / "one")) == pytest.approx(1e-3, rel=1e-6)
    w = gt.Variable(np.zeros(2), name="w")
    inputs = RNG.normal(size=(50, 2))

    def loss(_):
        return np.mean((inputs @ w - Y) ** 2)

    assert learning_rate(recorded(tmp_path / "two", loss, [w], 9, 0.03)) == pytest.approx(0.03)


def test_the_learning_rate_is_what_was_configured(tmp_path):
    run = line(tmp_path / "run", config={"learning_rate": 0.25})
    assert learning_rate(run) == 0.25


def test_another_optimizer_has_no_rate_that_the_updates_tell(tmp_path):
    def signs(step, values, gradients):
        return [x - 0.01 * np.sign(g) for x, g in zip(values, gradients, strict=True)]

    run = line(tmp_path / "run", optimizer=signs)
    assert learning_rate(run) is None
    assert verdict(run).convergence.stability is None


def test_a_gradient_whose_square_overflows_is_still_finite(tmp_path):
    writer = Writer(tmp_path / "run")
    names = ["cost", "value/a", "grad/a", "value/b", "grad/b"]
    layout = writer.layout([writer.column(n, "value") for n in names])
    writer.rows(layout, np.array([[k, 10.0**k, 0, 3e155, 0, 4e155] for k in range(5)]))
    writer.close("finished")
    found = verdict(Reader(tmp_path / "run")).convergence
    assert found.diverged_at is None and found.gradient_norm == pytest.approx(5e155)


@pytest.mark.parametrize("is_one_cost", [True, False])
def test_of_two_costs_neither_minimum_is_held_against_all_variables(is_one_cost, tmp_path):
    a, b = gt.Variable(0.0, name="a"), gt.Variable(0.0, name="b")
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for _ in range(20):
            with gt.GradientTape(persistent=True) as tape:
                first = np.mean((a * X + b - Y) ** 2)
                second = first if is_one_cost else (b - 9.0) ** 2
            slopes = tape.gradient(first, a), tape.gradient(second, b)
            a.assign_sub(0.1 * slopes[0])
            b.assign_sub(0.1 * slopes[1])
    assert ("minimum of the recorded cost" in str(run.verdict())) is is_one_cost
