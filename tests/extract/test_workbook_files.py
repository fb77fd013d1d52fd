"""Good files: every form gives the cells as a person sees them, where a person sees them."""

import hashlib
import os
import shutil
import struct
import subprocess
import sys
from datetime import date, datetime, time, timedelta
from pathlib import Path
from xml.sax.saxutils import escape

import openpyxl
import pytest
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from workbook_files import (
    MAIN,
    ODS_TABLE,
    XML,
    error_cell,
    number_cell,
    ods_parts,
    record,
    sheet,
    text_cell,
    xls,
    xlsx,
    xlsx_parts,
    zip_of,
)

from extract.errors import WorkbookError
from extract.settings import WorkbookSettings
from extract.workbook.file import check_file, file_hash, read_sheets
from extract.workbook.rows import Broken, CellValue, RawSheet

ERROR, UNCALCULATED = Broken("error"), Broken("uncalculated")
LIMITS = WorkbookSettings()
# A cell knows no time zone.
MORNING, LEAP_DAY = datetime(2026, 10, 1, 8, 30), datetime(1980, 2, 29, 23, 59)  # noqa: DTZ001


def read(path: Path, limits: WorkbookSettings = LIMITS) -> tuple[RawSheet, ...]:
    return read_sheets(path, limits)


def rows(path: Path) -> list[list[CellValue]]:
    return [list(row) for row in read(path)[0].rows]


