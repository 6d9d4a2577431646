"""Write the repository's public address into every place that names it.

    python tools/badges.py [--repo OWNER/NAME] [--ref BRANCH_OR_TAG]
    python tools/badges.py --check          write nothing; fail if a place disagrees

The address has one home: `Repository` and `ref` in pyproject.toml. This command changes it there
(to --repo, else to the GitHub address of the git remote `origin`, else it stays), and then writes
from it, without executing anything:

- the launch badges under each notebook's title and in its row of the README's table;
- the set-up cell of every notebook, which fetches the repository on Colab;
- every other launch link, and every link to the repository itself, in notebooks and Markdown.

Badges and set-up cell name the same ref, so that a notebook never meets the helpers of another
version.
"""

import argparse
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nbformat

ROOT = Path(__file__).resolve().parent.parent
BINDER_IMAGE = "https://mybinder.org/badge_logo.svg"
COLAB_IMAGE = "https://colab.research.google.com/assets/colab-badge.svg"
BINDER = r"https://mybinder\.org/v2/gh/[^/\s]+/[^/\s]+/[^?\s]+\?labpath=([^)\s]+)"
COLAB = r"https://colab\.research\.google\.com/github/[^/\s]+/[^/\s]+/blob/[^/\s]+/([^)\s]+)"
BADGES = r"\[!\[Open in Binder\][^\n|]*?colab-badge\.svg\)\]\([^)\s]*\)"

# Looks in this folder and those above it. Where it finds nothing, on Colab, it clones once.
BOOTSTRAP = """\
import os
import sys
from pathlib import Path

FETCH = "git clone --quiet --depth=1 --branch={ref} {address}"
places = [Path.cwd(), *Path.cwd().parents, Path.cwd() / FETCH.split("/")[-1]]
if not any((place / "helpers/launch.py").is_file() for place in places):
    if "google.colab" not in sys.modules or os.system(FETCH):
        raise FileNotFoundError(f"no folder helpers/ here or above; to get it, run: {{FETCH}}")
sys.path[:0] = [str(p) for p in places if (p / "helpers/launch.py").is_file()][:1]
"""
START = """\
from helpers import claims, costs, data, metrics, plotting, training

training.set_up(seed=0)"""


class Source(NamedTuple):
    """Where readers find the series: a GitHub repository, and the branch or tag in it."""

    repo: str
    ref: str

    @property
    def address(self) -> str:
        return f"https://github.com/{self.repo}"

    def binder(self, path: str) -> str:
        return f"https://mybinder.org/v2/gh/{self.repo}/{self.ref}?labpath={path}"

    def colab(self, path: str) -> str:
        return f"https://colab.research.google.com/github/{self.repo}/blob/{self.ref}/{path}"

    def badges(self, path: str) -> str:
        """Both badges for the notebook at this path in the repository, as Markdown."""
        return (
            f"[![Open in Binder]({BINDER_IMAGE})]({self.binder(path)}) "
            f"[![Open in Colab]({COLAB_IMAGE})]({self.colab(path)})"
        )

    def set_up_cell(self) -> str:
        return BOOTSTRAP.format(ref=self.ref, address=self.address) + START


def checked(repo: str, ref: str) -> Source:
    """A source whose two parts can stand in an address and in a shell command.

    Raises:
        ValueError: one of them cannot.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*/(?=.*\w)[\w.-]+", repo, flags=re.ASCII):
        raise ValueError(f"expected a GitHub repository as owner/name, got {repo!r}")
    if not re.fullmatch(r"\w[\w.-]*", ref, flags=re.ASCII):
        raise ValueError(f"expected a branch or tag of letters, digits, _ . -, got {ref!r}")
    return Source(repo, ref)


def written_down(root: Path = ROOT) -> Source:
    """The source that pyproject.toml names."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    address = settings["project"]["urls"]["Repository"]
    return checked(address.removeprefix("https://github.com/"), settings["tool"]["series"]["ref"])


def from_remote(address: str) -> str | None:
    """owner/name of a git remote's address, or None where that is not on GitHub."""
    match = re.fullmatch(
        r"(?:https://(?:[^@/]*@)?|git@|ssh://git@)github\.com[:/]([^/]+/[^/]+?)(?:\.git)?/?",
        address.strip(),
    )
    return match and match[1]


def remote(root: Path) -> str | None:
    command = ["git", "-C", root, "remote", "get-url", "origin"]
    try:
        found = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return from_remote(found.stdout) if found.returncode == 0 else None


