"""helpers.forecasting on forecasts: known answers, calibration, and clear refusals."""

import numpy as np
import pytest
import statsmodels.tsa.stattools as stattools

from helpers import forecasting, metrics
from helpers.metrics import Interval


def walk(n, seed=0):
    return np.cumsum(np.random.default_rng(seed).standard_normal(n))


# --- error ratio -------------------------------------------------------------------------------


def test_interval_prints_percent_or_the_format_asked_for():
    interval = Interval(2.5, 2.0, 3.0)
    assert f"{interval:.2f}" == "2.50 (95% interval 2.00 to 3.00)"
    assert f"{interval}" == str(interval) == "250.0% (95% interval 200.0% to 300.0%)"


def test_error_ratio_is_the_ratio_of_root_mean_squares():
    actual = np.zeros(50)
    found = forecasting.error_ratio(actual, np.full(50, 3.0), np.full(50, -2.0))
    assert found == pytest.approx((1.5, 1.5, 1.5))


def test_error_ratio_does_not_change_with_the_unit_and_inverts():
    actual, forecast, baseline = walk(300), walk(300, 1), walk(300, 2)
    found = forecasting.error_ratio(actual, forecast, baseline)
    cents = forecasting.error_ratio(100 * actual, 100 * forecast, 100 * baseline)
    assert cents == pytest.approx(found)
    turned = forecasting.error_ratio(actual, baseline, forecast)
    assert turned == pytest.approx((1 / found.estimate, 1 / found.high, 1 / found.low), rel=1e-6)
    assert found.low < found.estimate < found.high


def test_error_ratio_interval_covers_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(5)
    covered = 0
    for seed in range(200):
        ours, theirs = 1.2 * generator.standard_normal(300), generator.standard_normal(300)
        found = forecasting.error_ratio(
            np.zeros(300), ours, theirs, block=5, samples=300, seed=seed
        )
        covered += found.low <= 1.2 <= found.high
    assert 0.88 <= covered / 200 <= 0.99


def test_blocks_widen_the_interval_where_neighbours_are_alike():
    errors = np.repeat(np.random.default_rng(0).standard_normal(30), 20)  # each 20 days long
    args = np.zeros(600), errors, np.random.default_rng(1).standard_normal(600)
    width = {}
    for block in (1, 20):
        found = forecasting.error_ratio(*args, block=block)
        width[block] = found.high - found.low
    assert width[20] > 2 * width[1]


def test_block_indices_hold_whole_blocks_of_neighbours():
    drawn = forecasting.block_indices(23, 5, 40)
    assert drawn.shape == (40, 23)
    assert drawn.min() >= 0 and drawn.max() < 23
    for start in range(0, 20, 5):
        steps = np.diff(drawn[:, start : start + 5], axis=1) % 23
        assert (steps == 1).all()
    assert len(np.unique(drawn[:, 0])) > 10  # and the blocks begin anywhere


@pytest.mark.parametrize("block, samples, what", [(0, 5, "block"), (11, 5, "block"), (2, 0, "1 s")])
def test_block_indices_refuse(block, samples, what):
    with pytest.raises(ValueError, match=what):
        forecasting.block_indices(10, block, samples)


# --- Diebold-Mariano ---------------------------------------------------------------------------


def test_diebold_mariano_by_hand_without_lags():
    # losses differ by 1, 2, 3, ... : mean over its standard error (no lags, n in the variance)
    baseline = np.zeros(12)
    forecast = np.sqrt(np.arange(1.0, 13))
    found = forecasting.diebold_mariano(np.zeros(12), forecast, baseline, lags=0)
    d = np.arange(1.0, 13)
    expected = d.mean() / np.sqrt(d.var() / 12) * np.sqrt((12 + 1 - 2) / 12)
    assert found.statistic == pytest.approx(expected)
    assert found.p_value < 0.001


@pytest.mark.skipif(
    not hasattr(stattools, "diebold_mariano_test"), reason="statsmodels has it from 0.15 on"
)
@pytest.mark.parametrize("horizon, lags, power", [(1, None, 2), (5, None, 2), (3, 2, 1)])
def test_diebold_mariano_equals_statsmodels(horizon, lags, power):
    actual, one, other = walk(200), walk(200, 1), walk(200, 2)
    options = {"horizon": horizon, "lags": lags}
    found = forecasting.diebold_mariano(actual, one, other, power=power, **options)
    statistic, p_value = stattools.diebold_mariano_test(
        actual, one, other, criterion="poly", power=power, harvey_adj=True, **options
    )
    assert found.statistic == pytest.approx(statistic)
    assert found.p_value == pytest.approx(p_value)


