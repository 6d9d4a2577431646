"""Time series without a look into the future: checks, windows, and a test for leaks.

For splits in time take scikit-learn's ``TimeSeriesSplit``; nothing of that kind is here.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import t
from statsmodels.regression.linear_model import OLS

from helpers.metrics import Interval, accuracy


class LeakageError(AssertionError):
    """Something that should be known today changes when only the future changes."""


def check_series(
    series: pd.Series | pd.DataFrame | ArrayLike,
    *,
    minimum: int = 2,
    longest_gap: str | pd.Timedelta | None = None,
) -> pd.Series | pd.DataFrame:
    """Refuse a series that would give forecasts without meaning.

    Args:
        series: numbers in order of time; with dates where its index has them.
        minimum: fewest steps that it must have.
        longest_gap: refuse neighbouring dates further apart than this, for instance "7D": the
            longest a stock exchange usually stays closed. Needs a series with dates.

    Returns:
        The series as it came, as pandas where it was an array.

    Raises:
        TypeError: not numbers, or a gap is to be checked and there are no dates.
        ValueError: too short, not finite (NaN, infinite), dates twice or out of order, a gap.
    """
    if not isinstance(series, pd.Series | pd.DataFrame):
        series = np.asarray(series)
        if series.ndim not in (1, 2):
            raise ValueError(f"expected shape (steps,) or (steps, series), got {series.shape}")
        series = pd.Series(series) if series.ndim == 1 else pd.DataFrame(series)
    frame = series.to_frame() if isinstance(series, pd.Series) else series
    for name, kind in frame.dtypes.items():
        if not pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_bool_dtype(kind):
            raise TypeError(f"expected numbers in the series {name!r}, got {kind}")
    if len(frame) < minimum:
        raise ValueError(f"expected at least {minimum} steps, got {len(frame)}")
    _check_order(frame.index)
    bad = ~np.isfinite(frame.to_numpy(dtype=float)).all(1)
    if bad.any():
        raise ValueError(
            f"expected finite numbers, got {bad.sum()} step(s) that are not, "
            f"the first at {_label(frame.index[bad][0])}; fill or drop them on purpose"
        )
    if longest_gap is not None:
        _check_gaps(frame.index, pd.Timedelta(longest_gap))
    return series


def _label(value: object) -> str:
    return str(value.date()) if isinstance(value, pd.Timestamp) else str(value)


def _check_order(index: pd.Index) -> None:
    if index.has_duplicates:
        twice = index[index.duplicated()][0]
        raise ValueError(f"expected every date once, got {_label(twice)} again; drop one")
    if not index.is_monotonic_increasing:
        values = index.to_numpy()
        wrong = index[1:][values[1:] < values[:-1]][0]
        raise ValueError(
            f"expected dates in order of time, got {_label(wrong)} after a later one; "
            "sort_index() puts them right"
        )


def _check_gaps(index: pd.Index, longest: pd.Timedelta) -> None:
    if not isinstance(index, pd.DatetimeIndex):
        raise TypeError(f"expected dates to look for gaps, got an index of {index.dtype}")
    steps = index[1:] - index[:-1]
    wide = steps > longest
    if wide.any():
        before, after = index[:-1][wide][0], index[1:][wide][0]
        raise ValueError(
            f"expected no gap longer than {longest.days} days, got {int(wide.sum())}, "
            f"the first from {_label(before)} to {_label(after)}"
        )


def windows(
    series: ArrayLike, length: int, *, targets: ArrayLike | None = None, horizon: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut a series into windows, each with what comes right after it.

    Args:
        series: (steps,) or (steps, features), in order of time.
        length: steps in a window.
        targets: (steps,) what to forecast; the series itself (its first feature) if None.
        horizon: how many steps after the window to forecast.

    Returns:
        inputs (N, length, features), targets (N, horizon), and now (N,): the position of each
        window's last step. Window k holds steps now[k] - length + 1 to now[k], and its targets
        are steps now[k] + 1 to now[k] + horizon. N = steps - length - horizon + 1.

    Raises:
        TypeError: not numbers.
        ValueError: a window or horizon below 1, a series too short for one window and its
            targets, values that are not finite, dates out of order, or targets of another length.
    """
    if length < 1 or horizon < 1:
        raise ValueError(f"expected length and horizon of at least 1, got {length} and {horizon}")
    checked = check_series(series, minimum=0)
    steps = len(checked)
    if steps < length + horizon:
        raise ValueError(
            f"expected at least {length + horizon} steps for a window of {length} and a horizon "
            f"of {horizon}, got {steps}"
        )
    values = checked.to_numpy(dtype=float).reshape(steps, -1)  # (steps, features)
    goal = values[:, 0]
    if targets is not None:
        goal = check_series(targets, minimum=0).to_numpy(dtype=float)
        if goal.shape != (steps,):
            raise ValueError(f"expected targets of shape ({steps},), got {goal.shape}")
    now = np.arange(length - 1, steps - horizon)  # (N,)
    inputs = values[now[:, None] + np.arange(1 - length, 1)]  # (N, length, features)
    return inputs, goal[now[:, None] + np.arange(1, horizon + 1)], now


