"""Checks for ops: `op_case(np.sin, domain=(-3, 3))` tests a card by mathematics and by NumPy.

Public, for third-party ops too. A case runs a function on Tensors and checks by itself:

`value`    equals NumPy's, in value, shape and dtype
`vjp`      agrees with central differences
`jvp`      agrees with the vjp by the dot-product test
`second`   the derivative of the vjp agrees with central differences of it
`shape`    the shape rule gives the shape and dtype of the result
`batch`    the batching rule, called directly, equals a loop over the batch
`float32`  the same gradient in single precision, in that dtype
`strides`  the same gradient for non-contiguous and Fortran-ordered operands

Slots that the engine adds later: `traced`, `compiled`. Every slot is checked unless it is named in
`skip` with a reason.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from . import ops as _ops  # fills the dispatch tables
from .core.aval import Aval, aval_of, is_differentiable
from .core.cards import Card
from .core.state import AVALS, CARD, KEYS, PARAMS, RUN, Recorder, next_key, pop, push
from .core.sweep import backward, forward, run_item, unpack
from .core.tensor import Tensor, new_tensor, raw
from .core.tree import flatten

__all__ = ["SLOTS", "OpCase", "op_case"]

SLOTS = ("value", "vjp", "jvp", "second", "shape", "batch", "float32", "strides")
UNARY_SHAPES: tuple[tuple[int, ...], ...] = ((), (3,), (2, 3), (0,), (2, 1, 2))
BINARY_SHAPES = (((), ()), ((3,), (3,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((), (2, 2)),
                 ((2, 2), ()), ((0, 3), (3,)))  # fmt: skip
# relative tolerances: NumPy's own value; central differences; exact linear algebra; float32
_ = _ops
TOLERANCE = {"value": 1e-14, "difference": 2e-6, "dot": 1e-9, "float32": 2e-4}


class OpCase:
    """One op with the operands it is tested on; `check()` runs every slot, `str()` names it.

    See `op_case` for the arguments.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        domain: Any = (-2.0, 2.0),
        calls: Sequence[Any] | None = None,
        kwargs: Sequence[Mapping[str, Any]] = ({},),
        nin: int | None = None,
        wrt: Sequence[int] | None = None,
        complex: bool = False,
        reference: Callable[..., Any] | None = None,
        skip: Mapping[str, str] | None = None,
        tolerance: Mapping[str, float] | None = None,
        seed: int = 0,
    ) -> None:
        self.function = function
        self.name: str = name or str(getattr(function, "__name__", "op"))
        self.domain = domain
        self.kwargs = tuple(kwargs)
        self.nin = nin if nin is not None else getattr(function, "nin", 1)
        self.calls = (
            calls if calls is not None else (UNARY_SHAPES if self.nin == 1 else BINARY_SHAPES)
        )
        self.wrt = wrt
        self.complex = complex
        self.reference = reference or function
        self.skip = dict(skip or {})
        unknown = set(self.skip) - set(SLOTS)
        assert not unknown, f"op_case({self.name}): unknown slots {unknown}; there are {SLOTS}"
        self.tolerance = {**TOLERANCE, **(tolerance or {})}
        self.seed = seed

    def __str__(self) -> str:
        return self.name

    # -------------------------------------------------------------------- the operands

    def _operands(self, spec: Any, rng: np.random.Generator, dtype: Any) -> list[Any]:
        """Operands for one call: a shape becomes a random array, anything else is used as is."""
        if isinstance(spec, tuple) and all(isinstance(n, int) for n in spec):
            spec = (spec,) * self.nin if self.nin == 1 else (spec,)
        operands = []
        for i, item in enumerate(spec):
            if isinstance(item, tuple) and all(isinstance(n, int) for n in item):
                operands.append(self._draw(i, item, rng, dtype))
            elif isinstance(item, np.ndarray) and item.dtype.kind in "fc":
                operands.append(item.astype(dtype) if item.dtype.kind == "f" else item)
            else:
                operands.append(item)
        return operands

    def _draw(self, i: int, shape: tuple[int, ...], rng: np.random.Generator, dtype: Any) -> Any:
        domain = self.domain
        if isinstance(domain, list):
            domain = domain[i]
        if callable(domain):
            x = np.asarray(domain(rng, shape))
            if np.dtype(dtype).kind == "c" and x.dtype.kind != "c":
                x = x + 0.3j * domain(rng, shape)
            return x.astype(dtype)[()]
        low, high = domain
        # distinct values at least a step apart, so that no tie or kink is met by accident
        count = max(int(np.prod(shape)), 1)
        steps = (rng.permutation(count) + rng.uniform(0.25, 0.75, count)) / count
        x = (low + (high - low) * steps)[: int(np.prod(shape))].reshape(shape)
        if np.dtype(dtype).kind == "c":
            x = x + 1j * rng.uniform(0.3, 1.0, shape)
        return x.astype(dtype)[()]

    def examples(self, dtype: Any = np.float64) -> Iterator[tuple[str, list[Any], dict[str, Any]]]:
        """(label, operands, keyword arguments) of every call of this case."""
        rng = np.random.default_rng(self.seed)
        for spec, kwargs in itertools.product(self.calls, self.kwargs):
            operands = self._operands(spec, rng, dtype)
            shapes = ", ".join(str(np.shape(x)) for x in operands)
            yield f"{self.name}[{shapes}] {dict(kwargs) or ''}", operands, dict(kwargs)

    # -------------------------------------------------------------------- the checks

    def check(self) -> None:
        """Run every slot that is not skipped; AssertionError names the slot and the call."""
        dtypes = [np.float64, *([np.complex128] if self.complex else [])]
        for dtype in dtypes:
            for label, operands, kwargs in self.examples(dtype):
                self._check_call(f"{label} {np.dtype(dtype)}", operands, kwargs)
        if "float32" not in self.skip:
            for (label, operands, kwargs), (_, wide, _) in zip(
                self.examples(np.float32), self.examples(np.float64), strict=True
            ):
                self._check_float32(label, operands, wide, kwargs)

    def _check_call(self, label: str, operands: list[Any], kwargs: dict[str, Any]) -> None:
        rng = np.random.default_rng(self.seed + 1)
        wrt = self._wrt(operands)
        run = Run(self.function, operands, kwargs, wrt)
        if "value" not in self.skip:
            expected = self.reference(*operands, **kwargs)
            assert run.many == isinstance(expected, tuple | list), f"{label}: one or many results"
            _check_value(label, run.outs, flatten(expected)[0], self.tolerance["value"])
        cts = [_direction(rng, raw(o)) if is_differentiable(o.dtype) else None for o in run.outs]
        gradients = run.vjp(cts)
        for i, g in zip(wrt, gradients, strict=True):
            assert g.shape == np.shape(operands[i]), f"{label}: vjp {i} has shape {g.shape}"
        directions = [_direction(rng, operands[i]) for i in wrt]
        if "vjp" not in self.skip:
            self._check_vjp(label, operands, kwargs, wrt, cts, gradients, directions)
        if "jvp" not in self.skip:
            self._check_jvp(label, run, cts, gradients, directions)
        if "second" not in self.skip:
            self._check_second(label, operands, kwargs, wrt, cts, gradients, directions)
        run.check_rules(label, "shape" not in self.skip, "batch" not in self.skip, self.tolerance)
        if "strides" not in self.skip:
            for variant in (_reversed_strides, np.asfortranarray):
                laid_out = [
                    variant(x) if isinstance(x, np.ndarray) and i in wrt else x
                    for i, x in enumerate(operands)
                ]
                again = Run(self.function, laid_out, kwargs, wrt).vjp(cts)
                for g, h in zip(gradients, again, strict=True):
                    _close(f"{label}: vjp with other strides", h, g, 1e-12)

    def _wrt(self, operands: list[Any]) -> list[int]:
        if self.wrt is not None:
            return list(self.wrt)
        return [
            i for i, x in enumerate(operands)
            if isinstance(x, np.ndarray | np.generic) and is_differentiable(x.dtype)
        ]  # fmt: skip

    def _evaluate(self, operands: list[Any], kwargs: dict[str, Any]) -> list[Any]:
        with np.errstate(all="ignore"):
            return [np.asarray(o) for o in flatten(self.reference(*operands, **kwargs))[0]]

    def _check_vjp(
        self,
        label: str,
        operands: list[Any],
        kwargs: dict[str, Any],
        wrt: list[int],
        cts: list[Any],
        gradients: list[Any],
        directions: list[Any],
    ) -> None:
        for i, g, d in zip(wrt, gradients, directions, strict=True):

            def along(h: float, i: int = i, d: Any = d) -> list[Any]:
                moved = list(operands)
                moved[i] = operands[i] + h * d
                return self._evaluate(moved, kwargs)

            numeric = _difference(along, cts)
            exact = _real_dot(g, d)
            assert _near(exact, numeric, self.tolerance["difference"]), (
                f"{label}: vjp of operand {i} is {exact!r}, central differences give {numeric!r}"
            )

    def _check_jvp(
        self, label: str, run: Run, cts: list[Any], gradients: list[Any], directions: list[Any]
    ) -> None:
        tangents = run.jvp(directions)
        left = sum(_real_dot(ct, t) for ct, t in zip(cts, tangents, strict=True) if ct is not None)
        right = sum(_real_dot(g, d) for g, d in zip(gradients, directions, strict=True))
        assert _near(left, right, self.tolerance["dot"]), (
            f"{label}: jvp gives {left!r} where the vjp gives {right!r}"
        )
        for o, t in zip(run.outs, tangents, strict=True):
            if is_differentiable(o.dtype):
                assert np.shape(t) == o.shape, (
                    f"{label}: jvp has shape {np.shape(t)}, not {o.shape}"
                )

    def _check_second(
        self,
        label: str,
        operands: list[Any],
        kwargs: dict[str, Any],
        wrt: list[int],
        cts: list[Any],
        gradients: list[Any],
        directions: list[Any],
    ) -> None:
        outer = Recorder()
        keyed: list[Any] = list(operands)
        for i in wrt:
            keyed[i] = new_tensor(operands[i], next_key())
            outer.tracked.add(keyed[i].key)
            outer.leaves[keyed[i].key] = None
        push(outer)
        try:
            run = Run(self.function, keyed, kwargs, wrt)
            first = run.vjp(cts)
            for g, plain in zip(first, gradients, strict=True):
                _close(f"{label}: the gradient while another tape records", g, plain, 1e-12)
            total = None
            for g, d in zip(first, directions, strict=True):
                part = np.sum(np.real(np.conjugate(g) * d) if np.iscomplexobj(d) else g * d)
                total = part if total is None else total + part
        finally:
            pop(outer)
        if not isinstance(total, Tensor):
            seconds = [np.zeros(np.shape(operands[i])) for i in wrt]
        else:
            found: dict[int, Any] = {total.key: np.ones(())[()]}
            backward(outer, found, {keyed[i].key for i in wrt}, False)
            seconds = [found.get(keyed[i].key, np.zeros(np.shape(operands[i]))) for i in wrt]

        def along(h: float) -> list[Any]:
            moved = list(operands)
            for i, d in zip(wrt, directions, strict=True):
                moved[i] = operands[i] + h * d
            return list(Run(self.function, moved, kwargs, wrt).vjp(cts))

        numeric = _difference(along, directions)
        exact = sum(_real_dot(g, d) for g, d in zip(seconds, directions, strict=True))
        assert _near(exact, numeric, 10 * self.tolerance["difference"]), (
            f"{label}: second derivative is {exact!r}, central differences give {numeric!r}"
        )

    def _check_float32(
        self, label: str, operands: list[Any], wide: list[Any], kwargs: dict[str, Any]
    ) -> None:
        wrt = self._wrt(wide)
        kwargs_ = dict(kwargs)
        run, reference = (Run(self.function, x, kwargs_, wrt) for x in (operands, wide))
        cts = [np.ones_like(raw(o)) if is_differentiable(o.dtype) else None for o in reference.outs]
        narrow = [
            None if ct is None else np.ones_like(raw(o))
            for ct, o in zip(cts, run.outs, strict=True)
        ]
        for g, h, i in zip(run.vjp(narrow), reference.vjp(cts), wrt, strict=True):
            assert g.dtype == operands[i].dtype, f"{label} float32: gradient has dtype {g.dtype}"
            _close(f"{label} float32", g, h, self.tolerance["float32"])


