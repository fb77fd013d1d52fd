"""The traps of hospital databases, from a synthetic HOSxP through extract to claims: each ends as it should."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta

import pandas as pd
import pytest
from pydantic import SecretStr

from extract.settings import HisSettings
from extract.source import open_source
from sandbox.his import TRAPS, HisSummary, build_hosxp
from sandbox.payloads import invalid_fields
from transform.claim import KINDS, Claim, Issue
from transform.claims import CLAIMED_BY_HIS, make_claims, wanted

FIRST, DAYS, HCODE = date(2026, 9, 14), 7, "10953"

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
    "nationality_unmapped": "person.nation_unmapped",
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
}
"""Traps of which visits are refused, and the rules that do it."""

PARTLY = {"foreign_nationality", "two_visits_one_day", "hba1c_twice_within_three_months", "hypertension_followed_up"}
"""Of these one visit is claimed and another refused."""

NOTHING = {
    "diabetes_of_other_type", "claimed_by_the_his", "result_blank", "not_confirmed", "item_known_to_the_site_only",
    "item_of_another_code", "vaccine_not_paid_for",
}  # fmt: skip
"""No claim and no issue."""

WARNED = {
    "opened_not_closed": "visit.closing_code_missing",
    "no_closing_code": "visit.closing_code_missing",
    "one_result_of_two_unusable": "lab.left_out",
    "hpv_outside_its_ages": "vaccine.other_sex vaccine.other_age",
    "p41_without_pregnancy": "epi.prenatal_missing",
}


@dataclass
class Week:
    """What a week of the synthetic hospital gave."""

    hospital: HisSummary
    claims: list[Claim] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Week:
    url = f"sqlite:///{tmp_path_factory.mktemp('his') / 'his.db'}"
    found = Week(build_hosxp(url, first_day=FIRST, days=DAYS, visits_a_day=60, hcode=HCODE))
    with open_source(HisSettings(url=SecretStr(url))) as source:
        for day in range(DAYS):
            sent = [(claim.kind, claim.pid, claim.vn, claim.service_date) for claim in found.claims]
            history = pd.DataFrame(sent, columns=["kind", "pid", "vn", "service_date"])
            tables = source.read_day(FIRST + timedelta(days=day), wanted(KINDS))
            made = make_claims(tables, kinds=KINDS, hcode=HCODE, history=history)
            found.claims += made.claims
            found.issues += made.issues
            found.counts += made.counts
    return found


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_ends_as_it_should(week: Week, trap: str) -> None:
    vns = week.hospital.traps[trap]
    assert vns
    claimed = {claim.vn for claim in week.claims if claim.vn in vns}
    found: dict[str, set[str]] = defaultdict(set)
    for issue in week.issues:
        if issue.vn in vns:
            found[issue.severity].add(issue.rule)
    assert found["error"] == set(REFUSED.get(trap, "").split())
    assert found["warning"] == set(WARNED.get(trap, "").split())
    if trap in PARTLY:
        assert 0 < len(claimed) < len(vns)
    else:
        assert claimed == (set() if trap in NOTHING or trap in REFUSED else set(vns))


def test_the_third_of_a_year_is_claimed_where_the_ledger_knows_no_other(week: Week) -> None:
    assert "third_hba1c_in_fiscal_year" in week.hospital.traps
    assert not [issue for issue in week.issues if issue.rule == "dm.fiscal_year"]


def test_every_faultless_record_is_claimed_once(week: Week) -> None:
    trapped = {vn for vns in week.hospital.traps.values() for vn in vns}
    ordinary = [claim for claim in week.claims if claim.vn not in trapped]
    assert Counter(claim.kind for claim in ordinary) == Counter(week.hospital.claims)
    assert len({claim.key for claim in week.claims}) == len(week.claims)


def test_an_issue_is_told_once(week: Week) -> None:
    told = Counter((issue.kind, issue.vn, issue.item, issue.rule) for issue in week.issues)
    assert max(told.values()) == 1


def test_what_the_his_claimed_is_counted(week: Week) -> None:
    assert week.counts[CLAIMED_BY_HIS] == len(week.hospital.traps["claimed_by_the_his"])


def test_the_sandbox_would_take_every_payload(week: Week) -> None:
    assert [fault for claim in week.claims for fault in invalid_fields(json.loads(claim.payload), claim.service)] == []


def test_no_identity_number_or_name_stands_in_an_issue(week: Week) -> None:
    sent = [json.loads(claim.payload) for claim in week.claims]
    secrets = {payload["pid"] for payload in sent} | {payload["lname"] for payload in sent}
    said = "\n".join(str(issue.message) for issue in week.issues)
    assert not [secret for secret in secrets if secret in said]
