"""The text of a program's native parts: as they are written, after LLVM's passes, as machine code.

Without a target it is what the emitter writes, which knows no machine (small products aside, whose
tiles are as large as this one's registers). The builtin that Python
calls is left out: it reads CPython's objects, and is the same in every program.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ...core.positions import decode, here
from ...core.refusals import ArgumentValueError
from ...errors import three_part
from ..schedule import Native, Schedule
from .compile import compile_text
from .entry import DOOR
from .machine import AARCH64, Machine, host

__all__ = ["TARGETS", "assembly", "llvm"]

_AVX2 = "+avx,+avx2,+bmi,+bmi2,+fma,+f16c,+lzcnt,+movbe,+popcnt"
_AVX512 = _AVX2 + ",+avx512f,+avx512vl,+avx512dq,+avx512bw,+avx512cd"
TARGETS = {
    "x86-64-v3": Machine("x86_64-unknown-linux-gnu", "x86-64-v3", _AVX2, 256),
    "x86-64-v4": Machine("x86_64-unknown-linux-gnu", "x86-64-v4", _AVX512, 512),
    "aarch64": AARCH64,
}


def llvm(program: Schedule, target: str | None) -> str:
    """The native parts in LLVM's language; with a target, after the passes for it."""
    def text(source: str, machine: Machine | None) -> str:
        if machine is None:
            return _plain(source)
        return _without_head(compile_text(source, machine).llvm)

    return _joined(program, target, text)


def assembly(program: Schedule, target: str | None) -> str:
    """The native parts in machine language, for this processor if no target is given."""
    return _joined(
        program, target, lambda source, machine: compile_text(source, machine or host()).assembly
    )


def _joined(
    program: Schedule, target: str | None, text: Callable[[str, Machine | None], str]
) -> str:
    machine = None if target is None else _machine(target)
    lines = []
    for n, step in enumerate(program.steps):
        if isinstance(step, Native):
            lines.append(f"; part {n}: native code")
            source = _without_door(step.call.program.source)  # type: ignore[attr-defined]
            lines.append(text(source, machine).strip())
        else:
            lines.append(f"; part {n}: NumPy runs {step.node.op.name}")
    return "\n".join(lines) + "\n"


def _machine(target: str) -> Machine:
    if target not in (known := {**TARGETS, "host": host()}):
        raise ArgumentValueError(
            three_part(
                f"function: there is no target {target!r}.",
                f"Asked for at {decode(*here())}; targets are {', '.join(map(repr, known))}.",
                'Write target="host" for this processor.',
            )
        )
    return known[target]


def _without_door(source: str) -> str:
    """A module without its builtin, whose kernel is therefore public."""
    end = source.index(DOOR)
    kernel = re.compile(r'^define internal (void @"?kernel"?\()', re.MULTILINE)
    return kernel.sub(r"define \1", source[:end])


def _plain(source: str) -> str:
    """Text without the quotes and blanks that the writer puts everywhere."""
    source = re.sub(r'([%@])"([-\w$.]+)"', r"\1\2", source)
    source = re.sub(r'label "([-\w$.]+)"', r"label %\1", source)
    source = re.sub(r"(?<=\S)  +", " ", source)
    return _without_head(re.sub(r"\n{2,}", "\n\n", source))


def _without_head(source: str) -> str:
    """Text without the lines that name the module and the machine."""
    kept = [
        line for line in source.splitlines()
        if not line.startswith(("; ModuleID", "source_filename", "target "))
    ]  # fmt: skip
    return "\n".join(kept)

