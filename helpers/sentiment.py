"""A BERT-like encoder with an LSTM on top that reads the feeling of a sentence.

Built step by step in notebook 4, which imports it from here once it is built. Shapes: B sentences
in a batch, T word pieces in the longest of them, D the encoder's width, H the LSTM's units.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils.data import DataLoader, Dataset, Sampler
from tqdm.auto import tqdm
from transformers import (
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from helpers import training

POOLINGS = ("last step", "last real step", "mean", "max")
LONGEST = 128  # word pieces; what is longer is cut, as the encoder was trained
FORMAT = 1  # of a saved classifier


# --- Pooling ------------------------------------------------------------------------------------


def pool(states: torch.Tensor, mask: torch.Tensor, how: str) -> torch.Tensor:
    """One vector a sentence out of one vector a step, blind to padding (but for "last step").

    Args:
        states: (B, T, H) outputs of a recurrent net on right-padded sentences.
        mask: (B, T) 1 on real steps, 0 on padding; every row has at least one 1.
        how: "last step" (of the batch, be it padding: the trap), "last real step", "mean" or
            "max".

    Returns:
        (B, H)

    Raises:
        ValueError: an unknown way of pooling, shapes that do not fit, or a row without a real step.
    """
    if how not in POOLINGS:
        raise ValueError(f"expected pooling to be one of {POOLINGS}, got {how!r}")
    if states.ndim != 3 or mask.shape != states.shape[:2]:
        raise ValueError(
            "expected states (B, T, H) and a mask (B, T), "
            f"got {tuple(states.shape)} and {tuple(mask.shape)}"
        )
    lengths = mask.sum(dim=1)  # (B,)
    if (lengths == 0).any():
        raise ValueError("expected at least one real step in every row of the mask")
    if how == "last step":
        return states[:, -1]
    if how == "last real step":
        return states[torch.arange(len(states), device=states.device), lengths - 1]
    real = mask.unsqueeze(-1).bool()  # (B, T, 1)
    if how == "mean":
        return states.masked_fill(~real, 0.0).sum(dim=1) / lengths.unsqueeze(-1)
    return states.masked_fill(~real, float("-inf")).amax(dim=1)


# --- Batches ------------------------------------------------------------------------------------


class Sentences(Dataset):
    """Word pieces and targets, one sentence an item.

    Args:
        texts: n sentences.
        targets: n numbers in [0, 1], the wanted probability of "positive"; None to predict only.
        tokenizer: of the encoder that will read them.
        weights: n factors on the loss; None for 1 everywhere.
        longest: word pieces beyond this many are cut, the two special ones counted.

    Raises:
        TypeError: a text is not a string.
        ValueError: the lengths differ, or a target lies outside [0, 1].
    """

    def __init__(
        self,
        texts: Sequence[str],
        targets: Sequence[float] | None,
        tokenizer: PreTrainedTokenizerBase,
        weights: Sequence[float] | None = None,
        longest: int = LONGEST,
    ):
        texts = check_texts(texts)
        for name, values in (("targets", targets), ("weights", weights)):
            if values is not None and len(values) != len(texts):
                raise ValueError(f"expected {len(texts)} {name}, one a text, got {len(values)}")
        self.pieces = (
            tokenizer(texts, truncation=True, max_length=longest)["input_ids"] if texts else []
        )
        self.lengths = np.array([len(pieces) for pieces in self.pieces], dtype=int)
        self.targets = np.zeros(len(texts)) if targets is None else np.asarray(targets, dtype=float)
        self.weights = np.ones(len(texts)) if weights is None else np.asarray(weights, dtype=float)
        if not ((self.targets >= 0) & (self.targets <= 1)).all():
            raise ValueError("expected targets between 0 (negative) and 1 (positive)")
        self.padding = tokenizer.pad_token_id

    def __len__(self) -> int:
        return len(self.pieces)

    def __getitem__(self, index: int) -> tuple[list[int], float, float]:
        return self.pieces[index], self.targets[index], self.weights[index]

    def collate(self, items: Sequence[tuple]) -> dict[str, torch.Tensor]:
        """Right-pad to the longest: input_ids and attention_mask (B, T), targets, weights (B,)."""
        pieces, targets, weights = zip(*items, strict=True)
        longest = max(len(row) for row in pieces)
        ids = torch.full((len(pieces), longest), self.padding)
        mask = torch.zeros(len(pieces), longest, dtype=torch.long)
        for row, one in enumerate(pieces):
            ids[row, : len(one)] = torch.tensor(one)
            mask[row, : len(one)] = 1
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "targets": torch.tensor(targets, dtype=torch.float32),
            "weights": torch.tensor(weights, dtype=torch.float32),
        }


class LengthBatches(Sampler):
    """Batches of sentences of about one length, in a new random order every epoch.

    A batch is as long as its longest sentence, so sentences of one length share a batch and hardly
    any work is spent on padding.

    Args:
        lengths: n lengths in steps.
        batch_size: sentences a batch.
        seed: of the order; None keeps the sentences sorted by length (to predict).
        stages: the rows of each epoch, in turn (the last one again when there are no more); None
            takes all rows in every epoch.

    Raises:
        ValueError: the batch size is below 1, or a stage is empty or names a row that is not there.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        batch_size: int,
        seed: int | None = None,
        stages: Sequence[Sequence[int]] | None = None,
    ):
        if batch_size < 1:
            raise ValueError(f"expected batch_size to be at least 1, got {batch_size}")
        self.lengths, self.batch_size = np.asarray(lengths, dtype=float), batch_size
        self.drawn = None if seed is None else np.random.default_rng(seed)
        everything = np.arange(len(self.lengths))
        self.stages = [everything] if stages is None else [np.asarray(rows) for rows in stages]
        for number, rows in enumerate(self.stages if stages is not None else []):
            if len(rows) == 0 or rows.min() < 0 or rows.max() >= len(self.lengths):
                raise ValueError(
                    f"expected stage {number} to hold rows from 0 to {len(self.lengths) - 1}"
                )
        self.epoch = 0

    def __len__(self) -> int:
        """Batches in the coming epoch."""
        return -(-len(self._rows()) // self.batch_size)

    def _rows(self) -> np.ndarray:
        return self.stages[min(self.epoch, len(self.stages) - 1)]

    def __iter__(self) -> Iterator[list[int]]:
        rows = self._rows()
        self.epoch += 1
        lengths = self.lengths[rows]
        if self.drawn is not None:  # a jitter, so that neighbours change from epoch to epoch
            lengths = lengths + self.drawn.uniform(-2, 2, len(rows))
        order = rows[np.argsort(lengths, kind="stable")]
        batches = [
            order[start : start + self.batch_size].tolist()
            for start in range(0, len(order), self.batch_size)
        ]
        if self.drawn is not None:
            self.drawn.shuffle(batches)
        return iter(batches)


def batches(
    sentences: Sentences,
    batch_size: int,
    seed: int | None = None,
    stages: Sequence[Sequence[int]] | None = None,
) -> DataLoader:
    """A DataLoader of padded batches of about one length: see `LengthBatches`."""
    return DataLoader(
        sentences,
        batch_sampler=LengthBatches(sentences.lengths, batch_size, seed, stages),
        collate_fn=sentences.collate,
    )


def check_texts(texts: Sequence[str]) -> list[str]:
    """The texts as a list.

    Raises:
        TypeError: one string where a sequence is expected, or an item that is not a string.
    """
    if isinstance(texts, str):
        raise TypeError("expected a sequence of texts, got one string; write [text]")
    texts = list(texts)
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(
                f"expected texts to be strings, got {type(text).__name__} at position {position}"
            )
    return texts


# --- The classifier -----------------------------------------------------------------------------


class SentimentClassifier(nn.Module):
    """Encoder, LSTM, pooling, dropout and one linear layer, as in the article, its faults mended.

    Args:
        encoder: a BERT-like model, for example from `helpers.data.load_encoder`.
        units: of the LSTM, in each direction.
        dropout: share of the pooled features that is dropped in training.
        pooling: one of `POOLINGS`; see `pool`.
        bidirectional: whether a second LSTM reads from the end.

    Raises:
        ValueError: an unknown way of pooling.
    """

    def __init__(
        self,
        encoder: PreTrainedModel,
        units: int = 64,
        dropout: float = 0.2,
        pooling: str = "max",
        bidirectional: bool = True,
    ):
        super().__init__()
        if pooling not in POOLINGS:
            raise ValueError(f"expected pooling to be one of {POOLINGS}, got {pooling!r}")
        self.settings = {
            "units": units,
            "dropout": dropout,
            "pooling": pooling,
            "bidirectional": bidirectional,
        }
        self.encoder = encoder
        self.lstm = nn.LSTM(
            encoder.config.hidden_size, units, batch_first=True, bidirectional=bidirectional
        )
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(units * (1 + bidirectional), 1)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Logits (B,) of "positive" from input_ids and attention_mask, both (B, T)."""
        return self.read(self.encode(input_ids, attention_mask), attention_mask)

    def encode(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """The encoder's vectors of the word pieces, (B, T, D)."""
        return self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state

    def read(self, vectors: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Logits (B,) from vectors (B, T, D) and their mask (B, T)."""
        lengths = mask.sum(dim=1).cpu()
        packed = pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(
            self.lstm(packed)[0], batch_first=True, total_length=mask.shape[1]
        )  # (B, T, H), or (B, T, 2 H) in two directions
        pooled = pool(states, mask, self.settings["pooling"])
        return self.out(self.dropout(pooled)).squeeze(-1)


def weighted_loss(model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Mean binary cross-entropy of a batch's logits with its targets, times its weights."""
    device = next(model.parameters()).device
    batch = {name: value.to(device) for name, value in batch.items()}
    logits = model(batch["input_ids"], batch["attention_mask"])
    return nn.functional.binary_cross_entropy_with_logits(
        logits, batch["targets"], weight=batch["weights"]
    )


def fine_tune(
    classifier: SentimentClassifier,
    sentences: Sentences,
    valid: Sentences,
    *,
    stages: Sequence[Sequence[int]],
    rate: float = 1e-4,
    head_rate: float = 1e-3,
    batch_size: int = 32,
    frozen_layers: int = 0,
    warm_up: float = 0.06,
    seed: int = 0,
    accelerator=None,
    progress: bool = True,
) -> training.History:
    """Train encoder and LSTM together with AdamW, a warm-up and a linear fall of the rates.

    The word-piece embeddings, half of a small encoder's weights, stay as they are: most of them
    are never seen in a few thousand sentences. The classifier ends with the weights of the epoch
    with the lowest validation loss.

    Args:
        classifier: changed in place, left in evaluation mode.
        sentences: all sentences that any epoch reads, with their targets and weights.
        valid: never read for training.
        stages: the rows of `sentences` for each epoch, in turn; there are as many epochs.
        rate: the highest learning rate of the encoder.
        head_rate: the highest learning rate of LSTM and linear layer, which start from nothing.
        batch_size: sentences a batch and process.
        frozen_layers: so many of the encoder's lowest layers stay as they are, which saves their
            way back.
        warm_up: share of the batches over which the rates rise from zero.
        seed: of the order of the batches and of dropout.
        accelerator: see `training.fit`.
        progress: show a bar.

    Raises:
        ValueError: no stage, more frozen layers than there are, a warm-up outside [0, 1), or what
            `LengthBatches` and `training.fit` object to.
    """
    layers = classifier.encoder.encoder.layer
    if not 0 <= frozen_layers <= len(layers):
        raise ValueError(f"expected frozen_layers from 0 to {len(layers)}, got {frozen_layers}")
    if not 0 <= warm_up < 1:
        raise ValueError(f"expected warm_up to be at least 0 and below 1, got {warm_up}")
    if not stages:
        raise ValueError("expected at least one stage, got none")
    training.seed_everything(seed)
    train_batches = batches(sentences, batch_size, seed, stages)
    valid_batches = batches(valid, 2 * batch_size)
    classifier.encoder.requires_grad_(False)
    layers[frozen_layers:].requires_grad_(True)
    head = [*classifier.lstm.parameters(), *classifier.out.parameters()]
    groups = [
        {"params": list(layers[frozen_layers:].parameters()), "lr": rate},
        {"params": head, "lr": head_rate},
    ]
    optimizer = torch.optim.AdamW([group for group in groups if group["params"]], weight_decay=0.01)
    processes = 1 if accelerator is None else accelerator.num_processes
    total = sum(-(-len(rows) // (batch_size * processes)) for rows in stages)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min((step + 1) / (warm_up * total + 1), 1 - step / total * 0.98),
    )
    return training.fit(
        classifier,
        train_batches,
        valid_batches,
        loss=weighted_loss,
        optimizer=optimizer,
        epochs=len(stages),
        clip_norm=1.0,
        scheduler=schedule,
        scheduler_steps="batch",
        accelerator=accelerator,
        progress=progress,
    )


# --- Use ----------------------------------------------------------------------------------------


@torch.no_grad()
def predict(
    classifier: SentimentClassifier,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    batch_size: int = 64,
    progress: bool = True,
) -> np.ndarray:
    """Probability that each text is positive.

    Args:
        classifier: put into evaluation mode for the call, and back.
        tokenizer: of its encoder.
        texts: any number of strings, none included. An empty string, emoji and scripts that the
            vocabulary does not know are answered, too, though the answer means little. Beyond
            `LONGEST` word pieces a text is cut.
        batch_size: texts read at once.
        progress: show a bar; `training.bars_hidden` goes before it.

    Returns:
        (n,) float64 in [0, 1], in the order of the texts.

    Raises:
        TypeError: one string where a sequence is expected, or an item that is not a string.
        ValueError: a batch size below 1.
    """
    sentences = Sentences(texts, None, tokenizer)
    order = LengthBatches(sentences.lengths, batch_size)
    device = next(classifier.parameters()).device
    probabilities = np.zeros(len(sentences))
    was_training = classifier.training
    classifier.eval()
    hidden = not progress or training.bars_hidden()
    try:
        for rows in tqdm(order, desc="predicting", unit="batch", disable=hidden, leave=False):
            batch = sentences.collate([sentences[row] for row in rows])
            logits = classifier(batch["input_ids"].to(device), batch["attention_mask"].to(device))
            probabilities[rows] = torch.sigmoid(logits.double()).cpu().numpy()
    finally:
        classifier.train(was_training)
    return probabilities


def save(
    classifier: SentimentClassifier, tokenizer: PreTrainedTokenizerBase, folder: Path | str
) -> Path:
    """Keep a classifier and its tokenizer in a folder that `load` reads; nothing half-written.

    Everything is written beside the folder first and moved there whole. A classifier saved there
    before is replaced; a folder that holds anything else is left alone.

    Args:
        classifier: to keep.
        tokenizer: of its encoder.
        folder: where to; made if missing.

    Returns:
        The folder's path.

    Raises:
        FileExistsError: the folder exists and is not a saved classifier.
    """
    folder = Path(folder)
    if folder.exists() and not (folder / "classifier.json").is_file():
        if not folder.is_dir() or any(folder.iterdir()):
            raise FileExistsError(
                f"expected {folder} to be new, empty or a saved classifier; it is something else"
            )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as name:
        fresh = Path(name) / "new"
        tokenizer.save_pretrained(fresh)
        classifier.encoder.config.save_pretrained(fresh)
        weights = {key: value.contiguous() for key, value in classifier.state_dict().items()}
        save_file(weights, fresh / "classifier.safetensors")
        settings = {"format": FORMAT, **classifier.settings}
        (fresh / "classifier.json").write_text(json.dumps(settings, indent=1) + "\n")
        if folder.exists():
            folder.rename(Path(name) / "old")  # removed with the temporary folder
        fresh.rename(folder)
    return folder


def load(
    folder: Path | str, device: torch.device | str | None = None
) -> tuple[SentimentClassifier, PreTrainedTokenizerBase]:
    """A classifier that `save` kept, in evaluation mode, and its tokenizer. Needs no network.

    Args:
        folder: as given to `save`.
        device: where the classifier goes; None for the CPU.

    Raises:
        FileNotFoundError: there is no saved classifier in the folder.
        ValueError: it was saved in a format this version does not know.
    """
    folder = Path(folder)
    path = folder / "classifier.json"
    if not path.is_file():
        raise FileNotFoundError(f"expected a saved classifier in {folder}, found no {path.name}")
    settings = json.loads(path.read_text())
    if settings.pop("format", None) != FORMAT:
        raise ValueError(f"{path} is of a format that this version does not read")
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    classifier = SentimentClassifier(AutoModel.from_config(config), **settings)
    classifier.load_state_dict(load_file(folder / "classifier.safetensors"))
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    classifier.eval()
    return classifier if device is None else classifier.to(device), tokenizer
