"""The machine that code is made for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import llvmlite.binding as llvm

__all__ = ["AARCH64", "Machine", "host"]


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

    def target(self, level: int) -> Any:
        """Return what makes LLVM's passes and code generator know the machine."""
        _ready(self.triple == host().triple)
        return llvm.Target.from_triple(self.triple).create_target_machine(
            cpu=self.cpu, features=self.features, opt=level
        )


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
