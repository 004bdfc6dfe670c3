"""Module text to machine code: the target, the passes, and the address of what was compiled."""

from __future__ import annotations

import contextlib
import ctypes
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import llvmlite
import llvmlite.binding as llvm

from gradtape.backends import store
from gradtape.backends.llvm import library

__all__ = ["AARCH64", "Machine", "Program", "compile_text", "environment", "host", "kept"]


@dataclass(frozen=True)
class Machine:
    """What code is made for. `width` is that of its vectors in bits."""

    triple: str
    cpu: str
    features: str
    width: int

    @property
    def has_fma(self) -> bool:
        """Return whether a fused multiply-add is one instruction; the kernels need it."""
        return not self.triple.startswith("x86") or "+fma" in self.features.split(",")


    @property
    def has_avx512(self) -> bool:
        """Return whether its vectors have AVX-512's instructions, at every length."""
        features = self.features.split(",")
        return "+avx512f" in features and "+avx512vl" in features


# A machine that no test runs on: its code is emitted and verified.
AARCH64 = Machine("aarch64-unknown-linux-gnu", "generic", "+neon", 128)


@cache
def _ready() -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()


@cache
def host() -> Machine:
    """Return the machine that this process runs on."""
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        # The first generations with AVX-512 clock down for it; those with VBMI do not.
        width = 512 if features.get("avx512vbmi") and features.get("avx512dq") else 256
    else:
        width = 256 if features.get("avx2") else 128
    return Machine(
        llvm.get_process_triple(), llvm.get_host_cpu_name(), features.flatten(), width
    )


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
    """

    def __init__(self, text: str, machine: Machine, key: str = "") -> None:
        self.machine, self.source, self.key = machine, text, key
        self._engine: Any = None
        if not key:
            self._module  # noqa: B018 - compiled now, so that a failure is seen here
            return
        found = store.read(key)
        if found is None:
            store.write(key, "code", [self.object])
        else:
            self.__dict__["object"] = found[1][0]

    @classmethod
    def load(cls, key: str) -> Program | None:
        """The program that was kept under `key`, without its text; None where it is not there."""
        found = store.read(key)
        if found is None:
            return None
        program = cls.__new__(cls)
        program.machine, program.source, program.key = host(), "", key
        program._engine = None
        program.__dict__["object"] = found[1][0]
        return program

    @cached_property
    def _target(self) -> Any:
        _ready()
        machine = self.machine
        return llvm.Target.from_triple(machine.triple).create_target_machine(
            cpu=machine.cpu, features=machine.features, opt=3
        )

    @cached_property
    def _module(self) -> Any:
        """The module after LLVM's passes."""
        machine = self.machine
        target = self._target  # makes LLVM ready
        linked = library.link(self.source, machine.width, machine.has_avx512)
        module = llvm.parse_assembly(_with_attributes(linked, machine))
        module.triple = machine.triple
        module.data_layout = str(target.target_data)
        module.verify()
        self._optimise(module)
        return module

    def _optimise(self, module: Any) -> None:
        """Run LLVM's pipeline, and inline what only the vectoriser has called."""
        options = llvm.create_pipeline_tuning_options(speed_level=3)
        options.loop_vectorization = True
        options.loop_interleaving = True
        options.loop_unrolling = False  # `emit.py` writes short loops out
        options.slp_vectorization = False
        builder = llvm.create_pass_builder(self._target, options)
        passes = builder.getModulePassManager()
        passes.add_always_inliner_pass()
        passes.run(module, builder)

    @cached_property
    def llvm(self) -> str:
        """The optimised module as text."""
        return str(self._module)

    @cached_property
    def assembly(self) -> str:
        """The machine code as text."""
        return str(self._target.emit_assembly(self._module))

    @cached_property
    def object(self) -> bytes:
        """The machine code as an object file."""
        return bytes(self._target.emit_object(self._module))

    def address(self, name: str) -> int:
        """Return the address of a compiled function."""
        if self._engine is None:
            self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), self._target)
            self._engine.add_object_file(llvm.ObjectFileRef.from_data(self.object))
            self._engine.finalize_object()
        return int(self._engine.get_function_address(name))

    def function(self, name: str, result: Any, *arguments: Any) -> Any:
        """Return a function for Python by ctypes; a call releases the interpreter's lock."""
        found: Any = ctypes.CFUNCTYPE(result, *arguments)(self.address(name))
        found.program = self  # the code must outlive the pointer
        return found


def _with_attributes(text: str, machine: Machine) -> str:
    width = f'"prefer-vector-width"="{machine.width}"'
    return re.sub(
        r"^(define [^\n{]*?)(\s*\{)", rf"\1 {width}\2", text, flags=re.MULTILINE
    )


def compile_text(text: str, machine: Machine | None = None) -> Program:
    """Return a module's text as a compiled program, for this machine if none is given."""
    key = ""
    if machine is None and getattr(_local, "is_kept", False):
        key = store.key_of(environment(), text)
    return Program(text, machine or host(), key)
