"""Trees: dicts, lists, tuples, named tuples and dataclasses, with anything else as a leaf.

The views of a dict (`d.values()`) are nodes too, and become lists.
"""

from __future__ import annotations

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
        if kind is dict:  # without a reference to `tree`: a trace counts who holds a result
            return list(tree.values()), lambda values: dict(zip(keys, values, strict=True)), keys

        def rebuild(values: list[Any]) -> Any:
            pairs = zip(keys, values, strict=True)
            from copy import copy

            new = copy(tree)  # keeps a defaultdict's factory, an OrderedDict's order
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


def in_order(tree: Any, like: Any) -> Any:
    """`tree` with its dicts in the order of those of `like` that have the same keys.

    A dict has its keys in the order in which it was filled, and so its leaves.

    >>> in_order({"b": 1, "a": 2}, {"a": 0, "b": 0})
    {'a': 2, 'b': 1}
    """
    node, found = _children(tree), _children(like)
    if node is None or found is None or not _alike(node, found, tree, like):
        return tree
    if isinstance(tree, dict):
        children = dict(zip(found[2], found[0], strict=True))
        return {key: in_order(tree[key], child) for key, child in children.items()}
    pairs = zip(node[0], found[0], strict=True)
    return node[1]([in_order(child, other) for child, other in pairs])


def is_like(tree: Any, like: Any) -> bool:
    """Whether `tree` has the nodes of `like`; a list may stand for a tuple.

    >>> is_like({"b": 1, "a": [2]}, {"a": (0,), "b": 0}), is_like({"a": 1}, {"b": 1})
    (True, False)
    """
    node, found = _children(tree), _children(like)
    if node is None or found is None:
        return node is found
    if not _alike(node, found, tree, like):
        return False
    others = found[0] if not isinstance(tree, dict) else [like[key] for key in node[2]]
    return all(map(is_like, node[0], others))


def _alike(node: Any, found: Any, tree: Any, like: Any) -> bool:
    if isinstance(tree, dict) or isinstance(like, dict):
        return isinstance(tree, dict) and isinstance(like, dict) and tree.keys() == like.keys()
    return len(node[0]) == len(found[0])


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
