"""What a checkpoint follows: from an object to its parts, by name, down to the Variables.

A checkpoint stores the graph of these names beside the values, so that values are found again by
the names that lead to them, whatever the order in which a program made its objects.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from .names import lookup
from .variables import Variable

VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"  # what TensorFlow's keys end with


def _known(name: str) -> Any:
    try:
        return lookup(name)
    except AttributeError:
        return ()


def is_trackable(x: Any) -> bool:
    """Whether a checkpoint can follow `x`."""
    if isinstance(x, Variable | list | tuple | Mapping) or hasattr(x, "_tracked"):
        return not hasattr(x, "known")  # a shape is no list
    return isinstance(x, (_known("Module"), _known("random.Generator")))


def parts(x: Any) -> dict[str, Any]:
    """The parts of `x` that can be followed, by name."""
    if isinstance(x, Variable):
        return {}
    if hasattr(x, "_tracked"):
        found = x._tracked()
    elif isinstance(x, Mapping):
        found = {str(key): value for key, value in x.items()}
    elif isinstance(x, tuple) and hasattr(x, "_fields"):
        found = dict(zip(x._fields, x, strict=True))
    elif isinstance(x, list | tuple):
        found = {str(i): item for i, item in enumerate(x)}
    elif isinstance(x, _known("random.Generator")):
        found = {"_state_var": x.state}
    else:
        found = vars(x)
    return {name: part for name, part in found.items() if is_trackable(part)}


def identity(x: Any) -> int:
    """One number for all objects that show the same Variable."""
    return id(getattr(x, "held", x))


def walk(root: Any) -> list[tuple[Any, dict[str, int], str]]:
    """(object, its parts' numbers by name, its path) of all that `root` leads to, nearest first."""
    found: list[tuple[Any, dict[str, int], str]] = [(root, {}, "")]
    numbers = {identity(root): 0}
    queue = deque([0])
    while queue:
        number = queue.popleft()
        x, children, path = found[number]
        for name, part in parts(x).items():
            key = identity(part)
            if key not in numbers:
                numbers[key] = len(found)
                queue.append(len(found))
                step = name.replace(".", "..").replace("/", ".S")
                found.append((part, {}, f"{path}/{step}" if path else step))
            children[name] = numbers[key]
    return found
