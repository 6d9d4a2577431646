"""The code behind the committed tables of long runs; the lessons import it and repeat a part.

::

    python -m helpers.experiments pilot memory challenge counting

writes `helpers/tables/pilot.csv` and so on, one row per trained network, each with a `.json` beside
it (settings, versions, date), and nothing else. Finished rows wait in `pilot.partial`: after an
interruption the same command goes on where it stopped, and a table is replaced only by a whole
one. Where the package lies in a folder that cannot be written to, ``--output`` names another.

These four belong to notebook 3 and take about 75 minutes on one core. The cells are those of
`helpers.cells`, whose passes are proved equal to PyTorch's in notebooks 2 and 3; so small, they
train faster on a CPU than `nn.GRU`. PyTorch's Adam moves the weights.

- **pilot**: three seeds of every cell, start and task with each of the `LEARNING_RATES`.
  `best_rate` reads the best one from it, by the same rule for all.
- **memory**: how many training steps RNN, GRU and LSTM need until they solve two tasks that ask for
  memory, with ten other seeds, the pilot's learning rates and lags from 20 to 500 steps.
- **challenge**: what could speak against `memory`. The chrono LSTM on the latch of 100 and 200
  steps with the highest learning rate, because the pilot, which knows 20 and 50 steps, chose a
  lower one; the LSTM with a forget gate's bias of 1 or 3; the RNN on adding with a lower rate.
- **counting**: GRU and LSTM trained to count up to 50, then tested up to 50 and beyond.
- **uses**, **capacity**, **successors** (notebook 3, 5 to 10 minutes each on one core): see
  `helpers.trials`.
- **recipes**, **search** (notebook 4): see `helpers.recipes`.
- **article**, **order**, **ranges**, **carbon**, **bikes**, **volume**, **band** (notebook 5):
  see `helpers.forecast_tables`.
"""

import argparse
import datetime
import json
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from scipy import stats
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from helpers import cells, forecast_tables, recipes, tasks, trials

TABLES = Path(__file__).resolve().parent / "tables"
TASKS = {
    "latch": tasks.latch,
    "adding": tasks.adding,
    "marks": tasks.marks,
    "difference": tasks.difference,
}
CELLS = {"RNN": cells.RNN, "GRU": cells.GRU, "LSTM": cells.LSTM}
STARTS = {
    "RNN": ("default", "identity", "orthogonal"),
    "GRU": ("default", "chrono"),
    "LSTM": ("default", "chrono", "forget 1", "forget 3"),
}
FORGET = STARTS["LSTM"][2:]  # only the table `challenge` asks for them

HIDDEN_SIZE = 24
# With the tasks' two inputs, a hidden size of 28 gives the GRU the LSTM's number of weights and
# biases: 3 · 28 · (28 + 2 + 2) = 4 · 24 · (24 + 2 + 2) = 2688.
EQUAL_PARAMETERS = 28
BATCH_SIZE = 32
CLIP_NORM = 1.0
CAP = 1000  # training steps, then the run is given up
EVERY = 10  # training steps from one evaluation to the next
TEST_SEQUENCES = 200
# A network has solved its task when two evaluations in a row reach this score.
CRITERION = {"latch": 0.95, "adding": 0.9, "marks": 0.95, "difference": 0.95}
# The answer that the output 0 stands for, and how much one unit of the output adds to it.
SCALE = {"adding": (1, 1), "marks": (25, 25), "difference": (0, 5)}
VARIANCE_OF_SUM = 1 / 6  # of the adding task's answer: two numbers, uniform in [0, 1)

LAGS = (20, 50, 100, 200, 500)
SEEDS = range(10)
PILOT_SEEDS = range(100, 103)  # none of them is a seed of another table
PILOT_LAGS = {"latch": (20, 50), "adding": (50,), "marks": (50,), "difference": (50,)}
PILOT_CAP = 500
MEMORY = ("latch", "adding")
COUNTING = ("marks", "difference")
RATES = (0.003, 0.01, 0.03, 0.1)  # learning rates
BELOW = 0.001  # a lower one, for the table `challenge`
LEARNING_RATES = {MEMORY: RATES, ("marks",): RATES[:3], ("difference",): RATES[:2]}
COUNT = 50  # the highest count in training
COUNTED = (25, 50, 60, 75, 100)  # tested: in the range of training and beyond it
COUNTING_STEPS = {"marks": 500, "difference": 1000}
COUNTING_SEEDS = {"marks": range(200, 205), "difference": range(200, 203)}


