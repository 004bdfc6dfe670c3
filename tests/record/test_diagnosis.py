"""A diagnosis names what is wrong with a run, with its line, and leaves healthy runs alone."""

import inspect
import warnings

import numpy as np
import pytest

import gradtape as gt
from gradtape.record.diagnosis import diagnose
from gradtape.record.reader import Reader
from gradtape.record.relations import is_unrelated
from tests.record.healthy import KINDS
from tests.record.healthy_models import MODELS
from tests.record.healthy_scripts import SCRIPTS
from tests.record.planted import PLANTED
from tests.record.planted_again import AGAIN
from tests.record.planted_data import DATA_AND_COST
from tests.record.planted_scripts import RATES_UNITS_AND_VARIABLES


def diagnosis_of(loop, folder, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gt.errors.GradientWarning)
        with gt.Recording(folder, progress=False, **options):
            loop()
    return diagnose(Reader(folder))


def marked_line(loop):
    lines, start = inspect.getsourcelines(getattr(loop, "marked", loop))
    (at,) = [i for i, text in enumerate(lines) if text.rstrip().endswith("# here")]
    return start + at


def is_named(loop, kind, folder):
    found = diagnosis_of(loop, folder)
    assert found.kinds == [kind], str(found)  # and nothing beside it
    (finding,) = found
    assert finding.line == marked_line(loop), str(found)
    assert finding.file == inspect.getsourcefile(loop)
    assert finding.text.endswith("# here")
    assert finding.fact and finding.cause and finding.remedy


@pytest.mark.parametrize("loop", PLANTED, ids=lambda loop: loop.__name__)
def test_what_was_planted_is_named_with_its_line(loop, tmp_path):
    is_named(loop, PLANTED[loop], tmp_path / "run")


WRITTEN = {**RATES_UNITS_AND_VARIABLES, **DATA_AND_COST, **AGAIN}
REPRESENTATIVE = {"batches_too_low", "died_in_the_first_step", "deep_tanh_vanishes", "first_half",
                  "a_mask_of_zeros", "sum_of_a_loss_vector", "batches_shuffled_apart",
                  "houses_in_batches", "adam_that_jumps_about", "boolean_rows",
                  "parameters_in_a_plain_array", "a_constant_that_was_never_watched",
                  "classes_shuffled_in_batches"}  # fmt: skip


@pytest.mark.parametrize(
    "loop",
    [
        pytest.param(
            loop,
            id=loop.__name__,
            marks=() if loop.__name__ in REPRESENTATIVE else pytest.mark.slow,
        )
        for loop in WRITTEN
    ],
)
def test_what_users_write_wrongly_is_named_with_its_line(loop, tmp_path):
    is_named(loop, WRITTEN[loop], tmp_path / "run")


def alarms_of(runs, folder, **options):
    found = {}
    for kind, seed in runs:
        rng = np.random.default_rng(seed)
        name = f"{kind.__name__}-{seed}"
        diagnosis = diagnosis_of(lambda: kind(rng), folder / name, **options)  # noqa: B023
        if diagnosis:
            found[name] = diagnosis.kinds
    return found


@pytest.mark.slow
def test_of_all_healthy_runs_at_most_one_is_told_that_it_is_ill(tmp_path):
    runs = [(kind, seed) for kind in KINDS for seed in range(5)]
    runs += [(kind, 0) for kind in (*SCRIPTS, *MODELS)]
    alarms = alarms_of(runs, tmp_path)
    assert len(runs) >= 110 and len(alarms) <= 1, alarms


@pytest.mark.exhaustive
def test_of_healthy_runs_with_other_seeds_one_in_fifty_is_told_that_it_is_ill(tmp_path):
    runs = [(kind, seed) for kind in (*SCRIPTS, *MODELS) for seed in (1, 2)]
    alarms = alarms_of(runs, tmp_path)
    assert len(alarms) <= len(runs) // 50, alarms


def test_healthy_runs_that_look_ill_are_left_alone(tmp_path):
    names = ("missing_targets", "validation_rows_in_one_pass", "likelihood_made_larger", "hinge")
    names += ("triplets", "semi_supervised_graph", "parity", "huber", "resumed_classifier")
    assert not alarms_of([(k, 0) for k in (*SCRIPTS, *MODELS) if k.__name__ in names], tmp_path)


def test_of_numbers_alone_noisy_runs_are_left_alone(tmp_path):
    names = ("noisy_sgd_of_single_rows", "fine_tuning", "resumed_at_the_minimum", "triplets")
    runs = [(k, 0) for k in (*SCRIPTS, *MODELS) if k.__name__ in names]
    assert len(runs) == 4 and not alarms_of(runs, tmp_path, level="scalars")


