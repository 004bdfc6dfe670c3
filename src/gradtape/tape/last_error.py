"""`gt.explain_last_error`: the last exception, with the line, and the values that stood in it."""

from __future__ import annotations

import html
import linecache
import sys
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any

import numpy as np

from ..core.places import segment
from ..core.positions import Position, decode, is_internal
from ..core.symbol import Symbol
from ..core.tensor import Tensor
from ..core.variable import Variable
from ..errors import GradtapeError

__all__ = ["ErrorExplanation", "Operand", "explain_last_error"]

_CONTEXT = 2  # lines of code before and after
_ENTRIES = 6  # an array up to so many entries is written out


@dataclass(frozen=True)
class Operand:
    """A value that stood in the line.

    Attributes
    ----------
    name : str
        As the code has it.
    kind : str
        Its type, with shape and dtype where it has them.
    values : str
        What it holds: the number, or range and count of what is not finite.
    """

    name: str
    kind: str
    values: str


@dataclass(frozen=True)
class ErrorExplanation:
    """What is known of an exception.

    Attributes
    ----------
    error : str
        The name of its class.
    fact, cause, remedy : str
        The parts of its message; of an exception that gradtape has not raised, the message is the
        fact.
    position : Position or None
        The user's line that raised.
    code : tuple of (int, str)
        Numbers and texts of the lines around.
    segment : str
        The part of the line that was running.
    operands : tuple of Operand
        The arrays and numbers that stand in it.
    """

    error: str
    fact: str
    cause: str
    remedy: str
    position: Position | None
    code: tuple[tuple[int, str], ...]
    segment: str
    operands: tuple[Operand, ...]

    def __str__(self) -> str:
        lines = [f"{self.error}: {self.fact}", self.cause, self.remedy]
        if self.position is not None:
            lines += ["", f"at {self.position}, in {self.position.function}:"]
        for number, text in self.code:
            mark = ">" if self.position is not None and number == self.position.line else " "
            lines.append(f"{mark} {number:4}  {text}")
        if self.operands:
            width = max(len(item.name) for item in self.operands)
            kind = max(len(item.kind) for item in self.operands)
            lines += ["", f"in `{self.segment}`:" if self.segment else "in this line:"]
            lines += [
                f"  {item.name:<{width}}  {item.kind:<{kind}}  {item.values}".rstrip()
                for item in self.operands
            ]
        return "\n".join(line for i, line in enumerate(lines) if line or i > 2)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def explain_last_error(error: BaseException | None = None) -> ErrorExplanation | None:
    """What the last exception says, where it came from, and the values that stood in that line.

    Parameters
    ----------
    error : exception, optional
        By default the one that is being handled, or else the last that nobody caught (in a
        notebook or an interactive session).

    Returns
    -------
    ErrorExplanation or None
        None where there was no exception. Prints as text, and shows in a notebook.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> w = gt.Variable([1.0, 2.0])
    >>> try:
    ...     w @ np.ones(3)
    ... except ValueError:
    ...     found = gt.explain_last_error()
    >>> found.error
    'ShapeError'
    >>> [(item.name, item.kind) for item in found.operands]
    [('w', 'Variable float64[2]')]
    """
    if error is None:
        error = sys.exc_info()[1] or getattr(sys, "last_value", None)
    if error is None:
        return None
    parts = str(error).split("\n")
    if isinstance(error, GradtapeError) and len(parts) > 1:
        fact, cause, remedy = parts[0], " ".join(parts[1:-1]), parts[-1]
    else:
        fact, cause, remedy = str(error), "", ""
    found = _user_frame(error.__traceback__)
    if found is None:
        return ErrorExplanation(type(error).__name__, fact, cause, remedy, None, (), "", ())
    frame, lasti = found
    position = decode(frame.f_code, lasti)
    assert position is not None
    text = segment(frame.f_code, lasti)
    return ErrorExplanation(
        type(error).__name__,
        fact,
        cause,
        remedy,
        position,
        tuple(_lines(position)),
        text if text != position.source else "",
        tuple(_operands(frame, text or position.source)),
    )


def _user_frame(trace: TracebackType | None) -> tuple[FrameType, int] | None:
    """The innermost frame of the user's, and the instruction at which it stood."""
    found = None
    while trace is not None:
        if not is_internal(trace.tb_frame.f_code):
            found = trace.tb_frame, trace.tb_lasti
        trace = trace.tb_next
    return found


def _lines(position: Position) -> list[tuple[int, str]]:
    around = range(max(1, position.line - _CONTEXT), position.line + _CONTEXT + 1)
    known = [(number, linecache.getline(position.filename, number)) for number in around]
    return [(number, text.rstrip()) for number, text in known if text]


def _operands(frame: FrameType, text: str) -> list[Operand]:
    """The names of the text that hold numbers, in the order in which they stand there."""
    import ast
    import textwrap

    try:
        tree = ast.parse(textwrap.dedent(text).strip() or "None")
    except SyntaxError:
        return []
    found: dict[str, Operand] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            name = ast.unparse(node)
            value = _look_up(frame, node)
            if name not in found and isinstance(
                value, Tensor | np.ndarray | np.generic | int | float | complex
            ) and not isinstance(value, bool):  # fmt: skip
                found[name] = Operand(name, _kind(value), _values(value))
    whole = {name for name in found if any(other.startswith(f"{name}.") for other in found)}
    return [item for name, item in found.items() if name not in whole or "." not in name]


def _look_up(frame: FrameType, node: Any) -> Any:
    """The value of a name or of an attribute that is no property."""
    import ast

    if isinstance(node, ast.Name):
        for scope in (frame.f_locals, frame.f_globals):
            if node.id in scope:
                return scope[node.id]
        return None
    if isinstance(node, ast.Attribute):
        owner = _look_up(frame, node.value)
        return getattr(owner, "__dict__", {}).get(node.attr)
    return None


def _kind(value: Any) -> str:
    name = type(value).__name__
    if isinstance(value, Tensor | np.ndarray):
        array = _array(value)
        if isinstance(array, np.ndarray | np.generic):
            return f"{name} {array.dtype}{list(array.shape)}"
    return name


def _array(value: Any) -> Any:
    """The plain value, without a read that a tape would notice."""
    if isinstance(value, Variable) or type(value) is Tensor:
        return value.value
    return value.read() if isinstance(value, Tensor) else value


def _values(value: Any) -> str:
    plain = _array(value)
    if isinstance(plain, Symbol) or not isinstance(plain, np.ndarray):
        return "" if isinstance(plain, Symbol) else str(plain)
    if plain.dtype.kind not in "fciub" or not plain.size:
        return ""
    if plain.size <= _ENTRIES:
        return np.array2string(plain, separator=", ").replace("\n", "")
    if plain.dtype.kind == "c":
        return ""
    finite = plain[np.isfinite(plain)] if plain.dtype.kind == "f" else plain
    lost = plain.size - finite.size
    said = f"{finite.min():.4g} to {finite.max():.4g}" if finite.size else ""
    return f"{said}{', ' * bool(said and lost)}{f'{lost} not finite' if lost else ''}"
