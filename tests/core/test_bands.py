"""Jacobians whose cotangents stay diagonals: the same numbers as full matrices give, in programs
and under a tape too."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import gradtape as gt
from gradtape.core import bands, batched_sweep
from gradtape.core.bands import Bands, identity

X = np.linspace(0.2, 1.7, 12)
A = np.random.default_rng(0).standard_normal((12, 12))
W = np.random.default_rng(1).standard_normal((5, 12))

FUNCTIONS: dict[str, Any] = {
    "elementwise": lambda x: np.sin(x) * np.exp(-x),
    "the operand itself": lambda x: x,
    "both operands the same": lambda x: x * x + x,
    "a constant factor": lambda x: 3 * x - x / 2,
    "a mask": lambda x: np.maximum(x, 1.0) + np.abs(x - 1.1),
    "slices": lambda x: x[1:] * x[:-1],
    "a slice in the middle": lambda x: np.sin(x[3:7]),
    "an empty slice": lambda x: x[5:2],
    "a tuple of one slice": lambda x: x[2:,] ** 2,
    "a step of two": lambda x: x[::2] * 2,
    "backwards": lambda x: x[::-1] * x,
    "an index array": lambda x: x[np.array([3, 3, 0])] * 2,
    "second differences": lambda x: x[2:] - 2 * x[1:-1] + x[:-2],
    "many diagonals": lambda x: sum(x[n : n - 11 or None] * (n + 1) for n in range(12)),
    "ten of them": lambda x: sum(x[n : n - 10 or None] for n in range(11)) ** 2,
    "a product of a matrix": lambda x: np.tanh(A @ np.tanh(A @ x)),
    "a wide matrix": lambda x: W @ (x * x),
    "a slice of a product": lambda x: (A @ x)[2:9] * 2,
    "a product of a slice": lambda x: A[:, 3:] @ x[3:],
    "a product from the left": lambda x: x @ A,
    "a matrix of the operand": lambda x: np.reshape(x, (3, 4)) @ W[:, :4].T,
    "a product with itself": lambda x: np.reshape(x, (4, 3)).T @ np.reshape(x, (4, 3)),
    "vectors on both sides": lambda x: np.reshape(x, (3, 4)) @ x[:4] * (x[:3] @ A[:3, :3]),
    "a number of a vector": lambda x: x * x[0],
    "a sum": lambda x: x / np.sum(x),
    "a new axis": lambda x: x[:, None] * x[:3],
    "two axes": lambda x: np.sin(np.reshape(x, (3, 4))) * W[:3, :4],
    "rows of two axes": lambda x: np.reshape(x, (4, 3))[1:3] * 2,
    "columns of two axes": lambda x: np.reshape(x, (4, 3))[:, 1:] * 2,
    "broadcasting": lambda x: np.reshape(x, (4, 3)) * x[:3],
    "a column and a row": lambda x: x[:4, None] + x[None, :3],
    "transposed": lambda x: np.reshape(x, (4, 3)).T * 2,
    "where": lambda x: np.where(x > 1, x**2, x),
    "a cumulated sum": lambda x: np.cumsum(x**2),
    "einsum": lambda x: np.einsum("ij,j->i", W, x),
}  # fmt: skip


def by_rows(f: Any, x: Any) -> Any:
    """The Jacobian from one gradient per result: no batch, no band."""
    out = f(x)
    rows = [gt.vjp(f, x)[1](np.eye(out.size)[n].reshape(out.shape))[0] for n in range(out.size)]
    return np.reshape(np.array(rows), (*out.shape, *x.shape))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("chunk_size", [None, 1, 5])
def test_a_jacobian_has_the_rows_of_single_gradients(name: str, chunk_size: int | None) -> None:
    f = FUNCTIONS[name]
    found = gt.jacobian(f, mode="reverse", chunk_size=chunk_size)(X)
    np.testing.assert_allclose(found, by_rows(f, X), rtol=1e-13, atol=1e-13)
    assert found.flags.writeable


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_hessian_is_the_jacobian_of_the_gradient(name: str) -> None:
    f = FUNCTIONS[name]
    if f(X).size == 0:
        return

    def loss(x: Any) -> Any:
        return np.sum(f(x) ** 2) + np.sum(x**3)

    found = gt.hessian(loss)(X)
    np.testing.assert_allclose(
        found, gt.jacobian(gt.grad(loss), mode="forward")(X), rtol=1e-11, atol=1e-11
    )
    np.testing.assert_allclose(found, found.T, rtol=1e-11, atol=1e-11)


def test_a_band_stays_a_band(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(Bands, "dense", _counted(Bands.dense, seen))

    def f(x: Any) -> Any:
        return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    gt.hessian(f)(X)
    assert seen == [3]  # once, at the end, of three diagonals


def _counted(dense: Any, seen: list[int]) -> Any:
    def counted(self: Bands) -> Any:
        seen.append(len(self.diagonals))
        return dense(self)

    return counted


@pytest.mark.parametrize("size", [2, 3, 7])
@pytest.mark.parametrize("rows", [1, 3, 7, 9])
def test_the_matrix_of_bands(size: int, rows: int) -> None:
    rng = np.random.default_rng(0)
    diagonals = {k: rng.standard_normal(size) for k in range(-size, rows + 1)}
    expected = np.zeros((rows, size))
    for k, v in diagonals.items():
        for j in range(size):
            if 0 <= j + k < rows:
                expected[j + k, j] = v[j]
    np.testing.assert_array_equal(Bands(rows, (size,), diagonals).dense(), expected)


def test_the_identity_of_some_rows() -> None:
    np.testing.assert_array_equal(bands.full(identity((2, 3), np.dtype(float), 1, 4)),
                                  np.eye(6)[1:4].reshape(3, 2, 3))  # fmt: skip
    np.testing.assert_array_equal(bands.full(identity((), np.dtype(float))), np.ones(1))
    np.testing.assert_array_equal(bands.full(identity((1,), np.dtype(float))), np.ones((1, 1)))


def test_an_infinite_slope_meets_the_zeros_of_no_row() -> None:
    x = np.array([0.0, 1.0, 4.0])
    with np.errstate(divide="ignore"):
        found = gt.jacobian(np.sqrt)(x)
    np.testing.assert_array_equal(found, np.diag([np.inf, 0.5, 0.25]))
    a = np.array([[1.0, np.inf, 2.0], [3.0, 4.0, 5.0], [6.0, 7.0, np.nan]])
    mask = np.array([True, True, False])

    def f(x: Any) -> Any:
        return np.where(mask, a @ x, 0.0)

    np.testing.assert_array_equal(
        gt.jacobian(f, mode="reverse")(np.ones(3)), [[1, np.inf, 2], [3, 4, 5], [0, 0, 0]]
    )


@pytest.mark.parametrize("dtype", ["f", "F", "D"])
def test_other_dtypes(dtype: str) -> None:
    x, a = (X + 0.5j * X if dtype in "FD" else X).astype(dtype), A.astype(dtype)
    if dtype in "FD":
        a = a + 1j * a.T
    for f in (lambda x: np.exp(x) * x, lambda x: np.tanh(a @ np.sin(x)), lambda x: x[2:] * x[:-2]):
        found = gt.jacobian(f, mode="reverse")(x)
        assert found.dtype == x.dtype
        rows = gt.jacobian(f, mode="forward")(x)
        np.testing.assert_allclose(found, rows, rtol=2e-5 if dtype in "fF" else 1e-12, atol=1e-6)


def test_real_numbers_in_complex_arithmetic() -> None:
    def f(x: Any) -> Any:
        z = x * (1 + 2j)
        return np.real(z * z) + np.abs(z)

    np.testing.assert_allclose(
        gt.jacobian(f, mode="reverse")(X), gt.jacobian(f, mode="forward")(X), rtol=1e-12, atol=1e-12
    )


def test_two_sources_and_what_is_reached_twice_share_no_memory() -> None:
    def f(x: Any, y: Any) -> Any:
        return x + y

    dx, dy = gt.jacobian(f, argnums=(0, 1))(X, X)
    assert not np.shares_memory(dx, dy)
    dx[0, 0] = 7
    assert dy[0, 0] == 1


def test_the_tapes_jacobian_of_a_source_and_of_a_middle_value() -> None:
    x = gt.Variable(X)
    with gt.GradientTape(persistent=True) as tape:
        y = x * 2
        z = y[1:] * y[:-1]
    middle = 2 * X
    expected = np.zeros((11, 12))
    expected[np.arange(11), np.arange(11)] = middle[1:]
    expected[np.arange(11), np.arange(1, 12)] = middle[:-1]
    np.testing.assert_allclose(np.asarray(tape.jacobian(z, y)), expected)
    np.testing.assert_allclose(np.asarray(tape.jacobian(z, x)), 2 * expected)
    np.testing.assert_array_equal(np.asarray(tape.jacobian(y, y)), np.eye(12))


def test_rules_for_batches_leave_what_they_cannot_do_to_the_cards_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    f = FUNCTIONS["vectors on both sides"]
    expected = gt.jacobian(f, mode="reverse")(X)
    monkeypatch.setattr(batched_sweep, "STACKED", {})
    monkeypatch.setattr(batched_sweep, "BANDED", {})
    np.testing.assert_allclose(gt.jacobian(f, mode="reverse")(X), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("shape", [(), (1,), (2, 2)])
def test_a_hessian_under_a_tape_and_of_trees(shape: tuple[int, ...]) -> None:
    x = np.full(shape, 0.7)

    def loss(p: Any) -> Any:
        return np.sum(np.sin(p["a"]) * p["b"] ** 2)

    found = gt.hessian(loss)({"a": x, "b": x})
    with gt.GradientTape():
        under = gt.hessian(loss)({"a": x, "b": x})
    for n in "ab":
        for m in "ab":
            assert found[n][m].shape == shape + shape
            np.testing.assert_allclose(found[n][m], np.asarray(under[n][m]), rtol=1e-14)


# ------------------------------------------------------------- followed by a trace or by a tape


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("chunk_size", [None, 5])
def test_a_compiled_jacobian_is_eagers(name: str, chunk_size: int | None) -> None:
    matrix = gt.jacobian(FUNCTIONS[name], mode="reverse", chunk_size=chunk_size)
    found = gt.function(matrix, backend="numpy")(X)
    np.testing.assert_allclose(found, matrix(X), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_compiled_hessian_is_eagers(name: str) -> None:
    f = FUNCTIONS[name]

    def loss(x: Any) -> Any:
        return np.sum(f(x) ** 2) + np.sum(x**3)

    found = gt.function(gt.hessian(loss), backend="numpy")(X)
    np.testing.assert_allclose(found, gt.hessian(loss)(X), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_gradient_of_a_jacobian_is_that_of_its_rows(name: str) -> None:
    f = FUNCTIONS[name]
    weights = np.random.default_rng(2).standard_normal((*np.shape(f(X)), 12))

    def weighted(x: Any) -> Any:
        return np.sum(gt.jacobian(f, mode="reverse")(x) * weights)

    def forwards(x: Any) -> Any:
        return np.sum(gt.jacobian(f, mode="forward")(x) * weights)

    expected = gt.grad(forwards)(X)
    np.testing.assert_allclose(gt.grad(weighted)(X), expected, rtol=1e-11, atol=1e-11)
    found = gt.function(gt.grad(weighted), backend="numpy")(X)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)


def rosenbrock(x: Any) -> Any:
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def test_in_a_program_a_band_stays_a_band() -> None:
    program = gt.function(gt.hessian(rosenbrock))
    np.testing.assert_array_equal(program(X), gt.hessian(rosenbrock)(X))
    sizes = [int(np.prod([int(n) for n in shape.split(",") if n] or [1]))
             for shape in re.findall(r"^  v\d+: \w+\[([\d,]*)\] = (?!setitem|reshape)",
                                     program.graph(X), re.MULTILINE)]  # fmt: skip
    assert max(sizes) == 12  # only what writes and returns the matrix is as large as it


def test_a_jacobian_of_a_tape_is_a_band_in_a_program() -> None:
    def slopes(x: Any) -> Any:
        with gt.GradientTape() as tape:
            tape.watch(x)
            y = np.sin(x[1:]) * x[:-1]
        return tape.jacobian(y, x)

    def expected(x: Any) -> Any:
        return gt.jacobian(lambda x: np.sin(x[1:]) * x[:-1])(x)

    program = gt.function(slopes)
    np.testing.assert_allclose(program(X), expected(X), rtol=1e-14)
    assert "of a batch" not in program.graph(X)
    assert "float64[11,11]" not in program.graph(X)


def test_a_tape_around_a_jacobian_follows_its_bands() -> None:
    x = gt.array(X)
    with gt.GradientTape() as outer:
        outer.watch(x)
        with gt.GradientTape() as inner:
            inner.watch(x)
            y = x[1:] * x[:-1] ** 2
        total = np.sum(inner.jacobian(y, x) ** 2)
    a, b = X[1:], X[:-1]  # the slopes are b ** 2 and 2 * a * b
    expected = np.zeros(12)
    expected[1:] += 8 * a * b**2
    expected[:-1] += 4 * b**3 + 8 * a**2 * b
    np.testing.assert_allclose(outer.gradient(total, x), expected, rtol=1e-13)


@pytest.mark.parametrize("backend", ["numpy", "llvm"])
def test_in_a_program_an_infinite_slope_meets_the_zeros_of_no_row(backend: str) -> None:
    x = np.array([0.0, 1.0, 4.0])

    def root(x: Any) -> Any:
        return np.sqrt(x[:2]) * np.sqrt(x[1:])

    for f in (np.sqrt, root, lambda x: np.where(x > 0, np.sqrt(x), 0.0)):
        with np.errstate(divide="ignore"):
            expected = gt.jacobian(f, mode="reverse")(x)
        found = gt.function(gt.jacobian(f, mode="reverse"), backend=backend)(x)
        np.testing.assert_array_equal(found, expected)
