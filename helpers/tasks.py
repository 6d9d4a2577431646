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


def _check(generator: Generator, least: int, **numbers: int) -> None:
    if not isinstance(generator, Generator):
        raise TypeError(f"expected a generator such as np.random.default_rng(0), got {generator!r}")
    for name, number in numbers.items():
        if not isinstance(number, (int, np.integer)) or number < least:
            raise ValueError(f"expected {name} to be a whole number from {least}, got {number!r}")