def initialize(cell, start: str, lag: int, generator: np.random.Generator) -> None:
    """Change the parameters of a fresh cell, in place, to one of the `STARTS`.

    Args:
        cell: of `helpers.cells`.
        start: "default" leaves PyTorch's start. "chrono", for GRU and LSTM, draws the logarithm of
            a time from 1 to `lag` - 1 steps as the bias of the gate that keeps the state, and gives
            the LSTM's input gate the opposite bias (Tallec & Ollivier 2018, arXiv:1804.11188,
            section 3). For the RNN, "identity" sets W_h to the identity (Le, Jaitly & Hinton 2015,
            arXiv:1504.00941), "orthogonal" to a random rotation (Saxe, McClelland & Ganguli 2014,
            arXiv:1312.6120), both with zero biases. For the LSTM, "forget 1" and "forget 3" make
            this number the bias of the forget gate and leave the input gate alone (Jozefowicz,
            Zaremba & Sutskever 2015, proceedings.mlr.press/v37/jozefowicz15.html, use 1).
        lag: the longest time to be remembered, in steps, at least 3 for "chrono".
        generator: where chance comes from.

    Raises:
        ValueError: a start that this cell does not have, or a lag that is too short for "chrono".
    """
    name = type(cell).__name__
    if start not in STARTS[name]:
        raise ValueError(f"expected the {name}'s start to be one of {STARTS[name]}, got {start!r}")
    if start == "chrono" and lag < 3:
        raise ValueError(f"expected a lag of at least 3 for the chrono start, got {lag}")
    size, params = cell.hidden_size, cell.params
    if start == "chrono":
        values = np.log(generator.uniform(1, lag - 1, size))
        signs = {"update": 1} if name == "GRU" else {"forget": 1, "input": -1}
        for part, sign in signs.items():
            params["b_x"][cell.rows(part)] = sign * values
            params["b_h"][cell.rows(part)] = 0
    elif start in FORGET:
        params["b_x"][cell.rows("forget")] = float(start.removeprefix("forget "))
        params["b_h"][cell.rows("forget")] = 0
    elif start != "default":
        rotation = stats.ortho_group.rvs(size, random_state=generator)
        params["W_h"][:] = np.eye(size) if start == "identity" else rotation
        params["b_x"][:] = params["b_h"][:] = 0


class Net:
    """A cell with a linear read-out of its last state: one number per sequence.

    Args:
        cell: "RNN", "GRU" or "LSTM".
        start, lag: see `initialize`.
        hidden_size: the number of units.
        seed: of all that is drawn.

    Raises:
        ValueError: see `initialize`.
    """

    def __init__(
        self, cell: str, start: str, lag: int, hidden_size: int = HIDDEN_SIZE, seed: int = 0
    ):
        generator = np.random.default_rng([seed, 1])
        self.cell = CELLS[cell](2, hidden_size, batch_first=True, seed=seed, dtype=np.float32)
        initialize(self.cell, start, lag, generator)
        bound = hidden_size**-0.5
        self.weight = generator.uniform(-bound, bound, hidden_size).astype(np.float32)  # (H,)
        self.bias = np.zeros(1, np.float32)

    @property
    def params(self) -> dict[str, np.ndarray]:
        """All parameters by name: the cell's and the read-out's."""
        return {**self.cell.params, "weight": self.weight, "bias": self.bias}

    def forward(self, x: np.ndarray) -> np.ndarray:
        """x (B, T, 2) -> answers (B,)."""
        self.states = self.cell.forward(x)  # (B, T, H)
        return self.states[:, -1] @ self.weight + self.bias

    def backward(self, d_answer: np.ndarray) -> dict[str, np.ndarray]:
        """dL/danswer (B,) -> the gradient of every parameter, by name."""
        d_states = np.zeros_like(self.states)
        d_states[:, -1] = np.outer(d_answer, self.weight)  # (B, H)
        grads = self.cell.backward(d_states)
        return {
            **{name: grads[name] for name in self.cell.params},
            "weight": self.states[:, -1].T @ d_answer,
            "bias": d_answer.sum(keepdims=True),
        }


