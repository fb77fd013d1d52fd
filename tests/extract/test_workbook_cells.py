"""What a cell means: every spelling that is clear, and no other."""

import math
from datetime import date, time, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sheet_builder import CHOICES, moment

from extract.contract import ZERO_DAY
from extract.values import as_text
from extract.workbook.cells import parse, plain
from extract.workbook.faults import REASONS, Unusable
from extract.workbook.layout import Choice, Column, layouts, spellings
from extract.workbook.rows import Broken, CellValue

COLUMNS = {column.name: column for layout in layouts().values() for column in layout.columns}
DAY = date(2026, 10, 1)
LAST_DAY = date(2199, 12, 31)
DAYS = st.dates(ZERO_DAY + timedelta(days=1), LAST_DAY)
THAI_DIGITS = str.maketrans("0123456789", "๐๑๒๓๔๕๖๗๘๙")
THAI_MONTHS = (
    ("มกราคม", "ม.ค."), ("กุมภาพันธ์", "ก.พ."), ("มีนาคม", "มี.ค."), ("เมษายน", "เม.ย."), ("พฤษภาคม", "พ.ค."), ("มิถุนายน", "มิ.ย."),
    ("กรกฎาคม", "ก.ค."), ("สิงหาคม", "ส.ค."), ("กันยายน", "ก.ย."), ("ตุลาคม", "ต.ค."), ("พฤศจิกายน", "พ.ย."), ("ธันวาคม", "ธ.ค."),
)  # fmt: skip
ENGLISH_MONTHS = (
    ("January", "Jan"), ("February", "Feb"), ("March", "Mar"), ("April", "Apr"), ("May", "May"), ("June", "Jun"),
    ("July", "Jul"), ("August", "Aug"), ("September", "Sep"), ("October", "Oct"), ("November", "Nov"), ("December", "Dec"),
)  # fmt: skip
UNSEEN = "\u200b\u200e\u2060\ufeff\u00ad"

anything = st.one_of(
    st.text(),
    st.text("0123456789๐๑๒-/. :,eE+กตคพศ.", max_size=20),
    st.floats(),
    st.booleans(),
    st.dates(),
    st.datetimes(),
    st.times(),
    st.timedeltas(),
    st.sampled_from([Broken("error"), Broken("uncalculated"), None]),
)


def means(value: CellValue, column: str) -> object:
    return parse(value, COLUMNS[column], CHOICES)


def rule(value: CellValue, column: str) -> str:
    found = means(value, column)
    assert isinstance(found, Unusable), found
    return found.rule


def _numbers(day: date) -> list[str]:
    be = day.year + 543
    written = [f"{day.day}{mark}{day.month}{mark}{year}" for mark in "/-." for year in (be, day.year)]
    return [
        *written,
        f"{day.day:02} / {day.month:02} / {be}",
        *(f"{year}{mark}{day.month:02}{mark}{day.day:02}" for mark in "/-." for year in (be, day.year)),
    ]


def _words(day: date) -> list[str]:
    be, month = day.year + 543, day.month - 1
    thai, english = THAI_MONTHS[month], ENGLISH_MONTHS[month]
    return [
        *(f"{day.day}{gap}{name}{gap}{year}" for name in thai for gap in (" ", "", "-") for year in (be, day.year)),
        *(f"{day.day} {name.replace('.', '')} {be}" for name in thai),
        *(f"{day.day} {name} พ.ศ. {be}" for name in thai),
        *(f"{day.day} {name} ค.ศ. {day.year}" for name in thai),
        *(f"วันพุธที่ {day.day} {name} พ.ศ.{be}" for name in thai),
        *(f"{day.day}{gap}{name}{gap}{year}" for name in english for gap in (" ", "", "-") for year in (be, day.year)),
        *(f"{day.day} {name.upper()}. {day.year}" for name in english),
        *(f"{name} {day.day}, {day.year}" for name in english),
        *(f"Wednesday, {name} {day.day}, {day.year}" for name in english),
    ]


