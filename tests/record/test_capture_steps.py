"""Steps are counted as the loop means it, in loops of every shape."""

import numpy as np
import pytest

import gradtape as gt

X = np.linspace(0.0, 1.0, 5)


def steps_of(tmp_path, loop):
    with gt.Recording(tmp_path / "run", progress=False) as run:
        loop(run)
    return run.reader.steps().tolist()


def descend(variables, cost, rate=0.01):
    with gt.GradientTape() as tape:
        loss = cost()
    for v, g in zip(variables, tape.gradient(loss, variables), strict=True):
        v.assign_sub(rate * g)


def plain(run):
    w = gt.Variable(1.0)
    for _ in range(7):
        descend([w], lambda: np.sum((w * X) ** 2))


def minus_equals(run):
    w = gt.Variable(np.ones(3))
    for _ in range(7):
        with gt.GradientTape() as tape:
            loss = np.sum(w**2)
        w -= 0.1 * tape.gradient(loss, w)


def two_networks(run):
    d, g = gt.Variable(1.0, name="d"), gt.Variable(2.0, name="g")
    for _ in range(7):
        descend([d], lambda: (d - g) ** 2)
        descend([g], lambda: (g + d) ** 2)


def two_networks_both_tapes_first(run):
    d, g = gt.Variable(1.0), gt.Variable(2.0)
    for _ in range(7):
        with gt.GradientTape() as one, gt.GradientTape() as two:
            cost_d, cost_g = (d - g) ** 2, (d * g) ** 2
        grad_g, grad_d = two.gradient(cost_g, [g]), one.gradient(cost_d, [d])
        g.assign_sub(0.01 * grad_g[0])
        d.assign_sub(0.01 * grad_d[0])


def two_networks_in_one_function(run):
    d, g = gt.Variable(1.0), gt.Variable(2.0)
    for _ in range(7):
        for v in (d, g):
            descend([v], lambda: (d - g) ** 2)


def persistent(run):
    a, b = gt.Variable(1.0), gt.Variable(2.0)
    for _ in range(7):
        with gt.GradientTape(persistent=True) as tape:
            loss = (a * b) ** 2
        grad_a = tape.gradient(loss, a)
        grad_b = tape.gradient(loss, b)
        a.assign_sub(0.01 * grad_a)
        b.assign_sub(0.01 * grad_b)


def persistent_assigned_between(run):
    a, b = gt.Variable(1.0), gt.Variable(2.0)
    for _ in range(7):
        with gt.GradientTape(persistent=True) as tape:
            loss = (a * b) ** 2
        a.assign_sub(0.01 * tape.gradient(loss, a))
        b.assign_sub(0.01 * tape.gradient(loss, b))


def persistent_asked_again_afterwards(run):
    a = gt.Variable(1.0)
    for _ in range(7):
        with gt.GradientTape(persistent=True) as tape:
            loss = a**2
        a.assign_sub(0.01 * tape.gradient(loss, [a])[0])
        tape.gradient(loss, [a])


def nested(run):
    w = gt.Variable(1.0)
    for _ in range(7):
        with gt.GradientTape() as outer:
            with gt.GradientTape() as inner:
                loss = w**3
            slope = inner.gradient(loss, w)
            penalty = loss + slope**2
        w.assign_sub(0.001 * outer.gradient(penalty, w))


def accumulated(run):
    w = gt.Variable(1.0)
    for _ in range(7):
        total = 0.0
        for part in (X[:2], X[2:]):
            with gt.GradientTape() as tape:
                loss = np.sum((w * part) ** 2)
            total = total + tape.gradient(loss, w).numpy()
        w.assign_sub(0.01 * total)


def accumulated_in_variables(run):
    w, total = gt.Variable(1.0), gt.Variable(0.0)
    for _ in range(7):
        for part in (X[:2], X[2:], X):
            with gt.GradientTape() as tape:
                loss = np.sum((w * part) ** 2)
            total.assign_add(tape.gradient(loss, w))
        w.assign_sub(0.01 * total)
        total.assign(0.0)


def input_gradient_first(run):
    w = gt.Variable(1.0)
    for _ in range(7):
        with gt.GradientTape() as tape:
            x = tape.watch(X)
            loss = np.sum((w * x) ** 2)
        attack = X + 0.1 * np.sign(tape.gradient(loss, x).numpy())
        descend([w], lambda attack=attack: np.sum((w * attack) ** 2))


