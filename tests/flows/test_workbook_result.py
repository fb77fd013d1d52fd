"""The result: a summary, rows to mend in a form of their own, and the officer's sheets as they were, with outcomes."""

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from zipfile import ZipFile

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.comments import Comment
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.worksheet import Worksheet
from workbook_samples import (
    AMOUNT,
    BIRTH,
    CHOICES,
    FIRST_OUTCOME,
    REASON,
    SUMMARY,
    answers_of,
    convert,
    officers_book,
    reading_of,
    shown,
)

from core.errors import ConfigurationError
from core.messages import Message
from extract.workbook.rows import Reading
from load.workbook import source_sheets, writer
from load.workbook.form import FIRST_ROW, NAME_ROW
from load.workbook.result import write_result
from load.workbook.result_content import Mark, RowOutcome, Summary, mendable_rows
from load.workbook.style import CATEGORIES, FAULTY

OFFICERS, MENDING = "ก.ย. 69", "แก้ไข DMHT"
Import = Callable[..., Path]


@pytest.fixture
def imported(tmp_path: Path) -> Import:
    """Imports an officer's workbook and gives the path of its result."""

    def result(
        book: Workbook | None = None,
        *,
        source: Path | None = None,
        answer: Callable[[Reading], list[RowOutcome]] = answers_of,
    ) -> Path:
        path = source or tmp_path / "september.xlsx"
        if source is None:
            (book or officers_book()).save(path)
        reading = reading_of(path)
        found = answer(reading)
        out = tmp_path / "result.xlsx"
        mendable = mendable_rows(reading.rows, found)
        write_result(out, SUMMARY, mendable, CHOICES, "th", source=path, reading=reading, outcomes=found)
        return out

    return result


def _fill(sheet: Worksheet, place: str) -> str:
    return str(sheet[place].fill.start_color.rgb)[-6:]


def _column(sheet: Worksheet, name: str) -> str:
    return next(cell.column_letter for cell in sheet[NAME_ROW] if cell.value == name)  # type: ignore[union-attr]


def test_summary_comes_first_then_mending_then_the_officers_sheets(imported: Import) -> None:
    book = load_workbook(imported())
    assert book.sheetnames == ["สรุป", MENDING, OFFICERS, "รายการ"]
    assert book["รายการ"].sheet_state == "hidden"
    assert book.active.title == "สรุป"
    assert [bool(sheet.sheet_view.tabSelected) for sheet in book][1:] == [False] * 3


def test_the_officers_cells_formulas_and_formats_are_untouched(imported: Import, tmp_path: Path) -> None:
    after = load_workbook(imported())[OFFICERS]
    before = load_workbook(tmp_path / "september.xlsx")[OFFICERS]
    for row in before.iter_rows():
        for cell in row:
            now = after[cell.coordinate]
            assert (now.value, now.data_type, now.number_format) == (cell.value, cell.data_type, cell.number_format)
            assert repr(now.font) == repr(cell.font)
    assert after[f"{AMOUNT}4"].value == "=N4*10"
    assert _fill(after, "B4") == "FFFF00"
    assert (after.column_dimensions["C"].width, after.freeze_panes) == (27, "C4")
    assert [str(merged) for merged in after.merged_cells.ranges] == ["A1:H1"]


def test_outcome_transaction_number_and_reason_stand_behind_the_last_column(imported: Import) -> None:
    sheet = load_workbook(imported())[OFFICERS]
    rows = [[cell.value for cell in row] for row in sheet[f"{FIRST_OUTCOME}3:S7"]]
    assert rows == [
        ["ผลการส่ง", "เลขธุรกรรม", "เหตุผลและสิ่งที่ต้องทำ"],
        ["รับแล้ว", "00TX", None],
        ["รับแล้ว", "01TX", None],
        ["รอปิดสิทธิ", None, None],
        ["ยังเบิกไม่ได้", None, REASON.th],
    ]
    fills = [_fill(sheet, f"{FIRST_OUTCOME}{row}") for row in (4, 6, 7)]
    assert fills == [CATEGORIES[tone].fill for tone in ("accepted", "waiting", "refused")]


def test_cells_at_fault_are_coloured_and_say_why(imported: Import) -> None:
    sheet = load_workbook(imported())[OFFICERS]
    assert _fill(sheet, f"{BIRTH}7") == FAULTY
    assert sheet[f"{BIRTH}7"].comment.text == REASON.th
    assert sheet[f"{BIRTH}6"].comment is None


