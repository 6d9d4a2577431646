"""helpers.forecasting: the leak test must catch leaks, pass clean code, and refuse nonsense."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import MinMaxScaler

from helpers import data, forecasting
from helpers.forecasting import LeakageError


@pytest.fixture(scope="module")
def prices():
    return data.load_prices()["AAPL"].iloc[:400]


NOW = pd.Timestamp("2011-03-01")
TRAIN_END = 200  # positions; well before NOW


# --- windows -----------------------------------------------------------------------------------


def test_windows_end_now_and_targets_come_after():
    inputs, targets, now = forecasting.windows(np.arange(10.0), 4, horizon=2)
    assert inputs.shape == (5, 4, 1) and targets.shape == (5, 2) and now.shape == (5,)
    np.testing.assert_array_equal(inputs[0, :, 0], [0, 1, 2, 3])
    np.testing.assert_array_equal(targets[0], [4, 5])
    np.testing.assert_array_equal(inputs[:, -1, 0], now)
    np.testing.assert_array_equal(targets[:, 0], now + 1)
    np.testing.assert_array_equal(targets[-1], [8, 9])  # nothing is lost at the end


def test_windows_take_several_features_and_other_targets():
    series = np.stack([np.arange(6.0), -np.arange(6.0)], 1)
    inputs, targets, now = forecasting.windows(series, 2, targets=10 * np.arange(6.0))
    assert inputs.shape == (4, 2, 2)
    np.testing.assert_array_equal(inputs[0], [[0, 0], [1, -1]])
    np.testing.assert_array_equal(targets[:, 0], 10 * (now + 1))


def test_the_longest_window_that_fits():
    inputs, targets, _ = forecasting.windows(np.arange(5.0), 4)
    assert len(inputs) == len(targets) == 1
    with pytest.raises(ValueError, match="expected at least 6 steps for a window of 5"):
        forecasting.windows(np.arange(5.0), 5)


@pytest.mark.parametrize("length, horizon", [(0, 1), (3, 0), (-2, 1)])
def test_windows_refuse_sizes(length, horizon):
    with pytest.raises(ValueError, match="at least 1"):
        forecasting.windows(np.arange(10.0), length, horizon=horizon)


def test_windows_refuse_targets_of_another_length():
    with pytest.raises(ValueError, match=r"expected targets of shape \(10,\), got \(9,\)"):
        forecasting.windows(np.arange(10.0), 3, targets=np.arange(9.0))


# --- bad series --------------------------------------------------------------------------------


def test_a_good_series_comes_back_unchanged(prices):
    assert forecasting.check_series(prices, minimum=100, longest_gap="7D") is prices
    assert len(forecasting.check_series([1, 2, 3])) == 3


def test_the_whole_snapshot_is_sound():
    forecasting.check_series(data.load_prices(), minimum=2769, longest_gap="5D")


def test_too_short():
    with pytest.raises(ValueError, match="expected at least 30 steps, got 3"):
        forecasting.check_series([1.0, 2.0, 3.0], minimum=30)


@pytest.mark.parametrize("hole", [np.nan, np.inf])
def test_holes_are_named_by_their_date(prices, hole):
    holed = prices.copy()
    holed.iloc[5] = hole
    with pytest.raises(ValueError, match=f"got 1 step.* first at {prices.index[5].date()}"):
        forecasting.check_series(holed)
    with pytest.raises(ValueError, match="finite"):
        forecasting.windows(holed, 3)


@pytest.mark.parametrize("values", [["1.5", "2.5", "x"], [True, False, True], [None, "a", 1]])
def test_not_numbers(values):
    with pytest.raises(TypeError, match="expected numbers"):
        forecasting.check_series(pd.Series(values))


def test_dates_out_of_order_and_twice(prices):
    with pytest.raises(ValueError, match=r"in order of time, got 2010-01-04 after a later one"):
        forecasting.check_series(prices.iloc[[1, 0, 2, 3]])
    with pytest.raises(ValueError, match="every date once, got 2010-01-05 again"):
        forecasting.check_series(prices.iloc[[0, 1, 1, 2]])


def test_gaps_are_named(prices):
    gap = prices.drop(prices.index[50:60])
    pattern = f"first from {prices.index[49].date()} to {prices.index[60].date()}"
    with pytest.raises(ValueError, match=pattern):
        forecasting.check_series(gap, longest_gap="7D")
    assert len(forecasting.check_series(gap)) == 390  # only where asked for
    with pytest.raises(TypeError, match="expected dates"):
        forecasting.check_series(prices.to_numpy(), longest_gap="7D")


def test_too_many_dimensions():
    with pytest.raises(ValueError, match=r"got \(2, 2, 2\)"):
        forecasting.check_series(np.zeros((2, 2, 2)))


# --- leaks -------------------------------------------------------------------------------------


def scaled_on_everything(series):
    return MinMaxScaler((-1, 1)).fit_transform(series.to_frame())


def scaled_on_training(series):
    scaler = MinMaxScaler((-1, 1)).fit(series.to_frame().iloc[:TRAIN_END])
    return scaler.transform(series.to_frame())


def centred_mean(series):
    return series.rolling(5, center=True).mean()


def past_mean(series):
    return series.rolling(5).mean()


def filled_backwards(series):
    return series.diff().shift(-1).fillna(0)


def forecast_of(series, end):
    """A linear forecast of the next step, fitted on the steps before `end`; NaN until then."""
    inputs, targets, now = forecasting.windows(series, 3)
    inputs = inputs[..., 0]
    known = now + 1 < end
    model = LinearRegression().fit(inputs[known], targets[known, 0])
    return pd.Series(model.predict(inputs), index=series.index[now]).iloc[end - 3 :]


def fitted_on_training(series):
    return forecast_of(series, TRAIN_END)


def fitted_on_everything(series):
    return forecast_of(series, len(series)).combine_first(
        pd.Series(
            LinearRegression().fit(series.to_frame()[:-1], series[1:]).predict(series.to_frame()),
            index=series.index,
        )
    )


@pytest.mark.parametrize(
    "leaky", [scaled_on_everything, centred_mean, filled_backwards, fitted_on_everything]
)
def test_a_leak_is_caught(prices, leaky):
    with pytest.raises(LeakageError, match="it has seen the future"):
        forecasting.assert_no_leakage(leaky, prices, NOW)


@pytest.mark.parametrize("clean", [scaled_on_training, past_mean, fitted_on_training])
def test_clean_code_passes(prices, clean):
    forecasting.assert_no_leakage(clean, prices, NOW)


def test_a_leak_names_the_first_row_that_moved(prices):
    with pytest.raises(LeakageError, match="the row of 2011-02-28 changed"):
        forecasting.assert_no_leakage(centred_mean, prices, NOW)  # a window of five reaches two on


def test_a_leak_of_one_day_only_at_the_border(prices):
    """The leak reaches one row: the one of `now` itself."""
    with pytest.raises(LeakageError, match="the row of 2011-03-01 changed"):
        forecasting.assert_no_leakage(filled_backwards, prices, NOW)


def test_leak_through_order_alone_is_caught(prices):
    """Mean, spread and range of the future do not move when it is reversed; this does."""

    def last_value(series):
        return pd.Series(series.iloc[-1], index=series.index) > 0.99 * prices.iloc[-1]

    with pytest.raises(LeakageError):
        forecasting.assert_no_leakage(last_value, prices, NOW)


def test_positions_serve_where_there_are_no_dates():
    series = np.random.default_rng(0).standard_normal(50)
    forecasting.assert_no_leakage(np.cumsum, series, 20)
    with pytest.raises(LeakageError, match="row of 0 changed"):
        forecasting.assert_no_leakage(lambda s: s - s.mean(), series, 20)


def test_whole_frames_are_tested():
    frame = data.load_prices(["AAPL", "MSFT"]).iloc[:300]
    with np.errstate(invalid="raise"):  # prices stay positive in every future
        forecasting.assert_no_leakage(lambda f: np.log(f).diff(), frame, NOW)
    with pytest.raises(LeakageError):
        forecasting.assert_no_leakage(lambda f: f / f.max(), frame, NOW)


def test_rows_that_vanish_are_a_leak(prices):
    """Which days are kept must not depend on the future either."""
    with pytest.raises(LeakageError):
        forecasting.assert_no_leakage(lambda s: s[s > s.quantile(0.3)], prices, NOW)


def test_the_series_is_left_alone(prices):
    before = prices.copy()

    def spoils_its_input(series):
        series.iloc[:] = 0
        return np.arange(len(series)) + series

    with pytest.raises(ValueError):
        forecasting.assert_no_leakage(spoils_its_input, prices, NOW)
    pd.testing.assert_series_equal(prices, before)


@pytest.mark.parametrize(
    "make, what",
    [
        (lambda s: np.zeros(len(s)), "does make use the series"),
        (lambda s: np.random.standard_normal(len(s)) + s, "fix make's seeds"),
        (lambda s: s.to_numpy()[:-1], "expected 400 rows"),
        (lambda s: 1.0, "expected 400 rows"),
        (lambda s: s.iloc[300:], "choose a later now"),
        (lambda s: pd.Series(s.to_numpy(), index=range(len(s))), "an index taken from"),
    ],
)
def test_what_proves_nothing_is_refused(prices, make, what):
    with pytest.raises(ValueError, match=what):
        forecasting.assert_no_leakage(make, prices, NOW)


@pytest.mark.parametrize("now", ["2030-01-01", "1999-01-01"])
def test_now_must_lie_inside(prices, now):
    with pytest.raises(ValueError, match="expected now between"):
        forecasting.assert_no_leakage(past_mean, prices, pd.Timestamp(now))
