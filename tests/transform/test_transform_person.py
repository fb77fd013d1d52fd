"""The person and the visit: what every kind of claim needs."""

import json
from typing import Any

import pandas as pd
import pytest
from day_builder import PID, dm_day, make, only_claim, only_error, rules
from hypothesis import example, given
from hypothesis import strategies as st

from transform.person import fits_check_digit
from transform.text import is_unreadable

DASHED = f"{PID[0]}-{PID[1:5]}-{PID[5:10]} {PID[10:12]}-{PID[12]}"


def _as_tis620(text: str, lost: str | None = None) -> str:
    """UTF-8 text as a database shows it that reads its bytes as TIS-620, bytes without a letter replaced."""
    return "".join(
        chr(byte)
        if byte < 0x80 or (byte <= 0xA0 and lost is None)
        else lost or ""
        if byte <= 0xA0
        else chr(byte + 0xD60)
        for byte in text.encode()
    )


def _sent(made: Any) -> dict[str, Any]:
    sent: dict[str, Any] = json.loads(only_claim(made).payload)
    return sent


@pytest.mark.parametrize("stored", [DASHED, f" {PID} ", PID])
def test_dashes_and_spaces_are_taken_out_of_the_identity_number(stored: str) -> None:
    assert _sent(make(dm_day(cid=stored)))["pid"] == PID


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"cid": None}, "person.cid_missing"),
        ({"cid": "-"}, "person.cid_missing"),
        ({"cid": None, "passport_no": "AB123"}, "person.passport_only"),
        ({"cid": PID[:12]}, "person.cid_form"),
        ({"cid": "AB" + PID[:11]}, "person.cid_form"),
        ({"cid": "0000000000000"}, "person.cid_placeholder"),
        ({"cid": "1111111111111"}, "person.cid_placeholder"),
        ({"cid": "9999999999994"}, "person.cid_placeholder"),
        ({"cid": "1234567890121"}, "person.cid_placeholder"),
        ({"cid": PID[:12] + str((int(PID[12]) + 1) % 10)}, "person.cid_check_digit"),
        ({"fname": None}, "person.name_missing"),
        ({"lname": "-"}, "person.name_missing"),
        ({"fname": _as_tis620("สมหญิง")}, "person.name_unreadable"),
        ({"lname": _as_tis620("ใจดี", "?")}, "person.name_unreadable"),
        ({"title": _as_tis620("นาง")}, "person.name_unreadable"),
        ({"dob": None}, "person.dob_missing"),
        ({"dob": "2513-02-03"}, "person.dob_buddhist_year"),
        ({"dob": "2026-09-22"}, "person.dob_future"),
        ({"dob": "1905-09-21"}, "person.dob_too_old"),
        ({"sex": "9"}, "person.sex_unknown"),
        ({"sex": None}, "person.sex_unknown"),
        ({"nation": None}, "person.nation_missing"),
        ({"nation": None, "local_nation": "77"}, "person.nation_unmapped"),
        ({"nation": "TH"}, "person.nation_unmapped"),
        ({"hcode": "10954"}, "visit.other_hospital"),
        ({"hcode": None}, "visit.other_hospital"),
        ({"hospital_name": None}, "visit.hospital_name"),
        ({"hn": None}, "visit.hn_missing"),
        ({"visit_date": "2569-09-21"}, "visit.buddhist_year"),
        ({"visit_date": "2026-09-20"}, "visit.other_day"),
        ({"visit_time": None}, "visit.time_missing"),
    ],
)
def test_what_a_record_lacks_is_one_error(changes: dict[str, Any], rule: str) -> None:
    issue = only_error(make(dm_day(**changes)))
    assert issue.rule == rule
    assert PID not in str(issue.message)


@pytest.mark.parametrize("code", [None, "PP1234567890"])
def test_a_visit_not_closed_goes_with_a_warning(code: str | None) -> None:
    made = make(dm_day(closing_code=code))
    only_claim(made)
    assert rules(made, "warning") == ["visit.closing_code_missing"]


def test_a_blocked_claim_has_no_warnings() -> None:
    assert rules(make(dm_day(closing_code=None, sex=None)), "warning") == []


