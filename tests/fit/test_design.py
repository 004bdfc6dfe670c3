"""Formula and table to numbers; everything that can be wrong with either, by its message."""

import numpy as np
import pandas as pd
import pytest

from gradtape.fit.design import Choice, build_design
from gradtape.fit.formula import weighted_sum
from gradtape.fit.losses import LOSSES
from gradtape.fit.problems import FitError
from gradtape.fit.sources import read_table, table_of

TABLE = """\
y,x,z,kind,model year,code,flag,one
1,1,2,a,70,1,True,1
2.5,2,3,b,71,2,False,1
3,4,7,a,72,1,True,1
5,5,,c,73,2,True,1
6,7,1,b,74,3,False,1
7.5,8,4,c,75,3,True,1
"""


@pytest.fixture
def table(tmp_path):
    def table(text=TABLE):
        path = tmp_path / "t.csv"
        path.write_text(text, encoding="utf-8")
        return read_table(path)

    return table


# ------------------------------------------------------------------ what comes out


def test_a_line(table):
    design = build_design(table(), "y ~ x")
    assert design.names == ("Intercept", "x")
    assert design.response == "y"
    assert design.curve_variable == "x"
    assert design.missing == {}
    x = [1, 2, 4, 5, 7, 8]
    np.testing.assert_array_equal(design.X, np.column_stack([np.ones(6), x]))
    np.testing.assert_array_equal(design.y, [1, 2.5, 3, 5, 6, 7.5])


def test_functions_powers_and_names_with_spaces(table):
    design = build_design(table(), "np.log(y) ~ I(x**2) + np.sqrt(`model year`)")
    x, year = np.array([1, 2, 4, 5, 7, 8]), np.arange(70, 76)
    np.testing.assert_array_equal(design.y, np.log([1, 2.5, 3, 5, 6, 7.5]))
    np.testing.assert_array_equal(design.X[:, 1:], np.column_stack([x**2, np.sqrt(year)]))
    assert design.variables == ("x", "model year")
    assert design.curve_variable is None


def test_missing_values_are_dropped_and_counted(table):
    design = build_design(table(), "y ~ x + z")
    assert design.missing == {"z": 1}
    assert design.rows_read == 6
    assert len(design.y) == 5
    assert 5.0 not in design.y
    # A value that is missing in a column that the formula does not use costs no row.
    assert build_design(table(), "y ~ x").missing == {}


def test_text_is_a_category_and_numbers_can_be_one(table):
    design = build_design(table(), "y ~ kind")
    assert design.names == ("Intercept", "kind[T.b]", "kind[T.c]")
    np.testing.assert_array_equal(design.X[:, 1], [0, 1, 0, 0, 1, 0])
    assert design.curve_variable is None
    design = build_design(table(), "y ~ C(code)")
    assert design.names == ("Intercept", "C(code)[T.2]", "C(code)[T.3]")
    assert design.curve_variable is None


def test_no_intercept(table):
    design = build_design(table(), "y ~ x - 1")
    assert design.names == ("x",)
    assert design.intercept is None


def test_all_other_columns_by_a_dot(table):
    text = "y,x,z\n1,1,2\n2,2,5\n4,3,3\n3,5,8\n"
    assert build_design(table(text), "y ~ .").names == ("Intercept", "x", "z")


# ------------------------------------------------------------------ bad columns and values


def test_unknown_column_names_the_nearest(table):
    with pytest.raises(FitError, match=r"no column 'kin'.\nIts columns are: y, x.*\n.*mean kind\?"):
        build_design(table(), "y ~ kin")
    with pytest.raises(FitError, match=r"no column 'Y'.\n.*\nDid you mean y\?"):
        build_design(table(), "Y ~ x")
    with pytest.raises(
        FitError, match=r"no column 'model'.\n.*\nDid you mean model year or code\?"
    ):
        build_design(table(), "y ~ np.log(model)")
    with pytest.raises(FitError, match=r"no column 'q'.\n.*\nUse one of these names"):
        build_design(table(), "y ~ x + poly(q, 2)")


def test_cells_separated_by_something_else(table):
    with pytest.raises(FitError, match="save it with commas"):
        build_design(table("x;y\n1;2\n2;3\n"), "y ~ x")


