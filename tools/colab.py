"""A pretended Colab: an empty folder, and a Python that has all packages but not the series.

The set-up cell runs there as it stands. Its pip is the real one, told that the public address is a
folder here, which serves this working tree as the archive of the one ref that the cell names.
Further packages come from the folder `wheels`, and there is no other index.
"""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tools import publish
from tools.project import PROOF, ROOT, pyproject

NOT_COMMITTED = (".*", "__pycache__", "*.egg-info", "build", "dist")
NAME = pyproject()["project"]["name"]
STARTUP = 'type(get_ipython()).__module__ = "google.colab._shell"\n'
PYTHON = """\
#!{python}
import os, sys
words = sys.argv[1:]
if words[:2] == ["-m", "pip"]:
    with open({log!r}, "a") as log:
        print(*words[2:], file=log)
    words = [word.replace({address!r}, {served!r}) for word in words]
os.execv({python!r}, [{python!r}, *words])
"""


def serve(folder: Path) -> Path:
    """A folder that holds archive/REF.zip, as GitHub serves it."""
    source = publish.written_down()
    tree = folder / f"{NAME}-{source.ref}"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*NOT_COMMITTED))
    shutil.make_archive(str(folder / "archive" / source.ref), "zip", folder, tree.name)
    shutil.rmtree(tree)
    return folder


class Colab:
    """One such machine in an empty folder.

    Attributes:
        content: the folder in which the notebook lies.
        wheels: packages that pip can find.
        startup: the file that makes IPython look like Colab's.
        environment: the environment variables of the machine.
    """

    def __init__(self, folder: Path, served: Path, without: tuple[str, ...] = ()):
        self.content, self.wheels = folder / "content", folder / "wheels"
        self._machine, packages = folder / "machine", folder / "packages"
        startup = folder / "ipython" / "profile_default" / "startup"
        for new in (self.content, self.wheels, packages, startup):
            new.mkdir(parents=True)
        venv = [sys.executable, "-m", "venv", "--without-pip", str(self._machine)]
        subprocess.run(venv, check=True)
        (lib,) = self._machine.glob("lib/python*/site-packages")
        (lib / "packages.pth").write_text(f"{packages}\n")
        absent = {NAME.replace("-", "_"), "__editable__"}
        for name in without:
            absent |= {file.parts[0] for file in importlib.metadata.files(name)}
        for entry in Path(sysconfig.get_path("purelib")).iterdir():
            if entry.suffix != ".pth" and not entry.name.startswith(tuple(absent)):
                (packages / entry.name).symlink_to(entry)
        self.startup = startup / "00-colab.py"
        self.startup.write_text(STARTUP)
        self._log, on_path = folder / "pip.log", folder / "bin" / "python"
        on_path.parent.mkdir()
        on_path.write_text(
            PYTHON.format(
                python=str(self._machine / "bin" / "python"),
                address=publish.written_down().address,
                served=served.as_uri(),
                log=str(self._log),
            )
        )
        on_path.chmod(0o755)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTHON"))}
        self.environment = kept | {
            **PROOF,
            "PATH": f"{on_path.parent}{os.pathsep}{os.environ['PATH']}",
            "IPYTHONDIR": str(folder / "ipython"),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheels),
            "PIP_NO_BUILD_ISOLATION": "0",  # as pip reads it, this switches the isolation off
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }

    def python(self, *arguments: str) -> list[str]:
        return [str(self._machine / "bin" / "python"), *arguments]

    def run(self, code: str, **environment: str) -> subprocess.CompletedProcess:
        """Run code as a cell in a fresh kernel, with IPython's syntax."""
        (self.content / "cell.ipy").write_text(code, encoding="utf-8")
        return subprocess.run(
            self.python("-m", "IPython", "--no-banner", "--colors=NoColor", "cell.ipy"),
            cwd=self.content,
            env=self.environment | environment,
            capture_output=True,
            text=True,
        )

    def pip_calls(self) -> list[str]:
        """What the set-up cell asked of pip, one line per call."""
        return self._log.read_text().splitlines() if self._log.exists() else []

    def installed(self) -> dict[str, str]:
        """{distribution: version} of what was installed on this machine."""
        (lib,) = self._machine.glob("lib/python*/site-packages")
        found = importlib.metadata.distributions(path=[str(lib)])
        return {distribution.name: distribution.version for distribution in found}