def test_a_hinge_that_all_examples_have_passed_is_not_dead(tmp_path):
    w, clear = gt.Variable(np.zeros(3), name="w"), np.abs(Y) > 1.0
    x, side = X[clear], np.sign(Y[clear])

    def cost():
        return np.mean(np.maximum(0.0, 1.0 - side * (x @ w)))

    found = diagnosis_of(lambda: descend(cost, [w], rate=1.0, steps=60), tmp_path / "run")
    run = gt.open_run(tmp_path / "run")
    assert run.history()["cost"].iloc[-1] == 0 and not found


def test_a_diagnosis_prints_and_shows_in_a_notebook(tmp_path):
    loop = next(loop for loop in PLANTED if loop.__name__ == "compared_as_a_table")
    found = diagnosis_of(loop, tmp_path / "run")
    lines = str(found).split("\n")
    assert lines[0].startswith("1. Broadcast (planted.py:") and "# here" in lines[1]
    assert lines[-1] == f"   Remedy: {found[0].remedy}"
    assert max(map(len, lines[:-1])) <= 100
    shown = found._repr_html_()
    assert "<li><b>Broadcast</b>" in shown and "<b>Remedy:</b>" in shown


def test_what_was_not_recorded_is_said(tmp_path):
    w = gt.Variable(np.zeros(3), name="w")
    with gt.Recording(tmp_path / "numbers", progress=False, level="scalars"):
        descend(lambda: np.mean((X @ w - Y) ** 2), [w])
    found = gt.open_run(tmp_path / "numbers").diagnose()
    assert not found and "operations were not recorded" in str(found)
    with gt.Recording(tmp_path / "nothing", progress=False):
        pass
    assert "no cost was recorded" in str(gt.open_run(tmp_path / "nothing").diagnose())
    assert len(found.checked) == 18


def test_the_gravest_finding_stands_first(tmp_path):
    w = gt.Variable(np.zeros((3, 1)), name="w")

    def loop():
        with np.errstate(all="ignore"):
            descend(lambda: np.mean((X @ w - Y) ** 2), [w], rate=3.0, steps=40)

    assert diagnosis_of(loop, tmp_path / "run").kinds == ["learning rate too high", "broadcast"]


def test_with_one_step_in_ten_recorded_no_curvature_is_claimed(tmp_path):
    w = gt.Variable(np.zeros(3), name="w")
    with np.errstate(all="ignore"), gt.Recording(tmp_path / "run", progress=False, every=10):
        descend(lambda: np.mean((X @ w - Y) ** 2), [w], rate=5.0, steps=300)
    (found,) = gt.open_run(tmp_path / "run").diagnose()
    assert found.kind == "learning rate too high" and found.evidence["curvature"] is None


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_targets_are_unrelated_and_others_are_not(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(200, 3))
    y = np.sin(x[:, 0]) + 0.5 * rng.normal(size=200)
    assert not is_unrelated(x, y)
    assert not is_unrelated(x, (y > 0).astype(int))
    assert not is_unrelated(x[:20], rng.permutation(y[:20]))  # too few to tell


def test_most_shuffled_targets_are_told_to_be_unrelated():
    found = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(200, 3))
        y = np.sin(x[:, 0]) + 0.5 * rng.normal(size=200)
        found += is_unrelated(x, rng.permutation(y))
    assert found >= 16


X = np.random.default_rng(7).normal(size=(60, 3))
Y = X @ [1.0, -2.0, 0.5]


def descend(cost, variables, rate=0.05, steps=12):
    for _ in range(steps):
        with gt.GradientTape() as tape:
            loss = cost()
        for v, g in zip(variables, tape.gradient(loss, variables), strict=True):
            v.assign_sub(rate * g)


@pytest.mark.parametrize("start", [np.zeros(3), 0.0], ids=["array", "scalar"])
def test_an_update_along_the_gradient_is_named_and_no_learning_rate_is_blamed(start, tmp_path):
    w = gt.Variable(start, name="w")

    def cost():
        return np.mean((np.sum(X * w, axis=1) - Y) ** 2)

    found = diagnosis_of(lambda: descend(cost, [w], rate=-0.05), tmp_path / "run")
    assert found.kinds == ["update uphill"]
    assert found[0].text == "v.assign_sub(rate * g)"


