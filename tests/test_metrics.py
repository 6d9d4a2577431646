"""helpers.metrics: intervals, what counts as a class, and figures that belong to the same rows."""

import numpy as np
import pandas as pd
import pytest
import torch

from helpers import metrics
from helpers.metrics import Interval

DAYS = pd.date_range("2020-01-01", periods=3)


def test_interval_prints_percent_or_the_format_asked_for():
    interval = Interval(2.5, 2.0, 3.0)
    assert f"{interval:.2f}" == "2.50 (95% interval 2.00 to 3.00)"
    assert f"{interval}" == str(interval) == "250.0% (95% interval 200.0% to 300.0%)"


def test_accuracy_is_wilsons():
    # 8 of 10: Wilson's 95% interval is 0.4902 to 0.9433 (the formula, by hand)
    found = metrics.accuracy([1] * 8 + [0] * 2, [1] * 10)
    assert found == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)


@pytest.mark.parametrize(
    "predicted, labels",
    [
        ([1, 0, 1], [1.0, 0.0, 0.0]),
        (np.array([True, False, True]), [1, 0, 0]),
        ([1, 0, 1], np.array([True, False, False])),
        (["pos", "neg", "pos"], pd.Series(["pos", "neg", "neg"])),
        (pd.Series([5, 6, 7], dtype="Int64"), [5, 6, 8]),
        (torch.tensor([2, 3, 4]), np.ma.array([2, 3, 5])),
        (pd.Categorical(["a", "b", "b"]), np.array(["a", "b", "a"], dtype=object)),
    ],
)
def test_classes_of_one_kind_are_compared(predicted, labels):
    assert metrics.accuracy(predicted, labels).estimate == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "predicted, labels, what",
    [
        ([0.9, 0.2, 0.8], [1, 0, 1], r"classes in predicted, got 0.9; prob.* threshold or argmax"),
        ([1, 0, 1], torch.tensor([1.0, 0.1, 1.0]), "classes in labels, got 0.1"),
        ([np.inf, 0, 1], [1, 0, 1], "got inf"),
        ([1, np.nan, 1], [1, 0, 1], "every row of predicted, got none in row 1"),
        ([1, 0], pd.Series([1, None], dtype="Int64"), "every row of labels, got none in row 1"),
        (["a", np.nan], ["a", "b"], "every row of predicted, got none in row 1"),
        ([1, 0], np.ma.array([1, 0], mask=[False, True]), "masked"),
        (["1", "0"], [1, 0], "one kind, got string and integer"),
        ([True, False], ["True", "False"], "one kind, got boolean and string"),
        ([True, False], [1, -1], "booleans beside"),
        ([2, 1], [True, False], "booleans beside"),
        ([[0, 1], [1, 0]], [1, 0], r"shape \(n,\) in predicted, .*\(2, 2\); one-hot .* argmax"),
        ([], [], "at least one"),
        ([1], [1, 0], "one length, got 1 and 2"),
        (DAYS, DAYS, "whole numbers, booleans or text in predicted, got datetime"),
        ([1j, 0], [1, 0], "got complex"),
    ],
)
def test_what_is_no_class_is_refused(predicted, labels, what):
    with pytest.raises(ValueError, match=what):
        metrics.accuracy(predicted, labels)


@pytest.mark.parametrize("values", [[[1], [1, 2]], torch.ones(2, requires_grad=True)])
def test_what_is_no_array_is_refused(values):
    with pytest.raises(TypeError, match=r"expected an array for predicted"):
        metrics.accuracy(values, [1, 0])


# --- One index ---------------------------------------------------------------------------------


def figures(index):
    return pd.Series(np.arange(len(index)), index=index)


@pytest.mark.parametrize(
    "other",
    [
        figures(DAYS),
        figures(DAYS).to_frame(),
        np.arange(3),
        range(7),  # positions carry no date; shapes are checked elsewhere
        None,
        figures(DAYS.as_unit("s")),
    ],
)
def test_the_same_index_passes(other):
    metrics.check_same_index(one=figures(DAYS), other=other)


def test_the_same_moments_in_two_time_zones_pass():
    away = DAYS.tz_localize("UTC").tz_convert("Asia/Tokyo")
    metrics.check_same_index(one=figures(DAYS.tz_localize("UTC")), other=figures(away))


@pytest.mark.parametrize(
    "index, what",
    [
        (DAYS - pd.Timedelta("1D"), r"'2020-01-01.*'2019-12-31.* at position 0"),
        (DAYS[[0, 2, 1]], r"'2020-01-02.*'2020-01-03.* at position 1"),
        (DAYS[:2], "'2020-01-03.*'no label' at position 2"),
        (range(3), "and 0 at position 0"),
        (DAYS.tz_localize("UTC"), r"tz='UTC'\) at position 0"),
        (DAYS.strftime("%Y-%m-%d"), "and '2020-01-01' at position 0"),
        (DAYS.to_period("D"), "Period"),
    ],
)
def test_another_index_is_refused_with_the_first_difference(index, what):
    with pytest.raises(ValueError, match=f"same index in actual and forecast, got .*{what}"):
        metrics.check_same_index(actual=figures(DAYS), other=[1], forecast=figures(index))


def test_accuracy_compares_by_index():
    with pytest.raises(ValueError, match="same index in predicted and labels"):
        metrics.accuracy(figures(DAYS), figures(DAYS[::-1]))
