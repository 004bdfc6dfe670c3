"""The panel Parameter path: where the parameters went, and the loss in the plane of their way.

Two numbers are their own plane, and the loss on it is exact. Of more parameters the plane is that
of the two directions in which they moved most (principal components of the trajectory), and the
loss is its slice through the middle of the way; how much of the movement lies in the plane is said.
"""

from __future__ import annotations

import math
import threading
import time
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import RunError
from .moment import Moment, Nothing, parameters, said

__all__ = ["landscape", "path"]

_MOST_STEPS = 1000  # of a way through arrays
_MOST_POINTS = 4000  # of a way of two numbers
_MOST_READS = 6000  # of arrays
_MOST_NUMBERS = 1 << 22  # of all parameters at all those steps
_SECONDS = 6.0
_FEW_POINTS = 200  # of which all eigenvectors are computed
_ROUNDS = 8  # of subspace iteration
_FEWEST = 9  # places along an axis of a landscape
_WIDEST = 1000.0  # times its own extent that the picture of a way may be

Drawn = tuple[dict[str, Any], list[Any]] | str
# several threads of a server ask of one reader; a landscape may take seconds, a plane does not
_guard, _landscape_guard = threading.RLock(), threading.RLock()
_read: weakref.WeakKeyDictionary[Any, dict[tuple[str, int], Any]] = weakref.WeakKeyDictionary()
_planes: weakref.WeakKeyDictionary[Any, tuple[int, _Plane]] = weakref.WeakKeyDictionary()
_landscapes: weakref.WeakKeyDictionary[Any, dict[Any, Drawn]] = weakref.WeakKeyDictionary()


@dataclass
class _Plane:
    """A plane in the space of the parameters, and the way in it.

    A point is `middle + u * across + v * up`; each is a dict from tag to array.
    """

    kind: str
    axes: list[str]
    explained: list[float]
    steps: Any
    u: Any
    v: Any
    gu: Any
    gv: Any
    middle: dict[str, Any]
    across: dict[str, Any]
    up: dict[str, Any]


def path(reader: Any) -> Drawn:
    """Return the way of the parameters in a plane.

    Returns
    -------
    (dict, list of ndarray) or str
        The header: `kind` ("exact" for two numbers, "pca" for more), `axes` (their names),
        `explained` (share of the movement along each axis), `count`, `of` (how many steps the run
        has; of very many, some are taken). The arrays: the steps, the two coordinates, and the
        gradient along both axes (NaN where it was not stored).
    """
    try:
        plane = _plane(reader)
    except Nothing as nothing:
        return str(nothing)
    except RunError as error:
        return said(error)
    header = {"kind": plane.kind, "axes": plane.axes, "explained": plane.explained,
              "count": len(plane.steps), "of": int(reader.count())}  # fmt: skip
    arrays = [plane.steps, plane.u, plane.v, plane.gu, plane.gv]
    return header, [np.ascontiguousarray(a, np.float64) for a in arrays]


def landscape(reader: Any, n: int = 64) -> Drawn:
    """Return the loss on a grid around the way of the parameters.

    Parameters
    ----------
    reader : Reader
    n : int
        Places along each axis; fewer where that many would take more than six seconds.

    Returns
    -------
    (dict, list of ndarray) or str
        The header: `n`, `u` and `v` ([min, max] of the two axes), `exact` (whether it is the loss
        itself over all parameters), `note`. One array of n * n losses, v along rows, u within a
        row.
    """
    with _landscape_guard:
        known = _landscapes.setdefault(reader, {})
        key = (n, reader.version())
        if key not in known:
            known.clear()
            try:
                known[key] = _landscape(reader, n)
            except Nothing as nothing:
                known[key] = str(nothing)
            except RunError as error:
                known[key] = said(error)
        return known[key]


# ------------------------------------------------------------------------------- the way


def _plane(reader: Any) -> _Plane:
    """The plane of the run as it is now, found once."""
    with _guard:
        version = reader.version()
        known = _planes.get(reader)
        if known is None or known[0] != version:
            known = _planes[reader] = version, _found(reader)
        return known[1]


