"""Grade a class from the command line: ``-m tools.grade FOLDER`` (make grade SUBMISSIONS=FOLDER).

FOLDER is what a learning platform hands over: a folder or a zip file, with a folder per student or
flat. The cells tell which assignment a notebook is. ``--roster`` names a table of the students,
such as Moodle's grading worksheet or Canvas's gradebook; it comes back with the points filled in.

First the reference solution is graded: if it does not earn every point, nobody is graded. The
submissions are only read. Results go to a folder beside them, ``FOLDER-graded`` by default:
``grades.csv``, a table per assignment with points per part, ``written.csv`` for the answers that a
person must read, and ``feedback/STUDENT/ASSIGNMENT.html``. Points and comments that were filled
into ``written.csv`` are kept, and counted, when the command is run again.
"""

import argparse
import collections
import csv
import functools
import os
import shutil
import sys
import tempfile
from pathlib import Path
from types import MappingProxyType

from tools.grading import feedback, intake, marks
from tools.grading.runner import Limits, Runner

SAY = functools.partial(print, flush=True)
GRADE_COLUMNS = (
    "student assignment score max_score percent points_not_read_yet status message".split()
)
WRITTEN_COLUMNS = "student assignment part max_points points comment answer".split()


def safe(value):
    """Text that a spreadsheet will not take for a formula."""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def write_table(path: Path, columns, rows) -> None:
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        table = csv.DictWriter(file, columns, restval="")
        table.writeheader()
        table.writerows({key: safe(value) for key, value in row.items()} for row in rows)


def read_written(path: Path) -> dict[tuple[str, str, str], dict]:
    """Points and comments that a person has filled in, by student, assignment and part.

    Raises:
        ValueError: points that are no number, or out of range.
    """
    given = {}
    if not path.is_file():
        return given
    rows = intake.read_table(path)
    if rows and not set(WRITTEN_COLUMNS) <= set(rows[0]):
        raise ValueError(f"{path}: expected the columns {', '.join(WRITTEN_COLUMNS)}")
    for row in rows:
        text = row["points"].strip().replace(",", ".")
        if not text and not row["comment"].strip():
            continue
        try:
            points, most = (float(text) if text else None), float(row["max_points"])
        except ValueError:
            points, most = float("nan"), 0.0
        if points is not None and not 0 <= points <= most:
            raise ValueError(
                f"{path}: expected points from 0 to {row['max_points']} for {row['student']}, "
                f"{row['part']}, got {row['points']!r}"
            )
        given[row["student"], row["assignment"], row["part"]] = row | {"points": points}
    return given


def enter_written(result: marks.Result, given) -> dict[str, str]:
    """Count what a person gave for the written answers; the comments, by part."""
    comments = {}
    for grade_id, part in result.parts.items():
        row = given.get((safe(result.student), result.assignment, grade_id))
        if not part.written or row is None:
            continue
        if row["answer"].split() != safe(part.answer).split():
            result.remarks.append(f"{grade_id} has changed since it was read: read it again")
        comments[grade_id] = row["comment"]
        if row["points"] is not None and part.points is None:
            part.points = row["points"]
    return comments


def as_row(result: marks.Result) -> dict:
    hints = [f"{name}: {part.hint}" for name, part in result.parts.items() if part.hint]
    return {
        "student": result.student,
        "assignment": result.assignment,
        "score": float(result.score),
        "max_score": float(result.most),
        "percent": f"{100 * result.score / result.most:.1f}",
        "points_not_read_yet": float(result.unread),
        "status": result.status,
        "message": " | ".join([*result.remarks, *hints])[:2000],
    }


def write_results(folder: Path, results, comments, kept=(), tables=MappingProxyType({})) -> None:
    """All tables and pages, put in place in one step; the results before are kept beside them.

    Args:
        kept: rows of written.csv that belong to nobody in this run.
        tables: further tables by name, as the learning platform wants them.
    """
    new = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        os.chmod(new, 0o755)
        write_table(new / "grades.csv", GRADE_COLUMNS, map(as_row, results))
        for name in sorted({result.assignment for result in results}):
            mine = [result for result in results if result.assignment == name]
            rows = [
                as_row(r) | {p: "" if x.points is None else x.points for p, x in r.parts.items()}
                for r in mine
            ]
            write_table(new / f"{name}.csv", [*GRADE_COLUMNS, *mine[0].parts], rows)
        written = [
            {
                "student": result.student,
                "assignment": result.assignment,
                "part": name,
                "max_points": part.most,
                "points": "" if part.points is None else part.points,
                "comment": comments[id(result)].get(name, ""),
                "answer": part.answer,
            }
            for result in results
            for name, part in result.parts.items()
            if part.written and part.answer
        ]
        write_table(new / "written.csv", WRITTEN_COLUMNS, [*written, *kept])
        for name, rows in tables.items():
            write_table(new / name, rows[0], rows)
        for result in results:
            page = new / "feedback" / result.student / f"{result.assignment}.html"
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(feedback.page(result, comments[id(result)]), encoding="utf-8")
        previous = folder.with_name(folder.name + "-before")
        if folder.exists():
            shutil.rmtree(previous, ignore_errors=True)
            folder.rename(previous)
        new.rename(folder)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise


def grade_class(
    place: Path, out: Path, runner: Runner, say=SAY, roster: Path | None = None
) -> list[marks.Result]:
    """Grade every submission in a folder or a zip file and write the results.

    Raises:
        ValueError: nothing to grade, or points in written.csv that cannot be.
        marks.CanaryFailed: the reference solution does not earn every point here.
    """
    if not place.exists():
        raise ValueError(f"expected a folder or a zip file with submissions, got {place}")
    if out == place or place in out.parents:
        raise ValueError(f"the results must lie outside the submissions, got {out}")
    submissions = intake.collect(place)
    if not submissions:
        raise ValueError(f"nothing to grade in {place}: there is no notebook in it")
    given = read_written(out / "written.csv")
    people = intake.read_table(roster) if roster else []
    students = intake.match(people, submissions)
    results, comments = [], {}
    say(runner.view())
    names = sorted({row.assignment for row in submissions})
    for name in names:
        marks.canary(name, runner)
        say(f"{name}: the reference earns every point, the empty release none")
    for row in submissions:
        try:
            result = marks.grade(row, runner)
        except Exception as error:  # one submission must not stop the others
            message = f"the grader failed: {type(error).__name__}: {error}"
            result = marks.nothing(row.student, row.assignment, "grader failed", message)
        results.append(result)
        say(
            f"{row.student}  {row.assignment}  {result.score:g} of {result.most:g}  {result.status}"
        )
    there = {(result.student, result.assignment) for result in results}
    for name in names:
        for student in students:
            if student and (student, name) not in there:
                message = "nothing came in: no notebook of this assignment under this name"
                results.append(marks.nothing(student, name, "nothing handed in", message))
    for result in results:
        comments[id(result)] = enter_written(result, given)
    now = {(safe(result.student), result.assignment) for result in results}
    kept = [row for key, row in given.items() if key[:2] not in now]
    tables = {}
    for name in names if people else []:
        mine = {r.student: r for r in results if r.assignment == name}
        scores = {student: result.score for student, result in mine.items()}
        messages = {student: as_row(result)["message"] for student, result in mine.items()}
        most = next(iter(mine.values())).most
        table = intake.filled(people, students, scores, messages, name, most)
        tables[f"{roster.stem}-{name}.csv"] = table
    write_results(out, results, comments, kept, tables)
    for name in sorted({result.assignment for result in results}):
        hints = collections.Counter(
            part.hint for r in results if r.assignment == name for part in r.parts.values()
        )
        del hints[""]
        for hint, count in hints.most_common(3):
            say(f"{name}, {count} times: {hint[:150]}")
    if place.is_dir():
        empty = {p.name for p in place.iterdir() if p.is_dir()} - {
            parts[0] for parts, _, _ in intake.files_in(place)
        }
        for student in sorted(empty):
            say(f"{student}: no notebook")
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("submissions", type=Path, help="a folder or a zip file")
    parser.add_argument("--roster", type=Path, help="a table of the students, as exported")
    parser.add_argument("--out", type=Path, help="default: the submissions' name and -graded")
    parser.add_argument("--seconds", type=float, default=Limits.seconds, help="a submission")
    parser.add_argument("--cell-seconds", type=float, default=Limits.cell_seconds, help="a cell")
    parser.add_argument("--memory", type=float, default=Limits.memory / 1e9, help="in GB; 0: none")
    arguments = parser.parse_args()
    folder = arguments.submissions.resolve()
    out = (arguments.out or folder.with_name(folder.stem + "-graded")).resolve()
    limits = Limits(arguments.seconds, arguments.cell_seconds, int(arguments.memory * 1e9))
    try:
        with Runner(limits) as runner:
            results = grade_class(folder, out, runner, roster=arguments.roster)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"grading stopped: {error}", file=sys.stderr)
        return 2
    print(f"{len(results)} submissions graded: {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
