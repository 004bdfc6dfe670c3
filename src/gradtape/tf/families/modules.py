"""`tf.Module`: an object whose Variables are found in its attributes; devices."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ...core.positions import decode, here
from ...errors import three_part
from ..base.errors import RefusedState, RefusedValue
from ..base.names import export
from ..base.scopes import name_scope, scoped
from ..base.variables import Variable


def _snake(name: str) -> str:
    """`DenseLayer` as `dense_layer`."""
    name = re.sub(r"((?<=[a-z0-9])[A-Z]|(?!^)[A-Z](?=[a-z]))", r"_\1", name)
    return name.lower()


def _leaves(x: Any) -> Iterator[Any]:
    if isinstance(x, Mapping):
        for key in sorted(x, key=str):
            yield from _leaves(x[key])
    elif isinstance(x, list | tuple):
        for item in x:
            yield from _leaves(item)
    else:
        yield x


class _Scope(name_scope):
    """The name scope of a module, which is not put below the scopes that are open."""

    @property
    def name(self) -> str:
        return f"{self._name}/"

    def __enter__(self) -> str:
        from ..base.scopes import _scopes

        self._saved.append(_scopes.names)
        _scopes.names = (self._name,)
        return self.name


@export("Module")
class Module:
    """Base of a model: its Variables, and those of its parts, are found in its attributes.

    Attributes, the items of lists, tuples and dicts in them, and other modules are looked
    through, in the order of the attributes' names.

    Examples
    --------
    >>> import gradtape.tf as tf
    >>> class Dense(tf.Module):
    ...     def __init__(self):
    ...         super().__init__(name="dense")
    ...         self.w = tf.Variable([1.0, 2.0], name="w")
    >>> [v.name for v in Dense().trainable_variables]
    ['w:0']
    """

    _name: str
    _TF_MODULE_IGNORED_PROPERTIES = frozenset(["_scope"])

    def __init__(self, name: Any = None) -> None:
        if name is None:
            name = _snake(type(self).__name__)
        elif not isinstance(name, str) or not name.isidentifier():
            raise RefusedValue(
                three_part(
                    f"{name!r} is not a valid module name. Module names must be valid Python "
                    "identifiers (e.g. a valid class name).",
                    f"tf.Module was called at {decode(*here())}.",
                    "Use letters, digits and _.",
                )
            )
        self._name = name
        self._scope = _Scope(scoped(name))

    @property
    def name(self) -> str:
        """The name, by default that of the class in snake_case."""
        return self._name

    @property
    def name_scope(self) -> name_scope:
        """A `tf.name_scope` for the Variables of this module."""
        return self._scope

    @property
    def variables(self) -> tuple[Variable, ...]:
        """All Variables of this module and of its parts."""
        return tuple(self._flatten(predicate=_is_variable))

    @property
    def trainable_variables(self) -> tuple[Variable, ...]:
        """Those that are trainable."""
        return tuple(v for v in self.variables if v.trainable)

    @property
    def non_trainable_variables(self) -> tuple[Variable, ...]:
        """Those that are not trainable."""
        return tuple(v for v in self.variables if not v.trainable)

    @property
    def submodules(self) -> tuple[Module, ...]:
        """The modules in attributes of this one, and of those."""
        return tuple(self._flatten(predicate=_is_module))

    def _flatten(
        self,
        recursive: bool = True,
        predicate: Callable[[Any], bool] | None = None,
        attribute_traversal_key: Any = None,
        with_path: bool = False,
        expand_composites: bool = False,
    ) -> Iterator[Any]:
        seen: set[int] = {id(self)}
        queue: list[Module] = [self]
        while queue:
            module = queue.pop(0)
            inner: list[Module] = []
            ignored = module._TF_MODULE_IGNORED_PROPERTIES
            for key in sorted(vars(module), key=attribute_traversal_key):
                if key in ignored:
                    continue
                for leaf in _leaves(vars(module)[key]):
                    if id(leaf) in seen:
                        continue
                    if isinstance(leaf, Module) or (predicate is None or predicate(leaf)):
                        seen.add(id(leaf))
                    if predicate is None or predicate(leaf):
                        yield leaf
                    if recursive and isinstance(leaf, Module):
                        inner.append(leaf)
            queue = inner + queue

    @classmethod
    def with_name_scope(cls, method: Any) -> Any:
        """A method whose Variables get the module's name in front of theirs."""

        @functools.wraps(method)
        def scoped_method(self: Any, *args: Any, **kwargs: Any) -> Any:
            with self.name_scope:
                return method(self, *args, **kwargs)

        return scoped_method


def _is_variable(x: Any) -> bool:
    return isinstance(x, Variable)


def _is_module(x: Any) -> bool:
    return isinstance(x, Module)


# ------------------------------------------------------------------------------ devices

_DEVICE = re.compile(
    r"^(/?(job:\w+|replica:\d+|task:\d+|(device:)?[A-Za-z_]+:(\d+|\*)))*$", re.IGNORECASE
)


@export("device")
class device:
    """`with tf.device("/CPU:0"):` changes nothing: everything is computed on the CPU."""

    def __init__(self, device_name: Any) -> None:
        self._asked = device_name
        if callable(device_name):
            raise RefusedState(
                three_part(
                    "tf.device: functions are not supported when eager execution is enabled.",
                    f"Called at {decode(*here())}.",
                    'Give a name: tf.device("/CPU:0").',
                )
            )

    def __enter__(self) -> None:
        if self._asked is not None and not _DEVICE.match(str(self._asked)):
            raise RefusedValue(
                three_part(
                    f"Unknown attribute in device name: {self._asked!r}.",
                    f"tf.device was entered at {decode(*here())}.",
                    'Give a name such as "/CPU:0" or "/device:CPU:0".',
                )
            )

    def __exit__(self, *_: Any) -> None:
        return None
