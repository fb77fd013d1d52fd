"""What the records of one day say together: claims of the HIS, persons, days and times that contradict each other."""

import json
from typing import Any

import pytest
from day_builder import (
    cid,
    diagnosis,
    dm_day,
    dose,
    dt_day,
    ht_day,
    keys,
    lab,
    make,
    only_claim,
    only_error,
    rules,
    tables,
    visit,
)

from transform.claims import CLAIMED_BY_HIS

MOTHER, NEWBORN = "690921080000", "690921090000"


@pytest.mark.parametrize(
    ("kinds", "claimed"),
    [
        (None, []),
        ("dm ht epi dt", []),
        # was [] whatever the transaction was about: the visit lost its HbA1c
        ("epi  dt", ["dm"]),
        ("dm ht  ", ["dt"]),
    ],
)
def test_claim_of_the_his_counts_for_the_kinds_that_it_is_about(kinds: str | None, claimed: list[str]) -> None:
    changes = {"his_claim_uid": "uid", "his_claim_kinds": kinds}
    made = make(tables([visit(**changes)], [diagnosis()], [lab()], [dose("106")]))
    assert [kind for _, kind, _, _ in keys(made)] == claimed
    assert made.counts[CLAIMED_BY_HIS] == 2 - len(claimed)


def test_unknown_right_is_listed_where_the_his_claimed_a_dose_alone() -> None:
    changes = {"scheme": None, "local_scheme": "77", "his_claim_uid": "uid", "his_claim_kinds": "epi dt"}
    # was [], for the visit counted as claimed
    assert rules(make(dm_day(**changes))) == ["visit.scheme_unmapped"]


@pytest.mark.parametrize("other", [{"dob": "2026-09-20"}, {"fname": "เด็กหญิง"}])
def test_two_persons_under_one_identity_number_are_asked_about(other: dict[str, Any]) -> None:
    visits = [visit(MOTHER), visit(NEWBORN, hn="000009999", **other)]
    made = make(tables(visits, vaccinations=[dose("106", MOTHER), dose("091", NEWBORN)]))
    # was one claim for each, under the mother's number
    assert made.claims == ()
    assert sorted((issue.vn, issue.rule) for issue in made.issues if issue.severity == "error") == [
        (MOTHER, "person.cid_shared"),
        (NEWBORN, "person.cid_shared"),
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"hn": "000001234", "fname": "สมหญิง "},
        {"hn": "000009999"},  # registered twice, but the same person
        {"hn": "000009999", "dob": None},
        {"hn": "000009999", "fname": "อื่น", "cid": cid(77)},
    ],
)
def test_one_person_under_one_identity_number_is_claimed(other: dict[str, Any]) -> None:
    made = make(tables([visit(MOTHER), visit(NEWBORN, **other)], vaccinations=[dose("106", MOTHER)]))
    assert [claim.vn for claim in made.claims] == [MOTHER]


@pytest.mark.parametrize("day", [dm_day, ht_day])
def test_visit_without_any_right_is_listed(day: Any) -> None:
    # was nothing at all
    assert only_error(make(day(scheme=None))).rule == "visit.scheme_missing"


@pytest.mark.parametrize("changes", [{"scheme": "-"}, {"scheme": "OFC"}])
def test_right_that_pays_for_nothing_is_not_asked_about(changes: dict[str, Any]) -> None:
    made = make(dm_day(**changes))
    assert (made.claims, made.issues) == ((), ())


def test_visit_without_any_right_and_without_a_result_is_not_asked_about() -> None:
    assert make(tables([visit(scheme=None)], [diagnosis()])).issues == ()


@pytest.mark.parametrize(
    "day",
    [
        dm_day(visit_time="00:00"),
        dt_day({"visit_time": "00:00"}, given_date=None, given_time=None),
        dt_day(given_time="00:00"),
    ],
)
def test_midnight_is_warned_about_and_claimed(day: Any) -> None:
    made = make(day)
    assert len(made.claims) == 1
    # was no word: 00:00 is what a HIS stores where no time was entered
    assert rules(made, "warning") == ["visit.midnight"]


def test_five_past_midnight_is_a_time() -> None:
    assert rules(make(dm_day(visit_time="00:05")), "warning") == []


def test_diagnosis_of_another_year_that_makes_the_claim_is_refused_with_its_day() -> None:
    made = make(tables([visit()], [diagnosis(dx_date="2025-09-21")], [lab()]))
    # was a claim with a diagnosis of a year before the visit
    issue = only_error(made)
    assert issue.rule == "diagnosis.far_day"
    assert "E119 (2025-09-21) is 365 days" in issue.message.en


@pytest.mark.parametrize(("day", "far"), [("2026-08-21", False), ("2026-08-20", True), ("2026-10-23", True)])
def test_diagnosis_of_another_day_goes_up_to_the_limit(day: str, far: bool) -> None:
    made = make(tables([visit()], [diagnosis(dx_date=day)], [lab()]))
    assert rules(made) == (["diagnosis.far_day"] if far else [])


def test_another_diagnosis_of_a_far_day_is_left_out_with_a_warning() -> None:
    made = make(tables([visit()], [diagnosis(), diagnosis("I10", dx_type="2", dx_date="2025-01-05")], [lab()]))
    payload = json.loads(only_claim(made).payload)
    # was sent with its day of the year before
    assert [said["icd10"] for said in payload["diagnosis"]] == ["E119"]
    assert rules(made, "warning") == ["diagnosis.left_out"]
