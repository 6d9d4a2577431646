"""On Colab: install what the series needs and Colab lacks, and touch nothing that is there.

The set-up cell runs ``python -m helpers.launch`` after pip has installed the series alone. Standard
library only, since nothing else may be there.
"""

import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

SERIES = "recurrent-networks-measured"
# Colab builds these to fit its hardware and one another: another copy would break the runtime.
NEVER = {"torch", "numpy", "pandas"}
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


def main() -> str | None:
    """Install the requirements of the series that are absent; say nothing when all goes well.

    A package that is there keeps its version, also where a new one would like another: pip gets
    the present versions as constraints. If the installation fails or is interrupted, the series is
    taken away, too, so that the set-up cell does it all again.

    Returns:
        What went wrong, in words; None if all is there now.
    """
    present, missing = {}, []
    for line in metadata.requires(SERIES) or []:
        name = re.match(r"[\w.-]+", line)[0]
        if ";" in line:  # what only development or another system needs
            continue
        try:
            present[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            if name not in NEVER:
                missing.append(line)
    if not missing:
        return None
    run = None
    try:
        with tempfile.TemporaryDirectory() as folder:
            fixed = Path(folder) / "present.txt"
            fixed.write_text("".join(f"{name}=={version}\n" for name, version in present.items()))
            command = [*PIP, "install", "--no-input", "--constraint", str(fixed), *missing]
            run = subprocess.run(command, capture_output=True, text=True)
    finally:
        if run is None or run.returncode:
            subprocess.run([*PIP, "uninstall", "--yes", SERIES], capture_output=True)
    if run.returncode:
        return f"pip could not install {', '.join(missing)}:\n{run.stderr.strip()[-500:]}"
    return None


if __name__ == "__main__":
    sys.exit(main())
