"""The environment that the commands run in: `.venv` from the lock, the lock, conda's file."""

import contextlib
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from tools import pip
from tools.project import ROOT, hand_over, pyproject, requirements, write

VENV = (ROOT / ".venv").resolve()  # it may be a link to a larger disk
ASIDE = VENV.with_name(f"{VENV.name}-aside")
PIP_LOG = ROOT / ".cache" / "pip.log"
LOCK, GRADING_LOCK = "requirements.lock", "requirements-grading.lock"
SITE_LOCK = "requirements-site.lock"
TORCH = "torch==2.13.0"  # for every system and index, so written without a build label
NEWEST = (3, 14)  # the last Python that this PyTorch was built for
NEEDED_GB = 4
# A virtual environment's Python leads to the one that it was made from.
BASE_PYTHON = getattr(sys, "_base_executable", None) or sys.executable


def fail(message: str) -> None:
    sys.exit(f"\nset-up stopped: {message}\n")


def venv_python() -> Path:
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def inside() -> bool:
    """Whether `.venv` runs this."""
    return Path(sys.prefix).resolve() == VENV.resolve()


def of_the_reader() -> bool:
    """Whether the Python that runs this is not ours and has the series installed (conda)."""
    name = pyproject()["project"]["name"].replace("-", "_")
    installed = Path(sysconfig.get_path("purelib")).glob(f"{name}-*.dist-info")
    return not inside() and any(installed)


def exists() -> bool:
    return of_the_reader() or venv_python().is_file()


def python() -> str:
    """The Python for a command, as it is; the running one where there is no other."""
    return sys.executable if of_the_reader() or not exists() else str(venv_python())


def ready(grading: bool = False) -> str:
    """The Python for a command, after what it needs was installed."""
    if not of_the_reader():
        if sys.version_info[:2] > NEWEST:
            newest = ".".join(map(str, NEWEST))
            fail(
                f"the locked versions are for Python 3.11 to {newest}, this is "
                f"{platform.python_version()}: name another, for example python{newest} -m tools "
                f"lab, or make lab PYTHON=python{newest}"
            )
        try:
            with made_by_this_python():
                install("installed", [LOCK], the_series)
                if grading:
                    install("grading", [LOCK, GRADING_LOCK], lambda: packages(GRADING_LOCK))
        except pip.Failed as error:
            log = PIP_LOG.relative_to(ROOT).as_posix()
            fail(f"{error}; once that is fixed, run the same command again (pip's words: {log})")
        except OSError as error:  # on Windows, too, while something runs in .venv
            fail(f"{error}; once that is fixed, run the same command again")
    return python()


# --- .venv: made by the Python that runs the command ---------------------------------------------


def maker(folder: Path) -> tuple | None:
    """(version, path) of the Python that made a virtual environment."""
    try:
        lines = (folder / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    settings = dict(line.split(" = ", 1) for line in lines if " = " in line)
    return settings.get("version") or settings.get("version_info"), settings.get("executable")


@contextlib.contextmanager
def made_by_this_python():
    """Put the `.venv` of another Python aside, and back if set-up fails or is stopped.

    The half-made one then waits aside, for the same command to go on with.
    """
    this = platform.python_version(), os.path.realpath(BASE_PYTHON)
    other = None if inside() else maker(VENV)
    if other in (None, this):
        yield
    else:
        print(
            f".venv was made by Python {' at '.join(filter(None, other))}, this is "
            f"{' at '.join(this)}: it is made again",
            flush=True,
        )
        if maker(ASIDE) != this:
            shutil.rmtree(ASIDE, ignore_errors=True)
        exchange()
        try:
            yield
        except BaseException:
            exchange()
            print("the former .venv is back in its place", file=sys.stderr)
            raise
    if ASIDE.exists():
        shutil.rmtree(ASIDE, ignore_errors=True)


def exchange() -> None:
    """Let `.venv` and the one aside change places; either may be missing."""
    between = ASIDE.with_name(f"{ASIDE.name}-2")
    shutil.rmtree(between, ignore_errors=True)  # of a run that was killed right here
    for source, target in ((VENV, between), (ASIDE, VENV), (between, ASIDE)):
        if source.exists():
            source.rename(target)


def install(stamp: str, locks: list[str], action) -> None:
    """Install, unless the digest of all that decides what is installed was stamped before."""

    def digest() -> str:
        # Where the system's Python was exchanged for a newer one, the link leads elsewhere; where
        # the folder was renamed or copied, the installed series does.
        parts = [os.fsencode(path) for path in (os.path.realpath(venv_python()), ROOT)]
        parts += [(ROOT / name).read_bytes() for name in ("pyproject.toml", *locks)]
        return hashlib.sha256(b"".join(parts)).hexdigest()

    file = VENV / f"{stamp}.sha256"
    if not (file.is_file() and file.read_text() == digest()):
        action()
        file.write_text(digest())


def the_series() -> None:
    """Make `.venv` where there is none that works, and install the locked packages."""
    pip_works = [venv_python(), "-m", "pip", "-V"]
    if not venv_python().is_file() or subprocess.run(pip_works, capture_output=True).returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        free = shutil.disk_usage(ROOT).free / 1e9  # one that is gone on with has part of it
        if free < NEEDED_GB:
            fail(f"about {NEEDED_GB} GB of free disk space are needed here, {free:.1f} GB are left")
        print("creating .venv ...", flush=True)
        made = subprocess.run([BASE_PYTHON, "-m", "venv", VENV], capture_output=True, text=True)
        if made.returncode:
            shutil.rmtree(VENV, ignore_errors=True)
            said = made.stdout + made.stderr
            if re.search("ensurepip is not available|No module named", said):
                fail("Python lacks its module venv; on Debian and Ubuntu: apt install python3-venv")
            raise pip.Failed(pip.reason(said))
    print("installing the locked packages (a few minutes the first time) ...", flush=True)
    packages(LOCK)
    # As an address: in a path pip reads "name [1]" as an extra.
    project = ["--no-deps", "--no-build-isolation", "--editable", ROOT.as_uri()]
    pip.install(VENV, venv_python(), project, 1, PIP_LOG)


def packages(lock: str) -> None:
    """Install what a lock file names."""
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    wanted = sum("==" in line for line in lines)
    pip.install(VENV, venv_python(), ["--requirement", str(ROOT / lock)], wanted, PIP_LOG)


def setup() -> None:
    print("ready: python -m tools lab")


def lab() -> int:
    """Open JupyterLab on the start page, rendered.

    The browser sees the whole project, so that links from notebooks/ to docs/ work.
    """
    places = [str(ROOT / "tools" / "jupyterlab"), os.environ.get("JUPYTER_CONFIG_PATH", "")]
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, places))
    command = [sys.executable, "-m", "jupyterlab", f"--notebook-dir={ROOT}"]
    command += ["--LabApp.default_url=/lab/tree/notebooks/README.md"]
    if hasattr(os, "getuid") and os.getuid() == 0:
        command += ["--allow-root"]
    return hand_over([*command, *sys.argv[1:]])


