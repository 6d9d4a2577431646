"""Notebooks in Persian, from the catalogues of the Persian web pages.

The text is replaced block by block and set from right to left. Code and outputs are those of the
lesson. A sentence that has changed since it was translated appears in English.
"""

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path

from tools import publish, staging
from tools.project import ROOT, write_all

CATALOGUES = staging.LOCALE / "fa" / "LC_MESSAGES"
MARKER = r"\s*(?:#+ |- |> ?)*"
# JupyterLab aligns paragraphs on the left, whatever their direction.
PARAGRAPH = '<span style="display: block; text-align: right">{}</span>'
# A formula is drawn from left to right anyway; code with signs in it must be told to be.
CODE = re.compile(r"`([^`]+)`")


def pieces(source: str) -> Iterator[tuple[str, str]]:
    """A Markdown cell in pieces, each with its kind where a translator sees it: a paragraph, or a
    heading, list item or table cell. A block is one line."""
    formula = False
    for line in source.splitlines(keepends=True):
        text, end = line.rstrip("\n"), line[len(line.rstrip("\n")) :]
        fence = text.count("$$")
        if fence or formula or re.fullmatch(rf"{MARKER}|[|\s:-]*|{publish.BADGES}", text):
            formula ^= fence % 2 == 1
            yield text, ""
        elif text.startswith("|"):
            for part in re.split(r"((?<!\\)\||(?<=\|) +| +(?=\|))", text):
                yield part, "other" if part.strip(" |") else ""
        else:
            marker = re.match(MARKER, text)[0]
            yield marker, ""
            yield text[len(marker) :], "other" if re.search("[#-]", marker) else "paragraph"
        yield end, ""


def messages(notebook: dict) -> list[str]:
    """What a translator of the notebook sees: its text, block by block, and its figures' alts."""
    found = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            found |= {text: None for text, kind in pieces("".join(cell["source"])) if kind}
        for output in cell.get("outputs", []):
            if alt := output.get("metadata", {}).get("image/png", {}).get("alt"):
                found[alt] = None
    return list(found)


def wordless(message: str) -> bool:
    """Nothing in it but formulas, code, numbers and names: there is nothing to translate."""
    rest = re.sub(r"\$[^$]+\$|`[^`]+`|\b(?:Keras|LSTM)\b", "", message)
    return not re.search(r"[A-Za-z]", rest)


def right_to_left(source: str, known: dict[str, str]) -> str:
    """The cell in Persian; where a block is not translated, it stands in English."""

    def code(found):
        return f'<span dir="ltr">{found[0]}</span>' if re.search(r"[^\w.]", found[1]) else found[0]

    def block(text, kind):
        if kind == "paragraph":
            return PARAGRAPH.format(block(text, "other"))
        if text in known:
            return CODE.sub(code, known[text])
        return text if wordless(text) else f'<span dir="ltr">{text}</span>'

    text = "".join(block(text, kind) if kind else text for text, kind in pieces(source))
    text = re.sub(r"\]\((?![\w+.-]+:|#)", "](../", text)
    return f'<div dir="rtl">\n\n{text.strip()}\n\n</div>'


def translated(text: str, name: str, source: publish.Source) -> str:
    """The notebook in Persian.

    Args:
        text: the saved notebook.
        name: its name, which is also that of its catalogue.
        source: the repository, for the badges.
    """
    notebook, known = json.loads(text), staging.catalogue("fa", f"notebooks/{name}")
    badges = source.badges(f"notebooks/fa/{name}.ipynb")
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "markdown":
            new = right_to_left("".join(cell["source"]), known)
            if number == 0:
                below = f"{badges}\n\n{unsigned(source)}"
                new = re.sub(publish.BADGES, lambda _: below, new, count=1)  # noqa: B023
            cell["source"] = new.splitlines(keepends=True)
    return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"


def unsigned(source: publish.Source) -> str:
    """What the Persian pages say above their text, too."""
    words = staging.Words("fa")
    how = f"[{words(staging.HOW_TO_SIGN)}]({source.site}fa/translations.html)"
    return PARAGRAPH.format(f"*{words(staging.UNSIGNED)} {how}*")


def notebooks(texts: dict[Path, str], source: publish.Source) -> dict[Path, str]:
    """{file: text} of every notebook that has a catalogue, from the texts of the lessons."""
    names = sorted(path.stem for path in (CATALOGUES / "notebooks").glob("*.po"))
    folder = ROOT / "notebooks"
    return {
        folder / "fa" / f"{n}.ipynb": translated(texts[folder / f"{n}.ipynb"], n, source)
        for n in names
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the Persian notebooks.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if not current")
    check = parser.parse_args().check
    texts = {p: p.read_text(encoding="utf-8") for p in (ROOT / "notebooks").glob("*.ipynb")}
    return write_all(notebooks(texts, publish.written_down()), check, "persian", ROOT)
