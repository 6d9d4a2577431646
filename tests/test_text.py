"""The pipeline of the reviews: the split, words of any script, the vocabulary, batches."""

import hashlib
import pickle
import unicodedata

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers import data
from helpers.text import (
    UNKNOWN,
    LengthBatches,
    Sentences,
    Vocabulary,
    batches,
    check_texts,
    split_reviews,
    split_words,
)


@pytest.fixture(scope="module")
def reviews():
    return data.load_reviews()


# --- the split ----------------------------------------------------------------------------------


def test_the_split_is_notebook_4s_on_every_call(reviews):
    parts, again = split_reviews(reviews), split_reviews(reviews)
    rows = ",-1,".join(",".join(map(str, part.index)) for part in parts)
    # taken from notebook 4's two calls of train_test_split on the table, rows in their order
    assert hashlib.sha256(rows.encode()).hexdigest().startswith("924beadb608ab1d4591f08b63fc6df43")
    assert [len(part) for part in parts] == [6141, 683, 1706]
    assert sorted(row for part in parts for row in part.index) == list(range(len(reviews)))
    assert all(abs(part["label"].mean() - 0.5) < 0.001 for part in parts)
    for part, same in zip(parts, again, strict=True):
        pd.testing.assert_frame_equal(part, same)


def test_no_review_is_in_two_parts(reviews):
    letters = [
        set(part["text"].map(lambda text: "".join(filter(str.isalnum, text))))
        for part in split_reviews(reviews)
    ]
    assert sum(map(len, letters)) == len(reviews) - 2  # two pairs of duplicates
    assert len(set.union(*letters)) == len(reviews) - 2


def test_duplicates_stay_together():
    texts = [f"{'Good-' if n % 2 else 'good, '}film’s {n // 2}" for n in range(400)] + [
        "!",
        "?",
    ] * 5
    table = pd.DataFrame({"text": texts, "label": [0, 1] * 205}, index=range(1000, 1410))
    parts = split_reviews(table)
    assert sorted(row for part in parts for row in part.index) == list(table.index)
    films = [set(part["text"].str.extract(r"(\d+)")[0].dropna()) for part in parts]
    assert sum(map(len, films)) == 200
    assert all(len(part) > 10 for part in parts)
    assert sum("!" in set(part["text"]) for part in parts) == 1


def test_twenty_rows_per_class_are_enough():
    table = pd.DataFrame({"text": map(str, range(100)), "label": list("abcde") * 20})
    assert all(set(part["label"]) == set("abcde") for part in split_reviews(table))


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"columns": ["text"]}, ValueError, r"columns 'text' and 'label', got \['text'\]"),
        ({"labels": [0.0, 1.0, np.nan]}, ValueError, "a label in every row"),
        ({"labels": [0] * 41 + [1] * 19}, ValueError, r"20 times, got \{0: 41, 1: 19\}"),
        ({"texts": ["good", None]}, TypeError, "NoneType at position 1"),
    ],
)
def test_the_split_says_what_is_wrong(change, error, message):
    labels, texts = change.get("labels", [0, 1]), change.get("texts", ["good"])
    table = pd.DataFrame({"text": (texts * 60)[:60], "label": (labels * 60)[:60]}, dtype=object)
    with pytest.raises(error, match=message):
        split_reviews(table[change.get("columns", ["text", "label"])])


@pytest.mark.parametrize(
    "texts, message",
    [
        ("good", r"one string; write \[text\]"),
        (b"good", "one string"),
        (pd.DataFrame({"text": ["good"]}), r"got a DataFrame; .* df\['text'\]"),
        ({"text": ["good"]}, r"got a dict; .* df\['text'\]"),
        (5, "got int"),
        (["good", None], "NoneType at position 1"),
        (["good", "bad", float("nan")], "float at position 2"),
        ([b"good"], "bytes at position 0"),
        (pd.Series(["good", pd.NA], dtype="string"), "NAType at position 1"),
    ],
)
def test_texts_that_are_none(texts, message):
    with pytest.raises(TypeError, match=message):
        check_texts(texts)


def test_a_series_of_any_index_is_its_texts():
    assert check_texts(pd.Series(["a", "b"], index=[7, 7])) == ["a", "b"]
    assert check_texts(word for word in "ab") == ["a", "b"]


# --- words --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, words",
    [
        ("It isn’t dull: not a BAD film!", ["it", "isn't", "dull", "not", "a", "bad", "film"]),
        ("isn\x92t ʼtis 'quoted' films' ''", ["isn't", "tis", "quoted", "films"]),
        ("don´t, didn`t, ``quoted´´", ["don't", "didn't", "quoted"]),
        ("a not-so-good film — 9/10", ["a", "not", "so", "good", "film", "9", "10"]),
        ("cafe\u0301 café NAÏVE x\u0300y", ["café", "café", "naïve", "x\u0300y"]),
        ("این فیلم خیلی خوب بود، می‌شود دید.", "این فیلم خیلی خوب بود می‌شود دید".split(" ")),
        ("مُدَرِّس हिन्दी", ["مُدَرِّس", "हिन्दी"]),
        ("un\u00adhappy snake_case", ["unhappy", "snake", "case"]),
        ("a\x85b\x00c\ud800d\u200ce\u200c", ["a", "b", "c", "d\u200ce"]),
        ("❤️🙂 !? '", []),
        ("", []),
        ("好电影", ["好电影"]),
    ],
)
def test_words(text, words):
    assert split_words(text) == words