def slope(task: str, output: np.ndarray, y: np.ndarray) -> np.ndarray:
    """dL/doutput (B,) of the mean loss: logistic for "latch", squared for the others."""
    if task == "latch":
        return ((cells.sigmoid(output) - y) / len(y)).astype(np.float32)
    middle, unit = SCALE[task]
    return (2 * (output - (y - middle) / unit) / len(y)).astype(np.float32)


def score(task: str, output: np.ndarray, y: np.ndarray) -> float:
    """How good the answers are; 1 is perfect for every task.

    "latch": the share of right answers, 0.5 by guessing. "adding": the explained share of the
    sum's variance, 1 - MSE / (1/6), 0 by always answering the mean; it may be negative. "marks"
    and "difference": the share of counts that are right after rounding.
    """
    if task == "latch":
        return float(((2 * y - 1) * output > 0).mean())  # an answer that is NaN or 0 is not right
    middle, unit = SCALE[task]
    error = middle + unit * output - y
    if task == "adding":
        return float(1 - (error**2).mean() / VARIANCE_OF_SUM)
    return float((np.abs(error) < 0.5).mean())


class Run(NamedTuple):
    """One training.

    Attributes:
        steps: training steps until the task was solved, None where it never was.
        score: at the last evaluation.
        net: as trained.
    """

    steps: int | None
    score: float
    net: Net


def train(
    task: str,
    cell: str,
    start: str,
    lag: int,
    *,
    learning_rate: float,
    hidden_size: int = HIDDEN_SIZE,
    seed: int = 0,
    cap: int = CAP,
    stop: bool = True,
) -> Run:
    """Train one network on a fresh batch per step until it solves the task, or up to the cap.

    Every `EVERY` steps it is scored on the same `TEST_SEQUENCES` sequences, which no training batch
    holds. It has solved the task at the first of two evaluations in a row that reach `CRITERION`.
    Two cells with the same seed see the same batches.

    Args:
        task: "latch", with `lag` noise steps; "adding" or "marks", of length `lag`; "difference",
            with up to `lag` steps up (see `helpers.tasks`).
        cell, start, lag, hidden_size, seed: see `Net`.
        learning_rate: of Adam.
        cap: the most training steps.
        stop: end the training where the task is solved, or go on to the cap.

    Raises:
        ValueError: see `initialize`.
    """
    draw, generator = TASKS[task], np.random.default_rng([seed, 2])
    test_x, test_y = draw(lag, TEST_SEQUENCES, np.random.default_rng([seed, 3]))
    net = Net(cell, start, _longest(task, lag), hidden_size, seed)
    # The tensors share memory with the arrays, so the optimizer moves the NumPy weights.
    tensors = {name: torch.from_numpy(array) for name, array in net.params.items()}
    optimizer = torch.optim.Adam(tensors.values(), lr=learning_rate)
    solved_at, before, now = None, -np.inf, -np.inf
    for step in range(1, cap + 1):
        x, y = draw(lag, BATCH_SIZE, generator)
        grads = net.backward(slope(task, net.forward(x), y))
        for name, tensor in tensors.items():
            tensor.grad = torch.from_numpy(grads[name])
        torch.nn.utils.clip_grad_norm_(tensors.values(), CLIP_NORM)
        optimizer.step()
        if step % EVERY == 0:
            before, now = now, score(task, net.forward(test_x), test_y)
            if solved_at is None and min(before, now) >= CRITERION[task]:
                solved_at = step - EVERY
                if stop:
                    break
    return Run(solved_at, now, net)


def _longest(task: str, lag: int) -> int:
    """The number of steps that a network must bridge."""
    return 2 * lag + tasks.MOST_APART if task == "difference" else lag


# ---- the plans and rows of the tables ------------------------------------------------------------

# The networks that are compared, as cell and start.
ARMS = [(cell, start) for cell, starts in STARTS.items() for start in starts if start not in FORGET]


