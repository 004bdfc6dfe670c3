"""Transforms of functions: derivatives in both modes, matrices of them, batches.

Each works on trees (dict, list, tuple, dataclass), nests in any order with the others and with
tapes, and returns plain NumPy where it was given plain NumPy and nothing around it records.

`reverse.py`   grad, value_and_grad, vjp: a recorded call, played backwards
`forward.py`   jvp, linearize: dual numbers, and no record
`batching.py`  vmap
`matrices.py`  jacobian, hessian, hvp, hessian_diag
`custom.py`    custom_jvp (checkpoint is the tape's recompute_grad)
`checking.py`  check_gradients

Read `reverse.py` first. May import what lies below level 6: core, ops, tape.
"""

from __future__ import annotations

from ..tape.recompute import recompute_grad as checkpoint
from .batching import vmap
from .checking import check_gradients
from .custom import custom_jvp
from .forward import jvp, linearize
from .matrices import hessian, hessian_diag, hvp, jacobian
from .reverse import grad, value_and_grad, vjp

__all__ = [
    "check_gradients", "checkpoint", "custom_jvp", "grad", "hessian", "hessian_diag", "hvp",
    "jacobian", "jvp", "linearize", "value_and_grad", "vjp", "vmap",
]  # fmt: skip
