"""Tensors of zeros, ranges and the like, and what is asked of a shape."""

from tests.tf.scheme import call, program, show

X = "f32([[1.0, -2.0, 3.0], [0.5, 4.0, -1.5]])"


def filled(name):
    """zeros and ones: every way to give a shape, dtypes, mistakes."""
    shapes = ("[2, 3]", "(2,)", "3", "[]", "[0, 2]", "tf.TensorShape([2, 1])", "i32([2, 2])",
              "i64([3])", "np.array([2, 1])", "np.int64(2)", "i32(2)", "[i32(2), 3]",
              "tf.Variable([2, 1])", "range(1, 3)")  # fmt: skip
    dtypes = ("tf.int32", "tf.float64", "tf.bool", "'float16'", "np.float64", "tf.string",
              "tf.complex64", "float", "int", "tf.uint8")  # fmt: skip
    return [
        *[call(name, shape) for shape in shapes],
        *[call(name, f"[2], {dtype}") for dtype in dtypes],
        call(name, "shape=[2], dtype=tf.int64, name='n', layout=None"),
        *[call(name, bad) for bad in ("[-1]", "2.0", "[2.5]", "'a'", "None", "[None]", "[2, 'a']",
                                      "[[1, 2]]", "f32([2.0])", "[2], 'floaty'")],
    ]  # fmt: skip


def like(name):
    """zeros_like and ones_like."""
    return [
        *[call(name, "x", x=x, wrt=wrt) for x, wrt in (
            (X, "x"), ("i32([1, 2])", ""), ("b([True])", ""), ("c64([1+2j])", "x"),
            ("tf.Variable([1.0, 2.0])", ""), ("tf.constant(['a', 'b'])", ""), ("f64(2.0)", "x"),
        )],
        *[call(name, x) for x in ("[1, 2]", "[1.5]", "3", "np.ones((2, 1))", "None",
            "[[1], [2, 3]]",
                                  "tf.TensorShape([2, 3])")],
        call(name, "x, tf.int32", x=X),
        call(name, "x, dtype='float64'", x=X, wrt="x"),
        call(name, "input=x, dtype=None, name='n', layout=None", x=X),
        call(name, "x, 'floaty'", x=X),
    ]  # fmt: skip


