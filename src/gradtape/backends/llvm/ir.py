"""LLVM's language, as text that is written while it is built.

The words are those of `llvmlite.ir`. That keeps an object for each instruction and makes text of
them at the end, which took a third of the first call of a program with products; here an
instruction is its line at once. What can still change stays an object to the end: the head of a
function, and a phi, whose values come later. LLVM's parser is what checks the text.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

__all__ = [
    "ArrayType", "Block", "Constant", "DoubleType", "FloatType", "Function", "FunctionType",
    "GlobalVariable", "IRBuilder", "IntType", "LiteralStructType", "Module", "Phi", "PointerType",
    "Type", "Undefined", "Value", "VectorType", "VoidType",
]  # fmt: skip

# ------------------------------------------------------------------------------ types


class _Once(type):
    """Classes that have one object for the same arguments, so that `is` compares types."""

    _made: dict[tuple[Any, ...], Any] = {}

    def __call__(cls, *args: Any) -> Any:
        key = (cls, *args)
        found = _Once._made.get(key)
        if found is None:  # another thread may make it too: the first stays
            found = _Once._made.setdefault(key, super().__call__(*args))
        return found


class Type(metaclass=_Once):
    """A type: its text, and what an intrinsic for it has behind its name."""

    text: str
    suffix: str = ""

    def __str__(self) -> str:
        return self.text

    def __call__(self, value: Any) -> Constant:
        """A constant of this type."""
        return Constant(self, value)

    def written(self, value: Any) -> str:
        """The text of a constant: that of each of its elements."""
        return ", ".join([f"{x.type.text} {x.ref}" for x in value])


class VoidType(Type):
    """Of a function that gives nothing."""

    text = "void"


class PointerType(Type):
    """An address."""

    text = "ptr"


class IntType(Type):
    """An integer of some bits."""

    def __init__(self, width: int) -> None:
        self.width, self.text, self.suffix = width, f"i{width}", f"i{width}"

    def written(self, value: Any) -> str:
        return str(int(value))


class DoubleType(Type):
    """A float64."""

    text, suffix = "double", "f64"

    def written(self, value: Any) -> str:
        return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:x}"


class FloatType(DoubleType):
    """A float32; its constants are written as those of a float64."""

    text, suffix = "float", "f32"

    def written(self, value: Any) -> str:
        return super().written(struct.unpack("<f", struct.pack("<f", value))[0])


class VectorType(Type):
    """`count` elements in one register."""

    def __init__(self, element: Any, count: int) -> None:
        self.element, self.count = element, count
        self.text, self.suffix = f"<{count} x {element.text}>", f"v{count}{element.suffix}"

    def written(self, value: Any) -> str:
        first = value[0]
        if value.count(first) == len(value):
            return f"splat ({first.type.text} {first.ref})"
        return f"<{super().written(value)}>"


class ArrayType(Type):
    """`count` elements in memory."""

    def __init__(self, element: Any, count: int) -> None:
        self.element, self.count = element, count
        self.text = f"[{count} x {element.text}]"

    def written(self, value: Any) -> str:
        return f"[{super().written(value)}]"


class LiteralStructType(Type):
    """Several values as one."""

    def __init__(self, *elements: Any) -> None:
        self.text = f"{{{', '.join(kind.text for kind in elements)}}}"


_VOID, _PTR, _BIT = VoidType(), PointerType(), IntType(1)


class FunctionType:
    """What a function takes and gives."""

    def __init__(self, result: Any, arguments: Sequence[Any]) -> None:
        self.result, self.arguments = result, arguments


# ------------------------------------------------------------------------------ values


class Value:
    """What an instruction can take: its type, and its name in the text."""

    __slots__ = ("ref", "type")

    def __init__(self, kind: Any, ref: str) -> None:
        self.type, self.ref = kind, ref


Undefined = object()


class Constant(Value):
    """A value that is known: a number, or a sequence of constants."""

    __slots__ = ("constant",)

    def __init__(self, kind: Any, value: Any) -> None:
        super().__init__(kind, "undef" if value is Undefined else kind.written(value))
        self.constant = value


def is_true(x: Any) -> bool:
    """Whether a value is known to be true."""
    return isinstance(x, Constant) and bool(x.constant)


class Argument(Value):
    """What a function is given."""

    __slots__ = ("attributes",)

    def __init__(self, kind: Any, ref: str) -> None:
        super().__init__(kind, ref)
        self.attributes: list[str] = []

    def add_attribute(self, attribute: str) -> None:
        """Say something of it, as LLVM names it."""
        self.attributes.append(attribute)

    def __str__(self) -> str:
        return " ".join([self.type.text, *self.attributes, self.ref])


class Phi(Value):
    """A value that depends on the block from which this one was entered."""

    __slots__ = ("incoming",)

    def __init__(self, kind: Any, ref: str) -> None:
        super().__init__(kind, ref)
        self.incoming: list[str] = []

    def add_incoming(self, value: Any, block: Block) -> None:
        """What it is where the block before was `block`."""
        self.incoming.append(f"[{value.ref}, {block.ref}]")

    def __str__(self) -> str:
        return f"  {self.ref} = phi {self.type.text} {', '.join(self.incoming)}"


class Block:
    """Instructions that run one after the other: lines, and phis."""

    def __init__(self, function: Function, name: str) -> None:
        self.function, self.name, self.ref = function, name, f'%"{name}"'
        self.lines: list[Any] = []
        self.is_terminated = False


# ------------------------------------------------------------------------------ modules


class _Names:
    """Names that are given once: `loop`, then `loop.1`."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def take(self, name: str) -> str:
        """`name`, with a number where it has been given before."""
        count = self.counts[name] = self.counts.get(name, -1) + 1
        return f"{name}.{count}" if count else name