@given(DAYS)
def test_a_day_reads_back_from_every_spelling(day: date) -> None:
    spellings = _numbers(day) + _words(day)
    assert {text: means(text, "dob") for text in spellings} == dict.fromkeys(spellings, day)


@given(DAYS)
def test_a_day_reads_back_from_the_cell_of_a_spreadsheet_program(day: date) -> None:
    assert means(day, "dob") == means(moment(day.year, day.month, day.day, 10, 30), "dob") == day
    assume((day.month, day.day) != (2, 29))
    assert means(moment(day.year + 543, day.month, day.day), "dob") == day


@given(DAYS, st.sampled_from(["{} 08:30", "{} 8:30:15", "{} 08.30 น.", "{} เวลา 08.30 น.", "{} 8:30 PM"]))
def test_a_time_behind_a_day_is_dropped(day: date, form: str) -> None:
    assert {means(form.format(text), "dob") for text in _numbers(day) + _words(day)} == {day}


@pytest.mark.parametrize(
    ("text", "day"),
    [
        # The zone was cut off, and the day before read.
        ("2026-11-19T17:00:00.000Z", date(2026, 11, 20)), ("2026-11-19 17:00:00+00:00", date(2026, 11, 20)),
        ("2026-11-19T17:00Z", date(2026, 11, 20)), ("19/11/2569 17:00:00 UTC", date(2026, 11, 20)),
        ("2026-11-19T12:00:00-05:00", date(2026, 11, 20)), ("2026-11-20T00:00:00+07:00", date(2026, 11, 20)),
        ("2026-11-20T00:00:00 GMT+7", date(2026, 11, 20)), ("2569-11-19T17:00:00Z", date(2026, 11, 20)),
        ("2026-11-20T08:30:00Z", date(2026, 11, 20)), ("20 Nov 2026 08:30 ICT", date(2026, 11, 20)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("column", ["visit_date", "dob", "expiration_date", "given_date"])
def test_an_instant_of_a_zone_is_the_day_of_bangkok(text: str, day: date, column: str) -> None:
    assert means(text, column) == day


@pytest.mark.parametrize("text", ["2026-11-19T18:30:00Z", "2026-11-20T00:00:00+09:00", "2026-11-19T17:00:00.000-11:30"])
def test_a_birth_or_an_expiry_is_refused_where_it_cannot_be_told_which_day_an_instant_means(text: str) -> None:
    assert [rule(text, column) for column in ("dob", "expiration_date")] == [
        "cell.date_zone"
    ] * 2  # it was the 19th or 20th
    assert isinstance(means(text, "visit_date"), date)


@pytest.mark.parametrize("text", ["2026-11-19T25:00:00Z", "2026-11-19T17:00:00+99:00", "2026-11-19T17:00:00 EST"])
def test_an_instant_of_no_time_or_zone_is_refused(text: str) -> None:
    assert rule(text, "visit_date") in ("cell.date_unreadable", "cell.date_zone")


@given(DAYS, st.text(UNSEEN, max_size=3))
def test_thai_digits_blanks_and_what_nobody_sees_do_no_harm(day: date, unseen: str) -> None:
    text = f"'{unseen} {day.day}/{day.month}/{day.year + 543}\u00a0{unseen}".translate(THAI_DIGITS)
    assert means(text, "dob") == day


@pytest.mark.parametrize("text", ["1 ต.ค. 69", "1 ตค 69", "1ต.ค.69", "1-ต.ค.-69", "1 ตุลาคม 69", "1 ต.ค. พ.ศ. 69"])
def test_two_digits_behind_a_thai_month_are_a_buddhist_year(text: str) -> None:
    assert means(text, "dob") == DAY


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("1/10/69", "cell.date_two_digit_year"), ("1-10-26", "cell.date_two_digit_year"),
        ("1 Oct 69", "cell.date_two_digit_year"), ("1 ต.ค. ค.ศ. 26", "cell.date_two_digit_year"),
        ("1/10/00", "cell.date_two_digit_year"), ("5 พ.ค. 15", "cell.date_two_digit_year"),
        ("1 ตุลาคม 39", "cell.date_two_digit_year"),
        (46296.0, "cell.date_number"), ("46296", "cell.date_number"), ("25691001", "cell.date_number"), (0.0, "cell.date_number"),
        ("10/25/2569", "cell.date_month_first"), ("1.13.2026", "cell.date_month_first"),
        ("31/2/2569", "cell.date_impossible"), ("29/2/2026", "cell.date_impossible"), ("25/25/2569", "cell.date_impossible"),
        ("2026-25-10", "cell.date_impossible"), ("31 Apr 2026", "cell.date_impossible"),
        (moment(2568, 2, 29), "cell.date_impossible"),  # a leap year that 2025 was not
        ("1/10/2300", "cell.date_year"), ("1/10/256", "cell.date_year"), ("1/10/1899", "cell.date_year"),
        ("1/10/2743", "cell.date_year"), (moment(2300, 1, 1), "cell.date_year"), ("1 ต.ค. พ.ศ. 2026", "cell.date_year"),
        ("1 ต.ค. ค.ศ. 2569", "cell.date_year"),
        ("0/0/0000", "cell.date_none"), ("0000-00-00", "cell.date_none"), ("1900-01-00", "cell.date_none"),
        (moment(1899, 12, 30), "cell.date_none"), (date(1900, 1, 1), "cell.date_none"), (time(0, 0), "cell.date_none"),
        ("1 10 2569", "cell.date_unreadable"), ("1 Foo 2569", "cell.date_unreadable"),
        (time(8, 30), "cell.date_unreadable"), (timedelta(hours=8), "cell.date_unreadable"), ("1/10", "cell.date_unreadable"),
        (True, "cell.true_false"), (Broken("error"), "cell.error"), (Broken("uncalculated"), "cell.uncalculated"),
    ],
)  # fmt: skip
def test_what_is_no_clear_day_is_refused(value: CellValue, why: str) -> None:
    assert rule(value, "dob") == why


def test_a_leap_day_is_one_in_the_year_that_is_meant() -> None:
    assert means("29/2/2567", "dob") == date(2024, 2, 29)


@given(anything)
def test_nothing_gives_a_day_outside_the_years_that_are_read(value: CellValue) -> None:
    found = means(value, "dob")
    assert not isinstance(found, date) or ZERO_DAY < found <= LAST_DAY


@given(st.times())
def test_a_time_reads_back_from_every_spelling(clock: time) -> None:
    text = f"{clock.hour:02}:{clock.minute:02}"
    half = f"{clock.hour % 12 or 12}:{clock.minute:02} {'PM' if clock.hour >= 12 else 'AM'}"
    spellings = (
        text, f"{clock.hour}:{clock.minute:02}", text.replace(":", "."), f"{text.replace(':', '.')} น.", f"{text}น.", f"{text}:59",
        half, half.lower().replace("m", ".m."), text.translate(THAI_DIGITS), clock.replace(second=0, microsecond=0),
        timedelta(hours=clock.hour, minutes=clock.minute), moment(1899, 12, 30, clock.hour, clock.minute, 1),
    )  # fmt: skip
    assert {means(spelt, "visit_time") for spelt in spellings} == {text}


def test_a_time_that_a_fraction_of_a_day_does_not_meet_is_the_nearest_second() -> None:
    assert means(time(8, 29, 59, 999_990), "visit_time") == "08:30"
    assert means(time(23, 59, 59, 999_990), "visit_time") == "23:59"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (8.3, "cell.time_number"), (0.354166, "cell.time_number"), ("0830", "cell.time_number"), ("8", "cell.time_number"),
        ("8.3", "cell.time_unreadable"), ("24:00", "cell.time_unreadable"), ("8:60", "cell.time_unreadable"),
        ("13:00 PM", "cell.time_unreadable"), ("เช้า", "cell.time_unreadable"), (timedelta(days=1), "cell.time_unreadable"),
        (timedelta(seconds=-1), "cell.time_unreadable"), (date(2026, 10, 1), "cell.time_unreadable"),
        (moment(2026, 10, 1), "cell.time_unreadable"),
    ],
)  # fmt: skip
def test_what_is_no_clear_time_is_refused(value: CellValue, why: str) -> None:
    assert rule(value, "visit_time") == why


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("น\u0e49\u0e4d\u0e32", "น้ำ"),
        ("ค\u0e4d\u0e48\u0e32", "ค่ำ"),
        ("สม\ufe0fชาย", "สมชาย"),
        ("สม\u3164ชาย", "สมชาย"),
        ("ก\u2028ข", "ก ข"),
    ],
)
def test_a_name_is_cleaned_as_that_of_a_hospital(text: str, kept: str) -> None:
    assert means(text, "fname") == kept == as_text(text)  # a decomposed ำ, a selector and a filler were kept


