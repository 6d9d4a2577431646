"""helpers.data on the real thing: what `python -m helpers.data` fetched and what is committed."""

import logging
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from helpers import data, download

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def reviews():
    return data.load_reviews()


def test_reviews_have_their_order_size_and_digest(reviews):
    assert list(reviews.columns) == ["text", "label"]
    assert reviews["label"].tolist() == [1] * 4265 + [0] * 4265
    assert all(type(text) is str for text in reviews["text"])
    lines = [f"{label}\t{text}\n" for text, label in reviews.itertuples(index=False)]
    assert download.sha256_of_bytes("".join(lines).encode("utf-8")) == data.REVIEWS_SHA256


def test_reviews_are_whole_sentences(reviews):
    texts = reviews["text"]
    assert texts.str.len().min() == 4 and texts.str.len().max() == 267
    assert (texts == texts.str.strip()).all() and not texts.str.contains("\n").any()
    # No sentence stands twice to the letter; one pair in each class differs in its spacing or
    # punctuation alone, and no such pair is split over the classes.
    assert texts.is_unique
    compared = texts.str.lower().str.replace("[^a-z0-9]", "", regex=True)
    again = compared[compared.duplicated(keep=False)]
    assert Counter(reviews["label"].loc[again.index]) == {0: 2, 1: 2}
    assert (reviews["label"].loc[again.index].groupby(again).nunique() == 1).all()
    # Accents and the line-end look-alike U+0085 came through.
    assert texts.str.contains("é").any() and texts.str.count("\x85").sum() == 17


def test_long_reviews():
    reviews = data.load_imdb()
    assert reviews["label"].value_counts().to_dict() == {0: 12_500, 1: 12_500}
    assert reviews["text"].str.split().str.len().median() == 173
    assert not reviews["text"].str.contains(r"<br />|[\t\r\n]").any()
    assert (reviews["text"].str.len() > 20).all()


def test_human_ratings_belong_to_the_rows(reviews):
    ratings = data.load_human_ratings()
    assert list(ratings.columns) == ["rating"] and ratings.index.name == "row"
    assert (
        len(ratings) == 8469 and ratings.index.is_unique and ratings.index.is_monotonic_increasing
    )
    assert ratings["rating"].between(-4, 4).all()
    signs = np.sign(ratings["rating"])
    wanted = np.where(reviews["label"].loc[ratings.index] == 1, 1, -1)
    assert f"{(signs == wanted).mean():.1%}" == "97.0%"


def test_prices_default_range():
    prices = data.load_prices()
    assert list(prices.columns) == ["AAPL"] and prices.index.name == "date"
    assert isinstance(prices.index, pd.DatetimeIndex) and prices["AAPL"].dtype == float
    assert len(prices) == 2769
    assert prices.index[0] == pd.Timestamp("2010-01-04")
    assert prices.index[-1] == pd.Timestamp("2020-12-31")
    assert prices["AAPL"].iloc[0] == 6.496 and prices["AAPL"].iloc[-1] == 130.735
    assert (prices["AAPL"].min(), prices["AAPL"].max()) == (5.83, 134.676)
    assert "snapshot" in prices.attrs["source"]


def test_prices_order_of_columns_and_exclusive_end():
    prices = data.load_prices(("XOM", "AAPL"), start="2020-12-30", end="2020-12-31")
    assert list(prices.columns) == ["XOM", "AAPL"]
    assert list(prices.index) == [pd.Timestamp("2020-12-30")]
    assert data.load_prices("msft").columns.tolist() == ["MSFT"]
    whole = data.load_prices(start="1990-01-01", end="2022-12-29")
    assert len(whole) == 8313 and not whole.isna().any().any()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"tickers": ("AAPL", "NONESUCH")}, "not in the snapshot: NONESUCH"),
        ({"tickers": ()}, "expected names"),
        ({"tickers": ("AAPL", 3)}, "expected names"),
        ({"tickers": ("AAPL", "aapl")}, "each name once"),
        ({"start": "2020-01-02", "end": "2020-01-02"}, "start must lie before end"),
        ({"start": "soon"}, "expected dates"),
        ({"start": None}, "start must lie before end"),
        ({"start": "1989-12-31"}, "the snapshot covers"),
        ({"end": "2022-12-30"}, "the snapshot covers"),
        ({"start": "2020-01-04", "end": "2020-01-06"}, "no trading day"),
    ],
)
def test_prices_bad_arguments(arguments, words):
    with pytest.raises(ValueError, match=words):
        data.load_prices(**arguments)


def test_committed_tables_survive_windows_line_ends(tmp_path, monkeypatch):
    for name, _ in (data.HUMAN_RATINGS, data.PRICES):
        content = (data.COMMITTED / name).read_bytes()
        (tmp_path / name).write_bytes(content.replace(b"\n", b"\r\n"))
    monkeypatch.setattr(data, "COMMITTED", tmp_path)
    assert len(data.load_human_ratings()) == 8469
    assert len(data.load_prices()) == 2769


def test_altered_or_missing_committed_table(tmp_path, monkeypatch):
    content = (data.COMMITTED / "prices.csv").read_bytes()
    (tmp_path / "prices.csv").write_bytes(content.replace(b"130.735", b"190.735"))
    monkeypatch.setattr(data, "COMMITTED", tmp_path)
    with pytest.raises(
        download.DataError, match=r"altered[\s\S]*git checkout -- helpers/tables/prices.csv"
    ):
        data.load_prices()
    with pytest.raises(download.DataError, match=r"cannot be read[\s\S]*human_ratings.csv"):
        data.load_human_ratings()
    assert {item: ok for item, ok, _ in data.check_files()} == {
        "reviews": True,
        "long reviews": True,
        "encoder minilm": True,
        "human ratings": False,
        "price snapshot": False,
    }


def test_encoder_reads_and_says_nothing(capfd, caplog):
    caplog.set_level(logging.INFO)
    tokenizer, model = data.load_encoder()
    assert capfd.readouterr() == ("", "") and not caplog.records
    assert tokenizer.is_fast and tokenizer.model_max_length == 512
    assert tokenizer("Hello there!")["input_ids"] == [101, 7592, 2045, 999, 102]
    assert type(model).__name__ == "BertModel" and not model.training
    assert sum(weight.numel() for weight in model.parameters()) == 22_713_216
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    batch = tokenizer(["It is good.", "It is very good indeed."], padding=True, return_tensors="pt")
    with torch.no_grad():
        states = model(**batch).last_hidden_state
    assert states.shape == (2, batch["input_ids"].shape[1], 384)
    assert next(data.load_encoder(device="meta")[1].parameters()).device.type == "meta"


def test_encoder_unknown_name():
    with pytest.raises(ValueError, match=r"no encoder 'gpt'; there are 'minilm'"):
        data.load_encoder("gpt")


def test_second_fetch_is_light():
    """With all in place nothing heavy is imported and nothing is asked of the network."""
    program = (
        "import socket, sys\n"
        "def refuse(*_):\n    raise SystemExit('asked the network')\n"
        "socket.getaddrinfo = socket.socket.connect = refuse\n"
        "from helpers import data\n"
        "code = data.main([])\n"
        "heavy = {'torch', 'transformers', 'requests', 'yfinance'} & set(sys.modules)\n"
        "sys.exit(code or (f'imported {heavy}' if heavy else 0))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("OK  ") == 5 and not run.stderr
