"""Claims and their verdicts. A verdict is computed from a measurement, never typed in.

Every claim of the series stands once, in `helpers/tables/claims.json`: its id, the notebook that
measures it, where it comes from, and its wording. A notebook calls `check_verdict` where it has
measured; `table` draws all claims of the notebook at its end; `gather` reads them back from the saved notebooks.
"""

import html
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import nbformat
from IPython.display import display

REGISTER = Path(__file__).resolve().parent / "tables" / "claims.json"
MIME = "application/vnd.measured-claim+json"
VERDICTS = ("holds", "does not hold", "depends")
_MARKS = {"holds": "✔", "does not hold": "✘", "depends": "◐"}

_checked: dict[str, dict] = {}


class VerdictChanged(AssertionError):
    """The measurement gives another verdict than the one that the text states."""


def register() -> dict[str, dict]:
    """All claims of the series by id: ``{"notebook", "source", "claim"}``, in reading order."""
    entries = json.loads(REGISTER.read_text(encoding="utf-8"))
    return {entry.pop("id"): entry for entry in entries}


def verdict(conditions: Mapping[str, bool]) -> str:
    """The verdict that follows from the conditions that a claim implies.

    All of them true: "holds"; none: "does not hold"; some: "depends".

    Args:
        conditions: what the claim says must be seen, in words, and whether it was seen.

    Raises:
        ValueError: there is no condition, or one that is neither true nor false.
    """
    if not conditions:
        raise ValueError("expected at least one condition, got none")
    for text, seen in conditions.items():
        if seen not in (True, False):  # NumPy's bool counts, a bare number or None does not
            raise ValueError(f"expected True or False for {text!r}, got {seen!r}")
    seen = [bool(value) for value in conditions.values()]
    return "holds" if all(seen) else "depends" if any(seen) else "does not hold"


def check_verdict(
    id: str,
    *,
    measured: str,
    conditions: Mapping[str, bool],
    states: str,
    value: float | None = None,
) -> None:
    """Compute a claim's verdict, show it as one line, and fail if the text says otherwise.

    Args:
        id: the claim's id in the register.
        measured: the measurement in words, with its figures and units.
        conditions: what the claim implies, each with whether it was seen; see `verdict`.
        states: the verdict that the notebook's text states.
        value: the one figure that sums the measurement up, where there is one.

    Raises:
        KeyError: no such claim.
        ValueError: `states` is not one of the three verdicts, or `value` is not a finite number.
        VerdictChanged: the computed verdict is not the stated one.
    """
    claims = register()
    if id not in claims:
        raise KeyError(f"expected one of the claims {', '.join(claims)}, got {id!r}")
    if states not in VERDICTS:
        raise ValueError(f"expected states to be one of {VERDICTS}, got {states!r}")
    if value is not None:
        value = float(value)
        if not abs(value) < float("inf"):
            raise ValueError(f"expected a finite value for {id}, got {value}")
    found = verdict(conditions)
    if found != states:
        seen = "; ".join(f"{text}: {bool(ok)}" for text, ok in conditions.items())
        raise VerdictChanged(
            f"{id}: the text states {states!r}, the measurement gives {found!r} "
            f"({measured}; {seen})"
        )
    record = {
        "id": id,
        "notebook": claims[id]["notebook"],
        "claim": claims[id]["claim"],
        "measured": measured,
        "value": value,
        "verdict": found,
        "conditions": [[text, bool(ok)] for text, ok in conditions.items()],  # saved in this order
    }
    _checked[id] = record
    display(
        {
            "text/html": _line(record),
            "text/plain": f"{id} | {record['claim']} | {measured} | {found}",
            MIME: record,
        },
        raw=True,
    )


def _line(record: Mapping) -> str:
    return (
        f"<div><b>{record['id']}</b> · {html.escape(record['claim'])}<br>"
        f"measured: {html.escape(record['measured'])}<br>"
        f"verdict: {_MARKS[record['verdict']]} <b>{html.escape(explained(record))}</b></div>"
    )


def explained(record: Mapping) -> str:
    """A record's verdict; for "depends" also on what: the conditions seen and not seen."""
    if record["verdict"] != "depends":
        return record["verdict"]
    parts = [f"{'yes' if ok else 'no'}: {text}" for text, ok in record["conditions"]]
    return f"depends ({'; '.join(parts)})"


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
        "<tr>"
        + "".join(
            f'<td style="text-align:left">{cell}</td>'
            for cell in (
                row["id"],
                html.escape(row["claim"]),
                html.escape(row["measured"]),
                f"{_MARKS[row['verdict']]} {html.escape(explained(row))}",
            )
        )
        + "</tr>"
        for row in rows
    )
    head = "".join(
        f'<th style="text-align:left">{name}</th>'
        for name in ("id", "claim", "measured", "verdict")
    )
    display(
        {
            "text/html": f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>",
            "text/plain": "\n".join(f"{row['id']}: {row['verdict']}" for row in rows),
        },
        raw=True,
    )


def gather(notebooks: Iterable[Path]) -> list[dict]:
    """Read the checked claims back from saved notebooks.

    Args:
        notebooks: paths of executed notebooks.

    Returns:
        One record a claim, in the register's order: id, notebook, claim, measured, value,
        verdict, conditions.

    Raises:
        LookupError: a claim that belongs to one of these notebooks is not in it, is there with
            another wording than the register's, or stands in two of them.
    """
    notebooks = list(notebooks)
    claims, found = register(), {}
    for path in notebooks:
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", []):
                record = output.get("data", {}).get(MIME)
                if record is None:
                    continue
                entry = claims.get(record["id"])
                if entry is None or entry["claim"] != record["claim"]:
                    raise LookupError(f"{path.name}: {record['id']} is not as in the register")
                if record["id"] in found and found[record["id"]]["notebook"] != path.stem:
                    raise LookupError(f"{record['id']} stands in two notebooks")
                found[record["id"]] = {**record, "notebook": path.stem}
    names = {path.stem for path in notebooks}
    missing = [id for id, entry in claims.items() if entry["notebook"] in names and id not in found]
    if missing:
        raise LookupError(f"no saved measurement of: {', '.join(missing)}")
    return [found[id] for id in claims if id in found]
