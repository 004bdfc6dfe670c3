"""Seeds: what a run stores of them, and that looking for them changes no number."""
# ruff: noqa: NPY002 - the legacy generator is what is looked at

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gradtape as gt
from gradtape.core import streams
from gradtape.record.seeds import Seeds, initial_seed


@pytest.fixture(autouse=True)
def numpys_own_state():
    """Leaves the state of np.random, and what was said of seeds, as they were."""
    before, said = np.random.get_state(), dict(streams.seeded)
    streams.seeded.clear()
    yield
    np.random.set_state(before)
    streams.seeded.clear()
    streams.seeded.update(said)


def recorded(folder, inside=lambda: None):
    w = gt.Variable(1.0, name="w")
    with gt.Recording(folder / "run", progress=False) as run:
        inside()
        with gt.GradientTape() as tape:
            loss = w * w
        w.assign_sub(0.1 * tape.gradient(loss, w))
    return run.reader.meta().get("seed", {})


@pytest.mark.parametrize("seed", [0, 1, 42, 2**32 - 1])
@pytest.mark.parametrize("draws", [0, 1, 311, 312, 313, 5000, 100_000])
def test_a_mersenne_twister_tells_its_seed(seed, draws):
    rng = np.random.RandomState(seed)
    rng.random(draws)
    assert initial_seed(rng.get_state()[1]) == seed


@pytest.mark.parametrize(
    "seed", [[1, 2, 3], [7], [0, 0], list(range(300)), [2**32 - 1, 5]], ids=range(5)
)
@pytest.mark.parametrize("draws", [0, 1, 5000])
def test_a_mersenne_twister_tells_the_words_of_its_seed(seed, draws):
    rng = np.random.RandomState(seed)
    rng.random(draws)
    found = initial_seed(rng.get_state()[1])
    again = np.random.RandomState(found)
    again.random(draws)
    assert np.array_equal(again.get_state()[1], rng.get_state()[1])
    assert found == seed or seed == [0, 0]  # of words that repeat themselves, the shortest


def test_what_was_seeded_otherwise_tells_none():
    rng = np.random.RandomState(np.random.MT19937(5))
    rng.random(1000)
    assert initial_seed(rng.get_state()[1]) is None


def test_seeds_that_are_arrays_and_sequences(tmp_path):
    np.random.seed([4, 5])
    scope = {
        "SEED": [1, 2], "seed": np.array([3, 4], np.uint32), "random_seed": "text",
        "sequence": np.random.SeedSequence([7, 8], spawn_key=(2,)), "bits": np.random.PCG64(9),
        "wide": np.random.default_rng(np.random.SeedSequence(6, pool_size=8)),
        "rngs": [np.random.default_rng([1, 2, 3]), np.random.RandomState([5, 6])],
        "array": np.random.default_rng(np.array([1, 2, 3])),
    }  # fmt: skip
    seeds = Seeds()
    seeds.look(scope)
    seeds.settle()
    assert seeds.found == {
        "SEED": [1, 2], "seed": [3, 4], "sequence": [7, 8], "sequence.spawn_key": [2], "bits": 9,
        "wide": 6, "wide.pool_size": 8, "rngs[0]": [1, 2, 3], "rngs[1]": [5, 6],
        "array": [1, 2, 3], "np.random.seed": [4, 5],
    }  # fmt: skip


def test_numpys_global_seed_is_stored_and_its_draws_stay(tmp_path):
    np.random.seed(1234)
    np.random.normal(size=1001)
    expected = np.random.get_state()
    assert recorded(tmp_path)["np.random.seed"] == 1234
    for now, then in zip(np.random.get_state(), expected, strict=True):
        assert np.array_equal(now, then)


def test_a_seed_that_is_given_inside_the_block(tmp_path):
    np.random.seed(5)
    found = recorded(tmp_path, lambda: np.random.seed(77))
    assert (found["np.random.seed"], found["np.random.seed, later"]) == (5, 77)


def test_generators_are_found_by_their_names(tmp_path):
    class Model:
        def __init__(self):
            self.rng = np.random.default_rng(9)

    Model.__module__ = "__main__"
    scope = {
        "rng": np.random.default_rng(5), "old": np.random.RandomState(6),
        "pair": [np.random.default_rng([1, 2]), 3], "named": {"noise": np.random.default_rng(8)},
        "model": Model(), "child": np.random.default_rng(4).spawn(2)[1],
        "bits": np.random.RandomState(np.random.MT19937(5)), "ours": gt.random.default_rng(3),
        "SEED": np.int64(11), "seed": True, "_hidden": np.random.default_rng(1),
    }  # fmt: skip
    seeds = Seeds()
    seeds.look(scope)
    seeds.settle()
    found = {k: v for k, v in seeds.found.items() if k != "np.random.seed"}
    assert found == {
        "SEED": 11, "rng": 5, "old": 6, "pair[0]": [1, 2], "named['noise']": 8, "model.rng": 9,
        "child": 4, "child.spawn_key": [1], "bits": 5, "ours": 3,
    }  # fmt: skip


def test_a_generator_without_a_seed_tells_what_makes_it_again():
    rng, seeds = np.random.default_rng(), Seeds()
    seeds.look({"rng": rng})
    again = np.random.default_rng(seeds.found["rng"])
    assert again.random() == rng.random()


def test_a_global_generator_that_nobody_seeded_is_left_alone():
    seeds = Seeds()
    np.random.mtrand._rand.set_state(np.random.RandomState(np.random.MT19937(3)).get_state())
    seeds.look({})
    seeds.settle()
    assert seeds.found == {}


def test_gradtapes_and_tensorflows_calls(tmp_path):
    from gradtape import tf

    gt.random.seed(21)
    tf.random.set_seed(22)
    try:
        found = recorded(tmp_path)
        assert (found["gt.random.seed"], found["tf.random.set_seed"]) == (21, 22)
    finally:
        tf.random.set_seed(None)
        gt.random.seed(None)


SCRIPT = """
import numpy as np
import gradtape as gt

def main():
    rng = np.random.default_rng(31)
    np.random.seed(32)
    w = gt.Variable(rng.normal(), name="w")
    for _ in range(3):
        with gt.GradientTape() as tape:
            loss = w * w
        w.assign_sub(0.1 * tape.gradient(loss, w))

source = np.random.RandomState(33)
source.rand(10)
main()
"""


def test_a_recorded_script_and_a_function_of_it(tmp_path):
    (tmp_path / "train.py").write_text(SCRIPT)
    root = str(Path(gt.__file__).parents[1])
    command = [sys.executable, "-m", "gradtape", "run", "--record", "train.py"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=120,
        env={"PYTHONPATH": root, "PATH": "", "HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (database,) = tmp_path.rglob("run.db")
    found = gt.open_run(database.parent).reader.meta()["seed"]
    assert found == {"source": 33, "np.random.seed": 32}


def test_names_inside_a_function_are_found_where_it_records(tmp_path):
    drawn = np.random.default_rng(55)
    assert drawn.random() < 1
    w = gt.Variable(1.0, name="w")
    with gt.Recording(tmp_path / "run", progress=False) as run, gt.GradientTape() as tape:
        tape.gradient(w * w, w)
    assert run.reader.meta()["seed"]["drawn"] == 55
