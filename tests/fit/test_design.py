"""Formula and table to numbers; everything that can be wrong with either, by its message."""

import numpy as np
import pytest

from gradtape.fit.data import read_table
from gradtape.fit.design import build_design, weighted_sum
from gradtape.fit.problems import FitError

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
        ("y ~ foo(x)", r"calls foo, which is not known.\n(.*\n)*.*np.foo\(x\)"),
        ("y ~ polly(x, 2)", r"calls polly.*\n.*\nDid you mean poly\?"),
        ("y ~ np.lgo(x)", "cannot be computed on this data.\nAttributeError: .*lgo"),
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
