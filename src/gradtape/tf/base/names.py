"""The register of public names: what `tf.math.sin` is, and which file defines it.

Each function is registered where it is written, under every name that TensorFlow gives it. The
files are imported when a name is first asked for that none of those loaded has.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

NAMES: dict[str, Any] = {}  # "math.sin" -> the function

# Files by what scripts ask for first; each registers its names when it is imported.
HOMES = [
    "families.elementwise",  # and with it base/surface.py and the operators
    "families.reduction",
    "families.creation",
    "families.shaping",
    "families.gathering",
    "families.ordering",
    "families.scattering",
    "families.blocks",
    "families.neural",
    "families.contract",
    "families.clipping",
    "families.special",
    "families.segments",
    "families.linalg",
    "families.random",
    "families.stateless",
    "families.generators",
    "families.nest",
    "base.specs",
    "families.data",
    "families.train",
    "families.debugging",
    "families.functions",
    "families.modules",
    "families.division",
    "families.config",
    "families.autograph",
    "families.compat",
]
_loaded: list[str] = []


def export(*names: str) -> Callable[[Any], Any]:
    """Register what is decorated as `tf.<name>` for each name."""

    def register(thing: Any) -> Any:
        for name in names:
            assert name not in NAMES or NAMES[name] is thing, f"tf.{name} is defined twice"
            NAMES[name] = thing
        return thing

    return register


def lookup(name: str) -> Any:
    """What `tf.<name>` is; AttributeError if we have none."""
    if name in NAMES:
        return NAMES[name]
    while len(_loaded) < len(HOMES):
        home = HOMES[len(_loaded)]
        import_module(f"gradtape.tf.{home}")
        _loaded.append(home)
        if name in NAMES:
            return NAMES[name]
    raise AttributeError(name)


def load_all() -> dict[str, Any]:
    """Every name that we have."""
    for home in HOMES:
        import_module(f"gradtape.tf.{home}")
    _loaded[:] = HOMES
    return NAMES
