"""helpers.own: forecasts continue the series, keep their promises, and outlast the process."""

import json
import os
import re
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch

from helpers import data, own
from helpers.own import Forecaster

NOTEBOOK = Path(__file__).resolve().parent.parent / "notebooks" / "05_stock_forecasting.ipynb"


@pytest.fixture(autouse=True, scope="module")
def short_training():
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"EPOCHS": 2, "MORE_EPOCHS": 1, "PER_EPOCH": 256}.items():
            patch.setattr(own, name, value)
        yield


def sales(days=300, future=14, noise=1.0, freq="D", start="2023-01-02"):
    """Weekly pattern, promotions that lift sales, and rows in which only the latter are known."""
    draw = np.random.default_rng(0)
    index = pd.date_range(start, periods=days + future, freq=freq, name="time")
    promotion = (draw.random(len(index)) < 0.3).astype(float)
    weekly = 10 * np.sin(2 * np.pi * np.arange(len(index)) / 7)
    values = 100 + weekly + 30 * promotion + noise * draw.standard_normal(len(index))
    values[days:] = np.nan
    return pd.DataFrame({"sales": values, "promotion": promotion}, index)


@pytest.fixture(scope="module")
def table():
    return sales()


@pytest.fixture(scope="module")
def fitted(table):
    return Forecaster(7, known=["promotion"]).fit(table)


# --- What it forecasts -------------------------------------------------------------------------


def test_it_continues_the_table_and_knows_the_promotions(fitted, table):
    found = fitted.forecast(table)
    pd.testing.assert_index_equal(found.index, table.index[300:307])
    assert [*found] == ["forecast", "low", "high"] and found.notna().all(axis=None)
    assert fitted.target == "sales" and fitted.known == ["promotion"] and fitted.season in (1, 7)
    # A linear effect of what is known: the linear model finds it, and is chosen.
    assert fitted.chosen == "linear" and fitted.report.loc["linear", "high"] < 0.5
    lifted = table.copy()
    lifted.iloc[302, 1] = 1 - lifted.iloc[302, 1]
    change = (fitted.forecast(lifted)["forecast"] - found["forecast"]).to_numpy()
    sign = 1 if lifted.iloc[302, 1] else -1
    assert 25 < sign * change[2] < 35 and np.abs(np.delete(change, 2)).max() < 5


def test_band_holds_what_it_promises(fitted, table):
    assert 0.8 < fitted.coverage <= 1
    width = fitted.forecast(table).eval("high - low")
    assert width.between(2, 8).all()  # of a noise of spread 1, 90% lie within 3.3


def test_windows_hold_what_the_docstring_says(fitted, table):
    windows = fitted.windows(table)
    count, length = windows["past"].shape[:2]
    assert count == 300 - 7 - fitted.first and length == fitted.length
    mean, spread = (pair[0] for pair in fitted.scaling)
    expected = (table["sales"].to_numpy() - mean) / spread
    now = fitted.first + 40
    np.testing.assert_allclose(
        windows["past"][40, :, 0], expected[now - length + 1 : now + 1], rtol=1e-5
    )
    np.testing.assert_allclose(windows["goal"][40], expected[now + 1 : now + 8], rtol=1e-5)
    back = expected[now + 1 - fitted.season : now + 8 - fitted.season]
    if fitted.season == 7:
        np.testing.assert_allclose(windows["base"][40], back, rtol=1e-5)
    promotion = table["promotion"].to_numpy()[now + 1 : now + 8]
    assert np.corrcoef(windows["ahead"][40, :, 0], promotion)[0, 1] > 0.999


