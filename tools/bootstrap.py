"""Make `.venv` and install the locked versions into it. Standard library only.

Runs as ``python3 tools/bootstrap.py`` on any system; `make` calls it. Does nothing, within a
fraction of a second, when the environment already holds what the lock file asks for. With
``--grading``, what the grading of assignments needs is installed on top.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "installed.sha256"
GRADING_LOCK = "requirements-grading.lock"
GRADING_STAMP = VENV / "grading.sha256"
OLDEST = (3, 11)


def fail(message: str) -> None:
    sys.exit(f"\nset-up stopped: {message}\n")


def wanted(*names: str) -> str:
    """Digest of everything that decides what is installed."""
    digest = hashlib.sha256(f"{sys.version_info[:2]}".encode())
    for name in ("requirements.lock", "pyproject.toml", *names):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def venv_python() -> Path:
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def pip(*arguments: str) -> None:
    command = [venv_python(), "-m", "pip", *arguments, "--disable-pip-version-check"]
    if subprocess.run(command, cwd=ROOT).returncode:
        fail(
            "pip could not install the packages (its message is above). Without a network, or "
            "behind a proxy, set pip up first (`pip config`), then run the same command again: "
            "it goes on where it stopped."
        )


def main(arguments: list[str] | None = None) -> None:
    series()
    if "--grading" in (sys.argv[1:] if arguments is None else arguments):
        grading()


def grading() -> None:
    """On top of the series' environment."""
    if GRADING_STAMP.is_file() and GRADING_STAMP.read_text() == wanted(GRADING_LOCK):
        return
    print("installing what grading needs ...", flush=True)
    pip("install", "--quiet", "--requirement", GRADING_LOCK)
    GRADING_STAMP.write_text(wanted(GRADING_LOCK))


def series() -> None:
    """The environment that the notebooks and their tests need."""
    if sys.version_info < OLDEST:
        have = ".".join(map(str, sys.version_info[:3]))
        fail(
            f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed, {sys.executable} is {have}. "
            "Name a newer one, for example: make lab PYTHON=python3.12"
        )
    if STAMP.is_file() and STAMP.read_text() == wanted():
        return
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < 4:
        fail(f"about 4 GB of free disk space are needed here, {free:.1f} GB are left.")
    if (
        not venv_python().is_file()
        or subprocess.run([venv_python(), "-m", "pip", "-V"], capture_output=True).returncode
    ):
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
    pip("install", "--quiet", "--requirement", "requirements.lock")
    pip("install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", ".")
    STAMP.write_text(wanted())


if __name__ == "__main__":
    main()
