"""Tensor: ndarray's whole surface, operators with everything, Python's protocols, other libraries.

Values are compared with NumPy's own; where a method has a derivative, its gradient is compared
with that of the NumPy function or with a closed form.
"""

import copy
import io
import operator
import pickle
import warnings

import numpy as np
import pytest

import gradtape as gt

Tensor = gt.Tensor
NUMPY = np.lib.NumpyVersion(np.__version__)
VALUE = np.array([[3.0, -1.0, 2.0], [0.5, 4.0, -2.5]])


def gradient(function, value=VALUE, weight=None):
    """Gradient of the weighted sum of `function(x)`, and the result."""
    x = gt.Variable(value)
    with gt.GradientTape() as tape:
        y = function(x)
        loss = np.sum(y if weight is None else y * weight)
    return tape.gradient(loss, x).numpy(), y


# --------------------------------------------------------------------- the whole surface

# name -> calls to make on a Tensor and on the ndarray; results must be equal
METHODS = {
    "all": [(), (0,)], "any": [(), (1,)], "argmax": [(), (0,)], "argmin": [(), (-1,)],
    "argpartition": [(1,)], "argsort": [(), (0,)], "astype": [(np.float32,), (int,), (complex,)],
    "byteswap": [()], "clip": [(0.0, 2.0), (None, 1.0)],
    "compress": [([True, False], 0)], "conj": [()], "conjugate": [()], "copy": [(), ("F",)],
    "cumprod": [(), (1,)], "cumsum": [(), (0,)], "diagonal": [(), (1,)],
    "dot": [(np.ones(3),)], "flatten": [(), ("F",)], "getfield": [(np.float64,)],
    "item": [(1,), (1, 2)], "max": [(), (0,)], "mean": [(), (1,)], "min": [(), (0,)],
    "nonzero": [()], "prod": [(), (0,)], "ravel": [(), ("F",), ("K",)],
    "repeat": [(2,), ([1, 2], 0)], "reshape": [(3, 2), ((6,),), (-1,)], "round": [(), (1,)],
    "squeeze": [()], "std": [(), (0,)], "sum": [(), (0,), ((0, 1),)], "swapaxes": [(0, 1)],
    "take": [([0, 2],), ([1], 1)], "tobytes": [(), ("F",)], "to_device": [("cpu",)],
    "tolist": [()], "trace": [(), (1,)], "transpose": [(), (1, 0), ((1, 0),)], "var": [(), (1,)],
    "view": [(), (np.float64,), (np.ndarray,)],
}  # fmt: skip
ATTRIBUTES = ["T", "dtype", "imag", "itemsize", "mT", "nbytes", "ndim", "real", "shape", "size",
              "strides", "device"]  # fmt: skip
# name -> arguments; changes the array in place
IN_PLACE = {
    "fill": (7.0,), "partition": (1,), "put": ([0, -1], [10.0, 20.0]), "resize": ((2, 2),),
    "sort": (), "setflags": (),
}  # fmt: skip
# tested one by one below
OTHERS = {"base", "choose", "ctypes", "data", "dump", "dumps", "flags", "flat", "searchsorted",
          "setfield", "tofile"}  # fmt: skip


def test_every_public_name_of_ndarray_is_there_and_tested_here():
    # NumPy 2.0 still lists methods that it has taken away; tostring was an old name of tobytes
    names = {name for name in dir(VALUE) if not name.startswith("_") and hasattr(VALUE, name)}
    names -= {"tostring"}
    assert not {name for name in names if not hasattr(Tensor, name)}
    assert names <= {*METHODS, *ATTRIBUTES, *IN_PLACE, *OTHERS}


def test_every_special_name_of_ndarray_that_means_something_is_there():
    apart = {
        # of the C object; with the buffer interfaces NumPy would read past __array__
        "__array_finalize__", "__array_interface__", "__array_struct__", "__array_wrap__",
        "__class_getitem__", "__delitem__", "__setstate__", "__buffer__", "__release_buffer__",
    }  # fmt: skip
    names = {name for name in dir(np.ndarray) if name.startswith("__")} - apart
    assert not {name for name in names if not hasattr(Tensor, name)}


def equal(found, expected):
    if isinstance(expected, tuple):
        assert len(found) == len(expected)
        for f, e in zip(found, expected, strict=True):
            equal(f, e)
    elif isinstance(expected, np.ndarray | np.generic):
        assert isinstance(found, Tensor)
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_array_equal(found.numpy(), expected)
    else:
        assert type(found) is type(expected) and found == expected


@pytest.mark.parametrize("name", METHODS)
def test_method(name):
    for args in METHODS[name]:
        equal(getattr(gt.array(VALUE), name)(*args), getattr(VALUE.copy(), name)(*args))