def test_no_part_has_seen_what_comes_after_it(table):
    start = 300 - 36  # of the last of three parts
    later = table.copy()
    later.iloc[start:, 0] *= 2
    one, other = Forecaster(7).fit(table).errors, Forecaster(7).fit(later).errors
    for method in own.METHODS:
        for part in (0, 1):
            np.testing.assert_array_equal(one[method][part], other[method][part])
        first = [  # the forecast from the day before that part
            frame["sales"].to_numpy()[start : start + 7] - errors[method][2][0]
            for frame, errors in ((table, one), (later, other))
        ]
        np.testing.assert_allclose(first[0], first[1], rtol=1e-9)


def test_what_is_only_measured_is_not_known_ahead():
    """Visitors are counted with the sales, which are reported a day later."""
    draw, late = np.random.default_rng(2), sales(300, 1)[["sales"]]
    late["sales"] = 100 + 10 * draw.standard_normal(301)
    late["visitors"] = late["sales"] + draw.standard_normal(301)
    late.iloc[300, 0] = np.nan
    assert Forecaster(1, known=["visitors"]).fit(late).report.loc["linear", "ratio"] < 0.2
    safe = Forecaster(1).fit(late)
    assert safe.known == [] and safe.report["ratio"].min() > 0.5
    other = late.copy()
    other.iloc[300, 1] += 50
    pd.testing.assert_frame_equal(safe.forecast(late), safe.forecast(other))
    for start in (192 + 36, 192 + 72):  # the first forecast of a part, from the day before it
        other = late.copy()
        other.iloc[start:, 1] += 50
        moved = Forecaster(1).fit(other)
        part = (start - 192) // 36
        for method in own.METHODS:
            np.testing.assert_allclose(
                moved.errors[method][part][0], safe.errors[method][part][0], rtol=1e-6
            )


def test_blocks_are_as_long_as_the_errors_remember(monkeypatch):
    used, ratio = [], own.error_ratio
    monkeypatch.setattr(
        own, "error_ratio", lambda *a, block: used.append(block) or ratio(*a, block=block)
    )
    Forecaster(5).fit(sales(400, 0, freq="B")[["sales"]])
    assert min(used) >= 5 + 5  # a horizon and a season
    draw, forecaster = np.random.default_rng(0), Forecaster(1)
    forecaster.season = 7
    noise = {m: draw.standard_normal((2000, 1)) for m in own.METHODS}
    used.clear()
    forecaster._choose({m: [e] for m, e in noise.items()}, least=3)
    assert max(used) < 20
    slow = {
        m: np.exp(np.convolve(draw.standard_normal(2199), np.ones(200) / 14, "valid")[:, None])
        for m in own.METHODS
    }
    used.clear()
    forecaster._choose({m: [e] for m, e in slow.items()}, least=3)
    assert min(used) > 50


def test_the_same_seed_gives_the_same_network(table):
    errors = [Forecaster(7, seed=seed).fit(table).errors["GRU"] for seed in (0, 0, 1)]
    np.testing.assert_array_equal(errors[0], errors[1])
    assert not np.array_equal(errors[0], errors[2])


def test_the_network_is_used_where_it_is_better(table, monkeypatch):
    for name, value in {"EPOCHS": 20, "BATCH": 32, "PER_EPOCH": 2048}.items():
        monkeypatch.setattr(own, name, value)
    index = pd.date_range("2020-01-01", periods=900, freq="h", name="time")
    switch = np.sign(np.sin(np.arange(924) / 5.1)) * np.sign(np.sin(np.arange(924) / 3.3))
    other = np.sign(np.sin(np.arange(924) / 7.7))
    future = pd.date_range(index[0], periods=924, freq="h", name="time")
    frame = pd.DataFrame({"y": 10 * switch * other, "a": switch, "b": other}, future)  # a product
    frame.iloc[900:, 0] = np.nan
    forecaster = Forecaster(6, known=["a", "b"]).fit(frame)
    assert forecaster.chosen == "GRU" and forecaster.verdict.startswith(
        "Use the GRU: its error is 0."
    )
    again = forecaster.forecast(frame)["forecast"]
    came = 10 * switch * other
    assert np.abs(again - came[900:906]).mean() < 5


