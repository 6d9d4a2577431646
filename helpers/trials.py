"""Small tasks of several kinds, and networks of equal size that compete on them (notebook 3).

Three tables of `helpers.experiments` come from here:

- **uses**: GRU against LSTM on a task of sound, of translation, of text and of a time series;
- **capacity**: LSTMs of several widths and depths on noisy handwritten digits;
- **successors**: the GRU beside what came after it, on two tasks that ask for memory.

A competitor's learning rate is chosen on pilot seeds by its validation score. Then other seeds are
trained with that rate and tested. Competitors with the same seed see the same batches. The gated
layers all begin with the chrono start (Tallec & Ollivier 2018, arXiv:1804.11188).
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from scipy.signal import lfilter
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

from helpers import cells, data, tasks, text

BATCH_SIZE, CLIP_NORM = 32, 1.0
RATES = (0.004, 0.012, 0.036)
PILOTS = (100, 101)  # seeds

# ---- layers --------------------------------------------------------------------------------------


class _CellPass(torch.autograd.Function):
    """One pass of a cell of `helpers.cells`, with its own backward pass, for PyTorch to train."""

    @staticmethod
    def forward(ctx, cell, x, *weights):
        ctx.cell = cell
        return torch.from_numpy(cell.forward(x.detach().numpy()))

    @staticmethod
    def backward(ctx, grad_states):
        grads = ctx.cell.backward(grad_states.contiguous().numpy())
        return None, *(torch.from_numpy(grads[name].copy()) for name in ("x", *ctx.cell.params))


class Recurrent(nn.Module):
    """A GRU or LSTM layer of `helpers.cells`: x (B, T, I) -> states (B, T, H).

    So small, they train faster on a CPU than `nn.GRU`.

    Args:
        kind: "GRU" or "LSTM".
        inputs, hidden: numbers of inputs and of units.
        longest: the longest time of the chrono start, in steps.
        seed: of the weights.
    """

    def __init__(self, kind: str, inputs: int, hidden: int, longest: int, seed: int):
        super().__init__()
        make = {"GRU": cells.GRU, "LSTM": cells.LSTM}[kind]
        self.cell = make(inputs, hidden, batch_first=True, seed=seed, dtype=np.float32)
        params, bias = self.cell.params, chrono_bias(hidden, longest, seed)
        signs = {"update": 1} if kind == "GRU" else {"forget": 1, "input": -1}
        for part, sign in signs.items():
            params["b_x"][self.cell.rows(part)] = sign * bias
            params["b_h"][self.cell.rows(part)] = 0
        # The tensors share memory with the arrays, so the optimizer moves the NumPy weights.
        self.weights = nn.ParameterList(torch.from_numpy(array) for array in params.values())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _CellPass.apply(self.cell, x, *self.weights)


def chrono_bias(hidden: int, longest: int, seed: int) -> np.ndarray:
    """The logarithm of a time from 1 to `longest` - 1 steps for each unit (H,)."""
    times = np.random.default_rng([seed, 1]).uniform(1, max(longest, 3) - 1, hidden)
    return np.log(times).astype(np.float32)


class _Mixing(torch.autograd.Function):
    """h_t = z_t h_{t-1} + b_t from h_0 = 0, step by step; all are (B, T, H)."""

    @staticmethod
    def forward(ctx, z, b):
        states = b.clone()
        for t in range(1, b.shape[1]):
            states[:, t].addcmul_(z[:, t], states[:, t - 1])
        ctx.save_for_backward(z, states)
        return states

    @staticmethod
    def backward(ctx, grad_states):
        z, states = ctx.saved_tensors
        grad_b = grad_states.clone()
        for t in reversed(range(1, z.shape[1])):
            grad_b[:, t - 1].addcmul_(z[:, t], grad_b[:, t])
        grad_z = torch.zeros_like(z)
        grad_z[:, 1:] = grad_b[:, 1:] * states[:, :-1]
        return grad_z, grad_b


class MinGRU(nn.Module):
    """The minGRU (Feng et al. 2024, arXiv:2410.01201): gate and candidate see the input alone.

    As everywhere here z = 1 keeps the state; the arguments are those of `Recurrent`. With `signed`
    the gate goes from -1 to 1 instead of 0 to 1, and nothing else changes.
    """

    def __init__(self, inputs: int, hidden: int, longest: int, seed: int, signed: bool = False):
        super().__init__()
        self.squash = torch.tanh if signed else torch.sigmoid
        self.both = nn.Linear(inputs, 2 * hidden)  # update gate, then candidate
        with torch.no_grad():
            self.both.bias[:hidden] = torch.from_numpy(chrono_bias(hidden, longest, seed))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate, candidate = self.both(x).chunk(2, -1)
        z = self.squash(gate)
        return _Mixing.apply(z, (1 - z) * candidate)


class Attention(nn.Module):
    """One block of a Transformer: causal self-attention with one head, then a small MLP.

    Positions are the sinusoids of Vaswani et al. (2017, arXiv:1706.03762), which have no weights.
    """

    def __init__(self, inputs: int, width: int):
        super().__init__()
        self.embed = nn.Linear(inputs, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.query_key_value, self.mix = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.embed(x) + positions(x.shape[1], self.mix.in_features)
        query, key, value = self.query_key_value(self.norms[0](h)).chunk(3, -1)
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        h = h + self.mix(seen)
        return self.norms[2](h + self.mlp(self.norms[1](h)))


def positions(steps: int, width: int) -> torch.Tensor:
    """The sinusoidal code of the positions (T, width); the width is even."""
    slow = 10_000.0 ** (-torch.arange(0, width, 2) / width)
    angles = torch.arange(steps)[:, None] * slow
    return torch.cat([angles.sin(), angles.cos()], 1)


class Net(nn.Module):
    """Embedding or numbers, one or more layers, and a linear read-out of some last states.

    Args:
        kind: "GRU", "LSTM", "minGRU", "signed minGRU" or "attention".
        task: see `Task`.
        hidden: units in a layer.
        layers: number of layers.
        seed: of all weights.
        longest: of the chrono start, in steps; None for the length of the sequences.
    """

    def __init__(
        self,
        kind: str,
        task: "Task",
        hidden: int,
        layers: int,
        seed: int,
        longest: int | None = None,
    ):
        super().__init__()
        torch.manual_seed(seed)
        self.embed = nn.Embedding(task.words, task.inputs) if task.words else nn.Identity()
        self.layers, self.answers = nn.Sequential(), task.answers
        steps = longest or task.train[0].shape[1]
        for number in range(layers):
            inputs = hidden if number else task.inputs
            if kind == "attention":
                layer = Attention(inputs, hidden)
            elif "minGRU" in kind:
                signed = kind == "signed minGRU"
                layer = MinGRU(inputs, hidden, steps, 10 * seed + number, signed)
            else:
                layer = Recurrent(kind, inputs, hidden, steps, 10 * seed + number)
            self.layers.append(layer)
        self.read_out = nn.Linear(hidden, task.outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (B, T) or (B, T, I) -> (B, answers, outputs)."""
        return self.read_out(self.layers(self.embed(x))[:, -self.answers :])


