"""A template filled in by hand, calculated and saved by LibreOffice: its claims are those of the HIS, byte for byte."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import date, time, timedelta
from itertools import count
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from officer import CODES, rows_of
from openpyxl.cell import Cell
from openpyxl.worksheet.worksheet import Worksheet
from pydantic import SecretStr

from core.clock import today
from extract.contract import DayTables
from extract.settings import HisSettings, WorkbookSettings
from extract.source import open_source
from extract.workbook.dates import LEAST_TWO_DIGITS, THAI_CENTURY
from extract.workbook.layout import Column, SheetLayout, SheetName, layouts
from extract.workbook.reader import read_workbook
from extract.workbook.rows import Reading, Value
from extract.workbook.tables import service_days
from load.workbook.form import NAME_ROW, TITLES
from load.workbook.style import GENERAL, TEXT
from load.workbook.template import write_template
from sandbox.his import DENSE, build_hosxp
from transform.claim import KINDS, SERVICES, Claim
from transform.claims import make_claims, wanted
from transform.dropdown_choices import choices

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("libreoffice")]

DAYS = [today() - timedelta(days=3), today() - timedelta(days=2)]
HCODE, HOSPITAL = "10953", "โรงพยาบาลตัวอย่าง"
CHOICES = choices(CODES, today())
SHEETS: tuple[SheetName, ...] = ("dmht", "epi", "dt")
FORMS = ("xlsx", "ods", "xls")
NOTHING = pd.DataFrame({name: [] for name in ("kind", "pid", "item", "vn", "service_date", "yields")})

BUDDHIST_YEARS = 543
MONTHS, SHORT = (
    names.split()
    for names in (
        "มกราคม กุมภาพันธ์ มีนาคม เมษายน พฤษภาคม มิถุนายน กรกฎาคม สิงหาคม กันยายน ตุลาคม พฤศจิกายน ธันวาคม",
        "ม.ค. ก.พ. มี.ค. เม.ย. พ.ค. มิ.ย. ก.ค. ส.ค. ก.ย. ต.ค. พ.ย. ธ.ค.",
    )
)
THAI_DIGITS = str.maketrans("0123456789", "๐๑๒๓๔๕๖๗๘๙")

Claims = dict[tuple[str, str, str, str], bytes]
Typed = str | int | float | date | time


# What one value looks like from different hands


def joined(text: str) -> str:
    """A formula that puts a text together, as `="00"&"91"`."""
    half = len(text) // 2
    return f'="{text[:half]}"&"{text[half:]}"'


def days_typed(day: date) -> list[Typed]:
    d, m, year = day.day, day.month, day.year + BUDDHIST_YEARS
    short = f"{d} {SHORT[m - 1]} "
    ways: list[Typed] = [
        f"{d}/{m}/{year}",
        day,
        f"{d}/{m}/{year}".translate(THAI_DIGITS),
        f"=DATE({day.year},{m},{d})",
        f"{d} {MONTHS[m - 1]} {year}",
        short + (f"{year % 100}" if year >= THAI_CENTURY + LEAST_TWO_DIGITS else f"พ.ศ. {year}"),
        f'=TEXT({d},"00")&"/"&TEXT({m},"00")&"/{year}"',
        f"{d:02}-{m:02}-{year} 00:00",
        f"{day:%Y-%m-%d}",
        f'=TEXT(DATE({day.year},{m},{d}),"yyyy-mm-dd")',
        f"{day:%d %b %Y}",
    ]
    if (m, d) == (2, 29):  # which no Buddhist year has
        return ways
    buddhist = day.replace(year=year)
    return [buddhist, *ways, f"=DATE({year},{m},{d})", f'=TEXT(DATE({year},{m},{d}),"d/m/yyyy")']


def times_typed(text: str) -> list[Typed]:
    at = time.fromisoformat(text)
    return [at, text, f"=TIME({at.hour},{at.minute},0)", f"{at.hour}.{at.minute:02} น.", f"{at:%I:%M %p}", joined(text)]


def identity_numbers_typed(text: str) -> list[Typed]:
    dashed = f"{text[0]}-{text[1:5]}-{text[5:10]}-{text[10:12]}-{text[12]}"
    return [text, int(text), dashed, f'=TEXT({text},"0")', dashed.replace("-", " "), joined(text), f"={text}"]


def results_typed(text: str) -> list[Typed]:
    # Of what a laboratory wrote as "10.6 %" or "7.0", a number would not be left the same.
    numbers: list[Typed] = [float(text), f"={text}*10/10"] if re.fullmatch(r"\d+(\.\d*[1-9])?", text) else []
    return [text, *numbers, joined(text)]


def codes_typed(text: str) -> list[Typed]:
    padded = [f'=TEXT({int(text)},"{"0" * len(text)}")'] if text.isdecimal() else []
    return [text, *padded, text.translate(THAI_DIGITS), f"'{text}", joined(text)]


def diagnoses_typed(text: str) -> list[Typed]:
    dotted = ", ".join(code[:3] + "." * (len(code) > 3) + code[3:] for code in text.split(", "))
    return [text, dotted, dotted.lower(), text.replace(", ", ","), joined(dotted)]


def counts_typed(text: str) -> list[Typed]:
    return [int(text), text, f"={text}+0"]


def texts_typed(text: str) -> list[Typed]:
    return [text, f"{text} ", joined(text), f'=TRIM(" {text}  ")']


def typed(column: Column, value: Value) -> list[Typed]:
    """The ways to type a value into a column."""
    if isinstance(value, date):
        return days_typed(value)
    if column.choices:
        label = next((c.label for c in CHOICES[column.choices] if c.value == value), value)
        return [label, value, joined(label)]
    by_type: Mapping[str, Callable[[str], list[Typed]]] = {
        "time": times_typed,
        "cid": identity_numbers_typed,
        "result": results_typed,
        "code": codes_typed,
        "icd10": diagnoses_typed,
        "count": counts_typed,
    }
    return by_type.get(column.type, texts_typed)(value)


class Hand:
    """Types rows below the examples of a template's sheet, each cell another way; what a visit says is typed once."""

    def __init__(self, sheet: Worksheet, layout: SheetLayout) -> None:
        self._sheet, self._layout, self._row = sheet, layout, sheet.max_row
        names = [cell.value for cell in sheet[NAME_ROW]]
        self._places = {c.name: names.index(c.name) + 1 for c in layout.columns}
        self._turns = {c.name: count() for c in layout.columns}
        self._visits: dict[Value, str] = {}

    def type_row(self, row: Mapping[str, Value]) -> None:
        self._row += 1
        first = self._visits.get(row["vn"])
        if first:
            self._put("vn", f"={first}")
        for column in self._layout.columns:
            if column.name in row and (not first or column.table == self._layout.table):
                ways = typed(column, row[column.name])
                self._put(column.name, ways[next(self._turns[column.name]) % len(ways)])
        self._visits.setdefault(row["vn"], f"A{self._row}")

    def _put(self, name: str, value: Typed) -> None:
        cell = self._sheet.cell(self._row, self._places[name])
        assert isinstance(cell, Cell)
        cell._style = copy(self._sheet.column_dimensions[cell.column_letter]._style)  # type: ignore[attr-defined]
        form = cell.number_format
        cell.value = value
        if form == TEXT:
            fits = cell.data_type == "s"
        else:
            # Into an .xls LibreOffice writes 0 for a formula of text that stands in a cell of a date's or time's format.
            fits = cell.data_type != "f" or str(value).startswith(("=DATE", "=TIME"))
        cell.number_format = form if fits else GENERAL


