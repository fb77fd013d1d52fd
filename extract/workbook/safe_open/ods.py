"""Inspects an .ods before it is read: forbidden contents, its extent, the marks of its sheets and merged ranges.

Names are compared with the usual prefix, which every spreadsheet program writes, as the reader (calamine) does.
Source: OASIS OpenDocument 1.3 part 3, and the calcext extension of LibreOffice.
"""

import re

from extract.workbook.safe_open.limits import Extent
from extract.workbook.safe_open.marks import Marks, MergedRange, Why
from extract.workbook.safe_open.refusals import CONNECTION, DAMAGED, EMBEDDED, HOLDS, LINK, LOCKED, MACROS, FileRefused
from extract.workbook.safe_open.xml_parser import Attributes, refusing_declarations, walk
from extract.workbook.safe_open.zip_archive import Archive

CONTENT = "content.xml"
MANIFEST = "meta-inf/manifest.xml"
WHOLLY_LOCKED = "encrypted-package"
MACRO_FOLDERS = ("basic/", "scripts/")
DOCUMENT = "application/vnd.oasis.opendocument."
DRAWN = (f"{DOCUMENT}chart", f"{DOCUMENT}formula")
"""Embedded documents that only display something."""
OLE = "application/vnd.sun.star.oleobject"
FORBIDDEN = {
    "table:table-source": LINK,
    "table:cell-range-source": LINK,
    "table:dde-link": LINK,
    "office:dde-source": LINK,
    "table:database-source-sql": CONNECTION,
    "table:database-source-table": CONNECTION,
    "table:database-source-query": CONNECTION,
    "draw:object-ole": EMBEDDED,
    "draw:plugin": EMBEDDED,
    "draw:applet": EMBEDDED,
    "office:script": MACROS,
    "script:event-listener": MACROS,
}
XML_PART = re.compile(r".*\.(xml|rdf)")
LINKED = ("draw:image", "draw:object", "draw:floating-frame")
CELLS = ("table:table-cell", "table:covered-table-cell")


def inspect(archive: Archive, extent: Extent) -> tuple[list[Marks], list[list[MergedRange]]]:
    """Inspect all parts. Each is unpacked once, piece by piece, and not kept.

    Args:
        archive: An .ods.
        extent: Counts the cells of each sheet.

    Returns:
        For each sheet, in the workbook's order: its marks; and its ranges merged over several rows.

    Raises:
        FileRefused: It cannot or must not be read.
    """
    if WHOLLY_LOCKED in archive.names:
        raise FileRefused(LOCKED)
    if any(name.startswith(MACRO_FOLDERS) for name in archive.names):
        raise FileRefused(HOLDS, MACROS)
    walk(archive.unpack(MANIFEST), _refuse_embedded)
    cells = _Cells(extent)
    walk(archive.unpack(CONTENT), cells.start)
    cells.end_cell()
    for name in archive.unread():
        for _ in refusing_declarations(archive.unpack(name)) if XML_PART.fullmatch(name) else archive.unpack(name):
            pass
    return cells.sheets, cells.merged


def _refuse_embedded(name: str, attributes: Attributes) -> None:
    if name == "manifest:encryption-data":
        raise FileRefused(LOCKED)
    kind, path = attributes.get("manifest:media-type", ""), attributes.get("manifest:full-path")
    if kind == OLE or (kind.startswith(DOCUMENT) and path != "/" and not kind.startswith(DRAWN)):
        raise FileRefused(HOLDS, EMBEDDED)


class _Cells:
    """Parses the cells of all sheets; one element may be repeated for many rows or columns."""

    def __init__(self, extent: Extent) -> None:
        self.sheets: list[Marks] = []
        self.merged: list[list[MergedRange]] = []
        self._extent = extent
        self._next_row = self._next_column = 0
        self._rows = self._uncalculated = range(0)
        self._style, self._struck_styles = "", set[str]()
        self._hidden = False

    def start(self, name: str, attributes: Attributes) -> None:
        if name in CELLS:
            self.end_cell()
            first = self._next_column
            self._next_column += int(attributes.get("table:number-columns-repeated", 1))
            if "office:value-type" in attributes or "table:formula" in attributes:
                self._fill(range(first, self._next_column), attributes)
                rows, columns = (int(attributes.get(f"table:number-{of}-spanned", 1)) for of in ("rows", "columns"))
                if rows > 1:
                    top = self._rows.start
                    self.merged[-1].append(((top, first), (top + rows - 1, first + columns - 1)))
        elif name == "text:p":
            # A calculated formula whose result is empty text has an empty paragraph instead of a value.
            self._uncalculated = range(0)
        elif name == "table:table-row":
            self.end_cell()
            first, self._next_column = self._next_row, 0
            self._next_row += int(attributes.get("table:number-rows-repeated", 1))
            self._rows = range(first, self._next_row)
            self._hidden = attributes.get("table:visibility", "visible") != "visible"
        elif name == "table:table":
            self.end_cell()
            self.sheets.append(Marks())
            self.merged.append([])
            self._extent.begin(attributes.get("table:name", ""))
            self._next_row = 0
        elif name == "style:style":
            self._style = attributes.get("style:name", "")
        elif name == "style:text-properties":
            if attributes.get("style:text-line-through-style", "none") != "none":
                self._struck_styles.add(self._style)
        elif name in FORBIDDEN:
            raise FileRefused(HOLDS, FORBIDDEN[name])
        elif name in LINKED and "://" in attributes.get("xlink:href", ""):
            raise FileRefused(HOLDS, LINK)

    def end_cell(self) -> None:
        """Finish the cell, if one is open."""
        self._mark_broken(self._uncalculated, "uncalculated")
        self._uncalculated = range(0)

    def _fill(self, columns: range, attributes: Attributes) -> None:
        if not self.sheets:
            raise FileRefused(DAMAGED)
        self._extent.reach(self._rows.stop - 1, columns.stop - 1)
        if self._hidden:
            self.sheets[-1].hidden.update(self._rows)
        if attributes.get("table:style-name") in self._struck_styles:
            for row in self._rows:
                self.sheets[-1].struck.setdefault(row, []).extend(columns)
        if attributes.get("calcext:value-type") == "error":
            self._mark_broken(columns, "error")
        elif "office:value-type" not in attributes:
            self._uncalculated = columns

    def _mark_broken(self, columns: range, why: Why) -> None:
        for row in self._rows if columns else ():
            self.sheets[-1].broken.setdefault(row, {}).update(dict.fromkeys(columns, why))