# --- the files that say what belongs in it -------------------------------------------------------

# Binder's builder understands only a Python like "3.13", not a range. It installs this file before
# it copies the project, and keeps the result between builds, as long as nothing here points into
# the project; so the project itself is installed afterwards, by postBuild or by hand.
CONDA = """\
# The conda way, for Windows, macOS and Linux, and for Binder. `python -m tools publish` writes this
# file from pyproject.toml. Everything comes from conda-forge: pip would put its own NumPy over
# conda's, and a second OpenMP beside it.
name: {name}
channels:
  - conda-forge
dependencies:
  - python={python}
  - pip
{specs}
"""
CONDA_PYTHON = "3.13"  # the newest that conda-forge surely has all of this for; CI runs it, too
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}
CONDA_BUILDS = {"torch": " cpu*"}
HEADERS = {
    LOCK: "# The exact versions that `make` installs and that the tests ran with, for every\n"
    "# system and every Python from 3.11 to {newest}. Written by `python -m tools lock` from the\n"
    "# ranges in pyproject.toml; do not edit by hand.\n",
    GRADING_LOCK: f"# What grading adds to {LOCK}. Written by `python -m tools lock`; do not edit "
    "by hand.\n",
    SITE_LOCK: "# What the web pages are built and checked with, in an environment of their own. "
    "Written by\n# `python -m tools lock`; do not edit by hand.\n",
}
# On Linux the PyTorch of some indexes asks for these; pip fetches them where it does.
GPU = re.compile("(nvidia|cuda|triton)\\b")


def conda_file() -> str:
    """The text of environment.yml."""
    from packaging.requirements import Requirement

    specs = []
    for wanted in map(Requirement, requirements("lab").values()):
        if wanted.marker or wanted.extras or wanted.url:
            sys.exit(f"environment.yml cannot say what pyproject.toml says: {wanted}")
        name = CONDA_NAMES.get(wanted.name, wanted.name)
        spec = f"{name} {wanted.specifier}{CONDA_BUILDS.get(wanted.name, '')}"
        specs.append(f"  - {spec.strip()}")
    name = pyproject()["project"]["name"]
    return CONDA.format(name=name, python=CONDA_PYTHON, specs="\n".join(specs))


def lock() -> None:
    """Write the lock files: one version of each package that serves every Python and system.

    A version in the present file is kept while it fits; arguments go to uv (`--upgrade`, say).
    """
    if {"-h", "--help"} & set(sys.argv):
        print("Arguments go to `uv pip compile`: --upgrade, or --upgrade-package NAME.")
        return
    series = [TORCH, "setuptools", *requirements("lab", "test").values()]
    extras = pyproject()["project"]["optional-dependencies"]
    grading = extras["grading"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        uv = [folder / venv_python().relative_to(VENV), "-m"]
        subprocess.run([*uv, "pip", "install", "--quiet", "uv"], check=True)
        uv += ["uv", "pip", "compile", "--universal", "--python-version=3.11", "--quiet"]
        uv += ["--fork-strategy=fewest", "--no-header", "--no-annotate", *sys.argv[1:]]

        def resolved(wanted: list[str], before: str) -> list[str]:
            (folder / "wanted.in").write_text("\n".join(wanted))
            (folder / "new.txt").write_text(before)
            subprocess.run([*uv, "wanted.in", "--output-file=new.txt"], cwd=folder, check=True)
            # A local build label (+cpu) exists on one index only.
            lines = (folder / "new.txt").read_text().splitlines()
            return [re.sub(r"\+\w+", "", line) for line in lines if not GPU.match(line)]

        old, added, site = ((ROOT / file).read_text(encoding="utf-8") for file in HEADERS)
        lines = resolved(series, old)
        more = resolved([*series, *grading, *lines], added)
        pages = resolved(extras["site"], site)
    newest = ".".join(map(str, NEWEST))
    more = [line for line in more if line not in lines]
    for file, found in zip(HEADERS, (lines, more, pages), strict=True):
        write(ROOT / file, HEADERS[file].format(newest=newest) + "\n".join(found) + "\n")
