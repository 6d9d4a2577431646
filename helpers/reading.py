"""Read a CSV file as it is found, a series or texts, and say in plain sentences what was found.

What was put right is printed. Dates and numbers that could mean two things, and that nothing else
in the file settles, are refused in one sentence; so are labels that are not two.
"""

import csv
import re
import textwrap
import warnings
from collections.abc import Callable, Iterable
from os import PathLike

import numpy as np
import pandas as pd

DATE_NAME = re.compile(r"date|time|day|month|quarter|year|period|week|^ds$", re.IGNORECASE)
NO_VALUE = {"", "na", "n/a", "#n/a", "nan", "null", "none", "-", "--", "?", ".", "missing"}
NO_VALUE |= {"inf", "-inf", "nat"}
OFFSET = r":\d{2}(?:\.\d+)?\s*(?:Z|UTC|[+-]\d{2}:?\d{2})$"  # at the end of a time of day
NAMES = {"B": "business days", "MS": "months", "QS": "quarters", "YS": "years"}
MOST_MISSING = 0.2
ENCODINGS = ("utf-8-sig", "utf-16", "cp1252")  # UTF-16 only with its mark at the beginning
# separators of texts; where tabs separate, quotes can be part of a text
WAYS = [("\t", csv.QUOTE_MINIMAL), ("\t", csv.QUOTE_NONE)]
WAYS += [(separator, csv.QUOTE_MINIMAL) for separator in ";|,"]
NO_LABEL = {"", "na", "n/a", "#n/a", "nan", "null"}  # "none" can be a class
# rows that do not fit the first line, or no line at all
UNFIT = (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError)
CODES = [-99, -999, -9999, -99999]  # some files mean "no value" by them


def read_series(source: str | PathLike | pd.DataFrame, target: str) -> pd.DataFrame:
    """A table with one row per step of time, from a CSV file or a frame with dates as its index.

    Separator, decimal mark and column of dates are found. What was found, and what was put right,
    is printed. Rows at the end that have no target are the future.

    Args:
        source: the file (also .gz or .zip), with names in its first line, or the frame.
        target: the column to forecast.

    Returns:
        The target first, then the other columns with numbers that vary. One row per step in order
        of time, NaN where a value is missing. Times with an offset become UTC; months, quarters
        and years are named by their first day. Days without a row (holidays) are no steps of a
        series of business days.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no header, dates or target can be read; one time has two different rows; the
            steps have no common length; more than a fifth of them, or the whole target, is
            missing; the target is constant; a number or date that could mean two things.
    """
    told = []
    if isinstance(source, pd.DataFrame):
        if not isinstance(source.index, pd.DatetimeIndex):
            raise ValueError(f"expected dates as the frame's index, got {source.index.dtype}")
        frame, times = source.reset_index(drop=True), pd.Series(source.index)
        if times.dt.tz is not None:
            times = times.dt.tz_convert("UTC")
    else:
        frame = _text(source)
        times, used = _times(frame)
        frame = frame.drop(columns=used)
        frame = frame.loc[:, [not _counts_rows(name, frame[name]) for name in frame]]
    if target not in frame:
        raise ValueError(f"expected a target among {', '.join(map(str, frame))}, got {target!r}")
    if not isinstance(source, pd.DataFrame):
        frame = _numbers(frame, target, told)
    frame = frame.apply(pd.to_numeric, errors="coerce").astype(float)
    frame = frame.where(np.isfinite(frame)).set_axis(pd.DatetimeIndex(times), axis=0)
    frame = _steps(_in_order(frame.rename_axis("time"), told), told)
    frame = _columns(frame[[target, *frame.columns.drop(target)]], told)
    for line in told:
        print(line)
    return frame


def _text(path: str | PathLike) -> pd.DataFrame:
    """Every cell as text; the separator is the one that cuts the first line most often."""

    def read(encoding: str) -> pd.DataFrame:
        widths = {s: _cells(path, s, encoding, nrows=0).shape[1] for s in ",;\t|"}
        return _cells(path, max(widths, key=widths.get), encoding)

    return _decoded(path, read)


def _decoded(path: str | PathLike, read: Callable[[str], pd.DataFrame]) -> pd.DataFrame:
    """What `read` makes of the file in the first encoding that fits.

    Raises:
        ValueError: no encoding fits, or rows do not fit the first line.
    """
    for encoding in ENCODINGS:
        try:
            return read(encoding)
        except UnicodeError:
            continue
        except UNFIT as error:
            raise ValueError(
                "expected a table with as many cells in each row as names in the first line of "
                f"{path}, got: {' '.join(str(error).split())}"
            ) from None
    raise ValueError(f"expected text in {path}, got bytes that are none in UTF-8 or cp1252")


