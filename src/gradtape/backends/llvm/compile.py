"""Module text to machine code: the target, the passes, and the address of what was compiled."""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Callable, Iterator
from typing import Any

import llvmlite
import llvmlite.binding as llvm

from gradtape import events
from gradtape.backends import options, store
from gradtape.backends.llvm import lanes
from gradtape.backends.llvm.machine import Machine, host
from gradtape.backends.llvm.making import Piece, code, each, emitted, lent, linked, optimised
from gradtape.backends.llvm.pieces import kinds, pieces
from gradtape.backends.llvm.worth import says_brief
from gradtape.core.parallel import available

__all__ = ["Program", "compile_text", "environment", "kept"]
_local = threading.local()


@contextlib.contextmanager
def kept(is_kept: bool = True) -> Iterator[None]:
    """Inside, what this thread compiles is kept on disk, and taken from there."""
    before = getattr(_local, "is_kept", False)
    _local.is_kept = is_kept
    try:
        yield
    finally:
        _local.is_kept = before


def environment() -> str:
    """What compiled code depends on besides its text: versions, and the processor."""
    machine = host()
    return "\n".join(
        (store.versions(), llvmlite.__version__, ".".join(map(str, llvm.llvm_version_info)),
         machine.triple, machine.cpu, machine.features, str(machine.width))
    )  # fmt: skip


class Program:
    """Compiled code. Functions live as long as it does.

    Attributes
    ----------
    key : str
        Under which its machine code is kept on disk; "" where it is not.
    waiting : dict of int to Piece
        Modules that were compiled in haste, by their number: `improve` compiles them with care.
    is_hasty_all : bool
        Whether everything was compiled in haste: by one thread, or over single elements. `improve`
        cuts the text anew then.
    """

    def __init__(
        self, text: str, machine: Machine, key: str = "", objects: list[bytes] | None = None,
        in_haste: bool = False,
    ) -> None:  # fmt: skip
        self.machine, self.source, self.key = machine, text, key
        self._engine: Any = None
        self._engines: list[Any] = []  # before it; what they hold may run now
        self._in_haste, self.waiting = in_haste, dict[int, Piece]()
        self.is_hasty_all = False
        # (No `cached_property`: until Python 3.12 all programs would wait for each other.)
        self._objects = objects
        self._modules: list[tuple[Any, Any]] | None = None
        # Compiled now, so that a failure is seen here.
        self.objects if machine is host() else self.modules()

    @classmethod
    def load(cls, key: str) -> Program | None:
        """The program that was kept under `key`, without its text; None where it is not there."""
        found = store.read(key)
        return None if found is None else cls("", host(), key, found[1])

    def modules(self) -> list[tuple[Any, Any]]:
        """The modules after LLVM's passes, each with its target."""
        if self._modules is None:
            self._modules = each(optimised, *self._pieces())
        return self._modules

    @events.stage("vectors, modules")
    def _pieces(self, in_haste: bool = False) -> tuple[Iterator[Piece], int]:
        """The modules that the text is cut into, and how many."""
        if in_haste and self.machine.has_avx512 and says_brief(self.source):
            source = self._brief()
            if source:
                return self._all_hasty(source)
        source, left = self.source, None
        if self.machine.has_avx512:
            source, left = lanes.over_vectors(source, self.machine.width)
        threads = available()
        if in_haste and threads == 1 and _may_wait(source, left):
            return self._all_hasty(source)
        parts = pieces(source, left, threads)
        modules = linked(parts, self.machine)
        return self._hasty(modules) if in_haste else modules, len(parts)

    def _brief(self) -> str:
        """The text with vectors in its sums alone; "" where it is not worth to be made twice."""
        if not _may_wait(self.source, set()):
            return ""
        source, left = lanes.over_vectors(self.source, self.machine.width, only_sums=True)
        return "" if left else source

    def _all_hasty(self, source: str) -> tuple[Iterator[Piece], int]:
        """The modules of a text of which everything is made in haste."""
        self.is_hasty_all = True
        parts = pieces(source, set(), available(), "none")
        return linked(parts, self.machine), len(parts)

    def _hasty(self, modules: Iterator[Piece]) -> Iterator[Piece]:
        for number, piece in enumerate(modules):
            if piece.can_wait:
                self.waiting[number] = piece
            yield piece.in_haste() if piece.can_wait else piece

    @property
    def is_hasty(self) -> bool:
        """Whether something is left for `improve`."""
        return bool(self.waiting or self.is_hasty_all)

    def improve(self, is_wanted: Callable[[], bool] = lambda: True) -> None:
        """Compile with care what was compiled in haste; addresses from then on are of that code.

        A result has the same bits before and after: care makes code shorter, and rounds nothing.
        Between modules it is asked whether it is still wanted.
        """
        found = dict(enumerate(() if self.is_hasty_all else self.objects))
        for number, piece in self.waiting.items() or enumerate(self._pieces()[0]):
            if not is_wanted():
                return
            found[number] = code(piece)
        self._engines.append(self._engine)
        self._objects, self._engine = list(found.values()), None
        self.waiting, self.is_hasty_all = {}, False

    @property
    def llvm(self) -> str:
        """The optimised modules as text."""
        return "\n".join(str(module) for module, _ in self.modules())

    @property
    def assembly(self) -> str:
        """The machine code as text."""
        return "\n".join(str(target.emit_assembly(module)) for module, target in self.modules())

    @property
    def objects(self) -> list[bytes]:
        """The machine code as object files."""
        if self._objects is None:
            if self._modules is not None:
                self._objects = [emitted(module, target) for module, target in self._modules]
            else:
                self._objects = each(code, *self._pieces(self._in_haste))
        return self._objects

    @events.stage("link")
    def address(self, name: str) -> int:
        """Return the address of a compiled function."""
        if self._engine is None:
            target, empty = lent(self.machine, 2), llvm.parse_assembly("")
            self._engine = llvm.create_mcjit_compiler(empty, target)
            self._engine.remove_module(empty)  # or LLVM makes code of it, in half a millisecond
            for data in self.objects:
                self._engine.add_object_file(llvm.ObjectFileRef.from_data(data))
            self._engine.finalize_object()
        return int(self._engine.get_function_address(name))

    def function(self, name: str, result: Any, *arguments: Any) -> Any:
        """Return a function for Python by ctypes; a call releases the interpreter's lock."""
        found: Any = ctypes.CFUNCTYPE(result, *arguments)(self.address(name))
        found.program = self  # the code must outlive the pointer
        return found


def _may_wait(source: str, left: set[str] | None) -> bool:
    """Whether some functions of a text can be compiled in haste first, and all others always."""
    return {kind for _, _, kind in kinds(source, left)} == {"later", "none"}


@events.stage("compile")
def compile_text(text: str, machine: Machine | None = None) -> Program:
    """Return a module's text as a compiled program, for this machine if none is given."""
    if machine is not None:
        return Program(text, machine)
    if not getattr(_local, "is_kept", False):
        return Program(text, host(), in_haste=options.haste)
    key = store.key_of(environment(), text)
    found = store.read(key)
    if found is not None:
        return Program(text, host(), key, found[1])
    program = Program(text, host(), key)
    store.write(key, "code", program.objects)
    return program
