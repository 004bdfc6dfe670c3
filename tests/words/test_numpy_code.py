"""NumPy programs as people write them, each compared with central differences."""

import itertools
import math
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.linalg

import gradtape as gt
from tests.words.differences import check, close, slope

rng = np.random.default_rng(20)


# -- regression and classification ---------------------------------------------------------------


def test_linear_regression_with_polynomial_features():
    x, y = rng.uniform(-1, 1, 30), rng.normal(size=30)

    def loss(w):
        features = np.vander(x, 4, increasing=True)
        return np.mean((features @ w - y) ** 2) + 0.1 * np.linalg.norm(w)

    check(loss, rng.normal(size=4))


def test_polynomial_written_by_horner():
    x, y = rng.uniform(-1, 1, 30), rng.normal(size=30)

    def loss(w):
        p = 0.0
        for c in w:
            p = p * x + c
        return ((p - y) ** 2).sum()

    check(loss, rng.normal(size=5))


def test_a_function_that_has_no_rule_names_itself_and_its_line():
    x = rng.uniform(-1, 1, 30)
    with pytest.raises(gt.errors.UnsupportedOperationError, match=r"polyval.*\n.*test_numpy_code"):
        gt.grad(lambda w: np.sum(np.polyval(w, x) ** 2))(rng.normal(size=4))


def test_weighted_ridge_regression_solved_in_closed_form():
    x, y = rng.normal(size=(12, 3)), rng.normal(size=12)
    test_x, test_y = rng.normal(size=(5, 3)), rng.normal(size=5)

    def validation_loss(log_weights, log_ridge):
        w = np.exp(log_weights)
        gram = (x * w[:, None]).T @ x + np.exp(log_ridge) * np.eye(3)
        beta = np.linalg.solve(gram, x.T @ (w * y))
        return np.average((test_x @ beta - test_y) ** 2, weights=np.arange(1, 6))

    check(validation_loss, rng.normal(size=12), np.array(-0.3))


def test_softmax_classifier_on_batches_with_fancy_indexing():
    x, labels = rng.normal(size=(20, 4)), rng.integers(0, 3, 20)
    batches = np.split(rng.permutation(20), 4)

    def loss(w, b):
        total = 0.0
        for batch in batches:
            logits = x[batch] @ w + b
            shifted = logits - logits.max(axis=1, keepdims=True)
            log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
            total -= log_p[np.arange(len(batch)), labels[batch]].mean()
        return total / len(batches) + 1e-2 * np.sum(w**2)

    check(loss, rng.normal(size=(4, 3)), rng.normal(size=3))


def test_softmax_classifier_with_one_hot_and_in_place_steps():
    x, labels = rng.normal(size=(9, 4)), rng.integers(0, 3, 9)
    one_hot = np.eye(3)[labels]

    def loss(w):
        logits = x @ w
        logits -= np.max(logits, axis=-1)[..., np.newaxis]
        np.exp(logits, out=logits)
        logits /= logits.sum(-1, keepdims=True)
        return -np.sum(one_hot * np.log(logits)) / len(x)

    check(loss, rng.normal(size=(4, 3)))


def test_embedding_rows_gathered_with_repeats():
    ids = np.array([[0, 2, 2], [1, 0, 0]])

    def loss(table, w):
        return np.sum(np.tanh(table[ids].mean(axis=1) @ w) ** 2)

    check(loss, rng.normal(size=(4, 3)), rng.normal(size=3))


def test_logistic_regression_with_logaddexp_and_offsets():
    x, y = rng.normal(size=(15, 3)), rng.integers(0, 2, 15).astype(bool)

    def loss(w, b):
        z = np.dot(x, w) + b
        return np.logaddexp(0, np.where(y, -z, z)).mean()

    check(loss, rng.normal(size=3), np.array(0.2))


def test_two_layer_network_with_a_dict_of_parameters():
    x, y = rng.normal(size=(8, 3)), rng.normal(size=(8, 2))
    shapes = {"w1": (3, 5), "b1": (5,), "w2": (5, 2), "b2": (2,)}
    parameters = {name: rng.normal(size=s) for name, s in shapes.items()}

    def loss(p):
        h = np.maximum(x @ p["w1"] + p["b1"], 0)
        return np.mean(np.square(h @ p["w2"] + p["b2"] - y))

    gradient = gt.grad(loss)(parameters)
    assert list(gradient) == list(shapes)
    for name in shapes:
        truth = slope(lambda v, n=name: loss(parameters | {n: v}), (parameters[name],), 0)
        assert type(gradient[name]) is np.ndarray
        close(gradient[name], truth)


def test_training_in_batches_reaches_the_least_squares_solution():
    x = rng.normal(size=(64, 3))
    y = x @ [1.0, -2.0, 0.5]
    w = gt.Variable(np.zeros(3))
    order = np.random.default_rng(1)
    for _ in range(60):
        shuffled = order.permutation(64)
        for batch in np.array_split(shuffled, 4):
            with gt.GradientTape() as tape:
                loss = np.mean((x[batch] @ w - y[batch]) ** 2)
            w -= 0.1 * tape.gradient(loss, w)
    close(w, np.linalg.lstsq(x, y, rcond=None)[0])


# -- distances and kernels -----------------------------------------------------------------------


