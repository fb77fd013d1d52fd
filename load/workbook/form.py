"""A sheet to fill in: of a template, or of the rows of a result that wait for mending."""

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
    DATE,
    FAULTY,
    FONT,
    GENERAL,
    INK,
    LINE,
    MISSING,
    MUTED,
    PAPER,
    SLATE,
    TEXT,
    TIME,
    TONES,
    CellStyle,
    ground,
    tint,
)
from load.workbook.writer import Content, WorkbookWriter, set_heights

TITLES: dict[SheetName, str] = {"dmht": "DMHT", "epi": "EPI", "dt": "dT"}
IT_WAS = Message("ค่าเดิม", "It was")
LEGEND = Message(
    "หัวสีเข้มที่มี * ต้องกรอก  หัวสีอ่อนปล่อยว่างได้  ช่องสีเหลืองคือช่องที่ยังขาด",
    "Dark headings with * must be filled in, light ones may stay empty; a yellow cell is one that is still missing.",
)
HEADING_ROW, NAME_ROW, FIRST_ROW = 2, 3, 4
# As far as drop-downs and hints reach; formats reach to the end of the sheet.
LAST_ROW = 20_000
# What a spreadsheet must not take for a number, a day or a formula.
TEXT_TYPES: frozenset[ColumnType] = frozenset({"code", "cid", "choice", "suggest", "icd10", "result"})
CENTRED: frozenset[ColumnType] = frozenset({"date", "time", "count", "result"})


@dataclass(frozen=True, slots=True, repr=False)
class Entry:
    """One row of a form.

    Args:
        cells: What stands in it, by column name.
        example: Whether it only shows how.
        marks: What is wrong with its cells, by column name.
        not_understood: The columns whose cells have no meaning as they are.
    """

    cells: Mapping[str, CellValue]
    example: bool = False
    marks: Mapping[str, str] = field(default_factory=dict)
    not_understood: frozenset[str] = frozenset()


def add_form(
    paper: WorkbookWriter,
    lists: Dropdowns,
    layout: SheetLayout,
    title: str,
    entries: Iterable[Entry],
    besides: tuple[Column, ...] = (),
) -> Worksheet:
    """Add a sheet to fill in.

    Args:
        paper: The workbook.
        lists: Its drop-downs.
        layout: Which kind of sheet.
        title: Its title.
        entries: Its rows.
        besides: Columns after those of the layout.
    """
    columns = (*layout.columns, *besides)
    sheet = paper.sheet(title, [c.width for c in columns])
    sheet.sheet_properties.tabColor = layout.colour
    sheet.freeze_panes = f"B{FIRST_ROW}"
    first = sheet.sheet_view.selection[-1]
    first.activeCell = first.sqref = f"B{FIRST_ROW}"
    sheet.print_title_rows = f"{HEADING_ROW}:{HEADING_ROW}"
    sheet.sheet_format.defaultRowHeight, sheet.sheet_format.customHeight = 21, True
    set_heights(sheet, {1: 60, HEADING_ROW: 44, NAME_ROW: 16})
    looks = [_look(column) for column in columns]
    for n, look in enumerate(looks, start=1):
        paper.dress(sheet.column_dimensions[get_column_letter(n)], look)
    sheet.merged_cells.add(f"A1:{get_column_letter(len(columns))}1")
    for row in _headings(paper, sheet, layout, columns):
        sheet.append(row)
    for entry in entries:
        sheet.append([_cell(paper, lists, sheet, *column, entry) for column in zip(columns, looks, strict=True)])
    _guide(lists, sheet, layout)
    return sheet


def _headings(
    paper: WorkbookWriter, sheet: Worksheet, layout: SheetLayout, columns: tuple[Column, ...]
) -> list[list[object]]:
    title = CellRichText(
        TextBlock(InlineFont(FONT, sz=16, b=True, color=Color(layout.colour)), paper.say(layout.title)),
        TextBlock(InlineFont(FONT, sz=10, color=Color(INK)), f"\n{paper.say(layout.intro)}\n{paper.say(LEGEND)}"),
    )
    needed = CellStyle("FFFFFF", layout.colour, bold=True, across="center", wrap=True, line="FFFFFF")
    others = replace(needed, colour=layout.colour, fill=tint(layout.colour, 0.82))
    names = CellStyle(MUTED, PAPER, size=8, across="center", line=LINE)
    ours = replace(needed, fill=SLATE)
    looks = [needed if c.needed else others if c.table else ours for c in columns]
    texts = [paper.say(c.heading).replace(" (", "\n(") + (" *" if c.needed else "") for c in columns]
    heads = zip(columns, texts, looks, strict=True)
    return [
        [paper.cell(sheet, title, CellStyle(across="left", wrap=True, fill=tint(layout.colour, 0.92)))],
        [paper.cell(sheet, text, look, paper.say(c.help)) for c, text, look in heads],
        [paper.cell(sheet, c.name, names) for c in columns],
    ]


