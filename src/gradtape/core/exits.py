"""Exits: values that left a tape, and the notice taken when one comes back.

A *partial* gradient is the worst silence: in `a * x + float(a) * x` the gradient of `a` is a
number, and not the whole. So a tape remembers what left it: the place, the keys, and the scalar
object or (weakly) the buffer that was handed out. When a constant enters a record of that tape,
`came_back` looks whether it is one of them. It is *certain* for the same scalar object, the same
buffer or a view of it, and a plain array that was stored into; *possible* for an equal number or
equal contents, and for what was computed from it, which the code tells (`arrivals.py`).

A strict tape raises `ExitError` at the exit. Where that is `y[0] = x[0]` with a plain `y`, NumPy
turns any error of `__float__` into its own ValueError; the ExitError is its cause.

What reads the user's code (`places.py`, `arrivals.py`) is imported where something leaves.

Memory is bounded: scalars and weak references only, and no more than the limits below.

Interface for the rest of core: `note_exit(tensor, how, result)` where a value leaves, and
`came_back(tape, out_key, card, *operands)` where constants enter a record of a tape with exits.
"""

from __future__ import annotations

import cmath
import weakref
from _thread import _local
from collections import deque
from collections.abc import Iterable
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ExitError, three_part
from .aval import INEXACT
from .positions import decode, user_frame
from .registry import HOOKS
from .state import next_key, state

if TYPE_CHECKING:
    from .arrivals import Front
    from .places import Place

MOST_PLACES = 256
MOST_SCALARS = 4096
MOST_BUFFERS = 512
MOST_RETURNS = 4096
_KEYS = 64  # keys remembered per place and per container
_ARRIVALS = 128  # remembered of one exit at one place
_SMALL = 64  # elements of a constant array that are compared with exited numbers
_HASHED = 65536  # bytes of an array whose contents are compared

ndarray = np.ndarray


class Exit:
    """All exits at one place: how values left there, and which (key, time) lately."""

    __slots__ = ("count", "keys", "kind", "library", "place")

    def __init__(self, place: Place, kind: str, library: str) -> None:
        self.place = place
        self.kind = kind
        self.library = library
        self.count = 0
        self.keys: deque[tuple[int, int]] = deque(maxlen=_KEYS)

    @property
    def is_shown(self) -> bool:
        """Whether the value went where it is only looked at."""
        return self.place.is_shown or self.library in ("matplotlib", "tqdm", "logging")


class Return:
    """A constant of record `out_key` that is a value which left at `exit`.

    `was_followed` says that it was computed from what left, as far as the code tells.
    """

    __slots__ = ("certain", "code", "exit", "keys", "lasti", "out_key", "was_followed")

    def __init__(
        self,
        out_key: int,
        exit: Exit,
        keys: Iterable[tuple[int, int]],
        certain: bool,
        code: CodeType,
        lasti: int,
        was_followed: bool = False,
    ) -> None:
        self.out_key = out_key
        self.exit = exit
        self.keys = keys
        self.certain = certain
        self.code = code
        self.lasti = lasti
        self.was_followed = was_followed


class Exits:
    """What left one tape."""

    __slots__ = ("arrivals", "buffers", "contents", "fronts", "meant", "places", "scalars",
                 "stores", "values")  # fmt: skip

    def __init__(self) -> None:
        self.places: dict[Any, Exit] = {}
        # id -> (the object itself, so that the id stays taken; Exit; key)
        self.scalars: dict[int, tuple[Any, Exit, tuple[int, int]]] = {}
        self.values: dict[Any, tuple[Exit, tuple[int, int]]] = {}
        self.buffers: dict[int, tuple[Any, Exit, tuple[int, int]]] = {}
        self.contents: dict[Any, tuple[Exit, tuple[int, int]]] = {}
        # id -> (the array; what was stored by which Exit; some of the stored numbers)
        self.stores: dict[int, tuple[Any, dict[Exit, deque[tuple[int, int]]], deque[Any]]] = {}
        self.fronts: dict[int, dict[Any, Front]] = {}  # where what left can go, by frame
        self.arrivals: dict[Any, deque[Return]] = {}  # what was followed, by exit and place
        self.meant: deque[int] = deque(maxlen=MOST_BUFFERS)  # keys that left by gt.value