@pytest.mark.parametrize(
    "sizes, chosen, words",
    [
        ((2.0, 1.5, 1.0), "GRU", r"Use the GRU: its error is 0\.5.* of the linear model\.$"),
        ((2.0, 1.0, 1.0), "linear", "Use the linear model: .* shows no gain"),
        ((2.0, 1.0, 1.5), "linear", "GRU's is 1.7.* shows no gain"),
        ((1.0, 1.0, 1.02), "seasonal naive", "Use the value 7 steps before: neither .* is shown"),
        ((0.0, 1.0, 1.0), "seasonal naive", "neither"),
    ],
)
def test_choice_and_verdict(sizes, chosen, words):
    forecaster, draw = Forecaster(1), np.random.default_rng(1)
    forecaster.season = 7
    errors = {
        m: [s * draw.standard_normal((200, 1))] for m, s in zip(own.METHODS, sizes, strict=True)
    }
    if sizes[1] == sizes[2]:
        errors["GRU"] = errors["linear"]
    forecaster._choose(errors, least=7)
    assert forecaster.chosen == chosen and re.search(words, forecaster.verdict)
    assert "hint" not in forecaster.verdict
    forecaster._choose({m: [e[0][:40]] for m, e in errors.items()}, least=7)
    assert forecaster.verdict.endswith("a hint, no proof.")


def test_the_band_is_wide_where_errors_are_large():
    draw = np.random.default_rng(0)
    phases = draw.integers(4, size=(4000, 3))
    errors = draw.standard_normal((4000, 3)) * np.array([1, 2, 4]) * np.array([1, 3, 1, 2])[phases]
    errors[::50] = np.nan
    low, high = own._edges(own._band(errors, phases, 4), phases)
    inside = (errors > low) & (errors < high)
    for group in [phases == p for p in range(4)]:
        assert 0.88 < inside[group & ~np.isnan(errors)].mean() < 0.92
    few = own._band(errors[1:9], phases[1:9], 4)["edges"]
    assert np.ptp(few) > np.ptp(own._band(errors, phases, 4)["edges"]) - 1.5


def test_holes_are_filled_and_not_counted(table):
    holed = table.copy()
    holed.iloc[[50, 51, 250], 0] = np.nan
    holed.iloc[[60, 260], 1] = np.nan
    forecaster = Forecaster(7).fit(holed)
    assert sum(np.isnan(part).sum() for part in forecaster.errors["linear"]) >= 4
    assert forecaster.forecast(holed).notna().all(axis=None)
    values, measured, *_ = forecaster._arrays(holed)
    assert values[50, 0] == holed.iloc[43, 0] and values[60, 1] == holed.iloc[59, 1]
    assert not measured[250] and measured[:300].sum() == 297


def test_what_never_was_negative_is_not_forecast_so():
    table = sales(future=0)[["sales"]]
    table["sales"] = (table["sales"] - 100).clip(lower=0)
    found = Forecaster(7).fit(table).forecast(table)
    assert (found >= 0).all(axis=None) and (found["low"] == 0).any()


@pytest.mark.parametrize(
    "freq, rows, steps",
    [("MS", 150, 6), ("QS", 120, 4), ("YS", 120, 2), ("7D", 260, 4), ("B", 300, 5), ("h", 400, 24),
     ("15min", 800, 8), ("10s", 200, 3)],
)  # fmt: skip
def test_every_frequency(freq, rows, steps):
    table = sales(rows, 0, freq=freq)[["sales"]]
    found = Forecaster(steps).fit(table).forecast(table)
    expected = pd.date_range(table.index[0], periods=rows + steps, freq=freq)[rows:]
    pd.testing.assert_index_equal(found.index, expected, check_names=False, exact=False)
    assert found.notna().all(axis=None)


# --- What it refuses ---------------------------------------------------------------------------


