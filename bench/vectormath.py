"""The functions of mathematics of the LLVM backend, in ns per element, against NumPy, JAX, torch.

    python -m bench.vectormath [--venvs FOLDER] [--write]

One thread on one core; arrays of 256 KiB, which fit into the second cache together with their
results. JAX runs jitted, torch eagerly on a preallocated result where it can; both pay their
dispatch of a few microseconds a call, 0.1 to 0.2 ns per element of float32. Beside each time
stands the largest error on the array in ulp (float64: of every 97th element). A peer whose
environment is not there is left out. `--write` writes bench/vectormath.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "bench" / "vectormath.md"
DTYPES = {"float32": 1 << 16, "float64": 1 << 15}
PEERS = ("jax", "torch")

# From where to where the operands are drawn.
DOMAINS = {
    "exp": (-10, 10), "exp2": (-10, 10), "expm1": (-3, 3), "log": (0.01, 100), "log2": (0.01, 100),
    "log10": (0.01, 100), "log1p": (-0.9, 10), "sin": (-10, 10), "cos": (-10, 10),
    "tan": (-10, 10), "sinh": (-5, 5), "cosh": (-5, 5), "tanh": (-5, 5), "arcsin": (-1, 1),
    "arccos": (-1, 1), "arctan": (-10, 10), "arctan2": (-5, 5), "arcsinh": (-10, 10),
    "arccosh": (1, 10), "arctanh": (-1, 1), "hypot": (-5, 5), "cbrt": (-10, 10),
    "power": (0.1, 5), "erf": (-3, 3), "erfc": (-3, 5), "sigmoid": (-10, 10),
    "softplus": (-10, 10), "logaddexp": (-10, 10), "gammaln": (0.1, 20), "digamma": (0.1, 20),
}  # fmt: skip
TWO = {"arctan2", "hypot", "power", "logaddexp"}

TORCH = {
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2", "arcsinh": "asinh",
    "arccosh": "acosh", "arctanh": "atanh", "power": "pow", "gammaln": "lgamma",
}  # fmt: skip
SPECIAL = {"erf", "erfc", "gammaln", "digamma"}


def operands(name: str, dtype: str) -> list[Any]:
    rng = np.random.default_rng(len(name))
    return [
        rng.uniform(*DOMAINS[name], DTYPES[dtype]).astype(dtype)
        for _ in range(2 if name in TWO else 1)
    ]


def best(run: Callable[[], object]) -> float:
    """Return the seconds of one run: the fastest batch of many, after a warm one."""
    run()
    start = time.perf_counter()
    run()
    count = max(1, int(1e-3 / max(time.perf_counter() - start, 1e-7)))
    found = []
    for _ in range(40):
        start = time.perf_counter()
        for _ in range(count):
            run()
        found.append((time.perf_counter() - start) / count)
    return min(found)


def jax_function(name: str) -> tuple[Callable[..., Any], Callable[[Any], Any]]:
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp
    import jax.scipy.special as special

    homes = (special,) if name in SPECIAL else (jnp, jax.nn)
    function = jax.jit(next(getattr(home, name) for home in homes if hasattr(home, name)))
    return (lambda *x: function(*x).block_until_ready()), jnp.asarray


def torch_function(name: str) -> tuple[Callable[..., Any], Callable[[Any], Any]]:
    import torch

    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    if name == "softplus":
        return torch.nn.functional.softplus, torch.from_numpy
    function = getattr(torch, TORCH.get(name, name))
    results: dict[Any, Any] = {}

    def run(*x: Any) -> Any:
        out = results.setdefault(x[0].dtype, torch.empty_like(x[0]))
        return function(*x, out=out)

    return run, torch.from_numpy


def peer(which: str, folder: str) -> None:
    """In the peer's own interpreter: time every function, leave results and times in a folder."""
    times: dict[str, float] = {}
    make = {"jax": jax_function, "torch": torch_function}[which]
    for name in DOMAINS:
        for dtype in DTYPES:
            try:
                function, convert = make(name)
                x = [convert(value) for value in operands(name, dtype)]
                result = np.array(function(*x))
                times[f"{name} {dtype}"] = best(lambda f=function, x=x: f(*x))
            except (AttributeError, StopIteration, RuntimeError) as error:
                print(f"{which}: no {name} of {dtype}: {error}", file=sys.stderr)
                continue
            np.save(Path(folder) / f"{name}-{dtype}.npy", result)
    (Path(folder) / "times.json").write_text(json.dumps(times), encoding="utf-8")


