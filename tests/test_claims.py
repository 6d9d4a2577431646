"""helpers.claims: verdicts follow from measurements, and a changed verdict fails the build."""

import json

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch

from helpers import claims
from tools import publish


@pytest.fixture(autouse=True)
def strict(monkeypatch):
    monkeypatch.setenv("RNN_MEASURED_STRICT", "1")


@pytest.fixture(params=[None, "", "0"])
def reader(monkeypatch, request):
    """A reader's run, where a result that differs is no error."""
    monkeypatch.delenv("RNN_MEASURED_STRICT")
    if request.param is not None:
        monkeypatch.setenv("RNN_MEASURED_STRICT", request.param)


@pytest.fixture
def shown(monkeypatch):
    """What a notebook would show, in turn."""
    outputs = []
    monkeypatch.setattr(claims, "_checked", {})
    monkeypatch.setattr(claims, "display", lambda data, raw: outputs.append(data))
    return outputs


def show(**changes):
    arguments = {
        "measured": "0.9 against 0.5",
        "conditions": {"the net is better": True},
        "states": "holds",
        "value": 0.9,
    }
    claims.check_verdict("B1", **(arguments | changes))


@pytest.mark.parametrize(
    "seen, expected",
    [
        ((True, True), "holds"),
        ((False, False), "does not hold"),
        ((True, False), "depends"),
        ((None,), "not decided"),
        ((True, None), "not decided"),  # holds or depends, who knows
        ((None, False), "not decided"),
        ((False, None, True), "depends"),  # whatever the undecided one is
        ((np.float64(2) > 1, np.bool_(True)), "holds"),
        ((torch.tensor([3]).min() > 1, np.array(False)), "depends"),
    ],
)
def test_verdict(seen, expected):
    assert claims.verdict({str(i): value for i, value in enumerate(seen)}) == expected


@pytest.mark.parametrize("value", ["yes", 0.7, 1, 0.0, np.nan, np.array([True]), pd.NA, ""])
def test_verdict_needs_true_false_or_none(value):
    with pytest.raises(ValueError, match="expected True, False or None for 'a', got"):
        claims.verdict({"a": value})


def test_verdict_needs_a_condition():
    with pytest.raises(ValueError, match="at least one condition"):
        claims.verdict({})


def test_line(shown):
    show(measured="a < b & c")
    assert shown[0]["text/html"] == (
        "<div><b>B1</b> · " + claims.register()["B1"]["claim"] + "<br>measured: a &lt; b &amp; c"
        "<br>verdict: ✔ <b>holds</b></div>"
    )
    assert set(shown[0][claims.MIME]) == set(record())


def test_changed_verdict_fails():
    with pytest.raises(claims.VerdictChanged, match=r"states 'holds'.* is 'does not hold'"):
        show(conditions={"the net is better": False})


def test_changed_verdict_is_no_error_for_a_reader(reader, shown, capsys):
    show(conditions={"faster": False, "lighter": None}, measured="0.9 against 0.8")
    said = capsys.readouterr().out
    assert said.startswith("on this machine it came out otherwise: B1: the text states 'holds'")
    assert "'not decided'" in said and "0.9 against 0.8" in said
    assert shown[0][claims.MIME]["verdict"] == claims._checked["B1"]["verdict"] == "not decided"
    assert shown[0][claims.MIME]["states"] == "holds"  # so that `gather` refuses it


def test_expect(reader, capsys):
    claims.expect(1.2 > 1, "It is faster.", measured="1.2 times")
    assert capsys.readouterr().out == "It is faster.\n"
    claims.expect(0.9 > 1, "It is faster.", measured="0.9 times")
    said = capsys.readouterr().out
    assert said.startswith("on this machine it came out otherwise: ")
    assert "'It is faster.'" in said and "0.9 times" in said


def test_expect_fails_in_strict_mode():
    claims.expect(True, "It is faster.", measured=1.2)
    with pytest.raises(AssertionError, match=r"'It is faster.'; measured here: 0\.9"):
        claims.expect(False, "It is faster.", measured=0.9)


def test_by_definition_is_checked_on_every_machine(reader, shown):
    show(states="by definition")
    assert shown[0][claims.MIME]["verdict"] == "by definition"
    for seen in (False, None):
        with pytest.raises(claims.VerdictChanged, match="states 'by definition'"):
            show(states="by definition", conditions={"a": True, "b": seen})
    with pytest.raises(ValueError, match="expected states"):
        show(states="by construction")


