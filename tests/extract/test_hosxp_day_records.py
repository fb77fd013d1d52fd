"""What several rows of a HOSxP about one visit say, on SQLite, MariaDB (TIS-620) and PostgreSQL alike."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from small_hospital import ALL, DAY, HOSPITAL, fill, settings_for

from extract.contract import DayTables
from extract.source import open_source
from extract.statements import BUILT_IN

TWO_PREGNANCIES, TWO_SERVICES, DOSE, BOTH, OF_DOSES = (f"6909211{number}0000" for number in range(5))
OWN_DOSE, TYPED, TWO_TYPES, REFUSED, OF_NONE = (f"6909212{number}0000" for number in range(5))
VISITS = (TWO_PREGNANCIES, TWO_SERVICES, DOSE, BOTH, OF_DOSES, OWN_DOSE, TYPED, TWO_TYPES, REFUSED, OF_NONE)


def _claimed(number: int, vn: str, type_id: int, uid: str | None, status: str | None = None) -> dict[str, object]:
    return {
        "ovst_nhso_eligible_id": number, "vn": vn, "nhso_eligible_type_id": type_id, "claim_transaction_uid": uid,
        "claim_status_code": status,
    }  # fmt: skip


def _claimed_dose(head: int, dose: str, uid: str | None, status: str | None = None) -> dict[str, object]:
    return {
        "ovst_vaccine_eligible_id": head, "ovst_nhso_eligible_id": head, "ovst_vaccine_id": VISITS.index(dose),
        "claim_transaction_uid": uid, "claim_status": status,
    }  # fmt: skip


ROWS = {
    **{table: HOSPITAL[table] for table in ("opdconfig", "pttype", "patient", "person_vaccine", "anc_service")},
    "ovst": [
        {"vn": vn, "hn": "000000001", "vstdate": "2026-09-21", "vsttime": "08:00:00", "pttype": "10"} for vn in VISITS
    ],
    "ovst_vaccine": [{"ovst_vaccine_id": n, "vn": vn, "person_vaccine_id": 1} for n, vn in enumerate(VISITS)],
    "person_anc": [{"person_anc_id": n, "preg_no": n} for n in (1, 2)],
    "person_anc_service": [
        {"person_anc_service_id": 1, "person_anc_id": 1, "vn": TWO_PREGNANCIES, "pa_week": 39},
        {"person_anc_service_id": 2, "person_anc_id": 2, "vn": TWO_PREGNANCIES, "pa_week": 8},
        {"person_anc_service_id": 3, "person_anc_id": 1, "vn": TWO_PREGNANCIES, "pa_week": 40},
        {"person_anc_service_id": 4, "person_anc_id": 2, "vn": TWO_SERVICES, "pa_week": 20},
        {"person_anc_service_id": 5, "person_anc_id": 2, "vn": TWO_SERVICES, "pa_week": 19},
        {"person_anc_service_id": 6, "person_anc_id": 2, "vn": TWO_SERVICES},
    ],
    "village_student_vaccine": [
        {"village_student_vaccine_id": 1, "vn": None, "vaccine_date": "2026-09-21"},
        {"village_student_vaccine_id": 2, "vn": " ", "vaccine_date": "2569-09-21"},
        {"village_student_vaccine_id": 3, "vn": None, "vaccine_date": "2026-09-20"},
        {"village_student_vaccine_id": 4, "vn": REFUSED, "vaccine_date": "2026-09-21"},
    ],
    "village_student_vaccine_list": [
        {"village_student_vaccine_id": n, "student_vaccine_id": 1} for n in (1, 1, 2, 3, 4)
    ],
    "ovst_nhso_eligible": [
        _claimed(1, DOSE, 9, "uid-1"),
        _claimed(2, BOTH, 9, "uid-2"),
        _claimed(3, BOTH, 9, "uid-visit"),
        _claimed(4, OF_DOSES, 9, None),
        _claimed(5, OWN_DOSE, 9, "uid-5", "R2"),
        _claimed(6, TYPED, 3, "uid-6"),
        _claimed(7, TYPED, 9, None),
        _claimed(8, TWO_TYPES, 3, "uid-8"),
        _claimed(9, TWO_TYPES, 4, "uid-9"),
        _claimed(10, REFUSED, 9, "uid-10", "R2"),
        _claimed(11, OF_NONE, 5, "uid-11"),
    ],
    "ovst_vaccine_eligible": [
        _claimed_dose(1, DOSE, None),
        _claimed_dose(2, BOTH, ""),
        _claimed_dose(4, OF_DOSES, "uid-4"),
        _claimed_dose(5, OWN_DOSE, "uid-own", "no"),
    ],
}

Read = Callable[..., DayTables]


@pytest.fixture(scope="session")
def read(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Read:
    """Reads the day, with further settings of the HIS and with types of the HIS's own claims."""
    url = new_database()
    fill(url, ROWS)
    folder: Path = tmp_path_factory.mktemp("types")
    his = (BUILT_IN / "hosxp" / "his.toml").read_text(encoding="utf-8")
    types = 'claim_types]\n3 = ["dm", "ht"]\n4 = ["epi"]\n5 = []'
    (folder / "his.toml").write_text(his.replace("claim_types]", types), encoding="utf-8")

    def read_day(*, typed: bool = False, **more: object) -> DayTables:
        with open_source(settings_for(url, **({"sql_folder": folder} if typed else {}), **more)) as source:
            return source.read_day(DAY, ALL)

    return read_day