def test_diebold_mariano_sign_says_who_loses_more():
    generator = np.random.default_rng(0)
    actual = generator.standard_normal(200)
    good, bad = actual + 0.1, actual + generator.standard_normal(200)
    assert forecasting.diebold_mariano(actual, bad, good).statistic > 5
    assert forecasting.diebold_mariano(actual, good, bad).statistic < -5


def test_diebold_mariano_is_calm_where_nothing_differs():
    """Under the null the test may call out about 5% of the time."""
    generator = np.random.default_rng(3)
    called = sum(
        forecasting.diebold_mariano(np.zeros(250), *generator.standard_normal((2, 250))).p_value
        < 0.05
        for _ in range(300)
    )
    assert 0.01 <= called / 300 <= 0.12


@pytest.mark.parametrize(
    "options, what",
    [
        ({"horizon": 0}, "horizon from 1"),
        ({"horizon": 11}, "horizon from 1 to 10"),
        ({"lags": -1}, "lags from 0"),
        ({"lags": 20}, "lags from 0 to 19"),
    ],
)
def test_diebold_mariano_refuses_options(options, what):
    with pytest.raises(ValueError, match=what):
        forecasting.diebold_mariano(walk(20), walk(20, 1), walk(20, 2), **options)


def test_no_comparison_with_itself_or_with_perfection():
    actual, forecast = walk(60), walk(60, 1)
    with pytest.raises(ValueError, match="the same loss every day"):
        forecasting.diebold_mariano(actual, forecast, forecast)
    with pytest.raises(ValueError, match="always right"):
        forecasting.error_ratio(actual, forecast, actual)


# --- direction and lag -------------------------------------------------------------------------


def test_direction_accuracy_counts_signs_and_leaves_zeros_out():
    actual = [1, -1, 2, -3, 0, 1]
    forecast = [5, -0.1, -1, -1, 1, 0]
    found = forecasting.direction_accuracy(actual, forecast)
    assert found == metrics.accuracy([1, 0, 0, 0], [1, 0, 1, 0])
    assert found.estimate == 0.75


def test_direction_accuracy_refuses_when_nothing_moves():
    with pytest.raises(ValueError, match="not zero"):
        forecasting.direction_accuracy([0.0, 1.0], [1.0, 0.0])


@pytest.mark.parametrize("late", [0, 1, 4])
def test_lag_correlations_find_the_delay(late):
    price = np.random.default_rng(0).standard_normal(400)
    forecast = np.roll(price, late)
    found = forecasting.lag_correlations(price, forecast, range(-2, 7))
    assert np.argmax(found) - 2 == late
    assert found.max() == pytest.approx(1)


def test_persistence_has_a_lag_of_one():
    price = walk(500) + 100
    found = forecasting.lag_correlations(price[1:], price[:-1], range(4))
    assert np.argmax(found) == 1


# --- bad input, the same for all ---------------------------------------------------------------

COMPARE = [forecasting.error_ratio, forecasting.diebold_mariano]


@pytest.mark.parametrize("compare", COMPARE)
def test_bad_numbers_are_refused(compare):
    good, holed = walk(60), walk(60, 1)
    holed[7] = np.nan
    with pytest.raises(ValueError, match=r"finite numbers in forecast, got 1 .* position 7"):
        compare(good, holed, walk(60, 2))
    with pytest.raises(ValueError, match="expected numbers in baseline"):
        compare(good, walk(60, 1), ["a"] * 60)


@pytest.mark.parametrize("compare", COMPARE)
def test_other_shapes_are_refused(compare):
    with pytest.raises(ValueError, match="one shape"):
        compare(walk(60), walk(59), walk(60))
    with pytest.raises(ValueError, match="one shape"):  # (n, 1) would broadcast to (n, n)
        compare(*(walk(60, seed)[:, None] for seed in range(3)))
    with pytest.raises(ValueError, match="expected at least"):
        compare(walk(5), walk(5, 1), walk(5, 2))


def test_short_or_empty_is_refused():
    with pytest.raises(ValueError, match="expected at least 44 values"):
        forecasting.error_ratio(walk(43), walk(43, 1), walk(43, 2))
    with pytest.raises(ValueError, match="expected at least 1 values"):
        forecasting.direction_accuracy([], [])
    with pytest.raises(ValueError, match="at least one lag"):
        forecasting.lag_correlations(walk(50), walk(50), [])
    with pytest.raises(ValueError, match="expected at least 40 values"):
        forecasting.lag_correlations(walk(39), walk(39), [0, 30])
