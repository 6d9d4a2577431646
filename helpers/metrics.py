"""Figures of merit with their uncertainty."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest, t
from statsmodels.regression.linear_model import OLS


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


# --- forecasts ---------------------------------------------------------------------------------


def _aligned(minimum: int, **series: ArrayLike) -> list[np.ndarray]:
    """The series as float arrays, after a check that they can be compared value by value."""
    arrays = {}
    for name, values in series.items():
        try:
            arrays[name] = np.asarray(values, dtype=float)
        except (TypeError, ValueError) as error:
            raise ValueError(f"expected numbers in {name}, got {error}") from None
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
        raise ValueError(f"expected arrays of one shape (n,), got {shapes}")
    for name, array in arrays.items():
        if array.size < minimum:
            raise ValueError(f"expected at least {minimum} values in {name}, got {array.size}")
        bad = np.flatnonzero(~np.isfinite(array))
        if bad.size:
            raise ValueError(
                f"expected finite numbers in {name}, got {bad.size} that are not, "
                f"the first at position {bad[0]}"
            )
    return list(arrays.values())


def block_indices(
    n: int, block: int, samples: int, generator: np.random.Generator | None = None
) -> np.ndarray:
    """Positions of circular block bootstrap samples (Politis and Romano, 1992).

    Whole blocks of neighbouring days are drawn, with replacement, so that a sample keeps the
    dependence between neighbours that drawing single days would destroy.

    Args:
        n: length of the series.
        block: length of a block in steps, from 1 (independent days) to n.
        samples: how many samples to draw, at least 1.
        generator: source of chance; one with seed 0 if None.

    Returns:
        (samples, n) integers in [0, n).

    Raises:
        ValueError: a block that is empty or longer than the series, or no sample.
    """
    if not 1 <= block <= n:
        raise ValueError(f"expected a block of 1 to {n} steps, the series' length, got {block}")
    if samples < 1:
        raise ValueError(f"expected at least 1 sample, got {samples}")
    generator = generator or np.random.default_rng(0)
    starts = generator.integers(n, size=(samples, -(-n // block)))
    positions = starts[:, :, None] + np.arange(block)  # (samples, blocks, block)
    return positions.reshape(samples, -1)[:, :n] % n


def error_ratio(
    actual: ArrayLike,
    forecast: ArrayLike,
    baseline: ArrayLike,
    *,
    block: int = 22,
    samples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Root mean squared error of a forecast over that of a baseline on the same days.

    Below 1 the forecast is better. The 95% interval comes from a circular block bootstrap that
    draws days for both forecasts together, so that a stormy month counts for both.

    Args:
        actual: (n,) what came, in any unit.
        forecast: (n,) forecast for the same days, same unit.
        baseline: (n,) the baseline's forecast, for instance yesterday's value.
        block: days in a block; 22 trading days are about a month.
        samples: bootstrap samples.
        seed: of the bootstrap.

    Raises:
        ValueError: shapes that differ, fewer than two blocks, numbers that are not finite, or a
            baseline without any error, beside which no ratio exists.
    """
    actual, forecast, baseline = _aligned(
        max(2, 2 * block), actual=actual, forecast=forecast, baseline=baseline
    )
    ours, theirs = (actual - forecast) ** 2, (actual - baseline) ** 2
    if not theirs.any():
        raise ValueError("expected a baseline with some error, got one that is always right")
    drawn = block_indices(actual.size, block, samples, np.random.default_rng(seed))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.sqrt(ours[drawn].mean(1) / theirs[drawn].mean(1))
    low, high = np.nanquantile(ratios, [0.025, 0.975])
    return Interval(float(np.sqrt(ours.mean() / theirs.mean())), float(low), float(high))


class DieboldMariano(NamedTuple):
    """Result of a Diebold-Mariano test.

    Attributes:
        statistic: positive where the forecast has the larger loss, negative where the baseline.
        p_value: two-sided; small where the two losses differ by more than chance.
    """

    statistic: float
    p_value: float


