"""The classifier of notebook 4: pooling, tokens, training, use and keeping."""

import ast
import json
import re
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    AlbertConfig,
    AlbertModel,
    BertConfig,
    BertForMaskedLM,
    BertModel,
    DebertaV2Config,
    DebertaV2Model,
    DistilBertConfig,
    DistilBertModel,
    ElectraConfig,
    ElectraModel,
    GPT2Config,
    GPT2Model,
    ModernBertConfig,
    ModernBertModel,
    MPNetConfig,
    MPNetModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
    T5Config,
    T5EncoderModel,
)

from helpers import sentiment, training
from helpers.sentiment import SentimentClassifier, pool, tokenize

WORDS = "a bad best film good great it kind not of story the this was worst".split()
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
GOOD = ["a good film", "the best story", "it was great", "a kind of great film", "good"]
BAD = ["a bad film", "the worst story", "it was bad", "not a good film", "worst of the worst"]


def tiny_tokenizer(words=WORDS, special=SPECIAL) -> PreTrainedTokenizerFast:
    vocabulary = {piece: number for number, piece in enumerate([*special, *words])}
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


SIZES = {
    "vocab_size": len(SPECIAL) + len(WORDS),
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_size": 16,
    "intermediate_size": 32,
    "max_position_embeddings": sentiment.MAX_TOKENS,
    "pad_token_id": 0,
}


def tiny_encoder(model=BertModel, config=BertConfig, **sizes):
    torch.manual_seed(0)
    return model(config(**{**SIZES, **sizes})).eval()


def tiny(encoder=None, **settings) -> SentimentClassifier:
    """With an LSTM in two directions, where the settings do not say otherwise."""
    settings = {"hidden_size": 4, "pooling": "max", "bidirectional": True} | settings
    return SentimentClassifier(encoder or tiny_encoder(), **settings).eval()


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


@pytest.mark.parametrize("kind", [torch.bool, torch.float32, torch.int32])
@pytest.mark.parametrize("how", sentiment.POOLINGS[1:])
def test_a_mask_of_any_type_and_padding_anywhere(how, kind):
    expected = pool(STATES, MASK, how)
    for order in ([2, 0, 1], [0, 2, 1]):  # padding on the left, and in the middle
        assert torch.equal(pool(STATES[:, order], MASK[:, order].to(kind), how)[:1], expected[:1])
    one = torch.tensor([[1, 0, 0], [0, 0, 1]])  # a single real step is its own pool
    assert torch.equal(pool(STATES, one.to(kind), how), STATES[[0, 1], [0, 2]])


def test_in_two_directions_each_half_is_taken_where_it_has_read_everything():
    lstm = torch.nn.LSTM(3, 2, batch_first=True, bidirectional=True)
    sentence = torch.randn(1, 4, 3)
    alone, (last, _) = lstm(sentence)
    with_padding = torch.cat([alone, torch.full((1, 3, 4), 9.0)], dim=1)
    mask = torch.tensor([[1, 1, 1, 1, 0, 0, 0]])
    pooled = pool(with_padding, mask, "last real step", bidirectional=True)
    assert torch.equal(pooled, torch.cat([last[0], last[1]], dim=1))


def test_the_classifier_pools_both_directions(tokenizer):
    model = tiny(pooling="last real step")
    batch = tokenize(["good film", "a"], tokenizer)
    batch = batch.collate([batch[0], batch[1]])
    finals = []
    model.lstm.register_forward_hook(lambda *io: finals.append(torch.cat([*io[2][1][0]], dim=1)))
    with torch.no_grad():
        logits = model(batch["inputs"], batch["mask"])
        assert torch.allclose(logits, model.out(finals[0]).squeeze(1), atol=1e-6)
        assert torch.equal(logits, model(batch["inputs"], batch["mask"].bool()))
        assert torch.equal(logits, model(batch["inputs"], batch["mask"].float()))