def test_distances_to_centroids_by_broadcasting():
    points = rng.normal(size=(10, 2))

    def loss(centroids):
        d = ((points[:, None, :] - centroids[None]) ** 2).sum(axis=-1)
        nearest = d.argmin(axis=1)
        return d[np.arange(len(points)), nearest].sum() + np.sqrt(d.min(axis=0)).sum()

    check(loss, rng.normal(size=(3, 2)))


def test_distances_by_the_binomial_formula_and_soft_assignment():
    points = rng.normal(size=(10, 2))

    def loss(c):
        d = (points**2).sum(1)[:, None] - 2 * points @ c.T + np.einsum("ij,ij->i", c, c)
        soft = np.exp(-d) / np.exp(-d).sum(1, keepdims=True)
        return np.sum(soft * d)

    check(loss, rng.normal(size=(3, 2)))


def test_pairwise_energy_of_particles_over_the_upper_triangle():
    def energy(x):
        i, j = np.triu_indices(len(x), k=1)
        r = np.linalg.norm(x[i] - x[j], axis=1)
        return np.sum(4 * (r**-12 - r**-6))

    check(energy, np.array([[0.0, 0, 0], [1.2, 0, 0.1], [0, 1.3, 0], [1.1, 1.2, 0.9]]))


def test_gaussian_process_log_likelihood():
    x, y = np.sort(rng.uniform(0, 5, 8)), rng.normal(size=8)

    def negative_log_likelihood(theta):
        amplitude, length, noise = np.exp(theta)
        k = amplitude * np.exp(-0.5 * np.subtract.outer(x, x) ** 2 / length**2)
        k[np.diag_indices_from(k)] += noise
        factor = np.linalg.cholesky(k)
        alpha = np.linalg.solve(factor.T, np.linalg.solve(factor, y))
        return 0.5 * y @ alpha + np.log(np.diag(factor)).sum() + len(x) / 2 * np.log(2 * np.pi)

    check(negative_log_likelihood, np.array([0.1, 0.2, -1.0]))


def test_gaussian_process_by_slogdet_and_inverse_agrees():
    x, y = np.sort(rng.uniform(0, 5, 6)), rng.normal(size=6)

    def by_slogdet(theta):
        k = np.exp(theta[0] - (x[:, None] - x) ** 2 / np.exp(theta[1])) + 0.1 * np.eye(6)
        sign, logdet = np.linalg.slogdet(k)
        return sign * logdet + y @ np.linalg.inv(k) @ y

    check(by_slogdet, np.array([0.3, -0.2]))


def test_multivariate_normal_with_a_factor_filled_element_by_element():
    data = rng.normal(size=(7, 3))

    def loss(v):
        lower = gt.zeros((3, 3))
        lower[np.tril_indices(3)] = v
        d = np.arange(3)
        lower[d, d] = np.exp(lower[d, d])
        z = np.linalg.solve(lower, data.T)
        return 0.5 * np.sum(z**2) + 7 * np.sum(np.log(lower.diagonal()))

    check(loss, rng.normal(size=6))


# -- differential equations and stencils ---------------------------------------------------------


def test_heat_equation_with_slices_and_in_place_steps():
    def loss(u0, k):
        u = u0.copy()
        for _ in range(5):
            u[1:-1] += k * (u[2:] - 2 * u[1:-1] + u[:-2])
            u[0] = u[-1] = 0.0
        return np.sum(u**2)

    check(loss, rng.normal(size=8), np.array(0.2))


def test_two_dimensional_laplacian_with_views_of_the_interior():
    def loss(u):
        u = u + 0.0
        interior = u[1:-1, 1:-1]
        lap = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4 * interior
        interior += 0.1 * lap
        interior *= interior
        return u.sum() + np.sum(u[1] ** 3)

    check(loss, rng.normal(size=(4, 5)))


def test_upwind_advection_with_roll_and_a_preallocated_history():
    def loss(u, c):
        history = np.zeros_like(u, shape=(5, u.size))
        history[0] = u
        for n in range(4):
            np.subtract(history[n], c * (history[n] - np.roll(history[n], 1)), out=history[n + 1])
        return np.mean(history**2)

    check(loss, rng.normal(size=6), np.array(0.3))


def test_runge_kutta_with_a_right_hand_side_that_makes_an_array():
    def loss(theta):
        def f(s):
            return gt.stack([s[1], -theta[0] * np.sin(s[0]) - theta[1] * s[1]])

        s, h = gt.array([1.0, 0.0]), 0.1
        for _ in range(6):
            k1 = f(s)
            k2 = f(s + h / 2 * k1)
            k3 = f(s + h / 2 * k2)
            k4 = f(s + h * k3)
            s = s + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return s @ s

    check(loss, np.array([1.5, 0.2]))


def test_trajectory_collected_in_a_list_and_stacked():
    def loss(x):
        states = []
        for _ in range(4):
            x = np.tanh(x[::-1] * 1.3)
            states.append(x)
        path = np.stack(states)
        return np.sum(np.diff(path, axis=0) ** 2) + np.trapezoid(path[:, 0], dx=0.1)

    check(loss, rng.normal(size=3))


def test_gradient_and_interpolation_on_a_grid():
    grid, where = np.linspace(0, 1, 7), rng.uniform(0, 1, 5)

    def loss(u):
        return np.sum(np.gradient(u, grid) ** 2) + np.sum(np.interp(where, grid, u) ** 2)

    check(loss, rng.normal(size=7))


