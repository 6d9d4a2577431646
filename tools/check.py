"""A table of the environment, one OK / FAIL line per requirement: what to paste into a question.

Exits with 1 when something fails. Installs nothing: without `.venv` it looks at the Python that
runs it.
"""

import importlib.metadata
import platform
import sys

from tools.environment import inside
from tools.project import requirements

SET_UP = "python -m tools setup"
NEEDED_MEMORY_GB = 2.0


def packages() -> list[tuple[str, bool, str, str]]:
    """One row per requirement of pyproject.toml: (item, ok, what was found, what to do)."""
    from packaging.requirements import Requirement

    rows = []
    for line in requirements("lab").values():
        requirement = Requirement(line)
        try:
            found = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            found = "missing"
        ok = found != "missing" and requirement.specifier.contains(found, prereleases=True)
        advice = f"needs {line}: {SET_UP}, or pip install '{line}'"
        rows.append((requirement.name, ok, found, advice))
    return rows


def memory() -> list[tuple[str, bool, str, str]]:
    """Free memory, in GB (10^9 bytes)."""
    import psutil

    free = psutil.virtual_memory().available / 1e9
    advice = f"close other programs: a notebook may need up to {NEEDED_MEMORY_GB:.0f} GB"
    return [("memory", free >= NEEDED_MEMORY_GB, f"{free:.1f} GB free", advice)]


def data() -> list[tuple[str, bool, str, str]]:
    from helpers import data

    return [
        (item, ok, "present and intact" if ok else "missing or altered", advice)
        for item, ok, advice in data.check_files()
    ]


def rows():
    """Every row of the table."""
    version = platform.python_version()
    yield "Python", sys.version_info >= (3, 11), version, "install Python 3.11 or newer"
    yield "system", True, f"{platform.system()} {platform.machine()}", ""
    yield "environment", True, ".venv" if inside() else "another than .venv", ""
    for check in (packages, memory, data):
        try:
            yield from check()
        except ImportError as error:
            yield check.__name__, False, str(error), f"run: {SET_UP}"


def check() -> int:
    failed = 0
    for item, ok, found, advice in rows():
        failed += not ok
        hint = "" if ok else f"  -> {advice}"
        print(f"{'OK  ' if ok else 'FAIL'}  {item:<28} {found}{hint}")
    print(f"\n{failed} FAIL" if failed else "\nall OK")
    return bool(failed)