@pytest.mark.parametrize("name", METHODS)
def test_method_of_a_number(name):
    """A 0-d Tensor holds a NumPy scalar; methods give what they give for a 0-d array."""
    zero_d = np.array(2.5)
    # NumPy lets axis 0 of nothing pass in compress
    for args in METHODS[name] if name != "compress" else [([True],)]:
        try:
            expected = getattr(zero_d.copy(), name)(*args)
        except DeprecationWarning:  # nonzero, before NumPy 2.1
            continue
        except (ValueError, IndexError, TypeError) as error:
            with pytest.raises(type(error)):
                getattr(gt.array(2.5), name)(*args)
            continue
        found = getattr(gt.array(2.5), name)(*args)
        if isinstance(expected, np.ndarray) and expected.ndim == 0:
            expected = expected[()]
        equal(found, expected)
        if isinstance(found, Tensor) and found.ndim == 0:
            assert isinstance(found.value, np.generic)


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attribute(name):
    for value in (VALUE, VALUE + 1j, np.arange(4).reshape(2, 2)):
        expected = getattr(value, name) if hasattr(np.ndarray, name) else "cpu"
        equal(getattr(gt.array(value), name), expected)


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place(name):
    x, plain = gt.array(VALUE), VALUE.copy()
    key = x.key
    assert getattr(x, name)(*IN_PLACE[name]) is None
    if name == "resize":
        plain = np.resize(plain, (2, 2))  # smaller: no difference to ndarray.resize
    else:
        getattr(plain, name)(*IN_PLACE[name])
    np.testing.assert_array_equal(x.numpy(), plain)
    if name != "setflags":
        assert x.key != key, "an in-place method makes a new version"


@pytest.mark.parametrize(
    ("method", "function"),
    [
        (lambda x: x.sum(0, keepdims=True), lambda x: np.sum(x, 0, keepdims=True)),
        (lambda x: x.mean(axis=1), lambda x: np.mean(x, axis=1)),
        (lambda x: x.std(ddof=1), lambda x: np.std(x, ddof=1)),
        (lambda x: x.var(0, correction=1), lambda x: np.var(x, 0, correction=1)),
        (lambda x: x.prod(initial=2.0), lambda x: np.prod(x, initial=2.0)),
        (lambda x: x.max(0), lambda x: np.max(x, 0)),
        (lambda x: x.min(where=VALUE > 0, initial=9.0),
         lambda x: np.min(x, where=VALUE > 0, initial=9.0)),
        (lambda x: x.cumsum(1), lambda x: np.cumsum(x, 1)),
        (lambda x: x.cumprod(), np.cumprod),
        (lambda x: x.clip(0.0, 2.5), lambda x: np.clip(x, 0.0, 2.5)),
        (lambda x: x.clip(max=2.5), lambda x: np.minimum(x, 2.5)),
        (lambda x: x.dot(np.arange(3.0)), lambda x: np.dot(x, np.arange(3.0))),
        (lambda x: x.ravel(), np.ravel), (lambda x: x.flatten("F"), lambda x: np.ravel(x, "F")),
        (lambda x: x.reshape(3, -1), lambda x: np.reshape(x, (3, -1))),
        (lambda x: x.transpose(1, 0), np.transpose), (lambda x: x.T, np.transpose),
        (lambda x: x.mT, np.matrix_transpose),
        (lambda x: x.swapaxes(0, 1), lambda x: np.swapaxes(x, 0, 1)),
        (lambda x: x.squeeze(), np.squeeze),
        (lambda x: x.take([0, 0, 5]), lambda x: np.take(x, [0, 0, 5])),
        (lambda x: x.compress([False, True], axis=0), lambda x: np.compress([0, 1], x, axis=0)),
        (lambda x: x.diagonal(1), lambda x: np.diagonal(x, 1)),
        (lambda x: x.trace(), np.trace),
        (lambda x: x.repeat(3, axis=0), lambda x: np.repeat(x, 3, 0)),
        (lambda x: x.conj(), np.conjugate), (lambda x: x.conjugate(), np.conjugate),
        (lambda x: x.real, np.real), (lambda x: x.copy(), np.copy), (lambda x: x.view(), np.copy),
        (lambda x: x.astype(np.float32), lambda x: np.astype(x, np.float32)),
        (lambda x: x.astype(float, copy=False), np.copy), (lambda x: x.to_device("cpu"), np.copy),
        (lambda x: x.flat.copy(), np.ravel), (lambda x: gt.stack(list(x.flat)), np.ravel),
        (lambda x: x.flat[1:4], lambda x: np.ravel(x)[1:4]),
        (lambda x: x.flat[[0, 0]], lambda x: np.ravel(x)[[0, 0]]),
        (lambda x: x.flat[-1], lambda x: x[-1, -1]),
    ],
)  # fmt: skip
def test_methods_have_the_gradient_of_the_function(method, function):
    expected, y = gradient(function)
    weight = np.linspace(0.5, 2.0, max(y.size, 1)).reshape(y.shape)
    expected, _ = gradient(function, weight=weight)
    found, z = gradient(method, weight=weight)
    np.testing.assert_array_equal(z.numpy(), y.numpy())
    np.testing.assert_array_equal(found, expected)


