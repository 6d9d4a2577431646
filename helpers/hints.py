"""Checks that teach: an answer is compared with the right one and with known mistakes.

The assignments call ``check_answer`` with the *name* of a function that a student wrote, arguments,
the right result, and for each common mistake the result that this mistake gives::

    doubled = "You doubled; to square is to multiply by itself."
    hints.check_answer("square", (3,), 9, mistakes={doubled: 6})

Nothing happens when the result is right. Otherwise a ``Hint`` is raised that says what to look at:
the text of the mistake whose result came out, or what differs: type, shape, number type, the first
wrong entry. A missing function, an exception, a warning of NumPy's and an argument that was changed
in place have hints of their own.

Numbers are compared in plain Python by what this module took hold of when it was imported, so that
a notebook which replaces ``np.allclose`` replaces nothing here.
"""

import contextlib
import copy
import difflib
import inspect
import io
import linecache
import math
import sys
import traceback
import warnings
from types import MappingProxyType

import numpy as np
from numpy import asarray, ndarray, unravel_index

__all__ = ["Hint", "array", "call", "check_answer", "require"]

NO_MISTAKES = MappingProxyType({})
NO_NUMBERS = (TypeError, ValueError, OverflowError, RuntimeError)  # from what is no array of them
TOLERANCE = 1e-5  # largest difference of two numbers, as a share of 1 + |right number|


class Hint(AssertionError):
    """A failed check, shown as one sentence instead of a traceback."""

    def _render_traceback_(self):  # looked for by IPython
        return [f"Hint: {self}"]


def check_answer(target, arguments, right, *, mistakes=NO_MISTAKES):
    """Call what the student wrote and compare its result.

    Args:
        target: the name of a function in the calling notebook, or something to call.
        arguments: a tuple of positional arguments. The function gets copies.
        right: the right result: a number, text, array, tensor, or a tuple or dict of such. A tensor
            asks for a tensor of its number type, an array for its number type where an array is
            returned, a nested list of numbers for the numbers alone.
        mistakes: text of a hint -> the result that this mistake gives. In a dict of results, the
            keys that matter are enough; an array or a tensor stands for its number type, too.

    Raises:
        Hint: the answer is not right.
    """
    name, function = _find(target, sys._getframe(1).f_globals)
    found = call_named(name, function, arguments)
    problem = _difference(found, right)
    if problem is None:
        return
    for hint, wrong in mistakes.items():
        if _difference(found, wrong, loosely=not hasattr(wrong, "dtype")) is None:
            raise Hint(hint)
    raise Hint(f"`{name}`: {problem}.")


def call(target, *arguments):
    """Call what the student wrote, with copies of the arguments, and return the result.

    Raises:
        Hint: there is no such function, it raised or warned, or it changed an argument in place.
    """
    return call_named(*_find(target, sys._getframe(1).f_globals), arguments)


def array(value, name):
    """A result as a NumPy array of numbers, for a check that compares it itself.

    Raises:
        Hint: it is none.
    """
    try:
        return _as_array(value)
    except NO_NUMBERS:
        raise Hint(f"`{name}`: expected an array of numbers, got {_kind(value)}.") from None


def require(condition, hint):
    """Raise ``Hint(hint)`` unless the condition is true."""
    if not condition:
        raise Hint(hint)


# ---- calling -------------------------------------------------------------------------------------


def _find(target, names):
    """A target's name and the callable itself; a name is looked up among `names`.

    In the grader the answers are in another process, and the check's globals hold their stand-ins.
    """
    if not isinstance(target, str):
        return getattr(target, "__name__", type(target).__name__), target
    names = names.get("__answers__", names)
    if target not in names:
        others = [name for name, value in names.items() if callable(value) and name[:1] != "_"]
        near = difflib.get_close_matches(target, others, n=1)
        guess = f" There is a `{near[0]}`: is that it?" if near else ""
        raise Hint(
            f"There is no `{target}` here. The checks look for exactly this name: was it renamed, "
            f"or its cell deleted or not run?{guess}"
        )
    if not callable(names[target]):
        kind = type(names[target]).__name__
        raise Hint(
            f"`{target}` is a {kind}, not a function: has something else been given its name?"
        )
    return target, names[target]


