"""Forecast a series of your own: fit, compare with plain rivals, save, load, forecast again."""

import hashlib
import json
import os
import re
from collections.abc import Sequence
from math import gcd
from pathlib import Path

import numpy as np
import pandas as pd
import safetensors.torch
import torch
from sklearn.linear_model import RidgeCV
from torch import nn
from torch.utils.data import DataLoader, RandomSampler

from helpers import training
from helpers.forecasting import check_series, error_ratio
from helpers.metrics import Interval
from helpers.reading import length_of, named, read_series, short, step_of

__all__ = ["Forecaster", "read_series"]

NAIVE, LINEAR, GRU = METHODS = ("seasonal naive", "linear", "GRU")
PARTS, SHARE = 3, 0.12  # of the walk-forward comparison: how many, and how much of the series each
LEAST = 20  # windows to learn from
ENOUGH = 10  # blocks of the bootstrap; with 6, 95% intervals held the truth in 80% of simulations
BAND = 0.9
UNITS, BATCH, PER_EPOCH, PATIENCE = 32, 128, 2048, 4
EPOCHS, MORE_EPOCHS = 15, 6  # for the first part, and when more of the series has come
DAY = pd.Timedelta("1D")
SAVED = "steps seed step columns known cycle seasons length first yearly season scaling positive"
SAVED = (*SAVED.split(), "compared", "chosen", "verdict", "coverage")
FORMAT = 1  # of a saved folder


class Network(nn.Module):
    """One GRU reads the past; a second one starts from its state and reads what is known ahead.

    The answer is the difference to the seasonal naive forecast, zero before any training.
    """

    def __init__(self, past: int, ahead: int):
        super().__init__()
        self.encoder = nn.GRU(past, UNITS, batch_first=True)
        self.decoder = nn.GRU(ahead, UNITS, batch_first=True)
        self.head = nn.Linear(UNITS, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, past, ahead):  # (B, T, I), (B, K, J)
        _, state = self.encoder(past)
        return self.head(self.decoder(ahead, state)[0])[..., 0]  # (B, K)


