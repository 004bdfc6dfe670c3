"""The rooms and their import order, read from the source.

docs/architecture.md describes the rooms; the table below is the same order as data. Every import
counts: at the top, inside a function, under TYPE_CHECKING, and import_module with a name written
out. Each check takes the folder it reads, so that the second half of this file can show, on a
small planted tree, that it finds what it is there to find.
"""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "gradtape"

LEVELS = {
    "errors": 0, "config": 0, "events": 0,
    "core": 1,
    "ops": 2,
    "random": 3,
    "tape": 3, "graph": 3,
    "passes": 4,
    "backends": 5,
    "program": 6, "transforms": 6,
    "testing": 7, "optimize": 7, "verdict": 7,
    "record": 8, "fit": 8, "tf": 8,
    "viewer": 9,
    "runs": 10, "scripts": 10,
    "cli": 11,
    "__main__": 12,  # python -m gradtape
}  # fmt: skip
# The package itself (the lazy public surface) stands above every room: it may name any of them,
# and no room imports it.
TOP = 13

# What a room may import besides the standard library and NumPy.
LIBRARIES = {
    "fit": {"pandas", "pyarrow", "formulaic", "matplotlib", "tqdm", "scipy", "sklearn"},
    "backends": {"scipy", "llvmlite"},
    "ops": {"scipy"},
    "testing": {"scipy"},
    "optimize": {"scipy"},
    "tf": {"ml_dtypes", "safetensors"},
    "record": {"pandas", "pyarrow", "tqdm", "IPython"},
    "runs": {"pandas"},
    "cli": {"tqdm"},
    "scripts": {"nbformat", "nbclient"},
    "viewer": {"starlette", "uvicorn", "matplotlib", "anywidget", "traitlets"},
}
# A class can only be derived from what is there when it is made: the one file that may.
BASES = {("fit/estimators.py", "sklearn")}
HEAVY = {"scipy", "matplotlib", "pandas", "pyarrow", "formulaic", "tqdm", "sklearn", "starlette",
         "uvicorn"}  # fmt: skip


class Import(NamedTuple):
    """One import: where it stands, what it names, and whether it runs when the file is loaded."""

    file: str
    line: int
    module: str
    target: str
    at_load: bool

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.module} imports {self.target}"


