"""The officer's own sheets in a result: as they were, with the outcome of each row beside it."""

import warnings
from collections.abc import Collection, Sequence
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
from extract.workbook.layout import SUMMARY, outcome_columns
from extract.workbook.rows import Broken, CellValue, RawSheet, Reading, SheetRead
from load.workbook.answers import RowAnswer
from load.workbook.style import (
    FAULTY,
    LINE,
    MUTED,
    PAPER,
    SLATE,
    TEXT,
    TIME,
    TONES,
    CellStyle,
    ground,
    outcome_style,
)
from load.workbook.summary import HEADLINE
from load.workbook.writer import TITLE_LENGTH, Content, WorkbookWriter, is_plain, lines

# What openpyxl can hold in memory: 200,000 cells take some 200 MB.
MOST_CELLS, MOST_BYTES = 200_000, 48_000_000
MOST_COLUMNS = 16_384
BROKEN = {
    "error": Message("(สูตรผิดพลาด)", "(error)"),
    "uncalculated": Message("(สูตรยังไม่คำนวณ)", "(not calculated)"),
}
PLAIN = CellStyle()
# Thirteen digits would be shown as 1.23E+12.
WHOLE = CellStyle(number_format="0")
DAY, MOMENT = CellStyle(number_format="yyyy-mm-dd"), CellStyle(number_format="yyyy-mm-dd hh:mm")
HOUR, SPAN = CellStyle(number_format=TIME), CellStyle(number_format="[h]:mm")
NUMBER, REASON = CellStyle(number_format=TEXT, across="left"), CellStyle(across="left")
OUTCOME = {tone: outcome_style(tone) for tone in TONES}
BROKEN_LOOK = CellStyle(colour=MUTED, italic=True)
# Rows that tell how wide a column of a rebuilt sheet is.
MEASURED_ROWS = 200

Answers = dict[int, RowAnswer]
"""What became of a sheet's rows, by their number."""


def load_source(source: Path | None, reading: Reading) -> Workbook | None:
    """The officer's workbook with formulas and formats; None where it must be rebuilt from what was read."""
    if source is None or source.suffix.lower() not in (".xlsx", ".xlsm"):
        return None
    try:
        with ZipFile(source) as parts:
            sizes = (part.file_size for part in parts.infolist() if part.filename.startswith("xl/worksheets/"))
            too_large = sum(sizes) > MOST_BYTES
        if too_large or sum(len(row) for sheet in reading.raw for row in sheet.rows) > MOST_CELLS:
            return None
        with warnings.catch_warnings():
            # Of what it cannot keep; the officer's own file still has it.
            warnings.simplefilter("ignore")
            book = load_workbook(source, rich_text=True)
        # A result that was mended: its summary is of the import before.
        for title in {SUMMARY.th, SUMMARY.en}.intersection(book.sheetnames):
            if book[title]["B1"].value in (HEADLINE.th, HEADLINE.en):
                book.remove(book[title])
    except Exception:
        # Whatever the reader could take in gets its result, however odd the file is inside.
        return None
    kept = {sheet.title for sheet in book.worksheets}
    return book if kept.issuperset(sheet.name for sheet in reading.sheets) else None


def add_outcomes(paper: WorkbookWriter, reading: Reading, answers: Sequence[RowAnswer]) -> None:
    """Write the outcomes into the loaded workbook; nothing else in its sheets changes but the cells that are at fault.

    Raises:
        ValueError: A sheet has no room for them.
    """
    book = paper.book
    raw = {sheet.name: sheet for sheet in reading.raw}
    for read in reading.sheets:
        sheet = book[read.name]
        told = _of_sheet(answers, read.name)
        first = _free_column(sheet, raw[read.name], {read.header_row, *told})
        _make_room(sheet, first)
        for n, column in enumerate(outcome_columns()):
            sheet.column_dimensions[get_column_letter(first + n)].width = column.width
            _write(paper, sheet, read.header_row, first + n, paper.say(column.heading), _heading())
        for number, answer in told.items():
            for n, (text, look) in enumerate(_outcome(paper, answer)):
                _write(paper, sheet, number, first + n, text, look)
            for index, text in _marks(paper, read, answer).items():
                cell = _own(sheet, number, index + 1)
                cell.fill = ground(FAULTY)
                paper.note(cell, text)
    _show_first(book)


def add_rebuilt(paper: WorkbookWriter, reading: Reading, answers: Sequence[RowAnswer]) -> None:
    """Write the officer's sheets anew, of the values that were read, with the outcomes."""
    for raw in reading.raw:
        read = next((sheet for sheet in reading.sheets if sheet.name == raw.name), None)
        title = INVALID_TITLE_REGEX.sub("_", raw.name)[:TITLE_LENGTH] or "Sheet"
        sheet = cast(Worksheet, paper.book.create_sheet(title))
        sheet.sheet_state = "visible" if raw.visible else "hidden"
        last = max((len(row) for row in raw.rows), default=0)
        last = min(last, MOST_COLUMNS - len(outcome_columns()))
        for n, width in enumerate(_widths(raw, last), start=1):
            sheet.column_dimensions[get_column_letter(n)].width = width
        if read:
            sheet.freeze_panes = f"A{read.header_row + 1}"
            for n, column in enumerate(outcome_columns(), start=last + 1):
                sheet.column_dimensions[get_column_letter(n)].width = column.width
        told = _of_sheet(answers, raw.name) if read else {}
        for number, row in enumerate(raw.rows, start=1):
            sheet.append(_rebuilt(paper, sheet, read, row[:last], last, number, told.get(number)))


