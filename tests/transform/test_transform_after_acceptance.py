"""What is said of a claim that was taken and has become otherwise in the HIS: which field, from, to; nobody in it."""

import json
from datetime import date
from typing import Any

import pytest
from day_builder import PID, cid

from transform.after_acceptance import CHANGED, VANISHED, AcceptedClaim, after_acceptance, differences
from transform.claim import Claim, Issue, payload_hash
from transform.rules import registry

DAY = date(2026, 9, 21)
DIAGNOSES = [
    {"dx_date_time": "2026-09-21 09:45", "icd10": "E119", "dx_type": "1"},
    {"dx_date_time": "2026-09-21 09:45", "icd10": "I10", "dx_type": "2"},
]
LABS = [
    {"name": "Creatinine (Cr)", "code": "32202", "lab_result": "0.9"},
    {"name": "Potassium (K)", "code": "32103", "lab_result": "4.1"},
]
DOSE = {
    "code": "106",
    "lot_number": "LOT-1",
    "manufacturer": "",
    "expiration_date": "2028-01-31",
    "occurence_date_time": "2026-09-21 09:30",
    "license_no": "ว.12345",
    "name": "ผู้ให้ วัคซีน",
}
SENT: dict[str, Any] = {
    "seq": "690921093000",
    "hn": "000001234",
    "pid": PID,
    "title": "นาง",
    "fname": "สมหญิง",
    "lname": "ใจดี",
    "occupa": "รับจ้าง",
    "dob": "1970-02-03",
    "visit_date_time": "2026-09-21 09:30",
    "diagnosis": DIAGNOSES,
    "claim_services": LABS,
    "vaccine": [DOSE],
}


def said_of(**changes: Any) -> list[tuple[str, str, str]]:
    return list(differences(SENT, SENT | changes))


def taken(now: dict[str, Any] | None) -> AcceptedClaim:
    body = json.dumps(now, ensure_ascii=False).encode()
    made = now and Claim("10953", "ht", "69-1", "", "000001234", PID, "dmht", DAY, 85, body, payload_hash(body))
    return AcceptedClaim("10953", "ht", "69-1", "", "000001234", json.dumps(SENT).encode(), made or None)


def issues_of(now: dict[str, Any] | None) -> list[Issue]:
    return list(after_acceptance([taken(now)], DAY))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"visit_date_time": "2026-09-22 08:05"}, ("visit_date_time", "“2026-09-21 09:30”", "“2026-09-22 08:05”")),
        ({"dob": "1971-02-03"}, ("dob", "“1970-02-03”", "“1971-02-03”")),
        ({"occupa": "ค้าขาย"}, ("occupa", "“รับจ้าง”", "“ค้าขาย”")),
        ({"title": ""}, ("title", "“นาง”", "–")),
        (
            {"claim_services": [LABS[0], LABS[1] | {"lab_result": "4.3"}]},
            ("claim_services[1].lab_result", "“4.1”", "“4.3”"),
        ),
        (
            {"diagnosis": [DIAGNOSES[0] | {"icd10": "E112"}, DIAGNOSES[1]]},
            ("diagnosis[0].icd10", "“E119”", "“E112”"),
        ),
        ({"vaccine": [DOSE | {"lot_number": "LOT-2"}]}, ("vaccine[0].lot_number", "“LOT-1”", "“LOT-2”")),
        (
            {"vaccine": [DOSE | {"expiration_date": "2029-01-31"}]},
            ("vaccine[0].expiration_date", "“2028-01-31”", "“2029-01-31”"),
        ),
        ({"prenatal": {"gravida": "2", "ga_week": "14"}}, ("prenatal", "–", "“2 14”")),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_field_that_differs_is_said_with_its_path_and_both_values(
    changes: dict[str, Any], said: tuple[str, str, str]
) -> None:
    assert said_of(**changes) == [said]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pid": cid(87654321)}, ("pid", f"“…{PID[-3:]}”", f"“…{cid(87654321)[-3:]}”")),
        ({"hn": "000001299"}, ("hn", "“…234”", "“…299”")),
        ({"fname": "วิมล", "lname": "ดีใจ"}, ("fname", "“ส…”", "“ว…”")),
        ({"vaccine": [DOSE | {"name": "พยาบาล ใหม่"}]}, ("vaccine[0].name", "“ผ…”", "“พ…”")),
        ({"vaccine": [DOSE | {"license_no": "ว.67890"}]}, ("vaccine[0].license_no", "“…345”", "“…890”")),
        ({"occupa": f"รับจ้าง {PID}"}, ("occupa", "“รับจ้าง”", f"“…{PID[-3:]}”")),
        ({"vaccine": [DOSE | {"lot_number": "202601015"}]}, ("vaccine[0].lot_number", "“LOT-1”", "“…015”")),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_numbers_and_names_of_people_are_masked(changes: dict[str, Any], said: tuple[str, str, str]) -> None:
    assert said_of(**changes)[0] == said


