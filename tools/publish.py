"""Write what is generated from something else into the files where readers meet it.

- The public address has one home, `Repository` and `ref` in pyproject.toml. From there it goes into
  the launch badges under each notebook's title and in each row of the README's table, into the
  set-up cell of every notebook, and into every other link to the repository or the web pages.
- How to get the series (clone, ZIP) is written from the same address into README, with a warning
  while it is the placeholder.
- The assignments are handed out from the branch `handout` of a repository, which holds no solution:
  the links are the badge in each release, and the table on the instructors' page.
- A notebook's minutes and memory stand in its opening. From there they go into both tables.
- environment.yml comes from the requirements in pyproject.toml.
- docs/claims comes from the claims in the saved notebooks, and so do README's verdicts. Its picture
  is the output of the cell whose metadata name the file: `"picture": "docs/forecast.png"`.
- The notebooks in Persian come from the lessons and their catalogues: see tools/persian.py.

Nothing is executed. Badges and set-up cell name the same ref, so that a notebook never meets the
helpers of another version.
"""

import argparse
import base64
import collections
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import nbformat

from tools import environment
from tools.project import ROOT, notebooks, pyproject, write_all

README = ROOT / "README.md"
HUB = "https://hub.example.org"  # until a class has its own
PLACEHOLDER = "recurrent-networks-measured/recurrent-networks-measured"  # nobody's, until published
BINDER_IMAGE = "https://mybinder.org/badge_logo.svg"
COLAB_IMAGE = "https://colab.research.google.com/assets/colab-badge.svg"
BINDER = r"https://mybinder\.org/v2/gh/[^/\s]+/[^/\s]+/[^?\s]+\?labpath=([^)\s]+)"
COLAB = r"https://colab\.research\.google\.com/github/[^/\s]+/[^/\s]+/blob/[^/\s]+/([^)\s]+)"
BADGES = r"\[!\[Open in Binder\][^\n|]*?colab-badge\.svg\)\]\([^)\s]*\)"
OPENING = r"about (\S+) minutes? and at most (\S+ GB)"
# What is looked for is the installed package: a folder or another package called helpers is not it.
SET_UP = """\
from importlib.metadata import distributions

if not any(distributions(name="{name}")):
    assert "google.colab" in str(get_ipython()), "in the project's folder, run: python -m tools lab"
    !python -m pip install --quiet --no-deps {address}/archive/{ref}.zip
    !python -m helpers.launch || echo "Check the connection, then run this cell again.\""""


class Source(NamedTuple):
    """Where readers find the series: a GitHub repository, and the branch or tag in it.

    Attributes:
        hub: the address of a class's JupyterHub.
        handout: the repository with the branch of the releases, where it is another one.
    """

    repo: str
    ref: str
    hub: str = HUB
    handout: str = ""

    @property
    def address(self) -> str:
        return f"https://github.com/{self.repo}"

    @property
    def site(self) -> str:
        owner, name = self.repo.split("/")
        return f"https://{owner.lower()}.github.io/{name}/"

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

    def assignment_badge(self, name: str) -> str:
        place = self._replace(repo=self.handout or self.repo, ref="handout")
        return f"[![Open in Colab]({COLAB_IMAGE})]({place.colab(f'{name}/{name}.ipynb')})"

    def pull(self, name: str) -> str:
        """The nbgitpuller link that copies the releases to a student's home and opens one."""
        repo = self.handout or self.repo
        opened = f"lab/tree/{repo.split('/')[1]}/{name}/{name}.ipynb"
        query = {"repo": f"https://github.com/{repo}", "branch": "handout", "urlpath": opened}
        return f"{self.hub}/hub/user-redirect/git-pull?{urlencode(query)}"

    def handing_out(self, names: Iterable[str]) -> str:
        """For the instructors' page: the links to every assignment."""
        rows = (f"| {n} | {self.assignment_badge(n)} | [{n}]({self.pull(n)}) |" for n in names)
        return "\n".join(["| assignment | Colab | your hub |", "|---|---|---|", *rows])

    def how_to_get_it(self) -> str:
        """For README: clone or ZIP, and a warning while the address is the placeholder."""
        clone = f"git clone {self.address}.git"
        if self.ref != "main":  # a class gets what its instructor has tested
            clone = f"git clone --branch {self.ref} {self.address}.git"
        text = (
            f"```\n{clone}\ncd {self.repo.split('/')[1]}\n```\n\n"
            f"or download [the ZIP]({self.address}/archive/{self.ref}.zip), unpack it, and open a "
            "terminal in its folder."
        )
        if self.repo == PLACEHOLDER:
            text += (
                "\n\n**Not public yet:** this address is a placeholder, so the links to it, the "
                "web pages and the\nBinder and Colab badges included, lead nowhere. "
                "`make publish REPO=owner/name` puts yours in and removes this paragraph."
            )
        return text

    def set_up_cell(self) -> str:
        name = pyproject()["project"]["name"]
        return SET_UP.format(name=name, address=self.address, ref=self.ref)