# --------------------------------------------------------------------------------- leaving


class _Muted(_local):
    depth: int = 0


_muted = _Muted()


class muted:
    """Exits inside `with muted():` are not noted: a rule of the user's own stands for them."""

    __slots__ = ()

    def __enter__(self) -> None:
        _muted.depth += 1

    def __exit__(self, *_: object) -> None:
        _muted.depth -= 1


def note_exit(tensor: Any, how: str, result: Any = None) -> None:
    """Remember that `tensor` leaves the tapes that follow it; a strict tape raises instead.

    `result` is what is handed out, where that is known.
    """
    if not state.tapes:
        return
    tensor.read()  # an exit is a read: a Variable is watched from here on, a view is settled
    key = tensor.key
    for tape in state.tapes:
        if key in tape.tracked:
            if _muted.depth:
                return
            from .places import frame_of_user

            frame, library = frame_of_user(user_frame())
            remember(tape, tensor, how, result, frame, library)


def remember(
    tape: Any, tensor: Any, how: str, result: Any, frame: FrameType, library: str = ""
) -> None:
    """Add one exit to `tape`."""
    from . import places

    place = places.place_at(frame)
    is_step = place.kind in places.STEPS
    if tape.strict and not is_step and not (place.is_shown and place.kind.startswith("math.")):
        raise _strict_error(tape, tensor, how, place)
    exits, found = _entry(tape, place, how, library)
    stamp = (tensor.key, next_key())
    found.count += 1
    found.keys.append(stamp)
    if is_step:  # it explains a gradient that is None; no part of one is missing behind it
        return
    _follow(tape, exits, found, frame)
    value = tensor.value
    if place.kind == "store":
        _, container = places.resolve(frame, place.container)
        if isinstance(container, ndarray):
            _store(exits, container, found, stamp, value)
        return
    _hand_out(exits, found, stamp, value if result is None else result, value)


def _exits(tape: Any) -> Exits:
    if tape.exits is None:
        tape.exits = Exits()
        tape.returns = []
    exits: Exits = tape.exits
    return exits


def _kind(place: Place, how: str) -> str:
    """What the code tells, else how the value was asked for; a call of unknown C code is "call"."""
    if how.endswith("()"):  # a method of ours, whatever its owner was called
        return how
    if place.kind or how not in ("numpy.asarray", "float", "int", "complex"):
        return place.kind or how
    return "call" if place.text.endswith(")") else how


def _entry(tape: Any, place: Place, how: str, library: str) -> tuple[Exits, Exit]:
    exits = _exits(tape)
    at = (id(place.code), place.lasti)
    found = exits.places.get(at)
    if found is None:
        found = Exit(place, how if library else _kind(place, how), library)
        if len(exits.places) < MOST_PLACES:
            exits.places[at] = found
    return exits, found


def _follow(tape: Any, exits: Exits, found: Exit, frame: FrameType) -> None:
    """Note where what is computed from an exited value can go."""
    from .arrivals import follow

    if follow(exits.fronts, found, frame) or found.count > 1:
        return
    if found.kind.startswith(("math.", "cmath.")):  # the code is too long: it may be anywhere
        place = found.place
        tape.returns.append(Return(0, found, found.keys, False, place.code, place.lasti))


def _hand_out(
    exits: Exits, found: Exit, stamp: tuple[int, int], result: Any, value: Any
) -> None:
    if type(result) is ndarray and result.ndim:
        root = _root(result)
        _bounded(exits.buffers, MOST_BUFFERS, id(root), (weakref.ref(root), found, stamp))
        content = _content(result)
        if content is not None:
            _bounded(exits.contents, MOST_BUFFERS, content, (found, stamp))
        return
    if type(result) is list:
        for item in _flat(result):
            _scalar(exits, found, stamp, item)
        return
    _scalar(exits, found, stamp, result[()] if type(result) is ndarray else result)
    if type(value) is ndarray and value.ndim == 0:
        _scalar(exits, found, stamp, value[()])


