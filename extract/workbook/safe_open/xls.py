"""Inspects an .xls before it is read: forbidden contents, its extent, and the marks of its sheets.

Source: [MS-XLS].
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from extract.workbook.safe_open.compound import Compound
from extract.workbook.safe_open.limits import Extent
from extract.workbook.safe_open.marks import Marks, Styles, is_thai_day
from extract.workbook.safe_open.refusals import (
    CONNECTION,
    DAMAGED,
    EMBEDDED,
    HOLDS,
    LINK,
    LOCKED,
    MACROS,
    NOT_A_WORKBOOK,
    OTHER_FORM,
    SLIDES,
    WORD,
    FileRefused,
)

BEGIN, END, LOCK, SHEET, BOOK = 0x0809, 0x000A, 0x002F, 0x0085, 0x01AE
FORBIDDEN = {0x00D3: MACROS, 0x0876: CONNECTION, 0x01AD: CONNECTION}
OWN_BOOKS = (0x0401, 0x3A01)
"""Values in place of another book's name: this book, and the functions of an add-in."""
BOOK_STREAMS = {"workbook", "book"}
MACRO_STORAGES = {"_vba_project_cur", "_vba_project", "vba", "macros"}
EMBEDDED_PREFIXES = ("mbd", "lnk", "objectpool", "package", "\x01ole10native")
WORKSHEET, CHART = 0, 2
FORMULA, TRUTH_OR_ERROR, MANY = 0x0006, 0x0205, 0x00BD
FILLED = {FORMULA, TRUTH_OR_ERROR, MANY, 0x00D6, 0x00FD, 0x0203, 0x0204, 0x027E}
NUMBERS = (FORMULA, MANY, 0x0203, 0x027E)
ROW, ROW_HIDDEN = 0x0208, 0x20
FONT, FONT_STRUCK, FORMAT, STYLE, FROM_1904 = 0x0031, 0x08, 0x041E, 0x00E0, 0x0022
MISSING_FONT = 4
"""Fonts are numbered as if there were one of this number."""
RECORD, PLACE = struct.Struct("<2H"), struct.Struct("<2H")


class _Sheet(NamedTuple):
    name: str
    type: int
    at: int


def inspect(compound: Compound, extent: Extent) -> tuple[list[Marks], bool]:
    """Inspect the records of every sheet.

    Args:
        compound: An .xls, or another file named so.
        extent: Counts the cells of each sheet.

    Returns:
        The marks of each sheet, in the workbook's order; and whether its days count from 1904.

    Raises:
        FileRefused: It cannot or must not be read.
    """
    names = set(compound.names)
    if "encryptedpackage" in names:
        raise FileRefused(LOCKED)
    if "worddocument" in names:
        raise FileRefused(NOT_A_WORKBOOK, WORD)
    if "powerpoint document" in names:
        raise FileRefused(NOT_A_WORKBOOK, SLIDES)
    if not names & BOOK_STREAMS:
        raise FileRefused(OTHER_FORM)
    if names & MACRO_STORAGES:
        raise FileRefused(HOLDS, MACROS)
    if any(name.startswith(EMBEDDED_PREFIXES) for name in names):
        raise FileRefused(HOLDS, EMBEDDED)
    stream = compound.stream("workbook") or compound.stream("book")
    if not stream:
        raise FileRefused(OTHER_FORM)
    styles, from_1904 = _styles(stream)
    marks = []
    for sheet in _sheets(stream):
        extent.begin(sheet.name)
        marks.append(_marks(stream, sheet.at, extent, styles) if sheet.type == WORKSHEET else Marks())
    return marks, from_1904


def _styles(stream: bytes) -> tuple[Styles, bool]:
    """The cell styles that matter; and whether days count from 1904."""
    struck_fonts, formats, struck, days = set[int](), dict[int, str](), set[int](), set[int]()
    fonts = styles = 0
    from_1904 = False
    for kind, held in _records(stream, 0):
        if kind == FONT and len(held) >= 4:
            fonts += fonts == MISSING_FONT
            if held[2] & FONT_STRUCK:
                struck_fonts.add(fonts)
            fonts += 1
        elif kind == FORMAT and len(held) >= 5:
            number, length = PLACE.unpack_from(held)
            formats[number] = _name(held[4:], length)
        elif kind == STYLE and len(held) >= 4:
            font, number = PLACE.unpack_from(held)
            if font in struck_fonts:
                struck.add(styles)
            if is_thai_day(number, formats.get(number, "")):
                days.add(styles)
            styles += 1
        elif kind == FROM_1904:
            from_1904 = held[:1] == b"\x01"
    return Styles(days, struck), from_1904


