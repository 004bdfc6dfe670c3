"""Faults seeded in cards, in memory: a function of a rule gets other code, and its own back.

Two sorts. *Written* faults change one place in the source of a rule or of a helper that it calls:
the syntax tree of its file is changed, compiled, and the code object that belongs to the function
is put into it (`function.__code__`), so that every reference to the rule sees the fault. *Whole*
faults wrap a rule of a card: they reach what is derived from numbers, as the partials of `add`.
"""

import ast
import copy
import functools
import gc
import inspect
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from gradtape.core.aval import Aval
from gradtape.core.cards import Card
from gradtape.core.products import make_product, make_run1, make_run2
from gradtape.core.registry import CARDS, HOOKS, load

load()
OPS = "gradtape.ops."


@dataclass(frozen=True)
class Fault:
    """One fault in one card. `text` names it in reports, without line numbers."""

    card: str
    rule: str
    kind: str
    text: str
    seed: Callable[[], Any]  # gives a context manager under which the fault is there
    others: tuple[str, ...] = ()  # cards that use the same function

    def __str__(self) -> str:
        return f"{self.card} ({self.rule}), {self.kind}: {self.text}"


class NotApplicable(Exception):
    """The change makes no other function: the reason says why."""


# ----------------------------------------------------------------------- whole faults


def _map(change: Callable[[Any], Any], value: Any) -> Any:
    """`change` of an array, or of each of a tuple; None stays."""
    if value is None:
        return None
    return tuple(_map(change, v) for v in value) if isinstance(value, tuple) else change(value)


def _after(rules: Any, change: Callable[[Any], Any], only: int | None = None) -> Any:
    """The rules (a tuple or one function) with `change` done to what they return."""
    if callable(rules):

        def one(i: int, *args: Any, **params: Any) -> Any:
            found = rules(i, *args, **params)
            return _map(change, found) if only is None or i == only else found

        return one

    def wrapped(rule: Any) -> Any:
        return rule and (lambda *args, **params: _map(change, rule(*args, **params)))

    return tuple(wrapped(r) if only is None or i == only else r for i, r in enumerate(rules))


