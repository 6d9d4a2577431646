"""What passes between the grader and a submission: plain values, as JSON, over a socket.

Plain are None, booleans, numbers, text, lists, tuples, dicts, and NumPy arrays and PyTorch tensors
of numbers. They are built anew on the other side; nothing is unpickled. What NumPy takes for an
array of numbers, such as a Series, arrives as one. Anything else arrives as an object of an empty
class that only has the name of the original's: it equals no right answer.
"""

import base64
import json
import math
import socket
import time

import numpy as np
from numpy import asarray

LARGEST = 8_000_000  # bytes of one message
MOST_KEYS = 1000  # of a dict: a submission may choose them so that each costs more than the last
NUMBERS = {np.dtype(code).str for code in "?bBhHiIlLqQefd"}  # every type that an array may have
KEYS = (str, int, float, bool, type(None))


class Ended(Exception):
    """The other side is gone, or says what cannot be understood."""


class Channel:
    """Messages over a socket, each with its length before it."""

    def __init__(self, connection: socket.socket):
        self.socket = connection

    def send(self, message: dict) -> None:
        data = json.dumps(message).encode()
        if len(data) > LARGEST:
            raise ValueError(f"a value of more than {LARGEST // 10**6} MB")
        self.socket.sendall(len(data).to_bytes(8, "big") + data)

    def receive(self, until: float = math.inf) -> dict:
        """The next message; it must be complete when the clock `time.monotonic` shows `until`.

        Raises:
            Ended: the other side is gone, or sent no message.
            TimeoutError: too late.
        """
        size = int.from_bytes(self._read(8, until), "big")
        if size > LARGEST:
            raise Ended("a message that is too long")
        try:
            message = json.loads(self._read(size, until))
        except (ValueError, RecursionError):
            raise Ended("a message that cannot be read") from None
        if not isinstance(message, dict):
            raise Ended("a message that cannot be read")
        return message

    def _read(self, size: int, until: float) -> bytes:
        data = b""
        while len(data) < size:
            if until < math.inf:
                left = until - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                self.socket.settimeout(left)
            try:
                piece = self.socket.recv(size - len(data))
            except TimeoutError:
                raise
            except OSError:
                piece = b""
            if not piece:
                raise Ended("it ended its process")
            data += piece
        return data


def encode(value, functions: list | None = None):
    """A value for JSON. Callables join the list `functions`, where there is one."""
    if value is None or isinstance(value, bool):
        return value
    for kind in (int, float, str):
        if isinstance(value, kind) and not isinstance(value, np.generic):
            return kind(value)
    if isinstance(value, np.generic):
        return _array(value, "scalar")
    if isinstance(value, np.ndarray):
        return _array(value, "array")
    if hasattr(value, "detach"):
        try:
            return _array(value.detach().cpu().numpy(), "tensor")
        except (TypeError, RuntimeError):
            return _foreign(value)
    if isinstance(value, (list, tuple, range)):
        name = "tuple" if isinstance(value, tuple) else "list"
        return {name: [encode(entry, functions) for entry in value]}
    if isinstance(value, dict):
        if len(value) > MOST_KEYS or not all(isinstance(key, KEYS) for key in value):
            return _foreign(value)
        return {"dict": [[encode(k), encode(v, functions)] for k, v in value.items()]}
    if callable(value) and functions is not None:
        functions.append(value)
        return {"function": len(functions) - 1}
    try:
        return _array(value, "array")
    except Exception:  # it may run any code, but this is the submission's own process
        return _foreign(value)


def _foreign(value):
    return {"foreign": type(value).__name__}


def _array(value, name):
    array = asarray(value)
    array = array.astype(array.dtype.newbyteorder("="), order="C")
    if array.dtype.str not in NUMBERS:
        return _foreign(value) if array.dtype == object else {"foreign": array.dtype.name}
    data = base64.b64encode(array.tobytes()).decode()
    return {name: [array.dtype.str, list(array.shape), data]}


def decode(message, function=None):
    """The value again. `function` makes something to call from the number of a callable.

    Raises:
        ValueError: this is no message that `encode` writes.
    """
    if message is None or isinstance(message, KEYS):
        return message
    if not isinstance(message, dict) or len(message) != 1:
        raise ValueError("not a plain value")
    (name, content), *_ = message.items()
    if name in ("scalar", "array", "tensor"):
        code, shape, data = content
        if code not in NUMBERS or not all(type(size) is int and size >= 0 for size in shape):
            raise ValueError("not an array of numbers")
        raw = base64.b64decode(data, validate=True)
        array = np.frombuffer(raw, np.dtype(code)).reshape(shape).copy()
        if name == "tensor":
            import torch

            return torch.from_numpy(array)
        return array if name == "array" else array[()]
    if name == "list":
        return [decode(entry, function) for entry in content]
    if name == "tuple":
        return tuple(decode(entry, function) for entry in content)
    if name == "dict":
        if len(content) > MOST_KEYS:
            raise ValueError("too many keys")
        pairs = [(decode(key), decode(entry, function)) for key, entry in content]
        if not all(isinstance(key, KEYS) for key, _ in pairs):
            raise ValueError("not a key")
        return dict(pairs)
    if name == "function" and function is not None:
        return function(int(content))
    if name == "foreign":
        return type(str(content)[:60], (), {})()
    raise ValueError("not a plain value")
