"""Live prices: whatever comes instead of Yahoo's answer, the snapshot serves and one line says why.

`yfinance.download` is replaced by stubs, or led to the loopback interface.
"""

import _thread
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yfinance

from helpers import data

JANUARY = {"start": "2020-01-02", "end": "2020-01-09"}
DAYS = pd.DatetimeIndex(["2020-01-02", "2020-01-03", "2020-01-06", "2020-01-07", "2020-01-08"])
PAIR = ("AAPL", "MSFT")


def answer(days=DAYS, tickers=PAIR, price=74.0):
    """A frame like yfinance's: columns (field, ticker)."""
    columns = pd.MultiIndex.from_product([["Close", "Volume"], tickers], names=["Price", "Ticker"])
    return pd.DataFrame(price, index=pd.Index(days, name="Date"), columns=columns)


@pytest.fixture
def yahoo(monkeypatch):
    """Makes yfinance answer with a frame, or by a function without arguments."""

    def say(what):
        download = what if callable(what) else lambda: what
        monkeypatch.setattr(yfinance, "download", lambda *_, **__: download())

    return say


def with_value(value, day="2020-01-06", ticker="MSFT"):
    frame = answer()
    frame.loc[day, ("Close", ticker)] = value
    return frame


def raising(error):
    def fail():
        raise error

    return fail


YEARS = data.load_prices().index


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (with_value(np.nan), "MSFT on 2020-01-06: expected a price, got nan"),
        (with_value(np.inf), "MSFT on 2020-01-06: expected a price, got inf"),
        (with_value(0.0, "2020-01-08", "AAPL"), "AAPL on 2020-01-08: expected a price, got 0"),
        (with_value(-3.0), "MSFT on 2020-01-06: expected a price, got -3"),
        (with_value(pd.NA).astype("Int64"), "MSFT on 2020-01-06: expected a price, got nan"),
        (answer(tickers=("AAPL",)), "nothing for MSFT"),
        (with_value(np.nan, DAYS), "nothing for MSFT"),
        (answer(DAYS[[0, 1, 2, 2, 3, 4]]), "AAPL, MSFT: 2020-01-06 follows 2020-01-06"),
        (answer(DAYS[[0, 2, 1, 3, 4]]), "AAPL, MSFT: 2020-01-03 follows 2020-01-06"),
        (answer([*DAYS[:4], pd.NaT]), "AAPL, MSFT: NaT follows 2020-01-07"),
        (answer(DAYS[[0, 1, 3, 4]]), "AAPL, MSFT: no price on the trading day 2020-01-06"),
        (answer(DAYS + pd.Timedelta(days=366)), "AAPL, MSFT: no price on the trading day 2020-01"),
        (answer(["one", "two", "three", "four", "five"]), "an answer of another form"),
        (answer()["Close"], "an answer of another form"),  # no field
        (
            answer().set_axis(["Close", "Close", "Volume", "Volume"], axis=1),
            "an answer of another form",
        ),
        (answer().swaplevel(axis=1), "an answer of another form"),  # grouped by ticker
        (answer(tickers=("AAPL", "AAPL", "MSFT")), "an answer of another form"),
        (answer().iloc[:0], "the answer was empty"),
        (None, "the answer was empty"),
        ("Will be right back", "the answer was empty"),
        (answer(price="closed"), "an answer of another form"),
        (raising(ImportError("gone")), "yfinance failed with ImportError"),
        (raising(RuntimeError("changed\nin many\nlines")), "yfinance failed with RuntimeError"),
    ],
)
def test_unusable_answers(yahoo, capfd, what, reason):
    yahoo(what)
    prices = data.load_prices(PAIR, live=True, **JANUARY)
    pd.testing.assert_frame_equal(prices, data.load_prices(PAIR, **JANUARY))
    assert prices.attrs["source"].startswith("committed snapshot")
    said = capfd.readouterr()
    first, second = said.out.splitlines()
    assert f"no usable prices ({reason}" in first and first.endswith("snapshot instead")
    assert second.startswith("prices: committed snapshot") and said.err == ""


def test_the_snapshot_serves_as_far_as_it_goes(yahoo, capsys):
    yahoo(None)
    prices = data.load_prices(start="2022-12-01", end=pd.Timestamp.now(), live=True)
    pd.testing.assert_frame_equal(prices, data.load_prices(start="2022-12-01", end="2022-12-29"))
    assert "the snapshot ends on 2022-12-28\n" in capsys.readouterr().out
    with pytest.raises(ValueError, match="the snapshot covers"):
        data.load_prices(start="2023-02-01", end=pd.Timestamp.now(), live=True)


