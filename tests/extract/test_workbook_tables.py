"""Rows of a workbook as contract tables, and back: the claims are those of a hospital database, byte for byte."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sheet_builder import CHOICES, DOSE, LAB, as_cells, read, read_rows, sheet
from small_hospital import settings_for

from extract.contract import TABLES, DayTables, TableName, check
from extract.source import open_source
from extract.values import column
from extract.workbook.layout import SheetName, layouts
from extract.workbook.reader import understand
from extract.workbook.records import from_json, to_json
from extract.workbook.rows import Row, Value
from extract.workbook.tables import service_days
from sandbox.his import build_hosxp
from sandbox.his.people import identity_number
from transform.claim import KINDS, SERVICES, Claim, Kind
from transform.claims import make_claims, wanted
from transform.codes import read_codes
from transform.sheet_rows import SheetRows
from transform.workbook_rows import group_by_claim, records_of, records_of_rows

HCODE, HOSPITAL = "10953", "โรงพยาบาลตัวอย่าง"
FIRST, DAYS = date(2026, 9, 14), 7
NOTHING = pd.DataFrame({name: [] for name in ("kind", "pid", "item", "vn", "service_date", "yields")})


def days_of(rows: Sequence[Row]) -> list[DayTables]:
    return list(service_days(rows, hcode=HCODE, hospital_name=HOSPITAL))


def day_of(*rows: Row) -> DayTables:
    (day,) = days_of(rows)
    return day


def claims_of(day: DayTables, *kinds: Kind) -> dict[tuple[str, str, str, str], bytes]:
    made = make_claims(day, kinds=kinds or KINDS, hcode=HCODE, history=NOTHING)
    return {claim.key: claim.payload for claim in made.claims}


def rows_of(found: Sequence[dict[str, Value]], layout: SheetName) -> list[Row]:
    return [Row(layout, number, layout, values, {}) for number, values in enumerate(found, start=2)]


def records(day: DayTables, layout: SheetName, vn: str, codes: Collection[str]) -> list[dict[str, Value]]:
    return SheetRows(day, read_codes().on(day.day)).of(layout, vn, codes)


def equal(one: DayTables, other: DayTables) -> None:
    assert one.day == other.day
    for table in TABLES:
        pd.testing.assert_frame_equal(getattr(one, table), getattr(other, table))


def frame(table: TableName, *rows: dict[str, object]) -> pd.DataFrame:
    made = {name: column([row.get(name) for row in rows], kind) for name, kind in TABLES[table].items()}
    return check(table, pd.DataFrame(made), "the test")


# Tables


def test_rows_become_the_tables_of_their_day() -> None:
    day = day_of(*read(sheet("dmht", LAB | {"dx2": "I10, E785"}), sheet("epi", DOSE)).rows)
    assert day.day == date(2026, 10, 1)
    visit = day.visits.iloc[0]
    assert (visit["hcode"], visit["hospital_name"], visit["vn"]) == (HCODE, HOSPITAL, "691001083000")
    assert (visit["scheme"], visit["antenatal"], visit["visit_time"]) == ("UCS", False, "08:30")
    assert pd.isna(visit["passport_no"]) and pd.isna(visit["his_claim_uid"])
    assert list(zip(day.diagnoses["icd10"], day.diagnoses["dx_type"], strict=True)) == [
        ("E119", "1"),
        ("E785", "2"),
        ("I10", "2"),
    ]
    assert day.diagnoses[["dx_date", "dx_time"]].isna().all(axis=None)
    lab = day.labs.iloc[0]
    assert (lab["lab_code"], lab["result"], lab["result_date"], lab["result_time"]) == (
        "32401", "7.2", pd.Timestamp("2026-10-01"), "08:30",
    )  # fmt: skip
    dose = day.vaccinations.iloc[0]
    assert (dose["vaccine_code"], dose["family"], dose["given_date"], dose["given_time"]) == (
        "041", "workbook", pd.Timestamp("2026-10-01"), "08:30",
    )  # fmt: skip


def test_days_come_oldest_first_each_with_its_own_visits() -> None:
    rows = read_rows(
        "dmht", LAB, LAB | {"vn": "2", "visit_date": "30/9/2569"}, LAB | {"vn": "3", "visit_date": "30/9/2569"}
    )
    days = days_of(rows)
    assert [(day.day.day, list(day.visits["vn"])) for day in days] == [(30, ["2", "3"]), (1, ["691001083000"])]
    assert [list(day.labs["vn"]) for day in days] == [["2", "3"], ["691001083000"]]


def test_the_order_of_rows_does_not_matter() -> None:
    rows = read_rows("dmht", *(LAB | {"vn": str(n), "lab_code": code} for n in range(9) for code in ("HbA1c", "32202")))
    equal(day_of(*rows), day_of(*reversed(rows)))


def test_no_rows_are_no_days() -> None:
    assert days_of([]) == []


@pytest.mark.parametrize("missing", ["vn", "visit_date", "lab_code", "result"])
def test_a_row_that_does_not_say_what_it_is_about_is_in_no_table(missing: str) -> None:
    rows = read_rows("dmht", LAB, LAB | {"vn": "2", missing: None})
    assert list(day_of(*rows).visits["vn"]) == ["691001083000"]


def test_a_row_with_another_fault_is_there_without_the_value() -> None:
    day = day_of(*read_rows("epi", DOSE | {"dob": "1/1/69", "lot_number": 7.0}))
    assert day.visits["dob"].isna().all()
    assert day.vaccinations["lot_number"].isna().all()


def test_of_two_rows_about_one_test_the_first_counts() -> None:
    assert list(day_of(*read_rows("dmht", LAB, LAB | {"result": 8.4})).labs["result"]) == ["7.2"]


def test_a_dose_of_its_own_moment_keeps_it() -> None:
    given_at = {"given_date": "30/9/2569", "given_time": "16:30"}
    dose = day_of(*read_rows("epi", DOSE | given_at)).vaccinations.iloc[0]
    assert (dose["given_date"], dose["given_time"]) == (pd.Timestamp("2026-09-30"), "16:30")


def test_a_dose_of_another_day_has_no_time_unless_it_is_said() -> None:
    dose = day_of(*read_rows("epi", DOSE | {"given_date": "30/9/2569"})).vaccinations.iloc[0]
    assert pd.isna(dose["given_time"])


def test_hypertension_at_an_earlier_visit_of_the_workbook_is_known() -> None:
    known = LAB | {"vn": "1", "visit_date": "1/9/2569", "dx2": "I10"}
    new = LAB | {"vn": "2", "dx1": "I11", "lab_code": "32202", "result": "0.9"}
    first, second = days_of(read_rows("dmht", known, new, LAB | {"vn": "3", "cid": "1990000000019"}))
    assert not first.diagnoses["earlier"].any()
    earlier = second.diagnoses[second.diagnoses["earlier"]]
    assert list(zip(earlier["vn"], earlier["icd10"], earlier["dx_date"], strict=True)) == [
        ("2", "E119", pd.Timestamp("2026-09-01")),
        ("2", "I10", pd.Timestamp("2026-09-01")),
    ]
    made = make_claims(second, kinds=["ht"], hcode=HCODE, history=NOTHING)
    assert [issue.rule for issue in made.issues] == ["ht.not_newly_diagnosed"]


def test_an_earlier_visit_of_the_same_day_is_not_an_earlier_diagnosis() -> None:
    # was: of the later, as if the person had been diagnosed before that day
    morning, noon = LAB | {"vn": "2"}, LAB | {"vn": "1", "visit_time": "12:00"}
    day = day_of(*read_rows("dmht", noon, morning, LAB | {"vn": "3", "visit_time": None}))
    assert not day.diagnoses["earlier"].any()


# Records


def test_records_say_what_the_tables_say() -> None:
    day = day_of(
        *read_rows(
            "epi", DOSE | {"vaccine_code": "P41", "antenatal": "ใช่", "gravida": 2.0, "dx1": "Z34.8", "dx2": "I10,J00"}
        )
    )
    (record,) = records(day, "epi", "691001083000", ["P41"])
    assert record == {
        "vn": "691001083000", "hn": "000001234", "visit_date": date(2026, 10, 1), "visit_time": "08:30", "cid": "1990000000001",
        "title": "นาง", "fname": "สมหญิง", "lname": "ใจดี", "dob": date(1970, 2, 3), "sex": "2", "nation": "099", "marriage": "2",
        "occupa": "รับจ้าง", "scheme": "UCS", "closing_code": "EP0000000001", "antenatal": "1", "gravida": "2", "dx1": "Z348",
        "dx2": "I10, J00", "vaccine_code": "P41", "lot_number": "LOT42", "expiration_date": date(2027, 12, 31),
        "provider_name": "พยาบาล ตัวอย่าง", "license_no": "4511111111",
    }  # fmt: skip


def test_records_are_those_of_the_codes_that_are_asked_for() -> None:
    day = day_of(*read_rows("dmht", LAB, LAB | {"lab_code": "32202"}, LAB | {"vn": "2"}))
    assert [r["lab_code"] for r in records(day, "dmht", "691001083000", ["32202", "32103"])] == ["32202"]
    assert (
        records(day, "dmht", "2", ["32202"])
        == records(day, "epi", "2", ["041"])
        == records(day, "dmht", "?", ["32401"])
        == []
    )


def test_doses_without_a_code_are_asked_for_by_their_local_one() -> None:
    day = day_of(*read_rows("epi", DOSE))
    uncoded = day.vaccinations.assign(vaccine_code=pd.Series([None], dtype="str"))
    assert len(records(replace(day, vaccinations=uncoded), "epi", "691001083000", [""])) == 1
    uncoded = replace(day, vaccinations=uncoded.assign(local_code=pd.Series(["ovst:3"], dtype="str")))
    (record,) = records(uncoded, "epi", "691001083000", ["ovst:3"])
    assert "vaccine_code" not in record
    assert records(uncoded, "epi", "691001083000", ["041"]) == []


def test_days_in_buddhist_years_are_shown_as_stored() -> None:
    day = day_of(*read_rows("dmht", LAB))
    stored = replace(day, visits=day.visits.assign(dob=pd.Series(["2513-02-03"], dtype="datetime64[us]")))
    assert records(stored, "dmht", "691001083000", ["32401"])[0]["dob"] == date(2513, 2, 3)


def test_of_several_results_the_latest_is_shown() -> None:
    day = day_of(*read_rows("dmht", LAB))
    of_test = {"vn": LAB["vn"], "lab_code": "32401", "local_code": "1", "result_date": date(2026, 10, 1)}

    def shown_of(*results: tuple[str, str | None]) -> list[Value]:
        labs = frame("labs", *(of_test | {"result": r, "result_time": at} for r, at in results))
        return [r["result"] for r in records(replace(day, labs=labs), "dmht", "691001083000", ["32401"])]

    assert shown_of(("6", "09:00"), ("8", "10:00")) == ["8"]
    assert shown_of(("6", "09:00"), ("6.0 %", "09:00")) == ["6.0 %"]
    # Contradicting ones are for a person to choose from.
    assert shown_of(("6", "09:00"), ("8", "10:00"), ("7", None)) == ["8", "7"]


def test_of_several_results_without_a_code_all_are_shown() -> None:
    day = day_of(*read_rows("dmht", LAB))
    uncoded = {"vn": LAB["vn"], "result_date": date(2026, 10, 1), "result_time": "09:00"}
    labs = frame("labs", *(uncoded | {"local_code": code, "result": r} for code, r in (("7", "6.1"), ("8", "0.9"))))
    stored = replace(day, labs=labs)
    assert [r["result"] for r in records(stored, "dmht", "691001083000", ["7", "8"])] == ["6.1", "0.9"]
    for code, result in (("7", "6.1"), ("8", "0.9")):
        (record,) = records(stored, "dmht", "691001083000", [code])
        assert record["result"] == result and "lab_code" not in record


def test_of_several_doses_without_a_code_all_are_shown() -> None:
    day = day_of(*read_rows("epi", DOSE))
    uncoded = {"vn": DOSE["vn"], "family": "ovst"}
    doses = frame("vaccinations", *(uncoded | {"local_code": "ovst:3", "lot_number": lot} for lot in ("A", "B")))
    found = records(replace(day, vaccinations=doses), "epi", "691001083000", ["ovst:3"])
    assert [r["lot_number"] for r in found] == ["A", "B"]


def test_what_antenatal_care_gave_is_antenatal() -> None:
    day = day_of(*read_rows("epi", DOSE))
    of_anc = replace(day, vaccinations=day.vaccinations.assign(family=pd.Series(["anc"], dtype="str")))
    assert records(of_anc, "epi", "691001083000", ["041"])[0]["antenatal"] == "1"


def test_records_outlive_being_written_as_text() -> None:
    found = [{"vn": "1", "dob": date(2513, 2, 3), "fname": 'ก "x" {date}'}, {"visit_date": date(2026, 10, 1)}]
    assert from_json(to_json(found)) == found


# There and back


@dataclass
class Hospital:
    """A week of the synthetic hospital."""

    days: list[DayTables] = field(default_factory=list)
    claims: dict[tuple[str, str, str, str], Claim] = field(default_factory=dict)
    records: dict[SheetName, list[dict[str, Value]]] = field(default_factory=lambda: {name: [] for name in layouts()})


def asked(kind: Kind, item: str, day: date) -> Collection[str]:
    return [lab.code for lab in read_codes(None).on(day).labs[kind]] if kind in ("dm", "ht") else [item]


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Hospital:
    url = f"sqlite:///{tmp_path_factory.mktemp('his') / 'his.db'}"
    build_hosxp(url, first_day=FIRST, days=DAYS, visits_a_day=60, hcode=HCODE, hospital_name=HOSPITAL)
    found = Hospital()
    with open_source(settings_for(url)) as source:
        found.days = [source.read_day(FIRST + timedelta(days=day), wanted(KINDS)) for day in range(DAYS)]
    for day in found.days:
        for claim in make_claims(day, kinds=KINDS, hcode=HCODE, history=NOTHING).claims:
            found.claims[claim.key] = claim
            codes = asked(claim.kind, claim.item, day.day)
            found.records[SERVICES[claim.kind]] += records(day, SERVICES[claim.kind], claim.vn, codes)
    assert {key[1] for key in found.claims} == set(KINDS)
    return found


@pytest.mark.xdist_group("hospital_through_workbooks")
def test_every_claim_of_a_hospital_goes_through_a_workbook_and_stays_the_same(hospital: Hospital) -> None:
    sheets = [sheet(name, *as_cells(found)) for name, found in hospital.records.items()]
    rows = understand("เคลม.xlsx", "0" * 64, tuple(sheets), CHOICES, FIRST + timedelta(days=DAYS)).rows
    assert [(row.sheet, row.number, fault.rule) for row in rows for fault in row.faults] == []
    made = {key: payload for day in days_of(rows) for key, payload in claims_of(day).items()}
    assert made == {key: claim.payload for key, claim in hospital.claims.items()}


@pytest.mark.xdist_group("hospital_through_workbooks")
def test_every_claim_of_a_hospital_goes_through_its_records_and_stays_the_same(hospital: Hospital) -> None:
    rows = [row for name, found in hospital.records.items() for row in rows_of(from_json(to_json(found)), name)]
    made = {key: payload for day in days_of(rows) for key, payload in claims_of(day).items()}
    assert made == {key: claim.payload for key, claim in hospital.claims.items()}


@pytest.mark.xdist_group("hospital_through_workbooks")
def test_records_of_the_rows_of_a_workbook_are_those_of_its_tables(hospital: Hospital) -> None:
    sheets = [sheet(name, *as_cells(found)) for name, found in hospital.records.items()]
    rows = understand("เคลม.xlsx", "0" * 64, tuple(sheets), CHOICES, FIRST + timedelta(days=DAYS)).rows
    parts = group_by_claim(rows, read_codes())
    for day in days_of(rows):
        claims = [(kind, vn, item) for _, kind, vn, item in claims_of(day)]
        assert claims and records_of_rows(parts, claims) == records_of(day, claims, read_codes())


def test_records_of_the_rows_of_a_workbook_leave_out_what_is_the_visits_and_order_the_diagnoses() -> None:
    own = {"given_date": "1/10/2569", "given_time": "09:00", "gravida": 2.0, "dx2": "J00, I10"}
    rows = read_rows("epi", DOSE | own, DOSE | {"vn": "2", "given_date": "30/9/2569", "given_time": "08:30"})
    parts = group_by_claim(rows, read_codes())
    claims: list[tuple[Kind, str, str]] = [("epi", "691001083000", "041"), ("epi", "2", "041")]
    assert records_of_rows(parts, claims) == records_of(day_of(*rows), claims, read_codes())


def test_records_of_the_rows_of_a_workbook_give_a_faulty_row_too() -> None:
    rows = read_rows("dmht", LAB | {"lab_code": "32202"}, LAB | {"lab_code": "32103", "result": None, "dob": "1/1/69"})
    (text,) = records_of_rows(
        group_by_claim(rows, read_codes()), [("ht", "691001083000", ""), ("dm", "?", "")]
    ).values()
    potassium, creatinine = from_json(text)
    assert (potassium["lab_code"], creatinine["lab_code"]) == ("32103", "32202")
    assert not {"result", "dob"} & potassium.keys()


@pytest.mark.xdist_group("hospital_through_workbooks")
def test_records_of_a_workbook_give_its_tables_again(hospital: Hospital) -> None:
    rows = [row for name, found in hospital.records.items() for row in rows_of(found, name)]
    for day in days_of(rows):
        again: list[Row] = []
        for vn in day.visits["vn"]:
            again += rows_of(records(day, "dmht", vn, set(day.labs["lab_code"])), "dmht")
            again += rows_of(records(day, "epi", vn, set(day.vaccinations["vaccine_code"])), "epi")
        # What was known from earlier days comes from those days' rows.
        own = day.diagnoses[~day.diagnoses["earlier"]].reset_index(drop=True)
        (made,) = service_days(again, hcode=HCODE, hospital_name=HOSPITAL)
        equal(
            replace(made, diagnoses=made.diagnoses[~made.diagnoses["earlier"]].reset_index(drop=True)),
            replace(day, diagnoses=own),
        )


doses = st.fixed_dictionaries(
    {
        "family": st.sampled_from(["ovst", "wbc", "anc"]),
        "lot_number": st.sampled_from([None, "-", "A", "B"]),
        "expiration_date": st.sampled_from([None, date(2027, 1, 1), date(2028, 1, 1)]),
        "provider_name": st.sampled_from([None, "ก", "ข"]),
        "license_no": st.sampled_from([None, "1", "2"]),
        "manufacturer": st.sampled_from([None, "x", "y"]),
        "given_time": st.sampled_from([None, "08:30", "09:00"]),
        "given_date": st.sampled_from([None, date(2026, 9, 30), date(2026, 10, 1)]),
        "local_code": st.sampled_from([None, "1"]),
    }
)


@settings(max_examples=settings.default.max_examples // 10 + 2)
@given(st.lists(st.lists(doses, min_size=1, max_size=4), min_size=5, max_size=25))
def test_a_dose_in_several_families_is_shown_as_it_would_be_claimed(visits: list[list[dict[str, object]]]) -> None:
    # Visits of another person each: a second dose of one person is another matter.
    typed = [
        DOSE | {"vn": str(n), "cid": identity_number(n), "visit_time": "08:30" if n % 3 else None}
        for n in range(len(visits))
    ]
    day = day_of(*read_rows("epi", *typed))
    stored = [dose | {"vn": str(n), "vaccine_code": "041"} for n, of_visit in enumerate(visits) for dose in of_visit]
    his = replace(day, vaccinations=frame("vaccinations", *stored))
    workbook = day_of(*(row for vn in his.visits["vn"] for row in rows_of(records(his, "epi", vn, ["041"]), "epi")))
    ours, theirs = (make_claims(made, kinds=KINDS, hcode=HCODE, history=NOTHING) for made in (workbook, his))
    assert ours == theirs
