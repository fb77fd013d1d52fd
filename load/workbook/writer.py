"""A workbook being written: its sheets, its cells, and how it reaches the disk."""

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
from load.workbook.style import CellStyle, ground

Content = str | CellRichText | float | bool | date | datetime | time | timedelta | None

# Excel takes no longer ones. Text of its own length limit breaks a file as well as characters XML does not know.
TITLE_LENGTH, NAME_LENGTH, TEXT_LENGTH = 31, 255, 32_767
UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# Text that openpyxl or a spreadsheet takes for something else, or cannot hold.
DELICATE = re.compile(f"^[=+@#-]|{UNWRITABLE.pattern}")
# Excel slows down over many more of them; the reason stands in its column all the same.
MOST_NOTES = 1_000
A4 = 9


class WorkbookWriter:
    """A workbook and what its sheets have in common.

    Our sheets are written from top to bottom, so that the same code serves a workbook that is streamed to the disk and
    one that was loaded from it: widths, heights and the like come first, then the rows.

    Args:
        book: An empty write-only workbook, or an officer's.
        out: The .xlsx file it becomes.
        language: Of everything that is written.
        reserved: Titles of sheets that are still to come; ours never take them.
    """

    def __init__(self, book: Workbook, out: Path, language: Language, reserved: Iterable[str] = ()) -> None:
        self._out = out
        self.book = book
        self.language = language
        self._titles = {title.casefold() for title in (*book.sheetnames, *reserved)}
        self._names = {name.casefold() for name in book.defined_names}
        self._styles: dict[CellStyle, StyleArray] = {}
        self._notes = 0
        self._front = 0

    def say(self, message: Message) -> str:
        """The sentence in the workbook's language."""
        return message.say(self.language)

    def title(self, wanted: str) -> str:
        """A title for a sheet: the wanted one, with a number if that is taken."""
        return _free(wanted, self._titles, " ({})", TITLE_LENGTH)

    def name(self, wanted: str) -> str:
        """A name for a range of cells: the wanted one, with a number if that is taken."""
        return _free(wanted, self._names, "_{}", NAME_LENGTH)

    def sheet(self, title: str, widths: Iterable[float], *, hidden: bool = False, portrait: bool = False) -> Worksheet:
        """A new sheet of ours under a title from `title`, before the officer's; a hidden one comes last."""
        index = None if hidden else self._front
        self._front += not hidden
        # One that is streamed to the disk has the same attributes.
        sheet = cast(Worksheet, self.book.create_sheet(title, index))
        sheet.sheet_state = "hidden" if hidden else "visible"
        for n, width in enumerate(widths, start=1):
            sheet.column_dimensions[get_column_letter(n)].width = width
        _set_page(sheet, portrait=portrait)
        return sheet

    def cell(self, sheet: Worksheet, content: Content, look: CellStyle, note: str = "") -> Cell:
        """A cell to append to a sheet."""
        cell: Cell = WriteOnlyCell(sheet)
        self.write(cell, content, look)
        self.note(cell, note)
        return cell

    def write(self, cell: Cell, content: Content, look: CellStyle) -> None:
        """Write and dress a cell. Text stays text, whatever it begins with."""
        if isinstance(content, str):
            content = UNWRITABLE.sub("", content)[:TEXT_LENGTH]
            if content.startswith(("=", "+", "-", "@")):
                look = replace(look, quoted=True)
        cell.value = content
        if isinstance(content, str):
            cell.data_type = "s"
        self.dress(cell, look)

    def dress(self, thing: StyleableObject, look: CellStyle) -> None:
        """Give a cell or a column its look; each look is made once, that is what keeps large sheets quick."""
        if look not in self._styles:
            model = WriteOnlyCell(self.book.worksheets[0])
            model.font, model.alignment, model.border = look.font(), look.alignment(), look.border()
            model.number_format, model.quotePrefix = look.number_format, look.quoted
            if look.fill:
                model.fill = ground(look.fill)
            self._styles[look] = model._style  # type: ignore[attr-defined]
        # Shared: nothing of ours is dressed in parts.
        thing._style = self._styles[look]  # type: ignore[attr-defined]

    def note(self, cell: Cell, text: str) -> None:
        """Pin a note to a cell, below what an officer wrote there."""
        text = UNWRITABLE.sub("", text)
        if not text or self._notes >= MOST_NOTES:
            return
        self._notes += 1
        earlier = f"{cell.comment.text}\n\n" if cell.comment else ""
        cell.comment = Comment(earlier + text, "MOPH Claim", width=360, height=28 + 20 * lines(earlier + text, 44))

    def save(self) -> None:
        """Write the workbook: the whole file or, when that fails, none.

        Raises:
            ConfigurationError: The file cannot be written.
        """
        out = self._out
        part = out.with_name(f".{out.stem}-{secrets.token_hex(4)}.part")
        try:
            try:
                self.book.save(part)
                part.replace(out)
            except BaseException:
                self._drop()
                raise
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigurationError(
                Message(
                    f"เขียนไฟล์ {out} ไม่ได้ ({error.strerror}) ปิดไฟล์ที่เปิดอยู่หรือเลือกที่อื่น",
                    f"The file {out} cannot be written ({error.strerror}): close it, or choose another place.",
                )
            ) from None

    def _drop(self) -> None:
        """Remove what was streamed to files of openpyxl's own, which would stay until the program ends."""
        for sheet in self.book.worksheets:
            if isinstance(sheet, WriteOnlyWorksheet):
                with suppress(OSError, ValueError):
                    if not sheet.closed:
                        sheet.close()
                    sheet._writer.cleanup()  # type: ignore[attr-defined]


