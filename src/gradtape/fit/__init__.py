"""The room of `gradtape fit`: formula models on tables, fitted by gradient descent on the tape.

May import the rooms below it (`verdict`, `tape`, `core`, `errors`). The libraries it stands on
(pandas, formulaic, matplotlib, tqdm: the extra `fit`) are imported only when a function needs
them. Read `run.py` first: it is the order of the work. Then `data` (the table), `design` (table
and formula to numbers), `descent` (the loop on the tape), `report`, `plots` and `output`.
"""
