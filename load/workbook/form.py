"""A sheet to fill in: of a template, or in a result with the rows to mend."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, time, timedelta
from math import isfinite
from typing import cast
from xml.etree.ElementTree import Element, SubElement

from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.formatting.rule import Rule
from openpyxl.styles import Color
from openpyxl.styles.differential import DifferentialStyle
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from core.messages import Message
from extract.workbook.cells import parse
from extract.workbook.dates import BUDDHIST
from extract.workbook.faults import Unusable
from extract.workbook.layout import Column, ColumnType, SheetLayout, SheetName
from extract.workbook.rows import Broken, CellValue
from load.workbook.dropdowns import Dropdowns
from load.workbook.style import (
    BORDER,
    CATEGORIES,
    DARK,
    DATE,
    FAULTY,
    FONT,
    GENERAL,
    LIGHT,
    MISSING,
    MUTED,
    SLATE,
    TEXT,
    TIME,
    WHITE,
    CellStyle,
    solid_fill,
    tint,
)
from load.workbook.writer import Content, WorkbookWriter, set_heights

TITLES: dict[SheetName, str] = {"dmht": "DMHT", "epi": "EPI", "dt": "dT"}
PREVIOUS_VALUE = Message("ค่าเดิม", "It was")
LEGEND = Message(
    "หัวสีเข้มที่มี * ต้องกรอก  หัวสีอ่อนปล่อยว่างได้  ช่องสีเหลืองคือช่องที่ยังขาด",
    "Dark headings with * must be filled in, light ones may stay empty; a yellow cell is one that is still missing.",
)
HEADING_ROW, NAME_ROW, FIRST_ROW = 2, 3, 4
# Last row with drop-downs and hints; the formats of the columns apply to the end of the sheet.
LAST_ROW = 20_000
# Formatted as text, so that a spreadsheet does not turn it into a number, a date or a formula.
TEXT_TYPES: frozenset[ColumnType] = frozenset({"code", "cid", "choice", "suggest", "icd10", "result"})
CENTRED_TYPES: frozenset[ColumnType] = frozenset({"date", "time", "count", "result"})


@dataclass(frozen=True, slots=True, repr=False)
class Entry:
    """One row of a form.

    Args:
        cells: Its values, by column name.
        example: Whether it is an example row, which the reader skips.
        marks: What is wrong with its cells, by column name.
        unreadable: The columns whose cells could not be understood.
    """

    cells: Mapping[str, CellValue]
    example: bool = False
    marks: Mapping[str, str] = field(default_factory=dict)
    unreadable: frozenset[str] = frozenset()


def add_form(
    writer: WorkbookWriter,
    dropdowns: Dropdowns,
    layout: SheetLayout,
    title: str,
    entries: Iterable[Entry],
    extra_columns: tuple[Column, ...] = (),
) -> Worksheet:
    """Add a sheet to fill in.

    Args:
        writer: The workbook.
        dropdowns: Its drop-downs.
        layout: The kind of sheet.
        title: Its title.
        entries: Its rows.
        extra_columns: Columns after those of the layout.
    """
    columns = (*layout.columns, *extra_columns)
    sheet = writer.add_sheet(title, [c.width for c in columns])
    sheet.sheet_properties.tabColor = layout.colour
    sheet.freeze_panes = f"B{FIRST_ROW}"
    first = sheet.sheet_view.selection[-1]
    first.activeCell = first.sqref = f"B{FIRST_ROW}"
    sheet.print_title_rows = f"{HEADING_ROW}:{HEADING_ROW}"
    sheet.sheet_format.defaultRowHeight, sheet.sheet_format.customHeight = 21, True
    set_heights(sheet, {1: 60, HEADING_ROW: 44, NAME_ROW: 16})
    styles = [_column_style(column) for column in columns]
    for n, style in enumerate(styles, start=1):
        writer.apply_style(sheet.column_dimensions[get_column_letter(n)], style)
    sheet.merged_cells.add(f"A1:{get_column_letter(len(columns))}1")
    for row in _headings(writer, sheet, layout, columns):
        sheet.append(row)
    for entry in entries:
        sheet.append([_cell(writer, dropdowns, sheet, *column, entry) for column in zip(columns, styles, strict=True)])
    _add_hints(dropdowns, sheet, layout)
    return sheet


def _headings(
    writer: WorkbookWriter, sheet: Worksheet, layout: SheetLayout, columns: tuple[Column, ...]
) -> list[list[object]]:
    title = CellRichText(
        TextBlock(InlineFont(FONT, sz=16, b=True, color=Color(layout.colour)), writer.say(layout.title)),
        TextBlock(InlineFont(FONT, sz=10, color=Color(DARK)), f"\n{writer.say(layout.intro)}\n{writer.say(LEGEND)}"),
    )
    required = CellStyle(WHITE, layout.colour, bold=True, align="center", wrap=True, border_colour=WHITE)
    optional = replace(required, colour=layout.colour, fill=tint(layout.colour, 0.82))
    names = CellStyle(MUTED, LIGHT, size=8, align="center", border_colour=BORDER)
    extra = replace(required, fill=SLATE)
    styles = [required if c.needed else optional if c.table else extra for c in columns]
    texts = [writer.say(c.heading).replace(" (", "\n(") + (" *" if c.needed else "") for c in columns]
    headings = zip(columns, texts, styles, strict=True)
    return [
        [writer.cell(sheet, title, CellStyle(align="left", wrap=True, fill=tint(layout.colour, 0.92)))],
        [writer.cell(sheet, text, style, writer.say(c.help)) for c, text, style in headings],
        [writer.cell(sheet, c.name, names) for c in columns],
    ]


def _column_style(column: Column) -> CellStyle:
    """The style of the column's cells, also of those that are still empty."""
    formats = {"date": DATE, "time": TIME}
    return CellStyle(
        number_format=TEXT if column.type in TEXT_TYPES else formats.get(column.type, GENERAL),
        align="center" if column.type in CENTRED_TYPES else "left",
        colour=DARK if column.table else CATEGORIES["refused"].ink,
        border_colour=BORDER,
    )


