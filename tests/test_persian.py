"""The Persian text: one word for one thing, nothing lost, nothing stale, and spelled as it should be."""

import csv
import json
import re
from collections import Counter

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from tools import persian, publish
from tools.project import ROOT

PATHS = sorted(persian.CATALOGUES.rglob("*.po"))
NAMES = [path.relative_to(persian.CATALOGUES).with_suffix("").as_posix() for path in PATHS]
LESSONS = [name for name in NAMES if name.startswith("notebooks/")]
with (ROOT / "site" / "glossary.csv").open(encoding="utf-8") as file:
    GLOSSARY = {row["english"]: row["persian"] for row in csv.DictReader(file)}

FORMULA, CODE = r"\$[^$]+\$", r"`[^`]+`"
NUMBER = r"\d+(?:[,٬]\d{3})*(?:[.٫]\d+)?"
LATIN = str.maketrans("۰۱۲۳۴۵۶۷۸۹٫−", "0123456789.-")


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
    """Formulas, code, tags and links of one text that the other has not got as often. A number may
    become a formula, so that its sign stands on the right side."""
    pattern = rf"{FORMULA}|{CODE}|</?\w+>|\]\([^)]*\)"
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
    "a space for a half-space": r"(?<!\w)ن?می [آ-ی]|[آ-ی] ها(?:ی|یی|یش|یشان)?(?!\w)|[آ-ی] تر(?:ین)?(?!\w)",
    "no half-space": r"(?<![\w\u200c])ن?می(?:شو|کن|ده|توان|گوی|گیر|خوان|مان|ساز|رس|بین|آی|آموز)",
    "a space before a sign": r" [،؛:؟.!»](?!\w)",
    "a Latin sign": r"[آ-یٔ][,;?]",
    "a straight quotation mark": '"',
    "a negative number, whose sign moves": r"[-−][۰-۹]|(?<![\w$])[-−]\d",
    "two spaces": "  ",
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
    entries = persian.catalogue(name).items()
    wrong = [f"{found}: {text}" for english, text in entries if (found := CHECKS[what](english, text))]
    wrong = [line for line in wrong if not line.startswith("[]")]
    assert not wrong, "\n".join(wrong)
