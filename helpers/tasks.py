"""Small synthetic tasks that ask for memory, as generators of batches.

NumPy alone is imported; ``torch.from_numpy`` takes what comes out. Batches are float32 and batch
first, (B, T, I), as for PyTorch and `helpers.cells` with ``batch_first=True``. Chance is drawn step
by step, (T, B), and turned: the order of the draws is part of what a seed means.
"""

import numpy as np
from numpy.random import Generator

Batch = tuple[np.ndarray, np.ndarray]  # x (B, T, 2) and the answers y


def latch(lag: int, batch_size: int, generator: Generator) -> Batch:
    """One bit to be held while noise passes (the latch of Bengio, Simard & Frasconi 1994).

    The first step shows the bit and marks it, the `lag` steps after it show noise. The question,
    which class it was, is asked after the last step.

    Args:
        lag: how many noise steps follow the first one, at least 1.
        batch_size: how many sequences, at least 1.
        generator: where chance comes from, so that a seed gives the same batch again.

    Returns:
        x: (batch_size, lag + 1, 2), float32. Channel 0 is the signal, -1 or +1 at the first step
            and drawn from the standard normal distribution afterwards; channel 1 is 1 at the first
            step and 0 afterwards.
        y: (batch_size,), int64. The class, 0 for -1 and 1 for +1; a guess is right half the time.

    Raises:
        ValueError: a number is not a whole one, or too small; TypeError: no NumPy generator.
    """
    _check(generator, 1, lag=lag, batch_size=batch_size)
    y = generator.integers(0, 2, size=batch_size)  # (B,)
    x = np.zeros((batch_size, lag + 1, 2), dtype=np.float32)
    x[..., 0] = generator.standard_normal((lag + 1, batch_size)).T
    x[:, 0, 0] = 2 * y - 1
    x[:, 0, 1] = 1
    return x, y


def adding(length: int, batch_size: int, generator: Generator) -> Batch:
    """Two marked numbers to be added (Hochreiter & Schmidhuber 1997, experiment 4).

    Every step shows a number; two steps are marked, one in each half of the sequence. The answer
    is the sum of the two marked numbers, asked for after the last step.

    Args:
        length: number of steps, at least 2.
        batch_size, generator: see `latch`.

    Returns:
        x: (batch_size, length, 2), float32. Channel 0 is uniform in [0, 1), channel 1 the mark.
        y: (batch_size,), float32, in [0, 2). Always answering 1 gives a mean squared error of
            1/6, about 0.167.

    Raises:
        ValueError, TypeError: see `latch`.
    """
    _check(generator, 2, length=length)
    _check(generator, 1, batch_size=batch_size)
    x = np.zeros((batch_size, length, 2), dtype=np.float32)
    x[..., 0] = generator.random((length, batch_size), dtype=np.float32).T
    rows, half = np.arange(batch_size), length // 2
    x[rows, generator.integers(0, half, size=batch_size), 1] = 1
    x[rows, generator.integers(half, length, size=batch_size), 1] = 1
    return x, (x[..., 0] * x[..., 1]).sum(1)


def sum_since_marker(
    length: int, batch_size: int, generator: Generator, chance: float = 0.2
) -> Batch:
    """A running sum that a marker starts again: what came before it must be forgotten.

    Every step shows a number. The answer at a step is the sum of the numbers since the last
    marker, the marked step's own number included; before any marker, since the beginning.

    Args:
        length: number of steps, at least 1.
        batch_size, generator: see `latch`.
        chance: how likely a step is marked, from 0 to 1.

    Returns:
        x: (batch_size, length, 2), float32. Channel 0 is uniform in [-0.5, 0.5), channel 1 the
            marker.
        y: (batch_size, length), float32, the answer at every step.

    Raises:
        ValueError: chance is not a probability; ValueError, TypeError: see `latch`.
    """
    _check(generator, 1, length=length, batch_size=batch_size)
    if not 0 <= chance <= 1:
        raise ValueError(f"expected chance to be from 0 to 1, got {chance}")
    x = np.zeros((batch_size, length, 2), dtype=np.float32)
    x[..., 0] = generator.random((length, batch_size), dtype=np.float32).T - 0.5
    x[..., 1] = generator.random((length, batch_size)).T < chance
    y, total = np.empty_like(x[..., 0]), np.zeros(batch_size, dtype=np.float32)
    for step in range(length):
        total = np.where(x[:, step, 1] == 1, 0, total) + x[:, step, 0]
        y[:, step] = total
    return x, y