def test_ten_days_are_not_eleven_years(yahoo, capsys):
    yahoo(answer(YEARS[:10]))
    assert len(data.load_prices(PAIR, live=True)) == 2769
    assert "no price on the trading day 2010-01-19" in capsys.readouterr().out


def time_zones(*zones):
    stamps = [pd.Timestamp(day, tz=zone) for day, zone in zip(DAYS, zones, strict=True)]
    return answer(pd.Index(stamps, dtype=object))


@pytest.mark.parametrize(
    "what",
    [
        answer(),
        answer(price=74),
        answer().astype("Float64"),
        answer().set_axis(["Close", "Open", "High", "Low"], axis=1),  # flat columns
        answer(DAYS.tz_localize("America/New_York")),
        answer(DAYS.tz_localize("Asia/Tokyo") + pd.Timedelta(hours=9)),
        time_zones("Etc/GMT+5", "Etc/GMT+4", "Asia/Tokyo", None, "UTC"),
        answer([f"{day:%Y-%m-%d}" for day in DAYS]),
        answer([day.date() for day in DAYS]),
        answer([*DAYS, pd.Timestamp("2020-01-09")]),  # a day more than asked for
    ],
    ids=["usual", "int", "Float64", "flat", "zone", "Tokyo", "mixed zones", "str", "date", "more"],
)
def test_usable_answers(yahoo, capsys, what):
    yahoo(what)
    prices = data.load_prices(live=True, **JANUARY)
    expected = data.load_prices(**JANUARY) * 0 + 74.0
    pd.testing.assert_frame_equal(prices, expected)
    assert prices.attrs["source"].startswith("Yahoo")
    assert capsys.readouterr().out == f"prices: {prices.attrs['source']}\n"


def weekdays(start, end):
    return pd.bdate_range(start, end, inclusive="left")


TODAY = pd.Timestamp.now().normalize()
ONE = pd.Timedelta(days=1)


@pytest.mark.parametrize(
    ("days", "start", "end", "reason"),
    [
        (weekdays("2011-01-01", "2013-01-01"), "2011-01-01", "2013-01-01", None),
        # an exchange that closes for ten days, as Tokyo's did
        (weekdays("2019-03-01", "2019-04-27").append(weekdays("2019-05-07", "2019-07-01")),
         "2019-03-01", "2019-07-01", None),
        (weekdays("2019-03-01", "2019-04-27").append(weekdays("2019-05-08", "2019-07-01")),
         "2019-03-01", "2019-07-01", "no price between 2019-04-26 and 2019-05-08"),
        # listed later, delisted earlier
        (weekdays("2011-06-01", "2013-01-01"), "2011-01-01", "2013-01-01",
         "no price between 2010-12-31 and 2011-06-01"),
        (weekdays("2011-01-01", "2012-06-01"), "2011-01-01", "2013-01-01",
         "no price between 2012-05-31 and 2013-01-01"),
        # one price per week
        (pd.date_range("2011-01-03", "2013-01-01", freq="7D"), "2011-01-01", "2013-01-01",
         "prices on 105 days, there were 521 weekdays"),
        # days to come are not expected, days that were are
        (weekdays(TODAY - 60 * ONE, TODAY), TODAY - 60 * ONE, TODAY + 60 * ONE, None),
        (weekdays(TODAY - 60 * ONE, TODAY + ONE), TODAY - 60 * ONE, TODAY + 60 * ONE, None),
        (weekdays(TODAY - 60 * ONE, TODAY - 20 * ONE), TODAY - 60 * ONE, TODAY + 60 * ONE,
         "no price between"),
        (weekdays(TODAY - 60 * ONE, TODAY), TODAY + 5 * ONE, TODAY + 60 * ONE, "prices on 0 days"),
    ],
)  # fmt: skip
def test_coverage_of_a_company_that_the_snapshot_lacks(yahoo, capsys, days, start, end, reason):
    yahoo(answer(days, ["TSLA"]))
    if reason is None:
        pd.testing.assert_index_equal(
            data.load_prices("TSLA", start, end, live=True).index,
            days[days < TODAY],  # today's may not be the close yet
            exact=False,
            check_names=False,
        )
    else:
        with pytest.raises(ValueError, match=r"not in the snapshot: TSLA[^;]*$"):
            data.load_prices("TSLA", start, end, live=True)
        assert f"(TSLA: {reason}" in capsys.readouterr().out


