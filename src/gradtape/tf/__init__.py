"""The TensorFlow dialect: `import gradtape.tf as tf`, and GradientTape scripts run.

Names, argument orders, dtype rules and error classes are TensorFlow's; the mathematics is the
cards'. May import every room below it. `base/` is what the families of functions stand on; read
`base/promotion.py` and `families/elementwise.py` first, and docs/tensorflow.md to add a name.

Nothing is imported before a name is asked for.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name.startswith("__") and name != "__version__":
        raise AttributeError(name)
    from .base.spaces import resolve

    found = globals()[name] = resolve(name)
    return found


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext gradtape.tf`: the cells that follow get the dialect for `import tensorflow`."""
    from .serving import install

    install()


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext gradtape.tf`: TensorFlow's name is its own again."""
    from .serving import uninstall

    uninstall()


def __dir__() -> list[str]:
    from .base.spaces import members

    return members("")
