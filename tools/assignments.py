"""Write the students' release of every assignment from its source: ``-m tools assignments``.

The source is the solution. The release is the same notebook without the regions marked BEGIN
SOLUTION and BEGIN HIDDEN TESTS, made by nbgrader's own steps, byte for byte the same every time.
The set-up cell is that of the series: it is copied from notebook 1 into every source. The release
gets a Colab badge.

``--check`` writes nothing and fails when a committed file is not what would be written.
"""

import argparse
import copy
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tools import publish
from tools.project import ROOT, write_all

FOLDER = ROOT / "notebooks" / "assignments"
SET_UP_FROM = ROOT / "notebooks" / "01_rnn_basics.ipynb"
STUB = "# YOUR CODE HERE\nraise NotImplementedError()"


def names() -> list[str]:
    """The assignments, in order."""
    return sorted(path.stem for path in (FOLDER / "source").glob("*/*.ipynb"))


def path_of(kind: str, name: str) -> Path:
    """The notebook of an assignment; kind is "source" or "release"."""
    return FOLDER / kind / name / f"{name}.ipynb"


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def read_source(name: str) -> NotebookNode:
    """An assignment's source with the badge that students see under the title."""
    source = read(path_of("source", name))
    title, _, rest = source.cells[0].source.partition("\n")
    badge = publish.written_down().assignment_badge(name)
    source.cells[0].source = f"{title}\n\n{badge}\n{rest}"
    return source


def as_text(notebook: NotebookNode) -> str:
    return nbformat.writes(notebook, version=4).rstrip("\n") + "\n"


def with_set_up(source: NotebookNode, series: NotebookNode) -> NotebookNode:
    """The source with the set-up cell of the series.

    Raises:
        ValueError: there is no cell called "set-up".
    """
    set_up = next(cell.source for cell in series.cells if cell.cell_type == "code")
    source = copy.deepcopy(source)
    found = [cell for cell in source.cells if cell.metadata.nbgrader.grade_id == "set-up"]
    if len(found) != 1:
        raise ValueError(f"expected one cell with the grade_id set-up, got {len(found)}")
    found[0].source = set_up
    for cell in source.cells:  # a run in JupyterLab leaves these behind
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    source.metadata = NotebookNode(
        kernelspec=source.metadata.kernelspec, language_info=NotebookNode(name="python")
    )
    return source


def release(source: NotebookNode) -> NotebookNode:
    """What the students get: solutions and hidden tests removed, checks locked."""
    from nbgrader import preprocessors as steps

    notebook, resources = copy.deepcopy(source), {}
    for step in (
        steps.LockCells(),
        steps.ClearSolutions(code_stub={"python": STUB}),
        steps.ClearOutput(),
        steps.CheckCellMetadata(),
        steps.ClearHiddenTests(),
        steps.ClearMarkScheme(),
        steps.ComputeChecksums(),
    ):
        notebook, resources = step.preprocess(notebook, resources)
    return notebook


def wanted() -> dict[Path, str]:
    """The text of every source and release, as it should be."""
    series = read(SET_UP_FROM)
    texts = {}
    for name in names():
        source = with_set_up(read(path_of("source", name)), series)
        texts[path_of("source", name)] = as_text(source)
        texts[path_of("release", name)] = as_text(release(with_set_up(read_source(name), series)))
    return texts


def write_releases(check: bool) -> int:
    """Write every source and release; with `check`, only say which differ and return 1."""
    texts = wanted()
    extra = sorted(set((FOLDER / "release").glob("*/*")) - set(texts))
    for path in extra:
        print(f"without a source: {path.relative_to(ROOT)}")
    return write_all(texts, check, "assignments", ROOT) or int(check and bool(extra))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, fail if not current")
    return write_releases(parser.parse_args().check)
