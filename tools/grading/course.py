"""nbgrader's gradebook, with `tools.grading.runner` in the place of its executor.

A course is a folder that nbgrader understands: `gradebook.db`, `source/`, `submitted/`,
`autograded/` and `feedback/`. nbgrader keeps points, comments, changes by hand and late penalties;
its own commands and its formgrader work in the folder, and run submissions as `make grade` does.
"""

import atexit
import html
import json
import logging
import math
import os
import sqlite3
import sys
import warnings
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import nbformat
from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbgrader import preprocessors as steps
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config, PyFileConfigLoader

from tools import assignments
from tools.grading import marks, restore
from tools.grading.runner import Runner
from tools.project import ROOT

NOTES = "not-graded.json"
LONGEST = 30_000  # characters of an answer in a table; a spreadsheet's cell holds no more
CONFIGURATION = """# nbgrader's settings. Add yours, for example a rule for late submissions.
import sys

sys.path.insert(0, {root!r})
from tools.grading import course

c = course.configure(get_config())
# c.LateSubmissionPlugin.penalty_method = "zero"
"""


class Execute(steps.NbGraderPreprocessor):
    """Runs a submission under limits, and its checks outside; a summary becomes the first cell."""

    runner: Runner | None = None  # that of `make grade`; nbgrader's commands get one of their own

    def preprocess(self, nb, resources):
        if Execute.runner is None:
            Execute.runner = Runner().__enter__()
            atexit.register(Execute.runner.__exit__)
        result = marks.grade_notebook(
            nb, resources["nbgrader"]["student"], resources["nbgrader"]["assignment"], self.runner
        )
        known = nb.metadata.setdefault("grading", nbformat.NotebookNode())
        result.remarks = [*known.get("remarks", []), *result.remarks]
        known.update(status=result.status, remarks=result.remarks)
        known.hints = {name: part.hint for name, part in result.parts.items() if part.hint}
        for cell in nb.cells:  # what a student writes must not run in the instructor's browser
            if cell.cell_type == "markdown" and not cell.metadata.get("nbgrader", {}).get("locked"):
                cell.source = marks.harmless(cell.source)
        nb.cells.insert(0, nbformat.v4.new_markdown_cell(marks.summary(result), id="summary"))
        return nb, resources


def configure(config: Config) -> Config:
    """What makes nbgrader grade with this runner."""
    config.CourseDirectory.course_id = "recurrent-networks-measured"
    config.OverwriteCells.add_missing_cells = True
    config.ClearSolutions.code_stub = {"python": assignments.STUB}
    config.Autograde.autograde_preprocessors = [
        Execute, steps.SaveAutoGrades, steps.AssignLatePenalties, steps.CheckCellMetadata,
    ]  # fmt: skip
    config.GenerateFeedback.preprocessors = [
        steps.GetGrades, steps.ClearHiddenTests, CSSHTMLHeaderPreprocessor,
    ]  # fmt: skip
    return config


