"""The estimators: scikit-learn's own checks, and its results."""

import pickle

import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import gradtape as gt
from gradtape.fit import TapeClassifier, TapeRegressor
from gradtape.fit.problems import FitError
from gradtape.fit.softmax import Softmax

pytestmark = pytest.mark.slow  # as a file

X, Y = load_diabetes(return_X_y=True)


# Some checks use classes that a line tells apart: of that the classifier warns.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(
    [
        TapeRegressor(),
        TapeRegressor(fit_intercept=False, standardize=False),
        TapeRegressor(loss="huber"),
        TapeClassifier(),
    ]
)
def test_scikit_learn_s_checks(estimator, check):
    check(estimator)


def test_they_are_public():
    assert gt.fit.TapeRegressor is TapeRegressor
    assert gt.fit.TapeClassifier is TapeClassifier


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("optimizer", ["lbfgs", "newton", "lm"])
def test_regression_is_scikit_learn_s(optimizer, intercept):
    ours = TapeRegressor(optimizer=optimizer, fit_intercept=intercept).fit(X, Y)
    theirs = LinearRegression(fit_intercept=intercept).fit(X, Y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-7)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-9)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-9, atol=1e-8)
    assert ours.score(X, Y) == pytest.approx(theirs.score(X, Y))


def test_weights():
    weights = np.random.default_rng(0).integers(0, 4, len(Y))
    ours = TapeRegressor().fit(X, Y, sample_weight=weights)
    theirs = LinearRegression().fit(X, Y, sample_weight=weights)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-7)
    for bad in ([1.0], -np.ones(len(Y)), np.full(len(Y), np.nan), np.zeros(len(Y))):
        with pytest.raises(ValueError, match="sample_weight of shape .* does not weigh 442 rows"):
            TapeRegressor().fit(X, Y, sample_weight=bad)


def test_standard_errors_are_those_of_regress():
    ours = TapeRegressor().fit(X, Y)
    names = [f"x{j}" for j in range(10)]
    fit = gt.fit.regress(
        {"y": Y, **dict(zip(names, X.T, strict=True))},
        f"y ~ {' + '.join(names)}",
        optimizer="lbfgs",
    )
    np.testing.assert_allclose(ours.standard_errors_, list(fit.standard_errors.values()))
    assert ours.cost_ == pytest.approx(fit.cost)
    assert TapeRegressor(loss="mae").fit(X, Y).standard_errors_ is None


def test_poisson_is_scikit_learn_s():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(500, 3))
    counts = rng.poisson(np.exp(0.5 + A @ [0.3, -0.2, 0.1]))
    ours = TapeRegressor(loss="poisson", optimizer="newton").fit(A, counts)
    theirs = PoissonRegressor(alpha=0, tol=1e-10, max_iter=1000).fit(A, counts)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-5)
    np.testing.assert_allclose(ours.predict(A), theirs.predict(A), rtol=1e-5)


def unpenalised():
    return LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000)


@pytest.mark.parametrize("optimizer", ["lbfgs", "newton"])
def test_two_classes_are_scikit_learn_s(optimizer):
    A, b = load_breast_cancer(return_X_y=True)
    A = StandardScaler().fit_transform(A[:, [0, 1, 4, 8]])
    names = np.array(["benign", "malignant"])[b]
    ours = TapeClassifier(optimizer=optimizer).fit(A, names)
    theirs = unpenalised().fit(A, names)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-4)
    np.testing.assert_allclose(ours.predict_proba(A), theirs.predict_proba(A), atol=1e-5)
    np.testing.assert_array_equal(ours.predict(A), theirs.predict(A))
    np.testing.assert_allclose(ours.decision_function(A), theirs.decision_function(A), atol=1e-3)
    np.testing.assert_allclose(np.exp(ours.predict_log_proba(A)), ours.predict_proba(A))