# -- sequences, attention, images ----------------------------------------------------------------


def test_recurrent_network_in_a_python_loop():
    xs = rng.normal(size=(5, 2, 3))

    def loss(wx, wh, b):
        h = np.zeros((2, 4))
        outputs = []
        for x in xs:
            h = np.tanh(x @ wx + h @ wh + b)
            outputs.append(h)
        return np.mean(np.concatenate(outputs, axis=1) ** 2)

    check(loss, rng.normal(size=(3, 4)), rng.normal(size=(4, 4)), rng.normal(size=4))


def test_long_short_term_memory_with_split_gates():
    xs = rng.normal(size=(4, 3))

    def sigmoid(z):
        return 0.5 * (np.tanh(z / 2) + 1)

    def loss(w):
        h = c = np.zeros(2)
        for x in xs:
            i, f, o, g = np.split(np.hstack([x, h]) @ w, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        return h.sum()

    check(loss, rng.normal(size=(5, 8)))


def test_attention_by_einsum_with_a_causal_mask():
    x = rng.normal(size=(2, 4, 6))
    mask = np.tril(np.ones((4, 4), bool))

    def loss(wq, wk, wv):
        q, k, v = (np.einsum("btd,dhe->bhte", x, w) for w in (wq, wk, wv))
        scores = np.einsum("bhte,bhse->bhts", q, k, optimize=True) / np.sqrt(q.shape[-1])
        scores = np.where(mask, scores, -np.inf)
        scores = scores - scores.max(-1, keepdims=True)
        p = np.exp(scores)
        p /= p.sum(-1, keepdims=True)
        return np.sum(np.einsum("bhts,bhse->bthe", p, v).reshape(2, 4, -1) ** 2)

    w = rng.normal(size=(3, 6, 2, 2)) / 3
    check(loss, *w)


def test_layer_norm_and_residual():
    x = rng.normal(size=(3, 5))

    def loss(gain, bias):
        mean, std = x.mean(-1, keepdims=True), x.std(-1, ddof=1, keepdims=True)
        y = gain * (x - mean) / std + bias
        y += x
        mu = y.mean(axis=1)
        return np.var(y, axis=0).sum() + np.sum(np.abs(mu - np.median(y, axis=1)))

    check(loss, rng.normal(size=5), rng.normal(size=5))


def test_convolution_by_sliding_windows():
    image = rng.normal(size=(6, 6))

    def loss(kernel, image):
        windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3))
        response = np.einsum("xyij,ij->xy", windows, kernel)
        return np.sum(np.maximum(response, 0) ** 2)

    check(loss, rng.normal(size=(3, 3)), image)


def test_max_pooling_by_reshape_and_by_strided_slices_agree():
    def corners(image):
        return [image[i::2, j::2] for i, j in itertools.product((0, 1), repeat=2)]

    def by_reshape(image):
        return (image.reshape(3, 2, 3, 2).max(axis=(1, 3)) ** 2).sum()

    def by_slices(image):
        return np.sum(np.max(np.stack(corners(image)), axis=0) ** 2)

    def by_maximum(image):
        rows = np.maximum(image[::2], image[1::2])
        return np.sum(np.maximum(rows[:, ::2], rows[:, 1::2]) ** 2)

    image = rng.normal(size=(6, 6))
    for pool in (by_reshape, by_slices, by_maximum):
        check(pool, image)
        np.testing.assert_array_equal(gt.grad(pool)(image), gt.grad(by_reshape)(image))
    # np.max of a list is np.max(np.array(list)): NumPy never shows us the Tensors in it
    with pytest.warns(gt.errors.GradientWarning, match=r"np\.max\(gt\.stack\(\[\.\.\.\]\)\)"):
        gt.grad(lambda image: np.sum(np.max(corners(image), axis=0) ** 2))(image)


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric", "wrap"])
def test_image_padding_and_blurring(mode):
    def loss(image):
        padded = np.pad(image, ((1, 1), (2, 2)), mode=mode)
        blurred = (padded[:-2] + padded[1:-1] + padded[2:]) / 3
        return np.sum(blurred**2) + padded[0, 0] ** 3

    check(loss, rng.normal(size=(4, 4)))


def test_total_variation_with_flips_and_rotations():
    def loss(image):
        d = np.hypot(np.diff(image, axis=0)[:, :-1], np.diff(image, axis=1)[:-1])
        return d.sum() + np.sum(np.rot90(image) * np.flip(image, 0)) + np.fliplr(image)[0, 0]

    check(loss, rng.normal(size=(4, 4)))


def test_one_dimensional_convolution_and_correlation():
    signal = rng.normal(size=9)

    def loss(k):
        return sum(
            np.sum(np.convolve(signal, k, mode) ** 2 + 0 * np.convolve(k, signal, mode))
            for mode in ("full", "same", "valid")
        ) + np.sum(np.correlate(signal, k) ** 3)

    check(loss, rng.normal(size=3))


# -- sorting, counting, accumulating -------------------------------------------------------------


def test_trimmed_mean_and_quantile_loss_by_sorting():
    def loss(x):
        ordered = np.sort(x)
        trimmed = ordered[2:-2].mean()
        return trimmed**2 + np.quantile(x, 0.3) ** 2 + np.median(x) * ordered[-1]

    check(loss, rng.normal(size=9))


