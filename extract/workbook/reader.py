"""Reads a workbook filled in by an officer: finds sheets and headings, and turns each cell into a value or a fault."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path

from core.clock import today
from core.messages import Message
from extract.errors import WorkbookError
from extract.settings import WorkbookSettings
from extract.workbook.cells import LONGEST_CODE, cleaned, may_have_month_first, parse, repeats_above
from extract.workbook.faults import Unusable, unusable
from extract.workbook.file import file_hash, read_sheets, shown
from extract.workbook.headings import (
    Headings,
    find_headings,
    heading_of,
    is_heading_row,
    items_as_headings,
    refuse_other_headings,
)
from extract.workbook.layout import EXAMPLE, OWN_SHEETS, Choices, SheetLayout, layouts
from extract.workbook.rows import CellValue, RawSheet, Reading, SheetRead, Value
from extract.workbook.visits import Draft, join_visits
from extract.workbook.withheld import OtherColumns, why_withheld

FIRST_DAY = date(2020, 1, 1)
"""A visit date before this day is taken for a mistyped year."""
VISIT_COLUMNS = ("vn", "cid")
ITEM_COLUMNS = ("lab_code", "vaccine_code")
"""A row is data if it has a known test or vaccine; or a cell of `VISIT_COLUMNS` and one of `ITEM_COLUMNS`; or one of
either and at least `LEAST_CELLS` cells. All other rows are notes."""
LEAST_CELLS = 3
MOST_DOUBTFUL = 20
MOST_RANGES = 20
HIDDEN_ROW = "row.hidden"

_EXAMPLE = re.compile(f"{EXAMPLE} *[0-9]*")

HIDDEN = Message(
    "ไม่ได้อ่านแผ่นงาน {sheet} เพราะถูกซ่อนไว้ หากต้องการให้อ่านกรุณายกเลิกการซ่อน",
    "Sheet {sheet} was not read, for it is hidden: unhide it if it should be.",
)
HIDDEN_ROWS = Message(
    "ไม่ได้อ่านแถว {rows} ของแผ่นงาน {sheet} เพราะถูกซ่อนหรือกรองไว้ หากต้องการให้อ่านกรุณายกเลิกการซ่อนและตัวกรอง",
    "Rows {rows} of sheet {sheet} were not read, for they are hidden or filtered out: unhide them if they should be.",
)
UNKNOWN = Message(
    "ไม่ได้อ่านแผ่นงาน {sheet} เพราะไม่พบหัวคอลัมน์ตามแบบฟอร์ม หากเป็นข้อมูลเคลมกรุณาใช้หัวคอลัมน์ตามแบบฟอร์ม",
    "Sheet {sheet} was not read, for it has no headings as in the template: give it those if it holds claims.",
)
ANSWERED = Message(
    "ไม่ได้อ่านแผ่นงาน {sheet} เพราะเป็นผลการนำเข้าครั้งก่อน แถวที่ต้องแก้อยู่ในแผ่นงานสำหรับแก้ไข",
    "Sheet {sheet} was not read, for it holds the results of an earlier import: the rows to mend stand in the sheet for mending.",
)
NOTHING = Message(
    "ไฟล์นี้ไม่มีแผ่นงานที่มีหัวคอลัมน์ตามแบบฟอร์ม กรุณาใช้แบบฟอร์มของโปรแกรม หรือตั้งหัวคอลัมน์ให้ตรงกับแบบฟอร์ม แล้วนำเข้าใหม่",
    "The file has no sheet with headings as in the template: use the program's template, or its headings, and import it again.",
)
ONLY_ANSWERED = Message(
    "ไฟล์นี้มีเฉพาะผลการนำเข้าครั้งก่อน จึงไม่มีอะไรให้อ่าน กรุณาแก้แถวในแผ่นงานสำหรับแก้ไข หรือนำเข้าไฟล์ต้นฉบับ",
    "The file holds only the results of an earlier import, so there is nothing to read: "
    "mend the rows in its sheet for mending, or import the original file.",
)


def read_workbook(path: Path, limits: WorkbookSettings, choices: Choices) -> Reading:
    """The rows of a workbook.

    Args:
        path: The file.
        limits: How large it may be.
        choices: All drop-downs.

    Raises:
        WorkbookError: The file or all its sheets cannot be read, or a sheet lacks a needed column.
    """
    raw = read_sheets(path, limits)
    return understand(shown(path.name), file_hash(path), raw, choices)


def understand(
    file_name: str, sha256: str, raw: tuple[RawSheet, ...], choices: Choices, day: date | None = None
) -> Reading:
    """Interpret the sheets of a workbook.

    Args:
        file_name: Its name, without folders.
        sha256: Of the file, 64 hex digits.
        raw: Its sheets as in the file.
        choices: All drop-downs.
        day: The last possible visit date; None is today.

    Raises:
        WorkbookError: As in `read_workbook`.
    """
    sheets: list[SheetRead] = []
    drafts: list[Draft] = []
    left_out: list[Message] = []
    answered = False
    wide: WorkbookError | None = None
    for sheet in raw:
        headings = find_headings(sheet)
        if headings is None or headings.answered or not sheet.visible:
            answered = answered or (headings is not None and headings.answered)
            why = _why_left_out(sheet, headings)
            if why is UNKNOWN and (found := items_as_headings(sheet, partial(_is_item, choices))):
                wide = wide or found
                why = found.message
            if why:
                left_out.append(why.fill(sheet=sheet.name) if why in (ANSWERED, HIDDEN, UNKNOWN) else why)
            continue
        rows, notes, doubtful = _rows(sheet, headings, choices, day or today())
        drafts += rows
        if hidden := [draft.number for draft in rows if draft.withheld == HIDDEN_ROW]:
            left_out.append(HIDDEN_ROWS.fill(sheet=sheet.name, rows=_ranges(hidden)))
        sheets.append(_sheet_read(sheet, headings, notes, doubtful))
    if not sheets:
        raise wide or WorkbookError(ONLY_ANSWERED if answered else NOTHING)
    drafts = _without_hidden(drafts)
    join_visits(drafts)
    rows_read = tuple(draft.row() for draft in drafts)
    return Reading(file_name, sha256, raw, tuple(sheets), rows_read, tuple(left_out))


def _without_hidden(drafts: list[Draft]) -> list[Draft]:
    """The rows without hidden ones; those of a visit that is seen stay, for a claim of it may not go without them."""
    seen = {draft.values.get("vn") for draft in drafts if draft.withheld != HIDDEN_ROW} - {None}
    return [draft for draft in drafts if draft.withheld != HIDDEN_ROW or draft.values.get("vn") in seen]


def _ranges(numbers: list[int]) -> str:
    """Ascending numbers in words, at most `MOST_RANGES` of their runs: 3–7, 9."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    said = ["–".join(map(str, run)) for run in runs[:MOST_RANGES]]
    return ", ".join(said) + (f" … ({len(numbers)})" if len(runs) > MOST_RANGES else "")


