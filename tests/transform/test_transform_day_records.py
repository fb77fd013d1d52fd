"""What the records of one day say together: claims of the HIS, persons, days and times that contradict each other."""

import json
from dataclasses import replace
from typing import Any

import pytest
from day_builder import (
    cid,
    diagnosis,
    dm_day,
    dose,
    dt_day,
    earlier,
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

from transform.claim import Claim
from transform.claims import CLAIMED_BY_HIS, WITHOUT_VISIT
from transform.settings import TransformSettings

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


def test_diabetic_without_any_right_is_listed_for_a_result_of_hypertension() -> None:
    day = tables([visit(scheme=None)], [diagnosis(), diagnosis("I10")], [lab("1.1", "32202")])
    # was [], for the visit counted as looked at for diabetes
    assert [(i.kind, i.rule) for i in make(day).issues] == [("ht", "visit.scheme_missing")]


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


def test_doses_without_a_visit_reach_the_counts() -> None:
    made = make(replace(dm_day(), doses_without_visit=3))
    assert made.counts[WITHOUT_VISIT] == 3


A, B = "690921080000", "690921130000"
OF_DAY = TransformSettings(labs_of_day=True)


def _two_visits(diagnoses: list[Any], labs: list[Any], **other: Any) -> Any:
    return tables([visit(A, visit_time="08:00"), visit(B, visit_time="13:00", **other)], diagnoses, labs)


def _sent(claim: Claim) -> dict[str, str]:
    return {said["code"]: said["lab_result"] for said in json.loads(claim.payload)["claim_services"]}


LAB_ELSEWHERE = {
    # was nothing at all
    "dm": _two_visits([diagnosis("E119", A)], [lab("7.2", vn=B)]),
    # was a claim of creatinine alone, and potassium lost for good
    "ht": _two_visits([diagnosis("I10", A)], [lab("1.1", "32202", A), lab("4.0", "32103", B)]),
    # was a claim of A with creatinine, and B refused as claimed before
    "ht of both": _two_visits(
        [diagnosis("I10", A), diagnosis("I10", B)], [lab("1.1", "32202", A), lab("4.0", "32103", B)]
    ),
}


@pytest.mark.parametrize("case", LAB_ELSEWHERE)
def test_result_at_the_other_visit_of_the_day_is_listed(case: str) -> None:
    made = make(LAB_ELSEWHERE[case])
    assert made.claims == ()
    assert set(rules(made)) == {"lab.other_visit"}
    assert "(13:00)" in made.issues[0].message.en


@pytest.mark.parametrize(
    ("case", "sent"), [("dm", {"32401": "7.2"}), ("ht", {"32202": "1.1", "32103": "4"}), ("ht of both", None)]
)
def test_result_at_the_other_visit_of_the_day_counts_where_the_site_says_so(
    case: str, sent: dict[str, str] | None
) -> None:
    made = make(LAB_ELSEWHERE[case], settings=OF_DAY)
    (claim,) = made.claims
    assert (claim.vn, _sent(claim)) == (A, sent or {"32202": "1.1", "32103": "4"})
    assert rules(made) == ([] if sent else ["ht.claimed_before"])


@pytest.mark.parametrize("settings", [None, OF_DAY])
@pytest.mark.parametrize(
    ("day", "claimed"),
    [
        # the visit has its own result
        (_two_visits([diagnosis("E119", A)], [lab("7.2", vn=A), lab("9.9", vn=B)]), {"32401": "7.2"}),
        # the other visit is complete
        (_two_visits([diagnosis("E119", A), diagnosis("E119", B)], [lab("7.2", vn=B)]), {"32401": "7.2"}),
        # the other result cannot be sent
        (
            _two_visits([diagnosis("I10", A)], [lab("1.1", "32202", A), lab("Hemolysis", "32103", B)]),
            {"32202": "1.1"},
        ),
        # another person's
        (
            _two_visits([diagnosis("I10", A)], [lab("1.1", "32202", A), lab("4.0", "32103", B)], hn="7", cid=cid(7)),
            {"32202": "1.1"},
        ),
        # claimed by the HIS
        (
            _two_visits([diagnosis("I10", A)], [lab("1.1", "32202", A), lab("4.0", "32103", B)], his_claim_uid="u"),
            {"32202": "1.1"},
        ),
    ],
)
def test_result_that_is_nobodys_but_its_visits_changes_nothing(
    day: Any, claimed: dict[str, str], settings: TransformSettings | None
) -> None:
    made = make(day, settings=settings)
    assert [_sent(claim) for claim in made.claims] == [claimed]
    assert rules(made) == []


UNUSABLE_ELSEWHERE = {
    # each was nothing at all
    "contradicting": ([], [lab("1.1", "32202", B), lab("1.3", "32202", B)], "lab.contradicting"),
    "no number": ([], [lab("Hemolysis", "32202", B)], "lab.not_a_number"),
    # was a claim of potassium alone
    "contradicting beside its own": (
        [lab("4.0", "32103", A)], [lab("1.1", "32202", B), lab("1.3", "32202", B)], "lab.contradicting"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", UNUSABLE_ELSEWHERE)
def test_unusable_result_at_the_other_visit_of_the_day_is_listed(case: str) -> None:
    own, others, rule = UNUSABLE_ELSEWHERE[case]
    day = _two_visits([diagnosis("I10", A)], own + others)
    assert only_error(make(day)).rule == "lab.other_visit"
    assert only_error(make(day, settings=OF_DAY)).rule == rule


@pytest.mark.parametrize(("settings", "rule"), [(None, "lab.other_visit"), (OF_DAY, "visit.scheme_missing")])
def test_visit_without_any_right_is_listed_for_a_result_at_the_other_visit(
    settings: TransformSettings | None, rule: str
) -> None:
    visits = [visit(A, visit_time="08:00", scheme=None), visit(B, visit_time="13:00")]
    # was nothing at all
    assert only_error(make(tables(visits, [diagnosis("E119", A)], [lab(vn=B)]), settings=settings)).rule == rule


def test_visit_without_any_right_changes_nothing_where_the_other_visit_is_complete() -> None:
    visits = [visit(A, visit_time="08:00", scheme=None), visit(B, visit_time="13:00")]
    day = tables(visits, [diagnosis("E119", A), diagnosis("E119", B)], [lab(vn=B)])
    assert only_claim(make(day)).vn == B


def test_claim_that_was_sent_does_not_wait_for_a_later_result() -> None:
    made = make(LAB_ELSEWHERE["ht"], earlier("ht", A, "2026-09-21"))
    assert [_sent(claim) for claim in made.claims] == [{"32202": "1.1"}]


def test_diagnosed_twice_on_a_day_is_one_claim() -> None:
    day = _two_visits([diagnosis("I10", A), diagnosis("I10", B)], [lab("1.1", "32202", A), lab("1.2", "32202", B)])
    made = make(day)
    assert [(claim.vn, _sent(claim)) for claim in made.claims] == [(A, {"32202": "1.1"})]
    assert rules(made) == ["ht.claimed_before"]
