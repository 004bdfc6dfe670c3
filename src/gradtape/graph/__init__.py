"""Graphs: a function as data, between the user's NumPy code and a compiled program.

Read `ir.py` first: the grammar of the whole language on one page. `trace.py` makes a graph by
running a function on symbols, `evaluate.py` runs one with NumPy and says what every backend has to
give, `check.py` refuses a graph that is wrong, `printing.py` writes one as text.
This room imports `core/` and `ops/`; passes and backends import it.
"""
