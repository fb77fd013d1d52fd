"""Inspects an .xlsx before it is read: forbidden contents, its extent, and broken cells.

Element names are compared without their prefix and attributes with it, as the reader (calamine) does.
Source: ECMA-376 part 1 (SpreadsheetML) and part 2 (packaging).
"""

import posixpath
import re
from collections.abc import Callable, Iterable

from core.messages import Message
from extract.workbook.safe_open.broken_cells import BrokenCells
from extract.workbook.safe_open.limits import Extent
from extract.workbook.safe_open.refusals import CONNECTION, DAMAGED, EMBEDDED, HOLDS, LINK, MACROS, FileRefused
from extract.workbook.safe_open.xml_parser import Attributes, feed, local_name, new_parser, refusing_declarations, walk
from extract.workbook.safe_open.zip_archive import PIECE, Archive

WORKBOOK = "xl/workbook.xml"
RELATIONS = "xl/_rels/workbook.xml.rels"
TYPES = "[content_types].xml"
FORBIDDEN: tuple[tuple[str, Message], ...] = (
    (r".*vbaproject.*\.bin", MACROS),
    (r"xl/(macrosheets|intlmacrosheets|dialogsheets)/.*", MACROS),
    (r"xl/externallinks/.*", LINK),
    (r"xl/(connections|volatiledependencies)\.xml", CONNECTION),
    (r"xl/(querytables|model|customdata)/.*", CONNECTION),
    (r"xl/(embeddings|activex|oleobjects)/.*", EMBEDDED),
)
"""Parts that are refused. Pictures, charts, comments and ordinary buttons are allowed."""
XML_PART = re.compile(r".*\.(xml|rels|vml)")
ODD_CELL = re.compile(rb'<c(?! r="[A-G]?[A-Z][0-9]{1,5}")[\s/>]')
"""A cell without an address, or beyond column GZ or row 99,999."""
ODD = (b'"e"', b"'e'", b"<f>", b"<f ", b"<f/", b":sheetData", b"\0")
"""Signs of errors, formulas, prefixes or UTF-16: a sheet with one of them must be parsed cell by cell."""
MOST_LETTERS = 3


def inspect(archive: Archive, extent: Extent) -> list[BrokenCells]:
    """Inspect all parts. Each is unpacked once, piece by piece, and not kept.

    Args:
        archive: An .xlsx.
        extent: Counts the cells of each sheet, except sheets whose cells are all near the top left.

    Returns:
        The broken cells of each sheet, in the workbook's order.

    Raises:
        FileRefused: It cannot or must not be read.
    """
    for pattern, what in FORBIDDEN:
        if any(re.fullmatch(pattern, name) for name in archive.names):
            raise FileRefused(HOLDS, what)
    walk(archive.unpack(TYPES), _refuse_macros)
    worksheets: dict[str, str] = {}
    for name in archive.unread():
        if name.endswith(".rels"):
            walk(archive.unpack(name), _relation_of(worksheets if name == RELATIONS else {}))
    broken = []
    for sheet, relation in _sheets(archive):
        extent.begin(sheet)
        broken.append(_inspect_sheet(archive, worksheets[relation], extent) if relation in worksheets else {})
    for name in archive.unread():
        for _ in refusing_declarations(archive.unpack(name)) if XML_PART.fullmatch(name) else archive.unpack(name):
            pass
    return broken


def _refuse_macros(name: str, attributes: Attributes) -> None:
    if local_name(name) in ("Override", "Default") and re.search(
        "macroenabled|vba", attributes.get("ContentType", ""), re.I
    ):
        raise FileRefused(HOLDS, MACROS)


def _relation_of(worksheets: dict[str, str]) -> Callable[[str, Attributes], None]:
    def start(name: str, attributes: Attributes) -> None:
        if local_name(name) != "Relationship":
            return
        kind = attributes.get("Type", "").rpartition("/")[2]
        if attributes.get("TargetMode") == "External" and kind != "hyperlink":
            raise FileRefused(HOLDS, LINK)
        if kind == "worksheet":
            target = attributes.get("Target", "").replace("\\", "/").lower()
            absolute = target.startswith(("/", "xl/"))
            part = posixpath.normpath(target.lstrip("/") if absolute else f"xl/{target}")
            worksheets[attributes.get("Id", "")] = part

    return start


