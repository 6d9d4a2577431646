"""A BERT-like encoder, with or without an LSTM on top, that says whether a sentence is positive.

Built step by step in notebook 4, which imports it from here once it is built. Shapes: B sentences
in a batch, T tokens in the longest of them, D the encoder's width, H the LSTM's hidden size.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterable, Sequence
from operator import attrgetter
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from tqdm import tqdm
from transformers import (
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from helpers import training
from helpers.text import LengthBatches, Sentences, batches, check_texts

POOLINGS = ("last step", "last real step", "mean", "max")
MAX_TOKENS = 128  # read at once, as the encoder was trained
# where BERT, RoBERTa, ELECTRA, MPNet and DeBERTa; DistilBERT; ModernBERT; ALBERT keep their layers
LAYERS = ("encoder.layer", "transformer.layer", "layers", "encoder.albert_layer_groups")
WARM_UP = 0.06  # share of the batches over which the learning rates rise
FORMAT = 3  # of a saved classifier
PROBE = "It wasn't BAD, 10/10: a naïve café film 🙂"  # a loaded tokenizer reads it as before


# --- Pooling ------------------------------------------------------------------------------------


def pool(
    states: torch.Tensor, mask: torch.Tensor, how: str, bidirectional: bool = False
) -> torch.Tensor:
    """One vector per sentence out of one vector per step, blind to padding (but for "last step").

    Args:
        states: (B, T, H) outputs of a recurrent net, or of an encoder.
        mask: (B, T) 1 on real steps, 0 on padding, of any type and wherever the padding is; every
            row has at least one 1.
        how: "last step" (of the batch, be it padding: the trap), "last real step", "mean" or
            "max".
        bidirectional: H is two halves, forward and backward. "last real step" takes the backward
            half at the first real step, where it has read the whole sentence.

    Returns:
        (B, H)

    Raises:
        ValueError: an unknown way of pooling, "last step" in two directions, shapes that do not
            fit, or a mask with other values or without a real step.
    """
    _check_pooling(how, bidirectional)
    if states.ndim != 3 or mask.shape != states.shape[:2]:
        raise ValueError(
            "expected states (B, T, H) and a mask (B, T), "
            f"got {tuple(states.shape)} and {tuple(mask.shape)}"
        )
    real = _real(mask)
    if how == "last step":
        return states[:, -1]
    if how == "last real step":
        rows, steps = (torch.arange(n, device=states.device) for n in mask.shape)
        last = states[rows, torch.where(real, steps, -1).amax(dim=1)]
        if not bidirectional:
            return last
        first = states[rows, torch.where(real, steps, len(steps)).amin(dim=1)]
        return torch.cat([last.chunk(2, dim=1)[0], first.chunk(2, dim=1)[1]], dim=1)
    if how == "mean":
        summed = states.masked_fill(~real[..., None], 0.0).sum(dim=1)
        return summed / real.sum(dim=1, keepdim=True)
    return states.masked_fill(~real[..., None], float("-inf")).amax(dim=1)


def _check_pooling(how: str, bidirectional: bool) -> None:
    if how not in POOLINGS:
        raise ValueError(f"expected pooling to be one of {POOLINGS}, got {how!r}")
    if how == "last step" and bidirectional:
        raise ValueError(
            'expected pooling "last real step" in two directions, got "last step", where the '
            "backward half has read one step"
        )


def _real(mask: torch.Tensor) -> torch.Tensor:
    """The mask as bool (B, T), with at least one real step in every row."""
    real = mask != 0
    if (real & (mask != 1)).any():
        raise ValueError(f"expected a mask of 1 and 0, got {mask.unique().tolist()}")
    if not real.any(dim=1).all():
        raise ValueError("expected at least one real step in every row of the mask")
    return real


# --- The classifier -----------------------------------------------------------------------------


class SentimentClassifier(nn.Module):
    """Encoder, pooling, dropout and one linear layer; an LSTM before the pooling if it is wanted.

    Args:
        encoder: a BERT-like model, for example from `helpers.data.load_encoder`.
        hidden_size: of the LSTM, in each direction; 0 for none.
        dropout: share of the pooled features that is dropped in training.
        pooling: one of `POOLINGS`; see `pool`.
        bidirectional: whether a second LSTM reads from the end.
        labels: what a target of 0 and of 1 mean, in words; kept with the classifier.

    Raises:
        ValueError: an encoder that is not BERT-like, an unknown way of pooling, "last step" in two
            directions, or two directions without an LSTM.
    """

    def __init__(
        self,
        encoder: PreTrainedModel,
        hidden_size: int = 0,
        dropout: float = 0.2,
        pooling: str = "mean",
        bidirectional: bool = False,
        labels: Sequence[str] = ("negative", "positive"),
    ):
        super().__init__()
        _check_pooling(pooling, bidirectional)
        if bidirectional and hidden_size == 0:
            raise ValueError("expected an LSTM to go in two directions, got hidden_size=0")
        _layers(encoder)
        self.labels = list(labels)
        self.settings = {"hidden_size": hidden_size, "dropout": dropout}
        self.settings |= {"pooling": pooling, "bidirectional": bidirectional}
        self.settings |= {"labels": self.labels}
        self.encoder = encoder.float()  # some are published in half precision
        self.lstm, width = None, encoder.config.hidden_size
        if hidden_size > 0:
            self.lstm = nn.LSTM(width, hidden_size, batch_first=True, bidirectional=bidirectional)
            width = hidden_size * (1 + bidirectional)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(width, 1)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Logits (B,) of "positive" from token ids (B, T) and their mask (B, T).

        Raises:
            ValueError: what `pool` objects to in a mask, or padding that is not on the right.
        """
        real = _real(mask)
        if (real[:, 1:] & ~real[:, :-1]).any():
            raise ValueError("expected all padding on the right, got a 0 before a 1 in the mask")
        states = self.encoder(input_ids=ids, attention_mask=real.long()).last_hidden_state
        if self.lstm is not None:
            packed = pack_padded_sequence(
                states, real.sum(dim=1).cpu(), batch_first=True, enforce_sorted=False
            )
            states, _ = pad_packed_sequence(
                self.lstm(packed)[0], batch_first=True, total_length=mask.shape[1]
            )  # (B, T, H), or (B, T, 2 H) in two directions
        pooled = pool(states, real, self.settings["pooling"], self.settings["bidirectional"])
        return self.out(self.dropout(pooled)).squeeze(-1)


