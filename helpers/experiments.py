"""The code behind the committed tables of long runs; the lessons import it and repeat a part.

::

    python -m helpers.experiments memory

writes `helpers/tables/memory.csv`, one row per trained network, with `memory.json` beside it
(settings, versions, date), and nothing else. Finished rows wait in `memory.partial`: after an
interruption the same command goes on where it stopped, and the table is replaced only by a whole
one. Where the package lies in a folder that cannot be written to, ``--output`` names another.

- **memory** (notebook 3, about an hour on one core): ten seeds of the RNN, GRU and LSTM on two
  tasks that ask for memory, up to a lag of 500 steps. The cells are those of `helpers.cells`, whose
  passes are proved equal to PyTorch's in notebooks 2 and 3; so small, they train faster on a CPU
  than `nn.GRU`. PyTorch's Adam moves the weights.
- **article**, **order**, **ranges**, **carbon**, **bikes**, **volume**, **band** (notebook 5):
  see `helpers.forecast_tables`.
"""

import argparse
import datetime
import json
import platform
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from helpers import cells, forecast_tables, tasks

TABLES = Path(__file__).resolve().parent / "tables"
TASKS = {"latch": tasks.latch, "adding": tasks.adding}
CELLS = {"RNN": cells.RNN, "GRU": cells.GRU, "LSTM": cells.LSTM}
STARTS = ("default", "one", "chrono")

HIDDEN_SIZE = 24
# With the tasks' two inputs, a hidden size of 28 gives the GRU the LSTM's number of weights and
# biases: 3 · 28 · (28 + 2 + 2) = 4 · 24 · (24 + 2 + 2) = 2688.
EQUAL_PARAMETERS = 28
BATCH_SIZE = 32
LEARNING_RATE = 0.01
CLIP_NORM = 1.0
TEST_SEQUENCES = 500
STEPS = {"latch": 200, "adding": 400}
LAGS = {"latch": (20, 50, 100, 200, 500), "adding": (20, 50, 100, 200)}
VARIANCE_OF_SUM = 1 / 6  # of the adding task's answer: two numbers, uniform in [0, 1)
SEEDS = 10


def gate_bias(cell, start: str, lag: int, generator: np.random.Generator) -> None:
    """Set the biases of the gate that keeps the state; a plain RNN has none and stays as it is.

    Args:
        cell: of `helpers.cells`; its biases are changed in place.
        start: "default" leaves PyTorch's start, where a gate stands near one half. "one" gives the
            LSTM's forget gate, or the GRU's update gate, a bias of 1 (Jozefowicz, Zaremba &
            Sutskever 2015). "chrono" draws the logarithm of a time from 1 to `lag` - 1 steps, and
            gives the LSTM's input gate the opposite bias (Tallec & Ollivier 2018,
            arXiv:1804.11188, section 3).
        lag: the longest time to be remembered, in steps, at least 3 for "chrono".
        generator: where chance comes from.

    Raises:
        ValueError: an unknown start, or a lag that is too short for "chrono".
    """
    if start not in STARTS:
        raise ValueError(f"expected start to be one of {STARTS}, got {start!r}")
    if start == "chrono" and lag < 3:
        raise ValueError(f"expected a lag of at least 3 for the chrono start, got {lag}")
    keeper = next((part for part in ("update", "forget") if part in cell.parts), None)
    if start == "default" or keeper is None:
        return
    values = 1.0 if start == "one" else np.log(generator.uniform(1, lag - 1, cell.hidden_size))
    signs = {keeper: 1} | ({"input": -1} if start == "chrono" and keeper == "forget" else {})
    for part, sign in signs.items():
        cell.params["b_x"][cell.rows(part)] = sign * values
        cell.params["b_h"][cell.rows(part)] = 0


class Net:
    """A cell with a linear read-out of its last state: one number per sequence.

    Args:
        cell: "RNN", "GRU" or "LSTM".
        start, lag: see `gate_bias`.
        hidden_size: the number of units.
        seed: of all that is drawn.

    Raises:
        ValueError: see `gate_bias`.
    """

    def __init__(
        self, cell: str, start: str, lag: int, hidden_size: int = HIDDEN_SIZE, seed: int = 0
    ):
        generator = np.random.default_rng([seed, 1])
        self.cell = CELLS[cell](2, hidden_size, batch_first=True, seed=seed, dtype=np.float32)
        gate_bias(self.cell, start, lag, generator)
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


