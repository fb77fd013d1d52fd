"""A large workbook of claims: a month of a synthetic hospital, as an officer would type it."""

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from itertools import islice
from pathlib import Path

import pandas as pd
from openpyxl import Workbook

from bench.environment import Hospital
from extract.settings import HisSettings
from extract.source import open_source
from extract.workbook.layout import SheetName, layouts
from extract.workbook.rows import Value
from transform.claim import KINDS
from transform.claims import wanted
from transform.codes import read_codes
from transform.sheet_rows import SheetRows

FAULTY = 0.01
FAULTS: tuple[tuple[str, str | float | None], ...] = (
    ("dob", "1/2/13"),
    ("cid", 1.2345e12),
    ("cid", "1234567890123"),
    ("visit_time", 8.3),
    ("sex", None),
    ("result", "-"),
    ("lot_number", 42.0),
    ("expiration_date", "31/2/2570"),
    ("license_no", None),
)
"""The faults of faulty rows: a column, and its wrong value."""


def write_month(path: Path, hospital: Hospital, rows: int) -> int:
    """Write the days of a hospital's database into the sheets of a workbook.

    Args:
        path: The .xlsx file.
        hospital: The hospital.
        rows: Maximum number of rows.

    Returns:
        The number of rows written.
    """
    chance = random.Random(1)
    book = Workbook(write_only=True)
    sheets = {name: book.create_sheet(name.upper()) for name in layouts()}
    for name, sheet in sheets.items():
        sheet.append([column.heading.th for column in layouts()[name].columns])
    written = 0
    for name, row in islice(_rows(hospital), rows):
        said: dict[str, object] = dict(row)
        wrong = [(column, value) for column, value in FAULTS if column in said]
        if chance.random() < FAULTY and wrong:
            column, value = chance.choice(wrong)
            said[column] = value
        sheets[name].append([said.get(column.name) for column in layouts()[name].columns])
        written += 1
    book.save(path)
    return written


def _rows(hospital: Hospital) -> Iterator[tuple[SheetName, dict[str, Value]]]:
    codes = read_codes()
    wanted_codes: dict[SheetName, set[str]] = defaultdict(set, {"dmht": set(codes.labs["code"])})
    for vaccine in codes.vaccines.to_dict("records"):
        wanted_codes[vaccine["service"]].add(vaccine["code"])
    days: list[date] = [day.date() for day in pd.date_range(hospital.first, hospital.last)]
    with open_source(HisSettings(url=hospital.url)) as source:
        for day in days:
            tables = source.read_day(day, wanted(KINDS))
            sheet_rows = SheetRows(tables, codes.on(tables.day))
            for vn in tables.visits["vn"]:
                for name in layouts():
                    yield from ((name, row) for row in sheet_rows.of(name, vn, wanted_codes[name]))