def _why_left_out(sheet: RawSheet, headings: Headings | None) -> Message | None:
    """The message for a sheet that is not read; none if it is empty, our own, or hidden without headings of claims."""
    if sheet.name in OWN_SHEETS and (headings is None or headings.answered):
        return None
    if headings is not None:
        return ANSWERED if sheet.visible else HIDDEN
    is_empty = all(cell is None for row in sheet.rows for cell in row)
    return None if is_empty or not sheet.visible else UNKNOWN


def _is_item(choices: Choices, text: str) -> bool:
    """Whether a text is the name of a test or a vaccine."""
    columns = (layouts()["dmht"].column("lab_code"), layouts()["epi"].column("vaccine_code"))
    return any(isinstance(parse(text, column, choices), str) for column in columns)


def _sheet_read(sheet: RawSheet, headings: Headings, notes: int, doubtful: list[int]) -> SheetRead:
    return SheetRead(
        name=sheet.name,
        layout=headings.layout,
        header_row=headings.row + 1,
        columns=headings.columns,
        surplus=headings.surplus,
        missing=tuple(c.name for c in layouts()[headings.layout].columns if c.name not in headings.columns),
        notes=notes,
        doubtful=tuple(doubtful),
    )


class _ColumnParser:
    """Parses the cells of one column, each different value once."""

    def __init__(self, layout: SheetLayout, name: str, place: int, choices: Choices, day: date) -> None:
        self.column = layout.column(name)
        self.place = place
        listed = choices.get(self.column.choices, ())
        # The choices suggested for an unknown word are those of the sheet's own drop-down first.
        own_first = sorted(listed, key=lambda choice: bool(choice.sheets) and layout.name not in choice.sheets)
        self._choices = {self.column.choices: tuple(own_first)}
        self._day = day
        self._known: dict[CellValue, Value | Unusable | None] = {}

    def of(self, value: CellValue) -> Value | Unusable | None:
        if isinstance(value, bool):  # True == 1, so it must not share an entry of the cache
            return parse(value, self.column, self._choices)
        try:
            return self._known[value]
        except KeyError:
            meaning = self._known[value] = self._parse(value)
            return meaning

    def _parse(self, value: CellValue) -> Value | Unusable | None:
        meaning = parse(value, self.column, self._choices)
        if self.column.name in ("visit_date", "given_date") and isinstance(meaning, date):
            if meaning > self._day:
                return unusable("cell.date_future", shown=meaning.isoformat())
            if meaning < FIRST_DAY and self.column.name == "visit_date":
                return unusable("cell.date_too_early", shown=meaning.isoformat(), first=FIRST_DAY.isoformat())
        return meaning


