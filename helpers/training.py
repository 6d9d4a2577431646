"""Seeds, threads and one small training loop.

The loop is the one that notebook 1 writes out by hand, with what a longer training needs besides:
a progress bar, early stopping on validation data, and the best weights kept, also on Ctrl-C.
"""

import copy
import functools
import os
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

if TYPE_CHECKING:
    from accelerate import Accelerator


def set_up(seed: int = 0, threads: int = 1) -> None:
    """Start a notebook: seeds, thread count, number format and figure style.

    Args:
        seed: seed of Python's, NumPy's and PyTorch's generators.
        threads: torch threads. Small recurrent nets run best on one: their matrix products are
            too small to share, and two threads that wait for each other on a busy machine can
            slow the same loop down many times.
    """
    from helpers import plotting  # here, so that training without figures needs no matplotlib

    seed_everything(seed)
    torch.set_num_threads(threads)
    np.set_printoptions(precision=4, suppress=True)
    torch.set_printoptions(precision=4, sci_mode=False)
    plotting.use_style()


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and PyTorch's global generators with one number."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@contextmanager
def threads(count: int | None = None) -> Iterator[None]:
    """Let PyTorch use this many threads inside the block, then as many as before.

    Args:
        count: at least 1; None takes the cores this process may use. Wide products (a transformer
            encoder) gain from every core; small recurrent nets are best left on one thread.

    Raises:
        ValueError: the count is below 1.
    """
    if count is None:
        count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if count < 1:
        raise ValueError(f"expected at least 1 thread, got {count}")
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def bars_hidden() -> bool:
    """Whether the environment variable TQDM_DISABLE hides progress bars.

    tqdm's bars in a terminal look at it by themselves, its bars in a notebook do not: pass them
    ``disable=bars_hidden()``. It is set where notebooks run to be saved or tested.
    """
    return os.environ.get("TQDM_DISABLE", "0") not in ("", "0")


