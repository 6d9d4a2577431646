"""The web pages, from the saved notebooks: `site` builds them and `site-check` tries them.

Nothing is executed. Sphinx and what it needs live in an environment of their own, `.venv-site`,
which is made from requirements-site.lock: it holds no PyTorch.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import venv
from importlib.resources import files
from pathlib import Path

from tools import pip
from tools.project import ROOT, hand_over

ENVIRONMENT = ROOT / ".venv-site"
LOCK = ROOT / "requirements-site.lock"
OUT = ROOT / "build" / "site" / "html"
# Persian needs a font that not every reader has. npm has it; without npm the reader's own serves.
FONT = "@fontsource-variable/vazirmatn@5.3.0"
FONT_FILE = "package/files/vazirmatn-arabic-wght-normal.woff2"
# What formulas are written with: Latin, Greek, punctuation, arrows, operators, italics.
MATH = "20-7E,A0-FF,300-36F,370-3FF,2010-205F,2100-214F,2190-22FF,2308-230B,23B0-23E1,"
MATH += "27E6-27EF,1D434-1D467,1D6E4-1D71B"
LOSSLESS = 100_000  # bytes: a word cloud has more; with a little loss, about half as many
FACE = """
/* Vazirmatn, by Saber Rastikerdar, under the SIL Open Font License: see vazirmatn-OFL.txt */
@font-face {
  font-family: Vazirmatn; src: url("vazirmatn.woff2") format("woff2");
  font-weight: 100 900; font-display: swap;
}
"""


def in_environment() -> None:
    """Go on in `.venv-site`, which is made first where the lock says something new."""
    python = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp, digest = ENVIRONMENT / "lock.sha256", hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if not (stamp.is_file() and stamp.read_text() == digest):
        print("installing what the site needs (half a minute the first time) ...", flush=True)
        lines = LOCK.read_text(encoding="utf-8").splitlines()
        try:
            if not python.is_file():
                venv.create(ENVIRONMENT, with_pip=True)
            wanted = ["--requirement", str(LOCK)]
            log = ROOT / ".cache" / "pip-site.log"
            pip.install(ENVIRONMENT, python, wanted, sum("==" in line for line in lines), log)
        except (pip.Failed, OSError) as error:
            sys.exit(f"the site's environment: {error}; then run the same command again")
        stamp.write_text(digest)
    if Path(sys.prefix).resolve() != ENVIRONMENT.resolve():
        name = sys.argv[0].split()[-1]  # as tools/__main__.py sets it
        sys.exit(hand_over([str(python), "-m", "tools.site", name, *sys.argv[1:]]))


def site() -> int:
    parser = argparse.ArgumentParser(description="Build the web pages into build/site/html.")
    parser.add_argument("--catalogues", action="store_true", help="bring site/locale up to date")
    options, start = parser.parse_args(), time.perf_counter()
    in_environment()
    status = build(options.catalogues)
    if status == 0:
        made = f"after {time.perf_counter() - start:.0f} s"
        print(
            f"site/locale is up to date {made}" if options.catalogues else f"{OUT} is ready {made}"
        )
    return status


def check() -> int:
    """Build, then look at every page: as files, and in a browser."""
    in_environment()
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    tests += ["site/tests/check_pages.py", "site/tests/check_browser.py"]
    return build() or subprocess.run([*tests, *sys.argv[1:]], cwd=ROOT).returncode


def build(update_catalogues: bool = False) -> int:
    from tools import staging

    assignments = staging.ASSIGNMENTS.removesuffix(".md")
    pages = ["index", *staging.LESSONS, staging.CLAIMS, assignments, staging.TRANSLATIONS]
    words = staging.Words("en")
    shutil.rmtree(staging.BUILD, ignore_errors=True)
    staging.stage("en", pages, words)
    staging.template("site", [*words.asked, *staging.labels()])
    unit = staging.UNIT.read_text(encoding="utf-8")
    staging.template("unit", staging.unit_words(unit).values())
    status = sphinx("gettext", "en", staging.BUILD / "pot")
    if status or update_catalogues:
        return status or catalogues()
    found = {language: staging.shares(language) for language in staging.languages()}
    ready = {language: staging.ready(pages, shares) for language, shares in found.items()}

    def table(words):
        return "".join(staging.shares_table(x, found[x], ready[x], words) for x in found)

    for language in found:
        staging.compiled(language)
        if "index" in ready[language]:
            own = staging.Words(language)
            staging.stage(language, ready[language], own, table(own))
    staging.stage("en", pages, words, table(words))
    built = [language for language in staging.languages() if (staging.BUILD / language).is_dir()]
    status = sphinx("html", "en", OUT)
    for language in built:
        status = status or sphinx("html", language, OUT / language)
    return status or finish(built)


def sphinx(builder: str, language: str, out: Path) -> int:
    from tools.staging import BUILD

    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-j", "1"]
    command += ["-b", builder, "-c", str(ROOT / "site"), "-D", f"language={language}"]
    trees = BUILD / "doctrees" / f"{builder}-{language}"
    command += ["-d", str(trees), str(BUILD / language), str(out)]
    return subprocess.run(command, cwd=ROOT).returncode


def catalogues() -> int:
    """Bring the catalogues that there are up to date with today's text."""
    from tools.staging import BUILD, LOCALE, languages

    for language in languages():
        kept = set((LOCALE / language).rglob("*.po"))
        command = [sys.executable, "-m", "sphinx_intl", "update", "-p", str(BUILD / "pot")]
        command += ["-d", str(LOCALE), "-l", language, "-w", "100"]
        if subprocess.run(command, cwd=ROOT).returncode:
            return 1
        for path in set((LOCALE / language).rglob("*.po")) - kept:
            path.unlink()
    return 0