def _rows(sheet: RawSheet, headings: Headings, choices: Choices, day: date) -> tuple[list[Draft], int, list[int]]:
    """The rows of data, the number of other rows that are not empty, and which of these may be data."""
    layout = layouts()[headings.layout]
    columns = [_ColumnParser(layout, name, place, choices, day) for name, place in headings.columns.items()]
    others = OtherColumns(sheet, headings)
    drafts, notes = [], 0
    doubtful: list[int] = []
    above: Mapping[str, CellValue] | None = None
    for number, row in enumerate(sheet.rows, start=1):
        if number - 1 in headings.rows or not any(row):
            above = None
            continue
        draft = Draft(sheet.name, number, layout, headings.columns)
        if number - 1 > headings.row:
            _fill(draft, row, columns, above)
        above = None
        if _is_data(draft, row):
            if why := why_withheld(sheet, number, others, headings.columns):
                draft.withhold(why)
            drafts.append(draft)
            above = draft.raw
        elif any(not isinstance(cell, str) or cleaned(cell) for cell in row if cell is not None):
            refuse_other_headings(sheet, headings, number - 1)
            notes += 1
            if len(doubtful) < MOST_DOUBTFUL and _is_doubtful(draft, row):
                doubtful.append(number)
    _refuse_ambiguous_order(drafts)
    return drafts, notes, doubtful


def _refuse_ambiguous_order(drafts: list[Draft]) -> None:
    """If a date of the sheet has the month first, refuse all its dates in figures that could be read in either order.

    Spreadsheet programs with American settings write such .csv files.
    """
    faults = (fault for draft in drafts for fault in draft.faults.values())
    first = next((fault for fault in faults if fault.rule == "cell.date_month_first"), None)
    if first is None:
        return
    for draft in drafts:
        for name in [name for name, value in draft.values.items() if isinstance(value, date)]:
            if may_have_month_first(shown := draft.raw[name]):
                why = unusable("cell.date_order", shown=cleaned(str(shown)), cell=first.address)
                draft.refuse(draft.layout.column(name), why)


def _fill(
    draft: Draft, row: Sequence[CellValue], columns: list[_ColumnParser], above: Mapping[str, CellValue] | None
) -> None:
    """Parse the cells of a row.

    Args:
        draft: The row.
        row: Its cells.
        columns: The columns of its sheet.
        above: The cells of the row of data right above, by column, for ditto marks; None if there is none.
    """
    width = len(row)
    for cells in columns:
        value = row[cells.place] if cells.place < width else None
        if repeats_above(value):
            repeated = value if above is None else above.get(cells.column.name)
            if repeats_above(repeated):
                draft.raw[cells.column.name] = value
                draft.refuse(cells.column, unusable("cell.ditto"))
                continue
            value = repeated
        if value is None:
            continue
        meaning = cells.of(value)
        if meaning is None and isinstance(value, str) and not cleaned(value):
            continue
        draft.raw[cells.column.name] = value
        if isinstance(meaning, Unusable):
            draft.refuse(cells.column, meaning)
        elif meaning is not None:
            draft.values[cells.column.name] = meaning


def _is_data(draft: Draft, row: Sequence[CellValue]) -> bool:
    visit_cells, item_cells = (
        [draft.raw[name] for name in names if name in draft.raw] for names in (VISIT_COLUMNS, ITEM_COLUMNS)
    )
    known = any(name in draft.values for name in ITEM_COLUMNS)
    several = bool(visit_cells or item_cells) and len(draft.raw) >= LEAST_CELLS
    if not (known or (visit_cells and item_cells) or several):
        return False
    if not (draft.values or draft.faults):  # only dashes
        return False
    # Headings repeated on a later page.
    if len(draft.faults) >= 2 and any(map(_is_heading, visit_cells + item_cells)) and is_heading_row(row):
        return False
    return not _is_example(draft)


def _is_example(draft: Draft) -> bool:
    return _EXAMPLE.fullmatch(str(draft.values.get("vn", ""))) is not None


def _is_doubtful(draft: Draft, row: Sequence[CellValue]) -> bool:
    """Whether a row that is not taken as data may be data."""
    numbers = [str(draft.raw.get(name, "")) for name in VISIT_COLUMNS]
    # A note may be in the column of visit or identity numbers; a number is short and has digits.
    has_visit = any(len(number) <= LONGEST_CODE and any(map(str.isdigit, number)) for number in numbers)
    has_item = any(name in draft.faults for name in ITEM_COLUMNS)
    return (has_visit or has_item) and not _is_example(draft) and not is_heading_row(row)


def _is_heading(value: CellValue) -> bool:
    return isinstance(value, str) and heading_of(value) is not None
