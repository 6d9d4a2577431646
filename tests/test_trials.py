"""helpers.trials: layers that equal PyTorch's, tasks with right answers, committed tables."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from helpers import experiments, trials


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
def test_recurrent_layer_equals_pytorchs(kind):
    """States and all gradients, also that of the input: layers are stacked."""
    mine = trials.Recurrent(kind, 3, 5, longest=9, seed=0)
    theirs = getattr(nn, kind)(3, 5, batch_first=True)
    with torch.no_grad():
        for one, other in zip(theirs.parameters(), mine.weights, strict=True):
            one.copy_(other)
    x = torch.randn(4, 7, 3, requires_grad=True)
    twin = x.detach().clone().requires_grad_()
    factor = torch.randn(4, 7, 5)
    states, expected = mine(x), theirs(twin)[0]
    torch.testing.assert_close(states, expected, atol=1e-6, rtol=0)
    (states * factor).sum().backward()
    (expected * factor).sum().backward()
    torch.testing.assert_close(x.grad, twin.grad, atol=1e-5, rtol=0)
    for one, other in zip(theirs.parameters(), mine.weights, strict=True):
        torch.testing.assert_close(one.grad, other.grad, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "kind, signs", [("GRU", {"update": 1}), ("LSTM", {"forget": 1, "input": -1})]
)
def test_chrono_start(kind, signs):
    cell = trials.Recurrent(kind, 2, 200, longest=30, seed=0).cell
    for part, sign in signs.items():
        rows = cell.rows(part)
        times = np.exp(sign * (cell.params["b_x"][rows] + cell.params["b_h"][rows]))
        assert 1 <= times.min() < 2 and 28 < times.max() <= 29
    bias = trials.MinGRU(2, 200, longest=30, seed=0).both.bias
    assert 1 <= bias[:200].exp().min() and 28 < bias[:200].exp().max() <= 29


@pytest.mark.parametrize("signed", [False, True])
def test_min_gru_is_its_formula(signed):
    layer = trials.MinGRU(3, 5, longest=9, seed=0, signed=signed).double()
    x = torch.randn(2, 6, 3, dtype=torch.float64, requires_grad=True)
    states, h = [], torch.zeros(2, 5, dtype=torch.float64)
    gate, candidate = layer.both(x).chunk(2, -1)
    z = torch.tanh(gate) if signed else torch.sigmoid(gate)
    for t in range(6):
        h = z[:, t] * h + (1 - z[:, t]) * candidate[:, t]
        states.append(h)
    torch.testing.assert_close(layer(x), torch.stack(states, 1))
    assert torch.autograd.gradcheck(layer, x)


def test_attention_sees_no_later_step_and_knows_positions():
    torch.manual_seed(0)
    layer, x = trials.Attention(2, 10), torch.randn(1, 8, 2)
    other = x.clone()
    other[:, 5] += 1
    before, after = layer(x), layer(other)
    torch.testing.assert_close(before[:, :5], after[:, :5])
    assert not torch.allclose(before[:, 5:], after[:, 5:])
    same = layer(torch.ones(1, 8, 2))
    assert not torch.allclose(same[:, 2], same[:, 5])


def layers(name, kind, hidden, layers):
    return trials.weights(trials.Net(kind, trials.task(name), hidden, layers, 0).layers)


def test_rivals_have_as_many_weights():
    for inputs, hidden in ((2, 28), (12, 29), (16, 29)):
        counts = [
            trials.weights(trials.Recurrent(kind, inputs, size, 9, 0))
            for kind, size in (("GRU", hidden), ("LSTM", 24))
        ]
        assert counts[0] == pytest.approx(counts[1], rel=0.03)
    counts = [layers("switch", *rival) for rival in trials.SUCCESSORS]
    assert counts == pytest.approx([960] * 4, rel=0.05)
    one, three = layers("digits", "LSTM", 64, 1), layers("digits", "LSTM", 29, 3)
    assert one == pytest.approx(three, rel=0.04)


def test_numbers_in_words():
    assert trials.in_english(4321) == "four thousand three hundred twenty one".split()
    assert trials.in_german(4321) == "vier tausend drei hundert ein und zwanzig".split()
    assert trials.in_english(1013) == "one thousand thirteen".split()
    assert trials.in_german(80) == ["achtzig"]
    for words in (trials.in_english, trials.in_german):
        assert len({tuple(words(number)) for number in range(1, 10_000)}) == 9999


def test_translation_shows_the_target_one_step_late():
    task = trials.task("translation")
    (x, y), start = task.train, task.train[0].shape[1] - task.answers
    assert (x[:, start] == 1).all()
    known = y[:, :-1] > 1  # words, not the end
    assert (x[:, start + 1 :][known] == y[:, :-1][known]).all()
    assert not {tuple(row) for row in task.test[0].tolist()} & {tuple(r) for r in x.tolist()}


def test_what_is_written_is_fed_back():
    """A network that repeats its last input is right where that word is the answer throughout."""

    def echo(x):
        return nn.functional.one_hot(x[:, -3:], 9).float()

    x = torch.tensor([[4, 7, 5, 5], [4, 7, 8, 8]])
    assert trials.score(echo, x, torch.tensor([[7, 7, 7], [7, 7, -100]]), writes=True) == 1
    assert trials.score(echo, x, torch.tensor([[7, 5, 5], [7, 7, 7]]), writes=True) == 0.5


def test_scores_of_numbers_and_classes():
    y = torch.randn(500, 1)
    assert trials.score(lambda x: y[..., None], y, y) == pytest.approx(1)
    assert trials.score(lambda x: y.mean() + 0 * y[..., None], y, y) == pytest.approx(0, abs=1e-6)
    answer = torch.tensor([[[0.0, 1], [1, 0]], [[0, 1], [0, 1]]])  # (2, 2 answers, 2 classes)
    assert trials.score(lambda x: answer, None, torch.tensor([[0, 0], [1, 0]])) == 0.5


def test_switch_and_spoken_words():
    x, y = trials.switch(5, 3, np.random.default_rng(0))
    for row, lamp in zip(x[..., 0], y, strict=True):
        assert lamp.tolist() == [int(row[: t + 1].sum()) % 2 for t in range(5)]
    x, y = trials.spoken(40, np.random.default_rng(0))
    assert x.shape == (40, 24, 12) and np.isfinite(x).all() and set(y) <= set(range(20))


def test_series_never_sees_its_target_and_its_years_are_apart():
    task = trials.task("series")
    assert len(task.train[0]) > 2 * len(task.test[0]) > 2 * len(task.valid[0]) > 2000
    assert task.train[1].mean() == pytest.approx(0, abs=1e-4)
    # The next window, one week on, has this week's returns as its last five.
    x, y = task.train
    week = np.log((x[1:900, -5:, 0] / 50).abs().mean(1) + 0.002)
    assert np.corrcoef(week, y[:899, 0])[0, 1] > 0.9999


def test_best_rate_is_the_pilots_choice(monkeypatch):
    def scores(rate, seed, **settings):
        return {"valid": {0.004: 0.1, 0.012: 0.5, 0.036: 0.4}[rate] + seed / 1000}

    monkeypatch.setattr(trials, "scores", scores)
    assert trials.best_rate(name="sound") == 0.012


def test_training_learns_and_a_seed_repeats_it():
    row = dict(name="latch", kind="GRU", hidden=16, layers=1, rate=0.012, seed=0)
    _, found = trials.train(**row)
    assert found["score"] > 0.95 and found.keys() == {"half", "score", "valid", "longer"}
    assert trials.train(**row)[1] == found


# ---- the committed tables ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["uses", "capacity", "successors"])
def test_committed_table_is_the_plan_and_its_rates_are_the_pilots(name):
    table = pd.read_csv(experiments.TABLES / f"{name}.csv")
    plan = pd.DataFrame(experiments.EXPERIMENTS[name][0]())
    keys = list(plan.columns.drop("rate"))
    pd.testing.assert_frame_equal(table[keys], plan[keys])
    about = json.loads((experiments.TABLES / f"{name}.json").read_text(encoding="utf-8"))
    for key, value in json.loads(json.dumps(trials.SETTINGS)).items():
        assert about[key] == value, key
    competitor = [key for key in keys if key != "seed"]
    for _, rows in table.groupby(competitor, sort=False):
        pilots = rows[rows.seed >= 100]
        means = pilots.groupby("rate").valid.mean()
        assert list(means.index) == list(trials.RATES)
        chosen = rows[rows.seed < 100].rate.unique()
        assert not len(chosen) or means[chosen].item() >= means.max() - 1e-4
