"""The officer's own sheets in a result: unchanged, with the outcome of each row in new columns."""

import warnings
from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import cast
from zipfile import ZipFile

from openpyxl import Workbook, load_workbook
from openpyxl.cell import Cell, MergedCell
from openpyxl.utils import column_index_from_string, get_column_letter
from openpyxl.workbook.child import INVALID_TITLE_REGEX
from openpyxl.worksheet.worksheet import Worksheet

from core.messages import Message
from core.text import one_line
from extract.workbook.layout import SUMMARY, outcome_columns
from extract.workbook.rows import Broken, CellValue, RawSheet, Reading, SheetRead
from load.workbook.result_content import RowOutcome
from load.workbook.style import (
    BORDER,
    CATEGORIES,
    FAULTY,
    LIGHT,
    MUTED,
    SLATE,
    TEXT,
    TIME,
    WHITE,
    CellStyle,
    outcome_style,
    solid_fill,
)
from load.workbook.summary import HEADLINE
from load.workbook.writer import TITLE_LENGTH, Content, WorkbookWriter, count_lines, is_plain

# Larger workbooks are rebuilt: 200,000 cells take openpyxl some 200 MB of memory.
MAX_CELLS, MAX_BYTES = 200_000, 48_000_000
MAX_COLUMNS = 16_384
BROKEN = {
    "error": Message("(สูตรผิดพลาด)", "(error)"),
    "uncalculated": Message("(สูตรยังไม่คำนวณ)", "(not calculated)"),
}
PLAIN_STYLE = CellStyle()
# Excel's default shows thirteen digits as 1.23E+12.
INTEGER_STYLE = CellStyle(number_format="0")
DATE_STYLE, DATETIME_STYLE = CellStyle(number_format="yyyy-mm-dd"), CellStyle(number_format="yyyy-mm-dd hh:mm")
TIME_STYLE, DURATION_STYLE = CellStyle(number_format=TIME), CellStyle(number_format="[h]:mm")
UID_STYLE, REASON_STYLE = CellStyle(number_format=TEXT, align="left"), CellStyle(align="left")
OUTCOME_STYLES = {category: outcome_style(category) for category in CATEGORIES}
BROKEN_STYLE = CellStyle(colour=MUTED, italic=True)
# How many rows are measured for the widths of a rebuilt sheet's columns.
MEASURED_ROWS = 200

OutcomesByRow = dict[int, RowOutcome]
"""The outcomes of a sheet's rows, by row number."""


def load_source(source: Path | None, reading: Reading) -> Workbook | None:
    """Load the officer's workbook with formulas and formats; None if it must be rebuilt from the values read."""
    if source is None or source.suffix.lower() not in (".xlsx", ".xlsm"):
        return None
    try:
        with ZipFile(source) as parts:
            sizes = (part.file_size for part in parts.infolist() if part.filename.startswith("xl/worksheets/"))
            too_large = sum(sizes) > MAX_BYTES
        if too_large or sum(len(row) for sheet in reading.raw for row in sheet.rows) > MAX_CELLS:
            return None
        with warnings.catch_warnings():
            # openpyxl warns of what it drops; the officer's own file keeps it.
            warnings.simplefilter("ignore")
            book = load_workbook(source, rich_text=True)
        # The file is an earlier result: its summary belongs to the earlier import.
        for title in {SUMMARY.th, SUMMARY.en}.intersection(book.sheetnames):
            if book[title]["B1"].value in (HEADLINE.th, HEADLINE.en):
                book.remove(book[title])
    except Exception:
        # The reader has read the file, so it gets its result even if openpyxl cannot load it.
        return None
    kept = {sheet.title for sheet in book.worksheets}
    return book if kept.issuperset(sheet.name for sheet in reading.sheets) else None


