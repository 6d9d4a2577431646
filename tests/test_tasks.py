"""helpers.tasks: the answers are right, and chance is where the docstrings say."""

import numpy as np
import pytest

from helpers import tasks


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    "make, shapes",
    [
        (lambda g: tasks.latch(7, 5, g), ((8, 5, 2), (5,))),
        (lambda g: tasks.adding(7, 5, g), ((7, 5, 2), (5,))),
        (lambda g: tasks.sum_since_marker(7, 5, g), ((7, 5, 2), (7, 5))),
    ],
    ids=["latch", "adding", "sum_since_marker"],
)
def test_shapes_types_and_seeds(make, shapes):
    (x, y), (again, _) = make(rng(1)), make(rng(1))
    assert (x.shape, y.shape) == shapes
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, again)
    assert not np.array_equal(x, make(rng(2))[0])


def test_latch_shows_the_bit_once():
    x, y = tasks.latch(20, 400, rng())
    np.testing.assert_array_equal(x[0, :, 0], 2 * y - 1)
    np.testing.assert_array_equal(x[:, :, 1].sum(0), 1)
    np.testing.assert_array_equal(x[0, :, 1], 1)
    assert 0.4 < y.mean() < 0.6
    assert abs(np.corrcoef(x[1:, :, 0].mean(0), y)[0, 1]) < 0.2  # the noise says nothing


def test_adding_answers_with_the_marked_sum():
    x, y = tasks.adding(30, 2000, rng())
    np.testing.assert_array_equal(x[:15, :, 1].sum(0), 1)
    np.testing.assert_array_equal(x[15:, :, 1].sum(0), 1)
    np.testing.assert_allclose((x[..., 0] * x[..., 1]).sum(0), y, rtol=1e-6)
    assert np.mean((y - 1) ** 2) == pytest.approx(1 / 6, abs=0.02)


def test_sum_starts_again_at_a_marker():
    x, y = tasks.sum_since_marker(12, 3, rng(), chance=0.3)
    for column in range(3):
        total = 0.0
        for step in range(12):
            number, marked = x[step, column]
            total = number if marked else total + number
            assert y[step, column] == pytest.approx(total, abs=1e-6)


def test_sum_without_and_with_markers_everywhere():
    x, y = tasks.sum_since_marker(9, 4, rng(), chance=0)
    np.testing.assert_allclose(y, x[..., 0].cumsum(0), atol=1e-6)
    x, y = tasks.sum_since_marker(9, 4, rng(), chance=1)
    np.testing.assert_array_equal(y, x[..., 0])


@pytest.mark.parametrize(
    "call",
    [
        lambda: tasks.latch(0, 4, rng()),
        lambda: tasks.latch(3, 0, rng()),
        lambda: tasks.adding(1, 4, rng()),
        lambda: tasks.adding(4, 0, rng()),
        lambda: tasks.sum_since_marker(0, 4, rng()),
        lambda: tasks.sum_since_marker(4, 4, rng(), chance=1.5),
    ],
)
def test_bad_numbers(call):
    with pytest.raises(ValueError, match="expected"):
        call()
