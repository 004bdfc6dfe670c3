"""tf.train: checkpoints of Variables, numbered and kept as TensorFlow keeps them."""

from __future__ import annotations

import os
import re
from typing import Any, NoReturn

import numpy as np

from ...core.positions import decode, here
from ...errors import three_part
from ..base.dtypes import DTYPES, as_dtype
from ..base.errors import KINDS, RefusedAssertion, RefusedValue, invalid
from ..base.names import export
from ..base.storage import SUFFIX, Node, Stored, load, store, write
from ..base.tracking import VALUE, is_trackable, parts, walk
from ..base.variables import Variable

COUNTER = "save_counter"


@export("train.Checkpoint")
class Checkpoint:
    """Saves and restores the Variables that its objects lead to, by the names on the way.

    The files are safetensors (the package of the extra `tf`), not TensorFlow's, and are written
    whole or not at all. Objects: Variables, lists, tuples, dicts, tf.Modules, random generators,
    other checkpoints. A Variable that is made after `restore` gets its value if it is put into an
    attribute of the Checkpoint itself.
    """

    def __init__(self, root: Any = None, **kwargs: Any) -> None:
        self.__dict__.update(_objects={}, _root=root, _waiting=None, _counter=None)
        if root is not None:
            self._demand("root", root)
        for name, value in sorted(kwargs.items()):
            setattr(self, name, value)

    def _demand(self, name: str, value: Any) -> None:
        if not is_trackable(value):
            raise RefusedValue(
                three_part(
                    f"`Checkpoint` was expecting {name} to be a trackable object, got "
                    f"{value!r:.80}.",
                    f"It was given at {decode(*here())}; a checkpoint holds Variables, and lists, "
                    "dicts and tf.Modules of them.",
                    f"Make it a Variable: {name}=tf.Variable(...).",
                )
            )

    def __setattr__(self, name: str, value: Any) -> None:
        self._demand(name, value)
        self._objects[name] = value
        if self._waiting is not None:
            self._waiting.bind()

    def __getattr__(self, name: str) -> Any:
        if name == COUNTER:
            return self._count()
        objects = self.__dict__.get("_objects", {})
        if name in objects:
            return objects[name]
        if name == "root" and self.__dict__.get("_root") is not None:
            return self._root
        raise AttributeError(f"'Checkpoint' object has no attribute {name!r}")

    def _count(self) -> Variable:
        if self._counter is None:
            counter = Variable(0, dtype=DTYPES["int64"], trainable=False, name=COUNTER)
            self.__dict__["_counter"] = counter
        found: Variable = self._counter
        return found

    def _tracked(self) -> dict[str, Any]:
        found = {} if self._root is None else dict(parts(self._root))
        found.update(self._objects)
        if self._counter is not None:
            found[COUNTER] = self._counter
        return found

    # ------------------------------------------------------------------ saving

    def write(self, file_prefix: Any, options: Any = None) -> str:
        """Write the values to `file_prefix`, which is returned; nothing is numbered."""
        path = os.fspath(file_prefix)
        nodes, values = [], {}
        for x, children, name in walk(self):
            key = name + VALUE if isinstance(x, Variable) else None
            if key is not None:
                values[key] = x.held.value
            nodes.append(Node(children, key))
        store(path, nodes, values)
        return str(path)

    def save(self, file_prefix: Any, options: Any = None) -> str:
        """Write the values to `file_prefix-N`, which is returned, with N one higher each time."""
        counter = self._count()
        counter.assign_add(1)
        try:
            path = self.write(f"{os.fspath(file_prefix)}-{int(counter.held.value)}")
        except BaseException:
            counter.assign_sub(1)
            raise
        _note(os.path.dirname(path), [path])
        return path

    # ------------------------------------------------------------------ restoring

    def read(self, save_path: Any, options: Any = None) -> Status:
        """Take the values of a file that `write` made; see `restore`."""
        return Status(self, load(os.fspath(save_path)))

    def restore(self, save_path: Any, options: Any = None) -> Status:
        """Take the values of the checkpoint `save_path`; nothing if that is None.

        A Variable whose stored value has another shape is a ValueError, and none is changed.
        """
        if save_path is None:
            return Status(self, None)
        stored = load(os.fspath(save_path))
        self._count()
        return Status(self, stored)


