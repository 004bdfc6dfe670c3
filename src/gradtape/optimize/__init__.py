"""SciPy's optimizers with exact derivatives: minimize, least squares, curves, roots (L7).

SciPy optimizes, this room differentiates: the user's function is called on Tensors, and what SciPy
asks of it (gradient, Jacobian, products with a Hessian) is read from the record. May import every
room below L7, and SciPy inside functions. Read `functions.py` first, then `derivatives.py`.
"""

from .. import ops as _ops  # fills the dispatch tables
from .curves import curve_fit
from .equations import fixed_point, root
from .minima import minimize
from .residuals import least_squares

_ = _ops
__all__ = ["curve_fit", "fixed_point", "least_squares", "minimize", "root"]
