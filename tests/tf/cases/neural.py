"""tf.nn."""

from tests.tf.scheme import call

X = "f32([[-2.0, -0.5, 0.0], [0.5, 3.0, 7.0]])"
D = "f64([[-1.5, 0.25], [0.75, 2.0]])"
SIX = "f32([-1.0, 0.0, 3.0, 6.0, 8.0])"
L = "i32([2, 0])"
ONE = "f32([[0.0, 0.25, 0.75], [1.0, 0.0, 0.0]])"
SPARSE = "nn.sparse_softmax_cross_entropy_with_logits"
DENSE = "nn.softmax_cross_entropy_with_logits"
SIGMOID = "nn.sigmoid_cross_entropy_with_logits"
WEIGHTED = "nn.weighted_cross_entropy_with_logits"
POISSON = "nn.log_poisson_loss"


def activation(names, refused="b([True])", named="x, name='n'", **rest):
    lines = [
        call(names, "x", x=X, wrt="x", **rest), call(names, "x", x=D, wrt="x", **rest),
        call(names, named, x=X, **rest), call(names, "[0.5, -0.25]", **rest),
        call(names, "x", x=refused),
    ]  # fmt: skip
    return [case for line in lines for case in line]


CASES = [
    activation("nn.relu", refused="c64([1j])"),
    call("nn.relu", "x", x="i32([-1, 2])"),
    activation("nn.relu6", refused="c64([1j])"),
    call("nn.relu6", "x", x=SIX, wrt="x"),
    activation("nn.leaky_relu")[2:],
    call("nn.leaky_relu", "x", x=X, wrt="x"),
    call("nn.leaky_relu", "x", x=D, wrt="x",
         ours="0.2 in the dtype of the tensor; TensorFlow's is that of float32"),
    call("nn.leaky_relu", "x, alpha=0.5", x=X, wrt="x"),
    call("nn.leaky_relu", "x", x="i32([-1, 2])"),
    activation("nn.elu", refused="i32([1])"),
    activation("nn.selu", refused="i32([1])"),
    activation("nn.gelu", refused="i32([1])", tolerance=1e5,
               because="TensorFlow's 1 / sqrt(2) is that of float32, also for float64"),
    call("nn.gelu", "x, approximate=True", x=X, wrt="x"),
    activation("nn.silu nn.swish", refused="i32([1])", named="x, 1.0"),
    call("nn.silu", "x, beta=0.5", x=X, wrt="x"),
    activation("nn.crelu", refused="b([True])"),
    call("nn.crelu", "x, axis=0", x=X, wrt="x"),
    activation("nn.softmax math.softmax nn.log_softmax math.log_softmax", refused="i32([1])"),
    call("nn.softmax nn.log_softmax", "x, axis=0", x=X, wrt="x"),
    call("nn.softmax nn.log_softmax", "x", x="f32([1000.0, 0.0, -1000.0])", wrt="x"),
    call("nn.softmax nn.log_softmax", "x, axis=3", x=X),
    call("nn.log_softmax", "x", x="f32(1.0)"),
    call("nn.softmax", "x", x="f32(1.0)", ours="refused as log_softmax refuses it"),
    call(SPARSE, "y, x", x=X, y=L, wrt="x"),
    call(SPARSE, "labels=y, logits=x, name='n'", x=D, y="i64([1, 0])", wrt="x"),
    call(SPARSE, "[[1, 0]], x", x="f32([[[1.0, 2.0], [0.5, -1.0]]])", wrt="x"),
    call(SPARSE, "1, x", x="f32([1.0, 2.0])", wrt="x"),
    call(SPARSE, "y, x", x="f32([[1000.0, -1000.0]])", y="i32([1])", wrt="x"),
    call(SPARSE, "[3, 0], x", x=X),
    call(SPARSE, "[-1, 0], x", x=X),
    call(SPARSE, "[1.0, 0.0], x", x=X),
    call(SPARSE, "[1], x", x=X),
    call(SPARSE, "[1, 0], x", x="i32([[1, 2], [3, 4]])"),
    call(SPARSE, "1, 2.0"),
    call(DENSE, "y, x", x=X, y=ONE, wrt="x y"),
    call(DENSE, "labels=[[0, 0, 1], [1, 0, 0]], logits=x, name='n'", x=X, wrt="x"),
    call(DENSE, "y, x, axis=0", x=X, y="f32([[0.0, 0.25, 0.75], [1.0, 0.75, 0.25]])", wrt="x y"),
    call(DENSE, "y, x, axis=0", x=X, y=ONE, wrt="x y",
         ours="exact also for labels that are no distribution"),
    call(DENSE, "y, x", x=X, y="f32([[1.0, 0.0]])"),
    call(DENSE, "y, x", x="i32([[1]])", y="i32([[1]])"),
    call(SIGMOID, "y, x", x=X, y=ONE, wrt="x y"),
    call(SIGMOID, "labels=y, logits=x, name='n'", x="f32([-200.0, 200.0])", y="f32([1.0, 0.0])",
         wrt="x y"),
    call(SIGMOID, "[1.0], x", x="f32([1.0, 2.0])"),
    call(SIGMOID, "y, x", x=D, y="f32([[1.0, 0.0], [0.0, 0.0]])"),
    call(SIGMOID, "np.array([1.0, 0.0]), x", x="f32([1.0, 2.0])", wrt="x"),
    call(WEIGHTED, "y, x, 2.0", x=D, y="f64([[1.0, 0.5], [0.0, 0.25]])", wrt="x y"),
    call(WEIGHTED, "y, x, 2.0", x=X, y=ONE),
    call(WEIGHTED, "y, x, 2.0", x="f32([0.0])", y="f32([0.75])", wrt="x",
         ours="the derivative at 0 is that of the function, which is smooth there"),
    call(WEIGHTED, "labels=y, logits=x, pos_weight=p, name='n'", x=D,
         y="f64([[1.0, 0.5], [0.0, 0.25]])", p="f64([0.5, 3.0])", wrt="x y p"),
    call(WEIGHTED, "[1.0], x, 2.0", x="f32([1.0, 2.0])"),
    call(POISSON, "y, x", x=D, y="f64([[1.0, 2.0], [0.5, 3.0]])", wrt="x y"),
    call(POISSON, "y, x, compute_full_loss=True", x=D, y="f64([[1.0, 2.0], [0.5, 3.0]])", wrt="x"),
    call(POISSON, "[1.0], x", x="f32([1.0, 2.0])"),
    call("nn.l2_loss", "x", x=X, wrt="x"),
    call("nn.l2_loss", "x, name='n'", x=D, wrt="x"),
    call("nn.l2_loss", "x", x="i32([1])"),
    call("nn.l2_normalize math.l2_normalize linalg.l2_normalize", "x, 1", x=X, wrt="x"),
    call("nn.l2_normalize", "x", x=D, wrt="x"),
    call("nn.l2_normalize", "x, axis=[0], epsilon=5.0, name='n'", x=X, wrt="x"),
    call("nn.l2_normalize", "x, 0", x="f32([0.0, 0.0])", wrt="x"),
    call("nn.l2_normalize", "x, 0", x="i32([1, 2])"),
    call("nn.bias_add", "x, b", x=X, b="f32([1.0, 2.0, 3.0])", wrt="x b"),
    call("nn.bias_add", "x, b, data_format='NCHW', name='n'",
         x="f32([[[[1.0, 2.0]], [[3.0, 4.0]]]])", b="f32([1.0, 2.0])", wrt="x b"),
    call("nn.bias_add", "x, b", x=X, b="f32([1.0, 2.0])"),
    call("nn.bias_add", "x, b", x="f32([1.0])", b="f32([1.0])"),
    call("nn.bias_add", "x, b", x=X, b="f32([[1.0]])"),
    call("nn.bias_add", "x, b, 'X'", x=X, b="f32([1.0])"),
    call("nn.moments", "x, [0]", x=X, wrt="x"),
    call("nn.moments", "x, axes=[0, 1], keepdims=True, name='n'", x=D, wrt="x"),
    call("nn.moments", "x, [1]", x="f16([[1.0, 2.0], [3.0, 5.0]])"),
    call("nn.moments", "x, [0]", x="i32([1, 2, 4])"),
    call("nn.moments", "x, [3]", x=X),
    call("nn.batch_normalization", "x, m, v, o, s, 1e-3", x=X, m="f32([0.1, 0.2, 0.3])",
         v="f32([1.0, 2.0, 0.5])", o="f32([1.0, 0.0, -1.0])", s="f32([2.0, 1.0, 0.5])", wrt="x m v o s"),
    call("nn.batch_normalization", "x, 0.5, 2.0, None, None, 1e-3, name='n'", x=X, wrt="x"),
    call("nn.dropout", "x, 0", x=X, wrt="x"),
    call("nn.dropout", "x, 1.5", x=X),
    call("nn.dropout", "x, 0.5", x="i32([1])"),
    call("nn.embedding_lookup", "x, i", x=X, i="i32([[1, 0], [1, 1]])", wrt="x"),
    call("nn.embedding_lookup", "[x], i, max_norm=2.0, name='n'", x=X, i="i64([1, 0])", wrt="x"),
    call("nn.embedding_lookup", "x, [5]", x=X),
    call("nn.embedding_lookup", "x, [-1]", x=X),
    call("nn.embedding_lookup", "x, [0.0]", x=X),
    call("nn.embedding_lookup", "None, [0]"),
]