def _rebuilt(
    paper: WorkbookWriter,
    sheet: Worksheet,
    read: SheetRead | None,
    row: Sequence[CellValue],
    last: int,
    number: int,
    answer: RowAnswer | None,
) -> list[Content | Cell]:
    headings = read is not None and number == read.header_row
    marks = _marks(paper, read, answer) if read and answer else {}
    cells: list[Content | Cell] = []
    for index, value in enumerate([*row, *[None] * (last - len(row))]):
        note = marks.get(index, "")
        if not (headings or note) and (value is None or is_plain(value)):
            cells.append(cast(Content, value))
            continue
        content, look = _content(paper, value)
        look = replace(look, bold=True, fill=PAPER, line=LINE) if headings else look
        cells.append(paper.cell(sheet, content, replace(look, fill=FAULTY) if note else look, note))
    if headings:
        cells += [paper.cell(sheet, paper.say(c.heading), _heading()) for c in outcome_columns()]
    elif answer:
        cells += [paper.cell(sheet, text, look) if text else None for text, look in _outcome(paper, answer)]
    return cells


def _content(paper: WorkbookWriter, value: CellValue) -> tuple[Content, CellStyle]:
    if isinstance(value, Broken):
        return paper.say(BROKEN[value.why]), BROKEN_LOOK
    if isinstance(value, datetime | date):
        if value.year < 1900:
            return f"{value:%Y-%m-%d}", PLAIN
        midnight = not isinstance(value, datetime) or value.time() == time()
        return value, DAY if midnight else MOMENT
    if isinstance(value, time):
        return value, HOUR
    if isinstance(value, timedelta):
        return value, SPAN
    if isinstance(value, float):
        if not isfinite(value):
            return f"{value}", PLAIN
        return (int(value), WHOLE) if value.is_integer() else (value, PLAIN)
    return value, PLAIN


def _widths(raw: RawSheet, last: int) -> list[float]:
    widths = [8.0] * last
    for row in islice(raw.rows, MEASURED_ROWS):
        for n, value in enumerate(row[:last]):
            long = 12 if not isinstance(value, str) else len(value) if lines(value, 1_000) == 1 else 40
            widths[n] = min(max(widths[n], long + 2 if value is not None else 0), 40)
    return widths


def _of_sheet(answers: Sequence[RowAnswer], name: str) -> Answers:
    return {answer.number: answer for answer in answers if answer.sheet == name}


def _marks(paper: WorkbookWriter, read: SheetRead, answer: RowAnswer) -> dict[int, str]:
    """What to say of which cell, by the column's place from 0."""
    said: dict[int, list[str]] = {}
    for mark in answer.marks:
        if mark.column in read.columns:
            said.setdefault(read.columns[mark.column], []).append(paper.say(mark.message))
    return {index: "\n".join(texts) for index, texts in said.items()}


def _outcome(paper: WorkbookWriter, answer: RowAnswer) -> list[tuple[Content, CellStyle]]:
    reason = paper.say(answer.reason) if answer.reason else None
    return [(paper.say(answer.outcome), OUTCOME[answer.tone]), (answer.transaction_uid, NUMBER), (reason, REASON)]


def _heading() -> CellStyle:
    return CellStyle("FFFFFF", SLATE, bold=True, across="center", line="FFFFFF")


def _write(paper: WorkbookWriter, sheet: Worksheet, row: int, column: int, content: Content, look: CellStyle) -> None:
    if content is not None:
        paper.write(_own(sheet, row, column), content, look)


def _own(sheet: Worksheet, row: int, column: int) -> Cell:
    """The cell, or of a merged range the one that holds its value."""
    cell = sheet.cell(row, column)
    if isinstance(cell, MergedCell):
        place = next(r for r in sheet.merged_cells.ranges if cell.coordinate in r)
        cell = sheet.cell(place.min_row, place.min_col)
    return cast(Cell, cell)


def _free_column(sheet: Worksheet, raw: RawSheet, rows: Collection[int]) -> int:
    """The first column behind everything, where nothing is merged beside the rows; from 1."""
    values = (n for row in raw.rows for n, value in enumerate(row, start=1) if value not in (None, ""))
    beside = (r for r in sheet.merged_cells.ranges if any(row in rows for row in range(r.min_row, r.max_row + 1)))
    first = max([*values, *(r.max_col for r in beside)], default=0) + 1
    if first + len(outcome_columns()) > MOST_COLUMNS:
        raise ValueError("no column is free")
    return first


def _make_room(sheet: Worksheet, first: int) -> None:
    """Cut widths and formats that are given for many columns at once, so that our columns can have their own."""
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


def _show_first(book: Workbook) -> None:
    """Open the workbook at our first sheet; sheets that are selected together would be edited together."""
    for sheet in book.worksheets:
        for view in sheet.views.sheetView:
            view.tabSelected = False
    for chart in book.chartsheets:
        for view in chart.sheetViews.sheetView:
            view.tabSelected = False
    for view in book.views:
        view.firstSheet = 0
    book.active = 0
    # Formulas are kept without the values they had.
    book.calculation.fullCalcOnLoad = True
