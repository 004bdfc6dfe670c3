"""Functions of another module, for the tests of values that are followed through the code."""

import numpy as np

scale = 1.0


def doubled(value):
    return 2.0 * float(value)


def total(values):
    return np.sum([values[0], values[1]])


def increased(number, by=1.0):
    return number + by


def schedule(number, step=0):
    assert number is not None
    return 0.1 if step < 10 else 0.01


def keep_in(table, number):
    table["scale"] = number


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

    def set(self, number):
        self.scale = number

    def factor(self):
        return 1.0 + self.scale

    @staticmethod
    def doubled(number):
        return 2.0 * number

    def __call__(self, tensor):
        return tensor * self.scale

    def labelled(self, tensor):
        return tensor * self.label

    @property
    def half(self):
        return self.scale / 5.0 + 1.0


class Meter:
    """What people keep averages in."""

    def __init__(self):
        self.total, self.count, self.weight = 0.0, 0, 0.25

    def update(self, number):
        self.total += number
        self.count += 1

    @property
    def average(self):
        return self.total / self.count
