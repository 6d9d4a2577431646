"""helpers.experiments: starts, scores, a training that stops, comparisons, committed tables."""

import json
import platform

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from threadpoolctl import threadpool_info, threadpool_limits

from helpers import cells, claims, experiments, tasks


def rng():
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.mark.parametrize("kind, part", [(cells.GRU, "update"), (cells.LSTM, "forget")])
def test_chrono_start(kind, part):
    before, chrono = (kind(2, 50, seed=0) for _ in range(2))
    experiments.initialize(chrono, "chrono", 20, rng())
    rows = before.rows(part)
    times = np.exp(chrono.params["b_x"][rows] + chrono.params["b_h"][rows])
    assert 1 <= times.min() < 2 and 18 < times.max() <= 19
    changed = {part, "input"} if kind is cells.LSTM else {part}
    for other in before.parts:
        for name in before.params:
            now, then = (cell.params[name][cell.rows(other)] for cell in (chrono, before))
            if name.startswith("W") or other not in changed:
                np.testing.assert_array_equal(now, then)
    if kind is cells.LSTM:  # what is kept is not written over
        opposite = sum(chrono.params[name][chrono.rows("input")] for name in ("b_x", "b_h"))
        np.testing.assert_array_equal(opposite, -chrono.params["b_x"][rows])


@pytest.mark.parametrize("start", ["identity", "orthogonal"])
def test_good_starts_of_the_rnn(start):
    before, cell = (cells.RNN(2, 5, seed=0, dtype=np.float32) for _ in range(2))
    experiments.initialize(cell, start, 20, rng())
    W_h = cell.params["W_h"]
    np.testing.assert_allclose(W_h @ W_h.T, np.eye(5), atol=1e-6)
    assert np.array_equal(W_h, np.eye(5)) == (start == "identity")
    assert W_h.dtype == np.float32 and not cell.params["b_x"].any() and not cell.params["b_h"].any()
    np.testing.assert_array_equal(cell.params["W_x"], before.params["W_x"])


@pytest.mark.parametrize("bias", [1, 3])
def test_a_bias_of_the_forget_gate_alone(bias):
    before, cell = (cells.LSTM(2, 4, seed=0) for _ in range(2))
    experiments.initialize(cell, f"forget {bias}", 20, rng())
    rows = cell.rows("forget")
    np.testing.assert_array_equal(cell.params["b_x"][rows] + cell.params["b_h"][rows], bias)
    for name in ("b_x", "b_h"):
        before.params[name][rows] = cell.params[name][rows]
    for name, array in before.params.items():
        np.testing.assert_array_equal(cell.params[name], array)


@pytest.mark.parametrize("kind", [cells.RNN, cells.GRU, cells.LSTM])
def test_default_start_changes_nothing(kind):
    before, cell = (kind(2, 4, seed=0) for _ in range(2))
    experiments.initialize(cell, "default", 20, rng())
    for name, array in before.params.items():
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
    y = np.array([0.0, 20, 25, 50])
    assert experiments.score("marks", np.array([-1, -0.19, 0.03, 0.9]), y) == 0.5
    y = np.array([-5.0, 0, 3])
    assert experiments.score("difference", np.array([-1, 0.08, 0.4]), y) == pytest.approx(2 / 3)


@pytest.mark.parametrize("task", experiments.TASKS)
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
        middle, unit = {"adding": (1, 1), "marks": (25, 25), "difference": (0, 5)}[task]
        return np.mean((answer - (y - middle) / unit) ** 2)

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
    net = experiments.train("latch", "RNN", "default", 5, learning_rate=0.01, cap=1).net
    before = experiments.Net("RNN", "default", 5).weight
    np.testing.assert_allclose(net.weight, before, rtol=0, atol=1e-5)


