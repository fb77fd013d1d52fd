"""dm: which HbA1c results become a claim, and which do not."""

import json
from typing import Any

import pytest
from day_builder import (
    PID,
    VN,
    cid,
    diagnosis,
    dm_day,
    earlier,
    keys,
    lab,
    make,
    only_claim,
    only_error,
    rules,
    tables,
    visit,
)


def test_a_dm_claim_is_the_payload_of_the_reference() -> None:
    claim = only_claim(make(dm_day("7.20 %")))
    assert json.loads(claim.payload) == {
        "seq": VN,
        "hn": "000001234",
        "pid": PID,
        "id_type": "1",
        "title": "นาง",
        "fname": "สมหญิง",
        "lname": "ใจดี",
        "occupa": "รับจ้าง",
        "marriage": "2",
        "dob": "1970-02-03",
        "sex": "2",
        "nation": "099",
        "hcode": "10953",
        "hospital_name": "โรงพยาบาลตัวอย่าง",
        "visit_date_time": "2026-09-21 09:30",
        "uuc": "1",
        "is_used_dm": "1",
        "is_used_ht": "0",
        "diagnosis": [{"dx_date_time": "2026-09-21 09:45", "icd10": "E119", "dx_type": "1"}],
        "claim_services": [{"name": "HbA1C", "code": "32401", "lab_result": "7.2"}],
    }
    assert (claim.kind, claim.service, claim.item, claim.baht) == ("dm", "dmht", "", 150)


@pytest.mark.parametrize("scheme", ["UCS", "WEL", "DIS"])
def test_universal_coverage_is_claimed(scheme: str) -> None:
    only_claim(make(dm_day(scheme=scheme)))


@pytest.mark.parametrize("scheme", ["OFC", "SSS", "LGO"])
def test_another_right_is_no_issue(scheme: str | None) -> None:
    made = make(dm_day(scheme=scheme))
    assert (made.claims, made.issues) == ((), ())


def test_another_diagnosis_is_no_issue() -> None:
    made = make(tables([visit()], [diagnosis("E109")], [lab()]))
    assert (made.claims, made.issues) == ((), ())


def test_a_visit_without_hba1c_is_no_issue() -> None:
    made = make(tables([visit()], [diagnosis()]))
    assert (made.claims, made.issues) == ((), ())


def test_e11_counts_at_any_rank() -> None:
    made = make(tables([visit()], [diagnosis("N180"), diagnosis("E1122", dx_type="4")], [lab()]))
    sent = json.loads(only_claim(made).payload)["diagnosis"]
    assert [(row["dx_type"], row["icd10"]) for row in sent] == [("1", "N180"), ("4", "E1122")]


def test_the_latest_result_counts() -> None:
    labs = [lab("7.9", result_time="11:00"), lab("7.1", result_time="08:00")]
    assert _sent(*labs) == "7.9"


@pytest.mark.parametrize(
    ("latest", "other"),
    [
        ({"lab_order": "10"}, {"lab_order": "9"}),
        # a number that begins anew each day
        ({"lab_order": "1", "result_date": "2026-09-22"}, {"lab_order": "2"}),
        ({"lab_order": "1", "result_time": "10:01"}, {"lab_order": "2"}),
        ({"lab_order": "2", "result_time": None}, {"lab_order": "1", "result_time": None}),
        ({"result_date": "2026-09-22", "result_time": None}, {}),
    ],
)
def test_of_results_the_latest_by_day_time_and_order_counts(latest: dict[str, Any], other: dict[str, Any]) -> None:
    for labs in ([lab("7.9", **latest), lab("7.1", **other)], [lab("7.1", **other), lab("7.9", **latest)]):
        assert _sent(*labs) == "7.9"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {}),  # was claimed as the later row
        ({"lab_order": "3"}, {"lab_order": "3"}),
        ({"lab_order": "3"}, {}),
        ({"lab_order": "A3"}, {"lab_order": "A4"}),
        ({}, {"result_time": None}),  # was claimed as the one with a time
        ({"lab_order": "3"}, {"lab_order": "4", "result_time": None}),
        ({}, {"result_date": None, "result_time": None}),
        ({"result_date": None, "result_time": None}, {"result_date": None, "result_time": None}),
    ],
)
def test_contradicting_results_of_unknown_order_are_named(one: dict[str, Any], other: dict[str, Any]) -> None:
    issue = only_error(make(tables([visit()], [diagnosis()], [lab("7.9", **one), lab("7.1", **other)])))
    assert (issue.rule, issue.column) == ("lab.contradicting", "labs.result")
    assert "HbA1C “7.1” / “7.9” (3–20 %)" in issue.message.en