@pytest.mark.parametrize(
    ("formula", "match"),
    [
        ("y ~ x", r"'x' must be numeric, but row 4 \(line 5 of t.csv\) has 'five'.\n.*leave the"),
        ("x ~ y", r"'x' must be numeric, but row 4 \(line 5 of t.csv\) has 'five'"),
        ("y ~ np.log(x)", r"'x' must be numeric, but row 4 \(line 5 of t.csv\) has 'five'"),
        ("kind ~ x", r"'kind' must be numeric, but row 1 \(line 2 of t.csv\) has 'a', and 5 more"),
        ("y ~ np.log(kind)", r"'kind' must be numeric.*\n.*C\(kind\) on the right"),
    ],
)
def test_text_in_a_numeric_column(table, formula, match):
    with pytest.raises(FitError, match=match):
        build_design(table(TABLE.replace("5,5,,", "5,five,,")), formula)


def test_too_few_rows(table):
    with pytest.raises(FitError, match="too few rows: 1 complete ones for 2 coef.* at least 3"):
        build_design(table("y,x\n1,2\n"), "y ~ x")
    with pytest.raises(FitError, match="too few rows: 2 complete ones"):
        build_design(table("y,x\n1,2\n2,3\n"), "y ~ x")
    with pytest.raises(FitError, match="3 complete ones for 3 coefficients.*at least 4"):
        build_design(table("y,x,z\n1,2,2\n2,3,1\n5,1,1\n"), "y ~ x + z")
    with pytest.raises(FitError, match=r"0 complete ones.*\nOf 2 rows, values are missing: x in 2"):
        build_design(table("y,x\n1,\n2,\n"), "y ~ x")
    with pytest.raises(FitError, match="3 complete ones for 3 coefficients.*\n.*of dates, makes"):
        build_design(table("y,x\n1,2020-01-01\n2,2020-01-02\n4,2020-01-03\n"), "y ~ x")
    assert len(build_design(table("y\n1\n2\n"), "y ~ 1").y) == 2


def test_constant_columns(table):
    with pytest.raises(FitError, match="Column one is constant: it is 1 in every row"):
        build_design(table(), "y ~ x + one")
    with pytest.raises(FitError, match="The response one is constant: it is 1 in every row"):
        build_design(table(), "one ~ x")
    with pytest.raises(FitError, match=r"Column I\(x \* 0\) is constant: it is 0"):
        build_design(table(), "y ~ 0 + x + I(x*0)")
    # Without an intercept a constant column takes its place.
    assert build_design(table(), "y ~ 0 + one + x").names == ("one", "x")


def test_constant_after_rows_are_dropped(table):
    text = "y,x,z\n1,1,\n2,3,4\n3,3,5\n5,3,7\n6,3,9\n"
    with pytest.raises(FitError, match="Column x is constant: it is 3"):
        build_design(table(text), "y ~ x + z")


@pytest.mark.parametrize(
    ("formula", "match"),
    [
        ("y ~ x + I(2*x)", r"Columns I\(2 \* x\) and x are collinear.\nIn every row .* = 2 \* x,"),
        ("y ~ x + I(3 - x/4)", r"I\(3 - x / 4\) = 3 - 0.25 \* x,"),
        (
            "y ~ x + `model year` + I(x - 2*`model year`)",
            r"and x and model year are collinear.\n.* = 1 \* x - 2 \* model year,",
        ),
    ],
)
def test_collinear_columns(table, formula, match):
    with pytest.raises(FitError, match=match):
        build_design(table(), formula)


def test_nearly_collinear_is_not_collinear(table):
    assert len(build_design(table(), "y ~ x + I(x + 1e-4*np.cos(x))").names) == 3


@pytest.mark.parametrize(
    "values", [("1e-9", "2e-9", "4e-9", "5e-9"), ("1e12", "2e12", "3e12", "9e12")]
)
def test_scale_alone_is_neither_constant_nor_collinear(table, values):
    rows = "\n".join(f"{y},{x},{y * y}" for y, x in enumerate(values))
    assert len(build_design(table(f"y,x,z\n{rows}\n"), "y ~ x + z").names) == 3


def test_not_finite(table):
    text = "y,x\n1,1\n2,0\n3,4\n4,5\n"
    with pytest.raises(FitError, match=r"np.log\(x\) is -inf in row 2 \(line 3 of t.csv\)"):
        build_design(table(text), "y ~ np.log(x)")
    with pytest.raises(FitError, match=r"np.log\(x\) is -inf in row 2"):
        build_design(table(text), "np.log(x) ~ y")
    with pytest.raises(FitError, match=r"y is inf in row 1"):
        build_design(table("y,x\ninf,1\n2,0\n3,4\n4,5\n"), "y ~ x")


