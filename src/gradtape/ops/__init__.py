"""The cards, by family (L2).

Imports core only; no op file imports another: rules are written in plain NumPy, which dispatches
by itself. Read `elementwise.py` first.
"""
# ruff: noqa: F401
from . import (
    compare,
    complex,
    contract,
    convolution,
    counting,
    create,
    cumulative,
    einsum,
    elementwise,
    gamma_draws,
    in_place,
    index,
    join,
    kinks,
    linalg,
    namespace,
    pad,
    pointwise,
    power,
    quantile,
    queries,
    ranges,
    rearrange,
    reduce,
    select,
    shape,
    sort,
    special,
    statistics,
    ufunc_methods,
    vocabulary,
)

from . import binding  # isort: skip  (binds the operators to the cards above)