def test_methods_of_indices_and_their_neighbours():
    x = gt.array(np.array([0.5, 1.5, 2.5]))
    equal(x.searchsorted([1.0, 2.0]), x.numpy().searchsorted([1.0, 2.0]))
    equal(x.searchsorted(1.5, side="right"), x.numpy().searchsorted(1.5, side="right"))
    i = gt.array([0, 1, 0])
    equal(i.choose([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]), np.array([1.0, 20.0, 3.0]))
    equal(x.argsort(stable=True), np.arange(3))


def test_choose_is_followed():
    a = gt.Variable([1.0, 2.0, 3.0])
    with gt.GradientTape() as tape:
        loss = np.sum(gt.array([0, 1, 0]).choose([a * 2.0, a * 10.0]))
    np.testing.assert_array_equal(tape.gradient(loss, a).numpy(), [2.0, 10.0, 2.0])


def test_out_of_methods():
    for name in ("sum", "mean", "max", "cumsum"):
        x = gt.Variable(VALUE)
        out = gt.zeros(3 if name != "cumsum" else (2, 3))
        with gt.GradientTape() as tape:
            assert getattr(x, name)(axis=0, out=out) is out
            loss = np.sum(out)
        expected, y = gradient(lambda v, name=name: getattr(v, name)(axis=0))
        np.testing.assert_array_equal(out.numpy(), y.numpy())
        np.testing.assert_array_equal(tape.gradient(loss, x).numpy(), expected)


# --------------------------------------------------------------------- written in place


def followed(write, value=VALUE, source=2.0):
    """(array after the write, gradients of its weighted sum by the array before and by s)."""
    x, s = gt.Variable(value), gt.Variable(source)
    with gt.GradientTape() as tape:
        y = x * 1.0
        write(y, s)
        weight = np.arange(1.0, y.size + 1).reshape(y.shape)
        loss = np.sum(y * weight)
    gx, gs = tape.gradient(loss, [x, s], unconnected_gradients="zero")
    return y.numpy(), gx.numpy(), gs.numpy()


def test_fill_is_followed():
    y, gx, gs = followed(lambda y, s: y.fill(s * s))
    assert np.all(y == 4.0) and np.all(gx == 0)
    assert gs == 21 * 2 * 2.0
    with pytest.raises(gt.errors.ShapeError, match="fill: the value has shape"):
        gt.zeros(2).fill([1.0, 2.0])


def test_put_is_followed():
    y, gx, gs = followed(lambda y, s: y.put([0, -1], s * np.array([3.0, 5.0])))
    assert (y[0, 0], y[1, 2]) == (6.0, 10.0)
    np.testing.assert_array_equal(gx, [[0, 2, 3], [4, 5, 0]])
    assert gs == 1 * 3.0 + 6 * 5.0


@pytest.mark.parametrize("mode", ["raise", "wrap", "clip"])
@pytest.mark.parametrize("indices", [[1, 3], [-2, 0], 4, [[0, 1], [2, 3]], [7, -9], []])
@pytest.mark.parametrize("values", [9.0, [1.0, 2.0], [1.0, 2.0, 3.0]])
def test_put_equals_numpys(mode, indices, values):
    plain, x = VALUE.copy(), gt.array(VALUE)
    try:
        plain.put(indices, values, mode)
    except IndexError:
        with pytest.raises(IndexError, match="out of bounds"):
            x.put(indices, values, mode)
        return
    x.put(indices, values, mode)
    np.testing.assert_array_equal(x.numpy(), plain)


def test_sort_and_partition_are_followed():
    weight = np.arange(1.0, 7).reshape(2, 3)
    y, gx, _ = followed(lambda y, s: y.sort())
    np.testing.assert_array_equal(y, np.sort(VALUE))
    expected = np.take_along_axis(weight, np.argsort(np.argsort(VALUE)), -1)
    np.testing.assert_array_equal(gx, expected)
    y, gx, _ = followed(lambda y, s: y.sort(axis=0))
    np.testing.assert_array_equal(y, np.sort(VALUE, axis=0))
    y, gx, _ = followed(lambda y, s: y.partition(1))
    np.testing.assert_array_equal(y, np.partition(VALUE, 1))
    np.testing.assert_array_equal(np.sort(gx), np.sort(weight))


def test_resize_is_followed_and_fills_with_zeros():
    plain = VALUE.copy()
    plain.resize((2, 4), refcheck=False)
    y, gx, _ = followed(lambda y, s: y.resize(2, 4))
    np.testing.assert_array_equal(y, plain)
    np.testing.assert_array_equal(gx, np.arange(1.0, 7).reshape(2, 3))
    y, gx, _ = followed(lambda y, s: y.resize((2,)))
    np.testing.assert_array_equal(y, VALUE.ravel()[:2])
    np.testing.assert_array_equal(gx, [[1, 2, 0], [0, 0, 0]])
    for shared in (gt.array(VALUE).T, gt.Variable(VALUE)):
        with pytest.raises(ValueError, match="does not own its data"):
            shared.resize((2, 2))


