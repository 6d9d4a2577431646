"""Runs notebooks, each in a process of its own, under limits: ``-m tools.grading.worker``.

This process imports what the assignments import, once, and then forks a child for every notebook
that it is told to run, a line of JSON each on standard input. So a run starts in milliseconds, and
whatever a notebook does to its process is gone with it. For a notebook the child's answer is a file
with a line of JSON a cell, written as each cell ends: what a crash comes after is not lost.

Unix only. The parent is `tools.grading.runner`.
"""

import ctypes
import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT_LIMIT = 20_000  # characters kept of the output of one cell
WATCHED = ("builtins", "math", "copy", "numpy", "numpy.linalg", "torch", "torch.nn.functional")
OWN = ("helpers.hints", "helpers.cells")


class TimeLimit(BaseException):
    """A cell took too long. Not an Exception, so that `except Exception` does not swallow it."""

    def _render_traceback_(self):
        return [f"Stopped: {self}"]


# ---- in the child --------------------------------------------------------------------------------


class Capped:
    """A text stream that keeps the beginning of what is written and counts the rest."""

    encoding = "utf-8"

    def __init__(self):
        self.kept, self.size = [], 0

    def write(self, text):
        room = TEXT_LIMIT - self.size
        if room > 0:
            self.kept.append(text[:room])
        self.size += len(text)
        return len(text)

    def flush(self):
        pass

    def isatty(self):
        return False

    def text(self):
        cut = f"\n... {self.size - TEXT_LIMIT} more characters" if self.size > TEXT_LIMIT else ""
        return "".join(self.kept) + cut


def make_shell():
    """An IPython shell that collects errors and results instead of printing them."""
    from IPython.core.displayhook import DisplayHook
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    class Hook(DisplayHook):
        def write_output_prompt(self):
            pass

        def write_format_data(self, format_dict, md_dict=None):
            text = format_dict.get("text/plain", "")[:TEXT_LIMIT]
            result = {"output_type": "execute_result", "metadata": {}, "data": {"text/plain": text}}
            self.shell.collected.append(result | {"execution_count": self.shell.execution_count})

        def finish_displayhook(self):
            pass

    class Shell(InteractiveShell):
        displayhook_class = Hook

        def _showtraceback(self, etype, evalue, stb):
            lines = stb if isinstance(stb, list) else [str(stb)]
            try:
                said = str(evalue)
            except Exception:
                said = "an exception that cannot be printed"
            self.collected.append(
                {
                    "output_type": "error",
                    "ename": etype.__name__,
                    "evalue": said[:TEXT_LIMIT],
                    "traceback": ["\n".join(lines)[:TEXT_LIMIT]],
                }
            )

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.banner1 = ""
    shell = Shell.instance(config=config)
    shell.collected = []
    return shell


def snapshot():
    """What the watched modules hold now, and a function that puts it back.

    The function returns the names that had been replaced. It is called before every check, so that
    a notebook which sets `np.allclose` to something kind is checked with the real one.
    """
    kept = {
        sys.modules[name]: {
            key: value
            for key, value in vars(sys.modules[name]).items()
            if not key.startswith("_" if name not in OWN else "__")
        }
        for name in (*WATCHED, *OWN)
        if name in sys.modules
    }

    def put_back():
        replaced = []
        for module, names in kept.items():
            for key, value in names.items():
                if vars(module).get(key) is not value:
                    setattr(module, key, value)
                    replaced.append(f"{module.__name__}.{key}")
        return replaced

    return put_back


def set_timers(seconds):
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, 6 * seconds)


def run_cell(shell, code, seconds):
    """The outputs of one cell, in the notebook format.

    The limit counts processor time, so that a busy machine costs nobody points; a cell that sleeps
    is stopped after six times as long.
    """

    def too_long(*_):
        set_timers(1)  # again, should the code swallow this one
        raise TimeLimit(f"this cell ran longer than {seconds:g} s. Is there an endless loop?")

    out, err = Capped(), Capped()
    shell.collected = []
    usual = sys.stdout, sys.stderr
    for ring in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(ring, too_long)
    try:
        sys.stdout, sys.stderr = out, err
        set_timers(seconds)
        shell.run_cell(code, store_history=True)
    except BaseException as error:  # the alarm can ring outside the student's code
        message = f"{type(error).__name__}: {error}"
        shell.collected.append(
            {
                "output_type": "error",
                "ename": type(error).__name__,
                "evalue": str(error),
                "traceback": [message],
            }
        )
    finally:
        for ring in (signal.SIGALRM, signal.SIGPROF):
            signal.signal(ring, signal.SIG_IGN)
        set_timers(0)
        sys.stdout, sys.stderr = usual
    streams = [
        {"output_type": "stream", "name": name, "text": stream.text()}
        for name, stream in (("stdout", out), ("stderr", err))
        if stream.size
    ]
    return [*streams, *shell.collected]


def used_memory():
    """Bytes of address space that this process has now (0 where the system does not say)."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def child(task, shell):
    """Run one notebook and write what its cells gave. Does not return."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.chdir(task["folder"])
    with open(task["results"], "w", encoding="utf-8") as results:
        if task["memory"] and sys.platform.startswith("linux"):
            limit = used_memory() + int(task["memory"])
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000_000, 100_000_000))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        put_back = snapshot()
        for cell in task["cells"]:
            replaced = put_back() if cell["check"] else []
            outputs = run_cell(shell, cell["source"], task["cell_seconds"])
            results.write(json.dumps({"outputs": outputs, "replaced": replaced}) + "\n")
            results.flush()


# ---- in the parent -------------------------------------------------------------------------------


def adopt_orphans():
    """Become the parent of processes whose parent dies, so that none outlives its notebook."""
    if sys.platform.startswith("linux"):
        set_child_subreaper = 36
        ctypes.CDLL(None, use_errno=True).prctl(set_child_subreaper, 1, 0, 0, 0)


def end_all_children():
    """End every process that was started from here, directly or through others."""
    import psutil

    for _ in range(20):
        children = psutil.Process().children(recursive=True)
        if not children:
            return
        for process in children:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                pass
        psutil.wait_procs(children, timeout=1)
        while True:  # collect those that were adopted
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    break
            except ChildProcessError:
                break


def supervise(task, shell):
    """Fork, wait, and say how it ended: "done", "too long" or "crashed (...)"."""
    start = time.monotonic()
    pid = os.fork()
    if pid == 0:
        try:
            child(task, shell)
        except BaseException:
            try:
                Path(task["results"] + ".error").write_text(traceback.format_exc())
            except OSError:
                pass
            os._exit(70)
        os._exit(0)
    ended = None
    while ended is None:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            code = os.waitstatus_to_exitcode(status)
            ended = "done" if code == 0 else f"crashed ({code})"
        elif time.monotonic() - start > task["seconds"]:
            ended = "too long"
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        else:
            time.sleep(0.01)
    end_all_children()
    return {"ended": ended, "seconds": time.monotonic() - start}


def main():
    sys.path.insert(0, str(ROOT))
    os.environ.update(MPLBACKEND="Agg", TQDM_DISABLE="1")
    import torch

    torch.set_num_threads(1)
    import helpers.cells
    import helpers.claims
    import helpers.costs
    import helpers.data
    import helpers.hints
    import helpers.metrics
    import helpers.plotting
    import helpers.training  # noqa: F401

    shell = make_shell()
    adopt_orphans()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(supervise(json.loads(line), shell)), flush=True)


if __name__ == "__main__":
    main()