def modules(source: Path) -> dict[str, Path]:
    """Return every module of the package by its dotted name."""
    found = {}
    for path in sorted(source.rglob("*.py")):
        parts = ("gradtape", *path.relative_to(source).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def nodes(tree: ast.AST, at_load: bool = True) -> Iterator[tuple[ast.AST, bool]]:
    """Yield every node below `tree` with whether it runs when the file is loaded."""
    for child in ast.iter_child_nodes(tree):
        yield child, at_load
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from nodes(child, False)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for part in child.body:
                yield part, False
                yield from nodes(part, False)
            for part in child.orelse:
                yield part, at_load
                yield from nodes(part, at_load)
        else:
            yield from nodes(child, at_load)


def targets(node: ast.AST, package: str, known: frozenset[str]) -> list[str]:
    """Return the modules that one node imports; `from a import b` names `a.b` if that is one."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            parent = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*parent, *([node.module] if node.module else [])])
        full = [f"{base}.{alias.name}" for alias in node.names]
        return [name if name in known else base for name in full]
    if (
        isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith(("import_module", "__import__"))
        and node.args
        and isinstance(node.args[0], ast.Constant)
    ):
        name = str(node.args[0].value)
        return [package + name if name.startswith(".") else name]
    return []


@cache
def imports(source: Path) -> tuple[Import, ...]:
    """Return every import in the package."""
    known = modules(source)
    found = []
    for module, path in known.items():
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        for node, at_load in nodes(tree):
            for target in targets(node, package, frozenset(known)):
                file = str(path.relative_to(source))
                found.append(Import(file, node.lineno, module, target, at_load))  # type: ignore[attr-defined]
    return tuple(found)


def room(module: str) -> str:
    """Return the room that a module of the package lives in; "" is the package itself."""
    return module.split(".")[1] if "." in module else ""


def is_ours(target: str) -> bool:
    return target == "gradtape" or target.startswith("gradtape.")


def wrong_levels(source: Path) -> list[str]:
    """Imports of a room that is not on a lower level."""
    wrong = []
    for entry in imports(source):
        here, there = room(entry.module), room(entry.target)
        if entry.module == "gradtape" or not is_ours(entry.target) or here == there:
            continue
        if LEVELS.get(there, TOP) >= LEVELS.get(here, TOP):
            wrong.append(f"{entry} (level {LEVELS.get(here)} -> {LEVELS.get(there, TOP)})")
    return wrong


def cycles(source: Path) -> list[str]:
    """Modules that import one another in a circle when they are loaded, each circle once.

    An import inside a function closes no such circle: the two modules exist by then.
    That importing `gradtape.core.keys` also runs `gradtape.core` is no edge: a package may gather
    its modules. A module that takes a name back from its own package does close a circle.
    """
    edges: dict[str, set[str]] = {module: set() for module in modules(source)}
    for entry in imports(source):
        if entry.at_load and entry.target in edges and entry.target != entry.module:
            edges[entry.module].add(entry.target)

    found, done = set(), set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        if module in path:
            ring = path[path.index(module) :]
            start = ring.index(min(ring))
            found.add(" -> ".join((*ring[start:], *ring[:start], min(ring))))
            return
        if module not in done:
            for target in sorted(edges[module]):
                visit(target, (*path, module))
            done.add(module)

    for module in sorted(edges):
        visit(module, ())
    return sorted(found)


def sister_ops(source: Path) -> list[str]:
    """Op files that import another op file; the packages' __init__ gather them and are exempt."""
    return [
        str(entry)
        for entry in imports(source)
        if room(entry.module) == room(entry.target) == "ops"
        and not entry.file.endswith("__init__.py")
    ]


def wrong_libraries(source: Path) -> list[str]:
    """Imports from outside that a room has no leave for, or that run before they are needed."""
    wrong = []
    for entry in imports(source):
        library = entry.target.split(".")[0]
        if library in sys.stdlib_module_names or library in {"gradtape", "numpy"}:
            continue
        if library not in LIBRARIES.get(room(entry.module), set()):
            wrong.append(f"{entry}: this room has no leave for it")
        if library == "llvmlite" and not entry.module.startswith("gradtape.backends.llvm"):
            wrong.append(f"{entry}: only backends/llvm imports llvmlite")
        if library in HEAVY and entry.at_load and (entry.file, library) not in BASES:
            wrong.append(f"{entry}: import it inside the function that needs it")
    return wrong


def undocumented_packages(source: Path) -> list[str]:
    """Packages whose __init__ does not say what they are."""
    return [
        str(path.relative_to(source))
        for path in modules(source).values()
        if path.name == "__init__.py"
        and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]


def unexplained_length(source: Path, limit: int = 600) -> list[str]:
    """Files past the limit whose header does not say why they are so long."""
    wrong = []
    for path in modules(source).values():
        text = path.read_text(encoding="utf-8")
        header = ast.get_docstring(ast.parse(text)) or ""
        if text.count("\n") > limit and not re.search(r"(?i)\b(long|lines|length)\b", header):
            wrong.append(f"{path.relative_to(source)}: {text.count(chr(10))} lines")
    return wrong


def unknown_rooms(source: Path) -> list[str]:
    """Files and folders that the table of levels does not have."""
    return sorted({room(module) for module in modules(source)} - LEVELS.keys() - {""})


CHECKS = [
    wrong_levels,
    cycles,
    sister_ops,
    wrong_libraries,
    undocumented_packages,
    unexplained_length,
    unknown_rooms,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_source(check):
    assert check(SOURCE) == []


def test_source_is_read():
    """The checks above would pass on an empty folder; this one would not."""
    assert {"gradtape", "gradtape.errors", "gradtape.core"} <= modules(SOURCE).keys()
    assert any(room(entry.target) == "errors" for entry in imports(SOURCE))


# Each check, on a tree where something is wrong: the file, what it holds, what must be said.
PLANTED = [
    (wrong_levels, {"core/a.py": "from gradtape.tape import tape"}, "core/a.py:1"),
    (wrong_levels, {"core/a.py": "def f():\n    from gradtape import ops"}, "core/a.py:2"),
    (wrong_levels, {"core/a.py": "from .. import ops", "ops/__init__.py": ""}, "core/a.py:1"),
    (wrong_levels, {"core/a.py": "import gradtape as gt"}, "core/a.py:1"),
    (wrong_levels, {"fit/a.py": "from gradtape.record import x"}, "fit/a.py:1"),
    (wrong_levels, {"core/a.py": "from importlib import import_module\n"
                                 "x = import_module('gradtape.fit')"}, "core/a.py:2"),
    (wrong_levels, {"core/a.py": "if TYPE_CHECKING:\n    from gradtape.tape import T"},
     "core/a.py:2"),
    (cycles, {"core/a.py": "from . import b", "core/b.py": "if x:\n    from .a import x"},
     "gradtape.core.a -> gradtape.core.b -> gradtape.core.a"),
    (cycles, {"core/__init__.py": '"""Core."""\nfrom . import a', "core/a.py": "from . import x"},
     "gradtape.core -> gradtape.core.a -> gradtape.core"),
    (sister_ops, {"ops/a.py": "from gradtape.ops import b", "ops/b.py": ""}, "ops/a.py:1"),
    (sister_ops, {"ops/linalg/a.py": "from ..b import x", "ops/b.py": ""}, "ops/linalg/a.py:1"),
    (wrong_libraries, {"core/a.py": "def f():\n    import scipy.linalg"}, "no leave"),
    (wrong_libraries, {"backends/numpy.py": "def f():\n    import llvmlite.ir"}, "only backends"),
    (wrong_libraries, {"fit/a.py": "import pandas as pd"}, "inside the function"),
    (wrong_libraries, {"fit/a.py": "class A:\n    from tqdm import tqdm"}, "inside the function"),
    (undocumented_packages, {"core/__init__.py": "x = 1"}, "core/__init__.py"),
    (unexplained_length, {"core/a.py": '"""Much."""\n' + "x = 1\n" * 700}, "core/a.py: 701"),
    (unknown_rooms, {"helpers.py": ""}, "helpers"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "files", "said"), PLANTED)
def test_a_planted_fault_is_found(tmp_path, check, files, said):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = check(tmp_path)
    assert len(found) == 1
    assert said in found[0]


INNOCENT = {
    "__init__.py": '"""Top."""\nfrom importlib import import_module\n'
                   "def f():\n    from gradtape.cli import main\n    import gradtape.fit",
    "core/__init__.py": '"""Core."""\nfrom gradtape.core import a',
    "core/a.py": "import numpy as np\nfrom gradtape import errors\nfrom ..errors import E",
    "core/b.py": "from .c import x",
    "core/c.py": "def f():\n    from .b import y",
    "errors.py": '"""Long for a reason: all the errors."""\n' + "x = 1\n" * 700,
    "fit/__init__.py": '"""Fit."""\nif TYPE_CHECKING:\n    import pandas as pd\n'
                       "def f():\n    import pandas as pd\n    from gradtape.core.a import np",
    "ops/__init__.py": '"""Ops."""\nfrom gradtape.ops import sin',
    "ops/sin.py": "from gradtape.core.a import np\ndef f():\n    import scipy.special",
    "cli.py": "from gradtape import fit",
}  # fmt: skip


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_what_is_allowed_is_not_reported(tmp_path, check):
    for name, text in INNOCENT.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert check(tmp_path) == []
