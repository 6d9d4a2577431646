"""helpers.training: the loop learns, stops, keeps the best weights, survives Ctrl-C."""

import math
import random
import re
from collections import UserDict

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits
from torch import nn
from torch.nn.utils.rnn import pack_sequence
from torch.optim import lr_scheduler

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


def of_accelerate(optimizer):
    """An optimizer as Accelerate wraps it, without the package."""
    kind = type("AcceleratedOptimizer", (torch.optim.SGD,), {"__module__": "accelerate.optimizer"})
    return kind(optimizer.param_groups, lr=0.1)


def fit(model, batches, optimizer, **options):
    """`training.fit` on the same batches for training and validation, with the squared loss."""
    options = {"loss": squared, "optimizer": optimizer, "epochs": 1} | options
    return training.fit(model, batches, batches, **options)


def test_learns():
    model, batches, optimizer = make()
    history = fit(model, batches, optimizer, epochs=30)
    assert history.valid_loss[-1] < 0.01 * history.valid_loss[0]
    assert history.stopped == "epochs"
    assert len(history.train_loss) == len(history.valid_loss) == 30
    assert not model.training


class Scripted:
    """Validation batches that make the loss follow a script.

    One value per epoch; a list of pairs (loss, number of items) stands for several batches.
    """

    def __init__(self, values):
        self.values = iter(values)

    def __iter__(self):
        value = next(self.values)
        yield from value if isinstance(value, list) else [(value, 1)]


def scripted(loss):
    """The loss, in validation that of the script."""
    return lambda m, b: loss(m, b) if m.training else (torch.tensor(b[0]), b[1])


