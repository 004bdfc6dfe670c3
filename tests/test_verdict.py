"""The verdict: four facts, each against the mathematics of gradient descent on a quadratic."""

import dataclasses
import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradtape.errors import ShapeError
from gradtape.verdict import judge, relative_distances


def quadratic_run(eigenvalues, error, rate, epochs, floor=0.0):
    """Costs, gradient norms and states of gradient descent on floor + sum(h * e**2) / 2."""
    h, e = np.asarray(eigenvalues, float), np.asarray(error, float)
    k = np.arange(epochs)[:, None]
    states = e * (1 - rate * h) ** k
    return floor + (h * states**2).sum(axis=1) / 2, np.linalg.norm(h * states, axis=1), states


def tutorial_run(epochs, rate=0.001):
    """The tutorial's data by plain NumPy and the gradient written by hand."""
    rng = np.random.default_rng(1)
    x = rng.uniform(0.0, 1.0, size=200)
    y = 0.3 + 0.5 * x + rng.normal(0.0, 0.3, size=200)
    X = np.column_stack([np.ones(200), x])
    w, costs, norms, states = np.zeros(2), [], [], []
    for _ in range(epochs):
        residual = y - X @ w
        gradient = -2 * X.T @ residual
        costs.append(residual @ residual)
        norms.append(np.linalg.norm(gradient))
        states.append(w)
        w = w - rate * gradient
    return judge(
        costs,
        norms,
        learning_rate=rate,
        largest_eigenvalue=np.linalg.eigvalsh(2 * X.T @ X)[-1],
        coefficients=states,
        closed_form=np.linalg.lstsq(X, y)[0],
        names=["intercept a", "slope b"],
    ), costs


# ------------------------------------------------------------------ the case the tool is made for


def test_tutorial_stands_still_while_the_slope_is_far():
    verdict, costs = tutorial_run(70)
    printed = [f"{cost:.2f}" for cost in costs]
    start = verdict.standstill.start
    assert 57 <= start < 67
    assert len(set(printed[start:])) == 1
    assert printed[start - 1] != printed[start]
    assert not verdict.convergence.converged
    assert verdict.convergence.farthest.name == "slope b"
    assert verdict.convergence.farthest.distance > 0.05
    text = " ".join(str(verdict).split())
    assert f"unchanged from epoch {start} on" in text
    assert "NO, although the printed cost stands still: slope b is 0.4168" in text
    assert "9.17 % away" in text
    assert "It needs about 190 more epochs" in text


def test_tutorial_epochs_to_go_are_right():
    to_go = tutorial_run(70)[0].convergence.epochs_to_go
    # The estimate is of a rate that is still settling: it is held to 5 % of the epochs.
    assert not tutorial_run(70 + int(0.95 * to_go))[0].convergence.converged
    assert tutorial_run(70 + math.ceil(1.05 * to_go))[0].convergence.converged


def test_tutorial_converges_in_the_end_and_says_so():
    verdict, _ = tutorial_run(1000)
    assert verdict.convergence.converged
    assert verdict.convergence.epochs_to_go == 0
    assert "yes: every coefficient agrees with the closed form" in str(verdict)
    assert "more epochs" not in str(verdict)


# ------------------------------------------------------------------ fact 1: the fast phase


def test_fast_phase_ends_where_the_decrease_is_a_hundredth():
    # One mode: the decrease falls by r**2 per epoch, to 1 % after ln(0.01) / ln(r**2) epochs.
    factor = 0.9
    cost, norm, _ = quadratic_run([1.0], [1.0], 0.1, 200)
    verdict = judge(cost, norm, learning_rate=0.1)
    expected = 1 + math.floor(math.log(0.01) / math.log(factor**2))
    assert verdict.fast_phase.end == expected


def test_fast_phase_is_that_of_the_large_eigenvalue():
    cost, norm, _ = quadratic_run([1.0, 0.001], [1.0, 1.0], 0.5, 500)
    end = judge(cost, norm, learning_rate=0.5).fast_phase.end
    # The fast mode alone falls by 0.25 per epoch; the slow one keeps 0.1 % of the decrease.
    assert end == 1 + math.floor(math.log(0.01) / math.log(0.25))


def test_fast_phase_does_not_move_with_the_length_of_the_run():
    cost, norm, _ = quadratic_run([1.0, 0.01], [1.0, 1.0], 0.5, 1000)
    ends = {
        judge(cost[:n], norm[:n], learning_rate=0.5).fast_phase.end for n in (10, 30, 100, 1000)
    }
    assert len(ends) == 1


