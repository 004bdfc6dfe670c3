"""Blocks of an image as channels or batch entries, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base.arguments import attribute, bad, bad_value, whole
from ..base.making import native, op
from ..base.tensors import make

_np: Any = np  # NumPy's functions as they are for Tensors, which its stubs do not know


def _image(name: str, input: Any, block_size: Any, data_format: Any) -> tuple[Any, int]:
    x, size = native(input), attribute(name, block_size, "block_size")
    if data_format not in (None, "NHWC"):
        raise bad(
            name,
            f"data_format {data_format!r} is not supported on the CPU.",
            "Transpose to NHWC: tf.transpose(x, [0, 2, 3, 1]).",
        )
    if size < 2:
        raise bad(name, f"Block size should be > 1: {size}.", "Pass 2 or more.")
    if x.value.ndim != 4:
        raise bad(
            name,
            f"Input rank should be 4 instead of {x.value.ndim}.",
            "Pass (batch, height, width, channels).",
        )
    return x, size


@op("nn.space_to_depth")
def space_to_depth(input: Any, block_size: Any, data_format: Any = "NHWC", name: Any = None) -> Any:
    """Each square of an image as one pixel with all of its channels."""
    x, k = _image("space_to_depth", input, block_size, data_format)
    n, h, w, c = x.value.shape
    if h % k or w % k:
        raise bad(
            "space_to_depth",
            f"Image width {w} and height {h} should be divisible by block_size: {k}.",
            "Pad the image first with tf.pad.",
        )
    x = np.reshape(x, (n, h // k, k, w // k, k, c))
    return np.reshape(np.transpose(x, (0, 1, 3, 2, 4, 5)), (n, h // k, w // k, k * k * c))


@op("nn.depth_to_space")
def depth_to_space(input: Any, block_size: Any, data_format: Any = "NHWC", name: Any = None) -> Any:
    """The channels of each pixel as a square of pixels."""
    x, k = _image("depth_to_space", input, block_size, data_format)
    n, h, w, c = x.value.shape
    if c % (k * k):
        raise bad(
            "depth_to_space",
            f"Input depth dimension {c} should be divisible by: {k * k}.",
            "Choose a block_size whose square divides the number of channels.",
        )
    x = np.reshape(x, (n, h, w, k, k, c // (k * k)))
    return np.reshape(np.transpose(x, (0, 1, 3, 2, 4, 5)), (n, h * k, w * k, c // (k * k)))


def _blocks(name: str, x: Any, block_shape: Any, margins: Any) -> tuple[list[int], Any]:
    block = whole(name, block_shape, bad, "block_shape")
    edges = whole(name, margins, bad, "paddings")
    m = block.size
    if block.ndim != 1 or edges.shape != (m, 2) or x.value.ndim < 1 + m:
        raise bad(
            name,
            f"block_shape {block.tolist()} and margins of shape {edges.shape} do not fit an input "
            f"of shape {x.value.shape}.",
            "Give a block length and a pair of margins for each axis after the batch.",
        )
    if (block.size and block.min() < 1) or (edges.size and edges.min() < 0):
        raise bad(name, "block lengths must be positive, margins 0 or more.", "Pass such numbers.")
    return block.tolist(), edges.tolist()


@op("space_to_batch", "nn.space_to_batch")
def space_to_batch(input: Any, block_shape: Any, paddings: Any, name: Any = None) -> Any:
    """Every n-th element along some axes as an entry of the batch of its own."""
    x: Any = native(input)
    block, edges = _blocks("space_to_batch", x, block_shape, paddings)
    m, rest = len(block), x.value.shape[1 + len(block) :]
    x = _np.pad(x, [[0, 0], *edges, *[[0, 0]] * len(rest)])
    n, *space = x.value.shape[: 1 + m]
    if any(length % b for length, b in zip(space, block, strict=True)):
        raise bad(
            "space_to_batch",
            f"padded shape {space} is not divisible by block_shape {block}.",
            "Choose paddings with tf.required_space_to_batch_paddings.",
        )
    split: list[int] = [n]
    for length, b in zip(space, block, strict=True):
        split += [length // b, b]
    inner, outer = range(2, 2 * m + 1, 2), range(1, 2 * m, 2)
    tail = range(2 * m + 1, 2 * m + 1 + len(rest))
    x = np.transpose(np.reshape(x, (*split, *rest)), (*inner, 0, *outer, *tail))
    places = [length // b for length, b in zip(space, block, strict=True)]
    return np.reshape(x, (n * int(np.prod(block)), *places, *rest))


@op("space_to_batch_nd")
def space_to_batch_nd(input: Any, block_shape: Any, paddings: Any, name: Any = None) -> Any:
    """The same as `tf.space_to_batch`."""
    return space_to_batch(input, block_shape, paddings)


@op("batch_to_space")
def batch_to_space(input: Any, block_shape: Any, crops: Any, name: Any = None) -> Any:
    """The inverse of `tf.space_to_batch`, with margins cut off."""
    x: Any = native(input)
    if isinstance(block_shape, int):  # one length for height and width
        block_shape = [block_shape, block_shape]
    block, edges = _blocks("batch_to_space", x, block_shape, crops)
    m, rest = len(block), x.value.shape[1 + len(block) :]
    n, *space = x.value.shape[: 1 + m]
    step = int(np.prod(block))
    wide = [length * b for length, b in zip(space, block, strict=True)]
    if n % step or any(sum(e) > length for e, length in zip(edges, wide, strict=True)):
        raise bad(
            "batch_to_space",
            f"input of shape {x.value.shape} does not fit block_shape {block} and crops {edges}.",
            "The batch must be a multiple of the block's size, the crops within the result.",
        )
    x = np.reshape(x, (*block, n // step, *space, *rest))
    order = [m]
    for i in range(m):
        order += [m + 1 + i, i]
    x = np.transpose(x, (*order, *range(2 * m + 1, 2 * m + 1 + len(rest))))
    x = np.reshape(x, (n // step, *wide, *rest))
    cut = [slice(a, length - b) for (a, b), length in zip(edges, wide, strict=True)]
    return x[(slice(None), *cut)]


@op("required_space_to_batch_paddings")
def required_space_to_batch_paddings(
    input_shape: Any, block_shape: Any, base_paddings: Any = None, name: Any = None
) -> Any:
    """(paddings, crops) with which `tf.space_to_batch` divides evenly."""
    title = "required_space_to_batch_paddings"
    shape, block = whole(title, input_shape), whole(title, block_shape)
    if shape.ndim != 1 or shape.shape != block.shape:
        raise bad_value(
            title,
            f"shapes {shape.tolist()} and {block.tolist()} must be vectors of one length.",
            "Give one block length for each axis.",
        )
    base = np.zeros((len(block), 2), np.int32)
    if base_paddings is not None:
        base = whole(title, base_paddings)
    start, end = base[:, 0], base[:, 1]
    extra = -(shape + start + end) % block
    held = shape.dtype
    paddings = np.stack([start, end + extra], 1).astype(held)
    crops = np.stack([np.zeros_like(extra), extra], 1).astype(held)
    return make(paddings), make(crops)
