"""The code behind notebook 5's committed tables; `python -m helpers.experiments NAME` writes one.

Minutes are those of one quiet core.

- **article** (35 minutes): the training of article B to the letter, one row per epoch: two GRU
  layers of 100 units, one window at a time, in order, 200 epochs, 438,200 updates. After an
  interruption it goes on with the epoch that was not finished.
- **order** (1): its first epoch with the windows in order and shuffled.
- **ranges** (2): fault 1, the scaler that has seen the future, beside honest ones.
- **carbon** (2), **bikes** (5), **volume** (2): networks and their strongest rivals.
- **band** (2): bands for tomorrow's change. Its GARCH row needs `pip install arch`.
"""

import functools
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from statsmodels.datasets import co2
from statsmodels.regression.quantile_regression import QuantReg
from statsmodels.tsa.holtwinters import ExponentialSmoothing
from statsmodels.tsa.statespace.sarimax import SARIMAX
from torch import nn

from helpers import cells, data, forecasting
from helpers.metrics import Interval

# --- Article B's training, to the letter ----------------------------------------------------------

LENGTH = 30  # days in a window
UNITS = 100
DROPOUT = 0.2
LEARNING_RATE = 0.001
EPOCHS = 200
ARTICLE_SETTINGS = {
    "stock": "AAPL, adjusted close, 2010-01-01 to 2020-12-31",
    "scaler": "to (-1, 1), fitted on the whole series, as in the article",
    "window": LENGTH,
    "split": "the first 80% of the windows train, the rest test",
    "network": f"2 GRU layers of {UNITS} units, dropout {DROPOUT} between them, a linear layer",
    "optimizer": f"Adam, learning rate {LEARNING_RATE}, one window per update, in order",
    "seed": 0,
    "train loss": "mean over the epoch's updates, scaled prices, dropout on",
    "ratio": "test error over that of 'tomorrow = today'",
}


class ArticleNet:
    """The article's network, one window per update, on two NumPy cells.

    At one window per update, `nn.GRU` spends most of its time on calling small operations; the
    cells need about a fifth of it. All parameters are views of one vector, so that one call of
    PyTorch's Adam moves them all. Weights and dropout masks are those that `nn.GRU` would draw
    from the same seed, so the two make the same updates up to rounding
    (tests/test_forecast_tables.py).

    Args:
        seed: of the initial weights and of all dropout masks that follow.
    """

    def __init__(self, seed: int = 0, units: int = UNITS):
        torch.manual_seed(seed)
        modules = nn.GRU(1, units, num_layers=2, dropout=DROPOUT), nn.Linear(units, 1)
        tensors = [tensor.detach() for module in modules for tensor in module.parameters()]
        self.flat = torch.cat([tensor.ravel() for tensor in tensors])
        self.flat.grad = torch.zeros_like(self.flat)
        self.optimizer = torch.optim.Adam([self.flat], lr=LEARNING_RATE)
        pieces = self.flat.numpy(), np.cumsum([tensor.numel() for tensor in tensors])[:-1]
        views = [
            view.reshape(tensor.shape)
            for view, tensor in zip(np.split(*pieces), tensors, strict=True)
        ]
        self.layers = [cells.GRU(size, units, dtype=np.float32) for size in (1, units)]
        for number, layer in enumerate(self.layers):
            names = ("W_x", "W_h", "b_x", "b_h")  # PyTorch's order
            layer.params = dict(zip(names, views[4 * number :], strict=False))
        self.weight, self.bias = views[-2:]  # (1, H), (1,)

    def forecast(self, x: np.ndarray) -> np.ndarray:
        """x (N, T, 1) -> scaled prices (N,), without dropout."""
        states = self.layers[0].forward(np.ascontiguousarray(x.swapaxes(0, 1)))
        return self.layers[1].forward(states)[-1] @ self.weight[0] + self.bias

    def update(self, x: np.ndarray, y: float) -> float:
        """One step of Adam on one window x (T, 1) and its next price; the loss before it."""
        lower, upper = self.layers
        states = lower.forward(x[:, None])  # (T, 1, H)
        # What nn.GRU draws: between the layers, for every step and unit, the kept ones enlarged.
        mask = nn.functional.dropout(torch.ones(states.shape), DROPOUT).numpy()
        last = upper.forward(states * mask)[-1, 0]  # (H,)
        error = last @ self.weight[0] + self.bias[0] - y
        d_states = np.zeros_like(states)
        d_states[-1, 0] = 2 * error * self.weight[0]
        above = upper.backward(d_states)
        below = lower.backward(above["x"] * mask)
        grads = [grads[name].ravel() for grads in (below, above) for name in lower.params]
        np.concatenate([*grads, 2 * error * last, [2 * error]], out=self.flat.grad.numpy())
        self.optimizer.step()
        return float(error**2)


def article_series() -> tuple[np.ndarray, np.ndarray, np.ndarray, int, MinMaxScaler]:
    """The article's windows, targets and `now` (float32), its split, and its scaler."""
    close = data.load_prices(["AAPL"]).to_numpy()
    scaler = MinMaxScaler((-1, 1)).fit(close)
    x, y, now = forecasting.windows(scaler.transform(close), LENGTH)
    return x.astype(np.float32), y[:, 0].astype(np.float32), now, int(0.8 * len(x)), scaler


def article_plan() -> list[dict]:
    return [{"epoch": epoch} for epoch in range(1, EPOCHS + 1)]