class Run:
    """One call of a function on Tensors under a recorder that keeps everything."""

    def __init__(
        self, function: Any, operands: Sequence[Any], kwargs: dict[str, Any], wrt: Sequence[int]
    ) -> None:
        self.recorder = Recorder(keep_all=True)
        args = list(operands)
        for i in wrt:
            if isinstance(args[i], Tensor):
                args[i] = np.positive(args[i])
            else:
                args[i] = new_tensor(args[i], next_key())
            self.recorder.tracked.add(args[i].key)
            self.recorder.leaves[args[i].key] = None
        push(self.recorder)
        try:
            with np.errstate(all="ignore"):
                out = function(*args, **kwargs)
        finally:
            pop(self.recorder)
        self.inputs = [args[i] for i in wrt]
        outs = [o if isinstance(o, Tensor) else new_tensor(np.asarray(o)) for o in flatten(out)[0]]
        for o in outs:
            o.read()
        self.outs = outs
        self.many = isinstance(out, tuple | list)

    def vjp(self, cts: Sequence[Any]) -> list[Any]:
        """Cotangents of the inputs; Tensors while another recorder is active."""
        from .core.state import state

        seeds: dict[int, Any] = {}
        for o, ct in zip(self.outs, cts, strict=True):
            if ct is None or not o.key:
                continue
            ct = new_tensor(np.array(ct)[()]) if state.tapes else np.array(ct)[()]
            seeds[o.key] = ct if o.key not in seeds else seeds[o.key] + ct
        grads = seeds
        backward(self.recorder, grads, {x.key for x in self.inputs}, False)
        found = []
        for x in self.inputs:
            g = grads.get(x.key)
            if g is None:
                g = np.zeros(x.shape, x.dtype)
            elif g.dtype.kind == "c" and x.dtype.kind != "c":
                g = np.real(g)
            found.append(g if g.dtype == x.dtype else g.astype(x.dtype))
        return found

    def jvp(self, tangents: Sequence[Any]) -> list[Any]:
        """Tangents of the outputs."""
        start = {x.key: t for x, t in zip(self.inputs, tangents, strict=True)}
        found = forward(self.recorder, start)
        return [
            found.get(o.key, np.zeros(o.shape)) if o.key else np.zeros(o.shape) for o in self.outs
        ]

    def check_rules(
        self, label: str, shape: bool, batch: bool, tolerance: Mapping[str, float]
    ) -> None:
        """The shape and batching rules of every card that the call recorded."""
        for rec in list(self.recorder.ops):
            if rec[RUN] is run_item:
                continue
            card: Card = rec[CARD]
            keys, operands, out, params = unpack(rec)
            if type(rec[KEYS]) is not tuple:
                if any(type(x) is Aval for x in operands):
                    operands = [
                        x if type(x) is not Aval else _stand_in(x, out)
                        for x in operands
                    ]
                out = card.impl(*operands)
            where = f"{label}: {card.name}"
            if shape and card.shape_rule is not None:
                avals = rec[AVALS] if type(rec[KEYS]) is tuple else [aval_of(x) for x in operands]
                ruled = card.shape(avals, rec[PARAMS] if type(rec[KEYS]) is tuple else {})
                results = out if isinstance(out, tuple | list) else (out,)
                rules = ruled if isinstance(ruled, tuple | list) else (ruled,)
                assert len(results) == len(rules), f"{where}: shape rule gives {len(rules)} outputs"
                for r, s in zip(results, rules, strict=True):
                    assert s == aval_of(r), f"{where}: shape rule {s!r}, result {aval_of(r)!r}"
            else:
                assert not shape, f"{where}: no shape rule"
            if batch:
                assert card.batch_rule is not None, f"{where}: no batching rule"
                _check_batch(where, card, operands, [k != 0 for k in keys], params)


