"""Runs submissions, each in a process of its own, under limits: ``-m tools.grading.worker``.

This process imports what the assignments import, once, and then forks a child for every submission.
So a run starts in milliseconds, and whatever a submission does to its process is gone with it. The
child does what the grader (`tools.grading.runner`) asks for over a socket: run a cell, call a
function, list the names. No right answer is ever here: the grader's process compares the results.

Unix only. It is started in a copy of this package that holds nothing but what is needed here.
"""

import ctypes
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.grading.plain import Channel, Ended, decode, encode

TEXT_LIMIT = 20_000  # characters kept of the output of one cell
RINGS = (signal.SIGALRM, signal.SIGPROF)
LINUX = sys.platform.startswith("linux")


class TimeLimit(BaseException):
    """Something took too long. Not an Exception, so that `except Exception` does not swallow it."""

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
            self.shell.collected.append({"output_type": "execute_result", "text": text})

        def finish_displayhook(self):
            pass

    class Shell(InteractiveShell):
        displayhook_class = Hook

        def _showtraceback(self, etype, evalue, stb):
            lines = stb if isinstance(stb, list) else [str(stb)]
            self.collected.append(as_error(evalue, "\n".join(lines)))

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.banner1 = ""
    shell = Shell.instance(config=config)
    shell.collected = []
    return shell


def as_error(error, text=None):
    try:
        said = str(error)[:TEXT_LIMIT]
    except Exception:
        said = "an exception that cannot be printed"
    name = type(error).__name__
    text = f"{name}: {said}" if text is None else text[:TEXT_LIMIT]
    return {"output_type": "error", "ename": name, "evalue": said, "text": text}


class Limit:
    """A context in which code may use so much processor time, and six times as much by the clock.

    Processor time, so that a busy machine costs nobody points; the clock for what sleeps.
    """

    def __init__(self, seconds, what):
        self.seconds, self.what, self.over = seconds, what, False

    def __enter__(self):
        for ring in RINGS:
            signal.signal(ring, self.too_long)
        self.set(self.seconds)

    def __exit__(self, *_):
        self.over = True
        self.set(0)
        for ring in RINGS:
            signal.signal(ring, signal.SIG_IGN)

    def set(self, seconds):
        signal.setitimer(signal.ITIMER_PROF, seconds)
        signal.setitimer(signal.ITIMER_REAL, 6 * seconds)

    def too_long(self, *_):
        if self.over:
            return
        self.set(1)  # again, should the code swallow this one
        raise TimeLimit(
            f"{self.what} ran longer than {self.seconds:g} s. Is there an endless loop?"
        )


def run_cell(shell, code, seconds):
    """What one cell gave, and whether it failed: by its result, whatever was shown."""
    out, err = Capped(), Capped()
    shell.collected, failed = [], True
    usual = sys.stdout, sys.stderr
    try:
        with Limit(seconds, "this cell"):
            sys.stdout, sys.stderr = out, err
            result = shell.run_cell(code, store_history=True)
            error = result.error_before_exec or result.error_in_exec
            failed = error is not None
            if failed and not any(o["output_type"] == "error" for o in shell.collected):
                shell.collected.append(as_error(error))
    except BaseException as error:  # the alarm can ring outside the student's code
        shell.collected.append(as_error(error))
    finally:
        sys.stdout, sys.stderr = usual
    streams = [
        {"output_type": "stream", "name": name, "text": stream.text()}
        for name, stream in (("stdout", out), ("stderr", err))
        if stream.size
    ]
    return {"outputs": [*streams, *shell.collected[:100]], "failed": failed}


def call(channel, request, names, seconds):
    """Call one of the notebook's functions; functions among the arguments stay with the grader."""
    from helpers import hints

    def stub(number):
        def function(*arguments, **keywords):
            given = encode([arguments, keywords])
            try:  # the time limit must not cut a message in two
                signal.pthread_sigmask(signal.SIG_BLOCK, RINGS)
                channel.send({"id": request["id"], "function": number, "arguments": given})
                answer = channel.receive()
            finally:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, RINGS)
            if "error" in answer:
                raise ValueError(answer["error"])
            return decode(answer["result"])

        return function

    arguments = decode(request["arguments"], stub)
    usual = sys.stdout
    try:
        with Limit(seconds, f"`{request['call']}`"):
            sys.stdout = Capped()
            found = hints.call_named(request["call"], names[request["call"]], arguments)
            return {"result": encode(found)}
    except (ValueError, RecursionError, MemoryError) as error:
        return {"hint": f"`{request['call']}` returned what cannot be compared: {error}"}
    except BaseException as error:  # hints, and the time limit
        return {"hint": str(error)[:TEXT_LIMIT]}
    finally:
        sys.stdout = usual


