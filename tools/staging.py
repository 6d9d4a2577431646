"""The pages as Sphinx reads them: the saved notebooks and texts, in the repository's layout.

Runs in the environment of the site. What is said in the pages' own words goes through `Words`, the
rest through Sphinx's catalogues.
"""

import html
import json
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from babel.messages import mofile, pofile
from babel.messages.catalog import Catalog

from tools import publish
from tools.project import ROOT, notebooks, write

LOCALE = ROOT / "site" / "locale"
BUILD = ROOT / "build" / "site"
UNIT = ROOT / "site" / "unit.html"
START, ASSIGNMENTS, CLAIMS = "notebooks/README.md", "notebooks/assignments/README.md", "docs/claims"
LESSONS = [f"notebooks/{path.stem}" for path in notebooks()]
# What hooks.py says.
TITLE, RUN = "Recurrent networks, measured", "Run this notebook"
AUTHOR, RIGHTS = "the authors of the series", "text and figures CC BY 4.0, code MIT"
UNSIGNED = "No native reader has signed this translation yet:"
HOW_TO_SIGN = "how you can"
NAMES = {"en": "English", "fa": "فارسی"}
RIGHT_TO_LEFT = ("fa",)
DIGITS = {"fa": "۰۱۲۳۴۵۶۷۸۹"}
TRANSLATIONS = "translations"
TABLE = ("page", "sentences translated", "published", "yes", "no", "{done} of {all} ({percent}%)")
ENOUGH = 0.95  # a page with more English than that looks broken


def labels() -> list[str]:
    """Words that a page may need though none has asked for them while it was staged."""
    from helpers import claims

    said = [TITLE, RUN, AUTHOR, RIGHTS, UNSIGNED, HOW_TO_SIGN, *TABLE]
    return [*said, *claims.VERDICTS, *publish.MIXED.values()]


class Words:
    """The site's own words in one language; it keeps which ones were asked for."""

    def __init__(self, language: str):
        self.language, self.known, self.asked = language, catalogue(language, "site"), {}

    def __call__(self, text: str) -> str:
        self.asked[text] = None
        return self.known.get(text, text)

    def number(self, number: int) -> str:
        digits = DIGITS.get(self.language, "0123456789")
        return str(number).translate(str.maketrans("0123456789", digits))


def catalogue(language: str, name: str) -> dict[str, str]:
    """What is translated; a fuzzy translation is of an older sentence and does not count."""
    path = LOCALE / language / "LC_MESSAGES" / f"{name}.po"
    if not path.is_file():
        return {}
    with path.open("rb") as file:
        known = [m for m in pofile.read_po(file) if m.id and m.string and not m.fuzzy]
    plural = lambda text, m: text[-1] if m.pluralizable else text  # noqa: E731
    return {plural(m.id, m): plural(m.string, m) for m in known}


def languages() -> list[str]:
    return sorted(path.parent.name for path in LOCALE.glob("*/LC_MESSAGES"))


def compiled(language: str) -> None:
    """Compile the catalogues to where Sphinx looks for them."""
    for path in (LOCALE / language).rglob("*.po"):
        target = BUILD / "locale" / path.relative_to(LOCALE).with_suffix(".mo")
        target.parent.mkdir(parents=True, exist_ok=True)
        with path.open("rb") as source, target.open("wb") as file:
            mofile.write_mo(file, pofile.read_po(source))
    with (LOCALE / language / "LC_MESSAGES" / "sphinx.po").open("rb") as source:
        catalog = pofile.read_po(source)
    said = {m.id[0] if m.pluralizable else m.id: m.string for m in catalog if m.id and m.string}
    said = {"locale": language, "messages": said, "plural_expr": catalog.plural_expr}
    # Sphinx's scripts take their words from this file, where there is one.
    script = f"Documentation.addTranslations({json.dumps(said)});"
    write(BUILD / "locale" / language / "LC_MESSAGES" / "sphinx.js", script)


def template(name: str, texts: Iterable[str]) -> None:
    """Write a template like those that Sphinx writes for the pages' text."""
    catalog = Catalog(charset="utf-8")
    for text in texts:
        catalog.add(text)
    (BUILD / "pot").mkdir(parents=True, exist_ok=True)
    with (BUILD / "pot" / f"{name}.pot").open("wb") as file:
        pofile.write_po(file, catalog, width=100)


def shares(language: str) -> dict[str, tuple[int, int]]:
    """{page: (messages translated, messages)}, against the templates of today's text."""
    found = {}
    for path in sorted((BUILD / "pot").rglob("*.pot")):
        name = path.relative_to(BUILD / "pot").with_suffix("").as_posix()
        with path.open("rb") as file:
            wanted = [message.id for message in pofile.read_po(file) if message.id]
        known = catalogue(language, name)
        found[name] = sum(text in known for text in wanted), len(wanted)
    return found


