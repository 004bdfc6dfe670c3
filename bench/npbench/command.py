"""What `python -m bench --only npbench` runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace

from bench import report as whole
from bench.cases import Case
from bench.client import WorkerFailure
from bench.compiled.measuring import Bench, Result, compared
from bench.compiled.run import show
from bench.environments import EnvironmentFailure
from bench.measure import Settings
from bench.npbench.cases import case
from bench.npbench.kernels import names_of
from bench.npbench.report import SetDocument, as_json, as_markdown
from bench.peers import COMPILED_PEERS, OURS_COMPILED, PEERS, Peer

HOW = (
    " Kernels are written once, in NumPy; loops are Python's, unrolled by whoever traces. Errors"
    " are relative to the gradient of our tape in eager mode, which central"
    " differences in `longdouble` along a random direction confirm before every run. Times are"
    " minima, medians in brackets. Losing rows stay in."
)
ABOUT = (
    "Written by `python -m bench --only npbench`; the samples are in `npbench.json`. Value and"
    " gradient, with respect to all its arrays, of half the sum of squares of what a kernel"
    " computes, in float64." + HOW
)
ABSENT = ("DaCe AD is not measured: dace 1.0.2, the last release, has no derivatives.",)
PATIENCE = 4.0
TURN = 0.05
ROUNDS = 5
QUICK = ("gemm", "softmax", "nbody")

SET_PEERS: tuple[Peer, ...] = (
    *(peer for peer in COMPILED_PEERS if peer.name in ("jax.jit", "torch.compile")),
    *(peer for peer in PEERS if peer.name == "autograd"),
)


def measured(
    cases: Sequence[Case],
    settings: Settings,
    peers: Sequence[Peer],
    each: Callable[[Case, Sequence[Peer], Bench], Result] = compared,
) -> tuple[list[Result], dict[str, dict[str, object]]]:
    """Return a result per case, and what each library says of itself."""
    bench = Bench(settings)
    results, said = [], {}
    try:
        for peer in (OURS_COMPILED, *peers):
            try:
                said[peer.name] = bench.side(peer).alive().ask("hello")
            except (WorkerFailure, EnvironmentFailure) as failure:
                said[peer.name] = {"version": f"not running: {failure}"}
        for one in cases:
            results.append(show(each(one, peers, bench)))
    finally:
        bench.close()
    return results, said


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
    results, libraries = measured([case(name) for name in names], settings, peers)
    machine = whole.machine(settings.threads, settings.rounds, None, load_before)
    document = SetDocument(title, about, results, machine, libraries, ABSENT)
    return as_markdown(document), as_json(document)


def run(settings: Settings, options: argparse.Namespace) -> tuple[str, str]:
    """Return the section's Markdown and the JSON of what the options ask for."""
    return run_suite("npbench", "NPBench", ABOUT, QUICK, settings, options)
