"""One loop over vectors in the making, from the lines of a loop over single elements.

Four kinds of values: *uniform* ones, the same for all elements, which are moved in front of the
loop; *linear* integers and pointers, of which the first element's is computed; and *vectors*. An
accumulator (a place that each element is joined with) is a vector, joined after the loop.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from .cuts import Cut, cuts_of, written_out
from .guards import without_guards
from .reading import (
    ADDRESS,
    BINARY,
    BRANCH,
    CALL,
    CAST,
    LOAD,
    NAME,
    PHI,
    SELECT,
    STORE,
    UNARY,
    Unknown,
    parsed,
    renamed,
)

__all__ = ["How", "Loop", "Text"]

LONG = 12  # instructions beyond which a turn is over one register's elements, and not two's

_SIZES = {"i1": 1, "i8": 1, "i16": 2, "i32": 4, "i64": 8, "float": 4, "double": 8}
_SHORT = {"float": "f32", "double": "f64"}
_JOINS = {  # how vectors are joined: the reduction, and what changes nothing
    "fadd": ("fadd", "-0.0"), "fmul": ("fmul", "0x3FF0000000000000"), "add": ("add", "0"),
    "mul": ("mul", "1"), "or": ("or", "0"), "and": ("and", "-1"),
    "llvm.maximum": ("fmaximum", "0xFFF0000000000000"),
    "llvm.minimum": ("fminimum", "0x7FF0000000000000"),
}  # fmt: skip


class _Value(NamedTuple):
    """What is known of a name."""

    kind: str  # "uniform", "linear", "vector"
    type: str
    step: int = 0  # of a linear one, from one element to the next (of pointers, in bytes)


class How(NamedTuple):
    """What is known of a loop besides its text."""

    width: int  # of a vector in bits
    is_hot: bool  # whether it does much of the program's work
    is_short: bool  # whether its code is to be short: it does next to nothing of the work
    is_whole: bool  # whether whole vectors may be computed behind its end


@dataclass
class Text:
    """What loops over vectors refer to, and the names that they give."""

    declarations: dict[str, str] = field(default_factory=dict)
    count: int = 0

    def name(self) -> str:
        self.count += 1
        return f'%"v.{self.count}"'


def _is_kernel(one: re.Match[str]) -> bool:
    return one.re is CALL and one[3].startswith("gt.")


class Loop:
    """One loop in the making."""

    def __init__(self, made: Text, label: str, block: list[str], how: How) -> None:
        self.made, self.label, self.how = made, label, how
        start = PHI.match(block[0])
        branch = BRANCH.match(block[-1])
        bound = BINARY.match(block[-2])
        if start is None or branch is None or bound is None or branch[1] != label:
            raise Unknown
        self.index, self.low, self.next = start.groups()
        self.high, self.done = bound[5], branch[2]
        self.body = [parsed(line) for line in block[1:-3]]
        self.values: dict[str, _Value] = {self.index: _Value("linear", "i64", 1)}
        self.before: list[str] = []
        self.inside: list[str] = []
        self.after: list[str] = []
        # of accumulators: the vector before a turn, its type, what changes nothing, that after it
        self.carried: list[tuple[str, str, str, str]] = []
        self.splats: dict[tuple[str, str], str] = {}
        self.compared: dict[str, tuple[str, str, str, str]] = {}  # uniform truths, and what of
        # by the name of an accumulator's value, before and after it is joined: its place
        self.joined: dict[str, str] = {}
        self.written = {one[3] for one in self.body if one.re is STORE}
        self.lanes = self._lanes(how.width)
        is_known = self.low.lstrip("-").isdigit() and self.high.isdigit()
        self.size = int(self.high) - int(self.low) if is_known else -1
        self.mask = ""
        if not how.is_whole and (self.size % self.lanes or not is_known):
            self.mask = made.name()
        self.piece: Cut | None = None  # if its turns are written out
        self.bases: dict[str, str] = {}  # of linear pointers: what they begin from
        self.wrote: set[str] = set()  # of the bases, those behind which something is written
        self.linear: list[str] = []  # at the beginning of a turn: addresses, and what is read there
        self.loads: list[tuple[str, str, str]] = []
        self.stores: list[tuple[str, str, str]] = []  # at the end of a turn: type, value, place

    def _lanes(self, width: int) -> int:
        """The elements of a vector: of the widest type that is computed with."""
        widest, count, calls = 4, 0, False
        for one in self.body:
            if one.re in (LOAD, UNARY):
                widest = max(widest, _SIZES.get(one[2], 4))
            elif one.re is BINARY:
                if one[3] != "i64":
                    widest = max(widest, _SIZES[one[3]])
                    count += 1
            elif one.re is CALL:
                widest = max(widest, _SIZES[one[2]])
                calls = calls or one[3].startswith("gt.")
                count += 1
            elif one.re is CAST:
                widest = max(widest, _SIZES[one[3]], _SIZES[one[5]])
        lanes = width // (8 * widest)
        is_one = self.how.is_whole or self.how.is_short or calls or count > LONG
        return lanes if is_one else 2 * lanes

    def cuts(self) -> list[Cut]:
        """The pieces into which it is cut, if it is."""
        if self.size < 1 or not self.mask or any(map(_is_kernel, self.body)):
            return []
        return cuts_of(int(self.low), self.size, self.lanes, len(self.body))

    def cut(self, piece: Cut, label: str, done: str) -> None:
        """Be a piece of the loop; the block `done` comes next, if it is not that of the whole."""
        self.low, self.high, self.lanes = str(piece.low), str(piece.high), piece.lanes
        self.mask = ""
        self.label, self.done = label, done or self.done
        self.piece = None if piece.is_loop else piece

    # ------------------------------------------------------------------ the text

    def lines(self) -> list[str]:
        """The block, with one before it and one after it."""
        for one in self.body:
            _RULES[one.re](self, one[0], *one.groups())
        if self.piece is not None:
            return self._copies(self.piece)
        end = f'%"{self.label}.end"'
        over = self.made.name()
        inside = self._guarded(self.label)
        loop = f'%"{self.label}.loop"'  # the last block of a turn
        if self.how.is_short:
            loop = f'%"{self.label}.loop"'
        elif self.mask and self.stores:
            loop = f'%"{self.label}.next"'
        elif len(inside) > len(self.inside):
            loop = f'%"{self.label}.known"'
        elif self.mask and self.loads:
            loop = f'%"{self.label}.turn"'
        head = [
            f'  {self.index} = phi i64 [ {self.low}, %"{self.label}" ], [ {self.next}, {loop} ]'
        ]
        head += [
            f'  {x} = phi {kind} [ {start}, %"{self.label}" ], [ {y}, {loop} ]'
            for x, kind, start, y in self.carried
        ]
        if self.mask:
            head += self._masked()
        return [
            f"{self.label}:",
            *self.before,
            f"  br label %\"{self.label}.loop\"",
            f"{self.label}.loop:",
            *head,
            *self.linear,
            *self._loaded(),
            *inside,
            *self._stored(),
            f"  {self.next} = add nuw nsw i64 {self.index}, {self.lanes}",
            f"  {over} = icmp slt i64 {self.next}, {self.high}",
            f'  br i1 {over}, label %"{self.label}.loop", label {end}',
            f"{self.label}.end:",
            *self.after,
            f'  br label %"{self.done}"',
        ]

    def _copies(self, piece: Cut) -> list[str]:
        """Turns that are written out one after the other."""
        head, tail = [*self.linear, *self._loaded()], self._stored()
        lines, names = written_out(
            piece,
            self.index,
            lambda first: [*head, *self._guarded(f"{self.label}.at{first}"), *tail],
            {x: start for x, _, start, _ in self.carried},
            {x: y for x, _, _, y in self.carried},
        )
        after = [renamed(line, names) for line in self.after]
        return [f"{self.label}:", *self.before, *lines, *after, f'  br label %"{self.done}"']

    def _guarded(self, label: str) -> list[str]:
        """What is computed in a turn, in blocks of names with `label` if it has guards."""
        if not self.how.is_hot:
            return self.inside
        needed = {x: kind for x in (*(x for _, x, _ in self.stores), *(y for *_, y in self.carried))
                  if (kind := self._kind(self._of(x).type))}  # fmt: skip
        return without_guards(self.inside, label, needed, self.made.name)

    def _masked(self) -> list[str]:
        """The lanes that are elements: all but those behind the end."""
        n = self.lanes
        left, most, short, first, all_ = (self.made.name() for _ in range(5))
        self.left = left
        self._declare("llvm.umin.i64", "declare i64 @llvm.umin.i64(i64, i64)")
        numbers = ", ".join(f"i32 {i}" for i in range(n))
        return [
            f"  {left} = sub i64 {self.high}, {self.index}",
            f"  {most} = call i64 @llvm.umin.i64(i64 {left}, i64 {n})",
            f"  {short} = trunc i64 {most} to i32",
            f"  {first} = insertelement <{n} x i32> poison, i32 {short}, i32 0",
            f"  {all_} = shufflevector <{n} x i32> {first}, <{n} x i32> poison, "
            f"<{n} x i32> zeroinitializer",
            f"  {self.mask} = icmp ugt <{n} x i32> {all_}, <{numbers}>",
        ]

    # ------------------------------------------------------------------ operands

    def _of(self, operand: str) -> _Value:
        return self.values.get(operand, _UNIFORM)

    def _is_uniform(self, *operands: str) -> bool:
        return all(self._of(x).kind == "uniform" for x in operands)

    def _kind(self, kind: str) -> str:
        return f"<{self.lanes} x {kind}>"

    def _vector(self, operand: str, kind: str) -> str:
        """An operand as a vector."""
        value = self._of(operand)
        if value.kind == "vector":
            return operand
        if not operand.startswith("%"):
            return f"splat ({kind} {operand})"
        if value.kind == "linear":
            if value.type != "i64":
                raise Unknown
            return self._counted(operand, value.step)
        return self._splat(operand, kind, self.before)

    def _splat(self, operand: str, kind: str, where: list[str]) -> str:
        """A scalar in each lane."""
        found = self.splats.get((operand, kind))
        if found is None:
            one, found = self.made.name(), self.made.name()
            vector = self._kind(kind)
            where += [
                f"  {one} = insertelement {vector} poison, {kind} {operand}, i32 0",
                f"  {found} = shufflevector {vector} {one}, {vector} poison, "
                f"<{self.lanes} x i32> zeroinitializer",
            ]
            self.splats[operand, kind] = found
        return found

    def _counted(self, operand: str, step: int) -> str:
        """A linear integer of each element."""
        first, all_ = self._splat(operand, "i64", self.inside), self.made.name()
        numbers = ", ".join(f"i64 {step * i}" for i in range(self.lanes))
        self.inside.append(f"  {all_} = add {self._kind('i64')} {first}, <{numbers}>")
        return all_

    def _declare(self, name: str, text: str) -> None:
        self.made.declarations.setdefault(name, text)

    # ------------------------------------------------------------------ instructions

    def _uniform(self, line: str, name: str, kind: str) -> None:
        self.values[name] = _Value("uniform", kind)
        self.before.append(line)

    def _give(self, name: str, kind: str, right: str) -> None:
        self.values[name] = _Value("vector", kind)
        self.inside.append(f"  {name} = {right}")

    def _binary(self, line: str, name: str, op: str, kind: str, x: str, y: str) -> None:
        given = "i1" if "cmp" in op else kind
        if self._is_uniform(x, y):
            self._uniform(line, name, given)
            if op.startswith("fcmp"):
                self.compared[name] = op, kind, x, y
            return
        a, b = self._of(x), self._of(y)
        word = op.split()[0]
        if "vector" not in (a.kind, b.kind) and word in ("add", "sub", "mul") and kind == "i64":
            step = self._step(word, x, y, a, b)
            if step is not None:
                self.values[name] = _Value("linear", "i64", step)
                self.linear.append(line)
                return
        if x in self.joined or y in self.joined:
            self._join(name, op, kind, x, y)
            return
        x, y = self._vector(x, kind), self._vector(y, kind)
        self._give(name, given, f"{op} {self._kind(kind)} {x}, {y}")

    def _step(self, word: str, x: str, y: str, a: _Value, b: _Value) -> int | None:
        if word == "add":
            return a.step + b.step
        if word == "sub":
            return a.step - b.step
        if re.fullmatch(r"-?\d+", y):
            return a.step * int(y)
        return b.step * int(x) if re.fullmatch(r"-?\d+", x) else None

    def _unary(self, line: str, name: str, kind: str, x: str) -> None:
        if self._is_uniform(x):
            self._uniform(line, name, kind)
        else:
            self._give(name, kind, f"fneg {self._kind(kind)} {self._vector(x, kind)}")

    def _select(self, line: str, name: str, c: str, kind: str, x: str, y: str) -> None:
        if self._is_uniform(c, x, y):
            self._uniform(line, name, kind)
            return
        vector = self._kind(kind)
        x, y = self._vector(x, kind), self._vector(y, kind)
        self._give(name, kind, f"select {self._condition(c)}, {vector} {x}, {vector} {y}")

    def _condition(self, c: str) -> str:
        """What a select of vectors asks: LLVM makes a jump of a single truth."""
        if not self._is_uniform(c):
            return f"{self._kind('i1')} {c}"
        if c not in self.compared:
            return f"i1 {c}"
        if (c, "i1") not in self.splats:
            op, kind, x, y = self.compared[c]
            found = self.splats[c, "i1"] = self.made.name()
            x, y = self._vector(x, kind), self._vector(y, kind)
            self.before.append(f"  {found} = {op} {self._kind(kind)} {x}, {y}")
        return f"{self._kind('i1')} {self.splats[c, 'i1']}"

    def _cast(self, line: str, name: str, op: str, kind: str, x: str, to: str) -> None:
        if self._is_uniform(x):
            self._uniform(line, name, to)
            return
        x = self._vector(x, kind)
        self._give(name, to, f"{op} {self._kind(kind)} {x} to {self._kind(to)}")

    def _call(self, line: str, name: str, kind: str, called: str, given: str) -> None:
        operands = [one.split(" ") for one in given.split(", ")]
        if self._is_uniform(*(x for _, x in operands)):
            self._uniform(line, name, kind)
            return
        if any(x in self.joined for _, x in operands):
            self._join(name, called.rpartition(".")[0], kind, *(x for _, x in operands))
            return
        if called.startswith("gt."):
            full = f"{called}.v{self.lanes}"
        else:
            full = f"{called.rpartition('.')[0]}.v{self.lanes}{_SHORT[kind]}"
        vectors = [f"{self._kind(k)} {self._vector(x, k)}" for k, x in operands]
        kinds = ", ".join(self._kind(k) for k, _ in operands)
        self._declare(full, f'declare {self._kind(kind)} @"{full}"({kinds})')
        self._give(name, kind, f'call {self._kind(kind)} @"{full}"({", ".join(vectors)})')

    # ------------------------------------------------------------------ memory

    def _address(self, line: str, name: str, kind: str, base: str, index: str) -> None:
        if self._is_uniform(base, index):
            self._uniform(line, name, "ptr")
            return
        a, i = self._of(base), self._of(index)
        if "vector" in (a.kind, i.kind):
            if a.kind == "linear":
                raise Unknown
            index = self._vector(index, "i64")
            base = f"{self._kind('ptr')} {base}" if a.kind == "vector" else f"ptr {base}"
            self._give(name, "ptr", f"getelementptr {kind}, {base}, {self._kind('i64')} {index}")
            return
        self.values[name] = _Value("linear", "ptr", a.step + _SIZES[kind] * i.step)
        self.bases[name] = self.bases.get(base, base)
        self.linear.append(line)

    def _load(self, line: str, name: str, kind: str, at: str) -> None:
        place = self._of(at)
        if self.bases.get(at) in self.wrote:
            raise Unknown  # what is read may have been written before
        if place.kind == "uniform":
            if at in self.written:
                self._accumulator(name, kind, at)
            else:
                self._uniform(line, name, kind)
            return
        size = _SIZES[kind]
        if place.kind == "linear" and place.step == size:
            self.values[name] = _Value("vector", kind)
            self.loads.append((kind, name, at))
            return
        at = self._places(at, place)
        vector = self._kind(kind)
        full = f"llvm.masked.gather.v{self.lanes}{_SHORT.get(kind, kind)}.v{self.lanes}p0"
        pointers, mask = self._kind("ptr"), self._kind("i1")
        self._declare(full, f"declare {vector} @{full}({pointers}, i32 immarg, {mask}, {vector})")
        self._give(
            name, kind, f"call {vector} @{full}({pointers} {at}, i32 {size}, {mask} "
            f"{self.mask or 'splat (i1 true)'}, {vector} zeroinitializer)"
        )  # fmt: skip

    def _places(self, at: str, place: _Value) -> str:
        """The pointers of each element."""
        if place.kind == "vector":
            return at
        numbers = ", ".join(f"i64 {place.step * i}" for i in range(self.lanes))
        name = self.made.name()
        self._give(name, "ptr", f"getelementptr i8, ptr {at}, {self._kind('i64')} <{numbers}>")
        return name

    def _store(self, _line: str, kind: str, x: str, at: str) -> None:
        place = self._of(at)
        if place.kind == "uniform":
            if self.joined.get(x) != at:
                raise Unknown
            return
        if place.kind != "linear":
            raise Unknown
        self.wrote.add(self.bases[at])
        x = self._vector(x, kind)
        if place.step == _SIZES[kind]:
            self.stores.append((kind, x, at))
            return
        name = f"llvm.masked.scatter.v{self.lanes}{_SHORT.get(kind, kind)}.v{self.lanes}p0"
        vector, pointers, mask = (self._kind(k) for k in (kind, "ptr", "i1"))
        self._declare(name, f"declare void @{name}({vector}, {pointers}, i32 immarg, {mask})")
        self.inside.append(
            f"  call void @{name}({vector} {x}, {pointers} {self._places(at, place)}, "
            f"i32 {_SIZES[kind]}, {mask} {self.mask or 'splat (i1 true)'})"
        )

    def _loaded(self) -> list[str]:
        """The loads of a turn; a mask costs much where a vector lies in two lines of the cache."""
        if not self.loads:
            return []
        if not self.mask:
            return [
                f"  {name} = load {self._kind(kind)}, ptr {at}, align {_SIZES[kind]}"
                for kind, name, at in self.loads
            ]
        label, mask = self.label, self._kind("i1")
        plain, masked, joined = [], [], []
        for kind, name, at in self.loads:
            vector, size = self._kind(kind), _SIZES[kind]
            whole, part = self.made.name(), name if self.how.is_short else self.made.name()
            full = f"llvm.masked.load.v{self.lanes}{_SHORT.get(kind, kind)}.p0"
            self._declare(full, f"declare {vector} @{full}(ptr, i32 immarg, {mask}, {vector})")
            plain.append(f"  {whole} = load {vector}, ptr {at}, align {size}")
            masked.append(
                f"  {part} = call {vector} @{full}(ptr {at}, i32 {size}, {mask} {self.mask}, "
                f"{vector} zeroinitializer)"
            )
            joined.append(
                f'  {name} = phi {vector} [ {whole}, %"{label}.all" ], [ {part}, %"{label}.some" ]'
            )
        if self.how.is_short:
            return masked
        return self._either("all", plain, "some", masked, "turn", joined)

    def _either(
        self, full: str, plain: list[str], short: str, masked: list[str], after: str,
        joined: list[str],
    ) -> list[str]:  # fmt: skip
        """Blocks for a full vector and for one that the end cuts short."""
        is_short, label = self.made.name(), self.label
        return [
            f"  {is_short} = icmp slt i64 {self.left}, {self.lanes}",
            f'  br i1 {is_short}, label %"{label}.{short}", label %"{label}.{full}"',
            f"{label}.{full}:",
            *plain,
            f'  br label %"{label}.{after}"',
            f"{label}.{short}:",
            *masked,
            f'  br label %"{label}.{after}"',
            f"{label}.{after}:",
            *joined,
        ]

    def _stored(self) -> list[str]:
        """The stores of a turn, as the loads."""
        if not self.stores:
            return []
        if not self.mask:
            return [
                f"  store {self._kind(kind)} {x}, ptr {at}, align {_SIZES[kind]}"
                for kind, x, at in self.stores
            ]
        plain, masked = [], []
        for kind, x, at in self.stores:
            vector, size, mask = self._kind(kind), _SIZES[kind], self._kind("i1")
            plain.append(f"  store {vector} {x}, ptr {at}, align {size}")
            full = f"llvm.masked.store.v{self.lanes}{_SHORT.get(kind, kind)}.p0"
            self._declare(full, f"declare void @{full}({vector}, ptr, i32 immarg, {mask})")
            masked.append(
                f"  call void @{full}({vector} {x}, ptr {at}, i32 {size}, {mask} {self.mask})"
            )
        if self.how.is_short:
            return masked
        return self._either("full", plain, "short", masked, "next", [])

    # ------------------------------------------------------------------ accumulators

    def _accumulator(self, name: str, kind: str, at: str) -> None:
        # its load and its store; the load and what it is joined with
        if self._uses[at] != 2 or self._uses[name] != 2:
            raise Unknown
        self.joined[name] = at

    @cached_property
    def _uses(self) -> Counter[str]:
        """In how many lines a name stands."""
        return Counter(name for one in self.body for name in set(NAME.findall(one[0])))

    def _join(self, name: str, op: str, kind: str, x: str, y: str) -> None:
        """The vector of an accumulator with the next elements, and after the loop its sum."""
        word = op.split()[0]
        if word not in _JOINS or (word in ("fadd", "fmul") and "reassoc" not in op):
            raise Unknown
        if y in self.joined:
            x, y = y, x
        if y in self.joined:
            raise Unknown
        at, vector = self.joined[x], self._kind(kind)
        if self._uses[name] != 2:
            raise Unknown
        reduction, neutral = _JOINS[word]
        if kind == "i1" and word == "and":
            neutral = "true"
        elements = self._vector(y, kind)
        new = self.made.name() if self.mask else name
        self.values[name] = _Value("vector", kind)
        self.carried.append((x, vector, f"splat ({kind} {neutral})", name))
        if word.startswith("llvm."):
            full = f"{word}.v{self.lanes}{_SHORT[kind]}"
            self._declare(full, f'declare {vector} @"{full}"({vector}, {vector})')
            right = f'call {vector} @"{full}"({vector} {x}, {vector} {elements})'
        else:
            right = f"{op} {vector} {x}, {elements}"
        self.inside.append(f"  {new} = {right}")
        if self.mask:
            self.inside.append(
                f"  {name} = select {self._kind('i1')} {self.mask}, {vector} {new}, {vector} {x}"
            )
        self.joined[name] = at
        total, old, last = (self.made.name() for _ in range(3))
        full = f"llvm.vector.reduce.{reduction}.v{self.lanes}{_SHORT.get(kind, kind)}"
        first = f"{kind} {neutral}, " if reduction in ("fadd", "fmul") else ""
        self._declare(full, f"declare {kind} @{full}({kind + ', ' if first else ''}{vector})")
        flags = "reassoc " if first else ""
        self.after += [
            f"  {total} = call {flags}{kind} @{full}({first}{vector} {name})",
            f"  {old} = load {kind}, ptr {at}",
        ]
        if word.startswith("llvm."):
            called = f"{word}.{_SHORT[kind]}"
            self.after.append(
                f'  {last} = call {kind} @"{called}"({kind} {old}, {kind} {total})'
            )
        else:
            self.after.append(f"  {last} = {op} {kind} {old}, {total}")
        self.after.append(f"  store {kind} {last}, ptr {at}")


_UNIFORM = _Value("uniform", "")
_RULES: dict[re.Pattern[str], Callable[..., None]] = {
    BINARY: Loop._binary, ADDRESS: Loop._address, LOAD: Loop._load,
    STORE: Loop._store, CALL: Loop._call, SELECT: Loop._select,
    CAST: Loop._cast, UNARY: Loop._unary,
}  # fmt: skip
