"""The bench's harness: statistics, bars, table, protocol. No peer is needed or installed."""

from __future__ import annotations

import ast
import io
import json
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import environments, fitting, measure, optimizing, quiet, report, run, worker
from bench.cases import CASES, Case, Outcome, worst_error
from bench.client import WorkerFailure, WorkerProcess
from bench.measure import Pair, Settings, Side, row_of
from bench.peers import OURS, PEERS, Peer
from bench.results import BARS, FASTEST, Bar, Row, judge, judge_all
from bench.run import HERE, main, out_folder, parser
from bench.stats import Ratio, Spread, ratio, spread

pytestmark = pytest.mark.slow  # as a file

LIBS = HERE / "libs"
ABSENT = Peer("absent", "absent_library", "absent", "nothing", "nowhere")


def functions_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def row(case: str, peer: str, ours: float, theirs: float, **changes: Any) -> Row:
    base = Row(case, "title", peer, "eager", "us", tolerance=1e-3, our_error=0.0, peer_error=0.0)
    return row_of(replace(base, **changes), Pair([ours], [theirs]))


# --- statistics ---------------------------------------------------------------------------------


def test_a_spread_is_minimum_and_median() -> None:
    assert spread([5.0, 1.0, 4.0]) == Spread(1.0, 4.0)


def test_the_median_ratio_pairs_neighbours_while_the_other_compares_minima() -> None:
    # The machine became ten times slower after two rounds; neighbours drift together.
    assert ratio([2.0, 3.0, 40.0], [4.0, 4.0, 80.0]) == Ratio(0.5, 0.5)
    assert ratio([2.0, 9.0, 9.0], [8.0, 4.0, 3.0]) == Ratio(2.0 / 3.0, 2.25)


def test_series_of_different_lengths_are_not_paired() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratio([1.0, 2.0], [1.0])


# --- quiet ---------------------------------------------------------------------------------------


def test_busy_is_all_but_idle_and_waiting_for_disks() -> None:
    text = "cpu  10 2 8 100 30 1 1 3 0 0\ncpu0 5 1 4 50 15 1 1 1 0 0\n"
    assert quiet.times(text) == (25.0, 155.0)


def test_a_busy_machine_is_waited_for_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, looks = [0.0], iter([0.9, 0.9, 0.0, 0.8, 0.7, 0.6, 0.5])

    def look(seconds: float = 0.0) -> float:
        clock[0] += 1.0
        return next(looks)

    monkeypatch.setattr(quiet, "busy_share", look)
    monkeypatch.setattr("bench.quiet.time.monotonic", lambda: clock[0])
    assert quiet.wait(10.0) == (0.0, 3.0)
    calm = measure.Calm(2.0)
    calm.wait()
    assert (calm.left, calm.busiest) == (0.0, 0.7)
    calm.wait()  # patience has run out: one look, and on
    assert next(looks) == 0.5


# --- accuracy -----------------------------------------------------------------------------------


def test_the_error_is_relative_to_the_change_not_to_the_value() -> None:
    reference = {"w": Outcome(np.array([100.0, 99.9]), np.array([100.0, 100.0]))}
    assert worst_error({"w": np.array([100.0, 99.95])}, reference) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "answer",
    [{}, {"g": np.zeros(2)}, {"g": np.array([1.0, np.nan, 3.0])}],
    ids=["missing", "misshapen", "nan"],
)
def test_no_answer_is_infinitely_wrong(answer: dict[str, Any]) -> None:
    reference = {"g": Outcome(np.array([1.0, 2.0, 3.0]))}
    assert worst_error(answer, reference) == float("inf")


# The derivatives written out in bench/cases.py are themselves checked: by central differences of
# the references' own values, on inputs small enough for float64 to resolve.


