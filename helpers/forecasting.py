"""Time series without a look into the future: checks, windows, and a test for leaks.

For splits in time take scikit-learn's ``TimeSeriesSplit``; nothing of that kind is here.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike


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
