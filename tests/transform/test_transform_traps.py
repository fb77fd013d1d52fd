"""The traps of hospital databases, from a synthetic HOSxP or JHCIS on each database to claims: each ends as it should."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from hospitals import TRAPS_OF, Reading

from sandbox.payloads import invalid_fields
from transform.claims import CLAIMED_BY_HIS

pytestmark = pytest.mark.xdist_group("hospitals")

REFUSED = {
    "zero_date_of_birth": "person.dob_missing",
    "buddhist_date_of_birth": "person.dob_buddhist_year",
    "implausible_date_of_birth": "person.dob_future person.dob_too_old",
    "identity_number_placeholder": "person.cid_placeholder",
    "identity_number_wrong_check_digit": "person.cid_check_digit",
    "identity_number_missing": "person.cid_missing",
    "passport_only": "person.passport_only",
    "mojibake_name": "person.name_unreadable",
    "name_missing": "person.name_missing",
    "sex_missing": "person.sex_unknown",
    "nationality_unmapped": "person.nation_missing person.nation_unmapped",
    "foreign_nationality": "vaccine.not_thai",
    "buddhist_visit_date": "visit.buddhist_year",
    "visit_time_missing": "visit.time_missing",
    "two_visits_one_day": "dm.interval",
    "hba1c_twice_within_three_months": "dm.interval",
    "not_newly_hypertensive": "ht.not_newly_diagnosed",
    "hypertension_followed_up": "ht.claimed_before ht.not_newly_diagnosed",
    "result_beyond_the_analyser": "lab.not_a_number",
    "result_is_a_remark": "lab.not_a_number",
    "result_is_not_one_number": "lab.not_a_number",
    "result_out_of_range": "lab.out_of_range",
    "both_results_unusable": "lab.not_a_number",
    "latest_result_unusable": "lab.not_a_number",
    "giver_missing": "vaccine.giver_missing",
    "licence_missing": "vaccine.license_missing",
    "lot_missing": "vaccine.lot_missing",
    "lot_expired": "vaccine.expired",
    "expiry_missing": "vaccine.expiry_missing",
    "vaccine_without_code": "vaccine.code_missing",
    "vaccine_no_longer_valid": "vaccine.code_not_valid",
    "dt_under_25": "dt.too_young",
    "vaccine_known_to_the_site_only": "vaccine.code_missing",
    "result_at_another_visit": "lab.other_visit",
    "results_at_two_visits": "lab.other_visit",
    "identity_number_of_two": "person.cid_shared",
    "right_missing": "visit.scheme_missing",
}
"""Traps of which visits are refused, and the rules that do it."""

PARTLY = {
    "foreign_nationality", "two_visits_one_day", "hba1c_twice_within_three_months", "hypertension_followed_up",
    "not_newly_hypertensive",
}  # fmt: skip
"""Of these one visit is claimed and another refused."""

NOTHING = {
    "diabetes_of_other_type", "claimed_by_the_his", "result_blank", "not_confirmed", "item_known_to_the_site_only",
    "item_of_another_code", "vaccine_not_paid_for", "cancelled_visit", "other_scheme_than_the_right",
    "diagnosis_mapped_elsewhere", "visitno_of_another_centre",
}  # fmt: skip
"""No claim and no issue."""

WARNED = {
    "marital_status_unmapped": "person.marriage_unmapped",
    "opened_not_closed": "visit.closing_code_missing",
    "no_closing_code": "visit.closing_code_missing",
    "one_result_of_two_unusable": "lab.left_out",
    "hpv_outside_its_ages": "vaccine.other_sex vaccine.other_age",
    "p41_without_pregnancy": "epi.prenatal_missing",
    "visit_at_midnight": "visit.midnight",
}


# What is claimed of each visit of a trap, and what its payload says, where its description says so.
CLAIMED = {
    "every_family": ["epi 081", "epi R11", "epi 034", "epi 022", "dt 106"],
    "dose_in_two_families": ["epi D21", "epi D21", "dt 106"],
    "diabetes_and_hypertension": ["dm, ht"],
    "given_elsewhere": ["epi D21"],
    "dt_doses_of_pregnancy": ["dt 106"] * 5,
    "code_in_small_letters": ["epi D21"],
    "unmarked_visit": ["dm", "epi D21"],
    "hypertension_at_cancelled_visit": ["ht"],
    "universal_coverage_by_scheme": ["dm", "ht"],
    "universal_coverage_by_group": ["dm", "ht"],
    "diagnosis_spelt_otherwise": ["dm", "dm", "ht"],
    "pid_of_another_centre": ["dm"],
    "dose_claimed_by_the_his": ["dm"],
}
SAID: dict[str, tuple[Callable[[dict[str, Any]], Any], list[Any]]] = {
    "diagnosis_spelt_otherwise": (
        lambda said: [diagnosis["icd10"] for diagnosis in said["diagnosis"]], [["E119"], ["E119"], ["I10"]],
    ),
    "pid_of_another_centre": (lambda said: said["fname"] == "คนอื่น", [False]),
    "result_with_unit": (lambda said: said["claim_services"][0]["lab_result"], ["7.2", "7.2"]),
    "repeated_orders": (lambda said: said["claim_services"][0]["lab_result"], ["8.4", "8.4"]),
    "nationality_of_two_digits": (lambda said: said["nation"], ["099", "099"]),
    "marital_status_unmapped": (lambda said: said["marriage"], ["9", "9"]),
    "clergy": (lambda said: said["marriage"], ["6", "6"]),
    "visit_near_midnight": (lambda said: said["visit_date_time"][11:], ["00:05", "23:58"]),
    "dose_in_two_families": (lambda said: said["vaccine"][0]["lot_number"], ["TRAP01"] * 3),
}  # fmt: skip


@pytest.fixture(params=["sqlite", "mariadb", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["hosxp", "jhcis"])
def reading(request: pytest.FixtureRequest, reading_of: Callable[[str, str], Reading]) -> Reading:
    """What each HIS gave on SQLite."""
    return reading_of(request.param, "sqlite")


@pytest.mark.parametrize(("his", "trap"), [(his, trap) for his, traps in TRAPS_OF.items() for trap in traps])
def test_a_trap_ends_as_it_should(reading_of: Callable[[str, str], Reading], backend: str, his: str, trap: str) -> None:
    found = reading_of(his, backend)
    vns = found.hospital.traps[trap]
    assert vns
    claimed = {claim.vn for claim in found.claims if claim.vn in vns}
    rules: dict[str, set[str]] = defaultdict(set)
    for issue in found.issues:
        if issue.vn in vns:
            rules[issue.severity].add(issue.rule)
    assert rules["error"] == set(REFUSED.get(trap, "").split())
    assert rules["warning"] == set(WARNED.get(trap, "").split())
    if trap in PARTLY:
        assert 0 < len(claimed) < len(vns)
    else:
        assert claimed == (set() if trap in NOTHING or trap in REFUSED else set(vns))
    if trap in CLAIMED:
        assert found.kinds_of(trap) == CLAIMED[trap]
    if trap in SAID:
        said, expected = SAID[trap]
        assert [said(payload) for payload in found.payloads_of(trap)] == expected


def test_the_third_of_a_year_is_claimed_where_the_ledger_knows_no_other(reading: Reading) -> None:
    assert "third_hba1c_in_fiscal_year" in reading.hospital.traps
    assert not [issue for issue in reading.issues if issue.rule == "dm.fiscal_year"]


def test_every_faultless_record_is_claimed_once(reading: Reading) -> None:
    trapped = {vn for vns in reading.hospital.traps.values() for vn in vns}
    ordinary = [claim for claim in reading.claims if claim.vn not in trapped]
    assert Counter(claim.kind for claim in ordinary) == Counter(reading.hospital.claims)
    assert len({claim.key for claim in reading.claims}) == len(reading.claims)


def test_an_issue_is_told_once(reading: Reading) -> None:
    told = Counter((issue.kind, issue.vn, issue.item, issue.rule) for issue in reading.issues)
    assert max(told.values()) == 1


def test_what_the_his_claimed_is_counted(reading_of: Callable[[str, str], Reading]) -> None:
    reading = reading_of("hosxp", "sqlite")
    traps = reading.hospital.traps
    assert reading.counts[CLAIMED_BY_HIS] == len(traps["claimed_by_the_his"] + traps["dose_claimed_by_the_his"])


def test_the_sandbox_would_take_every_payload(reading: Reading) -> None:
    assert [
        fault for claim in reading.claims for fault in invalid_fields(json.loads(claim.payload), claim.service)
    ] == []


def test_no_identity_number_or_name_stands_in_an_issue(reading: Reading) -> None:
    sent = [json.loads(claim.payload) for claim in reading.claims]
    secrets = {payload["pid"] for payload in sent} | {payload["lname"] for payload in sent}
    said = "\n".join(str(issue.message) for issue in reading.issues)
    assert not [secret for secret in secrets if secret in said]