def checked(repo: str, ref: str, hub: str = HUB, handout: str = "") -> Source:
    """A source whose parts can stand in an address and in a shell command.

    Raises:
        ValueError: one of them cannot.
    """
    for name in (repo, handout or repo):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*/(?=.*\w)[\w.-]+(?<!\.git)", name, re.ASCII):
            raise ValueError(f"expected a GitHub repository as owner/name, got {name!r}")
    if not re.fullmatch(r"https?://[\w.-]+(:\d+)?(/[\w.-]+)*", hub, re.ASCII):
        raise ValueError(f"expected a hub's address such as https://hub.example.org, got {hub!r}")
    if not re.fullmatch(r"\w[\w.-]*", ref, flags=re.ASCII):
        raise ValueError(f"expected a branch or tag of letters, digits, _ . -, got {ref!r}")
    return Source(repo, ref, hub, handout)


def written_down(root: Path = ROOT) -> Source:
    """The source that pyproject.toml names."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    address = settings["project"]["urls"]["Repository"]
    return checked(address.removeprefix("https://github.com/"), **settings["tool"]["series"])


# --- the address, and what a notebook needs ------------------------------------------------------


def with_links(text: str, source: Source, old: Source) -> str:
    """The text with its launch links, and its links to the old repository, led to the source."""
    text = re.sub(BINDER, lambda match: source.binder(match[1]), text)
    text = re.sub(COLAB, lambda match: source.colab(match[1]), text).replace(old.site, source.site)
    return re.sub(rf"{re.escape(old.address)}(?![\w-]|\.(?!git\b)\w)", source.address, text)


def with_block(page: str, name: str, text: str) -> str:
    """The page with the text between <!-- name --> and <!-- end -->, wherever it has them."""
    block = rf"(<!-- {re.escape(name)} -->\n).*?(<!-- end -->)"
    return re.sub(block, lambda m: f"{m[1]}{text}\n{m[2]}", page, flags=re.DOTALL)


def with_rows(page: str, source: Source, facts: dict[str, tuple[str, str]]) -> str:
    """A page with the minutes and the memory in each row about a notebook, and README's badges."""

    def row(match):
        link, path, rest = match["link"], match["path"], match["rest"]
        if path.startswith("notebooks/"):  # the start page is read where the notebooks lie
            link += f"<br>{source.badges(path)}"
        minutes, memory = facts[path.split("/")[-1]]
        return f"{link} |" + re.sub(r"\| \S+ \| \S+ GB \|", f"| {minutes} | {memory} |", rest)

    link = r"(?P<link>^\| \[[^\]]+\]\((?P<path>(?:notebooks/)?\d\d_\w+\.ipynb)\))"
    return re.sub(rf"{link}[^|\n]*\|(?P<rest>.*)", row, page, flags=re.MULTILINE)


def with_title_badges(cell: str, badges: str) -> str:
    """A notebook's first cell with the badges as the paragraph under its title."""
    title, _, rest = re.sub(rf"\n*{BADGES}", "", cell, count=1).partition("\n")
    return f"{title}\n\n{badges}\n\n{rest.lstrip()}"


def texts_in(root: Path) -> list[Path]:
    """The pages that may name the address, and the citation."""
    patterns = ("*.md", "*.cff", "docs/*.md", "notebooks/**/*.md")
    found = {path for pattern in patterns for path in root.glob(pattern)}
    return sorted(path for path in found if ".ipynb_checkpoints" not in path.parts)


def pages(source: Source, old: Source, root: Path = ROOT) -> Iterator[tuple[Path, str]]:
    """Every file that names the address or a notebook's needs, with the text it should have."""
    settings = root / "pyproject.toml"
    text = settings.read_text(encoding="utf-8").replace(old.address, source.address)
    # Settings are read as TOML but replaced as text, so that comments and order stay.
    for key in ("ref", "hub", "handout"):
        text = re.sub(rf'(?m)^{key} = ".*?"', f'{key} = "{getattr(source, key)}"', text, count=1)
    yield settings, text
    facts = {}
    for path in sorted(root.glob("notebooks/**/*.ipynb")):
        # The releases come from their sources, by tools.assignments.
        if {".ipynb_checkpoints", "release"} & set(path.parts):
            continue
        before = path.read_text(encoding="utf-8")
        notebook = nbformat.reads(before, as_version=4)
        unchanged = nbformat.writes(notebook, version=4)
        if path.parent == root / "notebooks":
            badges, opening = source.badges(f"notebooks/{path.name}"), notebook.cells[0]
            opening.source = with_title_badges(opening.source, badges)
            facts[path.name] = re.search(OPENING, opening.source).groups()
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        if code and re.search(r"\bhelpers.launch\b", code[0].source):
            code[0].source = source.set_up_cell()
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = with_links(cell.source, source, old)
        after = nbformat.writes(notebook, version=4)
        # A file that needs no change keeps its bytes, whatever wrote it.
        yield path, before if after == unchanged else after + "\n"
    names = sorted(path.stem for path in root.glob("notebooks/assignments/source/*/*.ipynb"))
    for path in texts_in(root):
        text = with_links(path.read_text(encoding="utf-8"), source, old)
        text = with_block(text, "how to get it", source.how_to_get_it())
        text = with_block(text, "handing out", source.handing_out(names))
        yield path, with_rows(text, source, facts)


