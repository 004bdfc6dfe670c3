"""The cases of `bench.cases`, and those that only compiled programs have.

A name with a number is a case at another size: `mlp-1024` is the step at that batch,
`elementwise-1000` that many elements, `graph-1000` a program of about that many nodes.
`npbench-gemm` is a kernel.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from bench.cases import BY_NAME, Arrays, Case, Outcome, Reference, mlp_data, mlp_reference
from bench.cases import elementwise_reference as elementwise_of

# one turn of the loop: sin and * forwards; cos and two * backwards
GRAPH_NODES_PER_TURN = 5
GRAPH_WIDTH = 64
MILLION = 1_000_000


def overhead_data() -> Arrays:
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(8) for name in "abcde"}


def overhead_reference(data: Arrays) -> Reference:
    a, b, c, d, e = (data[name].astype(np.longdouble) for name in "abcde")
    return {"first": Outcome(a * b + c), "second": Outcome(d - e)}


def elementwise_data(n: int) -> Arrays:
    """A million numbers, over and over: what counts is how many there are."""
    few = np.random.default_rng(0).standard_normal(min(n, MILLION), np.float32)
    return {"e": np.resize(few, n)}


def elementwise_reference(data: Arrays) -> Reference:
    """Of a large array, the reference of its million numbers, over and over."""
    e = data["e"]
    times, left = divmod(e.size, MILLION)
    if times <= 1 or left:
        return elementwise_of(data)
    once = elementwise_of({"e": e[:MILLION]})
    return {
        "value": Outcome(np.asarray(once["value"].value) * times),
        "gradient": Outcome(once["gradient"].value, repeats=times),
    }


def graph_turns(nodes: int) -> int:
    """Return how many turns of sin(z) * 1.001 make about that many nodes with their gradient."""
    return max(1, nodes // GRAPH_NODES_PER_TURN)


def graph_data(nodes: int) -> Arrays:
    return {"x": np.linspace(0.5, 2.5, GRAPH_WIDTH), "turns": np.asarray(graph_turns(nodes))}


def graph_reference(data: Arrays) -> Reference:
    z = data["x"].astype(np.longdouble)
    slope = np.ones_like(z)
    for _ in range(int(data["turns"])):
        slope = slope * np.cos(z) * 1.001
        z = np.sin(z) * 1.001
    return {"value": Outcome(np.sum(z)), "gradient": Outcome(slope)}


OVERHEAD = Case(
    "overhead",
    "a call with five arrays of 8 numbers in and two out (float64)",
    overhead_data,
    overhead_reference,
    1e-14,
)


def find(name: str) -> Case:
    """Return the case of that name; a number in it is its size."""
    if name in BY_NAME:
        return BY_NAME[name]
    if name == OVERHEAD.name:
        return OVERHEAD
    kind, _, size = name.partition("-")
    if kind in ("npbench", "gradbench"):
        from bench.npbench.cases import case

        return case(size)
    if not size.isdigit():
        raise KeyError(name)
    n = int(size)
    if kind == "mlp":
        title = f"the MLP step at batch {n}"
        return Case(name, title, partial(mlp_data, n), mlp_reference, 1e-3)
    if kind == "elementwise":
        title = f"the elementwise loss of {n} numbers"
        return Case(name, title, partial(elementwise_data, n), elementwise_reference, 1e-4)
    if kind == "graph":
        title = f"sin(z) * 1.001 of {GRAPH_WIDTH} numbers over and over: about {n} nodes"
        return Case(name, title, partial(graph_data, n), graph_reference, 1e-8)
    raise KeyError(name)
