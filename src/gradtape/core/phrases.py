"""What to say of an exit: how the value left, and what to write in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .places import STEPS, is_library

if TYPE_CHECKING:
    from .exits import Exit

WRITERS = frozenset(
    f"numpy.{name}" for name in ("copyto", "put", "place", "putmask", "put_along_axis",
                                 "fill_diagonal")
)  # fmt: skip

# what takes no Tensor for this and fills an array of its own with it
HIDDEN_WRITERS = frozenset(["numpy.full_like", "numpy.nan_to_num"])

_MATH_NAMES = {
    "fabs": "abs", "pow": "power", "asin": "arcsin", "acos": "arccos", "atan": "arctan",
    "atan2": "arctan2", "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh",
    "prod": "prod", "fsum": "sum", "dist": "linalg.norm", "sumprod": "dot", "phase": "angle",
}  # fmt: skip
_SPECIAL = {"gamma": "gamma", "lgamma": "gammaln", "erf": "erf", "erfc": "erfc", "comb": "comb"}

_REMEDIES = {
    "float": "Use the Tensor itself: leave out float(...).",
    "int": "Use the Tensor itself: leave out int(...), which also cuts off the fraction.",
    "complex": "Use the Tensor itself: leave out complex(...), or use x.astype(complex).",
    "numpy.asarray": "Use the Tensor itself: leave out np.asarray(...), or use gt.asarray(...).",
    "numpy.asanyarray": "Use the Tensor itself: leave out np.asanyarray(...).",
    "numpy.array": "Use gt.array(...) in place of np.array(...), or gt.stack([...]).",
    "numpy.ascontiguousarray": "Use the Tensor itself: leave out np.ascontiguousarray(...).",
    "numpy.full": "Use gt.full(...) in place of np.full(...).",
    "numpy.full_like": "Use gt.full(x.shape, value) in place of np.full_like(x, value).",
    "numpy.nan_to_num": "Use np.where(np.isnan(x), value, x) in place of np.nan_to_num(x,"
    " nan=value).",
    "numpy.pad": "Make the array that is padded a Tensor: np.pad(gt.array(x), ...).",
    "numpy.piecewise": "Use np.select([...], [...]) in place of np.piecewise(...).",
    "numpy.r_": "Use gt.concatenate([...]) for arrays, gt.stack([...]) for scalars.",
    "numpy.c_": "Use gt.stack([...], axis=1).",
    "numpy.vectorize": "Write the function for whole arrays (np.where in place of if) and call it"
    " on the Tensor.",
    "numpy.frompyfunc": "Write the function for whole arrays (np.where in place of if) and call"
    " it on the Tensor.",
    **{f"numpy.{name}": f"Use the Tensor itself: leave out np.{name}(...)." for name in (
        "asfortranarray", "require", "asarray_chkfinite", "asmatrix", "matrix", "from_dlpack")},
    "numpy.as_strided": "Use np.lib.stride_tricks.sliding_window_view(x, n), which is followed.",
    "numpy.fromiter": "Use gt.array([...]) or gt.stack([...]) in place of np.fromiter(...).",
    "numpy.ndenumerate": "Iterate over np.ndindex(x.shape), and read x[i].",
    "numpy.einsum": "Pass Tensors, not lists: np.einsum('...', gt.stack([...])).",
    "numpy.nditer": "Write it for whole arrays, or iterate over the Tensor itself: np.nditer gives"
    " plain numbers.",
    "operator": "Pass one Tensor, not a list: gt.stack([...]) in its place; NumPy cannot see the"
    " Tensors in a list.",
    "numpy()": "Leave out .numpy(): NumPy functions take the Tensor.",
    "item()": "Leave out .item(): a 0-d Tensor takes part in arithmetic.",
    "tolist()": "Leave out .tolist(): iterate over the Tensor, or use gt.stack([...]).",
    "__dlpack__": "Leave out from_dlpack: NumPy functions take the Tensor.",
    "store": "Make the array a Tensor: y = gt.zeros(...) in place of np.zeros(...); then"
    " y[i] = x is followed.",
    "out=": "Use the result, y = np.add(a, b), or make `out` a Tensor: gt.empty(...).",
    "call": "Write it with NumPy functions, which take the Tensor, or give it a rule with"
    " @gt.custom_gradient.",
    "tobytes()": "Use the Tensor itself, or gt.value(x) where the bytes are meant.",
    "data": "Use the Tensor itself, or gt.value(x) where the memory is meant.",
    "ctypes": "Give the C function a rule with @gt.custom_gradient.",
    "round": "Use np.round(x), and know that its derivative is zero.",
    **dict.fromkeys(STEPS, "Leave the rounding out: it has no derivative; or give it a rule with"
                    " @gt.custom_gradient."),
    "custom_gradient": "Pass the value to the function as an argument, and return its gradient.",
}


def remedy_for(found: Exit) -> str:
    """What to write in place of this exit."""
    kind, text = found.kind, found.place.text
    in_library = is_library(found.place.code.co_filename)  # where no line of the user's called it
    if found.library and not in_library and not kind.endswith("()"):
        return _remedy_of_library(found.library, found.place.callee)
    _, _, name = kind.rpartition(".")
    if "initial=" in text and name in _JOINS:
        return f"Join it to the result, {_JOINS[name]}, in place of initial=."
    if kind == "numpy.asarray" and "dtype=" in text:
        return "Use x.astype(...) in place of np.asarray(x, dtype=...)."
    return remedy_of(kind)


_CREATED = ("zeros", "ones", "empty", "arange", "linspace", "eye")
_JOINS = {
    "sum": "np.sum(a) + x", "prod": "np.prod(a) * x", "max": "np.maximum(np.max(a), x)",
    "min": "np.minimum(np.min(a), x)",
}  # fmt: skip


def _remedy_of_library(library: str, name: str) -> str:
    if library == "pandas":
        return "Take the numbers out of the table, table.to_numpy(), and use NumPy functions."
    for prefix, room in (("np.linalg", np.linalg), ("np", np)):
        if callable(getattr(room, name, None)) and not isinstance(getattr(room, name), type):
            return f"Use {prefix}.{name}(...), which takes the Tensor."
    return _REMEDIES["call"]


def _is_dtype(found: object) -> bool:
    return isinstance(found, type) and issubclass(found, np.generic)


def _draw(name: str) -> str:
    if name in ("normal", "standard_normal", "laplace", "logistic", "gumbel", "uniform"):
        return f"Draw with plain numbers and scale: x + sigma * rng.{name}(size=x.shape)."
    return "Draw with plain numbers, gt.value(x); @gt.custom_gradient gives the draw a rule."


def _takes_tensors(name: str) -> bool:
    """Whether the NumPy function of this dotted name takes part in NumPy's protocol."""
    found: object = np
    for part in name.split("."):
        found = getattr(found, part, None)
    return isinstance(found, np.ufunc) or hasattr(found, "_implementation")