def counters_and_averages(run):
    w, count = gt.Variable(1.0), gt.Variable(0.0, trainable=False)
    mean = gt.Variable(0.0, trainable=False)
    for _ in range(7):
        descend([w], lambda: w**2)
        count.assign_add(1.0)
        mean.assign(0.9 * mean.value + 0.1 * w.value)


def no_variable(run):
    w = np.array(1.0)
    for _ in range(7):
        with gt.GradientTape() as tape:
            x = tape.watch(w)
            loss = x**2
        w = w - 0.1 * tape.gradient(loss, x).numpy()


def functional(run):
    w = 1.0
    slope = gt.grad(lambda w: (w - 3.0) ** 2)
    for _ in range(7):
        w = w - 0.1 * slope(w)


def functional_second_order(run):
    w = 1.0
    for _ in range(7):
        w = w - 0.1 * gt.grad(gt.grad(lambda w: w**4))(w)


def said_by_the_user(run):
    w = gt.Variable(1.0)
    for _ in run.steps(7):
        for part in (X[:2], X[2:]):
            descend([w], lambda part=part: np.sum((w * part) ** 2))


def said_without_a_gradient_in_each(run):
    w = gt.Variable(1.0)
    for step in run.steps(7):
        descend([w], lambda: w**2)
        run.log(step=step)


def one_phase_after_another(run):
    a, b = gt.Variable(1.0), gt.Variable(1.0)
    for _ in range(4):
        descend([a], lambda: (a - b) ** 2)
    for _ in range(3):
        descend([b], lambda: (a + b) ** 2)


def left_before_its_update(run):
    w = gt.Variable(4.0)
    for n in range(9):
        with gt.GradientTape() as tape:
            loss = w**2
        g = tape.gradient(loss, w)
        if n == 6:
            break
        w.assign_sub(0.1 * g)


def looked_at_afterwards(run):
    w = gt.Variable(4.0)
    for _ in range(7):
        descend([w], lambda: w**2)
    with gt.GradientTape() as tape:
        loss = w**2
    tape.gradient(loss, w)


LOOPS = [
    plain, minus_equals, two_networks, two_networks_both_tapes_first, two_networks_in_one_function,
    persistent, persistent_assigned_between, persistent_asked_again_afterwards, nested,
    accumulated, accumulated_in_variables, input_gradient_first, counters_and_averages, no_variable,
    functional, functional_second_order, said_by_the_user, said_without_a_gradient_in_each,
    one_phase_after_another, left_before_its_update,
]  # fmt: skip


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: loop.__name__)
def test_seven_turns_are_seven_steps(tmp_path, loop):
    assert steps_of(tmp_path, loop) == [0, 1, 2, 3, 4, 5, 6]


def test_a_look_at_the_gradient_after_the_loop_is_no_further_step(tmp_path):
    assert steps_of(tmp_path, looked_at_afterwards) == [0, 1, 2, 3, 4, 5, 6]


def test_another_thread_has_no_part_in_it(tmp_path):
    import threading

    w, other = gt.Variable(1.0), gt.Variable(1.0)

    def work():
        for _ in range(5):
            descend([other], lambda: other**2)

    with gt.Recording(tmp_path / "run", progress=False) as run:
        for _ in range(3):
            descend([w], lambda: w**2)
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
    assert run.reader.steps().tolist() == [0, 1, 2]
    assert [c.name for c in run.reader.columns() if c.kind == "value"] == ["value/w"]


def test_what_minimize_sees_is_recorded(tmp_path):
    x = np.linspace(0.0, 1.0, 20)
    y, start = 2.0 * x + 1.0, np.zeros(2)

    def cost(p):
        return np.sum((p[0] + p[1] * x - y) ** 2)

    with gt.Recording(tmp_path / "run", progress=False) as run:
        found = gt.minimize(cost, start, method="BFGS")
    costs = run.history()["cost"].tolist()
    assert costs == [cost(run.array("value/start", step)) for step in range(found.njev)]
    np.testing.assert_allclose(run.array("value/start"), found.x, atol=1e-6)
    assert run.verdict().convergence.converged and not run.diagnose()
    assert run.reader.graph()["roles"]["y"]


def test_every_second_step_keeps_the_numbers_of_the_steps(tmp_path):
    w = gt.Variable(1.0, name="w")
    with gt.Recording(tmp_path / "run", every=2, progress=False) as run:
        for _ in range(7):
            descend([w], lambda: w**2, 0.25)
    steps, values = run.reader.series("value/w")
    assert steps.tolist() == [0, 2, 4, 6]
    np.testing.assert_allclose(values, 0.5**steps)
