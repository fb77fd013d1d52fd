"""Writing a workbook: its sheets, its cells, and the file."""

import re
import secrets
import unicodedata
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from math import ceil
from pathlib import Path
from typing import cast

from openpyxl import Workbook
from openpyxl.cell import Cell, WriteOnlyCell
from openpyxl.cell.rich_text import CellRichText
from openpyxl.comments import Comment
from openpyxl.styles.cell_style import StyleArray
from openpyxl.styles.styleable import StyleableObject
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._write_only import WriteOnlyWorksheet
from openpyxl.worksheet.header_footer import HeaderFooter, HeaderFooterItem, _HeaderFooterPart
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

from core.errors import ConfigurationError
from core.messages import Language, Message
from core.text import FORMULA_SIGNS, plain_text
from load.workbook.style import CellStyle, solid_fill

Content = str | CellRichText | float | bool | date | datetime | time | timedelta | None

# Excel's limits. Longer text damages a file.
TITLE_LENGTH, NAME_LENGTH, TEXT_LENGTH = 31, 255, 32_767
# Text that openpyxl or a spreadsheet would take for a formula, an error or a character.
NEEDS_A_CELL = re.compile(f"^[#{re.escape(''.join(FORMULA_SIGNS))}]|_x[0-9A-Fa-f]{{4}}_")
# So a workbook spells a character that XML does not allow; a spreadsheet would put it into the text again.
_SPELT_CHARACTER = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
# Excel becomes slow with many more notes; the reason is in its own column too.
MAX_NOTES = 1_000
A4 = 9


class WorkbookWriter:
    """A workbook that is being written.

    Each of our sheets is written from top to bottom, widths and heights before the rows: so the same code writes
    to a workbook that is streamed to the disk and to one that was loaded into memory.

    Args:
        book: An empty write-only workbook, or an officer's that was loaded.
        out: The .xlsx file.
        language: Language of everything we write.
        reserved: Titles of sheets that are added later; no sheet of ours gets one of them.
    """

    def __init__(self, book: Workbook, out: Path, language: Language, reserved: Iterable[str] = ()) -> None:
        self._out = out
        self.book = book
        self.language = language
        self._titles = {title.casefold() for title in (*book.sheetnames, *reserved)}
        self._names = {name.casefold() for name in book.defined_names}
        self._styles: dict[CellStyle, StyleArray] = {}
        self._notes = 0
        self._next_index = 0

    def say(self, message: Message) -> str:
        """The sentence in the workbook's language."""
        return message.say(self.language)

    def free_title(self, wanted: str) -> str:
        """A title for a sheet: the wanted one, numbered if it is in use."""
        return _free(wanted, self._titles, " ({})", TITLE_LENGTH)

    def free_name(self, wanted: str) -> str:
        """A name for a range of cells: the wanted one, numbered if it is in use."""
        return _free(wanted, self._names, "_{}", NAME_LENGTH)

    def add_sheet(
        self, title: str, widths: Iterable[float], *, hidden: bool = False, portrait: bool = False
    ) -> Worksheet:
        """Add a sheet of ours before the officer's sheets; a hidden one at the end.

        Args:
            title: A title from `free_title`.
            widths: Widths of the columns, in characters.
            hidden: Whether the sheet is hidden.
            portrait: Whether it is printed upright.
        """
        index = None if hidden else self._next_index
        self._next_index += not hidden
        # A write-only sheet has the same attributes as a Worksheet.
        sheet = cast(Worksheet, self.book.create_sheet(title, index))
        sheet.sheet_state = "hidden" if hidden else "visible"
        for n, width in enumerate(widths, start=1):
            sheet.column_dimensions[get_column_letter(n)].width = width
        _set_page(sheet, portrait=portrait)
        return sheet

    def cell(self, sheet: Worksheet, content: Content, style: CellStyle, note: str = "") -> Cell:
        """Make a cell to append to a sheet, with a note if there is text for one."""
        cell: Cell = WriteOnlyCell(sheet)
        self.write(cell, content, style)
        self.add_note(cell, note)
        return cell

    def write(self, cell: Cell, content: Content, style: CellStyle) -> None:
        """Set a cell's content and style. Text stays text, even if it begins like a formula."""
        if isinstance(content, str):
            content = _cell_text(content)
            if content.startswith(FORMULA_SIGNS):
                style = replace(style, quote_prefix=True)
        cell.value = content
        if isinstance(content, str):
            cell.data_type = "s"
        self.apply_style(cell, style)

    def apply_style(self, target: StyleableObject, style: CellStyle) -> None:
        """Set the style of a cell or a column. Each style is built once: large sheets are slow otherwise."""
        if style not in self._styles:
            model = WriteOnlyCell(self.book.worksheets[0])
            model.font, model.alignment, model.border = style.font(), style.alignment(), style.border()
            model.number_format, model.quotePrefix = style.number_format, style.quote_prefix
            if style.fill:
                model.fill = solid_fill(style.fill)
            self._styles[style] = model._style  # type: ignore[attr-defined]
        # The array can be shared because we never change a style in part.
        target._style = self._styles[style]  # type: ignore[attr-defined]

    def add_note(self, cell: Cell, text: str) -> None:
        """Add a note to a cell, below a note that the officer wrote there."""
        text = _cell_text(text)
        if not text or self._notes >= MAX_NOTES:
            return
        self._notes += 1
        earlier = f"{cell.comment.text}\n\n" if cell.comment else ""
        cell.comment = Comment(
            earlier + text, "MOPH Claim", width=360, height=28 + 20 * count_lines(earlier + text, 44)
        )

    def save(self) -> None:
        """Write the file; if that fails, there is none.

        Raises:
            ConfigurationError: The file cannot be written.
        """
        out = self._out
        partial = out.with_name(f".{out.stem}-{secrets.token_hex(4)}.part")
        try:
            try:
                self.book.save(partial)
                partial.replace(out)
            except BaseException:
                self._discard()
                raise
            finally:
                partial.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigurationError(
                Message(
                    f"เขียนไฟล์ {out} ไม่ได้ ({error.strerror}) ปิดไฟล์ที่เปิดอยู่หรือเลือกที่อื่น",
                    f"The file {out} cannot be written ({error.strerror}): close it, or choose another place.",
                )
            ) from None

    def _discard(self) -> None:
        """Remove openpyxl's temporary files, which it would keep until the program ends."""
        for sheet in self.book.worksheets:
            if isinstance(sheet, WriteOnlyWorksheet):
                with suppress(OSError, ValueError):
                    if not sheet.closed:
                        sheet.close()
                    sheet._writer.cleanup()  # type: ignore[attr-defined]


