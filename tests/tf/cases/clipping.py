"""Clipping."""

from tests.tf.scheme import call

X = "f32([[3.0, -4.0], [0.5, 0.0]])"

CASES = [
    call("clip_by_value", "x, -1.0, 2.0", x="f32([-3.0, -1.0, 0.5, 2.0, 5.0])", wrt="x"),
    call("clip_by_value", "x, 0, 3", x="i32([-3, 2, 8])"),
    call("clip_by_value", "x, a, b", x=X, a="f32([0.0, -1.0])", b="f32([1.0, 1.0])", wrt="x a b"),
    call("clip_by_value", "x, 2, 3.5", x="i32([1, 5])"),
    call("clip_by_value", "x, [0.0, 0.0, 0.0], 1.0", x=X),
    call("clip_by_value", "[0.5, 2.0], clip_value_min=0.0, clip_value_max=1.0, name='n'"),
    call("clip_by_norm", "x, 2.0", x=X, wrt="x"),
    call("clip_by_norm", "x, 20.0", x=X, wrt="x"),
    call("clip_by_norm", "x, 1.0, axes=[1]", x=X, wrt="x"),
    call("clip_by_norm", "x, c", x=X, c="f32(1.5)", wrt="x c"),
    call("clip_by_norm", "x, 1.0", x="f32([0.0, 0.0])", wrt="x"),
    call("clip_by_norm", "x, -2.0", x=X),
    call("clip_by_norm", "x, 2", x="i32([1, 5])"),
    call("clip_by_norm", "x, 1.0, axes=[5]", x=X),
    call("linalg.global_norm", "[x, None, y]", x=X, y="f32([2.0])", wrt="x y"),
    call("linalg.global_norm", "[None]"),
    call("linalg.global_norm", "x", x=X),
    call("linalg.global_norm", "[x, x]", x="c64([3+4j])"),
    call("clip_by_global_norm", "[x, None, y], 2.0", x=X, y="f32([2.0])", wrt="x y"),
    call("clip_by_global_norm", "(x, y), 200.0", x=X, y="f32([2.0])", wrt="x y"),
    call("clip_by_global_norm", "[x], 2.0, use_norm=f32(8.0), name='n'", x=X),
    call("clip_by_global_norm", "[x], 2.0, use_norm=8.0", x=X,
         ours="a number is a norm too, where TensorFlow lets an AttributeError through"),
    call("clip_by_global_norm", "[x], 2.0, use_norm=f32(np.nan)", x=X),
    call("clip_by_global_norm", "x, 2.0", x=X),
    call("clip_by_global_norm", "[x], 2.0, use_norm=[1.0, 2.0]", x=X, ours="a ValueError in three parts"),
]