def test_an_officers_own_note_is_kept_above_ours(imported: Import) -> None:
    book = officers_book()
    book.worksheets[0][f"{BIRTH}7"].comment = Comment("ถามญาติแล้ว", "เจ้าหน้าที่")
    text = load_workbook(imported(book))[OFFICERS][f"{BIRTH}7"].comment.text
    assert text == f"ถามญาติแล้ว\n\n{REASON.th}"


def test_a_result_can_be_imported_and_only_its_rows_to_mend_are_read(imported: Import) -> None:
    reading = reading_of(imported())
    assert [(sheet.name, sheet.surplus) for sheet in reading.sheets] == [(MENDING, ())]
    (row,) = reading.rows
    assert [fault.column for fault in row.faults] == ["dob"]


def test_a_mended_row_says_what_the_first_one_said(imported: Import, tmp_path: Path) -> None:
    out = imported()
    first = reading_of(tmp_path / "september.xlsx").rows[3]
    book = load_workbook(out)
    book[MENDING][f"{_column(book[MENDING], 'dob')}{FIRST_ROW}"] = "3/2/2513"
    book.save(out)
    (mended,) = reading_of(out).rows
    assert mended.faults == ()
    assert {k: v for k, v in mended.values.items() if k != "dob"} == first.values


def test_mending_shows_what_was_typed_where_it_means_nothing(imported: Import) -> None:
    sheet = load_workbook(imported())[MENDING]
    cell = sheet[f"{_column(sheet, 'dob')}{FIRST_ROW}"]
    assert (cell.value, _fill(sheet, cell.coordinate), cell.comment.text) == ("31/2/2513", FAULTY, REASON.th)
    assert sheet[f"{_column(sheet, 'reason')}{FIRST_ROW}"].value == REASON.th
    assert sheet.max_row == FIRST_ROW


def test_codes_that_were_numbers_are_mended_as_digits(imported: Import) -> None:
    book = officers_book()
    book.worksheets[0]["C7"], book.worksheets[0]["F7"] = 104, 123456789012
    sheet = load_workbook(imported(book))[MENDING]
    cells = [sheet[f"{_column(sheet, name)}{FIRST_ROW}"] for name in ("hn", "cid", "result")]
    assert [cell.value for cell in cells] == ["104", "123456789012", "7.2"]
    assert {cell.data_type for cell in cells} == {"s"}


def test_a_cancelled_row_would_not_pass_as_it_stands_in_the_sheet_for_mending(imported: Import) -> None:
    """Its state does not stand there: with its test it would have been sent by importing the result."""
    book = officers_book()
    book.worksheets[0]["I7"], book.worksheets[0][f"{AMOUNT}7"] = "3/2/2513", "ยกเลิก"

    def answer(reading: Reading) -> list[RowOutcome]:
        marks = tuple(Mark(fault.column, fault.message) for fault in reading.rows[3].faults)
        return [*answers_of(reading)[:3], replace(answers_of(reading)[3], marks=marks)]

    out = imported(book, answer=answer)

    sheet = load_workbook(out)[MENDING]
    cell = sheet[f"{_column(sheet, 'lab_code')}{FIRST_ROW}"]
    assert (cell.value, f"ช่อง {AMOUNT}7" in cell.comment.text, "HbA1c" in cell.comment.text) == (None, True, True)
    (row,) = reading_of(out).rows
    assert [(fault.column, fault.rule) for fault in row.faults] == [("lab_code", "cell.empty")]


def test_mending_has_the_drop_downs_of_a_template(imported: Import) -> None:
    book = load_workbook(imported())
    rules = {str(rule.formula1) for rule in book[MENDING].data_validations.dataValidation if rule.type == "list"}
    assert "list_labs_dmht" in rules
    assert rules <= set(book.defined_names)


def test_a_file_without_anything_to_mend_has_no_sheet_for_it(imported: Import) -> None:
    taken = lambda reading: [replace(a, mendable=False) for a in answers_of(reading)]  # noqa: E731
    assert load_workbook(imported(answer=taken)).sheetnames == ["สรุป", OFFICERS]