def test_it_says_what_is_missing(fitted, table):
    with pytest.raises(
        ValueError, match=r"7 rows with promotion after .*2023-10-28\), got 2: 5 are"
    ):
        fitted.forecast(table.iloc[:302])
    with pytest.raises(ValueError, match=r"expected 20 rows with promotion .* 6 are missing"):
        Forecaster(20, known="promotion").fit(table)
    gap = table.copy()
    gap.iloc[303, 1] = np.nan
    with pytest.raises(ValueError, match="got 3: 4 are missing"):
        fitted.forecast(gap)
    with pytest.raises(ValueError, match="columns sales, promotion, got none named promotion"):
        fitted.forecast(table[["sales"]])
    with pytest.raises(ValueError, match="expected a table in days, got one in hours"):
        fitted.forecast(sales(freq="h"))
    with pytest.raises(ValueError, match="expected at least 14 rows of sales, got 10"):
        fitted.forecast(table.iloc[290:])
    for strange in ("sales", "weather"):
        with pytest.raises(ValueError, match=f"known columns among promotion, got {strange}"):
            Forecaster(7, known=["promotion", strange]).fit(table)


@pytest.mark.parametrize("rows, steps", [(60, 7), (300, 200), (300, 1000)])
def test_too_short_a_series_says_what_it_takes(rows, steps):
    table = sales(rows, 0)[["sales"]]
    with pytest.raises(
        ValueError, match=rf"at least \d+ days of sales .* {steps} .*, got {rows}"
    ) as e:
        Forecaster(steps).fit(table)
    need = int(re.search(r"at least (\d+)", str(e.value))[1])
    assert need > rows
    if steps == 7:
        enough = sales(need + 5, 0)[["sales"]]
        Forecaster(steps).fit(enough)


@pytest.mark.parametrize("steps", [0, -1, 2.0, True, "7"])
def test_steps_are_a_whole_number(steps):
    with pytest.raises(ValueError, match="whole number of steps of at least 1, got"):
        Forecaster(steps)


# --- Save and load -----------------------------------------------------------------------------


@pytest.fixture(params=own.METHODS)
def any_method(request, table, monkeypatch):
    def choose(self, errors, least, original=Forecaster._choose):
        original(self, errors, least)
        self.chosen = request.param

    monkeypatch.setattr(Forecaster, "_choose", choose)
    return Forecaster(7, known=["promotion"]).fit(table)


def test_loaded_it_forecasts_the_same(any_method, table, tmp_path):
    expected = any_method.forecast(table)
    any_method.save(tmp_path / "saved")
    assert len([*(tmp_path / "saved").iterdir()]) == 2
    loaded = Forecaster.load(str(tmp_path / "saved"))
    torch.manual_seed(5)
    pd.testing.assert_frame_equal(loaded.forecast(table), expected, check_exact=True)
    for name in own.SAVED:
        assert getattr(loaded, name) == getattr(any_method, name), name
    pd.testing.assert_frame_equal(loaded.report, any_method.report)
    grown = sales(305)  # and it goes on with what has come since
    assert loaded.forecast(grown).index[0] == table.index[305]


def test_a_broken_save_leaves_the_former_one(fitted, table, tmp_path, monkeypatch):
    fitted.save(tmp_path)
    expected, other = fitted.forecast(table), Forecaster(3).fit(table)
    replace = os.replace

    def fail_at(name):
        def fails(source, target):
            if name in Path(target).name:
                raise OSError("no space left")
            return replace(source, target)

        return fails

    for name in ("weights-", "settings"):
        monkeypatch.setattr(own.os, "replace", fail_at(name))
        with pytest.raises(OSError, match="no space"):
            other.save(tmp_path)
        pd.testing.assert_frame_equal(Forecaster.load(tmp_path).forecast(table), expected)
    monkeypatch.undo()
    other.save(tmp_path)
    assert Forecaster.load(tmp_path).steps == 3
    assert len([*tmp_path.glob("*.safetensors")]) == 1


