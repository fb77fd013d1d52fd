"""Workbooks: their drop-downs, why a row is no claim, and which rows make which claim."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from day_builder import ALL, DAY, HCODE, VN, diagnosis, dm_day, dose, epi_day, ht_day, lab, past, rules, tables, visit

from core.messages import Message
from extract.contract import DayTables
from extract.workbook.layout import layouts
from extract.workbook.rows import Fault, Row
from transform.claim import Transformed
from transform.claims import make_claims
from transform.codes import read_codes
from transform.dropdown_choices import choices
from transform.rules import registry
from transform.workbook_rows import ClaimRows, group_by_claim, hold_back_faulty

CODES = read_codes()


def meant(day: DayTables) -> Transformed:
    return make_claims(day, kinds=ALL, hcode=HCODE, history=past(), explicit_request=True)


def row(number: int, code: str, *, vn: str = VN, faults: tuple[Fault, ...] = (), **more: Any) -> Row:
    column, layout = ("lab_code", "dmht") if code.startswith("32") else ("vaccine_code", "epi")
    values = {"vn": vn, "hn": "000001234", "visit_date": DAY, column: code}
    return Row("Sheet", number, layout, values, {}, faults, **more)  # type: ignore[arg-type]


def fault(column: str = "dob", cell: str = "I7") -> Fault:
    return Fault(column, cell, "cell.date_two_digit_year", Message(f"ช่อง {cell}", f"cell {cell}"))


def parts(*rows: Row) -> ClaimRows:
    return group_by_claim(rows, CODES)


def test_every_drop_down_of_the_layout_is_there() -> None:
    wanted = {c.choices for layout in layouts().values() for c in layout.columns if c.choices}
    assert wanted <= set(choices(CODES, DAY))


def test_no_spelling_of_a_drop_down_means_two_codes_on_one_sheet() -> None:
    for name, entries in choices(CODES, DAY).items():
        for sheet in layouts():
            offered = [e for e in entries if not e.sheets or sheet in e.sheets]
            meanings: dict[str, set[str]] = {}
            for e in offered:
                for spelling in {e.label, *e.also} - {""}:
                    meanings.setdefault(spelling.casefold(), set()).add(e.value)
            assert {s: m for s, m in meanings.items() if len(m) > 1} == {}, name


def test_a_code_that_is_not_valid_any_more_is_read_but_not_offered() -> None:
    offered, read = ({e.value for e in choices(CODES, day)["vaccines"]} for day in (DAY, None))
    assert "401" in read - offered


def test_epi_offers_no_booster_and_dt_nothing_else() -> None:
    vaccines = choices(CODES, DAY)["vaccines"]
    assert [e.value for e in vaccines if "dt" in e.sheets] == ["106"]
    assert "106" not in [e.value for e in vaccines if "epi" in e.sheets]


def test_of_a_right_that_does_not_pay_it_is_said_only_when_it_was_meant() -> None:
    day = dm_day(scheme="OFC")
    (issue,) = meant(day).issues
    assert (issue.rule, issue.kind, issue.column) == ("claim.right", "dm", "visits.scheme")
    assert "OFC" in issue.message.th
    assert make_claims(day, kinds=ALL, hcode=HCODE, history=past()).issues == ()


@pytest.mark.parametrize(("code", "kind", "prefix"), [("32401", "dm", "E11"), ("32202", "ht", "I10")])
def test_of_a_diagnosis_that_does_not_pay_it_is_said_which_would(code: str, kind: str, prefix: str) -> None:
    (issue,) = meant(tables([visit()], [diagnosis("J00")], [lab("1.1", code)])).issues
    assert (issue.rule, issue.kind, issue.column) == ("claim.diagnosis", kind, "diagnoses.icd10")
    assert prefix in issue.message.en


def test_what_is_a_candidate_is_not_said_to_be_none() -> None:
    for day in (dm_day(), ht_day(), epi_day()):
        assert {"claim.right", "claim.diagnosis"}.isdisjoint(rules(meant(day)))


def test_a_right_is_said_once_for_the_two_results_of_one_claim() -> None:
    assert rules(meant(ht_day(scheme="SSS"))) == ["claim.right"]


def test_rows_of_one_claim_are_found_together() -> None:
    found = parts(row(4, "32202"), row(5, "32103"), row(6, "32401"), row(7, "091"))
    assert found.key_of_row == {
        ("Sheet", 4): ("ht", VN, ""),
        ("Sheet", 5): ("ht", VN, ""),
        ("Sheet", 6): ("dm", VN, ""),
        ("Sheet", 7): ("epi", VN, "091"),
    }
    assert [r.number for r in found.rows["ht", VN, ""]] == [4, 5]


def test_a_row_that_repeats_another_is_part_of_no_claim() -> None:
    found = parts(row(4, "32401"), row(5, "32401", repeats=("Sheet", 4)))
    assert list(found.key_of_row) == [("Sheet", 4)]


def test_a_claim_with_a_faulty_row_stays_back_whole() -> None:
    made = meant(ht_day())
    left = hold_back_faulty(
        made, parts(row(4, "32202"), row(5, "32103", faults=(fault("result", "Q5"),))), DAY, HCODE, ()
    )
    assert left.claims == ()
    assert [(i.rule, i.column) for i in left.issues] == [("cell.date_two_digit_year", "labs.result")]


@pytest.mark.parametrize("undated", [0, 1])
def test_a_row_whose_day_cannot_be_read_keeps_its_claim_back_wherever_it_stands(undated: int) -> None:
    rows = [row(4, "32202"), row(5, "32103")]
    values = {name: value for name, value in rows[undated].values.items() if name != "visit_date"}
    rows[undated] = replace(rows[undated], values=values, faults=(fault("visit_date", "C4"),))
    left = hold_back_faulty(meant(ht_day(lab("1.1", "32202"))), parts(*rows), DAY, HCODE, ())
    assert left.claims == ()
    assert [i.column for i in left.issues] == ["visits.visit_date"]


def test_what_the_rules_say_of_a_faulty_cell_gives_way_to_what_is_wrong_with_the_cell() -> None:
    made = meant(dm_day(dob=None, sex="3"))
    assert rules(made) == ["person.dob_missing", "person.sex_unknown"]
    left = hold_back_faulty(made, parts(row(4, "32401", faults=(fault(),))), DAY, HCODE, ())
    assert rules(left) == ["person.sex_unknown", "cell.date_two_digit_year"]


def test_faults_of_other_days_are_not_said_of_this_one() -> None:
    other = Row(
        "Sheet", 9, "dmht", {"vn": "other", "visit_date": date(2026, 9, 1), "lab_code": "32401"}, {}, (fault(),)
    )
    left = hold_back_faulty(meant(dm_day()), parts(row(4, "32401"), other), DAY, HCODE, ())
    assert (len(left.claims), left.issues) == (1, ())


def test_a_visit_number_that_is_anothers_keeps_the_claim_back() -> None:
    made = meant(tables([visit()], [diagnosis()], [lab()], [dose()]))
    (dm,) = [c for c in made.claims if c.kind == "dm"]
    left = hold_back_faulty(made, parts(row(4, "32401"), row(5, "091")), DAY, HCODE, [dm])
    assert [c.kind for c in left.claims] == ["epi"]
    assert rules(left) == ["visit.number_taken"]


def test_the_rules_of_workbooks_are_in_the_registry() -> None:
    assert {"claim.right", "claim.diagnosis", "visit.number_taken"} <= set(registry())


def lab_row(number: int, *, vn: str | None = VN, cid: str | None = None, code: str | None = None, column: str) -> Row:
    named = {"vn": vn, "cid": cid, "lab_code": code, "visit_date": DAY if vn else None}
    values = {name: value for name, value in named.items() if value}
    return Row("Sheet", number, "dmht", values, {}, (fault(column, f"A{number}"),))


@pytest.mark.parametrize(
    "second",
    [
        lab_row(5, code=None, column="lab_code"),
        lab_row(5, vn=None, code="32103", column="vn"),
        lab_row(5, vn=None, cid="9000000000001", code="32103", column="vn"),
    ],
    ids=["a test that is not known", "cells merged with the row above", "the person without the visit"],
)
def test_a_claim_does_not_go_without_a_row_that_may_belong_to_it(second: Row) -> None:
    first = row(4, "32202")
    first = Row("Sheet", 4, "dmht", {**first.values, "cid": "9000000000001"}, {})
    left = hold_back_faulty(meant(ht_day(lab("1.1", "32202"))), parts(first, second), DAY, HCODE, ())
    assert left.claims == ()
    assert "A5" in left.issues[0].message.en


def test_a_row_of_another_person_holds_nothing_back() -> None:
    first = Row("Sheet", 4, "dmht", {**row(4, "32202").values, "cid": "9000000000001"}, {})
    other = lab_row(5, vn=None, cid="9000000000002", code="32103", column="vn")
    assert len(hold_back_faulty(meant(ht_day(lab("1.1", "32202"))), parts(first, other), DAY, HCODE, ()).claims) == 1


def test_a_result_that_cannot_be_read_keeps_its_claim_back_where_it_was_meant() -> None:
    day = ht_day(lab("1.1", "32202"), lab("Hemolysis", "32103"))
    made = meant(day)
    assert (made.claims, rules(made)) == ((), ["lab.not_a_number"])
    assert len(make_claims(day, kinds=ALL, hcode=HCODE, history=past()).claims) == 1
