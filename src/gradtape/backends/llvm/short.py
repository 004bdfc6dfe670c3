"""Native loops over operands whose rows are short: what `core/short.py` has in place of NumPy's.

One function for each operation and dtype, over three axes whose lengths and strides are arguments,
so that all shapes have the same code. Each number is rounded as by NumPy; the function returns
which floating-point exceptions happened, of which NumPy would tell.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from itertools import product

import llvmlite.binding as llvm

from ...core.short import LOUD, UNDERFLOW
from .entry import is_supported
from .machine import Machine, host

__all__ = ["loops", "text"]

_TYPES = {"d": ("double", 8), "f": ("float", 4)}
# The instructions of each operation, from %a and %b (and %c) to %r; {v} is the type.
_BODIES = {
    "add": "%r = fadd {v} %a, %b",
    "subtract": "%r = fsub {v} %a, %b",
    "multiply": "%r = fmul {v} %a, %b",
    "divide": "%r = fdiv {v} %a, %b",
    "multiply_twice": "%bb = fadd {v} %b, %b\n  %r = fmul {v} %a, %bb",
    "multiply_add": "%ab = fmul {v} %a, %b\n  %r = fadd {v} %c, %ab",
}
# C's masks of invalid operations, divisions by zero and overflows together, and of underflows
_FLAGS = {"x86": (1 | 4 | 8, 16), "aarch64": (1 | 2 | 4, 8)}

_HEAD = """
declare i32 @feclearexcept(i32)
declare i32 @fetestexcept(i32)
"""

_FUNCTION = """
define i32 @{name}(ptr %out, ptr %x, ptr %y, ptr %z, i64 %outer, i64 %times, i64 %run, \
i64 %xo, i64 %xt, i64 %xr, i64 %yo, i64 %yt, i64 %yr) {{
entry:
  %cleared = call i32 @feclearexcept(i32 {flags})
  %x.one = icmp eq i64 %xr, 0
  %y.one = icmp eq i64 %yr, 0
  %no = mul i64 %times, %run
  br label %outer.head
outer.head:
  %o = phi i64 [ 0, %entry ], [ %o.next, %outer.next ]
  %o.more = icmp slt i64 %o, %outer
  br i1 %o.more, label %outer.body, label %end
outer.body:
  %o.xo = mul i64 %o, %xo
  %o.yo = mul i64 %o, %yo
  %o.no = mul i64 %o, %no
  %xp.o = getelementptr {t}, ptr %x, i64 %o.xo
  %yp.o = getelementptr {t}, ptr %y, i64 %o.yo
  %zp.o = getelementptr {t}, ptr %z, i64 %o.no
  %op.o = getelementptr {t}, ptr %out, i64 %o.no
  br i1 %x.one, label %x.times, label %y.choose
y.choose:
  br i1 %y.one, label %y.times, label %both.times
{loops}
outer.next:
  %o.next = add i64 %o, 1
  br label %outer.head
end:
  %found = call i32 @fetestexcept(i32 {flags})
  %serious = and i32 %found, {serious}
  %is.loud = icmp ne i32 %serious, 0
  %is.any = icmp ne i32 %found, 0
  %quiet = select i1 %is.any, i32 {underflow}, i32 0
  %told = select i1 %is.loud, i32 {loud}, i32 %quiet
  ret i32 %told
}}
"""

# The rows of one outer step; {k} says which operand is one number along a row.
_ROWS = """
{k}.times:
  br label %{k}.head
{k}.head:
  %{k}.t = phi i64 [ 0, %{k}.times ], [ %{k}.t.next, %{k}.next ]
  %{k}.xp = phi ptr [ %xp.o, %{k}.times ], [ %{k}.xp.next, %{k}.next ]
  %{k}.yp = phi ptr [ %yp.o, %{k}.times ], [ %{k}.yp.next, %{k}.next ]
  %{k}.zp = phi ptr [ %zp.o, %{k}.times ], [ %{k}.zp.next, %{k}.next ]
  %{k}.op = phi ptr [ %op.o, %{k}.times ], [ %{k}.op.next, %{k}.next ]
  %{k}.more = icmp slt i64 %{k}.t, %times
  br i1 %{k}.more, label %{k}.row, label %outer.next
{k}.row:
{splat}
  br label %{k}.whole.head
{k}.whole.head:
  %{k}.i = phi i64 [ 0, %{k}.row ], [ %{k}.i.next, %{k}.whole ]
  %{k}.i.next = add i64 %{k}.i, {lanes}
  %{k}.fits = icmp sle i64 %{k}.i.next, %run
  br i1 %{k}.fits, label %{k}.whole, label %{k}.rest
{k}.whole:
{whole}
  br label %{k}.whole.head
{k}.rest:
  %{k}.left = sub i64 %run, %{k}.i
  %{k}.any = icmp sgt i64 %{k}.left, 0
  br i1 %{k}.any, label %{k}.part, label %{k}.next
{k}.part:
  %{k}.left.0 = insertelement <{lanes} x i64> undef, i64 %{k}.left, i64 0
  %{k}.left.v = shufflevector <{lanes} x i64> %{k}.left.0, <{lanes} x i64> undef, \
