"""What is known of a value that may hold something that left a tape: its *taint*.

`None` is clean, `True` is tainted as a whole. A tuple of `(part, taint)` pairs is an object of
which some parts are tainted: an attribute is `".name"`, an item under a constant key `("[]", key)`,
an item under any other key `"*"`; `"each"` is what an iterator hands out (`zip` and `enumerate`).
So `{"loss": float(loss), "scale": 2.0}["scale"]` is clean, and so are the other attributes of an
object that keeps a loss.
"""

from __future__ import annotations

from typing import Any

Taint = Any

_DEEPEST = 4
_MOST_PARTS = 32
# attributes that say nothing of the numbers
_QUERIES = frozenset(
    ["shape", "ndim", "size", "dtype", "itemsize", "nbytes", "strides", "flags", "index", "columns",
     "__class__", "__name__", "__len__", "name", "names"]
)  # fmt: skip


def join(a: Taint, b: Taint) -> Taint:
    """The taint of a value that has one of these."""
    if a is None or a == b:
        return b
    if b is None:
        return a
    if a is True or b is True:
        return True
    parts = dict(a)
    for key, taint in b:
        parts[key] = join(parts.get(key), taint)
    return _packed(parts)


def _packed(parts: dict[Any, Taint]) -> Taint:
    kept = [(key, taint) for key, taint in parts.items() if taint is not None]
    if len(kept) > _MOST_PARTS:
        return True
    return tuple(sorted(kept, key=repr)) or None


def made(parts: Any) -> Taint:
    """The taint of a container of these (key, taint) pairs; pairs of one key are joined."""
    found: dict[Any, Taint] = {}
    for key, taint in parts:
        if taint is not None:
            found[key] = join(found.get(key), taint)
    return _packed(found)


def is_attribute(key: Any) -> bool:
    """Whether a part is an attribute."""
    return type(key) is str and key[0] == "."


def whole(taint: Taint) -> bool:
    """Whether the value itself, used as a number or a container of numbers, is tainted."""
    if type(taint) is not tuple:
        return taint is True
    return any(whole(part) for key, part in taint if not is_attribute(key))


def item(taint: Taint, key: Any) -> Taint:
    """The taint of `x[key]`, for a key as in a part, or `"*"`: of any item."""
    if type(taint) is not tuple:
        return taint
    found: Taint = None
    for name, part in taint:
        if name == key or name == "*" or (key == "*" and not is_attribute(name)):
            found = join(found, part)
    return found


def attribute(taint: Taint, name: str) -> Taint:
    """The taint of `x.name`."""
    if name in _QUERIES:
        return None
    if type(taint) is not tuple:
        return taint
    return join(dict(taint).get("." + name), whole(taint) or None)


def put(taint: Taint, path: tuple[Any, ...], value: Taint, depth: int = 0) -> Taint:
    """The taint of an object after `value` was stored at `path` in it."""
    if not path:
        return value
    if taint is True:
        return True
    if depth >= _DEEPEST:
        return join(taint, True if whole(value) else None)
    key = path[0]
    parts = dict(taint or ())
    new = put(parts.get(key), path[1:], value, depth + 1)
    parts[key] = join(parts.get(key), new) if key == "*" else new
    return _packed(parts)


def subscript(const: Any) -> Any:
    """The part that `x[const]` names; `const` is a tuple of one constant, or None for no constant.

    A negative index names an item from the end: any.
    """
    if const is None or (isinstance(const[0], int) and const[0] < 0):
        return "*"
    try:
        hash(const[0])
    except TypeError:
        return "*"
    return ("[]", const[0])
