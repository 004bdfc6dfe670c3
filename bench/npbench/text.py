"""A kernel's own text as a program of DaCe, which reads programs and not calls."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable
from typing import Any

from bench.cases import Arrays

__all__ = ["program_text"]


def program_text(function: Callable[..., Any], arrays: Arrays, *, is_objective: bool) -> str:
    """The kernel as a program of DaCe, which leaves its value in `S`."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    (found,) = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    *body, last = found.body
    if not isinstance(last, ast.Return) or last.value is None:
        raise NotImplementedError("the kernel does not end with its result")
    results = last.value.elts if isinstance(last.value, ast.Tuple) else [last.value]
    lines = [ast.unparse(statement) for statement in body]
    names = [f"result{n}" for n in range(len(results))]
    lines += [f"{name} = {ast.unparse(x)}" for name, x in zip(names, results, strict=True)]
    total = names[0] if is_objective else " + ".join(f"np.sum({n} ** 2)" for n in names)
    lines.append(f"S[0] = {total}" if is_objective else f"S[0] = 0.5 * ({total})")
    given = [f"{key}: dace.float64[{', '.join(map(str, x.shape))}]" for key, x in arrays.items()]
    text = textwrap.indent("\n".join(lines), "    ")
    head = f"@dace.program\ndef {function.__name__}({', '.join(given)}, S: dace.float64[1]):\n"
    return head + re.sub(r"\bxp\b", "np", text) + "\n"
