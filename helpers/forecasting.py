"""Time series without a look into the future: checks, windows, a leak test, and fair comparisons.

Every function wants real, finite numbers in order of time, and says in one sentence what it got
instead: TypeError for a wrong kind (text, booleans, a float for a count), ValueError for the rest.
Where several inputs carry a pandas index, it must be the same (`metrics.check_same_index`).
For splits in time take scikit-learn's ``TimeSeriesSplit``; nothing of that kind is here.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from pandas.api.types import is_any_real_numeric_dtype, is_bool_dtype
from scipy.stats import t
from statsmodels.regression.linear_model import OLS

from helpers.metrics import Interval, accuracy, check_same_index, to_array

Pandas = pd.Series | pd.DataFrame


class LeakageError(AssertionError):
    """Something that should be known today changes when only the future changes."""


def check_series(
    series: Pandas | ArrayLike,
    *,
    minimum: int = 2,
    longest_gap: str | pd.Timedelta | None = None,
) -> Pandas:
    """Refuse a series that would give forecasts without meaning.

    Args:
        series: (steps,) or (steps, columns), with dates where its index has them.
        minimum: fewest steps that it must have.
        longest_gap: refuse neighbouring dates further apart than this, for instance "7D": the
            longest a stock exchange usually stays closed. Needs a series with dates.

    Returns:
        The series as it came, as pandas where it was an array.

    Raises:
        TypeError: not numbers, labels that are neither dates nor numbers, or no dates to look for
            gaps.
        ValueError: too short, not finite (NaN, infinite), dates that are missing, duplicated or
            out of order, duplicate columns, or a gap.
    """
    series = _checked("the series", series, _whole("minimum", minimum, 0))
    if longest_gap is not None:
        _check_gaps(series.index, longest_gap)
    return series


def _whole(name: str, value: object, low: float, high: float = np.inf) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"expected a whole number for {name}, got {value!r}")
    if not low <= value <= high:
        limits = f"of at least {low}" if high == np.inf else f"from {low} to {high}"
        raise ValueError(f"expected {name} {limits}, got {value}")
    return int(value)


def _label(value: object) -> str:
    return str(value).removesuffix(" 00:00:00")


def _checked(name: str, series: Pandas | ArrayLike, minimum: int) -> Pandas:
    if not isinstance(series, Pandas):
        array = to_array(name, series)
        if array.ndim not in (1, 2):
            raise ValueError(f"expected {name} of shape (n,) or (n, columns), got {array.shape}")
        series = pd.Series(array) if array.ndim == 1 else pd.DataFrame(array)
    frame = pd.DataFrame(series)
    if frame.columns.has_duplicates or frame.shape[1] == 0:
        raise ValueError(f"expected columns of different names in {name}, got {[*frame.columns]}")
    for column, kind in frame.dtypes.items():
        if not is_any_real_numeric_dtype(kind):
            where = name if series.ndim == 1 else f"column {column!r} of {name}"
            raise TypeError(f"expected numbers in {where}, got {kind}; use astype(float) if apt")
    if len(frame) < minimum:
        raise ValueError(f"expected at least {minimum} steps in {name}, got {len(frame)}")
    _check_order(name, frame.index)
    bad = ~np.isfinite(_floats(frame)).all(axis=1)
    if bad.any():
        raise ValueError(
            f"expected finite numbers in {name}, got {bad.sum()} step(s) that are not, "
            f"the first at {_label(frame.index[bad][0])}; fill or drop them on purpose"
        )
    return series


def _floats(series: Pandas) -> np.ndarray:
    return series.to_numpy(dtype=float, na_value=np.nan)


def _check_order(name: str, index: pd.Index) -> None:
    # Text would be put in alphabetical order: 01.02.2020 before 02.01.2020.
    dates = isinstance(index, pd.DatetimeIndex | pd.PeriodIndex | pd.TimedeltaIndex)
    if not dates and not is_any_real_numeric_dtype(index.dtype):
        raise TypeError(
            f"expected dates or numbers as the index of {name}, got {index.dtype} such as "
            f"{index[:1].tolist()}; pd.to_datetime(its index) makes dates of them"
        )
    if index.hasnans:
        where = np.flatnonzero(index.isna())[0]
        raise ValueError(f"expected a date for every step of {name}, got none at position {where}")
    if index.has_duplicates:
        twice = index[index.duplicated()][0]
        raise ValueError(f"expected every date once in {name}, got {_label(twice)} again; drop one")
    if not index.is_monotonic_increasing:
        wrong = index[1:][index[1:] < index[:-1]][0]
        raise ValueError(
            f"expected dates of {name} in order of time, got {_label(wrong)} after a later one; "
            "sort_index() puts them right"
        )


def _check_gaps(index: pd.Index, longest_gap: str | pd.Timedelta) -> None:
    longest = pd.to_timedelta(longest_gap, errors="coerce")  # not a time where it is no length
    if not longest > pd.Timedelta(0):
        raise ValueError(f'expected longest_gap such as "7D" or "2h", got {longest_gap!r}')
    if not isinstance(index, pd.DatetimeIndex):
        raise TypeError(f"expected dates to look for gaps, got an index of {index.dtype}")
    wide = index[1:] - index[:-1] > longest
    if wide.any():
        before, after = index[:-1][wide][0], index[1:][wide][0]
        raise ValueError(
            f"expected no gap longer than {_label(longest)}, got {wide.sum()}, "
            f"the first from {_label(before)} to {_label(after)}"
        )


def windows(
    series: ArrayLike, length: int, *, targets: ArrayLike | None = None, horizon: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut a series into windows, each with what comes right after it.

    Every window has its targets, so the last one ends `horizon` steps before the series does;
    `helpers.own` forecasts beyond the end.

    Args:
        series: (steps,) or (steps, features).
        length: steps in a window.
        targets: (steps,) what to forecast; the series itself (its first feature) if None.
        horizon: how many steps after the window to forecast.

    Returns:
        inputs (N, length, features), targets (N, horizon), and now (N,): the position of each
        window's last step. Window k holds steps now[k] - length + 1 to now[k], and its targets
        are steps now[k] + 1 to now[k] + horizon. N = steps - length - horizon + 1.

    Raises:
        ValueError: also a window or horizon below 1, a series too short for one window and its
            targets, or targets of another length or index.
    """
    length, horizon = _whole("length", length, 1), _whole("horizon", horizon, 1)
    check_same_index(series=series, targets=targets)
    values = _features(series, length + horizon)
    steps, goal = len(values), values[:, 0]
    if targets is not None:
        goal = _floats(_checked("targets", targets, 0))
        if goal.shape != (steps,):
            raise ValueError(f"expected targets of shape ({steps},), got {goal.shape}")
    now = np.arange(length - 1, steps - horizon)  # (N,)
    inputs = values[now[:, None] + np.arange(1 - length, 1)]  # (N, length, features)
    return inputs, goal[now[:, None] + np.arange(1, horizon + 1)], now