def pilot_plan() -> list[dict]:
    """The settings of every network of the table `pilot`, in the table's order."""
    plans = [(group, rates, ARMS) for group, rates in LEARNING_RATES.items()]
    plans.append((MEMORY, RATES, [("LSTM", start) for start in FORGET]))
    return [
        dict(task=task, lag=lag, cell=cell, start=start, learning_rate=rate, seed=seed)
        for group, rates, arms in plans
        for rate in rates
        for task in group
        for lag in PILOT_LAGS[task]
        for cell, start in arms
        if task not in COUNTING or start == "chrono"
        for seed in PILOT_SEEDS
    ]


def pilot_row(**row) -> dict[str, str]:
    """The results of one row of the plan: `training_row` with the pilot's lower cap."""
    return training_row(**row, cap=PILOT_CAP)


def training_row(**row) -> dict[str, str]:
    """The results of one training, as the tables write them; no steps where it was not solved."""
    run = train(**row)
    return {"steps": "" if run.steps is None else str(run.steps), "score": f"{run.score:.4f}"}


def _best(pilot: pd.DataFrame, by: str):
    """The value of a column whose networks need the fewest steps on average.

    A network that never solved its task counts with the cap, and of equals the better scored wins.
    """
    steps = pilot.steps.fillna(PILOT_CAP).groupby(pilot[by]).mean()
    found = pd.DataFrame({"steps": -steps, "score": pilot.groupby(by).score.mean()})
    return found.sort_values(["steps", "score"]).index[-1]


def best_rate(pilot: pd.DataFrame, task: str, cell: str, start: str) -> float:
    """The learning rate of the pilot with the fewest steps on average over its lags and seeds.

    Args:
        pilot: the table.
        task, cell, start: which networks.
    """
    which = (pilot.task == task) & (pilot.cell == cell) & (pilot.start == start)
    return _best(pilot[which], "learning_rate")


def rnn_start(pilot: pd.DataFrame, task: str) -> str:
    """The better of the RNN's two good starts, each at its best learning rate, by the same rule."""
    rates = {start: best_rate(pilot, task, "RNN", start) for start in STARTS["RNN"]}
    which = (pilot.task == task) & (pilot.cell == "RNN") & (pilot.start != "default")
    return _best(pilot[which & (pilot.learning_rate == pilot.start.map(rates))], "start")


def memory_seeds(pilot: pd.DataFrame, task: str, cell: str, start: str, lag: int) -> range:
    """The seeds of one setting of the table `memory`: ten, but fewer where nothing is to be seen.

    Where no network of the pilot solved 50 steps, five seeds try them again and none a longer lag.
    Ten seeds try 200 steps from the chrono start, three from the RNN's good start, and none from
    the default start; three try 500 steps from the chrono start alone.
    """
    which = (pilot.task == task) & (pilot.cell == cell) & (pilot.start == start)
    if lag >= 50 and not pilot[which & (pilot.lag == 50)].steps.notna().any():
        return SEEDS[:5] if lag == 50 else SEEDS[:0]
    if lag == 500:
        return SEEDS[:3] if start == "chrono" else SEEDS[:0]
    if lag == 200:
        return SEEDS[: {"chrono": 10, "default": 0}.get(start, 3)]
    return SEEDS


def memory_plan() -> list[dict]:
    """The settings of every network of the table `memory`, in the table's order.

    The learning rates and the RNN's good start are those of the committed table `pilot`. The GRU
    with as many parameters as the LSTM has the smaller one's learning rate, and five seeds.
    """
    pilot = pd.read_csv(TABLES / "pilot.csv")

    def settings(task, cell, start, lag, size=HIDDEN_SIZE):
        rate = best_rate(pilot, task, cell, start)
        setting = dict(task=task, lag=lag, cell=cell, start=start)
        setting |= dict(hidden_size=size, learning_rate=rate)
        seeds = memory_seeds(pilot, task, cell, start, lag)
        return [setting | {"seed": seed} for seed in (seeds if size == HIDDEN_SIZE else SEEDS[:5])]

    arms = [
        (task, cell, start)
        for task in MEMORY
        for cell, start in ARMS
        if cell != "RNN" or start in ("default", rnn_start(pilot, task))
    ]
    order = [(*arm, lag) for lag in (20, 50, 100) for arm in arms]
    order += [(t, "GRU", "chrono", lag, EQUAL_PARAMETERS) for lag in (20, 50, 100) for t in MEMORY]
    order += [(*arm, lag) for lag in (200, 500) for arm in arms]
    return [row for which in order for row in settings(*which)]


