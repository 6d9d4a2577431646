"""Launch badges, the set-up cell on Colab, Binder's build plan, the start page; no network.

The set-up cell runs as it stands in each notebook. Only git is told where the public address
leads: to a bare repository of this working tree (`tools.alone`).
"""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import nbformat
import pytest

from tools import alone, badges, environment, limits, offline, versions

ROOT = Path(__file__).resolve().parent.parent
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
each = pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ADDRESS = PROJECT["project"]["urls"]["Repository"]
REPO = ADDRESS.removeprefix("https://github.com/")
REF = PROJECT["tool"]["series"]["ref"]
START_PAGE = ROOT / "notebooks" / "README.md"


def read(path):
    return nbformat.read(path, as_version=4)


def set_up_source(path):
    return next(cell.source for cell in read(path).cells if cell.cell_type == "code")


# --- badges --------------------------------------------------------------------------------------


def launch_links(name):
    """Written out here a second time, so that a fault in tools/badges.py is seen."""
    return [
        f"https://mybinder.org/v2/gh/{REPO}/{REF}?labpath=notebooks/{name}",
        f"https://colab.research.google.com/github/{REPO}/blob/{REF}/notebooks/{name}",
    ]


def links_in(text):
    return re.findall(
        r"\]\((https://(?:mybinder\.org/v2|colab\.research\.google\.com/git)[^)]*)\)", text
    )


@each
def test_badges_stand_under_the_title(path):
    title, blank, line, *_ = read(path).cells[0].source.splitlines()
    assert title.startswith("# ") and blank == ""
    assert links_in(line) == launch_links(path.name)
    assert "[![Open in Binder](" in line and "[![Open in Colab](" in line  # seen without images


def test_badges_stand_in_every_row_of_the_table():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in PATHS:
        (row,) = re.findall(rf"^\| \[[^\]]+\]\(notebooks/{path.name}\).*$", text, re.MULTILINE)
        assert links_in(row) == launch_links(path.name)


def test_every_launch_link_leads_to_the_one_address_and_to_a_file():
    pages = [ROOT / "README.md", *(ROOT / "notebooks").glob("**/*.md")]
    texts = {page: page.read_text(encoding="utf-8") for page in pages}
    for path in (ROOT / "notebooks").glob("**/*.ipynb"):
        texts[path] = "\n".join(cell.source for cell in read(path).cells)
    for page, text in texts.items():
        for link in links_in(text):
            target = re.split(r"\?labpath=|/blob/[^/]+/", link)[1]
            assert link in launch_links(target.removeprefix("notebooks/")), f"{page}: {link}"
            assert (ROOT / target).is_file(), f"{page}: {link}"
        for address in re.findall(r"git clone\b[^\n\"]*?(https://[^\s\"`]+)", text):
            assert address.rstrip(")") == ADDRESS, page


def test_nothing_disagrees_with_pyproject():
    badges.main(["--check"])


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
        "| [1. One](notebooks/01_one.ipynb) | 2 |\n"
    )
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# 1. One\n\nA sentence."),
            nbformat.v4.new_code_cell("import sys\nsys.path\n" + badges.START, execution_count=1),
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
    before = read(small_tree / "notebooks/01_one.ipynb")
    badges.main(["--repo", "Some-One/a.fork", "--ref", "v1.0"], root=small_tree)
    settings = (small_tree / "pyproject.toml").read_text()
    assert settings.splitlines()[1] == 'Repository = "https://github.com/Some-One/a.fork"'
    assert settings.splitlines()[-2:] == ["# a comment", 'ref = "v1.0"']
    readme = (small_tree / "README.md").read_text()
    assert "Clone https://github.com/Some-One/a.fork.git" in readme
    assert f"not {ADDRESS}-old." in readme
    binder = "https://mybinder.org/v2/gh/Some-One/a.fork/v1.0?labpath=notebooks/01_one.ipynb"
    colab = (
        "https://colab.research.google.com/github/Some-One/a.fork/blob/v1.0/notebooks/01_one.ipynb"
    )
    assert links_in(readme) == [binder, colab]
    after = read(small_tree / "notebooks/01_one.ipynb")
    assert links_in(after.cells[0].source) == [binder, colab]
    assert after.cells[0].source.endswith("\n\nA sentence.")
    fetch = "git clone --quiet --depth=1 --branch=v1.0 https://github.com/Some-One/a.fork"
    assert f'FETCH = "{fetch}"' in after.cells[1].source.splitlines()
    assert after.cells[1].source.endswith(badges.START)
    for cell in (*before.cells[:2], *after.cells[:2]):
        cell.source = ""
    assert after == before  # counts, outputs, ids: nothing was executed, nothing lost
    once = contents(small_tree)
    badges.main(["--repo", "Some-One/a.fork"], root=small_tree)
    assert contents(small_tree) == once
    badges.main(["--repo", REPO, "--ref", REF], root=small_tree)
    badges.main(["--repo", "Some-One/a.fork", "--ref", "v1.0"], root=small_tree)
    assert contents(small_tree) == once  # there and back


