"""Faults that change no value and no derivative, with the reason: reviewed by hand, not counted.

A pattern is matched against the whole text of a fault, "card (rule), kind: function: before ->
after". It excuses only what no line notices. What differs only at a kink, at a tie, for NaN, in a
message or in the last digit is no equivalent: it counts as not noticed, though tests of its own
look there.
"""

from __future__ import annotations

import re

REFUSAL = "the call is made for NumPy's refusal of bad arguments; its result is not used"
STAND_IN = "only the shape or the dtype of the stand-in is read"
ORDER = "the order of the products costs time; their value is the same"
WAY = "both ways to the product are there; which one is taken costs time alone"
CONDITION = "it decides when a call is made that only refuses, and would not"
NO_DERIVATIVE = "the operand has no derivative: its rule gives None whatever it is"
ONE_AXIS = "the result has at most one axis, which reads the same backwards"
INFERRED = "reshape takes any negative size for the one that it finds itself"
SQUARE = "the matrix is square: both axes have that length"
UNREAD = "what stands in these places is not read: the other branch fills them"
OTHER_CARD = "the function serves two cards, and this one does not take that branch"
COMMUTES = "convolution does not mind the order of its operands"
TAIL = "the terms of the series so far out are below the last digit"

EQUIVALENT: dict[str, str] = {
    # calls for NumPy's own errors, and arrays that stand for others
    r"_at_least.*: np\.broadcast_to\((False|0), .* -> np\.broadcast_to\((True|1), ": STAND_IN,
    r"(select\.compress|select\.take): np\.\w+\(.*np\.zeros\(1\).* -> .*np\.ones\(1\)": REFUSAL,
    r"select\.(compress|take): np\.zeros\(1\) -> np\.(zeros\(2|ones\(1)\)": REFUSAL,
    r"select\.(select|choose): np\.zeros\((.*)\) -> np\.ones\(\2\)": REFUSAL,
    r"select\._fancy: (np\.zeros\((.*)\) -> np\.ones\(\2\)|\(1,\) -> \(2,\)$)": REFUSAL,
    r"rearrange\.rot90: np\.rot90\(stand_in\(m\), 1,": REFUSAL,
    r"linalg\.norm\._ones_like: (np\.ones_like|min\(n, 1\) -> min\(n, 2\))": STAND_IN,
    r"pointwise\.interp: np\.zeros\((x|xp|fp)\.shape\) -> np\.ones": STAND_IN,
    r"multi_dot: (len\(items\) < 2 -> len\(items\) < 3|\{1, 2\} -> \{2, 2\})": CONDITION,
    r"(_part_shape|_slogdet_shape|sort_complex|cumulative\._shape.*|_spread.*shape|_real"
    r"|_index_shape|_freedom): np\.zeros\((0|1|\(\)), .* -> np\.(zeros|ones)\(": STAND_IN,
    r"reduce\.<lambda>: np\.(ones|zeros)\(1, x\.dtype\) -> np\.(ones|zeros)\([12], x": STAND_IN,
    r"_linspace_shape: np\.result_type\(weak_result_type\(start, stop\), 1\.0\) -> ": STAND_IN,
    r"kinks\.modf: np\.(zeros\(|modf\(np\.zeros).* -> ": STAND_IN,
    r"linalg\.products\.outer: \(1,\) -> \(2,\)": REFUSAL,
    r"sort\._plain: np\.zeros\(0, ": "the array is empty",
    r"rearrange\.resize: np\.zeros_like": "the array is empty",
    r"statistics\.cov: :0 -> :1": "the array is empty",
    r"linalg\.products\.matrix_power: np\.zeros\(.* -> np\.ones\(":
        "the power 0 reads the shape alone, and a matrix that is not square is refused",
    # orders and ways that do not matter
    r"linalg\.products\._cheapest: ": ORDER,
    r"multi_dot: (1 if len\(shapes|len\(shapes\[0\]\) == 1 -> |shapes\[0\]\[0\] -> )": ORDER,
    r"contract\._tensordot_batch: optimize=True -> ": ORDER,
    r"contract\._left: .*(_ROWS|x\.shape\[[01]\]|ct\.shape\[1\] <= 8) -> ": WAY,
    r"contract\._left: (4 <= x\.shape\[1\] <= 512|ct\.shape\[1\] <= 8|2 \* _ROWS) -> ": WAY,
    r"contract\._matmul_vjp: 0 in ct\.strides -> 1 in ": WAY,
    r"contract\._matmul_vjp_stacked: x\.ndim > 2 -> x\.ndim > 3": WAY,
    r"linalg\.products\.matrix_power: np\.matmul\(power, a\) -> ": "powers of one matrix commute",
    r"linalg\.products\.matrix_power: n < 0 -> n < 1": "the power 0 has been dealt with",
    r"contract\.vdot: np\.matmul\(.* -> np\.matmul\(": "the product of two vectors commutes",
    r"quantile\._pick: np\.append\(kth, ": "partition takes its positions in any order",
    r"quantile\._(share|gather): _ties\(x, picked.* -> _ties\(picked":
        "equality does not mind the order",
    r"^convolve .*_bilinear_jvp.*: function\(": COMMUTES,
    r"^convolve .*: _window\(.* -> _window\(": COMMUTES,
    r"^correlate \(shape\).*: _window\(a\.size.* -> _window\(v\.size":
        "the length of a window does not depend on their order",
    r"^convolve \(batch\).*: np\.conjugate\(v\) -> v$": OTHER_CARD,
    r"^correlate \(batch\).*: (::-1 -> ::1|-1 -> -2) \(2\)$": OTHER_CARD,
    r"^share_ties \(shape\).*: picked\.shape\[-1\] -> ": OTHER_CARD,
    r"^gather_ties \(shape\).*: x\.shape\[-1\] -> ": OTHER_CARD,
    r"^share_ties \(shape\), constant: .*: -1 -> -2 \(2\)$": OTHER_CARD,
    r"^gather_ties \(shape\), constant: .*: -1 -> -2 \(4\)$": OTHER_CARD,
    # numbers
    r"^f(min|max)\.reduce .*: weights\(x, _spread\(.* -> weights\(_spread":
        "equality does not mind the order",
    r"^hypot(\.reduce)? .*: np\.where\(out == 0, 1, out\) -> np\.where\(out == 0, 2, ":
        "what is divided there is 0",
    r"elementwise\._reciprocal: np\.divide\(1\.0, y\) -> np\.divide\(2":
        "2 / 0 is as infinite as 1 / 0",
    r"statistics\.(cov|_nan_var): (x|a) - mean -> mean - ": "both factors change their sign",
    r"(counting\.(_batch|histogramdd)|cumulative\._batch.*|contract\.(_matmul_vjp|_left_in_blocks)"
    r"|einsum\._diagonal_mask|pad\._linear_ramp|_linspace_transpose.*|reduce\.<lambda>"
    r"|sort\.insert|rearrange\._roll_batch|join\._concatenate_batch): -1 -> -2": INFERRED,
    r"\.(_half_lower|_cofactors_value|_singular_back): x\.shape\[-1\] -> ": SQUARE,
    r"_half_lower: -1 -> -2$": SQUARE,
    r"sort\.insert: obj\.reshape\(-1\) -> obj\.reshape\(1\)": "it has one element",
    r"_tensordot_batch: range\(.*, \d+\) -> range\(": "labels only need to differ",
    r"einsum\._diagonal_mask: (\(1,\) \* len\(shape\) -> \(1,\)|np\.broadcast_to\(mask)":
        "the mask is broadcast where it is used",
    r"power\._slope_in_exponent: x \+ 0j -> (x - 0j)": "0 - 0 is 0",
    r"interp: np\.where\(below \| above, 1\.0, ": "the divisor is that of a point outside",
    r"complex\._real: np\.real\(ct\)": "the sweep hands a real result a real cotangent",
    r"trim_zeros: slice\(0, 0\) -> slice\(1, 0\)": "both slices are of no elements",
    r"linalg\.norm\._weights: order == 1 -> order == 2": "the general formula gives that case too",
    r"pointwise\._bessel_derivative: bessel\(order - 1\) -> bessel\(1 - order":
        "I_-n is I_n for whole n",
    r"pointwise\._sinc: (first \+ 24|range\(first \+ 24)": TAIL,
    r"pointwise\._sinc: 0 \* w -> 0": "0 is broadcast in the first step",
    r"pointwise\._sinc: np\.where\(near, (1, z|z, 0)\) -> np\.where\(near, (2, z|z, 1)": UNREAD,
    r"quantile\._median: (n|np\.size\(a\)) == 0 -> ": "the median of one element is its mean",
    r"ranges\.geomspace: num > 0 -> num > 1": "of one number the formula gives the start itself",
    r"statistics\._nan_var: where is not True -> ": "a mask that leaves nothing out",
    r"statistics\._nan_var: np\.where\(free > 0, free, 1\) -> .*, 2\)": UNREAD,
    r"statistics\.cov: _observations\(data\[1\], True, dtype, False\) -> ":
        "the second part is turned only if both flags say so",
    r"ufunc_methods\._exponential_sum: np\.where\(np\.isfinite\(high\), high, 0\) -> "
    r"np\.where\(np\.isfinite\(high\), high, 1": "an infinite sum is not moved by a shift",
    r"ufunc_methods\._shares: np\.where\(np\.isfinite\(out\), out, 0\) -> "
    r"np\.where\(np\.isfinite\(out\), out, 1": UNREAD,
    # whole rules
    r"^(gather_ties|share_ties) \(vjp\), .*: cotangent [12] is": NO_DERIVATIVE,
    r"^where \(vjp\), .*: cotangent 0 is": NO_DERIVATIVE,
    r"^(convolve|correlate|weighted_counts|sum_all) \(shape\), shape: .*reversed": ONE_AXIS,
    r"^power_of_number \(vjp\), missing unbroadcast: of operand 0": "its exponent is one number",
}  # fmt: skip


def why_equivalent(text: str) -> str:
    """The reason why the fault with this text is none; "" if it is one."""
    return next((why for pattern, why in EQUIVALENT.items() if re.search(pattern, text)), "")
