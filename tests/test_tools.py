"""The commands of `python -m tools`: the entry, set-up, publish, refresh, check."""

import ast
import re
import subprocess
import sys
from types import SimpleNamespace

import nbformat
import pytest

from tools import __main__ as entry
from tools import check, environment, publish
from tools import notebooks as lessons
from tools.project import ROOT, notebooks, pyproject, requirements

SOURCE = publish.written_down()
ADDRESS, REPO, REF = SOURCE.address, SOURCE.repo, SOURCE.ref


def tool(*arguments, python=sys.executable):
    command = [python, "-m", "tools", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


# --- the entry -----------------------------------------------------------------------------------


def test_help_lists_every_command_and_each_exists():
    said = tool("--help").stdout
    for name, (target, _, text) in entry.COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(text)}$", said, re.MULTILINE)
        module, function = target.split(":")
        path = ROOT / f"{module.replace('.', '/')}.py"
        assert re.search(rf"^def {function}\(", path.read_text(encoding="utf-8"), re.MULTILINE)


def test_unknown_command():
    done = tool("tset")
    assert done.returncode == 1
    assert done.stderr == "no command is called 'tset'; python -m tools lists them\n"


def test_old_python_reads_the_entry_and_gets_a_sentence(monkeypatch):
    """Nothing but the entry is imported before the version is looked at."""
    for name in ("__init__", "__main__"):
        source = (ROOT / "tools" / f"{name}.py").read_text(encoding="utf-8")
        tree = ast.parse(source, feature_version=(3, 7))
        for node in tree.body:
            names = [alias.name for alias in getattr(node, "names", [])]
            assert set(names) <= {"importlib", "os", "subprocess", "sys"}
    monkeypatch.setattr(entry.sys, "version_info", (3, 8, 10))
    with pytest.raises(SystemExit, match=r"Python 3\.11 or newer is needed"):
        entry.main(["lab"])


def test_make_says_that_python_is_missing():
    command = ["make", "lab", "PYTHON=python9.9"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode != 0 and "no 'python9.9' found" in run.stdout


def test_makefile_names_commands():
    names = re.search(r"^NAMES := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    assert set(names.split()) <= set(entry.COMMANDS)


# --- set-up --------------------------------------------------------------------------------------


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """The set-up in an empty folder, with every command that it starts recorded instead."""
    for name in (environment.LOCK, environment.GRADING_LOCK, "pyproject.toml"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(environment, "of_the_reader", lambda: False)
    log = SimpleNamespace(folder=tmp_path, commands=[], failing=None)

    def run(command, **options):
        words = " ".join(map(str, command))
        log.commands.append(words)
        failed = log.failing is not None and log.failing in words
        if not failed and "-m venv" in words:
            environment.venv_python().parent.mkdir(parents=True)
            environment.venv_python().touch()
        return SimpleNamespace(returncode=int(failed), stdout="", stderr="")

    monkeypatch.setattr(environment.subprocess, "run", run)
    return log


def installs(log, lock):
    return [words for words in log.commands if words.endswith(f"--requirement {lock}")]


def test_set_up_happens_once_and_again_when_a_lock_changes(bare):
    for grading, lock in ((False, environment.LOCK), (True, environment.GRADING_LOCK)):
        assert environment.ready(grading) == str(environment.venv_python())
        assert len(installs(bare, lock)) == 1
        bare.commands.clear()
        environment.ready(grading)
        assert bare.commands == []
        (bare.folder / lock).write_text("another version")
        environment.ready(grading)
        assert len(installs(bare, lock)) == 1
    bare.commands.clear()
    environment.ready()
    assert not installs(bare, environment.GRADING_LOCK)


def test_failed_install_is_not_taken_for_done(bare):
    environment.ready()
    (bare.folder / environment.LOCK).write_text("another version")
    bare.failing = environment.LOCK
    with pytest.raises(SystemExit, match="pip could not install"):
        environment.ready()
    bare.failing = None
    bare.commands.clear()
    environment.ready()
    assert len(installs(bare, environment.LOCK)) == 1


def test_no_venv_module(bare):
    bare.failing = "-m venv"
    with pytest.raises(SystemExit, match="apt install python3-venv"):
        environment.ready()
    assert not environment.VENV.exists()


def test_full_disk(bare, monkeypatch):
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda path: SimpleNamespace(free=1e9))
    with pytest.raises(SystemExit, match="free disk space"):
        environment.ready()


def test_an_environment_of_the_reader_is_used_as_it_is(bare, monkeypatch, tmp_path):
    """Where the series is installed in the running Python, conda's for example."""
    monkeypatch.undo()
    monkeypatch.setattr(environment, "VENV", tmp_path / "another")
    monkeypatch.setattr(environment.sysconfig, "get_path", lambda name: str(tmp_path))
    assert not environment.of_the_reader()
    (tmp_path / f"{pyproject()['project']['name'].replace('-', '_')}-1.dist-info").mkdir()
    monkeypatch.setattr(environment.subprocess, "run", None)
    assert environment.ready(grading=True) == sys.executable


def test_lock_names_every_dependency_with_torch_pinned():
    lines = (ROOT / environment.LOCK).read_text(encoding="utf-8").splitlines()
    locked = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    assert f"torch=={locked['torch']}" == environment.TORCH
    assert {name.lower() for name in requirements("lab")} <= {name.lower() for name in locked}
    assert all(version[0].isdigit() for version in locked.values())


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
    for page, text in texts.items():
        for link in links_in(text):
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
        f"# A\n\nClone {ADDRESS}.git, not {ADDRESS}-old.\n\n| notebook | minutes |\n|---|---|\n"
        "| [1. One](notebooks/01_one.ipynb) | about one | 9 | 9 GB |\n"
    )
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
    assert "Clone https://github.com/Some-One/a.fork.git" in readme
    assert f"not {ADDRESS}-old." in readme
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


def test_check_finds_the_one_badge_that_disagrees(small_tree, capsys):
    publish.publish([], small_tree)
    assert publish.publish(["--check"], small_tree) == 0
    page = small_tree / "README.md"
    page.write_text(page.read_text().replace(f"gh/{REPO}/", "gh/somebody/else/"))
    wrong = contents(small_tree)
    assert publish.publish(["--check"], small_tree) == 1 and contents(small_tree) == wrong
    assert capsys.readouterr().out.endswith("differs: README.md\n")


@pytest.mark.parametrize("repo", ["name", "a/b/c", "a/..", "a b/c", "a/b;ls"])
def test_bad_address_changes_nothing(small_tree, repo):
    before = contents(small_tree)
    with pytest.raises(SystemExit, match="expected a GitHub repository as owner/name"):
        publish.publish(["--repo", repo], small_tree)
    with pytest.raises(SystemExit, match="nothing changed: expected a branch or tag"):
        publish.publish(["--repo", "a/b", "--ref", f"{repo} $(ls)"], small_tree)
    assert contents(small_tree) == before


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
