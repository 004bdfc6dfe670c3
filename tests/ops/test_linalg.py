"""np.linalg: norms, solve, inv, det, slogdet, cholesky, and the namesakes of NumPy's functions."""

import mpmath
import numpy as np
import pytest
from numpy.linalg import LinAlgError

import gradtape as gt
from gradtape.testing import op_case

STACK = [(2, 2), (3, 3), (2, 3, 3), (1, 1), (0, 2, 2)]


def well_conditioned(rng, shape):
    """Matrices far from singular, not symmetric."""
    n = shape[-1]
    x = rng.uniform(-1, 1, shape)
    if rng.random() < 0.5 and n:
        x = x * 0.7
    return x + 2.0 * np.eye(*shape[-2:])


def spread(rng, shape):
    """Matrices whose singular values, rows and columns are well apart."""
    x = rng.uniform(-0.4, 0.4, shape)
    n, m = shape[-2:]
    x[..., np.arange(min(n, m)), np.arange(min(n, m))] += 1.5 + np.arange(min(n, m))
    return x


def positive_definite(function):
    """`function` of the Hermitian positive definite matrix x x^H + 1."""

    def call(x, **options):
        xh = np.conjugate(np.linalg.matrix_transpose(x))
        return function(x @ xh + np.eye(x.shape[-1], dtype=x.dtype), **options)

    call.__name__ = f"positive definite {getattr(function, '__name__', '')}"
    return call


SOLVES = [
    ((2, 2), (2,)), ((3, 3), (3, 2)), ((2, 3, 3), (3, 2)), ((3, 3), (2, 3, 2)), ((2, 3, 3), (3,)),
    ((2, 1, 2, 2), (3, 2, 1)), ((2, 2, 2), (2, 2, 2)), ((2, 2), (2, 0)),
]  # fmt: skip


def solving(rng, shape):
    square = len(shape) > 1 and shape[-1] == shape[-2]
    return well_conditioned(rng, shape) if square else rng.uniform(-1, 1, shape)


VECTOR = [None, 2, 1, 3, 2.5, -1, 0.5, np.inf, -np.inf, 0]
AXES = [{"axis": 0}, {"axis": -1, "keepdims": True}, {}]
NORM_DOMAIN = (0.3, 2.2)

