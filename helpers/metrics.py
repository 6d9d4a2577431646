"""Accuracy with its confidence interval, and a check that figures belong to the same rows."""

from itertools import pairwise, zip_longest
from typing import NamedTuple

import numpy as np
import pandas as pd
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


def check_same_index(**inputs: object) -> None:
    """Refuse pandas inputs whose labels differ, in value or in order.

    Arrays and lists carry no labels: they are taken by position and pass beside anything. A pandas
    index always counts, a plain 0, 1, 2, … beside dates too; pass ``to_numpy()`` to say that the
    positions are meant. The same moments in two time zones are equal.

    Raises:
        ValueError: the first difference, with the names of the two inputs.
    """
    carried = {k: v.index for k, v in inputs.items() if isinstance(v, pd.Series | pd.DataFrame)}
    for (first, one), (second, two) in pairwise(carried.items()):
        if one.equals(two):  # at once, for the usual case
            continue
        for position, (a, b) in enumerate(zip_longest(one, two, fillvalue="no label")):
            if a is not b and a != b:
                raise ValueError(
                    f"expected the same index in {first} and {second}, got {a!r} and {b!r} at "
                    f"position {position}; align them, or pass to_numpy() to compare by position"
                )


def to_array(name: str, values: ArrayLike) -> np.ndarray:
    """``np.asarray``, with one sentence for what is no array and for masked values."""
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:  # ragged lists, tensors with gradients
        raise TypeError(f"expected an array for {name}, got none of one: {error}") from None
    if np.ma.is_masked(values):
        raise ValueError(f"expected a value in every row of {name}, got masked ones; fill or drop")
    return array


def accuracy(predicted: ArrayLike, labels: ArrayLike) -> Interval:
    """Share of right answers with Wilson's 95% interval (Wilson 1927, through scipy).

    Args:
        predicted: (n,) predicted classes: whole numbers, booleans or text.
        labels: (n,) true classes of the same kind; booleans go with 0 and 1.

    Raises:
        ValueError: the two differ in shape or index, are not one-dimensional, or are empty; a
            missing class; numbers that are not whole, such as probabilities; classes of two kinds.
    """
    check_same_index(predicted=predicted, labels=labels)
    (predicted, one), (labels, two) = _classes("predicted", predicted), _classes("labels", labels)
    if predicted.shape != labels.shape:
        raise ValueError(
            f"expected predicted and labels of one length, got {predicted.size} and {labels.size}"
        )
    if "string" in (one, two) and one != two:
        raise ValueError(f"expected predicted and labels of one kind, got {one} and {two}")
    if one != two and not np.isin(labels if one == "boolean" else predicted, (0, 1)).all():
        raise ValueError("expected booleans beside booleans, 0 and 1, got other numbers")
    right = int((predicted == labels).sum())
    interval = binomtest(right, labels.size).proportion_ci(0.95, method="wilson")
    return Interval(right / labels.size, float(interval.low), float(interval.high))


def _classes(name: str, values: ArrayLike) -> tuple[np.ndarray, str]:
    """The classes as an array (n,), and their kind: integer, boolean or string."""
    array = to_array(name, values)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(
            f"expected classes of shape (n,) in {name}, at least one, got shape {array.shape}; "
            "one-hot rows become classes by argmax(1)"
        )
    # As objects: in an array of text, a missing one has become the text "nan".
    missing = np.flatnonzero(pd.isna(np.asarray(values, dtype=object)))
    if missing.size:
        raise ValueError(f"expected a class in every row of {name}, got none in row {missing[0]}")
    kind = pd.api.types.infer_dtype(array)
    if kind in ("floating", "mixed-integer-float"):
        array, kind = array.astype(float), "integer"
        broken = array[~np.isfinite(array) | (array != np.floor(array))]
        if broken.size:
            raise ValueError(
                f"expected classes in {name}, got {broken[0]:.4g}; probabilities and scores become "
                "classes by a threshold or argmax, for instance p > 0.5"
            )
    if kind not in ("integer", "boolean", "string"):
        raise ValueError(f"expected whole numbers, booleans or text in {name}, got {kind}")
    return array, kind