def test_fast_phase_that_goes_on_has_no_end():
    cost, norm, _ = quadratic_run([1.0], [1.0], 0.001, 50)
    verdict = judge(cost, norm, learning_rate=0.001)
    assert verdict.fast_phase.end is None
    assert "had not ended when the run did" in str(verdict)


def test_fast_phase_of_a_cost_that_never_falls():
    verdict = judge([1.0, 2.0, 4.0], [1.0, 2.0, 4.0], learning_rate=1.0)
    assert verdict.fast_phase.end is None
    assert math.isnan(verdict.fast_phase.share)
    assert "there was none" in str(verdict)


# ------------------------------------------------------------------ fact 2: the printed cost


@pytest.mark.parametrize(
    ("costs", "decimals", "start"),
    [
        ([3.0, 2.0, 1.004, 1.001, 0.999], 2, 2),
        ([3.0, 2.0, 1.006, 1.001, 0.999], 2, 3),
        ([3.0, 2.0, 1.004, 1.001, 0.999], 0, 2),
        ([3.0, 2.0, 1.004, 1.001, 0.999], 3, None),
        ([1.0, 1.0, 1.0], 2, 0),
        ([1.0, 2.0, 1.0], 2, None),  # a value that comes back is a change all the same
        ([1.0], 2, None),
    ],
)
def test_standstill(costs, decimals, start):
    verdict = judge(costs, [1.0] * len(costs), learning_rate=0.1, decimals=decimals)
    assert verdict.standstill.start == start
    assert verdict.standstill.printed == f"{costs[-1]:.{decimals}f}"


@given(st.lists(st.floats(0, 3), min_size=1, max_size=40))
def test_standstill_is_what_a_reader_of_the_printed_costs_sees(costs):
    start = judge(costs, [1.0] * len(costs), learning_rate=0.1).standstill.start
    printed = ["%0.2f" % cost for cost in costs]  # noqa: UP031 - as the tutorial prints it
    if start is None:
        assert len(costs) == 1 or printed[-2] != printed[-1]
    else:
        assert set(printed[start:]) == {printed[-1]}
        assert start == 0 or printed[start - 1] != printed[-1]


# ------------------------------------------------------------------ fact 3: the lowest cost


def test_lowest_cost_in_the_middle():
    verdict = judge([3.0, 1.0, 2.0], [1.0] * 3, learning_rate=0.1)
    assert (verdict.lowest.epoch, verdict.lowest.cost, verdict.lowest.above) == (1, 1.0, 1.0)
    assert not verdict.lowest.is_rounding
    assert "1 at epoch 1; the last epoch, 2, is 1 above it." in str(verdict)


def test_lowest_cost_on_a_plateau_of_rounding():
    last = 2.0 * (1 + 2 * np.finfo(float).eps)
    verdict = judge([3.0, 2.0, last], [1.0] * 3, learning_rate=0.1)
    assert verdict.lowest.epoch == 1
    assert verdict.lowest.is_rounding
    assert "equals it within rounding" in str(verdict)


def test_lowest_cost_is_the_first_of_equals():
    assert judge([3.0, 2.0, 2.0], [1.0] * 3, learning_rate=0.1).lowest.epoch == 1


# ------------------------------------------------------------------ fact 4: convergence


@pytest.mark.parametrize("error", [[1.0, 1.0], [-3.0, 0.2]])
def test_epochs_to_go_from_the_rate_of_the_slow_mode(error):
    eigenvalues, rate, target = [1.0, 0.02], 0.5, np.array([2.0, -5.0])
    cost, norm, states = quadratic_run(eigenvalues, error, rate, 200)
    verdict = judge(
        cost,
        norm,
        learning_rate=rate,
        largest_eigenvalue=1.0,
        coefficients=states + target,
        closed_form=target,
    )
    distance = abs(states[-1, 1]) / 5.0
    exact = math.ceil(math.log(distance / 1e-3) / -math.log(1 - rate * 0.02))
    assert not verdict.convergence.converged
    assert verdict.convergence.farthest.name == "coefficient 1"
    assert abs(verdict.convergence.epochs_to_go - exact) <= 1


def test_without_a_closed_form_the_gradient_decides():
    cost, norm, _ = quadratic_run([1.0], [1.0], 0.1, 100)
    verdict = judge(cost, norm, learning_rate=0.1)
    exact = math.ceil(math.log(norm[-1] / norm[0] / 1e-6) / -math.log(0.9))
    assert verdict.convergence.epochs_to_go == exact
    assert "the gradient has not vanished" in str(verdict)
    cost, norm, _ = quadratic_run([1.0], [1.0], 0.1, 100 + exact)
    assert judge(cost, norm, learning_rate=0.1).convergence.converged