@pytest.mark.parametrize(
    ("text", "code"), [("1990000\x0700007", "U+0007"), ("ส\ue000ม", "U+E000"), ("L\x9042", "U+0090")]
)
@pytest.mark.parametrize("column", ["cid", "fname", "lot_number", "vn", "lab_code"])
def test_what_cannot_be_cleaned_is_refused_by_its_code(text: str, code: str, column: str) -> None:
    found = means(text, column)
    assert isinstance(found, Unusable)  # it was "not 13 digits", or no word
    assert (found.rule, code in found.message.th, code in found.message.en) == ("cell.unseen", True, True)


def is_rounded(number: str) -> bool:
    return number[0] != "0" and number.endswith("000000")


@given(
    st.from_regex(r"[0-9]{13}", fullmatch=True),
    st.lists(st.sampled_from(["", "-", " ", "–", "\u00a0", *UNSEEN]), min_size=13),
)
def test_an_identity_number_reads_back_from_any_punctuation(number: str, marks: list[str]) -> None:
    assume(not is_rounded(number))
    assert means("".join(digit + mark for digit, mark in zip(number, marks, strict=False)), "cid") == number
    assert means(number.translate(THAI_DIGITS), "cid") == number


@given(st.integers(10**12, 10**13 - 1))
def test_an_identity_number_reads_back_from_a_number(number: int) -> None:
    assume(not is_rounded(str(number)))
    assert means(float(number), "cid") == str(number)