def test_ranking_loss_by_argsort():
    relevance = rng.uniform(size=7)

    def loss(scores):
        order = np.argsort(-scores)
        discounted = relevance[order] / np.log2(np.arange(2, 9))
        return np.sum(discounted * scores[order]) + np.sum(scores[order][:3] ** 2)

    check(loss, rng.normal(size=7))


def test_partial_likelihood_by_reversed_cumulative_sums():
    z = rng.normal(size=(8, 2))
    event = np.array([1, 0, 1, 1, 0, 1, 1, 1], bool)

    def loss(beta):
        eta = z @ beta
        risk = np.cumsum(np.exp(eta)[::-1])[::-1]
        return -np.sum((eta - np.log(risk))[event])

    check(loss, rng.normal(size=2))


def test_discounted_rewards_and_products():
    def loss(r, gamma):
        steps = np.arange(len(r))
        returns = np.cumsum((r * gamma**steps)[::-1])[::-1]
        survival = np.cumprod(1 - r / 10)
        return np.sum(returns**2) + np.prod(survival) + np.sum(np.maximum.accumulate(r))

    check(loss, rng.uniform(size=6), np.array(0.9))


def test_segment_sums_by_add_at_and_bincount_and_reduceat():
    groups = np.array([0, 1, 0, 2, 2, 1])

    def loss(x):
        sums = np.zeros_like(x, shape=3)
        np.add.at(sums, groups, x)
        counted = np.bincount(groups, weights=x)
        return np.sum(sums**2) + np.sum(counted**3) + np.sum(np.add.reduceat(x, [0, 2, 5]) ** 2)

    check(loss, rng.normal(size=6))


def test_unique_rows_gathered_back():
    keys = np.array([3, 1, 3, 2, 1])
    unique, inverse = np.unique(keys, return_inverse=True)

    def loss(effects):
        return np.sum((effects[inverse] - keys) ** 2) + np.sum(np.repeat(effects, 2) ** 3)

    check(loss, rng.normal(size=len(unique)))


# -- complex signals -----------------------------------------------------------------------------


def test_discrete_fourier_transform_as_a_matrix():
    n = np.arange(6)
    f = np.exp(-2j * np.pi * np.outer(n, n) / 6)
    target = rng.uniform(size=6)

    def loss(x):
        spectrum = f @ x
        return np.sum((np.abs(spectrum) - target) ** 2) + np.sum(np.angle(spectrum[1:3]) ** 2)

    check(loss, rng.normal(size=6))


def test_complex_beamformer():
    steering = np.exp(1j * np.outer(np.arange(4), np.linspace(0, 2, 5)))

    def loss(w):
        response = w.conj() @ steering
        power = (response * response.conj()).real
        return -np.log(power[2] / power.sum()) + np.linalg.norm(w) ** 2 + w.imag[0] * w[1].real

    check(loss, rng.normal(size=4) + 1j * rng.normal(size=4))


def test_phase_unwrapping_and_magnitude_in_decibels():
    def loss(re, im):
        z = re + 1j * im
        phase = np.unwrap(np.angle(z))
        return np.sum(np.diff(phase) ** 2) + np.sum(20 * np.log10(np.abs(z)))

    check(loss, rng.normal(size=5), rng.normal(size=5))


def test_complex_filter_with_in_place_real_and_imaginary_parts():
    def loss(x):
        z = gt.zeros(4, dtype=complex)
        z.real[...] = x
        z.imag[1:] = x[:-1] ** 2
        return np.sum(np.abs(z * np.exp(0.5j)) ** 4)

    check(loss, rng.normal(size=4))


# -- masks and missing values --------------------------------------------------------------------


def with_gaps():
    y = np.random.default_rng(3).normal(size=(4, 5))
    y[[0, 2, 3], [1, 1, 4]] = np.nan
    return y


def test_missing_data_with_nan_functions():
    y = with_gaps()

    def loss(mu):
        residual = y - mu
        return (
            np.nanmean(residual) ** 2
            + np.nansum(residual, axis=0).max() ** 2
            + np.nanvar(residual)
            + np.nanstd(residual, axis=1).sum()
            + np.nanmax(residual)
            + np.nanmedian(residual)
            + np.nanprod(residual, axis=0)[2]
            + np.nancumsum(residual)[7]
            + np.nanquantile(residual, 0.3) ** 2
        )

    check(loss, rng.normal(size=5))


def written(r, seen):
    """`r` with 0 written where nothing was seen."""
    r = r * 1.0
    r[~seen] = 0
    return r


