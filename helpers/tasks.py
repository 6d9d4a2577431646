"""Small synthetic tasks that ask for memory, as generators of batches.

NumPy alone is imported; ``torch.from_numpy`` takes what comes out. Batches are time-major,
(T, B, I), as in `helpers.cells` and PyTorch, and float32.
"""

import numpy as np


def latch(lag: int, batch: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One bit to be held while noise passes (the latch of Bengio, Simard & Frasconi 1994).

    The first step shows the bit and marks it, the `lag` steps after it show noise. The question,
    which class it was, is asked after the last step.

    Args:
        lag: how many noise steps follow the first one, at least 1.
        batch: how many sequences, at least 1.
        generator: where chance comes from, so that a seed gives the same batch again.

    Returns:
        x: (lag + 1, batch, 2), float32. Channel 0 is the signal, -1 or +1 at the first step and
            drawn from the standard normal distribution afterwards; channel 1 is 1 at the first
            step and 0 afterwards.
        y: (batch,), int64. The class, 0 for -1 and 1 for +1; a guess is right half of the time.

    Raises:
        ValueError: lag or batch is less than 1.
    """
    _at_least(1, lag=lag, batch=batch)
    y = generator.integers(0, 2, size=batch)  # (B,)
    x = np.zeros((lag + 1, batch, 2), dtype=np.float32)
    x[..., 0] = generator.standard_normal((lag + 1, batch))
    x[0, :, 0] = 2 * y - 1
    x[0, :, 1] = 1
    return x, y


def adding(
    length: int, batch: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Two marked numbers to be added (Hochreiter & Schmidhuber 1997, experiment 4).

    Every step shows a number; two steps are marked, one in each half of the sequence. The answer
    is the sum of the two marked numbers, asked for after the last step.

    Args:
        length: number of steps, at least 2.
        batch: how many sequences, at least 1.
        generator: where chance comes from, so that a seed gives the same batch again.

    Returns:
        x: (length, batch, 2), float32. Channel 0 is uniform in [0, 1), channel 1 the mark.
        y: (batch,), float32, in [0, 2). Always answering 1 gives a mean squared error of
            1/6, about 0.167.

    Raises:
        ValueError: length is less than 2 or batch less than 1.
    """
    _at_least(2, length=length)
    _at_least(1, batch=batch)
    x = np.zeros((length, batch, 2), dtype=np.float32)
    x[..., 0] = generator.random((length, batch), dtype=np.float32)
    rows, half = np.arange(batch), length // 2
    x[generator.integers(0, half, size=batch), rows, 1] = 1
    x[generator.integers(half, length, size=batch), rows, 1] = 1
    return x, (x[..., 0] * x[..., 1]).sum(0)


def sum_since_marker(
    length: int, batch: int, generator: np.random.Generator, chance: float = 0.2
) -> tuple[np.ndarray, np.ndarray]:
    """A running sum that a marker starts again: what came before it must be forgotten.

    Every step shows a number. The answer at a step is the sum of the numbers since the last
    marker, the marked step's own number included; before any marker, since the beginning.

    Args:
        length: number of steps, at least 1.
        batch: how many sequences, at least 1.
        generator: where chance comes from, so that a seed gives the same batch again.
        chance: how likely a step is marked, from 0 to 1.

    Returns:
        x: (length, batch, 2), float32. Channel 0 is uniform in [-0.5, 0.5), channel 1 the marker.
        y: (length, batch), float32, the answer at every step.

    Raises:
        ValueError: length or batch is less than 1, or chance is not a probability.
    """
    _at_least(1, length=length, batch=batch)
    if not 0 <= chance <= 1:
        raise ValueError(f"expected chance to be from 0 to 1, got {chance}")
    x = np.zeros((length, batch, 2), dtype=np.float32)
    x[..., 0] = generator.random((length, batch), dtype=np.float32) - 0.5
    x[..., 1] = generator.random((length, batch)) < chance
    y = np.empty((length, batch), dtype=np.float32)
    total = np.zeros(batch, dtype=np.float32)
    for step in range(length):
        total = np.where(x[step, :, 1] == 1, 0, total) + x[step, :, 0]
        y[step] = total
    return x, y


def _at_least(least: int, **numbers: int) -> None:
    for name, number in numbers.items():
        if number < least:
            raise ValueError(f"expected {name} to be at least {least}, got {number}")
