"""Seeds, threads and one small training loop.

The loop is the one that notebook 1 writes out by hand, with what a longer training needs besides:
a progress bar, early stopping on validation data, and the best weights kept, also on Ctrl-C.
"""

import operator
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from joblib import cpu_count
from threadpoolctl import threadpool_limits
from torch import nn
from torch.nn.utils.rnn import PackedSequence
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from tqdm import tqdm

Loss = Callable[[nn.Module, object], "torch.Tensor | tuple[torch.Tensor, float]"]


def set_up(seed: int = 0) -> None:
    """Start a notebook: seeds, and one thread for PyTorch and for NumPy's matrix products.

    Small recurrent nets run best on one thread: their matrix products are too small to share, and
    two threads that wait for each other on a busy machine can slow the same loop down many times.
    """
    seed_everything(seed)
    torch.set_num_threads(1)
    threadpool_limits(1, user_api="blas")


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and PyTorch's global generators with one number."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@contextmanager
def threads() -> Iterator[None]:
    """Let PyTorch use every core of this process inside the block, then as many threads as before.

    Wide products (a transformer encoder) gain from every core; small recurrent nets do not. The
    cores are counted by joblib, which also sees a container's CPU quota.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(cpu_count())
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass
class History:
    """What `fit` saw, one entry per epoch that was finished.

    Attributes:
        train_loss: mean training loss over the items, in the units of the loss function.
        valid_loss: mean loss over the items of the validation batches.
        best_epoch: index (from 0) of the epoch whose weights the model has now; None when Ctrl-C
            came before the first finite validation loss.
        stopped: why the training ended: "epochs", "patience" or "interrupted".
    """

    train_loss: list[float] = field(default_factory=list)
    valid_loss: list[float] = field(default_factory=list)
    best_epoch: int | None = None
    stopped: str = "epochs"


def fit(
    model: nn.Module,
    train_batches: Iterable,
    valid_batches: Iterable,
    *,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    epochs: int,
    patience: int | None = None,
    clip_norm: float | None = None,
    scheduler: LRScheduler | None = None,
    progress: bool = True,
) -> History:
    """Train with early stopping on validation data; the model ends with its best weights.

    It trains in this process alone, on whatever device the model and the loss use.

    Args:
        model: changed in place. It is left in evaluation mode.
        train_batches: iterated once per epoch; shuffling is the iterable's own business.
        valid_batches: iterated once per epoch without gradients. Never pass test data here: what
            early stopping has seen cannot judge the model any more.
        loss: ``loss(model, batch)`` gives the mean loss of one batch, a scalar tensor; see
            `mean_loss` for how the batches are averaged.
        optimizer: over parameters of the model.
        epochs: the most passes over the training batches, at least 1.
        patience: stop after this many epochs in a row without a lower validation loss.
        clip_norm: rescale the gradient of the optimizer's parameters to this norm when it is
            longer.
        scheduler: of the optimizer's learning rates. It steps after every epoch;
            `ReduceLROnPlateau` is given the validation loss. For steps after every batch leave it
            out and write ``optimizer.register_step_post_hook(lambda *_: schedule.step())``.
        progress: show a bar, which the environment variable TQDM_DISABLE=1 hides, too.

    Returns:
        History of the losses. Ctrl-C ends the training early, keeps the best weights so far and
        says so.

    Raises:
        ValueError: an argument that cannot work, before the training starts; a loss that is no
            scalar, gives the optimizer's weights no gradient, or leaves the number of items
            unknown; no batches; a validation loss that was never a finite number.
        FloatingPointError: the training loss became NaN or infinite; the best weights so far
            are restored first.
    """
    _check(model, train_batches, valid_batches, optimizer, epochs, patience, clip_norm, scheduler)
    history, lowest, best_weights, waited = History(), float("inf"), None, 0
    bar = tqdm(
        desc="training",
        total=epochs * operator.length_hint(train_batches),  # 0: not known
        unit="batch",
        leave=False,
        **({} if progress else {"disable": True}),  # if given, it would win over TQDM_DISABLE
    )
    try:
        for epoch in range(epochs):
            train_loss = _train_epoch(model, train_batches, loss, optimizer, clip_norm, bar)
            valid_loss = mean_loss(model, valid_batches, loss)
            history.train_loss.append(train_loss)
            history.valid_loss.append(valid_loss)
            if isinstance(scheduler, ReduceLROnPlateau):
                scheduler.step(valid_loss)
            elif scheduler is not None:
                scheduler.step()
            waited += 1
            if valid_loss < lowest:
                best_weights, history.best_epoch = _changing(model), epoch
                lowest, waited = valid_loss, 0
            bar.set_postfix(epoch=epoch + 1, train=train_loss, valid=valid_loss)
            if patience is not None and waited >= patience:
                history.stopped = "patience"
                break
    except KeyboardInterrupt:
        history.stopped = "interrupted"
        kept = "there is no best epoch yet, so the weights are as the last batch left them"
        if history.best_epoch is not None:
            kept = f"kept the best weights so far, of epoch {history.best_epoch + 1}"
        print(f"interrupted after {len(history.valid_loss)} epochs; {kept}")
    finally:
        bar.close()
        if best_weights is not None:
            model.load_state_dict(best_weights, strict=False)  # what is frozen was not kept
        model.eval()
    if best_weights is None and history.stopped != "interrupted":
        raise ValueError(
            f"expected a finite validation loss in at least one epoch, got {history.valid_loss}"
        )
    return history


def _train_epoch(model, batches, loss, optimizer, clip_norm, bar) -> float:
    """One pass over the batches; the mean loss over the items."""
    model.train()
    weights = _weights(optimizer)
    total, count = 0.0, 0
    for number, batch in enumerate(batches, start=1):
        optimizer.zero_grad()
        value, items = _value_and_items(loss, model, batch)
        if not torch.isfinite(value):
            raise FloatingPointError(
                f"the training loss became {value.item()} in batch {number}; "
                "a smaller learning rate or clip_norm may help"
            )
        if value.requires_grad:
            value.backward()
        if all(weight.grad is None for weight in weights):
            raise ValueError(
                "expected a loss that depends on the optimizer's weights, got one that gives them "
                "no gradient (are they frozen, is the loss detached, or that of another model?)"
            )
        if clip_norm is not None:
            nn.utils.clip_grad_norm_(weights, clip_norm)
        optimizer.step()
        total, count = total + items * value.item(), count + items
        bar.update()
    if not count:
        raise ValueError("expected at least one training batch, got none")
    return total / count


@torch.no_grad()
def mean_loss(model: nn.Module, batches: Iterable, loss: Loss) -> float:
    """Mean of ``loss(model, batch)`` over the items, without gradients.

    The model is put into evaluation mode and left there. A batch weighs as much as it has items,
    so that each sentence of a small last batch counts as much as any other. The number of items is
    the length of the tensors or arrays in the batch (the batch itself, or all in a tuple, list or
    dict, which may be nested). Where that is wrong or the lengths differ (time first), or where
    the loss is not a plain mean over the items (one divided by the sum of sample weights), let the
    loss return the pair (mean, number of items or sum of weights).

    Raises:
        ValueError: there is no batch, the loss is not a single number, or the number of items is
            unknown.
    """
    model.eval()
    total, count = 0.0, 0
    for batch in batches:
        value, items = _value_and_items(loss, model, batch)
        total, count = total + items * value.item(), count + items
    if not count:
        raise ValueError("expected at least one validation batch, got none")
    return total / count


def _value_and_items(loss: Loss, model: nn.Module, batch) -> tuple[torch.Tensor, float]:
    """The batch's loss, and how much it weighs in the mean over all batches."""
    value, items = loss(model, batch), None
    if isinstance(value, tuple):
        value, items = value
    if not isinstance(value, torch.Tensor) or value.numel() != 1:
        shape = tuple(getattr(value, "shape", ())) or type(value).__name__
        raise ValueError(f"expected the loss of a batch to be a scalar tensor, got {shape}")
    if items is None:
        lengths = _lengths(batch)
        if len(lengths) != 1:
            raise ValueError(
                "expected a batch of tensors of one length, the number of items, got lengths "
                f"{sorted(lengths)}; or let the loss return the pair (mean, number of items)"
            )
        items = lengths.pop()
    return value, float(items)


