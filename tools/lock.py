"""Write `requirements.lock`: the exact versions of a fresh environment made from pyproject.toml."""

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


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    ranges = [*project["dependencies"], *extras["lab"], *extras["test"]]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [f"{folder}/bin/python", "-m", "pip"]
        subprocess.run([*pip, "install", "--quiet", TORCH, "setuptools", *ranges], check=True)
        frozen = subprocess.run(
            [*pip, "freeze", "--all"], check=True, capture_output=True, text=True
        ).stdout
    # A local build label (+cpu) exists on one index only; the plain version exists everywhere.
    lines = [re.sub(r"\+\w+$", "", line) for line in frozen.splitlines()]
    lines = [line for line in lines if not line.startswith("pip==")]
    (ROOT / "requirements.lock").write_text(HEADER + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