def new_writer(title: Message, out: Path, language: Language, reserved: Iterable[str] = ()) -> WorkbookWriter:
    """An empty workbook that is streamed to the disk."""
    book = Workbook(write_only=True)
    book.properties.creator, book.properties.title = "MOPH Claim ETL", title.say(language)
    return WorkbookWriter(book, out, language, reserved)


def check_ending(out: Path) -> None:
    """See that a file is to be an .xlsx, before any work goes into it.

    Raises:
        ConfigurationError: It has another ending.
    """
    if out.suffix.lower() != ".xlsx":
        raise ConfigurationError(Message(f"ไฟล์ {out} ต้องลงท้ายด้วย .xlsx", f"The file {out} must end in .xlsx."))


def is_plain(content: object) -> bool:
    """Whether it is text or a truth that can be appended as it is, without a look: that takes a third of the time."""
    if isinstance(content, str):
        return len(content) <= TEXT_LENGTH and not DELICATE.search(content)
    return isinstance(content, bool)


def lines(text: str, width: float) -> int:
    """How many lines a text takes in so many characters' width; Thai vowels above and below take none."""
    seen = ("".join(c for c in line if unicodedata.category(c) != "Mn") for line in text.split("\n"))
    return sum(max(1, ceil(len(line) / width)) for line in seen)


def set_heights(sheet: Worksheet, heights: Mapping[int, float]) -> None:
    """Heights of rows, in points; before any row is written."""
    for row, height in heights.items():
        sheet.row_dimensions[row].height = height


def _free(wanted: str, taken: set[str], suffix: str, length: int) -> str:
    name, n = wanted[:length], 1
    while name.casefold() in taken:
        n += 1
        end = suffix.format(n)
        name = wanted[: length - len(end)] + end
    taken.add(name.casefold())
    return name


def _set_page(sheet: Worksheet, *, portrait: bool) -> None:
    sheet.page_setup.orientation = "portrait" if portrait else "landscape"
    sheet.page_setup.paperSize, sheet.page_setup.fitToHeight = A4, 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.page_margins.left = sheet.page_margins.right = 0.4
    sheet.page_margins.top = sheet.page_margins.bottom = 0.6
    sheet.HeaderFooter = HeaderFooter(oddFooter=HeaderFooterItem(center=_HeaderFooterPart("&A   &P / &N")))