def test_check_finds_the_one_badge_that_disagrees(small_tree):
    badges.main([], root=small_tree)
    badges.main(["--check"], root=small_tree)
    page = small_tree / "README.md"
    page.write_text(page.read_text().replace(f"gh/{REPO}/", "gh/somebody/else/"))
    with pytest.raises(SystemExit, match=r"do not agree.*: README\.md\. Run: make badges"):
        badges.main(["--check"], root=small_tree)


def test_address_comes_from_the_git_remote(small_tree):
    git = ["git", "-C", str(small_tree)]
    subprocess.run([*git, "init", "--quiet"], check=True, env=alone.clean_environment())
    subprocess.run([*git, "remote", "add", "origin", "git@github.com:me/mine.git"], check=True)
    badges.main([], root=small_tree)
    assert badges.written_down(small_tree) == ("me/mine", REF)
    subprocess.run([*git, "remote", "set-url", "origin", "https://example.org/a/b"], check=True)
    badges.main([], root=small_tree)
    assert badges.written_down(small_tree) == ("me/mine", REF)


@pytest.mark.parametrize(
    ("address", "repo"),
    [
        ("https://github.com/a/b.git\n", "a/b"),
        ("https://github.com/a/b/", "a/b"),
        ("https://user:token@github.com/a/b.c", "a/b.c"),
        ("ssh://git@github.com/a/b.git", "a/b"),
        ("git@gitlab.com:a/b.git", None),
        ("/srv/repositories/b.git", None),
        ("https://notgithub.com/a/b", None),
    ],
)
def test_remote_addresses(address, repo):
    assert badges.from_remote(address) == repo


@pytest.mark.parametrize(
    "repo", ["name", "a/b/c", "a/..", "a b/c", "a/b;ls", "https://github.com/a/b"]
)
def test_bad_address_changes_nothing(small_tree, repo):
    before = contents(small_tree)
    with pytest.raises(
        SystemExit, match="nothing changed: expected a GitHub repository as owner/name"
    ):
        badges.main(["--repo", repo], root=small_tree)
    with pytest.raises(SystemExit, match="nothing changed: expected a branch or tag"):
        badges.main(["--repo", "a/b", "--ref", f"{repo} $(ls)"], root=small_tree)
    assert contents(small_tree) == before


# --- the set-up cell, alone in an empty folder ---------------------------------------------------

NAME = REPO.split("/")[-1]
# Runs the first code cell of the one notebook here, and writes down what came. "whole" runs it
# twice; else it stops after the package `helpers` is there, which spares the import of PyTorch.
DRIVER = (
    f"FAKE_COLAB = {alone.FAKE_COLAB!r}"
    """
import glob, json, sys, time
whole, colab, report = sys.argv[1] == "whole", sys.argv[2] == "colab", sys.argv[3]
if colab:
    exec(FAKE_COLAB)
(path,) = glob.glob("*.ipynb")
cell = next(c for c in json.load(open(path, encoding="utf-8"))["cells"] if c["cell_type"] == "code")
source = "".join(cell["source"])
if not whole:
    source = source[:source.index("from helpers import")] + "import helpers"
seconds, space = [], {}
for _ in range(1 + whole):
    start = time.perf_counter()
    exec(source, space)
    seconds.append(time.perf_counter() - start)
import helpers
found = {"helpers": helpers.__file__, "seconds": seconds, "names": sorted(space)}
if whole:
    import torch
    found["threads"] = torch.get_num_threads()
json.dump(found, open(report, "w"))
"""
)
# Stands in for packages that are absent: `python -m pip` and the versions that Python finds.
HIDE = """
import importlib.metadata, os
hidden = set(os.environ.get("HIDDEN", "").split())
real = importlib.metadata.version
def version(name):
    if name in hidden:
        raise importlib.metadata.PackageNotFoundError(name)
    return real(name)
importlib.metadata.version = version
"""
FAKE_PIP = """
import json, os, sys
words = sys.argv[1:]
constraints = open(words[words.index("--constraint") + 1]).read().splitlines()
with open(os.environ["PIP_LOG"], "a") as log:
    log.write(json.dumps({"words": words, "constraints": constraints}) + "\\n")
print("pip talks")
if os.environ.get("PIP_FAILS"):
    sys.exit("ERROR: no such package")
"""


