"""A plain list: headings and rows of text, with a filter."""

from collections.abc import Sequence
from dataclasses import dataclass

from openpyxl.utils import get_column_letter

from extract.workbook.layout import LISTING
from load.workbook.style import BORDER, SLATE, TEXT, WHITE, CellStyle
from load.workbook.writer import WorkbookWriter

HEADING = CellStyle(colour=WHITE, fill=SLATE, bold=True, align="left")
CELL = CellStyle(number_format=TEXT, border_colour=BORDER)


@dataclass(frozen=True, slots=True, repr=False)
class Listing:
    """A list.

    Args:
        headings: The headings of its columns, each with the column's width in characters.
        rows: One text a column.
    """

    headings: Sequence[tuple[str, float]]
    rows: Sequence[Sequence[str]]


def add_listing(writer: WorkbookWriter, listing: Listing) -> None:
    """Add a sheet with the list."""
    sheet = writer.add_sheet(writer.free_title(writer.say(LISTING)), [width for _, width in listing.headings])
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(listing.headings))}{len(listing.rows) + 1}"
    sheet.append([writer.cell(sheet, heading, HEADING) for heading, _ in listing.headings])
    for row in listing.rows:
        sheet.append([writer.cell(sheet, text, CELL) for text in row])