def _cells(path: str | PathLike, separator: str, encoding: str, **options) -> pd.DataFrame:
    """Every cell as text, without the white space around it.

    Raises:
        FileNotFoundError: no such file.
        UnicodeError: another encoding.
        ParserError, ParserWarning, EmptyDataError: see UNFIT.
    """
    options |= {"dtype": str, "keep_default_na": False, "skipinitialspace": True}
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            frame = pd.read_csv(path, sep=separator, encoding=encoding, index_col=False, **options)
        except FileNotFoundError:
            raise FileNotFoundError(f"expected a CSV file, got none at {path}") from None
    frame.columns = [name.strip() if isinstance(name, str) else name for name in frame]
    return frame.apply(lambda column: column.fillna("").str.strip())


def _counts_rows(name: str, values: pd.Series) -> bool:
    """Whether an unnamed column only numbers the rows."""
    unnamed = name == "" or name.startswith("Unnamed:")
    return unnamed and values.equals(pd.Series([str(i) for i in range(len(values))]))


# --- Dates ----------------------------------------------------------------------------------------


def _times(frame: pd.DataFrame) -> tuple[pd.Series, list[str]]:
    """The time of each row, and the names of the columns that it came from."""
    parts = {name.lower(): name for name in frame}
    if "year" in parts and _digits(frame[parts["year"]], 4):
        used = [unit for unit in ("year", "quarter", "month", "day", "hour") if unit in parts]
        number = {unit: pd.to_numeric(frame[parts[unit]], errors="coerce") for unit in used}
        if "quarter" in number and "month" not in number:
            number["month"] = 3 * number.pop("quarter") - 2
        number.setdefault("month", 1)
        number.setdefault("day", 1)
        if (dates := pd.to_datetime(pd.DataFrame(number), errors="coerce")).notna().all():
            return dates, [parts[unit] for unit in used]
    found = {name: _dates(name, frame[name]) for name in frame}
    best = max(found, key=lambda name: found[name].notna().mean(), default=None)
    if best is None or not len(frame) or found[best].notna().mean() < 0.5:
        raise ValueError(
            f"expected a column of dates such as 2024-12-31 or 2024-12-31 23:00, got the columns "
            f"{', '.join(frame)} and {len(frame)} rows"
        )
    times = found[best]
    if times.isna().any():
        row = int(np.flatnonzero(times.isna())[0])
        raise ValueError(
            f"expected a date in each row of column {best!r}, got {frame[best][row]!r} in row "
            f"{row + 1} below the names"
        )
    for name in frame.columns.drop(best) if (times == times.dt.normalize()).all() else ():
        clock = frame[name].str.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?").all()
        hour = re.fullmatch(r"h|hr|hour", name, re.IGNORECASE) and _digits(frame[name], 1, 2)
        if times.duplicated().any() and (clock or hour):
            text = frame[name] if clock else frame[name] + ":00"
            text = text.where(text.str.count(":") == 2, text + ":00")
            return times + pd.to_timedelta(text), [best, name]
    return times, [best]


def _digits(text: pd.Series, low: int, high: int | None = None) -> bool:
    return bool(len(text)) and text.str.fullmatch(rf"\d{{{low},{high or low}}}").all()


