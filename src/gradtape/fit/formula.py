"""A formula, read by formulaic: its terms, the columns it reads, and the functions it may call.

formulaic evaluates the Python in a formula. So every piece of it is parsed here first, and what is
not on the list of functions and operators below is refused: a formula may come from a file.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import three_part
from .problems import FitError, did_you_mean, require
from .sources import Table

__all__ = [
    "INTERCEPT",
    "NUMPY_FUNCTIONS",
    "Factor",
    "ParsedFormula",
    "parse_formula",
    "quoted_names",
    "unknown_column",
    "weighted_sum",
]

INTERCEPT = "Intercept"  # formulaic's name for the column of ones


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Elementwise: the value in a row comes from that row alone.
NUMPY_FUNCTIONS = _words(
    "abs absolute fabs sign sqrt square cbrt reciprocal power exp exp2 expm1 log log2 log10 log1p "
    "sin cos tan arcsin arccos arctan arctan2 sinh cosh tanh arcsinh arccosh arctanh hypot "
    "degrees radians deg2rad rad2deg floor ceil trunc rint round maximum minimum fmax fmin clip "
    "where isnan isfinite logical_and logical_or logical_not mod remainder floor_divide"
)
FUNCTIONS = _words(
    "log log2 log10 exp exp2 exp10 I C Q abs round float int bs cc cr cs poly center scale "
    "standardize hashed Treatment Poly Sum Helmert Diff"
)
CONTRASTS = _words("treatment poly sum helmert diff sas")
MODULES = {"np": NUMPY_FUNCTIONS, "contr": CONTRASTS}
STATEFUL = _words("bs cc cr cs poly center scale standardize")
"""These look at the whole column: its mean, its range, its quantiles."""

_ALLOWED = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call, ast.keyword,
    ast.Name, ast.Attribute, ast.Constant, ast.Tuple, ast.List, ast.Load, ast.operator,
    ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip


@dataclass(frozen=True)
class Factor:
    """One factor of a formula: what is written, and the names of the table that it reads.

    Attributes
    ----------
    text : str
        As formulaic writes it.
    names : tuple of str
        The columns it reads, or what stands where a column would.
    texts : tuple of str
        Those of them that are compared with a text and so may hold text.
    functions : tuple of str
        What it calls.
    is_bare : bool
        Whether it is the name of a column and nothing else.
    category : str or None
        The column that is made a category as it stands, as in `C(kind, Sum)`.
    """

    text: str
    names: tuple[str, ...]
    texts: tuple[str, ...]
    functions: tuple[str, ...]
    is_bare: bool
    category: str | None = None

    @property
    def is_categorical(self) -> bool:
        """Whether it makes a category of what it reads."""
        return bool(re.match(r"\s*(C|hashed)\s*\(", self.text))

    @property
    def is_stateful(self) -> bool:
        """Whether it needs the whole column at once."""
        return not STATEFUL.isdisjoint(self.functions)


@dataclass(frozen=True)
class ParsedFormula:
    """A formula that may be evaluated on its table.

    Attributes
    ----------
    text : str
        As it was typed.
    left, right : tuple of Factor
        Of the response, and of the predictors.
    parsed : formulaic.Formula
        Makes the columns.
    columns : tuple of str
        The columns of the table that it reads, in its order.
    known : tuple of str
        All columns of the table.
    """

    text: str
    left: tuple[Factor, ...]
    right: tuple[Factor, ...]
    parsed: Any
    columns: tuple[str, ...]
    known: tuple[str, ...]

    @property
    def predictors(self) -> tuple[str, ...]:
        """The columns that the right of `~` reads."""
        return tuple(
            name for name in self.columns if any(name in factor.names for factor in self.right)
        )

    @property
    def response_column(self) -> str | None:
        """The column that is the response as it stands, if the response is one."""
        (first, *others) = self.left
        return first.names[0] if first.is_bare and not others else None


def parse_formula(table: Table, formula: str) -> ParsedFormula:
    """Return the formula, read against the columns of the table.

    Raises
    ------
    FitError
        For a formula that cannot be read, has not one response, or names a column that is not
        there or a function that is not allowed.
    """
    formulaic = require("formulaic")
    try:
        parsed = formulaic.Formula.from_spec(
            formula, context={"__formulaic_variables_available__": table.columns}
        )
    except (formulaic.errors.FormulaicError, SyntaxError) as error:
        # formulaic marks the token that it stumbles over in the text of its message.
        marked = re.search(r"⧛(?:\x1b\[[0-9;]*m)?(.*?)(?:\x1b\[[0-9;]*m)?⧚", str(error))
        raise FitError(
            three_part(
                f"The formula {formula!r} cannot be read.",
                f"Near {marked[1]!r}." if marked else "",
                _formula_help(table),
            )
        ) from None
    left: Any = getattr(parsed, "lhs", None)
    right: Any = getattr(parsed, "rhs", None)
    is_simple = isinstance(right, formulaic.SimpleFormula)
    if left is None or len(list(left)) != 1 or not is_simple:
        count = 0 if left is None else len(list(left))
        fact = "has several parts" if count == 1 else f"has {count or 'no'} responses left of ~"
        raise FitError(
            three_part(
                f"The formula {formula!r} {fact}.",
                "A fit needs one response on the left and the predictors on the right.",
                _formula_help(table),
            )
        )
    if not list(right):
        raise FitError(
            three_part(
                f"The formula {formula!r} has nothing to fit on the right of ~.",
                "-1 and 0 take the intercept away, and nothing else is there.",
                _formula_help(table),
            )
        )
    if not formula.rpartition("~")[2].strip():
        raise FitError(
            three_part(
                f"The formula {formula!r} has nothing on the right of ~.",
                "A fit needs predictors; the intercept alone is written as 1.",
                _formula_help(table),
            )
        )
    response = tuple(_factors(left, formula, table.columns))
    predictors = tuple(_factors(right, formula, table.columns))
    if any(factor.text == response[0].text for factor in predictors):
        raise FitError(
            three_part(
                f"The response {response[0].text} is on the right of ~ too.",
                "It would explain itself, and the other predictors nothing.",
                f"Take it out of the right side of {formula!r}.",
            )
        )
    used = _used_columns(table, (*response, *predictors))
    return ParsedFormula(formula, response, predictors, parsed, used, tuple(table.columns))


def weighted_sum(names: Sequence[str], weights: Sequence[float]) -> str:
    """Return the sum as one reads it: the intercept bare, minus signs as signs.

    >>> weighted_sum(["Intercept", "x"], [39.9, -0.15])
    '39.9 - 0.15 * x'
    """
    text = ""
    for name, weight in zip(names, weights, strict=True):
        sign = ("-" if weight < 0 else "") if not text else (" - " if weight < 0 else " + ")
        text += f"{sign}{abs(weight):.6g}" + ("" if name == INTERCEPT else f" * {name}")
    return text


def quoted_names(text: str) -> tuple[str, dict[str, str]]:
    """Return the text with each name in backticks as an identifier, and what these stand for.

    >>> quoted_names("a * `model year`")
    ('a * _quoted_0_', {'_quoted_0_': 'model year'})
    """
    quoted: dict[str, str] = {}

    def stand_in(match: re.Match[str]) -> str:
        name = f"_quoted_{len(quoted)}_"
        quoted[name] = match[1]
        return name

    return re.sub(r"`([^`]*)`", stand_in, text), quoted


def unknown_column(table: Table, name: str) -> FitError:
    """Return the error for a name that the table does not have."""
    columns = table.columns
    shown = ", ".join(columns[:12]) + (", ..." if len(columns) > 12 else "")
    remedy = did_you_mean(name, columns) or "Use one of these names."
    if len(columns) == 1 and any(mark in columns[0] for mark in ";\t|"):
        remedy = "The cells seem to be separated by something else: save it with commas."
    return FitError(
        three_part(f"{table.name} has no column {name!r}.", f"Its columns are: {shown}.", remedy)
    )


def _formula_help(table: Table) -> str:
    numeric = [str(name) for name in table.frame.select_dtypes("number").columns]
    numeric = [name if name.isidentifier() else f"`{name}`" for name in numeric]
    example = f"{numeric[0]} ~ {numeric[1]}" if len(numeric) > 1 else "y ~ x"
    return f'Write it as "{example}"; more predictors with +, and x**2 as I(x**2).'


def _factors(terms: Any, formula: str, columns: list[str]) -> Iterator[Factor]:
    for term in terms:
        for factor in term.factors:
            kind, text = factor.eval_method.value, factor.expr
            if kind == "lookup":
                yield Factor(text, (text,), (), (), is_bare=True)
            elif kind == "python":
                yield _python_factor(text, formula, columns)


def _python_factor(text: str, formula: str, columns: list[str]) -> Factor:
    """Names and called functions of an expression, of which every node is looked at."""
    source, quoted = quoted_names(text)
    try:
        tree = ast.parse(source, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise FitError(
            three_part(
                f"The formula {formula!r} cannot be read.",
                f"Near {text!r}.",
                "Write terms such as log(x), I(x**2), C(kind), joined by +.",
            )
        ) from None
    _refuse_nodes(tree, text)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    modules = {id(n.value): n for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    names: list[str] = []
    functions: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            name = quoted.get(node.id, node.id)
            if id(node) in modules:
                functions.append(f"{name}.{modules[id(node)].attr}")
            else:
                (functions if id(node) in called else names).append(name)
        elif _is_quote(node):
            names.append(str(node.args[0].value))  # type: ignore[attr-defined]
    # `Sum` is also given without brackets: C(kind, Sum). A column of that name goes before it.
    is_function = {name: name in FUNCTIONS and name not in columns for name in names}
    functions += [name for name in names if is_function[name]]
    names = [name for name in names if not is_function[name]]
    texts = [quoted.get(name, name) for name in _compared_with_text(tree)]
    return Factor(
        text,
        tuple(names),
        tuple(texts),
        tuple(functions),
        is_bare=False,
        category=_category(tree.body, quoted),
    )


def _category(node: ast.AST, quoted: dict[str, str]) -> str | None:
    is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    if not is_call or node.func.id != "C" or not node.args:  # type: ignore[attr-defined]
        return None
    first = node.args[0]  # type: ignore[attr-defined]
    if _is_quote(first):
        return str(first.args[0].value)
    return quoted.get(first.id, first.id) if isinstance(first, ast.Name) else None


def _refuse_nodes(tree: ast.AST, text: str) -> None:
    for node in ast.walk(tree):
        is_power = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow | ast.LShift)
        if isinstance(node, _ALLOWED) and not isinstance(node, ast.Attribute) and not is_power:
            continue
        if isinstance(node, ast.Attribute):
            if isinstance(node.value, ast.Name) and node.value.id in MODULES:
                continue
            what, remedy = f".{node.attr}", "Call functions by name: np.log(x), not x.log()."
        elif is_power:
            # Python's integers have no end: 9**9**9 would never be done.
            if any(isinstance(part, ast.Name) for part in ast.walk(node)):
                continue
            what, remedy = ast.unparse(node), "Write the number out."
        else:
            what = type(node).__name__
            remedy = "Use arithmetic, comparisons, and functions such as np.log(x) and I(x**2)."
        raise FitError(
            three_part(
                f"The formula may not hold {what}, in {text!r}.",
                "Its terms are arithmetic on columns and functions from a list.",
                remedy,
            )
        )


def _is_quote(node: ast.AST) -> bool:
    """Whether the node is `Q("column name")`."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Q"
        and len(node.args) == 1
        and isinstance(node.args[0], ast.Constant)
    )


