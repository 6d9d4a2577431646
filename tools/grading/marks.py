"""From a submitted file to points, hints and a notebook with both."""

import re
from dataclasses import dataclass, field

import nbformat
from nbformat import NotebookNode
from nbgrader import utils

from tools.grading import restore
from tools.grading.runner import Runner

COLOUR_CODES = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Part:
    """One graded cell.

    Attributes:
        points: what was earned; None while a written answer has not been read.
        most: what could be earned.
        written: whether a person gives the points.
        hint: why points are missing.
        answer: the text of a written answer.
    """

    points: float | None
    most: float
    written: bool = False
    hint: str = ""
    answer: str = ""


@dataclass
class Result:
    """One student's assignment.

    Attributes:
        status: "graded", or why not: "not readable", "too long in" or "crashed in" a cell.
        remarks: what the instructor should know.
        notebook: as it was run, with outputs; None if nothing could be run.
    """

    student: str
    assignment: str
    parts: dict[str, Part]
    status: str = "graded"
    remarks: list[str] = field(default_factory=list)
    notebook: NotebookNode | None = None
    seconds: float = 0.0

    @property
    def score(self) -> float:
        return sum(part.points or 0.0 for part in self.parts.values())

    @property
    def most(self) -> float:
        return sum(part.most for part in self.parts.values())

    @property
    def unread(self) -> float:
        """Points of written answers that nobody has read yet."""
        return sum(part.most for part in self.parts.values() if part.points is None)

    @property
    def automatic(self) -> dict[str, Part]:
        return {name: part for name, part in self.parts.items() if not part.written}


def graded_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if utils.is_grade(cell)]


def grade_cells(submitted, student: str, name: str, runner: Runner) -> Result:
    """Grade the cells that `restore.load` gives."""
    notebook, remarks = restore.restore(submitted, name)
    result = grade_notebook(notebook, student, name, runner)
    result.remarks[:0] = remarks
    return result


def grade_notebook(notebook: NotebookNode, student: str, name: str, runner: Runner) -> Result:
    """Run a notebook that `restore` has put together, in place, and give points."""
    run, parts, remarks = runner.run(notebook), {}, []
    for cell in graded_cells(notebook):
        points, most = utils.determine_grade(cell)
        written = utils.is_solution(cell)
        part = Part(points, most, written, answer=cell.source if written else "")
        if not written and points < most:
            part.hint = hint_of(cell) + broken_before(notebook, cell)
        elif written and part.points is not None:
            part.hint = "no answer"
        parts[cell.metadata.nbgrader.grade_id] = part
    status = "graded"
    if run.ended != "done":
        status = run.ended.split(" (")[0]
        remarks.append(f"the run did not end by itself: {run.ended}")
    for check, foreign in run.disagree.items():
        remarks.append(
            f"{check} passed in the notebook with a result of the type {foreign}. Only numbers, "
            "text, lists and arrays can be compared outside: look at it yourself"
            if foreign
            else f"{check} passed in the notebook and fails outside it: has the notebook replaced "
            "something that the check uses?"
        )
    return Result(student, name, parts, status, remarks, notebook, run.seconds)


def harmless(text: str) -> str:
    """Text without live HTML: what a student writes must not run in the instructor's browser."""
    text = re.sub(r"<(?=[a-zA-Z/!?])", "&lt;", text)
    return re.sub(r"(?i)(javascript|vbscript|data):", r"\1&#58;", text)


def summary(result: Result) -> str:
    rows = ["| part | points | what to look at |", "|---|---|---|"]
    for grade_id, part in result.parts.items():
        points = "not read yet" if part.points is None else f"{part.points:g}"
        hint = harmless(part.hint).replace("|", "\\|")
        rows.append(f"| {grade_id} | {points} of {part.most:g} | {hint} |")
    remarks = "".join(f"\n- {harmless(remark)}" for remark in result.remarks)
    return (
        f"# {result.assignment}: {result.score:g} of {result.most:g} points by the checks\n\n"
        + "\n".join(rows)
        + ("\n\n**Remarks**\n" + remarks if remarks else "")
    )


def hint_of(cell: NotebookNode) -> str:
    """Why a check failed, in one line."""
    for output in cell.outputs:
        if output.output_type == "error":
            said = COLOUR_CODES.sub("", output.evalue).strip()
            text = said if output.ename in ("Hint", "NotRun") else f"{output.ename}: {said}"
            return " ".join(text.split())
    return "the check printed to the error stream"


def broken_before(notebook: NotebookNode, check: NotebookNode) -> str:
    """A sentence about the answer cell before a check, if that cell stopped with an error."""
    before = notebook.cells[: notebook.cells.index(check)]
    answers = [cell for cell in before if utils.is_solution(cell) and not utils.is_grade(cell)]
    errors = {output.get("ename") for output in answers[-1].outputs} if answers else set()
    if not errors - {None, "NotRun"}:
        return ""
    return f" The answer's own cell stopped with {hint_of(answers[-1])}"


def reference_cells(name: str, kind: str = "source") -> list[tuple[str, str, str]]:
    """The source, or the empty release, as if a student had handed it in."""
    from tools import assignments

    notebook = nbformat.read(assignments.path_of(kind, name), as_version=4)
    return [(c.metadata.nbgrader.grade_id, c.cell_type, c.source) for c in notebook.cells]


class CanaryFailed(RuntimeError):
    """The grading environment is not sound: nobody may be graded in it."""


def canary(name: str, runner: Runner) -> None:
    """The reference must earn every automatic point here, and the empty release none.

    Raises:
        CanaryFailed: says which check went wrong, and what to do.
    """
    for kind, share, meaning in (
        ("source", 1.0, "the reference solution lost points"),
        ("release", 0.0, "the empty release earned points"),
    ):
        result = grade_cells(reference_cells(name, kind), "canary", name, runner)
        for grade_id, part in result.automatic.items():
            if part.points != share * part.most:
                raise CanaryFailed(
                    f"{name}: {meaning} in {grade_id} ({part.points:g} of {part.most:g}). "
                    f"{part.hint} {' '.join(result.remarks)}\nNobody was graded: with this "
                    "environment the marks would be wrong. Is every package installed (make "
                    "check), and is the release current (make assignments)?"
                )
