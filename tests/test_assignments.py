"""The assignments and their autograder.

The grader is tested through what `make grade` calls: full marks for the reference, none for the
empty release, and for every answer in `wrong_answers` exactly the points that it should cost.
"""

import ast
import collections
import contextlib
import hashlib
import inspect
import io
import json
import math
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch
import tricks
import wrong_answers

from helpers import hints

pytest.importorskip("nbgrader")
from tools import assignments, grade, publish
from tools.grading import box, intake, marks, plain, restore
from tools.grading.course import Course
from tools.grading.runner import Limits, Runner

ROOT = Path(__file__).resolve().parent.parent
NAMES = assignments.names()
SERIES = sorted(path.stem for path in (ROOT / "notebooks").glob("0*.ipynb"))
each = pytest.mark.parametrize("name", NAMES)
LIMITS = Limits(seconds=90, cell_seconds=1)


@pytest.fixture(scope="module")
def runner():
    with Runner(LIMITS) as runner:
        yield runner


def source(name):
    return assignments.read(assignments.path_of("source", name))


def release(name):
    return assignments.read(assignments.path_of("release", name))


def cells_of(notebook, role):
    wanted = {"check": (True, False), "written": (True, True), "solution": (False, True)}[role]
    found = [
        c
        for c in notebook.cells
        if (c.metadata.nbgrader.grade, c.metadata.nbgrader.solution) == wanted
    ]
    return {cell.metadata.nbgrader.grade_id: cell for cell in found}


def changed(name, *edits):
    """The reference's cells with edits (cell, old, new), as in `wrong_answers`."""
    cells = marks.reference_cells(name)
    for cell, old, new in edits:
        place = next(k for k, (grade_id, _, _) in enumerate(cells) if grade_id == cell)
        grade_id, kind, text = cells[place]
        if new is None:
            del cells[place]
            continue
        assert old is None or old in text, f"{old!r} is not in {cell}"
        cells[place] = grade_id, kind, new if old is None else text.replace(old, new)
    return cells


# --- what a notebook must be ---------------------------------------------------------------------


def test_one_assignment_a_notebook():
    assert len(NAMES) == 5
    assert set(SERIES) <= set(NAMES)


@each
def test_parts_points_and_ids(name):
    notebook = source(name)
    ids = [cell.metadata.nbgrader.grade_id for cell in notebook.cells]
    assert len(ids) == len(set(ids)) and ids == [cell.id for cell in notebook.cells]
    checks, written = cells_of(notebook, "check"), cells_of(notebook, "written")
    assert 4 <= len(checks) + len(written) <= 7 and written
    points = [c.metadata.nbgrader.points for c in (*checks.values(), *written.values())]
    assert sum(points) == 20 and min(points) >= 2
    rows = re.findall(r"^\| (\d) \| .+? \| (\d) \|$", notebook.cells[0].source, re.MULTILINE)
    assert [int(number) for _, number in rows] == points, "the table at the top"
    headings = re.findall(r"^## Part \d: .+ \((\d) points\)", text_of(notebook), re.MULTILINE)
    assert [int(number) for number in headings] == points, "the headings"