def with_links(text: str, source: Source, old: Source) -> str:
    """The text with its launch links, and its links to the old repository, led to the source."""
    text = re.sub(BINDER, lambda match: source.binder(match[1]), text)
    text = re.sub(COLAB, lambda match: source.colab(match[1]), text)
    return re.sub(rf"{re.escape(old.address)}(?![\w-]|\.(?!git\b)\w)", source.address, text)


def with_row_badges(page: str, source: Source) -> str:
    """The README with both badges behind the notebook's link in each row of its table."""
    link = r"(?P<link>^\| \[[^\]]+\]\((?P<path>notebooks/\d\d_\w+\.ipynb)\))"

    def row(match):
        return f"{match['link']}<br>{source.badges(match['path'])} |"

    return re.sub(rf"{link}[^|\n]*\|", row, page, flags=re.MULTILINE)


def with_title_badges(cell: str, badges: str) -> str:
    """A notebook's first cell with the badges as the paragraph under its title."""
    title, _, rest = re.sub(rf"\n*{BADGES}", "", cell, count=1).partition("\n")
    return f"{title}\n\n{badges}\n\n{rest.lstrip()}"


def with_bootstrap(cell: str, source: Source) -> str:
    """A set-up cell with its first part, all that precedes `from helpers import`, replaced."""
    kept = cell[cell.index("from helpers import") :]
    return BOOTSTRAP.format(ref=source.ref, address=source.address) + kept


def is_set_up(cell) -> bool:
    """The cell that puts the helpers on the path, and then imports them."""
    return cell.cell_type == "code" and bool(
        re.search(r"\bsys\.path\b.*^from helpers import", cell.source, re.DOTALL | re.MULTILINE)
    )


def pages(source: Source, old: Source, root: Path = ROOT) -> Iterator[tuple[Path, str]]:
    """Every file that names the address, with the text it should have."""
    settings = root / "pyproject.toml"
    text = settings.read_text(encoding="utf-8").replace(old.address, source.address)
    # `ref` is read as TOML but replaced as text, so that comments and order stay.
    yield settings, re.sub(r'(?m)^ref = ".*?"', f'ref = "{source.ref}"', text, count=1)
    markdown = [*root.glob("*.md"), *root.glob("docs/*.md"), *root.glob("notebooks/**/*.md")]
    for path in sorted(markdown):
        text = with_links(path.read_text(encoding="utf-8"), source, old)
        yield path, with_row_badges(text, source) if path == root / "README.md" else text
    for path in sorted(root.glob("notebooks/**/*.ipynb")):
        if ".ipynb_checkpoints" in path.parts:
            continue
        before = path.read_text(encoding="utf-8")
        notebook = nbformat.reads(before, as_version=4)
        unchanged = nbformat.writes(notebook, version=4)
        if path.parent == root / "notebooks":
            badges = source.badges(f"notebooks/{path.name}")
            notebook.cells[0].source = with_title_badges(notebook.cells[0].source, badges)
        set_up = next((cell for cell in notebook.cells if is_set_up(cell)), None)
        if set_up is not None:
            set_up.source = with_bootstrap(set_up.source, source)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = with_links(cell.source, source, old)
        after = nbformat.writes(notebook, version=4)
        # A file that needs no change keeps its bytes, whatever wrote it.
        yield path, before if after == unchanged else after + "\n"


def main(arguments: list[str] | None = None, root: Path = ROOT) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repo", help="owner/name on GitHub")
    parser.add_argument("--ref", help="branch or tag that badges and set-up cell name")
    parser.add_argument("--check", action="store_true", help="write nothing, report")
    options = parser.parse_args(arguments)
    old = written_down(root)
    if options.check:
        source = old
    else:
        try:
            source = checked(options.repo or remote(root) or old.repo, options.ref or old.ref)
        except ValueError as error:
            sys.exit(f"nothing changed: {error}")
    stale = []
    for path, text in pages(source, old, root):
        if path.read_text(encoding="utf-8") != text:
            stale.append(path.relative_to(root).as_posix())
            if not options.check:
                path.write_text(text, encoding="utf-8", newline="\n")
    if options.check and stale:
        sys.exit(f"do not agree with pyproject.toml: {', '.join(stale)}. Run: make badges")
    if not options.check:
        print(f"{source.address}, {source.ref}: {', '.join(stale) or 'nothing to change'}")


if __name__ == "__main__":
    main()
