"""helpers.costs: ratios are fair to both sides, and a process answers for its own memory."""

import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from helpers import costs


@pytest.fixture(autouse=True)
def strict(monkeypatch):
    monkeypatch.setenv("RNN_MEASURED_STRICT", "1")


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


class Clock:
    """A clock that moves only when somebody works."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(costs.time, "perf_counter", lambda: self.now)

    def work(self, *seconds):
        turns = iter(seconds)

        def run():
            self.now += next(turns)

        return run


def test_time_ratio_of_known_times(monkeypatch):
    clock = Clock(monkeypatch)
    found = costs.time_ratio(clock.work(9, 1, 2, 3, 4, 5), clock.work(9, 1, 1, 1, 1, 1), pairs=5)
    assert (found.low, found.median, found.high) == (1.5, 3, 4.5)


def test_time_ratio_of_a_function_with_itself_has_a_spread(monkeypatch):
    clock = Clock(monkeypatch)
    same = clock.work(9, 9, 1, 2, 4, 1, 1, 2, 4, 1)
    found = costs.time_ratio(same, same, pairs=4)  # 1/2, 1/4 (the denominator first), 1/2, 1/4
    assert (found.low, found.median, found.high) == (0.25, 0.375, 0.5)


def test_time_ratio_of_what_no_clock_can_time(monkeypatch):
    clock = Clock(monkeypatch)
    with pytest.raises(ValueError, match="the clock can time, 3 calls took 0e"):
        costs.time_ratio(clock.work(*[1] * 99), lambda: None, calls=3)


def test_peak_memory_grows_and_budget_binds(monkeypatch):
    before = costs.peak_memory_gb()
    block = np.ones(int((before + 0.2) * 1e9 / 8) + 10_000_000)
    assert before + 0.2 < costs.peak_memory_gb() < before + 5
    del block
    assert costs.within_memory(1000) == "peak memory: within 1000 GB"
    with pytest.raises(MemoryError, match=r"expected a peak of at most 0\.001 GB, measured"):
        costs.within_memory(0.001)
    monkeypatch.delenv("RNN_MEASURED_STRICT")
    said = costs.within_memory(0.001)
    assert said.startswith(
        "on this machine it came out otherwise: expected a peak of at most 0.001"
    )


def test_a_child_does_not_answer_for_its_parent():
    child = "from helpers import costs; print(costs.peak_memory_gb())"
    parent = f"""
        import subprocess, sys
        block = b"x" * 600_000_000
        subprocess.run([sys.executable, "-c", {child!r}], check=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(parent)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert 0 < float(found) < 0.4


@pytest.mark.parametrize("system, unit", [("linux", 1024), ("darwin", 1)])
def test_peak_memory_without_proc(system, unit, monkeypatch, tmp_path):
    resource = pytest.importorskip("resource")  # not on Windows

    monkeypatch.setattr(costs, "STATUS", tmp_path / "status")
    monkeypatch.setattr(costs.sys, "platform", system)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert costs.peak_memory_gb() == pytest.approx(peak * unit / 1e9, rel=0.01)


def test_peak_memory_on_windows(monkeypatch, tmp_path):
    monkeypatch.setattr(costs, "STATUS", tmp_path / "status")
    monkeypatch.setattr(costs.sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert costs.peak_memory_gb() is None
    assert costs.within_memory(1.5) == "peak memory: not known on this system (budget 1.5 GB)"

    class psutil:
        class Process:
            class memory_info:
                peak_wset = 250_000_000

    monkeypatch.setitem(sys.modules, "psutil", psutil)
    assert costs.peak_memory_gb() == 0.25