class Forecaster:
    """Forecasts of the next steps with a band, by the method that the series' own past favours.

    There are three. The **seasonal naive** forecast is the value one season before (the last
    value, a day, a week or a year before: what did best in the first part of the series). A
    **linear** model (ridge regression) and a **GRU** correct it. Both see the last values of all
    columns, the calendar, the values one season before, and the columns that you name as known.

    Three times, each on a later part of the series, the methods are fitted on what came before
    and forecast that part (walk-forward). The GRU is chosen if its error is lower than that of
    both others and both 95% intervals say so; otherwise the linear model, if that holds against
    the seasonal naive forecast; otherwise the latter. The chosen one is fitted on the whole series.

    The band should hold 90% of what comes. It is made of the walk-forward errors, each in units of
    what is usual so many steps ahead and at that hour (weekday, month). `coverage` is a test of
    that: the share of the last part that a band from the parts before it held.

    Args:
        steps: how many steps to forecast.
        known: the columns that are known for these steps when you forecast: a promotion, a holiday,
            a weather forecast. Name none that is measured with the target, even if it arrives
            earlier: the comparison would see the future.
        seed: of the GRU.

    Attributes (after `fit` or `load`):
        target: the table's first column, which is forecast.
        season: how many steps back the seasonal naive forecast looks; 1 is the last value.
        chosen: "seasonal naive", "linear" or "GRU".
        verdict: which method to use, why, and what the band held, in plain sentences.
        coverage: see above.
        errors: per method and part the walk-forward errors, (forecasts, steps); only after `fit`.
    """

    def __init__(self, steps: int, *, known: Sequence[str] = (), seed: int = 0):
        if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 1:
            raise ValueError(f"expected a whole number of steps of at least 1, got {steps!r}")
        self.steps, self.seed = int(steps), seed
        self.known = [known] if isinstance(known, str) else [*known]

    # --- From a table to windows ------------------------------------------------------------------

    @property
    def target(self) -> str:
        return self.columns[0]

    def _arrays(self, table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray, pd.Index]:
        """Values (rows, columns) without holes, where the target was measured, calendar, times.

        The last `steps` rows are the ones to forecast.
        """
        table, steps = table[self.columns], self.steps
        n = table.index.get_loc(table[self.target].last_valid_index()) + 1
        if n <= self.first:
            raise ValueError(f"expected at least {self.first + 1} rows of {self.target}, got {n}")
        table = table.iloc[: n + steps]
        if self.known:
            have = int(table[self.known].iloc[n:].notna().all(axis=1).cumprod().sum())
            if have < steps:
                raise ValueError(
                    f"expected {steps} rows with {', '.join(self.known)} after the last with "
                    f"{self.target} ({short(table.index[n - 1])}), got {have}: {steps - have} are "
                    "missing"
                )
        index = table.index
        if lacking := n + steps - len(index):
            start = index[-1] + pd.tseries.frequencies.to_offset(self.step)
            index = index.append(pd.date_range(start, periods=lacking, freq=self.step))
            table = table.reindex(index)
        measured = table[self.target].notna().to_numpy()
        values = table.ffill().bfill().to_numpy(copy=True)
        for row in np.flatnonzero(~measured[:n]):
            if row >= self.cycle:
                values[row, 0] = values[row - self.cycle, 0]
        check_series(pd.DataFrame(values, index))
        return values, measured, _calendar(index, self.step, self.yearly), index

    def windows(self, table: pd.DataFrame) -> dict[str, torch.Tensor]:
        """The windows that a fitted Forecaster learned from, in units of each column's spread.

        Of a long series, the last 10,000.

        Returns:
            past (N, T, I): the last T steps of all columns and the calendar. ahead (N, K, J): for
            each step to forecast the columns known ahead, the calendar, and the values one season
            before. base (N, K): the seasonal naive forecast. goal (N, K): what came.
        """
        values, _, calendar, _ = self._arrays(table)
        inputs = self._inputs(values, calendar, self.scaling)
        return self._cut(inputs, np.arange(self.first, len(values) - 2 * self.steps)[-10_000:])

    def _inputs(self, values, calendar, scaling) -> tuple[torch.Tensor, torch.Tensor]:
        """For each row what the encoder reads there, and what is known of it in advance."""
        mean, spread = np.array(scaling)
        scaled = (values - mean) / spread
        known = [self.columns.index(name) for name in self.known]
        both = np.hstack([scaled, calendar]), np.hstack([scaled[:, known], calendar])
        past, ahead = (torch.tensor(array, dtype=torch.float32) for array in both)
        return past, ahead

    def _cut(self, inputs, origins) -> dict[str, torch.Tensor]:
        past, ahead = inputs
        now = torch.as_tensor(origins)[:, None]  # (B, 1)
        step = torch.arange(1, self.steps + 1)
        lags = {s: past[now + step - s * -(-step // s), 0] for s in self.seasons}  # (B, K) each
        return {
            "past": past[now + torch.arange(1 - self.length, 1)],
            "ahead": torch.cat([ahead[now + step], torch.stack([*lags.values()], -1)], -1),
            "base": lags[self.season],
            "goal": past[now + step, 0],
        }

    # --- The three methods ------------------------------------------------------------------------

    def _regressors(self, inputs, origins, index) -> np.ndarray:
        """(B, features): the last values, what is known ahead, the hour of which day it is."""
        window, now = self._cut(inputs, origins), index[origins]
        which, count = _phase(now, self.step, self.cycle), self.cycle
        if length_of(self.step) < DAY and self.cycle <= 24:
            which, count = which + count * now.dayofweek.to_numpy(), 7 * count
        ahead = window["ahead"][..., [*range(len(self.known)), *range(-len(self.seasons), 0)]]
        parts = [window["past"][:, :, 0], window["past"][:, -1, 1:], ahead.flatten(1)]
        return np.hstack([*(part.numpy() for part in parts), np.eye(count)[which]])

    def _fit_method(self, method, inputs, measured, origins, index, start) -> dict:
        """The weights of a method fitted to the windows that end at `origins`.

        The GRU goes on from the weights `start`, where it has some from an earlier fit.
        """
        if method == LINEAR:
            origins = _thin(origins, 6000)
            window = self._cut(inputs, origins)
            ridge = RidgeCV(np.logspace(-1, 4, 6))
            ridge.fit(
                self._regressors(inputs, origins, index),
                (window["goal"] - window["base"]).numpy().reshape(len(origins), -1),
            )
            weights = {
                "coef": np.atleast_2d(ridge.coef_),
                "intercept": np.atleast_1d(ridge.intercept_),
            }
            return {name: torch.tensor(value) for name, value in weights.items()}
        if method == NAIVE:
            return {}
        training.seed_everything(self.seed)
        net, epochs = self._network(inputs), MORE_EPOCHS if start else EPOCHS
        net.load_state_dict(start or net.state_dict())
        seen = torch.tensor(measured)
        step = torch.arange(1, self.steps + 1)

        def loss(model, now):
            window = self._cut(inputs, now)
            counts = seen[now[:, None] + step]  # what was filled in teaches nothing
            error = window["base"] + model(window["past"], window["ahead"]) - window["goal"]
            return (error**2 * counts).sum() / counts.sum().clamp(min=1), float(counts.sum())

        last = max(len(origins) // 10, 1)
        learn, keep = origins[: max(len(origins) - last - self.steps, 1)], origins[-last:]
        draw = RandomSampler(learn, num_samples=min(len(learn), PER_EPOCH))
        rows = torch.as_tensor(learn)
        optimizer = torch.optim.Adam(net.parameters(), lr=0.005)
        training.fit(
            net,
            DataLoader(rows, BATCH, sampler=draw),
            DataLoader(torch.as_tensor(_thin(keep, 512)), 512),
            loss=loss,
            optimizer=optimizer,
            epochs=epochs,
            patience=PATIENCE,
            clip_norm=1.0,
            scheduler=torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs),
            progress=False,
        )
        return net.state_dict()

    def _network(self, inputs) -> Network:
        return Network(inputs[0].shape[1], inputs[1].shape[1] + len(self.seasons))

    @torch.no_grad()
    def _answer(self, method, weights, inputs, origins, index) -> np.ndarray:
        """Scaled forecasts (B, K) from the ends of the windows at `origins`."""
        window = self._cut(inputs, origins)
        base = window["base"].numpy().astype(float)
        if method == LINEAR:
            x = self._regressors(inputs, origins, index)
            return base + x @ weights["coef"].numpy().T + weights["intercept"].numpy()
        if method == GRU:
            net = self._network(inputs)
            net.load_state_dict(weights)
            return base + net(window["past"], window["ahead"]).numpy()
        return base

    # --- Fit, compare, forecast -------------------------------------------------------------------

    def fit(self, table: pd.DataFrame) -> "Forecaster":
        """Compare the methods on the table's past, choose one, and fit it on all of the table.

        Args:
            table: from `read_series`: the target first, one row per step.

        Raises:
            ValueError: too few rows for so many steps, or too few with what is known ahead, or no
                column that is named as known.
        """
        self._plan(table)
        values, measured, calendar, index = self._arrays(table)
        n = len(values) - self.steps
        part = self._part(n)
        errors, phases = {method: [] for method in METHODS}, []
        weights = dict.fromkeys(METHODS)
        for start in range(n - PARTS * part, n - part + 1, part):
            scaling = _scaling(values[:start])
            inputs = self._inputs(values, calendar, scaling)
            learn = np.arange(self.first, start - self.steps)
            if not phases:
                self.season = self._best_season(inputs, learn, measured)
            origins = np.arange(start - 1, start + part - self.steps)
            origins = origins[:: self._stride(len(origins))]
            later = origins[:, None] + np.arange(1, self.steps + 1)
            came = np.where(measured[later], values[later, 0], np.nan)
            for method in METHODS:
                weights[method] = self._fit_method(
                    method, inputs, measured, learn, index, weights[method]
                )
                answer = self._answer(method, weights[method], inputs, origins, index)
                errors[method].append(came - (answer * scaling[1][0] + scaling[0][0]))
            phases.append(_phase(index, self.step, self.cycle)[later])
        stride = self._stride(part - self.steps + 1)
        self._choose(errors, least=-(-(self.steps + max(self.seasons)) // stride))
        self.errors = errors
        self._test_band(errors[self.chosen], phases)
        self.positive = bool(values[:n, 0].min() >= 0)
        self.scaling = _scaling(values[:n])
        inputs = self._inputs(values, calendar, self.scaling)
        learn = np.arange(self.first, n - self.steps)
        self.weights = self._fit_method(
            self.chosen, inputs, measured, learn, index, weights[self.chosen]
        )
        self.band = _band(np.concatenate(errors[self.chosen]), np.concatenate(phases), self.cycle)
        return self

    def _plan(self, table: pd.DataFrame) -> None:
        """The settings that follow from the table alone."""
        self.step, self.columns = step_of(table.index), [*table.columns]
        if strange := [name for name in self.known if name not in self.columns[1:]]:
            raise ValueError(
                f"expected known columns among {', '.join(self.columns[1:]) or 'none'}, got "
                f"{', '.join(map(str, strange))}"
            )
        there = table[self.target].notna().to_numpy()
        n = int(np.flatnonzero(there)[-1]) + 1
        seasons = [s for s in _seasons(self.step) if 4 * s <= n]
        self.cycle, self.seasons = ([*seasons, 1])[0], [1, *seasons]
        self.length = int(min(np.clip(2 * self.cycle, 12, 96), max(n // 6, 1)))
        self.first = max(self.length, *self.seasons) - 1
        self.yearly = bool(table.index[n - 1] - table.index[0] > 730 * DAY and self.step != "YS")
        need = self.first + 2 * self.steps + LEAST + PARTS * self._part(n)
        if n < need:
            raise ValueError(
                f"expected at least {need} {named(self.step)} of {self.target} to forecast "
                f"{self.steps} and to judge the forecasts, got {n}"
            )

    def _part(self, n: int) -> int:
        """Steps in a part of the walk-forward comparison."""
        return max(int(SHARE * n), self.steps + 5)

    def _stride(self, count: int) -> int:
        """At most about 300 forecasts per part, from all hours (weekdays, months) alike."""
        stride = -(-count // 300)
        while gcd(stride, self.cycle) > 1:
            stride += 1
        return stride

    def _best_season(self, inputs, origins, measured) -> int:
        origins = _thin(origins, 6000)
        seen = measured[origins[:, None] + np.arange(1, self.steps + 1)]
        squares = {}
        for season in self.seasons:
            self.season = season
            window = self._cut(inputs, origins)
            squares[season] = ((window["goal"] - window["base"]).numpy() ** 2)[seen].mean()
        return min(squares, key=squares.get)

    def _choose(self, errors: dict[str, list[np.ndarray]], least: int) -> None:
        """Compare the methods. Blocks of the bootstrap are `least` forecasts long, a horizon and a
        season, and longer where the errors' differences remember longer."""
        squares = {method: np.concatenate(parts) ** 2 for method, parts in errors.items()}
        full = ~np.isnan(squares[NAIVE]).all(axis=1)
        sizes = {m: np.sqrt(np.nanmean(square[full], axis=1)) for m, square in squares.items()}
        n = int(full.sum())
        pairs = ((GRU, NAIVE), (GRU, LINEAR), (LINEAR, NAIVE))
        needed = max(least, *(2 * _memory(sizes[a] ** 2 - sizes[b] ** 2) for a, b in pairs))
        block = max(1, min(needed, n // 4))

        def ratio(one: str, other: str) -> Interval:
            try:
                return error_ratio(np.zeros(n), sizes[one], sizes[other], block=block)
            except ValueError:  # a rival that is always right
                return Interval(np.inf, np.inf, np.inf)

        gru, rival, linear = (ratio(*pair) for pair in pairs)
        self.compared = {
            method: {"error": float(np.sqrt(np.mean(sizes[method] ** 2)))}
            | dict(zip(("ratio", "low", "high"), interval, strict=True))
            for method, interval in zip(METHODS, ((1.0, 1.0, 1.0), linear, gru), strict=True)
        }
        season = "the last value" if self.season == 1 else f"the value {self.season} steps before"
        if gru.high < 1 and rival.high < 1:
            self.chosen = GRU
            text = (
                f"Use the GRU: its error is {gru:.2f} times that of {season}, "
                f"and {rival:.2f} times that of the linear model."
            )
        elif linear.high < 1:
            self.chosen = LINEAR
            text = (
                f"Use the linear model: its error is {linear:.2f} times that of {season}. "
                f"The GRU's is {rival:.2f} times that of the linear model, which shows no gain."
            )
        else:
            self.chosen = NAIVE
            text = (
                f"Use {season}: neither the linear model, with {linear:.2f} times its error, nor "
                f"the GRU, with {gru:.2f} times, is shown to be better."
            )
        if n < ENOUGH * needed:
            text += " The intervals rest on few independent stretches of time: a hint, no proof."
        self.verdict = text

    def _test_band(self, errors: list[np.ndarray], phases: list[np.ndarray]) -> None:
        early, late = np.concatenate(errors[:-1]), errors[-1]
        band = _band(early, np.concatenate(phases[:-1]), self.cycle)
        low, high = _edges(band, phases[-1])
        inside = (late >= low) & (late <= high)
        self.coverage = float(inside[~np.isnan(late)].mean())
        self.verdict += (
            f" A {BAND:.0%} band made before the last part held {self.coverage:.0%} of its values."
        )

    def forecast(self, table: pd.DataFrame) -> pd.DataFrame:
        """The steps that follow the table's last target: forecast, and the band's low and high.

        Args:
            table: from `read_series`, with the columns and the step that it was fitted with. It
                may have grown since.

        Raises:
            ValueError: other columns, another step, too few rows, or too few with what is known
                ahead.
        """
        lacking = [name for name in self.columns if name not in table]
        if lacking:
            raise ValueError(
                f"expected the columns {', '.join(self.columns)}, got none named "
                f"{', '.join(lacking)}"
            )
        if (step := step_of(table.index)) != self.step:
            raise ValueError(f"expected a table in {named(self.step)}, got one in {named(step)}")
        values, _, calendar, index = self._arrays(table)
        inputs = self._inputs(values, calendar, self.scaling)
        now = np.array([len(values) - self.steps - 1])
        answer = self._answer(self.chosen, self.weights, inputs, now, index)[0]
        answer = answer * self.scaling[1][0] + self.scaling[0][0]
        index = index[-self.steps :]
        low, high = _edges(self.band, _phase(index, self.step, self.cycle)[None])
        columns = {"forecast": answer, "low": answer + low[0], "high": answer + high[0]}
        found = pd.DataFrame(columns, index.rename("time"))
        return found.clip(lower=0) if self.positive else found

    @property
    def report(self) -> pd.DataFrame:
        """Per method the walk-forward error (root mean squared, in the target's unit) and its ratio
        to that of the seasonal naive forecast, with a 95% interval."""
        return pd.DataFrame(self.compared).T

    # --- Save and load ----------------------------------------------------------------------------

    def save(self, folder: str | os.PathLike) -> None:
        """Write `settings.json` and the weights that it names into a folder.

        What was saved there before stays valid until the last moment: the new weights get a name
        of their own, and `settings.json` is replaced when they are whole.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {**self.weights, **{f"band_{k}": torch.tensor(v) for k, v in self.band.items()}}
        content = safetensors.torch.save({k: t.contiguous() for k, t in tensors.items()})
        settings = {"format": FORMAT} | {name: getattr(self, name) for name in SAVED}
        digest = _digest(settings, content)
        name = f"weights-{digest[:12]}.safetensors"
        _replace(folder / name, content)
        text = json.dumps(settings | {"weights": name, "sha256": digest}, indent=1)
        _replace(folder / "settings.json", text.encode())
        for old in folder.glob("weights-*.safetensors"):
            if old.name != name:
                old.unlink()

    @classmethod
    def load(cls, folder: str | os.PathLike) -> "Forecaster":
        """A Forecaster as `save` left it.

        Raises:
            FileNotFoundError: nothing was saved there.
            ValueError: another format, or files that were changed or do not belong together.
        """
        folder = Path(folder)
        try:
            settings = json.loads((folder / "settings.json").read_bytes())
            name, digest = settings.pop("weights"), settings.pop("sha256")
            if not re.fullmatch(r"weights-[0-9a-f]{12}\.safetensors", name):
                raise ValueError  # a path to another place
            content = (folder / name).read_bytes()
        except FileNotFoundError as error:
            what = Path(error.filename).name
            raise FileNotFoundError(
                f"expected a saved Forecaster in {folder}, got no {what} there"
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ValueError(
                f"expected the settings of a Forecaster in {folder / 'settings.json'}, got others"
            ) from None
        if settings.get("format") != FORMAT:
            raise ValueError(
                f"expected format {FORMAT}, got {settings.get('format')}: fit and save anew"
            )
        if _digest(settings, content) != digest:
            raise ValueError(
                f"expected settings.json and {name} in {folder} as they were saved, got "
                "changed ones"
            )
        found = cls(settings["steps"])
        for key in SAVED:
            setattr(found, key, settings[key])
        tensors = safetensors.torch.load(content)
        found.band = {k: tensors.pop(f"band_{k}").numpy() for k in ("distance", "phase", "edges")}
        found.weights = tensors
        return found


def _digest(settings: dict, content: bytes) -> str:
    text = json.dumps(settings, sort_keys=True).encode()
    return hashlib.sha256(text + content).hexdigest()


def _replace(path: Path, content: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(content)
    os.replace(part, path)


def _memory(series: np.ndarray) -> int:
    """The first lag at which the autocorrelation is no larger than that of noise."""
    series = series - series.mean()
    products = np.correlate(series, series, "full")[len(series) - 1 :]
    return int(np.argmax(products <= 2 / np.sqrt(len(series)) * products[0]))


def _thin(origins: np.ndarray, most: int) -> np.ndarray:
    return origins[:: -(-len(origins) // most)]


# --- Calendar, scale, band ------------------------------------------------------------------------


def _seasons(step: str) -> tuple[int, ...]:
    """Steps in a season, the shortest first: a day and a week, a week, a year."""
    by_name = {"B": (5,), "D": (7,), "7D": (52,), "MS": (12,), "QS": (4,)}
    if step in by_name:
        return by_name[step]
    length = length_of(step)
    if length < DAY and DAY % length == pd.Timedelta(0):
        return DAY // length, 7 * (DAY // length)
    return ()


def _calendar(index: pd.DatetimeIndex, step: str, yearly: bool) -> np.ndarray:
    """(rows, features): the hour, the weekday and the time of year, as far as they apply."""
    waves = []
    if length_of(step) < DAY:
        waves.append((index - index.normalize()) / DAY)
    if yearly:
        waves.append((index.dayofyear - 1) / 365.25)
    angles = [2 * np.pi * k * wave.to_numpy() for wave in waves for k in (1, 2)]
    columns = [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
    if length_of(step) <= DAY:
        columns += [index.dayofweek == day for day in range(7)]
    return np.array(columns, dtype=float).reshape(-1, len(index)).T


def _phase(index: pd.DatetimeIndex, step: str, cycle: int) -> np.ndarray:
    """Position of each time in its season: which hour, weekday, week or month it is."""
    if step in ("MS", "QS"):
        position = (index.month - 1) // (12 // {"MS": 12, "QS": 4}[step])
    elif (length := length_of(step)) == DAY:
        position = index.dayofweek
    elif length > DAY:
        position = (index.dayofyear - 1) // 7
    else:
        position = (index - index.normalize()) // length
    return position.to_numpy() % cycle


def _scaling(values: np.ndarray) -> list[list[float]]:
    """Mean and spread of each column; 1 for a column that does not vary yet."""
    spread = values.std(axis=0)
    return [values.mean(axis=0).tolist(), np.where(spread > 0, spread, 1.0).tolist()]


def _band(errors: np.ndarray, phases: np.ndarray, cycle: int) -> dict[str, np.ndarray]:
    """What the band is made of, from errors (F, K) and the phases of their steps.

    The usual size per distance (K,) and, relative to it, per phase (cycle,), drawn towards 1 where
    there are few errors; and the two edges between which the share BAND of the errors lies, in
    these units. With few errors the edges lie further out, as in split conformal prediction.
    """
    distance = np.sqrt(np.nanmean(errors**2, axis=0)) + 1e-12
    units, there = errors / distance, ~np.isnan(errors)
    weights = np.bincount(phases[there], minlength=cycle)
    sums = np.bincount(phases[there], units[there] ** 2, minlength=cycle)
    phase = np.sqrt((sums + 20) / (weights + 20))
    units = (units / phase[phases])[there]
    level = min((1 + 1 / len(errors)) * (1 + BAND) / 2, 1.0)
    return {"distance": distance, "phase": phase, "edges": np.quantile(units, [1 - level, level])}


def _edges(band: dict[str, np.ndarray], phases: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Low and high edge (F, K) for steps of these phases (F, K), relative to the forecast."""
    size = band["distance"] * band["phase"][phases]
    return band["edges"][0] * size, band["edges"][1] * size
