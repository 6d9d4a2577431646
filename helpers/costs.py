"""What running code costs: time as a ratio measured side by side, and memory."""

import re
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from helpers import claims

STATUS = Path("/proc/self/status")  # on Linux


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
    the machine falls on both; one untimed call of each comes first. Work on a GPU must be waited
    for inside the function (`torch.cuda.synchronize`), or only its start is timed.

    Args:
        slower: the numerator; its name is a guess, a ratio below 1 is a fine answer.
        faster: the denominator.
        pairs: how many ratios to take, at least 4.
        calls: calls of each function inside one timing; raise it for very short functions.

    Raises:
        ValueError: fewer than 4 pairs, no call, or calls too short for the clock.
    """
    if pairs < 4 or calls < 1:
        raise ValueError(f"expected pairs >= 4 and calls >= 1, got {pairs} and {calls}")
    slower(), faster()
    ratios = []
    for number in range(pairs):
        if number % 2 == 0:
            above, below = _seconds(slower, calls), _seconds(faster, calls)
        else:
            below, above = _seconds(faster, calls), _seconds(slower, calls)
        ratios.append(above / below)
    low, median, high = statistics.quantiles(ratios, n=4)
    return Ratio(median, low, high)


def _seconds(function: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        function()
    taken = time.perf_counter() - start
    if taken < 10 * time.get_clock_info("perf_counter").resolution:
        raise ValueError(f"expected work that the clock can time, {calls} calls took {taken:.0e} s")
    return taken


def peak_memory_gb() -> float | None:
    """Most memory this process has held so far, in GB (10^9 bytes); None where nothing tells.

    On Linux it is read from /proc: the peak that `getrusage` reports there begins with that of
    the process that started this one. On Windows it takes psutil, which Jupyter's kernel brings.
    """
    if STATUS.exists() and (found := re.search(r"VmHWM:\s*(\d+) kB", STATUS.read_text())):
        return int(found[1]) * 1024 / 1e9
    if sys.platform == "win32":
        try:
            import psutil
        except ImportError:
            return None
        return psutil.Process().memory_info().peak_wset / 1e9
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e9 if sys.platform == "darwin" else peak * 1024 / 1e9  # bytes, or kilobytes


def within_memory(gigabytes: float) -> str:
    """One line that says whether this process stayed within its memory budget.

    Args:
        gigabytes: the budget, in units of 10^9 bytes.

    Raises:
        MemoryError: the peak was above the budget, in strict mode (see `helpers.claims`).
    """
    peak = peak_memory_gb()
    if peak is None:
        return f"peak memory: not known on this system (budget {gigabytes} GB)"
    if peak > gigabytes:
        text = f"expected a peak of at most {gigabytes} GB, measured {peak:.2f} GB"
        return claims.otherwise(text, MemoryError)
    return f"peak memory: within {gigabytes} GB"
