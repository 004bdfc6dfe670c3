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
    "families.derivatives",
    "families.special",
    "families.segments",
    "families.linalg",
    "families.random",
    "families.stateless",
    "families.generators",
    "families.nest",
    "base.specs",
    "base.slices",
    "families.data",
    "families.train",
    "families.debugging",
    "families.functions",
    "families.compiling",
    "families.mapping",
    "families.modules",
    "families.division",
    "families.config",
    "families.autograph",
    "families.compat",
]
# Where to look first: by name, or by namespace. Only a matter of time; any order finds all.
FIRST = {
    "nn": ("families.neural",),
    "linalg": ("families.linalg", "families.contract"),
    "random": ("families.random", "families.stateless", "families.generators"),
    "data": ("families.data",),
    "train": ("families.train",),
    "nest": ("families.nest",),
    "debugging": ("families.debugging", "families.config"),
    "config": ("families.config",),
    "test": ("families.config",),
    "autograph": ("families.autograph",),
    "compat": ("families.compat",),
    "function": ("families.compiling",),
    **dict.fromkeys(("map_fn", "vectorized_map", "scan", "foldl", "foldr"),
                    ("families.mapping",)),
    **dict.fromkeys(("py_function", "numpy_function", "print", "cond", "while_loop"),
                    ("families.functions",)),
    **dict.fromkeys(("Module", "device", "init_scope"), ("families.modules", "families.functions")),
    **dict.fromkeys(("autodiff", "custom_gradient", "recompute_grad", "grad_pass_through"),
                    ("families.derivatives",)),
    "TensorSpec": ("base.specs",),
    "IndexedSlices": ("base.slices",),
    "get_logger": ("families.config",),
    **dict.fromkeys(("matmul", "tensordot", "einsum"), ("families.contract",)),
    **dict.fromkeys(("zeros", "ones", "range", "fill", "eye", "linspace", "zeros_like",
                     "ones_like", "shape", "size", "rank"), ("families.creation",)),
}  # fmt: skip
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
    for home in _homes(name):
        _load(home)
        if name in NAMES:
            return NAMES[name]
    raise AttributeError(name)


def has_space(name: str) -> bool:
    """Whether any name begins with `name.`; files are loaded until one does."""
    start = f"{name}."
    if any(known.startswith(start) for known in NAMES):
        return True
    for home in _homes(start):
        _load(home)
        if any(known.startswith(start) for known in NAMES):
            return True
    return False


def _homes(name: str) -> list[str]:
    """The files that are not loaded, in the order in which to look for `name`."""
    first = FIRST.get(name) or FIRST.get(name.partition(".")[0]) or ()
    # the operators come with the first of them, whatever is asked for
    return [h for h in dict.fromkeys((HOMES[0], *first, *HOMES)) if h not in _loaded]


def _load(home: str) -> None:
    import_module(f"gradtape.tf.{home}")
    _loaded.append(home)


def load_all() -> dict[str, Any]:
    """Every name that we have."""
    for home in HOMES:
        _load(home)
    _loaded[:] = HOMES
    return NAMES
