"""Run notebooks within Binder's limits, 2 GB and one CPU, and say what they took: on Linux.

    make test-limits                        every notebook
    python tools/limits.py NOTEBOOK ...     these

Memory is the sum over the kernel and the process that drives it (about what JupyterLab's server
takes), read ten times a second; above the limit the run is killed, as Binder would. The
processes are bound to one core.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT_GB = 2.0  # 10^9 bytes: Binder's 2 GB, read the strict way
RUN = """
import sys, nbclient, nbformat
notebook = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(notebook, timeout=None, kernel_name="python3").execute()
"""


def memory_gb(pid: int) -> float:
    """What the process and all its descendants hold now, in GB; shared pages count once each."""
    import psutil

    total = 0
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    for process in family:
        try:
            total += process.memory_info().rss
        except psutil.Error:  # ended meanwhile
            continue
    return total / 1e9


def run_limited(command: list[str], folder: Path, limit_gb: float = LIMIT_GB):
    """Run a command on one core and kill it above the limit.

    Returns:
        (exit status, or None if it was killed; peak in GB; seconds).
    """
    core = min(os.sched_getaffinity(0))
    start, peak = time.perf_counter(), 0.0
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | {"TQDM_DISABLE": "1"},
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        start_new_session=True,
    )
    try:
        while process.poll() is None:
            peak = max(peak, memory_gb(process.pid))
            if peak > limit_gb:
                return None, peak, time.perf_counter() - start
            time.sleep(0.1)
    finally:
        end_family(process)
    return process.returncode, peak, time.perf_counter() - start


def end_family(process: subprocess.Popen) -> None:
    """Kill what is left of the process and its descendants (a kernel leads its own group)."""
    import psutil

    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    for child in family:
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()


def main(notebooks: list[str]) -> int:
    if not hasattr(os, "sched_setaffinity"):
        sys.exit("not run: binding to one core needs Linux")
    paths = [Path(name).resolve() for name in notebooks]
    failed = []
    for path in paths or sorted((ROOT / "notebooks").glob("*.ipynb")):
        status, peak, seconds = run_limited([sys.executable, "-c", RUN, str(path)], path.parent)
        verdict = {0: "passes", None: f"KILLED above {LIMIT_GB} GB"}.get(status, "FAILED")
        print(f"{path.stem}: {verdict}, peak {peak:.2f} GB, {seconds / 60:.1f} min on one CPU")
        sys.stdout.flush()
        if status != 0:
            failed.append(path.stem)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
