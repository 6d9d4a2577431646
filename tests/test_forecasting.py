"""helpers.forecasting: the leak test must catch leaks, pass clean code, and refuse nonsense."""

import datetime

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.preprocessing import MinMaxScaler

from helpers import data, forecasting
from helpers.forecasting import LeakageError


@pytest.fixture(scope="module")
def prices():
    return data.load_prices()["AAPL"].iloc[:400]


NOW = pd.Timestamp("2011-03-01")
DAYS = pd.date_range("2020-01-01", periods=4)


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
    np.testing.assert_array_equal(forecasting.windows(series, 2)[1][:, 0], now + 1)


def test_the_longest_window_that_fits():
    inputs, targets, _ = forecasting.windows(np.arange(5.0), 4)
    assert len(inputs) == len(targets) == 1
    with pytest.raises(ValueError, match="expected at least 6 steps in the series, got 5"):
        forecasting.windows(np.arange(5.0), 5)


@pytest.mark.parametrize(
    "options, error, what",
    [
        ({"length": 0}, ValueError, "expected length of at least 1, got 0"),
        ({"length": 30.0}, TypeError, "expected a whole number for length, got 30.0"),
        ({"length": True}, TypeError, "got True"),
        ({"horizon": 0}, ValueError, "expected horizon of at least 1, got 0"),
        ({"horizon": "2"}, TypeError, "whole number for horizon, got '2'"),
        ({"targets": np.arange(9.0)}, ValueError, r"targets of shape \(10,\), got \(9,\)"),
        ({"targets": np.full(10, np.nan)}, ValueError, "finite numbers in targets"),
    ],
)
def test_windows_refuse(options, error, what):
    with pytest.raises(error, match=what):
        forecasting.windows(np.arange(10.0), **{"length": 3} | options)


def test_windows_refuse_targets_of_other_days(prices):
    later = prices.set_axis(prices.index + pd.Timedelta("365D"))
    with pytest.raises(ValueError, match="same index in series and targets"):
        forecasting.windows(prices, 30, targets=later)
    forecasting.windows(prices.to_numpy(), 30, targets=later)  # by position, if one has no dates


# --- bad series --------------------------------------------------------------------------------


def test_a_good_series_comes_back_unchanged(prices):
    assert forecasting.check_series(prices, minimum=400, longest_gap="7D") is prices
    assert len(forecasting.check_series([1, 2, 3])) == 3
    whole = pd.Series([1, 2], dtype="Int64", index=pd.period_range("2020-01", periods=2, freq="M"))
    assert forecasting.check_series(whole) is whole


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_holes_are_named_by_their_date(prices, hole):
    holed = prices.copy()
    holed.iloc[5] = hole
    with pytest.raises(ValueError, match=f"got 1 step.* first at {prices.index[5].date()}"):
        forecasting.check_series(holed)


@pytest.mark.parametrize(
    "values",
    [
        pd.Series(["1.5", "2.5", "x"]),
        pd.Series([1.5, 2.5], dtype=object),
        [True, False, True],
        [1 + 1j, 2],
        pd.to_datetime(["2020-01-01", "2020-01-02"]),
        [[1], [1, 2]],
        torch.ones(3, requires_grad=True),
        pd.DataFrame({"close": [1.0, 2.0], "ticker": ["A", "B"]}),
    ],
)
def test_not_numbers(values):
    with pytest.raises(TypeError, match=r"expected numbers in|expected an array for"):
        forecasting.check_series(values)


@pytest.mark.parametrize(
    "series, error, what",
    [
        ([1.0], ValueError, "expected at least 2 steps in the series, got 1"),
        (pd.DataFrame(), ValueError, r"columns of different names .* got \[\]"),
        (pd.DataFrame(np.ones((3, 2)), columns=["A", "A"]), ValueError, r"got \['A', 'A'\]"),
        (np.zeros((2, 2, 2)), ValueError, r"\(n, columns\), got \(2, 2, 2\)"),
        (None, ValueError, r"got \(\)"),
        (np.ma.array([1.0, 2, 3], mask=[0, 1, 0]), ValueError, "masked"),
        (pd.Series([1, None, 3], dtype="Int64"), ValueError, "finite.* got 1 step.* first at 1"),
        (pd.Series(1.0, [*DAYS[:2], pd.NaT]), ValueError, "a date .* got none at position 2"),
        (pd.Series(1.0, DAYS[[0, 1, 1]]), ValueError, "once .* got 2020-01-02 again"),
        (pd.Series(1.0, DAYS[[1, 0, 2]]), ValueError, "order .* got 2020-01-01 after a later"),
        (pd.Series(1.0, DAYS[:2].tz_localize("UTC")[::-1]), ValueError, r"got 2020-01-01.*\+00"),
        # Put in order as text, the second of January comes after the first of February.
        (pd.Series(1.0, ["01.02.2020", "02.01.2020"]), TypeError, "got .*'01.*to_datetime"),
        (pd.Series(1.0, [DAYS[0], DAYS[1].tz_localize("UTC")]), TypeError, "dates or numbers as"),
        (pd.Series(1.0, pd.MultiIndex.from_product([["A"], DAYS])), TypeError, "got object .*'A'"),
    ],
)
def test_bad_series_are_refused(series, error, what):
    with pytest.raises(error, match=what):
        forecasting.check_series(series)


