"""What the traps of the synthetic JHCIS hold in its tables."""

import sqlite3
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from sandbox.his import JHCIS_TRAPS, NOT_IN_JHCIS, TRAPS, HisSummary, build_jhcis

FIRST_DAY, LAST_DAY = date(2026, 6, 1), date(2026, 6, 7)
Hospital = tuple[sqlite3.Connection, HisSummary]
DIAGNOSES = "SELECT diagcode FROM visitdiag WHERE pcucode = '10953' AND visitno = ?"
RIGHT = "SELECT main_inscl, rightgroup FROM visit JOIN cright USING (rightcode) WHERE visitno = ?"
DOSES = """SELECT files18epi, lotno FROM visitepi JOIN cdrug ON drugcode = vaccinecode
    WHERE pcucode = '10953' AND visitno = ? ORDER BY lotno IS NULL"""


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Hospital:
    path = tmp_path_factory.mktemp("his") / "his.db"
    summary = build_jhcis(f"sqlite:///{path}", first_day=FIRST_DAY, days=7, visits_a_day=20)
    return sqlite3.connect(path), summary


def _of(centre: Hospital, trap: str, query: str) -> list[tuple[Any, ...]]:
    """The query's rows for each visit of the trap, in order."""
    connection, summary = centre
    return [row for number in summary.traps[trap] for row in connection.execute(query, (int(number),))]


def test_every_trap_is_planted_and_described(centre: Hospital) -> None:
    assert centre[1].traps.keys() == JHCIS_TRAPS.keys()
    assert all(centre[1].traps.values())
    assert all(text.endswith(".") and len(text) < 160 for text in JHCIS_TRAPS.values())


def test_what_is_left_out_is_a_trap_of_hosxp_with_a_reason() -> None:
    assert NOT_IN_JHCIS.keys() < TRAPS.keys()
    assert TRAPS.keys() - JHCIS_TRAPS.keys() == NOT_IN_JHCIS.keys()
    assert all(reason.endswith(".") for reason in NOT_IN_JHCIS.values())


def test_no_visit_belongs_to_two_traps(centre: Hospital) -> None:
    visits = [number for trap in centre[1].traps.values() for number in trap]
    assert len(set(visits)) == len(visits)


def test_every_trap_lies_inside_the_window(centre: Hospital) -> None:
    for trap in JHCIS_TRAPS.keys() - {"buddhist_visit_date"}:
        for (day,) in _of(centre, trap, "SELECT visitdate FROM visit WHERE visitno = ?"):
            assert FIRST_DAY <= date.fromisoformat(day) <= LAST_DAY, trap


def test_a_window_of_one_day_leaves_out_what_needs_two(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'his.db'}"
    summary = build_jhcis(url, first_day=date(2026, 10, 1), days=1, visits_a_day=1)
    empty = {trap for trap, visits in summary.traps.items() if not visits}
    assert empty == {"hba1c_twice_within_three_months", "third_hba1c_in_fiscal_year", "hypertension_followed_up"}


def test_a_cancelled_visit_is_marked_99(centre: Hospital) -> None:
    assert _of(centre, "cancelled_visit", "SELECT flagservice FROM visit WHERE visitno = ?") == [("99",)] * 3


def test_an_unmarked_visit_has_no_flag(centre: Hospital) -> None:
    assert _of(centre, "unmarked_visit", "SELECT flagservice FROM visit WHERE visitno = ?") == [(None,)] * 2


def test_the_only_earlier_hypertension_was_cancelled(centre: Hospital) -> None:
    query = """SELECT e.flagservice, e.visitdate < v.visitdate FROM visit v
        JOIN visit e ON e.pcucodeperson = v.pcucodeperson AND e.pid = v.pid AND e.visitno <> v.visitno WHERE v.visitno = ?"""
    assert _of(centre, "hypertension_at_cancelled_visit", query) == [("99", 1)]


def test_main_inscl_and_the_group_of_the_right_disagree(centre: Hospital) -> None:
    assert _of(centre, "other_scheme_than_the_right", RIGHT) == [("OFC", "3")] * 2
    assert _of(centre, "universal_coverage_by_scheme", RIGHT) == [("UCS", "1"), ("WEL", "1")]


def test_the_group_tells_the_right_where_main_inscl_is_empty(centre: Hospital) -> None:
    assert _of(centre, "universal_coverage_by_group", RIGHT) == [("", "3"), ("", "4")]


def test_diagnoses_are_spelt_otherwise_and_lead_back(centre: Hospital) -> None:
    assert _of(centre, "diagnosis_spelt_otherwise", DIAGNOSES) == [("E11.9",), ("DM01",), ("HT01",)]
    mapped = dict(centre[0].execute("SELECT diseasecode, mapdisease FROM cdisease"))
    assert (mapped["DM01"], mapped["HT01"], mapped["E11.9"]) == ("E11.9", "I10", None)


