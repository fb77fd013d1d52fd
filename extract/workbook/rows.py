"""What is read from a workbook: raw cells as the file has them, then rows whose cells mean something."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Literal

from core.messages import Message
from extract.workbook.layout import SheetName


@dataclass(frozen=True, slots=True)
class Broken:
    """A cell that holds no value: it shows an error, or a formula in it was never calculated.

    Args:
        why: Which of the two.
    """

    why: Literal["error", "uncalculated"]


CellValue = str | float | bool | date | datetime | time | timedelta | Broken | None
"""A cell as the file has it; None is empty. Whole numbers come as floats."""
Value = str | date
"""A cell's meaning: a day, or text as the contract tables hold it (a time is "HH:MM")."""


@dataclass(frozen=True, slots=True, repr=False)
class RawSheet:
    """A sheet as the file has it.

    Args:
        name: Its name.
        visible: Whether a person sees it.
        rows: The first is the sheet's row 1, its first cell column A; rows may differ in length.
    """

    name: str
    visible: bool
    rows: Sequence[Sequence[CellValue]]


@dataclass(frozen=True, slots=True)
class Fault:
    """A cell that cannot be used.

    Args:
        column: The layout column's name.
        address: The cell, such as C5.
        rule: A code, such as "cell.date_ambiguous".
        message: What is wrong and what to do; names the sheet and the cell.
    """

    column: str
    address: str
    rule: str
    message: Message = field(repr=False)


@dataclass(frozen=True, slots=True, repr=False)
class Row:
    """One row of a sheet: one lab result, or one dose.

    Args:
        sheet: The sheet's name in the file.
        number: The row as the spreadsheet program numbers it, from 1.
        layout: Which kind of sheet it is.
        values: What its cells mean, by column name; empty and faulty cells are not among them.
        raw: All its cells that are not empty as the file has them, by column name.
        faults: Its cells that cannot be used.
        repeats: The row, by sheet and number, that says the same already; None where none does.
    """

    sheet: str
    number: int
    layout: SheetName
    values: Mapping[str, Value]
    raw: Mapping[str, CellValue]
    faults: tuple[Fault, ...] = ()
    repeats: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class SheetRead:
    """How a sheet was understood.

    Args:
        name: Its name in the file.
        layout: Which kind it is.
        header_row: The row of its headings, from 1.
        columns: Where each layout column stands, from 0.
        surplus: Headings that mean nothing here; their cells are left alone.
        missing: Columns that may be left out, and were.
        notes: Rows that hold something but are no data: notes, totals, repeated headings, examples.
        doubtful: Which of these may be data all the same, from 1: they hold what looks like a visit number, an identity
            number, a lab test or a vaccine. The first 20.
    """

    name: str
    layout: SheetName
    header_row: int
    columns: Mapping[str, int]
    surplus: tuple[str, ...]
    missing: tuple[str, ...]
    notes: int
    doubtful: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Reading:
    """A workbook that was read.

    Args:
        file_name: Its name, without folders.
        file_hash: SHA-256 of the file, 64 hex digits.
        raw: Every sheet as the file has it.
        sheets: Those that hold rows of claims.
        rows: All their rows, in order.
        left_out: Sheets that were not read, and why, one sentence each.
    """

    file_name: str
    file_hash: str
    raw: tuple[RawSheet, ...]
    sheets: tuple[SheetRead, ...]
    rows: tuple[Row, ...]
    left_out: tuple[Message, ...]
