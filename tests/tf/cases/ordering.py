"""Order, sets, counts and positions: argmax, sort, unique, searchsorted, bincount, top_k."""

from tests.tf.scheme import call, program, show

X = "f32([[1.0, -2.0, 3.0], [0.5, 4.0, -1.5]])"  # (2, 3)
V = "f32([3.0, 1.0, 2.0, 1.0, 3.0])"
CUBE = "f64(np.cos(np.arange(24.0)).reshape(2, 3, 4))"

CASES = [
    # ---------------------------------------------------------------- argmax, argmin
    *[call("argmax math.argmax argmin math.argmin", a, x=X) for a in (
        "x", "x, 1", "x, axis=-1", "x, 0, tf.int32",
        "input=x, axis=0, output_type=tf.int64, name='n'", "[3, 1, 2]",
        "[1.0, np.nan, 2.0]", "[np.nan, 1.0]", "[np.nan, np.nan]", "[2, 2, 1]", "x, i32(1)", "x, 2",
        "x, -3", "x, 0.5", "5", "None",
        "[]", "tf.zeros([0, 2])", "tf.zeros([0, 2]), 1", "[True, False]",
        "x, output_type=tf.float32", "c64([1j, 2])", "'a'",
        "x, output_type='int32'", "[[-np.inf, -np.inf]], 1", "x, None", "x, 0, tf.int16",
        "[False, False]", "u8([1, 200, 3])",
    )],
    call("argmax", "x", x=X, wrt="x"),
    call("argmax", "x, [0]", x=X),
    call("argmax", "x, 0, tf.uint16", x=X),
    # ---------------------------------------------------------------- sort, argsort
    *[call("argsort", a, v=V, x=X) for a in (
        "v", "x", "x, 0", "x, axis=-1", "v, direction='DESCENDING'", "x, 0, 'DESCENDING'",
        "v, stable=True",
        "values=v, axis=-1, direction='ASCENDING', stable=False, name='n'", "[3, 1, 2]",
        "v, direction='up'", "v, 1", "5", "[]", "x, None",
        "v, direction=None", "None", "'a'", "['b', 'a']", "[True, False]",
        "i64([2, 1]), direction='DESCENDING'", "v, 'ASCENDING'",
        "[2, -2147483648, 5]", "u8([1, 200, 0])", "x, i32(0)", "x, -3", "v, direction='descending'",
    )],
    *[call("sort", a, x=CUBE, wrt="x") for a in (
        "x", "x, 0", "x, axis=1", "x, direction='DESCENDING'", "x, 0, 'DESCENDING'",
        "values=x, axis=-1, direction='ASCENDING', name='n'",
    )],
    call("argsort sort", "x, 0.5", x=X,
        ours="an axis of 0.5 is a mistake; TensorFlow takes it as 0"),
    call("sort", "v", v=V, wrt="v"),
    call("sort", "v, direction='DESCENDING'", v=V, wrt="v"),
    *[call("sort", a, v=V, x=X) for a in (
        "[3, 1, 2]", "v, direction='up'", "v, 1", "5", "[]", "x, None", "None", "'a'",
        "['b', 'a']", "[True, False]",
        "i64([2, 1]), direction='DESCENDING'", "u8([3, 200, 0])", "[-5, 2, 7]",
        "tf.Variable([2.0, 1.0])", "[2, -2147483648, 5]", "x, -3",
    )],
    # ---------------------------------------------------------------- unique
    *[call("unique unique_with_counts", a, v=V) for a in (
        "v", "[1, 1, 2, 4, 4, 4, 7, 8, 8]", "[3, 1, 3, 2]", "['b', 'a', 'b']", "v, tf.int64",
        "x=[2, 2], out_idx=tf.int32, name='n'",
        "[[1, 2]]", "5", "[]", "None", "v, tf.float32", "[True, False, True]", "i64([1, 1])",
        "v, 'int64'", "c64([1j, 1j])",
    )],
    *[call(name, "v", v=V, wrt="v",
        ours="of equal elements the first has the gradient; TensorFlow has none for Unique")
      for name in ("unique", "unique_with_counts")],
    # ---------------------------------------------------------------- searchsorted
    *[call("searchsorted", a) for a in (
        "[1, 3, 5, 7], [0, 3, 8]", "[1, 3, 5, 7], [0, 3, 8], 'right'", "[1.0, 2.0], [1.5]",
        "[1, 3], 2", "[[1, 3], [2, 4]], [[2], [2]]",
        "[[1, 3], [2, 4]], [[3, 0], [2, 5]], side='right'", "[1, 3], [2], out_type=tf.int64",
        "sorted_sequence=[1], values=[1], side='left', out_type=tf.int32, name='n'",
        "[1, 3], [2], 'middle'", "[1, 3], [2.5]", "[1.0, 3.0], [2]",
        "f32([1.0]), f64([1.0])", "[[1, 3], [2, 4]], [2]", "[1, 3], [[2]]", "None, [1]",
        "[1], None", "[], [1.0]", "[1, 3], []",
        "5, [1]", "[1, 3], [2], out_type=tf.float32", "i64([1, 3]), i64([2])", "['a'], ['b']",
        "[[[1, 3]], [[2, 4]]], [[[2]], [[5]]]",
        "[1, 3, 3, 3, 5], [3, 3]", "[1, 2], [[1], [2]]", "np.array([1, 3]), [2]",
    )],
    call("searchsorted", "v, w", v="f32([1.0, 2.0])", w="f32([1.5])", wrt="v w"),
    # ---------------------------------------------------------------- histogram_fixed_width
    *[call("histogram_fixed_width histogram_fixed_width_bins", a) for a in (
        "[-1.0, 0.0, 1.5, 2.0, 5.0, 15.0], [0.0, 5.0], nbins=5",
        "[-1.0, 0.0, 1.5, 2.0, 5.0, 15.0], [0.0, 5.0], 5, tf.int64",
        "[1, 2, 3], [0, 5], 2", "[[1.0, 2.0], [3.0, 4.0]], [0.0, 5.0], 3",
        "[0.5], [0.0, 1.0], i32(4)",
        "values=[0.5], value_range=[0.0, 1.0], nbins=2, dtype=tf.int32, name='n'",
        "[0.5], [1.0, 0.0], 2", "[0.5], [1.0, 1.0], 2",
        "[0.5], [0.0, 1.0], 0", "[0.5], [0.0, 1.0], -1", "[0.5], [0.0], 2",
        "[0.5], [0.0, 1.0, 2.0], 2", "[0.5], [0.0, 1.0], 2.5",
        "None, [0.0, 1.0], 2", "f32([0.5]), f64([0.0, 1.0]), 2", "[0.5], None",
        "f64([0.5]), [0.0, 1.0], 2", "[], [0.0, 1.0], 2",
        "[0.5], [0.0, 1.0], 2, tf.float32", "0.5, [0.0, 1.0], 2",
    )],
    show("histogram_fixed_width", "tf.histogram_fixed_width([0.25, 0.75], [0.0, 1.0]).shape"),
    # ---------------------------------------------------------------- top_k, in_top_k
    *[call("math.top_k nn.top_k", a, x=CUBE, wrt="x") for a in (
        "x", "x, 2", "x, k=3, sorted=True",
        "input=x, k=2, sorted=True, index_type=tf.int32, name='n'", "x, 4", "x, i32(2)",
    )],
    call("math.top_k", "v, 3", v=V, wrt="v"),
    *[call("math.top_k nn.top_k", a, v=V) for a in (
        "v, 6", "v, 0", "v, -1", "v, 2.0", "v, 'a'", "v, None", "5, 1", "[3, 1, 2], 2", "None, 1",
        "[[1, 2], [4, 3]], 1", "v, [2]",
        "v, 2, index_type=tf.int64", "v, 2, index_type=tf.int16", "v, 2, index_type=tf.float32",
        "['a', 'b'], 1", "[True, False], 1",
        "c64([1j]), 1", "u8([3, 200]), 2", "[], 0", "v, i64(2)",
    )],
    show("math.top_k", "tf.math.top_k(v, 2).values", v=V),
    show("math.top_k", "tf.math.top_k(v, 2).indices", v=V),
    show("unique", "tf.unique([5, 5, 1]).idx"),
    show("unique_with_counts", "tf.unique_with_counts([5, 5, 1]).count"),
    *[call("math.in_top_k nn.in_top_k", a, p="f32([[0.1, 0.7, 0.2], [0.3, 0.3, 0.4]])") for a in (
        "[1, 0], p, 1", "[0, 0], p, 2", "[2, 1], p, 3",
        "targets=i64([1, 1]), predictions=p, k=1, name='n'", "[1, 5], p, 1", "[-1, 0], p, 1",
        "[1], p, 1", "[1, 0], f64([[1.0, 2.0], [2.0, 1.0]]), 1", "[1, 0], p, 0", "[1, 0], p, -1",
        "[1.0, 0.0], p, 1", "1, p, 1", "[1, 0], [1.0, 2.0], 1",
        "[0, 1], [[np.nan, 1.0], [np.inf, 1.0]], 1", "[0, 0], [[np.inf, 1.0], [1.0, np.inf]], 2",
        "None, p, 1", "[1, 0], None, 1", "[1, 0], p, 2.0",
        "[1, 0], p, 'a'", "[1, 0], p, i64(1)", "[0], [[1.0, np.nan]], 1",
    )],
    # ---------------------------------------------------------------- bincount
    *[call("math.bincount", a) for a in (
        "[1, 1, 2, 3, 2, 4, 4, 5]", "[1, 1, 2], minlength=5", "[1, 1, 5], maxlength=3",
        "[1, 1, 2], weights=[0.5, 1.0, 2.0]", "[1, 1, 2], [2, 3, 4]",
        "[1, 1, 2], dtype=tf.int64", "[1, 1, 2], dtype=tf.float32", "[[1, 1], [2, 0]]",
        "[[1, 1], [2, 0]], axis=-1", "[[1, 1], [2, 0]], axis=0",
        "[[1, 1], [2, 0]], axis=-1, binary_output=True", "[1, 1, 3], binary_output=True",
        "[[1, 1], [2, 0]], axis=-1, weights=[[1.0, 2.0], [3.0, 4.0]]",
        "arr=[1], weights=None, minlength=None, maxlength=None, dtype=tf.int32, name='n', axis=None, "
        "binary_output=False", "[]", "[-1, 1]", "[1.5]", "5", "None",
        "[1, 1], weights=[1.0]", "[[1, 1], [2, 0]], axis=1", "[1, 2], minlength=-1",
        "[1, 2], maxlength=0", "[1, 2], axis=0", "[1, 2], axis=-1",
        "[1, 1, 2], minlength=2, maxlength=10", "i64([1, 2, 2])", "[1, 1], weights=f64([1.0, 2.0])",
        "[1, 1], weights=i64([1, 2])", "u8([1, 2])",
        "[1, 1], weights=[1.0, 2.0], binary_output=True", "[[1, 1], [2, 0]], minlength=4, axis=-1",
        "[[1, 1], [5, 0]], maxlength=3, axis=-1",
        "[[1, 1], [2, 0]], axis=-1, dtype=tf.float32",
    )],
    call("math.bincount", "[1, 1, 2], w", w="f32([0.5, 1.0, 2.0])", wrt="w",
         ours="a sum of weights has a gradient; TensorFlow has registered none"),
    # ---------------------------------------------------------------- positions
    *[call("math.invert_permutation", a) for a in (
        "[3, 4, 0, 2, 1]", "i64([1, 0])", "x=[0], name='n'", "[0, 0]", "[0, 2]", "[-1, 0]", "[]",
        "[1.0, 0.0]", "None", "[[0]]", "0", "i32([])",
    )],
    *[call("unravel_index", a) for a in (
        "[22, 41, 37], [7, 6]", "5, [2, 3]", "[5], i32([2, 3])",
        "indices=i64([1]), dims=i64([4]), name='n'", "[6], [2, 3]", "[1.0], [2, 3]",
        "[1], 3", "[[1]], [2, 3]", "None, [2]", "[1], None", "[], [2, 3]", "[1], [0]",
        "[0], [2, -3]",
    )],
    call("unravel_index", "[-1], [2, 3]", ours="refused; TensorFlow gives a place outside"),
    # ---------------------------------------------------------------- together
    program("sort", "x = tf.Variable([3.0, 1.0, 2.0])", "with tf.GradientTape() as tape:",
            "    y = tf.reduce_sum(tf.sort(x) * [1.0, 10.0, 100.0])", "out = tape.gradient(y, x)"),
]  # fmt: skip
