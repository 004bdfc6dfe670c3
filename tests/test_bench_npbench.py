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
from bench.client import WorkerFailure
from bench.compiled import measuring
from bench.compiled.measuring import OURS, Entry, Result, judged
from bench.measure import Settings
from bench.npbench import command, kept, namespaces
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


def result(name: str, ours: float, best: float, threads: int = 2) -> Result:
    entries = (Entry(OURS, (ours,), 1e-15, 4.5, 30.0), Entry("jax.jit", (best,), 1e-16, 0.5))
    base = Result(f"npbench-{name}", "about", threads, "us", entries, over_value=Ratio(2.0, 2.0))
    return judged(base)


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
    link = "[npbench-slow](profiles.md#npbench-slow-2)"
    assert f"| kernels above 1.5 | 2 | {link} | none | missed |" in page
    assert "| kernels without an answer of ours | 2 | npbench-broken | none | missed |" in page
    assert "| 1.00 us, 0.5 ulp |" in page  # no speed without its accuracy
    assert "it broke" in page and "- DaCe is not" in page
    assert len(json.loads(as_json(document))["results"]) == 3


def test_a_row_has_two_threads_and_in_brackets_one() -> None:
    two, one = result("a", 1.0, 4.0), result("a", 1.6, 1.0, threads=1)
    page = as_markdown(SetDocument("NPBench", "about", [two, one]))
    (line,) = (line for line in page.splitlines() if line.startswith("| a |"))
    assert "| 1.00 us (1.60 us) | 4.00 us (1.00 us), 0.5 ulp |" in line
    assert "| 0.250 jax.jit (1.600 jax.jit) |" in line
    assert "| met ([missed](profiles.md#npbench-a-1)) | 1.0e-15 (4.5) | 30.0 ms | 2.00 |" in line
    assert "| geometric mean of ours over the best peer | 2 | 0.250 | <= 0.7 | met |" in page
    assert "| geometric mean of ours over the best peer | 1 | 1.600 | <= 0.7 | missed |" in page
    assert "threads: 2 (1)," in page


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


def both(one: Any) -> list[Result]:
    return [replace(result("x", 1.0, 4.0, threads), case=one.name) for threads in (2, 1)]


def test_a_run_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    cases, path, mark = [case("gemm"), case("det")], tmp_path / "rows", {"threads": [2, 1]}
    settings = Settings(tmp_path)
    measured_: list[str] = []

    def each(one: Any, contests: Any) -> list[Result]:
        if measured_ == ["npbench-gemm"] and len(path.read_text().splitlines()) == 4:
            raise KeyboardInterrupt
        assert [bench.settings.threads for bench, _ in contests] == [2, 1]
        measured_.append(one.name)
        return both(one)

    with pytest.raises(KeyboardInterrupt):
        command.measured(cases, settings, [], Rows(path, mark, resume=False), each)
    measured_.clear()
    again = Rows(path, mark, resume=True)
    found, _ = command.measured(cases, settings, [], again, each)
    assert measured_ == ["gradbench-det"]
    assert found == [row for one in cases for row in both(one)]
    with pytest.raises(SystemExit, match="Leave out --resume"):
        Rows(path, {"threads": [1]}, resume=True)
    assert not Rows(path, mark, resume=False).found


def test_a_row_that_has_one_number_of_threads_alone_is_measured_again(tmp_path: Path) -> None:
    rows = Rows(tmp_path / "rows", {}, resume=False)
    rows.fail({})
    rows.add(both(case("gemm"))[0])
    again = Rows(rows.path, {}, resume=True)
    found, _ = command.measured(
        [case("gemm")], Settings(tmp_path), [], again, lambda one, contests: both(one)
    )
    assert found == both(case("gemm"))


