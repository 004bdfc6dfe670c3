"""`tf.math`, `tf.nn` and their like: modules that look their names up in the register."""

from __future__ import annotations

import contextlib
import sys
from types import ModuleType
from typing import Any

from .names import has_space, load_all, lookup

# The namespaces that have names of ours, besides those that only hold other namespaces.
SPACES = (
    "math", "nn", "linalg", "random", "nest", "debugging", "data", "train", "errors", "config",
    "autograph", "dtypes", "version", "bitwise", "experimental", "types", "strings", "sets",
    "signal", "image", "io", "autodiff", "compat", "test", "saved_model", "sparse", "ragged",
    "summary", "distribute", "keras", "data.experimental", "config.experimental",
    "config.threading", "config.optimizer", "autograph.experimental", "random.experimental",
    "linalg.experimental", "experimental.numpy", "math.special", "nn.experimental",
)  # fmt: skip


class Space(ModuleType):
    """One namespace."""

    def __init__(self, name: str) -> None:
        super().__init__(f"gradtape.tf.{name}", f"The functions of `tf.{name}`.")
        self.__dict__["_space"] = name
        self.__dict__["__path__"] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        full = f"{self._space}.{name}"
        found = resolve(full)
        self.__dict__[name] = found
        return found

    def __dir__(self) -> list[str]:
        return members(self._space)


def resolve(name: str) -> Any:
    """What `tf.<name>` is: a function, or a namespace that has something in it."""
    if name in SPACES and has_space(name):
        return space(name)
    with contextlib.suppress(AttributeError):
        return lookup(name)
    from .missing import missing  # difflib and json: only where a name is lacking

    raise missing(name)


def space(name: str) -> Space:
    """The namespace `tf.<name>`, which `import gradtape.tf.<name>` finds too."""
    module = sys.modules.get(f"gradtape.tf.{name}")
    if not isinstance(module, Space):
        module = sys.modules[f"gradtape.tf.{name}"] = Space(name)
    return module


def members(name: str) -> list[str]:
    """The names in a namespace, "" for the top."""
    start = f"{name}." if name else ""
    return sorted({n[len(start) :].partition(".")[0] for n in load_all() if n.startswith(start)})