def article_row(epoch: int, checkpoint: Path) -> dict[str, str]:
    """Train one epoch further than the checkpoint, and write the next one.

    Raises:
        ValueError: the checkpoint is not that of the epoch before.
    """
    net, done, row = ArticleNet(), 0, {}
    if checkpoint.exists():
        kept = torch.load(checkpoint, weights_only=True)
        done, row = kept["epoch"], kept["row"]
        net.flat.copy_(kept["weights"])
        net.optimizer.load_state_dict(kept["optimizer"])
        torch.set_rng_state(kept["random state"])
    if done == epoch:  # interrupted after the checkpoint, before the row
        return row
    if done != epoch - 1:
        raise ValueError(f"{checkpoint} is of epoch {done}, not {epoch - 1}: delete both and start")
    x, y, now, n_train, scaler = article_series()
    losses = [net.update(*pair) for pair in zip(x[:n_train], y[:n_train], strict=True)]
    forecast = net.forecast(x[n_train:])  # (test days,)
    close = data.load_prices(["AAPL"])["AAPL"].to_numpy()
    dollars = scaler.inverse_transform(forecast[:, None])[:, 0]
    actual, today = close[now[n_train:] + 1], close[now[n_train:]]
    error = np.sqrt(np.mean((dollars - actual) ** 2))
    row = {
        "train_loss": f"{np.mean(losses):.6f}",
        "test_loss": f"{np.mean((forecast - y[n_train:]) ** 2):.6f}",
        "test_rmse": f"{error:.3f}",
        "ratio": f"{error / np.sqrt(np.mean((today - actual) ** 2)):.3f}",
    }
    kept = {
        "epoch": epoch,
        "row": row,
        "weights": net.flat,
        "optimizer": net.optimizer.state_dict(),
        "random state": torch.get_rng_state(),
    }
    torch.save(kept, checkpoint.with_suffix(".new"))
    checkpoint.with_suffix(".new").replace(checkpoint)  # whole or not at all
    return row


RANGES = {  # fitted on the whole series or on the training part; half the width of the range
    "leaky (-1, 1)": (True, 1.0),
    "honest (-1, 1)": (False, 1.0),
    "honest (-0.2, 0.2)": (False, 0.2),
}
ORDER_SETTINGS = {
    "training": "one epoch of that of the table article, windows in order or shuffled",
    "ratio": ARTICLE_SETTINGS["ratio"],
    "train_rmse": "error in dollars of the trained network on the windows it was trained on",
    "train_low, train_high": "its lowest and highest forecast there, in dollars",
}
RANGES_SETTINGS = {
    "training": "as in the table order, shuffled",
    "leaky": "the scaler is fitted on the whole series; honest: on the training part",
    "ratio": ARTICLE_SETTINGS["ratio"],
}


def scale_prices(close: np.ndarray, way: str, n_train: int) -> tuple[np.ndarray, MinMaxScaler]:
    """Prices (days, 1) scaled in one of the `RANGES`, and the scaler."""
    leaky, half = RANGES[way]
    scaler = MinMaxScaler((-half, half)).fit(close if leaky else close[: LENGTH + n_train])
    return scaler.transform(close), scaler


def epoch_row(way: str, order: str, seed: int) -> dict[str, str]:
    """One epoch of the article's training, and what the network then says."""
    close = data.load_prices(["AAPL"]).to_numpy()
    n_train = int(0.8 * (len(close) - LENGTH))
    scaled, scaler = scale_prices(close, way, n_train)
    x, y, now = forecasting.windows(scaled.astype(np.float32), LENGTH)
    x, y = x.astype(np.float32), y[:, 0].astype(np.float32)
    rows = np.arange(n_train)
    if order == "shuffled":
        np.random.default_rng(seed).shuffle(rows)
    net = ArticleNet(seed)
    for number in rows:
        net.update(x[number], y[number])
    dollars = scaler.inverse_transform(net.forecast(x)[:, None])[:, 0]
    actual, today = close[now + 1, 0], close[now, 0]
    known, errors = dollars[:n_train], dollars - actual
    persistence = np.mean((today - actual)[n_train:] ** 2)
    return {
        "ratio": f"{np.sqrt(np.mean(errors[n_train:] ** 2) / persistence):.3f}",
        "train_rmse": f"{np.sqrt(np.mean(errors[:n_train] ** 2)):.3f}",
        "train_low": f"{known.min():.2f}",
        "train_high": f"{known.max():.2f}",
    }


def order_row(order: str, seed: int) -> dict[str, str]:
    return epoch_row("leaky (-1, 1)", order, seed)


def order_plan() -> list[dict]:
    return [dict(order=order, seed=seed) for seed in range(3) for order in ("in order", "shuffled")]


def ranges_row(way: str, seed: int) -> dict[str, str]:
    return epoch_row(way, "shuffled", seed)


def ranges_plan() -> list[dict]:
    return [dict(way=way, seed=seed) for way in RANGES for seed in range(3)]


# --- Carbon dioxide -------------------------------------------------------------------------------

YEAR, BACK, LAST = 12, 36, 120  # months: horizon, window, test origins
AIR_BLOCK = 24  # months: neighbouring origins share up to eleven of their twelve months


def air_series() -> tuple[pd.Series, np.ndarray]:
    """Monthly carbon dioxide in ppm, and the positions of the test origins' last known month."""
    air = co2.load_pandas().data["co2"].interpolate().resample("MS").mean()
    return air, np.arange(len(air) - YEAR - LAST, len(air) - YEAR)


def ten_year_mean(level: np.ndarray, origins: np.ndarray) -> np.ndarray:
    """Forecasts (origins, 12) of the changes: the mean change of that month in ten years."""
    change, ahead = np.diff(level, prepend=np.nan), np.arange(1, YEAR + 1)
    past = [change[origins[:, None] + ahead - YEAR * k] for k in range(1, 11)]
    return np.mean(past, axis=0)


@functools.cache
def air_forecast(method: str, seed: int = 0) -> np.ndarray:
    """Forecasts (120, 12) of the level 1 to 12 months ahead, less the last known level."""
    air, origins = air_series()
    level, ahead, train = air.to_numpy(), np.arange(1, YEAR + 1), air.iloc[: origins[0] + 1]
    if method == "seasonal naive":
        return np.diff(level, prepend=np.nan)[origins[:, None] + ahead - YEAR].cumsum(1)
    if method == "ten-year mean":
        return ten_year_mean(level, origins).cumsum(1)
    if method == "SARIMA":
        fitted = SARIMAX(train, order=(0, 1, 1), seasonal_order=(0, 1, 1, YEAR)).fit(disp=False)
        ends = [air.iloc[: origin + 1] for origin in origins]
        return np.array([fitted.apply(end).forecast(YEAR) - end.iloc[-1] for end in ends])
    if method.startswith("Holt-Winters"):
        return holt_winters(air, origins, adapts=method.endswith("adapts"))
    if method == "GRU, mean of five":
        return np.mean([air_forecast("GRU", seed) for seed in range(5)], axis=0)
    if method == "GRU on what the ten-year mean leaves, mean of five":
        name = "GRU on what the ten-year mean leaves"
        return np.mean([air_forecast(name, seed) for seed in range(5)], axis=0)
    return air_network(level, origins, seed, **AIR_NETWORKS[method])


