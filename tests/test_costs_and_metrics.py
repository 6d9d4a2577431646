"""helpers.costs and helpers.metrics."""

import time

import numpy as np
import pytest

from helpers import costs, metrics


def test_time_ratio_sees_a_threefold_difference():
    ratio = costs.time_ratio(lambda: time.sleep(0.03), lambda: time.sleep(0.01), pairs=5)
    assert 1.5 < ratio.median < 4.5
    assert ratio.low <= ratio.median <= ratio.high


def test_time_ratio_runs_both_equally_often_in_turns():
    order = []
    costs.time_ratio(lambda: order.append("a"), lambda: order.append("b"), pairs=4, calls=2)
    assert "".join(order) == "ab" + "aabb" + "bbaa" + "aabb" + "bbaa"


@pytest.mark.parametrize("options", [{"pairs": 3}, {"calls": 0}])
def test_time_ratio_refuses(options):
    with pytest.raises(ValueError, match="expected pairs"):
        costs.time_ratio(int, int, **options)


def test_peak_memory_grows_and_budget_binds():
    before = costs.peak_memory_gb()
    block = np.ones(int((before + 0.2) * 1e9 / 8) + 10_000_000)
    assert costs.peak_memory_gb() > before
    del block
    assert costs.within_memory(1000) == "peak memory: within 1000 GB"
    with pytest.raises(MemoryError, match="expected a peak of at most"):
        costs.within_memory(0.001)


def test_accuracy_is_wilsons():
    # 8 of 10: Wilson's 95% interval is 0.4902 to 0.9433 (the formula, by hand)
    found = metrics.accuracy([1] * 8 + [0] * 2, [1] * 10)
    assert found.estimate == 0.8
    assert found.low == pytest.approx(0.4902, abs=1e-4)
    assert found.high == pytest.approx(0.9433, abs=1e-4)
    assert str(found) == "80.0% (95% interval 49.0% to 94.3%)"


@pytest.mark.parametrize("predicted, labels", [([], []), ([1], [1, 0]), ([[1]], [[1]])])
def test_accuracy_refuses(predicted, labels):
    with pytest.raises(ValueError, match="same shape"):
        metrics.accuracy(predicted, labels)
