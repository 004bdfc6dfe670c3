"""Reductions of groups of rows."""

from tests.tf.scheme import call

X = "f32([[1.0, 2.0], [3.0, -4.0], [0.5, 3.0], [2.0, 2.0]])"
SORTED = "math.segment_sum math.segment_mean math.segment_prod math.segment_max math.segment_min"
KINDS = ("sum", "mean", "prod", "max", "min", "sqrt_n")
UNSORTED = " ".join(f"math.unsorted_segment_{kind}" for kind in KINDS)

CASES = [
    call(SORTED, "x, [0, 0, 2, 2]", x=X, wrt="x"),
    call(SORTED, "x, segment_ids=tf.constant([0, 1, 1, 1], tf.int64), name='n'", x="f64([1.0, 2.0, 3.0, 4.0])",
         wrt="x"),
    call(SORTED, "x, [0, 0, 1]", x="i32([1, 2, 4])"),
    call(SORTED, "x, [1, 0, 2, 2]", x=X),
    call(SORTED, "x, [0, 0]", x=X),
    call(SORTED, "x, [[0, 0, 1, 1]]", x=X),
    call(SORTED, "x, [-1, 0, 0, 0]", x=X),
    call(SORTED, "x, [0.0, 0.0, 1.0, 1.0]", x=X),
    call("math.segment_max math.segment_min", "x, [0, 0, 1]", x="f32([2.0, 2.0, 1.0])", wrt="x"),
    call("math.segment_max", "x, [0]", x="c64([1j])"),
    call(UNSORTED, "x, [2, 0, 2, 0], 4", x=X, wrt="x"),
    call(UNSORTED, "x, [1, -1, 0, 1], num_segments=2, name='n'", x=X, wrt="x"),
    call(UNSORTED, "x, [[0, 1], [1, 0], [0, 0], [1, 1]], 2", x=X, wrt="x"),
    call("math.unsorted_segment_sum math.unsorted_segment_prod math.unsorted_segment_max "
         "math.unsorted_segment_min math.unsorted_segment_mean", "x, [0, 0, 1], 3", x="i32([1, 2, 4])"),
    call(UNSORTED, "x, [5, 0, 0, 0], 4", x=X),
    call(UNSORTED, "x, [0, 0], 4", x=X),
    call(UNSORTED, "x, [0, 0, 0, 0], -1", x=X),
]