def add_outcomes(writer: WorkbookWriter, reading: Reading, outcomes: Sequence[RowOutcome]) -> None:
    """Write the outcomes into the loaded workbook and mark the cells at fault; nothing else in its sheets changes.

    Raises:
        ValueError: A sheet has too few free columns.
    """
    book = writer.book
    raw = {sheet.name: sheet for sheet in reading.raw}
    for read in reading.sheets:
        sheet = book[read.name]
        by_row = _by_row(outcomes, read.name)
        first = _free_column(sheet, raw[read.name], {read.header_row, *by_row})
        _make_room(sheet, first)
        for n, column in enumerate(outcome_columns()):
            sheet.column_dimensions[get_column_letter(first + n)].width = column.width
            _write(writer, sheet, read.header_row, first + n, writer.say(column.heading), _heading_style())
        for number, outcome in by_row.items():
            for n, (text, style) in enumerate(_outcome_cells(writer, outcome)):
                _write(writer, sheet, number, first + n, text, style)
            for index, text in _marks(writer, read, outcome).items():
                cell = _value_cell(sheet, number, index + 1)
                cell.fill = solid_fill(FAULTY)
                writer.add_note(cell, text)
    _open_at_first_sheet(book)


def add_rebuilt(writer: WorkbookWriter, reading: Reading, outcomes: Sequence[RowOutcome]) -> None:
    """Add the officer's sheets, rebuilt from the values that were read, with the outcomes."""
    for raw in reading.raw:
        read = next((sheet for sheet in reading.sheets if sheet.name == raw.name), None)
        title = INVALID_TITLE_REGEX.sub("_", one_line(raw.name))[:TITLE_LENGTH] or "Sheet"
        sheet = cast(Worksheet, writer.book.create_sheet(title))
        sheet.sheet_state = "visible" if raw.visible else "hidden"
        last = max((len(row) for row in raw.rows), default=0)
        last = min(last, MAX_COLUMNS - len(outcome_columns()))
        for n, width in enumerate(_widths(raw, last), start=1):
            sheet.column_dimensions[get_column_letter(n)].width = width
        if read:
            sheet.freeze_panes = f"A{read.header_row + 1}"
            for n, column in enumerate(outcome_columns(), start=last + 1):
                sheet.column_dimensions[get_column_letter(n)].width = column.width
        by_row = _by_row(outcomes, raw.name) if read else {}
        for number, row in enumerate(raw.rows, start=1):
            padded = [*row[:last], *[None] * (last - len(row))]
            is_header = read is not None and number == read.header_row
            outcome = by_row.get(number)
            marks = _marks(writer, read, outcome) if read and outcome else {}
            sheet.append(
                [
                    *_source_cells(writer, sheet, padded, marks, is_header=is_header),
                    *_added_cells(writer, sheet, outcome, is_header=is_header),
                ]
            )


def _source_cells(
    writer: WorkbookWriter, sheet: Worksheet, row: Sequence[CellValue], marks: Mapping[int, str], *, is_header: bool
) -> list[Content | Cell]:
    """The officer's cells of a rebuilt row; those in `marks`, by column index from 0, are marked."""
    cells: list[Content | Cell] = []
    for index, value in enumerate(row):
        note = marks.get(index, "")
        if not (is_header or note) and (value is None or is_plain(value)):
            cells.append(cast(Content, value))
            continue
        content, style = _content(writer, value)
        if is_header:
            style = replace(style, bold=True, fill=LIGHT, border_colour=BORDER)
        if note:
            style = replace(style, fill=FAULTY)
        cells.append(writer.cell(sheet, content, style, note))
    return cells


def _added_cells(
    writer: WorkbookWriter, sheet: Worksheet, outcome: RowOutcome | None, *, is_header: bool
) -> list[Cell | None]:
    """The cells of `outcome_columns` in a rebuilt row."""
    if is_header:
        return [writer.cell(sheet, writer.say(c.heading), _heading_style()) for c in outcome_columns()]
    if outcome is None:
        return []
    return [writer.cell(sheet, text, style) if text else None for text, style in _outcome_cells(writer, outcome)]


def _content(writer: WorkbookWriter, value: CellValue) -> tuple[Content, CellStyle]:
    if isinstance(value, Broken):
        return writer.say(BROKEN[value.why]), BROKEN_STYLE
    if isinstance(value, datetime | date):
        if value.year < 1900:
            return f"{value:%Y-%m-%d}", PLAIN_STYLE
        midnight = not isinstance(value, datetime) or value.time() == time()
        return value, DATE_STYLE if midnight else DATETIME_STYLE
    if isinstance(value, time):
        return value, TIME_STYLE
    if isinstance(value, timedelta):
        return value, DURATION_STYLE
    if isinstance(value, float):
        if not isfinite(value):
            return f"{value}", PLAIN_STYLE
        return (int(value), INTEGER_STYLE) if value.is_integer() else (value, PLAIN_STYLE)
    return value, PLAIN_STYLE


