"""Train the cells on tasks that ask for memory, and write the table of the long runs.

``make long-runs`` trains ten seeds of every combination below, up to a lag of 500 steps, on one
core, and writes `helpers/tables/long_runs.csv` (one row a trained network) with `long_runs.json`
beside it (settings, versions, date). Notebook 3 imports `train`, repeats a part of the table, and checks
that both agree.

The cells are those of `helpers.cells`, whose forward and backward passes are proved equal to
PyTorch's in the notebooks 2 and 3; with so few units they train faster on a CPU than `nn.GRU`.
PyTorch's Adam moves the weights.
"""

import argparse
import csv
import datetime
import json
import os
import platform
import time
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from helpers import cells, tasks

TABLES = Path(__file__).resolve().parent / "tables"
FIELDS = ("task", "lag", "cell", "start", "hidden", "seed", "score")
TASKS = {"latch": tasks.latch, "adding": tasks.adding}
CELLS = {"RNN": cells.RNN, "GRU": cells.GRU, "LSTM": cells.LSTM}
STARTS = ("default", "one", "chrono")

HIDDEN = 24
# With the tasks' two inputs, 28 units give the GRU the LSTM's number of weights and biases:
# 3 · 28 · (28 + 2 + 2) = 4 · 24 · (24 + 2 + 2) = 2688.
EQUAL_PARAMETERS = 28
BATCH = 32
LEARNING_RATE = 0.01
CLIP_NORM = 1.0
TEST_BATCH = 500
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
    keeper = {"GRU": "update", "LSTM": "forget"}.get(type(cell).__name__)
    if start == "default" or keeper is None:
        return
    values = 1.0 if start == "one" else np.log(generator.uniform(1, lag - 1, cell.hidden_size))
    signs = {keeper: 1} | ({"input": -1} if start == "chrono" and keeper == "forget" else {})
    for part, sign in signs.items():
        cell.params["b_x"][cell.rows(part)] = sign * values
        cell.params["b_h"][cell.rows(part)] = 0


