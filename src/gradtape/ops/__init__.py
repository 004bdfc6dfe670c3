"""The cards, by family (L2). Imports core only; no op file imports another: rules are written in
plain NumPy, which dispatches by itself. Read `elementwise.py` first.
"""
# ruff: noqa: F401
from . import compare, contract, create, einsum, elementwise, index, queries, reduce, select, shape

from . import join

from . import binding  # isort: skip  (binds the operators to the cards above)