@pytest.fixture(scope="session")
def remote(tmp_path_factory):
    return alone.make_remote(tmp_path_factory.mktemp("remote"))


class Bare:
    """An empty folder with one notebook in it, a git and a pip that are recorded."""

    def __init__(self, folder, notebook, remote):
        self.content, self.stubs = folder / "content", folder / "stubs"
        self.git_log, self.pip_log = folder / "git.log", folder / "pip.log"
        self.report = folder / "report.json"
        self.content.mkdir()
        shutil.copy(notebook, self.content)
        (self.stubs / "pip").mkdir(parents=True)
        (self.stubs / "pip" / "__init__.py").touch()
        (self.stubs / "pip" / "__main__.py").write_text(FAKE_PIP)
        (self.stubs / "sitecustomize.py").write_text(HIDE)
        bin_folder = folder / "bin"
        bin_folder.mkdir()
        git = bin_folder / "git"
        git.write_text(f'#!/bin/sh\necho "$@" >> {self.git_log}\nexec {shutil.which("git")} "$@"\n')
        git.chmod(git.stat().st_mode | stat.S_IXUSR)
        self.environment = alone.environment(remote) | {
            "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(self.stubs),
            "PIP_LOG": str(self.pip_log),
        }

    def run(self, how="start", where="colab", **extra):
        """Run the set-up cell in a fresh process, as after a restart of the kernel."""
        self.report.unlink(missing_ok=True)
        done = subprocess.run(
            [sys.executable, "-c", DRIVER, how, where, str(self.report)],
            cwd=self.content,
            env=self.environment | extra,
            capture_output=True,
            text=True,
        )
        self.result = json.loads(self.report.read_text()) if self.report.exists() else None
        return done

    def clones(self):
        return self.git_log.read_text().splitlines() if self.git_log.exists() else []

    def pip_calls(self):
        lines = self.pip_log.read_text().splitlines() if self.pip_log.exists() else []
        return [json.loads(line) for line in lines]


@pytest.fixture
def bare(tmp_path, remote):
    return Bare(tmp_path, PATHS[0], remote)


@each
def test_set_up_cell_with_the_notebook_alone(path, tmp_path, remote):
    bare = Bare(tmp_path, path, remote)
    done = bare.run("whole")
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""
    assert bare.clones() == [f"clone --quiet --depth=1 --branch={REF} {ADDRESS}"]
    assert bare.pip_calls() == []  # nothing is missing here
    assert Path(bare.result["helpers"]) == bare.content / NAME / "helpers" / "__init__.py"
    assert {"claims", "costs", "data", "training"} <= set(bare.result["names"])
    assert bare.result["threads"] == 1
    assert bare.result["seconds"][1] < 1


def test_restart_clones_nothing_and_installs_nothing(bare):
    assert bare.run().returncode == 0
    assert len(bare.clones()) == 1
    marker = bare.content / NAME / "notes of mine"
    marker.touch()
    done = bare.run()
    assert done.returncode == 0 and done.stdout == done.stderr == ""
    assert len(bare.clones()) == 1 and bare.pip_calls() == []
    assert marker.exists()


