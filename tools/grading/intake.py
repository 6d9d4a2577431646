"""What a learning platform hands over, sorted: which notebook is whose, and of which assignment.

A folder or a zip file, with a folder for each student or flat, as Moodle and Canvas export it. The
cells tell which assignment a notebook is, the file's name does not matter. Zip files are read in
place; nothing is unpacked.
"""

import csv
import io
import os
import re
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tools import assignments
from tools.grading import restore

MOODLE = re.compile(r"(?P<name>.+?)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)(?:_|$)")
CANVAS = re.compile(r"(?P<name>[^_]+)_(?P<late>LATE_)?(?P<id>\d+)_\d+_(?=.)")
WHO = "Identifier|Full name|Email address|Student|ID|SIS User ID|SIS Login ID".split("|")
LEFT_OUT = (".ipynb_checkpoints", "__MACOSX")
MOST_FILES = 5000
LARGEST_ZIP = 500_000_000  # bytes of a zip file in another one


@dataclass
class Submission:
    """One student's notebook of one assignment.

    Attributes:
        student: a name that is used for files: with the platform's number, where there is one.
        cells: as `restore.load` gives them; None if they could not be read.
        message: why they could not be read.
        number: the student's number on the learning platform.
        saved: when the file was saved, in seconds since 1970.
    """

    student: str
    assignment: str
    cells: list | None
    message: str = ""
    remarks: list[str] = field(default_factory=list)
    number: str = ""
    saved: float = 0.0


def files_in(place: Path) -> Iterator[tuple[tuple[str, ...], float, bytes | str]]:
    """(path inside the place, time of saving, content or why there is none) of every notebook."""
    if place.is_file():
        yield from _in_zip(place.read_bytes(), (), place.stat().st_mtime)
        return
    for path in sorted(place.rglob("*")):
        parts = tuple(map(readable, path.relative_to(place).parts))
        if path.is_symlink() or not path.is_file() or _left_out(parts):
            continue
        saved, size = path.stat().st_mtime, path.stat().st_size
        if path.suffix.lower() == ".zip":
            yield from _in_zip(path.read_bytes(), (*parts[:-1], path.stem), saved)
        elif path.suffix.lower() == ".ipynb":
            yield parts, saved, _too_large(size) or path.read_bytes()


