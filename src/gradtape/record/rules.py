"""The derivative rule of each operation in one line, as the tape panel shows it.

Elementwise rules are written as differentials, `d sin(x) = cos(x) dx`, in which `out` is the
result; a test evaluates each and compares it with the card's own jvp. The others say in words
what becomes of a cotangent.
"""

from __future__ import annotations

from typing import Any

__all__ = ["rule_of"]

DIFFERENTIALS = {
    "absolute": "d|x| = sign(x) dx, 0 at x = 0",
    "add": "d(x + y) = dx + dy",
    "arccos": "d arccos(x) = -1 / sqrt(1 - x**2) dx",
    "arccosh": "d arccosh(x) = 1 / sqrt(x**2 - 1) dx",
    "arcsin": "d arcsin(x) = 1 / sqrt(1 - x**2) dx",
    "arcsinh": "d arcsinh(x) = 1 / sqrt(x**2 + 1) dx",
    "arctan": "d arctan(x) = 1 / (1 + x**2) dx",
    "arctan2": "d arctan2(x, y) = y / (x**2 + y**2) dx - x / (x**2 + y**2) dy",
    "arctanh": "d arctanh(x) = 1 / (1 - x**2) dx",
    "cbrt": "d cbrt(x) = 1 / (3 * out**2) dx",
    "copysign": "d copysign(x, y) = sign(x) * sign(y) dx",
    "cos": "d cos(x) = -sin(x) dx",
    "cosh": "d cosh(x) = sinh(x) dx",
    "deg2rad": "d deg2rad(x) = pi / 180 dx",
    "degrees": "d degrees(x) = 180 / pi dx",
    "divide": "d(x / y) = 1 / y dx - x / y**2 dy",
    "erf": "d erf(x) = 2 / sqrt(pi) * exp(-x**2) dx",
    "erfc": "d erfc(x) = -2 / sqrt(pi) * exp(-x**2) dx",
    "exp": "d exp(x) = exp(x) dx",
    "exp2": "d exp2(x) = out * log(2) dx",
    "expm1": "d expm1(x) = exp(x) dx",
    "fabs": "d fabs(x) = sign(x) dx, 0 at x = 0",
    "float_power": "d x**y = y * x**(y - 1) dx + out * log(x) dy",
    "fmod": "d fmod(x, y) = 1 dx - trunc(x / y) dy",
    "hypot": "d hypot(x, y) = x / out dx + y / out dy, 0 at the origin",
    "log": "d log(x) = 1 / x dx",
    "log10": "d log10(x) = 1 / (x * log(10)) dx",
    "log1p": "d log1p(x) = 1 / (1 + x) dx",
    "log2": "d log2(x) = 1 / (x * log(2)) dx",
    "logaddexp": "d logaddexp(x, y) = exp(x - out) dx + exp(y - out) dy",
    "logaddexp2": "d logaddexp2(x, y) = exp2(x - out) dx + exp2(y - out) dy",
    "modf_fraction": "d modf(x)[0] = 1 dx",
    "multiply": "d(x * y) = y dx + x dy",
    "multiply_no_nan": "d multiply_no_nan(x, y) = y dx + x dy",
    "negative": "d(-x) = -1 dx",
    "positive": "d(+x) = 1 dx",
    "power": "d x**y = y * x**(y - 1) dx + out * log(x) dy",
    "power_of_number": "d x**y = y * x**(y - 1) dx",
    "rad2deg": "d rad2deg(x) = 180 / pi dx",
    "radians": "d radians(x) = pi / 180 dx",
    "reciprocal": "d(1 / x) = -1 / x**2 dx",
    "relu": "d relu(x) = (x > 0) dx",
    "relu6": "d relu6(x) = ((x > 0) & (x < 6)) dx",
    "remainder": "d(x % y) = 1 dx - floor(x / y) dy",
    "rsqrt": "d(1 / sqrt(x)) = -out / (2 * x) dx",
    "sigmoid": "d sigmoid(x) = out * (1 - out) dx",
    "sign": "d sign(x) = 0 dx: flat on both sides of the step",
    "sin": "d sin(x) = cos(x) dx",
    "sinh": "d sinh(x) = cosh(x) dx",
    "sqrt": "d sqrt(x) = 1 / (2 * out) dx",
    "square": "d x**2 = 2 * x dx",
    "subtract": "d(x - y) = dx - dy",
    "tan": "d tan(x) = 1 + out**2 dx",
    "tanh": "d tanh(x) = 1 - out**2 dx",
}  # fmt: skip

