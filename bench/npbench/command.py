"""What `python -m bench --only npbench` runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace

from bench import report as whole
from bench.cases import Case
from bench.client import WorkerFailure
from bench.compiled.measuring import Bench, Entry, Result, compared_at_each
from bench.compiled.run import show
from bench.environments import EnvironmentFailure
from bench.measure import Settings
from bench.npbench.cases import case
from bench.npbench.kept import Failures, Rows, at, compiled_ahead, programs_kept
from bench.npbench.kernels import names_of
from bench.npbench.report import SetDocument, as_json, as_markdown
from bench.peers import COMPILED_PEERS, DACE, OURS_COMPILED, PEERS, Peer

HOW = (
    " Kernels are written once, in NumPy; loops are Python's, unrolled by whoever traces. Every"
    " figure is there with two threads, and in brackets with one; times are minima (the JSON has"
    " all samples). Errors are relative to the gradient of our tape in eager mode, which central"
    " differences in `longdouble` along a random direction confirm before every run. Losing rows"
    " stay in."
)
ABOUT = (
    "Written by `python -m bench --only npbench`; the samples are in `npbench.json`. Value and"
    " gradient, with respect to all its arrays, of half the sum of squares of what a kernel"
    " computes, in float64." + HOW
)
NOTE = (
    "DaCe: dace 1.0.2, the last release, has no derivatives; measured is 2.0.0b1. It cannot parse"
    " lists, helpers that take the namespace, or several sizes of one name, and cannot"
    " differentiate what is written in place or multiplied with itself (`R * R`; `R ** 2` works).",
)
PATIENCE = 4.0
TURN = 0.05
ROUNDS = 5
QUICK = ("gemm", "softmax", "nbody")

SET_PEERS: tuple[Peer, ...] = (
    *(peer for peer in COMPILED_PEERS if peer.name in ("jax.jit", "torch.compile")),
    *(peer for peer in PEERS if peer.name == "autograd"),
    DACE,
)


Each = Callable[[Case, Sequence[tuple[Bench, Sequence[Peer]]]], list[Result]]


def counts_of(settings: Settings) -> tuple[int, ...]:
    """Return the numbers of threads that every row is measured with: those of the run, and one."""
    return tuple(dict.fromkeys((settings.threads, 1)))


def measured(
    cases: Sequence[Case],
    settings: Settings,
    peers: Sequence[Peer],
    rows: Rows | None = None,
    each: Each = compared_at_each,
) -> tuple[list[Result], dict[str, dict[str, object]]]:
    """Return a result per case and number of threads, and what each library says of itself.

    With `rows`, peers compile all cases first, and what is in `rows` is not measured again.
    """
    counts = counts_of(settings)
    benches = [Bench(replace(settings, threads=threads)) for threads in counts]
    said = {}
    known = dict(rows.found) if rows is not None else {}
    left = [case for case in cases if any(at(case.name, n) not in known for n in counts)]
    failures: Failures = {}
    if rows is not None:
        if rows.failures is None:
            rows.fail(compiled_ahead(left, peers, settings, counts))
        failures = rows.failures or {}
    try:
        for peer in (OURS_COMPILED, *peers):
            try:
                said[peer.name] = benches[0].side(peer).alive().ask("hello")
            except (WorkerFailure, EnvironmentFailure) as failure:
                said[peer.name] = {"version": f"not running: {failure}"}
        for one in left:
            failed = [failures.get(at(one.name, n), {}) for n in counts]
            contests = [
                (bench, [peer for peer in peers if peer.name not in lost])
                for bench, lost in zip(benches, failed, strict=True)
            ]
            for result, lost in zip(each(one, contests), failed, strict=True):
                reasons = tuple(Entry(name, failure=reason) for name, reason in lost.items())
                found = show(replace(result, entries=(*result.entries, *reasons)))
                known[at(one.name, found.threads)] = found
                if rows is not None:
                    rows.add(found)
    finally:
        for bench in benches:
            bench.close()
    return [known[at(case.name, n)] for case in cases for n in counts], said


def run_suite(
    suite: str, title: str, about: str, quick: Sequence[str], settings: Settings,
    options: argparse.Namespace,
) -> tuple[str, str]:  # fmt: skip
    """Return the Markdown and the JSON of a published set, as far as the options ask for it."""
    load_before = whole.load()
    settings = replace(
        settings,
        rounds=min(settings.rounds, ROUNDS),
        patience=min(settings.patience, PATIENCE),
        seconds=min(settings.seconds, TURN),
    )
    names = list(quick if options.quick else names_of(suite))
    if options.case:
        names = [name for name in names_of(suite) if f"{suite}-{name}" in options.case]
    peers = [peer for peer in SET_PEERS if not options.peer or peer.name in options.peer]
    cases = [case(name) for name in names]
    if options.quick:
        results, libraries = measured(cases, settings, peers)
    else:
        mark = {"threads": list(counts_of(settings)), "rounds": settings.rounds}
        rows = Rows(settings.venvs / f"{suite}.rows", mark, resume=options.resume)
        with programs_kept(settings):
            results, libraries = measured(cases, settings, peers, rows)
    machine = whole.machine(settings.threads, settings.rounds, None, load_before)
    document = SetDocument(title, about, results, machine, libraries, NOTE)
    return as_markdown(document), as_json(document)


def run(settings: Settings, options: argparse.Namespace) -> tuple[str, str]:
    """Return the section's Markdown and the JSON of what the options ask for."""
    return run_suite("npbench", "NPBench", ABOUT, QUICK, settings, options)
