"""What a function does with taints of which only the name is known.

The user's own functions are looked into (`flow.py`); these are NumPy's, Python's and those of other
packages. Unless something else is said here, what a function returns is tainted if an argument is.
"""

from __future__ import annotations

from collections.abc import Callable

from .machine import Call, Machine, Slot
from .taint import Taint, item, join, made, subscript, whole

# What these return has no derivative, or is no number; the last two say that a break is meant.
CLEAN = frozenset(
    ["print", "str", "repr", "format", "len", "bool", "int", "round", "range", "isinstance",
     "issubclass", "hasattr", "type", "id", "hash", "any", "all", "callable", "slice",
     "floor", "ceil", "trunc", "rint", "fix", "sign", "signbit", "around", "floor_divide",
     "isclose", "isfinite", "isinf", "isnan", "isreal", "allclose", "array_equal", "is_integer",
     "greater", "greater_equal", "less", "less_equal", "equal", "not_equal",
     "logical_and", "logical_or", "logical_xor", "logical_not",
     "argmax", "argmin", "argsort", "argpartition", "argwhere", "nonzero", "flatnonzero",
     "count_nonzero", "searchsorted", "digitize", "idxmax", "idxmin", "nanargmax", "nanargmin",
     "shape", "ndim", "size", "result_type", "zeros_like", "ones_like", "empty_like",
     "bincount", "histogram_bin_edges", "assert_allclose", "assert_array_equal",
     "choice", "choices", "integers", "randint", "permutation", "binomial", "multinomial",
     "negative_binomial", "poisson", "geometric", "hypergeometric",
     "value", "stop_gradient"]
)  # fmt: skip
_INTO_OWNER = frozenset(
    ["append", "appendleft", "extend", "insert", "add", "update", "setdefault", "put", "fill",
     "itemset", "put_nowait", "__setitem__"]
)  # fmt: skip
_INTO_FIRST = frozenset(
    ["copyto", "put", "place", "putmask", "put_along_axis", "fill_diagonal", "at", "heappush"]
)


def write(machine: Machine, call: Call) -> None:
    """Taint what a call writes into: `parts.append(x)`, `table.update(loss=x)`, `np.copyto(y, x)`.

    Only called where an argument is tainted, or where a value leaves inside the call.
    """
    leaves = machine.is_tainted()
    if call.name in _INTO_FIRST and call.positional:
        machine.write(call.positional[0], "*", True)
    if "out" in call.named:
        machine.write(call.named["out"], "*", True)
    if call.name not in _INTO_OWNER or call.callee.origin is None:
        return
    owner = Slot(None, call.callee.origin[:-1])
    taints = [slot.taint for slot in call.positional]
    if leaves or call.spread:
        taints.append(True)
    for taint in taints:
        if taint is not None:
            machine.write(owner, "*", taint)
    for key, slot in call.named.items():
        if slot.taint is not None:
            machine.write(owner, ("[]", key), slot.taint)


def returned(call: Call) -> Taint:
    """The taint of what a call returns."""
    rule = _RULES.get(call.name)
    if rule is not None and not call.spread:
        found = rule(call)
        if found is not NotImplemented:
            return found
    if call.name[:1].isupper() and not call.spread and not any(map(whole, _positional(call))):
        # a class: what it is given by name is taken for an attribute of that name
        return made((f".{key}", slot.taint) for key, slot in call.named.items())
    return call.is_tainted or whole(call.callee.taint) or None


def _positional(call: Call) -> list[Taint]:
    return [slot.taint for slot in call.positional]


def _items(call: Call) -> list[tuple[object, Taint]]:
    return [(("[]", key), slot.taint) for key, slot in call.named.items()]


def _zip(call: Call) -> Taint:
    parts = enumerate(_positional(call))
    return made([("each", made((("[]", i), item(taint, "*")) for i, taint in parts))])


def _enumerate(call: Call) -> Taint:
    if not call.positional:
        return None
    return made([("each", made([(("[]", 1), item(call.positional[0].taint, "*"))]))])


def _same(call: Call) -> Taint:
    """A container of the same things; the key of `sorted` only chooses."""
    if len(call.positional) != 1 or call.named.keys() - {"key", "reverse", "dtype"}:
        return NotImplemented
    return call.positional[0].taint


def _copy(call: Call) -> Taint:
    return call.receiver.taint if not call.positional else _same(call)


def _chosen(call: Call) -> Taint:
    """One of the arguments, or one of the items of the only one."""
    taints = _positional(call)
    if len(taints) == 1:
        return item(taints[0], "*")
    found: Taint = None
    for taint in taints:
        found = join(found, taint)
    return found


def _dict(call: Call) -> Taint:
    found = made(_items(call))
    for taint in _positional(call):
        found = join(found, taint)
    return found


def _table(call: Call) -> Taint:
    """A data frame that is made of a dict has its columns."""
    taints = _positional(call)
    return taints[0] if taints and type(taints[0]) is tuple else NotImplemented


def _assign(call: Call) -> Taint:
    return join(call.receiver.taint, made(_items(call)))


def _get(call: Call) -> Taint:
    if not call.positional or call.positional[0].const is None:
        return NotImplemented
    found = item(call.receiver.taint, subscript(call.positional[0].const))
    return join(found, call.positional[1].taint) if len(call.positional) > 1 else found


def _where(call: Call) -> Taint:
    if len(call.positional) != 3:
        return NotImplemented
    return any(whole(slot.taint) for slot in call.positional[1:]) or None


_RULES: dict[str, Callable[[Call], Taint]] = {
    "zip": _zip, "enumerate": _enumerate, "min": _chosen, "max": _chosen, "next": _chosen,
    "list": _same, "tuple": _same, "iter": _same, "sorted": _same, "reversed": _same,
    "deepcopy": _same, "float64": _same, "copy": _copy, "dict": _dict, "DataFrame": _table,
    "assign": _assign, "get": _get, "pop": _get, "where": _where,
}  # fmt: skip