def shrunk(case: Case) -> dict[str, Any]:
    data = {name: np.asarray(array) for name, array in case.data().items()}
    if case.name == "logistic":
        return {"x": data["x"][:50], "y": data["y"][:50], "w": data["w"]}
    if case.name == "elementwise":
        return {"e": data["e"][:7]}
    return data


@pytest.mark.parametrize(
    ("name", "variable"),
    [("chain", "s"), ("logistic", "w"), ("elementwise", "e"), ("sin50-10", "x")],
)
def test_reference_gradients_are_the_derivatives_of_the_reference_values(
    name: str, variable: str
) -> None:
    case = next(case for case in CASES if case.name == name)
    data = shrunk(case)
    x = data[variable].astype(np.float64)
    expected = np.asarray(case.reference(data)["gradient"].value)
    found, step = np.empty_like(x), 1e-6
    for index in np.ndindex(x.shape):
        sides = []
        for sign in (1, -1):
            moved = x.copy()
            moved[index] += sign * step
            sides.append(float(case.reference({**data, variable: moved})["value"].value))
        found[index] = (sides[0] - sides[1]) / (2 * step)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["w1", "b2", "w3"])
def test_the_mlp_reference_steps_along_its_gradient(name: str) -> None:
    case = next(case for case in CASES if case.name == "mlp")
    data = {key: np.asarray(array) for key, array in case.data().items()}
    rng = np.random.default_rng(1)
    outcome = case.reference(data)[name]
    gradient = (np.asarray(outcome.before) - np.asarray(outcome.value)) / 0.1
    direction = rng.standard_normal(gradient.shape)
    step = 1e-8  # so short that no relu of the 65,536 crosses its kink on the way
    losses = [
        float(case.reference({**data, name: data[name] + sign * step * direction})["loss"].value)
        for sign in (1, -1)
    ]
    slope = (losses[0] - losses[1]) / (2 * step)
    assert slope == pytest.approx(float(np.sum(gradient * direction)), rel=1e-5)


def test_the_jacobian_reference_is_the_derivative_of_its_value() -> None:
    case = next(case for case in CASES if case.name == "jacobian-64")
    data, step = case.data(), 1e-6
    expected = case.reference(data)["jacobian"].value
    for n in range(0, 64, 7):
        moved = [data["x"] + sign * step * np.eye(64)[n] for sign in (1, -1)]
        up, down = (case.reference({**data, "x": x})["value"].value for x in moved)
        np.testing.assert_allclose((up - down) / (2 * step), expected[:, n], atol=1e-8)


def test_the_hessian_reference_is_the_second_difference_of_the_function() -> None:
    case = next(case for case in CASES if case.name == "hessian-200")
    data, step = {"x": case.data()["x"][:5]}, 1e-3

    def rosenbrock(x: Any) -> float:
        return sum(
            100 * (after - here**2) ** 2 + (1 - here) ** 2
            for here, after in zip(x, x[1:], strict=False)
        )

    found, units = np.empty((5, 5)), step * np.eye(5)
    for i, j in np.ndindex(5, 5):
        corners = [(s, t) for s in (1, -1) for t in (1, -1)]
        found[i, j] = sum(
            s * t * rosenbrock(data["x"] + s * units[i] + t * units[j]) for s, t in corners
        ) / (4 * step**2)
    np.testing.assert_allclose(found, case.reference(data)["hessian"].value, rtol=1e-5, atol=1e-2)


@pytest.mark.parametrize("name", ["alphas", "means", "icf"])
def test_the_mixture_reference_has_the_gradient_of_its_value(name: str) -> None:
    case = next(case for case in CASES if case.name == "gmm")
    data, step = dict(case.data()), 1e-6
    data["x"] = data["x"][:40]
    direction = np.random.default_rng(1).standard_normal(data[name].shape)
    up, down = (
        float(case.reference({**data, name: data[name] + sign * step * direction})["value"].value)
        for sign in (1, -1)
    )
    gradient = case.reference(data)[name].value
    assert (up - down) / (2 * step) == pytest.approx(float(np.sum(gradient * direction)), rel=1e-6)


