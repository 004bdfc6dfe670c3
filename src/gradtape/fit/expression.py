"""The language of `--model` and `--loss nll:`: an expression, parsed and never handed to `eval`.

Python's parser makes the tree; each node of it is looked up in the tables below and becomes a
NumPy operation, so that the tape differentiates what the expression says. All of it works row by
row: `where(x > k, a, b)` is there, a sum over the rows is not.
"""

from __future__ import annotations

import ast
import math
import textwrap
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import three_part
from .formula import quoted_names
from .problems import FitError, did_you_mean

__all__ = ["FUNCTIONS", "Expression", "Node", "parse_expression"]

Values = Mapping[str, Any]


def _sigmoid(x: Any) -> Any:
    return 0.5 * (1.0 + np.tanh(0.5 * x))  # no overflow on either side


def _softplus(x: Any) -> Any:
    return np.logaddexp(0.0, x)


FUNCTIONS: dict[str, tuple[Callable[..., Any], int]] = {
    **{
        name: (getattr(np, name), 1)
        for name in (
            "exp", "expm1", "exp2", "log", "log1p", "log2", "log10", "sqrt", "cbrt", "square",
            "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh",
            "arccosh", "arctanh", "abs", "sign", "floor", "ceil", "radians", "degrees",
        )
    },
    "asin": (np.arcsin, 1), "acos": (np.arccos, 1), "atan": (np.arctan, 1),
    "asinh": (np.arcsinh, 1), "acosh": (np.arccosh, 1), "atanh": (np.arctanh, 1),
    "atan2": (np.arctan2, 2), "arctan2": (np.arctan2, 2), "hypot": (np.hypot, 2),
    "pow": (np.power, 2), "power": (np.power, 2),
    "min": (np.minimum, 2), "max": (np.maximum, 2),
    "minimum": (np.minimum, 2), "maximum": (np.maximum, 2),
    "where": (np.where, 3),
    "sigmoid": (_sigmoid, 1), "softplus": (_softplus, 1),
}  # fmt: skip

CONSTANTS = {"pi": math.pi, "e": math.e}

_BINARY: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide,
    ast.Pow: np.power, ast.BitAnd: np.logical_and, ast.BitOr: np.logical_or,
}  # fmt: skip
_UNARY: dict[type[ast.AST], Callable[..., Any]] = {
    ast.USub: np.negative, ast.UAdd: np.positive, ast.Not: np.logical_not,
    ast.Invert: np.logical_not,
}  # fmt: skip
_COMPARE: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Lt: np.less, ast.LtE: np.less_equal, ast.Gt: np.greater, ast.GtE: np.greater_equal,
    ast.Eq: np.equal, ast.NotEq: np.not_equal,
}  # fmt: skip
_LOGIC: dict[type[ast.AST], Callable[..., Any]] = {
    ast.And: np.logical_and, ast.Or: np.logical_or,
}  # fmt: skip


@dataclass(frozen=True)
class Node:
    """A part of an expression.

    Attributes
    ----------
    text : str
        As it reads.
    compute : callable
        From the values of the names to the value of this part.
    parts : tuple of Node
        The operands.
    kind : str
        "name", "number", or what joins the operands: an operator's or a function's name.
    """

    text: str
    compute: Callable[[Values], Any]
    parts: tuple[Node, ...]
    kind: str

    def walk(self) -> Iterator[Node]:
        """Yield the parts before what is made of them, and this node last."""
        for part in self.parts:
            yield from part.walk()
        yield self


@dataclass(frozen=True)
class Expression:
    """A parsed expression; call it with the values of its names.

    >>> model = parse_expression("b1 * (1 - exp(-b2 * x))", names=["b1", "b2", "x"])
    >>> float(model({"b1": 2.0, "b2": 0.5, "x": 2.0})), model.names
    (1.2642411176571153, ('b1', 'b2', 'x'))
    """

    text: str
    root: Node
    names: tuple[str, ...]

    def __call__(self, values: Values) -> Any:
        return self.root.compute(values)

    def with_numbers(self, numbers: Mapping[str, float]) -> str:
        """Return the expression as text with numbers in the place of some names.

        >>> parse_expression("a * exp(-b * x)", names="abx").with_numbers({"a": 2.5, "b": -0.1})
        '2.5 * exp(-(-0.1) * x)'
        """
        source, quoted = quoted_names(self.text)
        known = {**{name: name for name in numbers}, **quoted}

        class Put(ast.NodeTransformer):
            def visit_Name(self, node: ast.Name) -> ast.AST:
                name = known.get(node.id, node.id)
                if name in numbers:
                    return ast.Name(f"_number_{list(numbers).index(name)}_")
                return ast.Name(f"`{name}`" if node.id in quoted else name)

        text = ast.unparse(Put().visit(ast.parse(source, mode="eval")))
        for position, value in enumerate(numbers.values()):
            shown = f"{value:.6g}"
            text = text.replace(f"_number_{position}_", f"({shown})" if value < 0 else shown)
        return text


