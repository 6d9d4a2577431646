"""The commands of `python -m tools`: publish, review, refresh, check."""

import re
import shlex
import subprocess
import sys
from types import SimpleNamespace
from urllib.parse import parse_qs

import nbformat
import pytest

from tools import check, publish, review
from tools import notebooks as lessons
from tools.project import ROOT, notebooks, pyproject

SOURCE = publish.written_down()
ADDRESS, REPO, REF = SOURCE.address, SOURCE.repo, SOURCE.ref


def tool(*arguments, python=sys.executable):
    command = [python, "-m", "tools", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


# --- publish -------------------------------------------------------------------------------------


def launch_links(name, repo=REPO, ref=REF):
    """Written out here a second time, so that a fault in tools/publish.py is seen."""
    return [
        f"https://mybinder.org/v2/gh/{repo}/{ref}?labpath=notebooks/{name}",
        f"https://colab.research.google.com/github/{repo}/blob/{ref}/notebooks/{name}",
    ]


def links_in(text):
    return re.findall(
        r"\]\((https://(?:mybinder\.org/v2|colab\.research\.google\.com/git)[^)]*)\)", text
    )


def test_every_launch_link_leads_to_the_one_address_and_to_a_file():
    pages = [ROOT / "README.md", *(ROOT / "notebooks").glob("**/*.md")]
    texts = {page: page.read_text(encoding="utf-8") for page in pages}
    for path in (ROOT / "notebooks").glob("**/*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        texts[path] = "\n".join(cell.source for cell in cells)
        if path in notebooks():  # seen without images, too
            title, blank, badges, *_ = cells[0].source.splitlines()
            assert title.startswith("# ") and blank == ""
            assert "[![Open in Binder](" in badges and "[![Open in Colab](" in badges
            assert links_in(badges) == launch_links(path.name)
            assert set(launch_links(path.name)) <= set(links_in(texts[ROOT / "README.md"]))
    release = ROOT / "notebooks" / "assignments" / "release"
    for page, text in texts.items():
        for link in links_in(text):
            if "/blob/handout/" in link:  # that branch is the folder of the releases
                assert (release / link.partition("/blob/handout/")[2]).is_file(), f"{page}: {link}"
                continue
            target = re.split(r"\?labpath=|/blob/[^/]+/", link)[1]
            assert link in launch_links(target.removeprefix("notebooks/")), f"{page}: {link}"
            assert (ROOT / target).is_file(), f"{page}: {link}"


@pytest.fixture
def small_tree(tmp_path):
    """A repository with one notebook, as small as the commands allow."""
    root = tmp_path / "tree"
    (root / "notebooks").mkdir(parents=True)
    (root / "pyproject.toml").write_text(
        f'[project.urls]\nRepository = "{ADDRESS}"\n\n[tool.series]\n# a comment\nref = "{REF}"\n'
    )
    (root / "README.md").write_text(
        f"# A\n\nNot {ADDRESS}-old. [Web]({SOURCE.site})\n\n"
        "<!-- how to get it -->\n<!-- end -->\n\n"
        "| notebook | minutes |\n|---|---|\n"
        "| [1. One](notebooks/01_one.ipynb) | about one | 9 | 9 GB |\n"
    )
    (root / "CITATION.cff").write_text(f"repository-code: {ADDRESS}\n")
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell(
                "# 1. One\n\nIt takes about 2 minutes and at most 1.5 GB on 2 cores."
            ),
            nbformat.v4.new_code_cell("!python -m helpers.launch", execution_count=1),
            nbformat.v4.new_code_cell(
                "1 + 1",
                execution_count=2,
                outputs=[nbformat.v4.new_output("stream", text="2\n")],
            ),
        ]
    )
    nbformat.write(notebook, root / "notebooks" / "01_one.ipynb")
    return root


