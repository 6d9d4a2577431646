"""Write the lock files: the exact versions of a fresh environment made from pyproject.toml.

`requirements.lock` has what the series and its tests need, `requirements-grading.lock` what the
grading of assignments adds to it.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TORCH = "torch==2.13.0"

HEADER = """\
# The exact versions that `make` installs and that the tests ran with. Written by `make lock`
# from the ranges in pyproject.toml; do not edit by hand.
"""

GRADING = """\
# What grading adds to requirements.lock. Written by `make lock`; do not edit by hand.
"""


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    ranges = [*project["dependencies"], *extras["lab"], *extras["test"]]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [f"{folder}/bin/python", "-m", "pip"]
        subprocess.run([*pip, "install", "--quiet", TORCH, "setuptools", *ranges], check=True)
        series = frozen(pip)
        write("requirements.lock", HEADER, series)
        kept = ["--constraint", str(ROOT / "requirements.lock")]
        subprocess.run([*pip, "install", "--quiet", *kept, *extras["grading"]], check=True)
        write("requirements-grading.lock", GRADING, [x for x in frozen(pip) if x not in series])


def frozen(pip: list[str]) -> list[str]:
    """What is installed, a line a package; a local build label (+cpu) exists on one index only."""
    run = subprocess.run([*pip, "freeze", "--all"], check=True, capture_output=True, text=True)
    lines = [re.sub(r"\+\w+$", "", line) for line in run.stdout.splitlines()]
    return [line for line in lines if not line.startswith("pip==")]


def write(name: str, header: str, lines: list[str]) -> None:
    (ROOT / name).write_text(header + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
