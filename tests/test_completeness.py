"""Nothing is forgotten silently: every card is tested, every skip and every gap has its reason."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.char
import numpy.fft
import numpy.lib.recfunctions
import numpy.polynomial
import numpy.strings
import pytest
from numpy.testing import overrides

import gradtape as gt
from gradtape.core.registry import CARDS, FUNCTIONS, UFUNC_METHODS, UFUNCS
from gradtape.core.state import CARD, KEYS, RUN
from gradtape.core.sweep import run_item, unpack
from gradtape.core.tensor import new_tensor
from gradtape.testing import SLOTS, Run
from tests.op_lines import LISTS, card_of, ends, lines, lines_by_card, modules
from tests.ops.untraced import CHECKED, CHOICE, MEMORY, SHAPE
from tests.ops.versions import OLDER

# Not an op: the record that takes one output of an op with several.
ITEM = "item"
DOCS = Path(__file__).parent.parent / "docs"
DIFFERENTIABLE = sorted(
    name for name, card in CARDS.items() if card.kind != "nondifferentiable" and name != ITEM
)
NONDIFFERENTIABLE = sorted(
    name for name, card in CARDS.items() if card.kind == "nondifferentiable"
)
X = np.array([0.3, 1.2, 0.7])

# ------------------------------------------------------------------------- skipped slots

# (file, reason word for word as the cases give it) -> patterns of the cases and of the slots
SOME = "variants: .+"  # a change of an operand that NumPy takes in a way of its own
SKIPPED = {
    ("test_contract", "the result is complex128"): ("matmul dtype", "float32"),
    ("test_contract", "what it is compared with knows these shapes alone"):
        ("cross of plane vectors", "variants"),
    ("test_contract", "small operands are looked at above"):
        ("matmul of many rows", "second|kinks|variants"),
    ("test_contract", "the result is float64"): (r"einsum ij,j->i \{'dtype'.*", "float32"),
    ("test_contract", "NumPy's warning of vectors with two components"): ("cross ax[ie]s", SOME),
    ("test_contract", "NumPy reads a diagonal that is not there"): ("einsum .*ii?.*->i.*", SOME),
    ("test_counting", "0 times a NaN falls into no bin"): ("(bin|hist).* of a Tensor", SOME),
    ("test_counting", "NumPy takes differences of running sums"): ("histogram", SOME),
    ("test_create", "a NaN is no integer"): ("linspace of integers", SOME),
    ("test_create", "the result is complex128"): ("linspace dtype", "float32"),
    ("test_create", "the other end stays complex128"): ("linspace of a real and .*", "float32"),
    ("test_create", "the ends are exact, NaN or not"): ("geomspace.*", SOME),
    ("test_create", "there is no real geometric sequence between ends of two signs"):
        ("geomspace.*", "kinks"),
    ("test_cumulative", "spacings of 0: an infinity here is a NaN there"):
        ("gradient-.*", "variants: operand [12] of zeros"),
    ("test_elementwise", "float_power returns float64 whatever it is given"):
        ("float_power.*", "float32"),
    ("test_elementwise", "a Tensor of no axes cannot be written"): ("of_parts", SOME),
    ("test_elementwise", "differences leave the nearly real numbers"):
        ("real_if_close of nearly real numbers", "vjp|second"),
    ("test_elementwise", "an element at a bound gets the gradient, at both bounds too"):
        ("clip", "kinks"),
    ("test_elementwise", "interp returns float64 whatever it is given"): ("interp.*", "float32"),
    ("test_elementwise", "there is no order of knots with a NaN"): ("interp with a period", SOME),
    ("test_index", "an array of one element may be stored as a number"): (r"x\[.* = v", SOME),
    ("test_index", "no axes of nothing are looked at"): (r"x\[.* = v", SOME),
    ("test_index", "NumPy refuses with a TypeError where the index is a mask"):
        (r"x\[(\[|array).*True.* = v", SOME),
    ("test_inside", "other rules call it, with operands that fit"): (".*", "variants"),
    ("test_inside", "a third derivative of det, which is refused at a singular matrix"):
        ("cofactors", "second"),
    ("test_inside", "it has a kink at repeated singular values, along some directions"):
        ("singular factors", "kinks"),
    ("test_join", "dtype= asks for float64"): ("stack.*dtype.*", "float32"),
    ("test_pad", "the widths are for two axes"): ("pad by .*", "variants"),
    ("test_pad", "the widths are for three axes"): ("pad by .*", "variants"),
    ("test_pad", "odd reflections are sums over their whole line"):
        ("pad (reflect|symmetric)", "variants: operand 0 with a NaN"),
    ("test_pad", "elements that tie share the gradient of a median"): ("pad median", "kinks"),
    ("test_quantile", "elements that tie share the gradient, which no single one of them moves"):
        (".*", "kinks"),
    ("test_quantile", "the array stays"): ("quantile at the ends of q", "variants"),
    ("test_quantile", "the weights are for three elements"): ("quantile-weights q", "variants"),
    ("test_quantile", "the weights are for these axes"):
        ("quantile-weights of two axes", "variants"),
    ("test_linalg", "the gradient jumps there"): ("svdvals of 0", "second"),
    ("test_reduce", "the gradient jumps at a tie"): (".* of ties", "second"),
    ("test_select", "a Tensor of no axes cannot be written"):
        ("(put|putmask|place) .*", "variants: operand 0 0-d"),
    ("test_select", "which of the elements that tie comes first is a matter of convention"):
        ("(sort|partition).*", "kinks"),
    ("test_select", "the result is complex128, NumPy's choice"): ("sort_complex", "float32"),
    ("test_select", "an element that moves is common no more"): ("intersect1d", "kinks"),
    ("test_select", "common are all of the second then"): ("intersect1d", SOME),
    ("test_select", "what it assumes, that no element is there twice, is not so then"):
        ("intersect1d assumed", "kinks|variants: .+"),
    ("test_select", "no axes of nothing are looked at"): ("insert nothing", SOME),
    ("test_select", "NumPy has a way of its own with what fits no slot"):
        ("insert 1 axis 1", SOME),
    ("test_select", OLDER): ("put_along_axis flat", SOME),
    ("test_shape", OLDER): ("trim_zeros", SOME),
    ("test_statistics", OLDER): ("cov|corrcoef", SOME),
    **{(f"test_{room}", reason): (pattern, "traced") for room, reason, pattern in (
        ("counting", SHAPE, "(bincount|histogram).*"),
        ("create", SHAPE, "arange"),
        ("elementwise", CHOICE, "real_if_close.*|piecewise.*"),
        ("inside", CHOICE, "cofactors"),
        ("select", SHAPE, "(unique|union1d|intersect1d|setdiff1d|setxor1d).*"),
        ("select", CHECKED, "(putmask|place) .*"),
        ("shape", SHAPE, "trim_zeros"),
        ("shape", MEMORY, "ravel in order K"))},
    ("test_shape", "the order that is read is that of the memory"):
        ("ravel in order K", "strides"),
    ("test_statistics", "no mean of it has that shape"): ("(nan)?(var|std)-mean", SOME),
    ("test_statistics", "NumPy stumbles over it; we say what is wrong"): ("cov-aweights", SOME),
    ("test_ufunc_methods", "a power of a power at 0: an infinite slope times one of 0"):
        (r"(float_)?power\..*", "kinks"),
    ("test_ufunc_methods", "it steps at 0, and has slope 0 there"): (r"copysign\..*", "kinks"),
    ("test_ufunc_methods", "float_power returns float64 whatever it is given"):
        (r"float_power\..*", "float32"),
}  # fmt: skip

# --------------------------------------------------- nondifferentiable cards inside others

# Those that no list in tests/ops names, because another function calls them: card -> a call that
# ends there, given a watched Tensor.
INSIDE = {
    "exponent": lambda x: np.frexp(x)[1],
    "counts of bincount": lambda x: np.bincount(x.astype(int)),
    "counts of histogram": lambda x: np.histogram(x)[0],
    "counts of histogram2d": lambda x: np.histogram2d(x, x[::-1])[0],
    "counts of histogramdd": lambda x: np.histogramdd(x[:, None])[0],
    "quantile's q": lambda x: np.quantile(X, x / 2, method="nearest"),
    "quantile's weights": lambda x: np.quantile(X, 0.5, weights=x, method="inverted_cdf"),
    "matrix_rank": lambda x: np.linalg.matrix_rank(x[:, None]),
}
# Those whose results nobody expects a gradient of, by their functions: they say nothing.
SILENT = {
    "zeros_like": np.zeros_like, "ones_like": np.ones_like, "empty_like": np.empty_like,
    "isnat": np.isnat,  # works on times, which no tape follows
}  # fmt: skip

# ----------------------------------------------------------------- NumPy functions without

LINALG = "the linear algebra issue: decompositions and what is made of them"
POLYNOMIAL = "the issue with polynomials"
FFT = "the issue with fft"
TIMES = "works on times and dates, which have no derivative; NumPy computes it"
TEXT = "works on text, which has no derivative; NumPy computes it"
RECORDS = "works on structured arrays, which a Tensor cannot be"
BITS = "works on bits of integers, which have no derivative; NumPy computes it"
BRANCHES = "complex results for some real values, with TF's answer to be found: a later issue"
NOT_YET = {
    **{f"numpy.linalg.{name}": LINALG for name in (
        "cond", "eig", "eigh", "eigvals", "eigvalsh", "lstsq", "pinv", "qr", "svd", "tensorinv",
        "tensorsolve")},
    **{f"numpy.{name}": POLYNOMIAL for name in (
        "poly", "polyadd", "polyder", "polydiv", "polyfit", "polyint", "polymul", "polysub",
        "polyval", "roots")},
    **{f"numpy.fft.{name}": FFT for name in (
        "fft", "ifft", "rfft", "irfft", "hfft", "ihfft", "fft2", "ifft2", "rfft2", "irfft2",
        "fftn", "ifftn", "rfftn", "irfftn", "fftshift", "ifftshift")},
    **{f"numpy.lib.scimath.{name}": BRANCHES for name in (
        "arccos", "arcsin", "arctanh", "log", "log10", "log2", "logn", "power", "sqrt")},
    **{f"numpy.{name}": TIMES for name in (
        "busday_count", "busday_offset", "datetime_as_string", "is_busday")},
    **{f"numpy.{name}": BITS for name in ("packbits", "unpackbits")},
}  # fmt: skip
# The same, by the module that a function is in.
MODULES = {
    "numpy.lib.recfunctions": RECORDS, "numpy.char": TEXT, "numpy.strings": TEXT,
    "numpy._core.strings": TEXT, "numpy._core.defchararray": TEXT,
    "numpy.polynomial.polynomial": POLYNOMIAL,
    "elsewhere": "made by tests/tape/test_reasons.py",
}  # fmt: skip
# Ufuncs that are not in numpy's namespace and serve numpy.strings and ndarray.clip.
TEXT_UFUNCS = re.compile(
    r"_(center|expandtabs|expandtabs_length|[lr]just|[lr]?strip_(chars|whitespace)|r?partition"
    r"|r?partition_index|replace|slice|zfill)|count|(ends|starts)with|r?(find|index)|is[a-z]+"
    r"|str_len"
)
OTHER_UFUNCS = {
    "clip": "the loop behind np.clip, which has a card",
    "real": "a loop behind np.real since 2.5, which has a card",
    "imag": "a loop behind np.imag since 2.5, which has a card",
    "_ones_like": "the loop behind np.ones_like, which has a card",
}

# The families of the issue, each function by name, so that one that NumPy stops announcing as
# overridable is missed here too.
FAMILIES = {
    "reductions": """sum prod mean std var max min ptp median quantile percentile average nansum
        nanprod nanmean nanstd nanvar nanmax nanmin nanmedian nanquantile nanpercentile cumsum
        cumprod nancumsum nancumprod cumulative_sum cumulative_prod diff trapezoid ediff1d gradient
        amax amin all any count_nonzero""",
    "shape": """reshape ravel transpose moveaxis swapaxes rollaxis squeeze expand_dims atleast_1d
        atleast_2d atleast_3d broadcast_to broadcast_arrays stack concatenate vstack hstack dstack
        column_stack block split array_split hsplit vsplit dsplit unstack pad roll flip fliplr
        flipud rot90 tile repeat diag diagflat diagonal trace tril triu matrix_transpose
        permute_dims concat copy copyto resize trim_zeros meshgrid fill_diagonal
        apply_along_axis apply_over_axes""",
    "index": """take take_along_axis put put_along_axis putmask place where select choose compress
        extract sort partition argsort argpartition argmax argmin nanargmax nanargmin searchsorted
        digitize lexsort nonzero flatnonzero argwhere unique unique_values unique_all unique_counts
        unique_inverse insert delete append isin union1d intersect1d setdiff1d setxor1d""",
    "contract": "dot vdot inner outer tensordot einsum kron cross",
    "compare": "isclose allclose array_equal array_equiv isreal iscomplex isposinf isneginf",
    "elementwise": """clip round around fix sinc i0 nan_to_num interp piecewise unwrap angle real
        imag real_if_close convolve correlate""",
    "like": "zeros_like ones_like full_like empty_like",
}
LINALG_NOW = """norm solve inv det slogdet cholesky matmul outer cross tensordot vecdot trace
    diagonal matrix_transpose vector_norm matrix_norm"""


def full_name(function):
    # NumPy 2.0 names the file that scimath's functions are in, not the module they are found in
    module = function.__module__.replace("numpy.lib._scimath_impl", "numpy.lib.scimath")
    return f"{module}.{function.__name__}"


# ------------------------------------------------------------------------------ the tests


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_every_card_has_a_line(name):
    assert lines_by_card().get(name), f"no op_case line in tests/ops runs through {name}"


def test_every_list_of_lines_is_checked():
    """A module that keeps lines must run them: a test that is parametrised with each list."""
    for name, module in modules().items():
        kept = [part for part in LISTS if getattr(module, part, None)]
        marks = getattr(getattr(module, "test_op", None), "pytestmark", [])
        checked = [case for mark in marks for case in mark.args[1]]
        cases = [case for part in kept for case in getattr(module, part)]
        missing = [str(c) for c in cases if not any(c is other for other in checked)]
        assert not missing, f"{name} keeps lines that test_op does not run: {missing}"
        stray = [n for n in vars(module) if n.endswith("CASES") and n not in LISTS]
        assert not stray, f"{name}: {stray} is not in tests/op_lines.py"


def listed():
    """The nondifferentiable cards that the lists of the test modules name."""
    entries = [
        entry[0]
        for module in modules().values()
        for part in ("NONDIFFERENTIABLE", "FLOATS", "INTEGERS")
        for entry in getattr(module, part, ())
    ]
    return {card_of(function) for function in entries} & set(NONDIFFERENTIABLE)


@pytest.mark.parametrize("name", NONDIFFERENTIABLE)
def test_every_card_without_derivative_is_listed_with_its_reason(name):
    reason = CARDS[name].reason
    assert re.fullmatch(r"\S.+\.", reason, re.DOTALL), f"{name}: {reason!r} is not a sentence"
    assert name in listed() or name in INSIDE or name in SILENT, f"no test names {name}"


def test_a_card_is_listed_in_one_place():
    assert (set(INSIDE) | set(SILENT)) & listed() == set() and not set(INSIDE) & set(SILENT)
    assert set(INSIDE) | set(SILENT) <= set(NONDIFFERENTIABLE)


@pytest.mark.parametrize("name", INSIDE)
def test_cards_without_derivative_inside_others(name):
    with gt.GradientTape() as tape, ends() as found:
        x = tape.watch(X)
        result = INSIDE[name](x)
    assert name in found and result.key == 0
    if result.why[0] != "nondifferentiable":  # a cast before it lost the gradient already
        return
    with pytest.warns(gt.errors.GradientWarning, match=re.escape(CARDS[name].reason)):
        assert tape.gradient(np.sum(result * 1.0), x) is None


@pytest.mark.parametrize("name", SILENT)
def test_cards_without_derivative_that_say_nothing(name):
    x = new_tensor(np.array(["NaT"], "M8[D]") if name == "isnat" else X)
    result = SILENT[name](x)
    assert card_of(SILENT[name]) == name
    assert result.key == 0 and result.why is None


def test_skipped_slots_are_those_listed_here():
    used = set()
    for line in lines():
        for slot, why in line.case.skip.items():
            assert slot.split(": ")[0] in SLOTS
            assert (line.module, why) in SKIPPED, f"{line}, {slot}: {why!r} is not listed"
            names, slots = SKIPPED[line.module, why]
            assert re.fullmatch(names, line.case.name, re.DOTALL), f"{line}: not for {why!r}"
            assert re.fullmatch(slots, slot), f"{line}, {slot}: not for {why!r}"
            used.add((line.module, why))
    kept = {entry for entry in SKIPPED if entry[1] != OLDER}
    if np.lib.NumpyVersion(np.__version__) < "2.2.0":  # the line itself is for newer ones
        kept.discard(("test_quantile", "the weights are for these axes"))
    assert kept - used == set(), "listed, and skipped no more"


# ------------------------------------------------------------------- what a card promises


def with_rule(rules, arity):
    """Which operands have a rule; None where one function serves all of them."""
    return None if callable(rules) else tuple(rule is not None for rule in rules)


@pytest.mark.parametrize("name", [n for n in DIFFERENTIABLE if CARDS[n].kind != "composite"])
def test_a_card_has_the_slots_of_its_constructor(name):
    card = CARDS[name]
    assert card.kind in ("elementwise", "linear", "primitive")
    assert callable(card.impl) and callable(card.shape_rule) and callable(card.batch_rule)
    assert card.outputs >= 1 and (card.arity >= 1 or card.arity == -1)
    backward, forward = with_rule(card.vjps, card.arity), with_rule(card.jvps, card.arity)
    for rules in (backward, forward):
        assert rules is None or len(rules) == card.arity and any(rules)
    if backward is not None and forward is not None:
        assert backward == forward
    if card.kind == "elementwise":
        assert backward == tuple(partial is not None for partial in card.partials)


@pytest.mark.parametrize("name", [n for n in DIFFERENTIABLE if CARDS[n].kind == "composite"])
def test_a_composite_derives_its_rules(name):
    card = CARDS[name]
    assert callable(card.impl)
    assert (card.vjps, card.jvps, card.shape_rule, card.batch_rule) == (None,) * 4


def test_vjp_and_jvp_agree_on_the_operands_that_have_a_derivative():
    """Called on what the lines record: rules that are one function for all operands say it so."""
    seen = set()
    for line in lines():
        for _, operands, kwargs in line.case.examples():
            run = Run(line.case.function, operands, kwargs, line.case._wrt(operands))
            for rec in run.recorder.ops:
                if rec[RUN] is run_item or type(rec[KEYS]) is not tuple:
                    continue
                card = rec[CARD]
                tracked = tuple(k > 0 for k in rec[KEYS])
                if (card.name, tracked) in seen:
                    continue
                seen.add((card.name, tracked))
                keys, values, out, params = unpack(rec)
                ct = tuple(map(np.ones_like, out)) if card.outputs > 1 else np.ones_like(out)
                for i, followed in enumerate(tracked):
                    if not followed:
                        continue
                    tangents = [np.ones_like(v) if i == j else None for j, v in enumerate(values)]
                    with np.errstate(all="ignore"):
                        back = card.vjp(i, ct, out, values, params)
                        t = card.jvp(tangents, out, values, params)
                    if back is None:  # a zero tangent says the same
                        assert t is None or not np.any(np.asarray(t)), f"{card.name}, operand {i}"
                    else:
                        assert t is not None, f"{card.name}, operand {i}: no tangent"
    assert len(seen) > 70


def test_no_card_is_out_of_reach():
    """Two cards for one function: the later one hides the earlier."""
    names = {
        getattr(operation, "__name__", "")
        for table in (FUNCTIONS, UFUNCS, UFUNC_METHODS)
        for operation in table.values()
    }
    used = {card for line in lines() for card in line.cards} | listed() | set(INSIDE) | set(SILENT)
    assert sorted(set(CARDS) - names - used - {ITEM}) == []


# ---------------------------------------------------------------------- NumPy's functions


def test_every_function_of_numpy_is_registered_or_accounted_for():
    overridable = overrides.get_overridable_numpy_array_functions()
    # by name: np.eye and the function behind np.eye(like=) are two objects
    present = {full_name(f) for f in FUNCTIONS}
    # what has come may stay in NOT_YET: who adds a card need not touch this list
    missing = {full_name(f) for f in overridable if f.__module__ not in MODULES} - present
    assert sorted(missing - set(NOT_YET)) == []


def test_every_ufunc_is_registered_or_accounted_for():
    missing = {u.__name__ for u in overrides.get_overridable_numpy_ufuncs() if u not in UFUNCS}
    assert sorted(n for n in missing - set(OTHER_UFUNCS) if not TEXT_UFUNCS.fullmatch(n)) == []
    public = {u for n in dir(np) if isinstance(u := getattr(np, n), np.ufunc)}
    assert public <= set(UFUNCS)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_families_of_the_issue_are_whole(family):
    names = FAMILIES[family].split()
    functions = {name: getattr(np, name, None) for name in names}
    known = set(FUNCTIONS) | set(UFUNCS)
    # a name that this NumPy does not have yet (unstack, cumulative_sum before 2.1) is no gap
    assert [n for n, f in functions.items() if f is not None and f not in known] == []


def test_linear_algebra_that_nobody_does_without():
    missing = [n for n in LINALG_NOW.split() if getattr(np.linalg, n) not in FUNCTIONS]
    assert missing == []


@pytest.mark.parametrize("method", ["reduce", "accumulate", "outer", "at", "reduceat"])
def test_ufunc_methods_exist_where_they_have_a_derivative(method):
    binary = [
        u for u, op in UFUNCS.items()
        if u.nin == 2 and u.nout == 1 and u.signature is None
        and CARDS[op.__name__].kind != "nondifferentiable"
        and u is not np.ldexp  # its second operand is an integer: NumPy has no loop to reduce it
    ]  # fmt: skip
    assert len(binary) > 15
    assert [u.__name__ for u in binary if (u, method) not in UFUNC_METHODS] == []


# --------------------------------------------------------------------------- the page


def test_the_page_of_ops_is_up_to_date():
    """Of the newest NumPy: an older one lacks some functions."""
    if not hasattr(np, "matvec"):
        pytest.skip("docs/ops.md lists the functions of NumPy 2.2 and later")
    done = subprocess.run(
        [sys.executable, DOCS / "make_ops_page.py", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
