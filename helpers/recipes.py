"""Recipes of fine-tuning, compared on the review sentences (notebook 4).

Two tables of `helpers.experiments` come from here, half an hour and four hours on one core:

- **search**: what more text and softer targets are worth, inside the training part. Every trial
  learns from four fifths of the training sentences and is judged by the other fifth and the
  validation sentences, 1,911 together. One seed each: exploratory.
- **recipes**: the article's recipe as printed; its faults mended one after the other; all of them
  mended, with rates that fit; plain fine-tuning as the field does it, in one to three epochs; and
  every extra at once. Three seeds or one (exploratory): an epoch of the article's recipe takes 13
  minutes.

A finished run waits in the cache folder, so that an interrupted command goes on where it stopped
and two processes can share the runs (after a change here, delete its folder `recipes`). Test
answers are kept as bare logits; the test labels are read when all runs are finished, not before.
"""

import hashlib
import json
import re
import sys
import time
from functools import cache
from importlib.metadata import version

import numpy as np
import pandas as pd
import torch
from scipy.optimize import minimize_scalar
from scipy.special import expit
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from torch import nn
from torch.utils.data import DataLoader

from helpers import data, training
from helpers.text import Sentences, Split, batches, split_reviews

# ---- what is compared ----------------------------------------------------------------------------