AIR_NETWORKS = {
    "GRU": {},
    "GRU on what the ten-year mean leaves": {"rest": True},
}


def holt_winters(air: pd.Series, origins: np.ndarray, adapts: bool) -> np.ndarray:
    """Holt-Winters with weights fitted once (its seasonal weight is 0), or chosen to adapt.

    The adapting one takes the weights with the smallest error over the ten years before the test.
    """
    known = air.iloc[: origins[0] + 1]
    options = {"trend": "add", "seasonal": "add", "seasonal_periods": YEAR}
    fitted = ExponentialSmoothing(known, **options).fit()
    names = ("level", "trend", "seasonal")
    options |= {f"initial_{name}": fitted.params[f"initial_{name}"] for name in names[:2]}
    options["initial_seasonal"] = fitted.params["initial_seasons"]

    def forecasts(weights: tuple, origins: np.ndarray) -> np.ndarray:
        weights = {f"smoothing_{k}": w for k, w in zip(names, weights, strict=True)}
        pasts = [air.iloc[: origin + 1] for origin in origins]
        models = [
            ExponentialSmoothing(past, initialization_method="known", **options) for past in pasts
        ]
        fits = [model.fit(**weights, optimized=False).forecast(YEAR) for model in models]
        return np.array([fit - past.iloc[-1] for fit, past in zip(fits, pasts, strict=True)])

    if not adapts:
        return forecasts(tuple(fitted.params[f"smoothing_{name}"] for name in names), origins)
    before = np.arange(origins[0] - YEAR - LAST, origins[0] - YEAR, 8)
    level = air.to_numpy()
    came = level[before[:, None] + np.arange(1, YEAR + 1)] - level[before][:, None]
    grid = [(a, b, g) for a in (0.4, 0.6) for b in (0.005, 0.02) for g in (0.1, 0.2, 0.3)]
    best = min(grid, key=lambda weights: np.mean((forecasts(weights, before) - came) ** 2))
    return forecasts(best, origins)


def minimize(
    loss: Callable[[torch.Tensor], torch.Tensor],
    optimizer: torch.optim.Optimizer,
    rows: torch.Tensor,
    batch: int,
    epochs: int,
    clip: float = math.inf,
) -> None:
    """Minimize `loss` (of some rows) in random batches; the learning rate falls along a cosine."""
    params = [p for group in optimizer.param_groups for p in group["params"]]
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for some in rows[torch.randperm(len(rows))].split(batch):
            optimizer.zero_grad()
            loss(some).backward()
            if clip < math.inf:
                nn.utils.clip_grad_norm_(params, clip)
            optimizer.step()
        schedule.step()


class SeasonNet(nn.Module):
    """Notebook 5's: a GRU that reads 36 monthly changes and answers with the next 12."""

    def __init__(self, units: int = 32):
        super().__init__()
        self.rnn = nn.GRU(1, units, batch_first=True)
        self.head = nn.Linear(units, YEAR)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.rnn(x)[0][:, -1])


def air_network(
    level: np.ndarray, origins: np.ndarray, seed: int, epochs: int = 40, rest: bool = False
) -> np.ndarray:
    """A `SeasonNet`'s forecasts; with `rest` it learns what the ten-year mean leaves."""
    change = np.diff(level)
    x, y, now = forecasting.windows(change, BACK, horizon=YEAR)
    known = change[: origins[0]]
    x = torch.tensor((x - known.mean()) / known.std(), dtype=torch.float32)
    rows = np.flatnonzero(now + YEAR < origins[0])  # no target lies in the test part
    base = np.zeros_like(y)
    if rest:
        rows = rows[now[rows] >= 10 * YEAR]
        base[rows[0] :] = ten_year_mean(level, now[rows[0] :] + 1)
    target = y - base
    middle, spread = target[rows].mean(), target[rows].std()
    z = torch.tensor((target - middle) / spread, dtype=torch.float32)
    torch.manual_seed(seed)
    net, rows = SeasonNet(), torch.from_numpy(rows)
    if rest:  # it begins as the ten-year mean
        nn.init.zeros_(net.head.weight)
        nn.init.zeros_(net.head.bias)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.005)
    minimize(
        lambda batch: nn.functional.mse_loss(net(x[batch]), z[batch]), optimizer, rows, 32, epochs
    )
    with torch.no_grad():
        answer = net(x[-LAST:]).numpy() * spread + middle
    return (answer + base[-LAST:]).cumsum(1)


def carbon_row(method: str, seed: int) -> dict[str, str]:
    """Error 1, 6 and 12 months ahead, and its ratio to that of the ten-year mean."""
    air, origins = air_series()
    level, ahead = air.to_numpy(), np.arange(1, YEAR + 1)
    came = level[origins[:, None] + ahead] - level[origins][:, None]
    ours, theirs, row = air_forecast(method, seed), air_forecast("ten-year mean"), {}
    for months in (1, 6, 12):
        at = (slice(None), months - 1)
        row[f"rmse_{months}"] = f"{np.sqrt(np.mean((ours[at] - came[at]) ** 2)):.3f}"
        ratio = forecasting.error_ratio(came[at], ours[at], theirs[at], block=AIR_BLOCK)
        row |= ratio_columns(ratio, f"_{months}")
    return row


def ratio_columns(ratio: Interval, end: str = "") -> dict[str, str]:
    return {f"{k}{end}": f"{v:.3f}" for k, v in zip(("ratio", "low", "high"), ratio, strict=True)}


CARBON_SETTINGS = {
    "series": "statsmodels' co2, monthly means, missing weeks filled by straight lines",
    "test": f"{LAST} origins, the last ones with {YEAR} months after them; no target before them",
    "ratio": "error over that of the ten-year mean of the month's change",
    "interval": f"95%, circular block bootstrap over origins, blocks of {AIR_BLOCK} months",
    "GRU": f"{BACK} changes read, 32 units, 40 epochs, mini-batches of 32, Adam 0.005, cosine",
}


# --- Bicycles -------------------------------------------------------------------------------------

