"""Reductions, running sums, counts."""

from tests.tf.scheme import call

M = "f32([[1.0, -2.0, 0.5], [4.0, 0.25, -3.0]])"
P = "f32([[1.0, 2.0, 0.5], [4.0, 0.25, 3.0]])"
D = "f64([[0.5, 1.5], [2.5, -0.75]])"
C = "c64([[1+2j, 0.5j], [2-1j, -1.0]])"


def reduces(names, values=M, *, refused="b([True])", complexes=C, ints=True, **rest):
    """A reduction: all its forms of axis and keepdims, dtypes, empty tensors and mistakes."""
    sources = [
        call(names, "x", x=values, wrt="x", **rest),
        call(names, "x, 0", x=values, wrt="x", **rest),
        call(names, "x, axis=-1, keepdims=True", x=values, wrt="x", **rest),
        call(names, "x, axis=[0, 1]", x=values, wrt="x", **rest),
        call(names, "x, axis=[]", x=values, wrt="x", **rest),
        call(names, "x, axis=tf.constant([1])", x=values, **rest),
        call(names, "x, axis=(1,), name='n'", x=values, **rest),
        call(names, "x, keepdims=True", x=D, wrt="x", **rest),
        call(names, "x, 0", x=D, wrt="x", **rest),
        call(names, "[[1.0, 2.0], [3.0, 5.0]], 1", **rest),
        call(names, "2.5", **rest),
        call(names, "x", x="f32([])", **rest),
        call(names, "x, axis=1", x="f32([[], []])", **rest),
        call(names, "x, axis=2", x=values),
        call(names, "x, axis=-3", x=values),
        call(names, "x, axis=[0, 0]", x=values),
        call(names, "x, axis=1.5", x=values),
        call(names, "x", x=refused),
    ]
    if complexes:
        sources.append(call(names, "x, 1", x=complexes, wrt="x", **rest))
    if ints:
        sources.append(call(names, "x, 1", x="i32([[7, -2, 3], [1, 1, 2]])", **rest))
        sources.append(call(names, "x", x="i64([7, -2])", **rest))
    return [case for line in sources for case in line]


def runs(names, values=M, **rest):
    """A running reduction."""
    lines = [
        call(names, "x", x=values, wrt="x", **rest),
        call(names, "x, axis=1", x=values, wrt="x", **rest),
        call(names, "x, axis=-1, exclusive=True", x=values, wrt="x", **rest),
        call(names, "x, axis=1, reverse=True", x=values, wrt="x", **rest),
        call(names, "x, 0, True, True", x=values, wrt="x", **rest),
        call(names, "x, name='n'", x="f64([0.5, 2.0])", wrt="x", **rest),
        call(names, "[1.0, 2.0]", **rest),
        call(names, "x", x="f32([])", **rest),
        call(names, "x, axis=2", x=values),
        call(names, "x", x="b([True])"),
    ]
    return [case for line in lines for case in line]


CASES = [
    reduces("reduce_sum math.reduce_sum"),
    reduces("reduce_mean math.reduce_mean"),
    reduces("reduce_prod math.reduce_prod"),
    call("reduce_prod", "x, 1", x="f32([[0.0, 2.0, 3.0], [0.0, 0.0, 4.0]])", wrt="x"),
    reduces("reduce_max math.reduce_max", complexes="", refused="c64([1j])"),
    call("reduce_max", "x", x="f32([2.0, 1.0, 2.0])", wrt="x"),
    call("reduce_max reduce_min", "x", x="i32([])"),
    reduces("reduce_min math.reduce_min", complexes="", refused="c64([1j])"),
    call("reduce_min", "x, 0", x="f32([[2.0, 1.0], [2.0, 3.0]])", wrt="x"),
    call("reduce_all math.reduce_all reduce_any math.reduce_any", "x, 1",
         x="b([[True, False], [True, True]])"),
    call("reduce_all math.reduce_all reduce_any math.reduce_any", "x, keepdims=True",
         x="b([True, False])"),
    call("reduce_all math.reduce_all reduce_any math.reduce_any", "x", x="b([])"),
    call("reduce_all math.reduce_all reduce_any math.reduce_any", "x", x="i32([1])"),
    call("reduce_all math.reduce_all reduce_any math.reduce_any", "x, 1", x="b([True])"),
    reduces("reduce_logsumexp math.reduce_logsumexp", complexes="", ints=False, refused="i32([1])"),
    call("reduce_logsumexp", "x", x="f32([1000.0, 1000.0, -5.0])", wrt="x"),
    call("reduce_logsumexp", "x", x="f32([-np.inf, 1.0])"),
    reduces("math.reduce_euclidean_norm", ints=False, complexes=""),
    call("math.reduce_euclidean_norm", "x, 1", x=C),
    call("math.reduce_euclidean_norm", "x, 1", x=C, wrt="x",
         ours="the norm is real: an imaginary part of its cotangent has no say"),
    call("math.reduce_euclidean_norm", "x", x="i32([3, 4])"),
    reduces("math.reduce_variance", refused="i32([1])", ints=False, complexes=""),
    call("math.reduce_variance math.reduce_std", "x", x=C),
    reduces("math.reduce_std", refused="i32([1])", ints=False, complexes=""),
    call("math.count_nonzero", "x", x=M),
    call("math.count_nonzero", "x, 1, keepdims=True, dtype=tf.int32", x=M),
    call("math.count_nonzero", "x", x="tf.constant(['', 'a', 'b'])"),
    call("math.count_nonzero", "x, axis=3", x=M),
    call("math.zero_fraction nn.zero_fraction", "x", x="f32([0.0, 1.0, 0.0])"),
    call("math.zero_fraction nn.zero_fraction", "x", x="i32([0, 1, 2, 3])"),
    runs("cumsum math.cumsum"),
    call("cumsum math.cumprod", "x, exclusive=True", x="i32([3, 4, 5])"),
    runs("math.cumprod"),
    call("math.cumprod", "x", x="f32([2.0, 0.0, 3.0, 4.0])", wrt="x",
         ours="the derivative by a factor that is 0 is not 0"),
    runs("math.cumulative_logsumexp"),
    call("math.is_non_decreasing math.is_strictly_increasing", "x", x="f32([1.0, 2.0, 2.0])"),
    call("math.is_non_decreasing math.is_strictly_increasing", "x", x="i32([[1, 2], [3, 4]])"),
    call("math.is_non_decreasing math.is_strictly_increasing", "x", x="f32([2.0, 1.0])"),
    call("math.is_non_decreasing math.is_strictly_increasing", "x", x="f32([])"),
    call("math.is_non_decreasing math.is_strictly_increasing", "x", x="b([True, False])"),
    call("math.confusion_matrix", "[0, 1, 2, 1], [0, 2, 2, 1]"),
    call("math.confusion_matrix", "x, y, num_classes=4, dtype=tf.int64", x="i64([0, 1])",
         y="i32([3, 1])"),
    call("math.confusion_matrix", "[0, 1], [1, 1], weights=[0.5, 2.0], dtype=tf.float32"),
    call("math.confusion_matrix", "[0, 1], [1, 1], weights=[1, 2]"),
    call("math.confusion_matrix", "[0, 1], [1]"),
    call("math.confusion_matrix", "[0, 1], [1, 5], num_classes=3"),
    call("math.confusion_matrix", "[0, 5], [1, 1], num_classes=3"),
    call("math.confusion_matrix", "[0, -1], [1, 2]"),
    call("math.confusion_matrix", "[0, 1], [1, 2], weights=[1.0]"),
]
