"""A gradable notebook from a submission: the student's answers in the instructor's notebook."""

import copy
import json
import re
from functools import cache

import nbformat
from nbformat import NotebookNode
from nbgrader import utils

from tools import assignments

DEFINITION = re.compile(r"^(?:def|class) (\w+)", re.MULTILINE)
MARKERS = re.compile(r"(BEGIN|END) (?=HIDDEN TESTS|SOLUTION|MARK SCHEME)")  # nbgrader's
LARGEST = 20_000_000  # bytes of a submission that is still opened


class Unreadable(ValueError):
    """The submission cannot be graded; the message is meant for student and instructor."""


@cache
def reference(name: str) -> NotebookNode:
    """An assignment's source, each cell with the checksum that the *released* cell has.

    The checksum tells an untouched written answer from an answered one.
    """
    source = assignments.read_source(name)
    for cell, released in zip(source.cells, assignments.release(source).cells, strict=True):
        cell.metadata.nbgrader["checksum"] = released.metadata.nbgrader.checksum
    return source


@cache
def answer_ids(name: str) -> frozenset[str]:
    """The ids of the cells that students write in."""
    cells = reference(name).cells
    return frozenset(c.metadata.nbgrader.grade_id for c in cells if utils.is_solution(c))


@cache
def defines(name: str) -> dict[str, str]:
    """{name of a function or class: the id of the answer cell that must define it}."""
    return {
        found: cell.metadata.nbgrader.grade_id
        for cell in reference(name).cells
        if _role(cell) == "answer" and cell.cell_type == "code"
        for found in DEFINITION.findall(cell.source.split("### BEGIN SOLUTION")[0])
    }


def load(content: bytes) -> tuple[str, list[tuple[str | None, str, str]], list[str]]:
    """The assignment's name, the cells as (grade_id or None, cell type, source), and remarks.

    Raises:
        Unreadable: not a notebook, or none of an assignment.
    """
    try:
        raw = json.loads(content.decode("utf-8-sig"))
        cells = raw["cells"] if "cells" in raw else raw["worksheets"][0]["cells"]
        found = [_cell(cell) for cell in cells]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise Unreadable(
            f"this is not a notebook ({type(error).__name__}: {error})"[:300]
        ) from None
    if not found:
        raise Unreadable("the notebook has no cells")
    fits = {name: _fit(name, found) for name in assignments.names()}
    best = max(fits, key=fits.get)
    if fits[best] == (0, 0):
        raise Unreadable("no cell of an assignment is in it: is it another notebook?")
    if fits[best][0]:
        return best, found, []
    return best, _with_ids(best, found), ["the cells had lost their ids; matched by content"]


def _fit(name, cells) -> tuple[int, int]:
    """How many answer cells of an assignment, and how many of its functions, are among cells."""
    ids = {grade_id for grade_id, _, _ in cells}
    texts = "\n".join(text for _, kind, text in cells if kind == "code")
    functions = set(DEFINITION.findall(texts))
    return len(answer_ids(name) & ids), len(functions & set(defines(name)))


def _with_ids(name, cells):
    """Cells whose ids an editor has lost: known by the functions they define, or by their text.

    The answer in words is what follows its question.
    """
    known = {
        _squeezed(cell.source.split("### BEGIN HIDDEN")[0]): cell.metadata.nbgrader.grade_id
        for cell in reference(name).cells
        if _role(cell) != "answer"
    }
    rows, waiting = [], None
    for _, kind, text in cells:
        grade_id = known.get(_squeezed(text))
        if kind == "code" and grade_id is None:
            functions = [f for f in DEFINITION.findall(text) if f in defines(name)]
            grade_id = defines(name)[functions[0]] if functions else None
        elif grade_id is None and waiting:
            grade_id, waiting = waiting, None
        if grade_id == "question-words":
            waiting = "answer-words"
        rows.append((grade_id, kind, text))
    return rows


def _squeezed(text: str) -> str:
    return "".join(text.split())


@cache
def empty_cells(name: str) -> dict[str, str]:
    """{id: text} of the released cells."""
    return {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in assignments.release(reference(name)).cells
    }