def challenge_plan() -> list[dict]:
    """The settings of every network of the table `challenge`, in the table's order.

    The forget gate's biases have the pilot's learning rates, and five seeds or three; the other
    rates are those that its choice, or its grid, left out.
    """
    pilot = pd.read_csv(TABLES / "pilot.csv")
    order = [
        ("latch", lag, "LSTM", "chrono", RATES[-1], SEEDS[:n]) for lag, n in ((100, 10), (200, 5))
    ]
    order += [
        (task, lag, "LSTM", start, best_rate(pilot, task, "LSTM", start), SEEDS[:5])
        for task in MEMORY
        for lag in (20, 50)
        for start in FORGET
    ]
    # A bias of 3 trains long on adding over 50 steps: three seeds.
    order[-1] = (*order[-1][:-1], SEEDS[:3])
    order.append(("adding", 20, "RNN", "orthogonal", BELOW, SEEDS[:3]))
    return [
        dict(task=task, lag=lag, cell=cell, start=start)
        | dict(hidden_size=HIDDEN_SIZE, learning_rate=rate, seed=seed)
        for task, lag, cell, start, rate, seeds in order
        for seed in seeds
    ]


def counting_plan() -> list[dict]:
    """The settings of every network of the table `counting`, in the table's order."""
    pilot = pd.read_csv(TABLES / "pilot.csv")
    return [
        dict(
            task=task,
            lag=COUNT,
            cell=cell,
            start="chrono",
            learning_rate=best_rate(pilot, task, cell, "chrono"),
            seed=seed,
        )
        for task in COUNTING
        for cell in ("GRU", "LSTM")
        for seed in COUNTING_SEEDS[task]
    ]


def counting_row(task: str, seed: int, **row) -> dict[str, str]:
    """Train for `COUNTING_STEPS`, then give the share of right answers at each count of `COUNTED`.

    The marks of "marks" lie among twice as many steps as in training.
    """
    run = train(task, seed=seed, stop=False, cap=COUNTING_STEPS[task], **row)
    found = {"steps": "" if run.steps is None else str(run.steps), "score": f"{run.score:.4f}"}
    for count in COUNTED:
        steps = 2 * COUNT if task == "marks" else count
        x, y = TASKS[task](steps, TEST_SEQUENCES, np.random.default_rng([seed, 4]), count=count)
        found[f"right_at_{count}"] = f"{score(task, run.net.forward(x), y):.4f}"
    return found


SETTINGS = {
    "batch size": BATCH_SIZE,
    "clip norm": CLIP_NORM,
    "most training steps": CAP,
    "evaluated every so many steps": EVERY,
    "test sequences": TEST_SEQUENCES,
    "criterion": CRITERION,
    "score": "latch: share of right answers; adding: explained share of the variance; "
    "marks, difference: share of counts that are right after rounding",
}
# Behind each table: the settings of every row; one row's settings -> its results; what all share.
EXPERIMENTS = {
    "pilot": (pilot_plan, pilot_row, SETTINGS | {"most training steps": PILOT_CAP}),
    "memory": (memory_plan, training_row, SETTINGS),
    "challenge": (challenge_plan, training_row, SETTINGS),
    "counting": (counting_plan, counting_row, SETTINGS | {"most training steps": COUNTING_STEPS}),
    "uses": (trials.uses_plan, trials.row, trials.SETTINGS),
    "capacity": (trials.capacity_plan, trials.row, trials.SETTINGS),
    "successors": (trials.successors_plan, trials.row, trials.SETTINGS),
}
EXPERIMENTS |= recipes.EXPERIMENTS | forecast_tables.EXPERIMENTS


# ---- reading the tables --------------------------------------------------------------------------


class Sooner(NamedTuple):
    """Two kinds of networks compared.

    Attributes:
        share: how likely a network of the first kind solves its task sooner than one of the second,
            ties counted half, averaged over the settings.
        p: how likely a share so far from one half, or farther, is if the two kinds do not differ.
        settings: in how many settings the two can be told apart at all.
    """

    share: float
    p: float
    settings: int


