"""Write `environment.yml`, for conda and Binder, from the one list of versions in pyproject.toml.

With ``--check``: write nothing, and fail if the file is not what pyproject.toml says.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Binder's builder understands only a Python like "3.12", not a range. It installs this file before
# it copies the project, and keeps the result between builds, as long as nothing here points into
# the project; so the project itself is installed afterwards, by postBuild or by hand.
TEMPLATE = """\
# The conda way, for Windows, macOS and Linux, and for Binder. `make environment` writes this file
# from pyproject.toml: conda brings Python and a CPU build of PyTorch, pip brings the rest.
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


def environment() -> str:
    """The text of environment.yml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["lab"]]
    torch = next(line for line in wanted if re.match(r"torch\b", line))
    rest = "\n".join(f"      - {line}" for line in wanted if line != torch)
    return TEMPLATE.format(name=project["name"], torch=torch.removeprefix("torch"), rest=rest)


if __name__ == "__main__":
    path = ROOT / "environment.yml"
    if "--check" not in sys.argv:
        path.write_text(environment(), encoding="utf-8")
    elif path.read_text(encoding="utf-8") != environment():
        sys.exit("environment.yml does not agree with pyproject.toml. Run: make environment")
