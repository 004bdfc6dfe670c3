"""A training loop with tf.data, gradient clipping, and a checkpoint: stopped, it goes on.

    gradtape run --tensorflow examples/tensorflow/checkpointed_loop.py --folder FOLDER --steps 40
    gradtape run --tensorflow examples/tensorflow/checkpointed_loop.py --folder FOLDER --steps 80

The second call finds what the first has saved and goes on from there, momentum included.
--die-after N ends the process at once after N steps, as a power cut would.
"""

import argparse
import os

import numpy as np
import tensorflow as tf

LEARNING_RATE = 0.05
MOMENTUM = 0.8
CLIP = 1.0
BATCH = 32


def make_data():
    rng = np.random.default_rng(7)
    x = rng.uniform(-2.0, 2.0, size=(320, 1)).astype("float32")
    y = np.sin(2.0 * x) + rng.normal(0.0, 0.05, size=x.shape).astype("float32")
    return x, y.astype("float32")


class Network(tf.Module):
    def __init__(self, rng):
        super().__init__()
        self.w1 = tf.Variable(rng.normal(0.0, 1.0, (1, 24)).astype("float32"), name="w1")
        self.b1 = tf.Variable(tf.zeros([24]), name="b1")
        self.w2 = tf.Variable(rng.normal(0.0, 0.2, (24, 1)).astype("float32"), name="w2")
        self.b2 = tf.Variable(tf.zeros([1]), name="b2")

    def __call__(self, x):
        return tf.tanh(x @ self.w1 + self.b1) @ self.w2 + self.b2


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", required=True)
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--die-after", type=int, default=0)
    arguments = parser.parse_args()

    x, y = make_data()
    batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(BATCH).repeat()
    batches = batches.map(lambda a, b: (a, b + 0.0)).prefetch(2)
    network = Network(np.random.default_rng(3))
    variables = network.trainable_variables
    velocity = [tf.Variable(tf.zeros_like(v), trainable=False) for v in variables]
    step = tf.Variable(0, dtype=tf.int64, trainable=False)
    checkpoint = tf.train.Checkpoint(network=network, velocity=velocity, step=step)
    path = tf.train.latest_checkpoint(arguments.folder)
    if path:
        checkpoint.restore(path)
        print(f"goes on after step {step.numpy()}")

    done = int(step.numpy())
    for a, b in batches.skip(done).take(arguments.steps - done):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(network(a) - b))
        gradients, norm = tf.clip_by_global_norm(tape.gradient(loss, variables), CLIP)
        for v, m, g in zip(variables, velocity, gradients, strict=True):
            m.assign(MOMENTUM * m - LEARNING_RATE * g)
            v.assign_add(m)
        step.assign_add(1)
        if step % 10 == 0:
            print(f"step {step.numpy():3d}  loss {loss.numpy():.6f}  |gradient| {norm.numpy():.6f}")
            checkpoint.save(os.path.join(arguments.folder, "state"))
        if step == arguments.die_after:
            os._exit(9)
    total = tf.add_n([tf.reduce_sum(tf.abs(v)) for v in variables])
    print(f"sum of |weights| {total.numpy():.4f}")


if __name__ == "__main__":
    main()
