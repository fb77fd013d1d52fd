"""Files that are broken, or made to harm: each is refused in one sentence, at no cost to whoever asked.

The reading process is held to 256 MB here: a sentence about anything but memory says that it needed no more.
"""

import os
import resource
import signal
import struct
import subprocess
import sys
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rights import without_power_over_rights
from workbook_files import (
    ODS_KIND,
    ODS_TABLE,
    ROWS,
    SHEET_BEGIN,
    SHEET_END,
    XLS_CELLS,
    Content,
    compound,
    many,
    number_cell,
    ods_parts,
    record,
    sheet,
    xls,
    xlsx,
    xlsx_parts,
    zip_of,
)

from extract.errors import WorkbookError
from extract.settings import WorkbookSettings
from extract.workbook.file import read_sheets
from extract.workbook.safe_open.inspection import inspect_file
from extract.workbook.safe_open.limits import Limits
from extract.workbook.safe_open.refusals import DAMAGED, FileRefused

TIGHT = WorkbookSettings(read_megabytes=256)
LIMITS = Limits(**TIGHT.model_dump())
MOST_BYTES_HERE = 1 << 20
"""Memory that refusing a file may take in the process that asks."""


def refused(path: Path, limits: WorkbookSettings = TIGHT, most: int = MOST_BYTES_HERE) -> str:
    """The sentence in both languages; asking for it took next to no memory here."""
    tracemalloc.start()
    try:
        with pytest.raises(WorkbookError) as caught:
            read_sheets(path, limits)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < most
    message = caught.value.message
    assert path.name in message.th
    assert path.name in message.en
    assert "{" not in str(message)
    assert caught.value.__cause__ is None
    return str(message)


