"""helpers.forecast_tables: the article's training in NumPy, rivals without a leak, the tables."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from helpers import experiments, forecast_tables


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


# ---- the article's training ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def series():
    return forecast_tables.article_series()


def test_the_article_has_438_200_updates(series):
    x, _, _, n_train, _ = series
    assert x.shape == (2739, 30, 1) and n_train * forecast_tables.EPOCHS == 438_200


def test_first_updates_are_those_of_pytorch(series):
    """Same weights, same dropout masks: the article's own loop beside the cells in NumPy."""
    x, y, *_ = series
    ours = forecast_tables.ArticleNet(seed=3)
    torch.manual_seed(3)
    gru, linear = nn.GRU(1, 100, num_layers=2, dropout=0.2), nn.Linear(100, 1)
    parameters = [*gru.parameters(), *linear.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=0.001)
    state = torch.get_rng_state()
    found = [ours.update(*pair) for pair in zip(x[:40], y[:40], strict=True)]
    torch.set_rng_state(state)
    for step in range(40):
        optimizer.zero_grad()
        states, _ = gru(torch.from_numpy(x[step]).view(30, 1, 1), torch.zeros(2, 1, 100))
        loss = nn.functional.mse_loss(linear(states[-1, 0]), torch.tensor(y[step : step + 1]))
        loss.backward()
        optimizer.step()
        assert found[step] == pytest.approx(loss.item(), abs=1e-5), step
    theirs = torch.cat([tensor.detach().ravel() for tensor in parameters])
    torch.testing.assert_close(ours.flat, theirs, rtol=0, atol=1e-4)
    gru.eval()  # no dropout in a forecast
    with torch.no_grad():
        states, _ = gru(torch.from_numpy(x[:5]).transpose(0, 1))
        wanted = linear(states[-1])[:, 0].numpy()
    np.testing.assert_allclose(ours.forecast(x[:5]), wanted, atol=1e-4)


@pytest.fixture
def short(monkeypatch, series):
    """Six windows to train on, three to test, three epochs; the losses' count per epoch."""
    x, y, now, _, scaler = series
    few = (x[:9], y[:9], now[:9], 6, scaler)
    monkeypatch.setattr(forecast_tables, "article_series", lambda: few)
    monkeypatch.setattr(forecast_tables, "EPOCHS", 3)


def rows_of(folder):
    return (folder / "article.csv").read_text()


def test_a_killed_run_goes_on_as_if_it_had_not_been(short, tmp_path, monkeypatch):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        folder.mkdir()
    experiments.main(["article", "--output", str(whole)])
    run = forecast_tables.article_row

    def killed(epoch, checkpoint):
        row = run(epoch, checkpoint)
        if epoch == 2:  # after the checkpoint, before the row
            raise KeyboardInterrupt
        return row

    plan, _, settings = forecast_tables.EXPERIMENTS["article"]
    monkeypatch.setitem(experiments.EXPERIMENTS, "article", (plan, killed, settings))
    with pytest.raises(SystemExit):
        experiments.main(["article", "--output", str(broken)])
    monkeypatch.setitem(experiments.EXPERIMENTS, "article", (plan, run, settings))
    experiments.main(["article", "--output", str(broken)])
    assert rows_of(broken) == rows_of(whole)
    net, (x, y, _, n_train, _) = forecast_tables.ArticleNet(), forecast_tables.article_series()
    losses = [[net.update(x[k], y[k]) for k in range(n_train)] for _ in range(3)]
    wanted = [f"{np.mean(epoch):.6f}" for epoch in losses]  # one network, never put away
    assert [row.split(",")[1] for row in rows_of(whole).splitlines()[1:]] == wanted
    assert sorted(path.name for path in broken.iterdir()) == ["article.csv", "article.json"]


def test_a_checkpoint_of_another_epoch_is_refused(short, tmp_path):
    forecast_tables.article_row(1, tmp_path / "a.checkpoint")
    with pytest.raises(ValueError, match="is of epoch 1, not 2"):
        forecast_tables.article_row(3, tmp_path / "a.checkpoint")


# ---- fault 1 -------------------------------------------------------------------------------------


def test_ways_to_scale():
    close = forecast_tables.data.load_prices(["AAPL"]).to_numpy()
    n_train = int(0.8 * (len(close) - 30))
    scaled = [
        forecast_tables.scale_prices(close, way, n_train)[0]
        for way in ("leaky (-1, 1)", "honest (-1, 1)", "honest (-0.2, 0.2)")
    ]
    leaky, honest, narrow = scaled
    np.testing.assert_allclose(narrow, honest / 5, atol=1e-9)
    assert leaky.max() == pytest.approx(1) and honest.max() > 4 > 1 > narrow.max()


# ---- no forecast has seen the future -------------------------------------------------------------


def test_what_the_bicycle_rivals_are_given_was_known():
    frame = forecast_tables.bike_series()
    origins = np.array([1000, 5003])
    for plain in (False, True):
        before = forecast_tables.bike_inputs(frame, origins, plain)
        for origin, rows in zip(origins, np.split(before, 2), strict=True):
            changed = frame.copy()
            changed.iloc[origin + 1 :, 0] += 1.0  # rentals after the last known hour
            after = forecast_tables.bike_inputs(changed, np.array([origin]), plain)
            np.testing.assert_array_equal(after, rows)
    assert np.isfinite(before).all()


