"""Reads the CSV files in `codes/`, or a site's own in their place, and checks them against a schema."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa

from core.calendar import FIRST_BUDDHIST_YEAR
from core.errors import ConfigurationError
from core.messages import Message
from transform.claim import KINDS

FOLDER = Path(__file__).parent / "codes"
VALIDITY = ("valid_from", "valid_to", "source")
KEYS: dict[str, tuple[str, ...]] = {
    "vaccines": ("code",),
    "rights": ("kind", "right"),
    "icd10": ("kind", "prefix"),
    "labs": ("code",),
    "rates": ("item",),
    "limits": ("name",),
    "titles": ("title",),
    "marital_status": ("code",),
    "nationalities": ("code",),
}
"""The key of each list. A key may have several rows, if their periods do not overlap."""


def _text() -> pa.Column:
    return pa.Column()


def _one_of(*choices: str, nullable: bool = False) -> pa.Column:
    return pa.Column(checks=pa.Check.isin(choices), nullable=nullable)


def _number(form: str = "[0-9]+", *, nullable: bool = False) -> pa.Column:
    return pa.Column(checks=pa.Check.str_matches(rf"\A{form}\Z"), nullable=nullable)


def _decimal() -> pa.Column:
    return _number(r"[0-9]+(\.[0-9]+)?")


def _prefix() -> pa.Column:
    return pa.Column(checks=pa.Check.str_matches(r"\A[A-Z]([0-9][0-9A-Z]{0,5})?\Z"))


def _day() -> pa.Column:
    return pa.Column(checks=pa.Check(lambda days: _days(days).notna() & ~_is_slip(_days(days))), nullable=True)


COLUMNS: dict[str, dict[str, pa.Column]] = {
    "vaccines": {
        "code": _text(),
        "service": _one_of("epi", "dt"),
        **{name: _number(nullable=True) for name in ("age_from", "age_to", "ga_from", "ga_to")},
        "sex": _one_of("1", "2", nullable=True),
        "interval_days": _number(nullable=True),
    },
    "rights": {"kind": _one_of(*KINDS), "right": _text()},
    "icd10": {"kind": _one_of("dm", "ht"), "prefix": _prefix(), "first_time": _one_of("yes", "no")},
    "labs": {
        "code": _text(),
        "kind": _one_of("dm", "ht"),
        "name": _text(),
        "low": _decimal(),
        "high": _decimal(),
    },
    "rates": {"item": _text(), "baht": _number()},
    "limits": {"name": _text(), "value": _number()},
    "titles": {"title": _text(), "match": _one_of("exact", "prefix")},
    "marital_status": {"code": _text()},
    "nationalities": {"code": _text(), "citizen": _one_of("yes", "no")},
}
"""The columns of each list that are checked, besides the days of its validity."""

CODES: dict[str, tuple[str, ...]] = {
    "vaccines": ("code",),
    "rights": ("right",),
    "icd10": ("prefix",),
    "labs": ("code",),
    "marital_status": ("code",),
    "nationalities": ("code",),
}
"""The columns that hold codes, in which capitals do not matter."""

RANGES: dict[str, tuple[tuple[str, str], ...]] = {
    "labs": (("low", "high"),),
    "vaccines": (("age_from", "age_to"), ("ga_from", "ga_to")),
}
"""The columns between whose numbers a value has to be."""

NAMES = ("name_en", "name_th")
FIRST_ROW = 2
"""The first row of a list in a spreadsheet, below the headings."""


def read_list(name: str, folder: Path | None) -> pd.DataFrame:
    """Read a list.

    Args:
        name: One of `KEYS`.
        folder: The site's folder, whose file replaces the program's; or None.

    Returns:
        Columns of text, but valid_from and valid_to as days (missing is open-ended). Codes are in capitals, ICD-10 also
        without dots. A column that may be empty may be left out; what has no name is called by its code. A limit that a
        site's file does not have is the program's.

    Raises:
        ConfigurationError: The file cannot be read, or is malformed; names file, row (as a spreadsheet counts) and column.
    """
    own = FOLDER / f"{name}.csv"
    path = folder / own.name if folder is not None and (folder / own.name).is_file() else own
    columns, listed = list(_read(own).columns), _read(path)
    needed = {column for column, schema in COLUMNS[name].items() if not schema.nullable}
    if wrong := (set(listed.columns) - set(columns)) | (needed - set(listed.columns)):
        raise _unfit(path, sorted(wrong))
    listed = _in_capitals(name, listed.reindex(columns=columns).astype("str"))
    schema = pa.DataFrameSchema(COLUMNS[name] | {"valid_from": _day(), "valid_to": _day()})
    try:
        schema.validate(listed, lazy=True)
    except pa.errors.SchemaErrors as error:
        row, column = _first_wrong(error.failure_cases, columns)
        raise _unfit(path, [column], row) from None
    listed = listed.assign(**{day: _days(listed[day]) for day in ("valid_from", "valid_to")})
    if backwards := listed.index[listed["valid_from"] > listed["valid_to"]].tolist():
        raise _unfit(path, ["valid_from", "valid_to"], backwards[0])
    for low, high in RANGES.get(name, ()):
        if turned := listed.index[pd.to_numeric(listed[low]) > pd.to_numeric(listed[high])].tolist():
            raise _unfit(path, [low, high], turned[0])
    if (overlapping := _overlapping(listed, KEYS[name])) is not None:
        raise _unfit(path, [*KEYS[name], "valid_from", "valid_to"], overlapping)
    if name == "limits" and path != own:
        listed = _with_others(listed, read_list(name, None), path)
    unnamed = {
        column: listed[column].fillna(listed["code"]) for column in columns if column in NAMES and "code" in columns
    }
    return listed.assign(**unnamed).reset_index(drop=True)


def _read(path: Path) -> pd.DataFrame:
    """The cells of a list, missing where they are blank; the index is the row below the headings, blank rows left out."""
    try:
        # utf-8-sig: spreadsheet programs put a byte-order mark in front.
        with path.open(encoding="utf-8-sig", newline="") as file:
            headings, *rows = ([cell.strip() for cell in row] for row in csv.reader(file, skipinitialspace=True))
    except (OSError, ValueError, csv.Error):
        raise ConfigurationError(
            Message(
                "อ่านไฟล์ {file} ไม่ได้ กรุณาบันทึกใหม่เป็น CSV UTF-8 ตามไฟล์เดิมของโปรแกรม",
                "{file} cannot be read: save it as CSV in UTF-8, after the program's own file.",
            ).fill(file=path)
        ) from None
    width = len(headings)
    if twice := {heading for heading in headings if headings.count(heading) > 1}:
        raise _unfit(path, sorted(twice))
    for number, row in enumerate(rows):
        if any(row[width:]):  # such as a comma that is not within quotation marks
            raise _unfit(path, headings[-1:], number)
    cells = [row[:width] + [""] * (width - len(row)) for row in rows]
    return pd.DataFrame(cells, columns=headings, dtype="str").replace("", np.nan).dropna(how="all")


def _with_others(limits: pd.DataFrame, programs: pd.DataFrame, path: Path) -> pd.DataFrame:
    """A site's limits, and of the program's those that the site's file does not name; it may name no others."""
    if unknown := limits.index[~limits["name"].isin(programs["name"])].tolist():
        raise _unfit(path, ["name"], unknown[0])
    return pd.concat([limits, programs[~programs["name"].isin(limits["name"])]], ignore_index=True)