def _sheets(archive: Archive) -> list[tuple[str, str]]:
    """The names of the sheets and their relationship ids, in order."""
    sheets: list[tuple[str, str]] = []

    def start(name: str, attributes: Attributes) -> None:
        if local_name(name) == "sheet":
            relation = next((v for k, v in attributes.items() if k.endswith(":id")), "")
            sheets.append((attributes.get("name", ""), relation))

    walk(archive.unpack(WORKBOOK), start)
    return sheets


def _inspect_sheet(archive: Archive, part: str, extent: Extent) -> BrokenCells:
    # Parsing every cell in Python takes longer than reading the sheet, and most sheets have nothing to find.
    if _is_plain(refusing_declarations(archive.unpack(part))):
        return {}
    cells = _Cells(extent)
    feed(cells.parser, archive.unpack(part))
    cells.end_cell()
    return cells.broken


def _is_plain(pieces: Iterable[bytes]) -> bool:
    """Whether all cells are near the top left, without errors and formulas. Always reads to the end."""
    plain, rest = True, b""
    for piece in pieces:
        if plain:
            piece = rest + piece
            end = piece.rfind(b"<")
            rest = piece[end:]
            plain = (
                end >= 0
                and len(rest) < PIECE
                and not ODD_CELL.search(piece, 0, end)
                and not any(o in piece for o in ODD)
            )
    return plain


class _Cells:
    """Parses the cells of one sheet. A row or cell without an address follows the one before."""

    def __init__(self, extent: Extent) -> None:
        self.broken: BrokenCells = {}
        self.parser = new_parser(self.start)
        self._reach = extent.reach
        self._row = self._column = -1
        self._type: str | None = None
        self._in_cell = self._formula = self._calculated = False
        self._columns: dict[str, int] = {}

    def start(self, name: str, attributes: Attributes) -> None:
        tag = name.rpartition(":")[2]
        if tag == "c":
            if self._formula:
                self.end_cell()
            self._in_cell, self._calculated = True, False
            self._type = attributes.get("t")
            address = attributes.get("r")
            if address is None:
                self._column += 1
            else:
                letters = address.rstrip("0123456789")
                self._row = int(address[len(letters) :]) - 1
                self._column = self._columns.get(letters, -1)
                if self._column < 0:
                    self._column = self._columns[letters] = _column(letters)
        elif tag == "v" or tag == "is":
            if self._in_cell:
                self._fill()
        elif tag == "row":
            self.end_cell()
            number = attributes.get("r")
            self._row = self._row + 1 if number is None else int(number) - 1
            self._column = -1
        elif tag == "f":
            if self._in_cell:
                self._formula = True
        elif tag != "t" and tag != "r" and tag != "rPr":
            self.end_cell()

    def end_cell(self) -> None:
        """Finish the cell, if one is open."""
        if self._formula and not self._calculated:
            self._reach(self._row, self._column)
            self.broken.setdefault(self._row, {})[self._column] = "uncalculated"
        self._in_cell = self._formula = self._calculated = False
        self.parser.CharacterDataHandler = None

    def _fill(self) -> None:
        self._reach(self._row, self._column)
        if self._type == "e":
            self.broken.setdefault(self._row, {})[self._column] = "error"
            self._calculated = True
        elif self._type == "str":
            # A calculated formula whose result is empty text has an empty value.
            self._calculated = True
        elif self._formula:
            self.parser.CharacterDataHandler = self._text

    def _text(self, text: str) -> None:
        if text.strip():
            self._calculated = True
            self.parser.CharacterDataHandler = None


def _column(letters: str) -> int:
    if not re.fullmatch(f"[A-Za-z]{{1,{MOST_LETTERS}}}", letters):
        raise FileRefused(DAMAGED)
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1