def ready(pages: list[str], found: dict[str, tuple[int, int]]) -> list[str]:
    """The pages that can be published; the table of claims is made of the site's own words."""
    enough = {name for name, (done, wanted) in found.items() if done >= ENOUGH * wanted}
    return [page for page in pages if page in enough and (page != CLAIMS or "site" in enough)]


# --- the pages -----------------------------------------------------------------------------------


def stage(language: str, names: list[str], words: Words, table: str = "") -> Path:
    """Write the sources of these pages; which folder they are in.

    Args:
        language: "en", or that of the catalogues.
        names: the pages, named as their documents; "index" is always one.
        words: the site's own words.
        table: how far the translations are, in HTML.
    """
    folder = BUILD / language
    shutil.rmtree(folder, ignore_errors=True)
    records, registered = publish.gather(notebooks()), publish_register()
    for lesson in LESSONS:
        if lesson in names:
            text = (ROOT / f"{lesson}.ipynb").read_text(encoding="utf-8")
            write(folder / f"{lesson}.ipynb", notebook_page(text, registered, words))
    if CLAIMS in names:
        head = publish.CLAIMS_HEAD.replace("{tally}\n\n", "")
        write(
            folder / f"{CLAIMS}.md", head + "\n" + claims_table(records, registered, words, names)
        )
    assignments = ASSIGNMENTS.removesuffix(".md")
    if assignments in names:
        page = (ROOT / ASSIGNMENTS).read_text(encoding="utf-8")
        page = re.sub(r"\[!\[([^\]]*)\]\([^)]*\)\]", r"[\1]", page)  # badges lie elsewhere
        write(folder / ASSIGNMENTS, re.sub(r"<!-- .*? -->\n?", "", page))
    if TRANSLATIONS in names:
        text = (ROOT / "site" / "translations.md").read_text(encoding="utf-8")
        write(folder / f"{TRANSLATIONS}.md", f"{text}\n{table}")
    write(folder / "index.md", start_page(names))
    write(folder / "unit.html", unit_page(language, words))
    drawing = (ROOT / "docs" / "way.svg").read_text(encoding="utf-8")
    drawing = re.sub(r"(?<=>)([^<>\n]+)(?=</(?:text|title|desc)>)", lambda m: words(m[1]), drawing)
    if language in RIGHT_TO_LEFT:
        drawing = drawing.replace("<svg ", '<svg direction="rtl" ', 1)
    write(folder / "docs" / "way.svg", drawing)
    return folder


WORDS = r'(?s)(<script type="application/json" id="words">)(.*?)(</script>)'


def unit_page(language: str, words: Words) -> str:
    """The unit to play with: its words stand in one place in the page."""
    page, known = UNIT.read_text(encoding="utf-8"), catalogue(language, "unit")
    said = {key: known.get(text, text) for key, text in unit_words(page).items()}
    page = re.sub(WORDS, lambda m: m[1] + json.dumps(said, ensure_ascii=False) + m[3], page)
    if language != "en":
        for key, tag in (
            ("title", r"(<title>)[^<]*"),
            ("description", r'(name="description" content=")[^"]*'),
        ):
            page = re.sub(tag, lambda m: m[1] + html.escape(said[key]), page, count=1)  # noqa: B023
        direction = ' dir="rtl"' if language in RIGHT_TO_LEFT else ""
        page = page.replace('<html lang="en"', f'<html lang="{language}"{direction}', 1)
        link = f'<a href="{TRANSLATIONS}.html">{words(HOW_TO_SIGN)}</a>'
        note = f'<p class="small own">{words(UNSIGNED)} {link}</p>'
        page = page.replace("</main>", f"{note}\n</main>", 1)
    return page


def unit_words(page: str) -> dict[str, str]:
    return json.loads(re.search(WORDS, page)[2])


def unit_title(language: str) -> str:
    title = unit_words(UNIT.read_text(encoding="utf-8"))["title"]
    return catalogue(language, "unit").get(title, title)


def publish_register() -> dict[str, dict]:
    from helpers import claims

    return claims.register()


def notebook_page(text: str, registered: dict, words: Words) -> str:
    """A saved notebook as the site shows it: alternative texts, folds, claims, no badges."""
    notebook = json.loads(text)
    notebook["metadata"]["language_info"]["pygments_lexer"] = "ipython3"
    below_title = True
    for number, cell in enumerate(notebook["cells"]):
        source, settings = "".join(cell["source"]), cell["metadata"].setdefault("mystnb", {})
        if cell["cell_type"] == "markdown":
            below_title &= number == 0
            cell["source"] = re.sub(rf"{publish.BADGES}\n*", "", source)
            continue
        tags = cell["metadata"].setdefault("tags", [])
        if "solution" in tags:
            tags[:] = ["hide-cell"]
            settings["code_prompt_show"] = words("Show the solution")
            settings["code_prompt_hide"] = words("Hide the solution")
        else:
            tags += ["hide-input"] * below_title
            settings["code_prompt_show"] = words(
                "Show the set-up" if below_title else "Show the code"
            )
            settings["code_prompt_hide"] = words("Hide the code")
        for output in cell["outputs"]:
            data = output.get("data", {})
            if "image/png" in data:
                # myst-nb looks for it here, and not where `plotting.show` saves it.
                settings["image"] = {"alt": output["metadata"]["image/png"]["alt"]}
                data.pop("text/plain", None)
            record = data.pop("application/vnd.measured-claim+json", None)
            if record:
                data["text/html"] = claim_box(record, registered, words)
    return json.dumps(notebook, ensure_ascii=False, indent=1)


