"""Kernels of NPBench and GradBench: gradients against central differences; rows and pages."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import worker
from bench.cases import worst_error
from bench.compiled.measuring import OURS, Entry, Result, judged
from bench.npbench import command, namespaces
from bench.npbench.cases import (
    KERNELS,
    case,
    central_slope,
    data,
    gradient_by_tape,
    reference,
)
from bench.npbench.kernels import inputs, loss, names_of, variables
from bench.npbench.report import SetDocument, as_json, as_markdown, geometric_mean
from bench.peers import OURS_COMPILED
from bench.run import main
from bench.stats import Ratio

# Compiled by us in seconds each; the rest is in the bench's own check of every answer.
QUICK = ("gemm", "gesummv", "softmax", "go_fast", "arc_distance", "compute", "trisolv", "ba",
         "kmeans", "det", "llsq")  # fmt: skip


def test_there_are_at_least_the_kernels_that_were_promised() -> None:
    assert len(names_of("npbench")) >= 25
    wanted = {"gmm", "ba", "ht", "lstm", "ode", "kmeans", "det", "llsq", "saddle", "particle"}
    assert set(names_of("gradbench")) == wanted


@pytest.mark.parametrize("name", KERNELS)
def test_a_gradient_agrees_with_central_differences(name: str) -> None:
    arrays = inputs(name)
    value, gradient = gradient_by_tape(name, arrays)
    rng = np.random.default_rng(7)
    names = variables(name, arrays)
    assert [g.shape for g in gradient] == [arrays[key].shape for key in names]
    # one operand at a time, so that a small gradient does not hide behind a large one
    for key, g in zip(names, gradient, strict=True):
        direction = {key: rng.standard_normal(arrays[key].shape)}
        expected, slope = central_slope(name, arrays, direction)
        along = g * direction[key]
        assert abs(float(np.sum(along) - slope)) <= 1e-7 * float(np.sum(np.abs(along)) + 1e-12)
    assert float(value) == pytest.approx(float(expected), rel=1e-12)
    assert np.isfinite(float(value)) and float(value) != 0


@pytest.mark.parametrize("name", QUICK)
def test_our_program_of_a_kernel_answers_right(name: str, tmp_path: Path) -> None:
    ours, answer = worker.Worker(OURS_COMPILED.library, threads=2), tmp_path / "answer.npz"
    one = case(name)
    ours.prepare(one.name, str(answer))
    with np.load(answer) as outputs:
        assert worst_error(dict(outputs), one.reference(one.data())) <= one.tolerance


def test_a_wrong_gradient_of_the_tape_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.npbench import cases

    def wrong(name: str, arrays: Any) -> Any:
        value, gradient = gradient_by_tape(name, arrays)
        return value, [g * 1.001 for g in gradient]

    monkeypatch.setattr(cases, "gradient_by_tape", wrong)
    with pytest.raises(AssertionError, match="durbin: the tape says"):
        reference("durbin", data("durbin"))


def test_numpy_and_our_namespace_have_the_same_names() -> None:
    assert set(vars(namespaces.numpy())) == set(vars(namespaces.gradtape()))


def test_kernels_do_not_write_into_their_arrays() -> None:
    for name in KERNELS:
        arrays = inputs(name)
        for array in arrays.values():
            array.flags.writeable = False
        loss(name, namespaces.numpy())(*arrays.values())


# --- the page -----------------------------------------------------------------------------------


def result(name: str, ours: float, best: float) -> Result:
    entries = (Entry(OURS, (ours,), 1e-15, 4.5, 30.0), Entry("jax.jit", (best,)))
    return judged(Result(f"npbench-{name}", "about", 2, "us", entries, over_value=Ratio(2.0, 2.0)))


def test_the_mean_of_the_ratios_is_geometric() -> None:
    assert geometric_mean([result("a", 1.0, 4.0), result("b", 1.0, 1.0)]) == pytest.approx(0.5)
    assert geometric_mean([]) is None


def test_rows_above_the_bar_and_failures_are_named() -> None:
    good, slow = result("a", 1.0, 4.0), result("slow", 1.6, 1.0)
    failed = replace(result("broken", 1.0, 1.0), ratio=None)
    entry = replace(failed.entries[0], samples=(), failure="it broke")
    failed = replace(failed, entries=(entry, failed.entries[1]))
    document = SetDocument("NPBench", "about", [good, slow, failed], absent=["DaCe is not"])
    page = as_markdown(document)
    assert "| kernels above 1.5 | npbench-slow | none | missed |" in page
    assert "| kernels without an answer of ours | npbench-broken | none | missed |" in page
    assert "it broke" in page and "- DaCe is not" in page
    assert len(json.loads(as_json(document))["results"]) == 3


def test_a_run_of_one_kernel_asks_for_that_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def measured(cases: Any, settings: Any, peers: Any) -> Any:
        asked.extend(one.name for one in cases)
        return [result("durbin", 1.0, 4.0)], {}

    monkeypatch.setattr(command, "measured", measured)
    for suite, name in (("npbench", "durbin"), ("gradbench", "lstm")):
        words = ["--only", suite, "--case", f"{suite}-{name}", "--out", str(tmp_path)]
        assert main(words) == 0
        assert asked.pop() == f"{suite}-{name}" and not asked
    page = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "## NPBench" in page and "## GradBench" in page
    assert (tmp_path / "gradbench.json").is_file()


def test_the_particle_is_at_the_ground_when_its_flight_ends() -> None:
    from bench.gradbench import objectives

    fixed, moving = np.array([10.0, 0.0]), np.array([10.0, 9.7])
    x, v = np.array([0.0, 8.0]), np.array([0.75, 0.0])
    heights = []
    for _ in range(objectives.FLIGHT):
        a = sum((x - c) * np.sum((x - c) ** 2) ** -1.5 for c in (fixed, moving))
        x, v = x + objectives.STEP * v, v + objectives.STEP * a
        heights.append(x[1])
    assert heights[-2] > 0 >= heights[-1]
