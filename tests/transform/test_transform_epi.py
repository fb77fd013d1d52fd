"""epi and dt: which doses become a claim, and which do not."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from day_builder import (
    VN,
    diagnosis,
    dose,
    dt_day,
    earlier,
    epi_day,
    keys,
    make,
    only_claim,
    only_error,
    rules,
    tables,
    visit,
)

from transform.code_lists import FOLDER
from transform.settings import TransformSettings

P41 = {"title": "นาง", "dob": "1998-03-01", "antenatal": True, "gravida": "02", "ga_week": "28"}
GIRL = {"dob": "2014-03-01"}
MOJIBAKE = "สมหญิง".encode().decode("latin-1")


def _sent(made: Any) -> dict[str, Any]:
    sent: dict[str, Any] = json.loads(only_claim(made).payload)
    return sent


def test_a_dose_is_the_payload_of_the_reference() -> None:
    claim = only_claim(make(epi_day()))
    sent = json.loads(claim.payload)
    assert sent["vaccine"] == [
        {
            "code": "091",
            "lot_number": "LOT42",
            "dose_quantity": "1",
            "manufacturer": "Maker",
            "expiration_date": "2027-12-31",
            "occurence_date_time": "2026-09-21 10:15",
            "site_code": "",
            "route_code": "",
            "license_no": "4511234567",
            "name": "นางพยาบาล มีใบอนุญาต",
            "note": "",
        }
    ]
    assert {"uuc", "prenatal", "diagnosis"}.isdisjoint(sent)
    assert (claim.kind, claim.service, claim.item, claim.baht) == ("epi", "epi", "091", 20)


def test_the_visits_diagnoses_go_along() -> None:
    made = make(tables([visit()], [diagnosis("Z271")], vaccinations=[dose()]))
    assert [row["icd10"] for row in _sent(made)["diagnosis"]] == ["Z271"]


def test_what_is_not_documented_is_a_setting() -> None:
    settings = TransformSettings(dose_quantity="0.5", site_code="LA", route_code="IM")
    sent = _sent(make(epi_day(), settings=settings))["vaccine"][0]
    assert (sent["dose_quantity"], sent["site_code"], sent["route_code"]) == ("0.5", "LA", "IM")


def test_a_dose_given_at_no_stored_time_was_given_at_the_visit() -> None:
    sent = _sent(make(epi_day(given_date=None, given_time=None)))
    assert sent["vaccine"][0]["occurence_date_time"] == "2026-09-21 09:30"


def test_an_unlisted_code_is_no_issue() -> None:
    made = make(epi_day("815"))
    assert (made.claims, made.issues) == ((), ())


def test_vaccines_without_a_code_are_one_error_a_visit_and_code() -> None:
    rows = [dose(None, vaccine_name=name, local_code=code) for name, code in (("B", "6"), ("A", "5"), ("B", "6"))]
    issues = make(tables([visit()], vaccinations=rows)).issues
    assert [(issue.rule, issue.item) for issue in issues] == [
        ("vaccine.code_missing", "5"),
        ("vaccine.code_missing", "6"),
    ]
    assert ["“A” (5)." in issues[0].message.en, "“B” (6)." in issues[1].message.en] == [True, True]


def test_a_vaccine_without_a_code_is_an_error_that_names_it() -> None:
    issue = only_error(make(epi_day(None, vaccine_name="IPV lot 3", local_code="31")))
    assert (issue.rule, issue.kind, issue.item) == ("vaccine.code_missing", "epi", "31")
    assert "IPV lot 3" in issue.message.th
    assert only_error(make(epi_day(None), kinds=("dt",))).kind == "dt"
    assert make(epi_day(None), kinds=("dm",)).issues == ()


@pytest.mark.parametrize(
    ("code", "day", "found"),
    [
        ("401", "2023-06-30", []),
        ("401", "2023-07-01", ["vaccine.code_not_valid"]),
        ("I12", "2023-06-30", ["vaccine.code_not_valid"]),
        ("I12", "2023-07-01", []),
    ],
)
def test_a_code_is_claimed_within_its_days_only(code: str, day: str, found: list[str]) -> None:
    visits = [visit(visit_date=day, dob="2023-01-01")]
    made = make(tables(visits, vaccinations=[dose(code, given_date=day)], day=date.fromisoformat(day)))
    assert rules(made) == found


def test_a_day_before_any_rate_counts_no_baht_and_warns() -> None:
    visits = [visit(visit_date="2023-06-30", dob="2023-01-01")]
    made = make(tables(visits, vaccinations=[dose(given_date="2023-06-30")], day=date(2023, 6, 30)))
    assert only_claim(made).baht == 0
    assert rules(made, "warning") == ["claim.rate_unknown"]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"lot_number": None}, "vaccine.lot_missing"),
        ({"lot_number": "-"}, "vaccine.lot_missing"),
        ({"expiration_date": None}, "vaccine.expiry_missing"),
        ({"expiration_date": "2026-09-20"}, "vaccine.expired"),
        ({"expiration_date": "2570-12-31"}, "vaccine.expiry_buddhist_year"),
        ({"provider_name": None}, "vaccine.giver_missing"),
        ({"provider_name": MOJIBAKE}, "vaccine.giver_unreadable"),
        ({"license_no": None}, "vaccine.license_missing"),
        ({"license_no": "-"}, "vaccine.license_missing"),
        ({"given_date": "2569-09-21"}, "vaccine.given_buddhist_year"),
        ({"given_date": "2026-09-19", "given_time": None}, "vaccine.given_time_missing"),
    ],
)
@pytest.mark.parametrize("of", [epi_day, dt_day])
def test_what_a_dose_lacks_is_an_error(of: Any, changes: dict[str, Any], rule: str) -> None:
    assert only_error(make(of(**changes))).rule == rule


def test_a_dose_that_expires_on_the_day_is_claimed() -> None:
    only_claim(make(epi_day(expiration_date="2026-09-21")))


def test_a_dose_given_on_another_day_goes_with_a_warning() -> None:
    made = make(epi_day(given_date="2026-09-19"))
    assert _sent(made)["vaccine"][0]["occurence_date_time"] == "2026-09-19 10:15"
    assert rules(made, "warning") == ["vaccine.given_other_day"]


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ("2026-04-30", "vaccine.given_before_birth"),
        ("2026-08-21", "vaccine.given_long_before"),
        ("2019-09-21", "vaccine.given_before_birth"),
        ("2026-09-22", "vaccine.given_later"),
        ("2027-09-21", "vaccine.given_later"),
        ("2028-01-01", "vaccine.given_later"),
    ],
)
def test_a_dose_is_given_between_birth_and_visit_and_not_long_before(given: str, rule: str) -> None:
    # each was claimed with a warning
    issue = only_error(make(epi_day(given_date=given, expiration_date="2029-01-31"), today=date(2026, 12, 1)))
    assert issue.rule == rule
    assert given in issue.message.en


def test_a_dose_seven_years_before_the_visit_is_an_error() -> None:
    # was claimed with a warning
    assert only_error(make(dt_day(given_date="2019-09-21"))).rule == "vaccine.given_long_before"


def test_a_dose_given_at_birth_or_four_weeks_less_a_day_before_the_visit_goes_with_a_warning() -> None:
    for given, dob in (("2026-09-19", "2026-09-19"), ("2026-08-25", "2026-05-01")):
        made = make(epi_day(changes={"dob": dob}, given_date=given))
        only_claim(made)
        assert rules(made, "warning") == ["vaccine.given_other_day"]


def test_a_site_may_let_a_dose_follow_its_visit_but_not_today(tmp_path: Path) -> None:
    text = (FOLDER / "limits.csv").read_text(encoding="utf-8").replace("dose_days_after,0", "dose_days_after,7")
    (tmp_path / "limits.csv").write_text(text, encoding="utf-8")
    day, settings = epi_day(given_date="2026-09-28"), TransformSettings(codes_folder=tmp_path)
    only_claim(make(day, settings=settings, today=date(2026, 9, 28)))
    assert only_error(make(day, settings=settings, today=date(2026, 9, 27))).rule == "vaccine.given_later"


def test_an_impossible_day_of_a_dose_without_a_time_is_one_error() -> None:
    assert only_error(make(epi_day(given_date="2027-01-01", given_time=None))).rule == "vaccine.given_later"


def test_an_unreadable_manufacturer_goes_empty_with_a_warning() -> None:
    made = make(epi_day(manufacturer=MOJIBAKE))
    assert _sent(made)["vaccine"][0]["manufacturer"] == ""
    assert rules(made, "warning") == ["vaccine.manufacturer_unreadable"]


@pytest.mark.parametrize("nation", ["048", "56"])
def test_another_nationality_is_an_error(nation: str) -> None:
    assert only_error(make(epi_day(changes={"nation": nation}))).rule == "vaccine.not_thai"


@pytest.mark.parametrize("scheme", ["UCS", "OFC", "SSS", "LGO", None])
def test_any_right_is_fine(scheme: str | None) -> None:
    only_claim(make(epi_day(changes={"scheme": scheme})))


def test_a_dose_in_two_families_is_one_claim_from_the_fuller_row() -> None:
    rows = [dose(family="ovst", license_no=None), dose(family="epi", lot_number="LOT7", local_code="9")]
    for order in (rows, rows[::-1]):
        assert _sent(make(tables([visit()], vaccinations=order)))["vaccine"][0]["lot_number"] == "LOT7"


def test_two_vaccines_of_a_visit_are_two_claims() -> None:
    made = make(tables([visit()], vaccinations=[dose("091"), dose("081")]))
    assert [key[3] for key in keys(made)] == ["081", "091"]


def test_the_same_vaccine_in_a_later_visit_of_the_day_is_refused() -> None:
    visits = [visit("1", visit_time="08:00"), visit("2", visit_time="14:00")]
    made = make(tables(visits, vaccinations=[dose(vn="2"), dose(vn="1")]))
    assert [key[2] for key in keys(made)] == ["1"]
    assert rules(made) == ["vaccine.same_day"]


def test_the_visit_that_has_claimed_already_stays_the_one() -> None:
    visits = [visit("1", visit_time="08:00"), visit("2", visit_time="14:00")]
    made = make(tables(visits, vaccinations=[dose(vn="2"), dose(vn="1")]), earlier("epi", "2", "2026-09-21", "091"))
    assert [key[2] for key in keys(made)] == ["2"]


@pytest.mark.parametrize("changes", [{"his_claim_uid": "u-1"}])
def test_what_the_his_has_claimed_is_counted_not_sent(changes: dict[str, str]) -> None:
    by_dose = make(tables([visit()], vaccinations=[dose(family="ovst", **changes), dose(family="epi")]))
    by_visit = make(tables([visit(**changes)], vaccinations=[dose()]))
    for made in (by_dose, by_visit):
        assert (made.claims, made.issues, made.counts["claimed by the HIS"]) == ((), (), 1)


def test_p41_carries_the_pregnancy() -> None:
    assert _sent(make(epi_day("P41", P41)))["prenatal"] == {"gravida": "2", "ga_week": "28"}


def test_no_other_vaccine_carries_the_pregnancy() -> None:
    assert "prenatal" not in _sent(make(epi_day("041", P41)))


@pytest.mark.parametrize("lacking", [{"gravida": None}, {"ga_week": None}, {"gravida": "0"}, {"ga_week": "x"}])
def test_p41_without_the_pregnancy_goes_without_it_and_warns(lacking: dict[str, str | None]) -> None:
    made = make(epi_day("P41", P41 | lacking))
    assert "prenatal" not in _sent(made)
    assert rules(made, "warning") == ["epi.prenatal_missing"]


@pytest.mark.parametrize(
    ("day", "week", "found"),
    [
        ("2026-06-04", "26", ["epi.prenatal_weeks"]),
        ("2026-06-04", "37", ["epi.prenatal_weeks"]),
        ("2026-06-05", "37", []),
        ("2026-06-05", "15", ["epi.prenatal_weeks"]),
    ],
)
def test_the_weeks_of_p41_change_with_its_day(day: str, week: str, found: list[str]) -> None:
    visits = [visit(visit_date=day, **P41 | {"ga_week": week})]
    made = make(tables(visits, vaccinations=[dose("P41", given_date=day)], day=date.fromisoformat(day)))
    assert rules(made, "warning") == found
    only_claim(made)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        (GIRL, []),
        (GIRL | {"sex": "1", "title": "ด.ช."}, ["vaccine.other_sex"]),
        ({"dob": "2015-09-22"}, ["vaccine.other_age"]),
        ({"dob": "2005-09-21"}, ["vaccine.other_age"]),
    ],
)
def test_hpv_outside_sex_or_age_goes_with_a_warning(changes: dict[str, str], found: list[str]) -> None:
    made = make(epi_day("HPVC21", changes))
    only_claim(made)
    assert rules(made, "warning") == found


def test_a_dt_claim_is_of_its_own_service() -> None:
    claim = only_claim(make(dt_day()))
    assert (claim.kind, claim.service, claim.item, claim.baht) == ("dt", "dt", "106", 20)
    assert claim.key == ("10953", "dt", VN, "106")


def test_dt_is_claimed_from_the_25th_birthday() -> None:
    only_claim(make(dt_day({"dob": "2001-09-21"})))
    issue = only_error(make(dt_day({"dob": "2001-09-22"})))
    assert issue.rule == "dt.too_young"
    assert "24" in issue.message.en


def test_dt_in_pregnancy_is_claimed_at_any_age() -> None:
    only_claim(make(dt_day({"dob": "2006-01-01", "antenatal": True})))
    only_claim(make(dt_day({"dob": "2006-01-01"}, family="anc")))


@pytest.mark.parametrize(
    "changes",
    [
        {"sex": "1", "title": "นาย", "dob": "2006-01-01"},
        {"sex": "2", "dob": "2023-01-01"},
        {"sex": "2", "dob": "2016-09-22"},
    ],
)
@pytest.mark.parametrize("pregnancy", [({"antenatal": True}, {}), ({}, {"family": "anc"})])
def test_dt_in_pregnancy_is_a_womans_of_childbearing_age(changes: dict[str, Any], pregnancy: Any) -> None:
    of_visit, of_dose = pregnancy
    # each was claimed: a boy's, a girl's of 3 and of 9
    issue = only_error(make(dt_day(changes | of_visit, **of_dose)))
    assert issue.rule == "dt.too_young"
    assert "the antenatal visit of a woman of 10 to 60" in issue.message.en


def test_dt_in_pregnancy_is_claimed_from_the_tenth_birthday() -> None:
    only_claim(make(dt_day({"dob": "2016-09-21", "antenatal": True})))


def test_only_the_wanted_kinds_are_made() -> None:
    day = tables([visit()], vaccinations=[dose("106"), dose("091")])
    assert [key[1] for key in keys(make(day, kinds=("dt",)))] == ["dt"]
