"""Each trap of a HOSxP database, read from SQLite, MariaDB (TIS-620) and PostgreSQL alike."""

from typing import Any

import pandas as pd

from extract import contract
from extract.contract import DayTables


def _visit(day: DayTables, vn: str) -> dict[str, Any]:
    rows = day.visits[day.visits["vn"] == vn].to_dict("records")
    assert len(rows) == 1
    return rows[0]


def _labs(day: DayTables, vn: str) -> list[tuple[str, str]]:
    rows = day.labs[day.labs["vn"] == vn]
    return list(zip(rows["lab_code"], rows["result"], strict=True))


def _earlier(day: DayTables, vn: str) -> list[tuple[str, str]]:
    rows = day.diagnoses[(day.diagnoses["vn"] == vn) & day.diagnoses["earlier"]]
    return list(zip(rows["icd10"], rows["dx_date"].dt.strftime("%Y-%m-%d"), strict=True))


def _doses(day: DayTables, vn: str) -> pd.DataFrame:
    return day.vaccinations[day.vaccinations["vn"] == vn].set_index("lot_number")


def test_tables_meet_the_contract(day: DayTables) -> None:
    for table in contract.TABLES:
        contract.check(table, getattr(day, table), table)


def test_only_visits_that_can_become_a_claim_are_read(day: DayTables) -> None:
    assert list(day.visits["vn"]) == [
        "690921070000", "690921073000", "690921080000", "690921090000", "690921100000", "690921100001", "690921100002",
        "690921110000", "690921120000", "690921130000", "690921140000", "690921150000", "690921160000", "690921180000",
    ]  # fmt: skip


def test_visits_of_a_day_come_with_the_results_of_their_person(day: DayTables) -> None:
    # was []: the diagnosis stands at other visits of the day
    assert _labs(day, "690921120000") == [("32401", "6.0")]
    # was not read: it has the diagnosis and no result
    assert "690921110000" in set(day.diagnoses["vn"])


def test_person_is_read_as_stored_but_stripped(day: DayTables) -> None:
    visit = _visit(day, "690921080000")
    assert visit | {"visit_date": "", "dob": ""} == {
        "hcode": "10953", "hospital_name": "โรงพยาบาลตัวอย่าง", "vn": "690921080000", "hn": "000000001", "visit_date": "",
        "visit_time": "08:00", "cid": "1-1037-02012-345", "passport_no": visit["passport_no"], "title": "นาย",
        "fname": "สมมติ", "lname": "ตัวอย่าง", "dob": "", "sex": "1", "marriage": "2", "occupa": "เกษตรกร", "nation": "099",
        "scheme": "UCS", "local_marriage": "2", "local_occupa": "0001", "local_nation": "99", "local_scheme": "10",
        "closing_code": "EP0987654321", "his_claim_uid": visit["his_claim_uid"],
        "his_claim_kinds": visit["his_claim_kinds"], "antenatal": False,
        "gravida": visit["gravida"], "ga_week": visit["ga_week"],
    }  # fmt: skip
    assert all(
        pd.isna(visit[name]) for name in ("passport_no", "his_claim_uid", "his_claim_kinds", "gravida", "ga_week")
    )
    assert visit["dob"] == pd.Timestamp("1960-05-01")


def test_several_rights_do_not_multiply_a_visit_and_a_closing_code_beats_an_opening_one(day: DayTables) -> None:
    assert _visit(day, "690921080000")["closing_code"] == "EP0987654321"


def test_opening_code_of_an_older_column_is_found(day: DayTables) -> None:
    assert _visit(day, "690921090000")["closing_code"] == "PP5555555555"


def test_visit_without_any_code_has_none(day: DayTables) -> None:
    assert pd.isna(_visit(day, "690921100000")["closing_code"])


def test_buddhist_date_of_birth_stays_as_stored(day: DayTables) -> None:
    assert _visit(day, "690921090000")["dob"] == pd.Timestamp("2503-02-01")


def test_mojibake_is_passed_on_for_the_rules_to_refuse(day: DayTables) -> None:
    assert _visit(day, "690921090000")["fname"] == "เธชเธก"


def test_zero_date_of_birth_and_blank_cid_are_missing(day: DayTables) -> None:
    visit = _visit(day, "690921100000")
    assert visit["dob"] is pd.NaT
    assert pd.isna(visit["cid"])


def test_nationality_without_a_mapping_is_missing(day: DayTables) -> None:
    assert pd.isna(_visit(day, "690921100000")["nation"])
    assert pd.isna(_visit(day, "690921140000")["nation"])


def test_visit_stored_in_buddhist_years_comes_with_its_own_day(day: DayTables) -> None:
    assert _visit(day, "690921150000")["visit_date"] == pd.Timestamp("2569-09-21")


def test_visit_whose_patient_is_gone_still_comes(day: DayTables) -> None:
    visit = _visit(day, "690921160000")
    assert pd.isna(visit["cid"])
    assert visit["hn"] == "000000099"


def test_visit_the_his_claimed_itself_says_so(day: DayTables) -> None:
    assert _visit(day, "690921130000")["his_claim_uid"] == "uid-visit"


