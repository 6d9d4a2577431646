"""Runs a notebook's answers in a process of their own, and the checks in this one.

The submission's process gets a view of the machine with nothing in it that could help (`box`). It
is told what to run, cell by cell; where a check comes, the check runs here, calls the student's
functions over a socket, and compares plain values. So nothing that a submission does to its own
process can change a result: it can only return the right values, or not.
"""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from nbformat import NotebookNode, v4
from nbgrader import utils

from helpers import hints
from tools import network
from tools.grading import box
from tools.grading.plain import Channel, Ended, decode, encode
from tools.project import ROOT

HIDDEN_TESTS = "### BEGIN HIDDEN TESTS"
NEEDED = ("tools/__init__.py", *(f"tools/grading/{n}.py" for n in ("__init__", "plain", "worker")))
TEXT_LIMIT = 25_000  # characters of one output
OUTPUT_LIMIT = 5_000_000  # characters of all outputs of one notebook
FOREIGN = re.compile(r'{"foreign": "(\w+)"}')
LARGEST_CALL = 3000  # entries that a submission may hand to a function of the grader's


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    Attributes:
        seconds: wall-clock time of the whole notebook.
        cell_seconds: processor time of one cell, or of one call; six times as much by the clock.
        memory: bytes of address space beyond what the imported libraries take, and of memory of all
            its processes together; 0 for no limit.
        processes: how many it may have at once.
    """

    seconds: float = 120.0
    cell_seconds: float = 10.0
    memory: int = 2_000_000_000
    processes: int = 64


@dataclass
class Run:
    """How a notebook's run ended.

    Attributes:
        ended: "done", or what happened and in which cell: "too long in ...", "crashed in ...".
        seconds: how long it took.
        disagree: {check whose example passed in the submission's process and failed here: the type
            of a result that was not plain data, or nothing}.
    """

    ended: str = "done"
    seconds: float = 0.0
    disagree: dict[str, str] = field(default_factory=dict)


class Runner:
    """Runs notebooks one after the other; a context manager."""

    def __init__(self, limits: Limits | None = None):
        self.limits = limits or Limits()
        self._worker, self._settled = None, False

    def __enter__(self):
        self._scratch = tempfile.TemporaryDirectory(prefix="grading-")
        self.scratch = Path(self._scratch.name).resolve()
        self._copy, self._writable = self.scratch / "copy", self.scratch / "writable"
        self._writable.mkdir()
        root = self.scratch / "root"
        root.mkdir()
        self._before, self._hidden = box.command(root, self._writable, self._copy), True
        return self

    def __exit__(self, *_):
        self._stop()
        self._scratch.cleanup()

    def _stop(self):
        if self._worker is not None:
            self._control.close()
            try:
                self._worker.wait(5)
            except subprocess.TimeoutExpired:
                self._worker.kill()
                self._worker.wait()
            self._worker = None

    def _start(self, quiet=False):
        """Start the worker in a new copy; whether it runs, and sees the files that it should."""
        shutil.rmtree(self._copy, ignore_errors=True)
        shutil.copytree(
            ROOT / "helpers", self._copy / "helpers", ignore=shutil.ignore_patterns("__pycache__")
        )
        for name in NEEDED:
            (self._copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self._copy / name)
        environment = {
            name: value
            for name, value in os.environ.items()
            if name in ("PATH", "LANG", "LD_LIBRARY_PATH") or name.startswith("LC_")
        }
        home = str(self._writable)
        environment |= dict.fromkeys(("HOME", "IPYTHONDIR", "MPLCONFIGDIR", "TMPDIR"), home)
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        environment |= {
            "PYTHONPATH": str(self._copy),
            "PYTHONWARNINGS": "ignore::DeprecationWarning",
            "PYTHONDONTWRITEBYTECODE": "1",
            "USER": "student",
        }
        command = [sys.executable, "-m", "tools.grading.worker", str(ROOT / "notebooks")]
        if self._before and not shutil.which(self._before[0]):
            return False
        self._control, theirs = socket.socketpair()
        with theirs:
            self._worker = subprocess.Popen(
                [*self._before, *command],
                cwd=self._copy,
                env=environment,
                stdin=theirs,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL if quiet else None,
            )
        ready = self._control.recv(4096)
        if ready and not (json.loads(ready)["sees"] and self._hidden):
            return True
        self._stop()
        return False

    def _ready(self):
        """Start the worker if there is none, in its own view of the machine if that can be.

        Raises:
            RuntimeError: it does not start.
        """
        if self._worker is None and not self._start(quiet=not self._settled):
            if not self._settled:  # later nobody is graded in another view than the first
                self._before, self._hidden = network.cutter(), False
            if self._settled or not self._start():
                raise RuntimeError("the grading worker did not start; its message is above")
        self._settled = True

    @property
    def hidden(self) -> bool:
        """Whether submissions see nothing of this machine but Python and the helpers."""
        self._ready()
        return self._hidden

    @property
    def network_cut(self) -> bool:
        """Whether submissions run without a network."""
        return self.hidden or bool(self._before)

    def view(self) -> str:
        """What submissions can reach, in a sentence."""
        if self.hidden:
            return "submissions see Python, the helpers and a folder of their own; no network"
        return (
            "submissions run beside a copy of the helpers, but they CAN READ YOUR FILES: this "
            "system allows no view of their own; "
            f"the network is {'' if self.network_cut else 'NOT '}cut"
        )

    def run(self, notebook: NotebookNode) -> Run:
        """Execute the notebook's code cells, in place. Cells that were not reached get an error.

        Raises:
            RuntimeError: it crashes before anything of the student's has run, twice.
        """
        first = next((_name(c) for c in notebook.cells if c.cell_type == "code"), "")
        for _ in range(2):
            run = self._run(notebook)
            if first != "set-up" or not run.ended.startswith("crashed in set-up"):
                return run
            self._stop()
        raise RuntimeError(f"the grader's own first cell {run.ended}: is the disk full?")

    def _run(self, notebook):
        self._ready()
        start = time.monotonic()
        run, task = Run(), asdict(self.limits)
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                socket.send_fds(self._control, [json.dumps(task).encode()], [theirs.fileno()])
            answers = Answers(Channel(ours), start + self.limits.seconds)
            cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
            room = OUTPUT_LIMIT
            for place, cell in enumerate(cells):
                cell.execution_count = None
                try:
                    cell.outputs = self._run_cell(cell, answers, run)
                    room -= sum(len(json.dumps(output)) for output in cell.outputs)
                    if room < 0 and not utils.is_grade(cell):
                        shown = "... the notebook prints too much to be shown"
                        cell.outputs = [v4.new_output("stream", name="stdout", text=shown)]
                except TimeoutError:
                    run.ended = f"too long in {_name(cell)}"
                except (Ended, OSError) as error:
                    run.ended = f"crashed in {_name(cell)} ({error})"
                if run.ended != "done":
                    break
                cell.execution_count = place + 1
        self._end(run)
        if run.ended != "done":
            cells[place].outputs = [_error("NotRun", f"this cell ended the run: {run.ended}")]
            for cell in cells[place + 1 :]:
                cell.outputs = [_error("NotRun", f"not run: {run.ended}")]
                cell.execution_count = None
        run.seconds = time.monotonic() - start
        return run

    def _run_cell(self, cell, answers, run):
        is_check = utils.is_grade(cell) and not utils.is_solution(cell)
        shown, _, hidden = cell.source.partition(HIDDEN_TESTS)
        there = answers.ask({"run": shown if is_check else cell.source})
        if not is_check:
            return _outputs(there.get("outputs"), _name(cell))
        names = {"__name__": "check", "__answers__": answers.names()}
        answers.results.clear()
        wrong = _check(shown, names, answers)
        if wrong and not there.get("failed"):
            run.disagree[_name(cell)] = "".join(FOREIGN.findall(json.dumps(answers.results))[:1])
        if not wrong:
            wrong = _check(hidden, names, answers, " The example was right; this is another one.")
        return wrong

    def _end(self, run):
        """Let the worker end the submission's processes; enter how its own had ended."""
        try:
            self._control.sendall(b"s")
            self._control.settimeout(20)
            data = self._control.recv(4096)
            self._control.settimeout(None)
        except OSError:
            data = b""
        if not data:
            self._worker.kill()
            self._stop()
            return
        said = json.loads(data)
        if run.ended.startswith("crashed") and said["why"]:
            run.ended = f"{run.ended.partition(' (')[0]} ({said['why']})"
        elif run.ended.startswith("crashed") and said["code"] is not None:
            run.ended += f", exit status {said['code']}"
        if said["left"]:  # the next one gets a new folder
            self._stop()