def readable(name: str) -> str:
    """A file's name as text that can be saved; out of an old archive it may be no UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return os.fsencode(name).decode("latin-1")
    return name


def _in_zip(data: bytes, before, saved, depth=0):
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        entries = [i for i in archive.infolist() if not i.is_dir()][:MOST_FILES]
        paths = {i.filename: PurePosixPath(i.filename.replace("\\", "/")) for i in entries}
        parts = {name: tuple(p for p in path.parts if p != "..") for name, path in paths.items()}
        if len(before) == 1 and any(p and _platform(p[0]) for p in parts.values()):
            before = ()  # the export of a whole class, in a folder
        for entry in entries:
            inner = parts[entry.filename]
            if not inner or _left_out(inner):
                continue
            kind = PurePosixPath(inner[-1]).suffix.lower()
            if kind == ".ipynb":
                content = _too_large(entry.file_size) or archive.read(entry)
                yield (*before, *inner), _time(entry), content
            elif kind == ".zip":
                where = (*before, *inner[:-1], PurePosixPath(inner[-1]).stem)
                if depth > 1 or entry.file_size > LARGEST_ZIP:
                    deep = "lies in too many others" if depth > 1 else "is too large"
                    yield (*where, "a zip file"), saved, f"the zip file {deep}: unpack it yourself"
                else:
                    yield from _in_zip(archive.read(entry), where, saved, depth + 1)
    except Exception as error:  # a broken archive may raise anything
        yield (*before, "a zip file"), saved, f"the zip file cannot be read ({error})"


def _time(entry) -> float:
    return time.mktime((*entry.date_time, 0, 0, -1))


def _left_out(parts) -> bool:
    return any(part in LEFT_OUT or part.startswith(".") for part in parts)


def _too_large(size: int) -> str:
    if size <= restore.LARGEST:
        return ""
    return (
        f"the file has {size / 1e6:.0f} MB, more than {restore.LARGEST / 1e6:.0f} MB: clear the "
        "outputs and hand it in again"
    )


def _platform(name: str):
    return MOODLE.match(name) or CANVAS.match(name)


def owner(parts: tuple[str, ...]) -> tuple[str, str, bool]:
    """Whose a file is: (student, number on the platform, late), from its path."""
    found = _platform(parts[0])
    if found:
        late = bool(found.groupdict().get("late"))
        return _as_folder(f"{found['name']}_{found['id']}"), found["id"], late
    student = parts[0]
    if len(parts) == 1:
        whole = student = PurePosixPath(student).stem
        for name in assignments.names():
            student = re.sub(rf"{name}( ?\(\d+\)$)?", "", student)  # a browser adds (1)
        student = student.strip(" _-.") or whole
    return _as_folder(student), "", False


def _as_folder(name: str) -> str:
    """A student's name as a folder's, with which nbgrader searches."""
    return re.sub(r"[\[\]*?+/\\]", "_", name)[:80].strip()


def collect(place: Path) -> list[Submission]:
    """Every submission in a folder or a zip file, by student and assignment.

    Of two notebooks by one student the one with more answers counts, then the one saved later; the
    other is named in the remarks.
    """
    found: dict[tuple[str, str], list] = {}
    unknown = []
    for parts, saved, content in files_in(place):
        student, number, late = owner(parts)
        remarks = ["handed in late, says the platform"] if late else []
        cells, message, name = None, content, _named(parts)
        if isinstance(content, bytes):
            try:
                name, cells, more = restore.load(content)
                remarks += more
                message = ""
            except restore.Unreadable as error:
                message = str(error)
        row = Submission(student, name, cells, message, remarks, number, saved)
        entry = (restore.answered(name, cells) if cells else -1, saved, "/".join(parts), row)
        if name:
            found.setdefault((student, name), []).append(entry)
        else:
            unknown.append(entry)
    usual = Counter(name for _, name in found).most_common(1)
    for entry in unknown:  # a file that tells nothing is taken for what the others handed in
        name = usual[0][0] if usual else assignments.names()[0]
        entry[-1].assignment = name
        found.setdefault((entry[-1].student, name), []).append(entry)
    rows = []
    for _, entries in sorted(found.items()):
        entries.sort(key=lambda entry: entry[:3])
        *others, (_, _, _, row) = entries
        row.remarks += [f"left aside, with fewer answers or older: {o[2]}" for o in others]
        rows.append(row)
    return rows


def _named(parts) -> str:
    return next((name for name in assignments.names() if name in "/".join(parts)), "")


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file, with commas or semicolons, as Excel or a platform writes it.

    Raises:
        ValueError: not a table with a line of headings.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: expected UTF-8 (in Excel: save as CSV UTF-8)") from None
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise ValueError(f"{path}: {error}") from None
    if not first.strip() or any(None in row for row in rows):
        raise ValueError(f"{path}: expected a line of headings, and as many fields in each row")
    return [{key: value or "" for key, value in row.items()} for row in rows]


def match(roster: list[dict[str, str]], rows: list[Submission], known=()) -> list[str]:
    """For each person on the roster the student of the submissions; a new name if there is none.

    A person is the student with their number on the platform, or else the only one with a name
    that stands in one of their fields; so the list that a platform exports will do as it is. Two
    people with one name are told apart by their numbers alone. Of a platform's columns only those
    count that tell who it is: a grade of 95 is no student's number.

    Args:
        known: students of earlier runs.
    """
    numbered = [column for column in ("Identifier", "ID") if roster and column in roster[0]]
    ends = ((student, re.search(r"[^\W\d].*_(\d+)$", student)) for student in known)
    earlier = [(student, found[1] if found else "") for student, found in ends]
    pairs = [(row.student, row.number) for row in rows]
    numbers = {number: student for student, number in pairs if number}
    whole = {_plain(student): student for student in known}  # name and number together
    fields = [_fields(person, numbered or _who(person)) for person in roster]
    students = [
        next((numbers[n] for n in found if n in numbers), "")
        or next((whole[k] for n in found for k in _joined(person, n) if k in whole), "")
        for person, found in zip(roster, fields, strict=True)
    ]
    by_name: dict[str, set] = {}
    for some in pairs, earlier:  # an earlier one only where nobody has handed in under this name
        names = [(_plain(t), s) for s, n in some for t in (s, s.removesuffix(f"_{n}"))]
        new = {name for name, _ in names} - set(by_name) - {""}
        for name, student in names:
            if name in new and student not in students:
                by_name.setdefault(name, set()).add(student)
    called = []
    for place, person in enumerate(roster):
        names = _fields(person, _who(person))
        called.append(person.get("Full name") or next(iter(names), ""))
        fitting = [by_name[_plain(name)] for name in names if _plain(name) in by_name]
        if not students[place] and fitting and len(fitting[0]) == 1:
            students[place] = next(iter(fitting[0]))
    often, shared = Counter(students), Counter(called)
    for place, person in enumerate(roster):
        if not students[place] or (often[students[place]] > 1 and shared[called[place]] > 1):
            number = f"_{fields[place][0]}" if shared[called[place]] > 1 and fields[place] else ""
            name = "" if _points_possible(person) else called[place] + number
            students[place] = _as_folder(name).strip(".")
    return students


def _joined(person, number) -> list[str]:
    return [_plain(n + number) for n in _fields(person, _who(person)) if n != number]


def _who(person) -> list[str]:
    return [column for column in WHO if column in person] or list(person)


def _fields(person, columns) -> list[str]:
    found = (person[column].removeprefix("Participant ").strip() for column in columns)
    return [value for value in found if value]


def filled(roster, students, scores, messages, name, most) -> list[dict[str, str]]:
    """The platform's own table with the points of one assignment, ready to be uploaded.

    Moodle's grading worksheet has the columns Grade and Feedback comments; Canvas's gradebook has
    a column for each assignment, and one with the assignment's name is made if there is none, last.
    Where no points are known, what stood there stays.
    """
    moodle = "Identifier" in roster[0]
    own = [heading for heading in roster[0] if name.casefold() in heading.casefold()]
    column = "Grade" if moodle else (own or [name])[0]
    table = []
    for person, student in zip(roster, students, strict=True):
        row = person | {column: person.get(column, "")}
        if student in scores:
            row[column] = f"{scores[student]:g}"
        if moodle and student in messages:
            row["Feedback comments"] = messages[student]
        elif _points_possible(person):
            row[column] = f"{most:g}"
        table.append(row)
    return table


def _points_possible(person) -> bool:
    """Whether this is Canvas's line of maxima."""
    return any("points possible" in value.casefold() for value in person.values())


def _plain(name: str) -> str:
    """A name without what platforms change."""
    return re.sub(r"[\W_]", "", name.casefold())
