"""A multilayer perceptron made of tf.Module on scikit-learn's 1,797 digits.

    gradtape run --tensorflow examples/tensorflow/digits_mlp.py

Under TensorFlow itself it runs as it stands, with `python` in place of the first words.
"""

from itertools import pairwise

import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

EPOCHS = 15
BATCH = 50
LEARNING_RATE = 0.2


class Dense(tf.Module):
    def __init__(self, inputs, outputs, rng, name=None):
        super().__init__(name=name)
        scale = np.sqrt(2.0 / inputs)
        self.w = tf.Variable(rng.normal(0.0, scale, (inputs, outputs)).astype("float32"), name="w")
        self.b = tf.Variable(tf.zeros([outputs]), name="b")

    def __call__(self, x):
        return tf.matmul(x, self.w) + self.b


class Perceptron(tf.Module):
    def __init__(self, sizes, rng, name=None):
        super().__init__(name=name)
        self.layers = [
            Dense(inputs, outputs, rng, name=f"layer{i}")
            for i, (inputs, outputs) in enumerate(pairwise(sizes))
        ]

    def __call__(self, x):
        for layer in self.layers[:-1]:
            x = tf.nn.relu(layer(x))
        return self.layers[-1](x)


@tf.function
def train_step(model, x, labels):
    with tf.GradientTape() as tape:
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=model(x))
        loss = tf.reduce_mean(losses)
    gradients = tape.gradient(loss, model.trainable_variables)
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        variable.assign_sub(LEARNING_RATE * gradient)
    return loss


def main():
    digits = load_digits()
    rng = np.random.default_rng(0)
    order = rng.permutation(len(digits.target))
    pixels = (digits.data[order] / 16.0).astype("float32")
    labels = digits.target[order].astype("int32")
    kept = 447
    x, y, x_test, y_test = pixels[kept:], labels[kept:], pixels[:kept], labels[:kept]

    model = Perceptron([64, 64, 32, 10], rng, name="perceptron")
    sizes = [tf.size(v).numpy() for v in model.trainable_variables]
    print(f"{len(model.submodules)} layers, {sum(sizes)} numbers in {len(sizes)} variables")
    print("names:", ", ".join(v.name for v in model.trainable_variables))
    for epoch in range(EPOCHS):
        losses = []
        for rows in rng.permutation(len(y)).reshape(-1, BATCH):
            losses.append(train_step(model, tf.constant(x[rows]), tf.constant(y[rows])))
        found = tf.argmax(model(x_test), axis=1, output_type=tf.int32)
        right = tf.reduce_sum(tf.cast(found == y_test, tf.int32))
        mean = tf.add_n(losses) / len(losses)
        print(f"epoch {epoch:2d}  loss {mean:.4f}  right {right} of {kept}")
    confusion = tf.math.confusion_matrix(y_test, found, num_classes=10)
    print(confusion.numpy())


if __name__ == "__main__":
    main()