def text_of(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


@each
def test_written_answers_have_a_rubric(name):
    for cell in cells_of(source(name), "written").values():
        assert "**A full answer.**" in cell.source and "**To mark.**" in cell.source
    question = text_of(release(name)).split("own words (4 points)")[1]
    rubric = re.findall(r"^\| (\d) \| .{20,}\|$", question, re.MULTILINE)
    assert sum(map(int, rubric)) == 4
    assert "A full answer" not in text_of(release(name))


@each
def test_every_check_has_hidden_tests_and_hints(name):
    for grade_id, cell in cells_of(source(name), "check").items():
        shown, hidden = cell.source.split("### BEGIN HIDDEN TESTS")
        assert re.search(r"^from helpers import .*\bhints$", shown, re.MULTILINE), (
            "a notebook may have overwritten the name"
        )
        assert re.search(r"hints\.(check_answer|require)\(", shown), grade_id
        assert re.search(r"(_others|check_memory)\(|hints\.check_answer\(", hidden), grade_id


@each
def test_release_has_no_solution_and_no_traces(name):
    notebook, path = release(name), assignments.path_of("release", name)
    text = path.read_text(encoding="utf-8")
    folders = [f"/{name}/" for name in ("home", "work", "tmp", "root")]
    for word in ("BEGIN SOLUTION", "HIDDEN", "_others", *folders):
        assert word not in text, word
    for cell in notebook.cells:
        assert not cell.get("outputs") and cell.get("execution_count") is None
    for grade_id, cell in cells_of(source(name), "solution").items():
        answer = re.findall(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", cell.source, re.DOTALL)
        released = cells_of(notebook, "solution")[grade_id].source
        assert len(answer) == 1 and "raise NotImplementedError()" in released
        assert not any(line.strip() in released for line in answer[0].splitlines() if line.strip())


@each
def test_set_up_cell_is_that_of_the_series(name):
    first = [
        next(cell.source for cell in notebook.cells if cell.cell_type == "code")
        for notebook in (assignments.read(assignments.SET_UP_FROM), release(name))
    ]
    assert first[0] == first[1]


@each
def test_release_has_a_colab_badge(name):
    badge = publish.written_down().assignment_badge(name)
    assert release(name).cells[0].source.splitlines()[2] == badge


@each
def test_students_need_nothing_but_the_series(name):
    wanted = set()
    code = [c.source for c in release(name).cells if c.cell_type == "code"]
    for node in ast.walk(ast.parse("\n".join(code[1:]))):  # all but the set-up cell
        if isinstance(node, ast.Import):
            wanted |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            wanted.add(node.module)
    assert wanted <= {"helpers", "numpy", "torch"}
    imported = re.findall(r"^(?:import|from) (\w+)", Path(hints.__file__).read_text(), re.MULTILINE)
    assert set(imported) - set(sys.stdlib_module_names) == {"numpy"}


# --- the release is written from the source ------------------------------------------------------


def test_release_is_current_and_reproducible():
    texts = assignments.wanted()
    assert texts == assignments.wanted()
    for path, text in texts.items():
        assert path.read_text(encoding="utf-8") == text, f"make assignments: {path.name}"


def test_check_notices_a_stale_release(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "assignments"
    shutil.copytree(assignments.FOLDER, folder)
    monkeypatch.setattr(assignments, "FOLDER", folder)
    monkeypatch.setattr(assignments, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["assignments", "--check"])
    assert assignments.main() == 0
    path = assignments.path_of("source", NAMES[0])
    path.write_text(path.read_text().replace("reversed(range(len(x)))", "range(len(x))[::-1]"))
    assert assignments.main() == 0, "a change of the solution alone changes no release"
    path.write_text(path.read_text().replace("the loop over time", "the loop over all time"))
    assert assignments.main() == 1
    assert "make assignments" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["assignments"])
    assert assignments.main() == 0
    monkeypatch.setattr(sys, "argv", ["assignments", "--check"])
    assert assignments.main() == 0
    extra = folder / "release" / NAMES[0] / "solution.py"
    extra.write_text("pass")
    assert assignments.main() == 1


# --- points --------------------------------------------------------------------------------------


@each
def test_reference_earns_all_and_empty_release_nothing(name, runner):
    marks.canary(name, runner)
    full = marks.grade_cells(marks.reference_cells(name), "s", name, runner)
    assert full.score == 16 and full.unread == 4 and full.seconds < 5 * 6
    assert not full.remarks and full.status == "graded"
    empty = marks.grade_cells(marks.reference_cells(name, "release"), "s", name, runner)
    assert empty.score == 0 and empty.unread == 0
    for part in empty.automatic.values():
        assert "still to be written" in part.hint


@pytest.mark.parametrize(
    "answer", wrong_answers.ANSWERS, ids=lambda a: f"{a.assignment[:2]} {a.label}"
)
def test_wrong_answer_loses_exactly_its_points(answer, runner):
    result = marks.grade_cells(
        changed(answer.assignment, *answer.edits), "s", answer.assignment, runner
    )
    found = {name: part.points for name, part in result.automatic.items()}
    right = {
        name: 0.0 if name in answer.costs else part.most for name, part in result.automatic.items()
    }
    assert found == right, {name: part.hint for name, part in result.automatic.items()}
    for name, phrase in answer.costs.items():
        assert phrase in result.parts[name].hint


@pytest.mark.parametrize(
    "answer", wrong_answers.ALSO_RIGHT, ids=lambda a: f"{a.assignment[:2]} {a.label}"
)
def test_unusual_right_answers_lose_nothing(answer, runner):
    cells = changed(answer.assignment, *answer.edits)
    result = marks.grade_cells(cells, "s", answer.assignment, runner)
    assert result.score == 16 and not result.remarks, [p.hint for p in result.parts.values()]


def compared(name, monkeypatch):
    """{check: [shown, hidden]}, both a list of what is compared: (right, mistakes, arguments)."""
    names, found = {}, {}

    def record(target, arguments, right, *, mistakes=hints.NO_MISTAKES):
        rows.append((right, mistakes, arguments))

    monkeypatch.setattr(hints, "check_answer", record)
    for cell in source(name).cells:
        if cell.cell_type != "code" or cell.metadata.nbgrader.grade_id == "set-up":
            continue
        halves = cell.source.split("### BEGIN HIDDEN TESTS")
        for half in halves:
            rows = []
            exec(half, names)
            if cell.metadata.nbgrader.grade:
                found.setdefault(cell.metadata.nbgrader.grade_id, []).append(rows)
    return found


def same(a, b):
    """Whether one result could be taken for both of two mistakes."""
    if isinstance(a, dict) and isinstance(b, dict):
        common = set(a) & set(b)
        return bool(common) and all(same(a[key], b[key]) for key in common)
    return hints._difference(a, b, loosely=True) is None


@each
def test_every_mistake_has_a_result_of_its_own(name, monkeypatch):
    for check, halves in compared(name, monkeypatch).items():
        for right, mistakes, _ in (row for rows in halves for row in rows):
            wrong = list(mistakes.items())
            for place, (hint, result) in enumerate(wrong):
                typed = hasattr(result, "dtype") and hints._difference(result, right)
                assert typed or not same(right, result), (check, hint)
                for other, further in wrong[:place]:
                    assert not same(result, further), (check, hint, other)


def demands(value):
    """The types that a right result asks for; a list of numbers asks for none."""
    if isinstance(value, (dict, tuple)):
        parts = value.values() if isinstance(value, dict) else value
        return set().union(*map(demands, parts))
    return {type(value).__name__} if hasattr(value, "dtype") else set()


def called_with(arguments):
    """The names that functions among the arguments give to their own."""
    signatures = (inspect.signature(a).parameters.values() for a in arguments if callable(a))
    return {tuple(p.name for p in found if p.default is p.empty) for found in signatures}


@each
def test_hidden_checks_ask_for_no_more_than_the_example(name, monkeypatch):
    for check, (shown, hidden) in compared(name, monkeypatch).items():
        asked = set().union(*(demands(right) for right, _, _ in shown))
        names = set().union(*(called_with(arguments) for _, _, arguments in shown))
        for right, _, arguments in hidden:
            assert demands(right) <= asked, check
            assert called_with(arguments) <= names, check


class Thing:
    pass


ODD = (
    None, "x", b"x", 0, -1, True, 1j, math.nan, math.inf, 10**400, [10**400], (10**400, 10**400),
    ("better", 10**400), {"a": 10**400}, [], (), {}, [None], [[1], [2, 3]], ([], [*range(40)]),
    Thing(), np.array(["a"]), np.zeros(0), torch.zeros(3), collections.deque([1, 2]),
    {"W_x": [[10**400] * 2] * 3, "W_h": "x", "b_x": None, "b_h": []},
)  # fmt: skip


@each
def test_a_strange_result_gets_a_hint_and_breaks_no_check(name):
    names, cells = {}, [c for c in source(name).cells if c.cell_type == "code"]
    checks = cells_of(source(name), "check")
    for cell in cells:
        if cell.metadata.nbgrader.grade_id not in {"set-up", *checks}:
            exec(cell.source, names)
    for check, cell in checks.items():
        for target in set(re.findall(r'hints\.(?:check_answer|call)\(\s*"(\w+)"', cell.source)):
            right = names[target]
            for odd in ODD:
                names[target] = lambda *_, odd=odd: odd
                with pytest.raises(hints.Hint):
                    exec(cell.source, names)
                    pytest.fail(f"{check} takes {odd!r} for an answer")
            names[target] = right


def test_wrong_answers_are_many_and_each_check_is_hit():
    answers = wrong_answers.ANSWERS
    assert len(answers) >= 130
    for name in NAMES:
        hit = {check for a in answers if a.assignment == name for check in a.costs}
        assert hit == set(cells_of(source(name), "check"))
    labels = " ".join(answer.label for answer in answers)
    for kind in (
        "inverted gate", "reset in the wrong place", "missing transpose", "last padded step",
        "leaky scaler", "shuffled time", "off by one", "hard-coded result", "patched np.allclose",
        "endless loop", "deleted cell", "renamed function", "huge output", "wrong dtype",
        "in-place change of the input",
    ):  # fmt: skip
        assert kind in labels, kind


def test_huge_output_is_cut(runner):
    name = wrong_answers.LSTM
    flood = "for _ in range(50_000):\n    print('x' * 100)\n"
    result = marks.grade_cells(
        changed(name, ("solution-count", "def count_parameters", flood + "def count_parameters")),
        "s", name, runner,
    )  # fmt: skip
    assert result.score == 16
    assert len(json.dumps(result.notebook)) < 100_000
    assert "more characters" in json.dumps(result.notebook)


def test_huge_output_of_many_cells_is_cut_and_hides_no_failure(runner):
    name = wrong_answers.RNN
    flood = "out = {'output_type': 'execute_result', 'text': 'x' * 19_000}\n"
    flood = (None, "code", flood + "get_ipython().collected += [out] * 90")
    cells = [*[flood] * 8, *marks.reference_cells(name, "release")]
    result = marks.grade_cells(cells, "s", name, runner)
    assert result.score == 0 and len(json.dumps(result.notebook)) < 8_000_000


def test_a_dict_cannot_keep_the_grader_busy():
    """All these keys have one hash: a hundred thousand of them take a quarter of an hour."""
    pairs = [[k * sys.hash_info.modulus, 0] for k in range(2000)]
    with pytest.raises(ValueError, match="too many keys"):
        plain.decode({"dict": pairs})
    assert plain.encode(dict(pairs)) == {"foreign": "dict"}


FUNCTIONS = {"count": "count_parameters", "step": "rnn_step", "run": "run", "bptt": "bptt"}


@pytest.mark.parametrize("label", tricks.TRICKS)
def test_tricks_win_nothing(label, runner):
    """Answers that are not there, and something that should hide it."""
    name, trick = wrong_answers.RNN, tricks.TRICKS[label]
    code, phrase = (trick, "") if isinstance(trick, str) else trick
    edits = [
        (f"solution-{part}", None, f"def {function}(*arguments):\n    return answer(*arguments)")
        for part, function in (FUNCTIONS | {"clip": "clip"}).items()
    ]
    first = f"ROOT = {str(ROOT)!r}\n\n\ndef answer(*arguments):\n    return 0\n\n{code}\n\n"
    edits[0] = (edits[0][0], None, first + edits[0][2])
    before = fingerprint(ROOT / "helpers"), sorted(os.listdir(ROOT))
    result = marks.grade_cells(changed(name, *edits), "s", name, runner)
    assert result.score == 0, {part: p.points for part, p in result.parts.items()}
    assert phrase in " ".join([result.status, *result.remarks]), result.remarks
    if runner.hidden:
        assert (fingerprint(ROOT / "helpers"), sorted(os.listdir(ROOT))) == before
    if label in ("errors are not shown", "a patched run_cell"):  # the next one is not disturbed
        assert marks.grade_cells(marks.reference_cells(name), "s", name, runner).score == 16


def test_a_result_that_cannot_leave_its_process_is_no_accusation(runner):
    name = wrong_answers.STOCK
    odd = changed(name, ("solution-scale", "return 2", "prices = prices.astype('g')\n    return 2"))
    result = marks.grade_cells(odd, "s", name, runner)
    assert result.parts["check-scale"].points == 0
    assert (
        "with a result of the type float" in result.remarks[0] and "yourself" in result.remarks[0]
    )


def test_what_is_given_to_a_function_tells_nothing(runner):
    """Assignment 5 passes functions whose names and code would be the answer."""
    name = wrong_answers.STOCK
    code = (
        "def looks_ahead(feature, prices, today):\n"
        "    found = [feature.__name__, feature.__doc__, *feature.__code__.co_names]\n"
        "    found += [str(cell.cell_contents) for cell in feature.__closure__ or ()]\n"
        "    return 'return_to_come' in str(found) or 'max' in str(found)"
    )
    result = marks.grade_cells(changed(name, ("solution-leak", None, code)), "s", name, runner)
    assert result.parts["check-leak"].points == 0 and result.score == 14


# --- what a submission may do to the machine -----------------------------------------------------


def with_first_lines(name, lines):
    return changed(
        name, ("solution-count", "def count_parameters", lines + "\ndef count_parameters")
    )


def test_a_crash_costs_what_comes_after_it(runner):
    name = wrong_answers.RNN
    lines = "import os\n\n\ndef bptt(*_):\n    os._exit(3)"
    result = marks.grade_cells(changed(name, ("solution-bptt", None, lines)), "s", name, runner)
    assert result.status == "crashed in check-bptt" and result.score == 8
    assert "exit status 3" in result.remarks[0]
    assert "ended the run" in result.parts["check-bptt"].hint
    assert "not run" in result.parts["check-clip"].hint


def test_a_crash_in_a_call_is_told_of_its_own_check(runner):
    name = wrong_answers.RNN
    lines = "import os\ncalls = []\n\n\ndef count_parameters(*_):\n    if calls:\n"
    lines += "        os._exit(3)\n    calls.append(1)\n    return 77"
    cells = changed(name, ("solution-count", None, lines))
    result = marks.grade_cells(cells, "s", name, runner)
    assert result.status == "crashed in check-count" and len(result.remarks) == 1


def test_a_cell_that_cannot_be_stopped_ends_the_run_at_the_limit(runner, monkeypatch):
    name = wrong_answers.RNN
    lines = (
        "while True:\n    try:\n        while True:\n            pass\n"
        "    except BaseException:\n        pass"
    )
    monkeypatch.setattr(runner, "limits", Limits(seconds=5, cell_seconds=0.5))
    result = marks.grade_cells(changed(name, ("solution-clip", None, lines)), "s", name, runner)
    again = marks.grade_cells(marks.reference_cells(name), "s", name, runner)
    assert result.status == "too long in solution-clip" and result.score == 13
    assert again.score == 16


def test_the_grader_survives_being_killed(runner):
    name = wrong_answers.RNN
    lines = "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)"
    result = marks.grade_cells(with_first_lines(name, lines), "s", name, runner)
    assert result.status in ("crashed in solution-count", "graded")
    again = marks.grade_cells(marks.reference_cells(name), "s", name, runner)
    assert again.score == 16


@pytest.mark.parametrize(
    "lines",
    [
        "os.chmod(os.path.dirname(os.getcwd()), 0)",
        "os.makedirs('a/b'), open('a/b/answers.py', 'w').close(), os.chmod('a/b', 0)",
        "os.symlink('/usr', '../link')",
        "for _ in range(1500):\n    os.mkdir('d')\n    os.chdir('d')",
        "import ctypes\nlibc = ctypes.CDLL(None)\nlibc.shmget(4242, 4096, 0o1600)\n"
        "libc.syscall(248, b'user', b'solution', b'x', 1, -4)",  # a key, on x86_64
        "import contextlib\nwith contextlib.suppress(OSError):\n"
        "    os.setxattr('..', b'user.solution', b'x' * 1000)",
    ],
)
def test_what_one_leaves_behind_is_gone_for_the_next(lines, runner):
    name = wrong_answers.RNN
    marks.grade_cells(with_first_lines(name, f"import os\n{lines}"), "s", name, runner)
    alone = "import ctypes, os\nassert os.listdir('..') == [os.path.basename(os.getcwd())]"
    if runner.hidden:
        alone += "\nlibc = ctypes.CDLL(None)\nassert libc.shmget(4242, 4096, 0) == -1"
        alone += "\nassert libc.syscall(249, b'user', b'solution', None, -4) == -1"
        alone += "\nassert not os.listxattr('..')"
    again = marks.grade_cells(with_first_lines(name, alone), "s", name, runner)
    assert again.score == 16, again.parts["check-count"].hint


def test_a_crash_before_anything_of_the_student_is_the_graders(runner, monkeypatch):
    name = wrong_answers.RNN
    monkeypatch.setattr(runner, "limits", LIMITS)  # so that it is put back at the end
    limits, ready = [Limits(memory=10**30), LIMITS], runner._ready
    monkeypatch.setattr(
        runner, "_ready", lambda: (ready(), setattr(runner, "limits", limits.pop(0)))
    )
    assert marks.grade_cells(marks.reference_cells(name), "s", name, runner).score == 16
    limits[:] = [Limits(memory=10**30)] * 2
    with pytest.raises(RuntimeError, match="the grader's own first cell crashed in set-up"):
        marks.grade_cells(marks.reference_cells(name), "s", name, runner)


def test_calls_back_cannot_keep_the_grader_busy(runner, monkeypatch):
    name = wrong_answers.RNN
    wide = "def run(step, x, h):\n    return step(np.zeros((4000, 1)), np.zeros((1, 4000)))"
    result = marks.grade_cells(changed(name, ("solution-run", None, wide)), "s", name, runner)
    assert result.score == 13 and "more than 3,000 entries" in result.parts["check-run"].hint
    lines = (
        "def run(step, x, h):\n    while step.__name__ == 'function':\n"
        "        try:\n            while True:\n                try:\n"
        "                    step(h, h)\n                except BaseException:\n"
        "                    pass\n        except BaseException:\n            pass"
    )
    monkeypatch.setattr(runner, "limits", Limits(seconds=6, cell_seconds=0.3))
    result = marks.grade_cells(changed(name, ("solution-run", None, lines)), "s", name, runner)
    assert result.status.startswith("too long") and result.score == 5


def test_a_submission_cannot_get_into_the_worker(runner):
    name = wrong_answers.RNN
    lines = "import ctypes, os\nassert ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) == -1"
    result = marks.grade_cells(with_first_lines(name, lines), "s", name, runner)
    assert result.score == 16, result.parts["check-count"].hint


@pytest.mark.parametrize(
    "lines, said",
    [
        ("for _ in range(4):\n    os.fork()\ntime.sleep(20)", "more than 8 processes"),
        (
            "for _ in range(4):\n    if not os.fork():\n        x = bytearray(150_000_000)\n"
            "        time.sleep(20)\ntime.sleep(20)",
            "more than 0.4 GB of memory in several processes",
        ),
    ],
)
def test_too_many_processes_end_the_run(lines, said, runner, monkeypatch):
    """A mild fork bomb, and one that shares its hunger out among processes."""
    name = wrong_answers.RNN
    monkeypatch.setattr(runner, "limits", Limits(60, 5, 400_000_000, processes=8))
    lines = f"import os, time\n{lines}"
    result = marks.grade_cells(with_first_lines(name, lines), "s", name, runner)
    assert result.score == 0 and said in result.remarks[0]
    assert said in result.parts["check-clip"].hint
    assert marks.grade_cells(marks.reference_cells(name), "s", name, runner).score == 16


def test_the_disk_cannot_be_filled(runner):
    if not runner.hidden:
        pytest.skip("without a view of its own a submission writes to the disk, a file 100 MB")
    name = wrong_answers.RNN
    lines = (
        "import os\nfor k in range(10):\n    open(f'{k}', 'wb').write(bytes(50_000_000))\n"
        "raise SystemError('there is room for ever')"
    )
    result = marks.grade_cells(with_first_lines(name, lines), "s", name, runner)
    hint = result.parts["check-count"].hint
    assert "No space left" in hint and result.status == "graded"
    lines = "open('large', 'wb').write(bytes(150_000_000))"
    result = marks.grade_cells(with_first_lines(name, lines), "s", name, runner)
    assert "File too large" in result.parts["check-count"].hint
    assert marks.grade_cells(marks.reference_cells(name), "s", name, runner).score == 16


def test_no_process_outlives_its_notebook(runner, tmp_path):
    psutil = pytest.importorskip("psutil")
    name = wrong_answers.RNN
    mark = "31415.926"
    lines = (
        "import subprocess\n"
        f"subprocess.Popen(['sleep', '{mark}'], start_new_session=True)\n"
        f"subprocess.Popen(['sh', '-c', 'sleep {mark} & sleep {mark}'], start_new_session=True)"
    )
    result = marks.grade_cells(with_first_lines(name, lines), "s", name, runner)
    assert result.score == 16
    left = [p for p in psutil.process_iter(["cmdline"]) if mark in (p.info["cmdline"] or [])]
    assert not left


def test_a_submission_sees_nothing_of_this_machine(runner):
    if not runner.hidden:
        pytest.skip("this system does not allow it")
    lines = (
        "import ctypes, os\n"
        f"assert not os.path.exists({str(ROOT)!r}) or not os.listdir({str(ROOT)!r})[1:]\n"
        "assert len([p for p in os.listdir('/proc') if p.isdigit()]) < 4\n"
        "for folder in ('/', '/usr', '/proc', os.path.dirname(np.__file__)):\n"
        "    assert ctypes.CDLL(None).mount(None, folder.encode(), None, 32 | 4096, None) == -1\n"
        "    assert os.statvfs(folder).f_flag & 1\n"
        "open('mine', 'w').write('a folder to write in')\n"
    )
    name = wrong_answers.RNN
    result = marks.grade_cells(with_first_lines(name, lines), "s", name, runner)
    assert result.score == 16, str(result.notebook)[:3000]


def test_without_such_a_view_a_copy_is_used_and_this_is_said(monkeypatch):
    monkeypatch.setattr(box, "UNSHARE", ["no such program"])
    name = wrong_answers.RNN
    lines = f"import helpers\nassert not helpers.__file__.startswith({str(ROOT)!r} + '/')"
    with Runner(LIMITS) as runner:
        assert not runner.hidden and "CAN READ YOUR FILES" in runner.view()
        assert marks.grade_cells(with_first_lines(name, lines), "s", name, runner).score == 16


def test_network_is_cut_where_the_system_allows_it(runner):
    if not runner.network_cut:
        pytest.skip("this system does not allow it")
    name = wrong_answers.RNN
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
        lines = f"import socket\nsocket.create_connection(('127.0.0.1', {port}), timeout=2)"
        result = marks.grade_cells(with_first_lines(name, lines), "s", name, runner)
    assert result.parts["check-count"].points == 0
    assert "OSError" in result.parts["check-count"].hint or "Network" in str(result.notebook)


# --- what comes in -------------------------------------------------------------------------------


def notebook_json(cells, name, **extra):
    """A submission as a file's text; the metadata claim many points."""
    made = []
    for grade_id, kind, text in cells:
        meta = {"nbgrader": {"grade_id": grade_id, "points": 1000, "grade": True, "locked": False}}
        cell = {"cell_type": kind, "metadata": meta if grade_id else {}, "source": text}
        made.append(cell | ({"outputs": [], "execution_count": None} if kind == "code" else {}))
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 4} | extra)


