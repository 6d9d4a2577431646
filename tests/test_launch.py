"""The set-up cell, Binder's build plan, and the start page. No network.

The set-up cell runs as it stands on a pretended Colab (`tools.colab`).
"""

import asyncio
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from helpers import launch
from tools import colab, environment, publish, testing
from tools.project import ROOT, notebooks, pyproject, requirements

PATHS = notebooks()
NAME = pyproject()["project"]["name"]
SOURCE = publish.written_down()
CELL = SOURCE.set_up_cell()
ARCHIVE = f"{SOURCE.address}/archive/{SOURCE.ref}.zip"
START_PAGE = ROOT / "notebooks" / "README.md"
PROBE = "\nimport helpers.launch\nprint(helpers.__file__)\n"
unix = pytest.mark.skipif(os.name == "nt", reason="Colab is a Linux machine")


def read(path):
    return nbformat.read(path, as_version=4)


# --- the set-up cell, alone in an empty folder ---------------------------------------------------


def test_set_up_cell_is_short_and_names_the_package():
    assert len([line for line in CELL.splitlines() if line.strip()]) <= 5
    assert launch.SERIES == NAME and f'"{NAME}"' in CELL and ARCHIVE in CELL


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    return colab.serve(tmp_path_factory.mktemp("served"))


@pytest.fixture
def machine(tmp_path, served):
    def make(*without):
        return colab.Colab(tmp_path / "colab", served, without)

    return make


def add_wheel(folder, name, version, requires=()):
    """The smallest package that pip installs."""
    info = f"{name}-{version}.dist-info"
    head = f"Metadata-Version: 2.1\nName: {name}\n"
    needs = "".join(f"Requires-Dist: {line}\n" for line in requires)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", "")
        wheel.writestr(f"{info}/METADATA", f"{head}Version: {version}\n{needs}")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


@unix
@pytest.mark.slow
def test_the_series_is_installed_once_and_nothing_else(machine):
    machine = machine()
    done = machine.run(CELL + PROBE)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    place = Path(done.stdout.strip()).parent
    assert place.parent.name == "site-packages" and (place / "tables" / "prices.csv").is_file()
    assert machine.pip_calls() == [f"install --quiet --no-deps {ARCHIVE}"]
    assert list(machine.installed()) == [NAME]
    assert not list(place.parent.rglob("*.ipynb")), "no lesson and no solution on the disk"
    done = machine.run(CELL + PROBE)  # after a restart of the kernel
    assert done.returncode == 0 and done.stderr == "" and len(machine.pip_calls()) == 1


@unix
@pytest.mark.slow
def test_only_what_is_missing_is_installed_and_what_is_there_keeps_its_version(machine):
    machine = machine("wordcloud", "threadpoolctl", "statsmodels")
    # What pip must not do: take a tqdm of another version for the newest wordcloud.
    add_wheel(machine.wheels, "wordcloud", "8.0")
    add_wheel(machine.wheels, "wordcloud", "9.0", requires=["tqdm>=999"])
    add_wheel(machine.wheels, "tqdm", "999.0")
    add_wheel(machine.wheels, "threadpoolctl", "99.0")
    first = machine.run(CELL + PROBE)
    assert "pip could not install" in first.stdout + first.stderr
    assert "statsmodels" in first.stdout + first.stderr  # the one that pip does not find
    assert "Check the connection, then run this cell again." in first.stdout
    assert first.returncode != 0 and "No module named 'helpers'" in first.stdout + first.stderr
    assert machine.installed() == {}, "a half-made installation stays"
    add_wheel(machine.wheels, "statsmodels", "99.0")
    again = machine.run(CELL + PROBE)
    assert again.returncode == 0 and again.stderr == "", again.stderr
    assert machine.installed() == {
        NAME: pyproject()["project"]["version"],
        "wordcloud": "8.0",
        "threadpoolctl": "99.0",
        "statsmodels": "99.0",
    }


@pytest.mark.parametrize("without", ["torch", "numpy", "pandas"])
def test_what_colab_builds_itself_is_never_installed(without, monkeypatch):
    real = launch.metadata.version

    def version(name):
        if name == without:
            raise launch.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(launch.metadata, "version", version)
    monkeypatch.setattr(launch.subprocess, "run", None)  # any process would fail
    assert launch.main() is None


@unix
@pytest.mark.slow
def test_an_archive_that_does_not_come(machine):
    """A ref that is not there, or no network: one sentence, and nothing stays."""
    machine = machine()
    done = machine.run(CELL.replace(f"/{SOURCE.ref}.zip", "/v0.0.zip") + PROBE)
    assert done.returncode != 0 and machine.installed() == {}
    assert done.stdout.startswith("Check the connection, then run this cell again.\n")


@unix
def test_elsewhere_one_sentence_names_the_command(machine):
    machine = machine()
    machine.startup.unlink()
    (machine.content / "helpers").mkdir()  # a folder of the reader's own is not the series
    (machine.content / "helpers" / "__init__.py").touch()
    done = machine.run(CELL)
    assert done.returncode != 0 and machine.pip_calls() == []
    said = "AssertionError: in the project's folder, run: python -m tools lab"
    assert (done.stdout + done.stderr).strip().splitlines()[-1] == said