class Article(nn.Module):
    """The article's classifier: encoder, LSTM, one step of it, dropout, linear layer, sigmoid.

    Args:
        encoder: a BERT-like model, trained along with the rest, its token embeddings included.
        last_real: read the LSTM after the last real token, not in the last column of the batch.
        sigmoid: answer with a probability, not with a logit.
    """

    def __init__(self, encoder, last_real: bool = False, sigmoid: bool = True):
        super().__init__()
        self.encoder, self.last_real, self.sigmoid = encoder, last_real, sigmoid
        self.lstm = nn.LSTM(encoder.config.hidden_size, 16, batch_first=True)
        self.dropout = nn.Dropout(0.3)
        self.out = nn.Linear(16, 1)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Probabilities or logits (B,) from token ids (B, T) and their mask (B, T)."""
        vectors = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        states, rows = self.lstm(vectors)[0], torch.arange(len(mask))
        last = mask.sum(dim=1) - 1 if self.last_real else -1
        answer = self.out(self.dropout(states[rows, last]))
        return torch.sigmoid(answer[:, 0]) if self.sigmoid else answer[:, 0]


def padded(sentences: Sentences, batch_size: int) -> DataLoader:
    """Batches in the order of the table, all padded to the longest sentence, as in the article."""
    longest = int(sentences.lengths.max())

    def collate(items):
        batch = sentences.collate(items)
        missing = (0, longest - batch["mask"].shape[1])
        batch["inputs"] = nn.functional.pad(batch["inputs"], missing, value=sentences.padding)
        batch["mask"] = nn.functional.pad(batch["mask"], missing)
        return batch

    return DataLoader(sentences, batch_size, collate_fn=collate)


# ---- one run -------------------------------------------------------------------------------------


class Watch:
    """The loss for `training.fit`, which keeps per epoch what the mean loss does not show.

    Args:
        valid: how many validation sentences there are.
        test: sentences to answer after every epoch; their targets are not read.
        test_batches: of them, in their order; None for batches of one length.

    Attributes:
        train, valid: accuracy of each epoch; in training it is taken batch by batch, with dropout.
        logits: of the test sentences, by row, after each epoch.
    """

    def __init__(self, valid: int, test: Sentences, test_batches: DataLoader | None = None):
        self.count, self.batches = valid, test_batches or batches(test, 64)
        self.rows = np.arange(len(test))
        if test_batches is None:
            self.rows = np.argsort(test.lengths, kind="stable")
        self.train, self.valid, self.logits = [], [], []
        self._right = {True: [], False: []}
        self._start = time.perf_counter()

    def __call__(self, model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        answer = model(batch["inputs"], batch["mask"])
        sigmoid = getattr(model, "sigmoid", False)
        right = (answer > (0.5 if sigmoid else 0)) == (batch["targets"] > 0.5)
        self._right[model.training] += right.tolist()
        if len(self._right[False]) == self.count:
            self._close_epoch(model)
        name = "binary_cross_entropy" + ("" if sigmoid else "_with_logits")
        return getattr(nn.functional, name)(answer, batch["targets"])

    def _close_epoch(self, model: nn.Module) -> None:
        self.train.append(round(float(np.mean(self._right[True])), 4))
        self.valid.append(round(float(np.mean(self._right[False])), 4))
        self._right = {True: [], False: []}
        answers = torch.cat([model(batch["inputs"], batch["mask"]) for batch in self.batches])
        if getattr(model, "sigmoid", False):
            answers = torch.logit(answers, 1e-6)
        logits = np.empty(len(self.rows))
        logits[self.rows] = answers.numpy()
        self.logits.append(logits.round(4).tolist())
        minutes = (time.perf_counter() - self._start) / 60
        print(self.train[-1], self.valid[-1], f"{minutes:.1f} min", file=sys.stderr, flush=True)


def printed(parts: Split, seed: int, *, epochs: int, fixes: int) -> tuple[dict, Watch]:
    """Train the article's classifier by the article's recipe, with the first `fixes` mended.

    Args:
        parts: of the reviews.
        seed: of the weights, of dropout and, where sentences are shuffled, of their order.
        epochs: at most so many.
        fixes: 0 none; 1 the last real token is read (padding matters no longer, so batches are
            padded to their own longest); 2 the loss is taken on the logit; 3 a new order in every
            epoch, in batches of one length.
    """
    from helpers import sentiment  # here, or every reader of a table waits for transformers

    tokenizer, encoder = data.load_encoder()
    training.seed_everything(seed)
    classifier = Article(encoder, last_real=fixes >= 1, sigmoid=fixes < 2)
    train, valid, test = (
        sentiment.tokenize(part["text"], tokenizer, part["label"], max_length=100) for part in parts
    )
    if fixes >= 3:
        loader = batches(train, 16, seed)
    elif fixes:
        loader = DataLoader(train, 16, collate_fn=train.collate)
    else:
        loader = padded(train, 16)
    valid_loader = batches(valid, 64) if fixes else padded(valid, 16)
    watch = Watch(len(valid), test, None if fixes else padded(test, 16))
    optimizer = torch.optim.Adam(classifier.parameters(), lr=1e-5, weight_decay=1e-8, fused=True)
    history = training.fit(
        classifier,
        loader,
        valid_loader,
        loss=watch,
        optimizer=optimizer,
        scheduler=torch.optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=0.01),
        epochs=epochs,
        patience=4,  # the article stops when the best epoch is more than 3 epochs ago
        progress=False,
    )
    return vars(history), watch


def tuned(
    parts: Split,
    seed: int,
    *,
    head: str = "plain",
    epochs: int = 3,
    learning_rate: float = 1e-4,
    second_rate: float = 1e-4,
    batch_size: int = 32,
    frozen_layers: int = 0,
    ratings: float = 0.0,
    max_length: int = 100,
    more: dict | None = None,
) -> tuple[dict, Watch]:
    """Train with `sentiment.fine_tune`: two learning rates that warm up and fall.

    Args:
        parts: of the reviews.
        seed: of the weights, of dropout and of the order.
        head: "plain", the mean and a linear layer; "lstm", wide and in two directions, or
            "article", the article's with its faults mended, before the linear layer.
        epochs: over the training sentences.
        learning_rate, batch_size, frozen_layers: see `sentiment.fine_tune`.
        second_rate: the encoder's in the second epoch, if there are `more` sentences.
        ratings: share of the readers' ratings in the targets; the rest is the label.
        max_length: tokens of a training sentence.
        more: arguments of `more_text`. The first epoch reads these sentences, too, the second and
            last one does not; each epoch has a warm-up and a fall of its own.
    """
    from helpers import sentiment

    tokenizer, encoder = data.load_encoder()
    training.seed_everything(seed)
    if head == "article":
        classifier = Article(encoder, last_real=True, sigmoid=False)
    else:
        lstm = {"hidden_size": 64, "pooling": "max", "bidirectional": True}
        classifier = sentiment.SentimentClassifier(encoder, **(lstm if head == "lstm" else {}))
    texts, targets = [*parts.train["text"]], with_ratings(parts.train, ratings)
    own = sentiment.tokenize(texts, tokenizer, targets, max_length)
    stages = [(own, epochs, learning_rate)]
    if more:
        found = more_text(parts.train, seed=seed, **more)
        mixed = [*texts, *found["text"]], tokenizer, [*targets, *found["target"]], max_length
        stages = [(sentiment.tokenize(*mixed), 1, learning_rate), (own, 1, second_rate)]
    valid, test = (sentiment.tokenize(part["text"], tokenizer, part["label"]) for part in parts[1:])
    watch, losses = Watch(len(valid), test), {"train_loss": [], "valid_loss": []}
    for number, (sentences, passes, rate) in enumerate(stages):
        history = sentiment.fine_tune(
            classifier,
            sentences,
            valid,
            epochs=passes,
            learning_rate=rate,
            batch_size=batch_size,
            frozen_layers=frozen_layers,
            loss=watch,
            seed=seed + 100 * number,
            progress=False,
        )
        best_epoch = len(losses["train_loss"]) + history.best_epoch
        for name, values in losses.items():
            values += getattr(history, name)
    return losses | {"best_epoch": best_epoch}, watch


def with_ratings(part: pd.DataFrame, share: float) -> np.ndarray:
    """Targets (n,): labels mixed with what people felt, -4 to 4 turned into 0.01 to 0.99."""
    felt = expit(1.2 * data.load_human_ratings()["rating"].reindex(part.index))
    return ((1 - share) * part["label"] + share * felt).fillna(part["label"]).to_numpy()


def more_text(
    train: pd.DataFrame,
    count: int,
    *,
    words: tuple[int, int],
    sure: float,
    ends: bool = False,
    seed: int = 0,
) -> pd.DataFrame:
    """Single sentences of the long reviews, one of a review, whose tone a bag of words confirms.

    The bag counts words and pairs of words. Two are fitted, each on half of the long reviews and of
    the training sentences (which weigh six times as much), and each scores the other half: a bag
    that has seen a review knows its label.

    Args:
        train: training sentences and their labels.
        count: how many sentences to choose, at random.
        words: the fewest and the most of a sentence.
        sure: the least logit that the bag must give to the label of the review.
        ends: only the first and the last sentence of a review.
        seed: of the choice.

    Returns:
        Columns `text` and `target`, the mean of the label and of the bag's probability.
    """
    found = _scored_sentences(tuple(train["text"]), tuple(train["label"]))
    fitting = found["words"].between(*words)
    fitting &= found["score"] * (2 * found["label"] - 1) > sure
    if ends:
        review = found["review"]
        fitting &= (review != review.shift()) | (review != review.shift(-1))
    order = np.random.default_rng(seed).permutation(np.flatnonzero(fitting))
    chosen = found.iloc[order].drop_duplicates("review").head(count)
    chosen["target"] = (chosen["label"] + expit(chosen["score"])) / 2
    return chosen[["text", "target"]]


@cache
def _scored_sentences(texts: tuple[str, ...], labels: tuple[int, ...]) -> pd.DataFrame:
    """Sentences of 5 to 40 words with the row and label of their review and the bag's logit."""
    reviews = data.load_imdb()
    reviews["text"] = reviews["text"].str.lower()
    count = make_pipeline(
        HashingVectorizer(
            ngram_range=(1, 2), n_features=2**19, alternate_sign=False, norm=None, dtype=np.float32
        ),
        TfidfTransformer(sublinear_tf=True),
    )
    counted = count.fit_transform([*reviews["text"], *texts])
    known = np.array([*reviews["label"], *labels])
    weights = np.repeat([1.0, 6.0], [len(reviews), len(texts)])
    found = pd.DataFrame(
        [
            (sentence, row, label, len(sentence.split()))
            for row, (text, label) in enumerate(zip(reviews["text"], reviews["label"], strict=True))
            for sentence in re.split(r"(?<=[.!?])\s+", text)
        ],
        columns=["text", "review", "label", "words"],
    )
    found = found[found["words"].between(5, 40)].reset_index(drop=True)
    vectors, found["score"] = count.transform(found["text"]), 0.0
    for half in range(2):
        others = np.arange(len(known)) % 2 != half
        bag = LogisticRegression(C=8.0, solver="liblinear")
        bag.fit(counted[others], known[others], sample_weight=weights[others])
        rows = found["review"] % 2 == half
        found.loc[rows, "score"] = bag.decision_function(vectors[rows.to_numpy()])
    return found