def test_only_what_is_missing_is_installed(bare):
    done = bare.run(HIDDEN="threadpoolctl wordcloud torch numpy pandas")
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""  # what pip says stays inside
    (call,) = bare.pip_calls()
    packages = [word for word in call["words"] if ">=" in word]
    assert sorted(re.match(r"[\w.-]+", word)[0] for word in packages) == [
        "threadpoolctl",
        "wordcloud",
    ]
    assert set(packages) <= set(PROJECT["project"]["dependencies"])
    assert not [word for word in call["words"] if "upgrade" in word]
    fixed = dict(line.split("==") for line in call["constraints"])
    assert fixed["transformers"] and "wordcloud" not in fixed


def test_what_is_there_keeps_its_version(bare):
    bare.run(HIDDEN="wordcloud")
    (call,) = bare.pip_calls()
    fixed = {line.split("==")[0] for line in call["constraints"]}
    assert {"torch", "numpy", "pandas", "transformers", "matplotlib"} <= fixed


def test_failed_install_says_what_to_do(bare):
    done = bare.run(HIDDEN="wordcloud", PIP_FAILS="yes")
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-3:]
    assert "pip could not install wordcloud" in last[0] and "no such package" in last[1]
    assert "run this cell again" in last[2]


def refused(done):
    assert done.returncode != 0
    message = done.stderr.strip().splitlines()[-1]
    assert message == (
        "FileNotFoundError: no folder helpers/ here or above; to get it, run: "
        f"git clone --quiet --depth=1 --branch={REF} {ADDRESS}"
    )


def test_outside_colab_nothing_is_cloned(bare):
    refused(bare.run(where="elsewhere"))
    assert bare.clones() == []


def test_without_git(bare, tmp_path):
    (tmp_path / "empty").mkdir()
    done = bare.run(PATH=str(tmp_path / "empty"))
    refused(done)
    assert "not found" in done.stderr


@pytest.mark.parametrize("leftover", [".git/HEAD", "helpers/mine.py", "notes.txt"])
def test_a_folder_in_the_way_stays_as_it_is(bare, leftover):
    """A clone that was cut off, or a folder of the reader's own."""
    file = bare.content / NAME / leftover
    file.parent.mkdir(parents=True)
    file.write_text("ours")
    done = bare.run()
    refused(done)
    assert "already exists and is not an empty directory" in done.stderr
    assert file.read_text() == "ours" and list(bare.content.glob("*/**/*.py")) in ([], [file])


def test_ref_that_is_not_there(bare, remote, tmp_path):
    (notebook,) = bare.content.glob("*.ipynb")
    notebook.write_text(notebook.read_text().replace(f"--branch={REF} ", "--branch=v0.0 "))
    done = bare.run()
    assert done.returncode != 0 and "v0.0" in done.stderr
    assert not (bare.content / NAME).exists()


def test_helpers_above_are_found_first(bare):
    """In a folder deep inside a copy of the project, on Colab or not, nothing is fetched."""
    assert bare.run().returncode == 0
    deep = bare.content / NAME / "notebooks" / "mine"
    deep.mkdir()
    (notebook,) = bare.content.glob("*.ipynb")
    shutil.move(notebook, deep)
    bare.content, before = deep, bare.clones()
    for where in ("colab", "elsewhere"):
        assert bare.run(where=where).returncode == 0
        assert Path(bare.result["helpers"]).parents[2] == deep.parents[2]
    assert bare.clones() == before


def test_set_up_cell_costs_little_where_everything_is_installed(bare):
    """Finding that nothing is missing must not be felt, on Colab either."""
    from helpers import launch

    launch.install_missing()
    start = time.perf_counter()
    assert launch.install_missing() == []
    assert time.perf_counter() - start < 0.5


@pytest.mark.timeout(1500)
def test_quickest_notebook_whole(tmp_path, remote):
    """All cells, outputs compared, from the empty folder; the others: `make test-launch`."""

    def minutes(path):
        return float(re.search(r"about (\d+) minutes?", read(path).cells[0].source)[1])

    assert alone.run_whole(min(PATHS, key=minutes), remote, tmp_path) == 0


