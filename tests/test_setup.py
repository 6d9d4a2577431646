"""`python -m tools`: the entry, the set-up before every command, the lock. No network."""

import ast
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import types
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from test_launch import add_wheel

from helpers import data
from tools import __main__ as entry
from tools import environment, pip
from tools.project import ROOT, pyproject, requirements

needs_make = pytest.mark.skipif(
    os.name == "nt" or not shutil.which("make"), reason="there `python -m tools` serves"
)


def tool(*arguments, **options):
    command = [sys.executable, "-m", "tools", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, **options)


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


def test_run_as_a_folder_it_says_what_to_write():
    command = [sys.executable, ROOT / "tools", "lab"]
    said = subprocess.run(command, capture_output=True, text=True).stderr
    assert said == "in the project's folder, write: python -m tools lab\n"


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


@needs_make
def test_make_says_that_python_is_missing():
    command = ["make", "lab", "PYTHON=python9.9"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode != 0 and "no 'python9.9' found" in run.stdout


def test_makefile_names_commands():
    names = re.search(r"^NAMES := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    assert set(names.split()) <= set(entry.COMMANDS)


@needs_make
def test_make_uses_the_environment_that_is_there(tmp_path):
    """So a test after `make lab PYTHON=python3.12` does not make it again with another Python."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    command = ["make", "--dry-run", "quick"]
    seen = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout
    assert '"python3" -m tools quick' in seen
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    seen = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout
    assert '".venv/bin/python" -m tools quick' in seen


@pytest.mark.parametrize("name", ["lab", "setup", "quick"])
def test_without_data_the_lab_opens_and_the_rest_stops(name, monkeypatch, capsys):
    called = []
    monkeypatch.setattr(environment, "ready", lambda grading: sys.executable)
    monkeypatch.setattr(data, "fetch", lambda: ["Could not get it: no network."])
    monkeypatch.setattr(data, "check_files", lambda: [("reviews", False, ""), ("x", True, "")])
    module = types.SimpleNamespace(lab=lambda: called.append("opened") or 0)
    monkeypatch.setattr(entry.importlib, "import_module", lambda name: module)
    monkeypatch.setattr(sys, "argv", [])
    assert entry.main([name]) == (0 if name == "lab" else 1)
    assert called == (["opened"] if name == "lab" else [])
    said = capsys.readouterr().err
    assert "the data is not complete" in said and "stop: reviews\n" in said
    assert said.endswith("\nCould not get it: no network.\n")


# --- set-up --------------------------------------------------------------------------------------


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """The set-up in an empty folder, with what it starts recorded instead."""
    for name in (environment.LOCK, environment.GRADING_LOCK, "pyproject.toml"):
        (tmp_path / name).write_text(name)
    for name, path in (("ROOT", ""), ("VENV", ".venv"), ("ASIDE", ".aside"), ("PIP_LOG", "log")):
        monkeypatch.setattr(environment, name, tmp_path / path)
    monkeypatch.setattr(environment, "of_the_reader", lambda: False)
    log = types.SimpleNamespace(folder=tmp_path, commands=[], failing=None, error=None)

    def run(command, **options):
        words = " ".join(map(str, command))
        log.commands.append(words)
        if log.failing and log.failing in words:
            return subprocess.CompletedProcess(command, 1, "", "Error: ensurepip is not available.")
        if "-m venv" in words:
            environment.venv_python().parent.mkdir(parents=True)
            environment.venv_python().touch()
            version, base = environment.platform.python_version(), environment.BASE_PYTHON
            settings = f"version = {version}\nexecutable = {os.path.realpath(base)}\n"
            (environment.VENV / "pyvenv.cfg").write_text(settings)
        return subprocess.CompletedProcess(command, 0, "", "")

    def install(venv, python, arguments, wanted, log_file):
        log.commands.append(f"pip install {' '.join(arguments)}")
        if log.error:
            raise log.error

    monkeypatch.setattr(environment.subprocess, "run", run)
    monkeypatch.setattr(environment.pip, "install", install)
    return log


def installs(log, lock=environment.LOCK):
    return [words for words in log.commands if words.endswith(f"{os.sep}{lock}")]


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


def test_a_folder_that_was_renamed_is_installed_again(bare, monkeypatch):
    """The series is installed by its place: without that, no notebook finds the helpers."""
    environment.ready()
    bare.commands.clear()
    renamed = bare.folder.rename(bare.folder.with_name("renamed"))
    monkeypatch.setattr(environment, "ROOT", renamed)
    monkeypatch.setattr(environment, "VENV", renamed / ".venv")
    environment.ready()
    assert len(installs(bare)) == 1 and not any("-m venv" in words for words in bare.commands)


def test_failed_install_is_not_taken_for_done_and_its_reason_is_the_last_word(bare):
    environment.ready()
    (bare.folder / environment.LOCK).write_text("another version")
    bare.error = pip.Failed("the disk is full")
    with pytest.raises(SystemExit) as stopped:
        environment.ready()
    assert stopped.value.code == (
        "\nset-up stopped: the disk is full; once that is fixed, run the same command again (pip's "
        "words: log)\n"
    )
    bare.error = None
    bare.commands.clear()
    environment.ready()
    assert len(installs(bare)) == 1


def another_python(monkeypatch, version="3.99.1"):
    monkeypatch.setattr(environment.platform, "python_version", lambda: version)


def test_another_python_makes_it_again_and_only_then(bare, monkeypatch, capsys):
    environment.ready()
    with monkeypatch.context() as patch:
        another_python(patch)
        bare.commands.clear()
        environment.ready()
        assert len(installs(bare)) == 1 and environment.maker(environment.VENV)[0] == "3.99.1"
        assert not environment.ASIDE.exists()
        assert capsys.readouterr().out.count("it is made again\n") == 1
        bare.commands.clear()
        environment.ready()
        assert bare.commands == []
        monkeypatch.setattr(environment, "inside", lambda: True)
    environment.ready()  # what .venv itself runs never differs
    assert bare.commands == []


@pytest.mark.parametrize("error", [pip.Failed("no network"), KeyboardInterrupt()])
def test_the_former_environment_comes_back_and_the_new_one_is_gone_on_with(
    bare, monkeypatch, error
):
    environment.ready()
    before = environment.maker(environment.VENV)
    (environment.VENV / "mine").touch()
    another_python(monkeypatch)
    bare.error = error
    with pytest.raises((SystemExit, KeyboardInterrupt)):
        environment.ready()
    assert environment.maker(environment.VENV) == before and (environment.VENV / "mine").exists()
    bare.error = None
    bare.commands.clear()
    (bare.folder / ".aside-2" / "killed here").mkdir(parents=True)
    environment.ready()
    assert not any("-m venv" in words for words in bare.commands) and len(installs(bare)) == 1
    assert environment.maker(environment.VENV)[0] == "3.99.1"
    assert not environment.ASIDE.exists()


def test_a_python_that_the_lock_does_not_know_gets_a_sentence(bare, monkeypatch):
    monkeypatch.setattr(environment.sys, "version_info", (3, environment.NEWEST[1] + 1, 0))
    with pytest.raises(SystemExit, match=r"the locked versions are for Python 3\.11 to 3\.14, "):
        environment.ready()
    assert bare.commands == []


def test_no_venv_module(bare):
    bare.failing = "-m venv"
    with pytest.raises(SystemExit, match="apt install python3-venv"):
        environment.ready()
    assert not environment.VENV.exists()


def test_full_disk(bare, monkeypatch):
    few = types.SimpleNamespace(free=1e9)
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda path: few)
    with pytest.raises(SystemExit, match="free disk space"):
        environment.ready()
    few.free = 5e9
    bare.error = pip.Failed("no network")
    with pytest.raises(SystemExit, match="no network"):
        environment.ready()
    few.free, bare.error = 1e9, None  # the rest is on the disk already
    environment.ready()


def test_a_folder_that_cannot_be_written(bare):
    bare.error = PermissionError(13, "Permission denied", "here")
    with pytest.raises(
        SystemExit, match=r"stopped: .*Permission denied: 'here'; once that is fixed"
    ):
        environment.ready()


def test_an_environment_of_the_reader_is_used_as_it_is(bare, monkeypatch, tmp_path):
    """Where the series is installed in the running Python, conda's for example."""
    monkeypatch.undo()
    monkeypatch.setattr(environment, "VENV", tmp_path / "another")
    monkeypatch.setattr(environment.sysconfig, "get_path", lambda name: str(tmp_path))
    assert not environment.of_the_reader()
    (tmp_path / f"{pyproject()['project']['name'].replace('-', '_')}-1.dist-info").mkdir()
    with monkeypatch.context() as patch:  # .venv is ours, and kept as the lock says
        patch.setattr(environment, "inside", lambda: True)
        assert not environment.of_the_reader()
    monkeypatch.setattr(environment.subprocess, "run", None)
    assert environment.ready(grading=True) == sys.executable


# --- pip -----------------------------------------------------------------------------------------

# As pip 23.0 to 24.2 said it, shortened.
NO_MATCH = "ERROR: No matching distribution found for six==1.17.0\n"
RETRY = "WARNING: Retrying (Retry(total=0)) after connection broken by "


@pytest.mark.parametrize(
    ("said", "clause"),
    [
        (f"{RETRY}'NewConnectionError('x')': /six/\n{NO_MATCH}", "could not reach the packages"),
        (f"{RETRY}'ReadTimeoutError('Read timed out.')'\n{NO_MATCH}", "could not reach"),
        (f"{RETRY}'ProxyError('Cannot connect to proxy.')'\n{NO_MATCH}", "the proxy did not let"),
        (f"{RETRY}'SSLError('[SSL: CERTIFICATE_VERIFY_FAILED]')'\n{NO_MATCH}", "does not trust"),
        (
            "ERROR: Could not find a version that satisfies the requirement six==1.17.0 (from "
            f"versions: 0.4)\n{NO_MATCH}",
            "pip finds no six==1.17.0 for Python 3",
        ),
        (
            "Installing collected packages: numpy\nERROR: Could not install packages due to an "
            "OSError: [Errno 28] No space left on device\n",
            "the disk is full",
        ),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: "
            "'/opt/x'\nConsider using the `--user` option\n",
            "may not write here: ERROR: Could not install packages due to an OSError: [Errno 13] "
            "Permission denied: '/opt/x'",
        ),
        (
            "error: subprocess-exited-with-error\n  git clone did not run successfully\n",
            "pip says: subprocess-exited-with-error",
        ),
        ("ERROR: Exception:\nTraceback\nValueError: no name\n", "pip says: ValueError: no name"),
        ("", "pip says: nothing"),
    ],
)
def test_the_reason_comes_from_what_pip_said(said, clause):
    assert clause in pip.reason(said) and "\n" not in pip.reason(said)


def test_progress_names_the_package_and_how_many_are_left():
    said = "Looking in indexes: https://packages.example/simple\n"
    assert pip.progress(said, 0, 5) == "pip starts"
    said += (
        "Ignoring appnope: markers 'sys_platform == \"darwin\"' don't match your environment\n"
        "Collecting argon2-cffi==25.1.0 (from -r requirements.lock (line 8))\n"
        "  Using cached argon2_cffi-25.1.0-py3-none-any.whl.metadata (4.1 kB)\n"
    )
    assert pip.progress(said, 0, 5) == "fetching argon2_cffi (4.1 kB): 4 of 5 packages left"
    said += (
        "Requirement already satisfied: six==1.17.0 in ./x (from -r requirements.lock (line 9))\n"
        "Requirement already satisfied: six>=1.5 in ./x (from python-dateutil) (1.17.0)\n"
        "Collecting torch==2.13.0\n"
        "  Downloading https://x.org/cpu/torch-2.13.0%2Bcpu-cp311-linux.whl (191.4 MB)\n"
    )
    assert pip.progress(said, 0, 5) == "fetching torch (191.4 MB): 2 of 5 packages left"
    said += "Installing collected packages: argon2-cffi, torch\n"
    assert pip.progress(said, 0, 5) == "unpacking argon2-cffi: 2 of 2 packages left"
    assert pip.progress(said, 2, 5) == "unpacking torch: 1 of 2 packages left"


@pytest.fixture
def venv(tmp_path, monkeypatch):
    """A real one, whose pip sees only the wheels in a folder."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "v"], check=True)
    python = tmp_path / "v" / environment.venv_python().relative_to(environment.VENV)
    return types.SimpleNamespace(
        folder=tmp_path,
        install=lambda *names: pip.install(tmp_path / "v", python, names, 1, tmp_path / "log"),
        run=lambda code: subprocess.run([python, "-c", code], capture_output=True, text=True),
    )


@pytest.mark.slow
def test_what_an_interrupted_pip_left_is_installed_again(venv):
    """Some wheels carry their metadata first: a second pip would take such a half for the whole."""
    add_wheel(venv.folder, "small", "1.0")
    venv.install("small")
    (module,) = (venv.folder / "v").rglob("small.py")
    (info,) = module.parent.glob("small-*.dist-info")
    module.unlink()
    (info / "INSTALLER").unlink()
    (module.parent / "~mall").mkdir()
    venv.install("small")
    assert venv.run("import small").returncode == 0 and not (module.parent / "~mall").exists()
    with pytest.raises(pip.Failed, match=r"^pip finds no other for Python 3"):
        venv.install("other")
    assert "No matching distribution" in (venv.folder / "log").read_text()


@pytest.mark.slow
def test_a_folder_whose_name_pip_would_take_for_an_extra(venv, tmp_path, monkeypatch):
    place = tmp_path / 'it"s %41 \u0633\u0631\u06cc [1]'
    place.mkdir()
    (place / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "b"\nbackend-path = ["."]\n'
    )
    (place / "b.py").write_text("raise SystemExit('pip found the project')")
    monkeypatch.setattr(environment, "ROOT", place)
    monkeypatch.setattr(environment, "NEEDED_GB", 0)
    monkeypatch.setattr(environment, "packages", lambda lock: None)
    monkeypatch.setattr(environment, "VENV", venv.folder / "v")
    monkeypatch.setattr(environment, "PIP_LOG", venv.folder / "log")
    with pytest.raises(pip.Failed):
        environment.the_series()
    assert "pip found the project" in (venv.folder / "log").read_text(encoding="utf-8")


def test_a_second_ctrl_c_hastens_the_end_of_pip():
    """It does not leave pip writing while the environments change places."""
    done = []

    def wait(seconds):
        done.append(f"waited {seconds}")
        if len(done) == 1:
            raise KeyboardInterrupt

    process = types.SimpleNamespace(wait=wait, terminate=lambda: done.append("ended"), kill=None)
    pip.stop(process)
    assert done == ["waited 5", "ended", "waited 5"]


@pytest.mark.slow
@needs_make
@pytest.mark.parametrize("moment", ["creating", "installing"])
def test_ctrl_c_while_it_is_set_up(tmp_path, moment):
    """With an index that takes the call and never answers."""
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    for name in ("pyproject.toml", "Makefile", environment.LOCK):
        shutil.copy(ROOT / name, tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        index = f"http://127.0.0.1:{server.getsockname()[1]}/simple"
        settings = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": index, "PIP_FIND_LINKS": ""}
        process = subprocess.Popen(
            ["make", "setup", f"PYTHON={sys._base_executable}"],
            cwd=tmp_path,
            env=os.environ | settings | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        said = next(line for line in process.stdout if line.startswith(moment))
        if moment == "installing":
            server.accept()[0].close()
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGINT)
        said += process.communicate(timeout=300)[0]
    assert process.returncode != 0 and "Traceback" not in said
    assert said.count("stopped; run the same command again") == 1


# --- the lock ------------------------------------------------------------------------------------

PYTHONS = ["3.11.0", "3.11.2", *(f"3.{minor}.0" for minor in range(12, environment.NEWEST[1] + 1))]
SYSTEMS = {
    "Linux": {"sys_platform": "linux", "os_name": "posix", "platform_machine": "x86_64"},
    "Darwin": {"sys_platform": "darwin", "os_name": "posix", "platform_machine": "arm64"},
    "Windows": {"sys_platform": "win32", "os_name": "nt", "platform_machine": "AMD64"},
}


def places():
    for version in PYTHONS:
        short = ".".join(version.split(".")[:2])
        for name, system in SYSTEMS.items():
            python = {"python_full_version": version, "python_version": short}
            yield python | system | {"platform_system": name}


def that_apply(lines, place):
    return [line for line in lines if line.marker is None or line.marker.evaluate(place)]


def faults(lines, without=(), extras=("lab", "test", "grading")):
    """What is wrong with a lock of these lines, on any Python and system."""
    found = []
    asked = requirements(*extras)
    wanted = [Requirement(line) for name, line in asked.items() if name not in without]
    pythons = {}
    for line in lines:
        with contextlib.suppress(metadata.PackageNotFoundError):
            about = metadata.metadata(line.name)
            if line.specifier.contains(about["Version"]):
                pythons[line] = SpecifierSet(about["Requires-Python"] or "")
    for place in places():
        where = f"{place['python_full_version']} on {place['platform_system']}"
        here = that_apply(lines, place)
        locked = {canonicalize_name(line.name): line for line in here}
        if len(locked) < len(here):
            found.append(f"a name twice: {where}")
        for need in that_apply(wanted, place):
            line = locked.get(canonicalize_name(need.name))
            if line is None or str(line.specifier)[2:] not in need.specifier:
                found.append(f"{need}, but {line}: {where}")
        found += [
            f"{line.name} needs Python {pythons[line]}: {where}"
            for line in here
            if line in pythons and place["python_full_version"] not in pythons[line]
        ]
    return found


def lock_of(*files):
    whole = "\n".join((ROOT / name).read_text("utf-8") for name in files).splitlines()
    return [Requirement(line) for line in whole if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def lines():
    return lock_of(environment.LOCK, environment.GRADING_LOCK)


def test_the_pages_lock_has_what_they_ask_for_and_each_name_once():
    pages = lock_of(environment.SITE_LOCK)
    series = requirements()
    assert not faults(pages, series, ["site"])
    assert faults([line for line in pages if line.name != "sphinx"], series, ["site"])


def test_who_asks_for_help_writes_no_lock(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["lock", "--help"])
    monkeypatch.setattr(environment.subprocess, "run", None)
    environment.lock()
    assert "--upgrade" in capsys.readouterr().out


def test_every_line_of_the_lock_admits_every_python_and_system(lines):
    assert not faults(lines)
    assert len(lines) > 150 and environment.TORCH in map(str, lines)
    for line in lines:
        assert re.fullmatch(r"==\d[\w.]*", str(line.specifier)), "no local build label"
        assert not environment.GPU.match(line.name)


def test_a_fault_in_the_lock_is_seen(lines, monkeypatch):
    assert faults([*lines, Requirement("numpy==2.0; python_version < '3.12'")])
    assert faults([line for line in lines if line.name != "pandas"])
    assert faults([Requirement("yfinance==0.1") if x.name == "yfinance" else x for x in lines])
    real = metadata.metadata
    about = {"Version": metadata.version("six"), "Requires-Python": ">=3.11.5"}
    monkeypatch.setattr(metadata, "metadata", lambda name: about if name == "six" else real(name))
    assert {fault.split(": ")[1].split()[0] for fault in faults(lines)} == {"3.11.0", "3.11.2"}