def assert_no_leakage(
    make: Callable[[pd.Series | pd.DataFrame], pd.Series | pd.DataFrame | np.ndarray],
    series: pd.Series | pd.DataFrame | ArrayLike,
    now: object,
    *,
    tolerance: float = 1e-9,
    seed: int = 0,
) -> None:
    """Change the future and see whether anything known by now moves.

    Use it on your own code: let `make` do everything from the raw series to the features, or to
    the forecasts, fitting and scaling included. Row t of what it returns is what you would have
    known, or have forecast, at the end of step t.

    Four futures are tried: doubled values, the same values in reverse, noise of the series' own
    size, and a constant.

    Args:
        make: from the series to one row (or number) a step: pandas with an index taken from the
            series, or an array with as many rows as the series has steps.
        series: numbers in order of time.
        now: label of the last known step (a date where the index has dates, else a position).
        tolerance: largest difference that counts as none, relative to the output's size.
        seed: of the noise.

    Raises:
        LeakageError: a row up to now moved; the message names the first one and the future that
            moved it.
        ValueError: nothing lies after `now` or before it; the output has other rows; it has none
            up to now; `make` gives two results on the same series (fix its seeds); or no future
            moves any later row, so that the test could not fail.
        TypeError: the series is not numeric.
    """
    series = check_series(series)
    known = np.asarray(series.index <= now)
    if known.all() or not known.any():
        raise ValueError(
            f"expected now between {_label(series.index[0])} and {_label(series.index[-2])}, "
            f"got {_label(now)}"
        )
    expected = _rows(make(series.copy()), series)
    if not (expected.index <= now).any():
        raise ValueError("expected some output up to now, got none: choose a later now")
    if _first_difference(expected, _rows(make(series.copy()), series), tolerance) is not None:
        raise ValueError("expected the same result twice on the same series: fix make's seeds")
    anything_moved = False
    for name, future in _futures(series.to_numpy(dtype=float), ~known, seed).items():
        changed = series.astype(float)
        changed.iloc[~known] = future
        found = _rows(make(changed), series)
        early = _first_difference(
            expected[expected.index <= now], found[found.index <= now], tolerance
        )
        if early is not None:
            raise LeakageError(
                f"the row of {_label(early)} changed when only what comes after {_label(now)} "
                f"was changed ({name}): it has seen the future"
            )
        late = _first_difference(
            expected[expected.index > now], found[found.index > now], tolerance
        )
        anything_moved |= late is not None
    if not anything_moved:
        raise ValueError(
            "expected rows after now to move with the future, none did: does make use the series?"
        )


def _futures(values: np.ndarray, unknown: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    future = values[unknown]
    size = np.abs(values).mean() + values.std() + 1e-12
    noise = np.random.default_rng(seed).standard_normal(future.shape)
    # What is positive throughout, like a price, stays so: make may take its logarithm.
    noisy = future * np.exp(noise) if (values > 0).all() else future + size * noise
    return {
        "doubled": 2 * future,
        "reversed": future[::-1].copy(),
        "noise": noisy,
        "a constant": np.full_like(future, 3 * size),
    }


def _rows(output: object, series: pd.Series | pd.DataFrame) -> pd.DataFrame:
    """The output of `make` as a frame whose index says when each row was known."""
    if isinstance(output, pd.Series | pd.DataFrame):
        strange = output.index.difference(series.index)
        if len(strange):
            raise ValueError(
                f"expected an index taken from the series, got {_label(strange[0])} in it"
            )
        return pd.DataFrame(output)
    output = np.asarray(output)
    if output.ndim == 0 or len(output) != len(series):
        raise ValueError(
            f"expected {len(series)} rows, one a step, or pandas with the series' index, "
            f"got shape {output.shape}"
        )
    return pd.DataFrame(output.reshape(len(output), -1), index=series.index)


def _first_difference(one: pd.DataFrame, other: pd.DataFrame, tolerance: float) -> object | None:
    """Label of the first row in which two outputs differ, None where they agree throughout."""
    if len(one.index.symmetric_difference(other.index)):
        return min(one.index.symmetric_difference(other.index))
    if one.shape != other.shape:
        return one.index[0]
    a, b = one.to_numpy(dtype=float), other.to_numpy(dtype=float)
    scale = np.nanmax(np.abs(a), initial=0.0) or 1.0
    near = np.isclose(a, b, rtol=0, atol=tolerance * scale, equal_nan=True)
    differs = ~near.all(axis=1)
    return one.index[differs][0] if differs.any() else None


# --- Comparing forecasts -------------------------------------------------------------------------


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