def weights(layers: nn.Module) -> int:
    """The number of weights and biases."""
    return sum(weight.numel() for weight in layers.parameters())


# ---- tasks ---------------------------------------------------------------------------------------


class Task(NamedTuple):
    """One task: its three parts, each x (n, T) or (n, T, I) and y (n, answers).

    Integer y are classes, -100 where there is nothing to answer; float y are numbers.
    """

    train: tuple[torch.Tensor, torch.Tensor]
    valid: tuple[torch.Tensor, torch.Tensor]
    test: tuple[torch.Tensor, torch.Tensor]
    inputs: int
    outputs: int
    updates: int
    answers: int = 1  # how many of the last steps give an answer
    words: int = 0  # ids that x may hold; 0 if x holds numbers
    writes: bool = False  # whether an answer is fed back as the next input
    longer: tuple[torch.Tensor, torch.Tensor] | None = None  # to be tested on, never trained


def _parts(x: np.ndarray, y: np.ndarray, valid: int, test: int) -> dict[str, tuple]:
    """Cut arrays in three: the last rows test, those before validate."""
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    x, y = (x if x.dtype == torch.int64 else x.float()), (y if y.ndim == 2 else y[:, None])
    cuts = (len(x) - valid - test, valid, test)
    parts = zip(x.split(cuts), y.split(cuts), strict=True)
    return dict(zip(("train", "valid", "test"), parts, strict=True))