def _scalar(exits: Exits, found: Exit, stamp: tuple[int, int], item: Any) -> None:
    if type(item) is not int or not -5 <= item <= 256:  # those are the same object everywhere
        _bounded(exits.scalars, MOST_SCALARS, id(item), (item, found, stamp))
    if _is_telling(item):
        _bounded(exits.values, MOST_SCALARS, item, (found, stamp))


def _bounded(table: dict[Any, Any], limit: int, key: Any, entry: Any) -> None:
    if len(table) >= limit:
        del table[next(iter(table))]
    table[key] = entry


def _flat(items: Any, limit: int = _SMALL) -> Iterable[Any]:
    stack, count = [iter(items)], 0
    while stack and count < limit:
        for item in stack[-1]:
            if isinstance(item, list | tuple):
                stack.append(iter(item))
                break
            count += 1
            yield item
            if count >= limit:
                return
        else:
            stack.pop()


def _is_telling(item: Any) -> bool:
    """Whether an equal number elsewhere is worth a remark: no small integer, no nan."""
    if not isinstance(item, float | int | complex | np.number) or isinstance(item, bool):
        return False
    number = complex(item)
    if not cmath.isfinite(number):
        return False
    return bool(number.imag) or abs(number) > 1024 or number.real != int(number.real)


def _root(array: Any) -> Any:
    """The array that owns the memory of `array`."""
    while type(array.base) is ndarray:
        array = array.base
    return array


def _content(array: Any) -> Any:
    """A hashable stand-in for the contents; None where they are too large, or say nothing."""
    if array.dtype.char not in INEXACT or array.nbytes > _HASHED or array.size < 2:
        return None
    flat = array.reshape(-1)
    if not any(_is_telling(item) for item in flat[:8].tolist()):
        return None
    return array.size, hash(flat.tobytes())


def _store(exits: Exits, container: Any, found: Exit, stamp: tuple[int, int], value: Any) -> None:
    root = _root(container)
    entry = exits.stores.get(id(root))
    if entry is None or entry[0]() is not root:
        entry = (weakref.ref(root), {}, deque(maxlen=8))
        _bounded(exits.stores, MOST_BUFFERS, id(root), entry)
    if found not in entry[1] and len(entry[1]) < 8:
        entry[1][found] = deque(maxlen=_KEYS)
    if found in entry[1]:
        entry[1][found].append(stamp)
    entry[2].append(value if type(value) is not ndarray else value.flat[0] if value.size else None)


def plain_store(out: Any, result: Any) -> None:
    """Remember that the value of `result` was written into the user's array `out`.

    `acc += t` and `np.add(x, y, out=acc)` also return a Tensor that has a gradient, so a strict
    tape refuses only where that Tensor is thrown away, and `np.copyto`, which returns nothing.
    """
    _write(out, result, "out=", False)


def copyto(dst: Any, src: Any, casting: Any = "same_kind", where: Any = True) -> None:
    """`np.copyto`: an assignment if `dst` is a Tensor, an exit of `src` if it is plain."""
    if hasattr(dst, "key"):
        dst[...] = src if where is True else np.where(where, src, dst)
        return
    plain = [x.read() if hasattr(x, "key") else x for x in (src, where)]
    np.copyto(dst, plain[0], casting=casting, where=plain[1])
    if hasattr(src, "key"):
        plain_store(dst, src)


def plain_effect(name: str, arguments: Any, tensors: Any) -> None:
    """Remember the Tensors that a function without a result (`np.place`) wrote somewhere."""
    container = next((a for a in arguments if isinstance(a, ndarray)), None)
    for tensor in tensors:
        _write(container, tensor, name, True)


