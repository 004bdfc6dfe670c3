"""ForwardAccumulator: tangents of what is computed from given primals, as it is computed.

Each has its own table from key to tangent, and is off while its own rules run; what these compute
is seen by the tapes and accumulators that were entered before it. It stands among the tapes of
the thread as a recorder that plays each record at once and keeps none.

A value that is gone needs no tangent: its key, an int, is an object that Tensors, records and the
table refer to, and where the table alone is left its reference count says so. So memory does not
grow with the number of operations.
"""

from __future__ import annotations

import sys
import weakref
from typing import Any

import numpy as np

from ..core.aval import INEXACT, native
from ..core.lift import is_lifted
from ..core.positions import decode, here
from ..core.refusals import stays_here
from ..core.rows import rows_of, stilled
from ..core.state import (
    AVALS,
    CARD,
    KEYS,
    KX,
    OUT,
    OUTS,
    RUN,
    Recorder,
    next_key,
    only,
    pop,
    push,
    state,
)
from ..core.sweep import run_item, unpack, unsupported_error, wrap
from ..core.tensor import Tensor, new_tensor, raw, settled
from ..core.tree import _children, flatten, tree_map
from ..core.variable import Variable
from ..errors import DTypeError, ShapeError, TapeStateError, three_part
from .custom_rule import pushed
from .sweeping import wants_zero


class _Player(Recorder):
    """A recorder that plays what it is given forwards."""

    __slots__ = ("most", "primals", "seen", "tangents")
    is_general = True  # the fast path cannot hand it all operands

    def __init__(self) -> None:
        super().__init__(auto_watch=False, keep_all=True)
        self.tangents: dict[int, Any] = {}
        self.primals: list[int] = []  # their keys, which are kept
        self.seen: weakref.WeakKeyDictionary[Recorder, set[int]] = weakref.WeakKeyDictionary()
        self.most = _FEW  # tangents, before looking which are still asked for
        self.record = self.play

    def play(self, rec: list[Any]) -> None:
        tangents = self.tangents
        if rec[RUN] is run_item:
            t = tangents.get(rec[KX])
            if t is not None:
                tangents[rec[OUT]] = t[rec[7]]
            return
        if len(tangents) > self.most:
            self.forget()
            self.most = max(_FEW, 2 * len(tangents))
        card = rec[CARD]
        ts = [tangents.get(k) if k > 0 else None for k in rec[KEYS]]
        if all(t is None for t in ts):
            return
        if len(state.tapes) > 1:
            self.keep_for_tapes(rec, ts)
        older = state.tapes[: state.tapes.index(self)]
        with only(older), np.errstate(all="ignore"):
            if card.push is not None:
                moves = tuple(card.push(unpack(rec, wrap)[1], ts)[1])
                tangents[rec[OUT]] = moves if rec[OUTS] is not None else moves[0]
                return
            if card.kind == "custom":
                tangents[rec[OUT]] = pushed(rec, ts)
                return
            keys, operands, out, params = unpack(rec, wrap if older or state.levels else None)
            if card.jvps is None:
                raise unsupported_error(rec)
            t = card.jvp(ts, out, operands, params)
            rows = rows_of(card, params)
            if rows is not None and t is not None:
                t = stilled(rows, ts, rec[AVALS], params, t)
            if t is not None:
                tangents[rec[OUT]] = t

    def keep_for_tapes(self, rec: list[Any], ts: list[Any]) -> None:
        """Hold the keys of a record for the tapes that have it too, as long as these live.

        A tape that does not follow an operand records -k, another int. When its sweep hands out
        the value again, with the key k, the tangent must still be there.
        """
        keys = rec[KEYS]
        around = {abs(k) for k in keys} | {t.key for t in ts if isinstance(t, Tensor)}
        for tape in state.tapes:
            if not isinstance(tape, _Player) and not tape.tracked.isdisjoint(around):
                self.seen.setdefault(tape, set()).update(k for k in keys if k > 0)

    def forget(self) -> None:
        """Drop the tangents of values that nothing refers to any more."""
        tangents, tracked = self.tangents, self.tracked
        for k in list(tangents):
            held = sum((k in p.tangents) + (k in p.tracked) for p in _active)
            if _getrefcount(k) <= _LOOKING + held:
                del tangents[k]
                tracked.discard(k)


_FEW = 64
_getrefcount = sys.getrefcount
_active: list[_Player] = []  # those of all threads: what each holds keeps no value alive


def _calibrate_looking() -> int:
    """The reference count of a key that `forget` meets and nothing else refers to."""
    for k in list(dict.fromkeys([next_key() + (1 << 40)])):
        return _getrefcount(k)
    raise AssertionError


_LOOKING = _calibrate_looking()