def _sheets(stream: bytes) -> list[_Sheet]:
    sheets = []
    for kind, held in _records(stream, 0):
        if kind == LOCK:
            raise FileRefused(LOCKED)
        if kind in FORBIDDEN:
            raise FileRefused(HOLDS, FORBIDDEN[kind])
        if kind == BOOK and len(held) >= 4 and _is_other_book(held):
            raise FileRefused(HOLDS, LINK)
        if kind == SHEET:
            if len(held) < 8:
                raise FileRefused(DAMAGED)
            at, _, type_, length = struct.unpack_from("<I3B", held)
            if type_ not in (WORKSHEET, CHART):
                raise FileRefused(HOLDS, MACROS)
            sheets.append(_Sheet(_name(held[7:], length), type_, at))
    return sheets


def _marks(stream: bytes, at: int, extent: Extent, styles: Styles) -> Marks:
    marks = Marks()
    hidden: set[int] = set()
    for kind, held in _records(stream, at):
        if kind not in FILLED:
            if kind == ROW and len(held) >= 16 and held[12] & ROW_HIDDEN:
                hidden.add(int.from_bytes(held[:2], "little"))
            if kind in FORBIDDEN:
                raise FileRefused(HOLDS, FORBIDDEN[kind])
            continue
        if len(held) < (14 if kind == FORMULA else 6):
            raise FileRefused(DAMAGED)
        row, column = PLACE.unpack_from(held)
        extent.reach(row, struct.unpack_from("<H", held, len(held) - 2)[0] if kind == MANY else column)
        of_formula = kind == FORMULA and held[6] == 2 and held[12:14] == b"\xff\xff"
        if of_formula or (kind == TRUTH_OR_ERROR and held[7:8] == b"\x01"):
            marks.broken.setdefault(row, {})[column] = "error"
        if row in hidden:
            marks.hidden.add(row)
        for place, style in _styles_of(kind, held, column) if styles.days or styles.struck else ():
            if style in styles.struck:
                marks.struck.setdefault(row, []).append(place)
            if style in styles.days and kind in NUMBERS:
                marks.days.setdefault(row, []).append(place)
    return marks


def _styles_of(kind: int, held: bytes, column: int) -> Iterator[tuple[int, int]]:
    """The column and the style of each cell of a record, which has one cell, or many numbers of six bytes."""
    for place, at in enumerate(range(4, len(held) - 2 if kind == MANY else 6, 6), start=column):
        yield place, int.from_bytes(held[at : at + 2], "little")


def _records(stream: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """The records of the substream that begins at a position; charts may be nested in it and are skipped."""
    depth = 0
    while at + RECORD.size <= len(stream):
        kind, length = RECORD.unpack_from(stream, at)
        at += RECORD.size
        if kind == BEGIN:
            depth += 1
        elif not depth:
            break
        elif kind == END:
            depth -= 1
            if not depth:
                return
        elif depth == 1:
            yield kind, stream[at : at + length]
        at += length
    raise FileRefused(DAMAGED)


def _is_other_book(held: bytes) -> bool:
    """Whether a record links to another book, not to this one, an add-in, or the sheet itself (one character, 0 or blank)."""
    length = int.from_bytes(held[2:4], "little")
    return length not in OWN_BOOKS and not (length == 1 and held[-1:] in (b"\x00", b" "))


def _name(held: bytes, length: int) -> str:
    """A sheet's name in BIFF8: a flag, then one or two bytes per character."""
    wide = held[:1] == b"\x01"
    return held[1 : 1 + length * (2 if wide else 1)].decode("utf-16-le" if wide else "latin-1", "replace")
