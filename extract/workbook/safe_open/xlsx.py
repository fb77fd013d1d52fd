"""Inspects an .xlsx before it is read: forbidden contents, its extent, and the marks of its sheets.

Element names are compared without their prefix and attributes with it, as the reader (calamine) does.
Source: ECMA-376 part 1 (SpreadsheetML) and part 2 (packaging).
"""

import posixpath
import re
from collections.abc import Callable, Collection, Iterable

from core.messages import Message
from extract.workbook.safe_open.limits import Extent
from extract.workbook.safe_open.marks import Marks, Styles, is_thai_day
from extract.workbook.safe_open.refusals import CONNECTION, DAMAGED, EMBEDDED, HOLDS, LINK, MACROS, FileRefused
from extract.workbook.safe_open.xml_parser import Attributes, feed, local_name, new_parser, refusing_declarations, walk
from extract.workbook.safe_open.zip_archive import PIECE, Archive

WORKBOOK = "xl/workbook.xml"
RELATIONS = "xl/_rels/workbook.xml.rels"
STYLES = "xl/styles.xml"
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
ODD = (b'"e"', b"'e'", b"<f>", b"<f ", b"<f/", b":sheetData", b"hidden", b"\0")
"""Signs of errors, formulas, prefixes, hidden rows or UTF-16: a sheet with one of them must be parsed cell by cell."""
MOST_LETTERS = 3
TRUE = ("1", "true", "on")
STYLE_SECTIONS = (
    "numFmts",
    "fonts",
    "fills",
    "borders",
    "cellStyleXfs",
    "cellXfs",
    "cellStyles",
    "dxfs",
    "tableStyles",
)


def inspect(archive: Archive, extent: Extent) -> tuple[list[Marks], bool]:
    """Inspect all parts. Each is unpacked once, piece by piece, and not kept.

    Args:
        archive: An .xlsx.
        extent: Counts the cells of each sheet, except sheets whose cells are all near the top left.

    Returns:
        The marks of each sheet, in the workbook's order; and whether its days count from 1904.

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
    styles = _styles(archive)
    sheets, from_1904 = _sheets(archive)
    marks = []
    for sheet, relation in sheets:
        extent.begin(sheet)
        part = worksheets.get(relation)
        marks.append(_inspect_sheet(archive, part, extent, styles) if part is not None else Marks())
    for name in archive.unread():
        for _ in refusing_declarations(archive.unpack(name)) if XML_PART.fullmatch(name) else archive.unpack(name):
            pass
    return marks, from_1904


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


def _sheets(archive: Archive) -> tuple[list[tuple[str, str]], bool]:
    """The names of the sheets and their relationship ids, in order; and whether days count from 1904."""
    sheets: list[tuple[str, str]] = []
    from_1904 = False

    def start(name: str, attributes: Attributes) -> None:
        nonlocal from_1904
        if local_name(name) == "workbookPr":
            from_1904 = attributes.get("date1904") in TRUE
        elif local_name(name) == "sheet":
            relation = next((v for k, v in attributes.items() if k.endswith(":id")), "")
            sheets.append((attributes.get("name", ""), relation))

    walk(archive.unpack(WORKBOOK), start)
    return sheets, from_1904


def _styles(archive: Archive) -> Styles:
    """The cell styles that matter, by the numbers that cells name."""
    section, formats = "", dict[int, str]()
    fonts = styles = -1
    struck_fonts, struck, days = set[int](), set[int](), set[int]()

    def start(name: str, attributes: Attributes) -> None:
        nonlocal section, fonts, styles
        tag = local_name(name)
        if tag in STYLE_SECTIONS:
            section = tag
        elif tag == "numFmt" and section == "numFmts":
            formats[int(attributes.get("numFmtId", 0))] = attributes.get("formatCode", "")
        elif tag == "font" and section == "fonts":
            fonts += 1
        elif tag == "strike" and section == "fonts" and attributes.get("val", "1") in TRUE:
            struck_fonts.add(fonts)
        elif tag == "xf" and section == "cellXfs":
            styles += 1
            number = int(attributes.get("numFmtId", 0))
            if is_thai_day(number, formats.get(number, "")):
                days.add(styles)
            if int(attributes.get("fontId", 0)) in struck_fonts:
                struck.add(styles)

    if STYLES in archive.names:
        walk(archive.unpack(STYLES), start)
    return Styles(days, struck)


def _inspect_sheet(archive: Archive, part: str, extent: Extent, styles: Styles) -> Marks:
    # Parsing every cell in Python takes longer than reading the sheet, and most sheets have nothing to find.
    numbers = [*styles.days, *styles.struck]
    odd = (*ODD, *(f" s={quote}{number}{quote}".encode() for number in numbers for quote in "\"'"))
    if _is_plain(refusing_declarations(archive.unpack(part)), odd):
        return Marks()
    cells = _Cells(extent, styles)
    feed(cells.parser, archive.unpack(part))
    cells.end_cell()
    return cells.marks


def _is_plain(pieces: Iterable[bytes], odd: Collection[bytes]) -> bool:
    """Whether all cells are near the top left, without errors, formulas and marks. Always reads to the end."""
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
                and not any(o in piece for o in odd)
            )
    return plain


class _Cells:
    """Parses the cells of one sheet. A row or cell without an address follows the one before."""

    def __init__(self, extent: Extent, styles: Styles) -> None:
        self.marks = Marks()
        self.parser = new_parser(self.start)
        self._reach = extent.reach
        self._row = self._column = -1
        self._type: str | None = None
        self._style, self._styles = 0, styles
        self._hidden = False
        self._in_cell = self._formula = self._calculated = False
        self._columns: dict[str, int] = {}

    def start(self, name: str, attributes: Attributes) -> None:
        tag = name.rpartition(":")[2]
        if tag == "c":
            if self._formula:
                self.end_cell()
            self._in_cell, self._calculated = True, False
            self._type = attributes.get("t")
            self._style = int(attributes.get("s", 0))
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
            self._hidden = attributes.get("hidden") in TRUE
        elif tag == "f":
            if self._in_cell:
                self._formula = True
        elif tag != "t" and tag != "r" and tag != "rPr":
            self.end_cell()

    def end_cell(self) -> None:
        """Finish the cell, if one is open."""
        if self._formula and not self._calculated:
            self._reach(self._row, self._column)
            self.marks.broken.setdefault(self._row, {})[self._column] = "uncalculated"
        self._in_cell = self._formula = self._calculated = False
        self.parser.CharacterDataHandler = None

    def _fill(self) -> None:
        self._reach(self._row, self._column)
        if self._hidden:
            self.marks.hidden.add(self._row)
        if self._style in self._styles.struck:
            self.marks.struck.setdefault(self._row, []).append(self._column)
        if self._style in self._styles.days and self._type in (None, "n"):
            self.marks.days.setdefault(self._row, []).append(self._column)
        if self._type == "e":
            self.marks.broken.setdefault(self._row, {})[self._column] = "error"
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
