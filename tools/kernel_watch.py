"""A pytest plugin: a kernel that died is reported within seconds, and as what it is.

nbval waits for the answer of a kernel until the cell's time-out, also when the kernel was killed
(on Linux most often because the memory was used up).
"""

import time
from queue import Empty

from nbval.kernel import RunningKernel

LOOK_EVERY = 5  # seconds
get_message = RunningKernel.get_message


def get_message_while_alive(kernel, stream: str, timeout: float | None = None):
    """The next message of the kernel, as nbval's own method gets it.

    Raises:
        Empty: none came in `timeout` seconds.
        RuntimeError: the kernel's process has ended.
    """
    end = time.monotonic() + (float("inf") if timeout is None else timeout)
    while True:
        alive = kernel.is_alive()  # asked first: what it said before it died is read
        try:
            left = max(end - time.monotonic(), 0)
            return get_message(kernel, stream, timeout=min(left, LOOK_EVERY))
        except Empty:
            if not alive:
                raise RuntimeError(how_it_ended(kernel)) from None
            if time.monotonic() >= end:
                raise


def how_it_ended(kernel) -> str:
    process = getattr(getattr(kernel, "km", None), "provisioner", None)
    status = getattr(getattr(process, "process", None), "returncode", None)
    if status is not None and status < 0:
        memory = ": is there enough memory?" if status == -9 else ""
        return f"the kernel was killed (signal {-status}){memory}"
    return f"the kernel ended in the middle of the cell (exit status {status})"


def pytest_configure() -> None:
    RunningKernel.get_message = get_message_while_alive
