"""Logistic regression by GradientTape on scikit-learn's breast-cancer table (569 rows, 30 columns).

    gradtape run --tensorflow examples/tensorflow/logistic_regression.py

Under TensorFlow itself it runs as it stands, with `python` in place of the first words.
"""

import numpy as np
import tensorflow as tf
from sklearn.datasets import load_breast_cancer

EPOCHS = 200
LEARNING_RATE = 0.5


def make_data():
    table = load_breast_cancer()
    order = np.random.default_rng(0).permutation(len(table.target))
    columns, labels = table.data[order], table.target[order]
    kept = len(labels) // 4
    mean, spread = columns[kept:].mean(axis=0), columns[kept:].std(axis=0)
    columns = (columns - mean) / spread
    return columns[kept:], labels[kept:], columns[:kept], labels[:kept]


def main():
    columns, labels, test_columns, test_labels = make_data()
    x = tf.constant(columns, dtype=tf.float32)
    y = tf.cast(labels, tf.float32)
    w = tf.Variable(tf.zeros([x.shape[1], 1]), name="w")
    b = tf.Variable(0.0, name="b")

    for epoch in range(EPOCHS):
        with tf.GradientTape() as tape:
            logits = tf.squeeze(tf.matmul(x, w), axis=1) + b
            losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=logits)
            loss = tf.reduce_mean(losses) + 0.01 * tf.nn.l2_loss(w)
        gradients = tape.gradient(loss, [w, b])
        for variable, gradient in zip([w, b], gradients, strict=True):
            variable.assign_sub(LEARNING_RATE * gradient)
        if epoch % 20 == 0 or epoch == EPOCHS - 1:
            norm = tf.linalg.global_norm(gradients)
            print(f"epoch {epoch:3d}  loss {loss:.6f}  |gradient| {norm:.6f}")

    probability = tf.sigmoid(tf.matmul(tf.cast(test_columns, tf.float32), w) + b)[:, 0]
    correct = tf.equal(tf.cast(probability > 0.5, tf.int64), test_labels)
    accuracy = tf.reduce_mean(tf.cast(correct, tf.float32))
    print(f"accuracy on {len(test_labels)} test rows: {accuracy:.4f}")
    largest = tf.argsort(tf.abs(w[:, 0]), direction="DESCENDING")[:5]
    for i in largest.numpy():
        print(f"  {load_breast_cancer().feature_names[i]:24s} {w[i, 0].numpy():+.5f}")


if __name__ == "__main__":
    main()