def test_contradicting_results_of_long_texts_are_both_named() -> None:
    words = "ตัวอย่างแตก กรุณาเจาะใหม่แล้วส่งมาอีกครั้ง" * 3
    issue = only_error(make(tables([visit()], [diagnosis()], [lab("7.9"), lab(words)])))
    assert "“7.9” / “ตัวอย่าง" in issue.message.th


def test_contradicting_earlier_results_do_not_matter() -> None:
    labs = [lab("7.1"), lab("7.9"), lab("8.4", result_time="11:00")]
    assert _sent(*labs) == "8.4"


def test_a_result_of_unknown_order_beside_two_known_ones_contradicts_the_later() -> None:
    labs = [lab("7.1", result_time="08:00"), lab("9.9", result_time=None), lab("7.9", result_time="11:00")]
    issue = only_error(make(tables([visit()], [diagnosis()], labs)))
    assert "“7.9” / “9.9”" in issue.message.en


def test_midnight_does_not_tell_which_of_two_results_is_later() -> None:
    labs = [lab("7.2", result_time="00:00", lab_order="10"), lab("8.1", result_time="09:00", lab_order="9")]
    # was a claim of 8.1
    assert only_error(make(tables([visit()], [diagnosis()], labs))).rule == "lab.contradicting"
    assert _sent(labs[0], labs[1] | {"result_time": "00:00"}) == "7.2"


def test_results_of_one_day_in_two_calendars_are_ordered_by_time() -> None:
    # was 7.2, as 2569 is after 2026
    assert _sent(lab("7.2", result_date="2569-09-21", result_time="08:00"), lab("8.1", result_time="09:00")) == "8.1"


@pytest.mark.parametrize("repeated", ["7.2", "7.20 %", "07.2"])
def test_results_of_one_instant_that_are_the_same_number_are_one(repeated: str) -> None:
    assert _sent(lab("7.2"), lab(repeated)) == "7.2"


def test_a_result_without_day_and_time_is_fine_alone() -> None:
    assert _sent(lab("7.2", result_date=None, result_time=None)) == "7.2"


def _sent(*labs: dict[str, Any]) -> str:
    made = make(tables([visit()], [diagnosis()], list(labs)))
    return str(json.loads(only_claim(made).payload)["claim_services"][0]["lab_result"])


def test_an_unusable_latest_result_is_not_replaced_by_an_earlier_one() -> None:
    labs = [lab("7.9", result_time="08:00"), lab("Hemolysis", result_time="11:00")]
    assert only_error(make(tables([visit()], [diagnosis()], labs))).rule == "lab.not_a_number"


@pytest.mark.parametrize("result", ["<4.0", ">14", "Hemolysis", "7,2", "7.2 6.8", "งดเจาะ", "-7", "7.2 mg/dL", "+7.2"])
def test_a_result_that_is_no_number_is_refused_with_its_text(result: str) -> None:
    issue = only_error(make(dm_day(result)))
    assert issue.rule == "lab.not_a_number"
    assert result in issue.message.th
    assert result in issue.message.en
    assert issue.column == "labs.result"


@pytest.mark.parametrize("result", ["2.9", "20.1", "72"])
def test_a_result_out_of_range_is_refused(result: str) -> None:
    issue = only_error(make(dm_day(result)))
    assert issue.rule == "lab.out_of_range"
    assert "3–20 %" in issue.message.en


@pytest.mark.parametrize(("result", "sent"), [("3", "3"), ("20.0%", "20"), ("๗.๒", "7.2"), ("07.20", "7.2")])
def test_a_plausible_number_is_sent_plain(result: str, sent: str) -> None:
    assert json.loads(only_claim(make(dm_day(result))).payload)["claim_services"][0]["lab_result"] == sent


def test_an_identity_number_in_a_result_is_not_shown() -> None:
    issue = only_error(make(dm_day(f"ของ {PID}")))
    assert PID not in str(issue.message)