def _write(container: Any, tensor: Any, kind: str, is_lost: bool) -> None:
    key = tensor.key
    for tape in state.tapes:
        if key not in tape.tracked or _muted.depth:
            continue
        from . import places
        from .phrases import HIDDEN_WRITERS, WRITERS

        frame, library = places.frame_of_user(user_frame())
        place = places.place_at(frame)
        if place.kind in WRITERS or place.kind in HIDDEN_WRITERS:
            kind, is_lost = place.kind, True
        if tape.strict and (is_lost or place.is_dropped):
            raise _strict_error(tape, tensor, kind, place)
        exits, found = _entry(tape, place, kind, library)
        found.kind = kind
        stamp = (key, next_key())
        found.count += 1
        found.keys.append(stamp)
        if place.kind != "operator":  # `acc += x` binds acc to a Tensor
            _follow(tape, exits, found, frame)
        if isinstance(container, ndarray):
            _store(exits, container, found, stamp, tensor.value)


def meant(tensor: Any) -> None:
    """Remember that `gt.value` took `tensor` out: the user knows."""
    for tape in state.tapes:
        if tensor.key in tape.tracked:
            _exits(tape).meant.append(tensor.key)


def note_capture(tape: Any, frame: FrameType, keys: list[tuple[int, int]], out_key: int) -> None:
    """Remember tracked values that a custom_gradient function used without having them as input."""
    from .places import place_at

    _exits(tape)
    place = place_at(frame)
    found = Exit(place, "custom_gradient", "")
    found.keys.extend(keys)
    tape.returns.append(Return(out_key, found, keys, True, place.code, place.lasti))


HOOKS["plain_store"] = plain_store
HOOKS["plain_effect"] = plain_effect


# ------------------------------------------------------------------------------ coming back


def came_back(tape: Any, out_key: int, card: Any, *operands: Any) -> None:
    """Notice constants that are values which left `tape` before, or were computed from one."""
    if _muted.depth:
        return
    exits = tape.exits
    told = len(tape.returns)
    for x in operands:
        if hasattr(x, "key"):  # a Tensor: an unfollowed one may hold an exited value
            if x.key and (x.key in tape.tracked or hasattr(x, "trainable")):
                continue
            x = x.value
        if type(x) is ndarray:
            if x.ndim:
                _look_up_array(tape, exits, out_key, x)
                continue
            x = x[()]
        if isinstance(x, list | tuple):
            for item in _flat(x):
                if not hasattr(item, "key"):
                    _look_up_scalar(tape, exits, out_key, item)
            continue
        _look_up_scalar(tape, exits, out_key, x)
    if exits.fronts:
        from .arrivals import may_arrive

        arrived = may_arrive(exits.fronts, tape.tracked, operands)
        if arrived:
            _note_arrivals(tape, out_key, arrived, operands, told)


def _note_arrivals(tape: Any, out_key: int, arrived: Any, operands: Any, told: int) -> None:
    """Add what was followed through the code, where nothing better is known of the same exit."""
    known = {back.exit for back in tape.returns[told:]}
    for x in operands:
        if type(x) is ndarray:  # what was stored into an array may have been overwritten
            root = _root(x)
            stored = tape.exits.stores.get(id(root))
            if stored is not None and stored[0]() is root:
                known.update(stored[1])
    for found, code, lasti in arrived:
        if found not in known:
            known.add(found)
            _note_arrival(tape, out_key, found, code, lasti)


def _note_arrival(tape: Any, out_key: int, found: Exit, code: CodeType, lasti: int) -> None:
    """Add one return, and let go of the oldest one of that place if there are many."""
    arrivals = tape.exits.arrivals
    at = id(found), id(code), lasti
    here = arrivals.get(at)
    if here is None:
        if len(arrivals) >= MOST_PLACES:
            return
        here = arrivals[at] = deque()
    if len(here) < _ARRIVALS:
        here.append(Return(out_key, found, found.keys, False, code, lasti, True))
        tape.returns.append(here[-1])
    else:
        here.rotate(-1)
        here[-1].out_key = out_key


