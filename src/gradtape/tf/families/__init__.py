"""The functions of the dialect, a file for each family. Read `elementwise.py` first.

A file registers its functions under TensorFlow's names (`base/making.py` says how) and is listed
in `base/names.py`. Families import from `base`, never from one another.
"""
