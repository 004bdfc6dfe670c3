"""Faults that change no value and no derivative, with the reason: reviewed by hand, not counted.

A pattern is matched against the whole text of a fault, "card (rule), kind: function: before ->
after". What differs only at a kink, at a tie or for NaN is no equivalent: it counts as not
noticed, though tests of its own look there.
"""

from __future__ import annotations

import re

REFUSAL = "the call is made for NumPy's refusal of bad arguments; its result is not used"
STAND_IN = "only the shape or the dtype of the stand-in is read"
ORDER = "the order of the products costs time; their value is the same"
CONDITION = "it decides when a call is made that only refuses"
NO_DERIVATIVE = "the operand has no derivative: its rule gives None whatever it is"
ONE_AXIS = "the result has at most one axis, which reads the same backwards"
INFERRED = "reshape takes any negative size for the one that it finds itself"
SQUARE = "the matrix is square: both axes have that length"
ROUNDING = "correlations leave [-1, 1] by rounding only"
SHIFT = "the sum of exponentials does not depend on what is taken off the exponents and put back"

EQUIVALENT: dict[str, str] = {
    # calls for NumPy's own errors, and arrays that stand for others
    r"_at_least.*: np\.broadcast_to\((False|0), .* -> np\.broadcast_to\((True|1), ": STAND_IN,
    r"select\.compress: np\.(zeros\(1\)|compress\()": REFUSAL,
    r"select\.(select|choose): np\.(select|choose|zeros)\(": REFUSAL,
    r"select\.take: np\.(take\(np\.)?zeros\(1\)": REFUSAL,
    r"select\._fancy: (\(1,\)|np\.(take_along_axis|zeros)\()": REFUSAL,
    r"linalg\.products\.outer: (\(1,\)|x\d\.ndim != 1|np\.linalg\.outer\(np\.empty)": REFUSAL,
    r"rearrange\.rot90: np\.rot90\(stand_in\(m\), 1,": REFUSAL,
    r"linalg\.norm\._ones_like: np\.ones_like": STAND_IN,
    r"pointwise\.interp: (np\.zeros\(|(xp|fp)\.ndim != 1)": CONDITION,
    r"join\.split: _bounds\(.*True\) -> ": CONDITION,
    r"(shape\.moveaxis|pointwise\._conditions): .*(True -> .*False|allow_duplicate)": CONDITION,
    r"(_part_shape|_slogdet_shape|sort_complex|cumulative\._shape.*|_spread.*shape|_real"
    r"|_index_shape): np\.zeros\((0|1|\(\)), ": STAND_IN,
    r"cumulative\._shape.*: (x\.shape|.*\bn?ndim\b).* -> .*\bnp\.zeros": STAND_IN,
    r"sort\._plain: np\.zeros\(0, ": "the array is empty",
    r"rearrange\.resize: np\.zeros_like": "the array is empty",
    r"linalg\.products\.matrix_power: np\.(zeros|linalg\.matrix_power)\(":
        "the power 0 reads the shape alone, and a matrix that is not square is refused",
    # orders that do not matter
    r"linalg\.products\.(_cheapest|multi_dot): ": ORDER,
    r"contract\.(_left_in_blocks|_right_in_blocks|_in_blocks): .*\d": ORDER,
    r"contract\.vdot: np\.matmul\(.* -> np\.matmul\(": "the product of two vectors commutes",
    r"quantile\._pick: np\.append\(kth, ": "partition takes its positions in any order",
    r"_exponential_sum: np\.max\(.* -> np\.sum\(": SHIFT,
    r"products\.matrix_power: np\.matmul\(power, a\) -> ": "powers of one matrix commute",
    # numbers
    r"statistics\.(cov|_nan_var): (x|a) - mean -> mean - ": "both factors change their sign",
    r"(counting\.(_batch|histogramdd)|cumulative\._batch.*): -1 -> -2": INFERRED,
    r"\.(_half_lower|_cofactors_value|_singular_back): x\.shape\[-1\] -> ": SQUARE,
    r"linalg\.products\.matrix_power: (-\d -> -\d|a\.shape\[-\d\] -> )": SQUARE,
    r"^(stack|concatenate) \(shape\), .*: arrays\[0\] -> arrays\[1\]":
        "all parts have that length along the other axes",
    r"_tensordot_batch: range\(.*, \d+\) -> range\(": "labels only need to differ",
    r"statistics\.corrcoef: (-1 -> -2|np\.clip\(value\.|clipped - value|c \+ \(clipped)": ROUNDING,
    r"power\._slope_in_exponent: x \+ 0j -> (x - 0j)": "0 - 0 is 0",
    r"interp: np\.where\(below \| above, 1\.0, ": "the divisor is that of a point outside",
    r"complex\._real: np\.real\(ct\)": "the sweep hands a real result a real cotangent",
    r"trim_zeros: slice\(0, 0\) -> slice\(1, 0\)": "both slices are of no elements",
    # whole rules
    r"^(gather_ties|share_ties) \(vjp\), .*: cotangent [12] is": NO_DERIVATIVE,
    r"^where \(vjp\), .*: cotangent 0 is": NO_DERIVATIVE,
    r"^(convolve|correlate|weighted_counts|sum_all) \(shape\), shape: .*reversed": ONE_AXIS,
    r"^power_of_number \(vjp\), missing unbroadcast: ": "its exponent is one number",
}  # fmt: skip


def why_equivalent(text: str) -> str:
    """The reason why the fault with this text is none; "" if it is one."""
    return next((why for pattern, why in EQUIVALENT.items() if re.search(pattern, text)), "")