def test_a_gain_below_zero_that_is_made_larger_is_nothing_wrong(tmp_path):
    w = gt.Variable(np.zeros(3), name="w")

    def gain():
        return -np.mean((X @ w - Y) ** 2)

    assert not diagnosis_of(lambda: descend(gain, [w], rate=-0.1, steps=40), tmp_path / "run")


def test_layers_that_all_start_at_zero_have_no_gradient(tmp_path):
    first, second = gt.Variable(np.zeros((3, 4)), name="W"), gt.Variable(np.zeros(4), name="v")

    def cost():
        return np.mean((np.tanh(X @ first) @ second - Y) ** 2)

    (found,) = diagnosis_of(lambda: descend(cost, [first, second]), tmp_path / "run")
    assert found.kind == "no gradient"
    assert found.text == "return np.mean((np.tanh(X @ first) @ second - Y) ** 2)"


def test_the_exception_that_ended_a_run_is_a_finding(tmp_path):
    w, turns = gt.Variable(np.zeros(3), name="w"), []

    def cost():
        turns.append(1)
        return np.mean((X @ w - (Y if len(turns) < 5 else Y[:7])) ** 2)

    with pytest.raises(gt.errors.ShapeError):
        diagnosis_of(lambda: descend(cost, [w]), tmp_path / "run")
    (found,) = gt.open_run(tmp_path / "run").diagnose()
    assert found.kind == "stopped by an exception" and found.step == 4
    assert "float64[60] and float64[7]" in found.fact
    assert found.text.startswith("return np.mean((X @ w - (Y if")


def test_an_exception_of_few_words_is_a_sentence(tmp_path):
    for name, error, said in (("key", KeyError("x"), "KeyError at step 0: 'x'."),
                              ("bare", ValueError(), "ValueError at step 0.")):  # fmt: skip
        with pytest.raises(type(error)), gt.Recording(tmp_path / name, progress=False):
            raise error
        assert gt.open_run(tmp_path / name).diagnose()[0].fact == said


@pytest.mark.parametrize("options", [{"level": "scalars"}, {"every": 7}], ids=str)
def test_a_value_is_called_the_first_only_where_its_operation_was_recorded(options, tmp_path):
    w, turns = gt.Variable(np.zeros(3), name="w"), []

    def cost():
        turns.append(1)
        prediction = X @ w
        if len(turns) == 10:
            prediction = np.log(prediction - 100.0)
        return np.mean((prediction - Y) ** 2)

    with np.errstate(all="ignore"), gt.Recording(tmp_path / "run", progress=False, **options):
        descend(cost, [w], steps=20)
    (found,) = gt.open_run(tmp_path / "run").diagnose()
    assert found.kind == "not finite"
    if "every" in options:  # each step is looked at
        assert found.step == 9 and "first such value of the run" in found.fact
        assert found.text == "prediction = np.log(prediction - 100.0)"
    else:
        assert "first such value that was recorded" in found.fact
        assert 'level="standard"' in found.remedy


def test_in_a_compiled_function_the_operation_is_named_with_its_line(tmp_path):
    w = gt.Variable([1.0, 2.0], name="w")

    @gt.function
    def step(rate):
        with gt.GradientTape() as tape:
            loss = np.sum(np.log(w) ** 2)
        w.assign_sub(rate * tape.gradient(loss, w))

    with np.errstate(all="ignore"), gt.Recording(tmp_path / "run", progress=False):
        for rate in (0.1, 0.1, 50.0, 0.1):
            step(rate)
    (found,) = gt.open_run(tmp_path / "run").diagnose()
    assert found.kind == "not finite" and found.step == 3
    assert found.fact.startswith("The result of log")
    assert found.text == "loss = np.sum(np.log(w) ** 2)"
    assert found.cause.startswith("Its operands hold w -") and "np.maximum" in found.remedy


@pytest.mark.parametrize("forgets", [True, False])
def test_a_variable_whose_update_was_forgotten_is_named_where_it_was_made(forgets, tmp_path):
    w = gt.Variable(np.zeros(3), name="w")
    b = gt.Variable(1.0, name="b")

    def loop():
        for _ in range(12):
            with gt.GradientTape() as tape:
                loss = np.mean((X @ w + b - Y) ** 2)
            dw, db = tape.gradient(loss, [w, b])
            w.assign_sub(0.1 * dw)
            if not forgets:
                b.assign_sub(0.1 * db)

    found = diagnosis_of(loop, tmp_path / "run")
    assert found.kinds == (["never updated"] if forgets else [])
    if forgets:
        assert found[0].text == 'b = gt.Variable(1.0, name="b")'
