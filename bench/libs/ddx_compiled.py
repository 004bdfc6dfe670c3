"""The cases that ddx-ad can state: functions of one number, for a batch of them.

ddx computes in float64 alone, and its kernels have no vector nodes; the sum over a batch is
NumPy's.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import ddx
import numpy as np

from bench.cases import CHAIN_LENGTH, SIN_LENGTH, Arrays, Run

VERSION = version("ddx-ad")


def setup(threads: int) -> None:
    """Nothing: the worker's core affinity is what limits it."""


def to_numpy(x: Any) -> Any:
    return np.asarray(x)


def chain(data: Arrays, *, is_value: bool = False) -> Run:
    def value() -> Any:
        z = ddx.var("z")
        for _ in range(CHAIN_LENGTH):
            z = ddx.sin(z) * 1.001
        return z

    return _run(value, data["s"].astype(np.float64).reshape(1), is_value, lambda v: v)


def sin50(data: Arrays, *, is_value: bool = False) -> Run:
    def value() -> Any:
        z = ddx.var("z")
        for _ in range(SIN_LENGTH):
            z = ddx.sin(z) * 1.01 + 0.1
        return z

    return _run(value, data["x"].reshape(1, -1), is_value, np.sum)


def _run(model: Callable[[], Any], x: Any, is_value: bool, total: Callable[[Any], Any]) -> Run:
    made: list[Any] = []

    def call() -> Any:  # built at the first run, as the others trace and compile there
        if not made:
            points = x.shape[1] if x.ndim == 2 else 1
            function = ddx.equation(model).compile(points=points, cache_dir="")
            want = ddx.Want.VALUE if is_value else ddx.Want.JACOBIAN
            made.append(function.buffer(x, want=want))
        made[0]()
        return made[0]

    if is_value:
        return lambda: {"value": total(call().value)}

    def run() -> dict[str, Any]:
        found = call()
        return {"value": total(found.value), "gradient": found.jacobian.reshape(x.shape[1:])}

    return run
