"""The commands behind the Makefile: set-up, refresh, check."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- set-up ------------------------------------------------------------------------------------


@pytest.fixture
def bootstrap(tmp_path, monkeypatch):
    """The set-up in an empty folder, with every command it would start recorded instead."""
    module = load("bootstrap")
    for name in ("requirements.lock", "requirements-grading.lock", "pyproject.toml"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "STAMP", tmp_path / ".venv" / "installed.sha256")
    monkeypatch.setattr(module, "GRADING_STAMP", tmp_path / ".venv" / "grading.sha256")
    monkeypatch.setattr(module.sys, "argv", ["bootstrap.py"])
    module.commands, module.failing = [], None

    def run(command, **options):
        words = " ".join(map(str, command))
        module.commands.append(words)
        failed = module.failing is not None and module.failing in words
        if not failed and "-m venv" in words:
            module.venv_python().parent.mkdir(parents=True)
            module.venv_python().touch()
        return SimpleNamespace(returncode=int(failed), stdout="", stderr="")

    monkeypatch.setattr(module.subprocess, "run", run)
    return module


def test_second_set_up_starts_nothing(bootstrap):
    bootstrap.main()
    assert any("requirements.lock" in command for command in bootstrap.commands)
    bootstrap.commands.clear()
    bootstrap.main()
    assert bootstrap.commands == []


def test_changed_lock_installs_again(bootstrap):
    bootstrap.main()
    bootstrap.commands.clear()
    (bootstrap.ROOT / "requirements.lock").write_text("another version")
    bootstrap.main()
    assert any("requirements.lock" in command for command in bootstrap.commands)


def test_what_grading_needs_comes_on_top_when_asked_for(bootstrap):
    bootstrap.main()
    assert not any("requirements-grading.lock" in command for command in bootstrap.commands)
    bootstrap.commands.clear()
    bootstrap.main(["--grading"])
    assert len(bootstrap.commands) == 1
    assert "requirements-grading.lock" in bootstrap.commands[0]
    bootstrap.commands.clear()
    bootstrap.main(["--grading"])
    assert bootstrap.commands == []
    (bootstrap.ROOT / "requirements-grading.lock").write_text("another version")
    bootstrap.main(["--grading"])
    assert len(bootstrap.commands) == 1


def test_failed_install_is_not_taken_for_done(bootstrap):
    bootstrap.failing = "requirements.lock"
    with pytest.raises(SystemExit, match="pip could not install"):
        bootstrap.main()
    assert not bootstrap.STAMP.exists()
    bootstrap.failing = None
    bootstrap.main()
    assert bootstrap.STAMP.exists()


def test_no_venv_module(bootstrap):
    bootstrap.failing = "-m venv"
    with pytest.raises(SystemExit, match="apt install python3-venv"):
        bootstrap.main()
    assert not bootstrap.VENV.exists()


def test_old_python(bootstrap, monkeypatch):
    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 10, 4))
    with pytest.raises(SystemExit, match=r"3\.11 or newer is needed"):
        bootstrap.main()


def test_full_disk(bootstrap, monkeypatch):
    monkeypatch.setattr(bootstrap.shutil, "disk_usage", lambda path: SimpleNamespace(free=1e9))
    with pytest.raises(SystemExit, match="free disk space"):
        bootstrap.main()


def test_make_says_that_python_is_missing():
    run = subprocess.run(
        ["make", "setup", "PYTHON=python9.9"], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode != 0
    assert "no 'python9.9' found" in run.stdout + run.stderr


def test_lock_names_every_dependency_with_torch_pinned():
    locked = dict(
        line.split("==")
        for line in (ROOT / "requirements.lock").read_text().splitlines()
        if line and not line.startswith("#")
    )
    assert locked["torch"] == "2.13.0"
    check = load("check")
    missing = [name for name, *_ in check.packages() if name.lower() not in map(str.lower, locked)]
    assert not missing
    assert not [version for version in locked.values() if not version[0].isdigit()]


# --- refresh -----------------------------------------------------------------------------------


def notebook(path, source):
    cell = nbformat.v4.new_code_cell(source)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)


def test_refresh_twice_gives_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "0")
    refresh, path = load("refresh"), tmp_path / "tiny.ipynb"
    notebook(path, "import os\nprint(1 + 1, os.environ['TQDM_DISABLE'])")
    refresh.refresh(path)
    first = path.read_bytes()
    refresh.refresh(path)
    assert path.read_bytes() == first
    saved = nbformat.read(path, as_version=4)
    assert saved.cells[0].outputs[0].text == "2 1\n"  # progress bars are off
    assert saved.cells[0].execution_count == 1
    assert list(tmp_path.iterdir()) == [path]


def test_failed_refresh_leaves_the_notebook_alone(tmp_path):
    refresh, path = load("refresh"), tmp_path / "broken.ipynb"
    notebook(path, "1 / 0")
    before = path.read_bytes()
    with pytest.raises(Exception, match="ZeroDivisionError"):
        refresh.refresh(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


# --- check -------------------------------------------------------------------------------------


def test_check_passes_here():
    run = subprocess.run(
        [sys.executable, "tools/check.py"], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout
    assert "all OK" in run.stdout
    for item in ("Python", "torch", "memory", "threads"):
        assert any(line.split()[:2] == ["OK", item] for line in run.stdout.splitlines()), item


def test_check_tells_what_to_do(monkeypatch, capsys):
    check = load("check")
    monkeypatch.setattr(check, "NEEDED_MEMORY_GB", 1e6)
    assert check.main() == 1
    out = capsys.readouterr().out
    assert "FAIL  memory" in out and "close other programs" in out and "1 FAIL" in out


def test_check_sees_a_missing_and_an_old_package(monkeypatch):
    check = load("check")
    real = check.importlib.metadata.version

    def version(name):
        if name == "tqdm":
            raise check.importlib.metadata.PackageNotFoundError(name)
        return "1.0" if name == "pooch" else real(name)

    monkeypatch.setattr(check.importlib.metadata, "version", version)
    rows = {name: (ok, found) for name, ok, found, _ in check.packages()}
    assert rows["tqdm"] == (False, "missing")
    assert rows["pooch"] == (False, "1.0")
    assert rows["numpy"][0]