def _found(reader: Any) -> _Plane:
    scalars, arrays = parameters(reader)
    if not scalars and not arrays:
        raise Nothing("No parameter has been recorded.")
    if len(scalars) == 2 and not arrays:
        return _two_numbers(reader, scalars)
    if len(scalars) == 1 and not arrays:
        raise Nothing("There is one parameter, a number: its way is a line, not a plane.")
    return _components(reader, scalars, arrays)


def _two_numbers(reader: Any, tags: list[str]) -> _Plane:
    names = [tag.removeprefix("value/") for tag in tags]
    known = {c.name for c in reader.columns()}
    wanted = [*tags, *(f"grad/{name}" for name in names if f"grad/{name}" in known)]
    steps, matrix = reader.table(wanted)
    kept = _thinned(len(steps), _MOST_POINTS)
    steps, matrix = steps[kept], matrix[kept]
    columns = dict(zip(wanted, matrix.T, strict=True))
    missing = np.full(len(steps), np.nan)
    u, v = (columns[tag] for tag in tags)
    gu, gv = (columns.get(f"grad/{name}", missing) for name in names)
    zero = {tag: np.zeros(()) for tag in tags}
    one = np.ones(())
    return _Plane(
        "exact", names, _shares(u, v), steps, u, v, gu, gv,
        zero, {**zero, tags[0]: one}, {**zero, tags[1]: one},
    )  # fmt: skip


def _shares(u: Any, v: Any) -> list[float]:
    """How much of the movement lies along each of two numbers."""
    finite = np.isfinite(u) & np.isfinite(v)
    if not finite.any():
        return [0.0, 0.0]
    both = np.stack([u[finite], v[finite]])
    both = both / (np.abs(both).max() or 1.0)  # a run that diverges has squares beyond floats
    moved = np.var(both, axis=1)
    return (moved / moved.sum()).tolist() if moved.sum() > 0 else [0.0, 0.0]


def _components(reader: Any, scalars: list[str], arrays: list[str]) -> _Plane:
    steps = _common_steps(reader, arrays)
    read = _read.setdefault(reader, {})
    wanted = {int(step) for step in steps}
    for key in [key for key in read if key[1] not in wanted]:
        del read[key]
    with reader.session():
        points, shapes = _stack(reader, scalars, arrays, steps, "value/")
        slopes, _ = _stack(reader, scalars, arrays, steps, "grad/")
    if points.shape[1] < 2:
        count = "one number" if points.shape[1] else "no number"
        raise Nothing(f"The parameters hold {count}: there is no plane to draw.")
    if len(points) < 3:
        raise Nothing("The parameters were stored at fewer than three steps.")
    finite = np.isfinite(points).all(axis=1)
    if finite.sum() < 3:
        raise Nothing("The parameters are finite at fewer than three of the stored steps.")
    if points.shape[1] == 2:
        names = _entries([*scalars, *arrays], shapes)
        middle, directions = np.zeros(2), np.eye(2)
        kind, explained = "exact", _shares(points[:, 0], points[:, 1])
    else:
        usual = finite & _is_near(points, finite)
        with np.errstate(all="ignore"):
            middle = points[usual].mean(axis=0)
        moved = points[usual] - middle
        size = float(np.max(np.abs(moved)))
        if not math.isfinite(size):
            raise Nothing("The parameters are so large that their way cannot be drawn.")
        directions, explained = _principal(moved / (size or 1.0))
        names, kind = ["PC 1", "PC 2"], "pca"
    with np.errstate(all="ignore"):
        coordinates = (points - middle) @ directions.T
        along = slopes @ directions.T
    parts = [_split(x, [*scalars, *arrays], shapes) for x in (middle, *directions)]
    return _Plane(kind, names, explained, steps, *coordinates.T, *along.T, *parts)


def _entries(tags: list[str], shapes: list[tuple[int, ...]]) -> list[str]:
    """The name of each number: that of its variable, with its place where there are several."""
    found = []
    for tag, shape in zip(tags, shapes, strict=True):
        name, size = tag.removeprefix("value/"), math.prod(shape)
        found += [name] if size == 1 else [f"{name}[{i}]" for i in range(size)]
    return found


