"""What running code costs: time as a ratio measured side by side, and memory."""

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """How many times longer one function takes than another.

    Attributes:
        median: median over the pairs (no unit).
        low, high: quartiles of the pairs' ratios, for the spread.
    """

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} (quartiles {self.low:.2f} to {self.high:.2f})"


def time_ratio(
    slower: Callable[[], object],
    faster: Callable[[], object],
    *,
    pairs: int = 9,
    calls: int = 1,
) -> Ratio:
    """Time two functions in turns and return the ratio of their durations.

    Each pair runs both right after each other, in alternating order, so that a busy moment of
    the machine falls on both; one untimed call of each comes first.

    Args:
        slower: the numerator; its name is a guess, a ratio below 1 is a fine answer.
        faster: the denominator.
        pairs: how many ratios to take, at least 4.
        calls: calls of each function inside one timing; raise it for very short functions.

    Raises:
        ValueError: fewer than 4 pairs, or no call.
    """
    if pairs < 4 or calls < 1:
        raise ValueError(f"expected pairs >= 4 and calls >= 1, got {pairs} and {calls}")
    slower(), faster()
    ratios = []
    for number in range(pairs):
        order = (slower, faster) if number % 2 == 0 else (faster, slower)
        taken = {function: _seconds(function, calls) for function in order}
        ratios.append(taken[slower] / taken[faster])
    low, median, high = statistics.quantiles(ratios, n=4)
    return Ratio(median, low, high)


def _seconds(function: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return time.perf_counter() - start


def peak_memory_gb() -> float:
    """Most memory this process has held so far, in GB (10^9 bytes).

    Raises:
        NotImplementedError: on Windows, where Python's standard library does not tell.
    """
    try:
        import resource
    except ImportError:
        raise NotImplementedError("peak memory is not told by Python on this system") from None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e9 if sys.platform == "darwin" else peak * 1024 / 1e9


def within_memory(gigabytes: float) -> str:
    """Say that this process stayed within its memory budget, or fail.

    Args:
        gigabytes: the budget, in units of 10^9 bytes.

    Raises:
        MemoryError: the peak was above the budget.
    """
    try:
        peak = peak_memory_gb()
    except NotImplementedError:
        return f"peak memory: not known on this system (budget {gigabytes} GB)"
    if peak > gigabytes:
        raise MemoryError(f"expected a peak of at most {gigabytes} GB, measured {peak:.2f} GB")
    return f"peak memory: within {gigabytes} GB"
