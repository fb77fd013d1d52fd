"""The template: what an officer fills in can be read, keeps what is typed, and opens in a spreadsheet program."""

import os
import re
import stat
from datetime import date
from pathlib import Path
from zipfile import ZipFile

import pytest
from openpyxl import load_workbook
from openpyxl.workbook import Workbook
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet
from python_calamine import CalamineWorkbook
from workbook_samples import CHOICES, ROWS, convert, lab_row, reading_of, shown

from core.errors import ConfigurationError
from core.messages import Language
from extract.workbook.layout import SheetName, layouts
from load.workbook.form import FIRST_ROW, HEADING_ROW, NAME_ROW, TITLES
from load.workbook.style import DATE
from load.workbook.template import write_template

ALL: tuple[SheetName, ...] = ("dmht", "epi", "dt")
EVIL = ("=1+1", "+66", "-1", "@SUM(A1)", "=HYPERLINK(0)", "#N/A", "'x", "พี่\u0001น้อง")
LANGUAGES: tuple[Language, ...] = ("th", "en")


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """All three sheets in Thai, with their examples."""
    write_template(tmp_path / "template.xlsx", ALL, CHOICES, "th")
    return tmp_path / "template.xlsx"


def _column(sheet: Worksheet, name: str) -> str:
    return next(cell.column_letter for cell in sheet[NAME_ROW] if cell.value == name)  # type: ignore[union-attr]


def _offered(book: Workbook, rule: DataValidation) -> list[object]:
    (place,) = book.defined_names[str(rule.formula1)].destinations
    return [cell.value for row in book[place[0]][place[1]] for cell in row]


def _rules(sheet: Worksheet) -> dict[str, DataValidation]:
    return {re.split(r"\d", str(rule.sqref))[0]: rule for rule in sheet.data_validations.dataValidation}


def test_the_sheets_stand_in_order_and_only_the_lists_are_hidden(template: Path) -> None:
    book = load_workbook(template)
    assert book.sheetnames == ["คำแนะนำ", "DMHT", "EPI", "dT", "รายการ"]
    assert [sheet.title for sheet in book if sheet.sheet_state != "visible"] == ["รายการ"]


