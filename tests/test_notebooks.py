"""What must be true of every saved notebook, besides that it runs.

Strict comparison of outputs passes vacuously on a cell without an execution count, on a skipped
cell, or where nothing was saved; the hygiene tests close these holes. The structure tests keep
the skeleton that readers know from one notebook to the next.
"""

import base64
import io
import itertools
import re
import statistics

import matplotlib.image
import nbformat
import pytest

from tools import publish
from tools.project import notebooks, to_bytes

PATHS = notebooks()
each = pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])
MACHINE_PATH = re.compile(r"(/(home|root|tmp|work|Users)/|[A-Z]:\\\\|site-packages)")
OBJECT_ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}")
ALLOWED_TAGS = {"nbval-ignore-output", "hide-input", "solution"}
LAST_SECTIONS = ["Going further", "Claims", "Summary", "References"]
MOST_WORDS, MOST_LINES = 3700, 650  # on the main path: an hour


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code" and cell.source.strip()]


def text_of(path):
    return "\n\n".join(c.source for c in read(path).cells if c.cell_type == "markdown")


def outputs_of(path):
    return [(cell, output) for cell in code_cells(path) for output in cell.outputs]


def length(cell):
    return sum(1 for line in cell.source.splitlines() if line.strip())


def folded(cell):
    return "hide-input" in cell.metadata.get("tags", [])


def main_path(path):
    """The cells that everybody reads: those before "Going further"."""
    cells = read(path).cells
    return cells[: [c.source.startswith("## Going further") for c in cells].index(True)]


# --- hygiene -----------------------------------------------------------------------------------


@each
def test_valid_and_executed_once_in_order(path):
    nbformat.validate(read(path))
    counts = [cell.execution_count for cell in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1))


@each
def test_no_cell_escapes_comparison(path):
    for cell in read(path).cells:
        tags = {tag for tag in cell.metadata.get("tags", []) if not tag.startswith("taught-")}
        assert tags <= ALLOWED_TAGS, f"unknown tags {tags - ALLOWED_TAGS} on: {cell.source[:60]}"


@each
def test_no_errors_warnings_or_progress_bars(path):
    for cell, output in outputs_of(path):
        where = cell.source[:60]
        assert output.output_type != "error", f"a saved error in: {where}"
        assert output.get("name") != "stderr", f"a warning or progress bar in: {where}"
        for mime in output.get("data", {}):
            assert "widget" not in mime, f"widget debris in: {where}"
    assert "widgets" not in read(path).metadata


@each
def test_nothing_of_one_machine_is_saved(path):
    for cell, output in outputs_of(path):
        data = output.get("data", {})
        texts = [output.get("text", "")]
        texts += [text for mime, text in data.items() if mime.startswith("text/")]
        for text in texts:
            for pattern in (MACHINE_PATH, OBJECT_ADDRESS):
                assert not pattern.search(text), f"{pattern.search(text)} in: {cell.source[:60]}"
    assert set(read(path).metadata) <= {"kernelspec", "language_info"}
    assert "execution" not in str([cell.metadata for cell in read(path).cells])


@each
def test_no_review_is_quoted(path):
    """No saved text holds ten words in a row of a review."""
    from helpers import data

    def runs(text, n=10):
        words = re.findall(r"[a-z0-9']+", text.lower())
        return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}

    quoted = set().union(*(runs(text) for text in data.load_reviews()["text"]))
    for cell in read(path).cells:
        saved = [cell.source]
        for output in cell.get("outputs", []):
            saved.append(output.get("text", ""))
            saved += [t for m, t in output.get("data", {}).items() if m.startswith("text/")]
        for text in saved:
            assert not runs(re.sub(r"<[^>]+>", " ", text)) & quoted, cell.source[:60]


@each
def test_small_enough_to_read_on_the_web(path):
    assert path.stat().st_size < 3_000_000


# --- structure ---------------------------------------------------------------------------------


@each
def test_opening(path):
    first = read(path).cells[0]
    number = int(path.stem[:2])
    assert first.cell_type == "markdown"
    assert re.match(rf"# {number}\. \S", first.source)
    for label in ("You will learn", "You need", "Time and memory"):
        assert f"**{label}**" in first.source, label
    assert re.search(f"{publish.OPENING} on 2 cores", first.source)


@each
def test_closing_sections_in_order(path):
    headings = re.findall(r"^## +(.+?) *$", text_of(path), flags=re.MULTILINE)
    assert headings[-len(LAST_SECTIONS) :] == LAST_SECTIONS
    numbered = [heading for heading in headings if re.match(r"\d+\. ", heading)]
    assert len(numbered) >= 4
    assert [int(h.split(".")[0]) for h in numbered] == list(range(1, len(numbered) + 1))


