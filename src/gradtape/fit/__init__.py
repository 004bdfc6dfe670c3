"""The room of `gradtape fit`: models fitted to tables by descent, every derivative from the tape.

May import the rooms below it (`verdict`, `tape`, `core`, `errors`). The libraries it stands on
(pandas, pyarrow, formulaic, matplotlib, tqdm: the extra `fit`; SciPy) are imported only when a
function needs them. Read `run.py` first: it is the order of the work. Then `specify` (what was
asked), `design` (a table as numbers), `objective` (the cost and its derivatives), `descent` (the
loop) and `result` (what is said of its end).
"""
