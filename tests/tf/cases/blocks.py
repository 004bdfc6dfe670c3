"""space_to_depth, space_to_batch and their inverses."""

from tests.tf.scheme import call

IMAGE = "f32(np.arange(32.0).reshape(1, 4, 4, 2))"
DEEP = "f32(np.arange(32.0).reshape(1, 2, 2, 8))"
GREY = "f32(np.arange(16.0).reshape(1, 4, 4, 1))"
BATCH = "f32(np.arange(16.0).reshape(4, 2, 2, 1))"

CASES = [
    *[call("nn.space_to_depth", a, x=IMAGE, wrt="x") for a in (
        "x, 2", "input=x, block_size=4, data_format='NHWC', name='n'",
    )],
    *[call("nn.space_to_depth", a, x=IMAGE) for a in (
        "x, 3", "x, 1", "x, 0", "x, 'a'", "x[0], 2", "x, 2.0", "x, 2, 'NXYZ'", "None, 2",
        "x, 2, data_format=None",
        "i32(np.arange(4).reshape(1, 2, 2, 1)), 2", "x, i32(2)",
    )],
    *[call("nn.depth_to_space", a, x=DEEP, wrt="x") for a in (
        "x, 2", "input=x, block_size=2, data_format='NHWC', name='n'",
    )],
    *[call("nn.depth_to_space", a, x=DEEP) for a in (
        "x, 3", "x, 1", "x, 'a'", "x[0], 2", "x, 2.0", "x, 2, 'NXYZ'", "None, 2",
        "i32([[[[1, 2, 3, 4]]]]), 2",
    )],
    *[call("space_to_batch nn.space_to_batch", a, x=GREY, wrt="x") for a in (
        "x, [2, 2], [[0, 0], [0, 0]]", "x, [2, 1], [[0, 0], [1, 1]]", "x, [2], [[2, 0]]",
        "input=x, block_shape=[1, 1], paddings=[[0, 0], [0, 0]], name='n'",
        "x, i32([3, 2]), i32([[1, 1], [0, 2]])",
    )],
    *[call("space_to_batch", a, x=GREY) for a in (
        "x, [3, 2], [[0, 0], [0, 0]]", "x, 2, [[0, 0], [0, 0]]", "x, [0, 1], [[0, 0], [0, 0]]",
        "x, [2, 2], [[0, 0]]", "x, [2, 2], [[-1, 1], [0, 0]]", "x, [2.0, 2.0], [[0, 0], [0, 0]]",
        "x, None, [[0, 0]]", "x[0, 0, 0, 0], [2], [[0, 0]]", "x, 'a', [[0, 0]]",
        "i32([[1, 2]]), [2], [[0, 0]]",
    )],
    call("space_to_batch_nd", "x, [2, 2], [[0, 0], [0, 0]]", x=GREY,
         wrt="x"),
    call("space_to_batch_nd", "x, [3], [[0, 0]]", x=GREY),
    *[call("batch_to_space", a, x=BATCH, wrt="x") for a in (
        "x, [2, 2], [[0, 0], [0, 0]]", "x, [2, 2], [[1, 0], [0, 1]]", "x, 2, [[0, 0], [0, 0]]",
        "x, [4], [[1, 2]]",
        "input=x, block_shape=[1, 1], crops=[[0, 0], [0, 0]], name='n'",
    )],
    *[call("batch_to_space", a, x=BATCH) for a in (
        "x, [3, 2], [[0, 0], [0, 0]]", "x, [2, 2], [[3, 3], [0, 0]]", "x, [2, 2], [[0, 0]]",
        "x, [0, 1], [[0, 0], [0, 0]]",
        "x, 'a', [[0, 0]]", "x, None, [[0, 0]]", "x, [2, 2], [[-1, 0], [0, 0]]",
        "x, [2.0], [[0, 0]]",
    )],
    *[call("required_space_to_batch_paddings", a) for a in (
        "[4, 5], [2, 2]", "[4, 5], [3, 2], [[1, 1], [0, 0]]",
        "input_shape=[3], block_shape=[2], base_paddings=None,"
        " name='n'", "i32([5]), i32([4])", "[4], [2, 2]", "4, 2",
    )],
]  # fmt: skip
