"""helpers.tasks: the answers are right, and chance is where the docstrings say."""

import numpy as np
import pytest

from helpers import tasks


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    "task, y_shape, y_type",
    [
        (tasks.latch, (5,), np.int64),
        (tasks.adding, (5,), np.float32),
        (tasks.sum_since_marker, (5, 7), np.float32),
        (tasks.marks, (5,), np.float32),
        (tasks.difference, (5,), np.float32),
    ],
)
def test_shapes_types_and_seeds(task, y_shape, y_type):
    (x, y), (again, _) = task(7, 5, rng(1)), task(7, 5, rng(1))
    steps = {tasks.latch: 8, tasks.difference: 19}.get(task, 7)
    assert x.shape == (5, steps, 2) and y.shape == y_shape
    assert (x.dtype, y.dtype) == (np.float32, y_type)
    np.testing.assert_array_equal(x, again)
    assert not np.array_equal(x, task(7, 5, rng(2))[0])


def test_latch_shows_the_bit_once():
    x, y = tasks.latch(20, 400, rng())
    np.testing.assert_array_equal(x[:, 0, 0], 2 * y - 1)
    np.testing.assert_array_equal(x[..., 1], np.eye(21)[[0] * 400])  # marked at the first step
    assert 0.4 < y.mean() < 0.6
    noise = x[:, 1:, 0]
    assert abs(noise.mean()) < 0.05 and noise.std() == pytest.approx(1, abs=0.05)
    assert abs(np.corrcoef(noise.mean(1), y)[0, 1]) < 0.2  # the noise says nothing


@pytest.mark.parametrize("length", [2, 7, 10])
def test_adding_marks_each_step_of_each_half_equally_often(length):
    x, y = tasks.adding(length, 4000, rng())
    numbers, marks = x[..., 0], x[..., 1]
    half = length // 2
    for part in (marks[:, :half], marks[:, half:]):
        np.testing.assert_array_equal(part.sum(1), 1)  # one mark, in every sequence
        np.testing.assert_allclose(part.mean(0), 1 / part.shape[1], atol=0.05)
    np.testing.assert_allclose((numbers * marks).sum(1), y, rtol=1e-6)
    assert 0 <= numbers.min() < 0.01 and 0.99 < numbers.max() < 1
    assert np.mean((y - 1) ** 2) == pytest.approx(1 / 6, abs=0.02)


def test_marks_are_counted():
    x, y = tasks.marks(10, 2000, rng())
    np.testing.assert_array_equal(x[..., 0].sum(1), y)
    assert set(np.unique(x[..., 0])) == {0, 1} and not x[..., 1].any()
    assert np.bincount(y.astype(int)).min() > 100 and len(np.bincount(y.astype(int))) == 11
    np.testing.assert_allclose(x[..., 0].mean(0), 0.5, atol=0.05)  # marks lie anywhere
    x, y = tasks.marks(10, 50, rng(), count=4)
    assert (y == 4).all() and (x[..., 0].sum(1) == 4).all() and len(np.unique(x, axis=0)) > 20


def test_difference_is_ups_less_downs():
    x, y = tasks.difference(10, 2000, rng())
    up, down = x[..., 0], x[..., 1]
    np.testing.assert_array_equal(up.sum(1) - down.sum(1), y)
    assert set(np.unique(y)) == set(range(-5, 6)) and set(np.unique(up.sum(1))) == set(range(1, 11))
    for sequence in (up + 2 * down)[:50]:  # blank, then up, then down, and nothing between
        assert sequence.tolist() == sorted(sequence.tolist())
    x, y = tasks.difference(10, 50, rng(), count=10)
    assert (x[..., 0].sum(1) == 10).all() and len(np.unique(y)) > 5


@pytest.mark.parametrize("task", [tasks.marks, tasks.difference])
@pytest.mark.parametrize("count", [-1, 8, 2.5])
def test_counts_that_do_not_fit(task, count):
    with pytest.raises(ValueError, match="expected count to be"):
        task(7, 5, rng(), count=count)


@pytest.mark.parametrize("chance", [0, 0.3, 1])
def test_sum_starts_again_at_a_marker(chance):
    x, y = tasks.sum_since_marker(12, 50, rng(), chance=chance)
    assert x[:, :, 1].mean(0) == pytest.approx(chance, abs=0.25)  # the first step's, too
    for sequence, answers in zip(x, y, strict=True):
        total = 0.0
        for (number, marked), answer in zip(sequence, answers, strict=True):
            total = number if marked else total + number
            assert answer == pytest.approx(total, abs=1e-6)


def test_sum_since_marker_is_centred_and_rarely_marked():
    x, _ = tasks.sum_since_marker(20, 1000, rng())
    assert x[..., 1].mean() == pytest.approx(0.2, abs=0.02)
    assert -0.5 <= x[..., 0].min() < -0.49 and 0.49 < x[..., 0].max() < 0.5


@pytest.mark.parametrize(
    "call",
    [
        lambda: tasks.latch(0, 4, rng()),
        lambda: tasks.latch(3, 0, rng()),
        lambda: tasks.latch(2.5, 4, rng()),
        lambda: tasks.adding(1, 4, rng()),
        lambda: tasks.adding(4, 0, rng()),
        lambda: tasks.sum_since_marker(0, 4, rng()),
        lambda: tasks.sum_since_marker(4, 0, rng()),
        lambda: tasks.sum_since_marker(4, 4, rng(), chance=1.5),
        lambda: tasks.sum_since_marker(4, 4, rng(), chance=-0.1),
    ],
)
def test_bad_numbers(call):
    with pytest.raises(ValueError, match="expected"):
        call()


def test_smallest_sizes():
    assert tasks.latch(1, 1, rng())[0].shape == (1, 2, 2)
    assert tasks.adding(2, 1, rng())[0].shape == (1, 2, 2)
    assert tasks.sum_since_marker(1, 1, rng())[0].shape == (1, 1, 2)


def test_a_seed_is_not_a_generator():  # a loop that passes a seed would draw one batch for ever
    with pytest.raises(TypeError, match=r"np.random.default_rng\(0\), got 3"):
        tasks.latch(4, 4, 3)


def test_chance_is_drawn_step_by_step():
    """A seed goes on meaning the numbers that the committed tables were made with."""
    drawn = rng().random((5, 3), dtype=np.float32).T  # (B, T)
    np.testing.assert_array_equal(tasks.adding(5, 3, rng())[0][..., 0], drawn)
    np.testing.assert_array_equal(tasks.sum_since_marker(5, 3, rng())[0][..., 0], drawn - 0.5)
    generator = rng()
    np.testing.assert_array_equal(tasks.latch(5, 3, rng())[1], generator.integers(0, 2, size=3))
    noise = generator.standard_normal((6, 3)).T.astype(np.float32)
    np.testing.assert_array_equal(tasks.latch(5, 3, rng())[0][:, 1:, 0], noise[:, 1:])