def test_only_the_wanted_sheets_are_written(tmp_path: Path) -> None:
    write_template(tmp_path / "epi.xlsx", ["epi"], CHOICES, "en")
    assert load_workbook(tmp_path / "epi.xlsx").sheetnames == ["Instructions", "EPI", "Lists"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_filled_in_rows_are_read_back_as_they_were(tmp_path: Path, language: Language) -> None:
    write_template(tmp_path / "rows.xlsx", ALL, CHOICES, language, ROWS)
    reading = reading_of(tmp_path / "rows.xlsx")
    assert [fault for row in reading.rows for fault in row.faults] == []
    assert [row.values for row in reading.rows] == [row for rows in ROWS.values() for row in rows]


def test_examples_are_not_read(template: Path) -> None:
    reading = reading_of(template)
    assert [sheet.layout for sheet in reading.sheets] == list(ALL)
    assert reading.rows == ()


def test_every_heading_is_there_and_the_needed_ones_bear_an_asterisk(template: Path) -> None:
    book = load_workbook(template)
    for name, layout in layouts().items():
        headings = [str(cell.value).replace("\n", " ") for cell in book[TITLES[name]][HEADING_ROW]]
        assert headings == [c.heading.th + (" *" if c.needed else "") for c in layout.columns]
        assert [cell.value for cell in book[TITLES[name]][NAME_ROW]] == [c.name for c in layout.columns]


def test_choices_show_their_labels(template: Path) -> None:
    sheet = load_workbook(template)["DMHT"]
    assert sheet[f"{_column(sheet, 'sex')}{FIRST_ROW}"].value == "หญิง"
    assert sheet[f"{_column(sheet, 'scheme')}{FIRST_ROW}"].value == "UCS บัตรทอง"


def test_empty_cells_of_codes_are_text_and_those_of_days_say_their_calendar(template: Path) -> None:
    sheet = load_workbook(template)["EPI"]
    formats = {
        column.name: sheet.column_dimensions[_column(sheet, column.name)].number_format
        for column in layouts()["epi"].columns
    }
    text = "vn hn cid sex vaccine_code lot_number license_no dx1"
    assert {formats[name] for name in text.split()} == {"@"}
    assert {formats[name] for name in ("visit_date", "dob", "expiration_date")} == {DATE}
    assert formats["visit_time"] == "hh:mm"


def test_drop_downs_offer_what_the_sheet_can_have_and_let_other_spellings_pass(template: Path) -> None:
    book = load_workbook(template)
    for name, layout in layouts().items():
        sheet = book[TITLES[name]]
        rules = _rules(sheet)
        for column in layout.columns:
            offered = [c.label for c in CHOICES.get(column.choices, ()) if not c.sheets or name in c.sheets]
            if not offered:
                continue
            rule = rules[_column(sheet, column.name)]
            assert _offered(book, rule) == offered
            assert (rule.type, rule.errorStyle) == ("list", "warning")
            assert str(rule.sqref).startswith(f"{_column(sheet, column.name)}{FIRST_ROW}:")
            assert int(str(rule.sqref).rsplit(_column(sheet, column.name))[-1]) > 2_000


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_drop_downs_say_is_no_longer_than_excel_takes(tmp_path: Path, language: Language) -> None:
    write_template(tmp_path / "t.xlsx", ALL, CHOICES, language)
    book = load_workbook(tmp_path / "t.xlsx")
    rules = [rule for name in TITLES.values() for rule in book[name].data_validations.dataValidation]
    assert max(len(rule.promptTitle or "") for rule in rules) <= 32
    assert max(len(rule.errorTitle or "") for rule in rules) <= 32
    assert max(len(rule.prompt or "") for rule in rules) <= 255
    assert max(len(rule.error or "") for rule in rules) <= 225


def test_text_that_looks_like_a_formula_stays_text(tmp_path: Path) -> None:
    rows = [lab_row(n, fname=name, hn=name, occupa=name) for n, name in enumerate(EVIL, start=1)]
    write_template(tmp_path / "evil.xlsx", ["dmht"], CHOICES, "th", {"dmht": rows})
    sheet = load_workbook(tmp_path / "evil.xlsx")["DMHT"]
    for column in (_column(sheet, name) for name in ("fname", "hn", "occupa")):
        cells = [sheet[f"{column}{FIRST_ROW + n}"] for n in range(len(EVIL))]
        assert {cell.data_type for cell in cells} == {"s"}
        assert [cell.value for cell in cells] == [text.replace("\u0001", "") for text in EVIL]
        assert [cell.quotePrefix for cell in cells[:5]] == [True] * 5
    read = CalamineWorkbook.from_path(tmp_path / "evil.xlsx").get_sheet_by_name("DMHT").to_python()
    assert [row[1] for row in read[FIRST_ROW - 1 :]] == [text.replace("\u0001", "") for text in EVIL]


def test_numbers_that_are_text_on_purpose_bear_no_green_corner(template: Path) -> None:
    with ZipFile(template) as parts:
        sheet = parts.read("xl/worksheets/sheet2.xml").decode()
    assert re.search(r'<ignoredErrors><ignoredError sqref="A4:V1048576" numberStoredAsText="1" ?/>', sheet)
    assert sheet.index("<ignoredErrors>") < sheet.index("<legacyDrawing")


def test_days_before_1900_are_text(tmp_path: Path) -> None:
    rows = {"dmht": [lab_row(1, dob=date(1026, 2, 3))]}
    write_template(tmp_path / "old.xlsx", ["dmht"], CHOICES, "th", rows)  # type: ignore[arg-type]
    sheet = load_workbook(tmp_path / "old.xlsx")["DMHT"]
    assert sheet[f"{_column(sheet, 'dob')}{FIRST_ROW}"].value == "1026-02-03"


def test_headings_stay_in_sight_and_a_sheet_prints_on_one_page_wide(template: Path) -> None:
    sheet = load_workbook(template)["DMHT"]
    assert sheet.freeze_panes == f"B{FIRST_ROW}"
    assert sheet.page_setup.orientation == "landscape"
    assert (sheet.sheet_properties.pageSetUpPr.fitToPage, sheet.page_setup.fitToHeight) == (True, 0)
    assert sheet.print_title_rows == f"${HEADING_ROW}:${HEADING_ROW}"


def test_an_empty_template_is_small(template: Path) -> None:
    assert template.stat().st_size < 60_000


def test_instructions_in_english_have_thai_beside_them(tmp_path: Path) -> None:
    write_template(tmp_path / "en.xlsx", ALL, CHOICES, "en")
    texts = [row for row in load_workbook(tmp_path / "en.xlsx")["Instructions"].iter_rows(values_only=True) if row[3:]]
    (row,) = [row for row in texts if row[3] and "moph-claim import" in str(row[3])]
    assert "บันทึกไฟล์" in str(row[2])


@pytest.mark.parametrize("name", ["template.pdf", "nowhere/template.xlsx"])
def test_a_file_that_cannot_be_written_is_said_in_a_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        write_template(tmp_path / name, ALL, CHOICES, "th")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_way_stays_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    (tmp_path / "out.xlsx").mkdir()
    with pytest.raises(ConfigurationError):
        write_template(tmp_path / "out.xlsx", ALL, CHOICES, "th")
    assert [path.name for path in tmp_path.iterdir()] == ["out.xlsx"]


def test_the_umask_says_who_may_read_the_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_template(tmp_path / "t.xlsx", ["dt"], CHOICES, "th")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "t.xlsx").stat().st_mode) == 0o640


def test_a_spreadsheet_program_shows_what_was_written(tmp_path: Path) -> None:
    rows = [lab_row(1, fname="=1+1", dob=date(2513, 2, 3)), lab_row(2, fname="@SUM(A1)", hn="0007")]
    write_template(tmp_path / "rows.xlsx", ["dmht"], CHOICES, "th", {"dmht": rows})
    rows_shown = shown(tmp_path / "rows.xlsx")
    at = next(n for n, row in enumerate(rows_shown) if row[0] == "vn")
    first, second = (dict(zip(rows_shown[at], row, strict=True)) for row in rows_shown[at + 1 : at + 3])
    assert (first["fname"], second["fname"]) == ("=1+1", "@SUM(A1)")
    assert (first["dob"], second["dob"]) == ("03/02/2513 พ.ศ.", "03/02/1970 ค.ศ.")
    assert (second["hn"], second["visit_time"], second["sex"]) == ("0007", "08:30", "หญิง")


def test_it_prints(template: Path) -> None:
    assert (convert(template, "pdf") / "template.pdf").read_bytes().startswith(b"%PDF")
