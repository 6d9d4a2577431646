"""helpers.data on the real thing: what `python -m helpers.data` fetched and what is committed."""

import hashlib
import logging
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from helpers import data

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def reviews():
    return data.load_reviews()


def test_reviews_have_their_order_size_and_digest(reviews):
    assert list(reviews.columns) == ["text", "label"]
    assert reviews["label"].tolist() == [1] * 4265 + [0] * 4265
    assert all(type(text) is str for text in reviews["text"])
    lines = [f"{label}\t{text}\n" for text, label in reviews.itertuples(index=False)]
    digest = hashlib.sha256("".join(lines).encode("utf-8")).hexdigest()
    assert digest == "481cc37ac8fd5b4e5beeb346cb07c2a990b08a5604140b40392fbee2318ab2fd"


def test_long_reviews_and_human_ratings(reviews):
    long = data.load_imdb()
    assert long["label"].value_counts().to_dict() == {0: 12_500, 1: 12_500}
    ratings = data.load_human_ratings()
    assert list(ratings.columns) == ["rating"] and ratings.index.name == "row"
    signs = np.sign(ratings["rating"])
    wanted = np.where(reviews["label"].loc[ratings.index] == 1, 1, -1)
    assert f"{(signs == wanted).mean():.1%}" == "97.0%"


def test_series_of_the_book():
    bikes = data.load_bikes()
    assert (
        len(bikes) == 8645 and bikes.index.is_monotonic_increasing and not bikes.isna().any().any()
    )
    assert (
        bikes.index[0] == pd.Timestamp("2011-01-01")
        and str(bikes.index[-1])[:13] == "2011-12-31 23"
    )
    assert bikes["bikers"].iloc[:3].tolist() == [16, 40, 32]
    weekend = bikes.index.day_of_week >= 5
    assert not bikes["workingday"][weekend].any() and bikes["workingday"][~weekend].mean() > 0.9
    assert bikes["weather"].value_counts().to_dict() == {0: 5645, 1: 2218, 2: 781, 3: 1}
    volume = data.load_volume()
    assert list(volume.columns) == ["volume", "return", "volatility", "weekday", "train"]
    assert len(volume) == 6051 and volume["train"].sum() == 4281
    assert not volume["train"]["1980":].any() and volume["train"][:"1979"].all()
    assert volume.iloc[0, :4].tolist() == [0.032573, -0.004461, -13.1274025527484, 0]


def test_prices_default_range():
    prices = data.load_prices()
    assert list(prices.columns) == ["AAPL"] and prices.index.name == "date"
    assert isinstance(prices.index, pd.DatetimeIndex) and prices["AAPL"].dtype == float
    assert len(prices) == 2769
    assert prices.index[0] == pd.Timestamp("2010-01-04")
    assert prices.index[-1] == pd.Timestamp("2020-12-31")
    assert prices["AAPL"].iloc[0] == 6.496 and prices["AAPL"].iloc[-1] == 130.735
    assert "snapshot" in prices.attrs["source"]