def test_the_tutorial_reference_steps_along_its_gradient() -> None:
    case = next(case for case in CASES if case.name == "tutorial")
    data = case.data()
    x, y = (np.asarray(data[name], np.float64) for name in "xy")

    def loss(a: float, b: float) -> float:
        return float(np.sum((y - (a + b * x)) ** 2))

    step, expected = 1e-6, case.reference(data)
    da = (loss(step, 0) - loss(-step, 0)) / (2 * step)
    db = (loss(0, step) - loss(0, -step)) / (2 * step)
    assert float(expected["a"].value) == pytest.approx(-0.001 * da)
    assert float(expected["b"].value) == pytest.approx(-0.001 * db)


# --- rows and bars ------------------------------------------------------------------------------


def test_the_fastest_peer_decides_a_bar_on_the_fastest() -> None:
    rows = [row("tutorial", "slow", 2.0, 100.0), row("tutorial", "quick", 2.0, 4.0)]
    verdict = judge(Bar("tutorial", 0.45, FASTEST), rows)
    assert (verdict.met, verdict.peer, verdict.reached) == ("missed", "quick", 0.5)
    assert judge(Bar("tutorial", 0.5, FASTEST), rows).met == "met"


def test_a_wrong_peer_is_not_the_fastest() -> None:
    rows = [
        row("tutorial", "wrong", 2.0, 0.1, peer_error=0.5),
        row("tutorial", "right", 2.0, 10.0),
    ]
    assert rows[0].status == "wrong answer (peer)"
    assert judge(Bar("tutorial", 0.45, FASTEST), rows).peer == "right"


def test_a_compiled_peer_is_not_the_fastest_eager_one() -> None:
    rows = [row("tutorial", "compiled", 2.0, 1.0, mode="compiled"), row("tutorial", "e", 2.0, 8.0)]
    assert judge(Bar("tutorial", 0.45, FASTEST), rows).peer == "e"


@pytest.mark.parametrize("error", [0.5, float("inf")])
def test_a_wrong_answer_of_ours_misses_the_bar_however_fast(error: float) -> None:
    wrong = row("mlp", "torch", 0.001, 1.0, our_error=error)
    assert wrong.status == "wrong answer (ours)"
    assert judge(Bar("mlp", 1.1, "torch"), [wrong]).met == "missed"


def test_a_bar_that_only_the_minima_meet_says_so() -> None:
    base = Row("mlp", "title", "torch", "eager", "us")
    noisy = row_of(base, Pair([1.0, 5.0, 5.0], [2.0, 2.0, 2.0]))
    assert judge(Bar("mlp", 1.1, "torch"), [noisy]).met == "met by the minima only"


def test_a_difference_is_judged_in_its_own_unit() -> None:
    base = Row("import-over-numpy", "title", "numpy", "eager", "ms")
    verdict = judge(
        Bar("import-over-numpy", 60.0, "numpy", is_difference=True),
        [row_of(base, Pair([150.0, 140.0], [80.0, 90.0]))],
    )
    assert (verdict.met, verdict.reached, verdict.reached_by_median) == ("met", 60.0, 60.0)


def test_a_time_is_judged_by_itself() -> None:
    base = Row("fit-cars", "title", "statsmodels script", "eager", "ms")
    bar = Bar("fit-cars", 1500.0, "statsmodels script", is_time=True)
    verdict = judge(bar, [row_of(base, Pair([1600.0, 1400.0, 1550.0], [1.0, 1.0, 1.0]))])
    assert (verdict.met, verdict.reached) == ("met by the minima only", 1400.0)
    assert (verdict.reached_by_median, bar.text) == (1550.0, "<= 1500 ms")


@pytest.mark.parametrize("name", fitting.CONTESTS)
def test_both_sides_of_a_fit_answer_right(name: str) -> None:
    ours, theirs, answer = fitting.CONTESTS[name].sides()
    for solve in (ours, theirs):
        np.testing.assert_allclose(solve(), answer, rtol=fitting.CONTESTS[name].tolerance)


