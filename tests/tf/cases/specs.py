"""tf.TensorSpec."""

from tests.tf.scheme import show

CASES = [
    show("TensorSpec", expression)
    for expression in (
        "repr(tf.TensorSpec([None, 2], tf.float32))",
        "repr(tf.TensorSpec(None, 'int32', name='x'))",
        "repr(tf.TensorSpec(shape=(), dtype=tf.int64))",
        "[tf.TensorSpec([2]).dtype.name, tf.TensorSpec([2]).shape, tf.TensorSpec([2]).name]",
        "repr(tf.TensorSpec.from_tensor(tf.constant([[1, 2]]), name='y'))",
        "repr(tf.TensorSpec.from_spec(tf.TensorSpec([3], tf.bool, 'a'), 'b'))",
        "tf.TensorSpec([None, 2]).is_compatible_with(tf.constant([[1.0, 2.0]]))",
        "tf.TensorSpec([None, 2]).is_compatible_with(tf.constant([[1, 2]]))",
        "tf.TensorSpec([None, 2]).is_compatible_with(tf.TensorSpec([5, None]))",
        "tf.TensorSpec([3, 2]).is_subtype_of(tf.TensorSpec([None, 2]))",
        "tf.TensorSpec([None, 2]).is_subtype_of(tf.TensorSpec([3, 2]))",
        "tf.TensorSpec([2]) == tf.TensorSpec([2])",
        "tf.TensorSpec([2]) == tf.TensorSpec([2], name='x')",
        "len({tf.TensorSpec([2]), tf.TensorSpec([2]), tf.TensorSpec([3])})",
        "tf.TensorSpec([2], 'no dtype')",
        "tf.TensorSpec('ab')",
    )
]
