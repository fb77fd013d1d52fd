"""The traps of hospital databases from end to end: each ends at the server and in the audit as its line says."""

import json
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from night_shift import LAST_DAY, Night, Trial

from sandbox.his import TRAPS

pytestmark = pytest.mark.xdist_group("flow_traps")

# What becomes of each visit of a trap: the kinds the server took (and the vaccine), "!rule" where the record is
# refused, "?rule" where it goes with a warning, "" where nothing is said.
ENDS: dict[str, tuple[str, ...]] = {
    "zero_date_of_birth": ("!person.dob_missing",) * 2,
    "buddhist_date_of_birth": ("!person.dob_buddhist_year",) * 2,
    "implausible_date_of_birth": ("!person.dob_future", "!person.dob_too_old"),
    "identity_number_with_dashes": ("dm", "epi D21"),
    "identity_number_with_spaces": ("dm", "epi D21"),
    "identity_number_placeholder": ("!person.cid_placeholder",) * 3,
    "identity_number_wrong_check_digit": ("!person.cid_check_digit",) * 2,
    "identity_number_missing": ("!person.cid_missing",) * 2,
    "passport_only": ("!person.passport_only",) * 2,
    "mojibake_name": ("!person.name_unreadable",) * 3,
    "name_missing": ("!person.name_missing",) * 2,
    "sex_missing": ("!person.sex_unknown",) * 2,
    "nationality_unmapped": ("!person.nation_missing", "!person.nation_unmapped"),
    "nationality_of_two_digits": ("dm", "epi D21"),
    "foreign_nationality": ("dm", "!vaccine.not_thai"),
    "marital_status_unmapped": ("dm", "dt 106 ?person.marriage_unmapped"),
    "clergy": ("dm", "dt 106"),
    "occupation_missing": ("dm", "epi D21"),
    "buddhist_visit_date": ("!visit.buddhist_year",) * 2,
    "visit_time_missing": ("!visit.time_missing",) * 2,
    "visit_near_midnight": ("dm", "dm"),
    "leading_zeros": ("dm", "epi D21"),
    "several_right_rows": ("dm", "epi D21"),
    "closing_code_in_older_column": ("dm", "epi D21"),
    "opened_not_closed": ("dm ?visit.closing_code_missing",),
    "no_closing_code": ("dm ?visit.closing_code_missing", "epi D21 ?visit.closing_code_missing"),
    "two_visits_one_day": ("dm", "!dm.interval"),
    "two_vaccinations_one_day": ("epi D21", "epi 081"),
    "diabetes_and_hypertension": ("dm ht",),
    "diagnosis_not_principal": ("dm", "ht"),
    "diabetes_of_other_type": ("",),
    "claimed_by_the_his": ("", "", ""),
    "unfinished_claim_of_the_his": ("dm", "dt 106"),
    "hba1c_twice_within_three_months": ("dm", "!dm.interval"),
    "third_hba1c_in_fiscal_year": ("dm",),  # the ledger knows of no other; see below where it does
    "not_newly_hypertensive": ("!ht.not_newly_diagnosed", "ht"),
    "hypertension_followed_up": ("ht", "!ht.claimed_before !ht.not_newly_diagnosed"),
    "earlier_hypertension_without_date": ("ht",),
    "result_with_unit": ("dm", "dm"),
    "result_with_blanks_around": ("dm",),
    "result_beyond_the_analyser": ("!lab.not_a_number",) * 2,
    "result_is_a_remark": ("!lab.not_a_number",) * 3,
    "result_is_not_one_number": ("!lab.not_a_number",) * 2,
    "result_out_of_range": ("!lab.out_of_range",) * 2,
    "result_blank": ("", "", ""),
    "one_result_of_two_unusable": ("ht ?lab.left_out",),
    "both_results_unusable": ("!lab.not_a_number",),
    "repeated_orders": ("dm", "dm"),
    "latest_result_unusable": ("!lab.not_a_number",),
    "not_confirmed": ("", ""),
    "reported_days_later": ("dm",),
    "labs_of_inpatient": ("dm", "ht"),
    "item_known_by_price_list": ("dm", "ht"),
    "item_known_by_system_list": ("dm", "ht"),
    "item_known_by_provis_code": ("dm", "ht"),
    "item_known_to_the_site_only": ("",),
    "item_of_another_code": ("",),
    "potassium_within_panel": ("ht", "ht"),
    "every_family": ("epi 081", "epi R11", "epi 034", "epi 022", "dt 106"),
    "dose_in_two_families": ("epi D21", "epi D21", "dt 106"),
    "giver_missing": ("!vaccine.giver_missing",) * 3,
    "licence_missing": ("!vaccine.license_missing",) * 2,
    "lot_missing": ("!vaccine.lot_missing",) * 2,
    "lot_expired": ("!vaccine.expired",) * 2,
    "lot_expires_that_day": ("epi D21",),
    "expiry_missing": ("!vaccine.expiry_missing",) * 2,
    "vaccine_without_code": ("!vaccine.code_missing",) * 2,
    "vaccine_not_paid_for": ("",),
    "vaccine_no_longer_valid": ("!vaccine.code_not_valid",) * 2,
    "vaccine_code_in_small_letters": ("epi D21", "epi HPVC21"),
    "hpv_outside_its_ages": ("epi HPVG41 ?vaccine.other_sex", "epi HPVG41 ?vaccine.other_age"),
    "dt_under_25": ("!dt.too_young",) * 2,
    "dt_in_pregnancy_under_25": ("dt 106",) * 2,
    "p41_in_pregnancy": ("epi P41",) * 2,
    "p41_without_pregnancy": ("epi P41 ?epi.prenatal_missing",) * 2,
    "antenatal_service_that_is_no_vaccine": ("dt 106",),
    "given_at_its_own_time": ("epi 081",),
    "dose_quantity_in_millilitres": ("epi 081",) * 2,
    "given_elsewhere": ("epi D21",),
    "result_at_another_visit": ("!lab.other_visit", ""),
    "results_at_two_visits": ("!lab.other_visit", ""),
    "identity_number_of_two": ("!person.cid_shared",) * 2,
    "right_missing": ("!visit.scheme_missing",) * 2,
    "visit_at_midnight": ("dm ?visit.midnight", "epi D21 ?visit.midnight"),
    "dose_claimed_by_the_his": ("dm",),
}