@unix
@pytest.mark.slow
def test_a_notebook_alone_is_compared_with_its_saved_outputs(machine, tmp_path):
    """As `python -m tools alone` runs the lessons, here with two cells."""
    machine, path = machine(), tmp_path / "small.ipynb"
    cells = [nbformat.v4.new_code_cell(CELL, execution_count=1)]
    cells += [nbformat.v4.new_code_cell("import helpers.tasks\n1 + 1", execution_count=2)]
    for text, status in (("3", 1), ("2", 0)):
        cells[1].outputs = [
            nbformat.v4.new_output("execute_result", {"text/plain": text}, execution_count=2)
        ]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
        assert testing.run_alone(path, machine) == status


# --- Binder and conda ----------------------------------------------------------------------------


@pytest.mark.slow
def test_binder_builds_the_conda_file_and_then_the_project():
    """What repo2docker would do, as a Dockerfile; it asks neither Docker nor the network."""
    pytest.importorskip("repo2docker")
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", str(ROOT)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    plan = run.stdout + run.stderr
    assert f"Building conda environment for python={environment.CONDA_PYTHON}" in plan
    assert "requirements.lock" not in plan and "pip install" not in plan
    # The environment is installed before the project is copied: its layer is then reused.
    steps = ["COPY --chown=0:0 src/environment.yml", "env update", '--file "environment.yml"']
    steps += ["COPY --chown=0:0 src/ ", "RUN ./postBuild"]
    places = [plan.index(step) for step in steps]
    assert places == sorted(places)
    assert os.access(ROOT / "postBuild", os.X_OK)
    subprocess.run(["bash", "-n", str(ROOT / "postBuild")], check=True)


def test_conda_brings_everything_and_its_specs_are_well_formed():
    yaml, rattler = pytest.importorskip("yaml"), pytest.importorskip("rattler")
    text = environment.conda_file()
    assert text == (ROOT / "environment.yml").read_text(encoding="utf-8")
    file = yaml.safe_load(text)
    python, pip, *specs = file["dependencies"]
    assert (python, pip) == (f"python={environment.CONDA_PYTHON}", "pip")
    parsed = [rattler.MatchSpec(spec, strict=True) for spec in specs]
    here = {"torch": "pytorch", "matplotlib": "matplotlib-base"}  # conda-forge's names
    for line, spec in zip(requirements("lab").values(), parsed, strict=True):
        name, bound = line.split(">=")
        assert (spec.name.normalized, str(spec.version)) == (here.get(name, name), f">={bound}")
        assert str(spec.build or "") == ("cpu*" if name == "torch" else "")
    assert file["name"] == NAME and file["channels"] == ["conda-forge"]


def test_what_conda_cannot_say_is_said(monkeypatch):
    monkeypatch.setattr(environment, "requirements", lambda extra: {"a": "a>=1; os_name == 'nt'"})
    with pytest.raises(SystemExit, match=r"environment\.yml cannot say"):
        environment.conda_file()


# --- the start page ------------------------------------------------------------------------------


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


def test_start_page_lists_every_notebook():
    text = START_PAGE.read_text(encoding="utf-8")
    assert re.findall(r"^\| \[\d\. [^\]]+\]\((\w+\.ipynb)\)", text, re.M) == [p.name for p in PATHS]


def test_lab_opens_the_start_page_rendered(monkeypatch):
    calls = []
    monkeypatch.setattr(environment, "hand_over", lambda command: calls.append(command) or 0)
    monkeypatch.setattr(sys, "argv", ["lab", "--port", "8899"])
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "theirs")
    assert environment.lab() == 0
    assert "--LabApp.default_url=/lab/tree/notebooks/README.md" in calls[0]
    assert calls[0][-2:] == ["--port", "8899"]
    ours, theirs = os.environ["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    settings = Path(ours) / "labconfig" / "default_setting_overrides.json"
    said = json.loads(settings.read_text())
    viewers = said["@jupyterlab/docmanager-extension:plugin"]["defaultViewers"]
    assert viewers["markdown"] == "Markdown Preview" and theirs == "theirs"
    news = said["@jupyterlab/apputils-extension:notification"]
    assert news == {"fetchNews": "false", "checkForUpdates": False}
    for file in Path(ours).rglob("*.*"):  # Binder has the same
        assert f"cp {file.relative_to(ROOT).as_posix()} " in (ROOT / "postBuild").read_text()


def contents_manager(root):
    from traitlets.config import PyFileConfigLoader

    folder = ROOT / "tools" / "jupyterlab"
    config = PyFileConfigLoader("jupyter_server_config.py", str(folder)).load_config()
    return config.ServerApp.contents_manager_class(root_dir=str(root))


def test_a_notebook_is_read_as_the_kernel_would_leave_it():
    """What JupyterLab writes into it on opening is there before, so that it is not modified."""
    from ipykernel.ipkernel import IPythonKernel
    from jupyter_server.serverapp import ServerApp

    manager = contents_manager(ROOT)
    assert ServerApp.contents_manager_class.klass in type(manager).__mro__
    (path, *_) = PATHS
    notebook = asyncio.run(manager.get(path.relative_to(ROOT).as_posix()))["content"]
    saved = read(path)
    assert notebook.metadata.pop("language_info") == IPythonKernel.language_info
    saved.metadata.pop("language_info")
    for cell in notebook.cells:
        cell.metadata.pop("trusted", None)
    assert notebook == saved


@pytest.mark.parametrize("kernel", [None, "python3", {"name": "ir"}])
def test_a_notebook_of_another_kernel_is_read_as_it_is(kernel, tmp_path):
    manager = contents_manager(tmp_path)
    odd = {"cells": [], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "odd.ipynb").write_text(json.dumps(odd))
    assert asyncio.run(manager.get("odd.ipynb"))["content"]["metadata"] == odd["metadata"]