def slope(task: str, answer: np.ndarray, y: np.ndarray) -> np.ndarray:
    """dL/danswer (B,) of the mean loss: logistic for "latch", squared for "adding".

    The adding task's answer is counted from 1, the mean of the sum.
    """
    if task == "latch":
        return ((cells.sigmoid(answer) - y) / len(y)).astype(np.float32)
    return 2 * (answer - (y - 1)) / len(y)


def score(task: str, answer: np.ndarray, y: np.ndarray) -> float:
    """How good the answers are; 1 is perfect for both tasks.

    "latch": the share of right answers, 0.5 by guessing. "adding": the explained share of the
    sum's variance, 1 - MSE / (1/6), 0 by always answering the mean; it may be negative.
    """
    if task == "latch":
        return float(((2 * y - 1) * answer > 0).mean())  # an answer that is NaN or 0 is not right
    return float(1 - ((answer - (y - 1)) ** 2).mean() / VARIANCE_OF_SUM)


def train(
    task: str, cell: str, start: str, lag: int, *, hidden_size: int = HIDDEN_SIZE, seed: int = 0
) -> tuple[float, Net]:
    """Train one network on a fresh batch per step, and test it on fresh sequences.

    Two cells with the same seed see the same batches.

    Args:
        task: "latch", with `lag` noise steps, or "adding", of length `lag` (see `helpers.tasks`).
        cell, start, lag, hidden_size, seed: see `Net`.

    Returns:
        Its `score` on `TEST_SEQUENCES` sequences, and the network.

    Raises:
        ValueError: see `gate_bias`.
    """
    draw, generator = TASKS[task], np.random.default_rng([seed, 2])
    net = Net(cell, start, lag, hidden_size, seed)
    # The tensors share memory with the arrays, so the optimizer moves the NumPy weights.
    tensors = {name: torch.from_numpy(array) for name, array in net.params.items()}
    optimizer = torch.optim.Adam(tensors.values(), lr=LEARNING_RATE)
    for _ in range(STEPS[task]):
        x, y = draw(lag, BATCH_SIZE, generator)
        grads = net.backward(slope(task, net.forward(x), y))
        for name, tensor in tensors.items():
            tensor.grad = torch.from_numpy(grads[name])
        torch.nn.utils.clip_grad_norm_(tensors.values(), CLIP_NORM)
        optimizer.step()
    x, y = draw(lag, TEST_SEQUENCES, np.random.default_rng([seed, 3]))
    return score(task, net.forward(x), y), net


def memory_plan() -> list[dict]:
    """The settings of every network of the table `memory`, in the table's order."""
    sizes = [(cell, HIDDEN_SIZE) for cell in CELLS]
    sizes.insert(2, ("GRU", EQUAL_PARAMETERS))
    return [
        dict(task=task, lag=lag, cell=cell, start=start, hidden_size=size, seed=seed)
        for task, lags in LAGS.items()
        for lag in lags
        for cell, size in sizes
        for start in STARTS
        for seed in range(SEEDS)
        if not (cell == "RNN" and start != "default")  # it has no gate to bias
        # To keep the whole within about an hour: the fixed bias at the short lags alone, and at
        # the longest lag the two gated cells with equal hidden size alone.
        if not (start == "one" and (lag > 50 or size != HIDDEN_SIZE))
        if not (lag == 500 and (cell == "RNN" or size != HIDDEN_SIZE))
    ]


def memory_row(**row) -> dict[str, str]:
    """The results of one row of the plan, as the table writes them."""
    return {"score": f"{train(**row)[0]:.4f}"}


MEMORY_SETTINGS = {
    "seeds": SEEDS,
    "batch size": BATCH_SIZE,
    "steps": STEPS,
    "learning rate": LEARNING_RATE,
    "clip norm": CLIP_NORM,
    "test sequences": TEST_SEQUENCES,
    "score": "latch: share of right answers; adding: explained share of the variance",
}
# Behind each table: the settings of every row; one row's settings -> its results; what all share.
EXPERIMENTS = {"memory": (memory_plan, memory_row, MEMORY_SETTINGS)}
EXPERIMENTS |= forecast_tables.EXPERIMENTS


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
    """Write one table; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", choices=EXPERIMENTS, help="the table to write")
    parser.add_argument("--output", type=Path, default=TABLES, help="the folder to write it to")
    options = parser.parse_args(arguments)
    try:
        write_table(options.table, options.output)
    except KeyboardInterrupt:
        parser.exit(1, "stopped; the same command goes on from here\n")
    except (OSError, ValueError) as error:
        parser.exit(1, f"{error}; --output names another folder\n")
    print(f"wrote {options.output / options.table}.csv")


if __name__ == "__main__":
    main()
