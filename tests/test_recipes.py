"""helpers.recipes: recipes of fine-tuning, on an encoder of a few weights."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from test_sentiment import BAD, GOOD, tiny_encoder, tiny_tokenizer

from helpers import data, experiments, recipes, sentiment
from helpers.text import Split


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path):
    """A tiny encoder, sentences and ratings, and a cache folder of its own."""
    torch.set_num_threads(1)
    monkeypatch.setattr(data, "load_encoder", lambda: (tiny_tokenizer(), tiny_encoder()))
    monkeypatch.setattr(data, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(recipes, "split_reviews", lambda _: parts())
    monkeypatch.setattr(data, "load_reviews", lambda: None)
    ratings = pd.DataFrame({"rating": [4.0, 0.0]}, index=[0, 10])
    monkeypatch.setattr(data, "load_human_ratings", lambda: ratings)


def parts() -> Split:
    table = pd.DataFrame({"text": [*GOOD * 2, *BAD * 2], "label": [1] * 10 + [0] * 10})
    return Split(table, table.iloc[5:14], table.iloc[2:18])


def test_the_articles_model_reads_padding_and_the_mended_one_does_not():
    tokenizer, encoder = data.load_encoder()
    batch = sentiment.tokenize(["good", "a kind of great film"], tokenizer)
    both, alone = (batch.collate([batch[n] for n in rows]) for rows in ((0, 1), (0,)))
    for last_real, same in ((False, False), (True, True)):
        torch.manual_seed(0)
        model = recipes.Article(encoder, last_real=last_real).eval()
        answers = [model(part["inputs"], part["mask"])[0] for part in (both, alone)]
        assert torch.allclose(*answers, atol=1e-6) == same
        assert 0 < answers[0] < 1


def test_padded_batches_are_as_long_as_the_longest_of_all():
    tokenizer, _ = data.load_encoder()
    sentences = sentiment.tokenize(GOOD, tokenizer, np.ones(len(GOOD)))
    for batch in recipes.padded(sentences, 1):
        assert batch["inputs"].shape == batch["mask"].shape == (1, sentences.lengths.max())


@pytest.mark.parametrize(
    "settings",
    [{"fixes": fixes, "epochs": 2} for fixes in range(4)]
    + [{"epochs": 2, "head": head, "frozen_layers": 1} for head in ("plain", "lstm", "article")],
)
def test_what_a_run_tells_is_what_its_model_answers(settings, monkeypatch):
    seen = []
    train = recipes.training.fit

    def fit(model, *args, **kwargs):
        history = train(model, *args, **kwargs)
        seen.append(model)
        return history

    monkeypatch.setattr(recipes.training, "fit", fit)
    found = recipes.run(settings, 0)
    assert found == recipes.run(settings, 0) and len(seen) == 1  # the second is read
    assert all(len(values) == 2 for name, values in found.items() if isinstance(values, list))
    tokenizer, _ = data.load_encoder()
    test = sentiment.tokenize(parts().test["text"], tokenizer)
    batch = test.collate([test[row] for row in range(len(test))])
    with torch.no_grad():
        answers = seen[0](batch["inputs"], batch["mask"])
    kept = torch.tensor(found["test_logits"][found["best_epoch"] - 1])
    expected = torch.sigmoid(kept) if settings.get("fixes", 2) < 2 else kept
    torch.testing.assert_close(answers, expected, atol=2e-4, rtol=0)
    right = ((kept > 0).numpy() == parts().test["label"])[3:12].mean()  # the validation sentences
    assert found["valid_right"][found["best_epoch"] - 1] == pytest.approx(right, abs=1e-4)


def test_targets_are_half_label_half_rating():
    part = parts().train.iloc[[0, 1, 10]]
    np.testing.assert_allclose(recipes.with_ratings(part, 0.5), [0.9959, 1.0, 0.25], atol=1e-4)
    assert recipes.with_ratings(part, 0.0).tolist() == [1, 1, 0]


def test_more_text_is_sure_and_of_the_reviews_tone(monkeypatch):
    good, bad = "a great film with a great story in it", "the worst film with a bad story in it"
    reviews = pd.DataFrame(
        {"text": [f"{good}. it was. {bad}! {good}"] * 20 + [f"{good}. {bad}"] * 20}
    ).assign(label=[1] * 20 + [0] * 20)
    monkeypatch.setattr(data, "load_imdb", reviews.copy)
    recipes._scored_sentences.cache_clear()
    options = {"count": 30, "words": (6, 40), "sure": 0.1}
    found = recipes.more_text(parts().train, **options)
    assert len(found) == 30 and set(found["text"]) == {f"{good}.", good, bad}
    assert ((found["target"] > 0.5) == found["text"].str.contains("great")).all()
    assert found["target"].between(0, 1, inclusive="neither").all()
    recipes._scored_sentences.cache_clear()


def test_two_stages(monkeypatch):
    calls = []
    tune = sentiment.fine_tune

    def fine_tune(model, sentences, valid, **settings):
        calls.append((len(sentences), settings["learning_rate"], settings["epochs"]))
        return tune(model, sentences, valid, **settings)

    monkeypatch.setattr(sentiment, "fine_tune", fine_tune)
    extra = pd.DataFrame({"text": ["good", "bad film"], "target": [0.9, 0.2]})
    monkeypatch.setattr(recipes, "more_text", lambda train, seed, count: extra.head(count))
    rates = {"learning_rate": 1e-3, "second_rate": 5e-4}
    history, watch = recipes.tuned(parts(), 0, epochs=2, more={"count": 2}, **rates)
    assert calls == [(22, 1e-3, 1), (20, 5e-4, 1)] and history["best_epoch"] == 1
    assert len(watch.logits) == len(history["valid_loss"]) == 2


def test_test_labels_are_read_when_every_run_is_finished(monkeypatch):
    monkeypatch.setattr(recipes, "RECIPES", {"plain": {"epochs": 1}})
    monkeypatch.setattr(recipes, "REPEATED", ("plain",))
    recipes.every_run.cache_clear()
    first = recipes.recipes_row("plain", 0, 1)
    assert len(list((data.cache_folder() / "recipes").iterdir())) == 3
    assert first["kept"] and 0 <= float(first["test_right"]) <= 1
    recipes.every_run.cache_clear()


@pytest.mark.parametrize("name", ["search", "recipes"])
def test_committed_table_is_the_plan(name):
    table = pd.read_csv(experiments.TABLES / f"{name}.csv")
    about = json.loads((experiments.TABLES / f"{name}.json").read_text(encoding="utf-8"))
    make_plan, _, settings = recipes.EXPERIMENTS[name]
    plan = pd.DataFrame(make_plan())
    pd.testing.assert_frame_equal(table[plan.columns], plan)
    for key, value in settings.items():
        assert about[key] == json.loads(json.dumps(value)), key