def test_one_thread_is_judged_by_itself() -> None:
    rows = [row("gmm", "torch", 0.9, 1.0), row("gmm", "torch", 0.5, 1.0, threads=1)]
    found = [verdict for verdict in judge_all(rows) if verdict.bar.case == "gmm"]
    assert [(v.threads, v.met) for v in found] == [(2, "missed"), (1, "met")]
    page = report.as_markdown(report.Run(rows, found))
    assert "| gmm | 2 | <= 0.8 x torch | torch | 0.900 | 0.900 |" in page
    assert "| gmm | 1 | <= 0.8 x torch | torch | 0.500 | 0.500 | met |" in page
    assert page.count("[missed](profiles.md#eager-gmm-2)") == 2  # the bar, and the row


def test_a_run_measures_the_issues_rows_with_one_thread_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []

    def timed(case: Any, ours: Any, sides: Any, settings: Settings) -> list[Row]:
        assert {side.settings.threads for side in (ours, *sides)} == {settings.threads}
        asked.append((case.name, settings.threads))
        return [row(case.name, "torch", 1.0, 4.0, threads=settings.threads)]

    monkeypatch.setattr(run.measure, "timed_case", timed)
    monkeypatch.setattr(run, "_hello", lambda sides: {})
    words = ["--case", "chain", "--case", "gmm", "--peer", "torch", "--venvs", str(tmp_path)]
    found = run.run(parser().parse_args(words))
    assert asked == [("chain", 2), ("gmm", 2), ("gmm", 1)]
    judged = [(v.bar.case, v.threads) for v in found.verdicts]
    assert judged == [("chain", 2), ("gmm", 2), ("gmm", 1)]


def test_a_peer_that_is_not_there_leaves_the_bar_unmeasured() -> None:
    failed = row_of(Row("mlp", "t", "torch", "eager", "us"), Pair(), peer_failure="no wheel")
    assert (failed.status, failed.reason) == ("peer failed", "no wheel")
    assert judge(Bar("mlp", 1.1, "torch"), [failed]).met == "not measured"
    assert judge(Bar("mlp", 1.1, "torch"), []).met == "not measured"


def test_a_failure_of_ours_misses_the_bar_and_keeps_the_peers_time() -> None:
    base = Row("mlp", "t", "torch", "eager", "us")
    failed = row_of(base, Pair([], [3.0]), our_failure="it broke")
    assert (failed.ours, failed.theirs, failed.ratio) == (None, Spread(3.0, 3.0), None)
    assert judge(Bar("mlp", 1.1, "torch"), [failed]).met == "missed"


def test_every_bar_names_a_case_and_a_peer_of_the_tables() -> None:
    cases = {case.name for case in CASES} | {"import", "import-dialect", "import-over-numpy"}
    cases.add("script")
    cases |= {*measure.MEMORY_TITLES, *optimizing.CONTESTS, *fitting.NAMES}
    peers = {peer.name for peer in PEERS} | {FASTEST, "numpy", optimizing.PEER}
    peers |= {fitting.PROCESS_PEER}
    assert {bar.case for bar in BARS} <= cases
    assert {bar.against for bar in BARS} <= peers


# --- libraries ----------------------------------------------------------------------------------


@pytest.mark.parametrize("peer", [OURS, *PEERS], ids=lambda peer: peer.name)
def test_every_library_has_every_case(peer: Peer) -> None:
    wanted = {case.name.split("-")[0] for case in CASES if not case.against} | {"setup", "to_numpy"}
    wanted |= {case.name for case in CASES if peer.name in (OURS.name, *case.against)} & {"dialect"}
    assert wanted <= functions_of(LIBS / f"{peer.library}.py")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_our_version_of_every_case_answers_right(case: Case, tmp_path: Path) -> None:
    ours = worker.Worker(OURS.library, threads=2)
    answer = tmp_path / "answer.npz"
    # At full size: what large arrays do (reused buffers, blocked products) is what is measured.
    ours.prepare(case.name, str(answer))
    with np.load(answer) as outputs:
        assert worst_error(dict(outputs), case.reference(case.data())) <= case.tolerance
    assert ours.time(number=2, seconds=0.0)["seconds"] > 0


