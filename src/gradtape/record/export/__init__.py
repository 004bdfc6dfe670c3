"""Export: a recorded run in the formats of others, one format a file.

Each module has `write(reader, target) -> list of paths`. They import nothing but the reader; what
a format needs (pyarrow, pandas) is imported when it is written.
"""