def new_writer(title: Message, out: Path, language: Language, reserved: Iterable[str] = ()) -> WorkbookWriter:
    """A writer for an empty workbook that is streamed to the disk."""
    book = Workbook(write_only=True)
    book.properties.creator, book.properties.title = "MOPH Claim ETL", title.say(language)
    return WorkbookWriter(book, out, language, reserved)


def _cell_text(text: str) -> str:
    """Text as a cell or a note holds it, plain and not too long."""
    return _SPELT_CHARACTER.sub("_x005F_", plain_text(text)[:TEXT_LENGTH])


def check_suffix(out: Path) -> None:
    """Check that a file's suffix is .xlsx.

    Raises:
        ConfigurationError: It has another suffix.
    """
    if out.suffix.lower() != ".xlsx":
        raise ConfigurationError(Message(f"ไฟล์ {out} ต้องลงท้ายด้วย .xlsx", f"The file {out} must end in .xlsx."))


def is_plain(content: object) -> bool:
    """Whether text or a boolean can be appended without making a cell, which takes three times as long."""
    if isinstance(content, str):
        return len(content) <= TEXT_LENGTH and content == plain_text(content) and not NEEDS_A_CELL.search(content)
    return isinstance(content, bool)


def count_lines(text: str, width: float) -> int:
    """How many lines a text fills at a width in characters; Thai vowels above and below a letter have no width."""
    visible = ("".join(c for c in line if unicodedata.category(c) != "Mn") for line in text.split("\n"))
    return sum(max(1, ceil(len(line) / width)) for line in visible)


def set_heights(sheet: Worksheet, heights: Mapping[int, float]) -> None:
    """Set the heights of rows, in points; to be called before any row is written."""
    for row, height in heights.items():
        sheet.row_dimensions[row].height = height


def _free(wanted: str, used: set[str], suffix: str, length: int) -> str:
    name, n = wanted[:length], 1
    while name.casefold() in used:
        n += 1
        end = suffix.format(n)
        name = wanted[: length - len(end)] + end
    used.add(name.casefold())
    return name


def _set_page(sheet: Worksheet, *, portrait: bool) -> None:
    sheet.page_setup.orientation = "portrait" if portrait else "landscape"
    sheet.page_setup.paperSize, sheet.page_setup.fitToHeight = A4, 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.page_margins.left = sheet.page_margins.right = 0.4
    sheet.page_margins.top = sheet.page_margins.bottom = 0.6
    sheet.HeaderFooter = HeaderFooter(oddFooter=HeaderFooterItem(center=_HeaderFooterPart("&A   &P / &N")))
