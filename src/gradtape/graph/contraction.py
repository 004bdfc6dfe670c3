"""`contract(x, y) {labels='ij,jk->ik'}`: the one form of a product of two operands.

Each axis has a label; an index that the result has not is summed. Every label stands in two or
three of the three terms, at most once in each, and has one length everywhere; so an operand is
never summed, repeated or broadcast by itself. A transposed operand is the operand with its labels
in another order. `passes/contract.py` brings matmul, tensordot and einsum into this form.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.aval import Aval

__all__ = ["CONTRACT", "split_labels"]


def split_labels(labels: str) -> tuple[str, str, str]:
    """The labels of the first operand, of the second, and of the result."""
    operands, out = labels.split("->")
    x, y = operands.split(",")
    return x, y, out


class _Contract:
    """The operation. NumPy runs it as one `matmul` of stacks of matrices."""

    name, kind, shape_rule = "contract", "plain", True

    def shape(self, avals: Sequence[Aval], params: dict[str, Any]) -> Aval:
        """The type of the result."""
        x, y, out = split_labels(params["labels"])
        sizes = dict(zip(x + y, avals[0].shape + avals[1].shape, strict=True))
        dtype = np.result_type(avals[0].dtype, avals[1].dtype)
        return Aval(tuple(sizes[label] for label in out), dtype)

    def impl(self, x: Any, y: Any, labels: str) -> Any:
        """The product of two arrays."""
        left, right, out = split_labels(labels)
        sizes = dict(zip(left + right, np.shape(x) + np.shape(y), strict=True))
        batch = [n for n in out if n in left and n in right]
        rows = [n for n in out if n not in right]
        columns = [n for n in out if n not in left]
        inner = [n for n in left if n not in out]

        def stack(operand: Any, own: str, *groups: list[str]) -> Any:
            order = [own.index(n) for group in (batch, *groups) for n in group]
            shape = [sizes[n] for n in batch]
            shape += [math.prod(sizes[n] for n in group) for group in groups]
            return np.transpose(operand, order).reshape(shape)

        found = np.matmul(stack(x, left, rows, inner), stack(y, right, inner, columns))
        laid = batch + rows + columns
        found = found.reshape([sizes[n] for n in laid])
        return np.transpose(found, [laid.index(n) for n in out])[()]

    def __repr__(self) -> str:
        return "<contract>"


CONTRACT = _Contract()
