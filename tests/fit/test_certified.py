"""Results against certified values, and against statsmodels on real tables that ship with it."""

import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.datasets import load_breast_cancer, load_diabetes

from gradtape.fit.design import build_design
from gradtape.fit.options import Options
from gradtape.fit.problem import pose
from gradtape.fit.sources import table_of
from tests.fit.helpers import asked, run

pytestmark = pytest.mark.slow  # as a file


def digits(found, certified):
    """The number of leading digits that agree: NIST's log relative error."""
    found, certified = np.asarray(found), np.asarray(certified)
    with np.errstate(divide="ignore"):
        return -np.log10(np.abs(found - certified) / np.abs(certified))


# ------------------------------------------------------------------ NIST: Longley

# Statistical Reference Datasets, "Longley": certified by NIST with multiple precision arithmetic.
# https://www.itl.nist.gov/div898/strd/lls/data/Longley.shtml
LONGLEY = "TOTEMP ~ GNPDEFL + GNP + UNEMP + ARMED + POP + YEAR"
COEFFICIENTS = [
    -3482258.63459582, 15.0618722713733, -0.358191792925910e-01, -2.02022980381683,
    -1.03322686717359, -0.511041056535807e-01, 1829.15146461355,
]  # fmt: skip
ERRORS = [
    890420.383607373, 84.9149257747669, 0.334910077722432e-01, 0.488399681651699,
    0.214274163161675, 0.226073200069370, 455.478499142212,
]  # fmt: skip
R_SQUARED = 0.995479004577296


def longley():
    return sm.datasets.longley.load_pandas().data


@pytest.mark.parametrize("standardize", [True, False])
def test_longley_by_the_closed_form(standardize):
    problem = pose(build_design(table_of(longley()), LONGLEY), standardize=standardize)
    assert digits(problem.closed_form, COEFFICIENTS).min() > 12


@pytest.mark.parametrize("optimizer", ["lbfgs", "newton", "lm"])
def test_longley_by_descent(optimizer):
    result = asked(longley(), LONGLEY, optimizer=optimizer)
    assert digits(result.final, COEFFICIENTS).min() > 8
    assert digits(result.uncertainty.errors, ERRORS).min() > 10
    assert digits(result.score.r2, R_SQUARED) > 12
    assert result.verdict.convergence.converged


@pytest.mark.slow
def test_longley_by_plain_gradient_descent():
    problem = pose(build_design(table_of(longley()), LONGLEY), standardize=True)
    rate = 0.95 * 2 / problem.largest_eigenvalue
    result = run(problem, learning_rate=rate, epochs=140_000, tolerance=1e-12)
    assert digits(result.final, COEFFICIENTS).min() > 6


def test_longley_in_few_epochs_is_not_called_converged():
    result = asked(longley(), LONGLEY, epochs=2000)
    assert not result.verdict.convergence.converged
    assert result.verdict.convergence.epochs_to_go > 10_000


# ------------------------------------------------------------------ logistic and Poisson


def spector():
    data = sm.datasets.spector.load_pandas().data
    return data, "GRADE", ["GPA", "TUCE", "PSI"]


def affairs():
    data = sm.datasets.fair.load_pandas().data
    data["affair"] = (data["affairs"] > 0).astype(float)
    names = [name for name in data.columns if name not in ("affairs", "affair")]
    return data, "affair", names


def cancer():
    frame = load_breast_cancer(as_frame=True).frame
    frame.columns = [name.replace(" ", "_") for name in frame.columns]
    # All thirty columns together tell the classes apart; these do not.
    return frame, "target", ["mean_radius", "mean_texture", "mean_smoothness", "mean_symmetry"]


def visits():
    data = sm.datasets.randhie.load_pandas().data
    return data, "mdvis", [name for name in data.columns if name != "mdvis"]


def any_visit():
    data, _, names = visits()
    return data.assign(any=(data["mdvis"] > 0).astype(float)), "any", names


def counted_affairs():
    data, _, names = affairs()
    return data.assign(count=np.ceil(data["affairs"])), "count", names


CASES = [
    (spector, "logistic", sm.families.Binomial()),
    (affairs, "logistic", sm.families.Binomial()),
    (cancer, "logistic", sm.families.Binomial()),
    (any_visit, "logistic", sm.families.Binomial()),
    (visits, "poisson", sm.families.Poisson()),
    (counted_affairs, "poisson", sm.families.Poisson()),
]


@pytest.mark.parametrize("optimizer", [None, "lbfgs"])
@pytest.mark.parametrize(
    ("load", "loss", "family"), CASES, ids=lambda x: getattr(x, "__name__", "")
)
def test_generalised_linear_models_agree_with_statsmodels(load, loss, family, optimizer):
    data, label, names = load()
    result = asked(data, f"{label} ~ {' + '.join(names)}", loss=loss, optimizer=optimizer)
    model = sm.GLM(data[label], sm.add_constant(data[names]), family=family)
    truth = model.fit(tol=1e-14, maxiter=200)
    assert digits(result.final, truth.params).min() > 8
    assert digits(result.uncertainty.errors, truth.bse).min() > 8
    low_high = result.uncertainty.intervals(result.final)
    np.testing.assert_allclose(low_high, truth.conf_int(), rtol=1e-7)
    assert digits(result.score.deviance, truth.deviance) > 9
    assert digits(result.score.null_deviance, truth.null_deviance) > 9
    assert result.verdict.convergence.converged