# --- the pipe -----------------------------------------------------------------------------------


class Scripted:
    """A worker's stand-in: what it is told to return, or to raise."""

    def hello(self) -> dict[str, Any]:
        return {"version": "1"}

    def prepare(self, case: str, answer: str) -> dict[str, Any]:
        raise ValueError("first line\nsecond line")


def test_a_request_that_fails_is_answered_with_one_line_and_the_next_is_served() -> None:
    requests = io.StringIO(
        '{"do": "prepare", "case": "c", "answer": "a"}\n{"do": "hello"}\n'
        '{"do": "quit"}\n{"do": "hello"}\n'
    )
    replies = io.StringIO()
    worker.serve(Scripted(), requests, replies)  # type: ignore[arg-type]
    assert [json.loads(line) for line in replies.getvalue().splitlines()] == [
        {"ok": False, "reason": "ValueError: first line"},
        {"ok": True, "version": "1"},
    ]


def test_a_first_run_waits_until_the_process_is_at_rest() -> None:
    """BLAS's threads spin on after the last product of the data: that is no library's time."""
    started = time.perf_counter()

    def spin() -> None:
        while time.perf_counter() - started < 0.3:
            pass

    thread = threading.Thread(target=spin)
    thread.start()
    worker._settle()
    assert not thread.is_alive()
    thread.join()
    before = time.perf_counter()
    worker._settle(0.0)
    assert time.perf_counter() - before < 0.2


def test_a_library_that_does_not_import_is_a_worker_failure(tmp_path: Path) -> None:
    with pytest.raises(WorkerFailure, match="ModuleNotFoundError: No module named"):
        WorkerProcess(ABSENT, Path(sys.executable), threads=1, log=tmp_path / "log")


def test_our_worker_answers_over_its_pipe_and_survives_a_bad_request(tmp_path: Path) -> None:
    process = WorkerProcess(OURS, Path(sys.executable), threads=1, log=tmp_path / "log")
    try:
        assert process.ask("hello")["numpy"] == np.__version__
        with pytest.raises(WorkerFailure, match="KeyError"):
            process.ask("prepare", case="tutorial-of-nothing", answer=str(tmp_path / "a.npz"))
        process.ask("prepare", case="tutorial", answer=str(tmp_path / "a.npz"))
        number = process.ask("calibrate", seconds=0.005)["number"]
        assert number >= 1
        assert 0 < process.ask("time", number=number, seconds=0.01)["seconds"] < 1
        assert process.ask("ufunc")["seconds"] > 0
    finally:
        process.close()
    assert not process.is_alive


def test_a_worker_that_does_not_answer_in_time_is_ended(tmp_path: Path) -> None:
    process = WorkerProcess(OURS, Path(sys.executable), threads=1, log=tmp_path / "log")
    try:
        process.ask("prepare", case="tutorial", answer=str(tmp_path / "a.npz"))
        process.timeout = 0.2  # on a busy machine the first run alone takes longer
        with pytest.raises(WorkerFailure, match="no answer within 0 s"):
            process.ask("time", number=10**9, seconds=1.0)
        assert not process.is_alive
        with pytest.raises(WorkerFailure, match="ended with code"):
            process.ask("hello")
    finally:
        process.close()


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_the_peak_of_a_step_is_seen(tmp_path: Path) -> None:
    process = WorkerProcess(OURS, Path(sys.executable), threads=1, log=tmp_path / "log")
    try:
        sizes = process.ask("memory", case="mlp", steps=1)
    finally:
        process.close()
    # The step's gradients alone are as large as the weights: 669,706 float32 numbers.
    assert sizes["growth"] >= 669_706 * 4
    assert sizes["peak"] == sizes["before"] + sizes["growth"]


