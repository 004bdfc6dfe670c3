"""The kernels as functions of LLVM's, rendered to text once per process, and linked by name.

A lowering calls `gt.exp.f64`; its module only declares it. `link` replaces the declarations of
what a module uses by their definitions. They are `alwaysinline`, so that they are part of the loop
before LLVM vectorises it.

**x * 2**n** of an exp is one instruction of AVX-512 that LLVM has no scalar word for: `gt.scale`
is a call that the vectoriser replaces, as with the next.

**Rare arguments.** sin of 1e22 needs a reduction that costs twenty times the rest, and a loop
that is to be vectorised can hold no branch. So `gt.rare.<kernel>` is a function that is not
inlined, and its attribute "vector-function-abi-variant" tells the vectoriser of a function over a
whole vector, which looks whether any lane needs the kernel, and is inlined after vectorising:
one comparison and one jump that is never taken.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from gradtape import events
from gradtape.backends.llvm import apart, ir, types
from gradtape.backends.llvm.kernel import Kernel, Num
from gradtape.backends.llvm.kernels import (
    division,
    error,
    exponential,
    gamma,
    hyperbolic,
    inverse,
    logarithmic,
    power,
    trigonometric,
)

SUFFIX: dict[np.dtype[Any], str] = {np.dtype(np.float32): "f32", np.dtype(np.float64): "f64"}
DTYPES = {suffix: dtype for dtype, suffix in SUFFIX.items()}


class Entry(NamedTuple):
    """A kernel, the number of its operands, and the precision in which a float32 is computed."""

    kernel: Callable[..., Num]
    arity: int = 1
    single: str = "s"


KERNELS: dict[str, Entry] = {
    "exp": Entry(exponential.exp),
    "exp2": Entry(exponential.exp2),
    "expm1": Entry(exponential.expm1),
    "sigmoid": Entry(exponential.sigmoid),
    "log": Entry(logarithmic.log),
    "log2": Entry(logarithmic.log2),
    "log10": Entry(logarithmic.log10),
    "log1p": Entry(logarithmic.log1p),
    "softplus": Entry(logarithmic.softplus),
    "logaddexp": Entry(logarithmic.logaddexp, 2),
    "arcsinh": Entry(logarithmic.arcsinh),
    "arccosh": Entry(logarithmic.arccosh),
    "arctanh": Entry(logarithmic.arctanh),
    "sin": Entry(trigonometric.sin),
    "cos": Entry(trigonometric.cos),
    "tan": Entry(trigonometric.tan),
    "sinh": Entry(hyperbolic.sinh),
    "cosh": Entry(hyperbolic.cosh),
    "tanh": Entry(hyperbolic.tanh),
    "arcsin": Entry(inverse.arcsin),
    "arccos": Entry(inverse.arccos),
    "arctan": Entry(inverse.arctan),
    "arctan2": Entry(inverse.arctan2, 2),
    "hypot": Entry(inverse.hypot, 2, "w"),
    "cbrt": Entry(inverse.cbrt),
    "power": Entry(power.power, 2),
    "erf": Entry(error.erf),
    "erfc": Entry(error.erfc, 1, "w"),
    "gammaln": Entry(gamma.gammaln, 1, "w"),
    "digamma": Entry(gamma.digamma, 1, "w"),
    "fmod": Entry(division.fmod, 2),
    "floor_divide": Entry(division.floor_divide, 2),
}

# What the rare functions compute: scalar code, for a float32 always by double arithmetic.
RARE: dict[str, Entry] = {
    "circular_large": Entry(trigonometric.circular_large, 2, "w"),
    "tan_large": Entry(trigonometric.tan_large, 1, "w"),
    "gammaln_negative": Entry(gamma.gammaln_negative, 1, "w"),
    "digamma_negative": Entry(gamma.digamma_negative, 1, "w"),
    "fmod_large": Entry(division.fmod_large, 2),
}

# Two kernels of one operand that share most of what they compute, as one that gives both.
PAIRS: dict[str, tuple[str, str]] = {"sincos": ("sin", "cos")}
PAIRED = (21, 0, 0)  # the first LLVM whose vectoriser takes a function of two results

_PURE = "noinline nounwind willreturn memory(none)"
_OVER = re.compile(r"\.v(\d+)$")
BRANCHES = ".branches"  # behind the name of a kernel for code that is not vectorised
ARITIES = {name: entry.arity for name, entry in KERNELS.items()}


class Rendered(NamedTuple):
    """The text of a function and what it refers to: declarations and globals by name."""

    text: str
    needs: dict[str, str]


def declare(
    module: ir.Module, name: str, dtype: Any, branches: bool = False, lanes: int = 0
) -> ir.Function:
    """Return the declaration of a function of mathematics in a module.

    With `branches` it is for code that is not vectorised: the look at a rare argument is inlined.
    With `lanes` it is over vectors.
    """
    dtype = np.dtype(dtype)
    full = f"gt.{name}.{SUFFIX[dtype]}{BRANCHES * branches}"
    kind = types.vector(types.scalar(dtype), lanes)
    return _declare(module, full, ir.FunctionType(kind, [kind] * ARITIES[name]), lanes)


def declare_rare(
    module: ir.Module, name: str, dtype: Any, operands: int, limit: float, lanes: int = 0,
    branches: bool = False,
) -> ir.Function:  # fmt: skip
    """Return the declaration of a rare function: (watched, operands, fast)."""
    dtype = np.dtype(dtype)
    family = "near" if branches else "rare"
    full = f"gt.{family}.{name}.{SUFFIX[dtype]}.{float(limit).hex()}"
    kind = types.vector(types.scalar(dtype), lanes)
    return _declare(module, full, ir.FunctionType(kind, [kind] * (operands + 2)), lanes)

def declare_scale(module: ir.Module, dtype: Any, lanes: int = 0) -> ir.Function:
    """Return the declaration of x * 2**n: (x, n as a float, n as an integer)."""
    dtype = np.dtype(dtype)
    kind = types.vector(types.scalar(dtype), lanes)
    operands = [kind, kind, types.vector(types.scalar(types.whole(dtype)), lanes)]
    return _declare(module, f"gt.scale.{SUFFIX[dtype]}", ir.FunctionType(kind, operands), lanes)



def _declare(
    module: ir.Module, name: str, kind: ir.FunctionType, lanes: int = 0
) -> ir.Function:
    """Return a declaration; with lanes, of the function over vectors that goes with `name`."""
    if lanes:
        name = f"{name}.v{lanes}"
    if name in module.globals:
        found: ir.Function = module.globals[name]
        return found
    return ir.Function(module, kind, name)


@cache
def render(name: str, width: int, avx512: bool, called: bool) -> Rendered:
    """Return the text of the function of this full name, for vectors of `width` bits.

    `called`: as functions over vectors to be called, not as one to be inlined. A name that ends
    in `.v8` is the function over vectors of 8 itself.
    """
    _, kind, *rest = name.split(".", 2)
    over = _OVER.search(name)
    if over is not None and kind in (*KERNELS, *PAIRS):
        dtype = DTYPES[rest[0].removesuffix(over[0])]
        rendered = _render_kernel(name, kind, dtype, int(over[1]), avx512)
        text = rendered.text.replace(" alwaysinline nounwind", f" {_PURE}", 1)
        return Rendered(text, rendered.needs) if called else rendered
    if called:
        return _render_called(name, kind, DTYPES[rest[0]], width, avx512)
    if kind == "scale":
        return _render_scale(name, DTYPES[rest[0]], width if avx512 else 0)
    if kind not in ("rare", "near"):
        suffix = rest[0].removesuffix(BRANCHES)
        return _render_kernel(name, kind, DTYPES[suffix], branches=suffix != rest[0])
    kernel, suffix, limit = rest[0].split(".", 2)
    if kind == "near":
        return _render_near(name, kernel, DTYPES[suffix], float.fromhex(limit))
    return _render_rare(name, kernel, DTYPES[suffix], float.fromhex(limit), width)


def _render_called(
    full: str, name: str, dtype: np.dtype[Any], width: int, avx512: bool
) -> Rendered:
    """A kernel as a function that is called, and the functions over vectors for the vectoriser."""
    lanes = _lanes(width)
    arity = KERNELS[PAIRS[name][0] if name in PAIRS else name].arity
    mangled = ",".join(f"_ZGV_LLVM_N{n}{'v' * arity}_{full}({full}.v{n})" for n in lanes)
    variants = f'"vector-function-abi-variant"="{mangled}"'
    text, needs = _render_kernel(full, name, dtype)
    texts = [
        text.replace("define internal", "define weak_odr", 1).replace(
            " alwaysinline nounwind", f" {_PURE} {variants}", 1
        )
    ]
    for n in lanes:
        text, more = _render_kernel(f"{full}.v{n}", name, dtype, n, avx512)
        texts.append(text.replace(" alwaysinline nounwind", f" {_PURE}", 1))
        needs |= more
    return Rendered("".join(texts), needs)


def _render_kernel(
    full: str, name: str, dtype: np.dtype[Any], lanes: int = 0, avx512: bool = False,
    branches: bool = False,
) -> Rendered:  # fmt: skip
    from gradtape.backends.llvm.scalars import Scalars

    entry = KERNELS.get(PAIRS[name][0] if name in PAIRS else name) or RARE[name]
    module = ir.Module("kernel")
    kind = types.vector(types.scalar(dtype), lanes)
    given = ir.LiteralStructType(kind, kind) if name in PAIRS else kind
    function = ir.Function(module, ir.FunctionType(given, [kind] * entry.arity), full)
    function.linkage = "internal"
    function.attributes.add("nounwind")
    if name in RARE:
        function.attributes.add("optnone")
        function.attributes.add("noinline")
    else:
        function.attributes.add("alwaysinline")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    precision = "d" if dtype.itemsize == 8 else entry.single
    outer = Scalars(builder, dtype, lanes)
    inner = Scalars(builder, np.float64, lanes) if precision == "w" else outer
    ints = Scalars(builder, types.whole(inner.dtype), lanes)
    kernel = Kernel(inner, ints, precision)
    kernel.has_scale, kernel.has_branches = avx512, branches
    operands = [Num(inner, outer.cast(x, inner.dtype)) for x in function.args]
    if name in PAIRS:  # LLVM finds what both compute
        both: ir.Value = ir.Constant(given, ir.Undefined)
        for i, one in enumerate(PAIRS[name]):
            result = KERNELS[one].kernel(kernel, *operands)
            both = builder.insert_value(both, inner.cast(result.v, dtype), i)
        builder.ret(both)
    else:
        result = entry.kernel(kernel, *operands)
        builder.ret(inner.cast(result.v, dtype))
    needs = {
        key: str(value) for key, value in module.globals.items() if value is not function
    }
    return Rendered(str(function), needs)


def _render_scale(full: str, dtype: np.dtype[Any], width: int) -> Rendered:
    """In two products that are both in range; over vectors of `width` bits by one instruction."""
    kind = str(types.scalar(dtype))
    size = 8 * dtype.itemsize
    mantissa, bias = (23, 127) if size == 32 else (52, 1023)
    whole = f"i{size}"
    lanes = _lanes(width) if width else []
    attributes, linkage = "alwaysinline nounwind", "internal"
    if lanes:
        linkage = "weak_odr"
        mangled = ",".join(f"_ZGV_LLVM_N{n}vvv_{full}({full}.v{n})" for n in lanes)
        attributes = (
            "noinline nounwind willreturn memory(none) "
            f'"vector-function-abi-variant"="{mangled}"'
        )
    lines = [
        f'define {linkage} {kind} @"{full}"({kind} %x, {kind} %w, {whole} %n) {attributes} {{',
        f"  %h = ashr {whole} %n, 1",
        f"  %r = sub {whole} %n, %h",
        f"  %h1 = add {whole} %h, {bias}",
        f"  %r1 = add {whole} %r, {bias}",
        f"  %h2 = shl {whole} %h1, {mantissa}",
        f"  %r2 = shl {whole} %r1, {mantissa}",
        f"  %h3 = bitcast {whole} %h2 to {kind}",
        f"  %r3 = bitcast {whole} %r2 to {kind}",
        f"  %y = fmul {kind} %x, %h3",
        f"  %z = fmul {kind} %y, %r3",
        f"  ret {kind} %z",
        "}",
    ]
    needs = {}
    for n in lanes:
        # At most 512 bits at once; what is longer goes in parts.
        piece = min(n, 512 // size)
        bits = piece * size
        vector, part = f"<{n} x {kind}>", f"<{piece} x {kind}>"
        name = f"llvm.x86.avx512.mask.scalef.p{'s' if size == 32 else 'd'}.{bits}"
        mask = f"i{max(8, piece)}"
        rounding = ", i32 4" if bits == 512 else ""
        needs[name] = (
            f"declare {part} @{name}({part}, {part}, {part}, {mask}"
            f"{', i32 immarg' if rounding else ''})"
        )
        lines.append(
            f'define internal {vector} @"{full}.v{n}"({vector} %x, {vector} %w, '
            f"<{n} x {whole}> %n) alwaysinline nounwind willreturn memory(none) {{"
        )
        found = []
        for start in range(0, n, piece):
            taken = f"<{piece} x i32> <{', '.join(f'i32 {start + i}' for i in range(piece))}>"
            for v in ("x", "w"):
                lines.append(
                    f"  %{v}{start} = shufflevector {vector} %{v}, {vector} poison, {taken}"
                )
            lines.append(
                f"  %y{start} = call {part} @{name}({part} %x{start}, {part} %w{start}, "
                f"{part} zeroinitializer, {mask} -1{rounding})"
            )
            found.append(f"%y{start}")
        if len(found) == 2:
            order = ", ".join(f"i32 {i}" for i in range(n))
            lines.append(
                f"  %all = shufflevector {part} {found[0]}, {part} {found[1]}, "
                f"<{n} x i32> <{order}>"
            )
            found = ["%all"]
        lines += [f"  ret {vector} {found[0]}", "}"]
    return Rendered("\n".join(lines) + "\n", needs)


def _lanes(width: int) -> list[int]:
    """Return the numbers of lanes for which there are functions over vectors."""
    return sorted({width // 64, width // 32})


def _render_near(full: str, kernel: str, dtype: np.dtype[Any], limit: float) -> Rendered:
    """A rare function for scalar code: the comparison and the jump, where it is called."""
    kind = str(types.scalar(dtype))
    bound = types.constant(dtype, limit).ref
    target = f"gt.{kernel}.{SUFFIX[dtype]}"
    operands = [f"{kind} %a{i}" for i in range(RARE[kernel].arity)]
    given = ", ".join([f"{kind} %w", *operands, f"{kind} %fast"])
    text = f"""define internal {kind} @"{full}"({given}) alwaysinline nounwind {{
entry:
  %c = fcmp ogt {kind} %w, {bound}
  br i1 %c, label %slow, label %out, !prof !{{!"branch_weights", i32 1, i32 1000000}}
slow:
  %r = call {kind} @"{target}"({", ".join(operands)})
  br label %out
out:
  %y = phi {kind} [ %fast, %entry ], [ %r, %slow ]
  ret {kind} %y
}}
"""
    needs = {target: f'declare {kind} @"{target}"({", ".join([kind] * len(operands))})'}
    return Rendered(text, needs)


def _render_rare(
    full: str, kernel: str, dtype: np.dtype[Any], limit: float, width: int
) -> Rendered:
    """The scalar function, and for each number of lanes one that looks and one that computes."""
    kind = str(types.scalar(dtype))
    bound = types.constant(dtype, limit).ref
    operands = RARE[kernel].arity
    target = f"gt.{kernel}.{SUFFIX[dtype]}"
    names = ["%w", *(f"%a{i}" for i in range(operands)), "%fast"]
    lanes = _lanes(width)
    mangled = ",".join(
        f"_ZGV_LLVM_N{n}{'v' * len(names)}_{full}({full}.v{n})" for n in lanes
    )

    def list_of(what: str, values: list[str]) -> str:
        return ", ".join(f"{what} {v}" for v in values)

    pure = "nounwind willreturn memory(none)"
    lines = [
        # Not `internal`: a pass that drops an argument would break what the attribute says.
        f'define weak_odr {kind} @"{full}"({list_of(kind, names)}) noinline {pure} '
        f'"vector-function-abi-variant"="{mangled}" {{',
        "entry:",
        f"  %c = fcmp ogt {kind} %w, {bound}",
        "  br i1 %c, label %slow, label %out",
        "slow:",
        f'  %r = call {kind} @"{target}"({list_of(kind, names[1:-1])})',
        "  br label %out",
        "out:",
        f"  %y = phi {kind} [ %fast, %entry ], [ %r, %slow ]",
        f"  ret {kind} %y",
        "}",
    ]
    needs = {target: f'declare {kind} @"{target}"({", ".join([kind] * operands)})'}
    for n in lanes:
        vector = f"<{n} x {kind}>"
        lines += [
            f'define internal {vector} @"{full}.v{n}"({list_of(vector, names)}) '
            f"alwaysinline {pure} {{",
            "entry:",
            f"  %m = fcmp ogt {vector} %w, splat ({kind} {bound})",
            f"  %c = call i1 @llvm.vector.reduce.or.v{n}i1(<{n} x i1> %m)",
            "  br i1 %c, label %slow, label %out",
            "slow:",
            f'  %r = call {vector} @"{full}.v{n}.slow"({list_of(vector, names)})',
            "  br label %out",
            "out:",
            f"  %y = phi {vector} [ %fast, %entry ], [ %r, %slow ]",
            f"  ret {vector} %y",
            "}",
            f'define internal {vector} @"{full}.v{n}.slow"({list_of(vector, names)}) '
            f"noinline optnone {pure} {{",
            "entry:",
            "  br label %lane",
            "lane:",
            "  %i = phi i32 [ 0, %entry ], [ %j, %lane ]",
            f"  %all = phi {vector} [ %fast, %entry ], [ %next, %lane ]",
            *(f"  {v}s = extractelement {vector} {v}, i32 %i" for v in names),
            f'  %r = call {kind} @"{full}"({list_of(kind, [v + "s" for v in names])})',
            f"  %next = insertelement {vector} %all, {kind} %r, i32 %i",
            "  %j = add i32 %i, 1",
            f"  %more = icmp ult i32 %j, {n}",
            "  br i1 %more, label %lane, label %out",
            "out:",
            f"  ret {vector} %next",
            "}",
        ]
        reduce = f"llvm.vector.reduce.or.v{n}i1"
        needs[reduce] = f"declare i1 @{reduce}(<{n} x i1>)"
    return Rendered("\n".join(lines) + "\n", needs)


# A module with more lines of inlined kernels than this calls those that it uses often: fifty times
# sin in one loop takes seconds to compile, and then runs at half the speed.
INLINED = 600
# (Found by its first characters: `^` would look at each character of a long text.)
DECLARED = re.compile(r'\ndeclare [^\n]*@"?([\w.$+-]+)"?\([^\n]*')


_USED = re.compile(r'@"(gt\.[^"]+)"\(')
_CALL = re.compile(
    r'^  (%\S+) = call (\w+|<\d+ x \w+>) @"gt\.(\w+)\.(f\d\d(?:\.v\d+)?)"\(\2 (%\S+)\)$'
)


def _paired(text: str, wanted: list[str], called: set[str]) -> str:
    """The text with one call where both kernels of a pair are called, for one operand in one block.

    `wanted` and `called` are told: the pair is one of them, and a kernel that nobody calls is not.
    """
    import llvmlite.binding as llvm

    if tuple(llvm.llvm_version_info) < PAIRED:
        return text
    for name, (one, other) in PAIRS.items():
        for suffix in sorted({n.split(".", 2)[2] for n in called}):
            kernels = [f"gt.{one}.{suffix}", f"gt.{other}.{suffix}"]
            if not called.issuperset(kernels):
                continue
            lines = text.split("\n")
            if not _pair_calls(lines, name, (one, other), suffix):
                continue
            text = "\n".join(line for line in lines if line)
            wanted.append(f"gt.{name}.{suffix}")
            called.add(f"gt.{name}.{suffix}")
            for kernel in kernels:
                if f'@"{kernel}"(' not in text:
                    wanted.remove(kernel)
                    called.remove(kernel)
    return text


def _pair_calls(lines: list[str], name: str, pair: tuple[str, str], suffix: str) -> bool:
    """Whether there were pairs; the first of both calls is replaced, and the second empty."""
    seen: dict[tuple[str, str], tuple[int, str]] = {}
    count = 0
    for i, line in enumerate(lines):
        if not line.startswith(" "):  # another block
            seen.clear()
            continue
        found = _CALL.match(line)
        if found is None or found[3] not in pair or found[4] != suffix:
            continue
        kernel, x, kind = found[3], found[5], found[2]
        seen[kernel, x] = i, found[1]
        if (pair[0], x) not in seen or (pair[1], x) not in seen:
            continue
        places = [seen.pop((kernel, x)) for kernel in pair]
        both = f"%both.{name}.{i}"
        first = [f"  {both} = call {{{kind}, {kind}}} @\"gt.{name}.{suffix}\"({kind} {x})"]
        for n, (place, result) in enumerate(places):
            lines[place] = ""
            first.append(f"  {result} = extractvalue {{{kind}, {kind}}} {both}, {n}")
        lines[min(place for place, _ in places)] = "\n".join(first)
        count += 1
    return count > 0


@events.stage("text of kernels")
def link(text: str, width: int, avx512: bool, seldom: dict[str, str] | None = None) -> str:
    """Return a module's text with the definitions of the functions that it declares and needs.

    With `seldom` there is no loop for LLVM's vectoriser, and it is told by name what another
    module has to define: the functions of rare arguments.
    """
    found = dict.fromkeys(DECLARED.findall(f"\n{text}"))
    wanted = [name for name in found if name.startswith("gt.")]
    if not wanted:
        return text
    counts = Counter(_USED.findall(text))
    counts.subtract(wanted)  # their declarations
    sizes = {name: render(name, width, avx512, False).text.count("\n") for name in wanted}
    called: set[str] = set()
    if sum(counts[name] * sizes[name] for name in wanted) > INLINED:
        called = {n for n in wanted if counts[n] > 2 and not n.endswith(BRANCHES)}
    text = DECLARED.sub(lambda m: "\n" if m[1].startswith("gt.") else m[0], f"\n{text}")[1:]
    text = _paired(text, wanted, called)
    defined: dict[str, str] = {}
    outside: dict[str, str] = {}
    while wanted:
        name = wanted.pop()
        if name in defined:
            continue
        rendered = render(name, width, avx512, name in called)
        defined[name] = rendered.text
        for other, declaration in rendered.needs.items():
            if other.startswith("gt.") and declaration.startswith("declare"):
                # A function over vectors stands in the text of the scalar one.
                wanted.append(re.sub(r"\.v\d+$", "", other))
            elif other not in found:
                outside[other] = declaration
    if seldom is not None:
        return apart.used(text, outside, defined.values(), seldom)
    # Nobody calls the functions over vectors before the loops are vectorised.
    replaced = ("gt.rare.", "gt.scale.") if avx512 else "gt.rare."
    kept = [
        f'ptr @"{name}.v{n}"'
        for name in defined
        if (name in called or name.startswith(replaced)) and not _OVER.search(name)
        for n in _lanes(width)
    ]
    parts = [text, *outside.values(), *defined.values()]
    if kept:
        parts.append(
            f"@llvm.compiler.used = appending global [{len(kept)} x ptr] "
            f'[{", ".join(kept)}], section "llvm.metadata"'
        )
    return "\n".join(parts) + "\n"