def test_a_fresh_batch_per_step_and_other_sequences_for_the_test(monkeypatch):
    drawn = []

    def spy(lag, batch_size, generator):
        drawn.append((batch_size, tuple(generator.bit_generator.seed_seq.entropy)))
        return tasks.latch(lag, batch_size, generator)

    monkeypatch.setitem(experiments.TASKS, "latch", spy)
    experiments.train("latch", "RNN", "default", 5, learning_rate=0.01, cap=2)
    (test_size, other), (size, first), second = drawn
    assert second == (size, first) and size == experiments.BATCH_SIZE
    assert other != first and test_size == experiments.TEST_SEQUENCES


@pytest.mark.parametrize(
    "scores, stop, expected",
    [
        ((0.5, 0.96, 0.5, 0.95, 0.95, 0.5), True, (40, 0.95, 5)),
        ((0.5, 0.96, 0.5, 0.95, 0.95, 0.5), False, (40, 0.5, 6)),
        ((0.96, 0.5, 0.96, 0.94, 0.96, 0.94), True, (None, 0.94, 6)),
        ((0.5, 0.5, 0.5, 0.5, 0.5, 0.96), True, (None, 0.96, 6)),
    ],
)
def test_solved_at_the_first_of_two_good_evaluations(monkeypatch, scores, stop, expected):
    left = list(scores)
    monkeypatch.setattr(experiments, "score", lambda *_: left.pop(0))
    run = experiments.train("latch", "RNN", "default", 5, learning_rate=0.01, cap=60, stop=stop)
    assert (run.steps, run.score, len(scores) - len(left)) == expected


@pytest.mark.parametrize("task", experiments.TASKS)
def test_the_chrono_start_knows_how_long_to_bridge(task, monkeypatch):
    seen = []
    monkeypatch.setattr(
        experiments, "initialize", lambda cell, start, lag, generator: seen.append(lag)
    )
    experiments.train(task, "GRU", "chrono", 20, learning_rate=0.01, cap=0)
    assert seen == [45 if task == "difference" else 20]


def test_equal_parameters():
    sizes = {"GRU": experiments.EQUAL_PARAMETERS, "LSTM": experiments.HIDDEN_SIZE}
    counts = {
        name: sum(array.size for array in experiments.CELLS[name](2, size).params.values())
        for name, size in sizes.items()
    }
    assert counts["GRU"] == counts["LSTM"]


def test_starts_that_are_refused():
    with pytest.raises(ValueError, match=r"GRU's start to be one of .*, got 'identity'"):
        experiments.train("latch", "GRU", "identity", 20, learning_rate=0.01)
    with pytest.raises(ValueError, match="at least 3"):
        experiments.train("latch", "GRU", "chrono", 2, learning_rate=0.01)
    experiments.initialize(cells.GRU(2, 4), "chrono", 3, rng())


# ---- the committed tables ------------------------------------------------------------------------


def committed(name):
    about = json.loads((experiments.TABLES / f"{name}.json").read_text(encoding="utf-8"))
    return pd.read_csv(experiments.TABLES / f"{name}.csv"), about


@pytest.mark.parametrize("name", ["pilot", "memory", "challenge", "counting"])
def test_committed_table_is_the_plan(name):
    table, about = committed(name)
    make_plan, _, settings = experiments.EXPERIMENTS[name]
    plan = pd.DataFrame(make_plan())
    pd.testing.assert_frame_equal(table[plan.columns], plan)
    for key, value in settings.items():
        assert about[key] == value, key


def test_no_seed_chooses_what_it_is_judged_by():
    names = ("pilot", "memory", "challenge", "counting")  # the others have pilots of their own
    pilots, *judged = (set(pd.DataFrame(experiments.EXPERIMENTS[n][0]()).seed) for n in names)
    assert not pilots & set.union(*judged)


def pilot(rows):
    columns = ["task", "lag", "cell", "start", "learning_rate", "seed", "steps", "score"]
    return pd.DataFrame(rows, columns=columns)


def test_the_pilot_chooses_the_rate_with_the_fewest_steps():
    never = np.nan
    rows = [
        ("latch", 50, "GRU", "default", rate, seed, steps, score)
        for rate, found in {
            0.003: [(400, 1.0), (400, 1.0)],
            0.01: [(60, 1.0), (never, 0.9)],  # 60 and the cap of 500
            0.03: [(440, 0.95), (never, 0.5)],
        }.items()
        for seed, (steps, score) in enumerate(found)
    ]
    assert experiments.best_rate(pilot(rows), "latch", "GRU", "default") == 0.01
    unsolved = pilot(rows).assign(steps=never)
    assert experiments.best_rate(unsolved, "latch", "GRU", "default") == 0.003  # the better scored


