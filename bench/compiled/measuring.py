"""The measurements: steady state, first calls, sizes. A side that fails has its reason."""

from __future__ import annotations

import inspect
import os
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.cases import Case, Reference
from bench.client import WorkerFailure
from bench.compiled import table
from bench.compiled.cases import find
from bench.environments import EnvironmentFailure
from bench.measure import Calm, Settings, Side
from bench.peers import COMPILED_PEERS, OURS_COMPILED, Peer
from bench.stats import Ratio, Spread, ratio, spread

JAX = COMPILED_PEERS[0]
OURS = OURS_COMPILED.name
FIRST_SAMPLES = 5
# What a side holds beside its data: results, temporaries, the library's copies of the data.
BYTES_PER_NUMBER = 40


@dataclass(frozen=True)
class Entry:
    """One side of a measurement: what it took, and how exact its answer was.

    `first` is the first run in a worker that has run other cases, in ms.
    """

    side: str
    samples: tuple[float, ...] = ()
    error: float | None = None
    ulps: float | None = None
    first: float | None = None
    failure: str = ""

    @property
    def spread(self) -> Spread | None:
        return spread(self.samples) if self.samples and not self.failure else None


@dataclass(frozen=True)
class Result:
    """A case at a number of threads: every side, and ours over the best peer.

    `samples` of the sides were taken in turns, in `unit`; `over_value` is ours with its gradient
    over ours without.
    """

    case: str
    title: str
    threads: int
    unit: str
    entries: tuple[Entry, ...]
    best: str = ""
    ratio: Ratio | None = None
    bar: float | None = None
    over_value: Ratio | None = None
    busy: float = 0.0
    note: str = ""

    def entry(self, side: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.side == side), None)


@dataclass
class Bench:
    """The workers of a run at one number of threads; they live from case to case."""

    settings: Settings
    sides: list[Side] = field(default_factory=list)

    def side(self, peer: Peer, *, is_value: bool = False) -> Side:
        for side in self.sides:
            if side.peer.name == peer.name and side.is_value == is_value:
                return side
        self.sides.append(Side(peer, self.settings, is_value))
        return self.sides[-1]

    def close(self) -> None:
        for side in self.sides:
            side.close()


def turns(sides: Sequence[Side], settings: Settings) -> tuple[list[list[float]], float]:
    """Return the samples (us) of sides that are prepared: one, the next ..., round by round.

    A side that fails in a round has no more turns; the busiest that the machine was comes along.
    """
    samples: list[list[float]] = [[] for _ in sides]
    calm = Calm(settings.patience)
    for _ in range(settings.rounds):
        calm.wait()
        for side, kept in zip(sides, samples, strict=True):
            seconds = side.time()
            if seconds is not None:
                kept.append(seconds * 1e6)
    return samples, calm.busiest


def value_of(reference: Reference) -> Reference:
    """Return the value alone, which a case calls "value" or "loss"."""
    return {name: outcome for name, outcome in reference.items() if name in ("value", "loss")}


def compared(case: Case, peers: Sequence[Peer], bench: Bench) -> Result:
    """Return a case of every side, in turns, with ours without its gradient where there is one."""
    data = case.data()
    reference, eps = case.reference(data), _eps(data)
    del data
    sides = _sides(case, peers, bench)
    for side in sides:
        _prepare(side, case, reference)
    return _in_turns(case, sides, eps, bench.settings)


def compared_at_each(case: Case, contests: Sequence[tuple[Bench, Sequence[Peer]]]) -> list[Result]:
    """Return what `compared` does for the peers at each number of threads.

    The peers of each number are made ready beside those of the others, so that two numbers take
    little longer than one; ours, whose first run is in the table, when they have done.
    """
    data = case.data()
    reference, eps = case.reference(data), _eps(data)
    del data
    groups = [_sides(case, peers, bench) for bench, peers in contests]

    def ready(sides: Sequence[Side], are_ours: bool) -> None:
        for side in sides:
            if (side.peer.name == OURS) is are_ours:
                _prepare(side, case, reference)

    with ThreadPoolExecutor(max(len(groups), 1)) as pool:
        list(pool.map(lambda sides: ready(sides, False), groups))
    for sides in groups:
        ready(sides, True)
    return [
        _in_turns(case, sides, eps, bench.settings)
        for sides, (bench, _) in zip(groups, contests, strict=True)
    ]


def _sides(case: Case, peers: Sequence[Peer], bench: Bench) -> list[Side]:
    sides = [bench.side(peer) for peer in (OURS_COMPILED, *peers)]
    if case.name not in table.WITHOUT_VALUE:
        sides.append(bench.side(OURS_COMPILED, is_value=True))
    return sides


def _prepare(side: Side, case: Case, reference: Reference) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        wanted = value_of(reference) if side.is_value else reference
        side.prepare(case, wanted, Path(scratch))


def _in_turns(case: Case, sides: Sequence[Side], eps: float, settings: Settings) -> Result:
    """Return the result of sides that are ready."""
    samples, busy = turns(sides, settings)
    entries, over_value = [], None
    for side, kept in zip(sides, samples, strict=True):
        if side.is_value:
            if len(kept) == len(samples[0]) > 0 and not side.failure:
                over_value = ratio(samples[0], kept)
            continue
        entries.append(_entry(side, kept, case.tolerance, eps))
    return judged(
        Result(
            case.name,
            case.title,
            settings.threads,
            "us",
            tuple(entries),
            bar=table.BARS.get(case.name),
            over_value=over_value,
            busy=busy,
        )
    )