def _widths(raw: RawSheet, last: int) -> list[float]:
    widths = [8.0] * last
    for row in islice(raw.rows, MEASURED_ROWS):
        for n, value in enumerate(row[:last]):
            long = 12 if not isinstance(value, str) else len(value) if count_lines(value, 1_000) == 1 else 40
            widths[n] = min(max(widths[n], long + 2 if value is not None else 0), 40)
    return widths


def _by_row(outcomes: Sequence[RowOutcome], sheet: str) -> OutcomesByRow:
    return {outcome.number: outcome for outcome in outcomes if outcome.sheet == sheet}


def _marks(writer: WorkbookWriter, read: SheetRead, outcome: RowOutcome) -> dict[int, str]:
    """The notes for the cells of a row, by the column's index, from 0."""
    notes: dict[int, list[str]] = {}
    for mark in outcome.marks:
        if mark.column in read.columns:
            notes.setdefault(read.columns[mark.column], []).append(writer.say(mark.message))
    return {index: "\n".join(texts) for index, texts in notes.items()}


def _outcome_cells(writer: WorkbookWriter, outcome: RowOutcome) -> list[tuple[Content, CellStyle]]:
    """The contents and styles of `outcome_columns`."""
    return [
        (writer.say(outcome.outcome), OUTCOME_STYLES[outcome.category]),
        (outcome.transaction_uid, UID_STYLE),
        (writer.say(outcome.reason) if outcome.reason else None, REASON_STYLE),
    ]


def _heading_style() -> CellStyle:
    return CellStyle(WHITE, SLATE, bold=True, align="center", border_colour=WHITE)


def _write(writer: WorkbookWriter, sheet: Worksheet, row: int, column: int, content: Content, style: CellStyle) -> None:
    if content is not None:
        writer.write(_value_cell(sheet, row, column), content, style)


def _value_cell(sheet: Worksheet, row: int, column: int) -> Cell:
    """The cell, or the cell that holds the value of the merged range it is in."""
    cell = sheet.cell(row, column)
    if isinstance(cell, MergedCell):
        merged = next(r for r in sheet.merged_cells.ranges if cell.coordinate in r)
        cell = sheet.cell(merged.min_row, merged.min_col)
    return cast(Cell, cell)


def _free_column(sheet: Worksheet, raw: RawSheet, rows: Collection[int]) -> int:
    """The number, from 1, of the first column right of all values and of all cells merged in one of the rows."""
    values = (n for row in raw.rows for n, value in enumerate(row, start=1) if value not in (None, ""))
    merged = (r for r in sheet.merged_cells.ranges if any(row in rows for row in range(r.min_row, r.max_row + 1)))
    first = max([*values, *(r.max_col for r in merged)], default=0) + 1
    if first + len(outcome_columns()) > MAX_COLUMNS:
        raise ValueError("no column is free")
    return first


def _make_room(sheet: Worksheet, first: int) -> None:
    """Split column groups (one width and format for several columns) so that our columns can have their own."""
    last = first + len(outcome_columns()) - 1
    for letter, group in list(sheet.column_dimensions.items()):
        low = group.min or column_index_from_string(letter)
        high = group.max or low
        if high < first or low > last:
            continue
        if high > last:
            right = copy(group)
            right.index, right.min, right.max = get_column_letter(last + 1), last + 1, high
            sheet.column_dimensions[right.index] = right
        if low < first:
            group.max = first - 1
        else:
            del sheet.column_dimensions[letter]


def _open_at_first_sheet(book: Workbook) -> None:
    """Open the workbook at our first sheet, and no other selected: sheets selected together are edited together."""
    for sheet in book.worksheets:
        for view in sheet.views.sheetView:
            view.tabSelected = False
    for chart in book.chartsheets:
        for view in chart.sheetViews.sheetView:
            view.tabSelected = False
    for view in book.views:
        view.firstSheet = 0
    book.active = 0
    # openpyxl keeps the formulas without their results.
    book.calculation.fullCalcOnLoad = True