PAST, DAY = 72, 24  # hours that the network reads, hours that it forecasts
BIKE_UNITS, BIKE_EPOCHS = 64, 15
BIKE_PARTS = {"late summer": (0.6, 0.8), "autumn": (0.8, 1.0)}  # training is what lies before
LAGS = (24, 48, 72, 96, 120, 144, 168, 336)  # hours, for the rivals


def bike_series() -> pd.DataFrame:
    """Every hour of 2011: the logarithm of 1 + rentals, and what a forecast of the day knows.

    Hours that the table lacks are read as 0 rentals, with the weather of the hour before. No
    forecast is trained or scored on them: see `bike_present`.
    """
    table = data.load_bikes()
    table = table.reindex(pd.date_range("2011-01-01", periods=8760, freq="h"))
    table["bikers"] = table["bikers"].fillna(0)
    table = table.ffill()
    hour = table.index.hour.to_numpy() / 24
    waves = {
        f"wave{k}{f.__name__}": f(2 * np.pi * k * hour) for k in (1, 2) for f in (np.sin, np.cos)
    }
    known = table[["workingday", "temp", "hum", "windspeed"]]
    wet = {"misty": table["weather"] == 1, "wet": table["weather"] >= 2}
    frame = pd.DataFrame({"y": np.log1p(table["bikers"]), **waves, **known, **wet})
    return frame.astype(float)


def bike_present() -> np.ndarray:
    """Which hours of 2011 (8760,) the table has. It lacks a hurricane and the quietest nights."""
    return pd.date_range("2011-01-01", periods=8760, freq="h").isin(data.load_bikes().index)


