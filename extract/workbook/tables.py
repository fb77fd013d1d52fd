"""From the rows of a workbook to the contract tables, one service day at a time, as a hospital database would give them."""

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
"""The family of tables a workbook's doses are of."""
ORIGIN = "extract/workbook/tables.py"

_COLUMNS: Mapping[str, Column] = {c.name: c for layout in layouts().values() for c in layout.columns}


def _of(table: TableName) -> tuple[Column, ...]:
    return tuple(c for c in _COLUMNS.values() if c.table == table)


_VISIT, _DOSE, _DIAGNOSIS = _of("visits"), _of("vaccinations"), _of("diagnoses")


@dataclass(slots=True, repr=False)
class _Visit:
    """What the rows of one visit say: of the visit by column name, and one row a lab test or vaccine."""

    vn: str
    said: Mapping[str, Value]
    labs: dict[Value, Row] = field(default_factory=dict)
    doses: dict[Value, Row] = field(default_factory=dict)

    @property
    def day(self) -> date:
        """Its service day."""
        day = self.said["visit_date"]
        assert isinstance(day, date)
        return day

    @property
    def time(self) -> str:
        """Its time of day; "" where there is none."""
        return str(self.said.get("visit_time", ""))


class _Diagnosed(NamedTuple):
    """When a person first had a diagnosis, and as what."""

    day: date
    time: str
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

    Rows that do not say which visit, which day, and which result or vaccine are left out. Of two rows of a visit about
    one lab test or vaccine the first counts. What a faulty cell should have said is missing.

    Args:
        rows: As they were read.
        hcode: The facility's code.
        hospital_name: Its name.

    Raises:
        ContractError: The rows make no contract tables, which is a fault of the program.
    """
    # A visit without a time is behind those with one: none of its day is known to be later.
    visits = sorted(_visits(rows), key=lambda visit: (visit.day, visit.time or "~", visit.vn))
    ordinals = {visit.vn: visit.day.toordinal() for visit in visits}
    # Made and checked for all days at once: a workbook may hold few rows of each of many days.
    tables = _tables(visits, {"hcode": hcode, "hospital_name": hospital_name})
    split = {name: dict(iter(rows.groupby(rows["vn"].map(ordinals)))) for name, rows in tables.items()}
    for day in sorted(set(ordinals.values())):
        of_day = {name: split[name].get(day, rows.iloc[:0]).reset_index(drop=True) for name, rows in tables.items()}
        yield DayTables(date.fromordinal(day), **of_day)


def _visits(rows: Iterable[Row]) -> Iterable[_Visit]:
    items = {name: "lab_code" if layout.table == "labs" else "vaccine_code" for name, layout in layouts().items()}
    found: dict[str, _Visit] = {}
    for row in rows:
        said, item = row.values, items[row.layout]
        if not {"vn", "visit_date", item} <= said.keys() or (item == "lab_code" and "result" not in said):
            continue
        vn = str(said["vn"])
        if vn not in found:
            found[vn] = _Visit(vn, said)
        visit = found[vn]
        visit.said = {**said, **visit.said}
        (visit.labs if item == "lab_code" else visit.doses).setdefault(said[item], row)
    return found.values()


def _tables(visits: list[_Visit], facility: Mapping[str, str]) -> dict[TableName, pd.DataFrame]:
    """The contract tables of all visits, which come in the order of time."""
    past: dict[Value, dict[str, _Diagnosed]] = defaultdict(dict)
    diagnoses = [diagnosis for visit in visits for diagnosis in _diagnoses(visit)]
    earlier = [diagnosis for visit in visits for diagnosis in _earlier(visit, past)]
    labs = _labs([(visit, row) for visit in visits for row in visit.labs.values()])
    doses = _doses([(visit, row) for visit in visits for row in visit.doses.values()])
    of_visits: dict[str, Sequence[object]] = {name: [said] * len(visits) for name, said in facility.items()}
    of_visits |= {c.column: [visit.said.get(c.name) for visit in visits] for c in _VISIT}
    found: dict[TableName, pd.DataFrame] = {
        "visits": normalise.visits(_frame("visits", of_visits), {}, {}),
        "diagnoses": pd.concat([normalise.diagnoses(_diagnosed(diagnoses)), _diagnosed(earlier)]),
        "labs": normalise.labs(_frame("labs", labs), {}, {}, tuple(set(map(str, labs["lab_code"])))),
        "vaccinations": normalise.vaccinations(_frame("vaccinations", doses), {}, {}),
    }
    return {name: _checked(name, frame) for name, frame in found.items()}


def _frame(table: TableName, said: Mapping[str, Sequence[object]]) -> pd.DataFrame:
    """A contract table of its columns, the same number of values each; those that are not there are empty."""
    kinds = contract.TABLES[table] | HELPER_COLUMNS[table]
    nothing = [None] * len(said["vn"])
    return pd.DataFrame({name: column(said.get(name, nothing), kind) for name, kind in kinds.items()})


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
        "result_time": [visit.said.get("visit_time") for visit, _ in rows],
        # Numbered as a laboratory numbers its orders.
        "lab_order": range(len(rows)),
    }


def _doses(rows: Sequence[tuple[_Visit, Row]]) -> dict[str, Sequence[object]]:
    days = [row.values.get("given_date", visit.day) for visit, row in rows]
    # The visit's time is the dose's only on the visit's day.
    times = [
        visit.said.get("visit_time") if day == visit.day else None for day, (visit, _) in zip(days, rows, strict=True)
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
        if isinstance(codes := visit.said.get(c.name), str):
            yield from (_Diagnosis(visit.vn, code, c.dx_type) for code in codes.split(", "))


def _earlier(visit: _Visit, past: dict[Value, dict[str, _Diagnosed]]) -> Iterator[_Diagnosis]:
    """Of each diagnosis that the person had at an earlier visit of the workbook the first; visits come in order."""
    person = visit.said.get("cid")
    if person is None:
        return
    known = past[person]
    for icd10, first in known.items() if visit.labs else ():
        if first.day < visit.day or "" < first.time < visit.time:
            yield _Diagnosis(visit.vn, icd10, first.dx_type, first.day, earlier=True)
    for diagnosis in _diagnoses(visit):
        known.setdefault(diagnosis.icd10, _Diagnosed(visit.day, visit.time, diagnosis.dx_type))
