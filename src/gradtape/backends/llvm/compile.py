"""Module text to machine code: the target, the passes, and the address of what was compiled."""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import llvmlite.binding as llvm

from gradtape.backends.llvm import library

__all__ = ["AARCH64", "Machine", "Program", "compile_text", "host"]


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


class Program:
    """Compiled code. Functions live as long as it does."""

    def __init__(self, text: str, machine: Machine) -> None:
        _ready()
        self.machine = machine
        self.source = text
        target = llvm.Target.from_triple(machine.triple)
        self._target = target.create_target_machine(
            cpu=machine.cpu, features=machine.features, opt=3, reloc="pic"
        )
        linked = library.link(text, machine.width, machine.has_avx512)
        module = llvm.parse_assembly(_with_attributes(linked, machine))
        module.triple = machine.triple
        module.data_layout = str(self._target.target_data)
        module.verify()
        self._module = module
        self._optimise()
        self._engine: Any = None

    def _optimise(self) -> None:
        """Run LLVM's pipeline, and inline what only the vectoriser has called."""
        options = llvm.create_pipeline_tuning_options(speed_level=3)
        options.loop_vectorization = True
        options.loop_interleaving = True
        options.loop_unrolling = True
        options.slp_vectorization = False
        builder = llvm.create_pass_builder(self._target, options)
        passes = builder.getModulePassManager()
        passes.add_always_inliner_pass()
        passes.run(self._module, builder)

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
    return Program(text, machine or host())