def names_in(shell):
    """{name: [its type's name, whether it can be called]} of what the notebook has defined."""
    return {
        name: [type(value).__name__, callable(value)]
        for name, value in list(shell.user_ns.items())[:2000]
        if name[:1] != "_" and name not in shell.user_ns_hidden
    }


def child(connection, task, folder, shell):
    """Do what the grader asks for until it hangs up."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.chdir(folder)
    os.environ.update(HOME=folder, TMPDIR=folder)
    if task["memory"] and LINUX:
        limit = memory_of("self")[0] + task["memory"]
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000_000, 100_000_000))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    channel = Channel(connection)
    while True:
        try:
            request = channel.receive()
        except Ended:
            return
        if "run" in request:
            answer = run_cell(shell, request["run"], task["cell_seconds"])
        elif "call" in request:
            answer = call(channel, request, shell.user_ns, task["cell_seconds"])
        elif "names" in request:
            answer = {"names": names_in(shell)}
        else:  # a function's result that comes after the time limit of the call
            continue
        try:
            channel.send(answer | {"id": request["id"]})
        except ValueError as error:
            channel.send({"hint": f"the result is {error}", "id": request["id"]})


# ---- in the parent -------------------------------------------------------------------------------


def closed_to_others(closed):
    """Whether other processes, such as a submission, may not look into or change this one."""
    if LINUX:
        set_dumpable = 4
        ctypes.CDLL(None).prctl(set_dumpable, int(not closed), 0, 0, 0)


def adopt_orphans():
    """Become the parent of processes whose parent dies, so that none outlives its notebook."""
    if LINUX:
        set_child_subreaper = 36
        ctypes.CDLL(None, use_errno=True).prctl(set_child_subreaper, 1, 0, 0, 0)


def started():
    """The ids of all processes that were started from here, directly or through others."""
    if os.getpid() == 1:  # in a view of its own: whoever else is there
        return [int(name) for name in os.listdir("/proc") if name.isdigit() and name != "1"]
    import psutil

    return [process.pid for process in psutil.Process().children(recursive=True)]


def end_all_children():
    """End every process that was started from here."""
    for _ in range(100):
        try:
            if os.getpid() == 1:
                os.kill(-1, signal.SIGKILL)  # all at once, so that none can start another one
            for pid in () if os.getpid() == 1 else started():
                os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:  # those that were adopted, too
                pass
        except ChildProcessError:
            return
        time.sleep(0.01)


def memory_of(pid):
    """Bytes of address space of a process, and of memory that it shares with no file."""
    try:
        size, resident, shared, *_ = map(int, Path(f"/proc/{pid}/statm").read_text().split())
    except OSError:  # it has ended
        return 0, 0
    page = os.sysconf("SC_PAGE_SIZE")
    return size * page, (resident - shared) * page


def too_much(task):
    """Which limit a submission's processes are over, all together; empty if none."""
    pids = started()
    if len(pids) > task["processes"]:
        return f"more than {task['processes']} processes"
    inherited = memory_of("self")[1] if LINUX else 0
    if LINUX and 0 < task["memory"] < sum(max(memory_of(p)[1] - inherited, 0) for p in pids):
        return f"more than {task['memory'] / 1e9:g} GB of memory in several processes"
    return ""


def serve(control, connection, task, shell):
    """Fork, watch until the grader says stop, end and delete what is left; what there is to say."""
    home = os.environ["HOME"]
    folder = tempfile.mkdtemp(dir=home)
    pid = os.fork()
    if pid == 0:
        status = 70
        try:
            control.close()
            closed_to_others(False)
            child(connection, task, folder, shell)
            status = 0
        finally:
            os._exit(status)
    connection.close()
    said = {"why": "", "code": None}
    control.settimeout(0.1)
    while True:
        try:
            control.recv(1)
            break
        except TimeoutError:
            said["why"] = said["why"] or too_much(task)
            if said["why"]:
                end_all_children()
    control.settimeout(None)
    for _ in range(0 if said["why"] else 20):  # one that is about to end may still say how
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            said["code"] = os.waitstatus_to_exitcode(status)
            break
        time.sleep(0.01)
    end_all_children()
    for command in ["chmod", "-R", "u+rwx", home], ["find", home, "-mindepth", "1", "-delete"]:
        subprocess.run(command, stderr=subprocess.DEVNULL)
    return said | {"left": os.listdir(home)[:1]}


def main():
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
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a submission could send it
    adopt_orphans()
    closed_to_others(True)
    control = socket.socket(fileno=os.dup(0))
    control.sendall(json.dumps({"sees": os.path.exists(sys.argv[1])}).encode())
    while True:
        data, handles, _, _ = socket.recv_fds(control, 65536, 1)
        if not data:
            return
        connection = socket.socket(fileno=handles[0])
        said = serve(control, connection, json.loads(data), shell)
        control.sendall(json.dumps(said).encode())


if __name__ == "__main__":
    main()
