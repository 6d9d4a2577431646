"""What the commands share: where things are, what pyproject.toml says, how a file is written."""

import functools
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# For runs that prove something: no progress bars, and a result that differs is an error.
PROOF = {"TQDM_DISABLE": "1", "RNN_MEASURED_STRICT": "1"}


@functools.cache
def pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def requirements(*extras: str) -> dict[str, str]:
    """{name: requirement} of the dependencies and of the named extras."""
    project = pyproject()["project"]
    lines = [*project["dependencies"]]
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    return {re.match(r"[\w.-]+", line)[0]: line for line in lines}


def notebooks(names: list[str] | None = None) -> list[Path]:
    """The notebooks with these paths; without any, all lessons in order."""
    paths = [Path(name).resolve() for name in names or []]
    for path in paths:
        if path.suffix != ".ipynb" or not path.is_file():
            sys.exit(f"no such notebook: {path}")
    return paths or sorted((ROOT / "notebooks").glob("*.ipynb"))


def write(path: Path, content: str | bytes) -> None:
    """Replace a file in one step, so that nobody sees half of it. Lines end in a line feed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as new:
        new.write(to_bytes(content))
    os.chmod(new.name, 0o644)
    os.replace(new.name, path)


def to_bytes(content: str | bytes) -> bytes:
    return content if isinstance(content, bytes) else content.encode()


def write_all(texts: Mapping[Path, str | bytes], check: bool, command: str, root: Path) -> int:
    """Write the files that differ from their text; with `check`, only say so and return 1."""
    stale = [p for p in texts if not p.is_file() or p.read_bytes() != to_bytes(texts[p])]
    for path in stale:
        if not check:
            write(path, texts[path])
        print(f"{'differs' if check else 'written'}: {path.relative_to(root).as_posix()}")
    if not stale:
        print(f"{command}: all up to date")
    elif check:
        print(f"run `make {command}` and commit what it writes", file=sys.stderr)
    return int(check and bool(stale))


def hand_over(command: list[str]) -> int:
    """Run a command in the place of this one: Ctrl-C and the like are its own affair."""
    if os.name == "posix":
        sys.stdout.flush()
        os.execv(command[0], command)
    process = subprocess.Popen(command)  # Windows cannot do that
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue
