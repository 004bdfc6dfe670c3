"""Dtypes, shapes, tensors, Variables, conversion, tapes: how the objects look and behave."""

from tests.tf.scheme import call, program, show

ENV = {"x": "f32([1.0, 2.0])", "i": "i32([1, 2])", "v": "tf.Variable([1.0, 2.0])",
       "d": "f64([1.0, 2.0])", "s": "f32(1.5)", "m": "f32([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])",
       "w": "tf.Variable(2.0, name='w')", "t": "b([True, False])"}  # fmt: skip


def used(source):
    """The values that an expression mentions."""
    import re

    words = set(re.findall(r"\b[a-z]\b", source))
    return {name: value for name, value in ENV.items() if name in words}


def shows(names, *sources, **rest):
    return [case for source in sources for case in show(names, source, **used(source), **rest)]


DTYPES = ("float16 float32 float64 bfloat16 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool "
          "string complex64 complex128 qint8 quint8 qint16 quint16 qint32 resource variant half "
          "double")  # fmt: skip
QUESTIONS = ("name", "size", "is_floating", "is_integer", "is_complex", "is_bool", "is_unsigned",
             "is_quantized", "is_numeric", "base_dtype", "real_dtype", "as_datatype_enum",
             "is_numpy_compatible")  # fmt: skip
ERRORS = ("OpError CancelledError UnknownError InvalidArgumentError DeadlineExceededError "
          "NotFoundError AlreadyExistsError PermissionDeniedError ResourceExhaustedError "
          "FailedPreconditionError AbortedError OutOfRangeError UnimplementedError InternalError "
          "UnavailableError DataLossError UnauthenticatedError")  # fmt: skip
CODES = ("OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED "
         "RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS "
         "UNAUTHENTICATED")  # fmt: skip
