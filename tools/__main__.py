"""Every command of the project, on every system: ``python -m tools NAME``.

A command runs in `.venv`, which is made first and kept as requirements.lock says. Where the series
is installed in the Python that runs this (a conda environment, say), that one is used as it is.

Standard library only, and any Python 3 can read this file, so that an old one gets a sentence.
"""

import importlib
import os
import sys

# name: (function, what must be there first, what it does)
COMMANDS = {
    "lab": ("tools.environment:lab", "data", "open JupyterLab on the start page"),
    "setup": ("tools.environment:setup", "data", "only make .venv and fetch the data"),
    "check": ("tools.check:check", None, "a table of your environment, with what to do"),
    "quick": ("tools.testing:quick", "grading", "lint and the fast tests, in two minutes"),
    "test": ("tools.testing:test", "grading", "the whole proof: all tests, all notebooks"),
    "refresh": ("tools.notebooks:refresh", "data", "execute notebooks and save their outputs"),
    "claims": ("tools.publish:claims", "", "write docs/claims from the saved notebooks"),
    "publish": ("tools.publish:publish", "grading", "write the address and all generated text"),
    "persian": ("tools.persian:main", "", "write the notebooks in Persian from their catalogues"),
    "site": ("tools.site:site", None, "build the web pages from the saved notebooks"),
    "site-check": ("tools.site:check", None, "build them and try every page in a browser"),
    "assignments": ("tools.assignments:main", "grading", "write the students' releases"),
    "grade": ("tools.grade:main", "grading", "grade a class: grade FOLDER"),
    "review": ("tools.review:review", "", "let git show notebook changes cell by cell"),
    "experiments": ("helpers.experiments:main", "", "write tables of long runs anew, an hour"),
    "bench": ("tools.bench:main", "", "time the NumPy cells against PyTorch"),
    "alone": ("tools.testing:alone", "data", "notebooks in an empty folder, as on Colab"),
    "offline": ("tools.testing:offline", "data", "notebooks with the network cut"),
    "limits": ("tools.testing:limits", "data", "notebooks within 2 GB on one CPU, as on Binder"),
    "versions": ("tools.testing:versions", "data", "helpers' tests on oldest and newest versions"),
    "snapshots": (
        "tools.make_snapshots:main",
        "data",
        "make the committed tables from their sources",
    ),
    "mutants": ("tools.mutants:main", "data", "small changes to the helpers: do the tests notice?"),
    "lock": ("tools.environment:lock", "", "resolve pyproject.toml again into the lock files"),
}


def main(arguments):
    if sys.version_info < (3, 11):  # noqa: UP036
        sys.exit(
            f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}. Name a newer "
            "one, for example: python3.12 -m tools lab, or: make lab PYTHON=python3.12"
        )
    name = arguments[0] if arguments else "--help"
    if name in ("-h", "--help", "help"):
        print("python -m tools NAME, where NAME is one of:\n")
        for name, (_, _, text) in COMMANDS.items():
            print(f"  {name:12} {text}")
        print("\nOptions of one of them: python -m tools NAME --help")
        return 0
    if name not in COMMANDS:
        sys.exit(f"no command is called {name!r}; python -m tools lists them")
    target, needs, text = COMMANDS[name]

    from tools import environment, project

    if {"-h", "--help"} & set(arguments[1:]):
        print(f"{name}: {text}\n", flush=True)
        needs = None
        if not environment.exists():
            return 0
    python = environment.python() if needs is None else environment.ready(needs == "grading")
    if os.path.realpath(os.path.dirname(python)) != os.path.realpath(
        os.path.dirname(sys.executable)
    ):
        return project.hand_over([python, "-m", "tools", *arguments])
    lacking = without_data() if needs in ("data", "grading") else ""
    if lacking:
        print(f"warning: {lacking}", file=sys.stderr, flush=True)
        if name != "lab":
            return 1
    module, function = target.split(":")
    sys.argv[:] = [f"python -m tools {name}", *arguments[1:]]
    return getattr(importlib.import_module(module), function)()


def without_data():
    """Fetch the data; what is missing then, and why."""
    from helpers import data

    reasons = data.fetch()
    missing = [(item, advice) for item, ok, advice in data.check_files() if not ok]
    if not missing:
        return ""
    names = ", ".join(item for item, _ in missing)
    reason = reasons[0] if reasons else f"What you can do: {missing[0][1]}"
    return (
        "the environment is ready, the data is not complete, and notebooks that read it will stop: "
        f"{names}\n{reason}"
    )


if __name__ == "__main__":
    if not __package__:
        sys.exit("in the project's folder, write: python -m tools " + " ".join(sys.argv[1:]))
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("\nstopped; run the same command again", file=sys.stderr)
        sys.exit(130)
    except ModuleNotFoundError as error:
        sys.exit(
            f"this environment has no module {error.name!r}. In one of your own, run: pip install "
            '-e ".[lab,test,grading]"; else delete .venv and run the same command again'
        )
