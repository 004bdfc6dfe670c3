"""`np.einsum` with any subscripts: repeated indices, ellipses, implicit output, sublists.

The signature rewrites every call to one form, explicit letters with the ellipsis spelled out
(`"...i,i"` on a matrix becomes `"ba,a->b"`); the rules know that form alone. The vjp of an operand
is again an einsum: of the cotangent and the other operands, to the operand's own indices.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.batched import as_array
from ..core.cards import primitive
from ..core.contraction import contract
from ..core.positions import decode, user_frame
from ..core.registry import FUNCTIONS
from ..core.rows import Places, Rows
from ..core.tensor import raw
from ..errors import ShapeError, three_part

ndarray = np.ndarray
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SMALL = 4096  # elements below which finding a contraction order costs more than it saves
_MOST = 64  # operands that NumPy takes


# ------------------------------------------------------------------------------- one form


@lru_cache(maxsize=1024)
def _explicit(text: str, ndims: tuple[int, ...]) -> str:
    """Subscripts as the user wrote them, in the form that the rules know."""
    inputs, arrow, output = text.replace(" ", "").partition("->")
    terms = [_labels(term) for term in inputs.split(",")]
    return _written(*_spelled_out(terms, _labels(output) if arrow else None, ndims))


def _written(terms: list[list[Any]], out: list[Any]) -> str:
    names = dict(zip(dict.fromkeys(label for t in terms for label in t), _LETTERS, strict=False))
    inputs = ("".join(names[label] for label in term) for term in terms)
    return ",".join(inputs) + "->" + "".join(names[label] for label in out)


def _sublists(args: tuple[Any, ...]) -> tuple[list[list[Any]], list[Any] | None, list[Any]]:
    """(labels of each operand, labels of the output or None, operands); Ellipsis is a label."""
    pairs = len(args) // 2
    terms = [list(args[2 * n + 1]) for n in range(pairs)]
    out = list(args[-1]) if len(args) % 2 else None
    return terms, out, [args[2 * n] for n in range(pairs)]


def _labels(term: str) -> list[Any]:
    labels: list[Any] = []
    for n, part in enumerate(term.split("...")):
        labels += [Ellipsis, *part] if n else part
    return labels


def _spelled_out(
    terms: list[list[Any]], out: list[Any] | None, ndims: tuple[int, ...]
) -> tuple[list[list[Any]], list[Any]]:
    """Labels with every ellipsis replaced by labels of its own, and the output made explicit."""
    if len(terms) != len(ndims):
        raise ValueError(f"{len(terms)} terms for {len(ndims)} operands")
    covered = [n - len(t) + 1 if Ellipsis in t else 0 for n, t in zip(ndims, terms, strict=True)]
    for n, term, extra in zip(ndims, terms, covered, strict=True):
        if term.count(Ellipsis) > 1 or extra < 0 or (Ellipsis not in term and n != len(term)):
            raise ValueError(f"{len(term) - term.count(Ellipsis)} indices for {n} axes")
    ell: list[Any] = [("...", n) for n in range(max(covered, default=0), 0, -1)]
    full = []
    for term, extra in zip(terms, covered, strict=True):
        if Ellipsis in term:
            at = term.index(Ellipsis)
            term = [*term[:at], *ell[len(ell) - extra :], *term[at + 1 :]]
        full.append(term)
    if out is None:
        every = [label for term in terms for label in term if label is not Ellipsis]
        out = [*ell, *sorted(label for label in set(every) if every.count(label) == 1)]
    elif Ellipsis in out:
        at = out.index(Ellipsis)
        out = [*out[:at], *ell, *out[at + 1 :]]
    elif ell:
        raise ValueError("the output has no ellipsis for the axes that ... stands for")
    if len(set(out)) < len(out) or not set(out) <= {label for term in full for label in term}:
        raise ValueError("an output index is repeated, or no operand has it")
    return full, out


def _signature(*args: Any, **options: Any) -> Any:
    try:
        if isinstance(args[0], str):
            operands = tuple(map(as_array, args[1:]))
            subscripts = _explicit(args[0], tuple(x.ndim for x in operands))
        else:
            terms, out, found = _sublists(args)
            operands = tuple(map(as_array, found))
            subscripts = _written(*_spelled_out(terms, out, tuple(x.ndim for x in operands)))
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise _bad_subscripts(args, str(error)) from None
    _sizes(subscripts, operands, args)
    return operands, {"subscripts": subscripts, **options}


def _bad_subscripts(args: Any, fact: str) -> ShapeError:
    frame = user_frame(3)
    text = repr(args[0]) if args and isinstance(args[0], str) else "with sublists"
    shapes = ", ".join(str(np.shape(raw(x))) for x in args if hasattr(x, "shape"))
    return ShapeError(
        three_part(
            f"einsum {text} does not fit operands of shapes {shapes}: {fact}.",
            f"Called at {decode(frame.f_code, frame.f_lasti)}.",
            "Give each operand one index per axis, the same index the same length: "
            'np.einsum("ij,jk->ik", a, b).',
        )
    )


def _sizes(subscripts: str, operands: Any, args: Any = ()) -> dict[str, int]:
    """The length of each index; an axis of length 1 broadcasts. Errors show the user's `args`."""
    sizes: dict[str, int] = {}
    terms = subscripts.partition("->")[0].split(",")
    for number, (term, x) in enumerate(zip(terms, operands, strict=True)):
        for axis, (label, n) in enumerate(zip(term, x.shape, strict=True)):
            if sizes.setdefault(label, n) != n:
                if 1 not in (n, sizes[label]):
                    raise _bad_subscripts(
                        args,
                        f"axis {axis} of operand {number} has length {n} where the same index has "
                        f"length {sizes[label]} elsewhere",
                    )
                sizes[label] = max(n, sizes[label]) if n and sizes[label] else 0
    return sizes


