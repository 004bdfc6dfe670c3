"""The door from Python: a builtin function, compiled beside the program, that takes NumPy arrays.

Seven times `array.ctypes.data` cost more than a small program runs; so the arguments are read by
native code. The function follows CPython's vectorcall convention for builtins (METH_FASTCALL):

- Each argument must be exactly what the program was compiled for: its type, and for an array its
  dtype, shape, and that it is C-contiguous and aligned. Where one is not, the function touches
  nothing and returns `NotImplemented`; the caller brings the arguments into that form, or compiles
  for the new ones. So no program ever sees memory that it was not made for.
- Results are made by NumPy's own C interface: new arrays, or NumPy scalars where they are 0-d.
- The interpreter's lock is released while the program runs, where that is asked for.

The program is `void kernel(ptr table)`; the table holds a pointer to the data of each argument,
then of each result, then `extra` pointers that the caller gives once (the pool, its constants).

No address is written into the code: they are in a table that the function gets as its `self`, so
that the code can be stored and loaded again.
"""

from __future__ import annotations

import ctypes
import sys
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from .compile import Program
from .interrupts import STATE, addresses

__all__ = ["Argument", "Entry", "entry_text", "is_supported"]

# What lies where in CPython's and NumPy's objects, 64 bit.
_TYPE, _VALUE = 8, 16  # of any object; of a float or a NumPy scalar
_DATA, _NDIM, _SHAPE, _DTYPE, _FLAGS = 16, 24, 32, 56, 64  # of an ndarray
_BYTES = 32  # of a bytes object's contents
_C_CONTIGUOUS, _ALIGNED, _WRITEABLE = 0x1, 0x100, 0x400
_METH_FASTCALL = 0x0080

# The table in `self`: NumPy's and Python's functions and objects, then a type for each argument
# and a dtype for each argument and result.
_FIXED = ("ndarray", "not_implemented", "new", "scalar", "tuple", "decref", "save", "restore",
          "incref", "extra", "signals", "clock")  # fmt: skip
_NEW, _SCALAR = 93, 60  # in NumPy's table of functions


@dataclass(frozen=True)
class Argument:
    """An argument or a result of a program.

    Attributes
    ----------
    dtype : numpy dtype
    shape : tuple of int
    kind : {"array", "scalar", "float"}
        An ndarray; a NumPy scalar (results of shape () are these); a Python float.
    is_written : bool
        Whether the program writes into it; it must then be writeable.
    reuses : int
        For a result: the argument whose array it is; -1 for a new one.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...] = ()
    kind: str = "array"
    is_written: bool = False
    reuses: int = -1

    def __post_init__(self) -> None:
        # The builtin compares objects, and NumPy makes equal ones: of pickles, by newbyteorder.
        if self.dtype.kind in "biufc":
            object.__setattr__(self, "dtype", np.dtype(self.dtype.type))

    @property
    def type(self) -> type:
        """The exact type of the Python object."""
        if self.kind == "array":
            return np.ndarray
        return float if self.kind == "float" else self.dtype.type


@cache
def is_supported() -> bool:
    """Whether this interpreter lays out its objects as the code above says; checked on one each."""
    if sys.implementation.name != "cpython" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return False
    array = np.arange(6.0).reshape(2, 3)
    at = id(array)

    def word(address: int) -> int:
        return ctypes.c_int64.from_address(address).value

    number, text = np.float64(1.5), b"gradtape"
    return (
        word(at + _TYPE) == id(np.ndarray)
        and word(at + _DATA) == array.ctypes.data
        and ctypes.c_int32.from_address(at + _NDIM).value == 2
        and [word(word(at + _SHAPE)), word(word(at + _SHAPE) + 8)] == [2, 3]
        and word(at + _DTYPE) == id(array.dtype)
        and ctypes.c_int32.from_address(at + _FLAGS).value & 0x501 == 0x501
        and ctypes.c_double.from_address(id(number) + _VALUE).value == 1.5
        and ctypes.string_at(id(text) + _BYTES, 8) == text
        and all(_function(i) for i in (_NEW, _SCALAR))
    )


def _function(index: int) -> int:
    """The address of a function of NumPy's C interface."""
    from numpy._core import _multiarray_umath  # type: ignore[attr-defined]

    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    table = pointer(_multiarray_umath._ARRAY_API, None)
    return int(ctypes.c_int64.from_address(table + 8 * index).value)


def _address(function: Any) -> int:
    return int(ctypes.cast(function, ctypes.c_void_p).value or 0)


# ------------------------------------------------------------------------------ the code


DOOR = "; the builtin"  # the line of a module behind which it stands