def parse_expression(
    text: str, *, names: Collection[str], what: str = "--model", remedy: str = ""
) -> Expression:
    """Return the expression, of which every name is known and every function allowed.

    Parameters
    ----------
    text : str
        What was typed; names that are no identifiers stand in backticks.
    names : collection of str
        The columns and parameters that it may use.
    what : str
        The option it came from, for messages.
    remedy : str
        What to do about a name that is not known, where none is near it.

    Raises
    ------
    FitError
        For what cannot be read, and for names and functions that are not known.
    """
    source, quoted = quoted_names(text.strip())
    try:
        tree = ast.parse(source, mode="eval")
        parser = _Parser(text, frozenset(names), quoted, what, remedy)
        root = parser.node(tree.body)
    except SyntaxError as error:
        near = source[max(0, (error.offset or 1) - 1) :][:12]
        raise FitError(
            three_part(
                f"{what}: {textwrap.shorten(text, 60)!r} cannot be read.",
                f"Near {near!r}." if near else "It ends too early.",
                'Write it as in Python: "b1 * (1 - exp(-b2 * x))".',
            )
        ) from None
    except (ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, FitError):
            raise
        raise FitError(
            three_part(
                f"{what}: the expression cannot be read.",
                "It is nested too deeply, or holds characters that no text has.",
                'Write it as in Python: "b1 * (1 - exp(-b2 * x))".',
            )
        ) from None
    return Expression(text.strip(), root, tuple(parser.used))


class _Parser:
    """Turns nodes of Python's tree into ours."""

    def __init__(
        self, text: str, names: frozenset[str], quoted: dict[str, str], what: str, remedy: str
    ) -> None:
        self.text, self.names, self.quoted = text, names, quoted
        self.what, self.remedy = what, remedy
        self.used: dict[str, None] = {}

    def node(self, node: ast.AST) -> Node:
        if isinstance(node, ast.Constant):
            return self.number(node)
        if isinstance(node, ast.Name):
            return self.name(node)
        if isinstance(node, ast.Call):
            return self.call(node)
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            return self.joined(node, _BINARY[type(node.op)], node.left, node.right)
        if isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
            return self.joined(node, _UNARY[type(node.op)], node.operand)
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARE:
            compare = _COMPARE[type(node.ops[0])]
            return self.joined(node, compare, node.left, node.comparators[0])
        if isinstance(node, ast.BoolOp):
            first, *others = node.values
            made = self.node(first)
            for other in others:
                made = self.made(node, _LOGIC[type(node.op)], (made, self.node(other)))
            return made
        raise self.refusal(node)

    def number(self, node: ast.Constant) -> Node:
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            raise self.refusal(node)
        try:
            value = float(node.value)
        except OverflowError:
            value = math.inf
        return Node(self.shown(node), lambda _values: value, (), "number")

    def name(self, node: ast.Name) -> Node:
        name = self.quoted.get(node.id, node.id)
        if name in self.names:
            self.used[name] = None
            return Node(name, lambda values: values[name], (), "name")
        if name in CONSTANTS:
            value = CONSTANTS[name]
            return Node(name, lambda _values: value, (), "number")
        near = did_you_mean(name, [*self.names, *CONSTANTS])
        is_function = name in FUNCTIONS
        raise FitError(
            three_part(
                f"{self.what}: {name!r} is neither a column nor a parameter.",
                f"It is a function: {name}(...)." if is_function else self.known(),
                near or self.remedy or "Use one of these names.",
            )
        )

    def known(self) -> str:
        shown = sorted(self.names)
        return f"Known are {', '.join(shown[:14])}{', ...' if len(shown) > 14 else ''}."

    def call(self, node: ast.Call) -> Node:
        function = node.func
        # np.exp is what people write in Python; exp is meant.
        if (
            isinstance(function, ast.Attribute)
            and isinstance(function.value, ast.Name)
            and function.value.id in ("np", "numpy", "math")
        ):
            name = function.attr
        elif isinstance(function, ast.Name):
            name = function.id
        else:
            raise self.refusal(node)
        if name not in FUNCTIONS:
            raise FitError(
                three_part(
                    f"{self.what}: the function {name} is not on its list.",
                    f"It may use {', '.join(sorted(FUNCTIONS))}.",
                    did_you_mean(name, FUNCTIONS) or "Write it with these.",
                )
            )
        compute, count = FUNCTIONS[name]
        if node.keywords or len(node.args) != count:
            given = "arguments by name" if node.keywords else len(node.args)
            raise FitError(
                three_part(
                    f"{self.what}: {name} takes {count} argument{'s' * (count > 1)}, not {given}.",
                    f"It is called as {self.shown(node)}.",
                    f"Write {name}({', '.join('xyz'[:count])}).",
                )
            )
        parts = tuple(self.node(argument) for argument in node.args)
        return self.made(node, compute, parts, name)

    def joined(self, node: ast.AST, compute: Callable[..., Any], *operands: ast.AST) -> Node:
        return self.made(node, compute, tuple(self.node(operand) for operand in operands))

    def made(
        self, node: ast.AST, compute: Callable[..., Any], parts: tuple[Node, ...], kind: str = ""
    ) -> Node:
        kind = kind or getattr(compute, "__name__", "")
        computes = tuple(part.compute for part in parts)
        if len(computes) == 1:
            (one,) = computes
            run: Callable[[Values], Any] = lambda values: compute(one(values))  # noqa: E731
        elif len(computes) == 2:
            one, two = computes
            run = lambda values: compute(one(values), two(values))  # noqa: E731
        else:
            run = lambda values: compute(*(part(values) for part in computes))  # noqa: E731
        return Node(self.shown(node), run, parts, kind)

    def shown(self, node: ast.AST) -> str:
        text = ast.unparse(node)
        for stand, name in self.quoted.items():
            text = text.replace(stand, f"`{name}`")
        return text

    def refusal(self, node: ast.AST) -> FitError:
        is_xor = isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitXor)
        return FitError(
            three_part(
                f"{self.what}: {self.shown(node)} is not allowed here.",
                "An expression is made of numbers, names, + - * / **, comparisons and functions.",
                "Write a power as x**2." if is_xor else 'Write it as "b1 * (1 - exp(-b2 * x))".',
            )
        )
