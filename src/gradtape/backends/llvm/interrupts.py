"""Ctrl-C in a native loop of many turns: it asks Python for signals now and then, and ends.

A handler of signals runs in Python, and a loop that has given up the interpreter's lock would hold
it off until its end. So a loop *looks* every so many turns: at the clock, and where it has shown
more than PERIOD since the last time, it takes the lock and lets Python run its handlers. Where one
raises, the loop ends, what stands behind it ends at its first look, and the builtin hands on the
error: no result, nothing assigned.

What a look needs lies on the stack of the builtin (`STATE`), whose first word also says that NumPy
has to run the program (1), or that a handler has raised (2).
"""

from __future__ import annotations

import ctypes
import time
from typing import Any

from . import ir

__all__ = ["INTERRUPTED", "STATE", "addresses", "declared", "turns_between"]

STATE = ("told", "thread", "save", "restore", "signals", "clock", "last")  # words of eight bytes
PERIOD = 50_000_000  # nanoseconds
MOST = 4096  # turns between looks
WORK = 1 << 15  # operations between looks, a few microseconds

_AT = {word: 8 * i for i, word in enumerate(STATE)}
INTERRUPTED = f"""
define internal i1 @interrupted(ptr %state) cold noinline {{
begin:
  %time = alloca [2 x i64]
  %told = load i64, ptr %state
  %ended = icmp ne i64 %told, 0
  br i1 %ended, label %yes, label %running
running:
  %clock_at = getelementptr i8, ptr %state, i64 {_AT["clock"]}
  %clock = load ptr, ptr %clock_at
  %none = icmp eq ptr %clock, null
  br i1 %none, label %no, label %ask
ask:
  %failed = call i32 %clock(i32 {getattr(time, "CLOCK_MONOTONIC", 1)}, ptr %time)
  %seconds = load i64, ptr %time
  %rest_at = getelementptr i64, ptr %time, i64 1
  %rest = load i64, ptr %rest_at
  %whole = mul i64 %seconds, 1000000000
  %now = add i64 %whole, %rest
  %last_at = getelementptr i8, ptr %state, i64 {_AT["last"]}
  %last = load i64, ptr %last_at
  %passed = sub i64 %now, %last
  %first = icmp eq i64 %last, 0
  %long = icmp sgt i64 %passed, {PERIOD}
  %due = or i1 %first, %long
  br i1 %due, label %store, label %no
store:
  store i64 %now, ptr %last_at
  br i1 %first, label %no, label %look
look:
  %thread_at = getelementptr i8, ptr %state, i64 {_AT["thread"]}
  %thread = load ptr, ptr %thread_at
  %restore_at = getelementptr i8, ptr %state, i64 {_AT["restore"]}
  %restore = load ptr, ptr %restore_at
  call void %restore(ptr %thread)
  %signals_at = getelementptr i8, ptr %state, i64 {_AT["signals"]}
  %signals = load ptr, ptr %signals_at
  %raised = call i32 %signals()
  %save_at = getelementptr i8, ptr %state, i64 {_AT["save"]}
  %save = load ptr, ptr %save_at
  %again = call ptr %save()
  store ptr %again, ptr %thread_at
  %bad = icmp ne i32 %raised, 0
  br i1 %bad, label %end, label %no
end:
  store i64 2, ptr %state
  br label %yes
yes:
  ret i1 true
no:
  ret i1 false
}}
"""


def declared(module: ir.Module) -> Any:
    """The function, as a module calls it."""
    found = module.globals.get("interrupted")
    if found is None:
        kind = ir.FunctionType(ir.IntType(1), [ir.PointerType()])
        found = ir.Function(module, kind, "interrupted")
    return found


def turns_between(work: int) -> int:
    """How many turns of so many operations there are from look to look: a power of two."""
    turns = 1
    while turns < MOST and 2 * turns * work <= WORK:
        turns *= 2
    return turns


def addresses() -> dict[str, int]:
    """Where Python's and the system's functions are; 0 for a clock that is not there."""
    clock = None
    if hasattr(time, "CLOCK_MONOTONIC"):
        clock = getattr(ctypes.CDLL(None), "clock_gettime", None)
    functions = {"signals": ctypes.pythonapi.PyErr_CheckSignals, "clock": clock}
    return {
        word: int(ctypes.cast(function, ctypes.c_void_p).value or 0) if function else 0
        for word, function in functions.items()
    }
