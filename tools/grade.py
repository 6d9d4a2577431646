"""Grade a class from the command line: ``-m tools.grade FOLDER`` (make grade SUBMISSIONS=FOLDER).

FOLDER is what a learning platform hands over: a folder or a zip file, with a folder per student or
flat. The cells tell which assignment a notebook is. ``--roster`` names a table of the students,
such as Moodle's grading worksheet or Canvas's gradebook; it comes back with the points filled in.

First the reference solution is graded: if it does not earn every point, nobody is graded. The
submissions are only read. All that is known goes into a course's folder, ``gradebook`` beside the
submissions by default, which is nbgrader's as well (`tools.grading.course`). In it lie
``grades.csv``, ``parts.csv`` with a row per part, and ``feedback/STUDENT/ASSIGNMENT``. Points and
comments that were filled into ``parts.csv`` are entered when the command is run again.
"""

import argparse
import collections
import csv
import functools
import re
import shutil
import sys
from datetime import datetime
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from tools.grading import intake, marks
from tools.grading.course import Course
from tools.grading.runner import Limits, Runner

SAY = functools.partial(print, flush=True)
GRADE_COLUMNS = (
    "student assignment score max_score late_penalty points_not_read_yet status message".split()
)
PART_COLUMNS = "student assignment part max_points by_checks points comment to_read answer".split()


def safe(value):
    """Text that a spreadsheet will not take for a formula."""
    text = "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def write_table(path: Path, columns, rows, quote=safe) -> None:
    new = path.with_suffix(".new")
    with new.open("w", newline="", encoding="utf-8-sig") as file:
        table = csv.DictWriter(file, columns, restval="")
        table.writeheader()
        table.writerows({key: quote(value) for key, value in row.items()} for row in rows)
    new.replace(path)


def filled_in(folder: Path) -> list[dict[str, str]]:
    """Rows of parts.csv whose points or comment are not those that were written there.

    Raises:
        ValueError: the table has lost a column.
    """
    path, written = folder / "parts.csv", folder / ".parts-as-written.csv"
    if not (path.is_file() and written.is_file()):
        return []
    rows = intake.read_table(path)
    if rows and not set(PART_COLUMNS[:7]) <= set(rows[0]):
        raise ValueError(f"{path}: expected the columns {', '.join(PART_COLUMNS)}")
    given, had = {_key(row): row for row in rows}, set()
    for row in intake.read_table(written):
        key = _key(row)
        had |= {key} if row["points"].strip() or row["comment"].strip() else set()
        old = row["points"], row["comment"].split()
        if key in given and old == (given[key]["points"].strip(), given[key]["comment"].split()):
            del given[key]
    return [
        row | dict(zip(PART_COLUMNS[:3], key, strict=True))
        for key, row in given.items()
        if key in had or row["points"].strip() or row["comment"].strip()
    ]


def _key(row):
    """Student, assignment and part, without what `safe` has put before them."""
    return tuple(re.sub(r"^'(?=[=+\-@\t\r])", "", row[column]) for column in PART_COLUMNS[:3])


def write_results(course: Course, roster: Path | None, people, students) -> list[dict]:
    """The tables, from the gradebook: everybody who was ever graded is in them."""
    during = filled_in(course.folder)  # what a person has filled in since this run began
    course.enter(during)
    for student, name in {(row["student"], row["assignment"]) for row in during}:
        course.write_page(student, name)
    totals, parts = course.rows()
    write_table(course.folder / "grades.csv", GRADE_COLUMNS, totals)
    for name in ("parts.csv", ".parts-as-written.csv"):
        write_table(course.folder / name, PART_COLUMNS, parts)
    for name in sorted({row["assignment"] for row in totals}) if people else ():
        mine = {row["student"]: row for row in totals if row["assignment"] == name}
        scores = {  # who may still hand in gets no 0
            student: row["score"]
            for student, row in mine.items()
            if row["score"] or row["status"] not in ("nothing handed in", "grader failed")
        }
        messages = {student: safe(row["message"]) for student, row in mine.items()}
        most = next(iter(mine.values()))["max_score"]
        table = intake.filled(people, students, scores, messages, name, most)
        write_table(course.folder / f"{roster.stem}-{name}.csv", table[0], table, quote=str)
    return totals