CASES = [
    # ------------------------------------------------------------------ dtypes
    *[show(f"{d} dtypes.{d}", f"[repr(tf.{d}), str(tf.{d}), hash(tf.{d}), tf.dtypes.{d} is tf.{d},"
           f" *[getattr(tf.{d}, q) for q in {QUESTIONS!r}]]") for d in DTYPES.split()
      if d not in ("string", "bfloat16")],
    *[show(f"{d} dtypes.{d}", f"tf.{d}.limits") for d in DTYPES.split()
      if d not in ("string", "bfloat16", "resource", "variant")],
    show("string dtypes.string", "[repr(tf.string), str(tf.string), hash(tf.string)]"),
    show("bfloat16 dtypes.bfloat16", "[repr(tf.bfloat16), tf.bfloat16.is_floating]"),
    shows("DType dtypes.DType",
          "tf.float32 == np.float32", "tf.float32 == 'float32'", "tf.float32 == 'bogus'",
          "tf.float32 == np.dtype('float32')", "np.dtype('float32') == tf.float32",
          "tf.float32 != 'float32'", "tf.float32 == None", "tf.float32 == tf.float64",
          "tf.float32 in (np.float64, np.float32)", "tf.float32.as_numpy_dtype",
          "tf.bool.as_numpy_dtype", "tf.float32.min", "tf.float32.max", "tf.int8.max", "tf.int64.min",
          "tf.uint64.max", "tf.bool.max", "tf.complex64.max", "tf.string.min", "tf.float16.max",
          "tf.float32.is_compatible_with(tf.float64)", "tf.float32.is_compatible_with('float32')",
          "np.zeros(2, dtype=tf.float32)", "isinstance(tf.float32, tf.DType)",
          "np.zeros(2, tf.float32.as_numpy_dtype)", "{tf.float32: 1}[tf.float32]"),
    *[call("as_dtype dtypes.as_dtype", value) for value in (
        "'double'", "'float'", "'half'", "'float64'", "np.float16", "np.dtype('int8')", "float",
        "bool", "object", "int", "complex", "str", "1", "'int'", "'bogus'", "None", "tf.int8",
        "type_value='bool'", "np.dtype('U3')", "[]", "np.datetime64")],
    # ------------------------------------------------------------------ shapes
    shows("TensorShape",
          "tf.TensorShape([2, 3])", "tf.TensorShape(3)", "tf.TensorShape(None)",
          "tf.TensorShape([None, 2])", "str(tf.TensorShape([None, 2]))", "str(tf.TensorShape(None))",
          "tf.TensorShape([2, 3]) + [4]", "tf.TensorShape([2]) + tf.TensorShape(None)",
          "[1] + tf.TensorShape([2])", "tf.TensorShape([2, 3]) == (2, 3)",
          "tf.TensorShape([2, 3]) == [2, 3]", "(2, 3) == tf.TensorShape([2, 3])",
          "tf.TensorShape([2]) == 2", "tf.TensorShape([2]) != [3]", "tf.TensorShape([2]) == 'a'",
          "tf.TensorShape(None) == tf.TensorShape(None)", "tf.TensorShape([2, 3])[1]",
          "tf.TensorShape([2, 3])[:1]", "tf.TensorShape([2, 3])[-1]", "tf.TensorShape(None)[0]",
          "tf.TensorShape(None)[1:]", "len(tf.TensorShape([2, 3]))", "len(tf.TensorShape(None))",
          "list(tf.TensorShape([2, 3]))", "list(tf.TensorShape(None))", "tf.TensorShape([2, 3])[5]",
          "bool(tf.TensorShape([]))", "bool(tf.TensorShape(None))", "tf.TensorShape([2, 3]).rank",
          "tf.TensorShape(None).rank", "tf.TensorShape([2, 3]).ndims",
          "tf.TensorShape([2, None]).as_list()", "tf.TensorShape(None).as_list()",
          "tf.TensorShape([2, 3]).num_elements()", "tf.TensorShape([2, None]).num_elements()",
          "tf.TensorShape([2, None]).is_fully_defined()", "tf.TensorShape([2, 3]).is_fully_defined()",
          "tf.TensorShape([2, None]).is_compatible_with([2, 5])",
          "tf.TensorShape([2, None]).is_compatible_with([3, 5])",
          "tf.TensorShape([2, None]).merge_with([None, 5])", "tf.TensorShape([2]).merge_with([3])",
          "tf.TensorShape([2]).merge_with(None)", "tf.TensorShape(None).merge_with([2])",
          "tf.TensorShape([2]).concatenate([3])", "tf.TensorShape(None).with_rank(2)",
          "tf.TensorShape([2, 3]).with_rank(2)", "tf.TensorShape([2, 3]).with_rank(3)",
          "tf.TensorShape([2, 3]).with_rank_at_least(2)", "tf.TensorShape([2]).with_rank_at_least(2)",
          "tf.TensorShape([2]).with_rank_at_most(2)", "tf.TensorShape([2, 3]).with_rank_at_most(1)",
          "tf.TensorShape([2]).assert_has_rank(1)", "tf.TensorShape([2]).assert_has_rank(2)",
          "tf.TensorShape([2]).assert_is_compatible_with([3])",
          "tf.TensorShape([None]).assert_is_fully_defined()",
          "tf.TensorShape([2]).assert_same_rank([3, 4])",
          "tf.TensorShape([-1])", "tf.TensorShape(['a'])", "tf.TensorShape([2.5])",
          "tf.TensorShape(np.array([2, 3]))", "tf.TensorShape((np.int64(2), 3))",
          "{tf.TensorShape([2]): 1}[tf.TensorShape([2])]", "tf.TensorShape(x.shape)",
          "np.zeros(tf.TensorShape([2]))", "f'{x.shape}'", "tuple(x.shape)", "x.shape + (3,)",
          "x.shape[0]", "x.shape[:1]", "x.shape == (2,)", "m.shape.as_list()"),
    show("TensorShape", "tf.TensorShape([2, 3]).dims",
         ours="TensorFlow's Dimension objects are a relic of its version 1; ours are ints"),
    # ------------------------------------------------------------------ tensors
    show("Tensor", "[1, 2, 3][f32(1.5)]",
         ours="a TypeError, as Python's own; TensorFlow lets an AttributeError through"),
    program("GradientTape", "v = tf.Variable(2.0)", "with tf.GradientTape() as t: y = v * v",
            "out = t.gradient(3.0, v)",
            ours="a TypeError with the remedy; TensorFlow lets an AttributeError through"),
    shows("Tensor",
          "repr(x)", "repr(s)", "repr(m)", "str(x)", "str(s)", "str(m)", "repr(i)", "repr(t)",
          "repr(tf.constant(True))", "repr(tf.constant('a'))", "str(tf.constant(['a', 'b']))",
          "repr(tf.constant(1 + 2j))", "repr(tf.constant([]))", "f'{x}'", "f'{s}'", "f'{s:.2f}'",
          "'%.2f' % s", "'%d' % i[0]", "'{:>8.3f}'.format(s)", "format(x, '.2f')", "f'{s!r}'",
          "x.dtype", "x.dtype.name", "x.shape", "x.ndim", "s.ndim", "x.device", "x.get_shape()",
          "x.numpy()", "s.numpy()", "i.numpy()", "x.numpy().flags.writeable", "tf.constant('a').numpy()",
          "tf.constant(['a']).numpy()", "np.asarray(x)", "np.array(x, np.float64)", "np.sin(x)",
          "np.sum(x)", "np.add(np.ones(2), x)", "np.multiply(x, 2)", "np.concatenate([x, x])",
          "np.stack([x, x])", "np.maximum(x, 1.5)", "np.mean(m, axis=0)", "np.isclose(s, 1.5)",
          "np.dot(x, x)", "np.shape(x)", "np.linspace(s, 2.0, 3)", "np.float64(s)", "list(x)", "len(m)",
          "len(s)", "list(s)", "[float(e) for e in x]", "sum(x)", "max(x)", "min(x)", "sorted(x)",
          "a if (a := s) else 0", "float(s)", "int(s)", "complex(s)", "bool(s)", "float(x)", "int(x)",
          "float(f32([2.0]))", "bool(x)", "bool(f32([1.0]))", "bool(f32([]))", "s or 1", "not s",
          "range(3)[i[0]]", "[1, 2, 3][i[0]]", "list(range(i[1]))", "hash(x)", "{x: 1}",
          "x in [x]", "{x.ref(): 1}[x.ref()]", "x.ref() == x.ref()", "x.ref() == d.ref()",
          "x.ref().deref() is x", "repr(x.ref())", "x.ref() == 3", "x.set_shape([2])",
          "x.set_shape([3])", "x.T", "x.size", "x.astype", "x.mean", "x.name", "x.op", "x.graph",
          "x.bogus", "x.sum()", "x.cpu()", "isinstance(x, tf.Tensor)", "isinstance(v, tf.Tensor)",
          "isinstance(np.ones(2), tf.Tensor)", "x.__array__()",
          "__import__('copy').copy(x)", "__import__('copy').deepcopy(x)",
          "__import__('pickle').loads(__import__('pickle').dumps(x))", "x.__array_priority__",
          "x[0]", "x[-1]", "x[:1]", "x[::-1]", "x[1:1]", "x[...]", "x[None]", "x[:, tf.newaxis]",
          "x[..., None]", "m[1, 2]", "m[1]", "m[:, 1]", "m[..., 0]", "m[0:2, ::2]", "m[-1:, 1:]",
          "m[None, :, None, 0]", "x[i[0]]", "m[i[0], i[1]]", "m[:i[0]]", "x[np.int64(1)]", "x[True]",
          "x[x > 1]", "m[m > 2]", "m[t]", "x[[0, 1]]", "x[[0]]", "x[np.array([0])]", "x[np.array(1)]",
          "x[0.5]", "x['a']", "x[5]", "x[-3]", "x[0, 0]", "m[0, 0, 0]", "x[s]", "x[0:1:0]", "x[5:9]",
          "s[...]", "s[None]", "s[0]", "x[i]", "m[1][0]"),
    *[call("constant", a, **used(a)) for a in (
        "1", "1.5", "True", "1j", "'a'", "b'a'", "[1, 2.5]", "[[1, 2], [3, 4]]", "(1, 2)", "range(3)",
        "2**40", "2**70", "[2**40]", "[1, 2**40]", "[]", "[[]]", "np.float16(1)", "np.int64(3)",
        "np.ones(2)", "np.ones(2, np.int8)", "[np.float32(1), 2.0]", "[np.float64(1), 2.0]",
        "[1, np.float64(2)]", "[np.int64(1)]", "[np.ones(2), np.zeros(2)]", "[np.ones(2), [0, 1]]",
        "[[0, 1], np.ones(2)]", "[[1], [2, 3]]", "[True, 1]", "[1.0, None]", "[1, 1j]", "['a', 'b']",
        "None", "{1: 2}", "object()", "1.5, tf.int32", "3, tf.bool", "True, tf.float32",
        "300, tf.uint8", "300, tf.int8", "1j, tf.float32", "np.ones(2) * 1j, tf.float32",
        "np.array([True]), tf.float32", "np.array([1.5]), tf.bool", "[True], tf.float32",
        "[1], tf.bool", "[1.5], tf.int32", "[np.float64(1.5)], tf.int32", "[1j], tf.float32",
        "2**40, tf.int32", "2**40, tf.float32", "'a', tf.float32", "1, dtype='float64'",
        "1, dtype=np.float16", "[1, 2, 3], 'bogus'", "1, shape=(2, 2)", "[1, 2, 3, 4], shape=(2, 2)",
        "[1, 2, 3], shape=(2, 2)", "np.ones(4), shape=[2, 2]", "x", "x, shape=(2, 1)",
        "x, tf.float64", "i, dtype=tf.float32", "v", "tf.TensorShape([2, 3])", "np.array(['a', 'b'])",
        "np.array([1, 2], object)", "np.array([None])", "value=1, dtype=tf.float32, name='n'",
        "np.ones((2, 2))[:, 0]", "np.arange(3, dtype='>f4')", "np.longdouble(1)", "-0.0", "[[[1.0]]]",
    )],
    *[call("convert_to_tensor", a, **used(a)) for a in (
        "1.0", "x", "v", "x, tf.float64", "x, dtype=tf.float32", "1, dtype_hint=tf.float32",
        "1.5, dtype_hint=tf.int32", "np.ones(2), dtype_hint=tf.float32", "x, dtype_hint=tf.float64",
        "np.ones(2), tf.float32", "np.ones(2), tf.int32", "[x, x]", "[v, v]", "[x, [1.0, 2.0]]",
        "[[x, x], [x, x]]", "None", "'a'", "{}", "v, tf.float64", "[s, 1.0]", "[x, d]",
        "value=1, name='n'", "[s, s], tf.float64", "range(2), tf.float32")],
    call("convert_to_tensor", "[x, y]", x="f32([1.0, 2.0])", y="f32([3.0, 4.0])", wrt="x y"),
    *[call("cast dtypes.cast", a, **used(a)) for a in (
        "np.ones(2), tf.float32", "1.7, tf.int32", "x, tf.float64", "x, tf.int32", "x, 'bogus'",
        "x, np.float16", "t, tf.float32", "x, tf.bool", "tf.constant(1 + 2j), tf.float32",
        "x, tf.complex64", "v, tf.float64", "[1, 2], tf.float32", "f32([-1.7, 1.7]), tf.int32",
        "i32([300, -1]), tf.uint8", "'a', tf.float32", "x=i, dtype=tf.float32, name='n'", "None, tf.int32",
        "True, tf.int32", "2.5, 'float64'", "x, x.dtype")],
    call("cast", "x, tf.float64", x="f32([1.0, 2.0])", wrt="x"),
    call("cast", "x, tf.float32", x="f64([1.0, 2.0])", wrt="x"),
    call("cast", "x, tf.float32", x="f32([1.0, 2.0])", wrt="x"),
    call("cast", "x, tf.complex64", x="f32([1.0, 2.0])", wrt="x"),
    call("cast", "x, tf.int32", x="f32([1.0, 2.0])", wrt="x"),
    call("cast", "x, tf.float32", x="c64([1.0 + 2.0j])", wrt="x"),
    call("identity", "x", x="f32([1.0, 2.0])", wrt="x"),
    call("identity", "x, name='n'", x="b([True])"),
    call("identity", "'a'"),
    call("stop_gradient", "x", x="f32([1.0, 2.0])", wrt="x"),
    call("stop_gradient", "input=[1, 2], name='n'"),
    show("stop_gradient", "(lambda f: f)(tf.stop_gradient(tf.Variable(1.0)))"),
    shows("is_tensor", "tf.is_tensor(x)", "tf.is_tensor(v)", "tf.is_tensor(1)",
          "tf.is_tensor(np.ones(2))"),
    show("executing_eagerly", "tf.executing_eagerly()"),
    show("newaxis", "tf.newaxis"),
    show("__version__ version.VERSION", "[tf.__version__.split('.')[0], tf.version.VERSION[:2]]"),
    # ------------------------------------------------------------------ Variables
    shows("Variable",
          "repr(v)", "str(v)", "f'{v}'", "f'{w:.2f}'", "repr(w)", "w.name", "v.name", "v.shape",
          "v.dtype", "v.trainable", "v.numpy()", "w.numpy()", "v.value()", "v.read_value()", "v.device",
          "v.get_shape()", "v.is_initialized()", "v.initial_value", "v.constraint", "np.asarray(v)",
          "np.sin(v)", "float(w)", "int(w)", "bool(w)", "float(v)", "bool(v)", "complex(w)", "list(v)",
          "len(v)", "hash(v)", "{v.ref(): 1}[v.ref()]", "v.ref().deref() is v", "repr(v.ref())",
          "max([w, tf.Variable(3.0)])", "min([w, tf.Variable(3.0)])", "sorted([w, tf.Variable(1.0)])[0]",
          "[v[0], v[-1], v[:1], v[None]]", "v[5]", "v[0].assign(7.0)", "v[:1].assign([7.0])",
          "v[0].assign_add(1.0)", "v[1].assign_sub(1.0)", "v[0].assign([1.0, 2.0])",
          "v.assign([3.0, 4.0])", "v.assign([3, 4])", "v.assign(np.ones(2))", "v.assign(1.0)",
          "v.assign([1.0])", "v.assign(d)", "v.assign('a')", "v.assign(v)", "v.assign(None)",
          "v.assign_add([1.0, 1.0])", "v.assign_sub([1.0, 1.0])", "v.assign_add(1.0)",
          "v.assign_sub([1.0])", "v.assign_sub(i)", "v.assign_add(x)", "w.assign_sub(0.5)",
          "w.assign_sub(s * 0.1)", "v.assign([5.0, 6.0], read_value=False)",
          "v.assign_add(x, name='n')", "[v.assign(x + 1), v][1]", "v.assign(x).numpy()",
          "v.assign_add(x).assign_sub(x)", "repr(v.assign(x))", "v.bogus",
          "tf.Variable(0, dtype=tf.float32)", "tf.Variable(initial_value=0, dtype=tf.float32)",
          "tf.Variable(0)", "tf.Variable(lambda: 1.5)", "tf.Variable(x)", "tf.Variable(np.ones(2))",
          "tf.Variable(np.ones(2), dtype=tf.float32)", "tf.Variable([1, 2], dtype=tf.float32)",
          "tf.Variable(x, dtype=tf.float64)", "tf.Variable(2.5, dtype=tf.int32)", "tf.Variable()",
          "tf.Variable(None)", "tf.Variable([w, 1.0])", "tf.Variable(w)", "tf.Variable(True)",
          "tf.Variable('a')", "tf.Variable(1.0, name='a b')", "tf.Variable(1.0, trainable=False).trainable",
          "tf.Variable(1.0, False).trainable", "tf.Variable(1.0, shape=tf.TensorShape(None))",
          "tf.Variable([1.0], shape=[None]).assign([1.0, 2.0])", "tf.Variable([1.0], shape=[2])",
          "tf.Variable(tf.Variable(1.0), name='q')", "isinstance(v, tf.Variable)",
          "tf.Variable([[1.0, 2.0], [3.0, 4.0]])", "__import__('copy').deepcopy(v)",
          "__import__('copy').copy(v)"),
    program("name_scope", "with tf.name_scope('layer'):", "    v = tf.Variable(1.0, name='w')",
        "    with tf.name_scope('inner') as scope:", "        u = tf.Variable(1.0)",
        "out = [v.name, u.name, scope, tf.Variable(1.0, name='z').name]"),
    program("Variable", "v = tf.Variable(1.0)", "u = v", "v.assign_add(1.0)", "out = u"),
    program("Variable", "v = tf.Variable(1.0)", "u = v", "v += 1.0", "out = [u, v, u is v]"),
    program("Variable", "v = tf.Variable([1.0, 2.0])", "v[0] = 3.0", "out = v"),
    program("Tensor", "x = tf.constant([1.0, 2.0])", "x[0] = 3.0", "out = x"),
    program("Tensor", "x = tf.constant([1.0, 2.0])", "y = x", "x += 1.0", "out = [x, y]"),
    program("constant", "a = np.ones(2, np.float32)", "x = tf.constant(a)", "a[0] = 5", "out = x"),
    program("Tensor", "a = np.ones(2)", "x = tf.constant([1.0, 2.0])", "a += x", "out = a"),
    # ------------------------------------------------------------------ tapes
    show("UnconnectedGradients", "[tf.UnconnectedGradients.NONE.value, "
         "tf.UnconnectedGradients.ZERO.value, tf.UnconnectedGradients('zero').name]"),
    *[program("GradientTape", "x = tf.constant(3.0)", "u = tf.constant(5.0)", "v = tf.Variable(2.0)", "w = tf.Variable(4.0)",
          "n = tf.Variable(1.0, trainable=False)", "vec = tf.constant([1.0, 2.0])",
          *text.split("; "))
      for text in (
          "with tf.GradientTape() as t: y = v * v; out = t.gradient(y, v)",
          "with tf.GradientTape() as t: y = v * w; out = t.gradient(y, [v, w])",
          "with tf.GradientTape() as t: y = v * w; out = t.gradient(y, (v, w))",
          "with tf.GradientTape() as t: y = v * w; out = t.gradient(y, {'a': v, 'b': [w]})",
          "with tf.GradientTape() as t: y = v * w; out = t.gradient(y, [])",
          "with tf.GradientTape() as t: y = v * w; out = t.gradient([], [v])",
          "with tf.GradientTape() as t: y = v * w; out = t.gradient(None, [v])",
          "with tf.GradientTape() as t: y = v * w; out = t.gradient(y, u)",
          "with tf.GradientTape() as t: y = v * w; out = t.gradient(y, [u], unconnected_gradients='zero')",
          "with tf.GradientTape() as t: y = v * w; out = t.gradient(y, [u], "
          "unconnected_gradients=tf.UnconnectedGradients.ZERO)",
          "with tf.GradientTape() as t: y = v * w; out = t.gradient(y, u, unconnected_gradients='bogus')",
          "with tf.GradientTape() as t: y = v * w; out = [t.gradient(y, v), t.gradient(y, w)]",
          "with tf.GradientTape(persistent=True) as t: y = v * w; out = [t.gradient(y, v), t.gradient(y, w)]",
          "with tf.GradientTape() as t: y = x * x; out = t.gradient(y, x)",
          "with tf.GradientTape() as t: t.watch(x); y = x * x; out = t.gradient(y, x)"
          .replace("; y", "\n    y").replace(": t.watch", ":\n    t.watch"),
          "with tf.GradientTape() as t: out = t.watch(np.ones(2))",
          "with tf.GradientTape() as t: out = t.watch(3.0)",
          "with tf.GradientTape() as t: out = t.watch([x, {'a': v}])",
          "with tf.GradientTape() as t: out = t.watch(None)",
          "with tf.GradientTape() as t: y = n * v; out = t.gradient(y, n)",
          "with tf.GradientTape() as t:\n    t.watch(n)\n    y = n * v; "
          "out = [t.gradient(y, n), t.watched_variables()]",
          "with tf.GradientTape(watch_accessed_variables=False) as t: y = v * w; "
          "out = [t.gradient(y, v), t.watched_variables()]",
          "with tf.GradientTape() as t: y = w * v; out = [a.name for a in t.watched_variables()]",
          "with tf.GradientTape() as t: y = w * v; out = t.watched_variables()",
          "with tf.GradientTape() as t: y = vec * v; out = t.gradient(y, v)",
          "with tf.GradientTape() as t: y = vec * v; out = t.gradient(y, v, output_gradients=tf.constant([1.0, 3.0]))",
          "with tf.GradientTape() as t: y = [v * w, v + w]; out = t.gradient(y, v)",
          "with tf.GradientTape() as t: y = [v * w, v + w]; "
          "out = t.gradient(y, [v], output_gradients=[tf.constant(2.0), tf.constant(3.0)])",
          "with tf.GradientTape() as t: y = {'a': v * w}; out = t.gradient(y, v)",
          "with tf.GradientTape() as t: pass; out = t.gradient(v, v)",
          "with tf.GradientTape() as t: pass; out = t.gradient(u, u)",
          "with tf.GradientTape() as t: y = v * v; out = t.gradient([y, y], v)",
          "with tf.GradientTape() as t: y = v * v; out = t.gradient([v, y], v)",
          "with tf.GradientTape() as t: y = v * v; out = t.gradient(y, [v, v])",
          "with tf.GradientTape() as t:\n    y = v * v\n    z = y * w; out = t.gradient(z, [y, v])",
          "with tf.GradientTape() as t:\n    y = v * v\n    out = t.gradient(y, v)",
          "with tf.GradientTape() as a:\n  with tf.GradientTape() as b: y = v * v * v\n"
          "  g = b.gradient(y, v); out = [g, a.gradient(g, v)]",
          "with tf.GradientTape() as t: y = v * v; t.__enter__(); out = t.gradient(y, v); "
          "t.__exit__(None, None, None)",
          "with tf.GradientTape() as t:\n    y = v * v\nwith t: z = y * w; out = t.gradient(z, [v, w])",
          "t = tf.GradientTape(); out = t.gradient(v, v)",
          "with tf.GradientTape() as t:\n    with t.stop_recording(): y = v * v; out = t.gradient(y, v)",
          "t = tf.GradientTape()\nwith t.stop_recording(): out = 1",
          "with tf.GradientTape() as t: y = v * v\nwith t.stop_recording(): out = 1",
          "with tf.GradientTape() as t:\n    y = v * v\n    t.reset()\n    z = v * w; "
          "out = [t.gradient(z, v)]",
          "with tf.GradientTape() as t: y = v * v\nt.reset(); out = 1",
          "with tf.GradientTape() as t: y = tf.cast(v, tf.int32) * 2; out = t.gradient(y, v)",
          "with tf.GradientTape() as t: y = v * float(v); out = t.gradient(y, v)",
          "with tf.GradientTape() as t: y = tf.constant(np.sin(v)) * 2.0; out = t.gradient(y, v)",
          "with tf.GradientTape() as t: y = v * v\nv.assign(9.0); out = t.gradient(y, v)",
          "with tf.GradientTape() as t: y = v.assign(w * 3) * 2; out = t.gradient(y, [v, w])",
          "with tf.GradientTape() as t: y = v.read_value() * v.value(); out = t.gradient(y, v)",
          "with tf.GradientTape() as t: y = tf.convert_to_tensor(v) * v; out = t.gradient(y, v)",
          "with tf.GradientTape() as t: y = tf.stop_gradient(v) * v; out = t.gradient(y, v)",
          "with tf.GradientTape() as t: y = v * v; out = t.gradient(y, 'a')",
          "q = tf.Variable([1.0, 2.0])\nwith tf.GradientTape() as t: y = q[0] * q[1]; out = t.gradient(y, q)"
          " + 0.0",
          "c = tf.Variable(1.0 + 2.0j)\nwith tf.GradientTape() as t: y = c * c; out = t.gradient(y, c)",
          "k = tf.Variable(2)\nwith tf.GradientTape() as t: y = k * k; out = t.gradient(y, k)",
          "out = tf.GradientTape(True)._persistent",
      )],
    *[program("custom_gradient", "v = tf.Variable(2.0)", "w = tf.Variable(3.0)", *lines)
      for lines in (
          ["@tf.custom_gradient", "def f(x):", "    return x * x, lambda dy: dy * 10.0",
           "with tf.GradientTape() as t: y = f(v)", "out = [y, t.gradient(y, v)]"],
          ["@tf.custom_gradient", "def f(x, y):", "    return x * y, lambda dy: (dy, None)",
           "with tf.GradientTape() as t: y = f(v, w)", "out = [y, t.gradient(y, [v, w])]"],
          ["@tf.custom_gradient", "def f(x):", "    def g(dy, variables=None):",
           "        return dy, [dy * 7.0 for _ in variables]", "    return x * w, g",
           "with tf.GradientTape() as t: y = f(v)", "out = t.gradient(y, [v, w])"],
          ["@tf.custom_gradient", "def f(x):", "    return x * w, lambda dy: dy", "out = f(v)"],
          ["@tf.custom_gradient", "def f(x):", "    return x * x, lambda dy: dy * 10.0",
           "out = f(3.0)"],
          ["@tf.custom_gradient", "def f(x):", "    return (x, x * 2.0), lambda a, b: a + b",
           "with tf.GradientTape() as t: y = f(v)", "out = t.gradient(y, v)"],
          ["@tf.custom_gradient", "def f(x, y):", "    return x * y, lambda dy: dy",
           "with tf.GradientTape() as t: y = f(v, w)", "out = t.gradient(y, [v, w])"],
          ["class A:", "    @tf.custom_gradient", "    def f(self, x):",
           "        return x * x, lambda dy: dy * 10.0",
           "with tf.GradientTape() as t: y = A().f(v)", "out = t.gradient(y, v)"],
      )],
    # ------------------------------------------------------------------ errors
    *[show(f"errors.{e}", f"[issubclass(tf.errors.{e}, tf.errors.OpError), "
           f"issubclass(tf.errors.{e}, (ValueError, TypeError)), tf.errors.{e}.__name__]")
      for e in ERRORS.split()],
    *[show(f"errors.{e}", f"tf.errors.{e}") for e in CODES.split()],
    show("errors.OperatorNotAllowedInGraphError", "issubclass(tf.errors.OperatorNotAllowedInGraphError, TypeError)"),
    show("errors.InvalidArgumentError", "(lambda e: [str(e), e.message, e.error_code, e.op, "
         "e.node_def])(tf.errors.InvalidArgumentError(None, None, 'm'))"),
    # ------------------------------------------------------------------ reductions that are here
    call("reduce_sum math.reduce_sum", "x", x="f32([[1.0, 2.0], [3.0, 4.0]])", wrt="x"),
]  # fmt: skip