def sooner(pairs: Iterable[tuple[ArrayLike, ArrayLike]]) -> Sooner | None:
    """Which of two kinds of networks needs fewer training steps, over several settings?

    Wilcoxon's rank sum of each setting, added up (van Elteren 1960, with equal weights, by its
    normal approximation with ties). A network that never solved its task comes after all that did
    and ties with the others that did not. A setting in which all tie, at the floor or at the
    ceiling, tells nothing and is left out. The settings are taken as independent; where the same
    seeds appear in several, p is somewhat too small.

    Args:
        pairs: for each setting the steps of the first kind's networks and of the second's, NaN for
            a network that never solved its task.

    Returns:
        The comparison, None if no setting is left.
    """
    shares, variances = [], []
    for pair in pairs:
        first, second = (np.nan_to_num(np.asarray(steps, float), nan=np.inf) for steps in pair)
        n, m = len(first), len(second)
        if not n * m:
            continue
        _, ties = np.unique(np.concatenate([first, second]), return_counts=True)
        if len(ties) == 1:
            continue
        shares.append(np.mean((first[:, None] < second) + (first[:, None] == second) / 2))
        untied = 1 - (ties**3 - ties).sum() / ((n + m) ** 3 - (n + m))
        variances.append((n + m + 1) / (12 * n * m) * untied)
    if not shares:
        return None
    z = (np.sum(shares) - len(shares) / 2) / np.sqrt(np.sum(variances))
    return Sooner(float(np.mean(shares)), float(2 * stats.norm.sf(abs(z))), len(shares))


def gru_or_lstm(table: pd.DataFrame) -> dict[tuple[str, str], Sooner | None]:
    """The GRU compared with the LSTM at short lags (20, 50) and long ones (100 to 500).

    Args:
        table: `memory`.

    Returns:
        For each pair of "short" or "long" and the networks compared: `sooner`, with the GRU first.
    """

    def steps(task, lag, cell, start, size):
        which = (table.task == task) & (table.lag == lag) & (table.cell == cell)
        return table[which & (table.start == start) & (table.hidden_size == size)].steps

    kinds = {
        "default start": ("default", HIDDEN_SIZE),
        "chrono start": ("chrono", HIDDEN_SIZE),
        "chrono start, equal parameters": ("chrono", EQUAL_PARAMETERS),
    }
    return {
        (length, kind): sooner(
            (steps(task, lag, "GRU", start, size), steps(task, lag, "LSTM", start, HIDDEN_SIZE))
            for task in table.task.unique()
            for lag in lags
        )
        for length, lags in {"short": (20, 50), "long": (100, 200, 500)}.items()
        for kind, (start, size) in kinds.items()
    }


def leads(compared: dict[tuple[str, str], Sooner | None]) -> dict[str, bool | None]:
    """What "the GRU for short, the LSTM for long dependencies" implies, and whether it was seen.

    Args:
        compared: of `gru_or_lstm`.

    Returns:
        Conditions for `helpers.claims.verdict`: None where the difference is not significant at
        the level of 5% shared among all comparisons (Bonferroni).
    """
    conditions = {}
    for (length, kind), found in compared.items():
        ahead = None
        if found and found.p < 0.05 / len(compared):
            ahead = (found.share > 0.5) == (length == "short")
        cell = "GRU" if length == "short" else "LSTM"
        conditions[f"{length} lags, {kind}: the {cell} learns sooner"] = ahead
    return conditions


def short_and_long(compared: dict[tuple[str, str], Sooner | None]) -> dict[str, bool | None]:
    """Whether the sentence of `leads` is seen as a whole, for each kind of networks.

    Args:
        compared: of `gru_or_lstm`.

    Returns:
        Conditions for `helpers.claims.verdict`: True where both leads are seen, False where one is
        refuted (the other cell is ahead), None otherwise.
    """
    halves = leads(compared).values()
    pairs = {}
    for (_, kind), seen in zip(compared, halves, strict=True):
        pairs.setdefault(kind, []).append(seen)
    return {
        f"{kind}: the GRU ahead at short lags, the LSTM at long ones": (
            False if False in both else None if None in both else True
        )
        for kind, both in pairs.items()
    }


def most_solved(steps: ArrayLike) -> bool | None:
    """Did most networks solve their task? By Wilson's 95% interval of the share, against one half.

    Args:
        steps: training steps of each network, NaN for one that never solved it.

    Returns:
        True or False where the interval lies above or below one half, None where it includes it.
    """
    solved = np.isfinite(np.asarray(steps, float))
    if not solved.size:
        return None
    share = stats.binomtest(int(solved.sum()), solved.size).proportion_ci(method="wilson")
    return True if share.low > 0.5 else False if share.high < 0.5 else None