def marks(length: int, batch_size: int, generator: Generator, count: int | None = None) -> Batch:
    """How many steps were marked?

    Args:
        length: number of steps, at least 1.
        batch_size, generator: see `latch`.
        count: how many marks each sequence has, at most `length`; for each sequence any number from
            0 to `length`, equally likely, if None.

    Returns:
        x: (batch_size, length, 2), float32. Channel 0 is 1 at the marked steps, channel 1 is 0.
        y: (batch_size,), float32, the count.

    Raises:
        ValueError, TypeError: see `latch`; ValueError: more marks than steps.
    """
    _check(generator, 1, length=length, batch_size=batch_size)
    counts = _counts(generator, 0, length, batch_size, count)
    x = np.zeros((batch_size, length, 2), dtype=np.float32)
    order = generator.random((length, batch_size)).T.argsort(1)  # (B, T): a place for every number
    x[..., 0] = order < counts[:, None]
    return x, counts.astype(np.float32)


MOST_APART = 5  # of the numbers of steps up and down in `difference`


def difference(most: int, batch_size: int, generator: Generator, count: int | None = None) -> Batch:
    """By how many do the steps up outnumber the steps down that follow them?

    The question behind a^n b^n (Weiss, Goldberg & Yahav 2018). Blank steps, then the steps up, then
    the steps down; the answer is asked for after the last step.

    Args:
        most: the most steps up, at least 1.
        batch_size, generator: see `latch`.
        count: how many steps up each sequence has, at most `most`; for each sequence any number
            from 1 to `most`, equally likely, if None.

    Returns:
        x: (batch_size, 2 most + 5, 2), float32. Channel 0 is 1 at a step up, channel 1 at a step
            down.
        y: (batch_size,), float32, the difference, a whole number from -5 to 5.

    Raises:
        ValueError, TypeError: see `latch`; ValueError: count is more than `most`.
    """
    _check(generator, 1, most=most, batch_size=batch_size)
    up = _counts(generator, 1, most, batch_size, count)
    y = generator.integers(-MOST_APART, MOST_APART + 1, size=batch_size)
    y = np.minimum(y, up)  # there are no fewer than 0 steps down
    down = up - y
    before_end = np.arange(2 * most + MOST_APART, 0, -1)  # (T,): the last step is 1
    x = np.zeros((batch_size, len(before_end), 2), dtype=np.float32)
    x[..., 1] = before_end <= down[:, None]
    x[..., 0] = (before_end <= (up + down)[:, None]) - x[..., 1]
    return x, y.astype(np.float32)


def _counts(
    generator: Generator, least: int, most: int, batch_size: int, count: int | None
) -> np.ndarray:
    if count is None:
        return generator.integers(least, most + 1, size=batch_size)
    _check(generator, least, count=count)
    if count > most:
        raise ValueError(f"expected count to be at most {most}, got {count}")
    return np.full(batch_size, count)


def _check(generator: Generator, least: int, **numbers: int) -> None:
    if not isinstance(generator, Generator):
        raise TypeError(f"expected a generator such as np.random.default_rng(0), got {generator!r}")
    for name, number in numbers.items():
        if not isinstance(number, (int, np.integer)) or number < least:
            raise ValueError(f"expected {name} to be a whole number from {least}, got {number!r}")