def _dates(name: str, text: pd.Series) -> pd.Series:
    """The dates of a column, NaT where it holds none."""
    nothing = pd.Series(pd.NaT, text.index, dtype="datetime64[ns]")
    filled = text[text != ""]
    named = DATE_NAME.search(name) is not None
    if _digits(filled, 8):
        return pd.to_datetime(text, format="%Y%m%d", errors="coerce")
    if named and _digits(filled, 6):
        return pd.to_datetime(text, format="%Y%m", errors="coerce")
    if named and _digits(filled, 4):
        return pd.to_datetime(text, format="%Y", errors="coerce")
    if named and (_digits(filled, 10) or _digits(filled, 13)):
        unit = "s" if len(filled.iloc[0]) == 10 else "ms"
        return pd.to_datetime(pd.to_numeric(text), unit=unit, utc=True)
    quarters = text.str.extract(r"^(\d{4})[ -]?[Qq]([1-4])$")
    if len(text) and quarters.notna().all(axis=None):
        return pd.to_datetime(quarters[0] + "-" + (3 * quarters[1].astype(int) - 2).astype(str))
    # Numbers, and words such as "Jan" or "mon" alone, are no dates.
    like = text.str.contains(r"\d.*\d.*\d") & text.str.contains(r"[-/.: ]|\d[A-Za-z]|[A-Za-z]\d")
    like &= pd.to_numeric(text, errors="coerce").isna() & ~text.str.contains(r"^[-+\d.,\s]*,\d")
    if like.mean() < 0.5:
        return nothing
    utc = bool(text[like].str.contains(OFFSET, regex=True).any())
    readings = []
    for day_first in (False, True) if text[like].str.contains(r"^\d{1,2}\D").all() else (False,):
        for how in ({}, {"format": "mixed"}):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                dates = pd.to_datetime(
                    text.where(like), errors="coerce", dayfirst=day_first, utc=utc, **how
                )
            if dates.notna().sum() == like.sum():
                break
        readings.append(dates)
    most = max(reading.notna().sum() for reading in readings)
    readings = [reading for reading in readings if reading.notna().sum() == most]
    if len(readings) == 2 and not readings[0].equals(readings[1]):
        spread = [_unevenness(reading) for reading in readings]
        if spread[0] == spread[1]:
            raise ValueError(
                f"expected dates that can be read in one way in column {name!r}, got "
                f"{text[like].iloc[0]!r}: write year, month, day, as in 2024-12-31"
            )
        return readings[int(np.argmin(spread))]
    return readings[0]


def _unevenness(dates: pd.Series) -> float:
    gaps = dates.dropna().drop_duplicates().sort_values().diff().dropna()
    return float(gaps.max() / gaps.median()) if len(gaps) else 1.0


# --- Numbers --------------------------------------------------------------------------------------


def _numbers(frame: pd.DataFrame, target: str, told: list[str]) -> pd.DataFrame:
    """The columns that hold numbers; the others are left out and named."""
    bare = frame.apply(lambda column: column.str.replace(r"[\s'’_$€£¥%]", "", regex=True))
    mark = _decimal_mark(bare)
    if mark == ",":
        told.append("Numbers have a comma as decimal mark.")
    columns, words = {}, []
    for name in bare:
        text = bare[name].str.lower().replace({"true": "1", "false": "0"})
        text = text.mask(text.isin(NO_VALUE))
        plain = text.str.replace("." if mark == "," else ",", "").str.replace(",", ".")
        number = pd.to_numeric(plain, errors="coerce")
        wrong = number.isna() & text.notna()
        if name == target and wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise ValueError(
                f"expected numbers in column {target!r}, got {frame[name].iloc[row]!r} in row "
                f"{row + 1} below the names"
            )
        if wrong.any():
            words.append(name)
        else:
            columns[name] = number
    if words:
        told.append(f"Left out, since they hold words: {', '.join(words)} (0 and 1 would be used).")
    return pd.DataFrame(columns)


def _decimal_mark(bare: pd.DataFrame) -> str:
    """Whether a comma or a point begins the fraction, from all numbers of the file.

    1.020 can be a thousand and twenty. Other numbers of its column settle that; those of another
    column do only if each number of this one has the mark, as fixed decimals have.
    """
    proof, doubt = {",": [], ".": []}, {",": [], ".": []}
    for name in bare:
        text = bare[name][bare[name].str.fullmatch(r"[-+]?[\d.,]*\d[\d.,]*")].drop_duplicates()
        marked = {mark: text.str.contains(mark, regex=False) for mark in ",."}
        for mark, other in (",.", ".,"):
            group = text.str.fullmatch(rf"[-+]?[1-9]\d{{0,2}}(?:{re.escape(mark)}\d{{3}})+")
            both = marked[mark] & marked[other]
            sure = both & (text.str.rfind(mark) > text.str.rfind(other))
            sure |= ~both & (text.str.count(re.escape(mark)) == 1) & ~group
            sure |= ~both & (text.str.count(re.escape(other)) > 1)
            proof[mark] += [*text[sure]]
            if marked[mark].any() and not sure.any() and group[marked[mark]].all():
                doubt[mark].append((text[group].iloc[0], bool(marked[mark].all())))
    if proof[","] and proof["."]:
        raise ValueError(
            f"expected one decimal mark in all numbers, got {proof[','][0]!r} and {proof['.'][0]!r}"
        )
    mark = "," if proof[","] else "."
    doubtful = [n for n, fixed in doubt[mark] if not (proof[mark] and fixed)]
    if not proof[mark]:
        doubtful += [number for number, _ in doubt[","]]
    if doubtful:
        raise ValueError(
            f"expected a clear decimal mark, got {doubtful[0]!r}, which can be read in two ways: "
            "write the numbers without thousands separators, or read the file with "
            "pandas.read_csv, which takes decimal= and thousands=, and pass the frame"
        )
    return mark