class Course:
    """A course's folder; made if it is not there.

    Args:
        folder: where it is to lie.
        show_hidden: whether feedback pages show the hidden tests.
    """

    def __init__(self, folder: Path, show_hidden: bool = False):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        settings = folder / "nbgrader_config.py"
        if not settings.is_file():
            settings.write_text(CONFIGURATION.format(root=str(ROOT)), encoding="utf-8")
        notes = folder / NOTES
        self._notes = json.loads(notes.read_text(encoding="utf-8")) if notes.is_file() else {}
        config = PyFileConfigLoader(settings.name, str(folder)).load_config()
        if show_hidden:
            config.GenerateFeedback.preprocessors.remove(steps.ClearHiddenTests)
        config.CourseDirectory.root = str(folder)
        beside = str(Path(sys.executable).parent)  # nbgrader calls alembic
        if beside not in os.environ["PATH"].split(os.pathsep):
            os.environ["PATH"] = beside + os.pathsep + os.environ["PATH"]
        _save(folder / "gradebook.db")
        self._api = NbGraderAPI(CourseDirectory(config=config), config=config)
        logging.getLogger("traitlets").setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", message="Object of type <Submitted")  # nbgrader's own

    def book(self) -> Gradebook:
        return self._api.gradebook

    def add_assignment(self, name: str, due: datetime | None = None) -> None:
        """Enter an assignment, or its new version."""
        with self.book() as book:
            known = name in [assignment.name for assignment in book.assignments]
        path = self.folder / "source" / name / f"{name}.ipynb"
        text = assignments.path_of("source", name).read_text(encoding="utf-8")
        if not known or not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            try:
                _must(self._api.generate_assignment(name))
            except BaseException:
                path.unlink()  # so that the next run tries again
                raise
        if due is not None:
            with self.book() as book:
                book.update_or_create_assignment(name, duedate=due.astimezone(UTC))

    def add_student(self, student: str) -> None:
        with self.book() as book:
            book.update_or_create_student(student)

    def handed_in(self) -> list[str]:
        """Everybody of whom something has come in, in this run or before."""
        with self.book() as book:
            found = {s.student.id for a in book.assignments for s in a.submissions}
        return sorted(found | {key.rpartition("/")[0] for key in self._notes})

    def grade(self, row, runner: Runner) -> None:
        """Hand a submission in, run it, enter its points. Points by hand and comments stay.

        Raises:
            RuntimeError: nbgrader could not; the message holds its log.
        """
        notebook, remarks = restore.restore(row.cells, row.assignment)
        notebook.metadata["grading"] = {"remarks": [*row.remarks, *remarks]}
        folder = self.folder / "submitted" / row.student / row.assignment
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{row.assignment}.ipynb"
        path.write_text(assignments.as_text(notebook), encoding="utf-8")
        when = datetime.fromtimestamp(row.saved, UTC)
        (folder / "timestamp.txt").write_text(f"{when:%Y-%m-%d %H:%M:%S} UTC")
        before = self.answers(row.student, row.assignment)
        Execute.runner = runner
        _must(self._api.autograde(row.assignment, row.student))
        if self._notes.pop(f"{row.student}/{row.assignment}", None):
            self._write_notes()
        self._settle(row, before)
        self.write_page(row.student, row.assignment)

    def write_page(self, student: str, name: str) -> None:
        """The student's page, from what the gradebook holds now."""
        if self._graded(student, name):  # a run that was cut off may have left none
            _must(self._api.generate_feedback(name, student))

    def _settle(self, row, before) -> None:
        """nbgrader asks for a second look at all that was marked by hand; only changes need one."""
        now = self.answers(row.student, row.assignment)
        with self.book() as book:
            for grade in _grades(book, row.student, row.assignment):
                if grade.manual_score is not None:
                    grade.needs_manual_grade = before.get(grade.name) != now.get(grade.name)
            book.db.commit()

    def answers(self, student: str, name: str) -> dict[str, str]:
        """{part: what the student wrote for it} of the last run."""
        found, last = {}, ""
        for cell in self._graded(student, name).get("cells", []):
            meta = cell.metadata.get("nbgrader", {})
            if meta.get("solution"):
                last = cell.source
            if meta.get("grade"):
                found[meta.grade_id] = last
        return found

    def _graded(self, student: str, name: str):
        path = self.folder / "autograded" / student / name / f"{name}.ipynb"
        try:
            return nbformat.read(path, 4) if path.is_file() else {}
        except ValueError:  # half written when a run was cut off
            return {}

    def note(self, row, status: str, message: str) -> None:
        """Keep why a submission could not be graded; points that it had before stay."""
        self.add_student(row.student)
        page = self.folder / "feedback" / row.student / row.assignment / f"{row.assignment}.html"
        if not self._graded(row.student, row.assignment):
            page.parent.mkdir(parents=True, exist_ok=True)
            text = f"{row.assignment}: {status}. {message}"
            page.write_text(f"<meta charset='utf-8'><p>{html.escape(text)}</p>", encoding="utf-8")
        self._notes[f"{row.student}/{row.assignment}"] = [status, message]
        self._write_notes()

    def _write_notes(self) -> None:
        text = json.dumps(self._notes, indent=1, ensure_ascii=False)
        new = self.folder / f"{NOTES}.new"
        new.write_text(text, encoding="utf-8")
        new.replace(self.folder / NOTES)

    def message(self, student: str, name: str) -> tuple[str, str]:
        """(status, remarks and hints) of the last run."""
        if f"{student}/{name}" in self._notes:
            return tuple(self._notes[f"{student}/{name}"])
        notebook = self._graded(student, name)
        if not notebook:
            return "nothing handed in", "no notebook of this assignment came in under this name"
        known = notebook["metadata"].get("grading", {})
        hints = [f"{part}: {hint}" for part, hint in known.get("hints", {}).items()]
        return known.get("status", ""), " | ".join([*known.get("remarks", []), *hints])

    def rows(self) -> tuple[list[dict], list[dict]]:
        """All submissions, and all their parts, as rows of tables."""
        totals, parts = [], []
        with self.book() as book:
            for assignment in book.assignments:
                for student in book.students:
                    who = {"student": student.id, "assignment": assignment.name}
                    status, message = self.message(student.id, assignment.name)
                    row = who | {"score": 0.0, "max_score": assignment.max_score}
                    row |= {"status": status, "message": message[:2000]}
                    totals.append(row)
                    try:
                        submission = book.find_submission(assignment.name, student.id)
                    except MissingEntry:
                        continue
                    late = submission.total_seconds_late / 3600
                    if late > 0:
                        row["message"] = f"{late:.1f} hours late | {row['message']}"
                    row["late_penalty"] = submission.late_submission_penalty or 0.0
                    row["score"] = max(submission.score - row["late_penalty"], 0.0)
                    grades = _grades(book, student.id, assignment.name)
                    unread = (grade.max_score for grade in grades if _open(grade))
                    row["points_not_read_yet"] = sum(unread)
                    answers = self.answers(student.id, assignment.name)
                    parts += [
                        who
                        | {
                            "part": grade.name,
                            "max_points": grade.max_score,
                            "by_checks": grade.auto_score,
                            "points": grade.manual_score,
                            "comment": _comment(book, grade).manual_comment or "",
                            "to_read": "yes" if grade.needs_manual_grade else "",
                            "answer": answers.get(grade.name, "")[:LONGEST],
                        }
                        for grade in grades
                    ]
        return totals, parts

    def enter(self, given: list[dict[str, str]]) -> None:
        """Points and comments by a person; every part can be overridden.

        Raises:
            ValueError: points that are no number or out of range, or a part that nobody handed in.
        """
        with self.book() as book:
            for row in given:
                who = f"{row['student']}, {row['assignment']}, {row['part']}"
                try:
                    grades = _grades(book, row["student"], row["assignment"])
                    grade = next(grade for grade in grades if grade.name == row["part"])
                except (MissingEntry, StopIteration):
                    raise ValueError(f"{who}: nothing of this has been graded") from None
                text = row["points"].strip().replace(",", ".")
                try:
                    points = float(text) if text else None
                except ValueError:
                    points = math.nan
                if points is not None and not 0 <= points <= grade.max_score:
                    raise ValueError(
                        f"{who}: expected points from 0 to {grade.max_score:g}, got {text!r}"
                    )
                grade.manual_score = points
                grade.needs_manual_grade = points is None and grade.auto_score is None
                _comment(book, grade).manual_comment = row["comment"].strip() or None
            book.db.commit()


