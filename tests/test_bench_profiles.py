"""Profiles of missed rows: which rows, what a profile shows, and that links lead to them."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradtape as gt
from bench import report
from bench.client import WorkerFailure, WorkerProcess
from bench.compiled.measuring import OURS, Entry, Result, judged
from bench.compiled.report import Document
from bench.compiled.report import as_json as compiled_json
from bench.compiled.report import as_markdown as compiled_page
from bench.npbench.report import SetDocument
from bench.npbench.report import as_json as set_json
from bench.npbench.report import as_markdown as set_page
from bench.peers import OURS as OURS_EAGER
from bench.peers import OURS_COMPILED
from bench.profiles import command, functions, operations, stages, taking
from bench.profiles.missed import Missed, missed
from bench.profiles.stages import Stage, Watched
from bench.recording.measures import Measure
from bench.results import judge_all
from bench.run import HERE, main
from bench.stats import Ratio
from bench.worker import Worker

from .test_bench import row

pytestmark = pytest.mark.slow  # as a file

LINK = re.compile(r"profiles\.md#([-\w]+)")


def result(case: str, ours: float, best: float, **changes: Any) -> Result:
    entries = (Entry(OURS, (ours,)), Entry("jax.jit", (best,)))
    return judged(replace(Result(case, "title", 2, "us", entries), **changes))


def compiled() -> Document:
    met, slow = (result("mlp", ours, 4.0, bar=1.0) for ours in (3.0, 5.0))
    return Document(
        steady=[
            replace(met, threads=1),
            replace(slow, over_value=Ratio(2.0, 2.0)),
            result("gmm", 1.0, 4.0, bar=0.7, over_value=Ratio(3.1, 3.1)),
            result("overhead", 1.6, 9.0),
        ],
        first=[result("chain", 2.0, 4.0, bar=0.3, unit="ms"), result("mlp", 1.0, 4.0, bar=0.3)],
        cached=[Result("mlp", "title", 2, "ms", (Entry(OURS, (26.0,)),))],
        graphs=[result(f"graph-{n}", time, 9.0) for n, time in ((10, 1.0), (100, 99.0))],
    )


def published(folder: Path) -> str:
    """Write the JSON of a run that misses some of everything; return its pages."""
    rows = [row("gmm", "torch", 0.9, 1.0), row("mlp", "torch", 0.9, 1.0),
            row("gmm", "torch", 0.95, 1.0, threads=1)]  # fmt: skip
    rows.append(replace(row("import-dialect", "tensorflow", 1.0, 9.0), unit="ms"))
    eager = report.Run(rows, judge_all(rows), report.machine(2, 9, None, 0.0))
    sets = SetDocument("NPBench", "about", [
        result("npbench-gemm", 1.6, 1.0), result("npbench-atax", 0.1, 1.0),
        result("npbench-gemm", 1.4, 1.0, threads=1), result("npbench-atax", 1.3, 1.0, threads=1),
    ])  # fmt: skip
    texts = {
        "results": report.as_json(eager),
        "compiled": compiled_json(compiled()),
        "npbench": set_json(sets),
    }
    for name, text in texts.items():
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    measures = [Measure("one", "us", [4.0], 3.0), Measure("full: other", "us", [2.0], 3.0)]
    document = {"machine": {"threads": 2}, "measures": [asdict(one) for one in measures]}
    (folder / "recording.json").write_text(json.dumps(document), encoding="utf-8")
    return report.as_markdown(eager) + compiled_page(compiled()) + set_page(sets)


# --- which rows ----------------------------------------------------------------------------------


def test_every_row_that_is_missed_has_a_profile_of_its_kind(tmp_path: Path) -> None:
    published(tmp_path)
    found = {one.anchor: (one.kind, one.case, one.threads) for one in missed(tmp_path)}
    assert found == {
        "eager-gmm-2": ("operations", "gmm", 2),
        "eager-gmm-1": ("operations", "gmm", 1),
        "eager-import-dialect-2": ("imports", "import-dialect", 2),
        "compiled-mlp-2": ("report", "mlp", 2),
        "compiled-value-gmm-2": ("value", "gmm", 2),
        "compiled-time-overhead-2": ("report", "overhead", 2),
        "compiled-first-chain-2": ("stages", "chain", 2),
        "compiled-disk-mlp-2": ("stages from disk", "mlp", 2),
        "compiled-growth-graph-100-2": ("stages", "graph-100", 2),
        "npbench-gemm-2": ("report", "npbench-gemm", 2),
        # with one thread the mean is missed, and the slowest kernels stand for it
        "npbench-gemm-1": ("report", "npbench-gemm", 1),
        "npbench-atax-1": ("report", "npbench-atax", 1),
        "recording-row0-2": ("functions", "recording-standard", 2),
    }
    says = {one.anchor: one.says for one in missed(tmp_path)}
    assert says["compiled-mlp-2"] == "ours 5.00 us, jax.jit 4.00 us: 1.250; the bar is 1"
    assert says["eager-gmm-1"] == "0.950 against torch; the bar is <= 0.8 x torch"
    assert "the set's mean is 1.349 of 0.7" in says["npbench-atax-1"]


def test_the_links_of_the_pages_are_the_anchors_of_the_profiles(tmp_path: Path) -> None:
    page = published(tmp_path)
    rows = missed(tmp_path)
    known = {one.anchor for one in rows}
    links = set(LINK.findall(page))
    assert links <= known
    # a mean and recording's rows have no link of their own
    assert known - links == {"npbench-gemm-1", "npbench-atax-1", "recording-row0-2"}
    profiles = command.page(rows, {}, lambda one: [])
    assert set(re.findall(r'<a id="([-\w]+)">', profiles)) == known


def test_the_published_pages_lead_to_profiles_that_are_there() -> None:
    links = set(LINK.findall((HERE / "results.md").read_text(encoding="utf-8")))
    page = HERE / "profiles.md"
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    assert links <= set(re.findall(r'<a id="([-\w]+)">', text))


def test_nothing_is_missed_where_nothing_was_measured(tmp_path: Path) -> None:
    assert missed(tmp_path) == []
    assert "No row is missed." in command.page([], {}, lambda one: [])


# --- a first call --------------------------------------------------------------------------------


def test_a_stage_has_its_own_time_without_those_within_it() -> None:
    within = [Stage("code", 3.0, 7.0), Stage("parse", 2.0, 3.0), Stage("compile", 1.0, 8.0)]
    found = stages.own_times([*within, Stage("code", 9.0, 10.0)])
    assert found == {"compile": 2.0, "parse": 1.0, "code": 5.0}


def test_a_first_call_is_shared_out_among_its_stages() -> None:
    seen = Watched(
        0.010,
        [Stage("trace", 0.001, 0.003), Stage("passes", 0.003, 0.005),
         Stage("code", 0.006, 0.008), Stage("code", 0.005, 0.009, thread=7)],
        [("fold", 0.0035), ("sink", 0.0049)],
    )  # fmt: skip
    text = stages.lines(seen)
    assert "| trace | 2.00 | 20% |  |" in text
    assert "| code | 2.00 | 20% | 4.00 |" in text
    assert f"| {stages.REST} | 2.00 | 20% |  |" in text
    assert f"| {stages.RUN} | 2.00 | 20% |  |" in text
    assert text[-1] == "The longest passes: sink 1.40 ms, fold 0.50 ms."


def test_a_first_call_is_watched_from_outside() -> None:
    f = gt.function(gt.value_and_grad(lambda x: np.sum(np.sin(x) * x)))
    seen = stages.watched(lambda: f(np.ones(77)))
    names = {stage.name for stage in seen.stages if not stage.thread}
    assert {"trace", "passes", "plan loops", "write text", "compile", "link"} <= names
    mine = stages.own_times([stage for stage in seen.stages if not stage.thread])
    assert 0 < sum(mine.values()) <= seen.wall
    assert all(seconds > -1e-9 for seconds in mine.values())
    assert not stages.watched(lambda: f(np.ones(77))).stages


# --- an eager row --------------------------------------------------------------------------------


def test_operations_have_their_times_forwards_and_backwards() -> None:
    x, y = gt.Variable(np.ones(1000)), gt.Variable(np.ones(1000))

    def run() -> Any:
        with gt.GradientTape() as tape:
            loss = np.sum(np.exp(x) * y)
        return tape.gradient(loss, [x, y])

    before = gt.GradientTape._recorder_class
    expected = run()
    runs, whole = operations.clocked(run)
    assert gt.GradientTape._recorder_class is before
    assert [name.partition(" | ")[0] for name in runs[0].names] == ["exp", "multiply", "sum"]
    first = runs[0]
    assert all(seconds > 0 for seconds in (*first.forwards, *first.backwards.values()))
    assert sum(first.forwards) + sum(first.backwards.values()) < 1 and whole > 0
    assert {0, 1} <= set(first.backwards)  # the sum's rule is asked for by identity
    text = operations.lines(run)
    (line,) = (line for line in text if line.startswith("| multiply |"))
    assert line.startswith("| multiply | `loss = np.sum(np.exp(x) * y)` | 1 | ")
    assert any(line.startswith("| all |  | 3 | ") for line in text)
    for mine, theirs in zip(run(), expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_what_records_on_no_tape_of_its_own_has_no_operations() -> None:
    assert operations.lines(lambda: np.ones(3)) == []


# --- the others ----------------------------------------------------------------------------------


def test_a_program_is_shown_by_its_report_with_the_lines_of_the_case() -> None:
    worker = Worker(OURS_COMPILED.library, threads=2)
    lines = worker.profile("report", "sin50-10")["lines"]
    text = "\n".join(lines)
    assert lines[0] == lines[-1] == "```"
    assert "part 0: native code" in text and "gradtape_compiled.py:" in text
    assert "taking.py" not in text  # the rules' operations are at the case's line too


def test_a_long_report_shows_the_pieces_that_take_longest() -> None:
    def many(x: Any) -> Any:
        return tuple(np.sum(np.sin(x[:n])) for n in range(2, 40))

    f, x = gt.function(many), np.ones(60)
    whole = f.report(x)
    assert len(whole.rows) > taking.PIECES + 2
    short = taking.shortened(whole)
    assert sum(row.is_piece for row in short.rows) == taking.PIECES + 1
    left = sum(row.is_piece for row in whole.rows) - taking.PIECES
    assert short.rows[-1].title == f"{left} further pieces, each shorter"
    assert sum(r.flops for r in short.rows) == sum(r.flops for r in whole.rows)


def test_imports_are_summed_by_package() -> None:
    text = (
        "import time: self [us] | cumulative | imported package\n"
        "import time:      1500 |       1500 |     numpy._core\n"
        "import time:       500 |       2000 |   numpy\n"
        "import time:      2000 |       4000 | gradtape\n"
    )
    assert functions.import_seconds(text) == pytest.approx(4e-3)
    lines = functions.of_imports(text)
    assert "| `numpy` | 2.0 | 50% |" in lines and "| `gradtape` | 2.0 | 50% |" in lines
    assert "| `numpy._core` | 1.5 | 1.5 |" in lines


def test_functions_and_memory_name_no_folder() -> None:
    lines = functions.of_call(lambda: np.linalg.norm(np.ones(50)), times=3)
    assert any("norm" in line for line in lines)
    kept: list[Any] = []
    memory = functions.of_memory(lambda: kept.append(np.zeros(200_000)), 3)
    assert any("test_bench_profiles.py" in line and "| 4.58 |" in line for line in memory)
    assert not any(str(Path(__file__).parent) in line for line in [*lines, *memory])


def test_a_worker_takes_profiles_of_a_first_call_and_of_an_eager_case(tmp_path: Path) -> None:
    wanted = [(OURS_COMPILED, "stages", "tutorial"), (OURS_EAGER, "operations", "tutorial"),
              (OURS_EAGER, "operations", "jacobian-64")]  # fmt: skip
    for peer, kind, case in wanted:
        process = WorkerProcess(peer, Path(sys.executable), threads=1, log=tmp_path / "log")
        try:
            reply = process.ask("profile", kind=kind, case=case)
        finally:
            process.close()
        assert (reply["seconds"] > 0) is (kind == "stages")
        head = {"stages": "| stage |", "operations": "| operation |"}[kind]
        head = "| function |" if case == "jacobian-64" else head
        assert reply["lines"][0].startswith(head)


# --- the page ------------------------------------------------------------------------------------


def test_a_profile_that_fails_says_so_and_the_others_follow() -> None:
    rows = [Missed(f"a-{n}", f"case {n}", "report", "x", n, "too slow") for n in (2, 1)]

    def take(one: Missed) -> list[str]:
        if one.threads == 2:
            raise WorkerFailure("the process ended with code 1")
        return ["| a table |"]

    page = command.page(rows, {"cpu": "a", "system": "b", "load_before": 0.1}, take)
    assert "- [case 2, 2 threads](#a-2)" in page and "- [case 1, 1 thread](#a-1)" in page
    assert "There is no profile: the process ended with code 1" in page
    assert page.index("Too slow.") < page.index("| a table |")


def test_the_command_reads_where_it_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published(tmp_path)
    asked: list[str] = []

    def taker(settings: Any) -> Any:
        return lambda one: asked.append(one.anchor) or ["a profile"]

    monkeypatch.setattr(command, "taker", taker)
    words = ["--only", "profiles", "--out", str(tmp_path), "--venvs", str(tmp_path)]
    assert main([*words, "--case", "gmm"]) == 0
    assert asked == ["eager-gmm-2", "eager-gmm-1", "compiled-value-gmm-2"]
    page = (tmp_path / "profiles.md").read_text(encoding="utf-8")
    assert page.startswith("# Why rows are missed") and page.count("a profile\n") >= 3
