"""Claims and their verdicts. A verdict is computed from a measurement, never typed in.

Every claim of the series stands once, in `helpers/tables/claims.json`: its id, the notebook that
measures it, where it comes from, and its wording. A notebook calls `check_verdict` where it has
measured. `table` draws all claims of the notebook at its end.

Another machine is not an error. Where a result differs from what the text states, the notebook
says so in one line and goes on. With the environment variable RNN_MEASURED_STRICT set to 1, as in
the project's own runs, it fails.
"""

import html
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path

from IPython.display import display

REGISTER = Path(__file__).resolve().parent / "tables" / "claims.json"
MIME = "application/vnd.measured-claim+json"
_MARKS = {
    "holds": "✔",
    "does not hold": "✘",
    "depends": "◐",
    "not decided": "?",
    "by definition": "≡",
}
VERDICTS = tuple(_MARKS)

_checked: dict[str, dict] = {}


class VerdictChanged(AssertionError):
    """The measurement gives another verdict than the one that the text states."""


def register() -> dict[str, dict]:
    """All claims of the series by id: ``{"notebook", "source", "claim"}``, in reading order."""
    entries = json.loads(REGISTER.read_text(encoding="utf-8"))
    return {entry.pop("id"): entry for entry in entries}


def otherwise(text: str, error: type[Exception] = AssertionError) -> str:
    """The one calm line about a result that differs from the text, or the error in strict mode.

    Raises:
        error: with the text, in strict mode.
    """
    if os.environ.get("RNN_MEASURED_STRICT", "0") not in ("", "0"):
        raise error(text)
    return f"on this machine it came out otherwise: {text}"


def expect(condition: bool, statement: str, measured: object) -> None:
    """Print a statement that rests on time or memory, or say that it came out otherwise here.

    What does not hang on the machine is asserted, not expected.

    Args:
        condition: whether the statement is true here.
        statement: the sentence that the page prints.
        measured: what the condition was computed from, with its unit.

    Raises:
        AssertionError: the condition is false, in strict mode.
    """
    if condition:
        print(statement)
    else:
        print(otherwise(f"the page says {statement!r}; measured here: {measured}"))


def verdict(conditions: Mapping[str, bool | None]) -> str:
    """The verdict that follows from the conditions that a claim implies.

    A condition is True (seen), False (not seen), or None where the measurement cannot tell: its
    interval includes both, or the task is at its floor or ceiling. All seen: "holds". None seen:
    "does not hold". Some seen and some not: "depends", whatever the undecided ones are. Any other
    mixture: "not decided".

    Args:
        conditions: what the claim says must be seen, in words, and whether it was seen. NumPy's
            and PyTorch's single booleans count as such.

    Raises:
        ValueError: there is no condition, or one that is neither True nor False nor None.
    """
    if not conditions:
        raise ValueError("expected at least one condition, got none")
    answers = set(_plain(conditions).values())
    if {True, False} <= answers:
        return "depends"
    if None in answers:
        return "not decided"
    return "holds" if True in answers else "does not hold"


def _plain(conditions: Mapping) -> dict[str, bool | None]:
    """The conditions with Python's own True, False and None."""
    plain = {}
    for text, seen in conditions.items():
        plain[text] = seen.item() if getattr(seen, "shape", None) == () else seen
        if not any(plain[text] is answer for answer in (True, False, None)):  # 1 is not True here
            raise ValueError(f"expected True, False or None for {text!r}, got {seen!r}")
    return plain


