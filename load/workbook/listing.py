"""A plain list: headings and rows of text, to look through and filter."""

from collections.abc import Sequence
from dataclasses import dataclass

from openpyxl.utils import get_column_letter

from extract.workbook.layout import LISTING
from load.workbook.style import LINE, SLATE, TEXT, CellStyle
from load.workbook.writer import WorkbookWriter

HEADING = CellStyle(colour="FFFFFF", fill=SLATE, bold=True, across="left")
CELL = CellStyle(number_format=TEXT, line=LINE)


@dataclass(frozen=True, slots=True, repr=False)
class Listing:
    """A list.

    Args:
        headings: Of its columns, each with its width in characters.
        rows: As many texts each.
    """

    headings: Sequence[tuple[str, float]]
    rows: Sequence[Sequence[str]]


def add_listing(paper: WorkbookWriter, listing: Listing) -> None:
    """Add a sheet with the list."""
    sheet = paper.sheet(paper.title(paper.say(LISTING)), [width for _, width in listing.headings])
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(listing.headings))}{len(listing.rows) + 1}"
    sheet.append([paper.cell(sheet, heading, HEADING) for heading, _ in listing.headings])
    for row in listing.rows:
        sheet.append([paper.cell(sheet, text, CELL) for text in row])
