"""Grade a class from the command line: ``-m tools.grade FOLDER`` (make grade SUBMISSIONS=FOLDER).

FOLDER holds a folder a student, and in it notebooks whose names contain an assignment's name::

    FOLDER/STUDENT/01_rnn_basics.ipynb
    FOLDER/STUDENT/01_rnn_basics/01_rnn_basics.ipynb

First the reference solution is graded: if it does not earn every point, nobody is graded. The
submissions are only read. Results go to a folder beside them, ``FOLDER-graded`` by default:
``grades.csv``, a table an assignment with points a part, ``written.csv`` for the answers that a
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

from tools import assignments
from tools.grading import feedback, marks
from tools.grading.runner import Limits, Runner

SAY = functools.partial(print, flush=True)
GRADE_COLUMNS = (
    "student assignment score max_score percent points_not_read_yet status message".split()
)
WRITTEN_COLUMNS = "student assignment part max_points points comment answer".split()


def found_in(folder: Path) -> list[tuple[str, str, Path, str]]:
    """Every submission as (student, assignment, file, remark), in a fixed order.

    A browser or Colab may have changed the name ("Copy of ...", "... (1)"); the exact name is
    preferred, then the file that was saved last.
    """
    rows = []
    for student in sorted(path for path in folder.iterdir() if path.is_dir()):
        if student.name.startswith("."):
            continue
        files = [
            path
            for path in [*student.glob("*.ipynb"), *student.glob("*/*.ipynb")]
            if path.is_file() and not path.is_symlink() and ".ipynb_checkpoints" not in path.parts
        ]
        for name in assignments.names():
            fitting = [path for path in files if name in path.stem]
            fitting.sort(key=lambda path: (path.stem == name, path.stat().st_mtime, str(path)))
            if fitting:
                others = len(fitting) - 1
                remark = f"{others} further file(s) were left aside" if others else ""
                rows.append((student.name, name, fitting[-1], remark))
    return rows


def safe(value):
    """Text that a spreadsheet will not take for a formula."""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def write_table(path: Path, columns, rows) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
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
    with path.open(newline="", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            if (row["points"] or "").strip() or (row["comment"] or "").strip():
                text = row["points"].strip().replace(",", ".")
                try:
                    points = float(text) if text else None
                except ValueError:
                    points = float("nan")
                if points is not None and not 0 <= points <= float(row["max_points"]):
                    raise ValueError(
                        f"{path}: expected points from 0 to {row['max_points']} for "
                        f"{row['student']}, {row['part']}, got {row['points']!r}"
                    )
                key = row["student"], row["assignment"], row["part"]
                given[key] = {"points": points, "comment": row["comment"], "answer": row["answer"]}
    return given


def enter_written(result: marks.Result, given) -> dict[str, str]:
    """Count what a person gave for the written answers; the comments, by part."""
    comments = {}
    for grade_id, part in result.parts.items():
        row = given.get((safe(result.student), result.assignment, grade_id))
        if not part.written or row is None:
            continue
        if row["answer"] != safe(part.answer):
            result.remarks.append(f"{grade_id} has changed since it was read: read it again")
            continue
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


def write_results(folder: Path, results, comments) -> None:
    """All tables and pages, put in place in one step; the results before are kept beside them."""
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
        write_table(new / "written.csv", WRITTEN_COLUMNS, written)
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


def grade_class(folder: Path, out: Path, runner: Runner, say=SAY) -> list[marks.Result]:
    """Grade every submission in a folder, in an open runner, and write the results.

    Raises:
        ValueError: nothing to grade, or points in written.csv that cannot be.
        marks.CanaryFailed: the reference solution does not earn every point here.
    """
    if not folder.is_dir():
        raise ValueError(f"expected a folder with a folder a student, got {folder}")
    if out == folder or folder in out.parents:
        raise ValueError(f"the results must lie outside the submissions, got {out}")
    submissions = found_in(folder)
    if not submissions:
        raise ValueError(
            f"nothing to grade in {folder}: expected STUDENT/ASSIGNMENT.ipynb, with ASSIGNMENT one "
            f"of {', '.join(assignments.names())}"
        )
    given = read_written(out / "written.csv")
    results, comments = [], {}
    say(runner.view())
    for name in sorted({name for _, name, _, _ in submissions}):
        marks.canary(name, runner)
        say(f"{name}: the reference earns every point, the empty release none")
    for student, name, path, remark in submissions:
        try:
            result = marks.grade_file(path, student, name, runner)
        except Exception as error:  # one submission must not stop the others
            message = f"the grader failed: {type(error).__name__}: {error}"
            result = marks.nothing(student, name, "grader failed", message)
        result.remarks += [remark] if remark else []
        comments[id(result)] = enter_written(result, given)
        results.append(result)
        say(f"{student}  {name}  {result.score:g} of {result.most:g}  {result.status}")
    write_results(out, results, comments)
    for name in sorted({result.assignment for result in results}):
        hints = collections.Counter(
            part.hint for r in results if r.assignment == name for part in r.parts.values()
        )
        del hints[""]
        for hint, count in hints.most_common(3):
            say(f"{name}, {count} times: {hint[:150]}")
    without = {p.name for p in folder.iterdir() if p.is_dir()} - {r.student for r in results}
    for student in sorted(without):
        say(f"{student}: no notebook with the name of an assignment")
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("submissions", type=Path)
    parser.add_argument("--out", type=Path, help="default: the submissions' name and -graded")
    parser.add_argument("--seconds", type=float, default=Limits.seconds, help="a submission")
    parser.add_argument("--cell-seconds", type=float, default=Limits.cell_seconds, help="a cell")
    parser.add_argument("--memory", type=float, default=Limits.memory / 1e9, help="in GB; 0: none")
    arguments = parser.parse_args()
    folder = arguments.submissions.resolve()
    out = (arguments.out or folder.with_name(folder.name + "-graded")).resolve()
    limits = Limits(arguments.seconds, arguments.cell_seconds, int(arguments.memory * 1e9))
    try:
        with Runner(limits) as runner:
            results = grade_class(folder, out, runner)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"grading stopped: {error}", file=sys.stderr)
        return 2
    print(f"{len(results)} submissions graded: {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
