"""ht: creatinine and potassium of the newly diagnosed."""

import json

import pytest
from day_builder import VN, diagnosis, earlier, ht_day, keys, lab, make, only_claim, only_error, rules, tables, visit

CR, K = ("1.1", "32202"), ("4.0", "32103")


def _services(payload: bytes) -> list[tuple[str, str, str]]:
    return [(row["code"], row["name"], row["lab_result"]) for row in json.loads(payload)["claim_services"]]


def test_both_results_go_in_one_claim() -> None:
    claim = only_claim(make(ht_day()))
    assert _services(claim.payload) == [("32202", "Creatinine (Cr)", "1.1"), ("32103", "Potassium (K)", "4")]
    sent = json.loads(claim.payload)
    assert (sent["is_used_dm"], sent["is_used_ht"], claim.baht) == ("0", "1", 85)


@pytest.mark.parametrize(("row", "baht"), [(CR, 45), (K, 40)])
def test_one_result_is_enough(row: tuple[str, str], baht: int) -> None:
    made = make(ht_day(lab(*row)))
    assert only_claim(made).baht == baht
    assert made.issues == ()


@pytest.mark.parametrize("icd10", ["I10", "I110", "I129", "I132", "I150"])
def test_i10_to_i15_qualify(icd10: str) -> None:
    only_claim(make(tables([visit()], [diagnosis(icd10)], [lab(*CR)])))


def test_a_refused_result_beside_a_usable_one_is_a_warning_that_names_it() -> None:
    made = make(ht_day(lab("1.1", "32202"), lab("Hemolysis", "32103")))
    assert _services(only_claim(made).payload) == [("32202", "Creatinine (Cr)", "1.1")]
    (issue,) = made.issues
    assert (issue.rule, issue.severity) == ("lab.left_out", "warning")
    assert "Potassium (K)" in issue.message.en
    assert "Hemolysis" in issue.message.th


def test_no_usable_result_is_an_error_for_each() -> None:
    made = make(ht_day(lab("0", "32202"), lab("Hemolysis", "32103")))
    assert made.claims == ()
    assert sorted(rules(made)) == ["lab.not_a_number", "lab.out_of_range"]


def test_two_unusable_results_of_one_reason_are_one_error_that_names_both() -> None:
    issue = only_error(make(ht_day(lab("Clotted", "32202"), lab("Hemolysis", "32103"))))
    assert "Creatinine (Cr) “Clotted” (0.1–30 mg/dL), Potassium (K) “Hemolysis”" in issue.message.th


def test_contradicting_results_hold_the_other_result_back() -> None:
    # A claim with the other alone could not be made whole afterwards: it is paid once.
    issue = only_error(make(ht_day(lab("1.1", "32202"), lab("1.9", "32202"), lab("4.0", "32103"))))
    assert issue.rule == "lab.contradicting"
    assert "Creatinine (Cr) “1.1” / “1.9”" in issue.message.en


@pytest.mark.parametrize("result", ["88 umol/L", "88"])
def test_creatinine_in_another_unit_is_refused(result: str) -> None:
    assert only_error(make(ht_day(lab(result, "32202")))).rule in {"lab.not_a_number", "lab.out_of_range"}


@pytest.mark.parametrize("result", ["1.1 mg/dL", "1.1mg/dl"])
def test_an_attached_unit_is_fine(result: str) -> None:
    assert _services(only_claim(make(ht_day(lab(result, "32202")))).payload)[0][2] == "1.1"


def test_an_earlier_diagnosis_is_an_error_that_tells_it() -> None:
    earlier = diagnosis("I10", dx_date="2024-05-01", earlier=True)
    issue = only_error(make(tables([visit()], [diagnosis("I10"), earlier], [lab(*CR)])))
    assert issue.rule == "ht.not_newly_diagnosed"
    assert "I10" in issue.message.en
    assert "2024-05-01" in issue.message.th


def test_an_earlier_diagnosis_is_not_sent_with_a_dm_claim() -> None:
    rows = [diagnosis(), diagnosis("I10", dx_type="2"), diagnosis("I11", dx_date="2024-05-01", earlier=True)]
    made = make(tables([visit()], rows, [lab()]))
    assert [row["icd10"] for row in json.loads(only_claim(made).payload)["diagnosis"]] == ["E119", "I10"]


@pytest.mark.parametrize("day", ["2021-01-01", "2026-11-01"])
def test_a_claim_in_the_history_is_an_error_whenever_it_was(day: str) -> None:
    assert only_error(make(ht_day(), earlier("ht", "x", day))).rule == "ht.claimed_before"


def test_the_claim_itself_in_the_history_does_not_count() -> None:
    only_claim(make(ht_day(), earlier("ht", VN, "2026-09-21")))


def test_of_two_visits_of_a_day_the_earlier_claims() -> None:
    rows = [diagnosis("I10", vn="1"), diagnosis("I10", vn="2")]
    visits = [visit("2", visit_time="14:00"), visit("1", visit_time="08:00")]
    made = make(tables(visits, rows, [lab(*CR, vn="1"), lab(*CR, vn="2")]))
    assert [key[2] for key in keys(made)] == ["1"]
    assert rules(made) == ["ht.claimed_before"]


def test_another_right_or_no_lab_is_no_issue() -> None:
    assert make(ht_day(scheme="SSS")).issues == ()
    assert make(tables([visit()], [diagnosis("I10")], [lab("135", "99999")])).issues == ()
