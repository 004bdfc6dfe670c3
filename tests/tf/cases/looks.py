"""What scripts print: repr, str and format of tensors and Variables, names of types and errors."""

from tests.tf.scheme import program, show

NUMBERS = ["float16", "float32", "float64", "int32", "int64", "uint8", "bool", "complex64", "complex128"]
VALUES = ("0.1", "1e10", "-3", "[0.1, 2.0]", "[[1.0], [1e-7]]")
ERRORS = (
    "tf.constant([1, 2]) + tf.constant([1.0, 2.0])", "tf.reshape(tf.ones(3), [2, 2])",
    "tf.Variable()", "tf.Variable(1.0).assign([1.0, 2.0])",
    "tf.convert_to_tensor(tf.Variable(1.0), tf.int32)", "bool(tf.ones(2))", "len(tf.constant(1))",
    "hash(tf.Variable(1.0))", "hash(tf.constant(1.0))", "tf.constant(3) / 'x'", "iter(tf.ones(()))",
    "tf.concat([tf.ones(2), tf.ones((2, 2))], 0)", "tf.constant([1.0])[0] = 1",
    "tf.debugging.assert_equal(1, 2)", "tf.cast('a', tf.float32)", "tf.constant([[1], [1, 2]])",
)  # fmt: skip


def named(expression):
    lines = ("try:", f"    {expression}", "except Exception as e:", "    out = type(e).__name__")
    return program("Tensor", *lines)


CASES = [
    *[
        show("Tensor", "[repr(t), str(t), repr([t, t]), '%s' % t] + ([f'{t}'] if not t.ndim else [])",
             t=f"tf.constant(np.array({value}).astype('{dtype}'))")
        for dtype in NUMBERS for value in VALUES
        if not (dtype in ("uint8", "int32", "float16") and value in ("1e10", "-3"))
    ],
    *[
        show("Variable", "[repr(v), str(v), '%s' % v, repr({'v': v}), f'{v}']",
             v=f"tf.Variable(np.array({value}).astype('{dtype}'), name='v')")
        for dtype in NUMBERS for value in VALUES
        if not (dtype in ("uint8", "int32", "float16") and value in ("1e10", "-3"))
    ],
    show("Variable", "[repr(v.assign_add(0.2)), str(v.assign(0.3))]", v="tf.Variable(0.1)"),
    show("Tensor", "[f'{t:.3f}', '%.2f' % t, '%d' % t, f'{t.numpy():.3f}', round(float(t), 2)]",
         t="tf.constant(2.34567)"),
    show("Tensor", "type(tf.Variable(1.0) + 1.0).__name__"),
    show("Variable", "[type(tf.Variable(1.0)).__name__, type(tf.Variable(1.0).value()).__name__]"),
    *map(named, ERRORS),
]  # fmt: skip