@pytest.mark.parametrize("optimizer", ["newton", "lbfgs"])
def test_rounding_ends_no_fit_too_early(optimizer):
    # Costs that are added up in another order differ in their last digits.
    data, label, names = any_visit()
    truth = sm.GLM(data[label], sm.add_constant(data[names]), family=sm.families.Binomial())
    truth = truth.fit(tol=1e-14, maxiter=200)
    for seed in range(5):
        shuffled = data.sample(frac=1, random_state=seed)
        formula = f"{label} ~ {' + '.join(names)}"
        result = asked(shuffled, formula, loss="logistic", optimizer=optimizer)
        assert digits(result.final, truth.params).min() > 9


def test_gradient_descent_gets_there_too():
    data, label, names = visits()
    result = asked(data, f"{label} ~ {' + '.join(names)}", loss="poisson", optimizer="gd")
    truth = sm.Poisson(data[label], sm.add_constant(data[names])).fit(disp=0, method="newton")
    assert digits(result.final, truth.params).min() > 6
    assert result.verdict.convergence.converged


@pytest.mark.parametrize(
    ("load", "loss", "family"), [CASES[0], CASES[4]], ids=["logistic", "poisson"]
)
def test_weighted_rows_are_repeated_rows(load, loss, family):
    data, label, names = load()
    data = data.iloc[:: max(1, len(data) // 1500)]
    data = data.assign(w=np.arange(len(data)) % 4)
    result = asked(data, f"{label} ~ {' + '.join(names)}", loss=loss, weights="w")
    repeated = data.loc[data.index.repeat(data["w"])]
    truth = sm.GLM(repeated[label], sm.add_constant(repeated[names]), family=family)
    truth = truth.fit(tol=1e-14)
    assert digits(result.final, truth.params).min() > 8
    assert digits(result.uncertainty.errors, truth.bse).min() > 8


# ------------------------------------------------------------------ regressions


def engel():
    return sm.datasets.engel.load_pandas().data, "foodexp", ["income"]


def stackloss():
    names = ["AIRFLOW", "WATERTEMP", "ACIDCONC"]
    return sm.datasets.stackloss.load_pandas().data, "STACKLOSS", names


def diabetes():
    frame = load_diabetes(as_frame=True, scaled=False).frame
    return frame, "target", [name for name in frame.columns if name != "target"]


def longley_columns():
    data = longley()
    return data, "TOTEMP", [name for name in data.columns if name != "TOTEMP"]


REGRESSIONS = [engel, stackloss, diabetes, longley_columns]


@pytest.mark.parametrize("load", REGRESSIONS, ids=lambda load: load.__name__)
def test_least_squares_agree_with_statsmodels(load):
    data, label, names = load()
    result = asked(data, f"{label} ~ {' + '.join(names)}", optimizer="lbfgs")
    truth = sm.OLS(data[label], sm.add_constant(data[names])).fit()
    # Of Longley's data statsmodels itself has no more digits: its matrix is not centred.
    enough = 6 if load is longley_columns else 8
    assert digits(result.final, truth.params).min() > enough
    assert digits(result.uncertainty.errors, truth.bse).min() > enough
    np.testing.assert_allclose(
        result.uncertainty.intervals(result.final), truth.conf_int(), rtol=10.0**-enough
    )
    assert digits(result.score.r2, truth.rsquared) > 8


@pytest.mark.parametrize("load", [engel, diabetes], ids=lambda load: load.__name__)
def test_weighted_least_squares_agree_with_statsmodels(load):
    data, label, names = load()
    weights = np.random.default_rng(0).uniform(0.2, 3, len(data))
    result = asked(
        data.assign(w=weights), f"{label} ~ {' + '.join(names)}", weights="w", optimizer="lbfgs"
    )
    truth = sm.WLS(data[label], sm.add_constant(data[names]), weights=weights).fit()
    assert digits(result.final, truth.params).min() > 8
    assert digits(result.problem.closed_form, truth.params).min() > 9
    assert digits(result.uncertainty.errors, truth.bse).min() > 8
    assert digits(result.score.r2, truth.rsquared) > 8


def test_without_an_intercept_r2_is_about_zero():
    data, label, names = stackloss()
    result = asked(data, f"{label} ~ 0 + {' + '.join(names)}", optimizer="newton")
    truth = sm.OLS(data[label], data[names]).fit()
    assert digits(result.final, truth.params).min() > 8
    assert digits(result.score.r2, truth.rsquared) > 8
    assert result.score.is_about_zero


@pytest.mark.parametrize("load", [engel, stackloss, diabetes], ids=lambda load: load.__name__)
def test_absolute_errors_agree_with_the_median_regression(load):
    data, label, names = load()
    result = asked(data, f"{label} ~ {' + '.join(names)}", loss="mae")
    truth = sm.QuantReg(data[label], sm.add_constant(data[names])).fit(
        q=0.5, p_tol=1e-10, max_iter=20_000
    )
    theirs = np.abs(truth.resid).mean()
    assert result.costs[-1] <= theirs * (1 + 1e-12)
    np.testing.assert_allclose(result.final, result.reference.coefficients, rtol=1e-6)
    np.testing.assert_allclose(result.final, truth.params, rtol=2e-3)
    assert result.verdict.convergence.converged


@pytest.mark.parametrize("load", [engel, stackloss, diabetes], ids=lambda load: load.__name__)
def test_huber_agrees_with_statsmodels(load):
    data, label, names = load()
    result = asked(data, f"{label} ~ {' + '.join(names)}", loss="huber")
    truth = sm.RLM(data[label], sm.add_constant(data[names]), M=sm.robust.norms.HuberT())
    # With the scale of the residuals of least squares, which is how our bend is found.
    truth = truth.fit(update_scale=False, tol=1e-13, maxiter=2000)
    assert result.problem.loss.argument == pytest.approx(1.345 * truth.scale, rel=1e-9)
    assert digits(result.final, truth.params).min() > 6
    assert result.verdict.convergence.converged


def test_robust_errors_are_those_of_repeated_samples():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 150)
    found, said = [], []
    for _ in range(150):
        y = 1 + 2 * x + rng.standard_t(2.5, 150)
        result = asked({"x": x, "y": y}, "y ~ x", loss="huber:1.0")
        found.append(result.final)
        said.append(result.uncertainty.errors)
    np.testing.assert_allclose(np.mean(said, axis=0), np.std(found, axis=0), rtol=0.2)


def test_a_likelihood_of_one_s_own_is_least_squares():
    data, label, names = diabetes()
    formula = f"{label} ~ {' + '.join(names)}"
    result = asked(data, formula, loss="nll:normal")
    truth = sm.OLS(data[label], sm.add_constant(data[names])).fit()
    n, p = len(data), len(names) + 1
    assert digits(result.final[:-1], truth.params).min() > 7
    sigma = np.sqrt(np.mean(truth.resid**2))
    assert np.exp(result.final[-1]) == pytest.approx(sigma, rel=1e-9)
    # The variance is divided by n, not by n - p.
    expected = truth.bse * np.sqrt((n - p) / n)
    assert digits(result.uncertainty.errors[:-1], expected).min() > 7
    assert result.uncertainty.errors[-1] == pytest.approx(1 / np.sqrt(2 * n), rel=1e-8)
    assert result.score.log_likelihood == pytest.approx(truth.llf, rel=1e-10)


def test_a_likelihood_typed_out():
    rng = np.random.default_rng(3)
    x = rng.uniform(0, 1, 400)
    y = 1 + 2 * x + 0.5 * rng.standard_t(4, 400)
    loss = "nll:log(s) + 2.5 * log(1 + ((y - mu)/s)**2 / 4)"
    result = asked({"x": x, "y": y}, "y ~ x", loss=loss, init="s=1")
    assert result.problem.names == ("Intercept", "x", "s")
    np.testing.assert_allclose(result.final, [1, 2, 0.5], atol=0.15)
    from scipy.optimize import minimize

    def cost(t):
        return np.mean(np.log(t[2]) + 2.5 * np.log1p(((y - t[0] - t[1] * x) / t[2]) ** 2 / 4))

    best = minimize(cost, result.final + 0.05, method="BFGS", options={"gtol": 1e-9})
    np.testing.assert_allclose(result.final, best.x, rtol=1e-5)
    assert Options("d", loss=loss).loss == loss


# ------------------------------------------------------------------ nonlinear

MISRA1A = {
    "y": [10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05,
          61.01, 66.40, 75.47, 81.78],
    "x": [77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3,
          536.8, 593.1, 689.1, 760.0],
}  # fmt: skip


@pytest.mark.parametrize("start", ["b1=500,b2=0.0001", "b1=250,b2=0.0005"])
@pytest.mark.parametrize("optimizer", ["lm", "newton", "lbfgs"])
def test_misra1a(start, optimizer):
    # NIST, Statistical Reference Datasets, nonlinear regression, "Misra1a".
    model = "b1*(1-exp(-b2*x))"
    result = asked(MISRA1A, model=model, init=start, optimizer=optimizer)
    assert digits(result.final, [2.3894212918e02, 5.5015643181e-04]).min() > 8
    assert digits(result.uncertainty.errors, [2.7070075241e00, 7.2668688436e-06]).min() > 6
    assert result.verdict.convergence.converged