def refused_without_a_process(path: Path, limits: WorkbookSettings = TIGHT) -> str:
    """As `refused`, where nothing of the file needs to be read."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt
    sentence = refused(path, limits)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt == before
    return sentence


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def says(sentence: str, th: str, en: str) -> bool:
    thai, _, english = sentence.partition(" / ")
    return th in thai and en in english


# -- no file, or no file to read -------------------------------------------------------------------------------------


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert says(refused_without_a_process(tmp_path / "a.xlsx"), "ไม่พบไฟล์", "is not there")


def test_a_folder_in_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").mkdir()

    assert says(refused_without_a_process(tmp_path / "a.xlsx"), "เป็นโฟลเดอร์", "is a folder")


def test_a_pipe_in_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.xlsx")

    assert says(refused_without_a_process(tmp_path / "a.xlsx"), "ไม่ใช่ไฟล์", "not a file")


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    xlsx(tmp_path / "a.xlsx").chmod(0)

    with without_power_over_rights():
        assert says(refused_without_a_process(tmp_path / "a.xlsx"), "ตรวจสิทธิ์", "check that it may be read")


def test_an_empty_file(tmp_path: Path) -> None:
    assert says(refused_without_a_process(written(tmp_path / "a.csv", b"")), "ว่างเปล่า", "is empty")


def test_a_file_that_is_too_large_is_not_opened_further(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        file.truncate((32 << 20) + 1)

    assert says(refused_without_a_process(path), "ใหญ่กว่า 32 MB", "larger than 32 MB")


@pytest.mark.parametrize("name", ["a.numbers", "a.xlsb", "a.txt", "a.docx", "a", ".xlsx"])
def test_another_form_is_refused_and_the_forms_that_are_read_are_named(tmp_path: Path, name: str) -> None:
    sentence = refused_without_a_process(xlsx(tmp_path / name))

    assert says(sentence, "ไม่ใช่รูปแบบที่อ่านได้", "of a form that is not read")
    assert sentence.count(".xlsx, .xls, .ods") == 2


# -- what it holds is not what it is called ----------------------------------------------------------------------------

DISGUISED: dict[str, tuple[bytes, str, str]] = {
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "PDF", "is a PDF inside"),
    "png": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "รูปภาพ", "is a picture inside"),
    "jpeg": (b"\xff\xd8\xff\xe0\0\x10JFIF", "รูปภาพ", "is a picture inside"),
    "html": (b"<html><table><tr><td>hn</td></tr></table></html>", "หน้าเว็บ (HTML)", "is a web page (HTML)"),
    "html after blank lines": (b"\xef\xbb\xbf\r\n\r\n<!DOCTYPE html><html>", "หน้าเว็บ (HTML)", "is a web page (HTML)"),
    "html of two bytes a letter": ("\ufeff<table>".encode("utf-16-le"), "หน้าเว็บ (HTML)", "is a web page (HTML)"),
    "xml of 2003": (b'<?xml version="1.0"?><Workbook xmlns="urn:x"/>', "หน้าเว็บ (HTML) หรือ XML", "or XML inside"),
    "rtf": (rb"{\rtf1 text}", "เอกสาร Word", "is a text document"),
    "csv": ("hn,ชื่อ\n1,2\n".encode(), "ข้อความธรรมดา", "is plain text inside"),
    "old word": (compound({"WordDocument": b"x"}), "เอกสาร Word", "is a text document"),
    "old powerpoint": (compound({"PowerPoint Document": b"x"}), "งานนำเสนอ", "is a presentation"),
    "mail": (compound({"__properties_version1.0": b"x"}), "ไม่ใช่รูปแบบที่อ่านได้", "of a form that is not read"),
    "program": (b"MZ\x90\0\x03\0\0\0", "ไม่ใช่รูปแบบที่อ่านได้", "of a form that is not read"),
}


@pytest.mark.parametrize("what", DISGUISED)
@pytest.mark.parametrize("name", ["a.xlsx", "a.xls", "a.ods"])
def test_another_file_renamed_to_a_workbook(tmp_path: Path, name: str, what: str) -> None:
    content, th, en = DISGUISED[what]

    assert says(refused(written(tmp_path / name, content)), th, en)


@pytest.mark.parametrize("what", [w for w in DISGUISED if w != "csv"])
def test_another_file_renamed_to_csv(tmp_path: Path, what: str) -> None:
    content, th, en = DISGUISED[what]

    assert says(refused(written(tmp_path / "a.csv", content)), th, en)


@pytest.mark.parametrize(
    ("parts", "th", "en"),
    [
        ({"[Content_Types].xml": "<Types/>", "word/document.xml": "<w/>"}, "เอกสาร Word", "is a text document"),
        ({"[Content_Types].xml": "<Types/>", "ppt/presentation.xml": "<p/>"}, "งานนำเสนอ", "is a presentation"),
        (ods_parts(kind="application/vnd.oasis.opendocument.text"), "เอกสาร Word", "is a text document"),
        (
            {"xl/workbook.bin": b"x", "[Content_Types].xml": "<Types/>"},
            "ไม่ใช่รูปแบบที่อ่านได้",
            "is of a form that is not read",
        ),
        ({"Index/Document.iwa": b"x"}, "ไม่ใช่รูปแบบที่อ่านได้", "is of a form that is not read"),
        ({"photo.jpg": b"x"}, "ไม่ใช่รูปแบบที่อ่านได้", "is of a form that is not read"),
    ],
    ids=["docx", "pptx", "odt", "xlsb", "numbers", "zip"],
)
def test_another_archive_renamed_to_xlsx(tmp_path: Path, parts: dict[str, Content], th: str, en: str) -> None:
    assert says(refused(zip_of(tmp_path / "a.xlsx", parts)), th, en)


# -- archives that are not what they say -----------------------------------------------------------------------------

MB = 1 << 20


def test_an_archive_that_unpacks_to_more_than_is_allowed(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "a.xlsx", xl__media__image_png=many(bytes(MB), 500))

    assert says(refused(path), "คลายการบีบอัดแล้วใหญ่กว่า 400 MB", "unpacks to more than 400 MB")


def test_an_archive_of_many_parts_that_are_too_much_together(tmp_path: Path) -> None:
    parts = {f"xl/media/{n}.png": bytes(MB) for n in range(20)}
    path = zip_of(tmp_path / "a.xlsx", xlsx_parts() | parts)

    assert says(refused(path, TIGHT.model_copy(update={"max_unpacked_megabytes": 16})), "16 MB", "more than 16 MB")


def understated(path: Path, part: str, size: int) -> Path:
    """The archive says another size of a part, in its table of contents and at the part itself."""
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(part)
    central = data.index(b"PK\x01\x02")
    while data[central + 46 : central + 46 + len(part)] != part.encode():
        central = data.index(b"PK\x01\x02", central + 1)
    struct.pack_into("<I", data, central + 24, size)
    struct.pack_into("<I", data, info.header_offset + 22, size)
    return written(path, bytes(data))


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/media/image.png"])
def test_an_archive_that_understates_what_it_holds(tmp_path: Path, part: str) -> None:
    path = zip_of(tmp_path / "a.xlsx", xlsx_parts() | {part: many(b"<a/>", 100 * MB // 4)})

    assert says(refused(understated(path, part, 1000)), "เสียหาย", "is damaged")


def test_an_archive_that_overstates_what_it_holds(tmp_path: Path) -> None:
    path = understated(xlsx(tmp_path / "a.xlsx"), "xl/worksheets/sheet1.xml", 100_000)

    assert says(refused(path), "เสียหาย", "is damaged")


def test_parts_that_share_their_bytes(tmp_path: Path) -> None:
    """One part lies within another, so that little is packed and much comes out."""
    inner = zip_of(tmp_path / "inner.zip", {"xl/b.xml": "<b/>"}).read_bytes()
    inner = inner[: inner.index(b"PK\x01\x02")]
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (xlsx_parts() | {"xl/a.xml": inner}).items():
            assert isinstance(content, str | bytes)
            archive.writestr(name, content)
    data = path.read_bytes()
    with zipfile.ZipFile(tmp_path / "inner.zip") as archive, zipfile.ZipFile(path) as outer:
        entry = bytearray((tmp_path / "inner.zip").read_bytes()[archive.start_dir :][: 46 + len("xl/b.xml")])
        struct.pack_into("<I", entry, 42, data.index(inner))
        contents, end = outer.start_dir, len(data) - 22
    tail = bytearray(data[end:])
    count = struct.unpack_from("<H", tail, 8)[0] + 1
    struct.pack_into("<2HI", tail, 8, count, count, end - contents + len(entry))
    written(path, data[:end] + bytes(entry) + bytes(tail))
    with zipfile.ZipFile(path) as archive:
        assert "xl/b.xml" in archive.namelist()

    assert says(refused(path), "เสียหาย", "is damaged")


def test_two_parts_of_one_name(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.xlsx", xlsx_parts() | {"XL/Worksheets/Sheet1.xml": sheet("")})

    assert says(refused(path), "เสียหาย", "is damaged")


def test_an_archive_that_is_locked(tmp_path: Path) -> None:
    data = bytearray(xlsx(tmp_path / "a.xlsx").read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1

    assert says(refused(written(tmp_path / "a.xlsx", bytes(data))), "ใส่รหัสผ่าน", "locked with a password")


@pytest.mark.parametrize(
    ("form", "kept"),
    [(form, kept) for form in ("xlsx", "ods") for kept in (1, 4, 30, 100, 500, -300, -22, -1)]
    + [("xls", kept) for kept in (1, 8, 100, 512, 1000, 3000, 5000)],
)
def test_a_file_that_was_cut_off(tmp_path: Path, form: str, kept: int) -> None:
    data = GOOD[form](tmp_path)

    sentence = refused(written(tmp_path / f"a.{form}", data[:kept]))

    # Of the first byte alone nobody can tell what it was.
    assert kept == 1 or says(sentence, "เสียหายหรือมาไม่ครบ", "is damaged or was cut off")


def with_number(data: bytes, at: int, number: int) -> bytes:
    return data[:at] + struct.pack("<I", number) + data[at + 4 :]


# In the compound file of `xls` sector 0 is the allocation table, the stream begins in sector 1, the directory is last.
TABLE_AT, DIRECTORY_AT = 512, len(xls()) - 512
IN_CIRCLES: dict[str, bytes] = {
    "a stream that follows itself": with_number(xls(), TABLE_AT + 4, 1),
    "a stream without an end": with_number(xls(), TABLE_AT + 8 * 4, 2),
    "a directory that follows itself": with_number(xls(), TABLE_AT + 9 * 4, 9),
    "a stream larger than the file": with_number(xls(), DIRECTORY_AT + 128 + 120, 0xFFFFFFF0),
    "more tables than sectors": with_number(xls(), 44, 0xFFFFFFFF),
    "a table of tables without an end": with_number(with_number(with_number(xls(), 44, 120), 68, 1), 72, 1),
    "a stream that is not in the directory's tree": with_number(xls(), DIRECTORY_AT + 76, 0xFFFFFFFF),
}


@pytest.mark.parametrize("data", IN_CIRCLES.values(), ids=IN_CIRCLES)
def test_a_compound_file_whose_sectors_lead_nowhere_is_damaged(data: bytes) -> None:
    with pytest.raises(FileRefused) as caught:
        inspect_file(data, ".xls", LIMITS)
    assert caught.value.message.en == str(DAMAGED.en)


# -- sheets that reach too far ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_million_rows(tmp_path: Path) -> None:
    rows = many(b"<row><c><v>1</v></c></row>", 2_000_000, SHEET_BEGIN, SHEET_END)

    sentence = refused(xlsx(tmp_path / "a.xlsx", {"dmht": rows}))

    assert says(sentence, "แผ่นงาน “dmht” ในไฟล์ a.xlsx มีข้อมูลถึงช่อง A100001", "reaches cell A100001")


@pytest.mark.slow
def test_two_million_rows_with_addresses(tmp_path: Path) -> None:
    rows = (b'<row r="%d"><c r="A%d"><v>1</v></c></row>' % (n, n) for n in range(1, 2_000_001))
    pieces = (b"".join(part) for part in batches(rows))

    sentence = refused(xlsx(tmp_path / "a.xlsx", {"dmht": [SHEET_BEGIN, *pieces, SHEET_END]}))

    assert says(sentence, "A100001", "reaches cell A100001")


def batches(pieces: Iterable[bytes]) -> Iterable[list[bytes]]:
    batch: list[bytes] = []
    for piece in pieces:
        batch.append(piece)
        if len(batch) == 10_000:
            yield batch
            batch = []
    yield batch


@pytest.mark.slow
def test_two_million_rows_of_text(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", b"1,2\n" * 2_000_000)

    # The rows that are allowed have been handed over before.
    sentence = refused(path, most=16 * MB)

    assert says(sentence, "แผ่นงาน “a” ในไฟล์ a.csv มีข้อมูลถึงช่อง B100001", "Sheet “a” of a.csv reaches cell B100001")


@pytest.mark.slow
def test_two_million_empty_lines_are_no_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"1,2\n" + b",\n" * 2_000_000)

    assert read_sheets(tmp_path / "a.csv", TIGHT)[0].rows == [("1", "2")]


@pytest.mark.parametrize("cell", ["XFD1048576", "XFD1", "A1048576", "GS1"])
def test_a_cell_far_out(tmp_path: Path, cell: str) -> None:
    number = cell.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    cells = f'{ROWS}<row r="{number}"><c r="{cell}"><v>1</v></c></row>'

    assert says(refused(xlsx(tmp_path / "a.xlsx", {"dmht": sheet(cells)})), f"ถึงช่อง {cell}", f"reaches cell {cell}")


def test_a_cell_far_out_that_holds_only_an_uncalculated_formula(tmp_path: Path) -> None:
    cells = f'{ROWS}<row r="1048576"><c r="XFD1048576"><f>A1</f></c></row>'

    assert says(refused(xlsx(tmp_path / "a.xlsx", {"dmht": sheet(cells)})), "XFD1048576", "XFD1048576")


def test_a_cell_beyond_narrower_limits(tmp_path: Path) -> None:
    limits = WorkbookSettings(read_megabytes=256, max_rows=10, max_columns=3)
    cells = '<row r="1"><c r="A1"><v>1</v></c></row><row r="11"><c r="B11"><v>1</v></c></row>'

    assert says(refused(xlsx(tmp_path / "a.xlsx", {"dmht": sheet(cells)}), limits), "B11", "no more than 10 rows")
    assert says(refused(written(tmp_path / "a.csv", b"1,2,3,4"), limits), "D1", "3 columns")


def test_rows_of_all_sheets_count_together(tmp_path: Path) -> None:
    limits = WorkbookSettings(read_megabytes=256, max_rows=10)
    cells = sheet('<row r="6"><c r="A6"><v>1</v></c></row>')

    assert says(refused(xlsx(tmp_path / "a.xlsx", {"dmht": cells, "epi": cells}), limits), "“epi”", "Sheet “epi”")


def test_a_cell_whose_far_address_is_written_unusually_is_held_by_the_process(tmp_path: Path) -> None:
    cells = '<row r="1"><c r="A1"><v>1</v></c><!-- --><c\tr = "&#88;FD1048576"><v>1</v></c></row>'

    assert refused(xlsx(tmp_path / "a.xlsx", {"dmht": sheet(cells)}))


ONE = '<table:table-cell office:value-type="float" office:value="1"/>'


@pytest.mark.parametrize(
    "rows",
    [
        f'<table:table-row table:number-rows-repeated="2000000000">{ONE}</table:table-row>',
        f'<table:table-row table:number-rows-repeated="2000000000"/><table:table-row>{ONE}</table:table-row>',
        f'<table:table-row><table:table-cell table:number-columns-repeated="2000000000"/>{ONE}</table:table-row>',
        '<table:table-row><table:table-cell office:value-type="float" office:value="1" '
        'table:number-columns-repeated="2000000000"/></table:table-row>',
        '<table:table-row><table:table-cell table:formula="of:=1" table:number-columns-repeated="2000000000"/>'
        "</table:table-row>",
    ],
    ids=["row", "empty rows", "empty cells", "cell", "formula"],
)
def test_an_ods_that_repeats_without_end(tmp_path: Path, rows: str) -> None:
    table = f'<table:table table:name="epi">{rows}</table:table>'

    assert says(
        refused(zip_of(tmp_path / "a.ods", ods_parts(table))), "แผ่นงาน “epi”", "Sheet “epi” of a.ods reaches cell"
    )


def test_an_ods_whose_sizes_are_beyond_any_number(tmp_path: Path) -> None:
    row = f'<table:table-row table:number-rows-repeated="{9 * 10**30}">{ONE}</table:table-row>'

    assert refused(zip_of(tmp_path / "a.ods", ods_parts(f'<table:table table:name="epi">{row}</table:table>')))


def test_an_xls_with_a_cell_far_out(tmp_path: Path) -> None:
    cells = XLS_CELLS + number_cell(65535, 255, 1)

    assert says(refused(written(tmp_path / "a.xls", xls(cells))), "IV65536", "reaches cell IV65536")


# -- what an ordinary table does not hold ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "th", "en"),
    [
        ("xl/vbaProject.bin", "มาโคร", "holds macros"),
        ("XL/VBAPROJECT.BIN", "มาโคร", "holds macros"),
        ("xl/macrosheets/sheet1.xml", "มาโคร", "holds macros"),
        ("xl/externalLinks/externalLink1.xml", "ลิงก์ไปยังไฟล์", "holds a link to another file"),
        ("xl/connections.xml", "การเชื่อมต่อข้อมูล", "holds a connection"),
        ("xl/queryTables/queryTable1.xml", "การเชื่อมต่อข้อมูล", "holds a connection"),
        ("xl/model/item.data", "การเชื่อมต่อข้อมูล", "holds a connection"),
        ("xl/embeddings/oleObject1.bin", "วัตถุที่ฝังอยู่", "holds an embedded object"),
        ("xl/activeX/activeX1.xml", "วัตถุที่ฝังอยู่", "holds an embedded object"),
    ],
)
def test_a_part_that_an_ordinary_xlsx_does_not_have(tmp_path: Path, part: str, th: str, en: str) -> None:
    assert says(refused(zip_of(tmp_path / "a.xlsx", xlsx_parts() | {part: "<a/>"})), th, en)


@pytest.mark.parametrize("name", ["a.xlsm", "a.XLTM"])
def test_a_name_that_says_macros(tmp_path: Path, name: str) -> None:
    assert says(refused_without_a_process(xlsx(tmp_path / name)), "มาโคร", "holds macros")


def test_a_content_type_that_says_macros(tmp_path: Path) -> None:
    parts = xlsx_parts()
    types = str(parts["[Content_Types].xml"]).replace(
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
        "application/vnd.ms-excel.sheet.macroEnabled.main+xml",
    )

    assert says(refused(zip_of(tmp_path / "a.xlsx", parts | {"[Content_Types].xml": types})), "มาโคร", "holds macros")


def test_a_relation_to_the_outside_that_is_no_hyperlink(tmp_path: Path) -> None:
    relations = '<Relationships><Relationship Id="rId1" Type="http://x/oleObject" Target="//server/a" TargetMode="External"/></Relationships>'
    path = zip_of(tmp_path / "a.xlsx", xlsx_parts() | {"xl/worksheets/_rels/sheet1.xml.rels": relations})

    assert says(refused(path), "ลิงก์ไปยังไฟล์", "holds a link to another file")


@pytest.mark.parametrize(
    ("inside", "th", "en"),
    [
        ('<table:table table:name="d"><table:table-source xlink:href="file:///a.ods"/></table:table>', "ลิงก์", "a link"),
        ('<table:dde-links><table:dde-link/></table:dde-links>', "ลิงก์", "a link"),
        ('<table:database-range><table:database-source-sql/></table:database-range>', "การเชื่อมต่อ", "a connection"),
        ('<draw:object-ole xlink:href="./Object 1"/>', "วัตถุที่ฝังอยู่", "an embedded object"),
        ('<draw:image xlink:href="https://example.org/a.png"/>', "ลิงก์", "a link"),
        ('<office:event-listeners><script:event-listener/></office:event-listeners>', "มาโคร", "macros"),
    ],
)  # fmt: skip
def test_an_element_that_an_ordinary_ods_does_not_have(tmp_path: Path, inside: str, th: str, en: str) -> None:
    assert says(refused(zip_of(tmp_path / "a.ods", ods_parts(ODS_TABLE + inside))), th, en)


@pytest.mark.parametrize("part", ["Basic/Standard/Module1.xml", "Scripts/python/a.py"])
def test_an_ods_with_macros(tmp_path: Path, part: str) -> None:
    assert says(refused(zip_of(tmp_path / "a.ods", ods_parts() | {part: "x"})), "มาโคร", "holds macros")


def test_an_ods_with_an_embedded_document(tmp_path: Path) -> None:
    entry = f'<manifest:file-entry manifest:full-path="Object 1/" manifest:media-type="{ODS_KIND}"/>'

    assert says(refused(zip_of(tmp_path / "a.ods", ods_parts(entries=entry))), "วัตถุที่ฝังอยู่", "an embedded object")


@pytest.mark.parametrize(
    ("data", "th", "en"),
    [
        (xls(folders=["_VBA_PROJECT_CUR"]), "มาโคร", "holds macros"),
        (xls(globals_=record(0x00D3)), "มาโคร", "holds macros"),
        (xls(sheet_type=1), "มาโคร", "holds macros"),
        (xls(globals_=record(0x01AE, struct.pack("<2HB", 1, 5, 0) + b"a.xls")), "ลิงก์", "holds a link"),
        (xls(globals_=record(0x0876, bytes(20))), "การเชื่อมต่อ", "holds a connection"),
        (xls(XLS_CELLS + record(0x01AD, bytes(20))), "การเชื่อมต่อ", "holds a connection"),
        (xls(folders=["MBD0001A2B3"]), "วัตถุที่ฝังอยู่", "holds an embedded object"),
    ],
    ids=["vba", "vba record", "macro sheet", "other book", "connection", "query", "embedded"],
)
def test_an_xls_that_holds_what_an_ordinary_one_does_not(tmp_path: Path, data: bytes, th: str, en: str) -> None:
    assert says(refused(written(tmp_path / "a.xls", data)), th, en)


def test_an_xls_may_name_itself_among_the_books(tmp_path: Path) -> None:
    own = record(0x01AE, struct.pack("<2H", 1, 0x0401))
    written(tmp_path / "a.xls", xls(globals_=own))

    assert read_sheets(tmp_path / "a.xls", TIGHT)[0].rows == [("hn", 7.0)]


LOCKED_ENTRY = '<manifest:file-entry manifest:full-path="content.xml"><manifest:encryption-data/></manifest:file-entry>'


@pytest.mark.parametrize("name", ["a.xlsx", "a.xls"])
def test_a_locked_xlsx(tmp_path: Path, name: str) -> None:
    data = compound({"EncryptedPackage": b"x", "EncryptionInfo": b"x"})

    assert says(refused(written(tmp_path / name, data)), "ใส่รหัสผ่าน", "locked with a password")


def test_a_locked_xls(tmp_path: Path) -> None:
    data = xls(globals_=record(0x002F, struct.pack("<H", 1) + bytes(52)))

    assert says(refused(written(tmp_path / "a.xls", data)), "ใส่รหัสผ่าน", "locked with a password")


@pytest.mark.parametrize("parts", [ods_parts(entries=LOCKED_ENTRY), ods_parts() | {"encrypted-package": b"x"}])
def test_a_locked_ods(tmp_path: Path, parts: dict[str, Content]) -> None:
    assert says(refused(zip_of(tmp_path / "a.ods", parts)), "ใส่รหัสผ่าน", "locked with a password")


LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + "]>"
)


def declaring(content: Content, encoding: str = "utf-8") -> bytes:
    """The same XML with a declaration before its first element."""
    head, _, body = str(content).partition("\n")
    return (head.replace("UTF-8", encoding) + LAUGHS + body.replace(">7<", ">&i;<")).encode(encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
@pytest.mark.parametrize(
    "part", ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "_rels/.rels", "xl/sharedStrings.xml", "docProps/app.xml"]
)
def test_a_declaration_in_any_part_of_an_xlsx(tmp_path: Path, part: str, encoding: str) -> None:
    parts = xlsx_parts()
    content = parts.get(part, '<?xml version="1.0" encoding="UTF-8"?>\n<sst><si><t>7</t></si></sst>')

    sentence = refused(zip_of(tmp_path / "a.xlsx", parts | {part: declaring(content, encoding)}))

    assert says(sentence, "DOCTYPE", "a DOCTYPE or ENTITY declaration")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("part", ["content.xml", "META-INF/manifest.xml", "styles.xml"])
def test_a_declaration_in_any_part_of_an_ods(tmp_path: Path, part: str, encoding: str) -> None:
    parts = ods_parts()
    content = parts.get(part, '<?xml version="1.0" encoding="UTF-8"?>\n<a>7</a>')

    sentence = refused(zip_of(tmp_path / "a.ods", parts | {part: declaring(content, encoding)}))

    assert says(sentence, "DOCTYPE", "a DOCTYPE or ENTITY declaration")


def test_a_declaration_that_names_a_file_is_not_followed(tmp_path: Path) -> None:
    content = '<?xml version="1.0"?><!DOCTYPE x SYSTEM "file:///etc/hostname"><a/>'

    assert says(refused(xlsx(tmp_path / "a.xlsx", xl__sharedStrings_xml=content)), "DOCTYPE", "DOCTYPE")


# -- text that is none -------------------------------------------------------------------------------------------------


def test_text_in_no_known_encoding(tmp_path: Path) -> None:
    assert says(
        refused(written(tmp_path / "a.csv", b"hn\n\xfc\xfd\xfe\xdb")), "UTF-8 หรือ TIS-620", "neither UTF-8 nor TIS-620"
    )


def test_quotation_marks_that_do_not_match_name_the_line(tmp_path: Path) -> None:
    for content in (b'a,b\nc,"d\ne,f\n', b'a,b\nc,"d"e\n', b'a,b\nc,"' + b"d\n" * 100_000):
        assert says(refused(written(tmp_path / "a.csv", content)), "บรรทัดที่ 2", "from line 2 on")


# -- the reading process --------------------------------------------------------------------------------------------


def test_a_reader_that_needs_too_much_memory(tmp_path: Path) -> None:
    path = xlsx(
        tmp_path / "a.xlsx",
        {"dmht": sheet('<row r="1"><c r="A1" t="s"><v>0</v></c></row>')},
        xl__sharedStrings_xml=many(b"a", 200 * MB, b"<sst><si><t>", b"</t></si></sst>"),
    )

    assert says(refused(path), "ใช้หน่วยความจำเกิน 256 MB", "more than 256 MB of memory")


def test_one_long_text_in_very_many_cells(tmp_path: Path) -> None:
    cells = many(b'<row><c t="s"><v>0</v></c></row>', 20_000, SHEET_BEGIN, SHEET_END)
    path = xlsx(
        tmp_path / "a.xlsx",
        {"dmht": cells},
        xl__sharedStrings_xml=many(b"a", 20_000, b"<sst><si><t>", b"</t></si></sst>"),
    )
    limits = WorkbookSettings(max_unpacked_megabytes=8)

    assert says(refused(path, limits), "ใหญ่กว่า 8 MB", "more than 8 MB")


def slow_file(path: Path) -> Path:
    """Some seconds' work for any reader, however fast the machine."""
    return zip_of(path, ods_parts() | {"content.xml": many(b"<a/>", 80_000_000, b"<r>", b"</r>")})


