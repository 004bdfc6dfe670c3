"""A gradient tape for NumPy: record ordinary NumPy code and take exact gradients.

>>> import numpy as np
>>> import gradtape as gt
>>> w = gt.Variable([1.0, 2.0])
>>> with gt.GradientTape() as tape:
...     loss = np.sum(w**2)
>>> tape.gradient(loss, w)
Tensor([2., 4.], shape=(2,), dtype=float64)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0.dev0"

# public name -> module that defines it; loaded when first used
_SURFACE = {
    "GradientTape": "tape.tape",
    "Explanation": "tape.reasons",
    "explain_last_error": "tape.last_error",
    "Tensor": "core.tensor",
    "Variable": "core.variable",
    "clear_cache": "backends.store",
    "configure": "core.settings",
    "custom_gradient": "tape.custom",
    "stop_gradient": "tape.leaving",
    "value": "tape.leaving",
    "ForwardAccumulator": "tape.accumulator",
    **dict.fromkeys(("grad_pass_through", "recompute_grad"), "tape.recompute"),
    "function": "program.function",
    "IndexedSlices": "core.slices",
    "print": "core.console",
    "check_numerics": "tape.numerics",
    **dict.fromkeys(("Recording", "Run", "open_run"), "runs"),
    **dict.fromkeys(
        ("check_gradients", "checkpoint", "custom_jvp", "grad", "hessian", "hessian_diag", "hvp",
         "jacobian", "jvp", "linearize", "value_and_grad", "vjp", "vmap"),
        "transforms",
    ),
    **dict.fromkeys(("cond", "scan"), "graph.control"),
    **dict.fromkeys(("fori_loop", "while_loop"), "graph.loops"),
    **dict.fromkeys(
        ("curve_fit", "fixed_point", "least_squares", "minimize", "root"), "optimize"
    ),
    **dict.fromkeys(
        ("arange", "array", "asarray", "concatenate", "empty", "eye", "full", "linspace", "ones",
         "stack", "zeros"),
        "ops.create",
    ),
}  # fmt: skip
_ROOMS = ("config", "errors", "events", "testing", "numpy", "fit", "verdict", "optimize",
          "random", "tf")  # fmt: skip
__all__ = ["__version__", *sorted({*_SURFACE, "errors", "numpy", "random", "testing"})]

if TYPE_CHECKING:
    from . import config as config
    from . import errors as errors
    from . import testing as testing
    from .core.settings import configure as configure
    from .core.tensor import Tensor as Tensor
    from .core.variable import Variable as Variable
    from .tape.reasons import Explanation as Explanation
    from .tape.tape import GradientTape as GradientTape


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _SURFACE:
        import_module("gradtape.ops")
        import_module("gradtape.core.registry").HOOKS["native_loops"] = _native_loops
        found = getattr(import_module(f"gradtape.{_SURFACE[name]}"), name)
        globals()[name] = found
        return found
    if name == "numpy":
        import_module("gradtape.ops")
        found = globals()[name] = import_module("gradtape.ops.namespace")
        return found
    if name in _ROOMS:
        return import_module(f"gradtape.{name}")
    raise AttributeError(_unknown(name))


def _native_loops() -> Any:
    from importlib import import_module

    return import_module("gradtape.backends.llvm.short").loops()


def _unknown(name: str) -> str:
    fact = f"module 'gradtape' has no attribute {name!r}."
    from difflib import get_close_matches

    near = get_close_matches(name, __all__, 1)
    return f"{fact} Did you mean gt.{near[0]}?" if near else fact


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