# ---------------------------------------------------------------------------------- rules


def _impl(*operands: Any, subscripts: str, **options: Any) -> Any:
    return contract(subscripts, *operands, **options)[()]


@lru_cache(maxsize=1024)
def _adjoint(i: int, subscripts: str) -> tuple[str, str, str, str]:
    """Of operand `i` its indices, each once, those that others have; and the sum for its vjp."""
    inputs, output = subscripts.split("->")
    terms = inputs.split(",")
    around = [output, *(term for j, term in enumerate(terms) if j != i)]
    reached = set("".join(around))
    unique = "".join(dict.fromkeys(terms[i]))
    target = "".join(label for label in unique if label in reached)
    return terms[i], unique, target, ",".join(around) + "->" + target


def _vjp(
    i: int, ct: Any, _out: Any, *operands: Any, subscripts: str, optimize: Any = False, **_: Any
) -> Any:
    mine, unique, target, adjoint = _adjoint(i, subscripts)
    shape = operands[i].shape
    others = [
        np.conjugate(x) if x.dtype.kind == "c" else x for j, x in enumerate(operands) if j != i
    ]
    if not others and adjoint == f"{target}->{target}":
        g = ct
    elif type(ct) is ndarray and all(type(x) is ndarray for x in others):
        g = contract(adjoint, ct, *others)
        if target == mine and g.shape == shape:
            return g
    else:
        ordered = bool(optimize) or sum(x.size for x in (ct, *others)) > _SMALL
        g = np.einsum(adjoint, ct, *others, optimize=ordered)
    # an axis of length 1 that was broadcast is summed; an index that only this operand has was
    # summed in the product, so its cotangent is repeated along it
    lengths = [shape[mine.index(label)] for label in unique]
    found = dict(zip(target, g.shape, strict=True))
    summed = tuple(
        n for n, label in enumerate(target) if shape[mine.index(label)] == 1 and found[label] != 1
    )
    if summed:
        g = np.sum(g, axis=summed, keepdims=True)
        found = dict(zip(target, g.shape, strict=True))
    if g.shape != tuple(lengths):
        g = np.broadcast_to(np.reshape(g, tuple(found.get(label, 1) for label in unique)), lengths)
    return g if unique == mine else _on_diagonal(g, unique, mine, shape)