# ---- the tables ----------------------------------------------------------------------------------

FIRST_EDITION = {"epochs": 2, "learning_rate": 1.5e-4, "batch_size": 24, "frozen_layers": 2}
FIRST_EDITION |= {"ratings": 0.5, "max_length": 56, "head": "lstm"}
TRIALS = {
    "first edition": FIRST_EDITION,
    "first or last sentences": FIRST_EDITION
    | {"more": {"count": 6000, "words": (6, 40), "sure": 0.3, "ends": True}},
    "labels alone": FIRST_EDITION | {"ratings": 0.0},
    "plain, 1 epoch": {"epochs": 1},
}
EXTRAS = FIRST_EDITION | {"more": {"count": 5000, "words": (6, 40), "sure": 0.3, "ends": True}}
RECIPES = {
    "article": {"fixes": 0, "epochs": 4},
    "last real step": {"fixes": 1, "epochs": 2},
    "loss on the logit": {"fixes": 2, "epochs": 2},
    "shuffled": {"fixes": 3, "epochs": 2},
    "all fixes, 1 epoch": {"head": "article", "epochs": 1},
    "all fixes, 2 epochs": {"head": "article", "epochs": 2},
    "plain, 1 epoch": {"epochs": 1},
    "plain, 2 epochs": {"epochs": 2},
    "plain, 2 layers frozen": {"epochs": 2, "frozen_layers": 2},
    "plain, 3 epochs": {"epochs": 3},
    "extras": EXTRAS,
}
REPEATED = (*list(RECIPES)[4:9], "extras")