def _features(series: ArrayLike, minimum: int) -> np.ndarray:
    values = _floats(_checked("the series", series, minimum))
    return values.reshape(len(values), -1)  # (steps, features)


def assert_no_leakage(
    make: Callable[[Pandas], Pandas | np.ndarray],
    series: Pandas | ArrayLike,
    now: object,
    *,
    seed: int = 0,
) -> None:
    """Change the future and see whether anything known by now moves.

    Use it on your own code: let `make` do everything from the raw series to the features, or to
    the forecasts, fitting and scaling included. Row t of what it returns is what you would have
    known, or have forecast, at the end of step t.

    Four futures are tried: doubled values, the same values in reverse, noise of each column's own
    size, and a constant. What moves by less than 1e-9 of its column's size has not moved. One `now`
    shows what reaches across it: where data are patched here and there, try several.

    Args:
        make: from the series to one row (or number) per step: pandas with an index taken from the
            series, or an array with as many rows as the series has steps.
        series: (steps,) or (steps, columns).
        now: label of the last known step: a date where the index has dates, with a time zone where
            they have one, else a position.
        seed: of the noise.

    Raises:
        LeakageError: a row up to now moved; the message names the first one and the future that
            moved it.
        ValueError: nothing lies after `now` or before it; the output has other rows; it has none
            up to now; `make` gives two results on the same series (fix its seeds); or no future
            moves any later row, so that the test could not fail.
        TypeError: series or output are not numeric, or `now` is no label for this index.
    """
    series = check_series(series).astype(float)  # for all runs, so that none differs by rounding
    try:
        known = np.asarray(series.index <= now)
    except (TypeError, ValueError):
        example = series.index[0]
        raise TypeError(f"expected now as a label such as {example!r}, got {now!r}") from None
    if known.all() or not known.any():
        raise ValueError(
            f"expected now between {_label(series.index[0])} and {_label(series.index[-2])}, "
            f"got {_label(now)}"
        )
    expected = _rows(make(series.copy()), series)
    if not (expected.index <= now).any():
        raise ValueError("expected some output up to now, got none: choose a later now")
    if _first_difference(expected, _rows(make(series.copy()), series)) is not None:
        raise ValueError("expected the same result twice on the same series: fix make's seeds")
    anything_moved = False
    for name, future in _futures(_floats(series), ~known, seed).items():
        changed = series.copy()
        changed.iloc[~known] = future
        found = _rows(make(changed), series)
        early = _first_difference(expected[expected.index <= now], found[found.index <= now])
        if early is not None:
            raise LeakageError(
                f"the row of {_label(early)} changed when only what comes after {_label(now)} "
                f"was changed ({name}): it has seen the future"
            )
        late = _first_difference(expected[expected.index > now], found[found.index > now])
        anything_moved |= late is not None
    if not anything_moved:
        raise ValueError(
            "expected rows after now to move with the future, none did: does make use the series?"
        )