def test_parts_of_complex_numbers_are_set_and_followed():
    def write(y, s):
        y.real = s * np.array([1.0, 2.0])
        y.imag = s * s

    x, s = gt.Variable([1 + 2j, 3 + 4j]), gt.Variable(2.0)
    with gt.GradientTape() as tape:
        y = x * 1.0
        write(y, s)
        loss = np.sum(np.real(y)) + np.sum(np.imag(y))
    np.testing.assert_array_equal(y.numpy(), [2 + 4j, 4 + 4j])
    gx, gs = tape.gradient(loss, [x, s], unconnected_gradients="zero")
    np.testing.assert_array_equal(gx.numpy(), [0, 0])
    assert float(gs) == 3.0 + 2 * 2 * 2.0
    with pytest.raises(gt.errors.DTypeError, match="does not have imaginary part"):
        gt.zeros(2).imag = 1.0
    x = gt.zeros(2)
    x.real = 3.0
    assert x.tolist() == [3.0, 3.0]


def test_flat_is_set_and_followed():
    y, gx, gs = followed(lambda y, s: setattr(y, "flat", s))
    assert np.all(y == 2.0) and np.all(gx == 0) and gs == 21.0

    def write(y, s):
        y.flat[2] = s
        y.flat[3:] = [s, 2.0 * s]  # used again from the start, as by NumPy

    y, gx, gs = followed(write)
    np.testing.assert_array_equal(y, [[3, -1, 2], [2, 4, 2]])
    np.testing.assert_array_equal(gx, [[1, 2, 0], [0, 0, 0]])
    assert gs == 3 + 4 + 2 * 5 + 6


def test_flat_is_an_iterator():
    flat = gt.array(VALUE).flat
    assert len(flat) == 6 and flat.index == 0 and flat.coords == (0, 0)
    assert float(next(flat)) == 3.0 and flat.index == 1 and flat.coords == (0, 1)
    assert [float(v) for v in flat] == VALUE.ravel()[1:].tolist()
    assert np.asarray(gt.array(VALUE).flat).tolist() == VALUE.ravel().tolist()
    assert (gt.array(VALUE).flat == VALUE.ravel()).all()
    assert not (gt.array(VALUE).flat != VALUE.ravel()).any()
    assert gt.array(VALUE).flat[gt.array(1)] == -1.0
    assert "flat of Tensor" in repr(flat)
    x = gt.array(VALUE)
    part = x.flat[:2]
    part[0] = 100.0  # a copy, as in NumPy
    assert x[0, 0] == 3.0


def test_numbers_are_immutable():
    x = gt.array(1.0)
    for write in (
        lambda: x.fill(2.0),
        lambda: x.put(0, 2.0),
        lambda: setattr(x, "flat", 2.0),
        lambda: setattr(x, "real", 2.0),
    ):
        with pytest.raises(gt.errors.UnsupportedOperationError, match="0-d"):
            write()
    with pytest.raises(gt.errors.DTypeError, match="0-d"):
        x[()] = 2.0
    y = x
    x += 1.0
    assert (float(x), float(y)) == (2.0, 1.0)


def test_in_place_methods_of_a_variable_assign():
    w = gt.Variable(VALUE)
    w.sort()
    np.testing.assert_array_equal(w.numpy(), np.sort(VALUE))
    w.fill(1.0)
    w.flat[0] = 5.0
    w.put([1], [6.0])
    np.testing.assert_array_equal(w.numpy(), [[5, 6, 1], [1, 1, 1]])
    assert isinstance(w, gt.Variable)


# --------------------------------------------------------------------- bytes and memory


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda x: x.view(np.int64), "view: the bytes of float64 read as int64"),
        (lambda x: x.setfield(1, np.int32), "setfield"),
        (lambda x: x.setflags(write=False), "cannot be made read-only"),
    ],
)
def test_what_reinterprets_bytes_is_refused_in_three_parts(call, said):
    with pytest.raises(gt.errors.UnsupportedOperationError, match=said) as caught:
        call(gt.array([1.0, 2.0]))
    fact, cause, remedy = str(caught.value).split("\n")
    assert "test_tensor.py" in cause and remedy


def test_the_shape_can_be_assigned():
    y, gx, _ = followed(lambda y, s: setattr(y, "shape", (3, -1)))
    assert y.shape == (3, 2)
    np.testing.assert_array_equal(y, VALUE.reshape(3, 2))
    np.testing.assert_array_equal(gx, np.arange(1.0, 7).reshape(2, 3))
    x = gt.array(VALUE)
    view = x.T
    x.shape = 6
    np.testing.assert_array_equal(x.numpy(), VALUE.ravel())
    x[0] = 9.0
    assert x[0] == 9.0
    with pytest.raises(gt.errors.StaleViewError, match=r"(?s)shape \(2, 3\).*test_tensor.*copy"):
        view.sum()
    with pytest.raises(ValueError, match="cannot reshape"):
        x.shape = (4, 2)


