"""What is read from a workbook: raw cells as in the file, and rows of typed values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Literal

from core.messages import Message
from extract.workbook.layout import SheetName


@dataclass(frozen=True, slots=True)
class Broken:
    """A cell without a value: it shows an error, or its formula was never calculated.

    Args:
        why: Which of the two.
    """

    why: Literal["error", "uncalculated"]


CellValue = str | float | bool | date | datetime | time | timedelta | Broken | None
"""A cell as in the file; None is empty. Whole numbers are floats."""
Value = str | date
"""A cell's typed value: a day, or text as in the contract tables (a time is "HH:MM")."""


@dataclass(frozen=True, slots=True, repr=False)
class RawSheet:
    """A sheet as in the file.

    Args:
        name: Its name.
        visible: Whether it is not hidden.
        rows: From row 1 of the sheet, cells from column A; rows may differ in length.
        hidden: The rows that are hidden or filtered out, from 0.
        struck: The columns of struck-through cells, from 0, by row, from 0.
    """

    name: str
    visible: bool
    rows: Sequence[Sequence[CellValue]]
    hidden: frozenset[int] = frozenset()
    struck: Mapping[int, frozenset[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fault:
    """A cell that cannot be used.

    Args:
        column: The layout column's name.
        address: The cell, such as C5.
        rule: A code, such as "cell.date_ambiguous".
        message: What is wrong and what to do, with sheet and cell.
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
        layout: The kind of sheet.
        values: Its typed values by column name, without empty and faulty cells.
        raw: Its cells that are not empty, as in the file, by column name; for a ditto mark the cell that it repeats.
        faults: Its cells that cannot be used.
        repeats: The earlier row, by sheet and number, that it repeats; None if it repeats none.
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
        layout: The kind of sheet.
        header_row: The row of its headings, from 1.
        columns: The position of each layout column, from 0.
        surplus: Unknown headings; their cells are ignored.
        missing: Optional columns that it does not have.
        notes: How many rows are neither empty nor data: notes, totals, repeated headings, examples.
        doubtful: The first 20 of these, from 1, that may be data: they have what looks like a visit number, an identity
            number, a lab test or a vaccine.
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
        raw: All sheets as in the file.
        sheets: Those with rows of claims.
        rows: All their rows, in order.
        left_out: Sheets that were not read, and why, one sentence each.
    """

    file_name: str
    file_hash: str
    raw: tuple[RawSheet, ...]
    sheets: tuple[SheetRead, ...]
    rows: tuple[Row, ...]
    left_out: tuple[Message, ...]