def test_order_copies_and_added_cells(runner):
    name = wrong_answers.RNN
    cells = changed(
        name,
        (
            "solution-step",
            "rnn_step(x, h, W_x, W_h, b):",
            "rnn_step(*a):\n    return helper(*a)\n\n\ndef unused(x, h, W_x, W_h, b):",
        ),
    )
    step = next(c for c in cells if c[0] == "solution-step")
    cells.remove(step)
    place = next(k for k, c in enumerate(cells) if c[0] == "question-step")
    reference_step = dict((c[0], c[2]) for c in marks.reference_cells(name))["solution-step"]
    helper = (None, "code", reference_step.replace("rnn_step", "helper"))
    broken_copy = ("solution-step", "code", "def rnn_step(*a):\n    return 0")
    cells[place + 1 : place + 1] = [broken_copy, helper, step]
    checks_first = sorted(cells, key=lambda c: not (c[0] or "").startswith("check"))
    assert marks.grade_cells(cells, "s", name, runner).score == 16
    result = marks.grade_cells(checks_first, "s", name, runner)
    assert result.parts["check-bptt"].points == 5, "the source's order counts"


def test_an_untouched_copy_below_an_answer_costs_nothing(runner):
    name = wrong_answers.RNN
    empty = marks.reference_cells(name, "release")
    cells = [c for pair in zip(marks.reference_cells(name), empty, strict=True) for c in pair]
    result = marks.grade_cells(cells, "s", name, runner)
    assert result.score == 16 and result.unread == 4


