"""The Persian text: one word for one thing, nothing lost, nothing stale, and well spelled."""

import csv
import json
import re
from collections import Counter

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po

from tools import persian, publish, staging
from tools.project import ROOT

PATHS = sorted(persian.CATALOGUES.rglob("*.po"))
NAMES = [path.relative_to(persian.CATALOGUES).with_suffix("").as_posix() for path in PATHS]
LESSONS = [name for name in NAMES if name.startswith("notebooks/")]
with (ROOT / "site" / "glossary.csv").open(encoding="utf-8") as file:
    GLOSSARY = {row["english"]: row["persian"] for row in csv.DictReader(file)}

FORMULA, CODE = r"\$[^$]+\$", r"`[^`]+`"
NUMBER = r"\d+(?:[,٬]\d{3})*(?:[.٫]\d+)?"
LATIN = str.maketrans("۰۱۲۳۴۵۶۷۸۹٫−", "0123456789.-")


def catalogue(name):
    return staging.catalogue("fa", name)


def plain(text):
    """Without the signs that one may write or leave out: half-spaces, vowels, the ezafe's hamza."""
    return re.sub("[\u200c\u064b-\u0654\u2066-\u2069]", "", text)


def words(text, instead=" "):
    """Without formulas, code, tags, targets of links, and what is set from left to right."""
    return re.sub(rf"{FORMULA}|{CODE}|<[^>]+>|\]\([^)]*\)|\u2066.*?\u2069", instead, text)


def forms(term):
    """A pattern for a Persian term, or for one of several, whose words may have plural endings."""
    word = lambda w: re.escape(w) + "(?:های?|ی)?"  # noqa: E731
    return "|".join(" ".join(map(word, plain(way).split())) for way in term.split(" / "))


def terms_missing(english, persian_text):
    """The glossary's terms in the English text whose Persian is not in the other. A term within a
    longer one does not count: the longer one has a line of its own."""
    rest, found = words(english), plain(persian_text)
    missing = []
    for term in sorted(GLOSSARY, key=len, reverse=True):
        pattern = rf"(?<![\w-]){re.escape(term)}(?:s|es)?(?![\w-])"
        rest, seen = re.subn(pattern, " ", rest, flags=re.IGNORECASE)
        if seen and not re.search(forms(GLOSSARY[term]), found):
            missing.append(term)
    return missing


def spans_changed(english, persian_text):
    """Formulas, code, tags, links and {places} of one text that the other has not got as often. A
    number may become a formula, so that its sign stands on the right side."""
    pattern = rf"{FORMULA}|{CODE}|</?\w+>|\]\([^)]*\)|{{\w+}}"
    counts = [Counter(re.findall(pattern, text)) for text in (english, persian_text)]
    added = counts[1] - counts[0]
    for span in [*added]:
        if re.fullmatch(r"\$(?:\\pm ?|[-+])?[\d.]+-?\$", span) or span in counts[0]:
            del added[span]
    return [*(counts[0] - counts[1]), *added]


def numbers_changed(english, persian_text):
    """Measured numbers of one text that are not in the other."""

    def numbers(text):
        text = re.sub(rf"{CODE}|<[^>]+>|\]\([^)]*\)", " ", text).translate(LATIN)
        return Counter(re.sub("[,٬]", "", n) for n in re.findall(NUMBER, text))

    counts = [numbers(text) for text in (english, persian_text)]
    return [*(counts[0] - counts[1]), *(counts[1] - counts[0])]


WRONG = {
    "an Arabic letter or digit": "[يكة٠-٩]",
    "a space for a half-space": r"(?<!\w)ن?می [آ-ی]|[آ-ی] (?:ها(?:ی|یی|یش|یشان)?|تر|ترین)(?!\w)",
    "no half-space": r"(?<![\w\u200c])ن?می(?:شو|کن|ده|توان|گوی|گیر|خوان|مان|ساز|رس|بین|آی|آموز)",
    "a space before a sign": r" [،؛:؟.!»](?!\w)",
    "a Latin sign": r"[آ-یٔ][,;?]",
    "a straight quotation mark": '"',
    "a negative number, whose sign moves": r"[-−][۰-۹]|(?<![\w$])[-−]\d",
    "two spaces": "  ",
    "a list that runs from left to right": "[A-Za-z]، [A-Za-z0-9۰-۹]",
}


def misspelled(text):
    return [what for what, pattern in WRONG.items() if re.search(pattern, words(text, "x"))]


CHECKS = {
    "another word for a term of the glossary": terms_missing,
    "a formula, a code, a tag or a link changed": spans_changed,
    "a number changed": numbers_changed,
    "spelling": lambda english, text: misspelled(text),
}


