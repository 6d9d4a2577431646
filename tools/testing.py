"""The proof: lint, tests, and whole notebooks against their saved outputs, also in hard places."""

import argparse
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools import network
from tools.environment import TORCH
from tools.project import PROOF, ROOT, notebooks, requirements
from tools.publish import OPENING

PYTEST = [sys.executable, "-m", "pytest"]
# A cell's time-out is generous: a busy machine is not a failure.
WHOLE = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=3600", "-p", "no:cacheprovider"]
WATCH = ["-p", "tools.kernel_watch"]
# Two files at a time, in the order given, each on one thread: two threads that share a core with
# another process wait for each other, and a notebook then takes three times as long.
TWO = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "LOKY_MAX_CPU_COUNT": "1"}


def run(command: list, **options) -> int:
    """Run a command in the project's folder; its exit status."""
    return subprocess.run(command, **{"cwd": ROOT, "env": os.environ | PROOF} | options).returncode


def lint() -> int:
    import ruff  # noqa: F401  an environment without the tests' packages gets the entry's sentence

    command = [sys.executable, "-m", "ruff"]
    return run([*command, "check", "."]) or run([*command, "format", "--check", "."])


def quick() -> int:
    """Lint, and every test that is not marked slow. Arguments go to pytest."""
    return lint() or run([*PYTEST, *TWO, "tests", "-m", "not slow", *sys.argv[1:]])


def test() -> int:
    """Lint, every notebook whole, and all tests, two files at a time and the longest first."""
    paths = named("All tests, and notebooks against their saved outputs.")
    paths = sorted(paths, key=lambda path: -minutes(path))
    command = [*PYTEST, *TWO, *WHOLE, *WATCH, "--durations=10", *paths, "tests"]
    return lint() or run(command, env=os.environ | PROOF | ONE_THREAD)


def minutes(path: Path) -> float:
    """How long a notebook takes, as its first cell says; 0 where it says nothing."""
    found = re.search(OPENING, path.read_text(encoding="utf-8"))
    return float(found[1]) if found else 0.0