def test_slow_answer_is_not_awaited_and_says_nothing_later(
    yahoo, capfd, caplog, recwarn, monkeypatch
):
    monkeypatch.setattr(data, "LIVE_SECONDS", 0.3)
    go_on = threading.Event()

    def say(when):
        logging.getLogger("yfinance").error(when)
        warnings.warn_explicit(when, FutureWarning, "multi.py", 1, module="yfinance.multi")

    def slow():
        say("too early")
        go_on.wait(20)
        say("too late")
        raise RuntimeError("too late")

    yahoo(slow)
    start = time.monotonic()
    assert len(data.load_prices(live=True, **JANUARY)) == 5
    assert time.monotonic() - start < 5
    (thread,) = [thread for thread in threading.enumerate() if thread.name == data.LIVE_THREAD]
    go_on.set()
    thread.join(20)
    assert thread.daemon and not thread.is_alive()
    said = capfd.readouterr()
    assert "no answer within 0.3 seconds" in said.out and said.err == ""
    assert not recwarn.list and not caplog.records
    logging.getLogger("yfinance").error("the reader's own")
    assert [record.message for record in caplog.records] == ["the reader's own"]


def test_control_c_comes_through(yahoo):
    def interrupted():
        _thread.interrupt_main()
        time.sleep(5)

    yahoo(interrupted)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        data.load_prices(live=True, **JANUARY)
    assert time.monotonic() - start < 4


def test_proxy_that_accepts_and_never_answers():
    """The real yfinance, which would ask for minutes; the process ends all the same."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        ways = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
        program = (
            "from helpers import data; import yfinance; data.LIVE_SECONDS = 1\n"
            "print(len(data.load_prices(('AAPL', 'MSFT'), live=True)))"
        )
        run = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, **dict.fromkeys(ways, address), "NO_PROXY": "", "no_proxy": ""},
            cwd=Path(__file__).resolve().parent.parent,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert run.returncode == 0 and run.stderr == ""
        assert "no answer within 1 seconds" in run.stdout and run.stdout.endswith("2769\n")
        proxy.settimeout(1)
        proxy.accept()  # it was asked


@pytest.mark.parametrize("fault", [None, "429", "other page"])
def test_the_real_yfinance_on_a_loopback_yahoo(monkeypatch, tmp_path, capfd, fault):
    from yfinance import base
    from yfinance.data import YfData
    from yfinance.scrapers import history

    from tests.test_data_faults import Server, with_status

    stamps = [int(day.timestamp()) + 34200 for day in DAYS.tz_localize("America/New_York")]
    values = [74.0, 75.5, 73.25, 75.0, 76.0]
    zone = {"exchangeTimezoneName": "America/New_York", "dataGranularity": "1d", "priceHint": 2}
    meta = zone | {"currency": "USD", "symbol": "AAPL", "validRanges": ["1d", "max"]}
    meta |= {"instrumentType": "EQUITY", "regularMarketTime": stamps[-1], "timezone": "EST"}
    meta |= {"gmtoffset": -18000, "firstTradeDate": 345479400}
    quote = dict.fromkeys(("open", "high", "low", "close"), values) | {"volume": [1] * 5}
    indicators = {"quote": [quote], "adjclose": [{"adjclose": values}]}
    result = {"meta": meta, "timestamp": stamps, "indicators": indicators}
    content = json.dumps({"chart": {"result": [result], "error": None}}).encode()
    answers = {
        None: with_status(200, content),
        "429": with_status(429, b"Too Many Requests"),
        "other page": with_status(200, b"<html>Will be with you soon</html>"),
    }
    server = Server()
    server.answers["/v8/finance/chart/AAPL"] = answers[fault]
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(base, "_BASE_URL_", server.address)
    monkeypatch.setattr(history, "_BASE_URL_", server.address)
    monkeypatch.setattr(YfData, "_get_cookie_and_crumb", lambda *_, **__: (None, "basic"))
    yfinance.set_tz_cache_location(str(tmp_path))
    prices = data.load_prices(live=True, **JANUARY)
    server.close()
    assert "/v8/finance/chart/AAPL" in server.asked
    assert prices.attrs["source"].startswith("committed" if fault else "Yahoo")
    assert fault or prices["AAPL"].tolist() == values
    assert capfd.readouterr().err == ""