@pytest.mark.parametrize(
    "value",
    [
        1.23,
        123.0,
        1.1e12 + 0.5,
        1e13,
        -1234567890123.0,
        "1.23457E+12",
        "1E12",
        "1,23E+12",
        3100120000000.0,
        "3100120000000",
        "3-1001-20000-00-0",
        3e12,
    ],
)
def test_an_identity_number_that_the_spreadsheet_program_mangled_is_refused(value: CellValue) -> None:
    assert rule(value, "cid") == "cell.cid_mangled"


@pytest.mark.parametrize(("text", "kept"), [("123", "123"), ("1-2345", "12345"), ("AB123456", "AB123456")])
def test_an_identity_number_of_another_length_is_left_to_the_rules(text: str, kept: str) -> None:
    assert means(text, "cid") == kept


@pytest.mark.parametrize("text", ["0007", "000001234", "LOT 42/ก", "12E34", "พ.9000011", "EP0000000001"])
def test_a_code_stays_as_typed(text: str) -> None:
    assert means(f" '{text}\u200b ".replace(" '", "'"), "lot_number") == text


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (7.0, "cell.code_number"), ("7" * 33, "cell.code_long"), ("1.23E+11", "cell.code_mangled"), ("1E+05", "cell.code_mangled"),
        (moment(2026, 3, 12), "cell.turned_into_date"), (time(4, 2), "cell.turned_into_date"), (False, "cell.true_false"),
    ],
)  # fmt: skip
def test_a_code_that_the_spreadsheet_program_changed_is_refused(value: CellValue, why: str) -> None:
    assert {rule(value, column) for column in ("vn", "hn", "lot_number", "license_no", "closing_code")} == {why}


