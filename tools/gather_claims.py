"""Gather the claims of all saved notebooks into `docs/claims.md` and `docs/claims.json`.

With ``--check``: write nothing, and fail if the two files are not what the notebooks say.
"""

import json
import sys
from pathlib import Path

from helpers import claims

ROOT = Path(__file__).resolve().parent.parent
FIELDS = ("id", "notebook", "claim", "measured", "value", "verdict")


def pages() -> dict[Path, str]:
    """The text of both files, by path."""
    records = claims.gather(sorted((ROOT / "notebooks").glob("*.ipynb")))
    sources = claims.register()
    listed = [{field: record[field] for field in FIELDS} for record in records]
    lines = [
        "# What the articles and their readers say, measured",
        "",
        "This page is written by `make claims` from the saved notebooks. A verdict follows from",
        "the measurement beside it: *holds* when all that the claim implies was seen,",
        "*does not hold* when none of it was, *depends* when some was (then the page says what).",
    ]
    for notebook in dict.fromkeys(record["notebook"] for record in records):
        lines += [
            "",
            f"## [{notebook}](../notebooks/{notebook}.ipynb)",
            "",
            "| id | from | claim | measured | verdict |",
            "|---|---|---|---|---|",
        ]
        for record in (r for r in records if r["notebook"] == notebook):
            cells = (
                record["id"],
                sources[record["id"]]["source"],
                record["claim"],
                record["measured"],
                claims.explained(record),
            )
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return {
        ROOT / "docs" / "claims.md": "\n".join(lines) + "\n",
        ROOT / "docs" / "claims.json": json.dumps(listed, ensure_ascii=False, indent=1) + "\n",
    }


if __name__ == "__main__":
    stale = []
    for path, text in pages().items():
        if "--check" in sys.argv:
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                stale.append(path.name)
            continue
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    if stale:
        sys.exit(f"not as the notebooks say: {', '.join(stale)}. Run: make claims")