<{lanes} x i32> zeroinitializer
  %{k}.mask = icmp slt <{lanes} x i64> <{numbers}>, %{k}.left.v
{part}
  br label %{k}.next
{k}.next:
  %{k}.t.next = add i64 %{k}.t, 1
  %{k}.xp.next = getelementptr {t}, ptr %{k}.xp, i64 %xt
  %{k}.yp.next = getelementptr {t}, ptr %{k}.yp, i64 %yt
  %{k}.zp.next = getelementptr {t}, ptr %{k}.zp, i64 %run
  %{k}.op.next = getelementptr {t}, ptr %{k}.op, i64 %run
  br label %{k}.head
"""


def loops() -> dict[tuple[str, str], Callable[..., int]]:
    """Compile the loops for this machine: functions by operation and dtype character.

    There are none where an array's numbers are not found where CPython and NumPy have them.
    Each takes the addresses of result, `x`, `y` and `z`, then a `core.short.Layout`, and returns
    LOUD, UNDERFLOW or 0.
    """
    if not is_supported():
        return {}
    machine = host()
    target = machine.target(2)
    module = llvm.parse_assembly(text(machine))
    module.verify()
    engine = llvm.create_mcjit_compiler(module, target)  # as it stands: passes gain nothing
    engine.finalize_object()
    kind = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_int64] * 13)
    found: dict[tuple[str, str], Callable[..., int]] = {}
    for char, name in product(_TYPES, _BODIES):
        found[name, char] = kind(engine.get_function_address(f"{name}_{char}"))
    engine.detach()  # the code is there until the process ends
    return found


def text(machine: Machine) -> str:
    """Return the module of all loops for a machine."""
    serious, under = _FLAGS["aarch64" if machine.triple.startswith(("aarch64", "arm64")) else "x86"]
    declared, functions = [_HEAD], []
    for char, (kind, size) in _TYPES.items():
        lanes = machine.width // (8 * size)
        vector, suffix = f"<{lanes} x {kind}>", f"v{lanes}f{8 * size}.p0"
        declared.append(
            f"declare {vector} @llvm.masked.load.{suffix}(ptr, i32, <{lanes} x i1>, {vector})\n"
            f"declare void @llvm.masked.store.{suffix}({vector}, ptr, i32, <{lanes} x i1>)\n"
        )
        functions += [
            _FUNCTION.format(
                name=f"{name}_{char}", t=kind, flags=serious | under, serious=serious,
                loud=LOUD, underflow=UNDERFLOW,
                loops="".join(
                    _rows(k, one, name, kind, lanes)
                    for k, one in (("x", "a"), ("y", "b"), ("both", ""))
                ),
            )
            for name in _BODIES
        ]  # fmt: skip
    return "".join(declared + functions)


def _rows(k: str, one: str, name: str, kind: str, lanes: int) -> str:
    """The rows of one outer step, where operand `one` (a, b or none) is a number along each."""
    size = 8 if kind == "double" else 4
    vector, suffix = f"<{lanes} x {kind}>", f"v{lanes}f{8 * size}.p0"
    splat = ""
    if one:
        source = f"%{k}.{'x' if one == 'a' else 'y'}p"
        splat = (
            f"  %{k}.one.s = load {kind}, ptr {source}\n"
            f"  %{k}.one.0 = insertelement {vector} undef, {kind} %{k}.one.s, i64 0\n"
            f"  %{k}.one.v = shufflevector {vector} %{k}.one.0, {vector} undef, "
            f"<{lanes} x i32> zeroinitializer"
        )

    def step(stage: str, is_part: bool) -> str:
        lines, names = [], {}
        for letter, operand in zip("abc", "xyz", strict=True):
            if letter == "c" and name != "multiply_add":
                continue
            if letter == one:
                names[letter] = f"%{k}.one.v"
                continue
            found = names[letter] = f"%{k}.{stage}.{letter}"
            lines.append(
                f"  {found}.p = getelementptr {kind}, ptr %{k}.{operand}p, i64 %{k}.i"
            )
            if is_part:
                ones = ", ".join([f"{kind} 1.0"] * lanes)
                lines.append(
                    f"  {found} = call {vector} @llvm.masked.load.{suffix}(ptr {found}.p, "
                    f"i32 {size}, <{lanes} x i1> %{k}.mask, {vector} <{ones}>)"
                )
            else:
                lines.append(f"  {found} = load {vector}, ptr {found}.p, align {size}")
        body = _BODIES[name].format(v=vector)
        for letter in ("ab", "bb", "r"):
            body = _renamed(body, letter, f"%{k}.{stage}.{letter}")
        for letter, value in names.items():
            body = _renamed(body, letter, value)
        lines += [f"  {line.strip()}" for line in body.splitlines()]
        lines.append(f"  %{k}.{stage}.op = getelementptr {kind}, ptr %{k}.op, i64 %{k}.i")
        if is_part:
            lines.append(
                f"  call void @llvm.masked.store.{suffix}({vector} %{k}.{stage}.r, "
                f"ptr %{k}.{stage}.op, i32 {size}, <{lanes} x i1> %{k}.mask)"
            )
        else:
            lines.append(
                f"  store {vector} %{k}.{stage}.r, ptr %{k}.{stage}.op, align {size}"
            )
        return "\n".join(lines)

    return _ROWS.format(
        k=k, t=kind, lanes=lanes, splat=splat, whole=step("w", False), part=step("p", True),
        numbers=", ".join(f"i64 {n}" for n in range(lanes)),
    )  # fmt: skip


def _renamed(body: str, name: str, to: str) -> str:
    return re.sub(rf"%{name}(?![\w.])", to, body)
