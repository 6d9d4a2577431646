"""The environment that the commands run in: `.venv` from the lock, the lock, conda's file."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from tools.project import ROOT, hand_over, pyproject, requirements, write

VENV = ROOT / ".venv"
LOCK, GRADING_LOCK = "requirements.lock", "requirements-grading.lock"
TORCH = "torch==2.13.0"  # for every system and index, so written without a build label
NEEDED_GB = 4


def fail(message: str) -> None:
    sys.exit(f"\nset-up stopped: {message}\n")


def venv_python() -> Path:
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def of_the_reader() -> bool:
    """Whether the Python that runs this is not ours and has the series installed (conda)."""
    name = pyproject()["project"]["name"].replace("-", "_")
    installed = Path(sysconfig.get_path("purelib")).glob(f"{name}-*.dist-info")
    return Path(sys.prefix).resolve() != VENV.resolve() and any(installed)


def exists() -> bool:
    return of_the_reader() or venv_python().is_file()


def python() -> str:
    """The Python for a command, as it is; the running one where there is no other."""
    return sys.executable if of_the_reader() or not exists() else str(venv_python())


def ready(grading: bool = False) -> str:
    """The Python for a command, after what it needs was installed."""
    if not of_the_reader():
        install("installed", [LOCK], the_series)
        if grading:
            install("grading", [LOCK, GRADING_LOCK], lambda: pip("--requirement", GRADING_LOCK))
    return python()


def install(stamp: str, locks: list[str], action) -> None:
    """Install, unless the digest of all that decides what is installed was stamped before."""

    def digest() -> str:
        # Where the system's Python was exchanged for a newer one, this link leads elsewhere.
        parts = [os.path.realpath(venv_python()).encode()]
        parts += [(ROOT / name).read_bytes() for name in ("pyproject.toml", *locks)]
        return hashlib.sha256(b"".join(parts)).hexdigest()

    file = VENV / f"{stamp}.sha256"
    if not (file.is_file() and file.read_text() == digest()):
        action()
        file.write_text(digest())


def the_series() -> None:
    """Make `.venv` where there is none that works, and install the locked packages."""
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < NEEDED_GB:
        fail(f"about {NEEDED_GB} GB of free disk space are needed here, {free:.1f} GB are left.")
    pip_works = [venv_python(), "-m", "pip", "-V"]
    if not venv_python().is_file() or subprocess.run(pip_works, capture_output=True).returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        print("creating .venv ...", flush=True)
        made = subprocess.run([sys.executable, "-m", "venv", VENV], capture_output=True, text=True)
        if made.returncode:
            shutil.rmtree(VENV, ignore_errors=True)
            fail(
                "python could not make a virtual environment. On Debian and Ubuntu: "
                f"apt install python3-venv\n{made.stdout}{made.stderr}"
            )
    print("installing the locked packages (a few minutes the first time) ...", flush=True)
    pip("--requirement", LOCK)
    pip("--no-deps", "--no-build-isolation", "--editable", ".")


def pip(*arguments: str) -> None:
    command = [venv_python(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*command, *arguments], cwd=ROOT).returncode:
        fail(
            "pip could not install the packages (its message is above). Without a network, or "
            "behind a proxy, set pip up first (`pip config`), then run the same command again: "
            "it goes on where it stopped."
        )


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

# Binder's builder understands only a Python like "3.12", not a range. It installs this file before
# it copies the project, and keeps the result between builds, as long as nothing here points into
# the project; so the project itself is installed afterwards, by postBuild or by hand.
CONDA = """\
# The conda way, for Windows, macOS and Linux, and for Binder. `python -m tools publish` writes this
# file from pyproject.toml: conda brings Python and a CPU build of PyTorch, pip brings the rest.
name: {name}
channels:
  - conda-forge
dependencies:
  - python=3.12
  - pip
  - pytorch {torch} cpu*
  - pip:
{rest}
"""
HEADERS = {
    LOCK: "# The exact versions that `make` installs and that the tests ran with. Written by\n"
    "# `python -m tools lock` from the ranges in pyproject.toml; do not edit by hand.\n",
    GRADING_LOCK: f"# What grading adds to {LOCK}. Written by `python -m tools lock`; do not edit "
    "by hand.\n",
}


def conda_file() -> str:
    """The text of environment.yml."""
    wanted = requirements("lab")
    torch = wanted.pop("torch").removeprefix("torch")
    rest = "\n".join(f"      - {line}" for line in wanted.values())
    return CONDA.format(name=pyproject()["project"]["name"], torch=torch, rest=rest)


def lock() -> None:
    """Write both lock files: the exact versions of a fresh environment made from pyproject.toml."""

    def frozen() -> list[str]:
        # A local build label (+cpu) exists on one index only.
        run = subprocess.run([*pip, "freeze", "--all"], check=True, capture_output=True, text=True)
        lines = [re.sub(r"\+\w+$", "", line) for line in run.stdout.splitlines()]
        return [line for line in lines if not line.startswith("pip==")]

    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [Path(folder, venv_python().relative_to(VENV)), "-m", "pip"]
        wanted = [TORCH, "setuptools", *requirements("lab", "test").values()]
        subprocess.run([*pip, "install", "--quiet", *wanted], check=True)
        series = frozen()
        write(ROOT / LOCK, HEADERS[LOCK] + "\n".join(series) + "\n")
        grading = pyproject()["project"]["optional-dependencies"]["grading"]
        kept = ["--constraint", str(ROOT / LOCK)]
        subprocess.run([*pip, "install", "--quiet", *kept, *grading], check=True)
        added = [line for line in frozen() if line not in series]
        write(ROOT / GRADING_LOCK, HEADERS[GRADING_LOCK] + "\n".join(added) + "\n")
