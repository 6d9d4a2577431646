"""A gradable notebook from a submission: the student's answers in the instructor's notebook."""

import copy
import json
from functools import cache

import nbformat
from nbformat import NotebookNode
from nbgrader import utils

from tools import assignments

LARGEST = 20_000_000  # bytes of a submission that is still opened


class Unreadable(ValueError):
    """The submission cannot be graded; the message is meant for student and instructor."""


@cache
def reference(name: str) -> NotebookNode:
    """An assignment's source, each cell with the checksum that the *released* cell has.

    The checksum tells an untouched written answer from an answered one.
    """
    source = assignments.read(assignments.path_of("source", name))
    for cell, released in zip(source.cells, assignments.release(source).cells, strict=True):
        cell.metadata.nbgrader["checksum"] = released.metadata.nbgrader.checksum
    return source


@cache
def answer_ids(name: str) -> frozenset[str]:
    """The ids of the cells that students write in."""
    cells = reference(name).cells
    return frozenset(c.metadata.nbgrader.grade_id for c in cells if utils.is_solution(c))


def load(path, name: str) -> list[tuple[str | None, str, str]]:
    """The cells of a submitted file as (grade_id or None, cell type, source).

    Raises:
        Unreadable: too large, not a notebook, or not a notebook of this assignment.
    """
    if path.stat().st_size > LARGEST:
        raise Unreadable(
            f"the file has {path.stat().st_size / 1e6:.0f} MB, more than {LARGEST / 1e6:.0f} MB: "
            "clear the outputs and hand it in again"
        )
    try:
        raw = json.loads(path.read_text(encoding="utf-8-sig"))
        cells = raw["cells"] if "cells" in raw else raw["worksheets"][0]["cells"]
        found = [_cell(cell) for cell in cells]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise Unreadable(
            f"this is not a notebook ({type(error).__name__}: {error})"[:300]
        ) from None
    if not found:
        raise Unreadable("the notebook has no cells")
    ids = {grade_id for grade_id, _, _ in found}
    fits = {other: len(answer_ids(other) & ids) for other in assignments.names()}
    best = max(fits, key=fits.get)
    if not fits[name]:
        raise Unreadable(f"no answer cell of {name} is in it: is it another notebook?")
    if fits[best] > fits[name]:
        raise Unreadable(f"its cells are those of {best}, not of {name}: is it the wrong file?")
    return found


def _cell(cell):
    source = cell.get("source", cell.get("input", ""))
    source = source if isinstance(source, str) else "".join(source)
    metadata = cell.get("metadata") or {}
    grade_id = (metadata.get("nbgrader") or {}).get("grade_id")
    if not isinstance(grade_id, str):  # some editors drop foreign metadata but keep the cell's id
        grade_id = cell.get("id") or metadata.get("id")
    return grade_id if isinstance(grade_id, str) else None, str(cell["cell_type"]), source


def restore(submitted, source: NotebookNode) -> tuple[NotebookNode, list[str]]:
    """The notebook to be run, and remarks on what had to be mended.

    Order, checks, points and locked cells are the source's; answers are the student's. Cells that a
    student added stay behind the cell that they followed. Of several cells with one id the last
    counts, as in nbgrader, and the others stay as cells that were added.
    """
    source = copy.deepcopy(source)
    by_id = {cell.metadata.nbgrader.grade_id: cell for cell in source.cells}
    last = {grade_id: place for place, (grade_id, _, _) in enumerate(submitted)}
    answers, extras, remarks, after = {}, {None: []}, [], None
    for place, (grade_id, kind, text) in enumerate(submitted):
        if grade_id in by_id and last[grade_id] == place:
            answers[grade_id], after = text, grade_id
        else:
            extras.setdefault(after, []).append((kind, text))
    cells = list(_added(extras[None], "start"))
    for grade_id, cell in by_id.items():
        role = _role(cell)
        if role == "answer":
            if grade_id not in answers:
                remarks.append(f"the cell {grade_id} is missing")
            cell.source = answers.get(grade_id, "")
        elif role == "check" and grade_id not in answers:
            remarks.append(f"the check {grade_id} was put back")
        cells += [cell, *_added(extras.get(grade_id, []), grade_id)]
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
