"""helpers.training: the loop learns, stops, keeps the best weights, survives Ctrl-C."""

import math
import re

import numpy as np
import pytest
import torch
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


def scripted_fit(values, **options):
    """Train a single weight that grows by one per epoch; the validation loss is scripted."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)

    def loss(model, batch):
        return (-model.weight.sum(), 1) if batch is None else (torch.tensor(batch[0]), batch[1])

    options = {"optimizer": optimizer} | options
    history = training.fit(model, [None], Scripted(values), loss=loss, **options)
    return model.weight.item(), history


def test_best_weights_are_kept():
    weight, history = scripted_fit([3.0, 1.0, 2.0, 5.0], epochs=4)
    assert history.best_epoch == 1
    assert weight == 2.0  # the weight after the second epoch, not the last


def test_what_is_frozen_is_not_copied():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    model[0].weight.requires_grad_(False)
    kept = {}
    training._keep(model, kept)
    assert set(kept) == set(model.state_dict()) - {"0.weight"}  # buffers change, too
    places = {name: value.data_ptr() for name, value in kept.items()}
    nn.init.ones_(model[0].bias)
    training._keep(model, kept)
    assert places == {name: value.data_ptr() for name, value in kept.items()}
    assert kept["0.bias"].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "values, patience, epochs, weight",
    [
        ([3.0, 1.0, 2.0, 5.0, 0.0, 0.0], 2, 4, 2.0),
        ([3.0, 1.0, 1.0, 0.0], 1, 3, 2.0),  # equal is not lower
        ([math.nan, math.nan, 1.0, 2.0, 3.0, 0.0], 3, 6, 6.0),
        ([math.nan, 1.0, 2.0, 0.0], 1, 1, None),
    ],
)
def test_patience_counts_epochs_without_a_lower_loss(values, patience, epochs, weight):
    if weight is None:
        with pytest.raises(ValueError, match=r"finite validation loss .* got \[nan\]"):
            scripted_fit(values, epochs=len(values), patience=patience)
        return
    found, history = scripted_fit(values, epochs=len(values), patience=patience)
    assert (len(history.valid_loss), found) == (epochs, weight)
    assert history.stopped == ("epochs" if epochs == len(values) else "patience")


def test_interrupt_keeps_the_best_and_says_so(capsys):
    def values():
        yield 3.0
        yield 1.0
        yield 2.0
        raise KeyboardInterrupt

    weight, history = scripted_fit(values(), epochs=9)
    assert (history.stopped, weight) == ("interrupted", 2.0)
    assert len(history.train_loss) == len(history.valid_loss) == 3
    assert "kept the best weights so far, of epoch 2" in capsys.readouterr().out


def test_interrupt_before_the_first_epoch_ends(capsys):
    def loss(model, batch):
        raise KeyboardInterrupt

    model, batches, optimizer = make()
    history = fit(model, batches, optimizer, loss=loss)
    assert history == training.History(stopped="interrupted")
    assert not model.training
    assert "no epoch was finished" in capsys.readouterr().out


def test_nan_training_loss_restores_the_best_weights():
    model, batches, optimizer = make()
    calls = iter(range(100))

    def loss(model, batch):
        value = squared(model, batch)
        return value * (math.nan if model.training and next(calls) >= 4 else 1.0)

    with pytest.raises(FloatingPointError, match="smaller learning rate"):
        fit(model, batches, optimizer, loss=loss, epochs=5)
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_validation_loss_never_finite():
    with pytest.raises(ValueError, match="finite validation loss"):
        scripted_fit([math.nan, math.nan], epochs=2)


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
        {"ids": X, "mask": X},
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


def test_clipping_bounds_the_step():
    model, batches, optimizer = make(lr=1.0)
    before = torch.cat([p.detach().flatten() for p in model.parameters()])
    fit(model, batches[:1], optimizer, clip_norm=1e-3)
    after = torch.cat([p.detach().flatten() for p in model.parameters()])
    assert (after - before).norm() == pytest.approx(1e-3, rel=1e-3)


def test_clipping_counts_only_what_the_optimizer_moves():
    norms = []
    for scale in (1.0, 1000.0):  # of a weight that nobody moves, and whose gradient piles up
        model, batches, _ = make()
        model.other = nn.Parameter(torch.ones(1))
        optimizer = torch.optim.SGD([model.weight, model.bias], lr=0.1)

        def loss(model, batch, scale=scale):
            return squared(model, batch) + scale * model.other.sum()

        fit(model, batches, optimizer, loss=loss, clip_norm=0.1)
        norms.append(model.weight.detach().norm().item())
    assert norms[0] == norms[1]


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
    model = nn.Linear(1, 1, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=0)
    training.fit(
        model,
        [None],
        Scripted([2.0, 1.0, 3.0, 0.5]),
        loss=lambda m, b: (m.weight.sum(), 1) if b is None else (torch.tensor(b[0]), 1),
        optimizer=optimizer,
        epochs=4,
        scheduler=scheduler,
    )
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1)  # once, after the third epoch


def one_cycle(optimizer, steps):
    return lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=steps)


@pytest.mark.parametrize(
    "change, match",
    [
        (lambda o, b: {"epochs": 0}, "epochs to be a whole number of at least 1, got 0"),
        (lambda o, b: {"epochs": 2.0}, "epochs to be a whole number of at least 1, got 2.0"),
        (lambda o, b: {"patience": 0}, "patience to be a whole number of at least 1, got 0"),
        (lambda o, b: {"patience": True}, "patience to be a whole number"),
        (lambda o, b: {"clip_norm": 0}, "clip_norm to be None or above 0, got 0"),
        (lambda o, b: {"clip_norm": math.nan}, "clip_norm to be None or above 0, got nan"),
        (lambda o, b: {"optimizer": make()[2]}, "of this model's parameters, got 2"),
        (
            lambda o, b: {"optimizer": torch.optim.LBFGS(o.param_groups[0]["params"])},
            "steps after each backward pass, got LBFGS",
        ),
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


def test_several_processes_are_refused(monkeypatch):
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    with pytest.raises(ValueError, match="expected one process, got several"):
        fit(*make())


def test_a_one_cycle_schedule_of_one_step_per_epoch_is_taken():
    model, batches, optimizer = make()
    fit(
        model, batches, optimizer, epochs=3, scheduler=one_cycle(optimizer, 3), patience=np.int64(9)
    )


other = nn.Linear(3, 1)


@pytest.mark.parametrize(
    "loss, match",
    [
        (lambda m, b: squared(m, b).detach(), "no gradient"),
        (lambda m, b: squared(other, b), "or that of another model"),
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


def test_a_frozen_model_is_refused():
    model, batches, optimizer = make()
    model.requires_grad_(False)
    with pytest.raises(ValueError, match="no gradient"):
        fit(model, batches, optimizer)


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

    fit(model, batches, optimizer, loss=loss)
    assert tracked and not any(tracked)


# --- Seeds, threads, the bar --------------------------------------------------------------------


def test_seeds_repeat():
    draws = []
    for _ in range(2):
        training.seed_everything(7)
        draws.append((torch.rand(3).tolist(), np.random.rand(3).tolist()))
    assert draws[0] == draws[1]


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_set_up_seeds_and_sets_the_threads(two_threads):
    training.set_up(seed=3)
    first = torch.rand(1)
    assert torch.get_num_threads() == 1
    training.set_up(seed=3)
    assert torch.rand(1) == first


def test_threads_inside_a_block(two_threads, monkeypatch):
    monkeypatch.setattr(training, "_cores", lambda: 3)
    with pytest.raises(KeyError), training.threads():
        assert torch.get_num_threads() == 3
        raise KeyError
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(
    "cgroup, files, cores",
    [
        (None, {}, 8),  # macOS, Windows
        ("0::/", {"cpu.max": "max 100000"}, 8),
        ("0::/", {"cpu.max": "150000 100000"}, 2),  # a container; a part of a core counts
        ("0::/", {"cpu.max": "50000 100000"}, 1),
        ("0::/user/7/me", {"user/7/cpu.max": "300000 100000", "user/cpu.max": "max 100000"}, 3),
        ("0::/", {"cpu.max": "1600000 100000"}, 8),
        ("0::/a/b", {"a/cpu.max": "400000 100000", "a/b/cpu.max": "600000 100000"}, 4),
        ("0::/a/b", {"a/cpu.max": "600000 100000", "a/b/cpu.max": "400000 100000"}, 4),
        ("0::/a/b", {"other/cpu.max": "100000 100000"}, 8),
        (
            "4:cpuset:/\n3:cpu,cpuacct:/docker/1\n0::/",
            {"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000"},
            2,
        ),
        (
            "3:cpu:/a",
            {"cpu/a/cpu.cfs_quota_us": "-1", "cpu/a/cpu.cfs_period_us": "100000"},
            8,
        ),
    ],
)
def test_cores_within_affinity_and_quota(cgroup, files, cores, tmp_path, monkeypatch):
    monkeypatch.setattr(training.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    if cgroup is not None:
        files = {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
        for name, text in {"proc/self/cgroup": cgroup, **files}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text + "\n")
    assert training._cores(tmp_path) == cores


@pytest.mark.parametrize("progress, disabled, shown", [(1, "", 1), (0, "", 0), (1, "1", 0)])
def test_bar_can_be_hidden(progress, disabled, shown, capsys, monkeypatch):
    # tqdm reads its variables when it is imported, so what the variable does is set here by hand.
    real = training.tqdm
    monkeypatch.setattr(
        training, "tqdm", lambda **options: real(**({"disable": bool(disabled)} | options))
    )
    fit(*make(), progress=bool(progress))
    assert ("training" in capsys.readouterr().err) == bool(shown)