def test_a_name_keeps_its_letters_and_digits() -> None:
    assert means(" 'น้ำ\u200bผึ้ง  ๒\u00a0ใจดี\t", "fname") == "น้ำผึ้ง  ๒ ใจดี"


@given(st.floats(-1e300, 1e300))
def test_a_number_in_a_text_column_keeps_its_value(number: float) -> None:
    text = plain(number)
    assert "e" not in text.lower()
    assert float(text) == number or math.isclose(float(text), number, rel_tol=1e-14)


@given(st.decimals(-10_000, 10_000, places=6, allow_nan=False))
def test_a_number_as_people_type_it_is_the_text_they_see(number: object) -> None:
    assert float(plain(float(str(number)))) == float(str(number))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7.2, "7.2"),
        (7.0, "7"),
        (0.1 + 0.2, "0.3"),
        (" 7.2 % ", "7.2 %"),
        ("<4.0", "<4.0"),
        ("๗.๒", "๗.๒"),
    ],
)
def test_a_lab_result_is_left_to_the_rules(value: CellValue, text: str) -> None:
    assert means(value, "result") == text


@pytest.mark.parametrize(
    ("value", "shown"), [(43 / 6, "7.16666666666667"), ("7.1666667 %", "7.1666667"), (1e-7, "0.0000001")]
)
def test_a_result_that_was_calculated_is_refused_with_its_number_and_the_reason(value: CellValue, shown: str) -> None:
    found = means(value, "result")  # it was "not a number", with the number cut off
    assert isinstance(found, Unusable)
    assert (found.rule, shown in found.message.th, shown in found.message.en) == ("cell.result_calculated", True, True)
    assert means(7.166667, "result") == "7.166667"


def test_a_lab_result_that_became_a_day_is_refused() -> None:
    assert rule(moment(2026, 2, 7), "result") == "cell.turned_into_date"


@pytest.mark.parametrize("name", [name for name, column in COLUMNS.items() if column.choices])
def test_every_name_of_a_choice_reads_to_its_code(name: str) -> None:
    column = COLUMNS[name]
    for choice in CHOICES[column.choices]:
        names = [text for text in (choice.value, choice.label, *choice.also) if text]
        spellings = [s for text in names for s in (text, f"  {text.upper()} ", text.lower(), text.replace(" ", ""))]
        spellings += [f"{text} ({choice.value})" for text in names] + [f"{choice.value} {text}" for text in names]
        assert {text: means(text, name) for text in spellings} == dict.fromkeys(spellings, choice.value)


@pytest.mark.parametrize(
    ("value", "column", "code"),
    [
        (41.0, "vaccine_code", "041"), ("41", "vaccine_code", "041"), (106.0, "vaccine_code", "106"), ("d21", "vaccine_code", "D21"),
        ("๐๔๑", "vaccine_code", "041"), (32401.0, "lab_code", "32401"), ("hba1C", "lab_code", "32401"), (99.0, "nation", "099"),
        ("99", "nation", "099"), (1.0, "sex", "1"), ("ช.", "sex", "1"), (True, "antenatal", "1"), (False, "antenatal", "0"),
        ("นางสาว", "title", "น.ส."), ("ร.ต.อ.", "title", "ร.ต.อ."),
        ("Cr", "lab_code", "32202"), ("SCr", "lab_code", "32202"), ("creatinine", "lab_code", "32202"), ("ครีเอตินิน", "lab_code", "32202"),
        ("ครีอะตินิน", "lab_code", "32202"), ("k", "lab_code", "32103"), ("K+", "lab_code", "32103"), ("Potassium", "lab_code", "32103"),
        ("โพแทสเซียม", "lab_code", "32103"), ("โปแตสเซียม", "lab_code", "32103"), ("A1C", "lab_code", "32401"), ("HBA1C", "lab_code", "32401"),
        ("hba1c", "lab_code", "32401"), ("ฮีโมโกลบินเอวันซี", "lab_code", "32401"), ("น้ำตาลสะสม", "lab_code", "32401"),
        ("พม่า", "nation", "048"), ("เมียนมา", "nation", "048"), ("กัมพูชา", "nation", "057"), ("เขมร", "nation", "057"), ("ลาว", "nation", "056"),
        ("ไทย", "nation", "099"), ("thai", "nation", "099"), ("หม้าย", "marriage", "3"), ("ม่าย", "marriage", "3"), ("สมรส", "marriage", "2"),
        ("แต่งงาน", "marriage", "2"), ("แยกกันอยู่", "marriage", "5"), ("หย่าร้าง", "marriage", "4"), ("สมณะ", "marriage", "6"), ("บวช", "marriage", "6"),
        ("UC", "scheme", "UCS"), ("HBV 1", "vaccine_code", "041"), ("aP", "vaccine_code", "P41"),
        ("ชาวเล", "nation", "ชาวเล"),  # the rules say of it what to do
    ],
)  # fmt: skip
def test_a_choice_may_be_typed(value: CellValue, column: str, code: str) -> None:
    assert means(value, column) == code