def is_named(kind: str) -> bool:
    """Whether `remedy_of` knows what this kind of exit is, by itself or by its room."""
    room, _, name = kind.partition(".")
    if kind in _REMEDIES or kind in WRITERS or room in ("math", "cmath", "ndarray"):
        return True
    return room == "numpy" and name in _CREATED and name != "arange"  # its length is not known


def remedy_of(kind: str) -> str:
    """What to write in place of an exit of this kind."""
    if kind in _REMEDIES:
        return _REMEDIES[kind]
    room, _, name = kind.partition(".")
    if room in ("math", "cmath"):
        if name in _SPECIAL:
            return f"Use scipy.special.{_SPECIAL[name]}(x) in place of {kind}(x)."
        return f"Use np.{_MATH_NAMES.get(name, name)}(x) in place of {kind}(x)."
    if kind in WRITERS:
        return "Make the array that is written a Tensor, y = gt.zeros(...); that is followed."
    if room == "numpy":
        if _is_dtype(getattr(np, name, None)):
            return f"Use x.astype(np.{name}) in place of np.{name}(x)."
        if name in _CREATED:
            return f"Use gt.{name}(...) in place of np.{name}(...)."
        if hasattr(np.random, name) and not hasattr(np, name):
            return _draw(name)
        if not _takes_tensors(name):
            return _REMEDIES["call"]
        return (
            f"Pass one Tensor, not a list: np.{name}(gt.stack([...])); np.{name} cannot see the"
            " Tensors in a list."
        )
    if room == "ndarray":
        if name == "__setitem__":
            return _REMEDIES["store"]
        if name == "dot":
            return "Use np.dot(array, x) or array @ x in place of array.dot(x)."
        if name == "fill":
            return "Make the array a Tensor: y = gt.full(shape, x)."
        return f"Use np.{name}(array, x) in place of array.{name}(x)."
    if room == "Generator":
        return _draw(name)
    return "Use NumPy functions on the Tensor itself."


def phrase_of(found: Exit) -> str:
    """How a value left, as the end of a sentence: "float(a) took the value out"."""
    place, kind = found.place, found.kind
    text = place.text
    if found.library:
        where = f" ({text})" if text and len(text) <= 60 else ""
        return f"{found.library} took the value out as a plain array{where}"
    if kind == "store":
        return f"{text or 'an item'} = ... stored the value into a plain array"
    if kind in WRITERS:
        return f"{text or kind} wrote the value into a plain array"
    if kind == "out=":
        return f"out= wrote the value into a plain array ({text})" if text else (
            "out= wrote the value into a plain array"
        )
    if kind == "custom_gradient":
        return f"{text or 'a custom_gradient function'} uses the value without having it as input"
    if kind == "call":
        return f"{text} took the value out as a plain value" if len(text) <= 60 else (
            "a call took the value out as a plain value"
        )
    if kind == "operator":
        what = text if text and len(text) <= 60 else "NumPy"
        return f"{what} took the value out as a plain array"
    name = kind if "." in kind or kind.endswith("()") else f"{kind}()"
    if text and len(text) <= 60:
        name = text if kind.partition(".")[2] in text or kind.rstrip("()") in text else name
    taken = "as a plain number" if kind in ("float", "int", "complex", "item()") else (
        "as a Python float" if kind.startswith(("math.", "cmath.")) else "as a plain array"
    )  # fmt: skip
    return f"{name} took the value out {taken}"
