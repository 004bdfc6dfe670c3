"""Functions of another module, for the tests of values that are followed through the code."""

import numpy as np

scale = 1.0


def doubled(value):
    return 2.0 * float(value)


def total(values):
    return np.sum([values[0], values[1]])


def product(tensor, factor):
    return tensor * factor


def remember(value):
    global scale
    scale = 3.0 * float(value)


def scaled(tensor):
    return tensor * scale


class Keeper:
    def __init__(self, value=None):
        self.label = 2.5
        if value is not None:
            self.scale = 2.0 * float(value)

    def keep(self, value):
        self.scale = 2.0 * float(value)

    def __call__(self, tensor):
        return tensor * self.scale

    def labelled(self, tensor):
        return tensor * self.label

    @property
    def half(self):
        return self.scale / 5.0 + 1.0
