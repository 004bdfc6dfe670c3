"""Datasets: elements, their order and specs, cardinality, mistakes; and TensorSpec."""

from tests.tf.scheme import program, show

ds = "tf.data.Dataset"
SLICES, RANGE = f"{ds}.from_tensor_slices", f"{ds}.range"
PAIR = f"{SLICES}((np.arange(10.0, dtype='f4').reshape(5, 2), [1, 2, 3, 4, 5]))"
READ = "def read(d): return list(d.as_numpy_iterator())"


def reads(*sources, **rest):
    """The elements of a dataset, its spec and its cardinality."""
    return [show("data.Dataset", f"(lambda d: [list(d), repr(d), d.cardinality().numpy()])({s})", **rest)
            for s in sources]  # fmt: skip


def mistakes(*sources, **rest):
    return [show("data.Dataset", f"list({s})", **rest) for s in sources]


def shows(*sources, **rest):
    return [show("data.Dataset", s, **rest) for s in sources]


SAME = ("def same(a, b): return np.array_equal(list(a.as_numpy_iterator()), "
        "list(b.as_numpy_iterator()))")  # fmt: skip
N = f"{RANGE}(100)"

CASES = [
    # ------------------------------------------------------------------ sources
    *reads(f"{SLICES}([1, 2, 3])", f"{SLICES}([[1.0, 2.0], [3.0, 4.0]])", PAIR, f"{SLICES}([])",
           f"{SLICES}({{'b': [1, 2], 'a': [1.0, 2.0]}})", f"{SLICES}(([1, 2], {{'x': [3, 4]}}))",
           f"{SLICES}(np.ones((2, 3)))", f"{SLICES}(['a', 'b'])", f"{SLICES}(f32([1.0, 2.0]))",
           f"{SLICES}(tf.Variable([1.0, 2.0]))", f"{SLICES}(np.zeros((0, 2)))", f"{SLICES}((1, 2))[0]",
           f"{SLICES}(([1, 2],))",
           f"{ds}.from_tensors([1, 2])", f"{ds}.from_tensors((1, {{'a': 2}}))", f"{ds}.from_tensors('a')",
           f"{ds}.from_tensors([(1, 2)])", f"{RANGE}(3)", f"{RANGE}(2, 5)", f"{RANGE}(5, 1, -2)",
           f"{RANGE}(3, output_type=tf.int32)", f"{RANGE}(3, output_type=tf.float32)", f"{RANGE}(0)",
           f"{RANGE}(i64(3))"),
    *mistakes(f"{SLICES}(([1, 2], [3]))", f"{SLICES}(5)", f"{SLICES}(())", f"{SLICES}({{}})",
              f"{SLICES}([[1, 2], [3]])", f"{RANGE}(2.5)", f"{RANGE}()", f"{RANGE}(1, 2, 3, 4)",
              f"{RANGE}(1, 5, 0)", f"{ds}(1)", f"{SLICES}(None)",
              f"{SLICES}(object())", f"{SLICES}()", f"next({RANGE}(3))", f"{RANGE}(3)[0]",
              f"{RANGE}(3).bogus"),
    # no repr: Python 3.12 writes an OrderedDict in another way
    show("data.Dataset", f"list({SLICES}(__import__('collections').OrderedDict(b=[1], a=[2])))"),
    show("data.Dataset", "isinstance(tf.data.Dataset.range(3), tf.data.Dataset)"),
    show("data.Dataset", f"sum(float(y) for x, y in {PAIR})"),
    # ------------------------------------------------------------------ generators
    *reads(f"{ds}.from_generator(lambda: [1, 2], tf.int32)",
           f"{ds}.from_generator(lambda: [(1, 2.0)], (tf.int32, tf.float32), ((), ()))",
           f"{ds}.from_generator(lambda: [(1, 2.0)], output_signature=(tf.TensorSpec((), tf.int32), "
           "tf.TensorSpec((), tf.float32)))",
           f"{ds}.from_generator(lambda: [{{'a': 1}}], output_signature={{'a': tf.TensorSpec((), tf.int64)}})",
           f"{ds}.from_generator(lambda n: range(n), tf.int32, args=(3,))",
           f"{ds}.from_generator(lambda: [(1, 2)], tf.int32)",
           f"{ds}.from_generator(lambda: [1.5], output_signature=tf.TensorSpec((), tf.int32))",
           f"{ds}.from_generator(lambda: ([i] * i for i in (1, 2)), tf.float32, [None])",
           f"{ds}.from_generator(lambda: [np.ones(2)], output_signature=tf.TensorSpec([None], tf.float64))"),
    *mistakes(f"{ds}.from_generator(lambda: [1.5, 2], tf.int32)",
              f"{ds}.from_generator(lambda: [[1, 2]], output_signature=tf.TensorSpec((3,), tf.int32))",
              f"{ds}.from_generator(lambda: ['a'], tf.int32)", f"{ds}.from_generator(3, tf.int32)",
              f"{ds}.from_generator(lambda: [1])", f"{ds}.from_generator(lambda: [1], (tf.int32, tf.int32))",
              f"{ds}.from_generator(lambda: [1], tf.int32, output_signature=tf.TensorSpec(()))",
              f"{ds}.from_generator(lambda: [(1,)], (tf.int32, tf.int32))",
              f"{ds}.from_generator(lambda: [1], output_signature=tf.int32)",
              f"{ds}.from_generator(lambda: [[1], [1, 2]], tf.int32).batch(2)"),
    program("data.Dataset", "def g():", "    yield 1", "    raise IndexError('x')",
            f"out = list({ds}.from_generator(g, tf.int32))",
            ours="the generator's own exception; TensorFlow says UnknownError"),
    # ------------------------------------------------------------------ transformations
    *reads(f"{RANGE}(7).batch(3)", f"{RANGE}(7).batch(3, drop_remainder=True)", f"{PAIR}.batch(2)",
           f"{RANGE}(7).batch(2).batch(2)", f"{RANGE}(7).batch(i64(3))", f"{RANGE}(3).batch(10, True)",
           f"{SLICES}({{'a': [1, 2, 3]}}).batch(2)", f"{RANGE}(7).batch(3, num_parallel_calls=2).take(1)",
           f"{RANGE}(7).map(lambda x: x).batch(3)", f"{PAIR}.map(lambda x, y: (y, x)).batch(2)",
           f"{SLICES}(['a', 'b']).batch(2)",
           f"{RANGE}(3).batch(2).unbatch()", f"{PAIR}.batch(2, True).unbatch()", f"{SLICES}([[1, 2]]).unbatch()",
           f"{RANGE}(3).repeat(2)", f"{RANGE}(3).repeat(0)", f"{RANGE}(3).repeat().take(5)",
           f"{RANGE}(3).repeat(-1).take(4)", f"{RANGE}(0).repeat()", f"{RANGE}(3).repeat(None).skip(2).take(3)",
           f"{RANGE}(5).take(2)", f"{RANGE}(5).take(-1)", f"{RANGE}(5).take(20)", f"{RANGE}(5).take(0)",
           f"{RANGE}(5).skip(2)", f"{RANGE}(5).skip(-1)", f"{RANGE}(5).skip(20)", f"{RANGE}(5).skip(2).take(2)",
           f"{RANGE}(5).shard(2, 0)", f"{RANGE}(5).shard(3, 2)", f"{RANGE}(3).prefetch(1)",
           f"{RANGE}(3).prefetch(tf.data.AUTOTUNE)", f"{RANGE}(3).cache()", f"{PAIR}.cache().batch(4)",
           f"{RANGE}(3).with_options(tf.data.Options())", f"{RANGE}(3).enumerate()", f"{PAIR}.enumerate(5)",
           f"{RANGE}(3).map(lambda x: x * 2)", f"{RANGE}(3).map(lambda x: (x, x + 1))",
           f"{RANGE}(3).map(lambda x: {{'a': x}})", f"{RANGE}(3).map(lambda x: [x, x])",
           f"{PAIR}.map(lambda x, y: x * tf.cast(y, tf.float32))", f"{RANGE}(3).map(lambda x: 1)",
           f"{SLICES}({{'a': [1, 2]}}).map(lambda d: d['a'] + 1)", f"{RANGE}(3).map(lambda x: 1.5)",
           f"{RANGE}(3).map(lambda x: np.ones(2))", f"{RANGE}(3).map(lambda x: 'a')",
           f"{RANGE}(3).map(lambda x: tf.cast(x, tf.float32) / 2, num_parallel_calls=tf.data.AUTOTUNE)",
           f"{RANGE}(4).batch(3).map(lambda x: x * 2)", f"{RANGE}(4).batch(3).map(lambda x: x[0])",
           f"{PAIR}.batch(2).map(lambda x, y: tf.reduce_sum(x))",
           f"{RANGE}(3).map(lambda x, deterministic=True: x, deterministic=False)",
           f"{RANGE}(6).filter(lambda x: x % 2 == 0)", f"{PAIR}.filter(lambda x, y: y > 3)",
           f"{RANGE}(6).filter(lambda x: True).take(2)", f"{RANGE}(6).filter(lambda x: x > 1).batch(2)",
           f"{RANGE}(6).take_while(lambda x: x < 3)", f"{SLICES}([1, 2, 1, 3, 2]).unique()",
           f"{RANGE}(4).scan(i64(0), lambda s, x: (s + x, s + x))",
           f"{RANGE}(2).concatenate({RANGE}(3))", f"{SLICES}([[1, 2]]).concatenate({SLICES}([[1, 2, 3]]))",
           f"{RANGE}(2).concatenate({RANGE}(3).batch(2))", f"{RANGE}(2).concatenate({RANGE}(1).repeat()).take(5)",
           f"{RANGE}(3).flat_map(lambda x: {RANGE}(x))", f"{RANGE}(3).apply(lambda d: d.take(1))",
           f"{RANGE}(5).window(3, shift=1, drop_remainder=True).flat_map(lambda w: w.batch(3))",
           f"{RANGE}(7).window(2, 3, 2).flat_map(lambda w: w.batch(2))",
           f"{RANGE}(9).window(2, 4).flat_map(lambda w: w.batch(5))",
           f"{RANGE}(9).window(3, 2, 2, True).flat_map(lambda w: w.batch(5))",
           f"{ds}.zip({RANGE}(3), {RANGE}(2))", f"{ds}.zip(({RANGE}(3), {RANGE}(2).repeat()))",
           f"{ds}.zip({{'a': {RANGE}(3), 'b': {PAIR}}})", f"{ds}.zip({RANGE}(2))",
           f"{ds}.zip(({RANGE}(2), ({RANGE}(2), {RANGE}(3))))", f"{ds}.zip(datasets=({RANGE}(1), {RANGE}(2)))",
           f"{ds}.zip(({RANGE}(2), {RANGE}(2))).batch(2)", f"{ds}.zip(({RANGE}(3),))"),
    *shows(f"[list(w.as_numpy_iterator()) for w in {RANGE}(5).window(2)]", f"{RANGE}(5).window(2).element_spec",
           f"{ds}.zip({RANGE}(3), {RANGE}(3)).window(2).element_spec", f"len({RANGE}(3))", f"bool({RANGE}(0))",
           f"len({RANGE}(3).repeat())", f"len({RANGE}(3).filter(lambda x: True))", f"next(iter({RANGE}(3)))",
           f"iter({RANGE}(3)).get_next()", f"iter({RANGE}(3)).element_spec", f"list(iter({RANGE}(2)))",
           f"next({RANGE}(3).as_numpy_iterator())", f"type(next({SLICES}(['a']).as_numpy_iterator()))",
           f"next({SLICES}({{'a': [1]}}).as_numpy_iterator())", f"next({PAIR}.as_numpy_iterator())",
           f"{RANGE}(1).get_single_element()", f"{RANGE}(3).get_single_element()", f"{RANGE}(0).get_single_element()",
           f"{RANGE}(3).element_spec == tf.TensorSpec((), tf.int64)", f"{RANGE}(3).cardinality()",
           f"{RANGE}(10).map(lambda x: x).skip(3).cardinality()", f"{RANGE}(10).repeat().batch(2).cardinality()",
           f"{RANGE}(10).window(3, 1, 2, True).cardinality()", f"{RANGE}(10).batch(3).unbatch().cardinality()",
           f"{RANGE}(10).filter(lambda x: True).repeat().cardinality()", f"{RANGE}(9).window(3, 1).cardinality()",
           f"{RANGE}(10).filter(lambda x: True).repeat(0).cardinality()", f"{RANGE}(0).repeat().cardinality()",
           f"{RANGE}(10).filter(lambda x: True).concatenate({RANGE}(3).repeat()).cardinality()",
           f"{RANGE}(10).repeat().concatenate({RANGE}(3)).cardinality()",
           f"{RANGE}(10).filter(lambda x: True).skip(2).take(1).cardinality()",
           f"{RANGE}(4).batch(2).map(lambda x: tf.reduce_sum(x)).element_spec",
           f"{PAIR}.shuffle(5).batch(2, drop_remainder=True).element_spec", f"{RANGE}(0).map(lambda x: x * 2).element_spec"),
    program("data.Dataset", f"i = iter({RANGE}(1))", "i.get_next()", "out = i.get_next()"),
    show("data.Iterator", f"isinstance(iter({RANGE}(1)), tf.data.Iterator)"),
    show("data.NumpyIterator",
         f"isinstance({RANGE}(1).as_numpy_iterator(), tf.data.NumpyIterator)"),
    program("data.Dataset", READ, f"d = {RANGE}(3).map(lambda x: x)", "out = [read(d), read(d)]"),
    program("data.Dataset", READ, f"d = {RANGE}(3)", "i, j = iter(d), iter(d)",
            "out = [next(i), next(i), next(j)]"),
    program("data.Dataset", "n = tf.Variable(0)", "def f(x):", "    n.assign_add(1)", "    return x",
            f"d = {RANGE}(3).map(f).cache()", "list(d), list(d)", "out = n.numpy()"),
    program("data.Dataset", "n = tf.Variable(0)", "def f(x):", "    n.assign_add(1)", "    return x",
            f"d = {RANGE}(3).map(f).cache()", "list(d.take(2)), list(d)", "out = n.numpy()"),
    program("data.Dataset", "x = np.zeros(3)", f"d = {SLICES}(x)", "x[0] = 5", "out = list(d)"),
    program("data.Dataset", f"d = {SLICES}(np.zeros((2, 2)))", "out = next(d.as_numpy_iterator()).flags.writeable"),
    program("data.Dataset", "v = tf.Variable(2.0)", f"d = {SLICES}([1.0]).map(lambda x: x * v)",
            "with tf.GradientTape() as t:", "    for x in d: y = x * v", "out = t.gradient(y, v)"),
    program("data.Dataset", "v = tf.Variable([1.0, 2.0])", "with tf.GradientTape() as t:",
            f"    for x in {SLICES}(v): y = x * 3.0", "out = t.gradient(y, v)"),
    *[show("data.Dataset", f"{a}") for a in (
        f"{RANGE}(3).reduce(np.int64(0), lambda s, x: s + x)",
        f"{RANGE}(3).reduce((np.int64(0), 0.0), lambda s, x: (s[0] + x, s[1] + 1.0))",
        f"{RANGE}(3).reduce(np.int64(0), lambda s, x: (s, x))", f"{RANGE}(0).reduce(i64(5), lambda s, x: s)",
        f"{PAIR}.reduce(0, lambda s, e: s + e[1])", f"{PAIR}.reduce(0, lambda s, x, y: s + y)",
        f"{RANGE}(3).reduce(np.int64(0), 3)")],
    # ------------------------------------------------------------------ shuffling
    *[program("data.Dataset", SAME, *lines) for lines in (
        [f"out = np.sort(list({N}.shuffle(10).as_numpy_iterator()))"],
        [f"out = np.sort(list({N}.shuffle(1000).as_numpy_iterator()))"],
        [f"out = list({RANGE}(5).shuffle(1))"], [f"out = same({N}.shuffle(100), {N})"],
        # an element is never before its place less the buffer
        [f"x = list({N}.shuffle(10).as_numpy_iterator())", "out = all(v <= i + 9 for i, v in enumerate(x))"],
        [f"out = same({N}.shuffle(100, seed=3), {N}.shuffle(100, seed=3))"],
        [f"out = same({N}.shuffle(10, seed=3), {N}.shuffle(10, seed=4))"],
        [f"out = same({N}.shuffle(100), {N}.shuffle(100))"],
        [f"d = {N}.shuffle(100, seed=3)", "out = same(d, d)"],
        [f"d = {N}.shuffle(100, seed=3, reshuffle_each_iteration=False)", "out = same(d, d)"],
        [f"d = {N}.shuffle(100, reshuffle_each_iteration=False)", "out = same(d, d)"],
        [f"d, e = {N}.shuffle(100, seed=3), {N}.shuffle(100, seed=3)",
         "out = [same(d, e), same(d, e), same(d.repeat(2), e.repeat(2))]"],
        [f"x = list({N}.shuffle(100, seed=3).repeat(2).as_numpy_iterator())",
         "out = [sorted(x[:100]) == sorted(x[100:]), x[:100] == x[100:]]"],
        [f"x = list({N}.shuffle(100, reshuffle_each_iteration=False).repeat(2).as_numpy_iterator())",
         "out = x[:100] == x[100:]"],
        [f"x = list({N}.shuffle(100).cache().repeat(2).as_numpy_iterator())", "out = x[:100] == x[100:]"],
        ["tf.random.set_seed(1)", f"a, b = {N}.shuffle(100), {N}.shuffle(100)", "tf.random.set_seed(1)",
         f"c, d = {N}.shuffle(100), {N}.shuffle(100)", "out = [same(a, c), same(b, d), same(a, b)]"],
        ["tf.random.set_seed(1)", f"a = {N}.shuffle(100, seed=2)", "tf.random.set_seed(3)",
         f"b = {N}.shuffle(100, seed=2)", "out = same(a, b)"],
        [f"out = [(x[0] % 2 == 0, x[1] - x[0]) for x in {SLICES}(np.arange(20).reshape(10, 2))"
         ".shuffle(10).as_numpy_iterator()]"],
        [f"a, b = zip(*[(float(x[0]), int(y)) for x, y in {PAIR}.shuffle(5)])",
         "out = [x == 2 * y - 2 for x, y in zip(a, b)]"],
        [f"out = [len(x) for x in {N}.shuffle(100).batch(30).as_numpy_iterator()]"],
        [f"d = {RANGE}(3).map(lambda x: tf.random.uniform([]))", "a = list(d)", "out = bool(a[0] == a[1])"],
    )],
    # ------------------------------------------------------------------ mistakes
    *mistakes(*[f"{RANGE}(3).{a}" for a in (
        "batch(0)", "batch(-1)", "batch(2.5)", "batch()", "shuffle(0)", "shuffle(-1)", "shuffle()", "take('a')",
        "skip(1.5)", "repeat(1.5)", "map(3)", "map()", "map(lambda x: None)", "map(lambda x, y: x)",
        "filter(lambda x: x)", "filter(3)", "map(lambda x: x.bogus)", "prefetch(-5)",
        "prefetch('a')", "window(0)", "window(2, 0)", "unbatch()", "shard(3, 3)", "shard(0, 0)",
        f"concatenate({SLICES}([1]))", f"concatenate({SLICES}(([1], [2])))", "apply(lambda d: 3)", "apply(3)", "reduce()",
        "apply(tf.data.experimental.assert_cardinality(5))")]),
    *mistakes(f"{ds}.zip([{RANGE}(3), {RANGE}(2)])", f"{ds}.zip(3)", f"{ds}.zip()", f"{ds}.zip((3, 4))"),
    *mistakes(f"{RANGE}(3).map(lambda x: x + 1.5)", f"[{RANGE}(3).reduce(0, lambda s, x: s + x)]",
              ours="the error of the operation itself; TensorFlow traces the function, and says TypeError"),
    *mistakes(f"{ds}.from_tensors(None)", ours="a ValueError, as from_tensor_slices"),
    program("data.Dataset", "tf.random.set_seed(1)", f"d = {RANGE}(3).map(lambda x: tf.random.uniform([]))",
            "out = bool(list(d)[0] == list(d)[0])",
            ours="a map draws on in the next iteration; TensorFlow's traced function starts again"),
    *mistakes(f"{RANGE}(3).concatenate(3)", f"{RANGE}(3).filter(lambda x: [True, False])",
              f"{RANGE}(3).with_options(3)", f"{RANGE}(3).flat_map(lambda x: x)", ours="a TypeError or ValueError with the remedy; TensorFlow lets an AttributeError through"),
    show("data.Dataset", f"{RANGE}(3).cache('x')", ours="a file is not written: refused"),
    # ------------------------------------------------------------------ the rest
    *[show(f"data.{n} data.experimental.{n}", f"tf.data.{n}") for n in
      ("AUTOTUNE", "INFINITE_CARDINALITY", "UNKNOWN_CARDINALITY")],
    show("data.experimental.cardinality", f"tf.data.experimental.cardinality({RANGE}(3))"),
    show("data.experimental.assert_cardinality",
         f"{RANGE}(3).filter(lambda x: True).apply(tf.data.experimental.assert_cardinality(3)).cardinality()"),
    *[program("data.Options", "o = tf.data.Options()", *lines) for lines in (
        ["out = [o.deterministic, o.threading.private_threadpool_size, o.autotune.enabled]"],
        ["out = o.bogus"], ["o.bogus = 1"], ["o.threading.bogus = 1"],
        ["o.deterministic = False", "o.threading.private_threadpool_size = 2",
         f"d = {RANGE}(3).with_options(o).take(2)",
         "out = [d.options().deterministic, d.options().threading.private_threadpool_size, list(d)]"],
        ["o.experimental_optimization.map_fusion = True", "o.autotune.enabled = False", "o.experimental_slack = True",
         f"out = list({RANGE}(3).with_options(o))"])],
    # ------------------------------------------------------------------ TensorSpec
    *[show("TensorSpec", s) for s in (
        "tf.TensorSpec((2, None), tf.float32)", "tf.TensorSpec([2], name='n')", "tf.TensorSpec(None)",
        "tf.TensorSpec()", "tf.TensorSpec((2,)).dtype", "tf.TensorSpec([2, None]).shape", "tf.TensorSpec([2]).name",
        "tf.TensorSpec.from_tensor(f32([1.0, 2.0]))", "tf.TensorSpec.from_tensor(i32(1), name='q')",
        "tf.TensorSpec.from_tensor(tf.Variable(1.0)).shape",
        "tf.TensorSpec.from_tensor(3)", "tf.TensorSpec.from_spec(tf.TensorSpec([2]), 'a')",
        "tf.TensorSpec([2]).is_compatible_with(f32([1.0, 2.0]))", "tf.TensorSpec([2]).is_compatible_with(f64([1.0, 2.0]))",
        "tf.TensorSpec([2]).is_compatible_with(np.ones(2))", "tf.TensorSpec([None]).is_compatible_with(tf.TensorSpec([3]))",
        "tf.TensorSpec([2]).is_compatible_with(tf.TensorSpec([3]))", "tf.TensorSpec([2]) == tf.TensorSpec([2])",
        "tf.TensorSpec([2]) == 3", "tf.TensorSpec([2], name='a') == tf.TensorSpec([2])",
        "tf.TensorSpec([2]) != tf.TensorSpec([2], tf.int32)", "len({tf.TensorSpec([2]), tf.TensorSpec((2,))})",
        "tf.TensorSpec(3)", "tf.TensorSpec('a')", "tf.TensorSpec([2], 'bogus')", "tf.TensorSpec([2], 'float64')",
        "tf.TensorSpec([2]).is_subtype_of(tf.TensorSpec([None]))", "tf.TensorSpec([None]).is_subtype_of(tf.TensorSpec([2]))",
        "tf.TensorSpec([2]).most_specific_compatible_type(tf.TensorSpec([3]))",
        "tf.TensorSpec([2]).most_specific_compatible_type(tf.TensorSpec([3], tf.int32))",
        "tf.TensorSpec([2]).most_specific_common_supertype([tf.TensorSpec([3, 4])])",
        "tf.TensorSpec([2]).bogus", "tf.TensorSpec(shape=[None, 28], dtype=tf.float32, name='x')",
        "__import__('pickle').loads(__import__('pickle').dumps(tf.TensorSpec([2])))")],
    program("TensorSpec", "s = tf.TensorSpec([2])", "s.shape = 3"),
]  # fmt: skip