class Net:
    """A cell with a linear read-out of its last state: one number a sequence.

    Args:
        cell: "RNN", "GRU" or "LSTM".
        start: see `gate_bias`.
        lag: see `gate_bias`.
        hidden: units.
        seed: of all that is drawn.
    """

    def __init__(self, cell: str, start: str, lag: int, hidden: int = HIDDEN, seed: int = 0):
        if cell not in CELLS:
            raise ValueError(f"expected cell to be one of {tuple(CELLS)}, got {cell!r}")
        generator = np.random.default_rng([seed, 1])
        self.cell = CELLS[cell](2, hidden, seed=seed, dtype=np.float32)
        gate_bias(self.cell, start, lag, generator)
        bound = hidden**-0.5
        self.weight = generator.uniform(-bound, bound, hidden).astype(np.float32)  # (H,)
        self.bias = np.zeros(1, np.float32)

    @property
    def params(self) -> dict[str, np.ndarray]:
        """All parameters by name: the cell's and the read-out's."""
        return {**self.cell.params, "weight": self.weight, "bias": self.bias}

    def forward(self, x: np.ndarray) -> np.ndarray:
        """x (T, B, 2) -> answers (B,)."""
        self.states = self.cell.forward(x)  # (T, B, H)
        return self.states[-1] @ self.weight + self.bias

    def backward(self, d_answer: np.ndarray) -> dict[str, np.ndarray]:
        """dL/danswer (B,) -> the gradient of every parameter, by name."""
        d_states = np.zeros_like(self.states)
        d_states[-1] = np.outer(d_answer, self.weight)  # (B, H)
        grads = self.cell.backward(d_states)
        return {
            **{name: grads[name] for name in self.cell.params},
            "weight": self.states[-1].T @ d_answer,
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
        return float(((answer > 0) == (y == 1)).mean())
    return float(1 - ((answer - (y - 1)) ** 2).mean() / VARIANCE_OF_SUM)


def train(
    task: str,
    cell: str,
    start: str,
    lag: int,
    *,
    hidden: int = HIDDEN,
    seed: int = 0,
    steps: int | None = None,
) -> tuple[float, Net]:
    """Train one network and test it on fresh sequences.

    Every step sees a fresh batch. Two cells with the same seed see the same batches.

    Args:
        task: "latch" or "adding" (see `helpers.tasks`).
        cell, start, lag, hidden, seed: see `Net`; `lag` is the noise steps of the latch, and the
            length of the adding task.
        steps: training steps; the task's number in `STEPS` if None.

    Returns:
        Its `score` on `TEST_BATCH` fresh sequences, and the network.

    Raises:
        ValueError: an unknown task, cell or start.
    """
    if task not in TASKS:
        raise ValueError(f"expected task to be one of {tuple(TASKS)}, got {task!r}")
    draw = TASKS[task]
    generator = np.random.default_rng([seed, 2])
    net = Net(cell, start, lag, hidden, seed)
    # The tensors share memory with the arrays, so the optimizer moves the NumPy weights.
    tensors = {name: torch.from_numpy(array) for name, array in net.params.items()}
    optimizer = torch.optim.Adam(tensors.values(), lr=LEARNING_RATE)
    for _ in range(STEPS[task] if steps is None else steps):
        x, y = draw(lag, BATCH, generator)
        grads = net.backward(slope(task, net.forward(x), y))
        for name, tensor in tensors.items():
            tensor.grad = torch.from_numpy(grads[name])
        torch.nn.utils.clip_grad_norm_(tensors.values(), CLIP_NORM)
        optimizer.step()
    x, y = draw(lag, TEST_BATCH, np.random.default_rng([seed, 3]))
    return score(task, net.forward(x), y), net


def plan() -> list[dict]:
    """Every network of the table, without its score, the quick ones first."""
    sizes = [("RNN", HIDDEN), ("GRU", HIDDEN), ("GRU", EQUAL_PARAMETERS), ("LSTM", HIDDEN)]
    rows = [
        {"task": task, "lag": lag, "cell": cell, "start": start, "hidden": hidden, "seed": seed}
        for task, lags in LAGS.items()
        for lag in lags
        for cell, hidden in sizes
        for start in STARTS
        for seed in range(SEEDS)
        if not (cell == "RNN" and start != "default")  # it has no gate to bias
        # To keep the whole within about an hour: the fixed bias at the short lags alone, and at
        # the longest lag the two gated cells with equal hidden size alone.
        if not (start == "one" and (lag > 50 or hidden != HIDDEN))
        if not (lag == 500 and (cell == "RNN" or hidden != HIDDEN))
    ]
    return sorted(rows, key=lambda row: row["lag"])


def main() -> None:
    """Train all networks of the plan and write the table with its settings."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=TABLES / "long_runs.csv")
    output = parser.parse_args().output
    torch.set_num_threads(1)
    begin, rows = time.perf_counter(), []
    for row in tqdm(plan(), desc="networks", unit="net"):
        found, _ = train(**row)
        rows.append({**row, "score": f"{found:.4f}"})
    rows.sort(key=lambda row: (row["task"] != "latch", row["lag"]))
    about = {
        "written by": "make long-runs (helpers/experiments.py)",
        "date": datetime.date.today().isoformat(),
        "minutes": round((time.perf_counter() - begin) / 60),
        "seeds": SEEDS,
        "batch": BATCH,
        "steps": STEPS,
        "learning rate": LEARNING_RATE,
        "clip norm": CLIP_NORM,
        "test sequences": TEST_BATCH,
        "score": "latch: share of right answers; adding: explained share of the variance",
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "torch": torch.__version__,
        },
        "processor": platform.machine(),
        "threads": 1,
    }
    partial = output.with_suffix(".partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    text = json.dumps(about, indent=1, ensure_ascii=False) + "\n"
    output.with_suffix(".json").write_text(text, encoding="utf-8")
    os.replace(partial, output)
    print(f"wrote {len(rows)} rows to {output.name}")


if __name__ == "__main__":
    main()
