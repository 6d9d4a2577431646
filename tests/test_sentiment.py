"""The classifier of notebook 4: padding, batches, use, keeping, and training in two processes."""

import json

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from helpers import sentiment, training
from helpers.sentiment import LengthBatches, Sentences, SentimentClassifier, pool

WORDS = "a bad best film good great it kind not of story the this was worst".split()
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
GOOD = ["a good film", "the best story", "it was great", "a kind of great film", "good"]
BAD = ["a bad film", "the worst story", "it was bad", "not a good film", "worst of the worst"]


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {piece: number for number, piece in enumerate([*SPECIAL, *WORDS])}
    pieces = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    pieces.normalizer = normalizers.BertNormalizer(lowercase=True)
    pieces.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    pieces.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return PreTrainedTokenizerFast(
        tokenizer_object=pieces,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer()


def tiny_encoder() -> BertModel:
    config = BertConfig(
        vocab_size=len(SPECIAL) + len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=sentiment.LONGEST,
    )
    torch.manual_seed(0)
    return BertModel(config).eval()


def tiny(**settings) -> SentimentClassifier:
    encoder = tiny_encoder()
    return SentimentClassifier(encoder, units=4, **settings).eval()


# --- pooling ------------------------------------------------------------------------------------

STATES = torch.tensor([[[1.0, -5.0], [3.0, -2.0], [99.0, 99.0]], [[-1.0, -1.0]] * 3])  # (2, 3, 2)
MASK = torch.tensor([[1, 1, 0], [1, 1, 1]])


@pytest.mark.parametrize(
    "how, first",
    [
        ("last step", [99.0, 99.0]),
        ("last real step", [3.0, -2.0]),
        ("mean", [2.0, -3.5]),
        ("max", [3.0, -2.0]),
    ],
)
def test_pool_by_hand(how, first):
    pooled = pool(STATES, MASK, how)
    assert pooled.tolist() == [first, [-1.0, -1.0]]


def test_pool_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"last real step.*got 'first'"):
        pool(STATES, MASK, "first")
    with pytest.raises(ValueError, match=r"\(2, 3, 2\) and \(2, 2\)"):
        pool(STATES, MASK[:, :2], "max")
    with pytest.raises(ValueError, match="at least one real step"):
        pool(STATES, torch.zeros_like(MASK), "mean")


@pytest.mark.parametrize("how", sentiment.POOLINGS)
def test_padding_changes_the_answer_of_the_last_step_only(how, tokenizer):
    model = tiny(pooling=how)
    alone = sentiment.Sentences(["good film"], None, tokenizer)
    with torch.no_grad():
        batch = alone.collate([alone[0]])
        short = model(batch["input_ids"], batch["attention_mask"])
        padded = [
            torch.nn.functional.pad(batch[k], (0, 5)) for k in ("input_ids", "attention_mask")
        ]
        long = model(*padded)
    same = torch.allclose(short, long, atol=1e-6)
    assert same == (how != "last step")


# --- sentences and batches ----------------------------------------------------------------------


def test_sentences_are_padded_with_their_mask(tokenizer):
    sentences = Sentences(["good", "the best film"], [1, 0.25], tokenizer, [1, 2])
    batch = sentences.collate([sentences[0], sentences[1]])
    assert batch["input_ids"].shape == batch["attention_mask"].shape == (2, 5)  # [CLS] … [SEP]
    assert batch["attention_mask"].sum(dim=1).tolist() == sentences.lengths.tolist() == [3, 5]
    assert batch["input_ids"][0, 3:].tolist() == [tokenizer.pad_token_id] * 2
    assert batch["targets"].tolist() == [1, 0.25]
    assert batch["weights"].tolist() == [1, 2]


def test_long_texts_are_cut(tokenizer):
    sentences = Sentences(["good " * 1000], None, tokenizer)
    assert sentences.lengths.tolist() == [sentiment.LONGEST]
    assert Sentences(["good " * 9], None, tokenizer, longest=6).lengths.tolist() == [6]


@pytest.mark.parametrize(
    "texts, targets, weights, error, message",
    [
        ("good", [1], None, TypeError, r"one string; write \[text\]"),
        (["good", None], [1, 1], None, TypeError, "NoneType at position 1"),
        (["good", 3.5], [1, 1], None, TypeError, "float at position 1"),
        (["good"], [1, 0], None, ValueError, "expected 1 targets, one a text, got 2"),
        (["good"], [1], [1, 1], ValueError, "expected 1 weights, one a text, got 2"),
        (["good"], [-1], None, ValueError, "between 0"),
        (["good"], [float("nan")], None, ValueError, "between 0"),
    ],
)
def test_sentences_say_what_is_wrong(texts, targets, weights, error, message, tokenizer):
    with pytest.raises(error, match=message):
        Sentences(texts, targets, tokenizer, weights)


