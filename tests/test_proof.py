"""The proof itself: what it runs and where, and what is said when a kernel is killed."""

import os
import re
import subprocess
import sys
import time

import nbformat
import pytest
import yaml

from tools import environment, network, testing
from tools.project import ROOT, notebooks, pyproject, requirements


@pytest.fixture
def commands(monkeypatch):
    """The commands that would run, with their environment; none of them does."""
    log = []

    def run(command, **options):
        log.append(([str(word) for word in command], options.get("env", {})))
        return 0

    monkeypatch.setattr(testing, "run", run)
    monkeypatch.setattr(sys, "argv", ["test"])
    return log


def test_the_whole_proof_is_every_notebook_once_and_all_tests_the_longest_first(commands):
    assert testing.test() == 0
    proof, its_environment = commands[-1]
    named = [word for word in proof if word.endswith(".ipynb")]
    assert sorted(named) == [str(path) for path in notebooks()] and proof[-1] == "tests"
    minutes = [testing.minutes(path) for path in map(type(ROOT), named)]
    assert minutes == sorted(minutes, reverse=True) and min(minutes) >= 1
    assert "--no-loadscope-reorder" in proof  # else pytest-xdist sorts by the number of cells
    assert its_environment["OMP_NUM_THREADS"] == its_environment["LOKY_MAX_CPU_COUNT"] == "1"
    assert its_environment["RNN_MEASURED_STRICT"] == "1" and "-m" not in proof[3:]


def test_the_quick_proof_leaves_out_what_is_slow(commands):
    assert testing.quick() == 0
    assert commands[-1][0][-3:] == ["tests", "-m", "not slow"]


def test_an_environment_without_the_packages_of_the_tests(commands, monkeypatch):
    """Conda's has none of them; the entry then says what to install."""
    monkeypatch.setitem(sys.modules, "ruff", None)
    for command in (testing.quick, testing.test):
        with pytest.raises(ModuleNotFoundError, match="ruff"):
            command()
    assert commands == []


def test_a_killed_kernel_is_reported_as_killed_and_soon(tmp_path):
    cells = ["import os, signal\nos.kill(os.getpid(), getattr(signal, 'SIGKILL', 15))", "1 + 1"]
    cells = [nbformat.v4.new_code_cell(source) for source in cells]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "killed.ipynb")
    command = [*testing.PYTEST, *testing.WHOLE, *testing.WATCH, tmp_path / "killed.ipynb"]
    start = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and time.perf_counter() - start < 60
    if os.name == "posix":
        assert "the kernel was killed (signal 9): is there enough memory?" in done.stdout
    assert "2 failed" in done.stdout


# --- the workflow --------------------------------------------------------------------------------

WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8"))


def test_the_workflow_runs_on_three_systems_and_on_the_oldest_and_the_newest_python():
    matrix = WORKFLOW["jobs"]["quick"]["strategy"]["matrix"]
    assert [name.split("-")[0] for name in matrix["system"]] == ["ubuntu", "macos", "windows"]
    oldest = re.fullmatch(r">=(3\.\d+)", pyproject()["project"]["requires-python"])[1]
    assert matrix["python"] == [oldest, "{}.{}".format(*environment.NEWEST)]
    conda = yaml.safe_load(environment.conda_file())["dependencies"][0].split("=")[-1]
    steps = WORKFLOW["jobs"]["whole"]["steps"]
    assert conda in [step.get("with", {}).get("python-version") for step in steps]


def test_the_workflow_runs_commands_that_exist():
    from tools.__main__ import COMMANDS

    text = (ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"python -m tools (\w+)", text))
    assert {"quick", "test", "alone", "limits"} <= named <= set(COMMANDS)
    assert "bash .ci/run" in text and WORKFLOW["concurrency"]["cancel-in-progress"] is True


# --- in hard places ------------------------------------------------------------------------------


def test_oldest_is_the_lower_bound_of_every_range():
    oldest = dict(line.split("==") for line in testing.bounds("oldest"))
    assert list(oldest) == list(requirements())
    assert oldest["numpy"] == "2.0" and f"torch=={oldest['torch']}" == environment.TORCH
    assert "numpy>=2.0" in testing.bounds("newest")


@pytest.mark.skipif(not network.cutter(), reason="this system does not let a user cut the network")
def test_the_network_is_cut():
    code = """
import socket
with socket.socket() as server:
    server.bind(("127.0.0.1", 0))
    server.listen()
    socket.create_connection(server.getsockname(), timeout=5).close()
try:
    socket.create_connection(("192.0.2.1", 80), timeout=5)
except OSError as error:
    print("cut:", error)
raise SystemExit(7)
"""
    command = network.cut([sys.executable, "-c", code])
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.startswith("cut:") and "nreachable" in done.stdout, done.stderr
    assert done.returncode == 7


def test_offline_says_when_it_cannot(monkeypatch):
    monkeypatch.setattr(network, "CUTTERS", (["false"], ["no-such-command"]))
    monkeypatch.setattr(sys, "argv", ["offline"])
    with pytest.raises(SystemExit, match="does not let you cut the network"):
        testing.offline()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux alone binds to a core")
def test_limits_are_limits(tmp_path):
    greedy = "import time; block = bytearray(300_000_000); time.sleep(30)"
    status, peak, seconds = testing.run_limited([sys.executable, "-c", greedy], tmp_path, 0.2)
    assert status is None and peak > 0.2 and seconds < 20
    modest = "import os, time; time.sleep(1); assert len(os.sched_getaffinity(0)) == 1"
    status, peak, _ = testing.run_limited([sys.executable, "-c", modest], tmp_path, 0.2)
    assert status == 0 and peak < 0.2
