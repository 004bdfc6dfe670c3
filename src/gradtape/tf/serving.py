"""Serves the dialect under TensorFlow's name: `import tensorflow as tf` finds `gradtape.tf`.

`install` puts a finder before all others, for this process; `uninstall` takes it away again. Only
what is imported while it is there is served. What TensorFlow has and the dialect has not raises
ModuleNotFoundError at the import, in three parts.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from ..errors import three_part

SERVED = "tensorflow"
_PLANNED = {
    "keras": "Keras is planned for gradtape and not there yet; tf.Module and tf.GradientTape are.",
    "v1": "It is TensorFlow 1, of graphs and sessions; gradtape serves TensorFlow 2.",
    "v2": "TensorFlow 2 is what `import tensorflow` itself serves here.",
    "python": "tensorflow.python is TensorFlow's inside; gradtape serves its public names.",
}


class _Served(Loader):
    """Loads a name of TensorFlow by handing out the dialect's own module."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None  # an empty one, so that the dialect's keeps its own name and spec

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = self.module


class Finder(MetaPathFinder):
    """Finds `tensorflow` and its namespaces in the dialect."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: Any = None
    ) -> ModuleSpec | None:
        top, _, inner = fullname.partition(".")
        if top != SERVED:
            return None
        module: Any = import_module("gradtape.tf")
        for step in inner.split(".") if inner else ():
            try:
                module = getattr(module, step)
            except AttributeError:
                raise _missing(fullname, step) from None
            if not isinstance(module, ModuleType):
                raise _missing(fullname, step)
        is_package = not inner
        return ModuleSpec(fullname, _Served(module), is_package=is_package)


def _missing(fullname: str, step: str) -> ModuleNotFoundError:
    return ModuleNotFoundError(
        three_part(
            f"No module named {fullname!r} in gradtape.tf.",
            _PLANNED.get(step, f"gradtape serves `import {SERVED}`, and has no part {step!r}."),
            "Use what dir(gradtape.tf) lists, or run the script with TensorFlow itself.",
        ),
        name=fullname,
    )


_finder = Finder()


def install() -> None:
    """Serve `gradtape.tf` as `tensorflow` to all imports of this process from now on.

    Raises
    ------
    ImportError
        If TensorFlow itself is imported already: names taken from it would stay its own.
    """
    loaded = sys.modules.get(SERVED)
    if loaded is not None and getattr(loaded, "__name__", "") != "gradtape.tf":
        raise ImportError(
            three_part(
                "gradtape.tf cannot take the place of tensorflow.",
                "TensorFlow itself is imported in this process already.",
                "Start again (in a notebook: restart the kernel) and load gradtape.tf first.",
            )
        )
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def uninstall() -> None:
    """Serve no more; the next `import tensorflow` finds TensorFlow itself, if it is installed."""
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)
    for name in [n for n in sys.modules if n == SERVED or n.startswith(SERVED + ".")]:
        if getattr(sys.modules[name], "__name__", "").startswith("gradtape.tf"):
            del sys.modules[name]
