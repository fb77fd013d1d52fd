"""Makes workbooks byte by byte, ordinary and hostile, for the tests of reading them."""

import struct
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
PIECE = 1 << 20

Content = str | bytes | Iterable[bytes]


def zip_of(path: Path, parts: Mapping[str, Content]) -> Path:
    """A zip archive; a part given in pieces is never whole in memory."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in parts.items():
            if isinstance(content, str | bytes):
                archive.writestr(name, content)
                continue
            with archive.open(name, "w") as part:
                for piece in content:
                    part.write(piece)
    return path


def many(piece: bytes, times: int, before: bytes = b"", after: bytes = b"") -> Iterable[bytes]:
    """The same bytes very often."""
    at_once = max(1, PIECE // len(piece))
    yield before
    for _ in range(times // at_once):
        yield piece * at_once
    yield piece * (times % at_once)
    yield after


def sheet(rows: str) -> str:
    return f'{XML}<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'


SHEET_BEGIN, SHEET_END = (half.encode() for half in sheet("|").split("|"))
ROWS = '<row r="1"><c r="A1" t="inlineStr"><is><t>hn</t></is></c><c r="B1"><v>7</v></c></row>'


def xlsx_parts(
    sheets: Mapping[str, Content] | None = None, states: Mapping[str, str] | None = None
) -> dict[str, Content]:
    """The parts of an .xlsx: the XML of each sheet by its name."""
    sheets = {"dmht": sheet(ROWS)} if sheets is None else sheets
    names = list(enumerate(sheets, 1))
    entries = "".join(
        f'<sheet name="{name}" sheetId="{n}" state="{(states or {}).get(name, "visible")}" r:id="rId{n}"/>'
        for n, name in names
    )
    relations = "".join(
        f'<Relationship Id="rId{n}" Type="{RELATION}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n, _ in names
    )
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    overrides = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{kind}.worksheet+xml"/>' for n, _ in names
    )
    return {
        "[Content_Types].xml": f'{XML}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>{overrides}</Types>',
        "_rels/.rels": f'{XML}<Relationships xmlns="{PACKAGE}">'
        f'<Relationship Id="rId1" Type="{RELATION}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'{XML}<workbook xmlns="{MAIN}" xmlns:r="{RELATION}"><sheets>{entries}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'{XML}<Relationships xmlns="{PACKAGE}">{relations}</Relationships>',
    } | {f"xl/worksheets/sheet{n}.xml": sheets[name] for n, name in names}


def xlsx(path: Path, sheets: Mapping[str, Content] | None = None, **parts: Content) -> Path:
    """An .xlsx; further parts by their names with __ for a slash and _ for a dot."""
    further = {name.replace("__", "/").replace("_", "."): content for name, content in parts.items()}
    return zip_of(path, xlsx_parts(sheets) | further)


ODS_KIND = "application/vnd.oasis.opendocument.spreadsheet"
ODS_SPACES = " ".join(
    f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{long}:1.0"'
    for short, long in (
        ("office", "office"), ("table", "table"), ("text", "text"), ("draw", "drawing"), ("script", "script"),
    )
) + ' xmlns:of="urn:oasis:names:tc:opendocument:xmlns:of:1.2" xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0" xmlns:xlink="http://www.w3.org/1999/xlink"'  # fmt: skip
ODS_BEGIN = f"{XML}<office:document-content {ODS_SPACES}><office:body><office:spreadsheet>"
ODS_END = "</office:spreadsheet></office:body></office:document-content>"
ODS_TABLE = (
    '<table:table table:name="dmht"><table:table-row>'
    '<table:table-cell office:value-type="string"><text:p>hn</text:p></table:table-cell>'
    '<table:table-cell office:value-type="float" office:value="7"><text:p>7</text:p></table:table-cell>'
    "</table:table-row></table:table>"
)


def ods_parts(tables: str = ODS_TABLE, kind: str = ODS_KIND, entries: str = "") -> dict[str, Content]:
    """The parts of an .ods: the XML of its tables, further entries of its manifest."""
    return {
        "mimetype": kind,
        "content.xml": f"{ODS_BEGIN}{tables}{ODS_END}",
        "META-INF/manifest.xml": f'{XML}<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/>{entries}</manifest:manifest>',
    }


FREE, END, TABLE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
SECTOR = 512
LEAST_STREAM = 4096


def compound(streams: Mapping[str, bytes], folders: Iterable[str] = ()) -> bytes:
    """A compound file (OLE). Streams are filled up to 4096 bytes, so that there are no short ones."""
    held = {name: content.ljust(LEAST_STREAM, b"\0") for name, content in streams.items()}
    names = ["Root Entry", *held, *folders]
    directory_sectors = -(-len(names) * 128 // SECTOR)
    needed = directory_sectors + sum(-(-len(c) // SECTOR) for c in held.values())
    tables = -(-needed // (SECTOR // 4 - 1))
    chain = [TABLE] * tables
    body = bytearray()

    def place(content: bytes) -> int:
        start, sectors = len(chain), -(-len(content) // SECTOR)
        chain.extend([*range(start + 1, start + sectors), END])
        body.extend(content.ljust(sectors * SECTOR, b"\0"))
        return start

    starts = {name: place(content) for name, content in held.items()}
    entries = b""
    for number, name in enumerate(names):
        encoded = name.encode("utf-16-le")
        kind = 5 if not number else 2 if name in held else 1
        right = number + 1 if 0 < number < len(names) - 1 else FREE
        entries += encoded.ljust(64, b"\0") + struct.pack(
            "<HBB3I36xIQ", len(encoded) + 2, kind, 1, FREE, right, FREE if number or len(names) == 1 else 1,
            starts.get(name, END if not number else 0), len(held.get(name, b"")),
        )  # fmt: skip
    directory = place(entries)
    chain += [FREE] * (tables * SECTOR // 4 - len(chain))
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    header += struct.pack("<5H6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<9I", 0, tables, directory, 0, LEAST_STREAM, END, 0, END, 0)
    header += struct.pack("<109I", *range(tables), *[FREE] * (109 - tables))
    return header + struct.pack(f"<{len(chain)}I", *chain) + bytes(body)


def record(kind: int, held: bytes = b"") -> bytes:
    return struct.pack("<2H", kind, len(held)) + held


XLS_SHEET_BEGIN = record(0x0809, struct.pack("<4H2I", 0x0600, 0x0010, 0x0DBB, 0x07CC, 0, 6))
XLS_END = record(0x000A)


def number_cell(row: int, column: int, value: float) -> bytes:
    return record(0x0203, struct.pack("<3Hd", row, column, 0, value))


def text_cell(row: int, column: int, text: str) -> bytes:
    return record(0x0204, struct.pack("<4HB", row, column, 0, len(text), 0) + text.encode("latin-1"))


def error_cell(row: int, column: int) -> bytes:
    return record(0x0205, struct.pack("<3H2B", row, column, 0, 0x2A, 1))


XLS_CELLS = text_cell(0, 0, "hn") + number_cell(0, 1, 7)


def book_stream(cells: bytes = XLS_CELLS, globals_: bytes = b"", sheet_type: int = 0) -> bytes:
    """The stream of an .xls of one sheet: its cell records, further records of the book."""
    begin = record(0x0809, struct.pack("<4H2I", 0x0600, 0x0005, 0x0DBB, 0x07CC, 0, 6)) + globals_
    bound = 4 + 8 + len("dmht")
    at = len(begin) + bound + len(XLS_END)
    begin += record(0x0085, struct.pack("<I4B", at, 0, sheet_type, 4, 0) + b"dmht")
    return begin + XLS_END + XLS_SHEET_BEGIN + cells + XLS_END


def xls(cells: bytes = XLS_CELLS, globals_: bytes = b"", sheet_type: int = 0, folders: Iterable[str] = ()) -> bytes:
    """An .xls of one sheet."""
    return compound({"Workbook": book_stream(cells, globals_, sheet_type)}, folders)