@pytest.mark.parametrize("name", ["shape", "dtype", "strides"])
@pytest.mark.parametrize("make", [lambda: gt.array(VALUE).T, lambda: gt.Variable(VALUE)])
def test_how_memory_is_read_cannot_be_assigned(name, make):
    value = {"shape": (6,), "dtype": np.int64, "strides": (8,)}[name]
    with pytest.raises(gt.errors.UnsupportedOperationError, match=f"{name}: this attribute") as e:
        setattr(make(), name, value)
    assert "test_tensor.py" in str(e.value)
    x = gt.array(VALUE)
    x.dtype = float  # what it is


def test_bytes_have_no_gradient():
    for read in (lambda x: x.byteswap().byteswap(), lambda x: x.getfield(np.float64)):
        x = gt.Variable([1.0, 2.0])
        with gt.GradientTape() as tape:
            loss = np.sum(read(x))
        with pytest.raises(gt.errors.UnsupportedOperationError, match="no derivative rule"):
            tape.gradient(loss, x)


def test_byteswap_in_place():
    x = gt.array(np.array([1, 256], np.int16))
    assert x.byteswap(inplace=True) is x
    assert x.tolist() == [256, 1]


def test_memory_is_shown_read_only():
    x = gt.array(VALUE)
    assert x.flags.c_contiguous and x.flags.writeable and not x.T.flags.c_contiguous
    x.flags.writeable = False
    x[0, 0] = 9.0
    assert x[0, 0] == 9.0
    assert x.data.readonly and bytes(x.data) == x.numpy().tobytes()
    assert x.ctypes.shape[:] == [2, 3]
    assert x.base is None and x.T.base is x
    assert gt.array(1.0).flags.c_contiguous
    with pytest.raises(ValueError, match="Device"):
        x.to_device("gpu")
    with pytest.raises(ValueError, match="stream"):
        x.to_device("cpu", stream=1)


def test_files(tmp_path):
    x = gt.array(VALUE)
    x.tofile(tmp_path / "raw")
    assert np.fromfile(tmp_path / "raw").tolist() == VALUE.ravel().tolist()
    x.tofile(tmp_path / "text", sep=" ", format="%.1f")
    assert (tmp_path / "text").read_text() == "3.0 -1.0 2.0 0.5 4.0 -2.5"
    x.dump(tmp_path / "pickled")
    with open(tmp_path / "pickled", "rb") as file:
        np.testing.assert_array_equal(pickle.load(file).numpy(), VALUE)
    buffer = io.BytesIO()
    x.dump(buffer)
    assert buffer.getvalue() == x.dumps()
    np.save(tmp_path / "a.npy", x)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), VALUE)


def test_saving_and_showing_are_no_exits(tmp_path):
    x = gt.Variable(VALUE)
    with gt.GradientTape(strict=True) as tape:
        y = x * 2.0
        y.tofile(tmp_path / "raw")
        y.dump(tmp_path / "pickled")
        np.save(tmp_path / "a.npy", y)
        repr(y), str(y), f"{y}", f"{y[0, 0]:.2f}", y.shape, y.nbytes, y.strides, y.flags, y.base
        assert 6.0 in y and y.device == "cpu"
        loss = np.sum(y)
    np.testing.assert_array_equal(tape.gradient(loss, x).numpy(), np.full((2, 3), 2.0))


@pytest.mark.parametrize(
    "leave",
    [lambda y: y.item(0), lambda y: y.tolist(), lambda y: y.tobytes(), lambda y: y.data,
     lambda y: y.ctypes, lambda y: y.numpy(), lambda y: float(y[0]), lambda y: int(y[0]),
     lambda y: complex(y[0]), lambda y: np.asarray(y), lambda y: np.from_dlpack(y),
     lambda y: round(y[0])],
)  # fmt: skip
def test_taking_the_value_out_is_an_exit(leave):
    x = gt.Variable([1.0, 2.0])
    with gt.GradientTape(strict=True), pytest.raises(gt.errors.ExitError):
        leave(x * 2.0)


# --------------------------------------------------------------------- operators

BINARY = [operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv,
          operator.mod, operator.pow, operator.lt, operator.le, operator.gt, operator.ge,
          operator.eq, operator.ne, divmod]  # fmt: skip
OTHER = [2, 2.5, True, np.float64(1.5), np.float32(1.5), np.int8(3), [1.0, 2.0, 3.0],
         [[1], [2]], np.array([1.0, 2.0, 3.0]), np.float32([1, 2, 3]), np.array([1, 2, 3]),
         np.array(2.0), (1.0, 2.0, 3.0)]  # fmt: skip


