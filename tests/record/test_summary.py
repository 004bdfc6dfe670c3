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
        unit="step",
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
    assert f"the last finite step, {np.argmin(finite) - 1}, is" in str(found)
    assert "still changing at the last finite step." in str(found)


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
    assert ("each step has 2 costs" in str(run.verdict())) is not is_one_cost


def descended(folder, steps, rows=None, rate=0.1, sign=-1.0, **options):
    """A run of least squares recorded as a user would; `rows(step)` gives the mini-batch."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(300, 3))
    y = x @ [1.0, -2.0, 0.5] + rng.normal(0, 0.5, 300)
    w = gt.Variable(np.zeros(3), name="w")
    with gt.Recording(folder, progress=False, **options):
        for step in range(steps):
            chosen = slice(None) if rows is None else rows(step)
            with gt.GradientTape() as tape:
                loss = -sign * np.mean((x[chosen] @ w - y[chosen]) ** 2)
            w.assign_add(sign * rate * tape.gradient(loss, w))
    return gt.open_run(folder)


def told(run):
    return " ".join(str(run.verdict()).split())


def test_a_run_counts_in_steps_also_where_one_in_ten_is_recorded(tmp_path):
    every, tenth = (descended(tmp_path / f"{n}", 100, rate=0.02, every=n) for n in (1, 10))
    whole, part = every.verdict(), tenth.verdict()
    assert "epoch" not in str(whole) and "at step 99, the last one" in told(every)
    assert part.lowest.epoch == part.lowest.last_epoch == 90
    assert part.fast_phase.end % 10 == 0 and abs(part.fast_phase.end - whole.fast_phase.end) <= 10
    assert part.convergence.epochs_to_go == pytest.approx(whole.convergence.epochs_to_go, rel=0.1)


def test_of_mini_batches_means_are_looked_at(tmp_path):
    rng = np.random.default_rng(0)
    run = descended(tmp_path / "run", 300, lambda _: rng.integers(0, 300, 8), rate=0.05)
    found = run.verdict()
    assert found.lowest.scale.window == 15
    assert 15 <= found.fast_phase.end <= 90 and found.fast_phase.share > 0.8
    assert found.standstill.start <= 120  # though no two costs are the same
    assert found.lowest.mean == pytest.approx(0.25, abs=0.1)  # the noise of y, not of one batch
    assert found.lowest.cost < 0.1
    assert not found.convergence.converged and "NOT SEEN: the costs are noisy" in told(run)
    assert "more steps until" not in told(run)


def test_a_mean_that_still_falls_slowly_does_not_stand_still():
    rng = np.random.default_rng(1)
    costs = 2.0 - 0.003 * np.arange(400) + rng.normal(0, 0.1, 400)
    found = judge(costs, np.ones(400), learning_rate=0.1, is_noisy=True)
    assert found.standstill.start is None
    flat = judge(costs + 0.003 * np.arange(400), np.ones(400), learning_rate=0.1, is_noisy=True)
    assert flat.standstill.start == 0 and math.isnan(flat.fast_phase.share)


def test_one_set_of_data_is_not_called_noisy_where_the_cost_oscillates(tmp_path):
    assert descended(tmp_path / "run", 60, rate=0.97).verdict().lowest.scale.window == 0


def test_of_a_gain_the_highest_is_told(tmp_path):
    run = descended(tmp_path / "run", 80, sign=1.0)
    found = run.verdict()
    assert found.lowest.epoch > 30 and found.lowest.cost == pytest.approx(-0.25, abs=0.05)
    assert "Highest cost" in str(found) and "whole increase" in told(run)
    assert found.fast_phase.share > 0.9


def test_a_cost_that_goes_to_nothing_does_not_stand_still_at_zero(tmp_path):
    a = gt.Variable(1.0, name="a")
    with gt.Recording(tmp_path / "run", progress=False):
        for _ in range(60):
            with gt.GradientTape() as tape:
                loss = a**4
            a -= 0.1 * tape.gradient(loss, a)
    found = gt.open_run(tmp_path / "run").verdict()
    assert found.standstill.start is None and float(found.standstill.printed) > 0


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_of_very_short_runs_nothing_is_claimed(steps, tmp_path):
    run = descended(tmp_path / "run", steps)
    assert ("there is one step alone" in told(run)) is (steps == 1)
    assert ("still changing" in told(run)) is (steps > 1)
    assert ("more steps" in told(run)) is (steps > 1)
    assert not run.verdict().convergence.converged and not run.diagnose()


def test_two_equal_costs_at_the_end_are_no_standing_still():
    costs = [*np.linspace(9.0, 5.0, 60), 5.0]
    found = judge(costs, np.ones(61), learning_rate=0.1)
    assert found.standstill.start == 59
    assert found.convergence.stands_still_from is None
