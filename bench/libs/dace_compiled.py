"""DaCe's reverse mode (dace.autodiff, in the releases before 2.0): kernels of the published sets.

DaCe compiles the text of a function, so a kernel's own text is taken: `xp` is NumPy, and what it
returns becomes the sum that is differentiated. A kernel that DaCe cannot parse or differentiate has
the reason in its row.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dace
import numpy as np
from dace.autodiff import add_backward_pass
from dace.transformation.auto.auto_optimize import auto_optimize

from bench.cases import Arrays
from bench.npbench.text import program_text

Run = Callable[[], dict[str, Any]]

VERSION = dace.__version__


def setup(threads: int) -> None:
    """OpenMP's threads, and where programs are built, are the environment's."""
    warnings.simplefilter("ignore")


def to_numpy(x: Any) -> Any:
    return np.array(x)


def kernel(data: Arrays) -> Run:
    from bench.npbench import kernels

    name = str(data["kernel"])
    arrays = {key: x for key, x in data.items() if key != "kernel"}
    one, names = kernels.KERNELS[name], kernels.variables(name, arrays)
    path = Path(tempfile.mkdtemp()) / f"{name}.py"  # DaCe reads the text from a file
    path.write_text(program_text(one.function, arrays, is_objective=one.is_objective))
    room = {**one.function.__globals__, "np": np, "dace": dace}
    exec(compile(path.read_text(), str(path), "exec"), room)
    sdfg = room[name].to_sdfg(simplify=True)
    add_backward_pass(sdfg=sdfg, inputs=names, outputs=["S"])
    auto_optimize(sdfg, dace.DeviceType.CPU)
    compiled = sdfg.compile()
    gradients = {f"gradient_{key}": np.zeros(arrays[key].shape) for key in names}
    value, seed = np.zeros(1), np.ones(1)

    def run() -> dict[str, Any]:
        for array in gradients.values():
            array[...] = 0.0  # what is there is added to
        seed[0] = 1.0
        compiled(**arrays, S=value, gradient_S=seed, **gradients)
        found = {key: gradients[f"gradient_{key}"] for key in names}
        return {"value": value[0], **found}

    return run
