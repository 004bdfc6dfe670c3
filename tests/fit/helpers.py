"""What the tests of the fit share: from data and options to a result, without a file."""

from pathlib import Path

from gradtape.fit.descent import descend, make_plan
from gradtape.fit.design import build_design
from gradtape.fit.options import Options
from gradtape.fit.problem import pose
from gradtape.fit.result import Result
from gradtape.fit.sources import read_table, table_of
from gradtape.fit.specify import descended, specify

CARS = Path(__file__).parents[2] / "examples" / "data" / "cars.csv"


def run(problem, *, progress=None, keep=None, state=None, **how):
    """The result of descending a problem."""
    plan = make_plan(problem, **how)
    return Result(problem, plan, descend(problem, plan, progress=progress, keep=keep, state=state))


def fitted(formula, data=CARS, *, standardize=True, **how):
    """The result of fitting a formula by least squares to a file."""
    return run(pose(build_design(read_table(data), formula), standardize=standardize), **how)


def asked(data, formula=None, **options):
    """The result of what was typed, of a table in memory or a file."""
    table = read_table(data) if isinstance(data, str | Path) else table_of(data)
    problem, plan = specify(table, Options("data.csv", formula, **options))
    return descended(problem, plan)