class _Text:
    """Lines of a function, with fresh names."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.count = 0

    def emit(self, line: str) -> None:
        self.lines.append(f"  {line}")

    def let(self, right: str) -> str:
        self.count += 1
        name = f"%v{self.count}"
        self.emit(f"{name} = {right}")
        return name

    def label(self, name: str) -> None:
        self.lines.append(f"{name}:")

    def at(self, pointer: str, offset: int) -> str:
        return self.let(f"getelementptr i8, ptr {pointer}, i64 {offset}")

    def load(self, kind: str, pointer: str, offset: int = 0) -> str:
        return self.let(f"load {kind}, ptr {self.at(pointer, offset) if offset else pointer}")


def entry_text(
    arguments: Sequence[Argument],
    results: Sequence[Argument],
    *,
    kernel: str = "kernel",
    extra: int = 0,
    name: str = "entry",
    release: bool = False,
    tells: bool = False,
) -> str:
    """The text of the builtin function `name`, to be compiled with the module that has `kernel`.

    With `tells`, the table has one more word behind the extra pointers: a place into which the
    kernel writes 1 where its results are none, and the answer is NotImplemented too; or 2 where an
    error has been raised (`interrupts.py`), which is handed on.
    """
    t = _Text()
    n, m = len(arguments), len(results)
    self_ = t.at("%self", _BYTES)
    fixed = {word: i for i, word in enumerate(_FIXED)}

    def known(word: str) -> str:
        return t.load("ptr", self_, 8 * fixed[word])

    slots = t.let(f"alloca [{max(n + m + extra + tells, 1)} x ptr]")
    if tells:
        told = t.let(f"alloca [{len(STATE)} x i64]")
        t.emit(f"store i64 0, ptr {told}")
        t.emit(f"store ptr {told}, ptr {t.at(slots, 8 * (n + m + extra))}")
    t.emit(f"%counted = icmp eq i64 %count, {n}")
    t.emit("br i1 %counted, label %look, label %mismatch")
    t.label("look")
    good = _all(t, [_look(t, i, n, x, slots, self_) for i, x in enumerate(arguments)])
    t.emit(f"br i1 {good}, label %make, label %mismatch")
    t.label("make")
    _make_results(t, results, n, slots, self_, known)
    if extra:
        given = known("extra")
        for i in range(extra):
            t.emit(f"store ptr {t.load('ptr', given, 8 * i)}, ptr {t.at(slots, 8 * (n + m + i))}")
    if release:
        if tells:
            for word in ("save", "restore", "signals", "clock"):
                t.emit(f"store ptr {known(word)}, ptr {t.at(told, 8 * STATE.index(word))}")
            t.emit(f"store i64 0, ptr {t.at(told, 8 * STATE.index('last'))}")
        state = t.let(f"call ptr {known('save')}()")
        if tells:
            t.emit(f"store ptr {state}, ptr {t.at(told, 8 * STATE.index('thread'))}")
    t.emit(f"call void @{kernel}(ptr {slots})")
    if release:
        if tells:
            state = t.load("ptr", told, 8 * STATE.index("thread"))
        t.emit(f"call void {known('restore')}(ptr {state})")
    if tells:
        said = t.load("i64", told)
        bad = t.let(f"icmp ne i64 {said}, 0")
        t.emit(f"br i1 {bad}, label %none, label %some")
        t.label("none")
        for j, result in enumerate(results):
            if result.shape and result.reuses < 0:
                t.emit(f"call void {known('decref')}(ptr %r{j})")
        raised = t.let(f"icmp eq i64 {said}, 2")
        t.emit(f"br i1 {raised}, label %raised, label %mismatch")
        t.label("raised")
        t.emit("ret ptr null")
        t.label("some")
    _hand_over(t, results, n, slots, self_, known)
    t.label("mismatch")
    refused = known("not_implemented")
    t.emit(f"call void {known('incref')}(ptr {refused})")
    t.emit(f"ret ptr {refused}")
    body = "\n".join(t.lines)
    shapes = "\n".join(
        f"@{_of(shape)} = internal constant [{len(shape)} x i64] "
        f"[{', '.join(f'i64 {size}' for size in shape)}]"
        for shape in dict.fromkeys(x.shape for x in (*arguments, *results))
        if shape
    )
    if any(x.kind == "array" for x in arguments):
        shapes += _IS_ARRAY
    # It runs once, straight on: optimising it takes longer than it could ever save.
    head = f"define ptr @{name}(ptr %self, ptr %args, i64 %count) cold"
    return f"{DOOR}\n{shapes}\n{head} {{\nbegin:\n{body}\n}}\n".replace("@given.", f"@{name}.")


def _of(shape: Sequence[int]) -> str:
    """The name of the table of a shape."""
    return f"given.{'x'.join(map(str, shape))}"


def _look(t: _Text, i: int, n: int, argument: Argument, slots: str, self_: str) -> str:
    """Whether argument `i` is what the program was made for; its data goes into its slot."""
    x = t.load("ptr", "%args", 8 * i)
    wanted = t.load("ptr", self_, 8 * (len(_FIXED) + i))
    slot = t.at(slots, 8 * i)
    if argument.kind != "array":
        t.emit(f"store ptr {t.at(x, _VALUE)}, ptr {slot}")
        return t.let(f"icmp eq ptr {t.load('ptr', x, _TYPE)}, {wanted}")
    dtype = t.load("ptr", self_, 8 * (len(_FIXED) + n + i))
    flags = _C_CONTIGUOUS | _ALIGNED | (_WRITEABLE if argument.is_written else 0)
    shape = f"@{_of(argument.shape)}" if argument.shape else "null"
    return t.let(
        f"call i1 @given.array(ptr {x}, ptr {slot}, ptr {wanted}, ptr {dtype}, "
        f"i32 {len(argument.shape)}, i32 {flags}, ptr {shape})"
    )


# Whether an object is an array of this type, dtype and shape, with at least these flags.
_IS_ARRAY = f"""
define internal i1 @given.array(ptr %x, ptr %slot, ptr %type, ptr %dtype, i32 %ndim, i32 %flags, \
ptr %shape) cold {{
begin:
  %0 = getelementptr i8, ptr %x, i64 {_TYPE}
  %1 = load ptr, ptr %0
  %2 = icmp eq ptr %1, %type
  br i1 %2, label %array, label %no
array:
  %3 = getelementptr i8, ptr %x, i64 {_DTYPE}
  %4 = load ptr, ptr %3
  %5 = icmp eq ptr %4, %dtype
  %6 = getelementptr i8, ptr %x, i64 {_NDIM}
  %7 = load i32, ptr %6
  %8 = icmp eq i32 %7, %ndim
  %9 = getelementptr i8, ptr %x, i64 {_FLAGS}
  %10 = load i32, ptr %9
  %11 = and i32 %10, %flags
  %12 = icmp eq i32 %11, %flags
  %13 = and i1 %5, %8
  %14 = and i1 %13, %12
  %15 = getelementptr i8, ptr %x, i64 {_SHAPE}
  %16 = load ptr, ptr %15
  %17 = sext i32 %ndim to i64
  br i1 %14, label %axes, label %no
axes:
  %i = phi i64 [ 0, %array ], [ %next, %axis ]
  %more = icmp slt i64 %i, %17
  br i1 %more, label %axis, label %yes
axis:
  %18 = getelementptr i64, ptr %16, i64 %i
  %19 = load i64, ptr %18
  %20 = getelementptr i64, ptr %shape, i64 %i
  %21 = load i64, ptr %20
  %22 = icmp eq i64 %19, %21
  %next = add i64 %i, 1
  br i1 %22, label %axes, label %no
yes:
  %23 = getelementptr i8, ptr %x, i64 {_DATA}
  %24 = load ptr, ptr %23
  store ptr %24, ptr %slot
  ret i1 true
no:
  ret i1 false
}}
"""


def _all(t: _Text, checks: Sequence[str]) -> str:
    found = "true"
    for check in checks:
        found = check if found == "true" else t.let(f"and i1 {found}, {check}")
    return found


def _make_results(
    t: _Text, results: Sequence[Argument], n: int, slots: str, self_: str,
    known: Callable[[str], str],
) -> None:  # fmt: skip
    """New arrays for the results with axes; a place on the stack for the others."""
    for j, result in enumerate(results):
        if not result.shape:
            place = t.let("alloca [2 x i64]")
            t.emit(f"store [2 x i64] zeroinitializer, ptr {place}")
            t.emit(f"store ptr {place}, ptr {t.at(slots, 8 * (n + j))}")
            continue
        if result.reuses >= 0:
            given = t.load("ptr", "%args", 8 * result.reuses)
            t.emit(f"%r{j} = bitcast ptr {given} to ptr")
            data = t.load("ptr", slots, 8 * result.reuses)
            t.emit(f"store ptr {data}, ptr {t.at(slots, 8 * (n + j))}")
            continue
        array = t.let(
            f"call ptr {known('new')}(ptr {known('ndarray')}, i32 {len(result.shape)}, ptr "
            f"@{_of(result.shape)}, i32 {result.dtype.num}, ptr null, ptr null, i32 0, i32 0, "
            "ptr null)"
        )
        t.emit(f"%r{j} = bitcast ptr {array} to ptr")
        missing = t.let(f"icmp eq ptr {array}, null")
        t.emit(f"br i1 {missing}, label %lost{j}, label %made{j}")
        t.label(f"lost{j}")
        for earlier in range(j):
            if results[earlier].shape and results[earlier].reuses < 0:
                t.emit(f"call void {known('decref')}(ptr %r{earlier})")
        t.emit("ret ptr null")
        t.label(f"made{j}")
        t.emit(f"store ptr {t.load('ptr', array, _DATA)}, ptr {t.at(slots, 8 * (n + j))}")


def _hand_over(
    t: _Text, results: Sequence[Argument], n: int, slots: str, self_: str,
    known: Callable[[str], str],
) -> None:  # fmt: skip
    """Return the results: one by itself, several as a tuple."""
    objects = []
    for j, result in enumerate(results):
        if result.shape and result.reuses >= 0:
            t.emit(f"call void {known('incref')}(ptr %r{j})")
        if result.shape:
            objects.append(f"%r{j}")
            continue
        dtype = t.load("ptr", self_, 8 * (len(_FIXED) + 2 * n + j))
        data = t.load("ptr", slots, 8 * (n + j))
        objects.append(t.let(f"call ptr {known('scalar')}(ptr {data}, ptr {dtype}, ptr null)"))
    if len(objects) == 1:
        t.emit(f"ret ptr {objects[0]}")
        return
    made = t.let(f"call ptr {known('tuple')}(i64 {len(objects)})")
    absent = [t.let(f"icmp eq ptr {x}, null") for x in (made, *objects)]
    failed = absent[0]
    for one in absent[1:]:
        failed = t.let(f"or i1 {failed}, {one}")
    t.emit(f"br i1 {failed}, label %failed, label %filled")
    t.label("failed")  # no memory: what little there is left leaks
    t.emit("ret ptr null")
    t.label("filled")
    for j, x in enumerate(objects):
        t.emit(f"store ptr {x}, ptr {t.at(made, 24 + 8 * j)}")
    t.emit(f"ret ptr {made}")


# ------------------------------------------------------------------------------ its builtin


class _MethodDef(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p), ("function", ctypes.c_void_p), ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]  # fmt: skip


class Entry:
    """The builtin of a compiled program whose module holds an `entry_text`.

    `call(*args)` gives the result, a tuple of several, or NotImplemented where an argument is not
    what the program was compiled for. It keeps the program alive by itself, and
    `keep`: what the `extra` pointers lead to. These are read at each call, so that the caller may
    set them anew in `extra`.
    """

    def __init__(
        self,
        program: Program,
        arguments: Sequence[Argument],
        results: Sequence[Argument],
        *,
        extra: Sequence[int] = (),
        keep: Any = None,
        name: str = "entry",
    ) -> None:
        self.program, self.name = program, name
        api = ctypes.pythonapi
        self.extra: Any = (ctypes.c_void_p * max(len(extra), 1))(*extra)
        fixed = {
            "ndarray": id(np.ndarray), "not_implemented": id(NotImplemented),
            "new": _function(_NEW), "scalar": _function(_SCALAR),
            "tuple": _address(api.PyTuple_New), "decref": _address(api.Py_DecRef),
            "save": _address(api.PyEval_SaveThread), "restore": _address(api.PyEval_RestoreThread),
            "incref": _address(api.Py_IncRef), "extra": ctypes.addressof(self.extra),
            **addresses(),
        }  # fmt: skip
        self._kept = [*(a.type for a in arguments), *(np.dtype(a.dtype) for a in arguments),
                      *(np.dtype(r.dtype) for r in results)]  # fmt: skip
        words = [*(fixed[word] for word in _FIXED), *map(id, self._kept)]
        table = bytes((ctypes.c_int64 * len(words))(*words))
        self._definition = _MethodDef(
            name.encode(), program.address(name), _METH_FASTCALL, b"A compiled program."
        )
        # the builtin holds what it needs, in the place of its module's name
        alive = (program, self._definition, self.extra, self._kept, keep)
        make = ctypes.PYFUNCTYPE(
            ctypes.py_object, ctypes.POINTER(_MethodDef), ctypes.py_object, ctypes.py_object
        )(("PyCFunction_NewEx", api))
        self.call: Any = make(ctypes.byref(self._definition), table, alive)

    def renew(self) -> None:
        """Have the builtin run the code that the program has now; a call that runs goes on."""
        self._definition.function = self.program.address(self.name)