def test_the_pilot_chooses_the_start_of_the_rnn_at_each_ones_best_rate():
    rows = [
        ("latch", 50, "RNN", start, rate, 0, steps, 1.0)
        for start, rate, steps in [
            ("default", 0.01, 10),
            ("identity", 0.01, 100),
            ("identity", 0.003, 110),
            ("orthogonal", 0.01, 500),
            ("orthogonal", 0.003, 90),
        ]
    ]
    assert experiments.rnn_start(pilot(rows), "latch") == "orthogonal"


def test_seeds_of_a_setting():
    rows = [
        ("adding", 50, cell, start, 0.01, 0, steps, 1.0)
        for cell, start, steps in [
            ("GRU", "chrono", 100),
            ("GRU", "default", 200),
            ("LSTM", "default", np.nan),
        ]
    ]
    for cell, start, numbers in [
        ("GRU", "chrono", (10, 10, 10, 10, 3)),
        ("GRU", "default", (10, 10, 10, 0, 0)),
        ("LSTM", "default", (10, 5, 0, 0, 0)),
    ]:
        found = (
            len(experiments.memory_seeds(pilot(rows), "adding", cell, start, lag))
            for lag in experiments.LAGS
        )
        assert tuple(found) == numbers


# ---- comparing two cells -------------------------------------------------------------------------


def test_sooner_is_the_rank_sum_test():
    first, second = [10, 20, 20, 40, np.nan], [20, 30, 50, np.nan, np.nan, np.nan]
    found = experiments.sooner([(first, second)])
    filled = [np.nan_to_num(np.array(steps, float), nan=1e9) for steps in (first, second)]
    reference = stats.mannwhitneyu(*filled, use_continuity=False, method="asymptotic")
    assert found.share == pytest.approx(1 - reference.statistic / 30)
    assert found.p == pytest.approx(reference.pvalue)
    assert experiments.sooner([(second, first)]).p == pytest.approx(found.p)


def test_sooner_over_several_settings():
    clear, floor = ([10, 20, 30, 40], [50, 60, 70, 80]), ([np.nan] * 4, [np.nan] * 4)
    once, twice = experiments.sooner([clear]), experiments.sooner([clear, clear, floor, ([], [1])])
    assert once.share == twice.share == 1 and (once.settings, twice.settings) == (1, 2)
    assert twice.p < once.p / 4
    assert experiments.sooner([clear, clear[::-1]]).p == pytest.approx(1)
    assert experiments.sooner([floor, ([10] * 4, [10] * 4), ([], [])]) is None


def memory_table(gru_short, lstm_short, gru_long, lstm_long):
    """A table in which every kind of start and size behaves alike, with some spread."""
    rows = []
    for lag in experiments.LAGS:
        for cell, steps in {
            "GRU": gru_short if lag < 100 else gru_long,
            "LSTM": lstm_short if lag < 100 else lstm_long,
        }.items():
            for start, size in [("default", 24), ("chrono", 24), ("chrono", 28)]:
                if not (cell == "LSTM" and size == 28):
                    rows += [
                        dict(task=task, lag=lag, cell=cell, start=start, hidden_size=size, seed=n)
                        | {"steps": steps + 10 * n if steps + 10 * n < 1000 else np.nan}
                        for task in ("latch", "adding")
                        for n in range(10)
                    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    "steps, verdict",
    [
        ((100, 200, 300, 200), "holds"),
        ((200, 100, 200, 300), "does not hold"),
        ((100, 200, 200, 300), "does not hold"),  # the GRU is ahead everywhere
        ((200, 100, 300, 200), "does not hold"),  # the LSTM is
        ((100, 100, 200, 200), "not decided"),
        ((100, 200, 2000, 2000), "not decided"),  # long lags at the floor
        ((100, 110, 2000, 950), "not decided"),  # ahead, but not beyond chance
    ],
)
def test_each_verdict_can_come_out(steps, verdict):
    conditions = experiments.short_and_long(experiments.gru_or_lstm(memory_table(*steps)))
    assert len(conditions) == 3 and claims.verdict(conditions) == verdict