def test_pool_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"last real step.*got 'first'"):
        pool(STATES, MASK, "first")
    with pytest.raises(ValueError, match=r"\(2, 3, 2\) and \(2, 2\)"):
        pool(STATES, MASK[:, :2], "max")
    for how in sentiment.POOLINGS:
        with pytest.raises(ValueError, match="at least one real step"):
            pool(STATES, torch.zeros_like(MASK), how)
        with pytest.raises(ValueError, match=r"a mask of 1 and 0, got \[-1"):
            pool(STATES, MASK.float() - 1, how)
    with pytest.raises(ValueError, match="backward half has read one step"):
        pool(STATES, MASK, "last step", bidirectional=True)
    with pytest.raises(ValueError, match="backward half has read one step"):
        tiny(pooling="last step")
    with pytest.raises(ValueError, match="expected pooling"):
        tiny(pooling="sum")
    with pytest.raises(ValueError, match=r"expected an LSTM.*hidden_size=0"):
        tiny(hidden_size=0)


def test_without_an_lstm_the_mean_of_the_real_vectors_is_judged(tokenizer):
    model = SentimentClassifier(tiny_encoder()).eval()
    sentences = tokenize(["good film", "a kind of great film"], tokenizer)
    batch = sentences.collate([sentences[0], sentences[1]])
    ids, mask = batch["inputs"], batch["mask"]
    with torch.no_grad():
        vectors = model.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        means = torch.stack([v[: m.sum()].mean(0) for v, m in zip(vectors, mask, strict=True)])
        expected = means @ model.out.weight[0] + model.out.bias
        torch.testing.assert_close(model(ids, mask), expected)
    assert not any("lstm" in name for name in model.state_dict())


@pytest.mark.parametrize("mask", [[[0, 1, 1]], [[1, 0, 1]]])
def test_the_classifier_refuses_padding_that_is_not_on_the_right(mask):
    with pytest.raises(ValueError, match="all padding on the right"):
        tiny()(torch.ones(1, 3, dtype=torch.long), torch.tensor(mask))


@pytest.mark.parametrize("how", sentiment.POOLINGS)
def test_padding_changes_the_answer_of_the_last_step_only(how, tokenizer):
    model = tiny(pooling=how, bidirectional=how != "last step")
    sentences = tokenize(["good film"], tokenizer)
    batch = sentences.collate([sentences[0]])
    with torch.no_grad():
        short = model(batch["inputs"], batch["mask"])
        long = model(*(torch.nn.functional.pad(batch[k], (0, 5)) for k in ("inputs", "mask")))
    same = torch.allclose(short, long, atol=1e-6)
    assert same == (how != "last step")


# --- tokens -------------------------------------------------------------------------------------


def test_tokens_are_those_of_the_tokenizer(tokenizer, capsys):
    sentences = tokenize(["good", "the best film"], tokenizer, [1, 0.25])
    assert sentences.sequences[0] == tokenizer("good")["input_ids"]
    assert sentences.lengths.tolist() == [3, 5]  # [CLS] … [SEP]
    assert (sentences.targets.tolist(), sentences.padding) == ([1, 0.25], 0)
    assert tokenize(["good " * 1000], tokenizer).lengths.tolist() == [sentiment.MAX_TOKENS]
    capsys.readouterr()
    cut = tokenize(["good " * 9, "a", "bad " * 20], tokenizer, max_length=6)
    assert cut.sequences == [[2, *[9] * 4, 3], [2, 5, 3], [2, *[6] * 4, 3]]
    assert capsys.readouterr().out == "2 of 3 texts have more than 6 tokens and are cut there.\n"
    short = tiny_tokenizer()
    short.model_max_length = 6
    assert tokenize(["good " * 9], short).lengths.tolist() == [6]


def test_a_tokenizer_without_padding_or_special_tokens():
    bare = tiny_tokenizer()
    bare.backend_tokenizer.post_processor = processors.Sequence([])
    assert tokenize(["", "good"], bare).sequences == [[1], [9]]  # nothing is one unknown token
    bare.pad_token = None
    with pytest.raises(ValueError, match="set its pad_token"):
        tokenize(["good"], bare)
    with pytest.raises(ValueError, match="max_length to be at least 3, got 2"):
        tokenize(["good"], tiny_tokenizer(), max_length=2)
    slow = type("Slow", (), {"is_fast": False})()
    with pytest.raises(ValueError, match="a fast tokenizer, as AutoTokenizer gives, got Slow"):
        tokenize(["good"], slow)