def grade_class(
    place: Path,
    folder: Path,
    runner: Runner,
    say=SAY,
    *,
    roster: Path | None = None,
    only: str = "",
    due: datetime | None = None,
    show_hidden: bool = False,
) -> list[dict]:
    """Grade every submission in a folder or a zip file; the rows of grades.csv.

    Raises:
        ValueError: nothing to grade, or points in parts.csv that cannot be.
        marks.CanaryFailed: the reference solution does not earn every point here.
    """
    if not place.exists():
        raise ValueError(f"expected a folder or a zip file with submissions, got {place}")
    if place in (folder, *folder.parents, folder / "submitted"):
        raise ValueError(f"the gradebook must lie outside the submissions, got {folder}")
    found = intake.collect(place)
    submissions = [row for row in found if only in ("", row.student)]
    if not submissions:
        names = ", ".join(sorted({row.student for row in found})[:40])
        who = f" by {only} (there are: {names})" if only else ""
        raise ValueError(f"nothing to grade in {place}: there is no notebook{who} in it")
    people = intake.read_table(roster) if roster else []
    say(runner.view())
    names = sorted({row.assignment for row in submissions})
    for name in names:
        marks.canary(name, runner)
        say(f"{name}: the reference earns every point, the empty release none")
    course = Course(folder, show_hidden)
    given = filled_in(folder)
    course.enter(given)
    if given:  # what is entered once is not entered again, whatever happens to this run
        shutil.copy(folder / "parts.csv", folder / ".parts-as-written.csv")
    for name in names:
        course.add_assignment(name, due)
    students = intake.match(people, found, course.handed_in())
    for student in filter(None, students):
        course.add_student(student)
    for student in sorted({row.student for row in submissions} - set(students)) if people else ():
        say(f"{student}: nobody on the roster, or more than one, has this name")
    for row in submissions:
        if row.cells is None:
            course.note(row, "not readable", row.message)
        else:
            try:
                course.grade(row, runner)
            except Exception as error:  # one submission must not stop the others
                say(f"{type(error).__name__}: {error}")
                course.note(
                    row, "grader failed", "this has not been graded; your teacher looks at it"
                )
        say(f"{row.student}  {row.assignment}  {course.message(row.student, row.assignment)[0]}")
    now = {(row.student, row.assignment) for row in submissions}
    for student, name in {(row["student"], row["assignment"]) for row in given} - now:
        course.write_page(student, name)
    totals = write_results(course, roster, people, students)
    hints = collections.Counter(
        hint.partition(": ")[2] for row in totals for hint in row["message"].split(" | ")
    )
    for hint, count in hints.most_common(5):
        if count > 1 and hint:
            say(f"{count} times: {hint[:150]}")
    if place.is_dir():
        empty = {intake.readable(p.name) for p in place.iterdir() if p.is_dir()} - {
            parts[0] for parts, _, _ in intake.files_in(place)
        }
        for student in sorted(empty):
            say(f"{student}: no notebook")
    return totals


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("submissions", type=Path, help="a folder or a zip file")
    parser.add_argument("--gradebook", type=Path, help="the course's folder; default: beside them")
    parser.add_argument("--roster", type=Path, help="a table of the students, as exported")
    parser.add_argument("--student", default="", help="grade this one alone")
    parser.add_argument(
        "--due", type=datetime.fromisoformat, help="2026-12-01T23:59; later is late"
    )
    parser.add_argument("--show-hidden-tests", action="store_true", help="on feedback pages")
    parser.add_argument("--seconds", type=float, default=Limits.seconds, help="per submission")
    parser.add_argument("--cell-seconds", type=float, default=Limits.cell_seconds, help="per cell")
    parser.add_argument("--memory", type=float, default=Limits.memory / 1e9, help="in GB; 0: none")
    given = parser.parse_args()
    place = given.submissions.resolve()
    folder = (given.gradebook or place.with_name("gradebook")).resolve()
    limits = Limits(given.seconds, given.cell_seconds, int(given.memory * 1e9))
    try:
        with Runner(limits) as runner:
            grade_class(
                place,
                folder,
                runner,
                roster=given.roster,
                only=given.student,
                due=given.due,
                show_hidden=given.show_hidden_tests,
            )
    except (ValueError, OSError, RuntimeError, SQLAlchemyError) as error:
        print(f"grading stopped: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("grading stopped: what has been graded is kept; run it again", file=sys.stderr)
        return 130
    print(f"graded: {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
