"""tf.Module and tf.device."""

from tests.tf.scheme import program, show

MODEL = (
    "class Inner(tf.Module):",
    "    def __init__(self, name=None):",
    "        super().__init__(name=name)",
    "        self.z = tf.Variable([5.0], name='z')",
    "class M(tf.Module):",
    "    def __init__(self, name=None):",
    "        super().__init__(name=name)",
    "        self.w = tf.Variable(1.0, name='w')",
    "        self.l = [Inner('inner'), tf.Variable([2.0], trainable=False)]",
    "        self.d = {'b': tf.Variable(3.0, name='bb'), 'a': (tf.Variable(4.0, name='aa'), self.w)}",
    "        self.other = 3",
    "    @tf.Module.with_name_scope",
    "    def make(self):",
    "        return tf.Variable(1.0, name='q')",
    "m = M()",
)

CASES = [
    program("Module", *MODEL, "out = [v.name for v in m.variables]"),
    program("Module", *MODEL, "out = [v.name for v in m.trainable_variables]"),
    program("Module", *MODEL, "out = [v.name for v in m.non_trainable_variables]"),
    program("Module", *MODEL, "out = [x.name for x in m.submodules]"),
    program("Module", *MODEL, "out = [m.name, M('foo').name, m.name_scope.name, m.make().name, "
            "M('foo').make().name]"),
    program("Module", *MODEL, "outer = tf.Module()", "outer.parts = [m, Inner()]",
            "outer.a = m.l[0]", "out = [[v.name for v in outer.variables], outer.name, "
            "[x.name for x in outer.submodules]]"),
    program("Module", "class DenseLayer2D(tf.Module):", "    pass", "out = DenseLayer2D().name"),
    show("Module", "tf.Module(name='a b')"),
    show("Module", "tf.Module(name='a/b').name"),
    program("device", "with tf.device('/CPU:0'):", "    out = tf.constant(2.0)"),
    program("device", "with tf.device(None):", "    out = tf.constant(2.0)"),
    program("device", "with tf.device('/job:localhost/replica:0/task:0/device:CPU:0'):",
            "    out = tf.constant(2.0)"),
    program("device", "with tf.device('/gpu:0'):", "    out = tf.constant(2.0)"),
    program("device", "with tf.device('what is this'):", "    out = tf.constant(2.0)"),
    show("device", "tf.device(lambda op: '/CPU:0')"),
]