def run(settings: dict, seed: int, parts: Split | None = None) -> dict:
    """What one run found; it is taken from the cache folder where it is finished.

    Args:
        settings: of `printed` if they have "fixes", else of `tuned`.
        seed: of the run.
        parts: None for those of the reviews; others are those of `trial_parts`.
    """
    key = json.dumps([settings, seed, parts is not None], sort_keys=True)
    name = hashlib.sha256(key.encode()).hexdigest()[:16]
    path = data.cache_folder() / "recipes" / f"{name}.json"
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    print(key, file=sys.stderr, flush=True)
    torch.set_num_threads(1)
    start = time.process_time()
    train = printed if "fixes" in settings else tuned
    history, watch = train(parts or split_reviews(data.load_reviews()), seed, **settings)
    found = {
        "minutes": round((time.process_time() - start) / 60, 1),
        "best_epoch": history["best_epoch"] + 1,
        "train_loss": np.round(history["train_loss"], 4).tolist(),
        "valid_loss": np.round(history["valid_loss"], 4).tolist(),
        "train_right": watch.train,
        "valid_right": watch.valid,
        "test_logits": watch.logits,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found), encoding="utf-8")
    return found


def trial_parts() -> Split:
    """The training part as a `Split` of its own, whose test is what the trials are judged by."""
    train, valid, _ = split_reviews(data.load_reviews())
    rows = np.random.default_rng(0).permutation(len(train))
    judged = pd.concat([train.iloc[np.sort(rows[:1228])], valid])
    return Split(train.iloc[np.sort(rows[1228:])], judged[:200], judged)


