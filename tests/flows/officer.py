"""A claims officer: fills a template with what a hospital's database says, and looks into the results that come back."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
from pydantic import SecretStr

from core.clock import today
from extract.contract import DayTables
from extract.settings import HisSettings
from extract.source import open_source
from extract.workbook.layout import SheetName, layouts
from extract.workbook.rows import Value
from load.workbook.template import write_template
from transform.claim import KINDS
from transform.claims import wanted
from transform.codes import read_codes
from transform.dropdown_choices import choices
from transform.sheet_rows import SheetRows

Rows = dict[SheetName, list[dict[str, Value]]]
CODES = read_codes()
LABS = set(CODES.labs["code"])
VACCINES: dict[SheetName, set[str]] = {
    service: set(CODES.vaccines.loc[CODES.vaccines["service"] == service, "code"]) for service in ("epi", "dt")
}


def rows_of(his: str, days: Iterable[date], kind: str = "hosxp") -> Rows:
    """The rows of a workbook that say what a hospital's database says of some days."""
    found: Rows = defaultdict(list)
    with open_source(HisSettings(url=SecretStr(his), kind=kind)) as source:
        for day in days:
            tables = source.read_day(day, wanted(KINDS))
            for name in layouts():
                found[name] += _rows_of_day(tables, name)
    return found


def _rows_of_day(tables: DayTables, name: SheetName) -> list[dict[str, Value]]:
    codes = LABS if name == "dmht" else VACCINES[name]
    sheet_rows = SheetRows(tables, CODES.on(tables.day))
    return [row for vn in tables.visits["vn"] for row in sheet_rows.of(name, vn, codes)]


def fill(path: Path, rows: Rows) -> Path:
    """A template, filled in."""
    write_template(path, [name for name in layouts() if rows.get(name)], choices(CODES, today()), "th", rows)
    return path


def sheet_of(path: Path, title: str) -> list[dict[str, Any]]:
    """A sheet's rows by field, read below the row of field names; with the result's columns by their Thai headings."""
    sheet = openpyxl.load_workbook(path)[title]
    rows = list(sheet.iter_rows(values_only=True))
    start = next(n for n, row in enumerate(rows) if "vn" in row)
    names = [low or str(high).strip(" *") for low, high in zip(rows[start], rows[start - 1], strict=True)]
    return [dict(zip(names, row, strict=True)) for row in rows[start + 1 :] if any(row)]


def change(path: Path, title: str, vn: str, **values: Any) -> None:
    """Type something else into the cells of a visit's first row; the workbook is saved."""
    book = openpyxl.load_workbook(path)
    sheet = book[title]
    rows = list(sheet.iter_rows())
    start = next(n for n, row in enumerate(rows) if "vn" in [cell.value for cell in row])
    names = [cell.value for cell in rows[start]]
    row = next(row for row in rows[start + 1 :] if row[names.index("vn")].value == vn)
    for name, value in values.items():
        row[names.index(name)].value = value
    book.save(path)


def titles(path: Path) -> list[str]:
    """The sheets a person sees."""
    return [sheet.title for sheet in openpyxl.load_workbook(path).worksheets if sheet.sheet_state == "visible"]