CASES = [
    op_case(np.linalg.inv, calls=STACK, domain=well_conditioned, complex=True),
    op_case(np.linalg.solve, calls=SOLVES, domain=solving, complex=True),
    op_case(np.linalg.det, calls=[*STACK, (0, 0)], domain=well_conditioned, complex=True),
    *(op_case(f, name=f"{f.__name__} of stacks", calls=[(2, 3, 2, 2)], domain=well_conditioned)
      for f in (np.linalg.det, np.linalg.slogdet)),
    op_case(np.linalg.slogdet, calls=STACK, domain=well_conditioned, complex=True),
    op_case(lambda x: np.linalg.slogdet(-x)[1], name="slogdet of a negative", calls=[(3, 3)],
            domain=well_conditioned),
    op_case(positive_definite(np.linalg.cholesky), name="cholesky",
            calls=[*STACK, (1, 3, 2, 2)], complex=True),
    op_case(positive_definite(lambda x: np.linalg.cholesky(x, upper=True)), name="cholesky upper",
            calls=[(3, 3), (2, 2, 2)], complex=True),
    op_case(np.linalg.svdvals, calls=[(2, 3), (3, 2), (2, 3, 3)], domain=spread, complex=True),
    op_case(np.linalg.svdvals, name="svdvals of 0", calls=[(np.zeros((2, 3)),)],
            skip={"second": "the gradient jumps there"}),
    # norms
    op_case(np.linalg.norm, calls=[(3,), (2, 3), (2, 2, 2), ()], complex=True),
    *(
        op_case(np.linalg.norm, name=f"norm {p}", calls=[(3,)], domain=NORM_DOMAIN,
                kwargs=[{"ord": p}], complex=True)
        for p in VECTOR
    ),
    *(
        op_case(np.linalg.norm, name=f"norm {p} {axes}", calls=[(3, 2), (2, 3, 2)],
                domain=NORM_DOMAIN, kwargs=[{"ord": p, "axis": -1, **axes}])
        for p in VECTOR for axes in AXES
    ),
    op_case(np.linalg.norm, name="norm of everything, kept", calls=[(2, 3)],
            kwargs=[{"keepdims": True}]),
    *(
        op_case(np.linalg.norm, name=f"matrix norm {p}", calls=[(2, 3), (3, 2), (2, 3, 2)],
                domain=spread,
                kwargs=[{"ord": p, "axis": (-2, -1)}, {"ord": p, "axis": (-1, -2),
                "keepdims": True}],
                complex=True)
        for p in (None, "fro", 1, -1, 2, -2, np.inf, -np.inf, "nuc")
    ),
    op_case(np.linalg.norm, name="matrix norms without an axis", calls=[(3, 2)], domain=spread,
            kwargs=[{"ord": p} for p in ("fro", 1, 2, "nuc")]),
    op_case(np.linalg.norm, name="matrix norm of outer axes", calls=[(3, 2, 2)], domain=spread,
            kwargs=[{"ord": 2, "axis": (0, 2)}, {"ord": 1, "axis": (2, 0), "keepdims": True}]),
    op_case(np.linalg.vector_norm, calls=[(3,), (2, 3)], domain=NORM_DOMAIN, complex=True,
            kwargs=[{}, {"axis": 0}, {"axis": -1, "ord": 3, "keepdims": True}, {"ord": 1}]),
    op_case(np.linalg.vector_norm, name="vector_norm of no axes", calls=[(3,)],
            kwargs=[{"axis": ()}, {"axis": (), "ord": 0}]),
    op_case(np.linalg.vector_norm, name="vector_norm of several axes", calls=[(2, 3, 2)],
            domain=NORM_DOMAIN, kwargs=[{"axis": (0, 2)}, {"axis": (2, 1), "ord": np.inf,
            "keepdims": True}]),
    op_case(np.linalg.matrix_norm, calls=[(2, 3), (2, 3, 2)], domain=spread,
            kwargs=[{}, {"ord": 2}, {"ord": "nuc", "keepdims": True}]),
    # namesakes
    op_case(np.linalg.matmul, name="linalg.matmul", calls=[((2, 3), (3, 2))]),
    op_case(np.linalg.outer, name="linalg.outer", calls=[((2,), (3,))]),
    op_case(np.linalg.cross, name="linalg.cross", calls=[((3,), (3,)), ((3, 3), (3, 3))],
            kwargs=[{}, {"axis": 0}]),
    op_case(np.linalg.tensordot, name="linalg.tensordot", calls=[((2, 3), (3, 2))],
            kwargs=[{"axes": 1}]),
    op_case(np.linalg.vecdot, name="linalg.vecdot", calls=[((2, 2), (2, 2))],
            kwargs=[{}, {"axis": 0}], complex=True),
    op_case(np.linalg.trace, name="linalg.trace", calls=[(3, 3), (2, 2, 3)], kwargs=[{},
            {"offset": 1}]),
    op_case(np.linalg.diagonal, name="linalg.diagonal", calls=[(3, 3), (2, 2, 3)],
            kwargs=[{}, {"offset": -1}]),
    op_case(np.linalg.matrix_transpose, name="linalg.matrix_transpose", calls=[(2, 3), (2, 1, 3)]),
    op_case(lambda *xs: np.linalg.multi_dot(xs), name="multi_dot",
            calls=[((2, 3), (3, 2)), ((4, 2), (2, 5), (5, 1)), ((3,), (3, 2), (2,)),
                   ((2, 3), (3, 4), (4, 1), (1, 3)), ((3,), (3, 2), (2, 2))], complex=True),
    *(
        op_case(lambda x, n=n: np.linalg.matrix_power(x, n), name=f"matrix_power {n}",
                calls=[(2, 2), (2, 3, 3)], domain=well_conditioned, tolerance={"value": 1e-12})
        for n in (0, 1, 2, 3, 5, -1, -3)
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_op(case):
    case.check()


# ------------------------------------------------------------------------- special points


@pytest.mark.parametrize("order", [None, 1, 2, 3, np.inf, -np.inf, 0])
def test_norm_at_zero_has_gradient_zero(order):
    g = gt.grad(lambda x: np.linalg.norm(x, order))(np.zeros(3))
    np.testing.assert_array_equal(g, 0)


@pytest.mark.parametrize("order", ["fro", "nuc", 2, -2, 1, np.inf])
def test_matrix_norm_at_zero_has_gradient_zero(order):
    np.testing.assert_array_equal(gt.grad(lambda x: np.linalg.norm(x, order))(np.zeros((2, 3))), 0)


def test_norm_with_one_row_at_zero_is_right_in_the_others():
    x = np.array([[0.0, 0.0], [3.0, 4.0]])
    g = gt.grad(lambda x: np.sum(np.linalg.norm(x, axis=1)))(x)
    np.testing.assert_allclose(g, [[0, 0], [0.6, 0.8]])


def test_largest_entries_that_tie_share_the_gradient():
    g = gt.grad(lambda x: np.linalg.norm(x, np.inf))(np.array([2.0, -2.0, 1.0]))
    np.testing.assert_array_equal(g, [0.5, -0.5, 0])
    g = gt.grad(lambda x: np.linalg.norm(x, 1))(np.array([[2.0, 1.0], [1.0, -2.0]]))
    np.testing.assert_array_equal(g, [[0.5, 0.5], [0.5, -0.5]])


def test_equal_singular_values_share_the_gradient_of_the_spectral_norm():
    g = gt.grad(lambda x: np.linalg.norm(x, 2))(np.diag([2.0, 2.0]))
    np.testing.assert_allclose(g, np.eye(2) / 2, atol=1e-15)


@pytest.mark.parametrize("rotation", [0.0, 0.3])
def test_nuclear_norm_with_equal_singular_values_has_a_finite_hessian(rotation):
    """Its gradient U V^H does not depend on the choice of vectors: compare with differences."""
    c, s = np.cos(rotation), np.sin(rotation)
    x = 2.0 * np.array([[c, -s], [s, c]])
    d = np.array([[0.3, -0.8], [0.5, 0.1]])
    gradient = gt.grad(lambda x: np.linalg.norm(x, "nuc"))
    second = gt.grad(lambda x: np.sum(gradient(x) * d))(x)
    h = 1e-5
    numeric = (gradient(x + h * d) - gradient(x - h * d)) / (2 * h)
    np.testing.assert_allclose(second, numeric, atol=1e-8)


SINGULAR = {
    "rank 2": np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]]),
    "rank 1": np.outer([1.0, 2, 3], [1.0, -1, 2]),
    "zero": np.zeros((3, 3)),
    "two by two": np.array([[1.0, 2], [2, 4]]),
    "stack": np.stack([np.diag([1.0, 2, 3]), np.diag([1.0, 0, 3])]),
    "nearly singular": np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9 + 1e-13]]),
    "one by one": np.zeros((1, 1)),
}