def _in_capitals(name: str, listed: pd.DataFrame) -> pd.DataFrame:
    """A list whose codes are in capitals, as a hospital's are when they are compared with it."""
    codes = {column: listed[column].str.upper() for column in CODES.get(name, ())}
    if name == "icd10":
        codes["prefix"] = codes["prefix"].str.replace(r"[.\s]", "", regex=True)
    return listed.assign(**codes)


def _days(text: pd.Series) -> pd.Series:
    """Text as days; missing if it is not a day such as 2026-10-01."""
    return pd.to_datetime(text, format="%Y-%m-%d", errors="coerce").astype("datetime64[us]")


def _is_slip(days: "pd.Series[Any]") -> "pd.Series[bool]":
    """Whether each day is in a Buddhist year, in which a row would never be valid, or never end; 9999 is no year."""
    found: pd.Series[bool] = days.dt.year.between(FIRST_BUDDHIST_YEAR, 9998)
    return found


def _overlapping(listed: pd.DataFrame, key: tuple[str, ...]) -> int | None:
    """The first row whose period overlaps that of a row above with the same key."""
    ordered = listed.sort_values([*key, "valid_from"], na_position="first", kind="stable")
    same_as_before = (ordered[[*key]] == ordered[[*key]].shift()).all(axis=1)
    overlap = (same_as_before & ~(ordered["valid_to"].shift() < ordered["valid_from"])).tolist()
    rows = ordered.index.tolist()
    return min((max(rows[at - 1], rows[at]) for at, found in enumerate(overlap) if found), default=None)


def _first_wrong(cases: pd.DataFrame, columns: list[str]) -> tuple[int, str]:
    """The first row with a wrong value, and its first such column."""
    return min(
        ((int(row), str(column)) for row, column in zip(cases["index"], cases["column"], strict=True)),
        key=lambda case: (case[0], columns.index(case[1])),
    )


def _unfit(path: Path, columns: list[str], row: int | None = None) -> ConfigurationError:
    th, en = ("", "") if row is None else (f"แถว {row + FIRST_ROW} ", f"row {row + FIRST_ROW}, ")
    return ConfigurationError(
        Message(
            f"ไฟล์ {{file}} ไม่ถูกรูปแบบที่{th}คอลัมน์ {{column}} กรุณาแก้ตามไฟล์เดิมของโปรแกรม "
            "(วันที่เป็น ค.ศ. เช่น 2026-10-01 โดย valid_from ไม่หลัง valid_to ค่าต่ำสุดไม่เกินค่าสูงสุด และช่วงวันของรหัสเดียวกันไม่ซ้อนกัน)",
            f"{{file}} is not of the form at {en}column {{column}}: mend it after the program's own file "
            "(days such as 2026-10-01, valid_from not after valid_to, no range upside down, periods of one code do not overlap).",
        ).fill(file=path, column=", ".join(columns))
    )
