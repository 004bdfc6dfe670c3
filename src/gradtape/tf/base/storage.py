"""The file of a checkpoint: Variables' values as safetensors, and the names that lead to them.

A file is untrusted: it holds numbers and JSON, and nothing in it is run. It is written beside its
place and moved there, so that a process that is killed leaves the previous one whole.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.positions import decode, here
from ...errors import DTypeError, GradtapeError, three_part
from .dtypes import DTYPES
from .errors import KINDS, invalid

SUFFIX = ".safetensors"
_GRAPH = "gradtape.objects"
# What safetensors does not hold in all its versions: stored with an axis of two parts more.
_COMPLEX: dict[str, Any] = {"complex64": np.complex64, "complex128": np.complex128}


class MissingPackageError(GradtapeError, ImportError):
    """A package of an extra that is not installed."""


def _library() -> Any:
    try:
        import safetensors.numpy
    except ImportError:
        raise MissingPackageError(
            three_part(
                "tf.train.Checkpoint needs the package safetensors, which is not installed.",
                f"Called at {decode(*here())}.",
                'pip install "gradtape[tf]"',
            )
        ) from None
    return safetensors


@dataclass(frozen=True)
class Node:
    """One object: the numbers of its parts by name, and the key of its value if it has one."""

    children: dict[str, int]
    key: str | None = None


@dataclass(frozen=True)
class Stored:
    """What a file holds."""

    nodes: list[Node]
    values: dict[str, Any]


def store(path: str, nodes: list[Node], values: dict[str, Any]) -> None:
    """Write a checkpoint at `path`, whole or not at all."""
    library = _library()
    plain, kinds = {}, {}
    for key, value in values.items():
        array = np.array(value, order="C")
        if array.dtype == object:
            raise KINDS["UnimplementedError"](
                None,
                None,
                three_part(
                    f"A checkpoint holds numbers, and {key!r} holds text.",
                    f"Saved at {decode(*here())}.",
                    "Keep text in a file of its own.",
                ),
            )
        if array.dtype.name in _COMPLEX:
            kinds[key] = array.dtype.name
            array = np.stack([array.real, array.imag], axis=-1)
        plain[key] = array
    graph = {"nodes": [[n.children, n.key] for n in nodes], "complex": kinds}
    write(path + SUFFIX, library.numpy.save(plain, {_GRAPH: json.dumps(graph)}))


def write(path: str, content: bytes) -> None:
    """Put a file in its place at once, after it has reached the disk."""
    folder, name = os.path.split(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    beside = os.path.join(folder, f".{name}.{os.getpid()}.part")
    try:
        with open(beside, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        if os.path.exists(beside):
            os.remove(beside)
        raise
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def load(path: str) -> Stored:
    """Read the checkpoint at `path`; NotFoundError, or DataLossError where it is none."""
    library = _library()
    file = path + SUFFIX
    if not os.path.isfile(file):
        raise KINDS["NotFoundError"](
            None,
            None,
            three_part(
                f"Failed to find any matching files for {path}.",
                f"Asked for at {decode(*here())}; there is no {os.path.basename(file)!r}.",
                "Use tf.train.latest_checkpoint(folder) for the name of the newest one.",
            ),
        )
    try:
        with library.safe_open(file, framework="numpy") as opened:
            graph = json.loads((opened.metadata() or {}).get(_GRAPH, "null"))
            keys = list(opened.keys())
            if any(opened.get_slice(key).get_dtype() == "BF16" for key in keys):
                DTYPES["bfloat16"].held()
            values = {key: opened.get_tensor(key) for key in keys}
        nodes = [_node(item) for item in graph["nodes"]]
        for key, kind in graph["complex"].items():
            pair = values[key]
            array = np.empty(pair.shape[:-1], _COMPLEX[kind])
            array.real, array.imag = pair[..., 0], pair[..., 1]
            values[key] = array
        _check(nodes, values)
    except (OSError, DTypeError):  # the second for bfloat16 without its package
        raise
    except Exception as error:  # whatever a file that is no checkpoint leads to
        raise KINDS["DataLossError"](
            None,
            None,
            three_part(
                f"{file} is no checkpoint that gradtape wrote, or is damaged.",
                f"Read at {decode(*here())}: {type(error).__name__}: {str(error)[:200]}",
                "Restore another one; nothing was changed.",
            ),
        ) from None
    return Stored(nodes, values)


def _node(item: Any) -> Node:
    children, key = item
    return Node({str(name): int(number) for name, number in children.items()},
                None if key is None else str(key))  # fmt: skip


def _check(nodes: list[Node], values: dict[str, Any]) -> None:
    for node in nodes:
        inside = all(0 <= number < len(nodes) for number in node.children.values())
        if not inside or (node.key is not None and node.key not in values):
            raise invalid(
                "its names lead to nothing.", "", "It was not written by tf.train.Checkpoint."
            )
    if not nodes:
        raise invalid("it has no objects.", "", "It was not written by tf.train.Checkpoint.")