# --- training -----------------------------------------------------------------------------------


def corpus(tokenizer):
    return tokenize(GOOD + BAD, tokenizer, [1] * 5 + [0] * 5)


def test_fine_tuning_learns_and_leaves_what_is_frozen(tokenizer):
    model, sentences = tiny(), corpus(tokenizer)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    history = sentiment.fine_tune(
        model,
        sentences,
        sentences,
        epochs=60,
        learning_rate=5e-3,
        head_learning_rate=3e-2,
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
    for drawn_before in range(2):
        model = tiny()
        torch.manual_seed(drawn_before)
        sentences = corpus(tokenizer)
        sentiment.fine_tune(model, sentences, sentences, epochs=2, batch_size=4, progress=False)
        answers.append(sentiment.predict(model, tokenizer, GOOD))
    assert np.array_equal(*answers)


def test_every_batch_has_its_learning_rate_decay_and_clipped_gradient(tokenizer, monkeypatch):
    seen, norms, fit = [], [], training.fit

    def note(optimizer, *_):
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        norms.append(torch.cat([weight.grad.flatten() for weight in weights]).norm().item())
        seen.append([(group["lr"], group["weight_decay"]) for group in optimizer.param_groups])

    def noted(*args, optimizer, **options):
        optimizer.register_step_pre_hook(note)
        return fit(*args, optimizer=optimizer, **options)

    monkeypatch.setattr(training, "fit", noted)
    sentences = tokenize((GOOD + BAD) * 5, tokenizer, ([1] * 5 + [0] * 5) * 5)
    model = tiny()
    model.out.weight.data *= 100  # for a long gradient
    sentiment.fine_tune(
        model,
        sentences,
        sentences,
        epochs=2,
        learning_rate=1e-3,
        head_learning_rate=5e-3,
        batch_size=2,
        progress=False,
    )
    assert len(seen) == 25 + 25
    # up to batch 3 by 1 / 4 per batch, then down to 2% of the highest
    factors = [min((n + 1) / 4, 1 - 0.98 * n / 50) for n in range(50)]
    assert [row[0][0] for row in seen] == pytest.approx([1e-3 * factor for factor in factors])
    assert [row[1][0] for row in seen] == pytest.approx([5e-3 * factor for factor in factors])
    assert {decay for row in seen for _, decay in row} == {0.01}
    assert max(norms) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"epochs": 0}, "epochs"),
        ({"frozen_layers": 3}, "from 0 to 2, got 3"),
        ({"batch_size": 0}, "batch_size"),
        ({"valid": tokenize(GOOD, tiny_tokenizer())}, "with targets to learn from"),
    ],
)
def test_fine_tuning_says_what_is_wrong(change, message, tokenizer):
    sentences = corpus(tokenizer)
    with pytest.raises(ValueError, match=message):
        given = {"valid": sentences, "epochs": 1, "progress": False}
        sentiment.fine_tune(tiny(), sentences, **{**given, **change})


# --- other encoders -----------------------------------------------------------------------------