def told(steps: ArrayLike) -> str:
    """How many networks solved their task, and the median of their training steps.

    Args:
        steps: of each network, NaN for one that never solved it.

    Returns:
        Such as "10/10 70 (60–90)": the 95% interval of the median is that of the sign test, without
            any assumption about the distribution; fewer than six networks give none. "never" is
            more than the cap.
    """
    steps = np.nan_to_num(np.asarray(steps, float), nan=np.inf)
    if not steps.size:
        return ""

    def word(number):
        return "never" if np.isinf(number) else f"{number:.0f}"

    if np.isinf(steps).all():
        return f"0/{steps.size} never"
    ordered = np.sort(steps)
    middle = ordered[(steps.size - 1) // 2 : steps.size // 2 + 1].mean()
    text = f"{np.isfinite(steps).sum()}/{steps.size} {word(middle)}"
    cut = int(stats.binom.ppf(0.025, steps.size, 0.5))  # so many from each end are outside
    if steps.size < 6:
        return text
    return f"{text} ({word(ordered[cut - 1])}–{word(ordered[-cut])})"


def write_table(name: str, folder: Path = TABLES) -> None:
    """Run the rows that a table still lacks, on one thread, then write it with its settings.

    Args:
        name: of the table, a key of `EXPERIMENTS`.
        folder: where the table, its .json and the rows of an interrupted run lie.

    Raises:
        ValueError: an interrupted run had another plan, other settings or other versions.
        OSError: the folder cannot be written to.
    """
    make_plan, run, settings = EXPERIMENTS[name]
    plan, results = make_plan(), []
    versions = {library.__name__: library.__version__ for library in (np, torch)}
    settings = settings | {
        "versions": {"python": platform.python_version()} | versions,
        "processor": platform.machine(),
        "threads": 1,
    }
    # One line says what is run, and one more per finished row what came out.
    header, partial = json.dumps([settings, plan]), folder / f"{name}.partial"
    kept = partial.read_bytes() if partial.exists() else b""
    kept = kept[: kept.rfind(b"\n") + 1]  # an interruption may leave half a line
    if kept:
        begun, *lines = kept.decode().splitlines()
        if begun != header:
            raise ValueError(f"{partial} has rows of another plan, setting or version: delete it")
        results = [json.loads(line) for line in lines]
    checkpoint = folder / f"{name}.checkpoint"  # for rows that follow from one another
    more = {"checkpoint": checkpoint} if name in forecast_tables.CHECKPOINTED else {}
    torch.set_num_threads(1)
    with threadpool_limits(1), partial.open("ab") as file:  # NumPy's threads are not torch's
        file.truncate(len(kept))
        if not kept:
            file.write(header.encode() + b"\n")
        for row in tqdm(plan[len(results) :], name, initial=len(results), total=len(plan)):
            results.append(row | run(**row, **more))
            file.write(json.dumps(results[-1]).encode() + b"\n")
            file.flush()
    about = {
        "written by": f"python -m helpers.experiments {name}",
        "date": datetime.date.today().isoformat(),
        **settings,
    }
    pd.DataFrame(results).to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
    text = json.dumps(about, indent=1, ensure_ascii=False) + "\n"
    (folder / f"{name}.json").write_text(text, encoding="utf-8", newline="\n")
    partial.unlink()
    checkpoint.unlink(missing_ok=True)


def main(arguments: list[str] | None = None) -> None:
    """Write tables; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "tables", nargs="+", choices=EXPERIMENTS, metavar="table", help=", ".join(EXPERIMENTS)
    )
    parser.add_argument("--output", type=Path, default=TABLES, help="the folder to write to")
    options = parser.parse_args(arguments)
    try:
        for table in options.tables:
            write_table(table, options.output)
            print(f"wrote {options.output / table}.csv")
    except KeyboardInterrupt:
        parser.exit(1, "stopped; the same command goes on from here\n")
    except (OSError, ValueError) as error:
        parser.exit(1, f"{error}; --output names another folder\n")


if __name__ == "__main__":
    main()