def _of(frame: pd.DataFrame, vn: str, *columns: str) -> tuple[Any, ...]:
    (row,) = frame[frame["vn"] == vn][list(columns)].itertuples(index=False)
    return tuple(None if pd.isna(value) else value for value in row)


def test_gravida_and_week_are_of_one_pregnancy(read: Read) -> None:
    # was ("2", "40"): the number of one pregnancy with the week of another
    assert _of(read().visits, TWO_PREGNANCIES, "gravida", "ga_week") == ("2", "8")


def test_of_several_services_of_a_pregnancy_the_last_with_a_week_counts(read: Read) -> None:
    # was ("2", "20"), the highest
    assert _of(read().visits, TWO_SERVICES, "gravida", "ga_week") == ("2", "19")


def test_claim_of_a_dose_is_the_doses_and_not_the_visits(read: Read) -> None:
    day = read()
    # were "uid-1" of the visit, which lost its HbA1c, and None of the dose
    assert _of(day.visits, DOSE, "his_claim_uid") == (None,)
    assert _of(day.vaccinations, DOSE, "his_claim_uid") == ("uid-1",)


def test_claim_of_the_visit_beside_one_of_a_dose_is_the_visits(read: Read) -> None:
    day = read()
    assert _of(day.visits, BOTH, "his_claim_uid", "his_claim_kinds") == ("uid-visit", None)
    assert _of(day.vaccinations, BOTH, "his_claim_uid") == ("uid-2",)


def test_dose_has_its_own_transaction_before_that_of_all_doses(read: Read) -> None:
    day = read()
    assert _of(day.vaccinations, OF_DOSES, "his_claim_uid") == ("uid-4",)
    assert _of(day.vaccinations, OWN_DOSE, "his_claim_uid") == ("uid-own",)
    assert _of(day.visits, OWN_DOSE, "his_claim_uid") == (None,)


def test_claim_of_a_type_that_nobody_has_explained_is_about_all_kinds(read: Read) -> None:
    assert _of(read().visits, TYPED, "his_claim_uid", "his_claim_kinds") == ("uid-6", None)


def test_claim_of_a_listed_type_is_about_its_kinds(read: Read) -> None:
    visits = read(typed=True).visits
    assert _of(visits, TYPED, "his_claim_kinds")[0].split() == ["dm", "ht"]
    assert _of(visits, TWO_TYPES, "his_claim_kinds")[0].split() == ["dm", "ht", "epi"]
    assert _of(visits, BOTH, "his_claim_kinds")[0].split() == ["dm", "ht", "epi", "dt"]


def test_claim_of_a_type_that_is_about_no_kind_is_none(read: Read) -> None:
    assert _of(read().visits, OF_NONE, "his_claim_uid") == ("uid-11",)
    # was "uid-11", for all kinds: the visit lost its claims
    assert _of(read(typed=True).visits, OF_NONE, "his_claim_uid") == (None,)


def test_claim_of_the_his_that_was_refused_counts_until_the_site_says_what_refused_is(read: Read) -> None:
    assert _of(read().visits, REFUSED, "his_claim_uid") == ("uid-10",)
    day = read(refused_claim_statuses=["R2", "no"])
    # was "uid-10" whatever the status
    assert _of(day.visits, REFUSED, "his_claim_uid") == (None,)
    assert _of(day.vaccinations, OWN_DOSE, "his_claim_uid") == (None,)
    assert _of(day.visits, TYPED, "his_claim_uid") == ("uid-6",)


def test_doses_of_the_day_without_a_visit_are_counted(read: Read) -> None:
    # were passed over in silence
    assert read().doses_without_visit == 3


def test_antenatal_dt_of_any_number_is_106(day: DayTables) -> None:
    # was "203", which no claim has
    doses = day.vaccinations[day.vaccinations["family"] == "anc"]
    assert list(doses["vaccine_code"]) == ["106"]


def test_words_for_no_value_and_a_decomposed_letter_are_not_what_a_claim_says(
    new_database: Callable[[], str],
) -> None:
    url = new_database()
    vaccine, doctor = HOSPITAL["ovst_vaccine"][0], HOSPITAL["doctor"][0]
    person = {
        **HOSPITAL["patient"][0],
        "pname": "ไม่ทราบ",
        "fname": "น\u0e4d\u0e49\u0e32",
        "lname": "nan",
        "passport_no": "-",
    }
    fill(
        url,
        {
            **{table: HOSPITAL[table] for table in ("opdconfig", "pttype", "person_vaccine")},
            "patient": [person],
            "doctor": [{**doctor, "licenseno": "(null)"}],
            "ovst": ROWS["ovst"][:1],
            "ovst_vaccine": [{**vaccine, "vn": VISITS[0], "vaccine_lot_no": "NULL"}],
        },
    )  # fmt: skip
    with open_source(settings_for(url)) as source:
        day = source.read_day(DAY, ALL)
    # was "ไม่ทราบ", the ring and า apart, "nan", "-"; "NULL" and "(null)"
    assert _of(day.visits, VISITS[0], "title", "fname", "lname", "passport_no") == (None, "น้ำ", None, None)
    assert _of(day.vaccinations, VISITS[0], "lot_number", "license_no") == (None, None)