def test_leads_turn_when_the_cells_are_exchanged():
    def seen(*steps):
        return list(experiments.leads(experiments.gru_or_lstm(memory_table(*steps))).values())

    assert seen(100, 200, 200, 300) == [True] * 3 + [False] * 3
    assert seen(200, 100, 300, 200) == [False] * 3 + [True] * 3


def test_starts_may_disagree_about_short_and_long():
    ahead, behind = experiments.Sooner(0.9, 1e-6, 4), experiments.Sooner(0.1, 1e-6, 4)
    compared = {("short", "default start"): ahead, ("short", "chrono start"): ahead}
    compared |= {("long", "default start"): behind, ("long", "chrono start"): ahead}
    assert list(experiments.short_and_long(compared).values()) == [True, False]
    assert claims.verdict(experiments.short_and_long(compared)) == "depends"
    compared["long", "chrono start"] = None
    assert list(experiments.short_and_long(compared).values()) == [True, None]


def test_most_solved():
    for solved, of, answer in [(9, 10, True), (8, 10, None), (2, 10, None), (1, 10, False)]:
        assert experiments.most_solved([50] * solved + [np.nan] * (of - solved)) is answer
    assert experiments.most_solved([np.nan] * 3) is None and experiments.most_solved([]) is None


def test_steps_in_words():
    never = np.nan
    told = experiments.told
    assert told([30, 10, 20]) == "3/3 20" and told([]) == "" and told([never] * 9) == "0/9 never"
    # ten: the second and the ninth bound the median with a confidence of 97.9%
    assert told([90, 10, 20, 30, 40, 50, 60, 70, 80, never]) == "9/10 55 (20–90)"
    assert told([10] * 4 + [never] * 6) == "4/10 never (10–never)"


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
    assert about.keys() == (committed("pilot")[1].keys() - experiments.SETTINGS.keys()) | {"steps"}
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


def test_two_tables_in_one_command(tiny, tmp_path, monkeypatch, capsys):
    for name in ("one", "two"):
        monkeypatch.setitem(
            experiments.EXPERIMENTS, name, (lambda: [{"a": 1}], lambda a: {"b": str(a)}, {})
        )
    experiments.main(["one", "two", "--output", str(tmp_path)])
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    assert "one.csv" in capsys.readouterr().out


def test_rows_as_the_tables_write_them(monkeypatch):
    class Known:
        def forward(self, x):
            return np.zeros(len(x))  # 25 marks, a difference of 0

    run = experiments.Run(120, 1.0, Known())
    monkeypatch.setattr(experiments, "train", lambda *_, **row: run)
    assert experiments.training_row(seed=0) == {"steps": "120", "score": "1.0000"}
    row = experiments.counting_row("marks", 0)
    assert row["right_at_25"] == "1.0000" and row["right_at_50"] == "0.0000"
    row = experiments.counting_row("difference", 0)
    assert 0.02 < float(row["right_at_100"]) < 0.2
    run = experiments.Run(None, 0.25, Known())
    assert experiments.pilot_row(seed=0) == {"steps": "", "score": "0.2500"}


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["GRU", "LSTM"])
def test_committed_steps_come_out_again(cell):
    """From the chrono start at 20 steps: there another processor's rounding changes little."""
    table, _ = committed("memory")
    which = (table.task == "latch") & (table.lag == 20) & (table.cell == cell)
    (row,) = (
        table[which & (table.start == "chrono") & (table.seed == 3)]
        .query("hidden_size == 24")
        .to_dict("records")
    )
    run = experiments.train("latch", cell, "chrono", 20, learning_rate=row["learning_rate"], seed=3)
    assert run.steps == pytest.approx(row["steps"], abs=20)