def test_a_column_of_dates(tmp_path):
    frame = pd.DataFrame({"y": [1.0, 2, 4], "day": pd.date_range("2020-01-01", periods=3)})
    with pytest.raises(FitError, match=r"'day' holds dates, not numbers.\n.*\n.*days since"):
        build_design(table_of(frame), "y ~ day")


def test_texts_may_be_compared(table):
    design = build_design(table(), "y ~ I(kind == 'b') + x")
    np.testing.assert_array_equal(design.X[:, 1], [0, 1, 0, 0, 1, 0])


def test_a_column_that_is_called_as_a_function_is(table):
    text = "y,log,C\n1,1,3\n2,2,1\n3,4,4\n4,5,1\n"
    design = build_design(table(text), "y ~ log + I(C*2)")
    np.testing.assert_array_equal(design.X[:, 1:], [[1, 6], [2, 2], [4, 8], [5, 2]])


# ------------------------------------------------------------------ weights and tests


def test_weights(table):
    design = build_design(table(), "y ~ x", Choice(weights="z"))
    np.testing.assert_array_equal(design.block.weights, [2, 3, 7, 1, 4])
    assert design.missing == {"z": 1}
    text = TABLE.replace("6,7,1,", "6,7,0,")
    design = build_design(table(text), "y ~ x", Choice(weights="z"))
    np.testing.assert_array_equal(design.block.weights, [2, 3, 7, 4])
    assert (design.weightless, design.n) == (1, 4)


@pytest.mark.parametrize(
    ("text", "weights", "match"),
    [
        (TABLE, "zz", r"has no column 'zz'.\n.*\nDid you mean z\?"),
        (TABLE, "kind", "'kind' must be numeric"),
        (TABLE.replace("3,4,7", "3,4,-7"), "z", r"weight in column 'z' is -7 in row 3 \(line 4"),
    ],
)
def test_bad_weights(table, text, weights, match):
    with pytest.raises(FitError, match=match):
        build_design(table(text), "y ~ x", Choice(weights=weights))


def test_rows_are_kept_for_the_test(tmp_path):
    x = np.arange(400.0)
    data = table_of({"x": x, "y": np.sin(x)})
    design = build_design(data, "y ~ x", Choice(test_fraction=0.25, seed=3))
    (test,) = design.test.blocks()
    assert (design.n, len(test)) == (300, 100)
    np.testing.assert_array_equal(np.sort(np.concatenate([design.X[:, 1], test.X[:, 1]])), x)
    again = build_design(data, "y ~ x", Choice(test_fraction=0.25, seed=3))
    np.testing.assert_array_equal(again.X, design.X)
    other = build_design(data, "y ~ x", Choice(test_fraction=0.25, seed=4))
    assert not np.array_equal(other.X, design.X)
    with pytest.raises(FitError, match=r"too few rows: 2 .*\n3 are kept for the test"):
        build_design(table_of({"x": x[:5], "y": x[:5] ** 2}), "y ~ x", Choice(test_fraction=0.6))


# ------------------------------------------------------------------ labels


def labelled(values, **more):
    x = np.linspace(0, 1, len(values)) ** 2
    return table_of({"y": values, "x": x, **more})


LOGISTIC = Choice(loss=LOSSES["logistic"])


@pytest.mark.parametrize(
    ("values", "numbers", "words"),
    [
        ([0, 1, 1, 0], [0, 1, 1, 0], None),
        ([0.0, 0.25, 1.0, 0.5], [0, 0.25, 1, 0.5], None),
        ([True, False, False, True], [1, 0, 0, 1], "y = True counts as 1, False as 0."),
        (["no", "yes", "yes", "no"], [0, 1, 1, 0], "y = yes counts as 1, no as 0."),
        ([1, 2, 2, 1], [0, 1, 1, 0], "y = 2 counts as 1, 1 as 0."),
        ([-1.0, 1.0, 1.0, -1.0], [0, 1, 1, 0], "y = 1 counts as 1, -1 as 0."),
    ],
)
def test_two_labels(values, numbers, words):
    design = build_design(labelled(values), "y ~ x", LOGISTIC)
    np.testing.assert_array_equal(design.y, numbers)
    assert (design.labels and design.labels.words) == words


