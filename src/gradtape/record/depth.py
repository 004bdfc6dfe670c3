"""Rules of a diagnosis about deep networks: a gradient that vanishes or explodes on its way down.

Compared are the derivatives of the cost by the results of the last nonlinear layer and by whatever
the parameters of the first one enter. A recurrent network uses its parameters at the last turn
too, and a skip connection passes the gradient around the layers: neither is meant.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .evidence import Evidence
from .findings import Finding
from .panels.nodes import nodes
from .units import kinks, sigmoids

__all__ = ["exploding_gradient", "vanishing_gradient"]

_FEWEST = 5  # nonlinear layers
_FACTOR = 1e3


def vanishing_gradient(run: Evidence) -> Finding | None:
    """The first layers get next to nothing of the gradient that the last one gets."""
    chain = _chain(run)
    steps = run.steps[np.isfinite(run.cost)]
    if len(chain) < _FEWEST or len(steps) < 3:
        return None
    shares = [_share(run, chain, step) for step in (steps[0], steps[-1])]
    if not max(shares) < 1 / _FACTOR:
        return None
    per = shares[-1] ** (1 / (len(chain) - 1))
    return Finding(
        "vanishing gradient",
        f"The first of {len(chain)} layers in a row gets {shares[-1]:.1g} of the gradient that the"
        f" last one gets: each passes on about {per:.2g} of it.",
        "The slope of a sigmoid is 0.25 at most, that of tanh 1 around 0 alone; small weights take"
        " the rest. The first layers hardly learn.",
        "Use np.maximum(z, 0) with weights rng.normal(0, np.sqrt(2 / inputs), (inputs, units)), or"
        " add the input of a layer to its result: h = h + np.tanh(h @ w).",
        **run.place(run.nodes[chain[0]]),
        step=int(steps[0]),
        evidence={"share": shares[-1], "layers": len(chain)},
    )


def exploding_gradient(run: Evidence) -> Finding | None:
    """The gradient grows from layer to layer on its way down, and the run comes to nothing."""
    chain = _chain(run)
    if len(chain) < _FEWEST or not len(run.cost) or not np.isfinite(run.cost[0]):
        return None
    if np.isfinite(run.cost).all() and run.cost[-1] < 0.5 * run.cost[0]:
        return None
    share = _share(run, chain, run.steps[0])
    if not share > _FACTOR:
        return None
    per = share ** (1 / (len(chain) - 1))
    return Finding(
        "exploding gradient",
        f"The first of {len(chain)} layers in a row gets {share:.1g} times the gradient that the"
        f" last one gets: each makes it about {per:.2g} times larger.",
        "The weights are so large that each layer stretches what passes, forwards and backwards.",
        "Draw them smaller: rng.normal(0, np.sqrt(2 / inputs), (inputs, units)); or limit the"
        " gradient: g * min(1.0, 1.0 / np.linalg.norm(g)).",
        **run.place(run.nodes[chain[0]]),
        step=int(run.steps[0]),
        evidence={"share": share, "layers": len(chain)},
    )


def _chain(run: Evidence) -> list[int]:
    """The nonlinear layers along the longest way from a parameter to the cost."""
    layers = {node["id"] for node, _ in (*sigmoids(run), *kinks(run))}
    longest: dict[int, tuple[int, int | None]] = {}  # how many, and the last of them
    before: dict[int, int | None] = {}
    for i, node in run.nodes.items():
        count, last = max(
            (longest[k] for k in node["in"] if k in longest), default=(0, None),
            key=lambda one: one[0],
        )  # fmt: skip
        if i in layers:
            before[i], count, last = last, count + 1, i
        longest[i] = count, last
    _, at = longest.get(run.graph.get("target", -1), (0, None))
    chain: list[int] = []
    while at is not None:
        chain.append(at)
        at = before[at]
    return chain[::-1]


def _share(run: Evidence, chain: list[int], step: Any) -> float:
    """The cotangent where the first layer's parameters enter, over that of the last layer."""
    drawn = nodes(run.reader, int(step))
    if isinstance(drawn, str):
        return np.nan
    header, (matrix,) = drawn
    norms = dict(enumerate(matrix[:, header["fields"].index("ct_norm")]))
    stack, parameters = [chain[0]], set()
    while stack:
        node = run.nodes[stack.pop()]
        stack += node["in"]
        if node["kind"] in ("variable", "source"):
            parameters.add(node["id"])
    enters = [norms.get(node["id"], np.nan) for node in run.nodes.values()
              if parameters.intersection(node["in"])]  # fmt: skip
    with np.errstate(all="ignore"):
        return float(np.max(enters) / norms.get(chain[-1], np.nan)) if enters else np.nan