def exact_cofactors(x):
    if x.ndim > 2:
        return np.stack([exact_cofactors(m) for m in x])
    n = len(x)
    out = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            minor = np.delete(np.delete(x, i, 0), j, 1).tolist()
            out[i, j] = (-1) ** (i + j) * (mpmath.det(mpmath.matrix(minor)) if n > 1 else 1)
    return out


@pytest.mark.parametrize("name", SINGULAR)
def test_the_gradient_of_det_at_a_singular_matrix_is_its_cofactors(name):
    x = SINGULAR[name]
    g = gt.grad(lambda x: np.sum(np.linalg.det(x)))(x)
    np.testing.assert_allclose(g, exact_cofactors(x), atol=1e-12 * (1 + np.abs(x).max()) ** 2)


@pytest.mark.parametrize("name", SINGULAR)
def test_the_second_derivative_of_det_at_a_singular_matrix(name):
    """det is a polynomial: its second derivative along d, from exact central differences."""
    x = SINGULAR[name]
    d = np.random.default_rng(0).normal(size=x.shape)
    gradient = gt.grad(lambda x: np.sum(np.linalg.det(x)))
    second = gt.grad(lambda x: np.sum(gradient(x) * d))(x)
    h = 0.5  # cofactors of 3 x 3 are quadratic: the difference is exact for any h
    numeric = (exact_cofactors(x + h * d) - exact_cofactors(x - h * d)) / (2 * h)
    np.testing.assert_allclose(second, numeric, atol=1e-11 * (1 + np.abs(x).max()))


def test_complex_det_at_a_singular_matrix():
    x = np.array([[1 + 1j, 2], [2 + 2j, 4]])
    with gt.GradientTape() as tape:
        t = tape.watch(x)
        loss = np.real(np.linalg.det(t)) + 3 * np.imag(np.linalg.det(t))
    # det = ad - bc; the gradient of Re f + 3 Im f is conj((1 - 3i) f'), entry by entry
    cofactors = np.array([[x[1, 1], -x[1, 0]], [-x[0, 1], x[0, 0]]])
    np.testing.assert_allclose(tape.gradient(loss, t).value, np.conj((1 - 3j) * cofactors))