def test_every_sentence_once_an_epoch_in_batches_of_one_length():
    lengths = np.random.default_rng(0).integers(3, 80, 1000)
    order = LengthBatches(lengths, 16, seed=1)
    first, second = list(order), list(order)
    for epoch in (first, second):
        assert sorted(row for batch in epoch for row in batch) == list(range(1000))
        spread = [lengths[batch].max() - lengths[batch].min() for batch in epoch]
        assert max(spread) <= 8
    assert first != second
    assert list(LengthBatches(lengths, 16, seed=1)) == first
    means = [lengths[batch].mean() for batch in first]
    assert means != sorted(means)  # the batches' order is random
    assert len(order) == 63


def test_without_a_seed_sorted_by_length():
    assert list(LengthBatches([5, 3, 4, 3], 2)) == [[1, 3], [2, 0]]


def test_stages_are_the_epochs_rows():
    order = LengthBatches([1, 2, 3, 4], 2, stages=[[0, 1, 2, 3], [3, 2, 1]])
    assert (len(order), list(order)) == (2, [[0, 1], [2, 3]])
    assert (len(order), list(order)) == (2, [[1, 2], [3]])
    assert list(order) == [[1, 2], [3]]  # the last stage again


def test_batches_say_what_is_wrong():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        LengthBatches([1], 0)
    for rows in ([], [2], [-1]):
        with pytest.raises(ValueError, match="stage 1 to hold rows from 0 to 1"):
            LengthBatches([1, 1], 2, stages=[[0], rows])


# --- training -----------------------------------------------------------------------------------


def corpus(tokenizer):
    return Sentences(GOOD + BAD, [1] * 5 + [0] * 5, tokenizer)