# --- the claims ----------------------------------------------------------------------------------

CLAIM_FIELDS = ("id", "notebook", "claim", "measured", "value", "verdict", "challenged")
ANSWERS = {True: "yes", False: "no", None: "not decided"}
MIXED = {"depends": "depends on what", "not decided": "what is not decided"}
CLAIMS_HEAD = """\
# What the articles and their readers say, measured

{tally}

Each verdict is computed from the measurement beside it: *holds* when all that the claim implies was
seen, *does not hold* when none of it was, *depends* when some was, and *not decided* when the
measurement cannot tell. What is true by construction is marked *by definition* and not counted.

The claims are those of [two articles](../README.md#data-and-credits) and of their readers.
`python -m tools claims` writes this page, and [claims.json](claims.json) for programs, from the
saved notebooks.
"""


def tally(verdicts: list[str]) -> str:
    """How often each verdict was given; what holds by definition is counted apart."""
    counts = collections.Counter(verdicts)
    defined = counts.pop("by definition", 0)
    order = ("holds", "does not hold", "depends", "not decided")
    parts = " · ".join(f"{verdict} {counts[verdict]}" for verdict in order)
    text = f"**{len(verdicts) - defined} claims:** {parts}"
    return text + (f". By definition, not counted: {defined}" if defined else "")


def gather(notebooks: Iterable[Path]) -> list[dict]:
    """Read the checked claims back from saved notebooks.

    Args:
        notebooks: paths of executed notebooks.

    Returns:
        One record per claim, in the register's order: id, notebook, claim, measured, value,
        verdict, conditions (pairs of text and answer), and challenged where it was given.

    Raises:
        LookupError: a claim that belongs to one of these notebooks is not in it; or one that is
            there is saved twice, has another wording or notebook than in the register, or another
            verdict than the text's.
    """
    from helpers import claims

    registered, found, names = claims.register(), {}, set()
    for path in notebooks:
        names.add(path.stem)
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", []):
                record = output.get("data", {}).get(claims.MIME)
                if record is None:
                    continue
                id, entry = record["id"], registered.get(record["id"], {})
                if (entry.get("claim"), entry.get("notebook")) != (record["claim"], path.stem):
                    raise LookupError(f"{path.name}: {id} is not as in the register")
                if "states" in record:
                    raise LookupError(
                        f"{path.name}: {id} was saved with another verdict than the text's "
                        f"{record['states']!r}"
                    )
                if id in found:
                    raise LookupError(f"{path.name}: {id} is saved twice")
                found[id] = record
    missing = [
        id for id, entry in registered.items() if entry["notebook"] in names and id not in found
    ]
    if missing:
        raise LookupError(f"no saved measurement of: {', '.join(missing)}")
    return [found[id] for id in registered if id in found]


def claim_row(record: dict, source: str) -> str:
    """One claim as a row: verdict, claim, and what was measured, with the conditions folded."""

    def plain(text):
        return re.sub(r"([\\|*<$])", r"\\\1", text)

    verdict, measured = record["verdict"], plain(record["measured"])
    if record.get("challenged"):
        measured += f"<br>*Tried against it:* {plain(record['challenged'])}"
    if verdict in MIXED:
        answers = (f"{ANSWERS[seen]}: {plain(text)}" for text, seen in record["conditions"])
        folded = f"<summary>{MIXED[verdict]}</summary>{'<br>'.join(answers)}"
        measured += f"<br><details>{folded}</details>"
    claim = f"{plain(record['claim'])} <sub>{record['id']}, {source}</sub>"
    return f"| **{verdict}** | {claim} | {measured} |\n"


