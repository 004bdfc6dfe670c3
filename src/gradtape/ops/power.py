"""Cards of `power` and `float_power`, and the operator `**` with its short ways.

Gradients at the degenerate points, which are those of the function itself and never NaN from
0 * inf: d(x**y)/dx at x = 0 is 0 for y = 0 and y > 1, 1 for y = 1, infinite between; d(x**y)/dy is
0 at x = 0, and NaN for a negative base, where x**y is defined at single points only. A negative
base with an exponent that no tape follows is an ordinary case.
"""

from __future__ import annotations

import cmath
import math
import operator
from typing import Any

import numpy as np

from ..core.alerts import beware
from ..core.buffers import SMALLEST
from ..core.cards import elementwise
from ..core.fast import make_binary
from ..core.pythons import is_weak
from ..core.registry import HOOKS, UFUNCS
from ..core.symbol import may_hold
from ..core.tensor import Tensor, View, raw

_WHOLE = (int, np.integer, np.bool_)


def _slope_in_base(raised: Any) -> Any:
    def partial(_out: Any, x: Any, y: Any) -> Any:
        if isinstance(y, float | int | complex | np.generic):
            n: Any = int(y) if isinstance(y, _WHOLE) else y  # an unsigned 0 has no 0 - 1
            if n == 0:
                beware()  # NaN ** 0 is 1
                return np.zeros_like(x)
            return x + x if n == 2 else n * raised(x, n - 1)
        if y.dtype.kind in "biu" or is_weak(y):
            y = y.astype(np.result_type(x, y))
        # 0 * 0**-1 is 0 * inf; away from x = 0 the exponent stays, for the mixed derivative
        flat = np.logical_and(y == 0, np.logical_not(np.abs(x) > 0))  # NaN ** 0 is 1 too
        if may_hold(raw(flat)):
            beware()
        return y * raised(x, np.where(flat, 1, y) - 1)

    return partial


def _slope_in_exponent(out: Any, x: Any, _y: Any) -> Any:
    is_complex = np.iscomplexobj(out) and not np.iscomplexobj(x)
    if isinstance(x, float | int | complex) and not isinstance(x, np.generic):
        if x == 0:
            return np.zeros_like(out)
        if is_complex or isinstance(x, complex):
            return out * cmath.log(x)
        return out * (math.log(x) if x > 0 else math.nan)
    if x.dtype.kind in "biu":
        x = np.asarray(x).astype(out.dtype)
    if is_complex:
        x = x + 0j
    return out * np.log(np.where(x == 0, 1, x))


def _power(x: Any, y: Any) -> Any:
    return x**y


# with a number as exponent the tape need not keep the result
power_of_number = elementwise(np.power, _slope_in_base(_power), None, name="power_of_number")
power = elementwise(np.power, _slope_in_base(_power), _slope_in_exponent)
float_power = elementwise(np.float_power, _slope_in_base(np.float_power), _slope_in_exponent)

# x ** 2, x ** 0.5 and x ** -1 are what NumPy makes of them for arrays, and have shorter rules
_SHORT = {2: UFUNCS[np.square], 0.5: UFUNCS[np.sqrt], -1: UFUNCS[np.reciprocal]}
_square = UFUNCS[np.square]
_raise_to_number = make_binary(power_of_number, operator.pow)
_raise = make_binary(power, operator.pow)


def _operator(x: Any, y: Any, name: Any = None, depth: int = 1) -> Any:
    if type(y) is int and y == 2 and type(x) is Tensor and x.value.dtype.char != "?":
        return _square(x, None, depth + 1)
    if type(y) is int or type(y) is float:
        short = _SHORT.get(y)
        # a large Variable too: np.power(x, 2) is not x ** 2 to the last bit in every NumPy
        if (
            short is not None
            and (type(x) is Tensor or type(x) is View or x.value.nbytes >= SMALLEST)
            and x.value.dtype.kind in "fc"
        ):
            return short(x, None, depth + 1)
        if y == 2 and x.dtype.char == "?" and x.ndim and type(y) is int:
            return _square(x, None, depth + 1)
        return _raise_to_number(x, y, None, depth + 1)
    return _raise(x, y, None, depth + 1)


_operator.takes_depth = True  # type: ignore[attr-defined]
HOOKS["operator_pow"] = _operator
