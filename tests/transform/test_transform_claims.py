"""Claims as a whole: the same input gives the same bytes, and nothing personal shows."""

import dataclasses
import hashlib
import json
import pickle
import random
from datetime import date, timedelta
from decimal import Decimal

import pandas as pd
import pytest
from day_builder import (
    DAY,
    PID,
    cid,
    diagnosis,
    dm_day,
    dose,
    dt_day,
    earlier,
    epi_day,
    ht_day,
    keys,
    lab,
    make,
    only_claim,
    only_error,
    tables,
    visit,
)
from hypothesis import given
from hypothesis import strategies as st

from extract.contract import TABLES, DayTables
from transform.claim import Transformed
from transform.claims import make_claims
from transform.codes import Lab
from transform.dates import age_years, day_texts, fiscal_year, nearer_than_months
from transform.labs import parse_number, plain, read
from transform.rules import registry

FULL = tables(
    [visit(), visit("2", cid=None), visit("3", closing_code=None, visit_time="10:30")],
    [diagnosis(), diagnosis("I10", dx_type="2"), diagnosis(vn="2"), diagnosis("Z000", vn="3")],
    [lab(), lab("1.20", "32202"), lab("Hemolysis", "32103"), lab(vn="2")],
    [dose(), dose("106", vn="3"), dose("106", vn="3", family="anc", manufacturer=None), dose(None, vn="3")],
)
HBA1C = Lab("32401", "HbA1C", ("%",), Decimal(3), Decimal(20))


def _shuffled(day: DayTables, seed: int) -> DayTables:
    frames = {
        name: getattr(day, name).sample(frac=1, random_state=seed)
        for name in ("visits", "diagnoses", "labs", "vaccinations")
    }
    return dataclasses.replace(day, **frames)


def test_the_payload_hash_is_sha256_of_the_payload() -> None:
    claim = only_claim(make(dm_day()))
    assert claim.payload_hash == hashlib.sha256(claim.payload).hexdigest()


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_rows_changes_no_byte(seed: int) -> None:
    assert make(_shuffled(FULL, seed)) == make(FULL)


def test_the_day_gives_what_it_should() -> None:
    made = make(FULL)
    assert [key[1:] for key in keys(made)] == [
        ("dm", "690921093000", ""),
        ("ht", "690921093000", ""),
        ("epi", "690921093000", "091"),
        ("dt", "3", "106"),
    ]
    assert [(issue.kind, issue.vn, issue.rule) for issue in made.issues] == [
        ("dm", "2", "person.cid_missing"),
        ("ht", "690921093000", "lab.left_out"),
        ("epi", "3", "vaccine.code_missing"),
        ("dt", "3", "visit.closing_code_missing"),
    ]


def test_the_tables_given_are_not_changed() -> None:
    before = {name: getattr(FULL, name).copy() for name in TABLES}
    make(FULL)
    for name, frame in before.items():
        pd.testing.assert_frame_equal(getattr(FULL, name), frame)


def test_where_no_record_of_a_day_goes_none_is_told_that_another_went() -> None:
    visits = [visit(), visit("2", cid="1990000000015"), visit("3", cid=None)]
    made = make(tables(visits, vaccinations=[dose(vn=v["vn"], lot_number=None) for v in visits]))
    assert made.claims == ()
    assert "vaccine.same_day" not in {issue.rule for issue in made.issues}


def test_an_empty_day_gives_nothing() -> None:
    assert make(tables([])) == Transformed()


def test_nothing_personal_shows_in_a_claim_or_an_issue() -> None:
    made = make(FULL)
    shown = repr(made) + "".join(str(issue.message) for issue in made.issues)
    for secret in (PID, "สมหญิง", "ใจดี", "000001234"):
        assert secret not in shown


def test_claims_and_issues_can_be_handed_to_another_process() -> None:
    made = make(FULL)
    assert pickle.loads(pickle.dumps(made)) == made


def test_the_history_may_hold_plain_days_and_other_persons() -> None:
    history = pd.DataFrame([earlier("dm", "9", "2026-09-01")]).assign(service_date=[date(2026, 9, 1)])
    made = make_claims(dm_day(), kinds=("dm",), hcode="10953", history=history)
    assert [issue.rule for issue in made.issues] == ["dm.interval"]


def test_a_visit_claimed_by_the_his_is_counted_once_a_claim() -> None:
    made = make(tables([visit(his_claim_uid="u")], [diagnosis()], [lab()], [dose(), dose("106")]))
    assert (made.claims, made.issues, made.counts["claimed by the HIS"]) == ((), (), 3)


def test_what_the_his_has_claimed_is_named_with_its_transaction_number() -> None:
    visits = [visit(his_claim_uid="of the visit"), visit("2"), visit("3")]
    doses = [
        dose(his_claim_uid="of the dose", license_no=None),
        dose(family="epi"),
        dose("106"),
        dose(vn="2", his_claim_uid="of another family", family="ovst", license_no=None),
        dose(vn="2"),
        dose(vn="3"),
    ]
    made = make(tables(visits, [diagnosis(), diagnosis(vn="3")], [lab(), lab(vn="3")], doses))
    # were counted only
    assert made.claimed_by_his == (
        ("dm", "690921093000", "", "of the visit"),
        ("epi", "2", "091", "of another family"),
        ("epi", "690921093000", "091", "of the dose"),
        ("dt", "690921093000", "106", "of the visit"),
    )
    assert made.counts["claimed by the HIS"] == 4
    assert [key[1:] for key in keys(made)] == [("dm", "3", ""), ("epi", "3", "091")]


