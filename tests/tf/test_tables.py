"""Every case of every family gives TensorFlow's value, dtype, gradient or exception class."""

import itertools

import pytest

import gradtape.tf as tf
from gradtape.errors import GradtapeError
from tests.tf import scheme

ALL = [(family, case) for family in scheme.FAMILIES for case in scheme.cases(family)]
TABLES = {family: scheme.table(family) for family in scheme.FAMILIES}
# Ten thousand lines: those of one name are one test, of at most MOST lines, which tells all that
# fail. (A test a line would spend half of the time on the tests themselves.)
MOST = 40


def parts_of(cases):
    return [(start, cases[start : start + MOST]) for start in range(0, len(cases), MOST)]


PARTS = [
    pytest.param(family, part, id=f"{family}: {name}" + (f", from {start}" if start else ""))
    for (family, name), lines in itertools.groupby(
        sorted(ALL, key=lambda line: (line[0], line[1].name)),
        lambda line: (line[0], line[1].name),
    )
    for start, part in parts_of([case for _, case in lines])
]


@pytest.mark.parametrize(("family", "cases"), PARTS)
def test_cases(family, cases):
    assert [line for case in cases if (line := told(family, case))] == []


def told(family, case):
    """What is wrong with a case; "" where nothing is."""
    theirs = TABLES[family].get(case.key)
    if theirs is None:
        return f"{case.key}: run tests/tf/make_table.py with a Python that has TensorFlow"
    found = scheme.differs(case, scheme.run(tf, case), theirs)
    if case.ours:
        return "" if found else f"{case.key}: no difference is left: drop `ours`"
    return found and f"{case.key}: {found}"


@pytest.mark.parametrize("family", scheme.FAMILIES)
def test_no_answer_is_left_over(family):
    lines = [(case.name, case.key) for case in scheme.cases(family)]
    assert len(lines) == len(set(lines))
    assert TABLES[family].keys() == {key for _, key in lines}


def test_a_tolerance_has_its_reason():
    assert [case.key for _, case in ALL if (case.tolerance != 1.0) != bool(case.because)] == []


@pytest.mark.parametrize("family", scheme.FAMILIES)
def test_mistakes_are_told_in_three_parts(family):
    bad = []
    for case in scheme.cases(family):
        if "error" not in TABLES[family].get(case.key, {}):
            continue
        known = scheme.environment(tf)
        try:
            for name, source in case.values.items():
                known[name] = scheme.evaluate(source, known)
            scheme.evaluate(case.source, known)
        except GradtapeError as error:
            if "\n" not in str(error):
                bad.append(f"{case.key}: {error}")
        except (AttributeError, IndexError, TypeError, NotImplementedError, UnicodeError):
            pass  # Python's own: no such attribute, operator or argument, or which byte it is
        except ValueError as error:
            assert "read-only" in str(error), error  # NumPy's own
    assert bad == []


@pytest.mark.skipif(not scheme.has_tensorflow(), reason="TensorFlow is not installed here")
@pytest.mark.parametrize("family", scheme.FAMILIES)
def test_live(family):
    real = pytest.importorskip("tensorflow")
    for case in scheme.cases(family):
        assert not scheme.differs(case, scheme.run(real, case), TABLES[family][case.key])