# The first two resonances of five American vowels in Hz, means of the men of Peterson & Barney
# (1952, doi:10.1121/1.1906875): heed, had, hod, who'd, heard.
VOWELS = np.array([[270, 2290], [660, 1720], [730, 1090], [300, 870], [490, 1350]])
RATE, FRAME, BANDS = 8000, 160, 12  # samples per second, samples per frame, bands of a frame


def spoken(n: int, generator: np.random.Generator, noise: float = 1.0) -> tuple:
    """Words of three vowels from a formant synthesizer, in noise, and which words they are.

    A pulse train is the voice, two resonators per vowel are the mouth (Klatt 1980,
    doi:10.1121/1.383940). Pitch, tempo and the length of the mouth differ from speaker to speaker.

    Returns:
        x (n, 24, 12), the logarithm of the power in 12 bands, in 24 frames of 20 ms; y (n,), one
        of 20 words: the first vowel of 5, and which of the other 4 comes in the middle. The last
        vowel is any.
    """
    samples, sounds, y = 24 * FRAME, [], np.empty(n, dtype=np.int64)
    for k in range(n):
        first, middle = generator.integers(5), generator.integers(4)
        word = (first, (first + 1 + middle) % 5, generator.integers(5))
        y[k] = 4 * first + middle
        mouth, pitch = generator.uniform(0.85, 1.2), generator.uniform(90, 250)
        slide = np.linspace(1, generator.uniform(0.8, 1.2), samples)
        voice = np.diff(np.floor(np.cumsum(pitch * slide / RATE)), prepend=0)
        cuts = (np.array([1, 2]) + generator.uniform(-0.4, 0.4, 2)) * samples / 3
        pieces = np.split(voice, cuts.astype(int))
        for vowel, piece in zip(word, pieces, strict=True):
            for centre in VOWELS[vowel] * mouth:
                radius = np.exp(-np.pi * 90 / RATE)  # a bandwidth of 90 Hz
                turn = 2 * radius * np.cos(2 * np.pi * centre / RATE)
                piece[:] = lfilter([1 - radius], [1, -turn, radius**2], piece)
        sound = np.concatenate(pieces)
        sounds.append(sound / sound.std() + noise * generator.standard_normal(samples))
    frames = np.reshape(sounds, (n, 24, FRAME)) * np.hanning(FRAME)
    power = np.abs(np.fft.rfft(frames)[..., 1 : 6 * BANDS + 1]) ** 2
    return np.log(power.reshape(n, 24, BANDS, 6).mean(-1)).astype(np.float32), y


def sound() -> Task:
    """Which of 20 words is spoken? 3,000 words to learn from, 1,000 to be tested on."""
    x, y = spoken(4500, np.random.default_rng(1))
    x = (x - x[:3000].mean((0, 1))) / x[:3000].std((0, 1))
    return Task(**_parts(x, y, 500, 1000), inputs=BANDS, outputs=20, updates=200)


ENGLISH = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
ENGLISH_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
GERMAN = (
    "null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn "
    "sechzehn siebzehn achtzehn neunzehn"
).split()
GERMAN_TENS = "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig".split()