def test_gaps_are_named(prices):
    gap = prices.drop(prices.index[50:60])
    between = f"from {prices.index[49].date()} to {prices.index[60].date()}"
    with pytest.raises(ValueError, match=f"longer than 7 days, got 1, the first {between}"):
        forecasting.check_series(gap, longest_gap="7D")
    assert len(forecasting.check_series(gap)) == 390  # only where asked for
    with pytest.raises(TypeError, match="expected dates"):
        forecasting.check_series(prices.to_numpy(), longest_gap="7D")


def test_gaps_of_hours_are_named():
    hours = pd.Series(1.0, [pd.Timestamp(2020, 1, 1, hour) for hour in (9, 11, 14)])
    forecasting.check_series(hours.iloc[:2], longest_gap="2h")  # as long as allowed
    with pytest.raises(
        ValueError, match=r"0 days 02:00:00.* from 2020-01-01 11:00:00 to 2020-01-01 14"
    ):
        forecasting.check_series(hours, longest_gap="2h")


@pytest.mark.parametrize("gap", ["a week", "-2h", "0h", pd.NaT])
def test_gaps_need_a_length(gap):
    with pytest.raises(ValueError, match='longest_gap such as "7D"'):
        forecasting.check_series(pd.Series(1.0, DAYS), longest_gap=gap)


# --- leaks -------------------------------------------------------------------------------------


def scaled(series, end):
    scaler = MinMaxScaler((-1, 1)).fit(series.to_frame().iloc[:end])
    return scaler.transform(series.to_frame())


def centred_mean(series):
    return series.rolling(5, center=True).mean()


def filled_backwards(series):
    return series.diff().shift(-1).fillna(0)


@pytest.mark.parametrize(
    "leaky, first",
    [
        (lambda s: scaled(s, None), "2010-01-04"),
        (lambda s: s[s > s.quantile(0.3)], "20"),  # which days are kept
        (centred_mean, "2011-02-28"),  # a window of five reaches two steps on
        (filled_backwards, "2011-03-01"),  # the row of `now` alone
        (lambda s: centred_mean(s)[::-1], "2011-02-28"),  # newest row first
        (lambda s: pd.DataFrame({"large": 1e12, "leak": s - s.mean()}), "2010-01-04"),
        (lambda s: (s - s.mean()).where(s.index > s.index[3], np.inf), "2010-01-08"),
        (lambda s: s + 1e-7 * (s.iloc[-1] > 15), "2010-01-04"),
        (lambda s: pd.concat([s] * (1 + (s.iloc[-1] > 15)), axis=1), "2010-01-04"),
    ],
)
def test_a_leak_is_caught_at_its_first_row(prices, leaky, first):
    pattern = f"the row of {first}.* after 2011-03-01 was .*: it has seen the future"
    with pytest.raises(LeakageError, match=pattern):
        forecasting.assert_no_leakage(leaky, prices, NOW)


@pytest.mark.parametrize(
    "clean",
    [
        lambda s: scaled(s, 200),
        lambda s: s.rolling(5).mean(),
        lambda s: s + 1e-10 * (s.iloc[-1] > 15),  # rounding
        lambda s: s[s.index >= NOW],  # one row up to now is enough
        lambda s: (s > 18) & (s < 30),  # later rows move when they are doubled, and only then
    ],
)
def test_clean_code_passes(prices, clean):
    forecasting.assert_no_leakage(clean, prices, NOW)


def test_the_real_series_and_the_changed_ones_are_of_one_type(prices):
    """Sums in float32 and in float64 differ by rounding, which was taken for a leak."""
    forecasting.assert_no_leakage(lambda s: s.cumsum(), prices.astype("float32"), NOW)