def test_the_name_of_a_lab_is_nobodys_and_is_shown() -> None:
    labs = [LABS[0] | {"name": "Creatinine"}, LABS[1]]
    assert said_of(claim_services=labs) == [("claim_services[0].name", "“Creatinine (Cr)”", "“Creatinine”")]


def test_of_lists_that_differ_in_length_what_has_gone_and_what_has_come_is_said() -> None:
    assert said_of(claim_services=LABS[1:]) == [("claim_services", "“Creatinine (Cr) 32202 0.9”", "–")]
    more = [{"dx_date_time": "2026-09-21 10:00", "icd10": "N183", "dx_type": "2"}, *DIAGNOSES]
    assert said_of(diagnosis=more) == [("diagnosis", "–", "“2026-09-21 10:00 N183 2”")]
    other = [DIAGNOSES[0] | {"icd10": "E112"}]
    assert said_of(diagnosis=other) == [
        ("diagnosis", "“2026-09-21 09:45 E119 1, 2026-09-21 09:45 I10 2”", "“2026-09-21 09:45 E112 1”")
    ]
    assert said_of(diagnosis=[*DIAGNOSES, DIAGNOSES[1]]) == [("diagnosis", "–", "“2026-09-21 09:45 I10 2”")]


def test_a_list_that_is_there_no_longer_or_is_new_is_said_whole() -> None:
    without = {name: value for name, value in SENT.items() if name != "claim_services"}
    whole = "“Creatinine (Cr) 32202 0.9, Potassium (K) 32103 4.1”"
    assert list(differences(SENT, without)) == [("claim_services", whole, "–")]
    assert list(differences(without, SENT)) == [("claim_services", "–", whole)]


def test_what_is_said_of_a_whole_dose_names_nobody() -> None:
    ((path, before, after),) = said_of(vaccine=[])
    assert (path, after) == ("vaccine", "–")
    assert before == "“106 LOT-1 2028-01-31 2026-09-21 09:30 …345 ผ…”"


def test_each_field_that_differs_is_an_issue_of_its_own() -> None:
    moved = "2026-09-22 08:05"
    found = issues_of(SENT | {"visit_date_time": moved, "claim_services": [LABS[0] | {"lab_result": "1.0"}, LABS[1]]})
    assert [(i.rule, i.severity, i.column) for i in found] == [
        (CHANGED.code, "warning", "visit_date_time"),
        (CHANGED.code, "warning", "claim_services[0].lab_result"),
    ]
    lab = found[1]
    assert (lab.hcode, lab.kind, lab.vn, lab.item, lab.hn) == ("10953", "ht", "69-1", "", "000001234")
    assert lab.service_date == DAY
    assert lab.message.en == (
        "Changed in the HIS after MOPH Claim had taken it: claim_services[0].lab_result, from “0.9” to “1.0”. "
        + CHANGED.advice.en
    )
    assert lab.message.th == (
        "ข้อมูลใน HIS เปลี่ยนหลังจาก MOPH Claim รับแล้ว: claim_services[0].lab_result จาก “0.9” เป็น “1.0” " + CHANGED.advice.th
    )


def test_braces_in_a_value_are_text() -> None:
    assert "“{field} {0}”" in issues_of(SENT | {"occupa": "{field} {0}"})[0].message.en


def test_other_bytes_of_the_same_payload_are_no_difference() -> None:
    assert issues_of(dict(reversed(SENT.items()))) == []
    assert issues_of(SENT | {"prenatal": None, "note": ""}) == []


def test_a_claim_that_the_his_no_longer_gives_is_said_to_have_vanished() -> None:
    (gone,) = issues_of(None)
    assert (gone.rule, gone.severity, gone.message) == (VANISHED.code, "warning", VANISHED.sentence())


def test_both_rules_are_registered_and_call_for_a_person() -> None:
    assert [registry()[rule.code].calls_for_a_person for rule in (CHANGED, VANISHED)] == [True, True]