class Module:
    """Functions, tables of constants, and notes on loops."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.globals: dict[str, Any] = {}
        self.notes: list[str] = []
        self._names = _Names()

    def get_unique_name(self, name: str) -> str:
        """`name`, with a number where this has given it before."""
        return self._names.take(name)

    def __str__(self) -> str:
        head = (
            f'; ModuleID = "{self.name}"\n'
            'target triple = "unknown-unknown-unknown"\n'
            'target datalayout = ""\n'
        )
        return "\n".join([head, *map(str, self.globals.values()), *self.notes])


class GlobalVariable(Value):
    """A table of constants."""

    def __init__(self, module: Module, kind: Any, name: str) -> None:
        super().__init__(_PTR, f'@"{name}"')
        self.value_type, self.linkage = kind, ""
        self.global_constant = False
        self.initializer: Any = None
        module.globals[name] = self

    def __str__(self) -> str:
        what = "constant" if self.global_constant else "global"
        words = [self.linkage, what, self.value_type.text, self.initializer.ref]
        return f"{self.ref} = {' '.join(word for word in words if word)}"


class Function(Value):
    """A function; one without blocks is a declaration."""

    def __init__(self, module: Module, kind: FunctionType, name: str) -> None:
        super().__init__(_PTR, f'@"{name}"')
        self.module, self.name, self.result = module, name, kind.result
        self.linkage = ""
        self.attributes: set[str] = set()
        self.blocks: list[Block] = []
        self.names, self.count = _Names(), 0
        self.args = tuple([Argument(one, self.new_name()) for one in kind.arguments])
        module.globals[name] = self

    def new_name(self) -> str:
        """A name for the next value."""
        self.count += 1
        return f'%".{self.count}"'

    def append_basic_block(self, name: str) -> Block:
        """A new block at the end; with a number behind its name where that is there."""
        block = Block(self, self.names.take(name))
        self.blocks.append(block)
        return block

    def __str__(self) -> str:
        words = ["define" if self.blocks else "declare", self.linkage, self.result.text]
        given = ", ".join(map(str, self.args))
        head = f"{' '.join(word for word in words if word)} {self.ref}({given})"
        head = " ".join([head, *sorted(self.attributes)])
        if not self.blocks:
            return f"{head}\n"
        lines = [head, "{"]
        for block in self.blocks:
            lines.append(f"{block.name}:")
            lines += map(str, block.lines)
        return "\n".join([*lines, "}\n"])


# ------------------------------------------------------------------------------ instructions

_COMPARISONS = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}


def _binary(word: str) -> Callable[..., Value]:
    def write(self: IRBuilder, x: Any, y: Any, flags: Sequence[str] = ()) -> Value:
        assert x.type is y.type, f"{word} of {x.type} and {y.type}"
        said = " ".join((word, *flags)) if flags else word
        return self.give(x.type, f"{said} {x.type.text} {x.ref}, {y.ref}")

    return write


def _cast(word: str) -> Callable[..., Value]:
    def write(self: IRBuilder, x: Any, kind: Any) -> Any:
        if x.type is kind:
            return x
        return self.give(kind, f"{word} {x.type.text} {x.ref} to {kind.text}")

    return write


def _listed(values: Sequence[Any]) -> str:
    return ", ".join([f"{x.type.text} {x.ref}" for x in values])


class IRBuilder:
    """Writes instructions at the end of a block."""

    def __init__(self, block: Block) -> None:
        self.block = block

    @property
    def function(self) -> Function:
        """That of the block."""
        return self.block.function

    @property
    def module(self) -> Module:
        """That of the function."""
        return self.block.function.module

    def position_at_end(self, block: Block) -> None:
        """Go on in another block."""
        self.block = block

    def append_basic_block(self, name: str) -> Block:
        """A new block of the function."""
        return self.function.append_basic_block(name)

    @contextlib.contextmanager
    def goto_entry_block(self) -> Iterator[None]:
        """Inside, write into the first block of the function, before what ends it."""
        around, entry = self.block, self.function.blocks[0]
        self.block = entry
        end = [entry.lines.pop()] if entry.is_terminated else []
        yield
        entry.lines += end
        self.block = around

    def give(self, kind: Any, text: str) -> Value:
        """Write an instruction that gives a value."""
        block = self.block
        function = block.function
        function.count += 1
        name = f'%".{function.count}"'
        block.lines.append(f"  {name} = {text}")
        return Value(kind, name)

    def _end(self, text: str) -> None:
        assert not self.block.is_terminated, f"a second end of {self.block.name}"
        self.block.lines.append(f"  {text}")
        self.block.is_terminated = True

    # ------------------------------------------------------------------ arithmetic

    add, sub, mul = _binary("add"), _binary("sub"), _binary("mul")
    sdiv, udiv, srem, urem = _binary("sdiv"), _binary("udiv"), _binary("srem"), _binary("urem")
    and_, or_, xor = _binary("and"), _binary("or"), _binary("xor")
    shl, ashr, lshr = _binary("shl"), _binary("ashr"), _binary("lshr")
    fadd, fsub, fmul, fdiv = _binary("fadd"), _binary("fsub"), _binary("fmul"), _binary("fdiv")
    trunc, zext, sext = _cast("trunc"), _cast("zext"), _cast("sext")
    fpext, fptrunc, bitcast = _cast("fpext"), _cast("fptrunc"), _cast("bitcast")
    sitofp, uitofp = _cast("sitofp"), _cast("uitofp")
    fptosi, fptoui = _cast("fptosi"), _cast("fptoui")
    ptrtoint, inttoptr = _cast("ptrtoint"), _cast("inttoptr")

    def fneg(self, x: Any) -> Value:
        """-x of a float."""
        return self.give(x.type, f"fneg {x.type.text} {x.ref}")

    def neg(self, x: Any) -> Value:
        """-x of an integer."""
        return self.sub(_filled(x.type, 0), x)

    def not_(self, x: Any) -> Value:
        """Every bit of x turned over."""
        return self.xor(x, _filled(x.type, -1))

    # ------------------------------------------------------------------ order and choice

    def icmp_signed(self, symbol: str, x: Any, y: Any) -> Value:
        """Whether x `symbol` y of integers with a sign."""
        sign = "" if symbol in ("==", "!=") else "s"
        return self._compared(f"icmp {sign}{_COMPARISONS[symbol]}", x, y)

    def icmp_unsigned(self, symbol: str, x: Any, y: Any) -> Value:
        """Whether x `symbol` y of integers without a sign."""
        sign = "" if symbol in ("==", "!=") else "u"
        return self._compared(f"icmp {sign}{_COMPARISONS[symbol]}", x, y)

    def fcmp_ordered(self, symbol: str, x: Any, y: Any) -> Value:
        """Whether x `symbol` y of floats; not so of a NaN."""
        return self._compared(f"fcmp o{_COMPARISONS[symbol]}", x, y)

    def fcmp_unordered(self, symbol: str, x: Any, y: Any) -> Value:
        """Whether x `symbol` y of floats or one is a NaN; "uno": whether one is a NaN."""
        word = "uno" if symbol == "uno" else f"u{_COMPARISONS[symbol]}"
        return self._compared(f"fcmp {word}", x, y)

    def _compared(self, word: str, x: Any, y: Any) -> Value:
        assert x.type is y.type, f"{word} of {x.type} and {y.type}"
        lanes = getattr(x.type, "count", 0)
        kind = VectorType(_BIT, lanes) if lanes else _BIT
        return self.give(kind, f"{word} {x.type.text} {x.ref}, {y.ref}")

    def select(self, condition: Any, x: Any, y: Any) -> Value:
        """Where the condition holds x, else y."""
        assert x.type is y.type, f"select of {x.type} and {y.type}"
        return self.give(x.type, f"select {_listed((condition, x, y))}")

    def phi(self, kind: Any) -> Phi:
        """A value that depends on the block before; `add_incoming` says how."""
        made = Phi(kind, self.block.function.new_name())
        self.block.lines.append(made)
        return made

    # ------------------------------------------------------------------ memory

    def alloca(self, kind: Any, size: Any = None, align: int = 0) -> Value:
        """The address of room for one value, or for `size` of them."""
        room = f"alloca {kind.text}"
        if size is not None:
            room += f", {size.type.text} {size.ref}"
        return self.give(_PTR, room + _aligned(align))

    def load(self, at: Any, typ: Any, align: int = 0) -> Value:
        """A value from memory."""
        return self.give(typ, f"load {typ.text}, ptr {at.ref}{_aligned(align)}")

    def store(self, x: Any, at: Any, align: int = 0) -> None:
        """Write a value to memory."""
        self.block.lines.append(f"  store {x.type.text} {x.ref}, ptr {at.ref}{_aligned(align)}")

    def gep(self, at: Any, indices: Sequence[Any], source_etype: Any) -> Value:
        """An address, moved by so many elements of a type; by none it is the same."""
        if len(indices) == 1:
            (by,) = indices
            if type(by) is Constant and by.constant == 0:
                return at  # type: ignore[no-any-return]
            moved = f"ptr {at.ref}, {by.type.text} {by.ref}"
            return self.give(_PTR, f"getelementptr {source_etype.text}, {moved}")
        text = f"getelementptr {source_etype.text}, ptr {at.ref}, {_listed(indices)}"
        return self.give(_PTR, text)

    # ------------------------------------------------------------------ parts of values

    def insert_element(self, vector: Any, x: Any, place: Any) -> Value:
        """The vector, with x in one place."""
        return self.give(vector.type, f"insertelement {_listed((vector, x, place))}")

    def extract_element(self, vector: Any, place: Any) -> Value:
        """One element of a vector."""
        return self.give(vector.type.element, f"extractelement {_listed((vector, place))}")

    def shuffle_vector(self, x: Any, y: Any, mask: Any) -> Value:
        """The elements of x and y behind it, in an order."""
        kind = VectorType(x.type.element, mask.type.count)
        return self.give(kind, f"shufflevector {_listed((x, y, mask))}")

    def insert_value(self, whole: Any, x: Any, place: int) -> Value:
        """Several values as one, with x in one place."""
        return self.give(whole.type, f"insertvalue {_listed((whole, x))}, {place}")

    # ------------------------------------------------------------------ where it goes on

    def call(
        self, function: Function, arguments: Sequence[Any], attrs: Sequence[str] = ()
    ) -> Value:
        """What a function gives; nobody names it where that is nothing."""
        text = f"call {function.result.text} {function.ref}({_listed(arguments)})"
        if attrs:
            text = " ".join((text, *attrs))
        if function.result is not _VOID:
            return self.give(function.result, text)
        self.block.lines.append(f"  {text}")
        return Value(function.result, "")

    def branch(self, block: Block) -> None:
        """Go on in a block."""
        self._end(f"br label {block.ref}")

    def cbranch(self, condition: Any, yes: Block, no: Block, note: str = "") -> None:
        """Go on in one of two blocks; `note` is metadata."""
        self._end(f"br i1 {condition.ref}, label {yes.ref}, label {no.ref}{note}")

    def ret(self, x: Any) -> None:
        """Give a value to the caller."""
        self._end(f"ret {x.type.text} {x.ref}")

    def ret_void(self) -> None:
        """Go back to the caller."""
        self._end("ret void")


def _aligned(align: int) -> str:
    return f", align {align}" if align else ""


def _filled(kind: Any, number: int) -> Constant:
    if isinstance(kind, VectorType):
        return Constant(kind, [Constant(kind.element, number)] * kind.count)
    return Constant(kind, number)