def call_named(name, function, arguments):
    """``call`` for a function that goes by this name."""
    given = copy.deepcopy(tuple(arguments))
    before = [_fingerprint(value) for value in given]
    stderr = io.StringIO()  # what is printed there would count as a failure in the grader
    try:
        with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stderr(stderr):
            warnings.simplefilter("always")
            found = function(*given)
    except NotImplementedError:
        raise Hint(
            f"`{name}` is still to be written: replace the line `raise NotImplementedError()`."
        ) from None
    except Hint:
        raise
    except (Exception, SystemExit) as error:
        raise Hint(_describe_error(name, error, given)) from None
    for warning in caught:
        if issubclass(warning.category, RuntimeWarning):
            raise Hint(
                f"`{name}` made NumPy warn: {warning.message}. A result may be right by luck after "
                "that; find the operation and a form of it that stays in range."
            )
    for place, (old, value) in enumerate(zip(before, given, strict=True)):
        if _fingerprint(value) != old:
            raise Hint(
                f"`{name}` changed its argument {_argument(function, place)} in place. The caller "
                "still needs the old values: build a new array instead (`a = a + b`, not `a += b`)."
            )
    return found


def _argument(function, place):
    try:
        return f"`{list(inspect.signature(function).parameters)[place]}`"
    except (TypeError, ValueError, IndexError):
        return f"number {place + 1}"


def _describe_error(name, error, given):
    text = f"`{name}` stopped with {type(error).__name__}: {str(error)[:300]}"
    where = ""
    for frame in traceback.extract_tb(error.__traceback__):
        line = linecache.getline(frame.filename, frame.lineno).strip()
        if line and ("ipykernel" in frame.filename or "ipython-input" in frame.filename):
            where = f" (line {frame.lineno} of your cell: `{line[:100]}`)"
    text += where + "."
    shapes = [tuple(value.shape) for value in given if hasattr(value, "shape")]
    said = str(error).lower()
    if isinstance(error, (ValueError, RuntimeError)) and ("shape" in said or "dimension" in said):
        text += f" The arrays that it got have the shapes {shapes}."
        if "matmul" in said or "mat1" in said or "align" in said:
            text += (
                " In a product with weights, vectors lie in rows, so W x reads `x @ W.T`; a wrong "
                "axis or a wrong slice of an array gives such an error, too."
            )
    return text


