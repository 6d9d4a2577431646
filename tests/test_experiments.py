"""helpers.experiments: the gate's bias, the scores, a net that learns, and the committed table."""

import json
import platform

import numpy as np
import pandas as pd
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from helpers import cells, experiments, tasks


def rng():
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.mark.parametrize("kind, part", [(cells.GRU, "update"), (cells.LSTM, "forget")])
def test_gate_bias(kind, part):
    before, one, chrono = (kind(2, 50, seed=0) for _ in range(3))
    experiments.gate_bias(one, "one", 20, rng())
    experiments.gate_bias(chrono, "chrono", 20, rng())
    rows = before.rows(part)
    assert np.all(one.params["b_x"][rows] + one.params["b_h"][rows] == 1)
    times = np.exp(chrono.params["b_x"][rows] + chrono.params["b_h"][rows])
    assert 1 <= times.min() < 2 and 18 < times.max() <= 19
    changed = {part: 1, "input": -1} if kind is cells.LSTM else {part: 1}
    for other in before.parts:
        for name in before.params:
            now, then = (cell.params[name][cell.rows(other)] for cell in (chrono, before))
            if name.startswith("W") or other not in changed:
                np.testing.assert_array_equal(now, then)
    if kind is cells.LSTM:  # what is kept is not written over
        opposite = sum(chrono.params[name][chrono.rows("input")] for name in ("b_x", "b_h"))
        np.testing.assert_array_equal(opposite, -chrono.params["b_x"][rows])
        np.testing.assert_array_equal(
            one.params["b_x"][one.rows("input")], before.params["b_x"][before.rows("input")]
        )


def test_default_start_and_plain_rnn_stay_as_they_are():
    for cell, start in ((cells.GRU(2, 4, seed=0), "default"), (cells.RNN(2, 4, seed=0), "chrono")):
        before = {name: array.copy() for name, array in cell.params.items()}
        experiments.gate_bias(cell, start, 20, rng())
        for name, array in before.items():
            np.testing.assert_array_equal(cell.params[name], array)


def test_scores():
    y = np.array([1, 0, 1, 0])
    assert experiments.score("latch", np.array([3.0, -1.0, -2.0, -0.1]), y) == 0.75
    for nothing in (np.nan, 0.0):  # no answer is not a right one
        assert experiments.score("latch", np.full(4, nothing), y) == 0
    y = rng().random((100_000, 2)).sum(1)
    assert experiments.score("adding", y - 1, y) == 1
    assert experiments.score("adding", np.zeros_like(y), y) == pytest.approx(0, abs=0.02)
    assert experiments.score("adding", np.ones_like(y), y) == pytest.approx(-6, abs=0.1)


@pytest.mark.parametrize("task", ["latch", "adding"])
@pytest.mark.parametrize("cell", ["RNN", "GRU", "LSTM"])
def test_gradients_are_those_of_the_loss(task, cell):
    """One number of every parameter, by central differences, in float64."""
    x, y = experiments.TASKS[task](5, 7, rng())
    net = experiments.Net(cell, "default", 5, hidden_size=3, seed=1)
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
    assert grads.keys() == net.params.keys()
    for name, array in net.params.items():
        index, step = (0,) * array.ndim, 1e-6
        kept = array[index]
        array[index] = kept + step
        above = loss()
        array[index] = kept - step
        below = loss()
        array[index] = kept
        assert grads[name][index] == pytest.approx((above - below) / (2 * step), abs=1e-6), name


def test_the_read_out_starts_small_and_a_seed_fixes_the_net():
    nets = [experiments.Net("GRU", "chrono", 20, seed=seed) for seed in (0, 0, 1)]
    for name, array in nets[0].params.items():
        np.testing.assert_array_equal(array, nets[1].params[name])
    assert 0.15 < np.abs(nets[0].weight).max() <= experiments.HIDDEN_SIZE**-0.5
    for name in ("W_x", "weight"):
        assert not np.array_equal(nets[0].params[name], nets[2].params[name])


def test_the_gradient_is_clipped(monkeypatch):
    """Here so far that Adam's epsilon outweighs what is left of it, and nothing moves."""
    monkeypatch.setattr(experiments, "CLIP_NORM", 1e-12)
    monkeypatch.setitem(experiments.STEPS, "latch", 1)
    _, net = experiments.train("latch", "RNN", "default", 5)
    before = experiments.Net("RNN", "default", 5).weight
    np.testing.assert_allclose(net.weight, before, rtol=0, atol=1e-5)


def test_a_fresh_batch_per_step_and_other_sequences_for_the_test(monkeypatch):
    drawn = []

    def spy(lag, batch_size, generator):
        drawn.append((batch_size, tuple(generator.bit_generator.seed_seq.entropy)))
        return tasks.latch(lag, batch_size, generator)

    monkeypatch.setitem(experiments.TASKS, "latch", spy)
    monkeypatch.setitem(experiments.STEPS, "latch", 2)
    experiments.train("latch", "RNN", "default", 5)
    (size, first), second, (test_size, other) = drawn
    assert second == (size, first) and size == experiments.BATCH_SIZE
    assert other != first and test_size == experiments.TEST_SEQUENCES


def test_equal_parameters():
    sizes = {"GRU": experiments.EQUAL_PARAMETERS, "LSTM": experiments.HIDDEN_SIZE}
    counts = {
        name: sum(array.size for array in experiments.CELLS[name](2, size).params.values())
        for name, size in sizes.items()
    }
    assert counts["GRU"] == counts["LSTM"]


