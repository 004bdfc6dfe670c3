"""Kernels of NPBench and GradBench: gradients against central differences; rows and pages."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import environments, worker
from bench.cases import worst_error
from bench.compiled.measuring import OURS, Entry, Result, judged
from bench.measure import Settings
from bench.npbench import command, namespaces
from bench.npbench.cases import (
    KERNELS,
    case,
    central_slope,
    data,
    gradient_by_tape,
    reference,
)
from bench.npbench.kept import Rows, programs_kept
from bench.npbench.kernels import inputs, loss, names_of, variables
from bench.npbench.report import SetDocument, as_json, as_markdown, geometric_mean
from bench.npbench.text import program_text
from bench.peers import COMPILED, OURS_COMPILED, Peer
from bench.run import main
from bench.stats import Ratio

pytestmark = pytest.mark.slow  # as a file

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
    entries = (Entry(OURS, (ours,), 1e-15, 4.5, 30.0), Entry("jax.jit", (best,), 1e-16, 0.5))
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
    assert "| 1.00 us (1.00 us), 0.5 ulp |" in page  # no speed without its accuracy
    assert "it broke" in page and "- DaCe is not" in page
    assert len(json.loads(as_json(document))["results"]) == 3


def test_a_run_of_one_kernel_asks_for_that_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def measured(cases: Any, settings: Any, peers: Any, rows: Any) -> Any:
        asked.extend(one.name for one in cases)
        return [result("durbin", 1.0, 4.0)], {}

    monkeypatch.setattr(command, "measured", measured)
    for suite, name in (("npbench", "durbin"), ("gradbench", "lstm")):
        words = ["--only", suite, "--case", f"{suite}-{name}", "--out", str(tmp_path)]
        words += ["--venvs", str(tmp_path)]
        assert main(words) == 0
        assert asked.pop() == f"{suite}-{name}" and not asked
    page = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "## NPBench" in page and "## GradBench" in page
    assert (tmp_path / "gradbench.json").is_file()


# --- a run that is interrupted -------------------------------------------------------------------

ABSENT = Peer("absent", "absent_library", "absent", "nothing", "nowhere", mode=COMPILED)


def test_a_run_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    cases, path, mark = [case("gemm"), case("det")], tmp_path / "rows", {"threads": 2}
    settings = Settings(tmp_path)
    measured_: list[str] = []

    def each(one: Any, peers: Any, bench: Any) -> Result:
        if measured_ == ["npbench-gemm"] and len(path.read_text().splitlines()) == 3:
            raise KeyboardInterrupt
        measured_.append(one.name)
        return replace(result("x", 1.0, 4.0), case=one.name)

    with pytest.raises(KeyboardInterrupt):
        command.measured(cases, settings, [], Rows(path, mark, resume=False), each)
    measured_.clear()
    again = Rows(path, mark, resume=True)
    found, _ = command.measured(cases, settings, [], again, each)
    assert measured_ == ["gradbench-det"]
    assert found == [replace(result("x", 1.0, 4.0), case=one.name) for one in cases]
    with pytest.raises(SystemExit, match="Leave out --resume"):
        Rows(path, {"threads": 1}, resume=True)
    assert not Rows(path, mark, resume=False).found


def test_a_peer_that_does_not_compile_a_kernel_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "ensure", lambda peer, venvs: Path(sys.executable))
    asked: list[Any] = []

    def each(one: Any, peers: Any, bench: Any) -> Result:
        asked.extend(peers)
        return replace(result("x", 1.0, 4.0), case=one.name)

    rows, settings = Rows(tmp_path / "rows", {}, resume=False), Settings(tmp_path)
    (found,), _ = command.measured([case("gemm")], settings, [ABSENT], rows, each)
    entry = found.entry("absent")
    assert entry is not None and "absent_library" in entry.failure and not asked
    assert found.ratio is not None
    assert "absent_library" in Rows(rows.path, {}, resume=True).failures["npbench-gemm"]["absent"]  # type: ignore[index]


def test_programs_are_kept_beside_the_environments_for_a_set_alone(tmp_path: Path) -> None:
    with programs_kept(Settings(tmp_path)):
        there = environments.measured_environment(2, ABSENT)
    assert there["JAX_COMPILATION_CACHE_DIR"].startswith(str(tmp_path))
    assert "JAX_COMPILATION_CACHE_DIR" not in environments.measured_environment(2, ABSENT)


def test_a_kernel_is_handed_to_dace_as_its_own_text() -> None:
    bicg, softmax, det = (KERNELS[name] for name in ("bicg", "softmax", "det"))
    text = program_text(bicg.function, inputs("bicg"), is_objective=False)
    assert text.splitlines() == [
        "@dace.program",
        "def bicg(A: dace.float64[410, 390], p: dace.float64[390], r: dace.float64[410],"
        " S: dace.float64[1]):",
        "    result0 = r @ A",
        "    result1 = A @ p",
        "    S[0] = 0.5 * (np.sum(result0 ** 2) + np.sum(result1 ** 2))",
    ]
    text = program_text(softmax.function, inputs("softmax"), is_objective=False)
    assert "_softmax(np, x)" in text
    assert "S[0] = result0" in program_text(det.function, inputs("det"), is_objective=True)


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