DISTILBERT = (DistilBertModel, DistilBertConfig)
ROBERTA = (RobertaModel, RobertaConfig)
MPNET = (MPNetModel, MPNetConfig)
MODERN = {"cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3}
PADDING_IS_1 = ["[UNK]", "[PAD]", *SPECIAL[2:]]


@pytest.mark.parametrize(
    "kind, sizes, special, changes",
    [
        (DISTILBERT, {"dim": 16, "n_layers": 2, "n_heads": 2}, SPECIAL, "transformer.layer.1"),
        (ROBERTA, {}, SPECIAL, "encoder.layer.1"),
        (MPNET, {"pad_token_id": 1}, PADDING_IS_1, "encoder.layer.1"),
        ((ElectraModel, ElectraConfig), {"embedding_size": 8}, SPECIAL, "encoder.layer.1"),
        ((DebertaV2Model, DebertaV2Config), {}, SPECIAL, "encoder.layer.1"),
        ((ModernBertModel, ModernBertConfig), MODERN, SPECIAL, "layers.1"),
    ],
    ids=lambda value: value[0].__name__ if isinstance(value, tuple) else "",
)
def test_other_encoders_are_tuned_saved_and_used(kind, sizes, special, changes, tmp_path):
    model = tiny(tiny_encoder(*kind, **sizes))
    tokenizer = tiny_tokenizer(special=special)
    before = {name: value.clone() for name, value in model.encoder.named_parameters()}
    sentences = corpus(tokenizer)
    sentiment.fine_tune(model, sentences, sentences, epochs=1, frozen_layers=1, progress=False)
    changed = [n for n, value in model.encoder.named_parameters() if not value.equal(before[n])]
    assert changed and all(name.startswith(changes) for name in changed)
    texts = ["good " * 500, "bad"]  # RoBERTa has one position less than MAX_TOKENS here
    answers = sentiment.predict(model, tokenizer, texts)
    again = sentiment.load(sentiment.save(model, tokenizer, tmp_path / "mine"))
    assert np.array_equal(answers, sentiment.predict(*again, texts))


def test_an_encoder_whose_layers_share_their_weights(tokenizer):
    model, sentences = tiny(tiny_encoder(AlbertModel, AlbertConfig)), corpus(tokenizer)
    sentiment.fine_tune(model, sentences, sentences, epochs=1, progress=False)
    assert sentiment.predict(model, tokenizer, GOOD).shape == (5,)


@pytest.mark.parametrize(
    "encoder",
    [
        lambda: GPT2Model(GPT2Config(**{**SIZES, **MODERN})),
        lambda: T5EncoderModel(T5Config(vocab_size=20, d_model=16, d_kv=8, d_ff=32, num_layers=1)),
        lambda: BertForMaskedLM(BertConfig(**SIZES)),
        lambda: torch.nn.Linear(2, 2),
    ],
)
def test_what_is_no_encoder_is_refused_by_name(encoder):
    encoder = encoder()
    with pytest.raises(ValueError, match=f"BERT-like .* got {type(encoder).__name__}"):
        SentimentClassifier(encoder)


@pytest.mark.parametrize(
    "kind, sizes, message",
    [
        ((BertModel, BertConfig), {"vocab_size": 12}, "ids below 12, .* got ids up to 19"),
        (ROBERTA, {"pad_token_id": 1}, "padding id 1; .* padding id 0"),
        (ROBERTA, {"max_position_embeddings": 7}, "at most 6 tokens, .* 7 tokens"),
    ],
)
def test_an_encoder_that_does_not_fit_is_refused_before_the_training(
    kind, sizes, message, tokenizer, monkeypatch
):
    monkeypatch.setattr(training, "fit", lambda *_, **__: pytest.fail("the training has started"))
    model, sentences = tiny(tiny_encoder(*kind, **sizes)), corpus(tokenizer)
    with pytest.raises(ValueError, match=message):
        sentiment.fine_tune(model, sentences, sentences, epochs=1)
    assert all(weight.requires_grad for weight in model.parameters())


# --- use ----------------------------------------------------------------------------------------


def test_answers_come_in_the_order_of_the_texts(tokenizer):
    model = tiny()
    texts = ["good", "the best film of the story it was", "bad film", "good"]
    together = sentiment.predict(model, tokenizer, texts, batch_size=2)
    alone = [sentiment.predict(model, tokenizer, [text])[0] for text in texts]
    assert together == pytest.approx(alone, abs=1e-6)
    assert together.dtype == np.float64
    assert len(set(together.round(6))) == 3


def test_a_long_text_is_read_to_its_end(tokenizer, capsys):
    model = tiny(tiny_encoder(max_position_embeddings=6))  # windows of 4 words
    texts = ["good best film a bad worst story it not", "bad"]
    answers = sentiment.predict(model, tokenizer, texts, batch_size=1)
    assert capsys.readouterr().out == (
        "1 of 2 texts have more than 6 tokens: they are read in 3 windows, and the logits of each "
        "text are averaged.\n"
    )
    windows = sentiment.predict(
        model, tokenizer, ["good best film a", "bad worst story it", "not"], progress=False
    )
    assert capsys.readouterr().out == ""
    logits = np.log(windows / (1 - windows))
    expected = 1 / (1 + np.exp(-np.average(logits, weights=[6, 6, 3])))
    assert answers[0] == pytest.approx(expected, abs=1e-6)
    assert abs(answers[0] - windows[0]) > 1e-5  # what was cut off would be answered like the first


def test_nothing_in_nothing_out(tokenizer):
    assert sentiment.predict(tiny(), tokenizer, []).shape == (0,)


def test_strange_texts_get_an_answer(tokenizer):
    texts = [
        "",
        "   ",
        "🙂🙃",
        "این فیلم خوب بود",
        "好电影",
        "\x00\u0085\n",
        "\ud800",
        "good " * 5000,
    ]
    answers = sentiment.predict(tiny(), tokenizer, texts)
    assert answers.shape == (8,) and ((answers > 0) & (answers < 1)).all()


def test_predicting_says_what_is_wrong(tokenizer):
    with pytest.raises(TypeError, match=r"pass one column of it, for example df\['text'\]"):
        sentiment.predict(tiny(), tokenizer, pd.DataFrame({"text": ["good"]}))
    with pytest.raises(TypeError, match=r"got a dict; pass one column of it"):
        sentiment.predict(tiny(), tokenizer, {"text": ["good"]})
    with pytest.raises(TypeError, match="strings, got int at position 0"):
        sentiment.predict(tiny(), tokenizer, pd.Series([1, 2]))
    with pytest.raises(ValueError, match="batch_size"):
        sentiment.predict(tiny(), tokenizer, ["good"], batch_size=0)
    with pytest.raises(ValueError, match="ids below 12"):
        sentiment.predict(tiny(tiny_encoder(vocab_size=12)), tokenizer, GOOD)


def test_predicting_uses_no_dropout_and_leaves_the_mode_as_it_was(tokenizer):
    model = tiny(dropout=0.9).train()
    first, second = (sentiment.predict(model, tokenizer, GOOD) for _ in range(2))
    assert np.array_equal(first, second)
    assert model.training


# --- keeping ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"pooling": "mean", "bidirectional": False, "labels": ("ham", "spam")},
        {"hidden_size": 0, "pooling": "mean", "bidirectional": False},
        {"encoder": BertForMaskedLM(BertConfig(**SIZES)).bert},  # has no pooler
        {"encoder": tiny_encoder().half()},
    ],
    ids=["usual", "one direction", "no LSTM", "no pooler", "half precision"],
)
def test_saved_and_loaded_gives_the_same_answers(settings, tokenizer, tmp_path):
    model = tiny(**settings)
    folder = sentiment.save(model, tokenizer, tmp_path / "models" / "mine")
    again, tokenizer_again = sentiment.load(folder)
    texts = [*GOOD, "", "🙂"]
    before = sentiment.predict(model, tokenizer, texts)
    assert np.array_equal(before, sentiment.predict(again, tokenizer_again, texts))
    assert not again.training and again.settings == model.settings
    assert again.labels == model.labels
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["mine"]