def test_a_code_that_looks_like_diabetes_leads_elsewhere(centre: Hospital) -> None:
    query = "SELECT diagcode, mapdisease FROM visitdiag JOIN cdisease ON diseasecode = diagcode WHERE visitno = ?"
    assert _of(centre, "diagnosis_mapped_elsewhere", query) == [("E11.9A", "R73.0")]


def test_the_pid_is_somebody_else_at_another_centre(centre: Hospital) -> None:
    query = """SELECT p.pcucodeperson FROM visit v JOIN person p ON p.pid = v.pid WHERE v.visitno = ? ORDER BY 1"""
    assert _of(centre, "pid_of_another_centre", query) == [("10953",), ("11111",)]


@pytest.mark.parametrize("table", ["visitdiag", "visitlabchcyhembmsse", "visitepi"])
def test_the_visitno_is_another_visit_at_another_centre(centre: Hospital, table: str) -> None:
    query = f"SELECT COUNT(*) FROM {table} WHERE pcucode = '11111' AND visitno = ?"
    assert _of(centre, "visitno_of_another_centre", query) == [(1,)]
    assert _of(centre, "visitno_of_another_centre", DIAGNOSES) in ([("J00",)], [("J0.0",)])


def test_every_dose_of_pregnancy_occurs(centre: Hospital) -> None:
    codes = sorted(code for code, _ in _of(centre, "dt_doses_of_pregnancy", DOSES))
    assert codes == ["201", "202", "203", "204", "205"]


def test_a_vaccine_code_is_typed_in_small_letters(centre: Hospital) -> None:
    assert _of(centre, "code_in_small_letters", DOSES) == [("d21", "TRAP01")]


def test_the_code_of_hpv_stands_nowhere(centre: Hospital) -> None:
    assert _of(centre, "vaccine_known_to_the_site_only", DOSES) == [(None, "TRAP01")]


def test_a_lab_item_of_the_centres_own_is_none_of_the_standard_ones(centre: Hospital) -> None:
    query = "SELECT l.labcode, c.labname FROM visitlabchcyhembmsse l JOIN clabchcyhembmsse c USING (labcode) WHERE l.visitno = ?"
    assert _of(centre, "item_known_to_the_site_only", query) == [("LA01", "HbA1c (sent out)")]
    assert _of(centre, "item_of_another_code", query) == [("LU01", "Creatinine (urine)")]


def test_a_dose_given_elsewhere_has_no_visit(centre: Hospital) -> None:
    query = """SELECT e.visitno, e.hosservice, files18epi FROM visit v
        JOIN visitepi e ON e.pcucodeperson = v.pcucodeperson AND e.pid = v.pid AND e.dateepi = v.visitdate
        JOIN cdrug ON drugcode = e.vaccinecode WHERE v.visitno = ? ORDER BY e.visitno"""
    ((visitno,),) = _of(centre, "given_elsewhere", "SELECT visitno FROM visit WHERE visitno = ?")
    assert _of(centre, "given_elsewhere", query) == [(None, "11111", "081"), (visitno, "10953", "D21")]


def test_the_same_dose_stands_twice(centre: Hospital) -> None:
    first, second, lacking, whole, *pregnant = _of(centre, "dose_in_two_families", DOSES)
    assert first == second == ("D21", "TRAP01")
    assert {lacking, whole} == {("D21", "TRAP01"), ("D21", None)}
    assert pregnant[0] == pregnant[1]
    assert pregnant[0][0] in {"201", "202", "203", "204", "205"}


def test_a_repeated_order_ends_with_the_later_result(centre: Hospital) -> None:
    query = (
        "SELECT COALESCE(labresultdigit, labresulttext) FROM visitlabchcyhembmsse WHERE visitno = ? ORDER BY seqonday"
    )
    results = [float(result) for (result,) in _of(centre, "repeated_orders", query)]
    assert results == [6.1, 8.4, 6.1, 8.4]


def test_a_result_reported_late_has_the_day_of_its_report(centre: Hospital) -> None:
    query = """SELECT julianday(l.datecheck) - julianday(v.visitdate) FROM visit v
        JOIN visitlabchcyhembmsse l USING (pcucode, visitno) WHERE v.visitno = ?"""
    assert _of(centre, "reported_days_later", query) == [(3.0,)]


def test_a_giver_is_missing_in_three_ways(centre: Hospital) -> None:
    query = """SELECT v.username, u.fullname FROM visit v
        LEFT JOIN user u ON u.pcucode = v.pcucode AND u.username = v.username WHERE v.visitno = ?"""
    assert _of(centre, "giver_missing", query) == [(None, None), ("u9999", None), ("u0092", "")]


def test_a_login_is_somebody_else_at_another_centre(centre: Hospital) -> None:
    rows = centre[0].execute("SELECT fullname FROM user WHERE username = 'u0011'").fetchall()
    assert len(set(rows)) == 2