def _cell(
    writer: WorkbookWriter, dropdowns: Dropdowns, sheet: Worksheet, column: Column, style: CellStyle, entry: Entry
) -> object:
    mark = entry.marks.get(column.name, "")
    value = entry.cells.get(column.name)
    content = _content(dropdowns, column, value)
    if content is None and not mark:
        return None
    if mark and content is not None and _would_pass(dropdowns, column, value, content, entry):
        mark, content = f"{mark}\n{writer.say(PREVIOUS_VALUE)}: {content}", None
    if isinstance(content, date) and style.number_format != DATE:
        # A date in a column of codes is a code that a spreadsheet has converted: it is shown as the date it now is.
        style = replace(style, number_format=DATE)
    if entry.example:
        style = replace(style, colour=MUTED, italic=True)
    return writer.cell(sheet, content, replace(style, fill=FAULTY) if mark else style, mark)


def _would_pass(dropdowns: Dropdowns, column: Column, value: CellValue, content: Content, entry: Entry) -> bool:
    """Whether a refused cell would be accepted as it is written here, although nobody has corrected it."""
    if column.name in entry.unreadable:
        return not isinstance(parse(cast(CellValue, content), column, dropdowns.choices), Unusable)
    # The HIS holds a Buddhist year as a CE year.
    return isinstance(value, date) and value.year in BUDDHIST


def _content(dropdowns: Dropdowns, column: Column, value: CellValue) -> Content:
    if value is None or isinstance(value, Broken):
        return None
    if isinstance(value, str):
        return _time(value) if column.type == "time" else dropdowns.label(column, value)
    if isinstance(value, (bool, time, timedelta)):
        return value
    if isinstance(value, date):
        # Spreadsheets have no dates before 1900.
        return f"{value:%Y-%m-%d}" if value.year < 1900 else value
    if column.type in TEXT_TYPES or column.type in ("date", "time") or not isfinite(value):
        return f"{value:.0f}" if value.is_integer() else f"{value}"
    return value


def _time(text: str) -> Content:
    try:
        return time.fromisoformat(text)
    except ValueError:
        return text


def _add_hints(dropdowns: Dropdowns, sheet: Worksheet, layout: SheetLayout) -> None:
    """Add drop-downs, colours for cells that are missing or faulty, and no warnings about numbers stored as text."""
    vn = next(get_column_letter(n) for n, c in enumerate(layout.columns, start=1) if c.name == "vn")
    for n, column in enumerate(layout.columns, start=1):
        letter = get_column_letter(n)
        cell, area = f"{letter}{FIRST_ROW}", f"{letter}{FIRST_ROW}:{letter}{LAST_ROW}"
        if validation := dropdowns.validation(column, layout.name):
            validation.add(area)
            sheet.data_validations.append(validation)
        if column.needed and column.name != "vn":
            # The columns of a visit are required in its first row only.
            first = "" if column.table == layout.table else f",${vn}{FIRST_ROW}<>${vn}{FIRST_ROW - 1}"
            formula = f'AND(${vn}{FIRST_ROW}<>""{first},{cell}="")'
            sheet.conditional_formatting.add(area, _highlight(formula, MISSING))
        if column.type == "cid":
            digits = f'SUBSTITUTE(SUBSTITUTE({cell}," ",""),"-","")'
            formula = f'AND({cell}<>"",LEN({digits})<>13)'
            sheet.conditional_formatting.add(area, _highlight(formula, FAULTY))
    everywhere = f"A{FIRST_ROW}:{get_column_letter(len(layout.columns))}1048576"
    sheet.col_breaks = _IgnoredErrors(everywhere)  # type: ignore[assignment]


class _IgnoredErrors:
    """Turns off the warning "number stored as text", whose menu offers to convert our codes to numbers.

    openpyxl cannot write this element. It follows the column breaks, which our sheets do not have: it takes their place.
    """

    def __init__(self, area: str) -> None:
        self._area = area

    def to_tree(self) -> Element:
        errors = Element("ignoredErrors")
        SubElement(errors, "ignoredError", sqref=self._area, numberStoredAsText="1")
        return errors


def _highlight(formula: str, colour: str) -> Rule:
    return Rule("expression", dxf=DifferentialStyle(fill=solid_fill(colour)), formula=[formula])