def contents(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_one_command_rewrites_every_place(small_tree):
    path = small_tree / "notebooks/01_one.ipynb"
    before = nbformat.read(path, as_version=4)
    publish.publish(["--repo", "Some-One/a.fork", "--ref", "v1.0"], small_tree)
    settings = (small_tree / "pyproject.toml").read_text()
    assert settings.splitlines()[1] == 'Repository = "https://github.com/Some-One/a.fork"'
    assert settings.splitlines()[-2:] == ["# a comment", 'ref = "v1.0"']
    readme = (small_tree / "README.md").read_text()
    clone = "git clone --branch v1.0 https://github.com/Some-One/a.fork.git\ncd a.fork\n"
    assert clone in readme and "](https://github.com/Some-One/a.fork/archive/v1.0.zip)" in readme
    assert f"Not {ADDRESS}-old." in readme
    cited = (small_tree / "CITATION.cff").read_text()
    assert cited == "repository-code: https://github.com/Some-One/a.fork\n"
    links = launch_links("01_one.ipynb", "Some-One/a.fork", "v1.0")
    assert links_in(readme) == links
    assert readme.endswith("| about one | 2 | 1.5 GB |\n")  # as the notebook's opening says
    after = nbformat.read(path, as_version=4)
    assert links_in(after.cells[0].source) == links
    assert after.cells[0].source.endswith("on 2 cores.")
    archive = "https://github.com/Some-One/a.fork/archive/v1.0.zip"
    assert archive in after.cells[1].source
    for cell in (*before.cells[:2], *after.cells[:2]):
        cell.source = ""
    assert after == before  # counts, outputs, ids: nothing was executed, nothing lost
    once = contents(small_tree)
    publish.publish(["--repo", "Some-One/a.fork"], small_tree)
    assert contents(small_tree) == once
    publish.publish(["--repo", REPO, "--ref", REF], small_tree)
    publish.publish(["--repo", "Some-One/a.fork", "--ref", "v1.0"], small_tree)
    assert contents(small_tree) == once  # there and back


def test_assignments_are_handed_out_from_a_branch_without_solutions(small_tree):
    for kind in ("source", "release"):
        folder = small_tree / "notebooks" / "assignments" / kind / "01_one"
        folder.mkdir(parents=True)
        nbformat.write(nbformat.v4.new_notebook(), folder / "01_one.ipynb")
    page = small_tree / "notebooks" / "assignments" / "README.md"
    page.write_text("<!-- handing out -->\n<!-- end -->\n")
    settings = small_tree / "pyproject.toml"
    settings.write_text(settings.read_text() + 'hub = "https://hub.example.org"\nhandout = ""\n')
    publish.publish(["--repo", "a/series"], small_tree)
    text = page.read_text()
    assert "/github/a/series/blob/handout/01_one/01_one.ipynb" in text
    assert "https://hub.example.org/hub/" in text
    hub = "https://hub.school.edu/jupyter"
    publish.publish(["--hub", hub, "--handout", "b/class"], small_tree)
    text = page.read_text()
    assert links_in(text) == [
        "https://colab.research.google.com/github/b/class/blob/handout/01_one/01_one.ipynb"
    ]
    (link,) = re.findall(rf"\]\(({hub}[^)]*)\)", text)
    address, _, query = link.partition("?")
    assert address == f"{hub}/hub/user-redirect/git-pull"
    assert parse_qs(query) == {
        "repo": ["https://github.com/b/class"],
        "branch": ["handout"],
        "urlpath": ["lab/tree/class/01_one/01_one.ipynb"],
    }
    publish.publish([], small_tree)
    assert page.read_text() == text, "the settings stay"
    for wrong in (["--hub", "hub.school.edu"], ["--handout", "class"]):
        with pytest.raises(SystemExit, match="nothing changed: expected a"):
            publish.publish(wrong, small_tree)


def test_check_finds_the_one_badge_that_disagrees(small_tree, capsys):
    publish.publish([], small_tree)
    assert publish.publish(["--check"], small_tree) == 0
    page = small_tree / "README.md"
    page.write_text(page.read_text().replace(f"gh/{REPO}/", "gh/somebody/else/"))
    wrong = contents(small_tree)
    assert publish.publish(["--check"], small_tree) == 1 and contents(small_tree) == wrong
    assert capsys.readouterr().out.endswith("differs: README.md\n")


@pytest.mark.parametrize("repo", ["name", "a/b/c", "a/..", "a b/c", "a/b;ls", "a/b.git"])
def test_bad_address_changes_nothing(small_tree, repo):
    before = contents(small_tree)
    with pytest.raises(SystemExit, match="expected a GitHub repository as owner/name"):
        publish.publish(["--repo", repo], small_tree)
    with pytest.raises(SystemExit, match="nothing changed: expected a branch or tag"):
        publish.publish(["--repo", "a/b", "--ref", f"{repo} $(ls)"], small_tree)
    assert contents(small_tree) == before


@pytest.mark.parametrize("repo, warned", [(publish.PLACEHOLDER, True), ("Some-One/a.fork", False)])
def test_readme_says_while_the_address_is_nobodys(small_tree, repo, warned):
    for _ in range(2):
        publish.publish(["--repo", repo, "--ref", "main"], small_tree)
        readme = (small_tree / "README.md").read_text()
        assert ("Not public yet" in readme) is warned
        assert f"git clone https://github.com/{repo}.git\n" in readme
        owner, name = repo.split("/")
        assert f"(https://{owner.lower()}.github.io/{name}/)" in readme
        publish.publish(["--repo", "another/one"], small_tree)


def test_verdicts_and_picture_of_readme_come_from_the_notebooks():
    page = "<!-- verdicts Q4 B1 -->\nOUTDATED\n<!-- end -->\n"
    page += "<!-- picture docs/a.png -->\n<!-- end -->\n"
    records = {
        id: {"claim": f"{id} is so", "verdict": verdict}
        for id, verdict in (("B1", "not decided"), ("Q4", "by definition"), ("A3", "holds"))
    }
    drawn = {"docs/a.png": (b"", "A line that rises.")}
    text = publish.with_front(page, records, drawn)
    words = "- **by definition:** Q4 is so\n- **not decided:** B1 is so\n\n**2 claims:** holds 1 ·"
    assert words in text and "OUTDATED" not in text
    assert "-->\n![A line that rises.](docs/a.png)\n<!--" in text
    assert publish.with_front(text, records, drawn) == text
    with pytest.raises(LookupError, match="the verdict of Q4"):
        publish.with_front(page, {"B1": records["B1"]}, drawn)
    with pytest.raises(LookupError, match=r"'picture': 'docs/a\.png'"):
        publish.with_front(page, records, {})


def test_front_page_shows_a_small_picture_and_three_verdicts():
    readme = publish.README.read_text(encoding="utf-8")
    (path,) = re.findall(r"^!\[.{40,}\]\((\S+)\)$", readme, re.MULTILINE)
    assert (ROOT / path).stat().st_size < 150_000
    assert len(re.findall(r"^- \*\*[a-z ]+:\*\* .", readme, re.MULTILINE)) == 3
    assert readme.count("<!-- end -->") == 3


def test_a_figure_that_is_not_there_is_no_picture(tmp_path, monkeypatch):
    cell = nbformat.v4.new_code_cell("1", metadata={"picture": "docs/a.png"})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "a.ipynb")
    with pytest.raises(LookupError, match=r"expected one figure for docs/a\.png"):
        publish.pictures([tmp_path / "a.ipynb"])
    monkeypatch.setattr(publish, "notebooks", lambda: [*notebooks()[1:], tmp_path / "a.ipynb"])
    for command in (publish.claims, publish.publish):
        with pytest.raises(SystemExit, match=r"nothing changed: a\.ipynb: expected one"):
            command([])


