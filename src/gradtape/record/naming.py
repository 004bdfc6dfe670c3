"""What a source to which its user gave no name is called: as the user's lines call it.

`tape.gradient(loss, [model.a, model.b])` says `a` and `b`, `gt.grad(cost)(p)` says `p`, and
`self.w = gt.Variable(...)` says `w`. Where no line says anything a Variable keeps its number.
"""

from __future__ import annotations

import ast
import linecache
import re
from itertools import islice
from typing import Any

from ..core.places import segment
from ..core.positions import decode
from ..core.variable import Variable

__all__ = ["names_of"]

_NUMBERED = re.compile(r"Variable(_\d+)?:\d+")


def names_of(sources: Any, code: Any = None, lasti: int = 0) -> list[str | None]:
    """A name for each source of a gradient call at an instruction; None where there is none.

    Variables that have a name of their own keep it. Without a call, their own lines are asked.
    A Tensor has its name from the call alone.

    Examples
    --------
    >>> import sys
    >>> from gradtape import Variable
    >>> names_of([Variable(1.0, name="slope"), 2.0], sys._getframe().f_code, 0)
    ['slope', None]
    """
    said: list[str | None] | None = None
    found: list[str | None] = []
    for i, source in enumerate(sources):
        name: str | None = source.name if isinstance(source, Variable) else None
        if name is None or _NUMBERED.fullmatch(name):
            if said is None:
                text = segment(code, lasti) if code is not None else ""
                said = _said_by_the_call(text, len(sources))
            made = _said_where_it_was_made(source) if isinstance(source, Variable) else None
            # a bare name may be that of a list: where a Variable was made, it is known better
            name = made or said[i] or name if len(said) == 1 else said[i] or made or name
        found.append(name)
    return found


def _said_by_the_call(text: str, count: int) -> list[str | None]:
    nothing: list[str | None] = [None] * count
    try:
        tree = ast.parse(text.strip().lstrip("."), mode="eval").body
    except (SyntaxError, ValueError):
        return nothing
    if not isinstance(tree, ast.Call):
        return nothing
    if count == 1 and len(tree.args) == 1 and not tree.keywords and _is_derivative(tree.func):
        return [_last(tree.args[0])]
    given = [*tree.args[1:2], *(k.value for k in tree.keywords if k.arg == "sources")]
    parts: list[Any] = list(given[:1])
    if given and isinstance(given[0], ast.List | ast.Tuple):
        parts = given[0].elts
    elif given and isinstance(given[0], ast.Dict):
        parts = given[0].values
    return [_last(part) for part in parts] if len(parts) == count else nothing


def _is_derivative(called: ast.expr) -> bool:
    """Whether what is called with one operand is `grad(f)`, or a name of that."""
    return isinstance(called, ast.Call | ast.Name) or "grad" in (_last(called) or "")


def _said_where_it_was_made(variable: Variable) -> str | None:
    code, lasti = variable.position
    position = decode(code, lasti)
    if position is None:
        return None
    line = linecache.getline(position.filename, position.line)
    try:
        (statement,) = ast.parse(line.strip()).body
    except (SyntaxError, ValueError):
        return None
    if isinstance(statement, ast.AnnAssign):
        return _last(statement.target)
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return None
    target, value = statement.targets[0], statement.value
    if not isinstance(target, ast.Tuple | ast.List):
        return _last(target)
    # a, b = gt.Variable(0.0), gt.Variable(1.0): the one in whose text the call stands
    column = next(islice(code.co_positions(), lasti // 2, None))[2]
    if isinstance(value, ast.Tuple | ast.List) and column is not None:
        column -= len(line) - len(line.lstrip())
        for name, made in zip(target.elts, value.elts, strict=False):
            if made.col_offset <= column < (made.end_col_offset or 0):
                return _last(name)
    return None


def _last(node: ast.expr) -> str | None:
    """`b` of `b`, `model.b`; `layers[0].b` and `b[0]` as they are written."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript) and len(ast.unparse(node)) <= 30:
        return ast.unparse(node)
    return None