def test_sheets_and_names_that_are_called_like_ours_stay_and_ours_get_a_number(imported: Import) -> None:
    book = officers_book()
    for title in ("สรุป", "รายการ", MENDING):
        book.create_sheet(title)["A1"] = f"ของเดิม {title}"
    book.defined_names["list_sexes"] = DefinedName("list_sexes", attr_text="'รายการ'!$A$1")
    after = load_workbook(imported(book))
    assert after.sheetnames == ["สรุป (2)", f"{MENDING} (2)", OFFICERS, "สรุป", "รายการ", MENDING, "รายการ (2)"]
    assert after["สรุป"]["A1"].value == "ของเดิม สรุป"
    assert after.defined_names["list_sexes"].attr_text == "'รายการ'!$A$1"
    assert after.defined_names["list_sexes_2"].attr_text.startswith("'รายการ (2)'!")


def test_columns_that_were_widened_or_hidden_together_make_room_for_ours(imported: Import) -> None:
    book = officers_book()
    sheet = book.worksheets[0]
    rest = sheet.column_dimensions["O"]
    rest.min, rest.max, rest.width, rest.hidden = 15, 16_384, 3, True
    with ZipFile(imported(book)) as parts:
        xml = parts.read("xl/worksheets/sheet3.xml").decode()
    columns = [dict(re.findall(r'(\w+)="([^"]*)"', tag)) for tag in re.findall(r"<col ([^>]*)/>", xml)]
    spans = sorted((int(c["min"]), int(c["max"])) for c in columns)
    assert all(end < start for (_, end), (start, _) in pairwise(spans))
    assert (15, 16) in spans
    assert (20, 16_384) in spans
    assert [c.get("hidden", "0") for c in columns if int(c["min"]) in (17, 18, 19)] == ["0"] * 3


def test_outcomes_keep_clear_of_cells_that_are_merged_beside_the_rows(imported: Import) -> None:
    book = officers_book()
    book.worksheets[0].merge_cells("Q3:R4")
    sheet = load_workbook(imported(book))[OFFICERS]
    assert [sheet[f"{column}3"].value for column in "QST"] == [None, "ผลการส่ง", "เลขธุรกรรม"]


def test_a_fault_in_a_merged_cell_colours_the_cell_that_is_seen(imported: Import) -> None:
    book = officers_book()
    sheet = book.worksheets[0]
    sheet["I6"] = "31/2/2513"
    sheet.merge_cells("I6:I7")
    after = load_workbook(imported(book))[OFFICERS]
    assert _fill(after, "I6") == FAULTY


@pytest.mark.parametrize("why", ["larger than is held in memory", "another form", "odd inside", "no room"])
def test_what_cannot_be_written_into_is_rebuilt_of_what_was_read(
    why: str, imported: Import, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "september.xlsx"
    book = officers_book()
    book.worksheets[0]["G5"] = "#N/A"
    book.worksheets[0]["G5"].data_type = "s"
    book.create_sheet("ซ่อน").sheet_state = "hidden"
    book["ซ่อน"]["A1"] = "ของเดิม"
    book.save(source)
    if why == "larger than is held in memory":
        monkeypatch.setattr(source_sheets, "MAX_CELLS", 10)
    elif why == "another form":
        source = convert(source, "ods") / "september.ods"
    elif why == "no room":
        book.worksheets[0].merge_cells("Q3:XFD3")
        book.save(source)
    else:
        with ZipFile(source) as parts:
            files = {name: parts.read(name) for name in parts.namelist()}
        files["xl/styles.xml"] = files["xl/styles.xml"].replace(b'patternType="solid"', b'patternType="odd"')
        with ZipFile(source, "w") as parts:
            for name, content in files.items():
                parts.writestr(name, content)
    book = load_workbook(imported(source=source))
    sheet = book[OFFICERS]
    assert book.sheetnames[-3:] == [OFFICERS, "ซ่อน", "รายการ"]
    assert book["ซ่อน"].sheet_state == "hidden"
    assert [sheet[place].value for place in ("A4", "B4", "C4", "G4", "G5")] == [
        1,
        "69090001",
        "000000101",
        "=ชื่อ",
        "#N/A",
    ]
    assert {sheet[place].data_type for place in ("B4", "G4", "G5")} == {"s"}
    assert sheet["D4"].is_date
    assert (sheet["Q3"].value, sheet["Q7"].value, sheet["S7"].value) == ("ผลการส่ง", "ยังเบิกไม่ได้", REASON.th)
    assert (_fill(sheet, "I7"), sheet["I7"].comment.text) == (FAULTY, REASON.th)


def test_rows_of_a_csv_come_back_with_their_outcomes(imported: Import, tmp_path: Path) -> None:
    book = officers_book()
    lines = [
        ",".join(str(cell or "") for cell in row) for row in book.worksheets[0].iter_rows(min_row=3, values_only=True)
    ]
    (tmp_path / "september.csv").write_text("\n".join(lines), encoding="utf-8")
    sheet = load_workbook(imported(source=tmp_path / "september.csv")).worksheets[2]
    assert [cell.value for cell in sheet[2]][-4:] == ["=N4*10", "รับแล้ว", "00TX", None]
    assert sheet["P2"].data_type == "s"


def test_a_result_without_a_file_has_summary_and_mending_only(imported: Import, tmp_path: Path) -> None:
    imported()
    reading = reading_of(tmp_path / "september.xlsx")
    mendable = mendable_rows(reading.rows, answers_of(reading))
    write_result(tmp_path / "his.xlsx", SUMMARY, mendable, CHOICES, "en")
    assert load_workbook(tmp_path / "his.xlsx").sheetnames == ["Summary", "Mend DMHT", "Lists"]


def test_a_result_may_be_one_sentence(tmp_path: Path) -> None:
    sentence = Message("อ่านไฟล์ไม่ได้", "=cannot be read")
    write_result(tmp_path / "no.xlsx", Summary(sentence, ()), (), CHOICES, "en")
    book = load_workbook(tmp_path / "no.xlsx")
    assert book.sheetnames == ["Summary"]
    assert (book["Summary"]["B2"].value, book["Summary"]["B2"].data_type) == ("=cannot be read", "s")


def test_the_summary_counts_by_tone_kind_and_outcome(imported: Import) -> None:
    rows = [[v for v in row if v is not None] for row in load_workbook(imported())["สรุป"].iter_rows(values_only=True)]
    assert [2, 1, 1, 0] in rows
    assert [300, 150, 20, 0] in rows
    assert ["เบาหวาน", 2, 1, 3, 450] in rows
    assert ["เบาหวาน", "รับแล้ว", 2, 300] in rows
    assert ["รวม", 4, 470] in rows
    assert ["•  ข้อสังเกตหนึ่ง"] in rows
    assert ["ไฟล์", "september.xlsx"] in rows


def test_the_summary_draws_a_bar_for_every_tone(imported: Import) -> None:
    with ZipFile(imported()) as parts:
        chart = parts.read("xl/charts/chart1.xml").decode()
    assert chart.count("<ser>") == len(CATEGORIES)
    assert all(shade.strong in chart for shade in CATEGORIES.values())


def test_the_summary_leads_to_the_rows_to_mend(imported: Import) -> None:
    cells = [cell for row in load_workbook(imported())["สรุป"].iter_rows() for cell in row if cell.hyperlink]
    (cell,) = cells
    assert (cell.hyperlink.location, cell.hyperlink.ref) == (f"'{MENDING}'!A1", cell.coordinate)
    assert "1 แถว" in str(cell.value)


def test_formulas_in_what_we_say_stay_text(imported: Import) -> None:
    def evil(reading: Reading) -> list[RowOutcome]:
        say = Message("=1+1", "=1+1")
        return [replace(a, outcome=say, reason=say, transaction_uid="+66") for a in answers_of(reading)]

    sheet = load_workbook(imported(answer=evil))[OFFICERS]
    cells = [cell for row in sheet[f"{FIRST_OUTCOME}4:S7"] for cell in row]
    assert {cell.data_type for cell in cells} == {"s"}
    assert all(cell.quotePrefix for cell in cells)


def test_notes_end_where_a_spreadsheet_program_would_slow_down(
    imported: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MAX_NOTES", 0)
    sheet = load_workbook(imported())[OFFICERS]
    assert sheet[f"{BIRTH}7"].comment is None
    assert _fill(sheet, f"{BIRTH}7") == FAULTY


def test_what_was_there_stays_when_a_result_cannot_be_written(imported: Import, tmp_path: Path) -> None:
    out = tmp_path / "result.xlsx"
    out.mkdir()
    with pytest.raises(ConfigurationError):
        imported()
    assert {path.name for path in tmp_path.iterdir()} == {"result.xlsx", "september.xlsx"}


def test_a_spreadsheet_program_calculates_the_officers_formulas_and_shows_ours_as_text(imported: Import) -> None:
    (row,) = [row for row in shown(imported()) if "00TX" in row]
    assert row[15:18] == ["72", "รับแล้ว", "00TX"]
    assert row[6] == "=ชื่อ"


def test_a_result_prints(imported: Import) -> None:
    assert (convert(imported(), "pdf") / "result.pdf").read_bytes().startswith(b"%PDF")