def test_a_row_begins_with_the_verdict_and_folds_its_conditions():
    record = {"id": "B1", "claim": "a|b", "measured": "1 < 2", "verdict": "depends"}
    record |= {"conditions": [["x; y", True], ["z", False]], "challenged": "more steps"}
    assert publish.claim_row(record, "article B") == (
        "| **depends** | a\\|b <sub>B1, article B</sub> | 1 \\< 2<br>*Tried against it:* more steps"
        "<br><details><summary>depends on what</summary>yes: x; y<br>no: z</details> |\n"
    )
    plain = publish.claim_row(record | {"verdict": "holds", "challenged": ""}, "article B")
    assert plain.endswith(" | 1 \\< 2 |\n")


@pytest.mark.parametrize(
    "page", publish.texts_in(ROOT), ids=lambda page: page.relative_to(ROOT).as_posix()
)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), target


def test_citation_and_issue_forms_can_be_read():
    yaml = pytest.importorskip("yaml")
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["repository-code"] == ADDRESS
    assert str(cited["version"]) == pyproject()["project"]["version"]
    for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert {"name", "description", "body"} <= set(form)
        assert "make check" in str(form["body"])


# --- review --------------------------------------------------------------------------------------


def test_review_names_nbdime_in_the_git_config(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(review, "ROOT", tmp_path)
    with pytest.raises(SystemExit, match="no git history"):
        review.review()
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    monkeypatch.setattr(review.importlib.util, "find_spec", lambda name: True)
    review.review()
    config = (tmp_path / ".git" / "config").read_text()
    assert re.search(r'\[diff "jupyternotebook"\]\n\tcommand = .*-m nbdime\.', config)
    assert "*.ipynb text eol=lf diff=jupyternotebook\n" in (ROOT / ".gitattributes").read_text()


def test_review_where_the_folder_has_a_quote_and_where_git_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(review.Path, "exists", lambda path: True)
    monkeypatch.setattr(review.importlib.util, "find_spec", lambda name: True)
    monkeypatch.setattr(review.sys, "executable", '/a"b $HOME/python')
    calls = []
    run = lambda command, **options: calls.append(command) or SimpleNamespace(returncode=0)  # noqa: E731
    monkeypatch.setattr(review.subprocess, "run", run)
    review.review()
    assert shlex.split(calls[0][-1])[:2] == ['/a"b $HOME/python', "-m"]
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="no command git"):
        review.review()