def test_four_futures_are_tried_and_the_past_is_left_alone():
    given = []
    past, future = np.arange(1.0, 6), np.arange(6.0, 11)
    frame = pd.DataFrame({"price": [*past, *future], "change": [*-past, *future]})
    forecasting.assert_no_leakage(lambda f: given.append(f.copy()) or f, frame, 4, seed=3)
    assert len(given) == 2 + 4  # the real series twice
    for changed in given:
        np.testing.assert_array_equal(changed[:5], frame[:5])
    doubled, backwards, noise, constant = (changed[5:].to_numpy() for changed in given[2:])
    np.testing.assert_array_equal(doubled, 2 * frame[5:])
    np.testing.assert_array_equal(backwards, frame[:4:-1])
    drawn = np.random.default_rng(3).standard_normal((5, 2))
    size = np.abs(frame).mean() + frame.std(ddof=0)
    np.testing.assert_allclose(noise[:, 0], future * np.exp(drawn[:, 0]))  # a price stays positive
    np.testing.assert_allclose(noise[:, 1], future + size["change"] * drawn[:, 1])
    np.testing.assert_allclose(constant, np.tile(3 * size, (5, 1)))


def test_positions_serve_where_there_are_no_dates():
    series = np.random.default_rng(0).standard_normal(50)
    forecasting.assert_no_leakage(np.cumsum, series, 20)
    with pytest.raises(LeakageError, match="row of 0 changed"):
        forecasting.assert_no_leakage(lambda s: s - s.mean(), series, 20)


def test_the_series_is_left_alone(prices):
    before = prices.copy()
    with pytest.raises(ValueError, match="does make use the series"):
        forecasting.assert_no_leakage(lambda s: s.__imul__(0), prices, NOW)
    pd.testing.assert_series_equal(prices, before)


@pytest.mark.parametrize(
    "make, error, what",
    [
        (lambda s: np.zeros(len(s)), ValueError, "does make use the series"),
        (lambda s: s.to_frame()[[]], ValueError, "does make use the series"),
        (lambda s: np.random.standard_normal(len(s)) + s, ValueError, "fix make's seeds"),
        (lambda s: s.to_numpy()[:-1], ValueError, r"expected 400 rows.* \(399,\)"),
        (lambda s: 1.0, ValueError, "expected 400 rows"),
        (lambda s: s.iloc[300:], ValueError, "choose a later now"),
        (lambda s: s.reset_index(drop=True), ValueError, "an index taken from the series, got 0"),
        (lambda s: s.tz_localize("UTC"), ValueError, "an index taken from"),
        (lambda s: s.astype(str), TypeError, "real numbers in the output of make, got"),
        (lambda s: np.fft.fft(s), TypeError, "real numbers in the output of make, got complex"),
        (lambda s: torch.ones(400, requires_grad=True), TypeError, "array for the output of make"),
    ],
)
def test_what_proves_nothing_is_refused(prices, make, error, what):
    with pytest.raises(error, match=what):
        forecasting.assert_no_leakage(make, prices, NOW)


AWARE = pd.date_range("2020-01-01", periods=6, tz="US/Eastern")


@pytest.mark.parametrize(
    "index, now",
    [
        (AWARE, pd.Timestamp("2020-01-03", tz="US/Eastern")),
        (AWARE.tz_localize(None), "2020-01-03"),
        (AWARE.tz_localize(None).to_period("D"), pd.Period("2020-01-03")),
        (range(6), 2),
        (range(6), np.float64(4)),
    ],
)
def test_now_is_a_label_of_the_index(index, now):
    series = pd.Series(np.arange(1, 7), index, dtype="Int64")
    forecasting.assert_no_leakage(lambda s: s.cumsum(), series, now)
    with pytest.raises(LeakageError):
        forecasting.assert_no_leakage(lambda s: s.shift(-1), series, now)


@pytest.mark.parametrize(
    "index, now, error, what",
    [
        (AWARE, pd.Timestamp("2020-01-03"), TypeError, "label such as .*US/Eastern.*, got Timest"),
        (AWARE.tz_localize(None), datetime.date(2020, 1, 3), TypeError, "such as Timestamp"),
        (AWARE.tz_localize(None), "soon", TypeError, "label such as .*, got 'soon'"),
        (range(6), "2", TypeError, "label such as 0, got '2'"),
        (range(6), None, (TypeError, ValueError), "expected now .*, got None"),
        (range(6), 5, ValueError, "expected now between 0 and 4, got 5"),
        (range(6), -1, ValueError, "expected now between 0 and 4, got -1"),
    ],
)
def test_other_nows_are_refused(index, now, error, what):
    with pytest.raises(error, match=what):
        forecasting.assert_no_leakage(np.cumsum, pd.Series(np.arange(1.0, 7), index), now)