# --- the finished pages --------------------------------------------------------------------------


def finish(languages: list[str]) -> int:
    """Smaller and sized pictures, loaded late; the icon script goes, since the theme's style sheet
    has the same icons as a font; the direction of the text; the unit's page."""
    for language in ("en", *languages):
        target = OUT if language == "en" else OUT / language
        shutil.copy(ROOT / "build" / "site" / language / "unit.html", target)
        mathematics = files("ziamath") / "fonts" / "STIXTwoMath-Regular.ttf"
        part_of(mathematics, target / "_static" / "stix-two-math.woff2", MATH)
        if language == "fa" and (file := font()):
            static = target / "_static"
            shutil.copy(file, static / "vazirmatn.woff2")
            shutil.copy(file.parent.parent / "LICENSE", static / "vazirmatn-OFL.txt")
            with (static / "site.css").open("a", encoding="utf-8") as sheet:
                sheet.write(FACE)
    sizes = {path: webp(path) for path in sorted(OUT.rglob("_images/*.png"))}
    for path in OUT.rglob("_images/*.svg"):
        drawn = re.search(r'width="(\d+)" height="(\d+)"', path.read_text(encoding="utf-8"))
        sizes[path] = drawn.groups()
    icons = {"fa-xmark"}  # the theme's script adds this one
    for path in OUT.rglob("_static/*.html"):  # the theme's own templates
        path.unlink()
    for page in OUT.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        text = re.sub(r"<script defer[^>]*fontawesome\.js[^>]*></script>", "", text)
        text = re.sub(r'<span class="[npw]">([^<]*)</span>', r"\1", text)  # code without a colour
        if page.name != "search.html":
            text = re.sub(
                r'<script src="[^"]*(?:searchtools|language_data|searchindex)\.js[^"]*">'
                r"</script>",
                "",
                text,
            )
        icons |= set(re.findall(r"\bfa-[\w-]+", text))
        text = text.replace(' aria-label="Toggle hidden content"', "")  # the words in it say more
        for tag in set(re.findall(r"<img [^>]*>", text)):
            text = text.replace(tag, image(tag, page.parent, sizes))
        if page.is_relative_to(OUT / "fa"):
            text = re.sub('<html lang="fa"(?! dir)', '<html lang="fa" dir="rtl"', text, count=1)
            text = text.replace('class="untranslated"', 'class="untranslated" lang="en" dir="ltr"')
        page.write_text(text, encoding="utf-8")
    for path in [*OUT.rglob("*.map"), *OUT.rglob("fontawesome.js*"), *OUT.rglob(".buildinfo")]:
        path.unlink(missing_ok=True)
    for name in ("_static/locales", "_sphinx_design_static", "jupyter_execute", "_sources"):
        for folder in list(OUT.rglob(name)):
            shutil.rmtree(folder)
    for sheet in OUT.rglob("pydata-sphinx-theme.css"):
        only_icons(sheet, icons)
    (OUT / ".nojekyll").touch()
    return 0


def only_icons(sheet: Path, used: set[str]) -> None:
    """Keep the icons that the pages show; the theme brings two thousand."""
    codes = set()

    def rule(match):
        if used.isdisjoint(re.findall(r"fa-[\w-]+", match[1])):
            return ""
        codes.add(match[2])
        return match[0]

    css = re.sub(r'((?:\.fa-[\w-]+,?)+)\{--fa:"\\(\w+)"\}', rule, sheet.read_text("utf-8"))
    sheet.write_text(css, "utf-8")
    for path in sheet.parents[1].glob("vendor/fontawesome/webfonts/*.woff2"):
        part_of(path, path, ",".join(codes))


def part_of(source: Path, target: Path, codes: str) -> None:
    """A web font with these characters only."""
    from fontTools import subset

    arguments = [f"--unicodes={codes}", "--flavor=woff2", f"--output-file={target}"]
    subset.main([str(source), "--layout-features=ssty", "--name-IDs=*", *arguments])


def font() -> Path | None:
    """The Persian font, from npm and kept; None where it cannot be had."""
    folder = ROOT / ".cache" / "site"
    file = folder / FONT_FILE
    npm = shutil.which("npm")
    if not file.is_file() and npm:
        folder.mkdir(parents=True, exist_ok=True)
        packed = subprocess.run(
            [npm, "pack", "--silent", FONT], cwd=folder, capture_output=True, text=True
        )
        if packed.returncode == 0:
            shutil.unpack_archive(folder / packed.stdout.split()[-1], folder, "gztar")
    if not file.is_file():
        print("npm did not bring the font Vazirmatn: Persian pages use a font of the reader's")
        return None
    return file


def webp(path: Path) -> tuple[int, int]:
    """The picture beside it as WebP, without loss unless it is large; its width and height."""
    from PIL import Image

    small = path.with_suffix(".webp")
    with Image.open(path) as picture:
        picture.save(small, lossless=True)
        if small.stat().st_size > LOSSLESS:
            picture.save(small, quality=85)
        size = picture.size
    path.unlink()
    return size


def image(tag: str, folder: Path, sizes: dict) -> str:
    path = (folder / re.search(r'src="([^"]*)"', tag)[1]).resolve()
    if path in sizes:
        width, height = sizes[path]
        tag = tag.replace(".png", ".webp").replace(
            "<img ", f'<img width="{width}" height="{height}" loading="lazy" '
        )
    return tag


if __name__ == "__main__":
    name = sys.argv.pop(1)
    sys.exit({"site": site, "site-check": check}[name]())
