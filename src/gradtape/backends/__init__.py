"""Backends: a graph becomes something that can be called.

`numpy.py` runs a graph node by node, `llvm/` compiles it. A backend imports `graph/` and `passes/`
and nothing above. What each has to give is what `graph/evaluate.py` gives.
"""
