"""Structures: taken apart, put together, compared."""

from tests.tf.scheme import call, program, show

NT = "__import__('collections').namedtuple('P', 'x a')(1, 2)"
OD = "__import__('collections').OrderedDict"
CASES = [
    *[call("nest.flatten", a) for a in (
        "1", "[1, (2, [3])]", "{'b': 1, 'a': 2}", "range(3)", "{1: 1, 'a': 2}", "'abc'", "{1}", "None",
        "np.ones(2)", "tf.TensorShape([1, 2])", "[]", "{}", "()", "{'a': 1}.values()", "{'b': 1}.keys()",
        NT, f"{OD}(b=1, a=2)", "{'a': {'z': 1, 'c': 2}, 'A': 0}", "[[], 1]", "b'a'", "1.5, True",
        "[f32([1.0, 2.0]), tf.Variable(1.0)]", "structure=[1, 'a', None]", "")],
    *[call("nest.is_nested", a) for a in (
        "range(3)", "{'a': 1}.keys()", "[]", "'a'", "{1}", "iter([1])", "None", "np.ones(2)", "{}",
        "tf.TensorShape([1])", "f32([1.0])", NT, "seq=()", "b'a'", "bytearray(b'a')")],
    *[call("nest.map_structure", a) for a in (
        "lambda x: x + 1, {'b': 1, 'a': [2]}", "lambda x, y: x + y, [1, 2], [3, 4]",
        "lambda x, y: x + y, [1, 2], (3, 4)", "lambda x, y: x + y, [1, 2], [3]",
        "lambda x, y: x + y, [1, 2], (3, 4), check_types=False", "1, [1]", "lambda x: x",
        "lambda x: x, [1], bogus=1", "lambda x: x, (1, 2)", f"lambda x: 2 * x, {NT}",
        f"lambda x: x, {OD}(b=1, a=2)", "lambda x: x, range(3)", "lambda x: x, {'a': 1}.values()",
        "lambda a, b: a + b, {'a': 1}, {'b': 1}", "lambda a, b: a + b, {'b': 1, 'a': 2}, {'a': 3, 'b': 4}",
        "lambda a, b: (a, b), [1, [2]], [3, 4]", "lambda x: x * 2, f32([1.0])", "lambda x: x, []",
        "lambda x: x, __import__('types').MappingProxyType({'b': 1})",
        "lambda x: x, [1], expand_composites=True")],
    show("nest.map_structure", f"[type(x).__name__ for x in (tf.nest.map_structure(lambda x: x, {NT}), "
         "tf.nest.map_structure(lambda x: x, __import__('collections').defaultdict(int, b=1)), "
         f"tf.nest.map_structure(lambda x: x, {OD}(b=1)))]"),
    program("nest.map_structure", "seen = []",
            "tf.nest.map_structure(seen.append, {'b': 1, 'a': [2, 3]})", "out = seen"),
    *[call("nest.pack_sequence_as", a) for a in (
        "{'b': 1, 'a': 2}, [10, 20]", "[1, 2], [1]", "1, [1, 2]", "1, [5]", "[1], 5", "[1, (2,)], (5, 6)",
        "[1, 2], tf.constant([5, 6])", "[1, 2], np.array([5, 6])", "1, 5", "[], []", "[1, 2], range(2)",
        "structure=[1], flat_sequence=[2]", "{'a': 1}.values(), [1]", f"{NT}, [5, 6]", "[1], 'a'",
        f"{OD}(b=1, a=2), [10, 20]", "[1, [2, {'a': 3}]], ['x', 'y', 'z']")],
    *[call("nest.assert_same_structure", a) for a in (
        "[1], [2]", "[1], (2,)", "[1], (2,), check_types=False", "[1], [1, 2]", "{'a': 1}, {'b': 1}",
        "[1], 1", "1, 2", f"{{'a': 1}}, {OD}(a=1)", "[1, [2]], [[1], 2]", "[1, [2]], [1, (2,)]",
        "{'a': 1}, [1]", "{'a': 1}, [1], check_types=False", "{'a': 1}, {'b': 1}, check_types=False",
        "[1, 2], np.array([1, 2])", "'ab', [1]", "[1], 'a'", "nest1=[1], nest2=[2]", "[], []", "[], ()",
        "None, [1]", f"{NT}, {NT.replace('P', 'Q')}", f"{NT}, (1, 2)")],
]  # fmt: skip