def ours(name: str, dtype: str) -> tuple[float, Any]:
    from gradtape.backends.llvm.loops import function_of

    function, x = function_of(name, dtype), operands(name, dtype)
    out = np.empty_like(x[0])
    pointers = [a.ctypes.data for a in (*x, out)]
    return best(lambda: function.run(*pointers, out.size)), out


def numpy_function(name: str, dtype: str) -> tuple[float, Any]:
    from tests.backends.llvm.truth import DOUBLE

    x = operands(name, dtype)
    return best(lambda: DOUBLE[name](*x)), DOUBLE[name](*x)


def error_of(name: str, dtype: str, result: Any) -> float:
    """Return the largest error in ulp."""
    from tests.backends.llvm.truth import DOUBLE, errors, exactly

    x = operands(name, dtype)
    if dtype == "float32":
        high, low = DOUBLE[name](*(a.astype(np.float64) for a in x)), 0.0
    else:
        x, result = [a[::97] for a in x], result[::97]
        high, low = exactly(name, x)
    scale = np.maximum(*(abs(a) for a in x)) if name == "logaddexp" else None
    return float(np.nanmax(errors(result, high, low, scale)))


def main() -> int:
    if sys.argv[1:2] == ["--peer"]:
        peer(*sys.argv[2:4])
        return 0
    venvs = Path(sys.argv[sys.argv.index("--venvs") + 1]) if "--venvs" in sys.argv else None
    venvs = venvs or ROOT / "bench" / ".venvs"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.environ.update(OMP_NUM_THREADS="1", XLA_FLAGS="--xla_cpu_multi_thread_eigen=false")
    found: dict[str, dict[str, tuple[float, Any]]] = {"gradtape": {}, "NumPy, SciPy": {}}
    for name in DOMAINS:
        for dtype in DTYPES:
            found["gradtape"][f"{name} {dtype}"] = ours(name, dtype)
            found["NumPy, SciPy"][f"{name} {dtype}"] = numpy_function(name, dtype)
    for which in PEERS:
        python = venvs / which / "bin" / "python"
        if not python.exists():
            print(f"{which}: no environment", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as folder:
            command = [str(python), str(Path(__file__)), "--peer", which, folder]
            subprocess.run(command, check=True, cwd=ROOT)
            times = json.loads((Path(folder) / "times.json").read_text(encoding="utf-8"))
            found[which] = {
                key: (seconds, np.load(Path(folder) / f"{key.replace(' ', '-')}.npy"))
                for key, seconds in times.items()
            }
    lines = [
        "# Vector mathematics, ns per element",
        "",
        "Written by `python -m bench.vectormath --write`, whose docstring says what is measured: "
        "one thread, arrays in the second cache; in brackets the largest error in ulp.",
        "",
        "| function | dtype | " + " | ".join(found) + " |",
        "|---|---|" + "---|" * len(found),
    ]
    for name in DOMAINS:
        for dtype, size in DTYPES.items():
            cells = []
            for times in found.values():
                if f"{name} {dtype}" not in times:
                    cells.append("")
                    continue
                seconds, result = times[f"{name} {dtype}"]
                ulp = error_of(name, dtype, result)
                cells.append(f"{seconds / size * 1e9:.2f} ({ulp:.2f})")
            lines.append(f"| {name} | {dtype} | " + " | ".join(cells) + " |")
    text = "\n".join([*lines, ""])
    print(text)
    if "--write" in sys.argv:
        TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