def test_an_editor_that_drops_metadata(tmp_path, runner):
    name = wrong_answers.RNN
    raw = json.loads(assignments.path_of("source", name).read_text())
    for cell in raw["cells"]:
        cell["metadata"] = {}
    (tmp_path / "ada.ipynb").write_text(json.dumps(raw))
    (row,) = intake.collect(tmp_path)
    assert marks.grade_cells(row.cells, "s", name, runner).score == 16


@each
def test_cells_without_any_ids_are_known_by_content(name, runner):
    """The answers moved to one place, the checks left out, every id gone."""
    cells = [(None, kind, text) for _, kind, text in marks.reference_cells(name)]
    name_found, found, remarks = restore.load(notebook_json(cells, name).encode())
    assert name_found == name and "lost their ids" in remarks[0]
    ids = {cell.metadata.nbgrader.grade_id for cell in source(name).cells}
    answers = restore.answer_ids(name)
    assert answers <= {grade_id for grade_id, _, _ in found} <= ids | {None}
    result = marks.grade_cells(found, "s", name, runner)
    assert result.score == 16 and result.unread == 4


def test_nbgraders_own_markers_in_an_answer_do_no_harm(tmp_path, runner):
    name = wrong_answers.RNN
    cells = with_first_lines(name, "### BEGIN HIDDEN TESTS\n### END HIDDEN TESTS")
    as_file(tmp_path / "in" / "ada" / "a.ipynb", notebook_json(cells, name))
    (row,) = grade.grade_class(tmp_path / "in", tmp_path / "out", runner, lambda _: None)
    assert (row["status"], row["score"]) == ("graded", 16)
    assert list((tmp_path / "out" / "feedback").rglob("*.html"))


