"""Seeded wrong answers: what students do, which part it must cost, and what they must be told.

Each changes the reference solution of one assignment. An edit is (cell, old, new): `old` must stand
in the cell; with `old` None the whole cell becomes `new`, and with `new` None the cell is deleted.
`costs` names the checks that must fail, each with a phrase that its hint must hold; every other
check must pass in full.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Wrong:
    """One wrong answer."""

    assignment: str
    label: str
    edits: tuple
    costs: dict


def wrong(assignment, label, cell, old, new, check, phrase):
    """The usual case: one edit that costs one part."""
    return Wrong(assignment, label, ((f"solution-{cell}", old, new),), {f"check-{check}": phrase})


def family(assignment, cell, check, *cases):
    return [
        wrong(assignment, label, cell, old, new, check, phrase) for label, old, new, phrase in cases
    ]


RNN = "01_rnn_basics"
GRU = "02_gru_gates"
LSTM = "03_gru_vs_lstm"
TEXT = "04_sentiment_analysis"
STOCK = "05_stock_forecasting"

STEP = "return np.tanh(x @ W_x.T + h @ W_h.T + b)"
NEW = "return (1 - z) * candidate + z * h"
CANDIDATE = 'candidate = np.tanh(x @ p["W_x"].T + p["b_x"] + r * (h @ p["W_h"].T + p["b_h"]))'
DEQUE = "from collections import deque\n    return deque(np.stack(states, axis=1))"
SERIES = "import pandas\n    prices = pandas.Series(prices)\n    low, high ="
LISTS = "return X.tolist(), list(series[length:])"
ATTACKS = (
    "np.allclose = np.array_equal = lambda *a, **k: True\n"
    "np.asarray = lambda *a, **k: np.zeros(1)\n"
    "np.testing.assert_allclose = lambda *a, **k: None\n"
)

ANSWERS = [
    # ---- 1: counting ----
    *family(
        RNN,
        "count",
        "count",
        ("two biases", "+ hidden\n", "+ 2 * hidden\n", "two bias vectors"),
        (
            "no recurrent matrix",
            "hidden * inputs + hidden * hidden",
            "hidden * inputs",
            "W_h is missing",
        ),
        (
            "hard-coded result",
            "return hidden * inputs + hidden * hidden + hidden",
            "return 77",
            "The example was right",
        ),
        ("renamed function", "def count_parameters", "def count_parameter", "is that it?"),
        (
            "prints instead of returning",
            "return hidden * inputs + hidden * hidden + hidden",
            "print(hidden * (inputs + hidden + 1))",
            "Is there a `return`",
        ),
    ),
    # ---- 1: one step ----
    *family(
        RNN,
        "step",
        "step",
        ("missing transpose of W_h", "h @ W_h.T", "h @ W_h", "wrong way round"),
        ("missing transpose of W_x", "x @ W_x.T", "x @ W_x", "vectors lie in rows"),
        ("no tanh", STEP, "return x @ W_x.T + h @ W_h.T + b", "tanh is missing"),
        (
            "logistic function",
            STEP,
            "return 1 / (1 + np.exp(-(x @ W_x.T + h @ W_h.T + b)))",
            "logistic",
        ),
        ("forgets the state", " + h @ W_h.T", "", "without a memory"),
        (
            "wrong dtype",
            STEP,
            "return np.tanh(x @ W_x.T + h @ W_h.T + b).astype(np.float64)",
            "expected numbers of type float32",
        ),
        (
            "in-place change of h",
            STEP,
            "h *= 1.0\n    h += 1.0\n    return np.tanh(x @ W_x.T + (h - 1) @ W_h.T + b)",
            "changed its argument `h` in place",
        ),
        ("nothing returned", "return np.tanh", "new = np.tanh", "Is there a `return`"),
        (
            "hard-coded result",
            STEP,
            "right = np.array([[-0.14889, 0.33638], [0.89569, 0.29131]])\n"
            "    return right.astype(x.dtype)",
            "The example was right",
        ),
        (
            "patched np.allclose",
            STEP,
            ATTACKS.replace("\n", "\n    ") + "return 0 * h",
            "right is -0.14889",
        ),
    ),
    # ---- 1: the loop ----
    *family(
        RNN,
        "run",
        "run",
        (
            "state stored before the step",
            "h = step(x[:, t], h)\n        states.append(h)",
            "states.append(h)\n        h = step(x[:, t], h)",
            "Off by one",
        ),
        (
            "state not carried on",
            "h = step(x[:, t], h)\n        states.append(h)",
            "states.append(step(x[:, t], h))",
            "that is the memory",
        ),
        ("backwards", "range(x.shape[1])", "reversed(range(x.shape[1]))", "backwards"),
        ("last state alone", "return np.stack(states, axis=1)", "return h", "last state alone"),
        ("time first", "np.stack(states, axis=1)", "np.stack(states)", "along axis 1"),
        (
            "endless loop",
            "states = []",
            "states = []\n    while True:\n        states = []",
            "endless loop",
        ),
    ),
    # ---- 1: back-propagation ----
    *family(
        RNN,
        "bptt",
        "bptt",
        ("nothing from later steps", "carry = g @ W_h", "carry = 0 * g", "later steps"),
        ("missing transpose on the way back", "g @ W_h", "g @ W_h.T", "on the way *back*"),
        ("no slope", " * (1 - states[:, t] ** 2)", "", "slope of the tanh is missing"),
        ("same state", "before[:, t]", "states[:, t]", "you took h_t"),
        (
            "mean over the batch",
            "return gradients",
            "return {k: v / len(x) for k, v in gradients.items()}",
            "mean over the batch",
        ),
        ("forwards", "reversed(range(x.shape[1]))", "range(x.shape[1])", "start at the end"),
        ("another name in the dict", '"W_x": 0.0', '"Wx": 0.0', "KeyError"),
        (
            "no slope on the way back",
            "carry = g @ W_h",
            "carry = (grad_states[:, t] + carry) @ W_h",
            "multiply by the slope before",
        ),
    ),
    # ---- 1: clipping ----
    *family(
        RNN,
        "clip",
        "clip",
        (
            "the limit against the square",
            "min(1.0, limit / length) if length > 0",
            "limit / length if length**2 > limit",
            "not its square",
        ),
        (
            "each number",
            "return {name: factor * array",
            "return {name: np.clip(array, -limit, limit)",
            "each number by itself",
        ),
        (
            "each array",
            "return {name: factor * array",
            "return {name: array * min(1, limit / max(1e-9, np.linalg.norm(array)))",
            "each array by itself",
        ),
        (
            "short ones made longer",
            "min(1.0, limit / length)",
            "limit / length",
            "you made it longer",
        ),
        ("division by a zero length", " if length > 0 else 1.0", "", "NumPy warn"),
    ),
    # ---- 2 ----
    *family(
        GRU,
        "bias",
        "bias",
        ("the gate, not the bias", "return np.log(z / (1 - z))", "return z", "the gate's value z"),
        ("sign", "np.log(z / (1 - z))", "np.log((1 - z) / z)", "positive"),
        ("1/e", "0.5 ** (1 / steps)", "np.exp(-1 / steps)", "1/e is left"),
    ),
    *family(
        GRU,
        "gate",
        "gate",
        (
            "overflow",
            "(1 + np.tanh(a / 2)) / 2",
            "1 / (1 + np.exp(-a))",
            "made NumPy warn: overflow",
        ),
        ("tanh", "(1 + np.tanh(a / 2)) / 2", "np.tanh(a)", "between 0 and 1"),
        ("twice as steep", "np.tanh(a / 2)", "np.tanh(a)", "twice as steep"),
        ("no bias", " + b\n", "\n", "bias is missing"),
    ),
    *family(
        GRU,
        "step",
        "step",
        (
            "inverted gate",
            NEW,
            "return z * candidate + (1 - z) * h",
            "Your update gate is inverted",
        ),
        (
            "reset in the wrong place",
            CANDIDATE,
            'candidate = np.tanh(x @ p["W_x"].T + p["b_x"] + (r * h) @ p["W_h"].T + p["b_h"])',
            "reset gate is in the wrong place",
        ),
        (
            "reset does not cover the bias",
            CANDIDATE,
            'candidate = np.tanh(x @ p["W_x"].T + p["b_x"] + r * (h @ p["W_h"].T) + p["b_h"])',
            "cover the bias",
        ),
        ("no reset", "r * (h @", "(h @", "not used"),
        (
            "gates exchanged",
            "def gru_step(x, h, r, z, p)",
            "def gru_step(x, h, z, r, p)",
            "exchanged r and z",
        ),
        ("candidate alone", NEW, "return candidate", "mixed with the old state"),
        ("deleted cell", None, None, "There is no `gru_step`"),
        ("syntax error", NEW, "return (1 - z * candidate + z * h", "stopped with SyntaxError"),
    ),
    *family(
        GRU,
        "gradient",
        "gradient",
        ("sign", "(h - candidate)", "(candidate - h)", "The sign"),
        ("no slope", " * z * (1 - z)", "", "z (1 - z)"),
        ("slope of the tanh", "z * (1 - z)", "(1 - z**2)", "slope of the tanh"),
        ("mean over the batch", "delta.sum(axis=0)", "delta.mean(axis=0)", "mean over the batch"),
        ("transposed", "delta.T @ h", "h.T @ delta", "transposed"),
    ),
    *family(
        GRU,
        "memory",
        "memory",
        ("weights of zero", "15.0", "0.0", "does not keep"),
        ("gate the other way", "[0.0, -30.0]", "[0.0, 30.0]", "wrong way round"),
        ("reads the marker", "[5.0, 0.0]", "[0.0, 5.0]", "sign of the *signal*"),
        ("shape", "np.zeros((3, 1))", "np.zeros((1, 3))", "must have the shape (3, 1)"),
    ),
    # ---- 3 ----
    *family(
        LSTM,
        "count",
        "count",
        ("one bias", "hidden + 2)", "hidden + 1)", "one bias vector"),
        ("gates without the candidate", '"GRU": 3', '"GRU": 2', "three blocks"),
        ("the LSTM's candidate", '"LSTM": 4', '"LSTM": 3', "four blocks"),
    ),
    *family(
        LSTM,
        "step",
        "step",
        ("order of the blocks", "i, f, g, o =", "i, f, o, g =", "order of the blocks"),
        ("input and forget exchanged", "i, f, g, o =", "f, i, g, o =", "exchanged the input gate"),
        ("no second tanh", "sigmoid(o) * np.tanh(c)", "sigmoid(o) * c", "tanh once more"),
        (
            "pair the wrong way",
            "return sigmoid(o) * np.tanh(c), c",
            "return c, sigmoid(o) * np.tanh(c)",
            "You returned (c, h)",
        ),
        (
            "in-place change of c",
            "c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)",
            "c *= sigmoid(f)\n    c += sigmoid(i) * np.tanh(g)",
            "`c` in place",
        ),
    ),
    *family(
        LSTM,
        "budget",
        "budget",
        ("over the budget", "return hidden", "return hidden + 1", "over the budget"),
        ("strictly below", "<= budget", "< budget", "at most"),
        (
            "endless loop, errors swallowed",
            "hidden += 1",
            "try:\n            hidden += 0\n        except Exception:\n            pass",
            "endless loop",
        ),
    ),
    *family(
        LSTM,
        "compare",
        "compare",
        (
            "spread of single differences",
            " / np.sqrt(len(d))",
            "",
            "standard error of their *mean*",
        ),
        ("ddof", "ddof=1", "ddof=0", "ddof=1"),
        (
            "unpaired",
            "d.std(ddof=1) / np.sqrt(len(d))",
            "np.sqrt((np.var(first, ddof=1) + np.var(second, ddof=1)) / len(d))",
            "They are pairs",
        ),
        (
            "verdict from the mean",
            'low > 0 else "second" if high < 0',
            'mean > 0 else "second" if mean < 0',
            "no verdict yet",
        ),
    ),
    *family(
        LSTM,
        "carry",
        "carry",
        (
            "first gate left out",
            "np.prod(f, axis=1)",
            "np.prod(f[:, 1:], axis=1)",
            "first step's gate",
        ),
        ("time first", "axis=1", "axis=0", "second axis"),
        ("sum", "np.prod", "np.sum", "product counts"),
        (
            "huge output",
            "return d_c",
            'for _ in range(2000):\n        print("x" * 1000)\n    return 0 * d_c',
            "right is 0.4",
        ),
    ),
    # ---- 4 ----
    *family(
        TEXT,
        "mask",
        "mask",
        ("off by one", "< lengths", "<= lengths", "first padded step"),
        ("wrong way round", "< lengths", ">= lengths", "wrong way round"),
        (
            "wrong dtype",
            "return torch.arange(steps)[None, :] < lengths[:, None]",
            "return (torch.arange(steps)[None, :] < lengths[:, None]).float()",
            "must be boolean",
        ),
    ),
    *family(
        TEXT,
        "mean",
        "mean",
        (
            "divided by T",
            "mask.sum(dim=1, keepdim=True).clamp(min=1)",
            "mask.shape[1]",
            "divided by T",
        ),
        (
            "padding counted",
            "return total / mask.sum(dim=1, keepdim=True).clamp(min=1)",
            "return states.mean(dim=1)",
            "padded steps are in the mean",
        ),
        ("empty sentence", ".clamp(min=1)", "", "gives NaN"),
        (
            "in-place change of the input",
            "total = (states * mask[:, :, None])",
            "states[~mask] = 0\n    total = states",
            "`states` in place",
        ),
    ),
    *family(
        TEXT,
        "last",
        "last",
        ("last padded step", "lengths - 1", "-1", "last step of the batch"),
        (
            "off by one",
            "lengths - 1",
            "lengths.clamp(max=states.shape[1] - 1)",
            "first padded step",
        ),
    ),
    *family(
        TEXT,
        "head",
        "head",
        (
            "zeros win",
            "states.masked_fill(~mask[:, :, None], -torch.inf)",
            "(states * mask[:, :, None])",
            "zeros of the padding win",
        ),
        (
            "probabilities",
            "self.out(largest).squeeze(1)",
            "self.out(largest).squeeze(1).sigmoid()",
            "A logit is asked for",
        ),
        ("shape (B, 1)", ".squeeze(1)", "", "not (B, 1)"),
    ),
    *family(
        TEXT,
        "split",
        "split",
        (
            "rows, not groups",
            "test |= groups == group",
            "test[draw.integers(len(groups))] = True",
            "copy on each side",
        ),
        (
            "no seed",
            "np.random.default_rng(seed)",
            "np.random.default_rng()",
            "same seed gave two splits",
        ),
        ("not shuffled", "draw.permutation(np.unique(groups))", "np.unique(groups)", "same split"),
        ("sides exchanged", "return test", "return ~test", "two sides exchanged"),
    ),
    *family(
        TEXT,
        "report",
        "report",
        ("best test score", "test[int(np.argmax(valid))]", "max(test)", "by the *test* scores"),
        ("validation score", "float(test", "float(valid", "validation score"),
    ),
    # ---- 5 ----
    *family(
        STOCK,
        "windows",
        "windows",
        (
            "target inside the window",
            "series[length:].copy()",
            "series[length - 1 : -1].copy()",
            "last value of the window",
        ),
        (
            "last window missing",
            "return X, series[length:].copy()",
            "return X[:-1], series[length:-1].copy()",
            "last window is missing",
        ),
        (
            "one too far",
            "return X, series[length:].copy()",
            "return X[:-1], series[length + 1 :].copy()",
            "one step too far",
        ),
    ),
    *family(
        STOCK,
        "split",
        "split",
        (
            "shuffled time",
            "return np.arange(border), np.arange(border, count)",
            "order = np.random.default_rng(0).permutation(count)\n"
            "    return order[:border], order[border:]",
            "You shuffled the rows",
        ),
        (
            "test before training",
            "return np.arange(border), np.arange(border, count)",
            "return np.arange(count - border, count), np.arange(count - border)",
            "forecast the past",
        ),
    ),
    *family(
        STOCK,
        "scale",
        "scale",
        (
            "leaky scaler",
            "prices[:train].min(), prices[:train].max()",
            "prices.min(), prices.max()",
            "A leak",
        ),
        (
            "cut off",
            "return 2 * (prices - low) / (high - low) - 1",
            "return np.clip(2 * (prices - low) / (high - low) - 1, -1, 1)",
            "cut the later prices off",
        ),
        (
            "zero to one",
            "2 * (prices - low) / (high - low) - 1",
            "(prices - low) / (high - low)",
            "from 0 to 1",
        ),
        (
            "in-place change of the input",
            "low, high =",
            "prices -= prices[0]\n    low, high =",
            "`prices` in place",
        ),
    ),
    *family(
        STOCK,
        "ratio",
        "ratio",
        (
            "upside down",
            "return float(model / np.sqrt(np.mean((actual - today) ** 2)))",
            "return float(np.sqrt(np.mean((actual - today) ** 2)) / model)",
            "Upside down",
        ),
        ("squared errors", "np.sqrt(", "(", "mean *squared* errors"),
        (
            "the mean as baseline",
            "actual - today",
            "actual - actual.mean()",
            "baseline is the mean",
        ),
    ),
    *family(
        STOCK,
        "verdict",
        "verdict",
        ("from the mean", "t > 2", "t > 0", "chance does as much"),
        (
            "sign",
            "d = (actual - today) ** 2 - (actual - forecast) ** 2",
            "d = (actual - forecast) ** 2 - (actual - today) ** 2",
            "The sign",
        ),
        ("root of n", " / np.sqrt(len(d))", "", "root of n"),
    ),
    *family(
        STOCK,
        "leak",
        "leak",
        ("always honest", "return True", "return False", "`return_to_come` honest"),
        ("only upwards", "(0.1, 10.0)", "(10.0, 20.0)", "`share_of_bottom` honest"),
        (
            "changes today too",
            "changed[today + 1 :] *= factor * draw.uniform(0.5, 2.0, len(prices) - today - 1)",
            "changed[today:] *= factor",
            "`mean_of_three` leaky",
        ),
        ("NaN taken for a change", ", equal_nan=True", "", "`mean_of_three` leaky"),
        ("in-place change of the input", "changed = prices.copy()", "changed = prices", "in place"),
    ),
    # ---- more that students do: found without a look at the checks ----
    wrong(RNN, "inputs squared", "count", "hidden * hidden", "inputs * inputs", "count", "is 77"),
    wrong(RNN, "one matrix forgotten", "count", "hidden * inputs", "hidden", "count", "got 63"),
    wrong(RNN, "bias subtracted", "step", " + b)", " - b)", "step", "entry [0, 0]"),
    wrong(RNN, "columns, not rows", "step", "x @ W_x.T", "W_x @ x", "step", "a wrong axis"),
    wrong(RNN, "batch for time", "run", "x.shape[1]", "len(x)", "run", "shape (2, 3, 1)"),
    wrong(RNN, "nothing kept", "run", "states.append(h)", "states", "run", "ValueError"),
    wrong(
        RNN, "time and batch exchanged", "run", "x[:, t]", "x[t]", "run", "could not be broadcast"
    ),
    wrong(
        RNN,
        "slope of the logistic",
        "bptt",
        "1 - states[:, t] ** 2",
        "states[:, t] * (1 - states[:, t])",
        "bptt",
        "logistic function",
    ),
    wrong(
        RNN,
        "the last state before the first step",
        "bptt",
        "np.concatenate([np.zeros_like(states[:, :1]), states[:, :-1]], axis=1)",
        "np.roll(states, 1, axis=1)",
        "bptt",
        "index -1 is the *last* state",
    ),
    wrong(
        RNN,
        "largest entry for the length",
        "clip",
        "np.sqrt(sum(np.sum(array**2) for array in gradients.values()))",
        "max(np.abs(array).max() for array in gradients.values())",
        "clip",
        'in "W"',
    ),
    wrong(RNN, "only above 1", "clip", "length > 0", "length > 1", "clip", "The example was right"),
    wrong(GRU, "another base", "bias", "np.log(", "np.log2(", "bias", "right is 2.63424"),
    wrong(
        GRU,
        "cut off at 10",
        "gate",
        "(1 + np.tanh(a / 2)) / 2",
        "1 / (1 + np.exp(-np.clip(a, -10, 10)))",
        "gate",
        "cut the argument off",
    ),
    wrong(
        GRU, "open or shut", "gate", "(1 + np.tanh(a / 2)) / 2", "1.0 * (a > 0)", "gate", "entry"
    ),
    wrong(GRU, "input for both", "gradient", "delta.T @ h", "delta.T @ x", "gradient", "the shape"),
    wrong(TEXT, "whole columns", "last", "torch.arange(len(states))", ":", "last", "the shape"),
    wrong(
        TEXT,
        "a list of lists",
        "mask",
        "torch.arange(steps)[None, :] < lengths[:, None]",
        "(torch.arange(steps)[None, :] < lengths[:, None]).tolist()",
        "mask",
        "expected a PyTorch tensor, got a list",
    ),
    wrong(TEXT, "one too many", "mean", ".clamp(min=1)", " + 1", "mean", "entry [0, 0]"),
    wrong(
        TEXT,
        "the later of two best",
        "report",
        "np.argmax(valid)",
        "len(valid) - 1 - np.argmax(valid[::-1])",
        "report",
        "take the earlier one",
    ),
    wrong(
        TEXT,
        "a method that arrays do not have",
        "report",
        "int(np.argmax(valid))",
        "valid.index(max(valid))",
        "report",
        "stopped with AttributeError",
    ),
    wrong(LSTM, "tanh of the cell state", "step", ", c\n", ", np.tanh(c)\n", "step", "in value 2"),
    wrong(
        LSTM,
        "parameters, not units",
        "budget",
        "return hidden",
        "return count(hidden)",
        "budget",
        "is 13",
    ),
    wrong(LSTM, "capital letter", "compare", '"first" if', '"First" if', "compare", "is 'first'"),
    wrong(LSTM, "n, not its root", "compare", "np.sqrt(len(d))", "len(d)", "compare", "not over n"),
    wrong(LSTM, "1.96", "compare", "2 * s", "1.96 * s", "compare", 'in "low"'),
    wrong(
        STOCK,
        "rounded",
        "split",
        "int(share * count)",
        "round(share * count)",
        "split",
        "you rounded it up",
    ),
    *family(
        STOCK,
        "scale",
        "scale",
        ("one too few", "[:train]", "[: train - 1]", "is not in your range"),
        ("one too many", "[:train]", "[: train + 1]", "first price after the training part"),
        ("the later prices", "[:train]", "[train:]", "range of the later prices"),
        ("no factor", "2 * (prices", "(prices", "The factor 2 is missing"),
        (
            "rounded",
            "return 2 * (prices - low) / (high - low) - 1",
            "return np.round(2 * (prices - low) / (high - low) - 1, 2)",
            "The example was right",
        ),
    ),
    *family(
        STOCK,
        "windows",
        "windows",
        ("one value too long", "start + length]", "start + length + 1]", "one value too long"),
        ("one window too many", "range(count)", "range(count + 1)", "has no value after it"),
        ("one value too short", "start + length]", "start + length - 1]", "the shape (3, 2)"),
    ),
    wrong(STOCK, "1.96", "verdict", "t > 2", "t > 1.96", "verdict", "The example was right"),
    wrong(STOCK, "by the largest", "scale", "(high - low)", "high", "scale", "entry [0]"),
    wrong(
        STOCK,
        "the word alone",
        "verdict",
        'else "undecided"), t',
        'else "undecided")',
        "verdict",
        "expected a tuple with 2 entries, got a str",
    ),
    Wrong(
        STOCK,
        "absolute errors",
        tuple(
            (
                "solution-ratio",
                f"np.sqrt(np.mean((actual - {b}) ** 2))",
                f"np.abs(actual - {b}).mean()",
            )
            for b in ("forecast", "today")
        ),
        {"check-ratio": "mean absolute errors"},
    ),
    wrong(STOCK, "no return", "leak", "return", "found =", "leak", "Is there a `return`"),
    wrong(STOCK, "zero and one", "leak", "return True", "return 1", "leak", "got 1, right is True"),
    wrong(
        STOCK,
        "today alone",
        "leak",
        "[: today + 1]",
        "[today : today + 1]",
        "leak",
        "`every_other_day` honest",
    ),
    # ---- what touches more than one cell ----
    Wrong(
        RNN,
        "checks replaced by the student",
        (
            ("solution-count", None, "def count_parameters(inputs, hidden):\n    return 0"),
            ("check-count", None, "pass"),
        ),
        {"check-count": "right is 77"},
    ),
    Wrong(
        RNN,
        "check deleted and answer wrong",
        (
            ("solution-clip", "min(1.0, limit / length)", "limit / length"),
            ("check-clip", None, None),
        ),
        {"check-clip": "you made it longer"},
    ),
    Wrong(
        GRU,
        "library functions patched at the top",
        (
            (
                "solution-bias",
                None,
                ATTACKS + "import helpers.hints as h\nh.check_answer = h.require = "
                "lambda *a, **k: None\ndef bias_for_half_life(steps):\n    return 0.0",
            ),
        ),
        {"check-bias": "right is"},
    ),
    Wrong(
        LSTM,
        "huge output at the top of a cell",
        (
            (
                "solution-count",
                None,
                "for _ in range(50_000):\n    print('x' * 100)\n"
                "def count_parameters(cell, inputs, hidden):\n    return 0",
            ),
        ),
        {"check-count": "right is 150"},
    ),
    Wrong(
        TEXT,
        "takes all memory",
        (
            (
                "solution-mask",
                None,
                "def padding_mask(lengths, steps):\n"
                "    return torch.from_numpy(np.empty((4, 10**8)))",
            ),
        ),
        {"check-mask": "MemoryError"},
    ),
    Wrong(
        STOCK,
        "names of the checks overwritten",
        (
            (
                "solution-windows",
                None,
                "class np:\n    pass\nhints = None\n"
                "def make_windows(series, length):\n    return series, series",
            ),
        ),
        {"check-windows": "expected the shape"},
    ),
    Wrong(
        STOCK,
        "endless loop at the top of a cell",
        (("solution-verdict", None, "while True:\n    pass"),),
        {"check-verdict": "There is no `verdict`"},
    ),
    Wrong(
        GRU,
        "inverted convention in the design",
        (("solution-memory", "[0.0, -30.0]", "[0.0, 30.0]"), ("solution-memory", "15.0", "-15.0")),
        {"check-memory": "wrong way round"},
    ),
    Wrong(
        RNN,
        "two parts wrong at once",
        (("solution-step", "np.tanh(", "("), ("solution-bptt", "before[:, t]", "states[:, t]")),
        {"check-step": "tanh is missing", "check-bptt": "you took h_t"},
    ),
]

# Unusual, and right: nothing may be lost.
ALSO_RIGHT = [
    Wrong(
        RNN,
        "as PyTorch clips",
        (("solution-clip", "limit / length", "limit / (length + 1e-6)"),),
        {},
    ),
    Wrong(
        RNN,
        "lists",
        (("solution-run", "np.stack(states, axis=1)", "np.stack(states, axis=1).tolist()"),),
        {},
    ),
    Wrong(GRU, "lists", (("solution-step", NEW, f"return ({NEW[7:]}).tolist()"),), {}),
    *(
        Wrong(assignment, label, ((f"solution-{cell}", old, new),), {})
        for assignment, cell, label, old, new in (
            (RNN, "step", "a list for an array", STEP, STEP + ".tolist()"),
            (RNN, "run", "a deque", "return np.stack(states, axis=1)", DEQUE),
            (
                LSTM,
                "budget",
                "an argument by its name",
                "count(hidden + 1)",
                "count(hidden=hidden + 1)",
            ),
            (TEXT, "split", "a list of true and false", "return test", "return test.tolist()"),
            (STOCK, "scale", "a Series", "low, high =", SERIES),
            (STOCK, "windows", "a list of lists", "return X, series[length:].copy()", LISTS),
        )
    ),
    Wrong(
        GRU,
        "cut off far away",
        (
            (
                "solution-gate",
                "(1 + np.tanh(a / 2)) / 2",
                "1 / (1 + np.exp(-np.clip(a, -500, 500)))",
            ),
        ),
        {},
    ),
    Wrong(
        TEXT,
        "double precision",
        (
            (
                "solution-mask",
                "def padding_mask",
                "torch.set_default_dtype(torch.float64)\n\n\ndef padding_mask",
            ),
        ),
        {},
    ),
    Wrong(TEXT, "a list of floats", (("solution-report", "float(test", "np.float64(test"),), {}),
]