def test_slogdet_of_a_singular_matrix_has_no_finite_gradient():
    g = gt.grad(lambda x: np.linalg.slogdet(x)[1])(np.ones((2, 2)))
    assert np.isnan(g).all()


def test_slogdet_gives_its_named_tuple():
    result = np.linalg.slogdet(gt.array(-np.eye(3)))
    assert (float(result.sign), float(result.logabsdet)) == (-1, 0)


def test_the_gradient_of_cholesky_is_symmetric():
    """Along a symmetric direction it agrees with central differences."""
    a = np.array([[2.0, 0.5], [0.5, 1.0]])
    weights = np.array([[1.0, 0], [3.0, 5.0]])
    g = gt.grad(lambda a: np.sum(np.linalg.cholesky(a) * weights))(a)
    np.testing.assert_allclose(g, g.T)
    e = np.array([[0.0, 1], [1, 0]])
    h = 1e-6
    loss = [np.sum(np.linalg.cholesky(a + s * h * e) * weights) for s in (1, -1)]
    assert np.sum(g * e) == pytest.approx((loss[0] - loss[1]) / (2 * h), rel=1e-8)


def test_matrix_power_zero_does_not_depend_on_the_matrix():
    assert np.array_equal(np.linalg.matrix_power(gt.array(np.ones((2, 2))), 0), np.eye(2))


def test_integer_matrices_give_floats():
    x = gt.array(np.array([[2, 1], [1, 1]]))
    for function in (np.linalg.inv, np.linalg.det, np.linalg.norm, np.linalg.svdvals):
        assert function(x).dtype == np.float64
    assert np.linalg.matrix_rank(x).value == 2


def test_solving_twice_agrees_with_the_inverse():
    rng = np.random.default_rng(0)
    a, b = well_conditioned(rng, (3, 3)), rng.normal(size=3)
    one = gt.grad(lambda a: np.sum(np.linalg.solve(a, b) ** 2))(a)
    two = gt.grad(lambda a: np.sum((np.linalg.inv(a) @ b) ** 2))(a)
    np.testing.assert_allclose(one, two)


# ------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda x: np.linalg.inv(x),
            r"inv of \(2, 2\): Singular matrix(.|\n)*test_linalg.py:\d+(.|\n)*lstsq",
        ),
        (lambda x: np.linalg.solve(x, np.ones(2)), r"solve of \(2, 2\) and \(2,\): Singular"),
        (lambda x: np.linalg.solve(x, np.ones(3)), r"solve of \(2, 2\) and \(3,\)"),
        (lambda x: np.linalg.cholesky(-x), "cholesky(.|\n)*positive definite"),
        (lambda x: np.linalg.inv(x[:1]), r"inv of \(1, 2\): the last two axes are not equally"),
    ],
)
def test_what_has_no_solution_says_so(call, message):
    with pytest.raises(LinAlgError, match=message):
        call(gt.array(np.ones((2, 2))))


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.linalg.norm(x, "nuc"),
        lambda x: np.linalg.norm(x, "bogus"),
        lambda x: np.linalg.norm(x, 3, axis=(0, 1)),
        lambda x: np.linalg.multi_dot([x]),
        lambda x: np.linalg.outer(x, np.ones((2, 2))),
        lambda x: np.linalg.matrix_power(x, 2),
    ],
)
def test_arguments_that_numpy_refuses_are_refused(call):
    with pytest.raises(ValueError):
        call(np.ones(3))
    with pytest.raises(ValueError):
        call(gt.array(np.ones(3)))


def test_a_real_part_gets_a_real_cotangent_from_complex_operations():
    """The cotangent that `* 1j` hands back is complex; imag, abs and norm need its real part."""
    z = np.array([1.0 + 2.0j, -0.5 + 1.0j])

    def loss(z):
        size = np.linalg.norm(z) * 1j + np.imag(z) * (2 + 1j)
        return np.sum(np.real(size) ** 2) + 3 * np.sum(np.imag(size))

    g = gt.grad(loss)(z)
    h = 1e-6
    for k in range(2):
        for step, part in ((h, np.real), (1j * h, np.imag)):
            d = np.zeros(2, complex)
            d[k] = step
            assert part(g[k]) == pytest.approx((loss(z + d) - loss(z - d)) / (2 * h), rel=1e-6)
