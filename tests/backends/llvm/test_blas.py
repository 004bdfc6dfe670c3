"""BLAS by address: the routine computes, and SciPy's library is set to one thread, and back."""

import ctypes
import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("scipy")
from gradtape.backends.llvm import blas


def test_a_product_through_the_address_is_numpys():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(3, 4)), rng.normal(size=(4, 5))
    c = np.empty((3, 5))
    pointer = ctypes.c_void_p
    gemm = ctypes.CFUNCTYPE(None, *[pointer] * 13)(blas.address("dgemm"))
    n, one, zero = ctypes.c_char(b"N"), ctypes.c_double(1), ctypes.c_double(0)
    rows, inner, columns = map(ctypes.c_int, (3, 4, 5))

    def at(x):
        return ctypes.addressof(x)

    gemm(at(n), at(n), at(columns), at(rows), at(inner), at(one), b.ctypes.data, at(columns),
         a.ctypes.data, at(inner), at(zero), c.ctypes.data, at(columns))  # fmt: skip
    np.testing.assert_allclose(c, a @ b, rtol=1e-14)


@pytest.mark.parametrize("name", ["sgemm", "dgemm", "sgemv", "dgemv", "sdot", "ddot", "dger"])
def test_the_routines_that_programs_use_are_there(name):
    assert blas.is_available() and blas.address(name)
    assert blas.address(name) == blas.address(name)


def test_an_unknown_routine_is_a_key_error():
    with pytest.raises(KeyError):
        blas.address("xgemm")


def test_scipys_threads_become_one_and_are_given_back():
    code = """
from gradtape.backends.llvm import blas
import scipy.linalg
before = blas.threads()
blas.address("dgemm")
during = blas.threads()
blas.restore()
after = blas.threads()
blas.restore()
blas.address("dgemm")
print(before, during, after, blas.threads())
"""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    if done.stdout.split()[0] == "None":
        pytest.skip("SciPy has another BLAS here")
    assert done.stdout.split() == ["2", "1", "2", "1"]


def test_a_routine_is_found_without_importing_scipys_linear_algebra():
    code = """
import sys
from gradtape.backends.llvm import blas
found = blas.address("dgemm")
print("scipy.linalg" in sys.modules)
import scipy.linalg
import numpy as np
print(hasattr(scipy.linalg, "cython_blas"), scipy.linalg.inv(np.eye(2) * 2)[0, 0])
blas._capsules.cache_clear()
blas.address.cache_clear()
print(blas.address("dgemm") == found)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "0.5", "True"], done.stderr
