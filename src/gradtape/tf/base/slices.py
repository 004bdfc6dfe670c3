"""tf.IndexedSlices: the gradient of a Variable of which only rows were gathered.

`tf.gather` and `tf.nn.embedding_lookup` note what they take of a Variable (`note`). Where a tape
sees the Variable in no other way, its gradient is that of the gathered rows, with their numbers;
anything else makes it dense, as in TensorFlow.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import slices
from ...core import tensor as core
from ...core.registry import HOOKS
from ...core.state import state
from ...errors import three_part
from ...tape.gathered import Gathering, joined
from .errors import RefusedType, RefusedValue
from .names import export
from .promotion import bare, natural
from .shapes import TensorShape
from .tensors import adopt, make
from .variables import Variable, _unread


@export("IndexedSlices")
class IndexedSlices(slices.IndexedSlices):
    """Rows of a tensor that is zero elsewhere; see `gradtape.IndexedSlices`.

    Every function of tf takes it, as the dense tensor. Negated and multiplied or divided by a
    number it stays what it is.
    """

    device = "/job:localhost/replica:0/task:0/device:CPU:0"

    def __init__(self, values: Any, indices: Any, dense_shape: Any = None) -> None:
        self.values, self.indices = natural(values), natural(indices)
        self.dense_shape = None if dense_shape is None else natural(dense_shape)

    def dense(self) -> Any:
        if self.dense_shape is None:
            raise RefusedValue(
                three_part(
                    "Tensor conversion requested for IndexedSlices without dense_shape.",
                    "The number of rows is not known.",
                    "Pass it: tf.IndexedSlices(values, indices, tf.shape(x)).",
                )
            )
        known = slices.IndexedSlices(bare(self.values), bare(self.indices), self.dense_shape)
        return adopt(known.dense())

    @property
    def shape(self) -> TensorShape:
        return TensorShape(None if self.dense_shape is None else self.lengths())

    def __add__(self, other: Any) -> Any:
        if isinstance(other, IndexedSlices) and self.shape == other.shape:
            values = np.concatenate([bare(self.values), bare(other.values)])
            indices = np.concatenate([bare(self.indices), bare(other.indices)])
            return IndexedSlices(adopt(values), adopt(indices), self.dense_shape)
        return self.dense() + other

    def __tf_tensor__(self, dtype: Any = None, name: Any = None) -> Any:
        return self.dense()

    def consumers(self) -> list[Any]:
        """None: there is no graph."""
        return []


# ------------------------------------------------------------------------------ gathered rows


def note(params: Any, rows: Any, index: Any) -> None:
    """Called where `rows` were taken of `params` by `index` along the first axis."""
    if not state.tapes or not isinstance(params, Variable) or not isinstance(rows, core.Tensor):
        return
    for tape in state.tapes:
        if rows.key in tape.tracked and hasattr(tape, "gathered"):
            tape.gathered = tape.gathered or {}
            found = tape.gathered.setdefault(params.held.key, [])
            found.append(Gathering(rows.key, index, rows.read().shape))


def gathered(variable: Any, taken: list[Gathering], cts: list[Any]) -> IndexedSlices | None:
    """The gradient of a Variable from those of the rows that were taken of it."""
    found = joined(variable, taken, cts)
    if found is None:
        return None
    lengths = make(np.array(found.dense_shape, np.int32))
    return IndexedSlices(adopt(found.values), adopt(found.indices), lengths)


# ------------------------------------------------------------------------------ into a Variable

_WAYS = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide,
         "min": np.minimum, "max": np.maximum}  # fmt: skip


def _scatter(name: str) -> Any:
    def scatter(
        self: Variable, sparse_delta: Any, use_locking: bool = False, name: Any = None
    ) -> Variable:
        if not isinstance(sparse_delta, slices.IndexedSlices):
            raise RefusedType(
                three_part(
                    f"sparse_delta is not IndexedSlices: {sparse_delta!r:.100}.",
                    f"scatter_{way} of {self.name!r} takes rows and their numbers.",
                    "Pass tf.IndexedSlices(values, indices), or assign what is dense.",
                )
            )
        held = self.held
        values = bare(self._operand(natural(sparse_delta.values)))
        whole = core.new_traced(held.read())
        index = bare(sparse_delta.indices).read()
        if way == "update":
            HOOKS["store"](whole, index, values)
        else:
            _WAYS[way].at(whole, index, values)
        held.assign(whole)
        return _unread(self)

    way = name
    scatter.__name__ = f"scatter_{name}"
    scatter.__doc__ = f"Assign rows by `{name}` of `sparse_delta`; those named twice, twice."
    return scatter


for _name in (*_WAYS, "update"):
    setattr(Variable, f"scatter_{_name}", _scatter(_name))
