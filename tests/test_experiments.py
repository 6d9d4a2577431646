"""tools.long_runs: the gate's bias, the scores, and a net that learns."""

import json

import numpy as np
import pandas as pd
import pytest

from helpers import cells, experiments


def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("kind, part", [(cells.GRU, "update"), (cells.LSTM, "forget")])
def test_gate_bias(kind, part):
    before, one, chrono = (kind(2, 50, seed=0) for _ in range(3))
    experiments.gate_bias(one, "one", 20, rng())
    experiments.gate_bias(chrono, "chrono", 20, rng())
    rows = before.rows(part)
    assert np.all(one.params["b_x"][rows] + one.params["b_h"][rows] == 1)
    times = np.exp(chrono.params["b_x"][rows] + chrono.params["b_h"][rows])
    assert times.min() >= 1 and times.max() <= 19 and times.max() > 10
    if kind is cells.LSTM:  # what is kept is not written over
        np.testing.assert_array_equal(
            chrono.params["b_x"][chrono.rows("input")], -chrono.params["b_x"][rows]
        )
    for name in ("W_x", "W_h"):
        np.testing.assert_array_equal(chrono.params[name], before.params[name])


def test_default_start_and_plain_rnn_stay_as_they_are():
    for cell, start in ((cells.GRU(2, 4, seed=0), "default"), (cells.RNN(2, 4, seed=0), "chrono")):
        before = {name: array.copy() for name, array in cell.params.items()}
        experiments.gate_bias(cell, start, 20, rng())
        for name, array in before.items():
            np.testing.assert_array_equal(cell.params[name], array)


def test_scores():
    y = np.array([1, 0, 1, 0])
    assert experiments.score("latch", np.array([3.0, -1.0, -2.0, -0.1]), y) == 0.75
    y = np.random.default_rng(0).random((100_000, 2)).sum(1)
    assert experiments.score("adding", y - 1, y) == 1
    assert experiments.score("adding", np.zeros_like(y), y) == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("task", ["latch", "adding"])
@pytest.mark.parametrize("cell", ["RNN", "GRU", "LSTM"])
def test_gradients_are_those_of_the_loss(task, cell):
    """One number of every parameter, by central differences, in float64."""
    x, y = experiments.TASKS[task](5, 7, rng())
    net = experiments.Net(cell, "default", 5, hidden=3, seed=1)
    net.cell.dtype = np.dtype(np.float64)
    net.cell.params = {name: array.astype(float) for name, array in net.cell.params.items()}
    net.weight, net.bias, x = net.weight.astype(float), net.bias.astype(float), x.astype(float)

    def loss():
        answer = net.forward(x)
        if task == "latch":
            return np.mean(np.logaddexp(0, answer) - y * answer)
        return np.mean((answer - (y - 1)) ** 2)

    loss()
    d_answer = experiments.slope(task, net.forward(x), y).astype(float)
    grads = net.backward(d_answer)
    for name, array in net.params.items():
        index, step = (0,) * array.ndim, 1e-6
        kept = array[index]
        array[index] = kept + step
        above = loss()
        array[index] = kept - step
        below = loss()
        array[index] = kept
        assert grads[name][index] == pytest.approx((above - below) / (2 * step), abs=1e-6), name


def test_a_net_learns_and_a_seed_repeats():
    scores = [
        experiments.train("latch", "GRU", "chrono", 20, seed=0, steps=60)[0] for _ in range(2)
    ]
    assert scores[0] == scores[1] > 0.9


def test_unknown_names():
    for arguments in (("sorting", "GRU", "one"), ("latch", "CNN", "one"), ("latch", "GRU", "two")):
        with pytest.raises(ValueError, match="expected"):
            experiments.train(*arguments, 20)
    with pytest.raises(ValueError, match="at least 3"):
        experiments.train("latch", "GRU", "chrono", 2)


def test_committed_table_is_the_plan():
    table = pd.read_csv(experiments.TABLES / "long_runs.csv")
    assert tuple(table.columns) == experiments.FIELDS
    planned = pd.DataFrame(experiments.plan())
    keys = [name for name in experiments.FIELDS if name != "score"]
    merged = planned.merge(table, on=keys, how="outer", indicator=True)
    assert (merged["_merge"] == "both").all() and len(table) == len(planned)
    about = json.loads((experiments.TABLES / "long_runs.json").read_text(encoding="utf-8"))
    assert about["steps"] == experiments.STEPS and about["seeds"] == experiments.SEEDS
    assert about["learning rate"] == experiments.LEARNING_RATE