def diebold_mariano(
    actual: ArrayLike,
    forecast: ArrayLike,
    baseline: ArrayLike,
    *,
    horizon: int = 1,
    lags: int | None = None,
    power: float = 2,
) -> DieboldMariano:
    """Do two forecasts differ in loss by more than chance? (Diebold and Mariano, 1995)

    The mean difference of the losses over its HAC standard error (Newey and West's weights,
    through statsmodels), with the small-sample correction of Harvey, Leybourne and Newbold
    (1997): a factor and Student's t with n - 1 degrees of freedom. Newer statsmodels (0.15 on)
    has the same test as ``diebold_mariano_test(..., harvey_adj=True)``.

    Args:
        actual: (n,) what came.
        forecast: (n,) the forecast under test.
        baseline: (n,) the forecast it is compared with.
        horizon: steps ahead that both forecast; longer ones make neighbouring errors overlap.
        lags: neighbours whose correlation the standard error allows for;
            max(horizon - 1, the cube root of n rounded up) if None.
        power: loss is the absolute error to this power: 2 squared, 1 absolute.

    Raises:
        ValueError: shapes that differ, fewer than ten values, numbers that are not finite, a
            horizon below 1 or longer than half the series, more lags than values, or two
            forecasts that never differ in loss.
    """
    actual, forecast, baseline = _aligned(10, actual=actual, forecast=forecast, baseline=baseline)
    n = actual.size
    if not 1 <= horizon <= n // 2:
        raise ValueError(f"expected a horizon from 1 to {n // 2}, got {horizon}")
    lags = max(horizon - 1, int(np.ceil(n ** (1 / 3)))) if lags is None else lags
    if not 0 <= lags < n:
        raise ValueError(f"expected lags from 0 to {n - 1}, got {lags}")
    difference = np.abs(actual - forecast) ** power - np.abs(actual - baseline) ** power
    if not difference.any():
        raise ValueError("expected two forecasts that differ in loss, got the same loss every day")
    fitted = OLS(difference, np.ones(n)).fit(cov_type="HAC", cov_kwds={"maxlags": lags})
    shrink = np.sqrt((n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n)
    statistic = float(fitted.tvalues[0] * shrink)
    return DieboldMariano(statistic, float(2 * t.sf(abs(statistic), n - 1)))


def direction_accuracy(actual: ArrayLike, forecast: ArrayLike) -> Interval:
    """Share of days on which a forecast change has the sign of the change that came.

    Days without a change, of either, are left out. Compare it with the share of rises: "always
    up" is right that often.

    Args:
        actual: (n,) changes that came, any unit.
        forecast: (n,) forecast changes.

    Raises:
        ValueError: shapes that differ, numbers that are not finite, or no day with a change.
    """
    actual, forecast = _aligned(1, actual=actual, forecast=forecast)
    moved = (actual != 0) & (forecast != 0)
    if not moved.any():
        raise ValueError("expected at least one day on which both changes are not zero, got none")
    return accuracy(forecast[moved] > 0, actual[moved] > 0)


def lag_correlations(actual: ArrayLike, forecast: ArrayLike, lags: Sequence[int]) -> np.ndarray:
    """Correlation of the forecast for day t with what came on day t - lag, for each lag.

    Of a series near a random walk, a forecast that knows more than half of the change's variance
    peaks at lag 0, one that knows less of it, or repeats yesterday, at lag 1; a later peak says
    that it looks like older news than the last value it was given.

    Args:
        actual: (n,) what came.
        forecast: (n,) forecast for the same days.
        lags: in steps; negative ones look into the future. All are taken over the same days.

    Returns:
        (lags,) correlations.

    Raises:
        ValueError: shapes that differ, numbers that are not finite, no lag, or a series so short
            that fewer than ten days are left.
    """
    lags = np.asarray(lags, dtype=int)
    if lags.size == 0:
        raise ValueError("expected at least one lag, got none")
    first, after = max(0, int(lags.max())), max(0, -int(lags.min()))
    actual, forecast = _aligned(first + after + 10, actual=actual, forecast=forecast)
    days = np.arange(first, actual.size - after)
    return np.array([np.corrcoef(forecast[days], actual[days - lag])[0, 1] for lag in lags])
