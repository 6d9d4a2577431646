"""helpers.reading: any usual file gives the same table; what is ambiguous is refused."""

import numpy as np
import pandas as pd
import pytest

from helpers import reading
from helpers.reading import read_series, read_texts


def series(periods=60, freq="D", start="2023-12-20", **columns):
    """A table that can be told from any shifted or reordered one."""
    index = pd.date_range(start, periods=periods, freq=freq, name="time")
    values = 1000.5 + np.arange(periods) * 7.25 + np.sin(np.arange(periods))
    return pd.DataFrame({"sales": values.round(2), **columns}, index)


@pytest.fixture
def read(tmp_path):
    def write_and_read(text, target="sales", name="own.csv", encoding="utf-8"):
        (tmp_path / name).write_bytes(text.encode(encoding))
        return read_series(tmp_path / name, target)

    return write_and_read


def written(frame, **options):
    return frame.reset_index().to_csv(index=False, **options)


def same(found, expected):
    pd.testing.assert_frame_equal(found, expected, check_freq=False, check_index_type=False)


WAYS = {
    "plain": written,
    "semicolons and a comma": lambda f: written(f, sep=";", decimal=","),
    "tabs": lambda f: written(f, sep="\t"),
    "day first": lambda f: written(f, date_format="%d/%m/%Y"),
    "month first": lambda f: written(f, date_format="%m/%d/%Y"),
    "German": lambda f: written(f, sep=";", decimal=",", date_format="%d.%m.%Y"),
    "no dashes": lambda f: written(f, date_format="%Y%m%d"),
    "words": lambda f: written(f, date_format="%b %d %Y"),
    "newest first": lambda f: written(f.iloc[::-1]),
    "shuffled": lambda f: written(f.sample(frac=1, random_state=0)),
    "duplicates": lambda f: written(pd.concat([f, f.iloc[[5, 9]]])),
    "mark of the byte order": lambda f: "\ufeff" + written(f),
    "line ends of Windows": lambda f: written(f).replace("\n", "\r\n"),
    "thousands": lambda f: written(f.map("{:,.2f}".format)),
    "thousands, German": lambda f: written(
        f.map(lambda x: f"{x:,.2f}".translate(str.maketrans(",.", ".,"))), sep=";"
    ),
    "thousands, Swiss": lambda f: written(f.map(lambda x: f"{x:,.2f}".replace(",", "'"))),
    "thousands, French": lambda f: written(
        f.map(lambda x: f"{x:,.2f}".replace(",", "\u202f").replace(".", ",")), sep=";"
    ),
    "currency": lambda f: written(f.map("$ {:.2f}".format)),
    "numbered rows": lambda f: f.reset_index().to_csv(),
    "year, month, day": lambda f: written(
        f.set_index([f.index.year, f.index.month, f.index.day], append=False).rename_axis(
            ["year", "month", "day"]
        )
    ),
    "seconds since 1970": lambda f: written(
        f.set_axis((f.index - pd.Timestamp(0)) // pd.Timedelta("1s"), axis=0).rename_axis("time")
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_one_table_in_any_form(read, way):
    expected, found = series(), read(WAYS[way](series()))
    if way == "seconds since 1970":
        found = found.tz_localize(None)
    same(found, expected)


@pytest.mark.parametrize(
    "freq, step",
    [
        ("D", "D"), ("h", "h"), ("15min", "15min"), ("7D", "7D"), ("MS", "MS"), ("ME", "MS"),
        ("QS", "QS"), ("YS", "YS"), ("B", "B"), ("10s", "10s"), ("2h", "2h"),
    ],
)  # fmt: skip
def test_steps_are_found(read, freq, step, capsys):
    found = read(written(series(freq=freq)))
    assert reading.step_of(found.index) == step and len(found) == 60
    assert f"one per step in {reading.named(step)}, from 20" in capsys.readouterr().out


def test_months_quarters_and_years_in_words(read):
    text = "Month,sales\n1991 Jul,1.5\n1991 Aug,2\n1991 Sep,3\n1991 Oct,4\n"
    assert [*read(text).index.month] == [7, 8, 9, 10]
    text = ",Quarter,sales\n0,1970 Q1,1.5\n1,1970 Q2,2\n2,1970 Q3,3\n3,1970 Q4,4\n"
    assert [*read(text).index.month] == [1, 4, 7, 10]
    text = "year,sales\n1990,1\n1991,2\n1992,5\n"
    assert [*read(text).index.year] == [1990, 1991, 1992]
    text = "year,quarter,sales\n1990,3,1\n1990,4,2\n1991,1,5\n"
    assert [*read(text).index.month] == [7, 10, 1]


def test_date_and_hour_in_two_columns(read):
    frame = series(freq="h")
    clock = pd.DataFrame(
        {"date": frame.index.strftime("%d/%m/%Y"), "at": frame.index.strftime("%H:%M:%S")}
    )
    same(read(clock.assign(sales=frame["sales"].to_numpy()).to_csv(index=False)), frame)
    hours = clock.assign(hr=frame.index.hour, sales=frame["sales"].to_numpy()).drop(columns="at")
    same(read(hours.to_csv(index=False)), frame)


def test_holes_stay_holes(read, capsys):
    frame = series(temp=np.arange(60) % 7.0)
    holed = frame.drop(frame.index[[10, 11, 30]]).astype(object)
    holed.iloc[5, 0], holed.iloc[6, 0], holed.iloc[7, 1] = "n/a", "", "-"
    expected = frame.copy()
    expected.iloc[[10, 11, 30]] = np.nan
    expected.iloc[[5, 6], 0] = expected.iloc[7, 1] = np.nan
    same(read(written(holed)), expected)
    said = capsys.readouterr().out
    assert "missing and will be filled in: 3." in said
    assert "without sales that will be filled in: 5." in said


def test_rows_after_the_last_target_are_the_future(read, capsys):
    frame = series(promotion=np.arange(60) % 2.0, past=np.arange(60) % 5.0)
    frame.iloc[-7:, 0] = frame.iloc[-7:, 2] = np.nan
    same(read(written(frame)), frame)
    assert "The last 7 rows have no sales" in (said := capsys.readouterr().out)
    assert "filled in there: promotion. Name those that are planned" in said
    assert "known=[...]" in said


def test_summer_time(read, capsys):
    frame = series(freq="h", periods=80, start="2024-03-30")
    zoned = frame.tz_localize("UTC").tz_convert("Europe/Berlin")
    same(read(written(zoned)), frame.tz_localize("UTC"))
    assert "counted in UTC" in capsys.readouterr().out
    clock = zoned.tz_localize(None)  # without its offset, an hour is missing in spring
    assert read(written(clock)).isna().sum().item() == 1
    autumn = series(freq="h", periods=80, start="2024-10-26").tz_localize("UTC")
    with pytest.raises(
        ValueError, match=r"got 1 more, the first for 2024-10-27 02:00:00: .*offset"
    ):
        read(written(autumn.tz_convert("Europe/Berlin").tz_localize(None)))


def test_what_cannot_help_is_left_out_and_named(read, capsys):
    frame = series(constant=1.0, word="rain", few=[1.0, 2.0] + [np.nan] * 58, yes=True)
    frame.loc[frame.index[3], "yes"] = False
    frame.iloc[:2, 0] = np.nan
    found = read(written(frame))
    assert [*found] == ["sales", "yes"] and set(found["yes"]) == {0, 1}
    assert found.index[0] == frame.index[2]
    said = capsys.readouterr().out
    assert "hold words: word" in said and "constant or empty: constant" in said


def test_business_days_keep_their_holidays_out(read):
    frame = series(freq="B").drop(pd.Timestamp("2023-12-25"))
    same(read(written(frame)), frame)


def test_a_frame_instead_of_a_file():
    frame = series().iloc[::-1]
    same(read_series(frame, "sales"), series())
    with pytest.raises(ValueError, match="dates as the frame's index, got int64"):
        read_series(frame.reset_index(drop=True), "sales")


DAYS = [f"2024-01-0{k}" for k in range(1, 10)]


def rows(times, values, separator=","):
    lines = [f"{t}{separator}{v}" for t, v in zip(times, values, strict=False)]
    return "\n".join([f"time{separator}sales", *lines, ""])


@pytest.mark.parametrize(
    "text, what",
    [
        ("", "names in the first line"),
        ("a,b\n1,2\n3,4\n", r"column of dates such as .*, got the columns a, b and 2 rows"),
        ("time,sales\n", r"column of dates .* 0 rows"),
        ("time,other\n2024-01-01,2\n", "target among other, got 'sales'"),
        (rows(DAYS, [1, "many"]), "numbers in column 'sales', got 'many' in row 2"),
        (rows([*DAYS[:3], "Total"], [1, 2, 3, 6]), "column 'time', got 'Total' in row 4"),
        (rows(DAYS, ["1", "2,3", "4"]), "as many cells in each row"),
        (rows([DAYS[0], *DAYS], [1, 2, 3, 4]), "one row per time, got 1 more, .* 2024-01-01"),
        (rows(DAYS, [1, 2]), r"at least 3 rows .* got 2"),
        (rows(DAYS, [5, 5, 5]), "vary in 'sales', got 1 different"),
        (rows(DAYS, ["", "", ""]), "vary in 'sales', got 0 different"),
        (rows(DAYS, [1, "", "", 2]), "four of five rows, got 2 of 4"),
        (rows([*DAYS[:3], DAYS[8]], [1, 2, 3, 4]), "four of five days, got 4 of 9"),
        (
            rows([f"2024-01-01 {t}" for t in ("00:00", "01:00", "02:13", "03:13")], [1, 2, 3, 4]),
            "fixed step apart, got gaps of 0 days 01:00:00 and of 0 days 01:13:00",
        ),
        (
            rows(
                [*DAYS[:5], "2024-01-06", *map(str, pd.bdate_range("2024-01-08", periods=30))],
                range(36),
            ),
            "business days alone or every day, got 1 rows .* first on 2024-01-06: drop",
        ),
        (rows(DAYS, ["1,5", "2.5", "3,5"], ";"), "one decimal mark .*, got '1,5' and '2.5'"),
        (rows(["01/02/2024", "02/03/2024"], [1, 2]), "in one way in column 'time', got '01/02/"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(read, text, what):
    with pytest.raises(ValueError, match=what) as found:
        read(text)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("separator", [";", "\t", ","])
@pytest.mark.parametrize(
    "values", [["1.234", "2.345", "3.456"], ["980", "1.020", "1.100"], ['"1,917"', '"2,002"']]
)
def test_thousands_and_thousandths_are_not_guessed(read, separator, values):
    with pytest.raises(ValueError, match=r"clear decimal mark, got '\d.\d{3}', .*pandas.read_csv"):
        read(rows(DAYS, values, separator))


def test_the_rest_of_the_file_settles_the_mark(read):
    def second(*cells):
        lines = [f"{day};{cell}" for day, cell in zip(DAYS, cells, strict=False)]
        return [*read("\n".join(["time;sales;temp", *lines, ""]))["sales"]]

    assert second("1.020;0,5", "1.100;12,5", "1.200;3,1") == [1020, 1100, 1200]
    assert second("1.020;0.5", "1.100;12.5", "1.200;3.1") == [1.02, 1.1, 1.2]
    assert second("980;0,5", "1.020;12,5", "1.100;3,1") == [980, 1020, 1100]
    with pytest.raises(ValueError, match=r"clear decimal mark, got '1\.020'"):
        second("980;0.5", "1.020;12.5", "1.100;3.1")  # the temperature's point proves nothing


def test_a_code_for_no_value_is_named(read, capsys):
    frame = series()
    frame.iloc[[8, 9], 0] = -999
    read(written(frame))
    assert "lowest value of sales is -999 (2 times) and was kept" in capsys.readouterr().out
    read(written(series()))
    assert "lowest value" not in capsys.readouterr().out


def test_no_file():
    with pytest.raises(FileNotFoundError, match=r"a CSV file, got none at nowhere\.csv"):
        read_series("nowhere.csv", "sales")


def test_other_bytes(read):
    frame = series().rename(columns={"sales": "Umsätze"})
    assert [*read(written(frame), "Umsätze", encoding="cp1252")] == ["Umsätze"]
    same(read(written(frame), "Umsätze"), frame)


# --- texts ----------------------------------------------------------------------------------------

TEXTS = [
    "a good film",
    'He said "no", and left; then\nhe came back',
    "naïve café…",
    "NA",
    '"quoted" from the start',
    "a bad film",
]
ANSWERS = ["yes", "no", "yes", "no", "no", "no"]


def table(**more):
    return pd.DataFrame({"id": range(6), "review": TEXTS, "liked": ANSWERS, **more})


TEXT_WAYS = {
    "plain": (lambda f: f.to_csv(index=False), "utf-8"),
    "semicolons": (lambda f: f.to_csv(index=False, sep=";"), "utf-8"),
    "tabs, as a spreadsheet's Unicode text": (lambda f: f.to_csv(index=False, sep="\t"), "utf-16"),
    "mark of the byte order": (lambda f: f.to_csv(index=False), "utf-8-sig"),
    "cp1252, line ends of Windows": (
        lambda f: f.to_csv(index=False, lineterminator="\r\n"),
        "cp1252",
    ),
    "an empty column, and white space": (
        lambda f: f.assign(**{"": "", "liked": " " + f["liked"] + " "}).to_csv(index=False),
        "utf-8",
    ),
    "every cell in quotes": (lambda f: f.to_csv(index=False, quoting=1), "utf-8"),
}


@pytest.fixture
def texts_of(tmp_path):
    def write_and_read(content, text="review", label="liked", encoding="utf-8", **options):
        (tmp_path / "texts.csv").write_bytes(content.encode(encoding))
        return read_texts(tmp_path / "texts.csv", text, label, **options)

    return write_and_read


@pytest.mark.parametrize("way", TEXT_WAYS)
def test_texts_in_any_form(texts_of, way, capsys):
    write, encoding = TEXT_WAYS[way]
    found = texts_of(write(table()), encoding=encoding)
    assert found["text"].tolist() == TEXTS and found["label"].tolist() == [1, 0, 1, 0, 0, 0]
    assert found.index.name == "row" and found.attrs["labels"] == ["no", "yes"]
    said = capsys.readouterr().out
    assert "Positive (1) is 'yes': 2 texts; negative (0) is 'no': 4." in said
    assert ("Not UTF-8; read as cp1252." in said) == (encoding == "cp1252")


def test_without_names_and_with_quotes_that_are_not_closed(texts_of):
    lines = ['ham\t"hello, he said; then more', "spam\twin, win; win", "ham\tbye", 'ham\t"so"']
    found = texts_of("\n".join(lines), text=1, label=0)
    assert found["label"].tolist() == [0, 1, 0, 0]
    assert found["text"].tolist() == [line.split("\t")[1] for line in lines]
    found = texts_of('0,"a; b"\n1,"c, d\ne"\n', text=1, label=0)
    assert found["text"].tolist() == ["a; b", "c, d\ne"]


def test_a_list_of_texts_keeps_every_row(texts_of, capsys):
    found = texts_of('review\nfine, thanks\n "" \nfine, thanks\na, b; c\n', label=None)
    assert found["text"].tolist() == ["fine, thanks", "", "fine, thanks", "a, b; c"]
    assert [*found] == ["text"] and found.index.tolist() == [0, 1, 2, 3]
    assert "Empty texts, whose answers mean nothing: 1." in capsys.readouterr().out


def test_what_is_left_out_is_said(texts_of, capsys):
    rows = ["good,1", "good,1.0", ",1", "bad,0", "so so,", "both,1", "both,0", "bad,0", "odd,N/A"]
    found = texts_of("\n".join(["review,liked", *rows]))
    assert found["text"].tolist() == ["good", "bad"] and found.index.tolist() == [0, 3]
    assert capsys.readouterr().out.splitlines() == [
        "9 rows.",
        "Left out, empty texts: 1.",
        "Left out, texts without a label: 2.",
        "Left out, texts with both labels: 2.",
        "Left out, duplicates: 2.",
        "Positive (1) is '1': 1 texts; negative (0) is '0': 1.",
    ]


def test_long_numbers_are_different_labels(texts_of):
    found = texts_of("review,liked\na,10000001\nb,10000002.0\nc,10000001.0\n")
    assert found["label"].tolist() == [0, 1, 0]
    assert found.attrs["labels"] == ["10000001", "10000002"]


STARS = "review,liked\n" + "\n".join(f"text {n},{n}" for n in range(1, 6))


@pytest.mark.parametrize(
    "given, labels, names",
    [
        ({"positive": [4, 5], "negative": [1, 2]}, [0, 0, 1, 1], ["1 or 2", "4 or 5"]),
        ({"positive": 5}, [0, 0, 0, 0, 1], ["not 5", "5"]),
        ({"negative": "1"}, [0, 1, 1, 1, 1], ["1", "not 1"]),
    ],
)
def test_more_than_two_labels(texts_of, given, labels, names):
    found = texts_of(STARS, **given)
    assert found["label"].tolist() == labels and found.attrs["labels"] == names


@pytest.mark.parametrize(
    "content, given, what",
    [
        ("", {}, "as many cells"),
        (STARS, {}, r"two labels in column 'liked', got 5: '1' \(1\), .* with positive=\[...\]"),
        (STARS, {"positive": 6}, r"positive \['6'\] and negative \['1', "),
        (STARS, {"positive": [1], "negative": [1]}, "for each side"),
        ("review,liked\na,1\nb,1\n", {}, "two labels in column 'liked', got 1"),
        (
            "review,stars\na,1\n",
            {},
            "columns 'review' and 'liked' in .*, got review, stars; number",
        ),
        ("review,liked\na, b, c,1\n", {}, "as many cells in each row"),
        (STARS, {"label": "review"}, "and one of labels, got 'review' twice"),
        ("review,liked\na,1\nb,1\nc,N/A\nd,nan\n", {}, "two labels in column 'liked', got 1"),
        ("a,b\n", {"text": 0, "label": 2}, "columns 0 and 2 .* got 0, 1"),
    ],
)
def test_texts_that_cannot_be_read_are_refused_in_a_sentence(texts_of, content, given, what):
    with pytest.raises(ValueError, match=what) as found:
        texts_of(content, **given)
    assert "\n" not in str(found.value)


def test_texts_of_no_file():
    with pytest.raises(FileNotFoundError, match=r"a CSV file, got none at nowhere\.csv"):
        read_texts("nowhere.csv", "text")