def test_a_name_of_two_codes_is_refused_and_names_both() -> None:
    column = COLUMNS["vaccine_code"]
    two = {"vaccines": (Choice("041", "ตับอักเสบบี 1", ("ตับอักเสบบี",)), Choice("042", "ตับอักเสบบี 2", ("ตับอักเสบบี",)))}
    found = parse("ตับอักเสบบี", column, two)
    assert isinstance(found, Unusable)
    assert found.rule == "cell.choice_ambiguous"
    assert "041" in found.message.th
    assert "042" in found.message.en


def test_a_number_of_two_codes_is_refused() -> None:
    two = {"vaccines": (Choice("041", "ก"), Choice("0041", "ข"))}
    found = parse(41.0, COLUMNS["vaccine_code"], two)
    assert isinstance(found, Unusable)
    assert found.rule == "cell.choice_ambiguous"


def test_a_name_nearly_right_is_refused_and_told() -> None:
    found = means("ตับอักเสบบี", "vaccine_code")
    assert isinstance(found, Unusable)
    assert found.rule == "cell.choice_close"
    assert "ตับอักเสบบี 1 (041)" in found.message.th


@pytest.mark.parametrize(("text", "first"), [("HPV", "HPVC21"), ("โรต้า", "R11"), ("เจอี", "J11"), ("DTP-HB", "091")])
def test_of_a_name_without_its_dose_the_doses_are_offered(text: str, first: str) -> None:
    found = means(text, "vaccine_code")
    assert isinstance(found, Unusable)
    assert found.rule == "cell.choice_close"
    assert first in found.message.th
    assert found.message.th.count(" / ") == 4 and " / … " in found.message.th


def test_a_name_unlike_any_is_refused_and_some_are_offered() -> None:
    found = means("xyz", "sex")
    assert isinstance(found, Unusable)
    assert found.rule == "cell.choice_unknown"
    assert "หญิง" in found.message.en


@pytest.mark.parametrize("value", [2.0, "2", "๒", " 02 "])
def test_a_count_is_a_small_whole_number(value: CellValue) -> None:
    assert means(value, "gravida") == "2"


@pytest.mark.parametrize("value", [2.5, 100.0, -1.0, "28 สัปดาห์", "28+3", moment(2026, 1, 1)])
def test_what_is_no_count_is_refused(value: CellValue) -> None:
    assert rule(value, "ga_week") == "cell.count"


@pytest.mark.parametrize(
    ("text", "codes"),
    [("E11.9", "E119"), ("e119, i10;J00\nZ00.0", "E119, I10, J00, Z000"), ("I10 I10", "I10"), ("E11.65,", "E1165")],
)
def test_diagnoses_are_codes_without_dots(text: str, codes: str) -> None:
    assert means(text, "dx2") == codes


