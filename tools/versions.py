"""Run the helpers' tests on the oldest and on the newest versions that pyproject.toml allows.

    make test-versions                      both, each in a throwaway environment
    python tools/versions.py oldest         one of them
    python tools/versions.py --torch        the oldest PyTorch, too

"Oldest" takes the lower bound of every range, for the Python that runs this. PyTorch stays at the
locked version unless --torch is given: on Linux an older one may come with gigabytes of GPU
libraries.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Not about helpers: they need what only the full environment has, or run whole notebooks.
ELSEWHERE = ("test_notebooks.py", "test_tools.py", "test_launch.py", "test_assignments.py")
TESTERS = ("pytest", "pytest-timeout", "hypothesis", "nbformat")


def locked_torch() -> str:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith("torch=="))


def requirements(which: str, with_torch: bool) -> list[str]:
    """The lines for pip: each range as it stands ("newest") or its lower bound ("oldest").

    Raises:
        ValueError: a range has no lower bound.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = []
    for line in project["dependencies"]:
        name = re.match(r"[\w.-]+", line)[0]
        bound = re.search(r">=\s*([\w.]+)", line)
        if bound is None:
            raise ValueError(f"expected a lower bound as in 'numpy>=2.0', got {line!r}")
        if name == "torch" and not with_torch:
            lines.append(locked_torch())
        else:
            lines.append(f"{name}=={bound[1]}" if which == "oldest" else line)
    return lines


def run(which: str, with_torch: bool, arguments: list[str]) -> bool:
    """Make the environment, say what is in it, run the tests; True if all pass."""
    wanted = requirements(which, with_torch)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    testers = extras["project"]["optional-dependencies"]["test"]
    testers = [line for line in testers if re.match(r"[\w.-]+", line)[0] in TESTERS]
    with tempfile.TemporaryDirectory(prefix="versions-") as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = Path(folder) / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        pip = [python, "-m", "pip", "--disable-pip-version-check"]
        print(f"\n{which}: installing {', '.join(wanted)}", flush=True)
        if subprocess.run([*pip, "install", "--quiet", *wanted, *testers]).returncode:
            print(f"{which}: pip finds no such environment (its message is above)")
            return False
        frozen = subprocess.run([*pip, "freeze"], capture_output=True, text=True).stdout
        names = {re.match(r"[\w.-]+", line)[0].lower() for line in wanted}
        have = [line for line in frozen.splitlines() if line.split("==")[0].lower() in names]
        print(f"{which}: {', '.join(have)}", flush=True)
        ignored = [f"--ignore=tests/{name}" for name in ELSEWHERE]
        command = [python, "-m", "pytest", "tests", "-p", "no:cacheprovider", *ignored, *arguments]
        return subprocess.run(command, cwd=ROOT).returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("which", nargs="*", default=["oldest", "newest"])
    parser.add_argument("--torch", action="store_true", help="the oldest PyTorch, too")
    options, arguments = parser.parse_known_args()
    passed = {which: run(which, options.torch, arguments) for which in options.which}
    for which, ok in passed.items():
        print(f"{which}: {'all tests pass' if ok else 'FAILED'}")
    sys.exit(not all(passed.values()))


if __name__ == "__main__":
    main()
