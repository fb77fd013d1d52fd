"""Sheets as officers fill them: headings found, rows understood, every cell that cannot be used named."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from openpyxl.utils.cell import get_column_letter
from sheet_builder import CHOICES, DAY, DOSE, LAB, VISIT, headings, line, moment, read, read_rows, rules, sheet

from extract.errors import WorkbookError
from extract.settings import WorkbookSettings
from extract.workbook.cells import spelling
from extract.workbook.headings import heading_of
from extract.workbook.layout import SheetName, layouts, outcome_columns
from extract.workbook.reader import read_workbook, understand
from extract.workbook.rows import CellValue, RawSheet, Row


def only(rows: tuple[Row, ...]) -> Row:
    (row,) = rows
    return row


def message_of(row: Row, column: str) -> str:
    return str(next(fault.message for fault in row.faults if fault.column == column))


def test_a_row_is_read_by_its_headings() -> None:
    row = only(read_rows("dmht", LAB))
    assert row.faults == ()
    assert row.values == {
        "vn": "691001083000",
        "hn": "000001234",
        "visit_date": date(2026, 10, 1),
        "visit_time": "08:30",
        "cid": "1990000000001",
        "title": "นาง",
        "fname": "สมหญิง",
        "lname": "ใจดี",
        "dob": date(1970, 2, 3),
        "sex": "2",
        "nation": "099",
        "marriage": "2",
        "occupa": "รับจ้าง",
        "scheme": "UCS",
        "closing_code": "EP0000000001",
        "dx1": "E119",
        "lab_code": "32401",
        "result": "7.2",
    }
    assert row.raw == {name: cell for name, cell in LAB.items() if cell is not None}
    assert (row.sheet, row.number, row.layout) == ("dmht", 2, "dmht")


def test_a_reading_keeps_the_file_and_its_sheets() -> None:
    raw = (sheet("dmht", LAB), sheet("epi", DOSE))
    reading = understand("เคลม.xlsx", "ab" * 32, raw, CHOICES, DAY)
    assert (reading.file_name, reading.file_hash, reading.raw) == ("เคลม.xlsx", "ab" * 32, raw)
    assert [(s.name, s.layout, s.header_row) for s in reading.sheets] == [("dmht", "dmht", 1), ("epi", "epi", 1)]
    assert [row.sheet for row in reading.rows] == ["dmht", "epi"]


def test_a_text_file_is_read_from_disk(tmp_path: Path) -> None:
    rows = [headings("dmht"), line("dmht", LAB | {"result": "7.2"})]
    path = tmp_path / "เคลม.csv"
    path.write_text("\n".join(",".join(f'"{cell or ""}"' for cell in row) for row in rows), encoding="utf-8")
    reading = read_workbook(path, WorkbookSettings(), CHOICES)
    assert only(reading.rows).values["result"] == "7.2"
    assert (reading.file_name, len(reading.file_hash)) == ("เคลม.csv", 64)


# Headings


@pytest.mark.parametrize("layout", layouts())
def test_every_heading_means_its_own_column(layout: str) -> None:
    for column in layouts()[layout].columns + outcome_columns():  # type: ignore[index]
        th, en = column.heading.th, column.heading.en
        for text in (column.name, th, en, f"{th} / {en}", f"{th}\n{en}", f"{th} *", f"* {en.upper()}", *column.also):
            assert heading_of(text) == column.name


def test_a_hint_in_brackets_behind_a_heading_does_no_harm() -> None:
    assert heading_of("วันเกิด (วว/ดด/ปปปป)") == "dob"
    assert heading_of("\u200bเลขประจำตัวประชาชน [13 หลัก]*") == "cid"
    assert heading_of("วันเกิดบิดา") is None


@pytest.mark.parametrize(
    ("column", "heading"),
    [
        ("dx1", "วินิจฉัยหลัก (ICD-10)"), ("dx2", "โรคร่วม (ICD 10) (ถ้ามี)"), ("dob", "วันเกิด (ว/ด/ป พ.ศ.)"), ("dob", "วันเกิด (เช่น 1/10/2569)"),
        ("dob", "วันเกิด (yyyy-mm-dd)"), ("visit_time", "เวลา (24 ชม.)"), ("visit_time", "เวลา (HH:MM)"), ("sex", "เพศ (1=ชาย, 2=หญิง)"),
        ("sex", "เพศ (ช/ญ)"), ("cid", "เลขบัตรประชาชน(13หลัก)"), ("cid", "เลขบัตรประชาชน (CID)"), ("visit_date", "วันที่รับบริการ（Visit date）"),
        ("vn", "VN (เลขที่รับบริการ)"), ("result", "ผล Lab (mg/dL)"), ("result", "ผลตรวจ (%)"), ("ga_week", "อายุครรภ์ (weeks)"),
        ("fname", "ชื่อ (ผู้ป่วย)"), ("closing_code", "รหัสปิดสิทธิ (EP)"), ("vaccine_code", "วัคซีน (รหัส/ชื่อ)"),
    ],
)  # fmt: skip
def test_words_of_form_behind_a_heading_are_dropped(column: str, heading: str) -> None:
    assert heading_of(heading) == column


OTHERS = [
    ("cid", "เลขบัตรประชาชน (มารดา)"), ("dob", "วันเกิด (มารดา)"), ("fname", "ชื่อ (ผู้ปกครอง)"), ("result", "ผลตรวจ (ครั้งก่อน)"),
    ("visit_date", "วันที่รับบริการ (ครั้งหน้า)"), ("result", "ผลตรวจ [ครั้งที่ 2]"), ("result", "ผลตรวจ (2568)"), ("hn", "HN（แม่）"),
    ("fname", "ชื่อ (ผู้ป่วย) (มารดา)"), ("dob", "วันเกิด (พ.ศ. ของบิดา)"), ("vaccine_code", "วัคซีน (เข็มก่อน)"),
]  # fmt: skip


@pytest.mark.parametrize(("column", "heading"), OTHERS)
def test_other_words_behind_a_heading_make_it_another_column(column: str, heading: str) -> None:
    """Its values were the row's: the mother's number, the result of the last time."""
    layout: SheetName = "epi" if column == "vaccine_code" else "dmht"
    row = DOSE if layout == "epi" else LAB
    assert heading_of(heading) is None
    beside = read(RawSheet("ข้อมูล", True, [[*headings(layout), heading], [*line(layout, row), "x"]]))
    assert (beside.sheets[0].surplus, only(beside.rows).faults) == ((heading,), ())

    column_heading = layouts()[layout].column(column).heading.th
    instead = [heading if cell == column_heading else cell for cell in headings(layout)]
    with pytest.raises(WorkbookError, match=re.escape(column_heading)) as caught:
        read(RawSheet("ข้อมูล", True, [instead, line(layout, row)]))
    address = f"{get_column_letter(instead.index(heading) + 1)}1"
    assert (
        f"“{heading}” ({address})" in caught.value.message.th and f"“{heading}” ({address})" in caught.value.message.en
    )


def test_a_sheet_whose_results_are_all_of_another_time_is_said_to_lack_them() -> None:
    names = [f"{cell} (ครั้งก่อน)" if cell in ("รายการตรวจ", "ผลตรวจ") else cell for cell in headings("dmht")]
    with pytest.raises(WorkbookError, match=r"ไม่มีคอลัมน์ที่จำเป็น: รายการตรวจ, ผลตรวจ"):
        read(RawSheet("ข้อมูล", True, [names, line("dmht", LAB)]))


REGISTERS = [
    ("visit_date", "ว/ด/ป ที่รับบริการ"),
    ("visit_date", "วันที่ให้บริการ"),
    ("cid", "เลขบัตรประจำตัวประชาชน"),
    ("cid", "เลขที่บัตรประชาชน"),
    ("dob", "ว/ด/ป เกิด"),
    ("dob", "วดป.เกิด"),
    ("vaccine_code", "ชนิดวัคซีน"),
    ("lot_number", "เลขที่ Lot"),
    ("expiration_date", "วันที่หมดอายุ"),
    ("provider_name", "ผู้ฉีดวัคซีน"),
    ("license_no", "เลขใบประกอบฯ"),
    ("lab_code", "แล็บ"),
    ("result", "ผล Lab"),
    ("dx1", "รหัส ICD-10"),
]


@pytest.mark.parametrize(("column", "heading"), REGISTERS)
def test_the_headings_of_paper_registers_are_known(column: str, heading: str) -> None:
    assert heading_of(heading) == column


def test_headings_may_be_field_names_in_another_order() -> None:
    names = list(reversed([column.name for column in layouts()["dmht"].columns]))
    raw = RawSheet("ข้อมูล", True, [names, [LAB.get(name) for name in names]])
    assert only(read(raw).rows).faults == ()


def test_headings_stand_beneath_titles_and_above_field_names() -> None:
    names = [column.name for column in layouts()["dmht"].columns]
    rows = [["รายงานผู้ป่วยเบาหวาน", None], [], headings("dmht"), names, line("dmht", LAB)]
    reading = read(RawSheet("ข้อมูล", True, rows))
    (found,) = reading.sheets
    assert (found.header_row, found.notes) == (3, 1)
    assert only(reading.rows).number == 5


def test_a_field_name_beneath_speaks_where_a_heading_was_renamed() -> None:
    renamed = [None if cell == "ผลตรวจ" else cell for cell in headings("dmht")]
    names = [column.name for column in layouts()["dmht"].columns]
    assert only(read(RawSheet("ข้อมูล", True, [renamed, names, line("dmht", LAB)])).rows).values["result"] == "7.2"


def test_columns_that_are_not_of_the_sheet_are_named_and_left_alone() -> None:
    rows = [[*headings("dmht"), "หมายเหตุ", None, "ผู้บันทึก"], [*line("dmht", LAB), "โทรตาม", None, "พยาบาล"]]
    reading = read(RawSheet("ข้อมูล", True, rows))
    assert reading.sheets[0].surplus == ("หมายเหตุ", "ผู้บันทึก")
    assert only(reading.rows).faults == ()


def test_columns_that_may_be_left_out_are_told() -> None:
    kept = [c.name for c in layouts()["dmht"].columns if c.needed]
    reading = read(RawSheet("ข้อมูล", True, [kept, [LAB.get(name) for name in kept]]))
    assert set(reading.sheets[0].missing) == {c.name for c in layouts()["dmht"].columns if not c.needed}
    assert only(reading.rows).faults == ()


def test_a_column_that_is_needed_and_not_there_refuses_the_workbook() -> None:
    kept = [c.name for c in layouts()["dmht"].columns if c.name not in ("dob", "visit_time")]
    with pytest.raises(WorkbookError, match=r"แผ่นงาน ข้อมูล .*เวลารับบริการ, วันเกิด") as caught:
        read(RawSheet("ข้อมูล", True, [kept, [LAB.get(name) for name in kept]]))
    assert "Visit time, Date of birth" in caught.value.message.en


def test_two_columns_of_one_heading_refuse_the_workbook() -> None:
    rows = [[*headings("dmht"), "Name"], [*line("dmht", LAB), "x"]]
    place = [c.name for c in layouts()["dmht"].columns].index("fname")
    assert place == 6
    with pytest.raises(WorkbookError, match="“ชื่อ” ที่ช่อง G1 และ “Name” ที่ช่อง W1") as caught:
        read(RawSheet("ข้อมูล", True, rows))
    assert "“ชื่อ” at G1 and “Name” at W1" in caught.value.message.en


FULL_NAMES = (
    "ชื่อ-สกุล", "ชื่อ-นามสกุล", "ชื่อ สกุล", "ชื่อ - สกุล", "ชื่อ–สกุล (ผู้ป่วย)", "ชื่อสกุล", "ชื่อ/นามสกุล", "ชื่อ\nนามสกุล", "Full Name", "fullname",
    "Name-Surname",
)  # fmt: skip


@pytest.mark.parametrize("heading", FULL_NAMES)
@pytest.mark.parametrize("without", [{"fname", "lname"}, {"fname"}, {"lname"}])
def test_a_column_of_full_names_in_place_of_two_refuses_the_workbook_and_says_to_split_it(
    heading: str, without: set[str]
) -> None:
    kept = [c.name for c in layouts()["dmht"].columns if c.name not in without]
    rows = [["รายงาน"], [heading, *kept], ["สมหญิง ใจดี", *(LAB.get(name) for name in kept)]]
    with pytest.raises(WorkbookError) as caught:
        read(RawSheet("ข้อมูล", True, rows))
    said, quoted = caught.value.message, f"“{' '.join(heading.split())}”"
    assert said.th.startswith(
        f"แผ่นงาน ข้อมูล มีทั้งชื่อและนามสกุลอยู่ในคอลัมน์เดียว คือ {quoted} ที่ช่อง A2 กรุณาแยกเป็นสองคอลัมน์ คือ ชื่อ และ นามสกุล"
    )
    assert f"{quoted} at A2" in said.en
    assert "สมหญิง" not in str(said)


@pytest.mark.parametrize("heading", FULL_NAMES)
def test_a_column_of_full_names_beside_both_others_is_left_alone(heading: str) -> None:
    rows = [[heading, *headings("dmht"), heading], ["สมหญิง ใจดี", *line("dmht", LAB), "สมหญิง ใจดี"]]
    reading = read(RawSheet("ข้อมูล", True, rows))
    assert reading.sheets[0].surplus == (" ".join(heading.split()),) * 2
    assert only(reading.rows).values["lname"] == "ใจดี"


def test_a_heading_of_full_names_above_both_others_does_no_harm() -> None:
    above = ["ชื่อ-สกุล" if cell == "ชื่อ" else None if cell == "นามสกุล" else cell for cell in headings("dmht")]
    beneath = [cell if cell in ("ชื่อ", "นามสกุล") else None for cell in headings("dmht")]
    reading = read(RawSheet("ข้อมูล", True, [above, beneath, line("dmht", LAB)]))
    assert only(reading.rows).faults == ()
    assert (only(reading.rows).values["lname"], reading.sheets[0].surplus) == ("ใจดี", ())


def test_lab_results_and_vaccines_on_one_sheet_refuse_the_workbook() -> None:
    with pytest.raises(WorkbookError, match="แยกเป็นคนละแผ่นงาน"):
        read(RawSheet("ข้อมูล", True, [[*headings("dmht"), "วัคซีน"], line("dmht", LAB)]))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("dT", "dt"), ("วัคซีน dT 2569", "dt"), ("D_T", "dt"), ("EPI", "epi"), ("Sheet1", "epi"), ("DTP", "epi")],
)
def test_a_sheet_of_vaccines_is_of_dt_where_its_name_says_so(name: str, kind: str) -> None:
    assert only(read(sheet("dt", DOSE | {"vaccine_code": "106"}, name=name)).rows).layout == kind


def test_a_sheet_with_numbers_of_a_pregnancy_is_of_epi() -> None:
    row = only(read(sheet("epi", DOSE | {"vaccine_code": "P41", "gravida": 2.0}, name="dT")).rows)
    assert (row.layout, row.values["gravida"]) == ("epi", "2")


# Rows that are none


def test_notes_totals_examples_and_repeated_headings_are_no_rows() -> None:
    rows = [
        ["รายงาน", None, None],
        headings("dmht"),
        line("dmht", LAB | {"vn": "ตัวอย่าง 1"}),
        line("dmht", LAB),
        headings("dmht"),
        [],
        [None, "", "  "],
        ["รวม 1 ราย", None, None, None, 1.0],
        ["หมายเหตุ: ตรวจแล้ว"],
    ]
    reading = read(RawSheet("ข้อมูล", True, rows))
    assert [row.number for row in reading.rows] == [4]
    assert (reading.sheets[0].notes, reading.sheets[0].doubtful) == (5, (8,))


def test_a_second_table_with_other_headings_refuses_the_workbook_whichever_has_more() -> None:
    one, other = headings("epi"), headings("epi")
    first, last = other.index("ชื่อ"), other.index("นามสกุล")
    other[first], other[last] = other[last], other[first]
    fewer = [None if heading == "ผู้ผลิต" else heading for heading in one]
    for upper, lower in ((one, other), (one, fewer), (fewer, one)):
        rows = [upper, line("epi", DOSE), ["ห้อง ป.2"], lower, line("epi", DOSE | {"vn": "2"})]
        with pytest.raises(WorkbookError, match=r"แผ่นงาน ป\.1 มีสองตารางที่หัวคอลัมน์ไม่เหมือนกัน คือแถว 1 และแถว 4") as caught:
            read(RawSheet("ป.1", True, rows))
        assert "in rows 1 and 4: put them on sheets of their own" in caught.value.message.en
        assert "ป.1" not in caught.value.discreet.th


@pytest.mark.parametrize(("column", "day", "rule"), [
    ("given_date", moment(2037, 1, 1), "cell.date_future"), ("visit_date", moment(2037, 1, 1), "cell.date_future"),
    ("visit_date", moment(2011, 1, 1), "cell.date_too_early"),
])  # fmt: skip
def test_what_has_not_happened_yet_is_refused(column: str, day: CellValue, rule: str) -> None:
    row = only(read_rows("epi", DOSE | {column: day, "given_time": "09:00"}))
    assert rules(row) == {column: rule}


def test_a_row_of_a_known_test_is_data_however_little_it_holds() -> None:
    first, merged = read_rows("dmht", LAB, {"lab_code": "Potassium", "result": 4.1})
    assert first.faults == ()
    assert (merged.number, merged.values) == (3, {"lab_code": "32103", "result": "4.1"})
    assert rules(merged) == {"vn": "cell.empty"}


def test_a_row_of_a_known_vaccine_is_data_however_little_it_holds() -> None:
    assert rules(only(read_rows("epi", {"vaccine_code": "041"}))) == {"vn": "cell.empty"}


@pytest.mark.parametrize("vn", ["ตัวอย่าง", "ตัวอย่าง 1", "ตัวอย่าง12", " ตัวอย่าง ๒ "])
def test_an_example_is_neither_data_nor_doubtful(vn: str) -> None:
    reading = read(sheet("dmht", LAB | {"vn": vn}))
    assert (reading.rows, reading.sheets[0].notes, reading.sheets[0].doubtful) == ((), 1, ())


@pytest.mark.parametrize("vn", ["ตัวอย่างจริง 1", "ตัวอย่าง 1 ก", "ตัวอย่าง-1"])
def test_a_visit_number_that_only_begins_as_an_example_is_data(vn: str) -> None:
    assert only(read_rows("dmht", LAB | {"vn": vn})).faults == ()


@pytest.mark.parametrize(
    "cells",
    [
        {"vn": "691001083001", "fname": "สมหญิง"}, {"vn": 7.0}, {"cid": "1990000000001"}, {"cid": 1990000000001.0, "result": 4.1},
        {"lab_code": "โปแทส", "result": 4.1},
    ],
)  # fmt: skip
def test_a_row_taken_for_none_that_names_a_visit_person_or_test_is_doubtful(cells: Mapping[str, CellValue]) -> None:
    reading = read(sheet("dmht", LAB, cells))
    assert (len(reading.rows), reading.sheets[0].notes, reading.sheets[0].doubtful) == (1, 1, (3,))


def test_notes_in_words_headings_and_dashes_are_not_doubtful() -> None:
    notes = ["หมายเหตุ: ผู้ป่วยทุกรายยืนยันตัวตนแล้ว", "ลงชื่อ ................", "x1 " * 40]
    rows = [headings("dmht"), line("dmht", LAB), headings("dmht"), *([note] for note in notes), ["-"] * 22]
    found = read(RawSheet("ข้อมูล", True, rows)).sheets[0]
    assert (found.notes, found.doubtful) == (5, ())


def test_doubtful_rows_are_named_up_to_twenty() -> None:
    found = read(sheet("dmht", LAB, *({"vn": f"69{n}"} for n in range(30)))).sheets[0]
    assert (found.notes, found.doubtful) == (30, tuple(range(3, 23)))


def test_a_row_that_only_names_visit_and_test_is_a_row() -> None:
    reading = read(sheet("dmht", {"vn": "1", "lab_code": "HbA1c"}))
    assert rules(only(reading.rows))["result"] == "cell.empty"


def test_a_sheet_may_be_empty_beneath_its_headings() -> None:
    reading = read(sheet("dmht"))
    assert (reading.rows, len(reading.sheets)) == ((), 1)


# Sheets that are none


def test_sheets_without_headings_hidden_ones_and_results_are_left_out_and_named() -> None:
    result = RawSheet("ผลการส่ง", True, [[*headings("dmht"), "outcome"], line("dmht", LAB)])
    others = (
        RawSheet("คำอธิบาย", True, [["วิธีกรอก"]]),
        replace(sheet("epi", DOSE), name="ซ่อน", visible=False),
        RawSheet("Sheet3", True, []),
        result,
    )
    reading = read(sheet("dmht", LAB), *others)
    assert [s.name for s in reading.sheets] == ["dmht"]
    said = [message.th for message in reading.left_out]
    assert [name for text in said for name in ("คำอธิบาย", "ซ่อน", "ผลการส่ง", "Sheet3") if f"แผ่นงาน {name} " in text] == [
        "คำอธิบาย",
        "ซ่อน",
        "ผลการส่ง",
    ]
    assert "สำหรับแก้ไข" in said[2]


def test_a_sheet_for_mending_with_its_reasons_is_read() -> None:
    rows = [[*headings("dmht"), "เหตุผลและสิ่งที่ต้องทำ"], [*line("dmht", LAB), "แก้ผล"]]
    reading = read(RawSheet("แก้ไข", True, rows))
    assert (len(reading.rows), reading.sheets[0].surplus) == (1, ())


def test_a_table_with_a_column_for_each_test_is_refused_as_wide() -> None:
    """It was "no sheet with headings"."""
    names = ["HbA1c" if cell == "รายการตรวจ" else "Cr" if cell == "ผลตรวจ" else cell for cell in headings("dmht")]
    wide = RawSheet("กว้าง", True, [["รายงาน"], names, line("dmht", LAB | {"lab_code": 7.2, "result": 0.9})])
    with pytest.raises(WorkbookError, match=r"ตารางแนวกว้าง .*“HbA1c” P2, “Cr” Q2") as caught:
        read(wide)
    assert "is a wide table" in caught.value.message.en
    reading = read(wide, sheet("dmht", LAB))
    assert [len(reading.rows), "ตารางแนวกว้าง" in reading.left_out[0].th] == [1, True]


@pytest.mark.parametrize(
    ("heading", "state"),
    [
        ("สถานะ", "ยกเลิก"), ("สถานะ", "ผู้ป่วยขอยกเลิก"), ("Status", "Cancelled"), ("หมายเหตุ", "ยกเลิก ไม่มาตามนัด"), (None, "ยกเลิก"),
        ("ยกเลิก", "x"), ("ยกเลิก", True), ("วันที่ยกเลิก", moment(2026, 10, 2)), ("visit status", "VOID"),
    ],
)  # fmt: skip
def test_a_row_that_says_it_is_cancelled_is_held_back_and_named(heading: CellValue, state: CellValue) -> None:
    """It was sent."""
    rows = [[*headings("dmht"), heading], [*line("dmht", LAB), None], [*line("dmht", LAB | {"vn": "2"}), state]]
    one, other = read(RawSheet("ข้อมูล", True, rows)).rows
    assert (one.faults, rules(other)) == ((), {"lab_code": "row.cancelled"})
    assert "ช่อง W3" in message_of(other, "lab_code") and "lab_code" not in other.values


@pytest.mark.parametrize(
    ("heading", "state"),
    [
        ("สถานะ", "ส่งแล้ว"), ("สถานะ", "ไม่ยกเลิก"), ("หมายเหตุ", "นัดใหม่เพราะครั้งก่อนยกเลิก"), ("ยกเลิก", "ไม่"), ("ยกเลิก", "-"), ("ยกเลิก", 0.0),
        ("ยกเลิก", False), ("ชื่อวัคซีนเดิม", "x"),
    ],
)  # fmt: skip
def test_a_row_that_says_it_is_not_cancelled_counts(heading: str, state: CellValue) -> None:
    rows = [[*headings("dmht"), heading], [*line("dmht", LAB), state]]
    assert only(read(RawSheet("ข้อมูล", True, rows)).rows).faults == ()


def test_a_struck_through_row_is_held_back_and_named() -> None:
    """It was sent."""
    raw = RawSheet(
        "ข้อมูล",
        True,
        [*sheet("dmht", LAB, LAB | {"vn": "2"}).rows, ["หมายเหตุ"]],
        struck={2: frozenset({3, 4}), 1: frozenset({40})},
    )
    one, other = read(raw).rows
    assert (one.faults, rules(other)) == ((), {"lab_code": "row.struck"})
    assert "ช่อง D3" in message_of(other, "lab_code")


def test_hidden_rows_are_left_out_and_named_by_their_numbers() -> None:
    """They were sent without a word."""
    lines = sheet("dmht", *(LAB | {"vn": str(n)} for n in range(6))).rows
    reading = read(RawSheet("ข้อมูล", True, [*lines, ["จบ"]], hidden=frozenset({2, 3, 4, 6, 7})))
    assert [row.number for row in reading.rows] == [2, 6]
    assert [message.th for message in reading.left_out] == [
        "ไม่ได้อ่านแถว 3–5, 7 ของแผ่นงาน ข้อมูล เพราะถูกซ่อนหรือกรองไว้ หากต้องการให้อ่านกรุณายกเลิกการซ่อนและตัวกรอง"
    ]


def test_a_hidden_row_of_a_visit_that_is_seen_holds_it_back() -> None:
    """Creatinine would go without the potassium that is hidden, and that could then never be claimed."""
    first, second = (
        LAB | {"dx1": "I10", "lab_code": "Cr", "result": 0.9},
        {"vn": LAB["vn"], "lab_code": "K", "result": 4.1},
    )
    one, other = read(replace(sheet("dmht", first, second), hidden=frozenset({2}))).rows
    assert (one.faults, rules(other)) == ((), {"lab_code": "row.hidden"})


def test_a_workbook_without_any_sheet_of_claims_is_refused() -> None:
    with pytest.raises(WorkbookError, match="ไม่มีแผ่นงานที่มีหัวคอลัมน์"):
        read(RawSheet("Sheet1", True, [["a", "b"]]), replace(sheet("dmht", LAB), visible=False))


def test_a_workbook_of_results_alone_is_refused_as_that() -> None:
    with pytest.raises(WorkbookError, match="เฉพาะผลการนำเข้าครั้งก่อน"):
        read(RawSheet("ผลการส่ง", True, [[*headings("dmht"), "outcome"], line("dmht", LAB)]))


# Cells


def test_a_fault_names_sheet_cell_and_heading_and_not_the_value() -> None:
    row = only(read_rows("dmht", LAB | {"cid": 1.23, "dob": "1/10/69"}))
    assert rules(row) == {"cid": "cell.cid_mangled", "dob": "cell.date_two_digit_year"}
    assert not {"cid", "dob"} & row.values.keys()
    assert {"cid", "dob"} <= row.raw.keys()
    fault = row.faults[0]
    assert fault.address == "E2"
    assert fault.message.th.startswith("แผ่นงาน dmht ช่อง E2 (เลขประจำตัวประชาชน): ")
    assert fault.message.en.startswith("Sheet dmht, cell E2 (Identity number): ")
    assert "1.23" not in str(fault.message)
    assert "“1/10/69”" in message_of(row, "dob")


@pytest.mark.parametrize("written", ["dT", "ดีที", "คอตีบ-บาดทะยัก", "วัคซีน dT", "dT ผู้ใหญ่"])
def test_the_booster_is_known_by_the_name_everybody_gives_it(written: str) -> None:
    row = only(read_rows("dt", DOSE | {"vaccine_code": written}))
    assert (row.faults, row.values["vaccine_code"]) == ((), "106")


@pytest.mark.parametrize(("layout", "offered"), [("dt", "ดีทีผู้ใหญ่ (106)"), ("epi", "บีซีจี (010)")])
def test_in_place_of_an_unknown_vaccine_the_sheets_own_are_offered(layout: SheetName, offered: str) -> None:
    assert f"เช่น {offered}" in message_of(only(read_rows(layout, DOSE | {"vaccine_code": "xyz"})), "vaccine_code")


def test_a_cell_that_is_needed_and_empty_is_a_fault() -> None:
    row = only(read_rows("dmht", LAB | {"lname": None, "marriage": None, "dx1": " "}))
    assert rules(row) == {"lname": "cell.empty", "dx1": "cell.empty"}


def test_true_is_no_number_and_a_number_no_true() -> None:
    rows = read_rows(
        "epi", DOSE | {"antenatal": True, "ga_week": 1.0}, DOSE | {"vn": "2", "antenatal": 1.0, "ga_week": True}
    )
    assert rows[0].values["antenatal"] == rows[1].values["antenatal"] == "1"
    assert rules(rows[1]) == {"ga_week": "cell.true_false"}


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("1/11/2569", "cell.date_future"),
        (moment(2019, 12, 31), "cell.date_too_early"),
        ("1/10/2526", "cell.date_too_early"),
    ],
)
def test_a_visit_in_the_future_or_long_ago_is_a_fault(value: CellValue, why: str) -> None:
    assert rules(only(read_rows("dmht", LAB | {"visit_date": value}))) == {"visit_date": why}


def test_a_date_with_its_month_first_makes_others_doubtful_that_may_be_so() -> None:
    dates = {"visit_date": "10/02/2026 08:30", "dob": "01/31/1970"}
    first, second, third = read_rows(
        "dmht",
        LAB | dates,
        LAB | {"vn": "2", "dob": "03/03/1970"},
        LAB | {"vn": "3", "visit_date": moment(2026, 10, 2)},
    )
    assert rules(first) == {"visit_date": "cell.date_order", "dob": "cell.date_month_first"}
    assert rules(second) == {"visit_date": "cell.date_order"}  # 1/10/2569
    assert "I2" in message_of(second, "visit_date")
    assert rules(third) == {"dob": "cell.date_order"}
    assert rules(only(read_rows("dmht", LAB))) == {}


def test_a_date_with_its_month_first_says_nothing_of_other_sheets() -> None:
    rows = read(sheet("dmht", LAB | {"dob": "01/31/1970"}), sheet("epi", DOSE | {"vn": "2"})).rows
    assert rules(rows[1]) == {}


def test_a_visit_of_today_is_read() -> None:
    assert only(read_rows("dmht", LAB | {"visit_date": "31/10/2569"})).faults == ()


def test_a_birth_in_the_future_is_left_to_the_rules() -> None:
    assert only(read_rows("dmht", LAB | {"dob": "1/10/2600"})).values["dob"] == date(2057, 10, 1)


# Rows of one visit


def test_a_person_need_be_typed_once_a_visit() -> None:
    short: Mapping[str, CellValue] = {"vn": LAB["vn"], "lab_code": "32202", "result": "0.9"}
    before, full, after = read_rows("dmht", short, LAB, short | {"lab_code": "32103", "result": "4.1"})
    assert before.faults == full.faults == after.faults == ()
    assert before.values == full.values | {"lab_code": "32202", "result": "0.9"}
    assert set(after.raw) == {"vn", "lab_code", "result"}


def test_a_person_may_be_typed_on_another_sheet() -> None:
    short: Mapping[str, CellValue] = {name: cell for name, cell in DOSE.items() if name not in VISIT} | {
        "vn": LAB["vn"]
    }
    reading = read(sheet("dmht", LAB), sheet("epi", short))
    assert [row.faults for row in reading.rows] == [(), ()]
    assert reading.rows[1].values["fname"] == "สมหญิง"
    assert reading.rows[1].values["dx1"] == "E119"


def test_what_a_row_says_of_its_own_is_not_copied() -> None:
    _, other = read_rows("epi", DOSE, {"vn": DOSE["vn"], "vaccine_code": "010"})
    assert set(rules(other)) == {"lot_number", "expiration_date", "provider_name", "license_no"}


DITTO = ('"', "”", "〃", "''", "เดิม", "เหมือนเดิม", "-do-", "Ditto", '-"-', "\u200b〃 ")


@pytest.mark.parametrize("mark", DITTO)
def test_a_ditto_mark_repeats_the_cell_above(mark: str) -> None:
    """Creatinine alone was sent: the potassium beneath was a visit of its own."""
    first = LAB | {"dx1": "I10", "lab_code": "Cr", "result": 0.9}
    again = dict.fromkeys(VISIT, mark) | {"dx1": mark, "lab_code": "K", "result": 4.1}
    one, other, third = read_rows("dmht", first, again, dict.fromkeys(again, mark) | {"lab_code": "HbA1c"})
    assert (one.faults, other.faults, third.faults) == ((), (), ())
    assert {**one.values, "lab_code": "32103", "result": "4.1"} == other.values
    assert third.values["result"] == "4.1"


def test_a_ditto_mark_is_read_as_what_it_repeats() -> None:
    row = LAB | {"visit_date": moment(2026, 10, 1)}
    births = ("10/25/2513", "〃", "3/2/2513", "〃", "-", "〃")
    rows = read_rows("dmht", *(row | {"vn": str(n), "dob": birth} for n, birth in enumerate(births)))
    why = [rules(row).get("dob") for row in rows]
    assert why == [*["cell.date_month_first"] * 2, *["cell.date_order"] * 2, *["cell.empty"] * 2]


@pytest.mark.parametrize("mark", DITTO)
def test_a_ditto_mark_that_repeats_nothing_is_refused(mark: str) -> None:
    """In the first row, beneath a blank row or a note; it was the lot, the date, the name."""
    row = line("epi", DOSE | {"lot_number": mark})
    found = read(RawSheet("epi", True, [headings("epi"), row, [], row, ["จบหน้า"], row, row])).rows
    assert [rules(row)["lot_number"] for row in found] == ["cell.ditto"] * 4


def test_blank_cells_beneath_a_row_are_not_taken_for_what_is_above() -> None:
    one, other = read_rows("dmht", LAB, {"lab_code": "Cr", "result": 0.9})
    assert (rules(one), rules(other)) == ({}, {"vn": "cell.empty"})


def test_the_later_of_two_rows_that_disagree_about_a_visit_is_a_fault() -> None:
    other = LAB | {"lab_code": "32202", "result": "0.9", "lname": "ใจร้าย", "dx2": "I10"}
    first, later = read_rows("dmht", LAB, other)
    assert first.faults == ()
    assert first.values["dx2"] == "I10"
    assert rules(later) == {"lname": "cell.differs"}
    assert "lname" not in later.values
    assert "แถวที่ 2 ของแผ่นงาน dmht" in message_of(later, "lname")
    assert "ใจร้าย" not in message_of(later, "lname")


def test_spellings_of_the_same_do_not_disagree() -> None:
    one = LAB | {"dx2": "I10, E785"}
    other = LAB | {
        "lab_code": "32202",
        "result": "0.9",
        "visit_date": moment(2026, 10, 1),
        "sex": 2.0,
        "dx2": "E78.5;I10",
    }
    assert [row.faults for row in read_rows("dmht", one, other)] == [(), ()]


def test_a_row_that_repeats_an_earlier_one_is_harmless_and_told() -> None:
    first, later = read_rows("dmht", LAB, {"vn": LAB["vn"], "lab_code": 32401.0, "result": "7.2"})
    assert (first.repeats, first.faults) == (None, ())
    assert later.repeats == ("dmht", 2)
    assert rules(later) == {"lab_code": "row.repeated"}


def test_a_dose_repeated_on_the_other_sheet_of_vaccines_is_harmless() -> None:
    reading = read(sheet("epi", DOSE | {"gravida": "1"}, name="EPI"), sheet("dt", DOSE, name="dT"))
    assert [row.repeats for row in reading.rows] == [None, ("EPI", 2)]


def test_a_row_of_the_same_test_with_another_result_is_a_fault() -> None:
    first, later = read_rows("dmht", LAB, LAB | {"result": 8.4})
    assert first.faults == ()
    assert later.repeats is None
    assert rules(later) == {"lab_code": "row.contradicts"}
    assert later.values["lab_code"] == "32401"
    assert "แถวที่ 2" in message_of(later, "lab_code")


def test_a_row_that_repeats_another_persons_is_a_fault() -> None:
    _, later = read_rows("dmht", LAB, LAB | {"cid": "1990000000019"})
    assert later.repeats is None
    assert rules(later) == {"cid": "cell.differs", "lab_code": "row.contradicts"}


def test_the_same_test_at_two_visits_is_no_repetition() -> None:
    assert [row.faults for row in read_rows("dmht", LAB, LAB | {"vn": "2"})] == [(), ()]


def test_rows_without_a_visit_number_are_strangers() -> None:
    one, other = read_rows("dmht", LAB | {"vn": None, "lname": "ใจร้าย"}, LAB | {"vn": 7.0})
    assert rules(one) == {"vn": "cell.empty"}
    assert rules(other) == {"vn": "cell.code_number"}


def test_of_a_row_without_a_visit_number_it_is_not_said_what_else_is_empty() -> None:
    short: dict[str, CellValue] = {"lab_code": "HbA1c", "dob": "1/10/69"}
    numbers: dict[CellValue, str] = {None: "cell.empty", "-": "cell.empty", 7.0: "cell.code_number"}
    for vn, why in numbers.items():
        assert rules(only(read_rows("dmht", short | {"vn": vn}))) == {"vn": why, "dob": "cell.date_two_digit_year"}


def test_a_cell_has_one_fault_at_most() -> None:
    other = LAB | {"cid": 1.23, "dob": "1/10/69", "lname": "ใจร้าย", "sex": "?", "hn": "-", "result": None}
    for row in read_rows("dmht", LAB, other, other | {"vn": "-"}, {"lab_code": "K"}):
        addresses = [fault.address for fault in row.faults]
        assert len(addresses) == len(set(addresses))


def test_rows_of_any_width_are_read() -> None:
    rows = [headings("dmht"), line("dmht", LAB)[:17], [*line("dmht", LAB | {"vn": "2"}), None, "x"]]
    short, long = read(RawSheet("dmht", True, rows)).rows
    assert (short.faults == (), long.faults == ()) == (("dx1" in short.values), True)


def test_no_two_columns_share_a_heading() -> None:
    for layout in layouts().values():
        said: dict[str, str] = {}
        for column in layout.columns:
            for text in (column.name, column.heading.th, column.heading.en, *column.also):
                assert said.setdefault(spelling(text), column.name) == column.name