# --- Binder --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plan():
    """What repo2docker would build, as a Dockerfile; it asks neither Docker nor the network."""
    pytest.importorskip("repo2docker")
    run = subprocess.run(
        [sys.executable, "-m", "repo2docker", "--no-build", "--debug", str(ROOT)],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout + run.stderr


def test_binder_takes_the_conda_file_and_post_build(plan):
    assert "Building conda environment for python=3.12" in plan
    assert '--file "environment.yml"' in plan
    assert "RUN ./postBuild" in plan
    assert "requirements.lock" not in plan and "pip install" not in plan


def test_binder_keeps_the_environment_between_builds(plan):
    """The environment is installed before the project is copied: its layer is then reused."""
    order = [
        "COPY --chown=0:0 src/environment.yml",
        "env update",
        "COPY --chown=0:0 src/ ",
        "RUN ./postBuild",
    ]
    places = [plan.index(step) for step in order]
    assert places == sorted(places)


def test_nothing_hides_the_files_at_the_root():
    assert not [name for name in ("binder", ".binder", "Dockerfile") if (ROOT / name).exists()]
    assert os.access(ROOT / "postBuild", os.X_OK)
    subprocess.run(["bash", "-n", str(ROOT / "postBuild")], check=True)


def conda_file():
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))


def test_conda_specs_are_well_formed():
    rattler = pytest.importorskip("rattler")
    file = conda_file()
    specs = [spec for spec in file["dependencies"] if isinstance(spec, str)]
    parsed = {spec: rattler.MatchSpec(spec, strict=True) for spec in specs}
    assert [spec.split()[0].split("=")[0] for spec in parsed] == ["python", "pip", "pytorch"]
    torch = parsed[specs[2]]
    assert str(torch.build) == "cpu*"
    assert file["name"] == PROJECT["project"]["name"] and file["channels"] == ["conda-forge"]


def test_environment_file_lists_what_pyproject_lists():
    assert (ROOT / "environment.yml").read_text(encoding="utf-8") == environment.environment()
    specs = conda_file()["dependencies"]
    lists = PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"]["lab"]
    (torch,) = [line for line in lists if line.startswith("torch>=")]
    assert specs[2] == f"py{torch.replace('>=', ' >=')} cpu*"
    assert sorted([*specs[3]["pip"], torch]) == sorted(lists)
    oldest = PROJECT["project"]["requires-python"].removeprefix(">=")
    assert tuple(map(int, specs[0].removeprefix("python=").split("."))) >= tuple(
        map(int, oldest.split("."))
    )


# --- the start page ------------------------------------------------------------------------------


def test_start_page_says_what_the_notebooks_say():
    """Every notebook once, in order, with its minutes and memory."""
    text = START_PAGE.read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| \[(\d)\. [^\]]+\]\((\w+\.ipynb)\).*?\| (\S+) \| (\S+ GB) \|", text, re.M
    )
    assert [name for _, name, *_ in rows] == [path.name for path in PATHS]
    for path, (number, _, *said) in zip(PATHS, rows, strict=True):
        opening = read(path).cells[0].source
        found = re.search(r"about (\S+) minutes? and at most (\S+ GB)", opening).groups()
        assert (path.name[1], *found) == (number, *said), path.name


def ideas():
    """{idea: (notebook, section or None, ideas it needs)} from the start page's table."""
    table = START_PAGE.read_text(encoding="utf-8").split("| idea |")[1]
    rows = re.findall(
        r"^\| ([^|]+?) \| (\d)(?:, section (\d+))? \| ([^|]*?) ?\|$", table, re.MULTILINE
    )
    return {
        idea: (int(n), section, [x for x in needs.split(", ") if x])
        for idea, n, section, needs in rows
    }


def test_an_idea_is_taught_after_those_it_needs():
    known = ideas()
    assert len(known) >= 12
    for idea, (number, section, needs) in known.items():
        for need in needs:
            before, place, _ = known[need]
            assert (before, int(place or 0)) <= (number, int(section or 99)), f"{idea} needs {need}"


