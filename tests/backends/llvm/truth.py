"""What the functions of mathematics must give: mpmath, and NumPy and SciPy in float64."""

import mpmath as mp
import numpy as np
import scipy.special

TINY_STEP = 2.0**-1074


def _of_reals(function):
    """mpmath's function, or None where the result is not a real number."""

    def real(*operands):
        with mp.workprec(160):
            try:
                result = function(*map(mp.mpf, operands))
            except (ValueError, ZeroDivisionError, OverflowError):
                return None
            return None if isinstance(result, mp.mpc) or not mp.isfinite(result) else result

    return real


def _log_gamma(x):
    return mp.loggamma(x) if x > 0 else mp.log(abs(mp.gamma(x)))


EXACT = {
    name: _of_reals(function)
    for name, function in {
        "exp": mp.exp,
        "exp2": lambda x: mp.mpf(2) ** x,
        "expm1": mp.expm1,
        "log": mp.log,
        "log2": lambda x: mp.log(x) / mp.log(2),
        "log10": lambda x: mp.log(x) / mp.log(10),
        "log1p": mp.log1p,
        "sin": mp.sin,
        "cos": mp.cos,
        "tan": mp.tan,
        "sinh": mp.sinh,
        "cosh": mp.cosh,
        "tanh": mp.tanh,
        "arcsin": mp.asin,
        "arccos": mp.acos,
        "arctan": mp.atan,
        "arctan2": mp.atan2,
        "arcsinh": mp.asinh,
        "arccosh": mp.acosh,
        "arctanh": mp.atanh,
        "hypot": mp.hypot,
        "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)),
        "power": lambda x, y: x**y,
        "erf": mp.erf,
        "erfc": mp.erfc,
        "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
        "softplus": lambda x: mp.log1p(mp.exp(x)),
        "logaddexp": lambda x, y: max(x, y) + mp.log1p(mp.exp(-abs(x - y))),
        "gammaln": _log_gamma,
        "digamma": mp.digamma,
    }.items()
}

# The same in float64, whose error is far below a float32's ulp.
DOUBLE = {
    "erf": scipy.special.erf,
    "erfc": scipy.special.erfc,
    # SciPy's expit is 0 from -709.8 on, where the result is still a number.
    "sigmoid": lambda x: np.exp(-np.logaddexp(0.0, -x)),
    "softplus": lambda x: np.logaddexp(x, 0.0),
    "gammaln": scipy.special.gammaln,
    "digamma": scipy.special.digamma,
    **{
        name: getattr(np, name)
        for name in EXACT
        if hasattr(np, name)
    },
}  # fmt: skip

# Where a function is swept evenly; everywhere else the sweep goes by powers of ten alone.
RANGES = {
    "exp": (-745, 709.7), "exp2": (-1074, 1023.9), "expm1": (-40, 709), "sinh": (-710, 710),
    "cosh": (-710, 710), "tanh": (-22, 22), "arcsin": (-1, 1), "arccos": (-1, 1),
    "arctanh": (-1, 1), "erf": (-6, 6), "erfc": (-6, 27), "sigmoid": (-740, 40),
    "softplus": (-740, 700), "logaddexp": (-700, 700), "gammaln": (1e-3, 40),
    "digamma": (1e-3, 40), "power": (0, 10), "log1p": (-1, 100),
}  # fmt: skip
POSITIVE = {"log", "log2", "log10", "arccosh", "gammaln", "digamma"}


def sweep(name, count, seed=0, operands=1):
    """Operands over the whole range, in the middle, and over all powers of ten."""
    rng = np.random.default_rng(seed)
    low, high = RANGES.get(name, (-1e3, 1e3))
    columns = []
    for _ in range(operands):
        wide = rng.uniform(low, high, count)
        middle = rng.uniform(max(low, -3), min(high, 3), count)
        near = 1 + rng.uniform(-1, 1, count) * 2.0 ** -rng.uniform(0, 50, count)
        powers = 10.0 ** rng.uniform(-320, 308, count) * rng.choice([-1, 1], count)
        medium = 10.0 ** rng.uniform(-8, 8, count) * rng.choice([-1, 1], count)
        parts = [wide, middle, near, powers, medium]
        if operands > 1:
            parts[3] = medium[::-1]
            parts = [rng.permutation(part) for part in parts]
        column = np.concatenate(parts)
        columns.append(np.abs(column) if name in POSITIVE else column)
    return columns


EDGES = np.array(
    [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 7.0, 10.0, np.inf, np.nan, 1e-310, 5e-324, 1e-300,
     2.0**-1022, 2.0**-126, 2.0**-149, 1e-40, 1e-30, 1 - 2.0**-53, 1 + 2.0**-52, 1 - 2.0**-24,
     1 + 2.0**-23, 88.7228, 88.73, 89.416, 89.42, 103.97, 103.98, 104.1, 127.9, 128.0, 149.0,
     150.5, 709.782, 709.79, 710.475, 710.48, 745.13, 745.14, 745.2, 1023.9, 1024.0, 1074.0,
     1075.5, 26.5, 27.3, 9.2, 10.06, 2.0**15, 2.0**24, 2.0**30, 2.0**53, 1e22, 1e16, 1e38,
     3.4028234e38, 1e300, 1.7976931348623157e308, 6381956970095103.0 * 2.0**797]
)  # fmt: skip
EDGES = np.concatenate([EDGES, -EDGES])


def exactly(name, operands):
    """Pairs (high, low) of the exact results of float64 operands; NaN where there is none."""
    high = np.full(len(operands[0]), np.nan)
    low = np.zeros(len(high))
    for i, values in enumerate(zip(*operands, strict=True)):
        result = EXACT[name](*map(float, values)) if np.all(np.isfinite(values)) else None
        if result is not None:
            high[i] = float(result)
            low[i] = float(result - mp.mpf(high[i])) if np.isfinite(high[i]) else 0.0
    return high, low


def errors(got, high, low=0.0, scale=None):
    """The error of each result in ulp, 0 where the exact one is no number."""
    with np.errstate(all="ignore"):
        size = np.abs(high.astype(got.dtype))
        if scale is not None:
            size = np.maximum(size, scale.astype(got.dtype))
        step = np.spacing(size).astype(np.float64)
        error = np.abs((got.astype(np.float64) - high) - low) / step
        # An overflow of the exact result, and of ours at the same place, is no error.
        error = np.where(np.isinf(size) & np.isinf(got), 0.0, error)
        return np.where(np.isnan(high), 0.0, error)


def same(got, want):
    """Whether values agree as special values must: NaN with NaN, zeros and infinities in sign."""
    both = np.isnan(got) & np.isnan(want)
    return both | ((got == want) & (np.signbit(got) == np.signbit(want)))