def _on_diagonal(g: Any, unique: str, mine: str, shape: tuple[int, ...]) -> Any:
    """Zeros of `shape`, with `g` where the axes that share an index are equal."""
    first = np.reshape(g, tuple(
        n if mine.index(label) == axis else 1
        for axis, (label, n) in enumerate(zip(mine, shape, strict=True))
    ))  # fmt: skip
    return np.where(_diagonal_mask(mine, shape), first, np.zeros((), g.dtype))


def _diagonal_mask(mine: str, shape: tuple[int, ...]) -> Any:
    mask: Any = np.ones((1,) * len(shape), bool)
    for label in dict.fromkeys(mine):
        axes = [axis for axis, name in enumerate(mine) if name == label]
        for a, b in pairwise(axes):
            steps = [
                np.arange(shape[n]).reshape([-1 if m == n else 1 for m in range(len(shape))])
                for n in (a, b)
            ]
            mask = mask & (steps[0] == steps[1])
    return np.broadcast_to(mask, shape)


def _jvp(
    i: int, t: Any, _out: Any, *operands: Any, subscripts: str, optimize: Any = False, **_: Any
) -> Any:
    operands = (*operands[:i], t, *operands[i + 1 :])
    if not optimize and all(type(x) is ndarray for x in operands):
        return contract(subscripts, *operands)
    return np.einsum(subscripts, *operands, optimize=optimize)


def _shape(*avals: Aval, subscripts: str, dtype: Any = None, **_: Any) -> Aval:
    sizes = _sizes(subscripts, avals)
    dims = tuple(sizes[label] for label in subscripts.partition("->")[2])
    return Aval(dims, dtype or np.result_type(*(a.dtype for a in avals)))


def _batch(_size: int, operands: Any, axes: Any, subscripts: str, **options: Any) -> Any:
    inputs, output = subscripts.split("->")
    new = next(letter for letter in _LETTERS if letter not in subscripts)
    terms = [
        term if b is None else term[:b] + new + term[b:]
        for term, b in zip(inputs.split(","), axes, strict=True)
    ]
    return _impl(*operands, subscripts=",".join(terms) + "->" + new + output, **options), 0


def _takes_diagonal(_ct: Any, _avals: Any, subscripts: str, **_: Any) -> bool:
    return any(len(set(term)) < len(term) for term in subscripts.partition("->")[0].split(","))


def _places(i: int, _avals: Any, _ndim: int, params: dict[str, Any]) -> Places:
    return _places_of(i, params["subscripts"])


@lru_cache(maxsize=1024)
def _places_of(i: int, subscripts: str) -> Places:
    inputs, output = subscripts.split("->")
    return tuple(output.index(n) if n in output else None for n in inputs.split(",")[i])


def _unview(base: Any, new: Any, subscripts: str, **_: Any) -> Any:
    """The operand of `einsum("ii->i", x)` after a write to the result, which is a view of it."""
    mine, output = subscripts.split("->")
    unique = "".join(dict.fromkeys(mine))
    laid = np.transpose(new, tuple(output.index(label) for label in unique))
    if unique == mine:
        return laid
    full = _on_diagonal(laid, unique, mine, base.shape)
    return np.where(_diagonal_mask(mine, base.shape), full, base)


einsum = primitive(
    np.einsum,
    impl=_impl,
    arity=-1,
    signature=_signature,
    vjp=_vjp,
    jvp=_jvp,
    shape=_shape,
    batch=_batch,
    keep={i: tuple(j for j in range(_MOST) if j != i) for i in range(_MOST)},
    keep_out=False,
    drops=_takes_diagonal,
    rows=Rows(_places, flagged=False, sums=True),
)
einsum.unview = _unview
einsum.looks = lambda _laid, _shape, subscripts, dtype=None, **_: (
    dtype is None and _is_rearranged(subscripts)
)


def _is_rearranged(subscripts: str) -> bool:
    """Whether nothing is multiplied or summed, so that NumPy gives a view."""
    mine, output = subscripts.split("->")
    return "," not in mine and set(mine) == set(output)


def _einsum_path(*args: Any, **options: Any) -> Any:
    """`np.einsum_path`: it asks for shapes alone."""
    return np.einsum_path(*(raw(a) for a in args), **options)


FUNCTIONS[np.einsum_path] = _einsum_path
