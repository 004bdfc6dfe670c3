"""The format of a recorded run: tables, names of meta keys, dtypes, limits, and JSON.

A run is a folder::

    run.db              SQLite: the tables below
    run.lock            while a process writes the run: locked by it, gone afterwards
    arrays-0001.bin     arrays of more than 16 KiB, one after the other; the table has place and crc
    fork-PID/           a run of the same form: what a forked child has recorded

Numbers that may be NaN stand in BLOBs of little-endian float64, since SQLite stores NaN as NULL.
A row of `chunk` holds many steps: rows of 1 + k float64, the step first, then the k columns of its
layout. `structure` says which graph a cost has from a step on; cost 0 is the first of the step, and
the meta key `costs` says of each what it is called and where its numbers stand (`costs.py`). A run
folder may come from anybody: nothing in it is code, and whoever reads it checks.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import DTypeError, RunError, three_part

__all__ = [
    "APPLICATION",
    "DATABASE",
    "DTYPES",
    "FIELDS",
    "INLINE",
    "LOCK",
    "STATUSES",
    "TABLES",
    "VERSION",
    "Column",
    "Tag",
    "decode",
    "dtype_name",
    "encode",
    "plain",
    "segment_name",
    "shape_of",
]

APPLICATION = 0x47545256
VERSION = 2
DATABASE, LOCK = "run.db", "run.lock"
INLINE = 16 * 1024  # bytes of an array that still go into the database
STATUSES = ("running", "finished", "failed", "stopped")

TABLES = {
    "meta": "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT)",
    "column": 'CREATE TABLE "column"(id INTEGER PRIMARY KEY, name TEXT UNIQUE, kind TEXT, tag TEXT,'
    " unit TEXT)",
    "layout": "CREATE TABLE layout(id INTEGER PRIMARY KEY, columns TEXT)",
    "chunk": "CREATE TABLE chunk(id INTEGER PRIMARY KEY, layout INT, first INT, last INT, rows INT,"
    " data BLOB)",
    "tag": "CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT UNIQUE, kind TEXT, shape TEXT,"
    " dtype TEXT, file TEXT, line INT, info TEXT)",
    "array": "CREATE TABLE array(id INTEGER PRIMARY KEY, digest BLOB UNIQUE, dtype TEXT,"
    " shape TEXT, segment INT, offset INT, length INT, crc INT, data BLOB)",
    "held": "CREATE TABLE held(tag INT, step INT, array INT, PRIMARY KEY(tag, step)) WITHOUT ROWID",
    "graph": "CREATE TABLE graph(id INTEGER PRIMARY KEY, digest BLOB UNIQUE, first INT, data TEXT)",
    "structure": "CREATE TABLE structure(step INT, cost INT, graph INT, PRIMARY KEY(step, cost))"
    " WITHOUT ROWID",
    "node_values": "CREATE TABLE node_values(graph INT, step INT, data BLOB,"
    " PRIMARY KEY(step, graph)) WITHOUT ROWID",
    "node_array": "CREATE TABLE node_array(step INT, graph INT, node INT, side INT, array INT,"
    " PRIMARY KEY(step, graph, node, side)) WITHOUT ROWID",
    "event": "CREATE TABLE event(id INTEGER PRIMARY KEY, step INT, time REAL, kind TEXT,"
    " data TEXT)",
    "source": "CREATE TABLE source(id INTEGER PRIMARY KEY, file TEXT UNIQUE, digest TEXT,"
    " text TEXT)",
}

# What a node of the graph was at a step; ct_ are the same of its cotangent.
FIELDS = (
    "min",
    "max",
    "mean",
    "norm",
    "nonfinite",
    "zeros",
    "ct_min",
    "ct_max",
    "ct_mean",
    "ct_norm",
    "ct_nonfinite",
    "ct_zeros",
)

# What an array may be. Nothing here can hold a Python object.
DTYPES = {
    name: np.dtype(name)
    for name in (
        *("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8"),
        *("<f2", "<f4", "<f8", "<c8", "<c16"),
    )
}


@dataclass(frozen=True)
class Column:
    """A series of scalars, one float64 a step.

    Attributes
    ----------
    id : int
        Its number in the layouts.
    name : str
        The tag: `cost`, `value/w`, `grad/w`, `log/accuracy`.
    kind : str
        cost, time, value, gradient, norm or log.
    tag : str or None
        The source that it belongs to.
    unit : str or None
        What it is measured in.
    """

    id: int
    name: str
    kind: str
    tag: str | None = None
    unit: str | None = None


@dataclass(frozen=True)
class Tag:
    """Something whose arrays are recorded.

    Attributes
    ----------
    id : int
        Its number.
    name, kind : str
        `value/w`; variable, source, input or prediction.
    shape : tuple of int
        The shape when it was first seen.
    dtype : str
        NumPy's name of the dtype.
    file, line : str and int, or None
        Where the user made it.
    info : dict
        What else is known.
    """

    id: int
    name: str
    kind: str
    shape: tuple[int, ...]
    dtype: str
    file: str | None = None
    line: int | None = None
    info: Mapping[str, Any] = field(default_factory=dict)


def segment_name(number: int) -> str:
    """The name of a segment file by its number, from 1."""
    return f"arrays-{number:04d}.bin"


def dtype_name(dtype: np.dtype[Any]) -> str:
    """The name under which arrays of a dtype are stored, little endian.

    Raises DTypeError for what a run cannot hold: objects, text, dates, records, long doubles.
    """
    name = dtype.newbyteorder("<").str
    if name not in DTYPES:
        raise DTypeError(
            three_part(
                f"record: an array of dtype {dtype} cannot be stored.",
                "A run holds booleans, integers, floats and complex numbers of up to 64 bits "
                "a part.",
                'Record it converted, such as `x.astype("float64")`.',
            )
        )
    return name


def plain(text: str) -> str:
    r"""Text for a terminal: a name that comes with a run may hold its control characters.

    >>> plain("cost\x1b[2J")
    'cost?[2J'
    """
    return "".join(letter if letter.isprintable() else "?" for letter in text)


# -- JSON -------------------------------------------------------------------------------------


MOST_NUMBERS = 10_000  # of an array that is written as JSON
MOST_TEXT = 1_000_000  # letters of what an object says of itself


def encode(value: object) -> str:
    """Write a value as JSON; NaN and the infinities become the strings "nan", "inf", "-inf".

    >>> encode({"loss": float("nan"), "rate": np.float32(0.5), "shape": (2, 3)})
    '{"loss": "nan", "rate": 0.5, "shape": [2, 3]}'
    """
    try:
        return json.dumps(value, allow_nan=False, default=_plain)
    except (ValueError, TypeError, RecursionError):  # NaN, or a key that is no string
        return json.dumps(_finite(value), allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        if value.size > MOST_NUMBERS:
            return f"{value.dtype}{list(value.shape)} {value}"
        return value.tolist() if value.dtype.kind in "biuf" else str(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=as_text)
    return as_text(value)


def as_text(value: object, most: int = MOST_TEXT) -> str:
    """`str(value)`, its beginning where it is long, its class where it has none.

    >>> as_text(1.5), as_text("a" * 20, 5)
    ('1.5', 'aaaaa... (20 characters)')
    """
    try:
        text = str(value)
    except Exception:  # of the user's own, or a number of thousands of digits
        return f"<{type(value).__name__}>"
    return text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"


def _finite(value: Any, depth: int = 0) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else str(float(value))
    if value is None or isinstance(value, str | int):
        return value
    if depth > 100:  # no JSON of ours is this deep: it holds itself
        return "..."
    if isinstance(value, Mapping):
        return {str(key): _finite(entry, depth + 1) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry, depth + 1) for entry in value]
    return _finite(_plain(value), depth + 1)


def decode(text: object, what: str) -> Any:
    """Read JSON that a run holds; `what` names it in the error."""
    try:
        return json.loads(text if isinstance(text, str) else "")
    except (ValueError, RecursionError) as error:
        raise RunError(
            three_part(
                f"open_run: {plain(what)} is not JSON: {error}.",
                "gradtape has not written it so: the run is damaged, or was made to look like one.",
                "Take the run from a backup; what else it holds can still be read.",
            )
        ) from None


def shape_of(text: object, what: str) -> tuple[int, ...]:
    """Read a shape that a run holds: at most 64 sizes that are not negative."""
    shape = decode(text, what)
    if (
        not isinstance(shape, list)
        or len(shape) > 64
        or not all(type(size) is int and 0 <= size < 2**62 for size in shape)
    ):
        raise RunError(
            three_part(
                f"open_run: {plain(what)} is no shape: {plain(str(text)[:80])}.",
                "A shape is a list of at most 64 sizes.",
                "The run is damaged or was made by hand; take it from a backup.",
            )
        )
    return tuple(shape)