def _compared_with_text(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(isinstance(s, ast.Constant) and isinstance(s.value, str) for s in sides):
                yield from (side.id for side in sides if isinstance(side, ast.Name))


def _used_columns(table: Table, factors: Sequence[Factor]) -> tuple[str, ...]:
    """Return the columns that the factors read; refuse a name that is nothing."""
    columns = table.columns
    used: list[str] = []
    for factor in factors:
        for name in factor.names:
            if name not in columns:
                raise unknown_column(table, name)
            used.append(name)
        for name in factor.functions:
            module, dot, member = name.partition(".")
            allowed = MODULES.get(module, frozenset()) if dot else FUNCTIONS
            if (member if dot else name) not in allowed:
                raise _unknown_function(name, module if dot else "", allowed)
    return tuple(dict.fromkeys(used))


def _unknown_function(name: str, module: str, allowed: frozenset[str]) -> FitError:
    if module:
        known = [f"{module}.{member}" for member in sorted(allowed)]
        listed = f"Of {module} it may use {', '.join(sorted(allowed))}."
        remedy = did_you_mean(name, known) or "Use one of these, or make the column in the file."
    else:
        known = sorted(allowed)
        listed = f"It may use NumPy as np, and {', '.join(known)}."
        remedy = did_you_mean(name, known) or "Use one of these, or make the column in the file."
        if name in NUMPY_FUNCTIONS:
            remedy = f"For a function of NumPy: np.{name}(x)."
    return FitError(
        three_part(f"The formula calls {name}, which is not on its list.", listed, remedy)
    )