def bike_origins(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Last known hours: those to train on, every third, and those of the part, every sixth."""
    start, end = (int(share * 8760) for share in BIKE_PARTS[part])
    return np.arange(336, start - DAY, 3), np.arange(start - 1, end - DAY, 6)


class ReadThenForecast(nn.Module):
    """Notebook 5's: one GRU reads the past, a second one the known day, from the first's state."""

    def __init__(self, past: int, known: int, units: int = BIKE_UNITS):
        super().__init__()
        self.reader = nn.GRU(past, units, batch_first=True)
        self.forecaster = nn.GRU(known, units, batch_first=True)
        self.head = nn.Linear(units, 1)

    def forward(self, past: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """past (B, 72, columns), known (B, 24, columns) -> (B, 24)."""
        _, state = self.reader(past)
        return self.head(self.forecaster(known, state)[0])[..., 0]


def same_kind(frame: pd.DataFrame, day: np.ndarray) -> np.ndarray:
    """For each position in `day`, the rentals at that hour on the last day of its kind.

    Two kinds, working days and others; 14 days back at most, which is a day of the same week.
    """
    y, work = frame["y"].to_numpy(), frame["workingday"].to_numpy()
    found = y[day - 336]
    for days in range(13, 0, -1):
        earlier = day - 24 * days
        found = np.where(work[earlier] == work[day], y[earlier], found)
    return found


def bike_network(part: str, seed: int) -> np.ndarray:
    """The forecasts (origins, 24) of one `ReadThenForecast`."""
    frame, (train, ask) = bike_series(), bike_origins(part)
    known = frame.iloc[: train[-1] + DAY + 1]
    middle, spread = known["y"].mean(), known["y"].std()
    values = ((frame - known.mean()) / known.std()).to_numpy(np.float32)

    def tensors(origins: np.ndarray) -> tuple[torch.Tensor, ...]:
        day = origins[:, None] + np.arange(1, DAY + 1)  # (N, 24)
        past = values[origins[:, None] + np.arange(1 - PAST, 1)]  # (N, 72, 11)
        there = bike_present()[day]
        return tuple(torch.from_numpy(a) for a in (past, values[day, 1:], values[day, 0], there))

    past, future, target, there = tensors(train)
    torch.manual_seed(seed)
    net = ReadThenForecast(past.shape[2], future.shape[2])
    optimizer = torch.optim.Adam(net.parameters(), lr=0.005)

    def loss(rows: torch.Tensor) -> torch.Tensor:
        errors = (net(past[rows], future[rows]) - target[rows])[there[rows]]
        return (errors**2).mean()

    minimize(loss, optimizer, torch.arange(len(past)), 64, BIKE_EPOCHS, clip=1.0)
    with torch.no_grad():
        return net(*tensors(ask)[:2]).numpy() * spread + middle


def bike_inputs(frame: pd.DataFrame, origins: np.ndarray, plain: bool = False) -> np.ndarray:
    """What the rivals are given for each origin and hour: (origins · 24, columns).

    Lags of the same hour, the last day's values, the last same hour on the same kind of day, the
    weather now and at the lags. Trees find interactions by themselves (`plain`). The linear model
    is given them: the hour with working day, weather, temperature and lags; the last values with
    the horizon; the working day with the lags.
    """
    y, work, temp, hum, wind, misty, wet = (
        frame[["y", "workingday", "temp", "hum", "windspeed", "misty", "wet"]].to_numpy().T
    )
    ahead = np.arange(1, DAY + 1)
    day = origins[:, None] + ahead  # (N, 24)
    now = origins[:, None] + 0 * ahead
    alike = same_kind(frame, day)
    lags = [y[day - lag] for lag in LAGS]
    recent = [y[now - k] for k in range(DAY)]
    means = [np.mean([y[now - k] for k in range(hours)], axis=0) for hours in (24, 168)]
    weather = [temp, hum, wind, misty, wet]
    before = [w[day - lag] for lag in (24, 168) for w in (temp, hum, wet, work)]
    shared = [*lags, *recent, *means, alike, *before, *(w[day] for w in weather), work[day]]
    hour = frame.index.hour.to_numpy()[day]
    if plain:
        columns = [hour, now * 0 + ahead, frame.index.day_of_week.to_numpy()[day], *shared]
        return np.stack(columns, -1).reshape(-1, len(columns)).astype(np.float32)
    hours, steps = np.eye(DAY)[hour], np.broadcast_to(np.eye(DAY), (*day.shape, DAY))
    by_hour = [1, work, temp, work * temp, wet, work * wet, hum, wind]
    by_hour = [w[day] if isinstance(w, np.ndarray) else np.ones(day.shape) for w in by_hour]
    by_hour += [lags[0], lags[6], alike]
    by_step = [*recent[:3], y[now] - y[now - 24], y[now] - y[now - 168]]
    more = [v * work[day] for v in lags] + [lags[0] * (work[day] == work[day - 24])]
    more += [temp[day] ** 2, hum[day] ** 2, 1.0 * (work[day] == work[day - 24])]
    blocks = [hours * v[..., None] for v in by_hour] + [steps * v[..., None] for v in by_step]
    inputs = np.concatenate([*blocks, np.stack([*shared, *more], -1)], -1)
    return inputs.reshape(day.size, -1).astype(np.float32)


@functools.cache
def bike_forecast(method: str, part: str, seed: int = 0) -> np.ndarray:
    """Forecasts (origins, 24) of the logarithm of 1 + rentals."""
    frame, (train, ask) = bike_series(), bike_origins(part)
    y, ahead = frame["y"].to_numpy(), np.arange(1, DAY + 1)
    if method in ("day before", "week before"):
        return y[ask[:, None] + ahead - (24 if method == "day before" else 168)]
    if method.startswith(("ridge, ", "boosting, ")):
        name, setting = method.split(", ")
        plain = name == "boosting"
        x, new = (bike_inputs(frame, origins, plain) for origins in (train, ask))
        if plain:
            rounds, leaves = (int(number) for number in setting.split(" x "))
            model = HistGradientBoostingRegressor(
                learning_rate=20 / rounds,
                max_iter=rounds,
                max_leaf_nodes=leaves,
                min_samples_leaf=40,
                max_features=0.5,
                early_stopping=False,
                random_state=0,
            )
        else:
            model = make_pipeline(StandardScaler(), Ridge(float(setting)))
        target = (train[:, None] + ahead).ravel()
        there = bike_present()[target]
        return model.fit(x[there], y[target[there]]).predict(new).reshape(-1, DAY)
    if method.startswith("MLP, "):
        return bike_mlp(part, int(method.removeprefix("MLP, ")), seed)
    if method in BIKE_GRID:
        return bike_forecast(better_setting(method), part, seed)
    if method == "ridge and three GRUs, mean":
        return (bike_forecast("ridge", part) + bike_forecast("GRU, mean of three", part)) / 2
    if method.endswith(", mean of three"):
        name = method.removesuffix(", mean of three")
        return np.mean([bike_forecast(name, part, seed) for seed in range(3)], axis=0)
    return bike_network(part, seed)


def bike_mlp(part: str, epochs: int, seed: int) -> np.ndarray:
    """Forecasts of a feed-forward network that is given all that the ridge is given."""
    frame, (train, ask) = bike_series(), bike_origins(part)
    scaler = StandardScaler()
    target = (train[:, None] + np.arange(1, DAY + 1)).ravel()
    there = bike_present()[target]
    x = torch.from_numpy(scaler.fit_transform(bike_inputs(frame, train)[there]))
    y = frame["y"].to_numpy()[target[there]]
    middle, spread = y.mean(), y.std()
    z = torch.tensor((y - middle) / spread, dtype=torch.float32)
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Linear(x.shape[1], 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
    )
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.001, weight_decay=0.1)
    minimize(
        lambda rows: nn.functional.mse_loss(net(x[rows])[:, 0], z[rows]),
        optimizer,
        torch.arange(len(x)),
        256,
        epochs,
    )
    with torch.no_grad():
        answer = net(torch.from_numpy(scaler.transform(bike_inputs(frame, ask)))).numpy()
    return answer.reshape(-1, DAY) * spread + middle


BIKE_GRID = {  # the ridge's penalty; the rounds and leaves of the boosting; the MLP's epochs
    "ridge": ("ridge, 10", "ridge, 100", "ridge, 1000"),
    "boosting": ("boosting, 400 x 15",),
    "MLP": ("MLP, 3", "MLP, 10"),
}


def bike_errors(method: str, part: str, seed: int = 0) -> tuple[np.ndarray, float]:
    """Squared errors summed over each origin's day (origins,), and R²; on hours that are there."""
    _, ask = bike_origins(part)
    day = ask[:, None] + np.arange(1, DAY + 1)
    came, there = bike_series()["y"].to_numpy()[day], bike_present()[day]
    errors = np.where(there, (bike_forecast(method, part, seed) - came) ** 2, 0.0)
    return errors.sum(1), 1 - errors.sum() / (came[there].var() * there.sum())


def better_setting(name: str) -> str:
    """Of the rival's settings the one with the smallest error in the first part."""
    return min(BIKE_GRID[name], key=lambda method: bike_errors(method, "late summer")[0].mean())


def bikes_row(method: str, part: str, seed: int) -> dict[str, str]:
    """Explained share of the variance, and the mean squared error over that of the ridge."""
    ours, r2 = bike_errors(method, part, seed)
    theirs, _ = bike_errors("ridge", part)
    # Four origins per day: blocks of a week.
    ratio = forecasting.loss_ratio(ours, theirs, block=28)
    return {"r2": f"{r2:.4f}"} | ratio_columns(ratio)


BIKES_SETTINGS = {
    "series": "hourly rentals of 2011, log(1 + count); hours that lack are read as 0, not scored",
    "forecast": "the next 24 hours from every sixth hour; the day's weather is taken as known",
    "parts": "late summer: the fourth fifth of the year; autumn: the last; trained on all before",
    "ratio": "mean squared error over that of the ridge",
    "interval": "95%, circular block bootstrap over origins, blocks of a week",
    "GRU": f"reads {PAST} hours, then the known day; {BIKE_UNITS} units, {BIKE_EPOCHS} epochs, "
    "mini-batches of 64, Adam 0.005, cosine",
    "rivals": "of the settings tried the one with the smallest error in late summer",
    "settings tried": {name: list(tried) for name, tried in BIKE_GRID.items()},
    "MLP": "2 layers of 64, AdamW 0.001, decay 0.1, on all columns of the ridge",
}


def bikes_plan() -> list[dict]:
    plan = []
    for part in reversed(BIKE_PARTS):
        rivals = ["week before", "ridge", "boosting"]
        plan += [dict(method=method, part=part, seed=0) for method in rivals]
        plan += [dict(method="GRU", part=part, seed=seed) for seed in range(3)]
        means = ["GRU, mean of three", "ridge and three GRUs, mean"]
        plan += [dict(method=method, part=part, seed=0) for method in means]
        plan.append(dict(method="MLP", part=part, seed=0))
    return plan


# --- Trading volume -------------------------------------------------------------------------------

VOLUME_BLOCK = 66  # trading days, three months


def volume_series() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Volume, return and volatility (days, 3) in units of the training part, the calendar (days,
    20), and which days train.

    The calendar is known beforehand: five columns for the weekday, three for a holiday before or
    after, twelve for the month.
    """
    table = data.load_volume()
    values = table[["volume", "return", "volatility"]]
    train = table["train"].to_numpy()
    scaled = (values - values[train].mean()) / values[train].std()
    gap = table.index.diff().days.to_numpy(na_value=1)  # days since the last trading day
    holidays = np.stack([gap > 3, gap == 2, np.append(gap[1:], 1) > 3], 1)
    calendar = [np.eye(5)[table["weekday"]], holidays, np.eye(12)[table.index.month - 1]]
    return scaled.to_numpy(), np.concatenate(calendar, 1), train


# How many of its columns are given; the last also gets `past_calendar`.
CALENDAR = {"none": 0, "weekday": 5, "calendar": 20, "calendar of past days too": 20}


def lagged(values: np.ndarray, days: int) -> pd.DataFrame:
    """(days, 3 · lags): the values of the 1 to `days` days before; NaN where there are none."""
    return pd.concat([pd.DataFrame(values).shift(lag) for lag in range(1, days + 1)], axis=1)


def past_calendar(values: np.ndarray, calendar: np.ndarray) -> np.ndarray:
    """Weekday and holidays of the three days before, fading means of volume and |return|.

    A linear model cannot find out by itself that a quiet day before a holiday says little.
    """
    columns = [pd.DataFrame(calendar[:, :8]).shift(day) for day in (1, 2, 3)]
    for column, half_lives in ((values[:, 0], (3, 10, 30)), (np.abs(values[:, 1]), (3, 10))):
        columns += [pd.Series(column).ewm(halflife=h).mean().shift(1) for h in half_lives]
    return pd.concat(columns, axis=1).to_numpy()


class VolumeNet(nn.Module):
    """Reads some days (B, T, columns); the last state answers. As the book's, but for the cell."""

    def __init__(self, cell: str, columns: int, units: int, dropout: float = 0.0):
        super().__init__()
        self.rnn = getattr(nn, cell)(columns, units, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(units, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.dropout(self.rnn(x)[0][:, -1]))[:, 0]


VOLUME_NETWORKS = {  # cell, days, units, dropout, calendar, epochs
    "the book's RNN": ("RNN", 5, 12, 0.1, "none", 30),
    "GRU, calendar": ("GRU", 22, 32, 0.0, "calendar", 10),
}


def volume_network(method: str, seed: int) -> np.ndarray:
    cell, days, units, dropout, known, epochs = VOLUME_NETWORKS[method]
    values, calendar, train = volume_series()
    # Step t brings day t's values and what is known beforehand of the day after it.
    steps = np.concatenate([values[:-1], calendar[1:, : CALENDAR[known]]], 1)
    ends = np.arange(days, len(values))  # the forecast days
    x = torch.tensor(steps[ends[:, None] + np.arange(-days, 0)], dtype=torch.float32)
    y = torch.tensor(values[ends, 0], dtype=torch.float32)
    learn = torch.from_numpy(np.flatnonzero(train[ends]))
    torch.manual_seed(seed)
    net = VolumeNet(cell, x.shape[2], units, dropout)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.003)
    minimize(
        lambda rows: nn.functional.mse_loss(net(x[rows]), y[rows]), optimizer, learn, 64, epochs
    )
    with torch.no_grad():
        return net.eval()(x[~train[ends]]).numpy()


@functools.cache
def volume_forecast(method: str, seed: int = 0) -> np.ndarray:
    """Forecasts for the test days, in units of the training part's spread."""
    values, calendar, train = volume_series()
    if method == "yesterday":
        return lagged(values[:, :1], 1).to_numpy()[~train, 0]
    if method.endswith(", mean of five"):
        name = method.removesuffix(", mean of five")
        return np.mean([volume_forecast(name, seed) for seed in range(5)], axis=0)
    if method in VOLUME_NETWORKS:
        return volume_network(method, seed)
    kind, days, known = method.split(", ")
    x = lagged(values, int(days.removesuffix(" days"))).to_numpy()
    if known.startswith("calendar"):  # large changes of either sign make for volume
        x = np.concatenate([x, np.abs(x[:, 1::3])], 1)
    if known == "calendar of past days too":
        x = np.concatenate([x, past_calendar(values, calendar)], 1)
    x = np.concatenate([x, calendar[:, : CALENDAR[known]]], 1)
    fit_on = train & np.isfinite(x).all(1)
    if kind == "linear":
        model = LinearRegression()
    else:
        model = HistGradientBoostingRegressor(
            learning_rate=0.05, max_iter=150, max_leaf_nodes=7, min_samples_leaf=40, random_state=0
        )
    return model.fit(x[fit_on], values[fit_on, 0]).predict(x[~train])


VOLUME_RIVAL = "linear, 5 days, calendar of past days too"


def volume_row(method: str, seed: int) -> dict[str, str]:
    """R² on the book's test part, and the mean squared error over that of the linear rival."""
    values, _, train = volume_series()
    came = values[~train, 0]
    ours = (volume_forecast(method, seed) - came) ** 2
    theirs = (volume_forecast(VOLUME_RIVAL) - came) ** 2
    row = {"r2": f"{1 - ours.mean() / came.var():.4f}"}
    return row | ratio_columns(forecasting.loss_ratio(ours, theirs, block=VOLUME_BLOCK))


VOLUME_SETTINGS = {
    "series": "ISLP's NYSE; the book's split: 4,281 days before 1980 train, 1,770 test",
    "ratio": f"mean squared error over that of '{VOLUME_RIVAL}'",
    "interval": f"95%, circular block bootstrap, blocks of {VOLUME_BLOCK} days",
    "networks": {
        name: dict(zip(("cell", "days", "units", "dropout", "calendar", "epochs"), v, strict=True))
        for name, v in VOLUME_NETWORKS.items()
    },
    "training": "Adam 0.003 with cosine, mini-batches of 64",
}


def volume_plan() -> list[dict]:
    once = ["yesterday", *(f"linear, 5 days, {known}" for known in CALENDAR)]
    once += ["linear, 22 days, calendar", "boosting, 22 days, calendar"]
    plan = [dict(method=method, seed=0) for method in once]
    for name in VOLUME_NETWORKS:
        plan += [dict(method=name, seed=seed) for seed in range(5)]
        plan.append(dict(method=f"{name}, mean of five", seed=0))
    return plan


# --- A band for tomorrow's change -----------------------------------------------------------------

BAND = np.array([0.05, 0.95])
STEPS, WARM_UP, BAND_EPOCHS, FADE = 44, 22, 6, 0.06


def band_series() -> tuple[pd.DataFrame, list[tuple[int, int]]]:
    """Daily changes of twenty stocks in percent, and the first and last + 1 day of three tests."""
    names = "AAPL AMD BAC BBY CVX GE HD JNJ JPM KO LLY MRK MSFT PEP PFE PG RRC UNH WMT XOM"
    changes = 100 * np.log(data.load_prices(names.split())).diff().iloc[1:]
    folds = TimeSeriesSplit(3, test_size=554).split(changes)
    return changes, [(int(fold[0]), int(fold[-1]) + 1) for _, fold in folds]


def fading_size(changes: pd.DataFrame | pd.Series) -> pd.DataFrame | pd.Series:
    """The mean size of the days before, each day counting 6% less than the next."""
    return changes.abs().ewm(alpha=FADE).mean().shift(1)


def ewma_band(changes: pd.Series, first: int, last: int) -> np.ndarray:
    """Low and high (days, 2) of days first to last - 1: the fading size times quantiles of the
    training part."""
    size = fading_size(changes).to_numpy()
    ratio = changes.to_numpy()[WARM_UP:first] / size[WARM_UP:first]
    return size[first:last, None] * np.quantile(ratio, BAND)


def har_band(changes: pd.DataFrame, first: int, last: int) -> np.ndarray:
    """As `ewma_band`, with two things learned from all stocks: the quantiles, and the size, a
    linear regression on the mean size of the 1, 5 and 22 days before and the fading one."""
    unit = changes.iloc[:first].std()
    scaled = changes / unit
    past = [scaled.abs().rolling(days).mean().shift(1) for days in (1, 5, 22)]
    inputs = np.stack([*past, fading_size(scaled)], -1)  # (days, stocks, 4)
    learn = slice(WARM_UP + 1, first)
    x, y = inputs[learn].reshape(-1, 4), scaled.to_numpy()[learn].ravel()
    fitted = LinearRegression().fit(x, np.abs(y))
    quantiles = np.quantile(y / fitted.predict(x), BAND)
    size = fitted.predict(inputs[first:last, changes.columns.get_loc("AAPL")])
    return unit["AAPL"] * size[:, None] * quantiles


def regression_band(changes: pd.DataFrame, first: int, last: int) -> np.ndarray:
    """Both ends by linear quantile regression on all stocks: on the sizes that `har_band` has, and
    on two numbers with a sign, yesterday's fall and the mean change of five days."""
    unit = changes.iloc[:first].std()
    scaled = changes / unit
    past = [scaled * 0 + 1, *(scaled.abs().rolling(days).mean().shift(1) for days in (1, 5, 22))]
    past += [fading_size(scaled), scaled.clip(upper=0).shift(1), scaled.rolling(5).mean().shift(1)]
    inputs = np.stack(past, -1)  # (days, stocks, 7)
    learn = slice(WARM_UP + 1, first)
    x, y = inputs[learn].reshape(-1, len(past)), scaled.to_numpy()[learn].ravel()
    asked = inputs[first:last, changes.columns.get_loc("AAPL")]
    ends = [asked @ QuantReg(y, x).fit(q=level).params for level in BAND]
    return unit["AAPL"] * np.stack(ends, -1)


def garch_band(changes: pd.Series, first: int, last: int) -> np.ndarray:
    """As `ewma_band`, with the spread of a GARCH(1,1) in place of the fading size.

    Raises:
        ValueError: the package `arch`, which only this row of the table needs, is missing.
    """
    try:
        from arch import arch_model
    except ImportError:
        raise ValueError("the GARCH rows need a package: pip install arch") from None
    model = arch_model(changes.to_numpy(), mean="Constant", vol="GARCH", p=1, q=1)
    fitted = model.fit(last_obs=first, disp="off")
    mean, omega, alpha, beta = fitted.params
    variance = np.empty(last)
    variance[0] = changes.iloc[:first].var()
    left = changes.to_numpy() - mean
    for day in range(1, last):
        variance[day] = omega + alpha * left[day - 1] ** 2 + beta * variance[day - 1]
    spread = np.sqrt(variance)
    quantiles = np.quantile(left[WARM_UP:first] / spread[WARM_UP:first], BAND)
    return mean + spread[first:, None] * quantiles


class BandNet(nn.Module):
    """Two factors for the size of the days before: the band's low and high end.

    It begins at the quantiles of the training part, which is where its rival ends.
    """

    def __init__(self, start: np.ndarray, units: int = 16):
        super().__init__()
        self.rnn = nn.GRU(2, units, batch_first=True)
        self.head = nn.Linear(units, 2)
        nn.init.zeros_(self.head.weight)
        self.head.bias.data = torch.tensor(start, dtype=torch.float32)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (B, T, 2) -> factors (B, T, 2), one pair per step for the day after it."""
        return self.head(self.rnn(x)[0])


def pinball(came, band):
    """(days,) pinball loss, the mean of both ends; arrays or tensors (.., 1) and (.., 2)."""
    above = came - band
    if isinstance(above, torch.Tensor):
        levels = torch.tensor(BAND, dtype=above.dtype)
        return torch.maximum(levels * above, (levels - 1) * above).mean(-1)
    return np.maximum(BAND * above, (BAND - 1) * above).mean(-1)


def band_network(
    changes: pd.DataFrame, first: int, last: int, seed: int, on_ewma: bool = True
) -> np.ndarray:
    """A `BandNet` that learned from all the stocks before `first`; AAPL's band from then on.

    Without `on_ewma` it has no fading size to multiply, only the stock's spread in training.
    """
    unit = changes.iloc[:first].std()
    scaled = changes / unit
    size = fading_size(scaled)
    if not on_ewma:
        size = size * 0 + 1
    ratio = (scaled / size).to_numpy()
    start = np.quantile(ratio[WARM_UP:first], BAND)
    # Step t brings the change of day t in units of the size before it, and that size.
    second = np.log(size.to_numpy()) if on_ewma else np.abs(ratio)
    inputs = np.stack([ratio, second], -1)  # (days, stocks, 2)
    pairs = [
        (
            inputs[day : day + STEPS, stock],
            ratio[day + 1 : day + STEPS + 1, stock],
            size.to_numpy()[day + 1 : day + STEPS + 1, stock],
        )
        for stock in range(changes.shape[1])
        for day in range(WARM_UP, first - STEPS - 1, STEPS // 4)
    ]
    x, y, weight = (
        torch.tensor(np.array(part), dtype=torch.float32) for part in zip(*pairs, strict=True)
    )
    torch.manual_seed(seed)
    net = BandNet(start)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.003)

    def loss(rows: torch.Tensor) -> torch.Tensor:
        # In percent again, a day counts by its size, as it does in the test.
        return (weight[rows] * pinball(y[rows][..., None], net(x[rows])))[:, WARM_UP:].mean()

    minimize(loss, optimizer, torch.arange(len(x)), 64, BAND_EPOCHS)
    days = np.arange(first, last)
    asked = inputs[days[:, None] + np.arange(-STEPS, 0), changes.columns.get_loc("AAPL")]
    with torch.no_grad():
        factors = net(torch.tensor(asked, dtype=torch.float32))[:, -1].numpy()
    return factors * (size["AAPL"] * unit["AAPL"]).to_numpy()[first:last, None]


@functools.cache
def band_forecast(method: str, seed: int = 0) -> np.ndarray:
    """Low and high (1662, 2) in percent for the days of the three test parts."""
    changes, splits = band_series()
    apple = changes["AAPL"]
    if method.endswith(", mean of three"):
        name = method.removesuffix(", mean of three")
        return np.mean([band_forecast(name, seed) for seed in range(3)], axis=0)
    make = {
        "fixed": lambda a, b: np.tile(np.quantile(apple[:a], BAND), (b - a, 1)),
        "EWMA": lambda a, b: ewma_band(apple, a, b),
        "HAR": lambda a, b: har_band(changes, a, b),
        "quantile regression": lambda a, b: regression_band(changes, a, b),
        "GARCH": lambda a, b: garch_band(apple, a, b),
        "GRU": lambda a, b: band_network(changes, a, b, seed, on_ewma=False),
        "GRU on EWMA": lambda a, b: band_network(changes, a, b, seed),
    }[method]
    return np.concatenate([make(a, b) for a, b in splits])


BAND_RIVAL = "quantile regression"


def band_row(method: str, seed: int) -> dict[str, str]:
    """Pinball loss, its ratio to the rival's, and the share of days inside."""
    changes, splits = band_series()
    first = splits[0][0]
    came, band = changes["AAPL"].to_numpy()[first:], band_forecast(method, seed)
    loss, theirs = (pinball(came[:, None], b) for b in (band, band_forecast(BAND_RIVAL)))
    row = {"pinball": f"{loss.mean():.4f}"}
    row |= ratio_columns(forecasting.loss_ratio(loss, theirs, block=22))
    month = changes["AAPL"].abs().rolling(22).mean().shift(1).to_numpy()[first:]
    inside = (came > band[:, 0]) & (came < band[:, 1])
    calm, stormy = np.quantile(month, [0.25, 0.75])
    days = {"all": month > 0, "calm": month <= calm, "stormy": month >= stormy}
    return row | {f"inside_{name}": f"{inside[which].mean():.4f}" for name, which in days.items()}


BAND_SETTINGS = {
    "stock": "AAPL, daily changes in percent, 2010 to 2020; three test parts of 554 days",
    "band": "low and high of the next day at levels 0.05 and 0.95",
    "pinball": "mean of both ends, in percent",
    "ratio": f"pinball loss over that of {BAND_RIVAL}, the strongest rival",
    BAND_RIVAL: "linear, on HAR's inputs, yesterday's fall and the mean change of five days",
    "interval": "95%, circular block bootstrap, blocks of 22 days",
    "EWMA": f"mean size that fades by {FADE:.0%} per day, times quantiles of the training part",
    "HAR": "a size regressed on those of the 1, 5, 22 days before and the fading one, 20 stocks, "
    "times their quantiles",
    "GARCH": "GARCH(1,1) with a constant mean (arch), times quantiles of its residuals",
    "GRU": f"16 units, 20 stocks, {BAND_EPOCHS} epochs, pinball loss, its own scale",
    "GRU on EWMA": "the same network, whose answers are factors for the fading size",
    "calm, stormy": "a quarter of days each, by the mean size of the 22 days before",
}


def band_plan() -> list[dict]:
    plan = [dict(method=method, seed=0) for method in ("fixed", "EWMA", "GARCH", "HAR")]
    plan.append(dict(method=BAND_RIVAL, seed=0))
    plan += [dict(method="GRU on EWMA", seed=seed) for seed in range(3)]
    return plan + [dict(method=name, seed=0) for name in ("GRU on EWMA, mean of three", "GRU")]


def carbon_plan() -> list[dict]:
    rest = "GRU on what the ten-year mean leaves"
    once = ["ten-year mean", "SARIMA", "seasonal naive", "Holt-Winters", "Holt-Winters, adapts"]
    plan = [dict(method=method, seed=0) for method in once]
    for name in ("GRU", rest):
        plan += [dict(method=name, seed=seed) for seed in range(5)]
        plan.append(dict(method=f"{name}, mean of five", seed=0))
    return plan


# Behind each table: the settings of every row; one row's settings -> its results; what all share.
EXPERIMENTS = {
    "article": (article_plan, article_row, ARTICLE_SETTINGS),
    "order": (order_plan, order_row, ORDER_SETTINGS),
    "ranges": (ranges_plan, ranges_row, RANGES_SETTINGS),
    "carbon": (carbon_plan, carbon_row, CARBON_SETTINGS),
    "bikes": (bikes_plan, bikes_row, BIKES_SETTINGS),
    "volume": (volume_plan, volume_row, VOLUME_SETTINGS),
    "band": (band_plan, band_row, BAND_SETTINGS),
}
CHECKPOINTED = {"article"}  # tables whose rows follow from one another
