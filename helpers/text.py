"""The way of a sentence into a network: one split, words, a vocabulary, padded batches.

Every accuracy on the review sentences stands on `split_reviews`. Shapes: B sentences in a batch, T
steps (words or an encoder's tokens) in the longest of them, D numbers per step. Import the names,
not the module: lessons call a sentence ``text``.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from sklearn.model_selection import train_test_split
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset, Sampler

PADDING, UNKNOWN = 0, 1  # the two special ids of a `Vocabulary`

# --- The split ----------------------------------------------------------------------------------


class Split(NamedTuple):
    """Three tables without a common sentence: to learn from, to choose by, to open once."""

    train: pd.DataFrame
    valid: pd.DataFrame
    test: pd.DataFrame


def split_reviews(reviews: pd.DataFrame) -> Split:
    """A fifth for the test, a tenth of the rest for validation; the same rows on every call.

    Both cuts are scikit-learn's `train_test_split` with seed 42, stratified by label. Duplicates
    (the same words, whatever stands between them) then go to one part: training if one of them is
    there, else validation. The 8,530 reviews have two pairs, each in one part already.

    Args:
        reviews: columns `text` (str) and `label` (any classes); its index is kept.

    Raises:
        TypeError: a text that is not a string.
        ValueError: a column or a label is missing, or a class has fewer than 20 rows, too few
            for three parts.
    """
    if not {"text", "label"} <= set(reviews):
        raise ValueError(f"expected a table with columns 'text' and 'label', got {list(reviews)}")
    texts, labels = check_texts(reviews["text"]), reviews["label"].to_numpy()
    sizes = dict(Counter(labels.tolist()))
    if pd.isna(labels).any() or min(sizes.values(), default=0) < 20:
        raise ValueError(f"expected a label in every row, each at least 20 times, got {sizes}")
    rows = np.arange(len(texts))
    rest, test = train_test_split(rows, test_size=0.2, random_state=42, stratify=labels)
    train, valid = train_test_split(rest, test_size=0.1, random_state=42, stratify=labels[rest])
    rows = np.concatenate([train, valid, test])
    part = pd.Series(np.repeat([0, 1, 2], [len(train), len(valid), len(test)]))
    # a text without words is a duplicate of its equals only
    words = ["".join(split_words(texts[row])).replace("'", "") or texts[row] for row in rows]
    part = part.groupby(words).transform("first").to_numpy()
    return Split(*(reviews.iloc[rows[part == number]] for number in range(3)))


def check_texts(texts: Iterable[str]) -> list[str]:
    """The texts as a list.

    Raises:
        TypeError: one string, a table or a mapping where a sequence is expected, or an item that
            is not a string.
    """
    if isinstance(texts, str | bytes):
        raise TypeError("expected a sequence of texts, got one string; write [text]")
    if isinstance(texts, Mapping | pd.DataFrame):
        raise TypeError(
            f"expected a sequence of texts, got a {type(texts).__name__}; "
            "pass one column of it, for example df['text']"
        )
    if not isinstance(texts, Iterable):
        raise TypeError(f"expected a sequence of texts, got {type(texts).__name__}")
    texts = list(texts)
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(
                f"expected texts to be strings, got {type(text).__name__} at position {position}"
            )
    return texts


# --- Words --------------------------------------------------------------------------------------

# Typographic apostrophes, the accents that stand for one (don´t, don`t) and the two that
# Windows-1252 leaves as control characters are one sign; a soft hyphen is none.
_SPELLING = str.maketrans({**dict.fromkeys("‘’ʼ＇´`\x91\x92", "'"), "_": " ", "\u00ad": None})
# Accents and vowel signs that have no composed letter: Python's \w leaves them out.
_MARKS = "".join(c for c in map(chr, range(0x300, 0x1F000)) if unicodedata.category(c)[0] == "M")
# Inside a word: the apostrophe, and the joiners of Persian and Indic spelling.
_WORD = re.compile(rf"\w[\w{_MARKS}]*(?:['\u200c\u200d][\w{_MARKS}]+)*")


def split_words(text: str) -> list[str]:
    """The words of a text in lower case, in the order of the text.

    A word is a run of letters and digits of any script with their accents (in Unicode's composed
    form, NFC), and of the apostrophes and zero-width joiners between them: *isn’t* is ``isn't``,
    Persian *می‌شود* stays whole. Every other sign, the hyphen included, separates words. A script
    without spaces gives one word per run.

    Raises:
        TypeError: not a string.
    """
    if not isinstance(text, str):
        raise TypeError(f"expected a text, got {type(text).__name__}")
    return _WORD.findall(unicodedata.normalize("NFC", text.lower().translate(_SPELLING)))


class Vocabulary:
    """Ids of words: `PADDING`, `UNKNOWN`, then the words, the most frequent first.

    Args:
        texts: training sentences only. A vocabulary that has seen test sentences has peeked.
        min_count: words seen less often are unknown.

    Attributes:
        ids: id of each known word, in the order of the ids.

    Raises:
        TypeError: what `check_texts` objects to.
    """

    def __init__(self, texts: Iterable[str], min_count: int = 2):
        counts = Counter(word for text in check_texts(texts) for word in split_words(text))
        known = [word for word, count in counts.most_common() if count >= min_count]
        self.ids = {word: number for number, word in enumerate(known, start=UNKNOWN + 1)}

    def __len__(self) -> int:
        """Number of ids, the special ones included: the rows of an embedding."""
        return len(self.ids) + 2

    def __contains__(self, word: str) -> bool:
        return word in self.ids

    def encode(self, text: str) -> list[int]:
        """One id per word; a text without words is one unknown word."""
        return [self.ids.get(word, UNKNOWN) for word in split_words(text)] or [UNKNOWN]


# --- Batches ------------------------------------------------------------------------------------


class Sentences(Dataset):
    """Sequences of different lengths with their targets, one sentence per item.

    Args:
        sequences: n sequences of T ids each (of a `Vocabulary` or of an encoder's tokenizer), or n
            arrays (T, D) of vectors.
        targets: n numbers in [0, 1], the wanted probability of "positive"; None to predict only
            (they are NaN then).
        padding: the id, or the number, that fills a batch.

    Raises:
        ValueError: a sequence is empty, the lengths differ, or a target lies outside [0, 1].
    """

    def __init__(
        self, sequences: Sequence, targets: Sequence[float] | None = None, padding: float = PADDING
    ):
        # a list: in a column of a table, [0] is the row that is called 0, not the first
        self.sequences, self.padding = list(sequences), padding
        self.lengths = np.array([len(sequence) for sequence in self.sequences], dtype=int)
        if (self.lengths == 0).any():
            position = int(self.lengths.argmin())
            raise ValueError(f"expected at least one step per sequence, got none in {position}")
        if targets is None:
            self.targets = np.full(self.lengths.shape, np.nan)
            return
        self.targets = np.asarray(targets, dtype=float)
        if self.targets.shape != self.lengths.shape:
            raise ValueError(f"expected {len(self)} targets, got shape {self.targets.shape}")
        wrong = self.targets[~((self.targets >= 0) & (self.targets <= 1))]
        if wrong.size:
            raise ValueError(f"expected targets from 0 (negative) to 1 (positive), got {wrong[0]}")

    def __len__(self) -> int:
        return len(self.sequences)

    def __getitem__(self, index: int) -> tuple[Sequence, float]:
        return self.sequences[index], self.targets[index]

    def collate(self, items: Sequence[tuple[Sequence, float]]) -> dict[str, torch.Tensor]:
        """Pad on the right: inputs (B, T) or (B, T, D), mask (B, T) with 1 on real steps, targets.

        Ids are int64, vectors and targets float32. The first dimension of every entry is B.
        """
        rows = [torch.from_numpy(np.array(sequence)) for sequence, _ in items]
        inputs = pad_sequence(rows, batch_first=True, padding_value=self.padding)
        lengths = torch.tensor([len(row) for row in rows])
        return {
            "inputs": inputs.float() if inputs.is_floating_point() else inputs.long(),
            "mask": (torch.arange(inputs.shape[1]) < lengths[:, None]).long(),
            "targets": torch.tensor([target for _, target in items], dtype=torch.float32),
        }


class LengthBatches(Sampler):
    """Batches of rows of about one length, in a new random order every epoch.

    A batch is as long as its longest sentence, so sentences of one length share a batch and hardly
    any work is spent on padding.

    Args:
        lengths: n lengths in steps.
        batch_size: sentences per batch.
        seed: of the order; None keeps the sentences sorted by length (to predict).

    Raises:
        ValueError: the batch size is not a whole number from 1 on.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int | None = None):
        if not isinstance(batch_size, int | np.integer) or batch_size < 1:
            raise ValueError(f"expected batch_size to be a whole number from 1, got {batch_size}")
        self.lengths, self.batch_size = np.asarray(lengths, dtype=float), batch_size
        self.random = None if seed is None else np.random.default_rng(seed)

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        # A generator: an iterator that nobody reads (some progress bars make one) draws nothing.
        lengths = self.lengths
        if self.random is not None:  # a jitter, so that neighbours change from epoch to epoch
            lengths = lengths + self.random.uniform(-2, 2, len(lengths))
        order = np.argsort(lengths, kind="stable")
        starts = range(0, len(order), self.batch_size)
        batches = [order[start : start + self.batch_size].tolist() for start in starts]
        if self.random is not None:
            self.random.shuffle(batches)
        yield from batches


def batches(sentences: Sentences, batch_size: int, seed: int | None = None) -> DataLoader:
    """A DataLoader of what `Sentences.collate` gives, in the order of `LengthBatches`."""
    return DataLoader(
        sentences,
        batch_sampler=LengthBatches(sentences.lengths, batch_size, seed),
        collate_fn=sentences.collate,
    )
