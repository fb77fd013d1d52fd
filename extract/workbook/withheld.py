"""Rows that say of themselves that they do not count: cancelled, struck through, hidden."""

import re
from collections.abc import Mapping, Sequence

from openpyxl.utils.cell import get_column_letter

from extract.text import is_no_value
from extract.workbook.cells import cleaned
from extract.workbook.faults import Unusable, unusable
from extract.workbook.headings import Headings, heading_of
from extract.workbook.rows import CellValue, RawSheet

# The heading of a column of which every word, but one that denies it, says that the row is cancelled; and of one for states.
_OF_CANCELLING = re.compile("ยกเลิก|cancel|void", re.I)
_OF_STATE = re.compile("สถานะ|สถานภาพ(?:การ|ราย)|status|state", re.I)
_CANCELLED = re.compile(r"(?<!ไม่)(?<!ไม่ได้)(?<!ไม่ถูก)ยกเลิก|(?<!not )\b(?:cancel|void)", re.I)
_DENIED = frozenset({"0", "n", "no", "false", "ไม่", "ไม่ใช่", "ไม่ยกเลิก", "ไม่ได้ยกเลิก", "ยังไม่ยกเลิก", "ปกติ"})


class OtherColumns:
    """The columns of a sheet that have no place in its layout; the row's state may stand in one of them."""

    def __init__(self, sheet: RawSheet, headings: Headings) -> None:
        used = set(headings.columns.values())
        width = max(map(len, sheet.rows), default=0)
        self._headings: Mapping[int, str] = {
            place: text
            for place in range(width)
            if place not in used and heading_of(text := _heading(sheet, headings, place)) is None
        }

    def cancelled(self, row: Sequence[CellValue]) -> int | None:
        """The column in which a row says that it is cancelled, from 0; None if it does not."""
        return next((p for p, heading in self._headings.items() if p < len(row) and _says_so(heading, row[p])), None)


def _heading(sheet: RawSheet, headings: Headings, place: int) -> str:
    cells = (sheet.rows[row][place] for row in headings.rows if place < len(sheet.rows[row]))
    return " ".join(cleaned(cell) for cell in cells if isinstance(cell, str))


def _says_so(heading: str, value: CellValue) -> bool:
    text = cleaned(value) if isinstance(value, str) else "" if value in (None, False, 0.0) else "1"
    if not text or is_no_value(text):
        return False
    if _OF_CANCELLING.search(heading):
        return text.casefold() not in _DENIED
    # Elsewhere it is one of the words of a remark, unless the remark begins with it.
    found = _CANCELLED.search(text)
    return found is not None and (found.start() == 0 or _OF_STATE.search(heading) is not None)


def why_withheld(sheet: RawSheet, number: int, others: OtherColumns, used: Mapping[str, int]) -> Unusable | None:
    """Why a row of data does not count; None if it does.

    Args:
        sheet: Its sheet.
        number: The row, from 1.
        others: The sheet's columns that have no place in its layout.
        used: The position of each column of the layout, from 0.
    """
    row = number - 1
    if (place := others.cancelled(sheet.rows[row])) is not None:
        return unusable("row.cancelled", cell=f"{get_column_letter(place + 1)}{number}")
    struck = sheet.struck.get(row, frozenset()).intersection(used.values())
    if struck:
        return unusable("row.struck", cell=f"{get_column_letter(min(struck) + 1)}{number}")
    return unusable("row.hidden") if row in sheet.hidden else None