def tokenize(
    texts: Iterable[str],
    tokenizer: PreTrainedTokenizerBase,
    targets: Sequence[float] | None = None,
    max_length: int = MAX_TOKENS,
) -> Sentences:
    """The tokens of an encoder's tokenizer, ready for `helpers.text.batches`.

    If texts are cut, a printed line says how many.

    Args:
        texts: n strings. Half a surrogate pair, which is no character, is read as U+FFFD.
        tokenizer: of the encoder that will read them.
        targets: see `Sentences`.
        max_length: tokens beyond this many are cut, the special ones counted.

    Raises:
        TypeError: what `check_texts` objects to.
        ValueError: what `Sentences` objects to, a tokenizer that is not a fast one or has no
            padding token, or a max_length that leaves no room between the special tokens.
    """
    windows, owners, most = _windows(texts, tokenizer, max_length)
    firsts = np.flatnonzero(np.diff(owners, prepend=-1))
    if cut := int((np.bincount(owners) > 1).sum()):
        print(f"{cut:,} of {len(firsts):,} texts have more than {most} tokens and are cut there.")
    return Sentences([windows[row] for row in firsts], targets, padding=tokenizer.pad_token_id)


def _windows(
    texts: Iterable[str], tokenizer: PreTrainedTokenizerBase, max_length: int
) -> tuple[list[list[int]], np.ndarray, int]:
    """Each text's ids in pieces of at most so many, the text that each belongs to, how many."""
    texts = [
        text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        for text in check_texts(texts)
    ]
    if not tokenizer.is_fast:
        raise ValueError(
            f"expected a fast tokenizer, as AutoTokenizer gives, got {type(tokenizer).__name__}"
        )
    if tokenizer.pad_token_id is None:
        raise ValueError("expected a tokenizer with a padding token, got none: set its pad_token")
    least = tokenizer.num_special_tokens_to_add() + 1
    if max_length < least:
        raise ValueError(f"expected max_length to be at least {least}, got {max_length}")
    most = min(max_length, tokenizer.model_max_length)
    if not texts:
        return [], np.array([], dtype=int), most
    tokens = tokenizer(texts, truncation=True, max_length=most, return_overflowing_tokens=True)
    ids = tokens["input_ids"]
    if tokenizer.unk_token_id is not None:  # without special tokens, "" has no token at all
        ids = [row or [tokenizer.unk_token_id] for row in ids]
    return ids, np.array(tokens["overflow_to_sample_mapping"]), most


