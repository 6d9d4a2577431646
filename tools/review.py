"""Let git show the changes of a notebook cell by cell, with nbdime (see CONTRIBUTING.md)."""

import importlib.util
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from tools import environment
from tools.project import ROOT

KEY = "diff.jupyternotebook.command"  # .gitattributes names this driver
ADVICE = "until then git shows notebooks as plain text"


def review() -> None:
    """Install nbdime into the Python that runs this, and name it in the repository's git config."""
    if not (ROOT / ".git").exists():
        sys.exit("this folder has no git history to compare with: clone the repository, then again")
    if shutil.which("git") is None:  # GitHub's desktop program keeps its own
        sys.exit("no command git here: install it from https://git-scm.com, then again")
    if importlib.util.find_spec("nbdime") is None:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "nbdime>=4"]
        if not environment.of_the_reader():  # what the lock names stays as it is
            command += ["--constraint", str(ROOT / environment.LOCK)]
        if subprocess.run(command).returncode:
            sys.exit(f"pip could not install nbdime (see above): go online and try again; {ADVICE}")
    # The whole path, since .venv is seldom activated. Execution counts are no news.
    driver = f"{shlex.quote(Path(sys.executable).as_posix())} -m nbdime.vcs.git.diffdriver diff -D"
    if subprocess.run(["git", "config", KEY, driver], cwd=ROOT).returncode:
        sys.exit(f"git could not be set up (see above); {ADVICE}")
    print("git diff now compares notebooks cell by cell; git show and git log -p with --ext-diff.")
    print(f"Back to plain text: git config --unset {KEY}")