# Computed everywhere, NaN where nothing was seen, and chosen afterwards: in every way of choosing.
CHOSEN = {
    "nanmean": lambda r, mu, seen: np.nanmean(r**2),
    "nanmean of a product": lambda r, mu, seen: np.nanmean(r * mu),
    "mask": lambda r, mu, seen: np.mean((r**2)[seen]),
    "where": lambda r, mu, seen: np.sum(np.where(seen, r**2, 0)),
    "mean(where=)": lambda r, mu, seen: np.mean(r**2, where=seen),
    "sum(where=)": lambda r, mu, seen: np.sum(np.sin(r) * mu, where=seen),
    "add.reduce(where=)": lambda r, mu, seen: np.sum(np.add.reduce(r**3, axis=1, where=seen)),
    "prod(where=)": lambda r, mu, seen: np.prod(r**2 + 1, where=seen),
    "var(where=)": lambda r, mu, seen: np.var(r**2, where=seen),
    "std(where=)": lambda r, mu, seen: np.sum(np.std(np.exp(r), axis=1, where=seen)),
    "max(where=)": lambda r, mu, seen: np.max(r**2, where=seen, initial=0),
    "nansum": lambda r, mu, seen: np.nansum(np.log1p(r**2)),
    "nanmax": lambda r, mu, seen: np.nanmax(r**2),
    "nanmin": lambda r, mu, seen: np.nanmin(np.exp(r), axis=0)[2],
    "nanmedian": lambda r, mu, seen: np.nanmedian(r**2),
    "nanvar": lambda r, mu, seen: np.nanvar(r**2, axis=1).sum(),
    "nanprod": lambda r, mu, seen: np.nanprod(r**2 + 1),
    "nan_to_num": lambda r, mu, seen: np.sum(np.nan_to_num(r**2)),
    "fmax": lambda r, mu, seen: np.sum(np.fmax(np.exp(r), 0.0)),
    "fmin": lambda r, mu, seen: np.sum(np.fmin(np.tanh(r) * mu, 5.0)),
    "fmax.reduce": lambda r, mu, seen: np.sum(np.fmax.reduce(r**2, axis=1)),
    "select": lambda r, mu, seen: np.sum(np.select([seen], [r**2], 0.0)),
    "choose": lambda r, mu, seen: np.sum(np.choose(seen.astype(int), [0.0, r * mu])),
    "extract": lambda r, mu, seen: np.sum(np.extract(seen, r**2)),
    "compress": lambda r, mu, seen: np.sum(np.compress(seen[0], (r**2)[0])),
    "take": lambda r, mu, seen: np.sum(np.take(r**2, np.flatnonzero(seen))),
    "delete": lambda r, mu, seen: np.sum(np.delete((r**2)[0], 1)),
    "slice": lambda r, mu, seen: np.sum((r**2)[0, 2:]),
    "sort": lambda r, mu, seen: np.sum(np.sort((r**2).ravel())[:7]),
    "written": lambda r, mu, seen: np.sum(written(r**2, seen)),
    "square(where=)": lambda r, mu, seen: np.sum(
        np.square(r * mu, where=seen, out=gt.zeros((4, 5)))
    ),
    "diagonal": lambda r, mu, seen: np.trace((r**2)[:3, :3]),
    "rows, prod": lambda r, mu, seen: np.sum(np.where(seen.all(0), np.prod(r, axis=0), 0)),
    "rows, var": lambda r, mu, seen: np.sum(np.var(r, axis=0)[seen.all(0)]),
    "rows, norm": lambda r, mu, seen: np.sum(np.linalg.norm(r, axis=0)[seen.all(0)]),
    "rows, cumprod": lambda r, mu, seen: np.sum(np.cumprod(r, axis=1)[[0, 2, 3], [0, 0, 3]]),
    "rows, einsum": lambda r, mu, seen: np.sum(np.einsum("ij,ij->j", r, r)[seen.all(0)]),
    "rows, einsum of all": lambda r, mu, seen: np.sum(
        np.where(seen, np.einsum("ij,j->ij", r, mu), 0)
    ),
    "rows, matmul": lambda r, mu, seen: np.sum((r @ mu)[seen.all(1)]),
    "rows, tensordot": lambda r, mu, seen: np.sum(np.tensordot(r, mu, 1)[seen.all(1)]),
    "rows, hypot": lambda r, mu, seen: np.hypot.reduce(r, axis=0)[seen.all(0)].sum(),
}


@pytest.mark.parametrize("name", CHOSEN)
def test_squares_of_missing_data(name):
    y = with_gaps()
    seen = ~np.isnan(y)
    check(lambda mu: CHOSEN[name](y - mu, mu, seen), np.random.default_rng(4).normal(size=5))


def test_rows_of_a_design_with_gaps_are_left_out_after_the_product():
    gaps, y = with_gaps(), np.random.default_rng(5).normal(size=4)
    whole = ~np.isnan(gaps).any(axis=1)
    check(lambda w: np.sum(np.where(whole, (gaps @ w - y) ** 2, 0)), rng.normal(size=5))
    for size in (6, 200):  # a large product is not looked at everywhere
        x = np.random.default_rng(6).normal(size=(size, 90))
        x[1, 3], x[2] = np.nan, np.inf
        keep = np.isfinite(x).all(axis=1)
        w = np.random.default_rng(7).normal(size=(90, 50))
        with np.errstate(all="ignore"):
            found = gt.grad(lambda w: np.sum(np.tanh(x @ w)[keep]))(w)  # noqa: B023
        np.testing.assert_allclose(found, gt.grad(lambda w: np.sum(np.tanh(x[keep] @ w)))(w))  # noqa: B023


SAFE = {
    "sqrt": lambda x: np.where(x > 0, np.sqrt(x), 0),
    "reciprocal": lambda x: np.where(x != 0, 1 / x, 0),
    "power": lambda x: np.where(x > 0, x**0.5, 0),
    "x ** x": lambda x: np.where(x > 0, np.power(x, x), 0),
    "select": lambda x: np.select([x > 0], [np.arccosh(x + 1)], 0),
    "masked": lambda x: np.sqrt(x)[x > 0],
    "log": lambda x: np.where(x > 0, np.log(x), 0),
    "entropy": lambda x: np.where(x > 0, x * np.log(x), 0),
    "entropy, masked": lambda x: (x * np.log(x))[x > 0],
    "overflow": lambda x: np.where(x < 3, np.exp(300 * x), 0),
    "square of log": lambda x: np.where(x > 0, np.log(x) ** 2, 0),
    "sin of log": lambda x: np.where(x > 0, np.sin(np.log(x)), 0),
    "exp of reciprocal": lambda x: np.where(x != 0, np.exp(1 / x), 0),
    "nan_to_num": lambda x: np.nan_to_num(x * np.log(x)),
    "sigmoid of reciprocal": lambda x: np.where(x > 0, 1 / (1 + np.exp(1 / x)), 0),
    "arctan2": lambda x: np.where(x > 0, np.arctan2(x, np.log(x)), 0),
    "clipped": lambda x: np.where(x > 0, np.clip(np.sqrt(x), 0, 1), 0),
    "compared": lambda x: np.maximum(np.where(x > 0, np.log(x), 0), -5),
    "square where": lambda x: np.sqrt(x, where=x > 0, out=np.zeros(6)[: x.size]) ** 3,
}
POISONED = {
    "hypot": lambda x: np.where(x > 0, np.hypot(x, np.log(x)), 0),
    "product": lambda x: np.where(x > 0, np.prod(np.stack([x, np.log(x)]), axis=0), 0),
    "variance": lambda x: np.where(x > 0, np.var(np.stack([x, np.log(x)]), axis=0), 0),
    "einsum": lambda x: np.where(x > 0, np.einsum("i,i->i", x, np.log(x)), 0),
    "sinc of log": lambda x: np.where(x > 0, np.sinc(np.log(x)), 0),
    "norm": lambda x: np.where(x > 0, np.linalg.norm(np.stack([x, np.log(x)]), axis=0), 0),
    "deviation": lambda x: np.where(x > 0, np.std(np.stack([x, np.log(x), x * x]), axis=0), 0),
    "running product": lambda x: np.where(x > 0, np.cumprod(np.stack([x, np.log(x)]), 0)[1], 0),
    "norm of order 3": lambda x: np.linalg.norm(np.stack([x, np.log(x)]), 3, axis=0)[x > 0],
    "bessel": lambda x: np.where(x > 0, np.i0(np.log(x)), 0),
    "modulus": lambda x: np.where(x > 0, np.abs(x + 1j * np.log(x)), 0),
    "logaddexp": lambda x: np.logaddexp.reduce(np.stack([x, np.log(x)]))[x > 0],
    "cross": lambda x: np.cross(np.stack([x, np.log(x), x]).T, np.arange(3.0))[x > 0],
    "determinant": lambda x: np.linalg.det(
        np.stack([x, np.log(x), x**2, x]).T.reshape(-1, 2, 2)
    )[x > 0],
    "inverse": lambda x: np.linalg.inv(
        np.stack([x, np.log(x), x + 9, x]).T.reshape(-1, 2, 2)
    )[x > 0],
    "solution": lambda x: np.linalg.solve(
        np.stack([x, np.log(x), x + 9, x]).T.reshape(-1, 2, 2), np.ones(2)
    )[x > 0],
    "matmul": lambda x: (np.stack([x, np.log(x)]).T @ np.array([2.0, 3.0]))[x > 0],
}


@pytest.mark.parametrize("name", [*SAFE, *POISONED])
def test_a_branch_that_is_not_taken_has_no_say(name):
    f = (SAFE | POISONED)[name]
    # Where the branch is taken: as if the other numbers were not there.
    x = np.array([0.0, 0.4, -1.0, 2.0, 0.0, 4.0])
    with np.errstate(all="ignore"):
        found = gt.grad(lambda x: np.sum(f(x)))(x)
        for i, xi in enumerate(x):
            taken = xi > 0 or name == "overflow"
            alone = gt.grad(lambda v: np.sum(f(v)))(np.array([xi])) if taken else [0.0]
            if not (name in ("reciprocal", "exp of reciprocal") and xi < 0):
                np.testing.assert_allclose(found[i], alone[0], rtol=1e-12)


@pytest.mark.parametrize("name", [*SAFE, *POISONED])
def test_nor_in_a_second_derivative(name):
    """Where the branch is taken: as if the other numbers were not there."""
    f = (SAFE | POISONED)[name]
    taken = np.array([0.4, 2.0, 2.5])
    x = np.array([0.0, *taken, -1.0])
    if name in ("reciprocal", "exp of reciprocal"):
        x[-1] = 0.0  # that branch is taken there
    weights = np.array([1.5, -0.5, 2.0])

    def along(x, weights):
        """The derivative of the gradient along `weights`."""
        return gt.grad(lambda t: np.sum(gt.grad(lambda u: np.sum(f(u)))(t) * weights))(x)

    with np.errstate(all="ignore"):
        found = along(x, np.array([0.0, *weights, 0.0]))
        np.testing.assert_allclose(found[1:4], along(taken, weights), rtol=1e-11)
        if name != "overflow":
            np.testing.assert_array_equal(found[[0, 4]], 0)


