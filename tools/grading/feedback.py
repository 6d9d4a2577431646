"""A page for the student: the notebook as it was run, with points and hints at the top."""

import copy
import re
from functools import cache
from pathlib import Path

import nbformat
import nbgrader
from nbconvert import HTMLExporter

from tools.grading.marks import Result

FORMGRADER = Path(nbgrader.__file__).parent / "server_extensions" / "formgrader"


@cache
def exporter() -> HTMLExporter:
    """nbconvert with nbgrader's page for feedback."""
    return HTMLExporter(
        template_name="feedback",
        extra_template_basedirs=[str(FORMGRADER / "templates")],
        extra_template_paths=[
            str(FORMGRADER / "static" / "node_modules" / "bootstrap" / "dist" / "css")
        ],
    )


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
        f"# {result.assignment}: {result.score:g} of {result.most:g} points\n\n"
        + "\n".join(rows)
        + ("\n\n**Remarks**\n" + remarks if remarks else "")
    )


def page(result: Result, comments: dict[str, str]) -> str:
    """The HTML page. `comments` are the instructor's, one a part."""
    top = nbformat.v4.new_markdown_cell(summary(result))
    top["id"] = "summary"
    cells = [top]
    for cell in copy.deepcopy(result.notebook.cells if result.notebook is not None else []):
        meta = cell.metadata.get("nbgrader")
        if meta and meta.grade_id in result.parts:
            part = result.parts[meta.grade_id]
            meta.score, meta.points = part.points or 0.0, part.most
            meta.comment = harmless(comments.get(meta.grade_id, ""))
            if part.points is None:
                meta.comment = "Not read yet."
        if cell.cell_type == "markdown" and not (meta and meta.get("locked")):
            cell.source = harmless(cell.source)
        cells.append(cell)
    notebook = nbformat.v4.new_notebook(cells=cells)
    resources = {
        "nbgrader": {
            "notebook": f"{result.assignment}: {result.student}",
            "score": result.score,
            "max_score": result.most,
            "late_penalty": 0,
        }
    }
    return exporter().from_notebook_node(notebook, resources=resources)[0]