# --- Order, steps, columns ------------------------------------------------------------------------


def _in_order(frame: pd.DataFrame, told: list[str]) -> pd.DataFrame:
    if frame.index.hasnans:
        raise ValueError("expected a date for each row, got a row without one")
    if frame.index.tz is not None:
        told.append("Times have offsets; they are counted in UTC.")
    if not frame.index.is_monotonic_increasing:
        newest = frame.index.is_monotonic_decreasing
        order = "The newest row comes first" if newest else "The rows are not in order of time"
        told.append(f"{order}; they were sorted.")
        frame = frame.sort_index(kind="stable")
    equal = frame.assign(_time=frame.index).duplicated().to_numpy()
    if equal.any():
        told.append(f"Rows that were duplicates of another and were dropped: {equal.sum()}.")
        frame = frame[~equal]
    if frame.index.has_duplicates:
        twice = frame.index[frame.index.duplicated()]
        raise ValueError(
            f"expected one row per time, got {len(twice)} more, the first for {short(twice[0])}: "
            "keep one of several series, add the rows up, or write the hour that is repeated when "
            "summer time ends with its offset, such as +01:00"
        )
    return frame


def short(time: pd.Timestamp) -> str:
    return str(time).removesuffix(" 00:00:00")


def step_of(index: pd.DatetimeIndex) -> str:
    """The step as pandas writes it: "B", "MS", "QS", "YS", or a length of time such as "15min".

    Raises:
        ValueError: fewer than three times, or no length that most steps have.
    """
    gaps = pd.Series(index[1:] - index[:-1])
    if len(gaps) < 2:
        raise ValueError(
            f"expected at least 3 rows to see how far apart they are, got {len(index)}"
        )
    usual = gaps.mode()[0]
    for name, unit, low, high in (("MS", "M", 28, 31), ("QS", "Q", 90, 92), ("YS", "Y", 365, 366)):
        if low <= usual.days <= high and not index.tz_localize(None).to_period(unit).has_duplicates:
            return name
    if usual == pd.Timedelta("1D") and len(index) > 7 and index.dayofweek.max() < 5:
        return "B"
    off = (index - index[0]) % usual != pd.Timedelta(0)
    if (gaps == usual).mean() < 0.5 or off.any():
        odd = gaps[gaps % usual != pd.Timedelta(0)]
        other = odd.iloc[0] if len(odd) else gaps.max()
        raise ValueError(
            f"expected rows a fixed step apart, got gaps of {usual} and of {other}: "
            f"take means first, for instance with pandas' resample({_length(usual)!r}).mean()"
        )
    return _length(usual)


def _length(gap: pd.Timedelta) -> str:
    if gap % pd.Timedelta("1D"):  # pandas counts days in hours
        return pd.tseries.frequencies.to_offset(gap).freqstr
    return "D" if gap.days == 1 else f"{gap.days}D"


def length_of(step: str) -> pd.Timedelta:
    """The usual length of a step."""
    usual = {"B": "1D", "MS": "30D", "QS": "91D", "YS": "365D"}
    text = usual.get(step, step)
    return pd.Timedelta(text if text[0].isdigit() else f"1{text}")


def named(step: str, count: int = 2) -> str:
    """The step in words, for sentences."""
    words = NAMES.get(step) or {"h": "hours", "D": "days", "7D": "weeks", "min": "minutes"}.get(
        step
    )
    words = words or f"steps of {step}"
    return words if count != 1 else words.replace("s of ", " of ").removesuffix("s")


def _steps(frame: pd.DataFrame, told: list[str]) -> pd.DataFrame:
    """The frame with a row for each step: the missing ones are NaN."""
    step = step_of(frame.index)
    if step in ("MS", "QS", "YS"):
        frame.index = frame.index.tz_localize(None).to_period(step[0]).to_timestamp()
        frame.index.name = "time"
    told.append(
        f"{len(frame):,} rows, one per step in {named(step)}, from {short(frame.index[0])} to "
        f"{short(frame.index[-1])}."
    )
    if step == "B":
        return frame
    index = pd.date_range(frame.index[0], frame.index[-1], freq=step, name="time")
    lacking = len(index) - len(frame)
    if lacking > MOST_MISSING * len(index):
        weekend = frame.index[frame.index.dayofweek > 4]
        if step == "D" and 0 < len(weekend) < 0.1 * len(frame):
            raise ValueError(
                f"expected business days alone or every day, got {len(weekend)} rows on Saturdays "
                f"or Sundays, the first on {short(weekend[0])}: drop them, or add the other days"
            )
        raise ValueError(
            f"expected a row for at least four of five {named(step)}, got {len(frame)} of "
            f"{len(index)}"
        )
    if lacking:
        told.append(f"Rows that are missing and will be filled in: {lacking}.")
    return frame.reindex(index)


