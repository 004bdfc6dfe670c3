"""Name scopes: prefixes that Variables made inside get."""

from __future__ import annotations

from _thread import _local
from typing import Any

from .names import export


class _Scopes(_local):
    names: tuple[str, ...] = ()


_scopes = _Scopes()


def scoped(name: str) -> str:
    """`name` below the scopes that are open in this thread."""
    return "/".join((*_scopes.names, name))


@export("name_scope")
class name_scope:
    """`with tf.name_scope("layer"):` puts `layer/` before the names of Variables made inside."""

    def __init__(self, name: str) -> None:
        self._name = str(name).rstrip("/")
        self._saved: list[tuple[str, ...]] = []

    @property
    def name(self) -> str:
        return self._name

    def __enter__(self) -> str:
        self._saved.append(_scopes.names)
        _scopes.names = (*_scopes.names, self._name)
        return scoped("")

    def __exit__(self, *_: Any) -> None:
        _scopes.names = self._saved.pop()
