"""The bench of compiled programs: our answers, who is the best peer, bars, the page's sections."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import report as whole
from bench import worker
from bench.cases import CASES, worst_error
from bench.compiled import cases, measuring, run, table
from bench.compiled.measuring import OURS, Entry, Result, first_calls, judged
from bench.compiled.report import Document, as_json, as_markdown, growth, verdict
from bench.measure import Settings
from bench.peers import COMPILED_PEERS, OURS_COMPILED, Peer
from bench.run import HERE, main
from bench.stats import Ratio

from .test_bench import functions_of

pytestmark = pytest.mark.slow  # as a file

LIBS = HERE / "libs"
# The larger ones are the same programs, and seconds of a reference in longdouble.
LARGE = ("mlp", "logistic", "elementwise", "sin50-100000")
SMALL = [case for case in table.TIMED if case.name not in LARGE]
SMALL += [cases.find("mlp-4"), cases.find("elementwise-1000")]


def result(case: str, ours: float, *others: tuple[str, float], **changes: Any) -> Result:
    entries = [Entry(OURS, (ours,)), *(Entry(name, (time,)) for name, time in others)]
    base = Result(case, "title", 2, "us", tuple(entries), bar=table.BARS.get(case))
    return judged(replace(base, **changes))


# --- libraries ----------------------------------------------------------------------------------


@pytest.mark.parametrize("peer", [OURS_COMPILED, *COMPILED_PEERS], ids=lambda peer: peer.name)
def test_every_compiler_has_its_cases(peer: Peer) -> None:
    having = [case for case in table.TIMED if peer == OURS_COMPILED
              or peer in table.peers_of(case.name)]  # fmt: skip
    wanted = {case.name.split("-")[0] for case in having} | {"setup", "to_numpy"}
    library = {"tensorflow_xla": "tensorflow_compiled"}.get(peer.library, peer.library)
    text = (LIBS / f"{library}.py").read_text(encoding="utf-8")
    missing = {name for name in wanted - functions_of(LIBS / f"{library}.py")
               if f"import VERSION, {name}" not in text and f" {name}" not in text}  # fmt: skip
    assert not missing


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_our_program_of_every_case_answers_right(case: Any, tmp_path: Path) -> None:
    ours, answer = worker.Worker(OURS_COMPILED.library, threads=2), tmp_path / "answer.npz"
    assert ours.prepare(case.name, str(answer))["first"] > 0
    with np.load(answer) as outputs:
        assert worst_error(dict(outputs), case.reference(case.data())) <= case.tolerance


@pytest.mark.parametrize("name", ["tutorial", "chain", "sin50-10", "gmm", "graph-20", "mlp-2"])
def test_the_value_alone_is_that_of_the_program_with_its_gradient(
    name: str, tmp_path: Path
) -> None:
    ours, case = worker.Worker(OURS_COMPILED.library, threads=2), cases.find(name)
    answer = tmp_path / "answer.npz"
    ours.prepare(name, str(answer), is_value=True)
    wanted = measuring.value_of(case.reference(case.data()))
    assert len(wanted) == 1
    with np.load(answer) as outputs:
        found = {"loss" if name[:3] in ("tut", "mlp") else "value": outputs["value"]}
    assert worst_error(found, wanted) <= case.tolerance


def test_a_number_in_a_name_is_a_size() -> None:
    assert cases.find("mlp-7").data()["x"].shape == (7, 784)
    assert cases.find("elementwise-30").data()["e"].shape == (30,)
    assert int(cases.find("graph-100").data()["turns"]) == 20
    assert cases.find("sin50-10").data()["x"].shape == (10,)
    with pytest.raises(KeyError, match="graph-x"):
        cases.find("graph-x")


def test_the_graph_reference_has_the_gradient_of_its_value() -> None:
    case, step = cases.find("graph-50"), 1e-6
    data = case.data()
    up, down = (
        case.reference({**data, "x": data["x"] + sign * step})["value"].value for sign in (1, -1)
    )
    slopes = case.reference(data)["gradient"].value
    assert float((up - down) / (2 * step)) == pytest.approx(float(np.sum(slopes)), rel=1e-8)


def test_a_reference_is_more_exact_than_the_dtype() -> None:
    for case in CASES:
        if case.name.startswith("sin50-10") or case.name == "jacobian-64":
            for outcome in case.reference(case.data()).values():
                assert outcome.value.dtype == np.longdouble


# --- bars ---------------------------------------------------------------------------------------


def test_the_best_peer_is_the_fastest_with_a_right_answer() -> None:
    found = result("mlp", 2.0, ("jax.jit", 4.0), ("torch.compile", 3.0))
    assert (found.best, found.ratio) == ("torch.compile", Ratio(2 / 3, 2 / 3))
    wrong = replace(found.entries[2], failure="wrong answer: ...")
    assert judged(replace(found, entries=(*found.entries[:2], wrong))).best == "jax.jit"


def test_ddx_binds_at_large_batches_alone() -> None:
    assert result("sin50-10", 2.0, ("jax.jit", 4.0), ("ddx-ad", 1.0)).best == "jax.jit"
    assert result("sin50-100000", 2.0, ("jax.jit", 4.0), ("ddx-ad", 1.0)).best == "ddx-ad"


@pytest.mark.parametrize(("ours", "said"), [(3.9, "met"), (4.1, "missed")], ids=["below", "above"])
def test_a_bar_is_ours_over_the_best(ours: float, said: str) -> None:
    assert verdict(result("mlp", ours, ("jax.jit", 4.0), ("tf.function", 9.0))) == said


def test_ours_that_fails_misses_and_no_peer_is_no_measurement() -> None:
    failed = Entry(OURS, (), failure="it broke")
    found = result("mlp", 1.0, ("jax.jit", 4.0))
    assert verdict(judged(replace(found, entries=(failed, found.entries[1])))) == "missed"
    assert verdict(result("mlp", 1.0)) == "not measured"


def test_growth_has_a_bar_at_each_number_of_threads() -> None:
    graphs = [
        result(f"graph-{n}", float(time), ("jax.jit", 4.0), threads=threads)
        for threads, times in ((2, (1, 10, 900)), (1, (2, 20, 200)))
        for n, time in zip((10, 100, 1000), times, strict=True)
    ]
    lines = [line for line in as_markdown(Document([], graphs=graphs)).splitlines()
             if line.startswith("| graph-")]  # fmt: skip
    said = [line.split(" | ")[-3:] for line in lines]
    assert [one[1:] for one in said] == [
        ["", " |"], ["<= 1", "met |"],
        ["<= 1", "[missed](profiles.md#compiled-growth-graph-1000-2) |"],
        ["", " |"], ["<= 1", "met |"], ["<= 1", "met |"],
    ]  # fmt: skip
    assert [one[0] for one in said[:2]] == ["-", "0.50"] and said[3][0] == "-"


def test_sizes_go_as_far_as_the_issue_says() -> None:
    assert (table.BATCHES[0], table.BATCHES[-1]) == (1, 4096)
    assert tuple(10**k for k in range(1, 9)) == table.SIZES
    assert table.GRAPHS == (10, 100, 1000, 10_000)
    assert run.THREADS == (2, 1) and set(run.Wish().parts) >= {"sizes", "graphs", "first"}


def test_large_sizes_are_checked_by_the_million_that_they_repeat() -> None:
    data = cases.elementwise_data(3_000_000)
    reference = cases.elementwise_reference(data)
    whole = cases.elementwise_of(data)
    gradient = np.array(whole["gradient"].value)
    answer = {"value": np.asarray(whole["value"].value), "gradient": gradient}
    assert worst_error(answer, reference) <= 1e-12
    gradient[2_345_678] += 0.5
    assert worst_error(answer, reference) > 0.1
    assert worst_error({**answer, "gradient": gradient[:-1]}, reference) == float("inf")
    assert cases.elementwise_reference(cases.elementwise_data(1000))["gradient"].repeats == 1


def test_growth_is_measured_against_n_log_n() -> None:
    small, large = (result(f"graph-{n}", n * np.log(n)) for n in (100, 10_000))
    assert growth(small, large) == pytest.approx(1.0)
    assert growth(small, result("graph-10000", 100.0 * 100 * np.log(10_000) * 2)) == pytest.approx(
        2.0
    )


def test_every_bar_names_a_case_and_every_case_has_one() -> None:
    assert set(table.BARS) == {case.name for case in CASES} - {"dialect"}
    assert {case.name for case in table.COMPILED_CASES} == set(table.BARS)


# --- fresh processes ----------------------------------------------------------------------------


def test_a_first_call_is_a_process_of_its_own(tmp_path: Path) -> None:
    settings = Settings(tmp_path, rounds=1, patience=0.0)
    found = first_calls("tutorial", "title", settings, peers=())
    ours = found.entry(OURS)
    assert ours is not None and ours.spread is not None
    assert ours.spread.minimum > 1.0  # ms: it has compiled


def test_the_row_of_the_disk_cache_says_why_it_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "has_cache", lambda: False)
    found = measuring.cached_call("tutorial", "title", Settings(tmp_path))
    assert found.note == "skipped: gt.function has no option cache yet"


def test_a_size_that_memory_does_not_hold_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "free_bytes", lambda: 1 << 30)
    found = measuring.at_size("elementwise-100000000", measuring.Bench(Settings(tmp_path)))
    assert found.note == "skipped: too little memory"
    assert measuring.fits(1_000_000)


# --- the page -----------------------------------------------------------------------------------


def document() -> Document:
    lost = result("mlp", 9.0, ("jax.jit", 4.0), over_value=Ratio(2.5, 3.5))
    broken = replace(lost.entries[1], side="mlx.compile", samples=(), failure="a | b")
    lost = replace(lost, entries=(*lost.entries, broken))
    sized = result("elementwise-1000", 2.0, ("jax.jit", 4.0))
    exact = tuple(replace(entry, error=1e-7, ulps=0.84) for entry in sized.entries)
    sized = replace(sized, entries=exact)
    graphs = [result(f"graph-{n}", float(n), ("jax.jit", 4.0)) for n in (10, 100)]
    skipped = Result("mlp", "title", 2, "ms", (), note="skipped: why")
    overhead = result("overhead", 1.2, ("jax.jit", 4.0))
    return Document([lost, overhead], [lost], [skipped], [sized], graphs, {"cpu": "a"}, {"j": {}})


def test_losing_rows_and_failures_stay_in_the_section() -> None:
    page = as_markdown(document())
    assert "| mlp | 2 | jax.jit | 9.00 us (9.00 us) | 4.00 us (4.00 us) | 2.250 (2.250) |" in page
    sized = next(line for line in page.splitlines() if line.startswith("| elementwise-1000"))
    assert sized.count("1.0e-07 (0.84)") == 2  # no speed without its accuracy
    assert "README.md#rows-that-are-missed-and-why" in page
    assert "missed" in page and "a \\| b" in page and "skipped: why" in page
    assert "| mlp | 2 | 2.50 (3.50) | <= 3 | met by the minima only |" in page
    assert "[missed](profiles.md#compiled-mlp-2)" in page
    assert "[missed](profiles.md#compiled-first-mlp-2)" in page
    assert json.loads(as_json(document()))["steady"][0]["best"] == "jax.jit"


def test_a_section_is_replaced_and_the_page_around_it_stays(tmp_path: Path) -> None:
    page = whole.with_section("# head\n\ntext\n", "npbench", "one")
    page = whole.with_section(page, "compiled", "two\n")
    assert page.index("two") < page.index("one")  # in the order of SECTIONS
    page = whole.with_section(page, "npbench", "three")
    assert (
        whole.section(page, "npbench") == "three\n" and whole.section(page, "compiled") == "two\n"
    )
    assert page.startswith("# head\n\ntext\n") and "one" not in page.replace("none", "")


def test_a_partial_run_writes_where_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "results.md").write_text("# head\n", encoding="utf-8")
    wishes: list[Any] = []

    def measured(settings: Settings, wish: Any) -> Document:
        wishes.append(wish)
        return document()

    monkeypatch.setattr(run, "run", measured)
    words = ["--only", "compiled", "--quick", "--case", "mlp", "--out", str(tmp_path)]
    assert main(words) == 0
    assert wishes[0].cases == ("mlp",) and wishes[0].threads == (2,)
    page = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert page.startswith("# head\n") and "Compiled programs" in page
    assert (tmp_path / "compiled.json").is_file()


def test_a_run_measures_every_case_at_every_number_of_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str, int]] = []

    def fake(kind: str, name: str, threads: int) -> Result:
        asked.append((kind, name, threads))
        return replace(result("mlp", 1.0, ("jax.jit", 4.0)), case=name, threads=threads)

    def timed(case: Any, peers: Any, bench: Any) -> Result:
        assert ("ddx-ad" in [peer.name for peer in peers]) == case.name.startswith(("sin", "chain"))
        return fake("steady", case.name, bench.settings.threads)

    def first(name: str, title: str, settings: Any, peers: Any = (), samples: int = 0) -> Result:
        if samples:
            beside.append((name, settings.threads, len(peers)))
        return fake("graph" if samples else "first", name, settings.threads)

    beside: list[tuple[str, int, int]] = []

    monkeypatch.setattr(run, "compared", timed)
    monkeypatch.setattr(run, "at_size", lambda name, b: fake("size", name, b.settings.threads))
    monkeypatch.setattr(run, "first_calls", first)
    monkeypatch.setattr(run, "cached_call", lambda name, title, s: fake("cached", name, s.threads))
    monkeypatch.setattr(run, "_hello", lambda bench, peers: {"gradtape": {}})
    found = run.run(Settings(tmp_path, rounds=1, patience=0.0))
    names = [case.name for case in table.TIMED]
    assert [(n, t) for kind, n, t in asked if kind == "steady"] == [
        (name, threads) for threads in (2, 1) for name in names
    ]
    for kind in ("first", "cached"):
        assert [(n, t) for one, n, t in asked if one == kind] == [
            (name, threads) for threads in (2, 1) for name in names[:-1]
        ]
    assert beside == [
        (f"graph-{n}", threads, n <= 1000) for threads in (2, 1) for n in (10, 100, 1000, 10_000)
    ]
    assert len(found.sizes) == 2 * (len(table.BATCHES) + len(table.SIZES))
    assert "growth" in as_markdown(found)