def _columns(frame: pd.DataFrame, told: list[str]) -> pd.DataFrame:
    """Without what cannot help: rows before the first target, empty and constant columns."""
    target = frame.columns[0]
    there = frame[target].dropna()
    if there.nunique() < 2:
        raise ValueError(
            f"expected numbers that vary in {target!r}, got {there.nunique()} different"
        )
    frame = frame.loc[there.index[0] :]
    past = frame.loc[: there.index[-1]]
    frame = frame.loc[: frame.dropna(how="all").index[-1]]
    missing = int(past[target].isna().sum())
    if missing > MOST_MISSING * len(past):
        raise ValueError(
            f"expected {target!r} in at least four of five rows, got {len(past) - missing} of "
            f"{len(past)}"
        )
    dull = [name for name in past if past[name].nunique() < 2]
    sparse = [name for name in past if past[name].isna().mean() > 0.5 and name not in dull]
    if dull:
        told.append(f"Left out, since they are constant or empty: {', '.join(map(str, dull))}.")
    if sparse:
        told.append(f"Left out, since more than half is missing: {', '.join(map(str, sparse))}.")
    frame = frame.drop(columns=[*dull, *sparse])
    for name, low in frame.min().items():
        if low in CODES:
            told.append(
                f"The lowest value of {name} is {low:g} ({(frame[name] == low).sum()} times) and "
                'was kept: if it means "no value", leave these cells empty.'
            )
    if missing:
        told.append(f"Steps without {target} that will be filled in: {missing}.")
    after = frame.loc[there.index[-1] :].iloc[1:]
    if len(after):
        filled = [str(name) for name in after if after[name].notna().any()]
        told.append(
            f"The last {len(after)} rows have no {target}; filled in there: {', '.join(filled)}. "
            "Name those that are planned or forecast, not measured, in Forecaster's known=[...]; "
            "the others count as unknown until they come."
        )
    return frame


# --- Texts ----------------------------------------------------------------------------------------


def read_texts(
    path: str | PathLike,
    text: str | int,
    label: str | int | None = None,
    positive: str | float | Iterable | None = None,
    negative: str | float | Iterable | None = None,
) -> pd.DataFrame:
    """Texts, and their labels as 0 and 1, from a CSV file. What was found or left out is printed.

    Encoding (UTF-8, UTF-16, cp1252) and separator are found; texts may hold quotes and line breaks.

    Args:
        path: the file, with names in its first line.
        text: the column of texts. Where the first line has no names, number the columns from 0.
        label: the column of labels. None to predict only: then every row is kept.
        positive: the labels that become 1. None: all that are not negative; of two labels the
            larger number, or the later one in the alphabet (yes, true, positive).
        negative: the labels that become 0. None: all that are not positive. Texts with labels that
            are neither are left out.

    Returns:
        `text` and, if asked for, `label` (1 or 0); the index `row` counts the file's rows from 0.
        Texts that are empty, have no label, or repeat another with the same label are left out; of
        texts with both labels, all. `frame.attrs["labels"]` has the names of 0 and 1.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no text, a missing column, rows of different lengths, one column for texts and
            labels, labels that are not two and of which positive and negative ones are not named,
            or names that are no labels.
    """
    told = []
    if text == label:
        raise ValueError(f"expected a column of texts and one of labels, got {text!r} twice")
    wanted = [text] if label is None else [text, label]
    cells = _find(path, wanted, told)
    found = pd.DataFrame({"text": cells[text].astype(object)}).rename_axis("row")
    told.insert(0, f"{len(found):,} rows.")
    if label is not None:
        cells[label] = cells[label].mask(cells[label].str.lower().isin(NO_LABEL), "")
        found["label"], names = _two_labels(cells[label], label, positive, negative)
        left_out = {
            "empty texts": found["text"] == "",
            "texts without a label": cells[label] == "",
            "texts with another label": found["label"].isna() & (cells[label] != ""),
            "texts with both labels": found.groupby("text")["label"].transform("nunique") > 1,
            "duplicates": found.duplicated(),
        }
        kept = pd.Series(True, found.index)
        for what, rows in left_out.items():
            if count := int((rows & kept).sum()):
                told.append(f"Left out, {what}: {count:,}.")
            kept &= ~rows
        found = found[kept].astype({"label": int})
        found.attrs["labels"] = names
        ones = int(found["label"].sum())
        told.append(
            f"Positive (1) is {names[1]!r}: {ones:,} texts; negative (0) is {names[0]!r}: "
            f"{len(found) - ones:,}."
        )
    elif empty := int((found["text"] == "").sum()):
        told.append(f"Empty texts, whose answers mean nothing: {empty:,}.")
    for line in told:
        print(line)
    return found