def _look(column: Column) -> CellStyle:
    """Of the column's cells, those that are still empty among them."""
    formats = {"date": DATE, "time": TIME}
    return CellStyle(
        number_format=TEXT if column.type in TEXT_TYPES else formats.get(column.type, GENERAL),
        across="center" if column.type in CENTRED else "left",
        colour=INK if column.table else TONES["refused"].ink,
        line=LINE,
    )


def _cell(
    paper: WorkbookWriter, lists: Dropdowns, sheet: Worksheet, column: Column, look: CellStyle, entry: Entry
) -> object:
    mark = entry.marks.get(column.name, "")
    value = entry.cells.get(column.name)
    content = _content(lists, column, value)
    if content is None and not mark:
        return None
    if mark and content is not None and _would_pass(lists, column, value, content, entry):
        mark, content = f"{mark}\n{paper.say(IT_WAS)}: {content}", None
    if isinstance(content, date) and look.number_format != DATE:
        # A day stays a day wherever it stands: in a column of codes it is what a spreadsheet made of a code.
        look = replace(look, number_format=DATE)
    if entry.example:
        look = replace(look, colour=MUTED, italic=True)
    return paper.cell(sheet, content, replace(look, fill=FAULTY) if mark else look, mark)


def _would_pass(lists: Dropdowns, column: Column, value: CellValue, content: Content, entry: Entry) -> bool:
    """Whether a cell that was refused would be taken as it is written here: nobody may make it good but a person."""
    if column.name in entry.not_understood:
        return not isinstance(parse(cast(CellValue, content), column, lists.choices), Unusable)
    # A year of the Buddhist calendar that the HIS holds for a CE one.
    return isinstance(value, date) and value.year in BUDDHIST


def _content(lists: Dropdowns, column: Column, value: CellValue) -> Content:
    if value is None or isinstance(value, Broken):
        return None
    if isinstance(value, str):
        return _time(value) if column.type == "time" else lists.label(column, value)
    if isinstance(value, (bool, time, timedelta)):
        return value
    if isinstance(value, date):
        # Spreadsheets know no day before 1900.
        return f"{value:%Y-%m-%d}" if value.year < 1900 else value
    if column.type in TEXT_TYPES or column.type in ("date", "time") or not isfinite(value):
        return f"{value:.0f}" if value.is_integer() else f"{value}"
    return value


def _time(text: str) -> Content:
    try:
        return time.fromisoformat(text)
    except ValueError:
        return text


def _guide(lists: Dropdowns, sheet: Worksheet, layout: SheetLayout) -> None:
    """Drop-downs, what is still missing, and no warnings about numbers that are text on purpose."""
    vn = next(get_column_letter(n) for n, c in enumerate(layout.columns, start=1) if c.name == "vn")
    for n, column in enumerate(layout.columns, start=1):
        letter = get_column_letter(n)
        cell, area = f"{letter}{FIRST_ROW}", f"{letter}{FIRST_ROW}:{letter}{LAST_ROW}"
        if rule := lists.rule(column, layout.name):
            rule.add(area)
            sheet.data_validations.append(rule)
        if column.needed and column.name != "vn":
            # What is said of a visit is said once, in its first row.
            first = "" if column.table == layout.table else f",${vn}{FIRST_ROW}<>${vn}{FIRST_ROW - 1}"
            formula = f'AND(${vn}{FIRST_ROW}<>""{first},{cell}="")'
            sheet.conditional_formatting.add(area, _when(formula, MISSING))
        if column.type == "cid":
            digits = f'SUBSTITUTE(SUBSTITUTE({cell}," ",""),"-","")'
            formula = f'AND({cell}<>"",LEN({digits})<>13)'
            sheet.conditional_formatting.add(area, _when(formula, FAULTY))
    everywhere = f"A{FIRST_ROW}:{get_column_letter(len(layout.columns))}1048576"
    sheet.col_breaks = _TextOnPurpose(everywhere)  # type: ignore[assignment]


class _TextOnPurpose:
    """Spares the officer a green corner in every cell of digits, whose menu offers to make numbers of them.

    openpyxl has no such element; it belongs where column breaks are written, of which our sheets have none.
    """

    def __init__(self, area: str) -> None:
        self._area = area

    def to_tree(self) -> Element:
        errors = Element("ignoredErrors")
        SubElement(errors, "ignoredError", sqref=self._area, numberStoredAsText="1")
        return errors


def _when(formula: str, colour: str) -> Rule:
    return Rule("expression", dxf=DifferentialStyle(fill=ground(colour)), formula=[formula])
