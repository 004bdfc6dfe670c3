"""LLVM's language as it is written: what LLVM's own parser says of it."""

import ctypes
import threading
from concurrent.futures import ThreadPoolExecutor

import llvmlite.binding as llvm
import numpy as np
import pytest

from gradtape.backends.llvm import ir, types
from gradtape.backends.llvm.compile import compile_text

pytestmark = pytest.mark.slow  # as a file

I64, DOUBLE, PTR, VOID = ir.IntType(64), ir.DoubleType(), ir.PointerType(), ir.VoidType()


def function(result, *arguments):
    """A function of a new module, and a builder at its beginning."""
    made = ir.Function(ir.Module("m"), ir.FunctionType(result, arguments), "f")
    return made, ir.IRBuilder(made.append_basic_block("entry"))


def parsed(module):
    """The module as LLVM has read it and found right."""
    found = llvm.parse_assembly(str(module))
    found.verify()
    return str(found)


@pytest.mark.parametrize("name", ["add", "sub", "mul", "sdiv", "udiv", "srem", "urem", "and_",
                                  "or_", "xor", "shl", "ashr", "lshr"])  # fmt: skip
def test_integers(name):
    f, b = function(I64, I64, I64)
    b.ret(getattr(b, name)(*f.args))
    assert f" = {name.strip('_')} i64 %" in parsed(f.module)


@pytest.mark.parametrize("name", ["fadd", "fsub", "fmul", "fdiv"])
def test_floats_and_their_flags(name):
    f, b = function(DOUBLE, DOUBLE, DOUBLE)
    x, y = f.args
    b.ret(b.fneg(getattr(b, name)(getattr(b, name)(x, y), y, flags=["reassoc", "nsz"])))
    text = parsed(f.module)
    assert f" = {name} double %" in text and f" = {name} reassoc nsz double %" in text


def test_the_text_runs():
    f, b = function(I64, I64)
    (n,) = f.args
    loop, done = (f.append_basic_block(name) for name in ("loop", "done"))
    b.branch(loop)
    b.position_at_end(loop)
    i, total = b.phi(I64), b.phi(I64)
    i.add_incoming(I64(0), f.blocks[0])
    total.add_incoming(I64(0), f.blocks[0])
    more, following = b.add(total, i), b.add(i, I64(1))
    i.add_incoming(following, loop)
    total.add_incoming(more, loop)
    b.cbranch(b.icmp_signed("<", following, n), loop, done)
    b.position_at_end(done)
    b.ret(more)
    run = compile_text(str(f.module)).function("f", ctypes.c_int64, ctypes.c_int64)
    assert run(10) == 45


def test_vectors_memory_and_values_of_several_parts():
    four, pair = ir.VectorType(DOUBLE, 4), ir.LiteralStructType(DOUBLE, DOUBLE)
    f, b = function(pair, PTR, I64)
    at, i = f.args
    place = b.gep(at, [i], source_etype=DOUBLE)
    x = b.load(place, typ=four, align=8)
    order = ir.Constant(ir.VectorType(ir.IntType(32), 4), [ir.IntType(32)(n) for n in (3, 2, 1, 0)])
    y = b.fadd(x, b.shuffle_vector(x, ir.Constant(four, ir.Undefined), order))
    less = b.fcmp_unordered("<", x, y)
    assert less.type is ir.VectorType(ir.IntType(1), 4)
    y = b.insert_element(b.select(less, x, y), DOUBLE(1.0), ir.IntType(32)(0))
    room = b.alloca(four, I64(2), align=64)
    b.store(y, room, align=32)
    one = b.extract_element(y, ir.IntType(32)(1))
    both = b.insert_value(ir.Constant(pair, ir.Undefined), one, 0)
    b.ret(b.insert_value(both, b.uitofp(b.ptrtoint(room, I64), DOUBLE), 1))
    parsed(f.module)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("number", [0.0, -0.0, 1.0, 0.1, 5e-324, 1e-45, 3e38, np.inf, -np.inf])
def test_a_float_is_written_with_all_its_bits(dtype, number):
    f, b = function(types.scalar(dtype))
    b.ret(types.constant(dtype, number))
    kind = np.ctypeslib.as_ctypes_type(dtype)
    found = dtype(compile_text(str(f.module)).function("f", kind)())
    with np.errstate(all="ignore"):
        assert found.tobytes() == dtype(number).tobytes()


def test_names_are_given_once_and_types_are_one_object():
    f, _ = function(VOID, I64)
    assert [f.append_basic_block("loop").name for _ in range(3)] == ["loop", "loop.1", "loop.2"]
    assert [f.module.get_unique_name("table") for _ in range(2)] == ["table", "table.1"]
    assert ir.VectorType(DOUBLE, 4) is ir.VectorType(ir.DoubleType(), 4)
    assert ir.VectorType(DOUBLE, 4) is not ir.VectorType(ir.FloatType(), 4)


def test_the_first_block_is_written_before_its_end():
    f, b = function(VOID, I64)
    other = f.append_basic_block("other")
    b.branch(other)
    b.position_at_end(other)
    with b.goto_entry_block():
        b.alloca(I64)
    b.ret_void()
    assert "alloca" in f.blocks[0].lines[0] and f.blocks[0].lines[1].startswith("  br")
    parsed(f.module)


def test_operands_of_two_types_and_a_second_end_are_refused():
    f, b = function(VOID, I64, DOUBLE)
    for write in (b.add, lambda x, y: b.icmp_signed("<", x, y), lambda x, y: b.select(x, x, y)):
        with pytest.raises(AssertionError, match="of i64 and double"):
            write(*f.args)
    b.ret_void()
    with pytest.raises(AssertionError, match="second end"):
        b.ret_void()


def test_threads_that_make_a_type_at_once_have_the_same():
    for width in range(200, 260):
        barrier = threading.Barrier(4)

        def make(_, width=width, barrier=barrier):
            barrier.wait(10)
            return ir.IntType(width)

        with ThreadPoolExecutor(4) as pool:
            assert len(set(map(id, pool.map(make, range(4))))) == 1


def test_a_vector_of_one_number_is_written_once():
    one, four = DOUBLE(1.5), ir.VectorType(DOUBLE, 4)
    f, b = function(four, four)
    b.ret(b.fadd(f.args[0], ir.Constant(four, [one] * 4)))
    assert str(f.module).count("0x3ff8") == 1
    assert "splat (double 1.500000e+00)" in parsed(f.module)