def test_an_answer_in_a_new_cell_is_unread_not_missing(runner):
    name = wrong_answers.RNN
    words = (None, "markdown", "It is a product of many small factors.")
    for cells in (
        [*marks.reference_cells(name, "release"), words],
        [*changed(name, ("answer-words", None, None)), words],
    ):
        result = marks.grade_cells(cells, "s", name, runner)
        part = result.parts["answer-words"]
        assert part.points is None and part.answer == words[2]
        assert "stood in a new cell" in " ".join(result.remarks)
    gone = marks.grade_cells(changed(name, ("answer-words", None, None)), "s", name, runner)
    assert gone.parts["answer-words"].points == 0 and gone.unread == 0


def zipped(files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def as_file(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def owners(place):
    return {row.student: row.assignment for row in intake.collect(place)}


def test_exports_as_platforms_pack_them(tmp_path):
    rnn, gru = wrong_answers.RNN, wrong_answers.GRU
    one = notebook_json(marks.reference_cells(rnn), rnn)
    two = notebook_json(marks.reference_cells(gru), gru)
    moodle = {
        "Ada Lovelace_123_assignsubmission_file_/homework.ipynb": one,
        "Bea Ray_124_assignsubmission_file_Untitled (3).ipynb": two,
        "__MACOSX/._homework.ipynb": b"x",
    }
    canvas = {
        "lovelaceada_1234_98765_01_rnn_basics.ipynb": one,
        "raybea_LATE_1235_98766_homework-1.ipynb": two,
        "cidcarl_1236_98767_all.zip": zipped({"week/deep/er/my work.ipynb": one}),
    }
    right = {"Ada Lovelace_123": rnn, "Bea Ray_124": gru}
    for name, content in moodle.items():
        as_file(tmp_path / "moodle" / name, content)
    as_file(tmp_path / "packed" / "download.zip", zipped(moodle))
    assert owners(tmp_path / "moodle") == owners(tmp_path / "packed") == right
    assert owners(tmp_path / "packed" / "download.zip") == right
    for name, content in canvas.items():
        as_file(tmp_path / "canvas" / name, content)
    rows = {row.student: row for row in intake.collect(tmp_path / "canvas")}
    assert {s: r.assignment for s, r in rows.items()} == {
        "lovelaceada_1234": rnn, "raybea_1235": gru, "cidcarl_1236": rnn,
    }  # fmt: skip
    assert "late" in rows["raybea_1235"].remarks[0]
    for name in ("ada_01_rnn_basics.ipynb", "bea/a/b/Copy of x.ipynb", "cid/hand in.zip"):
        as_file(
            tmp_path / "plain" / name, zipped({"x.ipynb": one}) if name.endswith("zip") else one
        )
    assert owners(tmp_path / "plain") == dict.fromkeys(("ada", "bea", "cid"), rnn)


def test_of_two_notebooks_the_one_with_more_answers_counts(tmp_path):
    name = wrong_answers.RNN
    as_file(tmp_path / "ada" / "full.ipynb", notebook_json(marks.reference_cells(name), name))
    empty = marks.reference_cells(name, "release")
    as_file(tmp_path / "ada" / "later" / f"{name}.ipynb", notebook_json(empty, name))
    (row,) = intake.collect(tmp_path)
    assert restore.answered(name, row.cells) == 6
    assert f"ada/later/{name}.ipynb" in row.remarks[0]


def test_broken_zip_files_are_named(tmp_path):
    name = wrong_answers.RNN
    as_file(tmp_path / "ada" / "x.ipynb", notebook_json(marks.reference_cells(name), name))
    good = zipped({"x.ipynb": b"{}" * 1000})
    as_file(tmp_path / "bea" / f"{name}.zip", good[: len(good) // 2])
    rows = {row.student: row for row in intake.collect(tmp_path)}
    assert rows["bea"].cells is None and "zip file cannot be read" in rows["bea"].message
    assert rows["bea"].assignment == name and rows["ada"].cells


def test_every_zip_file_gets_a_row(tmp_path):
    """Broken within, in another one, or large with something else in it."""
    name = wrong_answers.RNN
    one, damaged = notebook_json(marks.reference_cells(name), name), io.BytesIO()
    with zipfile.ZipFile(damaged, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.ipynb", one)
    damaged = bytearray(damaged.getvalue())
    damaged[60:400] = bytes(340)
    deep = zipped({"d.zip": zipped({"c.zip": zipped({"b.zip": zipped({"x.ipynb": one})})})})
    files = {
        "ada.zip": zipped({"x.ipynb": one, "prices.bin": bytes(restore.LARGEST + 1)}),
        "bea.zip": zipped({"week 1.zip": zipped({"x.ipynb": one})}),
        "cid.zip": damaged,
        "dan.zip": deep,
    }
    as_file(tmp_path / "all.zip", zipped(files))
    rows = {row.student: row for row in intake.collect(tmp_path / "all.zip")}
    assert rows["ada"].cells and rows["bea"].cells
    assert "cannot be read" in rows["cid"].message and "unpack it" in rows["dan"].message


def test_names_of_files_as_they_come(tmp_path):
    name = wrong_answers.RNN
    one = notebook_json(marks.reference_cells(name), name)
    one = one.replace("neuron", r"neuron \ud83d")  # half a character
    for file in (b"Jos\xe9/x.ipynb", b"ada_01_rnn_basics (1).ipynb"):
        try:
            as_file(tmp_path / os.fsdecode(file), one)
        except OSError:
            pytest.skip("this system takes no such names")
    rows = intake.collect(tmp_path)
    assert {row.student for row in rows} == {"José", "ada"}
    assert "".join(text for _, _, text in rows[0].cells).encode()


def test_tables_in_every_form(tmp_path):
    for number, text in enumerate(("a,b\n1,2\n", "a;b\r\n1;2\r\n", "\ufeffa\tb\n1\t2\n")):
        path = tmp_path / f"{number}.csv"
        path.write_bytes(text.encode())
        assert intake.read_table(path) == [{"a": "1", "b": "2"}]
    path.write_bytes("a,b\nß,2".encode("latin-1"))
    with pytest.raises(ValueError, match="CSV UTF-8"):
        intake.read_table(path)
    path.write_text("a,b\n1,2,3\n")
    with pytest.raises(ValueError, match="as many fields"):
        intake.read_table(path)


def make_class(folder):
    rnn, gru = wrong_answers.RNN, wrong_answers.GRU
    inverted = changed(
        gru, ("solution-step", "(1 - z) * candidate + z * h", "z * candidate + (1 - z) * h")
    )
    files = {
        f"ada/{rnn}.ipynb": notebook_json(marks.reference_cells(rnn), rnn),
        f"bea/{gru}/{gru}.ipynb": notebook_json(inverted, gru),
        f"cid/Copy of {rnn}.ipynb": notebook_json(marks.reference_cells(rnn, "release"), rnn),
        f"dan/{rnn}.ipynb": "{this is not JSON",
        f"eve/{rnn}.ipynb": notebook_json([], rnn),
        f"fay/{rnn}.ipynb": notebook_json(marks.reference_cells(gru), gru),
        f"gil/{rnn}.ipynb": json.dumps([1, 2, 3]),
        f"=1+1/{rnn}.ipynb": notebook_json(
            changed(rnn, ("answer-words", None, "<script>alert(1)</script> It vanishes.")), rnn
        ),
        "hal/homework.ipynb": notebook_json(marks.reference_cells(rnn), rnn),
        "jon/letter.txt": "I was ill",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (folder / "notes.txt").write_text("not a student")
    binary = folder / "ida" / f"{rnn}.ipynb"
    binary.parent.mkdir()
    binary.write_bytes(bytes(range(256)))


def fingerprint(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def table(path):
    return intake.read_table(path)


@pytest.fixture(scope="module")
def graded(tmp_path_factory, runner):
    """A class with all kinds of submissions, graded twice, with points given between."""
    folder = tmp_path_factory.mktemp("class") / "week1"
    make_class(folder)
    before, said = fingerprint(folder), []
    out = folder.with_name("gradebook")
    grade.grade_class(folder, out, runner, said.append)
    first = table(out / "grades.csv")
    give(out, "ada", "answer-words", "3,5", "Good. <b>Row 4?</b>", semicolons=True)
    give(out, "bea", "check-step", "2", "The formula is that of another text.")
    roster = folder.with_name("worksheet.csv")
    roster.write_text(
        "Identifier,Full name,Email address,Grade,Last modified (grade),Feedback comments\n"
        "Participant 1,Ada,ada@x.org,,-,\nParticipant 9,زهرا,zahra@x.org,,-,\n",
        encoding="utf-8-sig",
    )
    grade.grade_class(folder, out, runner, said.append, roster=roster)
    assert fingerprint(folder) == before, "submissions are only read"
    return out, first, said


def give(out, student, part, points, comment="", semicolons=False):
    """Fill in parts.csv as a person does, in a spreadsheet that has its own way with CSV."""
    path = out / "parts.csv"
    rows = table(path)
    (row,) = (r for r in rows if (r["student"], r["part"]) == (student, part))
    row |= {"points": points, "comment": comment}
    if not semicolons:
        return grade.write_table(path, grade.PART_COLUMNS, rows)
    lines = [";".join(grade.PART_COLUMNS)]
    for row in rows:
        fields = (row[column].replace('"', '""') for column in grade.PART_COLUMNS)
        lines.append(";".join(f'"{field}"' for field in fields).replace("\n", "\r\n"))
    path.write_bytes("\r\n".join([*lines, ""]).encode("utf-8-sig"))


def test_class_grades(graded):
    _, first, said = graded
    rows = {r["student"]: r for r in first if r["status"] != "nothing handed in"}
    assert {s: r["score"] for s, r in rows.items()} == {
        "ada": "16", "bea": "12", "cid": "0", "dan": "0", "eve": "0", "fay": "16", "gil": "0",
        "hal": "16", "ida": "0", "'=1_1": "16",
    }  # fmt: skip
    assert {row["max_score"] for row in first} == {"20"}, "metadata cannot change points"
    assert rows["ada"]["status"] == "graded" and rows["ada"]["points_not_read_yet"] == "4"
    assert "update gate is inverted" in rows["bea"]["message"]
    for student, phrase in (
        ("dan", "not a notebook"), ("eve", "no cells"),
        ("gil", "not a notebook"), ("ida", "not a notebook"),
    ):  # fmt: skip
        assert rows[student]["status"] == "not readable" and phrase in rows[student]["message"]
    assert rows["fay"]["assignment"] == wrong_answers.GRU, "the cells tell, not the file's name"
    assert any("jon: no notebook" in line for line in said)


def test_everybody_on_the_roster_has_a_row(graded):
    out, _, _ = graded
    rows = {r["student"]: r for r in table(out / "grades.csv") if r["assignment"] == NAMES[0]}
    assert rows["زهرا"]["status"] == "nothing handed in" and rows["زهرا"]["score"] == "0"
    assert (out / "grades.csv").read_bytes().startswith(b"\xef\xbb\xbf"), "Excel needs the mark"
    ada, zahra = table(out / f"worksheet-{NAMES[0]}.csv")
    assert ada["Identifier"] == "Participant 1" and ada["Grade"] == "19.5"
    assert ada["Email address"] == "ada@x.org"
    assert ada["Last modified (grade)"] == "-", "what is the platform's stays as it is"
    assert zahra["Grade"] == "" and "no notebook" in zahra["Feedback comments"]


def test_one_student_again_and_a_late_one(tmp_path, runner):
    """Points stay when a student is absent from a run; a changed answer asks for a second look."""
    name, out = wrong_answers.RNN, tmp_path / "out"
    for student in ("ada", "bea"):
        text = notebook_json(marks.reference_cells(name), name)
        as_file(tmp_path / "in" / student / "x.ipynb", text)
    os.utime(tmp_path / "in" / "bea" / "x.ipynb", (0, 1_900_000_000))
    due = datetime(2030, 1, 1, tzinfo=UTC)
    rows = grade.grade_class(tmp_path / "in", out, runner, lambda _: None, due=due)
    assert "late" in next(r for r in rows if r["student"] == "bea")["message"]
    assert "late" not in next(r for r in rows if r["student"] == "ada")["message"]
    give(out, "ada", "answer-words", "3", "Well said.")
    with (out / "nbgrader_config.py").open("a") as settings:
        settings.write('c.LateSubmissionPlugin.penalty_method = "zero"\n')
    grade.grade_class(tmp_path / "in", out, runner, lambda _: None, only="bea")
    rows = {row["student"]: row for row in table(out / "grades.csv")}
    assert rows["ada"]["score"] == "19"
    page = (out / f"feedback/ada/{name}/{name}.html").read_text(encoding="utf-8")
    assert "Well said." in page, "though ada was not graded again"
    assert rows["bea"]["score"] == "0" and rows["bea"]["late_penalty"] == "16"
    words = changed(name, ("answer-words", None, "Another text."))
    as_file(tmp_path / "in" / "ada" / "x.ipynb", notebook_json(words, name))
    grade.grade_class(tmp_path / "in", out, runner, lambda _: None, only="ada")
    parts = {(r["student"], r["part"]): r for r in table(out / "parts.csv")}
    ada = parts["ada", "answer-words"]
    assert (ada["points"], ada["to_read"], ada["answer"]) == ("3", "yes", "Another text.")
    give(out, "ada", "answer-words", "", "")  # taken back
    grade.grade_class(tmp_path / "in", out, runner, lambda _: None, only="bea")
    parts = {(r["student"], r["part"]): r for r in table(out / "parts.csv")}
    ada = parts["ada", "answer-words"]
    assert (ada["points"], ada["comment"], ada["to_read"]) == ("", "", "yes")
    with pytest.raises(ValueError, match=r"by zoe \(there are: ada, bea\)"):
        grade.grade_class(tmp_path / "in", out, runner, lambda _: None, only="zoe")
    for points in ("5", "-1", "four", "nan"):
        give(out, "bea", "answer-words", points)
        with pytest.raises(ValueError, match="expected points from 0 to 4"):
            grade.grade_class(tmp_path / "in", out, runner, lambda _: None, only="bea")


CANVAS = """\
Student,ID,SIS User ID,SIS Login ID,Section,HW 01_rnn_basics (77),Final Score
,,,,,Manual Posting,
    Points Possible,,,,,1,(read only)
"Lovelace, Ada",1234,s1,ada@x.org,A,,
"Ray, Bea",1235,s2,bea@x.org,A,14,1234
"Test, Student",1236,,,A,,
"""


def test_canvas_gets_its_own_table_back(tmp_path):
    """As Canvas exports it: a line about posting, one of maxima, and other people's numbers."""
    as_file(tmp_path / "grades.csv", CANVAS)
    roster = intake.read_table(tmp_path / "grades.csv")
    rows = [intake.Submission("lovelaceada_1234", NAMES[0], [], number="1234")]
    students = intake.match(roster, rows)
    assert students == ["", "", "lovelaceada_1234", "Ray, Bea", "Test, Student"]
    scores = {"lovelaceada_1234": 17.5}
    made = intake.filled(roster, students, scores, {}, NAMES[0], 20.0)
    column = "HW 01_rnn_basics (77)"
    assert [row[column] for row in made] == ["Manual Posting", "20", "17.5", "14", ""]
    assert list(made[0]) == list(roster[0])
    other = intake.filled(roster, students, scores, {}, NAMES[1], 20.0)
    assert list(other[0]) == [*roster[0], NAMES[1]], "new columns come last, as Canvas wants"


def test_two_students_with_one_name():
    """Their numbers tell them apart; where there are none, nobody gets the other's points."""
    moodle = [{"Identifier": f"Participant {k}", "Full name": "Wei Zhang"} for k in (111, 222)]
    canvas = [{"Student": "Zhang, Wei", "ID": k} for k in ("111", "222")]
    first, second = (
        intake.Submission(f"zhangwei_{k}", NAMES[0], [], number=k) for k in ("111", "222")
    )
    assert intake.match(canvas, [first, second]) == ["zhangwei_111", "zhangwei_222"]
    assert intake.match(canvas, [second])[1] == "zhangwei_222" != intake.match(canvas, [second])[0]
    moodle_second = intake.Submission("Wei Zhang_222", NAMES[0], [], number="222")
    assert intake.match(moodle, [moodle_second]) == ["Wei Zhang_111", "Wei Zhang_222"]
    alone = intake.Submission("Wei Zhang", NAMES[0], [])
    assert intake.match(moodle, [alone]) == ["Wei Zhang_111", "Wei Zhang_222"]
    assert intake.match(moodle[:1], [alone]) == ["Wei Zhang"]
    assert intake.match(moodle, [], ["Wei Zhang_222"])[1] == "Wei Zhang_222"


def interrupted(_):
    raise KeyboardInterrupt


def test_nothing_is_lost_in_a_second_run(tmp_path, runner, monkeypatch):
    """Someone absent from it, points filled in meanwhile, a long answer, another gradebook."""
    name, out, place = wrong_answers.RNN, tmp_path / "out", tmp_path / "in"
    roster = tmp_path / "worksheet.csv"
    roster.write_text(
        "Identifier,Full name,Grade,Feedback comments\nParticipant 1,Ada,,\nParticipant 2,Bea,,\n"
    )
    monkeypatch.setattr(marks, "canary", lambda *_: None)  # tested elsewhere
    cells = changed(name, ("answer-words", None, "x" * 140_000))
    for student in ("Ada_1", "Bea_2"):
        file = place / f"{student}_assignsubmission_file_" / "x.ipynb"
        as_file(file, notebook_json(cells, name))

    def run():
        grade.grade_class(place, out, runner, lambda _: None, roster=roster)

    run()
    shutil.rmtree(place / "Ada_1_assignsubmission_file_")
    usual = Course.grade
    monkeypatch.setattr(
        Course, "grade", lambda *a: (give(out, "Ada_1", "answer-words", "3"), usual(*a))
    )
    run()
    ada, bea = table(out / f"worksheet-{name}.csv")
    assert (ada["Grade"], bea["Grade"]) == ("19", "16")
    assert "nothing" not in ada["Feedback comments"]
    monkeypatch.setattr(Course, "grade", usual)
    (out / "gradebook.db").unlink()
    run()
    assert [row["Grade"] for row in table(out / f"worksheet-{name}.csv")] == ["", "16"]
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(marks, "summary", interrupted)
        run()
    with contextlib.closing(sqlite3.connect(out / "gradebook.db")) as book:
        book.execute("begin exclusive")
        with pytest.raises(ValueError, match="Is another program writing in it"):
            run()
    good = (out / "gradebook-before.db").read_bytes()
    (out / "gradebook.db").write_bytes(b"half a file")
    with pytest.raises(ValueError, match="before the last run"):
        run()
    assert (out / "gradebook-before.db").read_bytes() == good


def test_a_grade_on_the_roster_is_no_students_number():
    head = "Identifier,Full name,Grade,Last modified (grade),Feedback comments".split(",")
    people = [("Participant 8", "Ada", "9", "-", ""), ("Participant 9", "Bea", "", "-", "")]
    roster = [dict(zip(head, person, strict=True)) for person in people]
    rows = [intake.Submission("Bea_9", NAMES[0], [], number="9")]
    students = intake.match(roster, rows)
    assert students == ["Ada", "Bea_9"]
    made = intake.filled(roster, students, {"Bea_9": 16.0}, {"Bea_9": "well"}, NAMES[0], 20.0)
    assert [row["Grade"] for row in made] == ["9", "16"], "what stood there stays"
    assert list(made[0]) == head and made[1]["Feedback comments"] == "well"


def test_class_tables_and_pages(graded):
    out, _, _ = graded
    parts = {(r["student"], r["part"]): r for r in table(out / "parts.csv")}
    assert parts["bea", "check-step"]["by_checks"] == "0"
    assert parts["bea", "check-gate"]["by_checks"] == "3"
    pages = sorted(str(path.parent.relative_to(out)) for path in out.glob("feedback/*/*/*.html"))
    gru = f"feedback/bea/{wrong_answers.GRU}"
    assert len(pages) == 10 and gru in pages
    page = (out / gru / f"{wrong_answers.GRU}.html").read_text(encoding="utf-8")
    assert "Your update gate is inverted" in page and "12 of 20 points by the checks" in page
    assert "another text" in page and "_others" not in page, "hidden tests stay hidden"
    (hostile,) = out.glob(f"feedback/=1_1/{wrong_answers.RNN}/*.html")
    hostile = hostile.read_text(encoding="utf-8")
    assert "<script>alert(1)" not in hostile and "It vanishes." in hostile


def test_points_by_hand_are_kept(graded):
    """For words, and for a part that the checks had judged otherwise."""
    out, _, _ = graded
    rows = {(r["student"], r["assignment"]): r for r in table(out / "grades.csv")}
    ada, bea = rows["ada", wrong_answers.RNN], rows["bea", wrong_answers.GRU]
    assert ada["score"] == "19.5" and ada["points_not_read_yet"] == "0" and bea["score"] == "14"
    page = (out / f"feedback/ada/{wrong_answers.RNN}/{wrong_answers.RNN}.html").read_text("utf-8")
    assert "Good." in page
    assert (out / "gradebook-before.db").is_file(), "the results before are kept"


def test_command_line_says_what_is_wrong(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["grade", str(tmp_path / "none")])
    assert grade.main() == 2
    assert "grading stopped: expected a folder" in capsys.readouterr().err


def test_instructions_name_the_limits_that_hold():
    text = " ".join((assignments.FOLDER / "README.md").read_text(encoding="utf-8").split())
    limits = Limits()
    assert f"{limits.seconds:g} seconds in all" in text
    assert f"{limits.cell_seconds:g} seconds of processor time per cell" in text
    assert f"{limits.memory / 1e9:g} GB of memory, {limits.processes} processes" in text
    assert box.SPACE.startswith("size=300m") and "300 MB in all" in text


def test_nothing_to_grade(tmp_path, runner):
    with pytest.raises(ValueError, match="expected a folder or a zip"):
        grade.grade_class(tmp_path / "none", tmp_path / "out", runner)
    with pytest.raises(ValueError, match="nothing to grade"):
        grade.grade_class(tmp_path, tmp_path.with_name("out"), runner)
    with pytest.raises(ValueError, match="outside the submissions"):
        grade.grade_class(tmp_path, tmp_path / "out", runner)
    (tmp_path / "submitted").mkdir()
    with pytest.raises(ValueError, match="outside the submissions"):
        grade.grade_class(tmp_path / "submitted", tmp_path, runner)


@pytest.mark.parametrize(
    "kind, message", [("source", "reference solution lost"), ("release", "empty release earned")]
)
def test_canary_stops_everything(kind, message, tmp_path, monkeypatch, runner):
    folder = tmp_path / "class"
    make_class(folder)
    honest = marks.reference_cells

    def spoiled(name, which="source"):
        other = {"source": "release", "release": "source"}[which]
        return honest(name, other if which == kind else which)

    monkeypatch.setattr(marks, "reference_cells", spoiled)
    out = tmp_path / "out"
    with pytest.raises(marks.CanaryFailed, match=message):
        grade.grade_class(folder, out, runner, lambda _: None)
    assert not out.exists()


def test_nbgraders_own_commands_run_submissions_as_we_do(graded):
    """In the gradebook's folder they use our runner, and points by hand stay."""
    out, _, _ = graded
    name = wrong_answers.GRU
    script = "from nbgrader.apps import NbGraderApp; NbGraderApp.launch_instance()"
    run = subprocess.run(
        [sys.executable, "-c", script, "autograde", name, "--student=bea", "--force"],
        cwd=out,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    totals, _ = Course(out).rows()
    row = next(r for r in totals if (r["student"], r["assignment"]) == ("bea", name))
    assert row["score"] == 14 and "update gate is inverted" in row["message"]


# --- hints ---------------------------------------------------------------------------------------


def hint(*arguments, **keywords):
    with pytest.raises(hints.Hint) as caught:
        hints.check_answer(*arguments, **keywords)
    return str(caught.value)


def test_right_answers_pass():
    hints.check_answer(lambda: 3, (), 3)
    hints.check_answer(lambda: np.float64(0.3), (), 0.1 + 0.2)
    hints.check_answer(lambda: [1, 2.5], (), [1.0, 2.5])
    hints.check_answer(lambda: (np.ones(2), {"a": "x"}), (), (np.ones(2), {"a": "x"}))
    hints.check_answer(lambda: torch.tensor([True, False]), (), torch.tensor([True, False]))
    hints.check_answer(lambda: np.array([np.nan, 1.0]), (), np.array([np.nan, 1.0]))
    hints.check_answer(lambda: np.True_, (), True)
    hints.check_answer(lambda: np.ones(2) * (1 + 1e-6), (), np.ones(2))


@pytest.mark.parametrize(
    "found, right, phrase",
    [
        (3.0000001, 3, "expected a whole number, 3"),
        (4, 3, "right is 3"),
        (True, 1, "expected one number"),
        (None, 1, "`return`"),
        ([1, 2], [1, 3], "entry [1] is 2, right is 3; 1 of 2"),
        ([1], [1, 2], "expected the shape (2,)"),
        (np.ones(2), torch.ones(2), "expected a PyTorch tensor"),
        ("a", [1.0], "array of numbers"),
        (10**400, 1.0, "more than 300 digits"),
        (torch.ones(2), np.ones(2), "expected a NumPy array"),
        (np.ones(2, np.float32), np.ones(2), "expected numbers of type float64"),
        (np.array([1.0, np.nan]), np.ones(2), "nan"),
        (np.array([np.inf]), np.ones(1), "inf"),
        ({"a": 1}, {"a": 1, "b": 2}, "expected the keys"),
        ((1,), (1, 2), "expected 2 values"),
        ({"a": 1}, {"a": 2}, 'in "a"'),
        ("better", "worse", "right is 'worse'"),
        (1, True, "right is True"),
        (np.ones(2) * (1 + 3e-5), np.ones(2), "entry [0]"),
        (0.5, "x", "right is 'x'"),
    ],
)
def test_what_differs_is_said(found, right, phrase):
    assert phrase in hint(lambda: found, (), right)


def test_known_mistakes_are_named_and_others_are_not():
    mistakes = {"you forgot to square": 3.0, "the sign": -9.0}
    assert hint(lambda x: x, (3.0,), 9.0, mistakes=mistakes) == "you forgot to square"
    assert hint(lambda x: -x * x, (3.0,), 9.0, mistakes=mistakes) == "the sign"
    assert "right is 9" in hint(lambda x: x + 1, (3.0,), 9.0, mistakes=mistakes)
    partly = {"only b": {"b": 1.0}}
    assert hint(lambda: {"a": 5.0, "b": 1.0}, (), {"a": 1.0, "b": 2.0}, mistakes=partly) == "only b"


def test_calls_that_go_wrong():
    def in_place(x):
        x += 1
        return x

    def fails(x):
        return x @ np.ones((5, 5))

    assert "argument `x` in place" in hint(in_place, (np.zeros(2),), np.ones(2))
    assert "in place" in hint(lambda d: d.pop("a"), ({"a": 1},), 1)
    said = hint(fails, (np.zeros((2, 3)),), np.ones(2))
    assert "ValueError" in said and "(2, 3)" in said and "x @ W.T" in said and "axis" in said
    assert "SystemExit" in hint(sys.exit, (), 1)
    assert "NumPy warn" in hint(lambda: np.log(np.zeros(1)), (), np.zeros(1))
    given = np.zeros(2)
    with pytest.raises(hints.Hint):
        hints.call(in_place, given)
    assert not given.any(), "the caller's own array is safe"


def test_names_that_are_missing():
    assert "There is no `grade_clas`" in hint("grade_clas", (), 1)
    assert "`changed`: is that it?" in hint("change", (), 1)
    assert "is a str, not a function" in hint("__name__", (), 1)


def test_patched_numpy_does_not_help(monkeypatch):
    monkeypatch.setattr(np, "allclose", lambda *a, **k: True)
    monkeypatch.setattr(np, "asarray", lambda *a, **k: 0)
    monkeypatch.setattr(np, "array_equal", lambda *a, **k: True)
    assert "right is 2" in hint(lambda: np.ones(1), (), np.full(1, 2.0))


def test_a_hint_is_shown_without_a_traceback():
    assert hints.Hint("look here")._render_traceback_() == ["Hint: look here"]


def test_unreadable_files_say_why(tmp_path):
    as_file(tmp_path / "ada" / "x.ipynb", "[" * 100_000)
    with (tmp_path / "bea.ipynb").open("wb") as file:
        file.truncate(restore.LARGEST + 1)
    messages = {row.student: row.message for row in intake.collect(tmp_path)}
    assert "not a notebook" in messages["ada"] and "clear the outputs" in messages["bea"]