def scripted_fit(values, **options):
    """Train a single weight that grows by one per epoch; the validation loss is scripted."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    loss = scripted(lambda model, batch: -model.weight.sum())
    history = training.fit(
        model, [torch.zeros(1)], Scripted(values), loss=loss, optimizer=optimizer, **options
    )
    return model.weight.item(), history


@pytest.mark.parametrize(
    "values, patience, epochs, best",  # the best epoch from 1, as the weight counts
    [
        ([3.0, 1.0, 2.0, 5.0], None, 4, 2),
        ([3.0, 1.0, 2.0, 5.0, 0.0, 0.0], 2, 4, 2),
        ([3.0, 1.0, 1.0, 0.0], 1, 3, 2),  # equal is not lower
        ([math.nan, math.nan, 1.0, 2.0, 3.0, 0.0], 3, 6, 6),
    ],
)
def test_patience_and_the_best_weights(values, patience, epochs, best):
    weight, history = scripted_fit(values, epochs=len(values), patience=patience)
    assert (len(history.valid_loss), history.best_epoch + 1, weight) == (epochs, best, best)
    assert history.stopped == ("epochs" if epochs == len(values) else "patience")


@pytest.mark.parametrize("patience", [1, None])
def test_validation_loss_never_finite(patience):
    with pytest.raises(ValueError, match=r"finite validation loss .* got \[nan"):
        scripted_fit([math.nan, math.inf], epochs=2, patience=patience)


def test_what_is_frozen_is_not_kept():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    model[0].weight.requires_grad_(False)
    kept = training._changing(model)
    nn.init.ones_(model[0].bias)
    assert set(kept) == set(model.state_dict()) - {"0.weight"}  # buffers change, too
    assert not torch.equal(kept["0.bias"], model[0].bias)


def test_interrupt_keeps_the_best_and_says_so(capsys):
    def values(*before):
        yield from before
        raise KeyboardInterrupt

    weight, history = scripted_fit(values(3.0, 1.0, 2.0), epochs=9)
    assert (history.stopped, weight) == ("interrupted", 2.0)
    assert len(history.train_loss) == len(history.valid_loss) == 3
    assert "after 3 epochs; kept the best weights so far, of epoch 2" in capsys.readouterr().out
    for before in ([], [math.nan]):
        weight, history = scripted_fit(values(*before), epochs=9)
        assert (history.stopped, history.best_epoch) == ("interrupted", None)
        assert weight == len(before) + 1
        assert f"after {len(before)} epochs; there is no best epoch" in capsys.readouterr().out


def test_nan_training_loss_restores_the_best_weights():
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)

    def loss(model, batch):  # the weight grows by one per batch, up to 3
        return -model.weight.sum() * (math.nan if model.weight > 2.5 else 1.0)

    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    batches, valid = [torch.zeros(1)] * 2, Scripted([5.0, 6.0])
    with pytest.raises(FloatingPointError, match="nan in batch 2; a smaller learning rate"):
        training.fit(model, batches, valid, loss=scripted(loss), optimizer=optimizer, epochs=2)
    assert model.weight == 2.0 and not model.training


# --- Means over items ---------------------------------------------------------------------------


def test_early_stopping_weighs_items_not_batches():
    epochs = [[(1.0, 64), (1.0, 1)], [(0.5, 64), (1.8, 1)]]
    _, history = scripted_fit(epochs, epochs=2)
    assert history.best_epoch == 1
    assert history.valid_loss[1] == pytest.approx((64 * 0.5 + 1.8) / 65)


def test_training_loss_is_the_mean_over_the_items():
    model, batches, optimizer = make(lr=0.0)
    x, y = (torch.cat(parts) for parts in zip(*batches, strict=True))
    ragged = [(x[:63], y[:63]), (x[63:], y[63:])]
    history = fit(model, ragged, optimizer)
    whole = squared(model, (x, y)).item()
    assert history.train_loss == pytest.approx([whole])
    assert history.valid_loss == pytest.approx([whole])


X = torch.zeros(5, 2)


@pytest.mark.parametrize(
    "batch",
    [
        X,
        (X, torch.zeros(5)),
        UserDict({"ids": X, "mask": X}),  # as a tokenizer's answer is
        [[X], 0.5],
        (["five", "texts"], X.numpy()),
        (torch.tensor(0.1), X),  # a single number has no length
        pack_sequence([torch.zeros(n, 2) for n in (4, 3, 2, 2, 1)]),  # first tensor: 12 steps
    ],
)
def test_batch_size_is_the_length_of_the_tensors(batch):
    batches = [batch, X[:1]]
    losses = iter([1.0, 7.0])
    found = training.mean_loss(nn.Identity(), batches, lambda model, _: torch.tensor(next(losses)))
    assert found == (5 * 1.0 + 7.0) / 6


def test_a_loss_may_say_how_many_items():
    model = nn.Identity()
    time_first = [torch.full((9, 4), 1.0), torch.full((9, 1), 6.0)]  # (T, B)
    assert training.mean_loss(model, time_first, lambda _, x: (x.mean(), x.shape[1])) == 2.0
    weights = [torch.tensor([3.0, 0.0]), torch.tensor([1.0])]
    found = training.mean_loss(
        model, weights, lambda _, w: ((w * torch.arange(len(w))).sum() / w.sum() + 1, w.sum())
    )
    assert found == 1.0


@pytest.mark.parametrize(
    "batch, lengths",
    [(None, "[]"), ((torch.zeros(9, 5), torch.zeros(5)), "[5, 9]"), ([X, X[:3]], "[3, 5]")],
)
def test_an_unknown_number_of_items_is_refused(batch, lengths):
    with pytest.raises(ValueError, match=f"got lengths {re.escape(lengths)}; or let the loss"):
        training.mean_loss(nn.Identity(), [batch], lambda *_: torch.tensor(1.0))


# --- What looks right and is not ----------------------------------------------------------------


def test_clipping_bounds_the_step_of_what_the_optimizer_moves():
    model, batches, _ = make()
    model.other = nn.Parameter(torch.ones(1))  # nobody moves it
    moved = [model.weight, model.bias]
    before = torch.cat([p.detach().flatten() for p in moved])
    fit(
        model,
        batches[:1],
        torch.optim.SGD(moved, lr=1.0),
        loss=lambda m, b: squared(m, b) + 1000 * m.other.sum(),
        clip_norm=1e-3,
    )
    after = torch.cat([p.detach().flatten() for p in moved])
    assert (after - before).norm() == pytest.approx(1e-3, rel=1e-3)


def test_scheduler_is_stepped_once_per_epoch():
    model, batches, optimizer = make(lr=0.1)
    scheduler = lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    fit(model, batches, optimizer, epochs=3, scheduler=scheduler)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * 0.5**3)


def test_a_hook_steps_the_scheduler_once_per_batch(recwarn):
    model, batches, optimizer = make(lr=1.0)
    scheduler = lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    optimizer.register_step_post_hook(lambda *_: scheduler.step())
    fit(model, batches, optimizer, epochs=2)
    assert optimizer.param_groups[0]["lr"] == 0.5 ** (2 * len(batches))
    assert not recwarn


def test_plateau_scheduler_is_given_the_validation_loss():
    model, batches, optimizer = make(lr=1.0)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=0)
    options = {"loss": scripted(squared), "optimizer": optimizer, "scheduler": scheduler}
    training.fit(model, batches, Scripted([2.0, 1.0, 3.0, 0.5]), epochs=4, **options)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1)  # once, after the third epoch


def one_cycle(optimizer, steps):
    return lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=steps)


@pytest.mark.parametrize(
    "change, match",
    [
        (lambda o, b: {"epochs": 0}, "epochs of at least 1, got 0"),
        (lambda o, b: {"patience": 0}, "patience of at least 1, got 0"),
        (lambda o, b: {"clip_norm": 0}, "clip_norm above 0, got 0"),
        (lambda o, b: {"clip_norm": math.nan}, "clip_norm above 0, got nan"),
        (lambda o, b: {"optimizer": make()[2]}, "of this model's parameters, got 2"),
        (lambda o, b: {"optimizer": of_accelerate(o)}, "got Accelerate's"),
        (lambda o, b: {"scheduler": lr_scheduler.StepLR(make()[2], 1)}, "of this optimizer"),
        (lambda o, b: {"scheduler": lr_scheduler.StepLR}, "of this optimizer"),
        (lambda o, b: {"scheduler": one_cycle(o, 40)}, "1 steps, one per epoch, got one for 40"),
        (
            lambda o, b: {"scheduler": lr_scheduler.ReduceLROnPlateau(o, "max")},
            "mode 'min', since a loss should fall",
        ),
        (lambda o, b: {"train_batches": iter(b)}, "train_batches to start anew in every epoch"),
        (lambda o, b: {"valid_batches": (x for x in b)}, "every epoch, got a generator"),
    ],
)
def test_refused_before_the_training(change, match):
    model, batches, optimizer = make()
    arguments = {"train_batches": batches, "valid_batches": batches, "optimizer": optimizer}
    arguments |= {"loss": squared, "epochs": 1} | change(optimizer, batches)
    before = model.weight.clone()
    with pytest.raises(ValueError, match=f"^expected .*{match}"):
        training.fit(model, **arguments)
    assert torch.equal(model.weight, before) and model.training


def test_a_one_cycle_schedule_of_one_step_per_epoch_is_taken():
    model, batches, optimizer = make()
    fit(model, batches, optimizer, epochs=3, scheduler=one_cycle(optimizer, 3))


@pytest.mark.parametrize(
    "loss, match",
    [
        (lambda m, b: squared(m, b).detach(), "no gradient"),
        (lambda m, b: squared(make()[0], b), "or that of another model"),
        (lambda m, b: (m(b[0]) - b[1]) ** 2, r"a scalar tensor, got \(16, 1\)"),
        (lambda m, b: squared(m, b).item(), "a scalar tensor, got float"),
    ],
)
def test_a_loss_that_cannot_teach_is_refused_at_the_first_batch(loss, match):
    model, batches, optimizer = make()
    before = model.weight.clone()
    with pytest.raises(ValueError, match=match):
        fit(model, batches, optimizer, loss=loss)
    assert torch.equal(model.weight, before)


def test_no_batches():
    model, batches, optimizer = make()
    for train, valid, name in (([], batches, "training"), (batches, [], "validation")):
        with pytest.raises(ValueError, match=f"at least one {name} batch"):
            training.fit(model, train, valid, loss=squared, optimizer=optimizer, epochs=1)


def test_validation_tracks_no_gradient():
    model, batches, _ = make()

    def loss(model, batch):
        value = squared(model, batch)
        assert not value.requires_grad and not model.training
        return value

    training.mean_loss(model, batches, loss)


# --- Seeds, threads, the bar --------------------------------------------------------------------


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_set_up_seeds_and_sets_the_threads(two_threads):
    threadpool_limits(2, user_api="blas")
    draws = []
    for _ in range(2):
        training.set_up(seed=7)
        draws.append((torch.rand(1).item(), np.random.rand(), random.random()))
    assert draws[0] == draws[1]
    assert torch.get_num_threads() == 1
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert {pool["num_threads"] for pool in pools} == {1}


def test_threads_inside_a_block_are_as_many_as_joblib_counts(two_threads, monkeypatch):
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")  # heeded where a container's quota is
    with pytest.raises(KeyError), training.threads():
        assert torch.get_num_threads() == 1
        raise KeyError
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("progress, disabled, shown", [(1, "", 1), (0, "", 0), (1, "1", 0)])
def test_bar_can_be_hidden(progress, disabled, shown, capsys, monkeypatch):
    # tqdm reads its variables when it is imported, so what the variable does is set here by hand.
    real = training.tqdm
    monkeypatch.setattr(
        training, "tqdm", lambda **options: real(**({"disable": bool(disabled)} | options))
    )
    fit(*make(), progress=bool(progress))
    assert ("training" in capsys.readouterr().err) == bool(shown)