def _futures(values: np.ndarray, unknown: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    future = values[unknown]
    size = np.abs(values).mean(axis=0) + values.std(axis=0) + 1e-12
    noise = np.random.default_rng(seed).standard_normal(future.shape)
    # What is positive throughout, like a price, stays so: make may take its logarithm.
    positive = (values > 0).all(axis=0)
    return {
        "doubled": 2 * future,
        "reversed": future[::-1].copy(),
        "noise": np.where(positive, future * np.exp(noise), future + size * noise),
        "a constant": np.broadcast_to(3 * size, future.shape),
    }


def _rows(output: object, series: Pandas) -> pd.DataFrame:
    """The output of `make` in order of time, as a frame whose index says when a row was known."""
    if not isinstance(output, Pandas):
        output = to_array("the output of make", output)
        if output.ndim == 0 or len(output) != len(series):
            raise ValueError(
                f"expected {len(series)} rows, one per step, or pandas with the series' index, "
                f"got shape {output.shape}"
            )
        output = pd.DataFrame(output.reshape(len(output), -1), index=series.index)
    strange = output.index[~output.index.isin(series.index)]
    if len(strange):
        raise ValueError(f"expected an index taken from the series, got {_label(strange[0])} in it")
    frame = pd.DataFrame(output).sort_index(kind="stable")
    for kind in frame.dtypes:
        if not (is_bool_dtype(kind) or is_any_real_numeric_dtype(kind)):
            raise TypeError(f"expected real numbers in the output of make, got {kind}")
    return pd.DataFrame(_floats(frame), index=frame.index)


def _first_difference(one: pd.DataFrame, other: pd.DataFrame) -> object | None:
    """Label of the first row in which two outputs differ, None where they agree throughout."""
    if len(apart := one.index.symmetric_difference(other.index)):
        return min(apart)
    if one.shape != other.shape:
        return one.index[0]
    # Finite numbers of the same column: a large one elsewhere must not excuse what moves here.
    size = one.abs().where(np.isfinite(one)).max().fillna(0.0).to_numpy()
    allowed = 1e-9 * np.where(size > 0, size, 1.0)
    differs = ~np.isclose(one, other, rtol=0, atol=allowed, equal_nan=True).all(axis=1)
    return one.index[differs][0] if differs.any() else None


# --- Comparing forecasts -------------------------------------------------------------------------


def _aligned(minimum: int, **series: ArrayLike) -> list[np.ndarray]:
    """The series as float arrays (n,), after a check that they go together value by value."""
    check_same_index(**series)
    arrays = [_floats(_checked(name, values, minimum)) for name, values in series.items()]
    shapes = {name: array.shape for name, array in zip(series, arrays, strict=True)}
    if len(set(shapes.values())) > 1 or arrays[0].ndim != 1:
        raise ValueError(f"expected arrays of one shape (n,), got {shapes}")
    return arrays


def _blocks(n: int, block: int, samples: int, seed: int) -> np.ndarray:
    """Positions (samples, n) of circular block bootstrap samples (Politis and Romano, 1992).

    Whole blocks of neighbouring days are drawn, with replacement, so that a sample keeps the
    dependence between neighbours that drawing single days would destroy.
    """
    starts = np.random.default_rng(seed).integers(n, size=(samples, -(-n // block)))
    positions = starts[:, :, None] + np.arange(block)  # (samples, blocks, block)
    return positions.reshape(samples, -1)[:, :n] % n


def error_ratio(
    actual: ArrayLike, forecast: ArrayLike, baseline: ArrayLike, *, block: int = 22, seed: int = 0
) -> Interval:
    """Root mean squared error of a forecast over that of a baseline on the same days.

    Below 1 the forecast is better. The 95% interval comes from 2,000 samples of a circular block
    bootstrap that draws days for both forecasts together, so that a stormy month counts for both.

    Args:
        actual: (n,) what came, in any unit.
        forecast: (n,) forecast for the same days, same unit.
        baseline: (n,) the baseline's forecast, for instance yesterday's value.
        block: days in a block, within which errors may resemble each other; 22 trading days are
            about a month.
        seed: of the bootstrap.

    Raises:
        ValueError: also fewer than two blocks, or a baseline that is right on every day of some
            sample, beside which there is no ratio.
    """
    _whole("block", block, 1)
    actual, forecast, baseline = _aligned(
        2 * block, actual=actual, forecast=forecast, baseline=baseline
    )
    ours, theirs = (actual - forecast) ** 2, (actual - baseline) ** 2
    return Interval(*np.sqrt(loss_ratio(ours, theirs, block=block, seed=seed)))


def loss_ratio(ours: ArrayLike, theirs: ArrayLike, *, block: int = 22, seed: int = 0) -> Interval:
    """Mean loss of a forecast over that of a baseline on the same days, with its interval.

    As `error_ratio`, for any loss: squared error without the root, pinball loss.

    Args:
        ours: (n,) the forecast's loss day by day, 0 or more.
        theirs: (n,) the baseline's.
        block, seed: see `error_ratio`.

    Raises:
        ValueError: also a loss below 0, fewer than two blocks, or a baseline that is right on every
            day of some sample.
    """
    ours, theirs = _aligned(2 * _whole("block", block, 1), ours=ours, theirs=theirs)
    if (lowest := min(ours.min(), theirs.min())) < 0:
        raise ValueError(f"expected losses of 0 or more, got {lowest:.3g}")
    drawn = _blocks(ours.size, block, 2000, seed)
    if not theirs[drawn].any(axis=1).all():
        raise ValueError(
            "expected a baseline with an error in every sample of the bootstrap, got one that is "
            f"right on {(theirs == 0).sum()} of {theirs.size} days"
        )
    low, high = np.quantile(ours[drawn].mean(1) / theirs[drawn].mean(1), [0.025, 0.975])
    return Interval(float(ours.mean() / theirs.mean()), float(low), float(high))


class DieboldMariano(NamedTuple):
    """Result of a Diebold-Mariano test.

    Attributes:
        statistic: positive where the forecast has the larger loss, negative where the baseline.
        p_value: two-sided; small where the two losses differ by more than chance.
    """

    statistic: float
    p_value: float


def diebold_mariano(
    actual: ArrayLike, forecast: ArrayLike, baseline: ArrayLike, *, horizon: int = 1
) -> DieboldMariano:
    """Do two forecasts differ in squared error by more than chance? (Diebold and Mariano, 1995)

    The mean difference of the losses over its HAC standard error (Newey and West's weights,
    through statsmodels; neighbours up to max(horizon - 1, cube root of n rounded up) days apart),
    with the small-sample correction of Harvey, Leybourne and Newbold (1997): a factor and Student's
    t with n - 1 degrees of freedom. statsmodels 0.15: ``diebold_mariano_test(harvey_adj=True)``.

    Args:
        actual: (n,) what came.
        forecast: (n,) the forecast under test.
        baseline: (n,) the forecast it is compared with.
        horizon: steps ahead that both forecast; longer ones make neighbouring errors overlap.

    Raises:
        ValueError: also fewer than ten values, a horizon below 1 or longer than half the series, or
            losses whose difference is the same every day (none, for instance).
    """
    actual, forecast, baseline = _aligned(10, actual=actual, forecast=forecast, baseline=baseline)
    n = actual.size
    horizon = _whole("horizon", horizon, 1, n // 2)
    ours, theirs = (actual - forecast) ** 2, (actual - baseline) ** 2
    difference = ours - theirs
    if np.ptp(difference) <= 1e-5 * max(ours.max(), theirs.max()):  # rounding, of float32 too
        raise ValueError(
            "expected losses that differ by more on some days than on others, got a difference of "
            f"{difference.mean():.3g} every day, which leaves nothing to judge chance by"
        )
    lags = max(horizon - 1, int(np.ceil(n ** (1 / 3))))
    fitted = OLS(difference, np.ones(n)).fit(cov_type="HAC", cov_kwds={"maxlags": lags})
    shrink = np.sqrt((n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n)
    statistic = float(fitted.tvalues[0] * shrink)
    return DieboldMariano(statistic, float(2 * t.sf(abs(statistic), n - 1)))


def direction_accuracy(actual: ArrayLike, forecast: ArrayLike) -> Interval:
    """Share of the days with a change on which the forecast change (n,) has the sign of it (n,).

    A forecast of no change names no direction and counts as wrong. Compare the share with that of
    rises: "always up" is right that often.

    Raises:
        ValueError: also no rise or no fall to tell apart, as of prices in place of changes, or no
            forecast of a change on any day with one.
    """
    actual, forecast = _aligned(1, actual=actual, forecast=forecast)
    moved = actual != 0
    if not (actual.min() < 0 < actual.max() and forecast[moved].any()):
        raise ValueError("expected rises and falls, and forecasts of a change, got none of a kind")
    return accuracy(np.sign(forecast[moved]), np.sign(actual[moved]))


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
        ValueError: also no lag, fewer than ten days left, or nothing that could peak: a constant,
            or the same correlation at every lag, as a straight line has.
    """
    lags = [_whole("a lag", lag, -np.inf) for lag in lags]
    if not lags:
        raise ValueError("expected at least one lag, got none")
    first, after = max(0, *lags), max(0, -min(lags))
    actual, forecast = _aligned(first + after + 10, actual=actual, forecast=forecast)
    days = np.arange(first, actual.size - after)
    news, past = forecast[days], [actual[days - lag] for lag in lags]
    for name, values in [("forecast", news), *(("actual", values) for values in past)]:
        if np.ptp(values) <= 1e-6 * np.abs(values).max():  # constant up to float32's rounding
            raise ValueError(f"expected numbers that vary in {name}, got {values[0]:.6g} every day")
    found = np.array([np.corrcoef(news, values)[0, 1] for values in past])
    if len(lags) > 1 and np.ptp(found) < 1e-9:
        raise ValueError(f"expected a peak at some lag, got {found[0]:.3g} at every one")
    return found