class Answers:
    """What the submission's process gives when it is asked, until a moment on the clock."""

    def __init__(self, channel: Channel, until: float):
        self._channel, self._until = channel, until
        self.results = []  # as they came
        self.broken = None  # why no more can come

    def ask(self, request: dict, functions=()) -> dict:
        """The answer to a request; meanwhile functions that were sent along may be called.

        Raises:
            Ended: it has crashed, or what it sent is no answer to the question.
            TimeoutError: too late.
        """
        mark = secrets.token_hex(8)  # so that nothing can be answered before it is asked
        self._send(request | {"id": mark})
        while True:
            answer = self._channel.receive(self._until)
            if answer.get("id") != mark:
                raise Ended("an answer that nobody had asked for")
            if "function" not in answer:
                return answer
            self._send(_called(functions, answer))

    def _send(self, message):
        self._channel.socket.settimeout(max(self._until - time.monotonic(), 0.001))
        self._channel.send(message)

    def names(self) -> dict:
        """{name: something to call, or an object of an empty class} of the notebook's names."""
        found = self.ask({"names": True}).get("names")
        try:
            return {
                name: self._function(name) if callable_ is True else type(str(kind), (), {})()
                for name, (kind, callable_) in found.items()
            }
        except (AttributeError, TypeError, ValueError):
            raise Ended("names that cannot be read") from None

    def _function(self, name):
        def function(*arguments):
            functions = []
            request = {"call": name, "arguments": encode(arguments, functions)}
            try:
                answer = self.ask(request, functions)
            except (Ended, OSError) as error:
                self.broken = error
                raise
            if "hint" in answer:
                raise hints.Hint(clean(answer["hint"]))
            try:
                self.results.append(answer["result"])
                return decode(answer["result"])
            except (KeyError, ValueError, TypeError, RecursionError, MemoryError):
                raise Ended("a result that is no plain value") from None

        return function


