"""The built pages as files, without a browser: `make site-check` runs this."""

import html
import json
import re
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

from tools import publish, staging
from tools.project import ROOT
from tools.site import OUT

PAGES = sorted(path.relative_to(OUT).as_posix() for path in OUT.rglob("*.html"))
SOURCE = publish.written_down()
LIMIT = 1_500_000  # bytes of a page with all that it loads at first


def text_of(page: str) -> str:
    return (OUT / page).read_text(encoding="utf-8")


def loaded(text: str) -> list[str]:
    """The addresses that a browser fetches by itself."""
    tags = re.findall(
        r"<(?:script|img|iframe|source|video|audio|embed)\b[^>]*?\bsrc=\"([^\"]*)\"", text
    )
    links = re.findall(r"<link\b[^>]*>", text)
    return tags + [
        re.search(r'href="([^"]*)"', link)[1]
        for link in links
        if re.search(r'rel="(?:stylesheet|preload|icon|modulepreload|shortcut icon)"', link)
    ]


def test_all_pages_are_there():
    wanted = ["index", *staging.LESSONS, staging.CLAIMS, "notebooks/assignments/README", "unit"]
    assert {f"{name}.html" for name in wanted} <= set(PAGES)
    assert not list(OUT.rglob("*.ipynb"))  # what the build leaves beside them


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_loaded_from_elsewhere(page):
    text = text_of(page)
    foreign = [address for address in loaded(text) if re.match(r"(\w+:)?//", address)]
    # However it is quoted, and in a style or a script of the page's own, too.
    call = r"\bsrc(?:set)?=|url\(|@import|\bfetch\(|\bimport\("
    foreign += re.findall(rf"(?:{call})\s*[\"']?(?:\w+:)?//[^\s\"')]*", text)
    assert not foreign


def test_no_style_sheet_or_script_loads_from_elsewhere():
    for path in [*OUT.rglob("*.css"), OUT / "_static" / "site.js"]:
        text = path.read_text(encoding="utf-8")
        assert not re.findall(r"(?:url\(|@import)\s*[\"']?(?:\w+:)?//[^;)]*", text), path.name


@pytest.mark.parametrize("page", PAGES)
def test_links_inside_lead_to_a_file_and_a_place(page):
    lost = []
    for link in re.findall(
        r'(?:href|src)="([^"]*)"', re.sub(r"(?s)<script\b.*?</script>", "", text_of(page))
    ):
        if link.startswith(files := f"{SOURCE.address}/blob/{SOURCE.ref}/"):
            lost += [link] * (not (ROOT / link.removeprefix(files).split("#")[0]).exists())
        if re.match(r"\w+:|//", link):
            continue
        address, anchor = urldefrag(html.unescape(link))
        target = OUT / page
        if address:
            target = (target.parent / unquote(address.split("?")[0])).resolve()
        target = target / "index.html" if target.is_dir() else target
        if not target.is_file():
            lost.append(link)
        elif anchor and target.suffix == ".html":
            there = target.read_text(encoding="utf-8")
            lost += [link] * (f'id="{unquote(anchor)}"' not in there)
    assert not lost


@pytest.mark.parametrize("page", PAGES)
def test_every_picture_has_a_text_alternative_and_a_size(page):
    for tag in re.findall(r"<img\b[^>]*>", text_of(page)):
        alt = re.search(r'alt="([^"]*)"', tag)
        assert alt and not re.search(r"\.(png|webp|svg)$", alt[1]), tag
        if "_images/" in tag:
            assert len(alt[1].split()) >= 5, tag
            assert re.search(r'width="\d+"', tag) and re.search(r'height="\d+"', tag), tag
            assert 'loading="lazy"' in tag, tag


def cells_of(text: str) -> list[tuple[bool, str]]:
    """(whether it is folded, code) of each code cell of a page."""
    found = []
    for cell in text.split('<div class="cell ')[1:]:
        code = re.search(r'(?s)<div class="highlight-\w+ notranslate">.*?<pre>(.*?)</pre>', cell)
        if code:
            plain = html.unescape(re.sub(r"<[^>]*>", "", code[1]))
            found.append(("<details" in cell[: code.start()], plain.strip()))
    return found


@pytest.mark.parametrize("lesson", staging.LESSONS)
def test_taught_code_is_open_and_the_rest_is_folded(lesson):
    shown = cells_of(text_of(f"{lesson}.html"))
    notebook = json.loads((ROOT / f"{lesson}.ipynb").read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len(shown) == len(code)
    above = next(i for i, cell in enumerate(notebook["cells"][1:]) if cell["cell_type"] != "code")
    for number, ((folded, text), cell) in enumerate(zip(shown, code, strict=True)):
        assert text == "".join(cell["source"]).strip()
        tags = cell["metadata"].get("tags", [])
        assert folded == (number < above or "hide-input" in tags), text


@pytest.mark.parametrize("page", [page for page in PAGES if "search" not in page])
def test_description_title_and_weight(page):
    text = text_of(page)
    assert re.search(r'<meta name="description" content="[^"]{40,}"', text)
    assert re.search(r"<title>[^<]{5,}", text)
    assert weight(page) < LIMIT


def weight(page: str) -> int:
    """Bytes of a page and of all that it names, uncompressed; the style sheets' fonts included."""
    paths = {(OUT / page).resolve()}
    for address in loaded(text_of(page)):
        paths.add(((OUT / page).parent / address.split("?")[0].split("#")[0]).resolve())
    for sheet in [path for path in paths if path.suffix == ".css"]:
        for font in re.findall(r"url\([\"']?([^)\"'?#]*woff2)", sheet.read_text(encoding="utf-8")):
            paths.add((sheet.parent / font).resolve())
    return sum(path.stat().st_size for path in paths if path.is_file())


def test_nothing_of_this_machine_is_in_a_page():
    own = [re.escape(f"{folder}/") for folder in (Path.home(), ROOT, "/tmp")]
    for page in PAGES:
        assert not re.search("|".join([*own, "site-packages"]), text_of(page)), page


@pytest.mark.parametrize("lesson", staging.LESSONS)
def test_the_menu_opens_the_addresses_of_the_badges(lesson):
    links = html.unescape(text_of(f"{lesson}.html"))
    for address in (SOURCE.binder(f"{lesson}.ipynb"), SOURCE.colab(f"{lesson}.ipynb")):
        assert f'href="{address}"' in links


def test_the_claims_page_has_every_claim():
    records = json.loads((ROOT / "docs" / "claims.json").read_text(encoding="utf-8"))
    rows = re.findall(r'<tr data-verdict="([^"]*)">', text_of("docs/claims.html"))
    assert rows == [record["verdict"] for record in records]


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("fa/")])
def test_a_translated_page_runs_from_right_to_left(page):
    text = text_of(page)
    assert re.search(r'<html lang="fa" dir="rtl"(?! dir)', text)
    assert f'<link rel="canonical" href="{SOURCE.site}{page}"' in text or page == "fa/unit.html"
    assert not re.search(r'class="untranslated"(?! lang="en")', text)
    assert re.search(r"<title>[^<]*[؀-ۿ]", text)
    assert not re.search(r"<p>::|msgid", text)  # a block formula that was translated