# The hospital, its workbooks, and LibreOffice


@dataclass(frozen=True)
class Filled:
    """The hospital's claims by service, and its filled-in workbooks."""

    claims: dict[SheetName, Claims]
    files: dict[SheetName, Path]


def claims_of(tables: DayTables, *, explicit_request: bool) -> tuple[Claim, ...]:
    return make_claims(tables, kinds=KINDS, hcode=HCODE, history=NOTHING, explicit_request=explicit_request).claims


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    folder = tmp_path_factory.mktemp("filled")
    url = f"sqlite:///{folder / 'hosxp.sqlite'}"
    build_hosxp(
        url, first_day=DAYS[0], days=2, visits_a_day=60, hcode=HCODE, hospital_name=HOSPITAL, traps=False, mix=DENSE
    )
    claims: dict[SheetName, Claims] = {name: {} for name in SHEETS}
    with open_source(HisSettings(url=SecretStr(url))) as source:
        for day in DAYS:
            for claim in claims_of(source.read_day(day, wanted(KINDS)), explicit_request=False):
                claims[SERVICES[claim.kind]][claim.key] = claim.payload
    rows = rows_of(url, DAYS)
    files = {name: fill(folder / f"{name}.xlsx", name, rows[name]) for name in SHEETS}
    return Filled(claims, files)


def fill(path: Path, name: SheetName, rows: list[dict[str, Value]]) -> Path:
    """The template as the command writes it, opened, filled in and saved."""
    write_template(path, [name], CHOICES, "th")
    book = openpyxl.load_workbook(path, rich_text=True)
    hand = Hand(book[TITLES[name]], layouts()[name])
    for row in rows:
        hand.type_row(row)
    book.save(path)
    return path


@pytest.fixture(scope="module", params=FORMS)
def saved(request: pytest.FixtureRequest, filled: Filled, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder where LibreOffice has saved the workbooks in one of its forms; it calculates what has no value yet."""
    soffice = shutil.which("soffice")
    if soffice is None:
        if os.environ.get("CI"):
            pytest.fail("soffice is not there, and CI lets it save the workbooks")
        pytest.skip("soffice is not there")
    folder = tmp_path_factory.mktemp("saved")
    profile = f"-env:UserInstallation=file://{folder / 'profile'}"
    command = [soffice, profile, "--headless", "--convert-to", request.param, "--outdir", str(folder)]
    subprocess.run([*command, *map(str, filled.files.values())], check=True, capture_output=True, timeout=240)
    return folder


def read(path: Path) -> Reading:
    return read_workbook(path, WorkbookSettings(), CHOICES)


@pytest.mark.parametrize("name", SHEETS)
def test_a_filled_template_that_libreoffice_saved_gives_the_claims_of_the_his(
    filled: Filled, saved: Path, name: SheetName
) -> None:
    (file,) = saved.glob(f"{name}.*")
    reading = read(file)
    assert [(fault.address, fault.rule) for row in reading.rows for fault in row.faults] == []
    days = service_days(reading.rows, hcode=HCODE, hospital_name=HOSPITAL)
    found = {claim.key: claim.payload for day in days for claim in claims_of(day, explicit_request=True)}
    assert found == filled.claims[name]
    assert {kind for _, kind, _, _ in found} == {kind for kind in KINDS if SERVICES[kind] == name}


@pytest.mark.parametrize("name", SHEETS)
def test_before_a_spreadsheet_program_has_calculated_them_formulas_are_refused(filled: Filled, name: SheetName) -> None:
    rules = {fault.rule for row in read(filled.files[name]).rows for fault in row.faults}
    assert "cell.uncalculated" in rules