@each
def test_references_can_be_found(path):
    references = text_of(path).split("## References")[1]
    assert len(re.findall(r"arxiv\.org/abs/|doi\.org/", references, flags=re.I)) >= 3


@each
def test_every_exercise_has_its_solution(path):
    cells = read(path).cells
    turns = [k for k, cell in enumerate(cells) if cell.source.startswith("**Your turn")]
    solved = [k for k, cell in enumerate(cells) if "solution" in cell.metadata.get("tags", [])]
    assert len(turns) >= 5 and solved == [k + 1 for k in turns]
    assert len(re.findall(r"\*\*Your turn \d", text_of(path))) == len(turns), "one per cell"
    for number, k in enumerate(turns, start=1):
        exercise, solution = cells[k : k + 2]
        assert exercise.cell_type == "markdown" and solution.cell_type == "code", number
        assert re.match(rf"\*\*Your turn {number}: [^*]+\.\*\* ", exercise.source), number
        assert re.search(r"check\s+yourself", exercise.source, flags=re.I), number
        assert solution.source.startswith(f"# Solution {number}\n") and folded(solution), number
        assert solution.metadata.jupyter.get("outputs_hidden"), f"{number} gives the answer away"


@each
def test_folded_are_figures_claims_and_solutions(path):
    """Both marks of a folded cell agree, and what is taught is never folded."""
    for cell in read(path).cells:
        hidden = cell.metadata.get("jupyter", {}).get("source_hidden", False)
        assert hidden == folded(cell), cell.source[:60]
        assert not hidden or cell.cell_type == "code", cell.source[:60]
        if cell.cell_type != "code":
            continue
        if re.search(r"^(plotting\.show|claims\.check_verdict)\(", cell.source, re.MULTILINE):
            assert hidden, f"to fold: {cell.source[:60]}"
        if any(tag.startswith("taught-") for tag in cell.metadata.get("tags", [])):
            assert not hidden, f"taught, but folded: {cell.source[:60]}"


@each
def test_main_path_takes_an_hour(path):
    cells = main_path(path)
    words = sum(len(cell.source.split()) for cell in cells if cell.cell_type == "markdown")
    lines = sum(length(cell) for cell in cells if cell.cell_type == "code" and not folded(cell))
    assert words <= MOST_WORDS and lines <= MOST_LINES, (words, lines)


@each
def test_figures_can_be_seen_and_read(path):
    """Alternative text, no transparent corner, and below it the text that says what to see."""
    cells, figures = read(path).cells, 0
    for cell, after in itertools.pairwise(cells):
        for output in cell.get("outputs", []):
            if "image/png" not in output.get("data", {}):
                continue
            where, figures = cell.source[-80:], figures + 1
            alt = output.get("metadata", {}).get("image/png", {}).get("alt", "")
            assert len(alt.split()) >= 5, f"no alt text in: {where}"
            raw = base64.b64decode(output["data"]["image/png"])
            pixels = matplotlib.image.imread(io.BytesIO(raw))
            assert pixels.shape[-1] == 3 or pixels[..., 3].min() == 1, where
            assert after.cell_type == "markdown", where
            assert re.search(r"\*Figure \d+", after.source), where
    assert figures >= 3


@each
def test_figures_are_numbered_in_order(path):
    numbers = re.findall(r"^\*Figure (\d+)", text_of(path), flags=re.MULTILINE)
    assert [int(number) for number in numbers] == list(range(1, len(numbers) + 1))


@each
def test_cells_are_short(path):
    lengths = sorted(length(cell) for cell in code_cells(path) if not folded(cell))
    assert statistics.median(lengths) <= 8
    assert lengths[int(0.9 * (len(lengths) - 1))] <= 20
    assert lengths[-1] <= 30
    assert all(length(cell) <= 45 for cell in code_cells(path))


@each
def test_local_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text_of(path)):
        if not re.match(r"[a-z]+:", target):
            assert (path.parent / target).exists(), target


@each
def test_untagged_cells_are_compared(path):
    """Most cells must be compared letter by letter, or the strict run proves little."""
    cells = code_cells(path)
    ignored = [c for c in cells if "nbval-ignore-output" in c.metadata.get("tags", [])]
    assert len(ignored) <= 0.5 * len(cells)


def test_what_is_generated_is_current():
    """Badges, set-up cells, minutes and memory, environment.yml, the page of claims."""
    texts = publish.everything(publish.written_down(), publish.written_down())
    for path, text in texts.items():
        assert path.read_bytes() == to_bytes(text), f"make publish: {path.name}"
    cells = {code_cells(path)[0].source for path in PATHS}
    assert cells == {publish.written_down().set_up_cell()}