WORDS = {
    "absolute_complex": "d|z| = Re(conj(z) dz) / |z|, 0 at z = 0",
    "add_at": "x[index] += y: the cotangent goes to x as it is, its entries at index to y",
    "astype": "another dtype: the cotangent is cast back",
    "broadcast_to": "x repeated: its cotangents are summed over the repeats",
    "cholesky": "A = L @ L.T: ct = sym(inv(L).T @ phi(L.T @ ct) @ inv(L)), phi halves the diagonal",
    "clip": "d clip(x, low, high) = dx inside the bounds; outside, of the bound that holds",
    "cofactors": "d det(A) of each minor, by the singular vectors",
    "concatenate": "the cotangent is cut into the pieces that were joined",
    "conjugate": "d conj(z) = conj(dz)",
    "convolve": "the cotangent is correlated with the other operand",
    "copy": "the cotangent goes through",
    "correlate": "the cotangent is convolved with the other operand",
    "cross": "d(x × y) = dx × y + x × dy",
    "cumprod": "each entry gets the later products without it, times their cotangents",
    "cumsum": "each entry gets the sum of the cotangents of its sums: the reversed cumsum",
    "det": "d det(A) = det(A) * trace(inv(A) @ dA)",
    "diagonal": "the cotangent is put on the diagonal, 0 elsewhere",
    "diagonal_embed": "the diagonal of the cotangent",
    "differences": "d(x[i+1] - x[i]): each entry gets the difference of its neighbours' cotangents",
    "digamma": "d digamma(x) = polygamma(1, x) dx",
    "einsum": "the cotangent is contracted with the other operands over their subscripts",
    "fmax": "d fmax(x, y) = dx where x is larger, dy where y is; NaN is passed over",
    "fmax.reduce": "the cotangent goes to the largest entry, in equal shares where several tie",
    "fmin": "d fmin(x, y) = dx where x is smaller, dy where y is; NaN is passed over",
    "fmin.reduce": "the cotangent goes to the smallest entry, in equal shares where several tie",
    "from_parts": "z = x + 1j * y: Re of the cotangent to x, Im to y",
    "gather_ties": "the cotangents of the entries that tie, summed",
    "getitem": "x[index]: the cotangent is added at index, 0 elsewhere",
    "heaviside": "d heaviside(x, h) = 0 dx; dh where x = 0",
    "hypot.reduce": "d hypot = sum of x_i / out * dx_i",
    "i0": "d i0(x) = i1(x) dx",
    "imag": "Im z: the cotangent times 1j",
    "inv": "d inv(A) = -inv(A) @ dA @ inv(A)",
    "item": "one of several results: the cotangent is filed for the operation that made it",
    "ldexp": "d(x * 2**i) = 2**i dx",
    "lgamma": "d lgamma(x) = digamma(x) dx",
    "linspace_card": "the cotangents are weighted by the distance to either end, and summed",
    "logaddexp.reduce": "d logsumexp(x) = sum of exp(x_i - out) * dx_i: a softmax",
    "logaddexp2.reduce": "d log2(sum of 2**x_i) = sum of 2**(x_i - out) * dx_i",
    "matmul": "d(X @ Y) = dX @ Y + X @ dY: cotangents ct @ Y.T and X.T @ ct",
    "max": "the cotangent goes to the largest entry, in equal shares where several tie",
    "maximum": "d max(x, y) = dx where x >= y, dy where y is larger",
    "mean": "d mean(x) = mean(dx): every entry gets the cotangent / n",
    "min": "the cotangent goes to the smallest entry, in equal shares where several tie",
    "minimum": "d min(x, y) = dx where x <= y, dy where y is smaller",
    "nan_to_num": "dx where x is finite, 0 where it was replaced",
    "nanmax": "the cotangent goes to the largest entry; NaN is passed over",
    "nanmin": "the cotangent goes to the smallest entry; NaN is passed over",
    "norm of vectors": "d|x| = sum of sign(x_i) * |x_i / out|**(p - 1) * dx_i, 0 at x = 0",
    "order_statistics": "the cotangents go to the entries of those ranks",
    "overlap_add": "the cotangent is cut into the windows that were added",
    "pad_constant": "the cotangent without the padding",
    "polygamma": "d polygamma(n, x) = polygamma(n + 1, x) dx",
    "prod": "d prod(x) = sum of (the product of the others) * dx_i",
    "real": "Re z: the cotangent, as a real number",
    "repeat_each": "x repeated: its cotangents are summed over the repeats",
    "reshape": "the cotangent in the shape of x",
    "roll": "the cotangent rolled back",
    "scatter_add": "the cotangent at index",
    "setitem": "x[index] = y: the cotangent at index goes to y, the rest to x",
    "share_ties": "the cotangent in equal shares to the entries that tie",
    "sign_complex": "d(z / |z|) = (dz - out * Re(conj(out) dz)) / |z|",
    "sinc": "d sinc(x) = (cos(pi * x) - sinc(x)) / x dx, 0 at x = 0",
    "singular factors": "by the singular vectors u, v: dA = u ds v.T + what turns u and v",
    "sliding_window_view": "the cotangents of the windows, added where they overlap",
    "slogdet": "d log|det(A)| = trace(inv(A) @ dA)",
    "solve": "d(inv(A) @ b) = inv(A) @ (db - dA @ out)",
    "stack": "the cotangent is cut into the pieces that were joined",
    "std": "d std(x) = mean((x_i - mean(x)) * dx_i) / out, 0 where out = 0",
    "sum": "d sum(x) = sum(dx): every entry gets the cotangent",
    "sum_all": "d sum(x) = sum(dx): every entry gets the cotangent",
    "svdvals": "d s_i = u_i.T @ dA @ v_i",
    "tensordot": "the cotangent is contracted with the other operand over its free axes",
    "transpose": "the cotangent with its axes put back",
    "unwrap": "jumps of a period are taken out: the cotangent goes through",
    "var": "d var(x) = 2 * mean((x_i - mean(x)) * dx_i)",
    "weighted_counts": "every entry gets the cotangent of its bin",
    "weighted_quantile": "the cotangents go to the two entries beside the quantile",
    "where": "d where(c, x, y) = dx where c, dy elsewhere; c has no derivative",
}  # fmt: skip

KINDS = {
    "linear": "linear: the cotangent goes through the transpose of the map",
    "custom": "a rule of the user's own, or a compiled function",
    "unsupported": "no rule: a gradient through it raises",
    "plain": "no derivative: computed from raw values",
    "nondifferentiable": "no derivative: it changes in jumps",
}


def rule_of(card: Any) -> str:
    """The rule of a card, or of another operation with `name` and `kind`, in one line.

    >>> from gradtape.core.registry import CARDS
    >>> import numpy as np, gradtape as gt
    >>> _ = gt.Variable  # the cards are made when they are first needed
    >>> rule_of(CARDS["tanh"])
    'd tanh(x) = 1 - out**2 dx'
    """
    name = str(card.name)
    words = DIFFERENTIALS.get(name) or WORDS.get(name)
    return words or KINDS.get(card.kind, "a rule of its own")