def answered(name: str, cells) -> int:
    """In how many answer cells something else stands than in the release."""
    ids, empty = answer_ids(name), empty_cells(name)
    return sum(
        g in ids and _squeezed(text) not in ("", _squeezed(empty[g])) for g, _, text in cells
    )


@cache
def answered_in(name: str) -> dict[str, str]:
    """{graded cell: the answer cell that it is about}."""
    found, last = {}, ""
    for cell in reference(name).cells:
        if utils.is_solution(cell):
            last = cell.metadata.nbgrader.grade_id
        if utils.is_grade(cell):
            found[cell.metadata.nbgrader.grade_id] = last
    return found


def _read_beside(cells: list[NotebookNode]) -> bool:
    """Take over an answer in words that stands in a new cell after the question; whether it did."""
    start, added = 0, [c for c in cells if c.id.startswith("added-") and c.source.strip()]
    for place, cell in enumerate(cells):
        if cell.id.startswith("question-"):
            start = place
        if not (_role(cell) == "answer" and utils.is_grade(cell)):
            continue
        if utils.compute_checksum(cell) != cell.metadata.nbgrader.checksum and cell.source.strip():
            continue
        found = [c for c in added if c in cells[start:]] or [  # somewhere else: a person will see
            c for c in added if c.cell_type == "markdown"
        ]
        if found:
            cell.source = "\n\n".join(c.source for c in found)
            return True
    return False


def _cell(cell):
    source = cell.get("source", cell.get("input", ""))
    source = source if isinstance(source, str) else "".join(source)
    metadata = cell.get("metadata") or {}
    grade_id = (metadata.get("nbgrader") or {}).get("grade_id")
    if not isinstance(grade_id, str):  # some editors drop foreign metadata but keep the cell's id
        grade_id = cell.get("id") or metadata.get("id")
    source = source.encode("utf-8", "replace").decode()  # half a character cannot be saved
    return grade_id if isinstance(grade_id, str) else None, str(cell["cell_type"]), source


def restore(submitted, name: str) -> tuple[NotebookNode, list[str]]:
    """The notebook to be run, and remarks on what was put right.

    Order, checks, points and locked cells are the source's; answers are the student's. Cells that a
    student added stay behind the cell that they followed. Of several cells with one id the last
    with an answer in it counts, and the others stay as cells that were added.
    """
    source = copy.deepcopy(reference(name))
    by_id = {cell.metadata.nbgrader.grade_id: cell for cell in source.cells}
    last, empty = {}, {g: _squeezed(text) for g, text in empty_cells(name).items()}
    for place, (grade_id, _, text) in enumerate(submitted):
        if grade_id not in last or _squeezed(text) not in ("", empty.get(grade_id)):
            last[grade_id] = place
    answers, extras, remarks, after = {}, {None: []}, [], None
    for place, (grade_id, kind, text) in enumerate(submitted):
        text = MARKERS.sub(r"\1_", text)
        if grade_id in by_id and last[grade_id] == place:
            answers[grade_id], after = text, grade_id
        elif grade_id is None or _squeezed(text) != empty.get(grade_id):
            extras.setdefault(after, []).append((kind, text))
    cells = list(_added(extras[None], "start"))
    for grade_id, cell in by_id.items():
        role = _role(cell)
        if role == "answer":
            if grade_id not in answers:
                remarks.append(f"the cell {grade_id} is missing")
            cell.source = answers.get(grade_id, "")
            if utils.is_grade(cell) and not cell.source.strip():  # nbgrader would ask for points
                cell.source = empty_cells(name)[grade_id]
        elif role == "check" and grade_id not in answers:
            remarks.append(f"the check {grade_id} was put back")
        cells += [cell, *_added(extras.get(grade_id, []), grade_id)]
    if _read_beside(cells):
        remarks.append("the answer in words stood in a new cell")
    return nbformat.v4.new_notebook(cells=cells, metadata=source.metadata), remarks


def _added(cells, after):
    for number, (kind, text) in enumerate(cells):
        make = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
        cell = make(text)
        cell["id"] = f"added-{after}-{number}"[:64]
        yield cell


def _role(cell) -> str:
    if utils.is_solution(cell):
        return "answer"
    return "check" if utils.is_grade(cell) else "locked"
