"""The commands of `python -m tools`: publish, refresh, check, the proof."""

import os
import re
import subprocess
import sys

import nbformat
import pytest

from tools import check, environment, network, publish, testing
from tools import notebooks as lessons
from tools.project import ROOT, notebooks, requirements

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


# --- the proof in hard places --------------------------------------------------------------------


def test_oldest_is_the_lower_bound_of_every_range():
    oldest = dict(line.split("==") for line in testing.bounds("oldest"))
    assert list(oldest) == list(requirements())
    assert oldest["numpy"] == "2.0" and f"torch=={oldest['torch']}" == environment.TORCH
    assert "numpy>=2.0" in testing.bounds("newest")


@pytest.mark.skipif(not network.cutter(), reason="this system does not let a user cut the network")
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
raise SystemExit(7)
"""
    command = network.cut([sys.executable, "-c", code])
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.startswith("cut:") and "nreachable" in done.stdout, done.stderr
    assert done.returncode == 7


def test_offline_says_when_it_cannot(monkeypatch):
    monkeypatch.setattr(network, "CUTTERS", (["false"], ["no-such-command"]))
    monkeypatch.setattr(sys, "argv", ["offline"])
    with pytest.raises(SystemExit, match="does not let you cut the network"):
        testing.offline()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux alone binds to a core")
def test_limits_are_limits(tmp_path):
    greedy = "import time; block = bytearray(300_000_000); time.sleep(30)"
    status, peak, seconds = testing.run_limited([sys.executable, "-c", greedy], tmp_path, 0.2)
    assert status is None and peak > 0.2 and seconds < 20
    modest = "import os, time; time.sleep(1); assert len(os.sched_getaffinity(0)) == 1"
    status, peak, _ = testing.run_limited([sys.executable, "-c", modest], tmp_path, 0.2)
    assert status == 0 and peak < 0.2