def op_case(function: Callable[..., Any], **options: Any) -> OpCase:
    """A case for an op: `op_case(np.sin, domain=(-3, 3)).check()`.

    Parameters
    ----------
    function : callable
        What is tested, called with operands and keyword arguments; without Tensors it must be
        NumPy's own (or pass `reference`).
    domain : (low, high), list of them per operand, or `f(rng, shape) -> array`
        Where operands are drawn from; keep away from kinks and poles by a step or two.
    calls : sequence
        What the function is called on. For one operand a shape; else a tuple with one entry per
        operand: a shape (drawn from the domain) or any other value (used as it is). By default
        0-d, 1-d, 2-d, empty and, for two operands, broadcasting shapes.
    kwargs : sequence of dict
        Every call is made with each of them.
    nin : int
        Number of drawn operands, for functions that are not ufuncs.
    wrt : sequence of int
        Operands to differentiate; by default the floating ones.
    complex : bool
        Also test complex128.
    reference : callable
        Gives the expected value, NumPy's own function by default.
    skip : dict
        Slot -> reason. A reason is also listed in `tests/test_completeness.py`.
    tolerance : dict
        Overrides of `TOLERANCE`, beside the reason.

    Examples
    --------
    >>> import numpy as np
    >>> op_case(np.sin, domain=(-3, 3), complex=True).check()
    """
    return OpCase(function, **options)