def in_english(number: int) -> list[str]:
    """1 to 9999 in words: 4321 is four thousand three hundred twenty one."""
    found, number = _thousands(number, ENGLISH, "thousand", "hundred")
    if number >= 20:
        found.append(ENGLISH_TENS[number // 10 - 2])
        number %= 10
    return found + ([ENGLISH[number]] if number else [])


def _thousands(number: int, digits: list[str], thousand: str, hundred: str):
    """Thousands and hundreds in words, and what is left, below 100."""
    found = []
    for value, name in ((1000, thousand), (100, hundred)):
        if number >= value:
            found += [digits[number // value], name]
            number %= value
    return found, number


def in_german(number: int) -> list[str]:
    """1 to 9999 in words, the units before the tens: vier tausend drei hundert ein und zwanzig."""
    found, number = _thousands(number, GERMAN, "tausend", "hundert")
    if number < 20:
        return found + ([GERMAN[number]] if number else [])
    units = [GERMAN[number % 10], "und"] if number % 10 else []
    return found + units + [GERMAN_TENS[number // 10 - 2]]


def translation() -> Task:
    """English number words to German ones: 1,500 numbers to learn from, 1,000 others for the test.

    One cell reads the English words and then writes the German ones; what it writes is its next
    input.
    """
    names = [*ENGLISH, *ENGLISH_TENS, "thousand", "hundred"]
    names += [*GERMAN, *GERMAN_TENS, "tausend", "hundert", "und"]
    ids = {name: number for number, name in enumerate(names, start=2)}  # 0 pads, 1 starts and ends
    numbers = np.random.default_rng(2).permutation(np.arange(1, 10_000))[:3000]
    x, y = np.zeros((3000, 6 + 8), dtype=np.int64), np.full((3000, 8), -100)
    for row, number in enumerate(numbers.tolist()):
        source = [ids[word] for word in in_english(number)]
        target = [ids[word] for word in in_german(number)]
        x[row, 6 - len(source) : 6] = source
        x[row, 6 : 7 + len(target)] = [1, *target]
        y[row, : len(target) + 1] = [*target, 1]
    form = dict(inputs=16, outputs=len(names) + 2, updates=400, answers=8)
    return Task(**_parts(x, y, 500, 1000), **form, words=len(names) + 2, writes=True)


def reviews() -> Task:
    """Is a sentence of a film review positive? The parts are those of notebook 4."""
    parts = text.split_reviews(data.load_reviews())
    vocabulary, found = text.Vocabulary(parts.train.text, min_count=3), {}
    for name, frame in parts._asdict().items():
        x = np.zeros((len(frame), 24), dtype=np.int64)
        for row, sentence in enumerate(frame.text):
            known = vocabulary.encode(sentence)[-24:]  # padded on the left: the last word is real
            x[row, 24 - len(known) :] = known
        found[name] = torch.from_numpy(x), torch.from_numpy(frame.label.to_numpy(np.int64))[:, None]
    return Task(**found, inputs=16, outputs=2, updates=200, words=len(vocabulary))


COMPANIES = ("AAPL", "BAC", "CVX", "GE", "JNJ", "KO", "MSFT", "PFE", "WMT", "XOM")


def series() -> Task:
    """How restless will a stock be next week? 30 daily returns, and the mean size of the next 5.

    Ten companies. Learned from the years up to 2009, validated on 2010 to 2014, tested on 2015 to
    2022. In logarithms, in standard deviations of the training part.
    """
    prices = data.load_prices(COMPANIES, "1990-01-01", "2022-12-29")
    returns = np.diff(np.log(prices.to_numpy()), axis=0)  # (days, companies)
    starts = np.arange(0, len(returns) - 35, 5)
    year = prices.index.year.to_numpy()[starts + 35]  # of the last day that the target sees
    size = np.log(np.abs(returns) + 0.002)
    x = np.stack([np.stack([returns[s : s + 30] * 50, size[s : s + 30] + 4.5]) for s in starts])
    x = x.transpose(3, 0, 2, 1)  # (companies, windows, 30, 2)
    y = np.log(np.stack([np.abs(returns[s + 30 : s + 35]).mean(0) for s in starts]) + 0.002).T
    known = y[:, year < 2010]
    y = (y - known.mean()) / known.std()
    found = {}
    for name, years in {"train": year < 2010, "valid": (year > 2009) & (year < 2015)}.items():
        found[name] = x[:, years], y[:, years]
    found["test"] = x[:, year > 2014], y[:, year > 2014]
    for name, (a, b) in found.items():
        a, b = a.reshape(-1, 30, 2), b.reshape(-1, 1)
        found[name] = torch.from_numpy(a).float(), torch.from_numpy(b).float()
    return Task(**found, inputs=2, outputs=1, updates=150)


def digits() -> Task:
    """Handwritten digits in strong noise, read row by row: 1,100 images to learn from.

    Each is seen with eight draws of the noise, so that the training part has 8,800 examples.
    """
    images, y = load_digits(return_X_y=True)
    generator = np.random.default_rng(3)
    order = generator.permutation(len(y))
    x, y = images[order].reshape(-1, 8, 8) / 16, y[order]
    x, y = (np.concatenate([np.repeat(a[:1100], 8, axis=0), a[1100:]]) for a in (x, y))
    x = (x - 0.3 + 0.4 * generator.standard_normal(x.shape)).astype(np.float32)
    return Task(**_parts(x, y, 200, 497), inputs=8, outputs=10, updates=400)


def switch(steps: int, n: int, generator: np.random.Generator) -> tuple:
    """A light switch: every press turns the lamp on or off. Is it on? Asked at every step.

    Returns:
        x (n, steps, 2), float32: channel 0 is 1 where the switch is pressed, channel 1 where it is
        not, each half the time; y (n, steps), int64.
    """
    pressed = generator.integers(0, 2, (n, steps))
    return np.stack([pressed, 1 - pressed], -1).astype(np.float32), pressed.cumsum(1) % 2


def memory_task(name: str) -> Task:
    """The latch (30 steps of noise) or the switch (16 steps).

    The longer sequences have twice as many steps.
    """
    steps, updates = {"latch": (30, 150), "switch": (16, 300)}[name]
    draw = {"latch": tasks.latch, "switch": switch}[name]
    x, y = draw(steps, 11_000, np.random.default_rng(4))
    a, b = draw(2 * steps, 1000, np.random.default_rng(5))
    b = torch.from_numpy(b).reshape(1000, -1)
    form = dict(inputs=2, outputs=2, updates=updates)
    form["answers"] = steps if name == "switch" else 1
    return Task(**_parts(x, y, 500, 500), **form, longer=(torch.from_numpy(a), b))


MAKE = {"sound": sound, "translation": translation, "reviews": reviews, "series": series}
USES = tuple(MAKE)
MAKE["digits"] = digits
MEMORY = {"switch": 5, "latch": 3}  # and how many seeds are counted


@cache
def task(name: str) -> Task:
    """One of the tasks by its name; it is made once."""
    return memory_task(name) if name in MEMORY else MAKE[name]()


# ---- training ------------------------------------------------------------------------------------


def loss(net: Net, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The mean loss: squared for numbers, cross-entropy for classes."""
    answer = net(x)
    if y.is_floating_point():
        return functional.mse_loss(answer[..., 0], y)
    return functional.cross_entropy(answer.flatten(0, 1), y.flatten())


@torch.no_grad()
def score(net: Net, x: torch.Tensor, y: torch.Tensor, writes: bool = False) -> float:
    """How good the answers are; 1 is perfect.

    Numbers: the explained share of the variance. Classes: the share of sequences whose last answer
    is right. A task that writes: the share of sequences that are right to the last word.
    """
    if y.is_floating_point():
        return float(1 - functional.mse_loss(net(x)[:, -1:, 0], y) / y.var(correction=0))
    if not writes:
        return float((net(x)[:, -1].argmax(-1) == y[:, -1]).float().mean())
    x, first, written = x.clone(), x.shape[1] - y.shape[1], torch.zeros_like(y)
    for step in range(y.shape[1]):  # the network sees what it wrote, never the right words
        x[:, first + 1 :] = written[:, :-1]
        written[:, step] = net(x)[:, step].argmax(-1)
    return float(((written == y) | (y == -100)).all(1).float().mean())


def train(
    name: str,
    kind: str,
    hidden: int,
    layers: int,
    rate: float,
    seed: int,
    times: int = 1,
    longest: int | None = None,
) -> tuple[Net, dict[str, float]]:
    """Train one network with Adam, and score it after half and after all of its updates.

    Args:
        name: of the task.
        kind, hidden, layers, seed, longest: see `Net`.
        rate: the learning rate.
        times: how many times the task's number of updates.

    Returns:
        The network, and its scores: "valid" and "score" (on the test part) at the end, "half" (test
        part) after half of the updates, "longer" where the task has longer sequences.
    """
    given = task(name)
    net = Net(kind, given, hidden, layers, seed, longest)
    order = np.random.default_rng([seed, 2])
    optimizer, found = torch.optim.Adam(net.parameters(), lr=rate), {}
    (x, y), updates = given.train, times * given.updates
    for update in range(1, updates + 1):
        rows = torch.from_numpy(order.integers(0, len(x), BATCH_SIZE))
        optimizer.zero_grad()
        loss(net, x[rows], y[rows]).backward()
        nn.utils.clip_grad_norm_(net.parameters(), CLIP_NORM)
        optimizer.step()
        if update == updates // 2:
            found["half"] = score(net, *given.test, given.writes)
    found["score"] = score(net, *given.test, given.writes)
    found["valid"] = score(net, *given.valid, given.writes)
    if given.longer:
        found["longer"] = score(net, *given.longer)
    return net, found


@cache
def scores(**settings) -> dict[str, float]:
    """What `train` scored; a network of the same settings is trained once."""
    return train(**settings)[1]


def best_rate(**settings) -> float:
    """The learning rate with the highest mean validation score over the pilot seeds."""
    means = {
        rate: np.mean([scores(**settings, rate=rate, seed=seed)["valid"] for seed in PILOTS])
        for rate in RATES
    }
    return max(means, key=means.get)


# ---- the tables ----------------------------------------------------------------------------------


def _rows(seeds: int, **settings) -> list[dict]:
    """Of one competitor: the pilots at every rate, then the other seeds at the chosen one."""
    pilots = [settings | dict(rate=rate, seed=seed) for rate in RATES for seed in PILOTS]
    return pilots + [settings | dict(rate=None, seed=seed) for seed in range(seeds)]


def row(*, rate: float | None, seed: int, **settings) -> dict[str, object]:
    """The results of one row of a plan, as its table writes them."""
    rate = rate or best_rate(**settings)
    found = scores(**settings, rate=rate, seed=seed)
    return {"rate": rate} | {name: f"{value:.4f}" for name, value in found.items()}


def uses_plan() -> list[dict]:
    """GRU and LSTM with as many weights, ten seeds, on the four uses."""
    return [
        row
        for name in USES
        for kind, hidden in (("GRU", 28 if name == "series" else 29), ("LSTM", 24))
        for row in _rows(10, name=name, kind=kind, hidden=hidden, layers=1)
    ]


def capacity_plan() -> list[dict]:
    """LSTMs on the digits; three layers of 29 have as many weights as one of 64."""
    sizes = ((16, 1), (64, 1), (29, 3), (64, 3))
    return [
        row
        for hidden, layers in sizes
        for row in _rows(5, name="digits", kind="LSTM", hidden=hidden, layers=layers)
    ]


SIGNED = (("signed minGRU", 160, 1),)
SUCCESSORS = (("GRU", 16, 1), ("minGRU", 160, 1), ("minGRU", 14, 3), ("attention", 10, 1))


def successors_plan() -> list[dict]:
    """Four layers with as many weights on tasks that ask for memory.

    On the switch also a minGRU whose gate may be negative, and at all rates a minGRU with ten times
    the weights and three times the updates.
    """
    plan = [
        row
        for name, seeds in MEMORY.items()
        for kind, hidden, layers in SUCCESSORS + SIGNED * (name == "switch")
        for row in _rows(seeds, name=name, kind=kind, hidden=hidden, layers=layers, times=1)
    ]
    return plan + _rows(0, name="switch", kind="minGRU", hidden=48, layers=3, times=3)


SETTINGS = {
    "batch size": BATCH_SIZE,
    "clip norm": CLIP_NORM,
    "learning rates": RATES,
    "pilot seeds": PILOTS,
    "start of the gates": "chrono",
    "valid, half, score": "validation score; test score after half and after all updates",
    "a score": "share of right answers; for numbers the explained share of the variance",
}