def test_ideas_stand_where_the_table_says():
    """The sections exist, and the notebook has the idea's word in it."""
    for idea, (number, section, _) in ideas().items():
        (path,) = (path for path in PATHS if path.name.startswith(f"0{number}"))
        text = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
        if section:
            text = re.search(rf"^## {section}\. .*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)[0]
        word = {
            "honest evaluation": "test",
            "memory against lag": "lag",
            "gradient check": "finite diff",
            "forecasts with skill": "forecast",
        }
        word = word.get(idea, idea.split()[0])
        assert re.search(word.replace("-", ".?"), text, re.IGNORECASE), idea


def test_map_and_table_are_the_same():
    """Nodes, the notebook that frames each, and arrows of the drawing."""
    text = START_PAGE.read_text(encoding="utf-8")
    graph = re.search(r"```mermaid\n(.*?)```", text, re.DOTALL)[1]
    names, frames = {}, {}
    for number, body in re.findall(r"subgraph N(\d)\[.*?\]\n(.*?)\n  end", graph, re.DOTALL):
        for line in body.split("\n"):
            key, label = re.fullmatch(r'    (\w+)(?:\["(.+)"\])?', line).groups()
            names[key], frames[label or key] = label or key, int(number)
    known = ideas()
    assert frames == {idea: number for idea, (number, *_) in known.items()}
    arrows = {
        (names[a], names[b]) for a, b in re.findall(r"^  (\w+) --> (\w+)$", graph, re.MULTILINE)
    }
    assert arrows == {(need, idea) for idea, (_, _, needs) in known.items() for need in needs}


def test_start_page_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", START_PAGE.read_text(encoding="utf-8")):
        assert (START_PAGE.parent / target).exists(), target


def test_lab_opens_the_start_page_rendered():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    lab = re.search(r"^lab:.*?(?=^$)", makefile, re.MULTILINE | re.DOTALL)[0]
    assert "default_url=/lab/tree/notebooks/README.md" in lab
    folder = re.search(r"JUPYTER_CONFIG_PATH=\"?\$\(CURDIR\)/([\w/]+)", lab)[1]
    settings = ROOT / folder / "labconfig" / "default_setting_overrides.json"
    viewers = json.loads(settings.read_text())["@jupyterlab/docmanager-extension:plugin"]
    assert viewers["defaultViewers"]["markdown"] == "Markdown Preview"
    assert settings.relative_to(ROOT).as_posix() in (ROOT / "postBuild").read_text()


# --- the commands around it ----------------------------------------------------------------------


def test_oldest_is_the_lower_bound_of_every_range():
    oldest = versions.requirements("oldest", with_torch=False)
    assert len(oldest) == len(PROJECT["project"]["dependencies"])
    for line, range_ in zip(oldest, PROJECT["project"]["dependencies"], strict=True):
        if range_.startswith("torch>="):
            assert line == versions.locked_torch()
        else:
            assert line.replace("==", ">=") == range_.split(",")[0]
    assert versions.requirements("oldest", with_torch=True) != oldest


@pytest.mark.skipif(not offline.can_cut(), reason="this system does not let a user cut the network")
def test_the_network_is_cut():
    code = """
import socket
with socket.socket() as server:
    server.bind(("127.0.0.1", 0))
    server.listen()
    socket.create_connection(server.getsockname(), timeout=5).close()
try:
    socket.create_connection(("192.0.2.1", 80), timeout=5)
except OSError as error:
    print("cut:", error)
"""
    run = [sys.executable, str(ROOT / "tools" / "offline.py"), sys.executable, "-c", code]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.stdout.startswith("cut:") and "nreachable" in done.stdout, done.stderr
    failing = subprocess.run([*run[:3], "-c", "raise SystemExit(7)"])
    assert failing.returncode == 7


def test_offline_says_when_it_cannot(monkeypatch):
    monkeypatch.setattr(offline, "UNSHARE", ("false",))
    with pytest.raises(SystemExit, match="does not let you cut the network"):
        offline.main(["true"])


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux alone binds to a core")
def test_limits_are_limits(tmp_path):
    greedy = "import time; block = bytearray(300_000_000); time.sleep(30)"
    status, peak, seconds = limits.run_limited([sys.executable, "-c", greedy], tmp_path, 0.2)
    assert status is None and peak > 0.2 and seconds < 20
    modest = "import os; assert len(os.sched_getaffinity(0)) == 1"
    status, peak, _ = limits.run_limited([sys.executable, "-c", modest], tmp_path, 0.2)
    assert status == 0 and peak < 0.2