def test_boolean_masks_as_index_and_as_target():
    observed = np.array([True, False, True, True, False])

    def loss(x):
        y = x * 1.0
        y[~observed] = x[observed].mean()
        y[y > 0] *= 2
        return np.sum(y[observed] ** 2) + np.sum(np.extract(y > 0, y)) + y[~observed] @ [1, 2]

    check(loss, rng.normal(size=5))


def test_huber_loss_by_where_and_by_piecewise_selection():
    x, y = rng.normal(size=(9, 2)), 3 * rng.normal(size=9)

    def by_where(w):
        r = np.abs(y - x @ w)
        return np.where(r <= 1, 0.5 * r**2, r - 0.5).sum()

    def by_select(w):
        r = y - x @ w
        a = np.abs(r)
        return np.sum(np.select([a <= 1, a > 1], [0.5 * r * r, a - 0.5]))

    w = rng.normal(size=2)
    check(by_where, w)
    check(by_select, w)
    np.testing.assert_allclose(gt.grad(by_where)(w), gt.grad(by_select)(w), rtol=1e-12)


def test_clipped_and_normalised_parameters():
    def loss(x):
        p = np.clip(x, -0.5, 0.8)
        q = np.nan_to_num(p / np.abs(p).sum())
        return np.sum(q**3) + np.ptp(x) + np.sum(np.sign(x) * x**2) + np.sum(np.fmax(x, 0.1))

    check(loss, rng.normal(size=7))


def test_dot_products_in_all_their_spellings():
    def loss(a, b):
        return (
            np.dot(a, b).sum()
            + np.tensordot(a, b, axes=([1], [0])).sum() ** 2
            + np.inner(a, b.T).sum() ** 2
            + np.vdot(a, b.T)
            + np.kron(a, b)[1, 2]
            + np.trace(a @ b) ** 2
            + np.linalg.multi_dot([a, b, a]).sum()
            + np.linalg.matrix_power(a @ b, 3)[0, 0]
            + np.outer(a[0], b[:, 0]).sum()
            + np.cross(a[0], b[:, 0]) @ [1, 2, 3]
        )

    check(loss, rng.normal(size=(2, 3)), rng.normal(size=(3, 2)))


# -- what cannot be followed must explain itself -------------------------------------------------


def test_vectorize_explains_itself():
    @np.vectorize
    def f(v):
        return v * v if v > 0 else 0.0

    x = gt.Variable([1.0, 2.0])
    with gt.GradientTape() as tape:
        y = np.sum(f(x))
    line = r"test_numpy_code\.py:\d+: numpy\.vectorize"
    with pytest.raises(gt.errors.DTypeError, match=line + r"(.|\n)*np\.where"):
        tape.gradient(y, x)
    with gt.GradientTape(strict=True), pytest.raises(gt.errors.ExitError, match=line):
        f(x)


PLAIN = np.array([[1.0, 2.0], [3.0, 4.0]])
COMPUTED_OUTSIDE = {
    "vectorize": lambda x: np.vectorize(lambda v: v * v)(x),
    "plain.dot": lambda x: PLAIN.dot(x),
    "plain @ list": lambda x: PLAIN @ [x[0], x[1]],
    "ufunc of a list": lambda x: np.sqrt([x[0], x[1]]),
    "sum of a list": lambda x: np.sum([x[0], x[1]]),
    "mean of a list": lambda x: np.mean([x[0], x[1]]),
    "norm of a list": lambda x: np.linalg.norm([x[0], x[1]]),
    "dot of lists": lambda x: np.dot([x[0], x[1]], [x[0], x[1]]),
    "einsum of a list": lambda x: np.einsum("i->", [x[0], x[1]]),
    "random numbers around": lambda x: np.random.default_rng(0).normal(x),
    "cast and copied": lambda x: np.asarray(x, dtype=np.float32),
    "iterated by NumPy": lambda x: sum(v * v for v in np.nditer(x)),
    "fill_diagonal": lambda x: np.fill_diagonal(y := np.zeros((2, 2)), x) or y,
    "plain.sum(initial=)": lambda x: PLAIN.sum(initial=x[0]),
    "pandas": lambda x: pd.DataFrame(PLAIN) @ x,
    "scipy": lambda x: scipy.linalg.solve(PLAIN, x),
    "math": lambda x: math.sin(x[0]),
    "full": lambda x: np.full(2, x[0]),
    "r_": lambda x: np.r_[x, 1.0],
    "array": lambda x: np.array([x[0] ** 2, x[1] * 3]),
}
# what the warning says to write, and the same written so
WRITTEN_SO = {
    "vectorize": ("np.where in place of if", lambda x: x * x),
    "plain.dot": ("np.dot(array, x)", lambda x: np.dot(PLAIN, x)),
    "plain @ list": ("gt.stack([...])", lambda x: PLAIN @ gt.stack([x[0], x[1]])),
    "ufunc of a list": ("np.sqrt(gt.stack([...]))", lambda x: np.sqrt(gt.stack([x[0], x[1]]))),
    "sum of a list": ("np.sum(gt.stack([...]))", lambda x: np.sum(gt.stack([x[0], x[1]]))),
    "mean of a list": ("np.mean(gt.stack([...]))", lambda x: np.mean(gt.stack([x[0], x[1]]))),
    "norm of a list": (
        "np.linalg.norm(gt.stack([...]))",
        lambda x: np.linalg.norm(gt.stack([x[0], x[1]])),
    ),
    "dot of lists": ("np.dot(gt.stack([...]))", lambda x: np.dot(gt.stack([x[0], x[1]]), x)),
    "einsum of a list": (
        "np.einsum('...', gt.stack([...]))",
        lambda x: np.einsum("i->", gt.stack([x[0], x[1]])),
    ),
    "random numbers around": (
        "x + sigma * rng.normal(size=x.shape)",
        lambda x: x + np.random.default_rng(0).normal(size=x.shape),
    ),
    "cast and copied": ("x.astype(...)", lambda x: x.astype(np.float32)),
    "iterated by NumPy": ("iterate over the Tensor itself", lambda x: sum(v * v for v in x)),
    "fill_diagonal": (
        "y = gt.zeros(...)",
        lambda x: np.fill_diagonal(y := gt.zeros((2, 2)), x) or y,
    ),
    "plain.sum(initial=)": ("np.sum(a) + x", lambda x: np.sum(PLAIN) + x[0]),
    "pandas": ("table.to_numpy()", lambda x: pd.DataFrame(PLAIN).to_numpy() @ x),
    "scipy": ("np.linalg.solve(...)", lambda x: np.linalg.solve(PLAIN, x)),
    "math": ("np.sin(x) in place of math.sin(x)", lambda x: np.sin(x[0])),
    "full": ("gt.full(...)", lambda x: gt.full(2, x[0])),
    "r_": ("gt.concatenate([...])", lambda x: gt.concatenate([x, [1.0]])),
    "array": ("gt.array(...)", lambda x: gt.array([x[0] ** 2, x[1] * 3])),
}