@pytest.mark.parametrize("op", BINARY, ids=lambda op: op.__name__)
@pytest.mark.parametrize("other", OTHER, ids=lambda o: f"{type(o).__name__}-{o}")
def test_operators_with_everything_in_both_orders(op, other):
    x = np.abs(VALUE)
    expected, reflected = op(x, np.asarray(other) if isinstance(other, tuple) else other), op(
        np.asarray(other) if isinstance(other, tuple) else other, x
    )
    equal(op(gt.array(x), other), expected)
    equal(op(other, gt.array(x)), reflected)


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.complex64, bool])
@pytest.mark.parametrize("other", [2, 2.5, 1j, np.float64(1.5), np.int64(2)], ids=str)
def test_operators_promote_as_numpy_does(dtype, other):
    x = np.ones(3, dtype)
    for op in (operator.add, operator.mul, operator.truediv):
        for number in (x, x[0]):  # arrays and numbers, which promote alike
            equal(op(gt.array(number), other), op(number, other))
            equal(op(other, gt.array(number)), op(other, number))


@pytest.mark.parametrize("op", [operator.and_, operator.or_, operator.xor, operator.lshift,
                                operator.rshift], ids=lambda op: op.__name__)  # fmt: skip
def test_bit_operators(op):
    a, b = np.array([6, 3]), np.array([2, 1])
    equal(op(gt.array(a), b), op(a, b))
    equal(op(a, gt.array(b)), op(a, b))
    equal(op(5, gt.array(b)), op(5, b))


@pytest.mark.parametrize("op", [operator.neg, operator.pos, abs], ids=lambda op: op.__name__)
def test_unary_operators(op):
    for value in (VALUE, VALUE[0, 0], VALUE + 1j, np.array([1, -2])):
        equal(op(gt.array(value)), op(value))
    equal(~gt.array([True, False]), np.array([False, True]))


def test_matmul_in_both_orders():
    a, b = VALUE, VALUE.T.copy()
    for x, y in ((gt.array(a), gt.array(b)), (a, gt.array(b)), (gt.array(a), b)):
        np.testing.assert_allclose((x @ y).numpy(), a @ b)
        assert isinstance(x @ y, Tensor)
    np.testing.assert_allclose((a.tolist() @ gt.array(b)).numpy(), a @ b)
    with pytest.raises(ValueError):
        gt.array(a) @ gt.array(1.0)


@pytest.mark.parametrize("other", [None, "text", {}, {1}, object()], ids=lambda o: type(o).__name__)
def test_operators_refuse_what_is_no_number(other):
    for op in (operator.add, operator.mul, operator.lt):
        with pytest.raises(TypeError):
            op(gt.array([1.0]), other)
        with pytest.raises(TypeError):
            op(other, gt.array([1.0]))


def test_another_class_can_take_over_the_operator():
    class Polite:
        __array_ufunc__ = None

        def __radd__(self, other):
            return "taken"

    assert gt.array([1.0]) + Polite() == "taken"


IN_PLACE_OPERATORS = [operator.iadd, operator.isub, operator.imul, operator.itruediv,
                      operator.ifloordiv, operator.imod, operator.ipow]  # fmt: skip


