"""The cards, by family (L2). Imports core only; no op file imports another: rules are written in
plain NumPy, which dispatches by itself. Read `elementwise.py` first.
"""
# ruff: noqa: F401
from . import compare, complex, contract, create, einsum, elementwise, index, kinks, pointwise
from . import power, queries, reduce, select, shape, ufunc_methods

from . import join, namespace, pad, ranges, rearrange
from . import convolution, counting, cumulative, quantile, statistics

from . import in_place, linalg, sort

from . import binding  # isort: skip  (binds the operators to the cards above)