def _name(cell) -> str:
    return cell.metadata.get("nbgrader", {}).get("grade_id") or cell.get("id", "an added cell")


def _called(functions, request):
    """The answer to a submission that calls a function which the check gave it."""
    try:
        arguments, keywords = decode(request["arguments"])
        function = functions[int(request["function"])]
        if sum(np.asarray(a).size for a in (*arguments, *keywords.values())) > LARGEST_CALL:
            raise ValueError(f"its arguments have more than {LARGEST_CALL:,} entries")
        return {"result": encode(function(*arguments, **keywords))}
    except Exception as error:
        return {"error": clean(f"{error}")}


def _check(code: str, names: dict, answers: Answers, remark: str = "") -> list[NotebookNode]:
    """Run a part of a check here; an error as an output if it does not pass."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(compile(code, "check", "exec"), names)
    except hints.Hint as hint:
        if answers.broken:  # a hint about that would tell nothing
            raise answers.broken from None
        return [_error("Hint", clean(f"{hint}{remark}"))]
    except (Ended, TimeoutError):
        raise
    except Exception as error:
        return [_error(type(error).__name__, clean(error))]
    return []


def clean(text) -> str:
    """Text from a submission, which may hold half a character and be of any length."""
    return str(text)[:TEXT_LIMIT].encode("utf-8", "replace").decode()


def _error(name, text):
    return v4.new_output("error", ename=name, evalue=text, traceback=[f"{name}: {text}"])


def _outputs(found, where):
    """Outputs from what a submission's process says: text alone, in the notebook format."""
    outputs = []
    for output in found if isinstance(found, list) else []:
        kind = output.get("output_type") if isinstance(output, dict) else None
        text = clean(output.get("text", "")) if kind else ""
        if kind == "error":
            name = clean(output.get("ename", ""))[:100]
            name = name if name.isidentifier() or not name else "Error"
            said = clean(output.get("evalue", ""))
            outputs.append(v4.new_output("error", ename=name, evalue=said, traceback=[text]))
        elif kind == "stream":
            name = "stderr" if output.get("name") == "stderr" else "stdout"
            outputs.append(v4.new_output("stream", name=name, text=text))
        elif kind == "execute_result":
            outputs.append(v4.new_output("display_data", data={"text/plain": text}))
    return outputs
