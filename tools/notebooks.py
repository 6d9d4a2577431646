"""Re-execute notebooks top to bottom and save their outputs."""

import argparse
import os
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from tools import publish
from tools.project import PROOF, notebooks, write

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def execute(path: Path) -> None:
    """Execute one notebook in its own folder and put the result in its place.

    It is replaced only after its whole run succeeded. Nothing that changes from run to run is saved
    besides the outputs themselves: no time stamps, no widget state, no interpreter version.
    """
    os.environ.update(PROOF)
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=1500,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    write(path, nbformat.writes(notebook, version=4).rstrip("\n") + "\n")


def refresh() -> None:
    parser = argparse.ArgumentParser(description="Execute notebooks and save their outputs.")
    parser.add_argument("notebooks", nargs="*", help="default: all lessons")
    for path in notebooks(parser.parse_args().notebooks):
        start = time.perf_counter()
        execute(path)
        print(f"{path.name}: {time.perf_counter() - start:.0f} s", flush=True)
    publish.claims([])
