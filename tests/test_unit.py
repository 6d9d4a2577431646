"""The web page with one unit to play with: its own script against helpers.cells, and its challenge.

The script's text is taken out of the page and run as it is, by node, or by Chromium through
Playwright, whichever is there; without either these tests are skipped.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from helpers import cells

PAGE = (Path(__file__).parents[1] / "site" / "unit.html").read_text(encoding="utf-8")
(SCRIPT,) = re.findall(r'<script id="unit">(.*?)</script>', PAGE, re.DOTALL)
(WORDS,) = re.findall(r'<script type="application/json" id="words">(.*?)</script>', PAGE, re.DOTALL)


def javascript(expression, data=None):
    """The value of an expression in which `data` is known, after the page's script."""
    body = f"{SCRIPT}\nconst data = {json.dumps(data)};\nreturn JSON.stringify({expression});"
    program = f"(() => {{ {body} }})()"
    if node := shutil.which("node"):
        done = subprocess.run(
            [node, "-"],
            input=f"process.stdout.write({program})",
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
    why = "needs node, or Playwright for Python and Chromium"
    api = pytest.importorskip("playwright.sync_api", reason=why)
    with api.sync_playwright() as playwright:
        found = shutil.which("chromium") or shutil.which("google-chrome")
        try:
            browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        except api.Error:
            pytest.skip(why)
        answer = browser.new_page().evaluate(program)
        browser.close()
    return json.loads(answer)


def expected(name, weights, inputs):
    """What helpers.cells gives for one unit: states, parts, dh_T/dh_t, and dh_T/dc_t of an LSTM."""
    cell = getattr(cells, name)(1, 1)
    for key, numbers in weights.items():
        column = np.array(numbers)
        cell.params[key] = column[:, None] if key.startswith("W") else column
    x = np.array(inputs)[:, None, None]  # (T, 1, 1)
    states, parts = cell.forward(x), cell.gates(x)
    ask = np.zeros_like(states)
    ask[-1] = 1
    cell.backward(ask)
    wanted = {part: parts[part].ravel() for part in cell.parts}
    wanted |= {"states": states.ravel(), "to states": cell.state_gradients.ravel()}
    if name == "LSTM":
        memory = cell.cell_states
        wanted |= {"cells": memory.ravel(), "to cells": np.empty(len(x))}
        for t in range(len(x)):
            # dh_T/dc_t goes along h_t, and past it: the gradient at the first state of the rest.
            past = 0.0
            if t + 1 < len(x):
                cell.forward(x[t + 1 :], (states[t], memory[t]))
                past = cell.backward(ask[t + 1 :])["state"][1].item()
            slope = (parts["output"][t] * (1 - np.tanh(memory[t]) ** 2)).item()
            wanted["to cells"][t] = past + wanted["to states"][t] * slope
    return wanted


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_the_page_computes_what_the_cells_compute(name):
    rng, parts = np.random.default_rng(18), len(getattr(cells, name).parts or "rzn")
    settings = []
    for _ in range(100):
        steps, size = int(rng.integers(1, 66)), rng.choice([0.3, 1.0, 3.0])
        weights = {
            key: (size * rng.standard_normal(parts)).tolist()
            for key in ("W_x", "W_h", "b_x", "b_h")
        }
        settings.append([name, weights, rng.uniform(-2, 2, steps).tolist()])
    found = javascript("data.map((setting) => run(...setting))", settings)
    for setting, page in zip(settings, found, strict=True):
        got = page["gates"] | {"states": page["states"], "cells": page["cells"]}
        got |= {f"to {key}": values for key, values in page["gradients"].items()}
        for key, values in expected(*setting).items():
            # A relative error where a gradient explodes, an absolute one everywhere else.
            error = np.abs(np.array(got[key]) - values) / np.maximum(1, np.abs(values))
            assert error.max() < 1e-12, (key, setting)


TEN = "[noisy(1), ...Array.from({ length: 9 }, (_, k) => noisy(1000 + k))]"  # as the page does


def test_the_challenge_is_open_at_the_start_and_can_be_solved():
    for cell in ("GRU", "LSTM"):
        judged = f"judge('{cell}', weightsOf('{cell}', {{}}), {TEN})"
        start = javascript(judged.replace("{}", f"starts('{cell}')"))
        assert not start["held"] and not start["passed"] and start["score"] < 60, start
        solved = javascript(judged.replace("{}", f"PRESETS.solution.{cell}"))
        assert solved["held"] and solved["passed"] and solved["score"] == 100, solved


def test_a_plain_rnn_can_do_either_half_and_no_setting_of_its_sliders_does_both():
    preset = f"judge('RNN', weightsOf('RNN', PRESETS.RNN_ONE.RNN), {TEN})"
    latch, passer = (javascript(preset.replace("RNN_ONE", name)) for name in ("latch", "passer"))
    assert latch["held"] and latch["low"] < 1e-9
    assert passer["passed"] and not passer["held"]
    every = (
        "Array.from({ length: gridSize('RNN') }, (_, k) => weightsOf('RNN', gridPoint('RNN', k)))"
    )
    found = javascript(
        f"(() => {{ const ten = {TEN}; return {every}.map((w) => judge('RNN', w, ten, true)) }})()"
    )
    held = {k for k, one in enumerate(found) if one["held"]}
    passed = {k for k, one in enumerate(found) if one["passed"]}
    assert len(held) > 100 and passed and not held & passed


def test_a_plain_rnn_that_shows_the_bit_only_at_the_end_does_not_hold_it():
    """It grows out of 0 just in time; the gradient passes, and the last states are far apart."""
    late = "weightsOf('RNN', [3.13e-20, 2.7195, -3.59e-22])"
    judged = javascript(f"judge('RNN', {late}, {TEN})")
    assert judged["passed"] and not judged["held"] and judged["gap"] < 1e-9
    last = f"[0, 1].map((b) => {TEN}.map((x) => run('RNN', {late}, withBit(x, b)).states[64]))"
    zero, one = javascript(last)
    assert min(one) - max(zero) > 1.5


def test_pytorchs_start_passes_almost_nothing():
    for cell in ("RNN", "GRU", "LSTM"):
        found = javascript(
            "(() => { const random = randomNumbers(1); return Array.from({ length: 1000 }, () => "
            f"judge('{cell}', pytorchStart('{cell}', random), {TEN})) }})()"
        )
        assert sum(one["held"] and one["passed"] for one in found) <= 2
        assert np.median([one["low"] for one in found]) < 1e-6


def test_every_word_stands_in_one_place_and_nothing_comes_from_elsewhere():
    words = json.loads(WORDS)
    used = set(re.findall(r'data-word="(\w+)"', PAGE))
    assert used <= words.keys()
    assert f"<title>{words['title']}</title>" in PAGE
    assert f'content="{words["description"]}"' in PAGE
    tags = set(re.findall(r"<[^>]*>", "".join(words.values())))
    assert tags <= {f"<{end}{tag}>" for end in ("", "/") for tag in ("strong", "em", "sub")}
    assert not re.search(r"https?:|\bsrc=|@import|url\(", PAGE)