def start_page(names: list[str]) -> str:
    """The start page, one folder up, and the order of all pages."""
    page = (ROOT / START).read_text(encoding="utf-8")
    base = os.path.dirname(START)

    def moved(match):
        link = match[1]
        if not re.match(r"\w+:|#", link):
            link = os.path.normpath(os.path.join(base, link)).replace(os.sep, "/")
        return f"]({link})"

    page = re.sub(r"\]\(([^)\s]+)\)", moved, page)
    lessons = [name for name in names if name in LESSONS]
    others = [name for name in names if name not in (*LESSONS, "index")]
    for group in filter(None, (lessons, others)):
        page += "\n```{toctree}\n:hidden:\n\n" + "\n".join(group) + "\n```\n"
    return page


# --- the claims ----------------------------------------------------------------------------------


def verdict(record: dict, words: Words) -> str:
    from helpers import claims

    mark, text = claims._MARKS[record["verdict"]], words(record["verdict"])
    name = record["verdict"].replace(" ", "-")
    return f'<b class="verdict {name}"><span aria-hidden="true">{mark}</span> {text}</b>'


def measured(record: dict, words: Words) -> str:
    """What was measured, with what was tried and the conditions; this stays English."""
    text, more = f"<p>{html.escape(record['measured'])}</p>", ""
    if record.get("challenged"):
        text += f"<p><i>Tried against it:</i> {html.escape(record['challenged'])}</p>"
    if record["verdict"] in publish.MIXED:
        rows = (
            f"<li>{publish.ANSWERS[seen]}: {html.escape(condition)}</li>"
            for condition, seen in record["conditions"]
        )
        head = words(publish.MIXED[record["verdict"]])
        english = '<ul lang="en" dir="ltr">'
        more = f"<details><summary>{head}</summary>{english}{''.join(rows)}</ul></details>"
    return f'<div class="measured"><div lang="en" dir="ltr">{text}</div>{more}</div>'


def origin(record: dict, registered: dict, words: Words) -> str:
    source = html.escape(words(registered[record["id"]]["source"]))
    return words("{id}, {source}").format(id=record["id"], source=source)


def claim_box(record: dict, registered: dict, words: Words) -> str:
    claim, source = words(record["claim"]), origin(record, registered, words)
    return (
        f'<div class="claim"><p>{verdict(record, words)} {html.escape(claim)} '
        f"<small>{source}</small></p>{measured(record, words)}</div>"
    )


def claims_table(records: list[dict], registered: dict, words: Words, names: list[str]) -> str:
    """All claims in one table; claims.js adds the filter."""
    rows = []
    for record in records:
        lesson, number = f"notebooks/{record['notebook']}", int(record["notebook"][:2])
        place = "../" if lesson in names else "../../"  # a lesson that is not translated
        where = f'<a href="{place}{lesson}.html">{words("Lesson")} {words.number(number)}</a>'
        source = origin(record, registered, words)
        rows.append(
            f'<tr data-verdict="{record["verdict"]}"><td>{verdict(record, words)}</td>'
            f"<td><p>{html.escape(words(record['claim']))}</p>"
            f"<p><small>{source} · {where}</small></p></td>"
            f"<td>{measured(record, words)}</td></tr>"
        )
    heads = "".join(f'<th scope="col">{words(x)}</th>' for x in ("verdict", "claim", "measured"))
    labels = {"search": "Search the claims", "all": "all", "shown": "claims shown"}
    data = " ".join(f'data-{key}="{html.escape(words(text))}"' for key, text in labels.items())
    return (
        f'<div class="claims" {data}><table class="table"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>\n"
    )


def shares_table(
    language: str, found: dict[str, tuple[int, int]], ready: list[str], words: Words
) -> str:
    """How far a translation is, page by page."""
    page, translated, published, yes, no, share = map(words, TABLE)
    rows = ""
    for name, (done, all_) in found.items():
        if done:
            numbers = {"done": done, "all": all_, "percent": round(100 * done / all_)}
            numbers = {key: words.number(number) for key, number in numbers.items()}
            shown = yes if name in ready else no if name in LESSONS else ""
            rows += f'<tr><td dir="ltr">{name}</td><td>{share.format(**numbers)}</td>'
            rows += f"<td>{shown}</td></tr>"
    heads = f"<th>{page}</th><th>{translated}</th><th>{published}</th>"
    title = f'<h2 lang="{language}">{NAMES[language]}</h2>'
    table = f'<table class="table"><tr>{heads}</tr>{rows}</table>'
    return f'{title}<div class="pst-scrollable-table-container">{table}</div>\n'
