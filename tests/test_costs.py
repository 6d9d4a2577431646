"""helpers.costs: ratios are fair to both sides, and a process answers for its own memory."""

import subprocess
import sys
import textwrap

import pytest

from helpers import costs


@pytest.fixture(autouse=True)
def strict(monkeypatch):
    monkeypatch.setenv("RNN_MEASURED_STRICT", "1")


class Clock:
    """A clock that moves only when somebody works."""

    def __init__(self, monkeypatch):
        self.now, self.order = 0.0, ""
        monkeypatch.setattr(costs.time, "perf_counter", lambda: self.now)

    def work(self, name, *seconds):
        turns = iter(seconds)

        def run():
            self.now += next(turns)
            self.order += name

        return run


def test_time_ratio_of_known_times(monkeypatch):
    clock = Clock(monkeypatch)
    slower, faster = clock.work("a", 9, 2, 4, 6, 8, 10), clock.work("b", 9, 2, 2, 2, 2, 2)
    found = costs.time_ratio(slower, faster, pairs=5)
    assert (found.low, found.median, found.high) == (1.5, 3, 4.5)
    assert str(found) == "3.00 (quartiles 1.50 to 4.50)"


def test_time_ratio_runs_both_equally_often_in_turns(monkeypatch):
    clock = Clock(monkeypatch)
    costs.time_ratio(clock.work("a", *[1] * 9), clock.work("b", *[1] * 9), pairs=4, calls=2)
    assert clock.order == "ab" + "aabb" + "bbaa" + "aabb" + "bbaa"


@pytest.mark.parametrize("options", [{"pairs": 3}, {"calls": 0}])
def test_time_ratio_refuses(options):
    with pytest.raises(ValueError, match="expected pairs"):
        costs.time_ratio(int, int, **options)


def test_time_ratio_of_what_no_clock_can_time(monkeypatch):
    clock = Clock(monkeypatch)
    with pytest.raises(ValueError, match="the clock can time, 3 calls took 0e"):
        costs.time_ratio(clock.work("a", *[1] * 9), lambda: None, calls=3)


def test_peak_memory_and_its_budget(monkeypatch, tmp_path):
    status = tmp_path / "status"
    status.write_text("VmPeak:\t  900000 kB\nVmHWM:\t  250000 kB\nVmRSS:\t   90000 kB\n")
    monkeypatch.setattr(costs, "STATUS", status)
    assert costs.peak_memory_gb() == 0.256
    assert costs.within_memory(0.256) == "peak memory: within 0.256 GB"
    with pytest.raises(MemoryError, match=r"expected a peak of at most 0\.2 GB, measured 0\.26"):
        costs.within_memory(0.2)
    monkeypatch.delenv("RNN_MEASURED_STRICT")
    said = costs.within_memory(0.2)
    assert said.startswith("on this machine it came out otherwise: expected a peak of at most 0.2")


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
