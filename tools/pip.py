"""`pip install` into a virtual environment: with a line that tells how far it is, and a reason."""

import contextlib
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from pathlib import Path

# What pip says: what is the matter. The first that fits counts.
REASONS = {
    r"No space left on device|not enough space": "the disk is full",
    r"Permission denied|Access is denied": "pip may not write here: {}",
    r"ProxyError|Proxy Authentication": "the proxy did not let pip through "
    "(`pip config set global.proxy ADDRESS` tells pip about yours)",
    r"CERTIFICATE_VERIFY_FAILED|SSLError": "pip does not trust the certificate that it was shown "
    "(`pip config set global.cert FILE` tells pip about your network's own)",
    r"Retrying \(|ConnectionError|ConnectTimeout|[Rr]ead timed out|IncompleteRead": "pip could "
    "not reach the packages (no network, or a proxy that pip does not know)",
}


class Failed(Exception):
    """pip did not install everything: the message says why, in one clause."""


def reason(said: str) -> str:
    """Why pip failed, from what it said."""
    for pattern, clause in REASONS.items():
        if found := re.search(f".*(?:{pattern}).*", said):
            return clause.format(found[0].strip())
    if found := re.search(r"No matching distribution found for ([^\s;]+)", said):
        system = f"{platform.system()} {platform.machine()}"
        return f"pip finds no {found[1]} for Python {platform.python_version()} on {system}"
    errors = re.findall(r"^ *error: (?!Exception:)(.+)", said, re.MULTILINE | re.IGNORECASE)
    return f"pip says: {(errors or said.strip().splitlines() or ['nothing'])[-1]}"


def progress(said: str, unpacked: int, wanted: int) -> str:
    """Which package pip is at, and how many of the wanted ones are left."""
    if started := re.search(r"^Installing collected packages: (.+)", said, re.MULTILINE):
        names = started[1].split(", ")
        at = min(unpacked, len(names) - 1)
        return f"unpacking {names[at]}: {len(names) - at} of {len(names)} packages left"
    name = r"(?:\S*[/\\])?([A-Za-z0-9_.]+(?:-[A-Za-z]\w*)*)"
    verbs = "Collecting|Downloading|Using cached|Processing"
    steps = re.findall(rf"^ *(?:{verbs}) {name}.*?(\([\d.]+ .B\))?$", said, re.MULTILINE)
    if not steps:
        return "pip starts"
    done = rf"^ *(?:Ignoring|Requirement already satisfied:|(?:{verbs})(?=.*\.whl(?: |$))) {name}"
    left = max(wanted - len(set(re.findall(done, said, re.MULTILINE))), 1)
    return f"fetching {' '.join(filter(None, steps[-1]))}: {left} of {wanted} packages left"


def install(venv: Path, python: Path, arguments: list[str], wanted: int, log: Path) -> None:
    """Run `pip install` there. A stopped or failed one can be run again and goes on.

    Args:
        wanted: how many packages the arguments name.
        log: takes all that pip says.

    Raises:
        Failed: with the reason.
    """
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(venv)}))
    # What an earlier run left half-done: pip writes INSTALLER after all files of a package.
    for left in (*site.glob("~*"), *site.glob("*.dist-info")):
        if left.name.startswith("~") or not (left / "INSTALLER").is_file():
            shutil.rmtree(left, ignore_errors=True)
    command = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    command += ["--no-color", "--progress-bar=off", *arguments]
    terminal, said, start = sys.stdout.isatty(), [], time.time()
    with tempfile.TemporaryDirectory(dir=venv, ignore_cleanup_errors=True) as folder:
        temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), folder)  # the system's may be small
        process = subprocess.Popen(
            command,
            env=os.environ | temporary | {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        reader = threading.Thread(target=lambda: said.extend(iter(process.stdout.readline, "")))
        reader.start()
        try:
            shown = start
            while process.poll() is None:
                time.sleep(0.2)
                if time.time() - shown > (0.5 if terminal else 15):
                    shown = time.time()
                    files = site.glob("*.dist-info/INSTALLER")
                    unpacked = sum(file.stat().st_mtime >= start for file in files)
                    show(progress("".join(said), unpacked, wanted), terminal)
        finally:
            stop(process)
            reader.join()
            show("", terminal)
            with contextlib.suppress(OSError):
                log.parent.mkdir(exist_ok=True)
                log.write_text("".join(said), encoding="utf-8")
    if process.returncode:
        raise Failed(reason("".join(said)))


def show(line: str, terminal: bool) -> None:
    """A line of progress, in a terminal in place of the last one."""
    if terminal:
        width = shutil.get_terminal_size().columns - 1
        print(f"\r{line[:width]:<{width}}\r", end="", flush=True)
    elif line:
        print(line, flush=True)


def stop(process: subprocess.Popen) -> None:
    """Let it end: Ctrl-C reached it, too, and it tidies up. One that stays is ended.

    A second Ctrl-C hastens that: nobody may move the environment while pip writes into it.
    """
    for end in (lambda: None, process.terminate, process.kill):
        end()
        with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            process.wait(5)
            return
