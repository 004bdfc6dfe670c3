"""Checks for ops: `op_case(np.sin, domain=(-3, 3))` tests a card by mathematics and by NumPy.

Public, for third-party ops too. A case runs a function on Tensors and checks by itself:

`value`    equals NumPy's, in value, shape and dtype
`vjp`      agrees with central differences
`jvp`      agrees with the vjp by the dot-product test
`second`   the derivative of the vjp agrees with central differences of it, in both modes
`shape`    the shape rule gives the shape and dtype of the result
`batch`    the batching rule, called directly, equals a loop over the batch
`float32`  the same gradient in single precision, in that dtype
`strides`  the same gradient whatever the memory of operands and cotangents looks like
`kinks`    at 0, at 1, at ties and at the ends of the domain, the gradient lies between the slopes
           of the two sides
`variants` for other values, shapes, dtypes and axes, NumPy's value, or a refusal where it refuses

Slots that the engine adds later: `traced`, `compiled`. Every slot is checked unless it is named in
`skip` with a reason.

Read `case.py` first; `run.py` has a call and the rules that it used, `variants.py` the last two
slots. May import every room below level 7.
"""

from .case import SLOTS, OpCase, op_case
from .run import Run

__all__ = ["SLOTS", "OpCase", "Run", "op_case"]
