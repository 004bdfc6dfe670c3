"""What a user may say about how a graph is compiled and run."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BACKENDS", "Options"]

BACKENDS = ("llvm", "numpy")
# Whether first calls may run native code of which LLVM has taken little care; the same bits.
haste = True


@dataclass(frozen=True)
class Options:
    """Settings of one compiled function, for every graph that is compiled for it.

    Attributes
    ----------
    backend : {"llvm", "numpy"}
    threads : int
        The most threads that its programs use; 0 sets no limit of its own.
    cache : bool
        Whether programs are kept on disk.
    """

    backend: str = "llvm"
    threads: int = 0
    cache: bool = False
