"""What a notebook teaches and what `helpers` offers give equal numbers: cells, the training loop.

The taught code is not copied here: it is taken out of the notebook, by its cells' tag or by what it
defines, and executed.
"""

from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import cells, sentiment, training
from helpers.text import Sentences, batches

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"


def taught(notebook: str, tag: str) -> dict:
    """Execute the cells of a notebook that bear a tag, in order, and return their names."""
    saved = nbformat.read(NOTEBOOKS / f"{notebook}.ipynb", as_version=4)
    sources = [cell.source for cell in saved.cells if tag in cell.metadata.get("tags", [])]
    assert sources, f"no cell of {notebook} is tagged {tag}"
    names = {"np": np, "cells": cells}
    exec("\n\n".join(sources), names)
    return names


@pytest.fixture(scope="module")
def gru():
    return taught("02_gru_gates", "taught-gru")


@pytest.fixture(scope="module")
def lstm():
    return taught("03_gru_vs_lstm", "taught-lstm")["lstm"]


sizes = st.tuples(st.integers(1, 12), *[st.integers(1, 7)] * 3)


@settings(deadline=None, max_examples=40)
@given(sizes=sizes, seed=st.integers(0, 2**31), given_state=st.booleans())
def test_taught_gru_equals_the_imported_one(gru, sizes, seed, given_state):
    steps, batch, inputs, hidden = sizes
    draw = np.random.default_rng(seed)
    mine = gru["GRU"](inputs, hidden, seed=seed)
    theirs = cells.GRU(inputs, hidden, reset="after", batch_first=True)
    assert mine.params.keys() == theirs.params.keys()
    theirs.params = mine.params
    x = draw.standard_normal((batch, steps, inputs))
    state = draw.standard_normal((batch, hidden)) if given_state else None
    grad_states = draw.standard_normal((batch, steps, hidden))

    np.testing.assert_allclose(mine.forward(x, state), theirs.forward(x, state), atol=1e-12)
    grads, expected = mine.backward(grad_states), theirs.backward(grad_states)
    assert grads.keys() == expected.keys()
    for name in grads:
        np.testing.assert_allclose(grads[name], expected[name], atol=1e-11, err_msg=name)
    np.testing.assert_allclose(mine.state_gradients, theirs.state_gradients, atol=1e-11)


@settings(deadline=None, max_examples=20)
@given(sizes=sizes, seed=st.integers(0, 2**31))
def test_taught_lstm_equals_the_imported_one(lstm, sizes, seed):
    steps, batch, inputs, hidden = sizes
    theirs = cells.LSTM(inputs, hidden, batch_first=True, seed=seed)
    x = np.random.default_rng(seed).standard_normal((batch, steps, inputs))
    np.testing.assert_allclose(lstm(x, *theirs.params.values()), theirs.forward(x), atol=1e-12)


def test_taught_rows_are_the_imported_ones(gru):
    cell = cells.GRU(2, 5)
    for part in cell.parts:
        assert gru["rows"](part, 5) == cell.rows(part)


def test_taught_sigmoid_is_exact_far_out(gru):
    with np.errstate(all="raise"):
        values = gru["sigmoid"](np.array([-1000.0, 0.0, 1000.0]))
    assert values.tolist() == [0.0, 0.5, 1.0]


class Mean(torch.nn.Module):
    """Logits from the mean of word vectors, with dropout."""

    def __init__(self):
        super().__init__()
        self.vectors = torch.nn.Embedding(30, 8)
        self.drop, self.out = torch.nn.Dropout(0.3), torch.nn.Linear(8, 1)

    def forward(self, ids, mask):
        return self.out(self.drop(sentiment.pool(self.vectors(ids), mask, "mean"))).squeeze(1)


@pytest.mark.parametrize("epochs, patience", [(3, 3), (40, 2)])
def test_taught_training_loop_does_what_fit_does(epochs, patience, tmp_path):
    saved = nbformat.read(NOTEBOOKS / "04_sentiment_analysis.ipynb", as_version=4)
    (source,) = [cell.source for cell in saved.cells if "def fit(" in cell.source]
    names = {"torch": torch, "training": training}
    exec(source, names)
    draw = np.random.default_rng(0)  # labels by chance: soon the validation loss rises
    parts = [
        Sentences([draw.integers(30, size=n) for n in lengths], draw.integers(2, size=len(lengths)))
        for lengths in (draw.integers(1, 9, 50), draw.integers(1, 9, 25))
    ]

    def run(train, **more):
        training.seed_everything(0)
        model = Mean()
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
        loops = batches(parts[0], 8, seed=0), batches(parts[1], 16)
        options = {"loss": sentiment.batch_loss, "optimizer": optimizer, **more}
        return model, train(model, *loops, epochs=epochs, patience=patience, **options)

    taught, losses = run(names["fit"], path=tmp_path / "best.pt")
    model, history = run(training.fit, progress=False)
    np.testing.assert_allclose(losses.train_loss, history.train_loss)
    np.testing.assert_allclose(losses.valid_loss, history.valid_loss)
    assert losses.best_epoch == history.best_epoch and not taught.training
    assert (history.stopped == "patience") == (epochs == 40)
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, taught.state_dict()[name]), name
