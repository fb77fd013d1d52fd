"""Looks through an .xlsx before it is read: what must not be in it, how far it reaches, which cells have no value.

Element names are compared without their prefix, attributes with it, as the reader does that comes after.
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
"""Parts that an ordinary table does not have. Pictures, charts, comments and ordinary buttons are left alone."""
XML_PART = re.compile(r".*\.(xml|rels|vml)")
ODD_CELL = re.compile(rb'<c(?! r="[A-G]?[A-Z][0-9]{1,5}")[\s/>]')
"""A cell without an address, or one beyond column GZ or row 99,999."""
ODD = (b'"e"', b"'e'", b"<f>", b"<f ", b"<f/", b":sheetData", b"\0")
"""Errors, formulas, prefixes, an alphabet of two bytes: where one of them stands the cells have to be walked."""
MOST_LETTERS = 3


def inspect(archive: Archive, extent: Extent) -> list[BrokenCells]:
    """Every part is unpacked once, piece by piece, and kept nowhere.

    Args:
        archive: Of an .xlsx.
        extent: Is told how far each sheet reaches, but for those where all cells lie near.

    Returns:
        For each sheet, in the workbook's order, its cells without a value.

    Raises:
        NotRead: It cannot be read, or must not be.
    """
    for pattern, what in FORBIDDEN:
        if any(re.fullmatch(pattern, name) for name in archive.names):
            raise FileRefused(HOLDS, what)
    walk(archive.unpack(TYPES), _refuse_macros)
    worksheets: dict[str, str] = {}
    for name in archive.unread():
        if name.endswith(".rels"):
            walk(archive.unpack(name), _relation_of(worksheets if name == RELATIONS else {}))
    marks = []
    for sheet, relation in _sheets(archive):
        extent.begin(sheet)
        marks.append(_inspect_sheet(archive, worksheets[relation], extent) if relation in worksheets else {})
    for name in archive.unread():
        for _ in refusing_declarations(archive.unpack(name)) if XML_PART.fullmatch(name) else archive.unpack(name):
            pass
    return marks


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
    """The names of the sheets and their relations, in order."""
    sheets: list[tuple[str, str]] = []

    def start(name: str, attributes: Attributes) -> None:
        if local_name(name) == "sheet":
            relation = next((v for k, v in attributes.items() if k.endswith(":id")), "")
            sheets.append((attributes.get("name", ""), relation))

    walk(archive.unpack(WORKBOOK), start)
    return sheets


def _inspect_sheet(archive: Archive, part: str, extent: Extent) -> BrokenCells:
    # Walking every cell takes longer than reading them, and most sheets have nothing to be found so.
    if _is_plain(refusing_declarations(archive.unpack(part))):
        return {}
    cells = _Cells(extent)
    feed(cells.parser, archive.unpack(part))
    cells.end_cell()
    return cells.marks


def _is_plain(pieces: Iterable[bytes]) -> bool:
    """Whether all cells lie near, and none shows an error or holds a formula. Reads to the end in any case."""
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
    """Walks the cells of one sheet. A row or cell without an address follows the one before."""

    def __init__(self, extent: Extent) -> None:
        self.marks: BrokenCells = {}
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
        """The cell is complete, if there is one."""
        if self._formula and not self._calculated:
            self._reach(self._row, self._column)
            self.marks.setdefault(self._row, {})[self._column] = "uncalculated"
        self._in_cell = self._formula = self._calculated = False
        self.parser.CharacterDataHandler = None

    def _fill(self) -> None:
        self._reach(self._row, self._column)
        if self._type == "e":
            self.marks.setdefault(self._row, {})[self._column] = "error"
            self._calculated = True
        elif self._type == "str":
            # A formula that gives no text has an empty value, and was calculated.
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
