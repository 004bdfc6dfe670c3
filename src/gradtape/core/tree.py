"""Trees: dicts, lists, tuples, named tuples and dataclasses, with anything else as a leaf.

The views of a dict (`d.values()`) are nodes too, and become lists.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

_VIEWS: tuple[Any, ...] = (type({}.values()), type({}.items()))


def _children(tree: Any) -> tuple[list[Any], Callable[[list[Any]], Any], tuple[Any, ...]] | None:
    """(children, rebuild, labels) of a node; None for a leaf."""
    kind = type(tree)
    if kind is list or kind is tuple:
        return list(tree), kind, tuple(range(len(tree)))
    if isinstance(tree, dict):
        keys = tuple(tree)

        def rebuild(values: list[Any]) -> Any:
            pairs = zip(keys, values, strict=True)
            if kind is dict:
                return dict(pairs)
            new = copy.copy(tree)  # keeps a defaultdict's factory, an OrderedDict's order
            new.update(pairs)
            return new

        return list(tree.values()), rebuild, keys
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return list(tree), lambda values: kind(*values), tuple(tree._fields)
    if isinstance(tree, list | tuple):
        return list(tree), kind, tuple(range(len(tree)))
    if isinstance(tree, _VIEWS):
        return list(tree), list, tuple(range(len(tree)))
    names = getattr(kind, "__dataclass_fields__", None)
    if names is not None:
        labels = tuple(names)

        def make(values: list[Any]) -> Any:
            import dataclasses

            init = {k: v for k, v in zip(labels, values, strict=True) if names[k].init}
            return dataclasses.replace(tree, **init)

        return [getattr(tree, name) for name in labels], make, labels
    return None


def flatten(tree: Any) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """The leaves of `tree` and a function that builds the same structure around other leaves.

    >>> leaves, rebuild = flatten({"a": 1, "b": [2, 3]})
    >>> leaves, rebuild([10, 20, 30])
    ([1, 2, 3], {'a': 10, 'b': [20, 30]})
    """
    node = _children(tree)
    if node is None:
        return [tree], _first
    children, make, _ = node
    leaves: list[Any] = []
    parts: list[tuple[int, Callable[[list[Any]], Any]]] = []
    for child in children:
        found, rebuild = flatten(child)
        leaves.extend(found)
        parts.append((len(found), rebuild))

    def rebuild_node(values: list[Any]) -> Any:
        out, at = [], 0
        for count, part in parts:
            out.append(part(values[at : at + count]))
            at += count
        return make(out)

    return leaves, rebuild_node


def _first(values: list[Any]) -> Any:
    return values[0]


def tree_map(function: Callable[..., Any], tree: Any) -> Any:
    """`tree` with `function` applied to each leaf.

    >>> tree_map(lambda leaf: leaf + 1, (1, {"a": 2}))
    (2, {'a': 3})
    """
    leaves, rebuild = flatten(tree)
    return rebuild([function(leaf) for leaf in leaves])


def paths(tree: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each leaf with the expression that reaches it, for messages.

    >>> list(paths({"a": [1, 2]}, "params"))
    [("params['a'][0]", 1), ("params['a'][1]", 2)]
    """
    node = _children(tree)
    if node is None:
        yield prefix, tree
        return
    children, _, labels = node
    attribute = not isinstance(tree, dict) and labels and isinstance(labels[0], str)
    for label, child in zip(labels, children, strict=True):
        yield from paths(child, f"{prefix}.{label}" if attribute else f"{prefix}[{label!r}]")