def test_review_without_a_network(monkeypatch):
    monkeypatch.setattr(review.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(review.Path, "exists", lambda path: True)
    monkeypatch.setattr(review.subprocess, "run", lambda command: SimpleNamespace(returncode=1))
    with pytest.raises(SystemExit, match=r"could not install nbdime .* plain text"):
        review.review()


def test_tally_leaves_out_what_holds_by_definition():
    verdicts = ["holds"] * 3 + ["by definition"] * 2 + ["depends", "not decided"]
    assert publish.tally(verdicts) == (
        "**5 claims:** holds 3 · does not hold 0 · depends 1 · not decided 1. "
        "By definition, not counted: 2"
    )


# --- refresh -------------------------------------------------------------------------------------


def notebook(path, source):
    cell = nbformat.v4.new_code_cell(source)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)


def test_refresh_twice_gives_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "0")
    monkeypatch.setenv("RNN_MEASURED_STRICT", "0")
    path = tmp_path / "tiny.ipynb"
    names = "'TQDM_DISABLE', 'RNN_MEASURED_STRICT'"
    notebook(path, f"import os\nprint(1 + 1, *(os.environ[name] for name in ({names})))")
    lessons.execute(path)
    first = path.read_bytes()
    lessons.execute(path)
    assert path.read_bytes() == first
    saved = nbformat.read(path, as_version=4)
    assert saved.cells[0].outputs[0].text == "2 1 1\n"  # no progress bars; strict
    assert saved.cells[0].execution_count == 1
    assert list(tmp_path.iterdir()) == [path]


def test_failed_refresh_leaves_the_notebook_alone(tmp_path):
    path = tmp_path / "broken.ipynb"
    notebook(path, "1 / 0")
    before = path.read_bytes()
    with pytest.raises(Exception, match="ZeroDivisionError"):
        lessons.execute(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


# --- check ---------------------------------------------------------------------------------------


def test_check_passes_here():
    run = tool("check")
    assert run.returncode == 0, run.stdout
    assert "all OK" in run.stdout
    for item in ("Python", "torch", "memory"):
        assert any(line.split()[:2] == ["OK", item] for line in run.stdout.splitlines()), item


def test_check_tells_what_to_do(monkeypatch, capsys):
    real = check.importlib.metadata.version

    def version(name):
        if name == "tqdm":
            raise check.importlib.metadata.PackageNotFoundError(name)
        return "1.0" if name == "pooch" else real(name)

    monkeypatch.setattr(check.importlib.metadata, "version", version)
    monkeypatch.setattr(check, "NEEDED_MEMORY_GB", 1e6)
    monkeypatch.setattr(check, "data", lambda: [("reviews", False, "missing", "run this")])
    assert check.check() == 1
    out = capsys.readouterr().out
    assert re.search(r"FAIL  tqdm +missing  -> needs tqdm>=4.66: python -m tools setup", out)
    assert re.search(r"FAIL  pooch +1\.0  -> needs pooch>=", out)
    assert re.search(r"OK    numpy +\d", out)
    assert re.search(r"FAIL  memory .* close other programs", out) and "run this" in out
    assert out.endswith("\n4 FAIL\n")