@pytest.mark.parametrize("op", IN_PLACE_OPERATORS, ids=lambda op: op.__name__)
@pytest.mark.parametrize("other", [2, 1.5, np.array([1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]], ids=str)
def test_in_place_operators(op, other):
    plain = np.abs(VALUE)
    x = gt.array(plain)
    same = x
    x, plain = op(x, other), op(plain, other)
    assert x is same
    np.testing.assert_array_equal(x.numpy(), plain)


def test_in_place_operators_keep_the_dtype_or_refuse():
    x = gt.array(np.ones(2, np.float32))
    x += np.ones(2)
    assert x.dtype == np.float32
    i = gt.array([1, 2])
    with pytest.raises(gt.errors.DTypeError, match="cannot be written into int64"):
        i += 0.5
    with pytest.raises(gt.errors.ShapeError, match="does not fit"):
        x += np.ones((3, 2))
    i = gt.array([6, 3])
    i &= 2
    i |= 1
    i ^= 4
    i <<= 2
    i >>= 1
    assert i.tolist() == [((((v & 2) | 1) ^ 4) << 2) >> 1 for v in (6, 3)]


def test_in_place_operators_are_followed():
    x = gt.Variable([1.0, 2.0])
    with gt.GradientTape() as tape:
        y = x * 1.0
        y *= x
        y += 2.0 * x
        y **= 2
        loss = np.sum(y)
    # (x^2 + 2x)^2
    value = np.array([1.0, 2.0])
    expected = 2 * (value**2 + 2 * value) * (2 * value + 2)
    np.testing.assert_allclose(tape.gradient(loss, x).numpy(), expected)


def test_a_plain_accumulator_becomes_a_tensor():
    x = gt.Variable([1.0, 2.0])
    with gt.GradientTape() as tape:
        total = np.zeros(2)
        for _ in range(3):
            total += x * x
        loss = np.sum(total)
    np.testing.assert_array_equal(tape.gradient(loss, x).numpy(), [6.0, 12.0])


# --------------------------------------------------------------------- Python's protocols


def test_iteration_length_and_membership():
    x = gt.array(VALUE)
    assert len(x) == 2
    rows = list(x)
    assert all(isinstance(row, Tensor) for row in rows)
    np.testing.assert_array_equal(rows[1].numpy(), VALUE[1])
    a, b = x
    assert (a.shape, b.shape) == ((3,), (3,))
    assert 4.0 in x and 5.0 not in x and gt.array(4.0) in x
    assert [float(v) for v in reversed(x[0])] == [2.0, -1.0, 3.0]
    for call in (len, iter):
        with pytest.raises(TypeError):
            call(gt.array(1.0))


def test_the_builtins_are_followed():
    x = gt.Variable([3.0, 4.0])
    with gt.GradientTape() as tape:
        loss = sum(x) + 2.0 * max(x) + sum(v * v for v in x) + 5.0 * min(x) + abs(-x[0])
    np.testing.assert_array_equal(tape.gradient(loss, x).numpy(), [1 + 6 + 5 + 1, 1 + 2 + 8])


def test_truth():
    assert gt.array(1.0) and not gt.array(0.0) and gt.array([2.0]) and not gt.array([0])
    with pytest.raises(ValueError, match="ambiguous"):
        bool(gt.array([1.0, 2.0]))
    if NUMPY >= "2.2.0":
        with pytest.raises(ValueError):
            bool(gt.array([]))


def test_conversion():
    x = gt.array(2.75)
    assert (float(x), int(x), complex(x)) == (2.75, 2, 2.75 + 0j)
    assert type(float(x)) is float and type(int(x)) is int
    assert (round(x), round(gt.array(2.0))) == (3, 2)
    equal(round(gt.array([2.34, 5.55]), 1), np.round([2.34, 5.55], 1))
    assert float(gt.array(np.array([3.0]))[0]) == 3.0
    for call in (float, int, complex):
        with pytest.raises(TypeError):
            call(gt.array([1.0, 2.0]))
    with pytest.warns(np.exceptions.ComplexWarning):
        assert float(gt.array(2 + 1j)) == 2.0


def test_index():
    i = gt.array(2)
    assert [10, 20, 30][i] == 30 and operator.index(i) == 2 and list(range(i)) == [0, 1]
    assert np.arange(5)[i] == 2
    assert "ab"[gt.array(1)] == "b"
    for wrong in (gt.array(2.0), gt.array([1, 2])):
        with pytest.raises(TypeError):
            operator.index(wrong)


def test_hash_and_equality():
    x, y = gt.array([1.0, 2.0]), gt.array([1.0, 2.0])
    assert {x: 1}[x] == 1 and hash(x) == hash(x) and x is not y
    assert len({x, x}) == 1
    equal(x == y, np.array([True, True]))
    equal(x != np.array([1.0, 3.0]), np.array([False, True]))
    assert np.array_equal(x, y) and np.allclose(x, y)


def test_repr_shows_value_dtype_shape_and_whether_it_is_watched():
    x = gt.array(np.array([[1.0, 2.0]], np.float32))
    assert repr(x) == "Tensor([[1., 2.]], shape=(1, 2), dtype=float32)"
    assert repr(gt.array(3)) == "Tensor(3, shape=(), dtype=int64)"
    assert repr(gt.array([])) == "Tensor([], shape=(0,), dtype=float64)"
    with gt.GradientTape() as tape:
        w = tape.watch(np.array([1.0]))
        assert repr(w) == "Tensor([1.], shape=(1,), dtype=float64, watched)"
        assert repr(w * 2) == "Tensor([2.], shape=(1,), dtype=float64, watched)"
        assert "watched" not in repr(x * 2)
    assert "watched" not in repr(w)
    assert str(x) == "[[1. 2.]]"
    assert len(repr(gt.zeros(100000))) < 200


def test_format():
    x = gt.array(2.0 / 3.0)
    assert f"{x:.3f}" == "0.667" and f"{x:8.2e}" == "6.67e-01" and f"{x}" == str(x.value)
    assert "%0.2f" % x == "0.67"  # noqa: UP031 - this way of formatting is what is tested
    assert f"{gt.array(5):>10}" == "         5"
    assert f"{gt.array([1.0, 2.0])}" == "[1. 2.]"
    with pytest.raises(TypeError):
        f"{gt.array([1.0, 2.0]):.2f}"


def test_copies():
    x = gt.Variable([1.0, 2.0])
    with gt.GradientTape() as tape:
        y = x * 1.0
        shallow, deep = copy.copy(y), copy.deepcopy(y)
        y[0] = 9.0
        loss = np.sum(shallow * shallow)
    np.testing.assert_array_equal(shallow.numpy(), [1.0, 2.0])
    np.testing.assert_array_equal(tape.gradient(loss, x).numpy(), [2.0, 4.0])
    assert deep.tolist() == [1.0, 2.0] and not deep.is_watched
    assert copy.deepcopy([gt.array(1.0)])[0] == 1.0


@pytest.mark.parametrize("value", [1.5, [1.0, 2.0], [[1 + 2j]], [], [True]], ids=str)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_keeps_the_value(value, protocol):
    x = gt.array(value)
    y = pickle.loads(pickle.dumps(x, protocol))
    assert type(y) is Tensor and y.key == 0
    equal(y, x.value)
    view = pickle.loads(pickle.dumps(gt.array([[1.0, 2.0]]).T, protocol))
    assert view.tolist() == [[1.0], [2.0]]


# --------------------------------------------------------------------- other libraries


def test_array_protocol():
    x = gt.array(VALUE)
    a = np.asarray(x)
    assert type(a) is np.ndarray and not a.flags.writeable and np.shares_memory(a, x.value)
    b = np.array(x)
    b[0, 0] = 100.0
    assert x[0, 0] == 3.0
    assert np.asarray(x, np.float32).dtype == np.float32
    assert np.array(x, dtype=complex).dtype == complex
    assert np.asarray(gt.array(1.0)).shape == ()
    with pytest.raises(ValueError, match="copy"):
        np.array(x, dtype=np.float32, copy=False)
    assert np.shares_memory(np.array(x, copy=False), x.value)
    np.testing.assert_array_equal(x, VALUE)  # NumPy's own testing tools take it


def test_dlpack():
    x = gt.array(VALUE)
    a = np.from_dlpack(x)
    np.testing.assert_array_equal(a, VALUE)
    assert not np.shares_memory(a, x.value), "a writer on the other side must not reach the tape"
    assert x.__dlpack_device__() == VALUE.__dlpack_device__()
    assert np.from_dlpack(gt.array(2.0)).shape == ()


def test_numpys_random_generators_and_tools_take_it():
    rng = np.random.default_rng(0)
    x = gt.array([1.0, 2.0, 3.0])
    assert rng.permutation(3).shape == (3,)
    assert x[rng.permutation(3)].sum() == 6.0
    assert rng.choice(x, 2).shape == (2,)
    assert np.histogram(np.asarray(x), 2)[0].sum() == 3


def test_matplotlib_draws_tensors(tmp_path):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    x, y = gt.array([0.0, 1.0, 2.0]), gt.Variable([1.0, 3.0, 2.0])
    figure, axes = pyplot.subplots()
    (line,) = axes.plot(x, y)
    np.testing.assert_array_equal(line.get_ydata(), [1.0, 3.0, 2.0])
    (alone,) = axes.plot(y * 2.0)
    np.testing.assert_array_equal(alone.get_ydata(), [2.0, 6.0, 4.0])
    axes.scatter(x, y, c=y, s=10 * y)
    axes.axhline(y[0])
    axes.fill_between(x, y - 0.5, y + 0.5)
    axes.bar(x, y, yerr=y * 0.1)
    axes.hist(y)
    axes.imshow(gt.array(VALUE))
    axes.errorbar(x, y, y)
    axes.set_xlim(x.min(), x.max())
    figure.savefig(tmp_path / "figure.png")
    pyplot.close(figure)


@pytest.mark.parametrize("op", [operator.add, operator.sub, operator.mul, operator.truediv,
                                operator.pow], ids=lambda op: op.__name__)  # fmt: skip
@pytest.mark.parametrize("kind", ["Series", "DataFrame"])
def test_pandas_operands_in_both_orders_are_followed(op, kind):
    pandas = pytest.importorskip("pandas")
    value = np.array([2.0, 3.0, 4.0])
    table = pandas.Series(value) if kind == "Series" else pandas.DataFrame({"a": value, "b": value})
    plain = table.to_numpy()
    other = np.array([1.5]) if kind == "DataFrame" else np.array([1.5, 0.5, 2.5])
    for order in (lambda t, x: op(t, x), lambda t, x: op(x, t)):
        x = gt.Variable(other)
        with gt.GradientTape() as tape:
            y = order(table, x)
            loss = np.sum(y)
        assert isinstance(y, Tensor)
        np.testing.assert_allclose(y.numpy(), order(plain, other))
        expected, _ = gradient(lambda v, order=order: order(plain, v), other)
        np.testing.assert_allclose(tape.gradient(loss, x).numpy(), expected)


def test_pandas_takes_tensors():
    pandas = pytest.importorskip("pandas")
    x = gt.array([1.0, 2.0])
    series = pandas.Series(np.asarray(x))
    assert series.tolist() == [1.0, 2.0]
    w = gt.Variable(2.0)
    with gt.GradientTape() as tape:
        loss = np.sum((pandas.Series([1.0, 2.0]) - w) ** 2)
    assert float(tape.gradient(loss, w)) == -2 * (1.0 - 2.0) - 2 * (2.0 - 2.0)
    chosen = np.where(pandas.Series([True, False]), x, 0.0)
    np.testing.assert_array_equal(chosen.numpy(), [1.0, 0.0])


def test_nothing_here_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x = gt.array(VALUE)
        x.T, x.real, x.flat, x.sum(), f"{x}", np.asarray(x), x == x
