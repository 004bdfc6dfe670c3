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
from gradtape.backends.llvm import lanes, library

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
def _ready(is_native: bool) -> None:
    if is_native:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
    else:
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
            self._modules  # noqa: B018 - compiled now, so that a failure is seen here
            return
        found = store.read(key)
        if found is None:
            store.write(key, "code", self.objects)
        else:
            self.__dict__["objects"] = found[1]

    @classmethod
    def load(cls, key: str) -> Program | None:
        """The program that was kept under `key`, without its text; None where it is not there."""
        found = store.read(key)
        if found is None:
            return None
        program = cls.__new__(cls)
        program.machine, program.source, program.key = host(), "", key
        program._engine = None
        program.__dict__["objects"] = found[1]
        return program

    def _target(self, level: int) -> Any:
        machine = self.machine
        _ready(machine.triple == host().triple)
        return llvm.Target.from_triple(machine.triple).create_target_machine(
            cpu=machine.cpu, features=machine.features, opt=level
        )

    @cached_property
    def _modules(self) -> list[tuple[Any, Any]]:
        """The modules after LLVM's passes, each with its target."""
        machine = self.machine
        source, left = self.source, None
        if machine.has_avx512:
            source, left = lanes.over_vectors(source, machine.width)
        made = []
        whole = {name for name, body in _functions(f"\n{source}\n") if _is_whole(name, body)}
        for text, passes in pieces(source, left):
            target = self._target(0 if passes == "none" else 2)  # makes LLVM ready
            linked = library.link(text, machine.width, machine.has_avx512, passes != "all")
            module = llvm.parse_assembly(_with_attributes(linked, machine))
            module.triple = machine.triple
            module.data_layout = str(target.target_data)
            module.verify()
            _optimise(module, target, passes)
            if passes == "few":
                _leave(module, whole)
            made.append((module, target))
        return made

    @property
    def llvm(self) -> str:
        """The optimised modules as text."""
        return "\n".join(str(module) for module, _ in self._modules)

    @property
    def assembly(self) -> str:
        """The machine code as text."""
        return "\n".join(str(target.emit_assembly(module)) for module, target in self._modules)

    @cached_property
    def objects(self) -> list[bytes]:
        """The machine code as object files."""
        return [bytes(target.emit_object(module)) for module, target in self._modules]

    def address(self, name: str) -> int:
        """Return the address of a compiled function."""
        if self._engine is None:
            self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), self._target(2))
            for data in self.objects:
                self._engine.add_object_file(llvm.ObjectFileRef.from_data(data))
            self._engine.finalize_object()
        return int(self._engine.get_function_address(name))

    def function(self, name: str, result: Any, *arguments: Any) -> Any:
        """Return a function for Python by ctypes; a call releases the interpreter's lock."""
        found: Any = ctypes.CFUNCTYPE(result, *arguments)(self.address(name))
        found.program = self  # the code must outlive the pointer
        return found


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
    passes.run(module, builder)


def _leave(module: Any, whole: set[str]) -> None:
    """Have instructions chosen without a search, but in the functions of these names.

    Half of the time for code that is a little slower: a loop over vectors is one block.
    """
    for function in module.functions:
        if not function.is_declaration and function.name not in whole:
            function.add_function_attribute("noinline")
            function.add_function_attribute("optnone")


def _is_whole(name: str, body: str) -> bool:
    """Whether a function is worth the whole of LLVM's code generator: much work, or tiles."""
    return not name.startswith("loop") or '"gt.work"="most"' in body[: body.index("\n")]


def _functions(text: str) -> list[tuple[str, str]]:
    """The functions of a module, by name."""
    found, end = [], 0
    while (start := text.find("\ndefine ", end)) >= 0:
        end = text.index("\n}\n", start) + 2
        body = text[start + 1 : end + 1]
        name = _NAMES.search(body)
        assert name is not None
        found.append((name[1], body))
    return found


_LITTLE = '"gt.work"="little"'
_NAMES = re.compile(r'@"?([-+\w.$]+)"?')


def pieces(text: str, left: set[str] | None) -> list[tuple[str, str]]:
    """A module's text as modules, each with the passes that it takes.

    Functions that say `cold` run so seldom that to optimise them takes longer than they ever run:
    "none", and where loops are over vectors those too that do little of the work. Those that are
    `left` to LLVM's vectoriser, every other one where that is not known, and a kernel that loops
    over the others, take "all"; where loops are over vectors already "few" do.
    """
    text = f"\n{text}\n"
    functions = _functions(text)
    is_whole = left is None or any(name == "kernel" and not _is_cold(b) for name, b in functions)

    def passes(name: str, body: str) -> str:
        is_little = left is not None and name not in left and _LITTLE in body[: body.index("\n")]
        if _is_cold(body) or is_little:
            return "none"
        return "all" if is_whole or (left is not None and name in left) else "few"

    kinds = {name: passes(name, body) for name, body in functions}
    if len(set(kinds.values())) <= 1:
        return [(text, next(iter(kinds.values()), "none"))]
    rest = text
    for _, body in functions:
        rest = rest.replace(body, "", 1)
    made = []
    for kind in sorted(set(kinds.values())):
        mine = [body for name, body in functions if kinds[name] == kind]
        named = set(_NAMES.findall("".join(mine)))
        lines = [line for line in rest.splitlines() if _is_for(line, named)]
        for name, body in functions:
            if kinds[name] != kind and name in named:
                head = body[: body.index("\n")]
                head = head[: head.rindex(")") + 1].removeprefix("define").replace(" internal", "")
                lines.append(f"declare{head}")
        lines += [body.replace("define internal", "define", 1) for body in mine]
        made.append(("\n".join(lines) + "\n", kind))
    return made


def _is_cold(body: str) -> bool:
    return " cold" in body[: body.index("\n")]


def _is_for(line: str, named: set[str]) -> bool:
    """Whether a line outside of functions is for a module in which these names are used."""
    if line.startswith(("declare", "@")):
        found = _NAMES.search(line)
        return found is not None and found[1] in named
    return True


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
