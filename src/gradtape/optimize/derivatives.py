"""Derivatives of one recorded run of a function: gradient, Jacobian, products with a Hessian.

Everything in this room that touches a record is here, so that the engine's transforms can take
its place. A `Run` calls the function once on fresh Tensors and answers what is asked of that call:

`gradient`    one backward sweep
`jacobian`    one backward sweep for all rows where each row of the result is computed by itself
              (a model over the points of a data set); else one forward sweep per input, or one
              backward sweep per output, whichever are fewer
`hessian`     the gradient is recorded by the run's own recorder; each product is a sweep over both
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.positions import record_position
from ..core.state import (
    CARD,
    KEYS,
    KX,
    KY,
    OUT,
    PARAMS,
    RUN,
    SX,
    SY,
    Recorder,
    next_key,
    pop,
    push,
)
from ..core.sweep import backward, forward, quiet
from ..core.tensor import Tensor, new_tensor, raw, settled
from ..core.tree import flatten
from ..errors import UnsupportedOperationError
from ..tape.sweeping import check_aliases, check_support

Arrays = list[Any]


class Run:
    """One call of `function` on Tensors of `leaves`, under a recorder of its own.

    Attributes
    ----------
    result
        What the function returned.
    outs : list
        The leaves of the result: Tensors, or plain values where no operation was followed.
    sources : list of Tensor
        The Tensors that the function received.
    """

    def __init__(
        self,
        function: Callable[[Arrays], Any],
        leaves: Sequence[Any],
        position: Any = (None, 0),
        keep_all: bool = False,
    ) -> None:
        # Variables that the function reads are constants of it; forward sweeps need all operands
        self.recorder = Recorder(auto_watch=False, keep_all=keep_all)
        self.sources = [self._source(leaf, position) for leaf in leaves]
        push(self.recorder)
        try:
            self.result = function(list(self.sources))
            self.outs = flatten(self.result)[0]
            for out in self.outs:
                if isinstance(out, Tensor):
                    out.read()  # a view whose base was written derives itself again, recorded
        finally:
            pop(self.recorder)
        self._gradient: list[Any] | None = None

    def _source(self, leaf: Any, position: Any) -> Tensor:
        source = new_tensor(settled(np.asarray(leaf)), next_key())
        self.recorder.tracked.add(source.key)
        fact = (_alive, source.shape, source.dtype, *position, source.key)
        self.recorder.leaves[source.key] = fact
        return source

    @property
    def keys(self) -> set[int]:
        """The keys of the sources."""
        return {s.key for s in self.sources}

    @property
    def followed(self) -> list[Tensor]:
        """The results that depend on a source."""
        tracked = self.recorder.tracked
        return [o for o in self.outs if isinstance(o, Tensor) and o.key in tracked]

    def check(self) -> None:
        """Raise where a rule is missing on the way, or a large constant was written to."""
        if self.recorder.aliases:
            check_aliases(self.recorder)
        if self.recorder.has_unsupported:
            check_support(self.recorder, {o.key for o in self.followed}, self.keys)

    # ------------------------------------------------------------------ first derivatives

    def gradient(self, cts: Sequence[Any] | None = None) -> list[Any]:
        """One cotangent per source, None where the results do not depend on it.

        `cts` has one cotangent for each of `outs`; ones by default.
        """
        grads = self._seeds(cts)
        backward(self.recorder, grads, self.keys, False)
        return [grads.get(s.key) for s in self.sources]

    def first_fault(self) -> str:
        """The operation whose derivative is the first that is not finite, with its line."""
        grads = self._seeds(None)
        with quiet():
            for index in range(len(self.recorder.ops) - 1, -1, -1):
                rec = self.recorder.ops[index]
                g = grads.pop(rec[OUT], None)
                if g is None:
                    continue
                rec[RUN](rec, g, grads)
                for k in rec[KEYS] if type(rec[KEYS]) is tuple else (rec[KX], rec[KY]):
                    ct = grads.get(k)
                    if isinstance(ct, np.ndarray | np.generic) and not np.isfinite(ct).all():
                        at = record_position(self.recorder, index)
                        return f"The derivative of {rec[CARD].name} at {at} is infinite or NaN."
        return ""

    def _seeds(self, cts: Sequence[Any] | None, wrap: Callable[[Any], Any] = raw) -> dict[int, Any]:
        seeds: dict[int, Any] = {}
        for i, out in enumerate(self.outs):
            if not isinstance(out, Tensor) or out.key not in self.recorder.tracked:
                continue
            ct = np.ones_like(out.value)[()] if cts is None else np.asarray(cts[i], out.dtype)[()]
            seeds[out.key] = wrap(ct) if out.key not in seeds else seeds[out.key] + wrap(ct)
        return seeds

    def jacobian(self) -> Any:
        """The matrix of all derivatives.

        A row for each number of the results, a column for each number of the sources, leaf after
        leaf.
        """
        inputs = sum(s.size for s in self.sources)
        outputs = sum(int(np.size(raw(o))) for o in self.outs)
        found = self._rows_apart(outputs) if outputs > 1 else None
        if found is None and inputs <= outputs:
            found = self._forward()
        return self._backward() if found is None else found

    def _forward(self) -> Any:
        """Column by column; None where an operation has no forward rule."""
        columns = []
        for source in self.sources:
            for i in range(source.size):
                t = np.zeros(source.shape, source.dtype)
                t.flat[i] = 1
                try:
                    tangents = forward(self.recorder, {source.key: t[()]})
                except (UnsupportedOperationError, TypeError):  # a custom gradient has none
                    return None
                columns.append(self._stacked(tangents))
        return np.stack(columns, axis=1)

    def _stacked(self, found: dict[int, Any]) -> Any:
        parts = []
        for out in self.outs:
            t = found.get(out.key) if isinstance(out, Tensor) else None
            shape = np.shape(raw(out))
            parts.append(np.zeros(shape) if t is None else np.broadcast_to(t, shape))
        return np.concatenate([part.reshape(-1) for part in parts])

    def _backward(self) -> Any:
        """Row by row."""
        rows = []
        for n, out in enumerate(self.outs):
            for i in range(int(np.size(raw(out)))):
                cts: list[Any] = [np.zeros(np.shape(raw(o))) for o in self.outs]
                cts[n].flat[i] = 1
                rows.append(self.flat(self.gradient(cts)))
        return np.stack(rows)

    def flat(self, gradients: Sequence[Any]) -> Any:
        """Gradients of the sources as one vector, with zeros for None."""
        if len(gradients) == 1 and gradients[0] is not None:
            source, g = self.sources[0], gradients[0]
            if type(g) is np.ndarray and g.shape == source.shape and g.dtype == source.dtype:
                return np.array(g).reshape(-1)
        parts = []
        for source, g in zip(self.sources, gradients, strict=True):
            g = np.zeros(source.shape) if g is None else np.real(raw(g))
            parts.append(np.broadcast_to(g, source.shape).astype(source.dtype).reshape(-1))
        return np.concatenate(parts)

    def _rows_apart(self, rows: int) -> Any:
        """The Jacobian by one backward sweep, where row i of every array makes row i of the result.

        The records' own rules run, told that numbers have an entry per row: then they do not sum
        where a number was broadcast along the rows, and what arrives at one is its column. None
        where an operation mixes rows, or may.
        """
        out, shape = self.outs[0], (rows,)
        if len(self.outs) != 1 or not isinstance(out, Tensor) or out.shape != shape:
            return None
        if any(s.ndim > 1 or s.key == out.key for s in self.sources):
            return None
        vectors = {s.key: [None] * s.size for s in self.sources if s.ndim}
        cts: dict[int, Any] = {out.key: np.ones(shape, out.dtype)}
        with quiet():
            for rec in reversed(self.recorder.ops):
                ct = cts.pop(rec[OUT], None)
                if ct is None:
                    continue
                if type(rec[KEYS]) is tuple:  # a general record: an element of a vector of x
                    column, index = vectors.get(rec[KEYS][0]), rec[PARAMS].get("index")
                    if rec[CARD].name != "getitem" or column is None or type(index) is not int:
                        return None
                    column[index] = ct if column[index] is None else column[index] + ct
                    continue
                if rec[CARD].kind != "elementwise" or rec[KX] in vectors or rec[KY] in vectors:
                    return None
                if rec[SX] != shape or rec[SY] != shape:
                    if rec[SX] not in (None, shape) or rec[SY] not in (None, shape):
                        return None
                    rec = rec.copy()
                    rec[SX] = rec[SY] = shape
                rec[RUN](rec, ct, cts)
        columns: list[Any] = []
        for source in self.sources:
            columns += vectors.get(source.key) or [cts.get(source.key)]
        zero = np.zeros(shape, out.dtype)
        return np.array([zero if column is None else column for column in columns]).T

    # ------------------------------------------------------------------ second derivatives

    def record_gradient(self, cts: Sequence[Any] | None = None) -> list[Any]:
        """The gradient, computed on the same recorder, so that it can be differentiated again."""
        push(self.recorder)
        try:
            grads = self._seeds(cts, lambda ct: new_tensor(raw(ct)))
            backward(self.recorder, grads, self.keys, False)
        finally:
            pop(self.recorder)
        self._gradient = [grads.get(s.key) for s in self.sources]
        return [None if g is None else raw(g) for g in self._gradient]

    def hessian_product(self, p: Any) -> Any:
        """The Hessian, which is symmetric, times the vector `p`, after `record_gradient`."""
        assert self._gradient is not None
        seeds: dict[int, Any] = {}
        start = 0
        for source, g in zip(self.sources, self._gradient, strict=True):
            part = p[start : start + source.size].reshape(source.shape)
            start += source.size
            if isinstance(g, Tensor) and g.key in self.recorder.tracked:
                if g.shape != source.shape:  # a cotangent seen through zero strides
                    part = np.sum(part)
                ct = np.array(part, g.dtype)[()]
                seeds[g.key] = ct if g.key not in seeds else seeds[g.key] + ct
        backward(self.recorder, seeds, self.keys, False)
        return self.flat([seeds.get(s.key) for s in self.sources])

    def hessian(self) -> Any:
        """The matrix of second derivatives, after `record_gradient`."""
        n = sum(s.size for s in self.sources)
        dtype = np.result_type(*(s.dtype for s in self.sources))
        found = np.stack([self.hessian_product(row) for row in np.eye(n, dtype=dtype)])
        return (found + found.T) / 2


def _alive() -> None:
    """Stands where a watched Tensor's weak reference stands."""
