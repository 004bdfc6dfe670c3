"""The cards, by family (L2).

Imports core only; no op file imports another: rules are written in plain NumPy, which dispatches
by itself. Read `elementwise.py` first.

Half of the files are imported at the first call of a function of theirs: most programs call none,
and each takes its part of the time that `import gradtape` takes. `_WAITING` names what they enter
in the tables; tests/ops/test_later.py holds it to be all.
"""
# ruff: noqa: F401
from ..core.registry import LATER, METHODS
from . import (
    compare,
    complex,
    contract,
    create,
    elementwise,
    in_place,
    index,
    join,
    kinks,
    pointwise,
    power,
    queries,
    rearrange,
    reduce,
    select,
    shape,
    vocabulary,
)

from . import binding  # isort: skip  (binds the operators to the cards above)

# file -> the functions, cards and hooks that it enters
_WAITING = {
    "convolution": ("convolve", "correlate"),
    "counting": (
        "bincount", "histogram", "histogram2d", "histogramdd", "histogram_bin_edges",
        "counts of bincount", "counts of histogram", "counts of histogram2d",
        "counts of histogramdd", "edges of histogram", "weighted_counts",
    ),
    "cumulative": (
        "cumsum", "cumprod", "nancumsum", "nancumprod", "cumulative_sum", "cumulative_prod",
        "diff", "differences", "ediff1d", "gradient", "trapezoid",
    ),
    "einsum": ("einsum", "einsum_path"),
    "gamma_draws": ("gamma_slope",),
    "linalg": (
        "det", "slogdet", "cofactors", "norm", "vector_norm", "matrix_norm", "norm of vectors",
        "matmul", "outer", "cross", "tensordot", "vecdot", "trace", "diagonal",
        "matrix_transpose", "linalg.matmul", "linalg.outer", "linalg.cross", "linalg.tensordot",
        "linalg.vecdot", "linalg.trace", "linalg.diagonal", "linalg.matrix_transpose",
        "multi_dot", "matrix_power", "matrix_rank", "singular factors", "svdvals", "inv", "solve",
        "cholesky",
    ),
    "namespace": ("namespace",),
    "pad": ("pad", "pad_constant"),
    "quantile": (
        "quantile", "percentile", "nanquantile", "nanpercentile", "median", "nanmedian",
        "share_ties", "gather_ties", "order_statistics", "weighted_quantile", "quantile's q",
        "quantile's weights",
    ),
    "ranges": ("linspace", "logspace", "geomspace", "vander", "linspace_card"),
    "sort": (
        "sort", "partition", "sort_complex", "argsort", "argpartition", "searchsorted", "in1d",
        "digitize", "nonzero", "flatnonzero", "argwhere", "lexsort", "unravel_index",
        "ravel_multi_index", "ix_", "isin", "diag_indices_from", "tril_indices_from",
        "triu_indices_from", "unique", "unique_values", "unique_all", "unique_counts",
        "unique_inverse", "union1d", "intersect1d", "setdiff1d", "setxor1d", "append", "delete",
        "insert",
    ),
    "special": ("erf", "erfc", "polygamma", "digamma", "lgamma"),
    "statistics": ("var", "std", "nanvar", "nanstd", "average", "cov", "corrcoef"),
    "ufunc_methods": (
        METHODS, "logaddexp.reduce", "logaddexp2.reduce", "hypot.reduce", "fmax.reduce",
        "fmin.reduce",
    ),
}  # fmt: skip
for _file, _names in _WAITING.items():
    LATER.update(dict.fromkeys(_names, f"ops.{_file}"))