class Status:
    """What came of a restore, to be asked about."""

    def __init__(self, checkpoint: Checkpoint, stored: Stored | None) -> None:
        self._checkpoint, self._stored = checkpoint, stored
        self._matched: set[int] = set()
        self._bound: set[int] = set()  # Variables that have got their value
        self.bind()
        waits = stored is not None and len(self._matched) < len(stored.nodes)
        checkpoint.__dict__["_waiting"] = self if waits else None

    def bind(self) -> None:
        """Give the values to the Variables that are there by now, all or none."""
        if self._stored is None:
            return
        nodes, values = self._stored.nodes, self._stored.values
        todo: list[tuple[Variable, Any]] = []
        queue: list[tuple[int, Any]] = [(0, self._checkpoint)]
        seen: set[tuple[int, int]] = set()
        matched = set()
        while queue:
            number, x = queue.pop()
            if (number, id(getattr(x, "held", x))) in seen:
                continue
            seen.add((number, id(getattr(x, "held", x))))
            matched.add(number)
            key = nodes[number].key
            if isinstance(x, Variable) and key is not None and id(x.held) not in self._bound:
                _demand_fit(x, values[key], key)
                todo.append((x, values[key]))
            for name, part in parts(x).items():
                if name in nodes[number].children:
                    queue.append((nodes[number].children[name], part))
        for variable, value in todo:
            variable.assign(value)
            self._bound.add(id(variable.held))
        self._matched |= matched

    def expect_partial(self) -> Status:
        """Say that not all of the checkpoint is wanted."""
        return self

    def initialize_or_restore(self, session: Any = None) -> None:
        """Do nothing: an eager restore has been done."""

    def assert_consumed(self) -> Status:
        """AssertionError if a stored value found no Variable, or a Variable no value."""
        nodes = self._known().nodes
        ignored = nodes[0].children.get(COUNTER)
        left = [i for i in range(len(nodes)) if i not in self._matched and i != ignored]
        if left:
            names = [nodes[i].key or f"object {i}" for i in left]
            _unmatched(
                f"Unresolved objects in checkpoint: {', '.join(names[:5])}.",
                "no object of that name was there",
            )
        return self.assert_existing_objects_matched()

    def assert_existing_objects_matched(self) -> Status:
        """AssertionError if a Variable found no value."""
        self._known()
        left = [
            path
            for x, _, path in walk(self._checkpoint)
            if isinstance(x, Variable) and path != COUNTER and id(x.held) not in self._bound
        ]
        if left:
            _unmatched(
                f"Found {len(left)} Python objects that were not bound to checkpointed values: "
                f"{', '.join(left[:5])}.",
                "nothing was stored under those names",
            )
        return self

    def assert_nontrivial_match(self) -> Status:
        """AssertionError if nothing at all was restored."""
        self._known()
        if not self._bound:
            _unmatched(
                "Nothing except the root object matched a checkpointed value.", "no name fits"
            )
        return self

    def _known(self) -> Stored:
        if self._stored is None:
            _unmatched(
                "No checkpoint specified (save_path=None); nothing is being restored.",
                "latest_checkpoint gives None where there is none",
            )
        return self._stored


def _unmatched(fact: str, cause: str) -> NoReturn:
    raise RefusedAssertion(
        three_part(
            fact,
            f"Asked at {decode(*here())}: {cause}.",
            "Give the objects the names that they were saved under, or call expect_partial().",
        )
    )


