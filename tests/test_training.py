"""helpers.training: the loop learns, stops, keeps the best weights, survives Ctrl-C."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from helpers import training


def make(lr=0.1):
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    x = torch.randn(64, 3)
    y = x @ torch.tensor([[1.0], [-2.0], [0.5]])
    batches = [(x[i : i + 16], y[i : i + 16]) for i in range(0, 64, 16)]
    return model, batches, torch.optim.SGD(model.parameters(), lr=lr)


def squared(model, batch):
    x, y = batch
    return ((model(x) - y) ** 2).mean()


def test_learns():
    model, batches, optimizer = make()
    history = fit(model, batches, optimizer, epochs=30)
    assert history.valid_loss[-1] < 0.01 * history.valid_loss[0]
    assert history.stopped == "epochs"
    assert len(history.train_loss) == len(history.valid_loss) == 30
    assert not model.training


def fit(model, batches, optimizer, **options):
    """`training.fit` on the same batches for training and validation, with the squared loss."""
    return training.fit(model, batches, batches, loss=squared, optimizer=optimizer, **options)


class Scripted:
    """Validation batches that make the loss follow a script, one value an epoch."""

    def __init__(self, values):
        self.values = iter(values)

    def __iter__(self):
        yield torch.tensor(next(self.values))


def scripted_fit(values, **options):
    """Train a single weight that grows by one an epoch; the validation loss is scripted."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)

    def loss(model, batch):
        return -model.weight.sum() if batch is None else batch

    history = training.fit(
        model, [None], Scripted(values), loss=loss, optimizer=optimizer, **options
    )
    return model.weight.item(), history


def test_best_weights_are_kept():
    weight, history = scripted_fit([3.0, 1.0, 2.0, 5.0], epochs=4)
    assert history.best_epoch == 1
    assert weight == 2.0  # the weight after the second epoch, not the last


def test_patience_counts_epochs_without_a_better_loss():
    weight, history = scripted_fit([3.0, 1.0, 2.0, 5.0, 0.0, 0.0], epochs=6, patience=2)
    assert (history.stopped, len(history.valid_loss), weight) == ("patience", 4, 2.0)


def test_interrupt_keeps_the_best_and_says_so(capsys):
    def values():
        yield 3.0
        yield 1.0
        yield 2.0
        raise KeyboardInterrupt

    weight, history = scripted_fit(values(), epochs=9)
    assert (history.stopped, weight) == ("interrupted", 2.0)
    assert "kept the best weights so far, of epoch 2" in capsys.readouterr().out


def test_interrupt_before_the_first_epoch_ends(capsys):
    def values():
        raise KeyboardInterrupt
        yield

    _, history = scripted_fit(values(), epochs=3)
    assert history.best_epoch is None
    assert "no epoch was finished" in capsys.readouterr().out


def test_nan_training_loss_restores_the_best_weights():
    model, batches, optimizer = make()
    calls = iter(range(100))

    def loss(model, batch):
        value = squared(model, batch)
        return value * (math.nan if model.training and next(calls) >= 4 else 1.0)

    with pytest.raises(FloatingPointError, match="smaller learning rate"):
        training.fit(model, batches, batches, loss=loss, optimizer=optimizer, epochs=5)
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_validation_loss_never_finite():
    with pytest.raises(ValueError, match="finite validation loss"):
        scripted_fit([math.nan, math.nan], epochs=2)


def test_clipping_bounds_the_step():
    model, batches, optimizer = make(lr=1.0)
    before = torch.cat([p.detach().flatten() for p in model.parameters()])
    training.fit(
        model, batches[:1], batches, loss=squared, optimizer=optimizer, epochs=1, clip_norm=1e-3
    )
    after = torch.cat([p.detach().flatten() for p in model.parameters()])
    assert (after - before).norm() <= 1.001e-3


def test_scheduler_is_stepped_once_an_epoch():
    model, batches, optimizer = make(lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    fit(model, batches, optimizer, epochs=3, scheduler=scheduler)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * 0.5**3)


def test_scheduler_can_be_stepped_once_a_batch():
    model, batches, optimizer = make(lr=1.0)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    fit(model, batches, optimizer, epochs=2, scheduler=scheduler, scheduler_steps="batch")
    assert optimizer.param_groups[0]["lr"] == 0.5 ** (2 * len(batches))
    with pytest.raises(ValueError, match="scheduler_steps"):
        fit(model, batches, optimizer, epochs=2, scheduler=scheduler, scheduler_steps="step")


@pytest.mark.parametrize("epochs, patience", [(0, None), (3, 0)])
def test_bad_numbers(epochs, patience):
    model, batches, optimizer = make()
    with pytest.raises(ValueError, match="expected"):
        fit(model, batches, optimizer, epochs=epochs, patience=patience)


def test_no_batches():
    model, batches, optimizer = make()
    for train, valid, name in (([], batches, "training"), (batches, [], "validation")):
        with pytest.raises(ValueError, match=f"at least one {name} batch"):
            training.fit(model, train, valid, loss=squared, optimizer=optimizer, epochs=1)


def test_validation_tracks_no_gradient():
    model, batches, optimizer = make()
    tracked = []

    def loss(model, batch):
        value = squared(model, batch)
        if not model.training:
            tracked.append(value.requires_grad)
        return value

    training.fit(model, batches, batches, loss=loss, optimizer=optimizer, epochs=1)
    assert tracked and not any(tracked)


def test_seeds_repeat():
    draws = []
    for _ in range(2):
        training.seed_everything(7)
        draws.append((torch.rand(3).tolist(), np.random.rand(3).tolist()))
    assert draws[0] == draws[1]


def test_set_up_threads():
    threads = torch.get_num_threads()
    try:
        training.set_up(seed=1, threads=1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(threads)


def test_threads_inside_a_block(monkeypatch):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        with training.threads(2):
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 1
        with pytest.raises(KeyError), training.threads(3):
            raise KeyError
        assert torch.get_num_threads() == 1
        monkeypatch.setattr(training.os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
        with training.threads():
            assert torch.get_num_threads() == 2
        with pytest.raises(ValueError, match="at least 1 thread, got 0"), training.threads(0):
            pass
    finally:
        torch.set_num_threads(before)


def test_bar_is_shown_and_can_be_hidden(capsys, monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    for progress in (True, False):
        model, batches, optimizer = make()
        fit(model, batches, optimizer, epochs=2, progress=progress)
        assert ("training" in capsys.readouterr().err) == progress


@pytest.mark.parametrize("value, hidden", [(None, False), ("", False), ("0", False), ("1", True)])
def test_bars_can_be_hidden_from_outside(value, hidden, monkeypatch, capsys):
    if value is None:
        monkeypatch.delenv("TQDM_DISABLE", raising=False)
    else:
        monkeypatch.setenv("TQDM_DISABLE", value)
    assert training.bars_hidden() == hidden
    # tqdm's notebook bar looks at its own argument only, so that is what must be set.
    seen = []
    real = training.tqdm
    monkeypatch.setattr(
        training, "tqdm", lambda *a, **k: seen.append(k["disable"]) or real(*a, **k)
    )
    model, batches, optimizer = make()
    fit(model, batches, optimizer, epochs=1)
    assert seen == [hidden, hidden]  # one over the epochs, one over the batches