def test_prices_order_of_columns_and_exclusive_end():
    prices = data.load_prices(("XOM", "AAPL"), start="2020-12-30", end="2020-12-31")
    assert list(prices.columns) == ["XOM", "AAPL"]
    assert list(prices.index) == [pd.Timestamp("2020-12-30")]
    assert data.load_prices("msft").columns.tolist() == ["MSFT"]
    whole = data.load_prices(start="1990-01-01", end="2022-12-29")
    assert len(whole) == 8313 and not whole.isna().any().any()


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (date(2020, 1, 2), date(2020, 1, 9)),
        (pd.Timestamp("2020-01-02", tz="UTC"), pd.Timestamp("2020-01-09", tz="Asia/Tokyo")),
        ("2020-01-02 15:30", pd.Timestamp("2020-01-09 23:59", tz="America/New_York")),
        (np.datetime64("2020-01-02"), "2020-01-09T00:00+05:00"),
    ],
)
@pytest.mark.parametrize("live", [False, True])
def test_every_kind_of_date_means_its_calendar_day(monkeypatch, start, end, live):
    yfinance = pytest.importorskip("yfinance")
    monkeypatch.setattr(yfinance, "download", lambda *_, **asked: asked_for.update(asked))
    asked_for = {}
    days = data.load_prices("AAPL", start, end, live=live).index
    assert [day.day for day in days] == [2, 3, 6, 7, 8]
    if live:
        assert (asked_for["start"], asked_for["end"]) == ("2020-01-02", "2020-01-09")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"tickers": ("AAPL", "NONESUCH")}, "not in the snapshot: NONESUCH.*live=True"),
        ({"tickers": ()}, "expected names"),
        ({"tickers": ("AAPL", 3)}, "expected names"),
        ({"tickers": ("AAPL", "aapl")}, "each once"),
        ({"start": "2020-01-02", "end": "2020-01-02"}, "start must lie before end"),
        ({"start": "2010-13-01"}, "expected dates"),
        ({"start": 2010}, "expected dates"),
        ({"start": "01.02.2010"}, "expected dates"),  # the second of January, says pandas
        ({"end": pd.NaT}, "expected dates"),
        ({"start": "1989-12-31"}, "the snapshot covers"),
        ({"end": "2022-12-30"}, "the snapshot covers"),
        ({"start": "2020-01-04", "end": "2020-01-06"}, "no trading day"),
    ],
)
def test_prices_bad_arguments(arguments, words):
    with pytest.raises(ValueError, match=words):
        data.load_prices(**arguments)


def test_committed_tables_survive_windows_line_ends(tmp_path, monkeypatch):
    for name in ("human_ratings.csv", "prices.csv"):
        content = (data.TABLES / name).read_bytes()
        (tmp_path / name).write_bytes(content.replace(b"\n", b"\r\n"))
    monkeypatch.setattr(data, "TABLES", tmp_path)
    assert len(data.load_human_ratings()) == 8469
    assert len(data.load_prices()) == 2769


def test_altered_or_missing_committed_table(tmp_path, monkeypatch):
    content = (data.TABLES / "prices.csv").read_bytes()
    (tmp_path / "prices.csv").write_bytes(content.replace(b"130.735", b"190.735"))
    monkeypatch.setattr(data, "TABLES", tmp_path)
    for load, name in ((data.load_prices, "prices"), (data.load_human_ratings, "human_ratings")):
        with pytest.raises(data.DataError, match=rf"git checkout -- helpers/tables/{name}.csv"):
            load()
    assert [ok for _, ok, _ in data.check_files()] == [True, True, True, True, False, False]


def test_encoder_reads_and_says_nothing(capfd, caplog):
    caplog.set_level(logging.INFO)
    tokenizer, model = data.load_encoder()
    assert capfd.readouterr() == ("", "") and not caplog.records
    assert tokenizer.is_fast and tokenizer.model_max_length == 512
    assert tokenizer("Hello there!")["input_ids"] == [101, 7592, 2045, 999, 102]
    assert type(model).__name__ == "BertModel" and not model.training
    assert sum(weight.numel() for weight in model.parameters()) == 22_713_216
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert next(data.load_encoder(device="meta")[1].parameters()).device.type == "meta"
    with pytest.raises(ValueError, match=r"no encoder 'gpt'; there are 'minilm'"):
        data.load_encoder("gpt")


def test_second_fetch_is_light():
    """With all in place nothing heavy is imported and nothing is asked of the network."""
    program = (
        "import socket, sys\n"
        "def refuse(*_):\n    raise SystemExit('asked the network')\n"
        "socket.getaddrinfo = socket.socket.connect = refuse\n"
        "from helpers import data\n"
        "code = data.main()\n"
        "heavy = {'torch', 'transformers', 'requests', 'yfinance'} & set(sys.modules)\n"
        "sys.exit(code or (f'imported {heavy}' if heavy else 0))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("OK  ") == 6 and not run.stderr
