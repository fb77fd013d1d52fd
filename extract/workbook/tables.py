"""Turns the rows of a workbook into the contract tables of each service day."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

import pandas as pd

from extract import contract, normalise
from extract.contract import DayTables, TableName
from extract.reader import HELPER_COLUMNS
from extract.values import column
from extract.workbook.layout import Column, layouts
from extract.workbook.rows import Row, Value

FAMILY = "workbook"
"""The value of `family` for doses from a workbook."""
ORIGIN = "extract/workbook/tables.py"

_COLUMNS: Mapping[str, Column] = {c.name: c for layout in layouts().values() for c in layout.columns}


def _of(table: TableName) -> tuple[Column, ...]:
    return tuple(c for c in _COLUMNS.values() if c.table == table)


_VISIT, _DOSE, _DIAGNOSIS = _of("visits"), _of("vaccinations"), _of("diagnoses")


@dataclass(slots=True, repr=False)
class _Visit:
    """One visit: the visit's values by column name, and one row per lab test or vaccine."""

    vn: str
    values: Mapping[str, Value]
    labs: dict[Value, Row] = field(default_factory=dict)
    doses: dict[Value, Row] = field(default_factory=dict)

    @property
    def day(self) -> date:
        """Its service day."""
        day = self.values["visit_date"]
        assert isinstance(day, date)
        return day

    @property
    def time(self) -> str:
        """Its time of day; "" if unknown."""
        return str(self.values.get("visit_time", ""))


class _Diagnosed(NamedTuple):
    """When a person first had a diagnosis, and its type."""

    day: date
    dx_type: str


class _Diagnosis(NamedTuple):
    """A row of the diagnoses."""

    vn: str
    icd10: str
    dx_type: str
    dx_date: date | None = None
    earlier: bool = False


def service_days(rows: Iterable[Row], *, hcode: str, hospital_name: str) -> Iterator[DayTables]:
    """The contract tables of each service day, the oldest first.

    Rows without a visit number, a visit date, a lab test and result or a vaccine are left out. Of two rows of a visit
    about the same lab test or vaccine the first counts (the reader reports the second). Faulty cells are missing
    values.

    Args:
        rows: The rows read.
        hcode: The facility's code.
        hospital_name: Its name.

    Raises:
        ContractError: The tables break the contract, which is a bug.
    """
    # A visit without a time comes after those with one, as no visit of the day is known to be later.
    visits = sorted(_visits(rows), key=lambda visit: (visit.day, visit.time or "~", visit.vn))
    ordinals = {visit.vn: visit.day.toordinal() for visit in visits}
    # All days are made and checked at once, as a workbook may have few rows for each of many days.
    tables = _tables(visits, {"hcode": hcode, "hospital_name": hospital_name})
    split = {name: dict(iter(rows.groupby(rows["vn"].map(ordinals)))) for name, rows in tables.items()}
    for day in sorted(set(ordinals.values())):
        of_day = {name: split[name].get(day, rows.iloc[:0]).reset_index(drop=True) for name, rows in tables.items()}
        yield DayTables(date.fromordinal(day), *(of_day[name] for name in contract.TABLES))


def _visits(rows: Iterable[Row]) -> Iterable[_Visit]:
    items = {name: "lab_code" if layout.table == "labs" else "vaccine_code" for name, layout in layouts().items()}
    found: dict[str, _Visit] = {}
    for row in rows:
        values, item = row.values, items[row.layout]
        if not {"vn", "visit_date", item} <= values.keys() or (item == "lab_code" and "result" not in values):
            continue
        vn = str(values["vn"])
        if vn not in found:
            found[vn] = _Visit(vn, values)
        visit = found[vn]
        visit.values = {**values, **visit.values}
        (visit.labs if item == "lab_code" else visit.doses).setdefault(values[item], row)
    return found.values()


