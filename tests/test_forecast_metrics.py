"""helpers.forecasting on forecasts: exact values, calibration, and clear refusals."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from helpers import forecasting, metrics


def walk(n, seed=0):
    return np.cumsum(np.random.default_rng(seed).standard_normal(n))


# --- error ratio -------------------------------------------------------------------------------


def test_error_ratio_by_hand():
    """The same draws, put together block by block, and the quantiles through scipy."""
    n, block = 60, 7
    actual, forecast, baseline = walk(n), walk(n, 1), walk(n, 2)
    mse = [np.mean((actual - other) ** 2) for other in (forecast, baseline)]
    ratios = []
    for starts in np.random.default_rng(4).integers(n, size=(2000, 9)):
        days = np.concatenate([(start + np.arange(block)) % n for start in starts])[:n]
        ours, theirs = ((actual[days] - other[days]) ** 2 for other in (forecast, baseline))
        ratios.append(np.sqrt(ours.sum() / theirs.sum()))
    low, high = stats.mstats.mquantiles(ratios, [0.025, 0.975], alphap=1, betap=1)
    found = forecasting.error_ratio(actual, forecast, baseline, block=block, seed=4)
    assert found == pytest.approx((np.sqrt(mse[0] / mse[1]), low, high))


def test_error_ratio_interval_covers_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(5)
    covered = 0
    for seed in range(100):
        ours, theirs = 1.2 * generator.standard_normal(120), generator.standard_normal(120)
        found = forecasting.error_ratio(np.zeros(120), ours, theirs, block=5, seed=seed)
        covered += found.low <= 1.2 <= found.high
    assert 0.88 <= covered / 100 <= 0.99


def test_blocks_are_months_and_widen_the_interval_where_neighbours_are_alike():
    errors = np.repeat(np.random.default_rng(0).standard_normal(30), 20)  # each 20 days long
    args = np.zeros(600), errors, np.random.default_rng(1).standard_normal(600)
    single, month = (forecasting.error_ratio(*args, block=block) for block in (1, 22))
    assert month.high - month.low > 2 * (single.high - single.low)
    assert forecasting.error_ratio(*args) == month


def test_loss_ratio():
    rng = np.random.default_rng(0)
    ours, theirs = rng.random((2, 60))
    found = forecasting.loss_ratio(ours, theirs, block=5, seed=2)
    assert found.estimate == pytest.approx(ours.mean() / theirs.mean())
    assert found.low < found.estimate < found.high
    root = forecasting.error_ratio(np.zeros(60), np.sqrt(ours), np.sqrt(theirs), block=5, seed=2)
    np.testing.assert_allclose(np.square(root), found)
    with pytest.raises(ValueError, match=r"losses of 0 or more, got -0\.1"):
        forecasting.loss_ratio(ours, theirs - theirs.min() - 0.1, block=5)


def test_error_ratio_refuses_a_baseline_without_errors():
    actual, forecast = 100 + walk(60), walk(60, 1)
    right = actual.copy()
    for errors in (0, 2):  # with two errors of sixty, some samples hold none
        right[:errors] += 1
        with pytest.raises(ValueError, match=f"right on {60 - errors} of 60 days"):
            forecasting.error_ratio(actual, forecast, right, block=5)


# --- Diebold-Mariano ---------------------------------------------------------------------------


@pytest.mark.parametrize("n, horizon, lags", [(200, 1, 6), (200, 9, 8), (200, 6, 6), (28, 14, 13)])
def test_diebold_mariano_by_hand(n, horizon, lags):
    """The formulas of Newey and West and of Harvey, Leybourne and Newbold, written out."""
    actual, forecast, baseline = walk(n), walk(n, 1), walk(n, 2)
    d = (actual - forecast) ** 2 - (actual - baseline) ** 2
    c = d - d.mean()
    variance = (c @ c) / n
    for k in range(1, lags + 1):
        variance += 2 * (1 - k / (lags + 1)) * (c[k:] @ c[:-k]) / n
    factor = (n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n
    expected = d.mean() / np.sqrt(variance / n) * np.sqrt(factor)
    found = forecasting.diebold_mariano(actual, forecast, baseline, horizon=horizon)
    assert found == pytest.approx((expected, 2 * stats.t(n - 1).cdf(-abs(expected))))


@pytest.mark.parametrize("better, worse", [(0.1, 0.2), (0.1, -0.1), (0.3, 0.3), (0, 0.1)])
def test_diebold_mariano_refuses_a_constant_difference(better, worse):
    """Rounding alone made a statistic of -2.7e16 of it."""
    actual = 100 + walk(60)
    with pytest.raises(ValueError, match=r"differ by more on some days .* every day"):
        forecasting.diebold_mariano(actual, actual + better, actual + worse)


def test_diebold_mariano_refuses_to_compare_rounding():
    actual = 100 + walk(60)
    yesterday = np.r_[100, actual[:-1]]
    with pytest.raises(ValueError, match="every day"):
        forecasting.diebold_mariano(actual, yesterday.astype(np.float32), yesterday)
    nearly = forecasting.diebold_mariano(actual, yesterday + 1e-3 * walk(60, 1), yesterday)
    assert nearly.p_value > 0.01


# --- direction and lag -------------------------------------------------------------------------


def test_direction_accuracy_counts_signs_on_the_days_that_moved():
    actual = [1, -1, 2, -3, 0, 1]
    forecast = [5, -0.1, -1, -1, 1, 0]  # the last names no direction: wrong
    found = forecasting.direction_accuracy(actual, forecast)
    assert found == metrics.accuracy([1, 1, 0, 1, 0], [1, 1, 1, 1, 1])


@pytest.mark.parametrize("actual, forecast", [([0, 1, -1], [1, 0, 0]), ([1, 0], [1, 2])])
def test_direction_accuracy_refuses_prices_and_no_change(actual, forecast):
    with pytest.raises(ValueError, match="rises and falls, and forecasts of a change, got none"):
        forecasting.direction_accuracy(actual, forecast)


@pytest.mark.parametrize("late", [-2, 0, 1, 4])
def test_lag_correlations_find_the_delay(late):
    price = 100 + 0.01 * np.random.default_rng(0).standard_normal(400)
    found = forecasting.lag_correlations(price, np.roll(price, late), range(-2, 7))
    assert np.argmax(found) - 2 == late
    assert found.max() == pytest.approx(1)


@pytest.mark.parametrize("lags, days", [((3, -2), (3, 28)), ((-3, -2), (0, 27)), ((4,), (4, 30))])
def test_lag_correlations_are_taken_over_the_same_days(lags, days):
    actual, forecast = walk(30), walk(30, 1)
    expected = [
        np.corrcoef(forecast[slice(*days)], actual[days[0] - lag : days[1] - lag])[0, 1]
        for lag in lags
    ]
    assert forecasting.lag_correlations(actual, forecast, lags) == pytest.approx(expected)


@pytest.mark.parametrize("noise", [0, 1e-15, 1e-8])
def test_what_cannot_peak_is_not_called_foresight(noise):
    flat = 100 + noise * walk(60)
    with pytest.raises(ValueError, match="vary in forecast, got 100 every day"):
        forecasting.lag_correlations(walk(60), flat, range(4))
    with pytest.raises(ValueError, match="vary in actual, got 100 every day"):
        forecasting.lag_correlations(flat, walk(60), range(4))
    with pytest.raises(ValueError, match="vary in actual"):  # constant at lag 5 alone
        forecasting.lag_correlations(np.r_[flat[:15], 1], np.r_[walk(15), 1], [5])
    line = np.arange(60) * (1 + noise)
    with pytest.raises(ValueError, match="a peak at some lag, got 1 at every one"):
        forecasting.lag_correlations(line, line, range(4))


@pytest.mark.parametrize(
    "lags, error, what",
    [
        ([], ValueError, "at least one lag"),
        ([0, 1.5], TypeError, r"whole number for a lag, got 1\.5"),
        (["a"], TypeError, "whole number for a lag"),
        ([0, 30], ValueError, "at least 40 steps in actual, got 39"),
        ([-15, 15], ValueError, "at least 40 steps"),
    ],
)
def test_lag_correlations_refuse_lags(lags, error, what):
    with pytest.raises(error, match=what):
        forecasting.lag_correlations(walk(39), walk(39, 1), lags)


# --- bad input, the same for all ---------------------------------------------------------------

COMPARE = [
    lambda a, f: forecasting.error_ratio(a, f, np.roll(a, 1), block=5),
    lambda a, f: forecasting.diebold_mariano(a, f, np.roll(a, 1)),
    forecasting.direction_accuracy,
    lambda a, f: forecasting.lag_correlations(a, f, [0, 1]),
]


@pytest.mark.parametrize("compare", COMPARE)
@pytest.mark.parametrize(
    "change, what",
    [
        (lambda f: f.set_axis(f.index - pd.Timedelta("1D")), "same index in actual and forecast"),
        (lambda f: f.sample(frac=1, random_state=0), "same index in actual and forecast"),
        (lambda f: f.reset_index(drop=True), "same index in actual and forecast"),
        (lambda f: f.where(f.index != f.index[7]), r"finite .* in forecast, got 1 .* 2020-01-08"),
        (lambda f: f.astype(str), "expected numbers in forecast, got"),
        (lambda f: f.to_numpy() > 0, "expected numbers in forecast, got bool"),
        (lambda f: f.to_numpy()[1:], r"one shape \(n,\), got .*59"),
        (lambda f: f.to_numpy()[:, None], r"one shape .*\(60, 1\)"),  # would broadcast to (n, n)
        (lambda f: f.to_numpy()[:0], "at least .* steps in forecast, got 0"),
    ],
)
def test_what_does_not_go_together_is_refused(compare, change, what):
    actual = pd.Series(walk(60), pd.date_range("2020-01-01", periods=60))
    forecast = pd.Series(walk(60, 1), actual.index)
    compare(actual, forecast)
    with pytest.raises((ValueError, TypeError), match=what):
        compare(actual, change(forecast))
    with pytest.raises(ValueError, match="dates of actual in order of time"):
        compare(actual[::-1], forecast[::-1])


@pytest.mark.parametrize(
    "compare, option, error, what",
    [
        (forecasting.error_ratio, {"block": 0}, ValueError, "block of at least 1"),
        (forecasting.error_ratio, {"block": 22.0}, TypeError, "whole number for block"),
        (forecasting.error_ratio, {"block": 11}, ValueError, "at least 22 steps in actual, got 20"),
        (forecasting.diebold_mariano, {"horizon": 0}, ValueError, "horizon from 1 to 10, got 0"),
        (forecasting.diebold_mariano, {"horizon": 11}, ValueError, "horizon from 1 to 10"),
    ],
)
def test_options_out_of_range_are_refused(compare, option, error, what):
    with pytest.raises(error, match=what):
        compare(walk(20), walk(20, 1), walk(20, 2), **option)


def test_diebold_mariano_wants_ten_values():
    forecasting.diebold_mariano(walk(10), walk(10, 1), walk(10, 2))
    with pytest.raises(ValueError, match="at least 10 steps"):
        forecasting.diebold_mariano(walk(9), walk(9, 1), walk(9, 2))
