"""Accuracy with its confidence interval."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest


class Interval(NamedTuple):
    """An estimate with its confidence interval, all in the estimate's unit.

    Printed as percentages; ``f"{interval:.2f}"`` prints the three numbers in that format instead.
    """

    estimate: float
    low: float
    high: float

    def __format__(self, spec: str) -> str:
        spec = spec or ".1%"
        return f"{self.estimate:{spec}} (95% interval {self.low:{spec}} to {self.high:{spec}})"

    def __str__(self) -> str:
        return format(self, "")


def accuracy(predicted: ArrayLike, labels: ArrayLike, confidence: float = 0.95) -> Interval:
    """Share of right answers with Wilson's interval (Wilson 1927, through scipy).

    Args:
        predicted: (n,) predicted classes.
        labels: (n,) true classes.
        confidence: of the interval, between 0 and 1.

    Raises:
        ValueError: the two differ in shape, are not one-dimensional, or are empty.
    """
    predicted, labels = np.asarray(predicted), np.asarray(labels)
    if predicted.shape != labels.shape or predicted.ndim != 1 or predicted.size == 0:
        raise ValueError(
            "expected two non-empty arrays of the same shape (n,), "
            f"got {predicted.shape} and {labels.shape}"
        )
    right = int((predicted == labels).sum())
    interval = binomtest(right, labels.size).proportion_ci(confidence, method="wilson")
    return Interval(right / labels.size, float(interval.low), float(interval.high))
