"""Choosing elements: gather, slices, masks, where, partitions."""

from tests.tf.scheme import call, program, show

X = "f32([[1.0, -2.0, 3.0], [0.5, 4.0, -1.5]])"  # (2, 3)
V = "f32([1.0, 2.0, 3.0, 4.0])"
SLICES = "tf.IndexedSlices(tf.constant([[1.0, 2.0], [3.0, 4.0]]), tf.constant([2, 0]), tf.constant([3, 2]))"
TWICE = "tf.IndexedSlices(tf.constant([[2.0, 3.0], [4.0, 5.0]]), tf.constant([1, 1]), tf.constant([3, 2]))"
TABLE = "v = tf.Variable([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])"
PARTS = "[type(g).__name__, g.values, g.indices, g.dense_shape, str(g.shape), g.dtype.name]"


def gathered(loss, out=PARTS, **options):
    """The gradient of a loss with respect to a Variable whose rows it gathers."""
    return program("IndexedSlices", TABLE, "with tf.GradientTape() as tape:", f"    loss = {loss}",
                   "g = tape.gradient(loss, v)", f"out = {out}", **options)  # fmt: skip
CUBE = "f64(np.arange(24.0).reshape(2, 3, 4))"
GRID = "f32(np.arange(48.0).reshape(2, 2, 3, 4))"