@pytest.mark.parametrize("value", ["เบาหวาน", "E11. 9", "9955", "E", "E119 เบาหวาน", 119.0])
def test_what_is_no_diagnosis_is_refused(value: CellValue) -> None:
    assert rule(value, "dx1") == "cell.icd10"


@pytest.mark.parametrize("value", [None, "", "   ", "\u200b", "'", "\u00a0\ufeff"])
@pytest.mark.parametrize("column", COLUMNS)
def test_a_blank_cell_is_empty(value: CellValue, column: str) -> None:
    assert means(value, column) is None


@pytest.mark.parametrize("column", COLUMNS)
def test_a_dash_says_that_there_is_nothing(column: str) -> None:
    assert [means(text, column) for text in (" - ", "–", "—", "--", "−")] == [None] * 5


EMPTY_WORDS = [
    "NULL", "null", "(null)", "[NULL]", "\\N", "nan", "NaN", "NAN", "None", "none", "N/A", "#N/A", "-", "- -", ".", "…", '"', "ไม่ทราบ", "ไม่มี", "ไม่ระบุ",
    "\u200bNULL\u00a0", "'NULL",
]  # fmt: skip


@pytest.mark.parametrize("text", EMPTY_WORDS)
def test_a_word_for_no_value_is_none_in_any_column(text: str) -> None:
    """It went as the lot, the surname, the visit number."""
    found = {name: means(text, name) for name in COLUMNS}
    answers = {"ไม่ทราบ": {"marriage": "9"}, "ไม่มี": {"occupa": "ไม่มี"}}
    assert found == dict.fromkeys(COLUMNS) | answers.get(text, {})


@pytest.mark.parametrize("text", ["มี", "Nan", "Nat", "Nu", "นัน", "ไม่มีดี", "Nullová", "0", "ณ"])
def test_a_name_that_is_like_a_word_for_no_value_is_kept(text: str) -> None:
    assert (means(text, "fname"), means(text, "lname"), as_text(text)) == (text, text, text)


@pytest.mark.parametrize("column", ["fname", "lname", "provider_name", "manufacturer", "occupa", "title"])
def test_a_text_of_more_than_a_hundred_characters_is_refused(column: str) -> None:
    assert means("ก" * 100, column) == "ก" * 100
    assert rule("ก" * 101, column) == "cell.text_long"


@pytest.mark.parametrize("name", [name for name, column in COLUMNS.items() if column.choices])
def test_what_else_people_write_for_a_choice_means_it_alone(name: str) -> None:
    said = {
        text: code for (listed, code), also in spellings().items() if listed == COLUMNS[name].choices for text in also
    }
    assert {text: means(f" {text.upper()} ", name) for text in said} == said


def test_what_else_people_write_is_said_of_choices_that_are() -> None:
    offered = {(name, choice.value) for name, listed in CHOICES.items() for choice in listed}
    assert spellings().keys() <= offered
    assert all(text for also in spellings().values() for text in also)


@given(anything, st.sampled_from(list(COLUMNS.values())))
def test_no_value_is_too_odd_to_be_understood_or_refused(value: CellValue, column: Column) -> None:
    found = parse(value, column, CHOICES)
    assert (
        found is None
        or (isinstance(found, Unusable) and found.rule in REASONS)
        or isinstance(found, date)
        or found != ""
    )


@pytest.mark.parametrize("column", COLUMNS)
def test_a_refusal_repeats_neither_a_name_nor_an_identity_number(column: str) -> None:
    for secret in ("สมหญิงใจดี", "1990000000007"):
        for value in (secret, f"{secret} {secret}", float("1990000000007.5")):
            found = means(value, column)
            said = str(found.message) if isinstance(found, Unusable) else ""
            assert secret not in said


def test_every_reason_is_said_in_both_languages() -> None:
    for message in REASONS.values():
        assert any("ก" <= letter <= "๛" for letter in message.th)
        assert message.en.endswith(".") and message.en[0] not in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