def test_leading_zeros_stay() -> None:
    sent = _sent(make(dm_day(hn="000000007", nation="99")))
    assert (sent["hn"], sent["nation"]) == ("000000007", "099")


def test_another_nationality_may_have_a_dm_claim() -> None:
    assert _sent(make(dm_day(nation="48")))["nation"] == "048"


@pytest.mark.parametrize(
    ("stored", "sent"),
    [
        ("นางสาว", "น.ส."), ("น.ส.", "น.ส."), ("น. ส.", "น.ส."), ("เด็กหญิง", "ด.ญ."), ("ดช.", "ด.ช."),
        ("นาย", "นาย"), ("MRS.", "MRS."), ("พ.ต.อ.", "พ.ต.อ."),
    ],
)  # fmt: skip
def test_titles_are_written_in_one_way(stored: str, sent: str) -> None:
    assert _sent(make(dm_day(title=stored)))["title"] == sent


@pytest.mark.parametrize("title", [None, "999"], ids=["none", "a code that nobody has put into words"])
def test_a_missing_title_goes_empty_with_a_warning(title: str | None) -> None:
    made = make(dm_day(title=title))
    assert _sent(made)["title"] == ""
    assert rules(made, "warning") == ["person.title_missing"]


@pytest.mark.parametrize(("stored", "sent"), [("3", "3"), (None, "9"), ("7", "9"), ("8", "9"), ("x", "9")])
def test_an_unknown_marital_status_is_9(stored: str | None, sent: str) -> None:
    assert _sent(make(dm_day(marriage=stored)))["marriage"] == sent


@pytest.mark.parametrize("title", ["พระ", "พระครู", "พระมหา"])
def test_clergy_is_told_by_the_title(title: str) -> None:
    sent = _sent(make(dm_day(title=title, sex="1")))
    assert (sent["title"], sent["marriage"]) == (title, "6")


def test_a_missing_or_unreadable_occupation_goes_empty() -> None:
    assert _sent(make(dm_day(occupa=None)))["occupa"] == ""
    made = make(dm_day(occupa=_as_tis620("รับจ้าง")))
    assert _sent(made)["occupa"] == ""
    assert rules(made, "warning") == ["person.occupation_unreadable"]


@pytest.mark.parametrize(
    "name",
    [
        "ธเนศ",
        "เธียรชัย",
        "เนตรนภา",
        "ธนกร",
        "เนเน่",
        "เธอ",
        "โธธเนศ",
        "อเนก",
        "เนธิ",
        "José",
        "สด",
        "O'Brien",
        "ณ เนรมิต",
        "ธเนษฐ",
    ],
)
def test_real_names_are_readable(name: str) -> None:
    assert not is_unreadable(pd.Series([name], dtype="str"))[0]


THAI_NAMES = st.text(st.sampled_from([chr(point) for point in range(0x0E01, 0x0E2F)]), min_size=3, max_size=12)


@given(THAI_NAMES, st.sampled_from([None, "?", "\ufffd", ""]))
def test_any_thai_text_read_in_the_wrong_character_set_is_found(name: str, lost: str | None) -> None:
    assert is_unreadable(pd.Series([_as_tis620(name, lost)], dtype="str"))[0]


@given(st.lists(st.integers(0, 10**12 - 1), min_size=1, max_size=5))
@example([0])
def test_exactly_one_check_digit_fits_any_number(numbers: list[int]) -> None:
    for number in numbers:
        all_ten = pd.Series([f"{number:012d}{digit}" for digit in range(10)], dtype="str")
        assert fits_check_digit(all_ten).sum() == 1


@given(st.integers(0, 10**13 - 1))
def test_the_check_digit_is_that_of_the_reference(number: int) -> None:
    text = f"{number:013d}"
    check = (11 - sum(int(text[place]) * (13 - place) for place in range(12)) % 11) % 10
    assert fits_check_digit(pd.Series([text], dtype="str"))[0] == (int(text[12]) == check)


@given(st.text(max_size=20))
def test_text_that_is_not_13_digits_never_fits(text: str) -> None:
    formed = len(text) == 13 and text.isascii() and text.isdigit()
    assert formed or not fits_check_digit(pd.Series([text], dtype="str"))[0]