def _tables(visits: list[_Visit], facility: Mapping[str, str]) -> dict[TableName, pd.DataFrame]:
    """The contract tables of all visits; the visits are ordered by time."""
    past: dict[Value, dict[str, _Diagnosed]] = defaultdict(dict)
    diagnoses = [diagnosis for visit in visits for diagnosis in _diagnoses(visit)]
    earlier = [diagnosis for visit in visits for diagnosis in _earlier(visit, past)]
    labs = _labs([(visit, row) for visit in visits for row in visit.labs.values()])
    doses = _doses([(visit, row) for visit in visits for row in visit.doses.values()])
    of_visits: dict[str, Sequence[object]] = {name: [value] * len(visits) for name, value in facility.items()}
    of_visits |= {c.column: [visit.values.get(c.name) for visit in visits] for c in _VISIT}
    found: dict[TableName, pd.DataFrame] = {
        "visits": normalise.visits(_frame("visits", of_visits), {}, {}),
        "diagnoses": pd.concat([normalise.diagnoses(_diagnosed(diagnoses)), _diagnosed(earlier)]),
        "labs": normalise.labs(_frame("labs", labs), {}, {}, tuple(set(map(str, labs["lab_code"])))),
        "vaccinations": normalise.vaccinations(_frame("vaccinations", doses), {}, {}),
    }
    return {name: _checked(name, frame) for name, frame in found.items()}


def _frame(table: TableName, columns: Mapping[str, Sequence[object]]) -> pd.DataFrame:
    """A contract table from its columns, all of one length; missing columns are empty."""
    kinds = contract.TABLES[table] | HELPER_COLUMNS[table]
    nothing = [None] * len(columns["vn"])
    return pd.DataFrame({name: column(columns.get(name, nothing), kind, name) for name, kind in kinds.items()})


def _checked(table: TableName, frame: pd.DataFrame) -> pd.DataFrame:
    return contract.check(table, frame[list(contract.TABLES[table])].reset_index(drop=True), ORIGIN)


def _labs(rows: Sequence[tuple[_Visit, Row]]) -> dict[str, Sequence[object]]:
    codes = [row.values["lab_code"] for _, row in rows]
    return {
        "vn": [visit.vn for visit, _ in rows],
        "lab_code": codes,
        "local_code": codes,
        "result": [row.values["result"] for _, row in rows],
        "result_date": [visit.day for visit, _ in rows],
        "result_time": [visit.values.get("visit_time") for visit, _ in rows],
    }


def _doses(rows: Sequence[tuple[_Visit, Row]]) -> dict[str, Sequence[object]]:
    days = [row.values.get("given_date", visit.day) for visit, row in rows]
    # The visit's time is the dose's only on the visit's day.
    times = [
        visit.values.get("visit_time") if day == visit.day else None for day, (visit, _) in zip(days, rows, strict=True)
    ]
    return {c.column: [row.values.get(c.name) for _, row in rows] for c in _DOSE} | {
        "vn": [visit.vn for visit, _ in rows],
        "given_date": days,
        "given_time": [row.values.get("given_time", time) for time, (_, row) in zip(times, rows, strict=True)],
        "family": [FAMILY] * len(rows),
    }


def _diagnosed(rows: Sequence[_Diagnosis]) -> pd.DataFrame:
    return _frame("diagnoses", {name: [getattr(row, name) for row in rows] for name in _Diagnosis._fields})


def _diagnoses(visit: _Visit) -> Iterator[_Diagnosis]:
    for c in _DIAGNOSIS:
        if isinstance(codes := visit.values.get(c.name), str):
            yield from (_Diagnosis(visit.vn, code, c.dx_type) for code in codes.split(", "))


def _earlier(visit: _Visit, past: dict[Value, dict[str, _Diagnosed]]) -> Iterator[_Diagnosis]:
    """The first occurrence of each diagnosis at the person's earlier visits in this workbook; visits come in order."""
    person = visit.values.get("cid")
    if person is None:
        return
    known = past[person]
    for icd10, first in known.items() if visit.labs else ():
        if first.day < visit.day:
            yield _Diagnosis(visit.vn, icd10, first.dx_type, first.day, earlier=True)
    for diagnosis in _diagnoses(visit):
        known.setdefault(diagnosis.icd10, _Diagnosed(visit.day, diagnosis.dx_type))