@pytest.mark.parametrize("optimizer", ["lbfgs", "newton"])
def test_three_classes_are_scikit_learn_s(optimizer):
    A, b = load_iris(return_X_y=True)
    A = A[:, :2]  # of which no line tells the classes apart
    rng = np.random.default_rng(0)
    b = np.where(rng.random(150) < 0.1, rng.integers(0, 3, 150), b)
    weights = rng.uniform(0.5, 2, 150)
    ours = TapeClassifier(optimizer=optimizer).fit(A, b, sample_weight=weights)
    theirs = unpenalised().fit(A, b, sample_weight=weights)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(ours.predict_proba(A), theirs.predict_proba(A), atol=1e-5)
    np.testing.assert_allclose(ours.coef_.sum(axis=0), 0, atol=1e-12)


@pytest.mark.parametrize("optimizer", ["gd", "momentum", "adam"])
def test_first_order_optimizers_get_near(optimizer):
    A, b = load_iris(return_X_y=True)
    best = TapeClassifier().fit(A[50:, :2], b[50:])
    rate = 0.05 if optimizer == "adam" else None
    ours = TapeClassifier(optimizer=optimizer, learning_rate=rate, epochs=2000)
    ours.fit(A[50:, :2], b[50:])
    assert ours.cost_ == pytest.approx(best.cost_, rel=1e-6)


def test_classes_that_are_told_apart_are_warned_of():
    A, b = load_iris(return_X_y=True)
    with pytest.warns(ConvergenceWarning, match="tell the classes apart without an error"):
        TapeClassifier().fit(A[:100], b[:100])


def test_too_few_epochs_are_warned_of():
    data = sm.datasets.longley.load_pandas().data
    said = r"has not vanished after 20,000 epochs.\n.*\n.*lbfgs"
    with pytest.warns(ConvergenceWarning, match=said):
        TapeRegressor(optimizer="gd").fit(data.drop(columns="TOTEMP"), data["TOTEMP"])


@pytest.mark.parametrize(
    ("make", "labels", "match"),
    [
        (lambda: TapeRegressor(loss="logistic"), Y, "Use gt.fit.TapeClassifier"),
        (lambda: TapeRegressor(loss="msee"), Y, "Did you mean mse"),
        (lambda: TapeRegressor(optimizer="sgd"), Y, "Did you mean gd"),
        (lambda: TapeRegressor(loss="poisson"), -Y, "does not suit loss='poisson'"),
        (lambda: TapeClassifier(optimizer="lm"), Y > 100, "does not take optimizer='lm'"),
        (lambda: TapeClassifier(), np.ones(len(Y), int), "only one class: "),
    ],
)
def test_what_does_not_suit(make, labels, match):
    with pytest.raises(FitError, match=match):
        make().fit(X, labels)


def test_the_softmax_has_the_derivatives_of_its_cost():
    rng = np.random.default_rng(0)
    labels = np.eye(4, dtype=bool)[rng.integers(0, 4, 30)]
    made = Softmax(rng.normal(size=(30, 3)), labels, rng.dirichlet(np.ones(30)))
    u = rng.normal(size=9)
    steps = np.eye(9) * 1e-6
    cost, gradient = made.cost_and_gradient(u)
    scores = made.scores(u)
    plain = np.log(np.exp(scores).sum(axis=1)) - scores[labels]
    assert cost == pytest.approx(float(made.weights @ plain))
    up, down = ([made.cost_and_gradient(u + sign * step) for step in steps] for sign in (1, -1))
    slopes = [(a[0] - b[0]) / 2e-6 for a, b in zip(up, down, strict=True)]
    bends = [(a[1] - b[1]) / 2e-6 for a, b in zip(up, down, strict=True)]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(made.hessian(u), bends, rtol=1e-5, atol=1e-8)


def test_inside_scikit_learn():
    search = GridSearchCV(
        make_pipeline(StandardScaler(), TapeRegressor()),
        {"taperegressor__loss": ["mse", "huber", "mae"]},
        cv=3,
    ).fit(X, Y)
    assert search.best_score_ > 0.4
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(again.predict(X), search.predict(X))