def test_saving_again_replaces(tokenizer, tmp_path):
    sentiment.save(tiny(), tokenizer, tmp_path / "mine")
    other = tiny(pooling="mean")
    sentiment.save(other, tokenizer, tmp_path / "mine")
    assert sentiment.load(tmp_path / "mine")[0].settings == other.settings


@pytest.mark.parametrize("fails", ["save_file", "rename"])
def test_a_failed_save_leaves_the_old_one(fails, tokenizer, tmp_path, monkeypatch):
    model = tiny()
    sentiment.save(model, tokenizer, tmp_path / "mine")
    rename = Path.rename

    def full_disk(*args):
        if fails == "rename" and args[0].name != "new":
            return rename(*args)
        raise OSError("no space left on device")

    monkeypatch.setattr(
        *{"save_file": (sentiment, fails), "rename": (Path, fails)}[fails], full_disk
    )
    with pytest.raises(OSError, match="no space"):
        sentiment.save(tiny(pooling="mean"), tokenizer, tmp_path / "mine")
    monkeypatch.undo()
    assert sentiment.load(tmp_path / "mine")[0].settings == model.settings
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_folder_of_something_else_is_left_alone(tokenizer, tmp_path):
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    assert sentiment.save(tiny(), tokenizer, thesis) == thesis  # an empty folder is taken
    (thesis / "chapter.tex").write_text("dear reader")
    for content in ("beside a classifier", "alone"):
        with pytest.raises(FileExistsError, match=r"something else: .*chapter\.tex"):
            sentiment.save(tiny(), tokenizer, thesis)
        assert (thesis / "chapter.tex").read_text() == "dear reader", content
        (thesis / "classifier.json").unlink(missing_ok=True)
    with pytest.raises(FileExistsError, match="a file"):
        sentiment.save(tiny(), tokenizer, thesis / "chapter.tex")


