"""What the HIS knows of a workbook's persons and visits, and what becomes of their rows."""

from typing import Any

import pandas as pd
import pytest
from day_builder import ALL, HCODE, PID, VN, cid, dose, dt_day, epi_day, ht_day, past, rules, tables, visit

from extract.contract import TABLES, TEXT, DayTables, check
from transform.claim import Transformed
from transform.claims import make_claims, wanted
from transform.known_to_his import persons_to_ask_for, with_earlier_diagnoses, with_own_claims

HT = wanted(("ht",))


def meant(day: DayTables) -> Transformed:
    return make_claims(day, kinds=ALL, hcode=HCODE, history=past(), explicit_request=True)


def first(*rows: dict[str, Any]) -> pd.DataFrame:
    given = [{"hn": "000001234", "cid": None, "icd10": "I10", "dx_date": "2022-03-01"} | row for row in rows]
    frame = pd.DataFrame(given, columns=["hn", "cid", "icd10", "dx_date"])
    days = pd.Series([pd.Timestamp(day).as_unit("us") for day in frame["dx_date"]], dtype="datetime64[us]")
    return frame.astype({"hn": TEXT, "cid": TEXT, "icd10": TEXT}).assign(dx_date=days)


def known(*rows: dict[str, Any], day: DayTables | None = None) -> list[tuple[str, str, str]]:
    found = with_earlier_diagnoses(day or ht_day(), first(*rows), HT)
    check("diagnoses", found.diagnoses, "the test")
    earlier = found.diagnoses[found.diagnoses["earlier"]]
    return list(zip(earlier["vn"], earlier["icd10"], earlier["dx_date"].dt.strftime("%Y-%m-%d"), strict=True))


def claimed(*rows: tuple[str, str | None, str], kinds: str | None = None) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["vn", "vaccine_code", "his_claim_uid"], dtype=TEXT)
    return frame.assign(his_claim_kinds=pd.Series(kinds, frame.index, dtype=TEXT))


def test_a_person_hypertensive_in_the_his_is_not_new_in_a_workbook() -> None:
    # Was: a claim, as the workbook's own visits alone were looked at.
    (issue,) = meant(with_earlier_diagnoses(ht_day(), first({"cid": PID}), HT)).issues
    assert (issue.rule, issue.severity) == ("ht.not_newly_diagnosed", "error")
    assert "2022-03-01" in issue.message.en


@pytest.mark.parametrize(
    ("row", "counts"),
    [
        ({"hn": "000009999", "cid": f"{PID[0]}-{PID[1:5]}-{PID[5:10]}-{PID[10:12]}-{PID[12]}"}, True),
        ({"cid": cid(777)}, False),  # the hospital number is another person's
        ({"cid": None}, True),
        ({"cid": "0000000000000"}, True),
        ({"cid": "1111111111119"}, True),  # no person's number, though its check digit fits
        ({"cid": PID[:12]}, True),
        ({"hn": "000009999", "cid": None}, False),
        ({"dx_date": "2026-09-21"}, False),  # the day itself
        ({"dx_date": "2568-03-01"}, True),  # of 2025
        ({"dx_date": "2569-09-21"}, False),
    ],
)
def test_who_is_the_same_person_and_what_is_before_the_day(row: dict[str, Any], counts: bool) -> None:
    assert bool(known(row)) is counts


def test_the_earliest_diagnosis_counts_whatever_calendar_it_is_stored_in() -> None:
    rows = [{"dx_date": "2024-05-01", "icd10": "I119"}, {"dx_date": "2565-01-01"}, {"dx_date": "2023-01-01"}]
    assert known(*rows) == [(VN, "I10", "2565-01-01")]


def test_only_persons_with_a_lab_of_hypertension_are_asked_for() -> None:
    assert list(persons_to_ask_for(ht_day(), HT)["vn"]) == [VN]
    assert persons_to_ask_for(dt_day(), HT).empty
    assert known({"cid": PID}, day=dt_day()) == []


def test_a_visit_that_the_his_claimed_itself_is_no_claim_and_the_row_says_so() -> None:
    # Was: a claim, sent a second time.
    day = with_own_claims(ht_day(), claimed((VN, None, "uid-1")))
    check("visits", day.visits, "the test")
    made = meant(day)
    assert (made.claims, rules(made)) == ((), ["claim.by_his"])
    assert "uid-1" in made.issues[0].message.en


def test_a_dose_that_the_his_claimed_itself_is_no_claim_and_another_is() -> None:
    day = tables([visit(dob="2026-05-01", title="ด.ญ.", marriage="1")], vaccinations=[dose("091"), dose("081")])
    day = with_own_claims(day, claimed((VN, "091", "uid-2"), ("another", "081", "uid-3")))
    check("vaccinations", day.vaccinations, "the test")
    assert [(i.item, i.rule) for i in meant(day).issues if i.rule == "claim.by_his"] == [("091", "claim.by_his")]


def test_a_claim_of_the_his_counts_for_the_kinds_that_it_is_about() -> None:
    # Was: no claim, as what the HIS's was about was not asked.
    made = meant(with_own_claims(ht_day(), claimed((VN, None, "uid-1"), kinds="epi dt")))
    assert [claim.kind for claim in made.claims] == ["ht"]
    assert rules(made) == []


def test_it_is_not_said_of_a_hospital_database_nor_where_nothing_was_claimed() -> None:
    day = with_own_claims(ht_day(), claimed((VN, None, "uid-1")))
    assert make_claims(day, kinds=ALL, hcode=HCODE, history=past()).issues == ()
    for own in (ht_day(), epi_day(), dt_day()):
        left = with_own_claims(own, claimed())
        for table in TABLES:
            pd.testing.assert_frame_equal(getattr(left, table), getattr(own, table))