def _find(path: str | PathLike, wanted: list, told: list[str]) -> pd.DataFrame:
    """The cells, by the separator that finds the wanted columns and leaves fewest of them empty."""
    header, first = (None, 1) if isinstance(wanted[0], int) else (0, 0)

    def read(encoding: str) -> pd.DataFrame:
        tables, seen, fault = [], [], None
        for separator, quoting in WAYS:
            if tables and quoting == csv.QUOTE_NONE:
                continue
            options = {"header": header, "quoting": quoting}
            names = [*_cells(path, separator, encoding, nrows=first, **options)]
            seen = max(seen, names, key=len)
            if not set(wanted) <= set(names):
                continue
            try:
                cells = _cells(path, separator, encoding, **options)
            except UNFIT as error:
                fault = error
                continue
            if not (separator == "\t" and cells.map(lambda c: "\t" in c).any(axis=None)):
                tables.append(cells)  # else a quote was never closed and took in other rows
        if encoding != ENCODINGS[0]:
            told.append(f"Not UTF-8; read as {encoding}.")
        if tables:
            return min(tables, key=lambda cells: int((cells[wanted] == "").to_numpy().sum()))
        if fault is not None:
            raise fault
        names = ", ".join(textwrap.shorten(str(name), 30, placeholder="…") for name in seen[:20])
        raise ValueError(
            f"expected the columns {' and '.join(map(repr, wanted))} in {path}, got {names}; "
            "number the columns from 0 if the first line has no names"
        )

    return _decoded(path, read)


def _two_labels(cells, column, positive, negative) -> tuple[pd.Series, list[str]]:
    """1, 0 or NaN per row, and what 0 and 1 mean."""
    cells = cells.map(_plain)
    counts = cells[cells != ""].value_counts()
    try:
        names = sorted(counts.index, key=float)
    except ValueError:
        names = sorted(counts.index, key=lambda name: (name.lower(), name))
    shown = ", ".join(f"{textwrap.shorten(n, 30)!r} ({counts[n]:,})" for n in names[:8])
    shown += f" and {len(names) - 8:,} more" if len(names) > 8 else ""
    if positive is None and negative is None:
        if len(names) != 2:
            raise ValueError(
                f"expected two labels in column {column!r}, got {len(names)}: {shown}; name those "
                "that are positive with positive=[...]; all others are negative, or those in "
                "negative=[...]"
            )
        negative, positive = names[:1], names[1:]
    ones, zeros = (
        None if side is None else [_plain(name) for name in _listed(side)]
        for side in (positive, negative)
    )
    ones = [name for name in names if name not in zeros] if ones is None else ones
    zeros = [name for name in names if name not in ones] if zeros is None else zeros
    if not (ones and zeros) or {*ones, *zeros} - {*names} or {*ones} & {*zeros}:
        raise ValueError(
            f"expected at least one label for each side out of {shown} in column {column!r}, got "
            f"positive {ones} and negative {zeros}"
        )
    labels = cells.map({**dict.fromkeys(zeros, 0), **dict.fromkeys(ones, 1)}).astype(float)
    return labels, [
        f"not {' or '.join(ones)}" if negative is None and len(zeros) > 1 else " or ".join(zeros),
        f"not {' or '.join(zeros)}" if positive is None and len(ones) > 1 else " or ".join(ones),
    ]


def _listed(side) -> list:
    return [side] if isinstance(side, str) or not isinstance(side, Iterable) else [*side]


def _plain(name) -> str:
    """A label as text: 1, 1.0 and "1" are one."""
    name = str(name)
    return re.sub(r"\.0+$", "", name) if re.fullmatch(r"[+-]?\d+\.0+", name) else name