def test_a_tokenizer_of_another_encoder_is_not_kept(tokenizer, tmp_path):
    with pytest.raises(ValueError, match="at most 12 tokens, as the encoder has, got 20"):
        sentiment.save(tiny(tiny_encoder(vocab_size=12)), tokenizer, tmp_path / "mine")
    assert not list(tmp_path.iterdir())


def test_whatever_is_wrong_in_a_folder_is_named(tokenizer, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no classifier\.json"):
        sentiment.load(tmp_path)
    folder = sentiment.save(tiny(), tokenizer, tmp_path / "mine")
    names = sorted(path.name for path in folder.iterdir())
    assert {"classifier.safetensors", "config.json", "tokenizer.json"} < set(names)
    for path in [folder / name for name in names]:
        content = path.read_bytes()
        flipped = bytearray(content)
        flipped[len(content) // 2] ^= 0x80
        path.write_bytes(flipped)
        with pytest.raises(ValueError, match=rf"{path.name} is (not as it was saved|damaged)"):
            sentiment.load(folder)
        path.unlink()
        with pytest.raises(FileNotFoundError, match=f"found no {path.name}"):
            sentiment.load(folder)
        path.write_bytes(content)
    sentiment.load(folder)


def changed(folder, sign, **change) -> Path:
    """The folder, with something changed in its classifier.json."""
    path = folder / "classifier.json"
    content = {**json.loads(path.read_text()), **change}
    if sign:
        del content["sha256"]
        content["sha256"] = sentiment._digest_of(content)
    path.write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize(
    "change, message",
    [
        ({"format": 1}, "to be of format 3, got 1"),
        ({"settings": {"hidden_size": 4, "units": 4}}, "does not fit the weights .* 'units': 4"),
        ({"settings": {"hidden_size": 5}}, "does not fit the weights"),
        ({"settings": {"pooling": "sum"}}, "does not fit the weights"),
        ({"probe": [2, 7, 3]}, "reads a text differently from when it was saved"),
    ],
)
def test_settings_that_do_not_fit(change, message, tokenizer, tmp_path):
    folder = sentiment.save(tiny(), tokenizer, tmp_path / "mine")
    with pytest.raises(ValueError, match=message):
        sentiment.load(changed(folder, sign=True, **change))


def test_a_setting_that_fits_the_weights_cannot_be_changed(tokenizer, tmp_path):
    folder = sentiment.save(tiny(), tokenizer, tmp_path / "mine")
    settings = tiny(pooling="mean").settings
    with pytest.raises(ValueError, match=r"classifier\.json is not as it was saved"):
        sentiment.load(changed(folder, sign=False, settings=settings))
    (folder / "classifier.json").write_text("[3]")
    with pytest.raises(ValueError, match="is damaged"):
        sentiment.load(folder)


def test_the_tokenizer_of_another_classifier_is_refused(tokenizer, tmp_path):
    folder = sentiment.save(tiny(), tokenizer, tmp_path / "mine")
    other = sentiment.save(tiny(), tiny_tokenizer(WORDS[::-1]), tmp_path / "other")
    (folder / "tokenizer.json").write_bytes((other / "tokenizer.json").read_bytes())
    with pytest.raises(ValueError, match=r"tokenizer\.json is not as it was saved"):
        sentiment.load(folder)


def test_a_folder_that_was_saved_in_another_way(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    tiny().encoder.save_pretrained(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no classifier\.json, which save writes"):
        sentiment.load(tmp_path)


def test_what_could_not_be_loaded_is_not_saved(tokenizer, tmp_path):
    odd = type("Odd", (BertModel,), {})(BertConfig(**SIZES))
    odd.extra = torch.nn.Linear(2, 2)  # AutoModel would build a BertModel without it
    with pytest.raises(ValueError, match="does not fit the weights"):
        sentiment.save(tiny(odd), tokenizer, tmp_path / "mine")
    assert not list(tmp_path.iterdir())


# --- a CSV file of one's own --------------------------------------------------------------------

NOTEBOOK = Path(__file__).resolve().parent.parent / "notebooks" / "04_sentiment_analysis.ipynb"


def test_the_notebooks_recipe_answers_another_file_in_a_new_process(tokenizer, tmp_path):
    draw = np.random.default_rng(0)
    texts = [" ".join(draw.choice(WORDS, draw.integers(3, 9))) for _ in range(80)]
    texts += ["", texts[0], 'he said "good", and left;\nit was bad', "the worst"]
    labels = [*draw.choice(["ham", "spam"], 80), "ham", "spam", "ham", ""]
    file = tmp_path / "mail.csv"
    pd.DataFrame({"kind": labels, "mail": texts}).to_csv(file, index=False, encoding="utf-8-sig")

    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    (start,) = [n for n, cell in enumerate(cells) if "### Your own CSV\n" in cell.source + "\n"]
    code = []
    for cell in cells[start + 1 :]:
        if cell.source.startswith("##"):
            break
        if cell.cell_type == "code" and "CSV =" not in cell.source:  # the notebook's own file
            code.append(cell.source)
    code, lines = re.subn(
        "^FILE, TEXT, LABEL = .*$",
        'FILE, TEXT, LABEL = CSV, "mail", "kind"',
        "\n".join(code),
        flags=re.M,
    )
    assert lines == 1
    names = {}
    for cell in cells:
        if cell.cell_type == "code" and "get_ipython" not in cell.source:
            tree = ast.parse(cell.source)
            tree.body = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
            exec(compile(tree, NOTEBOOK.name, "exec"), names)
    rival = SimpleNamespace(predict=lambda texts: np.zeros(len(texts), dtype=int))
    names |= {
        "CSV": file,
        "ENCODER": "tiny",
        "bag_of_words": lambda: SimpleNamespace(fit=lambda *_: rival),
        "data": SimpleNamespace(
            cache_folder=lambda: tmp_path, load_encoder=lambda *_: (tokenizer, tiny_encoder())
        ),
        "device": torch.device("cpu"),
        "training": SimpleNamespace(threads=nullcontext),
    }
    exec(code, names)

    answers = pd.read_csv(names["RESULT"], keep_default_na=False, encoding="utf-8-sig")
    assert answers["row"].tolist() == list(range(len(texts))) and answers["text"].tolist() == texts
    here = sentiment.predict(names["own_classifier"], tokenizer, texts)
    assert answers["probability"].to_numpy() == pytest.approx(here, abs=1e-6)
    assert len(set(here.round(5))) > 40  # another order would be seen
    said = np.where(answers["probability"] > 0.5, "spam", "ham")
    assert answers["answer"].tolist() == said.tolist()