def _limits(encoder: PreTrainedModel) -> tuple[int, int | None]:
    """Tokens per sentence, and the padding id where positions are counted from it, as in RoBERTa.

    Tokens are those that the encoder has positions for, at most `MAX_TOKENS`.
    """
    table = getattr(getattr(encoder, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    positions = getattr(encoder.config, "max_position_embeddings", MAX_TOKENS)
    return min(MAX_TOKENS, positions - (0 if padding is None else padding + 1)), padding


def _check_fit(encoder: PreTrainedModel, sentences: Sentences) -> None:
    """Refuse what would fail, or be misread, in the middle of a training."""
    known, (most, padding) = encoder.config.vocab_size, _limits(encoder)
    highest = max([sentences.padding, *map(max, sentences.sequences)])
    longest = max(sentences.lengths, default=0)
    if highest >= known or longest > most or padding not in (None, sentences.padding):
        raise ValueError(
            f"expected sentences of this {type(encoder).__name__}'s tokenizer: ids below {known}, "
            f"at most {most} tokens, padding id {'any' if padding is None else padding}; "
            f"got ids up to {highest}, {longest} tokens, padding id {sentences.padding}"
        )


# --- Training -----------------------------------------------------------------------------------


def batch_loss(model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Mean binary cross-entropy of a batch's logits with its targets, a scalar."""
    device = next(model.parameters()).device
    batch = {name: value.to(device) for name, value in batch.items()}
    logits = model(batch["inputs"], batch["mask"])
    return nn.functional.binary_cross_entropy_with_logits(logits, batch["targets"])


def fine_tune(
    classifier: SentimentClassifier,
    sentences: Sentences,
    valid: Sentences,
    *,
    epochs: int,
    learning_rate: float = 1e-4,
    head_learning_rate: float = 1e-3,
    batch_size: int = 32,
    frozen_layers: int = 0,
    loss: training.Loss = batch_loss,
    seed: int = 0,
    progress: bool = True,
) -> training.History:
    """Train a classifier, its encoder included, with AdamW; both rates warm up and fall to zero.

    The token embeddings, half of a small encoder's weights, stay frozen: most of them are never
    seen in a few thousand sentences. The classifier ends with the weights of the epoch with the
    lowest validation loss.

    Args:
        classifier: changed in place, left in evaluation mode.
        sentences: to learn from, with their targets.
        valid: never read for training.
        epochs: passes over the sentences.
        learning_rate: the highest of the encoder.
        head_learning_rate: the highest of all that is on top of it, which starts from nothing.
        batch_size: sentences per batch.
        frozen_layers: so many of the encoder's lowest layers stay as they are, which saves their
            backward pass.
        loss: of a batch; another one can look at the answers, too.
        seed: of the order of the batches and of dropout.
        progress: show a bar.

    Raises:
        ValueError: an encoder whose layers are not found, more frozen layers than there are,
            sentences without targets or that do not fit the encoder, or what `LengthBatches` and
            `training.fit` object to. All but the last come before the first change of a weight.
    """
    layers = _layers(classifier.encoder)
    if not 0 <= frozen_layers <= len(layers):
        raise ValueError(f"expected frozen_layers from 0 to {len(layers)}, got {frozen_layers}")
    for part in (sentences, valid):
        _check_fit(classifier.encoder, part)
        if np.isnan(part.targets).any():
            raise ValueError("expected sentences with targets to learn from, got some without")
    train_batches = batches(sentences, batch_size, seed)
    valid_batches = batches(valid, 2 * batch_size)
    training.seed_everything(seed)
    classifier.encoder.requires_grad_(False)
    head = [weight for weight in classifier.parameters() if weight.requires_grad]
    layers[frozen_layers:].requires_grad_(True)
    groups = [
        {"params": list(layers[frozen_layers:].parameters()), "lr": learning_rate},
        {"params": head, "lr": head_learning_rate},
    ]
    optimizer = torch.optim.AdamW(
        [group for group in groups if group["params"]], weight_decay=0.01, fused=True
    )
    total = max(1, epochs * len(train_batches))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min((step + 1) / (WARM_UP * total + 1), 1 - step / total * 0.98),
    )
    optimizer.register_step_post_hook(lambda *_: schedule.step())  # after every batch
    return training.fit(
        classifier,
        train_batches,
        valid_batches,
        loss=loss,
        optimizer=optimizer,
        epochs=epochs,
        clip_norm=1.0,
        progress=progress,
    )


def _layers(encoder: PreTrainedModel) -> nn.ModuleList:
    """The encoder's layers, the lowest first."""
    for path in LAYERS:
        try:
            layers = attrgetter(path)(encoder)
        except AttributeError:
            continue
        if isinstance(layers, nn.ModuleList):
            return layers
    raise ValueError(
        "expected a BERT-like encoder without a head (AutoModel), with a list of layers at "
        f"{' or '.join(LAYERS)}, got {type(encoder).__name__}"
    )


# --- Use ----------------------------------------------------------------------------------------


@torch.no_grad()
def predict(
    classifier: SentimentClassifier,
    tokenizer: PreTrainedTokenizerBase,
    texts: Iterable[str],
    batch_size: int = 64,
    progress: bool = True,
) -> np.ndarray:
    """Probability that each text is positive.

    A text of more than `MAX_TOKENS`, or than the encoder has positions for, is read in windows, one
    after the other. Their logits are averaged, each weighted by its tokens.

    Args:
        classifier: put into evaluation mode for the call, and back.
        tokenizer: of its encoder.
        texts: any number of strings, none included. An empty string, emoji and scripts that the
            vocabulary does not know are answered, too, though the answer means little.
        batch_size: texts (or windows) read at once.
        progress: show a bar with the rate, and say how many texts were read in windows.

    Returns:
        (n,) float64 in [0, 1], in the order of the texts.

    Raises:
        TypeError: what `check_texts` objects to.
        ValueError: a batch size below 1, or a tokenizer that does not fit the encoder.
    """
    windows, owners, most = _windows(texts, tokenizer, _limits(classifier.encoder)[0])
    sentences = Sentences(windows, padding=tokenizer.pad_token_id)
    _check_fit(classifier.encoder, sentences)
    parts = np.bincount(owners)  # windows per text
    if progress and (long := int((parts > 1).sum())):
        print(
            f"{long:,} of {len(parts):,} texts have more than {most} tokens: they are read in "
            f"{int(parts[parts > 1].sum()):,} windows, and the logits of each text are averaged."
        )
    bar = tqdm(
        desc="predicting",
        total=len(sentences),
        unit="text" if len(parts) == len(sentences) else "window",
        leave=False,
        **({} if progress else {"disable": True}),
    )
    device = next(classifier.parameters()).device
    logits = np.zeros(len(sentences))
    was_training = classifier.training
    classifier.eval()
    try:  # the longest first: the bar's estimate is not too hopeful, and a lack of memory shows
        for rows in reversed(list(LengthBatches(sentences.lengths, batch_size))):
            batch = sentences.collate([sentences[row] for row in rows])
            answer = classifier(batch["inputs"].to(device), batch["mask"].to(device))
            logits[rows] = answer.cpu().double().numpy()
            bar.update(len(rows))
    finally:
        bar.close()
        classifier.train(was_training)
    mean = np.bincount(owners, sentences.lengths * logits) / np.bincount(owners, sentences.lengths)
    return torch.sigmoid(torch.from_numpy(mean)).numpy()


def save(
    classifier: SentimentClassifier, tokenizer: PreTrainedTokenizerBase, folder: Path | str
) -> Path:
    """Keep a classifier and its tokenizer in a folder that `load` reads; nothing half-written.

    Everything is written beside the folder, loaded once as a check, and moved there whole. A
    classifier saved there before is replaced; a folder that holds anything else is left alone.

    Args:
        classifier: to keep.
        tokenizer: of its encoder.
        folder: where to; made if missing.

    Returns:
        The folder's path.

    Raises:
        FileExistsError: the folder exists and holds what `save` did not write.
        ValueError: a tokenizer that does not fit the encoder, or anything that `load` would refuse.
    """
    folder = Path(folder)
    _check_tokenizer(classifier.encoder, tokenizer)
    try:
        known = {"classifier.json", *_content(folder)["files"]}
    except (OSError, ValueError):  # no classifier, or none that can be read
        known = set()
    if folder.is_file() or not known.issuperset(_files(folder)):
        raise FileExistsError(
            f"expected {folder} to be new, empty or a saved classifier, got something else: "
            f"{', '.join(sorted(set(_files(folder)) - known)) or 'a file'}"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as name:
        fresh, old = Path(name) / "new", Path(name) / "old"
        tokenizer.save_pretrained(fresh)
        classifier.encoder.config.save_pretrained(fresh)
        weights = {key: value.contiguous() for key, value in classifier.state_dict().items()}
        save_file(weights, fresh / "classifier.safetensors")
        files = {file: _digest(fresh / file) for file in _files(fresh)}
        content = {"format": FORMAT, "settings": classifier.settings, "files": files}
        content["probe"] = tokenizer(PROBE)["input_ids"]
        content["sha256"] = _digest_of(content)
        (fresh / "classifier.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
        load(fresh)
        if folder.exists():
            folder.rename(old)  # removed with the temporary folder
        try:
            fresh.rename(folder)
        except BaseException:
            if old.exists():
                old.rename(folder)
            raise
    return folder


def load(
    folder: Path | str, device: torch.device | str | None = None
) -> tuple[SentimentClassifier, PreTrainedTokenizerBase]:
    """A classifier that `save` kept, in evaluation mode, and its tokenizer. Needs no network.

    Args:
        folder: as given to `save`.
        device: where the classifier goes; None for the CPU.

    Raises:
        FileNotFoundError: there is no saved classifier in the folder, or one of its files is gone.
        ValueError: a file or a setting is not as it was saved; the format is one that this version
            does not read; the weights do not fit the settings; the tokenizer does not fit the
            encoder, or reads a text differently from when it was saved.
    """
    folder = Path(folder)
    content = _content(folder)
    for name, digest in content["files"].items():
        if not (folder / name).is_file():
            raise FileNotFoundError(f"expected a saved classifier in {folder}, found no {name}")
        if _digest(folder / name) != digest:
            raise ValueError(f"{folder / name} is not as it was saved")
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    try:
        classifier = SentimentClassifier(AutoModel.from_config(config), **content["settings"])
        weights = load_file(folder / "classifier.safetensors")
        lacking, unknown = classifier.load_state_dict(weights, strict=False)
        if unknown or any(".pooler." not in name for name in lacking):  # some have no pooler
            raise ValueError(f"lacking {lacking}, unknown {unknown}")
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"{folder / 'classifier.json'} does not fit the weights beside it: "
            f"got {content['settings']}"
        ) from error
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    _check_tokenizer(classifier.encoder, tokenizer)
    if tokenizer(PROBE)["input_ids"] != content["probe"]:
        raise ValueError(
            f"the tokenizer in {folder} reads a text differently from when it was saved; another "
            f"version of transformers can be the reason (this is {transformers.__version__})"
        )
    classifier.eval()
    return classifier if device is None else classifier.to(device), tokenizer


def _check_tokenizer(encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    if len(tokenizer) > encoder.config.vocab_size:
        raise ValueError(
            f"expected a tokenizer of at most {encoder.config.vocab_size} tokens, as the encoder "
            f"has, got {len(tokenizer)}"
        )
    _check_fit(encoder, tokenize([PROBE], tokenizer, max_length=_limits(encoder)[0]))


def _content(folder: Path) -> dict:
    """Of classifier.json: format, settings, the digest of every other file, how PROBE was read."""
    path = folder / "classifier.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"expected a saved classifier in {folder}, found no {path.name}, which save writes"
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version, digest = content["format"], content.pop("sha256", None)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged") from error
    if version != FORMAT:
        raise ValueError(f"expected {path} to be of format {FORMAT}, got {version!r}")
    if digest != _digest_of(content):
        raise ValueError(f"{path} is not as it was saved")
    return content


def _digest_of(content: dict) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _files(folder: Path) -> list[str]:
    """The files in a folder and below, as paths relative to it."""
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