def test_antenatal_visit_brings_pregnancy_number_and_week(day: DayTables) -> None:
    visit = _visit(day, "690921140000")
    assert (visit["antenatal"], visit["gravida"], visit["ga_week"]) == (True, "2", "22")


def test_diagnoses_lose_dots_and_procedures(day: DayTables) -> None:
    rows = day.diagnoses[day.diagnoses["vn"] == "690921080000"]
    assert list(zip(rows["icd10"], rows["dx_type"], rows["dx_time"], strict=True)) == [
        ("E119", "1", "08:15"),
        ("Z000", "4", "08:15"),
    ]


def test_earliest_earlier_diagnosis_of_each_code_is_found(day: DayTables) -> None:
    # was the first of them alone, which need not be one that counts
    assert sorted(_earlier(day, "690921100000")) == [
        ("I10", "2026-01-01"),
        ("I119", "2025-06-01"),
    ]


def test_later_diagnosis_of_the_same_day_is_not_earlier(day: DayTables) -> None:
    assert sorted(_earlier(day, "690921073000")) == [("I10", "2026-01-01"), ("I119", "2025-06-01")]
    assert _earlier(day, "690921090000") == []


def test_diagnosis_earlier_on_the_same_day_is_new_that_day(day: DayTables) -> None:
    # was [("I10", "2026-09-21")]: who was diagnosed in the morning and tested at noon was not new
    assert _earlier(day, "690921180000") == []


def test_earlier_visit_on_a_zero_date_says_nothing(day: DayTables) -> None:
    assert _earlier(day, "690921100001") == []


def test_earlier_visit_in_buddhist_years_counts(day: DayTables) -> None:
    assert _earlier(day, "690921100002") == [("I10", "2568-03-01")]


def test_repeated_orders_stay_with_their_numbers(day: DayTables) -> None:
    rows = day.labs[day.labs["vn"] == "690921080000"]
    found = {(row["result"], row["result_time"], row["lab_order"]) for row in rows.to_dict("records")}
    assert found == {("<4.0", "09:05", "11"), ("7.9", "10:00", "9"), ("7.2 %", "10:00", "10")}


def test_time_of_an_unreported_result_is_that_of_its_order(day: DayTables) -> None:
    row = day.labs[day.labs["result"] == "<4.0"].iloc[0]
    assert (row["result_date"], row["result_time"]) == (pd.Timestamp("2026-09-21"), "09:05")


def test_lab_codes_come_from_the_strongest_source(day: DayTables) -> None:
    # the panel's 32001 falls on to the system name, a blank to the ministry's code; 32299 is decisive; two names are none
    assert _labs(day, "690921090000") == [("32103", "Hemolysis"), ("32202", "1.01")]


def test_inpatient_lab_is_found_under_the_admission_number(day: DayTables) -> None:
    assert _labs(day, "690921130000") == [("32401", "8.1")]


def test_all_five_vaccine_families_are_read(day: DayTables) -> None:
    doses = _doses(day, "690921140000")
    assert dict(zip(doses.index.dropna(), doses["family"][doses.index.notna()], strict=True)) == {
        "L1": "ovst", "L2": "wbc", "L3": "epi", "L4": "school", "L5": "anc"
    }  # fmt: skip
    assert list(doses.loc[["L1", "L2", "L3", "L4", "L5"], "vaccine_code"]) == ["106", "P41", "061", "901", "106"]


def test_dose_keeps_its_own_moment_giver_and_quantity(day: DayTables) -> None:
    dose = _doses(day, "690921140000").loc["L1"]
    assert (dose["given_date"], dose["given_time"]) == (pd.Timestamp("2026-09-21"), "14:25")
    assert (dose["provider_name"], dose["license_no"]) == ("พว.มานี ตัวอย่าง", "4511111111")
    assert (dose["dose_quantity"], dose["expiration_date"]) == ("1", pd.Timestamp("2027-01-31"))


def test_dose_without_a_moment_has_the_day_of_its_service_or_the_visits(day: DayTables) -> None:
    doses = _doses(day, "690921140000")
    # was "14:00": the visit's time of another day
    assert doses.loc["L2", "given_date"] == pd.Timestamp("2026-09-19")
    assert pd.isna(doses.loc["L2", "given_time"])
    assert (doses.loc["L3", "given_date"], doses.loc["L3", "given_time"]) == (pd.Timestamp("2026-09-21"), "14:00")


def test_unknown_giver_zero_expiry_and_unmapped_vaccine_are_missing(day: DayTables) -> None:
    dose = day.vaccinations[day.vaccinations["local_code"] == "ovst:2"].iloc[0]
    assert all(pd.isna(dose[name]) for name in ("provider_name", "license_no", "expiration_date", "vaccine_code"))


def test_antenatal_advice_is_no_vaccination(day: DayTables) -> None:
    assert "690921170000" not in set(day.vaccinations["vn"])


def test_dose_the_his_claimed_itself_says_so(day: DayTables) -> None:
    assert list(_doses(day, "690921160000")["his_claim_uid"]) == ["uid-dose"]
    assert _doses(day, "690921150000")["his_claim_uid"].isna().all()


def test_repr_shows_sizes_and_no_person(day: DayTables) -> None:
    assert repr(day) == "DayTables(2026-09-21: visits=14, diagnoses=17, labs=12, vaccinations=8)"