def test_load_refuses_what_does_not_fit(fitted, tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"saved Forecaster in .*, got no settings.json there"
    ):
        Forecaster.load(tmp_path / "nowhere")
    fitted.save(tmp_path)
    settings = tmp_path / "settings.json"
    good = settings.read_text()
    for bad in ("{", "[]", "{}", '"text"'):
        settings.write_text(bad)
        with pytest.raises(ValueError, match=r"settings of a Forecaster in .*, got others"):
            Forecaster.load(tmp_path)
    settings.write_text(good.replace('"format": 1', '"format": 2'))
    with pytest.raises(ValueError, match="format 1, got 2: fit and save anew"):
        Forecaster.load(tmp_path)
    settings.write_text(good.replace('"steps": 7', '"steps": 8'))
    with pytest.raises(ValueError, match="as they were saved, got changed ones"):
        Forecaster.load(tmp_path)
    settings.write_text(good)
    for elsewhere in (".", "../other.safetensors", f"../{json.loads(good)['weights']}", 3):
        settings.write_text(json.dumps(json.loads(good) | {"weights": elsewhere}))
        with pytest.raises(ValueError, match=r"settings of a Forecaster in .*, got others"):
            Forecaster.load(tmp_path)
    settings.write_text(good)
    weights = tmp_path / json.loads(good)["weights"]
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + b"!")
    with pytest.raises(ValueError, match="got changed ones"):
        Forecaster.load(tmp_path)
    weights.unlink()
    with pytest.raises(FileNotFoundError, match=r"got no weights-.*\.safetensors there"):
        Forecaster.load(tmp_path)


# --- The section of notebook 5 -----------------------------------------------------------------


def section(path=NOTEBOOK):
    """The code of the first cells with imports and of the section, solutions included."""
    cells = nbformat.read(path, as_version=4).cells
    heads = [k for k, c in enumerate(cells) if re.match(r"#+ .*[Yy]our own series", c.source)]
    assert heads, f"no section on the reader's own series in {path.name}"
    level = re.match("#+", cells[heads[0]].source)[0]
    after = [k for k in range(heads[0] + 1, len(cells)) if re.match(f"{level} ", cells[k].source)]
    starts = re.compile(r"^from helpers import|^training\.set_up\(", re.MULTILINE)
    first = [c.source for c in cells[: heads[0]] if starts.search(c.source)]
    codes = [c.source for c in cells[heads[0] : (after or [None])[0]] if c.cell_type == "code"]
    return [*first, *codes]


@pytest.mark.parametrize("form", ["daily with promotions", "monthly, newest first, decimal comma"])
def test_the_section_runs_on_another_file(form, tmp_path, monkeypatch, capsys):
    data.load_bikes()  # the section's example; what it writes goes elsewhere
    for name in data.BOOK_FILES:
        shutil.copy(data.cache_folder() / name, tmp_path)
    monkeypatch.setenv(data.CACHE_VARIABLE, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    if form.startswith("daily"):
        sales().to_csv("mine.csv")
        line = 'FILE, TARGET, STEPS, KNOWN = "mine.csv", "sales", 7, ["promotion"]'
    else:
        monthly = sales(160, 0, freq="MS").iloc[::-1]
        monthly.drop(columns="promotion").to_csv("mine.csv", sep=";", decimal=",")
        line = 'FILE, TARGET, STEPS, KNOWN = "mine.csv", "sales", 6, []'
    sources = section()
    chosen = [
        k for k, source in enumerate(sources) if source.startswith("FILE, TARGET, STEPS, KNOWN = ")
    ]
    assert len(chosen) == 1, "one cell with the one line to change"
    sources[chosen[0]] = line
    names = {"__name__": "__main__"}
    for source in sources:
        exec(compile(source, "section", "exec"), names)
    assert len(names["again"]) == names["STEPS"]
    assert "the new process forecasts the same" in capsys.readouterr().out