def test_a_measured_process_sees_no_forced_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("OPENBLAS_L2_SIZE", "1")
    env = environments.measured_environment(2, OURS)
    assert "OPENBLAS_CORETYPE" not in env
    assert "OPENBLAS_L2_SIZE" not in env
    assert env["OPENBLAS_NUM_THREADS"] == "2"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("cannot import x (/home/u/venv-1/lib/pkg/__init__.py)", "cannot import x (__init__.py)"),
        ("libfoo.so.1: not found in /usr/lib/libfoo.so.1", "libfoo.so.1: not found in libfoo.so.1"),
        (r"no file C:\\Users\\u\\x.dll", "no file x.dll"),
        ("a/b is 3/4 of c", "a/b is 3/4 of c"),
    ],
)
def test_reasons_name_no_folder_of_the_machine(text: str, kept: str) -> None:
    assert environments.without_folders(text.replace("\\\\", "\\")) == kept


# --- a run --------------------------------------------------------------------------------------


def test_a_peer_that_does_not_install_is_a_row_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure = environments.ensure

    def refuse(peer: Peer, venvs: Path) -> Path:
        if peer.name == OURS.name:
            return ensure(peer, venvs)
        raise environments.EnvironmentFailure("`pip install` ended with exit code 1")

    monkeypatch.setattr(environments, "ensure", refuse)
    settings = Settings(tmp_path, rounds=1, seconds=0.001, batch=0.001, threads=1, patience=0.0)
    ours, sides = Side(OURS, settings), [Side(ABSENT, settings)]
    case = next(case for case in CASES if case.name == "tutorial")
    try:
        rows = measure.timed_case(case, ours, sides, settings)
    finally:
        ours.close()
    rows += measure.imports([ABSENT], settings)
    by_case = {row.case: row for row in rows}
    assert set(by_case) == {"tutorial", "import", "import-over-numpy"}
    for name in ("tutorial", "import"):
        assert by_case[name].status == "peer failed"
        assert "exit code 1" in by_case[name].reason
        assert by_case[name].ours is not None
    assert by_case["import-over-numpy"].status == "ok"


def every_row() -> list[Row]:
    rows = [
        row(case.name, peer.name, 1.0, 2.0)
        for case in CASES
        for peer in PEERS
        if not case.against or peer.name in case.against
    ]
    rows += [row(name, peer.name, 1.0, 2.0, threads=1) for name in run.ALONE for peer in PEERS]
    rows.append(replace(row("script", "tensorflow", 1.0, 2.0), unit="ms"))
    rows.append(replace(row("import-dialect", "tensorflow", 1.0, 2.0), unit="ms"))
    rows += [
        replace(row(name, peer.name, 1.0, 2.0), unit=unit)
        for name, unit in [("import", "ms"), *((name, "MiB") for name in measure.MEMORY_TITLES)]
        for peer in PEERS
    ]
    rows += [row(name, optimizing.PEER, 1.0, 2.0) for name in optimizing.CONTESTS]
    rows += [row(name, contest.peer, 1.0, 2.0) for name, contest in fitting.CONTESTS.items()]
    rows.append(replace(row(fitting.PROCESS, fitting.PROCESS_PEER, 900.0, 800.0), unit="ms"))
    return [*rows, replace(row("import-over-numpy", "numpy", 100.0, 80.0), unit="ms")]


