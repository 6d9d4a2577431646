"""Starts the worker, without a network where the system allows it, and gives it notebooks."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode, from_dict
from nbgrader import utils

from tools import network
from tools.project import ROOT


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    Attributes:
        seconds: wall-clock time of the whole notebook.
        cell_seconds: processor time of one cell; six times as much by the clock.
        memory: bytes of address space beyond what the imported libraries take; 0 for no limit.
    """

    seconds: float = 120.0
    cell_seconds: float = 10.0
    memory: int = 2_000_000_000


@dataclass
class Run:
    """How a notebook's run ended.

    Attributes:
        ended: "done", "too long" or "crashed (...)".
        seconds: how long it took.
        replaced: library functions that the notebook had replaced when a check came.
    """

    ended: str
    seconds: float = 0.0
    replaced: list[str] = field(default_factory=list)


class Runner:
    """Runs notebooks one after the other; a context manager.

    Attributes:
        network_cut: whether the notebooks run without a network.
    """

    def __init__(self, limits: Limits | None = None):
        self.limits = limits or Limits()
        self._cutter = network.cutter()
        self.network_cut = bool(self._cutter)
        self._worker = None

    def __enter__(self):
        self._scratch = tempfile.TemporaryDirectory(prefix="grading-")
        self.scratch = Path(self._scratch.name)
        return self

    def __exit__(self, *_):
        self._stop()
        self._scratch.cleanup()

    def _stop(self):
        if self._worker is not None:
            self._worker.stdin.close()
            try:
                self._worker.wait(5)
            except subprocess.TimeoutExpired:
                self._worker.kill()
                self._worker.wait()
            self._worker.stdout.close()
            self._worker = None

    def _start(self):
        environment = {
            name: value
            for name, value in os.environ.items()
            if name in ("PATH", "LANG", "LD_LIBRARY_PATH", "TMPDIR") or name.startswith("LC_")
        }
        home = self.scratch / "home"
        home.mkdir(exist_ok=True)
        environment |= {
            "HOME": str(home),
            "IPYTHONDIR": str(home / "ipython"),
            "MPLCONFIGDIR": str(home / "matplotlib"),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "PYTHONWARNINGS": "ignore::DeprecationWarning",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self._worker = subprocess.Popen(
            [*self._cutter, sys.executable, "-m", "tools.grading.worker"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if not self._worker.stdout.readline():
            raise RuntimeError("the grading worker did not start; its message is above")

    def run(self, notebook: NotebookNode) -> Run:
        """Execute the notebook's code cells, in place. Cells that were not reached get an error."""
        folder = Path(tempfile.mkdtemp(dir=self.scratch))
        results = self.scratch / f"{folder.name}.jsonl"
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        task = {
            "cells": [
                {
                    "source": cell.source,
                    "check": utils.is_grade(cell) and not utils.is_solution(cell),
                }
                for cell in code
            ],
            "folder": str(folder),
            "results": str(results),
            "seconds": self.limits.seconds,
            "cell_seconds": self.limits.cell_seconds,
            "memory": self.limits.memory,
        }
        run = Run(**self._ask(task))
        lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
        outputs = []
        for line in lines[: len(code)]:
            try:
                answer = json.loads(line)
            except ValueError:  # killed in the middle of a line
                break
            outputs.append(answer["outputs"])
            run.replaced += [name for name in answer["replaced"] if name not in run.replaced]
        for place, cell in enumerate(code):
            found = outputs[place] if place < len(outputs) else [_not_run(run, place, outputs)]
            cell.outputs = [from_dict(output) for output in found]
            cell.execution_count = place + 1 if place < len(outputs) else None
        shutil.rmtree(folder, ignore_errors=True)
        results.unlink(missing_ok=True)
        return run

    def _ask(self, task):
        if self._worker is None:
            self._start()
        try:
            self._worker.stdin.write(json.dumps(task) + "\n")
            self._worker.stdin.flush()
            answer = self._worker.stdout.readline()
        except OSError:
            answer = ""
        if not answer:  # a notebook ended the worker as well: the next one gets a new worker
            self._worker.kill()
            self._worker.wait()
            self._worker = None
            return {"ended": "crashed (it ended the grading process)"}
        return json.loads(answer)


def _not_run(run, place, outputs):
    first = place == len(outputs)
    what = f"{'this cell ended the run' if first else 'not run'}: {run.ended}"
    return {"output_type": "error", "ename": "NotRun", "evalue": what, "traceback": [what]}
