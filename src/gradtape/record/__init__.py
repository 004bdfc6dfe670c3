"""Record: what a training run was, in a folder that survives the process that wrote it.

`writer.py` takes what is handed over on the training thread and writes it on a thread of its own;
`reader.py` reads a run while it is written and afterwards. Between the two lie `run.db` (SQLite,
one writer) and segment files of large arrays. The room may import every room below level 8, NumPy
and the standard library; pandas and pyarrow only where a table is asked for. Read `schema.py`
first: it is the format.
"""