def _fingerprint(value):
    """The content of a value, to notice that it was changed."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if isinstance(value, ndarray):
        return value.shape, str(value.dtype), value.tobytes()
    if isinstance(value, dict):
        return [(key, _fingerprint(entry)) for key, entry in value.items()]
    if isinstance(value, (list, tuple)):
        return [_fingerprint(entry) for entry in value]
    return value if isinstance(value, (int, float, str, bool, type(None))) else None


# ---- comparing -----------------------------------------------------------------------------------


def _difference(found, right, loosely=False):
    """What differs, as the middle of a sentence; None when nothing does.

    `loosely` is for mistakes: a dict may have further keys, and number types do not matter.
    """
    if found is None and right is not None:
        return "the result is None. Is there a `return`"
    if isinstance(right, (dict, tuple)):
        return _differing_parts(found, right, loosely)
    if isinstance(right, str):
        return None if found == right else f"got {_short(found)}, right is {right!r}"
    if isinstance(right, (bool, np.bool_)):
        same = isinstance(found, (bool, np.bool_)) and bool(found) == bool(right)
        return None if same else f"got {_short(found)}, right is {right}"
    if isinstance(right, (int, float, np.number)):
        return _differing_numbers(found, right)
    return _differing_arrays(found, right, loosely)


def _short(value):
    text = repr(value)
    return text if len(text) < 80 else f"a {type(value).__name__} ({text[:60]} ...)"


def _differing_parts(found, right, loosely):
    kind = "dict" if isinstance(right, dict) else "tuple"
    if not isinstance(found, dict if kind == "dict" else (tuple, list)):
        return f"expected a {kind} with {len(right)} entries, got {_kind(found)}"
    if kind == "tuple":
        if len(found) != len(right):
            return f"expected {len(right)} values, got {len(found)}"
        found, right = dict(enumerate(found)), dict(enumerate(right))
    elif not loosely and set(found) != set(right):
        return f"expected the keys {sorted(right)}, got {sorted(map(str, found))}"
    for key, value in right.items():
        if key not in found:
            return f"there is no entry {key!r}"
        problem = _difference(found[key], value, loosely)
        if problem is not None:
            entry = f"in value {key + 1}" if kind == "tuple" else f'in "{key}"'
            return f"{entry}: {problem}"
    return None


def _differing_numbers(found, right):
    if hasattr(found, "shape") and tuple(found.shape) == ():
        found = found.item()
    if isinstance(found, bool) or not isinstance(found, (int, float, np.number)):
        return f"expected one number, got {_kind(found)}"
    if isinstance(found, int) and abs(found) > sys.float_info.max:
        return f"got a whole number with more than 300 digits, right is {right:.6g}"
    if (
        isinstance(found, (float, np.floating))
        and math.isfinite(right)
        and not math.isfinite(found)
    ):
        return f"got {found}, right is {right:.6g}"
    if isinstance(right, int) and found != int(found):
        return f"expected a whole number, {right}, got {found}"
    exact = isinstance(right, int)
    same = found == right if exact else _close(float(found), float(right))
    return None if same else f"got {found:.6g}, right is {right:.6g}"


def _differing_arrays(found, right, loosely):
    wants_tensor, wants_array = hasattr(right, "detach"), isinstance(right, ndarray)
    if not loosely and wants_tensor and not isinstance(found, type(right)):
        return f"expected a PyTorch tensor, got {_kind(found)}"
    if not loosely and wants_array and hasattr(found, "detach"):
        return f"expected a NumPy array, got {_kind(found)}"
    try:
        a, b = _as_array(found), _as_array(right)
    except NO_NUMBERS:
        return f"expected an array of numbers, got {_kind(found)}"
    if a.shape != b.shape:
        return f"expected the shape {b.shape}, got {a.shape}"
    typed = wants_tensor or (wants_array and isinstance(found, ndarray))
    if not loosely and typed and a.dtype != b.dtype:
        if b.dtype == bool:
            return f"expected true and false (type bool), got {a.dtype}. A comparison gives them"
        return (
            f"expected numbers of type {b.dtype}, as in the input, got {a.dtype}. A new array "
            "(`np.zeros(...)`, `np.array(...)`) has a type of its own unless you give it one"
        )
    pairs = list(zip(a.ravel().tolist(), b.ravel().tolist(), strict=True))
    wrong = [k for k, (x, y) in enumerate(pairs) if not _close(x, y)]
    if not wrong:
        return None
    place = [int(i) for i in unravel_index(wrong[0], b.shape)]
    x, y = pairs[wrong[0]]
    return (
        f"entry {place} is {x:.6g}, right is {y:.6g}; {len(wrong)} of {len(pairs)} "
        f"entr{'y is' if len(wrong) == 1 else 'ies are'} wrong"
    )


def _as_array(value):
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    array = asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError
    return array


def _close(x, y):
    if x == y or (math.isnan(x) and math.isnan(y)):
        return True
    return abs(x - y) <= TOLERANCE * (1 + abs(y))  # false for nan and infinity


def _kind(value):
    if hasattr(value, "detach"):
        return f"a PyTorch tensor of shape {tuple(value.shape)}"
    if isinstance(value, ndarray):
        return f"a NumPy array of shape {value.shape}"
    return f"a {type(value).__name__}"