def test_fine_tuning_learns_and_leaves_what_is_frozen(tokenizer):
    model, sentences = tiny(), corpus(tokenizer)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    history = sentiment.fine_tune(
        model,
        sentences,
        sentences,
        stages=[range(10)] * 60,
        rate=5e-3,
        head_rate=3e-2,
        batch_size=5,
        frozen_layers=1,
        progress=False,
    )
    assert history.train_loss[-1] < 0.3 < history.train_loss[0]
    answers = sentiment.predict(model, tokenizer, GOOD + BAD) > 0.5
    assert answers.tolist() == [True] * 5 + [False] * 5
    changed = {
        name.split(".")[0] if "layer" not in name else ".".join(name.split(".")[:4])
        for name, value in model.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert changed == {"encoder.encoder.layer.1", "lstm", "out"}


def test_fine_tuning_is_the_same_again(tokenizer):
    answers = []
    for _ in range(2):
        model = tiny()
        sentences = corpus(tokenizer)
        sentiment.fine_tune(
            model, sentences, sentences, stages=[range(10)] * 2, batch_size=4, progress=False
        )
        answers.append(sentiment.predict(model, tokenizer, GOOD))
    assert np.array_equal(*answers)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"stages": []}, "at least one stage"),
        ({"frozen_layers": 3}, "from 0 to 2, got 3"),
        ({"warm_up": 1.0}, "warm_up"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_fine_tuning_says_what_is_wrong(change, message, tokenizer):
    sentences = corpus(tokenizer)
    with pytest.raises(ValueError, match=message):
        sentiment.fine_tune(
            tiny(), sentences, sentences, **{"stages": [range(10)], "progress": False, **change}
        )


def _train_in_this_process(folder, processes):
    """The same call in one process and in two: sorted batches, no dropout, plain descent."""
    from accelerate import Accelerator

    tokenizer = tiny_tokenizer()
    torch.set_num_threads(1)
    accelerator = Accelerator(cpu=True) if processes > 1 else None
    encoder = tiny_encoder()
    torch.manual_seed(1)
    model = SentimentClassifier(encoder, units=4, dropout=0.0)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    model.encoder.pooler.requires_grad_(False)  # plays no part, so it gets no gradient
    sentences = Sentences((GOOD + BAD)[:8], [1] * 5 + [0] * 3, tokenizer)
    history = training.fit(
        model,
        sentiment.batches(sentences, 8 // processes // 2),
        sentiment.batches(sentences, 8 // processes),
        loss=sentiment.weighted_loss,
        optimizer=torch.optim.SGD((p for p in model.parameters() if p.requires_grad), lr=0.05),
        epochs=3,
        clip_norm=1.0,
        accelerator=accelerator,
        progress=False,
    )
    if accelerator is None or accelerator.is_main_process:
        torch.save(model.state_dict(), f"{folder}/weights-{processes}.pt")
        result = {"losses": history.valid_loss, "processes": 1}
        if accelerator is not None:
            result["processes"] = accelerator.num_processes
        with open(f"{folder}/result-{processes}.json", "w") as file:
            json.dump(result, file)


def test_two_processes_train_as_one_does(tmp_path):
    from accelerate import debug_launcher

    debug_launcher(_train_in_this_process, args=(str(tmp_path), 2), num_processes=2)
    _train_in_this_process(str(tmp_path), 1)
    alone, shared = (torch.load(tmp_path / f"weights-{n}.pt") for n in (1, 2))
    results = [json.loads((tmp_path / f"result-{n}.json").read_text()) for n in (1, 2)]
    assert [result["processes"] for result in results] == [1, 2]
    assert results[0]["losses"] == pytest.approx(results[1]["losses"], abs=1e-5)
    for name, value in alone.items():
        assert torch.allclose(value, shared[name], atol=1e-5), name


# --- use ----------------------------------------------------------------------------------------


def test_answers_come_in_the_order_of_the_texts(tokenizer):
    model = tiny()
    texts = ["good", "the best film of the story it was", "bad film", "good"]
    together = sentiment.predict(model, tokenizer, texts, batch_size=2)
    alone = [sentiment.predict(model, tokenizer, [text])[0] for text in texts]
    assert together == pytest.approx(alone, abs=1e-6)
    assert together.dtype == np.float64
    assert len(set(together.round(6))) == 3


def test_nothing_in_nothing_out(tokenizer):
    assert sentiment.predict(tiny(), tokenizer, []).shape == (0,)


def test_strange_texts_get_an_answer(tokenizer):
    texts = ["", "   ", "🙂🙃", "این فیلم خوب بود", "好电影", "\x00\u0085\n", "good " * 5000]
    answers = sentiment.predict(tiny(), tokenizer, texts)
    assert answers.shape == (7,) and ((answers > 0) & (answers < 1)).all()


def test_ten_thousand_texts(tokenizer):
    texts = [" ".join(WORDS[i % 15 : i % 15 + 1 + i % 7]) for i in range(10_000)]
    answers = sentiment.predict(tiny(), tokenizer, texts, batch_size=256)
    assert answers.shape == (10_000,)
    few = sentiment.predict(tiny(), tokenizer, texts[:30])
    assert answers[:30] == pytest.approx(few, abs=1e-6)


def test_predicting_says_what_is_wrong(tokenizer):
    with pytest.raises(TypeError, match="one string"):
        sentiment.predict(tiny(), tokenizer, "good film")
    with pytest.raises(TypeError, match="bytes at position 1"):
        sentiment.predict(tiny(), tokenizer, ["good", b"bad"])
    with pytest.raises(ValueError, match="batch_size"):
        sentiment.predict(tiny(), tokenizer, ["good"], batch_size=0)


def test_predicting_uses_no_dropout_and_leaves_the_mode_as_it_was(tokenizer):
    model = tiny(dropout=0.9).train()
    first, second = (sentiment.predict(model, tokenizer, GOOD) for _ in range(2))
    assert np.array_equal(first, second)
    assert model.training


def test_unknown_pooling_is_refused():
    with pytest.raises(ValueError, match="expected pooling"):
        tiny(pooling="sum")


# --- keeping ------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"pooling": "mean", "bidirectional": False}])
def test_saved_and_loaded_gives_the_same_answers(settings, tokenizer, tmp_path):
    model = tiny(**settings)
    folder = sentiment.save(model, tokenizer, tmp_path / "models" / "mine")
    again, tokenizer_again = sentiment.load(folder)
    texts = [*GOOD, "", "🙂"]
    before = sentiment.predict(model, tokenizer, texts)
    assert np.array_equal(before, sentiment.predict(again, tokenizer_again, texts))
    assert not again.training and again.settings == model.settings
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["mine"]


def test_saving_again_replaces(tokenizer, tmp_path):
    sentiment.save(tiny(), tokenizer, tmp_path / "mine")
    other = tiny(pooling="mean")
    sentiment.save(other, tokenizer, tmp_path / "mine")
    assert sentiment.load(tmp_path / "mine")[0].settings == other.settings


def test_a_failed_save_leaves_the_old_one(tokenizer, tmp_path, monkeypatch):
    model = tiny()
    sentiment.save(model, tokenizer, tmp_path / "mine")

    def full_disk(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(sentiment, "save_file", full_disk)
    with pytest.raises(OSError, match="no space"):
        sentiment.save(tiny(pooling="mean"), tokenizer, tmp_path / "mine")
    assert sentiment.load(tmp_path / "mine")[0].settings == model.settings
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_folder_of_something_else_is_left_alone(tokenizer, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("dear reader")
    with pytest.raises(FileExistsError, match="something else"):
        sentiment.save(tiny(), tokenizer, tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "dear reader"


def test_loading_says_what_is_wrong(tokenizer, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no classifier\.json"):
        sentiment.load(tmp_path)
    folder = sentiment.save(tiny(), tokenizer, tmp_path / "mine")
    settings = json.loads((folder / "classifier.json").read_text())
    (folder / "classifier.json").write_text(json.dumps({**settings, "format": 99}))
    with pytest.raises(ValueError, match="format"):
        sentiment.load(folder)