def named(description: str) -> list[Path]:
    """The notebooks that the command line names."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("notebooks", nargs="*", help="default: all lessons")
    return notebooks(parser.parse_args().notebooks)


def report(failed: list[str]) -> int:
    print(f"FAILED: {', '.join(failed)}" if failed else "all pass")
    return int(bool(failed))


# --- notebooks with the network cut, alone in an empty folder, within Binder's limits ------------


def offline() -> int:
    paths = named("Notebooks against their saved outputs with the network cut.")
    command = network.cut([*PYTEST, *WHOLE, *map(str, paths)])
    if not command:
        sys.exit(
            "not run: this system does not let you cut the network for one command (`unshare -rn "
            "true` must work). Switch it off by hand, then run: python -m tools test"
        )
    return run(command)


def alone() -> int:
    from tools.colab import Colab, serve

    failed = []
    with tempfile.TemporaryDirectory(prefix="alone-") as name:
        served = serve(Path(name))
        for path in named("Notebooks alone in an empty folder, as Colab opens them."):
            print(f"{path.stem}, alone in an empty folder:", flush=True)
            if run_alone(path, Colab(Path(name) / path.stem, served)):
                failed.append(path.stem)
    return report(failed)


def run_alone(notebook: Path, colab) -> int:
    """Run one notebook on a pretended Colab, without a network where that can be."""
    shutil.copy(notebook, colab.content)
    command = colab.python("-m", "pytest", "-q", *WHOLE, notebook.name)
    status = run(network.cut(command) or command, cwd=colab.content, env=colab.environment)
    return status or len(colab.pip_calls()) != 1


LIMIT_GB = 2.0  # 10^9 bytes: Binder's 2 GB, read the strict way
EXECUTE = """
import sys, nbclient, nbformat
notebook = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(notebook, timeout=None, kernel_name="python3").execute()
"""


def limits() -> int:
    if not hasattr(os, "sched_setaffinity"):
        sys.exit("not run: binding to one core needs Linux")
    failed = []
    for path in named("Notebooks within Binder's limits: 2 GB and one CPU."):
        command = [sys.executable, "-c", EXECUTE, str(path)]
        status, peak, seconds = run_limited(command, path.parent)
        verdict = {0: "passes", None: f"KILLED above {LIMIT_GB} GB"}.get(status, "FAILED")
        print(f"{path.stem}: {verdict}, peak {peak:.2f} GB, {seconds / 60:.1f} min on one CPU")
        sys.stdout.flush()
        if status != 0:
            failed.append(path.stem)
    return report(failed)


def run_limited(command: list[str], folder: Path, limit_gb: float = LIMIT_GB):
    """Run a command on one core and kill it above the limit, as Binder would.

    Memory is the sum over the command and its descendants, read ten times a second.

    Returns:
        (exit status, or None if it was killed; peak in GB; seconds).
    """
    import psutil

    start, peak = time.perf_counter(), 0.0
    process = psutil.Popen(command, cwd=folder, env=os.environ | PROOF)
    process.cpu_affinity(process.cpu_affinity()[:1])
    family = [process]
    try:
        while process.poll() is None and peak <= limit_gb:
            family, now = [process, *process.children(recursive=True)], 0.0
            for member in family:
                with contextlib.suppress(psutil.Error):  # ended meanwhile
                    now += member.memory_info().rss / 1e9
            peak = max(peak, now)
            time.sleep(0.1)
        return process.poll() if peak <= limit_gb else None, peak, time.perf_counter() - start
    finally:
        for member in family:
            with contextlib.suppress(psutil.Error):
                member.kill()
        psutil.wait_procs(family, timeout=10)


# --- the helpers' tests on the oldest and the newest versions -------------------------------------

# Not about helpers: they need what only the full environment has, or run whole notebooks.
ELSEWHERE = ("test_notebooks.py", "test_tools.py", "test_launch.py", "test_assignments.py")
TESTERS = ("pytest", "pytest-timeout", "hypothesis", "nbformat")


def versions() -> int:
    parser = argparse.ArgumentParser(
        description="The helpers' tests in throwaway environments: with the lower bound of every "
        "range in pyproject.toml, and with the newest versions."
    )
    parser.add_argument("which", nargs="*", default=["oldest", "newest"])
    return report([which for which in parser.parse_args().which if run_versions(which)])


def bounds(which: str) -> list[str]:
    """The lines for pip: each range as it stands ("newest") or its lower bound ("oldest").

    PyTorch stays as locked: on Linux an older one may come with gigabytes of GPU libraries.
    """
    lines = requirements() | {"torch": TORCH}
    if which == "newest":
        return list(lines.values())
    return [re.sub(r">=([\w.]+).*", r"==\1", line) for line in lines.values()]


def run_versions(which: str) -> int:
    """Make the environment, say what is in it, run the tests; 0 if all pass."""
    wanted = bounds(which)
    testers = [line for name, line in requirements("test").items() if name in TESTERS]
    with tempfile.TemporaryDirectory(prefix="versions-") as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = Path(folder) / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        pip = [python, "-m", "pip", "--disable-pip-version-check"]
        print(f"\n{which}: installing {', '.join(wanted)}", flush=True)
        if run([*pip, "install", "--quiet", *wanted, *testers]):
            print(f"{which}: pip finds no such environment (its message is above)")
            return 1
        frozen = subprocess.run([*pip, "freeze"], capture_output=True, text=True).stdout
        have = [line for line in frozen.splitlines() if line.split("==")[0] in requirements()]
        print(f"{which}: {', '.join(have)}", flush=True)
        ignored = [f"--ignore=tests/{name}" for name in ELSEWHERE]
        return run([python, "-m", "pytest", "tests", "-p", "no:cacheprovider", *ignored])