def _save(path: Path) -> None:
    """Keep the gradebook's state beside it, if it is a sound one.

    Raises:
        ValueError: it is not, or somebody else is writing in it.
    """
    before, new = path.with_name("gradebook-before.db"), path.with_name("gradebook-before.new")
    if not path.is_file():
        return
    new.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(path)) as book, closing(sqlite3.connect(new)) as copy:
            book.execute("begin immediate")  # nobody else is in the middle of something
            book.rollback()
            if book.execute("pragma quick_check").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("its parts do not fit together")
            book.backup(copy)
        new.replace(before)
    except sqlite3.Error as error:
        raise ValueError(
            f"{path} cannot be used ({error}). Is another program writing in it? If it is broken, "
            f"{before.name} is its state before the last run"
        ) from None


def _grades(book, student, name):
    return book.find_submission_notebook(name, name, student).grades


def _comment(book, grade):
    """nbgrader keeps a comment with the cell of the answer, not of the check."""
    return book.find_comment(
        restore.answered_in(grade.assignment.name)[grade.name],
        grade.notebook.name,
        grade.assignment.name,
        grade.student.id,
    )


def _open(grade) -> bool:
    return grade.auto_score is None and grade.manual_score is None


def _must(outcome: dict) -> None:
    if not outcome["success"]:
        said = outcome.get("error") or outcome.get("log") or ""
        if said.rstrip().endswith("KeyboardInterrupt"):  # nbgrader swallows it
            raise KeyboardInterrupt
        raise RuntimeError(f"nbgrader stopped: {said[-1500:]}")
