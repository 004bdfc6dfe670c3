"""Special functions."""

from __future__ import annotations

from typing import Any

from ..base.making import FLOATS, unary

erf: Any = unary("math.erf", None, FLOATS, card="erf")
unary("math.erfc", None, FLOATS, card="erfc")
unary("math.lgamma", None, FLOATS, card="lgamma")
unary("math.digamma", None, FLOATS, card="digamma")
