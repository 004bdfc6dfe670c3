"""BLAS routines by their addresses, from the library that SciPy ships.

`scipy.linalg.cython_blas` exports each routine of the reference interface as a C pointer: Fortran's
conventions, every argument by reference, 32-bit integers, column-major matrices. A compiled
program calls them directly and splits a product over its own workers, one single-threaded call
each: at the sizes of a training step OpenBLAS's own threads lose to one of them.

Threads of OpenBLAS are a setting of the process and of the copy of the library: SciPy's copy is
set to one thread when a program first asks for a routine. So `scipy.linalg` of the user's computes
with one thread from then on; NumPy has a copy of its own and is not affected. `restore()` gives
the old number back.
"""

from __future__ import annotations

import ctypes
import importlib
import sys
import threading
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

__all__ = ["address", "is_available", "restore", "threads"]

_lock = threading.Lock()
_before: int | None = None
_PREFIXES = ("scipy_openblas", "openblas")
_SUFFIXES = ("", "64_", "_64")


def is_available() -> bool:
    """Whether SciPy is there and exports its routines."""
    try:
        return bool(_capsules())
    except ImportError:
        return False


@cache
def _capsules() -> dict[str, Any]:
    name = "scipy.linalg.cython_blas"
    module = sys.modules.get(name) or _alone(name) or importlib.import_module(name)
    return dict(module.__pyx_capi__)


def _alone(name: str) -> Any:
    """The module without its package, whose import takes fifty times as long; None if it is not so.

    It is not left in `sys.modules`: an import of the user's makes it known there and in its
    package, and is given the same module.
    """
    import scipy

    folder = Path(scipy.__file__).parent / "linalg"
    paths = (folder / f"cython_blas{suffix}" for suffix in EXTENSION_SUFFIXES)
    path = next((p for p in paths if p.is_file()), None)
    spec = None if path is None else spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        return None
    try:
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
    except Exception:  # it needs its package after all
        return None
    finally:
        sys.modules.pop(name, None)
    return module


@cache
def address(name: str) -> int:
    """Return the address of a routine by its BLAS name: "sgemm", "ddot".

    Raises KeyError for a name that BLAS has not.
    """
    capsule = _capsules()[name]
    _make_single()
    api = ctypes.pythonapi
    api.PyCapsule_GetName.restype = ctypes.c_char_p
    api.PyCapsule_GetName.argtypes = [ctypes.py_object]
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    return int(api.PyCapsule_GetPointer(capsule, api.PyCapsule_GetName(capsule)))


@cache
def _controls() -> tuple[Any, Any] | None:
    """(set, get) of the number of threads in SciPy's OpenBLAS; None where it has another BLAS."""
    import scipy

    root = Path(scipy.__file__).parent
    folders = (root.parent / "scipy.libs", root / ".dylibs", root / ".libs")
    for path in sorted(p for f in folders if f.is_dir() for p in f.glob("*openblas*")):
        try:
            library = ctypes.CDLL(str(path))  # the one that is loaded already
        except OSError:
            continue
        for prefix in _PREFIXES:
            for suffix in _SUFFIXES:
                set_ = getattr(library, f"{prefix}_set_num_threads{suffix}", None)
                get = getattr(library, f"{prefix}_get_num_threads{suffix}", None)
                if set_ is not None and get is not None:
                    get.restype = ctypes.c_int
                    set_.argtypes, set_.restype = [ctypes.c_int], None
                    return set_, get
    return None


def threads() -> int | None:
    """Return the threads that SciPy's OpenBLAS uses now; None where it has another BLAS."""
    controls = _controls()
    return None if controls is None else int(controls[1]())


def _make_single() -> None:
    global _before
    with _lock:
        controls = _controls()
        if _before is None and controls is not None:
            _before = int(controls[1]())
            controls[0](1)


def restore() -> None:
    """Give SciPy's OpenBLAS the number of threads that it had before a program asked for it."""
    global _before
    with _lock:
        controls = _controls()
        if _before is not None and controls is not None:
            controls[0](_before)
            _before = None
            address.cache_clear()