def check_verdict(
    id: str,
    *,
    measured: str,
    conditions: Mapping[str, bool | None],
    states: str,
    value: float | None = None,
    challenged: str = "",
) -> None:
    """Compute a claim's verdict, show it, and compare it with the one that the text states.

    Where the two differ, the verdict found is shown and recorded, with a line that says so.

    Args:
        id: the claim's id in the register.
        measured: the measurement in words, with its figures and units.
        conditions: what the claim implies, each with whether it was seen; see `verdict`.
        states: the verdict that the notebook's text states. "by definition" marks a claim that
            is true by construction: all its conditions must be true on every machine.
        value: the one figure that sums the measurement up, where there is one.
        challenged: one line on what was tried against the verdict.

    Raises:
        KeyError: no such claim.
        ValueError: `states` is not one of `VERDICTS`, `value` is not a finite number, or a
            condition is neither True nor False nor None.
        VerdictChanged: the computed verdict is not the stated one, in strict mode; or not all
            conditions are true, but the text states "by definition".
    """
    claims = register()
    if id not in claims:
        raise KeyError(f"expected one of the claims {', '.join(claims)}, got {id!r}")
    if states not in VERDICTS:
        raise ValueError(f"expected states to be one of {VERDICTS}, got {states!r}")
    if value is not None and not math.isfinite(value):
        raise ValueError(f"expected a finite value for {id}, got {value}")
    found, conditions = verdict(conditions), _plain(conditions)
    seen = "; ".join(f"{text}: {answer}" for text, answer in conditions.items())
    differs = f"{id}: the text states {states!r}, here it is {found!r} ({measured}; {seen})"
    if states == "by definition":
        if found != "holds":
            raise VerdictChanged(differs)
        found = states
    line = otherwise(differs, VerdictChanged) if found != states else None
    record = {
        "id": id,
        "notebook": claims[id]["notebook"],
        "claim": claims[id]["claim"],
        "measured": measured,
        "value": None if value is None else float(value),
        "verdict": found,
        "conditions": [list(pair) for pair in conditions.items()],  # saved in this order
    }
    if challenged:
        record["challenged"] = challenged
    if line:
        record["states"] = states
    _checked[id] = record
    display(
        {
            "text/html": _line(record),
            "text/plain": f"{id} | {record['claim']} | {measured} | {found}",
            MIME: record,
        },
        raw=True,
    )
    if line:
        print(line)


def _line(record: Mapping) -> str:
    return (
        f"<div><b>{record['id']}</b> · {html.escape(record['claim'])}<br>"
        f"measured: {html.escape(record['measured'])}<br>"
        f"verdict: {_MARKS[record['verdict']]} <b>{html.escape(explained(record))}</b>"
        f"{_challenge(record)}</div>"
    )


def _challenge(record: Mapping) -> str:
    tried = record.get("challenged")
    return f"<br>tried against it: {html.escape(tried)}" if tried else ""


def explained(record: Mapping) -> str:
    """A record's verdict; where it is mixed or not decided, also each condition's answer."""
    if record["verdict"] not in ("depends", "not decided"):
        return record["verdict"]
    words = {True: "yes", False: "no", None: "not decided"}
    parts = [f"{words[answer]}: {text}" for text, answer in record["conditions"]]
    return f"{record['verdict']} ({'; '.join(parts)})"


def table(notebook: str) -> None:
    """Show all claims of a notebook with what was measured.

    Raises:
        LookupError: a claim of this notebook was not checked before the table is drawn.
    """
    due = [id for id, entry in register().items() if entry["notebook"] == notebook]
    if not due:
        raise LookupError(f"expected a notebook of the register, got {notebook!r}")
    missing = [id for id in due if id not in _checked]
    if missing:
        raise LookupError(f"claims of {notebook} that no cell has measured: {', '.join(missing)}")
    rows = [_checked[id] for id in due]
    body = "".join(
        _row(
            "td",
            row["id"],
            html.escape(row["claim"]),
            html.escape(row["measured"]),
            f"{_MARKS[row['verdict']]} {html.escape(explained(row))}{_challenge(row)}",
        )
        for row in rows
    )
    head = _row("th", "id", "claim", "measured", "verdict")
    display(
        {
            "text/html": f"<table><thead>{head}</thead><tbody>{body}</tbody></table>",
            "text/plain": "\n".join(f"{row['id']}: {row['verdict']}" for row in rows),
        },
        raw=True,
    )


def _row(tag: str, *cells: str) -> str:
    inner = "".join(f'<{tag} style="text-align:left">{cell}</{tag}>' for cell in cells)
    return f"<tr>{inner}</tr>"
