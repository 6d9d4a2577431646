"""Make the two committed tables, human_ratings.csv and prices.csv, from their packages.

    python tools/make_snapshots.py [--into FOLDER]

Both come out byte for byte the same each time; the digests are compared with those of
helpers/tables/sha256.txt. Only the figures are kept: no sentence is written. The reviews must be in
the cache or within reach.
"""

import argparse
import collections
import gzip
import hashlib
import io
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from helpers import data  # noqa: E402

# The source distribution of the VADER project (MIT): Hutto and Gilbert, ICWSM 2014.
RATINGS_SOURCE = "vaderSentiment==0.5"
RATINGS_MEMBER = "additional_resources/hutto_ICWSM_2014.tar.gz"
RATINGS_TABLE = "movieReviewSnippets_GroundTruth.txt"
PRICES_WHEEL = ("skfolio==1.12.2", "1.5 MB")
PRICES_MEMBER = "skfolio/datasets/data/sp500_dataset.csv.gz"


def fetch_ratings_source(folder: Path) -> zipfile.ZipFile:
    """Download the source distribution with pip.

    pip asks a source distribution for its metadata, which runs the package's setup.py. With the
    hash in the requirement it does so only if the file is the known one.
    """
    requirement = folder / "requirement.txt"
    sha256 = data.SHA256["vaderSentiment-0.5"]
    requirement.write_text(f"{RATINGS_SOURCE} --hash=sha256:{sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--no-binary=:all:", "--dest", str(folder), "--requirement", str(requirement)]
    subprocess.run(command, check=True)
    (archive,) = [*folder.glob("*.zip"), *folder.glob("*.tar.gz")]
    if hashlib.sha256(archive.read_bytes()).hexdigest() != sha256:
        raise SystemExit(f"{archive.name} is not the expected file: its SHA-256 differs")
    return zipfile.ZipFile(archive)


def letters_and_digits(text: str) -> str:
    """What is compared of a sentence: the two sources space, quote and encode it differently."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def human_ratings() -> str:
    """The table `row,rating`: mean human rating (-4 to 4) of the sentence in that row."""
    with tempfile.TemporaryDirectory() as folder:
        with fetch_ratings_source(Path(folder)) as archive:
            (name,) = [name for name in archive.namelist() if name.endswith(RATINGS_MEMBER)]
            inner = archive.read(name)
    with tarfile.open(fileobj=io.BytesIO(inner)) as archive:
        (member,) = [m for m in archive.getmembers() if m.name.endswith(f"/{RATINGS_TABLE}")]
        table = archive.extractfile(member).read().decode("utf-8")
    # A sentence that stands twice was rated twice: the first rating goes to its first row.
    waiting = collections.defaultdict(collections.deque)
    rated = [line.split("\t") for line in table.replace("\r", "").split("\n") if line]
    for _, mean, text in rated:
        waiting[letters_and_digits(text)].append(float(mean))
    reviews = data.load_reviews()
    lines = []
    agreeing = 0
    for row, (text, label) in enumerate(zip(reviews["text"], reviews["label"], strict=True)):
        ratings = waiting[letters_and_digits(text)]
        if ratings:
            rating = ratings.popleft()
            agreeing += rating > 0 if label == 1 else rating < 0
            lines.append(f"{row},{rating:.4f}\n")
    print(
        f"{len(rated):,} rated sentences; {len(lines):,} of {len(reviews):,} rows have a rating; "
        f"its sign agrees with the label in {agreeing / len(lines):.1%} (0 agrees with neither)"
    )
    return "row,rating\n" + "".join(lines)


def prices() -> str:
    """The table of adjusted closes, one column per ticker, as published (rounded to 3 decimals)."""
    with data.open_wheel(*PRICES_WHEEL) as wheel:
        content = gzip.decompress(wheel.read(PRICES_MEMBER))
    frame = pd.read_csv(io.BytesIO(content), index_col="Date", dtype=str)
    frame.index.name = "date"
    print(f"{len(frame):,} days, {frame.index[0]} to {frame.index[-1]}, {frame.shape[1]} tickers")
    return frame.to_csv(lineterminator="\n")


def main() -> None:
    """Write both tables and compare their digests with the pinned ones."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--into", type=Path, default=ROOT / "helpers" / "tables", help="folder to write to"
    )
    into = parser.parse_args().into
    into.mkdir(parents=True, exist_ok=True)
    same = True
    for make, name in ((human_ratings, "human_ratings.csv"), (prices, "prices.csv")):
        content = make().encode("utf-8")
        (into / name).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        pinned = data.SHA256[name]
        same &= digest == pinned
        verdict = "as pinned" if digest == pinned else f"NOT as pinned ({pinned})"
        print(f"{name}: {len(content):,} bytes, sha256 {digest}, {verdict}")
    if not same:
        raise SystemExit("What came out differs from what helpers/tables/sha256.txt pins.")


if __name__ == "__main__":
    main()