@pytest.mark.parametrize(("claimed", "found"), [("2026-06-21", []), ("2026-06-22", ["dm.interval"])])
def test_three_calendar_months_lie_between_claims(claimed: str, found: list[str]) -> None:
    assert rules(make(dm_day(), earlier("dm", "690622080000", claimed))) == found


def test_a_later_claim_counts_for_the_interval_too() -> None:
    issue = only_error(make(dm_day(), earlier("dm", "691201080000", "2026-12-01")))
    assert issue.rule == "dm.interval"
    assert "2026-12-01" in issue.message.en


def test_the_claim_itself_in_the_history_does_not_count() -> None:
    only_claim(make(dm_day(), earlier("dm", VN, "2026-09-21")))


def test_another_person_or_kind_in_the_history_does_not_count() -> None:
    history = [earlier("dm", "690901080000", "2026-09-01", pid=cid(2)), earlier("epi", "690901080001", "2026-09-01")]
    only_claim(make(dm_day(), *history))


def test_the_third_of_a_fiscal_year_is_refused() -> None:
    history = [earlier("dm", "1", "2025-10-01"), earlier("dm", "2", "2026-02-01")]
    assert rules(make(dm_day(), *history)) == ["dm.fiscal_year"]


def test_claims_of_another_fiscal_year_do_not_count() -> None:
    history = [earlier("dm", "1", "2025-09-30"), earlier("dm", "2", "2026-02-01")]
    only_claim(make(dm_day(), *history))


def test_of_two_visits_of_a_day_the_earlier_claims() -> None:
    first, second = visit("690921140000", visit_time="08:00"), visit("690921080000", visit_time="14:00")
    rows = [diagnosis(vn=first["vn"]), diagnosis(vn=second["vn"])]
    made = make(tables([second, first], rows, [lab(vn=second["vn"]), lab(vn=first["vn"])]))
    assert [key[2] for key in keys(made)] == [first["vn"]]
    (issue,) = made.issues
    assert (issue.rule, issue.vn) == ("dm.interval", second["vn"])


def test_an_earlier_visit_that_cannot_claim_does_not_stand_in_the_way() -> None:
    first, second = visit("1", visit_time="08:00"), visit("2", visit_time="14:00")
    rows = [diagnosis(vn="1"), diagnosis(vn="2")]
    made = make(tables([first, second], rows, [lab("Hemolysis", vn="1"), lab(vn="2")]))
    assert [key[2] for key in keys(made)] == ["2"]
    assert rules(made) == ["lab.not_a_number"]


def test_a_diagnosis_without_a_time_has_the_visits() -> None:
    made = make(tables([visit()], [diagnosis(dx_date=None, dx_time=None)], [lab()]))
    assert json.loads(only_claim(made).payload)["diagnosis"][0]["dx_date_time"] == "2026-09-21 09:30"


def test_repeated_diagnoses_are_sent_once() -> None:
    rows = [diagnosis(dx_type="4"), diagnosis(), diagnosis("I10", dx_type="2"), diagnosis("I10", dx_type="2")]
    sent = json.loads(only_claim(make(tables([visit()], rows, [lab()]), kinds=("dm",))).payload)["diagnosis"]
    assert [(row["dx_type"], row["icd10"]) for row in sent] == [("1", "E119"), ("2", "I10")]


@pytest.mark.parametrize(
    "other",
    [
        diagnosis("Z", dx_type="2"),
        diagnosis("I10", dx_type=None),
        diagnosis("I10", dx_date="2569-09-21"),
        diagnosis("I10", dx_date="2269-09-21"),
    ],
)
def test_an_incomplete_other_diagnosis_is_left_out_with_a_warning(other: dict[str, Any]) -> None:
    made = make(tables([visit()], [diagnosis(), other], [lab()]))
    assert rules(made, "warning") == ["diagnosis.left_out"]
    assert len(json.loads(made.claims[0].payload)["diagnosis"]) == 1


def test_an_incomplete_e11_is_an_error() -> None:
    made = make(tables([visit()], [diagnosis(dx_type=None), diagnosis("N180")], [lab()]))
    assert only_error(made).rule == "diagnosis.unusable"


def test_dm_and_ht_of_a_visit_are_two_claims() -> None:
    labs = [lab(), lab("1.2", "32202")]
    made = make(tables([visit()], [diagnosis(), diagnosis("I10", dx_type="2")], labs))
    assert [key[1] for key in keys(made)] == ["dm", "ht"]