def test_a_known_number_of_epochs_to_go_is_taken():
    cost, norm, _ = quadratic_run([1.0], [1.0], 0.1, 10)
    assert judge(cost, norm, learning_rate=0.1, epochs_to_go=77).convergence.epochs_to_go == 77


@pytest.mark.parametrize(
    ("stability", "words"),
    [
        (0.5, "0.5: stable (below 2)."),
        (1.5, "1.5: stable (below 2), but each step overshoots"),
        (2.5, "2.5: unstable, it must be below 2."),
    ],
)
def test_learning_rate_times_largest_eigenvalue(stability, words):
    cost, norm, _ = quadratic_run([1.0], [1.0], stability, 8)
    verdict = judge(cost, norm, learning_rate=stability, largest_eigenvalue=1.0)
    assert verdict.convergence.stability == stability
    assert words in " ".join(str(verdict).split())


def test_an_unstable_rate_is_never_converged():
    verdict = judge(
        [1.0, 1.0],
        [0.0, 0.0],
        learning_rate=3.0,
        largest_eigenvalue=1.0,
        coefficients=[[1.0], [1.0]],
        closed_form=[1.0],
    )
    assert not verdict.convergence.converged
    assert verdict.convergence.epochs_to_go is None
    assert "a smaller learning rate does" in " ".join(str(verdict).split())


def test_a_run_that_moves_away_does_not_promise_epochs():
    verdict = judge([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0], learning_rate=0.1)
    assert verdict.convergence.epochs_to_go is None
    assert "not getting nearer" in " ".join(str(verdict).split())


def test_diverged_to_infinity():
    verdict = judge([1.0, 1e200, math.inf, math.nan], [1.0, 1e200, 1.0, 1.0], learning_rate=9.0)
    assert verdict.convergence.diverged_at == 2
    assert not verdict.convergence.converged
    assert "diverged: the cost is not finite from epoch 2 on" in str(verdict)
    assert max(map(len, str(verdict).splitlines())) <= 96


def test_a_run_of_one_epoch():
    verdict = judge([0.0], [0.0], learning_rate=0.1)
    assert verdict.convergence.converged
    assert verdict.lowest.epoch == 0


# ------------------------------------------------------------------ the door


def test_it_shows_in_a_notebook_as_its_facts():
    found, _ = tutorial_run(70)
    shown = ET.fromstring(found._repr_html_())
    assert [each.text for each in shown.iter("b")] == [
        "Fast phase", "Printed cost", "Lowest cost", "Converged"]  # fmt: skip
    assert [each.text for each in shown.iter("dd")] == [
        str(each) for each in (found.fast_phase, found.standstill, found.lowest, found.convergence)
    ]


def test_facts_are_frozen():
    verdict = judge([1.0], [1.0], learning_rate=0.1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        verdict.lowest = None


@pytest.mark.parametrize(
    ("costs", "norms", "match"),
    [
        ([1.0, 2.0], [1.0], r"costs has shape \(2,\), gradient_norms \(1,\)"),
        ([], [], "at least one epoch"),
        ([[1.0]], [[1.0]], "one number per epoch"),
        ([math.nan], [1.0], "at epoch 0 the cost is nan"),
    ],
)
def test_series_that_do_not_belong_together(costs, norms, match):
    with pytest.raises(ShapeError, match=match):
        judge(costs, norms, learning_rate=0.1)


def test_coefficients_of_another_number_of_epochs():
    with pytest.raises(ShapeError, match="3 costs, but coefficients of 2 epochs"):
        judge([1.0] * 3, [1.0] * 3, learning_rate=1.0, coefficients=[[1.0]] * 2, closed_form=[1.0])


def test_relative_distances_of_a_closed_form_of_zero():
    np.testing.assert_array_equal(relative_distances([1.0, 1.0], [0.0, 4.0]), [0.25, 0.75])
    np.testing.assert_array_equal(relative_distances([1.0], [0.0]), [1.0])
    np.testing.assert_array_equal(relative_distances([3.0], [1.0], [4.0]), [0.5])


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.99996, "99.996 %"),
        (0.994, "99.4 %"),
        (0.5, "50 %"),
        (1.0, "100 %"),
        (0.9999999999, "99.99999999 %"),
    ],
)
def test_nearly_all_is_not_rounded_to_all(share, words):
    from gradtape.verdict.facts import _percent

    assert _percent(share) == words