CASES = [
    *filled("zeros"), *filled("ones"), *like("zeros_like"), *like("ones_like"),
    # ---------------------------------------------------------------- fill
    *[call("fill", a) for a in (
        "[2, 3], 9", "[2], 1.5", "[], True", "i32([2]), f64(1.0)", "(2,), 'a'", "[0], 2",
        "tf.TensorShape([2]), 1", "i64([2]), np.float64(3.0)", "dims=[2], value=1j, name='n'",
        "3, 1.0", "[2], [1.0]", "[2], [[1.0, 2.0]]", "[-1], 1.0", "[2.0], 1.0", "[2], None",
        "'a', 1.0", "[[2]], 1.0", "None, 1.0", "[2, None], 1.0",
    )],
    call("fill", "[2, 3], x", x="f32(2.0)", wrt="x"),
    call("fill", "[2], v", v="tf.Variable(2.0)", wrt="v"),
    # ---------------------------------------------------------------- eye
    *[call("eye linalg.eye", a) for a in (
        "3", "2, 3", "3, 2", "2, batch_shape=[2]", "2, 3, [1, 2]", "2, dtype=tf.int32",
        "2, dtype=tf.bool", "2, dtype=tf.complex64", "i32(2)", "0", "num_rows=2, num_columns=None,"
        " batch_shape=None, dtype=tf.float64, name='n'", "-1", "2.5", "'a'", "None", "[2]",
        "2, -1", "2, batch_shape=i32([2])", "2, batch_shape=[]", "np.int64(2)",
        "2, batch_shape=3", "2, dtype=tf.string",
    )],
    # ---------------------------------------------------------------- range
    *[call("range", a) for a in (
        "5", "2, 7", "2, 10, 3", "10, 0, -3", "0.0, 1.0, 0.25", "5, dtype=tf.float64", "0",
        "5.0", "i64(4)", "i32(1), 4", "1, i64(4)", "0, 1, 0.25", "f64(0.0), 1.0, 0.3",
        "start=1, limit=4, delta=1, dtype=None, name='r'", "np.int64(3)", "3, delta=2",
        "tf.Variable(3)", "2, 2", "0, 5, -1", "5, 0", "0, 5, 0", "None", "[1, 2]",
        "0, 1, dtype=tf.bool", "0, 3, dtype='float16'", "f32(1.0), i32(3)", "np.float64(2.5)",
        "f64(2.0), f32(3.0)", "0.1, 1.0, 0.1", "3, dtype=tf.string", "0, [1, 2]",
        "2.5, dtype=tf.int32", "f32(2.5), dtype=tf.int32", "-3", "1, 1000000, 250000",
        "3, dtype=tf.int16", "3, dtype=tf.uint8",
    )],
    *[call("range", a, ours="TensorFlow fails in an assert of its own; we say what is wrong")
      for a in ("'a'", "1j", "True", "i8([1])[0], i8([4])[0]")],
    call("range", "x, 3.0", x="f32(0.5)", wrt="x"),
    # ---------------------------------------------------------------- linspace
    *[call("linspace", a) for a in (
        "0.0, 1.0, 5", "0.0, 1.0, 1", "10, 20, 3", "1.0, 1.0, 3", "0.0, 1.0, 2",
        "f64(0.0), f64(1.0), 4", "f32([0.0, 1.0]), f32([1.0, 3.0]), 3",
        "f32([0.0, 1.0]), f32([1.0, 3.0]), 3, axis=-1",
        "f32([0.0, 1.0]), f32([1.0, 3.0]), 3, axis=1",
        "start=0.0, stop=1.0, num=3, name='l', axis=0", "0.0, 1.0, 0", "0.0, 1.0, -1",
        "0.0, 1.0, 2.5", "0.0, 1.0, '3'", "0, 10, 5", "i32(0), i32(10), 4", "0.0, f64(1.0), 3",
        "f32(0.0), f64(1.0), 3", "f32([0.0]), f32([1.0, 2.0]), 2", "0.0, 1.0, i64(3)",
        "0.0, 1.0, [3]", "-1.0, 1.0, 201", "'a', 1.0, 2", "0.0, None, 2", "0.0, 1.0, 3, axis=2",
        "np.float64(0.0), np.float64(2.0), 3", "True, 1.0, 3", "5.0, 1.0, 3", "0, 1.5, 3",
    )],
    call("linspace", "x, y, 4", x="f32(0.5)", y="f32(2.0)", wrt="x y"),
    call("linspace", "x, y, 3", x="f64([0.5, 1.0])", y="f64([[2.0], [3.0]])", wrt="x y"),
    call("linspace", "x, y, 1", x="f32(0.5)", y="f32(2.0)", wrt="x y"),
    # ---------------------------------------------------------------- one_hot
    *[call("one_hot", a) for a in (
        "[0, 2, -1, 1], 3", "[0, 1], 3, 5.0, 2.0", "[0, 1], 3, on_value=5", "[0, 1], 3, 5, 0",
        "[0, 1], 3, off_value=-1.0", "[[0, 1], [2, 1]], 3", "[[0, 1], [2, 1]], 3, axis=0",
        "[[0, 1], [2, 1]], 3, axis=1", "[0, 1], 3, axis=-1", "[0, 1], 3, dtype=tf.int32",
        "[0, 1], 2, dtype=tf.bool", "[0, 1], 3, True, False",
        "[0, 1], 3, True, False, dtype=tf.bool",
        "0, 3", "i64([1, 5]), 3", "i32([1]), i32(3)", "u8([1, 2]), 3", "[], 3",
        "indices=[1], depth=2, on_value=1.0, off_value=0.0, axis=None, dtype=tf.float32, name='n'",
        "[0.5], 3", "[0], 3.0", "[0], -1", "[0], 0", "[0], [3]", "[0], 3, axis=2",
        "[0], 3, axis=-2",
        "[0], 3, 1.0, 0", "[0], 3, 1, 0.0", "[0], 3, f64(2.0), f64(1.0)", "[0], 3, f64(2.0)",
        "[0], 3, 1.0, 0.0, dtype=tf.int32", "'a', 3", "None, 3", "[0], None", "i16([1]), 3",
        "[0], 3, 'on', 'off'", "[0], 3, [1.0], 0.0", "i8([1]), 3", "f32([1.0]), 3",
        "[0], 3, 1.5, 0.5, dtype=tf.float64", "np.array([0, 2]), 3",
    )],
    call("one_hot", "[0, 2, 1], 3, a, b", a="f32(2.0)", b="f32(0.5)", wrt="a b"),
    # ---------------------------------------------------------------- shape, rank, size
    *[call("shape", a, x=X) for a in (
        "x", "x, tf.int64", "x, 'int64'", "[1, 2]", "3", "input=x, out_type=None, name='n'",
        "[[1.0]], out_type=tf.int32", "tf.Variable([1.0])", "x, tf.float32", "None",
        "np.ones((2, 0))", "x, tf.int16", "tf.constant('a')",
    )],
    *[call("rank", a, x=X) for a in ("x", "3", "[[1]]", "input=x, name='n'", "tf.Variable([1.0])",
                                     "None", "tf.constant(['a'])", "np.ones((1, 1, 1))")],
    *[call("size", a, x=X) for a in (
        "x", "3", "[]", "x, tf.int64", "input=x, out_type=None, name='n'", "x, tf.float32", "None",
        "tf.Variable([1.0])", "[[1, 2]]", "tf.constant(['a'])",
    )],
    *[call("shape_n", a, x=X) for a in (
        "[x, x[0]]", "[x, x], tf.int64", "[]", "x", "[[1.0], [2.0, 3.0]]",
        "input=[x], out_type=tf.int32, name='n'", "[x, i32([1])]", "[x], tf.float32", "3",
    )],
    show("shape rank size", "tf.shape(x)[0] + tf.rank(x) * tf.size(x)", x=X),
    # ---------------------------------------------------------------- meshgrid
    *[call("meshgrid", a) for a in (
        "[1, 2, 3], [4, 5]", "[1, 2, 3], [4, 5], indexing='ij'", "[1.0, 2.0]",
        "[1, 2], [3], [4, 5]",
        "[1, 2], [3], [4, 5], indexing='ij'", "f32([1.0]), f64([2.0])", "[1, 2], [1.5]", "",
        "[1], [2], indexing='zz'", "[1], [2], wrong=1", "[1], [2], name='n', indexing='xy'", "3, 4",
        "[[1, 2], [3, 4]], [5, 6]", "'a', 'b'", "None", "[1], None", "3", "np.array([1, 2]), [3]",
    )],
    call("meshgrid", "x, y", x="f32([1.0, 2.0, 3.0])", y="f32([4.0, 5.0])", wrt="x y"),
    call("meshgrid", "x, y, z, indexing='ij'", x="f64([1.0, 2.0])", y="f64([4.0])",
         z="f64([5.0, 6.0])", wrt="x y z"),
    # ---------------------------------------------------------------- sequence_mask
    *[call("sequence_mask", a) for a in (
        "[1, 3, 2], 5", "[1, 3, 2]", "[[1, 3], [2, 0]]", "[1, 2], 3, tf.float32", "2", "2, 4",
        "i64([1, 2]), 3", "i64([1, 2])", "lengths=[1], maxlen=2, dtype=tf.int32, name='n'",
        "[1, 5], 3", "[]", "[1.0, 2.0]", "[1], [2]", "[1], -1", "'a'", "None", "[-1, 2]",
        "[1.5, 2.0], 3", "[1], 2.0", "[1], i64(2)", "i32([1]), i64(2)", "[0]", "[1], 2, 'floaty'",
        "np.array([1, 2]), 3",
    )],
    # ---------------------------------------------------------------- the tensor itself
    call("identity_n", "[x, y]", x=X, y="f32([1.0])", wrt="x y"),
    *[call("identity_n", a, x=X) for a in (
        "[x, [1, 2]]", "x", "[]", "input=[x], name='n'", "None", "[None]", "3", "(x, x)",
        "[tf.Variable(1.0)]",
    )],
    call("guarantee_const", "x", x=X, wrt="x",
         ours="the gradient of an identity, where TensorFlow has registered none"),
    call("guarantee_const", "[1, 2]"),
    call("guarantee_const", "input=3.0, name='n'"),
    call("guarantee_const", "None"),
    call("ensure_shape", "x, [2, 3]", x=X, wrt="x"),
    *[call("ensure_shape", a, x=X) for a in (
        "x, [2, None]", "x, [None, None]", "x, None", "x, (2, 3)", "x, tf.TensorShape([2, 3])",
        "x=x, shape=[2, 3], name='n'", "[1, 2], [2]", "3, []", "x, [3, 2]", "x, [2]", "x, [6]",
        "x, 3", "x, 'a'", "x, [2.0, 3.0]", "None, [1]", "x, i32([2, 3])", "x, [-1, 3]",
        "tf.constant(['a']), [1]", "tf.Variable([1.0]), [1]",
    )],
    *[call("bitcast", a) for a in (
        "f32([1.0, -2.0]), tf.int32", "i32([1, 2]), tf.float32", "f32([1.0]), 'uint32'",
        "f64([1.0]), tf.int32", "i32([[1, 2]]), tf.float64", "f32([1.0]), tf.uint8",
        "u8([1, 0, 0, 0]), tf.int32", "input=1.0, type=tf.int32, name='n'",
        "u8([1, 0, 0]), tf.int32", "[1, 2], tf.uint32", "b([True]), tf.uint8",
        "f32(1.0), tf.float32",
        "f32([1.0]), tf.string", "None, tf.int32", "f32([1.0]), 'x'", "f32([1.0]), tf.int64",
        "c64([1+2j]), tf.float32", "f64(2.0), tf.int64", "i64([1]), np.float64",
        "tf.constant(['a']), tf.uint8", "f32([1.0]), tf.bool", "i32([[1, 2]]), tf.int64",
    )],
    call("bitcast", "x, tf.float32", x="f32([1.0])", wrt="x"),
    program("zeros ones", "a = tf.ones((2, 2)) + tf.zeros((2, 2))", "out = a.numpy().tolist()"),
]  # fmt: skip