# ------------------------------------------------------------------------------- helpers


def _stand_in(aval: Aval, out: Any) -> Any:
    """Positive numbers for an operand whose value was not kept, complex where `out` is."""
    values = np.linspace(0.5, 1.5, aval.size).reshape(aval.shape)
    return values + 0j if out.dtype.kind == "c" else values


def _direction(rng: np.random.Generator, like: Any) -> Any:
    d = rng.normal(size=np.shape(like))
    if np.iscomplexobj(like):
        d = d + 1j * rng.normal(size=np.shape(like))
    return np.asarray(d)[()]


def _real_dot(a: Any, b: Any) -> float:
    return float(np.real(np.vdot(np.asarray(raw(a)), np.asarray(raw(b)))))


def _difference(along: Callable[[float], list[Any]], weights: Sequence[Any]) -> float:
    """The derivative at 0 of `sum <weights, along(h)>`.

    By Richardson's extrapolation of two central differences (error h^4).
    """

    def central(h: float) -> float:
        plus, minus = along(h), along(-h)
        return sum(
            _real_dot(w, (np.asarray(raw(p)) - np.asarray(raw(m))) / (2 * h))
            for w, p, m in zip(weights, plus, minus, strict=True)
            if w is not None
        )

    h = 2e-4
    return (4 * central(h) - central(2 * h)) / 3