@dataclass
class History:
    """What `fit` saw, one entry an epoch.

    Attributes:
        train_loss: mean training loss, in the units of the loss function.
        valid_loss: mean loss on the validation batches.
        best_epoch: index (from 0) of the epoch whose weights the model has now; None when no
            epoch was finished.
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
    loss: Callable[[nn.Module, object], torch.Tensor],
    optimizer: torch.optim.Optimizer,
    epochs: int,
    patience: int | None = None,
    clip_norm: float | None = None,
    scheduler: torch.optim.lr_scheduler.LRScheduler | None = None,
    scheduler_steps: str = "epoch",
    accelerator: "Accelerator | None" = None,
    progress: bool = True,
) -> History:
    """Train with early stopping on validation data; the model ends with its best weights.

    Args:
        model: changed in place. It is left in evaluation mode.
        train_batches: iterated once an epoch; shuffling is the iterable's own business.
        valid_batches: iterated once an epoch without gradients. Never pass test data here: what
            early stopping has seen cannot judge the model any more.
        loss: ``loss(model, batch)`` gives the mean loss of one batch, a scalar tensor.
        optimizer: over the model's parameters.
        epochs: the most passes over the training batches, at least 1.
        patience: stop after this many epochs in a row without a lower validation loss.
        clip_norm: rescale the gradient to this norm when it is longer.
        scheduler: of the optimizer's learning rates.
        scheduler_steps: when it steps: after every "epoch" or after every "batch".
        accelerator: Hugging Face's `accelerate.Accelerator`, to train with several processes or
            GPUs: each process calls `fit` with the same arguments, and takes its share of the
            batches. Needs DataLoaders. None trains in this process alone.
        progress: show a bar; `bars_hidden` goes before it.

    Returns:
        History of the losses. Ctrl-C ends the training early, keeps the best weights so far and
        says so.

    Raises:
        ValueError: no epochs, empty batches, or a validation loss that was never a finite number.
        FloatingPointError: the training loss became NaN or infinite; the best weights so far
            are restored first.
    """
    if epochs < 1:
        raise ValueError(f"expected epochs to be at least 1, got {epochs}")
    if patience is not None and patience < 1:
        raise ValueError(f"expected patience to be None or at least 1, got {patience}")
    if scheduler_steps not in ("epoch", "batch"):
        raise ValueError(f'expected scheduler_steps "epoch" or "batch", got {scheduler_steps!r}')
    steps_alone = _Steps(optimizer, clip_norm, scheduler if scheduler_steps == "batch" else None)
    run, steps = model, steps_alone
    if accelerator is not None:
        run, steps, train_batches, valid_batches = steps_alone.shared(
            accelerator, model, train_batches, valid_batches
        )
    history = History()
    lowest, best_weights = float("inf"), None
    hidden = not progress or bars_hidden() or not steps.leads
    batch_bar = functools.partial(tqdm, unit="batch", disable=hidden, leave=False)
    bar = tqdm(range(epochs), desc="training", unit="epoch", disable=hidden, leave=False)
    try:
        for epoch in bar:
            history.train_loss.append(_train_epoch(run, batch_bar(train_batches), loss, steps))
            history.valid_loss.append(steps.mean(mean_loss(run, valid_batches, loss)))
            if scheduler is not None and scheduler_steps == "epoch":
                scheduler.step()
            if history.valid_loss[-1] < lowest:
                lowest, history.best_epoch = history.valid_loss[-1], epoch
                best_weights = _kept(model, best_weights)
            bar.set_postfix(train=history.train_loss[-1], valid=history.valid_loss[-1])
            if patience is not None and epoch - (history.best_epoch or 0) >= patience:
                history.stopped = "patience"
                break
    except KeyboardInterrupt:
        history.stopped = "interrupted"
        kept = "no epoch was finished: the weights are as the last batch left them"
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


def _kept(model: nn.Module, before: dict | None) -> dict:
    """A copy of everything in the model that training can change, in the memory of the last one."""
    frozen = {name for name, weight in model.named_parameters() if not weight.requires_grad}
    changing = {name: value for name, value in model.state_dict().items() if name not in frozen}
    if before is None:
        return copy.deepcopy(changing)
    for name, value in changing.items():
        before[name].copy_(value)
    return before


class _Steps:
    """How one batch's loss changes the weights: in this process alone, or shared with others."""

    def __init__(self, optimizer, clip_norm, scheduler):
        self.optimizer, self.clip_norm, self.scheduler = optimizer, clip_norm, scheduler
        self.accelerator = None

    @property
    def leads(self) -> bool:
        """Whether this process is the one that shows what happens."""
        return self.accelerator is None or self.accelerator.is_main_process

    def shared(self, accelerator, model, train_batches, valid_batches):
        """The same steps, shared by the accelerator's processes, and what it makes of the rest."""
        run, optimizer, train_batches, valid_batches = accelerator.prepare(
            model, self.optimizer, train_batches, valid_batches
        )
        steps = _Steps(optimizer, self.clip_norm, self.scheduler)
        steps.accelerator = accelerator
        return run, steps, train_batches, valid_batches

    def mean(self, value: float) -> float:
        """The mean of the processes' values, the same in every process."""
        if self.accelerator is None:
            return value
        here = torch.tensor(value, device=self.accelerator.device)
        return float(self.accelerator.reduce(here, reduction="mean"))

    def step(self, model, value: torch.Tensor) -> None:
        if self.accelerator is None:
            value.backward()
        else:
            self.accelerator.backward(value)
        if self.clip_norm is not None:
            nn.utils.clip_grad_norm_(model.parameters(), self.clip_norm)
        self.optimizer.step()
        if self.scheduler is not None:
            self.scheduler.step()


def _train_epoch(model, batches, loss, steps: _Steps) -> float:
    model.train()
    total, count = 0.0, 0
    for batch in batches:
        steps.optimizer.zero_grad()
        value = loss(model, batch)
        if not torch.isfinite(value):
            raise FloatingPointError(
                f"the training loss became {value.item()} in batch {count + 1}; "
                "a smaller learning rate or clip_norm may help"
            )
        steps.step(model, value)
        total, count = total + value.item(), count + 1
    if count == 0:
        raise ValueError("expected at least one training batch, got none")
    return steps.mean(total / count)


@torch.no_grad()
def mean_loss(model: nn.Module, batches: Iterable, loss: Callable) -> float:
    """Mean of ``loss(model, batch)`` over the batches, in evaluation mode, without gradients.

    Raises:
        ValueError: there is no batch.
    """
    model.eval()
    values = [loss(model, batch).item() for batch in batches]
    if not values:
        raise ValueError("expected at least one validation batch, got none")
    return float(np.mean(values))