@given(st.text(st.characters()))
def test_words_lose_no_letter_and_are_their_own_words(text):
    words = split_words(text)
    assert split_words(" ".join(words)) == words

    def letters(text):  # a soft hyphen or an apostrophe is no letter, even where Unicode says so
        text = unicodedata.normalize("NFC", text.lower().replace("ʼ", ""))
        return [c for c in text.replace("\u00ad", "") if c.isalnum()]

    assert letters("".join(words)) == letters(text)


def test_no_review_loses_a_letter(reviews):
    for text in reviews["text"]:
        assert [c for word in split_words(text) for c in word if c.isalnum()] == [
            c for c in unicodedata.normalize("NFC", text.lower()) if c.isalnum()
        ]


def test_a_text_is_asked_for():
    with pytest.raises(TypeError, match="expected a text, got float"):
        split_words(float("nan"))


# --- the vocabulary -----------------------------------------------------------------------------


def test_ids_are_by_frequency_and_the_rare_unknown():
    vocabulary = Vocabulary(["a good film", "good, good!", "a bad film"])
    assert vocabulary.ids == {"good": 2, "a": 3, "film": 4}
    assert len(vocabulary) == 5
    assert vocabulary.encode("A GOOD zyzzyva") == [3, 2, UNKNOWN]
    assert vocabulary.encode(" !") == [UNKNOWN]
    assert "good" in vocabulary and "bad" not in vocabulary
    assert "bad" in Vocabulary(["bad"], min_count=1)
    assert len(Vocabulary([])) == 2
    assert pickle.loads(pickle.dumps(vocabulary)).ids == vocabulary.ids


def test_the_vocabulary_knows_training_words_only(reviews):
    train, valid, test = split_reviews(reviews)
    vocabulary = Vocabulary(train["text"])
    words = {word for text in train["text"] for word in split_words(text)}
    assert set(vocabulary.ids) < words
    for part in (valid, test):
        ids = [number for text in part["text"] for number in vocabulary.encode(text)]
        assert max(ids) < len(vocabulary) and 0.08 < ids.count(UNKNOWN) / len(ids) < 0.13


# --- batches ------------------------------------------------------------------------------------


def test_ids_and_vectors_are_padded_with_their_mask():
    (batch,) = batches(Sentences([[5, 6, 7], [8]], [1, 0.25], padding=9), 2)
    assert batch["inputs"].tolist() == [[8, 9, 9], [5, 6, 7]]
    assert batch["inputs"].dtype == batch["mask"].dtype == torch.long
    assert batch["mask"].tolist() == [[1, 0, 0], [1, 1, 1]]
    assert batch["targets"].tolist() == [0.25, 1]
    vectors = [np.ones((2, 3), dtype=np.float16), np.ones((1, 3), dtype=np.float16)]
    (batch,) = batches(Sentences(vectors), 2)
    assert batch["inputs"].dtype == torch.float32
    assert batch["inputs"].sum(dim=2).tolist() == [[3, 0], [3, 3]]
    assert {len(value) for value in batch.values()} == {2}  # where the number of items is found


def test_columns_of_a_shuffled_table_keep_their_rows_together():
    table = pd.DataFrame({"ids": [[5], [6, 6], [7] * 3], "label": [0, 1, 0.5]}, index=[2, 0, 1])
    assert [*Sentences(table["ids"], table["label"])] == [([5], 0), ([6, 6], 1), ([7] * 3, 0.5)]


@pytest.mark.parametrize(
    "sequences, targets, message",
    [
        ([[5], []], None, "at least one step per sequence, got none in 1"),
        ([[5]], [1, 0], r"expected 1 targets, got shape \(2,\)"),
        ([[5], [6]], [[1], [0]], r"expected 2 targets, got shape \(2, 1\)"),
        ([[5], [6]], [1, -1], "from 0 .* got -1"),
        ([[5]], [float("nan")], "got nan"),
    ],
)
def test_sentences_say_what_is_wrong(sequences, targets, message):
    with pytest.raises(ValueError, match=message):
        Sentences(sequences, targets)


def test_every_sentence_once_per_epoch_in_batches_of_one_length():
    lengths = np.random.default_rng(0).integers(3, 80, 1000)
    order = LengthBatches(lengths, 16, seed=1)
    first, second = list(order), list(order)
    for epoch in (first, second):
        assert sorted(row for batch in epoch for row in batch) == list(range(1000))
        spread = [lengths[batch].max() - lengths[batch].min() for batch in epoch]
        assert max(spread) <= 8
    assert list(LengthBatches(lengths, 16, seed=1)) == first
    means = [lengths[batch].mean() for batch in first]
    assert means != sorted(means)  # the batches' order is random
    assert len(order) == 63


def test_neighbours_change_from_epoch_to_epoch():
    order = LengthBatches([5] * 40 + [6] * 40, 8, seed=0)
    first, second = ({frozenset(batch) for batch in order} for _ in range(2))
    assert not first & second
    mixed = [batch for batch in first if min(batch) < 40 <= max(batch)]
    assert len(mixed) > 5  # lengths that differ by one share batches, too


def test_without_a_seed_sorted_by_length():
    assert list(LengthBatches([5, 3, 4, 3], 2)) == [[1, 3], [2, 0]]


def test_an_iterator_that_nobody_reads_draws_nothing():
    one, other = (batches(Sentences([[1]] * 40), 4, seed=0).batch_sampler for _ in range(2))
    iter(one)  # as some progress bars do
    assert list(one) == list(other)


def test_batches_say_what_is_wrong():
    for size in (0, 2.5, None):
        with pytest.raises(ValueError, match=f"batch_size .* got {size}"):
            LengthBatches([1], size)