def _common_steps(reader: Any, arrays: list[str]) -> Any:
    """The steps at which every array was stored, thinned where they are too many."""
    common = np.array(reader.arrays(arrays[0])) if arrays else reader.steps()
    for tag in arrays[1:]:
        common = np.intersect1d(common, reader.arrays(tag))
    if not len(common):
        raise Nothing("There is no step at which all parameters were stored.")
    size = sum(math.prod(t.shape) for t in reader.tags() if t.name in arrays)
    most = min(_MOST_STEPS, _MOST_NUMBERS // max(size, 1), _MOST_READS // max(2 * len(arrays), 1))
    # every 2**k-th: as a run grows, nearly all of them have been read before
    stride = 1
    while len(common) > stride * max(most, 3):
        stride *= 2
    kept = np.append(np.arange(0, len(common) - 1, stride), len(common) - 1)
    return common[kept].astype(np.float64)


def _thinned(count: int, most: int) -> Any:
    """Places of at most so many out of a count, the first and the last among them."""
    if count <= most:
        return np.arange(count)
    return np.unique(np.linspace(0, count - 1, most).astype(int))


def _stack(
    reader: Any, scalars: list[str], arrays: list[str], steps: Any, kind: str
) -> tuple[Any, list[tuple[int, ...]]]:
    """(steps, all parameters or gradients in one row), and the shape of each."""
    known = {c.name for c in reader.columns()} | {t.name for t in reader.tags()}
    shapes: list[tuple[int, ...]] = []
    parts = []
    for tag in (*scalars, *arrays):
        name = kind + tag.removeprefix("value/")
        if tag in scalars:
            shapes.append(())
            part = np.full((len(steps), 1), np.nan)
            if name in known:
                every, values = reader.series(name)
                places = np.searchsorted(every, steps)
                inside = places < len(every)
                inside[inside] = every[places[inside]] == steps[inside]
                part[inside, 0] = values[places[inside]]
        else:
            shape = next(t.shape for t in reader.tags() if t.name == tag)
            shapes.append(shape)
            part = np.full((len(steps), math.prod(shape)), np.nan)
            held = set(reader.arrays(name)) if name in known else set()
            read = _read[reader]
            for row, step in enumerate(steps):
                if int(step) in held:
                    array = read.get((name, int(step)))
                    if array is None:
                        array = np.real(reader.array(name, int(step))[0]).reshape(-1)
                        read[name, int(step)] = array
                    if array.size == part.shape[1]:
                        part[row] = array
        parts.append(part)
    return np.concatenate(parts, axis=1), shapes


def _is_near(points: Any, finite: Any) -> Any:
    """Which points are not so far out that they alone would span the plane, as in divergence."""
    with np.errstate(all="ignore"):
        size = np.linalg.norm(points - points[finite][0], axis=1)
    typical = np.median(size[finite])
    return size <= max(1e3 * typical, 1e-300)


def _principal(moved: Any) -> tuple[Any, list[float]]:
    """The two directions of most movement, rows of unit length, and their shares of it.

    Of many points every so many give the directions to begin with; subspace iteration, by far
    cheaper than all eigenvectors, then takes them to those of all points.
    """
    total = float(np.sum(moved * moved))
    few = moved[:: -(-len(moved) // _FEW_POINTS)]
    directions = _upright(_leading(few), total)
    if len(few) < len(moved):
        for _ in range(_ROUNDS):
            directions = _upright((moved.T @ (moved @ directions.T)).T, total)
        _, turn = np.linalg.eigh((moved @ directions.T).T @ (moved @ directions.T))
        directions = turn.T[::-1] @ directions
    for i in range(2):
        directions[i] *= np.sign(directions[i][np.abs(directions[i]).argmax()]) or 1.0
    shares = np.sum((moved @ directions.T) ** 2, axis=0)
    return directions, (shares / total if total > 0 else np.zeros(2)).tolist()


def _leading(moved: Any) -> Any:
    """Two rows along the principal components, of any length."""
    m, count = moved.shape
    if m > count:
        return np.linalg.eigh(moved.T @ moved)[1][:, ::-1][:, :2].T
    # by the inner products of the points: m x m
    return np.linalg.eigh(moved @ moved.T)[1][:, ::-1][:, :2].T @ moved


def _upright(rows: Any, total: float) -> Any:
    """The rows at right angles and of unit length; any such where there is no movement."""
    out = np.array(rows)
    tiny = 1e-10 * math.sqrt(max(total, 1e-300))
    for i in range(2):
        if i:
            out[1] -= out[0] * (out[0] @ out[1])
        size = float(np.linalg.norm(out[i]))
        out[i] = out[i] / size if size > tiny else _across(out[0], i)
    return out


def _across(first: Any, i: int) -> Any:
    """A unit vector at right angles to `first`; the first axis where there is none yet."""
    found = np.zeros_like(first)
    found[int(np.abs(first).argmin()) if i else 0] = 1.0
    if i:
        found -= first * (found @ first)
        found /= np.linalg.norm(found)
    return found


def _split(row: Any, tags: list[str], shapes: list[tuple[int, ...]]) -> dict[str, Any]:
    found, start = {}, 0
    for tag, shape in zip(tags, shapes, strict=True):
        size = math.prod(shape)
        found[tag] = row[start : start + size].reshape(shape)
        start += size
    return found


# --------------------------------------------------------------------------- the landscape


def _landscape(reader: Any, n: int) -> Drawn:
    plane = _plane(reader)
    moment = Moment(reader, int(reader.last or 0))
    replay = moment.replay
    reason = replay.reason(replay.targets)
    if reason:
        raise Nothing(" ".join(reason.split()))
    if not replay.targets:
        raise Nothing("The graph has no cost.")
    needed = replay.needs(replay.targets)
    moving = [tag for tag in plane.across if tag in needed]
    if not moving:
        raise Nothing("The cost of the last step does not depend on the parameters.")
    fixed = moment.values(needed - set(moving))

    def losses_at(u: Any, v: Any) -> Any:
        batch = _batch(plane, moving, u.reshape(-1), v.reshape(-1))
        return np.real(replay.costs(fixed, batch, seconds=max(4 * _SECONDS, replay.seconds)))

    ends, fall = _ends(plane, reader)
    ends = _widened(ends, fall, losses_at)
    n = _affordable(losses_at, ends, n)
    u, v = np.meshgrid(_axis(ends[0], n), _axis(ends[1], n))
    losses = losses_at(u, v)
    notes = list(moment.notes)
    is_exact = plane.kind == "exact"
    if not is_exact:
        share = sum(plane.explained[:2])
        notes.append(f"A slice of the cost: {share:.1%} of the movement lies in this plane.")
    changing = _changing(moment, fixed, needed)
    if changing["data"]:
        notes.append(f"The cost of the rows of step {moment.at}; other steps saw other rows.")
        is_exact = False
    if changing["computed"]:
        names = ", ".join(changing["computed"])
        notes.append(
            f"{names} was computed outside of the tape and is held as at step {moment.at}."
        )
        is_exact = False
    header = {"n": n, "u": ends[0], "v": ends[1], "exact": is_exact, "note": " ".join(notes)}
    return header, [np.ascontiguousarray(losses, np.float64)]


def _batch(plane: _Plane, moving: list[str], u: Any, v: Any) -> dict[str, Any]:
    found = {}
    for tag in moving:
        shape = (len(u),) + (1,) * np.ndim(plane.middle[tag])
        found[tag] = (
            plane.middle[tag]
            + u.reshape(shape) * plane.across[tag]
            + v.reshape(shape) * plane.up[tag]
        )
    return found


def _ends(plane: _Plane, reader: Any) -> tuple[list[list[float]], float]:
    """The ranges of both axes, and by how much the cost fell.

    The ranges are those of the way, with room; of a run that diverges, of its beginning.
    """
    fall = 0.0
    usable = np.isfinite(plane.u) & np.isfinite(plane.v)
    if "cost" in {c.name for c in reader.columns()}:
        steps, costs = reader.series("cost")
        places = np.minimum(np.searchsorted(steps, plane.steps), len(steps) - 1)
        at = costs[places] if len(steps) else costs
        finite = at[np.isfinite(at)]
        if finite.size:
            with np.errstate(invalid="ignore"):
                tolerable = at <= max(10 * abs(finite[0]), finite[0] + 10 * np.ptp(finite[:3]))
            tolerable |= np.arange(len(at)) < 3
            usable &= tolerable
            fall = float(finite[0] - finite.min())
    ends = []
    for values in (plane.u, plane.v):
        seen = values[usable]
        if not len(seen):
            raise Nothing("The parameters are not finite at any step.")
        low, high = float(seen.min()), float(seen.max())
        room = 0.25 * (high - low) or 0.1 * abs(high) or 1.0
        ends.append([low - room, high + room])
    return ends, fall


def _widened(ends: list[list[float]], fall: float, losses_at: Any) -> list[list[float]]:
    """The ranges, wide enough along each axis that the cost changes by as much as it fell.

    Along a flat valley parameters hardly move, and a picture of their way alone would not show
    that there is a valley. The curvature says how wide it is.
    """
    middle = [(low + high) / 2 for low, high in ends]
    found = []
    for i, (low, high) in enumerate(ends):
        h = (high - low) / 2
        places = [np.full(3, m) for m in middle]
        places[i] = places[i] + h * np.array([-1.0, 0.0, 1.0])
        below, here, above = losses_at(*places)
        curvature = (below - 2 * here + above) / (h * h)  # h**2 raises where it overflows
        room = 0.0
        if fall > 0 and math.isfinite(curvature) and curvature > 0:
            room = math.sqrt(2 * fall / curvature)
        room = min(room, _WIDEST * h) - h
        found.append([low - room, high + room] if room > 0 else [low, high])
    return found


def _affordable(losses_at: Any, ends: list[list[float]], n: int) -> int:
    """How many places along an axis six seconds allow, at most `n`."""
    few, each = 16, math.inf
    for _ in range(2):  # the first one warms up
        start = time.perf_counter()
        losses_at(_axis(ends[0], few), _axis(ends[1], few))
        each = min(each, (time.perf_counter() - start) / few)
        if each * few < 0.01:
            break
    affordable = int(math.sqrt(_SECONDS / max(each, 1e-9)))
    if affordable < _FEWEST:
        raise Nothing(
            f"One value of the cost takes {each:.2g} s to compute again, too long for a landscape."
        )
    return min(n, affordable)


def _changing(moment: Moment, fixed: Any, needed: set[str]) -> dict[str, list[str]]:
    """Which inputs of the cost were others at other steps: the data, or what was computed."""
    reader, roles = moment.reader, moment.roles
    found: dict[str, list[str]] = {"data": [], "computed": []}
    several = {
        tag: reader.arrays(tag)
        for tag in sorted(needed)
        if tag.startswith("input/") and tag in moment.tags and tag in fixed
    }
    several = {tag: steps for tag, steps in several.items() if len(steps) > 1}
    if not several:
        return found
    if {roles["x"], roles["y"]} & several.keys():
        found["data"] = list(several)
        return found
    replay = moment.replay
    values = {**fixed, **moment.values(needed)}
    now = float(np.real(replay.cost(values)))
    for tag, steps in several.items():
        other = reader.array(tag, steps[0] if steps[0] != moment.at else steps[1])[0]
        if other.shape == np.shape(fixed[tag]):
            then = float(np.real(replay.cost({**values, tag: other})))
            if abs(then - now) <= 1e-9 * max(abs(now), 1e-300):
                continue  # a shift that cancels, as in a log-softmax
        found["computed"].append(tag)
    return found


def _axis(ends: list[float], n: int) -> Any:
    return np.linspace(ends[0], ends[1], n)
