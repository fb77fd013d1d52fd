"""From rows of the contract tables back to a row of a sheet, and how such rows are kept as JSON.

The audit keeps them beside a claim or an issue, so that a person can correct them in a workbook and import it again.
"""

import json
from collections.abc import Hashable, Mapping
from datetime import date
from typing import Any

import pandas as pd

from extract.contract import TABLES, Kind, TableName
from extract.workbook.layout import Column, SheetLayout, layouts
from extract.workbook.rows import Row, Value

Record = Mapping[Hashable, Any]
"""One row of a contract table, by column."""


def sheet_row(sheet: SheetLayout, visit: Record, diagnoses: Mapping[str, str], item: Record) -> dict[str, Value]:
    """One row of a sheet.

    Args:
        sheet: Which kind of sheet.
        visit: A row of the visits.
        diagnoses: The visit's ICD-10 codes by type, those of one type separated by ", ".
        item: A row of the labs or vaccinations, whichever the sheet is for.

    Returns:
        The values by column name; columns without a value are left out. Dates are as stored, Buddhist years included.
    """
    of_diagnoses = {c.name: icd10 for c in _columns(sheet, "diagnoses") if (icd10 := diagnoses.get(c.dx_type))}
    return _values(visit, sheet, "visits") | of_diagnoses | _item_values(item, sheet, visit)


def typed_row(row: Row) -> dict[str, Value]:
    """A row of an officer's workbook in the form of `sheet_row`: the same order of columns, the same ones left out.

    Args:
        row: As it was read. Faulty cells have no value.
    """
    sheet, values = layouts()[row.layout], dict(row.values)
    for column in sheet.columns:
        if column.table == "visits" and TABLES["visits"][column.column] == "flag":
            values.setdefault(column.name, "0")
    if values.get("given_date", values.get("visit_date")) == values.get("visit_date"):
        values.pop("given_date", None)
        if values.get("given_time") == values.get("visit_time"):
            values.pop("given_time", None)
    of_tables = [column for table in ("visits", "diagnoses", sheet.table) for column in _columns(sheet, table)]
    return {
        column.name: ", ".join(sorted(str(value).split(", "))) if column.type == "icd10" else value
        for column in of_tables
        if (value := values.get(column.name)) is not None
    }


def to_json(rows: list[dict[str, Value]]) -> str:
    """Rows of a sheet as JSON; `from_json` reads them back."""
    tagged = [{k: {"date": v.isoformat()} if isinstance(v, date) else v for k, v in row.items()} for row in rows]
    return json.dumps(tagged, ensure_ascii=False, separators=(",", ":"))


def from_json(text: str) -> list[dict[str, Value]]:
    """The rows that `to_json` wrote, their dates as dates."""
    return [
        {k: date.fromisoformat(v["date"]) if isinstance(v, dict) else str(v) for k, v in row.items()}
        for row in json.loads(text)
    ]


def _item_values(item: Record, sheet: SheetLayout, visit: Record) -> dict[str, Value]:
    values = _values(item, sheet, sheet.table)
    # A date or time equal to the visit's is left out: whoever corrects the visit then corrects both.
    if sheet.table == "vaccinations" and (pd.isna(item["given_date"]) or item["given_date"] == visit["visit_date"]):
        values.pop("given_date", None)
        if pd.isna(item["given_date"]) or item["given_time"] == visit["visit_time"]:
            values.pop("given_time", None)
    return values


def _values(record: Record, sheet: SheetLayout, table: TableName) -> dict[str, Value]:
    """The values of a contract table's row by the sheet's columns."""
    kinds = TABLES[table]
    return {
        column.name: value
        for column in _columns(sheet, table)
        if (value := _value(record[column.column], kinds[column.column])) is not None
    }


def _columns(sheet: SheetLayout, table: str) -> list[Column]:
    return [column for column in sheet.columns if column.table == table]


def _value(stored: Any, kind: Kind) -> Value | None:
    if kind == "flag":
        return str(int(stored))
    if pd.isna(stored):
        return None
    return stored.date() if kind == "date" else str(stored)