def _demand_fit(variable: Variable, value: Any, key: str) -> None:
    if not variable.shape.is_compatible_with(value.shape):
        raise RefusedValue(
            three_part(
                f"Received incompatible tensor with shape {value.shape} when attempting to restore "
                f"variable with shape {variable.shape} and name {variable.name}.",
                f"It was stored as {key!r}; restored at {decode(*here())}. No Variable was "
                "changed.",
                "Make the Variable in the shape that it was saved with.",
            )
        )
    if value.dtype != variable.dtype.held():
        raise invalid(
            f"tensor_name = {key}; expected dtype {variable.dtype.name} does not equal original "
            f"dtype {value.dtype.name}.",
            f"Restored at {decode(*here())}. No Variable was changed.",
            f"Make the Variable with dtype=tf.{value.dtype.name}, and tf.cast what is read.",
        )


# ----------------------------------------------------------------------- the state file


def _note(folder: str, paths: list[str], latest_filename: Any = None) -> None:
    """Write which checkpoints a folder has, the newest last."""
    lines = [f'model_checkpoint_path: "{_quoted(os.path.basename(paths[-1]))}"'] if paths else []
    lines += [f'all_model_checkpoint_paths: "{_quoted(os.path.basename(p))}"' for p in paths]
    content = "".join(line + "\n" for line in lines).encode()
    write(os.path.join(folder, latest_filename or "checkpoint"), content)


def _quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')


def _noted(folder: str, latest_filename: Any = None) -> tuple[str | None, list[str]]:
    """(newest, all) of the checkpoints that the folder's state file names and that are there."""
    try:
        with open(os.path.join(folder, latest_filename or "checkpoint"), encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError):
        return None, []
    found = re.findall(r'^(all_)?model_checkpoint_paths?: "((?:[^"\\]|\\.)*)"\s*$', text, re.M)
    named = [(bool(a), re.sub(r"\\(.)", r"\1", name)) for a, name in found]
    there = [
        (is_all, os.path.join(folder, name))
        for is_all, name in named
        if os.path.isfile(os.path.join(folder, name) + SUFFIX)
    ]
    newest = next((path for is_all, path in there if not is_all), None)
    return newest, [path for is_all, path in there if is_all]


@export("train.latest_checkpoint")
def latest_checkpoint(checkpoint_dir: Any, latest_filename: Any = None) -> str | None:
    """The path of the newest checkpoint in a folder, for `restore`; None if there is none."""
    return _noted(os.fspath(checkpoint_dir), latest_filename)[0]