class ForwardAccumulator:
    """Derivatives in one direction, computed beside the values and without a tape.

    Parameters
    ----------
    primals : Tensor, Variable, or a tree of them
        What moves.
    tangents : array_like or tree
        How each moves, in the structure of `primals` and their shapes.

    Raises
    ------
    DTypeError
        If a primal is no Tensor, or no floating one.
    ShapeError
        (a `ValueError`) If the structures or shapes differ, or a primal occurs twice.
    TapeStateError
        If it is entered twice at once.

    Notes
    -----
    Nests with tapes and with other accumulators: a tape inside and `jvp` of its gradient is a
    product with the Hessian. Unlike TensorFlow, shapes are checked. The tangent of a value is
    kept as long as the value is (by a variable of Python's or by a tape), so memory does not grow
    with the number of operations.

    Examples
    --------
    >>> import gradtape as gt
    >>> x = gt.Variable([1.0, 2.0])
    >>> with gt.ForwardAccumulator(x, [1.0, 0.0]) as acc:
    ...     y = x * x
    >>> acc.jvp(y)
    Tensor([2., 0.], shape=(2,), dtype=float64)
    """

    __slots__ = ("_active", "_player")
    __reduce_ex__ = stays_here

    def __init__(self, primals: Any, tangents: Any) -> None:
        self._player = _Player()
        self._active = False
        for primal, tangent in _pairs(primals, tangents):
            self._watch(primal, tangent)

    def _watch(self, primal: Any, tangent: Any) -> None:
        if not isinstance(primal, Tensor) or raw(primal).dtype.char not in INEXACT:
            what = primal.aval if isinstance(primal, Tensor) else type(primal).__name__
            raise DTypeError(
                three_part(
                    f"ForwardAccumulator: a primal is {what!r}.",
                    f"It was passed at {decode(*here(4))}.",
                    "Pass floating Tensors and Variables: x = gt.array([1.0, 2.0]).",
                )
            )
        value = primal.value if isinstance(primal, Variable) else primal.read()
        dtype = native(value.dtype)
        if dtype.kind != "c" and np.iscomplexobj(raw(tangent)):
            raise DTypeError(
                three_part(
                    f"ForwardAccumulator: a primal is {dtype}, its tangent is complex.",
                    f"They were passed at {decode(*here(4))}; a real value moves along the real "
                    "axis.",
                    "Pass the tangent's real part, or make the primal complex.",
                )
            )
        t = tangent if isinstance(tangent, Tensor) else settled(np.array(tangent, dtype))
        if t.shape != value.shape:
            raise ShapeError(
                three_part(
                    f"ForwardAccumulator: a primal has shape {value.shape}, its tangent {t.shape}.",
                    f"They were passed at {decode(*here(4))}; a tangent is not broadcast.",
                    f"Pass np.broadcast_to(t, {value.shape}), or np.ones_like(x).",
                )
            )
        if isinstance(t, Tensor):
            t = t if t.dtype == dtype else t.astype(dtype)
            t = t if t.key or is_lifted(t) else raw(t)
        if not primal.key:
            primal.key = next_key()
        if primal.key in self._player.tangents:
            raise ShapeError(
                three_part(
                    "ForwardAccumulator: a primal was passed twice.",
                    f"They were passed at {decode(*here(4))}; each moves in one way.",
                    "Pass the sum of its tangents, once.",
                )
            )
        self._player.tangents[primal.key] = t
        self._player.primals.append(primal.key)
        self._player.tracked.add(primal.key)
        if isinstance(primal, Variable):
            self._player.leaves[primal.key] = primal

    def __enter__(self) -> ForwardAccumulator:
        if self._active:
            raise TapeStateError(
                three_part(
                    "ForwardAccumulator: it is active already.",
                    f"It was entered again at {decode(*here())}.",
                    "Leave the `with` block first, or make another.",
                )
            )
        self._active = True
        _active.append(self._player)
        push(self._player)
        return self

    def __exit__(self, *_: object) -> None:
        self._active = False
        _active.remove(self._player)
        pop(self._player)

    def jvp(self, primals: Any, unconnected_gradients: Any = "none") -> Any:
        """The tangents of what was computed inside the context.

        Parameters
        ----------
        primals : Tensor, Variable, or a tree of them
        unconnected_gradients : {"none", "zero"}
            What is given where there is no tangent.

        Returns
        -------
        Tensor, None, or a tree of them
            In the structure, shapes and dtypes of `primals`. Works after the context too.
        """
        zero = wants_zero(unconnected_gradients)

        def of(x: Any) -> Any:
            if not isinstance(x, Tensor):
                raise DTypeError(
                    three_part(
                        f"ForwardAccumulator.jvp: asked of {x!r:.60}, which is no Tensor.",
                        f"Asked for at {decode(*here(4))}.",
                        "Ask for Tensors that were computed inside the context.",
                    )
                )
            t = self._player.tangents.get(x.key)
            value = x.value if isinstance(x, Variable) else x.read()
            dtype = native(value.dtype)
            if t is None:
                return new_tensor(settled(np.zeros(value.shape, dtype))) if zero else None
            if t.shape != value.shape:
                t = np.broadcast_to(t, value.shape)
            if t.dtype != dtype:
                t = (np.real(t) if dtype.kind != "c" else t).astype(dtype)
            return t if isinstance(t, Tensor) else new_tensor(settled(np.array(t)))

        return tree_map(of, primals)


def _pairs(primals: Any, tangents: Any) -> list[tuple[Any, Any]]:
    if isinstance(primals, Tensor):
        return [(primals, tangents)]
    node, found = _children(primals), _children(tangents)
    if node is None:
        return [(primals, tangents)]
    if found is None or len(node[0]) != len(found[0]) or set(node[2]) != set(found[2]):
        raise ShapeError(
            three_part(
                f"ForwardAccumulator: primals are {len(flatten(primals)[0])} in a "
                f"{type(primals).__name__}, tangents a {type(tangents).__name__}.",
                f"They were passed at {decode(*here(4))}.",
                "Pass tangents in the structure of the primals.",
            )
        )
    by_name = dict(zip(found[2], found[0], strict=True))
    return [
        pair
        for name, child in zip(node[2], node[0], strict=True)
        for pair in _pairs(child, by_name[name])
    ]