@pytest.mark.parametrize("what", CHECKS)
@pytest.mark.parametrize("name", NAMES)
def test_the_translation(name, what):
    entries = catalogue(name).items()
    wrong = [
        f"{found}: {text}" for english, text in entries if (found := CHECKS[what](english, text))
    ]
    wrong = [line for line in wrong if not line.startswith("[]")]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "english, text, what",
    [
        ("The update gate keeps.", "گیت به‌روزرسانی نگه می‌دارد.", "another word"),
        ("The update gate keeps.", "دروازهٔ بروزرسانی نگه می‌دارد.", "another word"),
        ("Plain RNNs forget.", "RNNهای سنتی فراموش می‌کنند.", "another word"),
        ("With $z = 1$ it keeps.", "با $z=1$ نگه می‌دارد.", "a formula"),
        ("It is $z$, not $r$.", "این $z$ است.", "a formula"),
        ("Run `make check`.", "`make site` را اجرا کنید.", "a formula"),
        ("See [this](a.ipynb).", "[این](b.ipynb) را ببینید.", "a formula"),
        ("Score: {score}.", "امتیاز: {gap}.", "a formula"),
        ("It reaches 0.95 of 1,200.", "به ۰٫۵۹ از ۱۲۰۰ می‌رسد.", "a number"),
        ("It reaches 7.", "به هفت می‌رسد.", "a number"),
        ("It goes.", "می رود.", "spelling"),
        ("It becomes.", "میشود.", "spelling"),
        ("Books.", "کتاب ها", "spelling"),
        ("Books of", "كتاب", "spelling"),
        ("A, b", "الف, ب", "spelling"),
        ("It is −3.", "برابر -۳ است.", "spelling"),
        ("Cho, Bengio and others.", "Cho، Bengio و دیگران.", "spelling"),
    ],
)
def test_a_wrong_translation_is_found(english, text, what):
    found = [name for name, check in CHECKS.items() if check(english, text)]
    assert len(found) == 1 and found[0].startswith(what)


def test_verdicts_have_one_name():
    site = catalogue("site")
    for name in ("holds", "does not hold", "depends", "not decided", "by definition"):
        assert site[name] == GLOSSARY[f"verdict: {name}"]
    for lesson in LESSONS:
        for english, text in catalogue(lesson).items():
            if found := re.match(r"\*\*[ABQ]\d+\w? (holds|depends)", english):
                assert site[found[1]] in text.split("**")[1]


def test_the_whole_of_a_lesson_is_translated_and_nothing_is_stale():
    for name in LESSONS:
        lesson = json.loads((ROOT / f"{name}.ipynb").read_text(encoding="utf-8"))
        wanted, known = persian.messages(lesson), catalogue(name)
        assert not set(known) - set(wanted), "a translation of a sentence that is gone"
        lacking = [message for message in wanted if message not in known]
        assert len(lacking) < 0.05 * len(wanted), lacking


def test_the_whole_of_the_unit_is_translated_and_nothing_is_stale():
    wanted = staging.unit_words(staging.UNIT.read_text(encoding="utf-8")).values()
    assert set(catalogue("unit")) == set(wanted)


def test_every_claim_is_translated():
    claims = json.loads((ROOT / "helpers" / "tables" / "claims.json").read_text(encoding="utf-8"))
    known = catalogue("site")
    assert not [c["claim"] for c in claims if c["claim"] not in known or c["source"] not in known]


def test_the_persian_notebook_is_what_the_catalogue_gives():
    texts = {p: p.read_text(encoding="utf-8") for p in (ROOT / "notebooks").glob("*.ipynb")}
    written = persian.notebooks(texts, publish.written_down())
    assert [path.stem for path in written] == [name.split("/")[1] for name in LESSONS]
    for path, text in written.items():
        assert path.read_text(encoding="utf-8") == text, "run `python -m tools persian`"
        pairs = [json.loads(t)["cells"] for t in (text, texts[ROOT / "notebooks" / path.name])]
        for cell, lesson in zip(*pairs, strict=True):
            if lesson["cell_type"] == "code":
                assert cell == lesson
            else:
                assert "".join(cell["source"]).startswith('<div dir="rtl">\n\n')
                formulas = [
                    re.findall(r"\$\$.+?\$\$", "".join(c["source"])) for c in (cell, lesson)
                ]
                assert formulas[0] == formulas[1]
                code = re.findall("`([^`]+)`", "".join(cell["source"]))
                assert not [text for text in code if "span" in text]


def test_a_stale_sentence_falls_back_to_english(tmp_path, monkeypatch):
    catalog = Catalog(locale="fa")
    catalog.add("Old sentence.", "جملهٔ قدیمی.", flags=["fuzzy"])
    catalog.add("A new one, see [there](x.md).", "جمله‌ای تازه، [آنجا](x.md) را ببینید.")
    catalog.add("Nothing yet.", "")
    folder = tmp_path / "fa" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    with (folder / "page.po").open("wb") as file:
        write_po(file, catalog)
    monkeypatch.setattr(staging, "LOCALE", tmp_path)
    known = catalogue("page")
    assert list(known) == ["A new one, see [there](x.md)."]
    cell = (
        "Nothing yet.\n\n## Old sentence.\n\n- A new one, see [there](x.md).\n\n$$a = b$$\n\n"
        "| Nothing yet. | $z$ |"
    )
    assert persian.right_to_left(cell, known) == (
        '<div dir="rtl">\n\n<span style="display: block; text-align: right">'
        '<span dir="ltr">Nothing yet.</span></span>\n\n## <span dir="ltr">Old sentence.</span>\n\n'
        "- جمله‌ای تازه، [آنجا](../x.md) را ببینید.\n\n$$a = b$$\n\n"
        '| <span dir="ltr">Nothing yet.</span> | $z$ |\n\n</div>'
    )


def test_the_glossary_has_each_term_once():
    with (ROOT / "site" / "glossary.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for column in ("english", "persian"):
        twice = [text for text, n in Counter(row[column] for row in rows).items() if n > 1]
        assert set(twice) <= {"وابستگی"}, twice  # dependency and dependencies
    assert all(row["source"] for row in rows)