@export("train.CheckpointManager")
class CheckpointManager:
    """Keeps the newest `max_to_keep` checkpoints in a folder."""

    def __init__(
        self,
        checkpoint: Any,
        directory: Any,
        max_to_keep: Any,
        keep_checkpoint_every_n_hours: Any = None,
        checkpoint_name: str = "ckpt",
        step_counter: Any = None,
        checkpoint_interval: Any = None,
        init_fn: Any = None,
        last_checkpoint_step: Any = None,
    ) -> None:
        if max_to_keep is not None and max_to_keep <= 0:
            raise RefusedValue(
                three_part(
                    f"Expected a positive integer or `None` for `max_to_keep`, got {max_to_keep}.",
                    f"CheckpointManager was made at {decode(*here())}.",
                    "Pass max_to_keep=3, or None to keep all.",
                )
            )
        if checkpoint_interval is not None and step_counter is None:
            raise RefusedValue(
                three_part(
                    "`step_counter` should be passed if `checkpoint_interval` is not None.",
                    f"CheckpointManager was made at {decode(*here())}.",
                    "Pass the Variable that counts steps: step_counter=step.",
                )
            )
        self._checkpoint = checkpoint
        self._directory: str = os.fspath(directory)
        self._keep, self._name = max_to_keep, checkpoint_name
        self._step, self._interval = step_counter, checkpoint_interval
        self._init, self._last = init_fn, last_checkpoint_step
        self.latest_checkpoint, self._paths = _noted(self._directory)

    @property
    def directory(self) -> str:
        return self._directory

    @property
    def checkpoint(self) -> Any:
        return self._checkpoint

    @property
    def checkpoint_interval(self) -> Any:
        return self._interval

    @property
    def checkpoints(self) -> list[str]:
        """The paths that are kept, the newest last."""
        return list(self._paths)

    def save(
        self, checkpoint_number: Any = None, check_interval: bool = True, options: Any = None
    ) -> str | None:
        """Save, and remove what is too old; the path, or None where the interval is not over."""
        step = None if self._step is None else int(self._step)
        if self._interval is not None and check_interval and self._last is not None:
            assert step is not None
            if step < self._last + self._interval:
                return None
        prefix = os.path.join(self._directory, self._name)
        counter = self._checkpoint.save_counter
        counter.assign_add(1)
        number = int(counter if checkpoint_number is None else checkpoint_number)
        try:
            path = self._checkpoint.write(f"{prefix}-{number}")
        except BaseException:
            counter.assign_sub(1)
            raise
        self._last = step
        paths = [p for p in self._paths if p != path] + [path]
        old = [] if self._keep is None else paths[: -self._keep]
        self._paths = paths[len(old) :]
        self.latest_checkpoint = path
        _note(self._directory, self._paths)
        for gone in old:  # after the note, which then names only what is there
            if os.path.exists(gone + SUFFIX):
                os.remove(gone + SUFFIX)
        return str(path)

    def restore_or_initialize(self) -> str | None:
        """Restore the newest checkpoint; the path, or None after calling `init_fn`."""
        if self.latest_checkpoint is not None:
            self._checkpoint.restore(self.latest_checkpoint)
            self._last = None if self._step is None else int(self._step)
            return str(self.latest_checkpoint)
        if self._init is not None:
            self._init()
        return None


# ----------------------------------------------------------------------- looking into one


class Reader:
    """The values in a checkpoint by their keys."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def has_tensor(self, tensor_str: str) -> bool:
        """Whether there is a value of that key."""
        return tensor_str in self._values

    def get_tensor(self, tensor_str: str) -> Any:
        """The value of a key."""
        if tensor_str not in self._values:
            raise KINDS["NotFoundError"](
                None,
                None,
                three_part(
                    f"Key {tensor_str} not found in checkpoint.",
                    f"Asked for at {decode(*here())}.",
                    f"There are {', '.join(sorted(self._values)[:10])}.",
                ),
            )
        return np.array(self._values[tensor_str])

    def get_variable_to_shape_map(self) -> dict[str, list[int]]:
        """The shapes by key."""
        return {key: list(value.shape) for key, value in self._values.items()}

    def get_variable_to_dtype_map(self) -> dict[str, Any]:
        """The dtypes by key."""
        return {key: as_dtype(value.dtype) for key, value in self._values.items()}


@export("train.load_checkpoint")
def load_checkpoint(ckpt_dir_or_file: Any) -> Reader:
    """A reader of the values in a checkpoint, or in the newest of a folder."""
    path = os.fspath(ckpt_dir_or_file)
    if os.path.isdir(path):
        found = latest_checkpoint(path)
        if found is None:
            raise RefusedValue(
                three_part(
                    f"Couldn't find 'checkpoint' file or checkpoints in given directory {path}.",
                    f"Asked for at {decode(*here())}.",
                    "Save one there first: checkpoint.save(os.path.join(folder, 'ckpt')).",
                )
            )
        path = found
    return Reader(load(path).values)


@export("train.load_variable")
def load_variable(ckpt_dir_or_file: Any, name: Any) -> Any:
    """The value of one key of a checkpoint."""
    return load_checkpoint(ckpt_dir_or_file).get_tensor(name)


@export("train.list_variables")
def list_variables(ckpt_dir_or_file: Any) -> list[tuple[str, list[int]]]:
    """(key, shape) of all values in a checkpoint."""
    return sorted(load_checkpoint(ckpt_dir_or_file).get_variable_to_shape_map().items())
