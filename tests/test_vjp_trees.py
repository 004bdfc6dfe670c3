"""Cotangents of a tree are matched by key, as `tape.gradient` matches them."""

import numpy as np
import pytest

import gradtape as gt


def f(x):
    return {"b": x * 2.0, "a": x * 3.0}


def test_by_key_and_not_by_the_order_a_dict_was_filled_in():
    _, pull = gt.vjp(f, 1.0)
    assert pull({"a": 1.0, "b": 0.0}) == (3.0,)
    assert pull({"b": 1.0, "a": 0.0}) == (2.0,)


def test_unknown_and_missing_keys_are_refused():
    _, pull = gt.vjp(f, 1.0)
    for wrong in ({"a": 1.0}, {"a": 1.0, "c": 0.0}):
        with pytest.raises(gt.errors.ShapeError):
            pull(wrong)


def test_a_vector_may_be_a_list_of_numbers():
    _, pull = gt.vjp(np.sin, np.zeros(2))
    np.testing.assert_array_equal(pull([1.0, 2.0])[0], [1.0, 2.0])
