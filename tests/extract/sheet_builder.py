"""Sheets of a workbook by hand: rows that can be used, each test changes one thing."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from extract.workbook.layout import SheetName, layouts
from extract.workbook.reader import understand
from extract.workbook.rows import CellValue, RawSheet, Reading, Row, Value
from transform.codes import read_codes
from transform.dropdown_choices import choices

DAY = date(2026, 10, 31)
"""The last day a visit may have."""
CHOICES = choices(read_codes(None), DAY)


def moment(*parts: int) -> datetime:
    """A cell formatted as a date: a file knows no time zone."""
    return datetime(*parts)  # type: ignore[arg-type,misc]  # noqa: DTZ001


VISIT: dict[str, CellValue] = {
    "vn": "691001083000",
    "hn": "000001234",
    "visit_date": "1/10/2569",
    "visit_time": "08:30",
    "cid": "1-9900-00000-00-1",
    "title": "นาง",
    "fname": "สมหญิง",
    "lname": "ใจดี",
    "dob": "3/2/2513",
    "sex": "หญิง",
    "nation": "ไทย",
    "marriage": "คู่",
    "occupa": "รับจ้าง",
    "scheme": "UCS",
    "closing_code": "EP0000000001",
}
LAB: dict[str, CellValue] = VISIT | {"dx1": "E11.9", "lab_code": "HbA1c", "result": 7.2}
DOSE: dict[str, CellValue] = VISIT | {
    "vaccine_code": "041",
    "lot_number": "LOT42",
    "expiration_date": moment(2027, 12, 31),
    "provider_name": "พยาบาล ตัวอย่าง",
    "license_no": "4511111111",
}


def headings(layout: SheetName) -> list[CellValue]:
    return [column.heading.th for column in layouts()[layout].columns]


def line(layout: SheetName, cells: Mapping[str, CellValue]) -> list[CellValue]:
    """A row of the sheet, every cell beneath its heading."""
    return [cells.get(column.name) for column in layouts()[layout].columns]


def sheet(layout: SheetName, *rows: Mapping[str, CellValue], name: str = "") -> RawSheet:
    return RawSheet(name or layout, True, [headings(layout), *(line(layout, row) for row in rows)])


def read(*sheets: RawSheet) -> Reading:
    return understand("เคลม.xlsx", "0" * 64, sheets, CHOICES, DAY)


def read_rows(layout: SheetName, *rows: Mapping[str, CellValue]) -> tuple[Row, ...]:
    return read(sheet(layout, *rows)).rows


def rules(row: Row) -> dict[str, str]:
    """The rule each faulty cell meets, by its column."""
    return {fault.column: fault.rule for fault in row.faults}


def as_cells(records: Sequence[Mapping[str, Value]]) -> list[dict[str, CellValue]]:
    """Records as a spreadsheet program holds them: days are dates with a time of midnight."""
    return [
        {name: moment(v.year, v.month, v.day) if isinstance(v, date) else v for name, v in record.items()}
        for record in records
    ]
