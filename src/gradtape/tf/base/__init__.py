"""What every family of the dialect stands on: dtypes, shapes, Tensor, Variable, promotion, tapes.

Read `promotion.py` first, then `making.py`. Imports the core, the operations and the tape.
"""