def test_a_reader_that_takes_too_long(tmp_path: Path) -> None:
    sentence = refused(slow_file(tmp_path / "a.ods"), WorkbookSettings(read_seconds=1))

    assert says(sentence, "ไม่เสร็จภายใน 1 วินาที", "within 1 seconds")


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
def test_the_reading_process_ends_with_the_one_that_asked(tmp_path: Path, how: signal.Signals) -> None:
    program = (
        "import sys; from pathlib import Path; from extract.settings import WorkbookSettings;"
        "from extract.workbook.file import read_sheets; read_sheets(Path(sys.argv[1]), WorkbookSettings())"
    )
    command = [sys.executable, "-c", program, str(slow_file(tmp_path / "a.ods"))]
    parent = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[2])
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
    while not (child := children.read_text().split()):
        assert parent.poll() is None
        time.sleep(0.01)

    parent.send_signal(how)

    assert parent.wait() != 0
    # Its work takes longer than this patience.
    patience = time.monotonic() + 5
    while runs(child[0]) and time.monotonic() < patience:
        time.sleep(0.01)
    assert not runs(child[0])


def runs(process: str) -> bool:
    """Whether it does anything still; one that ended may be listed until somebody has asked how."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_no_word_of_a_cell_is_in_what_is_said_of_a_broken_sheet(tmp_path: Path) -> None:
    cells = '<row r="1"><c r="A1" t="inlineStr"><is><t>สมชาย</t></is></c><c r="B1" t="สมชาย"><v>สมชาย</v></c></row>'

    assert "สมชาย" not in refused(xlsx(tmp_path / "a.xlsx", {"dmht": sheet(cells)}))


# -- whatever comes -------------------------------------------------------------------------------------------------


def good_xlsx(folder: Path) -> bytes:
    return xlsx(folder / "good.xlsx").read_bytes()


def good_ods(folder: Path) -> bytes:
    return zip_of(folder / "good.ods", ods_parts()).read_bytes()


GOOD: dict[str, Callable[[Path], bytes]] = {"xlsx": good_xlsx, "ods": good_ods, "xls": lambda _: xls()}


@st.composite
def spoilt(draw: st.DrawFn, data: bytes) -> bytes:
    """Some bytes are others, and the end may be missing."""
    changed = bytearray(data)
    for _ in range(draw(st.integers(0, 8))):
        changed[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(changed[: draw(st.integers(1, len(data)) | st.just(len(data)))])


def look(data: bytes, named: str) -> None:
    with suppress(FileRefused):
        inspect_file(data, named, LIMITS)


FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("form", GOOD)
@FUZZ
@given(data=st.data())
def test_a_spoilt_file_passes_or_is_refused(tmp_path: Path, form: str, data: st.DataObject) -> None:
    look(data.draw(spoilt(GOOD[form](tmp_path))), f".{form}")


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/_rels/workbook.xml.rels"])
@FUZZ
@given(data=st.data())
def test_a_spoilt_part_of_an_xlsx_passes_or_is_refused(tmp_path: Path, part: str, data: st.DataObject) -> None:
    parts = xlsx_parts({"dmht": sheet(f'{ROWS}<row r="2"><c r="A2" t="e"><v>#N/A</v></c><c><f>1</f></c></row>')})
    parts[part] = data.draw(spoilt(str(parts[part]).encode()))

    look(zip_of(tmp_path / "a.xlsx", parts).read_bytes(), ".xlsx")


@FUZZ
@given(data=st.data())
def test_a_spoilt_content_of_an_ods_passes_or_is_refused(tmp_path: Path, data: st.DataObject) -> None:
    parts = ods_parts()
    parts["content.xml"] = data.draw(spoilt(str(parts["content.xml"]).encode()))

    look(zip_of(tmp_path / "a.ods", parts).read_bytes(), ".ods")


@pytest.mark.parametrize("form", [*GOOD, "csv"])
@settings(FUZZ, max_examples=FUZZ.max_examples // 10)
@given(data=st.data())
def test_a_spoilt_file_is_read_or_refused(tmp_path: Path, form: str, data: st.DataObject) -> None:
    good = GOOD[form](tmp_path) if form in GOOD else 'hn;"ก"\n1;2\n'.encode() * 5
    path = written(tmp_path / f"a.{form}", data.draw(spoilt(good)))
    try:
        read_sheets(path, TIGHT)
    except WorkbookError as error:
        assert path.name in error.message.th