def test_starts_that_are_refused():
    with pytest.raises(ValueError, match=r"start to be one of .*, got 'two'"):
        experiments.train("latch", "GRU", "two", 20)
    with pytest.raises(ValueError, match="at least 3"):
        experiments.train("latch", "GRU", "chrono", 2)
    experiments.gate_bias(cells.GRU(2, 4), "chrono", 3, rng())


# ---- the committed table -------------------------------------------------------------------------


def committed():
    about = json.loads((experiments.TABLES / "memory.json").read_text(encoding="utf-8"))
    return pd.read_csv(experiments.TABLES / "memory.csv"), about


def test_committed_table_is_the_plan():
    table, about = committed()
    plan = pd.DataFrame(experiments.memory_plan())
    pd.testing.assert_frame_equal(table.drop(columns="score"), plan)
    for name, value in experiments.MEMORY_SETTINGS.items():
        assert about[name] == value, name


# ---- writing a table -----------------------------------------------------------------------------


@pytest.fixture
def tiny(monkeypatch):
    """A table of five rows, interrupted at the fourth and at the fifth; the rows that were run."""
    ran = []

    def run(number):
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}  # NumPy's and torch's
        if number >= 3 and number not in ran:
            ran.append(number)
            raise KeyboardInterrupt
        ran.append(number)
        return {"square": f"{number**2:.1f}"}

    torch.set_num_threads(2)  # that the table is run on one is what is tested
    plan = [{"number": number} for number in range(5)]
    monkeypatch.setitem(experiments.EXPERIMENTS, "tiny", (lambda: plan, run, {"steps": {"a": 1}}))
    with threadpool_limits(2):
        yield ran


def interrupted(folder):
    (folder / "tiny.csv").write_text("the older table")
    with pytest.raises(SystemExit):
        experiments.main(["tiny", "--output", str(folder)])
    assert (folder / "tiny.csv").read_text() == "the older table"  # only a whole one replaces it
    assert len((folder / "tiny.partial").read_text().splitlines()) == 1 + 3


@pytest.mark.parametrize("tail", ["", '{"squa'], ids=["whole lines", "half a line"])
def test_an_interrupted_run_goes_on(tiny, tmp_path, capsys, tail):
    interrupted(tmp_path)
    assert "goes on" in capsys.readouterr().err
    with (tmp_path / "tiny.partial").open("a") as file:
        file.write(tail)
    with pytest.raises(SystemExit):
        experiments.main(["tiny", "--output", str(tmp_path)])
    experiments.main(["tiny", "--output", str(tmp_path)])
    assert tiny == [0, 1, 2, 3, 3, 4, 4]
    assert (tmp_path / "tiny.csv").read_bytes() == (
        b"number,square\n0,0.0\n1,1.0\n2,4.0\n3,9.0\n4,16.0\n"
    )
    about = json.loads((tmp_path / "tiny.json").read_text(encoding="utf-8"))
    assert about["written by"] == "python -m helpers.experiments tiny"
    assert about["steps"] == {"a": 1} and about["threads"] == torch.get_num_threads() == 1
    assert about["versions"]["python"] == platform.python_version()
    assert about.keys() == (committed()[1].keys() - experiments.MEMORY_SETTINGS.keys()) | {"steps"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny.csv", "tiny.json"]


@pytest.mark.parametrize("change", ["settings", "plan", "versions"])
def test_rows_of_other_settings_are_not_mixed(tiny, tmp_path, monkeypatch, capsys, change):
    interrupted(tmp_path)
    plan, run, settings = experiments.EXPERIMENTS["tiny"]
    if change == "versions":
        monkeypatch.setattr(np, "__version__", "0.1")
    else:
        other = (plan, run, {"steps": 2}) if change == "settings" else (lambda: [], run, settings)
        monkeypatch.setitem(experiments.EXPERIMENTS, "tiny", other)
    before = (tmp_path / "tiny.partial").read_bytes()
    with pytest.raises(SystemExit):
        experiments.main(["tiny", "--output", str(tmp_path)])
    assert "tiny.partial has rows of another plan, setting or version" in capsys.readouterr().err
    assert (tmp_path / "tiny.partial").read_bytes() == before  # nothing is lost


def test_a_folder_that_cannot_be_written_to(tiny, tmp_path, capsys):
    with pytest.raises(SystemExit):
        experiments.main(["tiny", "--output", str(tmp_path / "missing")])
    message = capsys.readouterr().err
    assert "missing" in message and "--output names another folder" in message and not tiny


def test_a_row_of_the_memory_table_is_written_with_four_decimals(monkeypatch):
    monkeypatch.setattr(experiments, "train", lambda **row: (1.0, None))
    assert experiments.memory_row(seed=0) == {"score": "1.0000"}


@pytest.mark.parametrize(
    "row",
    [
        ("latch", 20, "GRU", "chrono", 28),
        ("adding", 20, "LSTM", "chrono", 24),
    ],
    ids=str,
)
@pytest.mark.slow
def test_committed_scores_come_out_again(row):
    """Where every seed learned: there another processor's rounding changes little."""
    task, lag, cell, start, size = row
    table, _ = committed()
    saved = table.set_index(["task", "lag", "cell", "start", "hidden_size", "seed"]).score[*row, 3]
    found, net = experiments.train(task, cell, start, lag, hidden_size=size, seed=3)
    assert found == pytest.approx(saved, abs=0.001)
    assert len(net.weight) == size
