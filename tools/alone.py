"""Run notebooks the way Colab meets them: each alone in an empty folder.

    make test-launch                        every notebook whole (as long as `make test`)
    python tools/alone.py NOTEBOOK ...      these

The set-up cell finds no helpers there, believes itself on Colab, and clones the repository. The
address stays the public one; git is told to read it from a bare repository made of this working
tree, and may use no other way. Everything that follows is compared with the saved outputs. The
network is cut where the system allows it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from tools import badges, offline  # noqa: E402

NOT_COMMITTED = (".*", "__pycache__", "*.egg-info", "build", "dist")
FAKE_COLAB = """\
import importlib.machinery
import sys
import types

colab = types.ModuleType("google.colab")
colab.__spec__ = importlib.machinery.ModuleSpec("google.colab", None)  # accelerate asks for it
sys.modules["google.colab"] = colab
"""


def make_remote(folder: Path) -> Path:
    """A bare repository that holds this working tree at the ref that the set-up cell asks for."""
    tree, remote = folder / "tree", folder / "remote.git"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*NOT_COMMITTED))
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (
        ["init", "--quiet", f"--initial-branch={badges.written_down().ref}"],
        ["add", "--all"],
        ["commit", "--quiet", "--no-gpg-sign", "--message=the working tree"],
        ["clone", "--quiet", "--bare", ".", str(remote)],
    ):
        subprocess.run([*git, *command], cwd=tree, check=True, env=clean_environment())
    shutil.rmtree(tree)
    return remote


def clean_environment() -> dict[str, str]:
    """This process's environment without what a surrounding git (a hook, say) put into it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}


def environment(remote: Path) -> dict[str, str]:
    """An environment in which the public address leads to the remote, and git goes nowhere else."""
    return clean_environment() | {
        "GIT_ALLOW_PROTOCOL": "file",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{remote.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": badges.written_down().address,
    }


def run_whole(notebook: Path, remote: Path, folder: Path) -> int:
    """Run one notebook in an empty folder against its saved outputs; pytest's exit status."""
    alone, ipython = folder / "content", folder / "ipython"
    startup = ipython / "profile_default" / "startup"
    alone.mkdir()
    startup.mkdir(parents=True)
    (startup / "00-colab.py").write_text(FAKE_COLAB)
    shutil.copy(notebook, alone)
    command = [sys.executable, "-m", "pytest", "-q", "--nbval", "--nbval-current-env"]
    command += ["--nbval-cell-timeout=1500", "-p", "no:cacheprovider", notebook.name]
    if offline.can_cut():
        command = offline.cut(command)
    else:
        print("the network stays on: this system does not let you cut it for one command")
    extra = {"IPYTHONDIR": str(ipython), "TQDM_DISABLE": "1"}
    status = subprocess.run(command, cwd=alone, env=environment(remote) | extra).returncode
    name = badges.written_down().repo.split("/")[-1]
    if not (alone / name / "helpers" / "launch.py").is_file():
        print(f"{notebook.name} has not cloned the repository")
        return status or 1
    return status


def main(notebooks: list[str]) -> int:
    paths = [Path(name).resolve() for name in notebooks]
    paths = paths or sorted((ROOT / "notebooks").glob("*.ipynb"))
    failed = []
    with tempfile.TemporaryDirectory(prefix="alone-") as name:
        remote = make_remote(Path(name))
        for path in paths:
            folder = Path(name) / path.stem
            folder.mkdir()
            print(f"{path.stem}, alone in an empty folder:", flush=True)
            if run_whole(path, remote, folder):
                failed.append(path.stem)
    print(f"FAILED: {', '.join(failed)}" if failed else f"all {len(paths)} run alone")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