@pytest.mark.parametrize(
    ("values", "loss", "match"),
    [
        (
            list("abca"),
            "logistic",
            r"do not suit.*\nIt has 3 different .*a, b, c.\n.*I\(y == 'a'",
        ),
        (
            [1, 2, 3, 4],
            "logistic",
            r"do not suit.*\n.*4 different values: 1, 2, 3, 4",
        ),
        ([0.5, 2.5, 0.5, 2.5], "logistic", "do not suit --loss logistic"),
        (["a", "a", "a", "a"], "logistic", "It has 1 different value: a"),
        (
            [0, 1, -2, -3],
            "poisson",
            "label y is -2 in row 3, and 1 more .*: not for --loss pois",
        ),
        (list("abab"), "poisson", "'y' must be numeric.*\n.*two labels apart, --loss logistic"),
        ([1, 1, 1, 1], "logistic", "response y is constant: it is 1"),
    ],
)
def test_labels_that_do_not_suit(values, loss, match):
    with pytest.raises(FitError, match=match):
        build_design(labelled(values), "y ~ x", Choice(loss=LOSSES[loss]))


def test_a_label_that_is_computed_is_looked_at_too():
    with pytest.raises(FitError, match=r"label I\(y \* 2\) is 4 in row 2.*\nThey must be 0 and 1"):
        build_design(labelled([0, 2, 1, 0]), "I(y*2) ~ x", LOGISTIC)


# ------------------------------------------------------------------ bad formulas


@pytest.mark.parametrize(
    ("formula", "match"),
    [
        ("y ~ (x", r"'y ~ \(x' cannot be read.\nNear '\('"),
        ("y ~ x +* z", r"cannot be read.\nNear '\+\*'"),
        ("y ~ x ~ z", "cannot be read"),
        ("x", "has no responses left of ~"),
        ("", "has no responses left of ~"),
        ("y + z ~ x", "has 2 responses left of ~"),
        ("y ~ x | z", "has several parts"),
        ("y ~ -1", "has nothing to fit on the right of ~"),
        ("y ~ foo(x)", r"calls foo, which is not on its list.\nIt may use NumPy as np, and"),
        ("y ~ sin(x)", r"calls sin, which is not.*\n.*\nFor a function of NumPy: np.sin\(x\)"),
        ("y ~ polly(x, 2)", r"calls polly.*\n.*\nDid you mean poly\?"),
        ("y ~ np.lgo(x)", r"calls np.lgo, which.*\n.*\nDid you mean np.log"),
        ("y ~ np.load(x)", "calls np.load, which is not on its list.\nOf np it may use"),
        ("y ~ open('f')", "calls open, which is not on its list"),
        ("y ~ eval('f')", "calls eval, which is not on its list"),
        ("y ~ __import__('os')", "calls __import__, which is not on its list"),
        ("y ~ I(np.log.__class__(x))", r"may not hold .__class__, in .*\n.*\nCall functions by"),
        ("y ~ x.shift()", "has no column 'x.shift'|may not hold|cannot be read"),
        ("y ~ I((lambda: x)())", "may not hold Lambda"),
        ("y ~ I([x for x in x])", "may not hold ListComp"),
        (
            "y ~ I(x + 9**9**9**9)",
            r"may not hold 9 \*\* 9 \*\* 9 \*\* 9, in.*\n.*\nWrite the number",
        ),
        ("y ~ bs(x, df=1)", "cannot be computed on this data.\n"),
        ("flag:kind ~ x", "must be numeric"),
    ],
)
def test_bad_formulas(table, formula, match):
    with pytest.raises(FitError, match=match):
        build_design(table(), formula)


def test_the_help_names_columns_of_the_file(table):
    with pytest.raises(FitError, match='Write it as "y ~ x"'):
        build_design(table(), "y + x")
    with pytest.raises(FitError, match='Write it as "`the y` ~ x"'):
        build_design(table("the y,x\n1,2\n"), "y ~ ~")


@pytest.mark.parametrize(
    ("names", "weights", "text"),
    [
        (["Intercept", "x"], [-1.0, -2.0], "-1 - 2 * x"),
        (["x", "z"], [1e-7, 3.25], "1e-07 * x + 3.25 * z"),
    ],
)
def test_weighted_sum(names, weights, text):
    assert weighted_sum(names, weights) == text
