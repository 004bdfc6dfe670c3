"""The run: `python -m bench --only compiled`. Every result is printed as it comes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench import report as whole
from bench.client import WorkerFailure
from bench.compiled import table
from bench.compiled.cases import find
from bench.compiled.measuring import (
    JAX,
    OURS,
    Bench,
    Result,
    at_size,
    cached_call,
    compared,
    first_calls,
)
from bench.compiled.report import Document, verdict
from bench.environments import EnvironmentFailure
from bench.measure import Settings
from bench.peers import COMPILED_PEERS, OURS_COMPILED, Peer
from bench.report import quantity

PARTS = ("steady", "first", "cached", "sizes", "graphs")
THREADS = (2, 1)
MOST_ROUNDS = 7
SIZE_ROUNDS = 3
MOST_NODES = 1000  # of a graph that JAX compiles: ten times that takes it minutes


@dataclass(frozen=True)
class Wish:
    """What a run measures: all of it, where nothing is said."""

    cases: Sequence[str] = ()
    peers: Sequence[str] = ()
    parts: Sequence[str] = PARTS
    threads: Sequence[int] = THREADS
    sizes: Sequence[str] = (
        *(f"mlp-{n}" for n in table.BATCHES),
        *(f"elementwise-{n}" for n in table.SIZES),
    )
    graphs: Sequence[int] = table.GRAPHS

    def has(self, case: str) -> bool:
        return not self.cases or case in self.cases


def show(result: Result, kind: str = "") -> Result:
    """Print a line; return the result."""
    parts = []
    for entry in result.entries:
        found = entry.spread
        parts.append(
            f"{entry.side} {quantity(found.minimum, result.unit)}"
            if found
            else f"{entry.side}: {entry.failure or 'nothing'}"
        )
    over = "" if result.ratio is None else f"  {result.ratio.of_minima:.3f} x {result.best}"
    bar = "" if result.bar is None else f" (bar {result.bar:g}: {verdict(result)})"
    name = f"{kind} {result.case}".strip()
    print(
        f"{name:22} {result.threads} thr.{over}{bar}  {', '.join(parts)} {result.note}", flush=True
    )
    return result


def _hello(bench: Bench, peers: Sequence[Peer]) -> dict[str, dict[str, object]]:
    said: dict[str, dict[str, object]] = {}
    for peer in (OURS_COMPILED, *peers):
        try:
            said[peer.name] = bench.side(peer).alive().ask("hello")
        except (WorkerFailure, EnvironmentFailure) as failure:
            said[peer.name] = {"version": f"not running: {failure}"}
            print(f"{peer.name}: {failure}", file=sys.stderr)
    return said


def run(settings: Settings, wish: Wish = Wish()) -> Document:
    """Measure what is wished for."""
    load_before = whole.load()
    settings = replace(settings, rounds=min(settings.rounds, MOST_ROUNDS))
    peers = tuple(p for p in COMPILED_PEERS if not wish.peers or p.name in wish.peers)
    steady: list[Result] = []
    sizes: list[Result] = []
    libraries: dict[str, dict[str, object]] = {}
    for threads in wish.threads:
        bench = Bench(replace(settings, threads=threads))
        few = Bench(replace(settings, threads=threads, rounds=min(settings.rounds, SIZE_ROUNDS)))
        try:
            libraries = libraries or _hello(bench, peers)
            for case in table.TIMED:
                if "steady" in wish.parts and wish.has(case.name):
                    having = table.peers_of(case.name, peers)
                    steady.append(show(compared(case, having, bench)))
            bench.close()  # what they hold is room for the large sizes
            if "sizes" in wish.parts:
                sizes += [show(at_size(name, few)) for name in wish.sizes]
        finally:
            bench.close()
            few.close()
    first, cached, graphs = [], [], []
    for threads in wish.threads:
        own = replace(settings, threads=threads)
        for case in table.COMPILED_CASES:
            if wish.has(case.name):
                if "first" in wish.parts:
                    first.append(show(first_calls(case.name, case.title, own), "first"))
                if "cached" in wish.parts:
                    cached.append(show(cached_call(case.name, case.title, own), "cached"))
        if "graphs" in wish.parts:
            for n in wish.graphs:
                name = f"graph-{n}"
                beside = (JAX,) if n <= MOST_NODES else ()
                one = first_calls(name, find(name).title, own, beside, samples=1)
                graphs.append(show(replace(one, bar=None), "first"))
    machine = whole.machine(settings.threads, settings.rounds, None, load_before)
    return Document(steady, first, cached, sizes, graphs, machine, libraries)


__all__ = ["OURS", "PARTS", "Wish", "run", "show"]