def test_no_bicycle_target_lies_in_the_part_that_is_asked():
    for part, (start, end) in forecast_tables.BIKE_PARTS.items():
        train, ask = forecast_tables.bike_origins(part)
        assert train[-1] + 24 < start * 8760 <= ask[0] + 1 and ask[-1] + 24 < end * 8760, part


def test_hours_that_lack_are_not_scored(monkeypatch):
    there = forecast_tables.bike_present()
    assert (~there).sum() == 8760 - 8645
    y, (_, ask) = (
        forecast_tables.bike_series()["y"].to_numpy(),
        forecast_tables.bike_origins("late summer"),
    )
    day = ask[:, None] + np.arange(1, 25)
    wrong = np.where(there[day], y[day], 99.0)  # wrong on those hours alone
    monkeypatch.setattr(forecast_tables, "bike_forecast", lambda *_: wrong)
    errors, r2 = forecast_tables.bike_errors("any", "late summer")
    assert not errors.any() and r2 == 1 and (wrong == 99).any()


def test_the_past_calendar_does_not_know_the_day():
    values, calendar, _ = forecast_tables.volume_series()
    before = forecast_tables.past_calendar(values, calendar)
    values[3000:], calendar[3000:] = 9, 1 - calendar[3000:]
    after = forecast_tables.past_calendar(values, calendar)
    np.testing.assert_array_equal(after[:3001], before[:3001])
    assert not np.array_equal(after[3001], before[3001])


def test_ten_year_mean_by_hand():
    level = np.cumsum(np.arange(200) % 12)  # every month changes as in every year
    found = forecast_tables.ten_year_mean(level, np.array([150]))
    np.testing.assert_array_equal(found, [np.arange(151, 163) % 12])


@pytest.mark.parametrize("make", ["ewma_band", "garch_band", "har_band", "regression_band"])
def test_bands_do_not_know_the_day(make):
    if make == "garch_band":
        pytest.importorskip("arch")
    changes, _ = forecast_tables.band_series()
    apple = changes[["AAPL", "KO"]].iloc[:1200]
    if make in ("ewma_band", "garch_band"):  # of one stock
        apple = apple["AAPL"]
    changed = apple.copy()
    changed.iloc[1100:] *= 5
    before, after = (getattr(forecast_tables, make)(s, 1000, 1200) for s in (apple, changed))
    np.testing.assert_allclose(after[:101], before[:101])
    assert np.ptp(after[101]) > np.ptp(before[101])


def test_pinball_by_hand():
    came, band = np.array([[0.0], [3.0]]), np.array([[-1.0, 1.0]] * 2)
    wanted = [(0.05 * 1 + 0.05 * 1) / 2, (0.05 * 4 + 0.95 * 2) / 2]
    np.testing.assert_allclose(forecast_tables.pinball(came, band), wanted)
    theirs = forecast_tables.pinball(torch.tensor(came), torch.tensor(band))
    np.testing.assert_allclose(theirs, wanted)


def test_the_band_network_begins_where_its_rival_ends(monkeypatch):
    monkeypatch.setattr(forecast_tables, "BAND_EPOCHS", 0)
    changes, _ = forecast_tables.band_series()
    changes = changes[["AAPL"]].iloc[:700]
    found = forecast_tables.band_network(changes, 500, 700, seed=0)
    wanted = forecast_tables.ewma_band(changes["AAPL"], 500, 700)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


# ---- the committed tables ------------------------------------------------------------------------


@pytest.mark.parametrize("name", forecast_tables.EXPERIMENTS)
def test_committed_table_is_the_plan(name):
    plan, _, settings = forecast_tables.EXPERIMENTS[name]
    plan = pd.DataFrame(plan())
    table = pd.read_csv(experiments.TABLES / f"{name}.csv")
    pd.testing.assert_frame_equal(table[plan.columns], plan)
    about = json.loads((experiments.TABLES / f"{name}.json").read_text(encoding="utf-8"))
    for key, value in settings.items():
        assert about[key] == value, key


@pytest.mark.parametrize(
    "name, row",
    [
        ("carbon", {"method": "ten-year mean", "seed": 0}),
        ("carbon", {"method": "seasonal naive", "seed": 0}),
        ("bikes", {"method": "week before", "part": "autumn", "seed": 0}),
        ("volume", {"method": "linear, 5 days, none", "seed": 0}),
        ("band", {"method": "fixed", "seed": 0}),
    ],
    ids=str,
)
def test_rows_of_the_rivals_come_out_again(name, row):
    table = pd.read_csv(experiments.TABLES / f"{name}.csv")
    saved = table[(table[list(row)] == pd.Series(row)).all(axis=1)].iloc[0]
    for key, value in forecast_tables.EXPERIMENTS[name][1](**row).items():
        assert float(value) == pytest.approx(saved[key], abs=0.002), key
