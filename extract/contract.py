"""The contract between a source (a hospital database or a workbook) and the rules: four tables of one service day.

Text is pandas `str`, stripped; missing text is NaN, never "". Dates are naive `datetime64[us]` at midnight, Bangkok
calendar; missing and zero dates are NaT. Buddhist years stay as stored (hence microseconds: nanoseconds end before year
2569). Times are text "HH:MM". The tables are checked where they are made; the rules need to know only this file.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

import numpy as np
import pandas as pd
import pandera.pandas as pa

from core.messages import Message
from extract.errors import ContractError

TableName = Literal["visits", "diagnoses", "labs", "vaccinations"]
Kind = Literal["text", "date", "time", "flag"]

TEXT = pd.StringDtype(na_value=np.nan)
DTYPES: dict[Kind, object] = {"text": TEXT, "date": np.dtype("datetime64[us]"), "time": TEXT, "flag": np.dtype(bool)}
ZERO_DAY = date(1900, 1, 1)
"""Stored dates up to and including this day mean "no date" (0000-00-00, 1899-12-30) and are missing."""


def _columns(kind: Kind, names: str) -> dict[str, Kind]:
    return dict.fromkeys(names.split(), kind)


TABLES: dict[TableName, dict[str, Kind]] = {
    "visits": _columns("text", "hcode hospital_name vn hn")
    | {"visit_date": "date", "visit_time": "time"}
    | _columns("text", "cid passport_no title fname lname")
    | {"dob": "date"}
    | _columns("text", "sex marriage occupa nation scheme")
    | _columns(
        "text", "local_marriage local_occupa local_nation local_scheme closing_code his_claim_uid his_claim_kinds"
    )
    | {"antenatal": "flag", "gravida": "text", "ga_week": "text"},
    "diagnoses": _columns("text", "vn icd10 dx_type") | {"dx_date": "date", "dx_time": "time", "earlier": "flag"},
    "labs": _columns("text", "vn lab_code local_code lab_name result")
    | {"result_date": "date", "result_time": "time", "lab_order": "text"},
    "vaccinations": _columns("text", "vn vaccine_code local_code vaccine_name lot_number")
    | {"expiration_date": "date", "given_date": "date", "given_time": "time"}
    | _columns("text", "dose_quantity manufacturer provider_name license_no family his_claim_uid"),
}
"""The contract tables: their columns in order, each with its kind."""

TIMELESS = frozenset({"dob", "expiration_date"})
"""Dates that are days of the calendar; all others are days on which something was done, at some time."""

REQUIRED: dict[TableName, frozenset[str]] = {
    "visits": frozenset({"vn", "visit_date"}),
    "diagnoses": frozenset({"vn", "icd10"}),
    "labs": frozenset({"vn", "local_code", "result"}),
    "vaccinations": frozenset({"vn", "family"}),
}
"""The columns that may not be empty. Others may be; where a claim needs one, a rule reports the record."""


@dataclass(frozen=True)
class Wanted:
    """What the wanted kinds of claim need from a hospital database.

    Args:
        icd10_prefixes: Three-character codes; a visit with a wanted lab result is read only if it has one that begins so.
            They are at least the codes wanted: which of them count is decided in transform.
        first_time_icd10: Three-character codes, at least those for which the person's earlier diagnoses are looked up.
        lab_codes: NHSO codes of the lab results wanted.
        vaccines: Whether vaccinations are wanted.
    """

    icd10_prefixes: tuple[str, ...] = ()
    first_time_icd10: tuple[str, ...] = ()
    lab_codes: tuple[str, ...] = ()
    vaccines: bool = False


@dataclass(frozen=True, repr=False)
class DayTables:
    """One service day of one hospital, as the contract tables (columns: `TABLES`).

    Args:
        day: The service day, Gregorian.
        visits: One row a visit; `vn` is unique.
        diagnoses: All diagnoses of these visits (`earlier` False); and of a person diagnosed before the earliest of each
            code (`earlier` True, `vn` is the visit of this day).
        labs: Wanted lab results, all of them. `lab_order` is a number that is higher for the later of two results of one
            day and time, where the HIS has one.
        vaccinations: Vaccinations as stored; one dose may be in several families of tables.
        doses_without_visit: How many doses of the day name no visit, as far as the HIS counts them.
    """

    day: date
    visits: pd.DataFrame
    diagnoses: pd.DataFrame
    labs: pd.DataFrame
    vaccinations: pd.DataFrame
    doses_without_visit: int = field(default=0, kw_only=True)

    def __repr__(self) -> str:
        # A DataFrame's repr prints rows of patients, and a repr may be logged: show only sizes.
        sizes = ", ".join(f"{name}={len(getattr(self, name))}" for name in TABLES)
        return f"DayTables({self.day.isoformat()}: {sizes})"


def _column(kind: Kind, *, nullable: bool) -> pa.Column:
    # Checked by hand: pandera's own dtype check accepts object for text and nanoseconds for microseconds.
    checks = [pa.Check(lambda series: bool(series.dtype == DTYPES[kind]), name="dtype", ignore_na=False)]
    if kind == "time":
        checks.append(pa.Check.str_matches(r"\A([01]\d|2[0-3]):[0-5]\d\Z"))
    return pa.Column(checks=checks, nullable=nullable)


def _schema(table: TableName) -> pa.DataFrameSchema:
    columns = {name: _column(kind, nullable=name not in REQUIRED[table]) for name, kind in TABLES[table].items()}
    return pa.DataFrameSchema(columns, strict=True, ordered=True, unique=["vn"] if table == "visits" else None)


SCHEMAS: dict[TableName, pa.DataFrameSchema] = {table: _schema(table) for table in TABLES}


def check(table: TableName, frame: pd.DataFrame, origin: str) -> pd.DataFrame:
    """Return the frame if it fulfils the contract.

    Args:
        table: Which contract table it should be.
        frame: One row per record, the columns of `TABLES[table]`.
        origin: The file it came from, for the error.

    Raises:
        ContractError: Names the file and the wrong columns, never a value.
    """
    try:
        SCHEMAS[table].validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        columns = sorted({str(name) for name in _wrong_columns(error, frame, table)})
    else:
        return frame
    # Raised outside the except block: pandera's error contains the rows and must not be chained to ours.
    raise broken(origin, columns)


def _wrong_columns(error: pa.errors.SchemaErrors, frame: pd.DataFrame, table: TableName) -> Iterable[object]:
    missing_or_unknown = set(frame.columns) ^ set(TABLES[table])
    if missing_or_unknown:
        return missing_or_unknown
    return {name for name in error.failure_cases["column"] if name in TABLES[table]} or {"vn"}


def broken(origin: str, columns: Iterable[str]) -> ContractError:
    """The error that names a file and those of its columns that break the contract."""
    return ContractError(
        Message(
            th="ไฟล์ {origin} ให้ข้อมูลไม่ตรงข้อตกลงที่คอลัมน์ {columns} กรุณาแก้ไขไฟล์นี้ตาม docs/new-his.md",
            en="{origin} does not give what the contract wants in column {columns}: "
            "mend this file as docs/new-his.md says.",
        ).fill(origin=origin, columns=", ".join(sorted(columns)))
    )


def empty(table: TableName) -> pd.DataFrame:
    """A contract table without rows."""
    return pd.DataFrame({name: pd.Series(dtype=DTYPES[kind]) for name, kind in TABLES[table].items()})  # type: ignore[call-overload]
