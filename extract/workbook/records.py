"""From the contract tables back to rows of a sheet: what a person is shown of a visit, to mend it and import it again."""

import json
from collections import defaultdict
from collections.abc import Collection, Hashable
from datetime import date
from typing import Any

import pandas as pd

from extract.contract import TABLES, DayTables, Kind, TableName
from extract.workbook.layout import SheetLayout, SheetName, layouts
from extract.workbook.rows import Value

Record = dict[Hashable, Any]

_FAMILIES = ("ovst", "wbc", "epi", "school", "anc")
_NEEDED = ("lot_number", "provider_name", "license_no")
_USEFUL = ("given_date", "given_time", "manufacturer", "vaccine_name", "local_code", "dose_quantity")


class DayRecords:
    """The rows of sheets that say what the contract tables say of a service day.

    A sheet says neither when a result came nor which tables held a dose: of several results of one lab test the latest
    is given, of a dose that stands in several families the fullest, as claims are made of them.

    Args:
        tables: The service day.
    """

    def __init__(self, tables: DayTables) -> None:
        antenatal = set(tables.vaccinations.loc[tables.vaccinations["family"] == "anc", "vn"])
        # A dose that antenatal care keeps was given there, whether the HIS has numbers of the pregnancy or not.
        self._visits = {
            r["vn"]: r | {"antenatal": r["antenatal"] or r["vn"] in antenatal} for r in tables.visits.to_dict("records")
        }
        own = tables.diagnoses[~tables.diagnoses["earlier"]]
        self._diagnoses = own.groupby(["vn", "dx_type"])["icd10"].agg(", ".join).to_dict()
        self._items = {
            "labs": _by_visit(_latest(tables.labs)),
            "vaccinations": _by_visit(_fullest(tables.vaccinations)),
        }

    def of(self, layout: SheetName, vn: str, codes: Collection[str]) -> list[dict[str, Value]]:
        """The rows of a sheet that say what the day says of a visit.

        Args:
            layout: Which kind of sheet.
            vn: The visit.
            codes: The lab codes or vaccine codes wanted; of what has none, the local codes, "" where it has neither.

        Returns:
            The values by column name, what is missing left out; dates as they are stored, in Buddhist years too. Empty
            where the visit has no such lab result or vaccination.
        """
        sheet, visit = layouts()[layout], self._visits.get(vn)
        if visit is None:
            return []
        code = "lab_code" if sheet.table == "labs" else "vaccine_code"
        items = [
            item
            for item in self._items[sheet.table].get(vn, ())
            if next((item[name] for name in (code, "local_code") if pd.notna(item[name])), "") in codes
        ]
        said = _named(visit, sheet, "visits") | {
            c.name: icd10
            for c in sheet.columns
            if c.table == "diagnoses" and (icd10 := self._diagnoses.get((vn, c.dx_type)))
        }
        return [said | _of_item(item, sheet, visit) for item in items]


def records(tables: DayTables, layout: SheetName, vn: str, codes: Collection[str]) -> list[dict[str, Value]]:
    """The rows of a sheet that say what the contract tables say of one visit: see `DayRecords`."""
    return DayRecords(tables).of(layout, vn, codes)


def to_json(found: list[dict[str, Value]]) -> str:
    """Records as text; `from_json` gives them back."""
    tagged = [{k: {"date": v.isoformat()} if isinstance(v, date) else v for k, v in row.items()} for row in found]
    return json.dumps(tagged, ensure_ascii=False, separators=(",", ":"))


def from_json(text: str) -> list[dict[str, Value]]:
    """The records that `to_json` wrote, their dates as dates."""
    return [
        {k: date.fromisoformat(v["date"]) if isinstance(v, dict) else str(v) for k, v in row.items()}
        for row in json.loads(text)
    ]


def _by_visit(rows: pd.DataFrame) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = defaultdict(list)
    for row in rows.to_dict("records"):
        found[row["vn"]].append(row)
    return found


def _latest(labs: pd.DataFrame) -> pd.DataFrame:
    rows = labs.sort_values(["result_date", "result_time"], kind="stable", na_position="first")
    return rows.drop_duplicates(["vn", "lab_code"], keep="last").sort_values(["vn", "lab_code"])


def _fullest(doses: pd.DataFrame) -> pd.DataFrame:
    """Of each vaccine code the dose that a claim would be made of: the one with the most of what it needs."""
    blank = [~doses[name].str.contains(r"[^\W_]").fillna(False).astype(bool) for name in _NEEDED]
    needed = sum((of_column.astype(int) for of_column in blank), doses["expiration_date"].isna().astype(int))
    ordered = doses.assign(
        lacking=needed * 10 + doses[list(_USEFUL)].isna().sum(axis=1),
        rank=doses["family"].map({family: rank for rank, family in enumerate(_FAMILIES)}).fillna(len(_FAMILIES)),
    ).sort_values(["vn", "vaccine_code", "lacking", "rank", "expiration_date", *_NEEDED, *_USEFUL])
    repeats = ordered["vaccine_code"].notna() & ordered.duplicated(["vn", "vaccine_code"])
    return ordered.loc[~repeats, list(doses.columns)]


def _of_item(item: Record, sheet: SheetLayout, visit: Record) -> dict[str, Value]:
    found = _named(item, sheet, sheet.table)
    # What is the visit's anyway is left to the visit, which may be mended.
    if sheet.table == "vaccinations" and (pd.isna(item["given_date"]) or item["given_date"] == visit["visit_date"]):
        found.pop("given_date", None)
        if pd.isna(item["given_date"]) or item["given_time"] == visit["visit_time"]:
            found.pop("given_time", None)
    return found


def _named(record: Record, sheet: SheetLayout, table: TableName) -> dict[str, Value]:
    """The values of one record by the sheet's columns, those that are there."""
    kinds = TABLES[table]
    return {
        column.name: value
        for column in sheet.columns
        if column.table == table and (value := _value(record[column.column], kinds[column.column])) is not None
    }


def _value(stored: Any, kind: Kind) -> Value | None:
    if kind == "flag":
        return str(int(stored))
    if pd.isna(stored):
        return None
    return stored.date() if kind == "date" else str(stored)
