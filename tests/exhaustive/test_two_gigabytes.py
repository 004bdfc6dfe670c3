"""Files of 2 GB are fitted in under 400 MB of memory, with the result of all rows in memory.

The rows are drawn piece by piece, and the result to compare with is put together from the pieces
as they are drawn: sums of squares by QR, and Newton's method over all of them, in plain NumPy.
"""

import json
import sys

import numpy as np
import pytest

from tests.fit.test_stream import peak

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.skipif(sys.platform != "linux", reason="/proc/self/status is Linux's"),
]

SIZE = 2_000_000_000
ROWS = 500_000
MOST = 400  # MiB
NAMES = ["Intercept", "kind[T.b]", "kind[T.c]", "x", "z"]


def drawn(piece):
    """Columns of a piece of the file: the same whenever it is asked for."""
    rng = np.random.default_rng([0, piece])
    x, z, w = rng.normal(100, 3, ROWS), rng.normal(size=ROWS), rng.normal(size=ROWS)
    kind = rng.integers(0, 3, ROWS)
    eta = 0.2 * (x - 100) - 0.3 * z + 0.4 * (kind == 1)
    y = eta + rng.normal(size=ROWS)
    label = (rng.random(ROWS) < 1 / (1 + np.exp(-eta))).astype(np.int64)
    return {"y": y, "label": label, "x": x, "z": z, "w": w, "kind": kind}


def design(columns):
    kind = columns["kind"]
    return np.column_stack([np.ones(ROWS), kind == 1, kind == 2, columns["x"] - 100, columns["z"]])


def write(path):
    """Write the file; return of how many pieces it is made."""
    pa = pytest.importorskip("pyarrow")
    import pyarrow.csv as csv
    import pyarrow.parquet as parquet

    def table(piece):
        columns = drawn(piece)
        return pa.table({**columns, "kind": pa.array(np.array(list("abc"))[columns["kind"]])})

    first, piece = table(0), 0
    if path.suffix == ".csv":
        writer = csv.CSVWriter(path, first.schema)
    else:
        writer = parquet.ParquetWriter(
            path, first.schema, compression="none", use_dictionary=["kind"]
        )
    with writer:
        while path.stat().st_size < SIZE:
            writer.write_table(table(piece))
            piece += 1
    return piece


def least_squares(pieces):
    factor = np.zeros((0, 6))
    for piece in range(pieces):
        columns = drawn(piece)
        table = np.column_stack([design(columns), columns["y"]])
        factor = np.linalg.qr(np.concatenate([factor, table]), mode="r")
    R, z = factor[:5, :5], factor[:5, 5]
    variance = factor[5, 5] ** 2 / (pieces * ROWS - 5)
    inverse = np.linalg.inv(R)
    return np.linalg.solve(R, z), variance * inverse @ inverse.T


def logistic(pieces):
    beta = np.zeros(5)
    while True:
        gradient, hessian = np.zeros(5), np.zeros((5, 5))
        for piece in range(pieces):
            columns = drawn(piece)
            X = design(columns)
            p = 1 / (1 + np.exp(-(X @ beta)))
            gradient += X.T @ (p - columns["label"])
            hessian += X.T @ (X * (p * (1 - p))[:, None])
        step = np.linalg.solve(hessian, gradient)
        beta = beta - step
        if np.abs(step).max() < 1e-12:
            return beta, np.linalg.inv(hessian)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_two_gigabytes(tmp_path, ending):
    path = tmp_path / f"t.{ending}"
    pieces = write(path)
    to_data = np.eye(5)
    to_data[0, 3] = -100.0  # the intercept of x rather than of x - 100
    for formula, loss, solve in (
        ("y ~ x + z + kind", "mse", least_squares),
        ("label ~ x + z + kind", "logistic", logistic),
    ):
        used = peak(path, formula, "--loss", loss, "--out", tmp_path)
        print(f"{ending}, {path.stat().st_size / 1e9:.2f} GB, {loss}: {used} MiB")
        assert used < MOST
        result = json.loads((tmp_path / "model.json").read_text())["result"]
        assert result["rows"]["used"] == pieces * ROWS
        beta, covariance = solve(pieces)
        errors = np.sqrt(np.diag(to_data @ covariance @ to_data.T))
        found = np.array([result["coefficients"][name] for name in NAMES])
        truth = to_data @ beta
        # Gradient descent ends where the gradient is 1e-10 of its terms, not at the minimum itself.
        np.testing.assert_allclose(found / errors, truth / errors, rtol=0, atol=1e-4)
        if loss == "mse":
            found = np.array([result["closed_form"][name] for name in NAMES])
        np.testing.assert_allclose(found / errors, truth / errors, rtol=0, atol=1e-6)
        said = np.array([result["standard_errors"][name] for name in NAMES])
        np.testing.assert_allclose(said, errors, rtol=1e-7)