def check_document(document: dict[str, Any]) -> None:
    """Assert that results hold every case x peer row, each with figures or a reason."""
    found = {(e["case"], e["peer"], e.get("threads", 2)): e for e in document["rows"]}
    wanted = {(row.case, row.peer, row.threads) for row in every_row()}
    assert set(found) == wanted
    for entry in found.values():
        if entry["status"] == "ok":
            assert entry["ours"]["minimum"] <= entry["ours"]["median"]
            assert entry["ratio"]["of_minima"] == pytest.approx(
                entry["ours"]["minimum"] / entry["theirs"]["minimum"]
            )
        else:
            assert entry["reason"]
    bars = [(bar["case"], bar.get("threads", 2)) for bar in document["bars"]]
    assert bars == [
        (bar.case, n)
        for bar in BARS
        for n in ((2, 1) if bar.case in run.ALONE else (2,))
    ]


def test_results_hold_every_row_in_both_files(tmp_path: Path) -> None:
    rows = every_row()
    rows[1] = row_of(
        Row(rows[1].case, "title", rows[1].peer, "eager", "us"), Pair(), peer_failure="a | b"
    )
    whole = report.Run(
        rows, judge_all(rows), report.machine(2, 9, 3e-7, report.load()), {"gradtape": {}}
    )
    report.write(whole, tmp_path)
    check_document(json.loads((tmp_path / "results.json").read_text(encoding="utf-8")))
    table = (tmp_path / "results.md").read_text(encoding="utf-8")
    for entry in rows:
        assert f"\n| {entry.case} | {entry.peer} | {entry.threads} | " in table
    assert "peer failed: a \\| b" in table
    assert "one NumPy ufunc call on ten numbers: 0.30 us" in table


def test_the_page_leads_to_why_a_bar_is_missed() -> None:
    for ours, is_led in ((0.9, True), (0.7, False)):
        rows = [row("gmm", "torch", ours, 1.0), row("mlp", "torch", 2.0, 1.0)]
        page = report.as_markdown(report.Run(rows, judge_all(rows)))
        assert ("[gmm](README.md#the-mixtures-gradient-eagerly)" in page) is is_led
    headings = (HERE / "README.md").read_text(encoding="utf-8").splitlines()
    slugs = {h.lstrip("# ").lower().replace(" ", "-").replace("'", "").replace(",", "")
             for h in headings if h.startswith("#")}  # fmt: skip
    assert slugs >= set(report.WHY.values())


def test_an_infinite_error_stays_out_of_the_json() -> None:
    rows = [row("mlp", "torch", 1.0, 1.0, our_error=float("inf"))]
    document = json.loads(report.as_json(report.Run(rows, judge_all(rows))))
    assert document["rows"][0]["our_error"] is None
    assert document["rows"][0]["status"] == "wrong answer (ours)"


def test_the_published_results_are_whole() -> None:
    published = HERE / "results.json"
    if not published.is_file():
        pytest.skip("bench/results.json appears with the first published run")
    document = json.loads(published.read_text(encoding="utf-8"))
    check_document(document)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (13.04, "us", "13.0 us"),
        (999.4, "us", "999 us"),
        (2050.0, "us", "2.05 ms"),
        (1.2e6, "us", "1.20 s"),
        (2563.0, "ms", "2.56 s"),
        (16.4, "MiB", "16.4 MiB"),
    ],
)
def test_quantities_read_well(value: float, unit: str, text: str) -> None:
    assert report.quantity(value, unit) == text


@pytest.mark.parametrize("partial", [["--quick"], ["--case", "mlp"], ["--peer", "torch"]])
def test_a_partial_run_does_not_touch_the_published_table(partial: list[str]) -> None:
    assert out_folder(parser().parse_args([])) == HERE
    assert out_folder(parser().parse_args(partial)) is None
    assert out_folder(parser().parse_args([*partial, "--out", "here"])) == Path("here")


def test_unusable_options_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="--rounds and --threads are at least 1"):
        main(["--rounds", "0"])
    with pytest.raises(SystemExit):
        main(["--case", "unheard-of"])
    assert "invalid choice: 'unheard-of'" in capsys.readouterr().err
