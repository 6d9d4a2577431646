"""On Colab: install what the series needs and Colab lacks, and touch nothing that is there.

The set-up cell has cloned the repository by then. Standard library only, since it runs before
anything else of the series is imported.
"""

import importlib
import re
import subprocess
import sys
import tempfile
import tomllib
from importlib import metadata
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
# Colab builds these to fit its hardware and one another: another copy would break the runtime.
NEVER = {"torch", "numpy", "pandas"}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def install_missing() -> list[str]:
    """Install the requirements of pyproject.toml that are absent; say nothing when all goes well.

    A package that is there keeps its version, also where a new one would like another: pip gets
    the present versions as constraints. A second call finds nothing to do and starts no process.

    Returns:
        The requirements that were installed.

    Raises:
        RuntimeError: pip could not install them.
    """
    if not PROJECT.is_file():  # installed as a package: pip has seen to the requirements
        return []
    requirements = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["dependencies"]
    named = {re.match(r"[\w.-]+", line)[0]: line for line in requirements}
    present = {name: version for name in named if (version := _version(name))}
    missing = [line for name, line in named.items() if name not in NEVER.union(present)]
    if not missing:
        return []
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "present.txt"
        constraints.write_text("".join(f"{name}=={v}\n" for name, v in present.items()))
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input"]
        command += ["--disable-pip-version-check", "--constraint", str(constraints), *missing]
        run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(
            f"pip could not install {', '.join(missing)}:\n{run.stderr.strip()[-500:]}\n"
            "Check the connection and run this cell again."
        )
    importlib.invalidate_caches()
    return missing
