"""Cards of np.linalg; imports core only. Read `solve.py` first."""

# ruff: noqa: F401
from . import det, norm, products, singular, solve
