"""Re-execute notebooks top to bottom and save their outputs: ``refresh.py NOTEBOOK ...``.

A notebook is replaced only after its whole run succeeded. Nothing that changes from run to run is
saved besides the outputs themselves: no time stamps, no widget state, no interpreter version.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

os.environ["TQDM_DISABLE"] = "1"  # progress bars are for the reader at work, not for the page
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def refresh(path: Path) -> None:
    """Execute one notebook in its own folder and put the result in its place."""
    notebook = nbformat.read(path, as_version=4)
    start = time.perf_counter()
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
    text = nbformat.writes(notebook, version=4)
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, suffix=".tmp", delete=False, encoding="utf-8", newline="\n"
    ) as new:
        new.write(text if text.endswith("\n") else text + "\n")
    os.chmod(new.name, 0o644)
    os.replace(new.name, path)
    print(f"{path}: {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: refresh.py NOTEBOOK ...")
    for name in sys.argv[1:]:
        refresh(Path(name).resolve().relative_to(Path.cwd()))