def test_a_peer_that_does_not_compile_a_kernel_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "ensure", lambda peer, venvs: Path(sys.executable))
    asked: list[Any] = []

    def each(one: Any, contests: Any) -> list[Result]:
        asked.extend(peer for _, peers in contests for peer in peers)
        return both(one)

    rows, settings = Rows(tmp_path / "rows", {}, resume=False), Settings(tmp_path)
    found, _ = command.measured([case("gemm")], settings, [ABSENT], rows, each)
    assert [one.threads for one in found] == [2, 1] and not asked
    for one in found:
        entry = one.entry("absent")
        assert entry is not None and "absent_library" in entry.failure
        assert one.ratio is not None
    failures = Rows(rows.path, {}, resume=True).failures
    assert failures is not None
    assert set(failures) == {"npbench-gemm@2", "npbench-gemm@1"}
    assert "absent_library" in failures["npbench-gemm@1"]["absent"]


def test_what_compiles_for_two_threads_is_compiled_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int, str]] = []

    class Worker:
        is_alive = True

        def __init__(self, peer: Any, python: Any, *, threads: int, **_: Any) -> None:
            self.peer, self.threads = peer.name, threads

        def ask(self, do: str, case: str) -> dict[str, float]:
            asked.append((self.peer, self.threads, case))
            if case == "npbench-gemm" and self.threads == 2:
                raise WorkerFailure("no answer within 100 s")
            if case == "npbench-bicg" and self.threads == 1:
                raise WorkerFailure("with one alone")
            return {"first": 1.0}

        def close(self) -> None:
            asked.append((self.peer, self.threads, "closed"))

    monkeypatch.setattr(kept, "WorkerProcess", Worker)
    monkeypatch.setattr(environments, "ensure", lambda peer, venvs: Path(sys.executable))
    cases = [case("gemm"), case("atax"), case("bicg")]
    found = kept.compiled_ahead(cases, [ABSENT], Settings(tmp_path), (2, 1))
    assert found == {
        "npbench-gemm@2": {"absent": "no answer within 100 s"},
        "npbench-gemm@1": {"absent": "no answer within 100 s"},
        "npbench-bicg@1": {"absent": "with one alone"},
    }
    names = {n: [name for _, m, name in asked if m == n] for n in (2, 1)}
    assert names[2] == ["npbench-gemm", "npbench-atax", "npbench-bicg", "closed"]
    assert names[1] == ["npbench-atax", "npbench-bicg", "closed"]


def test_both_numbers_of_threads_are_ready_before_they_take_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, str, int]] = []

    def prepare(self: Any, case: Any, reference: Any, scratch: Path) -> None:
        done.append(("ready", self.peer.name, self.settings.threads))

    def time(self: Any) -> float:
        done.append(("time", self.peer.name, self.settings.threads))
        return 1e-3

    monkeypatch.setattr(measuring.Side, "prepare", prepare)
    monkeypatch.setattr(measuring.Side, "time", time)
    benches = [
        measuring.Bench(Settings(tmp_path, rounds=1, threads=n, patience=0.0)) for n in (2, 1)
    ]
    found = measuring.compared_at_each(case("gemm"), [(bench, [ABSENT]) for bench in benches])
    assert [one.threads for one in found] == [2, 1]
    assert {(kind, name) for kind, name, _ in done[:2]} == {("ready", "absent")}
    assert done[2:6] == [("ready", OURS, 2)] * 2 + [("ready", OURS, 1)] * 2  # with its value alone
    turn = [OURS, "absent", OURS]
    assert done[6:] == [("time", name, n) for n in (2, 1) for name in turn]
    assert all(one.ratio == Ratio(1.0, 1.0) == one.over_value for one in found)


def test_programs_are_kept_beside_the_environments_for_a_set_alone(tmp_path: Path) -> None:
    with programs_kept(Settings(tmp_path)):
        there, one = (environments.measured_environment(n, ABSENT) for n in (2, 1))
    assert there["JAX_COMPILATION_CACHE_DIR"].startswith(str(tmp_path))
    # a program for two threads is not one for one, which JAX's key does not say
    assert there["JAX_COMPILATION_CACHE_DIR"] != one["JAX_COMPILATION_CACHE_DIR"]
    assert environments.PROGRAMS not in there
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