def _near(a: float, b: float, tolerance: float) -> bool:
    return bool(abs(a - b) <= tolerance * (1 + max(abs(a), abs(b))))


def _close(label: str, found: Any, expected: Any, tolerance: float) -> None:
    found, expected = np.asarray(raw(found)), np.asarray(raw(expected))
    assert found.shape == expected.shape, f"{label}: shape {found.shape}, not {expected.shape}"
    scale = 1 + np.max(np.abs(expected[np.isfinite(expected)]), initial=0)
    with np.errstate(all="ignore"):
        ok = (np.abs(found - expected) <= tolerance * scale) | (found == expected)
    ok |= np.isnan(found) & np.isnan(expected)
    assert np.all(ok), f"{label}: {found!r}, not {expected!r}"


def _check_value(label: str, outs: list[Tensor], expected: list[Any], tolerance: float) -> None:
    assert len(outs) == len(expected), f"{label}: {len(outs)} results, not {len(expected)}"
    for o, e in zip(outs, expected, strict=True):
        e = np.asarray(e)
        assert o.dtype == e.dtype, f"{label}: dtype {o.dtype}, NumPy gives {e.dtype}"
        _close(label, o, e, tolerance)


def _reversed_strides(x: Any) -> Any:
    """The same values in memory that runs backwards with gaps."""
    if x.ndim == 0:
        return x
    store = np.zeros(tuple(2 * n for n in x.shape), x.dtype)
    view = store[tuple(slice(None, None, -2) for _ in x.shape)]
    view[...] = x
    return view


def _check_batch(
    where: str, card: Card, operands: Sequence[Any], batched: list[bool], params: dict[str, Any]
) -> None:
    size = 3
    rng = np.random.default_rng(7)
    able = [i for i, b in enumerate(batched) if b]
    choices = [able, *([[i] for i in able] if len(able) > 1 else [])]
    for chosen, place in itertools.product(choices, ("first", "last")):
        stacked, axes = list(operands), [None] * len(operands)
        for i in chosen:
            x = np.asarray(operands[i])
            axis: Any = 0 if place == "first" else x.ndim
            scales = 1 + 0.03 * rng.permutation(size)
            parts = [(x * s).astype(x.dtype) for s in scales]
            stacked[i], axes[i] = np.stack(parts, axis=axis), axis
        with np.errstate(all="ignore"):
            out, out_axis = card.batch(size, stacked, axes, params)
            slices = []
            for n in range(size):
                one = [
                    x if a is None else np.take(x, n, axis=a)
                    for x, a in zip(stacked, axes, strict=True)
                ]
                slices.append(card.impl(*one, **params))
        many = isinstance(out, tuple | list)
        outs = out if many else (out,)
        out_axes = out_axis if many else (out_axis,)
        for j, (o, a) in enumerate(zip(outs, out_axes, strict=True)):
            expected = np.stack([np.asarray(s[j] if many else s) for s in slices], axis=a)
            _close(f"{where}: batch rule, batch at {axes}", o, expected, 1e-12)
