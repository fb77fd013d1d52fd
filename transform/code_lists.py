"""Reads the CSV files in `codes/`, or a site's own in their place, and checks them against a schema."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pandera.pandas as pa

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


def _number(form: str = "[0-9]+", *, nullable: bool = False, required: bool = True) -> pa.Column:
    return pa.Column(checks=pa.Check.str_matches(rf"\A{form}\Z"), nullable=nullable, required=required)


def _decimal() -> pa.Column:
    return _number(r"[0-9]+(\.[0-9]+)?")


def _day() -> pa.Column:
    return pa.Column(checks=pa.Check(lambda days: _days(days).notna()), nullable=True)


COLUMNS: dict[str, dict[str, pa.Column]] = {
    "vaccines": {
        "code": _text(),
        "service": _one_of("epi", "dt"),
        **{name: _number(nullable=True) for name in ("age_from", "age_to", "ga_from", "ga_to")},
        "sex": _one_of("1", "2", nullable=True),
        "interval_days": _number(nullable=True, required=False),
    },
    "rights": {"kind": _one_of(*KINDS), "right": _text()},
    "icd10": {"kind": _one_of("dm", "ht"), "prefix": _text(), "first_time": _one_of("yes", "no")},
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


def read_list(name: str, folder: Path | None) -> pd.DataFrame:
    """Read a list.

    Args:
        name: One of `KEYS`.
        folder: The site's folder, whose file replaces the program's; or None.

    Returns:
        Columns of text, but valid_from and valid_to as days (missing is open-ended).

    Raises:
        ConfigurationError: The file cannot be read, or is malformed; names file and column.
    """
    own = FOLDER / f"{name}.csv"
    path = folder / own.name if folder is not None and (folder / own.name).is_file() else own
    columns = list(pd.read_csv(own, dtype="str", nrows=0, encoding="utf-8-sig").columns)
    try:
        # utf-8-sig: spreadsheet programs put a byte-order mark in front.
        listed = pd.read_csv(path, dtype="str", encoding="utf-8-sig", skipinitialspace=True)
    except (OSError, ValueError):
        raise ConfigurationError(
            Message(
                "อ่านไฟล์ {file} ไม่ได้ กรุณาบันทึกใหม่เป็น CSV UTF-8 ตามไฟล์เดิมของโปรแกรม",
                "{file} cannot be read: save it as CSV in UTF-8, after the program's own file.",
            ).fill(file=path)
        ) from None
    try:
        listed = _schema(name, columns).validate(listed.apply(lambda column: column.str.strip()), lazy=True)
    except pa.errors.SchemaErrors as error:
        raise _unfit(path, _wrong_column(error, name)) from None
    # A column that a site's own file may lack is empty.
    return listed.reindex(columns=columns).assign(**{day: _days(listed[day]) for day in ("valid_from", "valid_to")})


def _schema(name: str, columns: list[str]) -> pa.DataFrameSchema:
    checked = COLUMNS[name] | {"valid_from": _day(), "valid_to": _day()}
    others = {column: pa.Column(nullable=True) for column in columns if column not in checked}
    return pa.DataFrameSchema(checked | others, strict=True, checks=pa.Check(_without_overlap(KEYS[name])))


def _days(text: pd.Series) -> pd.Series:
    """Text as days; missing if it is not a day such as 2026-10-01."""
    return pd.to_datetime(text, format="%Y-%m-%d", errors="coerce").astype("datetime64[us]")


def _without_overlap(key: tuple[str, ...]) -> Callable[[pd.DataFrame], bool]:
    def periods_do_not_overlap(listed: pd.DataFrame) -> bool:
        days = listed.assign(valid_from=_days(listed["valid_from"]), valid_to=_days(listed["valid_to"]))
        ordered = days.sort_values([*key, "valid_from"], na_position="first")
        same_as_before = (ordered[[*key]] == ordered[[*key]].shift()).all(axis=1)
        before_ended = ordered["valid_to"].shift() < ordered["valid_from"]
        return not (same_as_before & ~before_ended).any()

    return periods_do_not_overlap


def _wrong_column(error: pa.errors.SchemaErrors, name: str) -> str:
    """The missing or surplus columns; else the first with a wrong value; else the columns of overlapping periods."""
    cases = error.failure_cases
    names = cases.loc[cases["check"].isin(["column_in_schema", "column_in_dataframe"]), "failure_case"]
    if len(names):
        return ", ".join(sorted(set(names)))
    wrong = set(cases.loc[cases["schema_context"] == "Column", "column"])
    checked = [*COLUMNS[name], "valid_from", "valid_to"]
    return next((column for column in checked if column in wrong), ", ".join((*KEYS[name], "valid_from", "valid_to")))


def _unfit(path: Path, column: str) -> ConfigurationError:
    return ConfigurationError(
        Message(
            "ไฟล์ {file} ไม่ถูกรูปแบบที่คอลัมน์ {column} กรุณาแก้ตามไฟล์เดิมของโปรแกรม "
            "(วันที่เป็น ค.ศ. เช่น 2026-10-01 และช่วงวันของรหัสเดียวกันไม่ซ้อนกัน)",
            "{file} is not of the form at column {column}: mend it after the program's own file "
            "(days such as 2026-10-01, periods of one code do not overlap).",
        ).fill(file=path, column=column)
    )
