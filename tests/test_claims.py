"""helpers.claims: verdicts follow from measurements, and a changed verdict fails the build."""

import json

import nbformat
import pytest

from helpers import claims


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
    [((True, True), "holds"), ((False, False), "does not hold"), ((True, False), "depends")],
)
def test_verdict(seen, expected):
    assert claims.verdict({str(i): value for i, value in enumerate(seen)}) == expected


def test_verdict_takes_numpy_booleans():
    import numpy as np

    assert claims.verdict({"a": np.float64(2) > 1}) == "holds"


@pytest.mark.parametrize("value", [None, "yes", 0.7, 2])
def test_verdict_needs_true_or_false(value):
    with pytest.raises(ValueError, match="True or False"):
        claims.verdict({"a": value})


def test_verdict_needs_a_condition():
    with pytest.raises(ValueError, match="at least one condition"):
        claims.verdict({})


def test_line(capsys):
    show()
    assert "B1" in capsys.readouterr().out


def test_changed_verdict_fails():
    with pytest.raises(claims.VerdictChanged, match=r"states 'holds'.*gives 'does not hold'"):
        show(conditions={"the net is better": False})


def test_unknown_id_verdict_and_value():
    with pytest.raises(KeyError, match="expected one of the claims"):
        claims.check_verdict("Z9", measured="", conditions={"a": True}, states="holds")
    with pytest.raises(ValueError, match="expected states"):
        show(states="maybe")
    with pytest.raises(ValueError, match="finite"):
        show(value=float("nan"))


def test_table_needs_every_claim(monkeypatch):
    monkeypatch.setattr(claims, "_checked", {})
    with pytest.raises(LookupError, match="no cell has measured: B1"):
        claims.table("01_rnn_basics")
    with pytest.raises(LookupError, match="expected a notebook"):
        claims.table("99_nothing")


def test_depends_says_on_what_in_the_given_order(monkeypatch):
    shown = []
    monkeypatch.setattr(claims, "display", lambda data, raw: shown.append(data))
    show(conditions={"z comes first": True, "a comes last": False}, states="depends")
    # A saved notebook sorts the keys of objects, so the order must live in a list.
    record = json.loads(json.dumps(shown[0][claims.MIME], sort_keys=True))
    assert claims.explained(record) == "depends (yes: z comes first; no: a comes last)"


def test_html_is_escaped(monkeypatch, capsys):
    shown = []
    monkeypatch.setattr(claims, "display", lambda data, raw: shown.append(data))
    show(measured="a < b & c")
    assert "a &lt; b &amp; c" in shown[0]["text/html"]


def record(id="B1", notebook="01_rnn_basics", **changes):
    entry = {
        "id": id,
        "notebook": notebook,
        "claim": claims.register()[id]["claim"],
        "measured": "m",
        "value": 1.0,
        "verdict": "holds",
        "conditions": [["a", True]],
    }
    return entry | changes


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
    ids = [entry["id"] for entry in claims.gather([path])]
    assert ids == [i for i, e in claims.register().items() if e["notebook"] == "01_rnn_basics"]


def test_gather_misses_nothing(tmp_path):
    path = save(tmp_path, "01_rnn_basics", all_of("01_rnn_basics")[1:])
    with pytest.raises(LookupError, match="no saved measurement of: B1"):
        claims.gather([path])


def test_gather_refuses_another_wording(tmp_path):
    path = save(tmp_path, "01_rnn_basics", [record(claim="something else")])
    with pytest.raises(LookupError, match="not as in the register"):
        claims.gather([path])


def test_gather_refuses_a_claim_in_two_notebooks(tmp_path):
    first = save(tmp_path, "01_rnn_basics", all_of("01_rnn_basics"))
    second = save(tmp_path, "02_gru_gates", [*all_of("02_gru_gates"), record()])
    with pytest.raises(LookupError, match="two notebooks"):
        claims.gather([first, second])


def test_register_is_sound():
    entries = json.loads(claims.REGISTER.read_text(encoding="utf-8"))
    ids = [entry["id"] for entry in entries]
    assert len(ids) == len(set(ids)) == 42
    assert all(set(e) == {"id", "notebook", "source", "claim"} for e in entries)