def claim_pages(readme: str) -> dict[Path, str | bytes]:
    """What the saved notebooks fill: docs/claims, the pictures, and README's share of them.

    Args:
        readme: README's text, in which the picture and the verdicts are to be renewed.

    Raises:
        LookupError: README names a claim or a picture that no notebook has.
    """
    from helpers import claims

    records, sources = gather(notebooks()), claims.register()
    count = tally([record["verdict"] for record in records])
    page, notebook = CLAIMS_HEAD.format(tally=count), None
    for record in records:
        if record["notebook"] != notebook:
            notebook = record["notebook"]
            path = ROOT / "notebooks" / f"{notebook}.ipynb"
            title = nbformat.read(path, as_version=4).cells[0].source.split("\n")[0]
            page += f"\n## [{title.removeprefix('# ')}](../notebooks/{path.name})\n\n"
            page += "| verdict | claim | measured |\n|---|---|---|\n"
        page += claim_row(record, sources[record["id"]]["source"])
    listed = [{field: r[field] for field in CLAIM_FIELDS if field in r} for r in records]
    drawn = pictures(notebooks())
    return {
        ROOT / "docs" / "claims.md": page,
        ROOT / "docs" / "claims.json": json.dumps(listed, ensure_ascii=False, indent=1) + "\n",
        README: with_front(readme, {r["id"]: r for r in records}, drawn),
    } | {ROOT / name: picture for name, (picture, _) in drawn.items()}


def with_front(readme: str, records: dict[str, dict], drawn: dict[str, tuple[bytes, str]]) -> str:
    """README with its picture's text alternative, and with the verdicts on the claims it names."""
    for path in re.findall(r"<!-- picture (\S+) -->", readme):
        if path not in drawn:
            raise LookupError(f"no saved cell has the metadata {{'picture': {path!r}}}")
        readme = with_block(readme, f"picture {path}", f"![{drawn[path][1]}]({path})")
    for ids in re.findall(r"<!-- verdicts ((?:\w+ )+)-->", readme):
        missing = [id for id in ids.split() if id not in records]
        if missing:
            raise LookupError(f"README asks for the verdict of {missing[0]}, which no claim has")
        lines = (f"- **{records[id]['verdict']}:** {records[id]['claim']}" for id in ids.split())
        rest = tally([record["verdict"] for record in records.values()])
        text = "\n".join(lines) + f"\n\n{rest}. [See what was measured](docs/claims.md)."
        readme = with_block(readme, f"verdicts {ids.strip()}", text)
    return readme


def pictures(notebooks: Iterable[Path]) -> dict[str, tuple[bytes, str]]:
    """The saved figures that a cell's metadata lead to a file: {file: (PNG, alternative text)}.

    Raises:
        LookupError: such a cell has no saved figure, or two of them name one file.
    """
    found = {}
    for path in notebooks:
        for cell in nbformat.read(path, as_version=4).cells:
            file = cell.metadata.get("picture")
            if file is None:
                continue
            figures = [o for o in cell.outputs if "image/png" in o.get("data", {})]
            if len(figures) != 1 or file in found:
                raise LookupError(f"{path.name}: expected one figure for {file}")
            alt = figures[0].metadata["image/png"]["alt"]
            found[file] = base64.b64decode(figures[0].data["image/png"]), alt
    return found


# --- the commands --------------------------------------------------------------------------------


def everything(source: Source, old: Source, root: Path = ROOT) -> dict[Path, str | bytes]:
    """What every generated file should hold, but the assignments' releases, which need nbgrader."""
    from tools import persian  # which imports this module

    texts = dict(pages(source, old, root))
    if root == ROOT:
        texts |= claim_pages(texts[README])
        texts[ROOT / "environment.yml"] = environment.conda_file()
        texts |= persian.notebooks(texts, source)
    return texts


def claims(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Gather the claims of the saved notebooks.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if not current")
    check = parser.parse_args(arguments).check
    try:
        texts = claim_pages(README.read_text(encoding="utf-8"))
    except LookupError as error:
        sys.exit(f"nothing changed: {error}")
    return write_all(texts, check, "claims", ROOT)


def publish(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Change the address in its one home if told so, and write everything that is generated."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repo", help="owner/name on GitHub")
    parser.add_argument("--ref", help="branch or tag that badges and set-up cell name")
    parser.add_argument("--hub", help="address of a class's JupyterHub, for assignments")
    parser.add_argument("--handout", help="owner/name whose branch `handout` holds the releases")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if not current")
    options = parser.parse_args(arguments)
    old = written_down(root)
    try:
        source = checked(*(getattr(options, key) or getattr(old, key) for key in Source._fields))
        texts = everything(source, old, root)
    except (ValueError, LookupError) as error:
        sys.exit(f"nothing changed: {error}")
    status = write_all(texts, options.check, "publish", root)
    if root == ROOT:
        from tools import assignments

        status = assignments.write_releases(options.check) or status
    return status
