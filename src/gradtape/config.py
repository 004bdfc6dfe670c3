"""Settings: one named tuple, replaced as a whole by `gt.configure` (`core/settings.py`)."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Config", "current"]


class Config(NamedTuple):
    """What a process can set.

    Attributes
    ----------
    copy_limit : int
        Constant arrays of at most this many bytes are copied when a tape keeps them, so that
        writing into them afterwards does no harm; larger ones are aliased and checked by a
        sampled fingerprint when the gradient is taken.
    reuse_buffers : int
        Bytes of freed large arrays that are kept for the next results instead of being returned
        to the system (returning and taking them again costs page faults); 0 turns it off.
    native_after : int
        Bytes of large results with short rows after which a thread loads the compiler and makes
        native loops for such operations, which have the same bits; 0 leaves them to NumPy.
    threads : int
        Threads for elementwise work on arrays of several megabytes; 0 takes the cores that the
        affinity mask and OMP_NUM_THREADS allow.
    cache_folder : str
        Where `gt.function(cache=True)` keeps programs; "" takes the environment's GRADTAPE_CACHE,
        or a folder in the user's cache folder.
    cache_bytes : int
        The most that this folder holds; the programs longest unused are deleted first.
    """

    copy_limit: int = 65536
    reuse_buffers: int = 256 << 20
    native_after: int = 256 << 20
    threads: int = 0
    cache_folder: str = ""
    cache_bytes: int = 512 << 20


current = Config()