def _eps(data: dict[str, Any]) -> float:
    """Return the spacing of numbers at 1 of the case's dtype."""
    kinds = [array.dtype for array in data.values() if array.dtype.kind == "f"]
    return float(np.finfo(np.result_type(*kinds)).eps) if kinds else float("nan")


def _entry(side: Side, samples: Sequence[float], tolerance: float, eps: float) -> Entry:
    failure, error = side.failure, side.error
    if not failure and error is not None and not error <= tolerance:
        failure = f"wrong answer: the error {error:.1e} exceeds {tolerance:.0e}"
    known = error is not None and np.isfinite(error)
    return Entry(
        side.peer.name,
        tuple(samples),
        error if known else None,
        error / eps if known and error is not None else None,
        side.first * 1e3 if np.isfinite(side.first) else None,
        failure,
    )


def judged(result: Result) -> Result:
    """Return a result with the best peer, whose answer is right, and ours over it."""
    ours = result.entry(OURS)
    candidates = [
        entry
        for entry in result.entries
        if entry.side != OURS and entry.spread and table.binds(result.case, entry.side)
    ]
    best = min(candidates, key=lambda entry: min(entry.samples), default=None)
    if best is None or ours is None or ours.spread is None:
        return replace(result, best=best.side if best else "")
    count = min(len(ours.samples), len(best.samples))
    pair = ratio(ours.samples[:count], best.samples[:count])
    return replace(result, best=best.side, ratio=pair)


# --- first calls ----------------------------------------------------------------------------------


def first_call(peer: Peer, case: str, settings: Settings) -> float:
    """Return the ms of the first run of a case in a fresh process, imports and data not counted."""
    side = Side(peer, settings)
    worker = side.start()
    try:
        return float(worker.ask("prepare", case=case)["first"]) * 1e3
    finally:
        worker.close()


def first_calls(
    name: str, title: str, settings: Settings, peers: Iterable[Peer] = (JAX,), samples: int = 0
) -> Result:
    """Return the first call of ours and of the peers, in turns of fresh processes."""
    sides = (OURS_COMPILED, *peers)
    kept: dict[str, list[float]] = {peer.name: [] for peer in sides}
    failures: dict[str, str] = {}
    calm = Calm(settings.patience)
    for _ in range(samples or min(settings.rounds, FIRST_SAMPLES)):
        calm.wait()
        for peer in sides:
            if peer.name in failures:
                continue
            try:
                kept[peer.name].append(first_call(peer, name, settings))
            except (WorkerFailure, EnvironmentFailure) as failure:
                failures[peer.name] = str(failure)
    entries = tuple(
        Entry(peer.name, tuple(kept[peer.name]), failure=failures.get(peer.name, ""))
        for peer in sides
    )
    result = Result(name, title, settings.threads, "ms", entries, busy=calm.busiest)
    return replace(judged(result), bar=table.FIRST_BAR)


def has_cache() -> bool:
    """Return whether `gt.function` keeps programs on the disk in this version."""
    import gradtape as gt

    return "cache" in inspect.signature(gt.function).parameters


@contextmanager
def cache_folder() -> Any:
    """A folder of its own for the programs of the measured processes."""
    before = os.environ.get("GRADTAPE_CACHE")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GRADTAPE_CACHE"] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["GRADTAPE_CACHE"]
            else:
                os.environ["GRADTAPE_CACHE"] = before


def cached_call(name: str, title: str, settings: Settings) -> Result:
    """Return the first call of a program that another process has left on the disk.

    Libraries are imported already: the fresh process has compiled another program before.
    """
    base = Result(name, title, settings.threads, "ms", ())
    if not has_cache():
        return replace(base, note="skipped: gt.function has no option cache yet")
    peer = replace(OURS_COMPILED, library="gradtape_cached")
    samples: list[float] = []
    with cache_folder():
        try:
            for _ in range(1 + min(settings.rounds, FIRST_SAMPLES)):
                samples.append(first_call(peer, name, settings))
        except WorkerFailure as failure:
            return replace(base, entries=(Entry(OURS, failure=str(failure)),))
    # the first process is the one that fills the folder
    return replace(base, entries=(Entry(OURS, tuple(samples[1:])),))


# --- sizes ----------------------------------------------------------------------------------------


def free_bytes() -> int:
    """Return how much memory is free, or 0 where the system does not say."""
    path = Path("/proc/meminfo")
    if path.is_file():
        for line in path.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 0


def fits(n: int) -> bool:
    """Return whether two sides can hold n numbers each."""
    free = free_bytes()
    return not free or 2 * BYTES_PER_NUMBER * n < 0.8 * free


def at_size(name: str, bench: Bench) -> Result:
    """Return ours and JAX's at one size of a case."""
    case = find(name)
    if name.startswith("elementwise-") and not fits(int(name.partition("-")[2])):
        return Result(
            name, case.title, bench.settings.threads, "us", (), note="skipped: too little memory"
        )
    data = case.data()
    reference, eps = case.reference(data), _eps(data)
    del data
    sides = [bench.side(peer) for peer in (OURS_COMPILED, JAX)]
    with tempfile.TemporaryDirectory() as scratch:
        for side in sides:
            side.prepare(case, reference, Path(scratch))
    samples, busy = turns(sides, bench.settings)
    entries = tuple(
        _entry(side, kept, case.tolerance, eps) for side, kept in zip(sides, samples, strict=True)
    )
    return judged(Result(name, case.title, bench.settings.threads, "us", entries, busy=busy))