def lab_results(payload: dict[str, Any]) -> dict[str, str]:
    return {service["code"]: service["lab_result"] for service in payload["claim_services"]}


def of_vaccine(field: str) -> Callable[[dict[str, Any]], Any]:
    return lambda payload: payload["vaccine"][0][field]


def of_claim(field: str) -> Callable[[dict[str, Any]], Any]:
    return lambda payload: payload.get(field)


# What the server was told, claim by claim, where the trap's line says so.
TOLD: dict[str, tuple[Callable[[dict[str, Any]], Any], list[Any]]] = {
    "nationality_of_two_digits": (of_claim("nation"), ["099"] * 2),
    "marital_status_unmapped": (of_claim("marriage"), ["9"] * 2),
    "clergy": (of_claim("marriage"), ["6"] * 2),
    "occupation_missing": (of_claim("occupa"), [""] * 2),
    "leading_zeros": (of_claim("seq"), ["000123456789", "0007"]),
    "visit_near_midnight": (lambda payload: payload["visit_date_time"][11:], ["00:05", "23:58"]),
    "diagnosis_not_principal": (
        lambda payload: [diagnosis["icd10"] for diagnosis in payload["diagnosis"]],
        [["J00", "E785", "E116"], ["N390", "I119"]],
    ),
    "result_with_unit": (lab_results, [{"32401": "7.2"}] * 2),
    "result_with_blanks_around": (lab_results, [{"32401": "7.2"}]),
    "repeated_orders": (lab_results, [{"32401": "8.4"}] * 2),
    "potassium_within_panel": (lab_results, [{"32103": "4.1"}, {"32103": "4.1", "32202": "1.1"}]),
    "one_result_of_two_unusable": (lambda payload: sorted(lab_results(payload)), [["32202"]]),
    "dose_in_two_families": (of_vaccine("lot_number"), ["TRAP01"] * 3),
    "given_at_its_own_time": (lambda payload: payload["vaccine"][0]["occurence_date_time"][11:], ["16:30"]),
    "dose_quantity_in_millilitres": (of_vaccine("dose_quantity"), ["1"] * 2),
    "p41_in_pregnancy": (of_claim("prenatal"), [{"gravida": "2", "ga_week": "30"}, {"gravida": "1", "ga_week": "28"}]),
    "p41_without_pregnancy": (of_claim("prenatal"), [None] * 2),
}


def ends_of(night: Night, trap: str) -> tuple[str, ...]:
    """The ends of a trap's visits, written as in `ENDS`."""
    ends: dict[str, list[str]] = defaultdict(list)
    for _, kind, vn, item in sorted(night.accepted):
        ends[vn].append(f"{kind} {item}".strip())
    for issue in night.issues:
        ends[issue["vn"]].append(("!" if issue["severity"] == "error" else "?") + issue["rule"])
    return tuple(" ".join(ends[vn]) for vn in night.hospital.traps[trap])


@pytest.mark.parametrize("trap", TRAPS)
def test_trap_ends_as_its_line_says(night_on: Callable[[str], Night], trap: str) -> None:
    assert ends_of(night_on("sqlite"), trap) == ENDS[trap]


@pytest.mark.parametrize("trap", TOLD)
def test_server_is_told_what_the_line_says(night_on: Callable[[str], Night], trap: str) -> None:
    night = night_on("sqlite")
    told, expected = TOLD[trap]
    payloads = {claim["vn"]: json.loads(claim["payload"]) for claim in night.claims}
    assert [told(payloads[vn]) for vn in night.hospital.traps[trap]] == expected


def test_identity_numbers_are_sent_as_thirteen_digits(night_on: Callable[[str], Night]) -> None:
    assert {len(json.loads(claim["payload"])["pid"]) for claim in night_on("sqlite").claims} == {13}


def test_third_hba1c_of_a_fiscal_year_is_refused_once_two_are_claimed(
    trial: Trial, night_on: Callable[[str], Night]
) -> None:
    for days_before in (200, 100):
        day = (LAST_DAY - timedelta(days=days_before)).isoformat()
        assert trial.run(date_from=day, date_to=day, kinds=["dm"]).state == "Completed"
    trial.run(date_from=LAST_DAY.isoformat(), date_to=LAST_DAY.isoformat(), kinds=["dm"])
    (third,) = night_on("sqlite").hospital.traps["third_hba1c_in_fiscal_year"]
    assert {"vn": third, "rule": "dm.fiscal_year"} in trial.site.rows("select vn, rule from issue")
    assert third not in {taken["seq"] for taken in trial.sandbox.accepted()}
