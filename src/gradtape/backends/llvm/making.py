"""Modules to machine code, several at a time.

llvmlite holds one lock around all of LLVM, which itself needs none where every module has a context
of its own. So the calls that take long are made past that lock, by a handle of our own to the same
library; everything else is llvmlite's. Where a release of llvmlite has no such handle, its own
calls are used, and its lock.
"""

from __future__ import annotations

import _thread
import contextlib
import ctypes
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

import llvmlite.binding as llvm

from ... import events
from ...core.parallel import available
from . import library
from .apart import with_seldom
from .machine import Machine
from .pieces import functions, is_whole

__all__ = ["Piece", "code", "each", "emitted", "give_way", "lent", "linked", "meet", "optimised",
           "wake"]  # fmt: skip

A = TypeVar("A")
B = TypeVar("B")
PATIENCE = 1.0  # seconds that what is not asked for yet waits for what is
_RUN, _EMIT = "LLVMPY_RunNewModulePassManager", "LLVMPY_TargetMachineEmitToMemory"
_PARSE = "LLVMPY_ParseAssembly"
_INLINED = "alwaysinline"


class Piece(NamedTuple):
    """A module to be compiled; functions of the names `whole` get all of LLVM's care."""

    text: str
    passes: str
    whole: set[str]
    machine: Machine
    can_wait: bool = False  # whether it may be called before it has had its passes

    def in_haste(self) -> Piece:
        """The same for the first calls."""
        return self._replace(passes="none", can_wait=False)


_at_work: list[None] = []  # one for each program that is being made now
_helping: list[None] = []  # and one for each thread that helps with one


@events.stage("wait for threads")
def each(function: Callable[[A], B], items: Iterable[A], most: int | None = None) -> list[B]:
    """The results for all items, by as many threads as may be used; the first error is raised.

    This thread makes the items, of which there are `most`, and does what is left of them when it
    has. It waits for no other to start: where the processor is busy that takes milliseconds.
    """
    found: dict[int, B] = {}
    errors: list[BaseException] = []
    _at_work.append(None)
    waiting: SimpleQueue[tuple[int, A] | None] = SimpleQueue()
    ended: SimpleQueue[None] = SimpleQueue()

    def work() -> None:
        while (job := waiting.get()) is not None:
            if not errors:
                try:
                    found[job[0]] = function(job[1])
                except BaseException as error:
                    errors.append(error)

    def help_out() -> None:
        work()
        _helping.pop()
        ended.put(None)

    threads = available() if most is None else min(available(), most)
    helpers = 0
    with contextlib.suppress(RuntimeError):  # no threads here (a limit, or the interpreter ends)
        while helpers < threads - 1:
            _helping.append(None)
            try:
                _thread.start_new_thread(help_out, ())
            except BaseException:
                _helping.pop()
                raise
            helpers += 1
    try:
        for job in enumerate(items):
            waiting.put(job)
    finally:
        for _ in range(helpers + 1):
            waiting.put(None)
        work()
        for _ in range(helpers):
            ended.get()
        _at_work.pop()
    if errors:
        raise errors[0]
    return [found[i] for i in range(len(found))]


def linked(parts: Iterable[tuple[str, str]], machine: Machine) -> Iterator[Piece]:
    """Modules with the kernels that they call, of texts and passes as `pieces` gives them.

    Functions of rare arguments go into the last of those that are not optimised.
    """
    seldom: dict[str, str] = {}
    waiting = ""
    for text, passes in parts:
        whole = {name for name, body in functions(f"\n{text}\n") if is_whole(name, body)}
        apart = None if passes == "all" else seldom
        text = library.link(text, machine.width, machine.has_avx512, apart)
        if passes == "none":
            text, waiting = waiting, text
        if text:
            can_wait = passes == "later"
            passes = "few" if can_wait else passes
            yield Piece(_with_attributes(text, machine), passes, whole, machine, can_wait)
    if seldom:
        waiting = with_seldom(waiting, seldom)
    if waiting:
        yield Piece(_with_attributes(waiting, machine), "none", set(), machine)


def code(piece: Piece) -> bytes:
    """A module's machine code as an object file."""
    module, target = optimised(piece)
    try:
        return emitted(module, target)
    finally:
        _idle.setdefault((piece.machine, _level(piece.passes)), []).append(target)


# Targets that no thread uses: to make one takes as long as to read a module.
_idle: dict[tuple[Machine, int], list[Any]] = {}


def _level(passes: str) -> int:
    return 0 if passes == "none" else 2


def lent(machine: Machine, level: int) -> Any:
    """A target that nobody uses, or a new one."""
    try:
        return _idle[machine, level].pop()
    except (KeyError, IndexError):
        return machine.target(level)  # makes LLVM ready


@events.stage("LLVM: target, verify")
def optimised(piece: Piece) -> tuple[Any, Any]:
    """A module after LLVM's passes, in a context of its own, and its target."""
    target = lent(piece.machine, _level(piece.passes))
    module = _parsed(piece.text)
    module.triple = piece.machine.triple
    module.data_layout = str(target.target_data)
    module.verify()
    if piece.passes != "none" or _INLINED in piece.text:
        _optimise(module, target, piece.passes)
    if piece.passes == "few":
        _leave(module, piece.whole)
    return module, target