def test_challenge_is_shown_and_recorded(shown):
    show(challenged="a linear model < 0.5")
    assert "<br>tried against it: a linear model &lt; 0.5</div>" in shown[0]["text/html"]
    assert shown[0][claims.MIME]["challenged"] == "a linear model < 0.5"


def test_unknown_id_verdict_and_value():
    with pytest.raises(KeyError, match="expected one of the claims"):
        claims.check_verdict("Z9", measured="", conditions={"a": True}, states="holds")
    with pytest.raises(ValueError, match="expected states"):
        show(states="maybe")
    with pytest.raises(ValueError, match="finite"):
        show(value=float("nan"))


def test_table_shows_every_claim(shown):
    due = all_of("01_rnn_basics")
    for entry in due:
        claims.check_verdict(
            entry["id"], measured="m", conditions={"a": None}, states="not decided", challenged="c"
        )
    claims.table("01_rnn_basics")
    page = shown[-1]["text/html"]
    assert page.count("? not decided (not decided: a)<br>tried against it: c") == len(due)


def test_table_needs_every_claim(monkeypatch):
    monkeypatch.setattr(claims, "_checked", {})
    with pytest.raises(LookupError, match="no cell has measured: B1"):
        claims.table("01_rnn_basics")
    with pytest.raises(LookupError, match="expected a notebook"):
        claims.table("99_nothing")


@pytest.mark.parametrize(
    "seen, expected",
    [
        ((True, False), "depends (yes: z comes first; no: a comes last)"),
        ((None, True), "not decided (not decided: z comes first; yes: a comes last)"),
    ],
)
def test_mixed_verdicts_say_on_what_in_the_given_order(seen, expected, shown):
    conditions = dict(zip(("z comes first", "a comes last"), seen, strict=True))
    show(conditions=conditions, states=expected.split(" (")[0])
    # A saved notebook sorts the keys of objects, so the order must live in a list.
    record = json.loads(json.dumps(shown[0][claims.MIME], sort_keys=True))
    assert claims.explained(record) == expected


def record(id="B1", notebook="01_rnn_basics", verdict="holds"):
    return {
        "id": id,
        "notebook": notebook,
        "claim": claims.register()[id]["claim"],
        "measured": "m",
        "value": 1.0,
        "verdict": verdict,
        "conditions": [["a", True]],
    }


def save(folder, name, records):
    cells = []
    for entry in records:
        output = nbformat.v4.new_output("display_data", {claims.MIME: entry})
        cells.append(nbformat.v4.new_code_cell("check", outputs=[output]))
    path = folder / f"{name}.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def all_of(notebook):
    return [record(i, notebook) for i, e in claims.register().items() if e["notebook"] == notebook]


def test_gather_in_register_order(tmp_path):
    path = save(tmp_path, "01_rnn_basics", reversed(all_of("01_rnn_basics")))
    ids = [entry["id"] for entry in publish.gather([path])]
    assert ids == [i for i, e in claims.register().items() if e["notebook"] == "01_rnn_basics"]


def test_gather_misses_nothing(tmp_path):
    path = save(tmp_path, "01_rnn_basics", all_of("01_rnn_basics")[1:])
    with pytest.raises(LookupError, match="no saved measurement of: B1"):
        publish.gather([path])


@pytest.mark.parametrize(
    "change, match",
    [
        ({"claim": "something else"}, "not as in the register"),
        ({"id": "Z9"}, "not as in the register"),
        ({"states": "depends"}, "another verdict than the text's 'depends'"),  # a reader's run
    ],
)
def test_gather_refuses(change, match, tmp_path):
    path = save(tmp_path, "01_rnn_basics", [record() | change])
    with pytest.raises(LookupError, match=match):
        publish.gather([path])


def test_gather_refuses_a_claim_that_moved_or_is_saved_twice(tmp_path):
    moved = save(tmp_path, "02_gru_gates", [*all_of("02_gru_gates"), record()])
    with pytest.raises(LookupError, match="B1 is not as in the register"):
        publish.gather([moved])
    twice = save(tmp_path, "01_rnn_basics", [*all_of("01_rnn_basics"), record(verdict="depends")])
    with pytest.raises(LookupError, match="B1 is saved twice"):
        publish.gather([twice])


def test_register_is_sound():
    entries = json.loads(claims.REGISTER.read_text(encoding="utf-8"))
    ids = [entry["id"] for entry in entries]
    assert len(ids) == len(set(ids))
    assert all(set(e) == {"id", "notebook", "source", "claim"} for e in entries)