CASES = [
    # ---------------------------------------------------------------- gather
    *[call("gather", a, x=X, wrt="x") for a in (
        "x, [1, 0, 1]", "x, 1", "x, [[0, 1], [1, 1]]", "x, [2, 0], axis=1", "x, [2, 0], axis=-1",
        "x, i32([0])", "x, i64([1])", "x, [[0, 2], [1, 1]], axis=1, batch_dims=1",
        "x, [0, 1], batch_dims=1",
        "params=x, indices=[0], validate_indices=None, axis=0, batch_dims=0, name='n'",
        "x, [1], axis=i32(1)", "x, np.array([1, 0])",
        "x, [[1], [2]], batch_dims=-1",
        "x, [0, 1], axis=i64(1)", "x, [[0, 1, 2]] * 2, axis=1",
    )],
    *[call("gather", a, x=GRID, wrt="x") for a in (
        "x, [1, 0], axis=2", "x, [[0, 1], [1, 0]], axis=3, batch_dims=1",
        "x, [[2, 1], [0, 1]], axis=2, batch_dims=1",
        "x, [[2, 1], [0, 1]], axis=2, batch_dims=2",
        "x, [[[1], [2]], [[0], [1]]], axis=3, batch_dims=2",
        "x, [[0, 1], [1, 0]], axis=1", "x, 0, axis=2",
    )],
    *[call("gather", a, x=X) for a in (
        "x, [2]", "x, [-1]", "x, [3], axis=1", "x, [0], axis=2", "x, [0], axis=-3", "x, [0.0]",
        "x, 'a'", "x, None",
        "None, [0]", "[10, 20, 30], [2, 0]", "5, 0", "x, [0], axis=0.5", "x, [0], axis='a'",
        "x, [0], batch_dims=2",
        "x, [0], batch_dims=1", "x, [0], batch_dims=0.5",
        "['a', 'b'], [1]",
        "[True, False], [1, 1]", "x, [0], axis=None", "x, [True]", "x, i16([1])", "x, u8([1])",
        "x, [0], 1",
        "tf.zeros([0, 2]), [0]", "x, f32([0.0])", "x, [[0], [1], [0]], batch_dims=1",
    )],
    call("gather", "v, [1, 1, 0]", v="tf.Variable([1.0, 2.0, 3.0])", wrt="v"),
    call("gather", "v, [1, 1, 0], axis=1", v="tf.Variable([[1.0, 2.0, 3.0]])", wrt="v"),
    # ---------------------------------------------------------------- gather_nd
    *[call("gather_nd", a, x=CUBE, wrt="x") for a in (
        "x, [[0, 1], [1, 2]]", "x, [[0], [0]]", "x, [[[0, 1, 2]], [[1, 0, 0]]]",
        "x, [[0], [1]], batch_dims=1", "x, [[[0], [2]], [[1], [1]]], batch_dims=1",
        "params=x, indices=[[0, 0, 0]], batch_dims=0, name='n'", "x, i64([[1, 1]])",
        "x, [[[0], [1], [2]], [[3], [2], [1]]], batch_dims=2", "x, np.array([[0, 0]])",
        "x, [[2, 1], [1, 3]], batch_dims=1",
        "x, [[0, 1], [5, 0]], bad_indices_policy='IGNORE'",
    )],
    *[call("gather_nd", a, x=X) for a in (
        "x, [[2, 0]]", "x, [[0, -1]]", "x, [[0, 0, 0]]", "x, 0", "x, [[0.0, 1.0]]", "x, 'a'",
        "x, None", "None, [[0]]",
        "[1, 2, 3], [[1], [2]]", "x, [[0]], batch_dims=2", "5, [[0]]", "['a', 'b'], [[1]]",
        "x, [[0]], batch_dims=1",
        "x, [[0, 5]], bad_indices_policy='ERROR'", "x, [[0, 5]], bad_indices_policy='WRONG'",
        "x, i16([[0]])", "x, []",
        "x, [[0]], batch_dims=-1",
    )],
    call("gather_nd", "v, [[1], [1]]", v="tf.Variable([1.0, 2.0, 3.0])", wrt="v"),
    call("gather_nd", "x, [1, 2, 3]", x=CUBE),
    call("gather_nd", "x, [1, 2, 3]", x=CUBE, wrt="x",
         ours="TensorFlow cannot take the gradient of one element read so; we can"),
    call("gather", "x, [], axis=0", x=X),
    call("gather", "x, [[0], [1]], axis=0, batch_dims=1", x=X,
         ours="an axis before batch_dims is refused; TensorFlow forgets batch_dims at axis 0"),
    call("gather_nd", "x, [[]]", x=X),
    call("gather_nd", "x, tf.zeros([1, 0], tf.int32)", x=X),
    # ---------------------------------------------------------------- boolean_mask
    call("boolean_mask", "x, [True, False, True], axis=-1", x=X, wrt="x",
         ours="a negative axis counts from the end; TensorFlow refuses it by accident"),
    *[call("boolean_mask", a, x=X, wrt="x") for a in (
        "x, [True, False]", "x, [[True, False, True], [False, True, False]]",
        "x, [True, False, True], axis=1",
        "x, b([False, True])", "x, np.array([True, True])",
        "tensor=x, mask=[True, False], axis=None, name='n'",
        "x, x > 0", "x, [False, False]", "x, [True, False], 0",
    )],
    call("boolean_mask", "x, [[True, False, True], [False, True, True]], axis=0", x=CUBE, wrt="x"),
    call("boolean_mask", "x, [[True, False, True, False]] * 3, axis=1", x=CUBE, wrt="x"),
    *[call("boolean_mask", a, x=X) for a in (
        "x, [True, False, True]", "x, True", "x, [1, 0]", "x, [1.0, 0.0]", "x, None",
        "x, [True, False], axis=2",
        "x, [True, False], axis=1", "None, [True]", "[1, 2, 3], [True, False, True]", "x, 'a'",
        "5, [True]",
        "x, [True, False], axis=-3", "['a', 'b'], [False, True]", "x, [[[True]]]", "x, []",
        "x, [True, False], axis='a'",
    )],
    # ---------------------------------------------------------------- where
    *[call("where", a) for a in (
        "[True, False, True]", "[[True, False], [False, True]]", "True", "[1, 0, 2]",
        "f32([0.0, -1.5])", "c64([0j, 1j])",
        "condition=b([False]), x=None, y=None, name='n'", "tf.zeros([0], tf.bool)", "None", "'a'",
        "b([[[True]]])",
        "np.array([True, False])", "[[True], [False, True]]", "i64([3, 0])", "['a', '']",
    )],
    *[call("where", a, x=V, y="f32([9.0, 8.0, 7.0, 6.0])", wrt="x y") for a in (
        "x > 2, x, y", "[True, False, True, False], x, y", "True, x, y", "x > 2.0, x * 2, -y",
        "[[True], [False]], x, y",
        "condition=x < 3, x=x, y=y, name='n'", "tf.Variable([True, False, True, True]), x, y",
    )],
    call("where", "x > 1, tf.sqrt(x - 1), 0.0", x="f32([0.5, 1.0, 2.0])", wrt="x"),
    call("where", "[True, False], x, y", x="f32(1.0)", y="f64([[2.0], [3.0]])"),
    call("where", "[True, False], x, y", x="f64(1.0)", y="f64([[2.0], [3.0]])", wrt="x y"),
    *[call("where", a, x=V) for a in (
        "x > 2, x, 0", "x > 2, 0.0, x", "x > 2, 1, 2", "x > 2, 1.5, 2", "x > 2, 1, 2.5",
        "x > 2, x, None", "x > 2, None, x",
        "x > 2, x", "x, x, x", "[1, 0, 1, 0], x, x", "[True, False], x, x",
        "x > 2, x, f64([1.0, 2.0, 3.0, 4.0])",
        "x > 2, x, i32([1, 2, 3, 4])", "x > 2, 'a', 'b'", "x > 2, x, 'a'",
        "x > 2, np.float64(1.5), x", "1.0, x, x",
        "x > 2, np.zeros(4), x", "x > 2, x, [0.0, 0.0, 0.0, 0.0]", "x > 2, True, False",
        "x > 2, x, x[:3]", "None, x, x",
        "True, 3, 4", "x > 2, 1j, x", "x > 2, tf.Variable(1.0), x",
        "x > 2, x, tf.Variable(f64(1.0))", "[], [], []",
        "x > 2, np.ones(4, np.int64), np.zeros(4)", "i32([1, 0, 1, 0]), x, x",
        "np.array([1, 0, 0, 1]), x, -x",
    )],
    # ---------------------------------------------------------------- slice, strided_slice
    *[call("slice", a, x=CUBE, wrt="x") for a in (
        "x, [0, 1, 2], [1, 2, 2]", "x, [1, 0, 0], [-1, -1, -1]",
        "x, i32([0, 0, 1]), i32([2, 3, 1])",
        "input_=x, begin=[0, 0, 0], size=[1, 1, 1], name='n'", "x, [0, 0, 0], [0, 1, 1]",
        "x, (0, 1, 0), tf.TensorShape([2, 1, 4])",
        "x, i64([0, 1, 2]), i64([1, 1, 1])",
    )],
    *[call("slice", a, x=X) for a in (
        "x, [0], [1]", "x, [0, 0], [3, 1]", "x, [-1, 0], [1, 1]", "x, [0, 4], [1, 0]",
        "x, [0, 0], [-2, 1]", "x, 0, 1",
        "x, [0.0, 0.0], [1, 1]", "x, 'a', [1, 1]", "x, None, [1, 1]", "None, [0], [1]",
        "[1, 2, 3], [1], [2]", "5, [], []",
        "['a', 'b'], [1], [1]", "x, [0, 0], [1]", "x, i32([0, 0]), i64([1, 1])",
        "x, [[0, 0]], [[1, 1]]", "x, [2, 0], [0, 1]",
        "x, [0, 3], [1, -1]", "x, [i32(0), 1], [1, 1]",
    )],
    *[call("strided_slice", a, x=CUBE, wrt="x") for a in (
        "x, [0, 1, 0], [2, 3, 4]", "x, [0, 0, 0], [2, 3, 4], [1, 2, 3]",
        "x, [1, -1, 3], [0, 0, 0], [-1, -1, -2]",
        "x, [0], [1]", "x, [1], [2], shrink_axis_mask=1",
        "x, [0, 1], [0, 2], begin_mask=1, end_mask=1",
        "x, [0, 1], [0, 3], ellipsis_mask=1", "x, [0, 1], [0, 2], new_axis_mask=1",
        "x, [0, 0, 1], [0, 0, 2], [1, 1, 1], 0, 0, 2",
        "input_=x, begin=[0], end=[1], strides=[1], begin_mask=0, end_mask=0, ellipsis_mask=0, "
        "new_axis_mask=0, "
        "shrink_axis_mask=0, var=None, name='n'", "x, [-1], [5], shrink_axis_mask=1",
        "x, i32([1]), i32([2])", "x, i64([0, -2]), i64([1, -1])",
        "x, [1, 1, 1], [1, 1, 1], shrink_axis_mask=7", "x, [0, 5], [3, 9]",
    )],
    *[call("strided_slice", a, x=X) for a in (
        "x, [0, 0, 0], [1, 1, 1]", "x, [0], [1], [0]", "x, 0, 1", "x, [0], [1, 2]", "x, 'a', [1]",
        "x, [0.0], [1.0]",
        "x, None, [1]", "None, [0], [1]", "[1, 2, 3], [0], [2]", "x, [5], [6], shrink_axis_mask=1",
        "['a', 'b'], [0], [1]",
        "x, [0], [1], shrink_axis_mask='a'", "x, [1], [0], [-1], shrink_axis_mask=1",
        "x, [0, 0], [1, 1], ellipsis_mask=3",
        "x, [0, 0], [2, 2], [1]", "5, [0], [1]",
    )],
    # ---------------------------------------------------------------- partitions
    *[call("dynamic_partition", a, x=X, wrt="x") for a in (
        "x, [1, 0], 2", "x, [[0, 1, 0], [2, 2, 0]], 3", "x, [0, 0], 2",
        "data=x, partitions=[1, 1], num_partitions=3, name='n'",
        "x, i32([1, 0]), 2",
    )],
    *[call("dynamic_partition", a, x=V) for a in (
        "x, [0, 1], 2", "x, [0, 1, 2, 3], 2", "x, [-1, 0, 0, 0], 2", "x, [0, 0, 0, 0], 0",
        "x, [0.0, 0.0, 0.0, 1.0], 2", "x, 0, 1",
        "[1, 2, 3], [0, 1, 0], 2", "x, i64([0, 0, 1, 1]), 2", "x, [0, 0, 1, 1], 2.0",
        "x, [0, 0, 1, 1], 'a'", "None, [0], 1",
        "x, None, 2", "['a', 'b'], [1, 0], 2", "x, [0, 0, 1, 1], None", "5, 0, 1",
        "x, [0, 0, 1, 1], -1",
    )],
    *[call("dynamic_stitch", a, x="f32([10.0, 20.0])", y="f32([30.0, 40.0, 50.0])",
        wrt="x y") for a in (
        "[[0, 2], [1, 3, 4]], [x, y]", "[i32([4, 0]), i32([1, 2, 3])], [x, y]",
        "indices=[[0, 1], [2, 3, 4]], data=[x, y], name='n'",
    )],
    call("dynamic_stitch", "[0, [1, 2]], [x, y]", x="f64([1.0, 2.0])",
        y="f64([[3.0, 4.0], [5.0, 6.0]])", wrt="x y"),
    call("dynamic_stitch", "[[0, 1], [1]], [x, y]", x="f32([10.0, 20.0])", y="f32([30.0])"),
    call("dynamic_stitch", "[[0, 1], [1]], [x, y]", x="f32([10.0, 20.0])", y="f32([30.0])",
        wrt="x y",
         ours="what is overwritten has the gradient 0; TensorFlow gives it that of its successor"),
    *[call("dynamic_stitch", a, x="f32([10.0, 20.0])") for a in (
        "[[0, 1]], [x, x]", "[[0, 1, 2]], [x]", "[[-1, 0]], [x]", "[[0.0, 1.0]], [x]", "[], []",
        "[0], [5]", "[[0], [1]], [[1], [2]]",
        "[[0], [1]], [[1], [2.5]]", "[[0, 1], [2, 3]], [x, i32([1, 2])]", "None, [x]",
        "[[0, 1]], None", "[[1, 0]], [['a', 'b']]",
        "[i64([0, 1])], [x]", "5, [x]",
    )],
    # ---------------------------------------------------------------- reverse_sequence
    *[call("reverse_sequence", a, x=CUBE, wrt="x") for a in (
        "x, [1, 3], seq_axis=1, batch_axis=0", "x, [2, 4], 2, 0",
        "x, [1, 2, 0], seq_axis=2, batch_axis=1", "x, i64([2, 3]), 1",
        "input=x, seq_lengths=[1, 1], seq_axis=1, batch_axis=None, name='n'",
        "x, [2, 1, 2, 0], 0, 2",
    )],
    *[call("reverse_sequence", a, x=X) for a in (
        "x, [1, 2]", "x, [1, 4], 1, 0", "x, [1], 1, 0", "x, [1, 2], 2, 0", "x, [1, 2], 0, 0",
        "x, [-1, 2], 1, 0", "x, [1.0, 2.0], 1, 0",
        "x, 1, 1, 0", "x, 'a', 1, 0", "None, [1], 1, 0", "x, None, 1, 0", "[[1, 2, 3]], [2], 1",
        "x, [1, 2], 1, 5", "x, [1, 2], 'a', 0",
        "[['a', 'b']], [2], 1", "x, [1, 2], -1, 0",
    )],
    # ---------------------------------------------------------------- together
    program("gather", "table = tf.Variable([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])",
        "with tf.GradientTape() as tape:",
            "    loss = tf.reduce_sum(tf.square(tf.gather(table, [2, 0, 2])))",
            "g = tape.gradient(loss, table)",
            "out = tf.convert_to_tensor(g)"),
    # ---------------------------------------------------------------- IndexedSlices
    *map(gathered, (
        "tf.reduce_sum(tf.gather(v, [0, 2, 0]) ** 2)",
        "tf.reduce_sum(tf.nn.embedding_lookup(v, [[1, 1], [0, 2]]) ** 3)",
        "tf.reduce_sum(tf.gather(v, [0, 2, 0]) ** 2) + tf.reduce_sum(tf.gather(v, [[1]]))",
        "[tf.reduce_sum(tf.gather(v, 1)), tf.gather(v, [0]) * 2.0]",
    )),
    *[gathered(loss, "[type(g).__name__, g]") for loss in (
        "tf.reduce_sum(tf.gather(v, [0, 2, 0]) ** 2) + tf.reduce_sum(v)",
        "tf.reduce_sum(tf.gather(v, [1], axis=1))", "tf.reduce_sum(v[0])",
        "[tf.reduce_sum(tf.gather(v, [0])), v]",
    )],
    *[gathered("tf.reduce_sum(tf.gather(v, [0, 2, 0]) ** 2)", out) for out in (
        "tf.convert_to_tensor(g)", "[tf.add(g, 1.0), tf.multiply(g, 2.0), tf.reduce_sum(g)]",
        "[(-g).values, (-g).indices]", "str(g)", "[v.assign_sub(g), v][1]",
        "(lambda c: [type(c[0][0]).__name__, c[0][0].values, c[0][1], c[1]])("
        "tf.clip_by_global_norm([g, tf.constant([1.0, 1.0])], 1.0))",
        "tf.linalg.global_norm([g])", "isinstance(g, tf.IndexedSlices)",
    )],
    *[program("IndexedSlices", TABLE, f"v.scatter_{way}({rows})", "out = v")
      for way in ("sub", "add", "update", "mul", "div", "min", "max") for rows in (SLICES, TWICE)
      if (way, rows) != ("update", TWICE)],
    program("IndexedSlices", TABLE, "v.scatter_sub(tf.constant([1.0]))", "out = v"),
    program("IndexedSlices", TABLE, "with tf.GradientTape() as outer:",
            "    with tf.GradientTape() as tape:",
            "        loss = tf.reduce_sum(tf.gather(v, [0, 2, 0]) ** 3)",
            "    g = tape.gradient(loss, v)",
            "    again = tf.reduce_sum(tf.convert_to_tensor(g) ** 2)",
            "out = tf.convert_to_tensor(outer.gradient(again, v))"),
    program("IndexedSlices", TABLE, "@tf.function", "def step(i):",
            "    with tf.GradientTape() as tape:",
            "        loss = tf.reduce_sum(tf.gather(v, i) ** 2)",
            "    g = tape.gradient(loss, v)", "    v.assign_sub(g)", "    v.scatter_sub(g)",
            "    return g", "g = step(tf.constant([0, 2, 0]))", f"out = [{PARTS}, v]"),
    program("IndexedSlices", TABLE, "with tf.GradientTape() as tape:",
            "    loss = tf.reduce_sum(tf.gather(v, [0, 2, 0]) ** 2)",
            "out = tape.jacobian(loss, v)"),
    show("IndexedSlices", f"tf.convert_to_tensor({SLICES})"),
    show("IndexedSlices", "(lambda s: [str(s.shape), s.dense_shape, s.dtype.name])("
         "tf.IndexedSlices(tf.constant([[1.0, 2.0]]), tf.constant([1])))"),
    show("IndexedSlices", "tf.convert_to_tensor("
         "tf.IndexedSlices(tf.constant([[1.0, 2.0]]), tf.constant([1])))"),
    call("IndexedSlices", "1"),
    show("where gather", "tf.gather(x, tf.where(x > 2)[:, 0])", x=V),
    show("gather_nd where", "tf.gather_nd(x, tf.where(x > 0))", x=X),
]  # fmt: skip