@contextmanager
def _slots(card: Card, **changed: Any) -> Iterator[None]:
    before = {name: getattr(card, name) for name in changed}
    for name, value in changed.items():
        setattr(card, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(card, name, value)


def _run_cell(card: Card) -> Any:
    """The cell in which the fast closure of an elementwise card keeps its backward function."""
    operation = HOOKS[f"op:{card.name}"]
    names = operation.__code__.co_freevars
    return operation.__closure__[names.index("run")] if "run" in names else None


@contextmanager
def _partials(card: Card, partials: tuple[Any, ...], run: Any = None) -> Iterator[None]:
    """An elementwise card with other partials, on the general and on the fast path."""
    cell = _run_cell(card)
    before = cell.cell_contents if cell else None
    with _slots(card, partials=partials):
        if cell:
            cell.cell_contents = run or (make_run1 if card.arity == 1 else make_run2)(card)
        try:
            yield
        finally:
            if cell:
                cell.cell_contents = before


def _changed_partial(partial: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(partial, str):
        place = ("out", "x", "y").index(partial)
        return lambda *values: change(values[place])
    if callable(partial):
        return lambda *values: change(partial(*values))
    return change(partial)


def _unsummed(card: Card, i: int) -> Any:
    """The fast backward function without its unbroadcast of operand `i`."""
    whole = make_run2(card)
    product = make_product(card, i)

    def run(rec: list[Any], g: Any, grads: dict[int, Any]) -> None:
        k = rec[5 + i]
        held = list(rec)
        held[5 + i] = 0
        whole(held, g, grads)
        if k > 0:
            gi = product(g, rec[11], rec[9], rec[10])
            grads[k] = gi if grads.get(k) is None else grads[k] + gi

    return run


def _negated(p: Any) -> Any:
    return np.logical_not(p) if np.result_type(p).kind == "b" else -p


def _elementwise_faults(card: Card) -> Iterator[Fault]:
    def with_partial(i: int, change: Any) -> Callable[[], Any]:
        partials = list(card.partials)
        partials[i] = _changed_partial(partials[i], change)
        return lambda: _partials(card, tuple(partials))

    for i, p in enumerate(card.partials):
        if p is None:
            continue
        zero = not callable(p) and not isinstance(p, str) and p == 0
        if not zero:
            yield Fault(card.name, "vjp", "sign", f"partial {i} negated", with_partial(i, _negated))
            yield Fault(card.name, "vjp", "dropped term", f"partial {i} is 0",
                        with_partial(i, lambda p: p * 0))  # fmt: skip
        yield Fault(card.name, "vjp", "constant", f"partial {i} is 0.01 too large",
                    with_partial(i, lambda p: p + 0.01))  # fmt: skip
        if card.arity == 2 and _run_cell(card):
            yield Fault(card.name, "vjp", "missing unbroadcast", f"of operand {i}",
                        lambda i=i: _partials(card, card.partials, _unsummed(card, i)))  # fmt: skip
    if card.arity == 2 and card.partials[0] != card.partials[1] and None not in card.partials:
        yield Fault(card.name, "vjp", "swapped operands", "partials exchanged",
                    lambda: _partials(card, card.partials[::-1]))  # fmt: skip


def _rule_faults(card: Card) -> Iterator[Fault]:
    """Faults of a linear or primitive card in whole rules."""
    operands = [i for i in range(max(card.arity, 1)) if card.has_vjp(i)]
    for i in operands:
        for kind, what, change in (
            ("sign", "negated", lambda g: -g),
            ("dropped term", "0", lambda g: g * 0),
            ("constant", "1 % too large", lambda g: g * 1.01),
        ):
            yield Fault(
                card.name, "vjp", kind, f"cotangent {i} is {what}",
                lambda i=i, change=change: _slots(card, vjps=_after(card.vjps, change, i),
                                                  add_into=None),
            )  # fmt: skip
    if not callable(card.vjps) and len(operands) == 2 == card.arity:
        yield Fault(card.name, "vjp", "swapped operands", "the two rules exchanged",
                    lambda: _slots(card, vjps=card.vjps[::-1]))  # fmt: skip


def _derived_faults(card: Card) -> Iterator[Fault]:
    """Faults in the tangent, shape and batching rules of any card."""
    changes = (
        ("sign", "negated", lambda t: -t),
        ("dropped term", "0", lambda t: t * 0),
        ("constant", "1 % too large", lambda t: t * 1.01),
    )
    for kind, what, change in changes if card.partials != (0,) else ():  # 0 stays 0
        yield Fault(card.name, "jvp", kind, f"tangent is {what}",
                    lambda change=change: _slots(card, jvps=_after(card.jvps, change)))  # fmt: skip

    def other_dtype(dtype: Any) -> Any:
        return np.dtype(np.complex128 if dtype.kind == "f" else np.float64)

    for kind, what, aval in (
        ("shape", "with one more axis", lambda a: Aval((*a.shape, 1), a.dtype)),
        ("shape", "with the axes reversed", lambda a: Aval(a.shape[::-1], a.dtype)),
        ("dtype", "of another dtype", lambda a: Aval(a.shape, other_dtype(a.dtype))),
    ):

        def shape_rule(
            *avals: Any, rule: Any = card.shape_rule, aval: Any = aval, **params: Any
        ) -> Any:
            return _map(aval, rule(*avals, **params))

        yield Fault(card.name, "shape", kind, f"result {what}",
                    lambda rule=shape_rule: _slots(card, shape_rule=rule))  # fmt: skip

    def reversed_batch(
        size: int, operands: Any, axes: Any, rule: Any = card.batch_rule, **params: Any
    ) -> Any:
        out, axis = rule(size, operands, axes, **params)
        if isinstance(out, tuple):
            return tuple(np.flip(o, a) for o, a in zip(out, axis, strict=True)), axis
        return np.flip(out, axis), axis

    yield Fault(card.name, "batch", "order", "batch reversed",
                lambda: _slots(card, batch_rule=reversed_batch))  # fmt: skip

    def wrong_axis(
        size: int, operands: Any, axes: Any, rule: Any = card.batch_rule, **params: Any
    ) -> Any:
        moved = [x if a is None else np.moveaxis(x, a, -1 if a == 0 else 0)
                 for x, a in zip(operands, axes, strict=True)]  # fmt: skip
        return rule(size, moved, axes, **params)

    yield Fault(card.name, "batch", "axis", "another axis taken for the batch",
                lambda: _slots(card, batch_rule=wrong_axis))  # fmt: skip


def whole_faults() -> list[Fault]:
    """Faults in whole rules of every card that has rules."""
    found: list[Fault] = []
    for card in CARDS.values():
        if card.kind == "elementwise":
            found += _elementwise_faults(card)
        elif card.kind in ("linear", "primitive") and card.vjps is not None:
            found += _rule_faults(card)
        else:
            continue
        found += _derived_faults(card)
    return found


# --------------------------------------------------------------------- written faults


def _functions_in(value: Any) -> Iterator[FunctionType]:
    """The Python functions in a rule slot or a closure cell."""
    if isinstance(value, FunctionType):
        yield value
    elif isinstance(value, functools.partial):
        yield from _functions_in(value.func)
    elif isinstance(value, tuple | list):
        for v in value:
            yield from _functions_in(v)
    elif isinstance(value, dict):
        yield from _functions_in(list(value.values()))


def _names(code: CodeType) -> set[str]:
    found = set(code.co_names)
    for const in code.co_consts:
        if isinstance(const, CodeType):
            found |= _names(const)
    return found


def _used_by(function: FunctionType) -> Iterator[FunctionType]:
    """The functions that `function` closes over or names."""
    for cell in function.__closure__ or ():
        try:
            yield from _functions_in(cell.cell_contents)
        except ValueError:  # not filled yet
            continue
    for name in sorted(_names(function.__code__)):
        if isinstance(found := function.__globals__.get(name), FunctionType):
            yield found


def _reached(roots: Any) -> list[FunctionType]:
    """The functions of the op files that the rules are made of, each once, roots first."""
    queue, seen, found = list(_functions_in(roots)), set(), []
    while queue:
        function = queue.pop(0)
        if id(function) in seen:
            continue
        seen.add(id(function))
        if function.__module__.startswith(OPS):
            found.append(function)
        elif not function.__module__.startswith("gradtape.core.cards"):
            continue  # another room; the constructors' closures hold the rules that were written
        queue += _used_by(function)
    return found


def _rules(card: Card) -> dict[str, Any]:
    if card.kind == "composite":
        return {"body": card.impl}
    vjp = card.partials if card.kind == "elementwise" else card.vjps
    return {"vjp": vjp, "jvp": card.jvps, "shape": card.shape_rule, "batch": card.batch_rule}


@functools.cache
def _tree(module: str) -> ast.Module:
    return ast.parse(inspect.getsource(sys.modules[module]))


def _positions(code: CodeType) -> list[tuple[int, int, int, int]]:
    """Where the instructions of `code` are written."""
    return [p for p in code.co_positions() if None not in p and p[2:] != (0, 0)]  # type: ignore


_FUNCTION = (ast.Lambda, ast.FunctionDef)


def _node_of(function: FunctionType) -> ast.AST | None:
    """The syntax of a function: the smallest one of that name that holds its instructions."""
    code = function.__code__
    places = _positions(code)
    starts, ends = min(p[:1] + p[2:3] for p in places), max((p[1], p[3]) for p in places)
    best: Any = None
    for node in ast.walk(_tree(function.__module__)):
        if not isinstance(node, _FUNCTION):
            continue
        if getattr(node, "name", "<lambda>") != code.co_name:
            continue
        first, last = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
        if isinstance(node, ast.FunctionDef) and node.decorator_list:
            first = (node.decorator_list[0].lineno, 0)
        inside = first <= starts and ends <= last  # type: ignore[operator]
        if inside and (best is None or first > best[0]):
            best = first, node
    return best[1] if best else None


# ---- changes of one node: (kind, node -> new nodes)

_OPPOSITE = {ast.Add: ast.Sub, ast.Sub: ast.Add}
_CONFUSED = {
    a: b for x, y in (
        ("sin", "cos"), ("sinh", "cosh"), ("exp", "expm1"), ("log", "log1p"), ("max", "min"),
        ("maximum", "minimum"), ("zeros", "ones"), ("zeros_like", "ones_like"), ("sum", "max"),
        ("sqrt", "square"), ("logical_and", "logical_or"), ("tril", "triu"), ("real", "imag"),
        ("floor", "ceil"), ("cumsum", "cumprod"), ("add", "subtract"), ("multiply", "divide"),
    ) for a, b in ((x, y), (y, x))
}  # fmt: skip
_DROPPED = {"unbroadcast": "missing unbroadcast", "sum_to": "missing unbroadcast",
            "sum": "missing unbroadcast", "broadcast_to": "dropped call", "conj": "dropped call",
            "conjugate": "dropped call", "_conj": "dropped call", "moveaxis": "dropped call",
            "expand_dims": "dropped call", "transpose": "dropped call", "flip": "dropped call",
            "abs": "dropped call", "_transpose": "dropped call",
            "_adjoint": "dropped call"}  # fmt: skip
# Functions that do not mind the order of their first two operands.
_COMMUTATIVE = {"broadcast_shapes", "result_type", "promote_types", "maximum", "minimum", "max",
                "min", "logical_or", "logical_and", "array_equal", "hypot", "add", "multiply",
                "equal", "not_equal", "isclose", "convolve", "weak_result_type",
                "_float"}  # fmt: skip
# Calls whose first two arguments are of different kinds: exchanged they only crash.
_UNLIKE = {"zip", "zeros", "empty", "ones", "full", "reshape", "_reshape", "moveaxis", "transpose",
           "broadcast_to", "expand_dims", "batch_first", "sum", "take", "astype", "getattr",
           "ndindex", "range", "enumerate", "as_operand", "_map", "map", "Aval"}  # fmt: skip


def _call_name(node: ast.Call) -> str:
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def _changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """The faults that one node can have."""
    if isinstance(node, ast.BinOp):
        if type(node.op) in _OPPOSITE:
            yield "sign", ast.BinOp(node.left, _OPPOSITE[type(node.op)](), node.right)
            yield "dropped term", node.left
        elif isinstance(node.op, ast.Mult | ast.Div | ast.MatMult):
            yield "dropped factor", node.left
        if isinstance(node.op, ast.Add | ast.Mult):
            yield "dropped term" if isinstance(node.op, ast.Add) else "dropped factor", node.right
        if isinstance(node.op, ast.Sub | ast.Div | ast.MatMult | ast.Pow):
            yield "swapped operands", ast.BinOp(node.right, node.op, node.left)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "sign", node.operand
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float, bool):
        value = not node.value if isinstance(node.value, bool) else node.value + 1
        yield "constant", ast.Constant(value)
    elif isinstance(node, ast.Call) and not any(isinstance(a, ast.Starred) for a in node.args):
        name = _call_name(node)
        if name in _DROPPED and node.args:
            yield _DROPPED[name], node.args[0]
        if len(node.args) >= 2 and name not in _UNLIKE and not any(
            isinstance(a, ast.Constant) for a in node.args[:2]
        ):
            i = 1 if name == "where" and len(node.args) == 3 else 0
            args = list(node.args)
            args[i], args[i + 1] = args[i + 1], args[i]
            yield "swapped operands", ast.Call(node.func, args, node.keywords)
        if isinstance(node.func, ast.Attribute) and name in _CONFUSED:
            func = ast.Attribute(node.func.value, _CONFUSED[name], ast.Load())
            yield "wrong function", ast.Call(func, node.args, node.keywords)


def _commutes(node: ast.Call) -> bool:
    """Whether the call does not mind the order of its first two arguments."""
    name = _call_name(node)
    return name in _COMMUTATIVE or name == "swapaxes" and len(node.args) == 2  # x.swapaxes(i, j)


def _is_swap(old: ast.AST, new: ast.Call) -> bool:
    """Whether `new` is the call `old` with operands exchanged."""
    return isinstance(old, ast.Call) and old.func is new.func and old.args != new.args


def _only_refuses(body: list[ast.stmt]) -> bool:
    """Whether a branch ends in an exception or a warning: tests of messages look at those."""
    last = body[-1]
    if isinstance(last, ast.Expr) and isinstance(last.value, ast.Call):
        return "warn" in _call_name(last.value) or "refuse" in _call_name(last.value)
    return isinstance(last, ast.Raise)


def _sites(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """(parent, field, place in a list or None, node) of everything below that may be changed."""
    for name, value in ast.iter_fields(node):
        if name in ("decorator_list", "annotation", "returns", "args", "keywords") and isinstance(
            node, (*_FUNCTION, ast.arg, ast.AnnAssign)
        ):
            continue
        many = isinstance(value, list)
        for i, child in enumerate(value if many else [value]):
            if not isinstance(child, ast.AST) or isinstance(child, ast.Raise | ast.Assert):
                continue
            if isinstance(child, ast.JoinedStr):
                continue
            if isinstance(child, ast.ExceptHandler) and _only_refuses(child.body):
                continue
            if isinstance(child, ast.keyword) and child.arg in ("strict", "copy", "subok"):
                continue
            if isinstance(node, ast.If) and _only_refuses(node.body) and name in ("test", "body"):
                continue
            if isinstance(child, ast.Call) and _call_name(child) in (
                "three_part", "warn", "isinstance", "cast", "getrefcount", "write_out"
            ):  # fmt: skip
                continue
            yield node, name, i if many else None, child
            yield from _sites(child)


def _shown(parent: ast.AST, name: str, place: int | None, child: ast.AST, new: ast.AST) -> str:
    """Before -> after, with what stands around a number or a name."""
    before, after = ast.unparse(child), ast.unparse(new)
    if len(before) < 12 and isinstance(parent, ast.expr | ast.keyword):
        whole = ast.unparse(parent)
        copied = copy.copy(parent)
        value = getattr(parent, name)
        if place is not None:
            new = [*value[:place], new, *value[place + 1 :]]  # type: ignore[assignment]
        setattr(copied, name, new)
        before, after = whole, ast.unparse(copied)
    return " ".join(f"{before} -> {after}".split())


def _paths(
    code: CodeType, path: tuple[int, ...] = ()
) -> Iterator[tuple[tuple[int, ...], CodeType]]:
    """Every code object inside `code`, with the numbers that lead to it."""
    yield path, code
    inner = [c for c in code.co_consts if isinstance(c, CodeType)]
    for i, c in enumerate(inner):
        yield from _paths(c, (*path, i))


def _at(code: CodeType, path: tuple[int, ...]) -> CodeType:
    for i in path:
        code = [c for c in code.co_consts if isinstance(c, CodeType)][i]
    return code


@functools.cache
def _compiled(module: str) -> dict[CodeType, tuple[int, ...]]:
    code = compile(_tree(module), sys.modules[module].__file__ or module, "exec")
    return {c: path for path, c in _paths(code)}


def _same(a: CodeType, b: CodeType) -> bool:
    """Whether two code objects do the same, wherever they are written."""
    consts = zip(a.co_consts, b.co_consts, strict=False)
    return (
        a.co_code == b.co_code
        and len(a.co_consts) == len(b.co_consts)
        and a.co_names == b.co_names
        and all(
            _same(x, y) if isinstance(x, CodeType) and isinstance(y, CodeType)
            else (type(x), x) == (type(y), y)
            for x, y in consts
        )
    )  # fmt: skip


@contextmanager
def _written(
    function: FunctionType, parent: ast.AST, name: str, place: int | None, new: ast.AST
) -> Iterator[None]:
    """`function` with one node of its source replaced."""
    if isinstance(new, ast.Call) and _commutes(new) and _is_swap(
        getattr(parent, name) if place is None else getattr(parent, name)[place], new
    ):
        raise NotApplicable("its operands may stand in either order")
    module = function.__module__
    before = getattr(parent, name)
    node = before if place is None else before[place]
    new = ast.copy_location(copy.deepcopy(new), node)
    old_code = function.__code__
    path = _compiled(module).get(old_code)
    if path is None:
        raise NotApplicable("its code is not in its file")
    if place is None:
        setattr(parent, name, new)
    else:
        before[place] = new
    try:
        ast.fix_missing_locations(_tree(module))
        whole = compile(_tree(module), sys.modules[module].__file__ or module, "exec")
    finally:
        if place is None:
            setattr(parent, name, before)
        else:
            before[place] = node
    code = _at(whole, path)
    if _same(code, old_code):
        raise NotApplicable("it compiles to the same code")
    if code.co_freevars != old_code.co_freevars:
        raise NotApplicable("the function would close over other variables")
    function.__code__ = code
    try:
        yield
    finally:
        function.__code__ = old_code


def written_faults() -> list[Fault]:
    """Faults in the source of the rules of every card, each place once."""
    found: list[Fault] = []
    users: dict[int, list[str]] = {}
    first: list[tuple[Card, str, FunctionType]] = []
    for card in CARDS.values():
        if card.kind in ("nondifferentiable", "unsupported") or card.name == "item":
            continue
        for rule, roots in _rules(card).items():
            for function in _reached(roots):
                if id(function) not in users:
                    first.append((card, rule, function))
                users.setdefault(id(function), []).append(card.name)
    seen: set[tuple[Any, int]] = set()
    same: Counter[tuple[str, str]] = Counter()  # changes that read alike are numbered
    for card, rule, function in first:
        node = _node_of(function)
        for parent, name, place, child in _sites(node) if node else ():
            if (function, id(child)) in seen:
                continue
            seen.add((function, id(child)))
            stem = function.__module__.removeprefix(OPS)
            for kind, new in _changes(child):
                shown = _shown(parent, name, place, child, new)
                text = f"{stem}.{function.__qualname__}: {shown}"
                same[text, kind] += 1
                if same[text, kind] > 1:
                    text += f" ({same[text, kind]})"
                found.append(
                    Fault(
                        card.name, rule, kind, text,
                        functools.partial(_written, function, parent, name, place, new),
                        tuple(dict.fromkeys(n for n in users[id(function)] if n != card.name)),
                    )
                )  # fmt: skip
    return found


def clear_caches() -> None:
    """Forget what memoised helpers of the ops computed while a fault was there."""
    for thing in _caches():
        thing.cache_clear()


@functools.cache
def _caches() -> list[Any]:
    return [
        thing for thing in gc.get_objects()
        if isinstance(thing, functools._lru_cache_wrapper)
        and str(thing.__module__).startswith("gradtape.")
    ]  # fmt: skip