def search_plan() -> list[dict]:
    """One row per trial."""
    return [{"trial": name, "settings": json.dumps(settings)} for name, settings in TRIALS.items()]


def search_row(trial: str, settings: str) -> dict[str, str]:
    """Cross-entropy and accuracy of a trial, and its points ahead of the first edition's recipe."""
    parts = trial_parts()
    truth = parts.test["label"].to_numpy()
    logits, first = (
        np.array(run(TRIALS[name], 0, parts)["test_logits"][-1])
        for name in (trial, next(iter(TRIALS)))
    )
    ahead = 100.0 * (((logits > 0) == truth).astype(int) - ((first > 0) == truth))

    def cross_entropy(factor):
        return np.logaddexp(0, factor * logits * (1 - 2 * truth)).mean()

    scaled = minimize_scalar(cross_entropy, bounds=(0.2, 5), method="bounded")
    return {
        "cross_entropy": f"{cross_entropy(1):.4f}",
        "scaled": f"{scaled.fun:.4f}",
        "right": f"{((logits > 0) == truth).mean():.4f}",
        "points_ahead": f"{ahead.mean():.2f}",
        "standard_error": f"{ahead.std() / np.sqrt(len(ahead)):.2f}",
        "processor_minutes": f"{run(TRIALS[trial], 0, parts)['minutes']:.1f}",
    }


def recipes_plan() -> list[dict]:
    """One row per epoch of every run."""
    return [
        {"recipe": name, "seed": seed, "epoch": epoch}
        for name, settings in RECIPES.items()
        for seed in range(3 if name in REPEATED else 1)
        for epoch in range(1, settings["epochs"] + 1)
    ]


@cache
def every_run() -> dict[tuple[str, int], dict]:
    """The runs of all recipes, by name and seed."""
    runs = {(row["recipe"], row["seed"]): None for row in recipes_plan()}
    return {(name, seed): run(RECIPES[name], seed) for name, seed in runs}


def recipes_row(recipe: str, seed: int, epoch: int) -> dict[str, str]:
    """Losses, shares of right answers and confidence after an epoch; the first call finishes every
    run."""
    found = every_run()[recipe, seed]
    truth = split_reviews(data.load_reviews()).test["label"].to_numpy() == 1
    logits = np.array(found["test_logits"][epoch - 1])
    names = ("train_loss", "valid_loss", "train_right", "valid_right")
    return {name: f"{found[name][epoch - 1]:.4f}" for name in names} | {
        "test_right": f"{((logits > 0) == truth).mean():.4f}",
        "test_sure": f"{expit(abs(logits)).mean():.4f}",
        "kept": epoch == found["best_epoch"],
        "processor_minutes": f"{found['minutes']:.1f}",
    }


SETTINGS = {"encoder": "minilm", "transformers": version("transformers")}
EXPERIMENTS = {
    "search": (
        search_plan,
        search_row,
        SETTINGS
        | {
            "points_ahead, standard_error": "of the first edition's recipe, in percent",
            "scaled": "cross-entropy, all logits times the best factor",
        },
    ),
    "recipes": (
        recipes_plan,
        recipes_row,
        SETTINGS
        | {
            "recipes": RECIPES,
            "test_sure": "mean probability of the answer given to a test sentence",
            "kept": "the epoch of the lowest validation loss",
            "processor_minutes": "of the whole run, the answers to the test sentences included",
        },
    ),
}