def _look_up_scalar(tape: Any, exits: Exits, out_key: int, x: Any) -> None:
    entry = exits.scalars.get(id(x))
    if entry is not None:
        _note_return(tape, out_key, entry[1], (entry[2],), True)
    elif exits.values and _is_telling(x):
        known = exits.values.get(x)
        if known is not None and not _is_literal(x):
            _note_return(tape, out_key, known[0], (known[1],), False)


def _is_literal(x: Any) -> bool:
    """Whether `x` is a constant written in the code of the user's function."""
    return any(x is constant for constant in user_frame(3).f_code.co_consts)


def _look_up_array(tape: Any, exits: Exits, out_key: int, x: Any) -> None:
    root = _root(x)
    entry = exits.buffers.get(id(root))
    if entry is not None and entry[0]() is root:
        _note_return(tape, out_key, entry[1], (entry[2],), True)
        return
    stored = exits.stores.get(id(root))
    if stored is not None and stored[0]() is root:
        if _still_holds(x, stored[2]):
            for found, keys in stored[1].items():
                _note_return(tape, out_key, found, keys, True)
        return
    if exits.contents:
        content = _content(x)
        known = exits.contents.get(content) if content is not None else None
        if known is not None:
            _note_return(tape, out_key, known[0], (known[1],), False)
            return
        if _is_made_of(tape, exits, out_key, x):
            return
    if exits.values and x.size <= _SMALL:
        items = x.reshape(-1).tolist()
        for item in items:
            known = exits.values.get(item) if _is_telling(item) else None
            # a number that NumPy took out by itself went into an array; one that the user took
            # out with float() is told only by all elements, or by many digits
            if known is not None and (
                known[0].kind.startswith(("numpy.", "ndarray.", "Generator."))
                or len(repr(item)) > 8
                or all(other == item for other in items)
            ):
                _note_return(tape, out_key, known[0], (known[1],), False)
                return


def _still_holds(x: Any, samples: Iterable[Any]) -> bool:
    """Whether `x` has one of the numbers that were stored into it."""
    for sample in samples:
        if sample is None:
            continue
        with np.errstate(all="ignore"):
            value = np.asarray(sample).astype(x.dtype)
        if bool(np.equal(x, value).any()) or value != value:
            return True
    return False


def _is_made_of(tape: Any, exits: Exits, out_key: int, x: Any) -> bool:
    """Whether exited arrays were put together in `x`, in a row or as columns."""
    if x.nbytes > _HASHED or x.dtype.char not in INEXACT:
        return False
    flat = x.reshape(-1)
    for size in list({content[0] for content in exits.contents})[:4]:
        if size >= x.size or x.size % size:
            continue
        step = x.size // size
        for part in (flat[:size], flat[-size:], flat[::step], flat[step - 1 :: step]):
            known = exits.contents.get((size, hash(part.tobytes())))
            if known is not None:
                _note_return(tape, out_key, known[0], (known[1],), False)
                return True
    return False


def _note_return(
    tape: Any, out_key: int, found: Exit, keys: Iterable[tuple[int, int]], certain: bool
) -> None:
    returns = tape.returns
    if len(returns) < MOST_RETURNS:
        from .places import frame_of_user

        frame, _ = frame_of_user(user_frame(3))
        returns.append(Return(out_key, found, keys, certain, frame.f_code, frame.f_lasti))


def _strict_error(tape: Any, tensor: Any, how: str, place: Place) -> ExitError:
    from .phrases import phrase_of, remedy_for

    found = Exit(place, how if how == "out=" else _kind(place, how), "")
    return ExitError(
        three_part(
            f"{found.kind}: a {tensor.aval!r} value that a strict tape follows would leave it.",
            f"At {decode(place.code, place.lasti)}: {phrase_of(found)}.",
            f"{remedy_for(found)} To look at the value, or where the break is meant, use "
            "gt.value(x); a tape made without strict=True only remembers it.",
        )
    )