@pytest.mark.parametrize("name", COMPUTED_OUTSIDE)
def test_a_factor_computed_outside_is_told(name):
    """As with `math.sin(x)`: what a function computes from a value that left may come back."""
    remedy, written_so = WRITTEN_SO[name]
    x = gt.Variable([0.5, 1.25])
    with gt.GradientTape() as tape:
        loss = np.sum(x[0] * COMPUTED_OUTSIDE[name](x))
    line = COMPUTED_OUTSIDE[name].__code__.co_firstlineno
    with pytest.warns(gt.errors.ExitWarning, match="only a part of the whole") as caught:
        part = tape.gradient(loss, x)
    (told,) = (str(warning.message) for warning in caught)
    assert f"At test_numpy_code.py:{line}: " in told
    assert remedy in told
    constant = np.asarray(COMPUTED_OUTSIDE[name](gt.array([0.5, 1.25])))
    close(part, [np.sum(constant), 0.0], rtol=1e-6)  # that of what the tape saw
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with gt.GradientTape() as tape:
            again = np.sum(x[0] * written_so(x))
        whole = tape.gradient(again, x)
    close(again, loss, rtol=1e-6)
    if name != "cast and copied":  # float32 has too few digits for a difference
        close(whole, slope(lambda v: np.sum(v[0] * written_so(v)), (np.array([0.5, 1.25]),), 0))
    assert np.max(np.abs(whole - part)) > 0.1


def test_frompyfunc_beside_another_path_is_explained():
    x = gt.Variable([0.5, 1.25])
    with gt.GradientTape() as tape:
        loss = np.sum(x * np.frompyfunc(lambda v: v * v, 1, 1)(x))
    with pytest.raises(
        (gt.errors.GradtapeError, gt.errors.GradientWarning), match="frompyfunc|pyfunc"
    ):
        tape.gradient(loss, x)


def test_numbers_put_together_with_np_array_are_explained_and_with_gt_array_followed():
    theta = gt.Variable(0.3)
    with gt.GradientTape(persistent=True) as tape:
        rotation = np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])
        y = np.sum(rotation @ np.array([1.0, 2.0]))
        z = np.sum(rotation * theta)
    with pytest.raises(gt.errors.DTypeError, match=r"numpy\.array took(.|\n)*gt\.array"):
        tape.gradient(y, theta)
    with pytest.warns(gt.errors.GradientWarning, match=r"gt\.array"):
        close(tape.gradient(z, theta), 2 * np.cos(0.3))
    with gt.GradientTape(strict=True), pytest.raises(gt.errors.ExitError, match=r"gt\.array"):
        np.array([np.cos(theta), np.sin(theta)])
    with gt.GradientTape() as tape:
        rotation = gt.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])
        y = np.sum(rotation @ np.array([1.0, 2.0]))
    close(tape.gradient(y, theta), -3 * np.sin(0.3) - np.cos(0.3))


def test_filling_a_plain_array_element_by_element_is_explained():
    x = gt.Variable([1.0, 2.0, 3.0])
    with gt.GradientTape() as tape:
        y = np.zeros(3)
        for i in range(3):
            y[i] = x[i] ** 2
        loss = np.sum(x) + np.sum(y * x)
    with pytest.warns(gt.errors.GradientWarning, match=r"zeros_like|gt\.zeros"):
        close(tape.gradient(loss, x), 1 + np.array([1.0, 4.0, 9.0]))


def test_the_same_filling_with_a_tensor_is_followed():
    x = gt.Variable([1.0, 2.0, 3.0])
    with gt.GradientTape() as tape:
        y = np.zeros_like(x)
        for i in range(3):
            y[i] = x[i] ** 2
        loss = np.sum(x) + np.sum(y * x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        close(tape.gradient(loss, x), 1 + 3 * np.array([1.0, 4.0, 9.0]))