def csv(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


@pytest.fixture
def spreadsheet(tmp_path: Path) -> Path:
    """A workbook with every kind of cell, a hidden sheet, a chart sheet, and a used area that begins at C3."""
    book = openpyxl.Workbook()
    first = book.active
    assert first is not None
    first.title = "ตารางแรก"
    first["C3"] = "รายงานประจำเดือน"
    first.merge_cells("C3:F3")
    cells = [
        "0012",
        7,
        7.25,
        date(2026, 10, 1),
        MORNING,
        time(8, 30),
        timedelta(hours=30),
        " ก ข ",
    ]
    for column, value in enumerate(cells, 3):
        first.cell(5, column, value)
    first["I5"].number_format = "[h]:mm"
    first["K5"] = "#N/A"
    first["K5"].data_type = "e"
    for row in range(7, 10):
        first.cell(row, 4, row)
    first["C7"] = "คนเดียวกัน"
    first.merge_cells("C7:C10")
    hidden = book.create_sheet("ซ่อน")
    hidden.sheet_state = "hidden"
    hidden["A1"] = "x"
    book.create_sheet("ว่าง")
    path = tmp_path / "book.xlsx"
    book.save(path)
    return path


CELLS: list[list[CellValue]] = [
    [],
    [],
    [None, None, "รายงานประจำเดือน"],
    [],
    [None, None, "0012", 7.0, 7.25, date(2026, 10, 1), MORNING, time(8, 30), timedelta(hours=30),
     " ก ข ", ERROR],
    [],
    [None, None, "คนเดียวกัน", 7.0],
    [None, None, "คนเดียวกัน", 8.0],
    [None, None, "คนเดียวกัน", 9.0],
]  # fmt: skip


def saved_by_libreoffice(path: Path, form: str) -> Path:
    """The same workbook, opened and saved in another form."""
    program = shutil.which("soffice")
    if not program:
        if os.environ.get("CI"):
            pytest.fail("CI tests what LibreOffice saves, and it is not installed")
        pytest.skip("LibreOffice is not installed")
    folder, profile = path.parent / f"saved_{form}", f"-env:UserInstallation=file://{path.parent}/profile"
    subprocess.run(
        [program, profile, "--headless", "--convert-to", form, "--outdir", str(folder), str(path)],
        check=True,
        capture_output=True,
        timeout=240,
    )
    return folder / f"{path.stem}.{form}"


def test_cells_of_every_kind_come_as_they_are_and_where_they_stand(spreadsheet: Path) -> None:
    assert rows(spreadsheet) == CELLS


@pytest.mark.slow
@pytest.mark.parametrize("form", ["xlsx", "xls", "ods"])
def test_the_same_workbook_saved_by_libreoffice_gives_the_same_cells(spreadsheet: Path, form: str) -> None:
    saved = saved_by_libreoffice(spreadsheet, form)

    sheets = read(saved)

    assert [list(row) for row in sheets[0].rows] == CELLS
    assert [(s.name, s.visible) for s in sheets] == [("ตารางแรก", True), ("ซ่อน", False), ("ว่าง", True)]


@pytest.mark.slow
def test_a_formula_saved_by_libreoffice_gives_its_value_in_every_form(tmp_path: Path) -> None:
    formulas = ["1+1", "&quot;t&quot;", "1/0", "IF(1=1;&quot;&quot;;&quot;x&quot;)", "1=1"]
    cells = "".join(f'<table:table-cell table:formula="of:={f}"/>' for f in formulas)
    table = f'<table:table table:name="d"><table:table-row>{cells}</table:table-row></table:table>'
    made = zip_of(tmp_path / "made.ods", ods_parts(table))

    for form in ("xlsx", "xls", "ods"):
        assert rows(saved_by_libreoffice(made, form)) == [[2.0, "t", ERROR, None, True]]


def test_the_four_forms_give_the_same_cells(tmp_path: Path) -> None:
    (tmp_path / "a.xls").write_bytes(xls())

    assert rows(xlsx(tmp_path / "a.xlsx")) == [["hn", 7.0]]
    assert rows(zip_of(tmp_path / "a.ods", ods_parts())) == [["hn", 7.0]]
    assert rows(tmp_path / "a.xls") == [["hn", 7.0]]
    assert rows(csv(tmp_path / "a.csv", "hn,7\n")) == [["hn", "7"]]


def test_a_hidden_sheet_is_read_and_said_to_be_hidden(spreadsheet: Path) -> None:
    assert [(s.name, s.visible) for s in read(spreadsheet)] == [("ตารางแรก", True), ("ซ่อน", False), ("ว่าง", True)]


def test_a_very_hidden_sheet_is_hidden_too(tmp_path: Path) -> None:
    parts = xlsx_parts({"a": sheet(""), "b": sheet("")}, {"b": "veryHidden"})

    assert [s.visible for s in read(zip_of(tmp_path / "a.xlsx", parts))] == [True, False]


def test_a_sheet_that_is_a_chart_is_left_out_and_the_next_keeps_its_cells(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active["A1"] = 1
    book.create_chartsheet("chart")
    book.create_sheet("after")["A1"] = "#N/A"
    book["after"]["A1"].data_type = "e"
    book.save(tmp_path / "a.xlsx")

    assert [(s.name, s.rows) for s in read(tmp_path / "a.xlsx")] == [("Sheet", [(1.0,)]), ("after", [(ERROR,)])]


def test_dates_of_the_1904_system_are_the_days_a_person_sees(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.epoch = CALENDAR_MAC_1904
    assert book.active is not None
    book.active["A1"] = date(2026, 10, 1)
    book.active["B1"] = LEAP_DAY
    book.save(tmp_path / "a.xlsx")

    assert rows(tmp_path / "a.xlsx") == [[date(2026, 10, 1), LEAP_DAY]]


@pytest.mark.slow
def test_dates_of_the_1904_system_are_right_in_what_libreoffice_saves(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.epoch = CALENDAR_MAC_1904
    assert book.active is not None
    book.active["A1"] = date(2026, 10, 1)
    book.save(tmp_path / "a.xlsx")

    for form in ("xls", "ods"):
        assert rows(saved_by_libreoffice(tmp_path / "a.xlsx", form)) == [[date(2026, 10, 1)]]


def test_a_date_in_a_buddhist_year_stays_one(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active["A1"] = date(2569, 10, 1)
    book.save(tmp_path / "a.xlsx")

    assert rows(tmp_path / "a.xlsx") == [[date(2569, 10, 1)]]


# -- cells without a value ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ('<c r="A1" t="e"><v>#N/A</v></c>', ERROR),
        ("<c r='A1' t='e'><v>#DIV/0!</v></c>", ERROR),
        ('<c t="e" r="A1"><f>1/0</f><v>#DIV/0!</v></c>', ERROR),
        ('<c r="A1"><f>1+1</f></c>', UNCALCULATED),
        ('<c r="A1"><f>1+1</f><v/></c>', UNCALCULATED),
        ('<c r="A1"><f>1+1</f><v></v></c>', UNCALCULATED),
        ('<c r="A1">\n <f>1+1</f>\n <v>\n</v>\n</c>', UNCALCULATED),
        ('<c r="A1"><f t="shared" si="0"/></c>', UNCALCULATED),
        ('<c r="A1"><f>1+1</f><v>2</v></c>', 2.0),
        ('<c r="A1" t="str"><f>"t"</f><v>t</v></c>', "t"),
        ('<c r="A1" t="str"><f>IF(1=1,"","x")</f><v></v></c>', None),
        ('<c r="A1" t="b"><f>1=1</f><v>1</v></c>', True),
        ('<c r="A1" t="inlineStr"><is><t>#N/A</t></is></c>', "#N/A"),
        ('<c r="A1" s="0"/>', None),
    ],
)
def test_errors_and_uncalculated_formulas_are_told_from_empty_cells(
    tmp_path: Path, cell: str, value: CellValue
) -> None:
    path = xlsx(tmp_path / "a.xlsx", {"dmht": sheet(f'<row r="1">{cell}<c r="B1"><v>1</v></c></row>')})

    assert rows(path) == [[value, 1.0]]


def test_an_uncalculated_formula_beyond_all_other_cells_is_told(tmp_path: Path) -> None:
    cells = '<row r="1"><c r="A1"><v>1</v></c><c r="C1"><f>A1</f></c></row><row r="4"><c r="B4"><f>A1</f></c></row>'

    assert rows(xlsx(tmp_path / "a.xlsx", {"dmht": sheet(cells)})) == [
        [1.0, None, UNCALCULATED],
        [],
        [],
        [None, UNCALCULATED],
    ]


def test_cells_without_an_address_follow_one_another(tmp_path: Path) -> None:
    cells = (
        '<row><c><v>1</v></c><c t="e"><v>#N/A</v></c></row><row r="3"><c r="B3"><v>2</v></c><c><f>A1</f></c></row>'
        "<row><c><f>A1</f></c></row>"
    )

    assert rows(xlsx(tmp_path / "a.xlsx", {"dmht": sheet(cells)})) == [
        [1.0, ERROR],
        [],
        [None, 2.0, UNCALCULATED],
        [UNCALCULATED],
    ]


def test_a_sheet_whose_elements_have_a_prefix_is_read_alike(tmp_path: Path) -> None:
    cells = '<x:row r="1"><x:c r="A1" t="e"><x:v>#N/A</x:v></x:c><x:c r="B1"><x:f>A1</x:f></x:c></x:row>'
    text = f'{XML}<x:worksheet xmlns:x="{MAIN}"><x:sheetData>{cells}</x:sheetData></x:worksheet>'

    assert rows(xlsx(tmp_path / "a.xlsx", {"dmht": text})) == [[ERROR, UNCALCULATED]]


def test_marks_belong_to_the_sheet_that_the_workbook_names_whatever_its_part_is_called(tmp_path: Path) -> None:
    good, bad = (
        sheet('<row r="1"><c r="A1"><v>1</v></c></row>'),
        sheet('<row r="1"><c r="A1" t="e"><v>#N/A</v></c></row>'),
    )
    parts = xlsx_parts({"first": bad, "second": good})
    parts["xl/_rels/workbook.xml.rels"] = (
        str(parts["xl/_rels/workbook.xml.rels"])
        .replace("worksheets/sheet1.xml", "X")
        .replace("worksheets/sheet2.xml", "/xl/worksheets/sheet1.xml")
        .replace("X", "worksheets/sheet2.xml")
    )

    assert [(s.name, s.rows) for s in read(zip_of(tmp_path / "a.xlsx", parts))] == [
        ("first", [(1.0,)]),
        ("second", [(ERROR,)]),
    ]


# Excel's own Thai formats by their numbers, and codes with Thai letters; a number of baht is none.
THAI_FORMATS: dict[int, str] = dict.fromkeys(range(71, 82), "") | {
    200: "ว/ด/ปปปป", 201: "[$-107041E]ว ดดด ปปปป;@", 202: "ว ดดด ปป ช:นน", 203: "ชช:นน:ทท.00", 210: "#,##0 บาท", 211: "0 ป", 212: '0 "ว"', 213: "General",
}  # fmt: skip


def thai_styles(struck: bool = False) -> str:
    formats = "".join(
        f'<numFmt numFmtId="{number}" formatCode="{escape(code, {chr(34): "&quot;"})}"/>'
        for number, code in THAI_FORMATS.items()
        if code
    )
    fonts = "<fonts><font/><font><strike/></font></fonts>"
    xfs = "".join(f'<xf numFmtId="{number}" fontId="{int(struck)}"/>' for number in THAI_FORMATS)
    return f'<styleSheet xmlns="{MAIN}"><numFmts>{formats}</numFmts>{fonts}<cellXfs><xf fontId="0"/>{xfs}</cellXfs></styleSheet>'


def test_numbers_in_thai_formats_of_days_are_days(tmp_path: Path) -> None:
    cells = "".join(f'<c s="{n}"><v>46346</v></c>' for n in range(1, len(THAI_FORMATS) + 1))
    file = xlsx(tmp_path / "a.xlsx", {"dmht": sheet(f'<row r="1">{cells}</row>')}, xl__styles_xml=thai_styles())
    days = [date(2026, 11, 20)] * (len(THAI_FORMATS) - 4)
    assert rows(file) == [[*days, *[46346.0] * 4]]  # the first fifteen were 46346.0 too


def test_a_thai_format_shows_a_time_and_a_day_with_its_time(tmp_path: Path) -> None:
    cells = '<c s="5"><v>0.354166666666667</v></c><c s="7"><v>46346.5</v></c><c s="1" t="str"><v>ก</v></c><c s="1"><v>-1</v></c>'
    file = xlsx(tmp_path / "a.xlsx", {"dmht": sheet(f'<row r="1">{cells}</row>')}, xl__styles_xml=thai_styles())
    assert rows(file) == [[time(8, 30), datetime(2026, 11, 20, 12), "ก", -1.0]]  # noqa: DTZ001


def test_a_thai_format_is_known_in_the_1904_system(tmp_path: Path) -> None:
    parts = xlsx_parts({"dmht": sheet('<row r="1"><c s="1"><v>44884</v></c></row>')})
    book = str(parts["xl/workbook.xml"]).replace("<sheets>", '<workbookPr date1904="1"/><sheets>')
    file = zip_of(tmp_path / "a.xlsx", {**parts, "xl/workbook.xml": book, "xl/styles.xml": thai_styles()})
    assert rows(file) == [[date(2026, 11, 20)]]


def test_thai_formats_and_marks_of_an_xls(tmp_path: Path) -> None:
    font = [record(0x0031, struct.pack("<2H", 200, 8 if n == 5 else 0)) for n in range(6)]  # the sixth is numbered 6
    styles = [record(0x00E0, struct.pack("<2H", *of).ljust(20, b"\0")) for of in ((0, 0), (0, 71), (6, 0), (5, 200))]
    form = record(0x041E, struct.pack("<2HB", 200, 8, 1) + "ว/ด/ปปปป".encode("utf-16-le"))
    cells = [record(0x0203, struct.pack("<3Hd", row, style, style, 46346)) for row in range(2) for style in range(4)]
    many = record(
        0x00BD,
        struct.pack("<2H", 2, 0) + b"".join(struct.pack("<HI", style, 46346 << 2 | 2) for style in (1, 2)) + b"\1\0",
    )
    hidden = record(0x0208, struct.pack("<6HI", 1, 0, 4, 255, 0, 0, 0x20))
    (tmp_path / "a.xls").write_bytes(xls(hidden + b"".join(cells) + many, b"".join([*font, form, *styles])))

    (found,) = read(tmp_path / "a.xls")

    day = date(2026, 11, 20)
    assert [list(row) for row in found.rows] == [[46346.0, day, 46346.0, day]] * 2 + [[day, 46346.0]]
    assert (found.hidden, found.struck) == ({1}, {0: {2}, 1: {2}, 2: {1}})


def test_hidden_rows_and_struck_cells_of_an_xlsx_are_told(tmp_path: Path) -> None:
    text = "<is><t>ก</t></is></c>"
    lines = [
        f'<row r="1"><c r="A1" t="inlineStr">{text}<c r="B1" s="16" t="inlineStr">{text}<c r="C1" s="16"/></row>',
        f'<row r="3" hidden="1"><c r="A3" t="inlineStr">{text}</row>',
        '<row r="4" hidden="1"/>',
    ]
    styles = thai_styles(struck=True)
    (found,) = read(xlsx(tmp_path / "a.xlsx", {"dmht": sheet("".join(lines))}, xl__styles_xml=styles))
    assert (found.hidden, found.struck) == ({2}, {0: {1}})


def test_hidden_rows_and_struck_cells_of_an_ods_are_told(tmp_path: Path) -> None:
    struck = '<style:style style:name="ce1" style:family="table-cell"><style:text-properties style:text-line-through-style="solid"/></style:style>'
    cell = '<table:table-cell {}office:value-type="string"><text:p>ก</text:p></table:table-cell>'
    one, other = cell.format(""), cell.format('table:style-name="ce1" ')
    table = (
        f'<table:table table:name="dmht"><table:table-row>{one}{other}</table:table-row>'
        f'<table:table-row table:visibility="filter" table:number-rows-repeated="2">{one}</table:table-row>'
        f'<table:table-row table:visibility="collapse">{one}</table:table-row></table:table>'
    )
    parts = ods_parts(table)
    spaces = 'xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0"'
    styled = f"<office:automatic-styles {spaces}>{struck}</office:automatic-styles><office:body>"
    parts["content.xml"] = str(parts["content.xml"]).replace("<office:body>", styled)
    (found,) = read(zip_of(tmp_path / "a.ods", parts))
    assert (found.hidden, found.struck) == ({1, 2, 3}, {0: {1}})


def test_an_instant_in_a_date_cell_keeps_its_zone(tmp_path: Path) -> None:
    instants = ["2026-11-19T17:00:00.000Z", "2026-11-20T00:00:00+07:00"]
    cells = "".join(f'<c t="d"><v>{text}</v></c>' for text in instants)
    of_ods = "".join(f'<table:table-cell office:value-type="date" office:date-value="{text}"/>' for text in instants)
    table = f'<table:table table:name="dmht"><table:table-row>{of_ods}</table:table-row></table:table>'
    files = [
        xlsx(tmp_path / "a.xlsx", {"dmht": sheet(f'<row r="1">{cells}</row>')}),
        zip_of(tmp_path / "a.ods", ods_parts(table)),
        csv(tmp_path / "a.csv", ",".join(instants) + "\n"),
    ]
    assert [rows(file) for file in files] == [[instants]] * 3


def test_errors_are_told_from_empty_cells_in_an_xls(tmp_path: Path) -> None:
    cells = text_cell(0, 0, "a") + error_cell(2, 1) + number_cell(2, 2, 5)
    (tmp_path / "a.xls").write_bytes(xls(cells))

    assert rows(tmp_path / "a.xls") == [["a"], [], [None, ERROR, 5.0]]


def test_errors_and_uncalculated_formulas_are_told_from_empty_cells_in_an_ods(tmp_path: Path) -> None:
    table = (
        '<table:table table:name="d"><table:table-row table:number-rows-repeated="2"><table:table-cell/></table:table-row>'
        '<table:table-row><table:table-cell table:number-columns-repeated="2"/>'
        '<table:table-cell table:formula="of:=1/0" office:value-type="string" calcext:value-type="error"><text:p>#DIV/0!</text:p>'
        '</table:table-cell><table:table-cell table:formula="of:=1"/><table:table-cell table:formula="of:=B1"><text:p/>'
        '</table:table-cell><table:table-cell office:value-type="float" office:value="1"/></table:table-row></table:table>'
    )

    assert rows(zip_of(tmp_path / "a.ods", ods_parts(table))) == [
        [],
        [],
        [None, None, ERROR, UNCALCULATED, None, 1.0],
    ]


def test_the_empty_rest_of_a_sheet_costs_nothing(tmp_path: Path) -> None:
    rest = '<table:table-row table:number-rows-repeated="1048575"><table:table-cell table:number-columns-repeated="16384"/></table:table-row>'
    path = zip_of(tmp_path / "a.ods", ods_parts(ODS_TABLE.replace("</table:table>", f"{rest}</table:table>")))

    assert rows(path) == [["hn", 7.0]]


def test_formatted_cells_that_hold_nothing_do_not_count(tmp_path: Path) -> None:
    cells = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576" s="0"/></row>'

    assert rows(xlsx(tmp_path / "a.xlsx", {"dmht": sheet(cells)})) == [[1.0]]


def test_an_ordinary_hyperlink_does_no_harm(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active["A1"] = "link"
    book.active["A1"].hyperlink = "https://example.org/"
    book.save(tmp_path / "a.xlsx")

    assert rows(tmp_path / "a.xlsx") == [["link"]]


# -- csv ------------------------------------------------------------------------------------------------------------

PEOPLE: list[list[CellValue]] = [["hn", "ชื่อ"], ["0001", "ทดสอบ, ระบบ"], ["2", None, " x "]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "tis-620", "cp874", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_text_is_read_in_its_encoding_and_with_its_separator(tmp_path: Path, encoding: str, separator: str) -> None:
    text = 'hn|ชื่อ\r\n0001|"ทดสอบ, ระบบ"\r\n2|| x \r\n'.replace("|", separator)

    assert rows(csv(tmp_path / "a.csv", text, encoding)) == PEOPLE


def test_a_csv_sheet_is_named_as_its_file(tmp_path: Path) -> None:
    assert [(s.name, s.visible) for s in read(csv(tmp_path / "ต.ค. 2569.csv", "a,b"))] == [("ต.ค. 2569", True)]


def test_a_csv_value_written_as_a_formula_of_text_is_that_text(tmp_path: Path) -> None:
    text = '="691001-0471","=""000000471""",="",=1+1\n'
    assert rows(csv(tmp_path / "a.csv", text)) == [["691001-0471", "000000471", None, "=1+1"]]


def test_a_csv_value_may_have_several_lines_and_quotes(tmp_path: Path) -> None:
    assert rows(csv(tmp_path / "a.csv", 'a,"b ""c""\nd"\n\ne,f\n')) == [["a", 'b "c"\nd'], [], ["e", "f"]]


def test_a_first_line_that_says_the_separator_is_no_row(tmp_path: Path) -> None:
    assert rows(csv(tmp_path / "a.csv", "sep=;\r\na,b;c\r\n")) == [["a,b", "c"]]


def test_a_title_above_the_table_does_not_mislead_about_the_separator(tmp_path: Path) -> None:
    assert rows(csv(tmp_path / "a.csv", "รายงาน, ประจำเดือน\n\nhn;vn;pid\n1;2;3\n"))[2:] == [
        ["hn", "vn", "pid"],
        ["1", "2", "3"],
    ]


# -- names and hashes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("title", ["", "รายงาน, เดือน พ.ย.\n"])
def test_a_csv_separated_by_upright_strokes_is_said_to_be(tmp_path: Path, title: str) -> None:
    path = csv(tmp_path / "a.csv", title + "hn|vn|a|b|c|d\n1|2|3|4|5|6\n")  # it was a sheet without headings
    with pytest.raises(WorkbookError, match=r"ไฟล์ a\.csv คั่นคอลัมน์ด้วย \| .*separated by \|"):
        read(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("EPI.txt", "HOSPCODE|PID|SEQ\n10953|000001|1\n"), ("EPI.csv", "\ufeffHOSPCODE|PID|SEQ\n10953|000001|1\n"),
        ("a.csv", '"HOSPCODE"|"PID"\n'), ("F43_20261120_person.txt", "10953|1200000000015|000001\n"),
    ],
)  # fmt: skip
def test_a_text_file_of_the_43_files_is_named_as_that(tmp_path: Path, name: str, text: str) -> None:
    path = csv(tmp_path / name, text)  # it was no form that is read, or no sheet with headings
    for doing in (read, check_file):
        with pytest.raises(WorkbookError, match=r"เป็นแฟ้มข้อความของ 43 แฟ้ม .* is a text file of the 43 files"):
            doing(path)


def test_another_text_file_is_not_named_so(tmp_path: Path) -> None:
    for name, text in (("EPI.txt", "เข็มที่ 1\n"), ("notes.txt", "a|b\n")):
        with pytest.raises(WorkbookError, match="ไม่ใช่รูปแบบที่อ่านได้"):
            read(csv(tmp_path / name, text))


def test_a_table_wider_than_the_limit_is_said_to_be(tmp_path: Path) -> None:
    path = csv(
        tmp_path / "a.csv", ",".join("x" * 201) + "\n"
    )  # only its cell was named, and "delete what lies outside"
    with pytest.raises(WorkbookError, match=r"กว้างถึงช่อง GS1 .*200 คอลัมน์.* wider than the 200 columns"):
        read(path)


def test_what_a_file_holds_decides_and_not_its_name(tmp_path: Path) -> None:
    assert rows(xlsx(tmp_path / "really_xlsx.XLS")) == [["hn", 7.0]]
    assert rows(zip_of(tmp_path / "really_ods.xlsx", ods_parts())) == [["hn", 7.0]]


def test_the_hash_is_of_the_bytes_of_the_file(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", "a,b")

    assert file_hash(path) == hashlib.sha256(b"a,b").hexdigest()


def test_the_hash_of_a_file_that_is_not_there_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(WorkbookError, match=r"ไม่พบไฟล์ a\.xlsx .* / a\.xlsx is not there"):
        file_hash(tmp_path / "a.xlsx")


def test_reading_leaves_no_file(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "a.xlsx")

    read(path)

    assert [p.name for p in tmp_path.iterdir()] == ["a.xlsx"]


def test_the_reading_process_imports_nothing_heavy() -> None:
    program = "import extract.workbook.safe_open.reading_process, sys; assert not {'pandas', 'pydantic', 'numpy'} & set(sys.modules)"

    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])