@events.stage("LLVM: code")
def emitted(module: Any, target: Any) -> bytes:
    """The machine code of a module after LLVM's passes."""
    emit, lib = _unlocked(_EMIT), llvm.ffi.lib
    with llvm.ffi.OutputString() as message:
        memory = emit(target, module, 1, message) if emit else None
    if not memory:
        return bytes(target.emit_object(module))  # or llvmlite's error
    try:
        return ctypes.string_at(lib.LLVMPY_GetBufferStart(memory), lib.LLVMPY_GetBufferSize(memory))
    finally:
        lib.LLVMPY_DisposeMemoryBuffer(memory)


@cache
def _unlocked(name: str) -> Any:
    """A function of LLVM's as llvmlite declares it, without the lock around it; None if unknown."""
    try:
        function = getattr(ctypes.CDLL(llvm.ffi.lib._name), name)
        known = getattr(llvm.ffi.lib, name)
        function.argtypes, function.restype = known.argtypes, known.restype
    except (AttributeError, OSError):
        return None
    return function


@events.stage("LLVM: parse")
def _parsed(text: str) -> Any:
    context, parse = llvm.create_context(), _unlocked(_PARSE)
    with llvm.ffi.OutputString() as message:
        module = parse(context, text.encode(), message) if parse else None
    if not module:
        return llvm.parse_assembly(text, context)  # or llvmlite's error
    return llvm.ModuleRef(module, context)


@events.stage("LLVM: passes")
def _optimise(module: Any, target: Any, which: str) -> None:
    """Run LLVM's passes: "all", with its vectoriser; "few"; or "none" but for inlining."""
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.loop_interleaving = True
    options.loop_unrolling = False  # `emit.py` writes short loops out
    options.slp_vectorization = False
    builder = llvm.create_pass_builder(target, options)
    if which == "all":
        passes = builder.getModulePassManager()
    else:
        passes = llvm.create_new_module_pass_manager()
    passes.add_always_inliner_pass()  # again: what only the vectoriser has called
    if which == "few":
        passes.add_sroa_pass()
        passes.add_new_gvn_pass()
        passes.add_instruction_combine_pass()
        passes.add_simplify_cfg_pass()
    run = _unlocked(_RUN)
    if run is None:
        passes.run(module, builder)
    else:
        run(passes, module, builder)


def _leave(module: Any, whole: set[str]) -> None:
    """Have instructions chosen without a search, but in the functions of these names.

    Half of the time for code that is a little slower: a loop over vectors is one block.
    """
    for function in module.functions:
        if not function.is_declaration and function.name not in whole:
            function.add_function_attribute("noinline")
            function.add_function_attribute("optnone")


def meet(machine: Machine) -> None:
    """Have LLVM make the first targets, which takes it ten milliseconds, and leave its cores free.

    Then wait for the threads that make the code of a program: whoever calls a function as soon as
    it is decorated waits for them, and for nothing else that can be done meanwhile.
    """
    for level in (0, 2):
        _idle.setdefault((machine, level), []).append(machine.target(level))
    _wait_for(_helping, PATIENCE)


def give_way(seconds: float) -> None:
    """Wait until no program is being made, but not longer than that."""
    _wait_for(_at_work, seconds)


def _wait_for(busy: list[None], seconds: float) -> None:
    end = time.monotonic() + seconds
    while busy and time.monotonic() < end:
        time.sleep(0.001)


def wake(machine: Machine) -> None:
    """Make code of a small loop for nobody, with a target for each thread that will want one.

    The first loop takes LLVM nearly twice as long as those after it: it reads its tables of
    instructions from the disk, and works out what the processor has. Where a program is being made
    already, that does the same, and is not held up.
    """
    lanes = machine.width // 64
    kinds = {"kind": f"<{lanes} x double>", "truth": f"<{lanes} x i1>"}
    piece = Piece(_LOOP.format(width=machine.width, **kinds), "few", {"wake"}, machine)
    made = [optimised(piece) for _ in range(available()) if not _at_work]
    for module, target in made:
        if not _at_work:
            emitted(module, target)
        _idle.setdefault((machine, _level(piece.passes)), []).append(target)


_LOOP = """
define void @wake(ptr %x, i64 %n) nounwind "prefer-vector-width"="{width}" {{
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %j, %loop ]
  %sum = phi {kind} [ zeroinitializer, %entry ], [ %more, %loop ]
  %at = getelementptr double, ptr %x, i64 %i
  %v = load {kind}, ptr %at, align 8
  %c = fcmp ogt {kind} %v, splat (double 2.0)
  %w = fmul {kind} %v, %sum
  %s = select {truth} %c, {kind} %w, {kind} %v
  %q = fdiv {kind} %s, splat (double 3.0)
  %more = fadd {kind} %sum, %q
  store {kind} %q, ptr %at, align 8
  %j = add nuw nsw i64 %i, 8
  %on = icmp slt i64 %j, %n
  br i1 %on, label %loop, label %done
done:
  store {kind} %more, ptr %x, align 8
  ret void
}}
"""


def _with_attributes(text: str, machine: Machine) -> str:
    """The text with the width of the machine's vectors said of each function."""
    first, *rest = f"\n{text}".split("\ndefine ")
    width = f'"prefer-vector-width"="{machine.width}"'
    for i, body in enumerate(rest):
        head, block = body.split("{\n", 1)
        rest[i] = f"{head.rstrip()} {width} {{\n{block}"
    return "\ndefine ".join([first, *rest])