def test_a_visit_still_to_come_is_an_error() -> None:
    for day in (dm_day(), ht_day(), epi_day(), dt_day()):
        # was claimed
        assert only_error(make(day, today=DAY - timedelta(days=1))).rule == "visit.still_to_come"
        only_claim(make(day, today=DAY))


def test_many_claims_keep_their_own_facts() -> None:
    names = [f"ชื่อ{letter}" for letter in "กขคงจฉ"]
    visits = [visit(str(number), fname=name, hn=str(number)) for number, name in enumerate(names)]
    random.Random(1).shuffle(visits)
    made = make(tables(visits, vaccinations=[dose(f"08{number + 1}", vn=str(number)) for number in range(5)]))
    for claim in made.claims:
        sent = json.loads(claim.payload)
        assert (sent["fname"], sent["vaccine"][0]["code"]) == (names[int(claim.vn)], f"08{int(claim.vn) + 1}")


@pytest.mark.parametrize(("last", "baht"), [("2026-09-30", [150, 85, 20, 20]), ("2026-10-01", [0, 0, 0, 0])])
def test_rates_are_of_their_fiscal_year(last: str, baht: list[int]) -> None:
    # was 150, 85, 20, 20 on the first day of the next year as well
    day = date.fromisoformat(last)
    found = [
        only_claim(
            make(
                dataclasses.replace(
                    made, day=day, visits=made.visits.assign(visit_date=pd.Timestamp(day).as_unit("us"))
                ),
                today=day,
            )
        )
        for made in (dm_day(), ht_day(), epi_day(), dt_day())
    ]
    assert [claim.baht for claim in found] == baht


def test_a_missing_rate_is_named_with_its_fiscal_year_and_file_and_listed_once() -> None:
    day = date(2026, 10, 1)
    two = [visit(str(number), visit_date=f"{day}", cid=cid(number)) for number in (1, 2)]
    rows = [diagnosis("I10", vn=row["vn"]) for row in two], [lab("1.1", "32202", vn=row["vn"]) for row in two]
    first, second = make(tables(two, *rows, day=day), today=day).issues
    assert first.message.en == (
        "No rate of 32202, 32103 is known for fiscal year 2570: it counts as 0 baht. "
        "Add that year's rate to rates.csv of transform.codes_folder."
    )
    assert first.message == second.message
    assert registry()[first.rule].of_code


def test_every_kind_has_its_service() -> None:
    services = [only_claim(make(day)).service for day in (dm_day(), ht_day(), epi_day(), dt_day())]
    assert services == ["dmht", "dmht", "epi", "dt"]


@given(st.decimals(min_value=0, max_value=999999, places=3))
def test_any_written_number_is_read_as_that_number(number: Decimal) -> None:
    for text in (str(number), f" {number} %", f"{number}%"):
        read_number = parse_number(text, ["%"])
        assert read_number == number
    assert Decimal(plain(number)) == number
    assert "E" not in plain(number)
    assert not ("." in plain(number) and plain(number).endswith("0"))


@given(st.text(max_size=12))
def test_any_text_is_read_as_a_plausible_number_or_refused(text: str) -> None:
    reading = read(text, HBA1C)
    assert (reading.number is None) != (reading.fault is None)
    if reading.number is not None:
        assert 3 <= Decimal(reading.number) <= 20


@given(st.decimals(min_value=0, max_value=99, places=1), st.sampled_from(["<", ">", "-", "+", "~", "≤", "ประมาณ "]))
def test_a_bounded_number_is_no_number(number: Decimal, sign: str) -> None:
    assert parse_number(f"{sign}{number}", ["%"]) is None


DAYS = st.dates(date(1901, 1, 2), date(2300, 12, 31))


def _column(*days: date) -> pd.Series:
    return pd.Series([pd.Timestamp(day).as_unit("us") for day in days], dtype="datetime64[us]")


@given(DAYS, DAYS)
def test_age_is_the_number_of_birthdays_passed(born: date, on: date) -> None:
    years = age_years(_column(born), _column(on))[0]
    assert years == on.year - born.year - ((on.month, on.day) < (born.month, born.day))


@given(DAYS)
def test_a_day_is_written_as_iso(day: date) -> None:
    assert day_texts(_column(day))[0] == day.isoformat()


def test_a_buddhist_day_is_written_as_stored_and_a_missing_one_stays_missing() -> None:
    texts = day_texts(pd.Series([pd.Timestamp("2569-09-21"), pd.NaT], dtype="datetime64[us]"))
    assert texts[0] == "2569-09-21"
    assert pd.isna(texts[1])


@given(DAYS)
def test_a_day_lies_in_its_fiscal_year(day: date) -> None:
    first, last = fiscal_year(day)
    assert first <= day <= last
    assert (first.month, first.day, last + timedelta(days=1)) == (10, 1, first.replace(year=first.year + 1))


@given(DAYS, DAYS)
def test_the_interval_does_not_depend_on_the_order(one: date, other: date) -> None:
    assert (
        nearer_than_months(_column(one), _column(other), 3)[0] == nearer_than_months(_column(other), _column(one), 3)[0]
    )


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        (date(2026, 6, 21), DAY, False),
        (date(2026, 6, 22), DAY, True),
        (date(2025, 11, 30), date(2026, 2, 28), False),
        (date(2025, 11, 30), date(2026, 2, 27), True),
    ],
)
def test_three_months_are_calendar_months(one: date, other: date, near: bool) -> None:
    assert nearer_than_months(_column(one), _column(other), 3)[0] == near
