"""Checkpoints: names, numbers, what is restored, what is asserted."""

from tests.tf.scheme import program

START = ("import os, tempfile\n"
         "folder = tempfile.mkdtemp()\n"
         "def short(x): return x.replace(folder, '')\n"
         "def there(): return sorted({n.split('.')[0] for n in os.listdir(folder)})\n"
         "def names(p): return [x for x in tf.train.list_variables(p) if x[0][0] != '_']\n"
         "v = tf.Variable([1.0, 2.0])\n"
         "c = tf.train.Checkpoint(v=v)\n"
         "at = folder + '/ck'")  # fmt: skip
KEY = "/.ATTRIBUTES/VARIABLE_VALUE"


def check(names, *programs, **rest):
    return [case for lines in programs for case in program(names, START, *lines, **rest)]


CASES = [
    *check("train.Checkpoint",
           ["p, q = c.save(at), c.save(at)", "out = [short(p), short(q), there(), c.save_counter]"],
           ["c.save(at)", "out = open(folder + '/checkpoint').read()"],
           ["p = c.write(at)", "out = [short(p), there()]"],
           ["v.assign([5.0, 6.0])", "p = c.save(at)", "v.assign([0.0, 0.0])", "c.restore(p)", "out = v"],
           ["p = c.save(at)", "w = tf.Variable([0.0, 0.0])", "d = tf.train.Checkpoint(v=w)",
            "d.restore(p).assert_consumed()", "out = [w, d.save_counter, short(d.save(at))]"],
           ["p = c.write(at)", "w = tf.Variable([0.0, 0.0])",
            "tf.train.Checkpoint(v=w).read(p).assert_consumed()", "out = w"],
           ["p = c.save(at)", "d = tf.train.Checkpoint()", "d.restore(p)", "d.v = tf.Variable([0.0, 0.0])",
            "out = d.v"],
           ["p = c.save(at)", "d = tf.train.Checkpoint()", "s = d.restore(p)",
            "d.v = tf.Variable([0.0, 0.0])", "s.assert_consumed()", "out = d.v"],
           ["c.w = tf.Variable(3.0)", "p = c.save(at)", "c.w.assign(0.0)", "c.restore(p).assert_consumed()",
            "out = c.w"],
           ["p = c.save(at)", "w = tf.Variable([0.0, 0.0])",
            "s = tf.train.Checkpoint(v=w, x=tf.Variable(1.0)).restore(p).expect_partial()", "out = w"],
           ["p = c.save(at)", "w = tf.Variable([0.0, 0.0])",
            "tf.train.Checkpoint(v=w, x=tf.Variable(1.0)).restore(p).assert_existing_objects_matched()"],
           ["p = c.save(at)", "tf.train.Checkpoint(x=tf.Variable(1.0)).restore(p).assert_consumed()"],
           ["p = c.save(at)", "tf.train.Checkpoint().restore(p).assert_existing_objects_matched()", "out = 1"],
           ["p = c.save(at)", "tf.train.Checkpoint().restore(p).assert_consumed()"],
           ["x = [tf.Variable(1.0), {'b': tf.Variable(2), 'a': tf.Variable([3.0])}]",
            "y = (tf.Variable(True), tf.Variable(1 + 2j), tf.Variable(np.float64(4)))",
            "d = tf.train.Checkpoint(x=x, y=y)", "p = d.save(at)",
            "x[0].assign(0.0), x[1]['b'].assign(0), x[1]['a'].assign([0.0]), y[0].assign(False)",
            "y[1].assign(0j), y[2].assign(0.0)", "d.restore(p).assert_consumed()", "out = [x, list(y)]"],
           # one Variable by two names: restored through either
           ["d = tf.train.Checkpoint(a=v, b=[v])", "p = d.save(at)", "w = tf.Variable([0.0, 0.0])",
            "tf.train.Checkpoint(b=[w]).restore(p).expect_partial()", "out = w"],
           ["d = tf.train.Checkpoint(c=c, l=[c])", "p = d.save(at)", "v.assign([0.0, 0.0])",
            "d.restore(p).assert_consumed()", "out = v"],
           ["g = tf.random.Generator.from_seed(1)", "d = tf.train.Checkpoint(g=g)", "p = d.save(at)",
            "x = g.normal([3])", "d.restore(p).assert_consumed()",
            "out = [np.array_equal(g.normal([3]), x), names(p)]"],
           ["p = c.save(at)", "v.assign([7.0, 8.0])", "q = c.save(at)", "c.restore(p)",
            "out = [v, c.save_counter, short(c.save(at))]"],
           ["import pathlib", "p = c.save(pathlib.Path(at))", "c.restore(pathlib.Path(p))", "out = short(str(p))"],
           ["p = c.save(folder + '/a/b/ck')", "out = os.path.exists(folder + '/a/b/checkpoint')"],
           ["s = tf.Variable(1.0, shape=tf.TensorShape(None))", "p = c.save(at)",
            "tf.train.Checkpoint(v=s).restore(p)", "out = s.numpy()"],
           ["c.restore(None)", "out = v"], ["c.restore(None).expect_partial()", "out = v"],
           ["c.restore(None).assert_consumed()"], ["c.restore(at)"], ["c.read(at)"],
           ["p = c.save(at)", "tf.train.Checkpoint(v=tf.Variable([1.0, 2.0, 3.0])).restore(p)"],
           ["p = c.save(at)", "tf.train.Checkpoint(v=tf.Variable([1, 2])).restore(p)"],
           ["out = tf.train.Checkpoint(v=3)"], ["out = tf.train.Checkpoint(v=np.ones(2))"],
           ["out = tf.train.Checkpoint(v=tf.constant(1.0))"], ["out = tf.train.Checkpoint(3)"],
           ["out = tf.train.Checkpoint(v=None)"], ["out = c.x"], ["out = c.v is v"]),
    *check("train.Checkpoint", ["c.x = 3"], ours="a ValueError with the remedy; TensorFlow lets a KeyError through"),
    *check("train.list_variables",
           ["out = names(c.save(at))"], ["out = names(c.write(at))"], ["c.save(at)", "out = names(folder)"],
           ["out = names(folder)"], ["out = names(at)"],
           ["x = [v, {'a': v, 'b': [tf.Variable(3)]}]",
            "out = names(tf.train.Checkpoint(l=x, t=(v,), c=c).save(at))"],
           ["out = names(tf.train.Checkpoint(**{'a/b': v, 'x.y': tf.Variable(1.0)}).save(at))"],
           ["out = names(tf.train.Checkpoint(c).save(at))"]),
    *check("train.latest_checkpoint",
           ["c.save(at)", "c.save(at)", "out = short(tf.train.latest_checkpoint(folder))"],
           ["out = tf.train.latest_checkpoint(folder)"], ["out = tf.train.latest_checkpoint(folder + '/x')"],
           ["c.write(at)", "out = tf.train.latest_checkpoint(folder)"],
           ["c.save(folder + '/a\"b')", "out = short(tf.train.latest_checkpoint(folder))"],
           ["p = c.save(at)", "for n in os.listdir(folder):", "    if n.startswith('ck'): os.remove(folder + '/' + n)",
            "out = tf.train.latest_checkpoint(folder)"]),
    *check("train.CheckpointManager",
           ["m = tf.train.CheckpointManager(c, folder, 2)",
            "out = [[short(m.save()) for i in range(3)], there(), [short(p) for p in m.checkpoints], "
            "short(m.latest_checkpoint), short(tf.train.latest_checkpoint(folder))]"],
           ["m = tf.train.CheckpointManager(c, folder, None, checkpoint_name='x')",
            "out = [[short(m.save()) for i in range(3)], len(m.checkpoints), short(m.directory)]"],
           ["m = tf.train.CheckpointManager(c, folder, 2)",
            "out = [m.restore_or_initialize(), m.latest_checkpoint, m.checkpoints]"],
           ["m = tf.train.CheckpointManager(c, folder, 2)",
            "out = [short(m.save(7)), short(m.save(checkpoint_number=9)), c.save_counter]"],
           ["m = tf.train.CheckpointManager(c, folder, 2)", "m.save(), m.save(), v.assign([0.0, 0.0])",
            "n = tf.train.CheckpointManager(c, folder, 2)", "p = n.restore_or_initialize()",
            "out = [short(p), v, [short(q) for q in n.checkpoints], short(n.save())]"],
           ["n = tf.Variable(0)", "m = tf.train.CheckpointManager(c, folder, 9, step_counter=n, "
            "checkpoint_interval=2)", "out = []", "for i in range(5):",
            "    out.append(m.save() is None)", "    n.assign_add(1)"],
           ["m = tf.train.CheckpointManager(c, folder, 0)"],
           ["m = tf.train.CheckpointManager(c, folder, 1, checkpoint_interval=2)"],
           ["m = tf.train.CheckpointManager(c, folder, 1, init_fn=lambda: v.assign([9.0, 9.0]))",
            "m.restore_or_initialize()", "out = v"]),
    *check("train.load_checkpoint",
           ["r = tf.train.load_checkpoint(c.save(at))",
            f"k = 'v{KEY}'", "out = [r.get_tensor(k), r.has_tensor(k), r.has_tensor('v'), "
            "r.get_variable_to_shape_map()[k], r.get_variable_to_dtype_map()[k]]"],
           ["tf.train.load_checkpoint(c.save(at)).get_tensor('v')"], ["tf.train.load_checkpoint(folder)"]),
    *check("train.load_variable",
           [f"out = tf.train.load_variable(c.save(at), 'v{KEY}')"],
           ["out = tf.train.load_variable(c.save(at), 'z')"]),
]  # fmt: skip