def _lengths(batch) -> set[int]:
    """The lengths of all tensors and arrays in the batch."""
    if isinstance(batch, PackedSequence):  # its first tensor has one row per step, not per item
        return {int(batch.batch_sizes[0])}
    if isinstance(batch, Mapping):
        batch = list(batch.values())
    if isinstance(batch, tuple | list):
        return set().union(*map(_lengths, batch))
    return {len(batch)} if getattr(batch, "shape", ()) else set()


def _changing(model: nn.Module) -> dict[str, torch.Tensor]:
    """A copy of what training can change: an encoder's frozen half need not be kept."""
    frozen = {name for name, weight in model.named_parameters() if not weight.requires_grad}
    state = model.state_dict()
    return {name: value.clone() for name, value in state.items() if name not in frozen}


def _weights(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [weight for group in optimizer.param_groups for weight in group["params"]]


def _check(
    model, train_batches, valid_batches, optimizer, epochs, patience, clip_norm, scheduler
) -> None:
    """Refuse what looks right and is not, before anything is trained."""
    own = {id(weight) for weight in model.parameters()}
    foreign = sum(id(weight) not in own for weight in _weights(optimizer))
    planned = getattr(scheduler, "total_steps", epochs)
    plateau = isinstance(scheduler, ReduceLROnPlateau)
    faults = {
        f"epochs of at least 1, got {epochs}": epochs < 1,
        f"patience of at least 1, got {patience}": patience is not None and patience < 1,
        f"clip_norm above 0, got {clip_norm}": clip_norm is not None and not clip_norm > 0,
        f"an optimizer of this model's parameters, got {foreign} that are none of them": foreign,
        "a plain PyTorch optimizer, since fit trains in one process, got Accelerate's": (
            type(optimizer).__module__.startswith("accelerate")
        ),
        "a scheduler of this optimizer, got that of another": (
            scheduler is not None and getattr(scheduler, "optimizer", None) is not optimizer
        ),
        f"a scheduler for {epochs} steps, one per epoch, got one for {planned}; to step after "
        "every batch see the docstring": planned != epochs,
        "a ReduceLROnPlateau of mode 'min', since a loss should fall, got 'max'": (
            plateau and scheduler.mode != "min"
        ),
    }
    for name, batches in {"train_batches": train_batches, "valid_batches": valid_batches}.items():
        text = f"{name} to start anew in every epoch, got a {type(batches).__name__}"
        faults[text] = isinstance(batches, Iterator)
    for expected, wrong in faults.items():
        if wrong:
            raise ValueError(f"expected {expected}")
